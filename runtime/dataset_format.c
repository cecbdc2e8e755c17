#include "dataset_format.h"

#include <stdio.h>
#include <string.h>

static const char *const NAMES[] = {
    [DATA_INSTRUCTION] = "instruction",
    [DATA_MESSAGES] = "messages",
    [DATA_CONVERSATIONS] = "conversations",
    [DATA_PROMPT] = "prompt and completion",
    [DATA_PROMPT_MESSAGES] = "prompt and completion messages",
    [DATA_TEXT] = "text",
    [DATA_TOKENS] = "input_ids",
};

const char *data_format_name(enum data_format format)
{
    return NAMES[format];
}

const cJSON *data_field(const cJSON *sample, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(sample, name);
}

static bool unknown_format(const struct data_fields *fields, const cJSON *sample, const char *where, struct error *err)
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
    return error_set(
        err, "%s: unknown data format: the sample has %s; expected %s + %s, %s, %s, %s + %s, %s, or %s + %s", where,
        keys[0] ? keys : "no fields", fields->instruction, fields->output, fields->messages, fields->conversations,
        fields->prompt, fields->completion, fields->text, fields->input_ids, fields->labels);
}

bool data_format_recognise(enum data_format *format, const struct data_fields *fields, const cJSON *sample,
                           const char *where, struct error *err)
{
    const cJSON *prompt = data_field(sample, fields->prompt);
    if (data_field(sample, fields->instruction) && data_field(sample, fields->output))
        *format = DATA_INSTRUCTION;
    else if (data_field(sample, fields->messages))
        *format = DATA_MESSAGES;
    else if (data_field(sample, fields->conversations))
        *format = DATA_CONVERSATIONS;
    else if (prompt && data_field(sample, fields->completion))
        *format = cJSON_IsArray(prompt) ? DATA_PROMPT_MESSAGES : DATA_PROMPT;
    else if (data_field(sample, fields->text))
        *format = DATA_TEXT;
    else if (data_field(sample, fields->input_ids))
        *format = DATA_TOKENS;
    else
        return unknown_format(fields, sample, where, err);
    return true;
}

const char *json_type_name(const cJSON *json)
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
    const cJSON *json = data_field(sample, field);
    if (!cJSON_IsString(json)) {
        error_set(err, "%s: %s: expected a string, found %s", where, field, json_type_name(json));
        return NULL;
    }
    return json->valuestring;
}
