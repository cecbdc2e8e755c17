/* The merges of a BPE model, 280,000 of them in Llama 3: each is two texts to look for in the vocabulary, all over it. They are taken
 * a batch at a time, in steps that each bring near what the next one reads, so that loading does not wait for memory. */
#include "tokenizer_internal.h"
#include "tokenizer_json.h"

#include <string.h>

enum { MERGES_AT_ONCE = 64 };

/* Its two halves lie end to end in the batch's text. */
struct merge {
    size_t begin, left, length; /* bytes: where the text begins, its left half, all of it */
};

struct merge_batch {
    struct tokenizer *tokenizer;
    const char *name; /* file and field, for messages */
    struct text_buffer text;
    struct merge merge[MERGES_AT_ONCE];
    struct vocabulary_search half[2 * MERGES_AT_ONCE];
    size_t count;
    uint32_t taken; /* merges in the batches before: the rank of this one's first */
    int32_t newest; /* what the last merge gave, or -1 */
};

/* "a b": takes the blank out, *left becomes the length of a. */
static bool split_at_blank(struct text_buffer *text, size_t begin, size_t *left, const char *name, struct error *err)
{
    char *start = text->data + begin;
    size_t length = text->length - begin;
    char *blank = memchr(start, ' ', length);
    size_t behind = blank ? (size_t)(start + length - blank - 1) : 0;
    if (!blank || memchr(blank + 1, ' ', behind)) {
        return error_set(err, "%s: '%.*s' is not two tokens with a blank between", name,
                         (int)(length < 80 ? length : 80), start);
    }
    *left = (size_t)(blank - start);
    memmove(blank, blank + 1, behind);
    text->length--;
    return true;
}

/* Either ["a", "b"] or "a b"; *comment: a line such as "#version: 0.2", which is no merge. */
static bool read_merge(struct merge_batch *batch, struct json_cursor *cursor, struct merge *merge, bool *comment,
                       struct error *err)
{
    struct text_buffer *text = &batch->text;
    text_buffer_reserve(text, 1); /* so that data is not NULL for an empty text */
    merge->begin = text->length;
    *comment = false;
    if (json_cursor_peek(cursor) == '[') {
        cursor->position++;
        if (!json_cursor_string(cursor, text, err) || !json_cursor_take(cursor, ',', err)) {
            return false;
        }
        merge->left = text->length - merge->begin;
        if (!json_cursor_string(cursor, text, err) || !json_cursor_take(cursor, ']', err)) {
            return false;
        }
    } else {
        if (!json_cursor_string(cursor, text, err)) {
            return false;
        }
        *comment = text->length - merge->begin >= 8 && memcmp(text->data + merge->begin, "#version", 8) == 0;
        if (!*comment && !split_at_blank(text, merge->begin, &merge->left, batch->name, err)) {
            return false;
        }
    }
    merge->length = text->length - merge->begin;
    return true;
}

static bool unknown_token(const struct merge_batch *batch, size_t index, const char *text, size_t length,
                          struct error *err)
{
    return error_set(err, "%s[%u] needs the token '%.*s', which model.vocab does not have", batch->name,
                     batch->taken + (uint32_t)index, (int)(length < 80 ? length : 80), text);
}

/* The token that a merge gives. Merges mostly stand in the order of their results' ids, one or more for each. */
static int32_t find_result(const struct merge_batch *batch, const char *text, size_t length)
{
    const struct vocabulary *vocabulary = &batch->tokenizer->vocabulary;
    for (int32_t id = batch->newest; id <= batch->newest + 1; id++) {
        if (vocabulary_is(vocabulary, id, text, length)) {
            return id;
        }
    }
    return vocabulary_find(vocabulary, text, length);
}

static bool find_halves(struct merge_batch *batch, struct error *err)
{
    struct vocabulary_search *half = batch->half;
    for (size_t i = 0; i < batch->count; i++) {
        const struct merge *merge = &batch->merge[i];
        const char *text = batch->text.data + merge->begin;
        if (merge->left == 0 || merge->left == merge->length) {
            return error_set(err, "%s[%u] joins '%.*s' with nothing", batch->name, batch->taken + (uint32_t)i,
                             (int)(merge->length < 80 ? merge->length : 80), text);
        }
        half[2 * i] = (struct vocabulary_search){.text = text, .length = merge->left};
        half[2 * i + 1] = (struct vocabulary_search){.text = text + merge->left, .length = merge->length - merge->left};
    }
    vocabulary_find_many(&batch->tokenizer->vocabulary, half, 2 * batch->count);
    for (size_t i = 0; i < 2 * batch->count; i++) {
        if (half[i].id < 0) {
            return unknown_token(batch, i / 2, half[i].text, half[i].length, err);
        }
    }
    for (size_t i = 0; i < batch->count; i++) {
        merge_table_announce(&batch->tokenizer->bpe.merges, half[2 * i].id, half[2 * i + 1].id);
    }
    return true;
}

/* Moves the batch into the table, and leaves it empty. */
static bool take_batch(struct merge_batch *batch, struct error *err)
{
    if (!find_halves(batch, err)) {
        return false;
    }
    for (size_t i = 0; i < batch->count; i++) {
        const struct merge *merge = &batch->merge[i];
        const char *text = batch->text.data + merge->begin;
        int32_t result = find_result(batch, text, merge->length);
        if (result < 0) {
            return unknown_token(batch, i, text, merge->length, err);
        }
        merge_table_set(&batch->tokenizer->bpe.merges, batch->half[2 * i].id, batch->half[2 * i + 1].id,
                        batch->taken + (uint32_t)i, result);
        batch->newest = result;
    }
    batch->taken += (uint32_t)batch->count;
    batch->count = 0;
    batch->text.length = 0;
    return true;
}

static bool push_merge(struct merge_batch *batch, struct json_cursor *cursor, struct error *err)
{
    bool comment;
    if (!read_merge(batch, cursor, &batch->merge[batch->count], &comment, err)) {
        return false;
    }
    batch->count += !comment;
    return batch->count < MERGES_AT_ONCE || take_batch(batch, err);
}

bool tokenizer_load_merges(struct tokenizer *tokenizer, struct json_cursor *cursor, struct error *err)
{
    struct merge_batch batch = {.tokenizer = tokenizer, .name = cursor->name, .newest = -1};
    merge_table_reserve(&tokenizer->bpe.merges, (size_t)tokenizer->vocabulary.count);
    bool more, first = true, ok = json_cursor_take(cursor, '[', err);
    while (ok && (ok = json_cursor_more(cursor, ']', first, &more, err)) && more) {
        first = false;
        ok = push_merge(&batch, cursor, err);
    }
    ok = ok && take_batch(&batch, err);
    text_buffer_free(&batch.text);
    return ok;
}
