//@ if plan.weight_dtype ~= "f32" then
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
    HEAD_LANES = (HEAD_DIM + TILE_K - 1) / TILE_K * TILE_K,
    HEAD_STEPS = HEAD_LANES / TILE_K,
    HEAD_ELEMENTS = HEAD_STEPS * STEP_WORDS / TILE_ROWS,
    KEY_BLOCK = 128,
    KEY_STEPS = KEY_BLOCK / TILE_K,
    KEY_ELEMENTS = KEY_STEPS * STEP_WORDS / TILE_ROWS,
    ROW_TILE = TILE_ROWS,
    ROW_STEP = TILE_ROWS,
    ROW_BLOCK = 256,
    KEY_ROWS = 128
};

_Static_assert(TILE_ROWS == TILE_COLS && TILE_ROWS == TILE_K, "rows become columns and k");

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
    return (keys + TILE_COLS - 1) / TILE_COLS * TILE_COLS;
}

ALWAYS_INLINE void attention_open(void)
{
    tiles_open();
}

ALWAYS_INLINE void attention_close(void)
{
    tiles_close();
}

/* ---- products ---- */

/* scores [rows][width] (row stride KEY_BLOCK) = left times a turned block's first `width` vectors. */
NOINLINE void attention_scores(float *scores, const uint32_t *left, const struct attention_block *right, int rows,
                               int width)
{
    for (int i = 0; i < rows; i += TILE_ROWS)
        for (int j = 0; j < width; j += TILE_COLS)
            multiply_tiles(scores + i * KEY_BLOCK + j, KEY_BLOCK, left + i * HEAD_ELEMENTS,
                           right->turned + j * HEAD_ELEMENTS, HEAD_STEPS, false);
}

/* sum [rows][HEAD_LANES] += weights [rows][depth] (row stride KEY_BLOCK) times a straight block's first `depth` vectors. */
NOINLINE void attention_weighted_sum(float *sum, const float *weights, const struct attention_block *right, int rows,
                                     int depth)
{
    _Alignas(64) uint32_t left[TILE_ROWS * KEY_ELEMENTS];
    const struct operand from = {weights, KEY_BLOCK, false, false};
    const int steps = (depth + TILE_K - 1) / TILE_K;
    for (int i = 0; i < rows; i += TILE_ROWS) {
        fetch_rows(left, from, i, TILE_ROWS, 0, depth);
        for (int j = 0; j < HEAD_LANES; j += TILE_COLS)
            multiply_tiles(sum + i * HEAD_LANES + j, HEAD_LANES, left, right->straight + j * KEY_ELEMENTS, steps, true);
    }
}

/* ---- packing ---- */

/* Vectors [first, first + count) times scale, and zeros until there are `padded`. */
static void attention_pack_rows(uint32_t *to, struct attention_heads heads, int first, int count, int padded,
                                float scale)
{
    _Alignas(64) float rows[TILE_ROWS * HEAD_LANES];
    const struct operand from = {rows, HEAD_LANES, false, false};
    for (int r = 0; r < padded; r += TILE_ROWS) {
        attention_gather(rows, HEAD_LANES, heads, first + r, smaller(TILE_ROWS, count - r), TILE_ROWS, scale);
        fetch_rows(to + r * HEAD_ELEMENTS, from, 0, TILE_ROWS, 0, HEAD_LANES);
    }
}

/* Vectors [first, first + count) times scale, `count` at most KEY_BLOCK, and zeros until tiles are full. */
static void attention_pack_block(struct attention_block *block, struct attention_heads heads, int first, int count,
                                 float scale, int forms)
{
    _Alignas(64) float keys[TILE_COLS * HEAD_LANES];
    const struct operand columns = {keys, HEAD_LANES, true, false}, k = {keys, HEAD_LANES, false, false};
    for (int j = 0; j < count; j += TILE_COLS) {
        attention_gather(keys, HEAD_LANES, heads, first + j, smaller(TILE_COLS, count - j), TILE_COLS, scale);
        if (forms & TURNED)
            fetch_panel(block->turned + j * HEAD_ELEMENTS, columns, 0, TILE_COLS, 0, HEAD_LANES);
        for (int i = 0; forms & STRAIGHT && i < HEAD_LANES; i += TILE_COLS)
            fetch_panel(block->straight + i * KEY_ELEMENTS + j / TILE_K * STEP_WORDS, k, i, TILE_COLS, 0, TILE_K);
    }
}

#endif
//@ end
