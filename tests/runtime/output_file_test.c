/* Files that appear whole or not at all, directories for results, JSON text. */
#define _POSIX_C_SOURCE 200809L

#include "output_file.h"

#include "json_file.h"
#include "storage_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void appears_when_closed(void **state)
{
    (void)state;
    struct error err = {0};
    char *directory = fixture_directory(), *path = path_join(directory, "a.txt");
    assert_true(output_write_file(path, "old", 3, &err));
    struct output_file *file = output_open(path, &err);
    output_write(file, "new", 3);
    output_text(file, " and %d", 7);
    assert_int_equal((int)output_size(file), 9);
    size_t size;
    char *text = read_whole_file(path, &size, &err);
    assert_string_equal(text, "old");
    free(text);
    assert_true(output_close(file, &err));
    text = read_whole_file(path, &size, &err);
    assert_string_equal(text, "new and 7");
    assert_int_equal(size, 9);
    free(text);
    file = output_open(path, &err);
    output_write(file, "half", 4);
    output_abort(file);
    text = read_whole_file(path, NULL, &err);
    assert_string_equal(text, "new and 7");
    free(text);
    assert_int_equal(remove(path), 0);
    assert_int_equal(rmdir(directory), 0); /* nothing else was left */
    free(path);
    free(directory);
}

static void unwritable(void **state)
{
    (void)state;
    struct error err = {0};
    char *directory = fixture_directory(), *path = path_join(directory, "no/a.txt");
    char *expected = format_text("%s: cannot be written: No such file or directory", path);
    assert_null(output_open(path, &err));
    assert_string_equal(err.text, expected);
    free(expected);
    free(path);
    path = path_join(directory, "full");
    char *partial = format_text("%s.partial", path);
    assert_int_equal(symlink("/dev/full", partial), 0);
    struct output_file *file = output_open(path, &err);
    output_write(file, "x", 1);
    assert_false(output_close(file, &err));
    expected = format_text("%s: cannot be written: No space left on device", path);
    assert_string_equal(err.text, expected);
    assert_int_not_equal(access(path, F_OK), 0);
    free(expected);
    free(partial);
    free(path);
    fixture_remove(directory);
}

static void directories(void **state)
{
    (void)state;
    struct error err = {0};
    char *directory = fixture_directory(), *deep = path_join(directory, "a/b/c"), *file = path_join(deep, "log");
    assert_true(output_directory(deep, false, &err));
    assert_true(output_directory(deep, false, &err)); /* empty still */
    assert_true(output_write_file(file, "x", 1, &err));
    assert_false(output_directory(deep, false, &err));
    char *expected = format_text("%s: already holds results ('log'); name a new directory, or empty this one", deep);
    assert_string_equal(err.text, expected);
    free(expected);
    assert_true(output_directory(deep, true, &err));
    assert_false(output_directory(file, false, &err));
    expected = format_text("%s: exists, and is no directory", file);
    assert_string_equal(err.text, expected);
    free(expected);
    free(file);
    free(deep);
    fixture_remove(directory);
}

static void json(void **state)
{
    (void)state;
    struct error err = {0};
    char *directory = fixture_directory(), *path = path_join(directory, "a.json");
    static const char text[] = "{\n  \"a\": [\n    1,\n    1e-06,\n    null\n  ],\n  \"b\\\"\": {},\n  \"c\": []\n}\n";
    assert_true(output_write_file(path, text, strlen(text), &err));
    cJSON *parsed = json_read(path, &err);
    assert_non_null(parsed);
    char *printed = json_print(parsed);
    assert_string_equal(printed, text);
    free(printed);
    cJSON_Delete(parsed);
    static const struct {
        const char *text, *message;
    } broken[] = {
        {"", ":1: JSON is expected, the file is empty"},
        {"{\n\"a\": 1,\n\"b\" 2}\n", ":3: not valid JSON from here on"},
        {"{}\n\n{}", ":3: not valid JSON from here on"},
    };
    for (int i = 0; i < 3; i++) {
        char *expected = format_text("%s%s", path, broken[i].message);
        assert_true(output_write_file(path, broken[i].text, strlen(broken[i].text), &err));
        assert_null(json_read(path, &err));
        assert_string_equal(err.text, expected);
        free(expected);
    }
    free(path);
    fixture_remove(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appears_when_closed),
        cmocka_unit_test(unwritable),
        cmocka_unit_test(directories),
        cmocka_unit_test(json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
