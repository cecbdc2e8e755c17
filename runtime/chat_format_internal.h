/* What the files of the chat format share: a conversation on its way to a text.
 */
#ifndef LORAC_CHAT_FORMAT_INTERNAL_H
#define LORAC_CHAT_FORMAT_INTERNAL_H

#include "chat_format.h"

/* A piece of some text. */
struct part {
    const char *text;
    size_t length;
};

struct rendering {
    const struct chat_format *format;
    const struct chat_message *messages;
    size_t count;
    struct part tools;    /* the JSON text of the list; text NULL: there are none */
    size_t last_question; /* index of the last message in which a user asks something */
    struct text_buffer *text;
    struct chat_spans *spans; /* may be NULL */
};

/* Appends a string of a format; NULL is none. */
void chat_append(struct text_buffer *text, const char *string);

/* Whether the message's role is `name`. */
bool chat_is_role(const struct chat_message *message, const char *name);

/* Without the members of a class of characters at its ends. */
struct part chat_trim(struct part part, bool (*is_member)(uint32_t), bool left, bool right);

/* ---- chat_format_encode.c ---- */

void chat_spans_push(struct chat_spans *spans, struct chat_span span);

/* ---- chat_format_thoughts.c ---- */

/* The message that the thoughts of earlier turns are left out before: Qwen3's last user message that is not the result of a tool;
 * with none, the last message. */
size_t chat_last_question(const struct chat_message *messages, size_t count);

/* The content of an assistant's turn with its thoughts, as the format wants them at this place; false where there is no answer
 * beside thoughts. */
bool chat_render_thinking(struct rendering *r, size_t index);

/* ---- chat_format_tools.c ---- */

/* False where the conversation has tools or calls and the format has none, or more calls in a turn than it takes. */
bool chat_check_tools(const struct rendering *r, struct error *err);

/* The list of tools, with open and close. */
bool chat_render_tools(struct rendering *r, struct error *err);

/* The calls of message `index`, with what stands around them; has_content: the turn has some already. */
bool chat_render_calls(struct rendering *r, size_t index, bool has_content, struct error *err);

/* A role's suffix, in which $tool_call_id may stand. */
bool chat_render_suffix(struct rendering *r, const char *suffix, size_t index, struct error *err);

/* Whether the list of tools belongs in front of the content (or, TOOLS_BEFORE_LAST_USER, the turn) of message `index`. */
bool chat_tools_belong_to(const struct rendering *r, size_t index);

#endif
