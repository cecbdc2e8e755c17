/* How the layers may be given policies (recompute.h): from the least memory to the least time, all that is worth considering.
 *
 * Layers of a kind are alike, so what counts is how many of them have which policy. At most two policies are mixed within a kind:
 * a third could use up the last fraction of a layer's memory, at the price of one more function to read.
 */
#ifndef LORAC_FRONTIER_H
#define LORAC_FRONTIER_H

#include "recompute.h"

/* Of the layers of a kind, the lowest `lean_count` run the units `lean` again, the others the units `rich`. */
struct mix {
    unsigned lean, rich;
    int lean_count;
};

struct assignment {
    struct mix *mixes;     /* [kind_count] */
    long long kept_bytes;  /* per token, all layers */
    long scratch_columns;  /* of the layer that needs most */
    long long peak;        /* memory_train_peak with these, for the recipe's micro-batch */
    double flops, seconds; /* of what is computed again: per token, and of a full micro-batch */
};

struct frontier {
    struct assignment *items; /* ascending in peak, descending in seconds */
    int count;
};

/* Needs the graphs as the backward pass left them, with operations' costs. */
struct frontier frontier_find(const struct plan *plan);
void frontier_free(struct frontier *frontier);

/* All layers keep all (again false), or nothing but their inputs; assignment_free() it. */
struct assignment assignment_uniform(const struct plan *plan, bool again);
void assignment_free(struct assignment *assignment);

#endif
