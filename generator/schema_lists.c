/* Readers of the fields that hold lists and tables. */
#include "../runtime/data_fields.h"
#include "schema.h"
#include "source_lines.h"
#include "suggest.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void *place(const struct schema_field *field, struct recipe *recipe)
{
    return (char *)recipe + field->offset;
}

static void wrong_item(const char *path, const cJSON *value, const struct recipe *recipe, struct messages *messages,
                       const char *wanted)
{
    char *found = schema_describe(value);
    recipe_mistake(messages, recipe, path, "must be %s; found %s", wanted, found);
    free(found);
}

static void read_strings(const struct schema_field *field, const cJSON *value, struct string_list *list,
                         struct recipe *recipe, struct messages *messages)
{
    int i = 0;
    for (const cJSON *item = value->child; item; item = item->next) {
        char *path = format_text("%s[%d]", field->path, ++i);
        if (cJSON_IsString(item) && *item->valuestring)
            string_list_add(list, item->valuestring);
        else
            wrong_item(path, item, recipe, messages, "the name of a module");
        free(path);
    }
}

void read_names(const struct schema_field *field, const cJSON *value, struct recipe *recipe, struct messages *messages)
{
    if (cJSON_IsArray(value))
        read_strings(field, value, place(field, recipe), recipe, messages);
    else
        wrong_item(field->path, value, recipe, messages, "a list of module names");
}

void read_target_modules(const struct schema_field *field, const cJSON *value, struct recipe *recipe,
                         struct messages *messages)
{
    const char *text = cJSON_IsString(value) ? value->valuestring : NULL;
    struct recipe_lora *lora = &recipe->lora;
    if (text && (strcmp(text, "all-linear") == 0 || strcmp(text, "all_linear") == 0))
        lora->all_linear = true;
    else if (text)
        lora->target_regex = format_text("%s", text);
    else if (cJSON_IsArray(value) && value->child)
        read_strings(field, value, &lora->target_modules, recipe, messages);
    else
        wrong_item(field->path, value, recipe, messages,
                   "a list of module names, \"all-linear\" or a regular expression");
}

void read_exclude_modules(const struct schema_field *field, const cJSON *value, struct recipe *recipe,
                          struct messages *messages)
{
    if (cJSON_IsString(value))
        recipe->lora.exclude_regex = format_text("%s", value->valuestring);
    else if (cJSON_IsArray(value))
        read_strings(field, value, &recipe->lora.exclude_modules, recipe, messages);
    else
        wrong_item(field->path, value, recipe, messages, "a list of module names or a regular expression");
}

/* A pattern and its place in the recipe's text, which is the order in which Python would have kept them. */
struct placed {
    struct pattern pattern;
    int order;
};

static int by_order(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;
    int placed = (x->order > y->order) - (x->order < y->order);
    return placed ? placed : strcmp(x->pattern.key, y->pattern.key);
}

static bool pattern_value(const struct schema_field *field, const cJSON *value)
{
    double x = value->valuedouble;
    bool ranks = field->low == 1;
    return cJSON_IsNumber(value) && (ranks ? x >= 1 && x == floor(x) : x > 0) && (field->high == 0 || x <= field->high);
}

/* Fills the two members of struct recipe_lora that belong to the field. */
static void store_patterns(const struct schema_field *field, struct placed *found, int count, struct recipe *recipe)
{
    struct pattern *patterns = allocate((size_t)count * sizeof *patterns, "a pattern table");
    qsort(found, (size_t)count, sizeof *found, by_order);
    for (int i = 0; i < count; i++)
        patterns[i] = found[i].pattern;
    *(struct pattern **)place(field, recipe) = patterns;
    if (place(field, recipe) == (void *)&recipe->lora.rank_pattern)
        recipe->lora.rank_pattern_count = count;
    else
        recipe->lora.alpha_pattern_count = count;
}

void read_pattern(const struct schema_field *field, const cJSON *value, struct recipe *recipe,
                  struct messages *messages)
{
    const char *wanted = field->low == 1 ? "a rank, a whole number of at least 1" : "a number above 0";
    if (!cJSON_IsObject(value) && value->child) {
        wrong_item(field->path, value, recipe, messages, "a table of module names and numbers");
        return;
    }
    if (!value->child && !cJSON_IsArray(value) && !cJSON_IsObject(value)) {
        wrong_item(field->path, value, recipe, messages, "a table of module names and numbers");
        return;
    }
    struct placed *found = allocate((size_t)cJSON_GetArraySize(value) * sizeof *found, "a pattern table");
    int count = 0;
    for (const cJSON *item = value->child; item; item = item->next) {
        char *path = format_text("%s.%s", field->path, item->string);
        if (pattern_value(field, item))
            found[count++] = (struct placed){{format_text("%s", item->string), item->valuedouble},
                                             source_lines_order(recipe->lines, path)};
        else
            wrong_item(path, item, recipe, messages, wanted);
        free(path);
    }
    store_patterns(field, found, count, recipe);
    free(found);
}

/* A layer or a list of them. */
void read_layers(const struct schema_field *field, const cJSON *value, struct recipe *recipe, struct messages *messages)
{
    const char *wanted = "a layer's number (from 0) or a list of them";
    struct recipe_lora *lora = &recipe->lora;
    const cJSON *item = cJSON_IsArray(value) ? value->child : value;
    if (!item) {
        wrong_item(field->path, value, recipe, messages, wanted);
        return;
    }
    int count = cJSON_IsArray(value) ? cJSON_GetArraySize(value) : 1;
    lora->layers_to_transform = allocate((size_t)count * sizeof(int), "layers_to_transform");
    for (int i = 1; i <= count; i++, item = item->next) {
        double x = item->valuedouble;
        char *path = cJSON_IsArray(value) ? format_text("%s[%d]", field->path, i) : format_text("%s", field->path);
        if (cJSON_IsNumber(item) && x == floor(x) && x >= 0 && x <= INT_MAX)
            lora->layers_to_transform[lora->layers_to_transform_count++] = (int)x;
        else
            wrong_item(path, item, recipe, messages, wanted);
        free(path);
    }
}

/* A mapped name must be a field's, and be mapped to a name. */
static void read_data_field(const cJSON *item, struct recipe *recipe, struct messages *messages)
{
    const char *names[sizeof(struct data_fields) / sizeof(const char *)];
    int count = 0;
    bool known = false;
    for (const char *name; (name = data_field_name(count)); names[count++] = name)
        known = known || strcmp(name, item->string) == 0;
    char *path = format_text("train.data_fields.%s", item->string);
    const char *near = suggest(item->string, names, count);
    if (!known && near)
        recipe_mistake(messages, recipe, path, "no form of data has this field; did you mean '%s'?", near);
    else if (!known)
        recipe_mistake(messages, recipe, path, "no form of data has this field; runtime/data_fields.h lists them");
    else if (!cJSON_IsString(item) || !*item->valuestring)
        wrong_item(path, item, recipe, messages, "the name of a field in the data files");
    else
        cJSON_AddStringToObject(recipe->train.data_fields, item->string, item->valuestring);
    free(path);
}

void read_data_fields(const struct schema_field *field, const cJSON *value, struct recipe *recipe,
                      struct messages *messages)
{
    if (!cJSON_IsObject(value)) {
        wrong_item(field->path, value, recipe, messages,
                   "a table such as { messages = \"dialog\", role = \"speaker\" }");
        return;
    }
    recipe->train.data_fields = cJSON_CreateObject();
    for (const cJSON *item = value->child; item; item = item->next)
        read_data_field(item, recipe, messages);
}
