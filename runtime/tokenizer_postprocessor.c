/* The post-processor: which tokens stand around a single text. Pairs of texts are not used here, so their templates are not read;
 * what only corrects offsets (ByteLevel) does nothing. */
#include "tokenizer_internal.h"

#include <string.h>

static bool push_id(const struct tokenizer *t, const cJSON *id, struct ids *to)
{
    bool known = cJSON_IsNumber(id) && id->valuedouble >= 0 && id->valuedouble < t->vocabulary.size &&
                 id->valuedouble == (int32_t)id->valuedouble;
    if (known) {
        ids_push(to, (int32_t)id->valuedouble, 0);
    }
    return known;
}

static bool add_special_token(struct tokenizer *t, const cJSON *processor, const cJSON *piece, const char *path,
                              struct ids *to, struct error *err)
{
    const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(piece, "id"));
    if (!name) {
        return error_set(err, "%s.single: expected a SpecialToken's id to be a string", path);
    }
    const cJSON *tokens = cJSON_GetObjectItemCaseSensitive(processor, "special_tokens");
    const cJSON *token = cJSON_GetObjectItemCaseSensitive(tokens, name);
    const cJSON *ids = cJSON_GetObjectItemCaseSensitive(token, "ids");
    if (!token) {
        return error_set(err, "%s: the template uses '%s', which special_tokens does not have", path, name);
    }
    bool ok = cJSON_IsArray(ids);
    for (const cJSON *id = ok ? ids->child : NULL; ok && id; id = id->next) {
        ok = push_id(t, id, to);
    }
    return ok || error_set(err, "%s.special_tokens.%.80s.ids: expected a list of ids of the vocabulary", path, name);
}

static bool load_template(struct tokenizer *t, const cJSON *object, const char *path, struct ids *before,
                          struct ids *after, struct error *err)
{
    const cJSON *single = cJSON_GetObjectItemCaseSensitive(object, "single");
    bool seen = false;
    for (const cJSON *piece = cJSON_IsArray(single) ? single->child : NULL; piece; piece = piece->next) {
        const cJSON *special = cJSON_GetObjectItemCaseSensitive(piece, "SpecialToken");
        const cJSON *sequence = cJSON_GetObjectItemCaseSensitive(piece, "Sequence");
        if (special) {
            if (!add_special_token(t, object, special, path, seen ? after : before, err)) {
                return false;
            }
            continue;
        }
        const cJSON *name = cJSON_GetObjectItemCaseSensitive(sequence, "id");
        if (seen || !cJSON_IsString(name) || strcmp(name->valuestring, "A") != 0) {
            return error_set(err, "%s.single: expected special tokens around one Sequence A", path);
        }
        seen = true;
    }
    return (seen || error_set(err, "%s.single: expected special tokens around one Sequence A", path)) &&
           fields_check_known(object, path, "single pair special_tokens", err);
}

/* Roberta's and Bert's: [cls] text [sep], each given as ["</s>", 2]. */
static bool add_named(struct tokenizer *t, const cJSON *object, const char *path, const char *name, struct ids *to,
                      struct error *err)
{
    const cJSON *pair = cJSON_GetObjectItemCaseSensitive(object, name);
    return push_id(t, cJSON_GetArrayItem(pair, 1), to) ||
           error_set(err, "%s.%s: expected [token, id] with an id of the vocabulary", path, name);
}

/* In a sequence, the library gives a second processor the pieces that the first one made in place of the text, with results that
 * nobody can want. */
static bool put_around(struct post_processor *p, struct ids *before, struct ids *after, const char *path,
                       struct error *err)
{
    if (p->before.count + p->after.count > 0) {
        return error_set(err, "%s: a second processor that adds tokens is not supported", path);
    }
    ids_free(&p->before);
    ids_free(&p->after);
    p->before = *before;
    p->after = *after;
    *before = *after = (struct ids){0};
    return true;
}

static bool load_processor(void *context, const cJSON *object, const char *type, const char *path, struct error *err)
{
    struct tokenizer *t = context;
    struct ids before = {0}, after = {0};
    bool ok;
    if (strcmp(type, "TemplateProcessing") == 0) {
        ok = load_template(t, object, path, &before, &after, err);
    } else if (strcmp(type, "RobertaProcessing") == 0 || strcmp(type, "BertProcessing") == 0) {
        ok = fields_check_known(object, path, "sep cls trim_offsets add_prefix_space", err) &&
             add_named(t, object, path, "cls", &before, err) && add_named(t, object, path, "sep", &after, err);
    } else if (strcmp(type, "ByteLevel") == 0) {
        ok = fields_check_known(object, path, "add_prefix_space trim_offsets use_regex", err);
    } else {
        ok = error_set(err,
                       "%s.type: '%s' is not supported (known: Sequence, TemplateProcessing, ByteLevel, "
                       "RobertaProcessing, BertProcessing)",
                       path, type);
    }
    if (ok && before.count + after.count > 0) {
        ok = put_around(&t->post_processor, &before, &after, path, err);
    }
    ids_free(&before);
    ids_free(&after);
    return ok;
}

bool post_processor_load(struct tokenizer *tokenizer, const cJSON *section, struct error *err)
{
    return fields_visit_sequence(section, "post_processor", "processors", load_processor, tokenizer, err);
}
