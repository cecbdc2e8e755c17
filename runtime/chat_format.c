#include "chat_format.h"

#include <stdlib.h>
#include <string.h>

/* A piece of some text. */
struct part {
    const char *text;
    size_t length;
};

struct rendering {
    const struct chat_format *format;
    const struct chat_message *messages;
    size_t count;
    size_t last_question; /* index of the last message in which a user asks something */
    struct text_buffer *text;
    struct chat_spans *spans; /* may be NULL */
};

void chat_spans_free(struct chat_spans *spans)
{
    free(spans->item);
    *spans = (struct chat_spans){0};
}

static void push_span(struct chat_spans *spans, size_t begin, size_t end, size_t message)
{
    if (spans->count == spans->capacity) {
        spans->capacity = spans->capacity ? 2 * spans->capacity : 8;
        spans->item = reallocate(spans->item, spans->capacity * sizeof *spans->item, "a conversation");
    }
    spans->item[spans->count++] = (struct chat_span){.begin = begin, .end = end, .message = message};
}

static void append(struct text_buffer *text, const char *string)
{
    text_buffer_append_string(text, string);
}

static bool is_role(const struct chat_message *message, const char *name)
{
    return strcmp(message->role, name) == 0;
}

static const struct chat_role *find_role(const struct chat_format *format, const struct chat_message *message)
{
    for (int i = 0; i < format->role_count; i++) {
        if (is_role(message, format->roles[i].name)) {
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
        append(&known, i ? ", " : "");
        append(&known, format->roles[i].name);
    }
    error_set(err, "message %zu: the chat format '%s' has no role '%.40s' %s(it has %.*s)", index + 1, format->name,
              message->role, is_role(message, "system") && format->system_open ? "after the first message " : "",
              (int)known.length, known.data);
    text_buffer_free(&known);
    return false;
}

/* ---- contents ---- */

static struct part trim(struct part part, bool (*is_member)(uint32_t), bool left, bool right)
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

static bool is_newline(uint32_t code_point)
{
    return code_point == '\n';
}

static const char *find(struct part part, const char *wanted)
{
    size_t n = strlen(wanted);
    for (size_t i = 0; i + n <= part.length; i++) {
        if (memcmp(part.text + i, wanted, n) == 0) {
            return part.text + i;
        }
    }
    return NULL;
}

static const char *find_last(struct part part, const char *wanted)
{
    size_t n = strlen(wanted);
    for (size_t i = part.length; i >= n; i--) {
        if (memcmp(part.text + i - n, wanted, n) == 0) {
            return part.text + i - n;
        }
    }
    return NULL;
}

static struct part between(const char *begin, const char *end)
{
    return (struct part){begin, (size_t)(end - begin)};
}

/* Takes an answer apart: thoughts up to the first close (from the last open before it on), the rest behind the last close. */
static void separate_thoughts(const struct chat_format *format, const struct chat_message *message,
                              struct part *thoughts, struct part *answer)
{
    *answer = (struct part){message->content, message->length};
    *thoughts = (struct part){"", 0};
    if (message->thoughts) {
        *thoughts = (struct part){message->thoughts, message->thoughts_length};
        return;
    }
    const char *end = message->content + message->length;
    const char *first = find(*answer, format->think_close), *last = find_last(*answer, format->think_close);
    if (!first) {
        return;
    }
    *thoughts = trim(between(message->content, first), is_newline, false, true);
    const char *open = find_last(*thoughts, format->think_open);
    if (open) {
        *thoughts = between(open + strlen(format->think_open), thoughts->text + thoughts->length);
    }
    *thoughts = trim(*thoughts, is_newline, true, false);
    *answer = trim(between(last + strlen(format->think_close), end), is_newline, true, false);
}

static void render_thinking(struct rendering *r, size_t index)
{
    const struct chat_format *format = r->format;
    struct part thoughts, answer;
    separate_thoughts(format, &r->messages[index], &thoughts, &answer);
    if (index > r->last_question && (index + 1 == r->count || thoughts.length > 0)) {
        thoughts = trim(thoughts, is_newline, true, true);
        answer = trim(answer, is_newline, true, false);
        append(r->text, format->think_open);
        append(r->text, "\n");
        text_buffer_append(r->text, thoughts.text, thoughts.length);
        append(r->text, "\n");
        append(r->text, format->think_close);
        append(r->text, "\n\n");
    }
    text_buffer_append(r->text, answer.text, answer.length);
}

/* The system text that goes in front of the first user's content, if this is that message. */
static bool folded_system(const struct rendering *r, size_t index, struct part *system)
{
    const struct chat_format *format = r->format;
    if (!format->system_open) {
        return false;
    }
    bool given = is_role(&r->messages[0], "system");
    if (index != (given ? 1 : 0) || (!given && !format->default_system)) {
        return false;
    }
    *system = given ? (struct part){r->messages[0].content, r->messages[0].length}
                    : (struct part){format->default_system, strlen(format->default_system)};
    return true;
}

static void render_content(struct rendering *r, const struct chat_role *role, size_t index)
{
    const struct chat_message *message = &r->messages[index];
    struct part content = {message->content, message->length}, system;
    struct text_buffer joined = {0};
    if (role->trained && r->format->think_open) {
        render_thinking(r, index);
        return;
    }
    if (folded_system(r, index, &system)) {
        append(&joined, r->format->system_open);
        text_buffer_append(&joined, system.text, system.length);
        append(&joined, r->format->system_close);
        text_buffer_append(&joined, content.text, content.length);
        content = (struct part){joined.data ? joined.data : "", joined.length};
    }
    if (r->format->trim) {
        content = trim(content, unicode_is_python_space, true, true);
    }
    text_buffer_append(r->text, content.text, content.length);
    text_buffer_free(&joined);
}

/* ---- turns ---- */

static void render_turn(struct rendering *r, const struct chat_role *role, size_t index)
{
    const struct chat_message *message = &r->messages[index];
    bool first = index == 0 || !is_role(&r->messages[index - 1], message->role);
    bool last = index + 1 == r->count || !is_role(&r->messages[index + 1], message->role);
    size_t turn = r->text->length;
    append(r->text, first ? role->group_open : "");
    append(r->text, role->prefix);
    size_t begin = r->text->length;
    render_content(r, role, index);
    append(r->text, role->end_of_turn);
    size_t end = r->text->length;
    size_t given = strlen(r->format->generation_prompt);
    if (given <= end - turn && memcmp(r->text->data + turn, r->format->generation_prompt, given) == 0) {
        begin = turn + given > begin ? turn + given : begin;
    }
    append(r->text, role->suffix);
    append(r->text, last ? role->group_close : "");
    if (role->trained && r->spans) {
        push_span(r->spans, begin, end, index);
    }
}

static bool check_order(const struct rendering *r, size_t first, struct error *err)
{
    for (size_t i = first; r->format->alternate && i < r->count; i++) {
        const char *wanted = (i - first) % 2 == 0 ? "user" : "assistant";
        if (!is_role(&r->messages[i], wanted)) {
            return error_set(err,
                             "message %zu: the chat format '%s' wants user and assistant to take turns; expected '%s', "
                             "found '%.40s'",
                             i + 1, r->format->name, wanted, r->messages[i].role);
        }
    }
    return true;
}

/* Qwen3: the last user message that is not the result of a tool; with none, the last message. */
static size_t find_last_question(const struct chat_message *messages, size_t count)
{
    static const char open[] = "<tool_response>", close[] = "</tool_response>";
    for (size_t i = count; i-- > 0;) {
        const struct chat_message *m = &messages[i];
        bool is_result = m->length >= sizeof close - 1 && memcmp(m->content, open, sizeof open - 1) == 0 &&
                         memcmp(m->content + m->length - (sizeof close - 1), close, sizeof close - 1) == 0;
        if (is_role(m, "user") && !is_result) {
            return i;
        }
    }
    return count - 1;
}

static void render_default_system(const struct chat_format *format, struct text_buffer *text)
{
    const struct chat_message system = {.role = "system", .content = "", .length = 0};
    const struct chat_role *role = find_role(format, &system);
    CHECK(role);
    append(text, role->group_open);
    append(text, role->prefix);
    append(text, format->default_system);
    append(text, role->end_of_turn);
    append(text, role->suffix);
    append(text, role->group_close);
}

bool chat_format_render(const struct chat_format *format, const struct chat_message *messages, size_t count,
                        bool add_generation_prompt, struct text_buffer *text, struct chat_spans *spans,
                        struct error *err)
{
    if (!format->name) {
        return error_set(err, "this program was compiled without a chat format; add `chat = ...` to its recipe");
    }
    if (count == 0) {
        return error_set(err, "the conversation is empty");
    }
    struct rendering r = {.format = format, .messages = messages, .count = count, .text = text, .spans = spans};
    r.last_question = find_last_question(messages, count);
    bool given_system = is_role(&messages[0], "system");
    size_t first = format->system_open && given_system ? 1 : 0;
    if (first == count) {
        return error_set(err, "the conversation is a system message alone; the chat format '%s' has no turn for it",
                         format->name);
    }
    if (!check_order(&r, given_system ? 1 : 0, err)) {
        return false;
    }
    append(text, format->bos);
    if (format->default_system && !format->system_open && !given_system) {
        render_default_system(format, text);
    }
    for (size_t i = first; i < count; i++) {
        const struct chat_role *role = find_role(format, &messages[i]);
        if (!role) {
            return unknown_role(format, &messages[i], i, err);
        }
        render_turn(&r, role, i);
    }
    append(text, add_generation_prompt ? format->generation_prompt : "");
    return true;
}

/* ---- tokens ---- */

/* Bytes to tokens: those that overlap the span. One without bytes of its own (a space that the tokenizer put in) counts as the
 * character that it stands before. */
static struct chat_span span_of_tokens(struct chat_span bytes, const struct ids *ids, size_t first, size_t text_length)
{
    struct chat_span tokens = {.begin = ids->count, .end = first, .message = bytes.message};
    size_t low = first, high = ids->count;
    while (low < high) { /* the first token that starts behind the span's begin */
        size_t middle = low + (high - low) / 2;
        if (ids->start[middle] <= bytes.begin) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    while (low > first && ids->start[low - 1] == bytes.begin) {
        low--;
    }
    bool reaches_in =
        low > first && bytes.begin < bytes.end && (low < ids->count ? ids->start[low] : text_length) > bytes.begin;
    tokens.begin = reaches_in ? low - 1 : low;
    tokens.end = low;
    while (tokens.end < ids->count && ids->start[tokens.end] < bytes.end) {
        tokens.end++;
    }
    return tokens;
}

bool chat_format_encode(const struct chat_format *format, struct tokenizer *tokenizer,
                        const struct chat_message *messages, size_t count, bool add_generation_prompt, struct ids *ids,
                        struct chat_spans *spans, struct error *err)
{
    struct text_buffer text = {0};
    struct chat_spans bytes = {0};
    size_t first = ids->count;
    bool ok = chat_format_render(format, messages, count, add_generation_prompt, &text, &bytes, err) &&
              tokenizer_encode(tokenizer, text.data ? text.data : "", text.length, false, ids, err);
    for (size_t i = 0; ok && spans && i < bytes.count; i++) {
        struct chat_span s = span_of_tokens(bytes.item[i], ids, first, text.length);
        push_span(spans, s.begin, s.end, s.message);
    }
    chat_spans_free(&bytes);
    text_buffer_free(&text);
    return ok;
}
