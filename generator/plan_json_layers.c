#include "plan_json_parts.h"
#include "recompute.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void add_text(cJSON *json, const char *key, char *text)
{
    cJSON_AddStringToObject(json, key, text);
    free(text);
}

static cJSON *layers_json(const int *layers, int count)
{
    return cJSON_CreateIntArray(layers, count);
}

/* The same as stretches of neighbours: {first, last, at, place}, `at` being the place of `first` in the list
 * and `place` that of `layer`. */
static cJSON *stretches_json(const int *layers, int count)
{
    cJSON *list = cJSON_CreateArray();
    for (int at = 0, end; at < count; at = end) {
        for (end = at + 1; end < count && layers[end] == layers[end - 1] + 1;)
            end++;
        cJSON *json = cJSON_CreateObject();
        cJSON_AddNumberToObject(json, "first", layers[at]);
        cJSON_AddNumberToObject(json, "last", layers[end - 1]);
        add_text(json, "place",
                 at == layers[at]  ? format_text("layer")
                 : at < layers[at] ? format_text("layer - %d", layers[at] - at)
                                   : format_text("layer + %d", at - layers[at]));
        cJSON_AddNumberToObject(json, "at", at);
        cJSON_AddItemToArray(list, json);
    }
    return list;
}

/* One module that carries an adapter: {slot = "q_proj", constant = "Q_PROJ", r, scaling, in_name, out_name, path}. */
static cJSON *slot_json(const struct plan *plan, enum slot slot, const struct adapter *adapter)
{
    cJSON *json = cJSON_CreateObject();
    const char *in_name, *out_name;
    int in, out;
    char constant[24];
    slot_constant(constant, sizeof constant, slot);
    slot_shape(&plan->recipe.model, slot, &in, &out, &in_name, &out_name);
    cJSON_AddStringToObject(json, "slot", slot_name(slot));
    cJSON_AddStringToObject(json, "constant", constant);
    cJSON_AddStringToObject(json, "block", slot <= SLOT_O ? "self_attn." : slot <= SLOT_DOWN ? "mlp." : "");
    char rank[32];
    cJSON_AddNumberToObject(json, "r", adapter->r);
    rank_name(rank, sizeof rank, plan, adapter->r);
    cJSON_AddStringToObject(json, "r_name", rank);
    cJSON_AddNumberToObject(json, "alpha", adapter->alpha);
    cJSON_AddNumberToObject(json, "scaling", adapter->scaling);
    cJSON_AddNumberToObject(json, "in", in);
    cJSON_AddNumberToObject(json, "out", out);
    cJSON_AddStringToObject(json, "in_name", in_name);
    cJSON_AddStringToObject(json, "out_name", out_name);
    cJSON_AddStringToObject(json, "kernel", lora_kernel_for((struct plan *)plan, slot, adapter)->name);
    return json;
}

cJSON *sets_json(const struct plan *plan)
{
    cJSON *list = cJSON_CreateArray();
    for (int i = 0; i < plan->graph->set_count; i++) {
        const struct adapter_set *set = &plan->graph->sets[i];
        cJSON *json = cJSON_CreateObject(), *slots = cJSON_CreateArray();
        cJSON_AddStringToObject(json, "name", set->name);
        cJSON_AddNumberToObject(json, "count", set->count);
        cJSON_AddItemToObject(json, "layers", layers_json(set->layers, set->count));
        cJSON_AddItemToObject(json, "stretches", stretches_json(set->layers, set->count));
        for (enum slot slot = 0; slot < LAYER_SLOTS; slot++)
            if (set->slots[slot].r > 0)
                cJSON_AddItemToArray(slots, slot_json(plan, slot, &set->slots[slot]));
        cJSON_AddItemToObject(json, "slots", slots);
        cJSON_AddItemToArray(list, json);
    }
    return list;
}

/* The call as a statement on one line; templates break it. */
static char *call_text(const struct operation *op)
{
    size_t size = sizeof op->kernel + (1 + MAX_OPERANDS) * (sizeof op->operands[0].text + 3) + 4;
    char *text = allocate(size, "a call");
    int length = op->own_rows ? snprintf(text, size, "%s = ", op->operands[0].text) : 0;
    length += snprintf(text + length, size - (size_t)length, "%s(", op->kernel);
    for (int i = 0; i < op->count; i++)
        length += snprintf(text + length, size - (size_t)length, "%s%s", i ? ", " : "", op->operands[i].text);
    snprintf(text + length, size - (size_t)length, ");");
    return text;
}

static cJSON *operation_json(const struct operation *op)
{
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "kernel", op->kernel);
    cJSON_AddBoolToObject(json, "adapter", !strncmp(op->kernel, "lora_", 5));
    add_text(json, "call", call_text(op));
    cJSON_AddNumberToObject(json, "flops", op->flops);
    cJSON_AddNumberToObject(json, "bytes_per_token", op->bytes_per_token);
    cJSON_AddNumberToObject(json, "bytes_fixed", op->bytes_fixed);
    return json;
}

static bool touches(const struct graph *graph, int from, int to, int value)
{
    for (int i = from; i < to; i++)
        for (int j = 0; j < graph->operations[i].count; j++)
            if (graph->operations[i].operands[j].value == value)
                return true;
    return false;
}

/* Does the text of any argument begin with `prefix` ("w->")? */
static bool mentions(const struct graph *graph, int from, int to, const char *prefix)
{
    for (int i = from; i < to; i++)
        for (int j = 0; j < graph->operations[i].count; j++)
            if (strstr(graph->operations[i].operands[j].text, prefix))
                return true;
    return false;
}

static char *upper(char *text)
{
    for (char *c = text; *c; c++)
        *c = (char)toupper((unsigned char)*c);
    return text;
}

/* "LOWEST_DQKV_AT", or "LOWEST_QKV_AGAIN_AT" of what is computed again: the column of scratch where a value of that kind of layer
 * begins (free() it). */
static char *column_constant(const char *prefix, const struct value *value)
{
    return upper(format_text("%s_%s%s_at", prefix, value->name, value->again ? "_again" : ""));
}

/* Where a value lies in scratch that is `rows` tall, as C writes it (free() it). */
static char *scratch_place(const char *prefix, const char *rows, const struct value *value)
{
    char *constant = column_constant(prefix, value);
    char *place = value->dtype == DTYPE_F32
                      ? format_text("s->scratch + (size_t)%s * %s", rows, constant)
                      : format_text("(%s *)(s->scratch + (size_t)%s * %s)", dtype_c_name(value->dtype), rows, constant);
    free(constant);
    return place;
}

/* One function's worth of operations: the values it names, what it points to, and the calls in order. Of several that run again
 * the first says for what (not_kept), and what follows them goes_on. */
static cJSON *function_json(const struct graph *graph, const char *prefix, const char *rows, int from, int to)
{
    static const char *const storages[] = {
        [STORE_PARAMETER] = "parameter", [STORE_SAVED] = "saved", [STORE_SCRATCH] = "scratch"};
    cJSON *json = cJSON_CreateObject(), *values = cJSON_CreateArray(), *operations = cJSON_CreateArray();
    double flops = 0;
    bool saved = false;
    for (int i = 0; i < graph->value_count; i++) {
        const struct value *value = &graph->values[i];
        if (value->first < 0 || !touches(graph, from, to, i))
            continue;
        cJSON *v = cJSON_CreateObject();
        cJSON_AddStringToObject(v, "name", value->name);
        cJSON_AddStringToObject(v, "width_name", value->width_name);
        cJSON_AddStringToObject(v, "type", dtype_c_name(value->dtype));
        cJSON_AddStringToObject(v, "storage", storages[value->storage]);
        if (value->storage == STORE_SCRATCH)
            add_text(v, "place", scratch_place(prefix, rows, value));
        cJSON_AddItemToArray(values, v);
        saved |= value->storage == STORE_SAVED;
    }
    for (int i = from; i < to; i++) {
        cJSON *operation = operation_json(&graph->operations[i]);
        const bool again = graph->operations[i].again, before = i > from && graph->operations[i - 1].again;
        add_text(operation, "not_kept", again && !before ? recomputed_names(graph, i) : format_text("%s", ""));
        cJSON_AddBoolToObject(operation, "goes_on", before && !again);
        cJSON_AddItemToArray(operations, operation);
        flops += graph->operations[i].again ? 0 : graph->operations[i].flops;
    }
    cJSON_AddItemToObject(json, "values", values);
    cJSON_AddItemToObject(json, "operations", operations);
    cJSON_AddNumberToObject(json, "flops", flops);
    cJSON_AddBoolToObject(json, "uses_weights", mentions(graph, from, to, "w->"));
    cJSON_AddBoolToObject(json, "uses_adapters", mentions(graph, from, to, "a->"));
    cJSON_AddBoolToObject(json, "uses_gradients", mentions(graph, from, to, "g->"));
    cJSON_AddBoolToObject(json, "uses_norms", mentions(graph, from, to, "norms->"));
    cJSON_AddBoolToObject(json, "uses_saved", saved);
    return json;
}

static cJSON *saved_json(const struct graph *graph)
{
    cJSON *list = cJSON_CreateArray();
    for (int i = 0; i < graph->value_count; i++) {
        const struct value *value = &graph->values[i];
        if (value->storage != STORE_SAVED || value->first < 0)
            continue;
        cJSON *json = cJSON_CreateObject();
        cJSON_AddStringToObject(json, "name", value->name);
        cJSON_AddStringToObject(json, "width_name", value->width_name);
        cJSON_AddStringToObject(json, "type", dtype_c_name(value->dtype));
        add_text(json, "size",
                 !strcmp(value->width_name, "1")  ? format_text("MAX_TOKENS")
                 : strchr(value->width_name, ' ') ? format_text("(size_t)MAX_TOKENS * (%s)", value->width_name)
                                                  : format_text("(size_t)MAX_TOKENS * %s", value->width_name));
        cJSON_AddItemToArray(list, json);
    }
    return list;
}

/* {name, constant, column}: where each value of one kind lies, as LOWEST_DQKV_AT. */
static cJSON *columns_json(const struct graph *graph, const char *prefix)
{
    cJSON *list = cJSON_CreateArray();
    for (int i = 0; i < graph->value_count; i++) {
        const struct value *value = &graph->values[i];
        if (value->storage != STORE_SCRATCH || value->first < 0)
            continue;
        cJSON *json = cJSON_CreateObject();
        cJSON_AddStringToObject(json, "name", value->name);
        add_text(json, "constant", column_constant(prefix, value));
        cJSON_AddNumberToObject(json, "column", (double)value->column);
        cJSON_AddItemToArray(list, json);
    }
    return list;
}

cJSON *scratch_json(const struct plan *plan)
{
    const struct graph_plan *graph = plan->graph;
    long long most = (long long)graph->head_rows * graph->head.scratch_columns;
    const char *rows = "HEAD_ROWS", *name = "head";
    for (int i = 0; i < graph->kind_count; i++) {
        long long size = (long long)graph->max_tokens * graph->kinds[i].graph.scratch_columns;
        if (size <= most)
            continue;
        most = size;
        rows = "MAX_TOKENS";
        name = graph->kinds[i].name;
    }
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "rows", rows);
    add_text(json, "columns", upper(format_text("%s_columns", name)));
    return json;
}

static void add_set_name(const struct plan *plan, cJSON *json, int set)
{
    cJSON_AddStringToObject(json, "set", set < 0 ? "" : plan->graph->sets[set].name);
}

static double share(double part, double whole)
{
    return whole > 0 ? round(part / whole * 1e4) / 1e4 : 0;
}

void add_recompute_shares(cJSON *json, const struct graph_plan *graph, double flops, double seconds)
{
    const struct cost_totals *cost = &graph->cost;
    cJSON_AddNumberToObject(json, "flops_share", share(flops, cost->forward_flops + cost->backward_flops));
    cJSON_AddNumberToObject(json, "time_share", share(seconds, cost->seconds));
}

static void add_recomputed(cJSON *json, const struct graph_plan *plan, const struct layer_kind *kind)
{
    double flops = 0, seconds = 0;
    for (int i = 0; i < kind->graph.count; i++)
        if (kind->graph.operations[i].again) {
            flops += kind->graph.operations[i].flops;
            seconds += kind->graph.operations[i].seconds;
        }
    cJSON_AddBoolToObject(json, "recompute", kind->recompute);
    add_text(json, "recomputed", recomputed_names(&kind->graph, -1));
    cJSON_AddNumberToObject(json, "recompute_flops", flops);
    add_recompute_shares(json, plan, kind->count * flops, kind->count * seconds);
}

cJSON *kinds_json(const struct plan *plan)
{
    cJSON *list = cJSON_CreateArray();
    for (int i = 0; i < plan->graph->kind_count; i++) {
        const struct layer_kind *kind = &plan->graph->kinds[i];
        const struct graph *graph = &kind->graph;
        cJSON *json = cJSON_CreateObject();
        cJSON_AddStringToObject(json, "name", kind->name);
        add_set_name(plan, json, kind->adapter_set);
        cJSON_AddNumberToObject(json, "window", kind->window);
        cJSON_AddBoolToObject(json, "trains", kind->trains);
        cJSON_AddBoolToObject(json, "input_gradient", kind->input_gradient);
        add_recomputed(json, plan->graph, kind);
        cJSON_AddNumberToObject(json, "count", kind->count);
        cJSON_AddItemToObject(json, "layers", layers_json(kind->layers, kind->count));
        cJSON_AddItemToObject(json, "stretches", stretches_json(kind->layers, kind->count));
        cJSON_AddItemToObject(json, "saved", saved_json(graph));
        cJSON_AddItemToObject(json, "columns", columns_json(graph, kind->name));
        cJSON_AddNumberToObject(json, "saved_bytes", (double)graph->saved_bytes);
        cJSON_AddNumberToObject(json, "scratch_columns", (double)graph->scratch_columns);
        cJSON_AddItemToObject(json, "forward", function_json(graph, kind->name, "MAX_TOKENS", 0, graph->forward_count));
        cJSON_AddItemToObject(json, "backward",
                              function_json(graph, kind->name, "MAX_TOKENS", graph->forward_count, graph->count));
        cJSON_AddItemToArray(list, json);
    }
    return list;
}

cJSON *extends_json(const struct plan *plan)
{
    cJSON *list = cJSON_CreateArray();
    for (int i = 0; i < plan->graph->extend_count; i++) {
        const struct extend_kind *extend = &plan->graph->extends[i];
        cJSON *json = cJSON_CreateObject();
        char prefix[64];
        snprintf(prefix, sizeof prefix, "extend_%s", extend->name);
        cJSON_AddStringToObject(json, "name", extend->name);
        cJSON_AddItemToObject(json, "columns", columns_json(&extend->graph, prefix));
        add_set_name(plan, json, extend->adapter_set);
        cJSON_AddNumberToObject(json, "window", extend->window);
        cJSON_AddNumberToObject(json, "scratch_columns", (double)extend->graph.scratch_columns);
        cJSON_AddItemToObject(json, "forward",
                              function_json(&extend->graph, prefix, "PROMPT_ROWS", 0, extend->graph.count));
        cJSON_AddItemToArray(list, json);
    }
    return list;
}

static const struct extend_kind *extend_of(const struct graph_plan *graph, const struct layer_kind *kind)
{
    for (int i = 0; i < graph->extend_count; i++)
        if (graph->extends[i].adapter_set == kind->adapter_set && graph->extends[i].window == kind->window)
            return &graph->extends[i];
    return NULL;
}

/* Consecutive layers of one kind: {kind, extend, first, last, trains}. */
cJSON *runs_json(const struct plan *plan)
{
    const struct graph_plan *graph = plan->graph;
    cJSON *list = cJSON_CreateArray();
    int layers = plan->recipe.model.num_hidden_layers;
    for (int layer = 0; layer < layers;) {
        int last = layer;
        while (last + 1 < layers && graph->kind_of[last + 1] == graph->kind_of[layer])
            last++;
        const struct layer_kind *kind = &graph->kinds[graph->kind_of[layer]];
        cJSON *json = cJSON_CreateObject();
        cJSON_AddStringToObject(json, "kind", kind->name);
        cJSON_AddStringToObject(json, "extend", extend_of(graph, kind)->name);
        cJSON_AddNumberToObject(json, "first", layer);
        cJSON_AddNumberToObject(json, "last", last);
        cJSON_AddBoolToObject(json, "trains", kind->trains);
        cJSON_AddItemToArray(list, json);
        layer = last + 1;
    }
    return list;
}

cJSON *head_json(const struct plan *plan)
{
    const struct graph *graph = &plan->graph->head;
    cJSON *json = cJSON_CreateObject();
    cJSON_AddItemToObject(json, "forward", function_json(graph, "head", "HEAD_ROWS", 0, graph->forward_count));
    cJSON_AddItemToObject(json, "columns", columns_json(graph, "head"));
    cJSON_AddItemToObject(json, "backward",
                          function_json(graph, "head", "HEAD_ROWS", graph->forward_count, graph->count));
    cJSON_AddNumberToObject(json, "scratch_columns", (double)graph->scratch_columns);
    if (plan->placement.head.r > 0)
        cJSON_AddItemToObject(json, "lora", slot_json(plan, SLOT_HEAD, &plan->placement.head));
    else
        cJSON_AddFalseToObject(json, "lora");
    return json;
}
