/* The double-precision references: every backward pass against finite differences of its forward pass, and forward passes
 * against what can be worked out by hand.
 */
#include "reference.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { T = 11, HEADS = 4, KV_HEADS = 2, HEAD_DIM = 6, QKV = (HEADS + 2 * KV_HEADS) * HEAD_DIM };

static const struct reference_heads heads = {HEADS, KV_HEADS, HEAD_DIM};
static const int32_t starts[] = {0, 1, 4, T};
static const struct reference_segments segments = {3, starts, 0};

static void gradient_is_right(void *context, const char *operation, double error)
{
    int *checked = context;
    print_message("%s: %g of what differences can be off by\n", operation, error);
    assert_true(error <= 1);
    ++*checked;
}

static void backward_passes_agree_with_differences(void **state)
{
    (void)state;
    const struct reference_sizes some = {11, 7, 5, 9, {4, 2, 6}}, odd = {3, 1, 3, 2, {3, 1, 2}},
                                 single = {1, 4, 1, 5, {1, 1, 4}};
    int checked = 0;
    reference_check_gradients(&some, 1000, gradient_is_right, &checked);
    reference_check_gradients(&odd, 1000, gradient_is_right, &checked);
    reference_check_gradients(&single, 1000, gradient_is_right, &checked);
    assert_int_equal(checked, 27);
}

static void close_to(double found, double expected)
{
    assert_true(fabs(found - expected) <= 1e-14 * (1 + fabs(expected)));
}

static void norm_of_three_and_four(void **state)
{
    (void)state;
    const double x[] = {3, 4}, weight[] = {2, 1};
    double y[2];
    reference_rmsnorm(y, x, weight, 0, 1, 2);
    close_to(y[0], 6 / sqrt(12.5));
    close_to(y[1], 4 / sqrt(12.5));
}

static void a_window_of_one_sees_only_itself(void **state)
{
    (void)state;
    double qkv[T * QKV], out[T * HEADS * HEAD_DIM];
    const struct reference_segments one = {3, starts, 1};
    reference_fill(qkv, T * QKV, 1, 1);
    reference_attention(out, NULL, qkv, &one, &heads);
    for (int t = 0; t < T; t++)
        for (int h = 0; h < HEADS; h++)
            for (int i = 0; i < HEAD_DIM; i++)
                close_to(out[(t * HEADS + h) * HEAD_DIM + i], qkv[t * QKV + (HEADS + KV_HEADS + h / 2) * HEAD_DIM + i]);
}

/* Without scores every key weighs the same: the mean of the values so far, and the log of their number. */
static void attention_without_scores_is_a_mean(void **state)
{
    (void)state;
    double qkv[T * QKV], out[T * HEADS * HEAD_DIM], lse[T * HEADS];
    reference_fill(qkv, T * QKV, 1, 2);
    for (int t = 0; t < T; t++)
        for (int i = 0; i < HEADS * HEAD_DIM; i++)
            qkv[t * QKV + i] = 0;
    reference_attention(out, lse, qkv, &segments, &heads);
    double sum = 0;
    for (int t = starts[2]; t < T; t++) {
        int keys = t - starts[2] + 1;
        sum += qkv[t * QKV + (HEADS + KV_HEADS) * HEAD_DIM];
        close_to(out[t * HEADS * HEAD_DIM], sum / keys);
        close_to(lse[t * HEADS], log(keys));
    }
}

static void rope_turns_halves_against_each_other(void **state)
{
    (void)state;
    double qkv[QKV] = {[0] = 1, [HEADS * HEAD_DIM + 1] = 2, [(HEADS + KV_HEADS) * HEAD_DIM] = 5};
    const double cosine[] = {0.6, 0.6, 0.6}, sine[] = {0.8, 0.8, 0.8};
    reference_rope(qkv, (const int32_t[]){0}, cosine, sine, 1, &heads);
    close_to(qkv[0], 0.6);
    close_to(qkv[HEAD_DIM / 2], 0.8);
    close_to(qkv[HEADS * HEAD_DIM + 1], 1.2);
    close_to(qkv[HEADS * HEAD_DIM + 1 + HEAD_DIM / 2], 1.6);
    close_to(qkv[(HEADS + KV_HEADS) * HEAD_DIM], 5);
}

static void swiglu_of_one(void **state)
{
    (void)state;
    double act;
    reference_swiglu(&act, (const double[]){1, 3}, 1, 1);
    close_to(act, 3 / (1 + exp(-1)));
}

static void equal_logits_cost_the_log_of_their_number(void **state)
{
    (void)state;
    const double logits[] = {2, 2, 2, 2, 1000, 2000, 2000, 1000};
    double loss[2];
    int32_t best[2];
    reference_cross_entropy(loss, best, logits, (const int32_t[]){3, 0}, 2, 4);
    close_to(loss[0], log(4));
    close_to(loss[1], 1000 + log(2));
    assert_int_equal(best[0], 0);
    assert_int_equal(best[1], 1);
}

/* After one step the corrected moments are g and g^2, so that the step is the learning rate, whatever g. */
static void first_adamw_step_is_the_learning_rate(void **state)
{
    (void)state;
    const struct adamw adamw = {0.1, 0.9, 0.999, 0, 0.5, 1, 0.25};
    const double g[] = {8, -1e-3};
    double p[] = {1, 1}, m[] = {0, 0}, v[] = {0, 0};
    reference_adamw(p, m, v, g, 2, &adamw);
    close_to(p[0], 0.95 - 0.1);
    close_to(p[1], 0.95 + 0.1);
    close_to(m[0], 0.1 * 2);
    close_to(v[0], 0.001 * 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(backward_passes_agree_with_differences),
                                       cmocka_unit_test(norm_of_three_and_four),
                                       cmocka_unit_test(a_window_of_one_sees_only_itself),
                                       cmocka_unit_test(attention_without_scores_is_a_mean),
                                       cmocka_unit_test(rope_turns_halves_against_each_other),
                                       cmocka_unit_test(swiglu_of_one),
                                       cmocka_unit_test(equal_logits_cost_the_log_of_their_number),
                                       cmocka_unit_test(first_adamw_step_is_the_learning_rate)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
