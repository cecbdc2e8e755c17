/* From samples to micro-batches, and from micro-batches to optimizer steps, counted as Transformers' Trainer counts them.
 *
 * A micro-batch is per_device_train_batch_size samples, the last one of an epoch what remains; with packing it is as many
 * samples of the epoch's order as fit into per_device_train_batch_size * max_length tokens, none split. A window (one
 * optimizer step) is gradient_accumulation_steps micro-batches; it never crosses the end of an epoch, so an epoch's last window
 * may be shorter.
 *
 * What is computed at once is another thing, a pass: as many samples of a window as fit into the memory that there is for a micro-batch of
 * the longest. So a window of short samples takes fewer passes than it has micro-batches, and the frozen matrices are read less often
 * for the same sum of gradients. With packing a micro-batch is a pass.
 */
#ifndef LORAC_BATCH_H
#define LORAC_BATCH_H

#include "backend.h"
#include "dataset.h"
#include "program.h"

/* The micro-batches of one epoch. */
struct epoch_plan {
    uint32_t *order;  /* [samples] places in the dataset */
    uint32_t *starts; /* [micro_batches + 1] micro-batch m is order[starts[m]] to order[starts[m + 1] - 1] */
    int micro_batches;
};

/* Lays out epoch `epoch` (from 0) of the run; epoch_plan_free it. */
void epoch_plan_init(struct epoch_plan *plan, const struct dataset *data, const struct train_config *config, int epoch);
void epoch_plan_free(struct epoch_plan *plan);

/* Where the pass ends that begins with order[begin], which is in it: before order[`limit`] at the latest, and before
 * per_device_train_batch_size * max_length tokens are exceeded. */
uint32_t pass_end(const struct epoch_plan *plan, const struct dataset *data, const struct train_config *config,
                  uint32_t begin, uint32_t limit);

/* Optimizer steps of an epoch of that many micro-batches. */
int epoch_steps(const struct epoch_plan *plan, const struct train_config *config);

/* Optimizer steps of the whole run: max_steps where it is above 0, otherwise ceil(num_train_epochs * steps of an epoch); with
 * packing, whose epochs differ in length, the steps of the whole epochs and ceil(remaining part * steps of the last). */
long long run_steps(const struct dataset *data, const struct train_config *config);

/* Memory for passes of up to `tokens` tokens. */
struct batch_buffer {
    int32_t *ids, *labels, *starts;
    uint32_t *samples;
    int tokens;
};
void batch_buffer_init(struct batch_buffer *buffer, int tokens);
void batch_buffer_free(struct batch_buffer *buffer);

/* Points *batch at the buffer, filled with the samples `places` [count] end to end, their labels shifted: each position's is the
 * sample's next token, the last one's IGNORED_LABEL. The dropout key of the i-th is first_key + i; seed and step are left 0. False
 * where the data cannot be read back. */
bool batch_fill(struct batch *batch, struct batch_buffer *buffer, const struct dataset *data, const uint32_t *places,
                int count, uint32_t first_key, struct error *err);

#endif
