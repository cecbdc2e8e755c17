/* Causal attention of grouped heads over segments laid end to end (Vaswani et al. 2017; Ainslie et al. 2023), without the
 * T x T matrix of scores: blocks of keys pass by blocks of queries, and the softmax is brought up to date as they do (Milakov and
 * Gimelshein 2018; Dao et al. 2022).
 *
 * qkv [T][QKV]: q heads, k heads, v heads; query head h attends to key head h / GROUP. A query sees itself and what lies before it
 * in its segment; with window > 0 only window - 1 of those. Scores are scaled by 1 / sqrt(HEAD_DIM).
 *
 * A *row* here is one query of one head, the GROUP heads that share keys being taken together: row r of a segment and key head
 * is head r % GROUP of that group at token r / GROUP. So a block of keys, once packed, serves all heads of its group, and
 * the products of attention_tile.h are as tall for few key heads as for many. Blocks are counted from the segment's start, and an
 * output element is always summed by one thread in the order of the blocks: its bits depend on its segment alone.
 *
 * Compute-bound: 2 products of T * T / 2 * HEAD_DIM multiply-adds per head, $(comma(4 * (plan.model.head_dim * (2 * plan.model.num_attention_heads + 2 * plan.model.num_key_value_heads) + plan.model.num_attention_heads))) bytes per token beside them. Tunable: KEY_BLOCK and
 * ROW_BLOCK. The backward pass is in attention_backward.h.
 */
#ifndef LORAC_ATTENTION_H
#define LORAC_ATTENTION_H

//@ if plan.compute_dtype ~= "f32" then
#if defined(__AMX_BF16__) || defined(AMX_EMULATED)
#    include "attention_amx.h"
#else
#    include "attention_fma.h"
#endif
//@ else
#include "attention_fma.h"
//@ end
#include "exp.h"

#include <float.h>
#include <math.h>
#include <omp.h>
#include <stdbool.h>

/* S sequences laid end to end: starts [count + 1], positions restart at each. */
struct segments {
    int count;
    const int32_t *starts;
};

/* What the rows of one key head see: its queries from row 0 on, the segment's keys and values from the first on. */
struct attention_view {
    struct attention_heads q, k, v;
    int first_position; /* of row 0's query, counted from the first key */
    int window;
};

/* ---- which keys a row sees ---- */

static inline int attention_min(int a, int b)
{
    return a < b ? a : b;
}

static inline int attention_max(int a, int b)
{
    return a > b ? a : b;
}

static inline int attention_position(const struct attention_view *view, int row)
{
    return view->first_position + row / GROUP;
}

/* The first key that a query at `position` sees; the last is its own. */
static inline int attention_first_key(const struct attention_view *view, int position)
{
    return view->window > 0 ? attention_max(0, position - view->window + 1) : 0;
}

/* Sets what row `row` does not see of its scores [width], whose first key is `key`, to minus infinity. */
static inline void attention_mask(float *scores, const struct attention_view *view, int row, int key, int width)
{
    int position = attention_position(view, row);
    int begin = attention_first_key(view, position) - key, end = position + 1 - key;
    if (begin <= 0 && end >= width)
        return;
    for (int j = 0; j < width; j++)
        scores[j] = j >= begin && j < end ? scores[j] : -INFINITY;
}

/* How many rows of a block from row `first` on see nothing of key `key` and what follows it, in whole ROW_STEPs. */
static inline int attention_skip(const struct attention_view *view, int first, int key)
{
    int unseeing = (key - view->first_position) * GROUP - first;
    return attention_max(0, unseeing / ROW_STEP * ROW_STEP);
}

/* ---- forward ---- */

/* A block of rows on its way past the keys; scores are those of one ROW_STEP. */
struct attention_rows {
    _Alignas(64) packed_t q[ROW_BLOCK * HEAD_ELEMENTS];
    _Alignas(64) float out[ROW_BLOCK * HEAD_LANES];
    _Alignas(64) float scores[ROW_STEP * KEY_BLOCK];
    _Alignas(64) float max[ROW_BLOCK], shrink[ROW_BLOCK], sum[ROW_BLOCK];
};

/* Transposes VL partial results of VL rows, so that they can be put together for all of these rows at once. */
ALWAYS_INLINE void attention_turn(float part[VL][VL])
{
    vec rows[VL];
#pragma GCC unroll 16
    for (int i = 0; i < VL; i++)
        rows[i] = vec_load(part[i]);
    vec_transpose(rows);
#pragma GCC unroll 16
    for (int i = 0; i < VL; i++)
        vec_store(part[i], rows[i]);
}

/* max [VL] of VL rows of scores [width], scaled, becomes the maximum of itself and of the rows; shrink [VL] what its growth
 * multiplies sums by. */
static void attention_new_max(float *max, float *shrink, const float *scores, int width)
{
    _Alignas(64) float part[VL][VL];
    for (int r = 0; r < VL; r++) {
        memcpy(part[r], scores + r * KEY_BLOCK, sizeof part[r]);
        for (int j = VL; j < width; j += VL)
#pragma omp simd
            for (int l = 0; l < VL; l++)
                part[r][l] = scores[r * KEY_BLOCK + j + l] > part[r][l] ? scores[r * KEY_BLOCK + j + l] : part[r][l];
    }
    attention_turn(part);
    const float scale = attention_score_scale();
#pragma omp simd
    for (int r = 0; r < VL; r++) {
        float old = max[r], new = old;
        for (int l = 0; l < VL; l++)
            new = part[l][r] * scale > new ? part[l][r] * scale : new;
        shrink[r] = exp_float(old - new);
        max[r] = new;
    }
}

/* VL rows of scores [width] become exp(scaled score - max), and are added to sum [VL]. */
static void attention_exponentials(float *sum, const float *shrink, const float *max, float *scores, int width)
{
    _Alignas(64) float part[VL][VL];
    const float scale = attention_score_scale();
    for (int r = 0; r < VL; r++) {
        memset(part[r], 0, sizeof part[r]);
        for (int j = 0; j < width; j += VL)
#pragma omp simd
            for (int l = 0; l < VL; l++) {
                float p = exp_float(scores[r * KEY_BLOCK + j + l] * scale - max[r]);
                scores[r * KEY_BLOCK + j + l] = p;
                part[r][l] += p;
            }
    }
    attention_turn(part);
#pragma omp simd
    for (int r = 0; r < VL; r++) {
        float total = sum[r] * shrink[r];
        for (int l = 0; l < VL; l++)
            total += part[l][r];
        sum[r] = total;
    }
}

/* Turns the scores [width] of rows [begin, begin + rows) of the block, whose row 0 is `first`, into exp(score - max) with each row's
 * new maximum, and shrinks what was summed under the old one. `rows` is rounded up to whole vectors of rows. */
static void attention_softmax(struct attention_rows *b, const struct attention_view *view, int first, int begin,
                              int rows, int key, int width)
{
    for (int r = 0; r < rows; r += VL) {
        float *scores = b->scores + r * KEY_BLOCK, *max = b->max + begin + r, *shrink = b->shrink + begin + r;
        for (int l = 0; l < VL; l++)
            attention_mask(scores + l * KEY_BLOCK, view, first + begin + r + l, key, width);
        attention_new_max(max, shrink, scores, width);
        attention_exponentials(b->sum + begin + r, shrink, max, scores, width);
    }
    for (int r = begin; r < begin + rows; r++) {
        float *out = b->out + r * HEAD_LANES;
        if (b->shrink[r] != 1.0f)
            for (int i = 0; i < HEAD_LANES; i++)
                out[i] *= b->shrink[r];
    }
}

/* out (row stride Q_WIDTH) and lse (HEADS; or NULL), both at the group's first head and row 0's token. */
$(wrap("static void attention_finish(" .. plan.x_type .. " *out, float *lse, const struct attention_rows *b, int first, int rows)"))
{
    for (int r = 0; r < rows; r++) {
        int token = (first + r) / GROUP, head = (first + r) % GROUP;
        $(plan.x_type) *to = out + (size_t)token * Q_WIDTH + head * HEAD_DIM;
        const float inverse = 1.0f / b->sum[r];
        for (int i = 0; i < HEAD_DIM; i++)
            to[i] = $(store_as(plan.x_type, "b->out[r * HEAD_LANES + i] * inverse"));
        if (lse)
            lse[(size_t)token * HEADS + head] = (float)((double)b->max[r] + log((double)b->sum[r]));
    }
}

/* Rows [first, first + rows) before they have seen a key; `padded` of them are packed. */
static void attention_begin(struct attention_rows *b, const struct attention_view *view, int first, int rows,
                            int padded)
{
    attention_pack_rows(b->q, view->q, first, rows, padded, attention_query_scale());
    memset(b->out, 0, sizeof b->out);
    memset(b->scores, 0, sizeof b->scores);
    for (int r = 0; r < ROW_BLOCK; r++) {
        b->max[r] = -FLT_MAX;
        b->sum[r] = 0;
    }
}

/* All keys for the rows [first, first + rows) of one key head. */
$(wrap("NOINLINE void attention_rows_fwd(" .. plan.x_type .. " *out, float *lse, const struct attention_view *view, int first, int rows)"))
{
    struct attention_rows b;
    struct attention_block k, v;
    int padded = (rows + ROW_TILE - 1) / ROW_TILE * ROW_TILE, last = attention_position(view, first + rows - 1);
    attention_open();
    attention_begin(&b, view, first, rows, padded);
    int key = attention_first_key(view, attention_position(view, first)) / KEY_BLOCK * KEY_BLOCK;
    for (; key <= last; key += KEY_BLOCK) {
        int keys = attention_min(KEY_BLOCK, last + 1 - key);
        attention_pack_block(&k, view->k, key, keys, 1.0f, TURNED);
        attention_pack_block(&v, view->v, key, keys, 1.0f, STRAIGHT);
        for (int r = attention_skip(view, first, key); r < padded; r += ROW_STEP) {
            int step = attention_min(ROW_STEP, padded - r);
            int seen = attention_min(keys, attention_position(view, first + r + step - 1) + 1 - key);
            int width = attention_width(seen);
            attention_scores(b.scores, b.q + r * HEAD_ELEMENTS, &k, step, width);
            attention_softmax(&b, view, first, r, step, key, width);
            attention_weighted_sum(b.out + r * HEAD_LANES, b.scores, &v, step, seen);
        }
    }
    attention_close();
    attention_finish(out, lse, &b, first, rows);
}

/* Key head `head`'s view of the segment that starts at token `start`. */
static inline struct attention_view attention_view(const $(plan.x_type) *qkv, int start, int head, int window)
{
    const $(plan.x_type) *row = qkv + (size_t)start * QKV;
    return (struct attention_view){.q = {row + head * GROUP * HEAD_DIM, QKV, GROUP},
                                   .k = {row + K_OFFSET + head * HEAD_DIM, QKV, 1},
                                   .v = {row + V_OFFSET + head * HEAD_DIM, QKV, 1},
                                   .first_position = 0,
                                   .window = window};
}

/* out [T][Q_WIDTH]; lse [T][HEADS], the log of each row's sum of exponentials (kept for the backward pass; NULL: not wanted). The
 * last blocks of a segment see most keys and go first; any thread may take any, since they do not touch each other. */
$(wrap("static void attention_fwd(" .. plan.x_type .. " *out, float *lse, const " .. plan.x_type .. " *qkv, struct segments segments, int window)"))
{
    for (int s = 0; s < segments.count; s++) {
        int start = segments.starts[s], rows = (segments.starts[s + 1] - start) * GROUP;
        int blocks = (rows + ROW_BLOCK - 1) / ROW_BLOCK;
#pragma omp for schedule(dynamic) collapse(2) nowait
        for (int head = 0; head < KV_HEADS; head++)
            for (int block = 0; block < blocks; block++) {
                struct attention_view view = attention_view(qkv, start, head, window);
                int first = (blocks - 1 - block) * ROW_BLOCK;
                attention_rows_fwd(out + (size_t)start * Q_WIDTH + head * GROUP * HEAD_DIM,
                                   lse ? lse + (size_t)start * HEADS + head * GROUP : NULL, &view, first,
                                   attention_min(ROW_BLOCK, rows - first));
            }
    }
#pragma omp barrier
}

/* Generation: k and v of n new tokens (qkv [n][QKV]) become rows length .. length + n - 1 of the caches [MAX_CONTEXT][KV_WIDTH],
 * and the new tokens attend to all rows so far. Few rows are cut into smaller blocks, so that every thread gets one.
 * A token's k is taken by the thread that turned it in rope_extend, behind which threads do not wait: loops over tokens are static. */
$(wrap("static void attention_extend(" .. plan.x_type .. " *out, " .. plan.x_type .. " *k_cache, " .. plan.x_type .. " *v_cache, const " .. plan.x_type .. " *qkv, int length, int n, int window)"))
{
#pragma omp for schedule(static)
    for (int t = 0; t < n; t++) {
        const $(plan.x_type) *k = qkv + (size_t)t * QKV + Q_WIDTH;
        memcpy(k_cache + (size_t)(length + t) * KV_WIDTH, k, KV_WIDTH * sizeof *k);
        memcpy(v_cache + (size_t)(length + t) * KV_WIDTH, k + KV_WIDTH, KV_WIDTH * sizeof *k);
    }
    int rows = n * GROUP, height = ROW_BLOCK;
    while (height > ROW_TILE && (rows + height - 1) / height * KV_HEADS < omp_get_num_threads())
        height /= 2;
    int blocks = (rows + height - 1) / height;
#pragma omp for schedule(dynamic) collapse(2)
    for (int head = 0; head < KV_HEADS; head++)
        for (int block = 0; block < blocks; block++) {
            struct attention_view view = {.q = {qkv + head * GROUP * HEAD_DIM, QKV, GROUP},
                                          .k = {k_cache + head * HEAD_DIM, KV_WIDTH, 1},
                                          .v = {v_cache + head * HEAD_DIM, KV_WIDTH, 1},
                                          .first_position = length,
                                          .window = window};
            attention_rows_fwd(out + head * GROUP * HEAD_DIM, NULL, &view, block * height,
                               attention_min(height, rows - block * height));
        }
}

#endif
