#include "plan_json.h"
#include "plan_json_parts.h"

#include <inttypes.h>
#include <stdlib.h>

static cJSON *memory_json(const struct memory_totals *memory)
{
    cJSON *json = cJSON_CreateObject();
    cJSON_AddNumberToObject(json, "weights", (double)memory->weights);
    cJSON_AddNumberToObject(json, "adapters", (double)memory->adapters);
    cJSON_AddNumberToObject(json, "dora_norms", (double)memory->dora_norms);
    cJSON_AddNumberToObject(json, "saved", (double)memory->saved);
    cJSON_AddNumberToObject(json, "inputs", (double)memory->inputs);
    cJSON_AddNumberToObject(json, "scratch", (double)memory->scratch);
    cJSON_AddNumberToObject(json, "tiles", (double)memory->tiles);
    cJSON_AddNumberToObject(json, "generate_scratch", (double)memory->generate_scratch);
    cJSON_AddNumberToObject(json, "kv_cache", (double)memory->kv_cache);
    cJSON_AddNumberToObject(json, "train_peak", (double)memory->train_peak);
    return json;
}

/* What `info` shows beside what was chosen: {setting, budget, peak, flops_share, time_share, chosen}. */
static cJSON *choices_json(const struct graph_plan *graph)
{
    cJSON *list = cJSON_CreateArray();
    for (int i = 0; i < graph->choice_count; i++) {
        const struct memory_choice *choice = &graph->choices[i];
        cJSON *json = cJSON_CreateObject();
        cJSON_AddStringToObject(json, "setting", choice->setting);
        cJSON_AddNumberToObject(json, "budget", choice->budget);
        cJSON_AddNumberToObject(json, "peak", (double)choice->peak);
        add_recompute_shares(json, graph, choice->flops, choice->seconds);
        cJSON_AddBoolToObject(json, "chosen", choice->chosen);
        cJSON_AddItemToArray(list, json);
    }
    return list;
}

static cJSON *cost_json(const struct plan *plan)
{
    const struct cost_totals *cost = &plan->graph->cost;
    cJSON *json = cJSON_CreateObject();
    cJSON_AddNumberToObject(json, "forward_flops", cost->forward_flops);
    cJSON_AddNumberToObject(json, "backward_flops", cost->backward_flops);
    cJSON_AddNumberToObject(json, "recompute_flops", cost->recompute_flops);
    cJSON_AddNumberToObject(json, "seconds", cost->seconds);
    cJSON_AddNumberToObject(json, "recompute_seconds", cost->recompute_seconds);
    cJSON_AddNumberToObject(json, "decode_bytes", cost->decode_bytes);
    cJSON_AddNumberToObject(json, "trained_parameters", (double)plan->placement.trained);
    cJSON_AddNumberToObject(json, "frozen_parameters", (double)plan->placement.frozen);
    return json;
}

static void add_flags(const struct plan *plan, cJSON *json)
{
    const struct placement *placement = &plan->placement;
    bool thin = false;
    for (int i = 0; i < plan->graph->lora_count; i++)
        thin |= lora_is_thin(plan, &plan->graph->loras[i]);
    static const char *const dtypes[] = {[DTYPE_F32] = "f32", [DTYPE_BF16] = "bf16", [DTYPE_F16] = "f16"};
    cJSON_AddStringToObject(json, "compute_dtype", dtypes[plan->recipe.compute_dtype]);
    /* what operations hand on to products and attention, and whether that is not float */
    cJSON_AddStringToObject(json, "x_type", dtype_c_name(plan->recipe.compute_dtype));
    cJSON_AddBoolToObject(json, "narrow", plan->recipe.compute_dtype == DTYPE_BF16);
    cJSON_AddStringToObject(json, "weight_dtype", dtypes[plan->recipe.weight_dtype]);
    cJSON_AddBoolToObject(json, "amx", plan->recipe.amx);
    cJSON_AddBoolToObject(json, "train_head", placement->train_head);
    cJSON_AddBoolToObject(json, "train_embedding", placement->train_embedding);
    cJSON_AddBoolToObject(json, "dora", plan->recipe.lora.use_dora);
    cJSON_AddBoolToObject(json, "dropout", plan->recipe.lora.lora_dropout > 0);
    cJSON_AddBoolToObject(json, "thin", thin);
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

static void add_text(cJSON *json, const char *key, char *text)
{
    cJSON_AddStringToObject(json, key, text);
    free(text);
}

/* FNV-1a (64 bits) of the plan's text, by which a program's files know whether they were made for it. */
static void add_hash(cJSON *json)
{
    char *text = cJSON_PrintUnformatted(json);
    uint64_t hash = 0xcbf29ce484222325;
    for (const char *c = text; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 0x100000001b3;
    cJSON_free(text);
    add_text(json, "hash", format_text("%016" PRIx64, hash));
}

cJSON *plan_to_json(const struct plan *plan)
{
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "name", plan->recipe.name);
    add_text(json, "recipe", path_shown(plan->recipe.path));
    cJSON_AddItemToObject(json, "model", model_json(&plan->recipe.model));
    cJSON_AddItemToObject(json, "lora", lora_config_json(&plan->recipe.lora));
    cJSON_AddItemToObject(json, "train", train_json(&plan->recipe.train));
    add_flags(plan, json);
    cJSON_AddItemToObject(json, "products", products_json(plan));
    cJSON_AddItemToObject(json, "loras", loras_json(plan));
    cJSON_AddItemToObject(json, "ranks", ranks_json(plan));
    cJSON_AddItemToObject(json, "scalings", scalings_json(plan));
    cJSON_AddItemToObject(json, "gradients", gradient_kernels_json(plan));
    cJSON_AddItemToObject(json, "sets", sets_json(plan));
    cJSON_AddItemToObject(json, "kinds", kinds_json(plan));
    cJSON_AddItemToObject(json, "extends", extends_json(plan));
    cJSON_AddItemToObject(json, "runs", runs_json(plan));
    cJSON_AddItemToObject(json, "head", head_json(plan));
    cJSON_AddItemToObject(json, "scratch", scratch_json(plan));
    cJSON_AddItemToObject(json, "memory", memory_json(&plan->graph->memory));
    cJSON_AddItemToObject(json, "choices", choices_json(plan->graph));
    cJSON_AddItemToObject(json, "cost", cost_json(plan));
    add_text(json, "adapter_config", placement_adapter_config(plan));
    add_text(json, "placement", placement_table(plan));
    if (plan->recipe.chat)
        cJSON_AddItemToObject(json, "chat", cJSON_Duplicate(plan->recipe.chat, true));
    else
        cJSON_AddNullToObject(json, "chat");
    add_hash(json);
    return json;
}
