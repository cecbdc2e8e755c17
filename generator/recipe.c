#include "lua_json.h"
#include "overrides.h"
#include "passes.h"
#include "plan.h"
#include "recipe_modules.h"
#include "sandbox.h"
#include "schema.h"
#include "source_lines.h"
#include "text_file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { MEMORY = 64 << 20, INSTRUCTIONS = 20 * 1000 * 1000 };

void recipe_mistake(struct messages *messages, const struct recipe *recipe, const char *field, const char *format, ...)
{
    char text[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    const char *override = overrides_find(&recipe->overrides, field), *end = strrchr(field, '[');
    int shown = (int)(end && strchr(end, ']') ? (size_t)(end - field) : strlen(field));
    if (override)
        message_add(messages, "--set %s: %s", override, text);
    else
        message_add(messages, "%s:%d: %.*s%s%s", recipe->path, source_lines_find(recipe->lines, field), shown, field,
                    *field ? ": " : "", text);
}

/* The table that the recipe's text returns, as JSON; NULL after adding a mistake. */
static cJSON *evaluate(struct recipe *recipe, struct sandbox *sandbox, const char *text, size_t length,
                       struct messages *messages)
{
    char *message = NULL;
    if (!sandbox_load(sandbox, text, length, recipe->path, &message) || !sandbox_call(sandbox, 0, 1, &message)) {
        message_add(messages, "%s", message);
        free(message);
        return NULL;
    }
    if (!lua_istable(sandbox->L, -1)) {
        recipe_mistake(messages, recipe, "", "a recipe must return a table: return { model = ..., lora = ... }");
        return NULL;
    }
    sandbox->memory_limit = SIZE_MAX;
    struct string_list paths = {0}, reasons = {0};
    cJSON *table = lua_to_json(sandbox->L, -1, &paths, &reasons);
    for (int i = 0; i < paths.count; i++)
        recipe_mistake(messages, recipe, paths.items[i], "%s", reasons.items[i]);
    bool whole = paths.count == 0;
    string_list_free(&paths);
    string_list_free(&reasons);
    if (!whole) {
        cJSON_Delete(table);
        return NULL;
    }
    if (cJSON_IsArray(table) && !table->child) {
        cJSON_Delete(table);
        table = cJSON_CreateObject();
    }
    return table;
}

static cJSON *run(struct recipe *recipe, const char *text, size_t length, struct messages *messages)
{
    struct sandbox sandbox;
    char *directory = path_directory(recipe->path), *home = lorac_home(), *library = path_from(home, "recipes");
    const struct recipe_places places = {directory, library};
    sandbox_open(&sandbox, MEMORY, INSTRUCTIONS,
                 "a recipe has string, table, math, utf8, require and hf_config, but no files, programs or clock");
    recipe_modules_open(&sandbox, &places);
    cJSON *table = evaluate(recipe, &sandbox, text, length, messages);
    sandbox_close(&sandbox);
    free(directory);
    free(home);
    free(library);
    return table;
}

/* "recipes/tiny.lua" -> "tiny" (free() it). */
static char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    size_t length = strlen(name);
    if (length > 4 && strcmp(name + length - 4, ".lua") == 0)
        length -= 4;
    return format_text("%.*s", (int)length, name);
}

bool recipe_pass(struct plan *plan, const char *path, const struct string_list *overrides, struct messages *messages)
{
    struct recipe *recipe = &plan->recipe;
    size_t length;
    recipe->path = format_text("%s", path);
    recipe->name = base_name(path);
    for (int i = 0; i < overrides->count; i++)
        string_list_add(&recipe->overrides, overrides->items[i]);
    char *text = text_file_read(path, &length);
    if (!text) {
        message_add(messages, "%s: cannot read the recipe: %s", path, strerror(errno));
        return false;
    }
    recipe->lines = source_lines_read(text);
    cJSON *table = run(recipe, text, length, messages);
    free(text);
    if (!table)
        return false;
    int before = messages->count;
    bool object = cJSON_IsObject(table);
    if (object) {
        overrides_apply(table, recipe, messages);
        schema_read(recipe, table, messages);
    } else {
        recipe_mistake(messages, recipe, "", "a recipe must return named fields: return { model = ..., lora = ... }");
    }
    cJSON_Delete(table);
    return messages->count == before;
}

static void free_patterns(struct pattern *patterns, int count)
{
    for (int i = 0; i < count; i++)
        free(patterns[i].key);
    free(patterns);
}

void recipe_free(struct recipe *recipe)
{
    struct recipe_lora *lora = &recipe->lora;
    string_list_free(&lora->target_modules);
    string_list_free(&lora->exclude_modules);
    string_list_free(&lora->modules_to_save);
    free(lora->target_regex);
    free(lora->exclude_regex);
    free_patterns(lora->rank_pattern, lora->rank_pattern_count);
    free_patterns(lora->alpha_pattern, lora->alpha_pattern_count);
    free(lora->layers_to_transform);
    free(lora->init_lora_weights);
    free(recipe->train.lr_scheduler_type);
    cJSON_Delete(recipe->train.data_fields);
    cJSON_Delete(recipe->chat);
    source_lines_free(recipe->lines);
    string_list_free(&recipe->overrides);
    free(recipe->path);
    free(recipe->name);
    *recipe = (struct recipe){0};
}
