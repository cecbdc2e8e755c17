/* Reading whole text files, and the parts of paths. */
#ifndef LORAC_TEXT_FILE_H
#define LORAC_TEXT_FILE_H

#include <stddef.h>

/* The file's content with a 0 behind it (free() it), *length without it; NULL with errno set where it cannot be read or has
 * more than 16 MiB. */
char *text_file_read(const char *path, size_t *length);

/* "a/b.lua" -> "a"; "b.lua" -> "." (free() it). */
char *path_directory(const char *path);

/* directory/name, or name where the directory is "." or name begins with '/' (free() it). */
char *path_from(const char *directory, const char *name);

#endif
