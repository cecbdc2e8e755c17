/* A few rows: decoding. W is read once, along its rows, and that is what takes the time. */
#ifndef LORAC_DECODE_H
#define LORAC_DECODE_H

#include "product.h"

#include <omp.h>

/* y [M][n .. n + rows) = x W^T for M (at most 8) rows of x and a few rows of W, which is read once, along its rows: that is
 * what takes the time. */
ALWAYS_INLINE void decode_rows(float *y, int y_stride, const float *x, struct operand w, int n, int K, int rows, int M)
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
        for (int i = 0; i < rows; i++)
            row[i] = operand_load(w, n + i, k, VL);
#pragma GCC unroll 8
        for (int m = 0; m < M; m++) {
            vec right = vec_load(x + (size_t)m * K + k);
#pragma GCC unroll 4
            for (int i = 0; i < rows; i++)
                sum[i][m] = vec_fma(row[i], right, sum[i][m]);
        }
    }
    for (int i = 0; i < rows; i++)
        for (int m = 0; m < M; m++) {
            float value = vec_sum(sum[i][m]);
            for (int tail = k; tail < K; tail++)
                value += operand_element(w, n + i, tail) * x[(size_t)m * K + tail];
            y[(size_t)m * y_stride + n + i] = value;
        }
}

//@ local kinds = { { name = "decode_weights", type = "weight_t", weights = true } }
//@ for _, p in ipairs(plan.products) do
//@   if p.weight_gradient then kinds[2] = { name = "decode_floats", type = "float", weights = false } end
//@ end
//@ for _, kind in ipairs(kinds) do
/* y [M][N] = x [M][K] W^T (+ bias) (+ residual), W of $(kind.type), M from 1 to 8. */
$(wrap("NOINLINE void " .. kind.name .. "(float *y, const float *x, const " .. kind.type .. " *w, const float *bias, const float *residual, int M, int N, int K)"))
{
    const struct operand weights = {w, K, true, $(kind.weights)};
    const int threads = omp_get_num_threads();
#pragma omp for schedule(static)
    for (int part = 0; part < threads; part++) {
        int n0 = (int)((int64_t)N * part / threads), n1 = (int)((int64_t)N * (part + 1) / threads), n = n0;
        switch (M) {
//@   for M = 1, 8 do
//@     local rows = M <= 4 and 4 or 2
        case $(M):
            for (; n + $(rows) <= n1; n += $(rows))
                decode_rows(y, N, x, weights, n, K, $(rows), $(M));
            for (; n < n1; n++)
                decode_rows(y, N, x, weights, n, K, 1, $(M));
            break;
//@   end
        }
        for (int m = 0; m < M; m++)
            for (n = n0; n < n1; n++) {
                size_t at = (size_t)m * N + n;
                float more = (bias ? bias[n] : 0) + (residual ? residual[at] : 0);
                y[at] += more;
            }
    }
}

//@ end
#endif
