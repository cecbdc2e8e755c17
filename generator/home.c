#define _POSIX_C_SOURCE 200809L /* readlink */
#include "passes.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef LORAC_HOME
#    define LORAC_HOME "."
#endif

/* The directory above the one of this executable, if templates/ lies there: build/lorac -> the checkout. */
static bool beside_executable(char *path, size_t size)
{
    ssize_t length = readlink("/proc/self/exe", path, size - sizeof "/templates");
    if (length <= 0)
        return false;
    path[length] = 0;
    for (int up = 0; up < 2; up++) {
        char *slash = strrchr(path, '/');
        if (!slash)
            return false;
        *slash = 0;
    }
    size_t end = strlen(path);
    strcpy(path + end, "/templates");
    bool found = access(path, R_OK) == 0;
    path[end] = 0;
    return found;
}

char *lorac_home(void)
{
    char path[4096];
    return format_text("%s", beside_executable(path, sizeof path) ? path : LORAC_HOME);
}
