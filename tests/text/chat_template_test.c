#define _POSIX_C_SOURCE 200809L
/* The models' own chat templates against the formats of recipes/chat/. */
#include "chat_template.h"
#include "output_file.h"
#include "text/chat_formats.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const struct chat_format *const formats[] = {
    &chatml_format,
    &gemma_format,
    &llama2_format,
    &llama3_format,
    &llama3_1_format,
    &mistral_format,
    &qwen1_5_format,
    &qwen2_format,
    &qwen2_5_format,
    &qwen3_format,
    &qwen3_no_thinking_format,
    &qwen3_instruct_format,
    &tinyllama_format,
};

/* Whose templates a format agrees with. Without tools and a system prompt of their own, Qwen3-Instruct and ChatML are the same. */
static const struct {
    const char *format, *template;
} agreeing[] = {
    {"chatml", "ChatML"},
    {"chatml", "Qwen3-Instruct-2507"},
    {"gemma", "Gemma"},
    {"llama2", "Llama 2"},
    {"llama3", "Llama 3"},
    {"llama3", "Llama 3 Instruct"},
    {"qwen1_5", "Qwen1.5"},
    {"llama3_1", "Llama 3.1 to 3.3"},
    {"qwen2", "Qwen2"},
    {"mistral", "Mistral-7B-Instruct v0.2"},
    {"qwen2_5", "Qwen2.5"},
    {"qwen3_instruct", "Qwen3-Instruct-2507"},
    {"qwen3", "Qwen3"},
    {"qwen3_instruct", "ChatML"},
    {"tinyllama", "Zephyr and TinyLlama"},
};

static bool should_agree(const char *format, const char *template)
{
    for (size_t i = 0; i < sizeof agreeing / sizeof *agreeing; i++) {
        if (strcmp(agreeing[i].format, format) == 0 && strcmp(agreeing[i].template, template) == 0) {
            return true;
        }
    }
    return false;
}

static void formats_agree_with_their_own_templates_alone(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        for (int j = 0; j < known_template_count; j++) {
            const char *format = formats[i]->name, *template = known_templates[j].name;
            char *difference = chat_template_difference(formats[i], &known_templates[j]);
            if (!difference != should_agree(format, template)) {
                fail_msg("%s and %s: %s", format, template, difference ? difference : "no difference");
            }
            free(difference);
        }
    }
}

static void differences_are_shown(void **state)
{
    (void)state;
    struct chat_format other = tinyllama_format;
    char *warning = chat_template_warning(&other, "tests/data/demo/model");
    assert_string_equal(
        warning,
        "tests/data/demo/model/tokenizer_config.json: its chat template is lorac's demo's, and the recipe's chat "
        "format "
        "'tinyllama' differs: the template writes \"<|im_start|>system\\nBe brief.<|im\" where the format writes "
        "\"<|system|>\\nBe brief.</s>\\n<|user|\"; if that is meant, say other_template = true among the recipe's chat "
        "options");
    free(warning);
    other.other_template = true;
    assert_null(chat_template_warning(&other, "tests/data/demo/model"));
    const struct chat_format none = {.name = NULL};
    assert_null(chat_template_warning(&none, "tests/data/demo/model"));
    assert_null(chat_template_warning(&tinyllama_format, "tests/data/text/qwen2.5-2k"));
}

/* The template knows a system prompt of its own, the format does not, or another. */
static void system_prompts(void **state)
{
    (void)state;
    struct chat_format persona = chatml_format;
    char *warning = chat_template_warning(&chatml_format, "tests/data/demo/model");
    assert_non_null(warning);
    assert_non_null(strstr(warning,
                           "the template writes \"_start|>system\\nYou are a friendl\" where the format writes "
                           "\"_start|>user\\nHello?<|im_end|>\\n<|\";"));
    free(warning);
    persona.default_system = "You are a pirate.";
    warning = chat_template_warning(&persona, "tests/data/demo/model");
    assert_non_null(warning);
    free(warning);
    persona.own_system = true;
    assert_null(chat_template_warning(&persona, "tests/data/demo/model"));
}

/* ---- files ---- */

static void write_file(const char *directory, const char *name, const char *text)
{
    char *path = path_join(directory, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    free(path);
}

static void expect_warning(const char *directory, const char *wanted)
{
    char *warning = chat_template_warning(&chatml_format, directory), *path = format_text("%s/%s", directory, wanted);
    assert_string_equal(warning, path);
    free(warning);
    free(path);
}

static void files_in_their_order(void **state)
{
    (void)state;
    static const char *const names[] = {"tokenizer_config.json", "chat_template.json", "chat_template.jinja"};
    static const char unknown[] =
        ": its chat template is none of those known here, so whether the recipe's chat format "
        "'chatml' agrees with it is not checked; if that is meant, say other_template = true "
        "among the recipe's chat options";
    char directory[] = "/tmp/lorac-template-XXXXXX";
    assert_non_null(mkdtemp(directory));
    assert_null(chat_template_warning(&chatml_format, directory));
    for (int i = 0; i < 3; i++) {
        write_file(directory, names[i],
                   i == 0   ? "{\"chat_template\": [{\"name\": \"default\", \"template\": \"{{ a }}\"}]}"
                   : i == 1 ? "{\"chat_template\": \"{{ b }}\"}"
                            : "{{ c }}");
        char *wanted = format_text("%s%s", names[i], unknown);
        expect_warning(directory, wanted);
        free(wanted);
    }
    write_file(directory, names[1], "{");
    expect_warning(directory,
                   "chat_template.jinja: its chat template is none of those known here, so whether the recipe's "
                   "chat format 'chatml' agrees with it is not checked; if that is meant, say other_template = "
                   "true among the recipe's chat options");
    char *jinja = path_join(directory, names[2]);
    unlink(jinja);
    free(jinja);
    static const char cannot_be_told[] = "whether it agrees with the recipe's chat format 'chatml' cannot be told";
    char *broken = format_text("chat_template.json:1: not valid JSON from here on; %s", cannot_be_told);
    expect_warning(directory, broken);
    free(broken);
    static const char *const no_texts[] = {"3",
                                           "true",
                                           "{}",
                                           "[]",
                                           "[{\"name\": \"tool_use\", \"template\": \"x\"}]",
                                           "[{\"name\": \"default\", \"template\": 1}]"};
    char *no_text = format_text("chat_template.json: chat_template: expected a string, or a list of templates with one "
                                "named default; %s",
                                cannot_be_told);
    for (size_t i = 0; i < sizeof no_texts / sizeof *no_texts; i++) {
        char *json = format_text("{\"chat_template\": %s}", no_texts[i]);
        write_file(directory, names[1], json);
        expect_warning(directory, no_text);
        free(json);
    }
    free(no_text);
    for (int i = 0; i < 2; i++) {
        char *path = path_join(directory, names[i]);
        unlink(path);
        free(path);
    }
    rmdir(directory);
}

static void hashes(void **state)
{
    (void)state;
    static const char unix_text[] = "{{ a }}\n{{ b }}", windows_text[] = "{{ a }}\r\n{{ b }}\r\n",
                      other[] = "{{ a }}\r{{ b }}";
    static const char *const longer[] = {"{{ a }}\n{{ b }} ", "{{ a }}\n{{ b }}\n\n", "{{ a }}\n{{ b }}\n ",
                                         "{{ a }}\n{{ b }}\t\n"};
    uint64_t hash = chat_template_hash(unix_text, strlen(unix_text));
    assert_true(hash == chat_template_hash(windows_text, strlen(windows_text)));
    assert_true(hash != chat_template_hash(other, strlen(other)));
    for (size_t i = 0; i < sizeof longer / sizeof *longer; i++)
        assert_true(hash != chat_template_hash(longer[i], strlen(longer[i])));
    assert_true(chat_template_hash("", 0) == chat_template_hash("\n", 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats_agree_with_their_own_templates_alone),
        cmocka_unit_test(differences_are_shown),
        cmocka_unit_test(system_prompts),
        cmocka_unit_test(files_in_their_order),
        cmocka_unit_test(hashes),
    };
    return cmocka_run_group_tests_name("chat templates", tests, NULL, NULL);
}
