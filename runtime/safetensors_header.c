#define _POSIX_C_SOURCE 200809L

#include "safetensors_header.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const uint64_t longest_header = 100000000; /* Hugging Face's reader has the same limit */

static const struct {
    const char *name;
    unsigned size;
    bool loadable;
    enum dtype dtype;
} dtypes[] = {
    {"F32", 4, true, DTYPE_F32}, {"BF16", 2, true, DTYPE_BF16},  {"F16", 2, true, DTYPE_F16},
    {.name = "F64", .size = 8},  {.name = "I64", .size = 8},     {.name = "I32", .size = 4},
    {.name = "I16", .size = 2},  {.name = "I8", .size = 1},      {.name = "U64", .size = 8},
    {.name = "U32", .size = 4},  {.name = "U16", .size = 2},     {.name = "U8", .size = 1},
    {.name = "BOOL", .size = 1}, {.name = "F8_E4M3", .size = 1}, {.name = "F8_E5M2", .size = 1},
    {.name = "C64", .size = 8},
};

void shape_text(char *text, size_t size, const int64_t *shape, int dimensions)
{
    size_t used = (size_t)snprintf(text, size, "[");
    for (int i = 0; i < dimensions && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%" PRId64, i ? ", " : "", shape[i]);
    if (used < size)
        snprintf(text + used, size - used, "]");
}

/* A whole number from 0 to 2^53, where doubles are still exact. */
static bool whole_number(const cJSON *json, uint64_t *value)
{
    double number = cJSON_GetNumberValue(json);
    if (!(number >= 0 && number <= 9007199254740992.0) || number != floor(number))
        return false;
    *value = (uint64_t)number;
    return true;
}

/* *bytes: of one element. */
static bool read_dtype(struct safetensor *tensor, const cJSON *json, const char *path, uint64_t *bytes,
                       struct error *err)
{
    const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "dtype"));
    for (size_t i = 0; name && i < sizeof dtypes / sizeof *dtypes; i++)
        if (!strcmp(name, dtypes[i].name)) {
            *bytes = dtypes[i].size;
            tensor->dtype_text = dtypes[i].name;
            tensor->loadable = dtypes[i].loadable;
            tensor->dtype = dtypes[i].dtype;
            return true;
        }
    return error_set(err, "%s: tensor '%.120s': unknown dtype '%.40s'", path, tensor->name, name ? name : "(none)");
}

/* Multiplies *bytes by the shape. */
static bool read_shape(struct safetensor *tensor, const cJSON *json, const char *path, uint64_t *bytes,
                       struct error *err)
{
    const cJSON *shape = cJSON_GetObjectItemCaseSensitive(json, "shape");
    if (!cJSON_IsArray(shape))
        return error_set(err, "%s: tensor '%.120s': a shape is expected, there is none", path, tensor->name);
    for (const cJSON *extent = shape->child; extent; extent = extent->next) {
        uint64_t value;
        if (tensor->dimensions == TENSOR_DIMENSIONS)
            return error_set(err, "%s: tensor '%.120s' has more than %d dimensions", path, tensor->name,
                             TENSOR_DIMENSIONS);
        if (!whole_number(extent, &value) || __builtin_mul_overflow(*bytes, value, bytes))
            return error_set(err, "%s: tensor '%.120s': its shape is no list of whole numbers of a possible size", path,
                             tensor->name);
        tensor->shape[tensor->dimensions++] = (int64_t)value;
    }
    return true;
}

static bool read_tensor(struct safetensor *tensor, const cJSON *json, const char *path, uint64_t data_start,
                        uint64_t data_bytes, struct error *err)
{
    uint64_t bytes = 0, begin, end;
    if (!cJSON_IsObject(json))
        return error_set(err, "%s: tensor '%.120s': an object is expected in the header", path, tensor->name);
    if (!read_dtype(tensor, json, path, &bytes, err) || !read_shape(tensor, json, path, &bytes, err))
        return false;
    const cJSON *offsets = cJSON_GetObjectItemCaseSensitive(json, "data_offsets");
    if (!cJSON_IsArray(offsets) || cJSON_GetArraySize(offsets) != 2 || !whole_number(offsets->child, &begin) ||
        !whole_number(offsets->child->next, &end) || begin > end)
        return error_set(err, "%s: tensor '%.120s': data_offsets [begin, end] are expected", path, tensor->name);
    if (end > data_bytes)
        return error_set(err,
                         "%s: tensor '%.120s' ends at byte %" PRIu64 " of the data, but the file has only %" PRIu64
                         ": truncated or broken",
                         path, tensor->name, end, data_bytes);
    if (end - begin != bytes) {
        char shape[200];
        shape_text(shape, sizeof shape, tensor->shape, tensor->dimensions);
        return error_set(err, "%s: tensor '%.120s': %s %s takes %" PRIu64 " bytes, its data_offsets give it %" PRIu64,
                         path, tensor->name, tensor->dtype_text, shape, bytes, end - begin);
    }
    tensor->begin = data_start + begin;
    tensor->bytes = bytes;
    return true;
}

static int compare_places(const void *left, const void *right)
{
    const struct safetensor *a = left, *b = right;
    if (a->begin != b->begin)
        return a->begin < b->begin ? -1 : 1;
    return a->bytes < b->bytes ? -1 : a->bytes > b->bytes;
}

/* The tensors must cover the file's data, each byte once. */
static bool check_places(struct safetensor *tensors, int count, const char *path, uint64_t data_start,
                         uint64_t file_size, struct error *err)
{
    qsort(tensors, (size_t)count, sizeof *tensors, compare_places);
    uint64_t end = data_start;
    for (int i = 0; i < count; i++) {
        if (tensors[i].begin < end)
            return error_set(err, "%s: tensor '%.120s' overlaps '%.120s'", path, tensors[i].name, tensors[i - 1].name);
        if (tensors[i].begin > end)
            return error_set(err, "%s: %" PRIu64 " bytes before tensor '%.120s' belong to no tensor", path,
                             tensors[i].begin - end, tensors[i].name);
        end += tensors[i].bytes;
    }
    if (end != file_size)
        return error_set(err, "%s: the last %" PRIu64 " bytes belong to no tensor", path, file_size - end);
    return true;
}

static bool valid_name(const char *name)
{
    for (const char *c = name; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            return false;
    return *name != '\0';
}

/* Reads the header's JSON: eight bytes of length, then the text. NULL and *err if it cannot be one. */
static cJSON *read_json(int descriptor, const char *path, uint64_t file_size, uint64_t *data_start, struct error *err)
{
    unsigned char prefix[8];
    uint64_t length = 0;
    if (file_size < sizeof prefix || pread(descriptor, prefix, sizeof prefix, 0) != sizeof prefix) {
        error_set(err, "%s: no safetensors file: %" PRIu64 " bytes long", path, file_size);
        return NULL;
    }
    for (int i = 0; i < 8; i++)
        length |= (uint64_t)prefix[i] << 8 * i;
    if (!memcmp(prefix, "version ", sizeof prefix)) {
        error_set(err, "%s: no safetensors file but Git LFS's pointer to one; fetch it with: git lfs pull", path);
        return NULL;
    }
    if (length > longest_header || length > file_size - sizeof prefix) {
        error_set(err,
                  "%s: no whole safetensors file: a header of %" PRIu64 " bytes is announced, the file has %" PRIu64,
                  path, length, file_size);
        return NULL;
    }
    char *text = allocate(length + 1, "a safetensors header");
    cJSON *json = NULL;
    if (pread(descriptor, text, length, sizeof prefix) != (ssize_t)length) {
        error_set(err, "%s: cannot be read: %s", path, strerror(errno));
    } else {
        const char *end = text;
        json = cJSON_ParseWithLengthOpts(text, length, &end, false);
        end += json ? strspn(end, " ") : 0;
        if (!cJSON_IsObject(json) || end != text + length) {
            error_set(err, "%s: no safetensors file: its header stops being a JSON object at byte %td", path,
                      end - text);
            cJSON_Delete(json);
            json = NULL;
        }
    }
    free(text);
    *data_start = sizeof prefix + length;
    return json;
}

bool safetensors_read_header(struct weight_files *files, int file, uint64_t file_size, struct error *err)
{
    const char *path = files->paths[file];
    uint64_t data_start;
    cJSON *json = read_json(files->descriptors[file], path, file_size, &data_start, err);
    if (!json)
        return false;
    int first = files->tensor_count, room = first + cJSON_GetArraySize(json);
    files->tensors = reallocate(files->tensors, (size_t)room * sizeof *files->tensors, "weight files");
    bool valid = true;
    for (const cJSON *entry = json->child; valid && entry; entry = entry->next) {
        if (!strcmp(entry->string, "__metadata__"))
            continue;
        struct safetensor *tensor = &files->tensors[files->tensor_count++];
        *tensor = (struct safetensor){.name = format_text("%s", entry->string), .file = file};
        valid = valid_name(tensor->name)
                    ? read_tensor(tensor, entry, path, data_start, file_size - data_start, err)
                    : error_set(err, "%s: a tensor's name is empty or holds control characters", path);
    }
    cJSON_Delete(json);
    int count = files->tensor_count - first;
    return valid && check_places(files->tensors + first, count, path, data_start, file_size, err);
}
