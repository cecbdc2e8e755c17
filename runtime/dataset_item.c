/* One item of a data file as JSON: what data_item_read refuses, and how it is said. */
#include "dataset_reader.h"

#include <stdlib.h>
#include <string.h>

/* The line of a place within the item. */
static int line_at(const struct data_item *item, size_t position)
{
    int line = item->line;
    for (size_t i = 0; i < position && i < item->size; i++)
        line += item->text[i] == '\n';
    return line;
}

static bool check_bytes(const struct data_reader *reader, const struct data_item *item, struct error *err)
{
    size_t valid = utf8_valid_length(item->text, item->size);
    const char *zero = memchr(item->text, '\0', valid);
    size_t at = zero ? (size_t)(zero - item->text) : valid;
    if (at == item->size)
        return true;
    return error_set(err, "%s:%d: byte 0x%02X at offset %zu of the %s is not valid UTF-8 text; save the file as UTF-8",
                     reader->path, line_at(item, at), (unsigned)(unsigned char)item->text[at], item->offset + at,
                     reader->stream.unpacker ? "unpacked text" : "file");
}

/* *ended: the object did, and something follows. */
static bool read_object(struct json_object *object, struct json_cursor *cursor, bool *ended, struct error *err)
{
    *ended = json_object_read(object, cursor, err);
    return *ended && json_cursor_end(cursor, err);
}

/* The cursor says what is wrong, once it knows the line that it stopped on. A line that may be a piece of something larger gets a
 * hint. */
static bool tell_mistake(const struct data_reader *reader, const struct data_item *item, size_t stopped,
                         struct json_object *object, struct error *err)
{
    char *where = format_text("%s:%d", reader->path, line_at(item, stopped));
    struct json_cursor cursor = {.name = where, .text = item->text, .length = item->size};
    struct error cause;
    bool ended;
    CHECK(!read_object(object, &cursor, &ended, &cause));
    bool one_whole = stopped > 0 && stopped < item->size && !ended;
    error_set(err, "%s%s", cause.text,
              reader->array || one_whole ? "" : "; a line must hold one whole JSON object, or the file one JSON array");
    free(where);
    return false;
}

bool data_item_read(const struct data_reader *reader, const struct data_item *item, struct json_object *object,
                    struct error *err)
{
    struct json_cursor cursor = {.name = "", .text = item->text, .length = item->size};
    struct error cause;
    bool ended;
    if (!check_bytes(reader, item, err))
        return false;
    if (read_object(object, &cursor, &ended, &cause))
        return true;
    struct json_value all = {item->text, item->size};
    if (json_value_is_string(all) || json_value_is_array(all) || item->text[0] == '-' ||
        (item->text[0] >= '0' && item->text[0] <= '9'))
        return error_set(err, "%s:%d: expected a JSON object as sample, found %s", reader->path, item->line,
                         json_type_name(all));
    return tell_mistake(reader, item, cursor.position, object, err);
}
