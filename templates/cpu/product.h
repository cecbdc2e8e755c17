/* What a matrix product is told, and the ends of it that do not depend on how it is computed.
 *
 * C [M][N] = alpha * A B (+ bias) (+ residual), all row-major with a row stride each. A is stored [M][K], or [K][M] where
 * transposed; B is stored [K][N], or [N][K] where transposed. C is stored or added to; bias [N] and residual (shaped and
 * strided as C) may be NULL.
 */
#ifndef LORAC_PRODUCT_H
#define LORAC_PRODUCT_H

#include "cut.h"
#include "isa.h"
#include "shapes.h"

#include <stdbool.h>

/* Where an operand lies: floats, or what is stored as weights are. */
struct operand {
    const void *data;
    int stride;      /* elements from row to row */
    bool transposed; /* A: stored [K][M]; B: stored [N][K] */
    bool stored;     /* weight_t, not float */
};

ALWAYS_INLINE struct operand floats(const float *data, int stride)
{
    return (struct operand){data, stride, false, false};
}

ALWAYS_INLINE struct operand stored(const weight_t *data, int stride)
{
    return (struct operand){data, stride, false, true};
}

/* Where a result goes. */
struct result {
//@ if plan.narrow then
    void *data;
    int stride;
    bool stored; /* bfloat16, not float */
//@ else
    float *data;
    int stride;
//@ end
};

ALWAYS_INLINE struct result to_floats(float *data, int stride)
{
//@ if plan.narrow then
    return (struct result){data, stride, false};
//@ else
    return (struct result){data, stride};
//@ end
}

//@ if plan.narrow then
ALWAYS_INLINE struct result to_bfloat16s(bfloat16_t *data, int stride)
{
    return (struct result){data, stride, true};
}

//@ end
ALWAYS_INLINE float result_element(struct result c, size_t row, size_t column)
{
    size_t at = row * c.stride + column;
//@ if plan.narrow then
    return c.stored ? bfloat16_to_float(((const bfloat16_t *)c.data)[at]) : ((const float *)c.data)[at];
//@ else
    return c.data[at];
//@ end
}

ALWAYS_INLINE void result_set(struct result c, size_t row, size_t column, float value)
{
    size_t at = row * c.stride + column;
//@ if plan.narrow then
    if (c.stored)
        ((bfloat16_t *)c.data)[at] = float_to_bfloat16(value);
    else
        ((float *)c.data)[at] = value;
//@ else
    c.data[at] = value;
//@ end
}

ALWAYS_INLINE float operand_element(struct operand o, size_t row, size_t column)
{
    size_t i = row * o.stride + column;
    return o.stored ? weight_to_float(((const weight_t *)o.data)[i]) : ((const float *)o.data)[i];
}

ALWAYS_INLINE const void *operand_address(struct operand o, size_t row, size_t column)
{
    size_t size = o.stored ? sizeof(weight_t) : sizeof(float);
    return (const char *)o.data + (row * o.stride + column) * size;
}

/* `count` elements, VL at most; zeros beyond. */
ALWAYS_INLINE vec operand_load(struct operand o, size_t row, size_t column, int count)
{
    size_t i = row * o.stride + column;
    if (count < VL && o.stored)
        return vec_load_weights_part((const weight_t *)o.data + i, count);
    if (count < VL)
        return vec_load_part((const float *)o.data + i, count);
    return o.stored ? vec_load_weights((const weight_t *)o.data + i) : vec_load((const float *)o.data + i);
}

/* Asks for element (row, column), which may lie beyond the operand's end, to be brought into the second-level cache. */
ALWAYS_INLINE void operand_prefetch(struct operand o, size_t row, size_t column)
{
    size_t size = o.stored ? sizeof(weight_t) : sizeof(float);
    __builtin_prefetch((const void *)((uintptr_t)o.data + (row * o.stride + column) * size), 0, 2);
}

ALWAYS_INLINE void result_prefetch(struct result c, size_t row, size_t column)
{
//@ if plan.narrow then
    size_t size = c.stored ? sizeof(bfloat16_t) : sizeof(float);
//@ else
    size_t size = sizeof(float);
//@ end
    __builtin_prefetch((const void *)((uintptr_t)c.data + (row * c.stride + column) * size), 1, 2);
}

/* Blocks of k: equal, as few as there must be, none longer than `most`, each a multiple of `step`. */
ALWAYS_INLINE int even_block(int K, int most, int step)
{
    int blocks = (K + most - 1) / most, each = (K + blocks - 1) / blocks;
    return (each + step - 1) / step * step;
}

struct product {
    struct result c;
    struct operand a, b;
    int M, N, K;
    int block_k; /* k is summed in blocks of as many; each way of computing has its own */
    float alpha;
    bool accumulate;
    const float *bias, *residual;
    struct cut cut;
};

/* A thread's part of C: rows [m0, m1), columns [n0, n1). */
struct part {
    int m0, m1, n0, n1;
};

/* How many groups of rows C is cut into, the rest of the threads cutting columns: what gives the largest part the least
 * work, counted in register tiles. Packing a panel of B costs about as much as two tiles. */
static int row_groups(int M, int N, int tile_rows, int tile_columns, int threads)
{
    int tiles = (M + tile_rows - 1) / tile_rows, panels = (N + tile_columns - 1) / tile_columns, best = 1;
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

/* Part `part` of C [M][N], of as many as there are threads. */
ALWAYS_INLINE struct part part_of(int M, int N, int tile_rows, int tile_columns, int part, int threads)
{
    const int groups = row_groups(M, N, tile_rows, tile_columns, threads), across = threads / groups;
    const int row = part / across, column = part % across;
    const int64_t panels = (N + tile_columns - 1) / tile_columns;
    const int end = (int)(panels * (column + 1) / across) * tile_columns;
    return (struct part){
        .m0 = (int)((int64_t)M * row / groups),
        .m1 = (int)((int64_t)M * (row + 1) / groups),
        .n0 = (int)(panels * column / across) * tile_columns,
        .n1 = end < N ? end : N,
    };
}

//@ if plan.narrow then
/* VL elements of C from (row, column) on. */
ALWAYS_INLINE vec result_load(struct result c, size_t row, size_t column)
{
    size_t at = row * c.stride + column;
    return c.stored ? vec_load_weights((const bfloat16_t *)c.data + at) : vec_load((const float *)c.data + at);
}

ALWAYS_INLINE void result_store(struct result c, size_t row, size_t column, vec value)
{
    size_t at = row * c.stride + column;
    if (c.stored)
        vec_store_bfloat16((bfloat16_t *)c.data + at, value);
    else
        vec_store((float *)c.data + at, value);
}

//@ else
/* VL elements of C from (row, column) on. */
ALWAYS_INLINE vec result_load(struct result c, size_t row, size_t column)
{
    return vec_load(c.data + row * c.stride + column);
}

ALWAYS_INLINE void result_store(struct result c, size_t row, size_t column, vec value)
{
    vec_store(c.data + row * c.stride + column, value);
}

//@ end
/* VL elements of a finished tile, as C gets them: `sums` are those of row `row` from column n on, `residual` is the whole row. */
ALWAYS_INLINE vec finished(struct product p, const float *sums, const float *residual, size_t row, int n, bool add,
                           bool first)
{
    vec value = vec_load(sums) * p.alpha;
    if (add)
        value += result_load(p.c, row, n);
    if (p.bias && first)
        value += vec_load(p.bias + n);
    if (residual)
        value += vec_load(residual + n);
    return value;
}

/* Puts finished sums [rows][stride] of one block of k into C at (m0, n0). The first block adds bias and residual, and
 * stores unless C is accumulated into. */
ALWAYS_INLINE void finish_tile(struct product p, const float *sums, int stride, int m0, int rows, int n0, int columns,
                               bool first)
{
    const bool add = p.accumulate || !first;
    for (int i = 0; i < rows; i++, sums += stride) {
        const size_t row = m0 + i;
        const float *residual = p.residual && first ? p.residual + row * p.c.stride : NULL;
        int n = 0;
//@ if plan.narrow then
        for (; p.c.stored && n + 2 * VL <= columns; n += 2 * VL) {
            const vec left = finished(p, sums + n, residual, row, n0 + n, add, first);
            const vec right = finished(p, sums + n + VL, residual, row, n0 + n + VL, add, first);
            vec_store_bfloat16_pair((bfloat16_t *)p.c.data + row * p.c.stride + n0 + n, left, right);
        }
//@ end
        for (; n + VL <= columns; n += VL)
            result_store(p.c, row, n0 + n, finished(p, sums + n, residual, row, n0 + n, add, first));
        for (; n < columns; n++) {
            float value = sums[n] * p.alpha;
            if (add)
                value += result_element(p.c, row, n0 + n);
            if (p.bias && first)
                value += p.bias[n0 + n];
            if (residual)
                value += residual[n0 + n];
            result_set(p.c, row, n0 + n, value);
        }
    }
}

#endif
