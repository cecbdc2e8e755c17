/* Loading a tokenizer: the sections of tokenizer.json in the order in which they need each other. */
#define _GNU_SOURCE /* memmem */
#include "tokenizer_internal.h"
#include "tokenizer_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool tokenizer_gather(cJSON *object, const char *key, struct json_cursor *cursor, struct error *err)
{
    json_cursor_peek(cursor);
    size_t begin = cursor->position;
    if (!json_cursor_skip(cursor, err)) {
        return false;
    }
    const char *text = cursor->text + begin;
    size_t length = cursor->position - begin, valid = utf8_valid_length(text, length);
    if (valid < length) {
        return error_set(err, "%s: byte 0x%02X at byte %zu of the JSON is not valid UTF-8", cursor->name,
                         (unsigned char)text[valid], begin + valid);
    }
    const char *nul = memmem(text, length, "\\u0000", 6);
    if (nul) {
        return error_set(err, "%s: \\u0000 at byte %zu of the JSON is not supported outside model.vocab and merges",
                         cursor->name, begin + (size_t)(nul - text));
    }
    cJSON *value = cJSON_ParseWithLength(text, length);
    if (!value) {
        return error_set(err, "%s: the value of '%s' at byte %zu is not valid JSON", cursor->name, key, begin);
    }
    cJSON_AddItemToObject(object, key, value);
    return true;
}

/* What the library would not load is refused, and so is a section that stands twice. */
static bool check_section(const cJSON *sections, const char *key, const char *file, struct error *err)
{
    static const char *const known[] = {"version",    "truncation",    "padding",        "added_tokens",
                                        "normalizer", "pre_tokenizer", "post_processor", "decoder"};
    size_t i = 0;
    while (i < sizeof known / sizeof *known && strcmp(known[i], key) != 0) {
        i++;
    }
    if (i == sizeof known / sizeof *known) {
        return error_set(err,
                         "%s: field '%s' is not supported (known here: version truncation padding added_tokens "
                         "normalizer pre_tokenizer post_processor decoder model)",
                         file, key);
    }
    return !cJSON_GetObjectItemCaseSensitive(sections, key) || error_set(err, "%s: '%s' stands twice", file, key);
}

/* The fields that change nothing: truncation and padding are what a caller asks for, in Transformers at each call anew. */
static bool check_unused(const cJSON *sections, const char *file, struct error *err)
{
    static const char *const names[] = {"truncation", "padding"};
    for (int i = 0; i < 2; i++) {
        const cJSON *field = cJSON_GetObjectItemCaseSensitive(sections, names[i]);
        if (field && !cJSON_IsNull(field) && !cJSON_IsObject(field)) {
            return error_set(err, "%s: %s: expected an object or null", file, names[i]);
        }
    }
    return true;
}

static bool check_version(const cJSON *sections, const char *file, struct error *err)
{
    const cJSON *version = cJSON_GetObjectItemCaseSensitive(sections, "version");
    const char *text = cJSON_GetStringValue(version);
    return !version || (text && strcmp(text, "1.0") == 0) || error_set(err, "%s: version: expected \"1.0\"", file);
}

/* The top level: the model is read as it comes, the rest gathered into a tree. */
static bool read_sections(struct tokenizer *t, struct json_cursor *cursor, cJSON *sections, bool *has_model,
                          struct error *err)
{
    struct text_buffer key = {0};
    bool more, first = true, ok = json_cursor_take(cursor, '{', err);
    for (; ok && (ok = json_cursor_member(cursor, first, &key, &more, err)) && more; first = false) {
        if (strcmp(key.data, "model") == 0) {
            ok = *has_model ? error_set(err, "%s: 'model' stands twice", cursor->name)
                            : tokenizer_load_model(t, cursor, err);
            *has_model = true;
            continue;
        }
        ok = check_section(sections, key.data, cursor->name, err) && tokenizer_gather(sections, key.data, cursor, err);
    }
    text_buffer_free(&key);
    return ok && json_cursor_end(cursor, err) && check_unused(sections, cursor->name, err) &&
           check_version(sections, cursor->name, err);
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

/* All but the model, in the order in which they need each other. */
static bool build(struct tokenizer *t, const cJSON *sections, struct error *err)
{
    if (!normalizer_load(&t->normalizer, section_of(sections, "normalizer"), err) ||
        !pre_tokenizer_load(&t->pre_tokenizer, section_of(sections, "pre_tokenizer"), err) ||
        !decoder_load(&t->decoder, section_of(sections, "decoder"), err) || !tokenizer_settle_added(t, err) ||
        !post_processor_load(t, section_of(sections, "post_processor"), err)) {
        return false;
    }
    settle_vocabulary(t);
    return bpe_prepare(&t->bpe, err);
}

static bool build_with(struct tokenizer *t, cJSON *sections, const char *path, const struct tokenizer_config *config,
                       struct error *err)
{
    struct error cause;
    tokenizer_config_apply_class(config, t, sections);
    if (!tokenizer_load_added(t, section_of(sections, "added_tokens"), &cause)) {
        return error_set(err, "%s: %s", path, cause.text);
    }
    return tokenizer_complete_added(t, config, err) &&
           (build(t, sections, &cause) || error_set(err, "%s: %s", path, cause.text));
}

static bool load_tokenizer_json(struct tokenizer *t, const char *path, const struct tokenizer_config *config,
                                struct error *err)
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
    ok = ok && build_with(t, sections, path, config, err);
    cJSON_Delete(sections);
    return ok;
}

struct tokenizer *tokenizer_load(const char *model_dir, struct error *err)
{
    struct tokenizer *t = allocate(sizeof *t, "the tokenizer");
    struct tokenizer_config config = {0};
    char *json = format_text("%s/tokenizer.json", model_dir);
    t->bos = t->eos = -1;
    bool ok = tokenizer_config_read(&config, model_dir, err) && load_tokenizer_json(t, json, &config, err) &&
              tokenizer_config_check_added(&config, t, model_dir, err) && tokenizer_config_find_tokens(&config, t, err);
    tokenizer_config_free(&config);
    free(json);
    if (!ok) {
        tokenizer_free(t);
        return NULL;
    }
    return t;
}
