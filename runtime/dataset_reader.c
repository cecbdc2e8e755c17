#define _POSIX_C_SOURCE 200809L
#include "dataset_reader.h"

#include "json_keep_text.h"
#include "unicode.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static bool map_file(struct data_reader *reader, struct error *err)
{
    int file = open(reader->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe must not keep us waiting */
    if (file < 0)
        return error_set(err, "%s: cannot open: %s", reader->path, strerror(errno));
    struct stat status;
    bool known = fstat(file, &status) == 0, ok = known && S_ISREG(status.st_mode);
    if (!known)
        error_set(err, "%s: cannot read: %s", reader->path, strerror(errno));
    else if (!ok)
        error_set(err, "%s: expected a file of JSON, found %s", reader->path,
                  S_ISDIR(status.st_mode) ? "a directory" : "a pipe or device; save its content as a file first");
    reader->size = ok ? (size_t)status.st_size : 0;
    if (ok && reader->size > 0) {
        void *text = mmap(NULL, reader->size, PROT_READ, MAP_PRIVATE, file, 0);
        if (text == MAP_FAILED)
            ok = error_set(err, "%s: cannot read: %s", reader->path, strerror(errno));
        else
            reader->text = text;
    }
    close(file);
    return ok;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip_space(struct data_reader *reader)
{
    while (reader->position < reader->size && is_space(reader->text[reader->position]))
        reader->line += reader->text[reader->position++] == '\n';
}

bool data_reader_open(struct data_reader *reader, const char *path, struct error *err)
{
    *reader = (struct data_reader){.path = path, .line = 1};
    if (!map_file(reader, err))
        return false;
    if (reader->size >= 3 && memcmp(reader->text, "\xef\xbb\xbf", 3) == 0)
        reader->position = 3; /* a byte order mark */
    skip_space(reader);
    if (reader->position == reader->size) {
        data_reader_close(reader);
        return error_set(err, "%s: the file is empty; expected samples as a JSON array or as JSON lines", path);
    }
    reader->array = reader->text[reader->position] == '[';
    if (reader->array)
        reader->position++;
    return true;
}

void data_reader_close(struct data_reader *reader)
{
    if (reader->text)
        munmap((void *)(size_t)reader->text, reader->size);
    reader->text = NULL;
}

static bool next_line(struct data_reader *reader, struct data_item *item)
{
    skip_space(reader);
    if (reader->position == reader->size)
        return false;
    const char *begin = reader->text + reader->position;
    const char *newline = memchr(begin, '\n', reader->size - reader->position);
    size_t length = newline ? (size_t)(newline - begin) : reader->size - reader->position;
    *item = (struct data_item){reader->position, reader->position + length, reader->line};
    reader->position += length;
    return true;
}

/* The end of the array element at reader->position: the comma or bracket behind it, or the end of the file. */
static size_t element_end(const struct data_reader *reader)
{
    int depth = 0;
    bool quoted = false;
    size_t at = reader->position;
    for (; at < reader->size; at++) {
        char c = reader->text[at];
        if (quoted) {
            at += c == '\\';
            quoted = c != '"';
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if (depth == 0 && (c == ',' || c == ']')) {
            return at;
        } else if (c == '}' || c == ']') {
            depth--;
        }
    }
    return reader->size;
}

static bool end_array(struct data_reader *reader, struct error *err)
{
    reader->position++;
    reader->ended = true;
    skip_space(reader);
    if (reader->position < reader->size)
        return error_set(err, "%s:%d: expected nothing behind the array's ']', found more text", reader->path,
                         reader->line);
    return false;
}

static bool next_element(struct data_reader *reader, struct data_item *item, struct error *err)
{
    if (reader->ended)
        return false;
    skip_space(reader);
    bool more = reader->position < reader->size;
    if (more && reader->started && reader->text[reader->position] == ',') {
        reader->position++;
        skip_space(reader);
    } else if (more && reader->text[reader->position] == ']') {
        return end_array(reader, err);
    }
    if (reader->position == reader->size)
        return error_set(err, "%s:%d: the file ends within its JSON array; is it truncated?", reader->path,
                         reader->line);
    *item = (struct data_item){reader->position, element_end(reader), reader->line};
    for (; reader->position < item->end; reader->position++)
        reader->line += reader->text[reader->position] == '\n';
    reader->started = true;
    return true;
}

bool data_reader_next(struct data_reader *reader, struct data_item *item, struct error *err)
{
    err->text[0] = '\0';
    return reader->array ? next_element(reader, item, err) : next_line(reader, item);
}

static int line_at(const struct data_reader *reader, const struct data_item *item, const char *at)
{
    int line = item->line;
    for (const char *c = reader->text + item->begin; c < at; c++)
        line += *c == '\n';
    return line;
}

/* Whether the escape \u0000 stands in the text: an odd number of backslashes before u0000. */
static bool has_nul_escape(const char *text, size_t size)
{
    for (size_t i = 0; i + 6 <= size; i++) {
        if (text[i] != '\\')
            continue;
        if (memcmp(text + i + 1, "u0000", 5) == 0)
            return true;
        i++;
    }
    return false;
}

cJSON *data_item_parse(const struct data_reader *reader, const struct data_item *item, struct error *err)
{
    const char *text = reader->text + item->begin;
    size_t size = item->end - item->begin;
    size_t valid = utf8_valid_length(text, size);
    const char *zero = memchr(text, '\0', size);
    if (valid < size || zero) {
        size_t at = zero && (size_t)(zero - text) < valid ? (size_t)(zero - text) : valid;
        error_set(err, "%s:%d: byte 0x%02X is not valid UTF-8 text; save the file as UTF-8", reader->path,
                  line_at(reader, item, text + at), (unsigned)(unsigned char)text[at]);
        return NULL;
    }
    if (has_nul_escape(text, size)) {
        error_set(err, "%s:%d: the character \\u0000 cannot be trained on; remove it", reader->path, item->line);
        return NULL;
    }
    const char *end = NULL;
    cJSON *json = cJSON_ParseWithLengthOpts(text, size, &end, false);
    const char *stop = text + size;
    while (json && end < stop && is_space(*end))
        end++;
    if (!json || end < stop) {
        error_set(err, "%s:%d: broken JSON at character %zu of the sample%s", reader->path, line_at(reader, item, end),
                  end ? (size_t)(end - text) + 1 : 1,
                  reader->array ? "" : "; a line must hold one whole JSON object, or the file one JSON array");
    } else if (!cJSON_IsObject(json)) {
        error_set(err, "%s:%d: expected a JSON object as sample, found %s", reader->path, item->line,
                  cJSON_IsArray(json) ? "an array" : "a plain value");
    } else if (!json_keep_text(json, text, size)) {
        error_set(err, "%s:%d: broken JSON in the sample's tools", reader->path, item->line);
    } else {
        return json;
    }
    cJSON_Delete(json);
    return NULL;
}
