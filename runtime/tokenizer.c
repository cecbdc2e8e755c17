#include "tokenizer_internal.h"

#include <stdlib.h>
#include <string.h>

void ids_push(struct ids *ids, int32_t id, uint32_t start)
{
    if (ids->count == ids->capacity) {
        ids->capacity = ids->capacity ? 2 * ids->capacity : 64;
        ids->id = reallocate(ids->id, ids->capacity * sizeof *ids->id, "token ids");
        ids->start = reallocate(ids->start, ids->capacity * sizeof *ids->start, "token ids");
    }
    ids->id[ids->count] = id;
    ids->start[ids->count++] = start;
}

void ids_free(struct ids *ids)
{
    free(ids->id);
    free(ids->start);
    *ids = (struct ids){0};
}

/* Normalized text between two added tokens: words, then tokens. */
static bool encode_words(struct tokenizer *t, struct text_view text, struct ids *ids, struct error *err)
{
    const struct splits *words;
    if (text.length == 0) {
        return true;
    }
    if (!pre_tokenizer_apply(&t->pre_tokenizer, &text, &words, err)) {
        return false;
    }
    for (size_t i = 0; i < words->count; i++) {
        struct text_view word = text_view_slice(&text, words->item[i].begin, words->item[i].end);
        bpe_encode_word(&t->bpe, &word, ids);
    }
    return true;
}

/* Text between two tokens that are matched before normalization. */
static bool encode_piece(struct tokenizer *t, struct text_view piece, struct ids *ids, struct error *err)
{
    struct text_view text;
    if (piece.length == 0) {
        return true;
    }
    if (!normalizer_apply(&t->normalizer, piece, &text, err)) {
        return false;
    }
    struct added_match match = {0};
    while (added_tokens_next(&t->added, &t->added.normalized, text.text, text.length, &match)) {
        if (match.begin > match.covered &&
            !encode_words(t, text_view_slice(&text, match.covered, match.begin), ids, err)) {
            return false;
        }
        ids_push(ids, t->added.token[match.index].id, text_view_origin(&text, match.begin));
    }
    return encode_words(t, text_view_slice(&text, match.end, text.length), ids, err);
}

static bool encode_text(struct tokenizer *t, const char *bytes, size_t length, struct ids *ids, struct error *err)
{
    struct text_view text = {.text = bytes, .length = length};
    struct added_match match = {0};
    while (added_tokens_next(&t->added, &t->added.raw, bytes, length, &match)) {
        if (match.begin > match.covered &&
            !encode_piece(t, text_view_slice(&text, match.covered, match.begin), ids, err)) {
            return false;
        }
        ids_push(ids, t->added.token[match.index].id, (uint32_t)match.begin);
    }
    return encode_piece(t, text_view_slice(&text, match.end, length), ids, err);
}

bool tokenizer_encode(struct tokenizer *t, const char *text, size_t length, bool add_special_tokens, struct ids *ids,
                      struct error *err)
{
    if (length > INT32_MAX) {
        return error_set(err, "a text of %zu bytes is too long for the tokenizer; at most 2 GiB fit", length);
    }
    size_t valid = utf8_valid_length(text, length);
    if (valid < length) {
        return error_set(err, "the text is not valid UTF-8: byte 0x%02X at offset %zu", (unsigned char)text[valid],
                         valid);
    }
    const struct post_processor *post = &t->post_processor;
    for (size_t i = 0; add_special_tokens && i < post->before.count; i++) {
        ids_push(ids, post->before.id[i], 0);
    }
    if (!encode_text(t, text, length, ids, err)) {
        return false;
    }
    for (size_t i = 0; add_special_tokens && i < post->after.count; i++) {
        ids_push(ids, post->after.id[i], (uint32_t)length);
    }
    return true;
}

/* The added token of an id whose text is not the vocabulary's, or NULL. */
static const struct added_token *find_renamed(const struct tokenizer *t, int32_t id)
{
    const struct added_token *token = added_tokens_find(&t->added, id);
    return token && token->decoded ? token : NULL;
}

static void decode_token(struct tokenizer *t, int32_t id, bool skip_special_tokens)
{
    size_t length;
    const char *text = vocabulary_text(&t->vocabulary, id, &length);
    if (!text) {
        return;
    }
    const struct added_token *renamed = find_renamed(t, id);
    if (renamed) {
        text = renamed->decoded;
        length = renamed->decoded_length;
    } else if (skip_special_tokens && t->special[id]) {
        return;
    }
    decoder_push(&t->decoder, text, length);
}

void tokenizer_decode(struct tokenizer *t, const int32_t *ids, size_t count, bool skip_special_tokens,
                      struct text_buffer *out)
{
    decoder_begin(&t->decoder);
    for (size_t i = 0; i < count; i++) {
        decode_token(t, ids[i], skip_special_tokens);
    }
    decoder_end(&t->decoder, out);
}

/* The stream keeps the ids from the last one that was written out on, so that a decoder sees what stood before the new one: text
 * may depend on whether a token is the first. A run of <0xXX> tokens is held back until it ends: one that is not valid UTF-8 becomes
 * U+FFFD from its first byte on. */
void tokenizer_stream_push(struct tokenizer *t, struct token_stream *stream, int32_t id, struct text_buffer *out)
{
    static const char replacement[] = "\xEF\xBF\xBD";
    struct text_buffer text = {0};
    ids_push(&stream->ids, id, 0);
    tokenizer_decode(t, stream->ids.id, stream->ids.count, stream->skip_special_tokens, &text);
    bool incomplete =
        t->decoder.ends_in_bytes || (text.length >= 3 && memcmp(text.data + text.length - 3, replacement, 3) == 0);
    if (text.length > stream->settled_bytes && !incomplete) {
        text_buffer_append(out, text.data + stream->settled_bytes, text.length - stream->settled_bytes);
        size_t kept = stream->ids.count - stream->settled_ids;
        memmove(stream->ids.id, stream->ids.id + stream->settled_ids, kept * sizeof *stream->ids.id);
        stream->ids.count = stream->settled_ids = kept;
        text.length = 0;
        tokenizer_decode(t, stream->ids.id, kept, stream->skip_special_tokens, &text);
        stream->settled_bytes = text.length;
    }
    text_buffer_free(&text);
}

void tokenizer_stream_end(struct tokenizer *t, struct token_stream *stream, struct text_buffer *out)
{
    struct text_buffer text = {0};
    tokenizer_decode(t, stream->ids.id, stream->ids.count, stream->skip_special_tokens, &text);
    if (text.length > stream->settled_bytes) {
        text_buffer_append(out, text.data + stream->settled_bytes, text.length - stream->settled_bytes);
    }
    text_buffer_free(&text);
    stream->ids.count = stream->settled_ids = stream->settled_bytes = 0;
}

void tokenizer_stream_free(struct token_stream *stream)
{
    ids_free(&stream->ids);
    *stream = (struct token_stream){0};
}

/* How many bytes the texts have in common at their beginnings, in whole characters. */
static size_t common_length(const struct text_buffer *a, const struct text_buffer *b, size_t from)
{
    size_t same = from;
    while (same < a->length && same < b->length && a->data[same] == b->data[same])
        same++;
    while (same > from && same < b->length && ((unsigned char)b->data[same] & 0xC0) == 0x80)
        same--;
    return same > from ? same - from : 0;
}

/* The stream gave the texts of the last tokens at once, `begin` being where in `out` they begin: what the first k of them make by
 * themselves is theirs as far as it is the same. The `before` ids in front only tell the decoder that others were there. */
static void divide(struct tokenizer *t, const int32_t *ids, size_t before, size_t count, size_t begin, size_t *end)
{
    struct text_buffer all = {0}, some = {0};
    tokenizer_decode(t, ids, before, false, &some);
    size_t from = some.length, given = 0;
    tokenizer_decode(t, ids, before + count, false, &all);
    for (size_t i = 0; i + 1 < count; i++) {
        some.length = 0;
        tokenizer_decode(t, ids, before + i + 1, false, &some);
        size_t common = common_length(&some, &all, from);
        given = common > given ? common : given;
        end[i] = begin + given;
    }
    text_buffer_free(&all);
    text_buffer_free(&some);
}

void tokenizer_decode_each(struct tokenizer *t, const int32_t *ids, size_t count, struct text_buffer *out, size_t *end)
{
    struct token_stream stream = {.skip_special_tokens = false};
    size_t context = 0, first = 0; /* the ids that the stream gave text for last, those that wait for theirs */
    for (size_t i = 0; i < count; i++) {
        size_t begin = out->length;
        tokenizer_stream_push(t, &stream, ids[i], out);
        if (i + 1 == count)
            tokenizer_stream_end(t, &stream, out);
        end[i] = out->length;
        if (end[i] > begin) {
            if (first < i)
                divide(t, ids + context, first - context, i + 1 - first, begin, end + first);
            context = first;
            first = i + 1;
        }
    }
    tokenizer_stream_free(&stream);
}

int32_t tokenizer_id(const struct tokenizer *t, const char *token)
{
    return vocabulary_find(&t->vocabulary, token, strlen(token));
}

const char *tokenizer_token(const struct tokenizer *t, int32_t id, size_t *length)
{
    return vocabulary_text(&t->vocabulary, id, length);
}

int32_t tokenizer_bos(const struct tokenizer *t)
{
    return t->bos;
}

int32_t tokenizer_eos(const struct tokenizer *t)
{
    return t->eos;
}

int32_t tokenizer_vocabulary_size(const struct tokenizer *t)
{
    return t->vocabulary.size;
}

bool tokenizer_is_special(const struct tokenizer *t, int32_t id)
{
    return id >= 0 && id < t->vocabulary.size && t->special[id];
}

void tokenizer_free(struct tokenizer *t)
{
    if (!t) {
        return;
    }
    bpe_free(&t->bpe);
    vocabulary_free(&t->vocabulary);
    free(t->in_model);
    free(t->special);
    added_tokens_free(&t->added);
    normalizer_free(&t->normalizer);
    pre_tokenizer_free(&t->pre_tokenizer);
    decoder_free(&t->decoder);
    ids_free(&t->post_processor.before);
    ids_free(&t->post_processor.after);
    free(t);
}
