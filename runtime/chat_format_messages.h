/* Conversations in JSON: [{"role": "user", "content": "Hi"}, ...].
 */
#ifndef LORAC_CHAT_FORMAT_MESSAGES_H
#define LORAC_CHAT_FORMAT_MESSAGES_H

#include "chat_format.h"
#include "tokenizer_json.h"

/* Zero-initialize, chat_messages_free; may be read into again and again. item[i] points into `arena`. */
struct chat_messages {
    struct chat_message *item;
    size_t count, capacity;
    struct text_buffer arena;
};

/* Reads the array at the cursor in place of what *messages held. Each message needs "role" and "content", both strings;
 * "reasoning_content" is read where it is a string; "tool_calls" that are not empty are an error, since no format renders them yet;
 * further fields are left aside. */
bool chat_messages_read(struct json_cursor *cursor, struct chat_messages *messages, struct error *err);

void chat_messages_free(struct chat_messages *messages);

#endif
