/* How many threads compute, and how they wait for each other.
 *
 * As many as --threads says, or else the environment's OMP_NUM_THREADS, or else one for each physical core that the process may
 * run on, but no more than its cgroup's CPU quota, rounded to a whole number, at least 1; and never more than OMP_THREAD_LIMIT in the
 * environment. Two threads of one core share what they compute with: the vector and tile units, which one thread keeps busy, and the
 * caches that blocks are made for. Where the quota runs out, all wait for the thread that stands still: with 1.1 and 1.25 CPUs one
 * thread was as fast as two or faster.
 *
 * Threads are not bound to CPUs, unless OMP_PROC_BIND or GOMP_CPU_AFFINITY in the environment says so: a bound thread waits for
 * whatever else runs on its CPU, and all others for that thread. Two programs that bind theirs meet on the same CPUs.
 *
 * At the end of a parallel loop they look WAIT_SPINS times whether the others have come, then sleep, unless OMP_WAIT_POLICY or
 * GOMP_SPINCOUNT in the environment says otherwise. GNU OpenMP's own 300,000 looks (about 15 ms) keep a core that the awaited
 * thread needs, so that a machine that others use as well brings a small model's work nearly to a stop. No look at all costs
 * an idle machine two thirds of its speed, as waking takes longer than small loops do.
 *
 * tests/bench/results/cascade-lake-2-cores.md has the measurements.
 */
#ifndef LORAC_THREADS_H
#define LORAC_THREADS_H

#include "cpu_limits.h"
#include "options.h"

enum { MOST_THREADS = 4096 };

#define WAIT_SPINS "1000" /* about 50 us where a look takes 140 cycles: what a sleep and a waking take */

struct thread_choice {
    int threads;
    struct cpu_limits limits;
    char reason[160]; /* "one for each CPU that may be used", for `info` */
    char hint[256];   /* a line for stderr, where the number is not what the user may expect or need; otherwise "" */
};

/* The number that the rules above give. `wanted` and `from_environment` are what --threads and OMP_NUM_THREADS say, 0: nothing. */
struct thread_choice threads_choose(struct cpu_limits limits, int wanted, int from_environment);

/* The same of this machine, --threads and the environment. */
struct thread_choice threads_of(const struct options *options);

/* The same again; the runtime's own loops keep to it from now on (omp_set_num_threads). */
struct thread_choice threads_use(const struct options *options);

#endif
