/* What a layer may keep from its forward to its backward pass, and what it computes again instead.
 *
 * Forward operations that write one value together (a product, the adapters that add to its result, RoPE in place) can only run
 * again together: they are a *unit*. A policy is a set of units that run again. What the backward pass reads, or a unit
 * that runs again reads, comes from such a unit or is kept; so every set of units is a policy, and all of them are looked at: what
 * is worth keeping follows from sizes and costs, not from names.
 */
#ifndef LORAC_RECOMPUTE_H
#define LORAC_RECOMPUTE_H

#include "graph.h"

struct policy {
    unsigned units;       /* bit i: the i-th unit, in the order of the forward pass, runs again */
    long kept_bytes;      /* per token */
    long scratch_columns; /* of the layer's graph under this policy */
    double flops;         /* per token, of what runs again */
    double seconds;       /* the same as time of a full micro-batch (cost.h) */
};

/* All policies of a layer's graph as the backward pass left it, of which none is at least as good as another in what it keeps, in
 * scratch and in time (free() the list). The operations' costs are known. The first keeps least, the last keeps all. */
struct policy *policies_of(const struct graph *graph, int *count);

/* The policy that keeps all, or (again) nothing but the layer's input. */
struct policy policy_uniform(const struct graph *graph, bool again);

/* Puts the operations of these units among the backward operations, each unit before the first operation that reads what it makes,
 * and decides for each value whether it is saved or scratch, and where in scratch. */
void policy_apply(struct graph *graph, unsigned units);

/* What the operations that run again are there for: "normed, mid_normed, act" (free() it). Of all of them where `first` is -1, else
 * of those that follow each other from operation `first` on. */
char *recomputed_names(const struct graph *graph, int first);

/* Statistics (rstd, log-sum-exp) that nobody reads are not written: their kernels take NULL. */
void drop_unread_statistics(struct graph *graph);

#endif
