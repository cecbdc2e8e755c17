/* A data file in a folder of its own, loaded with fake_tokenizer.h's tokenizer and the chat format ChatML. */
#ifndef LORAC_DATASET_FIXTURE_H
#define LORAC_DATASET_FIXTURE_H

#include "chat_format.h"
#include "dataset.h"

struct fixture {
    char directory[64], path[128];
    struct tokenizer *tokenizer;
    struct dataset_request request;
    const char *files[2];
    struct dataset data;
    struct error err;
};

/* cmocka's set-up and tear-down: *state is a struct fixture. */
int dataset_begin(void **state);
int dataset_end(void **state);

/* Loads data.jsonl with that content; it must succeed. */
void load(struct fixture *f, const char *text);

/* The message of a load that must fail, without the directory. */
const char *mistake(struct fixture *f, const char *text);

/* A sample as text: its tokens, the trained ones within brackets; special tokens as ^ (BOS), $ (EOS), { and } (start and end of a
 * turn). */
void expect_sample(struct fixture *f, int sample, const char *expected);

#endif
