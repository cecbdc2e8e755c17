//@ if plan.compute_dtype ~= "f32" then
/* Attention's products on AMX (attention_tile.h says what a body is): heads are packed into tiles, rounded as tile_amx.h rounds
 * operands, and so are weights before they are multiplied; scores, sums and all between them are float.
 *
 * A left factor is [rows / 32][HEAD_STEPS] steps of tiles (STEP_WORDS); of a right factor `turned` is [KEY_BLOCK / 32][HEAD_STEPS] and
 * `straight` [HEAD_LANES / 32][KEY_STEPS].
 */
#ifndef LORAC_ATTENTION_AMX_H
#define LORAC_ATTENTION_AMX_H

#include "attention_tile.h"
#include "tile_amx.h"

#include <math.h>

enum {
    HEAD_LANES = (HEAD_DIM + AMX_K - 1) / AMX_K * AMX_K,
    HEAD_STEPS = HEAD_LANES / AMX_K,
    HEAD_ELEMENTS = HEAD_STEPS * STEP_WORDS / AMX_ROWS,
    KEY_BLOCK = 128,
    KEY_STEPS = KEY_BLOCK / AMX_K,
    KEY_ELEMENTS = KEY_STEPS * STEP_WORDS / AMX_ROWS,
    ROW_TILE = AMX_ROWS,
    ROW_STEP = AMX_ROWS,
    ROW_BLOCK = 256,
    KEY_ROWS = 256
};

_Static_assert(AMX_ROWS == AMX_COLS && AMX_ROWS == AMX_K, "rows become columns and k");

typedef uint32_t packed_t;

struct attention_block {
    _Alignas(64) uint32_t straight[KEY_BLOCK * HEAD_ELEMENTS], turned[KEY_BLOCK * HEAD_ELEMENTS];
};

/* Scores are scaled, not q: its rounding stays the only one. */
ALWAYS_INLINE float attention_query_scale(void)
{
    return 1.0f;
}

ALWAYS_INLINE float attention_score_scale(void)
{
    return 1.0f / sqrtf((float)HEAD_DIM);
}

ALWAYS_INLINE int attention_width(int keys)
{
    return (keys + AMX_COLS - 1) / AMX_COLS * AMX_COLS;
}

ALWAYS_INLINE void attention_open(void)
{
    tiles_open();
}

ALWAYS_INLINE void attention_close(void)
{
    tiles_close();
}

/* A square of floats that lie in the cache (row stride `stride`) as a step of tiles: of a left factor's rows, or of a right factor's
 * columns where each lies along a row (`turn`) or across the rows (not `along`). */
ALWAYS_INLINE void attention_fetch(uint32_t *to, const float *from, int stride, bool along, bool turn)
{
    const struct operand square = {from, stride, false, false};
    fetch_tiles(to, square, along, turn, 0, 0, AMX_ROWS, 0, AMX_K);
}

/* ---- products ---- */

/* scores [rows][width] (row stride KEY_BLOCK) = left times a turned block's first `width` vectors. */
NOINLINE void attention_scores(float *scores, const uint32_t *left, const struct attention_block *right, int rows,
                               int width)
{
    for (int i = 0; i < rows; i += AMX_ROWS)
        for (int j = 0; j < width; j += AMX_COLS)
            multiply_tiles(scores + i * KEY_BLOCK + j, KEY_BLOCK, left + i * HEAD_ELEMENTS,
                           right->turned + j * HEAD_ELEMENTS, HEAD_STEPS, false, PLAIN, NULL);
}

/* sum [rows][HEAD_LANES] += weights [rows][depth] (row stride KEY_BLOCK, zeros behind them up to attention_width(depth)) times a
 * straight block's first `depth` vectors. */
NOINLINE void attention_weighted_sum(float *sum, const float *weights, const struct attention_block *right, int rows,
                                     int depth)
{
    _Alignas(64) uint32_t left[AMX_ROWS * KEY_ELEMENTS];
    const int steps = (depth + AMX_K - 1) / AMX_K;
    for (int i = 0; i < rows; i += AMX_ROWS) {
        for (int step = 0; step < steps; step++)
            attention_fetch(left + step * STEP_WORDS, weights + i * KEY_BLOCK + step * AMX_K, KEY_BLOCK, true, false);
        for (int j = 0; j < HEAD_LANES; j += AMX_COLS)
            multiply_tiles(sum + i * HEAD_LANES + j, HEAD_LANES, left, right->straight + j * KEY_ELEMENTS, steps, true,
                           PLAIN, NULL);
    }
}

/* ---- packing ---- */

/* Vectors [first, first + count) times scale, and zeros until there are `padded`. */
static void attention_pack_rows(uint32_t *to, struct attention_heads heads, int first, int count, int padded,
                                float scale)
{
    _Alignas(64) float rows[AMX_ROWS * HEAD_LANES];
    for (int r = 0; r < padded; r += AMX_ROWS, to += HEAD_STEPS * STEP_WORDS) {
        attention_gather(rows, HEAD_LANES, heads, first + r, smaller(AMX_ROWS, count - r), AMX_ROWS, scale);
        for (int step = 0; step < HEAD_STEPS; step++)
            attention_fetch(to + step * STEP_WORDS, rows + step * AMX_K, HEAD_LANES, true, false);
    }
}

/* Vectors [first, first + count) times scale, `count` at most KEY_BLOCK, and zeros until tiles are full. */
static void attention_pack_block(struct attention_block *block, struct attention_heads heads, int first, int count,
                                 float scale, int forms)
{
    _Alignas(64) float keys[AMX_COLS * HEAD_LANES];
    for (int j = 0; j < count; j += AMX_COLS) {
        uint32_t *turned = block->turned + j * HEAD_ELEMENTS, *straight = block->straight + j / AMX_K * STEP_WORDS;
        attention_gather(keys, HEAD_LANES, heads, first + j, smaller(AMX_COLS, count - j), AMX_COLS, scale);
        for (int step = 0; forms & TURNED && step < HEAD_STEPS; step++)
            attention_fetch(turned + step * STEP_WORDS, keys + step * AMX_K, HEAD_LANES, true, true);
        for (int i = 0; forms & STRAIGHT && i < HEAD_LANES; i += AMX_COLS)
            attention_fetch(straight + i * KEY_ELEMENTS, keys + i, HEAD_LANES, false, false);
    }
}

#endif
//@ end
