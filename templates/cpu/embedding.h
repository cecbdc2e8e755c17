/* Token embedding: row ids[t] of a table [VOCAB][HIDDEN]. No FLOP; $(comma(plan.model.hidden_size * (plan.weight_dtype == "f32" and 8 or 6))) bytes a token are read and written:
 * memory-bound. */
#ifndef LORAC_EMBEDDING_H
#define LORAC_EMBEDDING_H

#include "isa.h"
#include "shapes.h"

/* x [T][HIDDEN] from the frozen table, widened to float. */
static void embedding_fwd(float *x, const weight_t *weight, const int32_t *ids, int T)
{
#pragma omp for schedule(static)
    for (int t = 0; t < T; t++)
        for (int i = 0; i < HIDDEN; i++)
            x[(size_t)t * HIDDEN + i] = weight_to_float(weight[(size_t)ids[t] * HIDDEN + i]);
}
//@ if plan.train_embedding then

/* The same from a trained table, which is float. */
static void embedding_trained_fwd(float *x, const float *weight, const int32_t *ids, int T)
{
#pragma omp for schedule(static)
    for (int t = 0; t < T; t++)
        memcpy(x + (size_t)t * HIDDEN, weight + (size_t)ids[t] * HIDDEN, HIDDEN * sizeof(float));
}

/* Adds dx [T][HIDDEN] to the rows of dweight [VOCAB][HIDDEN]. A token may occur often: each thread adds some columns of all tokens,
 * in their order, so that no two add to the same place. */
static void embedding_bwd(float *dweight, const float *dx, const int32_t *ids, int T)
{
    enum { COLUMNS = 64 };
#pragma omp for schedule(static)
    for (int first = 0; first < HIDDEN; first += COLUMNS) {
        int columns = HIDDEN - first < COLUMNS ? HIDDEN - first : COLUMNS;
        for (int t = 0; t < T; t++) {
            float *to = dweight + (size_t)ids[t] * HIDDEN + first;
            const float *from = dx + (size_t)t * HIDDEN + first;
#pragma omp simd
            for (int i = 0; i < columns; i++)
                to[i] += from[i];
        }
    }
}
//@ end

#endif
