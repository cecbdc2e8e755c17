/* tokenizer_config.json beside a tokenizer.json that spells Metaspace as a normalizer: refused, or a tokenizer that works. */
#include "support/encode_check.h"
#include "support/input_directory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char json[] =
        "{\"added_tokens\": [{\"id\": 4, \"content\": \"</s>\", \"special\": true}],"
        " \"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"Prepend\", \"prepend\": "
        "\"\xE2\x96\x81\"},"
        " {\"type\": \"Replace\", \"pattern\": {\"String\": \" \"}, \"content\": \"\xE2\x96\x81\"}]},"
        " \"model\": {\"vocab\": {\"a\": 0, \"\xE2\x96\x81\": 1, \"\xE2\x96\x81\xE2\x96\x81\": 2,"
        " \"\xE2\x96\x81\x61\": 3}, \"merges\": [\"\xE2\x96\x81 \xE2\x96\x81\", \"\xE2\x96\x81 a\"]}}";
    static const char text[] = " a</s>a  <x> b";
    struct error err = {0};
    input_directory_write("tokenizer.json", (const uint8_t *)json, sizeof json - 1);
    input_directory_write("tokenizer_config.json", data, size);
    struct tokenizer *tokenizer = tokenizer_load(input_directory(), &err);
    CHECK(tokenizer || err.text[0]);
    if (tokenizer) {
        encode_check(tokenizer, text, sizeof text - 1);
        tokenizer_free(tokenizer);
    }
    return 0;
}
