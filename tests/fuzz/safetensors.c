/* A safetensors file: refused, or tensors that lie within it and can be read. */
#include "safetensors.h"
#include "support/input_file.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_tensor(const struct weight_files *files, const struct safetensor *tensor, size_t size)
{
    struct error err = {0};
    float value;
    char byte, shape[128];
    CHECK(tensor->begin <= size && tensor->bytes <= size - tensor->begin);
    CHECK(tensor->dimensions >= 0 && tensor->dimensions <= TENSOR_DIMENSIONS);
    CHECK(weight_files_find(files, tensor->name));
    shape_text(shape, sizeof shape, tensor->shape, tensor->dimensions);
    if (tensor->loadable) {
        CHECK((uint64_t)safetensor_elements(tensor) * dtype_size(tensor->dtype) == tensor->bytes);
        if (tensor->bytes > 0)
            CHECK(weight_files_read_floats(files, tensor, 0, &value, 1, &err));
    }
    if (tensor->bytes > 0)
        CHECK(weight_files_read(files, tensor, tensor->bytes - 1, &byte, 1, &err));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err = {0};
    struct weight_files *files = weight_files_open_one(input_file(data, size), &err);
    if (!files) {
        CHECK(err.text[0]);
        return 0;
    }
    for (int i = 0; i < files->tensor_count; i++)
        check_tensor(files, &files->tensors[i], size);
    weight_files_close(files);
    return 0;
}
