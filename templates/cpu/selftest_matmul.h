/* Checks of matmul.h at this model's sizes, of Philox, and (selftest_lora.h) of the adapters: against the references, at row counts beside the register
 * tile's, and bit for bit against one thread and against a row alone.
 *
 * Weights repeat a pool of random values whose length is prime, and a large product is compared at some of its columns only, so
 * that a big model's check takes seconds.
 */
#ifndef LORAC_SELFTEST_MATMUL_H
#define LORAC_SELFTEST_MATMUL_H

#include "matmul.h"
#include "philox.h"
#include "selftest_check.h"

enum { WEIGHT_POOL = 65537, CHECKED_COLUMNS = 48 };

static const int selftest_rows[] = {1, 3, 17, 37};

enum { ROW_COUNTS = sizeof selftest_rows / sizeof *selftest_rows, MOST_ROWS = 37 };
//@ if #plan.loras > 0 then

#include "selftest_lora.h"
//@ end

/* A frozen matrix [N][K]: element i is pool[i % WEIGHT_POOL]. */
struct selftest_matrix {
    weight_t *stored;
    double *pool;
};

static struct selftest_matrix selftest_matrix(struct selftest *s, int N, int K)
{
    struct selftest_matrix m = {NULL, selftest_doubles(WEIGHT_POOL)};
    weight_t *pool = selftest_weights(s, m.pool, WEIGHT_POOL);
    size_t n = (size_t)N * K;
    m.stored = allocate(n * sizeof *m.stored, "selftest");
    for (size_t i = 0; i < n; i += WEIGHT_POOL)
        memcpy(m.stored + i, pool, (n - i < WEIGHT_POOL ? n - i : WEIGHT_POOL) * sizeof *pool);
    free(pool);
    return m;
}

static void selftest_matrix_free(struct selftest_matrix *m)
{
    free(m->stored);
    free(m->pool);
}

/* The c-th of `count` indices spread over 0 .. n - 1, the last among them. */
static size_t checked_index(int c, int count, int n)
{
    return count == n ? (size_t)c : (size_t)((int64_t)(n - 1) * c / (count - 1));
}

/* to [T][count] = those columns of from [T][n]. */
static void checked_columns(float *to, const float *from, int T, int n, int count)
{
    for (int t = 0; t < T; t++)
        for (int c = 0; c < count; c++)
            to[t * count + c] = from[(size_t)t * n + checked_index(c, count, n)];
}

/* Whether two results that must be equal are. */
static void selftest_same(struct selftest *s, const char *kernel, const char *shape, const float *a, const float *b,
                          size_t n)
{
    selftest_line(s, kernel, shape, memcmp(a, b, n * sizeof *a) ? INFINITY : 0, 0);
}

/* Of a sum of `length` products, of operands that need no rounding. */
static double matmul_limit(double length)
{
    return reference_limit(length, 4) + 4 * PRODUCT_TRUNCATION;
}

/* found [T][N] at some columns against x W^T (+ bias) (+ residual). rounding: what storing the result may take, relative. */
static void check_nt(struct selftest *s, const char *kernel, const float *found, const float *x,
                     const struct selftest_matrix *w, const float *bias, const float *residual, int T, int N, int K,
                     double rounding)
{
    int count = N < CHECKED_COLUMNS ? N : CHECKED_COLUMNS;
    double *rows = selftest_doubles((size_t)count * K), *expected = selftest_doubles((size_t)T * count);
    double *wide = reference_widen(x, (size_t)T * K);
    float *part = selftest_floats((size_t)T * count);
    char shape[64];
    for (int c = 0; c < count; c++)
        for (int k = 0; k < K; k++)
            rows[(size_t)c * K + k] = w->pool[(checked_index(c, count, N) * K + k) % WEIGHT_POOL];
    reference_matmul(expected, wide, rows, T, count, K);
    for (int t = 0; t < T; t++)
        for (int c = 0; c < count; c++) {
            size_t n = checked_index(c, count, N);
            expected[t * count + c] += (bias ? bias[n] : 0) + (residual ? residual[(size_t)t * N + n] : 0);
        }
    checked_columns(part, found, T, N, count);
    snprintf(shape, sizeof shape, "T=%d N=%d K=%d", T, N, K);
    selftest_compare(s, kernel, shape, part, expected, (size_t)T * count, matmul_limit(K) + rounding);
    void *all[] = {rows, expected, wide, part};
    selftest_free(all, 4);
}

//@ local any_backward, any_gradient = false, false
//@ for _, p in ipairs(plan.products) do
//@   any_backward = any_backward or p.backward
//@   any_gradient = any_gradient or p.weight_gradient
//@ end
//@ if any_backward then
/* found [T][K] at some columns against dy W. */
static void check_nn(struct selftest *s, const char *kernel, const float *found, const float *dy,
                     const struct selftest_matrix *w, int T, int N, int K, double rounding)
{
    int count = K < CHECKED_COLUMNS ? K : CHECKED_COLUMNS;
    double *columns = selftest_doubles((size_t)N * count), *expected = selftest_doubles((size_t)T * count);
    double *wide = reference_widen(dy, (size_t)T * N);
    float *part = selftest_floats((size_t)T * count);
    char shape[64];
    for (int n = 0; n < N; n++)
        for (int c = 0; c < count; c++)
            columns[(size_t)n * count + c] = w->pool[((size_t)n * K + checked_index(c, count, K)) % WEIGHT_POOL];
    reference_matmul_backward(expected, NULL, wide, NULL, columns, T, N, count);
    checked_columns(part, found, T, K, count);
    snprintf(shape, sizeof shape, "T=%d N=%d K=%d", T, N, K);
    selftest_compare(s, kernel, shape, part, expected, (size_t)T * count, matmul_limit(N) + rounding);
    void *all[] = {columns, expected, wide, part};
    selftest_free(all, 4);
}

//@ end
//@ if any_gradient then
typedef void weight_gradient(float *dw, const float *dy, const $(plan.x_type) *x, int T);

/* dw [N][K], which begins as random values, at some of its rows against dw + dy^T x. */
static void check_weight_gradient(struct selftest *s, const char *kernel, weight_gradient *dw_kernel, const float *dy,
                                  const float *x, int N, int K)
{
    const int T = MOST_ROWS, count = N < CHECKED_COLUMNS ? N : CHECKED_COLUMNS;
    size_t size = (size_t)N * K;
    float *dw = selftest_random(s, size, 1), *one = allocate(size * sizeof *one, "selftest");
    float *part = selftest_floats((size_t)count * K), *dy_part = selftest_floats((size_t)T * count);
    double *expected = selftest_doubles((size_t)count * K), *wide_x = reference_widen(x, (size_t)T * K);
//@   if plan.narrow then
    bfloat16_t *x_stored = selftest_narrow(x, (size_t)T * K);
//@   end
    memcpy(one, dw, size * sizeof *dw);
    for (int c = 0; c < count; c++)
        for (int k = 0; k < K; k++)
            expected[(size_t)c * K + k] = dw[checked_index(c, count, N) * K + k];
    checked_columns(dy_part, dy, T, N, count);
    double *wide_dy = reference_widen(dy_part, (size_t)T * count);
#pragma omp parallel num_threads(s->threads)
    dw_kernel(dw, dy, $(plan.narrow and "x_stored" or "x"), T);
    dw_kernel(one, dy, $(plan.narrow and "x_stored" or "x"), T);
//@   if plan.narrow then
    free(x_stored);
//@   end
    for (int c = 0; c < count; c++)
        memcpy(part + (size_t)c * K, dw + checked_index(c, count, N) * K, K * sizeof *part);
    reference_matmul_backward(NULL, expected, wide_dy, wide_x, NULL, T, count, K);
    selftest_compare(s, kernel, "T=37", part, expected, (size_t)count * K, matmul_limit(T));
    selftest_same(s, kernel, "one thread", dw, one, size);
    void *all[] = {dw, one, part, dy_part, expected, wide_x, wide_dy};
    selftest_free(all, 7);
}

//@ end
static void selftest_choose(struct tuned tuned[TUNED_OPERATIONS * ROW_CLASSES], int variant)
{
    for (int i = 0; i < TUNED_OPERATIONS * ROW_CLASSES; i++)
        tuned[i].chosen = variant;
}

//@ for _, p in ipairs(plan.products) do
//@   local symbol = "matmul_" .. p.name
//@   local check = "check_" .. symbol
//@   local type = p.weight_gradient and "const float" or "const weight_t"
//@   local extra = (p.bias and ", c->bias" or "") .. (p.residual and ", residual" or "")
//@   local given = (p.bias and "c.bias" or "NULL") .. ", " .. (p.residual and "c.residual" or "NULL")
//@   local rounding = { float = "0", bfloat16_t = "RESULT_ROUNDING" }
//@   local function into(name, type) return type == "float" and name or name .. "_stored" end
struct $(symbol)_case {
    $(type) *w;
    float *x, *dy, *y, *dx;
//@   if p.bias then
    float *bias;
//@   end
//@   if p.residual then
    float *residual;
//@   end
    struct tuned tuned[TUNED_OPERATIONS * ROW_CLASSES];
};

//@   local functions = { { "fwd", "y", "N", p.y_type, "x", "K", plan.x_type }, { "decode", "y", "N", p.y_type, "x", "K", plan.x_type } }
//@   if p.backward then functions[3] = { "bwd", "dx", "K", p.dx_type, "dy", "N", p.y_type } end
//@   for _, f in ipairs(functions) do
//@     local name, to, to_width, to_type, from, from_width, from_type = table.unpack(f)
//@     local residual = name ~= "bwd" and p.residual
/* T rows from row `first` on. */
static void run_$(symbol)_$(name)(struct $(symbol)_case *c, int threads, int first, int T)
{
    enum { N = $(p.N_name), K = $(p.K_name) };
    float *$(to) = c->$(to) + (size_t)first * $(to_width);
    const float *$(from) = c->$(from) + (size_t)first * $(from_width);
//@     if residual then
    const float *residual = c->residual + (size_t)first * N;
//@     end
//@     if to_type ~= "float" then
    bfloat16_t *$(to)_stored = selftest_narrow($(to), (size_t)T * $(to_width));
//@     end
//@     if from_type ~= "float" then
    bfloat16_t *$(from)_stored = selftest_narrow($(from), (size_t)T * $(from_width));
//@     end
#pragma omp parallel num_threads(threads)
    $(symbol)_$(name)($(into(to, to_type)), $(into(from, from_type)), c->w$(name ~= "bwd" and extra or ""), T$(name ~= "decode" and ", c->tuned" or ""));
//@     if to_type ~= "float" then
    selftest_take($(to), $(to)_stored, (size_t)T * $(to_width));
//@     end
//@     if from_type ~= "float" then
    free($(from)_stored);
//@     end
}

//@   end
static void $(check)(struct selftest *s)
{
    enum { N = $(p.N_name), K = $(p.K_name) };
    struct selftest_matrix w = selftest_matrix(s, N, K);
//@   if p.weight_gradient then
    float *floats = selftest_floats((size_t)N * K);
    for (size_t i = 0; i < (size_t)N * K; i++)
        floats[i] = (float)w.pool[i % WEIGHT_POOL];
//@   end
    struct $(symbol)_case c = {.w = $(p.weight_gradient and "floats" or "w.stored")};
    c.x = selftest_operand(s, (size_t)MOST_ROWS * K, 1);
    c.dy = selftest_operand(s, (size_t)MOST_ROWS * N, 1);
    c.y = selftest_floats((size_t)MOST_ROWS * N);
    c.dx = selftest_floats((size_t)MOST_ROWS * K);
    float *one = selftest_floats((size_t)MOST_ROWS * (N > K ? N : K));
//@   if p.bias then
    c.bias = selftest_random(s, N, 1);
//@   end
//@   if p.residual then
    c.residual = selftest_random(s, (size_t)MOST_ROWS * N, 1);
//@   end
    for (int i = 0; i < ROW_COUNTS; i++) {
        const int T = selftest_rows[i];
        run_$(symbol)_fwd(&c, s->threads, 0, T);
$(wrap("        check_nt(s, \"" .. symbol .. "_fwd\", c.y, c.x, &w, " .. given .. ", T, N, K, " .. rounding[p.y_type] .. ");"))
//@   if p.backward then
        run_$(symbol)_bwd(&c, s->threads, 0, T);
        check_nn(s, "$(symbol)_bwd", c.dx, c.dy, &w, T, N, K, $(rounding[p.dx_type]));
//@   end
    }
//@   local same = { { "fwd", "y", "N" } }
//@   if p.backward then same[2] = { "bwd", "dx", "K" } end
//@   for _, f in ipairs(same) do
//@     local name, to, width = table.unpack(f)
    memcpy(one, c.$(to), (size_t)MOST_ROWS * $(width) * sizeof *one);
    run_$(symbol)_$(name)(&c, 1, 0, MOST_ROWS);
    selftest_same(s, "$(symbol)_$(name)", "one thread", one, c.$(to), (size_t)MOST_ROWS * $(width));
    run_$(symbol)_$(name)(&c, 1, 5, 1);
    selftest_same(s, "$(symbol)_$(name)", "a row alone", one, c.$(to), (size_t)MOST_ROWS * $(width));
    for (int variant = 1; variant < CUT_COUNT; variant++) {
        selftest_choose(c.tuned, variant);
        run_$(symbol)_$(name)(&c, s->threads, 0, MOST_ROWS);
        selftest_same(s, "$(symbol)_$(name)", CUT_NAMES[variant], one, c.$(to), (size_t)MOST_ROWS * $(width));
    }
    selftest_choose(c.tuned, 0);
//@   end
    for (int M = 1; M <= 8; M++) {
        run_$(symbol)_decode(&c, s->threads, 0, M);
$(wrap("        check_nt(s, \"" .. symbol .. "_decode\", c.y, c.x, &w, " .. given .. ", M, N, K, " .. rounding[p.y_type] .. ");"))
    }
//@   if p.weight_gradient then
    check_weight_gradient(s, "$(symbol)_dw", $(symbol)_dw, c.dy, c.x, N, K);
    free(floats);
//@   end
    void *all[] = {c.x, c.dy, c.y, c.dx, one$(p.bias and ", c.bias" or "")$(p.residual and ", c.residual" or "")};
    selftest_free(all, sizeof all / sizeof *all);
    selftest_matrix_free(&w);
}

//@ end
/* Philox4x32-10 against the known answers of its authors' library (Random123, kat_vectors). */
static void check_philox(struct selftest *s)
{
    static const uint32_t counters[3][4] = {
        {0, 0, 0, 0}, {~0u, ~0u, ~0u, ~0u}, {0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u}};
    static const uint64_t keys[3] = {0, ~(uint64_t)0, 0x299f31d0a4093822u};
    static const uint32_t known[3][4] = {{0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u},
                                         {0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu},
                                         {0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u}};
    uint32_t out[4];
    double error = 0;
    for (int i = 0; i < 3; i++) {
        philox(out, keys[i], counters[i]);
        if (memcmp(out, known[i], sizeof out))
            error = INFINITY;
    }
    selftest_line(s, "philox", "known answers", error, 0);
}

static void selftest_matmul(struct selftest *s)
{
    check_philox(s);
//@ for _, p in ipairs(plan.products) do
    check_matmul_$(p.name)(s);
//@ end
//@ if #plan.loras > 0 then
    selftest_lora(s);
//@ end
}

#endif
