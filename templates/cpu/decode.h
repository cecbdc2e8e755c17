/* A few rows: decoding. W is read once, along its rows, and that is what takes the time. */
#ifndef LORAC_DECODE_H
#define LORAC_DECODE_H

#include "product.h"

#include <omp.h>

/* Where the rows of a decoding product go. */
struct decode_end {
    struct result y;
    const float *bias, *residual; /* NULL: none */
};

/* y [M][n .. n + rows) = x W^T (+ bias) (+ residual) for M (at most 8) rows of x and a few rows of W, which is read once, along its
 * rows: that is what takes the time. */
ALWAYS_INLINE void decode_rows(struct decode_end end, struct operand x, struct operand w, int n, int K, int rows, int M)
{
    vec sum[4][8];
#pragma GCC unroll 4
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
        for (int m = 0; m < M; m++)
            sum[i][m] = (vec){0};
    int k = 0;
#pragma GCC unroll 1
    for (; k + VL <= K; k += VL) {
        vec row[4];
#pragma GCC unroll 4
        for (int i = 0; i < rows; i++) {
            row[i] = operand_load(w, n + i, k, VL);
            __builtin_prefetch(operand_address(w, n + rows + i, k)); /* a row is too short for the processor to see */
        }
#pragma GCC unroll 8
        for (int m = 0; m < M; m++) {
            vec right = operand_load(x, m, k, VL);
#pragma GCC unroll 4
            for (int i = 0; i < rows; i++)
                sum[i][m] = vec_fma(row[i], right, sum[i][m]);
        }
    }
    for (int i = 0; i < rows; i++)
        for (int m = 0; m < M; m++) {
            float value = vec_sum(sum[i][m]);
            for (int tail = k; tail < K; tail++)
                value += operand_element(w, n + i, tail) * operand_element(x, m, tail);
            float bias = end.bias ? end.bias[n + i] : 0;
            float residual = end.residual ? end.residual[(size_t)m * end.y.stride + n + i] : 0;
            result_set(end.y, m, n + i, value + (bias + residual));
        }
}

//@ if plan.narrow then
//@   local most = 0
//@   for _, p in ipairs(plan.products) do most = math.max(most, p.K) end
enum { MOST_K = $(most) };

/* to [M][K] = x as floats, once for all rows of W. */
ALWAYS_INLINE void decode_widen(float *to, struct operand x, int M, int K)
{
    x.stored = true;
    for (int m = 0; m < M; m++, to += K) {
        int k = 0;
        for (; k + VL <= K; k += VL)
            vec_store(to + k, operand_load(x, m, k, VL));
        for (; k < K; k++)
            to[k] = operand_element(x, m, k);
    }
}

//@ end
//@ local kinds = { { name = "decode_weights", type = "weight_t", weights = "stored" } }
//@ for _, p in ipairs(plan.products) do
//@   if p.weight_gradient then kinds[2] = { name = "decode_floats", type = "float", weights = "floats" } end
//@ end
//@ for _, kind in ipairs(kinds) do
/* y [M][N] = x [M][K] W^T (+ bias) (+ residual), W of $(kind.type), M from 1 to 8. */
$(wrap("NOINLINE void " .. kind.name .. "(struct result y, struct operand x, const " .. kind.type .. " *w, const float *bias, const float *residual, int M, int N, int K)"))
{
    const struct decode_end end = {y, bias, residual};
    const struct operand rows_of_w = $(kind.weights)(w, K);
    const int threads = omp_get_num_threads();
//@   if plan.narrow then
    _Alignas(64) float floats_of_x[DECODE_ROWS * MOST_K];
    decode_widen(floats_of_x, x, M, K);
    x = floats(floats_of_x, K);
//@   elseif plan.weight_dtype ~= "f32" then
    x.stored = false;
//@   end
#pragma omp for schedule(static)
    for (int part = 0; part < threads; part++) {
        int n1 = (int)((int64_t)N * (part + 1) / threads), n = (int)((int64_t)N * part / threads);
        switch (M) {
//@   for M = 1, 8 do
//@     local rows = M <= 4 and 4 or 2
        case $(M):
            for (; n + $(rows) <= n1; n += $(rows))
                decode_rows(end, x, rows_of_w, n, K, $(rows), $(M));
            for (; n < n1; n++)
                decode_rows(end, x, rows_of_w, n, K, 1, $(M));
            break;
//@   end
        }
    }
}

//@ end
#endif
