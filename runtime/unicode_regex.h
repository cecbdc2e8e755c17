/* Regular expressions as the tokenizers library means them (Oniguruma, Ruby syntax, Unicode), run by PCRE2 with its compiler.
 *
 * The two dialects agree on nearly all that tokenizers use. Where they do not, the pattern is rewritten or refused:
 * unicode_regex_rewrite.h.
 */
#ifndef LORAC_UNICODE_REGEX_H
#define LORAC_UNICODE_REGEX_H

#include "error.h"
#include "unicode.h"

struct unicode_regex;

/* NULL on failure; *err then says what of the pattern is not understood. */
struct unicode_regex *unicode_regex_compile(const char *pattern, size_t length, struct error *err);
void unicode_regex_free(struct unicode_regex *regex);

/* A walk over the matches of one text. Zero-initialize; begin and end are the match last found. */
struct unicode_matches {
    size_t begin, end; /* bytes */
    size_t from;       /* where the search goes on */
    bool any;          /* begin and end are set */
};

/* Moves on to the next match in valid UTF-8: 1, or 0 when there is none, or -1 with *err for a text that PCRE2 gave up on. As in
 * Oniguruma's and Rust's iterators, an empty match right behind the last match does not count. */
int unicode_regex_next(struct unicode_regex *regex, const char *text, size_t length, struct unicode_matches *matches,
                       struct error *err);

#endif
