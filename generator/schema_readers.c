#include "schema.h"
#include "source_lines.h"
#include "suggest.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Where the field's value goes. */
static void *place(const struct schema_field *field, struct recipe *recipe)
{
    return (char *)recipe + field->offset;
}

char *schema_describe(const cJSON *value)
{
    if (cJSON_IsString(value))
        return format_text("the string '%s'", value->valuestring);
    if (cJSON_IsNumber(value))
        return format_text("%.15g", value->valuedouble);
    if (cJSON_IsBool(value))
        return format_text("%s", cJSON_IsTrue(value) ? "true" : "false");
    if (cJSON_IsNull(value))
        return format_text("null");
    return format_text("%s", cJSON_IsArray(value) && !value->child ? "an empty table"
                             : cJSON_IsArray(value)                ? "a list"
                                                                   : "a table");
}

static void wrong(const struct schema_field *field, const cJSON *value, const struct recipe *recipe,
                  struct messages *messages, const char *wanted)
{
    char *found = schema_describe(value), *end = NULL;
    bool quoted = cJSON_IsString(value) && *value->valuestring && (strtod(value->valuestring, &end), *end == 0);
    recipe_mistake(messages, recipe, field->path, "must be %s; found %s%s", wanted, found,
                   quoted ? " (write it without quotes)" : "");
    free(found);
}

static bool empty(const cJSON *value)
{
    return (cJSON_IsArray(value) || cJSON_IsObject(value)) && !value->child;
}

void read_section(const struct schema_field *field, const cJSON *value, struct recipe *recipe,
                  struct messages *messages)
{
    if (!cJSON_IsObject(value) && !empty(value))
        wrong(field, value, recipe, messages, "a table of named fields");
}

/* Members that config.json does not have are a slip where the recipe itself lists them. */
static void check_model_keys(const cJSON *model, const struct recipe *recipe, struct messages *messages)
{
    int count;
    const char *const *keys = model_config_keys(&count);
    for (const cJSON *member = model->child; member; member = member->next) {
        const char *near = member->string ? suggest(member->string, keys, count) : NULL;
        if (near && strcmp(near, member->string) == 0)
            continue;
        char *path = format_text("model.%s", member->string ? member->string : "");
        if (near)
            recipe_mistake(messages, recipe, path, "unknown field; did you mean '%s'?", near);
        else
            recipe_mistake(messages, recipe, path,
                           "unknown field: no model that is supported has it in its config.json");
        free(path);
    }
}

/* Whom to blame for a mistake of the model: the field of --set that the message names first, else the recipe's own table. */
static char *blamed_field(const struct recipe *recipe, const char *message)
{
    const char *first = NULL;
    char *field = format_text("model");
    for (int i = 0; i < recipe->overrides.count; i++) {
        const char *override = recipe->overrides.items[i];
        if (strncmp(override, "model.", 6) != 0)
            continue;
        char *name = format_text("%.*s", (int)strcspn(override + 6, "=."), override + 6);
        const char *at = strstr(message, name);
        if (at && (!first || at < first)) {
            free(field);
            field = format_text("%.*s", (int)strcspn(override, "="), override);
            first = at;
        }
        free(name);
    }
    return field;
}

/* The table of hf_config carries its file's path as "#file", which no config.json has. */
void read_model(const struct schema_field *field, const cJSON *value, struct recipe *recipe, struct messages *messages)
{
    struct error err = {0};
    if (!cJSON_IsObject(value)) {
        wrong(field, value, recipe, messages, "hf_config \"DIR/config.json\" or a table with config.json's fields");
        return;
    }
    const cJSON *file = cJSON_GetObjectItemCaseSensitive(value, "#file");
    if (!file)
        check_model_keys(value, recipe, messages);
    cJSON *fields = cJSON_Duplicate(value, true);
    cJSON_DeleteItemFromObjectCaseSensitive(fields, "#file");
    if (!model_config_parse(place(field, recipe), fields, file ? file->valuestring : "", &err)) {
        memset(place(field, recipe), 0, sizeof(struct model_config));
        for (char *line = strtok(err.text, "\n"); line; line = strtok(NULL, "\n")) {
            char *blamed = blamed_field(recipe, line);
            recipe_mistake(messages, recipe, blamed, "%s", line);
            free(blamed);
        }
    }
    cJSON_Delete(fields);
}

void read_chat(const struct schema_field *field, const cJSON *value, struct recipe *recipe, struct messages *messages)
{
    if (!cJSON_IsObject(value))
        wrong(field, value, recipe, messages, "a chat format, such as require \"chat.chatml\" {}");
    else
        *(cJSON **)place(field, recipe) = schema_chat(value, recipe, messages);
}

/* "a whole number of at least 1", "a number of at least 0 and below 1" (free() it). */
static char *range(const struct schema_field *field, bool whole)
{
    char *low = format_text("%s of %s %.15g", whole ? "a whole number" : "a number",
                            field->above_low ? "more than" : "at least", field->low);
    if (field->above_low) {
        free(low);
        low = format_text("%s above %.15g", whole ? "a whole number" : "a number", field->low);
    }
    if (field->high == 0)
        return low;
    char *both = format_text("%s and %s %.15g", low, field->below_high ? "below" : "at most", field->high);
    free(low);
    return both;
}

static bool in_range(const struct schema_field *field, double x)
{
    bool low = field->above_low ? x > field->low : x >= field->low;
    return low && (field->high == 0 || (field->below_high ? x < field->high : x <= field->high));
}

/* The number, if it is one within the field's limits; otherwise adds a mistake. */
static bool number(const struct schema_field *field, const cJSON *value, bool whole, double most, double *x,
                   struct recipe *recipe, struct messages *messages)
{
    *x = value->valuedouble;
    if (cJSON_IsNumber(value) && in_range(field, *x) && (!whole || (*x == floor(*x) && fabs(*x) <= most)))
        return true;
    char *wanted = range(field, whole);
    wrong(field, value, recipe, messages, wanted);
    free(wanted);
    return false;
}

void read_int(const struct schema_field *field, const cJSON *value, struct recipe *recipe, struct messages *messages)
{
    double x;
    if (number(field, value, true, INT_MAX, &x, recipe, messages))
        *(int *)place(field, recipe) = (int)x;
}

void read_long(const struct schema_field *field, const cJSON *value, struct recipe *recipe, struct messages *messages)
{
    double x;
    if (number(field, value, true, 0x1p53, &x, recipe, messages))
        *(long long *)place(field, recipe) = (long long)x;
}

void read_number(const struct schema_field *field, const cJSON *value, struct recipe *recipe, struct messages *messages)
{
    double x;
    if (number(field, value, false, 0, &x, recipe, messages))
        *(double *)place(field, recipe) = x;
}

void read_max_steps(const struct schema_field *field, const cJSON *value, struct recipe *recipe,
                    struct messages *messages)
{
    double x = value->valuedouble;
    if (cJSON_IsNumber(value) && x == floor(x) && (x == -1 || x >= 1) && x <= INT_MAX)
        *(int *)place(field, recipe) = (int)x;
    else
        wrong(field, value, recipe, messages, "a whole number of at least 1, or -1 to go by num_train_epochs");
}

/* As in Transformers 5, a number below 1 is a part of all steps. */
void read_warmup(const struct schema_field *field, const cJSON *value, struct recipe *recipe, struct messages *messages)
{
    double x = value->valuedouble;
    if (cJSON_IsNumber(value) && x > 0 && x < 1)
        recipe->train.warmup_ratio = x;
    else
        read_int(field, value, recipe, messages);
}

void read_bool(const struct schema_field *field, const cJSON *value, struct recipe *recipe, struct messages *messages)
{
    if (!cJSON_IsBool(value))
        wrong(field, value, recipe, messages, "true or false");
    else if (field->offset)
        *(bool *)place(field, recipe) = cJSON_IsTrue(value);
}

void read_four_bits(const struct schema_field *field, const cJSON *value, struct recipe *recipe,
                    struct messages *messages)
{
    read_bool(field, value, recipe, messages);
    if (cJSON_IsTrue(value))
        recipe_mistake(
            messages, recipe, field->path,
            "4-bit base weights are not supported by this version; set it to false, or leave quantization out");
}

static char *listed(const char *const *choices)
{
    char *text = format_text("%s", "");
    for (int i = 0; choices[i]; i++) {
        char *longer = format_text("%s%s\"%s\"", text, i == 0 ? "" : choices[i + 1] ? ", " : " or ", choices[i]);
        free(text);
        text = longer;
    }
    return text;
}

/* The choice that the value is, or NULL after adding a mistake. */
static const char *choice(const struct schema_field *field, const cJSON *value, struct recipe *recipe,
                          struct messages *messages)
{
    int count = 0;
    for (; field->choices[count]; count++) {
        if (cJSON_IsString(value) && strcmp(value->valuestring, field->choices[count]) == 0)
            return field->choices[count];
    }
    char *wanted = listed(field->choices);
    const char *near = cJSON_IsString(value) ? suggest(value->valuestring, field->choices, count) : NULL;
    if (near)
        recipe_mistake(messages, recipe, field->path, "'%s' is unknown; did you mean '%s'?\n    known: %s",
                       value->valuestring, near, wanted);
    else
        wrong(field, value, recipe, messages, wanted);
    free(wanted);
    return NULL;
}

void read_choice(const struct schema_field *field, const cJSON *value, struct recipe *recipe, struct messages *messages)
{
    const char *chosen = choice(field, value, recipe, messages);
    if (!chosen)
        return;
    char **text = place(field, recipe);
    free(*text);
    *text = format_text("%s", chosen);
}

void read_fixed(const struct schema_field *field, const cJSON *value, struct recipe *recipe, struct messages *messages)
{
    choice(field, value, recipe, messages);
}

void read_init(const struct schema_field *field, const cJSON *value, struct recipe *recipe, struct messages *messages)
{
    char **text = place(field, recipe);
    if (cJSON_IsBool(value))
        *text = format_text("%s", cJSON_IsTrue(value) ? "true" : "false");
    else if (cJSON_IsString(value) && strcmp(value->valuestring, "gaussian") == 0)
        *text = format_text("gaussian");
    else
        wrong(field, value, recipe, messages, "true, false or \"gaussian\"");
}

void read_checkpointing(const struct schema_field *field, const cJSON *value, struct recipe *recipe,
                        struct messages *messages)
{
    if (cJSON_IsBool(value))
        recipe->train.gradient_checkpointing = cJSON_IsTrue(value) ? CHECKPOINTING_ON : CHECKPOINTING_OFF;
    else if (cJSON_IsString(value) && strcmp(value->valuestring, "auto") == 0)
        recipe->train.gradient_checkpointing = CHECKPOINTING_AUTO;
    else
        wrong(field, value, recipe, messages, "true, false or \"auto\"");
}

/* "8GiB", "512MiB", "8GB", or a number of bytes. */
void read_bytes(const struct schema_field *field, const cJSON *value, struct recipe *recipe, struct messages *messages)
{
    static const struct {
        const char *name;
        double bytes;
    } units[] = {{"", 1},     {"B", 1},    {"KiB", 0x1p10}, {"MiB", 0x1p20}, {"GiB", 0x1p30}, {"TiB", 0x1p40},
                 {"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6},     {"GB", 1e9},     {"TB", 1e12}};
    char *unit = "";
    double bytes = cJSON_IsString(value)   ? strtod(value->valuestring, &unit)
                   : cJSON_IsNumber(value) ? value->valuedouble
                                           : 0;
    unit += strspn(unit, " ");
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp(unit, units[i].name) == 0 && bytes > 0 && isfinite(bytes)) {
            *(double *)place(field, recipe) = bytes * units[i].bytes;
            return;
        }
    }
    wrong(field, value, recipe, messages, "a size such as \"8GiB\" or \"512MiB\"");
}
