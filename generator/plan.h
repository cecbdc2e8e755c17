/* What the passes hand on to each other. Each pass has one file and one function, and fills one part of struct plan:
 *
 *   recipe        recipe.c, schema.c   Lua text          -> struct recipe (every field checked, defaults filled in)
 *   architecture  architecture.c       model_config      -> struct architecture (modules with Hugging Face names)
 *   placement     placement.c          lora.*            -> struct placement (which module of which layer carries what)
 *   graph         graph.c              placement         -> forward operations of each kind of layer
 *   backward      backward.c           graph             -> backward operations, only those that some adapter needs
 *   schedule      schedule.c           both              -> what each layer keeps, what it computes again (recompute.h)
 *   memory        memory.c             lifetimes         -> offsets in the arena, the peak
 *   cost          cost.c               all               -> FLOPs and bytes of every operation
 *   emission      emit.c               all, as JSON      -> templates -> text
 */
#ifndef LORAC_PLAN_H
#define LORAC_PLAN_H

#include "../runtime/error.h"
#include "../runtime/model_config.h"
#include "messages.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* The linear modules of a decoder layer, in the order of the forward pass; the output head stands apart. */
enum slot {
    SLOT_Q,
    SLOT_K,
    SLOT_V,
    SLOT_O,
    SLOT_GATE,
    SLOT_UP,
    SLOT_DOWN,
    LAYER_SLOTS,
    SLOT_HEAD = LAYER_SLOTS,
    SLOTS
};

/* ---- recipe ---- */

struct source_lines; /* source_lines.h: where the recipe's text sets each field */

/* A LoraConfig pattern table: key -> number (rank_pattern, alpha_pattern), in the order of PEFT's first hit wins. */
struct pattern {
    char *key;
    double value;
};

struct recipe_lora {
    int r;                             /* 8 */
    double lora_alpha;                 /* 8 */
    double lora_dropout;               /* 0 */
    struct string_list target_modules; /* names; empty where target_regex or all_linear is set */
    char *target_regex;                /* a string that is no keyword: full match over module names */
    bool all_linear;
    struct string_list exclude_modules;
    char *exclude_regex;
    struct pattern *rank_pattern, *alpha_pattern;
    int rank_pattern_count, alpha_pattern_count;
    int *layers_to_transform; /* NULL: all */
    int layers_to_transform_count;
    bool use_rslora, use_dora;
    char *init_lora_weights;            /* "true", "false", "gaussian" */
    struct string_list modules_to_save; /* lm_head, embed_tokens */
};

struct recipe_train {
    int per_device_train_batch_size;                                  /* 8 */
    int max_length;                                                   /* 1024 */
    int gradient_accumulation_steps;                                  /* 1 */
    bool bf16, fp16;                                                  /* neither: fp32 */
    double learning_rate;                                             /* 5e-5 */
    char *lr_scheduler_type;                                          /* "linear" */
    double min_lr, min_lr_rate, num_cycles, power, lr_end, timescale; /* lr_scheduler_kwargs; -1 where not given */
    int warmup_steps;
    double warmup_ratio, num_train_epochs; /* 0, 3 */
    int max_steps;                         /* -1 */
    double weight_decay, adam_beta1, adam_beta2, adam_epsilon, max_grad_norm;
    long long seed;                                              /* 42 */
    int logging_steps, save_steps, save_total_limit, eval_steps; /* 500, 500, 0, 0 */
    long long max_samples;
    bool shuffle, assistant_only_loss, packing;
    enum { CHECKPOINTING_OFF, CHECKPOINTING_ON, CHECKPOINTING_AUTO } gradient_checkpointing;
    double memory_budget; /* bytes; 0: none. Where it stands alone, gradient_checkpointing is CHECKPOINTING_AUTO */
    cJSON *data_fields;   /* {"messages": "dialog"}: the members of struct data_fields that are mapped; or NULL */
};

struct recipe {
    char *path; /* as the user named it, for messages */
    char *name; /* base name, without .lua */
    struct model_config model;
    struct recipe_lora lora;
    struct recipe_train train;
    cJSON *chat;              /* the chat format's table, or NULL */
    enum dtype compute_dtype; /* train.bf16 or fp16, else F32 */
    enum dtype
        weight_dtype; /* of frozen matrices in memory: as computed with, or with F32 as the checkpoint has them */
    bool amx;         /* which multiplies bfloat16: operands are made of one to three, frozen ones in fp32 of one */
    int max_context;  /* inference.max_context; unless given max_length, and at least 1024 as far as positions go */

    struct source_lines *lines;
    struct string_list overrides; /* --set, as given: "lora.r=16" */
};

/* Adds the mistake `text` of a field ("train.memory_budget", "lora.target_modules[2]"; "" for the recipe as a whole), wherever
 * the field got its value: "recipes/tiny.lua:7: lora.target_modules: text", or "--set lora.r=0: text". An item of a list has the
 * item's line and the list's name; a field that the recipe leaves out is placed at the table that would hold it. */
void recipe_mistake(struct messages *messages, const struct recipe *recipe, const char *field, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* ---- architecture ---- */

enum module_kind { MODULE_EMBEDDING, MODULE_LINEAR, MODULE_HEAD, MODULE_NORM };

struct module {
    char name[64]; /* "model.layers.3.self_attn.q_proj" */
    enum module_kind kind;
    int layer;      /* -1 outside the layers */
    enum slot slot; /* of a linear or the head */
    int in, out;    /* weight [out][in]; a norm: out only */
    bool bias;
};

struct architecture {
    struct module *modules; /* in forward order */
    int count;
};

/* ---- placement ---- */

/* What a linear module carries; r == 0: nothing. */
struct adapter {
    int r;
    double alpha;
    double scaling; /* alpha / r, or alpha / sqrt(r) with rsLoRA */
};

struct placement {
    struct adapter (*layers)[LAYER_SLOTS]; /* [num_hidden_layers] */
    struct adapter head;                   /* LoRA on lm_head, where a target names it */
    bool train_head, train_embedding;      /* modules_to_save */
    int lowest_layer; /* lowest layer that carries an adapter; num_hidden_layers: none. 0 where the embedding is trained */
    long long trained, frozen; /* parameters */
};

const char *slot_name(enum slot slot); /* "q_proj"; of SLOT_HEAD "lm_head" */

/* The module of one layer's slot, or of SLOT_HEAD (layer is then ignored). */
const struct module *architecture_module(const struct architecture *architecture, int layer, enum slot slot);

struct graph_plan; /* graph.h: the rest of the passes */

struct plan {
    struct recipe recipe;
    struct architecture architecture;
    struct placement placement;
    struct graph_plan *graph;
};

/* Each fills its part of *plan, or returns false after adding every mistake that it found to *messages. */
bool recipe_pass(struct plan *plan, const char *path, const struct string_list *overrides, struct messages *messages);
bool architecture_pass(struct plan *plan, struct messages *messages);
bool placement_pass(struct plan *plan, struct messages *messages);

/* Frees what the pass of the same name allocated; a part that was never filled (all zero) is fine. */
void recipe_free(struct recipe *recipe);
void architecture_free(struct architecture *architecture);
void placement_free(struct placement *placement);

void architecture_dump(const struct plan *plan, FILE *out);
void placement_dump(const struct plan *plan, FILE *out);

/* The table of placement_dump as text (free() it): programs carry it for `info`. */
char *placement_table(const struct plan *plan);

/* adapter_config.json as PEFT writes it (keys sorted, indent 2), base_model_name_or_path null; free() it. */
char *placement_adapter_config(const struct plan *plan);

#endif
