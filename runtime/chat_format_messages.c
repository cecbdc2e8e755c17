#include "chat_format_messages.h"

#include <stdlib.h>
#include <string.h>

/* While reading, texts are offsets into the arena, which moves as it grows. */
struct raw_message {
    size_t role, content, thoughts, end_of_role, end_of_content, end_of_thoughts;
    bool has_role, has_content, has_thoughts;
};

static bool read_text(struct json_cursor *cursor, struct text_buffer *arena, size_t *begin, size_t *end,
                      struct error *err)
{
    *begin = arena->length;
    if (!json_cursor_string(cursor, arena, err)) {
        return false;
    }
    *end = arena->length;
    text_buffer_append(arena, "", 1);
    return true;
}

static bool read_tool_calls(struct json_cursor *cursor, size_t index, struct error *err)
{
    size_t begin = cursor->position;
    if (!json_cursor_skip(cursor, err)) {
        return false;
    }
    const char *text = cursor->text + begin;
    size_t length = cursor->position - begin;
    bool empty = (length == 4 && memcmp(text, "null", 4) == 0) || (length == 2 && memcmp(text, "[]", 2) == 0);
    return empty ||
           error_set(err,
                     "%s: message %zu has tool_calls, which chat formats do not render; write the call into the "
                     "content as the model is to write it",
                     cursor->name, index + 1);
}

static bool read_field(struct json_cursor *cursor, const char *key, struct raw_message *raw, struct text_buffer *arena,
                       size_t index, struct error *err)
{
    char next = json_cursor_peek(cursor);
    bool is_text = strcmp(key, "role") == 0 || strcmp(key, "content") == 0;
    if (is_text && next != '"') {
        return error_set(err, "%s: message %zu: \"%s\" is not a string", cursor->name, index + 1, key);
    }
    if (strcmp(key, "role") == 0) {
        raw->has_role = true;
        return read_text(cursor, arena, &raw->role, &raw->end_of_role, err);
    }
    if (strcmp(key, "content") == 0) {
        raw->has_content = true;
        return read_text(cursor, arena, &raw->content, &raw->end_of_content, err);
    }
    if (strcmp(key, "reasoning_content") == 0 && next == '"') {
        raw->has_thoughts = true;
        return read_text(cursor, arena, &raw->thoughts, &raw->end_of_thoughts, err);
    }
    if (strcmp(key, "tool_calls") == 0) {
        return read_tool_calls(cursor, index, err);
    }
    return json_cursor_skip(cursor, err);
}

static bool read_message(struct json_cursor *cursor, struct raw_message *raw, struct text_buffer *arena, size_t index,
                         struct error *err)
{
    struct text_buffer key = {0};
    *raw = (struct raw_message){0};
    bool more, first = true, ok = json_cursor_take(cursor, '{', err);
    while (ok && (ok = json_cursor_more(cursor, '}', first, &more, err)) && more) {
        first = false;
        key.length = 0;
        ok = json_cursor_string(cursor, &key, err) && json_cursor_take(cursor, ':', err);
        text_buffer_append(&key, "", 1);
        ok = ok && read_field(cursor, key.data, raw, arena, index, err);
    }
    text_buffer_free(&key);
    if (ok && (!raw->has_role || !raw->has_content)) {
        return error_set(err, "%s: message %zu has no \"%s\"", cursor->name, index + 1,
                         raw->has_role ? "content" : "role");
    }
    return ok;
}

static void settle(struct chat_messages *messages, const struct raw_message *raw)
{
    if (messages->count > messages->capacity) {
        messages->capacity = 2 * messages->count;
        messages->item = reallocate(messages->item, messages->capacity * sizeof *messages->item, "a conversation");
    }
    const char *text = messages->arena.data;
    for (size_t i = 0; i < messages->count; i++) {
        messages->item[i] = (struct chat_message){
            .role = text + raw[i].role,
            .content = text + raw[i].content,
            .length = raw[i].end_of_content - raw[i].content,
            .thoughts = raw[i].has_thoughts ? text + raw[i].thoughts : NULL,
            .thoughts_length = raw[i].end_of_thoughts - raw[i].thoughts,
        };
    }
}

bool chat_messages_read(struct json_cursor *cursor, struct chat_messages *messages, struct error *err)
{
    struct raw_message *raw = NULL;
    size_t capacity = 0;
    messages->count = messages->arena.length = 0;
    bool more, first = true, ok = json_cursor_take(cursor, '[', err);
    while (ok && (ok = json_cursor_more(cursor, ']', first, &more, err)) && more) {
        first = false;
        if (messages->count == capacity) {
            capacity = capacity ? 2 * capacity : 8;
            raw = reallocate(raw, capacity * sizeof *raw, "a conversation");
        }
        ok = read_message(cursor, &raw[messages->count], &messages->arena, messages->count, err);
        messages->count += ok;
    }
    if (ok) {
        settle(messages, raw);
    }
    free(raw);
    return ok;
}

void chat_messages_free(struct chat_messages *messages)
{
    free(messages->item);
    text_buffer_free(&messages->arena);
    *messages = (struct chat_messages){0};
}
