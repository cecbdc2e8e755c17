/* The command tune: measures every operation that has variants on work made up for it, writes the tuning file, prints the table. */
#include "commands.h"
#include "json_file.h"
#include "machine.h"
#include "threads.h"
#include "tuning.h"

#include <stdio.h>
#include <stdlib.h>

/* Where the file goes: free() it. NULL and *err where it has no place or can't be written. */
static char *place_of(const struct tuning *tuning, const char *wanted, struct error *err)
{
    char *path = wanted ? format_text("%s", wanted) : tuning_path(tuning);
    if (!path)
        error_set(err, "the tuning file has no place: neither XDG_CACHE_HOME nor HOME is an absolute path; set one, or "
                       "use --output FILE");
    else if (!tuning_writable(path, err)) {
        free(path);
        path = NULL;
    }
    return path;
}

static void print_json(const struct tuning *tuning)
{
    cJSON *json = tuning_to_json(tuning);
    char *text = json_print(json);
    fputs(text, stdout);
    free(text);
    cJSON_Delete(json);
}

static void measure(struct tuning *tuning)
{
    const struct backend *backend = tuning->backend;
    fprintf(stderr, "measuring %d operations, every variant %d times, with %s on %d thread%s\n", backend->tunable_count,
            TUNING_ROUNDS, backend->name, tuning->threads, tuning->threads == 1 ? "" : "s");
    tuning->worth = 0;
    tuning_watch(tuning);
    backend->measure(tuning->operations, tuning->threads);
}

int command_tune(const struct options *options, struct error *err)
{
    const int threads = threads_use(options).threads;
    const struct backend *backend = backend_choose(options, err);
    if (!backend)
        return err->exit_code;
    struct tuning *tuning = tuning_new(options_program(options), backend, threads);
    char *path = place_of(tuning, option_text(options, "output"), err);
    bool written = false;
    if (path) {
        measure(tuning);
        if (option_bool(options, "json"))
            print_json(tuning);
        else
            tuning_print(tuning, stdout);
        written = tuning_write(tuning, path, err);
    }
    if (written)
        fprintf(stderr, "written to %s\n", path);
    free(path);
    tuning_free(tuning);
    return written ? EXIT_DONE : err->exit_code;
}
