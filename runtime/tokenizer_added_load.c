/* Added tokens as tokenizer.json lists them, and as Transformers then changes and completes them. */
#include "tokenizer_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Content and flags, from either file. */
static bool read_token(const cJSON *object, const char *path, struct added_token *token, struct error *err)
{
    *token = (struct added_token){0};
    if (!cJSON_IsObject(object)) {
        error_set(err, "%s: expected an object", path);
        return false;
    }
    token->content = (char *)field_string(object, path, "content", err);
    if (!token->content ||
        !fields_check_known(object, path, "id content single_word lstrip rstrip normalized special __type", err) ||
        !field_bool(object, path, "special", false, &token->special, err) ||
        !field_bool(object, path, "lstrip", false, &token->lstrip, err) ||
        !field_bool(object, path, "rstrip", false, &token->rstrip, err) ||
        !field_bool(object, path, "single_word", false, &token->single_word, err) ||
        !field_bool(object, path, "normalized", !token->special, &token->normalized, err)) {
        return false;
    }
    token->length = strlen(token->content);
    if (token->length == 0) {
        return error_set(err, "%s.content: expected some text", path);
    }
    return utf8_valid_length(token->content, token->length) == token->length ||
           error_set(err, "%s.content is not valid UTF-8", path);
}

static struct added_token *find_added(const struct tokenizer *t, const char *content)
{
    return added_tokens_find(&t->added, tokenizer_id(t, content)); /* every added token is in the vocabulary */
}

/* Adds the token under its id, or under the one that the vocabulary has for its content. */
static bool add_token(struct tokenizer *t, struct added_token *token, int64_t id, const char *path, struct error *err)
{
    struct error cause;
    int32_t known = vocabulary_find(&t->vocabulary, token->content, token->length);
    token->in_model = known >= 0;
    if (known >= 0 && known != id) {
        return error_set(err, "%s: '%s' has id %lld here but %d in the vocabulary", path, token->content, (long long)id,
                         known);
    }
    if (known < 0 && !vocabulary_add(&t->vocabulary, id, token->content, token->length, &cause)) {
        return error_set(err, "%s: %s", path, cause.text);
    }
    token->id = (int32_t)id;
    added_tokens_push(&t->added, token);
    return true;
}

/* The library numbers tokens that the model lacks by itself, in the file's order, and takes no notice of another id there: `next` is
 * the one it would give. Only where both agree is it certain what the file means. */
static bool add_listed(struct tokenizer *t, const cJSON *object, int index, int64_t *next, struct error *err)
{
    char path[64];
    size_t id;
    struct added_token token;
    snprintf(path, sizeof path, "added_tokens[%d]", index);
    if (!read_token(object, path, &token, err) || !field_count(object, path, "id", &id, err)) {
        return false;
    }
    if (find_added(t, token.content)) {
        return error_set(err, "%s: '%s' stands twice", path, token.content);
    }
    if ((int64_t)id != *next && vocabulary_find(&t->vocabulary, token.content, token.length) < 0) {
        return error_set(err, "%s.id: '%s', which model.vocab does not have, takes the next free id, %lld; found %zu",
                         path, token.content, (long long)*next, id);
    }
    if (!add_token(t, &token, (int64_t)id, path, err)) {
        return false;
    }
    if (token.id >= *next) {
        *next = (int64_t)token.id + 1;
    }
    return true;
}

bool tokenizer_load_added(struct tokenizer *t, const cJSON *section, struct error *err)
{
    if (section && !cJSON_IsNull(section) && !cJSON_IsArray(section)) {
        return error_set(err, "added_tokens: expected a list");
    }
    int index = 0;
    int64_t next = t->vocabulary.count;
    for (const cJSON *object = section ? section->child : NULL; object; object = object->next, index++) {
        if (!add_listed(t, object, index, &next, err)) {
            return false;
        }
    }
    return true;
}

/* ---- tokenizer_config.json ---- */

/* What a field such as pad_token names: a text, or an object with a content. NULL for all other fields. */
static const char *named_by(const cJSON *field)
{
    size_t length = field->string ? strlen(field->string) : 0;
    if (length <= 6 || strcmp(field->string + length - 6, "_token") != 0) {
        return NULL;
    }
    return cJSON_GetStringValue(cJSON_IsObject(field) ? cJSON_GetObjectItemCaseSensitive(field, "content") : field);
}

/* What is special once stays so. */
static void set_flags(struct added_token *to, const struct added_token *from)
{
    to->special |= from->special;
    to->was_normalized |= to->normalized;
    to->lstrip = from->lstrip;
    to->rstrip = from->rstrip;
    to->single_word = from->single_word;
    to->normalized = from->normalized;
}

/* An added token that the file does not list: under the vocabulary's id, or the next free one. */
static bool complete(struct tokenizer *t, struct added_token *token, const char *path, struct error *err)
{
    int32_t known = vocabulary_find(&t->vocabulary, token->content, token->length);
    return add_token(t, token, known >= 0 ? known : t->vocabulary.size, path, err);
}

/* {"2": {"content": "</s>", "lstrip": false, ...}, ...}; the numbers do not count. */
static bool apply_decoder(struct tokenizer *t, const cJSON *json, struct error *err)
{
    const cJSON *decoder = cJSON_GetObjectItemCaseSensitive(json, "added_tokens_decoder");
    for (const cJSON *entry = decoder ? decoder->child : NULL; entry; entry = entry->next) {
        char path[96];
        struct added_token token;
        snprintf(path, sizeof path, "added_tokens_decoder.%.40s", entry->string ? entry->string : "");
        if (!read_token(entry, path, &token, err)) {
            return false;
        }
        struct added_token *there = find_added(t, token.content);
        if (there) {
            set_flags(there, &token);
        } else if (!complete(t, &token, path, err)) {
            return false;
        }
    }
    return true;
}

/* A special token, unless it has been added before. */
static bool add_special(struct tokenizer *t, const cJSON *value, const char *path, struct error *err)
{
    struct added_token token = {.content = value->valuestring, .special = true};
    if (cJSON_IsObject(value)) {
        if (!read_token(value, path, &token, err)) {
            return false;
        }
        token.special = true;
    }
    token.length = strlen(token.content);
    if (token.length == 0 || find_added(t, token.content)) {
        return true;
    }
    if (utf8_valid_length(token.content, token.length) < token.length) {
        return error_set(err, "%s is not valid UTF-8", path);
    }
    return complete(t, &token, path, err);
}

/* Does added_tokens_decoder list this token? Where there is none, the file's list stands for it. */
static bool is_listed(const cJSON *json, const char *content)
{
    const cJSON *decoder = cJSON_GetObjectItemCaseSensitive(json, "added_tokens_decoder");
    for (const cJSON *entry = decoder ? decoder->child : NULL; entry; entry = entry->next) {
        const char *listed = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(entry, "content"));
        if (listed && strcmp(listed, content) == 0) {
            return true;
        }
    }
    return !decoder;
}

/* Named tokens are special where they are listed, and are added where nobody knows them: but bos_token and eos_token, which are used,
 * tokenizer_config_find_tokens wants to exist. */
static bool apply_names(struct tokenizer *t, const cJSON *json, struct error *err)
{
    for (const cJSON *field = json->child; field; field = field->next) {
        const char *name = named_by(field);
        if (!name) {
            continue;
        }
        struct added_token *there = find_added(t, name);
        if (there && is_listed(json, name)) {
            there->special = true;
        }
        bool is_used = strcmp(field->string, "bos_token") == 0 || strcmp(field->string, "eos_token") == 0;
        if ((!is_used || tokenizer_id(t, name) >= 0) && !add_special(t, field, field->string, err)) {
            return false;
        }
    }
    return true;
}

static bool apply_extra(struct tokenizer *t, const cJSON *json, struct error *err)
{
    static const char *const names[] = {"extra_special_tokens", "additional_special_tokens"};
    const cJSON *list = NULL;
    const char *name = NULL;
    for (int i = 0; i < 2 && !(list && list->child); i++) {
        name = names[i];
        list = cJSON_GetObjectItemCaseSensitive(json, name);
    }
    for (const cJSON *value = list ? list->child : NULL; value; value = value->next) {
        if ((cJSON_IsString(value) || cJSON_IsObject(value)) && !add_special(t, value, name, err)) {
            return false;
        }
    }
    return true;
}

bool tokenizer_complete_added(struct tokenizer *t, const struct tokenizer_config *config, struct error *err)
{
    struct error cause;
    return (apply_decoder(t, config->json, &cause) && apply_names(t, config->json, &cause) &&
            apply_extra(t, config->json, &cause)) ||
           error_set(err, "%s: %s", config->path, cause.text);
}

/* ---- what they match ---- */

/* A token is decoded as what it was normalized to. */
static void rename_token(struct added_token *token, struct text_view normal)
{
    if (normal.length != token->length || memcmp(normal.text, token->content, token->length) != 0) {
        token->decoded = allocate(normal.length + 1, "an added token");
        token->decoded_length = normal.length;
        memcpy(token->decoded, normal.text, normal.length);
    }
}

static bool insert_pattern(struct tokenizer *t, int32_t index, struct error *err)
{
    struct added_token *token = &t->added.token[index];
    struct text_view content = {.text = token->content, .length = token->length}, normal = content;
    if ((token->normalized || token->was_normalized) && !normalizer_apply(&t->normalizer, content, &normal, err)) {
        return false;
    }
    rename_token(token, normal);
    struct text_view pattern = token->normalized ? normal : content;
    struct added_matcher *matcher = token->normalized ? &t->added.normalized : &t->added.raw;
    int32_t same = added_matcher_insert(matcher, pattern.text, pattern.length, index);
    return same < 0 || error_set(err, "added_tokens: '%s' and '%s' stand for the same text",
                                 t->added.token[same].content, token->content);
}

bool tokenizer_settle_added(struct tokenizer *t, struct error *err)
{
    for (int32_t i = 0; i < t->added.count; i++) {
        if (!insert_pattern(t, i, err)) {
            return false;
        }
    }
    return true;
}
