#include "dataset_format.h"

#include "unicode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name, *key, *second_key; /* both present: this form; second_key NULL: the first is enough */
} FORMATS[] = {
    [DATA_INSTRUCTION] = {"instruction", "instruction", "output"},
    [DATA_MESSAGES] = {"messages", "messages", NULL},
    [DATA_CONVERSATIONS] = {"conversations", "conversations", NULL},
    [DATA_PROMPT] = {"prompt and completion", "prompt", "completion"},
    [DATA_TEXT] = {"text", "text", NULL},
    [DATA_TOKENS] = {"input_ids", "input_ids", NULL},
};
enum { FORMAT_COUNT = sizeof FORMATS / sizeof *FORMATS };

const char *data_format_name(enum data_format format)
{
    return FORMATS[format].name;
}

static const cJSON *field_of(const cJSON *sample, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(sample, name);
}

static bool unknown_format(const cJSON *sample, const char *where, struct error *err)
{
    char keys[200] = "";
    size_t length = 0;
    const cJSON *field;
    cJSON_ArrayForEach(field, sample)
    {
        int written = snprintf(keys + length, sizeof keys - length, "%s'%.40s'", length ? ", " : "", field->string);
        length += (size_t)written;
        if (length >= sizeof keys) {
            strcpy(keys + sizeof keys - 4, "...");
            break;
        }
    }
    return error_set(err,
                     "%s: unknown data format: the sample has %s; expected instruction + output, messages, "
                     "conversations, prompt + completion, text, or input_ids + labels",
                     where, keys[0] ? keys : "no fields");
}

bool data_format_recognise(enum data_format *format, const cJSON *sample, const char *where, struct error *err)
{
    for (int i = 0; i < FORMAT_COUNT; i++) {
        if (field_of(sample, FORMATS[i].key) && (!FORMATS[i].second_key || field_of(sample, FORMATS[i].second_key))) {
            *format = (enum data_format)i;
            return true;
        }
    }
    return unknown_format(sample, where, err);
}

static const char *type_name(const cJSON *json)
{
    if (!json)
        return "nothing";
    return cJSON_IsNull(json)     ? "null"
           : cJSON_IsString(json) ? "a string"
           : cJSON_IsNumber(json) ? "a number"
           : cJSON_IsBool(json)   ? "true or false"
           : cJSON_IsArray(json)  ? "an array"
                                  : "an object";
}

const char *data_text(const cJSON *sample, const char *field, const char *where, struct error *err)
{
    const cJSON *json = field_of(sample, field);
    if (!cJSON_IsString(json)) {
        error_set(err, "%s: %s: expected a string, found %s", where, field, type_name(json));
        return NULL;
    }
    return json->valuestring;
}

void dialogue_add(struct dialogue *dialogue, const char *role, const char *content)
{
    dialogue->turns =
        reallocate(dialogue->turns, (size_t)(dialogue->count + 1) * sizeof *dialogue->turns, "a conversation");
    dialogue->turns[dialogue->count++] =
        (struct chat_message){.role = role, .content = content, .length = strlen(content)};
}

void dialogue_free(struct dialogue *dialogue)
{
    for (int i = 0; i < dialogue->owned_count; i++)
        free(dialogue->owned[i]);
    free(dialogue->owned);
    free(dialogue->turns);
    *dialogue = (struct dialogue){0};
}

static const char *own(struct dialogue *dialogue, char *text)
{
    dialogue->owned =
        reallocate(dialogue->owned, (size_t)(dialogue->owned_count + 1) * sizeof *dialogue->owned, "a conversation");
    dialogue->owned[dialogue->owned_count++] = text;
    return text;
}

/* Content in parts, [{"type": "text", "text": ...}, ...], put together; NULL where a part is no text. */
static const char *join_parts(struct dialogue *dialogue, const cJSON *parts)
{
    struct text_buffer joined = {0};
    const cJSON *part;
    cJSON_ArrayForEach(part, parts)
    {
        const cJSON *text = cJSON_IsString(part) ? part : field_of(part, "text");
        if (!cJSON_IsString(text)) {
            text_buffer_free(&joined);
            return NULL;
        }
        text_buffer_append_string(&joined, text->valuestring);
    }
    text_buffer_append(&joined, "", 1);
    return own(dialogue, joined.data);
}

static const char *known_role(const char *role)
{
    static const char *const aliases[][2] = {
        {"human", "user"}, {"gpt", "assistant"}, {"chatgpt", "assistant"}, {"bot", "assistant"}, {"model", "assistant"},
    };
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++) {
        if (strcmp(role, aliases[i][0]) == 0)
            return aliases[i][1];
    }
    return role;
}

/* One message, with the fields role and content, or ShareGPT's from and value. */
static bool add_message(struct dialogue *dialogue, const cJSON *message, const char *list, int index, const char *where,
                        struct error *err)
{
    bool sharegpt = field_of(message, "from") != NULL;
    const cJSON *role = field_of(message, sharegpt ? "from" : "role");
    const cJSON *content = field_of(message, sharegpt ? "value" : "content");
    const char *text = cJSON_IsArray(content) ? join_parts(dialogue, content) : cJSON_GetStringValue(content);
    if (!cJSON_IsString(role))
        return error_set(err, "%s: %s[%d].%s: expected a string, found %s", where, list, index,
                         sharegpt ? "from" : "role", type_name(role));
    if (!text)
        return error_set(err, "%s: %s[%d].%s: expected a string, found %s", where, list, index,
                         sharegpt ? "value" : "content", type_name(content));
    dialogue_add(dialogue, sharegpt ? known_role(role->valuestring) : role->valuestring, text);
    const char *thoughts = cJSON_GetStringValue(field_of(message, "reasoning_content"));
    dialogue->turns[dialogue->count - 1].thoughts = thoughts;
    dialogue->turns[dialogue->count - 1].thoughts_length = thoughts ? strlen(thoughts) : 0;
    return true;
}

static bool add_messages(struct dialogue *dialogue, const cJSON *messages, const char *list, const char *where,
                         struct error *err)
{
    if (!cJSON_IsArray(messages) || cJSON_GetArraySize(messages) == 0)
        return error_set(err, "%s: %s: expected an array of messages, found %s", where, list,
                         cJSON_IsArray(messages) ? "an empty one" : type_name(messages));
    int index = 0;
    const cJSON *message;
    cJSON_ArrayForEach(message, messages)
    {
        if (!add_message(dialogue, message, list, index++, where, err))
            return false;
    }
    return true;
}

/* Alpaca's optional fields may be null or missing. */
static bool optional_text(const char **text, const cJSON *sample, const char *field, const char *where,
                          struct error *err)
{
    const cJSON *json = field_of(sample, field);
    *text = NULL;
    if (json && !cJSON_IsNull(json))
        *text = data_text(sample, field, where, err);
    return *text || !json || cJSON_IsNull(json);
}

static bool add_history(struct dialogue *dialogue, const cJSON *history, const char *where, struct error *err)
{
    const cJSON *pair;
    cJSON_ArrayForEach(pair, history)
    {
        const char *question = cJSON_GetStringValue(cJSON_GetArrayItem(pair, 0));
        const char *answer = cJSON_GetStringValue(cJSON_GetArrayItem(pair, 1));
        if (!question || !answer)
            return error_set(err, "%s: history: expected pairs of strings [question, answer]", where);
        dialogue_add(dialogue, "user", question);
        dialogue_add(dialogue, "assistant", answer);
    }
    return true;
}

static bool add_instruction(struct dialogue *dialogue, const cJSON *sample, const char *where, struct error *err)
{
    const char *system, *input;
    const char *instruction = data_text(sample, "instruction", where, err);
    const char *output = instruction ? data_text(sample, "output", where, err) : NULL;
    if (!output || !optional_text(&system, sample, "system", where, err) ||
        !optional_text(&input, sample, "input", where, err))
        return false;
    if (system && system[0])
        dialogue_add(dialogue, "system", system);
    if (!add_history(dialogue, field_of(sample, "history"), where, err))
        return false;
    if (input && input[0])
        instruction = own(dialogue, format_text("%s%s%s", instruction, instruction[0] ? "\n" : "", input));
    dialogue_add(dialogue, "user", instruction);
    dialogue_add(dialogue, "assistant", output);
    return true;
}

bool data_dialogue(struct dialogue *dialogue, enum data_format format, const cJSON *sample, const char *where,
                   struct error *err)
{
    const char *system;
    *dialogue = (struct dialogue){0};
    if (format == DATA_INSTRUCTION)
        return add_instruction(dialogue, sample, where, err);
    if (format == DATA_MESSAGES)
        return add_messages(dialogue, field_of(sample, "messages"), "messages", where, err);
    CHECK(format == DATA_CONVERSATIONS);
    if (!optional_text(&system, sample, "system", where, err))
        return false;
    if (system && system[0])
        dialogue_add(dialogue, "system", system);
    return add_messages(dialogue, field_of(sample, "conversations"), "conversations", where, err);
}

bool data_dialogue_of_messages(struct dialogue *dialogue, const cJSON *messages, const char *where, struct error *err)
{
    *dialogue = (struct dialogue){0};
    return add_messages(dialogue, messages, "messages", where, err);
}
