/* What is measured, and what is chosen by it. */
#include "tuning.h"

#include "program.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct tuning *tuning_new(const struct program *program, const struct backend *backend, int threads)
{
    struct tuning *tuning = allocate(sizeof *tuning, "tuning");
    *tuning = (struct tuning){.program = program, .backend = backend, .threads = threads, .worth = TUNING_WORTH};
    tuning->operations = allocate(((size_t)backend->tunable_count + 1) * sizeof *tuning->operations, "tuning");
    return tuning;
}

void tuning_free(struct tuning *tuning)
{
    if (tuning)
        free(tuning->operations);
    free(tuning);
}

/* Rounds begin with another variant each time, so that none always follows the same layer. */
int tuned_variant(const struct tuned *tuned, int variant_count)
{
    if (!tuned->watched)
        return tuned->chosen;
    return (tuned->calls + tuned->calls / variant_count) % variant_count;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const double values[TUNING_ROUNDS])
{
    double sorted[TUNING_ROUNDS];
    memcpy(sorted, values, sizeof sorted);
    qsort(sorted, TUNING_ROUNDS, sizeof *sorted, ascending);
    return sorted[TUNING_ROUNDS / 2];
}

static void choose(struct tuned *tuned, int variant_count)
{
    const double first = median(tuned->samples[0]);
    double least = TUNING_GAIN;
    tuned->chosen = 0;
    for (int variant = 0; variant < variant_count; variant++) {
        double ratios[TUNING_ROUNDS];
        for (int round = 0; round < TUNING_ROUNDS; round++)
            ratios[round] = tuned->samples[variant][round] / tuned->samples[0][round];
        const double ratio = median(ratios);
        tuned->seconds[variant] = first * ratio;
        if (ratio < least) {
            least = ratio;
            tuned->chosen = variant;
        }
    }
    tuned->measured = true;
    tuned->watched = false;
}

void tuned_add(struct tuned *tuned, int variant_count, int variant, double seconds)
{
    /* a clock too coarse to see the call must not divide by zero */
    tuned->samples[variant][tuned->calls / variant_count] = fmax(seconds, 1e-12);
    if (++tuned->calls == variant_count * TUNING_ROUNDS)
        choose(tuned, variant_count);
}

void tuning_watch(struct tuning *tuning)
{
    const struct tunable *tunables = tuning->backend->tunables;
    for (int i = 0; i < tuning->backend->tunable_count; i++)
        tuning->operations[i].watched =
            !tuning->operations[i].measured && tunables[i].flops * tunables[i].rows >= tuning->worth;
}

int tuning_measured(const struct tuning *tuning)
{
    int measured = 0;
    for (int i = 0; i < tuning->backend->tunable_count; i++)
        measured += tuning->operations[i].measured;
    return measured;
}
