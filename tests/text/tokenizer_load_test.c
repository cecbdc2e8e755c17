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

/* Loads a tokenizer of these files (NULL: none); the message without the directory, or "" if it loads. */
static void load_files(const char *json, const char *config, const char *added, char message[1024])
{
    const char *const files[][2] = {
        {"tokenizer.json", json}, {"tokenizer_config.json", config}, {"added_tokens.json", added}};
    char directory[] = "/tmp/lorac-tokenizer-XXXXXX";
    struct error err = {0};
    assert_non_null(mkdtemp(directory));
    for (int i = 0; i < 3; i++) {
        if (files[i][1]) {
            write_file(directory, files[i][0], files[i][1]);
        }
    }
    struct tokenizer *tokenizer = tokenizer_load(directory, &err);
    bool loaded = tokenizer != NULL;
    tokenizer_free(tokenizer);
    for (int i = 0; i < 3; i++) {
        remove_file(directory, files[i][0]);
    }
    assert_int_equal(rmdir(directory), 0);
    size_t prefix = strlen(directory) + 1;
    snprintf(message, 1024, "%s", loaded ? "" : strlen(err.text) > prefix ? err.text + prefix : err.text);
}

static void load(const char *json, const char *config, char message[1024])
{
    load_files(json, config, NULL, message);
}

/* tokenizer.json, tokenizer_config.json (NULL: none), and what loading them says ("": nothing). */
static const struct {
    const char *json, *config, *wanted;
} refusals[] = {
    {"{" MODEL "}", NULL, ""},
    {"{" MODEL "}", "{\"bos_token\": null, \"eos_token\": {\"content\": \"ab\"}}", ""},
    {"{}", NULL, "tokenizer.json: 'model' is missing"},
    {"{\"version\": \"1.0\", " MODEL ", \"padding\": null, \"truncation\": null}", NULL, ""},
    {"{\"version\": \"2.0\", " MODEL "}", NULL, "tokenizer.json: version: expected \"1.0\""},
    {"{\"version\": 1.0, " MODEL "}", NULL, "tokenizer.json: version: expected \"1.0\""},
    {"{" MODEL ", \"extra\": 1}", NULL,
     "tokenizer.json: field 'extra' is not supported (known here: version truncation padding added_tokens "
     "normalizer pre_tokenizer post_processor decoder model)"},
    {"{" MODEL ", \"decoder\": null, \"decoder\": null}", NULL, "tokenizer.json: 'decoder' stands twice"},
    {"{" MODEL, NULL, "tokenizer.json: JSON ends early, at byte 80, where ',' or '}' was expected"},
    {"{" MODEL "} x", NULL, "tokenizer.json: expected the end at byte 82 of the JSON, found 'x'"},
    {"{\"model\": {\"type\": \"Unigram\", \"vocab\": [[\"a\", 0.5]]}}", NULL,
     "tokenizer.json: model.vocab: expected '{' at byte 39 of the JSON, found '['"},
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
    {"{" MODEL ", \"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"NFC\", \"x\": 1}]}}", NULL,
     "tokenizer.json: normalizer.normalizers[0]: field 'x' is not supported (known here: type )"},
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
     "tokenizer.json: added_tokens[0].id: '<s>', which model.vocab does not have, takes the next free id, 3; found "
     "2"},
    {"{" MODEL "}", "{\"eos_token\": \"</s>\"}",
     "tokenizer_config.json: eos_token is '</s>', which tokenizer.json does not have"},
    {"{" MODEL "}", "[1", "tokenizer_config.json: not a JSON object"},
    {"{\"model\": {\"vocab\": {\"a\": 0, \"\": 1}, \"merges\": [[\"a\", \"\"]]}}", NULL,
     "tokenizer.json: model.merges[0] joins 'a' with nothing"},
    {"{\"model\": {\"vocab\": {\"a\": 0, \"aa\": 1}, \"merges\": [[\"a\", \"a\"], [\"a\", \"a\"]]}}", NULL, ""},
    {"{\"model\": {\"vocab\": {\"a\": 0, \"b\": 1}, \"merges\": [[\"a\", \"b\"]]}}", NULL,
     "tokenizer.json: model.merges[0] needs the token 'ab', which model.vocab does not have"},
    {"{\"model\": {\"vocab\": {\"a\": 0}, \"merges\": [[\"a\", \"b\", \"c\"]]}}", NULL,
     "tokenizer.json: model.merges: expected ']' at byte 50 of the JSON, found ','"},
    {"{\"model\": {\"vocab\": {\"a\": 0}, \"merges\": {}}}", NULL,
     "tokenizer.json: model.merges: expected '[' at byte 40 of the JSON, found '{'"},
    {"{\"model\": {\"vocab\": {\"a\": 16777216}, \"merges\": []}}", NULL,
     "tokenizer.json: model.vocab: token 'a' has id 16777216; ids go from 0 to 16777215"},
    {"{\"model\": {\"vocab\": {\"a\": 99999999999999999999}, \"merges\": []}}", NULL,
     "tokenizer.json: model.vocab: the number at byte 26 of the JSON is too large"},
    {"{\"model\": {\"vocab\": {\"a\": 1e3}, \"merges\": []}}", NULL,
     "tokenizer.json: model.vocab: expected a whole number at byte 27 of the JSON, found 'e'"},
    {"{\"model\": {\"vocab\": {\"a\": \"0\"}, \"merges\": []}}", NULL,
     "tokenizer.json: model.vocab: expected a whole number at byte 26 of the JSON, found '\"'"},
    {"{\"model\": {\"vocab\": {\"a\": 0}, \"merges\": [], \"fuse_unk\": 1}}", NULL,
     "tokenizer.json: model.fuse_unk: expected true or false"},
    {"{\"model\": {\"vocab\": {\"\xFF"
     "\": 0}, \"merges\": []}}",
     NULL, "tokenizer.json: model.vocab: byte 0xFF at byte 22 of the JSON is not valid UTF-8"},
    {"{\"model\": {\"vocab\": {\"\\ud800x\": 0}, \"merges\": []}}", NULL,
     "tokenizer.json: model.vocab: the escape \\ud800 at byte 22 of the JSON is half of a surrogate pair, which is no "
     "character; "
     "remove it, or add the other half"},
    {"{" MODEL ", \"normalizer\": {\"type\": \"Prepend\", \"prepend\": \"\xC3"
     "\"}}",
     NULL, "tokenizer.json: byte 0xC3 at byte 128 of the JSON is not valid UTF-8"},
    {"{" MODEL ", \"normalizer\": {\"type\": \"Prepend\", \"prepend\": \"x\\u0000\"}}", NULL,
     "tokenizer.json: \\u0000 at byte 129 of the JSON is not supported outside model.vocab and merges"},
    {"{" MODEL ", \"normalizer\": "
     "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Sequence\","
     "\"normalizers\":[{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Sequence\",\"normalizers\":[{\"type\":"
     "\"Sequence\",\"normalizers\":[{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Sequence\",\"normalizers\":"
     "[{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFC\"}]}]}]}]}]}]}]}]}]}}",
     NULL,
     "tokenizer.json: "
     "normalizer.normalizers[0].normalizers[0].normalizers[0].normalizers[0].normalizers[0].normalizers[0]."
     "normalizers[0].normalizers[0].normalizers: expected a list, nested at most 8 deep"},
    {"{" MODEL ", \"normalizer\": []}", NULL, "tokenizer.json: normalizer: expected an object or null"},
    {"{" MODEL ", \"normalizer\": {\"type\": \"Replace\", \"pattern\": {\"String\": \"\"}, \"content\": \"x\"}}", NULL,
     "tokenizer.json: normalizer.pattern: expected {\"String\": ...} or {\"Regex\": ...}, not empty"},
    {"{" MODEL ", \"normalizer\": {\"type\": \"Replace\", \"pattern\": {\"Regex\": \"(\"}, \"content\": \"x\"}}", NULL,
     "tokenizer.json: normalizer.pattern: regular expression: missing closing parenthesis, in ("},
    {"{" MODEL ", \"pre_tokenizer\": {\"type\": \"Metaspace\", \"replacement\": \"xy\"}}", NULL,
     "tokenizer.json: pre_tokenizer.replacement: expected one character"},
    {"{" MODEL ", \"decoder\": {\"type\": \"Strip\", \"content\": \" \", \"start\": 1e300, \"stop\": 0}}", NULL,
     "tokenizer.json: decoder.start: expected a whole number of at least 0"},
    {"{" MODEL ", \"added_tokens\": [{\"id\": 3, \"content\": \"x\"}, {\"id\": 3, \"content\": \"x\"}]}", NULL,
     "tokenizer.json: added_tokens[1]: 'x' stands twice"},
    {"{" MODEL ", \"added_tokens\": [{\"id\": 3, \"content\": \"x\"}, {\"id\": 3, \"content\": \"y\"}]}", NULL,
     "tokenizer.json: added_tokens[1].id: 'y', which model.vocab does not have, takes the next free id, 4; found "
     "3"},
    {"{" MODEL ", \"added_tokens\": [{\"id\": 1e12, \"content\": \"x\"}]}", NULL,
     "tokenizer.json: added_tokens[0].id: expected a whole number of at least 0"},
    {"{" MODEL ", \"added_tokens\": [{\"id\": 20000000, \"content\": \"x\"}]}", NULL,
     "tokenizer.json: added_tokens[0].id: 'x', which model.vocab does not have, takes the next free id, 3; found "
     "20000000"},
    {"{" MODEL ", \"added_tokens\": [{\"id\": 3, \"content\": \"x\"}, {\"id\": 0, \"content\": \"a\"}, "
     "{\"id\": 4, \"content\": \"y\"}]}",
     NULL, ""},
    {"{" MODEL ", \"added_tokens\": [{\"id\": 3, \"content\": \"x\"}, {\"id\": 53, \"content\": \"y\"}]}", NULL,
     "tokenizer.json: added_tokens[1].id: 'y', which model.vocab does not have, takes the next free id, 4; found "
     "53"},
    {"{" MODEL ", \"added_tokens\": [{\"id\": 3, \"content\": \"\"}]}", NULL,
     "tokenizer.json: added_tokens[0].content: expected some text"},
    {"{" MODEL ", \"added_tokens\": [{\"id\": 3, \"content\": \"x\", \"special\": \"yes\"}]}", NULL,
     "tokenizer.json: added_tokens[0].special: expected true or false"},
    {"{" MODEL ", \"normalizer\": {\"type\": \"Lowercase\"}, \"added_tokens\": [{\"id\": 3, \"content\": \"X\"}, "
     "{\"id\": 4, \"content\": \"x\"}]}",
     NULL, "tokenizer.json: added_tokens: 'X' and 'x' stand for the same text"},
    {"{" MODEL ", \"post_processor\": {\"type\": \"Sequence\", \"processors\": [{\"type\": \"BertProcessing\", "
     "\"cls\": [\"a\", 0], \"sep\": [\"b\", 1]}, {\"type\": \"BertProcessing\", \"cls\": [\"a\", 0], "
     "\"sep\": [\"b\", 1]}]}}",
     NULL, "tokenizer.json: post_processor.processors[1]: a second processor that adds tokens is not supported"},
    {"{" MODEL ", \"post_processor\": {\"type\": \"BertProcessing\", \"cls\": [\"a\", 7], \"sep\": [\"b\", 1]}}", NULL,
     "tokenizer.json: post_processor.cls: expected [token, id] with an id of the vocabulary"},
    {"{" MODEL "}", "{\"added_tokens_decoder\": {\"3\": {\"content\": \"x\", \"lstrip\": 1}}}",
     "tokenizer_config.json: added_tokens_decoder.3.lstrip: expected true or false"},
    {"{" MODEL ", \"padding\": {\"strategy\": \"BatchLongest\"}, \"truncation\": {\"max_length\": 1}}", NULL, ""},
    {"{" MODEL ", \"padding\": 3}", NULL, "tokenizer.json: padding: expected an object or null"},
    {"{" MODEL ", \"truncation\": [512]}", NULL, "tokenizer.json: truncation: expected an object or null"},
    {"{\"model\": null}", NULL, "tokenizer.json: model: expected '{' at byte 10 of the JSON, found 'n'"},
    {"{\"model\": {\"vocab\": {\"a\": 5.5}, \"merges\": []}}", NULL,
     "tokenizer.json: model.vocab: expected a whole number at byte 27 of the JSON, found '.'"},
    {"{\"model\": {\"vocab\": {\"a\": 0}, \"merges\": [3]}}", NULL,
     "tokenizer.json: model.merges: expected a string at byte 41 of the JSON, found '3'"},
    {"{\"model\": {\"merges\": [[\"a\"]], \"vocab\": {\"a\": 0}}}", NULL,
     "tokenizer.json: model.merges: expected ',' at byte 26 of the JSON, found ']'"},
    {"{\"model\": {\"vocab\": {\"a\": 0}, \"merges\": [], \"unk_token\": 3}}", NULL,
     "tokenizer.json: model.unk_token: expected a string or null"},
    {"{" MODEL
     ", \"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": [{\"SpecialToken\": {\"id\": \"a\"}}, "
     "{\"Sequence\": {\"id\": \"A\"}}], \"special_tokens\": {\"a\": {\"ids\": [0, 2]}}}}",
     NULL, ""},
    {"{" MODEL
     ", \"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": [{\"SpecialToken\": {\"id\": \"a\"}}, "
     "{\"Sequence\": {\"id\": \"A\"}}], \"special_tokens\": {\"a\": {\"ids\": [5.5]}}}}",
     NULL, "tokenizer.json: post_processor.special_tokens.a.ids: expected a list of ids of the vocabulary"},
    {"{" MODEL
     ", \"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": [{\"SpecialToken\": {\"id\": \"a\"}}, "
     "{\"Sequence\": {\"id\": \"A\"}}], \"special_tokens\": {\"a\": {\"ids\": [1.5]}}}}",
     NULL, "tokenizer.json: post_processor.special_tokens.a.ids: expected a list of ids of the vocabulary"},
    {"{" MODEL
     ", \"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": [{\"SpecialToken\": {\"id\": \"a\"}}, "
     "{\"Sequence\": {\"id\": \"A\"}}], \"special_tokens\": {\"a\": {\"ids\": [3]}}}}",
     NULL, "tokenizer.json: post_processor.special_tokens.a.ids: expected a list of ids of the vocabulary"},
    {"{" MODEL
     ", \"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": [{\"SpecialToken\": {\"id\": \"a\"}}, "
     "{\"Sequence\": {\"id\": \"A\"}}], \"special_tokens\": {\"a\": {\"ids\": 0}}}}",
     NULL, "tokenizer.json: post_processor.special_tokens.a.ids: expected a list of ids of the vocabulary"},
    {"{" MODEL
     ", \"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": [{\"SpecialToken\": {\"id\": 1}}]}}",
     NULL, "tokenizer.json: post_processor.single: expected a SpecialToken's id to be a string"},
    {"{" MODEL ", \"post_processor\": {\"type\": \"BertProcessing\", \"cls\": [\"a\", 0.5], \"sep\": [\"b\", 1]}}",
     NULL, "tokenizer.json: post_processor.cls: expected [token, id] with an id of the vocabulary"},
    {"{" MODEL "}", "{\"split_special_tokens\": false}", ""},
    {"{" MODEL "}", "{\"split_special_tokens\": true}",
     "tokenizer_config.json: split_special_tokens is true, which is not supported: a text that spells a special token "
     "becomes that token here; set it to false"},
    {"{" MODEL "}", "{\"pad_token\": \"<pad>\", \"additional_special_tokens\": [\"<x>\"]}", ""},
};

static void refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        char message[1024];
        load(refusals[i].json, refusals[i].config, message);
        assert_string_equal(message, refusals[i].wanted);
    }
}

/* added_tokens.json: what the tokenizer has anyway is fine, all else is refused, unless added_tokens_decoder takes its place. */
static void added_tokens_beside(void **state)
{
    (void)state;
    static const char json[] = "{" MODEL ", \"added_tokens\": [{\"id\": 3, \"content\": \"<x>\"}]}";
    static const struct {
        const char *config, *added, *wanted;
    } cases[] = {
        {NULL, "{}", ""},
        {NULL, "{\"<x>\": 3}", ""},
        {"{\"pad_token\": \"<pad>\"}", "{\"<x>\": 3, \"<pad>\": 4}", ""},
        {"{\"added_tokens_decoder\": {}}", "{\"<y>\": 4}", ""},
        {NULL, "{\"<x>\": 3, \"<y>\": 4}",
         "added_tokens.json: token '<y>' with id 4 is not among tokenizer.json's added_tokens; save the tokenizer once "
         "more with Transformers, which writes it there"},
        {NULL, "{\"<x>\": 5}",
         "added_tokens.json: token '<x>' with id 5 is not among tokenizer.json's added_tokens; save the tokenizer once "
         "more with Transformers, which writes it there"},
        {NULL, "{\"ab\": 2}",
         "added_tokens.json: token 'ab' with id 2 is not among tokenizer.json's added_tokens; save the tokenizer once "
         "more with Transformers, which writes it there"},
        {NULL, "{\"<x>\": \"3\"}", "added_tokens.json: the id of token '<x>': expected a whole number of at least 0"},
        {NULL, "[]", "added_tokens.json: not a JSON object"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char message[1024];
        load_files(json, cases[i].config, cases[i].added, message);
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

static void deeply_nested(void **state)
{
    (void)state;
    enum { DEPTH = 600 };
    char message[1024];
    struct text_buffer json = {0};
    text_buffer_append_string(&json, "{" MODEL ", \"normalizer\": ");
    for (int i = 0; i < 2 * DEPTH; i++) {
        text_buffer_append_string(&json, i < DEPTH ? "[" : "]");
    }
    text_buffer_append(&json, "}", 2);
    load(json.data, NULL, message);
    assert_string_equal(
        message, "tokenizer.json: expected arrays and objects nested at most 512 deep, found deeper ones at byte 608 "
                 "of the JSON; make it flatter, or leave that part out");
    text_buffer_free(&json);
}

/* What Transformers makes of the files beside tokenizer.json: the ids of one text, as AutoTokenizer gave them. */
struct beside {
    const char *config, *names, *model; /* tokenizer_config.json, special_tokens_map.json, config.json; NULL: none */
    int32_t ids[12];
    size_t count;
};

static void check_beside(const char *json, const char *text, const struct beside *beside)
{
    const char *const files[][2] = {{"tokenizer.json", json},
                                    {"tokenizer_config.json", beside->config},
                                    {"special_tokens_map.json", beside->names},
                                    {"config.json", beside->model}};
    char directory[] = "/tmp/lorac-tokenizer-XXXXXX";
    struct error err = {0};
    struct ids ids = {0};
    assert_non_null(mkdtemp(directory));
    for (int i = 0; i < 4; i++) {
        if (files[i][1]) {
            write_file(directory, files[i][0], files[i][1]);
        }
    }
    struct tokenizer *tokenizer = tokenizer_load(directory, &err);
    for (int i = 0; i < 4; i++) {
        remove_file(directory, files[i][0]);
    }
    assert_int_equal(rmdir(directory), 0);
    if (!tokenizer) {
        fail_msg("%s", err.text);
    }
    assert_true(tokenizer_encode(tokenizer, text, strlen(text), true, &ids, &err));
    assert_int_equal(ids.count, beside->count);
    assert_memory_equal(ids.id, beside->ids, ids.count * sizeof *ids.id);
    ids_free(&ids);
    tokenizer_free(tokenizer);
}

#define LLAMA                                                                                                          \
    "{\"added_tokens\": [{\"id\": 4, \"content\": \"</s>\", \"special\": true}],"                                      \
    " \"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"Prepend\", \"prepend\": "                \
    "\"\xE2\x96\x81\"},"                                                                                               \
    " {\"type\": \"Replace\", \"pattern\": {\"String\": \" \"}, \"content\": \"\xE2\x96\x81\"}]},"                     \
    " \"model\": {\"vocab\": {\"a\": 0, \"\xE2\x96\x81\": 1, \"\xE2\x96\x81\xE2\x96\x81\": 2, "                        \
    "\"\xE2\x96\x81\x61\": 3},"                                                                                        \
    " \"merges\": [\"\xE2\x96\x81 \xE2\x96\x81\", \"\xE2\x96\x81 a\"]}}"

/* Transformers rebuilds a LlamaTokenizer: a text that starts with a space gets no second one. Not so for a model of type mistral. */
static void llama_class(void **state)
{
    (void)state;
    static const struct beside cases[] = {
        {"{}", NULL, NULL, {2, 0, 4, 3}, 4},
        {"{\"tokenizer_class\": \"LlamaTokenizer\", \"legacy\": true}", NULL, NULL, {3, 4, 3}, 3},
        {"{\"tokenizer_class\": \"LlamaTokenizerFast\"}", NULL, NULL, {3, 4, 0}, 3},
        {"{\"tokenizer_class\": \"LlamaTokenizer\"}", NULL, "{\"model_type\": \"llama\"}", {3, 4, 0}, 3},
        {"{\"tokenizer_class\": \"LlamaTokenizer\"}", NULL, "{\"model_type\": \"mistral\"}", {2, 0, 4, 3}, 4},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        check_beside(LLAMA, " a</s>a", &cases[i]);
    }
}

/* Flags by added_tokens_decoder; named tokens are added; add_bos_token means nothing beside a tokenizer.json. */
static void special_tokens(void **state)
{
    (void)state;
    static const char json[] = "{\"added_tokens\": [{\"id\": 3, \"content\": \"<s>\", \"special\": true}],"
                               " \"model\": {\"vocab\": {\"a\": 0, \" \": 1, \"x\": 2}, \"merges\": []}}";
    static const struct beside cases[] = {
        {NULL, NULL, NULL, {0, 1, 3, 1, 2}, 5},
        {"{\"bos_token\": \"<s>\", \"add_bos_token\": true}", NULL, NULL, {0, 1, 3, 1, 2}, 5},
        {"{\"added_tokens_decoder\": {\"3\": {\"content\": \"<s>\", \"rstrip\": true}}}", NULL, NULL, {0, 1, 3, 2}, 4},
        {"{\"added_tokens_decoder\": {\"3\": {\"content\": \"<s>\", \"lstrip\": true}}}", NULL, NULL, {0, 3, 1, 2}, 4},
        {"{\"pad_token\": \" <s>\"}", NULL, NULL, {0, 4, 1, 2}, 4},
        {"{\"additional_special_tokens\": [\"> \", \"a <\"]}", NULL, NULL, {5, 4, 2}, 3},
        {NULL, "{\"unk_token\": {\"content\": \" x\", \"lstrip\": false}}", NULL, {0, 1, 3, 4}, 4},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        check_beside(json, "a <s> x", &cases[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused),     cmocka_unit_test(missing_directory), cmocka_unit_test(deeply_nested),
        cmocka_unit_test(llama_class), cmocka_unit_test(special_tokens),    cmocka_unit_test(added_tokens_beside),
    };
    return cmocka_run_group_tests_name("loading tokenizers", tests, NULL, NULL);
}
