/* Which of the known forms a sample has, told by its keys, and its content brought to one of four shapes.
 *
 *   instruction     instruction, output; input, system, history (a list of [question, answer]) may be there: Alpaca's form. The
 *                   question is instruction, and where input is not empty a newline and input (as LLaMA-Factory joins them)
 *   messages        messages: [{"role", "content"}, ...]
 *   conversations   conversations: [{"from", "value"}, ...], ShareGPT's: human and user are the user; gpt, chatgpt, bot, model
 *                   and assistant the assistant; system and others stay. role and content are understood as well; system may
 *                   stand beside
 *   prompt          prompt, completion
 *   text            text
 *   tokens          input_ids, labels (optional: without them all is trained)
 */
#ifndef LORAC_DATASET_FORMAT_H
#define LORAC_DATASET_FORMAT_H

#include "chat_format.h"
#include "error.h"

#include <cjson/cJSON.h>
#include <stdint.h>

enum data_format { DATA_INSTRUCTION, DATA_MESSAGES, DATA_CONVERSATIONS, DATA_PROMPT, DATA_TEXT, DATA_TOKENS };

/* "instruction", "messages", ... */
const char *data_format_name(enum data_format format);

/* False where no form fits; the message begins with `where` ("train.jsonl:3") and lists the keys found and the forms known. */
bool data_format_recognise(enum data_format *format, const cJSON *sample, const char *where, struct error *err);

/* One sample's conversation. Texts belong to the sample's JSON or to `owned`. A message's reasoning_content becomes its thoughts. */
struct dialogue {
    struct chat_message *turns;
    int count;
    char **owned;
    int owned_count;
};

/* The turns of DATA_INSTRUCTION, DATA_MESSAGES and DATA_CONVERSATIONS; dialogue_free in every case. */
bool data_dialogue(struct dialogue *dialogue, enum data_format format, const cJSON *sample, const char *where,
                   struct error *err);
/* The same for an array of messages alone. */
bool data_dialogue_of_messages(struct dialogue *dialogue, const cJSON *messages, const char *where, struct error *err);
void dialogue_add(struct dialogue *dialogue, const char *role, const char *content);
void dialogue_free(struct dialogue *dialogue);

/* A field that must be a string. NULL and *err where it is not. */
const char *data_text(const cJSON *sample, const char *field, const char *where, struct error *err);

#endif
