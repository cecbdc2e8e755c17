//@ if plan.amx then
//@ local exact = plan.compute_dtype == "f32" -- weights are bfloat16, and floats take all their bits along
//@ if plan.narrow then
/* Matrix products on AMX: both operands rounded to bfloat16, sums in float.
 *
//@ elseif exact then
/* Matrix products with frozen weights on AMX, which multiplies bfloat16 and sums in float: W is bfloat16, and a float of A is the sum of
 * three, each being what those before it left, rounded. So every product is made of exact ones, three of them, and what is rounded are
 * sums, as they are on vectors of floats (Henry, Tang and Heinecke 2019). Products of floats with floats are left to those.
 *
//@ else
/* Matrix products on AMX, which multiplies bfloat16 and sums in float: each operand is split into two bfloat16, the upper being the
 * operand rounded and the lower what that left, rounded. Three products of four are made, upper by upper, lower by upper and upper by
 * lower, so that what is lost is 2^-16 of a product or less (Henry, Tang and Heinecke 2019).
 *
//@ end
 * One multiplication takes a tile of A, 16 rows of 32 k, and a tile of B, 16 columns of 32 k, and adds to a tile of C. Tiles
 * are 1 KiB, 16 lines of 16 words; a word holds two neighbours in k. A line of A is a row; a line of B is a pair of k, a word in
 * it a column. Eight tile registers hold 2 x 2 tiles of C and two each of A and B, so that four multiplications follow four
 * loads.
 *
 * k is taken in blocks, one where it can be. A, or as many rows of it as there is room for, is brought into tiles once for a block of k,
 * by all threads together. Then each thread brings a block of B into tiles, as many columns as AMX_BLOCK_WORDS hold, which stays in the
 * second-level cache while those rows of A pass over it, AMX_ROWS at a time. The block of k is cut into strips, short enough for the
 * strip of A to stay in the first-level cache, past which B's panels come; a tile of C rests in `sums` from strip to strip.
 * Tiles are multiplied beside what the processor does with vectors, so finished sums are rounded and put into C a few rows at a time,
 * between the multiplications of the panel that follows.
 */
#ifndef LORAC_TILE_AMX_H
#define LORAC_TILE_AMX_H

#include "tile_fetch.h"

#include <omp.h>

enum {
    AMX_BLOCK_K = 1024,
//@ if plan.narrow then
    /* Where the result is bfloat16, which is to be rounded once. */
    AMX_WHOLE_K = 4096,
//@ end
    /* 8 MiB of A. What has more is multiplied in several groups of rows. */
    AMX_TILES_WORDS = $(plan.memory.tiles // 4),
    /* 1.25 MiB of B: the caches' second level and threads' stacks have 2 MiB. Sums are 128 KiB at most. */
    AMX_BLOCK_WORDS = 5 << 16,
    AMX_BLOCK_COLS = 1024,
    /* Tiles of k: $(exact and "24 KiB of A and 8" or "20 KiB of A and as much") of B, so that A stays in a first-level cache of 48 KiB while panels pass. */
    STRIP = $(exact and "12" or "10") / PLANES,
    /* Where B's tiles are asked for, it is as many tiles of k before they are multiplied. */
    AHEAD = 2,
};
//@ if not plan.narrow and not exact then

static const double OPERAND_ROUNDING = 0x1p-16;   /* relative, of each operand */
static const double PRODUCT_TRUNCATION = 0x1p-16; /* relative, of each product */
//@ elseif plan.narrow then

static const double OPERAND_ROUNDING = 0x1p-8; /* relative, of each operand */
static const double PRODUCT_TRUNCATION = 0;    /* a product is summed as it is */
//@ end

/* ---- sums on their way into C ---- */

/* Sums [AMX_ROWS][AMX_COLS] that are complete as far as this block of k goes. Rows [row, rows) of them are not in C yet. */
struct unfinished {
    const struct product *product;
    const float *sums;
    int m, n, columns, row, rows;
    bool first; /* block of k */
};

/* As many rows of the sums as `count`, or what is left of them. */
NOINLINE void finish_rows(struct unfinished *u, int count)
{
    const int left = u->rows - u->row, rows = left < count ? left : count;
    finish_tile(*u->product, u->sums + u->row * AMX_COLS, AMX_COLS, u->m + u->row, rows, u->n, u->columns, u->first);
    u->row += rows;
}

/* The same where there may be none left, or nothing at all to be finished (NULL). */
ALWAYS_INLINE void finish_some(struct unfinished *u, int count)
{
    if (u && u->row < u->rows)
        finish_rows(u, count);
}

/* ---- multiplying ---- */

/* Asks for a tile of B, where that is its way. */
ALWAYS_INLINE void ask_for_tile(const uint32_t *from, enum way_of_b way)
{
#pragma GCC unroll 16
    for (int i = 0; i < TILE_LINES && way == ASKED_FOR; i++)
        __builtin_prefetch(from + i * 16);
}

/* A tile of B to a register. */
#define LOAD_B(tile, from)                                                                                             \
    do {                                                                                                               \
        if (way == PASSING)                                                                                            \
            TILE_LOAD_PAST(tile, from, 64);                                                                            \
        else                                                                                                           \
            TILE_LOAD(tile, from, 64);                                                                                 \
    } while (0)

/* c [AMX_ROWS][AMX_COLS] (row stride `stride`) in registers 0 to 3, a in 4 and 5, b in 6 and 7. */
ALWAYS_INLINE void load_sums(const float *sums, int stride, bool zero)
{
    const size_t line = stride * sizeof(float);
    if (zero) {
        TILE_ZERO(0);
        TILE_ZERO(1);
        TILE_ZERO(2);
        TILE_ZERO(3);
    } else {
        TILE_LOAD(0, sums, line);
        TILE_LOAD(1, sums + 16, line);
        TILE_LOAD(2, sums + 16 * stride, line);
        TILE_LOAD(3, sums + 16 * stride + 16, line);
    }
}

ALWAYS_INLINE void store_sums(float *sums, int stride)
{
    const size_t line = stride * sizeof(float);
    TILE_STORE(sums, line, 0);
    TILE_STORE(sums + 16, line, 1);
    TILE_STORE(sums + 16 * stride, line, 2);
    TILE_STORE(sums + 16 * stride + 16, line, 3);
}

/* Registers 0 to 3 += a plane of a times one of b, each of two tiles. b is loaded where it is `new`. */
ALWAYS_INLINE void multiply_planes(const uint32_t *a, const uint32_t *b, bool new, enum way_of_b way)
{
    TILE_LOAD(4, a, 64);
    if (new) {
        LOAD_B(6, b);
        ask_for_tile(b + AHEAD * B_STEP_WORDS, way);
    }
    TILE_MULTIPLY_ADD(0, 4, 6);
    if (new) {
        LOAD_B(7, b + TILE_WORDS);
        ask_for_tile(b + AHEAD * B_STEP_WORDS + TILE_WORDS, way);
    }
    TILE_MULTIPLY_ADD(1, 4, 7);
    TILE_LOAD(5, a + TILE_WORDS, 64);
    TILE_MULTIPLY_ADD(2, 5, 6);
    TILE_MULTIPLY_ADD(3, 5, 7);
}

/* sums [AMX_ROWS][AMX_COLS] (row stride `stride`) = (or, with `add`, +=) a times b, of `steps` tiles of k: a [steps][PLANES][2]
 * [TILE_WORDS], b [steps][B_PLANES][2][TILE_WORDS]. Planes that are both lower than necessary are left out. Meanwhile what is
 * `unfinished` (or NULL) is finished; it may be what `sums` held. */
ALWAYS_INLINE void multiply_tiles(float *sums, int stride, const uint32_t *a, const uint32_t *b, int steps, bool add,
                                  enum way_of_b way, struct unfinished *unfinished)
{
    const int rows_a_step = (AMX_ROWS + steps - 1) / steps;
    load_sums(sums, stride, !add);
    for (const uint32_t *end = a + (size_t)steps * STEP_WORDS; a < end; a += STEP_WORDS, b += B_STEP_WORDS) {
#pragma GCC unroll 2
        for (int right = 0; right < B_PLANES; right++)
#pragma GCC unroll 3
            for (int left = 0; left + right < PLANES; left++)
                multiply_planes(a + left * 2 * TILE_WORDS, b + right * 2 * TILE_WORDS, left == 0, way);
        finish_some(unfinished, rows_a_step);
    }
    store_sums(sums, stride);
}

//@ if plan.narrow then
/* A step, whose tiles are loaded, and loads of those of the next one, `a` and `b`, each as soon as its register has been read for the last
 * time. B0 is the tile of b that is multiplied first. */
#define MULTIPLY_AND_LOAD(B0, B1, C00, C01, C10, C11)                                                                  \
    do {                                                                                                               \
        TILE_MULTIPLY_ADD(C00, 4, B0);                                                                                 \
        TILE_MULTIPLY_ADD(C01, 4, B1);                                                                                 \
        TILE_LOAD(4, a, 64);                                                                                           \
        TILE_MULTIPLY_ADD(C11, 5, B1);                                                                                 \
        TILE_LOAD_PAST(B1, b + (B1 - 6) * TILE_WORDS, 64);                                                             \
        TILE_MULTIPLY_ADD(C10, 5, B0);                                                                                 \
        TILE_LOAD_PAST(B0, b + (B0 - 6) * TILE_WORDS, 64);                                                             \
        TILE_LOAD(5, a + TILE_WORDS, 64);                                                                              \
    } while (0)

/* multiply_tiles with loads ahead of multiplications, for processors that do not take the one past the other by themselves. The tile of b
 * that is loaded first comes first in the next step. */
ALWAYS_INLINE void multiply_tiles_loaded_early(float *sums, int stride, const uint32_t *a, const uint32_t *b, int steps,
                                               bool add, struct unfinished *unfinished)
{
    const int rows_a_step = (AMX_ROWS + steps - 1) / steps;
    TILE_LOAD(4, a, 64);
    TILE_LOAD_PAST(6, b, 64);
    TILE_LOAD_PAST(7, b + TILE_WORDS, 64);
    TILE_LOAD(5, a + TILE_WORDS, 64);
    load_sums(sums, stride, !add);
    for (int step = 1; step < steps; step++) {
        a += STEP_WORDS, b += B_STEP_WORDS;
        if (step % 2)
            MULTIPLY_AND_LOAD(6, 7, 0, 1, 2, 3);
        else
            MULTIPLY_AND_LOAD(7, 6, 1, 0, 3, 2);
        finish_some(unfinished, rows_a_step);
    }
    TILE_MULTIPLY_ADD(0, 4, 6);
    TILE_MULTIPLY_ADD(1, 4, 7);
    TILE_MULTIPLY_ADD(2, 5, 6);
    TILE_MULTIPLY_ADD(3, 5, 7);
    finish_some(unfinished, AMX_ROWS);
    store_sums(sums, stride);
}

//@ end
/* multiply_tiles with B coming in any way; sums in one piece. */
ALWAYS_INLINE void multiply_tiles_any(enum way_of_b way, float *sums, const uint32_t *a, const uint32_t *b, int steps,
                                      bool add, struct unfinished *unfinished)
{
    switch (way) {
    case PASSING:
        multiply_tiles(sums, AMX_COLS, a, b, steps, add, PASSING, unfinished);
        break;
    case PLAIN:
        multiply_tiles(sums, AMX_COLS, a, b, steps, add, PLAIN, unfinished);
        break;
    case ASKED_FOR:
        multiply_tiles(sums, AMX_COLS, a, b, steps, add, ASKED_FOR, unfinished);
        break;
//@ if plan.narrow then
    case EARLY:
        multiply_tiles_loaded_early(sums, AMX_COLS, a, b, steps, add, unfinished);
        break;
//@ end
    }
}

/* ---- blocks ---- */

/* Rows of A in tiles, [rows / AMX_ROWS][steps][PLANES][2][TILE_WORDS]: of the one product that all threads are at. */
static _Alignas(64) uint32_t tiles_of_a[AMX_TILES_WORDS];

ALWAYS_INLINE int smaller(int a, int b)
{
    return a < b ? a : b;
}

/* Asks for a tile of C, that it be there when it is finished. */
ALWAYS_INLINE void ask_for_result(struct result c, int m, int rows, int n)
{
    for (int i = 0; i < rows; i++) {
        result_prefetch(c, m + i, n);
//@ if plan.narrow then
        if (!c.stored)
            result_prefetch(c, m + i, n + 16);
//@ else
        result_prefetch(c, m + i, n + 16);
//@ end
    }
}

/* Rows [m, m + rows), whose tiles are `a`, times the block of B at column n: tiles of k, strip by strip, past panel after panel. The
 * last panel's sums are left unfinished, as those before it were. */
ALWAYS_INLINE void amx_multiply_rows(struct product p, const uint32_t *a, const uint32_t *block, float *sums, int m,
                                     int rows, int n, int columns, int steps, struct unfinished *unfinished)
{
    const int most = STRIP * p.cut.strip / 2, strips = (steps + most - 1) / most, strip = (steps + strips - 1) / strips;
    for (int step = 0; step < steps; step += strip)
        for (int j = 0; j < columns; j += AMX_COLS) {
            const bool last = step + strip >= steps;
            float *c = sums + j * AMX_ROWS;
            const uint32_t *panel = block + (size_t)(j / AMX_COLS * steps + step) * B_STEP_WORDS;
            if (last)
                ask_for_result(p.c, m, rows, n + j);
            multiply_tiles_any(p.cut.b, c, a + step * STEP_WORDS, panel, smaller(strip, steps - step), step > 0,
                               unfinished);
            if (last) {
                unfinished->sums = c;
                unfinished->m = m;
                unfinished->n = n + j;
                unfinished->columns = smaller(AMX_COLS, columns - j);
                unfinished->row = 0;
                unfinished->rows = rows;
            }
        }
}

/* A part of a group's C, whose rows count from the group's first, `m`; of the sum the block of k. */
ALWAYS_INLINE void amx_part(struct product p, struct part c, int m, int k, int depth)
{
    _Alignas(64) uint32_t block[AMX_BLOCK_WORDS];
    _Alignas(64) float sums[AMX_BLOCK_COLS * AMX_ROWS];
    const int steps = (depth + AMX_K - 1) / AMX_K;
    const int width = smaller(AMX_BLOCK_WORDS / 2 * p.cut.block / (steps * B_STEP_WORDS) * AMX_COLS, AMX_BLOCK_COLS);
    struct unfinished unfinished = {.product = &p, .first = k == 0};
    tiles_open();
    for (int n = c.n0; n < c.n1; n += width) {
        const int columns = smaller(width, c.n1 - n);
        fetch_block(block, p.b, n, columns, k, depth);
        for (int i = c.m0; i < c.m1; i += AMX_ROWS)
            amx_multiply_rows(p, tiles_of_a + (size_t)(i / AMX_ROWS) * steps * STEP_WORDS, block, sums, m + i,
                              smaller(AMX_ROWS, c.m1 - i), n, columns, steps, &unfinished);
    }
    tiles_close();
    finish_some(&unfinished, AMX_ROWS);
}

/* The part of C [rows][N] with its rows' ends moved on to those of tiles. */
ALWAYS_INLINE struct part whole_tiles(struct part c, int rows)
{
    c.m0 = smaller((c.m0 + AMX_ROWS - 1) / AMX_ROWS * AMX_ROWS, rows);
    c.m1 = smaller((c.m1 + AMX_ROWS - 1) / AMX_ROWS * AMX_ROWS, rows);
    return c;
}

/* The group of `rows` rows from m on, and of the sum the block of k. */
ALWAYS_INLINE void amx_group(struct product p, int m, int rows, int k, int depth)
{
    const int threads = omp_get_num_threads(), steps = (depth + AMX_K - 1) / AMX_K;
#pragma omp for schedule(static)
    for (int i = 0; i < rows; i += AMX_ROWS)
        fetch_rows(tiles_of_a + (size_t)(i / AMX_ROWS) * steps * STEP_WORDS, p.a, m + i, smaller(AMX_ROWS, rows - i), k,
                   depth);
#pragma omp for schedule(static)
    for (int part = 0; part < threads; part++)
        amx_part(p, whole_tiles(part_of(rows, p.N, AMX_ROWS, AMX_COLS, part, threads), rows), m, k, depth);
}

/* Rows of a group, all groups being of one size or nearly so. In emulation they are so small that checks meet several. */
ALWAYS_INLINE int group_rows(int M, int steps)
{
    int most = AMX_TILES_WORDS / (steps * STEP_WORDS) * AMX_ROWS;
#if defined(AMX_EMULATED)
    most = smaller(most, 2 * AMX_ROWS);
#endif
    return even_block(M, most, AMX_ROWS);
}

ALWAYS_INLINE void amx_matmul(struct product p)
{
    const int most = $(plan.narrow and "p.c.stored ? AMX_WHOLE_K : AMX_BLOCK_K" or "AMX_BLOCK_K");
    p.block_k = p.a.transposed ? AMX_BLOCK_K : even_block(p.K, most, AMX_K);
    for (int k = 0; k < p.K; k += p.block_k) {
        const int depth = smaller(p.block_k, p.K - k), group = group_rows(p.M, (depth + AMX_K - 1) / AMX_K);
        for (int m = 0; m < p.M; m += group)
            amx_group(p, m, smaller(group, p.M - m), k, depth);
    }
}

#endif
//@ end
