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

static bool has(const struct json_object *sample, const char *field)
{
    return json_object_find(sample, field).text;
}

static bool unknown_format(const struct data_fields *fields, const struct json_object *sample, const char *where,
                           struct error *err)
{
    char keys[200] = "";
    size_t length = 0;
    for (size_t i = 0; i < sample->count; i++) {
        int written =
            snprintf(keys + length, sizeof keys - length, "%s'%.40s'", length ? ", " : "", json_member_name(sample, i));
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

bool data_format_recognise(enum data_format *format, const struct data_fields *fields, const struct json_object *sample,
                           const char *where, struct error *err)
{
    if (has(sample, fields->instruction) && has(sample, fields->output))
        *format = DATA_INSTRUCTION;
    else if (has(sample, fields->messages))
        *format = DATA_MESSAGES;
    else if (has(sample, fields->conversations))
        *format = DATA_CONVERSATIONS;
    else if (has(sample, fields->prompt) && has(sample, fields->completion))
        *format = json_value_is_array(json_object_find(sample, fields->prompt)) ? DATA_PROMPT_MESSAGES : DATA_PROMPT;
    else if (has(sample, fields->text))
        *format = DATA_TEXT;
    else if (has(sample, fields->input_ids))
        *format = DATA_TOKENS;
    else
        return unknown_format(fields, sample, where, err);
    return true;
}

bool data_text(const struct json_object *sample, const char *field, const char *where, struct text_buffer *text,
               struct error *err)
{
    struct json_value value = json_object_find(sample, field);
    if (!json_value_is_string(value))
        return error_set(err, "%s: %s: expected a string, found %s", where, field, json_type_name(value));
    json_value_append_string(value, text);
    return true;
}
