/* The bookkeeping of training, on a backend that can be followed by hand: steps, windows, epochs, clipping, what is logged when. */
#include "batch.h"
#include "eval.h"
#include "trainer_fixture.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_steps_and_epochs_are_the_trainers(void **state)
{
    (void)state;
    struct trainer_fixture f;
    trainer_fixture_begin(&f, 9);
    f.trainer.config.per_device_train_batch_size = 2;
    f.trainer.config.gradient_accumulation_steps = 2;
    f.trainer.config.num_train_epochs = 2;
    run_to_end(&f);
    /* 9 samples: 5 micro-batches, windows of 2, 2 and 1, and the epoch in fifths. */
    const double epochs[] = {0.4, 0.8, 1.0, 1.4, 1.8, 2.0};
    assert_int_equal(f.state.max_steps, 6);
    assert_int_equal(cJSON_GetArraySize(f.state.log_history), 6);
    assert_int_equal(f.device.updated, 6);
    for (int i = 0; i < 6; i++) {
        assert_near(number(logged(&f, i), "epoch"), epochs[i], 1e-15);
        assert_near(number(logged(&f, i), "step"), i + 1, 0);
        assert_near(number(logged(&f, i), "learning_rate"), 0.05 * (6 - i) / 6.0, 1e-15);
    }
    assert_int_equal(f.state.tokens, 2 * f.data.report.tokens);
    trainer_fixture_end(&f);
}

static void test_max_steps_wins_over_epochs_and_parts_of_epochs_round_up(void **state)
{
    (void)state;
    struct dataset data;
    struct train_config config = fake_program.train;
    fake_dataset(&data, 10);
    config.per_device_train_batch_size = 2;
    config.num_train_epochs = 1.5;
    assert_int_equal(run_steps(&data, &config), 8);
    config.gradient_accumulation_steps = 8; /* longer than the epoch */
    assert_int_equal(run_steps(&data, &config), 2);
    config.max_steps = 70;
    assert_int_equal(run_steps(&data, &config), 70);
    dataset_free(&data);
}

static void test_loss_is_the_sum_over_the_window_by_its_labels(void **state)
{
    (void)state;
    struct trainer_fixture f;
    trainer_fixture_begin(&f, 7);
    f.trainer.config.shuffle = false;
    f.trainer.config.max_steps = 1;
    f.trainer.config.per_device_train_batch_size = 2;
    f.trainer.config.gradient_accumulation_steps = 2;
    double sum = 0;
    int trained = 0;
    for (uint32_t s = 0; s < 4; s++) {
        struct batch_buffer buffer;
        struct batch batch;
        batch_buffer_init(&buffer, 9);
        assert_true(batch_fill(&batch, &buffer, &f.data, &s, 1, s, &f.err));
        batch.seed = 42;
        struct device copy = f.device;
        sum += fake_backend.accumulate(&copy, &batch, 1);
        trained += f.data.sample[s].trained;
        batch_buffer_free(&buffer);
    }
    run_to_end(&f);
    assert_near(number(logged(&f, 0), "loss"), sum / trained, 1e-14);
    trainer_fixture_end(&f);
}

static void test_short_samples_of_a_window_share_passes(void **state)
{
    (void)state;
    struct trainer_fixture f;
    trainer_fixture_begin(&f, 11);
    f.trainer.config.shuffle = false;
    f.trainer.config.num_train_epochs = 1;
    f.trainer.config.per_device_train_batch_size = 2;
    f.trainer.config.gradient_accumulation_steps = 4;
    run_to_end(&f);
    /* Of 2 x 9 tokens: a window of 2 + 7 + 4, 9 + 6 + 3 and 8 + 5, and one of 2 + 7 + 4. */
    assert_int_equal(f.device.updated, 2);
    assert_int_equal(f.device.accumulated, 4);
    assert_int_equal(f.state.tokens, f.data.report.tokens);
    trainer_fixture_end(&f);
}

static void test_batches_of_four_and_four_of_one_agree(void **state)
{
    (void)state;
    struct trainer_fixture whole, parts;
    trainer_fixture_begin(&whole, 11);
    trainer_fixture_begin(&parts, 11);
    whole.trainer.config.num_train_epochs = parts.trainer.config.num_train_epochs = 3;
    parts.trainer.config.per_device_train_batch_size = 1;
    parts.trainer.config.gradient_accumulation_steps = 4;
    run_to_end(&whole);
    run_to_end(&parts);
    assert_int_equal(cJSON_GetArraySize(whole.state.log_history), 9);
    for (int i = 0; i < 9; i++) {
        assert_near(number(logged(&parts, i), "loss"), number(logged(&whole, i), "loss"), 1e-6);
        assert_near(number(logged(&parts, i), "grad_norm"), number(logged(&whole, i), "grad_norm"), 1e-6);
    }
    for (int i = 0; i < FAKE_PARAMETERS; i++)
        assert_near(parts.device.w[i], whole.device.w[i], 1e-6);
    trainer_fixture_end(&whole);
    trainer_fixture_end(&parts);
}

static void test_packing_fills_by_tokens_and_splits_nothing(void **state)
{
    (void)state;
    struct dataset data;
    struct epoch_plan plan;
    struct train_config config = fake_program.train;
    fake_dataset(&data, 40);
    config.packing = true; /* 4 x 9 tokens */
    epoch_plan_init(&plan, &data, &config, 3);
    int seen[40] = {0};
    size_t previous = 0;
    for (int m = 0; m < plan.micro_batches; m++) {
        size_t filled = 0;
        for (uint32_t i = plan.starts[m]; i < plan.starts[m + 1]; i++) {
            seen[plan.order[i]]++;
            filled += (size_t)data.sample[plan.order[i]].tokens;
        }
        uint32_t first = plan.order[plan.starts[m]];
        assert_in_range(filled, 2, 36);
        if (m > 0) /* its first sample did not fit before */
            assert_true(previous + (size_t)data.sample[first].tokens > 36);
        previous = filled;
    }
    for (int i = 0; i < 40; i++)
        assert_int_equal(seen[i], 1);
    epoch_plan_free(&plan);
    dataset_free(&data);
}

static void test_packed_epochs_are_counted_one_by_one(void **state)
{
    (void)state;
    struct trainer_fixture f;
    trainer_fixture_begin(&f, 40);
    f.trainer.config.packing = true;
    f.trainer.config.num_train_epochs = 3;
    run_to_end(&f);
    assert_int_equal(f.state.epoch, 3);
    assert_int_equal(f.state.epoch_step, 0);
    assert_int_equal(f.state.tokens, 3 * f.data.report.tokens);
    trainer_fixture_end(&f);
}

static void test_clipping_is_that_of_clip_grad_norm(void **state)
{
    (void)state;
    struct trainer_fixture f;
    trainer_fixture_begin(&f, 8);
    f.trainer.config.max_steps = 1;
    f.trainer.config.max_grad_norm = 0.25;
    run_to_end(&f);
    double norm = number(logged(&f, 0), "grad_norm");
    assert_true(norm > 0.25);
    assert_near(f.device.last_update.grad_scale, 0.25 / (norm + 1e-6), 1e-15);
    assert_int_equal(f.device.last_update.step, 1);
    f.trainer.config.max_grad_norm = norm + 1;
    trainer_state_free(&f.state);
    run_to_end(&f);
    assert_true(f.device.last_update.grad_scale == 1);
    f.trainer.config.max_grad_norm = 0;
    trainer_state_free(&f.state);
    run_to_end(&f);
    assert_true(f.device.last_update.grad_scale == 1);
    trainer_fixture_end(&f);
}

static void test_a_log_of_several_steps_is_their_mean(void **state)
{
    (void)state;
    struct trainer_fixture every, third;
    trainer_fixture_begin(&every, 24);
    trainer_fixture_begin(&third, 24);
    third.trainer.config.logging_steps = 3;
    run_to_end(&every);
    run_to_end(&third);
    assert_int_equal(cJSON_GetArraySize(third.state.log_history), 2);
    for (int i = 0; i < 2; i++) {
        double sum = 0;
        for (int j = 0; j < 3; j++)
            sum += number(logged(&every, 3 * i + j), "loss");
        assert_near(number(logged(&third, i), "loss"), sum / 3, 1e-14);
        assert_near(number(logged(&third, i), "grad_norm"), number(logged(&every, 3 * i + 2), "grad_norm"), 1e-14);
    }
    trainer_fixture_end(&every);
    trainer_fixture_end(&third);
}

static void test_evaluation_every_eval_steps_and_at_the_end(void **state)
{
    (void)state;
    struct trainer_fixture f;
    struct dataset eval_data;
    trainer_fixture_begin(&f, 20);
    fake_dataset(&eval_data, 5);
    f.trainer.eval_data = &eval_data;
    f.trainer.config.eval_steps = 2;
    f.trainer.config.logging_steps = 0;
    run_to_end(&f);
    const int steps[] = {2, 4, 5};
    assert_int_equal(cJSON_GetArraySize(f.state.log_history), 3);
    for (int i = 0; i < 3; i++)
        assert_near(number(logged(&f, i), "step"), steps[i], 0);
    struct evaluation now;
    assert_true(evaluate_dataset(&now, &fake_backend, &f.device, &eval_data, &f.trainer.config, &f.err));
    assert_near(number(logged(&f, 2), "eval_loss"), evaluation_loss(&now), 1e-14);
    assert_near(evaluation_perplexity(&now), exp(now.loss_sum / (double)now.trained), 1e-14);
    dataset_free(&eval_data);
    trainer_fixture_end(&f);
}

static void test_checkpoints_are_rotated_and_hold_all_files(void **state)
{
    (void)state;
    struct trainer_fixture f;
    trainer_fixture_begin(&f, 44);
    f.trainer.config.save_steps = 3;
    f.trainer.config.save_total_limit = 2;
    run_to_end(&f);
    assert_false(exists(&f, "checkpoint-3"));
    assert_false(exists(&f, "checkpoint-6"));
    assert_true(exists(&f, "checkpoint-9/lorac_state.json"));
    assert_true(exists(&f, "checkpoint-11/adapter_model.safetensors"));
    assert_true(exists(&f, "checkpoint-11/adapter_config.json"));
    assert_true(exists(&f, "checkpoint-11/optimizer.safetensors"));
    assert_true(exists(&f, "checkpoint-11/trainer_state.json"));
    assert_false(exists(&f, "checkpoint-11.partial"));
    trainer_fixture_end(&f);
}

static void test_a_loss_that_is_no_number_stops_before_the_update(void **state)
{
    (void)state;
    struct trainer_fixture f;
    trainer_fixture_begin(&f, 20);
    f.trainer.config.shuffle = false;
    f.trainer.config.save_steps = 2;
    f.device.nan_at = 4;
    assert_int_equal(run(&f), TRAIN_FAILED);
    char *expected =
        format_text("step 4: the loss is not a number at samples fake.jsonl:13, fake.jsonl:14, fake.jsonl:15, "
                    "fake.jsonl:16; training stopped before the update, checkpoints in %s are as they were: "
                    "try a lower learning rate or look at the data",
                    f.output);
    assert_string_equal(f.err.text, expected);
    free(expected);
    assert_int_equal(f.err.exit_code, EXIT_FAILED);
    assert_int_equal(f.device.updated, 3);
    assert_int_equal(lines_of_metrics(&f), 3);
    assert_true(exists(&f, "checkpoint-2/lorac_state.json"));
    trainer_fixture_end(&f);
}

static void test_the_sample_whose_loss_is_no_number_is_named(void **state)
{
    (void)state;
    struct trainer_fixture f;
    trainer_fixture_begin(&f, 20);
    f.trainer.config.shuffle = false;
    f.device.nan_sample = 7;
    assert_int_equal(run(&f), TRAIN_FAILED);
    assert_non_null(strstr(f.err.text, "step 2: the loss is not a number at sample fake.jsonl:7; training stopped"));
    assert_int_equal(f.device.updated, 1);
    trainer_fixture_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps_and_epochs_are_the_trainers),
        cmocka_unit_test(test_max_steps_wins_over_epochs_and_parts_of_epochs_round_up),
        cmocka_unit_test(test_loss_is_the_sum_over_the_window_by_its_labels),
        cmocka_unit_test(test_short_samples_of_a_window_share_passes),
        cmocka_unit_test(test_batches_of_four_and_four_of_one_agree),
        cmocka_unit_test(test_packing_fills_by_tokens_and_splits_nothing),
        cmocka_unit_test(test_packed_epochs_are_counted_one_by_one),
        cmocka_unit_test(test_clipping_is_that_of_clip_grad_norm),
        cmocka_unit_test(test_a_log_of_several_steps_is_their_mean),
        cmocka_unit_test(test_evaluation_every_eval_steps_and_at_the_end),
        cmocka_unit_test(test_checkpoints_are_rotated_and_hold_all_files),
        cmocka_unit_test(test_a_loss_that_is_no_number_stops_before_the_update),
        cmocka_unit_test(test_the_sample_whose_loss_is_no_number_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
