#include "unicode_normalize.h"

#include "error.h"

#include <stdlib.h>
#include <utf8proc.h>

enum { LONGEST_DECOMPOSITION = 32 }; /* code points; the longest in Unicode is 18 (U+FDFA) */

/* Code points that came after Unicode 9, whose tables the tokenizers library normalizes by, and that have a combining class or a
 * decomposition in utf8proc (up to Unicode 15): here they stand for themselves and reorder with nothing. */
static const struct code_range newer[] = {
    {0x7FD, 0x7FD},     {0x898, 0x89F},     {0x8CA, 0x8D3},     {0x9FE, 0x9FE},     {0xC3C, 0xC3C},
    {0xD3B, 0xD3C},     {0xEBA, 0xEBA},     {0x1715, 0x1715},   {0x1ABF, 0x1ACE},   {0x1DF6, 0x1DFA},
    {0x32FF, 0x32FF},   {0xA7F2, 0xA7F4},   {0xA82C, 0xA82C},   {0xAB69, 0xAB69},   {0x10781, 0x107BA},
    {0x10D24, 0x10D27}, {0x10EAB, 0x10EAC}, {0x10EFD, 0x10EFF}, {0x10F46, 0x10F50}, {0x10F82, 0x10F85},
    {0x11070, 0x11070}, {0x1133B, 0x1133B}, {0x1145E, 0x1145E}, {0x11839, 0x1183A}, {0x11930, 0x11930},
    {0x11938, 0x11938}, {0x1193D, 0x1193E}, {0x11943, 0x11943}, {0x119E0, 0x119E0}, {0x11A34, 0x11A34},
    {0x11A47, 0x11A47}, {0x11A99, 0x11A99}, {0x11D42, 0x11D42}, {0x11D44, 0x11D45}, {0x11D97, 0x11D97},
    {0x11F41, 0x11F42}, {0x16FF0, 0x16FF1}, {0x1E030, 0x1E06D}, {0x1E08F, 0x1E08F}, {0x1E130, 0x1E136},
    {0x1E2AE, 0x1E2AE}, {0x1E2EC, 0x1E2EF}, {0x1E4EC, 0x1E4EF}, {0x1F16C, 0x1F16C}, {0x1FBF0, 0x1FBF9}};

static bool is_newer(uint32_t c)
{
    return code_ranges_have(newer, sizeof newer / sizeof *newer, c);
}

static bool is_compatibility(enum normalization_form form)
{
    return form == NORMALIZE_NFKC || form == NORMALIZE_NFKD;
}

static bool is_composed(enum normalization_form form)
{
    return form == NORMALIZE_NFC || form == NORMALIZE_NFKC;
}

static bool is_plain(uint32_t c)
{
    return c < 0xC0 ? c < 0xA0 : c < 0x300 ? false : (c >= 0x3400 && c < 0xA000) || c == 0x3001 || c == 0x3002;
}

static int decompose(uint32_t c, enum normalization_form form, utf8proc_int32_t out[LONGEST_DECOMPOSITION])
{
    if (is_newer(c)) {
        out[0] = (utf8proc_int32_t)c;
        return 1;
    }
    int options = UTF8PROC_DECOMPOSE | (is_compatibility(form) ? UTF8PROC_COMPAT : 0);
    int boundary = 0;
    utf8proc_ssize_t n = utf8proc_decompose_char((utf8proc_int32_t)c, out, LONGEST_DECOMPOSITION, options, &boundary);
    CHECK(n >= 1 && n <= LONGEST_DECOMPOSITION);
    return (int)n;
}

/* Could this code point, taken from a decomposed text, attach to what stands before it? What composes as the second of a pair is
 * a mark, or a Hangul vowel or final consonant. */
static bool attaches(utf8proc_int32_t c)
{
    const utf8proc_property_t *property = utf8proc_get_property(c);
    bool mark = property->category >= UTF8PROC_CATEGORY_MN && property->category <= UTF8PROC_CATEGORY_ME;
    bool hangul_vowel_or_final = c >= 0x1161 && c <= 0x11FF;
    return (property->combining_class != 0 || mark || hangul_vowel_or_final) && !is_newer((uint32_t)c);
}

static bool starts_segment(uint32_t c, enum normalization_form form)
{
    if (is_plain(c)) {
        return true;
    }
    utf8proc_int32_t parts[LONGEST_DECOMPOSITION];
    decompose(c, form, parts);
    return !attaches(parts[0]);
}

/* Alone in its segment, does this code point stay as it is? */
static bool is_stable(uint32_t c, enum normalization_form form)
{
    if (is_plain(c) || (form == NORMALIZE_NFC && c < 0x300)) {
        return true;
    }
    utf8proc_int32_t parts[LONGEST_DECOMPOSITION];
    int n = decompose(c, form, parts);
    if (n == 1 || !is_composed(form)) {
        return n == 1 && parts[0] == (utf8proc_int32_t)c;
    }
    utf8proc_ssize_t m = utf8proc_normalize_utf32(parts, n, UTF8PROC_COMPOSE | UTF8PROC_STABLE);
    return m == 1 && parts[0] == (utf8proc_int32_t)c;
}

bool unicode_may_need_normalization(const char *text, size_t length, enum normalization_form form)
{
    for (size_t i = 0; i < length;) {
        if ((unsigned char)text[i] < 0x80) {
            i++;
            continue;
        }
        uint32_t c = utf8_next(text, &i);
        if (is_plain(c) || (form == NORMALIZE_NFC && c < 0x300)) {
            continue;
        }
        if (!starts_segment(c, form) || !is_stable(c, form)) {
            return true;
        }
    }
    return false;
}

struct code_points {
    utf8proc_int32_t *data;
    size_t count, capacity;
};

static void add_decomposed(struct code_points *points, uint32_t c, enum normalization_form form)
{
    if (points->count + LONGEST_DECOMPOSITION > points->capacity) {
        points->capacity = 2 * points->capacity + LONGEST_DECOMPOSITION;
        points->data = reallocate(points->data, points->capacity * sizeof *points->data, "normalization");
    }
    points->count += (size_t)decompose(c, form, points->data + points->count);
}

static int combining_class(utf8proc_int32_t c)
{
    int class = utf8proc_get_property(c)->combining_class;
    return class != 0 && is_newer((uint32_t)c) ? 0 : class;
}

/* Canonical ordering: marks between two starters in the order of their combining classes, equal ones as they stood. A stable
 * merge is not worth its text here: segments are a few marks long, and an insertion sort moves only what is out of order. */
static void order_marks(struct code_points *points)
{
    for (size_t i = 1; i < points->count; i++) {
        utf8proc_int32_t c = points->data[i];
        int class = combining_class(c);
        size_t j = i;
        while (class != 0 && j > 0 && combining_class(points->data[j - 1]) > class) {
            points->data[j] = points->data[j - 1];
            j--;
        }
        points->data[j] = c;
    }
}

static void append_segment(struct mapped_text *out, struct code_points *points, uint32_t origin,
                           enum normalization_form form)
{
    order_marks(points);
    utf8proc_ssize_t n = (utf8proc_ssize_t)points->count;
    if (is_composed(form)) {
        n = utf8proc_normalize_utf32(points->data, n, UTF8PROC_COMPOSE | UTF8PROC_STABLE);
    }
    for (utf8proc_ssize_t i = 0; i < n; i++) {
        char bytes[4];
        mapped_text_insert(out, bytes, utf8_encode((uint32_t)points->data[i], bytes), origin);
    }
}

void unicode_normalize(struct mapped_text *out, const struct text_view *from, enum normalization_form form)
{
    struct code_points points = {0};
    size_t begin = 0;
    while (begin < from->length) {
        size_t end = begin;
        uint32_t first = utf8_next(from->text, &end);
        size_t next = end;
        points.count = 0;
        while (next < from->length) {
            uint32_t c = utf8_next(from->text, &next);
            if (starts_segment(c, form)) {
                break;
            }
            if (points.count == 0) {
                add_decomposed(&points, first, form);
            }
            add_decomposed(&points, c, form);
            end = next;
        }
        if (points.count == 0 && is_stable(first, form)) {
            mapped_text_copy(out, from, begin, end);
        } else {
            if (points.count == 0) {
                add_decomposed(&points, first, form);
            }
            append_segment(out, &points, text_view_origin(from, begin), form);
        }
        begin = end;
    }
    free(points.data);
}

/* Capitals of Unicode 16 and 17, which the library knows and utf8proc does not yet; `lower` is the first one's
 * small letter. */
static const struct {
    uint32_t first, last, lower;
} newer_capitals[] = {{0x1C89, 0x1C89, 0x1C8A},   {0xA7CB, 0xA7CB, 0x264},  {0xA7CC, 0xA7CC, 0xA7CD},
                      {0xA7CE, 0xA7CE, 0xA7CF},   {0xA7D2, 0xA7D2, 0xA7D3}, {0xA7D4, 0xA7D4, 0xA7D5},
                      {0xA7DA, 0xA7DA, 0xA7DB},   {0xA7DC, 0xA7DC, 0x19B},  {0x10D50, 0x10D65, 0x10D70},
                      {0x16EA0, 0x16EB8, 0x16EBB}};

static uint32_t lower_case(uint32_t c)
{
    for (size_t i = 0; c >= 0x1C89 && i < sizeof newer_capitals / sizeof *newer_capitals; i++) {
        if (c >= newer_capitals[i].first && c <= newer_capitals[i].last) {
            return newer_capitals[i].lower + (c - newer_capitals[i].first);
        }
    }
    return (uint32_t)utf8proc_tolower((utf8proc_int32_t)c);
}

void unicode_lowercase(struct mapped_text *out, const struct text_view *from)
{
    for (size_t i = 0; i < from->length;) {
        size_t begin = i;
        uint32_t c = utf8_next(from->text, &i);
        uint32_t lower = lower_case(c);
        uint32_t origin = text_view_origin(from, begin);
        if (c == 0x130) { /* the only code point whose lower case is two */
            mapped_text_insert(out, "i\xCC\x87", 3, origin);
        } else if (lower == c) {
            mapped_text_copy(out, from, begin, i);
        } else {
            char bytes[4];
            mapped_text_insert(out, bytes, utf8_encode(lower, bytes), origin);
        }
    }
}
