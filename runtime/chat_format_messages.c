#include "chat_format_messages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A text in the arena, which moves as it grows. */
struct place {
    size_t begin, end;
    bool is_given;
};

struct raw_message {
    struct place role, content, thoughts, tool_calls, tool_call_id;
    bool sharegpt; /* the role is ShareGPT's "from" */
};

struct reading {
    struct json_cursor *cursor;
    struct text_buffer *arena;
    struct raw_message *raw;
    size_t count, capacity;
    struct place tools;
    struct text_buffer key;
};

static const char *type_at(struct json_cursor *cursor)
{
    switch (json_cursor_peek(cursor)) {
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
    case '\0':
        return "nothing";
    default:
        return "a number";
    }
}

/* null, "" or []. */
static bool is_empty(const struct json_cursor *at)
{
    struct json_cursor cursor = *at;
    char c = json_cursor_peek(&cursor);
    const char *text = cursor.text + cursor.position;
    size_t length = cursor.length - cursor.position;
    if (c == '[') {
        cursor.position++;
        return json_cursor_peek(&cursor) == ']';
    }
    return length == 0 || (c == 'n' && length >= 4 && memcmp(text, "null", 4) == 0) ||
           (c == '"' && length >= 2 && text[1] == '"');
}

/* The end of a text that began at place->begin; a NUL goes behind it. */
static void end_place(struct reading *reading, struct place *place)
{
    place->is_given = true;
    place->end = reading->arena->length;
    text_buffer_append(reading->arena, "", 1);
}

static bool read_text(struct reading *reading, struct place *place, const char *field, struct error *err)
{
    struct json_cursor *cursor = reading->cursor;
    if (json_cursor_peek(cursor) != '"') {
        return error_set(err, "%s: messages[%zu].%s: expected a string, found %s", cursor->name, reading->count, field,
                         type_at(cursor));
    }
    place->begin = reading->arena->length;
    if (!json_cursor_string(cursor, reading->arena, err)) {
        return false;
    }
    end_place(reading, place);
    return true;
}

static bool read_optional(struct reading *reading, struct place *place, const char *field, struct error *err)
{
    return json_cursor_peek(reading->cursor) == 'n' ? json_cursor_skip(reading->cursor, err)
                                                    : read_text(reading, place, field, err);
}

/* ---- contents ---- */

static bool read_part(struct reading *reading, struct error *err)
{
    struct json_cursor *cursor = reading->cursor;
    if (json_cursor_peek(cursor) == '"') {
        return json_cursor_string(cursor, reading->arena, err);
    }
    bool more, first = true, found = false, ok = json_cursor_take(cursor, '{', err);
    for (; ok; first = false) {
        ok = json_cursor_member(cursor, first, &reading->key, &more, err);
        if (!ok || !more) {
            break;
        }
        bool is_text = strcmp(reading->key.data, "text") == 0 && json_cursor_peek(cursor) == '"';
        found = found || is_text;
        ok = is_text ? json_cursor_string(cursor, reading->arena, err) : json_cursor_skip(cursor, err);
    }
    return ok &&
           (found || error_set(err, "%s: messages[%zu].content: a part of it is no text, and only text can be used",
                               cursor->name, reading->count));
}

static bool read_content(struct reading *reading, struct place *place, struct error *err)
{
    struct json_cursor *cursor = reading->cursor;
    if (json_cursor_peek(cursor) == 'n') {
        return json_cursor_skip(cursor, err);
    }
    if (json_cursor_peek(cursor) != '[') {
        return read_text(reading, place, "content", err);
    }
    bool more, first = true, ok = json_cursor_take(cursor, '[', err);
    place->begin = reading->arena->length;
    for (; ok; first = false) {
        ok = json_cursor_more(cursor, ']', first, &more, err);
        if (!ok || !more) {
            break;
        }
        ok = read_part(reading, err);
    }
    end_place(reading, place);
    return ok;
}

/* ---- tools and calls ---- */

/* JSON that is kept as text: a list, or a string that holds one. */
static bool read_list(struct reading *reading, struct place *place, const char *field, struct error *err)
{
    struct json_cursor *cursor = reading->cursor;
    if (is_empty(cursor)) {
        return json_cursor_skip(cursor, err);
    }
    char c = json_cursor_peek(cursor);
    place->begin = reading->arena->length;
    if (c == '"') {
        if (!json_cursor_string(cursor, reading->arena, err)) {
            return false;
        }
    } else {
        size_t begin = cursor->position;
        if (c != '[') {
            return error_set(err, "%s: %s: expected a list, found %s", cursor->name, field, type_at(cursor));
        }
        if (!json_cursor_skip(cursor, err)) {
            return false;
        }
        text_buffer_append(reading->arena, cursor->text + begin, cursor->position - begin);
    }
    end_place(reading, place);
    struct json_cursor list = json_cursor_begin(field, reading->arena->data + place->begin, place->end - place->begin);
    place->is_given = !is_empty(&list); /* a string may hold "[]" */
    return true;
}

static bool read_calls(struct reading *reading, struct place *place, struct error *err)
{
    char field[64];
    snprintf(field, sizeof field, "messages[%zu].tool_calls", reading->count);
    return read_list(reading, place, field, err);
}

/* ---- messages ---- */

const char *chat_known_role(const char *role)
{
    static const char *const aliases[][2] = {
        {"human", "user"},       {"gpt", "assistant"},      {"chatgpt", "assistant"},      {"bot", "assistant"},
        {"bing", "assistant"},   {"bard", "assistant"},     {"chatbot", "assistant"},      {"model", "assistant"},
        {"observation", "tool"}, {"tool_response", "tool"}, {"function_response", "tool"},
    };
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++) {
        if (strcmp(role, aliases[i][0]) == 0) {
            return aliases[i][1];
        }
    }
    return role;
}

bool chat_member_is_lost(const char *name)
{
    static const char *const lost[] = {"function_call", "tool_call", "functions", "image",     "images", "audio",
                                       "audios",        "video",     "videos",    "documents", "tools"};
    for (size_t i = 0; i < sizeof lost / sizeof *lost; i++) {
        if (strcmp(name, lost[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_thoughts(const char *key)
{
    return strcmp(key, "reasoning_content") == 0 || strcmp(key, "reasoning") == 0 || strcmp(key, "thinking") == 0;
}

static bool read_field(struct reading *reading, struct raw_message *raw, const char *key, struct error *err)
{
    if (strcmp(key, "role") == 0) {
        raw->sharegpt = false;
        return read_text(reading, &raw->role, "role", err);
    }
    if (strcmp(key, "from") == 0 && !raw->role.is_given) {
        raw->sharegpt = true;
        return read_text(reading, &raw->role, "from", err);
    }
    if (strcmp(key, "content") == 0 || (strcmp(key, "value") == 0 && !raw->content.is_given)) {
        return read_content(reading, &raw->content, err);
    }
    if (is_thoughts(key)) {
        return read_optional(reading, &raw->thoughts, key, err);
    }
    if (strcmp(key, "tool_calls") == 0) {
        return read_calls(reading, &raw->tool_calls, err);
    }
    if (strcmp(key, "tool_call_id") == 0) {
        return read_optional(reading, &raw->tool_call_id, key, err);
    }
    if (chat_member_is_lost(key) && !is_empty(reading->cursor)) {
        return error_set(err,
                         "%s: messages[%zu].%s: no chat format here has a place for it; take it out, or put it "
                         "into the content",
                         reading->cursor->name, reading->count, key);
    }
    return json_cursor_skip(reading->cursor, err);
}

static bool check_message(const struct reading *reading, const struct raw_message *raw, struct error *err)
{
    const char *missing = !raw->role.is_given                                   ? "role"
                          : !raw->content.is_given && !raw->tool_calls.is_given ? "content"
                                                                                : NULL;
    return !missing || error_set(err, "%s: messages[%zu].%s: expected a string, found nothing", reading->cursor->name,
                                 reading->count, missing);
}

static bool read_message(struct reading *reading, struct error *err)
{
    struct text_buffer key = {0};
    struct raw_message raw = {0};
    bool more, first = true, ok = json_cursor_take(reading->cursor, '{', err);
    for (; ok; first = false) {
        ok = json_cursor_member(reading->cursor, first, &key, &more, err);
        if (!ok || !more) {
            break;
        }
        ok = read_field(reading, &raw, key.data, err);
    }
    text_buffer_free(&key);
    if (!ok || !check_message(reading, &raw, err)) {
        return false;
    }
    if (reading->count == reading->capacity) {
        reading->capacity = reading->capacity ? 2 * reading->capacity : 8;
        reading->raw = reallocate(reading->raw, reading->capacity * sizeof *reading->raw, "a conversation");
    }
    reading->raw[reading->count++] = raw;
    return true;
}

static bool read_messages(struct reading *reading, struct error *err)
{
    bool more, first = true, ok = json_cursor_take(reading->cursor, '[', err);
    reading->count = 0;
    for (; ok; first = false) {
        ok = json_cursor_more(reading->cursor, ']', first, &more, err);
        if (!ok || !more) {
            break;
        }
        ok = read_message(reading, err);
    }
    return ok;
}

static bool read_object(struct reading *reading, struct error *err)
{
    struct text_buffer key = {0};
    bool more, first = true, found = false, ok = json_cursor_take(reading->cursor, '{', err);
    for (; ok; first = false) {
        ok = json_cursor_member(reading->cursor, first, &key, &more, err);
        if (!ok || !more) {
            break;
        }
        if (strcmp(key.data, "messages") == 0) {
            found = true;
            ok = read_messages(reading, err);
        } else if (strcmp(key.data, "tools") == 0) {
            ok = read_list(reading, &reading->tools, "tools", err);
        } else {
            ok = json_cursor_skip(reading->cursor, err);
        }
    }
    text_buffer_free(&key);
    return ok && (found || error_set(err, "%s: expected \"messages\", found none", reading->cursor->name));
}

/* ---- from places to texts ---- */

static const char *text_at(const struct reading *reading, struct place place)
{
    return place.is_given ? reading->arena->data + place.begin : NULL;
}

static size_t length_of(struct place place)
{
    return place.end - place.begin;
}

static void settle(struct chat_messages *messages, const struct reading *reading)
{
    if (reading->count > messages->capacity) {
        messages->capacity = 2 * reading->count;
        messages->item = reallocate(messages->item, messages->capacity * sizeof *messages->item, "a conversation");
    }
    messages->count = reading->count;
    messages->tools = text_at(reading, reading->tools);
    messages->tools_length = length_of(reading->tools);
    for (size_t i = 0; i < reading->count; i++) {
        const struct raw_message *raw = &reading->raw[i];
        messages->item[i] = (struct chat_message){
            .role = raw->sharegpt ? chat_known_role(text_at(reading, raw->role)) : text_at(reading, raw->role),
            .content = raw->content.is_given ? text_at(reading, raw->content) : "",
            .length = length_of(raw->content),
            .thoughts = text_at(reading, raw->thoughts),
            .thoughts_length = length_of(raw->thoughts),
            .tool_calls = text_at(reading, raw->tool_calls),
            .tool_calls_length = length_of(raw->tool_calls),
            .tool_call_id = text_at(reading, raw->tool_call_id),
        };
    }
}

bool chat_messages_read(struct json_cursor *cursor, struct chat_messages *messages, struct error *err)
{
    struct reading reading = {.cursor = cursor, .arena = &messages->arena};
    messages->count = messages->arena.length = 0;
    char first = json_cursor_peek(cursor);
    if (first != '{' && first != '[') {
        return error_set(err, "%s: expected an array of messages, or an object with \"messages\", found %s",
                         cursor->name, type_at(cursor));
    }
    bool ok = first == '{' ? read_object(&reading, err) : read_messages(&reading, err);
    if (ok) {
        settle(messages, &reading);
    }
    free(reading.raw);
    text_buffer_free(&reading.key);
    return ok;
}

struct chat_conversation chat_messages_conversation(const struct chat_messages *messages)
{
    return (struct chat_conversation){
        .messages = messages->item,
        .count = messages->count,
        .tools = messages->tools,
        .tools_length = messages->tools_length,
    };
}

void chat_messages_free(struct chat_messages *messages)
{
    free(messages->item);
    text_buffer_free(&messages->arena);
    *messages = (struct chat_messages){0};
}
