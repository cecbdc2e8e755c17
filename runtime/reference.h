/* Every operation of the model written down once, plainly, in double precision, with sizes as arguments: what the
 * kernels of all backends are compared with. Nothing here is fast, and nothing here knows a recipe.
 *
 * Tensors are row-major; T counts tokens (rows), "dX" is the gradient of a scalar by X. Unless said otherwise an output
 * is stored, not added to. reference.c holds the operations, reference_attention.c attention, reference_check.c the
 * comparator.
 */
#ifndef LORAC_REFERENCE_H
#define LORAC_REFERENCE_H

#include "backend.h"

#include <stddef.h>
#include <stdint.h>

/* Grouped heads: a row of qkv is heads x head_dim of q, then kv_heads x head_dim of k, then as many of v; query head h
 * attends to key head h / (heads / kv_heads). */
struct reference_heads {
    int heads, kv_heads, head_dim;
};

/* Width of a row of qkv, and of q alone. */
int reference_qkv_width(const struct reference_heads *heads);
int reference_q_width(const struct reference_heads *heads);

/* ---- linear layers ---- */

/* y [T][N] = x [T][K] W^T, W [N][K]. */
void reference_matmul(double *y, const double *x, const double *w, int T, int N, int K);

/* Adds to dx [T][K] dy W and to dw [N][K] dy^T x; either may be NULL. */
void reference_matmul_backward(double *dx, double *dw, const double *dy, const double *x, const double *w, int T, int N,
                               int K);

/* ---- norms: y = x / sqrt(mean(x^2) + eps) * weight (Zhang and Sennrich 2019) ---- */

void reference_rmsnorm(double *y, const double *x, const double *weight, double eps, int T, int dim);
void reference_rmsnorm_backward(double *dx, const double *dy, const double *x, const double *weight, double eps, int T,
                                int dim);

/* The same over each head of q and of k in qkv (Qwen3); v goes through unchanged. Weights [head_dim]. */
void reference_head_norm(double *y, const double *qkv, const double *q_weight, const double *k_weight, double eps,
                         int T, const struct reference_heads *heads);
void reference_head_norm_backward(double *dqkv, const double *dy, const double *qkv, const double *q_weight,
                                  const double *k_weight, double eps, int T, const struct reference_heads *heads);

/* ---- rotary embedding, in place on q and k of qkv (Su et al. 2021; pairs (i, i + head_dim / 2) as Hugging Face lays
 * them) ---- */

/* cos and sin are tables [positions][head_dim / 2]; the backward pass rotates the other way. */
void reference_rope(double *qkv, const int32_t *position, const double *cosine, const double *sine, int T,
                    const struct reference_heads *heads);
void reference_rope_backward(double *dqkv, const int32_t *position, const double *cosine, const double *sine, int T,
                             const struct reference_heads *heads);

/* ---- attention ---- */

/* Segments laid end to end: starts [count + 1]. window: how many keys a query sees, itself included; 0: all before it.
 */
struct reference_segments {
    int count;
    const int32_t *starts;
    int window;
};

/* out [T][heads * head_dim], lse [T][heads] (log of the sum of exponentiated scores; may be NULL). */
void reference_attention(double *out, double *lse, const double *qkv, const struct reference_segments *segments,
                         const struct reference_heads *heads);
void reference_attention_backward(double *dqkv, const double *dout, const double *qkv,
                                  const struct reference_segments *segments, const struct reference_heads *heads);

/* ---- the rest ---- */

/* act [T][width] = silu(gate) * up, a row of gate_up being gate [width] then up [width]. */
void reference_swiglu(double *act, const double *gate_up, int T, int width);
void reference_swiglu_backward(double *dgate_up, const double *dact, const double *gate_up, int T, int width);

/* row_loss [R] = log(sum(exp(logits))) - logits[label]; best [R] the first largest logit. A label below 0: loss and
 * gradient 0. */
void reference_cross_entropy(double *row_loss, int32_t *best, const double *logits, const int32_t *labels, int R,
                             int vocab);
void reference_cross_entropy_backward(double *dlogits, const double *logits, const int32_t *labels, double scale, int R,
                                      int vocab);

/* One update of p, m, v [n] by gradient g (Loshchilov and Hutter 2019, in PyTorch's order). */
void reference_adamw(double *p, double *m, double *v, const double *g, size_t n, const struct adamw *adamw);

/* ---- checking ---- */

/* What float arithmetic may be off by, relative to an element's size: a sum of `length` products, whose rounding errors
 * add up like a random walk, and `steps` further roundings on the way (4 float epsilons at least). */
double reference_limit(double length, double steps);

/* The worst element: its error in units of the limit (passes when !(error > 1) and not NaN: reference_passes), where it
 * is. */
struct comparison {
    double error;
    double limit; /* as it was given */
    size_t index;
};

/* The one comparator. An element's error is |found - expected| / (limit * (|expected| + root mean square of expected)):
 * near zeros of the output are judged by the output's usual size, because they come of cancellation. Anything not
 * finite in either array gives error NaN. */
struct comparison reference_compare(const float *found, const double *expected, size_t n, double limit);
bool reference_passes(const struct comparison *comparison);

/* Central differences: compares gradient [n] with (loss(x + h) - loss(x - h)) / 2h in double, for at most `probes`
 * elements evenly spread over x (which is as before on return). Returns the worst error in units of what such a
 * difference can be off by, or NaN. */
typedef double reference_loss(void *context);
double reference_difference_error(reference_loss *loss, void *context, double *x, const double *gradient, size_t n,
                                  size_t probes);

/* Sizes to check the references' own backward passes at. Attention's segments are cut out of T. */
struct reference_sizes {
    int T, dim, width, vocab;
    struct reference_heads heads;
};

/* Every backward pass above against differences of its forward pass, at up to `probes` elements of its input; report gets the
 * operation's name and the worst error as reference_difference_error gives it. In reference_gradients.c. */
typedef void reference_gradient_report(void *context, const char *operation, double error);
void reference_check_gradients(const struct reference_sizes *sizes, size_t probes, reference_gradient_report *report,
                               void *context);

/* Test data: x [n] uniform in +-range, every value exact in float, from a counter (splitmix64): the same seed, the same
 * data. */
void reference_fill(double *x, size_t n, double range, uint64_t seed);
void reference_fill_float(float *x, size_t n, float range, uint64_t seed);

/* Widened copy (free() it). */
double *reference_widen(const float *x, size_t n);

/* Sum of weight[i] * y[i]: turns an operation into a scalar, whose gradient by y is `weight`. */
double reference_dot(const double *weight, const double *y, size_t n);

#endif
