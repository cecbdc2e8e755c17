/* Memory pass: one arena with fixed offsets. Scratch values whose lives overlap lie side by side, the others share. */
#include "memory.h"
#include "../runtime/footprint.h"

#include <stdlib.h>

enum { ROW_STEP = 16, MAX_HEAD_ROWS = 512, LOGITS_BYTES = 320 << 20, MAX_PROMPT_ROWS = 512, USUAL_THREADS = 8 };
/* Left operands of products in tiles, at most. */
enum { TILE_BYTES = 8 << 20 };

static bool overlap(const struct value *a, const struct value *b)
{
    return a->first <= b->last && b->first <= a->last;
}

/* A column is four bytes wide. */
static long columns_of(const struct value *value)
{
    return (value_bytes(value) + 3) / 4;
}

/* First column at which `value` fits beside every placed value that lives at the same time. */
static long first_fit(const struct graph *graph, const bool *placed, const struct value *value)
{
    long column = 0;
    for (bool moved = true; moved;) {
        moved = false;
        for (int i = 0; i < graph->value_count; i++) {
            const struct value *other = &graph->values[i];
            if (!placed[i] || !overlap(value, other))
                continue;
            if (column < other->column + columns_of(other) && other->column < column + columns_of(value)) {
                column = other->column + columns_of(other);
                moved = true;
            }
        }
    }
    return column;
}

static int largest_unplaced(const struct graph *graph, const bool *placed)
{
    int best = -1;
    for (int i = 0; i < graph->value_count; i++) {
        const struct value *value = &graph->values[i];
        if (value->storage != STORE_SCRATCH || value->first < 0 || placed[i])
            continue;
        if (best < 0 || columns_of(value) > columns_of(&graph->values[best]))
            best = i;
    }
    return best;
}

/* Largest first, each at the lowest place that is free during its life. */
void place_scratch(struct graph *graph)
{
    bool placed[MAX_VALUES] = {false};
    graph->scratch_columns = 0;
    for (int i; (i = largest_unplaced(graph, placed)) >= 0;) {
        struct value *value = &graph->values[i];
        value->column = first_fit(graph, placed, value);
        placed[i] = true;
        if (value->column + columns_of(value) > graph->scratch_columns)
            graph->scratch_columns = value->column + columns_of(value);
    }
}

static int round_up(int n, int step)
{
    return (n + step - 1) / step * step;
}

static long long padded(long long elements, size_t size)
{
    return (elements * (long long)size + 3) / 4 * 4;
}

long long memory_weight_bytes(const struct plan *plan)
{
    const struct model_config *model = &plan->recipe.model;
    const size_t size = dtype_size(plan->recipe.weight_dtype);
    long long layer = 2LL * model->hidden_size * 4 + (model->qk_norm ? 2LL * model->head_dim * 4 : 0);
    for (int i = 0; i < PRODUCTS - 1; i++) {
        const struct product *product = &plan->graph->products[i];
        layer += padded((long long)product->N * product->K, size) + (product->bias ? product->N * 4LL : 0);
    }
    long long table = padded((long long)model->vocab_size * model->hidden_size, size);
    return table * (model->tie_word_embeddings ? 1 : 2) + layer * model->num_hidden_layers + model->hidden_size * 4LL;
}

static long long adapter_elements(const struct plan *plan, const struct adapter *adapter, enum slot slot)
{
    int in, out;
    const char *in_name, *out_name;
    slot_shape(&plan->recipe.model, slot, &in, &out, &in_name, &out_name);
    return adapter->r == 0 ? 0 : (long long)adapter->r * (in + out) + (plan->recipe.lora.use_dora ? out : 0);
}

static long long adapter_bytes(const struct plan *plan)
{
    const struct model_config *model = &plan->recipe.model;
    long long elements = adapter_elements(plan, &plan->placement.head, SLOT_HEAD);
    for (int layer = 0; layer < model->num_hidden_layers; layer++)
        for (enum slot slot = 0; slot < LAYER_SLOTS; slot++)
            elements += adapter_elements(plan, &plan->placement.layers[layer][slot], slot);
    long long table = (long long)model->vocab_size * model->hidden_size;
    elements += table * (plan->placement.train_head + plan->placement.train_embedding);
    return elements * 4;
}

static long long dora_norm_bytes(const struct plan *plan)
{
    if (!plan->recipe.lora.use_dora)
        return 0;
    long long elements = plan->placement.head.r ? plan->recipe.model.vocab_size : 0;
    for (int layer = 0; layer < plan->recipe.model.num_hidden_layers; layer++)
        for (enum slot slot = 0; slot < LAYER_SLOTS; slot++) {
            int in, out;
            const char *in_name, *out_name;
            slot_shape(&plan->recipe.model, slot, &in, &out, &in_name, &out_name);
            elements += plan->placement.layers[layer][slot].r ? out : 0;
        }
    return elements * 4;
}

int memory_tokens(int samples, int max_length)
{
    return round_up(samples * max_length, ROW_STEP);
}

static int head_rows(const struct plan *plan, int tokens)
{
    long rows = LOGITS_BYTES / (4L * plan->recipe.model.vocab_size);
    rows = rows < ROW_STEP ? ROW_STEP : rows > MAX_HEAD_ROWS ? MAX_HEAD_ROWS : rows / ROW_STEP * ROW_STEP;
    return rows < tokens ? (int)rows : tokens;
}

void memory_rows(struct plan *plan)
{
    struct graph_plan *graph = plan->graph;
    const struct recipe_train *train = &plan->recipe.train;
    graph->max_tokens = memory_tokens(train->per_device_train_batch_size, train->max_length);
    graph->head_rows = head_rows(plan, graph->max_tokens);
    graph->prompt_rows = round_up(plan->recipe.max_context, ROW_STEP);
    if (graph->prompt_rows > MAX_PROMPT_ROWS)
        graph->prompt_rows = MAX_PROMPT_ROWS;
}

/* The residual stream: the input of every layer that trains, that of the head, and the gradient. */
static long long input_bytes(const struct plan *plan, int tokens)
{
    const struct graph_plan *graph = plan->graph;
    long long training_layers = 0;
    for (int i = 0; i < graph->kind_count; i++)
        training_layers += graph->kinds[i].trains ? graph->kinds[i].count : 0;
    return 4LL * plan->recipe.model.hidden_size * tokens * (training_layers + 1 + (graph->final_gradient ? 1 : 0));
}

static long long scratch_bytes(const struct plan *plan, int tokens, long columns)
{
    long long head = 4LL * head_rows(plan, tokens) * plan->graph->head.scratch_columns;
    long long layers = 4LL * tokens * columns;
    return layers > head ? layers : head;
}

static long long tile_bytes(const struct plan *plan)
{
    return plan->recipe.amx ? TILE_BYTES : 0;
}

/* What does not depend on the micro-batch. */
static long long standing_bytes(const struct plan *plan)
{
    return memory_weight_bytes(plan) + 4 * adapter_bytes(plan) + dora_norm_bytes(plan);
}

long long memory_train_peak(const struct plan *plan, int tokens, long long kept_bytes, long scratch_columns)
{
    return standing_bytes(plan) + kept_bytes * tokens + input_bytes(plan, tokens) +
           scratch_bytes(plan, tokens, scratch_columns) + tile_bytes(plan);
}

long long memory_beside_plan(const struct plan *plan)
{
    return (long long)runtime_footprint(plan->recipe.model.vocab_size, USUAL_THREADS);
}

static void sum_training(struct plan *plan)
{
    struct graph_plan *graph = plan->graph;
    struct memory_totals *memory = &graph->memory;
    long long kept = 0;
    long columns = 0;
    for (int i = 0; i < graph->kind_count; i++) {
        const struct layer_kind *kind = &graph->kinds[i];
        kept += kind->count * (long long)kind->graph.saved_bytes;
        columns = kind->graph.scratch_columns > columns ? kind->graph.scratch_columns : columns;
    }
    memory->saved = kept * graph->max_tokens;
    memory->inputs = input_bytes(plan, graph->max_tokens);
    memory->scratch = scratch_bytes(plan, graph->max_tokens, columns) + tile_bytes(plan);
    memory->logits = (long long)graph->head_rows * plan->recipe.model.vocab_size * 4;
    memory->train_peak = memory_train_peak(plan, graph->max_tokens, kept, columns);
}

static void sum_generation(struct plan *plan)
{
    struct graph_plan *graph = plan->graph;
    const struct model_config *model = &plan->recipe.model;
    long long columns = 0;
    for (int i = 0; i < graph->extend_count; i++)
        if (graph->extends[i].graph.scratch_columns > columns)
            columns = graph->extends[i].graph.scratch_columns;
    graph->memory.generate_scratch = (columns + 2LL * model->hidden_size) * graph->prompt_rows * 4 + tile_bytes(plan);
    graph->memory.kv_cache = 2LL * model->num_hidden_layers * plan->recipe.max_context * model->num_key_value_heads *
                             model->head_dim * (plan->recipe.compute_dtype == DTYPE_BF16 ? 2 : 4);
}

void memory_plan(struct plan *plan)
{
    struct graph_plan *graph = plan->graph;
    memory_rows(plan);
    for (int i = 0; i < graph->extend_count; i++)
        place_scratch(&graph->extends[i].graph);
    place_scratch(&graph->head);
    struct memory_totals *memory = &graph->memory;
    memory->weights = memory_weight_bytes(plan);
    memory->adapters = adapter_bytes(plan);
    memory->dora_norms = dora_norm_bytes(plan);
    memory->tiles = tile_bytes(plan);
    sum_training(plan);
    sum_generation(plan);
}

bool memory_pass(struct plan *plan, struct messages *messages)
{
    (void)messages;
    memory_plan(plan);
    return true;
}

static void line(FILE *out, const char *name, long long bytes, const char *what)
{
    fprintf(out, "%-18s %10.2f MiB  %s\n", name, (double)bytes / 1048576.0, what);
}

static void dump_scratch(const struct graph *graph, const char *name, int rows, FILE *out)
{
    fprintf(out, "%s: %d rows of %ld columns\n", name, rows, graph->scratch_columns);
    for (int i = 0; i < graph->value_count; i++) {
        const struct value *value = &graph->values[i];
        if (value->storage == STORE_SCRATCH && value->first >= 0)
            fprintf(out, "    columns %6ld to %6ld  %-16s operations %d to %d\n", value->column,
                    value->column + columns_of(value) - 1, value->name, value->first, value->last);
    }
}

void memory_dump(const struct plan *plan, FILE *out)
{
    const struct graph_plan *graph = plan->graph;
    const struct memory_totals *memory = &graph->memory;
    line(out, "weights", memory->weights, "frozen");
    line(out, "adapters", memory->adapters, "trained parameters");
    line(out, "gradients", memory->adapters, "of the adapters");
    line(out, "moments", 2 * memory->adapters, "AdamW's two");
    line(out, "saved", memory->saved, "activations from forward to backward, all layers");
    line(out, "inputs", memory->inputs, "each trained layer's input, the residual stream and its gradient");
    line(out, "scratch", memory->scratch,
         "values that live within one layer or one block of the head, and products' tiles on AMX");
    line(out, "train peak", memory->train_peak, "all of the above");
    line(out, "generate scratch", memory->generate_scratch, "");
    line(out, "kv cache", memory->kv_cache, "");
    for (int i = 0; i < graph->kind_count; i++)
        dump_scratch(&graph->kinds[i].graph, graph->kinds[i].name, graph->max_tokens, out);
    dump_scratch(&graph->head, "head", graph->head_rows, out);
}
