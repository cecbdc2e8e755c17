#include "overrides.h"
#include "schema.h"

#include <stdlib.h>
#include <string.h>

static const char *const name_characters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.,";

static cJSON *scalar(const char *text)
{
    char *end;
    double number = strtod(text, &end);
    if (*text && *end == 0)
        return cJSON_CreateNumber(number);
    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
        return cJSON_CreateBool(*text == 't');
    return cJSON_CreateString(text);
}

static cJSON *list(const char *text)
{
    cJSON *array = cJSON_CreateArray();
    while (*text) {
        char *item = format_text("%.*s", (int)strcspn(text, ","), text);
        cJSON_AddItemToArray(array, scalar(item));
        text += strlen(item) + (text[strlen(item)] == ',');
        free(item);
    }
    return array;
}

/* A string for target_modules is names unless it has characters that no name has: then it is a regular expression, or the
 * keyword "all-linear". */
static bool is_list(const char *field, const char *value)
{
    const struct schema_field *known = schema_find(field);
    if (!known)
        return false;
    if (known->read == read_target_modules || known->read == read_exclude_modules)
        return value[strspn(value, name_characters)] == 0 && strcmp(value, "all_linear") != 0;
    return known->read == read_names || (known->read == read_layers && strchr(value, ','));
}

/* The table `name` of `table`, made where there is none; an empty table may have come as an empty array. NULL: no table. */
static cJSON *inner_table(cJSON *table, const char *name)
{
    cJSON *inner = cJSON_GetObjectItemCaseSensitive(table, name);
    if (cJSON_IsObject(inner))
        return inner;
    if (inner && !(cJSON_IsArray(inner) && !inner->child))
        return NULL;
    cJSON_DeleteItemFromObjectCaseSensitive(table, name);
    return cJSON_AddObjectToObject(table, name);
}

static void set(cJSON *table, const char *name, cJSON *value)
{
    if (!cJSON_ReplaceItemInObjectCaseSensitive(table, name, value))
        cJSON_AddItemToObject(table, name, value);
}

/* Length of the table's name that `field` begins with, or 0 where the rest is the name of the value itself: patterns' keys may
 * have dots. */
static size_t table_name(const char *field, const char *rest)
{
    size_t before = (size_t)(rest - field);
    const char *const patterns[] = {"lora.rank_pattern.", "lora.alpha_pattern."};
    for (int i = 0; i < 2; i++) {
        if (before == strlen(patterns[i]) && strncmp(field, patterns[i], before) == 0)
            return 0;
    }
    size_t length = strcspn(rest, ".");
    return rest[length] ? length : 0;
}

static void apply(cJSON *table, const char *override, struct messages *messages)
{
    const char *equals = strchr(override, '=');
    char *field = format_text("%.*s", (int)(equals - override), override), *name = field;
    for (size_t length = table_name(field, name); table && length; length = table_name(field, name)) {
        char *step = format_text("%.*s", (int)length, name);
        table = inner_table(table, step);
        free(step);
        name += length + 1;
    }
    if (table)
        set(table, name, is_list(field, equals + 1) ? list(equals + 1) : scalar(equals + 1));
    else
        message_add(messages, "--set %s: '%.*s' holds no fields", override, (int)(name - field - 1), field);
    free(field);
}

void overrides_apply(cJSON *table, const struct recipe *recipe, struct messages *messages)
{
    for (int i = 0; i < recipe->overrides.count; i++)
        apply(table, recipe->overrides.items[i], messages);
}

const char *overrides_find(const struct string_list *overrides, const char *field)
{
    for (int i = overrides->count - 1; i >= 0; i--) {
        size_t length = strcspn(overrides->items[i], "=");
        if (strncmp(overrides->items[i], field, length) == 0 && (field[length] == 0 || strchr(".[", field[length])))
            return overrides->items[i];
    }
    return NULL;
}
