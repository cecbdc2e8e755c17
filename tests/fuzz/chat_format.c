/* Conversations with tools, calls and thoughts to texts: what is rendered is UTF-8, and each assistant's span lies in it, behind the one
 * before, and ends with the end of a turn; otherwise there is a message. The first byte chooses the format. */
#include "chat_format_messages.h"

#include <string.h>

#define ROLES                                                                                                          \
    {                                                                                                                  \
        {.name = "system", .prefix = "S:", .trim = true},                                                              \
            {.name = "user", .group_open = "(", .prefix = "U:", .group_close = ")"},                                   \
            {.name = "assistant", .prefix = "A:", .end_of_turn = ".", .suffix = "\n", .trained = true},                \
        {                                                                                                              \
            .name = "tool", .prefix = "T:", .suffix = "$tool_call_id;", .json = true                                   \
        }                                                                                                              \
    }

static const struct chat_format FORMATS[] = {
    {.name = "in system",
     .roles = ROLES,
     .role_count = 4,
     .default_system = "D",
     .generation_prompt = "A:",
     .think_open = "<think>",
     .think_close = "</think>",
     .tools = {.place = TOOLS_IN_SYSTEM, .each = "$tool", .call = "$name$arguments", .plain_arguments = true}},
    {.name = "in first user",
     .roles = ROLES,
     .role_count = 4,
     .system_preamble = "P",
     .tools = {.place = TOOLS_IN_FIRST_USER, .each = "$tool,", .indent = 2, .call = "$id$name", .most_calls = 1}},
    {.name = "before last user",
     .roles = ROLES,
     .role_count = 4,
     .system_open = "[",
     .system_close = "]",
     .system_in_last = true,
     .alternate = true,
     .tools = {.place = TOOLS_BEFORE_LAST_USER,
               .open = "L",
               .each = "$members",
               .call_open = "C",
               .call = "$function",
               .calls_replace_content = true}},
};
enum { FORMAT_COUNT = sizeof FORMATS / sizeof *FORMATS };

static void check(const struct chat_conversation *conversation, const struct text_buffer *text,
                  const struct chat_spans *spans)
{
    size_t end = 0;
    CHECK(utf8_valid_length(text->data ? text->data : "", text->length) == text->length);
    for (size_t i = 0; i < spans->count; i++) {
        const struct chat_span *span = &spans->item[i];
        CHECK(span->begin >= end && span->end > span->begin && span->end <= text->length);
        CHECK(text->data && text->data[span->end - 1] == '.');
        CHECK(span->message < conversation->count);
        CHECK(strcmp(conversation->messages[span->message].role, "assistant") == 0);
        end = span->end;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct chat_messages messages = {0};
    struct text_buffer text = {0};
    struct chat_spans spans = {0};
    struct error err = {0};
    struct json_cursor cursor = json_cursor_begin("input", (const char *)data + 1, size - 1);
    bool ok = chat_messages_read(&cursor, &messages, &err);
    if (ok) {
        const struct chat_conversation conversation = chat_messages_conversation(&messages);
        ok = chat_format_render(&FORMATS[data[0] % FORMAT_COUNT], &conversation, data[0] & 64, &text, &spans, &err);
        if (ok)
            check(&conversation, &text, &spans);
    }
    CHECK(ok || (err.text[0] && !strchr(err.text, '\n')));
    text_buffer_free(&text);
    chat_spans_free(&spans);
    chat_messages_free(&messages);
    return 0;
}
