/* The items of a data file, one after another, each with the line that it begins on: the elements of a JSON array, or the
 * objects of a file of JSON lines. Which of the two a file is tells its first character ('[' or not), not its name.
 *
 * Only one item is parsed at a time, so that a large file costs no more memory than its largest sample.
 */
#ifndef LORAC_DATASET_READER_H
#define LORAC_DATASET_READER_H

#include "error.h"

#include <cjson/cJSON.h>

struct data_reader {
    const char *path; /* the caller's */
    const char *text; /* the mapped file, `size` bytes */
    size_t size, position;
    int line; /* of `position`, from 1 */
    bool array, started, ended;
};

struct data_item {
    size_t begin, end; /* byte range in the file */
    int line;          /* where it begins */
};

/* False when the file cannot be read, is empty, or begins as neither form does. */
bool data_reader_open(struct data_reader *reader, const char *path, struct error *err);
void data_reader_close(struct data_reader *reader);

/* Finds the next item. False with err->text empty at the end, with a message where the array is malformed. */
bool data_reader_next(struct data_reader *reader, struct data_item *item, struct error *err);

/* The item's JSON, tools and calls as text (json_keep_text.h); cJSON_Delete it. NULL and *err ("path:line: ...") where it is broken, no UTF-8, no object, or holds the
 * escape \u0000, at which a C string would end unnoticed. */
cJSON *data_item_parse(const struct data_reader *reader, const struct data_item *item, struct error *err);

#endif
