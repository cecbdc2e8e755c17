/* Data files as tokens: read, recognised, tokenized, truncated, counted; then held until the run ends (dataset_load.c), and read
 * sample by sample (dataset.c).
 *
 * Forms of a sample, told by its keys (dataset_format.h): instruction, messages, conversations, prompt + completion, text,
 * input_ids; the recipe may map fields' names. A file holds one form; several files may differ, and follow each other in the order
 * given. What is trained of each form: dataset_encode.h.
 *
 * A sample over max_length keeps its start. One that then has no label to train is dropped. Both are counted; if nothing remains
 * the load fails.
 *
 * Memory: 24 bytes a sample; 4 bytes a token up to 256 MiB, behind that on disk (token_store.h). The files themselves stream by;
 * the sample that is being read takes about 17 times its text, which tells where one has a hundred megabytes.
 */
#ifndef LORAC_DATASET_H
#define LORAC_DATASET_H

#include "data_fields.h"
#include "dataset_report.h"
#include "token_store.h"

struct tokenizer;
struct chat_format;

enum { IGNORED_LABEL = -100 }; /* PyTorch's ignore_index */

struct dataset_sample {
    size_t start;            /* its first word in the store */
    int32_t tokens, trained; /* after truncation; labels that something predicts */
    int32_t line;            /* where it began in its file */
    unsigned file : 31;      /* in the list of files */
    unsigned
        labels_stored : 1; /* the labels follow the tokens; otherwise each is its own token's id or IGNORED_LABEL */
};

struct dataset {
    struct dataset_sample *sample; /* [samples] */
    int samples, capacity;
    struct token_store store;
    const char **files; /* a copy of the request's list; the names stay the caller's */
    struct dataset_report report;
    char *formats; /* "train.jsonl: messages, 120 samples" a line for each file, for people */
    /* A number that changes with any token, label or length (FNV-1a), to recognise the same data when a run resumes. */
    uint64_t fingerprint;
};

struct dataset_request {
    const char *const *files; /* the names must outlive the dataset */
    int file_count;
    struct tokenizer *tokenizer;    /* NULL: only input_ids can be read */
    const struct chat_format *chat; /* NULL: the recipe has none */
    int vocab_size;
    int max_length;
    bool assistant_only_loss;
    struct data_fields fields;
    long long max_samples; /* 0: all; otherwise that many of the files' samples, after the seeded shuffle */
    bool shuffle;          /* false: max_samples takes the first ones */
    long long seed;
    size_t memory_limit; /* of tokens, in bytes; 0: 256 MiB */
};

/* dataset_free() it. Messages name file and line. With max_samples the files are read twice: counted, then chosen from. */
bool dataset_load(struct dataset *data, const struct dataset_request *request, struct error *err);
void dataset_free(struct dataset *data);

/* Adds a sample to a dataset that is zeroed but for its files: ids [tokens], and labels [tokens], what each token itself is worth
 * (its id, another, or IGNORED_LABEL). Counts it in the report. `sample` says where it came from. */
bool dataset_add(struct dataset *data, struct dataset_sample sample, const int32_t *ids, const int32_t *labels,
                 struct error *err);

/* Copies a sample's ids and labels, [tokens] each; labels as in dataset_add, not shifted. */
bool dataset_read(const struct dataset *data, int sample, int32_t *ids, int32_t *labels, struct error *err);

/* Tells that a sample will be read soon. */
void dataset_expect(const struct dataset *data, int sample);

/* "train.jsonl:17", for messages; free() it. */
char *dataset_place(const struct dataset *data, int sample);

#endif
