/* Loading a tokenizer: the sections of tokenizer.json in the order in which they need each other. */
#include "tokenizer_internal.h"
#include "tokenizer_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- added tokens ---- */

static bool read_added_token(const cJSON *object, const char *path, struct added_token *token, struct error *err)
{
    size_t id;
    *token = (struct added_token){0};
    if (!cJSON_IsObject(object)) {
        return error_set(err, "%s: expected an object", path);
    }
    token->content = (char *)field_string(object, path, "content", err);
    if (!token->content || !field_count(object, path, "id", &id, err) ||
        !fields_check_known(object, path, "id content single_word lstrip rstrip normalized special", err) ||
        !field_bool(object, path, "special", false, &token->special, err) ||
        !field_bool(object, path, "lstrip", false, &token->lstrip, err) ||
        !field_bool(object, path, "rstrip", false, &token->rstrip, err) ||
        !field_bool(object, path, "single_word", false, &token->single_word, err) ||
        !field_bool(object, path, "normalized", !token->special, &token->normalized, err)) {
        return false;
    }
    token->length = strlen(token->content);
    token->id = id <= LARGEST_TOKEN_ID ? (int32_t)id : -1;
    return (token->id >= 0 && token->length > 0) ||
           error_set(err, "%s: expected a content and an id of at most %d", path, LARGEST_TOKEN_ID);
}

static bool add_to_vocabulary(struct tokenizer *t, struct added_token *token, const char *path, struct error *err)
{
    struct error cause;
    int32_t known = vocabulary_find(&t->vocabulary, token->content, token->length);
    token->in_model = known >= 0;
    if (known == token->id) {
        return true;
    }
    if (known >= 0) {
        return error_set(err, "%s: '%s' has id %d here but %d in the vocabulary", path, token->content, token->id,
                         known);
    }
    return vocabulary_add(&t->vocabulary, token->id, token->content, token->length, &cause) ||
           error_set(err, "%s: %s", path, cause.text);
}

static bool insert_pattern(struct tokenizer *t, int32_t index, const char *path, struct error *err)
{
    struct added_token *token = &t->added.token[index];
    struct text_view pattern = {.text = token->content, .length = token->length};
    if (token->normalized && !normalizer_apply(&t->normalizer, pattern, &pattern, err)) {
        return false;
    }
    struct added_matcher *matcher = token->normalized ? &t->added.normalized : &t->added.raw;
    int32_t same = added_matcher_insert(matcher, pattern.text, pattern.length, index);
    if (same >= 0) {
        return error_set(err, "%s: '%s' stands for the same text as '%s'", path, token->content,
                         t->added.token[same].content);
    }
    if (pattern.length != token->length || memcmp(pattern.text, token->content, token->length) != 0) {
        token->decoded = allocate(pattern.length + 1, "an added token");
        token->decoded_length = pattern.length;
        memcpy(token->decoded, pattern.text, pattern.length);
        t->has_renamed = true;
    }
    return true;
}

bool tokenizer_load_added(struct tokenizer *t, const cJSON *section, struct error *err)
{
    if (section && !cJSON_IsNull(section) && !cJSON_IsArray(section)) {
        return error_set(err, "added_tokens: expected a list");
    }
    int index = 0;
    for (const cJSON *object = section ? section->child : NULL; object; object = object->next, index++) {
        char path[64];
        struct added_token token;
        snprintf(path, sizeof path, "added_tokens[%d]", index);
        if (!read_added_token(object, path, &token, err) || !add_to_vocabulary(t, &token, path, err)) {
            return false;
        }
        if (utf8_valid_length(token.content, token.length) < token.length) {
            return error_set(err, "%s.content is not valid UTF-8", path);
        }
        added_tokens_push(&t->added, &token);
        if (!insert_pattern(t, t->added.count - 1, path, err)) {
            return false;
        }
    }
    return true;
}

/* ---- tokenizer.json ---- */

/* The top level: the model is read as it comes, the rest gathered into a tree. */
static bool read_sections(struct tokenizer *t, struct json_cursor *cursor, cJSON *sections, bool *has_model,
                          struct error *err)
{
    struct text_buffer key = {0};
    bool more, first = true, ok = json_cursor_take(cursor, '{', err);
    while (ok && (ok = json_cursor_more(cursor, '}', first, &more, err)) && more) {
        key.length = 0;
        first = false;
        ok = json_cursor_string(cursor, &key, err) && json_cursor_take(cursor, ':', err);
        if (!ok) {
            break;
        }
        text_buffer_append(&key, "", 1);
        json_cursor_peek(cursor);
        size_t begin = cursor->position;
        if (strcmp(key.data, "model") == 0) {
            ok = *has_model ? error_set(err, "%s: 'model' stands twice", cursor->name)
                            : tokenizer_load_model(t, cursor, err);
            *has_model = true;
            continue;
        }
        ok = json_cursor_skip(cursor, err);
        cJSON *value = ok ? cJSON_ParseWithLength(cursor->text + begin, cursor->position - begin) : NULL;
        if (ok && !value) {
            ok = error_set(err, "%s: the value of '%s' at byte %zu is not valid JSON", cursor->name, key.data, begin);
        }
        if (value) {
            cJSON_AddItemToObject(sections, key.data, value);
        }
    }
    text_buffer_free(&key);
    return ok && json_cursor_end(cursor, err);
}

static const cJSON *section_of(const cJSON *sections, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(sections, name);
}

/* What depends on the whole vocabulary, once the last token is added. */
static void settle_vocabulary(struct tokenizer *t)
{
    size_t size = (size_t)t->vocabulary.size;
    t->special = allocate(size + 1, "the tokenizer");
    t->in_model = allocate(size + 1, "the tokenizer");
    memset(t->in_model, true, size);
    for (int32_t i = 0; i < t->added.count; i++) {
        const struct added_token *token = &t->added.token[i];
        t->special[token->id] = token->special;
        t->in_model[token->id] = token->in_model;
    }
    t->bpe.vocabulary = &t->vocabulary;
    t->bpe.in_model = t->in_model;
    t->bpe.byte_level = t->pre_tokenizer.byte_level;
}

static bool build(struct tokenizer *t, const cJSON *sections, const cJSON *config, struct error *err)
{
    if (!normalizer_load(&t->normalizer, section_of(sections, "normalizer"), err) ||
        !pre_tokenizer_load(&t->pre_tokenizer, section_of(sections, "pre_tokenizer"), err)) {
        return false;
    }
    tokenizer_config_apply_class(t, config);
    if (!decoder_load(&t->decoder, section_of(sections, "decoder"), err) ||
        !tokenizer_load_added(t, section_of(sections, "added_tokens"), err) ||
        !post_processor_load(t, section_of(sections, "post_processor"), err)) {
        return false;
    }
    settle_vocabulary(t);
    return bpe_prepare(&t->bpe, err);
}

static bool load_tokenizer_json(struct tokenizer *t, const char *path, const cJSON *config, struct error *err)
{
    struct text_buffer file = {0};
    bool missing, has_model = false;
    cJSON *sections = cJSON_CreateObject();
    CHECK(sections);
    bool ok = tokenizer_read_file(path, &file, &missing, err);
    if (!ok && missing) {
        error_set(err, "%s: not found; a model directory needs the tokenizer.json that Transformers saves", path);
    }
    struct json_cursor cursor = json_cursor_begin(path, file.data, file.length);
    ok = ok && read_sections(t, &cursor, sections, &has_model, err);
    text_buffer_free(&file);
    if (ok && !has_model) {
        ok = error_set(err, "%s: 'model' is missing", path);
    }
    struct error cause;
    if (ok && !build(t, sections, config, &cause)) {
        ok = error_set(err, "%s: %s", path, cause.text);
    }
    cJSON_Delete(sections);
    return ok;
}

struct tokenizer *tokenizer_load(const char *model_dir, struct error *err)
{
    struct tokenizer *t = allocate(sizeof *t, "the tokenizer");
    t->bos = t->eos = -1;
    char *json = format_text("%s/tokenizer.json", model_dir);
    char *config_path = format_text("%s/tokenizer_config.json", model_dir);
    cJSON *config = NULL;
    bool ok = tokenizer_config_read(config_path, &config, err) && load_tokenizer_json(t, json, config, err) &&
              tokenizer_config_find_tokens(t, config, config_path, err);
    cJSON_Delete(config);
    free(json);
    free(config_path);
    if (!ok) {
        tokenizer_free(t);
        return NULL;
    }
    return t;
}
