/* The merges of a byte pair encoding by their pair of tokens: open addressing, and in front of it a filter.
 *
 * Most pairs that are asked for have no merge, and the slots of 280,000 merges (8 MiB) lie far from the processor; the filter, a bit
 * by the pair's hash, is small enough (256 KiB) to be near.
 */
#ifndef LORAC_TOKENIZER_MERGE_TABLE_H
#define LORAC_TOKENIZER_MERGE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A set of hashes that may say yes to one that it does not hold, never no to one that it holds. Zero-initialize; until it is reserved it
 * says yes to all. */
struct hash_filter {
    uint64_t *word;
    uint32_t mask; /* words - 1 */
};

/* Room for `count` hashes, none of them there yet. */
void hash_filter_reserve(struct hash_filter *filter, size_t count);
void hash_filter_add(struct hash_filter *filter, uint32_t hash);
void hash_filter_free(struct hash_filter *filter);

static inline bool hash_filter_may_have(const struct hash_filter *filter, uint32_t hash)
{
    return !filter->word || (filter->word[hash >> 12 & filter->mask] >> (hash >> 6 & 63) & 1);
}

struct merge_slot {
    int32_t left, right; /* left -1: free */
    uint32_t rank;
    int32_t merged;
};

/* Zero-initialize, merge_table_reserve, merge_table_free. */
struct merge_table {
    struct merge_slot *slots;
    struct hash_filter filter;
    uint32_t mask;  /* slots - 1 */
    uint32_t count; /* pairs */
};

/* Room for `count` pairs. */
void merge_table_reserve(struct merge_table *merges, size_t count);
void merge_table_free(struct merge_table *merges);

/* Brings near what merge_table_set and merge_table_find will look at for this pair. */
void merge_table_announce(const struct merge_table *merges, int32_t left, int32_t right);

/* Sets the rank and result of a pair; a pair given twice keeps the last, as in the tokenizers library. */
void merge_table_set(struct merge_table *merges, int32_t left, int32_t right, uint32_t rank, int32_t merged);

/* The merge of a pair, or NULL. */
const struct merge_slot *merge_table_find(const struct merge_table *merges, int32_t left, int32_t right);

#endif
