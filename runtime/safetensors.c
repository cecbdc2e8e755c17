/* The reading half of safetensors.h: opening checkpoints and reading tensors. safetensors_header.c judges the headers.
 */
#define _POSIX_C_SOURCE 200809L

#include "safetensors.h"

#include "dtype_convert.h"
#include "json_file.h"
#include "output_file.h"
#include "safetensors_header.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int compare_names(const void *left, const void *right)
{
    return strcmp(((const struct safetensor *)left)->name, ((const struct safetensor *)right)->name);
}

/* Opens one more file of the checkpoint and takes its tensors in. */
static bool add_file(struct checkpoint *checkpoint, const char *path, struct error *err)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (descriptor < 0 || fstat(descriptor, &status)) {
        error_set(err, "%s: cannot be read: %s", path, strerror(errno));
        if (descriptor >= 0)
            close(descriptor);
        return false;
    }
    int file = checkpoint->file_count++;
    checkpoint->paths = reallocate(checkpoint->paths, (size_t)(file + 1) * sizeof(char *), "a checkpoint");
    checkpoint->descriptors = reallocate(checkpoint->descriptors, (size_t)(file + 1) * sizeof(int), "a checkpoint");
    checkpoint->paths[file] = format_text("%s", path);
    checkpoint->descriptors[file] = descriptor;
    if (!S_ISREG(status.st_mode))
        return error_set(err, "%s: a safetensors file is expected, this is no regular file", path);
    return safetensors_read_header(checkpoint, file, (uint64_t)status.st_size, err);
}

/* Sorts the tensors by name; a name must not appear twice. */
static bool sort_tensors(struct checkpoint *checkpoint, struct error *err)
{
    qsort(checkpoint->tensors, (size_t)checkpoint->tensor_count, sizeof *checkpoint->tensors, compare_names);
    for (int i = 1; i < checkpoint->tensor_count; i++) {
        const struct safetensor *before = &checkpoint->tensors[i - 1], *tensor = &checkpoint->tensors[i];
        if (!strcmp(before->name, tensor->name))
            return error_set(err, "%s: tensor '%.120s' appears twice%s%s", checkpoint->paths[tensor->file],
                             tensor->name, before->file == tensor->file ? "" : ", also in ",
                             before->file == tensor->file ? "" : checkpoint->paths[before->file]);
    }
    return true;
}

static struct checkpoint *finish(struct checkpoint *checkpoint, bool valid)
{
    if (valid)
        return checkpoint;
    checkpoint_close(checkpoint);
    return NULL;
}

struct checkpoint *checkpoint_open_file(const char *path, struct error *err)
{
    struct checkpoint *checkpoint = allocate(sizeof *checkpoint, "a checkpoint");
    return finish(checkpoint, add_file(checkpoint, path, err) && sort_tensors(checkpoint, err));
}

/* Opens the shard that an entry of the index names, unless that was done already. */
static bool add_shard(struct checkpoint *checkpoint, const char *directory, const char *index, const cJSON *entry,
                      struct error *err)
{
    const char *name = cJSON_GetStringValue(entry);
    if (!name || !*name || strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, ".."))
        return error_set(err, "%s: weight_map: tensor '%.120s' names no file of this directory", index, entry->string);
    char *path = path_join(directory, name);
    bool known = false;
    for (int i = 0; i < checkpoint->file_count && !known; i++)
        known = !strcmp(checkpoint->paths[i], path);
    bool added = known || add_file(checkpoint, path, err);
    free(path);
    return added;
}

/* What the index promises must lie in the file that it names. */
static bool check_index(const struct checkpoint *checkpoint, const char *directory, const cJSON *map, struct error *err)
{
    for (const cJSON *entry = map->child; entry; entry = entry->next) {
        const struct safetensor *tensor = checkpoint_find(checkpoint, entry->string);
        char *path = path_join(directory, cJSON_GetStringValue(entry));
        bool there = tensor && !strcmp(checkpoint->paths[tensor->file], path);
        if (!there)
            error_set(err, "%s: tensor '%.120s' is missing, model.safetensors.index.json says it lies here", path,
                      entry->string);
        free(path);
        if (!there)
            return false;
    }
    return true;
}

static struct checkpoint *open_shards(const char *directory, const char *index, struct error *err)
{
    cJSON *json = json_read(index, err);
    if (!json)
        return NULL;
    struct checkpoint *checkpoint = allocate(sizeof *checkpoint, "a checkpoint");
    const cJSON *map = cJSON_GetObjectItemCaseSensitive(json, "weight_map");
    bool valid = cJSON_IsObject(map) && map->child;
    if (!valid)
        error_set(err, "%s: a \"weight_map\" from tensors to files is expected, there is none", index);
    for (const cJSON *entry = valid ? map->child : NULL; valid && entry; entry = entry->next)
        valid = add_shard(checkpoint, directory, index, entry, err);
    valid = valid && sort_tensors(checkpoint, err) && check_index(checkpoint, directory, map, err);
    cJSON_Delete(json);
    return finish(checkpoint, valid);
}

struct checkpoint *checkpoint_open(const char *directory, struct error *err)
{
    char *single = path_join(directory, "model.safetensors");
    char *index = path_join(directory, "model.safetensors.index.json");
    struct checkpoint *checkpoint = NULL;
    if (access(single, F_OK) == 0)
        checkpoint = checkpoint_open_file(single, err);
    else if (access(index, F_OK) == 0)
        checkpoint = open_shards(directory, index, err);
    else
        error_set(err, "%s: model.safetensors or model.safetensors.index.json is expected, neither is there",
                  directory);
    free(single);
    free(index);
    return checkpoint;
}

void checkpoint_close(struct checkpoint *checkpoint)
{
    if (!checkpoint)
        return;
    for (int i = 0; i < checkpoint->tensor_count; i++)
        free((char *)checkpoint->tensors[i].name);
    for (int i = 0; i < checkpoint->file_count; i++) {
        close(checkpoint->descriptors[i]);
        free(checkpoint->paths[i]);
    }
    free(checkpoint->tensors);
    free(checkpoint->paths);
    free(checkpoint->descriptors);
    free(checkpoint);
}

const struct safetensor *checkpoint_find(const struct checkpoint *checkpoint, const char *name)
{
    struct safetensor key = {.name = name};
    if (!checkpoint->tensor_count)
        return NULL;
    return bsearch(&key, checkpoint->tensors, (size_t)checkpoint->tensor_count, sizeof key, compare_names);
}

const char *checkpoint_path(const struct checkpoint *checkpoint, const struct safetensor *tensor)
{
    return checkpoint->paths[tensor->file];
}

int64_t safetensor_elements(const struct safetensor *tensor)
{
    int64_t elements = 1;
    for (int i = 0; i < tensor->dimensions; i++)
        elements *= tensor->shape[i];
    return elements;
}

bool safetensor_expect(const struct checkpoint *checkpoint, const struct safetensor *tensor, int rows, int cols,
                       struct error *err)
{
    const char *path = checkpoint_path(checkpoint, tensor);
    int64_t wanted[2] = {rows, cols};
    int dimensions = cols ? 2 : 1;
    if (tensor->dimensions != dimensions || memcmp(tensor->shape, wanted, (size_t)dimensions * sizeof *wanted)) {
        char want[64], found[200];
        shape_text(want, sizeof want, wanted, dimensions);
        shape_text(found, sizeof found, tensor->shape, tensor->dimensions);
        return error_set(err, "%s: tensor '%.120s' has shape %s, this program is compiled for %s", path, tensor->name,
                         found, want);
    }
    if (!tensor->loadable)
        return error_set(err, "%s: tensor '%.120s' has dtype %s; F32, F16 and BF16 can be loaded", path, tensor->name,
                         tensor->dtype_text);
    return true;
}

bool checkpoint_read(const struct checkpoint *checkpoint, const struct safetensor *tensor, uint64_t offset, void *to,
                     size_t bytes, struct error *err)
{
    CHECK(offset + bytes <= tensor->bytes);
    for (size_t done = 0; done < bytes;) {
        ssize_t got = pread(checkpoint->descriptors[tensor->file], (char *)to + done, bytes - done,
                            (off_t)(tensor->begin + offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return error_set(err, "%s: tensor '%.120s' cannot be read: %s", checkpoint_path(checkpoint, tensor),
                             tensor->name, got < 0 ? strerror(errno) : "the file has become shorter");
        done += (size_t)got;
    }
    return true;
}

/* 16-bit values are read into the upper half of `to` and widened from the front: a value never lies before the place of
 * its float, and as each piece goes over the stack, no value is overwritten before it was taken. */
bool checkpoint_read_floats(const struct checkpoint *checkpoint, const struct safetensor *tensor, uint64_t first,
                            float *to, size_t count, struct error *err)
{
    enum { PIECE = 1024 };
    size_t size = dtype_size(tensor->dtype);
    if (tensor->dtype == DTYPE_F32)
        return checkpoint_read(checkpoint, tensor, first * size, to, count * size, err);
    uint16_t *raw = (uint16_t *)to + count, piece[PIECE];
    if (!checkpoint_read(checkpoint, tensor, first * size, raw, count * size, err))
        return false;
    for (size_t i = 0; i < count; i += PIECE) {
        size_t n = count - i < PIECE ? count - i : PIECE;
        memcpy(piece, raw + i, n * sizeof *piece);
        convert_to_float(to + i, piece, tensor->dtype, n);
    }
    return true;
}
