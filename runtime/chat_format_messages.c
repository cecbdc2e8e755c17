#include "chat_format_messages.h"

#include <stdlib.h>
#include <string.h>

/* A message on its way into the list. */
struct reading {
    struct chat_messages *messages;
    const struct chat_source *source;
    size_t index; /* in its own list */
    struct json_object object;
};

/* ---- the list ---- */

char *chat_messages_own(struct chat_messages *messages, char *text)
{
    if (messages->owned_count == messages->owned_capacity) {
        messages->owned_capacity = messages->owned_capacity ? 2 * messages->owned_capacity : 16;
        messages->owned =
            reallocate(messages->owned, messages->owned_capacity * sizeof *messages->owned, "a conversation");
    }
    messages->owned[messages->owned_count++] = text;
    return text;
}

static void push(struct chat_messages *messages, const struct chat_message *message)
{
    if (messages->count == messages->capacity) {
        messages->capacity = messages->capacity ? 2 * messages->capacity : 8;
        messages->item = reallocate(messages->item, messages->capacity * sizeof *messages->item, "a conversation");
    }
    messages->item[messages->count++] = *message;
}

void chat_messages_add(struct chat_messages *messages, const char *role, const char *content, size_t length)
{
    push(messages, &(struct chat_message){.role = role, .content = content, .length = length});
}

const char *chat_messages_text(struct chat_messages *messages, struct json_value string, size_t *length)
{
    struct text_buffer text = {0};
    json_value_append_string(string, &text);
    *length = text.length;
    text_buffer_append(&text, "", 1);
    return chat_messages_own(messages, text.data);
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

void chat_messages_clear(struct chat_messages *messages)
{
    while (messages->owned_count > 0) {
        free(messages->owned[--messages->owned_count]);
    }
    messages->count = messages->tools_length = 0;
    messages->tools = NULL;
}

void chat_messages_free(struct chat_messages *messages)
{
    chat_messages_clear(messages);
    free(messages->item);
    free(messages->owned);
    *messages = (struct chat_messages){0};
}

/* ---- values ---- */

/* null, "", [] or nothing at all. */
static bool is_empty(struct json_value value)
{
    struct json_cursor cursor = json_value_cursor("", value);
    if (json_value_is_array(value)) {
        cursor.position = 1;
        return json_cursor_peek(&cursor) == ']';
    }
    return json_value_is_null(value) || (json_value_is_string(value) && value.length == 2);
}

/* "messages[3].content: expected a string, found null", and what to do. */
static bool wrong(const struct reading *reading, const char *field, const char *expected, struct json_value found,
                  struct error *err)
{
    return error_set(err, "%s: %s[%zu].%s: expected %s, found %s", reading->source->where, reading->source->list,
                     reading->index, field, expected, json_type_name(found));
}

/* A string that is a name: of a role, of a call. NULL where it is none. */
static const char *read_name(struct reading *reading, const char *field, struct json_value value, struct error *err)
{
    size_t length;
    if (!json_value_is_string(value)) {
        wrong(reading, field, "a string", value, err);
        return NULL;
    }
    const char *name = chat_messages_text(reading->messages, value, &length);
    if (strlen(name) < length) {
        error_set(err, "%s: %s[%zu].%s: expected a name, found one with a NUL character", reading->source->where,
                  reading->source->list, reading->index, field);
        return NULL;
    }
    return name;
}

/* A list's JSON text, or that which a string holds; *text is NULL where it is missing or empty. False: it is neither. */
static bool read_list(struct chat_messages *messages, struct json_value value, const char **text, size_t *length)
{
    *text = NULL;
    *length = 0;
    if (is_empty(value)) {
        return true;
    }
    if (json_value_is_string(value)) {
        size_t all;
        const char *string = chat_messages_text(messages, value, &all);
        size_t spaces = strspn(string, " \t\r\n");
        struct json_value held = {string + spaces, all - spaces};
        bool is_null = held.length >= 4 && memcmp(held.text, "null", 4) == 0;
        *text = held.length == 0 || is_null || is_empty(held) ? NULL : held.text;
        *length = *text ? held.length : 0;
        return true;
    }
    struct text_buffer copy = {0};
    text_buffer_append(&copy, value.text, value.length);
    *text = chat_messages_own(messages, copy.data);
    *length = value.length;
    return json_value_is_array(value);
}

bool chat_messages_read_tools(struct chat_messages *messages, const char *where, struct json_value value,
                              struct error *err)
{
    return read_list(messages, value, &messages->tools, &messages->tools_length) ||
           error_set(err, "%s: tools: expected a list, found %s", where, json_type_name(value));
}

/* ---- a message ---- */

/* What is meant by one of ShareGPT's names for roles, and by those of what was made after it. Other names stay: the chat format knows
 * them or refuses them. */
static const char *known_role(const char *role)
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

static bool read_role(struct reading *reading, bool *sharegpt, struct chat_message *message, struct error *err)
{
    const struct data_fields *fields = reading->source->fields;
    struct json_value role = json_object_find(&reading->object, fields->role);
    struct json_value from = json_object_find(&reading->object, fields->from);
    *sharegpt = !role.text && from.text;
    const char *name = read_name(reading, *sharegpt ? fields->from : fields->role, *sharegpt ? from : role, err);
    if (!name) {
        return false;
    }
    if (*sharegpt && strcmp(name, "function_call") == 0) {
        return error_set(err,
                         "%s: %s[%zu].%s: expected who speaks, found 'function_call'; write the call as "
                         "\"tool_calls\": [{\"name\": ..., \"arguments\": {...}}] of a turn from \"gpt\"",
                         reading->source->where, reading->source->list, reading->index, fields->from);
    }
    message->role = *sharegpt ? known_role(name) : name;
    return true;
}

/* Appends a part of a content: a string, or an object with one under "text". */
static bool append_part(struct reading *reading, struct json_cursor *cursor, struct text_buffer *content,
                        struct error *err)
{
    if (json_cursor_peek(cursor) == '"') {
        return json_cursor_string(cursor, content, err);
    }
    struct json_object part = {0};
    bool ok = json_cursor_peek(cursor) == '{' ? json_object_read(&part, cursor, err) : json_cursor_skip(cursor, err);
    struct json_value text = json_object_find(&part, "text");
    json_object_free(&part);
    if (ok && json_value_is_string(text)) {
        json_value_append_string(text, content);
        return true;
    }
    return ok && error_set(err, "%s: %s[%zu].content: a part of it is no text, and only text can be used",
                           reading->source->where, reading->source->list, reading->index);
}

/* Content in parts, put together. */
static bool join_parts(struct reading *reading, struct json_value parts, struct chat_message *message,
                       struct error *err)
{
    struct json_cursor cursor = json_value_cursor(reading->source->where, parts);
    struct text_buffer content = {0};
    bool more = true, ok = json_cursor_take(&cursor, '[', err);
    for (bool first = true; ok && more; first = false) {
        ok = json_cursor_more(&cursor, ']', first, &more, err) &&
             (!more || append_part(reading, &cursor, &content, err));
    }
    message->length = content.length;
    text_buffer_append(&content, "", 1);
    message->content = chat_messages_own(reading->messages, content.data);
    return ok;
}

/* Behind the calls: a turn that has some may go without. */
static bool read_content(struct reading *reading, bool sharegpt, struct chat_message *message, struct error *err)
{
    const struct data_fields *fields = reading->source->fields;
    struct json_value content = json_object_find(&reading->object, fields->content);
    if (!content.text) {
        content = json_object_find(&reading->object, fields->value);
    }
    message->content = "";
    if (json_value_is_array(content)) {
        return join_parts(reading, content, message, err);
    }
    if (json_value_is_string(content)) {
        message->content = chat_messages_text(reading->messages, content, &message->length);
        return true;
    }
    return (message->tool_calls && json_value_is_null(content)) ||
           wrong(reading, sharegpt ? fields->value : fields->content, "a string", content, err);
}

/* Under any of the names that Transformers takes for it. */
static bool read_thoughts(struct reading *reading, struct chat_message *message, struct error *err)
{
    const char *const names[] = {reading->source->fields->reasoning_content, "reasoning", "thinking"};
    for (size_t i = 0; i < sizeof names / sizeof *names && !message->thoughts; i++) {
        struct json_value thoughts = json_object_find(&reading->object, names[i]);
        if (json_value_is_null(thoughts)) {
            continue;
        }
        if (!json_value_is_string(thoughts)) {
            return wrong(reading, names[i], "a string", thoughts, err);
        }
        message->thoughts = chat_messages_text(reading->messages, thoughts, &message->thoughts_length);
    }
    return true;
}

static bool read_calls(struct reading *reading, struct chat_message *message, struct error *err)
{
    struct json_value calls = json_object_find(&reading->object, "tool_calls");
    struct json_value id = json_object_find(&reading->object, "tool_call_id");
    if (!read_list(reading->messages, calls, &message->tool_calls, &message->tool_calls_length)) {
        return wrong(reading, "tool_calls", "a list", calls, err);
    }
    message->tool_call_id = json_value_is_null(id) ? NULL : read_name(reading, "tool_call_id", id, err);
    return json_value_is_null(id) || message->tool_call_id;
}

/* Members that would be a part of the conversation, and that no chat format has a place for. */
static bool check_nothing_lost(const struct reading *reading, struct error *err)
{
    static const char *const lost[] = {"function_call", "tool_call", "functions", "image",     "images", "audio",
                                       "audios",        "video",     "videos",    "documents", "tools"};
    for (size_t i = 0; i < sizeof lost / sizeof *lost; i++) {
        if (!is_empty(json_object_find(&reading->object, lost[i]))) {
            return error_set(err, "%s: %s[%zu].%s: no chat format here has a place for it; %s", reading->source->where,
                             reading->source->list, reading->index, lost[i],
                             i < 2 ? "write calls as \"tool_calls\": [{\"name\": ..., \"arguments\": {...}}]"
                                   : "take it out, or put it into the content");
        }
    }
    return true;
}

/* Reads *trained from a member that says so in its way: `train` as a boolean, `weight` as 0 or 1. */
static bool read_flag(const struct reading *reading, const char *field, struct json_value value, bool weight,
                      bool *trained, struct error *err)
{
    char c = value.text[0];
    double number =
        c == '-' || (c >= '0' && c <= '9') ? strtod(value.text, NULL) : -1; /* some bracket stands behind it */
    *trained = weight ? number == 1 : c == 't';
    return *trained || (weight ? number == 0 : c == 'f') ||
           error_set(err, "%s: %s[%zu].%s: expected %s, found %.*s", reading->source->where, reading->source->list,
                     reading->index, field, weight ? "0 or 1" : "true or false",
                     (int)(value.length < 40 ? value.length : 40), value.text);
}

static bool read_training(const struct reading *reading, struct chat_message *message, struct error *err)
{
    const char *const names[] = {reading->source->fields->train, reading->source->fields->weight};
    for (int i = 0; i < 2; i++) {
        struct json_value value = json_object_find(&reading->object, names[i]);
        bool trained;
        if (json_value_is_null(value)) {
            continue;
        }
        if (!read_flag(reading, names[i], value, i == 1, &trained, err)) {
            return false;
        }
        if (trained && strcmp(message->role, "assistant") != 0) {
            return error_set(
                err, "%s: %s[%zu].%s: only an assistant's turn can be trained, found role '%.40s'; leave it out",
                reading->source->where, reading->source->list, reading->index, names[i], message->role);
        }
        message->excluded = message->excluded || !trained;
    }
    return true;
}

static bool read_message(struct reading *reading, struct json_cursor *cursor, struct error *err)
{
    struct chat_message message = {0};
    bool sharegpt;
    char first = json_cursor_peek(cursor);
    if (first && first != '{') {
        struct json_cursor value = *cursor;
        if (!json_cursor_skip(&value, err)) {
            return false;
        }
        const struct json_value found = {cursor->text + cursor->position, 1};
        return error_set(err, "%s: %s[%zu]: expected an object with role and content, found %s", reading->source->where,
                         reading->source->list, reading->index, json_type_name(found));
    }
    if (!json_object_read(&reading->object, cursor, err) || !read_role(reading, &sharegpt, &message, err) ||
        !read_calls(reading, &message, err) || !check_nothing_lost(reading, err) ||
        !read_content(reading, sharegpt, &message, err) || !read_thoughts(reading, &message, err) ||
        !read_training(reading, &message, err)) {
        return false;
    }
    push(reading->messages, &message);
    return true;
}

/* ---- lists and objects ---- */

bool chat_messages_append(struct chat_messages *messages, const struct chat_source *source, struct json_cursor *cursor,
                          struct error *err)
{
    struct reading reading = {.messages = messages, .source = source};
    bool more = true, ok = json_cursor_take(cursor, '[', err);
    for (; ok && more; reading.index++) {
        ok = json_cursor_more(cursor, ']', reading.index == 0, &more, err) &&
             (!more || read_message(&reading, cursor, err));
    }
    json_object_free(&reading.object);
    return ok;
}

static bool read_object(struct chat_messages *messages, const struct chat_source *source, struct json_cursor *cursor,
                        struct error *err)
{
    struct json_object object = {0};
    bool ok = json_object_read(&object, cursor, err);
    struct json_value list = json_object_find(&object, source->list), tools = json_object_find(&object, "tools");
    struct json_cursor inside = json_value_cursor(source->where, list);
    if (ok && !json_value_is_array(list)) {
        ok = error_set(err, "%s: expected an array of messages under \"%s\", found %s", source->where, source->list,
                       json_type_name(list));
    }
    ok = ok && chat_messages_append(messages, source, &inside, err) &&
         chat_messages_read_tools(messages, source->where, tools, err);
    json_object_free(&object);
    return ok;
}

bool chat_messages_read(struct json_cursor *cursor, struct chat_messages *messages, struct error *err)
{
    struct data_fields fields = {0};
    struct chat_source source = {.where = cursor->name, .list = "messages", .fields = &fields};
    data_fields_complete(&fields);
    chat_messages_clear(messages);
    char first = json_cursor_peek(cursor);
    if (first == '{') {
        return read_object(messages, &source, cursor, err);
    }
    if (first == '[') {
        return chat_messages_append(messages, &source, cursor, err);
    }
    const struct json_value found = {cursor->text + cursor->position, cursor->length - cursor->position};
    return error_set(err, "%s: expected an array of messages, or an object with \"messages\", found %s", cursor->name,
                     json_type_name(found));
}
