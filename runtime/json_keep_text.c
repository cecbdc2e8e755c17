#define _GNU_SOURCE /* memmem */
#include "json_keep_text.h"

#include "tokenizer_json.h"

#include <stdlib.h>
#include <string.h>

static bool is_kept(const cJSON *node)
{
    return cJSON_IsArray(node) && node->child && node->string &&
           (strcmp(node->string, "tools") == 0 || strcmp(node->string, "tool_calls") == 0);
}

static bool keep(cJSON *node, struct json_cursor *cursor, struct error *err)
{
    json_cursor_peek(cursor);
    size_t begin = cursor->position;
    if (!json_cursor_skip(cursor, err))
        return false;
    char *text = format_text("%.*s", (int)(cursor->position - begin), cursor->text + begin);
    cJSON_Delete(node->child);
    node->child = NULL;
    node->type = cJSON_String;
    node->valuestring = cJSON_malloc(strlen(text) + 1);
    CHECK(node->valuestring);
    memcpy(node->valuestring, text, strlen(text) + 1);
    free(text);
    return true;
}

/* The tree's node and the cursor walk together: cJSON keeps the order of the text. */
static bool walk(cJSON *node, struct json_cursor *cursor, struct error *err)
{
    if (is_kept(node))
        return keep(node, cursor, err);
    bool object = cJSON_IsObject(node), more, first = true;
    if (!object && !cJSON_IsArray(node))
        return json_cursor_skip(cursor, err);
    if (!json_cursor_take(cursor, object ? '{' : '[', err))
        return false;
    for (cJSON *child = node->child; child; child = child->next, first = false) {
        if (!json_cursor_more(cursor, object ? '}' : ']', first, &more, err) || !more)
            return false;
        if (object && !(json_cursor_skip(cursor, err) && json_cursor_take(cursor, ':', err)))
            return false;
        if (!walk(child, cursor, err))
            return false;
    }
    return json_cursor_more(cursor, object ? '}' : ']', first, &more, err) && !more;
}

bool json_keep_text(cJSON *root, const char *text, size_t length)
{
    struct error err = {0};
    struct json_cursor cursor = json_cursor_begin("", text, length);
    return !memmem(text, length, "\"tool", 5) || walk(root, &cursor, &err);
}
