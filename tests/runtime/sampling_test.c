/* Sampling against cases worked out by hand, and the order of samples. */
#include "sampler.h"
#include "sampling.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct sampling PLAIN = {.temperature = 1, .top_p = 1, .repetition_penalty = 1, .seed = 1};

enum { DRAWS = 4000 };

/* How often each of `count` tokens is drawn at positions 0 to DRAWS - 1. */
static void count_draws(int *counts, const struct sampling *settings, const float *logits, int count)
{
    struct token_sampler sampler;
    token_sampler_init(&sampler, settings, count);
    memset(counts, 0, (size_t)count * sizeof *counts);
    for (int position = 0; position < DRAWS; position++) {
        float copy[8];
        memcpy(copy, logits, (size_t)count * sizeof *copy);
        counts[token_sampler_draw(&sampler, copy, position)]++;
    }
    token_sampler_free(&sampler);
}

/* Within five standard deviations of a binomial. */
static void assert_share(int count, double share)
{
    double deviation = sqrt(DRAWS * share * (1 - share));
    if (!(fabs(count - DRAWS * share) <= 5 * deviation))
        fail_msg("drawn %d times of %d, expected about %.0f", count, DRAWS, DRAWS * share);
}

static void test_greedy_takes_the_first_of_the_largest(void **state)
{
    (void)state;
    struct sampling greedy = PLAIN;
    greedy.temperature = 0;
    struct token_sampler sampler;
    token_sampler_init(&sampler, &greedy, 4);
    float logits[] = {1, 3, 3, -2};
    assert_int_equal(token_sampler_draw(&sampler, logits, 0), 1);
    token_sampler_free(&sampler);
}

static void test_repetition_penalty_divides_positive_and_multiplies_negative_logits(void **state)
{
    (void)state;
    struct sampling settings = PLAIN;
    settings.temperature = 0;
    settings.repetition_penalty = 2;
    struct token_sampler sampler;
    token_sampler_init(&sampler, &settings, 4);
    const int32_t prompt[] = {0, 2, 0};
    token_sampler_note(&sampler, prompt, 3);
    float logits[] = {4, 3, -1, -1.5f};
    assert_int_equal(token_sampler_draw(&sampler, logits, 0), 1);
    assert_true(logits[0] == 2 && logits[1] == 3 && logits[2] == -2 && logits[3] == -1.5f);
    token_sampler_forget(&sampler);
    float again[] = {4, 3, -1, -1.5f};
    assert_int_equal(token_sampler_draw(&sampler, again, 0), 0);
    token_sampler_free(&sampler);
}

/* Probabilities 1/2, 1/4, 1/8, 1/8. */
static const float HALVES[] = {-1.3862944f, -2.0794415f, -0.6931472f, -2.0794415f};

static void test_shares_are_the_softmax(void **state)
{
    (void)state;
    int counts[4];
    count_draws(counts, &PLAIN, HALVES, 4);
    assert_share(counts[0], 0.25);
    assert_share(counts[1], 0.125);
    assert_share(counts[2], 0.5);
    assert_share(counts[3], 0.125);
}

static void test_temperature_sharpens(void **state)
{
    (void)state;
    struct sampling settings = PLAIN;
    settings.temperature = 0.5; /* squares the probabilities: 16, 4, 1, 1 of 22 */
    int counts[4];
    settings.top_p = 1;
    count_draws(counts, &settings, HALVES, 4);
    assert_share(counts[2], 16.0 / 22);
    assert_share(counts[0], 4.0 / 22);
    assert_share(counts[1], 1.0 / 22);
}

static void test_top_k_keeps_ties_with_the_kth(void **state)
{
    (void)state;
    struct sampling settings = PLAIN;
    int counts[4];
    settings.top_k = 2;
    count_draws(counts, &settings, HALVES, 4);
    assert_int_equal(counts[1] + counts[3], 0);
    assert_share(counts[2], 2.0 / 3);
    settings.top_k = 3;
    count_draws(counts, &settings, HALVES, 4);
    assert_share(counts[1], 0.125);
    assert_share(counts[3], 0.125);
}

static void test_top_p_includes_the_token_that_reaches_it(void **state)
{
    (void)state;
    struct sampling settings = PLAIN;
    int counts[4];
    settings.top_p = 0.6;
    count_draws(counts, &settings, HALVES, 4);
    assert_int_equal(counts[1] + counts[3], 0);
    assert_share(counts[2], 2.0 / 3);
    settings.top_p = 0.4;
    count_draws(counts, &settings, HALVES, 4);
    assert_int_equal(counts[2], DRAWS);
    settings.top_p = 0;
    count_draws(counts, &settings, HALVES, 4);
    assert_int_equal(counts[2], DRAWS);
}

static void test_top_p_counts_what_top_k_left(void **state)
{
    (void)state;
    struct sampling settings = PLAIN;
    int counts[4];
    settings.top_k = 2;   /* leaves 2/3 and 1/3 */
    settings.top_p = 0.6; /* 2/3 alone reaches it; of all tokens 1/2 would not */
    count_draws(counts, &settings, HALVES, 4);
    assert_int_equal(counts[2], DRAWS);
}

static void test_draws_depend_on_seed_and_position_alone(void **state)
{
    (void)state;
    struct token_sampler one, other;
    struct sampling seeded = PLAIN;
    seeded.seed = 2;
    token_sampler_init(&one, &PLAIN, 4);
    token_sampler_init(&other, &seeded, 4);
    int different = 0;
    for (int position = 99; position >= 0; position--) {
        float a[4], b[4], c[4];
        memcpy(a, HALVES, sizeof a);
        memcpy(b, HALVES, sizeof b);
        memcpy(c, HALVES, sizeof c);
        int32_t drawn = token_sampler_draw(&one, a, position);
        assert_int_equal(drawn, token_sampler_draw(&one, b, position));
        different += drawn != token_sampler_draw(&other, c, position);
    }
    assert_true(different > 30);
    token_sampler_free(&one);
    token_sampler_free(&other);
}

enum { SAMPLES = 1000 };

static void assert_permutation(const uint32_t *order)
{
    int seen[SAMPLES] = {0};
    for (int i = 0; i < SAMPLES; i++) {
        assert_true(order[i] < SAMPLES);
        assert_int_equal(seen[order[i]]++, 0);
    }
}

static int equal_places(const uint32_t *a, const uint32_t *b)
{
    int equal = 0;
    for (int i = 0; i < SAMPLES; i++)
        equal += a[i] == b[i];
    return equal;
}

static void test_order_is_a_permutation_of_seed_and_epoch(void **state)
{
    (void)state;
    uint32_t first[SAMPLES], again[SAMPLES], other[SAMPLES];
    sampler_order(first, SAMPLES, true, 42, 0);
    sampler_order(again, SAMPLES, true, 42, 0);
    assert_permutation(first);
    assert_memory_equal(first, again, sizeof first);
    sampler_order(other, SAMPLES, true, 42, 1);
    assert_permutation(other);
    assert_true(equal_places(first, other) < 10); /* one place is expected by chance */
    sampler_order(other, SAMPLES, true, 43, 0);
    assert_true(equal_places(first, other) < 10);
    sampler_order(other, SAMPLES, false, 42, 0);
    for (uint32_t i = 0; i < SAMPLES; i++)
        assert_int_equal(other[i], i);
}

static void test_each_order_of_three_is_as_likely(void **state)
{
    (void)state;
    int counts[27] = {0};
    for (int epoch = 0; epoch < DRAWS; epoch++) {
        uint32_t order[3];
        sampler_order(order, 3, true, 7, epoch);
        counts[order[0] * 9 + order[1] * 3 + order[2]]++;
    }
    const int orders[] = {5, 7, 11, 15, 19, 21}; /* 012 021 102 120 201 210 in base 3 */
    for (int i = 0; i < 6; i++)
        assert_share(counts[orders[i]], 1.0 / 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_greedy_takes_the_first_of_the_largest),
        cmocka_unit_test(test_repetition_penalty_divides_positive_and_multiplies_negative_logits),
        cmocka_unit_test(test_shares_are_the_softmax),
        cmocka_unit_test(test_temperature_sharpens),
        cmocka_unit_test(test_top_k_keeps_ties_with_the_kth),
        cmocka_unit_test(test_top_p_includes_the_token_that_reaches_it),
        cmocka_unit_test(test_top_p_counts_what_top_k_left),
        cmocka_unit_test(test_draws_depend_on_seed_and_position_alone),
        cmocka_unit_test(test_order_is_a_permutation_of_seed_and_epoch),
        cmocka_unit_test(test_each_order_of_three_is_as_likely),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
