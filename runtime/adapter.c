/* Reading adapters; adapter_init.c makes fresh ones, adapter_save.c writes. */
#define _POSIX_C_SOURCE 200809L

#include "adapter.h"

#include "adapter_check.h"
#include "output_file.h"
#include "weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char peft_prefix[] = "base_model.model.";

static const struct {
    const char *ending;
    enum adapter_kind kind;
} kinds[] = {
    {".lora_A.weight", ADAPTER_A}, {".lora_B.weight", ADAPTER_B}, {".lora_magnitude_vector", ADAPTER_MAGNITUDE}};

/* Where the ending begins that makes a name one of `kinds`; NULL for whole tensors. */
static const char *find_ending(const char *name, enum adapter_kind *kind)
{
    size_t length = strlen(name);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t tail = strlen(kinds[i].ending);
        if (length > tail && !strcmp(name + length - tail, kinds[i].ending)) {
            *kind = kinds[i].kind;
            return name + length - tail;
        }
    }
    *kind = ADAPTER_FULL;
    return NULL;
}

enum adapter_kind adapter_kind(const char *name)
{
    enum adapter_kind kind;
    find_ending(name, &kind);
    return kind;
}

char *adapter_base_tensor(const char *name)
{
    enum adapter_kind kind;
    const char *ending = find_ending(name, &kind);
    if (!strncmp(name, peft_prefix, sizeof peft_prefix - 1))
        name += sizeof peft_prefix - 1;
    return ending ? format_text("%.*s.weight", (int)(ending - name), name) : format_text("%s", name);
}

/* ---- the tensors ---- */

static bool check_tensors(const struct program *program, const struct weight_files *files, struct error *err)
{
    int count;
    struct placed_tensor *wanted = placed_tensors(program->adapters, program->adapter_groups, &count);
    bool right = true;
    for (int i = 0; i < count && right; i++) {
        const struct safetensor *tensor = weight_files_find(files, wanted[i].name);
        right = tensor ? safetensor_expect(files, tensor, wanted[i].spec->rows, wanted[i].spec->cols, err)
                       : error_set(err,
                                   "%s: tensor '%s' is missing; this program trains it, the adapter has other "
                                   "target_modules or layers: make the program again with the adapter's",
                                   files->paths[0], wanted[i].name);
    }
    for (int i = 0; i < files->tensor_count && right; i++) {
        const char *name = files->tensors[i].name;
        char *copied = adapter_copied_tensor(name);
        if (!placed_find(wanted, count, name) && !copied)
            right =
                error_set(err,
                          "%s: tensor '%.120s' is not trained by this program; the adapter has other target_modules or "
                          "layers: make the program again with the adapter's",
                          files->paths[0], name);
        free(copied);
    }
    placed_tensors_free(wanted, count);
    return right;
}

struct weight_files *adapter_open(const struct program *program, const char *directory, struct error *err)
{
    if (!adapter_check_config(program, directory, err))
        return NULL;
    char *path = path_join(directory, "adapter_model.safetensors");
    char *pickled = path_join(directory, "adapter_model.bin");
    struct weight_files *files = NULL;
    if (access(path, F_OK) && access(pickled, F_OK) == 0)
        error_set(err, "%s: cannot be loaded; save the adapter with safe_serialization=True", pickled);
    else
        files = weight_files_open_one(path, err);
    if (files && !check_tensors(program, files, err)) {
        weight_files_close(files);
        files = NULL;
    }
    free(path);
    free(pickled);
    return files;
}

bool adapter_load(const struct program *program, const struct backend *backend, struct device *device,
                  const char *directory, struct error *err)
{
    struct weight_files *files = adapter_open(program, directory, err);
    if (!files)
        return false;
    int count;
    struct placed_tensor *tensors = placed_tensors(program->adapters, program->adapter_groups, &count);
    bool loaded = true;
    for (int i = 0; i < count && loaded; i++)
        loaded = tensor_load(files, weight_files_find(files, tensors[i].name), &tensors[i], backend, device,
                             REGION_ADAPTERS, err);
    placed_tensors_free(tensors, count);
    weight_files_close(files);
    return loaded;
}
