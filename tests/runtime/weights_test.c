/* The base model on its way from disk into a backend's memory, and the models that are refused. */
#define _POSIX_C_SOURCE 200809L

#include "weights.h"

#include "dtype_convert.h"
#include "json_file.h"
#include "output_file.h"
#include "storage_fixture.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void weights_arrive(void **state)
{
    (void)state;
    for (int bf16 = 0; bf16 < 2; bf16++) {
        struct fixture_ground ground;
        struct error err = {0};
        fixture_begin(&ground, bf16 ? FIXTURE_BF16 : 0);
        if (!model_load(ground.program, &fixture_backend, ground.device, ground.model, &err))
            fail_msg("%s", err.text);
        int count;
        struct placed_tensor *tensors = placed_tensors(ground.program->weights, ground.program->weight_groups, &count);
        const char *region = fixture_region(ground.device, REGION_WEIGHTS);
        assert_int_equal(count, 8);
        for (int i = 0; i < count; i++) {
            float *values = fixture_tensor(ground.model, "model.safetensors", tensors[i].name);
            size_t elements = tensor_elements(tensors[i].spec);
            char expected[4 * 16 * 8];
            convert_from_float(expected, tensors[i].spec->dtype, values, elements);
            assert_memory_equal(region + tensors[i].offset, expected, elements * dtype_size(tensors[i].spec->dtype));
            free(values);
        }
        placed_tensors_free(tensors, count);
        fixture_end(&ground);
    }
}

/* Turning around a tensor that takes more than one piece, with a change of type. */
static void wide_tensors_are_turned(void **state)
{
    (void)state;
    enum { ROWS = 600, COLS = 500 };
    static uint16_t stored[ROWS * COLS];
    struct error err = {0};
    char *directory = fixture_directory(), *path = path_join(directory, "x.safetensors");
    for (int i = 0; i < ROWS * COLS; i++)
        stored[i] = float_to_f16((float)(i % 2003));
    struct tensor_entry entry = tensor_entry("x", DTYPE_F16, ROWS, COLS);
    struct safetensors_writer *writer = safetensors_create(path, &entry, 1, &err);
    safetensors_write(writer, stored, sizeof stored);
    assert_true(safetensors_finish(writer, &err));
    struct weight_files *files = weight_files_open_one(path, &err);
    struct tensor_spec spec = {.name = "x", .rows = ROWS, .cols = COLS, .dtype = DTYPE_BF16, .transposed = true};
    struct placed_tensor to = {.name = entry.name, .spec = &spec, .offset = 64};
    struct device *device = fixture_open();
    assert_true(tensor_load(files, files->tensors, &to, &fixture_backend, device, REGION_WEIGHTS, &err));
    const uint16_t *memory = (const uint16_t *)fixture_region(device, REGION_WEIGHTS) + 32;
    for (int r = 0; r < ROWS; r++)
        for (int c = 0; c < COLS; c++)
            assert_int_equal(memory[c * ROWS + r], float_to_bf16((float)((r * COLS + c) % 2003)));
    weight_files_close(files);
    fixture_backend.close(device);
    free(entry.name);
    free(path);
    fixture_remove(directory);
}

/* Loads one number, `value` in a file of that type, into memory of another type. */
static bool load_number(float value, enum dtype from, enum dtype to_dtype, struct error *err)
{
    char *directory = fixture_directory(), *path = path_join(directory, "x.safetensors"), stored[4];
    struct tensor_entry entry = tensor_entry("x", from, 1, 0);
    struct safetensors_writer *writer = safetensors_create(path, &entry, 1, err);
    convert_from_float(stored, from, &value, 1);
    safetensors_write(writer, stored, dtype_size(from));
    assert_true(safetensors_finish(writer, err));
    struct weight_files *files = weight_files_open_one(path, err);
    struct tensor_spec spec = {.name = "x", .rows = 1, .dtype = to_dtype};
    struct placed_tensor to = {.name = entry.name, .spec = &spec};
    struct device *device = fixture_open();
    bool loaded = tensor_load(files, files->tensors, &to, &fixture_backend, device, REGION_WEIGHTS, err);
    weight_files_close(files);
    fixture_backend.close(device);
    free(entry.name);
    free(path);
    fixture_remove(directory);
    return loaded;
}

static void numbers_too_large_for_the_memory_are_refused(void **state)
{
    (void)state;
    struct error err = {0};
    assert_false(load_number(1e5f, DTYPE_BF16, DTYPE_F16, &err));
    assert_non_null(strstr(err.text,
                           "x.safetensors: tensor 'x' has the value 99840, which is too large for F16, in which this "
                           "program keeps weights: make the program again with set=\"train.fp16=false "
                           "train.bf16=true\""));
    assert_false(load_number(-65520, DTYPE_F32, DTYPE_F16, &err));
    assert_non_null(strstr(err.text, "tensor 'x' has the value -65520, which is too large for F16"));
    assert_false(load_number(3.4e38f, DTYPE_F32, DTYPE_BF16, &err));
    assert_non_null(strstr(err.text,
                           "tensor 'x' has the value 3.4e+38, which is too large for BF16, in which this program "
                           "keeps weights: make the program again with set=\"train.bf16=false\""));
    assert_true(load_number(65519, DTYPE_F32, DTYPE_F16, &err));
    assert_true(load_number(INFINITY, DTYPE_F32, DTYPE_F16, &err)); /* as it was: training says where it ends */
    assert_true(load_number(3.4e38f, DTYPE_BF16, DTYPE_F32, &err));
}

/* In fp32 a checkpoint that the recipe takes for one of bfloat16 must be one, in whatever type it is stored. */
static void numbers_that_fp32_would_lose_are_refused(void **state)
{
    (void)state;
    struct fixture_ground ground;
    struct error err = {0};
    fixture_begin(&ground, FIXTURE_BF16);
    ground.fixture.program.train.dtype = DTYPE_F32;
    assert_false(model_load(ground.program, &fixture_backend, ground.device, ground.model, &err));
    assert_non_null(strstr(err.text, "model.safetensors: tensor '"));
    assert_non_null(strstr(err.text, "which BF16 cannot hold exactly: the recipe's torch_dtype says that weights are "
                                     "stored so, and this program keeps them so: make it again with "
                                     "set=\"model.torch_dtype=float32\""));
    static const char *const dtypes[] = {"fp32", "bf16", "fp16"};
    for (int i = 0; i < 3; i++) {
        char *model = path_join(ground.directory, dtypes[i]);
        assert_int_equal(fixture_run(ground.program, "init-model", "--output", model, "--dtype", dtypes[i], NULL), 0);
        assert_true(model_load(ground.program, &fixture_backend, ground.device, model, &err));
        free(model);
    }
    fixture_end(&ground);
}

/* Writes the base model again with one tensor left out, renamed, or given another shape. */
static void change_model(const struct fixture_ground *ground, const char *name, const char *new_name, int rows)
{
    struct error err = {0};
    struct weight_files *base = weight_files_open(ground->model, &err);
    struct tensor_entry *entries = allocate((size_t)base->tensor_count * sizeof *entries, "a test");
    int count = 0;
    for (int i = 0; i < base->tensor_count; i++) {
        const struct safetensor *tensor = &base->tensors[i];
        bool this_one = !strcmp(tensor->name, name);
        int64_t cols = tensor->dimensions == 2 ? tensor->shape[1] : 0;
        if (!this_one || new_name)
            entries[count++] = tensor_entry(this_one ? new_name : tensor->name, DTYPE_F32,
                                            this_one && rows ? rows : tensor->shape[0], cols);
    }
    weight_files_close(base);
    char *path = path_join(ground->model, "model.safetensors");
    struct safetensors_writer *writer = safetensors_create(path, entries, count, &err);
    for (int i = 0; i < count; i++) {
        void *zeros = allocate(tensor_entry_bytes(&entries[i]), "a test");
        safetensors_write(writer, zeros, tensor_entry_bytes(&entries[i]));
        free(zeros);
    }
    assert_true(safetensors_finish(writer, &err));
    tensor_entries_free(entries, count);
    free(path);
}

static void assert_model_error(const struct fixture_ground *ground, const char *message)
{
    struct error err = {0};
    char *expected = format_text("%s/model.safetensors: %s", ground->model, message);
    assert_false(model_load(ground->program, &fixture_backend, ground->device, ground->model, &err));
    assert_string_equal(err.text, expected);
    free(expected);
}

static void wrong_models(void **state)
{
    (void)state;
    struct fixture_ground ground;
    struct error err = {0};
    fixture_begin(&ground, 0);
    change_model(&ground, "model.layers.1.self_attn.v_proj.weight", "model.layers.1.self_attn.v_proj.weight", 5);
    assert_model_error(&ground,
                       "tensor 'model.layers.1.self_attn.v_proj.weight' has shape [5, 8], this program is compiled "
                       "for [4, 8]");
    change_model(&ground, "model.layers.1.self_attn.v_proj.weight", "model.layers.1.self_attn.v_proj.weight", 4);
    assert_true(model_load(ground.program, &fixture_backend, ground.device, ground.model, &err));
    change_model(&ground, "lm_head.weight", "lm_tail.weight", 0);
    assert_model_error(&ground, "tensor 'lm_head.weight' of shape [16, 8] is missing");
    change_model(&ground, "lm_tail.weight", "lm_head.weight", 0);
    change_model(&ground, "model.layers.0.input_layernorm.weight", NULL, 0);
    assert_model_error(&ground, "tensor 'model.layers.0.input_layernorm.weight' of shape [8] is missing");
    fixture_end(&ground);

    fixture_begin(&ground, FIXTURE_TIED);
    change_model(&ground, "model.layers.0.input_layernorm.weight", "model.layers.0.input_layernorm.bias", 0);
    assert_model_error(&ground, "tensor 'model.layers.0.input_layernorm.weight' of shape [8] is missing");
    fixture_end(&ground);

    fixture_begin(&ground, 0);
    ground.fixture.program.model.tie_word_embeddings = true; /* a tied model may carry its head along */
    ground.fixture.program.weight_groups = 2;
    char *config = path_join(ground.model, "config.json");
    cJSON *json = json_read(config, &err);
    cJSON_ReplaceItemInObject(json, "tie_word_embeddings", cJSON_CreateTrue());
    assert_true(json_write(config, json, &err));
    cJSON_Delete(json);
    assert_true(model_load(ground.program, &fixture_backend, ground.device, ground.model, &err));
    change_model(&ground, "lm_head.weight", "lm_tail.weight", 0);
    assert_model_error(&ground, "tensor 'lm_tail.weight' is not part of the model that this program is compiled for");
    fixture_end(&ground);
    free(config);
}

static void missing_model(void **state)
{
    (void)state;
    struct fixture_ground ground;
    struct error err = {0};
    fixture_begin(&ground, 0);
    char *nowhere = path_join(ground.directory, "nowhere");
    char *expected = format_text("%s: no model here: config.json cannot be read: No such file or directory", nowhere);
    assert_false(model_load(ground.program, &fixture_backend, ground.device, nowhere, &err));
    assert_string_equal(err.text, expected);
    free(expected);
    free(nowhere);
    fixture_end(&ground);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_arrive),
        cmocka_unit_test(wide_tensors_are_turned),
        cmocka_unit_test(numbers_too_large_for_the_memory_are_refused),
        cmocka_unit_test(numbers_that_fp32_would_lose_are_refused),
        cmocka_unit_test(wrong_models),
        cmocka_unit_test(missing_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
