/* What tokenizer_load refuses, with the exact message: the file, the field, what is wrong. */
#define _POSIX_C_SOURCE 200809L /* mkdtemp */
#include "tokenizer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define MODEL "\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0, \"b\": 1, \"ab\": 2}, \"merges\": [\"a b\"]}"

static void write_file(const char *directory, const char *name, const char *text)
{
    char *path = format_text("%s/%s", directory, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
    free(path);
}

static void remove_file(const char *directory, const char *name)
{
    char *path = format_text("%s/%s", directory, name);
    remove(path);
    free(path);
}

/* Loads a tokenizer of these two files (config NULL: none); the message without the directory, or "" if it loads. */
static void load(const char *json, const char *config, char message[1024])
{
    char directory[] = "/tmp/lorac-tokenizer-XXXXXX";
    struct error err = {0};
    assert_non_null(mkdtemp(directory));
    write_file(directory, "tokenizer.json", json);
    if (config) {
        write_file(directory, "tokenizer_config.json", config);
    }
    struct tokenizer *tokenizer = tokenizer_load(directory, &err);
    bool loaded = tokenizer != NULL;
    tokenizer_free(tokenizer);
    remove_file(directory, "tokenizer.json");
    remove_file(directory, "tokenizer_config.json");
    assert_int_equal(rmdir(directory), 0);
    size_t prefix = strlen(directory) + 1;
    snprintf(message, 1024, "%s", loaded ? "" : strlen(err.text) > prefix ? err.text + prefix : err.text);
}

static void refused(void **state)
{
    static const struct {
        const char *json, *config, *wanted;
    } cases[] = {
        {"{" MODEL "}", NULL, ""},
        {"{" MODEL "}", "{\"bos_token\": null, \"eos_token\": {\"content\": \"ab\"}}", ""},
        {"{}", NULL, "tokenizer.json: 'model' is missing"},
        {"{" MODEL, NULL, "tokenizer.json: JSON ends early, at byte 80, where ',' or '}' was expected"},
        {"{" MODEL "} x", NULL, "tokenizer.json: expected the end at byte 82 of the JSON, found 'x'"},
        {"{\"model\": {\"type\": \"Unigram\", \"vocab\": [[\"a\", 0.5]]}}", NULL,
         "tokenizer.json: expected '{' at byte 39 of the JSON, found '['"},
        {"{\"model\": {\"type\": \"WordLevel\", \"vocab\": {\"a\": 0}}}", NULL,
         "tokenizer.json: model.merges is missing; only models of type BPE are supported"},
        {"{\"model\": {\"vocab\": {\"a\": 0, \"b\": 0}, \"merges\": []}}", NULL,
         "tokenizer.json: model.vocab: id 0 is given to two tokens: 'a' and 'b'"},
        {"{\"model\": {\"vocab\": {\"a\": 0, \"a\": 1}, \"merges\": []}}", NULL,
         "tokenizer.json: model.vocab: token 'a' stands twice, with ids 0 and 1"},
        {"{\"model\": {\"vocab\": {\"a\": -3}, \"merges\": []}}", NULL,
         "tokenizer.json: model.vocab: token 'a' has id -3; ids go from 0 to 16777215"},
        {"{\"model\": {\"vocab\": {\"a\": 0}, \"merges\": [\"a a\"]}}", NULL,
         "tokenizer.json: model.merges[0] needs the token 'aa', which model.vocab does not have"},
        {"{\"model\": {\"vocab\": {\"a\": 0}, \"merges\": [\"a a a\"]}}", NULL,
         "tokenizer.json: model.merges: 'a a a' is not two tokens with a blank between"},
        {"{\"model\": {\"vocab\": {\"a\": 0}, \"merges\": [], \"dropout\": 0.1}}", NULL,
         "tokenizer.json: model.dropout: only null is supported"},
        {"{\"model\": {\"vocab\": {\"a\": 0}, \"merges\": [], \"unk_token\": \"?\"}}", NULL,
         "tokenizer.json: model.unk_token: '?' is not in model.vocab"},
        {"{\"model\": {\"vocab\": {\"a\": 0}, \"merges\": [], \"end_of_word_suffix\": \"</w>\"}}", NULL,
         "tokenizer.json: model.end_of_word_suffix: only null is supported"},
        {"{" MODEL ", \"normalizer\": {\"type\": \"Precompiled\"}}", NULL,
         "tokenizer.json: normalizer.type: 'Precompiled' is not supported (known: Sequence, NFC, NFD, NFKC, NFKD, "
         "Lowercase, "
         "Strip, Prepend, Replace)"},
        {"{" MODEL ", \"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"NFC\", \"x\": 1}]}}",
         NULL, "tokenizer.json: normalizer.normalizers[0]: field 'x' is not supported (known here: type )"},
        {"{" MODEL
         ", \"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"Regex\": \"\\\\h\"}, \"behavior\": \"Isolated\"}}",
         NULL, "tokenizer.json: pre_tokenizer.pattern: regular expression: \\h at offset 0 of \\h is not supported"},
        {"{" MODEL
         ", \"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"String\": \"x\"}, \"behavior\": \"Dropped\"}}",
         NULL,
         "tokenizer.json: pre_tokenizer.behavior: 'Dropped' is not supported (known: Removed, Isolated, "
         "MergedWithPrevious, "
         "MergedWithNext, Contiguous)"},
        {"{" MODEL ", \"pre_tokenizer\": {\"type\": \"Whitespace\"}}", NULL,
         "tokenizer.json: pre_tokenizer.type: 'Whitespace' is not supported (known: Sequence, Split, ByteLevel, "
         "Metaspace, "
         "Digits, Punctuation)"},
        {"{" MODEL ", \"decoder\": {\"type\": \"CTC\"}}", NULL,
         "tokenizer.json: decoder.type: 'CTC' is not supported (known: Sequence, ByteLevel, ByteFallback, Fuse, Strip, "
         "Replace, Metaspace)"},
        {"{" MODEL ", \"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": [{\"SpecialToken\": {\"id\": "
         "\"<s>\"}}]}}",
         NULL, "tokenizer.json: post_processor: the template uses '<s>', which special_tokens does not have"},
        {"{" MODEL ", \"added_tokens\": [{\"id\": 7, \"content\": \"ab\"}]}", NULL,
         "tokenizer.json: added_tokens[0]: 'ab' has id 7 here but 2 in the vocabulary"},
        {"{" MODEL ", \"added_tokens\": [{\"id\": 2, \"content\": \"<s>\"}]}", NULL,
         "tokenizer.json: added_tokens[0]: id 2 is given to two tokens: 'ab' and '<s>'"},
        {"{" MODEL "}", "{\"eos_token\": \"</s>\"}",
         "tokenizer_config.json: eos_token is '</s>', which tokenizer.json does not have"},
        {"{" MODEL "}", "[1", "tokenizer_config.json: not a JSON object"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char message[1024];
        load(cases[i].json, cases[i].config, message);
        assert_string_equal(message, cases[i].wanted);
    }
}

static void missing_directory(void **state)
{
    (void)state;
    struct error err;
    assert_null(tokenizer_load("tests/data/nowhere", &err));
    assert_string_equal(err.text,
                        "tests/data/nowhere/tokenizer.json: not found; a model directory needs the tokenizer.json that "
                        "Transformers saves");
}

/* Transformers rebuilds a LlamaTokenizer: a text that starts with a space gets no second one. */
static void llama_class(void **state)
{
    (void)state;
    static const char json[] =
        "{\"added_tokens\": [{\"id\": 4, \"content\": \"</s>\", \"special\": true}],"
        " \"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"Prepend\", \"prepend\": "
        "\"\xE2\x96\x81\"},"
        " {\"type\": \"Replace\", \"pattern\": {\"String\": \" \"}, \"content\": \"\xE2\x96\x81\"}]},"
        " \"model\": {\"vocab\": {\"a\": 0, \"\xE2\x96\x81\": 1, \"\xE2\x96\x81\xE2\x96\x81\": 2, "
        "\"\xE2\x96\x81\x61\": 3},"
        " \"merges\": [\"\xE2\x96\x81 \xE2\x96\x81\", \"\xE2\x96\x81 a\"]}}";
    static const struct {
        const char *config;
        int32_t ids[5];
        size_t count;
    } cases[] = {
        {"{}", {2, 0, 4, 3}, 4},
        {"{\"tokenizer_class\": \"LlamaTokenizer\", \"legacy\": true}", {3, 4, 3}, 3},
        {"{\"tokenizer_class\": \"LlamaTokenizerFast\"}", {3, 4, 0}, 3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char directory[] = "/tmp/lorac-tokenizer-XXXXXX";
        struct error err = {0};
        struct ids ids = {0};
        assert_non_null(mkdtemp(directory));
        write_file(directory, "tokenizer.json", json);
        write_file(directory, "tokenizer_config.json", cases[i].config);
        struct tokenizer *tokenizer = tokenizer_load(directory, &err);
        assert_non_null(tokenizer);
        assert_true(tokenizer_encode(tokenizer, " a</s>a", 7, true, &ids, &err));
        assert_int_equal(ids.count, cases[i].count);
        assert_memory_equal(ids.id, cases[i].ids, ids.count * sizeof *ids.id);
        ids_free(&ids);
        tokenizer_free(tokenizer);
        remove_file(directory, "tokenizer.json");
        remove_file(directory, "tokenizer_config.json");
        assert_int_equal(rmdir(directory), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused),
        cmocka_unit_test(missing_directory),
        cmocka_unit_test(llama_class),
    };
    return cmocka_run_group_tests_name("loading tokenizers", tests, NULL, NULL);
}
