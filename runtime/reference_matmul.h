/* Adapters and their dropout in plain double precision: what lora.h and dropout.h of every backend are compared with, beside
 * reference.h. Sizes are arguments; gradients are added to what is there.
 */
#ifndef LORAC_REFERENCE_MATMUL_H
#define LORAC_REFERENCE_MATMUL_H

#include <stdint.h>

/* Where masks come from, as the kernels key them. */
struct reference_dropout {
    double p; /* probability, in steps of 1 / 65536 */
    uint64_t seed;
    uint32_t step, module;
    const uint32_t *sample;  /* [T] */
    const int32_t *position; /* [T] */
};

/* mask [T][in]: 0 where an element is dropped, else 1 / (1 - p). */
void reference_dropout_mask(double *mask, const struct reference_dropout *dropout, int T, int in);

/* One adapter: W [out][in], A [r][in], B [out][r]. */
struct reference_lora {
    int in, out, r;
    double scaling;
    const double *a, *b;
    const double *mask; /* [T][in], or NULL: no dropout */
    /* DoRA; NULL without it */
    const double *w, *magnitude, *norm;
};

/* y [T][out] += what the adapter adds to x W^T (+ bias), x [T][in]: scaling * B A x', and with DoRA
 * (g - 1) * W x' + g * scaling * B A x', g = magnitude / norm, x' = mask .* x (Liu et al. 2024, eq. 5 with the norm held). */
void reference_lora_forward(double *y, const double *x, const struct reference_lora *lora, int T);

/* Its gradients, added to dx [T][in], da [r][in], db [out][r], dmagnitude [out] (dx and dmagnitude may be NULL). */
void reference_lora_backward(double *dx, double *da, double *db, double *dmagnitude, const double *dy, const double *x,
                             const struct reference_lora *lora, int T);

/* norm [out] = length of each row of W + scaling B A. */
void reference_dora_norm(double *norm, const double *w, const struct reference_lora *lora);

#endif
