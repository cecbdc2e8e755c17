/* Rotary position embedding (Su et al. 2021), in place on q and k of qkv [T][QKV]; v stays.
 *
 * As Hugging Face lays it out, element i of a head is paired with element i + HEAD_DIM / 2, and the pair is turned by the angle
 * position * inverse_frequency[i]; cosine and sine [positions][HEAD_DIM / 2] are tables of it, whatever scaling the model asks for
 * included. Memory-bound: $((plan.narrow and 4 or 8) * plan.model.head_dim * (plan.model.num_attention_heads + plan.model.num_key_value_heads)) bytes per token.
 */
#ifndef LORAC_ROPE_H
#define LORAC_ROPE_H

#include "isa.h"
#include "shapes.h"

/* Turns the pairs of heads [first, last), counted from q's first; k's heads lie behind q's. direction 1 or -1. Threads do not wait
 * for each other at the end. */
ALWAYS_INLINE void rope_rotate($(plan.x_type) *qkv, const int32_t *position, const float *cosine, const float *sine, int T,
                               int first, int last, float direction)
{
    enum { HALF = HEAD_DIM / 2 };
#pragma omp for schedule(static) nowait
    for (int t = 0; t < T; t++) {
        const float *c = cosine + (size_t)position[t] * HALF, *s = sine + (size_t)position[t] * HALF;
        for (int h = first; h < last; h++) {
            $(plan.x_type) *x = qkv + (size_t)t * QKV + (size_t)h * HEAD_DIM;
#pragma omp simd
            for (int i = 0; i < HALF; i++) {
                float left = $(load_as(plan.x_type, "x[i]")), right = $(load_as(plan.x_type, "x[i + HALF]")), turn = direction * s[i];
                x[i] = $(store_as(plan.x_type, "left * c[i] - right * turn"));
                x[i + HALF] = $(store_as(plan.x_type, "right * c[i] + left * turn"));
            }
        }
    }
}

$(wrap("static void rope_fwd(" .. plan.x_type .. " *qkv, const int32_t *position, const float *cosine, const float *sine, int T)"))
{
    rope_rotate(qkv, position, cosine, sine, T, 0, HEADS + KV_HEADS, 1.0f);
#pragma omp barrier
}

/* attention_extend has the same thread go on with a token that turned it here, so that none waits in between. */
$(wrap("static void rope_extend(" .. plan.x_type .. " *qkv, const int32_t *position, const float *cosine, const float *sine, int T)"))
{
    rope_rotate(qkv, position, cosine, sine, T, 0, HEADS + KV_HEADS, 1.0f);
}

//@ for _, variant in ipairs(plan.gradients.rope) do
//@   local which = variant.q and variant.k and "" or variant.q and " of q alone" or " of k alone"
/* The gradient$(which) turns back. */
$(wrap("static void " .. variant.symbol .. "(" .. plan.x_type .. " *dqkv, const int32_t *position, const float *cosine, const float *sine, int T)"))
{
    rope_rotate(dqkv, position, cosine, sine, T, $(variant.q and "0" or "HEADS"), $(variant.k and "HEADS + KV_HEADS" or "HEADS"), -1.0f);
#pragma omp barrier
}

//@ end
#endif
