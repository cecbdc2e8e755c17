/* SwiGLU (Shazeer 2020): act = silu(gate) * up, silu(x) = x / (1 + e^-x).
 *
 * gate_up [T][GATE_UP]: a row is gate [INTERMEDIATE], then up [INTERMEDIATE]; act [T][INTERMEDIATE]. Memory-bound:
 * $(12 * plan.model.intermediate_size) bytes per token forward, $(20 * plan.model.intermediate_size) backward.
 */
#ifndef LORAC_SWIGLU_H
#define LORAC_SWIGLU_H

#include "exp.h"
#include "isa.h"
#include "shapes.h"

static void swiglu_fwd(float *act, const float *gate_up, int T)
{
#pragma omp for schedule(static)
    for (int t = 0; t < T; t++) {
        const float *gate = gate_up + (size_t)t * GATE_UP, *up = gate + INTERMEDIATE;
        float *out = act + (size_t)t * INTERMEDIATE;
#pragma omp simd
        for (int i = 0; i < INTERMEDIATE; i++)
            out[i] = gate[i] / (1.0f + exp_float(-gate[i])) * up[i];
    }
}

/* dgate_up may not be gate_up. With s = 1 / (1 + e^-gate): dgate = dact * up * s * (1 + gate * (1 - s)), dup = dact * gate * s. */
static void swiglu_bwd(float *dgate_up, const float *dact, const float *gate_up, int T)
{
#pragma omp for schedule(static)
    for (int t = 0; t < T; t++) {
        const float *gate = gate_up + (size_t)t * GATE_UP, *up = gate + INTERMEDIATE;
        const float *d = dact + (size_t)t * INTERMEDIATE;
        float *dgate = dgate_up + (size_t)t * GATE_UP, *dup = dgate + INTERMEDIATE;
#pragma omp simd
        for (int i = 0; i < INTERMEDIATE; i++) {
            float sigmoid = 1.0f / (1.0f + exp_float(-gate[i]));
            dgate[i] = d[i] * up[i] * sigmoid * (1.0f + gate[i] * (1.0f - sigmoid));
            dup[i] = d[i] * gate[i] * sigmoid;
        }
    }
}

#endif
