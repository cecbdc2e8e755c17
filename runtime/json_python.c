#include "json_python.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEEPEST_NESTING = 200, LONGEST_NUMBER = 400 };

struct writing {
    struct text_buffer *out;
    struct json_cursor *cursor;
    int indent, depth;
};

static bool write_value(struct writing *w, struct error *err);

static void new_line(struct writing *w)
{
    if (w->indent == 0) {
        return;
    }
    text_buffer_append(w->out, "\n", 1);
    for (int i = 0; i < w->indent * w->depth; i++) {
        text_buffer_append(w->out, " ", 1);
    }
}

static void separate(struct writing *w, bool first)
{
    if (!first) {
        text_buffer_append_string(w->out, w->indent ? "," : ", ");
    }
    new_line(w);
}

static bool write_string(struct writing *w, struct error *err)
{
    struct text_buffer text = {0};
    bool ok = json_cursor_string(w->cursor, &text, err);
    if (ok) {
        json_append_string(w->out, text.data ? text.data : "", text.length);
    }
    text_buffer_free(&text);
    return ok;
}

/* ---- numbers ---- */

/* Copies the digits at *at; how many. */
static size_t take_digits(struct json_cursor *cursor, char *number, size_t *length)
{
    size_t digits = 0;
    while (cursor->position < cursor->length && *length + 1 < LONGEST_NUMBER) {
        char c = cursor->text[cursor->position];
        if (c < '0' || c > '9') {
            break;
        }
        number[(*length)++] = c;
        cursor->position++;
        digits++;
    }
    return digits;
}

static bool take_one_of(struct json_cursor *cursor, const char *wanted, char *number, size_t *length)
{
    char c = cursor->position < cursor->length ? cursor->text[cursor->position] : '\0';
    if (c == '\0' || !strchr(wanted, c) || *length + 1 >= LONGEST_NUMBER) {
        return false;
    }
    number[(*length)++] = c;
    cursor->position++;
    return true;
}

/* The number's text as JSON's grammar has it; *whole where it has neither fraction nor exponent. */
static bool read_number(struct json_cursor *cursor, char number[LONGEST_NUMBER], bool *whole)
{
    size_t length = 0, start;
    take_one_of(cursor, "-", number, &length);
    start = length;
    bool ok = take_digits(cursor, number, &length) > 0;
    ok = ok && (number[start] != '0' || length == start + 1);
    *whole = true;
    if (ok && take_one_of(cursor, ".", number, &length)) {
        *whole = false;
        ok = take_digits(cursor, number, &length) > 0;
    }
    if (ok && take_one_of(cursor, "eE", number, &length)) {
        *whole = false;
        take_one_of(cursor, "+-", number, &length);
        ok = take_digits(cursor, number, &length) > 0;
    }
    number[length] = '\0';
    return ok && length + 1 < LONGEST_NUMBER;
}

/* The fewest digits that read back as the same number, point and exponent as repr() sets them. */
static void append_double(struct text_buffer *out, double value)
{
    char digits[32], text[64];
    int precision = 0;
    do {
        snprintf(digits, sizeof digits, "%.*e", precision++, value);
    } while (precision < 17 && strtod(digits, NULL) != value);
    int exponent = (int)strtol(strchr(digits, 'e') + 1, NULL, 10), shown = precision - 1;
    if (exponent < -4 || exponent >= 16) {
        text_buffer_append_string(out, digits);
        return;
    }
    int places = shown - exponent;
    snprintf(text, sizeof text, "%.*f", places > 1 ? places : 1, value);
    text_buffer_append_string(out, text);
}

static bool write_number(struct writing *w, struct error *err)
{
    struct json_cursor *cursor = w->cursor;
    size_t begin = cursor->position;
    char number[LONGEST_NUMBER];
    bool whole;
    if (!read_number(cursor, number, &whole)) {
        return error_set(err, "%s: expected a number at byte %zu of the JSON", cursor->name, begin);
    }
    if (whole) {
        text_buffer_append_string(w->out, strcmp(number, "-0") == 0 ? "0" : number);
        return true;
    }
    double value = strtod(number, NULL);
    if (isinf(value)) {
        return error_set(err, "%s: the number at byte %zu of the JSON is too large", cursor->name, begin);
    }
    append_double(w->out, value);
    return true;
}

/* ---- everything else ---- */

static bool write_word(struct writing *w, struct error *err)
{
    static const char *const words[] = {"true", "false", "null"};
    struct json_cursor *cursor = w->cursor;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t length = strlen(words[i]);
        if (cursor->length - cursor->position >= length &&
            memcmp(cursor->text + cursor->position, words[i], length) == 0) {
            cursor->position += length;
            text_buffer_append(w->out, words[i], length);
            return true;
        }
    }
    return error_set(err, "%s: expected a value at byte %zu of the JSON", cursor->name, cursor->position);
}

static bool write_array(struct writing *w, struct error *err)
{
    bool more, first = true;
    text_buffer_append(w->out, "[", 1);
    w->cursor->position++;
    w->depth++;
    for (;; first = false) {
        if (!json_cursor_more(w->cursor, ']', first, &more, err)) {
            return false;
        }
        if (!more) {
            break;
        }
        separate(w, first);
        if (!write_value(w, err)) {
            return false;
        }
    }
    w->depth--;
    if (!first) {
        new_line(w);
    }
    text_buffer_append(w->out, "]", 1);
    return true;
}

/* Where the names of an object's members lie in `out`, quotes and all. */
struct names {
    size_t *begin, *end;
    size_t count;
};

static bool add_name(struct writing *w, struct names *names, size_t begin, struct error *err)
{
    size_t length = w->out->length - begin;
    for (size_t i = 0; i < names->count; i++) {
        if (names->end[i] - names->begin[i] == length &&
            memcmp(w->out->data + names->begin[i], w->out->data + begin, length) == 0) {
            return error_set(err, "%s: an object has the member %.*s twice", w->cursor->name,
                             (int)(length < 60 ? length : 60), w->out->data + begin);
        }
    }
    names->begin = reallocate(names->begin, (names->count + 1) * sizeof *names->begin, "JSON");
    names->end = reallocate(names->end, (names->count + 1) * sizeof *names->end, "JSON");
    names->begin[names->count] = begin;
    names->end[names->count++] = w->out->length;
    return true;
}

static bool write_member(struct writing *w, struct names *names, struct error *err)
{
    size_t begin = w->out->length;
    if (!write_string(w, err) || !add_name(w, names, begin, err) || !json_cursor_take(w->cursor, ':', err)) {
        return false;
    }
    text_buffer_append(w->out, ": ", 2);
    return write_value(w, err);
}

static bool write_object(struct writing *w, struct error *err)
{
    struct names names = {0};
    bool more = true, first = true, ok = true;
    text_buffer_append(w->out, "{", 1);
    w->cursor->position++;
    w->depth++;
    for (; ok; first = false) {
        ok = json_cursor_more(w->cursor, '}', first, &more, err);
        if (!ok || !more) {
            break;
        }
        separate(w, first);
        ok = write_member(w, &names, err);
    }
    free(names.begin);
    free(names.end);
    w->depth--;
    if (ok && !first) {
        new_line(w);
    }
    text_buffer_append(w->out, "}", 1);
    return ok;
}

static bool write_value(struct writing *w, struct error *err)
{
    char c = json_cursor_peek(w->cursor);
    if ((c == '{' || c == '[') && w->depth == DEEPEST_NESTING) {
        return error_set(err, "%s: the JSON is nested more than %d deep", w->cursor->name, DEEPEST_NESTING);
    }
    switch (c) {
    case '{':
        return write_object(w, err);
    case '[':
        return write_array(w, err);
    case '"':
        return write_string(w, err);
    case 't':
    case 'f':
    case 'n':
        return write_word(w, err);
    default:
        return write_number(w, err);
    }
}

bool json_append_python(struct text_buffer *out, struct json_cursor *cursor, int indent, struct error *err)
{
    struct writing w = {.out = out, .cursor = cursor, .indent = indent};
    return write_value(&w, err);
}
