/* The shape of a causal language model as its Hugging Face config.json tells it: read by the generator when a recipe names a
 * model, and again by every program to check that the directory it is given has the shape that was compiled in.
 *
 * Families: qwen2 (Qwen1.5, Qwen2, Qwen2.5), qwen3, llama (Llama 1 to 3, TinyLlama), mistral. Both forms of rotary settings are
 * read: rope_theta + rope_scaling (Transformers 4) and rope_parameters (Transformers 5).
 */
#ifndef LORAC_MODEL_CONFIG_H
#define LORAC_MODEL_CONFIG_H

#include "error.h"

#include <cjson/cJSON.h>
#include <stdint.h>

enum dtype { DTYPE_F32, DTYPE_BF16, DTYPE_F16 };

enum rope_type { ROPE_DEFAULT, ROPE_LINEAR, ROPE_LLAMA3, ROPE_YARN };

/* Rotary position embedding (Su et al. 2021) and its extensions. Fields that a type does not use are 0. */
struct rope_config {
    enum rope_type type;
    double theta;
    double factor;                /* linear, llama3, yarn */
    double low_freq_factor;       /* llama3 */
    double high_freq_factor;      /* llama3 */
    double original_max_position; /* llama3, yarn */
    double beta_fast, beta_slow;  /* yarn: 32 and 1 unless given */
    double attention_factor;      /* yarn: what cos and sin are multiplied by; resolved (mscale etc. included) */
    double truncate;              /* yarn: 1 where the correction range is rounded to whole dimensions (the default) */
};

/* Qwen2 and Qwen3 say of each layer whether it slides; below this one. */
enum { MAX_FULL_LAYERS = 1024 };

struct model_config {
    char model_type[16]; /* "qwen2", "qwen3", "llama", "mistral" */
    int hidden_size;
    int intermediate_size;
    int num_hidden_layers;
    int num_attention_heads;
    int num_key_value_heads;
    int head_dim; /* hidden_size / num_attention_heads unless given */
    int vocab_size;
    int max_position_embeddings;
    double rms_norm_eps;
    bool tie_word_embeddings;
    bool qkv_bias;      /* q_proj, k_proj, v_proj */
    bool o_bias;        /* o_proj */
    bool mlp_bias;      /* gate_proj, up_proj, down_proj */
    bool qk_norm;       /* Qwen3: RMSNorm over each head of q and k */
    int sliding_window; /* tokens that a query sees, itself included; 0: all before it */
    uint32_t full_layers[MAX_FULL_LAYERS /
                         32]; /* bit layer % 32 of word layer / 32: that layer attends to everything all the same */
    double initializer_range;
    enum dtype
        dtype; /* of the checkpoint's tensors: torch_dtype, or dtype (Transformers 5); F32 where it does not say */
    struct rope_config rope;
};

/* Reads config.json's content (an object) into *config. `where` begins every message ("dir/config.json"); "" is for a recipe's own
 * table, in which what is left out has the default of Transformers' class; a file must tell its sizes and may have no field that
 * is unknown (model_config_fields.h). Every
 * mistake that is found is appended to *err as far as there is room, each on a line of its own, the first one always whole.
 * Returns false if there is any. */
bool model_config_parse(struct model_config *config, const cJSON *json, const char *where, struct error *err);

/* The fields of config.json that the families above have, *count of them: what a recipe that spells a model out may name. */
const char *const *model_config_keys(int *count);

/* Compares a model directory's shape with the compiled one; on a difference names the field and both values. */
bool model_config_check(const struct model_config *compiled, const struct model_config *found, const char *where,
                        struct error *err);

/* Tokens that a query of the layer sees, itself included; 0: all before it. */
int model_config_window(const struct model_config *config, int layer);

/* The inverse frequencies of the rotary embedding, head_dim / 2 of them (radians per position), in double. */
void rope_inverse_frequencies(double *inverse, const struct rope_config *rope, int head_dim);

/* What config.json of a model of this shape looks like (for init-model); cJSON_Delete it. */
cJSON *model_config_to_json(const struct model_config *config);

/* Bytes of one element, and the name as safetensors writes it ("F32", "BF16", "F16"). */
size_t dtype_size(enum dtype dtype);
const char *dtype_name(enum dtype dtype);

#endif
