//@ local rounding = plan.narrow and " + RESULT_ROUNDING" or ""
//@ local function into(name) return plan.narrow and name .. "_stored" or name end
/* Checks of the kernels that are neither products nor attention: norms, rotary embedding, SwiGLU, embedding, rows, loss, AdamW.
 *
 * Each function checks forward and backward at one T, or R. The references' own backward passes are held against finite
 * differences at the end.
 */
#ifndef LORAC_SELFTEST_OPS_H
#define LORAC_SELFTEST_OPS_H

#include "adamw.h"
#include "cross_entropy.h"
#include "embedding.h"
#include "exp.h"
#include "rmsnorm.h"
#include "rope.h"
#include "rows.h"
#include "selftest_check.h"
#include "swiglu.h"

/* Sizes of what a line is about. */
struct shape_text {
    char text[48];
};

static struct shape_text shape_text(const char *name, size_t count, int width)
{
    struct shape_text shape;
    snprintf(shape.text, sizeof shape.text, "%s=%zu width=%d", name, count, width);
    return shape;
}

/* Adds base to expected: for kernels that accumulate. */
static void add_widened(double *expected, const float *base, size_t n)
{
    for (size_t i = 0; i < n; i++)
        expected[i] += base[i];
}

//@ local partial = false
//@ for _, family in ipairs { "rope", "head_norm", "swiglu" } do
//@   for _, variant in ipairs(plan.gradients[family]) do
//@     if family == "swiglu" then partial = partial or not (variant.gate and variant.up) else partial = partial or not (variant.q and variant.k) end
//@   end
//@ end
//@ if partial then
/* For kernels that leave a part alone: columns [first, last) of expected [T][width] become what was there before. */
static void restore_columns(double *expected, const double *before, int width, int first, int last, int T)
{
    for (int t = 0; t < T; t++)
        for (int i = first; i < last; i++)
            expected[(size_t)t * width + i] = before[(size_t)t * width + i];
}

//@ end
static void check_rmsnorm(struct selftest *s, int T)
{
    size_t n = (size_t)T * HIDDEN;
    struct shape_text shape = shape_text("T", T, HIDDEN);
    float *x = selftest_random(s, n, 2), *weight = selftest_random(s, HIDDEN, 1), *y = selftest_floats(n),
          *rstd = selftest_floats(T);
    float *dy = selftest_random(s, n, 1), *dx = selftest_random(s, n, 1);
    double *wide_x = reference_widen(x, n), *wide_weight = reference_widen(weight, HIDDEN),
           *wide_dy = reference_widen(dy, n);
    double *expected = selftest_doubles(n), limit = reference_limit(HIDDEN, 6);
//@ if plan.narrow then
    bfloat16_t *y_stored = selftest_narrow(y, n);
//@ end
#pragma omp parallel num_threads(s->threads)
    rmsnorm_fwd($(into "y"), rstd, x, weight, T);
    if (T <= PROMPT_ROWS) {
        $(plan.x_type) *rows = allocate((size_t)PROMPT_ROWS * HIDDEN * sizeof *rows, "selftest");
        int differing = 0;
#pragma omp parallel num_threads(s->threads) reduction(+ : differing)
        differing += memcmp(rmsnorm_extend(rows, x, weight, T), $(into "y"), n * sizeof *rows) != 0;
        selftest_line(s, "rmsnorm_extend", shape.text, differing ? INFINITY : 0, 0);
        free(rows);
    }
//@ if plan.narrow then
    selftest_take(y, y_stored, n);
//@ end
    reference_rmsnorm(expected, wide_x, wide_weight, RMS_NORM_EPS, T, HIDDEN);
    selftest_compare(s, "rmsnorm_fwd", shape.text, y, expected, n, limit$(rounding));
    reference_rmsnorm_backward(expected, wide_dy, wide_x, wide_weight, RMS_NORM_EPS, T, HIDDEN);
    add_widened(expected, dx, n);
#pragma omp parallel num_threads(s->threads)
    rmsnorm_bwd(dx, dy, x, rstd, weight, T);
    selftest_compare(s, "rmsnorm_bwd", shape.text, dx, expected, n, limit);
    void *all[] = {x, weight, y, rstd, dy, dx, wide_x, wide_weight, wide_dy, expected};
    selftest_free(all, sizeof all / sizeof *all);
}
//@ if plan.model.qk_norm then

static void check_head_norm(struct selftest *s, int T)
{
    const struct reference_heads heads = {HEADS, KV_HEADS, HEAD_DIM};
    size_t n = (size_t)T * QKV;
    struct shape_text shape = shape_text("T", T, QKV);
    float *qkv = selftest_operand(s, n, 2), *q_weight = selftest_random(s, HEAD_DIM, 1),
          *k_weight = selftest_random(s, HEAD_DIM, 1);
    float *y = selftest_floats(n), *rstd = selftest_floats((size_t)T * (HEADS + KV_HEADS)),
          *dy = selftest_operand(s, n, 1), *dqkv = selftest_floats(n);
    double *wide = reference_widen(qkv, n), *wide_q = reference_widen(q_weight, HEAD_DIM),
           *wide_k = reference_widen(k_weight, HEAD_DIM);
    double *wide_dy = reference_widen(dy, n), *expected = selftest_doubles(n), limit = reference_limit(HEAD_DIM, 6);
//@ if plan.narrow then
    bfloat16_t *qkv_stored = selftest_narrow(qkv, n), *y_stored = selftest_narrow(y, n);
//@ end
#pragma omp parallel num_threads(s->threads)
    head_norm_fwd($(into "y"), rstd, $(into "qkv"), q_weight, k_weight, T);
//@ if plan.narrow then
    selftest_take(y, y_stored, n);
//@ end
    reference_head_norm(expected, wide, wide_q, wide_k, RMS_NORM_EPS, T, &heads);
    selftest_compare(s, "head_norm_fwd", shape.text, y, expected, n, limit$(rounding));
//@   for _, variant in ipairs(plan.gradients.head_norm) do
//@     local weights = (variant.q and "q_weight, " or "") .. (variant.k and "k_weight, " or "")
//@     if plan.narrow then
    bfloat16_t *$(variant.symbol)_out = selftest_narrow(dy, n);
//@     else
    memcpy(dqkv, dy, n * sizeof *dqkv);
//@     end
#pragma omp parallel num_threads(s->threads)
    $(variant.symbol)($(plan.narrow and variant.symbol .. "_out" or "dqkv"), $(into "qkv"), rstd, $(weights)T);
//@     if plan.narrow then
    selftest_take(dqkv, $(variant.symbol)_out, n);
//@     end
    reference_head_norm_backward(expected, wide_dy, wide, wide_q, wide_k, RMS_NORM_EPS, T, &heads);
//@     if not (variant.q and variant.k) then
    restore_columns(expected, wide_dy, QKV, $(variant.q and "Q_WIDTH" or "0"), $(variant.q and "V_OFFSET" or "Q_WIDTH"), T);
//@     end
    selftest_compare(s, "$(variant.symbol)", shape.text, dqkv, expected, n, limit$(rounding));
//@   end
//@   if plan.narrow then
    free(qkv_stored);
//@   end
    void *all[] = {qkv, q_weight, k_weight, y, rstd, dy, dqkv, wide, wide_q, wide_k, wide_dy, expected};
    selftest_free(all, sizeof all / sizeof *all);
}
//@ end

static void check_rope(struct selftest *s, int T)
{
    const struct reference_heads heads = {HEADS, KV_HEADS, HEAD_DIM};
    size_t n = (size_t)T * QKV, table = (size_t)T * (HEAD_DIM / 2);
    struct shape_text shape = shape_text("T", T, QKV);
    float *qkv = selftest_operand(s, n, 2), *cosine = selftest_random(s, table, 1),
          *sine = selftest_random(s, table, 1);
    double *wide = reference_widen(qkv, n), *wide_cosine = reference_widen(cosine, table),
           *wide_sine = reference_widen(sine, table), *before = selftest_doubles(n);
    int32_t *position = allocate(T * sizeof *position, "selftest");
    for (int t = 0; t < T; t++)
        position[t] = T - 1 - t;
//@ if plan.narrow then
    bfloat16_t *qkv_stored = selftest_narrow(qkv, n);
//@ end
#pragma omp parallel num_threads(s->threads)
    rope_fwd($(into "qkv"), position, cosine, sine, T);
//@ if plan.narrow then
    selftest_take(qkv, qkv_stored, n);
//@ end
    reference_rope(wide, position, wide_cosine, wide_sine, T, &heads);
    selftest_compare(s, "rope_fwd", shape.text, qkv, wide, n, reference_limit(2, 0)$(rounding));
//@ for _, variant in ipairs(plan.gradients.rope) do
    reference_fill_float(qkv, n, 2, ++s->seeds);
//@   if plan.narrow then
    selftest_cut(qkv, n);
    qkv_stored = selftest_narrow(qkv, n);
//@   end
    for (size_t i = 0; i < n; i++)
        before[i] = wide[i] = qkv[i];
#pragma omp parallel num_threads(s->threads)
    $(variant.symbol)($(into "qkv"), position, cosine, sine, T);
//@   if plan.narrow then
    selftest_take(qkv, qkv_stored, n);
//@   end
    reference_rope_backward(wide, position, wide_cosine, wide_sine, T, &heads);
//@   if not (variant.q and variant.k) then
    restore_columns(wide, before, QKV, $(variant.q and "Q_WIDTH" or "0"), $(variant.q and "V_OFFSET" or "Q_WIDTH"), T);
//@   end
    selftest_compare(s, "$(variant.symbol)", shape.text, qkv, wide, n, reference_limit(2, 0)$(rounding));
//@ end
    void *all[] = {qkv, cosine, sine, wide, wide_cosine, wide_sine, before, position};
    selftest_free(all, sizeof all / sizeof *all);
}

static void check_swiglu(struct selftest *s, int T)
{
    size_t n = (size_t)T * INTERMEDIATE;
    struct shape_text shape = shape_text("T", T, INTERMEDIATE);
    float *gate_up = selftest_operand(s, 2 * n, 8), *dact = selftest_operand(s, n, 1), *act = selftest_floats(n),
          *dgate_up = selftest_floats(2 * n);
    double *wide = reference_widen(gate_up, 2 * n), *wide_dact = reference_widen(dact, n),
           *expected = selftest_doubles(2 * n), *untouched = selftest_doubles(2 * n);
    gate_up[0] = -200; /* e^200 is no float: the sigmoid is 0 */
    wide[0] = -200;
//@ if plan.narrow then
    bfloat16_t *gate_up_stored = selftest_narrow(gate_up, 2 * n), *dact_stored = selftest_narrow(dact, n);
    bfloat16_t *act_stored = selftest_narrow(act, n);
//@ end
#pragma omp parallel num_threads(s->threads)
    swiglu_fwd($(into "act"), $(into "gate_up"), T);
    if (T <= PROMPT_ROWS) {
        $(plan.x_type) *rows = allocate((size_t)PROMPT_ROWS * INTERMEDIATE * sizeof *rows, "selftest");
        int differing = 0;
#pragma omp parallel num_threads(s->threads) reduction(+ : differing)
        differing += memcmp(swiglu_extend(rows, $(into "gate_up"), T), $(into "act"), n * sizeof *rows) != 0;
        selftest_line(s, "swiglu_extend", shape.text, differing ? INFINITY : 0, 0);
        free(rows);
    }
//@ if plan.narrow then
    selftest_take(act, act_stored, n);
//@ end
    reference_swiglu(expected, wide, T, INTERMEDIATE);
    selftest_compare(s, "swiglu_fwd", shape.text, act, expected, n, reference_limit(1, 6)$(rounding));
//@ for _, variant in ipairs(plan.gradients.swiglu) do
    memset(dgate_up, 0, 2 * n * sizeof *dgate_up);
//@   if plan.narrow then
    bfloat16_t *$(variant.symbol)_out = selftest_narrow(dgate_up, 2 * n);
//@   end
#pragma omp parallel num_threads(s->threads)
$(wrap("    " .. variant.symbol .. "(" .. (plan.narrow and variant.symbol .. "_out" or "dgate_up") .. ", " .. into "dact" .. ", " .. into "gate_up" .. ", T);"))
//@   if plan.narrow then
    selftest_take(dgate_up, $(variant.symbol)_out, 2 * n);
//@   end
    reference_swiglu_backward(expected, wide_dact, wide, T, INTERMEDIATE);
//@   if not (variant.gate and variant.up) then
    restore_columns(expected, untouched, GATE_UP, $(variant.gate and "INTERMEDIATE" or "0"), $(variant.gate and "GATE_UP" or "INTERMEDIATE"), T);
//@   end
    selftest_compare(s, "$(variant.symbol)", shape.text, dgate_up, expected, 2 * n, reference_limit(1, 10)$(rounding));
//@ end
//@ if plan.narrow then
    free(gate_up_stored);
    free(dact_stored);
//@ end
    void *all[] = {gate_up, dact, act, dgate_up, wide, wide_dact, expected, untouched};
    selftest_free(all, sizeof all / sizeof *all);
}

/* The table's first rows are enough. Every second token is the same one. */
static void check_embedding(struct selftest *s, int T)
{
    enum { ROWS = VOCAB < 300 ? VOCAB : 300 };
    size_t n = (size_t)T * HIDDEN, table = (size_t)ROWS * HIDDEN;
    struct shape_text shape = shape_text("T", T, HIDDEN);
    float *x = selftest_floats(n);
    double *wide_table = selftest_doubles(table), *expected = selftest_doubles(n);
    weight_t *weight = selftest_weights(s, wide_table, table);
    int32_t *ids = allocate(T * sizeof *ids, "selftest");
    for (int t = 0; t < T; t++)
        ids[t] = t % 2 ? ROWS - 1 : t * 7 % ROWS;
    for (int t = 0; t < T; t++)
        memcpy(expected + (size_t)t * HIDDEN, wide_table + (size_t)ids[t] * HIDDEN, HIDDEN * sizeof *expected);
#pragma omp parallel num_threads(s->threads)
    embedding_fwd(x, weight, ids, T);
    selftest_compare(s, "embedding_fwd", shape.text, x, expected, n, FLT_MIN);
    void *all[] = {x, wide_table, expected, weight, ids};
    selftest_free(all, sizeof all / sizeof *all);
}
//@ if plan.train_embedding then

static void check_trained_embedding(struct selftest *s, int T)
{
    enum { ROWS = VOCAB < 300 ? VOCAB : 300 };
    size_t n = (size_t)T * HIDDEN, table = (size_t)ROWS * HIDDEN;
    struct shape_text shape = shape_text("T", T, HIDDEN);
    float *weight = selftest_random(s, table, 1), *dx = selftest_random(s, n, 1), *x = selftest_floats(n);
    double *dweight = reference_widen(weight, table), *expected = selftest_doubles(n);
    int32_t *ids = allocate(T * sizeof *ids, "selftest");
    for (int t = 0; t < T; t++) {
        ids[t] = t % 2 ? ROWS - 1 : t * 7 % ROWS;
        for (int i = 0; i < HIDDEN; i++) {
            expected[(size_t)t * HIDDEN + i] = weight[(size_t)ids[t] * HIDDEN + i];
            dweight[(size_t)ids[t] * HIDDEN + i] += dx[(size_t)t * HIDDEN + i];
        }
    }
#pragma omp parallel num_threads(s->threads)
    {
        embedding_trained_fwd(x, weight, ids, T);
        embedding_bwd(weight, dx, ids, T);
    }
    selftest_compare(s, "embedding_trained_fwd", shape.text, x, expected, n, FLT_MIN);
    selftest_compare(s, "embedding_bwd", shape.text, weight, dweight, table, reference_limit(T, 0));
    void *all[] = {weight, dx, x, dweight, expected, ids};
    selftest_free(all, sizeof all / sizeof *all);
}
//@ end

/* Every third row of 3 R, there and back. */
static void check_rows(struct selftest *s, int R)
{
    size_t n = (size_t)3 * R * HIDDEN;
    struct shape_text shape = shape_text("R", R, HIDDEN);
    float *x = selftest_random(s, n, 1), *y = selftest_floats((size_t)R * HIDDEN), *back = selftest_floats(n);
    double *expected = selftest_doubles(n);
    int32_t *rows = allocate(R * sizeof *rows, "selftest");
    for (int r = 0; r < R; r++) {
        rows[r] = 3 * r + r % 3;
        for (int i = 0; i < HIDDEN; i++)
            expected[(size_t)rows[r] * HIDDEN + i] = x[(size_t)rows[r] * HIDDEN + i];
    }
#pragma omp parallel num_threads(s->threads)
    {
        gather_rows(y, x, rows, R);
        scatter_rows(back, y, rows, R);
    }
    selftest_compare(s, "gather_rows, scatter_rows", shape.text, back, expected, n, FLT_MIN);
    void *all[] = {x, y, back, expected, rows};
    selftest_free(all, sizeof all / sizeof *all);
}

/* Losses and best columns of both kernels; one label is not trained, one row has its largest logit twice. */
static void check_cross_entropy(struct selftest *s, int R)
{
    size_t n = (size_t)R * VOCAB;
    struct shape_text shape = shape_text("R", R, VOCAB);
    float *logits = selftest_random(s, n, 10), *found = selftest_floats(R), scale = 0.37f;
    int32_t *labels = allocate(R * sizeof *labels, "selftest"), *best = allocate(R * sizeof *best, "selftest");
    int32_t *expected_best = allocate(R * sizeof *best, "selftest");
    logits[VOCAB - 1] = logits[VOCAB / 2] = 11;
    double *wide = reference_widen(logits, n), *loss = selftest_doubles(R), *expected = selftest_doubles(R),
           *dlogits = selftest_doubles(n);
    for (int r = 0; r < R; r++)
        labels[r] = r == 1 ? -100 : (VOCAB - 1) / (r + 1);
    reference_cross_entropy(expected, expected_best, wide, labels, R, VOCAB);
    reference_cross_entropy_backward(dlogits, wide, labels, scale, R, VOCAB);
#pragma omp parallel num_threads(s->threads)
    cross_entropy_fwd(loss, best, logits, labels, R);
    for (int r = 0; r < R; r++)
        found[r] = (float)loss[r];
    selftest_compare(s, "cross_entropy_fwd", shape.text, found, expected, R, reference_limit(1, 4));
    bool same = !memcmp(best, expected_best, R * sizeof *best);
    selftest_line(s, "cross_entropy_fwd, best", shape.text, same ? 0 : INFINITY, 0);
#pragma omp parallel num_threads(s->threads)
    cross_entropy_fwd_bwd(loss, logits, labels, scale, R);
    for (int r = 0; r < R; r++)
        found[r] = (float)loss[r];
    selftest_compare(s, "cross_entropy_fwd_bwd, loss", shape.text, found, expected, R, reference_limit(1, 4));
    /* a logit near 20 below the largest is off by 20 epsilon before it is exponentiated */
    selftest_compare(s, "cross_entropy_fwd_bwd", shape.text, logits, dlogits, n, reference_limit(1, 20));
    void *all[] = {logits, found, labels, best, expected_best, wide, loss, expected, dlogits};
    selftest_free(all, sizeof all / sizeof *all);
}

/* exp_float from where it leaves 0 to where it leaves the floats: 1.1 units in the last place are at most 1.1 epsilon. Beyond
 * that, 0 and infinity. */
static void check_exp(struct selftest *s)
{
    enum { STEPS = 40000 };
    double worst = 0;
    for (int i = 0; i < STEPS; i++) {
        float x = -87.3f + 176.0f * (float)i / STEPS;
        double expected = exp((double)x), error = fabs(exp_float(x) - expected) / expected;
        worst = error <= worst ? worst : error;
    }
    selftest_line(s, "exp_float", "-87.3 to 88.7", worst / (1.1 * FLT_EPSILON), 1.1 * FLT_EPSILON);
    bool ends =
        exp_float(-INFINITY) == 0 && exp_float(INFINITY) == INFINITY && isnan(exp_float(NAN)) && exp_float(0) == 1;
    selftest_line(s, "exp_float", "infinities, 0, NaN", ends ? 0 : INFINITY, 0);
}

/* Three steps from nothing; one block and a part of one more. */
static void check_adamw(struct selftest *s)
{
    size_t n = PARAMETER_BLOCK + 37;
    struct shape_text shape = shape_text("n", n, 1);
    float *p = selftest_random(s, n, 1e-2f), *g = selftest_random(s, n, 1), *m = selftest_floats(n),
          *v = selftest_floats(n), norm = 0;
    double *wide_p = reference_widen(p, n), *wide_g = reference_widen(g, n), *wide_m = selftest_doubles(n),
           *wide_v = selftest_doubles(n);
    double sums[2], expected_norm = sqrt(reference_dot(wide_g, wide_g, n));
    for (int step = 1; step <= 3; step++) {
        const struct adamw adamw = {1e-2, 0.9, 0.999, 1e-8, 0.1, step, 1.0 / step};
        reference_adamw(wide_p, wide_m, wide_v, wide_g, n, &adamw);
#pragma omp parallel num_threads(s->threads)
        adamw_update(p, g, m, v, n, &adamw);
    }
    selftest_compare(s, "adamw_update", shape.text, p, wide_p, n, reference_limit(1, 12));
    selftest_compare(s, "adamw_update, m", shape.text, m, wide_m, n, reference_limit(1, 6));
    selftest_compare(s, "adamw_update, v", shape.text, v, wide_v, n, reference_limit(1, 6));
#pragma omp parallel num_threads(s->threads)
    {
        double found = gradient_norm(g, n, sums);
#pragma omp master
        norm = (float)found;
    }
    selftest_compare(s, "gradient_norm", shape.text, &norm, &expected_norm, 1, reference_limit(1, 0));
    void *all[] = {p, g, m, v, wide_p, wide_g, wide_m, wide_v};
    selftest_free(all, sizeof all / sizeof *all);
}

static void report_gradient(void *context, const char *operation, double error)
{
    struct selftest *s = context;
    selftest_line(s, operation, "reference's gradient", error, 0);
}

/* The references' backward passes, at sizes cut down where that makes no other code run. */
static void check_references(struct selftest *s)
{
    const struct reference_sizes sizes = {9,
                                          HIDDEN < 64 ? HIDDEN : 64,
                                          INTERMEDIATE < 64 ? INTERMEDIATE : 64,
                                          VOCAB < 300 ? VOCAB : 300,
                                          {HEADS, KV_HEADS, HEAD_DIM}};
    reference_check_gradients(&sizes, 24, report_gradient, s);
}

static void selftest_ops(struct selftest *s)
{
    static const int counts[] = {1, 3, 17, 37};
    for (int i = 0; i < 4; i++) {
        check_rmsnorm(s, counts[i]);
        //@ if plan.model.qk_norm then
        check_head_norm(s, counts[i]);
        //@ end
        check_rope(s, counts[i]);
        check_swiglu(s, counts[i]);
        check_embedding(s, counts[i]);
        //@ if plan.train_embedding then
        check_trained_embedding(s, counts[i]);
        //@ end
        check_rows(s, counts[i]);
    }
    check_exp(s);
    check_cross_entropy(s, 1);
    check_cross_entropy(s, 5);
    check_adamw(s);
    check_references(s);
}

#endif
