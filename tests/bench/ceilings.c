/* What this machine can do at most: the ceilings that tests/bench/bench.sh measures programs against.
 *
 *     ceilings THREADS [MIB [SECONDS]]
 *
 * Prints a line "NAME THREADS VALUE" each, with one thread and with THREADS:
 *   read   GB/s   reading an array of MIB MiB (256 unless given: more than a cache holds)
 *   copy   GB/s   copying one half of that array to the other, each byte counted as it is read and as it is written
 *   fma    GFLOP/s   fp32 multiply-adds in registers, in the widest vectors that it is compiled for (-march=native)
 *   amx    GFLOP/s   bf16 multiply-adds of tiles in registers, where the processor has AMX and the kernel allows it
 * Each is work over time of about SECONDS (0.5 unless given), threads waited for. Wrong usage: one line and exit 2.
 */
#include "cpu_features.h"

#include <omp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if defined(__AVX512F__)
enum { VECTOR_BYTES = 64 };
#elif defined(__AVX__)
enum { VECTOR_BYTES = 32 };
#else
enum { VECTOR_BYTES = 16 };
#endif

enum { FLOATS = VECTOR_BYTES / sizeof(float), CHAINS = 12, SIZE_ALIGNMENT = 1 << 20 };

typedef float vec __attribute__((vector_size(VECTOR_BYTES), may_alias));
typedef uint64_t words __attribute__((vector_size(VECTOR_BYTES), may_alias));

struct machine {
    unsigned char *data; /* `size` bytes, a multiple of 1 MiB, touched by the threads that use it */
    size_t size;
    double seconds; /* a measurement takes about so long */
};

/* One thread's pass over its part, thread `rank` of `threads`: returns the work done, in bytes or FLOP. What it computes goes to *sink,
 * so that it is computed. */
typedef double kernel(const struct machine *machine, int rank, int threads, uint64_t *sink);

static double read_pass(const struct machine *machine, int rank, int threads, uint64_t *sink)
{
    const size_t count = machine->size / threads / sizeof(words) / 8 * 8;
    const words *from = (const words *)machine->data + count * rank;
    words sums[8] = {0};
    for (size_t i = 0; i < count; i += 8)
        for (int j = 0; j < 8; j++)
            sums[j] ^= from[i + j];
    for (int j = 0; j < 8; j++)
        *sink ^= sums[j][0] ^ sums[j][1];
    return (double)(count * sizeof(words));
}

static double copy_pass(const struct machine *machine, int rank, int threads, uint64_t *sink)
{
    const size_t half = machine->size / 2, part = half / threads;
    unsigned char *to = machine->data + half + part * rank;
    memcpy(to, machine->data + part * rank, part);
    *sink ^= to[part / 2];
    return 2.0 * (double)part;
}

static double fma_pass(const struct machine *machine, int rank, int threads, uint64_t *sink)
{
    enum { STEPS = 1 << 20 };
    (void)machine;
    (void)threads;
    vec sums[CHAINS];
    for (int i = 0; i < CHAINS; i++)
        sums[i] = (vec){0} + (float)(rank + i);
    const vec factor = (vec){0} + 0.999F, term = (vec){0} + 0.5F;
    for (int step = 0; step < STEPS; step++)
#pragma GCC unroll 12
        for (int i = 0; i < CHAINS; i++)
            sums[i] = sums[i] * factor + term;
    float total = 0;
    for (int i = 0; i < CHAINS; i++)
        total += sums[i][0];
    *sink ^= (uint64_t)total;
    return 2.0 * STEPS * CHAINS * FLOATS;
}

#if defined(__x86_64__)
/* Four tiles of sums, two of each operand: a product of 32 x 32 x 32 a step. In assembly of its own, since this file is compiled where
 * there is no AMX as well, and the compiler's functions for tiles do not say what memory they read. */
static double amx_pass(const struct machine *machine, int rank, int threads, uint64_t *sink)
{
    enum { STEPS = 1 << 18, LINES = 16, LINE_BYTES = 64 };
    static const struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t line_bytes[16];
        uint8_t lines[16];
    } config = {1, 0, {0}, {64, 64, 64, 64, 64, 64, 64, 64}, {16, 16, 16, 16, 16, 16, 16, 16}};
    uint16_t ones[LINES * LINE_BYTES / 2];
    float sums[LINES * LINE_BYTES / 4];
    (void)machine;
    (void)rank;
    (void)threads;
    for (int i = 0; i < LINES * LINE_BYTES / 2; i++)
        ones[i] = 0x3f80; /* 1 in bf16 */
    __asm__ volatile("ldtilecfg %0" ::"m"(config));
    __asm__ volatile("tilezero %%tmm0\n\ttilezero %%tmm1\n\ttilezero %%tmm2\n\ttilezero %%tmm3\n\t"
                     "tileloadd (%0,%1,1), %%tmm4\n\ttileloadd (%0,%1,1), %%tmm5\n\t"
                     "tileloadd (%0,%1,1), %%tmm6\n\ttileloadd (%0,%1,1), %%tmm7" ::"r"(ones),
                     "r"((size_t)LINE_BYTES)
                     : "memory");
    for (int step = 0; step < STEPS; step++)
        __asm__ volatile("tdpbf16ps %%tmm6, %%tmm4, %%tmm0\n\ttdpbf16ps %%tmm7, %%tmm4, %%tmm1\n\t"
                         "tdpbf16ps %%tmm6, %%tmm5, %%tmm2\n\ttdpbf16ps %%tmm7, %%tmm5, %%tmm3" ::);
    __asm__ volatile("tilestored %%tmm3, (%0,%1,1)\n\ttilerelease" ::"r"(sums), "r"((size_t)LINE_BYTES) : "memory");
    *sink ^= (uint64_t)sums[0];
    return 2.0 * STEPS * 32 * 32 * 32;
}
#else
static kernel *const amx_pass = NULL;
#endif

/* Work a second of `threads` threads, each of which makes passes for machine->seconds, after one that counts for nothing. */
static double measure(kernel *pass, const struct machine *machine, int threads)
{
    double work = 0, began = 0;
    uint64_t sink = 0;
#pragma omp parallel num_threads(threads) reduction(+ : work) reduction(^ : sink)
    {
        const int rank = omp_get_thread_num();
        pass(machine, rank, threads, &sink);
#pragma omp barrier
#pragma omp single
        began = omp_get_wtime();
        do
            work += pass(machine, rank, threads, &sink);
        while (omp_get_wtime() - began < machine->seconds);
    }
    const double rate = work / (omp_get_wtime() - began);
    return sink == UINT64_MAX ? 0 : rate; /* the sink is looked at, so it is not left out */
}

static void report(const char *name, kernel *pass, const struct machine *machine, int threads)
{
    printf("%s 1 %.2f\n", name, measure(pass, machine, 1) / 1e9);
    if (threads > 1)
        printf("%s %d %.2f\n", name, threads, measure(pass, machine, threads) / 1e9);
}

int main(int argc, char **argv)
{
    const long threads = argc > 1 ? strtol(argv[1], NULL, 10) : 0, mib = argc > 2 ? strtol(argv[2], NULL, 10) : 256;
    struct machine machine = {.seconds = argc > 3 ? strtod(argv[3], NULL) : 0.5};
    if (argc < 2 || argc > 4 || threads < 1 || threads > 4096 || mib < 1 || mib > 1 << 20 || !(machine.seconds > 0)) {
        fprintf(stderr, "usage: ceilings THREADS [MIB [SECONDS]]\n");
        return 2;
    }
    machine.size = (size_t)mib << 20;
    machine.data = aligned_alloc(SIZE_ALIGNMENT, machine.size);
    if (!machine.data) {
        fprintf(stderr, "ceilings: no memory for %ld MiB\n", mib);
        return 1;
    }
#pragma omp parallel for num_threads(threads) schedule(static)
    for (size_t at = 0; at < machine.size; at += 4096)
        memset(machine.data + at, 1, 4096);
    report("read", read_pass, &machine, (int)threads);
    report("copy", copy_pass, &machine, (int)threads);
    report("fma", fma_pass, &machine, (int)threads);
    if (cpu_runs_amx())
        report("amx", amx_pass, &machine, (int)threads);
    free(machine.data);
    return 0;
}
