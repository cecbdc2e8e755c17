/* Adapters: the low-rank update of each kind of adapted linear, forward and backward (Hu et al. 2021).
 *
 *   u = scaling * x' A^T          x' is x behind dropout          y += u Bt
 *   dBt += u^T dy,   du = scaling * dy Bt^T,   dA += du^T x',   dx += mask / keep * (du A)
 *
 * T tokens are rows; x, x', dx [T][in], y, dy [T][..] with row strides ldy (a slice of q, k and v's common output), u, du
 * [T][r]; A is lora_A [r][in], Bt is lora_B transposed, [r][out]. `dropped` is scratch [T][in]. In evaluation
 * (dropout->active false) x' is x. scaling is lora_alpha / r, or lora_alpha / sqrt(r) with rsLoRA. Gradients by adapters are
 * added to what is there.
 */
#ifndef LORAC_LORA_H
#define LORAC_LORA_H

#include "dropout.h"
#include "isa.h"
#include "matmul.h"
#include "shapes.h"

//@ if #plan.loras > 0 then
/* y [M][out] += scaling * x A^T Bt for at most 8 rows. Every thread computes all of u, which saves a meeting of threads. */
ALWAYS_INLINE void lora_decode(float *y, int ldy, const float *x, const float *a, const float *bt, float scaling, int in,
                               int out, int r, int M)
{
    float u[8];
    const int threads = omp_get_num_threads();
#pragma omp for schedule(static)
    for (int part = 0; part < threads; part++) {
        int first = (int)((int64_t)out * part / threads), last = (int)((int64_t)out * (part + 1) / threads);
        for (int j = 0; j < r; j++) {
            for (int m = 0; m < M; m++) {
                vec sum = {0};
                int k = 0;
                for (; k + VL <= in; k += VL)
                    sum = vec_fma(vec_load(a + (size_t)j * in + k), vec_load(x + (size_t)m * in + k), sum);
                u[m] = vec_sum(sum);
                for (; k < in; k++)
                    u[m] += a[(size_t)j * in + k] * x[(size_t)m * in + k];
                u[m] *= scaling;
            }
            for (int m = 0; m < M; m++)
                for (int n = first; n < last; n++)
                    y[(size_t)m * ldy + n] += u[m] * bt[(size_t)j * out + n];
        }
    }
}

//@ end
//@ for _, l in ipairs(plan.loras) do
//@   local symbol = "lora_" .. l.name
//@   local fwd, bwd, decode = symbol .. "_fwd", symbol .. "_bwd", symbol .. "_decode"
//@   local drop = l.dropout > 0
//@   local threshold = math.floor(l.dropout * 65536 + 0.5)
//@   local scratch = drop and ", float *dropped" or ""
//@   local random = drop and ", const struct dropout *dropout" or ""
//@   local seen = drop and "seen" or "x"
/* r $(l.r) beside [$(l.out_name)][$(l.in_name)]: $(2 * l.r * (l["in"] + l.out)) FLOP a token forward. */
NOINLINE void $(fwd)(float *y, int ldy, float *u, const float *x$(scratch), const float *a, const float *bt$(random), int T)
{
    struct operand right_a = {a, $(l.in_name), true, false}, right_bt = {bt, $(l.out_name), false, false};
//@   if drop then
    const float *seen = x;
    if (dropout->active) {
        dropout_rows(dropped, x, dropout, $(l.in_name), $(threshold), false, T);
        seen = dropped;
    }
//@   end
    matmul_nt(u, $(l.r), $(seen), $(l.in_name), right_a, T, $(l.r), $(l.in_name), (float)$(l.scaling), false, NULL, NULL);
    matmul_nn(y, ldy, u, $(l.r), right_bt, T, $(l.out_name), $(l.r), 1, true);
}

//@   if l.input_gradient then
NOINLINE void $(bwd)(float *dx, float *da, float *dbt, const float *dy, int ldy, const float *u, const float *x$(scratch),
                                 const float *a, const float *bt, float *du$(random), int T)
//@   else
NOINLINE void $(bwd)(float *da, float *dbt, const float *dy, int ldy, const float *u, const float *x$(scratch),
                                 const float *a, const float *bt, float *du$(random), int T)
//@   end
{
//@   if not l.input_gradient then
    (void)a; /* nothing below needs dx */
//@   end
    struct operand right_b = {bt, $(l.out_name), true, false};
    matmul_tn(dbt, $(l.out_name), u, $(l.r), dy, ldy, $(l.r), $(l.out_name), T, 1, true);
    matmul_nt(du, $(l.r), dy, ldy, right_b, T, $(l.r), $(l.out_name), (float)$(l.scaling), false, NULL, NULL);
//@   if drop then
    const float *seen = x;
    if (dropout->active) {
        dropout_rows(dropped, x, dropout, $(l.in_name), $(threshold), false, T);
        seen = dropped;
    }
//@   end
    matmul_tn(da, $(l.in_name), du, $(l.r), $(seen), $(l.in_name), $(l.r), $(l.in_name), T, 1, true);
//@   if l.input_gradient then
    struct operand right_a = {a, $(l.in_name), false, false};
//@     if drop then
    if (dropout->active) {
        matmul_nn(dropped, $(l.in_name), du, $(l.r), right_a, T, $(l.in_name), $(l.r), 1, false);
        dropout_rows(dx, dropped, dropout, $(l.in_name), $(threshold), true, T);
        return;
    }
//@     end
    matmul_nn(dx, $(l.in_name), du, $(l.r), right_a, T, $(l.in_name), $(l.r), 1, true);
//@   end
}

static void $(decode)(float *y, int ldy, const float *x, const float *a, const float *bt, int M)
{
    lora_decode(y, ldy, x, a, bt, (float)$(l.scaling), $(l.in_name), $(l.out_name), $(l.r), M);
}

//@ end
#endif
