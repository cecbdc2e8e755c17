#include "tokenizer_merge_table.h"

#include "error.h"

#include <stdlib.h>

enum { HASHES_A_WORD = 8 }; /* of 64 bits: one in eight of the hashes that are not there passes */

void hash_filter_reserve(struct hash_filter *filter, size_t count)
{
    size_t words = 64;
    while (words * HASHES_A_WORD < count) {
        words *= 2;
    }
    hash_filter_free(filter);
    filter->word = allocate(words * sizeof *filter->word, "a filter of hashes");
    filter->mask = (uint32_t)(words - 1);
}

void hash_filter_add(struct hash_filter *filter, uint32_t hash)
{
    filter->word[hash >> 12 & filter->mask] |= UINT64_C(1) << (hash >> 6 & 63);
}

void hash_filter_free(struct hash_filter *filter)
{
    free(filter->word);
    *filter = (struct hash_filter){0};
}

/* Its lower bits are the slot, its upper ones the filter's. */
static uint32_t pair_hash(int32_t left, int32_t right)
{
    uint64_t pair = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    return (uint32_t)(pair * UINT64_C(0x9E3779B97F4A7C15) >> 32);
}

void merge_table_reserve(struct merge_table *merges, size_t count)
{
    CHECK(!merges->slots);
    size_t slots = 64;
    while (slots < count + count / 2) {
        slots *= 2;
    }
    merges->slots = allocate(slots * sizeof *merges->slots, "the merge table");
    merges->mask = (uint32_t)(slots - 1);
    hash_filter_reserve(&merges->filter, slots / 2);
    for (size_t i = 0; i < slots; i++) {
        merges->slots[i].left = -1;
    }
}

void merge_table_free(struct merge_table *merges)
{
    hash_filter_free(&merges->filter);
    free(merges->slots);
    *merges = (struct merge_table){0};
}

static void grow_merges(struct merge_table *merges)
{
    struct merge_table larger = {0};
    merge_table_reserve(&larger, (size_t)merges->mask + 1);
    for (size_t i = 0; i <= merges->mask; i++) {
        const struct merge_slot *s = &merges->slots[i];
        if (s->left >= 0) {
            merge_table_set(&larger, s->left, s->right, s->rank, s->merged);
        }
    }
    merge_table_free(merges);
    *merges = larger;
}

void merge_table_announce(const struct merge_table *merges, int32_t left, int32_t right)
{
    __builtin_prefetch(&merges->slots[pair_hash(left, right) & merges->mask]);
}

void merge_table_set(struct merge_table *merges, int32_t left, int32_t right, uint32_t rank, int32_t merged)
{
    if (merges->count >= merges->mask / 10 * 7) {
        grow_merges(merges);
    }
    uint32_t hash = pair_hash(left, right), i = hash & merges->mask;
    hash_filter_add(&merges->filter, hash);
    while (merges->slots[i].left >= 0 && !(merges->slots[i].left == left && merges->slots[i].right == right)) {
        i = (i + 1) & merges->mask;
    }
    merges->count += merges->slots[i].left < 0;
    merges->slots[i] = (struct merge_slot){.left = left, .right = right, .rank = rank, .merged = merged};
}

const struct merge_slot *merge_table_find(const struct merge_table *merges, int32_t left, int32_t right)
{
    uint32_t hash = pair_hash(left, right);
    if (!hash_filter_may_have(&merges->filter, hash)) {
        return NULL;
    }
    for (uint32_t i = hash & merges->mask;; i = (i + 1) & merges->mask) {
        const struct merge_slot *s = &merges->slots[i];
        if (s->left < 0) {
            return NULL;
        }
        if (s->left == left && s->right == right) {
            return s;
        }
    }
}
