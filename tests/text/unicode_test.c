/* UTF-8, normalization with its origins, and the rewriting of regular expressions. */
#include "unicode_normalize.h"
#include "unicode_regex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void every_code_point_round_trips(void **state)
{
    (void)state;
    for (uint32_t c = 0; c < 0x110000; c++) {
        char bytes[4];
        size_t length = utf8_encode(c, bytes), position = 0;
        bool surrogate = c >= 0xD800 && c < 0xE000;
        if ((utf8_valid_length(bytes, length) == length) == surrogate) {
            fail_msg("U+%04X", c);
        }
        if (!surrogate &&
            (utf8_next(bytes, &position) != c || position != length || utf8_previous(bytes, length) != 0)) {
            fail_msg("U+%04X", c);
        }
    }
}

static void ill_formed_parts_are_replaced(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t valid;
        const char *wanted;
    } cases[] = {
        {"abc", 3, "abc"},
        {"a\xC0\xAF", 1, "a\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\xE4\xBD", 0, "\xEF\xBF\xBD"},
        {"\xF0\x9F\x90 x", 0, "\xEF\xBF\xBD x"},
        {"\xED\xA0\x80", 0, "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"12345678\x80", 8, "12345678\xEF\xBF\xBD"},
        {"\xF4\x90\x80\x80", 0, "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct text_buffer out = {0};
        size_t length = strlen(cases[i].bytes);
        assert_int_equal(utf8_valid_length(cases[i].bytes, length), cases[i].valid);
        utf8_append_lossy(&out, cases[i].bytes, length);
        text_buffer_append(&out, "", 1);
        assert_string_equal(out.data, cases[i].wanted);
        text_buffer_free(&out);
    }
}

static void normal_forms(void **state)
{
    (void)state;
    static const struct {
        enum normalization_form form;
        const char *text, *wanted;
    } cases[] = {
        {NORMALIZE_NFC, "e\xCC\x81", "\xC3\xA9"},
        {NORMALIZE_NFC, "x\xCC\x81\xCC\xA3", "x\xCC\xA3\xCC\x81"},
        {NORMALIZE_NFC, "\xE1\x84\x80\xE1\x85\xA1\xE1\x86\xA8", "\xEA\xB0\x81"},
        {NORMALIZE_NFC, "\xE2\x84\xAB", "\xC3\x85"},
        {NORMALIZE_NFC, "\xEF\xAC\x81", "\xEF\xAC\x81"},
        {NORMALIZE_NFD, "\xC3\xA9", "e\xCC\x81"},
        {NORMALIZE_NFKC, "\xEF\xAC\x81", "fi"},
        {NORMALIZE_NFKC, "\xEF\xBD\xB6\xEF\xBE\x9E", "\xE3\x82\xAC"},
        {NORMALIZE_NFC, "x\xCD\x85\xE1\xB7\xB6",
         "x\xCD\x85\xE1\xB7\xB6"}, /* U+1DF6 is younger than the library's tables */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct mapped_text out = {0};
        struct text_view from = {.text = cases[i].text, .length = strlen(cases[i].text), .first_origin = 7};
        unicode_normalize(&out, &from, cases[i].form);
        bool changed = strcmp(cases[i].text, cases[i].wanted) != 0;
        assert_true(!changed || unicode_may_need_normalization(from.text, from.length, cases[i].form));
        assert_int_equal(out.text.length, strlen(cases[i].wanted));
        assert_memory_equal(out.text.data, cases[i].wanted, out.text.length);
        for (size_t j = 0; j < out.text.length; j++) {
            assert_true(out.origin[j] >= 7 && out.origin[j] < 7 + from.length);
        }
        mapped_text_free(&out);
    }
}

/* Every character knows the one it came from, marks too; as offsets of the tokenizers library tell. */
static void normal_forms_know_their_origins(void **state)
{
    (void)state;
    static const struct {
        enum normalization_form form;
        const char *text;
        uint32_t origin[8]; /* of each character of the result; then 99 */
    } cases[] = {
        {NORMALIZE_NFC, "-\xCC\x81", {0, 1, 99}},
        {NORMALIZE_NFD, "-\xCC\x81\xCC\x82", {0, 1, 3, 99}},
        {NORMALIZE_NFC, "e\xCC\x81\xCC\x81", {0, 3, 99}},
        {NORMALIZE_NFC, "a\xCC\x81\xCC\xA3", {0, 3, 99}},
        {NORMALIZE_NFD, "a\xCC\x81\xCC\xA3", {0, 1, 3, 99}},
        {NORMALIZE_NFD, "\xC3\xA9\xCC\xA3x", {0, 2, 2, 4, 99}},
        {NORMALIZE_NFC, "\xC3\xA9\xCC\xA3x", {0, 2, 4, 99}},
        {NORMALIZE_NFKC, "\xEF\xAC\x81\xCC\x81", {0, 3, 99}},
        {NORMALIZE_NFKD, "\xEF\xAC\x81\xCC\x81", {0, 0, 3, 99}},
        {NORMALIZE_NFC, "\xE1\x84\x80\xE1\x85\xA1\xE1\x86\xA8\xCC\x81", {0, 9, 99}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct mapped_text out = {0};
        struct text_view from = {.text = cases[i].text, .length = strlen(cases[i].text)};
        unicode_normalize(&out, &from, cases[i].form);
        size_t n = 0;
        for (size_t at = 0; at < out.text.length; n++) {
            size_t begin = at;
            utf8_next(out.text.data, &at);
            for (size_t j = begin; j < at; j++) {
                assert_int_equal(out.origin[j], cases[i].origin[n]);
            }
        }
        assert_int_equal(cases[i].origin[n], 99);
        mapped_text_free(&out);
    }
}

/* Marks of two classes in turn, a few and very many: the lower class first, in time that does not depend on the square. */
static void many_marks_are_ordered(void **state)
{
    (void)state;
    static const size_t pairs[] = {1, 11, 12, 13, 500000};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct text_buffer text = {0};
        struct mapped_text out = {0};
        text_buffer_append_string(&text, "x");
        for (size_t j = 0; j < pairs[i]; j++) {
            text_buffer_append_string(&text, "\xCC\x81\xCC\xA3");
        }
        struct text_view from = {.text = text.data, .length = text.length};
        unicode_normalize(&out, &from, NORMALIZE_NFC);
        size_t wrong = 0;
        assert_int_equal(out.text.length, text.length);
        for (size_t j = 0; j < 2 * pairs[i]; j++) {
            wrong += memcmp(out.text.data + 1 + 2 * j, j < pairs[i] ? "\xCC\xA3" : "\xCC\x81", 2) != 0;
        }
        assert_int_equal(wrong, 0);
        mapped_text_free(&out);
        text_buffer_free(&text);
    }
}

/* The matches of a pattern as "[a][b]". */
static void expect_matches(const char *pattern, const char *text, const char *wanted)
{
    struct error err;
    struct unicode_matches matches = {0};
    struct text_buffer found = {0};
    struct unicode_regex *regex = unicode_regex_compile(pattern, strlen(pattern), &err);
    assert_non_null(regex);
    while (unicode_regex_next(regex, text, strlen(text), &matches, &err) > 0) {
        text_buffer_append_string(&found, "[");
        text_buffer_append(&found, text + matches.begin, matches.end - matches.begin);
        text_buffer_append_string(&found, "]");
    }
    text_buffer_append(&found, "", 1);
    assert_string_equal(found.data, wanted);
    text_buffer_free(&found);
    unicode_regex_free(regex);
}

static void oniguruma_meanings(void **state)
{
    (void)state;
    expect_matches("\\s", "a\xE1\xA0\x8E\x0B\xE3\x80\x80z", "[\x0B][\xE3\x80\x80]"); /* not U+180E */
    expect_matches("\\w+", "a_1\xCC\x81-b", "[a_1\xCC\x81][b]");
    expect_matches("[^\\s\\p{L}]+", "ab 12\t-x", "[12][-]");
    expect_matches("[^(\\s|[.,!])]+", "ab,c d", "[ab][c][d]");
    expect_matches("^b$", "a\nb\nc", "[b]");
    expect_matches("x*", "axx", "[][xx]");
    expect_matches("(?i:'S)", "'s'\xC5\xBF", "['s]['\xC5\xBF]");
    expect_matches("\\p{N}", "1\xF0\x9D\x8B\x80", "[1][\xF0\x9D\x8B\x80]"); /* U+1D2C0, a number since Unicode 15 */
    expect_matches("\\w", "\xC2\xB2-\xC2\xBD",
                   "[\xC2\xB2][\xC2\xBD]"); /* superscripts and fractions: words outside of sets */
    expect_matches("[\\w]+", "a\xC2\xB2_\xC2\xBD", "[a][_]");
    expect_matches("[^\\s\\w]+", "a \xC2\xB2-\xC2\xBD", "[\xC2\xB2-\xC2\xBD]");
    expect_matches("[\\w-]+", "a-b c", "[a-b][c]");
    expect_matches("[+[-a]]", "+,-a", "[+][-][a]"); /* no range from + to a */
    expect_matches("[a-c-]+", "b-d", "[b-]");
}

static void ignoring_case(void **state)
{
    (void)state;
    expect_matches("(?i:'s|'t|'re|'ve|'m|'ll|'d)", "'S'ReT", "['S]['Re]");
    expect_matches("'(?i:[sdmt]|ll|ve|re)", "'T'lL'n", "['T]['lL]");
    expect_matches("(?i)a|b", "aBc", "[a][B]");
    expect_matches("x(?:(?i)a|b)c", "xBcxBC", "[xBc]");
    expect_matches("(?i:s)s", "Ss\xC3\x9F", "[Ss]");
}

static void not_understood(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *named;
    } cases[] = {
        {"\\h", "\\h"},
        {"[a&&b]", "&&"},
        {"a{1,2}+", "'+' after an interval"},
        {"(?<n>a)", "kind of group"},
        {"\\pL", "without braces"},
        {"[[:alpha:]]", "POSIX class"},
        {"[a[^b]]", "negated set"},
        {"(", "parenthesis"},
        {"a\\", "backslash"},
        {"[a", "not closed"},
        {"(*UTF)a", "(*"},
        {"\\xe9", "this \\x"},
        {"a{,3}", "{,n}"},
        {"a{2}?", "{n}?"},
        {"[\\D]", "\\D inside a set at"},
        {"[\\P{L}]", "negated property"},
        {"a(?i)b|c", "option"},
        {"(?:a(?i)b|s)t", "option"},
        {"(?i:ss)", "ss under (?i) at offset 5"},
        {"(?i)St", "st under (?i)"},
        {"(?i:fi)", "fi under (?i)"},
        {"(?i:s)(?i:s+)", "ss under (?i)"},
        {"(?i:s{2})", "interval"},
        {"(?i:[\xC3\x9F])", "outside ASCII"},
        {"(?i:\xC3\xA9)", "outside ASCII"},
        {"(?i:[\\w])", "\\w inside a set under (?i)"},
        {"(?i:\\p{Lu})", "property under (?i)"},
        {"(?i:\\x73)", "\\x under (?i)"},
        {"\\p{Alphabetic}", "the property Alphabetic"},
        {"\\p{Lowercase}", "the property Lowercase"},
        {"\\p{C}", "the property C "},
        {"\\p{Cn}", "the property Cn"},
        {"\\p{LC}", "the property LC"},
        {"\\p{L&}", "the property L&"},
        {"\\p{sc:Han}", "the property sc:Han"},
        {"\\p{}", "the property"},
        {"[\\p{L}-t]", "'-' beside a class"},
        {"[a-[b]]", "'-' beside a class"},
        {"[!-\\s]", "end of a range"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err = {0};
        assert_null(unicode_regex_compile(cases[i].pattern, strlen(cases[i].pattern), &err));
        assert_memory_equal(err.text, "regular expression: ", 20);
        if (!strstr(err.text, cases[i].named)) {
            fail_msg("%s: %s", cases[i].pattern, err.text);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_point_round_trips),
        cmocka_unit_test(ill_formed_parts_are_replaced),
        cmocka_unit_test(normal_forms),
        cmocka_unit_test(normal_forms_know_their_origins),
        cmocka_unit_test(many_marks_are_ordered),
        cmocka_unit_test(oniguruma_meanings),
        cmocka_unit_test(ignoring_case),
        cmocka_unit_test(not_understood),
    };
    return cmocka_run_group_tests_name("unicode", tests, NULL, NULL);
}
