/* Text that remembers where it came from: every byte of a rewritten text knows the offset of the original character behind it.
 *
 * A view is some text, with origins as an array or, while nothing has been rewritten, as first_origin + position. A mapped text
 * is what a rewriting step writes: it copies runs of the view it reads, and inserts bytes that the original does not hold.
 */
#ifndef LORAC_UNICODE_MAPPED_H
#define LORAC_UNICODE_MAPPED_H

#include "unicode.h"

struct text_view {
    const char *text; /* valid UTF-8 */
    size_t length;
    const uint32_t *origin; /* [length], never decreasing, or NULL */
    uint32_t first_origin;
};

/* Zero-initialize; owns its memory until mapped_text_free. origin is [text.length]. */
struct mapped_text {
    struct text_buffer text;
    uint32_t *origin;
    size_t origin_capacity;
};

/* The offset in the original text that byte `position` (< length) of the view came from. */
uint32_t text_view_origin(const struct text_view *view, size_t position);

/* The bytes [begin, end) of a view as a view. */
struct text_view text_view_slice(const struct text_view *view, size_t begin, size_t end);

struct text_view mapped_text_view(const struct mapped_text *text);
void mapped_text_clear(struct mapped_text *text);
void mapped_text_copy(struct mapped_text *out, const struct text_view *from, size_t begin, size_t end);
void mapped_text_insert(struct mapped_text *out, const char *text, size_t length, uint32_t origin);
void mapped_text_free(struct mapped_text *text);

#endif
