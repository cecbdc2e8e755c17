#include "unicode_regex.h"

#include "unicode_regex_rewrite.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <stdlib.h>
#include <string.h>

enum {
    JIT_STACK_START = 64 << 10,
    JIT_STACK_LIMIT = 16 << 20
}; /* bytes; a stack this deep serves lines of many megabytes */

struct unicode_regex {
    pcre2_code *code;
    pcre2_match_data *match;
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
    bool jit;
};

static pcre2_code *compile(const char *pattern, size_t length, const struct text_buffer *rewritten, struct error *err)
{
    int number;
    PCRE2_SIZE offset;
    uint32_t options = PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)(rewritten->data ? rewritten->data : ""), rewritten->length, options,
                                     &number, &offset, NULL);
    if (!code) {
        char message[128] = "";
        pcre2_get_error_message(number, (PCRE2_UCHAR *)message, sizeof message);
        error_set(err, "regular expression: %s, in %.*s", message, (int)(length < 200 ? length : 200), pattern);
    }
    return code;
}

struct unicode_regex *unicode_regex_compile(const char *pattern, size_t length, struct error *err)
{
    struct text_buffer rewritten = {0};
    pcre2_code *code = NULL;
    if (unicode_regex_rewrite(&rewritten, pattern, length, err)) {
        code = compile(pattern, length, &rewritten, err);
    }
    text_buffer_free(&rewritten);
    if (!code) {
        return NULL;
    }
    struct unicode_regex *regex = allocate(sizeof *regex, "a regular expression");
    regex->code = code;
    regex->match = pcre2_match_data_create_from_pattern(code, NULL);
    regex->context = pcre2_match_context_create(NULL);
    CHECK(regex->match && regex->context);
    regex->jit = pcre2_jit_compile(code, PCRE2_JIT_COMPLETE) == 0;
    if (regex->jit) {
        regex->stack = pcre2_jit_stack_create(JIT_STACK_START, JIT_STACK_LIMIT, NULL);
        CHECK(regex->stack);
        pcre2_jit_stack_assign(regex->context, NULL, regex->stack);
    }
    return regex;
}

void unicode_regex_free(struct unicode_regex *regex)
{
    if (regex) {
        pcre2_jit_stack_free(regex->stack);
        pcre2_match_context_free(regex->context);
        pcre2_match_data_free(regex->match);
        pcre2_code_free(regex->code);
        free(regex);
    }
}

int unicode_regex_next(struct unicode_regex *regex, const char *text, size_t length, struct unicode_matches *matches,
                       struct error *err)
{
    const PCRE2_SIZE *range = pcre2_get_ovector_pointer(regex->match);
    PCRE2_SPTR subject = (PCRE2_SPTR)text;
    while (matches->from <= length) {
        int rc = regex->jit ? pcre2_jit_match(regex->code, subject, length, matches->from, PCRE2_NO_UTF_CHECK,
                                              regex->match, regex->context)
                            : pcre2_match(regex->code, subject, length, matches->from, PCRE2_NO_UTF_CHECK, regex->match,
                                          regex->context);
        if (rc == PCRE2_ERROR_NOMATCH) {
            return 0;
        }
        if (rc < 0) {
            char message[128] = "";
            pcre2_get_error_message(rc, (PCRE2_UCHAR *)message, sizeof message);
            error_set(err, "the tokenizer's regular expression gave up at byte %zu of %zu: %s", matches->from, length,
                      message);
            return -1;
        }
        if (range[0] != range[1] || !matches->any || matches->end != range[1]) {
            *matches = (struct unicode_matches){.begin = range[0], .end = range[1], .from = range[1], .any = true};
            return 1;
        }
        size_t from = matches->from;
        if (from < length) {
            utf8_next(text, &from);
        } else {
            from++;
        }
        matches->from = from;
    }
    return 0;
}
