#include "tokenizer_pretokenizer.h"

#include <stdlib.h>
#include <string.h>

/* GPT-2's words: contractions, letters, digits and the rest, each with at most one space in front; white space. */
static const char gpt2_words[] = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

static bool load_byte_level(struct pre_tokenizer *pre, struct pre_tokenizer_step *step, const cJSON *object,
                            const char *path, struct error *err)
{
    bool trim_offsets, use_regex;
    step->type = PRE_BYTE_LEVEL;
    if (!fields_check_known(object, path, "add_prefix_space trim_offsets use_regex", err) ||
        !field_bool(object, path, "add_prefix_space", true, &step->add_prefix_space, err) ||
        !field_bool(object, path, "trim_offsets", true, &trim_offsets, err) ||
        !field_bool(object, path, "use_regex", true, &use_regex, err)) {
        return false;
    }
    pre->byte_level = true;
    if (use_regex) {
        step->pattern.regex = unicode_regex_compile(gpt2_words, strlen(gpt2_words), err);
        return step->pattern.regex != NULL;
    }
    return true;
}

bool metaspace_load(struct pre_tokenizer_step *step, const cJSON *object, const char *path, struct error *err)
{
    step->type = PRE_METASPACE;
    step->prepend = PREPEND_ALWAYS;
    bool add_prefix_space;
    const char *replacement = field_string(object, path, "replacement", err);
    if (!replacement ||
        !fields_check_known(object, path, "replacement prepend_scheme add_prefix_space split str_rep", err) ||
        !field_bool(object, path, "add_prefix_space", true, &add_prefix_space, err) ||
        !field_bool(object, path, "split", true, &step->split, err)) {
        return false;
    }
    const cJSON *scheme = cJSON_GetObjectItemCaseSensitive(object, "prepend_scheme");
    const char *name = cJSON_IsString(scheme) ? scheme->valuestring : scheme ? "" : "always";
    if (strcmp(name, "first") == 0) {
        step->prepend = PREPEND_FIRST;
    } else if (strcmp(name, "never") == 0) {
        step->prepend = PREPEND_NEVER;
    } else if (strcmp(name, "always") != 0) {
        return error_set(err, "%s.prepend_scheme: expected \"always\", \"first\" or \"never\"", path);
    }
    if (!add_prefix_space && scheme && step->prepend != PREPEND_NEVER) {
        return error_set(err, "%s.add_prefix_space: false contradicts prepend_scheme '%s'", path, name);
    }
    step->prepend = add_prefix_space ? step->prepend : PREPEND_NEVER;
    size_t length = 0;
    if (replacement[0] == '\0' || (utf8_next(replacement, &length), replacement[length] != '\0')) {
        return error_set(err, "%s.replacement: expected one character", path);
    }
    step->replacement = format_text("%s", replacement);
    return true;
}

static bool load_digits(struct pre_tokenizer_step *step, const cJSON *object, const char *path, struct error *err)
{
    bool individual;
    step->type = PRE_DIGITS;
    if (!fields_check_known(object, path, "individual_digits", err) ||
        !field_bool(object, path, "individual_digits", false, &individual, err)) {
        return false;
    }
    step->behavior = individual ? SPLIT_ISOLATED : SPLIT_CONTIGUOUS;
    return true;
}

static bool load_step(void *context, const cJSON *object, const char *type, const char *path, struct error *err)
{
    struct pre_tokenizer *pre = context;
    if (pre->byte_level) {
        return error_set(err, "%s: a pre-tokenizer behind ByteLevel is not supported", path);
    }
    pre->step = reallocate(pre->step, (pre->count + 1) * sizeof *pre->step, "the pre-tokenizer");
    struct pre_tokenizer_step *step = &pre->step[pre->count++];
    *step = (struct pre_tokenizer_step){0};
    if (strcmp(type, "Split") == 0) {
        step->type = PRE_SPLIT;
        return fields_check_known(object, path, "pattern behavior invert", err) &&
               pattern_load(&step->pattern, object, path, err) &&
               split_behavior_load(&step->behavior, object, path, err) &&
               field_bool(object, path, "invert", false, &step->invert, err);
    }
    if (strcmp(type, "ByteLevel") == 0) {
        return load_byte_level(pre, step, object, path, err);
    }
    if (strcmp(type, "Metaspace") == 0) {
        return metaspace_load(step, object, path, err);
    }
    if (strcmp(type, "Digits") == 0) {
        return load_digits(step, object, path, err);
    }
    if (strcmp(type, "Punctuation") == 0) {
        step->type = PRE_PUNCTUATION;
        return fields_check_known(object, path, "behavior", err) &&
               split_behavior_load(&step->behavior, object, path, err);
    }
    return error_set(
        err, "%s.type: '%s' is not supported (known: Sequence, Split, ByteLevel, Metaspace, Digits, Punctuation)", path,
        type);
}

bool pre_tokenizer_load(struct pre_tokenizer *pre_tokenizer, const cJSON *section, struct error *err)
{
    return fields_visit_sequence(section, "pre_tokenizer", "pretokenizers", load_step, pre_tokenizer, err);
}

/* The matches of a pattern within one range and what lies between them, as splits. */
static bool split_by_pattern(const struct pre_tokenizer_step *step, const char *text, struct split range,
                             struct splits *out, struct error *err)
{
    struct unicode_matches matches = {0};
    size_t length = range.end - range.begin, covered = 0;
    int rc;
    while ((rc = pattern_next(&step->pattern, text + range.begin, length, &matches, err)) > 0) {
        if (matches.begin > covered) {
            splits_push(out, range.begin + covered, range.begin + matches.begin, step->invert);
        }
        splits_push(out, range.begin + matches.begin, range.begin + matches.end, !step->invert);
        covered = matches.end;
    }
    if (covered < length) {
        splits_push(out, range.begin + covered, range.end, step->invert);
    }
    return rc == 0;
}

static void split_by_class(bool (*is_member)(uint32_t), const char *text, struct split range, struct splits *out)
{
    size_t covered = range.begin;
    for (size_t i = range.begin; i < range.end;) {
        size_t begin = i;
        if (is_member(utf8_next(text, &i))) {
            if (covered < begin) {
                splits_push(out, covered, begin, false);
            }
            splits_push(out, begin, i, true);
            covered = i;
        }
    }
    if (covered < range.end) {
        splits_push(out, covered, range.end, false);
    }
}

static bool split_one(const struct pre_tokenizer_step *step, const char *text, struct split range, struct splits *out,
                      struct error *err)
{
    size_t first = out->count;
    enum split_behavior behavior = step->behavior;
    if (step->type == PRE_DIGITS) {
        split_by_class(unicode_is_numeric, text, range, out);
    } else if (step->type == PRE_PUNCTUATION) {
        split_by_class(unicode_is_punctuation, text, range, out);
    } else {
        if (!split_by_pattern(step, text, range, out, err)) {
            return false;
        }
        behavior = step->type == PRE_SPLIT ? step->behavior : SPLIT_ISOLATED;
    }
    splits_apply(out, first, behavior);
    return true;
}

/* ByteLevel's add_prefix_space: a space in front of each range that has none. */
static void prefix_spaces(struct mapped_text *out, const struct text_view *text, const struct splits *in,
                          struct splits *ranges)
{
    for (size_t i = 0; i < in->count; i++) {
        struct split range = in->item[i];
        size_t begin = out->text.length;
        if (text->text[range.begin] != ' ') {
            mapped_text_insert(out, " ", 1, text_view_origin(text, range.begin));
        }
        mapped_text_copy(out, text, range.begin, range.end);
        splits_push(ranges, begin, out->text.length, false);
    }
}

static void replace_spaces(const struct pre_tokenizer_step *step, struct mapped_text *out, const struct text_view *text,
                           struct split range)
{
    size_t length = strlen(step->replacement);
    size_t covered = range.begin;
    for (size_t i = range.begin; i < range.end; i++) {
        if (text->text[i] == ' ') {
            mapped_text_copy(out, text, covered, i);
            mapped_text_insert(out, step->replacement, length, text_view_origin(text, i));
            covered = i + 1;
        }
    }
    mapped_text_copy(out, text, covered, range.end);
}

/* Metaspace: spaces become the replacement, one stands in front, and words start at each. */
static void apply_metaspace(const struct pre_tokenizer_step *step, struct mapped_text *out,
                            const struct text_view *text, const struct splits *in, struct splits *ranges)
{
    size_t length = strlen(step->replacement);
    for (size_t i = 0; i < in->count; i++) {
        struct split range = in->item[i];
        size_t begin = out->text.length, first = ranges->count;
        uint32_t origin = text_view_origin(text, range.begin);
        bool has_it =
            text->text[range.begin] == ' ' ||
            (range.end - range.begin >= length && memcmp(text->text + range.begin, step->replacement, length) == 0);
        bool wanted = step->prepend == PREPEND_ALWAYS || (step->prepend == PREPEND_FIRST && origin == 0);
        if (wanted && !has_it) {
            mapped_text_insert(out, step->replacement, length, origin);
        }
        replace_spaces(step, out, text, range);
        struct split whole = {.begin = (uint32_t)begin, .end = (uint32_t)out->text.length};
        if (!step->split) {
            splits_push(ranges, whole.begin, whole.end, false);
            continue;
        }
        struct pre_tokenizer_step mark = {.pattern = {.literal = step->replacement, .literal_length = length}};
        struct error never;
        CHECK(split_by_pattern(&mark, out->text.data, whole, ranges, &never));
        splits_apply(ranges, first, SPLIT_MERGED_WITH_NEXT);
    }
}

bool pre_tokenizer_apply(struct pre_tokenizer *pre, struct text_view *text, const struct splits **words,
                         struct error *err)
{
    int now = 0, rewritten = 0;
    pre->scratch[now].count = 0;
    splits_push(&pre->scratch[now], 0, text->length, false);
    for (size_t i = 0; i < pre->count; i++) {
        const struct pre_tokenizer_step *step = &pre->step[i];
        struct splits *in = &pre->scratch[now], *out = &pre->scratch[!now];
        out->count = 0;
        bool spaces = step->type == PRE_BYTE_LEVEL && step->add_prefix_space;
        if (spaces || step->type == PRE_METASPACE) {
            struct mapped_text *to = &pre->rewritten[rewritten];
            mapped_text_clear(to);
            if (spaces) {
                prefix_spaces(to, text, in, out);
            } else {
                apply_metaspace(step, to, text, in, out);
            }
            *text = mapped_text_view(to);
            rewritten = !rewritten;
            now = !now;
            in = &pre->scratch[now];
            out = &pre->scratch[!now];
            out->count = 0;
        }
        if (step->type == PRE_METASPACE || (step->type == PRE_BYTE_LEVEL && !step->pattern.regex)) {
            continue;
        }
        for (size_t j = 0; j < in->count; j++) {
            if (!split_one(step, text->text, in->item[j], out, err)) {
                return false;
            }
        }
        now = !now;
    }
    *words = &pre->scratch[now];
    return true;
}

void pre_tokenizer_free(struct pre_tokenizer *pre)
{
    for (size_t i = 0; i < pre->count; i++) {
        pattern_free(&pre->step[i].pattern);
        free(pre->step[i].replacement);
    }
    free(pre->step);
    for (int i = 0; i < 2; i++) {
        free(pre->scratch[i].item);
        mapped_text_free(&pre->rewritten[i]);
    }
    *pre = (struct pre_tokenizer){0};
}
