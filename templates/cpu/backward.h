/* The backward pass, and only as much of it as some adapter needs: dx, the gradient of the residual stream, is led from the
 * last layer down to the lowest one that trains. No gradient of a frozen weight exists. Every function here is called by all
 * threads.
//@ if plan.cost.recompute_flops > 0 then
 *
 * What a layer has not kept is computed again just before it is read, by the same operations as in forward.h.
//@ end
 */
#ifndef LORAC_BACKWARD_H
#define LORAC_BACKWARD_H

#include "attention_backward.h"
#include "forward.h"

//@ for _, kind in ipairs(plan.kinds) do
//@   local b = kind.backward
//@   if kind.trains then
//@     local goes = kind.input_gradient and "dx goes on to the layer below" or "the lowest adapters: no gradient goes below"
/* $(comma(math.floor(b.flops / 1000))) kFLOP per token$(kind.recompute and ", and " .. comma(math.floor(kind.recompute_flops / 1000)) .. " again" or ""); $(goes). */
static void $(kind.name)_layer_bwd(struct device *s, int layer)
{
//@     if b.uses_weights then
    const struct layer_weights *w = &s->weights->layers[layer];
//@     end
//@     if b.uses_adapters then
    const struct $(kind.set)_adapters *a = s->layer_adapters[layer];
//@     end
//@     if b.uses_gradients then
    struct $(kind.set)_adapters *g = s->layer_gradients[layer];
//@     end
//@     if b.uses_norms then
    const struct $(kind.set)_norms *norms = s->layer_norms[layer];
//@     end
//@     if b.uses_saved then
    struct $(kind.name)_saved *keep = s->layer_saved[layer];
//@     end
    const int T = s->T;
//@     for _, v in ipairs(b.values) do
//@       if v.name == "x" then
    const float *x = s->input[layer];
//@       elseif v.name == "dx" then
    float *dx = s->dx;
//@       elseif v.name == "out" then
    float *out = s->input[layer + 1]; /* read no more: a place for what comes with it */
//@       elseif v.storage == "saved" then
    const $(v.type) *$(v.name) = keep->$(v.name);
//@       else
    $(v.type) *$(v.name) = $(v.place);
//@       end
//@     end

//@     for i, op in ipairs(b.operations) do
//@       if op.not_kept ~= "" then
//@         if i > 1 then

//@         end
    /* not kept: $(op.not_kept) */
//@       elseif op.goes_on then

//@       end
$(wrap("    " .. op.call))
//@     end
}

//@   end
//@ end
//@ if plan.final_gradient then
/* From the last layer's output, whose gradient the head has left in s->dx. */
static void backward(struct device *s)
{
//@ for i = #plan.runs, 1, -1 do
//@   local run = plan.runs[i]
//@   if run.trains then
//@     if run.first == run.last then
    $(run.kind)_layer_bwd(s, $(run.first));
//@     else
    for (int layer = $(run.last); layer >= $(run.first); layer--)
        $(run.kind)_layer_bwd(s, layer);
//@     end
//@   end
//@ end
//@ if plan.train_embedding then
    embedding_bwd(s->gradients->embed_tokens, s->dx, s->ids, s->T);
//@ end
}
//@ else
/* Nothing but the head trains, so no gradient goes below it. */
//@ end

#endif
