#define _POSIX_C_SOURCE 200809L /* opendir */
/* Every recipe of tests/generator/mistakes against the exact messages beside it. A line "--set FIELD=VALUE", to Lua a comment, is
 * given on the command line.
 */
#include "planned.h"
#include "text_file.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char folder[] = "tests/generator/mistakes";

enum { MOST = 100 };

static void read_overrides(const char *path, struct string_list *overrides)
{
    size_t length;
    char *text = text_file_read(path, &length);
    assert_non_null(text);
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        if (strncmp(line, "--set ", 6) == 0)
            string_list_add(overrides, line + 6);
    }
    free(text);
}

static void says_exactly(void **state)
{
    const char *name = *state;
    char *path = format_text("%s/%s.lua", folder, name), *golden = format_text("%s/%s.txt", folder, name);
    struct string_list overrides = {0};
    struct planned planned;
    size_t length;
    char *wanted = text_file_read(golden, &length);
    assert_non_null(wanted);
    read_overrides(path, &overrides);
    planned_open_file(&planned, path, &overrides);
    char *found = planned_messages(&planned);
    assert_false(planned.whole);
    assert_string_equal(found, wanted);
    planned_close(&planned);
    string_list_free(&overrides);
    free(found);
    free(wanted);
    free(path);
    free(golden);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct CMUnitTest *)a)->name, ((const struct CMUnitTest *)b)->name);
}

int main(void)
{
    struct CMUnitTest tests[MOST];
    size_t count = 0;
    DIR *directory = opendir(folder);
    CHECK(directory);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        size_t length = strlen(entry->d_name);
        if (length < 5 || strcmp(entry->d_name + length - 4, ".lua") != 0)
            continue;
        CHECK(count < MOST);
        char *name = format_text("%.*s", (int)length - 4, entry->d_name);
        tests[count++] = (struct CMUnitTest){name, says_exactly, NULL, NULL, name};
    }
    closedir(directory);
    CHECK(count > 0);
    qsort(tests, count, sizeof *tests, by_name);
    int failed = _cmocka_run_group_tests("mistakes", tests, count, NULL, NULL);
    for (size_t i = 0; i < count; i++)
        free(tests[i].initial_state);
    return failed;
}
