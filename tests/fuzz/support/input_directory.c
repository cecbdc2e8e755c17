#define _POSIX_C_SOURCE 200809L /* mkdtemp */
#include "input_directory.h"

#include "error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_FILES = 4, LONGEST_PATH = 256 };

static char directory[] = "/tmp/lorac-fuzz-XXXXXX";
static char paths[MOST_FILES][LONGEST_PATH];
static bool made;

static void clean_up(void)
{
    for (int i = 0; i < MOST_FILES && paths[i][0]; i++)
        unlink(paths[i]);
    rmdir(directory);
}

const char *input_directory(void)
{
    if (!made)
        CHECK(mkdtemp(directory) && atexit(clean_up) == 0);
    made = true;
    return directory;
}

void input_directory_write(const char *name, const uint8_t *data, size_t size)
{
    char path[LONGEST_PATH];
    int i = 0;
    snprintf(path, sizeof path, "%s/%s", input_directory(), name);
    while (i < MOST_FILES && paths[i][0] && strcmp(paths[i], path) != 0)
        i++;
    CHECK(i < MOST_FILES);
    strcpy(paths[i], path);
    FILE *file = fopen(path, "wb");
    CHECK(file && fwrite(data, 1, size, file) == size);
    CHECK(fclose(file) == 0);
}
