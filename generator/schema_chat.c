/* The field `chat`: the table that a chat format of recipes/chat/ has returned, which format.lua has completed, with what --set
 * changes in it; or one written by hand. Its fields are listed here once more, because that check ran before --set.
 */
#include "overrides.h"
#include "schema.h"
#include "suggest.h"

#include <stdlib.h>
#include <string.h>

enum kind { TEXT = 1, YES_OR_NO, COUNT, TABLE };

struct chat_field {
    const char *name;
    enum kind kind;
    bool needed; /* false (none) is not enough */
};

static const struct chat_field format_fields[] = {
    {"name", TEXT, true},
    {"bos", TEXT, false},
    {"default_system", TEXT, false},
    {"system_preamble", TEXT, false},
    {"system_open", TEXT, false},
    {"system_close", TEXT, false},
    {"generation_prompt", TEXT, false},
    {"think_open", TEXT, false},
    {"think_close", TEXT, false},
    {"system_in_last", YES_OR_NO, false},
    {"alternate", YES_OR_NO, false},
    {"own_system", YES_OR_NO, false},
    {"other_template", YES_OR_NO, false},
    {"roles", TABLE, true},
    {"tools", TABLE, false},
    {"stop", TABLE, true},
};
static const struct chat_field role_fields[] = {
    {"name", TEXT, true},         {"group_open", TEXT, false}, {"prefix", TEXT, false},
    {"end_of_turn", TEXT, false}, {"suffix", TEXT, false},     {"group_close", TEXT, false},
    {"trim", YES_OR_NO, false},   {"json", YES_OR_NO, false},  {"trained", YES_OR_NO, false},
};
static const struct chat_field tools_fields[] = {
    {"place", TEXT, true},
    {"system_preamble", TEXT, false},
    {"open", TEXT, false},
    {"each", TEXT, true},
    {"between", TEXT, false},
    {"close", TEXT, false},
    {"after_content", TEXT, false},
    {"call_open", TEXT, false},
    {"call", TEXT, true},
    {"call_between", TEXT, false},
    {"call_close", TEXT, false},
    {"calls_replace_content", YES_OR_NO, false},
    {"plain_arguments", YES_OR_NO, false},
    {"indent", COUNT, true},
    {"most_calls", COUNT, true},
};

enum { MAX_FIELDS = 16, MAX_ROLES = 8, MAX_STOPS = 8 };

/* A table of the format, and where mistakes in it go. */
struct part {
    const struct chat_field *fields;
    int count;
    const char *path; /* "chat.roles[2]" */
    const struct recipe *recipe;
    struct messages *messages;
};

static bool has_kind(const cJSON *value, enum kind kind)
{
    switch (kind) {
    case TEXT:
        return cJSON_IsString(value);
    case YES_OR_NO:
        return cJSON_IsBool(value);
    case COUNT:
        return cJSON_IsNumber(value) && value->valuedouble >= 0 && value->valuedouble == value->valueint;
    default:
        return cJSON_IsArray(value) || cJSON_IsObject(value);
    }
}

static void mistake(const struct part *part, const char *name, const char *text)
{
    char *path = *name ? format_text("%s.%s", part->path, name) : format_text("%s", part->path);
    recipe_mistake(part->messages, part->recipe, path, "%s", text);
    free(path);
}

static void unknown(const struct part *part, const char *name)
{
    const char *names[MAX_FIELDS + 1] = {"system"}; /* what recipes call default_system */
    char *text = format_text("unknown field\n    known here:");
    for (int i = 0; i < part->count; i++) {
        names[i + 1] = part->fields[i].name;
        char *longer = format_text("%s %s", text, part->fields[i].name);
        free(text);
        text = longer;
    }
    bool whole = part->fields == format_fields;
    const char *near = suggest(name, names + !whole, part->count + whole);
    if (near) {
        free(text);
        text = format_text("unknown field; did you mean '%s'?", near);
    }
    mistake(part, name, text);
    free(text);
}

static void check_value(const struct part *part, const struct chat_field *field, const cJSON *value)
{
    static const char *const kinds[] = {[TEXT] = "a string",
                                        [YES_OR_NO] = "true or false",
                                        [COUNT] = "a whole number of at least 0",
                                        [TABLE] = "a table"};
    if (has_kind(value, field->kind) || (cJSON_IsFalse(value) && !field->needed))
        return;
    char *found = schema_describe(value);
    char *text = format_text("must be %s; found %s", kinds[field->kind], found);
    mistake(part, field->name, text);
    free(text);
    free(found);
}

/* What is not there at all cannot come from format.lua, which gives every field a value. */
static void check_missing(const struct part *part, const cJSON *table)
{
    int i = 0;
    while (i < part->count && cJSON_GetObjectItemCaseSensitive(table, part->fields[i].name))
        i++;
    if (i == part->count)
        return;
    char *text =
        format_text("'%s' is missing: a chat format comes from require \"chat.chatml\" {} or the like; one of your "
                    "own from the function that require \"chat.format\" returns",
                    part->fields[i].name);
    mistake(part, "", text);
    free(text);
}

/* True where every field is known, of its type and there. */
static bool check_part(const struct part *part, const cJSON *table)
{
    int before = part->messages->count;
    if (!cJSON_IsObject(table)) {
        mistake(part, "", "must be a table of named fields");
        return false;
    }
    for (const cJSON *value = table->child; value; value = value->next) {
        int i = 0;
        while (i < part->count && strcmp(part->fields[i].name, value->string) != 0)
            i++;
        if (i < part->count)
            check_value(part, &part->fields[i], value);
        else
            unknown(part, value->string);
    }
    if (part->messages->count == before)
        check_missing(part, table);
    return part->messages->count == before;
}

static bool check_roles(const struct part *whole, const cJSON *roles)
{
    bool assistant = false, fine = true;
    int count = 0;
    for (const cJSON *role = roles->child; role; role = role->next) {
        char *path = format_text("%s.roles[%d]", whole->path, ++count);
        const struct part part = {role_fields, sizeof role_fields / sizeof *role_fields, path, whole->recipe,
                                  whole->messages};
        fine = check_part(&part, role) && fine;
        const cJSON *name = cJSON_GetObjectItemCaseSensitive(role, "name");
        assistant |= cJSON_IsString(name) && strcmp(name->valuestring, "assistant") == 0;
        free(path);
    }
    if (fine && (!cJSON_IsArray(roles) || !assistant || count > MAX_ROLES))
        mistake(whole, "roles", "must be a list of at most 8 roles, one of them 'assistant'");
    return fine && assistant;
}

static void check_stop(const struct part *whole, const cJSON *stop)
{
    bool fine = cJSON_IsArray(stop) && cJSON_GetArraySize(stop) <= MAX_STOPS;
    for (const cJSON *text = stop->child; fine && text; text = text->next)
        fine = cJSON_IsString(text);
    if (!fine)
        mistake(whole, "stop", "must be a list of at most 8 strings");
}

static void check_tools(const struct part *whole, const cJSON *tools)
{
    char *path = format_text("%s.tools", whole->path);
    const struct part part = {tools_fields, sizeof tools_fields / sizeof *tools_fields, path, whole->recipe,
                              whole->messages};
    const cJSON *place = cJSON_GetObjectItemCaseSensitive(tools, "place");
    if (check_part(&part, tools) && strcmp(place->valuestring, "system") != 0 &&
        strcmp(place->valuestring, "first_user") != 0 && strcmp(place->valuestring, "before_last_user") != 0)
        mistake(&part, "place", "must be \"system\", \"first_user\" or \"before_last_user\"");
    free(path);
}

static void check_system(const struct part *whole, const cJSON *format)
{
    bool role = false;
    const cJSON *each;
    cJSON_ArrayForEach(each, cJSON_GetObjectItemCaseSensitive(format, "roles"))
    {
        const char *name = cJSON_GetObjectItemCaseSensitive(each, "name")->valuestring;
        role |= strcmp(name, "system") == 0;
    }
    bool open = cJSON_IsString(cJSON_GetObjectItemCaseSensitive(format, "system_open"));
    if (!role && !open && cJSON_IsString(cJSON_GetObjectItemCaseSensitive(format, "default_system")))
        mistake(whole, overrides_find(&whole->recipe->overrides, "chat.system") ? "system" : "default_system",
                "a system prompt is given, but the format has no role 'system'");
}

/* --set chat.system=TEXT is what the option `system` of a chat format is: the prompt of conversations that bring none. */
static void apply_system(cJSON *format, const struct recipe *recipe)
{
    cJSON *system = cJSON_GetObjectItemCaseSensitive(format, "system");
    if (!system || !overrides_find(&recipe->overrides, "chat.system") || !cJSON_IsString(system))
        return;
    cJSON_DeleteItemFromObjectCaseSensitive(format, "default_system");
    cJSON_DetachItemViaPointer(format, system);
    cJSON_AddItemToObject(format, "default_system", system);
    cJSON_DeleteItemFromObjectCaseSensitive(format, "own_system");
    cJSON_AddTrueToObject(format, "own_system");
}

cJSON *schema_chat(const cJSON *given, const struct recipe *recipe, struct messages *messages)
{
    cJSON *format = cJSON_Duplicate(given, true);
    const struct part whole = {format_fields, sizeof format_fields / sizeof *format_fields, "chat", recipe, messages};
    int before = messages->count;
    apply_system(format, recipe);
    const cJSON *tools = cJSON_GetObjectItemCaseSensitive(format, "tools");
    if (check_part(&whole, format)) {
        check_stop(&whole, cJSON_GetObjectItemCaseSensitive(format, "stop"));
        if (!cJSON_IsFalse(tools))
            check_tools(&whole, tools);
        if (check_roles(&whole, cJSON_GetObjectItemCaseSensitive(format, "roles")))
            check_system(&whole, format);
    }
    if (messages->count == before)
        return format;
    cJSON_Delete(format);
    return NULL;
}
