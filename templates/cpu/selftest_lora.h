/* Checks of lora.h and dropout.h: every adapter kernel forward, backward and for few rows against the reference, with and without
 * dropout, y and dy being slices of wider rows; the same bits with one thread and for a row alone; the reference's own gradients
 * against finite differences.
 */
#ifndef LORAC_SELFTEST_LORA_H
#define LORAC_SELFTEST_LORA_H

#include "lora.h"
#include "reference_matmul.h"
#include "selftest_check.h"

/* What one adapter works on; results of the kernels are y, u, dx, da, dbt and dmagnitude. */
struct lora_case {
    int T, in, out, r, ldy;
    double scaling, p;
    float *x, *a, *bt, *dy, *y, *u, *dx, *da, *dbt, *du, *dropped;
//@ if plan.dora then
    weight_t *w;
    double *wide_w, *wide_norm;
    float *magnitude, *norm, *dmagnitude, *z, *dz;
//@ end
    double *wide_x, *wide_a, *wide_b, *wide_dy, *mask; /* wide_b [out][r], wide_dy [T][out] */
    uint32_t sample[64];
    int32_t position[64];
    char shape[64];
};

enum { SELFTEST_STEP = 7, SELFTEST_MODULE = 19, MARGIN = 3 /* columns of y beside the slice */ };

static const uint64_t SELFTEST_SEED = 0x123456789abcdef0u;

/* What results hold before a kernel adds to them. */
static void lora_fill(float *x, size_t n, uint64_t seed)
{
    reference_fill_float(x, n, 1, seed);
//@ if plan.narrow then
    selftest_cut(x, n);
//@ end
}

/* The results as they are before a kernel: y and gradients hold values, which kernels add to. */
static void lora_case_reset(struct lora_case *c)
{
    lora_fill(c->y, (size_t)c->T * c->ldy, 101);
    lora_fill(c->dx, (size_t)c->T * c->in, 102);
    lora_fill(c->da, (size_t)c->r * c->in, 103);
    lora_fill(c->dbt, (size_t)c->r * c->out, 104);
//@ if plan.dora then
    lora_fill(c->dmagnitude, c->out, 105);
//@ end
}

static void lora_case_widen(struct lora_case *c)
{
    c->wide_x = reference_widen(c->x, (size_t)c->T * c->in);
    c->wide_a = reference_widen(c->a, (size_t)c->r * c->in);
    c->wide_b = selftest_doubles((size_t)c->out * c->r);
    for (int j = 0; j < c->r; j++)
        for (int n = 0; n < c->out; n++)
            c->wide_b[(size_t)n * c->r + j] = c->bt[(size_t)j * c->out + n];
    c->wide_dy = selftest_doubles((size_t)c->T * c->out);
    for (int t = 0; t < c->T; t++)
        for (int n = 0; n < c->out; n++)
            c->wide_dy[(size_t)t * c->out + n] = c->dy[(size_t)t * c->ldy + n];
    c->mask = selftest_doubles((size_t)c->T * c->in);
    const struct reference_dropout dropout = {c->p,      SELFTEST_SEED, SELFTEST_STEP, SELFTEST_MODULE,
                                              c->sample, c->position};
    reference_dropout_mask(c->mask, &dropout, c->T, c->in);
}

static void lora_case_open(struct lora_case *c, struct selftest *s)
{
    size_t T = (size_t)c->T;
    c->ldy = c->out + MARGIN;
    c->x = selftest_operand(s, T * c->in, 1);
    c->a = selftest_operand(s, (size_t)c->r * c->in, 1);
    c->bt = selftest_operand(s, (size_t)c->r * c->out, 1);
    c->dy = selftest_operand(s, T * c->ldy, 1);
    c->y = selftest_floats(T * c->ldy);
    c->u = selftest_floats(T * c->r);
    c->dx = selftest_floats(T * c->in);
    c->da = selftest_floats((size_t)c->r * c->in);
    c->dbt = selftest_floats((size_t)c->r * c->out);
    c->du = selftest_floats(T * c->r);
    c->dropped = selftest_floats(T * c->in);
    for (int t = 0; t < c->T; t++) {
        c->sample[t] = t / 9;
        c->position[t] = t % 9;
    }
    lora_case_widen(c);
//@ if plan.dora then
    c->wide_w = selftest_doubles((size_t)c->out * c->in);
    c->w = selftest_weights(s, c->wide_w, (size_t)c->out * c->in);
    c->wide_norm = selftest_doubles(c->out);
    c->norm = selftest_floats(c->out);
    c->magnitude = selftest_random(s, c->out, 1);
    c->dmagnitude = selftest_floats(c->out);
    c->z = selftest_floats(T * c->out);
    c->dz = selftest_floats(T * c->out);
//@ end
    snprintf(c->shape, sizeof c->shape, "T=%d in=%d out=%d r=%d", c->T, c->in, c->out, c->r);
}

static void lora_case_close(struct lora_case *c)
{
    void *all[] = {c->x,   c->a,  c->bt,      c->dy,     c->y,      c->u,      c->dx,      c->da,
                   c->dbt, c->du, c->dropped, c->wide_x, c->wide_a, c->wide_b, c->wide_dy, c->mask};
    selftest_free(all, sizeof all / sizeof *all);
//@ if plan.dora then
    void *more[] = {c->w, c->wide_w, c->wide_norm, c->norm, c->magnitude, c->dmagnitude, c->z, c->dz};
    selftest_free(more, sizeof more / sizeof *more);
//@ end
}

static struct reference_lora lora_case_reference(const struct lora_case *c, bool dropout)
{
    struct reference_lora lora = {
        .in = c->in, .out = c->out, .r = c->r, .scaling = c->scaling, .a = c->wide_a, .b = c->wide_b};
    lora.mask = dropout ? c->mask : NULL;
//@ if plan.dora then
    lora.w = c->wide_w;
    lora.magnitude = reference_widen(c->magnitude, c->out);
    lora.norm = c->wide_norm;
//@ end
    return lora;
}

/* found against expected, which lacks what found began with: the values of seed `before`. */
static void check_added(struct selftest *s, const char *kernel, const char *shape, const float *found, double *expected,
                        uint64_t before, size_t n, double limit)
{
    float *base = selftest_floats(n);
    lora_fill(base, n, before);
    for (size_t i = 0; i < n; i++)
        expected[i] += base[i];
    selftest_compare(s, kernel, shape, found, expected, n, limit);
    free(base);
}

/* Products follow each other: by A, by B, with DoRA by W as well. Where operands are rounded, a product is off by two roundings, and a
 * sum in which few large products cancel by some times as much of its own size.$(plan.narrow and " What lies behind dropout, and results, are\n * rounded as they are stored." or "") */
static double lora_limit(const struct lora_case *c, double length)
{
    return reference_limit(length, 8 + sqrt((double)c->in + c->r + c->out)) + 8 * OPERAND_ROUNDING$(plan.narrow and " +\n           4 * RESULT_ROUNDING" or "");
}

static void check_lora_fwd(struct selftest *s, const char *kernel, const struct lora_case *c, bool dropout)
{
    struct reference_lora lora = lora_case_reference(c, dropout);
    double *expected = selftest_doubles((size_t)c->T * c->out);
    float *slice = selftest_floats((size_t)c->T * c->out), *before = selftest_floats((size_t)c->T * c->ldy);
    reference_lora_forward(expected, c->wide_x, &lora, c->T);
    lora_fill(before, (size_t)c->T * c->ldy, 101);
    double beside = 0;
    for (int t = 0; t < c->T; t++)
        for (int n = 0; n < c->ldy; n++) {
            size_t at = (size_t)t * c->ldy + n;
            if (n >= c->out) {
                beside += c->y[at] != before[at];
                continue;
            }
            slice[(size_t)t * c->out + n] = c->y[at];
            expected[(size_t)t * c->out + n] += before[at];
        }
    selftest_compare(s, kernel, c->shape, slice, expected, (size_t)c->T * c->out, lora_limit(c, c->in));
    if (beside > 0)
        selftest_line(s, kernel, "columns beside the slice", INFINITY, 0);
    void *all[] = {expected, slice, before, (void *)lora.magnitude};
    selftest_free(all, 4);
}

static void check_lora_bwd(struct selftest *s, const char *kernel, const struct lora_case *c, bool dropout,
                           bool input_gradient)
{
    struct reference_lora lora = lora_case_reference(c, dropout);
    size_t n_x = (size_t)c->T * c->in, n_a = (size_t)c->r * c->in, n_b = (size_t)c->r * c->out;
    double *dx = selftest_doubles(n_x), *da = selftest_doubles(n_a), *db = selftest_doubles(n_b);
    double *dbt = selftest_doubles(n_b), *dmagnitude = selftest_doubles(c->out);
    reference_lora_backward(dx, da, db, lora.w ? dmagnitude : NULL, c->wide_dy, c->wide_x, &lora, c->T);
    for (int n = 0; n < c->out; n++)
        for (int j = 0; j < c->r; j++)
            dbt[(size_t)j * c->out + n] = db[(size_t)n * c->r + j];
    if (input_gradient)
        check_added(s, kernel, c->shape, c->dx, dx, 102, n_x, lora_limit(c, c->out));
    check_added(s, kernel, "dA", c->da, da, 103, n_a, lora_limit(c, c->T));
    check_added(s, kernel, "dB", c->dbt, dbt, 104, n_b, lora_limit(c, c->T));
//@ if plan.dora then
    check_added(s, kernel, "dmagnitude", c->dmagnitude, dmagnitude, 105, c->out, lora_limit(c, c->T));
//@ end
    void *all[] = {dx, da, db, dbt, dmagnitude, (void *)lora.magnitude};
    selftest_free(all, 6);
}

/* Copies of all results, to compare bits with. */
static void lora_case_results(const struct lora_case *c, float *to)
{
    const struct {
        const float *from;
        size_t n;
    } parts[] = {{c->y, (size_t)c->T * c->ldy},
                 {c->dx, (size_t)c->T * c->in},
                 {c->da, (size_t)c->r * c->in},
                 {c->dbt, (size_t)c->r * c->out}};
    for (int i = 0; i < 4; i++) {
        memcpy(to, parts[i].from, parts[i].n * sizeof *to);
        to += parts[i].n;
    }
}

static size_t lora_case_size(const struct lora_case *c)
{
    return (size_t)c->T * (c->ldy + c->in) + (size_t)c->r * (c->in + c->out);
}

//@ for _, l in ipairs(plan.loras) do
//@   local name = "lora_" .. l.name
//@   local base = "lora_" .. l.name:gsub("_lowest$", "")
//@   local norm = "dora_" .. l.name:gsub("_lowest$", "") .. "_norm"
//@   local run, check = "run_" .. name, "check_" .. name
//@   local drop = l.dropout > 0
//@   local weight = l.dora and ", c->w, c->magnitude, c->norm" or ""
//@   local random = drop and ", dropout" or ""
//@   local typed = { { "x", "T * c->in", plan.x_type, false }, { "y", "T * c->ldy", l.y_type, true }, { "dy", "T * c->ldy", l.y_type, false } }
//@   if l.input_gradient then typed[#typed + 1] = { "dx", "T * c->in", l.dx_type, true } end
//@   if drop then typed[#typed + 1] = { "dropped", "T * c->in", plan.x_type, false } end
//@   local function pass(name)
//@     for _, v in ipairs(typed) do
//@       if v[1] == name and v[3] ~= "float" then return name end
//@     end
//@     return "c->" .. name
//@   end
//@   local scratch = drop and ", " .. pass "dropped" or ""
static void $(run)(struct lora_case *c, int threads$(drop and ", const struct dropout *dropout" or ""))
{
    lora_case_reset(c);
//@   if plan.narrow then
    const size_t T = c->T;
//@   end
//@   for _, v in ipairs(typed) do
//@     if v[3] ~= "float" then
    bfloat16_t *$(v[1]) = selftest_narrow(c->$(v[1]), $(v[2]));
//@     end
//@   end
#pragma omp parallel num_threads(threads)
    {
//@   if l.dora then
        $(norm)(c->norm, c->w, c->a, c->bt);
//@   end
$(wrap("        " .. base .. "_fwd(" .. pass "y" .. ", c->ldy, c->u" .. (l.dora and ", c->z" or "") .. ", " .. pass "x" .. (l.thin and "" or scratch) .. ", c->a, c->bt" .. weight .. random .. ", c->T);"))
$(wrap("        " .. name .. "_bwd(" .. (l.input_gradient and pass "dx" .. ", " or "") .. "c->da, c->dbt" .. (l.dora and ", c->dmagnitude" or "") .. ", " .. pass "dy" .. ", c->ldy, c->u" .. (l.dora and ", c->z" or "") .. ", " .. pass "x" .. scratch .. (l.input_gradient and ", c->a" or "") .. ", c->bt, c->du" .. (l.dora and ", c->dz" or "") .. (l.dora and not l.input_gradient and ", c->magnitude, c->norm" or weight) .. random .. ", c->T);"))
    }
//@   for _, v in ipairs(typed) do
//@     if v[3] ~= "float" then
$(v[4] and "    selftest_take(c->" .. v[1] .. ", " .. v[1] .. ", " .. v[2] .. ");" or "    free(" .. v[1] .. ");")
//@     end
//@   end
}

static void $(check)(struct selftest *s, int T)
{
    struct lora_case c = {.T = T, .in = $(l.in_name), .out = $(l.out_name), .r = $(l.r_name), .scaling = (double)$(l.scaling_name), .p = $(l.dropout)};
    lora_case_open(&c, s);
//@   if l.dora then
    struct reference_lora lora = lora_case_reference(&c, false);
    reference_dora_norm(c.wide_norm, c.wide_w, &lora);
    free((void *)lora.magnitude);
    for (int n = 0; n < c.out; n++)
        c.magnitude[n] = (float)c.wide_norm[n] * (1 + 0.5f * c.magnitude[n]);
//@   end
//@   if drop then
    struct dropout active = {true, SELFTEST_SEED, SELFTEST_STEP, SELFTEST_MODULE, c.sample, c.position};
    const struct dropout *dropout = &active;
    $(run)(&c, s->threads, dropout);
    check_lora_fwd(s, "$(base)_fwd", &c, true);
    check_lora_bwd(s, "$(name)_bwd", &c, true, $(l.input_gradient));
    active.active = false;
//@   end
    $(run)(&c, s->threads$(random));
    check_lora_fwd(s, "$(base)_fwd", &c, false);
    check_lora_bwd(s, "$(name)_bwd", &c, false, $(l.input_gradient));
//@   if l.dora then
    selftest_compare(s, "$(norm)", c.shape, c.norm, c.wide_norm, c.out, lora_limit(&c, c.in));
//@   end
//@   if drop then
    active.active = true;
    $(run)(&c, s->threads, dropout);
//@   end
    float *all = selftest_floats(lora_case_size(&c)), *one = selftest_floats(lora_case_size(&c));
    lora_case_results(&c, all);
    $(run)(&c, 1$(random));
    lora_case_results(&c, one);
    double error = memcmp(all, one, lora_case_size(&c) * sizeof *all) ? INFINITY : 0;
    selftest_line(s, "$(name)", "one thread", error, 0);
    free(all);
    free(one);
    if (T <= 8) {
        lora_case_reset(&c);
//@   if plan.narrow then
        bfloat16_t *x = selftest_narrow(c.x, (size_t)T * c.in);
//@     if l.y_type ~= "float" then
        bfloat16_t *y = selftest_narrow(c.y, (size_t)T * c.ldy);
//@     end
//@   end
#pragma omp parallel num_threads(s->threads)
$(wrap("        " .. base .. "_decode(" .. (l.y_type == "float" and "c.y" or "y") .. ", c.ldy, " .. (plan.narrow and "x" or "c.x") .. ", c.a, c.bt" .. (l.dora and ", c.w, c.magnitude, c.norm" or "") .. ", T);"))
//@   if plan.narrow then
        free(x);
//@     if l.y_type ~= "float" then
        selftest_take(c.y, y, (size_t)T * c.ldy);
//@     end
//@   end
        check_lora_fwd(s, "$(base)_decode", &c, false);
    }
    lora_case_close(&c);
}

//@ end
/* The reference's own gradients. */
struct lora_difference {
    struct reference_lora lora;
    double *x, *dy, *y;
};

enum { DIFFERENCE_ROWS = 3, DIFFERENCE_IN = 7, DIFFERENCE_OUT = 5, DIFFERENCE_RANK = 2 };

static double lora_difference_loss(void *context)
{
    struct lora_difference *d = context;
    memset(d->y, 0, DIFFERENCE_ROWS * DIFFERENCE_OUT * sizeof *d->y);
    reference_lora_forward(d->y, d->x, &d->lora, DIFFERENCE_ROWS);
    return reference_dot(d->dy, d->y, DIFFERENCE_ROWS * DIFFERENCE_OUT);
}

static void check_lora_reference(struct selftest *s)
{
    enum { X, A, B, MAGNITUDE, DY, Y, MASK, W, NORM, TENSORS };
    enum { T = DIFFERENCE_ROWS, IN = DIFFERENCE_IN, OUT = DIFFERENCE_OUT, R = DIFFERENCE_RANK };
    static const size_t sizes[TENSORS] = {T * IN, R * IN, OUT * R, OUT, T * OUT, T * OUT, T * IN, OUT * IN, OUT};
    static const char *const names[] = {"dx", "dA", "dB", "dmagnitude"};
    double *v[TENSORS], *gradient[DY];
    for (int i = 0; i < TENSORS; i++) {
        v[i] = selftest_doubles(sizes[i]);
        reference_fill(v[i], sizes[i], 1, ++s->seeds);
    }
    for (int n = 0; n < OUT; n++)
        v[NORM][n] += 2;
    for (int i = 0; i < DY; i++)
        gradient[i] = selftest_doubles(sizes[i]);
    struct lora_difference d = {{IN, OUT, R, 1.5, v[A], v[B], v[MASK], v[W], v[MAGNITUDE], v[NORM]}, v[X], v[DY], v[Y]};
    reference_lora_backward(gradient[X], gradient[A], gradient[B], gradient[MAGNITUDE], v[DY], v[X], &d.lora, T);
    for (int i = 0; i < DY; i++) {
        double error = reference_difference_error(lora_difference_loss, &d, v[i], gradient[i], sizes[i], sizes[i]);
        selftest_line(s, "reference_lora_backward", names[i], error, 0);
        free(gradient[i]);
    }
    for (int i = 0; i < TENSORS; i++)
        free(v[i]);
}

static void selftest_lora(struct selftest *s)
{
    check_lora_reference(s);
//@ for _, l in ipairs(plan.loras) do
//@   local most = l.dora and l["in"] * l.out > 2000000 and 3 or 37
    for (int i = 0; i < ROW_COUNTS; i++)
        if (selftest_rows[i] <= $(most))
            check_lora_$(l.name)(s, selftest_rows[i]);
//@ end
}

#endif
