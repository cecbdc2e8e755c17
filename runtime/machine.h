/* What the machine gives this process: cores, and which of the program's backends can run here. */
#ifndef LORAC_MACHINE_H
#define LORAC_MACHINE_H

#include "options.h"

/* Cores this process may use: its affinity mask, cut by the cgroup's CPU quota (v1 and v2, rounded up). At least 1. */
int available_cores(void);

/* --threads, or available_cores(). Calls omp_set_num_threads with it, so that the runtime's own loops keep to it too.
 */
int thread_count(const struct options *options);

/* The first usable backend, or the one that --isa names. NULL and *err when there is none, or --device asks for one
 * that this build has not. */
const struct backend *backend_choose(const struct options *options, struct error *err);

#endif
