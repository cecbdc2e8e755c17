#include "encode_check.h"

static void check_ids(const struct tokenizer *tokenizer, const struct ids *ids, size_t length)
{
    for (size_t i = 0; i < ids->count; i++) {
        size_t token_length;
        CHECK(tokenizer_token(tokenizer, ids->id[i], &token_length));
        CHECK(ids->start[i] <= length);
    }
}

static void check_decoding(struct tokenizer *tokenizer, const struct ids *ids)
{
    struct text_buffer text = {0};
    struct token_stream stream = {0};
    tokenizer_decode(tokenizer, ids->id, ids->count, false, &text);
    CHECK(utf8_valid_length(text.data, text.length) == text.length);
    for (size_t i = 0; i < ids->count; i++)
        tokenizer_stream_push(tokenizer, &stream, ids->id[i], &text);
    tokenizer_stream_end(tokenizer, &stream, &text);
    text_buffer_free(&text);
    tokenizer_stream_free(&stream);
}

void encode_check(struct tokenizer *tokenizer, const char *text, size_t length)
{
    struct ids ids = {0};
    struct error err = {0};
    if (tokenizer_encode(tokenizer, text, length, true, &ids, &err)) {
        check_ids(tokenizer, &ids, length);
        check_decoding(tokenizer, &ids);
    } else {
        CHECK(err.text[0]);
    }
    ids_free(&ids);
}
