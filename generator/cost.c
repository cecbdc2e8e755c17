/* Cost pass: floating-point operations and bytes of every operation, per token (attention at its mean over a full row).
 */
#include "graph.h"

#include <string.h>

static bool starts_with(const char *text, const char *prefix)
{
    return !strncmp(text, prefix, strlen(prefix));
}

static bool ends_with(const char *text, const char *suffix)
{
    size_t length = strlen(text), tail = strlen(suffix);
    return length >= tail && !strcmp(text + length - tail, suffix);
}

static const struct product *product_of(const struct graph_plan *graph, const char *kernel)
{
    for (int i = 0; i < PRODUCTS; i++) {
        char prefix[64];
        snprintf(prefix, sizeof prefix, "matmul_%s_", graph->products[i].name);
        if (starts_with(kernel, prefix))
            return &graph->products[i];
    }
    return NULL;
}

static const struct lora_kernel *lora_of(const struct graph_plan *graph, const char *kernel)
{
    const struct lora_kernel *found = NULL;
    for (int i = 0; i < graph->lora_count; i++) {
        char prefix[80];
        snprintf(prefix, sizeof prefix, "lora_%s_", graph->loras[i].name);
        if (starts_with(kernel, prefix) && (!found || strlen(found->name) < strlen(graph->loras[i].name)))
            found = &graph->loras[i];
    }
    return found;
}

/* Keys that a query sees on average in a row of max_length tokens. */
static double mean_context(const struct plan *plan, int window)
{
    double length = plan->recipe.train.max_length;
    if (window == 0 || window >= length)
        return (length + 1) / 2;
    return window - (double)window * (window - 1) / (2 * length);
}

/* Two products forward. Backward dq takes the scores, dP and itself; dk and dv share the scores, dk needs dP as well. */
static double attention_flops(const struct plan *plan, const struct operation *op, int window)
{
    const struct model_config *model = &plan->recipe.model;
    double product = 2.0 * model->num_attention_heads * model->head_dim * mean_context(plan, window);
    if (!ends_with(op->kernel, "_bwd"))
        return 2 * product;
    bool q = op->wanted & WANT_Q, k = op->wanted & WANT_K, v = op->wanted & WANT_V;
    return product * ((q ? 3 : 0) + (k || v ? 1 : 0) + (k ? 2 : 0) + (v ? 1 : 0));
}

/* What one element of the widest value costs in the elementwise kernels, counted from their formulas. */
static double elementwise_flops(const char *kernel)
{
    static const struct {
        const char *kernel;
        double flops;
    } costs[] = {{"rmsnorm_fwd", 4},     {"rmsnorm_bwd", 8},     {"head_norm_fwd", 4},
                 {"head_norm_bwd", 8},   {"head_norm_q_bwd", 8}, {"head_norm_k_bwd", 8},
                 {"rope_fwd", 3},        {"rope_bwd", 3},        {"rope_q_bwd", 3},
                 {"rope_k_bwd", 3},      {"swiglu_fwd", 6},      {"swiglu_bwd", 8},
                 {"swiglu_gate_bwd", 7}, {"swiglu_up_bwd", 5},   {"cross_entropy_fwd_bwd", 12}};
    for (size_t i = 0; i < sizeof costs / sizeof *costs; i++)
        if (!strcmp(kernel, costs[i].kernel))
            return costs[i].flops;
    return 0;
}

/* How much of a row the rotary embedding and the norm of the heads work on: q, k or both. */
static double turned_width(const struct plan *plan, const struct operation *op)
{
    const struct model_config *model = &plan->recipe.model;
    bool all = !op->wanted;
    int heads = (all || op->wanted & WANT_Q ? model->num_attention_heads : 0) +
                (all || op->wanted & WANT_K ? model->num_key_value_heads : 0);
    return (double)heads * model->head_dim;
}

static void cost_operation(const struct plan *plan, const struct graph *graph, struct operation *op, int window)
{
    const struct product *product = product_of(plan->graph, op->kernel);
    const struct lora_kernel *lora = lora_of(plan->graph, op->kernel);
    double width = 0;
    op->bytes_per_token = op->bytes_fixed = 0;
    for (int i = 0; i < op->count; i++) {
        if (op->operands[i].value < 0)
            continue;
        const struct value *value = &graph->values[op->operands[i].value];
        op->bytes_per_token += value->width * 4.0 * (op->operands[i].access == ACCESS_UPDATE ? 2 : 1);
        width = value->width > width ? value->width : width;
    }
    if (product) {
        op->flops = 2.0 * product->N * product->K;
        op->bytes_fixed =
            (double)product->N * product->K * (plan->recipe.train.bf16 || plan->recipe.train.fp16 ? 2 : 4);
    } else if (lora) {
        double pair = 2.0 * lora->adapter.r * (lora->in + lora->out);
        op->flops = ends_with(op->kernel, "_bwd") ? 2 * pair : pair;
        op->bytes_fixed = 4.0 * lora->adapter.r * (lora->in + lora->out);
    } else if (starts_with(op->kernel, "attention")) {
        op->flops = attention_flops(plan, op, window);
    } else if (starts_with(op->kernel, "rope_") || starts_with(op->kernel, "head_norm_")) {
        op->flops = elementwise_flops(op->kernel) * turned_width(plan, op);
    } else {
        op->flops = elementwise_flops(op->kernel) * width;
    }
}

static void cost_graph(const struct plan *plan, struct graph *graph, int window)
{
    for (int i = 0; i < graph->count; i++)
        cost_operation(plan, graph, &graph->operations[i], window);
}

static double sum_flops(const struct graph *graph, int from, int to)
{
    double sum = 0;
    for (int i = from; i < to; i++)
        sum += graph->operations[i].flops;
    return sum;
}

bool cost_pass(struct plan *plan, struct messages *messages)
{
    (void)messages;
    struct graph_plan *graph = plan->graph;
    struct cost_totals *cost = &graph->cost;
    *cost = (struct cost_totals){.decode_bytes = (double)graph->memory.weights};
    for (int i = 0; i < graph->kind_count; i++) {
        struct layer_kind *kind = &graph->kinds[i];
        struct graph *layer = &kind->graph;
        cost_graph(plan, layer, kind->window);
        cost->forward_flops += kind->count * sum_flops(layer, 0, layer->forward_count);
        cost->backward_flops += kind->count * sum_flops(layer, layer->forward_count, layer->count);
        cost->recompute_flops += kind->recompute ? kind->count * sum_flops(layer, 0, layer->recompute_count) : 0;
    }
    for (int i = 0; i < graph->extend_count; i++)
        cost_graph(plan, &graph->extends[i].graph, graph->extends[i].window);
    cost_graph(plan, &graph->head, 0);
    cost->forward_flops += sum_flops(&graph->head, 0, graph->head.forward_count);
    cost->backward_flops += sum_flops(&graph->head, graph->head.forward_count, graph->head.count);
    if (!plan->recipe.model.tie_word_embeddings) /* one row of the embedding, not all of it */
        cost->decode_bytes -= (double)plan->recipe.model.vocab_size * plan->recipe.model.hidden_size *
                              (plan->recipe.train.bf16 || plan->recipe.train.fp16 ? 2 : 4);
    return true;
}

static void dump_graph(const struct graph *graph, const char *name, int count, FILE *out)
{
    fprintf(out, "%s x %d\n", name, count);
    for (int i = 0; i < graph->count; i++) {
        const struct operation *op = &graph->operations[i];
        fprintf(out, "    %-32s %12.0f FLOP/token  %10.0f bytes/token  %12.0f bytes/call\n", op->kernel, op->flops,
                op->bytes_per_token, op->bytes_fixed);
    }
}

void cost_dump(const struct plan *plan, FILE *out)
{
    const struct graph_plan *graph = plan->graph;
    fprintf(out, "forward %.4g, backward %.4g, recomputed %.4g FLOP per token; %.4g bytes per decoded token\n",
            graph->cost.forward_flops, graph->cost.backward_flops, graph->cost.recompute_flops,
            graph->cost.decode_bytes);
    for (int i = 0; i < graph->kind_count; i++)
        dump_graph(&graph->kinds[i].graph, graph->kinds[i].name, graph->kinds[i].count, out);
    dump_graph(&graph->head, "head", 1, out);
}
