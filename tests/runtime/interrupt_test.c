/* A run that was interrupted, in its steps or in an evaluation, and resumed is the run that was never interrupted; what is no
 * such run is refused. And the signals themselves. */
#define _POSIX_C_SOURCE 200809L
#include "interrupt.h"
#include "trainer_fixture.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* The history without what depends on the clock. */
static char *history_without_times(const struct trainer_fixture *f)
{
    cJSON *history = cJSON_Duplicate(f->state.log_history, true);
    cJSON *record;
    cJSON_ArrayForEach(record, history)
    {
        cJSON_DeleteItemFromObject(record, "tokens_per_second");
        cJSON_DeleteItemFromObject(record, "seconds");
        cJSON_DeleteItemFromObject(record, "eval_runtime");
    }
    char *text = cJSON_Print(history);
    cJSON_Delete(history);
    return text;
}

static void configure_long_run(struct trainer_fixture *f)
{
    f->trainer.config.per_device_train_batch_size = 3;
    f->trainer.config.gradient_accumulation_steps = 2;
    f->trainer.config.num_train_epochs = 4;
    f->trainer.config.logging_steps = 3;
    f->trainer.config.weight_decay = 0.01;
}

/* Runs until the interruption that the device was told to cause, and then stands as a new process does before it resumes. */
static void run_interrupted(struct trainer_fixture *f)
{
    interrupt_watch_once("");
    assert_int_equal(run(f), TRAIN_INTERRUPTED);
    interrupt_unwatch();
    interrupt_clear();
    trainer_state_free(&f->state);
    fake_device_init(&f->device);
    f->trainer.resume = true;
}

static void assert_same_end(const struct trainer_fixture *f, const struct trainer_fixture *whole)
{
    assert_memory_equal(f->device.w, whole->device.w, sizeof f->device.w);
    assert_memory_equal(f->device.moment2, whole->device.moment2, sizeof f->device.moment2);
    char *found = history_without_times(f), *expected = history_without_times(whole);
    assert_string_equal(found, expected);
    assert_int_equal(lines_of_metrics(f), lines_of_metrics(whole));
    free(found);
    free(expected);
}

static void test_a_resumed_run_is_bitwise_the_uninterrupted_one(void **state)
{
    (void)state;
    struct trainer_fixture whole, f;
    trainer_fixture_begin(&whole, 31);
    configure_long_run(&whole);
    run_to_end(&whole);
    assert_int_equal(whole.state.step, 24); /* 11 micro-batches, 6 steps an epoch */
    const int calls[] = {1, 2, 3, 9, 10, 11, whole.device.accumulated - 1};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        trainer_fixture_begin(&f, 31);
        configure_long_run(&f);
        f.device.interrupt_at = calls[i];
        run_interrupted(&f);
        run_to_end(&f);
        assert_same_end(&f, &whole);
        trainer_fixture_end(&f);
    }
    trainer_fixture_end(&whole);
}

/* Of 3 calls each at the steps 10, 20 and, at the end, 24. */
static void configure_evaluation(struct trainer_fixture *f, const struct dataset *eval_data)
{
    configure_long_run(f);
    f->trainer.eval_data = eval_data;
    f->trainer.config.eval_steps = 10;
    f->trainer.config.save_steps = 5;
}

static void test_an_interrupted_evaluation_is_made_when_the_run_resumes(void **state)
{
    (void)state;
    struct trainer_fixture whole, f;
    struct dataset eval_data;
    fake_dataset(&eval_data, 12);
    trainer_fixture_begin(&whole, 31);
    configure_evaluation(&whole, &eval_data);
    run_to_end(&whole);
    assert_int_equal(whole.device.evaluated, 9);
    for (int call = 1; call <= 9; call++) { /* the last three: the run was at its end, and yet is not done */
        trainer_fixture_begin(&f, 31);
        configure_evaluation(&f, &eval_data);
        f.device.interrupt_evaluation = call;
        run_interrupted(&f);
        run_to_end(&f);
        assert_same_end(&f, &whole);
        trainer_fixture_end(&f);
    }
    trainer_fixture_end(&whole);
    dataset_free(&eval_data);
}

/* Interrupted in the evaluation of step 10, in that same one again, and just behind it: it is logged once. */
static void test_an_evaluation_interrupted_again_is_logged_once(void **state)
{
    (void)state;
    struct trainer_fixture whole, f;
    struct dataset eval_data;
    fake_dataset(&eval_data, 12);
    trainer_fixture_begin(&whole, 31);
    configure_evaluation(&whole, &eval_data);
    run_to_end(&whole);
    trainer_fixture_begin(&f, 31);
    configure_evaluation(&f, &eval_data);
    f.device.interrupt_evaluation = 2;
    run_interrupted(&f);
    f.device.interrupt_evaluation = 3;
    run_interrupted(&f);
    f.device.interrupt_at = 1;
    run_interrupted(&f);
    run_to_end(&f);
    assert_same_end(&f, &whole);
    trainer_fixture_end(&f);
    trainer_fixture_end(&whole);
    dataset_free(&eval_data);
}

static void test_resuming_with_other_data_or_seed_is_refused(void **state)
{
    (void)state;
    struct trainer_fixture f;
    trainer_fixture_begin(&f, 8);
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
    trainer_fixture_end(&f);
}

static void test_nothing_to_resume_from_is_said(void **state)
{
    (void)state;
    struct trainer_fixture f;
    trainer_fixture_begin(&f, 8);
    f.trainer.resume = true;
    assert_int_equal(run(&f), TRAIN_FAILED);
    assert_non_null(strstr(f.err.text, ": no checkpoint-N to resume from; leave --resume out to start anew"));
    trainer_fixture_end(&f);
}

/* In a process of its own: how it ends when `count` signals come at once, and one more after `wait` milliseconds (0: no more). */
static int status_after(int count, int wait)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(STDERR_FILENO);
        interrupt_watch_once("interrupting\n");
        for (int i = 0; i < count; i++)
            raise(i % 2 ? SIGTERM : SIGINT);
        nanosleep(&(struct timespec){.tv_sec = wait / 1000, .tv_nsec = wait % 1000 * 1000000L}, NULL);
        if (wait)
            raise(SIGTERM);
        _exit(interrupt_seen() ? EXIT_INTERRUPTED : EXIT_DONE);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void test_signals_within_a_moment_are_one_wish(void **state)
{
    (void)state;
    for (int count = 1; count <= 4; count++) {
        int status = status_after(count, 0);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), EXIT_INTERRUPTED);
    }
    int status = status_after(2, INTERRUPT_GRACE_MS + 10);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGTERM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_resumed_run_is_bitwise_the_uninterrupted_one),
        cmocka_unit_test(test_an_interrupted_evaluation_is_made_when_the_run_resumes),
        cmocka_unit_test(test_an_evaluation_interrupted_again_is_logged_once),
        cmocka_unit_test(test_resuming_with_other_data_or_seed_is_refused),
        cmocka_unit_test(test_nothing_to_resume_from_is_said),
        cmocka_unit_test(test_signals_within_a_moment_are_one_wish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
