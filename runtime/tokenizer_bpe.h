/* Byte pair encoding of words: the model of a tokenizer.json of type BPE.
 *
 * A word starts as its bytes (byte-level vocabularies) or its characters; then the pair of neighbours with the lowest merge rank,
 * the leftmost of equals, is joined until none is left (Sennrich et al. 2016, algorithm 1). Short words scan for the lowest rank;
 * long ones keep a heap, O(n log n). Results of short words are cached by their text in a table that grows
 * with their number up to a fixed size.
 */
#ifndef LORAC_TOKENIZER_BPE_H
#define LORAC_TOKENIZER_BPE_H

#include "tokenizer.h"
#include "tokenizer_merge_table.h"
#include "tokenizer_vocabulary.h"
#include "unicode_mapped.h"

struct cached_word;

struct bpe {
    const struct vocabulary *vocabulary; /* as spelled in the file */
    const bool *in_model;                /* [vocabulary size] false: an added token that the model does not know */
    struct merge_table merges;
    bool byte_level, byte_fallback, fuse_unk, ignore_merges;
    int32_t unk;              /* -1: unknown characters vanish */
    int32_t byte_symbol[256]; /* byte-level: the token of each byte; else its <0xXX> token; -1: none */
    int32_t ascii_symbol[128];
    struct hash_filter whole; /* byte-level with ignore_merges: hash_bytes of what the model's tokens spell */
    bool break_at_metaspace;  /* no merge joins a U+2581 to what stands before it, so words may be cut there */
    struct cached_word *cache;
    uint32_t cache_mask; /* slots - 1 */
    uint32_t cached;     /* words put there since it has this size */
    struct bpe_scratch *scratch;
};

/* Fills the symbol tables once vocabulary, merges and flags are set; false with *err naming what the vocabulary lacks. */
bool bpe_prepare(struct bpe *bpe, struct error *err);

/* Appends the tokens of one word (valid UTF-8) to `ids`. */
void bpe_encode_word(struct bpe *bpe, const struct text_view *word, struct ids *ids);

void bpe_free(struct bpe *bpe);

#endif
