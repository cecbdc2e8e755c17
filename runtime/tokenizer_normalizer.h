/* The `normalizer` of tokenizer.json: what is done to text before it is cut into words.
 *
 * Known: Sequence, NFC, NFD, NFKC, NFKD, Lowercase, Strip, Prepend, Replace.
 */
#ifndef LORAC_TOKENIZER_NORMALIZER_H
#define LORAC_TOKENIZER_NORMALIZER_H

#include "tokenizer_pattern.h"
#include "unicode_normalize.h"

struct normalizer_step {
    enum { NORMALIZER_UNICODE, NORMALIZER_LOWERCASE, NORMALIZER_STRIP, NORMALIZER_PREPEND, NORMALIZER_REPLACE } type;
    enum normalization_form form;
    bool strip_left, strip_right;
    struct pattern pattern;
    char *content; /* Prepend, Replace */
};

/* Zero-initialize. The two scratch texts hold what the last normalizer_apply returned. */
struct normalizer {
    struct normalizer_step *step;
    size_t count;
    struct mapped_text scratch[2];
};

bool normalizer_load(struct normalizer *normalizer, const cJSON *section, struct error *err);

/* Normalizes `from` into *to, which is `from` itself if nothing changes, and else valid until the next call. */
bool normalizer_apply(struct normalizer *normalizer, struct text_view from, struct text_view *to, struct error *err);

void normalizer_free(struct normalizer *normalizer);

#endif
