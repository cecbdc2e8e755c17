#define _POSIX_C_SOURCE 200809L /* fmemopen, open_memstream */
/* Chat formats: texts against those of apply_chat_template, and the spans of the assistant's turns. */
#include "chat_formats.h"
#include "golden_rows.h"
#include "tokenizer_command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct family {
    const char *name;
    const struct chat_format *format;
    const char *tokenizer;
};

static struct tokenizer *load(const char *name)
{
    struct error err;
    char *path = format_text("tests/data/text/%s", name);
    struct tokenizer *tokenizer = tokenizer_load(path, &err);
    free(path);
    assert_non_null(tokenizer);
    return tokenizer;
}

static struct chat_message message(const char *role, const char *content)
{
    return (struct chat_message){.role = role, .content = content, .length = strlen(content)};
}

/* Every token overlaps its span and its neighbours do not. */
static void check_span(struct chat_span bytes, struct chat_span tokens, const struct ids *ids, size_t text_length)
{
    assert_int_equal(bytes.message, tokens.message);
    for (size_t i = 0; i < ids->count; i++) {
        size_t begin = ids->start[i], end = i + 1 < ids->count ? ids->start[i + 1] : text_length;
        bool overlaps = begin < bytes.end && (end > bytes.begin || begin == bytes.begin) && bytes.begin < bytes.end;
        assert_int_equal(overlaps, i >= tokens.begin && i < tokens.end);
    }
}

static void check_row(const struct family *family, struct tokenizer *tokenizer, const struct golden_row *row)
{
    struct error err;
    struct text_buffer text = {0};
    struct chat_spans bytes = {0}, tokens = {0};
    struct ids ids = {0}, whole = {0};
    const struct chat_messages *m = &row->messages;
    assert_true(chat_format_render(family->format, m->item, m->count, row->add_generation_prompt, &text, &bytes, &err));
    assert_same_text(&text, &row->text);
    assert_true(chat_format_encode(family->format, tokenizer, m->item, m->count, row->add_generation_prompt, &ids,
                                   &tokens, &err));
    assert_true(tokenizer_encode(tokenizer, text.data, text.length, false, &whole, &err));
    assert_same_ids(&ids, &whole, &text);
    assert_int_equal(bytes.count, tokens.count);
    for (size_t i = 0; i < bytes.count; i++) {
        assert_string_equal(m->item[bytes.item[i].message].role, "assistant");
        check_span(bytes.item[i], tokens.item[i], &ids, text.length);
    }
    text_buffer_free(&text);
    chat_spans_free(&bytes);
    chat_spans_free(&tokens);
    ids_free(&ids);
    ids_free(&whole);
}

static void goldens(void **state)
{
    const struct family *family = *state;
    struct tokenizer *tokenizer = load(family->tokenizer);
    struct golden_row row = {0};
    char *path = format_text("tests/data/text/chat/%s.jsonl", family->name);
    FILE *file = fopen(path, "rb");
    int rows = 0;
    assert_non_null(file);
    for (; golden_row_read(file, &row); rows++) {
        check_row(family, tokenizer, &row);
    }
    assert_int_equal(rows, 12);
    fclose(file);
    free(path);
    golden_row_free(&row);
    tokenizer_free(tokenizer);
}

static void expect_text(const struct chat_format *format, const struct chat_message *messages, size_t count,
                        bool prompt, const char *wanted)
{
    struct error err;
    struct text_buffer text = {0};
    assert_true(chat_format_render(format, messages, count, prompt, &text, NULL, &err));
    text_buffer_append(&text, "", 1);
    assert_string_equal(text.data, wanted);
    text_buffer_free(&text);
}

static void other_families(void **state)
{
    (void)state;
    const struct chat_message turns[] = {message("system", " Be brief. "), message("user", " Hi\n"),
                                         message("assistant", " Yes? "), message("user", "Bye")};
    expect_text(&llama2_format, turns, 4, true,
                "<s>[INST] <<SYS>>\n Be brief. \n<</SYS>>\n\n Hi [/INST] Yes? </s><s>[INST] Bye [/INST]");
    expect_text(&llama3_format, turns, 4, true,
                "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>"
                "<|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>"
                "<|start_header_id|>assistant<|end_header_id|>\n\nYes?<|eot_id|>"
                "<|start_header_id|>user<|end_header_id|>\n\nBye<|eot_id|>"
                "<|start_header_id|>assistant<|end_header_id|>\n\n");
    const struct chat_message tools[] = {message("user", "add"), message("tool", "1"), message("tool", "2")};
    expect_text(
        &qwen3_format, tools, 3, false,
        "<|im_start|>user\nadd<|im_end|>\n<|im_start|>user\n<tool_response>\n1\n</tool_response>\n<tool_response>\n2\n"
        "</tool_response><|im_end|>\n");
}

/* The content and what ends it are trained, the newline behind is not; nor is what the generation prompt gives. */
static void spans_hold_what_is_trained(void **state)
{
    (void)state;
    const struct chat_message turns[] = {message("user", "2+2?"), message("assistant", "4")};
    const struct {
        const struct chat_format *format;
        const char *wanted;
    } cases[] = {
        {&qwen2_5_format, "4<|im_end|>"},
        {&qwen3_format, "<think>\n\n</think>\n\n4<|im_end|>"},
        {&qwen3_no_thinking_format, "4<|im_end|>"},
        {&tinyllama_format, "4</s>"},
        {&llama3_format, "4<|eot_id|>"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err;
        struct text_buffer text = {0};
        struct chat_spans spans = {0};
        assert_true(chat_format_render(cases[i].format, turns, 2, false, &text, &spans, &err));
        assert_int_equal(spans.count, 1);
        size_t length = spans.item[0].end - spans.item[0].begin;
        assert_int_equal(length, strlen(cases[i].wanted));
        assert_memory_equal(text.data + spans.item[0].begin, cases[i].wanted, length);
        text_buffer_free(&text);
        chat_spans_free(&spans);
    }
}

static void expect_error(const struct chat_format *format, const struct chat_message *messages, size_t count,
                         const char *wanted)
{
    struct error err;
    struct text_buffer text = {0};
    assert_false(chat_format_render(format, messages, count, false, &text, NULL, &err));
    assert_string_equal(err.text, wanted);
    text_buffer_free(&text);
}

static void mistakes(void **state)
{
    (void)state;
    const struct chat_format none = {.name = NULL};
    const struct chat_message odd[] = {message("user", "a"), message("narrator", "b")};
    const struct chat_message twice[] = {message("system", "s"), message("user", "a"), message("user", "b")};
    const struct chat_message late[] = {message("user", "a"), message("assistant", "b"), message("system", "c")};
    expect_error(&qwen3_format, odd, 0, "the conversation is empty");
    expect_error(&none, odd, 2, "this program was compiled without a chat format; add `chat = ...` to its recipe");
    expect_error(&tinyllama_format, odd, 2,
                 "message 2: the chat format 'tinyllama' has no role 'narrator' (it has system, user, assistant)");
    expect_error(
        &llama2_format, twice, 3,
        "message 3: the chat format 'llama2' wants user and assistant to take turns; expected 'assistant', found "
        "'user'");
    expect_error(&llama2_format, late, 3,
                 "message 3: the chat format 'llama2' wants user and assistant to take turns; expected 'user', found "
                 "'system'");
    expect_error(&llama2_format, twice, 1,
                 "the conversation is a system message alone; the chat format 'llama2' has no turn for it");
}

/* ---- the command ---- */

static char *run(const char *input, bool decode, struct error *err)
{
    char *answer = NULL;
    size_t length = 0;
    FILE *in = fmemopen((void *)(size_t)input, strlen(input), "r"), *out = open_memstream(&answer, &length);
    assert_non_null(in);
    assert_non_null(out);
    bool ok = command_tokenize(&qwen2_5_format, "tests/data/text/qwen2.5-2k", decode, in, out, err);
    fclose(in);
    fclose(out);
    if (!ok) {
        free(answer);
        return NULL;
    }
    return answer;
}

static void tokenize_and_back(void **state)
{
    (void)state;
    struct error err;
    char *ids = run("\"the \\u0000\\ud83d\\ude42\"\n\n[{\"role\": \"user\", \"content\": \"a\"}]\r\n"
                    "[{\"content\": \"b\", \"role\": \"assistant\", \"weight\": 0}]",
                    false, &err);
    assert_non_null(ids);
    char *texts = run(ids, true, &err);
    assert_non_null(texts);
    assert_string_equal(
        texts, "\"the \\u0000\xF0\x9F\x99\x82\"\n"
               "\"<|im_start|>system\\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>"
               "\\n<|im_start|>user\\na<|im_end|>\\n<|im_start|>assistant\\n\"\n"
               "\"<|im_start|>system\\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>"
               "\\n<|im_start|>assistant\\nb<|im_end|>\\n\"\n");
    free(ids);
    free(texts);
}

static void tokenize_mistakes(void **state)
{
    (void)state;
    static const struct {
        const char *input;
        bool decode;
        const char *wanted;
    } cases[] = {
        {"\"a\"\n7\n", false, "line 2 of the input: expected a JSON string or an array of messages"},
        {"\"a\n", false,
         "line 1 of the input: JSON ends early, at byte 2, where the string to go on (control characters must be "
         "escaped) was "
         "expected"},
        {"\"\\ud800x\"\n", false,
         "line 1 of the input: \\ud800 at byte 1 of the JSON is half of a surrogate pair; the other half is missing"},
        {"\"\xFF\"\n", false, "line 1 of the input: byte 0xFF at byte 1 of the JSON is not valid UTF-8"},
        {"\"a\" 1\n", false, "line 1 of the input: expected the end at byte 4 of the JSON, found '1'"},
        {"[]\n", false, "line 1 of the input: the conversation is empty"},
        {"[{\"role\": \"user\"}]\n", false, "line 1 of the input: message 1 has no \"content\""},
        {"[{\"role\": \"user\", \"content\": [1]}]\n", false,
         "line 1 of the input: message 1: \"content\" is not a string"},
        {"[999999]\n", true, "line 1 of the input: no token has id 999999; ids go up to 2277"},
        {"[1.5]\n", true, "line 1 of the input: expected a whole number at byte 2 of the JSON, found '.'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err = {0};
        assert_null(run(cases[i].input, cases[i].decode, &err));
        assert_string_equal(err.text, cases[i].wanted);
        assert_int_equal(err.exit_code, EXIT_FAILED);
    }
}

int main(void)
{
    static const struct family families[] = {
        {"qwen2_5", &qwen2_5_format, "qwen2.5-2k"},
        {"qwen3", &qwen3_format, "qwen2.5-2k"},
        {"tinyllama", &tinyllama_format, "mistral-1k"},
    };
    struct family borrowed = {"tinyllama", &tinyllama_format, "qwen2.5-2k"};
    const struct CMUnitTest tests[] = {
        {.name = "qwen2_5", .test_func = goldens, .initial_state = (void *)(size_t)&families[0]},
        {.name = "qwen3", .test_func = goldens, .initial_state = (void *)(size_t)&families[1]},
        {.name = "tinyllama", .test_func = goldens, .initial_state = (void *)(size_t)&families[2]},
        {.name = "tinyllama under a tokenizer of Qwen's", .test_func = goldens, .initial_state = &borrowed},
        cmocka_unit_test(other_families),
        cmocka_unit_test(spans_hold_what_is_trained),
        cmocka_unit_test(mistakes),
        cmocka_unit_test(tokenize_and_back),
        cmocka_unit_test(tokenize_mistakes),
    };
    return cmocka_run_group_tests_name("chat formats", tests, NULL, NULL);
}
