/* One item of a data file as JSON: what data_item_parse refuses, and how it is said. */
#include "dataset_reader.h"

#include "json_keep_text.h"
#include "unicode.h"

#include <string.h>

/* The line of a place within the item. */
static int line_at(const struct data_item *item, const char *at)
{
    int line = item->line;
    for (const char *c = item->text; c < at; c++)
        line += *c == '\n';
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
                     reader->path, line_at(item, item->text + at), (unsigned)(unsigned char)item->text[at],
                     item->offset + at, reader->stream.unpacker ? "unpacked text" : "file");
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* The code unit of an escape \uXXXX at `text`, or -1 where there is none. */
static int code_unit(const char *text, const char *end)
{
    if (end - text < 6 || text[0] != '\\' || text[1] != 'u')
        return -1;
    int unit = 0;
    for (int i = 2; i < 6 && unit >= 0; i++) {
        int digit = hex_digit(text[i]);
        unit = digit < 0 ? -1 : 16 * unit + digit;
    }
    return unit;
}

static bool check_escapes(const struct data_reader *reader, const struct data_item *item, struct error *err)
{
    const char *end = item->text + item->size, *at = item->text;
    while ((at = memchr(at, '\\', (size_t)(end - at)))) {
        int unit = code_unit(at, end);
        bool high = unit >= 0xd800 && unit < 0xdc00, low = unit >= 0xdc00 && unit < 0xe000;
        int next = high ? code_unit(at + 6, end) : -1;
        bool pair = high && next >= 0xdc00 && next < 0xe000;
        if (unit == 0)
            return error_set(err, "%s:%d: the character \\u0000 cannot be trained on; remove it", reader->path,
                             line_at(item, at));
        if (low || (high && !pair))
            return error_set(err,
                             "%s:%d: the escape %.6s is half of a surrogate pair, which is no character; remove it",
                             reader->path, line_at(item, at), at);
        at += pair ? 12 : unit >= 0 ? 6 : at + 1 < end ? 2 : 1;
    }
    return true;
}

static cJSON *refuse(cJSON *json)
{
    cJSON_Delete(json);
    return NULL;
}

cJSON *data_item_parse(const struct data_reader *reader, const struct data_item *item, struct error *err)
{
    if (!check_bytes(reader, item, err) || !check_escapes(reader, item, err))
        return NULL;
    const char *stop = item->text + item->size, *end = NULL;
    cJSON *json = cJSON_ParseWithLengthOpts(item->text, item->size, &end, false);
    while (json && end < stop && strchr(" \t\r\n", *end))
        end++;
    if (!json || end < stop) {
        error_set(err, "%s:%d: broken JSON at character %zu of the sample%s", reader->path, line_at(item, end),
                  end ? (size_t)(end - item->text) + 1 : 1,
                  reader->array ? "" : "; a line must hold one whole JSON object, or the file one JSON array");
        return refuse(json);
    }
    if (!cJSON_IsObject(json)) {
        error_set(err, "%s:%d: expected a JSON object as sample, found %s", reader->path, item->line,
                  cJSON_IsArray(json) ? "an array" : "a plain value");
        return refuse(json);
    }
    if (json_keep_text(json, item->text, item->size))
        return json;
    error_set(err, "%s:%d: broken JSON in the sample's tools", reader->path, item->line);
    return refuse(json);
}
