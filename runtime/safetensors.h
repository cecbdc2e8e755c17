/* safetensors: Hugging Face's container for tensors. Eight bytes little-endian header length, a JSON object
 * {"name": {"dtype", "shape", "data_offsets": [begin, end]}, ..., "__metadata__": {"format": "pt"}}, then the data.
 *
 * The reader trusts nothing: a header is refused that is too long, no JSON, names a tensor twice, or whose data
 * overlap, leave a hole, end elsewhere than the file or do not fit their shape. Files are read with pread, never
 * mapped, so that resident memory stays what the memory plan says. Reading is safe from several threads at once.
 */
#ifndef LORAC_SAFETENSORS_H
#define LORAC_SAFETENSORS_H

#include "error.h"
#include "model_config.h"

#include <stdint.h>

enum { TENSOR_DIMENSIONS = 8 };

struct safetensor {
    const char *name;
    bool loadable;    /* its dtype is one of enum dtype; others (I64, F8_E4M3, ...) are listed but cannot be read as
                         numbers */
    enum dtype dtype; /* if loadable */
    const char *dtype_text;
    int dimensions;
    int64_t shape[TENSOR_DIMENSIONS];
    uint64_t begin, bytes; /* begin: from the start of the file */
    int file;              /* which of the set's files */
};

/* One or more files seen as one set of tensors, sorted by name. */
struct weight_files {
    int file_count;
    char **paths; /* [file_count] */
    int *descriptors;
    int tensor_count;
    struct safetensor *tensors;
};

/* Opens one file. NULL and *err when it is not a whole, valid one; weight_files_close() the result. */
struct weight_files *weight_files_open_one(const char *path, struct error *err);

/* Opens a model directory: DIR/model.safetensors, or the files that DIR/model.safetensors.index.json names, each of
 * which must hold the tensors that the index says. */
struct weight_files *weight_files_open(const char *directory, struct error *err);
void weight_files_close(struct weight_files *files); /* NULL is fine */

/* NULL when there is none. */
const struct safetensor *weight_files_find(const struct weight_files *files, const char *name);

/* The file a tensor lies in. */
const char *weight_files_path(const struct weight_files *files, const struct safetensor *tensor);

/* Elements of a tensor: the product of its shape. */
int64_t safetensor_elements(const struct safetensor *tensor);

/* "[384, 64]" */
void shape_text(char *text, size_t size, const int64_t *shape, int dimensions);

/* Whether the tensor has shape [rows][cols], or [rows] when cols is 0, and a dtype that can be read; else false and
 * *err. */
bool safetensor_expect(const struct weight_files *files, const struct safetensor *tensor, int rows, int cols,
                       struct error *err);

/* Reads `bytes` of the tensor's data from byte `offset` of it on, as stored. */
bool weight_files_read(const struct weight_files *files, const struct safetensor *tensor, uint64_t offset, void *to,
                       size_t bytes, struct error *err);

/* Reads `count` elements from element `first` on, converted to float. */
bool weight_files_read_floats(const struct weight_files *files, const struct safetensor *tensor, uint64_t first,
                              float *to, size_t count, struct error *err);

/* ---- writing ----
 * All tensors are declared first; then their data follow in the declared order, in as many pieces as one likes. Hugging
 * Face's writer sorts by falling element size, then by name: safetensors_sort does the same. */
struct tensor_entry {
    char *name;
    const char *dtype; /* "F32" */
    size_t element;    /* bytes of one */
    int dimensions;
    int64_t shape[TENSOR_DIMENSIONS];
};

/* An entry for [rows][cols], or [rows] when cols is 0. The name is copied; free it with tensor_entries_free. */
struct tensor_entry tensor_entry(const char *name, enum dtype dtype, int64_t rows, int64_t cols);
uint64_t tensor_entry_bytes(const struct tensor_entry *entry);
void safetensors_sort(struct tensor_entry *entries, int count);
void tensor_entries_free(struct tensor_entry *entries, int count);

struct safetensors_writer;

/* Writes the header. The file appears at `path` only when safetensors_finish succeeds. */
struct safetensors_writer *safetensors_create(const char *path, const struct tensor_entry *entries, int count,
                                              struct error *err);
void safetensors_write(struct safetensors_writer *writer, const void *data, size_t bytes);

/* The next tensor's data are those of `from`, byte for byte; a few MiB are in memory at a time. */
bool safetensors_write_copy(struct safetensors_writer *writer, const struct safetensor *from,
                            const struct weight_files *files, struct error *err);

/* Frees the writer. CHECKs that exactly the declared bytes were written. */
bool safetensors_finish(struct safetensors_writer *writer, struct error *err);
void safetensors_abort(struct safetensors_writer *writer); /* NULL is fine */

#endif
