//@ if plan.amx then
//@ local planes = { bf16 = 1, f16 = 2, f32 = 3 }
//@ local left = planes[plan.compute_dtype]
//@ local right = plan.compute_dtype == "f32" and 1 or left -- weights are bfloat16 there
/* How operands lie in tiles for tile_amx.h, and their way there: elements of A and B, rounded or split into PLANES and B_PLANES bfloat16,
 * two neighbours in k a word.
 */
#ifndef LORAC_TILE_FETCH_H
#define LORAC_TILE_FETCH_H

#include "product.h"
#include "tile_unit.h"

enum {
    /* Of A and C; as many columns of B and C: 2 x 2 tiles. */
    AMX_ROWS = 32,
    AMX_COLS = 32,
    AMX_K = 32,
    /* Bfloat16 an element of A and of B. */
    PLANES = $(left),
    B_PLANES = $(right),
    /* A tile of k of both tiles of A, plane after plane; and of B. */
    STEP_WORDS = PLANES * 2 * TILE_WORDS,
    B_STEP_WORDS = B_PLANES * 2 * TILE_WORDS,
    /* An operand is asked for as many elements of k before it is brought into tiles; B's rows as many rows before. */
    FETCH_AHEAD = 2 * AMX_K,
    FETCH_ROWS_AHEAD = AMX_K / 2,
};

/* The lowest `count` bits; none where count is 0 or less, all from 32 on. */
ALWAYS_INLINE uint32_t first_bits(int count)
{
    return count <= 0 ? 0 : count >= 32 ? ~0u : (1u << count) - 1;
}

/* 32 floats as words of two neighbours, plane after plane. */
ALWAYS_INLINE void split(vec to[PLANES], vec first, vec second)
{
//@ if left == 1 then
    to[0] = (vec)vec_narrow(first, second);
//@ else
#pragma GCC unroll 3
    for (int plane = 0; plane < PLANES; plane++) {
        to[plane] = (vec)vec_narrow(first, second);
        first -= to_bfloat16(first);
        second -= to_bfloat16(second);
    }
//@ end
}

/* The first `count` of 16 elements at `at`, zeros beyond. */
ALWAYS_INLINE vec load_part(struct operand o, size_t at, int count)
{
    const __mmask16 there = (__mmask16)first_bits(count);
//@ if plan.weight_dtype == "f16" then
    if (o.stored)
        return (vec)_mm512_cvtph_ps(_mm256_maskz_loadu_epi16(there, (const weight_t *)o.data + at));
//@ end
    return (vec)_mm512_maskz_loadu_ps(there, (const float *)o.data + at);
}

/* Bfloat16 that an element of `o` is made of. */
ALWAYS_INLINE int planes_of(struct operand o)
{
    return o.stored ? B_PLANES : PLANES;
}

/* Elements (row, column ...) of `o`, `count` of 32, as 16 words of neighbours; zeros beyond. */
ALWAYS_INLINE void pairs_along(vec to[PLANES], struct operand o, int row, int column, int count)
{
    const size_t at = (size_t)row * o.stride + column;
//@ if plan.weight_dtype == "bf16" then
    if (o.stored) {
        to[0] = (vec)_mm512_maskz_loadu_epi16(first_bits(count), (const weight_t *)o.data + at);
        return;
    }
//@ end
    split(to, load_part(o, at, count), load_part(o, at + 16, count - 16));
}

/* Of columns `column` to column + 31 of rows `row` and row + 1, words (row, c), (row + 1, c): those of the first 16 columns to
 * to[0], of the others to to[1]. Zeros beyond `rows` (2) and `columns` (32). */
ALWAYS_INLINE void pairs_across(vec to[2][PLANES], struct operand o, int row, int column, int rows, int columns)
{
    vec even[PLANES], odd[PLANES]; /* 32 elements of a row each */
    pairs_along(even, o, row, column, rows > 0 ? columns : 0);
    pairs_along(odd, o, row + 1, column, rows > 1 ? columns : 0);
    /* Word l of the first result is elements l of even and of odd, which _mm512_permutex2var counts from 32. */
    const ivec order = (ivec){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15} * 0x10001u + 0x200000u;
    for (int plane = 0; plane < planes_of(o); plane++) {
        const __m512i a = (__m512i)even[plane], b = (__m512i)odd[plane];
        to[0][plane] = (vec)_mm512_permutex2var_epi16(a, (__m512i)order, b);
        to[1][plane] = (vec)_mm512_permutex2var_epi16(a, (__m512i)(order + 0x100010u), b);
    }
}

/* A line of a pair of tiles of each plane. */
ALWAYS_INLINE void store_line(uint32_t *to, int line, const vec words[PLANES], int planes)
{
    for (int plane = 0; plane < planes; plane++)
        memcpy(to + plane * 2 * TILE_WORDS + line * 16, &words[plane], sizeof(vec));
}

ALWAYS_INLINE void turn_tile(uint32_t *tile)
{
    vec lines[16];
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++)
        memcpy(&lines[i], tile + i * 16, sizeof(vec));
    vec_transpose(lines);
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++)
        memcpy(tile + i * 16, &lines[i], sizeof(vec));
}

/* A line (pair `i` of 16) of two tiles side by side, to [planes][2][TILE_WORDS], where memory has k across rows: columns `line` to
 * line + 31 of rows k and k + 1, zeros beyond `lines` and `depth`. */
ALWAYS_INLINE void fetch_across(uint32_t *to, int i, struct operand o, int line, int lines, int k, int depth)
{
    vec words[2][PLANES];
    pairs_across(words, o, k, line, depth, lines);
    store_line(to, i, words[0], planes_of(o));
    store_line(to, 16 + i, words[1], planes_of(o));
}

/* Asks for 32 elements of a row: of floats two lines. */
ALWAYS_INLINE void ask_for_row(struct operand o, size_t row, size_t column)
{
    operand_prefetch(o, row, column);
    if (!o.stored)
        operand_prefetch(o, row, column + 16);
}

/* Two tiles side by side, to [planes][2][TILE_WORDS]: 32 lines (rows of A or columns of B) from `line` on and 32 k from `k` on;
 * zeros beyond `lines` and `depth`. In memory k runs along rows or across them; where that is not how the tile has it, it is
 * turned. What lies `ahead` of it, counted in k, is asked for meanwhile. */
ALWAYS_INLINE void fetch_tiles(uint32_t *to, struct operand o, bool k_along, bool turn, int ahead, int line, int lines,
                               int k, int depth)
{
    const int planes = planes_of(o);
    for (int i = 0; k_along && i < 32; i++) {
        vec words[PLANES];
        pairs_along(words, o, line + i, k, i < lines ? depth : 0);
        store_line(to, i, words, planes);
        if (ahead)
            ask_for_row(o, line + i, k + ahead);
    }
    for (int i = 0; !k_along && i < 16; i++) {
        fetch_across(to, i, o, line, lines, k + 2 * i, depth - 2 * i);
        if (ahead) {
            ask_for_row(o, k + ahead + 2 * i, line);
            ask_for_row(o, k + ahead + 2 * i + 1, line);
        }
    }
    for (int i = 0; turn && i < 2 * planes; i++)
        turn_tile(to + i * TILE_WORDS);
}

/* to [steps][PLANES][2][TILE_WORDS] = AMX_ROWS rows of A from m on, `rows` of them there. */
ALWAYS_INLINE void fetch_rows(uint32_t *to, struct operand a, int m, int rows, int k, int depth)
{
    for (; depth > 0; depth -= AMX_K, k += AMX_K, to += STEP_WORDS)
        fetch_tiles(to, a, !a.transposed, a.transposed, FETCH_AHEAD, m, rows, k, depth);
}

/* block [panels][steps][B_PLANES][2][TILE_WORDS] = B [k, k + depth)[n, n + columns), AMX_COLS columns a panel. */
ALWAYS_INLINE void fetch_block(uint32_t *block, struct operand b, int n, int columns, int k, int depth)
{
    const int steps = (depth + AMX_K - 1) / AMX_K;
    for (int j = 0; b.transposed && j < columns; j += AMX_COLS) {
        uint32_t *panel = block + (size_t)(j / AMX_COLS) * steps * B_STEP_WORDS;
        for (int step = 0; step < steps; step++)
            fetch_tiles(panel + step * B_STEP_WORDS, b, true, true, FETCH_AHEAD, n + j, columns - j, k + step * AMX_K,
                        depth - step * AMX_K);
    }
    /* Row by row, as they lie in memory. */
    for (int i = 0; !b.transposed && i < steps * AMX_K; i += 2)
        for (int j = 0; j < columns; j += AMX_COLS) {
            uint32_t *to = block + ((size_t)(j / AMX_COLS) * steps + i / AMX_K) * B_STEP_WORDS;
            fetch_across(to, i % AMX_K / 2, b, n + j, columns - j, k + i, depth - i);
            ask_for_row(b, k + i + FETCH_ROWS_AHEAD, n + j);
            ask_for_row(b, k + i + FETCH_ROWS_AHEAD + 1, n + j);
        }
}

#endif
//@ end
