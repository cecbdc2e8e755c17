#include "json_object.h"

#include <stdlib.h>
#include <string.h>

static void push_member(struct json_object *object, const struct json_member *member)
{
    if (object->count == object->capacity) {
        object->capacity = object->capacity ? 2 * object->capacity : 8;
        object->member = reallocate(object->member, object->capacity * sizeof *object->member, "a JSON object");
    }
    object->member[object->count++] = *member;
}

static bool read_member(struct json_object *object, struct json_cursor *cursor, struct error *err)
{
    struct json_member member = {.name = object->names.length};
    if (!json_cursor_string(cursor, &object->names, err) || !json_cursor_take(cursor, ':', err)) {
        return false;
    }
    member.name_length = object->names.length - member.name;
    text_buffer_append(&object->names, "", 1);
    json_cursor_peek(cursor);
    size_t begin = cursor->position;
    if (!json_cursor_skip(cursor, err)) {
        return false;
    }
    member.value = (struct json_value){cursor->text + begin, cursor->position - begin};
    push_member(object, &member);
    return true;
}

bool json_object_read(struct json_object *object, struct json_cursor *cursor, struct error *err)
{
    object->count = object->names.length = 0;
    bool more = true, ok = json_cursor_take(cursor, '{', err);
    for (bool first = true; ok && more; first = false) {
        ok = json_cursor_more(cursor, '}', first, &more, err) && (!more || read_member(object, cursor, err));
    }
    return ok;
}

void json_object_free(struct json_object *object)
{
    free(object->member);
    text_buffer_free(&object->names);
    *object = (struct json_object){0};
}

struct json_value json_object_find(const struct json_object *object, const char *name)
{
    size_t length = strlen(name);
    for (size_t i = object->count; i > 0; i--) {
        const struct json_member *member = &object->member[i - 1];
        if (member->name_length == length && memcmp(json_member_name(object, i - 1), name, length) == 0) {
            return member->value;
        }
    }
    return (struct json_value){0};
}

const char *json_member_name(const struct json_object *object, size_t member)
{
    return object->names.data + object->member[member].name;
}

struct json_cursor json_value_cursor(const char *name, struct json_value value)
{
    return (struct json_cursor){.name = name, .text = value.text, .length = value.length};
}

static bool begins_with(struct json_value value, char c)
{
    return value.text && value.text[0] == c;
}

bool json_value_is_null(struct json_value value)
{
    return !value.text || begins_with(value, 'n');
}

bool json_value_is_string(struct json_value value)
{
    return begins_with(value, '"');
}

bool json_value_is_array(struct json_value value)
{
    return begins_with(value, '[');
}

void json_value_append_string(struct json_value value, struct text_buffer *out)
{
    struct error ignored;
    struct json_cursor cursor = json_value_cursor("", value);
    text_buffer_reserve(out, value.length);
    CHECK(json_cursor_string(&cursor, out, &ignored)); /* it was checked when it was found */
}

const char *json_type_name(struct json_value value)
{
    char first = value.text && value.length > 0 ? value.text[0] : '\0';
    switch (first) {
    case '\0':
        return "nothing";
    case '"':
        return "a string";
    case '[':
        return "an array";
    case '{':
        return "an object";
    case 'n':
        return "null";
    case 't':
    case 'f':
        return "true or false";
    default:
        return first == '-' || (first >= '0' && first <= '9') ? "a number" : "no JSON value";
    }
}
