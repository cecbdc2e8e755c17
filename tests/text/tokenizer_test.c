/* Small tokenizers, cut from real ones or made to use one rare part each, against what the tokenizers library gave for them
 * (make_goldens.py). */
#include "golden_rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct tokenizer *load(const char *name)
{
    struct error err;
    char *path = format_text("tests/data/%s", name);
    struct tokenizer *tokenizer = tokenizer_load(path, &err);
    if (!tokenizer) {
        fail_msg("%s", err.text);
    }
    free(path);
    return tokenizer;
}

/* A stream gives what decoding all at once gives, whole characters at a time. */
static void check_stream(struct tokenizer *tokenizer, const struct ids *ids, bool skip_special_tokens,
                         const struct text_buffer *wanted)
{
    struct token_stream stream = {.skip_special_tokens = skip_special_tokens};
    struct text_buffer out = {0};
    for (size_t i = 0; i < ids->count; i++) {
        tokenizer_stream_push(tokenizer, &stream, ids->id[i], &out);
        assert_int_equal(utf8_valid_length(out.data, out.length), out.length);
    }
    tokenizer_stream_end(tokenizer, &stream, &out);
    assert_same_text(&out, wanted);
    tokenizer_stream_free(&stream);
    text_buffer_free(&out);
}

static void check_starts(const struct ids *ids, size_t length)
{
    for (size_t i = 0; i < ids->count; i++) {
        assert_true(ids->start[i] <= length);
        assert_true(i == 0 || ids->start[i] >= ids->start[i - 1]);
    }
}

static void check_row(struct tokenizer *tokenizer, const struct golden_row *row)
{
    struct error err;
    struct ids ids = {0}, bare = {0};
    struct text_buffer decoded = {0}, plain = {0};
    const char *text = row->text.data ? row->text.data : "";
    assert_true(tokenizer_encode(tokenizer, text, row->text.length, true, &ids, &err));
    assert_true(tokenizer_encode(tokenizer, text, row->text.length, false, &bare, &err));
    assert_same_ids(&ids, &row->ids, &row->text);
    assert_same_ids(&bare, &row->bare, &row->text);
    check_starts(&ids, row->text.length);
    tokenizer_decode(tokenizer, ids.id, ids.count, false, &decoded);
    tokenizer_decode(tokenizer, ids.id, ids.count, true, &plain);
    assert_same_text(&decoded, &row->decoded);
    assert_same_text(&plain, &row->plain);
    check_stream(tokenizer, &ids, false, &decoded);
    check_stream(tokenizer, &ids, true, &plain);
    ids_free(&ids);
    ids_free(&bare);
    text_buffer_free(&decoded);
    text_buffer_free(&plain);
}

static void goldens(void **state)
{
    const char *name = *state;
    char *path = format_text("tests/data/%s/goldens.jsonl", name);
    FILE *file = fopen(path, "rb");
    struct tokenizer *tokenizer = load(name);
    struct golden_row row = {0};
    int rows = 0;
    assert_non_null(file);
    for (; golden_row_read(file, &row); rows++) {
        check_row(tokenizer, &row);
    }
    assert_true(rows > 150);
    fclose(file);
    golden_row_free(&row);
    tokenizer_free(tokenizer);
    free(path);
}

/* Joins the best-ranked pair of a word's symbols again and again, with nothing but a table of merges by text. */
static void naive_bpe(struct tokenizer *tokenizer, const char *text, size_t length, struct ids *out)
{
    int32_t *symbol = allocate(length * sizeof *symbol, "a test");
    size_t n = length;
    for (size_t i = 0; i < length; i++) {
        symbol[i] = tokenizer_id(tokenizer, (char[]){text[i], '\0'});
    }
    for (;;) {
        int32_t best = INT32_MAX;
        size_t at = 0;
        for (size_t i = 0; i + 1 < n; i++) {
            size_t a, b;
            const char *left = tokenizer_token(tokenizer, symbol[i], &a),
                       *right = tokenizer_token(tokenizer, symbol[i + 1], &b);
            char *joined = format_text("%.*s%.*s", (int)a, left, (int)b, right);
            int32_t id = tokenizer_id(tokenizer, joined);
            if (id >= 0 && id < best) { /* ids of this vocabulary follow the merges' ranks */
                best = id;
                at = i;
            }
            free(joined);
        }
        if (best == INT32_MAX) {
            break;
        }
        symbol[at] = best;
        memmove(symbol + at + 1, symbol + at + 2, (--n - at - 1) * sizeof *symbol);
    }
    for (size_t i = 0; i < n; i++) {
        ids_push(out, symbol[i], 0);
    }
    free(symbol);
}

/* Words of one to 200 letters: scanned and heaped ones alike equal the naive algorithm. */
static void words_of_any_length(void **state)
{
    (void)state;
    struct tokenizer *tokenizer = load("text/qwen2.5-2k");
    uint32_t random = 1;
    for (size_t length = 1; length <= 200; length++) {
        struct text_buffer word = {0};
        struct ids found = {0}, wanted = {0};
        struct error err;
        for (size_t i = 0; i < length; i++) {
            random = random * 1664525 + 1013904223;
            text_buffer_append(&word, &"aeinorstthingcdlum"[random >> 24 & 15], 1);
        }
        assert_true(tokenizer_encode(tokenizer, word.data, word.length, false, &found, &err));
        naive_bpe(tokenizer, word.data, word.length, &wanted);
        assert_same_ids(&found, &wanted, &word);
        text_buffer_free(&word);
        ids_free(&found);
        ids_free(&wanted);
    }
    tokenizer_free(tokenizer);
}

static void starts_are_byte_offsets(void **state)
{
    (void)state;
    struct tokenizer *tokenizer = load("text/qwen2.5-2k");
    struct error err;
    struct ids ids = {0};
    /* e and U+0301 compose, so that token stands for bytes 2 to 5; the added token covers 6 to 16. */
    const char text[] = "a e\xCC\x81<|im_start|>b";
    assert_true(tokenizer_encode(tokenizer, text, strlen(text), false, &ids, &err));
    assert_true(ids.count >= 4);
    assert_int_equal(ids.start[0], 0);
    assert_int_equal(ids.start[1], 1);
    assert_int_equal(ids.start[ids.count - 2], 5);
    assert_int_equal(ids.id[ids.count - 2], tokenizer_id(tokenizer, "<|im_start|>"));
    assert_int_equal(ids.start[ids.count - 1], 17);
    /* A mark that follows a newline is a token of its own, and starts where the mark does. */
    ids.count = 0;
    assert_true(tokenizer_encode(tokenizer, "\n\xCC\x81", 3, false, &ids, &err));
    assert_true(ids.count >= 2);
    assert_int_equal(ids.start[0], 0);
    assert_int_equal(ids.start[1], 1);
    ids_free(&ids);
    tokenizer_free(tokenizer);
}

static void stories260k(void **state)
{
    (void)state;
    struct tokenizer *tokenizer = load("stories260K");
    struct error err;
    struct ids ids = {0};
    struct text_buffer out = {0};
    const char text[] = "Once upon a time, there was a \xF0\x9F\x90\xB0.";
    assert_true(tokenizer_encode(tokenizer, text, strlen(text), true, &ids, &err));
    assert_int_equal(ids.id[0], tokenizer_bos(tokenizer));
    assert_int_equal(tokenizer_bos(tokenizer), 1);
    assert_int_equal(tokenizer_eos(tokenizer), 2);
    assert_int_equal(tokenizer_vocabulary_size(tokenizer), 512);
    assert_true(tokenizer_is_special(tokenizer, 2));
    assert_false(tokenizer_is_special(tokenizer, 3));
    tokenizer_decode(tokenizer, ids.id + 1, ids.count - 1, false, &out);
    text_buffer_append(&out, "", 1);
    assert_string_equal(out.data, text);
    ids_free(&ids);
    text_buffer_free(&out);
    tokenizer_free(tokenizer);
}

static void incomplete_characters_wait(void **state)
{
    (void)state;
    struct tokenizer *tokenizer = load("text/mistral-1k");
    struct token_stream stream = {0};
    struct text_buffer out = {0};
    const char *const bytes[] = {"<0xF0>", "<0x9F>", "<0x90>", "<0xB0>"};
    for (int i = 0; i < 4; i++) {
        tokenizer_stream_push(tokenizer, &stream, tokenizer_id(tokenizer, bytes[i]), &out);
        assert_int_equal(out.length, 0);
    }
    tokenizer_stream_push(tokenizer, &stream, tokenizer_id(tokenizer, "a"), &out);
    assert_int_equal(out.length, 5);
    tokenizer_stream_push(tokenizer, &stream, tokenizer_id(tokenizer, bytes[0]), &out);
    assert_int_equal(out.length, 5);
    tokenizer_stream_end(tokenizer, &stream, &out);
    text_buffer_append(&out, "", 1);
    assert_string_equal(out.data, "\xF0\x9F\x90\xB0\x61\xEF\xBF\xBD");
    tokenizer_stream_free(&stream);
    text_buffer_free(&out);
    tokenizer_free(tokenizer);
}

/* Each token's own text: ends never decrease, and all of it is what decoding gives. */
static void check_each(struct tokenizer *tokenizer, const struct ids *ids)
{
    struct text_buffer wanted = {0}, out = {0};
    size_t end[16], last = 2;
    assert_in_range(ids->count, 1, 16);
    text_buffer_append_string(&wanted, "> ");
    text_buffer_append_string(&out, "> ");
    tokenizer_decode(tokenizer, ids->id, ids->count, false, &wanted);
    tokenizer_decode_each(tokenizer, ids->id, ids->count, &out, end);
    assert_same_text(&out, &wanted);
    for (size_t i = 0; i < ids->count; i++) {
        assert_in_range(end[i], last, out.length);
        assert_int_equal(utf8_valid_length(out.data + last, end[i] - last), end[i] - last);
        last = end[i];
    }
    assert_int_equal(last, out.length);
    text_buffer_free(&wanted);
    text_buffer_free(&out);
}

/* A character is the text of the token that completes it, whatever follows. */
static void characters_belong_to_their_last_token(void **state)
{
    (void)state;
    static const struct {
        const char *directory, *token[8], *text[8];
    } cases[] = {
        {"text/mistral-1k",
         {"a", "<0xE4>", "<0xB8>", "<0xAD>", "a", "<0xC3>", "<0xA9>"},
         {"a", "", "", "\xE4\xB8\xAD", "a", "", "\xC3\xA9"}},
        {"text/mistral-1k",
         {"<0xC3>", "<0xA9>", "<0x41>", "<0xC3>", "<0xA9>", "\xE2\x96\x81"},
         {"", "\xC3\xA9", "A", "", "\xC3\xA9", " "}},
        {"text/mistral-1k",
         {"a", "<0xE4>", "<0xB8>", "a", "<0xFF>"},
         {"a", "\xEF\xBF\xBD", "\xEF\xBF\xBD", "a", "\xEF\xBF\xBD"}},
        {"text/qwen2.5-2k",
         {"a", "\xC3\xA4", "\xC2\xB8", "\xC5\x83", "a"}, /* the bytes E4 B8 AD, in the byte-level alphabet */
         {"a", "", "", "\xE4\xB8\xAD", "a"}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tokenizer *tokenizer = load(cases[i].directory);
        struct ids ids = {0};
        struct text_buffer out = {0};
        size_t end[8], begin = 0;
        for (int k = 0; k < 8 && cases[i].token[k]; k++) {
            ids_push(&ids, tokenizer_id(tokenizer, cases[i].token[k]), 0);
            assert_true(ids.id[k] >= 0);
        }
        tokenizer_decode_each(tokenizer, ids.id, ids.count, &out, end);
        for (size_t k = 0; k < ids.count; begin = end[k++]) {
            struct text_buffer wanted = {0}, got = {0};
            text_buffer_append_string(&wanted, cases[i].text[k]);
            text_buffer_append(&got, out.data + begin, end[k] - begin);
            assert_same_text(&got, &wanted);
            text_buffer_free(&wanted);
            text_buffer_free(&got);
        }
        ids_free(&ids);
        text_buffer_free(&out);
        tokenizer_free(tokenizer);
    }
}

/* Rows of ids that no text has: bytes that are no UTF-8, special tokens in between. */
static void streams_of_any_ids(void **state)
{
    (void)state;
    static const char *const names[] = {"text/mistral-1k", "text/qwen2.5-2k", "text/metaspace-first", "text/blanks",
                                        "text/added-tokens"};
    uint32_t random = 1;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct tokenizer *tokenizer = load(names[i]);
        uint32_t size = (uint32_t)tokenizer_vocabulary_size(tokenizer);
        for (int row = 0; row < 2000; row++) {
            struct ids ids = {0};
            struct text_buffer wanted = {0};
            for (int n = row % 12; n >= 0; n--) {
                random = random * 1664525 + 1013904223;
                uint32_t among = random >> 31 ? size : 300; /* <0xXX> tokens stand first */
                ids_push(&ids, (int32_t)((random >> 8) % among), 0);
            }
            tokenizer_decode(tokenizer, ids.id, ids.count, row % 2, &wanted);
            check_stream(tokenizer, &ids, row % 2, &wanted);
            check_each(tokenizer, &ids);
            ids_free(&ids);
            text_buffer_free(&wanted);
        }
        tokenizer_free(tokenizer);
    }
}

static void invalid_utf8_is_refused(void **state)
{
    (void)state;
    struct tokenizer *tokenizer = load("text/qwen2.5-2k");
    struct error err;
    struct ids ids = {0};
    assert_false(tokenizer_encode(tokenizer, "ab\xED\xA0\x80", 5, true, &ids, &err));
    assert_string_equal(err.text, "the text is not valid UTF-8: byte 0xED at offset 2");
    ids_free(&ids);
    tokenizer_free(tokenizer);
}

int main(void)
{
    static const char *const names[] = {
        "text/qwen2.5-2k",
        "text/llama3-2k",
        "text/mistral-1k",
        "text/added-tokens",
        "text/split-removed",
        "text/split-isolated",
        "text/split-mergedwithprevious",
        "text/split-mergedwithnext",
        "text/split-contiguous",
        "text/split-inverted",
        "text/gpt2",
        "text/digits",
        "text/digit-groups",
        "text/nfd",
        "text/nfkc",
        "text/nfkd",
        "text/replace",
        "text/metaspace-first",
        "text/metaspace-never",
        "text/metaspace-always",
        "text/unknown-single",
        "text/unknown-fused",
        "text/blanks",
        "text/classes",
    };
    enum { COUNT = sizeof names / sizeof *names };
    struct CMUnitTest tests[COUNT];
    for (int i = 0; i < COUNT; i++) {
        tests[i] =
            (struct CMUnitTest){.name = names[i], .test_func = goldens, .initial_state = (void *)(size_t)names[i]};
    }
    const struct CMUnitTest others[] = {
        cmocka_unit_test(words_of_any_length),
        cmocka_unit_test(starts_are_byte_offsets),
        cmocka_unit_test(stories260k),
        cmocka_unit_test(incomplete_characters_wait),
        cmocka_unit_test(streams_of_any_ids),
        cmocka_unit_test(invalid_utf8_is_refused),
        cmocka_unit_test(characters_belong_to_their_last_token),
    };
    return cmocka_run_group_tests_name("goldens", tests, NULL, NULL) +
           cmocka_run_group_tests_name("tokenizer", others, NULL, NULL);
}
