/* Chat formats: how a conversation becomes one text, and which of its tokens an assistant's turn consists of.
 *
 * A format is data: what stands before and behind each role's content. The recipe names it (recipes/chat/), the generator compiles
 * it in (templates/chat_format.c), and this file renders it. A rendered conversation is tokenized as one string, exactly as
 * Transformers does with the text of apply_chat_template: added tokens are recognised anywhere in it, and words may reach across
 * the seam between a prefix and a content. Spans are known from the rendering and carried over by byte offsets, never searched.
 *
 * What a format says is what the model's own chat_template says; where a template is lenient in a way that loses text (thoughts or
 * tools that it has no place for), rendering fails instead. Text that spells a special token is that token wherever it stands,
 * in a user's content too: Transformers does so, and so does every server behind it.
 */
#ifndef LORAC_CHAT_FORMAT_H
#define LORAC_CHAT_FORMAT_H

#include "tokenizer.h"

enum { CHAT_ROLES = 8, CHAT_STOPS = 8 };

/* Every string of a format may be NULL, which stands for no text, unless it is said what NULL means. */

/* A turn is: group_open (first of a run of this role), prefix, content, end_of_turn, suffix, group_close (last of the run). */
struct chat_role {
    const char *name;       /* as in a message's "role"; never NULL */
    const char *group_open; /* Qwen opens one user turn for several tool results */
    const char *prefix;
    const char *end_of_turn; /* what ends a turn when the assistant writes it: trained, with the content */
    const char *suffix;      /* never trained: the newline behind it. $tool_call_id may stand in it */
    const char *group_close;
    bool trim;    /* the content loses white space at both ends, as with Python's strip() */
    bool json;    /* the content is written as a JSON string */
    bool trained; /* the assistant */
};

enum chat_tools_place {
    TOOLS_NOWHERE,         /* the format knows no tools */
    TOOLS_IN_SYSTEM,       /* behind the system prompt, two newlines between them; alone where there is none */
    TOOLS_IN_FIRST_USER,   /* in front of the first user's content */
    TOOLS_BEFORE_LAST_USER /* in front of the last user's turn */
};

/* How tools are listed and called. JSON is written as Python's json.dumps does with ensure_ascii=False (json_python.h).
 *
 * The list is: open, every tool with `between` in between, close; where `each` is a tool, with $tool for its JSON, or $members for
 * the members of its function but "return", strings just put between quotes (Mistral's way).
 * A turn with calls is: prefix, content, after_content (if the content is not empty), call_open, every call with call_between in
 * between, call_close, end_of_turn; where `call` is a call, with $name, $arguments (JSON), $id and $function, the JSON of the whole
 * function without its closing brace. */
struct chat_tools {
    enum chat_tools_place place;
    const char *system_preamble; /* in front of everything else in the system turn, if there are tools */
    const char *open, *each, *between, *close;
    int indent; /* of a tool's JSON; 0: in one line */
    const char *after_content, *call_open, *call, *call_between, *call_close;
    bool calls_replace_content; /* a turn with calls has neither prefix nor content */
    bool plain_arguments;       /* arguments that are a string are written as they are, not as JSON */
    int most_calls;             /* a turn's; 0: any number */
};

struct chat_format {
    const char *name; /* NULL: the recipe has no chat format */
    const char *bos;  /* in front of everything */
    struct chat_role roles[CHAT_ROLES];
    int role_count;
    const char *default_system;  /* the system message of a conversation that has none; NULL: none either */
    bool own_system;             /* the recipe chose default_system; else it is the format's */
    const char *system_preamble; /* in front of the content of the first system turn */
    /* Not NULL: a first system message is not a turn; it goes in front of the first user's content, between these. */
    const char *system_open, *system_close;
    bool system_in_last; /* ... of the last message's content instead, if that is a user's; else it is left out */
    const char *generation_prompt; /* what the assistant goes on from */
    /* Not NULL: the assistant's thoughts lie between these, as in Qwen3. Turns before the last question lose their thoughts, the
     * last turn always has some, if empty ones: open, newline, thoughts, newline, close, two newlines, answer. */
    const char *think_open, *think_close;
    struct chat_tools tools;
    bool alternate;      /* user and assistant must take turns, the user first (system, tools and calls apart) */
    bool other_template; /* that the model's own template differs is meant: nothing to warn of (chat_template.h) */
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
    const char *tool_calls; /* the JSON text of the list, or NULL: none */
    size_t tool_calls_length;
    const char *tool_call_id; /* or NULL */
    bool excluded;            /* data: this turn is not to be trained; nothing to rendering */
};

struct chat_conversation {
    const struct chat_message *messages;
    size_t count;
    const char *tools; /* the JSON text of the list of tools, or NULL: none */
    size_t tools_length;
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
 * role that the format does not have (named, with those it has), turns out of order where the format wants an order, and thoughts,
 * tools and calls that the format has no place for or that are not well formed. What the generation prompt gives is never part of a
 * span. */
bool chat_format_render(const struct chat_format *format, const struct chat_conversation *conversation,
                        bool add_generation_prompt, struct text_buffer *text, struct chat_spans *spans,
                        struct error *err);

/* The same in tokens: appends to `ids`, with starts counted in the rendered text, and spans as indices into `ids` (`spans` may be
 * NULL). A token that reaches across an end of a span counts as inside, as in Transformers' assistant masks; it may then belong to
 * the turn's prefix or suffix in part. */
bool chat_format_encode(const struct chat_format *format, struct tokenizer *tokenizer,
                        const struct chat_conversation *conversation, bool add_generation_prompt, struct ids *ids,
                        struct chat_spans *spans, struct error *err);

#endif
