/* The middle passes' data: what runs, in which order, on which values, and where those values lie.
 *
 * A decoder layer is described once per *kind*: layers that carry the same adapters, slide over the same window and
 * stand in the same relation to the lowest adapter are alike and share one generated function. A kind's graph lists its
 * forward operations and then its backward operations; a value that only forward operations touch is scratch, one that
 * crosses into the backward operations is saved. Where the schedule has a layer compute values again instead
 * (recompute.h), those forward operations stand once more among the backward ones, on scratch of their own.
 */
#ifndef LORAC_GRAPH_H
#define LORAC_GRAPH_H

#include "passes.h"

enum access { ACCESS_READ, ACCESS_WRITE, ACCESS_UPDATE };

/* An argument of a kernel call, in the order of the kernel's parameters. */
struct operand {
    char text[64]; /* as the generated C writes it: "qkv + K_OFFSET", "w->o_proj", "T" */
    int value;     /* index into the graph's values, or -1: a weight, an adapter, a number */
    enum access access;
};

enum { MAX_OPERANDS = 24, MAX_OPERATIONS = 64, MAX_VALUES = 128 };

struct operation {
    char kernel[64]; /* "matmul_qkv_proj_fwd" */
    struct operand operands[MAX_OPERANDS];
    int count;
    unsigned wanted; /* of a kernel of graph_plan.variants: which one */
    bool again;      /* a forward operation that the backward pass runs once more */
    bool own_rows;   /* each thread computes a few rows for itself, and the call returns where its own lie */
    double flops;    /* per token */
    double bytes_per_token, bytes_fixed;
    double seconds; /* of a full micro-batch, on the machine that cost.h assumes */
};

enum storage {
    STORE_PARAMETER, /* the layer's input and output and the residual stream's gradient: the caller's */
    STORE_SAVED,     /* one instance per layer, from its forward to its backward pass */
    STORE_SCRATCH,   /* shared by all layers */
};

/* A matrix with one row per token. Layout: row-major. */
struct value {
    char name[24];
    char width_name[48]; /* as the generated C writes it: "QKV" */
    int width;           /* columns */
    enum dtype dtype;
    bool gradient; /* a gradient, so never saved */
    bool again;    /* what the backward pass computes again of the forward value of the same name */
    enum storage storage;
    int first, last; /* operations that write it first and touch it last */
    long column;     /* scratch: offset in columns of 4 bytes (times rows) */
};

struct graph {
    struct value values[MAX_VALUES];
    int value_count;
    struct operation operations[MAX_OPERATIONS];
    int count;
    int forward_count; /* operations [0, forward_count) are the forward pass */
    long scratch_columns;
    long saved_bytes; /* per token */
};

/* Bytes of one row of a value. */
static inline long value_bytes(const struct value *value)
{
    return (long)value->width * (long)dtype_size(value->dtype);
}

/* Layers whose modules carry the same adapters. */
struct adapter_set {
    char name[32]; /* "adapted", "adapted_2" */
    struct adapter slots[LAYER_SLOTS];
    int *layers;
    int count;
};

struct layer_kind {
    char name[48];       /* "frozen", "lowest", "passing", "adapted"; "adapted_lean" keeps less than "adapted" */
    int adapter_set;     /* index, or -1: none */
    int window;          /* sliding window in tokens, 0: all */
    bool trains;         /* some gradient exists in this kind of layer */
    bool input_gradient; /* and goes on to the layer below */
    bool recompute;      /* the backward pass computes some forward values again instead of reading saved ones */
    int *layers;
    int count;
    struct graph graph;
};

/* The prompt and decoding version of a layer: same adapters and window, KV cache, nothing kept. */
struct extend_kind {
    char name[48];
    int adapter_set, window;
    struct graph graph;
};

/* A frozen matrix product y = x W^T that the kernels are specialized for. */
struct product {
    char name[24]; /* "qkv_proj" */
    int N, K;
    char N_name[24], K_name[24];
    bool bias, residual;
    bool backward;        /* dX is wanted somewhere */
    enum dtype y, dx;     /* of its output and of the gradient of its input */
    bool weight_gradient; /* W itself is trained: the head in modules_to_save */
};

/* A LoRA product that the kernels are specialized for. */
struct lora_kernel {
    char name[48]; /* "q_proj_r8" */
    enum slot slot;
    struct adapter adapter;
    int in, out;
    char in_name[24], out_name[24];
    enum dtype y, dx;            /* of what it adds to, forward and backward */
    bool input_gradient;         /* some layer needs dX through it */
    bool without_input_gradient; /* and some does not */
};

/* Whether the rank is small enough for the kernels of lora_thin.h: one for which those of matmul.h pack more than they compute. DoRA has
 * products by W beside, and is always computed by matmul.h. */
bool lora_is_thin(const struct plan *plan, const struct lora_kernel *kernel);

/* Kernels whose backward pass computes several gradients side by side (dq, dk and dv; dgate and dup) have a variant for every
 * set of them that some layer wants. A set is a mask: bit 0 is q or gate, bit 1 k or up, bit 2 v. */
enum family { FAMILY_ATTENTION, FAMILY_ROPE, FAMILY_HEAD_NORM, FAMILY_SWIGLU, FAMILIES };
enum { WANT_Q = 1, WANT_K = 2, WANT_V = 4, WANT_GATE = 1, WANT_UP = 2, MAX_WANTED = 8 };

/* The name of a family's variant: "attention_bwd" for all that there is, else "attention_qv_bwd", "swiglu_up_bwd". */
void variant_name(char *name, size_t size, enum family family, unsigned wanted);

enum { PRODUCTS = 5, MAX_LORA_KERNELS = 256 };

struct memory_totals {
    long long weights, adapters, saved, inputs, scratch, logits, generate_scratch, kv_cache, dora_norms;
    long long tiles; /* of scratch and of generate_scratch: what products on AMX have left operands in; 0: no AMX */
    long long train_peak; /* weights + 4 x adapters + saved + inputs + scratch */
};

struct cost_totals {
    double forward_flops, backward_flops, recompute_flops, decode_bytes;
    double seconds;           /* of a full micro-batch's training but for what is computed again (cost.h) */
    double recompute_seconds; /* and that */
};

/* One way to divide between memory and time, as the schedule found it. */
struct memory_choice {
    const char *setting; /* of gradient_checkpointing: "true", "false", "auto" */
    double budget;  /* the memory_budget with which "auto" chooses it; 0: it does so without one, or is not "auto" */
    long long peak; /* train_peak with it */
    double flops, seconds; /* of what is computed again: per token, and of a full micro-batch */
    bool chosen;
};

enum { MAX_CHOICES = 8 };

struct graph_plan {
    struct adapter_set *sets;
    int set_count;
    struct layer_kind *kinds;
    int kind_count;
    int *kind_of;      /* [num_hidden_layers] */
    int *set_index_of; /* [num_hidden_layers] place of the layer among its set's layers */
    struct extend_kind *extends;
    int extend_count;
    struct graph head;   /* final norm, output head, cross entropy: over head_rows trained rows at a time */
    bool final_gradient; /* gradient reaches the last layer's output */
    struct product products[PRODUCTS];
    struct lora_kernel loras[MAX_LORA_KERNELS];
    int lora_count;
    bool variants[FAMILIES][MAX_WANTED];       /* which backward kernels of each family some layer calls */
    int max_tokens;                            /* rows of the training arena: batch x max_length, rounded up to 16 */
    int head_rows;                             /* rows of a logits block */
    int prompt_rows;                           /* rows of a prompt chunk */
    struct memory_choice choices[MAX_CHOICES]; /* ascending in peak */
    int choice_count;
    struct memory_totals memory;
    struct cost_totals cost;
};

/* Building blocks (graph_build.c). Names are copied; every limit is CHECKed. */
int value_add(struct graph *graph, const char *name, const char *width_name, int width);
/* The same for what goes on into products or attention, which the recipe's compute dtype decides: bfloat16 where bf16 is on. */
int activation_add(const struct plan *plan, struct graph *graph, const char *name, const char *width_name, int width);
/* "float" or "bfloat16_t" */
const char *dtype_c_name(enum dtype dtype);
struct operation *operation_add(struct graph *graph, const char *kernel, ...) __attribute__((format(printf, 2, 3)));
void operand_value(struct graph *graph, struct operation *op, int value, enum access access);
/* The same, written as `name + offset` in the text. */
void operand_columns(struct graph *graph, struct operation *op, int value, const char *offset, enum access access);
void operand_text(struct operation *op, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The mask's key of a module: "&s->dropout[layer][Q_PROJ]". */
void operand_dropout(struct operation *op, enum slot slot);
/* DoRA's further arguments: the module's own rows of its weight; the magnitude and the weight's norm. */
void operand_dora_weight(struct operation *op, enum slot slot);
void operand_dora(struct operation *op, enum slot slot);
/* "Q_PROJ" */
void slot_constant(char *name, size_t size, enum slot slot);
/* How generated text names a rank or a scaling: "RANK" and "SCALING" for what the recipe says for all modules, "RANK_4" and
 * "SCALING_2" for what its patterns say. scaling_name knows the scalings of the kernels that are registered. */
void rank_name(char *name, size_t size, const struct plan *plan, int r);
void scaling_name(char *name, size_t size, const struct plan *plan, double scaling);
int value_find(const struct graph *graph, const char *name); /* -1: none */

/* The kernel that serves an adapter of this slot; registered on its first use. */
struct lora_kernel *lora_kernel_for(struct plan *plan, enum slot slot, const struct adapter *adapter);

/* Where a slot's columns lie in the product that computes it: "qkv + Q_WIDTH", row stride "QKV". */
struct slot_place {
    const char *input;  /* value that the module reads: "normed" */
    const char *output; /* value that it adds into: "qkv" */
    const char *offset; /* column of its first output, "" for 0 */
    const char *stride; /* columns of the output value */
};
struct slot_place slot_place(enum slot slot);
void slot_shape(const struct model_config *model, enum slot slot, int *in, int *out, const char **in_name,
                const char **out_name);

#endif
