/* A backend small enough to follow by hand, for tests of what lies above backends.
 *
 * It has FAKE_PARAMETERS weights w. A token with input id x and label y costs (w[x mod FAKE_PARAMETERS] - y / 10)^2 / 2; in
 * training times 1 or 1.25, by a hash of the dropout keys (seed, step, sample, position within the segment). Its gradient is exact,
 * its AdamW is PyTorch's. Logits for generation: the next id, modulo the vocabulary, is the likeliest by far.
 */
#ifndef LORAC_FAKE_BACKEND_H
#define LORAC_FAKE_BACKEND_H

#include "dataset.h"
#include "program.h"

enum { FAKE_PARAMETERS = 24, FAKE_VOCABULARY = 128 };

struct device {
    float w[FAKE_PARAMETERS], moment1[FAKE_PARAMETERS], moment2[FAKE_PARAMETERS];
    double gradient[FAKE_PARAMETERS];
    struct adamw last_update;
    int accumulated, updated; /* calls so far */
    int interrupt_at;         /* this call of accumulate (from 1) raises SIGINT; 0: none */
    int evaluated;            /* calls of evaluate so far */
    int interrupt_evaluation; /* this call of evaluate (from 1) raises SIGINT; 0: none */
    int nan_at;               /* this call's loss is not a number; 0: none */
    int nan_sample;           /* nor is that of calls with this sample (place in the order, from 1); 0: none */
    int context[256], length; /* the "KV cache" */
};

extern const struct backend fake_backend;

/* One lora_A [3][4] and one lora_B [4][3], in memory turned around. */
extern const struct program fake_program;

/* Weights that differ, everything else 0. */
void fake_device_init(struct device *device);

/* `samples` samples of 2 to 9 tokens, some labels untrained; dataset_free it. */
void fake_dataset(struct dataset *data, int samples);

#endif
