/* config.json in both forms, the defaults of each family, mistakes, and rotary frequencies against numbers that the functions of
 * Transformers' modeling_rope_utils.py give in double precision.
 */
#include "model_config.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool parse(struct model_config *config, const char *text, const char *where, struct error *err)
{
    cJSON *json = cJSON_Parse(text);
    assert_non_null(json);
    bool parsed = model_config_parse(config, json, where, err);
    cJSON_Delete(json);
    return parsed;
}

static struct model_config parsed(const char *text)
{
    struct model_config config;
    struct error err = {0};
    bool fine = parse(&config, text, "", &err);
    if (!fine)
        print_message("%s\n", err.text);
    assert_true(fine);
    return config;
}

static void defaults_are_those_of_transformers(void **state)
{
    struct model_config qwen2 = parsed("{\"model_type\": \"qwen2\"}"), qwen3 = parsed("{\"model_type\": \"qwen3\"}");
    struct model_config llama = parsed("{\"model_type\": \"llama\"}"),
                        mistral = parsed("{\"model_type\": \"mistral\"}");
    (void)state;
    assert_int_equal(qwen2.hidden_size, 4096);
    assert_int_equal(qwen2.intermediate_size, 22016);
    assert_int_equal(qwen2.num_key_value_heads, 32);
    assert_int_equal(qwen2.head_dim, 128);
    assert_int_equal(qwen2.vocab_size, 151936);
    assert_true(qwen2.rms_norm_eps == 1e-6 && qwen2.rope.theta == 10000 && !qwen2.tie_word_embeddings);
    assert_true(qwen2.qkv_bias && !qwen2.o_bias && !qwen2.mlp_bias && !qwen2.qk_norm && qwen2.sliding_window == 0);
    assert_true(qwen3.qk_norm && !qwen3.qkv_bias && qwen3.head_dim == 128);
    assert_int_equal(llama.intermediate_size, 11008);
    assert_int_equal(llama.vocab_size, 32000);
    assert_int_equal(llama.max_position_embeddings, 2048);
    assert_int_equal(llama.num_key_value_heads, 32);
    assert_true(!llama.qkv_bias && !llama.mlp_bias && llama.sliding_window == 0);
    assert_int_equal(mistral.intermediate_size, 14336);
    assert_int_equal(mistral.num_key_value_heads, 8);
    assert_int_equal(mistral.max_position_embeddings, 131072);
    assert_int_equal(mistral.sliding_window, 4096);
    assert_int_equal(model_config_window(&mistral, 0), 4096);
}

static void given_fields_win(void **state)
{
    struct model_config c =
        parsed("{\"architectures\": [\"LlamaForCausalLM\"], \"hidden_size\": 56, \"num_attention_heads\": 7,"
               "\"attention_bias\": true, \"mlp_bias\": true, \"tie_word_embeddings\": true,"
               "\"vocab_size\": 257, \"rms_norm_eps\": 1e-5, \"rope_theta\": 500000.0,"
               "\"num_hidden_layers\": 3, \"intermediate_size\": 100, \"sliding_window\": 5}");
    struct model_config q = parsed("{\"model_type\": \"qwen3\", \"hidden_size\": 64, \"num_attention_heads\": 4,"
                                   "\"num_key_value_heads\": 2, \"attention_bias\": true}");
    (void)state;
    assert_string_equal(c.model_type, "llama");
    assert_true(c.head_dim == 8 && c.num_key_value_heads == 7 && c.vocab_size == 257 && c.rope.theta == 500000);
    assert_true(c.qkv_bias && c.o_bias && c.mlp_bias && c.tie_word_embeddings && c.rms_norm_eps == 1e-5);
    assert_int_equal(c.sliding_window, 0); /* LlamaConfig has none */
    assert_true(q.qkv_bias && q.o_bias && q.head_dim == 128);
}

static void windows_slide_where_they_are_used(void **state)
{
    struct model_config unused =
        parsed("{\"model_type\": \"qwen2\", \"sliding_window\": 64, \"use_sliding_window\": false}");
    struct model_config upper =
        parsed("{\"model_type\": \"qwen2\", \"sliding_window\": 64, \"use_sliding_window\": true,"
               "\"max_window_layers\": 20}");
    struct model_config above =
        parsed("{\"model_type\": \"qwen2\", \"sliding_window\": 64, \"use_sliding_window\": true,"
               "\"max_window_layers\": 32}");
    struct model_config types =
        parsed("{\"model_type\": \"qwen3\", \"sliding_window\": 64, \"use_sliding_window\": true,"
               "\"num_hidden_layers\": 3, \"layer_types\": [\"full_attention\", \"sliding_attention\","
               "\"full_attention\"]}");
    struct model_config none = parsed("{\"model_type\": \"mistral\", \"sliding_window\": null}");
    (void)state;
    assert_int_equal(unused.sliding_window, 0);
    assert_true(upper.sliding_window == 64 && model_config_window(&upper, 19) == 0 &&
                model_config_window(&upper, 20) == 64);
    assert_true(above.sliding_window == 0 && above.full_layers[0] == 0);
    assert_true(model_config_window(&types, 0) == 0 && model_config_window(&types, 1) == 64);
    assert_true(model_config_window(&types, 2) == 0);
    assert_int_equal(none.sliding_window, 0);
}

static void both_forms_of_rope_settings_are_the_same(void **state)
{
    struct model_config four =
        parsed("{\"model_type\": \"llama\", \"rope_theta\": 500000.0, \"rope_scaling\": {\"type\": \"llama3\","
               "\"factor\": 8.0, \"low_freq_factor\": 1.0, \"high_freq_factor\": 4.0,"
               "\"original_max_position_embeddings\": 1024}}");
    struct model_config five = parsed("{\"model_type\": \"llama\", \"rope_parameters\": {\"rope_type\": \"llama3\","
                                      "\"rope_theta\": 500000.0, \"factor\": 8.0, \"low_freq_factor\": 1.0,"
                                      "\"high_freq_factor\": 4.0, \"original_max_position_embeddings\": 1024}}");
    struct error err = {0};
    (void)state;
    assert_int_equal(four.rope.type, ROPE_LLAMA3);
    assert_true(four.rope.original_max_position == 1024);
    assert_true(model_config_check(&four, &five, "config.json", &err));
}

struct frequencies {
    const char *name, *settings;
    int head_dim;
    double attention_factor, inverse[8];
};

static const struct frequencies golden[] = {
    {"default", "\"rope_theta\": 10000.0", 8, 0, {1, 0.1, 0.01, 0.001}},
    {"linear",
     "\"rope_theta\": 10000.0, \"rope_scaling\": {\"rope_type\": \"linear\", \"factor\": 4.0}",
     8,
     0,
     {0.25, 0.025, 0.0025, 0.00025}},
    {"llama3",
     "\"rope_theta\": 500000.0, \"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8.0, \"low_freq_factor\": "
     "1.0,"
     "\"high_freq_factor\": 4.0, \"original_max_position_embeddings\": 8192}",
     16,
     0,
     {1.0, 0.19392274474868576, 0.03760603093086393, 0.0072926647372171085, 0.0005248461609929547,
      3.428102195952591e-05, 6.647869871181236e-06, 1.2891731721515574e-06}},
    {"llama3, short context",
     "\"rope_parameters\": {\"rope_theta\": 500000.0, \"rope_type\": \"llama3\", \"factor\": 8.0, \"low_freq_factor\": "
     "1.0,"
     "\"high_freq_factor\": 4.0, \"original_max_position_embeddings\": 64}",
     16,
     0,
     {1.0, 0.0794030091792082, 0.004700753866357992, 0.0009115830921521386, 0.00017677669529663688,
      3.428102195952591e-05, 6.647869871181236e-06, 1.2891731721515574e-06}},
    {"yarn",
     "\"rope_theta\": 1000000.0, \"max_position_embeddings\": 32768, \"rope_scaling\": {\"type\": \"yarn\", "
     "\"factor\": 4.0}",
     16,
     1.138629436111989,
     {1.0, 0.17782794100389226, 0.03162277660168379, 0.004217559938927618, 0.0005, 4.445698525097307e-05,
      7.905694150420949e-06, 1.4058533129758728e-06}},
    {"yarn with mscale, betas and no truncation",
     "\"rope_parameters\": {\"rope_theta\": 10000.0, \"rope_type\": \"yarn\", \"factor\": 40.0, \"mscale\": 0.707,"
     "\"mscale_all_dim\": 1.0, \"beta_fast\": 16, \"beta_slow\": 2, \"truncate\": false,"
     "\"original_max_position_embeddings\": 1024}",
     16,
     0.9210423553163399,
     {1.0, 0.31622776601683794, 0.1, 0.014825510661797612, 0.00025, 7.905694150420948e-05, 2.5e-05,
      7.905694150420947e-06}},
    {"yarn with the factor implied",
     "\"rope_theta\": 10000.0, \"max_position_embeddings\": 4096, \"rope_scaling\": {\"rope_type\": \"yarn\", "
     "\"factor\": null,"
     "\"original_max_position_embeddings\": 1024}",
     8,
     1.138629436111989,
     {1.0, 0.07500000000000001, 0.005000000000000001, 0.00025}},
    {"yarn with an attention factor",
     "\"rope_theta\": 10000.0, \"max_position_embeddings\": 4096, \"rope_scaling\": {\"rope_type\": \"yarn\", "
     "\"factor\": 2.0,"
     "\"attention_factor\": 1.25}",
     8,
     1.25,
     {1.0, 0.1, 0.0075, 0.0005}},
};

static bool close_to(double found, double wanted)
{
    return fabs(found - wanted) <= 1e-12 * fabs(wanted);
}

static void frequencies_are_those_of_transformers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof golden / sizeof *golden; i++) {
        char text[1024];
        double inverse[8];
        snprintf(text, sizeof text, "{\"model_type\": \"llama\", \"hidden_size\": %d, \"num_attention_heads\": 2, %s}",
                 2 * golden[i].head_dim, golden[i].settings);
        struct model_config config = parsed(text);
        rope_inverse_frequencies(inverse, &config.rope, config.head_dim);
        for (int j = 0; j < golden[i].head_dim / 2; j++) {
            if (!close_to(inverse[j], golden[i].inverse[j]))
                fail_msg("%s: frequency %d is %.17g, not %.17g", golden[i].name, j, inverse[j], golden[i].inverse[j]);
        }
        if (!close_to(config.rope.attention_factor, golden[i].attention_factor))
            fail_msg("%s: attention factor %.17g", golden[i].name, config.rope.attention_factor);
    }
}

static void configurations_survive_being_written(void **state)
{
    static const char *const texts[] = {
        "{\"model_type\": \"qwen2\", \"num_hidden_layers\": 4, \"use_sliding_window\": true, \"sliding_window\": 7,"
        "\"max_window_layers\": 2, \"tie_word_embeddings\": true}",
        "{\"model_type\": \"qwen2\", \"num_hidden_layers\": 3, \"use_sliding_window\": true, \"layer_types\": ["
        "\"sliding_attention\", \"full_attention\", \"sliding_attention\"]}",
        "{\"model_type\": \"qwen3\", \"attention_bias\": true, \"head_dim\": 32, \"rope_scaling\": {\"rope_type\": "
        "\"linear\","
        "\"factor\": 2}}",
        "{\"model_type\": \"llama\", \"mlp_bias\": true, \"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8,"
        "\"low_freq_factor\": 1, \"high_freq_factor\": 4, \"original_max_position_embeddings\": 64}}",
        "{\"model_type\": \"mistral\", \"sliding_window\": null, \"rope_scaling\": {\"rope_type\": \"yarn\", "
        "\"factor\": 3,"
        "\"truncate\": false, \"original_max_position_embeddings\": 64}}",
        "{\"model_type\": \"mistral\", \"sliding_window\": 5}"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct model_config before = parsed(texts[i]), after;
        struct error err = {0};
        cJSON *json = model_config_to_json(&before);
        assert_true(model_config_parse(&after, json, "written/config.json", &err));
        assert_memory_equal(&before, &after, sizeof before);
        cJSON_Delete(json);
    }
}

static void mistakes_are_all_told(void **state)
{
    static const char *const cases[][2] = {
        {"[]", "must be a JSON object"},
        {"{}", "model_type '(none)' is not supported; known: qwen2, qwen3, llama, mistral"},
        {"{\"model_type\": \"gpt2\"}", "model_type 'gpt2' is not supported; known: qwen2, qwen3, llama, mistral"},
        {"{\"model_type\": \"llama\", \"architectures\": [\"LlamaForSequenceClassification\"]}",
         "architecture 'LlamaForSequenceClassification' is not supported; of llama models only "
         "LlamaForCausalLM is"},
        {"{\"model_type\": \"llama\", \"hidden_act\": \"gelu\", \"hidden_size\": \"64\", \"attention_dropout\": 0.1}",
         "hidden_act must be 'silu', all that is supported; found the string 'gelu'\n"
         "attention_dropout must be 0, all that is supported; found 0.1\n"
         "hidden_size must be a whole number of at least 1; found the string '64'"},
        {"{\"model_type\": \"llama\", \"num_attention_heads\": 6, \"num_key_value_heads\": 4, \"head_dim\": 7}",
         "num_attention_heads (6) must be a multiple of num_key_value_heads (4)\n"
         "head_dim must be even for rotary position embeddings; it is 7"},
        {"{\"model_type\": \"llama\", \"rope_scaling\": {\"rope_type\": \"longrope\"}}",
         "rope type 'longrope' is not supported; known: default, linear, llama3, yarn"},
        {"{\"model_type\": \"llama\", \"rope_scaling\": {\"rope_type\": \"linear\"}}",
         "rope type 'linear' needs a factor"},
        {"{\"model_type\": \"llama\", \"rope_scaling\": {\"rope_type\": \"linear\", \"factor\": \"2\", \"fator\": 2}}",
         "unknown field 'fator' in rope_scaling: it may change what is computed\n"
         "factor must be a number above 0; found the string '2'"},
        {"{\"model_type\": \"llama\", \"torch_dtype\": \"bfloat61\"}",
         "torch_dtype must be 'float32', 'bfloat16' or 'float16'; found the string 'bfloat61'"},
        {"{\"model_type\": \"llama\", \"quantization_config\": {}}",
         "quantization_config: a checkpoint that is quantized already is not supported; take the original "
         "one"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct model_config config;
        struct error err = {0};
        assert_false(parse(&config, cases[i][0], "", &err));
        assert_string_equal(err.text, cases[i][1]);
    }
}

/* Whatever the published models' files carry is known; what is not known is a mistake, and so are sizes that are not told. */
static void files_are_read_with_care(void **state)
{
    static const char head[] = "{\"model_type\": \"qwen3\", \"hidden_size\": 64, \"intermediate_size\": 96, "
                               "\"num_hidden_layers\": 2, \"num_attention_heads\": 4, \"num_key_value_heads\": 2, ";
    static const char published[] =
        "\"vocab_size\": 99, \"_name_or_path\": \"x\", \"attention_dropout\": 0.0, \"bos_token_id\": 1, "
        "\"eos_token_id\": [1, 2], "
        "\"pad_token_id\": null, \"pretraining_tp\": 1, \"max_window_layers\": 28, \"layer_types\": "
        "[\"full_attention\", "
        "\"full_attention\"], \"torch_dtype\": \"bfloat16\", \"dtype\": \"bfloat16\", \"transformers_version\": "
        "\"4.51.0\", "
        "\"use_cache\": true, \"use_sliding_window\": false, \"tokenizer_class\": \"x\", \"id2label\": {}, "
        "\"max_sequence_length\": 2048, \"num_beams\": 1, \"num_experts\": null}";
    struct model_config config;
    struct error err = {0};
    (void)state;
    char *text = format_text("%s%s", head, published);
    bool fine = parse(&config, text, "m/config.json", &err);
    assert_string_equal(err.text, "");
    assert_true(fine);
    assert_int_equal(config.dtype, DTYPE_BF16);
    free(text);
    text = format_text("%s\"num_experts\": 8, \"foo\": 1, \"rope_parameters\": {\"foo\": 1}}", head);
    assert_false(parse(&config, text, "m/config.json", &err));
    assert_string_equal(err.text,
                        "m/config.json: unknown field 'num_experts': it may change what a qwen3 model computes\n"
                        "m/config.json: unknown field 'foo': it may change what a qwen3 model computes\n"
                        "m/config.json: vocab_size is missing\n"
                        "m/config.json: unknown field 'foo' in rope_parameters: it may change what is computed");
    free(text);
}

static void another_shape_is_named(void **state)
{
    struct model_config compiled =
        parsed("{\"model_type\": \"llama\", \"hidden_size\": 64, \"num_attention_heads\": 4}");
    struct model_config found = parsed("{\"model_type\": \"llama\", \"hidden_size\": 128, \"num_attention_heads\": 4}");
    struct model_config other = parsed("{\"model_type\": \"mistral\"}");
    struct error err = {0};
    (void)state;
    assert_true(model_config_check(&compiled, &compiled, "m/config.json", &err));
    assert_false(model_config_check(&compiled, &found, "m/config.json", &err));
    assert_string_equal(err.text,
                        "m/config.json: hidden_size is 128, but this program was compiled for 64; make a program "
                        "for it from this config.json");
    assert_false(model_config_check(&compiled, &other, "m/config.json", &err));
    assert_string_equal(err.text,
                        "m/config.json: model_type is mistral, but this program was compiled for llama; make a "
                        "program for it from this config.json");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_those_of_transformers),
        cmocka_unit_test(given_fields_win),
        cmocka_unit_test(windows_slide_where_they_are_used),
        cmocka_unit_test(both_forms_of_rope_settings_are_the_same),
        cmocka_unit_test(frequencies_are_those_of_transformers),
        cmocka_unit_test(configurations_survive_being_written),
        cmocka_unit_test(mistakes_are_all_told),
        cmocka_unit_test(files_are_read_with_care),
        cmocka_unit_test(another_shape_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
