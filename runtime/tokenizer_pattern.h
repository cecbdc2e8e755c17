/* Patterns of tokenizer.json, {"String": ...} or {"Regex": ...}, and the ways to split a text at their matches.
 */
#ifndef LORAC_TOKENIZER_PATTERN_H
#define LORAC_TOKENIZER_PATTERN_H

#include "tokenizer_fields.h"
#include "unicode_regex.h"

struct pattern {
    char *literal; /* NULL: a regular expression */
    size_t literal_length;
    struct unicode_regex *regex;
};

/* Reads object.pattern. An empty pattern is not supported. */
bool pattern_load(struct pattern *pattern, const cJSON *object, const char *path, struct error *err);

/* As unicode_regex_next. */
int pattern_next(const struct pattern *pattern, const char *text, size_t length, struct unicode_matches *matches,
                 struct error *err);

void pattern_free(struct pattern *pattern);

enum split_behavior {
    SPLIT_REMOVED,
    SPLIT_ISOLATED,
    SPLIT_MERGED_WITH_PREVIOUS,
    SPLIT_MERGED_WITH_NEXT,
    SPLIT_CONTIGUOUS
};

/* Reads object.behavior; absent gives SPLIT_ISOLATED. */
bool split_behavior_load(enum split_behavior *behavior, const cJSON *object, const char *path, struct error *err);

/* A range of bytes of a text; `match` is whether the pattern (inverted, if so asked) matched it. */
struct split {
    uint32_t begin, end;
    bool match;
};

/* Zero-initialize; free the item. */
struct splits {
    struct split *item;
    size_t count, capacity;
};

void splits_push(struct splits *splits, size_t begin, size_t end, bool match);

/* Rewrites items [first, count), which cover a text without gaps, as the behavior says: matches dropped, kept apart, or joined to
 * a neighbour. Empty ranges are dropped. */
void splits_apply(struct splits *splits, size_t first, enum split_behavior behavior);

#endif
