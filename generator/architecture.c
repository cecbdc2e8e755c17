#include "plan.h"

#include <stdlib.h>
#include <string.h>

const char *slot_name(enum slot slot)
{
    static const char *const names[] = {"q_proj",    "k_proj",  "v_proj",    "o_proj",
                                        "gate_proj", "up_proj", "down_proj", "lm_head"};
    return names[slot];
}

static void add(struct architecture *a, struct module module, const char *prefix, const char *name)
{
    a->modules = reallocate(a->modules, (size_t)(a->count + 1) * sizeof *a->modules, "the architecture");
    int length = snprintf(module.name, sizeof module.name, "%s%s", prefix, name);
    CHECK(length > 0 && (size_t)length < sizeof module.name);
    a->modules[a->count++] = module;
}

static void add_norm(struct architecture *a, int layer, const char *prefix, const char *name, int size)
{
    add(a, (struct module){.kind = MODULE_NORM, .layer = layer, .out = size}, prefix, name);
}

static void add_linear(struct architecture *a, int layer, const char *prefix, enum slot slot, int in, int out,
                       bool bias)
{
    char name[32];
    snprintf(name, sizeof name, "%s.%s", slot <= SLOT_O ? "self_attn" : "mlp", slot_name(slot));
    add(a, (struct module){.kind = MODULE_LINEAR, .layer = layer, .slot = slot, .in = in, .out = out, .bias = bias},
        prefix, name);
}

static void add_layer(struct architecture *a, const struct model_config *m, int layer)
{
    char prefix[32];
    int queries = m->num_attention_heads * m->head_dim, keys = m->num_key_value_heads * m->head_dim;
    snprintf(prefix, sizeof prefix, "model.layers.%d.", layer);
    add_norm(a, layer, prefix, "input_layernorm", m->hidden_size);
    add_linear(a, layer, prefix, SLOT_Q, m->hidden_size, queries, m->qkv_bias);
    add_linear(a, layer, prefix, SLOT_K, m->hidden_size, keys, m->qkv_bias);
    add_linear(a, layer, prefix, SLOT_V, m->hidden_size, keys, m->qkv_bias);
    if (m->qk_norm) {
        add_norm(a, layer, prefix, "self_attn.q_norm", m->head_dim);
        add_norm(a, layer, prefix, "self_attn.k_norm", m->head_dim);
    }
    add_linear(a, layer, prefix, SLOT_O, queries, m->hidden_size, m->o_bias);
    add_norm(a, layer, prefix, "post_attention_layernorm", m->hidden_size);
    add_linear(a, layer, prefix, SLOT_GATE, m->hidden_size, m->intermediate_size, m->mlp_bias);
    add_linear(a, layer, prefix, SLOT_UP, m->hidden_size, m->intermediate_size, m->mlp_bias);
    add_linear(a, layer, prefix, SLOT_DOWN, m->intermediate_size, m->hidden_size, m->mlp_bias);
}

bool architecture_pass(struct plan *plan, struct messages *messages)
{
    struct architecture *a = &plan->architecture;
    const struct model_config *m = &plan->recipe.model;
    if (m->num_hidden_layers > 10000) {
        recipe_mistake(messages, &plan->recipe, "model", "%d layers are more than the 10000 that are supported",
                       m->num_hidden_layers);
        return false;
    }
    add(a, (struct module){.kind = MODULE_EMBEDDING, .layer = -1, .in = m->hidden_size, .out = m->vocab_size}, "model.",
        "embed_tokens");
    for (int layer = 0; layer < m->num_hidden_layers; layer++)
        add_layer(a, m, layer);
    add_norm(a, -1, "model.", "norm", m->hidden_size);
    add(a,
        (struct module){
            .kind = MODULE_HEAD, .layer = -1, .slot = SLOT_HEAD, .in = m->hidden_size, .out = m->vocab_size},
        "", "lm_head");
    return true;
}

void architecture_free(struct architecture *architecture)
{
    free(architecture->modules);
    *architecture = (struct architecture){0};
}

const struct module *architecture_module(const struct architecture *architecture, int layer, enum slot slot)
{
    for (int i = 0; i < architecture->count; i++) {
        const struct module *module = &architecture->modules[i];
        if (module->kind == MODULE_HEAD && slot == SLOT_HEAD)
            return module;
        if (module->kind == MODULE_LINEAR && module->layer == layer && module->slot == slot)
            return module;
    }
    return NULL;
}

/* Layers are alike, so layer 0 stands for all: "model.layers.0-23.self_attn.q_proj". */
static void dump_module(const struct module *m, int layers, bool tied, FILE *out)
{
    static const char *const kinds[] = {"embedding", "linear", "head", "norm"};
    char name[96];
    const char *rest = m->layer == 0 ? m->name + strlen("model.layers.0") : m->name;
    if (m->layer == 0 && layers > 1)
        snprintf(name, sizeof name, "model.layers.0-%d%s", layers - 1, rest);
    else
        snprintf(name, sizeof name, "%s", m->name);
    fprintf(out, "%-46s %-10s", name, kinds[m->kind]);
    if (m->kind == MODULE_NORM)
        fprintf(out, "[%d]", m->out);
    else
        fprintf(out, "[%d][%d]", m->out, m->in);
    fprintf(out, "%s%s\n", m->bias ? " bias" : "", m->kind == MODULE_HEAD && tied ? " tied to model.embed_tokens" : "");
}

void architecture_dump(const struct plan *plan, FILE *out)
{
    const struct model_config *m = &plan->recipe.model;
    fprintf(out, "%s: %d layers, hidden %d, intermediate %d, %d heads of %d (%d for k and v), vocabulary %d\n",
            m->model_type, m->num_hidden_layers, m->hidden_size, m->intermediate_size, m->num_attention_heads,
            m->head_dim, m->num_key_value_heads, m->vocab_size);
    for (int i = 0; i < plan->architecture.count; i++) {
        const struct module *module = &plan->architecture.modules[i];
        if (module->layer <= 0)
            dump_module(module, m->num_hidden_layers, m->tie_word_embeddings, out);
    }
}
