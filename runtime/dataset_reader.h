/* The items of a data file, one after another, each with the line that it begins on: the elements of a JSON array, or the
 * objects of a file of JSON lines. Which of the two a file is tells its first character ('[' or not), not its name; it may be
 * compressed (data_stream.h).
 *
 * The file streams by: in memory is a window of 1 MiB, or of the largest item where that is larger. An item may have up to 1 GiB.
 */
#ifndef LORAC_DATASET_READER_H
#define LORAC_DATASET_READER_H

#include "data_stream.h"
#include "json_object.h"

struct data_reader {
    const char *path; /* the caller's */
    struct data_stream stream;
    char *window; /* [size] text that was read; what lies before `position` is done with */
    size_t size, capacity, position;
    size_t passed; /* bytes of the text before the window */
    int line;      /* of `position`, from 1 */
    bool array, started, ended;
};

struct data_item {
    const char *text; /* in the reader's window: until its next call */
    size_t size;
    size_t offset; /* of the text's first byte in the file, unpacked */
    int line;      /* where it begins */
};

/* False when the file cannot be read, is empty, or begins as neither form does; then there is nothing to close. */
bool data_reader_open(struct data_reader *reader, const char *path, struct error *err);
void data_reader_close(struct data_reader *reader);

/* Finds the next item. False with err->text empty at the end, with a message where the file cannot be read or the array is
 * malformed. */
bool data_reader_next(struct data_reader *reader, struct data_item *item, struct error *err);

/* Finds the members of the item's object, in place of what *object held; they lie in the reader's window, until its next call. False
 * and *err where its JSON is broken, no UTF-8, or no object: the message names the line of the mistake. (dataset_item.c) */
bool data_item_read(const struct data_reader *reader, const struct data_item *item, struct json_object *object,
                    struct error *err);

#endif
