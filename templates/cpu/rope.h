/* Rotary position embedding (Su et al. 2021), in place on q and k of qkv [T][QKV]; v stays.
 *
 * As Hugging Face lays it out, element i of a head is paired with element i + HEAD_DIM / 2, and the pair is turned by the angle
 * position * inverse_frequency[i]; cosine and sine [positions][HEAD_DIM / 2] are tables of it, whatever scaling the model asks for
 * included. Memory-bound: $(8 * plan.model.head_dim * (plan.model.num_attention_heads + plan.model.num_key_value_heads)) bytes per token.
 */
#ifndef LORAC_ROPE_H
#define LORAC_ROPE_H

#include "isa.h"
#include "shapes.h"

/* Turns the pairs of every head of q and k; direction 1 or -1. */
ALWAYS_INLINE void rope_rotate(float *qkv, const int32_t *position, const float *cosine, const float *sine, int T,
                               float direction)
{
    enum { HALF = HEAD_DIM / 2 };
#pragma omp for schedule(static)
    for (int t = 0; t < T; t++) {
        const float *c = cosine + (size_t)position[t] * HALF, *s = sine + (size_t)position[t] * HALF;
        for (int h = 0; h < HEADS + KV_HEADS; h++) {
            float *x = qkv + (size_t)t * QKV + (size_t)h * HEAD_DIM;
#pragma omp simd
            for (int i = 0; i < HALF; i++) {
                float first = x[i], second = x[i + HALF], turn = direction * s[i];
                x[i] = first * c[i] - second * turn;
                x[i + HALF] = second * c[i] + first * turn;
            }
        }
    }
}

static void rope_fwd(float *qkv, const int32_t *position, const float *cosine, const float *sine, int T)
{
    rope_rotate(qkv, position, cosine, sine, T, 1.0f);
}

/* The gradient turns back. */
static void rope_bwd(float *dqkv, const int32_t *position, const float *cosine, const float *sine, int T)
{
    rope_rotate(dqkv, position, cosine, sine, T, -1.0f);
}

#endif
