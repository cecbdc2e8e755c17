#include "reference.h"

#include <stdlib.h>
#include <string.h>

/* One operation as a function of x to y; `fixed` is whatever else it takes. */
struct run {
    const struct reference_sizes *sizes;
    const struct operation *operation;
    double *x, *y, *dx, *dy, *fixed;
    int32_t *labels, *positions;
    struct reference_segments segments;
};

struct operation {
    const char *name;
    size_t (*inputs)(const struct reference_sizes *sizes);
    size_t (*outputs)(const struct reference_sizes *sizes);
    void (*forward)(struct run *run);
    void (*backward)(struct run *run); /* dx comes zeroed */
};

/* ---- sizes ---- */

static size_t one(const struct reference_sizes *s)
{
    (void)s;
    return 1;
}

static size_t rows(const struct reference_sizes *s)
{
    return (size_t)s->T * s->dim;
}

static size_t products(const struct reference_sizes *s)
{
    return (size_t)s->T * s->width;
}

static size_t weights(const struct reference_sizes *s)
{
    return (size_t)s->width * s->dim;
}

static size_t pairs(const struct reference_sizes *s)
{
    return 2 * products(s);
}

static size_t logits(const struct reference_sizes *s)
{
    return (size_t)s->T * s->vocab;
}

static size_t qkv(const struct reference_sizes *s)
{
    return (size_t)s->T * reference_qkv_width(&s->heads);
}

static size_t attended(const struct reference_sizes *s)
{
    return (size_t)s->T * reference_q_width(&s->heads);
}

/* ---- operations ---- */

static void matmul(struct run *r)
{
    reference_matmul(r->y, r->x, r->fixed, r->sizes->T, r->sizes->width, r->sizes->dim);
}

static void matmul_backward(struct run *r)
{
    reference_matmul_backward(r->dx, NULL, r->dy, r->x, r->fixed, r->sizes->T, r->sizes->width, r->sizes->dim);
}

static void matmul_by_weight(struct run *r)
{
    reference_matmul(r->y, r->fixed, r->x, r->sizes->T, r->sizes->width, r->sizes->dim);
}

static void matmul_by_weight_backward(struct run *r)
{
    reference_matmul_backward(NULL, r->dx, r->dy, r->fixed, r->x, r->sizes->T, r->sizes->width, r->sizes->dim);
}

static const double norm_eps = 1e-2; /* large enough to be seen */

static void rmsnorm(struct run *r)
{
    reference_rmsnorm(r->y, r->x, r->fixed, norm_eps, r->sizes->T, r->sizes->dim);
}

static void rmsnorm_backward(struct run *r)
{
    reference_rmsnorm_backward(r->dx, r->dy, r->x, r->fixed, norm_eps, r->sizes->T, r->sizes->dim);
}

static void head_norm(struct run *r)
{
    const struct reference_heads *heads = &r->sizes->heads;
    reference_head_norm(r->y, r->x, r->fixed, r->fixed + heads->head_dim, norm_eps, r->sizes->T, heads);
}

static void head_norm_backward(struct run *r)
{
    const struct reference_heads *heads = &r->sizes->heads;
    reference_head_norm_backward(r->dx, r->dy, r->x, r->fixed, r->fixed + heads->head_dim, norm_eps, r->sizes->T,
                                 heads);
}

/* The tables need not be of angles: the way back is the transposed of the way there whatever they hold. */
static void rope(struct run *r)
{
    const struct reference_heads *heads = &r->sizes->heads;
    memcpy(r->y, r->x, qkv(r->sizes) * sizeof *r->y);
    reference_rope(r->y, r->positions, r->fixed, r->fixed + qkv(r->sizes) / 2, r->sizes->T, heads);
}

static void rope_backward(struct run *r)
{
    const struct reference_heads *heads = &r->sizes->heads;
    memcpy(r->dx, r->dy, qkv(r->sizes) * sizeof *r->dx);
    reference_rope_backward(r->dx, r->positions, r->fixed, r->fixed + qkv(r->sizes) / 2, r->sizes->T, heads);
}

static void attention(struct run *r)
{
    r->segments.window = 0;
    reference_attention(r->y, NULL, r->x, &r->segments, &r->sizes->heads);
}

static void attention_backward(struct run *r)
{
    r->segments.window = 0;
    reference_attention_backward(r->dx, r->dy, r->x, &r->segments, &r->sizes->heads);
}

static void sliding_attention(struct run *r)
{
    r->segments.window = 3;
    reference_attention(r->y, NULL, r->x, &r->segments, &r->sizes->heads);
}

static void sliding_attention_backward(struct run *r)
{
    r->segments.window = 3;
    reference_attention_backward(r->dx, r->dy, r->x, &r->segments, &r->sizes->heads);
}

static void swiglu(struct run *r)
{
    reference_swiglu(r->y, r->x, r->sizes->T, r->sizes->width);
}

static void swiglu_backward(struct run *r)
{
    reference_swiglu_backward(r->dx, r->dy, r->x, r->sizes->T, r->sizes->width);
}

static void cross_entropy(struct run *r)
{
    int T = r->sizes->T;
    double *loss = allocate((size_t)T * sizeof *loss, "a reference's check");
    int32_t *best = allocate((size_t)T * sizeof *best, "a reference's check");
    reference_cross_entropy(loss, best, r->x, r->labels, T, r->sizes->vocab);
    r->y[0] = 0;
    for (int t = 0; t < T; t++)
        r->y[0] += loss[t];
    free(loss);
    free(best);
}

static void cross_entropy_backward(struct run *r)
{
    reference_cross_entropy_backward(r->dx, r->x, r->labels, r->dy[0], r->sizes->T, r->sizes->vocab);
}

static const struct operation operations[] = {
    {"matmul by x", rows, products, matmul, matmul_backward},
    {"matmul by W", weights, products, matmul_by_weight, matmul_by_weight_backward},
    {"rmsnorm", rows, rows, rmsnorm, rmsnorm_backward},
    {"head_norm", qkv, qkv, head_norm, head_norm_backward},
    {"rope", qkv, qkv, rope, rope_backward},
    {"attention", qkv, attended, attention, attention_backward},
    {"attention with a window", qkv, attended, sliding_attention, sliding_attention_backward},
    {"swiglu", pairs, products, swiglu, swiglu_backward},
    {"cross_entropy", logits, one, cross_entropy, cross_entropy_backward},
};

enum { OPERATIONS = sizeof operations / sizeof *operations };

/* ---- the check ---- */

static double loss_of(void *context)
{
    struct run *run = context;
    run->operation->forward(run);
    return reference_dot(run->dy, run->y, run->operation->outputs(run->sizes));
}

static double check(struct run *run, const struct operation *operation, size_t probes, uint64_t seed)
{
    size_t inputs = operation->inputs(run->sizes), outputs = operation->outputs(run->sizes);
    run->operation = operation;
    reference_fill(run->x, inputs, 1.5, seed);
    reference_fill(run->dy, outputs, 1, seed + 1);
    memset(run->dx, 0, inputs * sizeof *run->dx);
    operation->backward(run);
    return reference_difference_error(loss_of, run, run->x, run->dx, inputs, probes);
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

void reference_check_gradients(const struct reference_sizes *sizes, size_t probes, reference_gradient_report *report,
                               void *context)
{
    size_t largest = larger(weights(sizes), rows(sizes));
    largest = larger(larger(largest, pairs(sizes)), larger(logits(sizes), qkv(sizes)));
    double *memory = allocate(5 * largest * sizeof *memory, "a reference's check");
    int32_t *numbers = allocate(2 * (size_t)sizes->T * sizeof *numbers, "a reference's check");
    const int32_t starts[] = {0, (sizes->T + 3) / 4, sizes->T};
    struct run run = {.sizes = sizes,
                      .x = memory,
                      .y = memory + largest,
                      .dx = memory + 2 * largest,
                      .dy = memory + 3 * largest,
                      .fixed = memory + 4 * largest,
                      .labels = numbers,
                      .positions = numbers + sizes->T,
                      .segments = {2, starts, 0}};
    reference_fill(run.fixed, largest, 1, 1);
    for (int t = 0; t < sizes->T; t++) {
        run.labels[t] = t == 1 ? -100 : t * 5 % sizes->vocab;
        run.positions[t] = sizes->T - 1 - t;
    }
    for (int i = 0; i < OPERATIONS; i++)
        report(context, operations[i].name, check(&run, &operations[i], probes, 2 * i + 2));
    free(memory);
    free(numbers);
}
