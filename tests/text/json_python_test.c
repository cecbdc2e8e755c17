/* JSON as Python's json.dumps writes it; the wanted texts are Python's. */
#include "json_python.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static bool convert(const char *json, int indent, struct text_buffer *out, struct error *err)
{
    struct json_cursor cursor = json_cursor_begin("here", json, strlen(json));
    return json_append_python(out, &cursor, indent, err) && json_cursor_end(&cursor, err);
}

static void texts(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        int indent;
        const char *wanted;
    } cases[] = {
        {"{\"a\":1,\"b\":[true,null,\"x\"]}", 0, "{\"a\": 1, \"b\": [true, null, \"x\"]}"},
        {"[{},[ ],\"\"]", 0, "[{}, [], \"\"]"},
        {"[{},[1,{\"a\":[]}]]", 4,
         "[\n    {},\n    [\n        1,\n        {\n            \"a\": []\n        }\n    ]\n]"},
        {"[0,-0,7,-12,123456789012345678901234567890]", 0, "[0, 0, 7, -12, 123456789012345678901234567890]"},
        {"[1.0,20.50,-0.0,0.1,1e3,1E+2,1e16,1.5e16,123456789012345.678]", 0,
         "[1.0, 20.5, -0.0, 0.1, 1000.0, 100.0, 1e+16, 1.5e+16, 123456789012345.67]"},
        {"[1e-4,1e-5,0.00012345,5e-324,1.7976931348623157e308,9007199254740993.0]", 0,
         "[0.0001, 1e-05, 0.00012345, 5e-324, 1.7976931348623157e+308, 9007199254740992.0]"},
        {"\"\\u00e9\\/\\u0001\\b\\f\\n\\r\\t\\\"\\\\\\u007f\\ud83d\\ude42\"", 0,
         "\"\xC3\xA9/\\u0001\\b\\f\\n\\r\\t\\\"\\\\\x7F\xF0\x9F\x99\x82\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err;
        struct text_buffer out = {0};
        assert_true(convert(cases[i].json, cases[i].indent, &out, &err));
        text_buffer_append(&out, "", 1);
        assert_string_equal(out.data, cases[i].wanted);
        text_buffer_free(&out);
    }
}

static void mistakes(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"[01]", "here: expected a number at byte 1 of the JSON"},
        {"[1.]", "here: expected a number at byte 1 of the JSON"},
        {"[NaN]", "here: expected a number at byte 1 of the JSON"},
        {"[nul]", "here: expected a value at byte 1 of the JSON"},
        {"[1e999]", "here: the number at byte 1 of the JSON is too large"},
        {"{\"a\":1,\"b\":2,\"a\":3}", "here: an object has the member \"a\" twice"},
        {"[1", "here: JSON ends early, at byte 2, where ',' or ']' was expected"},
        {"{\"a\" 1}", "here: expected ':' at byte 5 of the JSON, found '1'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err = {0};
        struct text_buffer out = {0};
        assert_false(convert(cases[i][0], 0, &out, &err));
        assert_string_equal(err.text, cases[i][1]);
        text_buffer_free(&out);
    }
}

static void depth(void **state)
{
    (void)state;
    char json[1001];
    struct error err = {0};
    struct text_buffer out = {0};
    memset(json, '[', 1000);
    json[1000] = '\0';
    assert_false(convert(json, 0, &out, &err));
    assert_string_equal(err.text, "here: the JSON is nested more than 200 deep");
    text_buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts),
        cmocka_unit_test(mistakes),
        cmocka_unit_test(depth),
    };
    return cmocka_run_group_tests_name("JSON as Python writes it", tests, NULL, NULL);
}
