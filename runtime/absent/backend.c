/* Stands where a backend was left out when a program was built (make backends=...): it says of itself that it cannot run here,
 * so the program takes another, and has no functions (backend_absent). Compiled once per backend that is absent, with -DBACKEND=its symbol and -DNAME=its name. */
#include "backend.h"

static bool never_usable(void)
{
    return false;
}

extern const struct backend BACKEND;

const struct backend BACKEND = {.name = NAME, .usable = never_usable};
