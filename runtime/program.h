/* What a generated program knows about itself: the one structure through which the runtime, which is the same for all recipes,
 * sees the model, the adapters, the settings and the compute code of this one. Generated in program.c.
 */
#ifndef LORAC_PROGRAM_H
#define LORAC_PROGRAM_H

#include "backend.h"
#include "data_fields.h"
#include "model_config.h"

#include <stddef.h>

struct chat_format;

/* One tensor of a checkpoint and its place in the program's memory. */
struct tensor_spec {
    const char *name; /* with the group's prefix before it: the name on disk */
    int rows, cols;   /* on disk [rows][cols]; a vector has cols == 0 */
    enum dtype dtype; /* in memory */
    size_t offset;    /* bytes, from the start of the group's instance */
    bool transposed;  /* in memory [cols][rows] (lora_B: its gradient is then a plain product) */
    double scaling;   /* of lora_A and lora_B: what B * A is multiplied by (lora_alpha / r, or / sqrt(r)); else 0 */
};

/* Tensors that repeat alike in `count` layers (or stand once: count 1, layers NULL, a prefix without %d). */
struct tensor_group {
    const char *prefix; /* "model.layers.%d." */
    const int *layers;  /* [count] layer numbers */
    int count;
    size_t offset; /* bytes from the start of the region to the first instance */
    size_t stride; /* bytes from one instance to the next */
    const struct tensor_spec *tensors;
    int tensor_count;
};

struct lora_config {
    int r;
    double lora_alpha;
    double lora_dropout;
    bool use_rslora;
    bool use_dora;
    const char *init_lora_weights; /* "true", "false" or "gaussian" */
};

/* Defaults of the run, from the recipe; flags of the same names override all but those marked compiled. */
struct train_config {
    int per_device_train_batch_size; /* compiled: the largest micro-batch, in samples */
    int max_length;                  /* compiled: the longest sample, in tokens */
    int gradient_accumulation_steps;
    enum dtype dtype;        /* compiled: arithmetic of the matrix products */
    enum dtype weight_dtype; /* compiled: storage of the frozen matrices */
    double learning_rate;
    const char *lr_scheduler_type; /* "linear", "cosine", ... as Transformers names them */
    double min_lr, min_lr_rate, num_cycles, power, lr_end, timescale; /* lr_scheduler_kwargs; negative: not given */
    int warmup_steps;
    double warmup_ratio;
    double num_train_epochs;
    int max_steps; /* -1: by epochs */
    double weight_decay, adam_beta1, adam_beta2, adam_epsilon, max_grad_norm;
    long long seed;
    int logging_steps, save_steps, save_total_limit, eval_steps; /* 0: never (saving at the end always) */
    long long max_samples;                                       /* 0: all */
    bool shuffle;
    bool assistant_only_loss;
    bool packing;                   /* fill T up to batch x max_length instead of counting samples */
    bool gradient_checkpointing;    /* compiled */
    struct data_fields data_fields; /* the recipe's alone */
};

/* Exact sizes in bytes, from the memory plan. */
struct memory_plan {
    size_t weights, adapters; /* gradients and each of the two moments are as large as adapters */
    size_t saved;             /* activations kept from forward to backward, all layers, T at its maximum */
    size_t scratch;           /* what lives within one layer, the head's logits block, and products' tiles on AMX */
    size_t generate_scratch, kv_cache;
};

/* What the layers of a kind keep, and what they compute again instead. Shares are of a whole micro-batch's operations, and of its
 * time as the generator estimates it, without what is computed again: more than 1 is possible. */
struct layer_plan {
    const char *kind; /* "adapted" */
    int layers;
    size_t kept;                    /* bytes, one layer, T at its maximum; the layer's input is not counted */
    const char *again;              /* "normed, act": the values that are computed again, "" for none */
    double flops_share, time_share; /* of computing them again in all these layers */
};

/* One way to choose, whether it was chosen or not. */
struct checkpointing_choice {
    const char *setting; /* of gradient_checkpointing: "true", "false" or "auto" */
    size_t budget;       /* the memory_budget with which "auto" chooses it; 0: without one, or it is not "auto" */
    size_t arena;        /* saved + scratch with it */
    double flops_share, time_share;
    bool chosen;
};

struct cost_plan {
    double forward_flops, backward_flops; /* per trained token, attention at full max_length */
    double recompute_flops;               /* and what is computed again */
    double decode_bytes;                  /* read per generated token, KV cache apart */
    long long trained_parameters, frozen_parameters;
};

struct program {
    const char *name;   /* of the recipe: "qwen-r64" */
    const char *recipe; /* "recipes/qwen-r64.lua" */
    struct model_config model;
    struct lora_config lora;
    const char *adapter_config; /* adapter_config.json as PEFT writes it, base_model_name_or_path null */
    const char *placement;      /* the table of --dump=placement, for info */
    const char *plan_hash;      /* of all that the generator knows: 16 hexadecimal digits */
    struct train_config train;
    int max_context;                /* inference.max_context: capacity of the KV cache in tokens */
    const struct chat_format *chat; /* NULL: the recipe has none */

    const struct tensor_group *weights; /* frozen, as in the base model's safetensors */
    int weight_groups;
    const struct tensor_group *adapters; /* trained, as in PEFT's adapter_model.safetensors */
    int adapter_groups;

    struct memory_plan memory;
    const struct layer_plan *layers; /* of the layers that train */
    int layer_plans;
    const struct checkpointing_choice *choices; /* ascending in memory */
    int choice_count;
    struct cost_plan cost;

    const struct backend *const *backends; /* best first; usable() tells which this machine can run */
    int backend_count;
};

/* Every program defines one `const struct program program`. Only main.c names it; everything else is handed a pointer (commands
 * get theirs from options_program), so that tests can bring their own. */

#endif
