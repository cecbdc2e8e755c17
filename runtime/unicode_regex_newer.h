/* Code points of Unicode 15 and 16 that the tokenizers library's Oniguruma knows and PCRE2 10.42 (Unicode 14) does not, by class.
 *
 * Scripts other than Han, Hiragana, Katakana, Arabic, Cyrillic and Latin are PCRE2's; so is Mn, which has U+1171E there and not now.
 */
#ifndef LORAC_UNICODE_REGEX_NEWER_H
#define LORAC_UNICODE_REGEX_NEWER_H

#include "unicode.h"

/* Appends, as contents of a set, the newer code points of a general category ("Lu", or all of "L") or of a script ("Han"). */
void newer_code_points_append(struct text_buffer *out, const char *name, size_t length);

#endif
