/* One sample to token ids and labels.
 *
 *   instruction, messages, conversations   the recipe's chat format; trained are the assistant's tokens with each turn's
 *       end-of-turn token (not the newline behind it), but for turns that the sample excludes (chat_format_messages.h); what stands
 *       behind the last trained token is left out
 *   instruction without a chat format      "### Instruction:\n{question}\n\n### Response:\n" as prompt and the answer as
 *       completion; system stands before, earlier rounds of history likewise
 *   prompt, completion                     the tokenizer's own encoding, post-processor included, of both in a row, then EOS;
 *       trained is what ends behind the prompt's last character, and EOS
 *   prompt, completion as messages         the conversation of both, of which the completion's turns are trained as above
 *   text                                   the tokenizer's own encoding, then EOS; all is trained
 *   input_ids, labels                      as they are; without labels all is trained
 * EOS is not doubled where the encoding ends in it already. With assistant_only_loss false, all tokens of all forms are trained but
 * those that given labels, or a message's train and weight, exclude.
 */
#ifndef LORAC_DATASET_ENCODE_H
#define LORAC_DATASET_ENCODE_H

#include "dataset.h"
#include "dataset_dialogue.h"

/* A sample's tokens and what each is worth, unshifted: its own id, or IGNORED_LABEL where it is not trained. */
struct encoded {
    int32_t *ids, *labels;
    int count, capacity;
    struct chat_messages dialogue; /* the sample's, while it is encoded */
    struct text_buffer text;
};

void encoded_push(struct encoded *encoded, int32_t id, int32_t label);

/* The conversation in the recipe's chat format (dataset_chat.c). */
bool encode_chat(struct encoded *encoded, const struct dataset_request *request, const struct chat_messages *dialogue,
                 const char *where, struct error *err);

/* *encoded begins anew with each call, and keeps its memory; encoded_free once. `where` begins messages. */
bool sample_encode(struct encoded *encoded, const struct dataset_request *request, enum data_format format,
                   const struct json_object *sample, const char *where, struct error *err);
void encoded_free(struct encoded *encoded);

/* Puts `where` before what the tokenizer or the chat format said; returns false. */
bool encode_at(const char *where, struct error *err);

#endif
