/* Which modules carry LoRA, as PEFT decides it, and what adapter_config.json says of it. */
#include "module_match.h"
#include "planned.h"
#include "suggest.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* For each case the expected placement: the rank of q k v o gate up down in layers 0 to 4, and of lm_head. */
struct expected {
    const char *name, *lora;
    int layers[5][LAYER_SLOTS], head;
    int lowest;
};

#define NONE                                                                                                           \
    {                                                                                                                  \
        0                                                                                                              \
    }

static const struct expected cases[] = {
    {"a list of names",
     "{ r = 8, target_modules = { \"q_proj\", \"down_proj\" }, layers_to_transform = { 1, 4 } }",
     {NONE, {8, 0, 0, 0, 0, 0, 8}, NONE, NONE, {8, 0, 0, 0, 0, 0, 8}},
     0,
     1},
    {"an end of two names",
     "{ r = 2, target_modules = { \"mlp.up_proj\" }, layers_to_transform = 3 }",
     {NONE, NONE, NONE, {0, 0, 0, 0, 0, 2, 0}, NONE},
     0,
     3},
    {"a part of a name is no match, a whole name disregards layers_to_transform",
     "{ r = 2, target_modules = { \"model.layers.2.mlp.up_proj\", \"v_proj\" }, layers_to_transform = { 4 } }",
     {NONE, NONE, {0, 0, 0, 0, 0, 2, 0}, NONE, {0, 0, 2, 0, 0, 0, 0}},
     0,
     2},
    {"all-linear is without the head",
     "{ r = 1, target_modules = \"all-linear\", exclude_modules = { \"gate_proj\" }, "
     "layers_to_transform = { 4 } }",
     {NONE, NONE, NONE, NONE, {1, 1, 1, 1, 0, 1, 1}},
     0,
     4},
    {"a regular expression matches whole names",
     "{ r = 4, target_modules = [[.*\\.[34]\\.self_attn\\.(q|o)_proj]] }",
     {NONE, NONE, NONE, {4, 0, 0, 4, 0, 0, 0}, {4, 0, 0, 4, 0, 0, 0}},
     0,
     3},
    {"exclude_modules may be an expression",
     "{ r = 4, target_modules = { \"k_proj\" }, exclude_modules = [[model\\.layers\\.[0-3]\\..*]] }",
     {NONE, NONE, NONE, NONE, {0, 4, 0, 0, 0, 0, 0}},
     0,
     4},
    {"lm_head can be named", "{ r = 4, target_modules = { \"lm_head\" } }", {NONE, NONE, NONE, NONE, NONE}, 4, 5},
    {"what is trained as a whole carries no LoRA",
     "{ r = 4, target_modules = { \"lm_head\", \"o_proj\" }, modules_to_save = { \"lm_head\" }, layers_to_transform = "
     "{ 0 } }",
     {{0, 0, 0, 4, 0, 0, 0}, NONE, NONE, NONE, NONE},
     0,
     0},
    {"the first pattern that matches wins",
     "{ r = 4, target_modules = { \"q_proj\", \"v_proj\" }, layers_to_transform = { 0, 1 },\n"
     "rank_pattern = { [\"layers.1.self_attn.v_proj\"] = 7, v_proj = 5, [\".*\"] = 9 } }",
     {{9, 0, 5, 0, 0, 0, 0}, {9, 0, 7, 0, 0, 0, 0}, NONE, NONE, NONE},
     0,
     0},
};

static void places_adapters(void **state)
{
    const struct expected *expected = *state;
    struct planned planned;
    char *text = recipe_with_lora(expected->lora);
    planned_open(&planned, text, NULL);
    if (!planned.whole)
        print_message("%s\n", planned.messages.lines[0]);
    assert_true(planned.whole);
    for (int layer = 0; layer < 5; layer++) {
        for (int slot = 0; slot < LAYER_SLOTS; slot++)
            assert_int_equal(planned.plan.placement.layers[layer][slot].r, expected->layers[layer][slot]);
    }
    assert_int_equal(planned.plan.placement.head.r, expected->head);
    assert_int_equal(planned.plan.placement.lowest_layer, expected->lowest);
    planned_close(&planned);
    free(text);
}

static struct adapter first_q(const char *lora)
{
    struct planned planned;
    char *text = recipe_with_lora(lora);
    planned_open(&planned, text, NULL);
    assert_true(planned.whole);
    struct adapter adapter = planned.plan.placement.layers[0][SLOT_Q];
    planned_close(&planned);
    free(text);
    return adapter;
}

static void scaling_is_alpha_over_r_or_its_root(void **state)
{
    (void)state;
    assert_true(first_q("{ r = 16, lora_alpha = 8 }").scaling == 0.5);
    assert_true(first_q("{ r = 16, lora_alpha = 8, use_rslora = true }").scaling == 2);
    assert_true(first_q("{ r = 16, rank_pattern = { q_proj = 4 }, alpha_pattern = { q_proj = 6 } }").scaling == 1.5);
    assert_true(first_q("{ use_rslora = true, rank_pattern = { q_proj = 3 } }").scaling == 8 / sqrt(3));
}

/* stories260K: the embedding, which is the head as well, has 512 x 64 = 32,768 of its 260,032 parameters. */
static void parameters_are_counted(void **state)
{
    static const struct {
        const char *lora;
        long long trained, frozen;
    } counts[] = {
        {"{ r = 8, target_modules = { \"q_proj\", \"v_proj\" }, layers_to_transform = { 3, 4 } }", 3584, 260032},
        {"{ r = 8, target_modules = { \"q_proj\" }, layers_to_transform = 0, use_dora = true }", 1024 + 64, 260032},
        {"{ r = 8, target_modules = { \"q_proj\" }, layers_to_transform = 0, modules_to_save = { \"lm_head\" } }",
         1024 + 32768, 260032},
        {"{ r = 8, target_modules = { \"q_proj\" }, layers_to_transform = 0, "
         "modules_to_save = { \"lm_head\", \"embed_tokens\" } }",
         1024 + 2 * 32768, 260032 - 32768},
    };
    (void)state;
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        struct planned planned;
        char *text = recipe_with_lora(counts[i].lora);
        planned_open(&planned, text, NULL);
        assert_true(planned.whole);
        assert_int_equal(planned.plan.placement.trained, counts[i].trained);
        assert_int_equal(planned.plan.placement.frozen, counts[i].frozen);
        planned_close(&planned);
        free(text);
    }
}

static void table_shows_layers_that_are_alike_together(void **state)
{
    struct planned planned;
    char *text = recipe_with_lora("{ target_modules = { \"q_proj\", \"v_proj\" }, layers_to_transform = { 3, 4 } }");
    (void)state;
    planned_open(&planned, text, NULL);
    char *table = placement_table(&planned.plan);
    assert_string_equal(
        table,
        "layer  q_proj  k_proj  v_proj  o_proj  gate_proj  up_proj  down_proj\n"
        "0-2    -       -       -       -       -          -        -          no gradient reaches these layers\n"
        "3-4    r=8     -       r=8     -       -          -        -          layer 4: dX of every product; layer 3, "
        "the "
        "lowest: none through q, k, v\n"
        "trained 3,584 parameters beside 260,032 frozen (1.38%)\n");
    free(table);
    planned_close(&planned);
    free(text);
}

static void adapter_config_is_as_peft_writes_it(void **state)
{
    struct planned planned;
    char *text =
        recipe_with_lora("{ r = 6, lora_alpha = 12, target_modules = { \"q_proj\", \"o_proj\", \"down_proj\" },\n"
                         "rank_pattern = { o_proj = 3 }, layers_to_transform = { 1, 2 }, lora_dropout = 0.1 }");
    (void)state;
    planned_open(&planned, text, NULL);
    char *config = placement_adapter_config(&planned.plan);
    assert_string_equal(config, "{\n"
                                "  \"alpha_pattern\": {},\n"
                                "  \"auto_mapping\": null,\n"
                                "  \"base_model_name_or_path\": null,\n"
                                "  \"bias\": \"none\",\n"
                                "  \"exclude_modules\": null,\n"
                                "  \"fan_in_fan_out\": false,\n"
                                "  \"inference_mode\": true,\n"
                                "  \"init_lora_weights\": true,\n"
                                "  \"layer_replication\": null,\n"
                                "  \"layers_pattern\": null,\n"
                                "  \"layers_to_transform\": [\n    1,\n    2\n  ],\n"
                                "  \"loftq_config\": {},\n"
                                "  \"lora_alpha\": 12,\n"
                                "  \"lora_bias\": false,\n"
                                "  \"lora_dropout\": 0.1,\n"
                                "  \"megatron_config\": null,\n"
                                "  \"megatron_core\": \"megatron.core\",\n"
                                "  \"modules_to_save\": null,\n"
                                "  \"peft_type\": \"LORA\",\n"
                                "  \"peft_version\": \"0.20.0\",\n"
                                "  \"r\": 6,\n"
                                "  \"rank_pattern\": {\n    \"o_proj\": 3\n  },\n"
                                "  \"revision\": null,\n"
                                "  \"target_modules\": [\n    \"down_proj\",\n    \"o_proj\",\n    \"q_proj\"\n  ],\n"
                                "  \"target_parameters\": null,\n"
                                "  \"task_type\": \"CAUSAL_LM\",\n"
                                "  \"trainable_token_indices\": null,\n"
                                "  \"use_dora\": false,\n"
                                "  \"use_rslora\": false\n"
                                "}");
    free(config);
    planned_close(&planned);
    free(text);
}

static void names_match_at_dots(void **state)
{
    (void)state;
    assert_true(name_matches("q_proj", "model.layers.0.self_attn.q_proj"));
    assert_true(name_matches("self_attn.q_proj", "model.layers.0.self_attn.q_proj"));
    assert_true(name_matches("lm_head", "lm_head"));
    assert_false(name_matches("proj", "model.layers.0.self_attn.q_proj"));
    assert_false(name_matches("model.layers.10.q", "q"));
}

static void near_names_are_suggested(void **state)
{
    static const char *const names[] = {"q_proj", "k_proj", "lora_alpha", "learning_rate", "r"};
    static const char *const slips[][2] = {{"qproj", "q_proj"},
                                           {"Q_proj", "q_proj"},
                                           {"alpha", "lora_alpha"},
                                           {"learning_rat", "learning_rate"},
                                           {"lerning_raet", "learning_rate"},
                                           {"rr", "r"}};
    (void)state;
    for (size_t i = 0; i < sizeof slips / sizeof *slips; i++)
        assert_string_equal(suggest(slips[i][0], names, 5), slips[i][1]);
    assert_null(suggest("optimizer", names, 5));
    assert_null(suggest("wq", names, 4));
}

int main(void)
{
    enum { CASES = sizeof cases / sizeof *cases, OTHERS = 6 };
    struct CMUnitTest tests[CASES + OTHERS] = {
        cmocka_unit_test(scaling_is_alpha_over_r_or_its_root),
        cmocka_unit_test(parameters_are_counted),
        cmocka_unit_test(table_shows_layers_that_are_alike_together),
        cmocka_unit_test(adapter_config_is_as_peft_writes_it),
        cmocka_unit_test(names_match_at_dots),
        cmocka_unit_test(near_names_are_suggested),
    };
    size_t count = OTHERS;
    for (size_t i = 0; i < CASES; i++)
        tests[count++] = (struct CMUnitTest){cases[i].name, places_adapters, NULL, NULL, (void *)(size_t)&cases[i]};
    return _cmocka_run_group_tests("placement", tests, count, NULL, NULL);
}
