#include "reference.h"

#include <math.h>

int reference_q_width(const struct reference_heads *heads)
{
    return heads->heads * heads->head_dim;
}

int reference_qkv_width(const struct reference_heads *heads)
{
    return (heads->heads + 2 * heads->kv_heads) * heads->head_dim;
}

void reference_matmul(double *y, const double *x, const double *w, int T, int N, int K)
{
    for (int t = 0; t < T; t++)
        for (int n = 0; n < N; n++)
            y[(size_t)t * N + n] = reference_dot(x + (size_t)t * K, w + (size_t)n * K, K);
}

void reference_matmul_backward(double *dx, double *dw, const double *dy, const double *x, const double *w, int T, int N,
                               int K)
{
    for (int t = 0; t < T; t++)
        for (int n = 0; n < N; n++) {
            double d = dy[(size_t)t * N + n];
            for (int k = 0; dx && k < K; k++)
                dx[(size_t)t * K + k] += d * w[(size_t)n * K + k];
            for (int k = 0; dw && k < K; k++)
                dw[(size_t)n * K + k] += d * x[(size_t)t * K + k];
        }
}

static void norm_vector(double *y, const double *x, const double *weight, double eps, int dim)
{
    double rstd = 1 / sqrt(reference_dot(x, x, dim) / dim + eps);
    for (int i = 0; i < dim; i++)
        y[i] = x[i] * rstd * weight[i];
}

/* With n = x * rstd: dx = rstd * (dy * weight - n * mean(dy * weight * n)). */
static void norm_vector_backward(double *dx, const double *dy, const double *x, const double *weight, double eps,
                                 int dim)
{
    double rstd = 1 / sqrt(reference_dot(x, x, dim) / dim + eps), mean = 0;
    for (int i = 0; i < dim; i++)
        mean += dy[i] * weight[i] * x[i] * rstd / dim;
    for (int i = 0; i < dim; i++)
        dx[i] = rstd * (dy[i] * weight[i] - x[i] * rstd * mean);
}

void reference_rmsnorm(double *y, const double *x, const double *weight, double eps, int T, int dim)
{
    for (int t = 0; t < T; t++)
        norm_vector(y + (size_t)t * dim, x + (size_t)t * dim, weight, eps, dim);
}

void reference_rmsnorm_backward(double *dx, const double *dy, const double *x, const double *weight, double eps, int T,
                                int dim)
{
    for (int t = 0; t < T; t++) {
        size_t row = (size_t)t * dim;
        norm_vector_backward(dx + row, dy + row, x + row, weight, eps, dim);
    }
}

/* Which weight head h of a row of qkv is normed with; NULL for those of v. */
static const double *head_weight(int h, const double *q_weight, const double *k_weight,
                                 const struct reference_heads *heads)
{
    if (h < heads->heads)
        return q_weight;
    return h < heads->heads + heads->kv_heads ? k_weight : NULL;
}

void reference_head_norm(double *y, const double *qkv, const double *q_weight, const double *k_weight, double eps,
                         int T, const struct reference_heads *heads)
{
    int dim = heads->head_dim, count = heads->heads + 2 * heads->kv_heads;
    for (int t = 0; t < T; t++)
        for (int h = 0; h < count; h++) {
            size_t at = ((size_t)t * count + h) * dim;
            const double *weight = head_weight(h, q_weight, k_weight, heads);
            if (weight)
                norm_vector(y + at, qkv + at, weight, eps, dim);
            for (int i = 0; !weight && i < dim; i++)
                y[at + i] = qkv[at + i];
        }
}

void reference_head_norm_backward(double *dqkv, const double *dy, const double *qkv, const double *q_weight,
                                  const double *k_weight, double eps, int T, const struct reference_heads *heads)
{
    int dim = heads->head_dim, count = heads->heads + 2 * heads->kv_heads;
    for (int t = 0; t < T; t++)
        for (int h = 0; h < count; h++) {
            size_t at = ((size_t)t * count + h) * dim;
            const double *weight = head_weight(h, q_weight, k_weight, heads);
            if (weight)
                norm_vector_backward(dqkv + at, dy + at, qkv + at, weight, eps, dim);
            for (int i = 0; !weight && i < dim; i++)
                dqkv[at + i] = dy[at + i];
        }
}

static void rotate(double *qkv, const int32_t *position, const double *cosine, const double *sine, int T,
                   const struct reference_heads *heads, double direction)
{
    int half = heads->head_dim / 2, rotated = heads->heads + heads->kv_heads;
    for (int t = 0; t < T; t++)
        for (int h = 0; h < rotated; h++) {
            double *x = qkv + (size_t)t * reference_qkv_width(heads) + (size_t)h * heads->head_dim;
            for (int i = 0; i < half; i++) {
                double c = cosine[(size_t)position[t] * half + i], s = direction * sine[(size_t)position[t] * half + i];
                double first = x[i], second = x[i + half];
                x[i] = first * c - second * s;
                x[i + half] = second * c + first * s;
            }
        }
}

void reference_rope(double *qkv, const int32_t *position, const double *cosine, const double *sine, int T,
                    const struct reference_heads *heads)
{
    rotate(qkv, position, cosine, sine, T, heads, 1);
}

void reference_rope_backward(double *dqkv, const int32_t *position, const double *cosine, const double *sine, int T,
                             const struct reference_heads *heads)
{
    rotate(dqkv, position, cosine, sine, T, heads, -1);
}

void reference_swiglu(double *act, const double *gate_up, int T, int width)
{
    for (int t = 0; t < T; t++)
        for (int i = 0; i < width; i++) {
            double gate = gate_up[(size_t)t * 2 * width + i], up = gate_up[(size_t)t * 2 * width + width + i];
            act[(size_t)t * width + i] = gate / (1 + exp(-gate)) * up;
        }
}

void reference_swiglu_backward(double *dgate_up, const double *dact, const double *gate_up, int T, int width)
{
    for (int t = 0; t < T; t++)
        for (int i = 0; i < width; i++) {
            size_t at = (size_t)t * 2 * width + i;
            double gate = gate_up[at], up = gate_up[at + width], d = dact[(size_t)t * width + i];
            double sigmoid = 1 / (1 + exp(-gate));
            dgate_up[at] = d * up * sigmoid * (1 + gate * (1 - sigmoid));
            dgate_up[at + width] = d * gate * sigmoid;
        }
}

static int largest(const double *x, int n)
{
    int best = 0;
    for (int i = 1; i < n; i++)
        if (x[i] > x[best])
            best = i;
    return best;
}

static double log_sum_exp(const double *x, int n)
{
    double max = x[largest(x, n)], sum = 0;
    for (int i = 0; i < n; i++)
        sum += exp(x[i] - max);
    return max + log(sum);
}

void reference_cross_entropy(double *row_loss, int32_t *best, const double *logits, const int32_t *labels, int R,
                             int vocab)
{
    for (int r = 0; r < R; r++) {
        const double *row = logits + (size_t)r * vocab;
        row_loss[r] = labels[r] < 0 ? 0 : log_sum_exp(row, vocab) - row[labels[r]];
        best[r] = largest(row, vocab);
    }
}

void reference_cross_entropy_backward(double *dlogits, const double *logits, const int32_t *labels, double scale, int R,
                                      int vocab)
{
    for (int r = 0; r < R; r++) {
        const double *row = logits + (size_t)r * vocab;
        double lse = log_sum_exp(row, vocab);
        for (int i = 0; i < vocab; i++)
            dlogits[(size_t)r * vocab + i] = labels[r] < 0 ? 0 : scale * (exp(row[i] - lse) - (i == labels[r]));
    }
}

void reference_adamw(double *p, double *m, double *v, const double *g, size_t n, const struct adamw *adamw)
{
    double correction1 = 1 - pow(adamw->beta1, (double)adamw->step),
           correction2 = 1 - pow(adamw->beta2, (double)adamw->step);
    for (size_t i = 0; i < n; i++) {
        double gradient = g[i] * adamw->grad_scale;
        p[i] *= 1 - adamw->learning_rate * adamw->weight_decay;
        m[i] = adamw->beta1 * m[i] + (1 - adamw->beta1) * gradient;
        v[i] = adamw->beta2 * v[i] + (1 - adamw->beta2) * gradient * gradient;
        p[i] -= adamw->learning_rate * (m[i] / correction1) / (sqrt(v[i] / correction2) + adamw->epsilon);
    }
}
