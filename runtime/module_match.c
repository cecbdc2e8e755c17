#include "module_match.h"
#include "error.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

struct regex {
    pcre2_code *code;
    pcre2_match_data *data;
};

bool name_matches(const char *entry, const char *module)
{
    size_t length = strlen(entry), whole = strlen(module);
    if (length > whole || strcmp(module + whole - length, entry) != 0)
        return false;
    return length == whole || module[whole - length - 1] == '.';
}

struct regex *regex_compile(const char *pattern, bool as_key, char *why, size_t why_size)
{
    int number;
    PCRE2_SIZE offset;
    char *text = as_key ? format_text("(.*\\.)?(%s)", pattern) : format_text("%s", pattern);
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, PCRE2_ANCHORED | PCRE2_ENDANCHORED,
                                     &number, &offset, NULL);
    free(text);
    if (!code) {
        pcre2_get_error_message(number, (PCRE2_UCHAR *)why, why_size);
        return NULL;
    }
    struct regex *regex = allocate(sizeof *regex, "a regular expression");
    regex->code = code;
    regex->data = pcre2_match_data_create_from_pattern(code, NULL);
    CHECK(regex->data);
    return regex;
}

void regex_free(struct regex *regex)
{
    if (!regex)
        return;
    pcre2_match_data_free(regex->data);
    pcre2_code_free(regex->code);
    free(regex);
}

bool regex_matches(const struct regex *regex, const char *module)
{
    return pcre2_match(regex->code, (PCRE2_SPTR)module, strlen(module), 0, 0, regex->data, NULL) >= 0;
}
