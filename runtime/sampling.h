/* Choosing the next token from logits, with Transformers' processors in its order:
 *
 *   repetition_penalty p   every token that stands in the prompt or the reply so far: logit / p where it is >= 0, logit * p else
 *   temperature t          logits / t; 0 is greedy: the largest logit, the lowest id where several are equal
 *   top_k k                only logits >= the k-th largest (ties with it stay); 0: all
 *   top_p p                only the most probable tokens until their sum reaches p, the one that reaches it included; 1: all
 *
 * then one draw from the softmax of what is left, by a number from Philox keyed by the seed and counted by the position of the
 * token: the same seed gives the same text.
 */
#ifndef LORAC_SAMPLING_H
#define LORAC_SAMPLING_H

#include <stdbool.h>
#include <stdint.h>

struct sampling {
    double temperature;        /* 0: greedy */
    double top_p;              /* 1: off */
    double repetition_penalty; /* 1: off */
    int top_k;                 /* 0: off */
    uint64_t seed;
};

/* Scratch memory for a vocabulary, and which tokens have occurred. */
struct token_sampler {
    struct sampling settings;
    int vocab_size;
    bool *occurred;      /* [vocab_size] */
    int32_t *candidates; /* [vocab_size] a heap, best first */
    double *weights;     /* [vocab_size] of the kept candidates */
};

void token_sampler_init(struct token_sampler *sampler, const struct sampling *settings, int vocab_size);
void token_sampler_free(struct token_sampler *sampler);

/* Tells that tokens occurred, or that a new text begins. */
void token_sampler_note(struct token_sampler *sampler, const int32_t *ids, int count);
void token_sampler_forget(struct token_sampler *sampler);

/* The token at `position` of the text. Changes logits [vocab_size]. */
int32_t token_sampler_draw(struct token_sampler *sampler, float *logits, int position);

#endif
