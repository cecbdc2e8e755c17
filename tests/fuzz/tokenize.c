/* Any bytes as a text, under small tokenizers of each kind: the first byte says which. */
#include "support/encode_check.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TOKENIZERS = 8 };

static struct tokenizer *load(int which)
{
    static const char *const names[TOKENIZERS] = {"qwen2.5-2k", "llama3-2k",       "mistral-1k",     "added-tokens",
                                                  "nfkc",       "metaspace-first", "unknown-single", "digit-groups"};
    static struct tokenizer *loaded[TOKENIZERS];
    struct error err;
    if (!loaded[which]) {
        char *path = format_text("tests/data/text/%s", names[which]);
        loaded[which] = tokenizer_load(path, &err);
        free(path);
        CHECK(loaded[which]);
    }
    return loaded[which];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0)
        encode_check(load(data[0] % TOKENIZERS), (const char *)data + 1, size - 1);
    return 0;
}
