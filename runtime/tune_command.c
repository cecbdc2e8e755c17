/* The command tune: measures every operation that has variants on work made up for it, writes the tuning file, prints the table. */
#include "commands.h"
#include "json_file.h"
#include "machine.h"
#include "threads.h"
#include "tuning.h"

#include <stdio.h>
#include <stdlib.h>

static bool write_file(const struct tuning *tuning, const char *wanted, struct error *err)
{
    char *path = wanted ? format_text("%s", wanted) : tuning_path(tuning);
    bool written = path ? tuning_write(tuning, path, err)
                        : error_set(err, "the tuning file has no place: neither XDG_CACHE_HOME nor HOME is an absolute "
                                         "path; set one, or use --output FILE");
    if (written)
        fprintf(stderr, "written to %s\n", path);
    free(path);
    return written;
}

static void print_json(const struct tuning *tuning)
{
    cJSON *json = tuning_to_json(tuning);
    char *text = json_print(json);
    fputs(text, stdout);
    free(text);
    cJSON_Delete(json);
}

int command_tune(const struct options *options, struct error *err)
{
    const int threads = threads_use(options).threads;
    const struct backend *backend = backend_choose(options, err);
    if (!backend)
        return err->exit_code;
    struct tuning *tuning = tuning_new(options_program(options), backend, threads);
    fprintf(stderr, "measuring %d operations, every variant %d times, with %s on %d thread%s\n", backend->tunable_count,
            TUNING_ROUNDS, backend->name, threads, threads == 1 ? "" : "s");
    tuning->worth = 0;
    tuning_watch(tuning);
    backend->measure(tuning->operations, threads);
    if (option_bool(options, "json"))
        print_json(tuning);
    else
        tuning_print(tuning, stdout);
    bool written = write_file(tuning, option_text(options, "output"), err);
    tuning_free(tuning);
    return written ? EXIT_DONE : err->exit_code;
}
