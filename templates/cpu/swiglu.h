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

//@ for _, variant in ipairs(plan.gradients.swiglu) do
//@   if variant.gate and variant.up then
/* dgate_up may not be gate_up. With s = 1 / (1 + e^-gate): dgate = dact * up * s * (1 + gate * (1 - s)), dup = dact * gate * s. */
//@   elseif variant.gate then
/* Of dgate_up only dgate = dact * up * s * (1 + gate * (1 - s)), with s = 1 / (1 + e^-gate). */
//@   else
/* Of dgate_up only dup = dact * gate * s, with s = 1 / (1 + e^-gate). */
//@   end
static void $(variant.symbol)(float *dgate_up, const float *dact, const float *gate_up, int T)
{
#pragma omp for schedule(static)
    for (int t = 0; t < T; t++) {
//@   if variant.gate then
        const float *gate = gate_up + (size_t)t * GATE_UP, *up = gate + INTERMEDIATE;
//@   else
        const float *gate = gate_up + (size_t)t * GATE_UP;
//@   end
        const float *d = dact + (size_t)t * INTERMEDIATE;
//@   if variant.gate and variant.up then
        float *dgate = dgate_up + (size_t)t * GATE_UP, *dup = dgate + INTERMEDIATE;
//@   elseif variant.gate then
        float *dgate = dgate_up + (size_t)t * GATE_UP;
//@   else
        float *dup = dgate_up + (size_t)t * GATE_UP + INTERMEDIATE;
//@   end
#pragma omp simd
        for (int i = 0; i < INTERMEDIATE; i++) {
            float sigmoid = 1.0f / (1.0f + exp_float(-gate[i]));
//@   if variant.gate then
            dgate[i] = d[i] * up[i] * sigmoid * (1.0f + gate[i] * (1.0f - sigmoid));
//@   end
//@   if variant.up then
            dup[i] = d[i] * gate[i] * sigmoid;
//@   end
        }
    }
}

//@ end
#endif
