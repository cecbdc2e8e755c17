//@ local narrow = plan.compute_dtype == "bf16"
/* Matrix products on vectors of floats.
 *
 * Blocks after Goto and van de Geijn 2008, with the roles of A and B exchanged, since W is the larger operand: a block of B
 * (FMA_BLOCK_K x FMA_BLOCK_N) is packed into panels of FMA_COLS columns, widened to float on the way, and stays in the
 * second-level cache while all rows of A pass over it; FMA_ROWS of them at a time are copied into the first-level cache, where
 * their rows no longer lie a power of two apart, and multiplied with panel after panel. A tile of C is summed in registers.
//@ if narrow then
 *
 * A result in bfloat16 would be rounded once for every block of k. So blocks of B are as deep as FMA_WHOLE_K for it, and
 * narrower; what the first-level cache holds of A is a strip of k then, and a tile of C rests in `sums` from strip to strip.
//@ end
 */
#ifndef LORAC_TILE_FMA_H
#define LORAC_TILE_FMA_H

#include "product.h"

#include <omp.h>

/* Two vectors of B and one broadcast element of A beside FMA_ROWS x 2 sums fill the registers: 28 + 3 of 32, or 12 + 3 of
 * 16. */
#if VL == 16
#    define FMA_ROWS 14
#else
#    define FMA_ROWS 6
#endif

enum {
    FMA_COLS = 2 * VL,
    /* Blocks of k are multiples of it. */
    FMA_K = VL,
    /* Rows of memory for FMA_ROWS of A, in whole vectors. */
    FMA_ROW_SPACE = (FMA_ROWS + VL - 1) / VL * VL,
    /* A tile of A, FMA_ROWS x FMA_BLOCK_K floats, leaves some of a 32 KiB cache to B. */
    FMA_BLOCK_K = 448,
    /* A block of B is 448 or 224 KiB$(narrow and ", or" or ".")$(narrow and " 512 or 256 where it is as deep as FMA_WHOLE_K." or "") */
    FMA_BLOCK_N = VL == 16 ? 256 : 128,
//@ if narrow then
    FMA_WHOLE_K = 4096,
    FMA_BLOCK_FLOATS = FMA_WHOLE_K * FMA_COLS,
//@ else
    FMA_BLOCK_FLOATS = FMA_BLOCK_K * FMA_BLOCK_N,
//@ end
    /* Rows of B are asked for as many rows before they are packed. */
    PACK_AHEAD = 8,
};

_Static_assert(FMA_BLOCK_K % VL == 0 && FMA_BLOCK_N % FMA_COLS == 0, "blocks are whole vectors and panels");

static const double OPERAND_ROUNDING = 0, PRODUCT_TRUNCATION = 0; /* operands are multiplied as they are */

/* ---- the register tile ---- */

//@ local sums, add_parameter, add = "sums [rows][FMA_COLS] =", "", ""
//@ if narrow then
//@   sums, add_parameter, add = "sums [rows][FMA_COLS] = (or, with `add`, +=)", ", bool add", ", add"
//@ end
/* $(sums) a [rows][kc] (row stride FMA_BLOCK_K) times b [kc][vectors * VL]. Meanwhile what lies at ahead[0] and
 * ahead[1], kc floats each, is fetched into the second-level cache. B's panel is read in order, which processors see by themselves:
 * asking for it would cost more instructions than it saves waiting, and where cores are shared instructions are what is short. */
$(wrap("ALWAYS_INLINE void tile_rows(float *sums, const float *a, const float *b, int kc, const float *const ahead[2]" .. add_parameter .. ", int rows, int vectors)"))
{
    vec sum[FMA_ROWS][2];
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 2
        for (int v = 0; v < vectors; v++)
//@ if narrow then
            sum[i][v] = add ? vec_load(sums + i * FMA_COLS + v * VL) : (vec){0};
//@ else
            sum[i][v] = (vec){0};
//@ end
#pragma GCC unroll 1
    for (int first = 0; first < kc; first += VL) {
        const int last = first + VL < kc ? first + VL : kc;
        __builtin_prefetch(ahead[0] + first, 0, 2);
        __builtin_prefetch(ahead[1] + first, 0, 2);
#pragma GCC unroll 1
        for (int k = first; k < last; k++) {
            vec right[2];
#pragma GCC unroll 2
            for (int v = 0; v < vectors; v++)
                right[v] = vec_load(b + v * VL);
#pragma GCC unroll 16
            for (int i = 0; i < rows; i++) {
                vec left = vec_splat(a[i * FMA_BLOCK_K + k]);
#pragma GCC unroll 2
                for (int v = 0; v < vectors; v++)
                    sum[i][v] = vec_fma(left, right[v], sum[i][v]);
            }
            b += vectors * VL;
        }
    }
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 2
        for (int v = 0; v < vectors; v++)
            vec_store(sums + i * FMA_COLS + v * VL, sum[i][v]);
}

//@ for vectors = 1, 2 do
/* tile_rows for every number of rows that there is room for, and panels $(vectors) vectors wide. */
$(wrap("NOINLINE void tile_" .. vectors .. "(float *sums, const float *a, const float *b, int kc, const float *const ahead[2]" .. add_parameter .. ", int rows)"))
{
    switch (rows) {
//@   for rows = 1, 14 do
//@     if rows == 7 then
#if FMA_ROWS == 14
//@     end
    case $(rows):
        tile_rows(sums, a, b, kc, ahead$(add), $(rows), $(vectors));
        break;
//@   end
#endif
    }
}

//@ end
/* ---- packing ---- */

/* to [columns][rows] (row stride to_stride) = transpose of `from` [rows][columns] at (row, column). */
ALWAYS_INLINE void transpose(float *to, int to_stride, struct operand from, int row, int column, int rows, int columns)
{
    int whole_rows = rows / VL * VL;
    for (int j = 0; j < columns; j += VL) {
        int count = columns - j < VL ? columns - j : VL;
        for (int i = 0; i < whole_rows; i += VL) {
            vec block[VL];
#pragma GCC unroll 16
            for (int l = 0; l < VL; l++) {
                block[l] = operand_load(from, row + i + l, column + j, count);
                operand_prefetch(from, row + i + VL + l, column + j);
            }
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
            operand_prefetch(b, k0 + k + PACK_AHEAD, n0 + n);
        }
    }
}

/* tile [rows][kc] (row stride FMA_BLOCK_K) = A [m0 .. m0 + rows)[k0 .. k0 + kc). */
ALWAYS_INLINE void copy_rows(float *tile, struct operand a, int m0, int rows, int k0, int kc)
{
    if (a.transposed) {
        transpose(tile, FMA_BLOCK_K, a, k0, m0, kc, rows);
        return;
    }
    for (int i = 0; i < rows; i++) {
        const int whole = kc / VL * VL;
        for (int k = 0; k < whole; k += VL)
            vec_store(tile + i * FMA_BLOCK_K + k, operand_load(a, m0 + i, k0 + k, VL));
        for (int k = whole; k < kc; k++)
            tile[i * FMA_BLOCK_K + k] = operand_element(a, m0 + i, k0 + k);
    }
}

/* ---- blocks ---- */

/* What tile (m, j) has fetched while it is computed: two of the rows of A that the next tile begins with. */
ALWAYS_INLINE void choose_ahead(const float *ahead[2], const float *tile, struct product p, int m, int m1, int panel,
                                int k)
{
    for (int l = 0; l < 2; l++) {
        int row = m + 2 * panel + l;
        ahead[l] = p.a.transposed || row >= m1 ? tile : operand_address(p.a, row, k);
    }
}

//@ if narrow then
/* Rows [m, m + rows) times the block of B at (k, n), strip by strip, past panel after panel. */
ALWAYS_INLINE void fma_multiply_rows(struct product p, const float *block, int width, int m, int m1, int rows, int n,
                                     int columns, int k, int kc)
{
    _Alignas(64) float tile[FMA_ROW_SPACE * FMA_BLOCK_K];
    _Alignas(64) float sums[FMA_BLOCK_N / FMA_COLS][FMA_ROWS * FMA_COLS];
    const int strip = even_block(kc, FMA_BLOCK_K, FMA_K);
    for (int at = 0; at < kc; at += strip) {
        const int depth = kc - at < strip ? kc - at : strip;
        copy_rows(tile, p.a, m, rows, k + at, depth);
        for (int j = 0; j < columns; j += width) {
            float *sum = sums[j / width];
            const float *panel = block + (size_t)j * kc + (size_t)at * width;
            const float *ahead[2];
            choose_ahead(ahead, tile, p, m + rows, m1, j / width, k + at);
            (width == VL ? tile_1 : tile_2)(sum, tile, panel, depth, ahead, at > 0, rows);
            if (at + strip >= kc)
                finish_tile(p, sum, FMA_COLS, m, rows, n + j, columns - j < width ? columns - j : width, k == 0);
        }
    }
}
//@ else
/* Rows [m, m + rows) times the block of B at (k, n), past panel after panel. */
ALWAYS_INLINE void fma_multiply_rows(struct product p, const float *block, int width, int m, int m1, int rows, int n,
                                     int columns, int k, int kc)
{
    _Alignas(64) float tile[FMA_ROW_SPACE * FMA_BLOCK_K];
    _Alignas(64) float sums[FMA_ROWS * FMA_COLS];
    copy_rows(tile, p.a, m, rows, k, kc);
    for (int j = 0; j < columns; j += width) {
        const float *ahead[2];
        choose_ahead(ahead, tile, p, m + rows, m1, j / width, k);
        (width == VL ? tile_1 : tile_2)(sums, tile, block + (size_t)j * kc, kc, ahead, rows);
        finish_tile(p, sums, FMA_COLS, m, rows, n + j, columns - j < width ? columns - j : width, k == 0);
    }
}
//@ end

ALWAYS_INLINE void fma_part(struct product p, struct part c)
{
    _Alignas(64) float block[FMA_BLOCK_FLOATS];
    const int width = p.N <= VL ? VL : FMA_COLS, tiles = (c.m1 - c.m0 + FMA_ROWS - 1) / FMA_ROWS;
//@ if narrow then
    const int fitting = FMA_BLOCK_FLOATS / p.block_k / width * width;
    const int block_n = fitting < FMA_BLOCK_N ? fitting : FMA_BLOCK_N;
//@ else
    const int block_n = FMA_BLOCK_N;
//@ end
    for (int n = c.n0; n < c.n1; n += block_n)
        for (int k = 0; k < p.K; k += p.block_k) {
            int columns = c.n1 - n < block_n ? c.n1 - n : block_n, kc = p.K - k < p.block_k ? p.K - k : p.block_k;
            pack_block(block, p.b, k, kc, n, columns, width);
            for (int i = 0; i < tiles; i++) {
                int m = c.m0 + (int)((int64_t)(c.m1 - c.m0) * i / tiles);
                int rows = c.m0 + (int)((int64_t)(c.m1 - c.m0) * (i + 1) / tiles) - m;
                fma_multiply_rows(p, block, width, m, c.m1, rows, n, columns, k, kc);
            }
        }
}

ALWAYS_INLINE void fma_matmul(struct product p)
{
    const int threads = omp_get_num_threads();
//@ if narrow then
    p.block_k = even_block(p.K, p.c.stored ? FMA_WHOLE_K : FMA_BLOCK_K, FMA_K);
//@ else
    p.block_k = even_block(p.K, FMA_BLOCK_K, FMA_K);
//@ end
    if (p.a.transposed)
        p.block_k = FMA_BLOCK_K;
#pragma omp for schedule(static)
    for (int part = 0; part < threads; part++)
        fma_part(p, part_of(p, FMA_ROWS, FMA_COLS, part, threads));
}

#endif
