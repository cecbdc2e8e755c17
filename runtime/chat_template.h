/* The chat template that a model directory carries (chat_template.jinja, or chat_template in chat_template.json or
 * tokenizer_config.json), against the chat format that a program was compiled with.
 *
 * Templates are programs, which nothing here runs. But there are few, copied from model to model: chat_template_table.c knows some by
 * their text, and what they make of three probe conversations. A format that makes the same of them agrees with the template.
 */
#ifndef LORAC_CHAT_TEMPLATE_H
#define LORAC_CHAT_TEMPLATE_H

#include "chat_format.h"

#include <stdint.h>

enum { TEMPLATE_VERSIONS = 4 };

/* A template by its text, and what Jinja makes of the probes (chat_template.c) with it. */
struct known_template {
    const char *name; /* of its models, for people: "Qwen2.5" */
    uint64_t
        hashes[TEMPLATE_VERSIONS]; /* chat_template_hash of its texts: there may be several that do the same; 0: none */
    bool system;                   /* it takes system messages: the first two probes begin with one */
    const char *conversation;      /* [system,] user, assistant, user, assistant */
    const char *prompt;            /* [system,] user, assistant, user, and the generation prompt */
    const char *bare;              /* user, assistant */
};

extern const struct known_template known_templates[];
extern const int known_template_count;

/* FNV-1a (64 bits) of the text with "\n" for "\r\n", and without the last newline, one at most, which Jinja drops. */
uint64_t chat_template_hash(const char *text, size_t length);

/* How a format's texts of the probes differ from the template's: "the template writes ... where the format writes ..."; free() it. NULL
 * where they do not. What a recipe chose as its own system prompt is no difference. */
char *chat_template_difference(const struct chat_format *format, const struct known_template *known);

/* One line, without a newline, to warn with where the directory's template and the format differ, or where that cannot be told (the
 * template is not known, is no text, its file is broken); free() it. NULL where there is nothing to warn of: they agree, there is no template, the
 * program has no format, or the recipe says that the difference is meant (other_template). */
char *chat_template_warning(const struct chat_format *format, const char *directory);

#endif
