/* checkpoint-N/: all that a run needs to go on after step N as if nothing had happened.
 *
 *   adapter_config.json, adapter_model.safetensors   the adapter, which PEFT can load as well
 *   optimizer.safetensors                            AdamW's moments
 *   trainer_state.json                               as Transformers writes it
 *   lorac_state.json                                 the position in the data, and sums that the log needs, exactly
 * It is written under another name and renamed when it is whole.
 */
#ifndef LORAC_CHECKPOINT_H
#define LORAC_CHECKPOINT_H

#include "trainer_state.h"

/* What is saved besides the state, and from where. */
struct checkpoint_source {
    const struct program *program;
    const struct backend *backend;
    struct device *device;
    const struct train_config *config;
    const char *output; /* the run's directory */
    const char *model;  /* as the user named it */
    uint64_t fingerprint;
};

/* Writes output/checkpoint-STEP, then removes the oldest checkpoints beyond config->save_total_limit (0: none). */
bool checkpoint_save(const struct checkpoint_source *source, const struct trainer_state *state, struct error *err);

/* The path of the newest whole checkpoint in `output`; free() it. NULL and *err where there is none. */
char *checkpoint_newest(const char *output, struct error *err);

/* Loads adapter, moments and state. state->max_steps stays as it is. */
bool checkpoint_load(const struct checkpoint_source *source, const char *checkpoint, struct trainer_state *state,
                     struct error *err);

#endif
