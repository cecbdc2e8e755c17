/* What tokenizer_config.json adds to tokenizer.json: the names of BOS and EOS, and a class name that changes what Transformers
 * makes of the other file. */
#include "tokenizer_internal.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LARGEST_FILE = 256 << 20 }; /* bytes */

bool tokenizer_read_file(const char *path, struct text_buffer *out, bool *missing, struct error *err)
{
    FILE *file = fopen(path, "rb");
    *missing = !file && errno == ENOENT;
    if (!file) {
        return error_set(err, "%s: %s", path, strerror(errno));
    }
    size_t got = 1;
    while (got > 0 && out->length <= LARGEST_FILE) {
        text_buffer_reserve(out, 1 << 12); /* twice what is there, where that is more */
        got = fread(out->data + out->length, 1, out->capacity - out->length, file);
        out->length += got;
    }
    bool ok = !ferror(file) || error_set(err, "%s: %s", path, strerror(errno));
    fclose(file);
    return ok && (out->length <= LARGEST_FILE || error_set(err, "%s: larger than %d MiB", path, LARGEST_FILE >> 20));
}

/* A file's object, or NULL if there is no such file. */
static bool read_object(const char *path, cJSON **object, struct error *err)
{
    struct text_buffer file = {0};
    bool missing;
    *object = NULL;
    if (!tokenizer_read_file(path, &file, &missing, err)) {
        text_buffer_free(&file);
        return missing;
    }
    *object = cJSON_ParseWithLength(file.data, file.length);
    text_buffer_free(&file);
    if (!cJSON_IsObject(*object)) {
        cJSON_Delete(*object);
        *object = NULL;
        return error_set(err, "%s: not a JSON object", path);
    }
    return true;
}

static bool lay_over(cJSON *json, const char *path, struct error *err)
{
    cJSON *names;
    if (!read_object(path, &names, err)) {
        return false;
    }
    while (names && names->child) {
        cJSON *field = cJSON_DetachItemViaPointer(names, names->child);
        char *name = format_text("%s", field->string);
        cJSON_DeleteItemFromObjectCaseSensitive(json, name);
        cJSON_AddItemToObject(json, name, field);
        free(name);
    }
    cJSON_Delete(names);
    return true;
}

static const char *text_of(const cJSON *json, const char *name)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, name));
    return text ? text : "";
}

/* The class that counts: a model of type mistral gets its tokenizer.json as it is. Whatever else is wrong with config.json is told by
 * those who need it. */
static bool is_llama_class(const cJSON *json, const char *model_dir)
{
    cJSON *model = NULL;
    struct error ignored;
    char *path = format_text("%s/config.json", model_dir);
    const char *class = text_of(json, "tokenizer_class");
    read_object(path, &model, &ignored);
    bool is_mistral = strcmp(text_of(model, "model_type"), "mistral") == 0;
    cJSON_Delete(model);
    free(path);
    return !is_mistral && (strcmp(class, "LlamaTokenizer") == 0 || strcmp(class, "LlamaTokenizerFast") == 0);
}

/* The names that the class has for what the file leaves out, where there are such tokens. */
static void add_llama_names(const struct tokenizer *t, cJSON *json)
{
    static const char *const names[][2] = {{"bos_token", "<s>"}, {"eos_token", "</s>"}, {"unk_token", "<unk>"}};
    for (int i = 0; i < 3; i++) {
        if (!cJSON_GetObjectItemCaseSensitive(json, names[i][0]) && tokenizer_id(t, names[i][1]) >= 0) {
            CHECK(cJSON_AddStringToObject(json, names[i][0], names[i][1]));
        }
    }
}

bool tokenizer_config_read(struct tokenizer_config *config, const char *model_dir, struct error *err)
{
    config->path = format_text("%s/tokenizer_config.json", model_dir);
    if (!read_object(config->path, &config->json, err)) {
        return false;
    }
    config->json = config->json ? config->json : cJSON_CreateObject();
    CHECK(config->json);
    if (!cJSON_GetObjectItemCaseSensitive(config->json, "added_tokens_decoder")) {
        char *path = format_text("%s/special_tokens_map.json", model_dir);
        bool ok = lay_over(config->json, path, err);
        free(path);
        if (!ok) {
            return false;
        }
    }
    if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(config->json, "split_special_tokens"))) {
        return error_set(err,
                         "%s: split_special_tokens is true, which is not supported: a text that spells a special token "
                         "becomes that token here; set it to false",
                         config->path);
    }
    config->is_llama = is_llama_class(config->json, model_dir);
    return true;
}

void tokenizer_config_free(struct tokenizer_config *config)
{
    cJSON_Delete(config->json);
    free(config->path);
    *config = (struct tokenizer_config){0};
}

static bool is_byte_level(const cJSON *json)
{
    for (const cJSON *item = json ? json->child : NULL; item; item = item->next) {
        if (is_byte_level(item) || (cJSON_IsString(item) && strcmp(item->valuestring, "ByteLevel") == 0)) {
            return true;
        }
    }
    return false;
}

/* Puts the section that a text spells in place of the file's. */
static void put_section(cJSON *sections, const char *name, const char *text)
{
    cJSON *section = cJSON_Parse(text);
    CHECK(section);
    cJSON_DeleteItemFromObjectCaseSensitive(sections, name);
    cJSON_AddItemToObject(sections, name, section);
}

void tokenizer_config_apply_class(const struct tokenizer_config *config, struct tokenizer *t, cJSON *sections)
{
    if (!config->is_llama || is_byte_level(sections)) {
        return;
    }
    bool legacy = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(config->json, "legacy"));
    bool prefix = !cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(config->json, "add_prefix_space"));
    char *pre_tokenizer = format_text("{\"type\": \"Metaspace\", \"replacement\": \"\xE2\x96\x81\", "
                                      "\"prepend_scheme\": \"%s\", \"split\": false}",
                                      !prefix  ? "never"
                                      : legacy ? "always"
                                               : "first");
    char *decoder =
        format_text("{\"type\": \"Sequence\", \"decoders\": [{\"type\": \"Replace\", \"pattern\": {\"String\": "
                    "\"\xE2\x96\x81\"}, \"content\": \" \"}, {\"type\": \"ByteFallback\"}, {\"type\": \"Fuse\"}%s]}",
                    prefix ? ", {\"type\": \"Strip\", \"content\": \" \", \"start\": 1, \"stop\": 0}" : "");
    put_section(sections, "normalizer", "null");
    put_section(sections, "pre_tokenizer", pre_tokenizer);
    put_section(sections, "decoder", decoder);
    if (cJSON_GetObjectItemCaseSensitive(config->json, "added_tokens_decoder")) {
        put_section(sections, "added_tokens", "[]");
    }
    add_llama_names(t, config->json);
    t->bpe.fuse_unk = t->bpe.byte_fallback = true;
    t->bpe.ignore_merges = false;
    t->bpe.unk = -1;
    free(pre_tokenizer);
    free(decoder);
}

static bool find_token(const struct tokenizer_config *config, const struct tokenizer *t, const char *name, int32_t *id,
                       struct error *err)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(config->json, name);
    if (cJSON_IsObject(value)) {
        value = cJSON_GetObjectItemCaseSensitive(value, "content");
    }
    *id = -1;
    if (!cJSON_IsString(value)) {
        return true;
    }
    *id = tokenizer_id(t, value->valuestring);
    return *id >= 0 ||
           error_set(err, "%s: %s is '%s', which tokenizer.json does not have", config->path, name, value->valuestring);
}

/* The added token of that text under that id: of tokenizer.json, or one that a name such as pad_token has added. */
static bool check_beside(const struct tokenizer *t, const cJSON *entry, const char *path, struct error *err)
{
    int32_t known = tokenizer_id(t, entry->string);
    if (!cJSON_IsNumber(entry) || entry->valuedouble < 0 || entry->valuedouble != floor(entry->valuedouble)) {
        return error_set(err, "%s: the id of token '%s': expected a whole number of at least 0", path, entry->string);
    }
    if (known >= 0 && known == entry->valuedouble && added_tokens_find(&t->added, known)) {
        return true;
    }
    return error_set(err,
                     "%s: token '%s' with id %.0f is not among tokenizer.json's added_tokens; save the tokenizer once "
                     "more with Transformers, which writes it there",
                     path, entry->string, entry->valuedouble);
}

bool tokenizer_config_check_added(const struct tokenizer_config *config, const struct tokenizer *t,
                                  const char *model_dir, struct error *err)
{
    if (cJSON_GetObjectItemCaseSensitive(config->json, "added_tokens_decoder")) {
        return true;
    }
    char *path = format_text("%s/added_tokens.json", model_dir);
    cJSON *tokens;
    bool ok = read_object(path, &tokens, err);
    for (const cJSON *entry = tokens ? tokens->child : NULL; ok && entry; entry = entry->next) {
        ok = check_beside(t, entry, path, err);
    }
    cJSON_Delete(tokens);
    free(path);
    return ok;
}

bool tokenizer_config_find_tokens(const struct tokenizer_config *config, struct tokenizer *t, struct error *err)
{
    return find_token(config, t, "bos_token", &t->bos, err) && find_token(config, t, "eos_token", &t->eos, err);
}
