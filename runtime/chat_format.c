#include "chat_format_internal.h"
#include "tokenizer_json.h"

#include <string.h>

void chat_append(struct text_buffer *text, const char *string)
{
    if (string) {
        text_buffer_append_string(text, string);
    }
}

bool chat_is_role(const struct chat_message *message, const char *name)
{
    return strcmp(message->role, name) == 0;
}

struct part chat_trim(struct part part, bool (*is_member)(uint32_t), bool left, bool right)
{
    size_t begin = 0, end = part.length;
    while (left && begin < end) {
        size_t next = begin;
        if (!is_member(utf8_next(part.text, &next))) {
            break;
        }
        begin = next;
    }
    while (right && end > begin) {
        size_t previous = utf8_previous(part.text, end), next = previous;
        if (!is_member(utf8_next(part.text, &next))) {
            break;
        }
        end = previous;
    }
    return (struct part){part.text + begin, end - begin};
}

static const struct chat_role *find_role(const struct chat_format *format, const char *name)
{
    for (int i = 0; i < format->role_count; i++) {
        if (strcmp(format->roles[i].name, name) == 0) {
            return &format->roles[i];
        }
    }
    return NULL;
}

static bool unknown_role(const struct chat_format *format, const struct chat_message *message, size_t index,
                         struct error *err)
{
    struct text_buffer known = {0};
    for (int i = 0; i < format->role_count; i++) {
        chat_append(&known, i ? ", " : "");
        chat_append(&known, format->roles[i].name);
    }
    error_set(err, "message %zu: the chat format '%s' has no role '%.40s' %s(it has %.*s)", index + 1, format->name,
              message->role, chat_is_role(message, "system") && format->system_open ? "after the first message " : "",
              (int)known.length, known.data);
    text_buffer_free(&known);
    return false;
}

/* ---- contents ---- */

static struct part content_of(const struct chat_message *message)
{
    return (struct part){message->content, message->length};
}

/* The system text that goes in front of this message's content, if there is one. */
static bool folded_system(const struct rendering *r, size_t index, struct part *system)
{
    const struct chat_format *format = r->format;
    bool given = chat_is_role(&r->messages[0], "system");
    if (!format->system_open || (!given && !format->default_system)) {
        return false;
    }
    if (index != (format->system_in_last ? r->count - 1 : given) || !chat_is_role(&r->messages[index], "user")) {
        return false;
    }
    *system =
        given ? content_of(&r->messages[0]) : (struct part){format->default_system, strlen(format->default_system)};
    return true;
}

static void append_content(struct text_buffer *text, const struct chat_role *role, struct part content)
{
    if (role->trim) {
        content = chat_trim(content, unicode_is_python_space, true, true);
    }
    if (role->json) {
        json_append_string(text, content.text, content.length);
    } else {
        text_buffer_append(text, content.text, content.length);
    }
}

static void append_folded(struct rendering *r, const struct chat_role *role, struct part system, struct part content)
{
    struct text_buffer joined = {0};
    chat_append(&joined, r->format->system_open);
    text_buffer_append(&joined, system.text, system.length);
    chat_append(&joined, r->format->system_close);
    text_buffer_append(&joined, content.text, content.length);
    append_content(r->text, role, (struct part){joined.data ? joined.data : "", joined.length});
    text_buffer_free(&joined);
}

static bool render_content(struct rendering *r, const struct chat_role *role, size_t index, struct error *err)
{
    struct part content = content_of(&r->messages[index]), system;
    if (r->format->tools.place == TOOLS_IN_FIRST_USER && chat_tools_belong_to(r, index) && !chat_render_tools(r, err)) {
        return false;
    }
    if (folded_system(r, index, &system)) {
        append_folded(r, role, system, content);
    } else {
        append_content(r->text, role, content);
    }
    return true;
}

/* The assistant's thoughts, content and calls. */
static bool render_answer(struct rendering *r, const struct chat_role *role, size_t index, struct error *err)
{
    const struct chat_message *message = &r->messages[index];
    bool only_calls = message->tool_calls && r->format->tools.calls_replace_content, has_content = false;
    if (!only_calls && r->format->think_open) {
        has_content = chat_render_thinking(r, index);
    } else if (!only_calls) {
        has_content = message->length > 0;
        append_content(r->text, role, content_of(message));
    }
    return !message->tool_calls || chat_render_calls(r, index, has_content, err);
}

/* ---- turns ---- */

/* What an assistant's turn has to be trained on: from `begin` on, but for what the generation prompt gives. */
static void push_turn(struct rendering *r, size_t turn, size_t begin, size_t index)
{
    const char *prompt = r->format->generation_prompt;
    size_t end = r->text->length, given = prompt ? strlen(prompt) : 0;
    if (given > 0 && given <= end - turn && memcmp(r->text->data + turn, prompt, given) == 0) {
        begin = turn + given > begin ? turn + given : begin;
    }
    if (r->spans) {
        chat_spans_push(r->spans, (struct chat_span){.begin = begin, .end = end, .message = index});
    }
}

static bool render_turn(struct rendering *r, const struct chat_role *role, size_t index, struct error *err)
{
    const struct chat_message *message = &r->messages[index];
    bool first = index == 0 || !chat_is_role(&r->messages[index - 1], message->role);
    bool last = index + 1 == r->count || !chat_is_role(&r->messages[index + 1], message->role);
    bool only_calls = message->tool_calls && r->format->tools.calls_replace_content;
    size_t turn = r->text->length;
    if (r->format->tools.place == TOOLS_BEFORE_LAST_USER && chat_tools_belong_to(r, index) &&
        !chat_render_tools(r, err)) {
        return false;
    }
    chat_append(r->text, first ? role->group_open : NULL);
    chat_append(r->text, only_calls ? NULL : role->prefix);
    size_t begin = r->text->length;
    if (!(role->trained ? render_answer(r, role, index, err) : render_content(r, role, index, err))) {
        return false;
    }
    chat_append(r->text, role->end_of_turn);
    if (role->trained) {
        push_turn(r, turn, begin, index);
    }
    if (!chat_render_suffix(r, role->suffix, index, err)) {
        return false;
    }
    chat_append(r->text, last ? role->group_close : NULL);
    return true;
}

/* The system turn at the beginning: the message's, or the format's own, with the list of tools where that belongs here. */
static bool render_system(struct rendering *r, const struct chat_message *given, struct error *err)
{
    const struct chat_format *format = r->format;
    const struct chat_role *role = find_role(format, "system");
    const char *otherwise = format->default_system;
    bool lists_tools = r->tools.text && format->tools.place == TOOLS_IN_SYSTEM;
    if (!given && !otherwise && !lists_tools) {
        return true;
    }
    CHECK(role);
    chat_append(r->text, role->group_open);
    chat_append(r->text, role->prefix);
    chat_append(r->text, r->tools.text ? format->tools.system_preamble : NULL);
    chat_append(r->text, format->system_preamble);
    if (given) {
        append_content(r->text, role, content_of(given));
    } else {
        chat_append(r->text, otherwise);
    }
    chat_append(r->text, lists_tools && (given || otherwise) ? "\n\n" : NULL);
    if (lists_tools && !chat_render_tools(r, err)) {
        return false;
    }
    chat_append(r->text, role->end_of_turn);
    chat_append(r->text, role->suffix);
    chat_append(r->text, role->group_close);
    return true;
}

/* ---- conversations ---- */

static bool check_order(const struct rendering *r, size_t first, struct error *err)
{
    bool users = true;
    for (size_t i = first; r->format->alternate && i < r->count; i++) {
        const struct chat_message *message = &r->messages[i];
        const char *wanted = users ? "user" : "assistant";
        if (message->tool_calls || (find_role(r->format, "tool") && chat_is_role(message, "tool"))) {
            continue;
        }
        if (!chat_is_role(message, wanted)) {
            return error_set(err,
                             "message %zu: the chat format '%s' wants user and assistant to take turns; expected '%s', "
                             "found '%.40s'",
                             i + 1, r->format->name, wanted, message->role);
        }
        users = !users;
    }
    return true;
}

static bool check_thoughts(const struct rendering *r, struct error *err)
{
    for (size_t i = 0; !r->format->think_open && i < r->count; i++) {
        if (r->messages[i].thoughts && r->messages[i].thoughts_length > 0) {
            return error_set(err,
                             "message %zu: reasoning_content: the chat format '%s' has no place for thoughts; take "
                             "them out, or put them into the content",
                             i + 1, r->format->name);
        }
    }
    return true;
}

static bool render_turns(struct rendering *r, struct error *err)
{
    const struct chat_format *format = r->format;
    const struct chat_message *system = chat_is_role(&r->messages[0], "system") ? &r->messages[0] : NULL;
    bool folds = format->system_open, own_turn = !folds && find_role(format, "system");
    size_t first = system && (folds || own_turn) ? 1 : 0;
    if (folds && first == r->count) {
        return error_set(err, "the conversation is a system message alone; the chat format '%s' has no turn for it",
                         format->name);
    }
    if (!check_order(r, system ? 1 : 0, err) || (own_turn && !render_system(r, system, err))) {
        return false;
    }
    for (size_t i = first; i < r->count; i++) {
        const struct chat_role *role = find_role(format, r->messages[i].role);
        if (!role) {
            return unknown_role(format, &r->messages[i], i, err);
        }
        if (!render_turn(r, role, i, err)) {
            return false;
        }
    }
    return true;
}

bool chat_format_render(const struct chat_format *format, const struct chat_conversation *conversation,
                        bool add_generation_prompt, struct text_buffer *text, struct chat_spans *spans,
                        struct error *err)
{
    if (!format->name) {
        return error_set(err, "this program was compiled without a chat format; add `chat = ...` to its recipe");
    }
    if (conversation->count == 0) {
        return error_set(err, "the conversation is empty");
    }
    struct rendering r = {
        .format = format,
        .messages = conversation->messages,
        .count = conversation->count,
        .tools = {conversation->tools, conversation->tools_length},
        .last_question = chat_last_question(conversation->messages, conversation->count),
        .text = text,
        .spans = spans,
    };
    if (!check_thoughts(&r, err) || !chat_check_tools(&r, err)) {
        return false;
    }
    chat_append(text, format->bos);
    if (!render_turns(&r, err)) {
        return false;
    }
    chat_append(text, add_generation_prompt ? format->generation_prompt : NULL);
    return true;
}
