#include "plan_json.h"

#include "../runtime/data_fields.h"

#include <stdlib.h>
#include <string.h>

static cJSON *model_json(const struct model_config *model)
{
    static const char *const ropes[] = {"default", "linear", "llama3", "yarn"};
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "model_type", model->model_type);
    cJSON_AddNumberToObject(json, "hidden_size", model->hidden_size);
    cJSON_AddNumberToObject(json, "intermediate_size", model->intermediate_size);
    cJSON_AddNumberToObject(json, "num_hidden_layers", model->num_hidden_layers);
    cJSON_AddNumberToObject(json, "num_attention_heads", model->num_attention_heads);
    cJSON_AddNumberToObject(json, "num_key_value_heads", model->num_key_value_heads);
    cJSON_AddNumberToObject(json, "head_dim", model->head_dim);
    cJSON_AddNumberToObject(json, "vocab_size", model->vocab_size);
    cJSON_AddNumberToObject(json, "max_position_embeddings", model->max_position_embeddings);
    cJSON_AddNumberToObject(json, "rms_norm_eps", model->rms_norm_eps);
    cJSON_AddNumberToObject(json, "initializer_range", model->initializer_range);
    cJSON_AddNumberToObject(json, "sliding_window", model->sliding_window);
    cJSON *full = cJSON_AddArrayToObject(json, "full_layers");
    for (int word = 0; word * 32 < model->num_hidden_layers && word < MAX_FULL_LAYERS / 32 && model->sliding_window;
         word++)
        cJSON_AddItemToArray(full, cJSON_CreateNumber(model->full_layers[word]));
    cJSON_AddBoolToObject(json, "tie_word_embeddings", model->tie_word_embeddings);
    cJSON_AddBoolToObject(json, "qkv_bias", model->qkv_bias);
    cJSON_AddBoolToObject(json, "o_bias", model->o_bias);
    cJSON_AddBoolToObject(json, "mlp_bias", model->mlp_bias);
    cJSON_AddBoolToObject(json, "qk_norm", model->qk_norm);
    const struct rope_config *rope = &model->rope;
    cJSON *r = cJSON_AddObjectToObject(json, "rope");
    cJSON_AddStringToObject(r, "type", ropes[rope->type]);
    cJSON_AddNumberToObject(r, "theta", rope->theta);
    cJSON_AddNumberToObject(r, "factor", rope->factor);
    cJSON_AddNumberToObject(r, "low_freq_factor", rope->low_freq_factor);
    cJSON_AddNumberToObject(r, "high_freq_factor", rope->high_freq_factor);
    cJSON_AddNumberToObject(r, "original_max_position", rope->original_max_position);
    cJSON_AddNumberToObject(r, "beta_fast", rope->beta_fast);
    cJSON_AddNumberToObject(r, "beta_slow", rope->beta_slow);
    cJSON_AddNumberToObject(r, "attention_factor", rope->attention_factor);
    cJSON_AddNumberToObject(r, "truncate", rope->truncate);
    return json;
}

/* A list, because its order is the output's; null where nothing is mapped. */
static cJSON *data_fields_json(const cJSON *mapped)
{
    if (!mapped || !mapped->child)
        return cJSON_CreateNull();
    cJSON *list = cJSON_CreateArray();
    const char *field;
    for (int i = 0; (field = data_field_name(i)); i++) {
        const cJSON *name = cJSON_GetObjectItemCaseSensitive(mapped, field);
        if (!name)
            continue;
        cJSON *json = cJSON_CreateObject();
        cJSON_AddStringToObject(json, "field", field);
        cJSON_AddStringToObject(json, "name", name->valuestring);
        cJSON_AddItemToArray(list, json);
    }
    return list;
}

static cJSON *train_json(const struct recipe_train *train)
{
    cJSON *json = cJSON_CreateObject();
    cJSON_AddNumberToObject(json, "per_device_train_batch_size", train->per_device_train_batch_size);
    cJSON_AddNumberToObject(json, "max_length", train->max_length);
    cJSON_AddNumberToObject(json, "gradient_accumulation_steps", train->gradient_accumulation_steps);
    cJSON_AddNumberToObject(json, "learning_rate", train->learning_rate);
    cJSON_AddStringToObject(json, "lr_scheduler_type", train->lr_scheduler_type);
    cJSON_AddNumberToObject(json, "min_lr", train->min_lr);
    cJSON_AddNumberToObject(json, "min_lr_rate", train->min_lr_rate);
    cJSON_AddNumberToObject(json, "num_cycles", train->num_cycles);
    cJSON_AddNumberToObject(json, "power", train->power);
    cJSON_AddNumberToObject(json, "lr_end", train->lr_end);
    cJSON_AddNumberToObject(json, "timescale", train->timescale);
    cJSON_AddNumberToObject(json, "warmup_steps", train->warmup_steps);
    cJSON_AddNumberToObject(json, "warmup_ratio", train->warmup_ratio);
    cJSON_AddNumberToObject(json, "num_train_epochs", train->num_train_epochs);
    cJSON_AddNumberToObject(json, "max_steps", train->max_steps);
    cJSON_AddNumberToObject(json, "weight_decay", train->weight_decay);
    cJSON_AddNumberToObject(json, "adam_beta1", train->adam_beta1);
    cJSON_AddNumberToObject(json, "adam_beta2", train->adam_beta2);
    cJSON_AddNumberToObject(json, "adam_epsilon", train->adam_epsilon);
    cJSON_AddNumberToObject(json, "max_grad_norm", train->max_grad_norm);
    cJSON_AddNumberToObject(json, "seed", (double)train->seed);
    cJSON_AddNumberToObject(json, "logging_steps", train->logging_steps);
    cJSON_AddNumberToObject(json, "save_steps", train->save_steps);
    cJSON_AddNumberToObject(json, "save_total_limit", train->save_total_limit);
    cJSON_AddNumberToObject(json, "eval_steps", train->eval_steps);
    cJSON_AddNumberToObject(json, "max_samples", (double)train->max_samples);
    cJSON_AddBoolToObject(json, "shuffle", train->shuffle);
    cJSON_AddBoolToObject(json, "assistant_only_loss", train->assistant_only_loss);
    cJSON_AddBoolToObject(json, "packing", train->packing);
    cJSON_AddItemToObject(json, "data_fields", data_fields_json(train->data_fields));
    return json;
}

static cJSON *lora_config_json(const struct recipe_lora *lora)
{
    cJSON *json = cJSON_CreateObject();
    cJSON_AddNumberToObject(json, "r", lora->r);
    cJSON_AddNumberToObject(json, "lora_alpha", lora->lora_alpha);
    cJSON_AddNumberToObject(json, "lora_dropout", lora->lora_dropout);
    cJSON_AddBoolToObject(json, "use_rslora", lora->use_rslora);
    cJSON_AddBoolToObject(json, "use_dora", lora->use_dora);
    cJSON_AddStringToObject(json, "init_lora_weights", lora->init_lora_weights);
    return json;
}

static cJSON *products_json(const struct plan *plan)
{
    cJSON *list = cJSON_CreateArray();
    for (int i = 0; i < PRODUCTS; i++) {
        const struct product *product = &plan->graph->products[i];
        cJSON *json = cJSON_CreateObject();
        cJSON_AddStringToObject(json, "name", product->name);
        cJSON_AddNumberToObject(json, "N", product->N);
        cJSON_AddNumberToObject(json, "K", product->K);
        cJSON_AddStringToObject(json, "N_name", product->N_name);
        cJSON_AddStringToObject(json, "K_name", product->K_name);
        cJSON_AddBoolToObject(json, "bias", product->bias);
        cJSON_AddBoolToObject(json, "residual", product->residual);
        cJSON_AddBoolToObject(json, "backward", product->backward);
        cJSON_AddBoolToObject(json, "weight_gradient", product->weight_gradient);
        cJSON_AddNumberToObject(json, "flops", 2.0 * product->N * product->K);
        cJSON_AddItemToArray(list, json);
    }
    return list;
}

static cJSON *lora_kernel_json(const struct plan *plan, const struct lora_kernel *kernel, const char *suffix,
                               bool input_gradient)
{
    cJSON *json = cJSON_CreateObject();
    char name[64];
    snprintf(name, sizeof name, "%s%s", kernel->name, suffix);
    cJSON_AddStringToObject(json, "name", name);
    cJSON_AddStringToObject(json, "slot", slot_name(kernel->slot));
    cJSON_AddNumberToObject(json, "r", kernel->adapter.r);
    cJSON_AddNumberToObject(json, "in", kernel->in);
    cJSON_AddNumberToObject(json, "out", kernel->out);
    cJSON_AddStringToObject(json, "in_name", kernel->in_name);
    cJSON_AddStringToObject(json, "out_name", kernel->out_name);
    cJSON_AddNumberToObject(json, "scaling", kernel->adapter.scaling);
    cJSON_AddNumberToObject(json, "dropout", plan->recipe.lora.lora_dropout);
    cJSON_AddBoolToObject(json, "dora", plan->recipe.lora.use_dora);
    cJSON_AddBoolToObject(json, "input_gradient", input_gradient);
    return json;
}

/* An adapter whose dx some layers need and the lowest does not has two entries, the second named ..._lowest. */
static cJSON *loras_json(const struct plan *plan)
{
    cJSON *list = cJSON_CreateArray();
    for (int i = 0; i < plan->graph->lora_count; i++) {
        const struct lora_kernel *kernel = &plan->graph->loras[i];
        cJSON_AddItemToArray(list, lora_kernel_json(plan, kernel, "", kernel->input_gradient));
        if (kernel->input_gradient && kernel->without_input_gradient)
            cJSON_AddItemToArray(list, lora_kernel_json(plan, kernel, "_lowest", false));
    }
    return list;
}

static cJSON *layers_json(const int *layers, int count)
{
    return cJSON_CreateIntArray(layers, count);
}

/* The same as stretches of neighbours: {first, last, at}, `at` being the place of `first` in the list. */
static cJSON *stretches_json(const int *layers, int count)
{
    cJSON *list = cJSON_CreateArray();
    for (int at = 0, end; at < count; at = end) {
        for (end = at + 1; end < count && layers[end] == layers[end - 1] + 1;)
            end++;
        cJSON *json = cJSON_CreateObject();
        cJSON_AddNumberToObject(json, "first", layers[at]);
        cJSON_AddNumberToObject(json, "last", layers[end - 1]);
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
    cJSON_AddNumberToObject(json, "r", adapter->r);
    cJSON_AddNumberToObject(json, "alpha", adapter->alpha);
    cJSON_AddNumberToObject(json, "scaling", adapter->scaling);
    cJSON_AddNumberToObject(json, "in", in);
    cJSON_AddNumberToObject(json, "out", out);
    cJSON_AddStringToObject(json, "in_name", in_name);
    cJSON_AddStringToObject(json, "out_name", out_name);
    cJSON_AddStringToObject(json, "kernel", lora_kernel_for((struct plan *)plan, slot, adapter)->name);
    return json;
}

static cJSON *sets_json(const struct plan *plan)
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

static void add_text(cJSON *json, const char *key, char *text)
{
    cJSON_AddStringToObject(json, key, text);
    free(text);
}

/* The call as a statement on one line; templates break it. */
static char *call_text(const struct operation *op)
{
    size_t size = sizeof op->kernel + MAX_OPERANDS * (sizeof op->operands[0].text + 2) + 4;
    char *text = allocate(size, "a call");
    int length = snprintf(text, size, "%s(", op->kernel);
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

/* One function's worth of operations: the values it names, what it points to, and the calls in order. */
static cJSON *function_json(const struct graph *graph, int from, int to)
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
        cJSON_AddStringToObject(v, "storage", storages[value->storage]);
        cJSON_AddNumberToObject(v, "column", (double)value->column);
        cJSON_AddItemToArray(values, v);
        saved |= value->storage == STORE_SAVED;
    }
    for (int i = from; i < to; i++) {
        cJSON_AddItemToArray(operations, operation_json(&graph->operations[i]));
        flops += graph->operations[i].flops;
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
        cJSON_AddItemToArray(list, json);
    }
    return list;
}

static void add_set_name(const struct plan *plan, cJSON *json, int set)
{
    cJSON_AddStringToObject(json, "set", set < 0 ? "" : plan->graph->sets[set].name);
}

/* Whether recomputing stops before the forward pass is through. */
static bool is_cut(const struct layer_kind *kind)
{
    return kind->recompute && kind->graph.recompute_count < kind->graph.forward_count;
}

static cJSON *kinds_json(const struct plan *plan)
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
        cJSON_AddBoolToObject(json, "recompute", kind->recompute);
        cJSON_AddNumberToObject(json, "recompute_count", graph->recompute_count);
        cJSON_AddBoolToObject(json, "cut", is_cut(kind));
        cJSON_AddNumberToObject(json, "count", kind->count);
        cJSON_AddItemToObject(json, "layers", layers_json(kind->layers, kind->count));
        cJSON_AddItemToObject(json, "stretches", stretches_json(kind->layers, kind->count));
        cJSON_AddItemToObject(json, "saved", saved_json(graph));
        cJSON_AddNumberToObject(json, "saved_columns", (double)graph->saved_columns);
        cJSON_AddNumberToObject(json, "scratch_columns", (double)graph->scratch_columns);
        cJSON_AddItemToObject(json, "forward", function_json(graph, 0, graph->forward_count));
        cJSON_AddItemToObject(json, "backward", function_json(graph, graph->forward_count, graph->count));
        cJSON_AddItemToArray(list, json);
    }
    return list;
}

static cJSON *extends_json(const struct plan *plan)
{
    cJSON *list = cJSON_CreateArray();
    for (int i = 0; i < plan->graph->extend_count; i++) {
        const struct extend_kind *extend = &plan->graph->extends[i];
        cJSON *json = cJSON_CreateObject();
        cJSON_AddStringToObject(json, "name", extend->name);
        add_set_name(plan, json, extend->adapter_set);
        cJSON_AddNumberToObject(json, "window", extend->window);
        cJSON_AddNumberToObject(json, "scratch_columns", (double)extend->graph.scratch_columns);
        cJSON_AddItemToObject(json, "forward", function_json(&extend->graph, 0, extend->graph.count));
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
static cJSON *runs_json(const struct plan *plan)
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
        cJSON_AddBoolToObject(json, "recompute", kind->recompute);
        cJSON_AddBoolToObject(json, "cut", is_cut(kind));
        cJSON_AddItemToArray(list, json);
        layer = last + 1;
    }
    return list;
}

static cJSON *head_json(const struct plan *plan)
{
    const struct graph *graph = &plan->graph->head;
    cJSON *json = cJSON_CreateObject();
    cJSON_AddItemToObject(json, "forward", function_json(graph, 0, graph->forward_count));
    cJSON_AddItemToObject(json, "backward", function_json(graph, graph->forward_count, graph->count));
    cJSON_AddNumberToObject(json, "scratch_columns", (double)graph->scratch_columns);
    if (plan->placement.head.r > 0)
        cJSON_AddItemToObject(json, "lora", slot_json(plan, SLOT_HEAD, &plan->placement.head));
    else
        cJSON_AddFalseToObject(json, "lora");
    return json;
}

static cJSON *memory_json(const struct memory_totals *memory)
{
    cJSON *json = cJSON_CreateObject();
    cJSON_AddNumberToObject(json, "weights", (double)memory->weights);
    cJSON_AddNumberToObject(json, "adapters", (double)memory->adapters);
    cJSON_AddNumberToObject(json, "dora_norms", (double)memory->dora_norms);
    cJSON_AddNumberToObject(json, "saved", (double)memory->saved);
    cJSON_AddNumberToObject(json, "inputs", (double)memory->inputs);
    cJSON_AddNumberToObject(json, "scratch", (double)memory->scratch);
    cJSON_AddNumberToObject(json, "generate_scratch", (double)memory->generate_scratch);
    cJSON_AddNumberToObject(json, "kv_cache", (double)memory->kv_cache);
    cJSON_AddNumberToObject(json, "train_peak", (double)memory->train_peak);
    return json;
}

static cJSON *cost_json(const struct plan *plan)
{
    const struct cost_totals *cost = &plan->graph->cost;
    cJSON *json = cJSON_CreateObject();
    cJSON_AddNumberToObject(json, "forward_flops", cost->forward_flops);
    cJSON_AddNumberToObject(json, "backward_flops", cost->backward_flops);
    cJSON_AddNumberToObject(json, "recompute_flops", cost->recompute_flops);
    cJSON_AddNumberToObject(json, "decode_bytes", cost->decode_bytes);
    cJSON_AddNumberToObject(json, "trained_parameters", (double)plan->placement.trained);
    cJSON_AddNumberToObject(json, "frozen_parameters", (double)plan->placement.frozen);
    return json;
}

static void add_flags(const struct plan *plan, cJSON *json)
{
    const struct placement *placement = &plan->placement;
    const struct recipe_train *train = &plan->recipe.train;
    cJSON_AddStringToObject(json, "weight_dtype", train->bf16 ? "bf16" : train->fp16 ? "f16" : "f32");
    cJSON_AddBoolToObject(json, "train_head", placement->train_head);
    cJSON_AddBoolToObject(json, "train_embedding", placement->train_embedding);
    cJSON_AddBoolToObject(json, "dora", plan->recipe.lora.use_dora);
    cJSON_AddBoolToObject(json, "dropout", plan->recipe.lora.lora_dropout > 0);
    cJSON_AddBoolToObject(json, "final_gradient", plan->graph->final_gradient);
    int first = 0;
    while (first < plan->recipe.model.num_hidden_layers && !plan->graph->kinds[plan->graph->kind_of[first]].trains)
        first++;
    cJSON_AddNumberToObject(json, "first_training_layer", first);
    cJSON_AddNumberToObject(json, "max_tokens", plan->graph->max_tokens);
    cJSON_AddNumberToObject(json, "head_rows", plan->graph->head_rows);
    cJSON_AddNumberToObject(json, "prompt_rows", plan->graph->prompt_rows);
    cJSON_AddNumberToObject(json, "max_context", plan->recipe.max_context);
}

cJSON *plan_to_json(const struct plan *plan)
{
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "name", plan->recipe.name);
    cJSON_AddStringToObject(json, "recipe", plan->recipe.path);
    cJSON_AddItemToObject(json, "model", model_json(&plan->recipe.model));
    cJSON_AddItemToObject(json, "lora", lora_config_json(&plan->recipe.lora));
    cJSON_AddItemToObject(json, "train", train_json(&plan->recipe.train));
    add_flags(plan, json);
    cJSON_AddItemToObject(json, "products", products_json(plan));
    cJSON_AddItemToObject(json, "loras", loras_json(plan));
    cJSON_AddItemToObject(json, "sets", sets_json(plan));
    cJSON_AddItemToObject(json, "kinds", kinds_json(plan));
    cJSON_AddItemToObject(json, "extends", extends_json(plan));
    cJSON_AddItemToObject(json, "runs", runs_json(plan));
    cJSON_AddItemToObject(json, "head", head_json(plan));
    cJSON_AddItemToObject(json, "memory", memory_json(&plan->graph->memory));
    cJSON_AddItemToObject(json, "cost", cost_json(plan));
    add_text(json, "adapter_config", placement_adapter_config(plan));
    add_text(json, "placement", placement_table(plan));
    if (plan->recipe.chat)
        cJSON_AddItemToObject(json, "chat", cJSON_Duplicate(plan->recipe.chat, true));
    else
        cJSON_AddNullToObject(json, "chat");
    return json;
}
