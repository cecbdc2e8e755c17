#include "unicode_regex_rewrite.h"

#include "unicode_regex_newer.h"

#include <stdio.h>
#include <string.h>

enum { GROUPS_DEEP = 64 };

/* Contents of a set. PCRE2's own \s has U+180E too, and its \w lacks the marks and has other numbers than Oniguruma's. */
static const char white_space[] =
    "\\x09-\\x0d\\x20\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}"
    "\\x{205f}\\x{3000}";

static const char not_white_space[] =
    "\\x00-\\x08\\x0e-\\x1f\\x21-\\x{84}\\x{86}-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}"
    "\\x{200b}-\\x{2027}\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}"
    "\\x{3001}-\\x{d7ff}\\x{e000}-\\x{10ffff}";

/* Oniguruma's \w: letters, marks, decimal and letter numbers, connectors, letters in circles and squares. Outside of sets, and
 * only there, the superscripts and fractions of Latin 1 are words too. */
static const char word[] =
    "\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}\\x{24b6}-\\x{24e9}\\x{1f130}-\\x{1f149}\\x{1f150}-\\x{1f169}"
    "\\x{1f170}-\\x{1f189}";
static const char word_outside_sets[] = "\\xb2\\xb3\\xb9\\xbc-\\xbe";

/* The properties that hold the same code points in both libraries, the newer ones added. Mn is not one: U+1171E left it. */
static const char *const categories[] = {"L",  "Lu", "Ll", "Lt", "Lm", "Lo", "M",  "Mc", "Me", "N",  "Nd", "Nl",
                                         "No", "P",  "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "S",  "Sm", "Sc",
                                         "Sk", "So", "Z",  "Zs", "Zl", "Zp", "Cc", "Cf", "Co", "Any"};
static const char *const scripts[] = {"Han",     "Hiragana",  "Katakana", "Arabic",   "Cyrillic",  "Latin",
                                      "Greek",   "Hebrew",    "Hangul",   "Thai",     "Bengali",   "Tamil",
                                      "Telugu",  "Malayalam", "Gujarati", "Gurmukhi", "Sinhala",   "Khmer",
                                      "Tibetan", "Georgian",  "Armenian", "Ethiopic", "Mongolian", "Bopomofo"};

/* What the last member of a set means for a '-' behind it. */
enum member { NO_MEMBER, CHARACTER, CLASS, RANGE_DASH, RANGE_END };

struct set {
    int depth;
    enum member last;
};

struct rewriting {
    const char *pattern;
    size_t length, position;
    struct text_buffer *out;
    size_t leading; /* where an inline option would be the first of its group */
    int depth;
    bool ignore_case[GROUPS_DEEP];
    char folding; /* 's' or 'f' where the last letter matched under (?i) may fold with the next one, or 0 */
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

static bool peek_is_one_of(const struct rewriting *r, size_t ahead, const char *characters)
{
    return peek(r, ahead) != '\0' && strchr(characters, peek(r, ahead)) != NULL;
}

static void copy(struct rewriting *r, size_t count)
{
    text_buffer_append(r->out, r->pattern + r->position, count);
    r->position += count;
}

static void replace(struct rewriting *r, size_t count, const char *with)
{
    text_buffer_append_string(r->out, with);
    r->position += count;
}

static bool ignores_case(const struct rewriting *r)
{
    return r->ignore_case[r->depth];
}

static bool is_ascii_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The length of \p{...}, \x{...} and the like from their backslash on, or 0 if the brace is missing. */
static size_t braced_length(const struct rewriting *r)
{
    const char *start = r->pattern + r->position;
    const char *close = peek(r, 2) == '{' ? memchr(start, '}', r->length - r->position) : NULL;
    return close ? (size_t)(close - start) + 1 : 0;
}

static bool is_listed(const char *const names[], size_t count, const char *name, size_t length)
{
    for (size_t i = 0; i < count; i++) {
        if (strlen(names[i]) == length && memcmp(names[i], name, length) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_script(const char *name, size_t length)
{
    return is_listed(scripts, sizeof scripts / sizeof *scripts, name, length);
}

/* A property's characters, as contents of a set. PCRE2 takes a script's name for the characters used with it, Oniguruma for its own
 * alone. */
static void append_property(struct text_buffer *out, const char *name, size_t length)
{
    text_buffer_append_string(out, is_script(name, length) ? "\\p{sc:" : "\\p{");
    text_buffer_append(out, name, length);
    text_buffer_append_string(out, "}");
    newer_code_points_append(out, name, length);
}

static void append_word(struct text_buffer *out, bool in_set)
{
    text_buffer_append_string(out, word);
    newer_code_points_append(out, "L", 1);
    newer_code_points_append(out, "M", 1);
    newer_code_points_append(out, "Nd", 2);
    text_buffer_append_string(out, in_set ? "" : word_outside_sets);
}

/* \p{...}, \P{...}, \p{^...}. */
static bool rewrite_property(struct rewriting *r, bool in_set, struct error *err)
{
    size_t whole = braced_length(r);
    if (whole == 0) {
        return not_supported(r, "a property without braces", err);
    }
    bool inverse = peek(r, 3) == '^';
    bool negated = (peek(r, 1) == 'P') != inverse;
    const char *name = r->pattern + r->position + 3 + inverse;
    size_t length = whole - 4 - inverse;
    if (!is_script(name, length) && !is_listed(categories, sizeof categories / sizeof *categories, name, length)) {
        char what[64];
        snprintf(what, sizeof what, "the property %.*s", length < 40 ? (int)length : 40, name);
        return not_supported(r, what, err);
    }
    if (in_set && negated) { /* the code points that are newer than PCRE2 cannot be taken out of a set */
        return not_supported(r, "a negated property inside a set", err);
    }
    if (ignores_case(r)) {
        return not_supported(r, "a property under (?i)", err);
    }
    text_buffer_append_string(r->out, in_set ? "" : negated ? "[^" : "[");
    append_property(r->out, name, length);
    replace(r, whole, in_set ? "" : "]");
    return true;
}

/* \s \w \d \S \W \D in a set. */
static bool rewrite_class_in_set(struct rewriting *r, struct error *err)
{
    char c = peek(r, 1);
    if (c == 'W' || c == 'D' || (c != 's' && c != 'd' && ignores_case(r))) {
        char what[] = "\\? inside a set under (?i)";
        what[1] = c;
        what[ignores_case(r) ? sizeof what - 1 : strlen("\\? inside a set")] = '\0';
        return not_supported(r, what, err);
    }
    if (c == 'w') {
        append_word(r->out, true);
    } else if (c == 'd') {
        append_property(r->out, "Nd", 2);
    } else {
        text_buffer_append_string(r->out, c == 's' ? white_space : not_white_space);
    }
    r->position += 2;
    return true;
}

/* The same outside of sets. */
static void rewrite_class(struct rewriting *r)
{
    char c = peek(r, 1);
    text_buffer_append_string(r->out, c == 's' || c == 'w' || c == 'd' ? "[" : "[^");
    if (c == 'w' || c == 'W') {
        append_word(r->out, false);
    } else if (c == 'd' || c == 'D') {
        append_property(r->out, "Nd", 2);
    } else {
        text_buffer_append_string(r->out, white_space);
    }
    replace(r, 2, "]");
}

/* \x{...} is a code point in both; \xHH is one in PCRE2 and a byte in Oniguruma, the same up to 7f. */
static bool rewrite_hexadecimal(struct rewriting *r, struct error *err)
{
    static const char digits[] = "0123456789abcdefABCDEF";
    size_t begin = peek(r, 2) == '{' ? 3 : 2, end = begin;
    while (peek_is_one_of(r, end, digits) && (begin == 3 || end < 4)) {
        end++;
    }
    bool is_byte = begin == 2 && end == 4 && !peek_is_one_of(r, 2, "01234567");
    if (end == begin || is_byte || (begin == 3 && peek(r, end) != '}')) {
        return not_supported(r, "this \\x (supported: \\x00 to \\x7f, \\x{HEX})", err);
    }
    if (ignores_case(r)) {
        return not_supported(r, "\\x under (?i)", err);
    }
    copy(r, end + (begin == 3));
    return true;
}

static bool rewrite_escape(struct rewriting *r, bool in_set, struct error *err)
{
    char c = peek(r, 1);
    r->folding = '\0';
    if (c == '\0') {
        return not_supported(r, "a backslash at the end", err);
    }
    if (c == 'p' || c == 'P') {
        return rewrite_property(r, in_set, err);
    }
    if (c == 'x') {
        return rewrite_hexadecimal(r, err);
    }
    if (peek_is_one_of(r, 1, "swdSWD")) {
        if (in_set) {
            return rewrite_class_in_set(r, err);
        }
        rewrite_class(r);
    } else if (c == 'v') { /* the vertical tab here, a class of characters in PCRE2 */
        replace(r, 2, "\\x0b");
    } else if (strchr(in_set ? "rntfe" : "rntfeAzZ", c) ||
               !(is_ascii_letter(c) || (c >= '0' && c <= '9') || (unsigned char)c >= 0x80)) {
        copy(r, 2);
    } else {
        return not_supported(r, (unsigned char)c < 0x80 ? (char[]){'\\', c, '\0'} : "\\ before a letter", err);
    }
    return true;
}

/* One character that stands for itself. Under (?i) only ASCII and the punctuation around U+2019 fold to nothing but one character. */
static bool rewrite_literal(struct rewriting *r, struct error *err)
{
    size_t end = r->position;
    uint32_t c = utf8_next(r->pattern, &end);
    if (c == 0) {
        return not_supported(r, "a NUL", err);
    }
    if (ignores_case(r) && c >= 0x80 && (c < 0x2000 || c >= 0x2040)) {
        return not_supported(r, "a character outside ASCII under (?i)", err);
    }
    copy(r, end - r->position);
    return true;
}

/* A literal outside of a set. Under (?i), Oniguruma has ss match U+00DF, st U+FB06, ff, fi and fl U+FB00 to U+FB02, wherever the two
 * letters come to stand side by side: groups and quantifiers between them are taken to allow it. */
static bool rewrite_letter(struct rewriting *r, struct error *err)
{
    char c = peek(r, 0);
    char lower = (char)(is_ascii_letter(c) ? c | 0x20 : c);
    if (ignores_case(r) && r->folding && strchr(r->folding == 's' ? "st" : "fil", lower)) {
        char what[] = "?? under (?i)";
        what[0] = r->folding;
        what[1] = lower;
        return not_supported(r, what, err);
    }
    r->folding = ignores_case(r) && (lower == 's' || lower == 'f') ? lower : '\0';
    return rewrite_literal(r, err);
}

/* A '-' in a set: itself where nothing or a range is before it or the end behind it, else between the ends of a range. */
static bool rewrite_dash(struct rewriting *r, struct set *set, struct error *err)
{
    if (set->last == NO_MEMBER || set->last == RANGE_END || peek(r, 1) == ']') {
        replace(r, 1, "\\-");
        set->last = CHARACTER;
        return true;
    }
    if (set->last == CLASS || peek(r, 1) == '[') {
        return not_supported(r, "'-' beside a class or a set", err);
    }
    set->last = set->last == RANGE_DASH ? RANGE_END : RANGE_DASH;
    copy(r, 1);
    return true;
}

static bool rewrite_member(struct rewriting *r, struct set *set, struct error *err)
{
    char c = peek(r, 0);
    bool is_class = c == '\\' && peek_is_one_of(r, 1, "swdSWDpP");
    if (c == '&' && peek(r, 1) == '&') {
        return not_supported(r, "an intersection of sets (&&)", err);
    }
    if (c == '-') {
        return rewrite_dash(r, set, err);
    }
    if (is_class && set->last == RANGE_DASH) {
        return not_supported(r, "a class at the end of a range", err);
    }
    set->last = is_class ? CLASS : set->last == RANGE_DASH ? RANGE_END : CHARACTER;
    if (c == '\\') {
        return rewrite_escape(r, true, err);
    }
    if (c == ']') {
        replace(r, 1, "\\]");
        return true;
    }
    return rewrite_literal(r, err);
}

/* A '[' in a set or before it. The members of a nested set join the outer one, so its brackets are left out. */
static bool open_set(struct rewriting *r, struct set *set, struct error *err)
{
    bool negated = peek(r, 1) == '^';
    if (set->depth > 0 && (negated || peek(r, 1) == ':')) {
        return not_supported(r, negated ? "a negated set inside a set" : "a POSIX class", err);
    }
    replace(r, negated ? 2 : 1, set->depth > 0 ? "" : negated ? "[^" : "[");
    set->depth++;
    set->last = NO_MEMBER;
    return true;
}

static bool rewrite_set(struct rewriting *r, struct error *err)
{
    struct set set = {0};
    bool fine = open_set(r, &set, err);
    while (fine && set.depth > 0) {
        if (r->position >= r->length) {
            fine = not_supported(r, "a set that is not closed", err);
        } else if (peek(r, 0) == '[') {
            fine = open_set(r, &set, err);
        } else if (peek(r, 0) == ']' && set.last != NO_MEMBER) {
            set.depth--;
            set.last = CLASS;
            replace(r, 1, set.depth == 0 ? "]" : "");
        } else {
            fine = rewrite_member(r, &set, err);
        }
    }
    r->folding = '\0';
    return fine;
}

static bool open_group(struct rewriting *r, size_t length, bool ignore_case, struct error *err)
{
    if (r->depth + 1 == GROUPS_DEEP) {
        return not_supported(r, "a group so deep", err);
    }
    r->ignore_case[++r->depth] = ignore_case;
    copy(r, length);
    r->leading = r->position;
    return true;
}

/* (?i:...), (?-i:...), or (?i) and (?-i) at the start of their group. */
static bool rewrite_option(struct rewriting *r, struct error *err)
{
    bool off = peek(r, 2) == '-';
    size_t end = off ? 4 : 3;
    if (peek(r, end - 1) != 'i' || !peek_is_one_of(r, end, ":)")) {
        return not_supported(r, "this kind of group", err);
    }
    if (peek(r, end) == ':') {
        return open_group(r, end + 1, !off, err);
    }
    if (r->position != r->leading) {
        return not_supported(r, "an option that is not at the start of its group", err);
    }
    r->ignore_case[r->depth] = !off;
    copy(r, end + 1);
    r->leading = r->position;
    return true;
}

static bool rewrite_group(struct rewriting *r, struct error *err)
{
    if (peek(r, 1) == '*') {
        return not_supported(r, "(*", err);
    }
    if (peek(r, 1) != '?') {
        return open_group(r, 1, ignores_case(r), err);
    }
    bool lookbehind = peek(r, 2) == '<' && peek_is_one_of(r, 3, "=!");
    if (lookbehind || peek_is_one_of(r, 2, ":=!>")) {
        return open_group(r, lookbehind ? 4 : 3, ignores_case(r), err);
    }
    return rewrite_option(r, err);
}

/* A '{' outside of sets, an interval or itself. */
static bool rewrite_interval(struct rewriting *r, struct error *err)
{
    size_t end = 1;
    while (peek_is_one_of(r, end, "0123456789")) {
        end++;
    }
    if (peek(r, 1) == ',') {
        return not_supported(r, "{,n}", err);
    }
    if (end > 1 && peek(r, end) == '}' && peek(r, end + 1) == '?') { /* optional to Oniguruma, lazy to PCRE2 */
        return not_supported(r, "{n}?", err);
    }
    if (r->folding) {
        return not_supported(r, "an interval behind s or f under (?i)", err);
    }
    copy(r, 1);
    return true;
}

static bool rewrite_next(struct rewriting *r, struct error *err)
{
    switch (peek(r, 0)) {
    case '\\':
        return rewrite_escape(r, false, err);
    case '[':
        return rewrite_set(r, err);
    case '(':
        return rewrite_group(r, err);
    case '{':
        return rewrite_interval(r, err);
    case '}':
        if (peek(r, 1) == '+') {
            return not_supported(r, "'+' after an interval", err);
        }
        break;
    case ')':
        r->depth -= r->depth > 0;
        break;
    case '|':
        r->folding = '\0';
        break;
    case '?':
    case '*':
    case '+':
        break;
    default:
        return rewrite_letter(r, err);
    }
    copy(r, 1);
    return true;
}

bool unicode_regex_rewrite(struct text_buffer *out, const char *pattern, size_t length, struct error *err)
{
    struct rewriting r = {.pattern = pattern, .length = length, .out = out};
    while (r.position < length) {
        if (!rewrite_next(&r, err)) {
            return false;
        }
    }
    return true;
}
