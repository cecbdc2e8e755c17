/* Data files as tokens: read, recognised, tokenized, truncated, counted; then held in memory until the run ends.
 *
 * Forms of a sample, told by its keys (dataset_format.h): instruction, messages, conversations, prompt + completion, text,
 * input_ids; the recipe may map fields' names. A file holds one form; several files may differ, and follow each other in the order given. What is trained of each
 * form: dataset_encode.h.
 *
 * A sample over max_length keeps its start. One that then has no label to train is dropped. Both are counted; if nothing remains
 * the load fails.
 */
#ifndef LORAC_DATASET_H
#define LORAC_DATASET_H

#include "data_fields.h"
#include "error.h"

#include <stdint.h>

struct tokenizer;
struct chat_format;

enum { IGNORED_LABEL = -100 }; /* PyTorch's ignore_index */

/* Where a sample came from, for messages. */
struct sample_origin {
    int file; /* in request->files */
    int line;
};

struct dataset_report {
    long long samples;   /* kept */
    long long tokens;    /* of those, after truncation */
    long long trained;   /* labels to train */
    long long truncated; /* samples cut at max_length */
    long long dropped;   /* samples without a label to train */
    int longest;         /* tokens of the longest sample before truncation */
};

struct dataset {
    int32_t *ids;          /* [tokens] all samples end to end */
    int32_t *labels;       /* [tokens] what each position has to predict: the sample's next token, or IGNORED_LABEL;
                                      always IGNORED_LABEL at a sample's last */
    size_t *starts;        /* [samples + 1] */
    int32_t *first_labels; /* [samples] the label of the sample's first token, which nothing predicts: for preview */
    struct sample_origin *origins; /* [samples] */
    int samples;
    const char **files; /* a copy of the request's list; the names stay the caller's */
    struct dataset_report report;
    char *formats; /* "train.jsonl: messages, 120 samples" a line for each file, for people */
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
};

/* dataset_free() it. Messages name file and line. */
bool dataset_load(struct dataset *data, const struct dataset_request *request, struct error *err);
void dataset_free(struct dataset *data);

/* "train.jsonl:17", for messages; free() it. */
char *dataset_place(const struct dataset *data, int sample);

/* {"samples": ..., "tokens": ..., "trained_tokens": ..., "truncated": ..., "dropped": ..., "longest": ...} in one line; free()
 * it. */
char *dataset_report_json(const struct dataset_report *report);

/* A number that changes with any token, label or sample boundary (FNV-1a), to recognise the same data when a run resumes. */
uint64_t dataset_fingerprint(const struct dataset *data);

#endif
