#include "trainer.h"

#include "batch.h"
#include "checkpoint.h"
#include "eval.h"
#include "interrupt.h"
#include "metrics.h"
#include "progress.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A run under way. */
struct run {
    const struct trainer *trainer;
    struct trainer_state *state;
    struct lr_schedule schedule;
    struct epoch_plan plan; /* of epoch state->epoch */
    struct batch_buffer buffer;
    struct metrics metrics;
    struct progress progress;
    struct checkpoint_source source;
    long long saved_step; /* of the newest checkpoint, -1: none */
    long long interval_tokens;
    double interval_seconds; /* since the last log, steps only */
};

/* What one optimizer step was. */
struct step_result {
    double loss; /* mean cross entropy over the window's trained labels */
    double grad_norm;
    double learning_rate;
    long long tokens, trained;
    double seconds;
};

/* The window of the next step: micro-batches first to last - 1 of the epoch. */
struct window {
    int first, last;
    long long tokens, trained;
};

/* Where the window ends that begins with micro-batch `first`. */
static int window_end(const struct run *run, int first)
{
    const int length = run->trainer->config.gradient_accumulation_steps, all = run->plan.micro_batches;
    return all - first < length ? all : first + length;
}

static struct window next_window(const struct run *run)
{
    const struct dataset *data = run->trainer->data;
    const struct epoch_plan *plan = &run->plan;
    struct window window = {.first = run->state->epoch_step * run->trainer->config.gradient_accumulation_steps};
    window.last = window_end(run, window.first);
    for (uint32_t i = plan->starts[window.first]; i < plan->starts[window.last]; i++) {
        window.tokens += data->sample[plan->order[i]].tokens;
        window.trained += data->sample[plan->order[i]].trained;
    }
    return window;
}

/* Names the samples begin to end - 1 of the epoch's order: at most four. */
static char *sample_names(const struct run *run, uint32_t begin, uint32_t end)
{
    char *names = format_text("sample%s", end - begin > 1 ? "s" : "");
    for (uint32_t i = begin; i < end; i++) {
        bool more = i == begin + 4;
        char *place = more ? format_text("and %u more", (unsigned)(end - i))
                           : dataset_place(run->trainer->data, (int)run->plan.order[i]);
        char *longer = format_text("%s%s %s", names, i == begin || more ? "" : ",", place);
        free(place);
        free(names);
        names = longer;
        if (more)
            break;
    }
    return names;
}

static bool check_finite(const struct run *run, double value, const char *what, uint32_t begin, uint32_t end,
                         struct error *err)
{
    if (isfinite(value))
        return true;
    char *names = sample_names(run, begin, end);
    const char *found = isnan(value) ? "not a number" : "infinite";
    if (run->state->step == 0)
        error_set(err,
                  "step 1: the %s is %s at %s, before anything was trained: are the weights of %s damaged, or those of "
                  "--init-adapter?",
                  what, found, names, run->trainer->model);
    else
        error_set(err,
                  "step %lld: the %s is %s at %s; training stopped before the update, checkpoints in %s are as they "
                  "were: try a lower learning rate or look at the data",
                  run->state->step + 1, what, found, names, run->trainer->output);
    free(names);
    return false;
}

/* Has the samples of the pass that begins with order[begin], in this window or the next, on their way while the one before it is
 * computed. */
static void expect_pass(const struct run *run, const struct window *window, uint32_t begin)
{
    const struct dataset *data = run->trainer->data;
    const struct epoch_plan *plan = &run->plan;
    const bool here = begin < plan->starts[window->last];
    const uint32_t limit = plan->starts[here ? window->last : window_end(run, window->last)];
    const uint32_t end = begin < limit ? pass_end(plan, data, &run->trainer->config, begin, limit) : limit;
    for (uint32_t i = begin; i < end; i++)
        dataset_expect(data, (int)plan->order[i]);
}

/* Adds the gradients of the samples begin to end - 1, one pass. *sum is that of their token cross entropies. */
static bool accumulate_pass(struct run *run, const struct window *window, uint32_t begin, uint32_t end, double *sum,
                            struct error *err)
{
    const struct trainer *trainer = run->trainer;
    const uint32_t key = (uint32_t)run->state->epoch * (uint32_t)trainer->data->samples + begin;
    struct batch batch;
    if (!batch_fill(&batch, &run->buffer, trainer->data, run->plan.order + begin, (int)(end - begin), key, err))
        return false;
    expect_pass(run, window, end);
    batch.seed = (uint64_t)trainer->config.seed;
    batch.step = (uint32_t)run->state->step;
    *sum = trainer->backend->accumulate(trainer->device, &batch, 1.0 / (double)window->trained);
    return true;
}

/* Whether the sum of a pass is finite. If not, *err names the first sample that alone has none either, or all. */
static bool check_pass(struct run *run, const struct window *window, double sum, uint32_t begin, uint32_t end,
                       struct error *err)
{
    for (uint32_t i = begin; !isfinite(sum) && i < end; i++) {
        double own;
        if (!accumulate_pass(run, window, i, i + 1, &own, err) || !check_finite(run, own, "loss", i, i + 1, err))
            return false;
    }
    return check_finite(run, sum, "loss", begin, end, err);
}

/* Gradients of the window. False where the data cannot be read, the loss is not finite, or an interruption came (err->text is empty
 * then). */
static bool accumulate_window(struct run *run, const struct window *window, double *loss_sum, struct error *err)
{
    const struct trainer *trainer = run->trainer;
    const struct epoch_plan *plan = &run->plan;
    const uint32_t limit = plan->starts[window->last];
    *loss_sum = 0;
    err->text[0] = '\0';
    trainer->backend->zero_gradients(trainer->device);
    for (uint32_t begin = plan->starts[window->first], end; begin < limit; begin = end) {
        double sum;
        if (interrupt_seen())
            return false;
        end = pass_end(plan, trainer->data, &trainer->config, begin, limit);
        if (!accumulate_pass(run, window, begin, end, &sum, err) || !check_pass(run, window, sum, begin, end, err))
            return false;
        *loss_sum += sum;
    }
    return true;
}

static void update(struct run *run, const struct step_result *result)
{
    const struct train_config *config = &run->trainer->config;
    double clip = config->max_grad_norm > 0 ? config->max_grad_norm / (result->grad_norm + 1e-6) : 1.0;
    struct adamw adamw = {
        .learning_rate = result->learning_rate,
        .beta1 = config->adam_beta1,
        .beta2 = config->adam_beta2,
        .epsilon = config->adam_epsilon,
        .weight_decay = config->weight_decay,
        .step = run->state->step + 1,
        .grad_scale = clip < 1.0 ? clip : 1.0,
    };
    run->trainer->backend->update(run->trainer->device, &adamw);
}

static void advance(struct run *run, const struct window *window, const struct step_result *result)
{
    struct trainer_state *state = run->state;
    state->step++;
    state->tokens += result->tokens;
    state->trained_tokens += result->trained;
    state->loss_sum += result->loss;
    state->loss_steps++;
    state->total_loss += result->loss;
    state->epochs_done = state->epoch + (double)window->last / run->plan.micro_batches;
    state->epoch_step++;
    run->interval_tokens += result->tokens;
    run->interval_seconds += result->seconds;
    if (window->last < run->plan.micro_batches)
        return;
    state->epoch++;
    state->epoch_step = 0;
    epoch_plan_free(&run->plan);
    epoch_plan_init(&run->plan, run->trainer->data, &run->trainer->config, state->epoch);
}

static bool one_step(struct run *run, struct step_result *result, struct error *err)
{
    double began = seconds_now(), loss_sum;
    struct window window = next_window(run);
    if (!accumulate_window(run, &window, &loss_sum, err))
        return false;
    *result = (struct step_result){
        .loss = loss_sum / (double)window.trained,
        .grad_norm = run->trainer->backend->grad_norm(run->trainer->device),
        .learning_rate = lr_schedule_at(&run->schedule, run->state->step),
        .tokens = window.tokens,
        .trained = window.trained,
    };
    if (!check_finite(run, result->grad_norm, "gradient", run->plan.starts[window.first], run->plan.starts[window.last],
                      err))
        return false;
    update(run, result);
    result->seconds = seconds_now() - began;
    advance(run, &window, result);
    return true;
}

static double interval_speed(const struct run *run)
{
    return run->interval_seconds > 0 ? (double)run->interval_tokens / run->interval_seconds : 0;
}

/* To metrics.jsonl and the log history, which takes the record. */
static bool record(struct run *run, cJSON *entry, struct error *err)
{
    bool ok = metrics_write(&run->metrics, entry, err);
    cJSON_AddItemToArray(run->state->log_history, entry);
    return ok;
}

static bool log_step(struct run *run, const struct step_result *result, struct error *err)
{
    struct trainer_state *state = run->state;
    double loss = state->loss_sum / state->loss_steps, speed = interval_speed(run);
    cJSON *entry = cJSON_CreateObject();
    cJSON_AddNumberToObject(entry, "step", (double)state->step);
    cJSON_AddNumberToObject(entry, "loss", loss);
    cJSON_AddNumberToObject(entry, "grad_norm", result->grad_norm);
    cJSON_AddNumberToObject(entry, "learning_rate", result->learning_rate);
    cJSON_AddNumberToObject(entry, "epoch", state->epochs_done);
    cJSON_AddNumberToObject(entry, "tokens", (double)state->tokens);
    cJSON_AddNumberToObject(entry, "tokens_per_second", speed);
    cJSON_AddNumberToObject(entry, "trained_tokens", (double)state->trained_tokens);
    cJSON_AddNumberToObject(entry, "seconds", run->interval_seconds);
    char left[32];
    progress_time_left(&run->progress, left);
    progress_line(&run->progress,
                  "step %lld/%lld  epoch %.2f  loss %.4f  grad_norm %.3g  learning_rate %.3g  %.0f tokens/s  %s left",
                  state->step, state->max_steps, state->epochs_done, loss, result->grad_norm, result->learning_rate,
                  speed, left);
    state->loss_sum = 0;
    state->loss_steps = 0;
    run->interval_tokens = 0;
    run->interval_seconds = 0;
    return record(run, entry, err);
}

static bool evaluate(struct run *run, struct error *err)
{
    const struct trainer *trainer = run->trainer;
    double began = seconds_now();
    struct evaluation evaluation;
    if (!evaluate_dataset(&evaluation, trainer->backend, trainer->device, trainer->eval_data, &trainer->config, err))
        return false;
    if (interrupt_seen())
        return true; /* half an evaluation is none: it stays due */
    run->state->evaluation_due = false;
    cJSON *entry = cJSON_CreateObject();
    cJSON_AddNumberToObject(entry, "step", (double)run->state->step);
    cJSON_AddNumberToObject(entry, "eval_loss", evaluation_loss(&evaluation));
    cJSON_AddNumberToObject(entry, "eval_perplexity", evaluation_perplexity(&evaluation));
    cJSON_AddNumberToObject(entry, "eval_token_accuracy", evaluation_accuracy(&evaluation));
    cJSON_AddNumberToObject(entry, "eval_tokens", (double)evaluation.trained);
    cJSON_AddNumberToObject(entry, "eval_runtime", seconds_now() - began);
    cJSON_AddNumberToObject(entry, "epoch", run->state->epochs_done);
    progress_line(&run->progress, "step %lld/%lld  eval_loss %.4f  perplexity %.4g  token accuracy %.1f%%",
                  run->state->step, run->state->max_steps, evaluation_loss(&evaluation),
                  evaluation_perplexity(&evaluation), 100 * evaluation_accuracy(&evaluation));
    return record(run, entry, err);
}

static bool save(struct run *run, struct error *err)
{
    if (run->saved_step == run->state->step)
        return true;
    if (!checkpoint_save(&run->source, run->state, err))
        return false;
    run->saved_step = run->state->step;
    return true;
}

static bool is_due(long long step, long long last, int interval)
{
    return interval > 0 && (step % interval == 0 || step == last);
}

/* What is due after a step. */
static bool after_step(struct run *run, const struct step_result *result, struct error *err)
{
    const struct train_config *config = &run->trainer->config;
    long long step = run->state->step, last = run->state->max_steps;
    progress_step(&run->progress, step, result->loss,
                  result->seconds > 0 ? (double)result->tokens / result->seconds : 0);
    if (run->trainer->tuning) /* not in the first step, which touches memory for the first time */
        tuning_watch(run->trainer->tuning);
    if (config->logging_steps > 0 && step % config->logging_steps == 0 && !log_step(run, result, err))
        return false;
    run->state->evaluation_due = run->trainer->eval_data && (is_due(step, last, config->eval_steps) || step == last);
    if (run->state->evaluation_due && !evaluate(run, err))
        return false;
    return !is_due(step, last, config->save_steps) || save(run, err);
}

static struct checkpoint_source source_of(const struct trainer *trainer)
{
    return (struct checkpoint_source){
        .program = trainer->program,
        .backend = trainer->backend,
        .device = trainer->device,
        .config = &trainer->config,
        .output = trainer->output,
        .model = trainer->model,
        .fingerprint = trainer->data->fingerprint,
    };
}

static bool check_position(const struct trainer *trainer, const struct trainer_state *state, struct error *err)
{
    struct epoch_plan plan;
    epoch_plan_init(&plan, trainer->data, &trainer->config, state->epoch);
    int micro_batches = plan.micro_batches;
    epoch_plan_free(&plan);
    return (long long)state->epoch_step * trainer->config.gradient_accumulation_steps < micro_batches ||
           error_set(err,
                     "%s: the newest checkpoint's epoch_step is %d, which an epoch of this data does not have; it is "
                     "damaged: remove it to resume from another",
                     trainer->output, state->epoch_step);
}

static bool resume(const struct trainer *trainer, struct trainer_state *state, struct error *err)
{
    struct checkpoint_source source = source_of(trainer);
    char *newest = checkpoint_newest(trainer->output, err);
    bool ok = newest && checkpoint_load(&source, newest, state, err) && check_position(trainer, state, err);
    if (ok)
        fprintf(stderr, "resuming from %s\n", newest);
    free(newest);
    return ok;
}

bool trainer_begin(const struct trainer *trainer, struct trainer_state *state, struct error *err)
{
    struct lr_schedule schedule;
    trainer_state_init(state, run_steps(trainer->data, &trainer->config));
    if (!lr_schedule_init(&schedule, &trainer->config, state->max_steps, err) ||
        (trainer->resume && !resume(trainer, state, err)))
        return false;
    state->evaluation_due = state->evaluation_due && trainer->eval_data;
    return true;
}

static bool begin(struct run *run, struct error *err)
{
    const struct trainer *trainer = run->trainer;
    run->source = source_of(trainer);
    run->saved_step = trainer->resume ? run->state->step : -1;
    if (!lr_schedule_init(&run->schedule, &trainer->config, run->state->max_steps, err) ||
        !(trainer->resume ? metrics_reopen(&run->metrics, trainer->output, run->state, err)
                          : metrics_open(&run->metrics, trainer->output, err)))
        return false;
    epoch_plan_init(&run->plan, trainer->data, &trainer->config, run->state->epoch);
    batch_buffer_init(&run->buffer, trainer->config.per_device_train_batch_size * trainer->config.max_length);
    progress_begin(&run->progress, run->state->step, run->state->max_steps);
    return true;
}

static enum train_end loop(struct run *run, struct error *err)
{
    struct step_result result;
    if (run->state->evaluation_due && !evaluate(run, err))
        return TRAIN_FAILED;
    while (run->state->step < run->state->max_steps && !interrupt_seen()) {
        if (one_step(run, &result, err) ? !after_step(run, &result, err) : err->text[0] != '\0')
            return TRAIN_FAILED;
    }
    if (run->state->step >= run->state->max_steps && !run->state->evaluation_due)
        return TRAIN_DONE;
    return save(run, err) ? TRAIN_INTERRUPTED : TRAIN_FAILED;
}

bool trainer_save(const struct trainer *trainer, const struct trainer_state *state, struct error *err)
{
    struct checkpoint_source source = source_of(trainer);
    struct error none;
    char *wanted = format_text("%s/checkpoint-%lld", trainer->output, state->step);
    char *newest = checkpoint_newest(trainer->output, &none);
    bool saved = (newest && strcmp(newest, wanted) == 0) || checkpoint_save(&source, state, err);
    free(newest);
    free(wanted);
    return saved;
}

enum train_end trainer_run(const struct trainer *trainer, struct trainer_state *state, struct error *err)
{
    struct run run = {.trainer = trainer, .state = state};
    enum train_end end = begin(&run, err) ? loop(&run, err) : TRAIN_FAILED;
    progress_end(&run.progress);
    metrics_close(&run.metrics);
    batch_buffer_free(&run.buffer);
    epoch_plan_free(&run.plan);
    return end;
}
