#include "plan_json_parts.h"

#include <string.h>

cJSON *products_json(const struct plan *plan)
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
        cJSON_AddStringToObject(json, "y_type", dtype_c_name(product->y));
        cJSON_AddStringToObject(json, "dx_type", dtype_c_name(product->dx));
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
    char constant[32];
    cJSON_AddNumberToObject(json, "r", kernel->adapter.r);
    rank_name(constant, sizeof constant, plan, kernel->adapter.r);
    cJSON_AddStringToObject(json, "r_name", constant);
    scaling_name(constant, sizeof constant, plan, kernel->adapter.scaling);
    cJSON_AddStringToObject(json, "scaling_name", constant);
    cJSON_AddNumberToObject(json, "in", kernel->in);
    cJSON_AddNumberToObject(json, "out", kernel->out);
    cJSON_AddStringToObject(json, "in_name", kernel->in_name);
    cJSON_AddStringToObject(json, "out_name", kernel->out_name);
    cJSON_AddNumberToObject(json, "scaling", kernel->adapter.scaling);
    cJSON_AddNumberToObject(json, "dropout", plan->recipe.lora.lora_dropout);
    cJSON_AddBoolToObject(json, "dora", plan->recipe.lora.use_dora);
    cJSON_AddBoolToObject(json, "thin", lora_is_thin(plan, kernel));
    cJSON_AddStringToObject(json, "y_type", dtype_c_name(kernel->y));
    cJSON_AddStringToObject(json, "dx_type", dtype_c_name(kernel->dx));
    cJSON_AddBoolToObject(json, "input_gradient", input_gradient);
    return json;
}

/* An adapter whose dx some layers need and the lowest does not has two entries, the second named ..._lowest. */
cJSON *loras_json(const struct plan *plan)
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

static void add_constant(cJSON *list, const char *name, double value)
{
    const cJSON *known;
    cJSON_ArrayForEach(known,
                       list) if (!strcmp(cJSON_GetObjectItemCaseSensitive(known, "name")->valuestring, name)) return;
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "name", name);
    cJSON_AddNumberToObject(json, "value", value);
    cJSON_AddItemToArray(list, json);
}

cJSON *ranks_json(const struct plan *plan)
{
    cJSON *list = cJSON_CreateArray();
    for (int i = 0; i < plan->graph->lora_count; i++) {
        char name[32];
        rank_name(name, sizeof name, plan, plan->graph->loras[i].adapter.r);
        add_constant(list, name, plan->graph->loras[i].adapter.r);
    }
    return list;
}

cJSON *scalings_json(const struct plan *plan)
{
    cJSON *list = cJSON_CreateArray();
    for (int i = 0; i < plan->graph->lora_count; i++) {
        char name[32];
        scaling_name(name, sizeof name, plan, plan->graph->loras[i].adapter.scaling);
        add_constant(list, name, plan->graph->loras[i].adapter.scaling);
    }
    return list;
}

/* {symbol, and true or false for each gradient of the family}; the gradients of a mask are called `parts`. */
static cJSON *variants_json(const struct plan *plan, enum family family, const char *const *parts, int count)
{
    cJSON *list = cJSON_CreateArray();
    for (unsigned wanted = (1U << count) - 1; wanted > 0; wanted--) {
        if (!plan->graph->variants[family][wanted])
            continue;
        cJSON *json = cJSON_CreateObject();
        char symbol[32];
        variant_name(symbol, sizeof symbol, family, wanted);
        cJSON_AddStringToObject(json, "symbol", symbol);
        for (int i = 0; i < count; i++)
            cJSON_AddBoolToObject(json, parts[i], wanted >> i & 1);
        cJSON_AddItemToArray(list, json);
    }
    return list;
}

/* The kernels of a block of keys that attention's variants are made of: dk and dv together, or one of them. */
static cJSON *attention_keys_json(const struct plan *plan)
{
    static const char *const symbols[] = {
        [WANT_K] = "attention_dk", [WANT_V] = "attention_dv", [WANT_K | WANT_V] = "attention_dk_dv"};
    cJSON *list = cJSON_CreateArray();
    for (unsigned keys = WANT_K | WANT_V; keys >= WANT_K; keys -= WANT_K) {
        if (!plan->graph->variants[FAMILY_ATTENTION][keys] && !plan->graph->variants[FAMILY_ATTENTION][keys | WANT_Q])
            continue;
        cJSON *json = cJSON_CreateObject();
        cJSON_AddStringToObject(json, "symbol", symbols[keys]);
        cJSON_AddBoolToObject(json, "k", keys & WANT_K);
        cJSON_AddBoolToObject(json, "v", keys & WANT_V);
        cJSON_AddItemToArray(list, json);
    }
    return list;
}

cJSON *gradient_kernels_json(const struct plan *plan)
{
    static const char *const qkv[] = {"q", "k", "v"}, *const gate_up[] = {"gate", "up"};
    cJSON *json = cJSON_CreateObject();
    cJSON_AddItemToObject(json, "attention", variants_json(plan, FAMILY_ATTENTION, qkv, 3));
    cJSON_AddItemToObject(json, "attention_keys", attention_keys_json(plan));
    cJSON_AddItemToObject(json, "rope", variants_json(plan, FAMILY_ROPE, qkv, 2));
    cJSON_AddItemToObject(json, "head_norm", variants_json(plan, FAMILY_HEAD_NORM, qkv, 2));
    cJSON_AddItemToObject(json, "swiglu", variants_json(plan, FAMILY_SWIGLU, gate_up, 2));
    return json;
}
