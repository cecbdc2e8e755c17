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

/* PEFT puts the frozen weight of a head that carries LoRA beside it. */
static const char head_lora[] = "base_model.model.lm_head.lora_A.weight",
                  head_copy[] = "base_model.model.lm_head.base_layer.weight";

/* The base model's head, *head, and the open files that hold it; both stay NULL where the head carries no LoRA. */
static bool open_head(const struct program *program, const struct placed_tensor *tensors, int count, const char *model,
                      struct weight_files **files, const struct safetensor **head, struct error *err)
{
    const char *name = program->model.tie_word_embeddings ? "model.embed_tokens.weight" : "lm_head.weight";
    if (!placed_find(tensors, count, head_lora))
        return true;
    *files = weight_files_open(model, err);
    *head = *files ? weight_files_find(*files, name) : NULL;
    if (*files && !*head)
        error_set(err, "%s: tensor '%s' is missing", model, name);
    return *head;
}

/* What a file holds: regions, each tensor's name with a prefix before it. */
struct part {
    const char *prefix;
    enum region region;
};
static const struct part adapter_parts[] = {{"", REGION_ADAPTERS}};
static const struct part optimizer_parts[] = {{"exp_avg.", REGION_MOMENT1}, {"exp_avg_sq.", REGION_MOMENT2}};

/* With room for one more. */
static struct tensor_entry *list_entries(const struct placed_tensor *tensors, int count, const struct part *parts,
                                         int part_count)
{
    struct tensor_entry *entries = allocate((size_t)(count * part_count + 1) * sizeof *entries, "the list of tensors");
    for (int p = 0; p < part_count; p++)
        for (int i = 0; i < count; i++) {
            char *name = format_text("%s%s", parts[p].prefix, tensors[i].name);
            entries[p * count + i] = tensor_entry(name, DTYPE_F32, tensors[i].spec->rows, tensors[i].spec->cols);
            free(name);
        }
    return entries;
}

/* Writes the entry's data where one of the parts has it. */
static bool write_entry(struct safetensors_writer *writer, const char *name, const struct placed_tensor *tensors,
                        int count, const struct backend *backend, const struct device *device, const struct part *parts,
                        int part_count)
{
    for (int p = 0; p < part_count; p++) {
        size_t length = strlen(parts[p].prefix);
        const struct placed_tensor *tensor =
            strncmp(name, parts[p].prefix, length) ? NULL : placed_find(tensors, count, name + length);
        if (tensor) {
            write_tensor(writer, tensor, backend, device, parts[p].region);
            return true;
        }
    }
    return false;
}

/* `model`: the base model's directory, where the file is to hold a copy of its head; else NULL. */
static bool write_parts(const struct program *program, const struct backend *backend, const struct device *device,
                        const char *path, const char *model, const struct part *parts, int part_count,
                        struct error *err)
{
    int count, total;
    struct weight_files *base = NULL;
    const struct safetensor *head = NULL;
    struct placed_tensor *tensors = placed_tensors(program->adapters, program->adapter_groups, &count);
    bool written = !model || open_head(program, tensors, count, model, &base, &head, err);
    struct tensor_entry *entries = list_entries(tensors, count, parts, part_count);
    total = count * part_count;
    if (head)
        entries[total++] = tensor_entry(head_copy, head->dtype, head->shape[0], head->shape[1]);
    safetensors_sort(entries, total);
    struct safetensors_writer *writer = written ? safetensors_create(path, entries, total, err) : NULL;
    written = writer;
    for (int e = 0; e < total && written; e++)
        if (!write_entry(writer, entries[e].name, tensors, count, backend, device, parts, part_count))
            written = safetensors_write_copy(writer, head, base, err);
    if (written)
        written = safetensors_finish(writer, err);
    else
        safetensors_abort(writer);
    tensor_entries_free(entries, total);
    placed_tensors_free(tensors, count);
    weight_files_close(base);
    return written;
}

bool adapter_save(const struct program *program, const struct backend *backend, const struct device *device,
                  const char *directory, const char *model, struct error *err)
{
    char *config = config_text(program->adapter_config, model);
    char *config_path = path_join(directory, "adapter_config.json");
    char *path = path_join(directory, "adapter_model.safetensors");
    bool saved = output_write_file(config_path, config, strlen(config), err) &&
                 write_parts(program, backend, device, path, model, adapter_parts, 1, err);
    free(config);
    free(config_path);
    free(path);
    return saved;
}

bool optimizer_save(const struct program *program, const struct backend *backend, const struct device *device,
                    const char *path, struct error *err)
{
    return write_parts(program, backend, device, path, NULL, optimizer_parts, 2, err);
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
