/* metrics.jsonl: one JSON object a line for every logged step and every evaluation, on disk as soon as it is logged.
 *
 * A training line: step, loss, grad_norm, learning_rate, epoch, tokens, tokens_per_second, trained_tokens, seconds.
 *   loss              mean over the optimizer steps since the last line of each step's mean cross entropy over its trained tokens
 *                     (what the Trainer logs); with logging_steps 1 the step's own
 *   grad_norm         of that step, before clipping
 *   learning_rate     that the step used
 *   tokens            input tokens since the run began; trained_tokens: those of them that were labels
 *   tokens_per_second since the last line, evaluation and saving apart; seconds: of those steps
 * An evaluation's line: step, eval_loss, eval_perplexity, eval_token_accuracy, eval_tokens, eval_runtime, epoch.
 */
#ifndef LORAC_METRICS_H
#define LORAC_METRICS_H

#include "trainer_state.h"

#include <stdio.h>

struct metrics {
    char *path;
    FILE *file;
};

/* Begins directory/metrics.jsonl. metrics_close it. */
bool metrics_open(struct metrics *metrics, const char *directory, struct error *err);

/* The same where a run resumes at `state`: keeps the lines that the checkpoint knows of; what came after it is made again. */
bool metrics_reopen(struct metrics *metrics, const char *directory, const struct trainer_state *state,
                    struct error *err);
bool metrics_write(struct metrics *metrics, const cJSON *record, struct error *err);
void metrics_close(struct metrics *metrics);

#endif
