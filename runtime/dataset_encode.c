#include "dataset_encode.h"

#include "tokenizer.h"

#include <stdlib.h>
#include <string.h>

void encoded_free(struct encoded *encoded)
{
    free(encoded->ids);
    free(encoded->labels);
    chat_messages_free(&encoded->dialogue);
    text_buffer_free(&encoded->text);
    *encoded = (struct encoded){0};
}

void encoded_push(struct encoded *encoded, int32_t id, int32_t label)
{
    if (encoded->count == encoded->capacity) {
        encoded->capacity = 2 * encoded->capacity + 256;
        size_t size = (size_t)encoded->capacity * sizeof *encoded->ids;
        encoded->ids = reallocate(encoded->ids, size, "a sample's tokens");
        encoded->labels = reallocate(encoded->labels, size, "a sample's tokens");
    }
    encoded->ids[encoded->count] = id;
    encoded->labels[encoded->count++] = label;
}

bool encode_at(const char *where, struct error *err)
{
    char *text = format_text("%s: %s", where, err->text);
    error_set(err, "%s", text);
    free(text);
    return false;
}

/* The encoding of encoded->text and EOS; trained is what ends behind byte `prompt_length`, or everything. */
static bool encode_text(struct encoded *encoded, const struct dataset_request *request, size_t prompt_length,
                        bool train_all, const char *where, struct error *err)
{
    struct tokenizer *tokenizer = request->tokenizer;
    const struct text_buffer *text = &encoded->text;
    int32_t eos = tokenizer_eos(tokenizer);
    struct ids ids = {0};
    if (eos < 0)
        return error_set(err, "%s: tokenizer_config.json names no eos_token, with which text ends", where);
    if (!tokenizer_encode(tokenizer, text->data ? text->data : "", text->length, true, &ids, err)) {
        ids_free(&ids);
        return encode_at(where, err);
    }
    for (size_t i = 0; i < ids.count; i++) {
        size_t end = i + 1 < ids.count ? ids.start[i + 1] : text->length;
        encoded_push(encoded, ids.id[i], train_all || end > prompt_length ? ids.id[i] : IGNORED_LABEL);
    }
    if (ids.count == 0 || ids.id[ids.count - 1] != eos)
        encoded_push(encoded, eos, eos);
    ids_free(&ids);
    return true;
}

static bool encode_prompt(struct encoded *encoded, const struct dataset_request *request,
                          const struct json_object *sample, const char *where, struct error *err)
{
    if (!data_text(sample, request->fields.prompt, where, &encoded->text, err))
        return false;
    size_t prompt_length = encoded->text.length;
    return data_text(sample, request->fields.completion, where, &encoded->text, err) &&
           encode_text(encoded, request, prompt_length, !request->assistant_only_loss, where, err);
}

/* Instruction data without a chat format: every turn but the last in headings, the last as completion. */
static bool encode_plain(struct encoded *encoded, const struct dataset_request *request, const char *where,
                         struct error *err)
{
    const struct chat_messages *dialogue = &encoded->dialogue;
    struct text_buffer *text = &encoded->text;
    size_t prompt_length = 0;
    for (size_t i = 0; i < dialogue->count; i++) {
        const struct chat_message *turn = &dialogue->item[i];
        bool user = strcmp(turn->role, "user") == 0, last = i + 1 == dialogue->count;
        prompt_length = text->length;
        text_buffer_append_string(text, user ? "### Instruction:\n" : "");
        text_buffer_append(text, turn->content, turn->length);
        text_buffer_append_string(text, user ? "\n\n### Response:\n" : last ? "" : "\n\n");
    }
    return encode_text(encoded, request, prompt_length, !request->assistant_only_loss, where, err);
}

/* A token id as JSON: a whole number below the vocabulary's size; a label may be -100. */
static bool read_id(int32_t *id, struct json_cursor *cursor, bool label, int index,
                    const struct dataset_request *request, struct error *err)
{
    struct error ignored;
    json_cursor_peek(cursor);
    size_t begin = cursor->position;
    int64_t value = -1;
    bool ok = json_cursor_integer(cursor, &value, &ignored);
    *id = (int32_t)value;
    if (ok && ((value >= 0 && value < request->vocab_size) || (label && value == IGNORED_LABEL)))
        return true;
    cursor->position = begin;
    if (!json_cursor_skip(cursor, err))
        return false;
    int length = cursor->position - begin < 40 ? (int)(cursor->position - begin) : 40;
    return error_set(err, "%s: %s[%d]: expected a token id from 0 to %d%s, found %.*s", cursor->name,
                     label ? request->fields.labels : request->fields.input_ids, index, request->vocab_size - 1,
                     label ? " or -100" : "", length, cursor->text + begin);
}

/* The ids of an array, each its own label; or, `label`, the labels of the ids that are there. *count: how many the array has. */
static bool read_ids(struct encoded *encoded, const struct dataset_request *request, struct json_value array,
                     bool label, int *count, const char *where, struct error *err)
{
    struct json_cursor cursor = json_value_cursor(where, array);
    bool more = true, ok = json_cursor_take(&cursor, '[', err);
    for (*count = 0; ok;) {
        int32_t id = 0;
        ok = json_cursor_more(&cursor, ']', *count == 0, &more, err);
        if (!ok || !more)
            break;
        ok = read_id(&id, &cursor, label, *count, request, err);
        if (ok && !label)
            encoded_push(encoded, id, id);
        else if (ok && *count < encoded->count)
            encoded->labels[*count] = id;
        ++*count;
    }
    return ok;
}

static bool encode_tokens(struct encoded *encoded, const struct dataset_request *request,
                          const struct json_object *sample, const char *where, struct error *err)
{
    const struct data_fields *fields = &request->fields;
    struct json_value ids = json_object_find(sample, fields->input_ids);
    struct json_value labels = json_object_find(sample, fields->labels);
    int count, label_count;
    if (!json_value_is_array(ids) || (labels.text && !json_value_is_array(labels)))
        return error_set(err, "%s: %s and %s: expected arrays of token ids", where, fields->input_ids, fields->labels);
    if (!read_ids(encoded, request, ids, false, &count, where, err))
        return false;
    if (!labels.text)
        return true;
    if (!read_ids(encoded, request, labels, true, &label_count, where, err))
        return false;
    return count == label_count || error_set(err, "%s: %s has %d elements and %s %d: they must be as many", where,
                                             fields->input_ids, count, fields->labels, label_count);
}

static bool needs_tokenizer(const struct dataset_request *request, const char *where, struct error *err)
{
    return request->tokenizer ||
           error_set(err,
                     "%s: text needs the model's tokenizer.json, which its directory does not have; expected "
                     "samples of input_ids",
                     where);
}

/* Ids that the tokenizer knows and the model does not. */
static bool check_vocabulary(const struct encoded *encoded, const struct dataset_request *request, const char *where,
                             struct error *err)
{
    for (int i = 0; i < encoded->count; i++) {
        if (encoded->ids[i] >= request->vocab_size)
            return error_set(err,
                             "%s: the tokenizer gives token %d, the model's vocabulary ends at %d: is the "
                             "tokenizer this model's?",
                             where, (int)encoded->ids[i], request->vocab_size - 1);
    }
    return true;
}

static bool encode_dialogue(struct encoded *encoded, const struct dataset_request *request, enum data_format format,
                            const struct json_object *sample, const char *where, struct error *err)
{
    if (!data_dialogue(&encoded->dialogue, format, &request->fields, sample, where, err))
        return false;
    if (request->chat && request->chat->name)
        return encode_chat(encoded, request, &encoded->dialogue, where, err);
    if (format == DATA_INSTRUCTION)
        return encode_plain(encoded, request, where, err);
    return error_set(err, "%s: %s need a chat format, and the recipe has none: give it one (chat = ...)", where,
                     data_format_name(format));
}

bool sample_encode(struct encoded *encoded, const struct dataset_request *request, enum data_format format,
                   const struct json_object *sample, const char *where, struct error *err)
{
    encoded->count = 0;
    encoded->text.length = 0;
    if (format == DATA_TOKENS)
        return encode_tokens(encoded, request, sample, where, err);
    if (!needs_tokenizer(request, where, err))
        return false;
    bool ok;
    switch (format) {
    case DATA_TEXT:
        ok = data_text(sample, request->fields.text, where, &encoded->text, err) &&
             encode_text(encoded, request, 0, true, where, err);
        break;
    case DATA_PROMPT:
        ok = encode_prompt(encoded, request, sample, where, err);
        break;
    default:
        ok = encode_dialogue(encoded, request, format, sample, where, err);
        break;
    }
    return ok && check_vocabulary(encoded, request, where, err);
}
