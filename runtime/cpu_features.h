/* Which instruction sets this machine runs: compiled for the least of them, so that asking is safe everywhere. */
#ifndef LORAC_CPU_FEATURES_H
#define LORAC_CPU_FEATURES_H

#include <stdbool.h>

/* AMX tiles of bfloat16, AVX512-BF16 and all that avx512 needs; asks the kernel for leave to use the tiles. */
bool cpu_runs_amx(void);
bool cpu_runs_avx512(void);   /* x86-64-v4: AVX-512 F, BW, CD, DQ, VL, and all of v3 */
bool cpu_runs_avx2(void);     /* x86-64-v3: AVX2, FMA, BMI, F16C */
bool cpu_runs_portable(void); /* always */

#endif
