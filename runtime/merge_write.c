#include "merge_write.h"

#include "dtype_convert.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK_BYTES = 4 << 20 };

/* The adapter's whole tensor, in the base's dtype. */
static bool write_full(struct safetensors_writer *writer, const struct merge_target *target,
                       const struct weight_files *adapter, struct error *err)
{
    enum dtype dtype = target->source->dtype;
    size_t total = (size_t)safetensor_elements(target->full), most = CHUNK_BYTES / sizeof(float);
    float *values = allocate(most * sizeof *values, "merging");
    void *stored = allocate(most * dtype_size(dtype), "merging");
    bool read = true;
    for (size_t done = 0; done < total && read;) {
        size_t count = total - done < most ? total - done : most;
        read = weight_files_read_floats(adapter, target->full, done, values, count, err);
        convert_from_float(stored, dtype, values, count);
        if (read)
            safetensors_write(writer, stored, count * dtype_size(dtype));
        done += count;
    }
    free(values);
    free(stored);
    return read;
}

static float *read_all(const struct weight_files *files, const struct safetensor *tensor, struct error *err)
{
    size_t count = (size_t)safetensor_elements(tensor);
    float *values = allocate(count * sizeof *values, "merging");
    if (weight_files_read_floats(files, tensor, 0, values, count, err))
        return values;
    free(values);
    return NULL;
}

struct product {
    float *A, *B, *magnitude; /* [r][in], [out][r], [out] or NULL */
    int r, in;
    float scaling;
};

/* delta [in] = row `row` of B * A. Four ranks at a time, so that delta is not loaded and stored for each. */
static void delta_row(float *restrict delta, const struct product *product, size_t row)
{
    int in = product->in, r = product->r;
    const float *b = product->B + row * (size_t)r;
    memset(delta, 0, (size_t)in * sizeof *delta);
    for (int k = 0; k < r; k += 4) {
        const float *a[4];
        float weight[4];
        for (int j = 0; j < 4; j++) {
            a[j] = product->A + (size_t)(k + j < r ? k + j : k) * (size_t)in;
            weight[j] = k + j < r ? b[k + j] : 0;
        }
        const float *a0 = a[0], *a1 = a[1], *a2 = a[2], *a3 = a[3];
#pragma omp simd
        for (int i = 0; i < in; i++)
            delta[i] += weight[0] * a0[i] + weight[1] * a1[i] + weight[2] * a2[i] + weight[3] * a3[i];
    }
}

/* w [in] becomes the merged row. */
static void merge_row(float *restrict w, float *restrict delta, const struct product *product, size_t row)
{
    int in = product->in;
    delta_row(delta, product, row);
    for (int i = 0; i < in; i++)
        w[i] += product->scaling * delta[i];
    if (!product->magnitude)
        return;
    double sum = 0;
    for (int i = 0; i < in; i++)
        sum += (double)w[i] * w[i];
    float factor = (float)(product->magnitude[row] / sqrt(sum));
    for (int i = 0; i < in; i++)
        w[i] *= factor;
}

/* Merges `rows` rows, the first of which is the tensor's row number `first`. */
static void merge_rows(float *w, const struct product *product, size_t first, size_t rows)
{
    size_t in = (size_t)product->in;
#pragma omp parallel
    {
        float *delta = allocate(in * sizeof *delta, "merging");
#pragma omp for schedule(static)
        for (size_t row = 0; row < rows; row++)
            merge_row(w + row * in, delta, product, first + row);
        free(delta);
    }
}

static bool write_product(struct safetensors_writer *writer, const struct merge_target *target,
                          const struct product *product, const struct weight_files *base, struct error *err)
{
    enum dtype dtype = target->source->dtype;
    size_t out = (size_t)target->source->shape[0], in = (size_t)product->in;
    size_t most = CHUNK_BYTES / sizeof(float) / in;
    most = most ? most : 1;
    float *w = allocate(most * in * sizeof *w, "merging");
    void *stored = allocate(most * in * dtype_size(dtype), "merging");
    bool read = true;
    for (size_t first = 0; first < out && read; first += most) {
        size_t rows = out - first < most ? out - first : most;
        read = weight_files_read_floats(base, target->source, first * in, w, rows * in, err);
        if (read) {
            merge_rows(w, product, first, rows);
            convert_from_float(stored, dtype, w, rows * in);
            safetensors_write(writer, stored, rows * in * dtype_size(dtype));
        }
    }
    free(w);
    free(stored);
    return read;
}

bool merge_write(struct safetensors_writer *writer, const struct merge_target *target, const struct weight_files *base,
                 const struct weight_files *adapter, struct error *err)
{
    if (target->full)
        return write_full(writer, target, adapter, err);
    if (!target->A)
        return safetensors_write_copy(writer, target->source, base, err);
    struct product product = {
        .A = read_all(adapter, target->A, err),
        .B = read_all(adapter, target->B, err),
        .magnitude = target->magnitude ? read_all(adapter, target->magnitude, err) : NULL,
        .r = (int)target->A->shape[0],
        .in = (int)target->A->shape[1],
        .scaling = (float)target->scaling,
    };
    bool written = product.A && product.B && (product.magnitude || !target->magnitude) &&
                   write_product(writer, target, &product, base, err);
    free(product.A);
    free(product.B);
    free(product.magnitude);
    return written;
}
