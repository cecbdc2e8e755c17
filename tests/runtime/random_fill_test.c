/* Initial weights: their distributions, and that a number depends on nothing but seed, name and place. */
#include "random_fill.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N = 400000 };
static float values[N], others[N];

/* Mean, variance and fourth moment within four of their own deviations. */
static void check_moments(double variance, double fourth)
{
    double mean = 0, second = 0, power = 0;
    for (int i = 0; i < N; i++) {
        double square = (double)values[i] * values[i];
        mean += values[i] / (double)N;
        second += square / N;
        power += square * square / N;
    }
    assert_true(fabs(mean) < 4 * sqrt(variance / N));
    assert_true(fabs(second - variance) < 4 * sqrt((fourth - variance * variance) / N));
    assert_true(fabs(power - fourth) < 0.03 * fourth);
}

static void uniform(void **state)
{
    (void)state;
    random_uniform(values, random_tensor(3, "a"), 0, N, 0.5);
    check_moments(0.25 / 3, 0.0625 / 5);
    for (int i = 0; i < N; i++)
        assert_true(values[i] >= -0.5f && values[i] <= 0.5f);
}

static void normal(void **state)
{
    (void)state;
    random_normal(values, random_tensor(3, "a"), 0, N, 2);
    check_moments(4, 48);
}

static void quantiles(void **state)
{
    (void)state;
    float *table = normal_quantiles(2);
    assert_true(fabs(table[QUANTILES / 4] / 2 + 0.67447) < 1e-4); /* the lower quartile */
    assert_true(fabs(table[QUANTILES - 1] / 2 - 4.3248) < 1e-3);  /* 1 - 0.5 / 65536 */
    for (int i = 1; i < QUANTILES; i++)
        assert_true(table[i] > table[i - 1]);
    random_quantiles(values, random_tensor(3, "a"), 0, N, table);
    check_moments(4, 48);
    free(table);
}

typedef void fill(float *to, struct random_tensor tensor, uint64_t first, size_t n);

static void fill_uniform(float *to, struct random_tensor tensor, uint64_t first, size_t n)
{
    random_uniform(to, tensor, first, n, 1);
}

static void fill_normal(float *to, struct random_tensor tensor, uint64_t first, size_t n)
{
    random_normal(to, tensor, first, n, 1);
}

static void fill_quantiles(float *to, struct random_tensor tensor, uint64_t first, size_t n)
{
    static float *table; /* lives as long as the test */
    if (!table)
        table = normal_quantiles(1);
    random_quantiles(to, tensor, first, n, table);
}

static void pieces_make_the_whole(void **state)
{
    (void)state;
    static fill *const fills[] = {fill_uniform, fill_normal, fill_quantiles};
    for (int f = 0; f < 3; f++) {
        fills[f](values, random_tensor(9, "x"), 0, N);
        fills[f](others, random_tensor(9, "x"), 0, 1000);
        fills[f](others + 1000, random_tensor(9, "x"), 1000, N - 1000);
        assert_memory_equal(values, others, sizeof values);
        fills[f](others, random_tensor(9, "y"), 0, 100);
        assert_memory_not_equal(values, others, 100 * sizeof *values);
        fills[f](others, random_tensor(10, "x"), 0, 100);
        assert_memory_not_equal(values, others, 100 * sizeof *values);
        fills[f](others, random_tensor(9ull << 32, "x"), 0, 100);
        assert_memory_not_equal(values, others, 100 * sizeof *values);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uniform),
        cmocka_unit_test(normal),
        cmocka_unit_test(quantiles),
        cmocka_unit_test(pieces_make_the_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
