/* Cross entropy of each row of logits [R][VOCAB] with its label: log(sum(exp(row))) - row[label], in natural logarithms.
 *
 * A row is read twice, for its largest logit and for the sum (float within blocks of columns, double across them), and once more
 * to turn it into its gradient; it stays in the cache meanwhile. $(plan.model.vocab_size) exponentials per row and pass:
 * compute-bound. A label below 0 is not trained: loss and gradient 0.
 */
#ifndef LORAC_CROSS_ENTROPY_H
#define LORAC_CROSS_ENTROPY_H

#include "exp.h"
#include "isa.h"
#include "shapes.h"

#include <math.h>

enum { LOSS_BLOCK = 4096 }; /* columns that are summed in float */

static inline float row_max(const float *row)
{
    float max = -INFINITY;
#pragma omp simd reduction(max : max)
    for (int i = 0; i < VOCAB; i++)
        max = row[i] > max ? row[i] : max;
    return max;
}

/* The first column that holds max; 0 where none does (NaN). */
static inline int32_t first_of(const float *row, float max)
{
    for (int first = 0; first < VOCAB; first += LOSS_BLOCK) {
        int end = VOCAB - first < LOSS_BLOCK ? VOCAB : first + LOSS_BLOCK, found = 0;
#pragma omp simd reduction(| : found)
        for (int i = first; i < end; i++)
            found |= row[i] == max;
        for (int i = first; found && i < end; i++)
            if (row[i] == max)
                return i;
    }
    return 0;
}

/* sum(exp(row - max)); with out not NULL the terms are stored there (it may be row). */
ALWAYS_INLINE double exp_sum(float *out, const float *row, float max)
{
    double total = 0;
    for (int first = 0; first < VOCAB; first += LOSS_BLOCK) {
        int end = VOCAB - first < LOSS_BLOCK ? VOCAB : first + LOSS_BLOCK;
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int i = first; i < end; i++) {
            float term = exp_float(row[i] - max);
            if (out)
                out[i] = term;
            sum += term;
        }
        total += (double)sum;
    }
    return total;
}

/* The loss of a row whose largest logit and sum are known. */
static inline double row_cross_entropy(const float *row, int32_t label, float max, double sum)
{
    return label < 0 ? 0.0 : log(sum) + (double)max - (double)row[label];
}

/* row_loss [R]; row_best [R]: the first largest logit's column. */
static void cross_entropy_fwd(double *row_loss, int32_t *row_best, const float *logits, const int32_t *labels, int R)
{
#pragma omp for schedule(static)
    for (int r = 0; r < R; r++) {
        const float *row = logits + (size_t)r * VOCAB;
        float max = row_max(row);
        row_best[r] = first_of(row, max);
        row_loss[r] = row_cross_entropy(row, labels[r], max, exp_sum(NULL, row, max));
    }
}

/* The loss as above, and in place of the logits its gradient: scale * (softmax - onehot(label)). */
static void cross_entropy_fwd_bwd(double *row_loss, float *logits, const int32_t *labels, float scale, int R)
{
#pragma omp for schedule(static)
    for (int r = 0; r < R; r++) {
        float *row = logits + (size_t)r * VOCAB;
        float max = row_max(row), target = labels[r] < 0 ? 0.0f : row[labels[r]];
        double sum = exp_sum(row, row, max);
        row_loss[r] = labels[r] < 0 ? 0.0 : log(sum) + (double)max - (double)target;
        float factor = labels[r] < 0 ? 0.0f : (float)((double)scale / sum);
#pragma omp simd
        for (int i = 0; i < VOCAB; i++)
            row[i] *= factor;
        if (labels[r] >= 0)
            row[labels[r]] -= scale;
    }
}

#endif
