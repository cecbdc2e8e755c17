#include "train_options.h"

#include <stddef.h>
#include <string.h>

enum kind { KIND_INT, KIND_LONG, KIND_REAL, KIND_TEXT, KIND_BOOL };

/* COMPILED: the recipe's value is the largest possible one. OPTIONAL: negative means that the recipe does not give it. */
enum rule { FREE, COMPILED, OPTIONAL };

#define FIELD(option, kind, name, rule)                                                                                \
    {                                                                                                                  \
        option, kind, offsetof(struct train_config, name), rule                                                        \
    }
static const struct field {
    const char *option;
    enum kind kind;
    size_t offset;
    enum rule rule;
} fields[] = {
    FIELD("per-device-train-batch-size", KIND_INT, per_device_train_batch_size, COMPILED),
    FIELD("max-length", KIND_INT, max_length, COMPILED),
    FIELD("gradient-accumulation-steps", KIND_INT, gradient_accumulation_steps, FREE),
    FIELD("learning-rate", KIND_REAL, learning_rate, FREE),
    FIELD("lr-scheduler-type", KIND_TEXT, lr_scheduler_type, FREE),
    FIELD("min-lr", KIND_REAL, min_lr, OPTIONAL),
    FIELD("min-lr-rate", KIND_REAL, min_lr_rate, OPTIONAL),
    FIELD("num-cycles", KIND_REAL, num_cycles, OPTIONAL),
    FIELD("power", KIND_REAL, power, OPTIONAL),
    FIELD("lr-end", KIND_REAL, lr_end, OPTIONAL),
    FIELD("timescale", KIND_REAL, timescale, OPTIONAL),
    FIELD("warmup-steps", KIND_INT, warmup_steps, FREE),
    FIELD("warmup-ratio", KIND_REAL, warmup_ratio, FREE),
    FIELD("num-train-epochs", KIND_REAL, num_train_epochs, FREE),
    FIELD("max-steps", KIND_INT, max_steps, FREE),
    FIELD("weight-decay", KIND_REAL, weight_decay, FREE),
    FIELD("adam-beta1", KIND_REAL, adam_beta1, FREE),
    FIELD("adam-beta2", KIND_REAL, adam_beta2, FREE),
    FIELD("adam-epsilon", KIND_REAL, adam_epsilon, FREE),
    FIELD("max-grad-norm", KIND_REAL, max_grad_norm, FREE),
    FIELD("seed", KIND_LONG, seed, FREE),
    FIELD("logging-steps", KIND_INT, logging_steps, FREE),
    FIELD("save-steps", KIND_INT, save_steps, FREE),
    FIELD("save-total-limit", KIND_INT, save_total_limit, FREE),
    FIELD("eval-steps", KIND_INT, eval_steps, FREE),
    FIELD("max-samples", KIND_LONG, max_samples, FREE),
    FIELD("shuffle", KIND_BOOL, shuffle, FREE),
    FIELD("assistant-only-loss", KIND_BOOL, assistant_only_loss, FREE),
    FIELD("packing", KIND_BOOL, packing, FREE),
};
enum { FIELDS = sizeof fields / sizeof *fields };

static void set_field(struct train_config *config, const struct field *field, const struct options *options)
{
    void *place = (char *)config + field->offset;
    switch (field->kind) {
    case KIND_INT:
        *(int *)place = (int)option_int(options, field->option);
        break;
    case KIND_LONG:
        *(long long *)place = option_int(options, field->option);
        break;
    case KIND_REAL:
        *(double *)place = option_real(options, field->option);
        break;
    case KIND_TEXT:
        *(const char **)place = option_text(options, field->option);
        break;
    case KIND_BOOL:
        *(bool *)place = option_bool(options, field->option);
        break;
    }
}

/* Flags that only some schedules have a use for. */
static const struct {
    const char *option, *schedules;
} schedule_flags[] = {
    {"min-lr", "cosine_with_min_lr"},
    {"min-lr-rate", "cosine_with_min_lr"},
    {"num-cycles", "cosine, cosine_with_restarts, cosine_with_min_lr"},
    {"power", "polynomial"},
    {"lr-end", "polynomial"},
    {"timescale", "inverse_sqrt"},
};

static bool names_schedule(const char *list, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = list; (at = strstr(at, name)); at += length)
        if ((at == list || at[-1] == ' ') && (at[length] == ',' || !at[length]))
            return true;
    return false;
}

/* A flag that would do nothing is a mistake. */
static bool check_schedule_flags(const struct train_config *config, const struct options *options, struct error *err)
{
    for (size_t i = 0; i < sizeof schedule_flags / sizeof *schedule_flags; i++) {
        const char *option = schedule_flags[i].option;
        if (option_declared(options, option) && option_given(options, option) &&
            !names_schedule(schedule_flags[i].schedules, config->lr_scheduler_type))
            return error_usage(err, "--%s: goes with --lr-scheduler-type %s, found %s", option,
                               schedule_flags[i].schedules, config->lr_scheduler_type);
    }
    return true;
}

bool train_config_from_options(struct train_config *config, const struct options *options, struct error *err)
{
    *config = options_program(options)->train;
    for (int i = 0; i < FIELDS; i++) {
        const struct field *field = &fields[i];
        if (!option_declared(options, field->option) || !option_given(options, field->option))
            continue;
        const int *place = (const int *)((const char *)config + field->offset);
        if (field->rule == COMPILED && option_int(options, field->option) > *place)
            return error_usage(err, "--%s: at most %d is expected, which this program is compiled for; found %lld",
                               field->option, *place, option_int(options, field->option));
        set_field(config, field, options);
    }
    return check_schedule_flags(config, options, err);
}

void train_option_default(char *text, size_t size, const struct train_config *recipe, const char *name)
{
    const struct field *field = NULL;
    for (int i = 0; i < FIELDS && !field; i++)
        field = strcmp(fields[i].option, name) ? NULL : &fields[i];
    text[0] = '\0';
    if (!field)
        return;
    const void *place = (const char *)recipe + field->offset;
    switch (field->kind) {
    case KIND_INT:
        snprintf(text, size, "%d", *(const int *)place);
        break;
    case KIND_LONG:
        snprintf(text, size, "%lld", *(const long long *)place);
        break;
    case KIND_REAL:
        if (field->rule != OPTIONAL || *(const double *)place >= 0)
            snprintf(text, size, "%.12g", *(const double *)place);
        break;
    case KIND_TEXT:
        snprintf(text, size, "%s", *(const char *const *)place);
        break;
    case KIND_BOOL:
        snprintf(text, size, "%s", *(const bool *)place ? "true" : "false");
        break;
    }
}
