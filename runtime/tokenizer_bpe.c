#include "tokenizer_bpe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    POSITION_BITS = 6,
    SCANNED_SYMBOLS = 1 << POSITION_BITS, /* longer words keep a heap */
    CACHED_BYTES = 32,
    CACHED_TOKENS = 6,
    SMALLEST_CACHE = 1 << 8, /* words; 16 KiB */
    LARGEST_CACHE = 1 << 16, /* 4 MiB */
    CACHE_GROWTH = 16,
};

static const uint32_t NO_PAIR =
    UINT32_MAX; /* a key above all: ranks end below 2^26, as a file of 256 MiB has fewer merges */

/* One cache line: a word and its tokens. A later word with the same slot replaces it. */
struct cached_word {
    uint8_t length, count; /* length 0: free */
    uint8_t start[CACHED_TOKENS];
    int32_t id[CACHED_TOKENS];
    char text[CACHED_BYTES];
};

struct symbol {
    int32_t id;
    uint32_t start;         /* bytes from the start of the word */
    int32_t previous, next; /* -1: none */
};

struct candidate {
    uint32_t rank, position;
    int32_t merged;
};

struct bpe_scratch {
    struct symbol *symbol;
    size_t count, capacity;
    struct candidate *heap;
    size_t heap_count, heap_capacity;
    struct text_buffer spelled; /* a word in the byte-level alphabet */
};

static int32_t find_in_model(const struct bpe *bpe, const char *text, size_t length)
{
    int32_t id = vocabulary_find(bpe->vocabulary, text, length);
    return id >= 0 && bpe->in_model[id] ? id : -1;
}

static const char metaspace[] = "\xE2\x96\x81";

/* Words may be cut in front of a metaspace if it is a token itself (so that it ends a run of unknowns) and no merge has it at the
 * start of its right half with anything else at the end of its left half. */
static bool may_break_at_metaspace(const struct bpe *bpe)
{
    if (bpe->byte_level || bpe->ignore_merges || find_in_model(bpe, metaspace, 3) < 0) {
        return false;
    }
    for (size_t i = 0; i <= bpe->merges.mask; i++) {
        const struct merge_slot *s = &bpe->merges.slots[i];
        if (s->left < 0) {
            continue;
        }
        size_t left_length, right_length;
        const char *left = vocabulary_text(bpe->vocabulary, s->left, &left_length);
        const char *right = vocabulary_text(bpe->vocabulary, s->right, &right_length);
        bool right_starts = right_length >= 3 && memcmp(right, metaspace, 3) == 0;
        bool left_ends = left_length >= 3 && memcmp(left + left_length - 3, metaspace, 3) == 0;
        if (right_starts && !left_ends) {
            return false;
        }
    }
    return true;
}

/* An empty cache in place of the one there: what is forgotten with that is soon there again. */
static void renew_cache(struct bpe *bpe, uint32_t slots)
{
    free(bpe->cache);
    bpe->cache = allocate(slots * sizeof *bpe->cache, "the word cache");
    bpe->cache_mask = slots - 1;
    bpe->cached = 0;
}

/* The tokens of the model by the bytes that they spell, for words that are asked for whole. */
static void prepare_whole(struct bpe *bpe)
{
    struct text_buffer bytes = {0};
    hash_filter_reserve(&bpe->whole, (size_t)bpe->vocabulary->count);
    for (int32_t id = 0; id < bpe->vocabulary->size; id++) {
        size_t length;
        const char *text = bpe->in_model[id] ? vocabulary_text(bpe->vocabulary, id, &length) : NULL;
        bytes.length = 0;
        if (text && length > 0 && byte_level_decode(&bytes, text, length)) {
            hash_filter_add(&bpe->whole, (uint32_t)hash_bytes(bytes.data, bytes.length));
        }
    }
    text_buffer_free(&bytes);
}

bool bpe_prepare(struct bpe *bpe, struct error *err)
{
    for (int byte = 0; byte < 256; byte++) {
        char spelled[8];
        size_t length = bpe->byte_level ? utf8_encode(byte_level_character((unsigned char)byte), spelled)
                                        : (size_t)snprintf(spelled, sizeof spelled, "<0x%02X>", (unsigned)byte);
        bpe->byte_symbol[byte] = find_in_model(bpe, spelled, length);
        if (bpe->byte_level && bpe->byte_fallback && bpe->byte_symbol[byte] < 0) {
            return error_set(err,
                             "model.byte_fallback: true is not supported together with a ByteLevel pre-tokenizer whose "
                             "alphabet the vocabulary lacks (byte 0x%02X)",
                             (unsigned)byte);
        }
    }
    for (int c = 0; c < 128; c++) {
        bpe->ascii_symbol[c] = find_in_model(bpe, &(char){(char)c}, 1);
    }
    if (!bpe->merges.slots) {
        merge_table_reserve(&bpe->merges, 0);
    }
    bpe->break_at_metaspace = may_break_at_metaspace(bpe);
    renew_cache(bpe, SMALLEST_CACHE);
    if (bpe->byte_level && bpe->ignore_merges) {
        prepare_whole(bpe);
    }
    bpe->scratch = allocate(sizeof *bpe->scratch, "the tokenizer");
    return true;
}

static void push_symbol(struct bpe_scratch *s, int32_t id, size_t start)
{
    if (s->count == s->capacity) {
        s->capacity = s->capacity ? 2 * s->capacity : 256;
        s->symbol = reallocate(s->symbol, s->capacity * sizeof *s->symbol, "the tokenizer");
    }
    s->symbol[s->count++] = (struct symbol){.id = id, .start = (uint32_t)start};
}

static bool push_fallback_bytes(const struct bpe *bpe, const char *text, size_t begin, size_t end)
{
    for (size_t i = begin; i < end; i++) {
        if (bpe->byte_symbol[(unsigned char)text[i]] < 0) {
            return false;
        }
    }
    for (size_t i = begin; i < end; i++) {
        push_symbol(bpe->scratch, bpe->byte_symbol[(unsigned char)text[i]], i);
    }
    return true;
}

/* Characters to symbols. A run of unknown characters is one <unk> with fuse_unk; a pending one is written before the next known
 * character, but after fallback bytes, which is the library's order. */
static void split_characters(const struct bpe *bpe, const char *text, size_t length)
{
    bool pending = false;
    size_t pending_start = 0;
    for (size_t i = 0; i < length;) {
        size_t begin = i;
        unsigned char c = (unsigned char)text[i];
        utf8_next(text, &i);
        int32_t id = c < 0x80 ? bpe->ascii_symbol[c] : find_in_model(bpe, text + begin, i - begin);
        if (id < 0 && bpe->byte_fallback && push_fallback_bytes(bpe, text, begin, i)) {
            continue;
        }
        if (pending && (id >= 0 || (bpe->unk >= 0 && !bpe->fuse_unk))) {
            push_symbol(bpe->scratch, bpe->unk, pending_start);
            pending = false;
        }
        if (id >= 0) {
            push_symbol(bpe->scratch, id, begin);
        } else if (bpe->unk >= 0 && !pending) {
            pending = true;
            pending_start = begin;
        }
    }
    if (pending) {
        push_symbol(bpe->scratch, bpe->unk, pending_start);
    }
}

/* Bytes to symbols; a byte without a token behaves as an unknown character. */
static void split_bytes(const struct bpe *bpe, const char *text, size_t length)
{
    bool fused = false;
    for (size_t i = 0; i < length; i++) {
        int32_t id = bpe->byte_symbol[(unsigned char)text[i]];
        if (id >= 0) {
            push_symbol(bpe->scratch, id, i);
        } else if (bpe->unk >= 0 && !(fused && bpe->fuse_unk)) {
            push_symbol(bpe->scratch, bpe->unk, i);
        }
        fused = id < 0;
    }
}

/* A chain of all symbols, from which joined ones drop out: they keep their place with id -1. */
static void link_symbols(struct bpe_scratch *s)
{
    int32_t n = (int32_t)s->count;
    for (int32_t i = 0; i < n; i++) {
        s->symbol[i].previous = i - 1;
        s->symbol[i].next = i + 1 < n ? i + 1 : -1;
    }
}

static void join_to_next(struct bpe_scratch *s, int32_t left, int32_t merged)
{
    struct symbol *symbol = &s->symbol[left];
    struct symbol *right = &s->symbol[symbol->next];
    symbol->id = merged;
    symbol->next = right->next;
    right->id = -1;
    if (symbol->next >= 0) {
        s->symbol[symbol->next].previous = left;
    }
}

static void drop_joined(struct bpe_scratch *s)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->count; i++) {
        if (s->symbol[i].id >= 0) {
            s->symbol[kept++] = s->symbol[i];
        }
    }
    s->count = kept;
}

/* Of a short word: what symbol i and the next would become, and as a key their rank with i in its lowest bits, so that the least key is
 * the pair to join. */
struct pairs {
    uint32_t key[SCANNED_SYMBOLS];
    int32_t merged[SCANNED_SYMBOLS];
};

static void set_pair(const struct bpe *bpe, struct pairs *pairs, const struct symbol *symbol, int32_t i)
{
    const struct merge_slot *m =
        symbol[i].next < 0 ? NULL : merge_table_find(&bpe->merges, symbol[i].id, symbol[symbol[i].next].id);
    pairs->key[i] = m ? m->rank << POSITION_BITS | (uint32_t)i : NO_PAIR;
    pairs->merged[i] = m ? m->merged : -1;
}

/* `count` is a multiple of four, for four comparisons at a time. */
static uint32_t least_key(const uint32_t *key, size_t count)
{
    uint32_t least[4] = {key[0], key[1], key[2], key[3]};
    for (size_t i = 4; i < count; i += 4) {
        for (size_t j = 0; j < 4; j++) {
            least[j] = key[i + j] < least[j] ? key[i + j] : least[j];
        }
    }
    uint32_t first = least[0] < least[1] ? least[0] : least[1], last = least[2] < least[3] ? least[2] : least[3];
    return first < last ? first : last;
}

/* Joins until no pair has a rank. */
static void merge_by_scanning(const struct bpe *bpe, struct bpe_scratch *s)
{
    struct pairs pairs;
    size_t count = (s->count + 3) / 4 * 4;
    uint32_t least;
    if (s->count < 2) {
        return;
    }
    link_symbols(s);
    for (size_t i = s->count; i < count; i++) {
        pairs.key[i] = NO_PAIR;
    }
    for (int32_t i = 0; i < (int32_t)s->count; i++) {
        set_pair(bpe, &pairs, s->symbol, i);
    }
    while ((least = least_key(pairs.key, count)) != NO_PAIR) {
        int32_t left = (int32_t)(least & (SCANNED_SYMBOLS - 1));
        pairs.key[s->symbol[left].next] = NO_PAIR;
        join_to_next(s, left, pairs.merged[left]);
        int32_t previous = s->symbol[left].previous;
        if (previous >= 0) {
            merge_table_announce(&bpe->merges, s->symbol[previous].id, s->symbol[left].id);
        }
        set_pair(bpe, &pairs, s->symbol, left);
        if (previous >= 0) {
            set_pair(bpe, &pairs, s->symbol, previous);
        }
    }
    drop_joined(s);
}

static bool is_before(const struct candidate *a, const struct candidate *b)
{
    return a->rank != b->rank ? a->rank < b->rank : a->position < b->position;
}

static void heap_push(const struct bpe *bpe, struct bpe_scratch *s, int32_t left, int32_t right)
{
    const struct merge_slot *m = merge_table_find(&bpe->merges, s->symbol[left].id, s->symbol[right].id);
    if (!m) {
        return;
    }
    if (s->heap_count == s->heap_capacity) {
        s->heap_capacity = s->heap_capacity ? 2 * s->heap_capacity : 256;
        s->heap = reallocate(s->heap, s->heap_capacity * sizeof *s->heap, "the tokenizer");
    }
    struct candidate c = {.rank = m->rank, .position = (uint32_t)left, .merged = m->merged};
    size_t i = s->heap_count++;
    for (; i > 0 && is_before(&c, &s->heap[(i - 1) / 2]); i = (i - 1) / 2) {
        s->heap[i] = s->heap[(i - 1) / 2];
    }
    s->heap[i] = c;
}

static struct candidate heap_pop(struct bpe_scratch *s)
{
    struct candidate top = s->heap[0], last = s->heap[--s->heap_count];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= s->heap_count) {
            break;
        }
        child += child + 1 < s->heap_count && is_before(&s->heap[child + 1], &s->heap[child]);
        if (!is_before(&s->heap[child], &last)) {
            break;
        }
        s->heap[i] = s->heap[child];
        i = child;
    }
    s->heap[i] = last;
    return top;
}

/* The same result for words of any length. A candidate whose symbols have changed since it was queued is dropped when it comes up. */
static void merge_by_heap(const struct bpe *bpe, struct bpe_scratch *s)
{
    s->heap_count = 0;
    link_symbols(s);
    for (int32_t i = 0; i + 1 < (int32_t)s->count; i++) {
        heap_push(bpe, s, i, i + 1);
    }
    while (s->heap_count > 0) {
        struct candidate top = heap_pop(s);
        struct symbol *left = &s->symbol[top.position];
        if (left->id < 0 || left->next < 0) {
            continue;
        }
        const struct merge_slot *m = merge_table_find(&bpe->merges, left->id, s->symbol[left->next].id);
        if (!m || m->merged != top.merged) {
            continue;
        }
        join_to_next(s, (int32_t)top.position, top.merged);
        if (left->next >= 0) {
            heap_push(bpe, s, (int32_t)top.position, left->next);
        }
        if (left->previous >= 0) {
            heap_push(bpe, s, left->previous, (int32_t)top.position);
        }
    }
    drop_joined(s);
}

/* The token whose text the word is, or -1. */
static int32_t find_whole(const struct bpe *bpe, const char *text, size_t length)
{
    if (!bpe->byte_level) {
        return find_in_model(bpe, text, length);
    }
    if (!hash_filter_may_have(&bpe->whole, (uint32_t)hash_bytes(text, length))) {
        return -1;
    }
    struct text_buffer *spelled = &bpe->scratch->spelled;
    spelled->length = 0;
    byte_level_encode(spelled, text, length);
    return find_in_model(bpe, spelled->data, spelled->length);
}

static void tokenize_word(const struct bpe *bpe, const char *text, size_t length)
{
    struct bpe_scratch *s = bpe->scratch;
    s->count = 0;
    int32_t whole = bpe->ignore_merges ? find_whole(bpe, text, length) : -1;
    if (whole >= 0) {
        push_symbol(s, whole, 0);
        return;
    }
    if (bpe->byte_level) {
        split_bytes(bpe, text, length);
    } else {
        split_characters(bpe, text, length);
    }
    if (s->count <= SCANNED_SYMBOLS) {
        merge_by_scanning(bpe, s);
    } else {
        merge_by_heap(bpe, s);
    }
}

static void remember_word(struct cached_word *slot, const char *text, size_t length, const struct bpe_scratch *s)
{
    slot->length = (uint8_t)length;
    slot->count = (uint8_t)s->count;
    memcpy(slot->text, text, length);
    for (size_t i = 0; i < s->count; i++) {
        slot->id[i] = s->symbol[i].id;
        slot->start[i] = (uint8_t)s->symbol[i].start;
    }
}

static void encode_part(struct bpe *bpe, const struct text_view *word, size_t begin, size_t end, struct ids *ids)
{
    const char *text = word->text + begin;
    size_t length = end - begin;
    struct cached_word *slot = NULL;
    if (length <= CACHED_BYTES) {
        slot = &bpe->cache[hash_bytes(text, length) & bpe->cache_mask];
        if (slot->length == length && memcmp(slot->text, text, length) == 0) {
            for (size_t i = 0; i < slot->count; i++) {
                ids_push(ids, slot->id[i], text_view_origin(word, begin + slot->start[i]));
            }
            return;
        }
    }
    tokenize_word(bpe, text, length);
    const struct bpe_scratch *s = bpe->scratch;
    for (size_t i = 0; i < s->count; i++) {
        ids_push(ids, s->symbol[i].id, text_view_origin(word, begin + s->symbol[i].start));
    }
    if (slot && s->count <= CACHED_TOKENS) {
        remember_word(slot, text, length, s);
        if (++bpe->cached > bpe->cache_mask && bpe->cached < LARGEST_CACHE) {
            renew_cache(bpe, bpe->cached * CACHE_GROWTH);
        }
    }
}

/* The end of the part that begins at `begin`: before the next metaspace that follows something else. */
static size_t part_end(const struct text_view *word, size_t begin)
{
    bool inside = false;
    for (size_t i = begin; i < word->length;) {
        bool is_metaspace =
            word->text[i] == metaspace[0] && word->length - i >= 3 && memcmp(word->text + i, metaspace, 3) == 0;
        if (is_metaspace && inside) {
            return i;
        }
        inside = !is_metaspace;
        i += is_metaspace ? 3 : 1;
    }
    return word->length;
}

void bpe_encode_word(struct bpe *bpe, const struct text_view *word, struct ids *ids)
{
    if (word->length == 0) {
        return;
    }
    size_t begin = 0;
    while (begin < word->length) {
        size_t end = bpe->break_at_metaspace ? part_end(word, begin) : word->length;
        encode_part(bpe, word, begin, end, ids);
        begin = end;
    }
}

void bpe_free(struct bpe *bpe)
{
    merge_table_free(&bpe->merges);
    hash_filter_free(&bpe->whole);
    free(bpe->cache);
    if (bpe->scratch) {
        free(bpe->scratch->symbol);
        free(bpe->scratch->heap);
        text_buffer_free(&bpe->scratch->spelled);
        free(bpe->scratch);
    }
    *bpe = (struct bpe){0};
}
