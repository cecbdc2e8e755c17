/* Graph pass: which kinds of layers there are, and the forward operations of each. */
#include "graph.h"

#include <stdlib.h>
#include <string.h>

static bool slots_equal(const struct adapter *a, const struct adapter *b)
{
    for (int slot = 0; slot < LAYER_SLOTS; slot++)
        if (a[slot].r != b[slot].r || a[slot].scaling != b[slot].scaling)
            return false;
    return true;
}

static bool slots_empty(const struct adapter *slots)
{
    for (int slot = 0; slot < LAYER_SLOTS; slot++)
        if (slots[slot].r > 0)
            return false;
    return true;
}

/* Name of the nth thing of a family: "adapted", "adapted_2", ... */
static void ordinal_name(char *name, size_t size, const char *family, int before)
{
    if (before == 0)
        snprintf(name, size, "%s", family);
    else
        snprintf(name, size, "%s_%d", family, before + 1);
}

static int set_of_layer(struct graph_plan *graph, const struct adapter *slots, int layers)
{
    if (slots_empty(slots))
        return -1;
    for (int i = 0; i < graph->set_count; i++)
        if (slots_equal(graph->sets[i].slots, slots))
            return i;
    struct adapter_set *set = &graph->sets[graph->set_count];
    ordinal_name(set->name, sizeof set->name, "adapted", graph->set_count);
    memcpy(set->slots, slots, sizeof set->slots);
    set->layers = allocate((size_t)layers * sizeof(int), "the layers of an adapter set");
    return graph->set_count++;
}

static const char *kind_family(int set, bool trains, bool input_gradient)
{
    if (!trains)
        return "frozen";
    if (set < 0)
        return "passing";
    return input_gradient ? "adapted" : "lowest";
}

static int kind_of_layer(struct graph_plan *graph, int set, int window, bool trains, bool input_gradient, int layers)
{
    const char *family = kind_family(set, trains, input_gradient);
    int before = 0;
    for (int i = 0; i < graph->kind_count; i++) {
        const struct layer_kind *kind = &graph->kinds[i];
        if (kind->adapter_set == set && kind->window == window && kind->trains == trains &&
            kind->input_gradient == input_gradient)
            return i;
        before += !strcmp(kind_family(kind->adapter_set, kind->trains, kind->input_gradient), family);
    }
    struct layer_kind *kind = &graph->kinds[graph->kind_count];
    ordinal_name(kind->name, sizeof kind->name, family, before);
    kind->adapter_set = set;
    kind->window = window;
    kind->trains = trains;
    kind->input_gradient = input_gradient;
    kind->layers = allocate((size_t)layers * sizeof(int), "the layers of a kind");
    return graph->kind_count++;
}

static void classify_layers(struct plan *plan)
{
    struct graph_plan *graph = plan->graph;
    const struct placement *placement = &plan->placement;
    int layers = plan->recipe.model.num_hidden_layers;
    graph->sets = allocate((size_t)layers * sizeof *graph->sets, "adapter sets");
    graph->kinds = allocate((size_t)layers * sizeof *graph->kinds, "layer kinds");
    graph->kind_of = allocate((size_t)layers * sizeof(int), "layer kinds");
    graph->set_index_of = allocate((size_t)layers * sizeof(int), "adapter sets");
    int lowest = placement->train_embedding ? -1 : placement->lowest_layer;
    for (int layer = 0; layer < layers; layer++) {
        int set = set_of_layer(graph, placement->layers[layer], layers);
        int window = model_config_window(&plan->recipe.model, layer);
        int kind = kind_of_layer(graph, set, window, layer >= lowest, layer > lowest, layers);
        graph->kind_of[layer] = kind;
        graph->kinds[kind].layers[graph->kinds[kind].count++] = layer;
        if (set < 0)
            continue;
        graph->set_index_of[layer] = graph->sets[set].count;
        graph->sets[set].layers[graph->sets[set].count++] = layer;
    }
    graph->final_gradient = lowest < layers;
}

/* The frozen products; which of them need a backward pass is added by the backward pass. */
static void describe_products(struct plan *plan)
{
    const struct model_config *model = &plan->recipe.model;
    int q = model->num_attention_heads * model->head_dim, kv = model->num_key_value_heads * model->head_dim;
    int hidden = model->hidden_size, inner = model->intermediate_size;
    const struct product products[PRODUCTS] = {
        {.name = "qkv_proj",
         .N = q + 2 * kv,
         .K = hidden,
         .N_name = "QKV",
         .K_name = "HIDDEN",
         .bias = model->qkv_bias},
        {.name = "o_proj",
         .N = hidden,
         .K = q,
         .N_name = "HIDDEN",
         .K_name = "Q_WIDTH",
         .bias = model->o_bias,
         .residual = true},
        {.name = "gate_up_proj",
         .N = 2 * inner,
         .K = hidden,
         .N_name = "GATE_UP",
         .K_name = "HIDDEN",
         .bias = model->mlp_bias},
        {.name = "down_proj",
         .N = hidden,
         .K = inner,
         .N_name = "HIDDEN",
         .K_name = "INTERMEDIATE",
         .bias = model->mlp_bias,
         .residual = true},
        {.name = "lm_head",
         .N = model->vocab_size,
         .K = hidden,
         .N_name = "VOCAB",
         .K_name = "HIDDEN",
         .weight_gradient = plan->placement.train_head},
    };
    memcpy(plan->graph->products, products, sizeof products);
}

/* What a forward graph is built for. */
struct builder {
    struct plan *plan;
    struct graph *graph;
    const struct adapter *slots; /* the layer's adapters, or NULL */
    int window;
    bool extend; /* with the KV cache, for generation */
};

static void add_rmsnorm(struct builder *b, int y, int rstd, int x, const char *weight)
{
    struct operation *op = operation_add(b->graph, b->extend ? "rmsnorm_extend" : "rmsnorm_fwd");
    operand_value(b->graph, op, y, ACCESS_WRITE);
    op->own_rows = b->extend;
    if (!b->extend)
        operand_value(b->graph, op, rstd, ACCESS_WRITE);
    operand_value(b->graph, op, x, ACCESS_READ);
    operand_text(op, "w->%s", weight);
    operand_text(op, "T");
}

static void add_matmul(struct builder *b, struct product *product, int y, int x, int residual)
{
    product->y = b->graph->values[y].dtype;
    struct operation *op = operation_add(b->graph, "matmul_%s_%s", product->name, b->extend ? "extend" : "fwd");
    operand_value(b->graph, op, y, ACCESS_WRITE);
    operand_value(b->graph, op, x, ACCESS_READ);
    operand_text(op, "w->%s", product->name);
    if (product->bias)
        operand_text(op, "w->%.*s_bias", (int)strlen(product->name) - 5, product->name);
    if (product->residual)
        operand_value(b->graph, op, residual, ACCESS_READ);
    operand_text(op, "T");
    operand_text(op, "s->tuned");
}

/* y += scaling B A dropout(x) for one module. */
static void add_lora(struct builder *b, enum slot slot, int y, int x)
{
    if (!b->slots || b->slots[slot].r == 0)
        return;
    const struct recipe_lora *lora = &b->plan->recipe.lora;
    struct lora_kernel *kernel = lora_kernel_for(b->plan, slot, &b->slots[slot]);
    struct slot_place place = slot_place(slot);
    char name[32], width[32];
    kernel->y = b->graph->values[y].dtype;
    struct operation *op = operation_add(b->graph, "lora_%s_%s", kernel->name, b->extend ? "extend" : "fwd");
    operand_columns(b->graph, op, y, place.offset, ACCESS_UPDATE);
    operand_text(op, "%s", place.stride);
    snprintf(name, sizeof name, "%s_u", slot_name(slot));
    rank_name(width, sizeof width, b->plan, kernel->adapter.r);
    operand_value(b->graph, op, value_add(b->graph, name, width, kernel->adapter.r), ACCESS_WRITE);
    if (lora->use_dora) {
        snprintf(name, sizeof name, "%s_z", slot_name(slot));
        operand_value(b->graph, op, value_add(b->graph, name, kernel->out_name, kernel->out), ACCESS_WRITE);
    }
    operand_value(b->graph, op, x, ACCESS_READ);
    if (lora->lora_dropout > 0 && !lora_is_thin(b->plan, kernel)) {
        snprintf(name, sizeof name, "%s_dropped", slot_name(slot));
        operand_value(b->graph, op, activation_add(b->plan, b->graph, name, kernel->in_name, kernel->in), ACCESS_WRITE);
    }
    operand_text(op, "a->%s_A", slot_name(slot));
    operand_text(op, "a->%s_B", slot_name(slot));
    if (lora->use_dora) {
        operand_dora_weight(op, slot);
        operand_dora(op, slot);
    }
    if (lora->lora_dropout > 0 && !b->extend)
        operand_dropout(op, slot);
    operand_text(op, "T");
}

static void add_attention(struct builder *b, int attended, int qkv)
{
    const char *cached = b->extend ? "extend" : "fwd";
    struct operation *op = operation_add(b->graph, "rope_%s", cached);
    operand_value(b->graph, op, qkv, ACCESS_UPDATE);
    operand_text(op, "s->position");
    operand_text(op, "s->rope_cos");
    operand_text(op, "s->rope_sin");
    operand_text(op, "T");
    int lse = b->extend ? -1 : value_add(b->graph, "lse", "HEADS", b->plan->recipe.model.num_attention_heads);
    op = operation_add(b->graph, "attention_%s", cached);
    operand_value(b->graph, op, attended, ACCESS_WRITE);
    if (b->extend) {
        operand_text(op, "s->k_cache[layer]");
        operand_text(op, "s->v_cache[layer]");
        operand_value(b->graph, op, qkv, ACCESS_READ);
        operand_text(op, "s->length");
        operand_text(op, "T");
    } else {
        operand_value(b->graph, op, lse, ACCESS_WRITE);
        operand_value(b->graph, op, qkv, ACCESS_READ);
        operand_text(op, "s->segments");
    }
    operand_text(op, "%d", b->window);
}

/* Qwen3 normalizes each head of q and k: returns the value that goes on into RoPE. */
static int add_head_norm(struct builder *b, int qkv)
{
    const struct model_config *model = &b->plan->recipe.model;
    if (!model->qk_norm)
        return qkv;
    int heads = model->num_attention_heads + model->num_key_value_heads;
    int normed = activation_add(b->plan, b->graph, "qkv_normed", "QKV", b->graph->values[qkv].width);
    struct operation *op = operation_add(b->graph, "head_norm_fwd");
    operand_value(b->graph, op, normed, ACCESS_WRITE);
    if (b->extend)
        operand_text(op, "NULL");
    else
        operand_value(b->graph, op, value_add(b->graph, "head_rstd", "HEADS + KV_HEADS", heads), ACCESS_WRITE);
    operand_value(b->graph, op, qkv, ACCESS_READ);
    operand_text(op, "w->q_norm");
    operand_text(op, "w->k_norm");
    operand_text(op, "T");
    return normed;
}

static int add_parameter(struct graph *graph, const char *name, int width)
{
    int value = value_add(graph, name, "HIDDEN", width);
    graph->values[value].storage = STORE_PARAMETER;
    return value;
}

/* One decoder layer: x -> mid = x + attention(norm(x)) -> out = mid + mlp(norm(mid)). */
static void build_layer(struct builder *b)
{
    const struct model_config *model = &b->plan->recipe.model;
    struct product *products = b->plan->graph->products;
    struct graph *g = b->graph;
    int hidden = model->hidden_size, q = products[1].K;
    int x = add_parameter(g, "x", hidden), out = add_parameter(g, "out", hidden);
    const struct plan *plan = b->plan;
    int rstd = b->extend ? -1 : value_add(g, "rstd", "1", 1);
    int normed = activation_add(plan, g, "normed", "HIDDEN", hidden);
    int qkv = activation_add(plan, g, "qkv", "QKV", products[0].N);
    int attended = activation_add(plan, g, "attended", "Q_WIDTH", q);
    int mid = value_add(g, "mid", "HIDDEN", hidden);
    int mid_rstd = b->extend ? -1 : value_add(g, "mid_rstd", "1", 1);
    int mid_normed = activation_add(plan, g, "mid_normed", "HIDDEN", hidden);
    int gate_up = activation_add(plan, g, "gate_up", "GATE_UP", products[2].N);
    int act = activation_add(plan, g, "act", "INTERMEDIATE", model->intermediate_size);

    add_rmsnorm(b, normed, rstd, x, "input_layernorm");
    add_matmul(b, &products[0], qkv, normed, -1);
    for (enum slot slot = SLOT_Q; slot <= SLOT_V; slot++)
        add_lora(b, slot, qkv, normed);
    add_attention(b, attended, add_head_norm(b, qkv));
    add_matmul(b, &products[1], mid, attended, x);
    add_lora(b, SLOT_O, mid, attended);
    add_rmsnorm(b, mid_normed, mid_rstd, mid, "post_attention_layernorm");
    add_matmul(b, &products[2], gate_up, mid_normed, -1);
    add_lora(b, SLOT_GATE, gate_up, mid_normed);
    add_lora(b, SLOT_UP, gate_up, mid_normed);
    struct operation *op = operation_add(g, b->extend ? "swiglu_extend" : "swiglu_fwd");
    operand_value(g, op, act, ACCESS_WRITE);
    op->own_rows = b->extend;
    operand_value(g, op, gate_up, ACCESS_READ);
    operand_text(op, "T");
    add_matmul(b, &products[3], out, act, mid);
    add_lora(b, SLOT_DOWN, out, act);
    g->forward_count = g->count;
}

/* Final norm, output head: over T gathered rows whose labels are trained. The loss follows in the backward pass's file.
 */
static void build_head(struct plan *plan)
{
    const struct model_config *model = &plan->recipe.model;
    struct adapter slots[SLOTS] = {[SLOT_HEAD] = plan->placement.head};
    struct builder b = {.plan = plan, .graph = &plan->graph->head, .slots = slots};
    struct graph *g = b.graph;
    int x = value_add(g, "x", "HIDDEN", model->hidden_size), rstd = value_add(g, "rstd", "1", 1);
    int normed = activation_add(plan, g, "normed", "HIDDEN", model->hidden_size);
    int logits = value_add(g, "logits", "VOCAB", model->vocab_size);
    struct operation *op = operation_add(g, "gather_rows");
    operand_value(g, op, x, ACCESS_WRITE);
    operand_text(op, "s->input[LAYERS]");
    operand_text(op, "rows");
    operand_text(op, "T");
    op = operation_add(g, "rmsnorm_fwd");
    operand_value(g, op, normed, ACCESS_WRITE);
    operand_value(g, op, rstd, ACCESS_WRITE);
    operand_value(g, op, x, ACCESS_READ);
    operand_text(op, "s->weights->norm");
    operand_text(op, "T");
    op = operation_add(g, "matmul_lm_head_fwd");
    operand_value(g, op, logits, ACCESS_WRITE);
    operand_value(g, op, normed, ACCESS_READ);
    operand_text(op, "head_weight(s)");
    operand_text(op, "T");
    operand_text(op, "s->tuned");
    add_lora(&b, SLOT_HEAD, logits, normed);
    g->forward_count = g->count;
}

static void build_extend_kinds(struct plan *plan)
{
    struct graph_plan *graph = plan->graph;
    graph->extends = allocate((size_t)graph->kind_count * sizeof *graph->extends, "layer kinds");
    for (int i = 0; i < graph->kind_count; i++) {
        const struct layer_kind *kind = &graph->kinds[i];
        bool known = false;
        int alike = 0;
        for (int j = 0; j < graph->extend_count; j++)
            alike += graph->extends[j].adapter_set == kind->adapter_set;
        for (int j = 0; j < graph->extend_count; j++)
            known |= graph->extends[j].adapter_set == kind->adapter_set && graph->extends[j].window == kind->window;
        if (known)
            continue;
        struct extend_kind *extend = &graph->extends[graph->extend_count++];
        extend->adapter_set = kind->adapter_set;
        extend->window = kind->window;
        ordinal_name(extend->name, sizeof extend->name,
                     extend->adapter_set < 0 ? "plain" : graph->sets[extend->adapter_set].name, alike);
        const struct adapter *slots = kind->adapter_set < 0 ? NULL : graph->sets[kind->adapter_set].slots;
        struct builder b = {
            .plan = plan, .graph = &extend->graph, .slots = slots, .window = kind->window, .extend = true};
        build_layer(&b);
    }
}

bool graph_pass(struct plan *plan, struct messages *messages)
{
    (void)messages;
    plan->graph = allocate(sizeof *plan->graph, "the graph");
    classify_layers(plan);
    describe_products(plan);
    for (int i = 0; i < plan->graph->kind_count; i++) {
        struct layer_kind *kind = &plan->graph->kinds[i];
        const struct adapter *slots = kind->adapter_set < 0 ? NULL : plan->graph->sets[kind->adapter_set].slots;
        struct builder b = {.plan = plan, .graph = &kind->graph, .slots = slots, .window = kind->window};
        build_layer(&b);
    }
    build_head(plan);
    build_extend_kinds(plan);
    return true;
}
