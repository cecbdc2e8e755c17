/* The `pre_tokenizer` of tokenizer.json: cuts normalized text into the words that the model sees one by one.
 *
 * Known: Sequence, Split, ByteLevel (last in its sequence), Metaspace, Digits, Punctuation. The byte-to-character spelling of
 * ByteLevel is not done to the text: the model then works on the bytes themselves (tokenizer_bpe.h).
 */
#ifndef LORAC_TOKENIZER_PRETOKENIZER_H
#define LORAC_TOKENIZER_PRETOKENIZER_H

#include "tokenizer_pattern.h"
#include "unicode_mapped.h"

struct pre_tokenizer_step {
    enum { PRE_SPLIT, PRE_BYTE_LEVEL, PRE_METASPACE, PRE_DIGITS, PRE_PUNCTUATION } type;
    struct pattern pattern; /* Split; ByteLevel with use_regex */
    enum split_behavior behavior;
    bool invert;
    bool add_prefix_space;                                         /* ByteLevel */
    char *replacement;                                             /* Metaspace */
    enum { PREPEND_ALWAYS, PREPEND_FIRST, PREPEND_NEVER } prepend; /* Metaspace */
    bool split;                                                    /* Metaspace */
};

/* Zero-initialize. */
struct pre_tokenizer {
    struct pre_tokenizer_step *step;
    size_t count;
    bool byte_level;          /* words are to be taken as bytes */
    struct splits scratch[2]; /* what the last pre_tokenizer_apply returned */
    struct mapped_text rewritten[2];
};

bool pre_tokenizer_load(struct pre_tokenizer *pre_tokenizer, const cJSON *section, struct error *err);

/* Cuts *text (not empty) into *words, ranges of it in order. A step that rewrites text makes *text another one; both are valid
 * until the next call. */
bool pre_tokenizer_apply(struct pre_tokenizer *pre_tokenizer, struct text_view *text, const struct splits **words,
                         struct error *err);

void pre_tokenizer_free(struct pre_tokenizer *pre_tokenizer);

/* Reads replacement, prepend_scheme, add_prefix_space and split of a Metaspace, which is a decoder too. */
bool metaspace_load(struct pre_tokenizer_step *step, const cJSON *object, const char *path, struct error *err);

#endif
