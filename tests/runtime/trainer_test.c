/* The bookkeeping of training, on a backend that can be followed by hand: steps, windows, epochs, clipping, what is logged when,
 * and that an interrupted and resumed run is the run that was never interrupted. */
#define _POSIX_C_SOURCE 200809L
#include "batch.h"
#include "checkpoint.h"
#include "eval.h"
#include "fake_backend.h"
#include "interrupt.h"
#include "json_file.h"
#include "trainer.h"

#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* A run in a directory of its own. */
struct fixture {
    struct device device;
    struct dataset data;
    struct trainer trainer;
    struct trainer_state state;
    struct error err;
    char output[64];
};

static void fixture_begin(struct fixture *f, int samples)
{
    *f = (struct fixture){0};
    strcpy(f->output, "/tmp/lorac-trainer-XXXXXX");
    assert_non_null(mkdtemp(f->output));
    fake_device_init(&f->device);
    fake_dataset(&f->data, samples);
    f->trainer = (struct trainer){
        .program = &fake_program,
        .backend = &fake_backend,
        .device = &f->device,
        .config = fake_program.train,
        .data = &f->data,
        .output = f->output,
        .model = "models/fake",
    };
}

static void remove_tree(const char *path)
{
    DIR *listing = opendir(path);
    const struct dirent *entry;
    while (listing && (entry = readdir(listing))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        char *inner = format_text("%s/%s", path, entry->d_name);
        if (unlink(inner) != 0)
            remove_tree(inner);
        free(inner);
    }
    if (listing)
        closedir(listing);
    rmdir(path);
}

static void fixture_end(struct fixture *f)
{
    trainer_state_free(&f->state);
    dataset_free(&f->data);
    remove_tree(f->output);
}

static enum train_end run(struct fixture *f)
{
    return trainer_begin(&f->trainer, &f->state, &f->err) ? trainer_run(&f->trainer, &f->state, &f->err) : TRAIN_FAILED;
}

static void run_to_end(struct fixture *f)
{
    if (run(f) != TRAIN_DONE)
        fail_msg("%s", f->err.text);
}

static const cJSON *logged(const struct fixture *f, int index)
{
    const cJSON *record = cJSON_GetArrayItem(f->state.log_history, index);
    assert_non_null(record);
    return record;
}

static double number(const cJSON *record, const char *field)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(record, field);
    assert_true(cJSON_IsNumber(item));
    return item->valuedouble;
}

static void assert_near(double found, double expected, double tolerance)
{
    if (!(fabs(found - expected) <= tolerance * fmax(1, fabs(expected))))
        fail_msg("%.17g, expected %.17g", found, expected);
}

static bool exists(const struct fixture *f, const char *name)
{
    char *path = format_text("%s/%s", f->output, name);
    bool there = access(path, F_OK) == 0;
    free(path);
    return there;
}

static void test_steps_and_epochs_are_the_trainers(void **state)
{
    (void)state;
    struct fixture f;
    fixture_begin(&f, 9);
    f.trainer.config.per_device_train_batch_size = 2;
    f.trainer.config.gradient_accumulation_steps = 2;
    f.trainer.config.num_train_epochs = 2;
    run_to_end(&f);
    /* 9 samples: 5 micro-batches, windows of 2, 2 and 1, and the epoch in fifths. */
    const double epochs[] = {0.4, 0.8, 1.0, 1.4, 1.8, 2.0};
    assert_int_equal(f.state.max_steps, 6);
    assert_int_equal(cJSON_GetArraySize(f.state.log_history), 6);
    assert_int_equal(f.device.accumulated, 10);
    assert_int_equal(f.device.updated, 6);
    for (int i = 0; i < 6; i++) {
        assert_near(number(logged(&f, i), "epoch"), epochs[i], 1e-15);
        assert_near(number(logged(&f, i), "step"), i + 1, 0);
        assert_near(number(logged(&f, i), "learning_rate"), 0.05 * (6 - i) / 6.0, 1e-15);
    }
    assert_int_equal(f.state.tokens, 2 * f.data.report.tokens);
    fixture_end(&f);
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
    struct fixture f;
    fixture_begin(&f, 7);
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
    fixture_end(&f);
}

static void test_batches_of_four_and_four_of_one_agree(void **state)
{
    (void)state;
    struct fixture whole, parts;
    fixture_begin(&whole, 11);
    fixture_begin(&parts, 11);
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
    fixture_end(&whole);
    fixture_end(&parts);
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
    struct fixture f;
    fixture_begin(&f, 40);
    f.trainer.config.packing = true;
    f.trainer.config.num_train_epochs = 3;
    run_to_end(&f);
    assert_int_equal(f.state.epoch, 3);
    assert_int_equal(f.state.epoch_step, 0);
    assert_int_equal(f.state.tokens, 3 * f.data.report.tokens);
    fixture_end(&f);
}

static void test_clipping_is_that_of_clip_grad_norm(void **state)
{
    (void)state;
    struct fixture f;
    fixture_begin(&f, 8);
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
    fixture_end(&f);
}

static void test_a_log_of_several_steps_is_their_mean(void **state)
{
    (void)state;
    struct fixture every, third;
    fixture_begin(&every, 24);
    fixture_begin(&third, 24);
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
    fixture_end(&every);
    fixture_end(&third);
}

static void test_evaluation_every_eval_steps_and_at_the_end(void **state)
{
    (void)state;
    struct fixture f;
    struct dataset eval_data;
    fixture_begin(&f, 20);
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
    fixture_end(&f);
}

static void test_checkpoints_are_rotated_and_hold_all_files(void **state)
{
    (void)state;
    struct fixture f;
    fixture_begin(&f, 44);
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
    fixture_end(&f);
}

/* The history without what depends on the clock. */
static char *history_without_times(const struct fixture *f)
{
    cJSON *history = cJSON_Duplicate(f->state.log_history, true);
    cJSON *record;
    cJSON_ArrayForEach(record, history)
    {
        cJSON_DeleteItemFromObject(record, "tokens_per_second");
        cJSON_DeleteItemFromObject(record, "seconds");
    }
    char *text = cJSON_Print(history);
    cJSON_Delete(history);
    return text;
}

static int lines_of_metrics(const struct fixture *f)
{
    char *path = format_text("%s/metrics.jsonl", f->output);
    char *text = read_whole_file(path, NULL, &(struct error){0});
    assert_non_null(text);
    int lines = 0;
    for (const char *c = text; *c; c++)
        lines += *c == '\n';
    free(text);
    free(path);
    return lines;
}

static void configure_long_run(struct fixture *f)
{
    f->trainer.config.per_device_train_batch_size = 3;
    f->trainer.config.gradient_accumulation_steps = 2;
    f->trainer.config.num_train_epochs = 4;
    f->trainer.config.logging_steps = 3;
    f->trainer.config.weight_decay = 0.01;
}

/* Interrupts the run at one call of accumulate and resumes it on a fresh device; the end must be that of `whole`. */
static void check_resume(const struct fixture *whole, int interrupt_at)
{
    struct fixture f;
    fixture_begin(&f, 31);
    configure_long_run(&f);
    f.device.interrupt_at = interrupt_at;
    interrupt_watch(true);
    assert_int_equal(run(&f), TRAIN_INTERRUPTED);
    interrupt_unwatch();
    interrupt_clear();
    assert_true(f.state.step < whole->state.step);
    trainer_state_free(&f.state);
    fake_device_init(&f.device);
    f.trainer.resume = true;
    run_to_end(&f);
    assert_memory_equal(f.device.w, whole->device.w, sizeof f.device.w);
    assert_memory_equal(f.device.moment2, whole->device.moment2, sizeof f.device.moment2);
    char *found = history_without_times(&f), *expected = history_without_times(whole);
    assert_string_equal(found, expected);
    assert_int_equal(lines_of_metrics(&f), lines_of_metrics(whole));
    free(found);
    free(expected);
    fixture_end(&f);
}

static void test_a_resumed_run_is_bitwise_the_uninterrupted_one(void **state)
{
    (void)state;
    struct fixture whole;
    fixture_begin(&whole, 31);
    configure_long_run(&whole);
    run_to_end(&whole);
    assert_int_equal(whole.state.step, 24); /* 11 micro-batches, 6 steps an epoch */
    const int calls[] = {1, 2, 3, 11, 12, 25, 43};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        check_resume(&whole, calls[i]);
    fixture_end(&whole);
}

static void test_resuming_with_other_data_or_seed_is_refused(void **state)
{
    (void)state;
    struct fixture f;
    fixture_begin(&f, 8);
    f.trainer.config.save_steps = 1;
    run_to_end(&f);
    trainer_state_free(&f.state);
    f.trainer.resume = true;
    f.data.fingerprint ^= 1;
    assert_int_equal(run(&f), TRAIN_FAILED);
    assert_non_null(strstr(f.err.text, "checkpoint-2/lorac_state.json: the checkpoint was trained on other data: "
                                       "resume with the same --data"));
    f.data.fingerprint ^= 1;
    f.trainer.config.seed = 7;
    trainer_state_free(&f.state);
    assert_int_equal(run(&f), TRAIN_FAILED);
    assert_non_null(strstr(f.err.text, "the checkpoint was made with seed 42, this run has 7: resume with the same"));
    fixture_end(&f);
}

static void test_nothing_to_resume_from_is_said(void **state)
{
    (void)state;
    struct fixture f;
    fixture_begin(&f, 8);
    f.trainer.resume = true;
    assert_int_equal(run(&f), TRAIN_FAILED);
    assert_non_null(strstr(f.err.text, ": no checkpoint-N to resume from; leave --resume out to start anew"));
    fixture_end(&f);
}

static void test_a_loss_that_is_no_number_stops_before_the_update(void **state)
{
    (void)state;
    struct fixture f;
    fixture_begin(&f, 20);
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
    fixture_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps_and_epochs_are_the_trainers),
        cmocka_unit_test(test_max_steps_wins_over_epochs_and_parts_of_epochs_round_up),
        cmocka_unit_test(test_loss_is_the_sum_over_the_window_by_its_labels),
        cmocka_unit_test(test_batches_of_four_and_four_of_one_agree),
        cmocka_unit_test(test_packing_fills_by_tokens_and_splits_nothing),
        cmocka_unit_test(test_packed_epochs_are_counted_one_by_one),
        cmocka_unit_test(test_clipping_is_that_of_clip_grad_norm),
        cmocka_unit_test(test_a_log_of_several_steps_is_their_mean),
        cmocka_unit_test(test_evaluation_every_eval_steps_and_at_the_end),
        cmocka_unit_test(test_checkpoints_are_rotated_and_hold_all_files),
        cmocka_unit_test(test_a_resumed_run_is_bitwise_the_uninterrupted_one),
        cmocka_unit_test(test_resuming_with_other_data_or_seed_is_refused),
        cmocka_unit_test(test_nothing_to_resume_from_is_said),
        cmocka_unit_test(test_a_loss_that_is_no_number_stops_before_the_update),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
