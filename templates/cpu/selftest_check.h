/* What the checks of the kernels share: reporting and test data.
 *
 * A check makes float inputs, runs the kernel (in a parallel region of s->threads), widens the same inputs to double for the reference (runtime/reference.h) and
 * hands both results to selftest_compare. Work is kept small (few rows), so that a big recipe's selftest takes seconds.
 */
#ifndef LORAC_SELFTEST_CHECK_H
#define LORAC_SELFTEST_CHECK_H

#include "isa.h"
#include "reference.h"
#include "shapes.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct selftest {
    int threads;
    selftest_report *report;
    void *context;
    int failed;     /* lines so far that did not pass */
    uint64_t seeds; /* counts the random tensors */
};

/* Reports one line; error in units of the limit. */
static void selftest_line(struct selftest *s, const char *kernel, const char *shape, double error, double limit)
{
    struct selftest_line line = {kernel, shape, error, limit};
    s->failed += !(error <= 1);
    s->report(s->context, &line);
}

/* Compares n floats with the reference and reports. The limit: runtime/reference.h's reference_limit(length, steps). */
static void selftest_compare(struct selftest *s, const char *kernel, const char *shape, const float *found,
                             const double *expected, size_t n, double limit)
{
    selftest_line(s, kernel, shape, reference_compare(found, expected, n, limit).error, limit);
}

/* n floats, uniform in +-range, others at each call; free() them. */
static float *selftest_random(struct selftest *s, size_t n, float range)
{
    float *x = allocate(n * sizeof *x, "selftest");
    reference_fill_float(x, n, range, ++s->seeds);
    return x;
}

//@ if plan.compute_dtype ~= "f32" then
/* Cuts n floats to what AMX, which takes $(plan.narrow and "one bfloat16" or "two bfloat16") of each, takes as they are. */
static void selftest_cut(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        bits &= $(plan.narrow and "0xffff0000u" or "0xffffff00u");
        memcpy(&x[i], &bits, sizeof bits);
    }
}

//@ end
/* The same for what goes into $(plan.narrow and "kernels as bfloat16 or into " or "")matrix products. */
static float *selftest_operand(struct selftest *s, size_t n, float range)
{
    float *x = selftest_random(s, n, range);
//@ if plan.compute_dtype ~= "f32" then
    selftest_cut(x, n);
//@ end
    return x;
}

//@ if plan.narrow then
/* What rounding to bfloat16 takes at most, relative to a result. */
static const double RESULT_ROUNDING = 0x1p-8;

/* Floats that bfloat16 holds, as kernels take them; free() them. */
static bfloat16_t *selftest_narrow(const float *x, size_t n)
{
    bfloat16_t *y = allocate(n * sizeof *y, "selftest");
    for (size_t i = 0; i < n; i++)
        y[i] = float_to_bfloat16(x[i]);
    return y;
}

/* Results as floats; frees `from`. */
static void selftest_take(float *to, bfloat16_t *from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] = bfloat16_to_float(from[i]);
    free(from);
}

//@ end
/* Zeroed; free() them. */
static float *selftest_floats(size_t n)
{
    return allocate(n * sizeof(float), "selftest");
}

static double *selftest_doubles(size_t n)
{
    return allocate(n * sizeof(double), "selftest");
}

/* Frees count blocks. */
static void selftest_free(void **blocks, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(blocks[i]);
}

//@ if plan.weight_dtype == "f32" then
/* n stored weights and what they are in double (values [n]); free() them. */
static weight_t *selftest_weights(struct selftest *s, double *values, size_t n)
{
    weight_t *weights = selftest_random(s, n, 1);
    for (size_t i = 0; i < n; i++)
        values[i] = weights[i];
    return weights;
}
//@ else
//@   local mantissa, bias = 10, 15
//@   if plan.weight_dtype == "bf16" then mantissa, bias = 7, 127 end
/* n stored weights and what they are in double (values [n]): sign, exponents from -4 to -1 and all mantissas; free() them. */
static weight_t *selftest_weights(struct selftest *s, double *values, size_t n)
{
    enum { MANTISSA = $(mantissa), BIAS = $(bias) };
    weight_t *weights = allocate(n * sizeof *weights, "selftest");
    float *random = selftest_random(s, n, 1);
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = (uint32_t)((random[i] + 1) * 0x1p22f), fraction = bits & ((1u << MANTISSA) - 1);
        int exponent = (int)(bits >> MANTISSA & 3) - 4;
        bool negative = bits >> (MANTISSA + 2) & 1;
        weights[i] = (weight_t)((uint32_t)negative << 15 | (uint32_t)(exponent + BIAS) << MANTISSA | fraction);
        values[i] = (negative ? -1 : 1) * ldexp(1 + fraction * ldexp(1, -MANTISSA), exponent);
    }
    free(random);
    return weights;
}
//@ end

#endif
