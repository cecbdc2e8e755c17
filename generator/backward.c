/* Backward pass: only the gradients that some adapter needs.
 *
 * A value needs a gradient if a trained parameter lies upstream of it. Walking a layer from its output to its input,
 * the operations below the lowest adapter are never reached, no operation computes the gradient of a frozen weight, and
 * a product's dX exists only where its input needs one. `dx` is the gradient of the residual stream, updated in place
 * from out to x.
 */
#include "graph.h"

#include <string.h>

/* Of the adapters' kernels, the variant that computes no dx ends so where the other is needed too. */
#define LOWEST "_lowest"

struct walk {
    struct plan *plan;
    struct graph *graph;
    const struct adapter *slots; /* NULL: none */
    int dx;
};

static int value_of(const struct walk *w, const char *name)
{
    int value = value_find(w->graph, name);
    CHECK(value >= 0);
    return value;
}

static int gradient_add(struct walk *w, const char *name, const char *width_name, int width)
{
    int value = value_add(w->graph, name, width_name, width);
    w->graph->values[value].gradient = true;
    return value;
}

/* A gradient as wide as `of`, named d<of>. */
static int gradient_like(struct walk *w, const char *of, enum dtype dtype)
{
    const struct value *value = &w->graph->values[value_of(w, of)];
    char name[sizeof value->name + 1];
    snprintf(name, sizeof name, "d%s", value->name);
    int gradient = gradient_add(w, name, value->width_name, value->width);
    w->graph->values[gradient].dtype = dtype;
    return gradient;
}

/* The same of what products and attention read, in their dtype. */
static int activation_gradient(struct walk *w, const char *of)
{
    return gradient_like(w, of, w->graph->values[value_of(w, of)].dtype);
}

/* The same of a norm's output: products and adapters add to it one after the other, and no product reads it. */
static int normed_gradient(struct walk *w, const char *of)
{
    return gradient_like(w, of, DTYPE_F32);
}

static bool carries(const struct walk *w, enum slot first, enum slot last)
{
    for (int slot = (int)first; w->slots && slot <= (int)last; slot++)
        if (w->slots[slot].r > 0)
            return true;
    return false;
}

/* The gradients that a layer needs of the outputs of the modules `first` to `last`: all of them where something upstream of these
 * modules is trained, else those of the modules that carry an adapter. */
static unsigned wanted_of(const struct walk *w, enum slot first, enum slot last, bool all)
{
    unsigned wanted = 0;
    for (enum slot slot = first; slot <= last; slot++)
        if (all || carries(w, slot, slot))
            wanted |= 1U << (slot - first);
    return wanted;
}

static struct operation *add_variant(struct walk *w, enum family family, unsigned wanted)
{
    char name[32];
    variant_name(name, sizeof name, family, wanted);
    w->plan->graph->variants[family][wanted] = true;
    struct operation *op = operation_add(w->graph, "%s", name);
    op->wanted = wanted;
    return op;
}

static void add_product_backward(struct walk *w, struct product *product, int dx, int dy, const char *weight)
{
    product->backward = true;
    product->dx = w->graph->values[dx].dtype;
    struct operation *op = operation_add(w->graph, "matmul_%s_bwd", product->name);
    operand_value(w->graph, op, dx, ACCESS_WRITE);
    operand_value(w->graph, op, dy, ACCESS_READ);
    operand_text(op, "%s", weight);
    operand_text(op, "T");
    operand_text(op, "s->tuned");
}

/* A value of one module's adapter: "q_proj_u", or its gradient "dq_proj_u". */
static int adapter_value(const struct walk *w, enum slot slot, const char *suffix)
{
    char name[48];
    snprintf(name, sizeof name, "%s_%s", slot_name(slot), suffix);
    return value_of(w, name);
}

static int adapter_gradient(struct walk *w, enum slot slot, const char *suffix, const char *width_name, int width)
{
    char name[48];
    snprintf(name, sizeof name, "d%s_%s", slot_name(slot), suffix);
    return gradient_add(w, name, width_name, width);
}

/* Where the gradients of the parameters go, dy, and what the forward pass has kept. */
static void add_lora_sources(struct walk *w, struct operation *op, enum slot slot, int dy)
{
    const bool dora = w->plan->recipe.lora.use_dora;
    struct slot_place place = slot_place(slot);
    operand_text(op, "g->%s_A", slot_name(slot));
    operand_text(op, "g->%s_B", slot_name(slot));
    if (dora)
        operand_text(op, "g->%s_magnitude", slot_name(slot));
    operand_columns(w->graph, op, dy, place.offset, ACCESS_READ);
    operand_text(op, "%s", place.stride);
    operand_value(w->graph, op, adapter_value(w, slot, "u"), ACCESS_READ);
    if (dora)
        operand_value(w->graph, op, adapter_value(w, slot, "z"), ACCESS_READ);
    operand_value(w->graph, op, value_of(w, place.input), ACCESS_READ);
}

/* Gradients of one module's lora_A and lora_B; dx (-1: not wanted) receives what flows on through them. */
static void add_lora_backward(struct walk *w, enum slot slot, int dx, int dy)
{
    if (!carries(w, slot, slot))
        return;
    const struct recipe_lora *lora = &w->plan->recipe.lora;
    struct lora_kernel *kernel = lora_kernel_for(w->plan, slot, &w->slots[slot]);
    char rank[16];
    struct operation *op = operation_add(w->graph, "lora_%s%s_bwd", kernel->name, dx < 0 ? LOWEST : "");
    if (dx >= 0) {
        kernel->dx = w->graph->values[dx].dtype;
        operand_value(w->graph, op, dx, ACCESS_UPDATE);
    }
    add_lora_sources(w, op, slot, dy);
    if (lora->lora_dropout > 0) {
        int dropped = adapter_gradient(w, slot, "dropped", kernel->in_name, kernel->in);
        w->graph->values[dropped].dtype = w->graph->values[value_of(w, slot_place(slot).input)].dtype;
        operand_value(w->graph, op, dropped, ACCESS_WRITE);
    }
    if (dx >= 0)
        operand_text(op, "a->%s_A", slot_name(slot));
    operand_text(op, "a->%s_B", slot_name(slot));
    rank_name(rank, sizeof rank, w->plan, kernel->adapter.r);
    operand_value(w->graph, op, adapter_gradient(w, slot, "u", rank, kernel->adapter.r), ACCESS_WRITE);
    if (lora->use_dora)
        operand_value(w->graph, op, adapter_gradient(w, slot, "z", kernel->out_name, kernel->out), ACCESS_WRITE);
    if (lora->use_dora && dx >= 0)
        operand_dora_weight(op, slot);
    if (lora->use_dora)
        operand_dora(op, slot);
    if (lora->lora_dropout > 0)
        operand_dropout(op, slot);
    operand_text(op, "T");
    if (dx >= 0)
        kernel->input_gradient = true;
    else
        kernel->without_input_gradient = true;
}

static void add_rmsnorm_backward(struct walk *w, const char *x, const char *rstd, int dy, const char *weight)
{
    struct operation *op = operation_add(w->graph, "rmsnorm_bwd");
    operand_value(w->graph, op, w->dx, ACCESS_UPDATE);
    operand_value(w->graph, op, dy, ACCESS_READ);
    operand_value(w->graph, op, value_of(w, x), ACCESS_READ);
    operand_value(w->graph, op, value_of(w, rstd), ACCESS_READ);
    operand_text(op, "%s", weight);
    operand_text(op, "T");
}

/* dout -> dmid: down_proj, SwiGLU, gate_proj and up_proj, the norm before them. `mid` says whether dmid is wanted at
 * all. */
static void add_mlp_backward(struct walk *w, bool mid)
{
    struct product *products = w->plan->graph->products;
    bool gate_up = mid || carries(w, SLOT_GATE, SLOT_UP);
    int dact = -1;
    if (gate_up) {
        dact = activation_gradient(w, "act");
        add_product_backward(w, &products[3], dact, w->dx, "w->down_proj");
    }
    add_lora_backward(w, SLOT_DOWN, dact, w->dx);
    if (!gate_up)
        return;
    int dgate_up = activation_gradient(w, "gate_up");
    struct operation *op = add_variant(w, FAMILY_SWIGLU, wanted_of(w, SLOT_GATE, SLOT_UP, mid));
    operand_value(w->graph, op, dgate_up, ACCESS_WRITE);
    operand_value(w->graph, op, dact, ACCESS_READ);
    operand_value(w->graph, op, value_of(w, "gate_up"), ACCESS_READ);
    operand_text(op, "T");
    int dnormed = -1;
    if (mid) {
        dnormed = normed_gradient(w, "mid_normed");
        add_product_backward(w, &products[2], dnormed, dgate_up, "w->gate_up_proj");
    }
    add_lora_backward(w, SLOT_GATE, dnormed, dgate_up);
    add_lora_backward(w, SLOT_UP, dnormed, dgate_up);
    if (mid)
        add_rmsnorm_backward(w, "mid", "mid_rstd", dnormed, "w->post_attention_layernorm");
}

/* dattended -> dqkv, of which only `wanted` is written: attention, then rope and the norm of the heads on q and k. */
static void add_attention_core_backward(struct walk *w, unsigned wanted, int dqkv, int dattended, int window)
{
    const struct model_config *model = &w->plan->recipe.model;
    const char *roped = model->qk_norm ? "qkv_normed" : "qkv";
    unsigned turned = wanted & (WANT_Q | WANT_K);
    struct operation *op = add_variant(w, FAMILY_ATTENTION, wanted);
    operand_value(w->graph, op, dqkv, ACCESS_WRITE);
    if (turned) /* dv needs no more than the probabilities */
        operand_value(w->graph, op, gradient_add(w, "delta", "HEADS", model->num_attention_heads), ACCESS_WRITE);
    operand_value(w->graph, op, dattended, ACCESS_READ);
    if (turned)
        operand_value(w->graph, op, value_of(w, "attended"), ACCESS_READ);
    operand_value(w->graph, op, value_of(w, "lse"), ACCESS_READ);
    operand_value(w->graph, op, value_of(w, roped), ACCESS_READ);
    operand_text(op, "s->segments");
    operand_text(op, "%d", window);
    if (!turned)
        return;
    op = add_variant(w, FAMILY_ROPE, turned);
    operand_value(w->graph, op, dqkv, ACCESS_UPDATE);
    operand_text(op, "s->position");
    operand_text(op, "s->rope_cos");
    operand_text(op, "s->rope_sin");
    operand_text(op, "T");
    if (!model->qk_norm)
        return;
    op = add_variant(w, FAMILY_HEAD_NORM, turned);
    operand_value(w->graph, op, dqkv, ACCESS_UPDATE);
    operand_value(w->graph, op, value_of(w, "qkv"), ACCESS_READ);
    operand_value(w->graph, op, value_of(w, "head_rstd"), ACCESS_READ);
    if (turned & WANT_Q)
        operand_text(op, "w->q_norm");
    if (turned & WANT_K)
        operand_text(op, "w->k_norm");
    operand_text(op, "T");
}

/* dmid -> dx: o_proj, attention, q_proj, k_proj and v_proj, the norm before them. `input` says whether dx is wanted. */
static void add_attention_backward(struct walk *w, bool input, int window)
{
    struct product *products = w->plan->graph->products;
    unsigned wanted = wanted_of(w, SLOT_Q, SLOT_V, input);
    int dattended = -1;
    if (wanted) {
        dattended = activation_gradient(w, "attended");
        add_product_backward(w, &products[1], dattended, w->dx, "w->o_proj");
    }
    add_lora_backward(w, SLOT_O, dattended, w->dx);
    if (!wanted)
        return;
    int dqkv = activation_gradient(w, "qkv");
    add_attention_core_backward(w, wanted, dqkv, dattended, window);
    int dnormed = -1;
    if (input) {
        dnormed = normed_gradient(w, "normed");
        add_product_backward(w, &products[0], dnormed, dqkv, "w->qkv_proj");
    }
    for (enum slot slot = SLOT_Q; slot <= SLOT_V; slot++)
        add_lora_backward(w, slot, dnormed, dqkv);
    if (input)
        add_rmsnorm_backward(w, "x", "rstd", dnormed, "w->input_layernorm");
}

static void build_layer_backward(struct plan *plan, struct layer_kind *kind)
{
    const struct adapter *slots = kind->adapter_set < 0 ? NULL : plan->graph->sets[kind->adapter_set].slots;
    struct walk w = {.plan = plan, .graph = &kind->graph, .slots = slots};
    w.dx = gradient_add(&w, "dx", "HIDDEN", plan->recipe.model.hidden_size);
    kind->graph.values[w.dx].storage = STORE_PARAMETER;
    bool attention = kind->input_gradient || carries(&w, SLOT_Q, SLOT_O);
    add_mlp_backward(&w, attention);
    if (attention)
        add_attention_backward(&w, kind->input_gradient, kind->window);
}

/* Loss and its gradient for one block of rows; logits become their own gradient in place. */
static void build_head_backward(struct plan *plan)
{
    struct adapter slots[SLOTS] = {[SLOT_HEAD] = plan->placement.head};
    struct walk w = {.plan = plan, .graph = &plan->graph->head, .slots = slots};
    struct product *head = &plan->graph->products[PRODUCTS - 1];
    int logits = value_of(&w, "logits");
    struct operation *op = operation_add(w.graph, "cross_entropy_fwd_bwd");
    operand_text(op, "s->row_loss + first");
    operand_value(w.graph, op, logits, ACCESS_UPDATE);
    operand_text(op, "s->row_label + first");
    operand_text(op, "s->scale");
    operand_text(op, "T");
    if (plan->placement.train_head) {
        op = operation_add(w.graph, "matmul_lm_head_dw");
        operand_text(op, "s->gradients->lm_head");
        operand_value(w.graph, op, logits, ACCESS_READ);
        operand_value(w.graph, op, value_of(&w, "normed"), ACCESS_READ);
        operand_text(op, "T");
    }
    int dnormed = -1;
    if (plan->graph->final_gradient) {
        dnormed = normed_gradient(&w, "normed");
        add_product_backward(&w, head, dnormed, logits, "head_weight(s)");
    }
    add_lora_backward(&w, SLOT_HEAD, dnormed, logits);
    if (!plan->graph->final_gradient)
        return;
    w.dx = gradient_add(&w, "drow", "HIDDEN", plan->recipe.model.hidden_size);
    op = operation_add(w.graph, "clear_rows");
    operand_value(w.graph, op, w.dx, ACCESS_WRITE);
    operand_text(op, "T");
    add_rmsnorm_backward(&w, "x", "rstd", dnormed, "s->weights->norm");
    op = operation_add(w.graph, "scatter_rows");
    operand_text(op, "s->dx");
    operand_value(w.graph, op, w.dx, ACCESS_READ);
    operand_text(op, "rows");
    operand_text(op, "T");
}

/* Where no layer needs an adapter's dx, its one variant keeps the plain name. */
static void name_lone_variants(const struct graph_plan *plan, struct graph *graph)
{
    for (int i = 0; i < graph->count; i++)
        for (int j = 0; j < plan->lora_count; j++) {
            char lowest[80];
            snprintf(lowest, sizeof lowest, "lora_%s" LOWEST "_bwd", plan->loras[j].name);
            if (plan->loras[j].input_gradient || strcmp(graph->operations[i].kernel, lowest))
                continue;
            snprintf(graph->operations[i].kernel, sizeof graph->operations[i].kernel, "lora_%s_bwd",
                     plan->loras[j].name);
        }
}

bool backward_pass(struct plan *plan, struct messages *messages)
{
    (void)messages;
    for (int i = 0; i < plan->graph->kind_count; i++)
        if (plan->graph->kinds[i].trains)
            build_layer_backward(plan, &plan->graph->kinds[i]);
    build_head_backward(plan);
    for (int i = 0; i < plan->graph->kind_count; i++)
        name_lone_variants(plan->graph, &plan->graph->kinds[i].graph);
    name_lone_variants(plan->graph, &plan->graph->head);
    return true;
}
