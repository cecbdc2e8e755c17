#define _POSIX_C_SOURCE 200809L
#include "session.h"

#include "adapter.h"
#include "chat_template.h"
#include "machine.h"
#include "output_file.h"
#include "tuning.h"
#include "weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool load_tokenizer(struct session *session, struct error *err)
{
    char *path = path_join(session->model, "tokenizer.json");
    bool there = access(path, F_OK) == 0;
    free(path);
    if (there)
        session->tokenizer = tokenizer_load(session->model, err);
    return !there || session->tokenizer;
}

/* Commands without --tune compute nothing that is tuned. A file that is not used is told of, once: it is written anew when there is
 * something to write. */
static void read_tuning(struct session *session, const struct options *options)
{
    struct error err = {.exit_code = EXIT_FAILED};
    const char *wanted = option_declared(options, "tune") ? option_text(options, "tune") : "off";
    if (session->backend->tunable_count == 0 || !strcmp(wanted, "off"))
        return;
    session->tuning = tuning_new(session->program, session->backend, session->threads.threads);
    session->tuning->worth = !strcmp(wanted, "always") ? 0 : TUNING_WORTH;
    session->tuning_file = tuning_path(session->tuning);
    if (session->tuning_file && !tuning_read(session->tuning, session->tuning_file, &err) && err.text[0])
        fprintf(stderr, "tuning: not used: %s\n", err.text);
    session->tuning_known = tuning_measured(session->tuning);
}

bool session_begin(struct session *session, const struct options *options, struct error *err)
{
    *session = (struct session){
        .program = options_program(options),
        .model = option_text(options, "model"),
        .threads = threads_use(options),
    };
    session->backend = backend_choose(options, err);
    if (session->backend)
        read_tuning(session, options);
    return session->backend && model_check(session->program, session->model, err) && load_tokenizer(session, err);
}

bool session_load(struct session *session, enum device_use use, bool with_adapters, struct error *err)
{
    struct device_request request = {.use = use,
                                     .with_adapters = with_adapters,
                                     .threads = session->threads.threads,
                                     .tuned = session->tuning ? session->tuning->operations : NULL};
    if (*session->threads.hint)
        fprintf(stderr, "%s\n", session->threads.hint);
    session->device = session->backend->open(&request, err);
    return session->device && model_load(session->program, session->backend, session->device, session->model, err);
}

bool session_load_adapter(struct session *session, const struct options *options, enum device_use use,
                          struct error *err)
{
    const char *adapter = option_text(options, "adapter");
    if (!session_load(session, use, adapter != NULL, err))
        return false;
    if (!adapter)
        return adapter_load_base(session->program, session->backend, session->device, session->model, err);
    return adapter_check_copies(session->program, adapter, session->model, err) &&
           adapter_load(session->program, session->backend, session->device, adapter, err);
}

void session_keep_tuning(const struct session *session)
{
    struct error err;
    int measured = session->tuning ? tuning_measured(session->tuning) - session->tuning_known : 0;
    if (measured <= 0 || !session->tuning_file)
        return;
    if (tuning_write(session->tuning, session->tuning_file, &err))
        fprintf(stderr, "tuning: %d operation%s measured, for later runs, in %s\n", measured, measured == 1 ? "" : "s",
                session->tuning_file);
    else
        fprintf(stderr, "tuning: not kept: %s\n", err.text);
}

void session_check_template(const struct session *session)
{
    char *warning = chat_template_warning(session->program->chat, session->model);
    if (warning)
        fprintf(stderr, "warning: %s\n", warning);
    free(warning);
}

void session_close(struct session *session)
{
    if (session->device)
        session->backend->close(session->device);
    tokenizer_free(session->tokenizer);
    tuning_free(session->tuning);
    free(session->tuning_file);
    *session = (struct session){0};
}
