/* What a matrix product is told, and the ends of it that do not depend on how it is computed.
 *
 * C [M][N] = alpha * A B (+ bias) (+ residual), all row-major with a row stride each. A is stored [M][K], or [K][M] where
 * transposed; B is stored [K][N], or [N][K] where transposed. C is stored or added to; bias [N] and residual (shaped and
 * strided as C) may be NULL.
 */
#ifndef LORAC_PRODUCT_H
#define LORAC_PRODUCT_H

#include "isa.h"
#include "shapes.h"

#include <stdbool.h>

/* Where an operand lies: floats, or weights as they are stored. */
struct operand {
    const void *data;
    int stride;      /* elements from row to row */
    bool transposed; /* A: stored [K][M]; B: stored [N][K] */
    bool weights;    /* weight_t, not float */
};

ALWAYS_INLINE float operand_element(struct operand o, size_t row, size_t column)
{
    size_t i = row * o.stride + column;
    return o.weights ? weight_to_float(((const weight_t *)o.data)[i]) : ((const float *)o.data)[i];
}

/* `count` elements, VL at most; zeros beyond. */
ALWAYS_INLINE vec operand_load(struct operand o, size_t row, size_t column, int count)
{
    size_t i = row * o.stride + column;
    if (count < VL && o.weights)
        return vec_load_weights_part((const weight_t *)o.data + i, count);
    if (count < VL)
        return vec_load_part((const float *)o.data + i, count);
    return o.weights ? vec_load_weights((const weight_t *)o.data + i) : vec_load((const float *)o.data + i);
}

/* Asks for element (row, column), which may lie beyond the operand's end, to be brought into the second-level cache. */
ALWAYS_INLINE void operand_prefetch(struct operand o, size_t row, size_t column)
{
    size_t size = o.weights ? sizeof(weight_t) : sizeof(float);
    __builtin_prefetch((const void *)((uintptr_t)o.data + (row * o.stride + column) * size), 0, 2);
}

/* Blocks of k: equal, as few as there must be, none longer than `most`, each a multiple of `step`. */
ALWAYS_INLINE int even_block(int K, int most, int step)
{
    int blocks = (K + most - 1) / most, each = (K + blocks - 1) / blocks;
    return (each + step - 1) / step * step;
}

struct product {
    float *c;
    int c_stride;
    struct operand a, b;
    int M, N, K;
    int block_k; /* k is summed in blocks of as many */
    float alpha;
    bool accumulate;
    const float *bias, *residual;
};

/* Puts finished sums [rows][stride] of one block of k into C at (m0, n0). The first block stores and adds bias and
 * residual, unless C is accumulated into. */
ALWAYS_INLINE void finish_tile(struct product p, const float *sums, int stride, int m0, int rows, int n0, int columns,
                               bool first)
{
    bool add = p.accumulate || !first;
    for (int i = 0; i < rows; i++, sums += stride) {
        size_t at = (size_t)(m0 + i) * p.c_stride + n0;
        int n = 0;
        for (; n + VL <= columns; n += VL) {
            vec value = vec_load(sums + n) * p.alpha;
            if (add)
                value += vec_load(p.c + at + n);
            if (p.bias && first)
                value += vec_load(p.bias + n0 + n);
            if (p.residual && first)
                value += vec_load(p.residual + at + n);
            vec_store(p.c + at + n, value);
        }
        for (; n < columns; n++) {
            float value = sums[n] * p.alpha;
            if (add)
                value += p.c[at + n];
            if (p.bias && first)
                value += p.bias[n0 + n];
            if (p.residual && first)
                value += p.residual[at + n];
            p.c[at + n] = value;
        }
    }
}

#endif
