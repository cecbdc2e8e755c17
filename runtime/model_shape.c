/* What follows from a model's configuration, and its way back to config.json. */
#include "model_config.h"

#include <math.h>
#include <string.h>

static const double pi = 3.14159265358979323846;

static bool differs(struct error *err, const char *where, const char *field, double compiled, double found)
{
    if (compiled == found)
        return false;
    error_set(err,
              "%s: %s is %.15g, but this program was compiled for %.15g; make a program for it from this config.json",
              where, field, found, compiled);
    return true;
}

static bool differs_truth(struct error *err, const char *where, const char *field, bool compiled, bool found)
{
    if (compiled == found)
        return false;
    error_set(err, "%s: %s is %s, but this program was compiled for %s; make a program for it from this config.json",
              where, field, found ? "true" : "false", compiled ? "true" : "false");
    return true;
}

static bool rope_differs(const struct rope_config *a, const struct rope_config *b, const char *where, struct error *err)
{
    static const char *const names[] = {"default", "linear", "llama3", "yarn"};
    if (a->type != b->type) {
        error_set(
            err,
            "%s: rope type is %s, but this program was compiled for %s; make a program for it from this config.json",
            where, names[b->type], names[a->type]);
        return true;
    }
    return differs(err, where, "rope_theta", a->theta, b->theta) ||
           differs(err, where, "rope factor", a->factor, b->factor) ||
           differs(err, where, "rope low_freq_factor", a->low_freq_factor, b->low_freq_factor) ||
           differs(err, where, "rope high_freq_factor", a->high_freq_factor, b->high_freq_factor) ||
           differs(err, where, "rope original_max_position_embeddings", a->original_max_position,
                   b->original_max_position) ||
           differs(err, where, "rope beta_fast", a->beta_fast, b->beta_fast) ||
           differs(err, where, "rope beta_slow", a->beta_slow, b->beta_slow) ||
           differs(err, where, "rope attention_factor", a->attention_factor, b->attention_factor) ||
           differs(err, where, "rope truncate", a->truncate, b->truncate);
}

int model_config_window(const struct model_config *config, int layer)
{
    bool full = layer < MAX_FULL_LAYERS && (config->full_layers[layer / 32] >> layer % 32 & 1);
    return full ? 0 : config->sliding_window;
}

static bool windows_differ(const struct model_config *a, const struct model_config *b, const char *where,
                           struct error *err)
{
    for (int layer = 0; layer < a->num_hidden_layers; layer++) {
        int compiled = model_config_window(a, layer), found = model_config_window(b, layer);
        if (compiled == found)
            continue;
        error_set(err,
                  "%s: layer %d has %s, but this program was compiled for %s there; make a program for it "
                  "from this config.json",
                  where, layer, found ? "a sliding window" : "full attention",
                  compiled ? "a sliding window" : "full attention");
        return true;
    }
    return false;
}

bool model_config_check(const struct model_config *a, const struct model_config *b, const char *where,
                        struct error *err)
{
    if (strcmp(a->model_type, b->model_type) != 0)
        return error_set(err,
                         "%s: model_type is %s, but this program was compiled for %s; make a program for it from "
                         "this config.json",
                         where, b->model_type, a->model_type);
    return !(differs(err, where, "hidden_size", a->hidden_size, b->hidden_size) ||
             differs(err, where, "intermediate_size", a->intermediate_size, b->intermediate_size) ||
             differs(err, where, "num_hidden_layers", a->num_hidden_layers, b->num_hidden_layers) ||
             differs(err, where, "num_attention_heads", a->num_attention_heads, b->num_attention_heads) ||
             differs(err, where, "num_key_value_heads", a->num_key_value_heads, b->num_key_value_heads) ||
             differs(err, where, "head_dim", a->head_dim, b->head_dim) ||
             differs(err, where, "vocab_size", a->vocab_size, b->vocab_size) ||
             differs(err, where, "rms_norm_eps", a->rms_norm_eps, b->rms_norm_eps) ||
             differs_truth(err, where, "tie_word_embeddings", a->tie_word_embeddings, b->tie_word_embeddings) ||
             differs_truth(err, where, "attention_bias", a->qkv_bias, b->qkv_bias) ||
             differs_truth(err, where, "attention_bias of o_proj", a->o_bias, b->o_bias) ||
             differs_truth(err, where, "mlp_bias", a->mlp_bias, b->mlp_bias) ||
             differs(err, where, "sliding_window", a->sliding_window, b->sliding_window) ||
             windows_differ(a, b, where, err) || rope_differs(&a->rope, &b->rope, where, err));
}

/* Llama 3.1: waves longer than the original context are slowed down by factor, shorter ones left, with a ramp between. */
static double llama3_frequency(const struct rope_config *rope, double frequency)
{
    double wavelength = 2 * pi / frequency;
    double low = rope->original_max_position / rope->low_freq_factor;
    double high = rope->original_max_position / rope->high_freq_factor;
    if (wavelength > low)
        return frequency / rope->factor;
    if (wavelength < high)
        return frequency;
    double smooth = (rope->original_max_position / wavelength - rope->low_freq_factor) /
                    (rope->high_freq_factor - rope->low_freq_factor);
    return (1 - smooth) * frequency / rope->factor + smooth * frequency;
}

/* The dimension that turns `rotations` times within the original context (Peng et al. 2023, YaRN, section 3.2). */
static double correction_dimension(const struct rope_config *rope, double rotations, int head_dim)
{
    return head_dim * log(rope->original_max_position / (rotations * 2 * pi)) / (2 * log(rope->theta));
}

/* 0 where dimension pair i keeps its frequency, 1 where it is divided by factor, and a ramp between. */
static double yarn_interpolation(const struct rope_config *rope, int head_dim, int i)
{
    double low = correction_dimension(rope, rope->beta_fast, head_dim);
    double high = correction_dimension(rope, rope->beta_slow, head_dim);
    if (rope->truncate != 0) {
        low = floor(low);
        high = ceil(high);
    }
    low = fmax(low, 0);
    high = fmin(high, head_dim - 1);
    if (low == high)
        high += 0.001;
    return fmin(fmax((i - low) / (high - low), 0), 1);
}

void rope_inverse_frequencies(double *inverse, const struct rope_config *rope, int head_dim)
{
    for (int i = 0; i < head_dim / 2; i++) {
        double frequency = pow(rope->theta, -2.0 * i / head_dim);
        if (rope->type == ROPE_LINEAR) {
            frequency /= rope->factor;
        } else if (rope->type == ROPE_LLAMA3) {
            frequency = llama3_frequency(rope, frequency);
        } else if (rope->type == ROPE_YARN) {
            double slowed = yarn_interpolation(rope, head_dim, i);
            frequency = slowed * frequency / rope->factor + (1 - slowed) * frequency;
        }
        inverse[i] = frequency;
    }
}

static const char *architecture_of(const char *model_type)
{
    static const char *const names[][2] = {{"qwen2", "Qwen2ForCausalLM"},
                                           {"qwen3", "Qwen3ForCausalLM"},
                                           {"llama", "LlamaForCausalLM"},
                                           {"mistral", "MistralForCausalLM"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i][0], model_type) == 0)
            return names[i][1];
    }
    return NULL;
}

/* rope_theta and rope_scaling: the form that Transformers 4 and 5 both read. */
static void add_rope(cJSON *json, const struct rope_config *rope)
{
    cJSON_AddNumberToObject(json, "rope_theta", rope->theta);
    if (rope->type == ROPE_DEFAULT)
        return;
    static const char *const names[] = {"default", "linear", "llama3", "yarn"};
    cJSON *scaling = cJSON_AddObjectToObject(json, "rope_scaling");
    cJSON_AddStringToObject(scaling, "rope_type", names[rope->type]);
    cJSON_AddNumberToObject(scaling, "factor", rope->factor);
    if (rope->type == ROPE_LINEAR)
        return;
    cJSON_AddNumberToObject(scaling, "original_max_position_embeddings", rope->original_max_position);
    if (rope->type == ROPE_LLAMA3) {
        cJSON_AddNumberToObject(scaling, "low_freq_factor", rope->low_freq_factor);
        cJSON_AddNumberToObject(scaling, "high_freq_factor", rope->high_freq_factor);
    } else {
        cJSON_AddNumberToObject(scaling, "beta_fast", rope->beta_fast);
        cJSON_AddNumberToObject(scaling, "beta_slow", rope->beta_slow);
        cJSON_AddNumberToObject(scaling, "attention_factor", rope->attention_factor);
        cJSON_AddBoolToObject(scaling, "truncate", rope->truncate != 0);
    }
}

/* max_window_layers for Transformers before layer_types, as far as it can tell. */
static void add_full_layers(cJSON *json, const struct model_config *config)
{
    int until = 0;
    while (until < config->num_hidden_layers && model_config_window(config, until) == 0)
        until++;
    cJSON_AddNumberToObject(json, "max_window_layers", until);
    if (config->sliding_window == 0)
        return;
    cJSON *types = cJSON_AddArrayToObject(json, "layer_types");
    for (int layer = 0; layer < config->num_hidden_layers; layer++)
        cJSON_AddItemToArray(
            types, cJSON_CreateString(model_config_window(config, layer) ? "sliding_attention" : "full_attention"));
}

static void add_window(cJSON *json, const struct model_config *config)
{
    bool mistral = strcmp(config->model_type, "mistral") == 0;
    if (strcmp(config->model_type, "llama") == 0)
        return;
    if (!mistral) {
        cJSON_AddBoolToObject(json, "use_sliding_window", config->sliding_window > 0);
        add_full_layers(json, config);
    }
    if (config->sliding_window > 0)
        cJSON_AddNumberToObject(json, "sliding_window", config->sliding_window);
    else
        cJSON_AddNullToObject(json, "sliding_window");
}

cJSON *model_config_to_json(const struct model_config *config)
{
    cJSON *json = cJSON_CreateObject();
    const char *architecture = architecture_of(config->model_type);
    CHECK(json && architecture);
    cJSON_AddItemToObject(json, "architectures", cJSON_CreateStringArray(&architecture, 1));
    cJSON_AddStringToObject(json, "model_type", config->model_type);
    cJSON_AddNumberToObject(json, "hidden_size", config->hidden_size);
    cJSON_AddNumberToObject(json, "intermediate_size", config->intermediate_size);
    cJSON_AddNumberToObject(json, "num_hidden_layers", config->num_hidden_layers);
    cJSON_AddNumberToObject(json, "num_attention_heads", config->num_attention_heads);
    cJSON_AddNumberToObject(json, "num_key_value_heads", config->num_key_value_heads);
    cJSON_AddNumberToObject(json, "head_dim", config->head_dim);
    cJSON_AddNumberToObject(json, "vocab_size", config->vocab_size);
    cJSON_AddNumberToObject(json, "max_position_embeddings", config->max_position_embeddings);
    cJSON_AddNumberToObject(json, "rms_norm_eps", config->rms_norm_eps);
    cJSON_AddStringToObject(json, "hidden_act", "silu");
    cJSON_AddBoolToObject(json, "tie_word_embeddings", config->tie_word_embeddings);
    if (strcmp(config->model_type, "llama") == 0 || strcmp(config->model_type, "qwen3") == 0)
        cJSON_AddBoolToObject(json, "attention_bias", config->qkv_bias);
    if (strcmp(config->model_type, "llama") == 0)
        cJSON_AddBoolToObject(json, "mlp_bias", config->mlp_bias);
    cJSON_AddNumberToObject(json, "initializer_range", config->initializer_range);
    add_rope(json, &config->rope);
    add_window(json, config);
    return json;
}
