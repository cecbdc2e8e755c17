#define _POSIX_C_SOURCE 200809L
#include "generation_config.h"

#include "chat_format.h"
#include "json_file.h"
#include "output_file.h"

#include <stdlib.h>
#include <unistd.h>

static void add_stop_id(struct generation_config *config, int32_t id)
{
    if (id < 0 || generation_stops_at(config, id))
        return;
    size_t count = (size_t)config->stop_id_count + 1;
    config->stop_ids = reallocate(config->stop_ids, count * sizeof *config->stop_ids, "stop tokens");
    config->stop_ids[config->stop_id_count++] = id;
}

bool generation_stops_at(const struct generation_config *config, int32_t id)
{
    for (int i = 0; i < config->stop_id_count; i++) {
        if (config->stop_ids[i] == id)
            return true;
    }
    return false;
}

/* Reads a file of the model directory: *json stays NULL where there is none. */
static bool read_optional(cJSON **json, const struct session *session, const char *name, struct error *err)
{
    char *path = path_join(session->model, name);
    bool there = access(path, F_OK) == 0;
    *json = there ? json_read(path, err) : NULL;
    if (*json && !cJSON_IsObject(*json)) {
        error_set(err, "%s: must be a JSON object", path);
        cJSON_Delete(*json);
        *json = NULL;
    }
    free(path);
    return !there || *json;
}

/* The ids of eos_token_id in `json`, which is the model's file `name`: a number, a list of them, or null. */
static bool add_eos(struct generation_config *config, const cJSON *json, const char *name,
                    const struct session *session, struct error *err)
{
    const cJSON *eos = cJSON_GetObjectItemCaseSensitive(json, "eos_token_id");
    if (cJSON_IsNull(eos))
        return true;
    for (const cJSON *id = cJSON_IsArray(eos) ? eos->child : eos; id; id = cJSON_IsArray(eos) ? id->next : NULL) {
        if (!cJSON_IsNumber(id) || id->valuedouble != (double)id->valueint) {
            char *found = cJSON_PrintUnformatted(eos);
            error_set(err, "%s/%s: eos_token_id: a token's id or a list of them is expected, found %.60s",
                      session->model, name, found ? found : "nothing");
            cJSON_free(found);
            return false;
        }
        add_stop_id(config, (int32_t)id->valueint);
    }
    return true;
}

/* generation_config.json's; where it has none, config.json's. */
static bool read_eos(struct generation_config *config, const cJSON *generation, const cJSON *model,
                     const struct session *session, struct error *err)
{
    return add_eos(config, generation, "generation_config.json", session, err) &&
           (config->stop_id_count > 0 || add_eos(config, model, "config.json", session, err));
}

static void add_chat_stops(struct generation_config *config, const struct session *session)
{
    const struct chat_format *chat = session->program->chat;
    for (int i = 0; i < chat->stop_count && i < (int)(sizeof config->stop_texts / sizeof *config->stop_texts); i++) {
        int32_t id = session->tokenizer ? tokenizer_id(session->tokenizer, chat->stop[i]) : -1;
        if (id >= 0)
            add_stop_id(config, id);
        else
            config->stop_texts[config->stop_text_count++] = chat->stop[i];
    }
}

/* A field of generation_config.json, if it is there and not null. */
static bool take_number(double *value, const cJSON *json, const char *name, double low, double high,
                        const struct session *session, struct error *err)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, name);
    if (!item || cJSON_IsNull(item))
        return true;
    if (!cJSON_IsNumber(item) || !(item->valuedouble >= low && item->valuedouble <= high)) {
        char *found = cJSON_PrintUnformatted(item);
        error_set(err, "%s/generation_config.json: %s: a number from %g to %g is expected, found %.40s", session->model,
                  name, low, high, found ? found : "nothing");
        cJSON_free(found);
        return false;
    }
    *value = item->valuedouble;
    return true;
}

static bool read_sampling(struct sampling *sampling, const cJSON *model, const struct session *session,
                          const struct options *options, struct error *err)
{
    bool asked =
        option_given(options, "temperature") || option_given(options, "top-p") || option_given(options, "top-k");
    bool greedy = option_given(options, "temperature") && option_real(options, "temperature") == 0;
    bool do_sample = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(model, "do_sample"));
    double temperature = asked || do_sample ? 1 : 0, top_p = 1, top_k = 0, penalty = 1;
    if (do_sample && !greedy &&
        !(take_number(&temperature, model, "temperature", 0, 1e6, session, err) &&
          take_number(&top_p, model, "top_p", 0, 1, session, err) &&
          take_number(&top_k, model, "top_k", 0, 1e9, session, err) &&
          take_number(&penalty, model, "repetition_penalty", 1e-3, 1e6, session, err)))
        return false;
    *sampling = (struct sampling){
        .temperature = option_given(options, "temperature") ? option_real(options, "temperature") : temperature,
        .top_p = option_given(options, "top-p") ? option_real(options, "top-p") : top_p,
        .top_k = option_given(options, "top-k") ? (int)option_int(options, "top-k") : (int)top_k,
        .repetition_penalty =
            option_given(options, "repetition-penalty") ? option_real(options, "repetition-penalty") : penalty,
        .seed = (uint64_t)option_int(options, "seed"),
    };
    return true;
}

bool generation_config_read(struct generation_config *config, const struct session *session,
                            const struct options *options, bool chat, struct error *err)
{
    cJSON *generation = NULL, *model = NULL;
    *config = (struct generation_config){.max_new_tokens = (int)option_int(options, "max-new-tokens")};
    bool ok = read_optional(&generation, session, "generation_config.json", err) &&
              read_optional(&model, session, "config.json", err) &&
              read_sampling(&config->sampling, generation, session, options, err) &&
              read_eos(config, generation, model, session, err);
    if (ok) {
        if (session->tokenizer)
            add_stop_id(config, tokenizer_eos(session->tokenizer));
        if (chat)
            add_chat_stops(config, session);
    }
    cJSON_Delete(generation);
    cJSON_Delete(model);
    if (!ok)
        generation_config_free(config);
    return ok;
}

void generation_config_free(struct generation_config *config)
{
    free(config->stop_ids);
    *config = (struct generation_config){0};
}
