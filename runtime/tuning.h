/* Tuning: which of several ways to compute an operation is the fastest on this machine, and the file that remembers it.
 *
 * A backend lists its `tunables`: operations for up to so many rows, each with variants that differ in time and in no bit of a result.
 * What is known of them stands in a struct tuning, which belongs to the command and which the device reads, and adds to, as it
 * computes: an operation that is watched is computed with one variant after the other, call by call, and each call is timed, until every
 * variant has TUNING_ROUNDS times. So what is measured is the work itself, at its sizes and with its caches, and costs no time of
 * its own. `tune` does the same with work made up for it.
 *
 * Another variant than the first is chosen where it takes less than TUNING_GAIN of the first one's time, by the median over rounds of
 * their ratio within a round, since machines change their speed from one second to the next.
 *
 * The file is JSON, lorac/PROGRAM-BACKEND-THREADS-PLAN.json under XDG_CACHE_HOME or ~/.cache. It names what it was measured for:
 * lorac's version, the program and its plan's hash, the device, the backend, the number of threads; and for each operation the
 * seconds a row of every variant, and the chosen one. A file of which anything is not as expected is not used at all.
 */
#ifndef LORAC_TUNING_H
#define LORAC_TUNING_H

#include "error.h"

#include <cjson/cJSON.h>
#include <stdio.h>

struct program;
struct backend;

#define TUNING_GAIN 0.97

/* FLOP of a call, at its most rows, from which on a run watches it unless told otherwise: shorter ones are over before it matters how
 * they are cut, and a small model's runs are to leave nothing behind. */
#define TUNING_WORTH 5e8

enum { MAX_VARIANTS = 8, TUNING_ROUNDS = 9 };

struct tunable {
    const char *operation;       /* "matmul_qkv_proj_fwd" */
    int rows;                    /* at most; the next entry of the same operation is for more */
    const char *const *variants; /* [variant_count], names; the first is used until another is known to be faster */
    int variant_count;
    double flops; /* a row */
};

/* What is known of one tunable. */
struct tuned {
    int chosen;
    bool watched;                 /* every call is timed, until measured */
    bool measured;                /* seconds are there */
    int calls;                    /* timed so far */
    double seconds[MAX_VARIANTS]; /* a row: the median of the first, and times their median ratio the others */
    double samples[MAX_VARIANTS][TUNING_ROUNDS];
};

struct tuning {
    const struct program *program;
    const struct backend *backend;
    int threads;
    double worth;             /* FLOP of a call from which on it is watched */
    struct tuned *operations; /* [backend->tunable_count] */
};

/* Nothing measured, nothing watched, worth TUNING_WORTH. tuning_free it. NULL is what a device takes for "first variants, nothing watched". */
struct tuning *tuning_new(const struct program *program, const struct backend *backend, int threads);
void tuning_free(struct tuning *tuning);

/* ---- for backends ---- */

/* The variant that the next call is computed with. */
int tuned_variant(const struct tuned *tuned, int variant_count);

/* A watched call with that variant took so many seconds a row. Chooses, and ends watching, with the last that was wanted. */
void tuned_add(struct tuned *tuned, int variant_count, int variant, double seconds);

/* ---- for commands ---- */

/* Has the device measure, while it computes, what is not known yet and is worth it. */
void tuning_watch(struct tuning *tuning);

/* How many operations are measured. */
int tuning_measured(const struct tuning *tuning);

/* The file's place; free() it. NULL: neither XDG_CACHE_HOME nor HOME names a directory. */
char *tuning_path(const struct tuning *tuning);

/* Takes what the file says. False where it is not there, or is not used: *err then says why, and its text is empty where there is
 * no file. */
bool tuning_read(struct tuning *tuning, const char *path, struct error *err);

/* Writes what is measured, whole or not at all; makes the directory. */
bool tuning_write(const struct tuning *tuning, const char *path, struct error *err);

/* Could it be written there? Makes the directory. */
bool tuning_writable(const char *path, struct error *err);

/* The file's content; cJSON_Delete it. */
cJSON *tuning_to_json(const struct tuning *tuning);

/* The same as a table, a line an operation. */
void tuning_print(const struct tuning *tuning, FILE *out);

#endif
