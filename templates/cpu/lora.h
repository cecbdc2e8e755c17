/* Adapters: the low-rank update of each kind of adapted linear, forward and backward (Hu et al. 2021).
 *
//@ if plan.dropout then
 *   u = scaling * x' A^T          x' is x behind dropout          y += u Bt
 *   dBt += u^T dy,   du = scaling * dy Bt^T,   dA += du^T x',   dx += mask / keep * (du A)
//@ else
 *   u = scaling * x A^T,   y += u Bt
 *   dBt += u^T dy,   du = scaling * dy Bt^T,   dA += du^T x,   dx += du A
//@ end
 *
 * T tokens are rows; x, dx [T][in], y, dy [T][..] with row strides ldy (a slice of q, k and v's common output), u, du
 * [T][r]; A is lora_A [r][in], Bt is lora_B transposed, [r][out]. Gradients by adapters are added to what is there.
//@ if plan.dropout then
 * `dropped` is scratch [T][in] (which masks take less of, where they are kept instead). In evaluation (dropout->active false) x' is x.
//@ end
 *
 * A token's row takes few operations for each number that is read of it: memory-bound, by x and y, as long as r is below some tens.
//@ if plan.dora then
 *
 * DoRA (Liu et al. 2024, as PEFT does it): the columns of W + scaling B A are brought to the trained length `magnitude`,
 * g = magnitude / norm, norm being the present length, through which no gradient flows. With z = x' W^T + u Bt
 *
 *   y += g * z - x' W^T
 *   dmagnitude += sum over t of dy * z / norm,   dz = g * dy takes dy's place above,
 *   dx += mask / keep * ((g - 1) * dy W)   beside what flows through A
 *
 * where y has had x W^T (+ bias) before and dx gets dy W from that product. z, dz [T][out] (z is kept from the forward to the
 * backward pass, dz is scratch); W [out][in] is the module's own rows of a stacked weight; norm, magnitude [out].
//@ end
 */
#ifndef LORAC_LORA_H
#define LORAC_LORA_H

//@ if plan.dropout then
#include "dropout.h"
//@ end
#include "isa.h"
//@ if plan.thin then
#include "lora_thin.h"
//@ end
#include "matmul.h"
#include "shapes.h"
//@ if plan.dora then

#include <math.h>
//@ end

//@ if #plan.loras > 0 then
//@   if not plan.dora then
enum { LORA_DECODE_COLUMNS = 64 };

//@   end
/* u [M][r] = scaling * x A^T for at most DECODE_ROWS rows. Every thread computes all of it, which saves a meeting of threads. */
$(wrap("ALWAYS_INLINE void lora_decode_inner(float *u, struct operand x, const float *a, float scaling, int in, int r, int M)"))
{
    for (int m = 0; m < M; m++)
        for (int j = 0; j < r; j++) {
            vec sum = {0};
            int k = 0;
            for (; k + VL <= in; k += VL)
                sum = vec_fma(vec_load(a + (size_t)j * in + k), operand_load(x, m, k, VL), sum);
            float value = vec_sum(sum);
            for (; k < in; k++)
                value += a[(size_t)j * in + k] * operand_element(x, m, k);
            u[m * r + j] = scaling * value;
        }
}

//@   if plan.dora then
/* norm [out] = length of each row of W + scaling B A. */
ALWAYS_INLINE void dora_norm(float *norm, const weight_t *w, const float *a, const float *bt, float scaling, int in,
                             int out, int r)
{
#pragma omp for schedule(static)
    for (int n = 0; n < out; n++) {
        float row[2048], squares = 0;
        for (int first = 0; first < in; first += 2048) {
            int count = in - first < 2048 ? in - first : 2048;
            memset(row, 0, sizeof row);
            for (int j = 0; j < r; j++) {
                float b = scaling * bt[(size_t)j * out + n];
                for (int k = 0; k < count; k++)
                    row[k] += b * a[(size_t)j * in + first + k];
            }
            for (int k = 0; k < count; k++)
                row[k] += weight_to_float(w[(size_t)n * in + first + k]);
            vec sum = {0};
            for (int k = 0; k < 2048; k += VL)
                sum = vec_fma(vec_load(row + k), vec_load(row + k), sum);
            squares += vec_sum(sum);
        }
        norm[n] = sqrtf(squares);
    }
}

/* y += g * z, or -= z where g is not wanted (magnitude NULL). */
ALWAYS_INLINE void dora_add(struct result y, const float *z, const float *magnitude, const float *norm, int out, int T)
{
#pragma omp for schedule(static)
    for (int t = 0; t < T; t++)
        for (int n = 0; n < out; n++) {
            float factor = magnitude ? magnitude[n] / norm[n] : -1;
            result_set(y, t, n, result_element(y, t, n) + factor * z[(size_t)t * out + n]);
        }
}

/* dz = (g - less) * dy. */
ALWAYS_INLINE void dora_scale(float *dz, struct operand dy, const float *magnitude, const float *norm, float less,
                              int out, int T)
{
#pragma omp for schedule(static)
    for (int t = 0; t < T; t++)
        for (int n = 0; n < out; n++)
            dz[(size_t)t * out + n] = (magnitude[n] / norm[n] - less) * operand_element(dy, t, n);
}

/* dmagnitude [out] += sum over t of dy * z / norm. */
ALWAYS_INLINE void dora_magnitude_bwd(float *dmagnitude, struct operand dy, const float *z, const float *norm, int out,
                                      int T)
{
#pragma omp for schedule(static)
    for (int first = 0; first < out; first += VL) {
        int count = out - first < VL ? out - first : VL;
        float sum[VL] = {0};
        for (int t = 0; t < T; t++)
            for (int n = 0; n < count; n++)
                sum[n] += operand_element(dy, t, first + n) * z[(size_t)t * out + first + n];
        for (int n = 0; n < count; n++)
            dmagnitude[first + n] += sum[n] / norm[first + n];
    }
}

//@   end
//@ end
//@ local function call(indent, name, ...) return wrap(indent .. name .. "(" .. table.concat({ ... }, ", ") .. ");") end
//@ for _, l in ipairs(plan.loras) do
//@   local lowest = l.name:find("_lowest$")
//@   local symbol = "lora_" .. l.name
//@   local fwd, bwd, decode, norm = symbol .. "_fwd", symbol .. "_bwd", symbol .. "_decode", "dora_" .. l.name .. "_norm"
//@   local drop = l.dropout > 0
//@   local scratch = drop and ", " .. plan.x_type .. " *dropped" or ""
//@   local random = drop and ", const struct dropout *dropout" or ""
//@   local z = l.dora and ", float *z" or ""
//@   local weight = l.dora and ", const weight_t *w, const float *magnitude, const float *norm" or ""
//@   local norms = l.dora and ", const float *magnitude, const float *norm" or ""
//@   local input, output, rank, scaling = l.in_name, l.out_name, l.r_name, l.scaling_name
//@   local x = "const " .. plan.x_type .. " *x"
//@   local seen = operand_of(plan.x_type) .. "(" .. (drop and "seen" or "x") .. ", " .. input .. ")"
//@   local y, dy = result_of(l.y_type) .. "(y, ldy)", operand_of(l.y_type) .. "(dy, ldy)"
//@   local sent = l.dora and "floats(dz, " .. output .. ")" or dy
//@   local a, bt, w = "floats(a, " .. input .. ")", "floats(bt, " .. output .. ")", "stored(w, " .. input .. ")"
//@   local bytes = bytes_of(plan.x_type) * l["in"] + 2 * bytes_of(l.y_type) * l.out + 4 * l.r
//@   if not lowest then
/* r = $(l.r_name) beside W [$(l.out_name)][$(l.in_name)]: $(comma(2 * l.r * (l["in"] + l.out))) FLOP and $(comma(bytes)) bytes a token$(l.dora and ", and W's again" or ""). */
$(wrap("NOINLINE void " .. fwd .. "(" .. l.y_type .. " *y, int ldy, float *u" .. z .. ", " .. x .. (l.thin and "" or scratch) .. ", const float *a, const float *bt" .. weight .. random .. ", int T)"))
{
//@     if l.thin then
    const struct thin adapter = {a, bt, $(scaling), $(input), $(output), $(rank), T$(drop and ", dropout" or "")};
    thin_fwd($(y), u, $(operand_of(plan.x_type))(x, $(input)), adapter);
}

//@     else
//@     if drop then
    const $(plan.x_type) *seen = x;
    if (dropout->active) {
        dropout_rows(dropped, x, dropout, $(input), T);
        seen = dropped;
    }
//@     end
$(call("    ", "matmul_nt", "to_floats(u, " .. rank .. ")", seen, a, "T", rank, input, scaling, "false", "NULL", "NULL"))
//@     if l.dora then
$(call("    ", "matmul_nt", "to_floats(z, " .. output .. ")", seen, w, "T", output, input, 1, "false", "NULL", "NULL"))
    dora_add($(y), z, NULL, NULL, $(output), T);
$(call("    ", "matmul_nn", "to_floats(z, " .. output .. ")", "floats(u, " .. rank .. ")", bt, "T", output, rank, 1, "true"))
    dora_add($(y), z, magnitude, norm, $(output), T);
//@     else
$(call("    ", "matmul_nn", y, "floats(u, " .. rank .. ")", bt, "T", output, rank, 1, "true"))
//@     end
}

//@     end
//@   end
//@   local dx = l.input_gradient and l.dx_type .. " *dx, " or ""
//@   local dmagnitude = l.dora and ", float *dmagnitude" or ""
//@   local kept = l.dora and ", const float *z" or ""
//@   local dz = l.dora and ", float *dz" or ""
//@   local back = bytes_of(plan.x_type) * l["in"] + (l.input_gradient and 2 * bytes_of(l.dx_type) * l["in"] or 0) + bytes_of(l.y_type) * l.out + 8 * l.r
/* $(comma(2 * l.r * ((l.input_gradient and 2 or 1) * l["in"] + 2 * l.out))) FLOP and $(comma(back)) bytes a token$(l.input_gradient and "" or ": nothing below needs dx")$(l.dora and "; W's own product is needed for dx alone" or ""). */
$(wrap("NOINLINE void " .. bwd .. "(" .. dx .. "float *da, float *dbt" .. dmagnitude .. ", const " .. l.y_type .. " *dy, int ldy, const float *u" .. kept .. ", " .. x .. scratch .. (l.input_gradient and ", const float *a" or "") .. ", const float *bt, float *du" .. dz .. (l.input_gradient and weight or norms) .. random .. ", int T)"))
{
//@   if l.thin then
//@     local given = l.input_gradient and "a" or "NULL"
    const struct thin adapter = {$(given), bt, $(scaling), $(input), $(output), $(rank), T$(drop and ", dropout" or "")};
//@     if l.input_gradient then
    const struct result to = $(result_of(l.dx_type))(dx, $(input));
//@     end
    thin_bwd($(l.input_gradient and "&to" or "NULL"), da, dbt, $(dy), u, $(operand_of(plan.x_type))(x, $(input)), $(drop and "(uint16_t *)dropped" or "NULL"), du, adapter);
}

//@   else
//@   if l.dora then
    dora_magnitude_bwd(dmagnitude, $(dy), z, norm, $(output), T);
    dora_scale(dz, $(dy), magnitude, norm, 0, $(output), T);
//@   end
$(call("    ", "matmul_tn", "to_floats(dbt, " .. output .. ")", "floats(u, " .. rank .. ")", sent, rank, output, "T", 1, "true"))
$(call("    ", "matmul_nt", "to_floats(du, " .. rank .. ")", sent, bt, "T", rank, output, scaling, "false", "NULL", "NULL"))
//@   if drop then
    const $(plan.x_type) *seen = x;
    if (dropout->active) {
        dropout_rows(dropped, x, dropout, $(input), T);
        seen = dropped;
    }
//@   end
$(call("    ", "matmul_tn", "to_floats(da, " .. input .. ")", "floats(du, " .. rank .. ")", seen, rank, input, "T", 1, "true"))
//@   if l.input_gradient then
//@     if l.dora then
    dora_scale(dz, $(dy), magnitude, norm, 1, $(output), T);
//@     end
//@     if drop then
    if (dropout->active) {
$(call("        ", "matmul_nn", result_of(plan.x_type) .. "(dropped, " .. input .. ")", "floats(du, " .. rank .. ")", a, "T", input, rank, 1, "false"))
//@       if l.dora then
$(call("        ", "matmul_nn", result_of(plan.x_type) .. "(dropped, " .. input .. ")", "floats(dz, " .. output .. ")", w, "T", input, output, 1, "true"))
//@       end
        dropout_add_$(l.dx_type == "float" and "floats" or "bfloat16s")(dx, dropped, dropout, $(input), T);
        return;
    }
//@     end
$(call("    ", "matmul_nn", result_of(l.dx_type) .. "(dx, " .. input .. ")", "floats(du, " .. rank .. ")", a, "T", input, rank, 1, "true"))
//@     if l.dora then
$(call("    ", "matmul_nn", result_of(l.dx_type) .. "(dx, " .. input .. ")", "floats(dz, " .. output .. ")", w, "T", input, output, 1, "true"))
//@     end
//@   end
}

//@   end
//@   if not lowest then
/* y [M] rows += the adapter's part for x [M][$(l.in_name)], M from 1 to DECODE_ROWS. */
$(wrap("static void " .. decode .. "(" .. l.y_type .. " *y, int ldy, " .. x .. ", const float *a, const float *bt" .. weight .. ", int M)"))
{
    float u[DECODE_ROWS * $(l.r_name)];
    const struct operand rows = $(operand_of(plan.x_type))(x, $(input));
    const struct result to = $(y);
    const int threads = omp_get_num_threads();
    lora_decode_inner(u, rows, a, $(scaling), $(input), $(rank), M);
#pragma omp for schedule(static)
    for (int part = 0; part < threads; part++) {
        int first = (int)((int64_t)$(output) * part / threads);
        int last = (int)((int64_t)$(output) * (part + 1) / threads);
        for (int m = 0; m < M; m++) {
//@     if l.dora then
            for (int n = first; n < last; n++) {
                const struct operand row = {w + (size_t)n * $(input), $(input), true, true};
                struct operand of_x = rows;
                float base, update = 0;
                of_x.data = x + (size_t)m * $(input);
                decode_rows((struct decode_end){to_floats(&base, 0), NULL, NULL}, of_x, row, 0, $(input), 1, 1);
                for (int j = 0; j < $(rank); j++)
                    update += u[m * $(rank) + j] * bt[(size_t)j * $(output) + n];
                result_set(to, m, n, result_element(to, m, n) + magnitude[n] / norm[n] * (base + update) - base);
            }
//@     else
            for (int n = first; n < last; n += LORA_DECODE_COLUMNS) {
                const int count = last - n < LORA_DECODE_COLUMNS ? last - n : LORA_DECODE_COLUMNS;
                float update[LORA_DECODE_COLUMNS] = {0};
                for (int j = 0; j < $(rank); j++)
                    for (int i = 0; i < count; i++)
                        update[i] += u[m * $(rank) + j] * bt[(size_t)j * $(output) + n + i];
                for (int i = 0; i < count; i++)
                    result_set(to, m, n + i, result_element(to, m, n + i) + update[i]);
            }
//@     end
        }
    }
}

//@     if l.dora then
/* norm [$(l.out_name)] = row norms of W + scaling B A. */
static void $(norm)(float *norm, const weight_t *w, const float *a, const float *bt)
{
    dora_norm(norm, w, a, bt, $(l.scaling_name), $(l.in_name), $(l.out_name), $(l.r_name));
}

//@     end
//@   end
//@ end
#endif
