#define _POSIX_C_SOURCE 200809L
#include "threads.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

/* libgomp reads the environment in a constructor of its own, which comes after those with a priority. */
__attribute__((constructor(101))) static void set_waiting(void)
{
    if (!getenv("OMP_WAIT_POLICY") && !getenv("GOMP_SPINCOUNT"))
        setenv("GOMP_SPINCOUNT", WAIT_SPINS, 1);
}

/* "1 CPU", but "1.5 CPUs". */
static const char *plural(double count)
{
    return count == 1 ? "" : "s";
}

/* Too many threads: a hint, with what is usually faster. */
static void hint_at_fewer(struct thread_choice *choice, int best)
{
    const struct cpu_limits limits = choice->limits;
    if (best < limits.cores)
        snprintf(choice->hint, sizeof choice->hint,
                 "threads: %d are more than the cgroup's quota of %.3g CPU%s has time for; %d would usually be faster",
                 choice->threads, limits.quota, plural(limits.quota), best);
    else if (choice->threads > limits.cpus)
        snprintf(choice->hint, sizeof choice->hint,
                 "threads: %d are more than there are CPUs here, which is %d; %d would usually be faster",
                 choice->threads, limits.cpus, best);
    else
        snprintf(choice->hint, sizeof choice->hint,
                 "threads: %d have to share %d core%s; %d would usually be faster, one for each core", choice->threads,
                 limits.cores, plural(limits.cores), best);
}

struct thread_choice threads_choose(struct cpu_limits limits, int wanted, int from_environment)
{
    const double granted = limits.quota > 0 ? fmax(1, round(limits.quota)) : limits.cores;
    const bool scarce = granted < limits.cores;
    const int best = scarce ? (int)granted : limits.cores;
    struct thread_choice choice = {.threads = wanted             ? wanted
                                              : from_environment ? from_environment
                                                                 : best,
                                   .limits = limits};
    char *reason = choice.reason;
    const size_t size = sizeof choice.reason;
    if (wanted || from_environment) {
        snprintf(reason, size, "%s says so", wanted ? "--threads" : "OMP_NUM_THREADS");
        if (choice.threads > best)
            hint_at_fewer(&choice, best);
        return choice;
    }
    if (scarce)
        snprintf(reason, size, "the cgroup's quota is %.3g of %d CPUs", limits.quota, limits.cpus);
    else if (limits.cores < limits.cpus)
        snprintf(reason, size, "one for each physical core, of which %d CPUs here are parts", limits.cpus);
    else
        snprintf(reason, size, "one for each CPU that may be used");
    if (limits.quota > 0 && limits.quota < limits.cpus)
        snprintf(choice.hint, sizeof choice.hint, "threads: %d, as the cgroup's quota is %.3g of %d CPUs", best,
                 limits.quota, limits.cpus);
    return choice;
}

/* The first of OMP_NUM_THREADS' numbers; 0 where it has none, which OpenMP says itself. */
static long environment_threads(void)
{
    const char *value = getenv("OMP_NUM_THREADS");
    const long number = value ? strtol(value, NULL, 10) : 0;
    return number > 0 ? number : 0;
}

struct thread_choice threads_of(const struct options *options)
{
    const int wanted = option_given(options, "threads") ? (int)option_int(options, "threads") : 0;
    const long from_environment = environment_threads();
    const bool usable = from_environment <= MOST_THREADS;
    struct thread_choice choice = threads_choose(cpu_limits_read(), wanted, usable ? (int)from_environment : 0);
    if (!usable && !wanted)
        snprintf(choice.hint, sizeof choice.hint,
                 "threads: %d, as OMP_NUM_THREADS is expected to be from 1 to %d and is not", choice.threads,
                 MOST_THREADS);
    if (choice.threads > omp_get_thread_limit()) {
        choice.threads = omp_get_thread_limit();
        snprintf(choice.reason, sizeof choice.reason, "OMP_THREAD_LIMIT allows no more");
        choice.hint[0] = '\0';
    }
    return choice;
}

struct thread_choice threads_use(const struct options *options)
{
    const struct thread_choice choice = threads_of(options);
    omp_set_num_threads(choice.threads);
    return choice;
}
