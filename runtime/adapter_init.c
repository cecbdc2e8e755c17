/* Fresh adapters. */
#include "adapter.h"

#include "dtype_convert.h"
#include "random_fill.h"
#include "weights.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct init {
    const struct program *program;
    const struct backend *backend;
    struct device *device;
    const struct weight_files *base; /* NULL where no tensor needs it */
    uint64_t seed;
};

/* Uploads floats that stand in their order on disk. */
static void upload(const struct init *init, const struct placed_tensor *to, const float *values)
{
    size_t rows = (size_t)to->spec->rows, cols = (size_t)to->spec->cols, count = tensor_elements(to->spec);
    CHECK(to->spec->dtype == DTYPE_F32);
    if (!to->spec->transposed) {
        init->backend->upload(init->device, REGION_ADAPTERS, to->offset, values, count * sizeof *values);
        return;
    }
    float *turned = allocate(count * sizeof *turned, "an adapter tensor");
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < cols; c++)
            turned[c * rows + r] = values[r * cols + c];
    init->backend->upload(init->device, REGION_ADAPTERS, to->offset, turned, count * sizeof *turned);
    free(turned);
}

/* lora_A or lora_B as init_lora_weights says, in the order on disk; free() it. Both are [rows][cols] with cols inputs. */
static float *initial_matrix(const struct init *init, const struct placed_tensor *tensor)
{
    const char *how = init->program->lora.init_lora_weights;
    size_t count = tensor_elements(tensor->spec);
    float *values = allocate(count * sizeof *values, "an adapter tensor");
    struct random_tensor random = random_tensor(init->seed, tensor->name);
    bool is_A = adapter_kind(tensor->name) == ADAPTER_A;
    if (is_A && !strcmp(how, "gaussian"))
        random_normal(values, random, 0, count, 1.0 / tensor->spec->rows);
    else if (is_A || !strcmp(how, "false"))
        random_uniform(values, random, 0, count, 1 / sqrt(tensor->spec->cols));
    return values;
}

/* The base tensor that an adapter tensor belongs to; NULL and *err when the model has none, or of another shape. cols 0: a
 * matrix of `rows` rows, however long they are. */
static const struct safetensor *base_tensor(const struct weight_files *base, const char *name, int rows, int cols,
                                            struct error *err)
{
    CHECK(base);
    char *base_name = adapter_base_tensor(name);
    const struct safetensor *tensor = weight_files_find(base, base_name);
    if (!tensor && !strcmp(base_name, "lm_head.weight")) /* tied */
        tensor = weight_files_find(base, "model.embed_tokens.weight");
    if (!tensor)
        error_set(err, "%s: tensor '%s' is missing", base->paths[0], base_name);
    else if (!safetensor_expect(base, tensor, rows, cols ? cols : (int)tensor->shape[1], err))
        tensor = NULL;
    free(base_name);
    return tensor;
}

/* A and B of the module that a magnitude belongs to; NULL and r = 0 where B starts as zero, and adds nothing. */
struct module {
    float *A, *B;
    int r;
    double scaling;
};

static struct module module_of(const struct init *init, const struct placed_tensor *magnitude, int in)
{
    struct module module = {.r = 0};
    if (strcmp(init->program->lora.init_lora_weights, "false"))
        return module;
    int count, stem = (int)(strrchr(magnitude->name, '.') - magnitude->name);
    struct placed_tensor *tensors = placed_tensors(init->program->adapters, init->program->adapter_groups, &count);
    for (int i = 0; i < count; i++) {
        enum adapter_kind kind = adapter_kind(tensors[i].name);
        if (strncmp(tensors[i].name, magnitude->name, (size_t)stem + 1) || kind > ADAPTER_B)
            continue;
        float **matrix = kind == ADAPTER_A ? &module.A : &module.B;
        *matrix = initial_matrix(init, &tensors[i]);
        if (kind == ADAPTER_A) {
            CHECK(tensors[i].spec->cols == in);
            module.r = tensors[i].spec->rows;
            module.scaling = tensors[i].spec->scaling;
        }
    }
    CHECK(module.A && module.B);
    placed_tensors_free(tensors, count);
    return module;
}

/* ||row|| of W + scaling * B * A; W's row is rounded as it is in memory. */
static double row_norm(const struct init *init, const struct module *module, float *w, int row, int in)
{
    enum dtype dtype = init->program->train.weight_dtype;
    double sum = 0;
    for (int i = 0; i < in; i++) {
        float delta = 0;
        for (int k = 0; k < module->r; k++)
            delta +=
                module->B[(size_t)row * (size_t)module->r + (size_t)k] * module->A[(size_t)k * (size_t)in + (size_t)i];
        float base = dtype == DTYPE_BF16  ? bf16_to_float(float_to_bf16(w[i]))
                     : dtype == DTYPE_F16 ? f16_to_float(float_to_f16(w[i]))
                                          : w[i];
        double value = base + module->scaling * delta;
        sum += value * value;
    }
    return sqrt(sum);
}

/* DoRA (Liu et al. 2024): the magnitude starts as the norms of the adapted weight's rows. */
static bool init_magnitude(const struct init *init, const struct placed_tensor *tensor, struct error *err)
{
    enum { ROWS = 64 };
    int out = tensor->spec->rows;
    const struct safetensor *base = base_tensor(init->base, tensor->name, out, 0, err);
    if (!base)
        return false;
    int in = (int)base->shape[1];
    struct module module = module_of(init, tensor, in);
    float *magnitude = allocate((size_t)out * sizeof *magnitude, "DoRA magnitudes");
    float *rows = allocate((size_t)ROWS * (size_t)in * sizeof *rows, "base weights");
    bool read = true;
    for (int first = 0; first < out && read; first += ROWS) {
        int n = out - first < ROWS ? out - first : ROWS;
        read = weight_files_read_floats(init->base, base, (uint64_t)first * (uint64_t)in, rows, (size_t)n * (size_t)in,
                                        err);
#pragma omp parallel for schedule(static)
        for (int row = 0; row < (read ? n : 0); row++)
            magnitude[first + row] = (float)row_norm(init, &module, rows + (size_t)row * (size_t)in, first + row, in);
    }
    if (read)
        upload(init, tensor, magnitude);
    free(rows);
    free(magnitude);
    free(module.A);
    free(module.B);
    return read;
}

static bool init_tensor(const struct init *init, const struct placed_tensor *tensor, struct error *err)
{
    const struct safetensor *base;
    float *values;
    switch (adapter_kind(tensor->name)) {
    case ADAPTER_A:
    case ADAPTER_B:
        values = initial_matrix(init, tensor);
        upload(init, tensor, values);
        free(values);
        return true;
    case ADAPTER_MAGNITUDE:
        return init_magnitude(init, tensor, err);
    case ADAPTER_FULL:
        base = base_tensor(init->base, tensor->name, tensor->spec->rows, tensor->spec->cols, err);
        return base && tensor_load(init->base, base, tensor, init->backend, init->device, REGION_ADAPTERS, err);
    }
    return false;
}

/* Initializes the tensors whose kind lies from `first` to the last of the enum. The base's files are opened only for kinds that
 * need them: those behind ADAPTER_B. */
static bool init_from(struct init *init, enum adapter_kind first, const char *model, struct error *err)
{
    int count;
    struct placed_tensor *tensors = placed_tensors(init->program->adapters, init->program->adapter_groups, &count);
    bool needs_base = false;
    for (int i = 0; i < count; i++)
        needs_base =
            needs_base || (adapter_kind(tensors[i].name) > ADAPTER_B && adapter_kind(tensors[i].name) >= first);
    struct weight_files *base = needs_base ? weight_files_open(model, err) : NULL;
    init->base = base;
    bool made = base || !needs_base;
    for (int i = 0; i < count && made; i++)
        made = adapter_kind(tensors[i].name) < first || init_tensor(init, &tensors[i], err);
    weight_files_close(base);
    placed_tensors_free(tensors, count);
    return made;
}

bool adapter_init(const struct program *program, const struct backend *backend, struct device *device,
                  const char *model, uint64_t seed, struct error *err)
{
    struct init init = {.program = program, .backend = backend, .device = device, .seed = seed};
    return init_from(&init, ADAPTER_A, model, err);
}

bool adapter_load_base(const struct program *program, const struct backend *backend, struct device *device,
                       const char *model, struct error *err)
{
    struct init init = {.program = program, .backend = backend, .device = device};
    return init_from(&init, ADAPTER_FULL, model, err);
}
