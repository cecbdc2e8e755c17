#include "unicode_normalize.h"

#include "error.h"

#include <stdlib.h>
#include <string.h>
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

/* A code point of a decomposed segment. `gain` is how many code points more than the source had stand here by now: 0 for a source's
 * first part, 1 for each further one, and less for every one that was composed away. */
struct code_point {
    utf8proc_int32_t c;
    int32_t gain;
    int combining_class;
};

/* A segment, and the origins of the code points that it was decomposed from. */
struct segment {
    struct code_point *point, *scratch;
    uint32_t *source_origin;
    size_t count, sources, capacity;
};

static int combining_class(utf8proc_int32_t c)
{
    int class = utf8proc_get_property(c)->combining_class;
    return class != 0 && is_newer((uint32_t)c) ? 0 : class;
}

static void segment_add(struct segment *segment, uint32_t c, uint32_t origin, enum normalization_form form)
{
    utf8proc_int32_t parts[LONGEST_DECOMPOSITION];
    if (segment->count + LONGEST_DECOMPOSITION > segment->capacity) {
        size_t capacity = segment->capacity = 2 * segment->capacity + LONGEST_DECOMPOSITION;
        segment->point = reallocate(segment->point, capacity * sizeof *segment->point, "normalization");
        segment->scratch = reallocate(segment->scratch, capacity * sizeof *segment->scratch, "normalization");
        segment->source_origin =
            reallocate(segment->source_origin, capacity * sizeof *segment->source_origin, "normalization");
    }
    int n = decompose(c, form, parts);
    for (int i = 0; i < n; i++) {
        segment->point[segment->count++] =
            (struct code_point){.c = parts[i], .gain = i > 0, .combining_class = combining_class(parts[i])};
    }
    segment->source_origin[segment->sources++] = origin;
}

static void segment_free(struct segment *segment)
{
    free(segment->point);
    free(segment->scratch);
    free(segment->source_origin);
}

/* Stable, by counting; few marks are faster by insertion. */
static void sort_marks(struct code_point *mark, size_t count, struct code_point *scratch)
{
    enum { CLASSES = 256, FEW = 24 };
    if (count <= FEW) {
        for (size_t i = 1; i < count; i++) {
            struct code_point moved = mark[i];
            size_t j = i;
            for (; j > 0 && mark[j - 1].combining_class > moved.combining_class; j--) {
                mark[j] = mark[j - 1];
            }
            mark[j] = moved;
        }
        return;
    }
    size_t begin[CLASSES + 1] = {0};
    for (size_t i = 0; i < count; i++) {
        begin[mark[i].combining_class + 1]++;
    }
    for (int i = 0; i < CLASSES; i++) {
        begin[i + 1] += begin[i];
    }
    memcpy(scratch, mark, count * sizeof *mark);
    for (size_t i = 0; i < count; i++) {
        mark[begin[scratch[i].combining_class]++] = scratch[i];
    }
}

/* Canonical ordering: marks between two starters in the order of their combining classes, equal ones as they stood. */
static void order_marks(struct segment *segment)
{
    for (size_t i = 0; i < segment->count; i++) {
        size_t begin = i;
        while (i < segment->count && segment->point[i].combining_class != 0) {
            i++;
        }
        sort_marks(segment->point + begin, i - begin, segment->scratch);
    }
}

static bool compose_pair(utf8proc_int32_t first, utf8proc_int32_t second, utf8proc_int32_t *composed)
{
    utf8proc_int32_t pair[2] = {first, second};
    utf8proc_ssize_t n = utf8proc_normalize_utf32(pair, 2, UTF8PROC_COMPOSE | UTF8PROC_STABLE);
    *composed = pair[0];
    return n == 1;
}

/* Canonical composition: a code point joins the last starter unless one of its own class or a higher one, or a starter, stands
 * between. */
static void compose(struct segment *segment)
{
    struct code_point *point = segment->point;
    size_t count = 0, starter = SIZE_MAX;
    for (size_t i = 0; i < segment->count; i++) {
        struct code_point now = point[i];
        bool adjacent = starter != SIZE_MAX && count == starter + 1;
        bool reaches = starter != SIZE_MAX && (adjacent || point[count - 1].combining_class < now.combining_class);
        if (reaches && compose_pair(point[starter].c, now.c, &point[starter].c)) {
            point[starter].gain += now.gain - 1;
            continue;
        }
        if (now.combining_class == 0) {
            starter = count;
        }
        point[count++] = now;
    }
    segment->count = count;
}

/* Origins go by order and number, as the library counts them, so that they never decrease: a code point that takes the place of one
 * or more sources has the origin of the first of them, one that came in addition that of the source before it. Reordered marks
 * thus share out their origins anew. */
static void append_segment(struct mapped_text *out, struct segment *segment, enum normalization_form form)
{
    order_marks(segment);
    if (is_composed(form)) {
        compose(segment);
    }
    size_t taken = 0;
    for (size_t i = 0; i < segment->count; i++) {
        char bytes[4];
        const struct code_point *point = &segment->point[i];
        bool in_addition = point->gain > 0 && taken > 0;
        uint32_t origin = segment->source_origin[in_addition ? taken - 1 : taken];
        mapped_text_insert(out, bytes, utf8_encode((uint32_t)point->c, bytes), origin);
        taken += (size_t)(1 - point->gain);
        CHECK(taken <= segment->sources);
    }
}

void unicode_normalize(struct mapped_text *out, const struct text_view *from, enum normalization_form form)
{
    struct segment segment = {0};
    size_t begin = 0;
    while (begin < from->length) {
        size_t end = begin;
        uint32_t first = utf8_next(from->text, &end);
        size_t next = end;
        segment.count = segment.sources = 0;
        while (next < from->length) {
            uint32_t c = utf8_next(from->text, &next);
            if (starts_segment(c, form)) {
                break;
            }
            if (segment.sources == 0) {
                segment_add(&segment, first, text_view_origin(from, begin), form);
            }
            segment_add(&segment, c, text_view_origin(from, end), form);
            end = next;
        }
        if (segment.sources == 0 && is_stable(first, form)) {
            mapped_text_copy(out, from, begin, end);
        } else {
            if (segment.sources == 0) {
                segment_add(&segment, first, text_view_origin(from, begin), form);
            }
            append_segment(out, &segment, form);
        }
        begin = end;
    }
    segment_free(&segment);
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
