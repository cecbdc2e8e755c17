/* Which of the known forms a sample has, told by its keys, and its content brought to one of four shapes.
 *
 *   instruction     instruction, output; input, system, history (a list of [question, answer]) may be there: Alpaca's form. The
 *                   question is instruction, and where input is not empty a newline and input (as LLaMA-Factory joins them)
 *   messages        messages: [{"role", "content"}, ...]
 *   conversations   conversations: [{"from", "value"}, ...], ShareGPT's, whose names for roles are known_role's in
 *                   dataset_dialogue.c; role and content are understood as well; system may stand beside
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
#include "error.h"

#include <cjson/cJSON.h>

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
bool data_format_recognise(enum data_format *format, const struct data_fields *fields, const cJSON *sample,
                           const char *where, struct error *err);

/* The sample's field of that name, or NULL. */
const cJSON *data_field(const cJSON *sample, const char *name);

/* A field that must be a string. NULL and *err where it is not. */
const char *data_text(const cJSON *sample, const char *field, const char *where, struct error *err);

/* "nothing", "a string", ... */
const char *json_type_name(const cJSON *json);

#endif
