/* Checks of attention.h: forward, backward and generation against the reference, with and without a window, over segments that
 * begin and end inside blocks, and the same bits with one thread.
 */
#ifndef LORAC_SELFTEST_ATTENTION_H
#define LORAC_SELFTEST_ATTENTION_H

#include "attention.h"
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
    c->qkv = selftest_random(s, (size_t)T * QKV, 2);
    c->dout = selftest_random(s, (size_t)T * Q_WIDTH, 1);
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

/* out sums over T keys. A score is a sum of HEAD_DIM products, off by about sqrt(HEAD_DIM) epsilons before it is exponentiated:
 * four standard deviations of that. */
static double attention_fwd_limit(const struct attention_case *c)
{
    return reference_limit(c->T, 8 + 4 * sqrt(HEAD_DIM));
}

/* dk and dv sum over all rows that see a key. Three sums of HEAD_DIM products go into each term (score, dp, delta); where one key
 * takes nearly all of a row, dp - delta cancels, and what stays of them is their rounding errors. */
static double attention_bwd_limit(const struct attention_case *c)
{
    return reference_limit((double)c->T * GROUP, 8 + 4 * sqrt(3 * HEAD_DIM));
}

static void attention_run(struct attention_case *c, int threads)
{
#pragma omp parallel num_threads(threads)
    {
        attention_fwd(c->out, c->lse, c->qkv, c->segments, c->window);
        attention_bwd(c->dqkv, c->delta, c->dout, c->out, c->lse, c->qkv, c->segments, c->window);
    }
}

static void check_attention_passes(struct selftest *s, struct attention_case *c)
{
    struct reference_segments segments = {c->segments.count, c->segments.starts, c->window};
    double *out = selftest_doubles((size_t)c->T * Q_WIDTH), *lse = selftest_doubles((size_t)c->T * HEADS);
    double *dqkv = selftest_doubles((size_t)c->T * QKV);
    attention_run(c, s->threads);
    reference_attention(out, lse, c->wide_qkv, &segments, &selftest_heads);
    reference_attention_backward(dqkv, c->wide_dout, c->wide_qkv, &segments, &selftest_heads);
    selftest_compare(s, "attention_fwd", c->shape, c->out, out, (size_t)c->T * Q_WIDTH, attention_fwd_limit(c));
    selftest_compare(s, "attention_fwd lse", c->shape, c->lse, lse, (size_t)c->T * HEADS, attention_fwd_limit(c));
    selftest_compare(s, "attention_bwd", c->shape, c->dqkv, dqkv, (size_t)c->T * QKV, attention_bwd_limit(c));
    free(out);
    free(lse);
    free(dqkv);
}

/* The batch once more with one thread. */
static void check_attention_threads(struct selftest *s, const struct attention_case *c)
{
    struct attention_case again = *c;
    size_t out_bytes = (size_t)c->T * Q_WIDTH * sizeof(float), dqkv_bytes = (size_t)c->T * QKV * sizeof(float);
    again.out = allocate(out_bytes, "selftest");
    again.dqkv = allocate(dqkv_bytes, "selftest");
    attention_run(&again, 1);
    bool same = !memcmp(again.out, c->out, out_bytes) && !memcmp(again.dqkv, c->dqkv, dqkv_bytes);
    selftest_line(s, "attention, bits with 1 thread", c->shape, same ? 0 : INFINITY, 0);
    free(again.out);
    free(again.dqkv);
}

/* The first segment once more, token by token and chunk by chunk, as generation does it. */
static void check_attention_extend(struct selftest *s, const struct attention_case *c)
{
    static const int chunks[] = {1, 17, 1, 2};
    struct reference_segments segment = {1, (const int32_t[]){0, c->segments.starts[1]}, c->window};
    int T = segment.starts[1];
    float *k = selftest_floats((size_t)T * KV_WIDTH), *v = selftest_floats((size_t)T * KV_WIDTH);
    double *out = selftest_doubles((size_t)T * Q_WIDTH);
    reference_attention(out, NULL, c->wide_qkv, &segment, &selftest_heads);
    for (int length = 0, chunk = 0, n; length < T; length += n, chunk++) {
        n = attention_min(chunk < 4 ? chunks[chunk] : T, T - length);
#pragma omp parallel num_threads(s->threads)
        attention_extend(c->out + (size_t)length * Q_WIDTH, k, v, c->qkv + (size_t)length * QKV, length, n, c->window);
    }
    selftest_compare(s, "attention_extend", c->shape, c->out, out, (size_t)T * Q_WIDTH, attention_fwd_limit(c));
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
        check_attention_passes(s, &c);
        check_attention_threads(s, &c);
        check_attention_extend(s, &c);
        attention_case_close(&c);
    }
}

#endif
