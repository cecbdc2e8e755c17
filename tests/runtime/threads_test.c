/* How many threads: what trees of files, sound and broken, say of CPUs, cores and quotas, and what is chosen by that. */
#define _POSIX_C_SOURCE 200809L

#include "threads.h"

#include "cpu_limits.h"
#include "storage_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

/* ---- lists of CPUs ---- */

static void lists(void **state)
{
    (void)state;
    static const struct {
        const char *text, *members;
    } good[] = {{"0", "1000000000"},       {"0-3,8\n", "1111000010"}, {"1,3,5-6", "0101011000"},
                {"9-60000", "0000000001"}, {"12", "0000000000"},      {"2-2", "0010000000"}};
    bool member[10];
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(cpu_list_parse(good[i].text, member, 10));
        for (int c = 0; c < 10; c++)
            assert_int_equal(member[c], good[i].members[c] == '1');
    }
    static const char *const bad[] = {"",    "\n",   ",",     "1,",  "1,,2", "-3",   "3-",
                                      "3-1", "1 2",  "1-2-3", "0x1", "all",  " 1",   "+1",
                                      "1;2", "1\n2", "0-3:2", "1.5", "-",    "1,-2", "99999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (cpu_list_parse(bad[i], member, 10))
            fail_msg("'%s' is taken for a list", bad[i]);
}

/* ---- trees ---- */

/* A file, with the directories above it. */
static void put(const char *tree, const char *name, const char *text)
{
    char *path = format_text("%s/%s", tree, name);
    for (char *slash = path + strlen(tree) + 1; (slash = strchr(slash, '/')); *slash++ = '/') {
        *slash = '\0';
        mkdir(path, 0700);
    }
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
    free(path);
}

static void put_siblings(const char *tree, int cpu, const char *list)
{
    char *name = format_text("sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu);
    put(tree, name, list);
    free(name);
}

/* The limits where the CPUs written '1' in `mask` are allowed. */
static struct cpu_limits limits_of(const char *tree, const char *mask)
{
    bool allowed[64] = {false};
    const int count = (int)strlen(mask);
    for (int c = 0; c < count; c++)
        allowed[c] = mask[c] == '1';
    return cpu_limits_of(tree, allowed, count);
}

static void expect_limits(const char *tree, const char *mask, int cpus, int cores, double quota)
{
    const struct cpu_limits found = limits_of(tree, mask);
    if (found.cpus != cpus || found.cores != cores || found.quota != quota)
        fail_msg("%s: %d CPUs, %d cores, a quota of %g; expected %d, %d, %g", mask, found.cpus, found.cores,
                 found.quota, cpus, cores, quota);
}

/* Two threads a core, numbered as most machines do (c and c + 4), within several affinity masks. */
static void siblings_are_one_core(void **state)
{
    (void)state;
    char *tree = fixture_directory();
    for (int c = 0; c < 8; c++) {
        char *list = format_text("%d,%d\n", c % 4, c % 4 + 4);
        put_siblings(tree, c, list);
        free(list);
    }
    expect_limits(tree, "11111111", 8, 4, 0);
    expect_limits(tree, "11110000", 4, 4, 0);
    expect_limits(tree, "00001111", 4, 4, 0);
    expect_limits(tree, "10001000", 2, 1, 0);
    expect_limits(tree, "11001000", 3, 2, 0);
    expect_limits(tree, "00000001", 1, 1, 0);
    expect_limits(tree, "00000000", 1, 1, 0); /* which cannot be: something runs this */
    fixture_remove(tree);
}

/* Neighbours as siblings, four a core; and files that say nothing, or nonsense. */
static void other_topologies(void **state)
{
    (void)state;
    char *tree = fixture_directory();
    expect_limits(tree, "111111", 6, 6, 0);
    for (int c = 0; c < 8; c++)
        put_siblings(tree, c, c < 4 ? "0-3" : "4-7");
    expect_limits(tree, "11111111", 8, 2, 0);
    put_siblings(tree, 1, "");
    put_siblings(tree, 2, "0-");
    put_siblings(tree, 3, "0-2"); /* not itself */
    expect_limits(tree, "11111111", 8, 5, 0);
    expect_limits(tree, "0111", 3, 3, 0);
    fixture_remove(tree);
}

#define V2_MOUNT "29 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
#define CPU_MOUNT "33 30 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
#define SET_MOUNT "34 30 0:30 / /sys/fs/cgroup/cpuset rw shared:9 - cgroup cgroup rw,cpuset\n"

static void version_2(void **state)
{
    (void)state;
    char *tree = fixture_directory();
    put(tree, "proc/self/cgroup", "0::/a.slice/b.scope\n");
    put(tree, "proc/self/mountinfo", "22 1 259:1 / / rw,relatime shared:1 - ext4 /dev/root rw\n" V2_MOUNT);
    expect_limits(tree, "1111", 4, 4, 0);
    put(tree, "sys/fs/cgroup/a.slice/b.scope/cpu.max", "max 100000\n");
    expect_limits(tree, "1111", 4, 4, 0);
    put(tree, "sys/fs/cgroup/a.slice/b.scope/cpu.max", "150000 100000\n");
    expect_limits(tree, "1111", 4, 4, 1.5);
    put(tree, "sys/fs/cgroup/a.slice/cpu.max", "25000 50000\n"); /* a group above may grant less, or more */
    expect_limits(tree, "1111", 4, 4, 0.5);
    put(tree, "sys/fs/cgroup/a.slice/cpu.max", "900000 100000\n");
    expect_limits(tree, "1111", 4, 4, 1.5);
    put(tree, "sys/fs/cgroup/a.slice/b.scope/cpu.max", "max 100000\n");
    expect_limits(tree, "1111", 4, 4, 9);
    put(tree, "sys/fs/cgroup/other/cpu.max", "1000 100000\n");
    expect_limits(tree, "1111", 4, 4, 9);
    fixture_remove(tree);
}

static void version_1(void **state)
{
    (void)state;
    char *tree = fixture_directory();
    put(tree, "proc/self/cgroup", "5:cpuset:/c\n4:cpu,cpuacct:/a/b\n1:name=systemd:/c\n");
    put(tree, "proc/self/mountinfo", SET_MOUNT CPU_MOUNT);
    put(tree, "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
    put(tree, "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
    put(tree, "sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_quota_us", "-1\n");
    put(tree, "sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_period_us", "100000\n");
    put(tree, "sys/fs/cgroup/cpuset/c/cpu.cfs_quota_us", "1\n"); /* no such thing there */
    put(tree, "sys/fs/cgroup/cpuset/c/cpu.cfs_period_us", "1\n");
    expect_limits(tree, "11", 2, 2, 0);
    put(tree, "sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "300000\n");
    expect_limits(tree, "11", 2, 2, 0); /* a quota of no known period */
    put(tree, "sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "200000\n");
    expect_limits(tree, "11", 2, 2, 1.5);
    put(tree, "sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_quota_us", "50000\n");
    expect_limits(tree, "11", 2, 2, 0.5);
    fixture_remove(tree);
}

/* The group is what is mounted; or the path is the host's; or a namespace makes it the root, or hides it. */
static void containers(void **state)
{
    (void)state;
    char *tree = fixture_directory();
    put(tree, "sys/fs/cgroup/cpu.max", "200000 100000\n");
    put(tree, "sys/fs/cgroup/inner/cpu.max", "100000 100000\n");
    static const struct {
        const char *group, *root;
        double quota;
    } cases[] = {{"/", "/", 2},
                 {"/docker/1f", "/docker/1f", 2},
                 {"/docker/1f/inner", "/docker/1f", 1},
                 {"/docker/1f2/inner", "/docker/1f", 2},
                 {"/inner", "/", 1},
                 {"/docker/1f", "/", 2},
                 {"/../../other", "/", 2},
                 {"/inner/../../..", "/", 2},
                 {"/inner", "/docker", 2},
                 {"", "/", 2}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *group = format_text("0::%s\n", cases[i].group);
        char *mount = format_text("9 8 0:26 %s /sys/fs/cgroup ro - cgroup2 cgroup rw\n", cases[i].root);
        put(tree, "proc/self/cgroup", group);
        put(tree, "proc/self/mountinfo", mount);
        expect_limits(tree, "11111111", 8, 8, cases[i].quota);
        free(group);
        free(mount);
    }
    fixture_remove(tree);
}

/* Both versions at once, the quota in version 1's hierarchy; a mount with a blank in its name. */
static void mixed(void **state)
{
    (void)state;
    char *tree = fixture_directory();
    put(tree, "proc/self/cgroup", "2:cpu,cpuacct:/\n0::/x\n");
    put(tree, "proc/self/mountinfo",
        "9 8 0:26 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
        "9 8 0:27 / /my\\040cpu rw master:1 propagate_from:2 - cgroup cgroup rw,cpu\n");
    put(tree, "sys/fs/cgroup/unified/x/memory.max", "max\n");
    put(tree, "my cpu/cpu.cfs_quota_us", "250000\n");
    put(tree, "my cpu/cpu.cfs_period_us", "100000\n");
    expect_limits(tree, "1111", 4, 4, 2.5);
    put(tree, "sys/fs/cgroup/unified/x/cpu.max", "10 10");
    expect_limits(tree, "1111", 4, 4, 1);
    fixture_remove(tree);
}

static void broken_files(void **state)
{
    (void)state;
    char *tree = fixture_directory();
    put(tree, "proc/self/cgroup", "0::/\n");
    put(tree, "proc/self/mountinfo", V2_MOUNT);
    static const char *const values[] = {"",          "\n",          "100000", "0 100000", "-5 100000", "100000 0",
                                         "100000 -1", "much little", "nan 1",  "max",      "inf 100000"};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        put(tree, "sys/fs/cgroup/cpu.max", values[i]);
        expect_limits(tree, "11", 2, 2, 0);
    }
    put(tree, "sys/fs/cgroup/cpu.max", "100000 100000");
    static const char *const mounts[] = {"",
                                         "\n\n",
                                         " - \n",
                                         "- cgroup2 cgroup2 rw\n",
                                         "1 2 3 - cgroup2 cgroup2 rw\n",
                                         "29 23 0:26 / /sys/fs/cgroup rw\n",
                                         "29 23 0:26 / /sys/fs/cgroup rw -\n",
                                         "29 23 0:26 / /sys/fs/cgroup rw - cgroup2\n",
                                         "29 23 0:26 / /sys/fs/cgroup rw - cgroup2 x\n",
                                         "29 23 0:26 / /sys/fs/cgroup rw - cgroup x cpu\n",
                                         "29 23 0:26 / /nowhere rw - cgroup2 cgroup2 rw\n"};
    for (size_t i = 0; i < sizeof mounts / sizeof *mounts; i++) {
        put(tree, "proc/self/mountinfo", mounts[i]);
        expect_limits(tree, "11", 2, 2, 0);
    }
    put(tree, "proc/self/mountinfo", V2_MOUNT);
    static const char *const groups[] = {"", "\n", "0:", "0", "x", "1::/\n", "0:cpu,:", "::::\n"};
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        put(tree, "proc/self/cgroup", groups[i]);
        expect_limits(tree, "11", 2, 2, 0);
    }
    put(tree, "proc/self/cgroup", "nonsense\n0::/\n");
    expect_limits(tree, "11", 2, 2, 1);
    fixture_remove(tree);
}

/* ---- the choice ---- */

static void choices(void **state)
{
    (void)state;
    static const struct {
        struct cpu_limits limits;
        int wanted, from_environment, threads;
        const char *reason, *hint;
    } cases[] = {
        {{2, 2, 0}, 0, 0, 2, "one for each CPU that may be used", ""},
        {{8, 4, 0}, 0, 0, 4, "one for each physical core, of which 8 CPUs here are parts", ""},
        {{8, 8, 1.5},
         0,
         0,
         2,
         "the cgroup's quota is 1.5 of 8 CPUs",
         "threads: 2, as the cgroup's quota is 1.5 of 8 CPUs"},
        {{8, 8, 0.25},
         0,
         0,
         1,
         "the cgroup's quota is 0.25 of 8 CPUs",
         "threads: 1, as the cgroup's quota is 0.25 of 8 CPUs"},
        {{8, 4, 6},
         0,
         0,
         4,
         "one for each physical core, of which 8 CPUs here are parts",
         "threads: 4, as the cgroup's quota is 6 of 8 CPUs"},
        {{8, 8, 16}, 0, 0, 8, "one for each CPU that may be used", ""},
        {{2, 2, 1.25},
         0,
         0,
         1,
         "the cgroup's quota is 1.25 of 2 CPUs",
         "threads: 1, as the cgroup's quota is 1.25 of 2 CPUs"},
        {{2, 2, 2}, 0, 0, 2, "one for each CPU that may be used", ""},
        {{4, 4, 0}, 3, 0, 3, "--threads says so", ""},
        {{4, 4, 0}, 0, 3, 3, "OMP_NUM_THREADS says so", ""},
        {{4, 4, 0}, 1, 3, 1, "--threads says so", ""},
        {{4, 4, 2}, 2, 0, 2, "--threads says so", ""},
        {{4, 4, 0},
         6,
         0,
         6,
         "--threads says so",
         "threads: 6 are more than there are CPUs here, which is 4; 4 would usually be faster"},
        {{8, 4, 0},
         0,
         8,
         8,
         "OMP_NUM_THREADS says so",
         "threads: 8 have to share 4 cores; 4 would usually be faster, one for each core"},
        {{8, 8, 1},
         8,
         0,
         8,
         "--threads says so",
         "threads: 8 are more than the cgroup's quota of 1 CPU has time for; 1 would usually be faster"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct thread_choice choice = threads_choose(cases[i].limits, cases[i].wanted, cases[i].from_environment);
        assert_int_equal(choice.threads, cases[i].threads);
        assert_string_equal(choice.reason, cases[i].reason);
        assert_string_equal(choice.hint, cases[i].hint);
    }
}

static void this_machine(void **state)
{
    (void)state;
    const struct cpu_limits limits = cpu_limits_read();
    assert_true(limits.cpus >= limits.cores && limits.cores >= 1 && limits.quota >= 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists),
        cmocka_unit_test(siblings_are_one_core),
        cmocka_unit_test(other_topologies),
        cmocka_unit_test(version_2),
        cmocka_unit_test(version_1),
        cmocka_unit_test(containers),
        cmocka_unit_test(mixed),
        cmocka_unit_test(broken_files),
        cmocka_unit_test(choices),
        cmocka_unit_test(this_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
