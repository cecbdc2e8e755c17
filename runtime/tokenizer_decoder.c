#include "tokenizer_decoder.h"

#include "tokenizer_pretokenizer.h"

#include <stdlib.h>
#include <string.h>

static bool copy_content(struct decoder_step *step, const cJSON *object, const char *path, struct error *err)
{
    const char *content = field_string(object, path, "content", err);
    step->content = content ? format_text("%s", content) : NULL;
    return content != NULL;
}

static bool load_metaspace(struct decoder_step *step, const cJSON *object, const char *path, struct error *err)
{
    struct pre_tokenizer_step same = {0};
    if (!metaspace_load(&same, object, path, err)) {
        return false;
    }
    step->type = DECODE_METASPACE;
    step->content = same.replacement;
    step->drop_leading = same.prepend != PREPEND_NEVER;
    return true;
}

static bool load_step(void *context, const cJSON *object, const char *type, const char *path, struct error *err)
{
    struct decoder *decoder = context;
    decoder->step = reallocate(decoder->step, (decoder->count + 1) * sizeof *decoder->step, "the decoder");
    struct decoder_step *step = &decoder->step[decoder->count++];
    *step = (struct decoder_step){0};
    if (strcmp(type, "ByteLevel") == 0) {
        step->type = DECODE_BYTE_LEVEL;
        return fields_check_known(object, path, "add_prefix_space trim_offsets use_regex", err);
    }
    if (strcmp(type, "ByteFallback") == 0 || strcmp(type, "Fuse") == 0) {
        step->type = type[0] == 'B' ? DECODE_BYTE_FALLBACK : DECODE_FUSE;
        return fields_check_known(object, path, "", err);
    }
    if (strcmp(type, "Strip") == 0) {
        step->type = DECODE_STRIP;
        return fields_check_known(object, path, "content start stop", err) && copy_content(step, object, path, err) &&
               field_count(object, path, "start", &step->start, err) &&
               field_count(object, path, "stop", &step->stop, err);
    }
    if (strcmp(type, "Replace") == 0) {
        step->type = DECODE_REPLACE;
        return fields_check_known(object, path, "pattern content", err) &&
               pattern_load(&step->pattern, object, path, err) && copy_content(step, object, path, err);
    }
    if (strcmp(type, "Metaspace") == 0) {
        return load_metaspace(step, object, path, err);
    }
    return error_set(err,
                     "%s.type: '%s' is not supported (known: Sequence, ByteLevel, ByteFallback, Fuse, Strip, Replace, "
                     "Metaspace)",
                     path, type);
}

bool decoder_load(struct decoder *decoder, const cJSON *section, struct error *err)
{
    decoder->join_with_blanks = !section || cJSON_IsNull(section);
    return fields_visit_sequence(section, "decoder", "decoders", load_step, decoder, err);
}

static void finish_text(struct decoder_texts *texts)
{
    if (texts->count == texts->capacity) {
        texts->capacity = texts->capacity ? 2 * texts->capacity : 64;
        texts->end = reallocate(texts->end, texts->capacity * sizeof *texts->end, "decoding");
    }
    texts->end[texts->count++] = texts->text.length;
}

static void clear(struct decoder_texts *texts)
{
    texts->count = texts->text.length = 0;
}

void decoder_begin(struct decoder *decoder)
{
    clear(&decoder->scratch[0]);
}

void decoder_push(struct decoder *decoder, const char *text, size_t length)
{
    struct decoder_texts *texts = &decoder->scratch[0];
    if (decoder->join_with_blanks && texts->count > 0) {
        text_buffer_append(&texts->text, " ", 1);
    }
    text_buffer_append(&texts->text, text, length);
    finish_text(texts);
}

static int hexadecimal(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

/* The byte of a token spelled <0xXX>, or -1. */
static int fallback_byte(const char *text, size_t length)
{
    if (!text || length != 6 || memcmp(text, "<0x", 3) != 0 || text[5] != '>') {
        return -1;
    }
    int high = hexadecimal(text[3]), low = hexadecimal(text[4]);
    if (text[3] == '+' && low >= 0) {
        return low; /* Rust's number parser lets a sign stand */
    }
    return high >= 0 && low >= 0 ? 16 * high + low : -1;
}

/* A run of bytes counts as a whole: all of it is text, or each byte is one U+FFFD. */
static void finish_bytes(struct decoder_texts *to, struct text_buffer *bytes)
{
    if (bytes->length == 0) {
        return;
    }
    if (utf8_valid_length(bytes->data, bytes->length) == bytes->length) {
        text_buffer_append(&to->text, bytes->data, bytes->length);
        finish_text(to);
    } else {
        for (size_t i = 0; i < bytes->length; i++) {
            text_buffer_append_code_point(&to->text, 0xFFFD);
            finish_text(to);
        }
    }
    bytes->length = 0;
}

/* True if the texts end within a run. */
static bool byte_fallback(const struct decoder_texts *from, struct decoder_texts *to, struct text_buffer *bytes)
{
    bytes->length = 0;
    for (size_t i = 0, begin = 0; i < from->count; begin = from->end[i++]) {
        size_t length = from->end[i] - begin;
        int byte = fallback_byte(from->text.data + begin, length);
        if (byte >= 0) {
            text_buffer_append(bytes, &(char){(char)byte}, 1);
            continue;
        }
        finish_bytes(to, bytes);
        text_buffer_append(&to->text, from->text.data + begin, length);
        finish_text(to);
    }
    bool open = bytes->length > 0;
    finish_bytes(to, bytes);
    return open;
}

/* All bytes together become one text; a token that is not spelled in the alphabet throughout stands for itself. */
static void byte_level(const struct decoder_texts *from, struct decoder_texts *to, struct text_buffer *bytes)
{
    bytes->length = 0;
    for (size_t i = 0, begin = 0; i < from->count; begin = from->end[i++]) {
        size_t length = from->end[i] - begin;
        if (length > 0 && !byte_level_decode(bytes, from->text.data + begin, length)) {
            text_buffer_append(bytes, from->text.data + begin, length);
        }
    }
    utf8_append_lossy(&to->text, bytes->data, bytes->length);
    finish_text(to);
}

static void strip(const struct decoder_step *step, const char *text, size_t length, struct text_buffer *out)
{
    size_t n = strlen(step->content), begin = 0, end = length;
    for (size_t i = 0; i < step->start && length - begin >= n && memcmp(text + begin, step->content, n) == 0; i++) {
        begin += n;
    }
    for (size_t i = 0; i < step->stop && end - begin >= n && memcmp(text + end - n, step->content, n) == 0; i++) {
        end -= n;
    }
    text_buffer_append(out, text + begin, end - begin);
}

static void replace(const struct pattern *pattern, const char *content, const char *text, size_t length,
                    struct text_buffer *out)
{
    struct unicode_matches matches = {0};
    struct error err;
    size_t copied = 0;
    while (pattern_next(pattern, text, length, &matches, &err) > 0) {
        text_buffer_append(out, text + copied, matches.begin - copied);
        text_buffer_append_string(out, content);
        copied = matches.end;
    }
    text_buffer_append(out, text + copied, length - copied);
}

static void apply_to_text(const struct decoder_step *step, bool first, const char *text, size_t length,
                          struct text_buffer *out)
{
    if (step->type == DECODE_STRIP) {
        strip(step, text, length, out);
    } else if (step->type == DECODE_REPLACE) {
        replace(&step->pattern, step->content, text, length, out);
    } else {
        struct pattern mark = {.literal = step->content, .literal_length = strlen(step->content)};
        replace(&mark, first && step->drop_leading ? "" : " ", text, length, out);
    }
}

static void apply(struct decoder *decoder, const struct decoder_step *step, const struct decoder_texts *from,
                  struct decoder_texts *to)
{
    clear(to);
    const char *text = from->text.data ? from->text.data : "";
    if (step->type == DECODE_BYTE_FALLBACK) {
        decoder->ends_in_bytes |= byte_fallback(from, to, &decoder->bytes);
    } else if (step->type == DECODE_FUSE) {
        text_buffer_append(&to->text, text, from->text.length);
        finish_text(to);
    } else if (step->type == DECODE_BYTE_LEVEL) {
        byte_level(from, to, &decoder->bytes);
    } else {
        for (size_t i = 0, begin = 0; i < from->count; begin = from->end[i++]) {
            apply_to_text(step, i == 0, text + begin, from->end[i] - begin, &to->text);
            finish_text(to);
        }
    }
}

void decoder_end(struct decoder *decoder, struct text_buffer *out)
{
    int now = 0;
    decoder->ends_in_bytes = false;
    for (size_t i = 0; i < decoder->count; i++) {
        apply(decoder, &decoder->step[i], &decoder->scratch[now], &decoder->scratch[!now]);
        now = !now;
    }
    text_buffer_append(out, decoder->scratch[now].text.data, decoder->scratch[now].text.length);
}

void decoder_free(struct decoder *decoder)
{
    for (size_t i = 0; i < decoder->count; i++) {
        pattern_free(&decoder->step[i].pattern);
        free(decoder->step[i].content);
    }
    free(decoder->step);
    for (int i = 0; i < 2; i++) {
        text_buffer_free(&decoder->scratch[i].text);
        free(decoder->scratch[i].end);
    }
    text_buffer_free(&decoder->bytes);
    *decoder = (struct decoder){0};
}
