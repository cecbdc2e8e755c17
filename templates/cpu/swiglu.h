//@ local narrow = plan.compute_dtype == "bf16"
//@ local x_type = narrow and "bfloat16_t" or "float"
//@ local function load(element) return narrow and "bfloat16_to_float(" .. element .. ")" or element end
//@ local function store(value) return narrow and "float_to_bfloat16(" .. value .. ")" or value end
/* SwiGLU (Shazeer 2020): act = silu(gate) * up, silu(x) = x / (1 + e^-x).
 *
 * gate_up [T][GATE_UP]: a row is gate [INTERMEDIATE], then up [INTERMEDIATE]; act [T][INTERMEDIATE]. Memory-bound:
 * $((narrow and 6 or 12) * plan.model.intermediate_size) bytes per token forward, $((narrow and 10 or 20) * plan.model.intermediate_size) backward.
 */
#ifndef LORAC_SWIGLU_H
#define LORAC_SWIGLU_H

#include "exp.h"
#include "isa.h"
#include "shapes.h"

static void swiglu_fwd($(x_type) *act, const $(x_type) *gate_up, int T)
{
#pragma omp for schedule(static)
    for (int t = 0; t < T; t++) {
        const $(x_type) *gate = gate_up + (size_t)t * GATE_UP, *up = gate + INTERMEDIATE;
        $(x_type) *out = act + (size_t)t * INTERMEDIATE;
#pragma omp simd
//@ if narrow then
        for (int i = 0; i < INTERMEDIATE; i++) {
            float x = bfloat16_to_float(gate[i]);
            out[i] = float_to_bfloat16(x / (1.0f + exp_float(-x)) * bfloat16_to_float(up[i]));
        }
//@ else
        for (int i = 0; i < INTERMEDIATE; i++)
            out[i] = gate[i] / (1.0f + exp_float(-gate[i])) * up[i];
//@ end
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
$(wrap("static void " .. variant.symbol .. "(" .. x_type .. " *dgate_up, const " .. x_type .. " *dact, const " .. x_type .. " *gate_up, int T)"))
{
#pragma omp for schedule(static)
    for (int t = 0; t < T; t++) {
//@   if variant.gate then
        const $(x_type) *gate = gate_up + (size_t)t * GATE_UP, *up = gate + INTERMEDIATE;
//@   else
        const $(x_type) *gate = gate_up + (size_t)t * GATE_UP;
//@   end
        const $(x_type) *d = dact + (size_t)t * INTERMEDIATE;
//@   if variant.gate and variant.up then
        $(x_type) *dgate = dgate_up + (size_t)t * GATE_UP, *dup = dgate + INTERMEDIATE;
//@   elseif variant.gate then
        $(x_type) *dgate = dgate_up + (size_t)t * GATE_UP;
//@   else
        $(x_type) *dup = dgate_up + (size_t)t * GATE_UP + INTERMEDIATE;
//@   end
#pragma omp simd
        for (int i = 0; i < INTERMEDIATE; i++) {
//@   local x, dy = narrow and "x" or "gate[i]", narrow and "dy" or "d[i]"
//@   if narrow then
            float x = bfloat16_to_float(gate[i]), dy = bfloat16_to_float(d[i]);
//@   end
            float sigmoid = 1.0f / (1.0f + exp_float(-$(x)));
//@   if variant.gate then
            dgate[i] = $(store(dy .. " * " .. load("up[i]") .. " * sigmoid * (1.0f + " .. x .. " * (1.0f - sigmoid))"));
//@   end
//@   if variant.up then
            dup[i] = $(store(dy .. " * " .. x .. " * sigmoid"));
//@   end
        }
    }
}

//@ end
#endif
