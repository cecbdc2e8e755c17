/* Matrix products. First the core that every product of the model is an instance of, then the products themselves.
 *
 * C [M][N] = alpha * A B, three ways of storing A and B:
 *   matmul_nt   A [M][K], B as [N][K]     y = x W^T, with W as checkpoints store it
 *   matmul_nn   A [M][K], B [K][N]        dx = dy W
 *   matmul_tn   A as [K][M], B [K][N]     dW = dy^T x
 *
 * Called by all threads of a parallel region; a thread has its own part of C and brings its operands into the layout that the
 * arithmetic wants by itself. An element of C is one chain of multiply-adds in the order of k within a block, blocks being added
 * in order, whichever tile it falls into: its bits depend neither on the number of threads nor on M, N or its place.
 */
#ifndef LORAC_MATMUL_H
#define LORAC_MATMUL_H

#include "decode.h"
#include "product.h"
//@ if plan.weight_dtype ~= "f32" then
#if defined(__AMX_BF16__) || defined(AMX_EMULATED)
#    include "tile_amx.h"
#else
#    include "tile_fma.h"
#endif
//@ else
#include "tile_fma.h"
//@ end

#include <omp.h>

/* How many groups of rows C is cut into, the rest of the threads cutting columns: what gives the largest part the least
 * work, counted in register tiles. Packing a panel of B costs about as much as two tiles. */
static int row_groups(int M, int N, int threads)
{
    int tiles = (M + TILE_ROWS - 1) / TILE_ROWS, panels = (N + TILE_COLS - 1) / TILE_COLS, best = 1;
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

ALWAYS_INLINE void matmul(struct product p)
{
    const int threads = omp_get_num_threads(), groups = row_groups(p.M, p.N, threads), across = threads / groups;
    const int64_t panels = (p.N + TILE_COLS - 1) / TILE_COLS;
#pragma omp for schedule(static)
    for (int part = 0; part < threads; part++) {
        int row = part / across, column = part % across;
        int n0 = (int)(panels * column / across) * TILE_COLS, n1 = (int)(panels * (column + 1) / across) * TILE_COLS;
        int m0 = (int)((int64_t)p.M * row / groups), m1 = (int)((int64_t)p.M * (row + 1) / groups);
        matmul_part(p, m0, m1, n0, n1 < p.N ? n1 : p.N);
    }
}

/* The five forms that there are, each compiled once for all sizes: what is fixed are the ways through packing. */
NOINLINE void matmul_nt_weights(struct product p)
{
    p.a.transposed = p.a.weights = false, p.b.transposed = true, p.b.weights = true;
    matmul(p);
}

NOINLINE void matmul_nt_floats(struct product p)
{
    p.a.transposed = p.a.weights = false, p.b.transposed = true, p.b.weights = false;
    matmul(p);
}

NOINLINE void matmul_nn_weights(struct product p)
{
    p.a.transposed = p.a.weights = false, p.b.transposed = false, p.b.weights = true;
    matmul(p);
}

NOINLINE void matmul_nn_floats(struct product p)
{
    p.a.transposed = p.a.weights = false, p.b.transposed = false, p.b.weights = false;
    matmul(p);
}

NOINLINE void matmul_tn_floats(struct product p)
{
    p.a.transposed = true, p.a.weights = false, p.b.transposed = false, p.b.weights = false;
    matmul(p);
}

/* C [M][N] = alpha A [M][K] B^T (+ bias) (+ residual), B [N][K]. */
static inline void matmul_nt(float *c, int c_stride, const float *a, int a_stride, struct operand b, int M, int N,
                             int K, float alpha, bool accumulate, const float *bias, const float *residual)
{
    const struct operand left = {a, a_stride, false, false};
    const struct product p = {c,     c_stride,   left, b,       M, N, K, even_block(K, BLOCK_K, TILE_K),
                              alpha, accumulate, bias, residual};
    (b.weights ? matmul_nt_weights : matmul_nt_floats)(p);
}

/* C [M][N] = alpha A [M][K] B, B [K][N]. */
static inline void matmul_nn(float *c, int c_stride, const float *a, int a_stride, struct operand b, int M, int N,
                             int K, float alpha, bool accumulate)
{
    const struct operand left = {a, a_stride, false, false};
    const struct product p = {c,     c_stride,   left, b,   M, N, K, even_block(K, BLOCK_K, TILE_K),
                              alpha, accumulate, NULL, NULL};
    (b.weights ? matmul_nn_weights : matmul_nn_floats)(p);
}

/* C [M][N] = alpha A^T B, A [K][M], B [K][N]: a sum over K tokens, in blocks of BLOCK_K whatever their number. */
static inline void matmul_tn(float *c, int c_stride, const float *a, int a_stride, const float *b, int b_stride, int M,
                             int N, int K, float alpha, bool accumulate)
{
    const struct operand left = {a, a_stride, true, false}, right = {b, b_stride, false, false};
    matmul_tn_floats((struct product){c, c_stride, left, right, M, N, K, BLOCK_K, alpha, accumulate, NULL, NULL});
}

/* ---- this model's products ---- */

//@ for _, p in ipairs(plan.products) do
//@   local symbol = "matmul_" .. p.name
//@   local fwd, bwd, dw, decode = symbol .. "_fwd", symbol .. "_bwd", symbol .. "_dw", symbol .. "_decode"
//@   local type = p.weight_gradient and "float" or "weight_t"
//@   local weights = not p.weight_gradient
//@   local weight_bytes = (p.weight_gradient or plan.weight_dtype == "f32") and 4 or 2
//@   local decode_kind = p.weight_gradient and "decode_floats" or "decode_weights"
//@   local extra = (p.bias and ", const float *bias" or "") .. (p.residual and ", const float *residual" or "")
//@   local given = (p.bias and "bias" or "NULL") .. ", " .. (p.residual and "residual" or "NULL")
//@   local plus = (p.bias and " + bias" or "") .. (p.residual and " + residual" or "")
/* y [T][$(p.N_name)] = x [T][$(p.K_name)] W^T$(plus), W [$(p.N_name)][$(p.K_name)]; $(comma(p.flops)) FLOP
 * and $(comma(4 * (p.N + p.K))) bytes a token beside W's $(comma(p.N * p.K * weight_bytes)): bound by arithmetic from some tens of tokens on, by reading W below. */
NOINLINE void $(fwd)(float *y, const float *x, const $(type) *w$(extra), int T)
{
    const struct operand weights = {w, $(p.K_name), true, $(weights)};
    matmul_nt(y, $(p.N_name), x, $(p.K_name), weights, T, $(p.N_name), $(p.K_name), 1, false, $(given));
}

//@   if p.backward then
/* dx [T][$(p.K_name)] = dy [T][$(p.N_name)] W; FLOP and bytes are those of y. */
NOINLINE void $(bwd)(float *dx, const float *dy, const $(type) *w, int T)
{
    const struct operand weights = {w, $(p.K_name), false, $(weights)};
    matmul_nn(dx, $(p.K_name), dy, $(p.N_name), weights, T, $(p.K_name), $(p.N_name), 1, false);
}

//@   end
//@   if p.weight_gradient then
/* dW [$(p.N_name)][$(p.K_name)] += dy^T x; $(comma(p.flops)) FLOP a token. */
NOINLINE void $(dw)(float *dw, const float *dy, const float *x, int T)
{
    matmul_tn(dw, $(p.K_name), dy, $(p.N_name), x, $(p.K_name), $(p.N_name), $(p.K_name), T, 1, true);
}

//@   end
/* y [M][$(p.N_name)] = x [M][$(p.K_name)] W^T$(plus) for M from 1 to DECODE_ROWS rows: reads W once, bound by that. */
static void $(decode)(float *y, const float *x, const $(type) *w$(extra), int M)
{
    $(decode_kind)(y, x, w, $(given), M, $(p.N_name), $(p.K_name));
}

//@ end
#endif
