/* AdamW (Loshchilov and Hutter 2019) in PyTorch's order, and the gradients' norm, over the flat block of trained parameters.
 * Memory-bound: 28 bytes per parameter and step.
 */
#ifndef LORAC_ADAMW_H
#define LORAC_ADAMW_H

#include "backend.h"
#include "isa.h"

#include <math.h>

enum { PARAMETER_BLOCK = 16384 }; /* parameters per work item; also what is summed at a time */

/* p, g, m, v [n]. Decay first, then the moments, then the step:
 *   p *= 1 - learning_rate * weight_decay
 *   m += (1 - beta1) * (g - m);  v = beta2 * v + (1 - beta2) * g^2
 *   p -= learning_rate / (1 - beta1^step) * m / (sqrt(v) / sqrt(1 - beta2^step) + epsilon)
 * Factors are computed in double and rounded once. */
static void adamw_update(float *p, const float *g, float *m, float *v, size_t n, const struct adamw *adamw)
{
    double correction1 = 1.0 - pow(adamw->beta1, (double)adamw->step),
           correction2 = 1.0 - pow(adamw->beta2, (double)adamw->step);
    const float keep = (float)(1.0 - adamw->learning_rate * adamw->weight_decay), clip = (float)adamw->grad_scale;
    const float beta2 = (float)adamw->beta2, rest1 = (float)(1.0 - adamw->beta1), rest2 = (float)(1.0 - adamw->beta2);
    const float rate = (float)(adamw->learning_rate / correction1), root = (float)sqrt(correction2),
                epsilon = (float)adamw->epsilon;
#pragma omp for schedule(static)
    for (size_t first = 0; first < n; first += PARAMETER_BLOCK) {
        size_t end = n - first < PARAMETER_BLOCK ? n : first + PARAMETER_BLOCK;
#pragma omp simd
        for (size_t i = first; i < end; i++) {
            float gradient = g[i] * clip;
            m[i] += rest1 * (gradient - m[i]);
            v[i] = beta2 * v[i] + rest2 * gradient * gradient;
            p[i] = p[i] * keep - rate * m[i] / (sqrtf(v[i]) / root + epsilon);
        }
    }
}

/* The L2 norm of g [n], returned to every thread. Blocks are summed in double and added up in their order; block_sums
 * [(n + PARAMETER_BLOCK - 1) / PARAMETER_BLOCK] is scratch that the threads share. */
static double gradient_norm(const float *g, size_t n, double *block_sums)
{
#pragma omp for schedule(static)
    for (size_t first = 0; first < n; first += PARAMETER_BLOCK) {
        size_t end = n - first < PARAMETER_BLOCK ? n : first + PARAMETER_BLOCK;
        double sum = 0;
#pragma omp simd reduction(+ : sum)
        for (size_t i = first; i < end; i++)
            sum += (double)g[i] * (double)g[i];
        block_sums[first / PARAMETER_BLOCK] = sum;
    }
    double total = 0;
    for (size_t block = 0; block * PARAMETER_BLOCK < n; block++)
        total += block_sums[block];
    return sqrt(total);
}

#endif
