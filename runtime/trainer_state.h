/* Where a run stands: what a checkpoint keeps besides tensors, and what trainer_state.json tells other tools. */
#ifndef LORAC_TRAINER_STATE_H
#define LORAC_TRAINER_STATE_H

#include "program.h"

#include <cjson/cJSON.h>

struct trainer_state {
    long long step, max_steps; /* optimizer steps done, and of the whole run */
    int epoch, epoch_step;     /* the next step is number epoch_step (from 0) of epoch `epoch` (from 0) */
    double epochs_done; /* as Transformers logs "epoch": whole epochs + micro-batches of this one / its micro-batches */
    long long tokens, trained_tokens;
    double loss_sum; /* of the steps since the last log */
    int loss_steps;
    double total_loss;   /* of all steps */
    bool evaluation_due; /* the evaluation after `step` was not finished */
    cJSON *log_history;  /* array of records as metrics.jsonl has them */
};

void trainer_state_init(struct trainer_state *state, long long max_steps);
void trainer_state_free(struct trainer_state *state);

/* trainer_state.json as Transformers' TrainerState reads and writes it; cJSON_Delete it. */
cJSON *trainer_state_to_json(const struct trainer_state *state, const struct train_config *config);

/* The position, exactly (numbers that are sums as hexadecimal floats), with what the run must not change when it resumes: the
 * data's fingerprint, seed, shuffle, packing, micro-batch, window and max_length. cJSON_Delete it. */
cJSON *trainer_position_to_json(const struct trainer_state *state, const struct train_config *config,
                                uint64_t fingerprint);

/* Fills *state (max_steps and log_history apart) from a position. False where the position is malformed, or belongs to other
 * data or settings: continuing would replay or skip samples. `where` begins the message. */
bool trainer_position_read(struct trainer_state *state, const struct train_config *config, uint64_t fingerprint,
                           const cJSON *position, const char *where, struct error *err);

#endif
