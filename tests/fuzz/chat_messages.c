/* A list of messages in JSON: refused, or messages with a role and a content. */
#include "chat_format_messages.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct chat_messages messages = {0};
    struct error err = {0};
    struct json_cursor cursor = json_cursor_begin("input", (const char *)data, size);
    if (chat_messages_read(&cursor, &messages, &err) && json_cursor_end(&cursor, &err)) {
        for (size_t i = 0; i < messages.count; i++) {
            const struct chat_message *message = &messages.item[i];
            CHECK(message->role && message->content && strlen(message->content) <= message->length);
            CHECK(!message->tool_calls || message->tool_calls_length > 0);
        }
    } else {
        CHECK(err.text[0]);
    }
    chat_messages_free(&messages);
    return 0;
}
