/* The reading half of safetensors.h: opening weight files and reading tensors. safetensors_header.c judges the headers.
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

/* Opens one more file of the set and takes its tensors in. */
static bool add_file(struct weight_files *files, const char *path, struct error *err)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe must not keep us waiting */
    struct stat status;
    if (descriptor < 0 || fstat(descriptor, &status)) {
        error_set(err, "%s: cannot be read: %s", path, strerror(errno));
        if (descriptor >= 0)
            close(descriptor);
        return false;
    }
    int file = files->file_count++;
    files->paths = reallocate(files->paths, (size_t)(file + 1) * sizeof(char *), "weight files");
    files->descriptors = reallocate(files->descriptors, (size_t)(file + 1) * sizeof(int), "weight files");
    files->paths[file] = format_text("%s", path);
    files->descriptors[file] = descriptor;
    if (!S_ISREG(status.st_mode))
        return error_set(err, "%s: a safetensors file is expected, this is no regular file", path);
    return safetensors_read_header(files, file, (uint64_t)status.st_size, err);
}

/* Sorts the tensors by name; a name must not appear twice. */
static bool sort_tensors(struct weight_files *files, struct error *err)
{
    qsort(files->tensors, (size_t)files->tensor_count, sizeof *files->tensors, compare_names);
    for (int i = 1; i < files->tensor_count; i++) {
        const struct safetensor *before = &files->tensors[i - 1], *tensor = &files->tensors[i];
        if (!strcmp(before->name, tensor->name))
            return error_set(err, "%s: tensor '%.120s' appears twice%s%s", files->paths[tensor->file], tensor->name,
                             before->file == tensor->file ? "" : ", also in ",
                             before->file == tensor->file ? "" : files->paths[before->file]);
    }
    return true;
}

static struct weight_files *finish(struct weight_files *files, bool valid)
{
    if (valid)
        return files;
    weight_files_close(files);
    return NULL;
}

struct weight_files *weight_files_open_one(const char *path, struct error *err)
{
    struct weight_files *files = allocate(sizeof *files, "weight files");
    return finish(files, add_file(files, path, err) && sort_tensors(files, err));
}

/* Opens the shard that an entry of the index names, unless that was done already. */
static bool add_shard(struct weight_files *files, const char *directory, const char *index, const cJSON *entry,
                      struct error *err)
{
    const char *name = cJSON_GetStringValue(entry);
    if (!name || !*name || strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, ".."))
        return error_set(err, "%s: weight_map: tensor '%.120s' names no file of this directory", index, entry->string);
    char *path = path_join(directory, name);
    bool known = false;
    for (int i = 0; i < files->file_count && !known; i++)
        known = !strcmp(files->paths[i], path);
    bool added = known || add_file(files, path, err);
    free(path);
    return added;
}

/* What the index promises must lie in the file that it names. */
static bool check_index(const struct weight_files *files, const char *directory, const cJSON *map, struct error *err)
{
    for (const cJSON *entry = map->child; entry; entry = entry->next) {
        const struct safetensor *tensor = weight_files_find(files, entry->string);
        char *path = path_join(directory, cJSON_GetStringValue(entry));
        bool there = tensor && !strcmp(files->paths[tensor->file], path);
        if (!there)
            error_set(err, "%s: tensor '%.120s' is missing, model.safetensors.index.json says it lies here", path,
                      entry->string);
        free(path);
        if (!there)
            return false;
    }
    return true;
}

static struct weight_files *open_shards(const char *directory, const char *index, struct error *err)
{
    cJSON *json = json_read(index, err);
    if (!json)
        return NULL;
    struct weight_files *files = allocate(sizeof *files, "weight files");
    const cJSON *map = cJSON_GetObjectItemCaseSensitive(json, "weight_map");
    bool valid = cJSON_IsObject(map) && map->child;
    if (!valid)
        error_set(err, "%s: a \"weight_map\" from tensors to files is expected, there is none", index);
    for (const cJSON *entry = valid ? map->child : NULL; valid && entry; entry = entry->next)
        valid = add_shard(files, directory, index, entry, err);
    valid = valid && sort_tensors(files, err) && check_index(files, directory, map, err);
    cJSON_Delete(json);
    return finish(files, valid);
}

struct weight_files *weight_files_open(const char *directory, struct error *err)
{
    char *single = path_join(directory, "model.safetensors");
    char *index = path_join(directory, "model.safetensors.index.json");
    struct weight_files *files = NULL;
    if (access(single, F_OK) == 0)
        files = weight_files_open_one(single, err);
    else if (access(index, F_OK) == 0)
        files = open_shards(directory, index, err);
    else
        error_set(err, "%s: model.safetensors or model.safetensors.index.json is expected, neither is there",
                  directory);
    free(single);
    free(index);
    return files;
}

void weight_files_close(struct weight_files *files)
{
    if (!files)
        return;
    for (int i = 0; i < files->tensor_count; i++)
        free((char *)files->tensors[i].name);
    for (int i = 0; i < files->file_count; i++) {
        close(files->descriptors[i]);
        free(files->paths[i]);
    }
    free(files->tensors);
    free(files->paths);
    free(files->descriptors);
    free(files);
}

const struct safetensor *weight_files_find(const struct weight_files *files, const char *name)
{
    struct safetensor key = {.name = name};
    if (!files->tensor_count)
        return NULL;
    return bsearch(&key, files->tensors, (size_t)files->tensor_count, sizeof key, compare_names);
}

const char *weight_files_path(const struct weight_files *files, const struct safetensor *tensor)
{
    return files->paths[tensor->file];
}

int64_t safetensor_elements(const struct safetensor *tensor)
{
    int64_t elements = 1;
    for (int i = 0; i < tensor->dimensions; i++)
        elements *= tensor->shape[i];
    return elements;
}

bool safetensor_expect(const struct weight_files *files, const struct safetensor *tensor, int rows, int cols,
                       struct error *err)
{
    const char *path = weight_files_path(files, tensor);
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

bool weight_files_read(const struct weight_files *files, const struct safetensor *tensor, uint64_t offset, void *to,
                       size_t bytes, struct error *err)
{
    CHECK(offset + bytes <= tensor->bytes);
    for (size_t done = 0; done < bytes;) {
        ssize_t got = pread(files->descriptors[tensor->file], (char *)to + done, bytes - done,
                            (off_t)(tensor->begin + offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return error_set(err, "%s: tensor '%.120s' cannot be read: %s", weight_files_path(files, tensor),
                             tensor->name, got < 0 ? strerror(errno) : "the file has become shorter");
        done += (size_t)got;
    }
    return true;
}

/* 16-bit values are read into the upper half of `to` and widened from the front: a value never lies before the place of
 * its float, and as each piece goes over the stack, no value is overwritten before it was taken. */
bool weight_files_read_floats(const struct weight_files *files, const struct safetensor *tensor, uint64_t first,
                              float *to, size_t count, struct error *err)
{
    enum { PIECE = 1024 };
    size_t size = dtype_size(tensor->dtype);
    if (tensor->dtype == DTYPE_F32)
        return weight_files_read(files, tensor, first * size, to, count * size, err);
    uint16_t *raw = (uint16_t *)to + count, piece[PIECE];
    if (!weight_files_read(files, tensor, first * size, raw, count * size, err))
        return false;
    for (size_t i = 0; i < count; i += PIECE) {
        size_t n = count - i < PIECE ? count - i : PIECE;
        memcpy(piece, raw + i, n * sizeof *piece);
        convert_to_float(to + i, piece, tensor->dtype, n);
    }
    return true;
}
