#include "graph.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

int value_add(struct graph *graph, const char *name, const char *width_name, int width)
{
    CHECK(graph->value_count < MAX_VALUES);
    struct value *value = &graph->values[graph->value_count];
    *value = (struct value){.width = width, .dtype = DTYPE_F32, .storage = STORE_SCRATCH, .first = -1, .last = -1};
    snprintf(value->name, sizeof value->name, "%s", name);
    snprintf(value->width_name, sizeof value->width_name, "%s", width_name);
    return graph->value_count++;
}

int activation_add(const struct plan *plan, struct graph *graph, const char *name, const char *width_name, int width)
{
    int value = value_add(graph, name, width_name, width);
    if (plan->recipe.compute_dtype == DTYPE_BF16)
        graph->values[value].dtype = DTYPE_BF16;
    return value;
}

const char *dtype_c_name(enum dtype dtype)
{
    return dtype == DTYPE_BF16 ? "bfloat16_t" : "float";
}

int value_find(const struct graph *graph, const char *name)
{
    for (int i = 0; i < graph->value_count; i++)
        if (!strcmp(graph->values[i].name, name))
            return i;
    return -1;
}

struct operation *operation_add(struct graph *graph, const char *kernel, ...)
{
    CHECK(graph->count < MAX_OPERATIONS);
    struct operation *op = &graph->operations[graph->count++];
    *op = (struct operation){.count = 0};
    va_list args;
    va_start(args, kernel);
    vsnprintf(op->kernel, sizeof op->kernel, kernel, args);
    va_end(args);
    return op;
}

static struct operand *operand_next(struct operation *op)
{
    CHECK(op->count < MAX_OPERANDS);
    struct operand *operand = &op->operands[op->count++];
    *operand = (struct operand){.value = -1};
    return operand;
}

void operand_columns(struct graph *graph, struct operation *op, int value, const char *offset, enum access access)
{
    CHECK(value >= 0 && value < graph->value_count);
    struct operand *operand = operand_next(op);
    operand->value = value;
    operand->access = access;
    snprintf(operand->text, sizeof operand->text, "%s%s%s", graph->values[value].name, *offset ? " + " : "", offset);
    int at = (int)(op - graph->operations);
    struct value *touched = &graph->values[value];
    if (touched->first < 0)
        touched->first = at;
    touched->last = at;
}

void operand_value(struct graph *graph, struct operation *op, int value, enum access access)
{
    operand_columns(graph, op, value, "", access);
}

void operand_text(struct operation *op, const char *format, ...)
{
    struct operand *operand = operand_next(op);
    va_list args;
    va_start(args, format);
    vsnprintf(operand->text, sizeof operand->text, format, args);
    va_end(args);
}

void variant_name(char *name, size_t size, enum family family, unsigned wanted)
{
    static const struct {
        const char *name, *parts[3];
        unsigned all;
    } families[FAMILIES] = {
        [FAMILY_ATTENTION] = {"attention", {"q", "k", "v"}, WANT_Q | WANT_K | WANT_V},
        [FAMILY_ROPE] = {"rope", {"q", "k", ""}, WANT_Q | WANT_K},
        [FAMILY_HEAD_NORM] = {"head_norm", {"q", "k", ""}, WANT_Q | WANT_K},
        [FAMILY_SWIGLU] = {"swiglu", {"gate", "up", ""}, WANT_GATE | WANT_UP},
    };
    CHECK(wanted && !(wanted & ~families[family].all));
    if (wanted == families[family].all)
        snprintf(name, size, "%s_bwd", families[family].name);
    else
        snprintf(name, size, "%s_%s%s%s_bwd", families[family].name, wanted & 1 ? families[family].parts[0] : "",
                 wanted & 2 ? families[family].parts[1] : "", wanted & 4 ? families[family].parts[2] : "");
}

void slot_constant(char *name, size_t size, enum slot slot)
{
    const char *from = slot_name(slot);
    size_t i = 0;
    for (; from[i] && i + 1 < size; i++)
        name[i] = (char)toupper((unsigned char)from[i]);
    name[i] = 0;
}

void operand_dropout(struct operation *op, enum slot slot)
{
    char constant[24];
    slot_constant(constant, sizeof constant, slot);
    operand_text(op, "&s->dropout[%s][%s]", slot == SLOT_HEAD ? "LAYERS" : "layer", constant);
}

static const char *slot_weight(enum slot slot)
{
    static const char *const texts[SLOTS] = {
        [SLOT_Q] = "w->qkv_proj",
        [SLOT_K] = "w->qkv_proj + (size_t)K_OFFSET * HIDDEN",
        [SLOT_V] = "w->qkv_proj + (size_t)V_OFFSET * HIDDEN",
        [SLOT_O] = "w->o_proj",
        [SLOT_GATE] = "w->gate_up_proj",
        [SLOT_UP] = "w->gate_up_proj + (size_t)INTERMEDIATE * HIDDEN",
        [SLOT_DOWN] = "w->down_proj",
        [SLOT_HEAD] = "head_weight(s)",
    };
    return texts[slot];
}

void operand_dora_weight(struct operation *op, enum slot slot)
{
    operand_text(op, "%s", slot_weight(slot));
}

void operand_dora(struct operation *op, enum slot slot)
{
    operand_text(op, "a->%s_magnitude", slot_name(slot));
    operand_text(op, "norms->%s", slot_name(slot));
}

struct slot_place slot_place(enum slot slot)
{
    static const struct slot_place places[SLOTS] = {
        [SLOT_Q] = {"normed", "qkv", "", "QKV"},
        [SLOT_K] = {"normed", "qkv", "K_OFFSET", "QKV"},
        [SLOT_V] = {"normed", "qkv", "V_OFFSET", "QKV"},
        [SLOT_O] = {"attended", "mid", "", "HIDDEN"},
        [SLOT_GATE] = {"mid_normed", "gate_up", "", "GATE_UP"},
        [SLOT_UP] = {"mid_normed", "gate_up", "INTERMEDIATE", "GATE_UP"},
        [SLOT_DOWN] = {"act", "out", "", "HIDDEN"},
        [SLOT_HEAD] = {"normed", "logits", "", "VOCAB"},
    };
    return places[slot];
}

void slot_shape(const struct model_config *model, enum slot slot, int *in, int *out, const char **in_name,
                const char **out_name)
{
    int q = model->num_attention_heads * model->head_dim, kv = model->num_key_value_heads * model->head_dim;
    int hidden = model->hidden_size, inner = model->intermediate_size;
    const struct {
        int in, out;
        const char *in_name, *out_name;
    } shapes[SLOTS] = {
        [SLOT_Q] = {hidden, q, "HIDDEN", "Q_WIDTH"},
        [SLOT_K] = {hidden, kv, "HIDDEN", "KV_WIDTH"},
        [SLOT_V] = {hidden, kv, "HIDDEN", "KV_WIDTH"},
        [SLOT_O] = {q, hidden, "Q_WIDTH", "HIDDEN"},
        [SLOT_GATE] = {hidden, inner, "HIDDEN", "INTERMEDIATE"},
        [SLOT_UP] = {hidden, inner, "HIDDEN", "INTERMEDIATE"},
        [SLOT_DOWN] = {inner, hidden, "INTERMEDIATE", "HIDDEN"},
        [SLOT_HEAD] = {hidden, model->vocab_size, "HIDDEN", "VOCAB"},
    };
    *in = shapes[slot].in;
    *out = shapes[slot].out;
    *in_name = shapes[slot].in_name;
    *out_name = shapes[slot].out_name;
}

void rank_name(char *name, size_t size, const struct plan *plan, int r)
{
    if (r == plan->recipe.lora.r)
        snprintf(name, size, "RANK");
    else
        snprintf(name, size, "RANK_%d", r);
}

void scaling_name(char *name, size_t size, const struct plan *plan, double scaling)
{
    const struct recipe_lora *lora = &plan->recipe.lora;
    const struct graph_plan *graph = plan->graph;
    double usual = lora->lora_alpha / (lora->use_rslora ? sqrt(lora->r) : lora->r);
    int others = 0, at = 0;
    for (; at < graph->lora_count && graph->loras[at].adapter.scaling != scaling; at++) {
        bool seen = graph->loras[at].adapter.scaling == usual;
        for (int i = 0; i < at && !seen; i++)
            seen = graph->loras[i].adapter.scaling == graph->loras[at].adapter.scaling;
        others += !seen;
    }
    CHECK(at < graph->lora_count);
    if (scaling == usual)
        snprintf(name, size, "SCALING");
    else
        snprintf(name, size, "SCALING_%d", others + 2);
}

struct lora_kernel *lora_kernel_for(struct plan *plan, enum slot slot, const struct adapter *adapter)
{
    struct graph_plan *graph = plan->graph;
    int alike = 0;
    for (int i = 0; i < graph->lora_count; i++) {
        struct lora_kernel *kernel = &graph->loras[i];
        if (kernel->slot != slot || kernel->adapter.r != adapter->r)
            continue;
        if (kernel->adapter.scaling == adapter->scaling)
            return kernel;
        alike++;
    }
    CHECK(graph->lora_count < MAX_LORA_KERNELS);
    struct lora_kernel *kernel = &graph->loras[graph->lora_count++];
    *kernel = (struct lora_kernel){.slot = slot, .adapter = *adapter};
    const char *in_name, *out_name;
    slot_shape(&plan->recipe.model, slot, &kernel->in, &kernel->out, &in_name, &out_name);
    snprintf(kernel->in_name, sizeof kernel->in_name, "%s", in_name);
    snprintf(kernel->out_name, sizeof kernel->out_name, "%s", out_name);
    int length = snprintf(kernel->name, sizeof kernel->name, "%s_r%d", slot_name(slot), adapter->r);
    if (alike > 0) /* the same rank with another alpha */
        snprintf(kernel->name + length, sizeof kernel->name - (size_t)length, "_scaling%d", alike + 1);
    return kernel;
}

void graph_plan_free(struct graph_plan *graph)
{
    if (!graph)
        return;
    for (int i = 0; i < graph->set_count; i++)
        free(graph->sets[i].layers);
    for (int i = 0; i < graph->kind_count; i++)
        free(graph->kinds[i].layers);
    free(graph->sets);
    free(graph->kinds);
    free(graph->kind_of);
    free(graph->set_index_of);
    free(graph->extends);
    free(graph);
}

bool lora_is_thin(const struct plan *plan, const struct lora_kernel *kernel)
{
    enum { THIN_RANK = 16 };
    return !plan->recipe.lora.use_dora && kernel->adapter.r <= THIN_RANK;
}
