#define _GNU_SOURCE
#include "cpu_limits.h"

#include "error.h"

#include <omp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_CPUS = 1 << 16 };

/* ---- cores ---- */

/* A CPU's number at *text, which is moved behind it; -1 where there is none. */
static int cpu_number(const char **text)
{
    char *end;
    if (**text < '0' || **text > '9')
        return -1;
    long number = strtol(*text, &end, 10);
    *text = end;
    return number > MOST_CPUS ? -1 : (int)number;
}

bool cpu_list_parse(const char *text, bool *member, int count)
{
    memset(member, 0, sizeof *member * count);
    for (;; text++) {
        int first = cpu_number(&text), last = first;
        if (*text == '-') {
            text++;
            last = cpu_number(&text);
        }
        if (first < 0 || last < first)
            return false;
        for (int c = first; c <= last && c < count; c++)
            member[c] = true;
        if (*text != ',')
            return *text == '\0' || !strcmp(text, "\n");
    }
}

/* A file's first line, or NULL. free() it. */
static char *first_line(const char *path)
{
    char *line = NULL;
    size_t size = 0;
    FILE *file = fopen(path, "r");
    if (file && getline(&line, &size, file) < 0) {
        free(line);
        line = NULL;
    }
    if (file)
        fclose(file);
    return line;
}

/* Numbers the cores of the CPUs c with allowed[c], c < count, from 0 in the order of their first CPUs: core[c] is CPU c's, or -1. Returns
 * how many there are. CPUs of which the tree says nothing are cores of their own. */
static int number_cores(const char *tree, const bool *allowed, int count, int *core)
{
    bool *sibling = allocate(sizeof *sibling * (size_t)(count + 1), "a list of CPUs");
    int cores = 0;
    for (int c = 0; c < count; c++) {
        core[c] = -1;
        if (!allowed[c])
            continue;
        char *path = format_text("%s/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", tree, c);
        char *line = first_line(path);
        if (line && cpu_list_parse(line, sibling, count) && sibling[c])
            for (int other = 0; other < c && core[c] < 0; other++)
                core[c] = sibling[other] ? core[other] : -1;
        if (core[c] < 0)
            core[c] = cores++;
        free(line);
        free(path);
    }
    free(sibling);
    return cores;
}

/* ---- quotas ---- */

/* CPUs' worth of time of one group: 0 where it has no quota, or none that can be read. */
static double group_quota(const char *directory, bool v2)
{
    long long quota = 0, period = 0;
    char *path = format_text("%s/%s", directory, v2 ? "cpu.max" : "cpu.cfs_quota_us"), *line = first_line(path);
    bool read = line && (v2 ? sscanf(line, "%lld %lld", &quota, &period) == 2 : sscanf(line, "%lld", &quota) == 1);
    free(line);
    free(path);
    if (read && !v2) {
        path = format_text("%s/cpu.cfs_period_us", directory);
        line = first_line(path);
        read = line && sscanf(line, "%lld", &period) == 1;
        free(line);
        free(path);
    }
    return read && quota > 0 && period > 0 ? (double)quota / (double)period : 0;
}

static double less_quota(double a, double b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

/* The least quota of the group at `point` + `below` and those above it, as far as `point`, where the hierarchy is mounted. */
static double least_quota(const char *point, const char *below, bool v2)
{
    char *directory = format_text("%s%s", point, below);
    const size_t mounted = strlen(point);
    double least = 0;
    for (;;) {
        least = less_quota(least, group_quota(directory, v2));
        char *slash = strrchr(directory + mounted, '/');
        if (!slash)
            break;
        *slash = '\0';
    }
    free(directory);
    return least;
}

/* Whether `name` is an item of a list with commas. */
static bool listed(const char *list, const char *name)
{
    const size_t length = strlen(name);
    for (; list; list = strchr(list, ',') ? strchr(list, ',') + 1 : NULL)
        if (!strncmp(list, name, length) && (list[length] == ',' || list[length] == '\0' || list[length] == '\n'))
            return true;
    return false;
}

/* What the path of the process's group is in the hierarchy of version 2, or in version 1's that has the cpu controller; NULL: it is
 * in none. free() it. */
static char *group_path(const char *tree, bool v2)
{
    char *file_path = format_text("%s/proc/self/cgroup", tree), *line = NULL, *found = NULL;
    size_t size = 0;
    FILE *file = fopen(file_path, "r");
    free(file_path);
    while (file && !found && getline(&line, &size, file) > 0) { /* number:controllers:/path */
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':'), *path = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!path)
            continue;
        *path++ = '\0';
        if (v2 ? !strcmp(line, "0:") : listed(controllers + 1, "cpu"))
            found = format_text("%s", path);
    }
    free(line);
    if (file)
        fclose(file);
    return found;
}

/* mountinfo writes blanks and the like as \ooo. */
static void unescape(char *text)
{
    char *to = text;
    for (; *text; text++, to++) {
        unsigned code = 0;
        if (*text == '\\' && strspn(text + 1, "01234567") >= 3 && sscanf(text + 1, "%3o", &code) == 1) {
            *to = (char)code;
            text += 3;
        } else {
            *to = *text;
        }
    }
    *to = '\0';
}

/* The quota that one line of mountinfo leads to: "ID PARENT DEVICE ROOT POINT OPTIONS [MORE ...] - TYPE SOURCE OPTIONS". */
static double mounted_quota(const char *tree, char *line, char *const paths[2])
{
    char *words[5], *rest = line, *end = strstr(line, " - ");
    for (int i = 0; i < 5; i++)
        words[i] = strtok_r(i ? NULL : line, " ", &rest);
    char *type = end && words[4] && words[4] < end ? strtok_r(end + 3, " ", &rest) : NULL;
    char *source = type ? strtok_r(NULL, " ", &rest) : NULL, *options = source ? strtok_r(NULL, " \n", &rest) : NULL;
    const bool v2 = type && !strcmp(type, "cgroup2");
    if (!options || !paths[v2] || (!v2 && (strcmp(type, "cgroup") != 0 || !listed(options, "cpu"))))
        return 0;
    char *root = words[3];
    unescape(root);
    unescape(words[4]);
    size_t length = strcmp(root, "/") ? strlen(root) : 0;
    const char *path = paths[v2], *below = strncmp(path, root, length) ? "" : path + length;
    char *point = format_text("%s%s", tree, words[4]), *directory = format_text("%s%s", point, below);
    const bool there = *below == '/' && strcmp(below, "/") != 0 && !strstr(below, "/..") && !access(directory, F_OK);
    double quota = least_quota(point, there ? below : "", v2);
    free(directory);
    free(point);
    return quota;
}

static double groups_quota(const char *tree)
{
    char *file_path = format_text("%s/proc/self/mountinfo", tree), *line = NULL;
    char *const paths[2] = {group_path(tree, false), group_path(tree, true)};
    double least = 0;
    size_t size = 0;
    FILE *file = fopen(file_path, "r");
    while (file && getline(&line, &size, file) > 0)
        least = less_quota(least, mounted_quota(tree, line, paths));
    if (file)
        fclose(file);
    free(line);
    free(paths[0]);
    free(paths[1]);
    free(file_path);
    return least;
}

/* ---- this process ---- */

struct cpu_limits cpu_limits_of(const char *tree, const bool *allowed, int count)
{
    struct cpu_limits limits = {.quota = groups_quota(tree)};
    int *core = allocate(sizeof *core * (size_t)(count + 1), "a list of CPUs");
    limits.cores = number_cores(tree, allowed, count, core);
    for (int c = 0; c < count; c++)
        limits.cpus += allowed[c];
    if (limits.cpus == 0)
        limits.cpus = limits.cores = 1;
    free(core);
    return limits;
}

/* The CPUs of OpenMP's places, where the environment has it bind threads. False: it does not. */
static bool places_allowed(bool *allowed)
{
    const int places = omp_get_num_places();
    for (int place = 0; place < places; place++) {
        const int cpus = omp_get_place_num_procs(place);
        int *ids = allocate(sizeof *ids * (size_t)(cpus + 1), "a list of CPUs");
        omp_get_place_proc_ids(place, ids);
        for (int i = 0; i < cpus; i++)
            if (ids[i] >= 0 && ids[i] < MOST_CPUS)
                allowed[ids[i]] = true;
        free(ids);
    }
    return places > 0;
}

/* Which CPUs may be used: [*count] truth values; free() them. */
static bool *allowed_cpus(int *count)
{
    bool *allowed = allocate(sizeof *allowed * MOST_CPUS, "a list of CPUs");
    int failed = places_allowed(allowed) ? 0 : -1;
    for (int size = 1024; failed && size <= MOST_CPUS;
         size *= 2) { /* a mask shorter than the kernel's own is refused */
        cpu_set_t *mask = CPU_ALLOC(size);
        failed = mask ? sched_getaffinity(0, CPU_ALLOC_SIZE(size), mask) : -1;
        for (int c = 0; !failed && c < size; c++)
            allowed[c] = CPU_ISSET_S(c, CPU_ALLOC_SIZE(size), mask) != 0;
        CPU_FREE(mask);
    }
    const long online = failed ? sysconf(_SC_NPROCESSORS_ONLN) : 0;
    for (int c = 0; c < online && c < MOST_CPUS; c++)
        allowed[c] = true;
    for (*count = MOST_CPUS; *count > 0 && !allowed[*count - 1];)
        (*count)--;
    return allowed;
}

struct cpu_limits cpu_limits_read(void)
{
    int count;
    bool *allowed = allowed_cpus(&count);
    struct cpu_limits limits = cpu_limits_of("", allowed, count);
    free(allowed);
    return limits;
}
