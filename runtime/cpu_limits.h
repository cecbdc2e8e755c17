/* What the system lets this process have of the processors: on which CPUs it may run, how many physical cores these are, and how
 * much of their time its control groups grant.
 *
 * Sources: sched(7) for the affinity mask; topology/thread_siblings_list of each CPU in sysfs; the kernel's manuals of control
 * groups, where version 2 keeps "QUOTA PERIOD" or "max PERIOD" in a group's cpu.max and version 1 has cpu.cfs_quota_us (-1: none)
 * and cpu.cfs_period_us. A group is held to the quotas of all groups above it as well. In a container the group itself is often
 * what is mounted, or its path is told as if it were the root: whatever of the path is not below the mount, the mount stands for.
 */
#ifndef LORAC_CPU_LIMITS_H
#define LORAC_CPU_LIMITS_H

#include <stdbool.h>

struct cpu_limits {
    int cpus;     /* that the process may run on, at least 1 */
    int cores;    /* physical ones among these, CPUs of one core counted once: from 1 to cpus */
    double quota; /* CPUs' worth of time, the least of all groups above the process; 0: no quota */
};

/* This process's; where the environment has OpenMP bind threads, its affinity mask is OpenMP's places, as the calling thread is bound
 * to one then. What cannot be read does not limit. */
struct cpu_limits cpu_limits_read(void);

/* The same for the CPUs c with allowed[c], c < count, and the files of a tree that has proc/self/cgroup, proc/self/mountinfo, sys/...
 * and whatever they name; a path of "" is the system's own. */
struct cpu_limits cpu_limits_of(const char *tree, const bool *allowed, int count);

/* Sets member[c] for the c < count that a list such as "0-3,8" names, clears the others. False: it is no such list. */
bool cpu_list_parse(const char *text, bool *member, int count);

#endif
