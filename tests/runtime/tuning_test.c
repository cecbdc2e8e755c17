/* What tuning chooses by what it is told, and which files it takes. */
#define _POSIX_C_SOURCE 200809L
#include "tuning.h"

#include "json_file.h"
#include "output_file.h"
#include "storage_fixture.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static const char *const VARIANTS[] = {"block", "half block", "double block"};
static const struct tunable TUNABLES[] = {
    {"matmul_o_proj_fwd", 128, VARIANTS, 3, 2e6},
    {"matmul_o_proj_fwd", 1024, VARIANTS, 3, 2e6},
    {"matmul_lm_head_bwd", 1024, VARIANTS, 2, 3e8},
};

static char *describe(void)
{
    return format_text("A \"fast\" processor");
}

static const struct backend BACKEND = {
    .name = "avx512", .describe = describe, .tunables = TUNABLES, .tunable_count = 3};
static const struct program PROGRAM = {.name = "small+1a2b3c4", .plan_hash = "0123456789abcdef"};

/* All variants' calls of one round that is `pace` times as slow as usual. */
static void add_round(struct tuned *tuned, int variants, const double *seconds, double pace)
{
    for (int i = 0; i < variants; i++) {
        int variant = tuned_variant(tuned, variants);
        tuned_add(tuned, variants, variant, seconds[variant] * pace);
    }
}

static void measure(struct tuned *tuned, int variants, const double *seconds)
{
    tuned->watched = true;
    for (int round = 0; round < TUNING_ROUNDS; round++) {
        assert_true(tuned->watched);
        add_round(tuned, variants, seconds, 1 + round % 3);
    }
    assert_false(tuned->watched);
    assert_true(tuned->measured);
}

/* The machine's own changes, by up to three times from one round to the next, hide nothing. */
static void the_fastest_is_chosen(void **state)
{
    (void)state;
    struct tuned tuned = {0};
    measure(&tuned, 3, (const double[]){1.0, 0.97, 0.9});
    assert_int_equal(tuned.chosen, 2);
    assert_int_equal(tuned_variant(&tuned, 3), 2);
    assert_true(fabs(tuned.seconds[2] / tuned.seconds[0] - 0.9) < 1e-12);
}

static void the_first_stays_where_others_gain_little(void **state)
{
    (void)state;
    struct tuned tuned = {0};
    measure(&tuned, 3, (const double[]){1.0, 0.975, 1.2});
    assert_int_equal(tuned.chosen, 0);
}

/* One disturbed call in a round of its own: the median does not see it. */
static void a_disturbance_chooses_nothing(void **state)
{
    (void)state;
    struct tuned tuned = {.watched = true};
    for (int round = 0; round < TUNING_ROUNDS; round++)
        add_round(&tuned, 2, round == 4 ? (const double[]){50.0, 1.0} : (const double[]){1.0, 1.1}, 1);
    assert_int_equal(tuned.chosen, 0);
    assert_true(tuned.measured);
}

static void a_clock_that_stands_still_divides_by_nothing(void **state)
{
    (void)state;
    struct tuned tuned = {0};
    measure(&tuned, 2, (const double[]){0, 0});
    assert_int_equal(tuned.chosen, 0);
    assert_true(tuned.seconds[0] > 0);
}

/* Every variant as often as the others, and none always in the same place of a round. */
static void variants_take_turns(void **state)
{
    (void)state;
    struct tuned tuned = {.watched = true};
    int first[TUNING_ROUNDS], seen[3] = {0};
    for (int round = 0; round < TUNING_ROUNDS; round++) {
        first[round] = tuned_variant(&tuned, 3);
        for (int i = 0; i < 3; i++) {
            int variant = tuned_variant(&tuned, 3);
            seen[variant]++;
            tuned_add(&tuned, 3, variant, 1);
        }
    }
    assert_int_not_equal(first[0], first[1]);
    for (int i = 0; i < 3; i++)
        assert_int_equal(seen[i], TUNING_ROUNDS);
}

static void what_is_short_or_known_is_not_watched(void **state)
{
    (void)state;
    struct tuning *tuning = tuning_new(&PROGRAM, &BACKEND, 2);
    tuning->operations[2].measured = true;
    tuning->worth = 1e9;
    tuning_watch(tuning);
    assert_false(tuning->operations[0].watched); /* 128 * 2e6 */
    assert_true(tuning->operations[1].watched);
    assert_false(tuning->operations[2].watched);
    assert_int_equal(tuning_measured(tuning), 1);
    tuning_free(tuning);
}

/* ---- the file ---- */

/* Two of the three operations measured. */
static struct tuning *some_tuning(void)
{
    struct tuning *tuning = tuning_new(&PROGRAM, &BACKEND, 2);
    measure(&tuning->operations[0], 3, (const double[]){1e-5, 8e-6, 2e-5});
    measure(&tuning->operations[2], 2, (const double[]){3e-3, 3e-3});
    return tuning;
}

static void a_file_gives_back_what_was_measured(void **state)
{
    (void)state;
    struct error err = {0};
    char *directory = fixture_directory(), *path = path_join(directory, "not/there/yet.json");
    struct tuning *written = some_tuning(), *read = tuning_new(&PROGRAM, &BACKEND, 2);
    assert_true(tuning_write(written, path, &err));
    assert_true(tuning_read(read, path, &err));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(read->operations[i].measured, i != 1);
        assert_int_equal(read->operations[i].chosen, written->operations[i].chosen);
        for (int variant = 0; variant < TUNABLES[i].variant_count; variant++)
            assert_true(read->operations[i].seconds[variant] == written->operations[i].seconds[variant]);
    }
    assert_int_equal(read->operations[0].chosen, 1);
    tuning_free(written);
    tuning_free(read);
    free(path);
    fixture_remove(directory);
}

/* The text of some_tuning's file with the first `from` become `to`. */
static char *changed_text(const char *from, const char *to)
{
    struct tuning *tuning = some_tuning();
    cJSON *json = tuning_to_json(tuning);
    char *text = json_print(json), *at = strstr(text, from);
    assert_non_null(at);
    char *changed = format_text("%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    free(text);
    cJSON_Delete(json);
    tuning_free(tuning);
    return changed;
}

/* Nothing of the file is used, and the message ends with `cause`. */
static void assert_discarded(const char *path, const char *text, const char *cause)
{
    struct error err = {0};
    struct tuning *tuning = tuning_new(&PROGRAM, &BACKEND, 2);
    assert_true(output_write_file(path, text, strlen(text), &err));
    assert_false(tuning_read(tuning, path, &err));
    assert_int_equal(tuning_measured(tuning), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(tuning->operations[i].chosen, 0);
    char *expected = format_text("%s: %s", path, cause);
    if (*cause)
        assert_string_equal(err.text, expected);
    else
        assert_true(err.text[0]);
    free(expected);
    tuning_free(tuning);
}

static void files_of_other_things_are_discarded(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to, *cause;
    } changes[] = {
        {"0123456789abcdef", "0123456789abcdee", "its \"plan\" is another"},
        {"\"lorac\": \"", "\"lorac\": \"9", "its \"lorac\" is another"},
        {"\"program\": \"", "\"program\": \"x", "its \"program\" is another"},
        {"fast", "slow", "its \"device\" is another"},
        {"avx512", "avx2", "its \"backend\" is another"},
        {"\"threads\": 2", "\"threads\": 4", "its \"threads\" is another"},
        {"\"threads\": 2,", "", "its \"threads\" is another"},
        {"\"operations\"", "\"other\"", "\"operations\" is no list"},
        {"\"rows\": 128", "\"rows\": 127", "'matmul_o_proj_fwd' of as many rows is nothing that is tuned here"},
        {"\"rows\": 128", "\"rows\": \"128\"", "'matmul_o_proj_fwd' of as many rows is nothing that is tuned here"},
        {"matmul_lm_head_bwd", "matmul_lm_head_dw",
         "'matmul_lm_head_dw' of as many rows is nothing that is tuned here"},
        {"\"chosen\": \"half block\"", "\"chosen\": \"quarter block\"",
         "'matmul_o_proj_fwd' has not the variants of this program, with a time each"},
        {"\"half block\": ", "\"quarter block\": ",
         "'matmul_o_proj_fwd' has not the variants of this program, with a time each"},
        {"\"half block\": ", "\"half block\": -",
         "'matmul_o_proj_fwd' has not the variants of this program, with a time each"},
        {"\"half block\": ", "\"half block\": 1e999, \"no\": ",
         "'matmul_o_proj_fwd' has not the variants of this program, with a time each"},
        {"\"half block\": ", "\"half block\": null, \"no\": ",
         "'matmul_o_proj_fwd' has not the variants of this program, with a time each"},
    };
    char *directory = fixture_directory(), *path = path_join(directory, "tuning.json");
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        char *text = changed_text(changes[i].from, changes[i].to);
        assert_discarded(path, text, changes[i].cause);
        free(text);
    }
    char *text =
        changed_text("matmul_lm_head_bwd\",\n      \"rows\": 1024", "matmul_o_proj_fwd\",\n      \"rows\": 128");
    assert_discarded(path, text, "'matmul_o_proj_fwd' of as many rows is there twice");
    free(text);
    free(path);
    fixture_remove(directory);
}

/* Cut anywhere, or with any one byte become another. */
static void broken_files_are_discarded(void **state)
{
    (void)state;
    char *directory = fixture_directory(), *path = path_join(directory, "tuning.json");
    char *text = changed_text("{", "{");
    size_t length = strlen(text);
    for (size_t cut = 0; cut + 2 < length; cut += 7) {
        char kept = text[cut];
        text[cut] = '\0';
        assert_discarded(path, text, "");
        text[cut] = kept;
    }
    for (const char *other = "\x01[}"; *other; other++) {
        text[0] = *other;
        assert_discarded(path, text, "");
    }
    free(text);
    static const char *const strange[] = {"[]", "null", "{\"operations\": []}", "\xff\xfe", "{}{}"};
    for (size_t i = 0; i < sizeof strange / sizeof *strange; i++)
        assert_discarded(path, strange[i], "");
    free(path);
    fixture_remove(directory);
}

static void no_file_is_no_error(void **state)
{
    (void)state;
    struct error err = {.text = "old"};
    struct tuning *tuning = tuning_new(&PROGRAM, &BACKEND, 2);
    char *directory = fixture_directory(), *path = path_join(directory, "none.json");
    assert_false(tuning_read(tuning, path, &err));
    assert_string_equal(err.text, "");
    assert_false(tuning_read(tuning, directory, &err)); /* a directory of that name */
    assert_true(err.text[0]);
    tuning_free(tuning);
    free(path);
    fixture_remove(directory);
}

static void a_file_that_cannot_be_written_is_told(void **state)
{
    (void)state;
    struct error err = {0};
    char *directory = fixture_directory(), *file = path_join(directory, "file"), *path = path_join(file, "a.json");
    struct tuning *tuning = some_tuning();
    assert_true(output_write_file(file, "x", 1, &err));
    assert_false(tuning_write(tuning, path, &err));
    assert_non_null(strstr(err.text, file));
    tuning_free(tuning);
    free(path);
    free(file);
    fixture_remove(directory);
}

/* `expected` NULL: no place. */
static void assert_place(const char *cache, const char *home, const char *expected)
{
    struct tuning *tuning = tuning_new(&PROGRAM, &BACKEND, 2);
    if (cache)
        setenv("XDG_CACHE_HOME", cache, 1);
    else
        unsetenv("XDG_CACHE_HOME");
    if (home)
        setenv("HOME", home, 1);
    else
        unsetenv("HOME");
    char *path = tuning_path(tuning);
    if (expected)
        assert_string_equal(path, expected);
    else
        assert_null(path);
    free(path);
    tuning_free(tuning);
}

static void the_file_has_its_place(void **state)
{
    (void)state;
    assert_place("/cache", "/home/a", "/cache/lorac/small+1a2b3c4-avx512-2-01234567.json");
    assert_place("cache", "/home/a", "/home/a/.cache/lorac/small+1a2b3c4-avx512-2-01234567.json");
    assert_place("", "/home/a", "/home/a/.cache/lorac/small+1a2b3c4-avx512-2-01234567.json");
    assert_place(NULL, "/home/a", "/home/a/.cache/lorac/small+1a2b3c4-avx512-2-01234567.json");
    assert_place(NULL, NULL, NULL);
    assert_place("cache", "", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fastest_is_chosen),
        cmocka_unit_test(the_first_stays_where_others_gain_little),
        cmocka_unit_test(a_disturbance_chooses_nothing),
        cmocka_unit_test(a_clock_that_stands_still_divides_by_nothing),
        cmocka_unit_test(variants_take_turns),
        cmocka_unit_test(what_is_short_or_known_is_not_watched),
        cmocka_unit_test(a_file_gives_back_what_was_measured),
        cmocka_unit_test(files_of_other_things_are_discarded),
        cmocka_unit_test(broken_files_are_discarded),
        cmocka_unit_test(no_file_is_no_error),
        cmocka_unit_test(a_file_that_cannot_be_written_is_told),
        cmocka_unit_test(the_file_has_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
