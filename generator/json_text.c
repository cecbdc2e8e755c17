#include "json_text.h"
#include "text.h"

#include <stdlib.h>

static void add(struct text *text, const cJSON *json, int depth);

static void add_indent(struct text *text, int depth)
{
    text_add(text, "\n%*s", 2 * depth, "");
}

/* cJSON's own text of a scalar has the escapes and the shortest number that reads back the same. */
static void add_scalar(struct text *text, const cJSON *json)
{
    char *scalar = cJSON_PrintUnformatted(json);
    text_add(text, "%s", scalar);
    free(scalar);
}

static void add_name(struct text *text, const char *name)
{
    cJSON *string = cJSON_CreateString(name);
    add_scalar(text, string);
    text_add(text, ": ");
    cJSON_Delete(string);
}

static void add_container(struct text *text, const cJSON *json, int depth, const char *brackets)
{
    text_add(text, "%c", brackets[0]);
    for (const cJSON *item = json->child; item; item = item->next) {
        add_indent(text, depth + 1);
        if (cJSON_IsObject(json))
            add_name(text, item->string);
        add(text, item, depth + 1);
        if (item->next)
            text_add(text, ",");
    }
    if (json->child)
        add_indent(text, depth);
    text_add(text, "%c", brackets[1]);
}

static void add(struct text *text, const cJSON *json, int depth)
{
    if (cJSON_IsObject(json))
        add_container(text, json, depth, "{}");
    else if (cJSON_IsArray(json))
        add_container(text, json, depth, "[]");
    else
        add_scalar(text, json);
}

char *json_text(const cJSON *json)
{
    struct text text = {0};
    add(&text, json, 0);
    return text_take(&text);
}
