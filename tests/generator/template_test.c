/* The template engine: what templates become, and the exact message of each mistake. */
#include "template.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char globals[] =
    "{\"plan\": {\"hidden\": 64, \"eps\": 1e-6, \"scale\": 2.5, \"tied\": true, \"none\": null,"
    "\"name\": \"rope\", \"big\": 1234567, \"layers\": [{\"k\": \"q\"}, {\"k\": \"v\"}]}}";

struct example {
    const char *name, *source, *wanted;
};

static const struct example renderings[] = {
    {"text stays as it is", "a\n\n  b\t$ $x \\ \"'\n", "a\n\n  b\t$ $x \\ \"'\n"},
    {"no newline at the end stays none", "a", "a"},
    {"nothing gives nothing", "", ""},
    {"values", "[$(plan.hidden)] $(plan.scale) $(plan.eps) $(plan.tied) $(plan.name)\n", "[64] 2.5 1e-06 true rope\n"},
    {"brackets and strings in expressions", "$((\")\"):rep((1 + 1) * 1))$(')')\n", ")))\n"},
    {"an escaped dollar", "$$(plan.hidden) $$$(plan.hidden)\n", "$(plan.hidden) $$(plan.hidden)\n"},
    {"lines of Lua leave no line", "a\n//@ for i = 1, 2 do\n    $(i);\n  //@ end\nb\n", "a\n    1;\n    2;\nb\n"},
    {"Lua over several lines", "//@ local x =\n//@   3 -- a comment\n$(x)\n", "3\n"},
    {"lists", "//@ for i, l in ipairs(plan.layers) do\n$(i)$(l.k)\n//@ end\n", "1q\n2v\n"},
    {"null can be asked for", "//@ if plan.none then\na\n//@ else\nb\n//@ end\n", "b\n"},
    {"pairs goes by name", "//@ for k in pairs({ b = 1, a = 1, c = 1, [2] = 1, [1] = 1 }) do\n$(k)\n//@ end\n",
     "1\n2\na\nb\nc\n"},
    {"c_string", "$(c_string('a\"b\\\\c\\n?\?=\\1é'))\n", "\"a\\\"b\\\\c\\n?\\?=\\001é\"\n"},
    {"c_text, short", "$(c_text('a\\nb', 4))\n", "\"a\\nb\"\n"},
    {"c_text, empty", "$(c_text('', 4))\n", "\"\"\n"},
    {"c_text, long", "x = $(c_text(('word '):rep(16) .. '\\n\\nend', 4))\n",
     "x = \"word word word word word word word word word word word word word word \"\n    \"word word \\n\\n\"\n    "
     "\"end\"\n"},
    {"c_text, unbreakable", "$(c_text(('x'):rep(90), 4))\n",
     "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"\n"},
    {"c_float is the shortest", "$(c_float(0.1)) $(c_float(1)) $(c_float(1e-5)) $(c_float(1/3))\n",
     "0.1f 1.0f 1e-05f 0.33333334f\n"},
    {"c_double is the shortest", "$(c_double(0.1)) $(c_double(-2)) $(c_double(1e300)) $(c_double(1/3))\n",
     "0.1 -2.0 1e+300 0.3333333333333333\n"},
    {"types of numbers",
     "$(load_as(\"float\", \"x[i]\")) $(load_as(\"bfloat16_t\", \"x[i]\")) $(store_as(\"bfloat16_t\", \"a + b\"))\n",
     "x[i] bfloat16_to_float(x[i]) float_to_bfloat16(a + b)\n"},
    {"what types mean",
     "$(operand_of(\"float\")) $(operand_of(\"bfloat16_t\")) $(result_of(\"bfloat16_t\")) $(bytes_of(\"float\"))\n",
     "floats stored to_bfloat16s 4\n"},
    {"comma", "$(comma(0)) $(comma(999)) $(comma(plan.big)) $(comma(-1000))\n", "0 999 1,234,567 -1,000\n"},
    {"an expression has one value", "$(('a'):gsub('a', 'b'))\n", "b\n"},
};

static const struct example mistakes[] = {
    {"a field that is not there", "\n$(plan.hiden)\n", "t.c:2: 'plan.hiden' is nil"},
    {"even in a condition", "//@ if plan.dora then\n//@ end\n", "t.c:1: 'plan.dora' is nil"},
    {"a field deep inside", "$(plan.layers[2].r)", "t.c:1: 'plan.layers[2].r' is nil"},
    {"an item that is not there", "$(plan.layers[3])", "t.c:1: 'plan.layers[3]' is nil"},
    {"null", "$(plan.none)", "t.c:1: 'plan.none' is nil"},
    {"a global that is not there", "a\nb\n$(x)", "t.c:3: 'x' is nil"},
    {"a table", "$(plan.layers)", "t.c:1: 'plan.layers' is a table, which has no text"},
    {"not a number", "$(0/0)", "t.c:1: '0/0' is not a finite number"},
    {"an unknown type", "$(bytes_of(\"half\"))", "t.c:1: 'half' is no type of numbers; known: float, bfloat16_t"},
    {"a number without a constant", "$(c_float(1e300))", "t.c:1: 1e+300 is too large for a float"},
    {"a new global", "//@ x = 1\n", "t.c:1: 'x' is not declared; write local x"},
    {"no end of an expression", "\n$(plan.hidden\n)", "t.c:2: '$(' without its ')' on the same line"},
    {"broken Lua", "\n\n//@ for i = do\n", "t.c:3: unexpected symbol near 'do'"},
    {"a broken expression", "$(1 2)", "t.c:1: ')' expected near '2'"},
    {"a loop without end", "//@ while true do end",
     "t.c:1: still running after all the instructions that it may take: "
     "does it loop forever?"},
    {"no files", "//@ io.open('x')", "t.c:1: 'io' is nil"},
};

static bool render(const char *source, char **text, struct messages *messages)
{
    cJSON *json = cJSON_Parse(globals);
    assert_non_null(json);
    bool rendered = template_render_text(source, strlen(source), "t.c", json, text, messages);
    cJSON_Delete(json);
    return rendered;
}

static void renders(void **state)
{
    const struct example *example = *state;
    struct messages messages = {0};
    char *text = NULL;
    bool rendered = render(example->source, &text, &messages);
    if (!rendered)
        print_message("%s\n", messages.lines[0]);
    assert_true(rendered);
    assert_string_equal(text, example->wanted);
    assert_int_equal(messages.count, 0);
    free(text);
}

static void refuses(void **state)
{
    const struct example *example = *state;
    struct messages messages = {0};
    char *text = NULL;
    assert_false(render(example->source, &text, &messages));
    assert_null(text);
    assert_int_equal(messages.count, 1);
    assert_string_equal(messages.lines[0], example->wanted);
    messages_free(&messages);
}

static void missing_file_is_named(void **state)
{
    struct messages messages = {0};
    char *text;
    (void)state;
    assert_false(template_render("/nowhere/templates/a.c", NULL, &text, &messages));
    assert_null(text);
    assert_string_equal(messages.lines[0], "templates/a.c: cannot read the template: No such file or directory");
    messages_free(&messages);
}

int main(void)
{
    enum { GOOD = sizeof renderings / sizeof *renderings, BAD = sizeof mistakes / sizeof *mistakes };
    struct CMUnitTest tests[GOOD + BAD + 1] = {cmocka_unit_test(missing_file_is_named)};
    size_t count = 1;
    for (size_t i = 0; i < GOOD; i++)
        tests[count++] = (struct CMUnitTest){renderings[i].name, renders, NULL, NULL, (void *)(size_t)&renderings[i]};
    for (size_t i = 0; i < BAD; i++)
        tests[count++] = (struct CMUnitTest){mistakes[i].name, refuses, NULL, NULL, (void *)(size_t)&mistakes[i]};
    return _cmocka_run_group_tests("template", tests, count, NULL, NULL);
}
