/* Backward pass of attention (attention.h), and of dq, dk and dv only what some adapter needs. With
 *
 *   p = exp(score - lse),   dp = dout v^T,   delta = sum of dout * out over a head,   ds = p * (dp - delta)
 *
 * dq = ds k / sqrt(HEAD_DIM), dk = ds^T q / sqrt(HEAD_DIM), dv = p^T dout (Dao et al. 2022, with the log-sum-exp lse of the forward
 * pass). A row that sees one key has p = 1 whatever its score: its ds is 0, and not what rounding leaves of dp - delta.
 *
 * Nothing of T x T is kept: scores and probabilities are made again, once for dq, where rows (queries) pass by keys, and once for
 * dk and dv, where keys pass by rows. An output element is summed by one thread in the order of the blocks: its bits depend on its
 * segment alone.
 *
 * Compute-bound. Of T * T / 2 * HEAD_DIM multiply-adds per head dq takes 3, dk 3, dv 2, dk and dv together 4. Tunable: KEY_BLOCK,
 * ROW_BLOCK, KEY_ROWS.
 */
#ifndef LORAC_ATTENTION_BACKWARD_H
#define LORAC_ATTENTION_BACKWARD_H

#include "attention.h"

//@ local variants, keys = plan.gradients.attention, plan.gradients.attention_keys
//@ local any_q, any_k, any_v_alone = false, false, false
//@ for _, a in ipairs(variants) do
//@   any_q = any_q or a.q
//@   any_k = any_k or a.k
//@   any_v_alone = any_v_alone or (a.v and not a.k)
//@ end
//@ if #variants == 0 then
/* No adapter needs a gradient through attention: no kernel here. */
//@ else
/* What the backward pass is given of the rows of one key head, beside the view, and where it writes. dout (row stride Q_WIDTH)
//@   if any_q or any_k then
 * and lse and delta (row stride HEADS) point at the group's first head at row 0's token, dqkv at that token. */
//@   else
 * and lse (row stride HEADS) point at the group's first head at row 0's token, dqkv at that token. */
//@   end
struct attention_gradient {
//@   if any_q or any_k then
    const float *dout, *lse, *delta;
//@   else
    const float *dout, *lse;
//@   end
    float *dqkv;
    int head;
};

/* Value of row `first` on, one a row (lse or delta, row stride HEADS), and `filler` behind `rows` of them. */
static void attention_row_values(float *to, const float *from, int first, int rows, int padded, float filler)
{
    for (int r = 0; r < padded; r++)
        to[r] = r < rows ? from[(size_t)((first + r) / GROUP) * HEADS + (first + r) % GROUP] : filler;
}

//@ end
//@ if any_q then
/* Rows that see one key get a log-sum-exp that makes their p, and so their ds, 0. */
static void attention_silence_lone_rows(float *lse, const struct attention_view *view, int first, int rows)
{
    for (int r = 0; r < rows; r++) {
        int position = attention_position(view, first + r);
        if (attention_first_key(view, position) == position)
            lse[r] = INFINITY;
    }
}

/* scores and dp of a row [KEY_BLOCK]: scores become ds. */
static inline void attention_row_ds(float *scores, const float *dp, float lse, float delta)
{
#pragma omp simd
    for (int j = 0; j < KEY_BLOCK; j++)
        scores[j] = exp_float(scores[j] - lse) * (dp[j] - delta);
}

static void attention_write_dq(const struct attention_gradient *g, const float *dq, int first, int rows)
{
    const float scale = 1.0f / sqrtf((float)HEAD_DIM);
    float *out = g->dqkv + g->head * GROUP * HEAD_DIM;
    for (int r = 0; r < rows; r++)
        for (int i = 0; i < HEAD_DIM; i++)
            out[(size_t)((first + r) / GROUP) * QKV + (first + r) % GROUP * HEAD_DIM + i] =
                dq[r * HEAD_LANES + i] * scale;
}

/* dq of rows [first, first + rows). */
NOINLINE void attention_dq(const struct attention_gradient *g, const struct attention_view *view, int first, int rows)
{
    _Alignas(64) float q[ROW_BLOCK * HEAD_LANES], dout[ROW_BLOCK * HEAD_LANES], dq[ROW_BLOCK * HEAD_LANES];
    _Alignas(64) float scores[ROW_BLOCK * KEY_BLOCK], dp[ROW_BLOCK * KEY_BLOCK];
    _Alignas(64) float block[KEY_BLOCK * HEAD_LANES], transposed[HEAD_LANES * KEY_BLOCK];
    float lse[ROW_BLOCK], delta[ROW_BLOCK];
    int padded = (rows + ROW_TILE - 1) / ROW_TILE * ROW_TILE, last = attention_position(view, first + rows - 1);
    attention_pack_rows(q, view->q, QKV, first, rows, padded, 1.0f / sqrtf((float)HEAD_DIM));
    attention_pack_rows(dout, g->dout, Q_WIDTH, first, rows, padded, 1.0f);
    attention_row_values(lse, g->lse, first, rows, padded, INFINITY);
    attention_row_values(delta, g->delta, first, rows, padded, 0.0f);
    attention_silence_lone_rows(lse, view, first, rows);
    memset(dq, 0, sizeof dq);
    int key = attention_first_key(view, attention_position(view, first)) / KEY_BLOCK * KEY_BLOCK;
    for (; key <= last; key += KEY_BLOCK) {
        int keys = attention_min(KEY_BLOCK, last + 1 - key), skip = attention_skip(view, first, key);
        attention_pack_keys(block, view->v + key * view->kv_stride, view->kv_stride, keys, KEY_BLOCK);
        attention_transpose(transposed, block);
        attention_scores(dp + skip * KEY_BLOCK, dout + skip * HEAD_LANES, transposed, padded - skip);
        attention_pack_keys(block, view->k + key * view->kv_stride, view->kv_stride, keys, KEY_BLOCK);
        attention_transpose(transposed, block);
        attention_scores(scores + skip * KEY_BLOCK, q + skip * HEAD_LANES, transposed, padded - skip);
        for (int r = skip; r < rows; r++) {
            attention_mask(scores + r * KEY_BLOCK, view, first + r, key);
            attention_row_ds(scores + r * KEY_BLOCK, dp + r * KEY_BLOCK, lse[r], delta[r]);
        }
        attention_weighted_sum(dq + skip * HEAD_LANES, scores + skip * KEY_BLOCK, block, padded - skip, keys);
    }
    attention_write_dq(g, dq, first, rows);
}

//@ end
//@ if #keys > 0 then
/* In dk and dv keys are the rows of the products, and (query, head) pairs the columns. */
struct attention_columns {
    _Alignas(64) float q[KEY_BLOCK * HEAD_LANES], q_transposed[HEAD_LANES * KEY_BLOCK]; /* scaled */
    _Alignas(64) float dout[KEY_BLOCK * HEAD_LANES];
    _Alignas(64) float p[KEY_ROWS * KEY_BLOCK]; /* scores, then probabilities */
    float lse[KEY_BLOCK];
    int32_t position[KEY_BLOCK], first_key[KEY_BLOCK]; /* of each column's query, and of what it sees */
//@   if any_k then
    _Alignas(64) float dout_transposed[HEAD_LANES * KEY_BLOCK], ds[KEY_ROWS * KEY_BLOCK]; /* dp, then ds */
    float delta[KEY_BLOCK];
//@   end
};

static void attention_pack_columns(struct attention_columns *c, const struct attention_gradient *g,
                                   const struct attention_view *view, int first, int columns)
{
    attention_pack_rows(c->q, view->q, QKV, first, columns, KEY_BLOCK, 1.0f / sqrtf((float)HEAD_DIM));
    attention_pack_rows(c->dout, g->dout, Q_WIDTH, first, columns, KEY_BLOCK, 1.0f);
    attention_transpose(c->q_transposed, c->q);
    attention_row_values(c->lse, g->lse, first, columns, KEY_BLOCK, INFINITY);
    for (int j = 0; j < KEY_BLOCK; j++) {
        c->position[j] = attention_position(view, first + j);
        c->first_key[j] = attention_first_key(view, c->position[j]);
    }
}

//@ end
//@ if any_k then
/* What dp and ds need beside that. */
static void attention_pack_column_gradients(struct attention_columns *c, const struct attention_gradient *g, int first,
                                            int columns)
{
    attention_transpose(c->dout_transposed, c->dout);
    attention_row_values(c->delta, g->delta, first, columns, KEY_BLOCK, 0.0f);
}

/* p holds scores and ds dp, [keys][KEY_BLOCK]: makes them p and ds. */
static void attention_columns_softmax(struct attention_columns *c, int key, int keys)
{
    for (int r = 0; r < keys; r++) {
        float *p = c->p + r * KEY_BLOCK, *ds = c->ds + r * KEY_BLOCK;
#pragma omp simd
        for (int j = 0; j < KEY_BLOCK; j++) {
            bool seen = (key + r <= c->position[j]) & (key + r >= c->first_key[j]);
            p[j] = exp_float(seen ? p[j] - c->lse[j] : -INFINITY);
            ds[j] = c->position[j] > c->first_key[j] ? p[j] * (ds[j] - c->delta[j]) : 0.0f;
        }
    }
}

//@ end
//@ if any_v_alone then
/* p holds scores [keys][KEY_BLOCK]: makes them p. */
static void attention_columns_probabilities(struct attention_columns *c, int key, int keys)
{
    for (int r = 0; r < keys; r++) {
        float *p = c->p + r * KEY_BLOCK;
#pragma omp simd
        for (int j = 0; j < KEY_BLOCK; j++) {
            bool seen = (key + r <= c->position[j]) & (key + r >= c->first_key[j]);
            p[j] = exp_float(seen ? p[j] - c->lse[j] : -INFINITY);
        }
    }
}

//@ end
//@ for _, kernel in ipairs(keys) do
//@   local wanted = kernel.k and kernel.v and "dk and dv" or kernel.k and "dk" or "dv"
/* $(wanted) of keys [key, key + keys) of a segment of `length` tokens, summed over the rows that see them, the group's heads of a
 * query one after the other. */
$(wrap("NOINLINE void " .. kernel.symbol .. "(const struct attention_gradient *g, const struct attention_view *view, int key, int keys, int length)"))
{
    struct attention_columns c;
    _Alignas(64) float k[KEY_ROWS * HEAD_LANES];
    attention_pack_keys(k, view->k + key * view->kv_stride, view->kv_stride, keys, KEY_ROWS);
//@   if kernel.k then
    _Alignas(64) float v[KEY_ROWS * HEAD_LANES], dk[KEY_ROWS * HEAD_LANES];
    attention_pack_keys(v, view->v + key * view->kv_stride, view->kv_stride, keys, KEY_ROWS);
    memset(dk, 0, sizeof dk);
//@   end
//@   if kernel.v then
    _Alignas(64) float dv[KEY_ROWS * HEAD_LANES];
    memset(dv, 0, sizeof dv);
//@   end
    int queries = view->window > 0 ? attention_min(length, key + keys - 1 + view->window) : length;
    for (int first = key * GROUP; first < queries * GROUP; first += KEY_BLOCK) {
        int columns = attention_min(KEY_BLOCK, queries * GROUP - first);
        int seen = attention_min(keys, attention_position(view, first + columns - 1) - key + 1);
        int padded = (seen + ROW_TILE - 1) / ROW_TILE * ROW_TILE;
        attention_pack_columns(&c, g, view, first, columns);
        attention_scores(c.p, k, c.q_transposed, padded);
//@   if kernel.k then
        attention_pack_column_gradients(&c, g, first, columns);
        attention_scores(c.ds, v, c.dout_transposed, padded);
        attention_columns_softmax(&c, key, padded);
        attention_weighted_sum(dk, c.ds, c.q, padded, columns);
//@   else
        attention_columns_probabilities(&c, key, padded);
//@   end
//@   if kernel.v then
        attention_weighted_sum(dv, c.p, c.dout, padded, columns);
//@   end
    }
    float *out = g->dqkv + (size_t)key * QKV + g->head * HEAD_DIM;
    for (int j = 0; j < keys; j++) {
//@   if kernel.k then
        memcpy(out + (size_t)j * QKV + K_OFFSET, dk + j * HEAD_LANES, HEAD_DIM * sizeof *dk);
//@   end
//@   if kernel.v then
        memcpy(out + (size_t)j * QKV + V_OFFSET, dv + j * HEAD_LANES, HEAD_DIM * sizeof *dv);
//@   end
    }
}

//@ end
//@ if any_q or any_k then
/* delta [T][HEADS] = sum(dout * out) of each head: what the softmax takes off every dp. */
static void attention_delta(float *delta, const float *dout, const float *out, int T)
{
#pragma omp for schedule(static)
    for (int t = 0; t < T; t++)
        for (int h = 0; h < HEADS; h++) {
            const float *d = dout + (size_t)t * Q_WIDTH + h * HEAD_DIM, *o = out + (size_t)t * Q_WIDTH + h * HEAD_DIM;
            float sum = 0;
#pragma omp simd reduction(+ : sum)
            for (int i = 0; i < HEAD_DIM; i++)
                sum += d[i] * o[i];
            delta[(size_t)t * HEADS + h] = sum;
        }
}

//@ end
//@ for _, a in ipairs(variants) do
//@   local gradients = {}
//@   for _, name in ipairs { "q", "k", "v" } do
//@     if a[name] then gradients[#gradients + 1] = "d" .. name end
//@   end
//@   local wanted = #gradients == 3 and "all of it" or "of it only " .. table.concat(gradients, " and ")
//@   local turned, by_key = a.q or a.k, a.k or a.v
//@   local blocks = (by_key and "key_blocks" or "") .. (by_key and a.q and " + " or "") .. (a.q and "row_blocks" or "")
//@   local key_kernel = "attention_" .. (a.k and a.v and "dk_dv" or a.k and "dk" or "dv")
/* dqkv [T][QKV], $(wanted), from dout [T][Q_WIDTH]; $(turned and "delta [T][HEADS] is scratch; out and lse are" or "lse is") the forward pass's. */
$(wrap("static void " .. a.symbol .. "(float *dqkv, " .. (turned and "float *delta, " or "") .. "const float *dout, " .. (turned and "const float *out, " or "") .. "const float *lse, const float *qkv, struct segments segments, int window)"))
{
//@   if turned then
    attention_delta(delta, dout, out, segments.starts[segments.count]);
//@   end
    for (int s = 0; s < segments.count; s++) {
        int start = segments.starts[s], length = segments.starts[s + 1] - start;
//@   if a.q then
        int row_blocks = (length * GROUP + ROW_BLOCK - 1) / ROW_BLOCK;
//@   end
//@   if by_key then
        int key_blocks = (length + KEY_ROWS - 1) / KEY_ROWS;
//@   end
#pragma omp for schedule(dynamic) collapse(2) nowait
        for (int head = 0; head < KV_HEADS; head++)
            for (int block = 0; block < $(blocks); block++) {
                struct attention_view view = attention_view(qkv, start, head, window);
                size_t at = (size_t)start * HEADS + head * GROUP;
                struct attention_gradient g = {.dout = dout + at * HEAD_DIM,
                                               .lse = lse + at,
//@   if turned then
                                               .delta = delta + at,
//@   end
                                               .dqkv = dqkv + (size_t)start * QKV,
                                               .head = head};
//@   if by_key then
                int key = block * KEY_ROWS;
//@   end
//@   if a.q then
                int first = ($(blocks) - 1 - block) * ROW_BLOCK;
//@   end
//@   if by_key and a.q then
                if (block < key_blocks)
                    $(key_kernel)(&g, &view, key, attention_min(KEY_ROWS, length - key), length);
                else
                    attention_dq(&g, &view, first, attention_min(ROW_BLOCK, length * GROUP - first));
//@   elseif by_key then
                $(key_kernel)(&g, &view, key, attention_min(KEY_ROWS, length - key), length);
//@   else
                attention_dq(&g, &view, first, attention_min(ROW_BLOCK, length * GROUP - first));
//@   end
            }
    }
#pragma omp barrier
}

//@ end
#endif
