/* The tuning file: its place, its text, and the checks that it must pass. */
#define _POSIX_C_SOURCE 200809L
#include "tuning.h"

#include "commands.h"
#include "json_file.h"
#include "output_file.h"
#include "program.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- place ---- */

/* As the XDG base directory specification has it, a relative path does not count. */
static char *cache_directory(void)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (cache && cache[0] == '/')
        return path_join(cache, "lorac");
    return home && home[0] == '/' ? format_text("%s/.cache/lorac", home) : NULL;
}

char *tuning_path(const struct tuning *tuning)
{
    char *directory = cache_directory();
    char *path = directory ? format_text("%s/%s-%s-%d-%.8s.json", directory, tuning->program->name,
                                         tuning->backend->name, tuning->threads, tuning->program->plan_hash)
                           : NULL;
    free(directory);
    return path;
}

/* ---- text ---- */

static cJSON *operation_json(const struct tunable *tunable, const struct tuned *tuned)
{
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "operation", tunable->operation);
    cJSON_AddNumberToObject(json, "rows", tunable->rows);
    cJSON_AddStringToObject(json, "chosen", tunable->variants[tuned->chosen]);
    cJSON *seconds = cJSON_AddObjectToObject(json, "seconds_a_row");
    for (int i = 0; i < tunable->variant_count; i++)
        cJSON_AddNumberToObject(seconds, tunable->variants[i], tuned->seconds[i]);
    return json;
}

/* What the figures are for: all must be equal where they are used. */
static cJSON *header_json(const struct tuning *tuning)
{
    cJSON *json = cJSON_CreateObject();
    char *device = tuning->backend->describe();
    cJSON_AddStringToObject(json, "lorac", LORAC_VERSION);
    cJSON_AddStringToObject(json, "program", tuning->program->name);
    cJSON_AddStringToObject(json, "plan", tuning->program->plan_hash);
    cJSON_AddStringToObject(json, "device", device);
    cJSON_AddStringToObject(json, "backend", tuning->backend->name);
    cJSON_AddNumberToObject(json, "threads", tuning->threads);
    free(device);
    return json;
}

cJSON *tuning_to_json(const struct tuning *tuning)
{
    cJSON *json = header_json(tuning), *operations = cJSON_AddArrayToObject(json, "operations");
    for (int i = 0; i < tuning->backend->tunable_count; i++)
        if (tuning->operations[i].measured)
            cJSON_AddItemToArray(operations, operation_json(&tuning->backend->tunables[i], &tuning->operations[i]));
    return json;
}

static bool make_directory_of(const char *path, struct error *err)
{
    char *directory = directory_of(path);
    bool made = make_directory(directory, err);
    free(directory);
    return made;
}

bool tuning_writable(const char *path, struct error *err)
{
    struct output_file *file = make_directory_of(path, err) ? output_open(path, err) : NULL;
    output_abort(file);
    return file != NULL;
}

bool tuning_write(const struct tuning *tuning, const char *path, struct error *err)
{
    if (!make_directory_of(path, err))
        return false;
    cJSON *json = tuning_to_json(tuning);
    bool written = json_write(path, json, err);
    cJSON_Delete(json);
    return written;
}

/* ---- reading ---- */

static const char *text_of(const cJSON *json, const char *key)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, key));
    return text ? text : "";
}

static int tunable_named(const struct backend *backend, const char *operation, double rows)
{
    for (int i = 0; i < backend->tunable_count; i++)
        if (!strcmp(backend->tunables[i].operation, operation) && backend->tunables[i].rows == rows)
            return i;
    return -1;
}

/* The variants must be those of the program, all of them in their order. */
static bool read_seconds(const struct tunable *tunable, struct tuned *tuned, const cJSON *json)
{
    const cJSON *seconds = cJSON_GetObjectItemCaseSensitive(json, "seconds_a_row");
    int count = 0;
    if (!cJSON_IsObject(seconds))
        return false;
    for (const cJSON *item = seconds->child; item; item = item->next, count++) {
        if (count == tunable->variant_count || strcmp(item->string, tunable->variants[count]) ||
            !cJSON_IsNumber(item) || !(item->valuedouble > 0) || !isfinite(item->valuedouble))
            return false;
        tuned->seconds[count] = item->valuedouble;
    }
    return count == tunable->variant_count;
}

static bool read_chosen(const struct tunable *tunable, struct tuned *tuned, const cJSON *json)
{
    for (int i = 0; i < tunable->variant_count; i++)
        if (!strcmp(tunable->variants[i], text_of(json, "chosen"))) {
            tuned->chosen = i;
            return true;
        }
    return false;
}

static bool read_operation(struct tuning *tuning, const cJSON *json, struct error *err)
{
    const cJSON *rows = cJSON_GetObjectItemCaseSensitive(json, "rows");
    const char *operation = text_of(json, "operation");
    int at = cJSON_IsNumber(rows) ? tunable_named(tuning->backend, operation, rows->valuedouble) : -1;
    if (at < 0 || tuning->operations[at].measured)
        return error_set(err, "'%s' of as many rows is %s", operation,
                         at < 0 ? "nothing that is tuned here" : "there twice");
    struct tuned *tuned = &tuning->operations[at];
    if (!read_seconds(&tuning->backend->tunables[at], tuned, json) ||
        !read_chosen(&tuning->backend->tunables[at], tuned, json))
        return error_set(err, "'%s' has not the variants of this program, with a time each", operation);
    tuned->measured = true;
    return true;
}

/* Every member of the header is there and the same; nothing else but "operations" is. */
static bool same_header(const struct tuning *tuning, const cJSON *json, struct error *err)
{
    cJSON *expected = header_json(tuning);
    bool same = true;
    for (const cJSON *item = expected->child; item && same; item = item->next) {
        const cJSON *found = cJSON_GetObjectItemCaseSensitive(json, item->string);
        if (!cJSON_Compare(item, found, true))
            same = error_set(err, "its \"%s\" is another", item->string);
    }
    if (same && cJSON_GetArraySize(json) > cJSON_GetArraySize(expected) + 1)
        same = error_set(err, "it has members that are none of a tuning file's");
    cJSON_Delete(expected);
    return same;
}

static bool read_json(struct tuning *tuning, const cJSON *json, struct error *err)
{
    const cJSON *operations = cJSON_GetObjectItemCaseSensitive(json, "operations");
    if (!same_header(tuning, json, err))
        return false;
    if (!cJSON_IsArray(operations))
        return error_set(err, "\"operations\" is no list");
    for (const cJSON *item = operations->child; item; item = item->next)
        if (!read_operation(tuning, item, err))
            return false;
    return true;
}

bool tuning_read(struct tuning *tuning, const char *path, struct error *err)
{
    struct stat status;
    err->text[0] = '\0';
    if (stat(path, &status))
        return false;
    if (!S_ISREG(status.st_mode)) /* which may never end */
        return error_set(err, "%s: is no file", path);
    cJSON *json = json_read(path, err);
    if (!json)
        return false;
    struct error cause = {.exit_code = EXIT_FAILED};
    bool fits = read_json(tuning, json, &cause);
    cJSON_Delete(json);
    if (fits)
        return true;
    memset(tuning->operations, 0, (size_t)tuning->backend->tunable_count * sizeof *tuning->operations);
    return error_set(err, "%s: %s", path, cause.text);
}

/* ---- for people ---- */

static void print_variants(const struct tunable *tunable, const struct tuned *tuned, FILE *out)
{
    for (int i = 0; i < tunable->variant_count; i++)
        fprintf(out, "  %c%s %.3f", i == tuned->chosen ? '*' : ' ', tunable->variants[i],
                tuned->seconds[i] / tuned->seconds[0]);
    fprintf(out, "\n");
}

void tuning_print(const struct tuning *tuning, FILE *out)
{
    char *device = tuning->backend->describe();
    fprintf(out, "%s; %s, %d thread%s\n", device, tuning->backend->name, tuning->threads,
            tuning->threads == 1 ? "" : "s");
    fprintf(out, "%-28s %10s %9s  %s\n", "operation", "rows up to", "GFLOP/s",
            "variants, the chosen one with *, their time in that of the first");
    for (int i = 0; i < tuning->backend->tunable_count; i++) {
        const struct tunable *tunable = &tuning->backend->tunables[i];
        const struct tuned *tuned = &tuning->operations[i];
        if (!tuned->measured)
            continue;
        fprintf(out, "%-28s %10d %9.1f", tunable->operation, tunable->rows,
                tunable->flops / tuned->seconds[tuned->chosen] * 1e-9);
        print_variants(tunable, tuned, out);
    }
    free(device);
}
