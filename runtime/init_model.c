/* init-model: a random Hugging Face directory of the compiled shape. Matrices are N(0, initializer_range), norms 1, biases 0, as
 * Transformers initializes them; every number depends on the seed and its place alone. */
#include "adapter.h"
#include "commands.h"
#include "dtype_convert.h"
#include "json_file.h"
#include "model_dir.h"
#include "output_file.h"
#include "random_fill.h"
#include "threads.h"
#include "weights.h"

#include <stdlib.h>
#include <string.h>

static const uint64_t shard_bytes = 5000000000; /* Transformers' limit */

struct init_model {
    const struct program *program;
    const char *output;
    enum dtype dtype;
    uint64_t seed;
    float *quantiles;             /* of N(0, initializer_range) */
    struct tensor_entry *entries; /* in the order in which they are written */
    int count;
};

static void add_entry(struct init_model *init, const char *name, const struct tensor_spec *spec)
{
    for (int i = 0; i < init->count; i++)
        if (!strcmp(init->entries[i].name, name))
            return;
    init->entries[init->count++] = tensor_entry(name, init->dtype, spec->rows, spec->cols);
}

/* The frozen tensors, and those that the recipe trains whole. */
static void list_tensors(struct init_model *init)
{
    const struct program *program = init->program;
    int frozen, trained;
    struct placed_tensor *weights = placed_tensors(program->weights, program->weight_groups, &frozen);
    struct placed_tensor *adapters = placed_tensors(program->adapters, program->adapter_groups, &trained);
    init->entries = allocate((size_t)(frozen + trained) * sizeof *init->entries, "the list of tensors");
    for (int i = 0; i < frozen; i++)
        add_entry(init, weights[i].name, weights[i].spec);
    for (int i = 0; i < trained; i++) {
        char *name = adapter_base_tensor(adapters[i].name);
        bool part = program->model.tie_word_embeddings && !strcmp(name, "lm_head.weight");
        if (adapter_kind(adapters[i].name) == ADAPTER_FULL && !part)
            add_entry(init, name, adapters[i].spec);
        free(name);
    }
    placed_tensors_free(weights, frozen);
    placed_tensors_free(adapters, trained);
    safetensors_sort(init->entries, init->count);
}

/* What the program keeps in fewer bits, and must not round, is drawn so, whatever type it is written as. */
static void take_weight_dtype(float *values, void *scratch, const struct program *program, size_t n)
{
    if (program->train.dtype != DTYPE_F32 || program->train.weight_dtype == DTYPE_F32)
        return;
    convert_from_float(scratch, program->train.weight_dtype, values, n);
    convert_to_float(values, scratch, program->train.weight_dtype, n);
}

static void write_tensor(struct safetensors_writer *writer, const struct init_model *init,
                         const struct tensor_entry *entry)
{
    enum { PIECE = 1 << 20 };
    float *values = allocate(PIECE * sizeof *values, "random weights");
    void *stored = allocate(PIECE * sizeof *values, "random weights");
    struct random_tensor random = random_tensor(init->seed, entry->name);
    bool matrix = entry->dimensions == 2;
    float constant = strstr(entry->name, ".bias") ? 0 : 1;
    size_t total = (size_t)(tensor_entry_bytes(entry) / entry->element);
    for (size_t first = 0; first < total; first += PIECE) {
        size_t n = total - first < PIECE ? total - first : PIECE;
        if (matrix)
            random_quantiles(values, random, first, n, init->quantiles);
        for (size_t i = 0; i < n && !matrix; i++)
            values[i] = constant;
        take_weight_dtype(values, stored, init->program, n);
        convert_from_float(stored, init->dtype, values, n);
        safetensors_write(writer, stored, n * entry->element);
    }
    free(values);
    free(stored);
}

/* How many entries from `first` on go into one file. */
static int shard_length(const struct init_model *init, int first)
{
    uint64_t bytes = 0;
    int last = first;
    for (; last < init->count; last++) {
        bytes += tensor_entry_bytes(&init->entries[last]);
        if (bytes > shard_bytes && last > first)
            break;
    }
    return last - first;
}

static bool write_shard(const struct init_model *init, const char *name, int first, int count, struct error *err)
{
    char *path = path_join(init->output, name);
    struct safetensors_writer *writer = safetensors_create(path, init->entries + first, count, err);
    for (int i = 0; writer && i < count; i++)
        write_tensor(writer, init, &init->entries[first + i]);
    free(path);
    return writer && safetensors_finish(writer, err);
}

static bool write_weights(const struct init_model *init, struct error *err)
{
    int shards = 0;
    for (int first = 0; first < init->count; first += shard_length(init, first))
        shards++;
    if (shards == 1)
        return write_shard(init, "model.safetensors", 0, init->count, err);
    cJSON *index = cJSON_CreateObject(), *metadata = cJSON_AddObjectToObject(index, "metadata");
    cJSON *map = cJSON_AddObjectToObject(index, "weight_map");
    double total = 0;
    bool written = true;
    for (int first = 0, shard = 1, count; first < init->count && written; first += count, shard++) {
        char *name = format_text("model-%05d-of-%05d.safetensors", shard, shards);
        count = shard_length(init, first);
        for (int i = first; i < first + count; i++) {
            cJSON_AddStringToObject(map, init->entries[i].name, name);
            total += (double)tensor_entry_bytes(&init->entries[i]);
        }
        written = write_shard(init, name, first, count, err);
        free(name);
    }
    cJSON_AddNumberToObject(metadata, "total_size", total);
    char *path = path_join(init->output, "model.safetensors.index.json");
    written = written && json_write(path, index, err);
    free(path);
    cJSON_Delete(index);
    return written;
}

static bool write_configs(const struct init_model *init, struct error *err)
{
    static const char *const torch_names[] = {
        [DTYPE_F32] = "float32", [DTYPE_BF16] = "bfloat16", [DTYPE_F16] = "float16"};
    static const char generation[] = "{\n  \"_from_model_config\": true\n}\n";
    cJSON *config = model_config_to_json(&init->program->model);
    CHECK(config);
    cJSON_DeleteItemFromObjectCaseSensitive(config, "dtype");
    cJSON_DeleteItemFromObjectCaseSensitive(config, "torch_dtype");
    cJSON_AddStringToObject(config, "torch_dtype", torch_names[init->dtype]);
    char *path = path_join(init->output, "config.json");
    char *generation_path = path_join(init->output, "generation_config.json");
    bool written =
        json_write(path, config, err) && output_write_file(generation_path, generation, strlen(generation), err);
    free(path);
    free(generation_path);
    cJSON_Delete(config);
    return written;
}

static enum dtype wanted_dtype(const struct options *options)
{
    const char *name = option_text(options, "dtype");
    if (!name)
        return options_program(options)->train.weight_dtype;
    return !strcmp(name, "fp32") ? DTYPE_F32 : !strcmp(name, "bf16") ? DTYPE_BF16 : DTYPE_F16;
}

int command_init_model(const struct options *options, struct error *err)
{
    struct init_model init = {
        .program = options_program(options),
        .output = option_text(options, "output"),
        .dtype = wanted_dtype(options),
        .seed = (uint64_t)option_int(options, "seed"),
    };
    threads_use(options);
    if (!output_directory(init.output, false, err))
        return err->exit_code;
    list_tensors(&init);
    init.quantiles = normal_quantiles(init.program->model.initializer_range);
    bool written = write_weights(&init, err) && write_configs(&init, err);
    if (!written)
        discard_directory(init.output);
    tensor_entries_free(init.entries, init.count);
    free(init.quantiles);
    return written ? EXIT_DONE : err->exit_code;
}
