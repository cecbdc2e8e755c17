#include "dataset_encode.h"

#include "tokenizer.h"

#include <stdlib.h>
#include <string.h>

void encoded_free(struct encoded *encoded)
{
    free(encoded->ids);
    free(encoded->labels);
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

/* The text's own encoding and EOS; trained is what ends behind byte `prompt_length`, or everything. */
static bool encode_text(struct encoded *encoded, const struct dataset_request *request, const char *text,
                        size_t prompt_length, bool train_all, const char *where, struct error *err)
{
    struct tokenizer *tokenizer = request->tokenizer;
    size_t length = strlen(text);
    int32_t eos = tokenizer_eos(tokenizer);
    struct ids ids = {0};
    if (eos < 0)
        return error_set(err, "%s: tokenizer_config.json names no eos_token, with which text ends", where);
    if (!tokenizer_encode(tokenizer, text, length, true, &ids, err)) {
        ids_free(&ids);
        return encode_at(where, err);
    }
    for (size_t i = 0; i < ids.count; i++) {
        size_t end = i + 1 < ids.count ? ids.start[i + 1] : length;
        encoded_push(encoded, ids.id[i], train_all || end > prompt_length ? ids.id[i] : IGNORED_LABEL);
    }
    if (ids.count == 0 || ids.id[ids.count - 1] != eos)
        encoded_push(encoded, eos, eos);
    ids_free(&ids);
    return true;
}

static bool encode_completion(struct encoded *encoded, const struct dataset_request *request, const char *prompt,
                              const char *completion, const char *where, struct error *err)
{
    char *text = format_text("%s%s", prompt, completion);
    bool ok = encode_text(encoded, request, text, strlen(prompt), !request->assistant_only_loss, where, err);
    free(text);
    return ok;
}

static bool encode_prompt(struct encoded *encoded, const struct dataset_request *request, const cJSON *sample,
                          const char *where, struct error *err)
{
    const char *prompt = data_text(sample, request->fields.prompt, where, err);
    const char *completion = prompt ? data_text(sample, request->fields.completion, where, err) : NULL;
    return completion && encode_completion(encoded, request, prompt, completion, where, err);
}

/* Instruction data without a chat format: every turn but the last in headings, the last as completion. */
static bool encode_plain(struct encoded *encoded, const struct dataset_request *request,
                         const struct dialogue *dialogue, const char *where, struct error *err)
{
    struct text_buffer prompt = {0};
    for (int i = 0; i < dialogue->count - 1; i++) {
        const struct chat_message *turn = &dialogue->turns[i];
        bool user = strcmp(turn->role, "user") == 0;
        text_buffer_append_string(&prompt, user ? "### Instruction:\n" : "");
        text_buffer_append_string(&prompt, turn->content);
        text_buffer_append_string(&prompt, user ? "\n\n### Response:\n" : "\n\n");
    }
    text_buffer_append(&prompt, "", 1);
    const char *answer = dialogue->turns[dialogue->count - 1].content;
    bool ok = encode_completion(encoded, request, prompt.data, answer, where, err);
    text_buffer_free(&prompt);
    return ok;
}

/* A token id as JSON: a whole number below the vocabulary's size; a label may be -100. */
static bool read_id(int32_t *id, const cJSON *json, bool label, int index, const struct dataset_request *request,
                    const char *where, struct error *err)
{
    double value = cJSON_IsNumber(json) ? json->valuedouble : -1;
    *id = IGNORED_LABEL;
    if (label && value == IGNORED_LABEL)
        return true;
    if (value >= 0 && value < request->vocab_size && value == (int32_t)value) {
        *id = (int32_t)value;
        return true;
    }
    char *found = cJSON_PrintUnformatted(json);
    error_set(err, "%s: %s[%d]: expected a token id from 0 to %d%s, found %.40s", where,
              label ? request->fields.labels : request->fields.input_ids, index, request->vocab_size - 1,
              label ? " or -100" : "", found ? found : "nothing");
    cJSON_free(found);
    return false;
}

static bool encode_tokens(struct encoded *encoded, const struct dataset_request *request, const cJSON *sample,
                          const char *where, struct error *err)
{
    const struct data_fields *fields = &request->fields;
    const cJSON *ids = data_field(sample, fields->input_ids), *labels = data_field(sample, fields->labels);
    if (!cJSON_IsArray(ids) || (labels && !cJSON_IsArray(labels)))
        return error_set(err, "%s: %s and %s: expected arrays of token ids", where, fields->input_ids, fields->labels);
    if (labels && cJSON_GetArraySize(ids) != cJSON_GetArraySize(labels))
        return error_set(err, "%s: %s has %d elements and %s %d: they must be as many", where, fields->input_ids,
                         cJSON_GetArraySize(ids), fields->labels, cJSON_GetArraySize(labels));
    const cJSON *label = labels ? labels->child : ids->child, *id;
    cJSON_ArrayForEach(id, ids)
    {
        int32_t input, target;
        int index = encoded->count;
        if (!read_id(&input, id, false, index, request, where, err) ||
            !read_id(&target, label, labels != NULL, index, request, where, err))
            return false;
        encoded_push(encoded, input, target);
        label = label->next;
    }
    return true;
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
                            const cJSON *sample, const char *where, struct error *err)
{
    struct dialogue dialogue;
    bool ok = data_dialogue(&dialogue, format, &request->fields, sample, where, err);
    if (ok && request->chat && request->chat->name)
        ok = encode_chat(encoded, request, &dialogue, where, err);
    else if (ok && format == DATA_INSTRUCTION)
        ok = encode_plain(encoded, request, &dialogue, where, err);
    else if (ok)
        ok = error_set(err, "%s: %s need a chat format, and the recipe has none: give it one (chat = ...)", where,
                       data_format_name(format));
    dialogue_free(&dialogue);
    return ok;
}

bool sample_encode(struct encoded *encoded, const struct dataset_request *request, enum data_format format,
                   const cJSON *sample, const char *where, struct error *err)
{
    encoded->count = 0;
    if (format == DATA_TOKENS)
        return encode_tokens(encoded, request, sample, where, err);
    if (!needs_tokenizer(request, where, err))
        return false;
    const char *text;
    bool ok;
    switch (format) {
    case DATA_TEXT:
        text = data_text(sample, request->fields.text, where, err);
        ok = text && encode_text(encoded, request, text, 0, true, where, err);
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
