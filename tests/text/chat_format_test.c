#define _POSIX_C_SOURCE 200809L /* fmemopen, open_memstream */
/* Chat formats: texts against those of apply_chat_template, and the spans of the assistant's turns.
 *
 * chat_format_test DIR takes the conversations of DIR (make_chat_goldens.py makes them) in place of tests/data/text/conversations. */
#include "golden_rows.h"
#include "text/chat_formats.h"
#include "tokenizer_command.h"

#include <limits.h>
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

static const struct family families[] = {
    {"chatml", &chatml_format, "qwen2.5-2k"},
    {"gemma", &gemma_format, "mistral-1k"},
    {"llama2", &llama2_format, "mistral-1k"},
    {"llama3", &llama3_format, "llama3-2k"},
    {"llama3_1", &llama3_1_format, "llama3-2k"},
    {"mistral", &mistral_format, "mistral-1k"},
    {"mistral_v3", &mistral_v3_format, "mistral-1k"},
    {"qwen1_5", &qwen1_5_format, "qwen2.5-2k"},
    {"qwen2_5", &qwen2_5_format, "qwen2.5-2k"},
    {"qwen3", &qwen3_format, "qwen2.5-2k"},
    {"qwen3_instruct", &qwen3_instruct_format, "qwen2.5-2k"},
    {"qwen3_no_thinking", &qwen3_no_thinking_format, "qwen2.5-2k"},
    {"tinyllama", &tinyllama_format, "mistral-1k"},
    {"tinyllama", &tinyllama_format, "qwen2.5-2k"},
};

static const char *conversations = "tests/data/text/conversations";

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
    struct error err = {0};
    struct text_buffer text = {0};
    struct chat_spans bytes = {0}, tokens = {0};
    struct ids ids = {0}, whole = {0};
    const struct chat_conversation conversation = chat_messages_conversation(&row->messages);
    if (!chat_format_render(family->format, &conversation, row->add_generation_prompt, &text, &bytes, &err)) {
        fail_msg("%.*s: %s", (int)row->line.length, row->line.data, err.text);
    }
    assert_same_text(&text, &row->text);
    assert_true(
        chat_format_encode(family->format, tokenizer, &conversation, row->add_generation_prompt, &ids, &tokens, &err));
    assert_true(tokenizer_encode(tokenizer, text.data, text.length, false, &whole, &err));
    assert_same_ids(&ids, &whole, &text);
    assert_int_equal(bytes.count, tokens.count);
    for (size_t i = 0; i < bytes.count; i++) {
        assert_string_equal(conversation.messages[bytes.item[i].message].role, "assistant");
        check_span(bytes.item[i], tokens.item[i], &ids, text.length);
    }
    text_buffer_free(&text);
    chat_spans_free(&bytes);
    chat_spans_free(&tokens);
    ids_free(&ids);
    ids_free(&whole);
}

/* How many rows DIRECTORY/<family>.jsonl has, every one checked; 0: there is no such file. */
static int check_rows(const struct family *family, const char *directory)
{
    struct tokenizer *tokenizer = load(family->tokenizer);
    struct golden_row row = {0};
    char *path = format_text("%s/%s.jsonl", directory, family->name);
    FILE *file = fopen(path, "rb");
    int rows = 0;
    for (; file && golden_row_read(file, &row); rows++) {
        check_row(family, tokenizer, &row);
    }
    if (file) {
        fclose(file);
    }
    free(path);
    golden_row_free(&row);
    tokenizer_free(tokenizer);
    return rows;
}

static void chosen_conversations(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        int rows = check_rows(&families[i], "tests/data/text/chat");
        assert_true(rows == 0 || rows == 12);
    }
}

static void random_conversations(void **state)
{
    const struct family *family = *state;
    assert_in_range(check_rows(family, conversations), 30, INT_MAX);
}

static void expect_text(const struct chat_format *format, const struct chat_message *messages, size_t count,
                        bool prompt, const char *wanted)
{
    struct error err;
    struct text_buffer text = {0};
    const struct chat_conversation conversation = {.messages = messages, .count = count};
    assert_true(chat_format_render(format, &conversation, prompt, &text, NULL, &err));
    text_buffer_append(&text, "", 1);
    assert_string_equal(text.data, wanted);
    text_buffer_free(&text);
}

static void formats_of_their_own(void **state)
{
    (void)state;
    const struct chat_message turns[] = {message("user", "Hi"), message("assistant", "Yes?"), message("user", "Bye")};
    expect_text(&readme_format, turns, 3, true, "Be brief.\n\nUser: Hi\n\nBot: Yes?</s>\n\nUser: Bye\n\nBot: ");
    expect_text(&llama2_system_format, turns, 3, true,
                "<s>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nHi [/INST] Yes? </s><s>[INST] Bye [/INST]");
}

/* The content and what ends it are trained, the newline behind is not; nor is what the generation prompt gives. */
static void spans_hold_what_is_trained(void **state)
{
    (void)state;
    const struct chat_message turns[] = {message("user", "2+2?"), message("assistant", "4")};
    const struct chat_conversation conversation = {.messages = turns, .count = 2};
    const struct {
        const struct chat_format *format;
        const char *wanted;
    } cases[] = {
        {&qwen2_5_format, "4<|im_end|>"},
        {&qwen3_format, "<think>\n\n</think>\n\n4<|im_end|>"},
        {&qwen3_no_thinking_format, "4<|im_end|>"},
        {&tinyllama_format, "4</s>"},
        {&llama3_format, "4<|eot_id|>"},
        {&llama3_1_format, "4<|eot_id|>"},
        {&mistral_v3_format, "4</s>"},
        {&readme_format, "4</s>"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err;
        struct text_buffer text = {0};
        struct chat_spans spans = {0};
        assert_true(chat_format_render(cases[i].format, &conversation, false, &text, &spans, &err));
        assert_int_equal(spans.count, 1);
        size_t length = spans.item[0].end - spans.item[0].begin;
        assert_int_equal(length, strlen(cases[i].wanted));
        assert_memory_equal(text.data + spans.item[0].begin, cases[i].wanted, length);
        text_buffer_free(&text);
        chat_spans_free(&spans);
    }
}

/* With calls, the calls are trained as what the assistant writes. */
static void spans_hold_calls(void **state)
{
    (void)state;
    static const char json[] =
        "[{\"role\": \"user\", \"content\": \"?\"}, {\"role\": \"assistant\", \"content\": \"Let me.\", "
        "\"tool_calls\": [{\"id\": \"123456789\", \"function\": {\"name\": \"f\", \"arguments\": "
        "{\"x\":1.50}}}]}]";
    static const struct {
        const struct chat_format *format;
        const char *wanted;
    } cases[] = {
        {&qwen2_5_format,
         "Let me.\n<tool_call>\n{\"name\": \"f\", \"arguments\": {\"x\": 1.5}}\n</tool_call><|im_end|>"},
        {&qwen3_format, "<think>\n\n</think>\n\nLet me.\n<tool_call>\n{\"name\": \"f\", \"arguments\": {\"x\": 1.5}}\n"
                        "</tool_call><|im_end|>"},
        {&llama3_1_format, "{\"name\": \"f\", \"parameters\": {\"x\": 1.5}}<|eot_id|>"},
        {&mistral_v3_format,
         "[TOOL_CALLS] [{\"name\": \"f\", \"arguments\": {\"x\": 1.5}, \"id\": \"123456789\"}]</s>"},
    };
    struct chat_messages messages = {0};
    struct error err;
    struct json_cursor cursor = json_cursor_begin("json", json, strlen(json));
    assert_true(chat_messages_read(&cursor, &messages, &err));
    const struct chat_conversation conversation = chat_messages_conversation(&messages);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct text_buffer text = {0};
        struct chat_spans spans = {0};
        assert_true(chat_format_render(cases[i].format, &conversation, false, &text, &spans, &err));
        assert_int_equal(spans.count, 1);
        assert_int_equal(spans.item[0].end - spans.item[0].begin, strlen(cases[i].wanted));
        assert_memory_equal(text.data + spans.item[0].begin, cases[i].wanted, strlen(cases[i].wanted));
        text_buffer_free(&text);
        chat_spans_free(&spans);
    }
    chat_messages_free(&messages);
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
    char *ids = run("\"the \\u0000\\ud83d\\ude42\"\n[{\"role\": \"user\", \"content\": \"a\"}]\r\n"
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
        {"\"a\"\n7\n", false,
         "line 2 of the input: expected a JSON string, an array of messages, or an object with messages"},
        {"\"a\n", false,
         "line 1 of the input: JSON ends early, at byte 2, where the string to go on (control characters must be "
         "escaped) was "
         "expected"},
        {"\"\\ud800x\"\n", false,
         "line 1 of the input: the escape \\ud800 at byte 1 of the JSON is half of a surrogate pair, which is no "
         "character; remove it, or add the other half"},
        {"\"\xFF\"\n", false, "line 1 of the input: byte 0xFF at byte 1 of the JSON is not valid UTF-8"},
        {"\"a\" 1\n", false, "line 1 of the input: expected the end at byte 4 of the JSON, found '1'"},
        {"[]\n", false, "line 1 of the input: the conversation is empty"},
        {"[{\"role\": \"user\"}]\n", false,
         "line 1 of the input: messages[0].content: expected a string, found nothing"},
        {"\"a\"\n\n\"b\"\n", false,
         "line 2 of the input is empty: expected a JSON string, or messages; remove it, or write \"\" for nothing"},
        {" \t\r\n", true,
         "line 1 of the input is empty: expected a JSON array of ids; remove it, or write [] for nothing"},
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

int main(int count, char **arguments)
{
    enum { FAMILIES = sizeof families / sizeof *families };
    struct CMUnitTest tests[FAMILIES + 6] = {
        cmocka_unit_test(chosen_conversations),       cmocka_unit_test(formats_of_their_own),
        cmocka_unit_test(spans_hold_what_is_trained), cmocka_unit_test(spans_hold_calls),
        cmocka_unit_test(tokenize_and_back),          cmocka_unit_test(tokenize_mistakes),
    };
    for (size_t i = 0; i < FAMILIES; i++) {
        void *family = (void *)(size_t)&families[i];
        tests[6 + i] = (struct CMUnitTest){families[i].name, random_conversations, NULL, NULL, family};
    }
    conversations = count > 1 ? arguments[1] : conversations;
    return cmocka_run_group_tests_name("chat formats", tests, NULL, NULL);
}
