/* What loading data files came to: told before training, and kept in the report of a run. */
#ifndef LORAC_DATASET_REPORT_H
#define LORAC_DATASET_REPORT_H

/* Lengths are counted by powers of two: bin b holds samples of more than 2^(b-1), up to 2^b tokens; bin 0 those of 0 or 1. */
enum { LENGTH_BINS = 32 };

struct dataset_report {
    long long samples;              /* kept */
    long long tokens;               /* of those, after truncation */
    long long trained;              /* labels to train */
    long long truncated;            /* samples cut at max_length */
    long long dropped;              /* samples without a label to train */
    long long cut_off;              /* those of the dropped that had one, behind max_length */
    int longest;                    /* tokens of the longest sample before truncation */
    long long lengths[LENGTH_BINS]; /* samples of each length before truncation, dropped ones as well */
};

/* Counts a sample of that length before truncation. */
void dataset_report_length(struct dataset_report *report, int length);

/* {"samples": ..., "tokens": ..., "trained_tokens": ..., "truncated": ..., "dropped": ..., "longest": ...,
 * "lengths": [[LENGTH, SAMPLES], ...]} in one line; free() it. The last lists how many samples have up to LENGTH tokens, and more
 * than the pair before it. */
char *dataset_report_json(const struct dataset_report *report);

/* The same for people: some lines of text; free() it. */
char *dataset_report_text(const struct dataset_report *report, int max_length);

#endif
