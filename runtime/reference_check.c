#include "reference.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

double reference_limit(double length, double steps)
{
    return FLT_EPSILON * (sqrt(length) + (steps > 4 ? steps : 4));
}

static double root_mean_square(const double *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i] * x[i];
    return n ? sqrt(sum / (double)n) : 0;
}

/* |found - expected| in units of allowed, where allowed == 0 allows nothing. Differences below the least normal float are none: no
 * float is nearer to such numbers, and kernels may take them for 0. */
static double error_in_units(double found, double expected, double allowed)
{
    if (!isfinite(found) || !isfinite(expected))
        return NAN;
    double difference = fabs(found - expected);
    return difference < (double)FLT_MIN ? 0 : difference / allowed;
}

/* Keeps the worst of what it is given; NaN is worst of all and stays. */
static void keep_worst(struct comparison *worst, double error, size_t index)
{
    if (isnan(worst->error) || error <= worst->error)
        return;
    worst->error = error;
    worst->index = index;
}

struct comparison reference_compare(const float *found, const double *expected, size_t n, double limit)
{
    struct comparison worst = {0, limit, 0};
    double usual = root_mean_square(expected, n);
    for (size_t i = 0; i < n; i++)
        keep_worst(&worst, error_in_units(found[i], expected[i], limit * (fabs(expected[i]) + usual)), i);
    return worst;
}

bool reference_passes(const struct comparison *comparison)
{
    return comparison->error <= 1;
}

/* The step h = cbrt(epsilon) balances the cut-off error, h^2 / 6 times the third derivative, with the rounding error of the
 * loss over h. Allowed are 100 h^2 of the gradient's size (third derivatives of these operations are some ten times their first), and
 * 16 roundings of a loss of this size, since it is a sum of many terms. */
double reference_difference_error(reference_loss *loss, void *context, double *x, const double *gradient, size_t n,
                                  size_t probes)
{
    const double h = cbrt(DBL_EPSILON);
    double usual = root_mean_square(gradient, n);
    struct comparison worst = {0};
    size_t count = probes < n ? probes : n;
    for (size_t probe = 0; probe < count; probe++) {
        size_t i = n / count * probe + probe * (n % count) / count;
        double old = x[i], step = h * (1 + fabs(old));
        x[i] = old + step;
        double above = loss(context), high = x[i];
        x[i] = old - step;
        double below = loss(context), difference = (above - below) / (high - x[i]);
        x[i] = old;
        double allowed = 100 * h * h * (fabs(gradient[i]) + usual) + 16 * DBL_EPSILON * fabs(above) / h;
        keep_worst(&worst, error_in_units(gradient[i], difference, allowed), i);
    }
    return worst.error;
}

/* splitmix64 (Steele, Lea and Flood 2014) of one counter value, as 24 random bits. */
static uint32_t random_bits(uint64_t counter)
{
    uint64_t z = counter * 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (uint32_t)((z ^ (z >> 31)) >> 40);
}

void reference_fill_float(float *x, size_t n, float range, uint64_t seed)
{
    for (size_t i = 0; i < n; i++)
        x[i] = range * ((float)random_bits((seed << 32) + i + 1) * 0x1p-23f - 1);
}

void reference_fill(double *x, size_t n, double range, uint64_t seed)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (float)range * ((float)random_bits((seed << 32) + i + 1) * 0x1p-23f - 1);
}

double *reference_widen(const float *x, size_t n)
{
    double *wide = allocate(n * sizeof *wide, "a reference's input");
    for (size_t i = 0; i < n; i++)
        wide[i] = x[i];
    return wide;
}

double reference_dot(const double *weight, const double *y, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += weight[i] * y[i];
    return sum;
}
