/* The command line: values, messages and exit codes. */
#define _POSIX_C_SOURCE 200809L

#include "options.h"

#include "commands.h"
#include "machine.h"
#include "storage_fixture.h"
#include "threads.h"
#include "train_options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct command *command(const char *name)
{
    for (int i = 0; i < command_total; i++)
        if (!strcmp(commands[i].name, name))
            return &commands[i];
    fail();
    return NULL;
}

/* Splits the line at blanks; a word "" stands for an empty argument. */
static struct options *parse(const struct fixture_program *fixture, const char *name, char *line, struct error *err)
{
    char *words[32];
    int count = 0;
    for (char *word = strtok(line, " "); word && count < 32; word = strtok(NULL, " "))
        words[count++] = strcmp(word, "\"\"") ? word : "";
    return options_parse(command(name), &common_options, &fixture->program, count, words, err);
}

static void values(void **state)
{
    (void)state;
    struct fixture_program fixture;
    struct error err = {0};
    fixture_program(&fixture, 0);
    char line[] = "--model m --data a.json b.json --output=o --data c.json --learning_rate 2e-4 --max-steps -1 "
                  "--resume --shuffle "
                  "--packing false --init-adapter=a --threads 2";
    struct options *options = parse(&fixture, "train", line, &err);
    if (!options)
        fail_msg("%s", err.text);
    assert_string_equal(option_text(options, "model"), "m");
    assert_int_equal(option_count(options, "data"), 3);
    assert_string_equal(option_at(options, "data", 2), "c.json");
    assert_string_equal(option_text(options, "output"), "o");
    assert_true(option_real(options, "learning-rate") == 2e-4);
    assert_int_equal(option_int(options, "max-steps"), -1);
    assert_true(option_bool(options, "resume") && option_bool(options, "shuffle") && !option_bool(options, "packing"));
    assert_true(option_given(options, "packing") && !option_given(options, "seed") && !option_given(options, "device"));
    assert_string_equal(option_text(options, "device"), "auto");
    assert_null(option_text(options, "eval-data"));
    assert_true(option_declared(options, "isa") && !option_declared(options, "prompt"));
    assert_int_equal(threads_use(options).threads, 2);
    options_free(options);
    char text[] = "--model m --prompt --raw --max-new-tokens=7";
    options = parse(&fixture, "generate", text, &err);
    assert_string_equal(option_text(options, "prompt"), "--raw");
    assert_int_equal(option_int(options, "max-new-tokens"), 7);
    options_free(options);
}

static void messages(void **state)
{
    (void)state;
    static const struct {
        const char *name, *line, *message;
    } cases[] = {
        {"train", "--model m --data d --output o --learning-rat 1",
         "unknown option --learning-rat; did you mean --learning-rate? --help lists them all"},
        {"train", "--xyzzy", "unknown option --xyzzy; --help lists them all"},
        {"train", "--model m --data d",
         "train needs --output, where the adapter, the log and checkpoints go; small train --help lists all options"},
        {"train", "model", "an option is expected, found 'model'; --help lists them"},
        {"train", "--model --data", "--model: a value is expected behind it, found the option --data"},
        {"train", "--output", "--output: a value is expected behind it, found nothing"},
        {"train", "--output \"\"", "--output: a path is expected, found nothing"},
        {"train", "--max-steps ten", "--max-steps: a whole number is expected, found 'ten'"},
        {"train", "--max-steps 1.5", "--max-steps: a whole number is expected, found '1.5'"},
        {"train", "--max-steps -2", "--max-steps: at least -1 is expected, found '-2'"},
        {"train", "--max-steps 99999999999999999999",
         "--max-steps: a whole number is expected, found '99999999999999999999'"},
        {"train", "--learning-rate nan", "--learning-rate: a number is expected, found 'nan'"},
        {"train", "--learning-rate=", "--learning-rate: a number is expected, found ''"},
        {"train", "--warmup-ratio 2", "--warmup-ratio: a number from 0 to 1 is expected, found '2'"},
        {"train", "--shuffle maybe", "--shuffle: true or false is expected, found 'maybe'"},
        {"train", "--lr-scheduler-type line",
         "--lr-scheduler-type: one of linear, cosine, constant, constant_with_warmup, cosine_with_restarts, "
         "cosine_with_min_lr, polynomial, inverse_sqrt is expected, found 'line'; did you mean linear?"},
        {"info", "--device gpu", "--device: one of auto, cpu, cuda is expected, found 'gpu'"},
        {"info", "--threads 0", "--threads: a number from 1 to 4096 is expected, found '0'"},
    };
    struct fixture_program fixture;
    fixture_program(&fixture, 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err = {0};
        char *line = format_text("%s", cases[i].line);
        assert_null(parse(&fixture, cases[i].name, line, &err));
        assert_string_equal(err.text, cases[i].message);
        assert_int_equal(err.exit_code, EXIT_USAGE);
        free(line);
    }
}

static void train_settings(void **state)
{
    (void)state;
    struct fixture_program fixture;
    struct error err = {0};
    struct train_config config;
    fixture_program(&fixture, 0);
    char line[] = "--model m --data d --output o --learning-rate 0.25 --seed 7 --shuffle false --lr-scheduler-type "
                  "cosine_with_min_lr "
                  "--max-length 4 --min-lr 0.5";
    struct options *options = parse(&fixture, "train", line, &err);
    assert_true(train_config_from_options(&config, options, &err));
    assert_true(config.learning_rate == 0.25 && config.min_lr == 0.5 && config.seed == 7 && !config.shuffle);
    assert_int_equal(config.max_length, 4);
    assert_string_equal(config.lr_scheduler_type, "cosine_with_min_lr");
    assert_int_equal(config.per_device_train_batch_size, fixture.program.train.per_device_train_batch_size);
    assert_int_equal(config.max_steps, -1);
    options_free(options);
    char longer[] = "--model m --data d --output o --max-length 9";
    options = parse(&fixture, "train", longer, &err);
    assert_false(train_config_from_options(&config, options, &err));
    assert_string_equal(err.text, "--max-length: at most 8 is expected, which this program is compiled for; found 9");
    assert_int_equal(err.exit_code, EXIT_USAGE);
    options_free(options);
    char text[32];
    train_option_default(text, sizeof text, &fixture.program.train, "learning-rate");
    assert_string_equal(text, "5e-05");
    train_option_default(text, sizeof text, &fixture.program.train, "min-lr");
    assert_string_equal(text, "");
}

static void backends(void **state)
{
    (void)state;
    struct fixture_program fixture;
    struct error err = {0};
    fixture_program(&fixture, 0);
    char cuda[] = "--device cuda", wrong[] = "--isa sse", right[] = "--isa memory";
    struct options *options = parse(&fixture, "info", cuda, &err);
    assert_null(backend_choose(options, &err));
    assert_string_equal(err.text, "--device cuda: this program was built without a CUDA target; use --device cpu");
    options_free(options);
    options = parse(&fixture, "info", wrong, &err);
    assert_null(backend_choose(options, &err));
    assert_string_equal(err.text, "--isa: one of memory is expected, found 'sse'");
    assert_int_equal(err.exit_code, EXIT_USAGE);
    options_free(options);
    options = parse(&fixture, "info", right, &err);
    assert_ptr_equal(backend_choose(options, &err), &fixture_backend);
    options_free(options);
}

static void exit_codes(void **state)
{
    (void)state;
    struct fixture_program fixture;
    fixture_program(&fixture, 0);
    const struct program *program = &fixture.program;
    assert_int_equal(fixture_run(program, NULL), EXIT_USAGE);
    assert_int_equal(fixture_run(program, "--help", NULL), EXIT_DONE);
    assert_int_equal(fixture_run(program, "--version", NULL), EXIT_DONE);
    assert_int_equal(fixture_run(program, "trian", NULL), EXIT_USAGE);
    assert_int_equal(fixture_run(program, "train", NULL), EXIT_USAGE);
    assert_int_equal(fixture_run(program, "init_model", "--help", NULL), EXIT_DONE);
    assert_int_equal(fixture_run(program, "info", NULL), EXIT_DONE);
    assert_int_equal(fixture_run(program, "info", "--json", NULL), EXIT_DONE);
    assert_int_equal(fixture_run(program, "selftest", "--threads", "1", NULL), EXIT_DONE);
    assert_int_equal(fixture_run(program, "selftest", "--threads", "3", NULL), EXIT_FAILED);
    assert_int_equal(fixture_run(program, "selftest", "--threads", "4", NULL), EXIT_FAILED); /* NaN */
    for (int i = 0; i < command_total; i++)
        assert_int_equal(fixture_run(program, commands[i].name, "--help", NULL), EXIT_DONE);
}

static void closest(void **state)
{
    (void)state;
    static const char *const names[] = {"train", "generate", "chat"};
    assert_string_equal(closest_name("trian", names, 3), "train");
    assert_string_equal(closest_name("chatt", names, 3), "chat");
    assert_null(closest_name("zzzzz", names, 3));
    assert_null(closest_name("", names, 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values),   cmocka_unit_test(messages),   cmocka_unit_test(train_settings),
        cmocka_unit_test(backends), cmocka_unit_test(exit_codes), cmocka_unit_test(closest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
