#include "reference.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One query head of one token: its place in qkv, and the keys that it sees. */
struct query {
    const double *q; /* [head_dim] */
    int kv_head;     /* whose keys and values */
    int first, last; /* tokens that it sees, last is itself */
};

/* Element offset of key (or, with value = 1, value) head h of token t. */
static size_t kv_offset(int t, int h, int value, const struct reference_heads *heads)
{
    return (size_t)t * reference_qkv_width(heads) +
           (size_t)(heads->heads + value * heads->kv_heads + h) * heads->head_dim;
}

static struct query query_of(const double *qkv, int t, int h, int start, int window,
                             const struct reference_heads *heads)
{
    struct query query = {qkv + (size_t)t * reference_qkv_width(heads) + (size_t)h * heads->head_dim,
                          h / (heads->heads / heads->kv_heads), start, t};
    if (window > 0 && t - window + 1 > start)
        query.first = t - window + 1;
    return query;
}

/* p [last - first + 1] = softmax of the scaled scores; returns the log of the sum of exponentials. */
static double probabilities(double *p, const struct query *query, const double *qkv,
                            const struct reference_heads *heads)
{
    int keys = query->last - query->first + 1;
    double max = -INFINITY, sum = 0;
    for (int j = 0; j < keys; j++) {
        const double *k = qkv + kv_offset(query->first + j, query->kv_head, 0, heads);
        p[j] = reference_dot(query->q, k, heads->head_dim) / sqrt(heads->head_dim);
        max = p[j] > max ? p[j] : max;
    }
    for (int j = 0; j < keys; j++)
        sum += p[j] = exp(p[j] - max);
    for (int j = 0; j < keys; j++)
        p[j] /= sum;
    return max + log(sum);
}

static void attend(double *out, double *lse, double *p, const struct query *query, const double *qkv,
                   const struct reference_heads *heads)
{
    double log_sum = probabilities(p, query, qkv, heads);
    if (lse)
        *lse = log_sum;
    memset(out, 0, (size_t)heads->head_dim * sizeof *out);
    for (int j = query->first; j <= query->last; j++) {
        const double *v = qkv + kv_offset(j, query->kv_head, 1, heads);
        for (int i = 0; i < heads->head_dim; i++)
            out[i] += p[j - query->first] * v[i];
    }
}

/* With dp = dout . v and ds = p * (dp - sum(p * dp)) / sqrt(head_dim): dq += ds k, dk += ds q, dv += p dout. */
static void attend_backward(double *dqkv, double *dq, const double *dout, double *p, const struct query *query,
                            const double *qkv, const struct reference_heads *heads)
{
    int dim = heads->head_dim;
    probabilities(p, query, qkv, heads);
    double delta = 0;
    for (int j = query->first; j <= query->last; j++)
        delta += p[j - query->first] * reference_dot(dout, qkv + kv_offset(j, query->kv_head, 1, heads), dim);
    for (int j = query->first; j <= query->last; j++) {
        size_t k = kv_offset(j, query->kv_head, 0, heads), v = kv_offset(j, query->kv_head, 1, heads);
        double pj = p[j - query->first], ds = pj * (reference_dot(dout, qkv + v, dim) - delta) / sqrt(dim);
        for (int i = 0; i < dim; i++) {
            dq[i] += ds * qkv[k + i];
            dqkv[k + i] += ds * query->q[i];
            dqkv[v + i] += pj * dout[i];
        }
    }
}

void reference_attention(double *out, double *lse, const double *qkv, const struct reference_segments *segments,
                         const struct reference_heads *heads)
{
    double *p = allocate((size_t)segments->starts[segments->count] * sizeof *p, "attention's reference");
    for (int s = 0; s < segments->count; s++)
        for (int t = segments->starts[s]; t < segments->starts[s + 1]; t++)
            for (int h = 0; h < heads->heads; h++) {
                struct query query = query_of(qkv, t, h, segments->starts[s], segments->window, heads);
                size_t row = (size_t)t * heads->heads + h;
                attend(out + row * heads->head_dim, lse ? lse + row : NULL, p, &query, qkv, heads);
            }
    free(p);
}

void reference_attention_backward(double *dqkv, const double *dout, const double *qkv,
                                  const struct reference_segments *segments, const struct reference_heads *heads)
{
    int T = segments->starts[segments->count];
    double *p = allocate((size_t)T * sizeof *p, "attention's reference");
    memset(dqkv, 0, (size_t)T * reference_qkv_width(heads) * sizeof *dqkv);
    for (int s = 0; s < segments->count; s++)
        for (int t = segments->starts[s]; t < segments->starts[s + 1]; t++)
            for (int h = 0; h < heads->heads; h++) {
                struct query query = query_of(qkv, t, h, segments->starts[s], segments->window, heads);
                size_t row = (size_t)t * heads->heads + h;
                attend_backward(dqkv, dqkv + (query.q - qkv), dout + row * heads->head_dim, p, &query, qkv, heads);
            }
    free(p);
}
