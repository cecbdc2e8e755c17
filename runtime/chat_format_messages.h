/* Conversations in JSON: [{"role": "user", "content": "Hi"}, ...], or {"messages": [...], "tools": [...]}.
 *
 * A message's members:
 *   role                a string; or ShareGPT's from, whose names are brought to ours
 *   content             (ShareGPT's value) a string; or a list of strings and {"text": ...}, which are joined; or null where there
 *                       are tool_calls
 *   reasoning_content   (also reasoning, thinking) an assistant's thoughts, a string
 *   tool_calls          [{"id", "function": {"name", "arguments"}}, ...], or name and arguments without function around them
 *   tool_call_id        of a tool's answer
 * Lists of tools and of calls may also be strings that hold such JSON. What is null or empty is not there. Members that would be a
 * part of the conversation, and that no format renders (images, function_call, ...), are mistakes; others, such as timestamps, are
 * left aside.
 */
#ifndef LORAC_CHAT_FORMAT_MESSAGES_H
#define LORAC_CHAT_FORMAT_MESSAGES_H

#include "chat_format.h"
#include "tokenizer_json.h"

/* Zero-initialize, chat_messages_free; may be read into again and again. item[i] and tools point into `arena`. */
struct chat_messages {
    struct chat_message *item;
    size_t count, capacity;
    const char *tools; /* JSON text, or NULL */
    size_t tools_length;
    struct text_buffer arena;
};

/* Reads the array or object at the cursor in place of what *messages held. */
bool chat_messages_read(struct json_cursor *cursor, struct chat_messages *messages, struct error *err);

/* What is meant by one of ShareGPT's names for roles ("human", "gpt"), and by those of what was made after it. Other names stay: the
 * chat format knows them or refuses them. */
const char *chat_known_role(const char *role);

/* Whether a message's member of this name is a part of the conversation that no chat format has a place for. */
bool chat_member_is_lost(const char *name);

struct chat_conversation chat_messages_conversation(const struct chat_messages *messages);

void chat_messages_free(struct chat_messages *messages);

#endif
