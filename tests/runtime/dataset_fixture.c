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

enum { LONGEST = 500 };

void expect_sample(struct fixture *f, int sample, const char *expected)
{
    int32_t ids[LONGEST], labels[LONGEST];
    char description[2 * LONGEST + 2], *text = description;
    bool inside = false;
    assert_true(f->data.sample[sample].tokens <= LONGEST);
    assert_true(dataset_read(&f->data, sample, ids, labels, &f->err));
    for (int t = 0; t < f->data.sample[sample].tokens; t++) {
        bool trained = t > 0 && labels[t] != IGNORED_LABEL;
        if (trained)
            assert_int_equal(labels[t], ids[t]);
        if (trained != inside)
            *text++ = trained ? '[' : ']';
        inside = trained;
        *text++ = ids[t] == FAKE_BOS     ? '^'
                  : ids[t] == FAKE_EOS   ? '$'
                  : ids[t] == FAKE_START ? '{'
                  : ids[t] == FAKE_END   ? '}'
                                         : (char)ids[t];
    }
    if (inside)
        *text++ = ']';
    *text = '\0';
    assert_string_equal(description, expected);
}
