/* Data files to tokens: what is kept has ids of the model, fits max_length and has something to train; otherwise there is a message.
 * The first byte chooses the settings. */
#include "dataset.h"
#include "chat_format.h"
#include "support/input_file.h"
#include "tokenizer.h"

#include <string.h>

enum { VOCABULARY = 1024, MAX_LENGTH = 48, LIMIT = 64 };
enum setting { ALL_TOKENS = 1, NO_CHAT = 2, CHOOSE = 4, SMALL_MEMORY = 8, MAPPED = 16 };

static const struct chat_format CHATML = {
    .name = "chatml",
    .roles =
        {
            {.name = "system", .prefix = "<|im_start|>system\n", .end_of_turn = "<|im_end|>", .suffix = "\n"},
            {.name = "user", .prefix = "<|im_start|>user\n", .end_of_turn = "<|im_end|>", .suffix = "\n"},
            {.name = "assistant",
             .prefix = "<|im_start|>assistant\n",
             .end_of_turn = "<|im_end|>",
             .suffix = "\n",
             .trained = true},
        },
    .role_count = 3,
    .generation_prompt = "<|im_start|>assistant\n",
};

static void check(const struct dataset *data)
{
    int32_t ids[MAX_LENGTH], labels[MAX_LENGTH];
    struct error err;
    CHECK(data->samples > 0 && data->report.samples == data->samples);
    for (int s = 0; s < data->samples; s++) {
        int tokens = data->sample[s].tokens;
        CHECK(tokens >= 2 && tokens <= MAX_LENGTH && data->sample[s].trained > 0);
        CHECK(dataset_read(data, s, ids, labels, &err));
        for (int t = 0; t < tokens; t++)
            CHECK(ids[t] >= 0 && ids[t] < VOCABULARY && labels[t] >= IGNORED_LABEL && labels[t] < VOCABULARY);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tokenizer *tokenizer;
    struct error err = {0};
    struct dataset dataset;
    if (!tokenizer)
        tokenizer = tokenizer_load("tests/data/demo/model", &err);
    CHECK(tokenizer);
    unsigned settings = size > 0 ? data[0] : 0;
    const char *file = input_file(size > 0 ? data + 1 : data, size > 0 ? size - 1 : 0);
    struct dataset_request request = {
        .files = &file,
        .file_count = 1,
        .tokenizer = tokenizer,
        .chat = settings & NO_CHAT ? NULL : &CHATML,
        .vocab_size = VOCABULARY,
        .max_length = MAX_LENGTH,
        .assistant_only_loss = !(settings & ALL_TOKENS),
        .max_samples = settings & CHOOSE ? 2 : 0,
        .shuffle = true,
        .memory_limit = settings & SMALL_MEMORY ? LIMIT : 0,
    };
    if (settings & MAPPED)
        request.fields = (struct data_fields){.messages = "text", .content = "value", .text = "messages"};
    if (dataset_load(&dataset, &request, &err)) {
        check(&dataset);
        dataset_free(&dataset);
    } else {
        CHECK(err.text[0] && !strchr(err.text, '\n'));
    }
    return 0;
}
