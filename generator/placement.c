#include "module_match.h"
#include "plan.h"
#include "suggest.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WHY = 128 };

/* What placement works with beside the plan: the recipe's regular expressions, compiled. */
struct placing {
    struct plan *plan;
    struct messages *messages;
    struct regex *target, *exclude;
    struct regex **ranks, **alphas; /* one for each pattern; NULL where it is no expression */
};

static bool adaptable(const struct module *module)
{
    return module->kind == MODULE_LINEAR || module->kind == MODULE_HEAD;
}

static struct regex *compile(struct placing *p, const char *field, const char *pattern, bool as_key)
{
    char why[WHY];
    struct regex *regex = regex_compile(pattern, as_key, why, sizeof why);
    if (!regex)
        recipe_mistake(p->messages, &p->plan->recipe, field, "'%s' is no regular expression: %s", pattern, why);
    return regex;
}

static struct regex **compile_keys(struct placing *p, const char *field, const struct pattern *patterns, int count)
{
    struct regex **all = allocate((size_t)count * sizeof(struct regex *), "patterns");
    for (int i = 0; i < count; i++) {
        char *path = format_text("%s.%s", field, patterns[i].key);
        all[i] = compile(p, path, patterns[i].key, true);
        free(path);
    }
    return all;
}

static void open_placing(struct placing *p)
{
    const struct recipe_lora *lora = &p->plan->recipe.lora;
    if (lora->target_regex)
        p->target = compile(p, "lora.target_modules", lora->target_regex, false);
    if (lora->exclude_regex)
        p->exclude = compile(p, "lora.exclude_modules", lora->exclude_regex, false);
    p->ranks = compile_keys(p, "lora.rank_pattern", lora->rank_pattern, lora->rank_pattern_count);
    p->alphas = compile_keys(p, "lora.alpha_pattern", lora->alpha_pattern, lora->alpha_pattern_count);
}

static void close_placing(struct placing *p)
{
    for (int i = 0; i < p->plan->recipe.lora.rank_pattern_count; i++)
        regex_free(p->ranks[i]);
    for (int i = 0; i < p->plan->recipe.lora.alpha_pattern_count; i++)
        regex_free(p->alphas[i]);
    free(p->ranks);
    free(p->alphas);
    regex_free(p->target);
    regex_free(p->exclude);
}

static bool in_list(const struct string_list *list, const char *module)
{
    for (int i = 0; i < list->count; i++) {
        if (name_matches(list->items[i], module))
            return true;
    }
    return false;
}

/* A module that is trained as a whole carries no adapter, whatever else names it. */
static bool excluded(const struct placing *p, const struct module *module)
{
    const struct recipe_lora *lora = &p->plan->recipe.lora;
    return (p->exclude && regex_matches(p->exclude, module->name)) || in_list(&lora->exclude_modules, module->name) ||
           in_list(&lora->modules_to_save, module->name);
}

static bool in_layers(const struct recipe_lora *lora, int layer)
{
    for (int i = 0; i < lora->layers_to_transform_count; i++) {
        if (lora->layers_to_transform[i] == layer)
            return true;
    }
    return lora->layers_to_transform_count == 0;
}

static bool targeted(const struct placing *p, const struct module *module)
{
    const struct recipe_lora *lora = &p->plan->recipe.lora;
    if (excluded(p, module))
        return false;
    if (lora->all_linear)
        return module->kind == MODULE_LINEAR && in_layers(lora, module->layer);
    if (lora->target_regex)
        return p->target && regex_matches(p->target, module->name);
    for (int i = 0; i < lora->target_modules.count; i++) {
        const char *entry = lora->target_modules.items[i];
        if (strcmp(entry, module->name) == 0)
            return true; /* a whole name is meant, whatever layers_to_transform says */
        if (name_matches(entry, module->name))
            return module->layer >= 0 && in_layers(lora, module->layer);
    }
    return false;
}

/* The value of the first pattern that matches. */
static double pattern_value(struct regex *const *regexes, const struct pattern *patterns, int count, const char *module,
                            double otherwise)
{
    for (int i = 0; i < count; i++) {
        if (regexes[i] && regex_matches(regexes[i], module))
            return patterns[i].value;
    }
    return otherwise;
}

static struct adapter adapter_of(const struct placing *p, const struct module *module)
{
    const struct recipe_lora *lora = &p->plan->recipe.lora;
    struct adapter adapter = {0};
    if (!targeted(p, module))
        return adapter;
    adapter.r = (int)pattern_value(p->ranks, lora->rank_pattern, lora->rank_pattern_count, module->name, lora->r);
    adapter.alpha =
        pattern_value(p->alphas, lora->alpha_pattern, lora->alpha_pattern_count, module->name, lora->lora_alpha);
    adapter.scaling = adapter.alpha / (lora->use_rslora ? sqrt(adapter.r) : adapter.r);
    return adapter;
}

/* ---- mistakes ---- */

/* "linear modules here: q_proj ... lm_head" with what the name may have meant. */
static void no_such_module(const struct placing *p, const char *field, const char *entry)
{
    const char *names[SLOTS];
    for (int slot = 0; slot < SLOTS; slot++)
        names[slot] = slot_name((enum slot)slot);
    bool plain = entry[strcspn(entry, "*+?()[]{}|^$\\")] == 0;
    const char *last = strrchr(entry, '.'), *near = plain ? suggest(last ? last + 1 : entry, names, SLOTS) : NULL;
    bool same = near && last && strcmp(near, last + 1) == 0;
    if (plain && near && strcmp(near, entry) == 0) {
        recipe_mistake(p->messages, &p->plan->recipe, field,
                       "the string '%s' is a regular expression for whole names, such as "
                       "model.layers.0.self_attn.q_proj, and matches none; a name goes into a list: { \"%s\" }",
                       entry, entry);
        return;
    }
    recipe_mistake(p->messages, &p->plan->recipe, field,
                   "'%s' matches no module of this model%s%s%s\n"
                   "    linear modules here: q_proj k_proj v_proj o_proj gate_proj up_proj down_proj lm_head",
                   entry, near && !same ? "; did you mean '" : "", near && !same ? near : "",
                   near && !same ? "'?" : "");
}

/* Modules without weights of their own, which hold the others: "model", "model.layers.0.self_attn", ...; and the two that only
 * compute. */
static bool is_container(const struct architecture *architecture, const char *entry)
{
    for (int i = 0; i < architecture->count; i++) {
        const char *name = architecture->modules[i].name;
        for (const char *dot = strchr(name, '.'); dot; dot = strchr(dot + 1, '.')) {
            char *container = format_text("%.*s", (int)(dot - name), name);
            bool matches = name_matches(entry, container);
            free(container);
            if (matches)
                return true;
        }
    }
    return strcmp(entry, "rotary_emb") == 0 || strcmp(entry, "act_fn") == 0;
}

/* An entry of a list of names must mean a module; of target_modules, one that can carry LoRA. */
static void check_name(const struct placing *p, const char *field, const char *entry, bool target)
{
    const struct architecture *architecture = &p->plan->architecture;
    for (int i = 0; i < architecture->count; i++) {
        const struct module *module = &architecture->modules[i];
        if (!name_matches(entry, module->name))
            continue;
        if (target && module->kind == MODULE_EMBEDDING)
            recipe_mistake(p->messages, &p->plan->recipe, field,
                           "LoRA on the embedding '%s' is not supported; train it as a whole with modules_to_save",
                           entry);
        else if (target && !adaptable(module))
            recipe_mistake(p->messages, &p->plan->recipe, field, "'%s' is a norm; LoRA goes on linear modules", entry);
        return;
    }
    if (is_container(architecture, entry))
        recipe_mistake(p->messages, &p->plan->recipe, field, "'%s' is no linear module, it holds some; name those",
                       entry);
    else
        no_such_module(p, field, entry);
}

static void check_list(const struct placing *p, const char *field, const struct string_list *list, bool target)
{
    for (int i = 0; i < list->count; i++) {
        char *path = format_text("%s[%d]", field, i + 1);
        check_name(p, path, list->items[i], target);
        free(path);
    }
}

/* PEFT refuses an expression that matches anything but linear modules. */
static void check_target_regex(const struct placing *p)
{
    const struct architecture *architecture = &p->plan->architecture;
    const char *regex = p->plan->recipe.lora.target_regex;
    bool any = false;
    for (int i = 0; p->target && i < architecture->count; i++) {
        const struct module *module = &architecture->modules[i];
        if (!regex_matches(p->target, module->name) || excluded(p, module))
            continue;
        any = true;
        if (!adaptable(module)) {
            recipe_mistake(p->messages, &p->plan->recipe, "lora.target_modules",
                           "the expression also matches '%s', which is no linear module", module->name);
            return;
        }
    }
    if (p->target && !any)
        no_such_module(p, "lora.target_modules", regex);
}

static void check_pattern_keys(const struct placing *p, const char *field, struct regex *const *regexes,
                               const struct pattern *patterns, int count)
{
    const struct architecture *architecture = &p->plan->architecture;
    for (int i = 0; i < count; i++) {
        bool any = regexes[i] == NULL; /* has its mistake already */
        for (int m = 0; m < architecture->count && !any; m++)
            any = adaptable(&architecture->modules[m]) && regex_matches(regexes[i], architecture->modules[m].name);
        char *path = format_text("%s.%s", field, patterns[i].key);
        if (!any)
            no_such_module(p, path, patterns[i].key);
        free(path);
    }
}

static void check_layers(const struct placing *p)
{
    const struct recipe_lora *lora = &p->plan->recipe.lora;
    int layers = p->plan->recipe.model.num_hidden_layers;
    for (int i = 0; i < lora->layers_to_transform_count; i++) {
        char *path = format_text("lora.layers_to_transform[%d]", i + 1);
        if (lora->layers_to_transform[i] >= layers)
            recipe_mistake(p->messages, &p->plan->recipe, path, "there is no layer %d; this model has 0 to %d",
                           lora->layers_to_transform[i], layers - 1);
        free(path);
    }
}

static void check_saved(const struct placing *p)
{
    const struct string_list *saved = &p->plan->recipe.lora.modules_to_save;
    for (int i = 0; i < saved->count; i++) {
        char *path = format_text("lora.modules_to_save[%d]", i + 1);
        if (!name_matches(saved->items[i], "lm_head") && !name_matches(saved->items[i], "model.embed_tokens"))
            recipe_mistake(p->messages, &p->plan->recipe, path,
                           "'%s' cannot be trained as a whole; known: lm_head, embed_tokens", saved->items[i]);
        free(path);
    }
}

static void check(const struct placing *p)
{
    const struct recipe_lora *lora = &p->plan->recipe.lora;
    check_list(p, "lora.target_modules", &lora->target_modules, true);
    check_list(p, "lora.exclude_modules", &lora->exclude_modules, false);
    if (lora->target_regex)
        check_target_regex(p);
    check_pattern_keys(p, "lora.rank_pattern", p->ranks, lora->rank_pattern, lora->rank_pattern_count);
    check_pattern_keys(p, "lora.alpha_pattern", p->alphas, lora->alpha_pattern, lora->alpha_pattern_count);
    check_layers(p);
    check_saved(p);
}

/* ---- the pass ---- */

static long long parameters(const struct module *module)
{
    if (module->kind == MODULE_NORM)
        return module->out;
    return (long long)module->in * module->out + (module->bias ? module->out : 0);
}

/* A and B, and DoRA's magnitudes. */
static long long adapter_parameters(const struct recipe_lora *lora, const struct adapter *adapter,
                                    const struct module *module)
{
    if (adapter->r == 0)
        return 0;
    return (long long)adapter->r * (module->in + module->out) + (lora->use_dora ? module->out : 0);
}

/* A tied head and embedding are one tensor, which stays frozen as long as one of the two does. */
static void count_parameters(struct plan *plan)
{
    struct placement *placement = &plan->placement;
    bool tied = plan->recipe.model.tie_word_embeddings;
    for (int i = 0; i < plan->architecture.count; i++) {
        const struct module *module = &plan->architecture.modules[i];
        bool head = module->kind == MODULE_HEAD, embedding = module->kind == MODULE_EMBEDDING;
        bool trained = (head && placement->train_head) || (embedding && placement->train_embedding);
        bool kept = embedding ? !placement->train_embedding || (tied && !placement->train_head)
                              : !head || (!tied && !placement->train_head);
        if (trained)
            placement->trained += parameters(module);
        if (kept)
            placement->frozen += parameters(module);
        if (adaptable(module)) {
            const struct adapter *adapter = head ? &placement->head : &placement->layers[module->layer][module->slot];
            placement->trained += adapter_parameters(&plan->recipe.lora, adapter, module);
        }
    }
}

static int lowest_layer(const struct plan *plan)
{
    int layers = plan->recipe.model.num_hidden_layers;
    for (int layer = 0; layer < layers; layer++) {
        for (int slot = 0; slot < LAYER_SLOTS; slot++) {
            if (plan->placement.layers[layer][slot].r > 0)
                return layer;
        }
    }
    return layers;
}

static void place(struct placing *p)
{
    struct plan *plan = p->plan;
    struct placement *placement = &plan->placement;
    const struct string_list *saved = &plan->recipe.lora.modules_to_save;
    placement->layers =
        allocate((size_t)plan->recipe.model.num_hidden_layers * sizeof *placement->layers, "the placement of adapters");
    for (int i = 0; i < plan->architecture.count; i++) {
        const struct module *module = &plan->architecture.modules[i];
        if (module->kind == MODULE_LINEAR)
            placement->layers[module->layer][module->slot] = adapter_of(p, module);
        else if (module->kind == MODULE_HEAD)
            placement->head = adapter_of(p, module);
    }
    placement->train_head = in_list(saved, "lm_head");
    placement->train_embedding = in_list(saved, "model.embed_tokens");
    placement->lowest_layer = placement->train_embedding ? 0 : lowest_layer(plan);
    count_parameters(plan);
}

bool placement_pass(struct plan *plan, struct messages *messages)
{
    struct placing placing = {.plan = plan, .messages = messages};
    int before = messages->count;
    open_placing(&placing);
    check(&placing);
    place(&placing);
    close_placing(&placing);
    if (messages->count == before && plan->placement.trained == 0)
        recipe_mistake(messages, &plan->recipe, "lora.target_modules",
                       "nothing is left to train: all of it is excluded");
    return messages->count == before;
}

void placement_free(struct placement *placement)
{
    free(placement->layers);
    *placement = (struct placement){0};
}
