/* The schedules against what Transformers 5.17's get_scheduler gives for the same settings: learning_rate 2e-4, one value a step. */
#include "lr_schedule.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct train_config PLAIN = {
    .learning_rate = 2e-4,
    .min_lr = -1,
    .min_lr_rate = -1,
    .num_cycles = -1,
    .power = -1,
    .lr_end = -1,
    .timescale = -1,
};

struct golden {
    const char *type;
    int warmup_steps, training_steps;
    double min_lr, min_lr_rate, num_cycles, power, lr_end, timescale; /* 0: not given */
    double rates[12];
};

static const struct golden GOLDEN[] = {
    {"linear", 0, 10, .rates = {0.0002, 0.00018, 0.00016, 0.00014, 0.00012, 0.0001, 8e-05, 6e-05, 4e-05, 2e-05}},
    {"linear", 3, 10,
     .rates = {0.0, 6.666666666666667e-05, 0.00013333333333333334, 0.0002, 0.00017142857142857143,
               0.00014285714285714287, 0.00011428571428571428, 8.571428571428571e-05, 5.714285714285714e-05,
               2.857142857142857e-05}},
    {"linear", 12, 10,
     .rates = {0.0, 1.6666666666666667e-05, 3.3333333333333335e-05, 5e-05, 6.666666666666667e-05, 8.333333333333334e-05,
               0.0001, 0.00011666666666666668, 0.00013333333333333334, 0.00015000000000000001}},
    {"cosine", 0, 7,
     .rates = {0.0002, 0.0001900968867902419, 0.00016234898018587337, 0.00012225209339563145, 7.774790660436858e-05,
               3.7651019814126654e-05, 9.903113209758096e-06}},
    {"cosine", 2, 9,
     .rates = {0.0, 0.0001, 0.0002, 0.0001900968867902419, 0.00016234898018587337, 0.00012225209339563145,
               7.774790660436858e-05, 3.7651019814126654e-05, 9.903113209758096e-06}},
    {"cosine", 2, 9, .num_cycles = 1.25,
     .rates = {0.0, 0.0001, 0.0002, 0.00014338837391175582, 3.7651019814126654e-05, 2.5072087818176382e-06,
               7.774790660436855e-05, 0.000178183148246803, 0.00019009688679024194}},
    {"constant", 4, 8, .rates = {0.0002, 0.0002, 0.0002, 0.0002, 0.0002, 0.0002, 0.0002, 0.0002}},
    {"constant_with_warmup", 4, 8,
     .rates = {0.0, 5e-05, 0.0001, 0.00015000000000000001, 0.0002, 0.0002, 0.0002, 0.0002}},
    {"cosine_with_restarts", 2, 11,
     .rates = {0.0, 0.0001, 0.0002, 0.00019396926207859084, 0.0001766044443118978, 0.00015000000000000001,
               0.00011736481776669306, 8.263518223330697e-05, 5.000000000000002e-05, 2.339555568810221e-05,
               6.030737921409169e-06}},
    {"cosine_with_restarts", 1, 11, .num_cycles = 3,
     .rates = {0.0, 0.0002, 0.0001587785252292473, 6.909830056250524e-05, 4.8943483704846585e-06, 0.0001809016994374947,
               0.0001, 1.909830056250529e-05, 0.0001951056516295154, 0.00013090169943749463, 4.122147477075266e-05}},
    {"cosine_with_min_lr", 2, 9, .min_lr = 2e-05,
     .rates = {0.0, 0.0001, 0.0002, 0.00019108719811121772, 0.00016611408216728603, 0.00013002688405606828,
               8.997311594393172e-05, 5.3885917832713996e-05, 2.891280188878229e-05}},
    {"cosine_with_min_lr", 0, 9, .min_lr_rate = 0.1,
     .rates = {0.0002, 0.00019457233587073176, 0.00017894399988070803, 0.000155, 0.00012562833599002375,
               9.437166400997628e-05, 6.500000000000002e-05, 4.1056000119291995e-05, 2.542766412926825e-05}},
    {"polynomial", 2, 9,
     .rates = {0.0, 0.0001, 0.0002, 0.00017144285714285716, 0.0001428857142857143, 0.00011432857142857143,
               8.577142857142858e-05, 5.721428571428572e-05, 2.8657142857142867e-05}},
    {"polynomial", 0, 9, .power = 2.0, .lr_end = 1e-05,
     .rates = {0.0002, 0.00016012345679012347, 0.00012493827160493828, 9.444444444444447e-05, 6.864197530864199e-05,
               4.7530864197530866e-05, 3.111111111111112e-05, 1.9382716049382716e-05, 1.2345679012345682e-05}},
    {"inverse_sqrt", 3, 9,
     .rates = {0.0, 6.666666666666667e-05, 0.00013333333333333334, 0.0002, 0.00017320508075688776,
               0.0001549193338482967, 0.0001414213562373095, 0.0001309307341415954, 0.0001224744871391589}},
    {"inverse_sqrt", 0, 9,
     .rates = {0.0002, 0.00019999000074993753, 0.00019998000299950014, 0.00019997000674831295, 0.00019996001199600142,
               0.0001999500187421909, 0.0001999400269865071, 0.00019993003672857563, 0.0001999200479680224}},
    {"inverse_sqrt", 2, 9, .timescale = 5,
     .rates = {0.0, 0.0001, 0.0002, 0.0001825741858350554, 0.00016903085094570333, 0.00015811388300841897,
               0.00014907119849998598, 0.0001414213562373095, 0.0001348399724926484}},
};

static void check_golden(const struct golden *golden)
{
    struct error err;
    struct lr_schedule schedule;
    struct train_config config = PLAIN;
    config.lr_scheduler_type = golden->type;
    config.warmup_steps = golden->warmup_steps;
    config.min_lr = golden->min_lr > 0 ? golden->min_lr : -1;
    config.min_lr_rate = golden->min_lr_rate > 0 ? golden->min_lr_rate : -1;
    config.num_cycles = golden->num_cycles > 0 ? golden->num_cycles : -1;
    config.power = golden->power > 0 ? golden->power : -1;
    config.lr_end = golden->lr_end > 0 ? golden->lr_end : -1;
    config.timescale = golden->timescale > 0 ? golden->timescale : -1;
    assert_true(lr_schedule_init(&schedule, &config, golden->training_steps, &err));
    for (int step = 0; step < golden->training_steps; step++) {
        double rate = lr_schedule_at(&schedule, step), expected = golden->rates[step];
        /* A few roundings in double, amplified where the cosine comes close to -1. */
        if (!(fabs(rate - expected) <= 1e-15 * config.learning_rate + 1e-14 * expected))
            fail_msg("%s, step %d: %.17g, expected %.17g", golden->type, step, rate, expected);
    }
}

static void test_rates_are_those_of_transformers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof GOLDEN / sizeof *GOLDEN; i++)
        check_golden(&GOLDEN[i]);
}

static void test_warmup_ratio_rounds_up_and_yields_to_warmup_steps(void **state)
{
    (void)state;
    struct error err;
    struct lr_schedule schedule;
    struct train_config config = PLAIN;
    config.lr_scheduler_type = "linear";
    config.warmup_ratio = 0.03;
    assert_true(lr_schedule_init(&schedule, &config, 101, &err));
    assert_int_equal(schedule.warmup_steps, 4);
    config.warmup_steps = 7;
    assert_true(lr_schedule_init(&schedule, &config, 101, &err));
    assert_int_equal(schedule.warmup_steps, 7);
}

static void expect_mistake(struct train_config config, const char *text)
{
    struct error err;
    struct lr_schedule schedule;
    assert_false(lr_schedule_init(&schedule, &config, 10, &err));
    assert_int_equal(err.exit_code, EXIT_USAGE);
    assert_string_equal(err.text, text);
}

static void test_mistakes_are_named(void **state)
{
    (void)state;
    struct train_config config = PLAIN;
    config.lr_scheduler_type = "cosin";
    expect_mistake(config,
                   "lr_scheduler_type: unknown schedule 'cosin'; known are linear, cosine, cosine_with_restarts, "
                   "cosine_with_min_lr, polynomial, inverse_sqrt, constant and constant_with_warmup");
    config.lr_scheduler_type = "cosine_with_min_lr";
    expect_mistake(config,
                   "lr_scheduler_type cosine_with_min_lr: expected min_lr or min_lr_rate, found neither; set one of "
                   "them");
    config.lr_scheduler_type = "polynomial";
    config.lr_end = 1;
    expect_mistake(config, "lr_scheduler_type polynomial: lr_end (1) must be below learning_rate (0.0002)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rates_are_those_of_transformers),
        cmocka_unit_test(test_warmup_ratio_rounds_up_and_yields_to_warmup_steps),
        cmocka_unit_test(test_mistakes_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
