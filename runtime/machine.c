#define _GNU_SOURCE

#include "machine.h"

#include <omp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* libgomp reads the environment in a constructor of its own, which comes after those with a priority. */
__attribute__((constructor(101))) static void set_waiting(void)
{
    if (!getenv("OMP_WAIT_POLICY") && !getenv("GOMP_SPINCOUNT"))
        setenv("GOMP_SPINCOUNT", WAIT_SPINS, 1);
}

/* CPUs' worth of time per period, rounded up; 0 where there is no quota. */
static int quota_cores(double quota, double period)
{
    int cores = quota > 0 && period > 0 ? (int)(quota / period) : 0;
    return cores + (quota > cores * period && period > 0 ? 1 : 0);
}

/* cgroup v2 has "max 100000" or "200000 100000" in the group's cpu.max, v1 two files; in a container they lie at the root. */
static int cgroup_cores(void)
{
    double quota = 0, period = 0;
    FILE *file = fopen("/sys/fs/cgroup/cpu.max", "r");
    if (file) {
        if (fscanf(file, "%lf %lf", &quota, &period) != 2)
            quota = 0;
        fclose(file);
        return quota_cores(quota, period);
    }
    FILE *quota_file = fopen("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "r");
    FILE *period_file = fopen("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "r");
    if (!quota_file || !period_file || fscanf(quota_file, "%lf", &quota) != 1 ||
        fscanf(period_file, "%lf", &period) != 1)
        quota = 0;
    if (quota_file)
        fclose(quota_file);
    if (period_file)
        fclose(period_file);
    return quota_cores(quota, period);
}

int available_cores(void)
{
    cpu_set_t set;
    int cores = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : omp_get_num_procs();
    int quota = cgroup_cores();
    if (quota && quota < cores)
        cores = quota;
    return cores > 0 ? cores : 1;
}

int thread_count(const struct options *options)
{
    int threads = option_given(options, "threads") ? (int)option_int(options, "threads") : available_cores();
    omp_set_num_threads(threads);
    return threads;
}

/* "avx512, avx2, portable" */
static char *backend_names(const struct program *program)
{
    char *names = format_text("%s", "");
    for (int i = 0; i < program->backend_count; i++) {
        char *longer = format_text("%s%s%s", names, i ? ", " : "", program->backends[i]->name);
        free(names);
        names = longer;
    }
    return names;
}

const struct backend *backend_choose(const struct options *options, struct error *err)
{
    const struct program *program = options_program(options);
    const char *device = option_text(options, "device"), *isa = option_text(options, "isa");
    if (device && !strcmp(device, "cuda")) {
        error_set(err, "--device cuda: this program was built without a CUDA target; use --device cpu");
        return NULL;
    }
    for (int i = 0; i < program->backend_count; i++) {
        const struct backend *backend = program->backends[i];
        if (isa && strcmp(isa, backend->name))
            continue;
        if (backend->usable())
            return backend;
        if (isa) {
            error_set(err, "--isa %s: this machine's processor cannot run it", isa);
            return NULL;
        }
    }
    char *names = backend_names(program);
    if (isa)
        error_usage(err, "--isa: one of %s is expected, found '%s'", names, isa);
    else
        error_set(err, "this machine's processor can run none of the program's instruction sets: %s", names);
    free(names);
    return NULL;
}
