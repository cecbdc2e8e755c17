/* The writing half of safetensors.h. */
#include "output_file.h"
#include "safetensors.h"

#include <stdlib.h>
#include <string.h>

struct safetensors_writer {
    struct output_file *file;
    uint64_t end; /* size of the whole file */
};

struct tensor_entry tensor_entry(const char *name, enum dtype dtype, int64_t rows, int64_t cols)
{
    return (struct tensor_entry){.name = format_text("%s", name),
                                 .dtype = dtype_name(dtype),
                                 .element = dtype_size(dtype),
                                 .dimensions = cols ? 2 : 1,
                                 .shape = {rows, cols}};
}

uint64_t tensor_entry_bytes(const struct tensor_entry *entry)
{
    uint64_t bytes = entry->element;
    for (int i = 0; i < entry->dimensions; i++)
        bytes *= (uint64_t)entry->shape[i];
    return bytes;
}

static int compare_entries(const void *left, const void *right)
{
    const struct tensor_entry *a = left, *b = right;
    if (a->element != b->element)
        return a->element < b->element ? 1 : -1;
    return strcmp(a->name, b->name);
}

void safetensors_sort(struct tensor_entry *entries, int count)
{
    qsort(entries, (size_t)count, sizeof *entries, compare_entries);
}

void tensor_entries_free(struct tensor_entry *entries, int count)
{
    for (int i = 0; i < count; i++)
        free(entries[i].name);
    free(entries);
}

static void append_tensor(cJSON *header, const struct tensor_entry *entry, uint64_t begin)
{
    double offsets[2] = {(double)begin, (double)(begin + tensor_entry_bytes(entry))};
    cJSON *tensor = cJSON_AddObjectToObject(header, entry->name);
    cJSON_AddStringToObject(tensor, "dtype", entry->dtype);
    cJSON *shape = cJSON_AddArrayToObject(tensor, "shape");
    for (int i = 0; i < entry->dimensions; i++)
        cJSON_AddItemToArray(shape, cJSON_CreateNumber((double)entry->shape[i]));
    CHECK(cJSON_AddItemToObject(tensor, "data_offsets", cJSON_CreateDoubleArray(offsets, 2)));
}

/* The header's JSON, padded with blanks so that the data begin at a multiple of eight bytes. */
static char *header_text(const struct tensor_entry *entries, int count, uint64_t *data_bytes)
{
    cJSON *header = cJSON_CreateObject();
    cJSON_AddStringToObject(cJSON_AddObjectToObject(header, "__metadata__"), "format", "pt");
    *data_bytes = 0;
    for (int i = 0; i < count; i++) {
        append_tensor(header, &entries[i], *data_bytes);
        *data_bytes += tensor_entry_bytes(&entries[i]);
    }
    char *json = cJSON_PrintUnformatted(header);
    CHECK(json);
    int padding = (int)((8 - strlen(json) % 8) % 8);
    char *text = format_text("%s%*s", json, padding, "");
    cJSON_free(json);
    cJSON_Delete(header);
    return text;
}

struct safetensors_writer *safetensors_create(const char *path, const struct tensor_entry *entries, int count,
                                              struct error *err)
{
    struct output_file *file = output_open(path, err);
    if (!file)
        return NULL;
    uint64_t data_bytes;
    char *text = header_text(entries, count, &data_bytes);
    uint64_t length = strlen(text);
    unsigned char prefix[8];
    for (int i = 0; i < 8; i++)
        prefix[i] = (unsigned char)(length >> 8 * i);
    output_write(file, prefix, sizeof prefix);
    output_write(file, text, length);
    free(text);
    struct safetensors_writer *writer = allocate(sizeof *writer, "a safetensors file");
    *writer = (struct safetensors_writer){.file = file, .end = output_size(file) + data_bytes};
    return writer;
}

void safetensors_write(struct safetensors_writer *writer, const void *data, size_t bytes)
{
    output_write(writer->file, data, bytes);
}

bool safetensors_write_copy(struct safetensors_writer *writer, const struct safetensor *from,
                            const struct weight_files *files, struct error *err)
{
    enum { CHUNK_BYTES = 4 << 20 };
    char *chunk = allocate(CHUNK_BYTES, "copying a tensor");
    bool read = true;
    for (uint64_t done = 0; done < from->bytes && read;) {
        size_t count = from->bytes - done < CHUNK_BYTES ? (size_t)(from->bytes - done) : CHUNK_BYTES;
        read = weight_files_read(files, from, done, chunk, count, err);
        if (read)
            safetensors_write(writer, chunk, count);
        done += count;
    }
    free(chunk);
    return read;
}

bool safetensors_finish(struct safetensors_writer *writer, struct error *err)
{
    CHECK(output_size(writer->file) == writer->end);
    bool written = output_close(writer->file, err);
    free(writer);
    return written;
}

void safetensors_abort(struct safetensors_writer *writer)
{
    if (!writer)
        return;
    output_abort(writer->file);
    free(writer);
}
