/* The one comparator that every kernel is judged by must itself fail when it should. */
#include "reference.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void close_to(double found, double expected)
{
    assert_true(fabs(found - expected) <= 1e-6 * fabs(expected));
}

static void the_limit_grows_like_a_random_walk(void **state)
{
    (void)state;
    close_to(reference_limit(100, 6), FLT_EPSILON * 16);
    close_to(reference_limit(1, 0), FLT_EPSILON * 5);
}

static void equal_arrays_have_no_error(void **state)
{
    (void)state;
    const float found[] = {0, -1.5f, 3};
    const double expected[] = {0, -1.5, 3};
    struct comparison c = reference_compare(found, expected, 3, 0);
    assert_true(c.error == 0 && reference_passes(&c));
}

static void an_error_is_measured_in_limits(void **state)
{
    (void)state;
    const double expected[] = {1, -1, 1, -1};
    const float found[] = {1, -1.03f, 1.01f, -1};
    struct comparison c = reference_compare(found, expected, 4, 0.01);
    close_to(c.error, 0.03 / (0.01 * 2));
    assert_int_equal(c.index, 1);
    assert_false(reference_passes(&c));
    c = reference_compare(found, expected, 4, 0.016);
    assert_true(reference_passes(&c));
}

static void an_element_near_zero_is_judged_by_the_usual_size(void **state)
{
    (void)state;
    const double expected[] = {0, 2, -2, 2};
    const float found[] = {0.01f, 2, -2, 2};
    struct comparison c = reference_compare(found, expected, 4, 0.01);
    close_to(c.error, 0.01 / (0.01 * sqrt(3)));
}

static void nothing_is_allowed_where_all_is_zero(void **state)
{
    (void)state;
    const double expected[] = {0, 0};
    const float found[] = {0, FLT_MIN};
    struct comparison c = reference_compare(found, expected, 2, 1);
    assert_true(isinf(c.error));
    assert_false(reference_passes(&c));
}

static void what_no_float_holds_is_none(void **state)
{
    (void)state;
    const double expected[] = {1e-85, 1e-30};
    const float right[] = {0, 1e-30f}, wrong[] = {0, 0};
    struct comparison c = reference_compare(right, expected, 2, 1e-6);
    assert_true(reference_passes(&c));
    c = reference_compare(wrong, expected, 2, 1e-6);
    assert_false(reference_passes(&c));
}

static void what_is_not_finite_fails(void **state)
{
    (void)state;
    const float values[] = {NAN, INFINITY, -INFINITY};
    for (int i = 0; i < 3; i++) {
        const float found[] = {1, values[i], 1};
        const double right[] = {1, 1, 1}, same[] = {1, (double)values[i], 1};
        struct comparison c = reference_compare(found, right, 3, 1e9), d = reference_compare(found, same, 3, 1e9);
        assert_true(isnan(c.error) && isnan(d.error));
        assert_false(reference_passes(&c) || reference_passes(&d));
        assert_int_equal(c.index, 1);
    }
}

static double square_sum(void *context)
{
    const double *x = context;
    return x[0] * x[0] + 3 * x[1];
}

static void finite_differences_tell_right_from_wrong(void **state)
{
    (void)state;
    double x[] = {2, -1};
    const double right[] = {4, 3}, wrong[] = {4, 3.001}, not_a_number[] = {NAN, 3};
    assert_true(reference_difference_error(square_sum, x, x, right, 2, 2) <= 1);
    assert_true(reference_difference_error(square_sum, x, x, wrong, 2, 2) > 1);
    assert_true(isnan(reference_difference_error(square_sum, x, x, not_a_number, 2, 2)));
    assert_true(x[0] == 2 && x[1] == -1);
}

static void test_data_is_what_it_says(void **state)
{
    (void)state;
    double x[1000], mean = 0, square = 0;
    float same[1000];
    reference_fill(x, 1000, 2, 7);
    reference_fill_float(same, 1000, 2, 7);
    for (int i = 0; i < 1000; i++) {
        assert_true(x[i] == same[i] && fabs(x[i]) <= 2);
        mean += x[i] / 1000;
        square += x[i] * x[i] / 1000;
    }
    assert_true(fabs(mean) < 0.15 && fabs(square - 4.0 / 3) < 0.15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_limit_grows_like_a_random_walk),
                                       cmocka_unit_test(equal_arrays_have_no_error),
                                       cmocka_unit_test(an_error_is_measured_in_limits),
                                       cmocka_unit_test(an_element_near_zero_is_judged_by_the_usual_size),
                                       cmocka_unit_test(nothing_is_allowed_where_all_is_zero),
                                       cmocka_unit_test(what_no_float_holds_is_none),
                                       cmocka_unit_test(what_is_not_finite_fails),
                                       cmocka_unit_test(finite_differences_tell_right_from_wrong),
                                       cmocka_unit_test(test_data_is_what_it_says)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
