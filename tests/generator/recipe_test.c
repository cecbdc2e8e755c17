#define _POSIX_C_SOURCE 200809L /* glob */
/* What a recipe without mistakes becomes. */
#include "planned.h"
#include "source_lines.h"

#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void open_whole(struct planned *planned, const char *text, const char *const *overrides)
{
    planned_open(planned, text, overrides);
    if (planned->messages.count > 0)
        print_message("%s\n", planned->messages.lines[0]);
    assert_true(planned->whole);
}

/* LoraConfig, TrainingArguments and SFTConfig say the same. */
static void fields_left_out_have_the_peers_defaults(void **state)
{
    struct planned planned;
    open_whole(&planned, "return { model = require \"models.stories260K\", lora = {} }", NULL);
    const struct recipe *recipe = &planned.plan.recipe;
    const struct recipe_lora *lora = &recipe->lora;
    const struct recipe_train *train = &recipe->train;
    (void)state;
    assert_int_equal(lora->r, 8);
    assert_true(lora->lora_alpha == 8 && lora->lora_dropout == 0);
    assert_int_equal(lora->target_modules.count, 2);
    assert_string_equal(lora->target_modules.items[0], "q_proj");
    assert_string_equal(lora->target_modules.items[1], "v_proj");
    assert_false(lora->use_rslora || lora->use_dora || lora->all_linear);
    assert_string_equal(lora->init_lora_weights, "true");
    assert_int_equal(train->per_device_train_batch_size, 8);
    assert_int_equal(train->max_length, 1024);
    assert_int_equal(recipe->max_context, 1024);
    assert_int_equal(train->gradient_accumulation_steps, 1);
    assert_true(train->learning_rate == 5e-5 && train->num_train_epochs == 3 && train->max_grad_norm == 1);
    assert_true(train->adam_beta1 == 0.9 && train->adam_beta2 == 0.999 && train->adam_epsilon == 1e-8);
    assert_true(train->weight_decay == 0 && train->warmup_ratio == 0 && train->min_lr == -1 && train->num_cycles == -1);
    assert_string_equal(train->lr_scheduler_type, "linear");
    assert_int_equal(train->max_steps, -1);
    assert_int_equal(train->seed, 42);
    assert_int_equal(train->logging_steps, 500);
    assert_true(train->shuffle && train->assistant_only_loss && !train->packing && !train->bf16 && !train->fp16);
    assert_int_equal(train->gradient_checkpointing, CHECKPOINTING_OFF);
    assert_null(recipe->chat);
    planned_close(&planned);
}

static void fields_are_read(void **state)
{
    struct planned planned;
    (void)state;
    open_whole(&planned,
               "return { model = require \"models.stories260K\",\n"
               "  lora = { r = 3, lora_alpha = 2.5, target_modules = \"all-linear\", layers_to_transform = 2,\n"
               "    rank_pattern = { v_proj = 2, [\"layers.2.*v_proj\"] = 5 }, init_lora_weights = \"gaussian\" },\n"
               "  train = { max_length = 77, warmup_steps = 0.25, memory_budget = \"1.5 MiB\", max_steps = 9,\n"
               "    lr_scheduler_type = \"cosine_with_min_lr\", lr_scheduler_kwargs = { min_lr_rate = 0.1 },\n"
               "    gradient_checkpointing = \"auto\" },\n"
               "  inference = { max_context = 99 } }",
               NULL);
    const struct recipe *recipe = &planned.plan.recipe;
    assert_int_equal(recipe->lora.r, 3);
    assert_true(recipe->lora.lora_alpha == 2.5 && recipe->lora.all_linear);
    assert_int_equal(recipe->lora.layers_to_transform_count, 1);
    assert_int_equal(recipe->lora.rank_pattern_count, 2);
    assert_string_equal(recipe->lora.rank_pattern[0].key, "v_proj"); /* in the order of the text */
    assert_string_equal(recipe->lora.init_lora_weights, "gaussian");
    assert_true(recipe->train.warmup_ratio == 0.25 && recipe->train.warmup_steps == 0);
    assert_true(recipe->train.memory_budget == 1.5 * 1024 * 1024);
    assert_true(recipe->train.min_lr_rate == 0.1);
    assert_int_equal(recipe->train.gradient_checkpointing, CHECKPOINTING_AUTO);
    assert_int_equal(recipe->max_context, 99);
    planned_close(&planned);
}

static void overrides_change_fields(void **state)
{
    static const char *const overrides[] = {"lora.r=16",
                                            "lora.target_modules=q_proj,o_proj",
                                            "train.bf16=true",
                                            "lora.layers_to_transform=0,3",
                                            "train.seed=7",
                                            "lora.rank_pattern.layers.0.self_attn.o_proj=2",
                                            "train.memory_budget=2GiB",
                                            "model.num_hidden_layers=4",
                                            NULL};
    struct planned planned;
    (void)state;
    open_whole(&planned, "return { model = require \"models.stories260K\", lora = {} }", overrides);
    const struct recipe *recipe = &planned.plan.recipe;
    assert_int_equal(recipe->lora.r, 16);
    assert_int_equal(recipe->lora.target_modules.count, 2);
    assert_string_equal(recipe->lora.target_modules.items[1], "o_proj");
    assert_int_equal(recipe->lora.layers_to_transform_count, 2);
    assert_int_equal(recipe->lora.rank_pattern_count, 1);
    assert_true(recipe->train.bf16 && recipe->train.seed == 7 && recipe->train.memory_budget == 2147483648.0);
    assert_int_equal(recipe->model.num_hidden_layers, 4);
    assert_int_equal(planned.plan.placement.layers[0][SLOT_O].r, 2);
    assert_int_equal(planned.plan.placement.layers[3][SLOT_O].r, 16);
    planned_close(&planned);
}

static void override_of_target_modules_may_be_a_regex_or_keyword(void **state)
{
    static const char *const regex[] = {"lora.target_modules=.*[qk]_proj", NULL};
    static const char *const keyword[] = {"lora.target_modules=all-linear", NULL};
    struct planned planned;
    char *text = recipe_with_lora("{}");
    (void)state;
    open_whole(&planned, text, regex);
    assert_string_equal(planned.plan.recipe.lora.target_regex, ".*[qk]_proj");
    planned_close(&planned);
    open_whole(&planned, text, keyword);
    assert_true(planned.plan.recipe.lora.all_linear);
    planned_close(&planned);
    free(text);
}

static void committed_recipes_have_no_mistakes(void **state)
{
    static const char *const patterns[] = {"recipes/*.lua", "tests/data/cases/*/*.lua"};
    (void)state;
    for (int i = 0; i < 2; i++) {
        glob_t found;
        assert_int_equal(glob(patterns[i], 0, NULL, &found), 0);
        for (size_t j = 0; j < found.gl_pathc; j++) {
            struct planned planned;
            const struct string_list none = {0};
            planned_open_file(&planned, found.gl_pathv[j], &none);
            if (!planned.whole)
                print_message("%s\n", planned.messages.lines[0]);
            assert_true(planned.whole);
            planned_close(&planned);
        }
        globfree(&found);
    }
}

static void lines_are_found(void **state)
{
    static const char text[] = "-- a comment { with = 1 }\n"                            /* 1 */
                               "local train = {\n"                                      /* 2 */
                               "  seed = 3, --[[ long\n comment ]] max_steps = 4,\n"    /* 3, 4 */
                               "}\n"                                                    /* 5 */
                               "train.packing = true\n"                                 /* 6 */
                               "local function f(t) local a = { r = 1 } return t end\n" /* 7 */
                               "return {\n"                                             /* 8 */
                               "  model = f {\n"                                        /* 9 */
                               "    [\"head_dim\"] = 8, name = [[x\n}]],\n"             /* 10, 11 */
                               "  },\n"                                                 /* 12 */
                               "  lora = { f(1, 2), r = 1 == 2,\n"                      /* 13 */
                               "    list = { \"}\",\n"                                  /* 14 */
                               "      'b' },\n"                                         /* 15 */
                               "  },\n"                                                 /* 16 */
                               "  train = train,\n"                                     /* 17 */
                               "}\n";
    static const struct {
        const char *field;
        int line;
    } cases[] = {{"", 8},
                 {"model", 9},
                 {"model.head_dim", 10},
                 {"model.name", 10},
                 {"lora", 13},
                 {"lora.r", 13},
                 {"lora.list[1]", 14},
                 {"lora.list[2]", 15},
                 {"lora.list[3]", 14},
                 {"lora.unknown", 13},
                 {"train", 17},
                 {"train.seed", 3},
                 {"train.max_steps", 4},
                 {"train.packing", 6},
                 {"train.bf16", 2},
                 {"inference.max_context", 8}};
    struct source_lines *lines = source_lines_read(text);
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (source_lines_find(lines, cases[i].field) != cases[i].line)
            print_message("%s\n", cases[i].field);
        assert_int_equal(source_lines_find(lines, cases[i].field), cases[i].line);
    }
    source_lines_free(lines);
}

/* Texts that Lua may or may not accept; the scanner must only come to an end. */
static void scanning_ends_on_any_text(void **state)
{
    static const char *const texts[] = {"",
                                        "{",
                                        "}",
                                        "return",
                                        "return {",
                                        "local a = a return a",
                                        "--[[",
                                        "[==[",
                                        "'",
                                        "\"\\",
                                        "return { a = { b = {",
                                        "end end end",
                                        "return { f = function() ",
                                        "]]",
                                        "a.b.c =",
                                        "return { [",
                                        "return { [\"a\"",
                                        "return a.",
                                        "local x = x; return { x = x }"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct source_lines *lines = source_lines_read(texts[i]);
        assert_in_range(source_lines_find(lines, "x.y[1]"), 1, 1);
        source_lines_free(lines);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_left_out_have_the_peers_defaults),
        cmocka_unit_test(fields_are_read),
        cmocka_unit_test(overrides_change_fields),
        cmocka_unit_test(override_of_target_modules_may_be_a_regex_or_keyword),
        cmocka_unit_test(committed_recipes_have_no_mistakes),
        cmocka_unit_test(lines_are_found),
        cmocka_unit_test(scanning_ends_on_any_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
