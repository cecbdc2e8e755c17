/* What tokenizer_config.json adds to tokenizer.json: the names of BOS and EOS, and a class name that changes what Transformers
 * makes of the other file. */
#include "tokenizer_internal.h"

#include <errno.h>
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
        text_buffer_reserve(out, 1 << 20);
        got = fread(out->data + out->length, 1, out->capacity - out->length, file);
        out->length += got;
    }
    bool ok = !ferror(file) || error_set(err, "%s: %s", path, strerror(errno));
    fclose(file);
    return ok && (out->length <= LARGEST_FILE || error_set(err, "%s: larger than %d MiB", path, LARGEST_FILE >> 20));
}

bool tokenizer_config_read(const char *path, cJSON **config, struct error *err)
{
    struct text_buffer file = {0};
    bool missing;
    *config = NULL;
    if (!tokenizer_read_file(path, &file, &missing, err)) {
        text_buffer_free(&file);
        return missing;
    }
    *config = cJSON_ParseWithLength(file.data, file.length);
    text_buffer_free(&file);
    return cJSON_IsObject(*config) || error_set(err, "%s: not a JSON object", path);
}

static const char metaspace[] = "\xE2\x96\x81";

/* Prepend "▁", then Replace " " by "▁", and no pre-tokenizer: how older files spell a Metaspace that does not split. */
static bool spells_metaspace(const struct tokenizer *t)
{
    if (t->normalizer.count != 2 || t->pre_tokenizer.count != 0) {
        return false;
    }
    const struct normalizer_step *prepend = &t->normalizer.step[0], *replace = &t->normalizer.step[1];
    return prepend->type == NORMALIZER_PREPEND && strcmp(prepend->content, metaspace) == 0 &&
           replace->type == NORMALIZER_REPLACE && replace->pattern.literal &&
           strcmp(replace->pattern.literal, " ") == 0 && strcmp(replace->content, metaspace) == 0;
}

void tokenizer_config_apply_class(struct tokenizer *t, const cJSON *config)
{
    const char *class = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(config, "tokenizer_class"));
    bool is_llama = class && (strcmp(class, "LlamaTokenizer") == 0 || strcmp(class, "LlamaTokenizerFast") == 0);
    if (!is_llama || !spells_metaspace(t)) {
        return;
    }
    normalizer_free(&t->normalizer);
    bool legacy = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(config, "legacy"));
    bool no_prefix = cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(config, "add_prefix_space"));
    t->pre_tokenizer.step = allocate(sizeof *t->pre_tokenizer.step, "the pre-tokenizer");
    t->pre_tokenizer.count = 1;
    *t->pre_tokenizer.step = (struct pre_tokenizer_step){
        .type = PRE_METASPACE,
        .replacement = format_text("%s", metaspace),
        .prepend = no_prefix ? PREPEND_NEVER
                   : legacy  ? PREPEND_ALWAYS
                             : PREPEND_FIRST,
    };
}

static bool find_token(const struct tokenizer *t, const cJSON *config, const char *path, const char *name, int32_t *id,
                       struct error *err)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(config, name);
    if (cJSON_IsObject(value)) {
        value = cJSON_GetObjectItemCaseSensitive(value, "content");
    }
    *id = -1;
    if (!cJSON_IsString(value)) {
        return true;
    }
    *id = tokenizer_id(t, value->valuestring);
    return *id >= 0 ||
           error_set(err, "%s: %s is '%s', which tokenizer.json does not have", path, name, value->valuestring);
}

bool tokenizer_config_find_tokens(struct tokenizer *t, const cJSON *config, const char *path, struct error *err)
{
    return find_token(t, config, path, "bos_token", &t->bos, err) &&
           find_token(t, config, path, "eos_token", &t->eos, err);
}
