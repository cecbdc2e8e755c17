/* Adapters on their way between disk and a backend's memory, and fresh ones. */
#define _POSIX_C_SOURCE 200809L

#include "adapter.h"

#include "json_file.h"
#include "output_file.h"
#include "storage_fixture.h"
#include "weights.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void init(struct fixture_ground *ground, uint64_t seed)
{
    struct error err = {0};
    if (!adapter_init(ground->program, &fixture_backend, ground->device, ground->model, seed, &err))
        fail_msg("%s", err.text);
}

static void save(struct fixture_ground *ground)
{
    struct error err = {0};
    if (!adapter_save(ground->program, &fixture_backend, ground->device, ground->adapter, "models/small", &err))
        fail_msg("%s", err.text);
}

static const float *adapter_memory(const struct fixture_ground *ground, const char *name)
{
    int count;
    struct placed_tensor *tensors = placed_tensors(ground->program->adapters, ground->program->adapter_groups, &count);
    const struct placed_tensor *tensor = placed_find(tensors, count, name);
    assert_non_null(tensor);
    const char *region = fixture_region(ground->device, REGION_ADAPTERS);
    const float *memory = (const float *)(const void *)(region + tensor->offset);
    placed_tensors_free(tensors, count);
    return memory;
}

/* A uniform in +-1/sqrt(in), B zero; other seeds give other numbers, the same seed the same. */
static void fresh_adapter(void **state)
{
    (void)state;
    struct fixture_ground ground;
    float first[16];
    fixture_begin(&ground, 0);
    init(&ground, 1);
    const float *A = adapter_memory(&ground, "base_model.model.model.layers.1.self_attn.q_proj.lora_A.weight");
    const float *B = adapter_memory(&ground, "base_model.model.model.layers.1.self_attn.q_proj.lora_B.weight");
    double largest = 0, sum = 0;
    for (int i = 0; i < 16; i++) {
        largest = fmax(largest, fabsf(A[i]));
        sum += A[i];
        assert_true(B[i] == 0);
    }
    assert_true(largest <= 1 / sqrt(8) && largest > 0.2 && fabs(sum) < 1.5);
    memcpy(first, A, sizeof first);
    init(&ground, 2);
    assert_memory_not_equal(first, A, sizeof first);
    init(&ground, 1);
    assert_memory_equal(first, A, sizeof first);
    fixture_end(&ground);
}

static void gaussian_adapter(void **state)
{
    (void)state;
    struct fixture_ground ground;
    double sum = 0, squares = 0;
    int n = 0;
    fixture_begin(&ground, 0);
    ground.fixture.program.lora.init_lora_weights = "gaussian";
    const float *A = adapter_memory(&ground, "base_model.model.model.layers.1.self_attn.q_proj.lora_A.weight");
    for (uint64_t seed = 0; seed < 500; seed++) {
        init(&ground, seed);
        for (int i = 0; i < 16; i++, n++) {
            sum += A[i];
            squares += (double)A[i] * A[i];
        }
    }
    assert_true(fabs(sum / n) < 4 * 0.5 / sqrt(n)); /* deviation 1/r = 0.5 */
    assert_true(fabs(squares / n - 0.25) < 4 * 0.25 * sqrt(2.0 / n));
    fixture_end(&ground);
}

/* Magnitudes are the row norms of W + scaling * B * A, whole tensors the base's. */
static void dora_and_whole_tensors(void **state)
{
    (void)state;
    static const char *const ways[] = {"true", "false"};
    for (int way = 0; way < 2; way++) {
        struct fixture_ground ground;
        fixture_begin(&ground, FIXTURE_DORA | FIXTURE_HEAD | FIXTURE_EMBEDDING);
        ground.fixture.program.lora.init_lora_weights = ways[way];
        init(&ground, 5);
        float *W = fixture_tensor(ground.model, "model.safetensors", "model.layers.1.self_attn.v_proj.weight");
        const float *A = adapter_memory(&ground, "base_model.model.model.layers.1.self_attn.v_proj.lora_A.weight");
        const float *B = adapter_memory(&ground, "base_model.model.model.layers.1.self_attn.v_proj.lora_B.weight");
        const float *m =
            adapter_memory(&ground, "base_model.model.model.layers.1.self_attn.v_proj.lora_magnitude_vector");
        assert_true((B[0] != 0) == (way == 1));
        for (int row = 0; row < 4; row++) {
            double sum = 0;
            for (int i = 0; i < 8; i++) { /* B [2][4] in memory */
                double value = W[row * 8 + i] + 3.0 * ((double)B[row] * A[i] + (double)B[4 + row] * A[8 + i]);
                sum += value * value;
            }
            assert_true(fabs(m[row] - sqrt(sum)) <= 1e-6 * sqrt(sum));
        }
        float *head = fixture_tensor(ground.model, "model.safetensors", "lm_head.weight");
        assert_memory_equal(adapter_memory(&ground, "base_model.model.lm_head.weight"), head, 16 * 8 * sizeof *head);
        free(head);
        free(W);
        fixture_end(&ground);
    }
}

/* Without an adapter, a head that the recipe trains is the base's; a tied model's is its embedding. */
static void base_head_without_adapter(void **state)
{
    (void)state;
    for (int tied = 0; tied < 2; tied++) {
        struct fixture_ground ground;
        struct error err = {0};
        fixture_begin(&ground, FIXTURE_HEAD | (tied ? FIXTURE_TIED : 0));
        assert_true(adapter_load_base(ground.program, &fixture_backend, ground.device, ground.model, &err));
        float *head =
            fixture_tensor(ground.model, "model.safetensors", tied ? "model.embed_tokens.weight" : "lm_head.weight");
        assert_memory_equal(adapter_memory(&ground, "base_model.model.lm_head.weight"), head, 16 * 8 * sizeof *head);
        const float *A = adapter_memory(&ground, "base_model.model.model.layers.1.self_attn.q_proj.lora_A.weight");
        assert_true(A[0] == 0 && A[15] == 0);
        free(head);
        fixture_end(&ground);
    }
}

static void saved_adapter_comes_back(void **state)
{
    (void)state;
    struct fixture_ground ground;
    struct error err = {0};
    fixture_begin(&ground, FIXTURE_DORA | FIXTURE_HEAD);
    ground.fixture.program.lora.init_lora_weights = "false";
    init(&ground, 5);
    save(&ground);
    size_t size = ground.program->memory.adapters;
    struct device *other = fixture_open();
    if (!adapter_load(ground.program, &fixture_backend, other, ground.adapter, &err))
        fail_msg("%s", err.text);
    assert_memory_equal(fixture_region(other, REGION_ADAPTERS), fixture_region(ground.device, REGION_ADAPTERS), size);
    /* on disk B is [out][r], as PEFT has it */
    float *B = fixture_tensor(ground.adapter, "adapter_model.safetensors",
                              "base_model.model.model.layers.1.self_attn.q_proj.lora_B.weight");
    const float *memory = adapter_memory(&ground, "base_model.model.model.layers.1.self_attn.q_proj.lora_B.weight");
    for (int row = 0; row < 8; row++)
        for (int k = 0; k < 2; k++)
            assert_true(B[row * 2 + k] == memory[k * 8 + row]);
    char *path = path_join(ground.adapter, "adapter_config.json");
    char *config = read_whole_file(path, NULL, &err);
    assert_non_null(strstr(config, "\"base_model_name_or_path\": \"models/small\","));
    assert_non_null(strstr(config, "\"lora_dropout\": 0.0,"));
    free(B);
    free(path);
    free(config);
    fixture_backend.close(other);
    fixture_end(&ground);
}

static void optimizer_comes_back(void **state)
{
    (void)state;
    struct fixture_ground ground;
    struct error err = {0};
    fixture_begin(&ground, 0);
    init(&ground, 5);
    size_t size = ground.program->memory.adapters;
    const float *values = fixture_region(ground.device, REGION_ADAPTERS);
    fixture_backend.upload(ground.device, REGION_MOMENT1, 0, values, size);
    fixture_backend.upload(ground.device, REGION_MOMENT2, 4, values, size - 4);
    char *path = path_join(ground.directory, "optimizer.safetensors");
    assert_true(optimizer_save(ground.program, &fixture_backend, ground.device, path, &err));
    struct device *other = fixture_open();
    assert_true(optimizer_load(ground.program, &fixture_backend, other, path, &err));
    assert_memory_equal(fixture_region(other, REGION_MOMENT1), values, size);
    assert_memory_equal((const char *)fixture_region(other, REGION_MOMENT2) + 4, values, size - 4);
    fixture_backend.close(other);
    free(path);
    fixture_end(&ground);
}

/* Sets a field of the saved adapter's config and expects the loading to fail with the message. */
static void assert_config_error(const struct fixture_ground *ground, const char *field, const char *value,
                                const char *message)
{
    struct error err = {0};
    char *path = path_join(ground->adapter, "adapter_config.json"), *expected = format_text("%s: %s", path, message);
    char *before = read_whole_file(path, NULL, &err);
    cJSON *json = cJSON_Parse(before);
    cJSON_DeleteItemFromObject(json, field);
    if (value)
        cJSON_AddItemToObject(json, field, cJSON_Parse(value));
    assert_true(json_write(path, json, &err));
    assert_false(adapter_load(ground->program, &fixture_backend, ground->device, ground->adapter, &err));
    assert_string_equal(err.text, expected);
    assert_true(output_write_file(path, before, strlen(before), &err));
    assert_true(adapter_load(ground->program, &fixture_backend, ground->device, ground->adapter, &err));
    cJSON_Delete(json);
    free(before);
    free(path);
    free(expected);
}

static void other_configs(void **state)
{
    (void)state;
    struct fixture_ground ground;
    fixture_begin(&ground, 0);
    save(&ground);
    assert_config_error(
        &ground, "r", "16",
        "adapter was trained with r = 16, this program is compiled for r = 2: make the program again with "
        "set=\"lora.r=16\"");
    assert_config_error(
        &ground, "r", NULL,
        "adapter was trained with r = 8, this program is compiled for r = 2: make the program again with "
        "set=\"lora.r=8\"");
    assert_config_error(&ground, "r", "\"2\"", "r: a number above 0 is expected");
    assert_config_error(&ground, "lora_alpha", "null", "lora_alpha: a number above 0 is expected");
    assert_config_error(&ground, "rank_pattern", "{\"(\": 4}",
                        "rank_pattern: names or regular expressions, each with a number above 0, are expected");
    assert_config_error(&ground, "alpha_pattern", "{\"v_proj\": 4}",
                        "adapter was trained with alpha_pattern = {\"v_proj\":4}, this program is compiled for "
                        "alpha_pattern = {}");
    assert_config_error(
        &ground, "lora_alpha", "0.5",
        "adapter was trained with lora_alpha = 0.5, this program is compiled for lora_alpha = 6: make the "
        "program again with set=\"lora.lora_alpha=0.5\"");
    assert_config_error(
        &ground, "use_dora", "true",
        "adapter was trained with use_dora = true, this program is compiled for use_dora = false: make the "
        "program again with set=\"lora.use_dora=true\"");
    assert_config_error(
        &ground, "use_rslora", "true",
        "adapter was trained with use_rslora = true, this program is compiled for use_rslora = false: make "
        "the program again with set=\"lora.use_rslora=true\"");
    assert_config_error(
        &ground, "rank_pattern", "{\"q_proj\": 4}",
        "adapter was trained with rank_pattern = {\"q_proj\":4}, this program is compiled for rank_pattern = "
        "{}");
    assert_config_error(&ground, "modules_to_save", "[\"lm_head\"]",
                        "adapter was trained with modules_to_save = [\"lm_head\"], this program is compiled for "
                        "modules_to_save = null");
    assert_config_error(&ground, "peft_type", "\"IA3\"", "peft_type \"LORA\" is expected, found 'IA3'");
    assert_config_error(&ground, "bias", "\"all\"", "bias \"none\" is expected, found 'all'");
    assert_config_error(&ground, "lora_bias", "true", "lora_bias = true cannot be loaded");
    assert_config_error(&ground, "layer_replication", "[[0, 1]]", "layer_replication cannot be loaded");
    fixture_end(&ground);
}

/* PEFT may leave fields out or null that mean the same, and write sets in any order; and a placement can be said in other words. */
static void equal_configs(void **state)
{
    (void)state;
    struct fixture_ground ground;
    struct error err = {0};
    fixture_begin(&ground, FIXTURE_HEAD | FIXTURE_EMBEDDING);
    init(&ground, 1);
    save(&ground);
    static const char *const words[] = {
        "\"r\": 2, \"lora_alpha\": 6.0, \"rank_pattern\": null",
        "\"lora_alpha\": 6, \"rank_pattern\": {\"q_proj\": 2, \"v_proj\": 2, \"o_proj\": 4}",
        "\"rank_pattern\": {\".*\": 2, \"q_proj\": 4}, \"alpha_pattern\": {\"layers.1.self_attn.q_proj\": 6, "
        "\"v_proj\": 6}",
        "\"r\": 2, \"lora_alpha\": 4.242640687119285, \"use_rslora\": true",
    };
    char *path = path_join(ground.adapter, "adapter_config.json");
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        char *text = format_text("{\"peft_type\": \"LORA\", %s,\n\"modules_to_save\": [\"embed_tokens\", \"lm_head\"]}",
                                 words[i]);
        assert_true(output_write_file(path, text, strlen(text), &err));
        if (!adapter_load(ground.program, &fixture_backend, ground.device, ground.adapter, &err))
            fail_msg("%s: %s", words[i], err.text);
        free(text);
    }
    free(path);
    fixture_end(&ground);
}

/* Takes the file of an adapter with other trained tensors. */
static void other_targets(void **state)
{
    (void)state;
    struct fixture_ground ground;
    struct fixture_program dora;
    struct error err = {0};
    fixture_begin(&ground, 0);
    fixture_program(&dora, FIXTURE_DORA);
    save(&ground);
    char *path = path_join(ground.adapter, "adapter_model.safetensors");
    char *expected = format_text(
        "%s: tensor 'base_model.model.model.layers.1.self_attn.q_proj.lora_magnitude_vector' is missing; "
        "this program trains it, the adapter has other target_modules or layers: make the program again with the "
        "adapter's",
        path);
    dora.program.adapter_config = ground.program->adapter_config;
    assert_null(adapter_open(&dora.program, ground.adapter, &err));
    assert_string_equal(err.text, expected);
    free(expected);
    assert_true(adapter_save(&dora.program, &fixture_backend, ground.device, ground.adapter, "m", &err));
    expected = format_text(
        "%s: tensor 'base_model.model.model.layers.1.self_attn.q_proj.lora_magnitude_vector' is not trained by "
        "this program; the adapter has other target_modules or layers: make the program again with the adapter's",
        path);
    assert_null(adapter_open(ground.program, ground.adapter, &err));
    assert_string_equal(err.text, expected);
    free(expected);
    assert_int_equal(remove(path), 0);
    expected = format_text("%s: cannot be read: No such file or directory", path);
    assert_null(adapter_open(ground.program, ground.adapter, &err));
    assert_string_equal(err.text, expected);
    free(expected);
    free(path);
    fixture_end(&ground);
}

static void names(void **state)
{
    (void)state;
    static const char lora_B[] = "base_model.model.model.layers.3.mlp.up_proj.lora_B.weight";
    static const char magnitude[] = "base_model.model.model.layers.3.mlp.up_proj.lora_magnitude_vector";
    static const char head[] = "base_model.model.lm_head.weight";
    const struct {
        const char *name, *base;
        enum adapter_kind kind;
    } cases[] = {{lora_B, "model.layers.3.mlp.up_proj.weight", ADAPTER_B},
                 {magnitude, "model.layers.3.mlp.up_proj.weight", ADAPTER_MAGNITUDE},
                 {head, "lm_head.weight", ADAPTER_FULL}};
    for (int i = 0; i < 3; i++) {
        char *base = adapter_base_tensor(cases[i].name);
        assert_string_equal(base, cases[i].base);
        assert_int_equal(adapter_kind(cases[i].name), cases[i].kind);
        free(base);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fresh_adapter),
        cmocka_unit_test(gaussian_adapter),
        cmocka_unit_test(dora_and_whole_tensors),
        cmocka_unit_test(base_head_without_adapter),
        cmocka_unit_test(saved_adapter_comes_back),
        cmocka_unit_test(optimizer_comes_back),
        cmocka_unit_test(other_configs),
        cmocka_unit_test(equal_configs),
        cmocka_unit_test(other_targets),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
