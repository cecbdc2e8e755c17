/* Conversations of data files: which turns they have under which names, which of them are trained, and what is said of broken ones. */
#include "dataset_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_turns_may_exclude_themselves(void **state)
{
    struct fixture *f = *state;
    load(f, "{\"messages\":[{\"role\":\"user\",\"content\":\"a\",\"train\":false},"
            "{\"role\":\"assistant\",\"content\":\"b\",\"train\":false},"
            "{\"role\":\"user\",\"content\":\"c\",\"weight\":null},{\"role\":\"assistant\",\"content\":\"d\",\"train\":"
            "true}]}\n"
            "{\"messages\":[{\"role\":\"assistant\",\"content\":\"b\",\"weight\":1},"
            "{\"role\":\"assistant\",\"content\":\"d\",\"weight\":0}]}\n"
            "{\"messages\":[{\"role\":\"assistant\",\"content\":\"b\",\"weight\":1,\"train\":false},"
            "{\"role\":\"assistant\",\"content\":\"d\",\"weight\":1.0}]}\n");
    expect_sample(f, 0, "{user\na}\n{assistant\nb}\n{user\nc}\n{assistant\n[d}]");
    expect_sample(f, 1, "{assistant\n[b}]");
    expect_sample(f, 2, "{assistant\nb}\n{assistant\n[d}]");
}

static void test_excluded_turns_stay_so_when_all_is_trained(void **state)
{
    struct fixture *f = *state;
    f->request.assistant_only_loss = false;
    load(f,
         "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\",\"content\":\"b\",\"weight\":0},"
         "{\"role\":\"assistant\",\"content\":\"c\"}]}");
    expect_sample(f, 0, "{[user\na}\n{assistant\n]b}[\n{assistant\nc}\n]");
    dataset_free(&f->data);
    assert_string_equal(mistake(f, "{\"messages\":[{\"role\":\"user\",\"content\":\"a\",\"train\":false}]}"),
                        "data.jsonl:1: message 1: without assistant_only_loss only an assistant's turn can be excluded "
                        "from training, found role 'user'");
}

static void test_training_flags_are_checked(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(mistake(f, "{\"messages\":[{\"role\":\"assistant\",\"content\":\"a\",\"train\":\"no\"}]}"),
                        "data.jsonl:1: messages[0].train: expected true or false, found \"no\"");
    assert_string_equal(mistake(f, "{\"messages\":[{\"role\":\"assistant\",\"content\":\"a\",\"weight\":0.5}]}"),
                        "data.jsonl:1: messages[0].weight: expected 0 or 1, found 0.5");
    assert_string_equal(mistake(f, "{\"messages\":[{\"role\":\"user\",\"content\":\"a\",\"train\":true}]}"),
                        "data.jsonl:1: messages[0].train: only an assistant's turn can be trained, found role 'user'; "
                        "leave it out");
}

static void test_a_completion_of_messages_is_trained(void **state)
{
    struct fixture *f = *state;
    const char *text =
        "{\"prompt\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\",\"content\":\"b\"},"
        "{\"role\":\"user\",\"content\":\"c\"}],\"completion\":[{\"role\":\"assistant\",\"content\":\"d\"}]}";
    load(f, text);
    expect_sample(f, 0, "{user\na}\n{assistant\nb}\n{user\nc}\n{assistant\n[d}]");
    char *expected = format_text("%s: prompt and completion messages, 1 sample\n", f->path);
    assert_string_equal(f->data.formats, expected);
    free(expected);
}

static void test_prompt_and_completion_are_alike(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(mistake(f, "{\"prompt\":[{\"role\":\"user\",\"content\":\"a\"}],\"completion\":\"b\"}"),
                        "data.jsonl:1: completion: expected an array of messages, found a string");
    assert_string_equal(mistake(f, "{\"prompt\":\"a\",\"completion\":[{\"role\":\"assistant\",\"content\":\"b\"}]}"),
                        "data.jsonl:1: completion: expected a string, found an array");
    assert_string_equal(mistake(f, "{\"prompt\":\"a\",\"completion\":\"b\"}\n{\"prompt\":[],\"completion\":[]}\n"),
                        "data.jsonl:2: a file holds one data format: expected prompt and completion as above, found "
                        "prompt and completion messages; split the file");
    assert_string_equal(mistake(f, "{\"prompt\":[],\"completion\":[]}"),
                        "data.jsonl:1: prompt: expected an array of messages, found an empty one");
}

static void test_roles_have_many_names_in_sharegpt(void **state)
{
    struct fixture *f = *state;
    static const char *const assistants[] = {"gpt", "chatgpt", "bot", "bing", "bard", "chatbot", "model", "assistant"};
    for (size_t i = 0; i < sizeof assistants / sizeof *assistants; i++) {
        char *text =
            format_text("{\"conversations\":[{\"from\":\"human\",\"value\":\"a\"},{\"from\":\"%s\",\"value\":\"b\"}]}",
                        assistants[i]);
        load(f, text);
        expect_sample(f, 0, "{user\na}\n{assistant\n[b}]");
        dataset_free(&f->data);
        free(text);
    }
    assert_string_equal(mistake(f, "{\"conversations\":[{\"from\":\"gtp\",\"value\":\"a\"}]}"),
                        "data.jsonl:1: message 1: the chat format 'chatml' has no role 'gtp' (it has system, user, "
                        "assistant)");
}

/* As in Python; and what each string holds comes to the tokens whole. */
static void test_strings_and_members_are_pythons(void **state)
{
    struct fixture *f = *state;
    load(f,
         "{\"text\":1,\"messages\":[{\"role\":\"assistant\",\"content\":\"a\"}],\"messages\":[{\"role\":7,\"content\":"
         "\"b\",\"role\":\"assistant\",\"content\":\"c\",\"tool_call_id\":null}]}\n"
         "{\"messages\":[{\"role\":\"assistant\",\"content\":[\"d\",{\"text\":\"e\"}],\"from\":\"human\"}]}\n");
    expect_sample(f, 0, "{assistant\n[c}]");
    expect_sample(f, 1, "{assistant\n[de}]");
    dataset_free(&f->data);
    load(f, "{\"text\":\"a\\u0000b\"}\n");
    int32_t ids[4], labels[4];
    assert_int_equal(f->data.sample[0].tokens, 5);
    dataset_free(&f->data);
    load(f, "{\"input_ids\":[0,65]}\n");
    assert_true(dataset_read(&f->data, 0, ids, labels, &f->err));
    assert_int_equal(ids[0], 0);
}

static void test_members_of_messages_are_checked(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(mistake(f, "{\"messages\":[{\"role\":\"tool\",\"content\":\"a\",\"tool_call_id\":7}]}"),
                        "data.jsonl:1: messages[0].tool_call_id: expected a string, found a number");
    assert_string_equal(mistake(f, "{\"messages\":[{\"role\":\"user\\u0000x\",\"content\":\"a\"}]}"),
                        "data.jsonl:1: messages[0].role: expected a name, found one with a NUL character");
    assert_string_equal(mistake(f, "{\"messages\":[{\"role\":\"assistant\",\"content\":\"a\",\"thinking\":7}]}"),
                        "data.jsonl:1: messages[0].thinking: expected a string, found a number");
    assert_string_equal(mistake(f, "{\"conversations\":[{\"from\":\"human\",\"value\":\"a\"},"
                                   "{\"from\":\"function_call\",\"value\":\"{}\"}]}"),
                        "data.jsonl:1: conversations[1].from: expected who speaks, found 'function_call'; write the "
                        "call as \"tool_calls\": [{\"name\": ..., \"arguments\": {...}}] of a turn from \"gpt\"");
    assert_string_equal(mistake(f, "{\"messages\":[7]}"),
                        "data.jsonl:1: messages[0]: expected an object with role and content, found a number");
}

static void test_history_is_pairs(void **state)
{
    struct fixture *f = *state;
    load(f, "{\"instruction\":\"c\",\"output\":\"d\",\"history\":[]}\n"
            "{\"instruction\":\"c\",\"output\":\"d\",\"history\":null,\"input\":null,\"system\":null}\n"
            "{\"instruction\":\"\",\"input\":\"c\",\"output\":\"d\",\"history\":[[\"a\",\"b\"]]}\n");
    expect_sample(f, 0, "{user\nc}\n{assistant\n[d}]");
    expect_sample(f, 1, "{user\nc}\n{assistant\n[d}]");
    expect_sample(f, 2, "{user\na}\n{assistant\n[b}]\n{user\nc}\n{assistant\n[d}]");
    dataset_free(&f->data);
    assert_string_equal(mistake(f, "{\"instruction\":\"c\",\"output\":\"d\",\"history\":\"a\"}"),
                        "data.jsonl:1: history: expected an array of pairs [question, answer], found a string");
    static const char *const broken[] = {"[\"a\"]", "[\"a\",\"b\",\"c\"]", "[\"a\",1]", "\"a\"",
                                         "{\"a\":\"b\",\"c\":\"d\"}"};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        char *text = format_text("{\"instruction\":\"c\",\"output\":\"d\",\"history\":[[\"a\",\"b\"],%s]}", broken[i]);
        assert_string_equal(mistake(f, text),
                            "data.jsonl:1: history[1]: expected a pair of strings [question, answer]");
        free(text);
    }
}

static void test_fields_may_have_other_names(void **state)
{
    struct fixture *f = *state;
    f->request.fields =
        (struct data_fields){.messages = "dialog", .role = "speaker", .content = "text", .train = "learn"};
    load(f, "{\"messages\":7,\"dialog\":[{\"speaker\":\"user\",\"text\":\"a\"},"
            "{\"speaker\":\"assistant\",\"text\":\"b\",\"learn\":false,\"train\":7},"
            "{\"speaker\":\"assistant\",\"text\":\"c\"}]}");
    expect_sample(f, 0, "{user\na}\n{assistant\nb}\n{assistant\n[c}]");
    dataset_free(&f->data);
    assert_string_equal(mistake(f, "{\"dialog\":[{\"role\":\"user\",\"content\":\"a\"}]}"),
                        "data.jsonl:1: dialog[0].speaker: expected a string, found nothing");
    assert_string_equal(mistake(f, "{\"messages\":[]}"),
                        "data.jsonl:1: unknown data format: the sample has 'messages'; expected instruction + output, "
                        "dialog, conversations, prompt + completion, text, or input_ids + labels");
    f->request.fields = (struct data_fields){.input_ids = "tokens", .labels = "targets"};
    load(f, "{\"tokens\":[65,66,67],\"targets\":[-100,-100,67]}");
    expect_sample(f, 0, "AB[C]");
    dataset_free(&f->data);
    assert_string_equal(mistake(f, "{\"tokens\":[65,66],\"targets\":[65]}"),
                        "data.jsonl:1: tokens has 2 elements and targets 1: they must be as many");
}

static void test_every_field_has_its_own_name(void **state)
{
    (void)state;
    struct data_fields fields = {.system = "persona"};
    data_fields_complete(&fields);
    assert_string_equal(fields.instruction, "instruction");
    assert_string_equal(fields.system, "persona");
    assert_string_equal(fields.reasoning_content, "reasoning_content");
    int count = 0;
    while (data_field_name(count))
        count++;
    assert_int_equal(count, sizeof fields / sizeof(const char *));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, dataset_begin, dataset_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_turns_may_exclude_themselves),
        TEST(test_excluded_turns_stay_so_when_all_is_trained),
        TEST(test_training_flags_are_checked),
        TEST(test_a_completion_of_messages_is_trained),
        TEST(test_prompt_and_completion_are_alike),
        TEST(test_roles_have_many_names_in_sharegpt),
        TEST(test_strings_and_members_are_pythons),
        TEST(test_members_of_messages_are_checked),
        TEST(test_history_is_pairs),
        TEST(test_fields_may_have_other_names),
        cmocka_unit_test(test_every_field_has_its_own_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
