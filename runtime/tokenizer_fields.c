#include "tokenizer_fields.h"

#include <stdio.h>
#include <string.h>

enum { DEEPEST_SEQUENCE = 8 };

static bool contains_word(const char *words, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = words; (at = strstr(at, word)) != NULL; at += length) {
        if ((at == words || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0')) {
            return length > 0;
        }
    }
    return false;
}

bool fields_check_known(const cJSON *object, const char *path, const char *known, struct error *err)
{
    for (const cJSON *field = object->child; field; field = field->next) {
        if (strcmp(field->string, "type") != 0 && !contains_word(known, field->string)) {
            return error_set(err, "%s: field '%s' is not supported (known here: type %s)", path, field->string, known);
        }
    }
    return true;
}

const char *field_string(const cJSON *object, const char *path, const char *name, struct error *err)
{
    const cJSON *field = cJSON_GetObjectItemCaseSensitive(object, name);
    if (!cJSON_IsString(field)) {
        error_set(err, "%s.%s: expected a string", path, name);
        return NULL;
    }
    return field->valuestring;
}

const char *field_type(const cJSON *object, const char *path, struct error *err)
{
    if (!cJSON_IsObject(object)) {
        error_set(err, "%s: expected an object or null", path);
        return NULL;
    }
    return field_string(object, path, "type", err);
}

bool field_bool(const cJSON *object, const char *path, const char *name, bool otherwise, bool *value, struct error *err)
{
    const cJSON *field = cJSON_GetObjectItemCaseSensitive(object, name);
    if (field && !cJSON_IsBool(field) && !cJSON_IsNull(field)) {
        return error_set(err, "%s.%s: expected true or false", path, name);
    }
    *value = cJSON_IsBool(field) ? cJSON_IsTrue(field) : otherwise;
    return true;
}

bool field_count(const cJSON *object, const char *path, const char *name, size_t *value, struct error *err)
{
    const cJSON *field = cJSON_GetObjectItemCaseSensitive(object, name);
    if (!cJSON_IsNumber(field) || !(field->valuedouble >= 0 && field->valuedouble <= 1e9) ||
        field->valuedouble != (double)(size_t)field->valuedouble) {
        return error_set(err, "%s.%s: expected a whole number of at least 0", path, name);
    }
    *value = (size_t)field->valuedouble;
    return true;
}

static bool visit_nested(const cJSON *section, const char *path, const char *members, field_visit *visit, void *context,
                         int depth, struct error *err)
{
    if (!section || cJSON_IsNull(section)) {
        return true;
    }
    const char *type = field_type(section, path, err);
    if (!type) {
        return false;
    }
    if (strcmp(type, "Sequence") != 0) {
        return visit(context, section, type, path, err);
    }
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(section, members);
    if (!cJSON_IsArray(list) || depth == DEEPEST_SEQUENCE) {
        return error_set(err, "%s.%s: expected a list, nested at most %d deep", path, members, DEEPEST_SEQUENCE);
    }
    if (!fields_check_known(section, path, members, err)) {
        return false;
    }
    int index = 0;
    for (const cJSON *member = list->child; member; member = member->next, index++) {
        char member_path[LONGEST_FIELD_PATH];
        snprintf(member_path, sizeof member_path, "%s.%s[%d]", path, members, index);
        if (!visit_nested(member, member_path, members, visit, context, depth + 1, err)) {
            return false;
        }
    }
    return true;
}

bool fields_visit_sequence(const cJSON *section, const char *path, const char *members, field_visit *visit,
                           void *context, struct error *err)
{
    return visit_nested(section, path, members, visit, context, 0, err);
}
