/* What operations cost: floating-point operations and bytes, and from these the time that they take, so that plans can be compared.
 *
 * Time is that of a full micro-batch on two cores with AMX, as measured in tests/bench/results: matrix products run at the rate of
 * their type, attention at a part of it, all else at that of float vectors, and nothing faster than memory brings its operands.
 * What is shown of it are shares of a whole step in which every token is trained: these hold well enough on other machines. With
 * few trained tokens the head costs less, so that the layers' shares are larger.
 */
#ifndef LORAC_COST_H
#define LORAC_COST_H

#include "graph.h"

/* Fills in the costs of all operations; plan->graph's counts of rows are known. */
void cost_operations(struct plan *plan);

/* The sums over all layers and the head. */
struct cost_totals cost_totals(const struct plan *plan);

#endif
