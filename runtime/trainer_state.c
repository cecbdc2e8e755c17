#include "trainer_state.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void trainer_state_init(struct trainer_state *state, long long max_steps)
{
    *state = (struct trainer_state){.max_steps = max_steps, .log_history = cJSON_CreateArray()};
    CHECK(state->log_history);
}

void trainer_state_free(struct trainer_state *state)
{
    cJSON_Delete(state->log_history);
    state->log_history = NULL;
}

static void add_steps(cJSON *json, const struct trainer_state *state, const struct train_config *config)
{
    cJSON_AddNumberToObject(json, "epoch", state->epochs_done);
    cJSON_AddNumberToObject(json, "eval_steps", config->eval_steps);
    cJSON_AddNumberToObject(json, "global_step", (double)state->step);
    cJSON_AddBoolToObject(json, "is_hyper_param_search", false);
    cJSON_AddBoolToObject(json, "is_local_process_zero", true);
    cJSON_AddBoolToObject(json, "is_world_process_zero", true);
    cJSON_AddItemToObject(json, "log_history", cJSON_Duplicate(state->log_history, true));
    cJSON_AddNumberToObject(json, "logging_steps", config->logging_steps);
    cJSON_AddNumberToObject(json, "max_steps", (double)state->max_steps);
}

cJSON *trainer_state_to_json(const struct trainer_state *state, const struct train_config *config)
{
    cJSON *json = cJSON_CreateObject();
    cJSON_AddNullToObject(json, "best_global_step");
    cJSON_AddNullToObject(json, "best_metric");
    cJSON_AddNullToObject(json, "best_model_checkpoint");
    add_steps(json, state, config);
    cJSON_AddNumberToObject(json, "num_input_tokens_seen", (double)state->tokens);
    cJSON_AddNumberToObject(json, "num_train_epochs", ceil(config->num_train_epochs));
    cJSON_AddNumberToObject(json, "save_steps", config->save_steps);
    cJSON_AddItemToObject(json, "stateful_callbacks", cJSON_CreateObject());
    cJSON_AddNumberToObject(json, "total_flos", 0);
    cJSON_AddNumberToObject(json, "train_batch_size", config->per_device_train_batch_size);
    cJSON_AddNullToObject(json, "trial_name");
    cJSON_AddNullToObject(json, "trial_params");
    return json;
}

static void add_exact(cJSON *json, const char *name, double value)
{
    char text[40];
    snprintf(text, sizeof text, "%a", value);
    cJSON_AddStringToObject(json, name, text);
}

/* What a resumed run must share with the one that wrote the checkpoint; all as text, so that one comparison does. */
static cJSON *run_identity(const struct train_config *config, uint64_t fingerprint)
{
    cJSON *json = cJSON_CreateObject();
    const struct {
        const char *name;
        long long value;
    } settings[] = {
        {"seed", config->seed},
        {"shuffle", config->shuffle},
        {"packing", config->packing},
        {"per_device_train_batch_size", config->per_device_train_batch_size},
        {"gradient_accumulation_steps", config->gradient_accumulation_steps},
        {"max_length", config->max_length},
    };
    char text[40];
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        snprintf(text, sizeof text, "%lld", settings[i].value);
        cJSON_AddStringToObject(json, settings[i].name, text);
    }
    snprintf(text, sizeof text, "%016" PRIx64, fingerprint);
    cJSON_AddStringToObject(json, "data", text);
    return json;
}

cJSON *trainer_position_to_json(const struct trainer_state *state, const struct train_config *config,
                                uint64_t fingerprint)
{
    cJSON *json = cJSON_CreateObject();
    cJSON_AddNumberToObject(json, "step", (double)state->step);
    cJSON_AddNumberToObject(json, "epoch", state->epoch);
    cJSON_AddNumberToObject(json, "epoch_step", state->epoch_step);
    cJSON_AddNumberToObject(json, "tokens", (double)state->tokens);
    cJSON_AddNumberToObject(json, "trained_tokens", (double)state->trained_tokens);
    cJSON_AddNumberToObject(json, "loss_steps", state->loss_steps);
    add_exact(json, "epochs_done", state->epochs_done);
    add_exact(json, "loss_sum", state->loss_sum);
    add_exact(json, "total_loss", state->total_loss);
    cJSON_AddBoolToObject(json, "evaluation_due", state->evaluation_due);
    cJSON_AddItemToObject(json, "run", run_identity(config, fingerprint));
    return json;
}

static bool read_count(long long *value, const cJSON *json, const char *name, double most, const char *where,
                       struct error *err)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, name);
    if (!cJSON_IsNumber(item) || item->valuedouble < 0 || item->valuedouble > most)
        return error_set(err, "%s: %s: expected a count; the checkpoint is damaged, resume from another", where, name);
    *value = (long long)item->valuedouble;
    return true;
}

static bool read_exact(double *value, const cJSON *json, const char *name, const char *where, struct error *err)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, name));
    char *end = NULL;
    if (text)
        *value = strtod(text, &end);
    if (!text || end == text || *end)
        return error_set(err, "%s: %s: expected a number as text; the checkpoint is damaged, resume from another",
                         where, name);
    return true;
}

static bool same_run(const cJSON *position, const struct train_config *config, uint64_t fingerprint, const char *where,
                     struct error *err)
{
    cJSON *expected = run_identity(config, fingerprint);
    const cJSON *saved = cJSON_GetObjectItemCaseSensitive(position, "run");
    bool same = true;
    const cJSON *now;
    cJSON_ArrayForEach(now, expected)
    {
        const char *then = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(saved, now->string));
        if (then && strcmp(then, now->valuestring) == 0)
            continue;
        same = strcmp(now->string, "data") == 0
                   ? error_set(err, "%s: the checkpoint was trained on other data: resume with the same --data", where)
                   : error_set(err, "%s: the checkpoint was made with %s %s, this run has %s: resume with the same",
                               where, now->string, then ? then : "unknown", now->valuestring);
        break;
    }
    cJSON_Delete(expected);
    return same;
}

bool trainer_position_read(struct trainer_state *state, const struct train_config *config, uint64_t fingerprint,
                           const cJSON *position, const char *where, struct error *err)
{
    const double most = 9e15; /* doubles are exact up to there */
    long long epoch = 0, epoch_step = 0, loss_steps = 0;
    if (!same_run(position, config, fingerprint, where, err) ||
        !read_count(&state->step, position, "step", most, where, err) ||
        !read_count(&epoch, position, "epoch", INT_MAX, where, err) ||
        !read_count(&epoch_step, position, "epoch_step", INT_MAX, where, err) ||
        !read_count(&state->tokens, position, "tokens", most, where, err) ||
        !read_count(&state->trained_tokens, position, "trained_tokens", most, where, err) ||
        !read_count(&loss_steps, position, "loss_steps", INT_MAX, where, err) ||
        !read_exact(&state->epochs_done, position, "epochs_done", where, err) ||
        !read_exact(&state->loss_sum, position, "loss_sum", where, err) ||
        !read_exact(&state->total_loss, position, "total_loss", where, err))
        return false;
    state->epoch = (int)epoch;
    state->epoch_step = (int)epoch_step;
    state->loss_steps = (int)loss_steps;
    state->evaluation_due = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(position, "evaluation_due"));
    return true;
}
