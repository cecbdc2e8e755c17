/* Matrix products. First the core that every product of the model is an instance of, then the products themselves.
 *
 * C [M][N] = alpha * A B, three ways of storing A and B:
 *   matmul_nt   A [M][K], B as [N][K]     y = x W^T, with W as checkpoints store it
 *   matmul_nn   A [M][K], B [K][N]        dx = dy W
 *   matmul_tn   A as [K][M], B [K][N]     dW = dy^T x
 * All row-major with a row stride each. C is stored or added to; bias [N] and residual (shaped and strided as C) may be
 * NULL.
 *
 * Blocks after Goto and van de Geijn 2008, with the roles of A and B exchanged, since W is the larger operand: a block of B
 * (BLOCK_K x BLOCK_N) is packed into panels of TILE_COLS columns, widened to float on the way, and stays in the second-level
 * cache while all rows of A pass over it; TILE_ROWS of them at a time are copied into the first-level cache, where their
 * rows no longer lie a power of two apart, and multiplied with panel after panel. A tile of C is summed in registers.
 *
 * Called by all threads of a parallel region; a thread has its own part of C and packs for itself. An element of C is one
 * chain of multiply-adds in the order of k within a block, blocks being added in order, whichever tile it falls into: its
 * bits depend neither on the number of threads nor on M, N or its place.
 */
#ifndef LORAC_MATMUL_H
#define LORAC_MATMUL_H

#include "isa.h"
#include "shapes.h"

#include <omp.h>
#include <stdbool.h>

enum {
    TILE_COLS = 2 * VL,
    TILE_SPACE = (TILE_ROWS + VL - 1) / VL * VL, /* rows of memory for TILE_ROWS of A, in whole vectors */
    BLOCK_K = 448,                  /* a tile of A, TILE_ROWS x BLOCK_K floats, leaves some of a 32 KiB cache to B */
    BLOCK_N = VL == 16 ? 256 : 128, /* a block of B is 448 or 224 KiB */
    PREFETCH_ROWS = 8,              /* rows of a panel of B are asked for as many multiplications ahead */
};

_Static_assert(BLOCK_K % VL == 0 && BLOCK_N % TILE_COLS == 0, "blocks are whole vectors and panels");

/* ---- the register tile ---- */

/* sums [rows][TILE_COLS] = a [rows][kc] (row stride BLOCK_K) times b [kc][vectors * VL]. Meanwhile what lies at ahead[0] and
 * ahead[1], kc floats each, is fetched into the second-level cache. */
ALWAYS_INLINE void tile_rows(float *sums, const float *a, const float *b, int kc, const float *const ahead[2], int rows,
                             int vectors)
{
    vec sum[TILE_ROWS][2];
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 2
        for (int v = 0; v < vectors; v++)
            sum[i][v] = (vec){0};
#pragma GCC unroll 1
    for (int k = 0; k < kc; k++) {
        __builtin_prefetch(ahead[0] + k, 0, 2);
        __builtin_prefetch(ahead[1] + k, 0, 2);
        vec right[2];
#pragma GCC unroll 2
        for (int v = 0; v < vectors; v++) {
            right[v] = vec_load(b + v * VL);
            __builtin_prefetch(b + (PREFETCH_ROWS * vectors + v) * VL);
        }
#pragma GCC unroll 16
        for (int i = 0; i < rows; i++) {
            vec left = vec_splat(a[i * BLOCK_K + k]);
#pragma GCC unroll 2
            for (int v = 0; v < vectors; v++)
                sum[i][v] = vec_fma(left, right[v], sum[i][v]);
        }
        b += vectors * VL;
    }
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 2
        for (int v = 0; v < vectors; v++)
            vec_store(sums + i * TILE_COLS + v * VL, sum[i][v]);
}

//@ for vectors = 1, 2 do
/* tile_rows for every number of rows that there is room for, and panels $(vectors) vectors wide. */
NOINLINE void tile_$(vectors)(float *sums, const float *a, const float *b, int kc, const float *const ahead[2], int rows)
{
    switch (rows) {
//@   for rows = 1, 14 do
//@     if rows == 7 then
#if TILE_ROWS == 14
//@     end
    case $(rows):
        tile_rows(sums, a, b, kc, ahead, $(rows), $(vectors));
        break;
//@   end
#endif
    }
}

//@ end
/* ---- packing ---- */

/* Where an operand lies: floats, or weights as they are stored. */
struct operand {
    const void *data;
    int stride;      /* elements from row to row */
    bool transposed; /* A: stored [K][M]; B: stored [N][K] */
    bool weights;    /* weight_t, not float */
};

ALWAYS_INLINE float operand_element(struct operand o, size_t row, size_t column)
{
    size_t i = row * o.stride + column;
    return o.weights ? weight_to_float(((const weight_t *)o.data)[i]) : ((const float *)o.data)[i];
}

/* `count` elements, VL at most; zeros beyond. */
ALWAYS_INLINE vec operand_load(struct operand o, size_t row, size_t column, int count)
{
    size_t i = row * o.stride + column;
    if (count < VL && o.weights)
        return vec_load_weights_part((const weight_t *)o.data + i, count);
    if (count < VL)
        return vec_load_part((const float *)o.data + i, count);
    return o.weights ? vec_load_weights((const weight_t *)o.data + i) : vec_load((const float *)o.data + i);
}

/* to [columns][rows] (row stride to_stride) = transpose of `from` [rows][columns] at (row, column). */
ALWAYS_INLINE void transpose(float *to, int to_stride, struct operand from, int row, int column, int rows, int columns)
{
    int whole_rows = rows / VL * VL;
    for (int j = 0; j < columns; j += VL) {
        int count = columns - j < VL ? columns - j : VL;
        for (int i = 0; i < whole_rows; i += VL) {
            vec block[VL];
#pragma GCC unroll 16
            for (int l = 0; l < VL; l++)
                block[l] = operand_load(from, row + i + l, column + j, count);
            vec_transpose(block);
#pragma GCC unroll 16
            for (int l = 0; l < VL; l++)
                if (l < count)
                    vec_store(to + (size_t)(j + l) * to_stride + i, block[l]);
        }
        for (int i = whole_rows; i < rows; i++)
            for (int l = 0; l < count; l++)
                to[(size_t)(j + l) * to_stride + i] = operand_element(from, row + i, column + j + l);
    }
}

/* block = B [k0 .. k0 + kc)[n0 .. n0 + columns) in panels [kc][width], with zeros in the columns beyond. */
ALWAYS_INLINE void pack_block(float *block, struct operand b, int k0, int kc, int n0, int columns, int width)
{
    int whole = columns / width * width;
    if (whole < columns)
        memset(block + (size_t)whole * kc, 0, (size_t)kc * width * sizeof *block);
    for (int n = 0; b.transposed && n < columns; n += width)
        transpose(block + (size_t)n * kc, width, b, n0 + n, k0, columns - n < width ? columns - n : width, kc);
    for (int k = 0; !b.transposed && k < kc; k++) {
        float *to = block + (size_t)k * width;
        for (int n = 0; n < columns; n += VL) {
            vec v = operand_load(b, k0 + k, n0 + n, columns - n < VL ? columns - n : VL);
            vec_store(to + (size_t)(n / width * width) * kc + n % width, v);
        }
    }
}

/* tile [rows][kc] (row stride BLOCK_K) = A [m0 .. m0 + rows)[k0 .. k0 + kc). */
ALWAYS_INLINE void copy_rows(float *tile, struct operand a, int m0, int rows, int k0, int kc)
{
    if (a.transposed) {
        transpose(tile, BLOCK_K, a, k0, m0, kc, rows);
        return;
    }
    for (int i = 0; i < rows; i++) {
        const float *from = (const float *)a.data + (size_t)(m0 + i) * a.stride + k0;
        const int whole = kc / VL * VL;
        for (int k = 0; k < whole; k += VL)
            vec_store(tile + i * BLOCK_K + k, vec_load(from + k));
        for (int k = whole; k < kc; k++)
            tile[i * BLOCK_K + k] = from[k];
    }
}

/* ---- the core ---- */

struct product {
    float *c;
    int c_stride;
    struct operand a, b;
    int M, N, K;
    int block_k; /* k is summed in blocks of as many */
    float alpha;
    bool accumulate;
    const float *bias, *residual;
};

/* Puts finished sums [rows][TILE_COLS] of one block of k into C at (m0, n0). The first block stores and adds bias and
 * residual, unless C is accumulated into. */
ALWAYS_INLINE void finish_tile(struct product p, const float *sums, int m0, int rows, int n0, int columns, bool first)
{
    bool add = p.accumulate || !first;
    for (int i = 0; i < rows; i++, sums += TILE_COLS) {
        size_t at = (size_t)(m0 + i) * p.c_stride + n0;
        int n = 0;
        for (; n + VL <= columns; n += VL) {
            vec value = vec_load(sums + n) * p.alpha;
            if (add)
                value += vec_load(p.c + at + n);
            if (p.bias && first)
                value += vec_load(p.bias + n0 + n);
            if (p.residual && first)
                value += vec_load(p.residual + at + n);
            vec_store(p.c + at + n, value);
        }
        for (; n < columns; n++) {
            float value = sums[n] * p.alpha;
            if (add)
                value += p.c[at + n];
            if (p.bias && first)
                value += p.bias[n0 + n];
            if (p.residual && first)
                value += p.residual[at + n];
            p.c[at + n] = value;
        }
    }
}

/* What tile (m, j) has fetched while it is computed: two of the rows of A that the next tile begins with. */
ALWAYS_INLINE void choose_ahead(const float *ahead[2], const float *tile, struct product p, int m, int m1, int panel,
                                int k)
{
    for (int l = 0; l < 2; l++) {
        int row = m + 2 * panel + l;
        ahead[l] = p.a.transposed || row >= m1 ? tile : (const float *)p.a.data + (size_t)row * p.a.stride + k;
    }
}

/* One thread's part: rows [m0, m1) and columns [n0, n1) of C. */
ALWAYS_INLINE void matmul_part(struct product p, int m0, int m1, int n0, int n1)
{
    _Alignas(64) float block[BLOCK_N * BLOCK_K];
    _Alignas(64) float tile[TILE_SPACE * BLOCK_K];
    _Alignas(64) float sums[TILE_ROWS * TILE_COLS];
    const int width = p.N <= VL ? VL : TILE_COLS, tiles = (m1 - m0 + TILE_ROWS - 1) / TILE_ROWS;
    for (int n = n0; n < n1; n += BLOCK_N)
        for (int k = 0; k < p.K; k += p.block_k) {
            int columns = n1 - n < BLOCK_N ? n1 - n : BLOCK_N, kc = p.K - k < p.block_k ? p.K - k : p.block_k;
            pack_block(block, p.b, k, kc, n, columns, width);
            for (int i = 0; i < tiles; i++) {
                int m = m0 + (int)((int64_t)(m1 - m0) * i / tiles);
                int rows = m0 + (int)((int64_t)(m1 - m0) * (i + 1) / tiles) - m;
                copy_rows(tile, p.a, m, rows, k, kc);
                for (int j = 0; j < columns; j += width) {
                    const float *ahead[2];
                    choose_ahead(ahead, tile, p, m + rows, m1, j / width, k);
                    (width == VL ? tile_1 : tile_2)(sums, tile, block + (size_t)j * kc, kc, ahead, rows);
                    finish_tile(p, sums, m, rows, n + j, columns - j < width ? columns - j : width, k == 0);
                }
            }
        }
}

/* How many groups of rows C is cut into, the rest of the threads cutting columns: what gives the largest part the least
 * work, counted in register tiles. Packing a panel of B costs about as much as two tiles. */
static int row_groups(int M, int N, int threads)
{
    int tiles = (M + TILE_ROWS - 1) / TILE_ROWS, panels = (N + TILE_COLS - 1) / TILE_COLS, best = 1;
    int64_t least = INT64_MAX;
    for (int groups = 1; groups <= threads; groups++) {
        if (threads % groups)
            continue;
        int column_groups = threads / groups;
        int64_t rows = (tiles + groups - 1) / groups, columns = (panels + column_groups - 1) / column_groups;
        if (columns * (rows + 2) < least) {
            least = columns * (rows + 2);
            best = groups;
        }
    }
    return best;
}

ALWAYS_INLINE void matmul(struct product p)
{
    const int threads = omp_get_num_threads(), groups = row_groups(p.M, p.N, threads), across = threads / groups;
    const int64_t panels = (p.N + TILE_COLS - 1) / TILE_COLS;
#pragma omp for schedule(static)
    for (int part = 0; part < threads; part++) {
        int row = part / across, column = part % across;
        int n0 = (int)(panels * column / across) * TILE_COLS, n1 = (int)(panels * (column + 1) / across) * TILE_COLS;
        int m0 = (int)((int64_t)p.M * row / groups), m1 = (int)((int64_t)p.M * (row + 1) / groups);
        matmul_part(p, m0, m1, n0, n1 < p.N ? n1 : p.N);
    }
}

/* Equal blocks of k, as few as there must be. */
ALWAYS_INLINE int even_block(int K)
{
    int blocks = (K + BLOCK_K - 1) / BLOCK_K, each = (K + blocks - 1) / blocks;
    return (each + VL - 1) / VL * VL;
}

/* The five forms that there are, each compiled once for all sizes: what is fixed are the ways through packing. */
NOINLINE void matmul_nt_weights(struct product p)
{
    p.a.transposed = false, p.b.transposed = true, p.b.weights = true;
    matmul(p);
}

NOINLINE void matmul_nt_floats(struct product p)
{
    p.a.transposed = false, p.b.transposed = true, p.b.weights = false;
    matmul(p);
}

NOINLINE void matmul_nn_weights(struct product p)
{
    p.a.transposed = false, p.b.transposed = false, p.b.weights = true;
    matmul(p);
}

NOINLINE void matmul_nn_floats(struct product p)
{
    p.a.transposed = false, p.b.transposed = false, p.b.weights = false;
    matmul(p);
}

NOINLINE void matmul_tn_floats(struct product p)
{
    p.a.transposed = true, p.b.transposed = false, p.b.weights = false;
    matmul(p);
}

/* C [M][N] = alpha A [M][K] B^T (+ bias) (+ residual), B [N][K]. */
static inline void matmul_nt(float *c, int c_stride, const float *a, int a_stride, struct operand b, int M, int N,
                             int K, float alpha, bool accumulate, const float *bias, const float *residual)
{
    const struct operand left = {a, a_stride, false, false};
    const struct product p = {c, c_stride, left, b, M, N, K, even_block(K), alpha, accumulate, bias, residual};
    (b.weights ? matmul_nt_weights : matmul_nt_floats)(p);
}

/* C [M][N] = alpha A [M][K] B, B [K][N]. */
static inline void matmul_nn(float *c, int c_stride, const float *a, int a_stride, struct operand b, int M, int N,
                             int K, float alpha, bool accumulate)
{
    const struct operand left = {a, a_stride, false, false};
    const struct product p = {c, c_stride, left, b, M, N, K, even_block(K), alpha, accumulate, NULL, NULL};
    (b.weights ? matmul_nn_weights : matmul_nn_floats)(p);
}

/* C [M][N] = alpha A^T B, A [K][M], B [K][N]: a sum over K tokens, in blocks of BLOCK_K whatever their number. */
static inline void matmul_tn(float *c, int c_stride, const float *a, int a_stride, const float *b, int b_stride, int M,
                             int N, int K, float alpha, bool accumulate)
{
    const struct operand left = {a, a_stride, true, false}, right = {b, b_stride, false, false};
    matmul_tn_floats((struct product){c, c_stride, left, right, M, N, K, BLOCK_K, alpha, accumulate, NULL, NULL});
}

/* ---- a few rows: decoding ---- */

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
/* ---- this model's products ---- */

//@ for _, p in ipairs(plan.products) do
//@   local symbol = "matmul_" .. p.name
//@   local fwd, bwd, dw, decode = symbol .. "_fwd", symbol .. "_bwd", symbol .. "_dw", symbol .. "_decode"
//@   local type = p.weight_gradient and "float" or "weight_t"
//@   local weights = not p.weight_gradient
//@   local decode_kind = p.weight_gradient and "decode_floats" or "decode_weights"
//@   local extra = (p.bias and ", const float *bias" or "") .. (p.residual and ", const float *residual" or "")
//@   local given = (p.bias and "bias" or "NULL") .. ", " .. (p.residual and "residual" or "NULL")
//@   local plus = (p.bias and " + bias" or "") .. (p.residual and " + residual" or "")
/* y [T][$(p.N_name)] = x [T][$(p.K_name)] W^T$(plus), W [$(p.N_name)][$(p.K_name)]; $(comma(p.flops)) FLOP a token. Bound by arithmetic
 * from some tens of tokens on, by reading W below. */
NOINLINE void $(fwd)(float *y, const float *x, const $(type) *w$(extra), int T)
{
    const struct operand weights = {w, $(p.K_name), true, $(weights)};
    matmul_nt(y, $(p.N_name), x, $(p.K_name), weights, T, $(p.N_name), $(p.K_name), 1, false, $(given));
}

//@   if p.backward then
/* dx [T][$(p.K_name)] = dy [T][$(p.N_name)] W; $(comma(p.flops)) FLOP a token. */
NOINLINE void $(bwd)(float *dx, const float *dy, const $(type) *w, int T)
{
    const struct operand weights = {w, $(p.K_name), false, $(weights)};
    matmul_nn(dx, $(p.K_name), dy, $(p.N_name), weights, T, $(p.K_name), $(p.N_name), 1, false);
}

//@   end
//@   if p.weight_gradient then
/* dW [$(p.N_name)][$(p.K_name)] += dy^T x; $(comma(p.flops)) FLOP a token. */
NOINLINE void $(dw)(float *dw, const float *dy, const float *x, int T)
{
    matmul_tn(dw, $(p.K_name), dy, $(p.N_name), x, $(p.K_name), $(p.N_name), $(p.K_name), T, 1, true);
}

//@   end
/* y [M][$(p.N_name)] = x [M][$(p.K_name)] W^T$(plus) for M from 1 to 8 rows: reads W once, bound by that. */
static void $(decode)(float *y, const float *x, const $(type) *w$(extra), int M)
{
    $(decode_kind)(y, x, w, $(given), M, $(p.N_name), $(p.K_name));
}

//@ end
#endif
