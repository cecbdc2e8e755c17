/* Conversations in JSON, from a prompt's file, from a line of `tokenize`, and in data files: [{"role": "user", "content": "Hi"}, ...],
 * or {"messages": [...], "tools": [...]}.
 *
 * A message's members:
 *   role                a string; where it is not there ShareGPT's from, whose names are brought to ours
 *   content             (else ShareGPT's value) a string; or a list of strings and {"text": ...}, which are joined; or null or missing
 *                       where there are tool_calls
 *   reasoning_content   (else reasoning, thinking) an assistant's thoughts, a string
 *   tool_calls          [{"id", "function": {"name", "arguments"}}, ...], or name and arguments without function around them
 *   tool_call_id        of a tool's answer
 *   train, weight       false or 0 (OpenAI's): the turn is not to be trained. true and 1 are what holds without them, so only an
 *                       assistant's turn may say so
 * Lists of tools and of calls may also be strings that hold such JSON. What is null or empty is not there. Of a member that stands
 * twice the last counts, as in Python. Members that would be a part of the conversation, and that no format renders (images,
 * function_call, ...), are mistakes; others, such as timestamps, are left aside. Texts may hold NULs (\u0000), names may not.
 */
#ifndef LORAC_CHAT_FORMAT_MESSAGES_H
#define LORAC_CHAT_FORMAT_MESSAGES_H

#include "chat_format.h"
#include "data_fields.h"
#include "json_object.h"

/* Zero-initialize, chat_messages_free. Texts that are read belong to it. */
struct chat_messages {
    struct chat_message *item;
    size_t count, capacity;
    const char *tools; /* JSON text, or NULL */
    size_t tools_length;
    char **owned;
    size_t owned_count, owned_capacity;
};

/* Reads the array or object at the cursor in place of what *messages held. */
bool chat_messages_read(struct json_cursor *cursor, struct chat_messages *messages, struct error *err);

/* Where a list of messages comes from, for what is said of it. */
struct chat_source {
    const char *where;                /* "train.jsonl:3" */
    const char *list;                 /* "messages" */
    const struct data_fields *fields; /* the names of members; complete */
};

/* Appends the messages of the array at the cursor. */
bool chat_messages_append(struct chat_messages *messages, const struct chat_source *source, struct json_cursor *cursor,
                          struct error *err);

/* Sets the tools from a list, a string that holds one, or nothing. */
bool chat_messages_read_tools(struct chat_messages *messages, const char *where, struct json_value value,
                              struct error *err);

/* Appends a turn. Role and content are borrowed; chat_messages_own makes them the list's. */
void chat_messages_add(struct chat_messages *messages, const char *role, const char *content, size_t length);

/* Makes `text` the list's, to be freed with it; returns it. */
char *chat_messages_own(struct chat_messages *messages, char *text);

/* A string's characters, the list's, and a NUL behind them; *length in bytes. */
const char *chat_messages_text(struct chat_messages *messages, struct json_value string, size_t *length);

struct chat_conversation chat_messages_conversation(const struct chat_messages *messages);

/* Empties the list; chat_messages_free gives its memory back as well. */
void chat_messages_clear(struct chat_messages *messages);
void chat_messages_free(struct chat_messages *messages);

#endif
