#define _POSIX_C_SOURCE 200809L
#include "dataset_fixture.h"

#include "fake_tokenizer.h"
#include "tokenizer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

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

int dataset_begin(void **state)
{
    struct fixture *f = allocate(sizeof *f, "a fixture");
    strcpy(f->directory, "/tmp/lorac-dataset-XXXXXX");
    if (!mkdtemp(f->directory))
        return -1;
    fake_tokenizer_write(f->directory);
    f->tokenizer = tokenizer_load(f->directory, &f->err);
    if (!f->tokenizer) {
        fprintf(stderr, "%s\n", f->err.text);
        return -1;
    }
    snprintf(f->path, sizeof f->path, "%s/data.jsonl", f->directory);
    f->files[0] = f->path;
    f->request = (struct dataset_request){
        .files = f->files,
        .file_count = 1,
        .tokenizer = f->tokenizer,
        .chat = &CHATML,
        .vocab_size = FAKE_TOKENS,
        .max_length = 200,
        .assistant_only_loss = true,
        .shuffle = true,
        .seed = 42,
    };
    *state = f;
    return 0;
}

int dataset_end(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {"tokenizer.json", "tokenizer_config.json", "data.jsonl", "more.jsonl"};
    dataset_free(&f->data);
    tokenizer_free(f->tokenizer);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *path = format_text("%s/%s", f->directory, names[i]);
        unlink(path);
        free(path);
    }
    rmdir(f->directory);
    free(f);
    return 0;
}

void load(struct fixture *f, const char *text)
{
    fake_file_write(f->directory, "data.jsonl", text);
    if (!dataset_load(&f->data, &f->request, &f->err))
        fail_msg("%s", f->err.text);
}

/* The message of a load that must fail, without the directory. */
const char *mistake(struct fixture *f, const char *text)
{
    fake_file_write(f->directory, "data.jsonl", text);
    assert_false(dataset_load(&f->data, &f->request, &f->err));
    assert_int_equal(f->err.exit_code, EXIT_FAILED);
    size_t length = strlen(f->directory) + 1;
    assert_memory_equal(f->err.text, f->path, length);
    return f->err.text + length;
}

/* What a sample is, as text: its tokens, the trained ones (shifted back to the token itself) within brackets; special tokens as
 * ^ (BOS), $ (EOS), { and } (start and end of a turn). */
static void describe(const struct dataset *data, int sample, char *text)
{
    bool inside = false;
    for (size_t t = data->starts[sample]; t < data->starts[sample + 1]; t++) {
        bool trained = t > data->starts[sample] && data->labels[t - 1] != IGNORED_LABEL;
        int32_t id = data->ids[t];
        if (trained)
            assert_int_equal(data->labels[t - 1], id);
        if (trained != inside)
            *text++ = trained ? '[' : ']';
        inside = trained;
        *text++ = id == FAKE_BOS     ? '^'
                  : id == FAKE_EOS   ? '$'
                  : id == FAKE_START ? '{'
                  : id == FAKE_END   ? '}'
                                     : (char)id;
    }
    if (inside)
        *text++ = ']';
    *text = '\0';
    assert_int_equal(data->labels[data->starts[sample + 1] - 1], IGNORED_LABEL);
}

void expect_sample(const struct fixture *f, int sample, const char *expected)
{
    char text[1000];
    describe(&f->data, sample, text);
    assert_string_equal(text, expected);
}
