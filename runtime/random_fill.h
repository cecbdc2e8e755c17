/* Random numbers for initial weights: counter-based (philox.h), so each is a function of the seed, the tensor's name and its
 * place in it, whatever the order or the number of threads. */
#ifndef LORAC_RANDOM_FILL_H
#define LORAC_RANDOM_FILL_H

#include <stddef.h>
#include <stdint.h>

struct random_tensor {
    uint64_t key;
    uint32_t name[2]; /* a hash of the tensor's name: two words of the counter */
};

struct random_tensor random_tensor(uint64_t seed, const char *name);

/* Elements [first, first + n) of the tensor, uniform in [-bound, bound). first must be a multiple of 4. */
void random_uniform(float *to, struct random_tensor tensor, uint64_t first, size_t n, double bound);

/* The same with normal deviates (Box and Muller 1958) of mean 0. */
void random_normal(float *to, struct random_tensor tensor, uint64_t first, size_t n, double deviation);

/* A table of QUANTILES equally likely values of N(0, deviation), the farthest at 4.3 deviations; free() it. */
enum { QUANTILES = 65536 };
float *normal_quantiles(double deviation);

/* Elements [first, first + n) drawn from such a table, eight to a block of random bits: about three times as fast as random_normal, for
 * whole models. first must be a multiple of 8. */
void random_quantiles(float *to, struct random_tensor tensor, uint64_t first, size_t n, const float *quantiles);

#endif
