/* Frozen weights and trained parameters as plain structures: their members are the checkpoint's tensors, stacked where one
 * product computes several. program.c tells the runtime which is which.
 */
#ifndef LORAC_TENSORS_H
#define LORAC_TENSORS_H

#include "shapes.h"

//@ local align = plan.weight_dtype == "f32" and "" or "_Alignas(4) "
/* One decoder layer, frozen. Products that read the same input are stacked: their rows lie one behind the other. */
struct layer_weights {
    float input_layernorm[HIDDEN];
    float post_attention_layernorm[HIDDEN];
//@ if plan.model.qk_norm then
    float q_norm[HEAD_DIM];
    float k_norm[HEAD_DIM];
//@ end
//@ if plan.model.qkv_bias then
    float qkv_bias[QKV];
//@ end
//@ if plan.model.o_bias then
    float o_bias[HIDDEN];
//@ end
//@ if plan.model.mlp_bias then
    float gate_up_bias[GATE_UP];
    float down_bias[HIDDEN];
//@ end
    /* q_proj, k_proj, v_proj */
    $(align)weight_t qkv_proj[QKV * HIDDEN];
    $(align)weight_t o_proj[HIDDEN * Q_WIDTH];
    /* gate_proj, up_proj */
    $(align)weight_t gate_up_proj[GATE_UP * HIDDEN];
    $(align)weight_t down_proj[HIDDEN * INTERMEDIATE];
};

struct weights {
    float norm[HIDDEN];
    struct layer_weights layers[LAYERS];
    $(align)weight_t embed_tokens[(size_t)VOCAB * HIDDEN];
//@ if not plan.model.tie_word_embeddings then
    $(align)weight_t lm_head[(size_t)VOCAB * HIDDEN];
//@ end
};

//@ for _, set in ipairs(plan.sets) do
/* What is trained in $(set.count == 1 and "one layer" or "each of " .. set.count .. " layers"). A is lora_A [r][in]; B is lora_B transposed, [r][out]. */
struct $(set.name)_adapters {
//@   for _, m in ipairs(set.slots) do
    float $(m.slot)_A[$(m.r_name) * $(m.in_name)];
    float $(m.slot)_B[$(m.r_name) * $(m.out_name)];
//@     if plan.dora then
    float $(m.slot)_magnitude[$(m.out_name)];
//@     end
//@   end
};

//@ end
/* Everything that is trained: gradients and AdamW's moments have the same shape. Nothing but floats, so it is a vector too. */
struct adapters {
//@ for _, set in ipairs(plan.sets) do
    struct $(set.name)_adapters $(set.name)[$(set.count)];
//@ end
//@ if plan.head.lora then
    float lm_head_A[$(plan.head.lora.r_name) * HIDDEN];
    float lm_head_B[$(plan.head.lora.r_name) * VOCAB];
//@   if plan.dora then
    float lm_head_magnitude[VOCAB];
//@   end
//@ end
//@ if plan.train_head then
    float lm_head[(size_t)VOCAB * HIDDEN];
//@ end
//@ if plan.train_embedding then
    float embed_tokens[(size_t)VOCAB * HIDDEN];
//@ end
};

#endif
