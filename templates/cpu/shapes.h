/* Sizes of this model and of this program's blocks. T, the number of tokens at hand, is the only size known at run time.
 *
 * $(plan.model.model_type): $(plan.model.num_hidden_layers) layers of width $(plan.model.hidden_size),
 * $(plan.model.num_attention_heads) query heads on $(plan.model.num_key_value_heads) key-value heads.
 */
#ifndef LORAC_SHAPES_H
#define LORAC_SHAPES_H

#include <stddef.h>
#include <stdint.h>

enum {
    HIDDEN = $(plan.model.hidden_size),
    INTERMEDIATE = $(plan.model.intermediate_size),
    GATE_UP = 2 * INTERMEDIATE,
    LAYERS = $(plan.model.num_hidden_layers),
    HEADS = $(plan.model.num_attention_heads),
    KV_HEADS = $(plan.model.num_key_value_heads),
    HEAD_DIM = $(plan.model.head_dim),
    Q_WIDTH = HEADS * HEAD_DIM,
    KV_WIDTH = KV_HEADS * HEAD_DIM,
    QKV = Q_WIDTH + 2 * KV_WIDTH,
    K_OFFSET = Q_WIDTH,
    V_OFFSET = Q_WIDTH + KV_WIDTH,
    VOCAB = $(plan.model.vocab_size),

//@ for _, rank in ipairs(plan.ranks) do
    $(rank.name) = $(rank.value), /* r of lora_A and lora_B */
//@ end
    /* no gradient reaches the layers below this one */
    FIRST_TRAINING_LAYER = $(plan.first_training_layer),

    /* per_device_train_batch_size rows of max_length tokens, rounded up */
    MAX_TOKENS = $(plan.max_tokens),
    MAX_SEGMENTS = MAX_TOKENS,
    MAX_LENGTH = $(plan.train.max_length),
    /* the output head's logits exist for this many rows at a time */
    HEAD_ROWS = $(plan.head_rows),
    /* so few rows at a time go through kernels that read each weight once */
    DECODE_ROWS = 8,
    /* a prompt is read in chunks; the KV cache holds MAX_CONTEXT tokens */
    PROMPT_ROWS = $(plan.prompt_rows),
    MAX_CONTEXT = $(plan.max_context),
    POSITIONS = MAX_LENGTH > MAX_CONTEXT ? MAX_LENGTH : MAX_CONTEXT,
};

//@ if plan.dropout then
/* Linear modules, as dropout keys know them. */
enum { Q_PROJ, K_PROJ, V_PROJ, O_PROJ, GATE_PROJ, UP_PROJ, DOWN_PROJ, LM_HEAD, MODULES };

//@ end
static const float RMS_NORM_EPS = $(c_float(plan.model.rms_norm_eps));
//@ for _, scaling in ipairs(plan.scalings) do
static const float $(scaling.name) = $(c_float(scaling.value)); /* of adapters: $(plan.lora.use_rslora and "lora_alpha / sqrt(r)" or "lora_alpha / r") */
//@ end

//@ if plan.weight_dtype == "f32" then
/* Storage of the frozen matrices. */
typedef float weight_t;
//@ elseif plan.weight_dtype == "bf16" then
//@   if plan.narrow then
/* The upper half of a float's bits: storage of the frozen matrices, and of what operations hand on to products and attention.
 * The residual stream, norms' statistics, logits and adapters are float. */
//@   else
/* The upper half of a float's bits: storage of the frozen matrices, as the checkpoint has them. All else is float. */
//@   end
typedef uint16_t bfloat16_t;
typedef bfloat16_t weight_t;
//@ else
/* Storage of the frozen matrices: IEEE binary16. */
typedef uint16_t weight_t;
//@ end

#endif
