/* Generation: T new tokens behind the `length` whose keys and values lie in the caches. Prompts come in chunks of PROMPT_ROWS;
 * a few tokens at a time go through kernels that read each weight once. Every function here is called by all threads.
 */
#ifndef LORAC_GENERATE_H
#define LORAC_GENERATE_H

#include "state.h"

//@ for _, p in ipairs(plan.products) do
//@   if p.name ~= "lm_head" then
//@     local parameters = p.y_type .. " *y, const " .. plan.x_type .. " *x, const weight_t *w" .. (p.bias and ", const float *bias" or "") .. (p.residual and ", const float *residual" or "") .. ", int T, struct tuned *tuned"
//@     local arguments = "y, x, w" .. (p.bias and ", bias" or "") .. (p.residual and ", residual" or "") .. ", T"
$(wrap("static void matmul_" .. p.name .. "_extend(" .. parameters .. ")"))
{
    if (T <= DECODE_ROWS)
        matmul_$(p.name)_decode($(arguments));
    else
        matmul_$(p.name)_fwd($(arguments), tuned);
}

//@   end
//@ end
//@ for _, l in ipairs(plan.loras) do
//@   if not l.name:find("_lowest$") and l.slot ~= "lm_head" then
//@     local z = l.dora and "float *z, " or ""
//@     local dropped = l.dropout > 0 and not l.thin and plan.x_type .. " *dropped, " or ""
//@     local dora = l.dora and ", const weight_t *w, const float *magnitude, const float *norm" or ""
//@     local parameters = l.y_type .. " *y, int ldy, float *u, " .. z .. "const " .. plan.x_type .. " *x, " .. dropped .. "const float *a, const float *bt" .. dora .. ", int T"
//@     local seen = (l.dora and "z, " or "") .. "x, " .. (l.dropout > 0 and not l.thin and "dropped, " or "")
//@     local weight = l.dora and ", w, magnitude, norm" or ""
$(wrap("static void lora_" .. l.name .. "_extend(" .. parameters .. ")"))
{
    if (T <= DECODE_ROWS) {
$(wrap("        lora_" .. l.name .. "_decode(y, ldy, x, a, bt" .. weight .. ", T);"))
        return;
    }
//@     if l.dropout > 0 then
    const struct dropout none = {.active = false};
//@     end
$(wrap("    lora_" .. l.name .. "_fwd(y, ldy, u, " .. seen .. "a, bt" .. weight .. (l.dropout > 0 and ", &none" or "") .. ", T);"))
}

//@   end
//@ end
//@ for _, e in ipairs(plan.extends) do
//@   local f = e.forward
static void $(e.name)_layer_extend(struct device *s, int layer)
{
    const struct layer_weights *w = &s->weights->layers[layer];
//@   if f.uses_adapters then
    const struct $(e.set)_adapters *a = s->layer_adapters[layer];
//@   end
//@   if f.uses_norms then
    const struct $(e.set)_norms *norms = s->layer_norms[layer];
//@   end
    const int T = s->T;
//@   for _, v in ipairs(f.values) do
//@     if v.name == "x" then
    const float *x = s->input[layer];
//@     elseif v.name == "out" then
    float *out = s->input[layer + 1];
//@     else
    $(v.type) *$(v.name) = $(v.place);
//@     end
//@   end

//@   local grouped = false
//@   for i, op in ipairs(f.operations) do
//@     local following = f.operations[i + 1]
//@     local braces = op.adapter and (following and following.adapter or grouped)
//@     if op.adapter and not grouped then
    if (s->with_adapters)$(braces and " {" or "")
//@     end
$(wrap((op.adapter and "        " or "    ") .. op.call))
//@     grouped = braces and following and following.adapter
//@     if braces and not grouped then
    }
//@     end
//@   end
}

//@ end
/* The logits [VOCAB] behind the last of the T tokens. */
static void head_extend(struct device *s, float *logits)
{
//@ local h = plan.head.forward
//@ if h.uses_adapters then
    const struct adapters *a = s->adapters;
//@ end
//@ if h.uses_norms then
    const struct norms *norms = s->norms;
//@ end
    $(plan.x_type) *normed = $(plan.x_type == "float" and "s->scratch" or "(bfloat16_t *)s->scratch");

    normed = rmsnorm_extend(normed, s->input[LAYERS] + (size_t)(s->T - 1) * HIDDEN, s->weights->norm, 1);
    matmul_lm_head_decode(logits, normed, head_weight(s), 1);
//@ if plan.head.lora then
//@   local dora = plan.dora and ", head_weight(s), a->lm_head_magnitude, norms->lm_head" or ""
    if (s->with_adapters)
        lora_$(plan.head.lora.kernel)_decode(logits, VOCAB, normed, a->lm_head_A, a->lm_head_B$(dora), 1);
//@ end
}

/* From token ids to the caches and, where logits is not NULL, to the logits behind the last token. */
static void extend_rows(struct device *s, float *logits)
{
//@ if plan.train_embedding then
    embedding_trained_fwd(s->input[0], s->adapters->embed_tokens, s->ids, s->T);
//@ else
    embedding_fwd(s->input[0], s->weights->embed_tokens, s->ids, s->T);
//@ end
//@ for _, run in ipairs(plan.runs) do
//@   if run.first == run.last then
    $(run.extend)_layer_extend(s, $(run.first));
//@   else
    for (int layer = $(run.first); layer <= $(run.last); layer++)
        $(run.extend)_layer_extend(s, layer);
//@   end
//@ end
    if (logits)
        head_extend(s, logits);
}

#endif
