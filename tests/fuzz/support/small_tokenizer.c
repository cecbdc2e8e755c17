#include "small_tokenizer.h"

#include <stdlib.h>

enum { TOKENIZERS = 8 };

struct tokenizer *small_tokenizer(uint8_t number)
{
    static const char *const names[TOKENIZERS] = {"qwen2.5-2k", "llama3-2k",       "mistral-1k",     "added-tokens",
                                                  "nfkc",       "metaspace-first", "unknown-single", "digit-groups"};
    static struct tokenizer *loaded[TOKENIZERS];
    struct error err;
    int which = number % TOKENIZERS;
    if (!loaded[which]) {
        char *path = format_text("tests/data/text/%s", names[which]);
        loaded[which] = tokenizer_load(path, &err);
        free(path);
        CHECK(loaded[which]);
    }
    return loaded[which];
}
