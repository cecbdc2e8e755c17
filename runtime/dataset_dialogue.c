#include "dataset_dialogue.h"

#include <string.h>

/* A sample whose turns are read. */
struct reading {
    struct chat_messages *dialogue;
    const struct data_fields *fields;
    const struct json_object *sample;
    const char *where; /* "train.jsonl:3" */
};

static bool add_list(const struct reading *reading, const char *list, struct error *err)
{
    const struct chat_source source = {.where = reading->where, .list = list, .fields = reading->fields};
    struct json_value messages = json_object_find(reading->sample, list);
    struct json_cursor cursor = json_value_cursor(reading->where, messages);
    size_t before = reading->dialogue->count;
    if (!json_value_is_array(messages))
        return error_set(err, "%s: %s: expected an array of messages, found %s", reading->where, list,
                         json_type_name(messages));
    return chat_messages_append(reading->dialogue, &source, &cursor, err) &&
           (reading->dialogue->count > before ||
            error_set(err, "%s: %s: expected an array of messages, found an empty one", reading->where, list));
}

/* A turn whose content is this string. */
static void add_turn(const struct reading *reading, const char *role, struct json_value content)
{
    size_t length;
    const char *text = chat_messages_text(reading->dialogue, content, &length);
    chat_messages_add(reading->dialogue, role, text, length);
}

/* An optional field may be null or missing. */
static bool optional_text(const struct reading *reading, const char *field, struct json_value *value, struct error *err)
{
    *value = json_object_find(reading->sample, field);
    return json_value_is_null(*value) || json_value_is_string(*value) ||
           error_set(err, "%s: %s: expected a string, found %s", reading->where, field, json_type_name(*value));
}

static bool is_empty(struct json_value string)
{
    return json_value_is_null(string) || string.length == 2;
}

static bool add_system(const struct reading *reading, struct error *err)
{
    struct json_value system;
    if (!optional_text(reading, reading->fields->system, &system, err))
        return false;
    if (!is_empty(system))
        add_turn(reading, "system", system);
    return true;
}

/* The next element of a pair, which must be a string. */
static bool next_string(struct json_cursor *cursor, bool first, struct json_value *string)
{
    struct error ignored;
    bool more;
    if (!json_cursor_more(cursor, ']', first, &more, &ignored) || !more || json_cursor_peek(cursor) != '"')
        return false;
    string->text = cursor->text + cursor->position;
    CHECK(json_cursor_skip(cursor, &ignored));
    string->length = (size_t)(cursor->text + cursor->position - string->text);
    return true;
}

static bool add_pair(const struct reading *reading, struct json_cursor *cursor)
{
    struct error ignored;
    struct json_value question, answer;
    bool more = true;
    if (json_cursor_peek(cursor) != '[' || !json_cursor_take(cursor, '[', &ignored) ||
        !next_string(cursor, true, &question) || !next_string(cursor, false, &answer) ||
        !json_cursor_more(cursor, ']', false, &more, &ignored) || more)
        return false;
    add_turn(reading, "user", question);
    add_turn(reading, "assistant", answer);
    return true;
}

static bool add_history(const struct reading *reading, struct error *err)
{
    const char *field = reading->fields->history;
    struct json_value history = json_object_find(reading->sample, field);
    struct json_cursor cursor = json_value_cursor(reading->where, history);
    if (json_value_is_null(history))
        return true;
    if (!json_value_is_array(history))
        return error_set(err, "%s: %s: expected an array of pairs [question, answer], found %s", reading->where, field,
                         json_type_name(history));
    bool more = true, ok = json_cursor_take(&cursor, '[', err);
    for (int index = 0; ok && more; index++) {
        ok = json_cursor_more(&cursor, ']', index == 0, &more, err);
        if (ok && more && !add_pair(reading, &cursor))
            ok = error_set(err, "%s: %s[%d]: expected a pair of strings [question, answer]", reading->where, field,
                           index);
    }
    return ok;
}

/* The question is instruction, and where input is not empty a newline and input. */
static bool add_instruction(const struct reading *reading, struct error *err)
{
    struct text_buffer question = {0}, answer = {0};
    struct json_value input;
    bool ok = data_text(reading->sample, reading->fields->instruction, reading->where, &question, err) &&
              data_text(reading->sample, reading->fields->output, reading->where, &answer, err) &&
              optional_text(reading, reading->fields->input, &input, err) && add_system(reading, err) &&
              add_history(reading, err);
    if (ok && !is_empty(input)) {
        text_buffer_append_string(&question, question.length > 0 ? "\n" : "");
        json_value_append_string(input, &question);
    }
    size_t question_length = question.length, answer_length = answer.length;
    text_buffer_append(&question, "", 1);
    text_buffer_append(&answer, "", 1);
    chat_messages_add(reading->dialogue, "user", chat_messages_own(reading->dialogue, question.data), question_length);
    chat_messages_add(reading->dialogue, "assistant", chat_messages_own(reading->dialogue, answer.data), answer_length);
    return ok;
}

static bool add_prompt(const struct reading *reading, struct error *err)
{
    if (!add_list(reading, reading->fields->prompt, err))
        return false;
    for (size_t i = 0; i < reading->dialogue->count; i++)
        reading->dialogue->item[i].excluded = true;
    return add_list(reading, reading->fields->completion, err);
}

bool data_dialogue(struct chat_messages *dialogue, enum data_format format, const struct data_fields *fields,
                   const struct json_object *sample, const char *where, struct error *err)
{
    const struct reading reading = {.dialogue = dialogue, .fields = fields, .sample = sample, .where = where};
    chat_messages_clear(dialogue);
    if (format == DATA_INSTRUCTION)
        return add_instruction(&reading, err);
    if (!chat_messages_read_tools(dialogue, where, json_object_find(sample, "tools"), err))
        return false;
    if (format == DATA_PROMPT_MESSAGES)
        return add_prompt(&reading, err);
    bool plain = format == DATA_MESSAGES;
    CHECK(plain || format == DATA_CONVERSATIONS);
    return (plain || add_system(&reading, err)) &&
           add_list(&reading, plain ? fields->messages : fields->conversations, err);
}
