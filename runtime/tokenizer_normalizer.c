#include "tokenizer_normalizer.h"

#include <stdlib.h>
#include <string.h>

static bool load_unicode_form(struct normalizer_step *step, const char *type)
{
    static const char *const names[] = {"NFC", "NFD", "NFKC", "NFKD"};
    for (int i = 0; i < 4; i++) {
        if (strcmp(type, names[i]) == 0) {
            step->type = NORMALIZER_UNICODE;
            step->form = (enum normalization_form)i;
            return true;
        }
    }
    return false;
}

static bool copy_content(struct normalizer_step *step, const cJSON *object, const char *path, const char *name,
                         struct error *err)
{
    const char *content = field_string(object, path, name, err);
    step->content = content ? format_text("%s", content) : NULL;
    return content != NULL;
}

static bool load_step(void *context, const cJSON *object, const char *type, const char *path, struct error *err)
{
    struct normalizer *normalizer = context;
    normalizer->step =
        reallocate(normalizer->step, (normalizer->count + 1) * sizeof *normalizer->step, "the normalizer");
    struct normalizer_step *step = &normalizer->step[normalizer->count++];
    *step = (struct normalizer_step){0};
    if (load_unicode_form(step, type)) {
        return fields_check_known(object, path, "", err);
    }
    if (strcmp(type, "Lowercase") == 0) {
        step->type = NORMALIZER_LOWERCASE;
        return fields_check_known(object, path, "", err);
    }
    if (strcmp(type, "Strip") == 0) {
        step->type = NORMALIZER_STRIP;
        return fields_check_known(object, path, "strip_left strip_right", err) &&
               field_bool(object, path, "strip_left", true, &step->strip_left, err) &&
               field_bool(object, path, "strip_right", true, &step->strip_right, err);
    }
    if (strcmp(type, "Prepend") == 0) {
        step->type = NORMALIZER_PREPEND;
        return fields_check_known(object, path, "prepend", err) && copy_content(step, object, path, "prepend", err);
    }
    if (strcmp(type, "Replace") == 0) {
        step->type = NORMALIZER_REPLACE;
        return fields_check_known(object, path, "pattern content", err) &&
               pattern_load(&step->pattern, object, path, err) && copy_content(step, object, path, "content", err);
    }
    return error_set(
        err,
        "%s.type: '%s' is not supported (known: Sequence, NFC, NFD, NFKC, NFKD, Lowercase, Strip, Prepend, "
        "Replace)",
        path, type);
}

bool normalizer_load(struct normalizer *normalizer, const cJSON *section, struct error *err)
{
    return fields_visit_sequence(section, "normalizer", "normalizers", load_step, normalizer, err);
}

static struct text_view strip(const struct normalizer_step *step, struct text_view from)
{
    size_t begin = 0, end = from.length;
    while (step->strip_left && begin < end) {
        size_t next = begin;
        if (!unicode_is_white_space(utf8_next(from.text, &next))) {
            break;
        }
        begin = next;
    }
    while (step->strip_right && end > begin) {
        size_t previous = utf8_previous(from.text, end), next = previous;
        if (!unicode_is_white_space(utf8_next(from.text, &next))) {
            break;
        }
        end = previous;
    }
    return text_view_slice(&from, begin, end);
}

/* Where what replaces [begin, end) comes from: the last character there, as in the library. */
static uint32_t replaced_origin(const struct text_view *from, size_t begin, size_t end)
{
    if (begin < end) {
        return text_view_origin(from, utf8_previous(from->text, end));
    }
    if (begin < from->length) {
        return text_view_origin(from, begin);
    }
    return from->length == 0 ? from->first_origin : text_view_origin(from, from->length - 1) + 1;
}

static bool replace(const struct normalizer_step *step, struct mapped_text *out, const struct text_view *from,
                    struct error *err)
{
    struct unicode_matches matches = {0};
    size_t copied = 0, content_length = strlen(step->content);
    int rc;
    while ((rc = pattern_next(&step->pattern, from->text, from->length, &matches, err)) > 0) {
        mapped_text_copy(out, from, copied, matches.begin);
        uint32_t origin = replaced_origin(from, matches.begin, matches.end);
        mapped_text_insert(out, step->content, content_length, origin);
        copied = matches.end;
    }
    mapped_text_copy(out, from, copied, from->length);
    return rc == 0;
}

static bool apply_step(const struct normalizer_step *step, struct mapped_text *out, const struct text_view *from,
                       struct error *err)
{
    switch (step->type) {
    case NORMALIZER_UNICODE:
        unicode_normalize(out, from, step->form);
        return true;
    case NORMALIZER_LOWERCASE:
        unicode_lowercase(out, from);
        return true;
    case NORMALIZER_PREPEND:
        mapped_text_insert(out, step->content, strlen(step->content), text_view_origin(from, 0));
        mapped_text_copy(out, from, 0, from->length);
        return true;
    case NORMALIZER_REPLACE:
        return replace(step, out, from, err);
    case NORMALIZER_STRIP:
        break;
    }
    CHECK(false);
}

bool normalizer_apply(struct normalizer *normalizer, struct text_view from, struct text_view *to, struct error *err)
{
    int next = 0;
    for (size_t i = 0; i < normalizer->count && from.length > 0; i++) {
        const struct normalizer_step *step = &normalizer->step[i];
        if (step->type == NORMALIZER_STRIP) {
            from = strip(step, from);
            continue;
        }
        if (step->type == NORMALIZER_UNICODE && !unicode_may_need_normalization(from.text, from.length, step->form)) {
            continue;
        }
        struct mapped_text *out = &normalizer->scratch[next];
        mapped_text_clear(out);
        if (!apply_step(step, out, &from, err)) {
            return false;
        }
        from = mapped_text_view(out);
        next = !next;
    }
    *to = from;
    return true;
}

void normalizer_free(struct normalizer *normalizer)
{
    for (size_t i = 0; i < normalizer->count; i++) {
        pattern_free(&normalizer->step[i].pattern);
        free(normalizer->step[i].content);
    }
    free(normalizer->step);
    mapped_text_free(&normalizer->scratch[0]);
    mapped_text_free(&normalizer->scratch[1]);
    *normalizer = (struct normalizer){0};
}
