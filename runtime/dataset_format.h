/* Which of the known forms a sample has, told by its keys, and its content brought to one of four shapes.
 *
 *   instruction     instruction, output; input, system, history (a list of [question, answer]) may be there: Alpaca's form. The
 *                   question is instruction, and where input is not empty a newline and input (as LLaMA-Factory joins them)
 *   messages        messages: [{"role", "content"}, ...]
 *   conversations   conversations: [{"from", "value"}, ...], ShareGPT's, whose names for roles are known_role's in
 *                   chat_format_messages.c; role and content are understood as well; system may stand beside
 *   prompt          prompt, completion: two strings
 *   prompt messages prompt, completion: two lists of messages
 *   text            text
 *   tokens          input_ids, labels (optional: without them all is trained)
 *
 * Fields are called so unless a recipe maps them (data_fields.h). Fields that no form knows are left aside.
 */
#ifndef LORAC_DATASET_FORMAT_H
#define LORAC_DATASET_FORMAT_H

#include "data_fields.h"
#include "json_object.h"

enum data_format {
    DATA_INSTRUCTION,
    DATA_MESSAGES,
    DATA_CONVERSATIONS,
    DATA_PROMPT,
    DATA_PROMPT_MESSAGES,
    DATA_TEXT,
    DATA_TOKENS
};

/* "instruction", "messages", ... */
const char *data_format_name(enum data_format format);

/* False where no form fits; the message begins with `where` ("train.jsonl:3") and lists the keys found and the forms known. Here
 * and below, `fields` is complete (data_fields_complete). */
bool data_format_recognise(enum data_format *format, const struct data_fields *fields, const struct json_object *sample,
                           const char *where, struct error *err);

/* Appends a field that must be a string. */
bool data_text(const struct json_object *sample, const char *field, const char *where, struct text_buffer *text,
               struct error *err);

#endif
