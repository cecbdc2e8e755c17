/* Files that appear whole or not at all: written beside their target under a temporary name, synced, then renamed.
 *
 * Write errors are kept until output_close, so writers need not check each call.
 */
#ifndef LORAC_OUTPUT_FILE_H
#define LORAC_OUTPUT_FILE_H

#include "error.h"

#include <stdint.h>

struct output_file;

/* NULL and *err when the directory cannot be written. */
struct output_file *output_open(const char *path, struct error *err);

void output_write(struct output_file *file, const void *data, size_t bytes);
void output_text(struct output_file *file, const char *format, ...) __attribute__((format(printf, 2, 3)));
uint64_t output_size(const struct output_file *file); /* bytes written so far */

/* Sync, rename, free. False and *err if any write failed; nothing is left then. */
bool output_close(struct output_file *file, struct error *err);

/* Gives up: removes the temporary file, frees. NULL is fine. */
void output_abort(struct output_file *file);

/* A whole file at once. */
bool output_write_file(const char *path, const void *data, size_t bytes, struct error *err);

/* Makes the directory `path` for a command's results, with the directories above it. One that exists must be empty,
 * else the message says so; with `resume` it may hold anything. */
bool output_directory(const char *path, bool resume, struct error *err);

/* Makes a directory, whatever it holds, with those above it. */
bool make_directory(const char *path, struct error *err);

/* Has the name `path`, fresh from a rename, on disk as well: syncs the directory that it is in. File systems that cannot sync a
 * directory need no such care. */
void sync_directory_of(const char *path);

/* The directory that `path` is in; free() it. */
char *directory_of(const char *path);

/* "dir/name"; free() it. */
char *path_join(const char *directory, const char *name);

#endif
