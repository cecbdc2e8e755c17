/* merge, run as a command, against the same arithmetic in double precision; and what becomes of tied heads. */
#define _POSIX_C_SOURCE 200809L

#include "adapter.h"
#include "dtype_convert.h"
#include "json_file.h"
#include "output_file.h"
#include "storage_fixture.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct ground {
    struct fixture_program fixture;
    const struct program *program;
    char *directory, *model, *adapter, *output;
};

/* A random model, and an adapter all of whose tensors are random. `heads_equal`: head and embedding are trained alike. */
static void begin(struct ground *ground, int flags, const char *dtype, bool heads_equal)
{
    struct error err = {0};
    *ground = (struct ground){.directory = fixture_directory()};
    fixture_program(&ground->fixture, flags);
    ground->program = &ground->fixture.program;
    ground->model = path_join(ground->directory, "model");
    ground->adapter = path_join(ground->directory, "adapter");
    ground->output = path_join(ground->directory, "merged");
    assert_true(make_directory(ground->adapter, &err));
    assert_int_equal(fixture_run(ground->program, "init-model", "--output", ground->model, "--dtype", dtype, NULL), 0);
    struct device *device = fixture_open();
    size_t count = ground->program->memory.adapters / sizeof(float), head = 16 * 8;
    float *values = allocate(count * sizeof *values, "a test");
    for (size_t i = 0; i < count; i++)
        values[i] = (float)((i * 37 + 11) % 101) / 100 + 0.1f;
    if (heads_equal)
        memcpy(values + count - head, values + count - 2 * head, head * sizeof *values);
    fixture_backend.upload(device, REGION_ADAPTERS, 0, values, count * sizeof *values);
    assert_true(adapter_save(ground->program, &fixture_backend, device, ground->adapter, ground->model, &err));
    free(values);
    fixture_backend.close(device);
}

static int merge(const struct ground *ground)
{
    return fixture_run(ground->program, "merge", "--model", ground->model, "--adapter", ground->adapter, "--output",
                       ground->output, NULL);
}

static void end(struct ground *ground)
{
    fixture_remove(ground->directory);
    free(ground->model);
    free(ground->adapter);
    free(ground->output);
}

static float *base_tensor(const struct ground *ground, const char *name)
{
    return fixture_tensor(ground->model, "model.safetensors", name);
}

static float *merged_tensor(const struct ground *ground, const char *name)
{
    return fixture_tensor(ground->output, "model.safetensors", name);
}

static float *adapter_tensor(const struct ground *ground, const char *name)
{
    return fixture_tensor(ground->adapter, "adapter_model.safetensors", name);
}

static bool has_tensor(const char *directory, const char *name)
{
    struct error err = {0};
    struct weight_files *files = weight_files_open(directory, &err);
    assert_non_null(files);
    bool has = weight_files_find(files, name);
    weight_files_close(files);
    return has;
}

static bool says_tied(const struct ground *ground)
{
    struct error err = {0};
    char *path = path_join(ground->output, "config.json");
    cJSON *config = json_read(path, &err);
    assert_non_null(config);
    bool tied = cJSON_IsTrue(cJSON_GetObjectItem(config, "tie_word_embeddings"));
    cJSON_Delete(config);
    free(path);
    return tied;
}

static void assert_equal_tensors(float *found, float *expected, size_t count)
{
    assert_memory_equal(found, expected, count * sizeof *found);
    free(found);
    free(expected);
}

/* `epsilon`: half a unit in the last place of the type it is stored in, plus fp32's own error. */
static void check_product(const struct ground *ground, const char *module, int out, bool dora, double epsilon)
{
    char *weight = format_text("model.layers.1.self_attn.%s.weight", module);
    char *prefix = format_text("base_model.model.model.layers.1.self_attn.%s", module);
    char *names[3] = {format_text("%s.lora_A.weight", prefix), format_text("%s.lora_B.weight", prefix),
                      format_text("%s.lora_magnitude_vector", prefix)};
    float *W = base_tensor(ground, weight), *found = merged_tensor(ground, weight);
    float *A = adapter_tensor(ground, names[0]), *B = adapter_tensor(ground, names[1]);
    float *m = dora ? adapter_tensor(ground, names[2]) : NULL;
    for (int row = 0; row < out; row++) {
        double expected[8], sum = 0;
        for (int i = 0; i < 8; i++) {
            expected[i] = W[row * 8 + i] + 3.0 * ((double)B[row * 2] * A[i] + (double)B[row * 2 + 1] * A[8 + i]);
            sum += expected[i] * expected[i];
        }
        for (int i = 0; i < 8; i++) {
            double wanted = m ? expected[i] * m[row] / sqrt(sum) : expected[i];
            if (!(fabs(found[row * 8 + i] - wanted) <= epsilon * (fabs(wanted) + 1)))
                fail_msg("%s[%d][%d]: %g, expected %g", weight, row, i, (double)found[row * 8 + i], wanted);
        }
    }
    float *all[] = {W, found, A, B, m};
    for (int i = 0; i < 5; i++)
        free(all[i]);
    for (int i = 0; i < 3; i++)
        free(names[i]);
    free(weight);
    free(prefix);
}

static void products(void **state)
{
    (void)state;
    static const struct {
        const char *dtype;
        double epsilon;
    } types[] = {{"fp32", 1e-6}, {"bf16", 0x1p-8}, {"fp16", 0x1p-11 + 1e-6}};
    for (int t = 0; t < 3; t++)
        for (int dora = 0; dora < 2; dora++) {
            struct ground ground;
            begin(&ground, dora ? FIXTURE_DORA : 0, types[t].dtype, false);
            assert_int_equal(merge(&ground), 0);
            check_product(&ground, "q_proj", 8, dora, types[t].epsilon);
            check_product(&ground, "v_proj", 4, dora, types[t].epsilon);
            static const char *const untouched[] = {"model.layers.0.self_attn.q_proj.weight", "lm_head.weight",
                                                    "model.layers.1.input_layernorm.weight"};
            static const size_t sizes[] = {64, 128, 8};
            for (int i = 0; i < 3; i++)
                assert_equal_tensors(merged_tensor(&ground, untouched[i]), base_tensor(&ground, untouched[i]),
                                     sizes[i]);
            end(&ground);
        }
}

static void other_files_are_copied(void **state)
{
    (void)state;
    struct ground ground;
    struct error err = {0};
    begin(&ground, 0, "bf16", false);
    static const char *const names[] = {"tokenizer.json", "chat_template.jinja", "pytorch_model.bin", ".gitattributes"};
    for (int i = 0; i < 4; i++) {
        char *path = path_join(ground.model, names[i]);
        assert_true(output_write_file(path, names[i], strlen(names[i]), &err));
        free(path);
    }
    assert_int_equal(merge(&ground), 0);
    for (int i = 0; i < 4; i++) {
        char *from = path_join(ground.model, names[i]), *to = path_join(ground.output, names[i]);
        if (i < 2)
            fixture_assert_same_files(to, from);
        else
            assert_int_not_equal(access(to, F_OK), 0);
        free(from);
        free(to);
    }
    char *from = path_join(ground.model, "config.json"), *to = path_join(ground.output, "config.json");
    fixture_assert_same_files(to, from);
    free(from);
    free(to);
    end(&ground);
}

static const char head[] = "lm_head.weight", embedding[] = "model.embed_tokens.weight";
static const char trained_head[] = "base_model.model.lm_head.weight";
static const char trained_embedding[] = "base_model.model.model.embed_tokens.weight";
enum { SIZE = 16 * 8 };

static void tied_untouched(void **state)
{
    (void)state;
    struct ground ground;
    begin(&ground, FIXTURE_TIED, "fp32", false);
    assert_int_equal(merge(&ground), 0);
    assert_false(has_tensor(ground.output, head));
    assert_true(says_tied(&ground));
    end(&ground);
}

static void tied_with_trained_head(void **state)
{
    (void)state;
    struct ground ground;
    begin(&ground, FIXTURE_TIED | FIXTURE_HEAD, "fp32", false);
    assert_int_equal(merge(&ground), 0);
    assert_equal_tensors(merged_tensor(&ground, head), adapter_tensor(&ground, trained_head), SIZE);
    assert_equal_tensors(merged_tensor(&ground, embedding), base_tensor(&ground, embedding), SIZE);
    assert_false(says_tied(&ground));
    end(&ground);
}

static void tied_with_trained_embedding(void **state)
{
    (void)state;
    struct ground ground;
    begin(&ground, FIXTURE_TIED | FIXTURE_EMBEDDING, "fp32", false);
    assert_int_equal(merge(&ground), 0);
    assert_equal_tensors(merged_tensor(&ground, embedding), adapter_tensor(&ground, trained_embedding), SIZE);
    assert_equal_tensors(merged_tensor(&ground, head), base_tensor(&ground, embedding), SIZE);
    assert_false(says_tied(&ground));
    end(&ground);
}

static void tied_with_both(void **state)
{
    (void)state;
    for (int equal = 0; equal < 2; equal++) {
        struct ground ground;
        begin(&ground, FIXTURE_TIED | FIXTURE_HEAD | FIXTURE_EMBEDDING, "fp32", equal);
        assert_int_equal(merge(&ground), 0);
        assert_equal_tensors(merged_tensor(&ground, embedding), adapter_tensor(&ground, trained_embedding), SIZE);
        assert_int_equal(has_tensor(ground.output, head), !equal);
        assert_int_equal(says_tied(&ground), equal);
        if (!equal)
            assert_equal_tensors(merged_tensor(&ground, head), adapter_tensor(&ground, trained_head), SIZE);
        end(&ground);
    }
}

static void untied_with_trained_head(void **state)
{
    (void)state;
    struct ground ground;
    begin(&ground, FIXTURE_HEAD, "bf16", false);
    assert_int_equal(merge(&ground), 0);
    float *found = merged_tensor(&ground, head), *wanted = adapter_tensor(&ground, trained_head);
    for (int i = 0; i < SIZE; i++)
        assert_true(found[i] == bf16_to_float(float_to_bf16(wanted[i])));
    free(found);
    free(wanted);
    assert_false(says_tied(&ground));
    end(&ground);
}

/* Splits the model into two files; the merged one has the same two and an index that covers all. */
static void shards_stay(void **state)
{
    (void)state;
    struct ground ground;
    struct error err = {0};
    begin(&ground, FIXTURE_TIED | FIXTURE_HEAD, "fp32", false);
    char *single = path_join(ground.model, "model.safetensors");
    struct weight_files *base = weight_files_open(ground.model, &err);
    cJSON *index = cJSON_CreateObject(), *map = cJSON_AddObjectToObject(index, "weight_map");
    for (int file = 0; file < 2; file++) {
        static const char *const names[] = {"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"};
        struct tensor_entry entries[16];
        int count = 0;
        for (int i = file; i < base->tensor_count; i += 2) {
            const struct safetensor *tensor = &base->tensors[i];
            entries[count++] =
                tensor_entry(tensor->name, DTYPE_F32, tensor->shape[0], tensor->dimensions == 2 ? tensor->shape[1] : 0);
            cJSON_AddStringToObject(map, tensor->name, names[file]);
        }
        char *path = path_join(ground.model, names[file]);
        struct safetensors_writer *writer = safetensors_create(path, entries, count, &err);
        for (int i = 0; i < count; i++) {
            float *values = base_tensor(&ground, entries[i].name);
            safetensors_write(writer, values, tensor_entry_bytes(&entries[i]));
            free(values);
            free(entries[i].name);
        }
        assert_true(safetensors_finish(writer, &err));
        free(path);
    }
    char *path = path_join(ground.model, "model.safetensors.index.json");
    assert_true(json_write(path, index, &err));
    assert_int_equal(remove(single), 0);
    assert_int_equal(merge(&ground), 0);
    struct weight_files *merged = weight_files_open(ground.output, &err);
    CHECK(merged);
    assert_int_equal(merged->file_count, 2);
    assert_int_equal(merged->tensor_count, base->tensor_count + 1);
    for (int i = 0; i < base->tensor_count; i++) {
        const char *name = base->tensors[i].name;
        const char *file = strrchr(weight_files_path(merged, weight_files_find(merged, name)), '/') + 1;
        assert_string_equal(file, cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(map, name)));
    }
    weight_files_close(base);
    weight_files_close(merged);
    cJSON_Delete(index);
    free(path);
    free(single);
    end(&ground);
}

/* Nothing is left where merging fails, and what was there stays. */
static void failures(void **state)
{
    (void)state;
    struct ground ground;
    struct error err = {0};
    begin(&ground, 0, "fp32", false);
    char *config = path_join(ground.adapter, "adapter_config.json");
    assert_true(output_write_file(config, "{", 1, &err));
    assert_int_equal(merge(&ground), EXIT_FAILED);
    assert_int_not_equal(access(ground.output, F_OK), 0);
    end(&ground);
    free(config);
    begin(&ground, 0, "fp32", false);
    assert_int_equal(merge(&ground), 0);
    assert_int_equal(merge(&ground), EXIT_FAILED);
    assert_true(has_tensor(ground.output, head));
    end(&ground);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products),
        cmocka_unit_test(other_files_are_copied),
        cmocka_unit_test(tied_untouched),
        cmocka_unit_test(tied_with_trained_head),
        cmocka_unit_test(tied_with_trained_embedding),
        cmocka_unit_test(tied_with_both),
        cmocka_unit_test(untied_with_trained_head),
        cmocka_unit_test(shards_stay),
        cmocka_unit_test(failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
