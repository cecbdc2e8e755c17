#include "machine.h"

#include <stdlib.h>
#include <string.h>

/* "avx512, avx2, portable" */
static char *backend_names(const struct program *program)
{
    char *names = format_text("%s", "");
    for (int i = 0; i < program->backend_count; i++) {
        char *longer = format_text("%s%s%s", names, i ? ", " : "", program->backends[i]->name);
        free(names);
        names = longer;
    }
    return names;
}

const struct backend *backend_choose(const struct options *options, struct error *err)
{
    const struct program *program = options_program(options);
    const char *device = option_text(options, "device"), *isa = option_text(options, "isa");
    if (device && !strcmp(device, "cuda")) {
        error_set(err, "--device cuda: this program was built without a CUDA target; use --device cpu");
        return NULL;
    }
    for (int i = 0; i < program->backend_count; i++) {
        const struct backend *backend = program->backends[i];
        if (isa && strcmp(isa, backend->name))
            continue;
        if (backend->usable())
            return backend;
        if (isa) {
            error_set(err, "--isa %s: %s", isa,
                      backend_absent(backend) ? "this program was built without it (make backends=...)"
                                              : "this machine's processor or kernel cannot run it");
            return NULL;
        }
    }
    char *names = backend_names(program);
    if (isa)
        error_usage(err, "--isa: one of %s is expected, found '%s'", names, isa);
    else
        error_set(err, "this machine can run none of the program's instruction sets: %s", names);
    free(names);
    return NULL;
}
