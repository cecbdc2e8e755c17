/* The loss over a dataset without training: what `eval` prints and what a run measures with --eval-data. */
#ifndef LORAC_EVAL_H
#define LORAC_EVAL_H

#include "backend.h"
#include "dataset.h"
#include "program.h"

/* Evaluates all samples in their order, in passes (batch.h). *evaluation begins at 0.
 * Stops early where interrupt_seen(). False where the data cannot be read back. */
bool evaluate_dataset(struct evaluation *evaluation, const struct backend *backend, struct device *device,
                      const struct dataset *data, const struct train_config *config, struct error *err);

/* Sum of token cross entropies / trained labels (not a mean of means); its exponential; correct / trained. */
double evaluation_loss(const struct evaluation *evaluation);
double evaluation_perplexity(const struct evaluation *evaluation);
double evaluation_accuracy(const struct evaluation *evaluation);

#endif
