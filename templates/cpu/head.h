/* Final norm, output head and loss, for the rows whose label is trained and for HEAD_ROWS of them at a time: the logits of a
 * whole batch never exist. Every function here is called by all threads.
 */
#ifndef LORAC_HEAD_H
#define LORAC_HEAD_H

#include "state.h"

//@ local forward, backward = plan.head.forward, plan.head.backward
//@ if plan.final_gradient then
static void clear_rows(float *x, int T)
{
#pragma omp for schedule(static)
    for (int t = 0; t < T; t++)
        memset(x + (size_t)t * HIDDEN, 0, HIDDEN * sizeof(float));
}

//@ end
/* The loss of every trained row into s->row_loss; its gradient, times s->scale, into s->dx and what the head itself trains. */
static void head_train(struct device *s)
{
//@ if forward.uses_adapters then
    const struct adapters *a = s->adapters;
//@ end
//@ if backward.uses_gradients then
    struct adapters *g = s->gradients;
//@ end
//@ if forward.uses_norms then
    const struct norms *norms = s->norms;
//@ end
//@ local seen = {}
//@ for _, f in ipairs { forward, backward } do
//@   for _, v in ipairs(f.values) do
//@     if not seen[v.name] then
//@       seen[v.name] = true
    $(v.type) *$(v.name) = $(v.place);
//@     end
//@   end
//@ end

//@ if plan.final_gradient then
    clear_rows(s->dx, s->T);
//@ end
    for (int first = 0; first < s->rows; first += HEAD_ROWS) {
        const int T = s->rows - first < HEAD_ROWS ? s->rows - first : HEAD_ROWS;
        const int32_t *rows = s->row + first;
//@ for _, f in ipairs { forward, backward } do
//@   for _, op in ipairs(f.operations) do
$(wrap("        " .. op.call))
//@   end
//@ end
    }
}

/* The loss of every trained row, and the token that each one's largest logit names. */
static void head_evaluate(struct device *s)
{
//@ if forward.uses_adapters then
    const struct adapters *a = s->adapters;
//@ end
//@ if forward.uses_norms then
    const struct norms *norms = s->norms;
//@ end
//@ for _, v in ipairs(forward.values) do
    $(v.type) *$(v.name) = $(v.place);
//@ end

    for (int first = 0; first < s->rows; first += HEAD_ROWS) {
        const int T = s->rows - first < HEAD_ROWS ? s->rows - first : HEAD_ROWS;
        const int32_t *rows = s->row + first;
//@ for _, op in ipairs(forward.operations) do
//@   if op.adapter then
        if (s->with_adapters)
$(wrap("            " .. op.call))
//@   else
$(wrap("        " .. op.call))
//@   end
//@ end
        cross_entropy_fwd(s->row_loss + first, s->row_best + first, logits, s->row_label + first, T);
    }
}

#endif
