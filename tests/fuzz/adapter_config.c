/* adapter_config.json for a program with one adapted layer: refused with a message, or the adapter's tensors. */
#include "adapter.h"
#include "support/input_directory.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char tensors[] =
    "{\"base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight\":{\"dtype\":\"F32\",\"shape\":[1,2],"
    "\"data_offsets\":[0,8]}}";

static void write_tensors(void)
{
    uint8_t file[8 + sizeof tensors - 1 + 8] = {sizeof tensors - 1};
    memcpy(file + 8, tensors, sizeof tensors - 1);
    input_directory_write("adapter_model.safetensors", file, sizeof file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int layers[] = {0};
    static const struct tensor_spec spec = {.name = "self_attn.q_proj.lora_A.weight", .rows = 1, .cols = 2};
    static const struct tensor_group group = {.prefix = "base_model.model.model.layers.%d.",
                                              .layers = layers,
                                              .count = 1,
                                              .tensors = &spec,
                                              .tensor_count = 1};
    static const struct program program = {
        .adapter_config =
            "{\"r\": 1, \"lora_alpha\": 2, \"rank_pattern\": {\"q_proj\": 1}, \"modules_to_save\": [\"lm_head\"]}",
        .adapters = &group,
        .adapter_groups = 1};
    struct error err = {0};
    write_tensors();
    input_directory_write("adapter_config.json", data, size);
    struct weight_files *files = adapter_open(&program, input_directory(), &err);
    CHECK(files || err.text[0]);
    weight_files_close(files);
    return 0;
}
