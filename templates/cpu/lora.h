/* Adapters: the low-rank update of each kind of adapted linear, forward and backward (Hu et al. 2021).
 *
//@ if plan.dropout then
 *   u = scaling * x' A^T          x' is x behind dropout          y += u Bt
 *   dBt += u^T dy,   du = scaling * dy Bt^T,   dA += du^T x',   dx += mask / keep * (du A)
//@ else
 *   u = scaling * x A^T,   y += u Bt
 *   dBt += u^T dy,   du = scaling * dy Bt^T,   dA += du^T x,   dx += du A
//@ end
 *
 * T tokens are rows; x, dx [T][in], y, dy [T][..] with row strides ldy (a slice of q, k and v's common output), u, du
 * [T][r]; A is lora_A [r][in], Bt is lora_B transposed, [r][out]. Gradients by adapters are added to what is there.
//@ if plan.dropout then
 * `dropped` is scratch [T][in]. In evaluation (dropout->active false) x' is x.
//@ end
 *
 * A token's row takes few operations for each number that is read of it: memory-bound, by x and y, as long as r is below some tens.
//@ if plan.dora then
 *
 * DoRA (Liu et al. 2024, as PEFT does it): the columns of W + scaling B A are brought to the trained length `magnitude`,
 * g = magnitude / norm, norm being the present length, through which no gradient flows. With z = x' W^T + u Bt
 *
 *   y += g * z - x' W^T
 *   dmagnitude += sum over t of dy * z / norm,   dz = g * dy takes dy's place above,
 *   dx += mask / keep * ((g - 1) * dy W)   beside what flows through A
 *
 * where y has had x W^T (+ bias) before and dx gets dy W from that product. z, dz [T][out] (z is kept from the forward to the
 * backward pass, dz is scratch); W [out][in] is the module's own rows of a stacked weight; norm, magnitude [out].
//@ end
 */
#ifndef LORAC_LORA_H
#define LORAC_LORA_H

//@ if plan.dropout then
#include "dropout.h"
//@ end
#include "isa.h"
#include "matmul.h"
#include "shapes.h"
//@ if plan.dora then

#include <math.h>
//@ end

//@ if #plan.loras > 0 then
/* u [M][r] = scaling * x A^T for at most DECODE_ROWS rows. Every thread computes all of it, which saves a meeting of threads. */
ALWAYS_INLINE void lora_decode_inner(float *u, const float *x, const float *a, float scaling, int in, int r, int M)
{
    for (int m = 0; m < M; m++)
        for (int j = 0; j < r; j++) {
            vec sum = {0};
            int k = 0;
            for (; k + VL <= in; k += VL)
                sum = vec_fma(vec_load(a + (size_t)j * in + k), vec_load(x + (size_t)m * in + k), sum);
            float value = vec_sum(sum);
            for (; k < in; k++)
                value += a[(size_t)j * in + k] * x[(size_t)m * in + k];
            u[m * r + j] = scaling * value;
        }
}

//@   if plan.dora then
/* norm [out] = length of each row of W + scaling B A. */
ALWAYS_INLINE void dora_norm(float *norm, const weight_t *w, const float *a, const float *bt, float scaling, int in,
                             int out, int r)
{
#pragma omp for schedule(static)
    for (int n = 0; n < out; n++) {
        float row[2048], squares = 0;
        for (int first = 0; first < in; first += 2048) {
            int count = in - first < 2048 ? in - first : 2048;
            memset(row, 0, sizeof row);
            for (int j = 0; j < r; j++) {
                float b = scaling * bt[(size_t)j * out + n];
                for (int k = 0; k < count; k++)
                    row[k] += b * a[(size_t)j * in + first + k];
            }
            for (int k = 0; k < count; k++)
                row[k] += weight_to_float(w[(size_t)n * in + first + k]);
            vec sum = {0};
            for (int k = 0; k < 2048; k += VL)
                sum = vec_fma(vec_load(row + k), vec_load(row + k), sum);
            squares += vec_sum(sum);
        }
        norm[n] = sqrtf(squares);
    }
}

/* y (row stride ldy) += g * z, or -= z where g is not wanted (magnitude NULL). */
ALWAYS_INLINE void dora_add(float *y, int ldy, const float *z, const float *magnitude, const float *norm, int out,
                            int T)
{
#pragma omp for schedule(static)
    for (int t = 0; t < T; t++)
        for (int n = 0; n < out; n++) {
            float factor = magnitude ? magnitude[n] / norm[n] : -1;
            y[(size_t)t * ldy + n] += factor * z[(size_t)t * out + n];
        }
}

/* dz = (g - less) * dy. */
ALWAYS_INLINE void dora_scale(float *dz, const float *dy, int ldy, const float *magnitude, const float *norm,
                              float less, int out, int T)
{
#pragma omp for schedule(static)
    for (int t = 0; t < T; t++)
        for (int n = 0; n < out; n++)
            dz[(size_t)t * out + n] = (magnitude[n] / norm[n] - less) * dy[(size_t)t * ldy + n];
}

/* dmagnitude [out] += sum over t of dy * z / norm. */
ALWAYS_INLINE void dora_magnitude_bwd(float *dmagnitude, const float *dy, int ldy, const float *z, const float *norm,
                                      int out, int T)
{
#pragma omp for schedule(static)
    for (int first = 0; first < out; first += VL) {
        int count = out - first < VL ? out - first : VL;
        float sum[VL] = {0};
        for (int t = 0; t < T; t++)
            for (int n = 0; n < count; n++)
                sum[n] += dy[(size_t)t * ldy + first + n] * z[(size_t)t * out + first + n];
        for (int n = 0; n < count; n++)
            dmagnitude[first + n] += sum[n] / norm[first + n];
    }
}

//@   end
//@ end
//@ for _, l in ipairs(plan.loras) do
//@   local lowest = l.name:find("_lowest$")
//@   local symbol = "lora_" .. l.name
//@   local fwd, bwd, decode, norm = symbol .. "_fwd", symbol .. "_bwd", symbol .. "_decode", "dora_" .. l.name .. "_norm"
//@   local drop = l.dropout > 0
//@   local scratch = drop and ", float *dropped" or ""
//@   local random = drop and ", const struct dropout *dropout" or ""
//@   local z = l.dora and ", float *z" or ""
//@   local weight = l.dora and ", const weight_t *w, const float *magnitude, const float *norm" or ""
//@   local norms = l.dora and ", const float *magnitude, const float *norm" or ""
//@   local seen = drop and "seen" or "x"
//@   local sent = l.dora and "dz" or "dy"
//@   local sent_stride = l.dora and l.out_name or "ldy"
//@   if not lowest then
/* r = $(l.r_name) beside W [$(l.out_name)][$(l.in_name)]: $(comma(2 * l.r * (l["in"] + l.out))) FLOP and $(comma(4 * (l["in"] + 2 * l.out + l.r))) bytes a token$(l.dora and ", and W's again" or ""). */
$(wrap("NOINLINE void " .. fwd .. "(float *y, int ldy, float *u" .. z .. ", const float *x" .. scratch .. ", const float *a, const float *bt" .. weight .. random .. ", int T)"))
{
    const struct operand right_a = {a, $(l.in_name), true, false}, right_bt = {bt, $(l.out_name), false, false};
//@     if drop then
    const float *seen = x;
    if (dropout->active) {
        dropout_rows(dropped, x, dropout, $(l.in_name), DROPOUT_THRESHOLD, false, T);
        seen = dropped;
    }
//@     end
    matmul_nt(u, $(l.r_name), $(seen), $(l.in_name), right_a, T, $(l.r_name), $(l.in_name), $(l.scaling_name), false, NULL, NULL);
//@     if l.dora then
    const struct operand right_w = {w, $(l.in_name), true, true};
    matmul_nt(z, $(l.out_name), $(seen), $(l.in_name), right_w, T, $(l.out_name), $(l.in_name), 1, false, NULL, NULL);
    dora_add(y, ldy, z, NULL, NULL, $(l.out_name), T);
    matmul_nn(z, $(l.out_name), u, $(l.r_name), right_bt, T, $(l.out_name), $(l.r_name), 1, true);
    dora_add(y, ldy, z, magnitude, norm, $(l.out_name), T);
//@     else
    matmul_nn(y, ldy, u, $(l.r_name), right_bt, T, $(l.out_name), $(l.r_name), 1, true);
//@     end
}

//@   end
//@   local dx = l.input_gradient and "float *dx, " or ""
//@   local dmagnitude = l.dora and ", float *dmagnitude" or ""
//@   local kept = l.dora and ", const float *z" or ""
//@   local dz = l.dora and ", float *dz" or ""
/* $(comma(2 * l.r * ((l.input_gradient and 2 or 1) * l["in"] + 2 * l.out))) FLOP and $(comma(4 * ((l.input_gradient and 3 or 1) * l["in"] + l.out + 2 * l.r))) bytes a token$(l.input_gradient and "" or ": nothing below needs dx")$(l.dora and "; W's own product is needed for dx alone" or ""). */
$(wrap("NOINLINE void " .. bwd .. "(" .. dx .. "float *da, float *dbt" .. dmagnitude .. ", const float *dy, int ldy, const float *u" .. kept .. ", const float *x" .. scratch .. (l.input_gradient and ", const float *a" or "") .. ", const float *bt, float *du" .. dz .. (l.input_gradient and weight or norms) .. random .. ", int T)"))
{
    const struct operand right_b = {bt, $(l.out_name), true, false};
//@   if l.dora then
    dora_magnitude_bwd(dmagnitude, dy, ldy, z, norm, $(l.out_name), T);
    dora_scale(dz, dy, ldy, magnitude, norm, 0, $(l.out_name), T);
//@   end
    matmul_tn(dbt, $(l.out_name), u, $(l.r_name), $(sent), $(sent_stride), $(l.r_name), $(l.out_name), T, 1, true);
    matmul_nt(du, $(l.r_name), $(sent), $(sent_stride), right_b, T, $(l.r_name), $(l.out_name), $(l.scaling_name), false, NULL, NULL);
//@   if drop then
    const float *seen = x;
    if (dropout->active) {
        dropout_rows(dropped, x, dropout, $(l.in_name), DROPOUT_THRESHOLD, false, T);
        seen = dropped;
    }
//@   end
    matmul_tn(da, $(l.in_name), du, $(l.r_name), $(seen), $(l.in_name), $(l.r_name), $(l.in_name), T, 1, true);
//@   if l.input_gradient then
    const struct operand right_a = {a, $(l.in_name), false, false};
//@     if l.dora then
    const struct operand right_w = {w, $(l.in_name), false, true};
    dora_scale(dz, dy, ldy, magnitude, norm, 1, $(l.out_name), T);
//@     end
//@     if drop then
    if (dropout->active) {
        matmul_nn(dropped, $(l.in_name), du, $(l.r_name), right_a, T, $(l.in_name), $(l.r_name), 1, false);
//@       if l.dora then
        matmul_nn(dropped, $(l.in_name), dz, $(l.out_name), right_w, T, $(l.in_name), $(l.out_name), 1, true);
//@       end
        dropout_rows(dx, dropped, dropout, $(l.in_name), DROPOUT_THRESHOLD, true, T);
        return;
    }
//@     end
    matmul_nn(dx, $(l.in_name), du, $(l.r_name), right_a, T, $(l.in_name), $(l.r_name), 1, true);
//@     if l.dora then
    matmul_nn(dx, $(l.in_name), dz, $(l.out_name), right_w, T, $(l.in_name), $(l.out_name), 1, true);
//@     end
//@   end
}

//@   if not lowest then
/* y [M] rows += the adapter's part for x [M][$(l.in_name)], M from 1 to DECODE_ROWS. */
$(wrap("static void " .. decode .. "(float *y, int ldy, const float *x, const float *a, const float *bt" .. weight .. ", int M)"))
{
    float u[DECODE_ROWS * $(l.r_name)];
    const int threads = omp_get_num_threads();
    lora_decode_inner(u, x, a, $(l.scaling_name), $(l.in_name), $(l.r_name), M);
#pragma omp for schedule(static)
    for (int part = 0; part < threads; part++) {
        int first = (int)((int64_t)$(l.out_name) * part / threads);
        int last = (int)((int64_t)$(l.out_name) * (part + 1) / threads);
        for (int m = 0; m < M; m++) {
//@     if l.dora then
            for (int n = first; n < last; n++) {
                const struct operand row = {w + (size_t)n * $(l.in_name), $(l.in_name), true, true};
                float base, update = 0;
                decode_rows(&base, 0, x + (size_t)m * $(l.in_name), row, 0, $(l.in_name), 1, 1);
                for (int j = 0; j < $(l.r_name); j++)
                    update += u[m * $(l.r_name) + j] * bt[(size_t)j * $(l.out_name) + n];
                y[(size_t)m * ldy + n] += magnitude[n] / norm[n] * (base + update) - base;
            }
//@     else
            for (int j = 0; j < $(l.r_name); j++)
                for (int n = first; n < last; n++)
                    y[(size_t)m * ldy + n] += u[m * $(l.r_name) + j] * bt[(size_t)j * $(l.out_name) + n];
//@     end
        }
    }
}

//@     if l.dora then
/* norm [$(l.out_name)] = row norms of W + scaling B A. */
static void $(norm)(float *norm, const weight_t *w, const float *a, const float *bt)
{
    dora_norm(norm, w, a, bt, $(l.scaling_name), $(l.in_name), $(l.out_name), $(l.r_name));
}

//@     end
//@   end
//@ end
#endif
