/* Any bytes as a text, under small tokenizers of each kind: the first byte says which. */
#include "support/encode_check.h"
#include "support/small_tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0)
        encode_check(small_tokenizer(data[0]), (const char *)data + 1, size - 1);
    return 0;
}
