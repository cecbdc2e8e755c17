/* Conversations of data files: the turns of a sample, and which of them it excludes from training (chat_format_messages.h).
 */
#ifndef LORAC_DATASET_DIALOGUE_H
#define LORAC_DATASET_DIALOGUE_H

#include "chat_format_messages.h"
#include "dataset_format.h"

/* The turns of DATA_INSTRUCTION, DATA_MESSAGES, DATA_CONVERSATIONS and DATA_PROMPT_MESSAGES (whose prompt is excluded), in place of
 * what *dialogue held. `fields` is complete. */
bool data_dialogue(struct chat_messages *dialogue, enum data_format format, const struct data_fields *fields,
                   const struct json_object *sample, const char *where, struct error *err);

#endif
