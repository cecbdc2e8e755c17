#include "schema.h"
#include "suggest.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static const char *const schedules[] = {"linear",
                                        "cosine",
                                        "constant",
                                        "constant_with_warmup",
                                        "polynomial",
                                        "inverse_sqrt",
                                        "cosine_with_restarts",
                                        "cosine_with_min_lr",
                                        NULL};
static const char *const optimizers[] = {"adamw_torch", NULL};
static const char *const biases[] = {"none", NULL};
static const char *const tasks[] = {"CAUSAL_LM", NULL};
static const char *const quantizations[] = {"nf4", "fp4", NULL};
static const char *const dtypes[] = {"float32", "bfloat16", "float16", "uint8", NULL};

enum { MOST_RANK = 65536, MOST_TOKENS = 1 << 20, USUAL_CONTEXT = 1024, NO_PLACE = 0 };

#define AT(member) .offset = offsetof(struct recipe, member)

static const struct schema_field fields[] = {
    {"model", read_model, AT(model)},
    {"chat", read_chat, AT(chat)},

    {"lora", .read = read_section},
    {"lora.r", read_int, AT(lora.r), .low = 1, .high = MOST_RANK, .fallback = 8},
    {"lora.lora_alpha", read_number, AT(lora.lora_alpha), .low = 0, .above_low = true, .fallback = 8},
    {"lora.lora_dropout", read_number, AT(lora.lora_dropout), .low = 0, .high = 1, .below_high = true},
    {"lora.target_modules", read_target_modules, AT(lora.target_modules)},
    {"lora.exclude_modules", read_exclude_modules, AT(lora.exclude_modules)},
    {"lora.rank_pattern", read_pattern, AT(lora.rank_pattern), .low = 1, .high = MOST_RANK},
    {"lora.alpha_pattern", read_pattern, AT(lora.alpha_pattern), .low = 0, .above_low = true},
    {"lora.layers_to_transform", read_layers, AT(lora.layers_to_transform)},
    {"lora.use_rslora", read_bool, AT(lora.use_rslora)},
    {"lora.use_dora", read_bool, AT(lora.use_dora)},
    {"lora.init_lora_weights", read_init, AT(lora.init_lora_weights)},
    {"lora.modules_to_save", read_names, AT(lora.modules_to_save)},
    {"lora.bias", read_fixed, .choices = biases},
    {"lora.task_type", read_fixed, .choices = tasks},

    {"quantization", .read = read_section},
    {"quantization.load_in_4bit", .read = read_four_bits},
    {"quantization.bnb_4bit_quant_type", read_fixed, .choices = quantizations},
    {"quantization.bnb_4bit_use_double_quant", read_bool, .offset = NO_PLACE},
    {"quantization.bnb_4bit_compute_dtype", read_fixed, .choices = dtypes},
    {"quantization.bnb_4bit_quant_storage", read_fixed, .choices = dtypes},

    {"train", .read = read_section},
    {"train.per_device_train_batch_size", read_int, AT(train.per_device_train_batch_size), .low = 1, .high = 65536,
     .fallback = 8},
    {"train.max_length", read_int, AT(train.max_length), .low = 2, .high = MOST_TOKENS, .fallback = 1024},
    {"train.gradient_accumulation_steps", read_int, AT(train.gradient_accumulation_steps), .low = 1, .fallback = 1},
    {"train.bf16", read_bool, AT(train.bf16)},
    {"train.fp16", read_bool, AT(train.fp16)},
    {"train.learning_rate", read_number, AT(train.learning_rate), .low = 0, .fallback = 5e-5},
    {"train.lr_scheduler_type", read_choice, AT(train.lr_scheduler_type), .choices = schedules},
    {"train.lr_scheduler_kwargs", .read = read_section},
    {"train.lr_scheduler_kwargs.min_lr", read_number, AT(train.min_lr), .low = 0, .fallback = -1},
    {"train.lr_scheduler_kwargs.min_lr_rate", read_number, AT(train.min_lr_rate), .low = 0, .high = 1, .fallback = -1},
    {"train.lr_scheduler_kwargs.num_cycles", read_number, AT(train.num_cycles), .low = 0, .above_low = true,
     .fallback = -1},
    {"train.lr_scheduler_kwargs.power", read_number, AT(train.power), .low = 0, .above_low = true, .fallback = -1},
    {"train.lr_scheduler_kwargs.lr_end", read_number, AT(train.lr_end), .low = 0, .fallback = -1},
    {"train.lr_scheduler_kwargs.timescale", read_number, AT(train.timescale), .low = 1, .fallback = -1},
    {"train.warmup_steps", read_warmup, AT(train.warmup_steps)},
    {"train.warmup_ratio", read_number, AT(train.warmup_ratio), .low = 0, .high = 1},
    {"train.num_train_epochs", read_number, AT(train.num_train_epochs), .low = 0, .above_low = true, .fallback = 3},
    {"train.max_steps", read_max_steps, AT(train.max_steps), .fallback = -1},
    {"train.optim", read_fixed, .choices = optimizers},
    {"train.weight_decay", read_number, AT(train.weight_decay), .low = 0},
    {"train.adam_beta1", read_number, AT(train.adam_beta1), .low = 0, .high = 1, .below_high = true, .fallback = 0.9},
    {"train.adam_beta2", read_number, AT(train.adam_beta2), .low = 0, .high = 1, .below_high = true, .fallback = 0.999},
    {"train.adam_epsilon", read_number, AT(train.adam_epsilon), .low = 0, .fallback = 1e-8},
    {"train.max_grad_norm", read_number, AT(train.max_grad_norm), .low = 0, .fallback = 1},
    {"train.seed", read_long, AT(train.seed), .fallback = 42},
    {"train.logging_steps", read_int, AT(train.logging_steps), .low = 0, .fallback = 500},
    {"train.save_steps", read_int, AT(train.save_steps), .low = 0, .fallback = 500},
    {"train.save_total_limit", read_int, AT(train.save_total_limit), .low = 0},
    {"train.eval_steps", read_int, AT(train.eval_steps), .low = 0},
    {"train.max_samples", read_long, AT(train.max_samples)},
    {"train.shuffle", read_bool, AT(train.shuffle), .fallback = true},
    {"train.assistant_only_loss", read_bool, AT(train.assistant_only_loss), .fallback = true},
    {"train.packing", read_bool, AT(train.packing)},
    {"train.data_fields", .read = read_data_fields},
    {"train.gradient_checkpointing", read_checkpointing, AT(train.gradient_checkpointing)},
    {"train.memory_budget", read_bytes, AT(train.memory_budget)},

    {"inference", .read = read_section},
    {"inference.max_context", read_int, AT(max_context), .low = 1, .high = MOST_TOKENS},
};

enum { FIELDS = sizeof fields / sizeof *fields };

const struct schema_field *schema_find(const char *path)
{
    for (int i = 0; i < FIELDS; i++) {
        if (strcmp(fields[i].path, path) == 0)
            return &fields[i];
    }
    return NULL;
}

static const char *last_name(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot ? dot + 1 : path;
}

static bool in_section(const char *path, const char *section)
{
    size_t length = strlen(section);
    if (length == 0)
        return strchr(path, '.') == NULL;
    return strncmp(path, section, length) == 0 && path[length] == '.' && strchr(path + length + 1, '.') == NULL;
}

/* "; did you mean 'r'?", or where the field belongs, or what there is (free() it). */
static char *advice(const char *section, const char *name, bool override)
{
    const char *names[FIELDS];
    int count = 0;
    for (int i = 0; i < FIELDS; i++) {
        if (in_section(fields[i].path, section))
            names[count++] = last_name(fields[i].path);
    }
    const char *near = suggest(name, names, count);
    if (near)
        return format_text("; did you mean '%s%s%s'?", override ? section : "", override && *section ? "." : "", near);
    for (int i = 0; i < FIELDS; i++) {
        const char *dot = strrchr(fields[i].path, '.');
        if (dot && strcmp(dot + 1, name) == 0)
            return format_text("; it belongs in %.*s", (int)(dot - fields[i].path), fields[i].path);
    }
    char *text = format_text("\n    known here:");
    for (int i = 0; i < count; i++) {
        char *longer = format_text("%s %s", text, names[i]);
        free(text);
        text = longer;
    }
    return text;
}

static bool is_override(const struct recipe *recipe, const char *path)
{
    for (int i = 0; i < recipe->overrides.count; i++) {
        if (strncmp(recipe->overrides.items[i], path, strlen(path)) == 0 &&
            recipe->overrides.items[i][strlen(path)] == '=')
            return true;
    }
    return false;
}

static void read_fields(struct recipe *recipe, const cJSON *table, const char *section, struct messages *messages)
{
    for (const cJSON *value = table->child; value; value = value->next) {
        char *path = format_text("%s%s%s", section, *section ? "." : "", value->string ? value->string : "");
        const struct schema_field *field = schema_find(path);
        if (!field) {
            char *hint = advice(section, last_name(path), is_override(recipe, path));
            recipe_mistake(messages, recipe, path, "unknown field%s", hint);
            free(hint);
        } else {
            field->read(field, value, recipe, messages);
            if (field->read == read_section && (cJSON_IsObject(value)))
                read_fields(recipe, value, path, messages);
        }
        free(path);
    }
}

static void set_default(const struct schema_field *field, struct recipe *recipe)
{
    char *place = (char *)recipe + field->offset;
    if (field->offset == NO_PLACE)
        return;
    if (field->read == read_int || field->read == read_max_steps)
        *(int *)place = (int)field->fallback;
    else if (field->read == read_long)
        *(long long *)place = (long long)field->fallback;
    else if (field->read == read_number)
        *(double *)place = field->fallback;
    else if (field->read == read_bool)
        *(bool *)place = field->fallback != 0;
    else if (field->read == read_choice)
        *(char **)place = format_text("%s", field->choices[0]);
}

/* The keyword arguments that Transformers' function of each schedule takes, beside warmup. */
static const struct {
    const char *type, *kwargs;
} schedule_kwargs[] = {
    {"linear", ""},
    {"cosine", " num_cycles "},
    {"constant", ""},
    {"constant_with_warmup", ""},
    {"polynomial", " lr_end power "},
    {"inverse_sqrt", " timescale "},
    {"cosine_with_restarts", " num_cycles "},
    {"cosine_with_min_lr", " num_cycles min_lr min_lr_rate "},
};

static const char *kwargs_of(const char *type)
{
    for (size_t i = 0; i < sizeof schedule_kwargs / sizeof *schedule_kwargs; i++) {
        if (strcmp(schedule_kwargs[i].type, type) == 0)
            return schedule_kwargs[i].kwargs;
    }
    return "";
}

static void check_schedule(const struct recipe *recipe, const cJSON *table, struct messages *messages)
{
    const struct recipe_train *train = &recipe->train;
    const cJSON *section = cJSON_GetObjectItemCaseSensitive(table, "train");
    const cJSON *kwargs = cJSON_GetObjectItemCaseSensitive(section, "lr_scheduler_kwargs");
    for (const cJSON *value = kwargs ? kwargs->child : NULL; value; value = value->next) {
        char *path = format_text("train.lr_scheduler_kwargs.%s", value->string ? value->string : "");
        char *word = format_text(" %s ", last_name(path));
        if (schema_find(path) && !strstr(kwargs_of(train->lr_scheduler_type), word))
            recipe_mistake(messages, recipe, path, "the schedule '%s' does not take it", train->lr_scheduler_type);
        free(word);
        free(path);
    }
    if (strcmp(train->lr_scheduler_type, "cosine_with_min_lr") == 0 && train->min_lr < 0 && train->min_lr_rate < 0)
        recipe_mistake(messages, recipe, "train.lr_scheduler_type",
                       "'cosine_with_min_lr' needs lr_scheduler_kwargs = { min_lr = ... } or { min_lr_rate = ... }");
}

static void check_together(const struct recipe *recipe, const cJSON *table, struct messages *messages)
{
    if (recipe->train.bf16 && recipe->train.fp16)
        recipe_mistake(messages, recipe, "train.fp16", "bf16 and fp16 exclude each other; set one of them");
    if ((double)recipe->train.per_device_train_batch_size * recipe->train.max_length > 0x1p30)
        recipe_mistake(messages, recipe, "train.max_length",
                       "%d samples of %d tokens are more than a batch can hold (2^30)",
                       recipe->train.per_device_train_batch_size, recipe->train.max_length);
    if (recipe->lora.target_regex && recipe->lora.layers_to_transform)
        recipe_mistake(
            messages, recipe, "lora.layers_to_transform",
            "only goes with a list of target_modules (or \"all-linear\"); name the layers in the regex instead");
    check_schedule(recipe, table, messages);
}

/* Short samples are no reason for short replies. */
static int default_context(const struct recipe *recipe)
{
    int positions = recipe->model.max_position_embeddings,
        usual = positions < USUAL_CONTEXT ? positions : USUAL_CONTEXT;
    return recipe->train.max_length > usual ? recipe->train.max_length : usual;
}

/* In fp32 what the checkpoint has in 16 bits stays so in memory, and is widened where it is multiplied: the same numbers. */
static void resolve_dtypes(struct recipe *recipe)
{
    const struct recipe_train *train = &recipe->train;
    recipe->compute_dtype = train->bf16 ? DTYPE_BF16 : train->fp16 ? DTYPE_F16 : DTYPE_F32;
    recipe->weight_dtype = recipe->compute_dtype == DTYPE_F32 ? recipe->model.dtype : recipe->compute_dtype;
    recipe->amx = recipe->compute_dtype != DTYPE_F32 || recipe->weight_dtype == DTYPE_BF16;
}

/* Who sets a budget wants a plan that fits, unless the recipe says which. */
static bool leaves_checkpointing_open(const struct recipe *recipe, const cJSON *table)
{
    const cJSON *section = cJSON_GetObjectItemCaseSensitive(table, "train");
    return recipe->train.memory_budget > 0 && !cJSON_GetObjectItemCaseSensitive(section, "gradient_checkpointing");
}

bool schema_read(struct recipe *recipe, const cJSON *table, struct messages *messages)
{
    static const char *const needed[][2] = {{"model", "for example model = hf_config \"DIR/config.json\""},
                                            {"lora", "lora = {} takes PEFT's defaults"}};
    int before = messages->count;
    for (int i = 0; i < FIELDS; i++)
        set_default(&fields[i], recipe);
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        if (!cJSON_GetObjectItemCaseSensitive(table, needed[i][0]))
            recipe_mistake(messages, recipe, needed[i][0], "missing; %s", needed[i][1]);
    }
    read_fields(recipe, table, "", messages);
    if (!recipe->lora.target_regex && !recipe->lora.all_linear && recipe->lora.target_modules.count == 0) {
        string_list_add(&recipe->lora.target_modules, "q_proj");
        string_list_add(&recipe->lora.target_modules, "v_proj");
    }
    if (!recipe->lora.init_lora_weights)
        recipe->lora.init_lora_weights = format_text("true");
    if (recipe->max_context == 0)
        recipe->max_context = default_context(recipe);
    if (leaves_checkpointing_open(recipe, table))
        recipe->train.gradient_checkpointing = CHECKPOINTING_AUTO;
    resolve_dtypes(recipe);
    check_together(recipe, table, messages);
    return messages->count == before;
}
