#include "../runtime/data_fields.h"
#include "plan_json_parts.h"

cJSON *model_json(const struct model_config *model)
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

cJSON *train_json(const struct recipe_train *train)
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

cJSON *lora_config_json(const struct recipe_lora *lora)
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
