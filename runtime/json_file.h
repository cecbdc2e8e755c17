/* JSON read from and written to whole files, on cJSON. */
#ifndef LORAC_JSON_FILE_H
#define LORAC_JSON_FILE_H

#include "error.h"

#include <cjson/cJSON.h>

/* The file's content, NUL-terminated, its length in *size when size is not NULL; free() it. NULL and *err when it
 * cannot be read. */
char *read_whole_file(const char *path, size_t *size, struct error *err);

/* Parses a file; cJSON_Delete the result. NULL and *err ("path:line: not valid JSON") when it cannot be read or parsed.
 */
cJSON *json_read(const char *path, struct error *err);

/* Writes `json` as Hugging Face's tools do: indent of two spaces, a newline at the end. */
bool json_write(const char *path, const cJSON *json, struct error *err);

/* The text json_write writes; free() it. */
char *json_print(const cJSON *json);

#endif
