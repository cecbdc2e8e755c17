#include "tokenizer_json.h"

#include <stdio.h>
#include <string.h>

enum { DEEPEST_NESTING = 512 };

struct json_cursor json_cursor_begin(const char *name, const char *text, size_t length)
{
    struct json_cursor cursor = {.name = name, .text = text, .length = length};
    if (length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
        cursor.position = 3; /* a byte order mark means nothing in UTF-8 */
    }
    return cursor;
}

char json_cursor_peek(struct json_cursor *cursor)
{
    while (cursor->position < cursor->length) {
        char c = cursor->text[cursor->position];
        if (c != ' ' && c != '\n' && c != '\t' && c != '\r') {
            return c;
        }
        cursor->position++;
    }
    return '\0';
}

static bool expected(const struct json_cursor *cursor, const char *what, struct error *err)
{
    if (cursor->position >= cursor->length) {
        return error_set(err, "%s: JSON ends early, at byte %zu, where %s was expected", cursor->name, cursor->length,
                         what);
    }
    unsigned char c = (unsigned char)cursor->text[cursor->position];
    char found[16];
    snprintf(found, sizeof found, c > 0x20 && c < 0x7F ? "'%c'" : "byte 0x%02X", c);
    return error_set(err, "%s: expected %s at byte %zu of the JSON, found %s", cursor->name, what, cursor->position,
                     found);
}

/* What people and Python write in place of JSON, where a value or a name is expected. */
static const char *hint(const struct json_cursor *cursor)
{
    size_t before = cursor->position;
    char c = cursor->text[cursor->position];
    while (before > 0 && strchr(" \n\t\r", cursor->text[before - 1])) {
        before--;
    }
    if (c == ',') {
        return "; remove that comma";
    }
    if ((c == ']' || c == '}') && before > 0 && cursor->text[before - 1] == ',') {
        return "; remove the comma before it";
    }
    if (c == '\'') {
        return "; JSON's strings stand in double quotes";
    }
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ? "; JSON's words are null, true and false" : "";
}

static bool expected_value(const struct json_cursor *cursor, const char *what, struct error *err)
{
    struct error cause;
    expected(cursor, what, &cause);
    return error_set(err, "%s%s", cause.text, cursor->position < cursor->length ? hint(cursor) : "");
}

bool json_cursor_take(struct json_cursor *cursor, char wanted, struct error *err)
{
    if (json_cursor_peek(cursor) != wanted || cursor->position >= cursor->length) {
        return expected(cursor, (char[]){'\'', wanted, '\'', '\0'}, err);
    }
    cursor->position++;
    return true;
}

bool json_cursor_more(struct json_cursor *cursor, char closing, bool first, bool *more, struct error *err)
{
    char c = json_cursor_peek(cursor);
    if (c == closing) {
        cursor->position++;
        *more = false;
        return true;
    }
    *more = true;
    if (first) {
        return true;
    }
    if (c != ',') {
        return expected(cursor, closing == ']' ? "',' or ']'" : "',' or '}'", err);
    }
    cursor->position++;
    return true;
}

bool json_cursor_member(struct json_cursor *cursor, bool first, struct text_buffer *name, bool *more, struct error *err)
{
    name->length = 0;
    if (!json_cursor_more(cursor, '}', first, more, err)) {
        return false;
    }
    if (!*more) {
        return true;
    }
    bool ok = json_cursor_string(cursor, name, err) && json_cursor_take(cursor, ':', err);
    text_buffer_append(name, "", 1);
    name->length--;
    return ok;
}

static bool hex4(struct json_cursor *cursor, uint32_t *value, struct error *err)
{
    *value = 0;
    for (int i = 0; i < 4; i++) {
        char c = cursor->position < cursor->length ? cursor->text[cursor->position] : '\0';
        uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                         : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
                         : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10)
                                                : 16;
        if (digit == 16) {
            return expected(cursor, "four hexadecimal digits", err);
        }
        *value = *value << 4 | digit;
        cursor->position++;
    }
    return true;
}

/* Appends nothing where the string is only checked. */
static void append(struct text_buffer *out, const char *text, size_t length)
{
    if (out) {
        text_buffer_append(out, text, length);
    }
}

static void append_code_point(struct text_buffer *out, uint32_t code_point)
{
    char bytes[4];
    append(out, bytes, utf8_encode(code_point, bytes));
}

static bool unicode_escape(struct json_cursor *cursor, struct text_buffer *out, struct error *err)
{
    size_t at = cursor->position;
    uint32_t high, low = 0;
    if (!hex4(cursor, &high, err)) {
        return false;
    }
    if (high >= 0xD800 && high < 0xDC00 && cursor->length - cursor->position >= 6 &&
        memcmp(cursor->text + cursor->position, "\\u", 2) == 0) {
        cursor->position += 2;
        if (!hex4(cursor, &low, err)) {
            return false;
        }
        if (low >= 0xDC00 && low < 0xE000) {
            append_code_point(out, 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00));
            return true;
        }
    }
    if (high >= 0xD800 && high < 0xE000) {
        cursor->position = at - 2;
        return error_set(err,
                         "%s: the escape %.6s at byte %zu of the JSON is half of a surrogate pair, which is no "
                         "character; remove it, or add the other half",
                         cursor->name, cursor->text + at - 2, at - 2);
    }
    append_code_point(out, high);
    return true;
}

static bool escape(struct json_cursor *cursor, struct text_buffer *out, struct error *err)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    char c = cursor->position < cursor->length ? cursor->text[cursor->position] : '\0';
    if (c == 'u') {
        cursor->position++;
        return unicode_escape(cursor, out, err);
    }
    const char *found = c ? strchr(from, c) : NULL;
    if (!found) {
        return expected(cursor, "one of \" \\ / b f n r t u behind a backslash", err);
    }
    append(out, to + (found - from), 1);
    cursor->position++;
    return true;
}

/* Sets the highest bit of each byte that is a quote, a backslash or a control character. Bytes behind the first such may be wrong:
 * a subtraction borrows from them. */
static uint64_t stops(uint64_t word)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), high = UINT64_C(0x8080808080808080);
    uint64_t quote = word ^ '"' * ones, backslash = word ^ '\\' * ones;
    return (((quote - ones) & ~quote) | ((backslash - ones) & ~backslash) | ((word - 0x20 * ones) & ~word)) & high;
}

/* How many bytes up to the next quote, backslash or control character; *ascii: are they all below 0x80? (Little-endian.) */
static size_t plain_length(const char *text, size_t length, bool *ascii)
{
    size_t i = 0;
    uint64_t seen = 0, word = 0;
    for (; length - i >= sizeof word; i += sizeof word) {
        memcpy(&word, text + i, sizeof word);
        uint64_t stop = stops(word);
        if (stop) {
            uint64_t before = (stop & -stop) - 1;
            *ascii = ((seen | (word & before)) & UINT64_C(0x8080808080808080)) == 0;
            return i + (size_t)__builtin_ctzll(stop) / 8;
        }
        seen |= word;
    }
    while (i < length && (unsigned char)text[i] >= 0x20 && text[i] != '"' && text[i] != '\\') {
        seen |= (unsigned char)text[i++];
    }
    *ascii = (seen & UINT64_C(0x8080808080808080)) == 0;
    return i;
}

bool json_cursor_string(struct json_cursor *cursor, struct text_buffer *out, struct error *err)
{
    if (json_cursor_peek(cursor) != '"') {
        return expected_value(cursor, "a string", err);
    }
    cursor->position++;
    for (;;) {
        const char *text = cursor->text + cursor->position;
        bool ascii;
        size_t plain = plain_length(text, cursor->length - cursor->position, &ascii);
        size_t valid = ascii ? plain : utf8_valid_length(text, plain);
        if (valid < plain) {
            cursor->position += valid;
            return error_set(err, "%s: byte 0x%02X at byte %zu of the JSON is not valid UTF-8", cursor->name,
                             (unsigned char)text[valid], cursor->position);
        }
        append(out, text, plain);
        cursor->position += plain;
        char c = cursor->position < cursor->length ? cursor->text[cursor->position] : '\0';
        if (c != '"' && c != '\\') {
            return expected(cursor, "the string to go on (control characters must be escaped)", err);
        }
        cursor->position++;
        if (c == '"') {
            return true;
        }
        if (!escape(cursor, out, err)) {
            return false;
        }
    }
}

bool json_cursor_integer(struct json_cursor *cursor, int64_t *value, struct error *err)
{
    bool negative = json_cursor_peek(cursor) == '-';
    size_t start = cursor->position += negative;
    int64_t magnitude = 0;
    while (cursor->position < cursor->length) {
        char c = cursor->text[cursor->position];
        if (c < '0' || c > '9') {
            break;
        }
        if (magnitude > (INT64_MAX - 9) / 10) {
            return error_set(err, "%s: the number at byte %zu of the JSON is too large", cursor->name, start);
        }
        magnitude = 10 * magnitude + (c - '0');
        cursor->position++;
    }
    char next = cursor->position < cursor->length ? cursor->text[cursor->position] : '\0';
    if (cursor->position == start || next == '.' || next == 'e' || next == 'E') {
        return (cursor->position == start ? expected_value : expected)(cursor, "a whole number", err);
    }
    *value = negative ? -magnitude : magnitude;
    return true;
}

static size_t skip_digits(struct json_cursor *cursor)
{
    size_t begin = cursor->position;
    while (cursor->position < cursor->length && cursor->text[cursor->position] >= '0' &&
           cursor->text[cursor->position] <= '9') {
        cursor->position++;
    }
    return cursor->position - begin;
}

static bool skip_character(struct json_cursor *cursor, const char *any)
{
    char c = cursor->position < cursor->length ? cursor->text[cursor->position] : '\0';
    bool there = c && strchr(any, c);
    cursor->position += there;
    return there;
}

/* -? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)? */
static bool skip_number(struct json_cursor *cursor, struct error *err)
{
    skip_character(cursor, "-");
    bool ok = skip_character(cursor, "0") || skip_digits(cursor) > 0;
    if (ok && skip_character(cursor, ".")) {
        ok = skip_digits(cursor) > 0;
    }
    if (ok && skip_character(cursor, "eE")) {
        skip_character(cursor, "+-");
        ok = skip_digits(cursor) > 0;
    }
    return ok || expected(cursor, "a digit", err);
}

/* A value that holds no others. */
static bool skip_scalar(struct json_cursor *cursor, struct error *err)
{
    static const char *const words[] = {"null", "true", "false"};
    char c = json_cursor_peek(cursor);
    if (c == '"') {
        return json_cursor_string(cursor, NULL, err);
    }
    if (c == '-' || (c >= '0' && c <= '9')) {
        return skip_number(cursor, err);
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t length = strlen(words[i]);
        if (cursor->length - cursor->position >= length &&
            memcmp(cursor->text + cursor->position, words[i], length) == 0) {
            cursor->position += length;
            return true;
        }
    }
    return expected_value(cursor, "a value", err);
}

/* The brackets that are open, each by what closes it. */
struct nesting {
    char closing[DEEPEST_NESTING];
    size_t depth;
};

/* Where a member comes next, its name and colon. */
static bool skip_name(struct json_cursor *cursor, const struct nesting *nesting, struct error *err)
{
    return nesting->closing[nesting->depth - 1] == ']' ||
           (json_cursor_string(cursor, NULL, err) && json_cursor_take(cursor, ':', err));
}

static bool open_bracket(struct json_cursor *cursor, struct nesting *nesting, struct error *err)
{
    if (nesting->depth == DEEPEST_NESTING) {
        return error_set(err,
                         "%s: expected arrays and objects nested at most %d deep, found deeper ones at byte %zu of "
                         "the JSON; make it flatter, or leave that part out",
                         cursor->name, DEEPEST_NESTING, cursor->position);
    }
    nesting->closing[nesting->depth++] = cursor->text[cursor->position++] == '[' ? ']' : '}';
    return json_cursor_peek(cursor) == nesting->closing[nesting->depth - 1] || skip_name(cursor, nesting, err);
}

/* Behind a value or an opening bracket: closes what ends here, and takes the comma in front of the next value. */
static bool close_brackets(struct json_cursor *cursor, struct nesting *nesting, struct error *err)
{
    while (nesting->depth > 0 && json_cursor_peek(cursor) == nesting->closing[nesting->depth - 1]) {
        cursor->position++;
        nesting->depth--;
    }
    bool more;
    return nesting->depth == 0 || (json_cursor_more(cursor, nesting->closing[nesting->depth - 1], false, &more, err) &&
                                   skip_name(cursor, nesting, err));
}

bool json_cursor_skip(struct json_cursor *cursor, struct error *err)
{
    struct nesting nesting = {.depth = 0};
    do {
        char c = json_cursor_peek(cursor);
        bool opens = c == '[' || c == '{';
        if (!(opens ? open_bracket(cursor, &nesting, err) : skip_scalar(cursor, err))) {
            return false;
        }
        if (opens && json_cursor_peek(cursor) != nesting.closing[nesting.depth - 1]) {
            continue;
        }
        if (!close_brackets(cursor, &nesting, err)) {
            return false;
        }
    } while (nesting.depth > 0);
    return true;
}

bool json_cursor_end(struct json_cursor *cursor, struct error *err)
{
    json_cursor_peek(cursor);
    return cursor->position == cursor->length || expected(cursor, "the end", err);
}

void json_append_string(struct text_buffer *out, const char *text, size_t length)
{
    text_buffer_append(out, "\"", 1);
    for (size_t i = 0; i < length;) {
        bool ascii;
        size_t plain = plain_length(text + i, length - i, &ascii);
        text_buffer_append(out, text + i, plain);
        i += plain;
        if (i == length) {
            break;
        }
        char c = text[i++];
        const char *letter = c == '\n'   ? "\\n"
                             : c == '\t' ? "\\t"
                             : c == '\r' ? "\\r"
                             : c == '\b' ? "\\b"
                             : c == '\f' ? "\\f"
                             : c == '"'  ? "\\\""
                             : c == '\\' ? "\\\\"
                                         : NULL;
        char code[8];
        snprintf(code, sizeof code, "\\u%04x", (unsigned char)c);
        text_buffer_append_string(out, letter ? letter : code);
    }
    text_buffer_append(out, "\"", 1);
}
