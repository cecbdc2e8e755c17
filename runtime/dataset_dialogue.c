#include "dataset_dialogue.h"

#include "chat_format_messages.h"

#include <stdlib.h>
#include <string.h>

/* Where a message stands, for what is said of it: "train.jsonl:3", "messages", 0. */
struct place {
    const char *where, *list;
    int index;
};

static void dialogue_add_turn(struct dialogue *dialogue, const struct chat_message *turn)
{
    size_t count = (size_t)dialogue->count + 1;
    dialogue->turns = reallocate(dialogue->turns, count * sizeof *dialogue->turns, "a conversation");
    dialogue->excluded = reallocate(dialogue->excluded, count * sizeof *dialogue->excluded, "a conversation");
    dialogue->excluded[dialogue->count] = false;
    dialogue->turns[dialogue->count++] = *turn;
}

void dialogue_add(struct dialogue *dialogue, const char *role, const char *content)
{
    const struct chat_message turn = {.role = role, .content = content, .length = strlen(content)};
    dialogue_add_turn(dialogue, &turn);
}

void dialogue_free(struct dialogue *dialogue)
{
    for (int i = 0; i < dialogue->owned_count; i++)
        free(dialogue->owned[i]);
    free(dialogue->owned);
    free(dialogue->turns);
    free(dialogue->excluded);
    *dialogue = (struct dialogue){0};
}

struct chat_conversation dialogue_conversation(const struct dialogue *dialogue)
{
    return (struct chat_conversation){
        .messages = dialogue->turns,
        .count = (size_t)dialogue->count,
        .tools = dialogue->tools,
        .tools_length = dialogue->tools ? strlen(dialogue->tools) : 0,
    };
}

const char *dialogue_own(struct dialogue *dialogue, char *text)
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
        const cJSON *text = cJSON_IsString(part) ? part : data_field(part, "text");
        if (!cJSON_IsString(text)) {
            text_buffer_free(&joined);
            return NULL;
        }
        text_buffer_append_string(&joined, text->valuestring);
    }
    text_buffer_append(&joined, "", 1);
    return dialogue_own(dialogue, joined.data);
}

/* Reads *flag, true or false, from a field that says so in its way: `train` as a boolean, `weight` as 0 or 1. *given: it is there. */
static bool read_flag(bool *given, bool *flag, const cJSON *json, const char *field, bool weight,
                      const struct place *place, struct error *err)
{
    *given = json && !cJSON_IsNull(json);
    if (!*given)
        return true;
    bool one = weight ? cJSON_IsNumber(json) && json->valuedouble == 1 : cJSON_IsTrue(json);
    bool zero = weight ? cJSON_IsNumber(json) && json->valuedouble == 0 : cJSON_IsFalse(json);
    *flag = one;
    if (one || zero)
        return true;
    char *found = cJSON_PrintUnformatted(json);
    error_set(err, "%s: %s[%d].%s: expected %s, found %.40s", place->where, place->list, place->index, field,
              weight ? "0 or 1" : "true or false", found ? found : "nothing");
    cJSON_free(found);
    return false;
}

/* What the message last added says of its training. */
static bool read_training(struct dialogue *dialogue, const struct data_fields *fields, const cJSON *message,
                          const struct place *place, struct error *err)
{
    const char *const names[] = {fields->train, fields->weight};
    const char *role = dialogue->turns[dialogue->count - 1].role;
    for (int i = 0; i < 2; i++) {
        bool given, trained;
        if (!read_flag(&given, &trained, data_field(message, names[i]), names[i], i == 1, place, err))
            return false;
        if (given && trained && strcmp(role, "assistant") != 0)
            return error_set(err,
                             "%s: %s[%d].%s: only an assistant's turn can be trained, found role '%.40s'; leave it out",
                             place->where, place->list, place->index, names[i], role);
        if (given && !trained)
            dialogue->excluded[dialogue->count - 1] = true;
    }
    return true;
}

/* JSON text of a list, or a string that holds one; *text is NULL where it is missing or empty. False: it is neither. */
static bool read_list(const char **text, const cJSON *json)
{
    const char *list = cJSON_GetStringValue(json);
    bool is_empty = !list || strspn(list, " []\t\r\n") == strlen(list) || strcmp(list, "null") == 0;
    *text = is_empty ? NULL : list;
    return list || !json || cJSON_IsNull(json) || (cJSON_IsArray(json) && !json->child);
}

static bool read_tools(struct dialogue *dialogue, const cJSON *sample, const char *where, struct error *err)
{
    const cJSON *tools = data_field(sample, "tools");
    return read_list(&dialogue->tools, tools) ||
           error_set(err, "%s: tools: expected a list, found %s", where, json_type_name(tools));
}

static bool read_calls(struct chat_message *turn, const cJSON *message, const struct place *place, struct error *err)
{
    const cJSON *calls = data_field(message, "tool_calls");
    if (!read_list(&turn->tool_calls, calls))
        return error_set(err, "%s: %s[%d].tool_calls: expected a list, found %s", place->where, place->list,
                         place->index, json_type_name(calls));
    turn->tool_calls_length = turn->tool_calls ? strlen(turn->tool_calls) : 0;
    turn->tool_call_id = cJSON_GetStringValue(data_field(message, "tool_call_id"));
    return true;
}

static bool is_empty(const cJSON *json)
{
    return cJSON_IsNull(json) || (cJSON_IsArray(json) && !json->child) ||
           (cJSON_IsString(json) && !json->valuestring[0]);
}

static bool check_nothing_lost(const cJSON *message, const struct place *place, struct error *err)
{
    const cJSON *member;
    cJSON_ArrayForEach(member, message)
    {
        if (chat_member_is_lost(member->string) && !is_empty(member))
            return error_set(err,
                             "%s: %s[%d].%s: no chat format here has a place for it; take it out, or put it into the "
                             "content",
                             place->where, place->list, place->index, member->string);
    }
    return true;
}

/* Under any of the names that Transformers takes for it. */
static const char *read_thoughts(const cJSON *message, const struct data_fields *fields)
{
    const char *const names[] = {fields->reasoning_content, "reasoning", "thinking"}, *thoughts = NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names && !thoughts; i++)
        thoughts = cJSON_GetStringValue(data_field(message, names[i]));
    return thoughts;
}

/* One message, with the fields role and content, or ShareGPT's from and value. */
static bool add_message(struct dialogue *dialogue, const struct data_fields *fields, const cJSON *message,
                        const struct place *place, struct error *err)
{
    bool sharegpt = data_field(message, fields->from) != NULL;
    const char *role_field = sharegpt ? fields->from : fields->role;
    const char *content_field = sharegpt ? fields->value : fields->content;
    const cJSON *role = data_field(message, role_field), *content = data_field(message, content_field);
    struct chat_message turn = {.content = ""};
    if (!cJSON_IsString(role))
        return error_set(err, "%s: %s[%d].%s: expected a string, found %s", place->where, place->list, place->index,
                         role_field, json_type_name(role));
    if (!read_calls(&turn, message, place, err) || !check_nothing_lost(message, place, err))
        return false;
    const char *text = cJSON_IsArray(content) ? join_parts(dialogue, content) : cJSON_GetStringValue(content);
    if (!text && turn.tool_calls && (!content || cJSON_IsNull(content)))
        text = "";
    if (!text)
        return error_set(err, "%s: %s[%d].%s: expected a string, found %s", place->where, place->list, place->index,
                         content_field, json_type_name(content));
    turn.thoughts = read_thoughts(message, fields);
    turn.thoughts_length = turn.thoughts ? strlen(turn.thoughts) : 0;
    turn.role = sharegpt ? chat_known_role(role->valuestring) : role->valuestring;
    turn.content = text;
    turn.length = strlen(text);
    dialogue_add_turn(dialogue, &turn);
    return read_training(dialogue, fields, message, place, err);
}

static bool add_messages(struct dialogue *dialogue, const struct data_fields *fields, const cJSON *messages,
                         const char *list, const char *where, struct error *err)
{
    if (!cJSON_IsArray(messages) || cJSON_GetArraySize(messages) == 0)
        return error_set(err, "%s: %s: expected an array of messages, found %s", where, list,
                         cJSON_IsArray(messages) ? "an empty one" : json_type_name(messages));
    struct place place = {.where = where, .list = list};
    const cJSON *message;
    cJSON_ArrayForEach(message, messages)
    {
        if (!add_message(dialogue, fields, message, &place, err))
            return false;
        place.index++;
    }
    return true;
}

/* An optional field may be null or missing. */
static bool optional_text(const char **text, const cJSON *sample, const char *field, const char *where,
                          struct error *err)
{
    const cJSON *json = data_field(sample, field);
    *text = NULL;
    if (json && !cJSON_IsNull(json))
        *text = data_text(sample, field, where, err);
    return *text || !json || cJSON_IsNull(json);
}

static bool add_history(struct dialogue *dialogue, const struct data_fields *fields, const cJSON *sample,
                        const char *where, struct error *err)
{
    const cJSON *history = data_field(sample, fields->history), *pair;
    int index = 0;
    if (history && !cJSON_IsNull(history) && !cJSON_IsArray(history))
        return error_set(err, "%s: %s: expected an array of pairs [question, answer], found %s", where, fields->history,
                         json_type_name(history));
    cJSON_ArrayForEach(pair, history)
    {
        const char *question = cJSON_GetStringValue(cJSON_GetArrayItem(pair, 0));
        const char *answer = cJSON_GetStringValue(cJSON_GetArrayItem(pair, 1));
        if (!cJSON_IsArray(pair) || cJSON_GetArraySize(pair) != 2 || !question || !answer)
            return error_set(err, "%s: %s[%d]: expected a pair of strings [question, answer]", where, fields->history,
                             index);
        dialogue_add(dialogue, "user", question);
        dialogue_add(dialogue, "assistant", answer);
        index++;
    }
    return true;
}

static bool add_system(struct dialogue *dialogue, const struct data_fields *fields, const cJSON *sample,
                       const char *where, struct error *err)
{
    const char *system;
    if (!optional_text(&system, sample, fields->system, where, err))
        return false;
    if (system && system[0])
        dialogue_add(dialogue, "system", system);
    return true;
}

static bool add_instruction(struct dialogue *dialogue, const struct data_fields *fields, const cJSON *sample,
                            const char *where, struct error *err)
{
    const char *input;
    const char *instruction = data_text(sample, fields->instruction, where, err);
    const char *output = instruction ? data_text(sample, fields->output, where, err) : NULL;
    if (!output || !optional_text(&input, sample, fields->input, where, err) ||
        !add_system(dialogue, fields, sample, where, err) || !add_history(dialogue, fields, sample, where, err))
        return false;
    if (input && input[0])
        instruction = dialogue_own(dialogue, format_text("%s%s%s", instruction, instruction[0] ? "\n" : "", input));
    dialogue_add(dialogue, "user", instruction);
    dialogue_add(dialogue, "assistant", output);
    return true;
}

static bool add_prompt(struct dialogue *dialogue, const struct data_fields *fields, const cJSON *sample,
                       const char *where, struct error *err)
{
    if (!add_messages(dialogue, fields, data_field(sample, fields->prompt), fields->prompt, where, err))
        return false;
    for (int i = 0; i < dialogue->count; i++)
        dialogue->excluded[i] = true;
    return add_messages(dialogue, fields, data_field(sample, fields->completion), fields->completion, where, err);
}

bool data_dialogue(struct dialogue *dialogue, enum data_format format, const struct data_fields *fields,
                   const cJSON *sample, const char *where, struct error *err)
{
    *dialogue = (struct dialogue){0};
    if (format == DATA_INSTRUCTION)
        return add_instruction(dialogue, fields, sample, where, err);
    if (!read_tools(dialogue, sample, where, err))
        return false;
    if (format == DATA_PROMPT_MESSAGES)
        return add_prompt(dialogue, fields, sample, where, err);
    bool plain = format == DATA_MESSAGES;
    CHECK(plain || format == DATA_CONVERSATIONS);
    const char *list = plain ? fields->messages : fields->conversations;
    return (plain || add_system(dialogue, fields, sample, where, err)) &&
           add_messages(dialogue, fields, data_field(sample, list), list, where, err);
}
