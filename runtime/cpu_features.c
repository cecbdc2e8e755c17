#define _GNU_SOURCE
#include "cpu_features.h"

bool cpu_runs_portable(void)
{
    return true;
}

#if defined(__x86_64__)

#    include <cpuid.h>
#    include <sys/syscall.h>
#    include <unistd.h>

/* The two of x86-64-v3's features that compilers disagree on how to ask for by name. */
static bool has_f16c_and_lzcnt(void)
{
    enum { F16C = 1 << 29, LZCNT = 1 << 5 }; /* in ecx of leaves 1 and 0x80000001 */
    unsigned eax, ebx, ecx, edx, extended;
    return __get_cpuid(1, &eax, &ebx, &ecx, &edx) && (ecx & F16C) &&
           __get_cpuid(0x80000001, &eax, &ebx, &extended, &edx) && (extended & LZCNT);
}

bool cpu_runs_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
           __builtin_cpu_supports("bmi2") && has_f16c_and_lzcnt();
}

bool cpu_runs_avx512(void)
{
    return cpu_runs_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
}

/* Tiles are 8 KiB of state per thread, which Linux saves only for processes that have asked (arch_prctl(2)). */
static bool tiles_granted(void)
{
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
    return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
}

bool cpu_runs_amx(void)
{
    enum { AMX_BF16 = 1 << 22, AMX_TILE = 1 << 24 }; /* in edx of leaf 7 */
    enum { AVX512_BF16 = 1 << 5 };                   /* in eax of leaf 7, subleaf 1 */
    unsigned eax, ebx, ecx, edx, more, unused;
    return cpu_runs_avx512() && __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && (edx & AMX_BF16) &&
           (edx & AMX_TILE) && __get_cpuid_count(7, 1, &more, &ebx, &ecx, &unused) && (more & AVX512_BF16) &&
           tiles_granted();
}

#else

bool cpu_runs_avx2(void)
{
    return false;
}

bool cpu_runs_avx512(void)
{
    return false;
}

bool cpu_runs_amx(void)
{
    return false;
}

#endif
