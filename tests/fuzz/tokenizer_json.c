/* tokenizer.json: refused with a message, or a tokenizer that encodes and decodes. */
#include "support/encode_check.h"
#include "support/input_directory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char text[] = "ab  The 12 \xC3\xA9\xE4\xB8\xAD's\n<s>x</s>.";
    struct error err = {0};
    input_directory_write("tokenizer.json", data, size);
    struct tokenizer *tokenizer = tokenizer_load(input_directory(), &err);
    CHECK(tokenizer || err.text[0]);
    if (tokenizer) {
        encode_check(tokenizer, text, sizeof text - 1);
        tokenizer_free(tokenizer);
    }
    return 0;
}
