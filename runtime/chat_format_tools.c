/* Tools and calls: read from JSON text, written into the slots of the format's texts. */
#include "chat_format_internal.h"
#include "json_python.h"

#include <stdio.h>
#include <string.h>

/* What a slot such as $name stands for. */
struct slot {
    const char *name;
    struct part value; /* text NULL: not given */
};

static struct part part_of(const struct text_buffer *buffer)
{
    return (struct part){buffer->data ? buffer->data : "", buffer->length};
}

static const struct slot *find_slot(const char *text, const struct slot *slots, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strncmp(text, slots[i].name, strlen(slots[i].name)) == 0) {
            return &slots[i];
        }
    }
    return NULL;
}

/* `where`: what the slots are of, for the message about one that is not given. */
static bool append_filled(struct text_buffer *text, const char *pattern, const struct slot *slots, size_t count,
                          const char *where, struct error *err)
{
    while (pattern && *pattern) {
        size_t plain = strcspn(pattern, "$");
        text_buffer_append(text, pattern, plain);
        pattern += plain;
        const struct slot *slot = *pattern ? find_slot(pattern + 1, slots, count) : NULL;
        if (slot && !slot->value.text) {
            return error_set(err, "%s has no \"%s\", which the chat format writes into the text", where, slot->name);
        }
        if (slot) {
            text_buffer_append(text, slot->value.text, slot->value.length);
            pattern += 1 + strlen(slot->name);
        } else if (*pattern) {
            text_buffer_append(text, pattern++, 1);
        }
    }
    return true;
}

/* ---- calls ---- */

struct call {
    struct text_buffer name, arguments, function, id, key;
    bool has_name, has_arguments, has_function, has_id;
};

static void clear_call(struct call *call)
{
    call->name.length = call->arguments.length = call->function.length = call->id.length = 0;
    call->has_name = call->has_arguments = call->has_function = call->has_id = false;
}

static void free_call(struct call *call)
{
    text_buffer_free(&call->name);
    text_buffer_free(&call->arguments);
    text_buffer_free(&call->function);
    text_buffer_free(&call->id);
    text_buffer_free(&call->key);
}

static bool read_arguments(const struct chat_format *format, struct json_cursor *cursor, struct call *call,
                           struct error *err)
{
    call->has_arguments = true;
    call->arguments.length = 0;
    if (format->tools.plain_arguments && json_cursor_peek(cursor) == '"') {
        return json_cursor_string(cursor, &call->arguments, err);
    }
    return json_append_python(&call->arguments, cursor, 0, err);
}

/* The members of a call, or of the function in it, where OpenAI's form has name and arguments. */
static bool read_call(const struct chat_format *format, struct json_cursor *cursor, struct call *call, bool in_function,
                      struct error *err)
{
    bool more, first = true, ok = json_cursor_take(cursor, '{', err);
    for (; ok; first = false) {
        ok = json_cursor_member(cursor, first, &call->key, &more, err);
        if (!ok || !more) {
            break;
        }
        const char *key = call->key.data;
        if (!in_function && strcmp(key, "function") == 0 && json_cursor_peek(cursor) == '{') {
            struct json_cursor again = *cursor;
            call->has_function = true;
            ok = json_append_python(&call->function, &again, 0, err) && read_call(format, cursor, call, true, err);
        } else if (strcmp(key, "name") == 0 && json_cursor_peek(cursor) == '"') {
            call->has_name = true;
            ok = json_cursor_string(cursor, &call->name, err);
        } else if (strcmp(key, "arguments") == 0) {
            ok = read_arguments(format, cursor, call, err);
        } else if (!in_function && strcmp(key, "id") == 0 && json_cursor_peek(cursor) == '"') {
            call->has_id = true;
            ok = json_cursor_string(cursor, &call->id, err);
        } else {
            ok = json_cursor_skip(cursor, err);
        }
    }
    return ok;
}

static struct part given(const struct text_buffer *buffer, bool is_given)
{
    return is_given ? part_of(buffer) : (struct part){NULL, 0};
}

static bool append_call(struct rendering *r, const struct call *call, const char *where, struct error *err)
{
    struct part function = given(&call->function, call->has_function);
    function.length -= function.length > 0; /* its closing brace */
    const struct slot slots[] = {
        {"name", given(&call->name, call->has_name)},
        {"arguments", given(&call->arguments, call->has_arguments)},
        {"function", function},
        {"id", given(&call->id, call->has_id)},
    };
    return append_filled(r->text, r->format->tools.call, slots, sizeof slots / sizeof *slots, where, err);
}

bool chat_render_calls(struct rendering *r, size_t index, bool has_content, struct error *err)
{
    const struct chat_message *message = &r->messages[index];
    const struct chat_tools *tools = &r->format->tools;
    char where[64];
    struct call call = {0};
    snprintf(where, sizeof where, "message %zu: tool_calls", index + 1);
    struct json_cursor cursor = json_cursor_begin(where, message->tool_calls, message->tool_calls_length);
    chat_append(r->text, has_content ? tools->after_content : NULL);
    chat_append(r->text, tools->call_open);
    bool more, ok = json_cursor_take(&cursor, '[', err);
    for (int i = 0; ok; i++) {
        ok = json_cursor_more(&cursor, ']', i == 0, &more, err);
        if (!ok || !more) {
            break;
        }
        snprintf(where, sizeof where, "message %zu: tool_calls[%d]", index + 1, i);
        clear_call(&call);
        chat_append(r->text, i > 0 ? tools->call_between : NULL);
        ok = tools->most_calls == 0 || i < tools->most_calls ||
             error_set(err, "%s: the chat format '%s' takes at most %d call%s a turn", where, r->format->name,
                       tools->most_calls, tools->most_calls == 1 ? "" : "s");
        ok = ok && read_call(r->format, &cursor, &call, false, err) && append_call(r, &call, where, err);
    }
    chat_append(r->text, tools->call_close);
    free_call(&call);
    return ok;
}

bool chat_render_suffix(struct rendering *r, const char *suffix, size_t index, struct error *err)
{
    const char *id = r->messages[index].tool_call_id;
    const struct slot slots[] = {{"tool_call_id", {id, id ? strlen(id) : 0}}};
    char where[64];
    snprintf(where, sizeof where, "message %zu", index + 1);
    return append_filled(r->text, suffix, slots, 1, where, err);
}

/* ---- the list of tools ---- */

/* One member as Mistral writes it: a string just put between quotes, other values as JSON. */
static bool append_member(struct text_buffer *out, const char *name, struct json_cursor *cursor, struct error *err)
{
    chat_append(out, out->length ? ", \"" : "\"");
    chat_append(out, name);
    chat_append(out, "\": ");
    if (json_cursor_peek(cursor) != '"') {
        return json_append_python(out, cursor, 0, err);
    }
    chat_append(out, "\"");
    bool ok = json_cursor_string(cursor, out, err);
    chat_append(out, "\"");
    return ok;
}

/* The members of the object at the cursor but "return"; or, `of_function`, of the object that its member "function" is. */
static bool read_members(struct json_cursor *cursor, bool of_function, struct text_buffer *out, bool *found,
                         struct error *err)
{
    struct text_buffer key = {0};
    bool more, first = true, ok = json_cursor_take(cursor, '{', err);
    for (; ok; first = false) {
        ok = json_cursor_member(cursor, first, &key, &more, err);
        if (!ok || !more) {
            break;
        }
        if (of_function && strcmp(key.data, "function") == 0 && json_cursor_peek(cursor) == '{') {
            *found = true;
            ok = read_members(cursor, false, out, found, err);
        } else if (of_function || strcmp(key.data, "return") == 0) {
            ok = json_cursor_skip(cursor, err);
        } else {
            ok = append_member(out, key.data, cursor, err);
        }
    }
    text_buffer_free(&key);
    return ok;
}

static bool append_tool(struct rendering *r, struct json_cursor *cursor, const char *where, struct error *err)
{
    struct text_buffer whole = {0}, members = {0};
    struct json_cursor again = *cursor;
    bool has_function = false, wants_members = strstr(r->format->tools.each, "$members") != NULL;
    bool ok = json_cursor_peek(cursor) == '{' || error_set(err, "%s: expected an object that describes a tool", where);
    ok = ok && json_append_python(&whole, cursor, r->format->tools.indent, err) &&
         (!wants_members || read_members(&again, true, &members, &has_function, err));
    const struct slot slots[] = {{"tool", part_of(&whole)}, {"members", given(&members, has_function)}};
    ok = ok && append_filled(r->text, r->format->tools.each, slots, 2, where, err);
    text_buffer_free(&whole);
    text_buffer_free(&members);
    return ok;
}

bool chat_render_tools(struct rendering *r, struct error *err)
{
    const struct chat_tools *tools = &r->format->tools;
    struct json_cursor cursor = json_cursor_begin("tools", r->tools.text, r->tools.length);
    bool more, ok = json_cursor_take(&cursor, '[', err);
    chat_append(r->text, tools->open);
    for (int i = 0; ok; i++) {
        char where[32];
        ok = json_cursor_more(&cursor, ']', i == 0, &more, err);
        if (!ok || !more) {
            break;
        }
        snprintf(where, sizeof where, "tools[%d]", i);
        chat_append(r->text, i > 0 ? tools->between : NULL);
        ok = append_tool(r, &cursor, where, err);
    }
    chat_append(r->text, tools->close);
    return ok;
}

/* ---- where tools may stand ---- */

static bool is_last_question(const struct rendering *r, size_t index)
{
    const struct chat_message *message = &r->messages[index], *last = NULL;
    for (size_t i = 0; i < r->count; i++) {
        last = chat_is_role(&r->messages[i], "user") ? &r->messages[i] : last;
    }
    /* the template compares messages, not places */
    return last && last->length == message->length && memcmp(last->content, message->content, last->length) == 0;
}

bool chat_tools_belong_to(const struct rendering *r, size_t index)
{
    enum chat_tools_place place = r->format->tools.place;
    if (!r->tools.text || !chat_is_role(&r->messages[index], "user")) {
        return false;
    }
    if (place == TOOLS_IN_FIRST_USER) {
        return index == (chat_is_role(&r->messages[0], "system") ? 1 : 0);
    }
    return place == TOOLS_BEFORE_LAST_USER && is_last_question(r, index);
}

static bool check_place(const struct rendering *r, struct error *err)
{
    if (!r->tools.text) {
        return true;
    }
    if (r->format->tools.place == TOOLS_NOWHERE) {
        return error_set(err, "the conversation has tools, and the chat format '%s' cannot list any", r->format->name);
    }
    size_t first = chat_is_role(&r->messages[0], "system") ? 1 : 0;
    if (r->format->tools.place != TOOLS_IN_FIRST_USER ||
        (first < r->count && chat_is_role(&r->messages[first], "user"))) {
        return true;
    }
    return error_set(err,
                     "the conversation has tools, which the chat format '%s' lists in the first message of the user; "
                     "expected role 'user', found %s%.40s%s",
                     r->format->name, first < r->count ? "'" : "", first < r->count ? r->messages[first].role : "none",
                     first < r->count ? "'" : "");
}

bool chat_check_tools(const struct rendering *r, struct error *err)
{
    for (size_t i = 0; i < r->count; i++) {
        if (!r->messages[i].tool_calls) {
            continue;
        }
        if (!r->format->tools.call) {
            return error_set(err, "message %zu: tool_calls: the chat format '%s' knows no calls of tools", i + 1,
                             r->format->name);
        }
        if (!chat_is_role(&r->messages[i], "assistant")) {
            return error_set(err, "message %zu: tool_calls: only the role 'assistant' calls tools, found '%.40s'",
                             i + 1, r->messages[i].role);
        }
    }
    return check_place(r, err);
}
