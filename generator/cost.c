/* Cost pass: floating-point operations and bytes of every operation, per token (attention at its mean over a full row).
 */
#include "cost.h"

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
                 {"swiglu_gate_bwd", 7}, {"swiglu_up_bwd", 5},   {"cross_entropy_fwd_bwd", 12},
                 {"rmsnorm_extend", 4},  {"rope_extend", 3},     {"swiglu_extend", 6}};
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
        op->bytes_per_token += (double)value_bytes(value) * (op->operands[i].access == ACCESS_UPDATE ? 2 : 1);
        width = value->width > width ? value->width : width;
    }
    if (product) {
        op->flops = 2.0 * product->N * product->K;
        op->bytes_fixed = (double)product->N * product->K * (double)dtype_size(plan->recipe.weight_dtype);
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

/* Operations and bytes a second; see cost.h. fp16 is three products of bfloat16, and so is a float times a weight in bfloat16.
 * Attention's products have the softmax between them. */
static const double BF16_RATE = 1.5e12, SPLIT_RATE = 0.5e12, FLOAT_RATE = 0.25e12, MEMORY_RATE = 30e9;
static const double ATTENTION_PART = 0.4; /* of the products' rate, where they run on tiles */

static double seconds_of(const struct plan *plan, const struct operation *op)
{
    const struct recipe *recipe = &plan->recipe;
    const double products = recipe->compute_dtype == DTYPE_BF16 ? BF16_RATE : recipe->amx ? SPLIT_RATE : FLOAT_RATE;
    const double attention = recipe->compute_dtype == DTYPE_F32 ? FLOAT_RATE : products * ATTENTION_PART;
    double tokens = plan->graph->max_tokens, rate = FLOAT_RATE;
    if (product_of(plan->graph, op->kernel))
        rate = products;
    else if (starts_with(op->kernel, "attention") && attention > FLOAT_RATE)
        rate = attention;
    double computing = op->flops * tokens / rate;
    double moving = (op->bytes_per_token * tokens + op->bytes_fixed) / MEMORY_RATE;
    return computing > moving ? computing : moving;
}

static void cost_graph(const struct plan *plan, struct graph *graph, int window)
{
    for (int i = 0; i < graph->count; i++) {
        cost_operation(plan, graph, &graph->operations[i], window);
        graph->operations[i].seconds = seconds_of(plan, &graph->operations[i]);
    }
}

void cost_operations(struct plan *plan)
{
    struct graph_plan *graph = plan->graph;
    for (int i = 0; i < graph->kind_count; i++)
        cost_graph(plan, &graph->kinds[i].graph, graph->kinds[i].window);
    for (int i = 0; i < graph->extend_count; i++)
        cost_graph(plan, &graph->extends[i].graph, graph->extends[i].window);
    cost_graph(plan, &graph->head, 0);
}

static double sum_seconds(const struct graph *graph, bool again)
{
    double sum = 0;
    for (int i = 0; i < graph->count; i++)
        sum += graph->operations[i].again == again ? graph->operations[i].seconds : 0;
    return sum;
}

static double sum_flops(const struct graph *graph, int from, int to, bool again)
{
    double sum = 0;
    for (int i = from; i < to; i++)
        sum += graph->operations[i].again == again ? graph->operations[i].flops : 0;
    return sum;
}

static void add_graph(struct cost_totals *cost, const struct graph *graph, int count)
{
    cost->forward_flops += count * sum_flops(graph, 0, graph->forward_count, false);
    cost->backward_flops += count * sum_flops(graph, graph->forward_count, graph->count, false);
    cost->recompute_flops += count * sum_flops(graph, graph->forward_count, graph->count, true);
    cost->seconds += count * sum_seconds(graph, false);
    cost->recompute_seconds += count * sum_seconds(graph, true);
}

struct cost_totals cost_totals(const struct plan *plan)
{
    const struct model_config *model = &plan->recipe.model;
    struct cost_totals cost = {.decode_bytes = (double)plan->graph->memory.weights};
    for (int i = 0; i < plan->graph->kind_count; i++)
        add_graph(&cost, &plan->graph->kinds[i].graph, plan->graph->kinds[i].count);
    add_graph(&cost, &plan->graph->head, 1);
    if (!model->tie_word_embeddings) /* one row of the embedding, not all of it */
        cost.decode_bytes -=
            (double)model->vocab_size * model->hidden_size * (double)dtype_size(plan->recipe.weight_dtype);
    return cost;
}

bool cost_pass(struct plan *plan, struct messages *messages)
{
    (void)messages;
    cost_operations(plan);
    plan->graph->cost = cost_totals(plan);
    return true;
}

static void dump_graph(const struct graph *graph, FILE *out)
{
    for (int i = 0; i < graph->count; i++) {
        const struct operation *op = &graph->operations[i];
        fprintf(out, "    %-32s %12.0f FLOP/token  %10.0f bytes/token  %12.0f bytes/call%s\n", op->kernel, op->flops,
                op->bytes_per_token, op->bytes_fixed, op->again ? "  again" : "");
    }
}

void cost_dump(const struct plan *plan, FILE *out)
{
    const struct graph_plan *graph = plan->graph;
    fprintf(out, "forward %.4g, backward %.4g, recomputed %.4g FLOP per token; %.4g bytes per decoded token\n",
            graph->cost.forward_flops, graph->cost.backward_flops, graph->cost.recompute_flops,
            graph->cost.decode_bytes);
    for (int i = 0; i < graph->kind_count; i++) {
        fprintf(out, "%s x %d\n", graph->kinds[i].name, graph->kinds[i].count);
        dump_graph(&graph->kinds[i].graph, out);
    }
    fprintf(out, "head x 1\n");
    dump_graph(&graph->head, out);
    for (int i = 0; i < graph->extend_count; i++) {
        fprintf(out, "generation: %s\n", graph->extends[i].name);
        dump_graph(&graph->extends[i].graph, out);
    }
}
