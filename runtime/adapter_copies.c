/* The frozen tensors that PEFT copies into an adapter. */
#define _POSIX_C_SOURCE 200809L
#include "adapter.h"

#include "dtype_convert.h"
#include "output_file.h"
#include "weights.h"

#include <stdlib.h>
#include <string.h>

char *adapter_copied_tensor(const char *name)
{
    static const char prefix[] = "base_model.model.", layer[] = ".base_layer.";
    if (strncmp(name, prefix, sizeof prefix - 1) != 0)
        return NULL;
    name += sizeof prefix - 1;
    const char *place = strstr(name, layer);
    if (place)
        return format_text("%.*s.%s", (int)(place - name), name, place + sizeof layer - 1);
    bool whole = !strcmp(name, "lm_head.weight") || !strcmp(name, "model.embed_tokens.weight");
    return whole ? format_text("%s", name) : NULL;
}

/* Bitwise, after the base's numbers took the copy's dtype. */
static bool same_numbers(bool *same, const struct weight_files *adapter, const struct safetensor *copy,
                         const struct weight_files *base, const struct safetensor *original, struct error *err)
{
    enum { CHUNK = 1 << 16 };
    size_t size = dtype_size(copy->dtype), total = (size_t)safetensor_elements(copy);
    char *left = allocate((2 * size + sizeof(float)) * CHUNK, "comparing tensors"), *right = left + size * CHUNK;
    float *floats = (float *)(void *)(right + size * CHUNK);
    bool read = true;
    *same = safetensor_elements(original) == (int64_t)total;
    for (size_t done = 0; *same && read && done < total; done += CHUNK) {
        size_t n = total - done < CHUNK ? total - done : CHUNK;
        read = weight_files_read(adapter, copy, done * size, left, n * size, err) &&
               weight_files_read_floats(base, original, done, floats, n, err);
        if (read)
            convert_from_float(right, copy->dtype, floats, n);
        *same = read && !memcmp(left, right, n * size);
    }
    free(left);
    return read;
}

static bool check_copy(const struct program *program, const struct weight_files *adapter, const struct safetensor *copy,
                       const char *name, const struct weight_files *base, struct error *err)
{
    const struct safetensor *original = weight_files_find(base, name);
    if (!original && program->model.tie_word_embeddings && !strcmp(name, "lm_head.weight"))
        original = weight_files_find(base, "model.embed_tokens.weight");
    bool same = false, readable = copy->loadable && original && original->loadable;
    if (readable && !same_numbers(&same, adapter, copy, base, original, err))
        return false;
    return same || !original || /* what the base lacks, the program does not use */
           error_set(err,
                     "%s: tensor '%s' is a copy of the base model's '%s', but of another base model than %s: give "
                     "the one that the adapter was trained on as --model",
                     adapter->paths[0], copy->name, name, base->paths[original->file]);
}

bool adapter_check_copies(const struct program *program, const char *directory, const char *model, struct error *err)
{
    int count;
    struct placed_tensor *trained = placed_tensors(program->adapters, program->adapter_groups, &count);
    struct weight_files *adapter = adapter_open(program, directory, err);
    struct weight_files *base = adapter ? weight_files_open(model, err) : NULL;
    bool right = base;
    for (int i = 0; right && i < adapter->tensor_count; i++) {
        const struct safetensor *tensor = &adapter->tensors[i];
        char *name = placed_find(trained, count, tensor->name) ? NULL : adapter_copied_tensor(tensor->name);
        right = !name || check_copy(program, adapter, tensor, name, base, err);
        free(name);
    }
    weight_files_close(base);
    weight_files_close(adapter);
    placed_tensors_free(trained, count);
    return right;
}
