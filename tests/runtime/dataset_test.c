/* Data files to tokens and labels: every form, what is trained of it, and every mistake's message. The tokenizer is
 * fake_tokenizer.h's. */
#define _POSIX_C_SOURCE 200809L
#include "dataset_fixture.h"
#include "fake_tokenizer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_messages_train_the_assistants_turns(void **state)
{
    struct fixture *f = *state;
    load(f, "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\",\"content\":\"bc\"},"
            "{\"role\":\"user\",\"content\":\"d\"},{\"role\":\"assistant\",\"content\":\"e\"}]}\n");
    expect_sample(f, 0, "{user\na}\n{assistant\n[bc}]\n{user\nd}\n{assistant\n[e}]");
    assert_int_equal(f->data.report.trained, 5);
}

static void test_all_is_trained_without_assistant_only_loss(void **state)
{
    struct fixture *f = *state;
    f->request.assistant_only_loss = false;
    load(f, "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\",\"content\":\"b\"}]}");
    expect_sample(f, 0, "{[user\na}\n{assistant\nb}\n]");
}

static void test_content_in_parts_is_joined(void **state)
{
    struct fixture *f = *state;
    load(f, "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"x\"},{\"type\":\"text\","
            "\"text\":\"y\"}]},{\"role\":\"assistant\",\"content\":\"z\"}]}");
    expect_sample(f, 0, "{user\nxy}\n{assistant\n[z}]");
}

static void test_conversations_know_sharegpts_names(void **state)
{
    struct fixture *f = *state;
    load(f, "{\"system\":\"s\",\"conversations\":[{\"from\":\"human\",\"value\":\"a\"},{\"from\":\"gpt\",\"value\":"
            "\"b\"}]}");
    expect_sample(f, 0, "{system\ns}\n{user\na}\n{assistant\n[b}]");
}

static void test_instruction_and_input_are_the_question(void **state)
{
    struct fixture *f = *state;
    load(
        f,
        "[\n {\"instruction\":\"do\",\"input\":\"it\",\"output\":\"ok\"},\n"
        " {\"instruction\":\"do\",\"input\":\"\",\"output\":\"ok\",\"system\":\"s\",\"history\":[[\"q\",\"r\"]]}\n]\n");
    expect_sample(f, 0, "{user\ndo\nit}\n{assistant\n[ok}]");
    expect_sample(f, 1, "{system\ns}\n{user\nq}\n{assistant\n[r}]\n{user\ndo}\n{assistant\n[ok}]");
    assert_int_equal(f->data.sample[0].line, 2);
    assert_int_equal(f->data.sample[1].line, 3);
}

static void test_instruction_without_chat_format_has_headings(void **state)
{
    struct fixture *f = *state;
    f->request.chat = NULL;
    load(f, "{\"instruction\":\"do\",\"input\":\"it\",\"output\":\"ok\"}");
    expect_sample(f, 0, "^### Instruction:\ndo\nit\n\n### Response:\n[ok$]");
}

static void test_completion_is_trained_with_eos(void **state)
{
    struct fixture *f = *state;
    load(f, "{\"prompt\":\"Q:\",\"completion\":\" A\"}\n{\"prompt\":\"\",\"completion\":\"A</s>\"}\n");
    expect_sample(f, 0, "^Q:[ A$]");
    expect_sample(f, 1, "^[A$]");
    f->request.assistant_only_loss = false;
    dataset_free(&f->data);
    load(f, "{\"prompt\":\"Q:\",\"completion\":\" A\"}\n");
    expect_sample(f, 0, "^[Q: A$]");
}

static void test_text_is_trained_whole_with_eos(void **state)
{
    struct fixture *f = *state;
    load(f, "{\"text\":\"one\\n\"}\r\n\n  {\"text\":\"two\"}");
    expect_sample(f, 0, "^[one\n$]");
    expect_sample(f, 1, "^[two$]");
    assert_int_equal(f->data.sample[1].line, 3);
    int32_t ids[6], labels[6];
    assert_true(dataset_read(&f->data, 0, ids, labels, &f->err));
    assert_int_equal(labels[0], FAKE_BOS);
}

static void test_tokens_keep_their_labels(void **state)
{
    struct fixture *f = *state;
    f->request.tokenizer = NULL;
    load(f, "{\"input_ids\":[10,11,12,13],\"labels\":[10,-100,12,99]}\n{\"input_ids\":[20,21]}\n");
    int32_t ids[4], labels[4];
    const int32_t expected_ids[] = {10, 11, 12, 13}, expected_labels[] = {10, -100, 12, 99};
    assert_true(dataset_read(&f->data, 0, ids, labels, &f->err));
    assert_memory_equal(ids, expected_ids, sizeof ids);
    assert_memory_equal(labels, expected_labels, sizeof labels);
    assert_int_equal(f->data.sample[0].trained, 2);
    assert_int_equal(f->data.sample[1].tokens, 2);
    expect_sample(f, 1, "\x14[\x15]");
}

static void test_long_samples_are_cut_and_useless_ones_dropped(void **state)
{
    struct fixture *f = *state;
    f->request.max_length = 3;
    load(f, "{\"input_ids\":[10,11,12,13,14]}\n"
            "{\"input_ids\":[10,11,12,13],\"labels\":[-100,-100,-100,13]}\n" /* trained only behind the cut */
            "{\"input_ids\":[10,11],\"labels\":[10,-100]}\n"                 /* the first token is never predicted */
            "{\"input_ids\":[]}\n"
            "{\"input_ids\":[10,11]}\n");
    char *json = dataset_report_json(&f->data.report);
    assert_string_equal(json, "{\"samples\":2,\"tokens\":5,\"trained_tokens\":3,\"truncated\":2,\"dropped\":3,"
                              "\"longest\":5,\"lengths\":[[1,1],[2,2],[4,1],[8,1]]}");
    free(json);
    char *report = dataset_report_text(&f->data.report, 3);
    assert_string_equal(report,
                        "kept 2 of 5 samples: 5 tokens, 3 of them trained\n"
                        "cut at max_length 3: 2; the longest sample has 5 tokens\n"
                        "dropped, without a token to train within max_length 3: 3, of them 1 that had one behind it\n"
                        "up to tokens     samples\n"
                        "           1           1  ####################\n"
                        "           2           2  ########################################\n"
                        "           4           1  ####################\n"
                        "           8           1  ####################\n");
    free(report);
    char *place = dataset_place(&f->data, 1);
    char *expected = format_text("%s:5", f->path);
    assert_string_equal(place, expected);
    free(place);
    free(expected);
}

static int32_t first_token(struct fixture *f, int sample)
{
    int32_t ids[2], labels[2];
    assert_int_equal(f->data.sample[sample].tokens, 2);
    assert_true(dataset_read(&f->data, sample, ids, labels, &f->err));
    return ids[0];
}

/* Fifty samples, each told by its first token: 10 to 59. */
static void write_fifty(char *text)
{
    text[0] = '\0';
    for (int i = 0; i < 50; i++)
        sprintf(text + strlen(text), "{\"input_ids\":[%d,9]}\n", i + 10);
}

static void test_max_samples_takes_from_the_shuffled_files(void **state)
{
    struct fixture *f = *state;
    char text[2000];
    write_fifty(text);
    f->request.max_samples = 10;
    load(f, text);
    assert_int_equal(f->data.samples, 10);
    /* The places that Fisher and Yates' shuffle with Philox under seed 42 puts first. */
    static const int32_t chosen[] = {59, 53, 27, 36, 12, 13, 33, 14, 31, 10};
    for (int s = 0; s < 10; s++) {
        assert_int_equal(first_token(f, s), chosen[s]);
        assert_int_equal(f->data.sample[s].line, chosen[s] - 9);
    }
    dataset_free(&f->data);
    f->request.shuffle = false;
    load(f, text);
    for (int s = 0; s < 10; s++)
        assert_int_equal(first_token(f, s), 10 + s);
    dataset_free(&f->data);
    f->request.max_samples = 1000;
    load(f, text);
    assert_int_equal(f->data.samples, 50);
}

/* The first token of a sample is never predicted: what has no other is dropped, and leaves no gap in the order. */
static void test_max_samples_counts_what_is_dropped(void **state)
{
    struct fixture *f = *state;
    f->request.max_samples = 3;
    f->request.shuffle = false;
    load(f, "{\"input_ids\":[10,9]}\n{\"input_ids\":[11]}\n{\"input_ids\":[12,9]}\n{\"input_ids\":[13,9]}\n");
    assert_int_equal(f->data.samples, 2);
    assert_int_equal(f->data.report.dropped, 1);
    assert_int_equal(first_token(f, 0), 10);
    assert_int_equal(first_token(f, 1), 12);
}

static void test_what_is_on_disk_reads_as_what_is_in_memory(void **state)
{
    struct fixture *f = *state;
    char text[2000];
    write_fifty(text);
    strcat(text, "{\"input_ids\":[60,9],\"labels\":[-100,12]}\n");
    load(f, text);
    uint64_t fingerprint = f->data.fingerprint;
    assert_int_equal(f->data.store.written, 0);
    dataset_free(&f->data);
    f->request.memory_limit = 5 * sizeof(uint32_t);
    load(f, text);
    assert_true(f->data.store.written > 90);
    assert_true(f->data.fingerprint == fingerprint);
    for (int s = 50; s >= 0; s--)
        assert_int_equal(first_token(f, s), 10 + s);
    int32_t ids[2], labels[2];
    assert_true(dataset_read(&f->data, 50, ids, labels, &f->err));
    assert_int_equal(labels[0], IGNORED_LABEL);
    assert_int_equal(labels[1], 12);
}

static void test_files_follow_each_other_and_may_differ(void **state)
{
    struct fixture *f = *state;
    char *more = format_text("%s/more.jsonl", f->directory);
    fake_file_write(f->directory, "more.jsonl", "[{\"input_ids\":[65,66]}]");
    f->files[1] = more;
    f->request.file_count = 2;
    load(f, "{\"text\":\"a\"}");
    expect_sample(f, 0, "^[a$]");
    expect_sample(f, 1, "A[B]");
    char *expected = format_text("%s: text, 1 sample\n%s: input_ids, 1 sample\n", f->path, more);
    assert_string_equal(f->data.formats, expected);
    free(expected);
    free(more);
}

static void test_no_room_for_tokens_is_said(void **state)
{
    struct fixture *f = *state;
    char text[2000], *given = getenv("TMPDIR") ? format_text("%s", getenv("TMPDIR")) : NULL;
    write_fifty(text);
    fake_file_write(f->directory, "data.jsonl", text);
    f->request.memory_limit = 5 * sizeof(uint32_t);
    setenv("TMPDIR", "/nowhere", 1);
    assert_false(dataset_load(&f->data, &f->request, &f->err));
    assert_string_equal(f->err.text, "/nowhere: cannot make a temporary file for the data's tokens: No such file or "
                                     "directory; set TMPDIR to a directory with room");
    if (given)
        setenv("TMPDIR", given, 1);
    else
        unsetenv("TMPDIR");
    free(given);
}

static uint64_t fingerprint_of(struct fixture *f, const char *text)
{
    load(f, text);
    uint64_t fingerprint = f->data.fingerprint;
    dataset_free(&f->data);
    return fingerprint;
}

static void test_the_fingerprint_sees_labels_and_boundaries(void **state)
{
    struct fixture *f = *state;
    uint64_t plain = fingerprint_of(f, "{\"input_ids\":[10,11]}\n{\"input_ids\":[12,13,14]}\n");
    assert_true(plain == fingerprint_of(f, "[{\"input_ids\":[10,11]},{\"input_ids\":[12,13,14]}]"));
    static const char *const others[] = {
        "{\"input_ids\":[10,11]}\n{\"input_ids\":[12,13,15]}\n",
        "{\"input_ids\":[10,11],\"labels\":[-100,11]}\n{\"input_ids\":[12,13,14]}\n",
        "{\"input_ids\":[10,11],\"labels\":[10,12]}\n{\"input_ids\":[12,13,14]}\n",
        "{\"input_ids\":[10,11,12]}\n{\"input_ids\":[13,14]}\n",
        "{\"input_ids\":[12,13,14]}\n{\"input_ids\":[10,11]}\n",
        "{\"input_ids\":[10,11]}\n",
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_true(fingerprint_of(f, others[i]) != plain);
}

#define ONE_LINE "; a line must hold one whole JSON object, or the file one JSON array"

static void test_broken_files_are_named_by_line(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(
        mistake(f, "{\"text\":\"a\"}\n{\"text\": b}\n"),
        "data.jsonl:2: expected a value at byte 9 of the JSON, found 'b'; JSON's words are null, true and false");
    assert_string_equal(mistake(f, "{\"text\":\"a\"} {}\n"),
                        "data.jsonl:1: expected the end at byte 13 of the JSON, found '{'" ONE_LINE);
    assert_string_equal(mistake(f, "[{\"text\":\"a\"},\n{\"text\":\n]\n"),
                        "data.jsonl:3: expected a value at byte 9 of the JSON, found ']'");
    assert_string_equal(mistake(f, "[{\"text\":\"a\"},\n"),
                        "data.jsonl:2: the file ends within its JSON array; is it truncated?");
    assert_string_equal(mistake(f, "[{\"text\":\"a\"}\n,,{\"text\":\"b\"}]"),
                        "data.jsonl:2: expected a sample behind the comma, found ','; remove the comma that has none");
    assert_string_equal(mistake(f, "[{\"text\":\"a\"},\n]"),
                        "data.jsonl:2: expected a sample behind the comma, found ']'; remove the comma that has none");
    assert_string_equal(mistake(f, "[\n\n,{\"text\":\"a\"}]"), "data.jsonl:3: expected a sample at the array's "
                                                               "beginning, found ','; remove the comma that has none");
    assert_string_equal(mistake(f, "[{\"text\":\"a\"}\n{\"text\":\"b\"}]"),
                        "data.jsonl:2: expected the end at byte 13 of the JSON, found '{'");
    assert_string_equal(mistake(f, "{\"input_ids\":[1,,2]}"),
                        "data.jsonl:1: expected a value at byte 16 of the JSON, found ','; remove that comma");
    assert_string_equal(mistake(f, "{\"input_ids\":[1,2,]}"),
                        "data.jsonl:1: expected a value at byte 18 of the JSON, found ']'; remove the comma before it");
    assert_string_equal(mistake(f, "{\"text\":\"a\tb\"}"),
                        "data.jsonl:1: expected the string to go on (control characters must be escaped) at byte 10 of "
                        "the JSON, found byte 0x09");
    assert_string_equal(mistake(f, "[{\"text\":\"a\"}]\nx"),
                        "data.jsonl:2: expected nothing behind the array's ']', found "
                        "more text");
    assert_string_equal(
        mistake(f, "{\"text\":\"\xff\"}\n"),
        "data.jsonl:1: byte 0xFF at offset 9 of the file is not valid UTF-8 text; save the file as UTF-8");
    assert_string_equal(mistake(f, "\"text\"\n"), "data.jsonl:1: expected a JSON object as sample, found a string");
}

static void test_empty_files_are_an_error(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(mistake(f, ""),
                        "data.jsonl: the file is empty; expected samples as a JSON array or as JSON lines");
    assert_string_equal(mistake(f, " \n\n"),
                        "data.jsonl: the file is empty; expected samples as a JSON array or as JSON lines");
    assert_string_equal(mistake(f, "[]"), "data.jsonl: the file holds no samples");
}

static void test_unknown_and_mixed_formats_are_named(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(
        mistake(f, "{\"question\":\"a\",\"answer\":\"b\"}"),
        "data.jsonl:1: unknown data format: the sample has 'question', 'answer'; expected instruction + "
        "output, messages, conversations, prompt + completion, text, or input_ids + labels");
    assert_string_equal(
        mistake(f, "{\"text\":\"a\"}\n{\"input_ids\":[10,11]}\n"),
        "data.jsonl:2: a file holds one data format: expected text as above, found input_ids; split the "
        "file");
}

static void test_wrong_fields_are_named(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(mistake(f, "{\"text\":7}"), "data.jsonl:1: text: expected a string, found a number");
    assert_string_equal(mistake(f, "{\"messages\":[]}"),
                        "data.jsonl:1: messages: expected an array of messages, found an empty one");
    assert_string_equal(mistake(f, "{\"messages\":[{\"role\":\"user\",\"content\":null}]}"),
                        "data.jsonl:1: messages[0].content: expected a string, found null");
    assert_string_equal(mistake(f, "{\"conversations\":[{\"from\":\"human\"}]}"),
                        "data.jsonl:1: conversations[0].value: expected a string, found nothing");
    assert_string_equal(mistake(f, "{\"input_ids\":[1,128]}"),
                        "data.jsonl:1: input_ids[1]: expected a token id from 0 to 127, found 128");
    assert_string_equal(mistake(f, "{\"input_ids\":[1,2],\"labels\":[1,\"x\"]}"),
                        "data.jsonl:1: labels[1]: expected a token id from 0 to 127 or -100, found \"x\"");
    assert_string_equal(mistake(f, "{\"input_ids\":[1,2],\"labels\":[1]}"),
                        "data.jsonl:1: input_ids has 2 elements and labels 1: they must be as many");
    assert_string_equal(mistake(f, "{\"input_ids\":[1],\"labels\":[1]}"),
                        "data.jsonl: no token to train within max_length 200 in any of its samples (1): are there "
                        "assistant turns, or labels other than -100?");
}

static void test_what_is_missing_for_text_is_said(void **state)
{
    struct fixture *f = *state;
    f->request.chat = NULL;
    assert_string_equal(mistake(f, "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}"),
                        "data.jsonl:1: messages need a chat format, and the recipe has none: give it one (chat = ...)");
    f->request.tokenizer = NULL;
    assert_string_equal(mistake(f, "{\"text\":\"a\"}"),
                        "data.jsonl:1: text needs the model's tokenizer.json, which its directory does not have; "
                        "expected samples of input_ids");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, dataset_begin, dataset_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_messages_train_the_assistants_turns),
        TEST(test_all_is_trained_without_assistant_only_loss),
        TEST(test_content_in_parts_is_joined),
        TEST(test_conversations_know_sharegpts_names),
        TEST(test_instruction_and_input_are_the_question),
        TEST(test_instruction_without_chat_format_has_headings),
        TEST(test_completion_is_trained_with_eos),
        TEST(test_text_is_trained_whole_with_eos),
        TEST(test_tokens_keep_their_labels),
        TEST(test_long_samples_are_cut_and_useless_ones_dropped),
        TEST(test_max_samples_takes_from_the_shuffled_files),
        TEST(test_max_samples_counts_what_is_dropped),
        TEST(test_what_is_on_disk_reads_as_what_is_in_memory),
        TEST(test_no_room_for_tokens_is_said),
        TEST(test_files_follow_each_other_and_may_differ),
        TEST(test_the_fingerprint_sees_labels_and_boundaries),
        TEST(test_broken_files_are_named_by_line),
        TEST(test_empty_files_are_an_error),
        TEST(test_unknown_and_mixed_formats_are_named),
        TEST(test_wrong_fields_are_named),
        TEST(test_what_is_missing_for_text_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
