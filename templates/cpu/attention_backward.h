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
/* What the backward pass is given of the rows of one key head, beside the view, and where it writes. dout is the group's, from row
//@   if any_q or any_k then
 * 0's token on, as are lse and delta (row stride HEADS); dqkv points at that token. */
//@   else
 * 0's token on, as is lse (row stride HEADS); dqkv points at that token. */
//@   end
struct attention_gradient {
    struct attention_heads dout;
//@   if any_q or any_k then
    const float *lse, *delta;
//@   else
    const float *lse;
//@   end
    $(plan.x_type) *dqkv;
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

/* scores and dp of a row [width]: scores become ds. */
static inline void attention_row_ds(float *scores, const float *dp, float lse, float delta, int width)
{
    const float scale = attention_score_scale();
#pragma omp simd
    for (int j = 0; j < width; j++)
        scores[j] = exp_float(scores[j] * scale - lse) * (dp[j] - delta);
}

static void attention_write_dq(const struct attention_gradient *g, const float *dq, int first, int rows)
{
    const float scale = 1.0f / sqrtf((float)HEAD_DIM);
    $(plan.x_type) *out = g->dqkv + g->head * GROUP * HEAD_DIM;
    for (int r = 0; r < rows; r++)
        for (int i = 0; i < HEAD_DIM; i++)
            out[(size_t)((first + r) / GROUP) * QKV + (first + r) % GROUP * HEAD_DIM + i] =
                $(store_as(plan.x_type, "dq[r * HEAD_LANES + i] * scale"));
}

/* Rows on their way past the keys; scores, which become ds, and dp are those of one ROW_STEP. */
struct attention_dq_rows {
    _Alignas(64) packed_t q[ROW_BLOCK * HEAD_ELEMENTS], dout[ROW_BLOCK * HEAD_ELEMENTS];
    _Alignas(64) float dq[ROW_BLOCK * HEAD_LANES];
    _Alignas(64) float scores[ROW_STEP * KEY_BLOCK], dp[ROW_STEP * KEY_BLOCK];
    float lse[ROW_BLOCK], delta[ROW_BLOCK];
};

static void attention_dq_begin(struct attention_dq_rows *b, const struct attention_gradient *g,
                               const struct attention_view *view, int first, int rows, int padded)
{
    attention_pack_rows(b->q, view->q, first, rows, padded, attention_query_scale());
    attention_pack_rows(b->dout, g->dout, first, rows, padded, 1.0f);
    attention_row_values(b->lse, g->lse, first, rows, padded, INFINITY);
    attention_row_values(b->delta, g->delta, first, rows, padded, 0.0f);
    attention_silence_lone_rows(b->lse, view, first, rows);
    memset(b->dq, 0, sizeof b->dq);
}

/* What `keys` keys from `key` on give to `rows` rows of the block, whose row 0 is `first`, from `begin` on. */
static void attention_dq_step(struct attention_dq_rows *b, const struct attention_block *k,
                              const struct attention_block *v, const struct attention_view *view, int first, int begin,
                              int rows, int key, int keys)
{
    const int width = attention_width(keys);
    attention_scores(b->dp, b->dout + begin * HEAD_ELEMENTS, v, rows, width);
    attention_scores(b->scores, b->q + begin * HEAD_ELEMENTS, k, rows, width);
    for (int r = 0; r < rows; r++) {
        float *scores = b->scores + r * KEY_BLOCK;
        attention_mask(scores, view, first + begin + r, key, width);
        attention_row_ds(scores, b->dp + r * KEY_BLOCK, b->lse[begin + r], b->delta[begin + r], width);
    }
    attention_weighted_sum(b->dq + begin * HEAD_LANES, b->scores, k, rows, keys);
}

/* dq of rows [first, first + rows). */
NOINLINE void attention_dq(const struct attention_gradient *g, const struct attention_view *view, int first, int rows)
{
    struct attention_dq_rows b;
    struct attention_block k, v;
    int padded = (rows + ROW_TILE - 1) / ROW_TILE * ROW_TILE, last = attention_position(view, first + rows - 1);
    attention_open();
    attention_dq_begin(&b, g, view, first, rows, padded);
    int key = attention_first_key(view, attention_position(view, first)) / KEY_BLOCK * KEY_BLOCK;
    for (; key <= last; key += KEY_BLOCK) {
        int keys = attention_min(KEY_BLOCK, last + 1 - key);
        attention_pack_block(&k, view->k, key, keys, 1.0f, TURNED + STRAIGHT);
        attention_pack_block(&v, view->v, key, keys, 1.0f, TURNED);
        for (int r = attention_skip(view, first, key); r < padded; r += ROW_STEP) {
            int step = attention_min(ROW_STEP, padded - r);
            int seen = attention_min(keys, attention_position(view, first + r + step - 1) + 1 - key);
            attention_dq_step(&b, &k, &v, view, first, r, step, key, seen);
        }
    }
    attention_close();
    attention_write_dq(g, b.dq, first, rows);
}

//@ end
//@ if #keys > 0 then
/* In dk and dv keys are the rows of the products, and (query, head) pairs the columns. */
struct attention_columns {
    struct attention_block q, dout;
//@   if any_k then
    _Alignas(64) float p[ROW_STEP * KEY_BLOCK], ds[ROW_STEP * KEY_BLOCK]; /* scores and dp, then p and ds */
    float delta[KEY_BLOCK];
//@   else
    _Alignas(64) float p[ROW_STEP * KEY_BLOCK]; /* scores, then p */
//@   end
    float lse[KEY_BLOCK];
    int32_t position[KEY_BLOCK], first_key[KEY_BLOCK]; /* of each column's query, and of what it sees */
};

/* Columns [first, first + columns); `forms` are those of q and dout. */
static void attention_pack_columns(struct attention_columns *c, const struct attention_gradient *g,
                                   const struct attention_view *view, int first, int columns, int q_forms,
                                   int dout_forms)
{
    attention_pack_block(&c->q, view->q, first, columns, attention_query_scale(), q_forms);
    attention_pack_block(&c->dout, g->dout, first, columns, 1.0f, dout_forms);
    attention_row_values(c->lse, g->lse, first, columns, KEY_BLOCK, INFINITY);
    for (int j = 0; j < KEY_BLOCK; j++) {
        c->position[j] = attention_position(view, first + j);
        c->first_key[j] = attention_first_key(view, c->position[j]);
    }
}

//@ end
//@ if any_k then
/* p holds scores and ds dp, [keys][width]: makes them p and ds. */
static void attention_columns_softmax(struct attention_columns *c, int key, int keys, int width)
{
    const float scale = attention_score_scale();
    for (int r = 0; r < keys; r++) {
        float *p = c->p + r * KEY_BLOCK, *ds = c->ds + r * KEY_BLOCK;
#pragma omp simd
        for (int j = 0; j < width; j++) {
            bool seen = (key + r <= c->position[j]) & (key + r >= c->first_key[j]);
            p[j] = exp_float(seen ? p[j] * scale - c->lse[j] : -INFINITY);
            ds[j] = c->position[j] > c->first_key[j] ? p[j] * (ds[j] - c->delta[j]) : 0.0f;
        }
    }
}

//@ end
//@ if any_v_alone then
/* p holds scores [keys][width]: makes them p. */
static void attention_columns_probabilities(struct attention_columns *c, int key, int keys, int width)
{
    const float scale = attention_score_scale();
    for (int r = 0; r < keys; r++) {
        float *p = c->p + r * KEY_BLOCK;
#pragma omp simd
        for (int j = 0; j < width; j++) {
            bool seen = (key + r <= c->position[j]) & (key + r >= c->first_key[j]);
            p[j] = exp_float(seen ? p[j] * scale - c->lse[j] : -INFINITY);
        }
    }
}

//@ end
//@ if #keys > 0 then
/* Of each of `keys` keys, gradient [keys][HEAD_LANES] times scale to `out` (row stride QKV). */
static void attention_write_keys($(plan.x_type) *out, const float *gradient, int keys, float scale)
{
    for (int j = 0; j < keys; j++)
        for (int i = 0; i < HEAD_DIM; i++)
            out[(size_t)j * QKV + i] = $(store_as(plan.x_type, "gradient[j * HEAD_LANES + i] * scale"));
}

//@ end
//@ for _, kernel in ipairs(keys) do
//@   local wanted = kernel.k and kernel.v and "dk and dv" or kernel.k and "dk" or "dv"
/* What becomes of $(wanted) of keys [key, key + keys), and what they are packed into. */
struct $(kernel.symbol)_rows {
    _Alignas(64) packed_t k[KEY_ROWS * HEAD_ELEMENTS];
//@   if kernel.k then
    _Alignas(64) packed_t v[KEY_ROWS * HEAD_ELEMENTS];
    _Alignas(64) float dk[KEY_ROWS * HEAD_LANES];
//@   end
//@   if kernel.v then
    _Alignas(64) float dv[KEY_ROWS * HEAD_LANES];
//@   end
};

/* What `columns` columns give to `rows` keys from key `key` + `begin` on. */
$(wrap("static void " .. kernel.symbol .. "_step(struct " .. kernel.symbol .. "_rows *b, struct attention_columns *c, int key, int begin, int rows, int columns)"))
{
    const int width = attention_width(columns);
    attention_scores(c->p, b->k + begin * HEAD_ELEMENTS, &c->q, rows, width);
//@   if kernel.k then
    attention_scores(c->ds, b->v + begin * HEAD_ELEMENTS, &c->dout, rows, width);
    attention_columns_softmax(c, key + begin, rows, width);
    attention_weighted_sum(b->dk + begin * HEAD_LANES, c->ds, &c->q, rows, columns);
//@   else
    attention_columns_probabilities(c, key + begin, rows, width);
//@   end
//@   if kernel.v then
    attention_weighted_sum(b->dv + begin * HEAD_LANES, c->p, &c->dout, rows, columns);
//@   end
}

/* $(wanted) of keys [key, key + keys) of a segment of `length` tokens, summed over the rows that see them, the group's heads of a
 * query one after the other. */
$(wrap("NOINLINE void " .. kernel.symbol .. "(const struct attention_gradient *g, const struct attention_view *view, int key, int keys, int length)"))
{
    struct $(kernel.symbol)_rows b;
    struct attention_columns c;
    int packed = (keys + ROW_TILE - 1) / ROW_TILE * ROW_TILE;
    attention_open();
    attention_pack_rows(b.k, view->k, key, keys, packed, 1.0f);
//@   if kernel.k then
    attention_pack_rows(b.v, view->v, key, keys, packed, 1.0f);
    memset(b.dk, 0, sizeof b.dk);
//@   end
//@   if kernel.v then
    memset(b.dv, 0, sizeof b.dv);
//@   end
    int queries = view->window > 0 ? attention_min(length, key + keys - 1 + view->window) : length;
    for (int first = key * GROUP; first < queries * GROUP; first += KEY_BLOCK) {
        int columns = attention_min(KEY_BLOCK, queries * GROUP - first);
        int seen = attention_min(keys, attention_position(view, first + columns - 1) - key + 1);
        int padded = (seen + ROW_TILE - 1) / ROW_TILE * ROW_TILE;
        attention_pack_columns(&c, g, view, first, columns, $(kernel.k and "TURNED + STRAIGHT" or "TURNED"), $(not kernel.v and "TURNED" or kernel.k and "TURNED + STRAIGHT" or "STRAIGHT"));
//@   if kernel.k then
        attention_row_values(c.delta, g->delta, first, columns, KEY_BLOCK, 0.0f);
//@   end
        for (int r = 0; r < padded; r += ROW_STEP)
            $(kernel.symbol)_step(&b, &c, key, r, attention_min(ROW_STEP, padded - r), columns);
    }
    attention_close();
    $(plan.x_type) *out = g->dqkv + (size_t)key * QKV + g->head * HEAD_DIM;
//@   if kernel.k then
    attention_write_keys(out + K_OFFSET, b.dk, keys, attention_score_scale());
//@   end
//@   if kernel.v then
    attention_write_keys(out + V_OFFSET, b.dv, keys, 1.0f);
//@   end
}

//@ end
//@ if any_q or any_k then
/* delta [T][HEADS] = sum(dout * out) of each head: what the softmax takes off every dp. */
static void attention_delta(float *delta, const $(plan.x_type) *dout, const $(plan.x_type) *out, int T)
{
#pragma omp for schedule(static)
    for (int t = 0; t < T; t++)
        for (int h = 0; h < HEADS; h++) {
            const size_t at = (size_t)t * Q_WIDTH + h * HEAD_DIM;
            float sum = 0;
#pragma omp simd reduction(+ : sum)
            for (int i = 0; i < HEAD_DIM; i++)
                sum += $(load_as(plan.x_type, "dout[at + i]")) * $(load_as(plan.x_type, "out[at + i]"));
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
$(wrap("static void " .. a.symbol .. "(" .. plan.x_type .. " *dqkv, " .. (turned and "float *delta, " or "") .. "const " .. plan.x_type .. " *dout, " .. (turned and "const " .. plan.x_type .. " *out, " or "") .. "const float *lse, const " .. plan.x_type .. " *qkv, struct segments segments, int window)"))
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
                struct attention_gradient g = {.dout = {dout + at * HEAD_DIM, Q_WIDTH, GROUP},
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
