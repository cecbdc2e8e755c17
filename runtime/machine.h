/* What the machine gives this process: cores, and which of the program's backends can run here.
 *
 * It also says how threads wait for each other at the end of a parallel loop, unless OMP_WAIT_POLICY or GOMP_SPINCOUNT in the
 * environment does: they look WAIT_SPINS times, then sleep. GNU OpenMP's own 300,000 looks (about 15 ms) keep a core that the awaited
 * thread needs, so that a machine that others use as well brings a small model's work nearly to a stop. No look at all costs
 * an idle machine two thirds of its speed, as waking takes longer than small loops do.
 * tests/bench/results/cascade-lake-2-cores.md has the measurements.
 */
#ifndef LORAC_MACHINE_H
#define LORAC_MACHINE_H

#include "options.h"

#define WAIT_SPINS "1000" /* about 50 us where a look takes 140 cycles: what a sleep and a waking take */

/* Cores this process may use: its affinity mask, cut by the cgroup's CPU quota (v1 and v2, rounded up). At least 1. */
int available_cores(void);

/* --threads, or available_cores(). Calls omp_set_num_threads with it, so that the runtime's own loops keep to it too.
 */
int thread_count(const struct options *options);

/* The first usable backend, or the one that --isa names. NULL and *err when there is none, or --device asks for one
 * that this build has not. */
const struct backend *backend_choose(const struct options *options, struct error *err);

#endif
