//@ local rounding = plan.narrow and " + RESULT_ROUNDING" or ""
//@ local function into(name) return plan.narrow and name or "c->" .. name end
/* Checks of attention.h and attention_backward.h: forward, backward and generation against the reference, with and without a window,
 * over segments that begin and end inside blocks, and the same bits with one thread.
 */
#ifndef LORAC_SELFTEST_ATTENTION_H
#define LORAC_SELFTEST_ATTENTION_H

#include "attention_backward.h"
#include "matmul.h"
#include "selftest_check.h"

/* One batch with all that goes in and comes out. */
struct attention_case {
    struct segments segments;
    int T, window;
    float *qkv, *out, *lse, *dout, *dqkv, *delta;
    double *wide_qkv, *wide_dout;
    char shape[64];
};

static const struct reference_heads selftest_heads = {HEADS, KV_HEADS, HEAD_DIM};

static void attention_case_open(struct attention_case *c, struct selftest *s, struct segments segments, int window)
{
    int T = segments.starts[segments.count];
    *c = (struct attention_case){.segments = segments, .T = T, .window = window};
    c->qkv = selftest_operand(s, (size_t)T * QKV, 2);
    c->dout = selftest_operand(s, (size_t)T * Q_WIDTH, 1);
    c->out = selftest_floats((size_t)T * Q_WIDTH);
    c->lse = selftest_floats((size_t)T * HEADS);
    c->dqkv = selftest_floats((size_t)T * QKV);
    c->delta = selftest_floats((size_t)T * HEADS);
    c->wide_qkv = reference_widen(c->qkv, (size_t)T * QKV);
    c->wide_dout = reference_widen(c->dout, (size_t)T * Q_WIDTH);
    snprintf(c->shape, sizeof c->shape, "T=%d segments=%d window=%d", T, segments.count, window);
}

static void attention_case_close(struct attention_case *c)
{
    void *all[] = {c->qkv, c->out, c->lse, c->dout, c->dqkv, c->delta, c->wide_qkv, c->wide_dout};
    selftest_free(all, sizeof all / sizeof *all);
}

/* A score is a sum of HEAD_DIM products, off by about sqrt(HEAD_DIM) epsilons before it is exponentiated: four standard deviations
 * of that. */
static double attention_lse_limit(const struct attention_case *c)
{
    return reference_limit(c->T, 8 + 4 * sqrt(HEAD_DIM)) + 4 * PRODUCT_TRUNCATION;
}

/* out sums over T keys, by weights that are rounded where operands are. */
static double attention_fwd_limit(const struct attention_case *c)
{
    return attention_lse_limit(c) + 2 * OPERAND_ROUNDING$(rounding);
}

//@ if #plan.gradients.attention > 0 then
/* dk and dv sum over all rows that see a key. Three sums of HEAD_DIM products go into each term (score, dp, delta); where one key
 * takes nearly all of a row, dp - delta cancels, and what stays of them is their rounding errors: delta's too, which comes from out. */
static double attention_bwd_limit(const struct attention_case *c)
{
    return reference_limit((double)c->T * GROUP, 8 + 4 * sqrt(3 * HEAD_DIM)) + 8 * OPERAND_ROUNDING$(plan.narrow and " +\n           8 * RESULT_ROUNDING" or "");
}
//@ end

static void attention_run_fwd(struct attention_case *c, int threads)
{
//@ if plan.narrow then
    const size_t T = c->T;
    bfloat16_t *qkv = selftest_narrow(c->qkv, T * QKV), *out = selftest_narrow(c->out, T * Q_WIDTH);
//@ end
#pragma omp parallel num_threads(threads)
    attention_fwd($(into "out"), c->lse, $(into "qkv"), c->segments, c->window);
//@ if plan.narrow then
    selftest_take(c->out, out, T * Q_WIDTH);
    free(qkv);
//@ end
}

static void check_attention_fwd(struct selftest *s, struct attention_case *c)
{
    struct reference_segments segments = {c->segments.count, c->segments.starts, c->window};
    size_t n = (size_t)c->T * Q_WIDTH;
    double *out = selftest_doubles(n), *lse = selftest_doubles((size_t)c->T * HEADS);
    reference_attention(out, lse, c->wide_qkv, &segments, &selftest_heads);
    attention_run_fwd(c, s->threads);
    selftest_compare(s, "attention_fwd", c->shape, c->out, out, n, attention_fwd_limit(c));
    selftest_compare(s, "attention_fwd lse", c->shape, c->lse, lse, (size_t)c->T * HEADS, attention_lse_limit(c));
    float *again = allocate(n * sizeof *again, "selftest");
    memcpy(again, c->out, n * sizeof *again);
    attention_run_fwd(c, 1);
    selftest_line(s, "attention_fwd, bits with 1 thread", c->shape,
                  memcmp(again, c->out, n * sizeof *again) ? INFINITY : 0, 0);
    void *all[] = {out, lse, again};
    selftest_free(all, sizeof all / sizeof *all);
}

//@ for _, a in ipairs(plan.gradients.attention) do
//@   local turned = a.q or a.k
static void run_$(a.symbol)(struct attention_case *c, int threads)
{
//@   if plan.narrow then
    const size_t T = c->T;
    bfloat16_t *qkv = selftest_narrow(c->qkv, T * QKV), *dqkv = selftest_narrow(c->dqkv, T * QKV);
    bfloat16_t *dout = selftest_narrow(c->dout, T * Q_WIDTH)$(turned and ", *out = selftest_narrow(c->out, T * Q_WIDTH)" or "");
//@   end
#pragma omp parallel num_threads(threads)
$(wrap("    " .. a.symbol .. "(" .. into "dqkv" .. ", " .. (turned and "c->delta, " or "") .. into "dout" .. ", " .. (turned and into "out" .. ", " or "") .. "c->lse, " .. into "qkv" .. ", c->segments, c->window);"))
//@   if plan.narrow then
    selftest_take(c->dqkv, dqkv, T * QKV);
    free(qkv);
    free(dout);
//@     if turned then
    free(out);
//@     end
//@   end
}

//@ end
//@ if #plan.gradients.attention > 0 then
/* A kernel of attention_backward.h, and what it computes. */
struct attention_variant {
    const char *name;
    void (*run)(struct attention_case *c, int threads);
    bool q, k, v;
};

static const struct attention_variant attention_variants[] = {
//@   for _, a in ipairs(plan.gradients.attention) do
    {"$(a.symbol)", run_$(a.symbol), $(a.q), $(a.k), $(a.v)},
//@   end
};

/* What a variant does not compute it leaves alone. */
static const float ATTENTION_UNTOUCHED = 1;

static bool attention_writes(const struct attention_variant *variant, size_t column)
{
    return column < K_OFFSET ? variant->q : column < V_OFFSET ? variant->k : variant->v;
}

static void attention_run_bwd(struct attention_case *c, const struct attention_variant *variant, int threads)
{
    for (size_t i = 0; i < (size_t)c->T * QKV; i++)
        c->dqkv[i] = ATTENTION_UNTOUCHED;
    variant->run(c, threads);
}

static void check_attention_bwd(struct selftest *s, struct attention_case *c, const struct attention_variant *variant)
{
    struct reference_segments segments = {c->segments.count, c->segments.starts, c->window};
    size_t n = (size_t)c->T * QKV;
    double *dqkv = selftest_doubles(n);
    char name[64];
    reference_attention_backward(dqkv, c->wide_dout, c->wide_qkv, &segments, &selftest_heads);
    for (size_t i = 0; i < n; i++)
        if (!attention_writes(variant, i % QKV))
            dqkv[i] = (double)ATTENTION_UNTOUCHED;
    attention_run_bwd(c, variant, s->threads);
    selftest_compare(s, variant->name, c->shape, c->dqkv, dqkv, n, attention_bwd_limit(c));
    float *again = allocate(n * sizeof *again, "selftest");
    memcpy(again, c->dqkv, n * sizeof *again);
    attention_run_bwd(c, variant, 1);
    snprintf(name, sizeof name, "%s, bits with 1 thread", variant->name);
    selftest_line(s, name, c->shape, memcmp(again, c->dqkv, n * sizeof *again) ? INFINITY : 0, 0);
    free(dqkv);
    free(again);
}

/* Where every query sees one key alone, its probability is 1 whatever q and k are: dq and dk are 0 to the last bit. */
static void check_attention_lone_keys(struct selftest *s)
{
    static const int32_t starts[] = {0, 1, 2, 3};
    struct attention_case c;
    char name[64];
    attention_case_open(&c, s, (struct segments){3, starts}, 0);
    attention_run_fwd(&c, s->threads);
    for (size_t v = 0; v < sizeof attention_variants / sizeof *attention_variants; v++) {
        const struct attention_variant *variant = &attention_variants[v];
        bool zero = true;
        attention_run_bwd(&c, variant, s->threads);
        for (size_t i = 0; i < (size_t)c.T * QKV; i++)
            if (i % QKV < V_OFFSET && attention_writes(variant, i % QKV))
                zero &= c.dqkv[i] == 0.0f;
        snprintf(name, sizeof name, "%s, one visible key", variant->name);
        selftest_line(s, name, c.shape, zero ? 0 : INFINITY, 0);
    }
    attention_case_close(&c);
}

//@ end
/* The first segment once more, token by token and chunk by chunk, as generation does it. */
static void check_attention_extend(struct selftest *s, const struct attention_case *c)
{
    static const int chunks[] = {1, 17, 1, 2};
    struct reference_segments segment = {1, (const int32_t[]){0, c->segments.starts[1]}, c->window};
    const size_t T = c->segments.starts[1];
//@ if plan.narrow then
    bfloat16_t *k = selftest_narrow(c->qkv, T * KV_WIDTH), *v = selftest_narrow(c->qkv, T * KV_WIDTH);
    bfloat16_t *qkv = selftest_narrow(c->qkv, T * QKV), *to = selftest_narrow(c->out, T * Q_WIDTH);
//@ else
    float *k = selftest_floats(T * KV_WIDTH), *v = selftest_floats(T * KV_WIDTH), *to = c->out;
    const float *qkv = c->qkv;
//@ end
    double *out = selftest_doubles(T * Q_WIDTH);
    reference_attention(out, NULL, c->wide_qkv, &segment, &selftest_heads);
    for (int length = 0, chunk = 0, n; length < (int)T; length += n, chunk++) {
        n = attention_min(chunk < 4 ? chunks[chunk] : (int)T, (int)T - length);
#pragma omp parallel num_threads(s->threads)
        attention_extend(to + (size_t)length * Q_WIDTH, k, v, qkv + (size_t)length * QKV, length, n, c->window);
    }
//@ if plan.narrow then
    selftest_take(c->out, to, T * Q_WIDTH);
    free(qkv);
//@ end
    selftest_compare(s, "attention_extend", c->shape, c->out, out, T * Q_WIDTH, attention_fwd_limit(c));
    free(k);
    free(v);
    free(out);
}

static void selftest_attention(struct selftest *s)
{
    static const int32_t one[] = {0, 1}, five[] = {0, 1, 4, 21, 121, 251}, long_one[] = {0, 131};
    static const struct {
        struct segments segments;
        int window;
    } cases[] = {{{1, one}, 0}, {{5, five}, 0}, {{5, five}, 5}, {{1, long_one}, 0}, {{1, long_one}, 100}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct attention_case c;
        attention_case_open(&c, s, cases[i].segments, cases[i].window);
        check_attention_fwd(s, &c);
//@ if #plan.gradients.attention > 0 then
        for (size_t v = 0; v < sizeof attention_variants / sizeof *attention_variants; v++)
            check_attention_bwd(s, &c, &attention_variants[v]);
//@ end
        check_attention_extend(s, &c);
        attention_case_close(&c);
    }
//@ if #plan.gradients.attention > 0 then
    check_attention_lone_keys(s);
//@ end
}

#endif
