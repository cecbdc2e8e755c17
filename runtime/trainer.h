/* The training loop: windows of micro-batches become optimizer steps, with what happens between them (log, evaluation,
 * checkpoint). It knows a backend and a dataset, and nothing of models or command lines.
 *
 * One step, in the Trainer's order: gradients to zero; each pass (batch.h) adds the gradient of its token cross entropies divided by
 * the window's trained labels; the global norm is clipped as torch.nn.utils.clip_grad_norm_ does, by min(1, max_grad_norm / (norm
 * + 1e-6)), max_grad_norm 0 meaning not at all; AdamW; then the log, the evaluation and the checkpoint that are due.
 * Logs are due every logging_steps, evaluations every eval_steps and at the end, checkpoints every save_steps and at the end (of
 * those whose interval is not 0; with evaluation data and eval_steps 0, one evaluation at the end).
 */
#ifndef LORAC_TRAINER_H
#define LORAC_TRAINER_H

#include "dataset.h"
#include "lr_schedule.h"
#include "trainer_state.h"
#include "tuning.h"

struct trainer {
    const struct program *program;
    const struct backend *backend;
    struct device *device; /* opened for training, weights and adapters in it */
    struct train_config config;
    const struct dataset *data;
    const struct dataset *eval_data; /* NULL: none */
    const char *output;              /* the run's directory, which exists */
    const char *model;               /* as the user named it, for adapter_config.json */
    struct tuning *tuning;           /* what the device is to measure, from the second step on; NULL: nothing */
    bool resume;                     /* continue from the newest checkpoint in output */
};

enum train_end { TRAIN_DONE, TRAIN_INTERRUPTED, TRAIN_FAILED };

/* Fills *state (trainer_state_free it, in every case) with where the run begins: at its start, or with `resume` at the newest
 * checkpoint, which is loaded. False where there is none, or it belongs to other data or settings. */
bool trainer_begin(const struct trainer *trainer, struct trainer_state *state, struct error *err);

/* Goes on from *state to the end of the run, or until interrupt_seen(): then the passes of the unfinished step are given up and a
 * checkpoint is written. An evaluation that an interruption cut short is due again when the run resumes; cut short at the end, the
 * run is interrupted, not done. Writes metrics.jsonl and checkpoints; the caller writes what stands at the end. *err when
 * it failed. A loss or gradient that is not finite fails, naming the step and the
 * samples, before the update, so that neither the adapter nor any checkpoint has seen it. */
enum train_end trainer_run(const struct trainer *trainer, struct trainer_state *state, struct error *err);

/* Writes checkpoint-STEP if the run has not, for a caller whose own work after the last step failed. */
bool trainer_save(const struct trainer *trainer, const struct trainer_state *state, struct error *err);

#endif
