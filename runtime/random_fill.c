#include "random_fill.h"

#include "error.h"
#include "philox.h"

#include <math.h>

/* Keeps these draws apart from dropout and shuffling, which use the same seed. */
static const uint64_t purpose = (uint64_t)0x696e6974 << 32;

/* FNV-1a, 64 bits (Fowler, Noll, Vo). */
struct random_tensor random_tensor(uint64_t seed, const char *name)
{
    uint64_t hash = 14695981039346656037u;
    for (const unsigned char *c = (const unsigned char *)name; *c; c++)
        hash = (hash ^ *c) * 1099511628211u;
    return (struct random_tensor){seed ^ purpose, {(uint32_t)hash, (uint32_t)(hash >> 32)}};
}

static void block_of_four(uint32_t out[4], const struct random_tensor *tensor, uint64_t block)
{
    uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32), tensor->name[0], tensor->name[1]};
    philox(out, tensor->key, counter);
}

void random_uniform(float *to, struct random_tensor tensor, uint64_t first, size_t n, double bound)
{
#pragma omp parallel for schedule(static) if (n > 65536)
    for (size_t i = 0; i < n; i += 4) {
        uint32_t bits[4];
        block_of_four(bits, &tensor, (first + i) / 4);
        for (size_t j = 0; j < 4 && i + j < n; j++)
            to[i + j] = (float)((bits[j] * 0x1p-31 - 1) * bound);
    }
}

void random_normal(float *to, struct random_tensor tensor, uint64_t first, size_t n, double deviation)
{
#pragma omp parallel for schedule(static) if (n > 65536)
    for (size_t i = 0; i < n; i += 4) {
        uint32_t bits[4];
        float values[4];
        block_of_four(bits, &tensor, (first + i) / 4);
        for (int pair = 0; pair < 2; pair++) {
            /* bits + 1/2: the logarithm's argument is never 0 */
            float radius = sqrtf(-2 * logf((float)((bits[2 * pair] + 0.5) * 0x1p-32)));
            float angle = (float)(bits[2 * pair + 1] * (6.283185307179586 * 0x1p-32));
            values[2 * pair] = radius * cosf(angle);
            values[2 * pair + 1] = radius * sinf(angle);
        }
        for (size_t j = 0; j < 4 && i + j < n; j++)
            to[i + j] = (float)(values[j] * deviation);
    }
}

/* Newton's method for Phi(x) = p, each value started from the one before. Right of 0, Phi is concave, so that the steps approach
 * from below and never pass the solution. */
float *normal_quantiles(double deviation)
{
    float *quantiles = allocate(QUANTILES * sizeof *quantiles, "random weights");
    double x = 0;
    for (int i = QUANTILES / 2; i < QUANTILES; i++) {
        double p = (i + 0.5) / QUANTILES, step = 1;
        for (int iteration = 0; step > 1e-12 && iteration < 100; iteration++) {
            double density = exp(-x * x / 2) * 0.3989422804014327;
            step = (p - erfc(-x * 0.7071067811865476) / 2) / density;
            x += step;
        }
        quantiles[i] = (float)(x * deviation);
        quantiles[QUANTILES - 1 - i] = -quantiles[i];
    }
    return quantiles;
}

void random_quantiles(float *to, struct random_tensor tensor, uint64_t first, size_t n, const float *quantiles)
{
#pragma omp parallel for schedule(static) if (n > 65536)
    for (size_t i = 0; i < n; i += 8) {
        uint32_t bits[4];
        block_of_four(bits, &tensor, (first + i) / 8);
        for (size_t j = 0; j < 8 && i + j < n; j++)
            to[i + j] = quantiles[bits[j / 2] >> (j % 2 * 16) & (QUANTILES - 1)];
    }
}
