#define _POSIX_C_SOURCE 200809L
#include "session.h"

#include "adapter.h"
#include "chat_template.h"
#include "machine.h"
#include "output_file.h"
#include "weights.h"

#include <stdio.h>
#include <stdlib.h>
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

bool session_begin(struct session *session, const struct options *options, struct error *err)
{
    *session = (struct session){
        .program = options_program(options),
        .model = option_text(options, "model"),
        .threads = threads_use(options),
    };
    session->backend = backend_choose(options, err);
    return session->backend && model_check(session->program, session->model, err) && load_tokenizer(session, err);
}

bool session_load(struct session *session, enum device_use use, bool with_adapters, struct error *err)
{
    struct device_request request = {.use = use, .with_adapters = with_adapters, .threads = session->threads.threads};
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
    *session = (struct session){0};
}
