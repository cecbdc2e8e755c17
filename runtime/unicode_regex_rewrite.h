/* A regular expression of the tokenizers library (Oniguruma, Ruby syntax, Unicode) as one of PCRE2 with the same matches.
 *
 * Rewritten are `\s`, `\w`, `\d` and properties into the sets that Oniguruma means by them, and sets nested in sets into one. What
 * has no rewriting that is certain to match the same is refused by its name: `\h`, `\b`, `&&`, `{,n}`, `{n}?`, a possessive
 * interval, a conditional, an option that does not lead its group (in Ruby it goes on over the alternatives behind it), a property
 * that the two libraries do not know alike; and under (?i), where Oniguruma folds single characters to several and back, letters
 * outside ASCII, the pairs ss, st, ff, fi and fl, and sets with classes of letters.
 */
#ifndef LORAC_UNICODE_REGEX_REWRITE_H
#define LORAC_UNICODE_REGEX_REWRITE_H

#include "error.h"
#include "unicode.h"

/* Appends the rewritten pattern to *out; false with *err, which names what is not supported and its offset in bytes. */
bool unicode_regex_rewrite(struct text_buffer *out, const char *pattern, size_t length, struct error *err);

#endif
