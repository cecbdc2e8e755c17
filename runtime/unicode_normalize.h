/* Unicode normalization forms and lower case of text that remembers where it came from.
 *
 * Normalization works segment by segment: a segment begins at a code point that can neither reorder nor compose with what
 * precedes it, so each may be normalized alone (Unicode Standard Annex 15). Text that is already normalized, which is nearly
 * all, is recognised by a scan and costs no copy. Tables are utf8proc's, cut back to Unicode 9, the version of the tokenizers
 * library's normalizers.
 */
#ifndef LORAC_UNICODE_NORMALIZE_H
#define LORAC_UNICODE_NORMALIZE_H

#include "unicode_mapped.h"

enum normalization_form { NORMALIZE_NFC, NORMALIZE_NFD, NORMALIZE_NFKC, NORMALIZE_NFKD };

/* True if normalizing `text` (valid UTF-8) could change it; false only if it certainly would not. */
bool unicode_may_need_normalization(const char *text, size_t length, enum normalization_form form);

/* Appends the normal form of `from`. All bytes of a character get the same origin: that of the first character it was composed from,
 * or of the one it is a part of; where marks are reordered, their origins stay in the order of the text. Time is linear. */
void unicode_normalize(struct mapped_text *out, const struct text_view *from, enum normalization_form form);

/* Appends `from` with each code point replaced by its full lower case mapping, without context (Rust's char::to_lowercase). */
void unicode_lowercase(struct mapped_text *out, const struct text_view *from);

#endif
