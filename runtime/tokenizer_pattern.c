#define _GNU_SOURCE /* memmem */
#include "tokenizer_pattern.h"

#include <stdlib.h>
#include <string.h>

bool pattern_load(struct pattern *pattern, const cJSON *object, const char *path, struct error *err)
{
    const cJSON *field = cJSON_GetObjectItemCaseSensitive(object, "pattern");
    const cJSON *only = cJSON_IsObject(field) && field->child && !field->child->next ? field->child : NULL;
    bool is_string = only && strcmp(only->string, "String") == 0;
    bool is_regex = only && strcmp(only->string, "Regex") == 0;
    if ((!is_string && !is_regex) || !cJSON_IsString(only) || only->valuestring[0] == '\0') {
        return error_set(err, "%s.pattern: expected {\"String\": ...} or {\"Regex\": ...}, not empty", path);
    }
    if (is_string) {
        pattern->literal = format_text("%s", only->valuestring);
        pattern->literal_length = strlen(pattern->literal);
        return true;
    }
    struct error cause;
    pattern->regex = unicode_regex_compile(only->valuestring, strlen(only->valuestring), &cause);
    return pattern->regex || error_set(err, "%s.pattern: %s", path, cause.text);
}

int pattern_next(const struct pattern *pattern, const char *text, size_t length, struct unicode_matches *matches,
                 struct error *err)
{
    if (pattern->regex) {
        return unicode_regex_next(pattern->regex, text, length, matches, err);
    }
    const char *found = length > matches->from ? memmem(text + matches->from, length - matches->from, pattern->literal,
                                                        pattern->literal_length)
                                               : NULL;
    if (!found) {
        return 0;
    }
    matches->begin = (size_t)(found - text);
    matches->end = matches->from = matches->begin + pattern->literal_length;
    return 1;
}

void pattern_free(struct pattern *pattern)
{
    free(pattern->literal);
    unicode_regex_free(pattern->regex);
    *pattern = (struct pattern){0};
}

bool split_behavior_load(enum split_behavior *behavior, const cJSON *object, const char *path, struct error *err)
{
    static const char *const names[] = {"Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"};
    *behavior = SPLIT_ISOLATED;
    if (!cJSON_GetObjectItemCaseSensitive(object, "behavior")) {
        return true;
    }
    const char *name = field_string(object, path, "behavior", err);
    if (!name) {
        return false;
    }
    for (int i = 0; i < 5; i++) {
        if (strcmp(name, names[i]) == 0) {
            *behavior = (enum split_behavior)i;
            return true;
        }
    }
    return error_set(
        err,
        "%s.behavior: '%s' is not supported (known: Removed, Isolated, MergedWithPrevious, MergedWithNext, "
        "Contiguous)",
        path, name);
}

void splits_push(struct splits *splits, size_t begin, size_t end, bool match)
{
    if (splits->count == splits->capacity) {
        splits->capacity = splits->capacity ? 2 * splits->capacity : 64;
        splits->item = reallocate(splits->item, splits->capacity * sizeof *splits->item, "the words of a text");
    }
    splits->item[splits->count++] = (struct split){.begin = (uint32_t)begin, .end = (uint32_t)end, .match = match};
}

static void drop_matches(struct split *item, size_t *count)
{
    size_t kept = 0;
    for (size_t i = 0; i < *count; i++) {
        if (!item[i].match) {
            item[kept++] = item[i];
        }
    }
    *count = kept;
}

/* Joins an item to the one before it where `behavior` wants that. */
static void join_to_previous(struct split *item, size_t *count, enum split_behavior behavior)
{
    size_t kept = 0;
    bool previous = false;
    for (size_t i = 0; i < *count; i++) {
        bool match = item[i].match;
        bool join = behavior == SPLIT_CONTIGUOUS ? match == previous : match && !previous;
        if (join && kept > 0) {
            item[kept - 1].end = item[i].end;
        } else {
            item[kept++] = item[i];
        }
        previous = match;
    }
    *count = kept;
}

/* The same towards the next item, from the end backwards. */
static void join_to_next(struct split *item, size_t *count)
{
    size_t kept = *count;
    bool previous = false;
    for (size_t i = *count; i-- > 0;) {
        bool match = item[i].match;
        if (match && !previous && kept < *count) {
            item[kept].begin = item[i].begin;
        } else {
            item[--kept] = item[i];
        }
        previous = match;
    }
    memmove(item, item + kept, (*count - kept) * sizeof *item);
    *count -= kept;
}

static void drop_empty(struct split *item, size_t *count)
{
    size_t kept = 0;
    for (size_t i = 0; i < *count; i++) {
        if (item[i].begin < item[i].end) {
            item[kept++] = item[i];
        }
    }
    *count = kept;
}

void splits_apply(struct splits *splits, size_t first, enum split_behavior behavior)
{
    struct split *item = splits->item + first;
    size_t count = splits->count - first;
    if (count == 0) {
        return;
    }
    if (behavior == SPLIT_REMOVED) {
        drop_matches(item, &count);
    } else if (behavior == SPLIT_MERGED_WITH_NEXT) {
        join_to_next(item, &count);
    } else if (behavior != SPLIT_ISOLATED) {
        join_to_previous(item, &count, behavior);
    }
    drop_empty(item, &count);
    splits->count = first + count;
}
