/* Conversions between storage types, against rounding done in double precision. */
#include "dtype_convert.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state ^ *state >> 15;
}

static float random_float(uint32_t *state)
{
    uint32_t bits = next_random(state);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* `value` rounded to multiples of 2^exponent, ties to even. */
static double round_to(double value, int exponent)
{
    return ldexp(nearbyint(ldexp(value, -exponent)), exponent);
}

/* What a type with `fraction` bits and smallest normal exponent `lowest` makes of `value`; infinite from `limit` on. */
static double reference(double value, int fraction, int lowest, double limit)
{
    int exponent;
    if (value == 0 || !isfinite(value))
        return value;
    frexp(value, &exponent);
    exponent = exponent - 1 < lowest ? lowest : exponent - 1;
    double rounded = round_to(value, exponent - fraction);
    return fabs(rounded) >= limit ? copysign(INFINITY, value) : rounded;
}

static void assert_same(double found, double expected)
{
    if (!(found == expected && signbit(found) == signbit(expected)) && !(isnan(found) && isnan(expected)))
        fail_msg("found %.17g, expected %.17g", found, expected);
}

static void every_f16_survives(void **state)
{
    (void)state;
    for (uint32_t bits = 0; bits < 0x10000; bits++) {
        float value = f16_to_float((uint16_t)bits);
        int exponent = bits >> 10 & 31;
        double fraction = bits & 0x3ff, sign = bits & 0x8000 ? -1 : 1;
        double expected = exponent == 0    ? ldexp(fraction, -24)
                          : exponent == 31 ? (fraction > 0 ? NAN : INFINITY)
                                           : ldexp(1024 + fraction, exponent - 25);
        assert_same(value, sign * expected);
        if (!isnan(value))
            assert_int_equal(float_to_f16(value), bits);
    }
}

static void every_bf16_survives(void **state)
{
    (void)state;
    for (uint32_t bits = 0; bits < 0x10000; bits++) {
        float value = bf16_to_float((uint16_t)bits);
        if (!isnan(value))
            assert_int_equal(float_to_bf16(value), bits);
        else
            assert_true(isnan(bf16_to_float(float_to_bf16(value))));
    }
}

static void rounds_to_nearest_even(void **state)
{
    (void)state;
    uint32_t random = 1;
    for (int i = 0; i < 2000000; i++) {
        float value = random_float(&random);
        if (isnan(value))
            continue;
        assert_same(bf16_to_float(float_to_bf16(value)), reference(value, 7, -126, 0x1p128));
        float small = ldexpf(value, -(int)(next_random(&random) % 64));
        assert_same(f16_to_float(float_to_f16(small)), reference(small, 10, -14, 0x1p16));
        float tie = f16_to_float((uint16_t)(next_random(&random) % 0x7bff)) + 0; /* halfway to its upper neighbour */
        float above = f16_to_float((uint16_t)(float_to_f16(tie) + 1));
        float half = tie + (above - tie) / 2;
        assert_same(f16_to_float(float_to_f16(half)), reference(half, 10, -14, 0x1p16));
    }
}

static void special_values(void **state)
{
    (void)state;
    assert_int_equal(float_to_f16(65504), 0x7bff);
    assert_int_equal(float_to_f16(65519.996f), 0x7bff);
    assert_int_equal(float_to_f16(65520), 0x7c00);
    assert_int_equal(float_to_f16(-1e30f), 0xfc00);
    assert_int_equal(float_to_f16(0x1p-25f), 0);
    assert_int_equal(float_to_f16(0x1.8p-25f), 1);
    assert_int_equal(float_to_bf16(3.4e38f), 0x7f80);
    assert_true(isnan(f16_to_float(float_to_f16(NAN))));
    assert_true(isnan(bf16_to_float(float_to_bf16(NAN))));
}

/* Arrays of an odd length agree with single values, between all pairs of types. */
static void arrays_agree(void **state)
{
    (void)state;
    enum { N = 5003 };
    static float floats[N], back[N];
    static uint16_t half[N], brain[N], other[N];
    uint32_t random = 7;
    for (int i = 0; i < N; i++)
        floats[i] = (float)(int32_t)next_random(&random) * 0x1p-29f;
    convert_elements(half, DTYPE_F16, floats, DTYPE_F32, N);
    convert_elements(brain, DTYPE_BF16, floats, DTYPE_F32, N);
    convert_elements(other, DTYPE_BF16, half, DTYPE_F16, N);
    convert_elements(back, DTYPE_F32, half, DTYPE_F16, N);
    for (int i = 0; i < N; i++) {
        assert_int_equal(half[i], float_to_f16(floats[i]));
        assert_int_equal(brain[i], float_to_bf16(floats[i]));
        assert_int_equal(other[i], float_to_bf16(f16_to_float(half[i])));
        assert_same(back[i], f16_to_float(half[i]));
    }
    convert_elements(other, DTYPE_F16, half, DTYPE_F16, N);
    assert_memory_equal(other, half, sizeof half);
}

static void rounding_is_seen(void **state)
{
    (void)state;
    enum { N = 5003 };
    static float floats[N];
    static uint16_t brain[N];
    float value = 0;
    for (int i = 0; i < N; i++)
        floats[i] = (float)(i % 256 - 128);
    floats[17] = NAN;
    convert_elements(brain, DTYPE_BF16, floats, DTYPE_F32, N);
    assert_false(conversion_rounded(&value, brain, DTYPE_BF16, floats, DTYPE_F32, N));
    floats[N - 1] = 257;
    convert_elements(brain, DTYPE_BF16, floats, DTYPE_F32, N);
    assert_true(conversion_rounded(&value, brain, DTYPE_BF16, floats, DTYPE_F32, N));
    assert_true(value == 257);
    assert_false(conversion_rounded(&value, floats, DTYPE_F32, brain, DTYPE_BF16, N));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_f16_survives),     cmocka_unit_test(every_bf16_survives),
        cmocka_unit_test(rounds_to_nearest_even), cmocka_unit_test(special_values),
        cmocka_unit_test(arrays_agree),           cmocka_unit_test(rounding_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
