#include "cpu_features.h"

bool cpu_runs_portable(void)
{
    return true;
}

#if defined(__x86_64__)

#    include <cpuid.h>

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

#else

bool cpu_runs_avx2(void)
{
    return false;
}

bool cpu_runs_avx512(void)
{
    return false;
}

#endif
