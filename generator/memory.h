/* Where values lie: the arena's offsets and the exact peak. */
#ifndef LORAC_MEMORY_H
#define LORAC_MEMORY_H

#include "graph.h"

/* Fills plan->graph->memory and the sizes of the arena's blocks for the schedule that the layers have. */
void memory_plan(struct plan *plan);

/* Fills plan->graph's counts of rows. */
void memory_rows(struct plan *plan);

/* Gives every scratch value of a graph its column, and the graph their number. */
void place_scratch(struct graph *graph);

/* Bytes of training at its peak with `tokens` tokens in a micro-batch, where all layers together keep `kept_bytes` a token and no
 * layer needs more than `scratch_columns` columns of scratch. The plan's train_peak is exactly this for its own schedule. */
long long memory_train_peak(const struct plan *plan, int tokens, long long kept_bytes, long scratch_columns);

/* Rows of the arena for micro-batches of so many samples and tokens. */
int memory_tokens(int samples, int max_length);

/* What the process needs beside the plan counts towards memory_budget: bytes, with the threads that are usual. */
long long memory_beside_plan(const struct plan *plan);

/* Bytes of the frozen weights as the generated struct weights holds them. */
long long memory_weight_bytes(const struct plan *plan);

#endif
