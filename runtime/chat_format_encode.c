/* Conversations in tokens, and where in them an assistant's turns lie. */
#include "chat_format_internal.h"

#include <stdlib.h>

void chat_spans_free(struct chat_spans *spans)
{
    free(spans->item);
    *spans = (struct chat_spans){0};
}

void chat_spans_push(struct chat_spans *spans, struct chat_span span)
{
    if (spans->count == spans->capacity) {
        spans->capacity = spans->capacity ? 2 * spans->capacity : 8;
        spans->item = reallocate(spans->item, spans->capacity * sizeof *spans->item, "a conversation");
    }
    spans->item[spans->count++] = span;
}

/* Bytes to tokens: those that overlap the span. One without bytes of its own (a space that the tokenizer put in) counts as the
 * character that it stands before. */
static struct chat_span span_of_tokens(struct chat_span bytes, const struct ids *ids, size_t first, size_t text_length)
{
    struct chat_span tokens = {.begin = ids->count, .end = first, .message = bytes.message};
    size_t low = first, high = ids->count;
    while (low < high) { /* the first token that starts behind the span's begin */
        size_t middle = low + (high - low) / 2;
        if (ids->start[middle] <= bytes.begin) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    while (low > first && ids->start[low - 1] == bytes.begin) {
        low--;
    }
    bool reaches_in =
        low > first && bytes.begin < bytes.end && (low < ids->count ? ids->start[low] : text_length) > bytes.begin;
    tokens.begin = reaches_in ? low - 1 : low;
    tokens.end = low;
    while (tokens.end < ids->count && ids->start[tokens.end] < bytes.end) {
        tokens.end++;
    }
    return tokens;
}

bool chat_format_encode(const struct chat_format *format, struct tokenizer *tokenizer,
                        const struct chat_conversation *conversation, bool add_generation_prompt, struct ids *ids,
                        struct chat_spans *spans, struct error *err)
{
    struct text_buffer text = {0};
    struct chat_spans bytes = {0};
    size_t first = ids->count;
    bool ok = chat_format_render(format, conversation, add_generation_prompt, &text, &bytes, err) &&
              tokenizer_encode(tokenizer, text.data ? text.data : "", text.length, false, ids, err);
    for (size_t i = 0; ok && spans && i < bytes.count; i++) {
        struct chat_span s = span_of_tokens(bytes.item[i], ids, first, text.length);
        chat_spans_push(spans, s);
    }
    chat_spans_free(&bytes);
    text_buffer_free(&text);
    return ok;
}
