/* info: what the program is and what it will need, before anything runs. */
#include "commands.h"
#include "footprint.h"
#include "json_file.h"
#include "machine.h"
#include "threads.h"
#include "tuning.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static size_t runtime_bytes(const struct program *program, int threads)
{
    return runtime_footprint(program->model.vocab_size, threads);
}

/* The adapters, their gradients and AdamW's two moments. */
static size_t train_peak_with(const struct program *program, int threads, size_t arena)
{
    return program->memory.weights + 4 * program->memory.adapters + arena + runtime_bytes(program, threads);
}

static size_t train_peak(const struct program *program, int threads)
{
    return train_peak_with(program, threads, program->memory.saved + program->memory.scratch);
}

static size_t generate_peak(const struct program *program, int threads)
{
    const struct memory_plan *memory = &program->memory;
    return memory->weights + memory->adapters + memory->generate_scratch + memory->kv_cache +
           runtime_bytes(program, threads);
}

/* ---- JSON ---- */

static cJSON *memory_json(const struct program *program, int threads)
{
    const struct memory_plan *memory = &program->memory;
    const struct {
        const char *name;
        size_t bytes;
    } parts[] = {
        {"weights", memory->weights},
        {"adapters", memory->adapters},
        {"gradients", memory->adapters},
        {"optimizer", 2 * memory->adapters},
        {"saved", memory->saved},
        {"scratch", memory->scratch},
        {"runtime", runtime_bytes(program, threads)},
        {"train_peak", train_peak(program, threads)},
        {"generate_scratch", memory->generate_scratch},
        {"kv_cache", memory->kv_cache},
        {"generate_peak", generate_peak(program, threads)},
    };
    cJSON *json = cJSON_CreateObject();
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        cJSON_AddNumberToObject(json, parts[i].name, (double)parts[i].bytes);
    return json;
}

static cJSON *layers_json(const struct program *program)
{
    cJSON *list = cJSON_CreateArray();
    for (int i = 0; i < program->layer_plans; i++) {
        const struct layer_plan *layer = &program->layers[i];
        cJSON *json = cJSON_CreateObject();
        cJSON_AddStringToObject(json, "kind", layer->kind);
        cJSON_AddNumberToObject(json, "layers", layer->layers);
        cJSON_AddNumberToObject(json, "kept_a_layer", (double)layer->kept);
        cJSON_AddStringToObject(json, "computed_again", layer->again);
        cJSON_AddNumberToObject(json, "flops_share", layer->flops_share);
        cJSON_AddNumberToObject(json, "time_share", layer->time_share);
        cJSON_AddItemToArray(list, json);
    }
    return list;
}

static cJSON *choices_json(const struct program *program, int threads)
{
    cJSON *list = cJSON_CreateArray();
    for (int i = 0; i < program->choice_count; i++) {
        const struct checkpointing_choice *choice = &program->choices[i];
        cJSON *json = cJSON_CreateObject();
        cJSON_AddStringToObject(json, "gradient_checkpointing", choice->setting);
        if (choice->budget > 0)
            cJSON_AddNumberToObject(json, "memory_budget", (double)choice->budget);
        cJSON_AddNumberToObject(json, "train_peak", (double)train_peak_with(program, threads, choice->arena));
        cJSON_AddNumberToObject(json, "flops_share", choice->flops_share);
        cJSON_AddNumberToObject(json, "time_share", choice->time_share);
        cJSON_AddBoolToObject(json, "chosen", choice->chosen);
        cJSON_AddItemToArray(list, json);
    }
    return list;
}

static cJSON *cost_json(const struct cost_plan *cost)
{
    cJSON *json = cJSON_CreateObject();
    cJSON_AddNumberToObject(json, "forward_flops_per_token", cost->forward_flops);
    cJSON_AddNumberToObject(json, "backward_flops_per_token", cost->backward_flops);
    cJSON_AddNumberToObject(json, "recompute_flops_per_token", cost->recompute_flops);
    cJSON_AddNumberToObject(json, "decode_bytes_per_token", cost->decode_bytes);
    return json;
}

static cJSON *train_json(const struct train_config *train)
{
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "dtype", dtype_name(train->dtype));
    cJSON_AddStringToObject(json, "weight_dtype", dtype_name(train->weight_dtype));
    cJSON_AddNumberToObject(json, "per_device_train_batch_size", train->per_device_train_batch_size);
    cJSON_AddNumberToObject(json, "max_length", train->max_length);
    cJSON_AddNumberToObject(json, "gradient_accumulation_steps", train->gradient_accumulation_steps);
    cJSON_AddNumberToObject(json, "learning_rate", train->learning_rate);
    cJSON_AddStringToObject(json, "lr_scheduler_type", train->lr_scheduler_type);
    cJSON_AddNumberToObject(json, "num_train_epochs", train->num_train_epochs);
    cJSON_AddNumberToObject(json, "max_steps", train->max_steps);
    cJSON_AddBoolToObject(json, "gradient_checkpointing", train->gradient_checkpointing);
    return json;
}

static cJSON *backends_json(const struct program *program)
{
    cJSON *json = cJSON_CreateArray();
    for (int i = 0; i < program->backend_count; i++)
        if (program->backends[i]->usable())
            cJSON_AddItemToArray(json, cJSON_CreateString(program->backends[i]->name));
    return json;
}

static cJSON *threads_json(const struct thread_choice *choice)
{
    cJSON *json = cJSON_CreateObject();
    cJSON_AddNumberToObject(json, "count", choice->threads);
    cJSON_AddStringToObject(json, "reason", choice->reason);
    cJSON_AddNumberToObject(json, "cpus", choice->limits.cpus);
    cJSON_AddNumberToObject(json, "cores", choice->limits.cores);
    if (choice->limits.quota > 0)
        cJSON_AddNumberToObject(json, "cpu_quota", choice->limits.quota);
    return json;
}

/* What is known of this machine's speed with the instruction set and the threads that a run would have; NULL: nothing is tuned. */
static struct tuning *known_tuning(const struct options *options, int threads)
{
    struct error err;
    const struct backend *backend = backend_choose(options, &err);
    if (!backend || backend->tunable_count == 0)
        return NULL;
    struct tuning *tuning = tuning_new(options_program(options), backend, threads);
    char *path = tuning_path(tuning);
    if (path)
        (void)tuning_read(tuning, path, &err);
    free(path);
    return tuning;
}

static void add_tuning(cJSON *json, const struct options *options, int threads)
{
    struct tuning *tuning = known_tuning(options, threads);
    if (!tuning)
        return;
    char *path = tuning_path(tuning);
    cJSON *part = cJSON_AddObjectToObject(json, "tuning");
    cJSON_AddItemToObject(part, "file", path ? cJSON_CreateString(path) : cJSON_CreateNull());
    cJSON_AddNumberToObject(part, "operations", tuning->backend->tunable_count);
    cJSON_AddNumberToObject(part, "measured", tuning_measured(tuning));
    free(path);
    tuning_free(tuning);
}

static void print_json(const struct options *options)
{
    const struct program *program = options_program(options);
    const struct thread_choice choice = threads_of(options);
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "name", program->name);
    cJSON_AddStringToObject(json, "recipe", program->recipe);
    cJSON_AddItemToObject(json, "model", model_config_to_json(&program->model));
    cJSON_AddItemToObject(json, "lora", cJSON_Parse(program->adapter_config));
    cJSON_AddStringToObject(json, "placement", program->placement);
    cJSON_AddItemToObject(json, "train", train_json(&program->train));
    cJSON_AddNumberToObject(json, "max_context", program->max_context);
    cJSON_AddNumberToObject(json, "trained_parameters", (double)program->cost.trained_parameters);
    cJSON_AddNumberToObject(json, "frozen_parameters", (double)program->cost.frozen_parameters);
    cJSON_AddItemToObject(json, "memory", memory_json(program, choice.threads));
    cJSON_AddItemToObject(json, "layers", layers_json(program));
    cJSON_AddItemToObject(json, "checkpointing_choices", choices_json(program, choice.threads));
    cJSON_AddItemToObject(json, "cost", cost_json(&program->cost));
    cJSON_AddItemToObject(json, "usable_instruction_sets", backends_json(program));
    cJSON_AddItemToObject(json, "threads", threads_json(&choice));
    add_tuning(json, options, choice.threads);
    char *text = json_print(json);
    fputs(text, stdout);
    free(text);
    cJSON_Delete(json);
}

/* ---- for people ---- */

static void print_bytes(const char *what, size_t bytes, const char *remark)
{
    if (bytes >= (size_t)1 << 30)
        printf("  %-22s %9.2f GiB  %s\n", what, (double)bytes / (1 << 30), remark);
    else if (bytes >= 1 << 20)
        printf("  %-22s %9.1f MiB  %s\n", what, (double)bytes / (1 << 20), remark);
    else
        printf("  %-22s %9.1f KiB  %s\n", what, (double)bytes / (1 << 10), remark);
}

/* In which types the program keeps the frozen weights and computes. */
static const char *arithmetic(const struct train_config *train)
{
    switch (train->dtype) {
    case DTYPE_BF16:
        return "weights and what goes on into products and attention in BF16 (multiplied so on amx, as F32 elsewhere), "
               "all else in F32";
    case DTYPE_F16:
        return "weights in F16, computing in F32";
    case DTYPE_F32:
        break;
    }
    switch (train->weight_dtype) {
    case DTYPE_BF16:
        return "weights in BF16, as the checkpoint has them, computing in F32 (on amx by three exact products)";
    case DTYPE_F16:
        return "weights in F16, as the checkpoint has them, computing in F32";
    case DTYPE_F32:
        break;
    }
    return "weights and computing in F32";
}

static void print_model(const struct program *program)
{
    const struct model_config *model = &program->model;
    const struct lora_config *lora = &program->lora;
    const struct train_config *train = &program->train;
    printf("%s, made from %s\n\n", program->name, program->recipe);
    printf("model     %s: %d layers, hidden %d, intermediate %d, heads %d (%d for keys and values) of %d, vocabulary "
           "%d%s\n",
           model->model_type, model->num_hidden_layers, model->hidden_size, model->intermediate_size,
           model->num_attention_heads, model->num_key_value_heads, model->head_dim, model->vocab_size,
           model->tie_word_embeddings ? ", head tied to the embedding" : "");
    printf("lora      r %d, alpha %g, dropout %g%s%s\n", lora->r, lora->lora_alpha, lora->lora_dropout,
           lora->use_rslora ? ", rank-stabilized" : "", lora->use_dora ? ", DoRA" : "");
    printf("numbers   %s\n", arithmetic(train));
    printf("train     %d x %d tokens, %d micro-batch%s a step, learning rate %g %s\n",
           train->per_device_train_batch_size, train->max_length, train->gradient_accumulation_steps,
           train->gradient_accumulation_steps == 1 ? "" : "es", train->learning_rate, train->lr_scheduler_type);
    printf("inference up to %d tokens of context\n\n", program->max_context);
}

static void print_memory(const struct program *program, int threads)
{
    const struct memory_plan *memory = &program->memory;
    printf("\nmemory\n");
    print_bytes("weights", memory->weights, "frozen");
    print_bytes("adapters", memory->adapters, "trained, fp32");
    print_bytes("gradients", memory->adapters, "");
    print_bytes("optimizer", 2 * memory->adapters, "AdamW's two moments");
    print_bytes("saved activations", memory->saved, "from forward to backward, at the largest micro-batch");
    print_bytes("scratch", memory->scratch, "within a layer, and the head's block of logits");
    print_bytes("runtime", runtime_bytes(program, threads), "program, tokenizer, data, threads");
    print_bytes("train, peak", train_peak(program, threads), "");
    print_bytes("generate, peak", generate_peak(program, threads), "with the KV cache at its capacity");
}

static void print_share(double share)
{
    printf("%8.1f %%", 100 * share);
}

/* What is kept, what is computed again for it, and the alternatives. */
static void print_checkpointing(const struct program *program, int threads)
{
    if (program->layer_plans == 0)
        return;
    printf("\nkept from forward to backward       a layer  again: FLOP      time  of a step's\n");
    for (int i = 0; i < program->layer_plans; i++) {
        const struct layer_plan *layer = &program->layers[i];
        printf("  %3d %-22s %9.2f MiB", layer->layers, layer->kind, (double)layer->kept / 0x1p20);
        print_share(layer->flops_share);
        print_share(layer->time_share);
        printf("  %s\n", *layer->again ? layer->again : "-");
    }
    printf("\ngradient_checkpointing  memory_budget    train, peak  again: FLOP      time  of a step's, estimated\n");
    for (int i = 0; i < program->choice_count; i++) {
        const struct checkpointing_choice *choice = &program->choices[i];
        char budget[32] = "";
        if (choice->budget > 0)
            snprintf(budget, sizeof budget, "\"%.1fMiB\"", ceil((double)choice->budget / 0x1p20 * 10) / 10);
        printf("%c %-18s %16s %10.1f MiB", choice->chosen ? '*' : ' ', choice->setting, budget,
               (double)train_peak_with(program, threads, choice->arena) / 0x1p20);
        print_share(choice->flops_share);
        print_share(choice->time_share);
        printf("\n");
    }
    printf("* this program\n");
}

static void print_machine(const struct program *program, const struct thread_choice *choice)
{
    printf("\ninstruction sets, best first:");
    for (int i = 0; i < program->backend_count; i++) {
        const struct backend *backend = program->backends[i];
        const char *remark = backend_absent(backend) ? " (not built in)" : " (not on this machine)";
        printf(" %s%s", backend->name, backend->usable() ? "" : remark);
    }
    printf("\nthreads: %d, %s\n", choice->threads, choice->reason);
}

static void print_tuning(const struct options *options, int threads)
{
    struct tuning *tuning = known_tuning(options, threads);
    if (!tuning)
        return;
    const int measured = tuning_measured(tuning);
    char *path = tuning_path(tuning);
    printf("tuning, %s on %d thread%s: ", tuning->backend->name, threads, threads == 1 ? "" : "s");
    if (!path)
        printf("no place for its file, neither XDG_CACHE_HOME nor HOME is an absolute path\n");
    else if (measured == 0)
        printf("none yet; `%s tune` writes %s\n", options_program(options)->name, path);
    else
        printf("%d of %d operations measured, in %s\n", measured, tuning->backend->tunable_count, path);
    free(path);
    tuning_free(tuning);
}

static void print_human(const struct options *options)
{
    const struct program *program = options_program(options);
    const struct thread_choice choice = threads_of(options);
    const struct cost_plan *cost = &program->cost;
    print_model(program);
    fputs(program->placement, stdout);
    print_memory(program, choice.threads);
    print_checkpointing(program, choice.threads);
    printf("\ncost\n");
    printf("  %-22s %9.2f MFLOP a token\n", "forward", cost->forward_flops / 1e6);
    printf("  %-22s %9.2f MFLOP a token, without what no adapter needs\n", "backward", cost->backward_flops / 1e6);
    if (cost->recompute_flops > 0)
        printf("  %-22s %9.2f MFLOP a token\n", "computed again", cost->recompute_flops / 1e6);
    printf("  %-22s %9.2f MB read a token, the KV cache apart\n", "decode", cost->decode_bytes / 1e6);
    printf("  %-22s %9lld\n", "trained parameters", cost->trained_parameters);
    printf("  %-22s %9lld\n", "frozen parameters", cost->frozen_parameters);
    print_machine(program, &choice);
    print_tuning(options, choice.threads);
}

int command_info(const struct options *options, struct error *err)
{
    (void)err;
    if (option_bool(options, "json"))
        print_json(options);
    else
        print_human(options);
    return EXIT_DONE;
}
