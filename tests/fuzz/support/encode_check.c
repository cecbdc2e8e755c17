#include "encode_check.h"

#include <string.h>

static void check_ids(const struct tokenizer *tokenizer, const struct ids *ids, size_t length)
{
    for (size_t i = 0; i < ids->count; i++) {
        size_t token_length;
        CHECK(tokenizer_token(tokenizer, ids->id[i], &token_length));
        CHECK(ids->start[i] <= length);
    }
}

/* What came since `begin` is whole characters; returns where the next begins. */
static size_t check_piece(const struct text_buffer *text, size_t begin)
{
    size_t length = text->length - begin;
    CHECK(length == 0 || utf8_valid_length(text->data + begin, length) == length);
    return text->length;
}

void decode_check(struct tokenizer *tokenizer, const int32_t *ids, size_t count, bool skip_special_tokens)
{
    struct text_buffer whole = {0}, pieces = {0};
    struct token_stream stream = {.skip_special_tokens = skip_special_tokens};
    size_t begin = 0;
    tokenizer_decode(tokenizer, ids, count, skip_special_tokens, &whole);
    check_piece(&whole, 0);
    for (size_t i = 0; i < count; i++) {
        tokenizer_stream_push(tokenizer, &stream, ids[i], &pieces);
        begin = check_piece(&pieces, begin);
    }
    tokenizer_stream_end(tokenizer, &stream, &pieces);
    check_piece(&pieces, begin);
    CHECK(pieces.length == whole.length);
    CHECK(whole.length == 0 || memcmp(pieces.data, whole.data, whole.length) == 0);
    text_buffer_free(&whole);
    text_buffer_free(&pieces);
    tokenizer_stream_free(&stream);
}

void encode_check(struct tokenizer *tokenizer, const char *text, size_t length)
{
    struct ids ids = {0};
    struct error err = {0};
    if (tokenizer_encode(tokenizer, text, length, true, &ids, &err)) {
        check_ids(tokenizer, &ids, length);
        decode_check(tokenizer, ids.id, ids.count, false);
    } else {
        CHECK(err.text[0]);
    }
    ids_free(&ids);
}
