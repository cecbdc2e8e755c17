#define _XOPEN_SOURCE 700

#include "storage_fixture.h"

#include "commands.h"
#include "json_file.h"
#include "output_file.h"

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { REGIONS = 5, REGION_SIZE = 1 << 20 };

struct device {
    char memory[REGIONS][REGION_SIZE];
};

/* ---- the backend ---- */

static bool usable(void)
{
    return true;
}

struct device *fixture_open(void)
{
    return allocate(sizeof(struct device), "a test device");
}

static struct device *open_device(const struct device_request *request, struct error *err)
{
    (void)request;
    (void)err;
    return fixture_open();
}

static void close_device(struct device *device)
{
    free(device);
}

static void upload(struct device *device, enum region region, size_t offset, const void *from, size_t bytes)
{
    assert_true(offset + bytes <= REGION_SIZE);
    memcpy(device->memory[region] + offset, from, bytes);
}

static void download(const struct device *device, enum region region, size_t offset, void *to, size_t bytes)
{
    assert_true(offset + bytes <= REGION_SIZE);
    memcpy(to, device->memory[region] + offset, bytes);
}

/* One line passes; a second one fails when there are 3 threads, and is not a number when there are 4. */
static int selftest(int threads, selftest_report *report, void *context)
{
    report(context, &(struct selftest_line){"rmsnorm_fwd", "T=3", 0.5, 1e-6});
    if (threads >= 3)
        report(context, &(struct selftest_line){"rmsnorm_bwd", "T=3", threads == 3 ? 1.5 : 0.0 / 0.0, 1e-6});
    return threads >= 3;
}

const struct backend fixture_backend = {
    .name = "memory",
    .usable = usable,
    .open = open_device,
    .close = close_device,
    .upload = upload,
    .download = download,
    .selftest = selftest,
};

const void *fixture_region(const struct device *device, enum region region)
{
    return device->memory[region];
}

/* ---- the program ---- */

static const int all_layers[] = {0, 1}, upper_layer[] = {1};

static struct tensor_spec spec(const char *name, int rows, int cols, enum dtype dtype, size_t *offset)
{
    struct tensor_spec made = {.name = name, .rows = rows, .cols = cols, .dtype = dtype, .offset = *offset};
    *offset += (size_t)rows * (size_t)(cols ? cols : 1) * dtype_size(dtype);
    return made;
}

static void add_group(const struct tensor_group *groups, int *count, struct tensor_group group, size_t *offset)
{
    group.offset = *offset;
    *offset += group.stride * (size_t)group.count;
    ((struct tensor_group *)groups)[(*count)++] = group;
}

static void add_weights(struct fixture_program *f, int flags, enum dtype dtype)
{
    struct program *p = &f->program;
    size_t size = 0, total = 0;
    f->layer[0] = spec("input_layernorm.weight", 8, 0, DTYPE_F32, &size);
    f->layer[1] = spec("self_attn.q_proj.weight", 8, 8, dtype, &size);
    f->layer[2] = spec("self_attn.v_proj.weight", 4, 8, dtype, &size);
    add_group(f->weights, &p->weight_groups,
              (struct tensor_group){"model.layers.%d.", all_layers, 2, 0, size, f->layer, 3}, &total);
    size = 0;
    f->embedding = spec("model.embed_tokens.weight", 16, 8, dtype, &size);
    add_group(f->weights, &p->weight_groups, (struct tensor_group){"", NULL, 1, 0, size, &f->embedding, 1}, &total);
    size = 0;
    f->head = spec("lm_head.weight", 16, 8, dtype, &size);
    if (!(flags & FIXTURE_TIED))
        add_group(f->weights, &p->weight_groups, (struct tensor_group){"", NULL, 1, 0, size, &f->head, 1}, &total);
    p->memory.weights = total;
}

static void add_adapters(struct fixture_program *f, int flags)
{
    struct program *p = &f->program;
    size_t size = 0, total = 0;
    int count = 0;
    f->lora[count++] = spec("q_proj.lora_A.weight", 2, 8, DTYPE_F32, &size);
    f->lora[count++] = spec("q_proj.lora_B.weight", 8, 2, DTYPE_F32, &size);
    f->lora[count++] = spec("v_proj.lora_A.weight", 2, 8, DTYPE_F32, &size);
    f->lora[count++] = spec("v_proj.lora_B.weight", 4, 2, DTYPE_F32, &size);
    for (int i = 0; i < 4; i++) {
        f->lora[i].scaling = 3;
        f->lora[i].transposed = i % 2;
    }
    if (flags & FIXTURE_DORA) {
        f->lora[count++] = spec("q_proj.lora_magnitude_vector", 8, 0, DTYPE_F32, &size);
        f->lora[count++] = spec("v_proj.lora_magnitude_vector", 4, 0, DTYPE_F32, &size);
    }
    add_group(
        f->adapters, &p->adapter_groups,
        (struct tensor_group){"base_model.model.model.layers.%d.self_attn.", upper_layer, 1, 0, size, f->lora, count},
        &total);
    static const char *const names[] = {"base_model.model.lm_head.weight",
                                        "base_model.model.model.embed_tokens.weight"};
    for (int i = 0; i < 2; i++) {
        size = 0;
        f->full[i] = spec(names[i], 16, 8, DTYPE_F32, &size);
        if (flags & (i ? FIXTURE_EMBEDDING : FIXTURE_HEAD))
            add_group(f->adapters, &p->adapter_groups, (struct tensor_group){"", NULL, 1, 0, size, &f->full[i], 1},
                      &total);
    }
    p->memory.adapters = total;
}

static const char *config_text(int flags)
{
#define CONFIG(modules, dora)                                                                                          \
    "{\n  \"alpha_pattern\": {},\n  \"base_model_name_or_path\": null,\n  \"bias\": \"none\",\n  \"lora_alpha\": 6,\n" \
    "  \"lora_dropout\": 0.0,\n  \"modules_to_save\": " modules ",\n  \"peft_type\": \"LORA\",\n  \"r\": 2,\n"         \
    "  \"rank_pattern\": {},\n  \"use_dora\": " dora ",\n  \"use_rslora\": false\n}\n"
    bool dora = flags & FIXTURE_DORA;
    switch (flags & (FIXTURE_HEAD | FIXTURE_EMBEDDING)) {
    case FIXTURE_HEAD:
        return dora ? CONFIG("[\"lm_head\"]", "true") : CONFIG("[\"lm_head\"]", "false");
    case FIXTURE_EMBEDDING:
        return dora ? CONFIG("[\"embed_tokens\"]", "true") : CONFIG("[\"embed_tokens\"]", "false");
    case FIXTURE_HEAD | FIXTURE_EMBEDDING:
        return dora ? CONFIG("[\"lm_head\", \"embed_tokens\"]", "true")
                    : CONFIG("[\"lm_head\", \"embed_tokens\"]", "false");
    default:
        return dora ? CONFIG("null", "true") : CONFIG("null", "false");
    }
#undef CONFIG
}

void fixture_program(struct fixture_program *f, int flags)
{
    *f = (struct fixture_program){.backends = {&fixture_backend}};
    f->program = (struct program){
        .name = "small",
        .recipe = "recipes/small.lua",
        .model = {.model_type = "llama",
                  .hidden_size = 8,
                  .intermediate_size = 12,
                  .num_hidden_layers = 2,
                  .num_attention_heads = 2,
                  .num_key_value_heads = 1,
                  .head_dim = 4,
                  .vocab_size = 16,
                  .max_position_embeddings = 32,
                  .rms_norm_eps = 1e-6,
                  .tie_word_embeddings = flags & FIXTURE_TIED,
                  .initializer_range = 0.5,
                  .rope = {.type = ROPE_DEFAULT, .theta = 10000}},
        .lora = {.r = 2, .lora_alpha = 6, .use_dora = flags & FIXTURE_DORA, .init_lora_weights = "true"},
        .adapter_config = config_text(flags),
        .placement = "layer  q_proj  v_proj\n",
        .train = {.per_device_train_batch_size = 2,
                  .max_length = 8,
                  .gradient_accumulation_steps = 1,
                  .dtype = flags & FIXTURE_BF16 ? DTYPE_BF16 : DTYPE_F32,
                  .weight_dtype = flags & FIXTURE_BF16 ? DTYPE_BF16 : DTYPE_F32,
                  .learning_rate = 5e-5,
                  .lr_scheduler_type = "linear",
                  .min_lr = -1,
                  .max_steps = -1,
                  .seed = 42,
                  .shuffle = true},
        .max_context = 32,
        .weights = f->weights,
        .adapters = f->adapters,
        .cost = {.trained_parameters = 56},
        .backends = f->backends,
        .backend_count = 1,
    };
    add_weights(f, flags, f->program.train.dtype);
    add_adapters(f, flags);
}

/* ---- files ---- */

char *fixture_directory(void)
{
    char *directory = format_text("%s/lorac-test-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    assert_non_null(mkdtemp(directory));
    return directory;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *place)
{
    (void)status;
    (void)type;
    (void)place;
    return remove(path);
}

void fixture_remove(char *directory)
{
    nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(directory);
}

int fixture_run(const struct program *program, const char *command, ...)
{
    enum { MOST = 32 };
    char *arguments[MOST] = {(char *)program->name, (char *)command};
    int count = command ? 2 : 1;
    va_list list;
    va_start(list, command);
    while (command && count < MOST && (arguments[count] = va_arg(list, char *)))
        count++;
    va_end(list);
    fflush(NULL);
    int null = open("/dev/null", O_WRONLY), out = dup(STDOUT_FILENO), err = dup(STDERR_FILENO);
    dup2(null, STDOUT_FILENO);
    dup2(null, STDERR_FILENO);
    int code = run_command_line(program, count, arguments);
    fflush(NULL);
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    close(null);
    close(out);
    close(err);
    return code;
}

void fixture_begin(struct fixture_ground *ground, int flags)
{
    struct error err = {0};
    *ground = (struct fixture_ground){.directory = fixture_directory(), .device = fixture_open()};
    fixture_program(&ground->fixture, flags);
    ground->program = &ground->fixture.program;
    ground->model = path_join(ground->directory, "model");
    ground->adapter = path_join(ground->directory, "adapter");
    assert_true(make_directory(ground->adapter, &err));
    assert_int_equal(fixture_run(ground->program, "init-model", "--output", ground->model, "--dtype", "fp32", NULL), 0);
}

void fixture_end(struct fixture_ground *ground)
{
    fixture_remove(ground->directory);
    free(ground->model);
    free(ground->adapter);
    fixture_backend.close(ground->device);
}

float *fixture_tensor(const char *directory, const char *file, const char *name)
{
    struct error err = {0};
    char *path = path_join(directory, file);
    struct weight_files *files = weight_files_open_one(path, &err);
    if (!files)
        fail_msg("%s", err.text);
    const struct safetensor *tensor = weight_files_find(files, name);
    if (!tensor)
        fail_msg("%s has no %s", path, name);
    size_t count = (size_t)safetensor_elements(tensor);
    float *values = allocate(count * sizeof *values, "a test");
    assert_true(weight_files_read_floats(files, tensor, 0, values, count, &err));
    weight_files_close(files);
    free(path);
    return values;
}

void fixture_assert_same_files(const char *path, const char *expected)
{
    struct error err = {0};
    size_t size, expected_size;
    char *content = read_whole_file(path, &size, &err), *wanted = read_whole_file(expected, &expected_size, &err);
    if (!content || !wanted)
        fail_msg("%s", err.text);
    assert_int_equal(size, expected_size);
    assert_memory_equal(content, wanted, size);
    free(content);
    free(wanted);
}
