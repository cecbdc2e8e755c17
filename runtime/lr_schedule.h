/* The learning rate of every optimizer step, by the names and formulas of Transformers (optimization.py), in double.
 *
 * With lr the configured rate, w warmup steps, T training steps and s the step counted from 0:
 *   s < w (all but constant)   lr * s / max(1, w)
 *   linear                     lr * max(0, (T - s) / max(1, T - w))
 *   cosine                     lr * max(0, (1 + cos(2 pi num_cycles p)) / 2),       p = (s - w) / max(1, T - w); num_cycles 0.5
 *   cosine_with_min_lr         the same curve c as lr * max(0, c * (1 - m) + m),    m = min_lr_rate, or min_lr / lr
 *   cosine_with_restarts       lr * max(0, (1 + cos(pi (num_cycles p mod 1))) / 2), 0 from p = 1 on; num_cycles 1
 *   polynomial                 (lr - lr_end) * (1 - p)^power + lr_end;              power 1, lr_end 1e-7
 *   inverse_sqrt               lr / sqrt((s + t - w) / t),                          t = timescale, or w, or 10000
 *   constant, constant_with_warmup   lr; constant knows no warmup
 * w is warmup_steps, or ceil(warmup_ratio * T) where that is 0.
 */
#ifndef LORAC_LR_SCHEDULE_H
#define LORAC_LR_SCHEDULE_H

#include "program.h"

enum lr_scheduler_type {
    LR_LINEAR,
    LR_COSINE,
    LR_COSINE_WITH_RESTARTS,
    LR_COSINE_WITH_MIN_LR,
    LR_POLYNOMIAL,
    LR_INVERSE_SQRT,
    LR_CONSTANT,
    LR_CONSTANT_WITH_WARMUP,
};

struct lr_schedule {
    enum lr_scheduler_type type;
    double learning_rate;
    long long warmup_steps, training_steps;
    double num_cycles, power, lr_end, min_lr_rate, timescale; /* resolved; those that the type does not use are 0 */
};

/* Resolves the settings for a run of training_steps optimizer steps. False for an unknown name (the message lists the known
 * ones) and for settings that contradict each other. */
bool lr_schedule_init(struct lr_schedule *schedule, const struct train_config *config, long long training_steps,
                      struct error *err);

/* The learning rate that optimizer step `step`, counted from 0, uses. */
double lr_schedule_at(const struct lr_schedule *schedule, long long step);

#endif
