/* Where values lie: the arena's offsets and the exact peak, for the current schedule. */
#ifndef LORAC_MEMORY_H
#define LORAC_MEMORY_H

#include "graph.h"

/* Fills plan->graph->memory, the sizes of the arena's blocks, and every scratch value's column. */
void memory_plan(struct plan *plan);

/* Bytes of the frozen weights as the generated struct weights holds them. */
long long memory_weight_bytes(const struct plan *plan);

#endif
