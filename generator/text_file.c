#include "text_file.h"
#include "../runtime/error.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST = 16 << 20, STEP = 1 << 16 };

static char *read_all(FILE *file, size_t *length)
{
    char *text = NULL;
    size_t used = 0, got;
    do {
        text = reallocate(text, used + STEP + 1, "a text file");
        got = fread(text + used, 1, STEP, file);
        used += got;
    } while (got == STEP && used <= LONGEST);
    if (ferror(file) || used > LONGEST) {
        errno = ferror(file) ? errno : EFBIG;
        free(text);
        return NULL;
    }
    text[used] = 0;
    *length = used;
    return text;
}

char *text_file_read(const char *path, size_t *length)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    char *text = read_all(file, length);
    int reason = errno;
    fclose(file);
    errno = reason;
    return text;
}

char *path_directory(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return format_text(".");
    return slash == path ? format_text("/") : format_text("%.*s", (int)(slash - path), path);
}

char *path_from(const char *directory, const char *name)
{
    if (*name == '/' || strcmp(directory, ".") == 0)
        return format_text("%s", name);
    return format_text("%s/%s", directory, name);
}
