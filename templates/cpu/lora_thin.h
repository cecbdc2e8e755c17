//@ local drop, widest, largest = plan.dropout, 0, 0
//@ for _, l in ipairs(plan.loras) do
//@   if l.thin then widest, largest = math.max(widest, l["in"]), math.max(largest, l.r) end
//@ end
//@ if plan.thin then
/* Adapters of a small rank r: their products, each with a side of r, on vectors of floats. They are too thin for the blocks and tiles of
 * matmul.h, which would be packed for a few operations each; here rows are read where they lie, and masks are drawn as bits beside them
 * instead of copies of x. Threads meet once in a forward pass and twice in a backward one.
 *
 * Forward, and du: by rows. A thread takes THIN_ROWS tokens at a time and has their u, then their y, before it goes on. Gradients of
 * lora_A and lora_B, and dx: by columns, since they are sums over tokens, in blocks of THIN_TOKENS whatever their number.
 * An element is one chain of multiply-adds over k, lane by lane, and the lanes' sum, or over tokens: its bits depend neither on the number
 * of threads nor on T, nor on its place.
 */
#ifndef LORAC_LORA_THIN_H
#define LORAC_LORA_THIN_H

//@ if drop then
#include "dropout.h"
//@ end
#include "isa.h"
#include "product.h"

enum {
    THIN_ROWS = 3,
    THIN_RANKS = VL == 16 ? 8 : 4, /* at a time: THIN_ROWS x THIN_RANKS sums fill the registers */
    THIN_TOKENS = 16,              /* rows of a block whose columns are summed: they lie in pages of their own */
    THIN_COLUMNS = 256,            /* of the block: with its gradients it leaves some of a 32 KiB cache */
    $(string.format("%-30s", "THIN_RANK = " .. largest .. ",")) /* at most */
//@ if drop then
    $(string.format("%-30s", "THIN_KEEPS = " .. (widest + 15) // 16 .. ",")) /* words of a row's mask, at most */
//@ end
};

/* What the functions below are told of an adapter: A [r][in], Bt [r][out], T tokens. */
struct thin {
    const float *a, *bt;
    float scaling;
    int in, out, r, T;
//@ if drop then
    const struct dropout *dropout;
//@ end
};

/* scaling, and 1 / keep beside it, so that x itself need not be scaled. */
ALWAYS_INLINE float thin_scaling(struct thin p)
{
//@ if drop then
    return p.scaling * dropout_scale(p.dropout);
//@ else
    return p.scaling;
//@ end
}

/* Rows of elements, of which those are taken for 0 that `keeps` (NULL: none) has no bit for. */
struct thin_rows {
    struct operand x;
//@ if drop then
    const uint16_t *keeps;
    int stride; /* of keeps */
//@ end
};

ALWAYS_INLINE struct thin_rows thin_rows(struct operand x)
{
    return (struct thin_rows){.x = x};
}

/* v, as far as the elements from (t, column) on are kept. */
ALWAYS_INLINE vec thin_keep(struct thin_rows rows, int t, int column, vec v)
{
//@ if drop then
    if (rows.keeps)
        return vec_keep(rows.keeps[(size_t)t * rows.stride + column / 16], column % 16, v);
//@ else
    (void)rows, (void)t, (void)column;
//@ end
    return v;
}

/* VL elements, or `count` of them and zeros, where that is less. */
ALWAYS_INLINE vec thin_load(struct thin_rows rows, int t, int column, int count)
{
    return thin_keep(rows, t, column, operand_load(rows.x, t, column, count));
}

/* ---- by rows ---- */

/* The first `count` of sums [THIN_RANKS] over all lanes, times alpha. Two vectors become one that has the sums of both, interleaved,
 * until one is left. */
ALWAYS_INLINE void thin_sums(float *to, vec sums[THIN_RANKS], int count, float alpha)
{
#pragma GCC unroll 3
    for (int half = THIN_RANKS / 2; half; half /= 2)
#pragma GCC unroll 4
        for (int i = 0; i < half; i++) {
            vec lower, upper;
            vec_interleave(&lower, &upper, sums[i], sums[i + half]);
            sums[i] = lower + upper;
        }
    float lanes[VL];
    vec_store(lanes, sums[0]);
    for (int i = 0; i < count; i++) {
        float sum = lanes[i];
        for (int at = i + THIN_RANKS; at < VL; at += THIN_RANKS)
            sum += lanes[at];
        to[i] = alpha * sum;
    }
}

/* u [rows][..] (row stride r) = alpha * x A^T for the first `rows` rows of x and `ranks` rows of A [..][width]. */
ALWAYS_INLINE void thin_dots(float *u, struct thin_rows x, const float *a, int rows, int width, int r, int ranks,
                             float alpha)
{
    vec sums[THIN_ROWS][THIN_RANKS] = {{{0}}};
    const int whole = width / VL * VL;
#pragma GCC unroll 1
    for (int k = 0; k < whole; k += VL) {
        vec left[THIN_ROWS];
#pragma GCC unroll 3
        for (int i = 0; i < rows; i++)
            left[i] = thin_load(x, i, k, VL);
#pragma GCC unroll 8
        for (int j = 0; j < ranks; j++) {
            const vec right = vec_load(a + (size_t)j * width + k);
#pragma GCC unroll 3
            for (int i = 0; i < rows; i++)
                sums[i][j] = vec_fma(left[i], right, sums[i][j]);
        }
    }
    if (whole < width) {
#pragma GCC unroll 3
        for (int i = 0; i < rows; i++) {
            const vec left = thin_load(x, i, whole, width - whole);
#pragma GCC unroll 8
            for (int j = 0; j < ranks; j++) {
                const vec right = vec_load_part(a + (size_t)j * width + whole, width - whole);
                sums[i][j] = vec_fma(left, right, sums[i][j]);
            }
        }
    }
#pragma GCC unroll 3
    for (int i = 0; i < rows; i++)
        thin_sums(u + i * r, sums[i], ranks, alpha);
}

/* u [rows][r] = alpha * x A^T for the first `rows` rows of x; A [r][width]. */
ALWAYS_INLINE void thin_nt(float *u, struct thin_rows x, const float *a, int rows, int width, int r, float alpha)
{
#pragma GCC unroll 4
    for (int j = 0; j < r; j += THIN_RANKS)
        thin_dots(u + j, x, a + (size_t)j * width, rows, width, r, r - j < THIN_RANKS ? r - j : THIN_RANKS, alpha);
}

/* y += u Bt for `rows` rows of y from row t on; u [rows][r], Bt [r][width]. */
ALWAYS_INLINE void thin_nn(struct result y, const float *u, const float *bt, int t, int rows, int width, int r)
{
    const int whole = width / VL * VL;
#pragma GCC unroll 1
    for (int n = 0; n < whole; n += VL) {
        vec sums[THIN_ROWS];
#pragma GCC unroll 3
        for (int i = 0; i < rows; i++)
            sums[i] = result_load(y, t + i, n);
#pragma GCC unroll 16
        for (int j = 0; j < r; j++) {
            const vec right = vec_load(bt + (size_t)j * width + n);
#pragma GCC unroll 3
            for (int i = 0; i < rows; i++)
                sums[i] = vec_fma(vec_splat(u[i * r + j]), right, sums[i]);
        }
#pragma GCC unroll 3
        for (int i = 0; i < rows; i++)
            result_store(y, t + i, n, sums[i]);
    }
    for (int i = 0; whole < width && i < rows; i++)
        for (int n = whole; n < width; n++) {
            float sum = result_element(y, t + i, n);
            for (int j = 0; j < r; j++)
                sum += u[i * r + j] * bt[(size_t)j * width + n];
            result_set(y, t + i, n, sum);
        }
}

/* thin_fwd for `rows` tokens from t on. */
ALWAYS_INLINE void thin_rows_fwd(struct result y, float *u, struct operand x, struct thin p, int t, int rows)
{
    x.data = operand_address(x, t, 0);
    struct thin_rows seen = thin_rows(x);
//@ if drop then
    uint16_t keeps[THIN_ROWS][THIN_KEEPS];
    for (int i = 0; p.dropout->active && i < rows; i++)
        dropout_row(keeps[i], p.dropout, t + i, p.in);
    seen.keeps = p.dropout->active ? keeps[0] : NULL;
    seen.stride = THIN_KEEPS;
//@ end
    u += (size_t)t * p.r;
    thin_nt(u, seen, p.a, rows, p.in, p.r, thin_scaling(p));
    thin_nn(y, u, p.bt, t, rows, p.out, p.r);
}

/* u [T][r] = scaling * x' A^T,  y += u Bt. */
ALWAYS_INLINE void thin_fwd(struct result y, float *u, struct operand x, struct thin p)
{
#pragma omp for schedule(static)
    for (int t = 0; t < p.T; t += THIN_ROWS) {
        if (t + THIN_ROWS <= p.T)
            thin_rows_fwd(y, u, x, p, t, THIN_ROWS);
        else
            for (int row = t; row < p.T; row++)
                thin_rows_fwd(y, u, x, p, row, 1);
    }
}

/* ---- by columns ---- */

/* Columns [n, n + VL), or fewer where not `whole`, of gradient [r][width] += left^T x over tokens [first, last); with dx, also dx +=
 * left A, as far as x is kept. */
ALWAYS_INLINE void thin_panel(float *gradient, const struct result *dx, const float *a, const float *left,
                              struct thin_rows x, int n, bool whole, int width, int r, int first, int last)
{
    const int count = whole ? VL : width - n;
    vec sums[THIN_RANK] = {{0}}, right[THIN_RANK] = {{0}};
#pragma GCC unroll 16
    for (int j = 0; dx && j < r; j++)
        right[j] = whole ? vec_load(a + (size_t)j * width + n) : vec_load_part(a + (size_t)j * width + n, count);
#pragma GCC unroll 1
    for (int t = first; t < last; t++) {
        const vec seen = thin_load(x, t, n, count);
        vec onward = {0};
        operand_prefetch(x.x, t + THIN_TOKENS, n);
        if (dx)
            result_prefetch(*dx, t + THIN_TOKENS, n);
#pragma GCC unroll 16
        for (int j = 0; j < r; j++) {
            const vec factor = vec_splat(left[(size_t)t * r + j]);
            sums[j] = vec_fma(factor, seen, sums[j]);
            onward = dx ? vec_fma(factor, right[j], onward) : onward;
        }
        if (!dx)
            continue;
        onward = thin_keep(x, t, n, onward);
        if (whole)
            result_store(*dx, t, n, result_load(*dx, t, n) + onward);
        for (int i = 0; !whole && i < count; i++)
            result_set(*dx, t, n + i, result_element(*dx, t, n + i) + onward[i]);
    }
#pragma GCC unroll 16
    for (int j = 0; j < r; j++) {
        float *to = gradient + (size_t)j * width + n;
        if (whole)
            vec_store(to, vec_load(to) + sums[j]);
        for (int i = 0; !whole && i < count; i++)
            to[i] += sums[j][i];
    }
}

/* One thread's part of all columns; threads meet behind this one only where others must not go on before. */
ALWAYS_INLINE void thin_columns(float *gradient, const struct result *dx, const float *a, const float *left,
                                struct thin_rows x, int width, int r, int T)
{
    const int threads = omp_get_num_threads(), part = omp_get_thread_num(), panels = (width + VL - 1) / VL;
    const int n0 = (int)((int64_t)panels * part / threads) * VL;
    const int n1 = (int)((int64_t)panels * (part + 1) / threads) * VL;
    for (int block = n0; block < n1; block += THIN_COLUMNS)
        for (int first = 0; first < T; first += THIN_TOKENS) {
            const int last = first + THIN_TOKENS < T ? first + THIN_TOKENS : T;
            const int end = block + THIN_COLUMNS < n1 ? block + THIN_COLUMNS : n1;
            int n = block;
            for (; n < end && n + VL <= width; n += VL)
                thin_panel(gradient, dx, a, left, x, n, true, width, r, first, last);
            if (n < end)
                thin_panel(gradient, dx, a, left, x, n, false, width, r, first, last);
        }
}

/* thin_bwd's du, and the masks of x, for `rows` tokens from t on. */
ALWAYS_INLINE void thin_rows_bwd(float *du, uint16_t *keeps, struct operand dy, struct thin p, int t, int rows)
{
//@ if drop then
    const int stride = (p.in + 15) / 16;
    for (int i = 0; p.dropout->active && i < rows; i++)
        dropout_row(keeps + (size_t)(t + i) * stride, p.dropout, t + i, p.in);
//@ else
    (void)keeps;
//@ end
    dy.data = operand_address(dy, t, 0);
    thin_nt(du + (size_t)t * p.r, thin_rows(dy), p.bt, rows, p.out, p.r, thin_scaling(p));
}

/* dBt += u^T dy,  du [T][r] = scaling * dy Bt^T,  dA += du^T x',  dx (NULL: not wanted) += mask / keep * (du A). keeps [T][(in + 15) / 16]
 * is scratch. */
ALWAYS_INLINE void thin_bwd(const struct result *dx, float *da, float *dbt, struct operand dy, const float *u,
                            struct operand x, uint16_t *keeps, float *du, struct thin p)
{
    struct thin_rows seen = thin_rows(x);
//@ if drop then
    seen.keeps = p.dropout->active ? keeps : NULL;
    seen.stride = (p.in + 15) / 16;
//@ end
    thin_columns(dbt, NULL, NULL, u, thin_rows(dy), p.out, p.r, p.T);
#pragma omp for schedule(static)
    for (int t = 0; t < p.T; t += THIN_ROWS) {
        if (t + THIN_ROWS <= p.T)
            thin_rows_bwd(du, keeps, dy, p, t, THIN_ROWS);
        else
            for (int row = t; row < p.T; row++)
                thin_rows_bwd(du, keeps, dy, p, row, 1);
    }
    thin_columns(da, dx, p.a, du, seen, p.in, p.r, p.T);
#pragma omp barrier
}

#endif
//@ end
