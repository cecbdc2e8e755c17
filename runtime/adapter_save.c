/* Writing adapters and the optimizer's state; the reading of the latter. */
#define _POSIX_C_SOURCE 200809L

#include "adapter.h"

#include "output_file.h"
#include "weights.h"

#include <stdlib.h>
#include <string.h>

/* The JSON text with base_model_name_or_path, null in the compiled text, set to `model`. Only these characters change, so that
 * numbers keep the form that PEFT gives them. */
static char *config_text(const char *compiled, const char *model)
{
    static const char field[] = "\"base_model_name_or_path\": null";
    const char *place = strstr(compiled, field);
    CHECK(place);
    cJSON *name = cJSON_CreateString(model);
    char *quoted = cJSON_PrintUnformatted(name);
    CHECK(quoted);
    size_t keep = sizeof field - sizeof "null";
    char *text =
        format_text("%.*s%s%s", (int)(place - compiled + (ptrdiff_t)keep), compiled, quoted, place + sizeof field - 1);
    cJSON_free(quoted);
    cJSON_Delete(name);
    return text;
}

/* Downloads one tensor of floats and writes it in its order on disk. */
static void write_tensor(struct safetensors_writer *writer, const struct placed_tensor *tensor,
                         const struct backend *backend, const struct device *device, enum region region)
{
    const struct tensor_spec *spec = tensor->spec;
    CHECK(spec->dtype == DTYPE_F32);
    size_t count = tensor_elements(spec), rows = (size_t)spec->rows, cols = (size_t)spec->cols;
    float *memory = allocate(count * sizeof *memory, "an adapter tensor"), *disk = memory;
    backend->download(device, region, tensor->offset, memory, count * sizeof *memory);
    if (spec->transposed) {
        disk = allocate(count * sizeof *disk, "an adapter tensor");
        for (size_t r = 0; r < rows; r++)
            for (size_t c = 0; c < cols; c++)
                disk[r * cols + c] = memory[c * rows + r];
        free(memory);
    }
    safetensors_write(writer, disk, count * sizeof *disk);
    free(disk);
}

/* What a file holds: regions, each tensor's name with a prefix before it. */
struct part {
    const char *prefix;
    enum region region;
};
static const struct part adapter_parts[] = {{"", REGION_ADAPTERS}};
static const struct part optimizer_parts[] = {{"exp_avg.", REGION_MOMENT1}, {"exp_avg_sq.", REGION_MOMENT2}};

static struct tensor_entry *list_entries(const struct placed_tensor *tensors, int count, const struct part *parts,
                                         int part_count)
{
    struct tensor_entry *entries = allocate((size_t)(count * part_count) * sizeof *entries, "the list of tensors");
    for (int p = 0; p < part_count; p++)
        for (int i = 0; i < count; i++) {
            char *name = format_text("%s%s", parts[p].prefix, tensors[i].name);
            entries[p * count + i] = tensor_entry(name, DTYPE_F32, tensors[i].spec->rows, tensors[i].spec->cols);
            free(name);
        }
    safetensors_sort(entries, count * part_count);
    return entries;
}

static bool write_parts(const struct program *program, const struct backend *backend, const struct device *device,
                        const char *path, const struct part *parts, int part_count, struct error *err)
{
    int count;
    struct placed_tensor *tensors = placed_tensors(program->adapters, program->adapter_groups, &count);
    struct tensor_entry *entries = list_entries(tensors, count, parts, part_count);
    struct safetensors_writer *writer = safetensors_create(path, entries, count * part_count, err);
    for (int e = 0; writer && e < count * part_count; e++)
        for (int p = 0; p < part_count; p++) {
            size_t length = strlen(parts[p].prefix);
            const struct placed_tensor *tensor = strncmp(entries[e].name, parts[p].prefix, length)
                                                     ? NULL
                                                     : placed_find(tensors, count, entries[e].name + length);
            if (tensor)
                write_tensor(writer, tensor, backend, device, parts[p].region);
        }
    tensor_entries_free(entries, count * part_count);
    placed_tensors_free(tensors, count);
    return writer && safetensors_finish(writer, err);
}

bool adapter_save(const struct program *program, const struct backend *backend, const struct device *device,
                  const char *directory, const char *model, struct error *err)
{
    char *config = config_text(program->adapter_config, model);
    char *config_path = path_join(directory, "adapter_config.json");
    char *path = path_join(directory, "adapter_model.safetensors");
    bool saved = output_write_file(config_path, config, strlen(config), err) &&
                 write_parts(program, backend, device, path, adapter_parts, 1, err);
    free(config);
    free(config_path);
    free(path);
    return saved;
}

bool optimizer_save(const struct program *program, const struct backend *backend, const struct device *device,
                    const char *path, struct error *err)
{
    return write_parts(program, backend, device, path, optimizer_parts, 2, err);
}

bool optimizer_load(const struct program *program, const struct backend *backend, struct device *device,
                    const char *path, struct error *err)
{
    struct weight_files *files = weight_files_open_one(path, err);
    if (!files)
        return false;
    int count;
    struct placed_tensor *tensors = placed_tensors(program->adapters, program->adapter_groups, &count);
    bool loaded = true;
    for (int i = 0; i < 2 * count && loaded; i++) {
        const struct part *part = &optimizer_parts[i % 2];
        const struct placed_tensor *tensor = &tensors[i / 2];
        char *name = format_text("%s%s", part->prefix, tensor->name);
        const struct safetensor *from = weight_files_find(files, name);
        if (!from)
            loaded = error_set(err, "%s: tensor '%s' is missing", path, name);
        else
            loaded = safetensor_expect(files, from, tensor->spec->rows, tensor->spec->cols, err) &&
                     tensor_load(files, from, tensor, backend, device, part->region, err);
        free(name);
    }
    placed_tensors_free(tensors, count);
    weight_files_close(files);
    return loaded;
}
