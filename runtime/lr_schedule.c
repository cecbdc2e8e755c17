#include "lr_schedule.h"

#include <math.h>
#include <string.h>

static const double PI = 3.14159265358979323846;

static const char *const TYPE_NAMES[] = {
    [LR_LINEAR] = "linear",
    [LR_COSINE] = "cosine",
    [LR_COSINE_WITH_RESTARTS] = "cosine_with_restarts",
    [LR_COSINE_WITH_MIN_LR] = "cosine_with_min_lr",
    [LR_POLYNOMIAL] = "polynomial",
    [LR_INVERSE_SQRT] = "inverse_sqrt",
    [LR_CONSTANT] = "constant",
    [LR_CONSTANT_WITH_WARMUP] = "constant_with_warmup",
};
enum { TYPES = sizeof TYPE_NAMES / sizeof *TYPE_NAMES };

static bool find_type(enum lr_scheduler_type *type, const char *name, struct error *err)
{
    for (int i = 0; i < TYPES; i++) {
        if (strcmp(name, TYPE_NAMES[i]) == 0) {
            *type = (enum lr_scheduler_type)i;
            return true;
        }
    }
    return error_usage(err,
                       "lr_scheduler_type: unknown schedule '%s'; known are linear, cosine, cosine_with_restarts, "
                       "cosine_with_min_lr, polynomial, inverse_sqrt, constant and constant_with_warmup",
                       name);
}

static double given_or(double value, double otherwise)
{
    return value < 0 ? otherwise : value;
}

/* Exactly one of min_lr and min_lr_rate. */
static bool resolve_min_lr(struct lr_schedule *schedule, const struct train_config *config, struct error *err)
{
    if ((config->min_lr < 0) == (config->min_lr_rate < 0))
        return error_usage(err,
                           "lr_scheduler_type cosine_with_min_lr: expected min_lr or min_lr_rate, %s; set one of them",
                           config->min_lr < 0 ? "found neither" : "found both");
    if (config->min_lr >= 0 && !(config->learning_rate > 0))
        return error_usage(err, "lr_scheduler_type cosine_with_min_lr: min_lr needs a learning_rate above 0");
    schedule->min_lr_rate = config->min_lr < 0 ? config->min_lr_rate : config->min_lr / config->learning_rate;
    return true;
}

static bool resolve_kwargs(struct lr_schedule *schedule, const struct train_config *config, struct error *err)
{
    switch (schedule->type) {
    case LR_COSINE:
        schedule->num_cycles = given_or(config->num_cycles, 0.5);
        return true;
    case LR_COSINE_WITH_MIN_LR:
        schedule->num_cycles = given_or(config->num_cycles, 0.5);
        return resolve_min_lr(schedule, config, err);
    case LR_COSINE_WITH_RESTARTS:
        schedule->num_cycles = given_or(config->num_cycles, 1);
        return true;
    case LR_POLYNOMIAL:
        schedule->power = given_or(config->power, 1);
        schedule->lr_end = given_or(config->lr_end, 1e-7);
        if (!(schedule->lr_end < schedule->learning_rate))
            return error_usage(err, "lr_scheduler_type polynomial: lr_end (%g) must be below learning_rate (%g)",
                               schedule->lr_end, schedule->learning_rate);
        return true;
    case LR_INVERSE_SQRT:
        schedule->timescale =
            given_or(config->timescale, schedule->warmup_steps > 0 ? (double)schedule->warmup_steps : 10000);
        if (!(schedule->timescale > 0))
            return error_usage(err, "lr_scheduler_type inverse_sqrt: timescale must be above 0");
        return true;
    default:
        return true;
    }
}

bool lr_schedule_init(struct lr_schedule *schedule, const struct train_config *config, long long training_steps,
                      struct error *err)
{
    *schedule = (struct lr_schedule){.learning_rate = config->learning_rate, .training_steps = training_steps};
    if (!find_type(&schedule->type, config->lr_scheduler_type, err))
        return false;
    schedule->warmup_steps = config->warmup_steps > 0 ? config->warmup_steps
                                                      : (long long)ceil((double)training_steps * config->warmup_ratio);
    return resolve_kwargs(schedule, config, err);
}

static double cosine(double num_cycles, double progress)
{
    return 0.5 * (1.0 + cos(PI * num_cycles * 2.0 * progress));
}

static double restarts(double num_cycles, double progress)
{
    return progress >= 1.0 ? 0.0 : fmax(0.0, 0.5 * (1.0 + cos(PI * fmod(num_cycles * progress, 1.0))));
}

static double polynomial(const struct lr_schedule *s, double progress)
{
    double decayed = (s->learning_rate - s->lr_end) * pow(1.0 - progress, s->power) + s->lr_end;
    return decayed / s->learning_rate;
}

/* What the learning rate is multiplied by after the warmup. */
static double factor_at(const struct lr_schedule *s, long long step)
{
    long long decay_steps = s->training_steps - s->warmup_steps;
    double progress = (double)(step - s->warmup_steps) / (double)(decay_steps > 1 ? decay_steps : 1);
    switch (s->type) {
    case LR_LINEAR:
        return fmax(0.0, (double)(s->training_steps - step) / (double)(decay_steps > 1 ? decay_steps : 1));
    case LR_COSINE:
        return fmax(0.0, cosine(s->num_cycles, progress));
    case LR_COSINE_WITH_MIN_LR:
        return fmax(0.0, cosine(s->num_cycles, progress) * (1 - s->min_lr_rate) + s->min_lr_rate);
    case LR_COSINE_WITH_RESTARTS:
        return restarts(s->num_cycles, progress);
    case LR_POLYNOMIAL:
        return step > s->training_steps ? s->lr_end / s->learning_rate : polynomial(s, progress);
    case LR_INVERSE_SQRT:
        return 1.0 / sqrt(((double)step + (s->timescale - (double)s->warmup_steps)) / s->timescale);
    default:
        return 1.0;
    }
}

double lr_schedule_at(const struct lr_schedule *schedule, long long step)
{
    if (schedule->type == LR_CONSTANT)
        return schedule->learning_rate;
    if (step < schedule->warmup_steps)
        return schedule->learning_rate * ((double)step / (double)schedule->warmup_steps);
    return schedule->learning_rate * factor_at(schedule, step);
}
