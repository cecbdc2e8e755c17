/* The "model" of tokenizer.json: read through a cursor, since a vocabulary of 150,000 tokens and twice as many merges would fill
 * ten times their size as a tree of nodes. */
#include "tokenizer_internal.h"
#include "tokenizer_json.h"

#include <stdlib.h>
#include <string.h>

static bool load_vocabulary(struct tokenizer *t, struct json_cursor *cursor, struct error *err)
{
    struct vocabulary *vocabulary = &t->vocabulary;
    struct text_buffer text = {0};
    struct error cause;
    bool more, first = true, ok = json_cursor_take(cursor, '{', err);
    for (; ok && (ok = json_cursor_member(cursor, first, &text, &more, err)) && more; first = false) {
        int64_t id = 0;
        ok = json_cursor_integer(cursor, &id, err);
        if (ok && !vocabulary_append(vocabulary, id, text.data, text.length, &cause)) {
            ok = error_set(err, "%s: %s", cursor->name, cause.text);
        }
    }
    if (ok && !vocabulary_index(vocabulary, &cause)) {
        ok = error_set(err, "%s: %s", cursor->name, cause.text);
    }
    text_buffer_free(&text);
    return ok;
}

static bool load_unk(struct tokenizer *t, const cJSON *value, struct error *err)
{
    t->bpe.unk = -1;
    if (!value || cJSON_IsNull(value)) {
        return true;
    }
    const char *unk = cJSON_GetStringValue(value);
    if (!unk) {
        return error_set(err, "model.unk_token: expected a string or null");
    }
    t->bpe.unk = vocabulary_find(&t->vocabulary, unk, strlen(unk));
    return t->bpe.unk >= 0 || error_set(err, "model.unk_token: '%s' is not in model.vocab", unk);
}

static bool check_absent(const cJSON *fields, const char *name, struct error *err)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(fields, name);
    bool absent = !value || cJSON_IsNull(value) || (cJSON_IsString(value) && value->valuestring[0] == '\0') ||
                  (cJSON_IsNumber(value) && value->valuedouble == 0);
    return absent || error_set(err, "model.%s: only null is supported", name);
}

/* The small fields, gathered as an object of their own. */
static bool load_fields(struct tokenizer *t, const cJSON *fields, struct error *err)
{
    const cJSON *type = cJSON_GetObjectItemCaseSensitive(fields, "type");
    if (type && (!cJSON_IsString(type) || strcmp(type->valuestring, "BPE") != 0)) {
        return error_set(err, "model.type: '%s' is not supported (known: BPE)",
                         cJSON_IsString(type) ? type->valuestring : "?");
    }
    struct bpe *bpe = &t->bpe;
    return fields_check_known(fields, "model",
                              "dropout unk_token continuing_subword_prefix end_of_word_suffix fuse_unk byte_fallback "
                              "ignore_merges",
                              err) &&
           load_unk(t, cJSON_GetObjectItemCaseSensitive(fields, "unk_token"), err) &&
           check_absent(fields, "dropout", err) && check_absent(fields, "continuing_subword_prefix", err) &&
           check_absent(fields, "end_of_word_suffix", err) &&
           field_bool(fields, "model", "fuse_unk", false, &bpe->fuse_unk, err) &&
           field_bool(fields, "model", "byte_fallback", false, &bpe->byte_fallback, err) &&
           field_bool(fields, "model", "ignore_merges", false, &bpe->ignore_merges, err);
}

typedef bool load_part(struct tokenizer *t, struct json_cursor *cursor, struct error *err);

/* Messages name the field too. */
static bool load_named(struct tokenizer *t, struct json_cursor *cursor, const char *field, load_part *load,
                       struct error *err)
{
    const char *file = cursor->name;
    char *name = format_text("%s: %s", file, field);
    cursor->name = name;
    bool ok = load(t, cursor, err);
    cursor->name = file;
    free(name);
    return ok;
}

static bool open_model(struct tokenizer *t, struct json_cursor *cursor, struct error *err)
{
    (void)t;
    return json_cursor_take(cursor, '{', err);
}

static bool load_parts(struct tokenizer *t, struct json_cursor *cursor, cJSON *fields, struct error *err)
{
    struct json_cursor merges = {0};
    struct text_buffer key = {0};
    bool more, first = true, has_vocabulary = false, has_merges = false, merges_wait = false;
    bool ok = load_named(t, cursor, "model", open_model, err);
    for (; ok && (ok = json_cursor_member(cursor, first, &key, &more, err)) && more; first = false) {
        if (strcmp(key.data, "vocab") == 0) {
            ok = has_vocabulary ? error_set(err, "%s: model.vocab stands twice", cursor->name)
                                : load_named(t, cursor, "model.vocab", load_vocabulary, err);
            has_vocabulary = true;
        } else if (strcmp(key.data, "merges") == 0) {
            merges = *cursor; /* they need the vocabulary, which nearly always stands in front of them */
            has_merges = true;
            ok = has_vocabulary ? load_named(t, cursor, "model.merges", tokenizer_load_merges, err)
                                : json_cursor_skip(cursor, err);
            merges_wait = !has_vocabulary;
        } else {
            ok = tokenizer_gather(fields, key.data, cursor, err);
        }
    }
    text_buffer_free(&key);
    if (ok && (!has_vocabulary || !has_merges)) {
        ok = error_set(err, "%s: model.%s is missing; only models of type BPE are supported", cursor->name,
                       has_vocabulary ? "merges" : "vocab");
    }
    return ok && (!merges_wait || load_named(t, &merges, "model.merges", tokenizer_load_merges, err));
}

bool tokenizer_load_model(struct tokenizer *t, struct json_cursor *cursor, struct error *err)
{
    cJSON *fields = cJSON_CreateObject();
    CHECK(fields);
    bool ok = load_parts(t, cursor, fields, err);
    struct error cause;
    if (ok && !load_fields(t, fields, &cause)) {
        ok = error_set(err, "%s: %s", cursor->name, cause.text);
    }
    cJSON_Delete(fields);
    return ok;
}
