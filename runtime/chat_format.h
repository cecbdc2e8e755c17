/* Chat formats: how a conversation becomes one text, and which of its tokens an assistant's turn consists of.
 *
 * A format is data: what stands before and behind each role's content. The recipe names it (recipes/chat/), the generator compiles
 * it in (templates/chat_format.c), and this file renders it. A rendered conversation is tokenized as one string, exactly as
 * Transformers does with the text of apply_chat_template: added tokens are recognised anywhere in it, and words may reach across
 * the seam between a prefix and a content. Spans are known from the rendering and carried over by byte offsets, never searched.
 */
#ifndef LORAC_CHAT_FORMAT_H
#define LORAC_CHAT_FORMAT_H

#include "tokenizer.h"

enum { CHAT_ROLES = 8, CHAT_STOPS = 8 };

/* A turn is: group_open (first of a run of this role), prefix, content, end_of_turn, suffix, group_close (last of the run). No
 * string is NULL. */
struct chat_role {
    const char *name;       /* as in a message's "role" */
    const char *group_open; /* Qwen opens one user turn for several tool results */
    const char *prefix;
    const char *end_of_turn; /* what ends a turn when the assistant writes it: trained, with the content */
    const char *suffix;      /* never trained: the newline behind it */
    const char *group_close;
    bool trained; /* the assistant */
};

struct chat_format {
    const char *name; /* NULL: the recipe has no chat format */
    const char *bos;  /* in front of everything */
    struct chat_role roles[CHAT_ROLES];
    int role_count;
    const char *default_system; /* the system message of a conversation that has none, or NULL */
    /* Not NULL: a first system message is not a turn; it goes in front of the first user's content, between these. */
    const char *system_open, *system_close;
    const char *generation_prompt; /* what the assistant goes on from */
    /* Not NULL: the assistant's thoughts lie between these, as in Qwen3. Turns before the last question lose their thoughts, the
     * last turn always has some, if empty ones: open, newline, thoughts, newline, close, two newlines, answer. */
    const char *think_open, *think_close;
    bool trim;                    /* contents lose white space at both ends, as Python's strip() does */
    bool alternate;               /* user and assistant must take turns, the user first (a system message apart) */
    const char *stop[CHAT_STOPS]; /* texts that end a generated turn: tokens where the tokenizer has them */
    int stop_count;
};

/* Texts are borrowed, UTF-8, and may hold NULs. */
struct chat_message {
    const char *role;
    const char *content;
    size_t length;        /* bytes of content */
    const char *thoughts; /* "reasoning_content", or NULL */
    size_t thoughts_length;
};

/* An assistant's turn, content and end_of_turn: bytes of a rendered text, or tokens. */
struct chat_span {
    size_t begin, end;
    size_t message; /* index of the message */
};

/* Zero-initialize, chat_spans_free. */
struct chat_spans {
    struct chat_span *item;
    size_t count, capacity;
};

void chat_spans_free(struct chat_spans *spans);

/* Appends the text of a conversation, and the spans of its assistant's turns in bytes of *text. Fails on an empty conversation, a
 * role that the format does not have (named, with those it has), and turns out of order where the format wants an order. What the
 * generation prompt gives is never part of a span. */
bool chat_format_render(const struct chat_format *format, const struct chat_message *messages, size_t count,
                        bool add_generation_prompt, struct text_buffer *text, struct chat_spans *spans,
                        struct error *err);

/* The same in tokens: appends to `ids`, with starts counted in the rendered text, and spans as indices into `ids` (`spans` may be
 * NULL). A token that reaches across an end of a span counts as inside, as in Transformers' assistant masks; it may then belong to
 * the turn's prefix or suffix in part. */
bool chat_format_encode(const struct chat_format *format, struct tokenizer *tokenizer,
                        const struct chat_message *messages, size_t count, bool add_generation_prompt, struct ids *ids,
                        struct chat_spans *spans, struct error *err);

#endif
