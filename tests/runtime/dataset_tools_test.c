/* Tools in data files: listed, called and answered; numbers as the file writes them; what no format renders refused. */
#include "dataset_fixture.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct chat_format TOOLS = {
    .name = "tools",
    .roles =
        {
            {.name = "system", .prefix = "S:"},
            {.name = "user", .prefix = "U:"},
            {.name = "assistant", .prefix = "A:", .end_of_turn = ".", .trained = true},
            {.name = "tool", .prefix = "T:"},
        },
    .role_count = 4,
    .tools =
        {.place = TOOLS_IN_SYSTEM, .each = "$tool", .between = ";", .call = "$name$arguments", .after_content = "+"},
};

static void test_tools_are_listed_and_called(void **state)
{
    struct fixture *f = *state;
    f->request.chat = &TOOLS;
    load(f,
         "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\",\"content\":null,\"tool_calls\":"
         "[{\"id\":\"x\",\"function\":{\"name\":\"f\",\"arguments\":{\"n\":20.0,\"m\":12345678901234567890}}}]},"
         "{\"role\":\"tool\",\"content\":\"4\"}],\"tools\":[{\"v\":1.50},{\"v\":1e2}]}\n"
         "{\"messages\":[{\"role\":\"assistant\",\"content\":\"b\",\"tool_calls\":\"[{\\\"name\\\":\\\"f\\\","
         "\\\"arguments\\\":{}}]\"}],\"tools\":\"[{\\\"v\\\":1.0}]\"}\n"
         "{\"prompt\":[{\"role\":\"user\",\"content\":\"a\"}],\"completion\":[{\"role\":\"assistant\",\"content\":"
         "\"b\"}],"
         "\"messages\":[{\"role\":\"assistant\",\"content\":\"b\",\"tool_calls\":[],\"functions\":null}],"
         "\"tools\":[]}\n");
    expect_sample(f, 0, "S:{\"v\": 1.5};{\"v\": 100.0}U:aA:[f{\"n\": 20.0, \"m\": 12345678901234567890}.]");
    expect_sample(f, 1, "S:{\"v\": 1.0}A:[b+f{}.]");
    expect_sample(f, 2, "A:[b.]");
}

static void test_thoughts_have_several_names(void **state)
{
    struct fixture *f = *state;
    struct chat_format thinking = TOOLS;
    thinking.think_open = "<";
    thinking.think_close = ">";
    f->request.chat = &thinking;
    load(f, "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\",\"content\":\"b\","
            "\"reasoning_content\":\"c\"}]}\n"
            "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\",\"content\":\"b\","
            "\"thinking\":\"c\"}]}\n");
    expect_sample(f, 0, "U:aA:[<\nc\n>\n\nb.]");
    expect_sample(f, 1, "U:aA:[<\nc\n>\n\nb.]");
}

static void test_what_has_no_place_is_refused(void **state)
{
    struct fixture *f = *state;
    static const char *const cases[][2] = {
        {"{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"tools\":[{\"name\":\"f\"}]}",
         "data.jsonl:1: the conversation has tools, and the chat format 'chatml' cannot list any"},
        {"{\"messages\":[{\"role\":\"assistant\",\"content\":\"a\",\"tool_calls\":[{\"name\":\"f\",\"arguments\":{}}]}]"
         "}",
         "data.jsonl:1: message 1: tool_calls: the chat format 'chatml' knows no calls of tools"},
        {"{\"messages\":[{\"role\":\"assistant\",\"content\":\"a\",\"function_call\":{\"name\":\"f\"}}]}",
         "data.jsonl:1: messages[0].function_call: no chat format here has a place for it; write calls as "
         "\"tool_calls\": [{\"name\": ..., \"arguments\": {...}}]"},
        {"{\"messages\":[{\"role\":\"assistant\",\"content\":\"a\",\"reasoning\":\"hm\"}]}",
         "data.jsonl:1: message 1: reasoning_content: the chat format 'chatml' has no place for thoughts; take them "
         "out, or put them into the content"},
        {"{\"messages\":[{\"role\":\"assistant\",\"content\":\"a\",\"tool_calls\":{\"name\":\"f\"}}]}",
         "data.jsonl:1: messages[0].tool_calls: expected a list, found an object"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"tools\":7}",
         "data.jsonl:1: tools: expected a list, found a number"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":null}]}",
         "data.jsonl:1: messages[0].content: expected a string, found null"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(mistake(f, cases[i][0]), cases[i][1]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, dataset_begin, dataset_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_tools_are_listed_and_called),
        TEST(test_thoughts_have_several_names),
        TEST(test_what_has_no_place_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
