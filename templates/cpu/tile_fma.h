/* Matrix products on vectors of floats.
 *
 * Blocks after Goto and van de Geijn 2008, with the roles of A and B exchanged, since W is the larger operand: a block of B
 * (FMA_BLOCK_K x FMA_BLOCK_N) is packed into panels of FMA_COLS columns, widened to float on the way, and stays in the
 * second-level cache while all rows of A pass over it; FMA_ROWS of them at a time are copied into the first-level cache, where
 * their rows no longer lie a power of two apart, and multiplied with panel after panel. A tile of C is summed in registers.
//@ if plan.narrow then
 *
 * A result in bfloat16 is to be rounded once, so its sums cannot rest in C from one block of k to the next. Either a block of B is as deep
 * as k and narrower, what the first-level cache holds of A is a strip of k, and sums of one tile's rows rest from strip to strip; or
 * those of up to FMA_GROUP_ROWS rows do from block to block. A is copied once for each block's columns, so the wider of the two is taken.
//@ end
 */
#ifndef LORAC_TILE_FMA_H
#define LORAC_TILE_FMA_H

#include "product.h"

#include <omp.h>

/* FMA_ROWS x FMA_VECTORS sums, as many vectors of B and one broadcast element of A fill the registers: 27 + 3 + 1 of 32, or
 * 12 + 2 + 1 of 16. Where cores are shared, instructions are what is short, and few beside multiply-adds make a good tile. */
#if VL == 16
#    define FMA_ROWS 9
#    define FMA_VECTORS 3
#else
#    define FMA_ROWS 6
#    define FMA_VECTORS 2
#endif

enum {
    FMA_COLS = FMA_VECTORS * VL,
    /* Blocks of k are multiples of it. */
    FMA_K = VL,
    /* Rows of memory for FMA_ROWS of A, in whole vectors. */
    FMA_ROW_SPACE = (FMA_ROWS + VL - 1) / VL * VL,
#if defined(SMALL_BLOCKS)
    /* For checks: small matrices have several blocks, too. */
    FMA_BLOCK_K = 32,
//@ if plan.narrow then
    FMA_GROUP_ROWS = 2 * FMA_ROWS,
//@ end
#else
    /* A tile of A, FMA_ROWS x FMA_BLOCK_K floats, leaves some of a 32 KiB cache to B. */
    FMA_BLOCK_K = 448,
//@ if plan.narrow then
    /* Rows whose sums rest. */
    FMA_GROUP_ROWS = 640,
//@ end
#endif
    /* A block of B is 504 or 224 KiB$(plan.narrow and ", or" or ".")$(plan.narrow and " up to 768 or 256 where it is as deep as k or has sums beside it." or "") */
    FMA_BLOCK_N = VL == 16 ? 288 : 128,
//@ if plan.narrow then
    FMA_BLOCK_FLOATS = VL == 16 ? 3 << 16 : 1 << 16,
//@ else
    FMA_BLOCK_FLOATS = FMA_BLOCK_K * FMA_BLOCK_N,
//@ end
    /* The largest block that tuning may choose, in blocks. */
    FMA_LARGEST = 2,
    /* Rows of B are asked for as many rows before they are packed; where they are turned, as many elements before. */
    PACK_AHEAD = 8,
    TURN_AHEAD = 64,
};

_Static_assert(FMA_BLOCK_K % VL == 0 && FMA_BLOCK_N / 2 % FMA_COLS == 0,
               "blocks, and halves of them, are whole vectors and panels");

static const double OPERAND_ROUNDING = 0, PRODUCT_TRUNCATION = 0; /* operands are multiplied as they are */

/* ---- the register tile ---- */

//@ local sums, add_parameter, add = "sums [rows][FMA_COLS] =", "", ""
//@ if plan.narrow then
//@   sums, add_parameter, add = "sums [rows][FMA_COLS] = (or, with `add`, +=)", ", bool add", ", add"
//@ end
/* sum [rows][vectors] += a [rows][steps] (row stride FMA_BLOCK_K) times b [steps][vectors * VL]. Every third row takes A's elements
 * straight from memory, which spares instructions; more of them would have the processor wait for loads. */
$(wrap("ALWAYS_INLINE void multiply_steps(vec sum[FMA_ROWS][FMA_VECTORS], const float *a, const float *b, int steps, int rows, int vectors)"))
{
#pragma GCC unroll 1
    for (int k = 0; k < steps; k++) {
        vec right[FMA_VECTORS];
#pragma GCC unroll 3
        for (int v = 0; v < vectors; v++)
            right[v] = vec_load(b + (k * vectors + v) * VL);
#pragma GCC unroll 9
        for (int i = 0; i < rows; i++) {
            const float *element = a + i * FMA_BLOCK_K + k;
            const vec left = vec_splat(*element);
#pragma GCC unroll 3
            for (int v = 0; v < vectors; v++)
                sum[i][v] = i % 3 ? vec_fma(left, right[v], sum[i][v]) : vec_fma_element(element, right[v], sum[i][v]);
        }
    }
}

/* $(sums) a [rows][kc] (row stride FMA_BLOCK_K) times b [kc][vectors * VL]. Meanwhile what lies at ahead[0] and
 * ahead[1], kc floats each, is fetched into the second-level cache. B's panel is read in order, which processors see by themselves:
 * asking for it would cost more instructions than it saves waiting, and where cores are shared instructions are what is short. */
$(wrap("ALWAYS_INLINE void tile_rows(float *sums, const float *a, const float *b, int kc, const float *const ahead[2]" .. add_parameter .. ", int rows, int vectors)"))
{
    vec sum[FMA_ROWS][FMA_VECTORS];
#pragma GCC unroll 9
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 3
        for (int v = 0; v < vectors; v++)
//@ if plan.narrow then
            sum[i][v] = add ? vec_load(sums + i * FMA_COLS + v * VL) : (vec){0};
//@ else
            sum[i][v] = (vec){0};
//@ end
    int k = 0;
#pragma GCC unroll 1
    for (; k + VL <= kc; k += VL) {
        __builtin_prefetch(ahead[0] + k, 0, 2);
        __builtin_prefetch(ahead[1] + k, 0, 2);
        multiply_steps(sum, a + k, b + k * vectors * VL, VL, rows, vectors);
    }
#pragma GCC unroll 1
    for (; k < kc; k++)
        multiply_steps(sum, a + k, b + k * vectors * VL, 1, rows, vectors);
#pragma GCC unroll 9
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 3
        for (int v = 0; v < vectors; v++)
            vec_store(sums + i * FMA_COLS + v * VL, sum[i][v]);
}

//@ for vectors = 1, 3 do
//@   if vectors == 3 then
#if FMA_VECTORS == 3
//@   end
/* tile_rows for every number of rows that there is room for, and panels $(vectors) vectors wide. */
$(wrap("NOINLINE void tile_" .. vectors .. "(float *sums, const float *a, const float *b, int kc, const float *const ahead[2]" .. add_parameter .. ", int rows)"))
{
    switch (rows) {
//@   for rows = 1, 9 do
//@     if rows == 7 and vectors < 3 then
#if FMA_ROWS == 9
//@     end
    case $(rows):
        tile_rows(sums, a, b, kc, ahead$(add), $(rows), $(vectors));
        break;
//@   end
//@   if vectors < 3 then
#endif
//@   end
    }
}
//@   if vectors == 3 then
#endif
//@   end

//@ end
$(wrap("ALWAYS_INLINE void tile(float *sums, const float *a, const float *b, int kc, const float *const ahead[2]" .. add_parameter .. ", int rows, int columns)"))
{
#if FMA_VECTORS == 3
    if (columns > 2 * VL) {
        tile_3(sums, a, b, kc, ahead$(add), rows);
        return;
    }
#endif
    (columns > VL ? tile_2 : tile_1)(sums, a, b, kc, ahead$(add), rows);
}

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
                operand_prefetch(from, row + i + l, column + j + TURN_AHEAD);
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

/* Columns that the panel with column n of a block takes, of `columns` that the block has: whole vectors. */
ALWAYS_INLINE int panel_width(int n, int columns)
{
    const int left = columns - n / FMA_COLS * FMA_COLS;
    return left < FMA_COLS ? (left + VL - 1) / VL * VL : FMA_COLS;
}

/* block = B [k0 .. k0 + kc)[n0 .. n0 + columns) in panels [kc][panel_width], with zeros in the columns beyond. */
ALWAYS_INLINE void pack_block(float *block, struct operand b, int k0, int kc, int n0, int columns)
{
    if (b.transposed && columns % VL) {
        const int last = columns / FMA_COLS * FMA_COLS;
        memset(block + (size_t)last * kc, 0, (size_t)kc * panel_width(last, columns) * sizeof *block);
    }
    for (int n = 0; b.transposed && n < columns; n += FMA_COLS) {
        const int there = columns - n < FMA_COLS ? columns - n : FMA_COLS;
        transpose(block + (size_t)n * kc, panel_width(n, columns), b, n0 + n, k0, there, kc);
    }
    for (int k = 0; !b.transposed && k < kc; k++)
        for (int n = 0; n < columns; n += VL) {
            const vec v = operand_load(b, k0 + k, n0 + n, columns - n < VL ? columns - n : VL);
            const int panel = n / FMA_COLS * FMA_COLS;
            vec_store(block + (size_t)panel * kc + (size_t)k * panel_width(n, columns) + (n - panel), v);
            operand_prefetch(b, k0 + k + PACK_AHEAD, n0 + n);
        }
}

/* to [rows][kc] (row stride FMA_BLOCK_K) = A [m0 .. m0 + rows)[k0 .. k0 + kc). */
ALWAYS_INLINE void copy_rows(float *to, struct operand a, int m0, int rows, int k0, int kc)
{
    if (a.transposed) {
        transpose(to, FMA_BLOCK_K, a, k0, m0, kc, rows);
        return;
    }
    for (int i = 0; i < rows; i++) {
        const int whole = kc / VL * VL;
        for (int k = 0; k < whole; k += VL)
            vec_store(to + i * FMA_BLOCK_K + k, operand_load(a, m0 + i, k0 + k, VL));
        for (int k = whole; k < kc; k++)
            to[i * FMA_BLOCK_K + k] = operand_element(a, m0 + i, k0 + k);
    }
}

/* ---- blocks ---- */

/* What tile (m, j) has fetched while it is computed: two of the rows of A that the next tile begins with. */
ALWAYS_INLINE void choose_ahead(const float *ahead[2], const float *rows_of_a, struct product p, int m, int m1,
                                int panel, int k)
{
    for (int l = 0; l < 2; l++) {
        int row = m + 2 * panel + l;
        ahead[l] = p.a.transposed || row >= m1 ? rows_of_a : operand_address(p.a, row, k);
    }
}

//@ if plan.narrow then
/* A packed block of B: columns [n, n + columns), and [from, to) of the `kc` k that are summed together, which begin at k. */
struct fma_block {
    float *panels;
    int n, columns, k, kc, from, to;
};

/* Rows [m, m + rows) times a block of B, strip by strip, past panel after panel; sums [panels][FMA_ROWS * FMA_COLS] of earlier blocks are
 * added to, and finished with the last one. */
ALWAYS_INLINE void fma_multiply_rows(struct product p, struct fma_block b, float *sums, int m, int m1, int rows)
{
    _Alignas(64) float rows_of_a[FMA_ROW_SPACE * FMA_BLOCK_K];
    const int depth = b.to - b.from, most = even_block(depth, FMA_BLOCK_K, FMA_K);
    for (int at = 0; at < depth; at += most) {
        const int k = b.k + b.from + at, strip = depth - at < most ? depth - at : most;
        copy_rows(rows_of_a, p.a, m, rows, k, strip);
        for (int j = 0; j < b.columns; j += FMA_COLS) {
            float *sum = sums + j / FMA_COLS * (FMA_ROWS * FMA_COLS);
            const float *panel = b.panels + (size_t)j * depth + (size_t)at * panel_width(j, b.columns);
            const float *ahead[2];
            const int width = b.columns - j < FMA_COLS ? b.columns - j : FMA_COLS;
            choose_ahead(ahead, rows_of_a, p, m + rows, m1, j / FMA_COLS, k);
            tile(sum, rows_of_a, panel, strip, ahead, k > b.k, rows, width);
            if (b.from + at + strip == b.kc)
                finish_tile(p, sum, FMA_COLS, m, rows, b.n + j, width, b.k == 0);
        }
    }
}

/* How one thread's part of C is gone through. */
struct fma_plan {
    int columns, rows; /* of C at a time: a block's, a group's */
    int depth;         /* of a block */
    bool resting;      /* are blocks less deep than k, so that sums of all rows of a group rest? */
};

ALWAYS_INLINE struct fma_plan fma_plan(struct product p, int rows)
{
    const int floats = FMA_BLOCK_FLOATS / 2 * p.cut.block, most = FMA_BLOCK_N / 2 * p.cut.block;
    const int strip = even_block(p.block_k, FMA_BLOCK_K, FMA_K), group = even_block(rows, FMA_GROUP_ROWS, FMA_ROWS);
    const bool resting = strip + group < p.block_k;
    const int fitting = floats / (resting ? strip + group : p.block_k) / FMA_COLS * FMA_COLS;
    const int columns = fitting < most ? fitting : most;
    return (struct fma_plan){.columns = columns < FMA_COLS ? FMA_COLS : columns,
                             .rows = resting ? group : rows,
                             .depth = resting ? strip : p.block_k,
                             .resting = resting};
}

/* Rows [m0, m1) of a part of C times the columns of b, block after block of k. */
ALWAYS_INLINE void fma_group(struct product p, struct fma_plan plan, struct fma_block b, float *sums, int m0, int m1)
{
    const int tiles = (m1 - m0 + FMA_ROWS - 1) / FMA_ROWS;
    const int sums_a_tile = (b.columns + FMA_COLS - 1) / FMA_COLS * (FMA_ROWS * FMA_COLS);
    for (b.from = 0; b.from < b.kc; b.from = b.to) {
        b.to = b.kc - b.from < plan.depth ? b.kc : b.from + plan.depth;
        pack_block(b.panels, p.b, b.k + b.from, b.to - b.from, b.n, b.columns);
        for (int i = 0; i < tiles; i++) {
            const int m = m0 + (int)((int64_t)(m1 - m0) * i / tiles);
            const int rows = m0 + (int)((int64_t)(m1 - m0) * (i + 1) / tiles) - m;
            fma_multiply_rows(p, b, sums + (size_t)(plan.resting ? i : 0) * sums_a_tile, m, m1, rows);
        }
    }
}

ALWAYS_INLINE void fma_part(struct product p, struct part c)
{
    /* A block and, behind it, a group's sums where they rest; those of one tile's rows. */
    _Alignas(64) float block[FMA_LARGEST * FMA_BLOCK_FLOATS], sums[FMA_LARGEST * FMA_BLOCK_N * FMA_ROWS];
    if (c.m0 == c.m1)
        return;
    const struct fma_plan plan = fma_plan(p, c.m1 - c.m0);
    for (int n = c.n0; n < c.n1; n += plan.columns)
        for (int m = c.m0; m < c.m1; m += plan.rows)
            for (int k = 0; k < p.K; k += p.block_k) {
                const struct fma_block b = {.panels = block,
                                            .n = n,
                                            .columns = c.n1 - n < plan.columns ? c.n1 - n : plan.columns,
                                            .k = k,
                                            .kc = p.K - k < p.block_k ? p.K - k : p.block_k};
                fma_group(p, plan, b, plan.resting ? block + (size_t)plan.depth * plan.columns : sums, m,
                          c.m1 - m < plan.rows ? c.m1 : m + plan.rows);
            }
}
//@ else
/* Rows [m, m + rows) times the block of B at (k, n), past panel after panel. */
ALWAYS_INLINE void fma_multiply_rows(struct product p, const float *block, int m, int m1, int rows, int n, int columns,
                                     int k, int kc)
{
    _Alignas(64) float rows_of_a[FMA_ROW_SPACE * FMA_BLOCK_K];
    _Alignas(64) float sums[FMA_ROWS * FMA_COLS];
    copy_rows(rows_of_a, p.a, m, rows, k, kc);
    for (int j = 0; j < columns; j += FMA_COLS) {
        const float *ahead[2];
        const int width = columns - j < FMA_COLS ? columns - j : FMA_COLS;
        choose_ahead(ahead, rows_of_a, p, m + rows, m1, j / FMA_COLS, k);
        tile(sums, rows_of_a, block + (size_t)j * kc, kc, ahead, rows, width);
        finish_tile(p, sums, FMA_COLS, m, rows, n + j, width, k == 0);
    }
}

ALWAYS_INLINE void fma_part(struct product p, struct part c)
{
    _Alignas(64) float block[FMA_LARGEST * FMA_BLOCK_FLOATS];
    const int tiles = (c.m1 - c.m0 + FMA_ROWS - 1) / FMA_ROWS;
    const int block_n = FMA_BLOCK_N / 2 * p.cut.block;
    for (int n = c.n0; n < c.n1; n += block_n)
        for (int k = 0; k < p.K; k += p.block_k) {
            int columns = c.n1 - n < block_n ? c.n1 - n : block_n, kc = p.K - k < p.block_k ? p.K - k : p.block_k;
            pack_block(block, p.b, k, kc, n, columns);
            for (int i = 0; i < tiles; i++) {
                int m = c.m0 + (int)((int64_t)(c.m1 - c.m0) * i / tiles);
                int rows = c.m0 + (int)((int64_t)(c.m1 - c.m0) * (i + 1) / tiles) - m;
                fma_multiply_rows(p, block, m, c.m1, rows, n, columns, k, kc);
            }
        }
}
//@ end

ALWAYS_INLINE void fma_matmul(struct product p)
{
    const int threads = omp_get_num_threads();
    p.block_k = p.a.transposed ? FMA_BLOCK_K : even_block(p.K, $(plan.narrow and "p.c.stored ? p.K : FMA_BLOCK_K" or "FMA_BLOCK_K"), FMA_K);
#pragma omp for schedule(static)
    for (int part = 0; part < threads; part++)
        fma_part(p, part_of(p.M, p.N, FMA_ROWS, FMA_COLS, part, threads));
}

#endif
