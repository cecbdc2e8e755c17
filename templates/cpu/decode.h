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

enum { LONG_ROW_BYTES = 4096, AHEAD_BYTES = 8192 };

/* y [M][n .. n + rows) = x W^T (+ bias) (+ residual) for M (at most 8) rows of x and one or two rows of W [..][K], which is read once,
 * along its rows: that is what takes the time. Memory is asked for ahead: where rows are long along those that come next, where they
 * are short in the order in which it lies, each of which was measured to be the faster one there. */
ALWAYS_INLINE void decode_rows(struct decode_end end, struct operand x, struct operand w, int n, int K, int rows, int M)
{
    struct operand ahead = w;
    int ahead_step = 1;
    ahead.data = operand_address(w, n + rows, 0);
    if ((const char *)ahead.data - (const char *)operand_address(w, n, 0) < rows * LONG_ROW_BYTES) {
        ahead.data = (const char *)operand_address(w, n, 0) + AHEAD_BYTES;
        ahead.stride = VL;
        ahead_step = rows;
    }
    vec sum[2][8];
#pragma GCC unroll 2
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
        for (int m = 0; m < M; m++)
            sum[i][m] = (vec){0};
    int k = 0;
#pragma GCC unroll 1
    for (; k + VL <= K; k += VL) {
        vec row[2];
#pragma GCC unroll 2
        for (int i = 0; i < rows; i++) {
            row[i] = operand_load(w, n + i, k, VL);
            __builtin_prefetch(operand_address(ahead, i, (size_t)k * ahead_step));
        }
#pragma GCC unroll 8
        for (int m = 0; m < M; m++) {
            vec right = operand_load(x, m, k, VL);
#pragma GCC unroll 2
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
/* Rows of W are cut into parts that threads take as they come, of PART_ELEMENTS or more and 8 a thread at most, so that one which is
 * slowed down does not have the others wait; too few of them are dealt out evenly. */
enum { PART_ELEMENTS = 1 << 15 };

ALWAYS_INLINE int decode_parts(int N, int K, int threads)
{
    const int64_t parts = (int64_t)N * K / PART_ELEMENTS;
    return parts < 2 * threads ? threads : parts < 8 * threads ? (int)parts : 8 * threads;
}

//@ local kinds = { { name = "decode_weights", type = "weight_t", weights = "stored" } }
//@ for _, p in ipairs(plan.products) do
//@   if p.weight_gradient then kinds[2] = { name = "decode_floats", type = "float", weights = "floats" } end
//@ end
//@ for _, kind in ipairs(kinds) do
/* Part `part` of `parts` of the function below. */
$(wrap("NOINLINE void " .. kind.name .. "_part(struct decode_end end, struct operand x, const " .. kind.type .. " *w, int part, int parts, int M, int N, int K)"))
{
    const struct operand rows_of_w = $(kind.weights)(w, K);
    const int64_t pairs = (N + 1) / 2;
    const int last = (int)(pairs * (part + 1) / parts) * 2, n1 = last < N ? last : N;
    int n = (int)(pairs * part / parts) * 2;
//@   if plan.weight_dtype ~= "f32" then
    x.stored = false;
//@   end
    switch (M) {
//@   for M = 1, 8 do
    case $(M):
        for (; n + 2 <= n1; n += 2)
            decode_rows(end, x, rows_of_w, n, K, 2, $(M));
        for (; n < n1; n++)
            decode_rows(end, x, rows_of_w, n, K, 1, $(M));
        break;
//@   end
    }
}

/* y [M][N] = x [M][K] W^T (+ bias) (+ residual), W of $(kind.type), M from 1 to 8. */
$(wrap("NOINLINE void " .. kind.name .. "(struct result y, struct operand x, const " .. kind.type .. " *w, const float *bias, const float *residual, int M, int N, int K)"))
{
    const struct decode_end end = {y, bias, residual};
    const int threads = omp_get_num_threads(), parts = decode_parts(N, K, threads);
//@   if plan.narrow then
    _Alignas(64) float floats_of_x[DECODE_ROWS * MOST_K];
    decode_widen(floats_of_x, x, M, K);
    x = floats(floats_of_x, K);
//@   end
    if (parts == threads) {
#pragma omp for schedule(static)
        for (int part = 0; part < parts; part++)
            $(kind.name)_part(end, x, w, part, parts, M, N, K);
    } else {
#pragma omp for schedule(dynamic)
        for (int part = 0; part < parts; part++)
            $(kind.name)_part(end, x, w, part, parts, M, N, K);
    }
}

//@ end
#endif
