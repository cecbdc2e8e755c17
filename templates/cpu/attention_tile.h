/* What attention.h is built from: products of small blocks that lie in the cache, and the packing of heads into such blocks.
 *
 * A block is [rows][HEAD_LANES], or transposed [HEAD_LANES][KEY_BLOCK]; weights and scores are [rows][KEY_BLOCK]. A product's tile of
 * ROW_TILE rows and VECTOR_TILE vectors stays in registers; every element is one chain of multiply-adds in the order of depth.
 */
#ifndef LORAC_ATTENTION_TILE_H
#define LORAC_ATTENTION_TILE_H

#include "isa.h"
#include "shapes.h"

#include <stdbool.h>

enum {
    GROUP = HEADS / KV_HEADS,
    HEAD_LANES =
        (HEAD_DIM + VL - 1) / VL * VL, /* a head's width in packed blocks: whole vectors, zeros behind HEAD_DIM */
    KEY_BLOCK = 64,                    /* keys that pass by at a time; where keys are rows, (query, head) pairs */
    ROW_TILE = 6,                      /* rows of the register tile */
    VECTOR_TILE = VL == 16 ? 4 : 2,    /* and its vectors: 24 of 32 registers, or 12 of 16 */
    ROW_BLOCK = 192,
    ROW_STEP = 48, /* rows of a block are skipped by so many: whole tiles and whole vectors */
    KEY_ROWS = 126 /* a block of keys where they are rows (dk and dv) */
};

_Static_assert(KEY_BLOCK % VL == 0 && ROW_STEP % ROW_TILE == 0 && ROW_STEP % VL == 0 && ROW_BLOCK % ROW_STEP == 0 &&
                   KEY_ROWS % ROW_TILE == 0,
               "blocks are whole vectors and tiles");

/* ---- small products ---- */

/* c [rows][vectors * VL] (+)= a [rows][depth] b [depth][vectors * VL]; one register tile. */
ALWAYS_INLINE void attention_tile(float *c, size_t ldc, const float *a, size_t lda, const float *b, size_t ldb,
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
        int j = 0;
        for (; j + VECTOR_TILE * VL <= width; j += VECTOR_TILE * VL)
            attention_tile(c + (size_t)i * width + j, width, a + i * lda, lda, b + j, width, VECTOR_TILE, depth, add);
        for (; j < width; j += VL)
            attention_tile(c + (size_t)i * width + j, width, a + i * lda, lda, b + j, width, 1, depth, add);
    }
}

/* scores [rows][KEY_BLOCK] = a [rows][HEAD_DIM] times a packed transposed block [HEAD_DIM][KEY_BLOCK]. */
NOINLINE void attention_scores(float *scores, const float *a, const float *transposed, int rows)
{
    attention_product(scores, a, HEAD_LANES, transposed, rows, KEY_BLOCK, HEAD_DIM, false);
}

/* sum [rows][HEAD_LANES] += weights [rows][depth] (row stride KEY_BLOCK) times a packed block [depth][HEAD_LANES]. */
NOINLINE void attention_weighted_sum(float *sum, const float *weights, const float *block, int rows, int depth)
{
    attention_product(sum, weights, KEY_BLOCK, block, rows, HEAD_LANES, depth, true);
}

/* ---- packing ---- */

/* Copies one head's vector times scale, zeros behind it. */
ALWAYS_INLINE void attention_copy_head(float *to, const float *from, float scale)
{
    for (int i = 0; i < HEAD_DIM; i++)
        to[i] = from[i] * scale;
    for (int i = HEAD_DIM; i < HEAD_LANES; i++)
        to[i] = 0.0f;
}

/* to [padded][HEAD_LANES] = `count` keys or values, `stride` floats apart; zeros in the rest. */
static void attention_pack_keys(float *to, const float *from, size_t stride, int count, int padded)
{
    for (int j = 0; j < count; j++)
        attention_copy_head(to + j * HEAD_LANES, from + j * stride, 1.0f);
    memset(to + count * HEAD_LANES, 0, (size_t)(padded - count) * HEAD_LANES * sizeof *to);
}

/* to [padded][HEAD_LANES] = scale times `rows` rows from row `first` on; `from` is the group's first head at row 0's token. */
static void attention_pack_rows(float *to, const float *from, size_t stride, int first, int rows, int padded,
                                float scale)
{
    for (int r = 0; r < rows; r++) {
        int row = first + r;
        attention_copy_head(to + r * HEAD_LANES, from + (size_t)(row / GROUP) * stride + row % GROUP * HEAD_DIM, scale);
    }
    memset(to + rows * HEAD_LANES, 0, (size_t)(padded - rows) * HEAD_LANES * sizeof *to);
}

/* to [HEAD_LANES][KEY_BLOCK] = the transposed of a packed block [KEY_BLOCK][HEAD_LANES]. */
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

#endif
