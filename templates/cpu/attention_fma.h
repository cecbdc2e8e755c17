/* Attention's products on vectors of floats (attention_tile.h says what a body is). A tile of ROW_TILE rows and VECTOR_TILE vectors
 * stays in registers; every element is one chain of multiply-adds in the order of depth.
 */
#ifndef LORAC_ATTENTION_FMA_H
#define LORAC_ATTENTION_FMA_H

#include "attention_tile.h"

#include <math.h>

enum {
    HEAD_LANES = (HEAD_DIM + VL - 1) / VL * VL,
    HEAD_ELEMENTS = HEAD_LANES,
    KEY_BLOCK = 64,
    ROW_TILE = 6,                   /* rows of the register tile */
    VECTOR_TILE = VL == 16 ? 4 : 2, /* and its vectors: 24 of 32 registers, or 12 of 16 */
    ROW_STEP = 48,                  /* whole tiles and whole vectors */
    ROW_BLOCK = 192,
    KEY_ROWS = 126
};

_Static_assert(KEY_BLOCK % VL == 0 && ROW_STEP % ROW_TILE == 0 && ROW_STEP % VL == 0 && ROW_BLOCK % ROW_STEP == 0 &&
                   KEY_ROWS % ROW_TILE == 0,
               "blocks are whole vectors and tiles");

typedef float packed_t;

struct attention_block {
    _Alignas(64) float straight[KEY_BLOCK * HEAD_LANES], turned[HEAD_LANES * KEY_BLOCK];
};

ALWAYS_INLINE float attention_query_scale(void)
{
    return 1.0f / sqrtf((float)HEAD_DIM);
}

ALWAYS_INLINE float attention_score_scale(void)
{
    return 1.0f;
}

ALWAYS_INLINE int attention_width(int keys)
{
    (void)keys;
    return KEY_BLOCK;
}

ALWAYS_INLINE void attention_open(void)
{
}

ALWAYS_INLINE void attention_close(void)
{
}

/* ---- products ---- */

/* c [rows][vectors * VL] (+)= a [rows][depth] b [depth][vectors * VL]; one register tile. */
ALWAYS_INLINE void attention_register_tile(float *c, size_t ldc, const float *a, size_t lda, const float *b, size_t ldb,
                                           int vectors, int depth, bool add)
{
    vec sum[ROW_TILE][VECTOR_TILE];
#pragma GCC unroll 8
    for (int i = 0; i < ROW_TILE; i++)
#pragma GCC unroll 4
        for (int j = 0; j < vectors; j++)
            sum[i][j] = add ? vec_load(c + i * ldc + j * VL) : (vec){0};
#pragma GCC unroll 1
    for (int k = 0; k < depth; k++) {
        vec right[VECTOR_TILE];
#pragma GCC unroll 4
        for (int j = 0; j < vectors; j++)
            right[j] = vec_load(b + k * ldb + j * VL);
#pragma GCC unroll 8
        for (int i = 0; i < ROW_TILE; i++) {
            vec left = vec_splat(a[i * lda + k]);
#pragma GCC unroll 4
            for (int j = 0; j < vectors; j++)
                sum[i][j] = vec_fma(left, right[j], sum[i][j]);
        }
    }
#pragma GCC unroll 8
    for (int i = 0; i < ROW_TILE; i++)
#pragma GCC unroll 4
        for (int j = 0; j < vectors; j++)
            vec_store(c + i * ldc + j * VL, sum[i][j]);
}

/* c [rows][width] (+)= a [rows][depth] b [depth][width]; rows a multiple of ROW_TILE, width (= ldc = ldb) of VL. */
ALWAYS_INLINE void attention_product(float *c, const float *a, size_t lda, const float *b, int rows, int width,
                                     int depth, bool add)
{
    for (int i = 0; i < rows; i += ROW_TILE) {
        float *row = c + (size_t)i * width;
        int j = 0;
        for (; j + VECTOR_TILE * VL <= width; j += VECTOR_TILE * VL)
            attention_register_tile(row + j, width, a + i * lda, lda, b + j, width, VECTOR_TILE, depth, add);
        for (; j < width; j += VL)
            attention_register_tile(row + j, width, a + i * lda, lda, b + j, width, 1, depth, add);
    }
}

/* scores [rows][KEY_BLOCK] = left [rows][HEAD_LANES] times a turned block. */
NOINLINE void attention_scores(float *scores, const float *left, const struct attention_block *right, int rows,
                               int width)
{
    (void)width;
    attention_product(scores, left, HEAD_LANES, right->turned, rows, KEY_BLOCK, HEAD_DIM, false);
}

/* sum [rows][HEAD_LANES] += weights [rows][depth] (row stride KEY_BLOCK) times a straight block's first `depth` vectors. */
NOINLINE void attention_weighted_sum(float *sum, const float *weights, const struct attention_block *right, int rows,
                                     int depth)
{
    attention_product(sum, weights, KEY_BLOCK, right->straight, rows, HEAD_LANES, depth, true);
}

/* ---- packing ---- */

/* to [padded][HEAD_LANES] = scale times vectors [first, first + count). */
static void attention_pack_rows(float *to, struct attention_heads heads, int first, int count, int padded, float scale)
{
    attention_gather(to, HEAD_LANES, heads, first, count, padded, scale);
}

/* to [HEAD_LANES][KEY_BLOCK] = the transposed of a block [KEY_BLOCK][HEAD_LANES]. */
static void attention_transpose(float *to, const float *block)
{
    for (int j = 0; j < KEY_BLOCK; j += VL)
        for (int i = 0; i < HEAD_LANES; i += VL) {
            vec tile[VL];
#pragma GCC unroll 16
            for (int l = 0; l < VL; l++)
                tile[l] = vec_load(block + (j + l) * HEAD_LANES + i);
            vec_transpose(tile);
#pragma GCC unroll 16
            for (int l = 0; l < VL; l++)
                vec_store(to + (i + l) * KEY_BLOCK + j, tile[l]);
        }
}

/* Vectors [first, first + count) times scale, `count` at most KEY_BLOCK. */
static void attention_pack_block(struct attention_block *block, struct attention_heads heads, int first, int count,
                                 float scale, int forms)
{
    attention_gather(block->straight, HEAD_LANES, heads, first, count, KEY_BLOCK, scale);
    if (forms & TURNED)
        attention_transpose(block->turned, block->straight);
}

#endif
