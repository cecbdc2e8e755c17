#include "model_config.h"
#include "model_config_fields.h"

#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What Transformers' configuration class of a family takes where config.json is silent. */
struct family {
    const char *model_type, *architecture;
    int hidden_size, intermediate_size, layers, heads, kv_heads, head_dim; /* kv_heads, head_dim 0: from the heads */
    int vocab_size, max_position_embeddings;
    bool qkv_bias;       /* always */
    bool attention_bias; /* config.json may ask for biases on q, k, v and o */
    bool mlp_bias;       /* config.json may ask for biases on gate, up and down */
    bool qk_norm;
    enum { NO_WINDOW, WINDOW_ALWAYS, WINDOW_IF_USED } window;
};

static const struct family families[] = {
    {"qwen2", "Qwen2ForCausalLM", 4096, 22016, 32, 32, 32, 0, 151936, 32768, .qkv_bias = true,
     .window = WINDOW_IF_USED},
    {"qwen3", "Qwen3ForCausalLM", 4096, 22016, 32, 32, 32, 128, 151936, 32768, .attention_bias = true, .qk_norm = true,
     .window = WINDOW_IF_USED},
    {"llama", "LlamaForCausalLM", 4096, 11008, 32, 32, 0, 0, 32000, 2048, .attention_bias = true, .mlp_bias = true},
    {"mistral", "MistralForCausalLM", 4096, 14336, 32, 32, 8, 0, 32000, 131072, .window = WINDOW_ALWAYS},
};

enum { FAMILIES = sizeof families / sizeof *families, DEFAULT_WINDOW = 4096, DEFAULT_WINDOW_LAYERS = 28 };

static const double default_theta = 10000, default_eps = 1e-6, default_initializer_range = 0.02;

/* One config.json being read. */
struct reading {
    const cJSON *json;
    const char *where;
    struct error *err;
    bool failed;
};

static void mistake(struct reading *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void mistake(struct reading *r, const char *format, ...)
{
    char text[sizeof r->err->text];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    const char *colon = *r->where ? ": " : "";
    size_t used = r->failed ? strlen(r->err->text) : 0;
    if (!r->failed)
        error_set(r->err, "%s%s%s", r->where, colon, text);
    else if (used + strlen(r->where) + strlen(text) + 4 < sizeof r->err->text)
        snprintf(r->err->text + used, sizeof r->err->text - used, "\n%s%s%s", r->where, colon, text);
    r->failed = true;
}

/* A member that is there and not null. */
static const cJSON *member(const cJSON *object, const char *name)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, name);
    return cJSON_IsNull(value) ? NULL : value;
}

/* What was found, for messages: "the string 'x'", "0.5". */
struct found {
    char text[64];
};

static struct found found(const cJSON *value)
{
    struct found f;
    if (cJSON_IsString(value))
        snprintf(f.text, sizeof f.text, "the string '%.40s'", value->valuestring);
    else if (cJSON_IsNumber(value))
        snprintf(f.text, sizeof f.text, "%.15g", value->valuedouble);
    else
        snprintf(f.text, sizeof f.text, "%s",
                 cJSON_IsBool(value)    ? cJSON_IsTrue(value) ? "true" : "false"
                 : cJSON_IsArray(value) ? "a list"
                                        : "an object");
    return f;
}

static int whole(struct reading *r, const char *name, int fallback, int low)
{
    const cJSON *value = member(r->json, name);
    if (!value)
        return fallback;
    double x = value->valuedouble;
    if (cJSON_IsNumber(value) && x == floor(x) && x >= low && x <= 1 << 30)
        return (int)x;
    mistake(r, "%s must be a whole number of at least %d; found %s", name, low, found(value).text);
    return fallback;
}

static double number(struct reading *r, const cJSON *object, const char *name, double fallback, double above)
{
    const cJSON *value = member(object, name);
    if (!value)
        return fallback;
    if (cJSON_IsNumber(value) && value->valuedouble > above && isfinite(value->valuedouble))
        return value->valuedouble;
    mistake(r, "%s must be a number above %g; found %s", name, above, found(value).text);
    return fallback;
}

static bool flag(struct reading *r, const cJSON *object, const char *name, bool fallback)
{
    const cJSON *value = member(object, name);
    if (value && !cJSON_IsBool(value))
        mistake(r, "%s must be true or false; found %s", name, found(value).text);
    return cJSON_IsBool(value) ? cJSON_IsTrue(value) : fallback;
}

/* The text of a string, or NULL. */
static const char *text_of(const cJSON *value)
{
    return cJSON_IsString(value) ? value->valuestring : NULL;
}

static bool is_family(const struct family *family, const char *type, const char *architecture)
{
    if (type)
        return strcmp(type, family->model_type) == 0;
    return architecture && strcmp(architecture, family->architecture) == 0;
}

/* By model_type, or where there is none by the architecture. */
static const struct family *find_family(struct reading *r)
{
    const char *type = text_of(member(r->json, "model_type"));
    const char *architecture = text_of(cJSON_GetArrayItem(member(r->json, "architectures"), 0));
    for (int i = 0; i < FAMILIES; i++) {
        if (!is_family(&families[i], type, architecture))
            continue;
        if (architecture && strcmp(architecture, families[i].architecture) != 0)
            mistake(r, "architecture '%s' is not supported; of %s models only %s is", architecture,
                    families[i].model_type, families[i].architecture);
        return &families[i];
    }
    const char *found = type ? type : architecture ? architecture : "(none)";
    mistake(r, "model_type '%s' is not supported; known: qwen2, qwen3, llama, mistral", found);
    return NULL;
}

/* A number that may only be what is built here. */
static void require_value(struct reading *r, const cJSON *object, const char *name, double wanted)
{
    const cJSON *value = member(object, name);
    if (value && !(cJSON_IsNumber(value) && value->valuedouble == wanted))
        mistake(r, "%s must be %g, all that is supported; found %s", name, wanted, found(value).text);
}

/* A file, unlike a recipe's table, comes from somewhere: what it says and nobody here knows is not passed over, and its sizes are not
 * guessed. */
static void check_file_fields(struct reading *r, const struct family *family)
{
    static const char *const needed[] = {"hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
                                         "vocab_size"};
    for (const cJSON *value = r->json->child; value; value = value->next)
        if (!cJSON_IsNull(value) && !model_config_knows(value->string))
            mistake(r, "unknown field '%s': it may change what a %s model computes", value->string, family->model_type);
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        if (!member(r->json, needed[i]))
            mistake(r, "%s is missing", needed[i]);
}

static void check_rope_fields(struct reading *r, const cJSON *settings, const char *section)
{
    for (const cJSON *value = settings ? settings->child : NULL; value; value = value->next)
        if (value->string && !cJSON_IsNull(value) && !model_config_knows_rope(value->string))
            mistake(r, "unknown field '%s' in %s: it may change what is computed", value->string, section);
}

/* What would change the computation, and is not built here. */
static void refuse_unsupported(struct reading *r)
{
    const cJSON *act = member(r->json, "hidden_act");
    if (act &&
        !(cJSON_IsString(act) && (strcmp(act->valuestring, "silu") == 0 || strcmp(act->valuestring, "swish") == 0)))
        mistake(r, "hidden_act must be 'silu', all that is supported; found %s", found(act).text);
    require_value(r, r->json, "attention_dropout", 0);
    require_value(r, r->json, "partial_rotary_factor", 1);
    if (member(r->json, "quantization_config"))
        mistake(r,
                "quantization_config: a checkpoint that is quantized already is not supported; take the original one");
}

static void read_sizes(struct reading *r, const struct family *family, struct model_config *config)
{
    config->hidden_size = whole(r, "hidden_size", family->hidden_size, 1);
    config->intermediate_size = whole(r, "intermediate_size", family->intermediate_size, 1);
    config->num_hidden_layers = whole(r, "num_hidden_layers", family->layers, 1);
    config->num_attention_heads = whole(r, "num_attention_heads", family->heads, 1);
    bool null_heads = cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(r->json, "num_key_value_heads"));
    int kv_heads = family->kv_heads && !null_heads ? family->kv_heads : config->num_attention_heads;
    config->num_key_value_heads = whole(r, "num_key_value_heads", kv_heads, 1);
    int head_dim = family->head_dim ? family->head_dim : config->hidden_size / config->num_attention_heads;
    config->head_dim = whole(r, "head_dim", head_dim, 1);
    config->vocab_size = whole(r, "vocab_size", family->vocab_size, 1);
    config->max_position_embeddings = whole(r, "max_position_embeddings", family->max_position_embeddings, 1);
    if (config->num_attention_heads % config->num_key_value_heads != 0)
        mistake(r, "num_attention_heads (%d) must be a multiple of num_key_value_heads (%d)",
                config->num_attention_heads, config->num_key_value_heads);
    if (!member(r->json, "head_dim") && !family->head_dim && config->hidden_size % config->num_attention_heads != 0)
        mistake(r, "hidden_size (%d) must be a multiple of num_attention_heads (%d) where head_dim is not given",
                config->hidden_size, config->num_attention_heads);
    else if (config->head_dim % 2 != 0)
        mistake(r, "head_dim must be even for rotary position embeddings; it is %d", config->head_dim);
}

static void read_biases(struct reading *r, const struct family *family, struct model_config *config)
{
    bool attention_bias = family->attention_bias && flag(r, r->json, "attention_bias", false);
    config->qkv_bias = family->qkv_bias || attention_bias;
    config->o_bias = attention_bias;
    config->mlp_bias = family->mlp_bias && flag(r, r->json, "mlp_bias", false);
    config->qk_norm = family->qk_norm;
}

static bool names_full_attention(struct reading *r, const cJSON *type)
{
    const char *name = text_of(type);
    bool full = name && strcmp(name, "full_attention") == 0;
    if (!full && !(name && strcmp(name, "sliding_attention") == 0))
        mistake(r, "layer_types: '%s' is not supported; known: full_attention, sliding_attention", name ? name : "?");
    return full;
}

/* Which layers see everything: the lowest max_window_layers, unless layer_types lists them one by one. */
static void read_full_layers(struct reading *r, struct model_config *config)
{
    const cJSON *types = member(r->json, "layer_types"), *type = types ? types->child : NULL;
    int layers = config->num_hidden_layers, until = whole(r, "max_window_layers", DEFAULT_WINDOW_LAYERS, 0), full = 0;
    if (layers > MAX_FULL_LAYERS) {
        mistake(r, "sliding windows are supported in models of at most %d layers", MAX_FULL_LAYERS);
        return;
    }
    if (types && cJSON_GetArraySize(types) != layers) {
        mistake(r, "layer_types has %d entries for %d layers", cJSON_GetArraySize(types), layers);
        return;
    }
    for (int layer = 0; layer < layers && !r->failed; layer++) {
        bool is_full = type ? names_full_attention(r, type) : layer < until;
        config->full_layers[layer / 32] |= (uint32_t)is_full << layer % 32;
        full += is_full;
        type = type ? type->next : NULL;
    }
    if (full == layers) {
        config->sliding_window = 0;
        memset(config->full_layers, 0, sizeof config->full_layers);
    }
}

static void read_window(struct reading *r, const struct family *family, struct model_config *config)
{
    bool null_window = cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(r->json, "sliding_window"));
    bool used = family->window == WINDOW_ALWAYS ||
                (family->window == WINDOW_IF_USED && flag(r, r->json, "use_sliding_window", false));
    if (family->window == NO_WINDOW || !used || null_window)
        return;
    config->sliding_window = whole(r, "sliding_window", DEFAULT_WINDOW, 1);
    if (family->window == WINDOW_IF_USED)
        read_full_layers(r, config);
}

static const char *const rope_names[] = {
    [ROPE_DEFAULT] = "default", [ROPE_LINEAR] = "linear", [ROPE_LLAMA3] = "llama3", [ROPE_YARN] = "yarn"};

static enum rope_type read_rope_type(struct reading *r, const cJSON *settings)
{
    const cJSON *type = member(settings, "rope_type");
    if (!type)
        type = member(settings, "type");
    if (!type)
        return ROPE_DEFAULT;
    for (int i = 0; i <= ROPE_YARN; i++) {
        if (cJSON_IsString(type) && strcmp(type->valuestring, rope_names[i]) == 0)
            return (enum rope_type)i;
    }
    mistake(r, "rope type '%s' is not supported; known: default, linear, llama3, yarn",
            cJSON_IsString(type) ? type->valuestring : "?");
    return ROPE_DEFAULT;
}

/* 0.1 m ln(s) + 1 (Peng et al. 2023, YaRN, eq. 22, with DeepSeek's factor m). */
static double yarn_mscale(double scale, double m)
{
    return scale <= 1 ? 1 : 0.1 * m * log(scale) + 1;
}

static void read_yarn(struct reading *r, const cJSON *settings, struct rope_config *rope)
{
    rope->beta_fast = number(r, settings, "beta_fast", 32, 0);
    rope->beta_slow = number(r, settings, "beta_slow", 1, 0);
    rope->truncate = flag(r, settings, "truncate", true);
    double mscale = number(r, settings, "mscale", 0, -1), all_dim = number(r, settings, "mscale_all_dim", 0, -1);
    double scaling = mscale != 0 && all_dim != 0
                         ? yarn_mscale(rope->factor, mscale) / yarn_mscale(rope->factor, all_dim)
                         : yarn_mscale(rope->factor, 1);
    rope->attention_factor = number(r, settings, "attention_factor", scaling, 0);
}

static void read_rope(struct reading *r, struct model_config *config)
{
    struct rope_config *rope = &config->rope;
    const cJSON *settings = member(r->json, "rope_scaling");
    bool scaling = settings && settings->child;
    if (!scaling)
        settings = member(r->json, "rope_parameters");
    check_rope_fields(r, settings, scaling ? "rope_scaling" : "rope_parameters");
    if (member(settings, "full_attention") || member(settings, "sliding_attention")) {
        mistake(r, "rope_parameters that differ between kinds of layers are not supported");
        return;
    }
    rope->type = read_rope_type(r, settings);
    rope->theta = number(r, settings, "rope_theta", number(r, r->json, "rope_theta", default_theta, 0), 0);
    require_value(r, settings, "partial_rotary_factor", 1);
    if (rope->type == ROPE_DEFAULT)
        return;
    if (rope->type != ROPE_LINEAR) {
        double original = number(r, settings, "original_max_position_embeddings", config->max_position_embeddings, 0);
        rope->original_max_position = number(r, r->json, "original_max_position_embeddings", original, 0);
    }
    double implied = rope->type == ROPE_YARN ? config->max_position_embeddings / rope->original_max_position : 0;
    rope->factor = number(r, settings, "factor", implied, 0);
    if (rope->factor == 0 && !member(settings, "factor"))
        mistake(r, "rope type '%s' needs a factor", rope_names[rope->type]);
    else if (rope->type == ROPE_YARN)
        read_yarn(r, settings, rope);
    if (rope->type == ROPE_LLAMA3) {
        rope->low_freq_factor = number(r, settings, "low_freq_factor", 0, 0);
        rope->high_freq_factor = number(r, settings, "high_freq_factor", 0, 0);
        if (rope->low_freq_factor == 0 || !(rope->high_freq_factor > rope->low_freq_factor))
            mistake(r, "rope type 'llama3' needs a low_freq_factor and a greater high_freq_factor");
    }
}

/* In a file a hint, since what tensors really are stands beside them: types that are not known here pass for F32. */
static enum dtype read_dtype(struct reading *r)
{
    static const char *const names[] = {[DTYPE_F32] = "float32", [DTYPE_BF16] = "bfloat16", [DTYPE_F16] = "float16"};
    const cJSON *value = member(r->json, "dtype") ? member(r->json, "dtype") : member(r->json, "torch_dtype");
    const char *name = text_of(value);
    if (name && strncmp(name, "torch.", 6) == 0)
        name += 6;
    for (size_t i = 0; name && i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return (enum dtype)i;
    if (value && !*r->where)
        mistake(r, "%s must be 'float32', 'bfloat16' or 'float16'; found %s", value->string, found(value).text);
    return DTYPE_F32;
}

bool model_config_parse(struct model_config *config, const cJSON *json, const char *where, struct error *err)
{
    struct reading r = {json, where, err, false};
    memset(config, 0, sizeof *config);
    if (!cJSON_IsObject(json)) {
        mistake(&r, "must be a JSON object");
        return false;
    }
    const struct family *family = find_family(&r);
    refuse_unsupported(&r);
    if (!family)
        return false;
    if (*where)
        check_file_fields(&r, family);
    snprintf(config->model_type, sizeof config->model_type, "%s", family->model_type);
    read_sizes(&r, family, config);
    read_biases(&r, family, config);
    read_window(&r, family, config);
    read_rope(&r, config);
    config->rms_norm_eps = number(&r, json, "rms_norm_eps", default_eps, 0);
    config->initializer_range = number(&r, json, "initializer_range", default_initializer_range, 0);
    config->tie_word_embeddings = flag(&r, json, "tie_word_embeddings", false);
    config->dtype = read_dtype(&r);
    return !r.failed;
}

const char *const *model_config_keys(int *count)
{
    static const char *const keys[] = {"model_type",
                                       "architectures",
                                       "hidden_size",
                                       "intermediate_size",
                                       "num_hidden_layers",
                                       "num_attention_heads",
                                       "num_key_value_heads",
                                       "head_dim",
                                       "vocab_size",
                                       "max_position_embeddings",
                                       "rms_norm_eps",
                                       "tie_word_embeddings",
                                       "attention_bias",
                                       "mlp_bias",
                                       "use_sliding_window",
                                       "sliding_window",
                                       "max_window_layers",
                                       "layer_types",
                                       "initializer_range",
                                       "rope_theta",
                                       "rope_scaling",
                                       "rope_parameters",
                                       "hidden_act",
                                       "attention_dropout",
                                       "bos_token_id",
                                       "eos_token_id",
                                       "pad_token_id",
                                       "torch_dtype",
                                       "dtype",
                                       "use_cache",
                                       "pretraining_tp",
                                       "transformers_version",
                                       "partial_rotary_factor"};
    *count = sizeof keys / sizeof *keys;
    return keys;
}

size_t dtype_size(enum dtype dtype)
{
    return dtype == DTYPE_F32 ? 4 : 2;
}

const char *dtype_name(enum dtype dtype)
{
    static const char *const names[] = {[DTYPE_F32] = "F32", [DTYPE_BF16] = "BF16", [DTYPE_F16] = "F16"};
    return names[dtype];
}
