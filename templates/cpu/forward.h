/* The forward pass: T tokens in S segments, end to end, nothing padded. Every function here is called by all threads.
 *
//@ for _, kind in ipairs(plan.kinds) do
//@   local note = not kind.trains and "nothing is kept: no gradient reaches them" or #kind.saved == 0 and "only the input is kept for the backward pass" or comma(kind.saved_bytes) .. " bytes per token are kept for the backward pass"
 * $(kind.count) $(kind.name) layer$(kind.count == 1 and "" or "s"): $(note).
//@ end
 */
#ifndef LORAC_FORWARD_H
#define LORAC_FORWARD_H

#include "state.h"

//@ for _, kind in ipairs(plan.kinds) do
//@   local f = kind.forward
/* $(comma(math.floor(f.flops / 1000))) kFLOP per token. */
static void $(kind.name)_layer_fwd(struct device *s, int layer)
{
    const struct layer_weights *w = &s->weights->layers[layer];
//@   if f.uses_adapters then
    const struct $(kind.set)_adapters *a = s->layer_adapters[layer];
//@   end
//@   if f.uses_norms then
    const struct $(kind.set)_norms *norms = s->layer_norms[layer];
//@   end
//@   if f.uses_saved then
    struct $(kind.name)_saved *keep = s->layer_saved[layer];
//@   end
    const int T = s->T;
//@   for _, v in ipairs(f.values) do
//@     if v.name == "x" then
    const float *x = s->input[layer];
//@     elseif v.name == "out" then
    float *out = s->input[layer + 1];
//@     elseif v.storage == "saved" then
    $(v.type) *$(v.name) = keep->$(v.name);
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
/* From token ids to what leaves the last layer. */
static void forward(struct device *s)
{
//@ if plan.train_embedding then
    embedding_trained_fwd(s->input[0], s->adapters->embed_tokens, s->ids, s->T);
//@ else
    embedding_fwd(s->input[0], s->weights->embed_tokens, s->ids, s->T);
//@ end
//@ for _, run in ipairs(plan.runs) do
//@   if run.first == run.last then
    $(run.kind)_layer_fwd(s, $(run.first));
//@   else
    for (int layer = $(run.first); layer <= $(run.last); layer++)
        $(run.kind)_layer_fwd(s, layer);
//@   end
//@ end
}

#endif
