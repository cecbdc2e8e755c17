#include "dataset_reader.h"

#include <stdlib.h>
#include <string.h>

static const size_t WINDOW = 1 << 20, LARGEST = 1 << 30;

/* Reads more text behind the window's, which loses what lies before `position`. False at the end (err->text empty) and where it
 * fails. */
static bool more(struct data_reader *reader, struct error *err)
{
    size_t kept = reader->size - reader->position, got;
    if (kept > LARGEST)
        return error_set(err, "%s:%d: a sample of more than 1 GiB; is this a file of JSON lines, or a JSON array?",
                         reader->path, reader->line);
    if (reader->position > 0)
        memmove(reader->window, reader->window + reader->position, kept);
    reader->passed += reader->position;
    reader->position = 0;
    reader->size = kept;
    if (kept > reader->capacity / 2) {
        reader->capacity *= 2;
        reader->window = reallocate(reader->window, reader->capacity, "a data file");
    }
    if (!data_stream_read(&reader->stream, reader->window + kept, reader->capacity - kept, &got, err))
        return false;
    reader->size += got;
    return got > 0;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Whether there is a byte at `position`. False at the end, and where reading fails. */
static bool has_next(struct data_reader *reader, struct error *err)
{
    return reader->position < reader->size || more(reader, err);
}

/* The same behind white space. */
static bool skip_space(struct data_reader *reader, struct error *err)
{
    while (has_next(reader, err)) {
        char c = reader->window[reader->position];
        if (!is_space(c))
            return true;
        reader->line += c == '\n';
        reader->position++;
    }
    return false;
}

static bool begin(struct data_reader *reader, struct error *err)
{
    if (!data_stream_open(&reader->stream, reader->path, err))
        return false;
    reader->capacity = WINDOW;
    reader->window = allocate(WINDOW, "a data file");
    while (reader->size < 3 && more(reader, err))
        ;
    if (reader->size >= 3 && memcmp(reader->window, "\xef\xbb\xbf", 3) == 0)
        reader->position = 3; /* a byte order mark */
    if (err->text[0] || !skip_space(reader, err))
        return err->text[0] ? false
                            : error_set(err, "%s: the file is empty; expected samples as a JSON array or as JSON lines",
                                        reader->path);
    reader->array = reader->window[reader->position] == '[';
    reader->position += reader->array;
    return true;
}

bool data_reader_open(struct data_reader *reader, const char *path, struct error *err)
{
    *reader = (struct data_reader){.path = path, .line = 1};
    err->text[0] = '\0';
    bool ok = begin(reader, err);
    if (!ok)
        data_reader_close(reader);
    return ok;
}

void data_reader_close(struct data_reader *reader)
{
    data_stream_close(&reader->stream);
    free(reader->window);
    *reader = (struct data_reader){.path = reader->path, .stream.file = -1};
}

/* The `size` bytes at `position`, which is moved behind them. */
static void take(struct data_reader *reader, struct data_item *item, size_t size)
{
    const char *text = reader->window + reader->position;
    *item = (struct data_item){text, size, reader->passed + reader->position, reader->line};
    for (const char *c = text; (c = memchr(c, '\n', size - (size_t)(c - text))); c++)
        reader->line++;
    reader->position += size;
}

static bool next_line(struct data_reader *reader, struct data_item *item, struct error *err)
{
    if (!skip_space(reader, err))
        return false;
    size_t size = 0; /* known to hold no newline */
    for (;;) {
        const char *text = reader->window + reader->position;
        size_t there = reader->size - reader->position;
        const char *newline = memchr(text + size, '\n', there - size);
        size = newline ? (size_t)(newline - text) : there;
        if (newline || !more(reader, err))
            break;
    }
    take(reader, item, size);
    return !err->text[0];
}

/* Where within the JSON text a scan stands. */
struct nesting {
    int depth;
    bool quoted, escaped;
};

/* Whether `c` ends an array's element: the comma or bracket behind it. */
static bool ends_element(struct nesting *at, char c)
{
    if (at->escaped) {
        at->escaped = false;
    } else if (at->quoted) {
        at->escaped = c == '\\';
        at->quoted = c != '"';
    } else if (at->depth == 0 && (c == ',' || c == ']')) {
        return true;
    } else {
        at->quoted = c == '"';
        at->depth += (c == '{' || c == '[') - (c == '}' || c == ']');
    }
    return false;
}

static bool take_element(struct data_reader *reader, struct data_item *item, struct error *err)
{
    struct nesting nesting = {0};
    size_t size = 0;
    while (reader->position + size < reader->size || more(reader, err)) {
        if (ends_element(&nesting, reader->window[reader->position + size]))
            break;
        size++;
    }
    take(reader, item, size);
    reader->started = true;
    return !err->text[0];
}

static bool end_array(struct data_reader *reader, struct error *err)
{
    reader->position++;
    reader->ended = true;
    if (skip_space(reader, err))
        error_set(err, "%s:%d: expected nothing behind the array's ']', found more text", reader->path, reader->line);
    return false;
}

/* Behind a comma, or at the array's beginning, there must be an element. */
static bool check_element(const struct data_reader *reader, struct error *err)
{
    char c = reader->window[reader->position];
    return (c != ',' && c != ']') ||
           error_set(err, "%s:%d: expected a sample %s, found '%c'; remove the comma that has none", reader->path,
                     reader->line, reader->started ? "behind the comma" : "at the array's beginning", c);
}

static bool next_element(struct data_reader *reader, struct data_item *item, struct error *err)
{
    if (reader->ended)
        return false;
    bool there = skip_space(reader, err);
    char c = there ? reader->window[reader->position] : '\0';
    if (there && c == ']')
        return end_array(reader, err);
    if (there && c == ',' && reader->started) {
        reader->position++;
        there = skip_space(reader, err);
    }
    if (there)
        return check_element(reader, err) && take_element(reader, item, err);
    return err->text[0] ? false
                        : error_set(err, "%s:%d: the file ends within its JSON array; is it truncated?", reader->path,
                                    reader->line);
}

bool data_reader_next(struct data_reader *reader, struct data_item *item, struct error *err)
{
    err->text[0] = '\0';
    return reader->array ? next_element(reader, item, err) : next_line(reader, item, err);
}
