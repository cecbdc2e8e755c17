//@ if plan.weight_dtype == "bf16" then
/* Matrix products on AMX: both operands rounded to bfloat16, sums in float.
 *
 * One multiplication takes a tile of A, 16 rows of 32 k, and a tile of B, 16 columns of 32 k, and adds to a tile of C. Tiles
 * are 1 KiB, 16 lines of 16 words; a word holds two neighbours in k. A line of A is a row; a line of B is a pair of k, a word in
 * it a column. Eight tile registers hold 2 x 2 tiles of C and two each of A and B, so that four multiplications follow four
 * loads.
 *
 * A block of B (BLOCK_K x BLOCK_N) is brought into tiles and stays in the second-level cache while all rows of A pass over it,
 * TILE_ROWS at a time, brought into tiles likewise. k is taken in strips short enough for the strip of A to stay in the
 * first-level cache; a tile of C rests in `sums` from strip to strip.
 */
#ifndef LORAC_TILE_AMX_H
#define LORAC_TILE_AMX_H

#include "product.h"

enum {
    TILE_ROWS = 32, /* of A and C, as many columns of B and C: 2 x 2 tiles */
    TILE_COLS = 32,
    TILE_K = 32,
    TILE_WORDS = 256,
    BLOCK_K = 1024,
    BLOCK_N = 512, /* a block of B is 1 MiB */
    STRIP = 16,    /* tiles of k: 32 KiB of A and as much of B's panel */
};

static const double OPERAND_ROUNDING = 0x1p-8; /* relative, of each operand */

/* ---- the unit ---- */

#if defined(__AMX_BF16__)
/* The compiler's own functions for tiles do not say that they touch memory, so stores before them may be lost. */
#    define TILE_LOAD(tile, from, stride)                                                                              \
        __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #tile ::"r"(from), "r"((size_t)(stride)) : "memory")
#    define TILE_STORE(to, stride, tile)                                                                               \
        __asm__ volatile("tilestored %%tmm" #tile ", (%0,%1,1)" ::"r"(to), "r"((size_t)(stride)) : "memory")
#    define TILE_ZERO(tile) __asm__ volatile("tilezero %%tmm" #tile ::)
#    define TILE_MULTIPLY_ADD(c, a, b) __asm__ volatile("tdpbf16ps %%tmm" #b ", %%tmm" #a ", %%tmm" #c ::)

/* All eight registers are 16 lines of 64 bytes. To be called by every thread before it multiplies. */
ALWAYS_INLINE void tiles_open(void)
{
    static const struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t line_bytes[16];
        uint8_t lines[16];
    } config = {1, 0, {0}, {64, 64, 64, 64, 64, 64, 64, 64}, {16, 16, 16, 16, 16, 16, 16, 16}};
    __asm__ volatile("ldtilecfg %0" ::"m"(config));
}

ALWAYS_INLINE void tiles_close(void)
{
    __asm__ volatile("tilerelease" ::);
}

/* sums [TILE_ROWS][TILE_COLS] = (or, with `add`, +=) a times b, of `steps` tiles of k: a and b [steps][2][TILE_WORDS]. */
ALWAYS_INLINE void multiply_tiles(float *sums, const uint32_t *a, const uint32_t *b, int steps, bool add)
{
    enum { LINE = TILE_COLS * sizeof(float) };
    float *lower = sums + 16 * TILE_COLS;
    if (add) {
        TILE_LOAD(0, sums, LINE);
        TILE_LOAD(1, sums + 16, LINE);
        TILE_LOAD(2, lower, LINE);
        TILE_LOAD(3, lower + 16, LINE);
    } else {
        TILE_ZERO(0);
        TILE_ZERO(1);
        TILE_ZERO(2);
        TILE_ZERO(3);
    }
    for (const uint32_t *end = a + (size_t)steps * 2 * TILE_WORDS; a < end; a += 2 * TILE_WORDS, b += 2 * TILE_WORDS) {
        TILE_LOAD(6, b, 64);
        TILE_LOAD(4, a, 64);
        TILE_MULTIPLY_ADD(0, 4, 6);
        TILE_LOAD(7, b + TILE_WORDS, 64);
        TILE_MULTIPLY_ADD(1, 4, 7);
        TILE_LOAD(5, a + TILE_WORDS, 64);
        TILE_MULTIPLY_ADD(2, 5, 6);
        TILE_MULTIPLY_ADD(3, 5, 7);
    }
    TILE_STORE(sums, LINE, 0);
    TILE_STORE(sums + 16, LINE, 1);
    TILE_STORE(lower, LINE, 2);
    TILE_STORE(lower + 16, LINE, 3);
}

/* 32 floats as bfloat16, to nearest. */
ALWAYS_INLINE ivec narrow(vec first, vec second)
{
    return (ivec)_mm512_cvtne2ps_pbh((__m512)second, (__m512)first);
}
#else /* AMX_EMULATED: the same in plain C, so that this file can be checked on machines without AMX */
ALWAYS_INLINE void tiles_open(void) {}

ALWAYS_INLINE void tiles_close(void) {}

ALWAYS_INLINE float upper_half(uint32_t pair)
{
    float value;
    pair &= 0xffff0000u;
    memcpy(&value, &pair, sizeof value);
    return value;
}

ALWAYS_INLINE void multiply_tiles(float *sums, const uint32_t *a, const uint32_t *b, int steps, bool add)
{
    if (!add)
        memset(sums, 0, sizeof *sums * TILE_ROWS * TILE_COLS);
    for (int step = 0; step < steps; step++, a += 2 * TILE_WORDS, b += 2 * TILE_WORDS)
        for (int i = 0; i < TILE_ROWS; i++)
            for (int k = 0; k < 16; k++) {
                const uint32_t left = a[i * 16 + k];
                for (int j = 0; j < TILE_COLS; j++) {
                    const uint32_t right = b[j / 16 * TILE_WORDS + k * 16 + j % 16];
                    float *sum = &sums[i * TILE_COLS + j];
                    *sum += upper_half(left << 16) * upper_half(right << 16);
                    *sum += upper_half(left) * upper_half(right);
                }
            }
}

ALWAYS_INLINE uint16_t to_nearest(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (uint16_t)((x == x ? bits + 0x7fff + (bits >> 16 & 1) : bits | 0x400000) >> 16);
}

ALWAYS_INLINE ivec narrow(vec first, vec second)
{
    uint16_t halves[32];
    for (int i = 0; i < 16; i++) {
        halves[i] = to_nearest(first[i]);
        halves[16 + i] = to_nearest(second[i]);
    }
    ivec result;
    memcpy(&result, halves, sizeof result);
    return result;
}
#endif

/* ---- bringing operands into tiles ---- */

/* The lowest `count` bits; none where count is 0 or less, all from 32 on. */
ALWAYS_INLINE uint32_t first_bits(int count)
{
    return count <= 0 ? 0 : count >= 32 ? ~0u : (1u << count) - 1;
}

/* Elements (row, column ...) of `o`, `count` of 32, as 16 pairs of neighbours; zeros beyond. */
ALWAYS_INLINE vec pairs_along(struct operand o, int row, int column, int count)
{
    const size_t at = (size_t)row * o.stride + column;
    if (o.weights)
        return (vec)_mm512_maskz_loadu_epi16(first_bits(count), (const weight_t *)o.data + at);
    const float *from = (const float *)o.data + at;
    const vec first = (vec)_mm512_maskz_loadu_ps((__mmask16)first_bits(count), from);
    return (vec)narrow(first, (vec)_mm512_maskz_loadu_ps((__mmask16)first_bits(count - 16), from + 16));
}

/* Pairs (row, column + l), (row + 1, column + l) of `o`, of `count` columns (16 at most) and of `rows` rows (2 at most); zeros
 * beyond. */
ALWAYS_INLINE vec pairs_across(struct operand o, int row, int column, int rows, int count)
{
    const size_t at = (size_t)row * o.stride + column;
    const uint32_t upper = rows > 0 ? first_bits(count) : 0, lower = rows > 1 ? first_bits(count) : 0;
    if (o.weights) {
        const weight_t *from = (const weight_t *)o.data + at;
        const ivec even = (ivec)_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16((__mmask16)upper, from));
        const ivec odd = (ivec)_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16((__mmask16)lower, from + o.stride));
        return (vec)(even | odd << 16);
    }
    const float *from = (const float *)o.data + at;
    const vec even = (vec)_mm512_maskz_loadu_ps((__mmask16)upper, from);
    const vec odd = (vec)_mm512_maskz_loadu_ps((__mmask16)lower, from + o.stride);
    const ivec order = (ivec){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15} * 0x10001u + 0x100000u;
    return (vec)_mm512_permutexvar_epi16((__m512i)order, (__m512i)narrow(even, odd));
}

/* A tile of 16 lines (rows of A or columns of B) from `line` on and 32 k from `k` on; zeros beyond `lines` and `depth`. In
 * memory k runs along rows or across them; where that is not how the tile has it, the tile is turned. */
ALWAYS_INLINE void fetch_tile(uint32_t *to, struct operand o, bool k_along, bool turn, int line, int lines, int k,
                              int depth)
{
    vec rows[16];
    for (int i = 0; i < TILE_K; i++)
        if (!k_along)
            operand_prefetch(o, k + TILE_K + i, line);
        else if (i < 16)
            operand_prefetch(o, line + 16 + i, k);
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++)
        rows[i] = k_along ? pairs_along(o, line + i, k, i < lines ? depth : 0)
                          : pairs_across(o, k + 2 * i, line, depth - 2 * i, lines < 16 ? lines : 16);
    if (turn)
        vec_transpose(rows);
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++)
        memcpy(to + i * 16, &rows[i], sizeof rows[i]);
}

/* to [steps][2][TILE_WORDS] = TILE_ROWS rows of A from m on, `rows` of them there. */
ALWAYS_INLINE void fetch_rows(uint32_t *to, struct operand a, int m, int rows, int k, int depth)
{
    for (; depth > 0; depth -= TILE_K, k += TILE_K)
        for (int half = 0; half < TILE_ROWS; half += 16, to += TILE_WORDS)
            fetch_tile(to, a, !a.transposed, a.transposed, m + half, rows - half, k, depth);
}

/* to [steps][2][TILE_WORDS] = TILE_COLS columns of B from n on, `columns` of them there. */
ALWAYS_INLINE void fetch_panel(uint32_t *to, struct operand b, int n, int columns, int k, int depth)
{
    for (; depth > 0; depth -= TILE_K, k += TILE_K)
        for (int half = 0; half < TILE_COLS; half += 16, to += TILE_WORDS)
            fetch_tile(to, b, b.transposed, b.transposed, n + half, columns - half, k, depth);
}

/* ---- blocks ---- */

ALWAYS_INLINE int smaller(int a, int b)
{
    return a < b ? a : b;
}

/* Rows [m, m + rows) times the block of B at (k, n): tiles of k, strip by strip, past panel after panel. */
ALWAYS_INLINE void multiply_rows(struct product p, const uint32_t *rows_of_a, const uint32_t *block, float *sums, int m,
                                 int rows, int n, int columns, int k, int steps)
{
    const int strips = (steps + STRIP - 1) / STRIP, strip = (steps + strips - 1) / strips;
    for (int step = 0; step < steps; step += strip)
        for (int j = 0; j < columns; j += TILE_COLS) {
            float *c = sums + j * TILE_ROWS;
            const uint32_t *panel = block + (size_t)(j / TILE_COLS * steps + step) * 2 * TILE_WORDS;
            multiply_tiles(c, rows_of_a + step * 2 * TILE_WORDS, panel, smaller(strip, steps - step), step > 0);
            if (step + strip >= steps)
                finish_tile(p, c, TILE_COLS, m, rows, n + j, smaller(TILE_COLS, columns - j), k == 0);
        }
}

/* One thread's part: rows [m0, m1) and columns [n0, n1) of C. */
ALWAYS_INLINE void matmul_part(struct product p, int m0, int m1, int n0, int n1)
{
    _Alignas(64) uint32_t block[BLOCK_N * BLOCK_K / 2];
    _Alignas(64) uint32_t tile[TILE_ROWS * BLOCK_K / 2];
    _Alignas(64) float sums[BLOCK_N * TILE_ROWS];
    tiles_open();
    for (int n = n0; n < n1; n += BLOCK_N)
        for (int k = 0; k < p.K; k += p.block_k) {
            const int columns = smaller(BLOCK_N, n1 - n), depth = smaller(p.block_k, p.K - k);
            const int steps = (depth + TILE_K - 1) / TILE_K;
            for (int j = 0; j < columns; j += TILE_COLS)
                fetch_panel(block + (size_t)j * steps * TILE_K / 2, p.b, n + j, columns - j, k, depth);
            for (int m = m0; m < m1; m += TILE_ROWS) {
                const int rows = smaller(TILE_ROWS, m1 - m);
                fetch_rows(tile, p.a, m, rows, k, depth);
                multiply_rows(p, tile, block, sums, m, rows, n, columns, k, steps);
            }
        }
    tiles_close();
}

#endif
//@ end
