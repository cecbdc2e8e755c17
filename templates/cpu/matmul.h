/* Matrix products. First the core that every product of the model is an instance of, then the products themselves.
 *
 * C [M][N] = alpha * A B, three ways of storing A and B:
 *   matmul_nt   A [M][K], B as [N][K]     y = x W^T, with W as checkpoints store it
 *   matmul_nn   A [M][K], B [K][N]        dx = dy W
 *   matmul_tn   A as [K][M], B [K][N]     dW = dy^T x
 *
 * Called by all threads of a parallel region; a thread has its own part of C and brings its operands into the layout that the
 * arithmetic wants by itself, but for A on AMX, which all threads bring there together. An element of C is one chain of
 * multiply-adds in the order of k within a block, blocks being added in order, whichever tile it falls into: its bits depend neither
 * on the number of threads nor on M, N or its place.
 */
#ifndef LORAC_MATMUL_H
#define LORAC_MATMUL_H

#include "decode.h"
#include "product.h"
//@ if not plan.amx then
#include "tile_fma.h"
//@ elseif plan.compute_dtype == "f32" then
#include "tile_fma.h"
#if defined(__AMX_BF16__) || defined(AMX_EMULATED)
#    include "tile_amx.h"
#endif
//@ else
#if defined(__AMX_BF16__) || defined(AMX_EMULATED)
#    include "tile_amx.h"
#else
#    include "tile_fma.h"
#endif
//@ end
#include "tuned.h"

//@ local forms = { nt = { { false, false } }, nn = { { false, false } }, tn = { { false, false } } }
//@ if plan.narrow then
//@   forms.nt = { { true, true }, { true, false }, { false, false } }
//@   forms.nn = { { true, true }, { false, true }, { false, false } }
//@   forms.tn = { { false, true }, { false, false } }
//@ elseif plan.weight_dtype ~= "f32" then
//@   forms.nt = { { false, true }, { false, false } }
//@   forms.nn = forms.nt
//@ end
//@ local function form_name(kind, form)
//@   if plan.weight_dtype == "f32" then return "matmul_" .. kind .. "_floats" end
//@   local names = { [true] = "stored", [false] = "floats" }
//@   return "matmul_" .. kind .. "_" .. names[form[1]] .. "_" .. names[form[2]]
//@ end
/* The forms that there are, each compiled once for all sizes: what is fixed are the ways through packing. */
//@ for _, kind in ipairs { "nt", "nn", "tn" } do
//@   for _, form in ipairs(forms[kind]) do
NOINLINE void $(form_name(kind, form))(struct product p)
{
    p.a.transposed = $(kind == "tn"), p.b.transposed = $(kind == "nt");
//@     if plan.weight_dtype ~= "f32" then
    p.a.stored = $(form[1]), p.b.stored = $(form[2]);
//@     end
//@     if plan.amx and (plan.compute_dtype ~= "f32" or form[2]) then
#if defined(__AMX_BF16__) || defined(AMX_EMULATED)
    amx_matmul(p);
#else
    fma_matmul(p);
#endif
//@     else
    fma_matmul(p);
//@     end
}

//@   end
//@ end
//@ local headers = {
//@   nt = "/* C [M][N] = alpha A [M][K] B^T (+ bias) (+ residual), B [N][K]. */",
//@   nn = "/* C [M][N] = alpha A [M][K] B, B [K][N]. */",
//@   tn = "/* C [M][N] = alpha A^T B, A [K][M], B [K][N]: a sum over K tokens, in blocks of one depth whatever their number. */",
//@ }
//@ for _, kind in ipairs { "nt", "nn", "tn" } do
//@   local extra = kind == "nt" and ", const float *bias, const float *residual" or ""
//@   local given = kind == "nt" and "bias, residual" or "NULL, NULL"
//@   local suffix = kind ~= "tn" and "_cut" or ""
$(headers[kind])
$(wrap("ALWAYS_INLINE void matmul_" .. kind .. suffix .. "(struct result c, struct operand a, struct operand b, int M, int N, int K, float alpha, bool accumulate" .. extra .. (kind ~= "tn" and ", struct cut cut" or "") .. ")"))
{
    const struct product p = {c, a, b, M, N, K, 0, alpha, accumulate, $(given), $(kind ~= "tn" and "cut" or "CUTS[0]")};
//@   local list, otherwise = forms[kind], ""
//@   for i, form in ipairs(list) do
//@     local condition = {}
//@     if form[1] then condition[1] = "a.stored" end
//@     if form[2] then condition[#condition + 1] = "b.stored" end
//@     if i < #list then
    $(otherwise)if ($(table.concat(condition, " && ")))
        $(form_name(kind, form))(p);
//@       otherwise = "else "
//@     elseif i > 1 then
    else
        $(form_name(kind, form))(p);
//@     else
    $(form_name(kind, form))(p);
//@     end
//@   end
}

//@   if kind ~= "tn" then
/* The same, cut as it always is. */
$(wrap("ALWAYS_INLINE void matmul_" .. kind .. "(struct result c, struct operand a, struct operand b, int M, int N, int K, float alpha, bool accumulate" .. extra .. ")"))
{
    matmul_$(kind)_cut(c, a, b, M, N, K, alpha, accumulate$(kind == "nt" and ", bias, residual" or ""), CUTS[0]);
}

//@   end
//@ end
/* ---- this model's products ---- */

/* `tuned` says how they are cut and is told how long they take (tuned.h); NULL: as always, nothing. */

//@ for _, p in ipairs(plan.products) do
//@   local symbol = "matmul_" .. p.name
//@   local fwd, bwd, dw, decode = symbol .. "_fwd", symbol .. "_bwd", symbol .. "_dw", symbol .. "_decode"
//@   local type = p.weight_gradient and "float" or "weight_t"
//@   local weights = p.weight_gradient and "floats" or "stored"
//@   local weight_bytes = (p.weight_gradient or plan.weight_dtype == "f32") and 4 or 2
//@   local decode_kind = p.weight_gradient and "decode_floats" or "decode_weights"
//@   local extra = (p.bias and ", const float *bias" or "") .. (p.residual and ", const float *residual" or "")
//@   local given = (p.bias and "bias" or "NULL") .. ", " .. (p.residual and "residual" or "NULL")
//@   local plus = (p.bias and " + bias" or "") .. (p.residual and " + residual" or "")
/* y [T][$(p.N_name)] = x [T][$(p.K_name)] W^T$(plus), W [$(p.N_name)][$(p.K_name)]; $(comma(p.flops)) FLOP
 * and $(comma(bytes_of(p.y_type) * p.N + bytes_of(plan.x_type) * p.K)) bytes a token beside W's $(comma(p.N * p.K * weight_bytes)): bound by arithmetic from some tens of tokens on, by reading W below. */
$(wrap("NOINLINE void " .. fwd .. "(" .. p.y_type .. " *y, const " .. plan.x_type .. " *x, const " .. type .. " *w" .. extra .. ", int T, struct tuned *tuned)"))
{
    const struct turn turn = turn_begin(tuned, $(p.name:upper())_FWD, T);
$(wrap("    matmul_nt_cut(" .. result_of(p.y_type) .. "(y, " .. p.N_name .. "), " .. operand_of(plan.x_type) .. "(x, " .. p.K_name .. "), " .. weights .. "(w, " .. p.K_name .. "), T, " .. p.N_name .. ", " .. p.K_name .. ", 1, false, " .. given .. ", CUTS[turn.variant]);"))
    turn_end(turn);
}

//@   if p.backward then
/* dx [T][$(p.K_name)] = dy [T][$(p.N_name)] W; FLOP and bytes are those of y. */
$(wrap("NOINLINE void " .. bwd .. "(" .. p.dx_type .. " *dx, const " .. p.y_type .. " *dy, const " .. type .. " *w, int T, struct tuned *tuned)"))
{
    const struct turn turn = turn_begin(tuned, $(p.name:upper())_BWD, T);
$(wrap("    matmul_nn_cut(" .. result_of(p.dx_type) .. "(dx, " .. p.K_name .. "), " .. operand_of(p.y_type) .. "(dy, " .. p.N_name .. "), " .. weights .. "(w, " .. p.K_name .. "), T, " .. p.K_name .. ", " .. p.N_name .. ", 1, false, CUTS[turn.variant]);"))
    turn_end(turn);
}

//@   end
//@   if p.weight_gradient then
/* dW [$(p.N_name)][$(p.K_name)] += dy^T x; $(comma(p.flops)) FLOP a token. */
NOINLINE void $(dw)(float *dw, const float *dy, const $(plan.x_type) *x, int T)
{
$(wrap("    matmul_tn(to_floats(dw, " .. p.K_name .. "), floats(dy, " .. p.N_name .. "), " .. operand_of(plan.x_type) .. "(x, " .. p.K_name .. "), " .. p.N_name .. ", " .. p.K_name .. ", T, 1, true);"))
}

//@   end
/* y [M][$(p.N_name)] = x [M][$(p.K_name)] W^T$(plus) for M from 1 to DECODE_ROWS rows: reads W once, bound by that. */
$(wrap("static void " .. decode .. "(" .. p.y_type .. " *y, const " .. plan.x_type .. " *x, const " .. type .. " *w" .. extra .. ", int M)"))
{
$(wrap("    " .. decode_kind .. "(" .. result_of(p.y_type) .. "(y, " .. p.N_name .. "), " .. operand_of(plan.x_type) .. "(x, " .. p.K_name .. "), w, " .. given .. ", M, " .. p.N_name .. ", " .. p.K_name .. ");"))
}

//@ end
#endif
