/* adapter_config.json of an adapter of this recipe, as PEFT's LoraConfig.save_pretrained writes it. */
#include "json_text.h"
#include "plan.h"

#include <stdlib.h>
#include <string.h>

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* PEFT keeps a set: sorted here, each once. NULL: null. */
static cJSON *name_set(const struct string_list *list)
{
    cJSON *array = cJSON_CreateArray();
    const char **names = allocate((size_t)list->count * sizeof *names, "module names");
    for (int i = 0; i < list->count; i++)
        names[i] = list->items[i];
    qsort(names, (size_t)list->count, sizeof *names, by_text);
    for (int i = 0; i < list->count; i++) {
        if (i == 0 || strcmp(names[i], names[i - 1]) != 0)
            cJSON_AddItemToArray(array, cJSON_CreateString(names[i]));
    }
    free(names);
    return array;
}

static cJSON *names_or_null(const struct string_list *list)
{
    return list->count ? name_set(list) : cJSON_CreateNull();
}

static cJSON *target_modules(const struct recipe_lora *lora)
{
    if (lora->target_regex)
        return cJSON_CreateString(lora->target_regex);
    if (!lora->all_linear)
        return name_set(&lora->target_modules);
    struct string_list all = {0};
    for (int slot = 0; slot < LAYER_SLOTS; slot++)
        string_list_add(&all, slot_name((enum slot)slot));
    cJSON *names = name_set(&all);
    string_list_free(&all);
    return names;
}

/* In the recipe's order: PEFT takes the first that matches. */
static cJSON *patterns(const struct pattern *list, int count)
{
    cJSON *object = cJSON_CreateObject();
    for (int i = 0; i < count; i++)
        cJSON_AddNumberToObject(object, list[i].key, list[i].value);
    return object;
}

static cJSON *layers(const struct recipe_lora *lora)
{
    return lora->layers_to_transform_count
               ? cJSON_CreateIntArray(lora->layers_to_transform, lora->layers_to_transform_count)
               : cJSON_CreateNull();
}

static cJSON *init(const char *init_lora_weights)
{
    if (strcmp(init_lora_weights, "gaussian") == 0)
        return cJSON_CreateString("gaussian");
    return cJSON_CreateBool(strcmp(init_lora_weights, "true") == 0);
}

static cJSON *adapter_config(const struct recipe_lora *lora)
{
    cJSON *j = cJSON_CreateObject();
    CHECK(j);
    cJSON_AddItemToObject(j, "alpha_pattern", patterns(lora->alpha_pattern, lora->alpha_pattern_count));
    cJSON_AddNullToObject(j, "auto_mapping");
    cJSON_AddNullToObject(j, "base_model_name_or_path");
    cJSON_AddStringToObject(j, "bias", "none");
    cJSON_AddItemToObject(j, "exclude_modules",
                          lora->exclude_regex ? cJSON_CreateString(lora->exclude_regex)
                                              : names_or_null(&lora->exclude_modules));
    cJSON_AddBoolToObject(j, "fan_in_fan_out", false);
    cJSON_AddBoolToObject(j, "inference_mode", true);
    cJSON_AddItemToObject(j, "init_lora_weights", init(lora->init_lora_weights));
    cJSON_AddNullToObject(j, "layer_replication");
    cJSON_AddNullToObject(j, "layers_pattern");
    cJSON_AddItemToObject(j, "layers_to_transform", layers(lora));
    cJSON_AddItemToObject(j, "loftq_config", cJSON_CreateObject());
    cJSON_AddNumberToObject(j, "lora_alpha", lora->lora_alpha);
    cJSON_AddBoolToObject(j, "lora_bias", false);
    cJSON_AddNumberToObject(j, "lora_dropout", lora->lora_dropout);
    cJSON_AddNullToObject(j, "megatron_config");
    cJSON_AddStringToObject(j, "megatron_core", "megatron.core");
    cJSON_AddItemToObject(j, "modules_to_save", names_or_null(&lora->modules_to_save));
    cJSON_AddStringToObject(j, "peft_type", "LORA");
    cJSON_AddStringToObject(j, "peft_version", "0.20.0"); /* whose keys these are; older ones warn about newer keys */
    cJSON_AddNumberToObject(j, "r", lora->r);
    cJSON_AddItemToObject(j, "rank_pattern", patterns(lora->rank_pattern, lora->rank_pattern_count));
    cJSON_AddNullToObject(j, "revision");
    cJSON_AddItemToObject(j, "target_modules", target_modules(lora));
    cJSON_AddNullToObject(j, "target_parameters");
    cJSON_AddStringToObject(j, "task_type", "CAUSAL_LM");
    cJSON_AddNullToObject(j, "trainable_token_indices");
    cJSON_AddBoolToObject(j, "use_dora", lora->use_dora);
    cJSON_AddBoolToObject(j, "use_rslora", lora->use_rslora);
    return j;
}

char *placement_adapter_config(const struct plan *plan)
{
    cJSON *json = adapter_config(&plan->recipe.lora);
    char *text = json_text(json);
    cJSON_Delete(json);
    return text;
}
