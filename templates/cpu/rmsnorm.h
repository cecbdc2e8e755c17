/* RMSNorm (Zhang and Sennrich 2019): y = x * rstd * weight, rstd = 1 / sqrt(mean(x^2) + $(plan.model.rms_norm_eps)).
 *
 * Rows are tokens and are shared out among the threads, but for a few in generation; sums run in float over vector lanes in a fixed
 * order. Memory-bound: per token the forward pass reads and writes $(8 * plan.model.hidden_size) bytes for $(4 * plan.model.hidden_size) FLOP.
 */
#ifndef LORAC_RMSNORM_H
#define LORAC_RMSNORM_H

#include "isa.h"
#include "own_rows.h"
#include "shapes.h"

#include <math.h>

/* The rstd of one vector of n values. */
ALWAYS_INLINE float root_mean_square_inverse(const float *x, int n)
{
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int i = 0; i < n; i++)
        sum += x[i] * x[i];
    return 1.0f / sqrtf(sum / (float)n + RMS_NORM_EPS);
}

/* dx = base + rstd * (dy * weight - x * rstd * mean(dy * weight * x * rstd)); base may be NULL (0), and dx may be base or dy. */
ALWAYS_INLINE void norm_vector_bwd(float *dx, const float *base, const float *dy, const float *x, float rstd,
                                   const float *weight, int n)
{
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int i = 0; i < n; i++)
        sum += dy[i] * weight[i] * x[i];
    float mean = sum * rstd * rstd / (float)n;
#pragma omp simd
    for (int i = 0; i < n; i++)
        dx[i] = (base ? base[i] : 0.0f) + rstd * (dy[i] * weight[i] - x[i] * mean);
}

/* Row t of y; returns its rstd. */
$(wrap("ALWAYS_INLINE float rmsnorm_row(" .. plan.x_type .. " *y, const float *x, const float *weight, int t)"))
{
    const float *row = x + (size_t)t * HIDDEN;
    float scale = root_mean_square_inverse(row, HIDDEN);
#pragma omp simd
    for (int i = 0; i < HIDDEN; i++)
        y[(size_t)t * HIDDEN + i] = $(store_as(plan.x_type, "row[i] * scale * weight[i]"));
    return scale;
}

/* y [T][HIDDEN], rstd [T] (kept for the backward pass; NULL: not wanted), x [T][HIDDEN], weight [HIDDEN]. */
static void rmsnorm_fwd($(plan.x_type) *y, float *rstd, const float *x, const float *weight, int T)
{
#pragma omp for schedule(static)
    for (int t = 0; t < T; t++) {
        float scale = rmsnorm_row(y, x, weight, t);
        if (rstd)
            rstd[t] = scale;
    }
}

/* Generation: y [PROMPT_ROWS][HIDDEN]; returns the T rows of y that this thread goes on with (own_rows.h). */
$(wrap("static " .. plan.x_type .. " *rmsnorm_extend(" .. plan.x_type .. " *y, const float *x, const float *weight, int T)"))
{
    if (rows_are_own(T)) {
        y += own_rows(T) * HIDDEN;
        for (int t = 0; t < T; t++)
            rmsnorm_row(y, x, weight, t);
        return y;
    }
    rmsnorm_fwd(y, NULL, x, weight, T);
    return y;
}

/* Adds to dx [T][HIDDEN], which holds the gradient that came past the norm on the residual stream. dy [T][HIDDEN], x and rstd as
 * in the forward pass. */
static void rmsnorm_bwd(float *dx, const float *dy, const float *x, const float *rstd, const float *weight, int T)
{
#pragma omp for schedule(static)
    for (int t = 0; t < T; t++) {
        size_t row = (size_t)t * HIDDEN;
        norm_vector_bwd(dx + row, dx + row, dy + row, x + row, rstd[t], weight, HIDDEN);
    }
}

//@ if plan.model.qk_norm then
//@   if plan.narrow then
/* One head's vector. */
ALWAYS_INLINE void head_load(float *to, const bfloat16_t *from)
{
#pragma omp simd
    for (int i = 0; i < HEAD_DIM; i++)
        to[i] = bfloat16_to_float(from[i]);
}

ALWAYS_INLINE void head_store(bfloat16_t *to, const float *from)
{
#pragma omp simd
    for (int i = 0; i < HEAD_DIM; i++)
        to[i] = float_to_bfloat16(from[i]);
}

//@   end
/* The same over each head of q and of k, as Qwen3 does; v is copied. y, qkv [T][QKV]; rstd [T][HEADS + KV_HEADS] or NULL;
 * weights [HEAD_DIM]. */
$(wrap("static void head_norm_fwd(" .. plan.x_type .. " *y, float *rstd, const " .. plan.x_type .. " *qkv, const float *q_weight, const float *k_weight, int T)"))
{
#pragma omp for schedule(static)
    for (int t = 0; t < T; t++) {
        const $(plan.x_type) *from = qkv + (size_t)t * QKV;
        $(plan.x_type) *to = y + (size_t)t * QKV;
        for (int h = 0; h < HEADS + KV_HEADS; h++) {
            const float *weight = h < HEADS ? q_weight : k_weight;
//@   if plan.narrow then
            float head[HEAD_DIM];
            head_load(head, from + h * HEAD_DIM);
//@   else
            const float *head = from + h * HEAD_DIM;
//@   end
            float scale = root_mean_square_inverse(head, HEAD_DIM);
            if (rstd)
                rstd[(size_t)t * (HEADS + KV_HEADS) + h] = scale;
#pragma omp simd
            for (int i = 0; i < HEAD_DIM; i++)
                to[h * HEAD_DIM + i] = $(store_as(plan.x_type, "head[i] * scale * weight[i]"));
        }
        memcpy(to + Q_WIDTH + KV_WIDTH, from + Q_WIDTH + KV_WIDTH, KV_WIDTH * sizeof *to);
    }
}

//@   for _, variant in ipairs(plan.gradients.head_norm) do
//@     local which = variant.q and variant.k and "q, k, v" or variant.q and "q" or "k"
//@     local first, last = variant.q and "0" or "HEADS", variant.k and "HEADS + KV_HEADS" or "HEADS"
//@     local weights = (variant.q and ", const float *q_weight" or "") .. (variant.k and ", const float *k_weight" or "")
//@     local weight = variant.q and variant.k and "h < HEADS ? q_weight : k_weight" or variant.q and "q_weight" or "k_weight"
/* In place: dqkv [T][QKV] comes as the gradient of the normed $(which) and leaves as that of qkv, the norm's input. */
$(wrap("static void " .. variant.symbol .. "(" .. plan.x_type .. " *dqkv, const " .. plan.x_type .. " *qkv, const float *rstd" .. weights .. ", int T)"))
{
#pragma omp for schedule(static)
    for (int t = 0; t < T; t++)
        for (int h = $(first); h < $(last); h++) {
            size_t at = (size_t)t * QKV + (size_t)h * HEAD_DIM;
//@     if plan.narrow then
            float head[HEAD_DIM], gradient[HEAD_DIM];
            head_load(head, qkv + at);
            head_load(gradient, dqkv + at);
            norm_vector_bwd(gradient, NULL, gradient, head, rstd[(size_t)t * (HEADS + KV_HEADS) + h],
                            $(weight), HEAD_DIM);
            head_store(dqkv + at, gradient);
//@     else
            norm_vector_bwd(dqkv + at, NULL, dqkv + at, qkv + at, rstd[(size_t)t * (HEADS + KV_HEADS) + h],
                            $(weight), HEAD_DIM);
//@     end
        }
}

//@   end
//@ end
#endif
