/* Conversations of data files: the turns of a sample, and which of them it excludes from training.
 *
 * A message may say "train": false or "weight": 0 (OpenAI's): its turn is then not trained. true and 1 are what holds without
 * them, so only an assistant's turn may say so. null is as good as nothing.
 */
#ifndef LORAC_DATASET_DIALOGUE_H
#define LORAC_DATASET_DIALOGUE_H

#include "chat_format.h"
#include "dataset_format.h"

/* One sample's conversation. Texts belong to the sample's JSON or to `owned`. A message's reasoning_content becomes its thoughts;
 * tools and tool_calls are JSON text, which the reader has kept (json_keep_text.h), or the file had as a string. */
struct dialogue {
    const char *tools; /* or NULL */
    struct chat_message *turns;
    bool *excluded; /* [count] turns that the sample wants untrained */
    int count;
    char **owned;
    int owned_count;
};

/* The turns of DATA_INSTRUCTION, DATA_MESSAGES, DATA_CONVERSATIONS and DATA_PROMPT_MESSAGES (whose prompt is excluded);
 * dialogue_free in every case. `fields` is complete. */
bool data_dialogue(struct dialogue *dialogue, enum data_format format, const struct data_fields *fields,
                   const cJSON *sample, const char *where, struct error *err);
void dialogue_add(struct dialogue *dialogue, const char *role, const char *content);
/* Makes `text` the dialogue's, to be freed with it; returns it. */
const char *dialogue_own(struct dialogue *dialogue, char *text);
void dialogue_free(struct dialogue *dialogue);

/* What a chat format renders; borrowed from the dialogue. */
struct chat_conversation dialogue_conversation(const struct dialogue *dialogue);

#endif
