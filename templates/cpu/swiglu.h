/* SwiGLU (Shazeer 2020): act = silu(gate) * up, silu(x) = x / (1 + e^-x).
 *
 * gate_up [T][GATE_UP]: a row is gate [INTERMEDIATE], then up [INTERMEDIATE]; act [T][INTERMEDIATE]. Memory-bound:
 * $((plan.narrow and 6 or 12) * plan.model.intermediate_size) bytes per token forward, $((plan.narrow and 10 or 20) * plan.model.intermediate_size) backward.
 */
#ifndef LORAC_SWIGLU_H
#define LORAC_SWIGLU_H

#include "exp.h"
#include "isa.h"
#include "own_rows.h"
#include "shapes.h"

/* Row t of act. */
ALWAYS_INLINE void swiglu_row($(plan.x_type) *act, const $(plan.x_type) *gate_up, int t)
{
    const $(plan.x_type) *gate = gate_up + (size_t)t * GATE_UP, *up = gate + INTERMEDIATE;
    $(plan.x_type) *out = act + (size_t)t * INTERMEDIATE;
#pragma omp simd
//@ if plan.narrow then
    for (int i = 0; i < INTERMEDIATE; i++) {
        float x = bfloat16_to_float(gate[i]);
        out[i] = float_to_bfloat16(x / (1.0f + exp_float(-x)) * bfloat16_to_float(up[i]));
    }
//@ else
    for (int i = 0; i < INTERMEDIATE; i++)
        out[i] = gate[i] / (1.0f + exp_float(-gate[i])) * up[i];
//@ end
}

static void swiglu_fwd($(plan.x_type) *act, const $(plan.x_type) *gate_up, int T)
{
#pragma omp for schedule(static)
    for (int t = 0; t < T; t++)
        swiglu_row(act, gate_up, t);
}

/* Generation: act [PROMPT_ROWS][INTERMEDIATE]; returns the T rows of act that this thread goes on with (own_rows.h). */
static $(plan.x_type) *swiglu_extend($(plan.x_type) *act, const $(plan.x_type) *gate_up, int T)
{
    if (rows_are_own(T)) {
        act += own_rows(T) * INTERMEDIATE;
        for (int t = 0; t < T; t++)
            swiglu_row(act, gate_up, t);
        return act;
    }
    swiglu_fwd(act, gate_up, T);
    return act;
}

//@ for _, variant in ipairs(plan.gradients.swiglu) do
//@   if variant.gate and variant.up then
/* dgate_up may not be gate_up. With s = 1 / (1 + e^-gate): dgate = dact * up * s * (1 + gate * (1 - s)), dup = dact * gate * s. */
//@   elseif variant.gate then
/* Of dgate_up only dgate = dact * up * s * (1 + gate * (1 - s)), with s = 1 / (1 + e^-gate). */
//@   else
/* Of dgate_up only dup = dact * gate * s, with s = 1 / (1 + e^-gate). */
//@   end
$(wrap("static void " .. variant.symbol .. "(" .. plan.x_type .. " *dgate_up, const " .. plan.x_type .. " *dact, const " .. plan.x_type .. " *gate_up, int T)"))
{
#pragma omp for schedule(static)
    for (int t = 0; t < T; t++) {
//@   if variant.gate then
        const $(plan.x_type) *gate = gate_up + (size_t)t * GATE_UP, *up = gate + INTERMEDIATE;
//@   else
        const $(plan.x_type) *gate = gate_up + (size_t)t * GATE_UP;
//@   end
        const $(plan.x_type) *d = dact + (size_t)t * INTERMEDIATE;
//@   if variant.gate and variant.up then
        $(plan.x_type) *dgate = dgate_up + (size_t)t * GATE_UP, *dup = dgate + INTERMEDIATE;
//@   elseif variant.gate then
        $(plan.x_type) *dgate = dgate_up + (size_t)t * GATE_UP;
//@   else
        $(plan.x_type) *dup = dgate_up + (size_t)t * GATE_UP + INTERMEDIATE;
//@   end
#pragma omp simd
        for (int i = 0; i < INTERMEDIATE; i++) {
//@   local x, dy = plan.narrow and "x" or "gate[i]", plan.narrow and "dy" or "d[i]"
//@   if plan.narrow then
            float x = bfloat16_to_float(gate[i]), dy = bfloat16_to_float(d[i]);
//@   end
            float sigmoid = 1.0f / (1.0f + exp_float(-$(x)));
//@   if variant.gate then
            dgate[i] = $(store_as(plan.x_type, dy .. " * " .. load_as(plan.x_type, "up[i]") .. " * sigmoid * (1.0f + " .. x .. " * (1.0f - sigmoid))"));
//@   end
//@   if variant.up then
            dup[i] = $(store_as(plan.x_type, dy .. " * " .. x .. " * sigmoid"));
//@   end
        }
    }
}

//@ end
#endif
