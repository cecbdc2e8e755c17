#define _XOPEN_SOURCE 700 /* readlink, realpath */
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

char *path_shown(const char *path)
{
    char *home = lorac_home(), *whole_home = realpath(home, NULL), *whole = realpath(path, NULL);
    size_t length = whole_home ? strlen(whole_home) : 0;
    const char *slash = strrchr(path, '/'), *shown = slash ? slash + 1 : path;
    if (whole && length && strncmp(whole, whole_home, length) == 0 && whole[length] == '/')
        shown = whole + length + 1;
    char *copy = format_text("%s", shown);
    free(home);
    free(whole_home);
    free(whole);
    return copy;
}
