#include "unicode_regex.h"

#include "unicode_regex_newer.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    JIT_STACK_START = 64 << 10,
    JIT_STACK_LIMIT = 16 << 20
}; /* bytes; a stack this deep serves lines of many megabytes */

struct unicode_regex {
    pcre2_code *code;
    pcre2_match_data *match;
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
    bool jit;
};

/* Contents of a set. PCRE2's own \s has U+180E too, and its \w lacks the marks and has other numbers than Oniguruma's. */
static const char white_space[] =
    "\\x09-\\x0d\\x20\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}"
    "\\x{205f}\\x{3000}";

/* Oniguruma's \w: letters, marks, decimal and letter numbers, connectors, letters in circles and squares; and of the other numbers,
 * those of Latin 1. */
static const char word[] =
    "\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}\\x{24b6}-\\x{24e9}\\x{1f130}-\\x{1f149}\\x{1f150}-\\x{1f169}"
    "\\x{1f170}-\\x{1f189}\\xb2\\xb3\\xb9\\xbc-\\xbe";

struct rewriting {
    const char *pattern;
    size_t length, position;
    struct text_buffer out;
};

static bool not_supported(const struct rewriting *r, const char *what, struct error *err)
{
    return error_set(err, "regular expression: %s at offset %zu of %.*s is not supported", what, r->position,
                     (int)(r->length < 200 ? r->length : 200), r->pattern);
}

static char peek(const struct rewriting *r, size_t ahead)
{
    return r->position + ahead < r->length ? r->pattern[r->position + ahead] : '\0';
}

static void copy(struct rewriting *r, size_t count)
{
    text_buffer_append(&r->out, r->pattern + r->position, count);
    r->position += count;
}

static void append_set(struct rewriting *r, const char *contents, bool negated, bool in_set)
{
    if (!in_set) {
        text_buffer_append_string(&r->out, negated ? "[^" : "[");
    }
    text_buffer_append_string(&r->out, contents);
    if (contents == word) {
        newer_code_points_append(&r->out, "L", 1);
        newer_code_points_append(&r->out, "M", 1);
        newer_code_points_append(&r->out, "Nd", 2);
    }
    if (!in_set) {
        text_buffer_append_string(&r->out, "]");
    }
    r->position += 2;
}

/* The length of \p{...}, \x{...} and the like from their backslash on, or 0 if the brace is missing. */
static size_t braced_length(const struct rewriting *r)
{
    const char *start = r->pattern + r->position;
    const char *close = peek(r, 2) == '{' ? memchr(start, '}', r->length - r->position) : NULL;
    return close ? (size_t)(close - start) + 1 : 0;
}

/* Is \p{sc:NAME} a property, so that NAME is a script's? */
static bool is_script(const char *name, size_t length)
{
    char pattern[64];
    int number;
    PCRE2_SIZE offset;
    if (length > sizeof pattern - 8) {
        return false;
    }
    int written = snprintf(pattern, sizeof pattern, "\\p{sc:%.*s}", (int)length, name);
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)pattern, (PCRE2_SIZE)written, PCRE2_UTF, &number, &offset, NULL);
    pcre2_code_free(code);
    return code != NULL;
}

/* One property, for its characters or for all others; PCRE2 takes a script's name for the characters used with it, Oniguruma for its
 * own alone. */
static void append_property(struct text_buffer *out, const char *name, size_t length, bool negated, bool in_set)
{
    if (!in_set) {
        text_buffer_append_string(out, negated ? "[^" : "[");
    }
    text_buffer_append_string(out, in_set && negated ? "\\P{" : "\\p{");
    text_buffer_append_string(out, is_script(name, length) ? "sc:" : "");
    text_buffer_append(out, name, length);
    text_buffer_append_string(out, "}");
    if (!in_set || !negated) {
        newer_code_points_append(out, name, length);
    }
    if (!in_set) {
        text_buffer_append_string(out, "]");
    }
}

/* \p{...}, \P{...}, \p{^...} of this length from the backslash on. */
static void rewrite_property(struct rewriting *r, size_t length, bool in_set)
{
    const char *name = r->pattern + r->position + 3;
    bool inverse = length > 4 && name[0] == '^';
    bool negated = (peek(r, 1) == 'P') != inverse;
    append_property(&r->out, name + inverse, length - 4 - inverse, negated, in_set);
    r->position += length;
}

static bool rewrite_escape(struct rewriting *r, bool in_set, struct error *err)
{
    char c = peek(r, 1);
    switch (c) {
    case 's':
        append_set(r, white_space, false, in_set);
        return true;
    case 'w':
        append_set(r, word, false, in_set);
        return true;
    case 'S':
    case 'W':
        if (in_set && c == 'W') {
            return not_supported(r, "\\W inside a set", err);
        }
        if (in_set) { /* the complement of a set has no name within another set: spell it out */
            append_set(r,
                       "\\x00-\\x08\\x0e-\\x1f\\x21-\\x{84}\\x{86}-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}"
                       "\\x{200b}-\\x{2027}\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}"
                       "\\x{3001}-\\x{d7ff}\\x{e000}-\\x{10ffff}",
                       false, true);
            return true;
        }
        append_set(r, c == 'S' ? white_space : word, true, false);
        return true;
    case 'p':
    case 'P':
        if (braced_length(r) == 0) {
            return not_supported(r, "a property without braces", err);
        }
        rewrite_property(r, braced_length(r), in_set);
        return true;
    case 'd':
    case 'D':
        append_property(&r->out, "Nd", 2, c == 'D', in_set);
        r->position += 2;
        return true;
    case 'x':
        copy(r, braced_length(r) ? braced_length(r) : 2);
        return true;
    case '\0':
        return not_supported(r, "a backslash at the end", err);
    default:
        if (strchr(in_set ? "rntfve" : "rntfveAzZ", c) ||
            !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (unsigned char)c >= 0x80)) {
            if (c == 'v') { /* the vertical tab here, a class of characters in PCRE2 */
                text_buffer_append_string(&r->out, "\\x0b");
                r->position += 2;
                return true;
            }
            copy(r, 2);
            return true;
        }
        return not_supported(r, (char[]){'\\', c, '\0'}, err);
    }
}

/* A set from its '[' on. One nested in a set adds its members to the outer one, so its brackets are left out. */
static bool rewrite_set(struct rewriting *r, struct error *err)
{
    int depth = 0;
    bool first = false;
    do {
        char c = peek(r, 0);
        if (r->position >= r->length) {
            return not_supported(r, "a set that is not closed", err);
        }
        if (c == '[' && (depth > 0 && (peek(r, 1) == '^' || peek(r, 1) == ':'))) {
            return not_supported(r, peek(r, 1) == '^' ? "a negated set inside a set" : "a POSIX class", err);
        }
        if (c == '&' && peek(r, 1) == '&') {
            return not_supported(r, "an intersection of sets (&&)", err);
        }
        if (c == '[') {
            size_t count = peek(r, 1) == '^' ? 2 : 1;
            if (depth == 0) {
                text_buffer_append(&r->out, r->pattern + r->position, count);
            }
            r->position += count;
            depth++;
            first = true;
            continue;
        }
        if (c == ']' && !first) {
            depth--;
            if (depth == 0) {
                text_buffer_append_string(&r->out, "]");
            }
            r->position++;
        } else if (c == '\\') {
            if (!rewrite_escape(r, true, err)) {
                return false;
            }
        } else if (c == ']') {
            text_buffer_append_string(&r->out, "\\]");
            r->position++;
        } else {
            copy(r, 1);
        }
        first = false;
    } while (depth > 0);
    return true;
}

static bool rewrite_group(struct rewriting *r, struct error *err)
{
    if (peek(r, 1) != '?') {
        copy(r, 1);
        return true;
    }
    char kind = peek(r, 2);
    bool lookbehind = kind == '<' && (peek(r, 3) == '=' || peek(r, 3) == '!');
    if (kind == ':' || kind == '=' || kind == '!' || kind == '>' || lookbehind) {
        copy(r, lookbehind ? 4 : 3);
        return true;
    }
    if ((kind == 'i' || kind == '-') && (peek(r, 3) == ':' || peek(r, 3) == ')' || peek(r, 3) == 'i')) {
        copy(r, kind == '-' ? 5 : 4);
        return true;
    }
    return not_supported(r, "this kind of group", err);
}

static bool rewrite(struct rewriting *r, struct error *err)
{
    while (r->position < r->length) {
        char c = r->pattern[r->position];
        if (c == '\\') {
            if (!rewrite_escape(r, false, err)) {
                return false;
            }
        } else if (c == '[') {
            if (!rewrite_set(r, err)) {
                return false;
            }
        } else if (c == '(') {
            if (!rewrite_group(r, err)) {
                return false;
            }
        } else if (c == '}' && peek(r, 1) == '+') {
            return not_supported(r, "'+' after an interval", err);
        } else if (c == '\0') {
            return not_supported(r, "a NUL", err);
        } else {
            copy(r, 1);
        }
    }
    return true;
}

static pcre2_code *compile(const struct rewriting *r, struct error *err)
{
    int number;
    PCRE2_SIZE offset;
    uint32_t options = PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE;
    pcre2_code *code =
        pcre2_compile((PCRE2_SPTR)(r->out.data ? r->out.data : ""), r->out.length, options, &number, &offset, NULL);
    if (!code) {
        char message[128] = "";
        pcre2_get_error_message(number, (PCRE2_UCHAR *)message, sizeof message);
        error_set(err, "regular expression: %s, in %.*s", message, (int)(r->length < 200 ? r->length : 200),
                  r->pattern);
    }
    return code;
}

struct unicode_regex *unicode_regex_compile(const char *pattern, size_t length, struct error *err)
{
    struct rewriting r = {.pattern = pattern, .length = length};
    pcre2_code *code = rewrite(&r, err) ? compile(&r, err) : NULL;
    text_buffer_free(&r.out);
    if (!code) {
        return NULL;
    }
    struct unicode_regex *regex = allocate(sizeof *regex, "a regular expression");
    regex->code = code;
    regex->match = pcre2_match_data_create_from_pattern(code, NULL);
    regex->context = pcre2_match_context_create(NULL);
    CHECK(regex->match && regex->context);
    regex->jit = pcre2_jit_compile(code, PCRE2_JIT_COMPLETE) == 0;
    if (regex->jit) {
        regex->stack = pcre2_jit_stack_create(JIT_STACK_START, JIT_STACK_LIMIT, NULL);
        CHECK(regex->stack);
        pcre2_jit_stack_assign(regex->context, NULL, regex->stack);
    }
    return regex;
}

void unicode_regex_free(struct unicode_regex *regex)
{
    if (regex) {
        pcre2_jit_stack_free(regex->stack);
        pcre2_match_context_free(regex->context);
        pcre2_match_data_free(regex->match);
        pcre2_code_free(regex->code);
        free(regex);
    }
}

int unicode_regex_next(struct unicode_regex *regex, const char *text, size_t length, struct unicode_matches *matches,
                       struct error *err)
{
    const PCRE2_SIZE *range = pcre2_get_ovector_pointer(regex->match);
    PCRE2_SPTR subject = (PCRE2_SPTR)text;
    while (matches->from <= length) {
        int rc = regex->jit ? pcre2_jit_match(regex->code, subject, length, matches->from, PCRE2_NO_UTF_CHECK,
                                              regex->match, regex->context)
                            : pcre2_match(regex->code, subject, length, matches->from, PCRE2_NO_UTF_CHECK, regex->match,
                                          regex->context);
        if (rc == PCRE2_ERROR_NOMATCH) {
            return 0;
        }
        if (rc < 0) {
            char message[128] = "";
            pcre2_get_error_message(rc, (PCRE2_UCHAR *)message, sizeof message);
            error_set(err, "the tokenizer's regular expression gave up at byte %zu of %zu: %s", matches->from, length,
                      message);
            return -1;
        }
        if (range[0] != range[1] || !matches->any || matches->end != range[1]) {
            *matches = (struct unicode_matches){.begin = range[0], .end = range[1], .from = range[1], .any = true};
            return 1;
        }
        size_t from = matches->from;
        if (from < length) {
            utf8_next(text, &from);
        } else {
            from++;
        }
        matches->from = from;
    }
    return 0;
}
