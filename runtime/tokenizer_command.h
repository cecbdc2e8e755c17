/* The command `tokenize`: texts or conversations in, token ids out, or the reverse.
 */
#ifndef LORAC_TOKENIZER_COMMAND_H
#define LORAC_TOKENIZER_COMMAND_H

#include "chat_format.h"

#include <stdio.h>

/* Reads `in` line by line and writes a line to `out` for each, at once; an empty one is an error, so that lines
 * and answers stay in step.
 *
 * A line is a JSON string (tokenized with the post-processor's special tokens), or an array of messages or an object with messages
 * and tools (rendered in the chat format, with the generation prompt unless the assistant spoke last; chat_format_messages.h says
 * what a message is); the answer is a JSON array of ids. With `decode` a line is an
 * array of ids, and the answer a JSON string, special tokens included. Errors name the line; messages are one where
 * `format` is NULL: the recipe has no chat format. */
bool command_tokenize(const struct chat_format *format, const char *model_dir, bool decode, FILE *in, FILE *out,
                      struct error *err);

#endif
