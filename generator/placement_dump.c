/* The placement as a table for people, and as PEFT's adapter_config.json. */
#include "plan.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

/* ---- the table ---- */

static bool same_adapters(const struct placement *p, int a, int b)
{
    for (int slot = 0; slot < LAYER_SLOTS; slot++) {
        if (p->layers[a][slot].r != p->layers[b][slot].r || p->layers[a][slot].alpha != p->layers[b][slot].alpha)
            return false;
    }
    return true;
}

static bool carries(const struct placement *p, int layer, enum slot first, enum slot last)
{
    for (int slot = (int)first; slot <= (int)last; slot++) {
        if (p->layers[layer][slot].r > 0)
            return true;
    }
    return false;
}

/* Where the gradient stops in the lowest adapted layer: below its first adapted products nothing needs one. */
static const char *stops_at(const struct placement *p, int layer)
{
    if (carries(p, layer, SLOT_Q, SLOT_V))
        return "none through q, k, v";
    if (carries(p, layer, SLOT_O, SLOT_O))
        return "none through o, q, k, v";
    if (carries(p, layer, SLOT_GATE, SLOT_UP))
        return "none through gate, up and the attention";
    return "none through down, gate, up and the attention";
}

static void add_reach(struct text *text, const struct placement *p, int first, int last)
{
    int lowest = p->lowest_layer;
    if (last < lowest)
        text_add(text, "no gradient reaches %s", first == last ? "this layer" : "these layers");
    else if (first > lowest || p->train_embedding)
        text_add(text, "dX of every product");
    else if (last == first + 1)
        text_add(text, "layer %d: dX of every product; layer %d, the lowest: %s", last, first, stops_at(p, first));
    else if (last > first)
        text_add(text, "layers %d-%d: dX of every product; layer %d, the lowest: %s", first + 1, last, first,
                 stops_at(p, first));
    else
        text_add(text, "the lowest: %s", stops_at(p, first));
}

/* "-", "r=8", or with an alpha of its own "r=8 alpha=5" (free() it). */
static char *cell(const struct adapter *adapter, double lora_alpha)
{
    if (adapter->r == 0)
        return format_text("-");
    if (adapter->alpha == lora_alpha)
        return format_text("r=%d", adapter->r);
    return format_text("r=%d,alpha=%g", adapter->r, adapter->alpha);
}

static void add_cell(struct text *text, const struct plan *plan, int layer, int slot)
{
    const char *name = slot_name((enum slot)slot);
    size_t width = strlen(name);
    for (int i = 0; i < plan->recipe.model.num_hidden_layers; i++) {
        char *other = cell(&plan->placement.layers[i][slot], plan->recipe.lora.lora_alpha);
        width = strlen(other) > width ? strlen(other) : width;
        free(other);
    }
    char *own =
        layer < 0 ? format_text("%s", name) : cell(&plan->placement.layers[layer][slot], plan->recipe.lora.lora_alpha);
    text_add(text, "%-*s  ", (int)width, own);
    free(own);
}

static void add_row(struct text *text, const struct plan *plan, const char *label, int first, int last)
{
    text_add(text, "%-7s", label);
    for (int slot = 0; slot < LAYER_SLOTS; slot++)
        add_cell(text, plan, first, slot);
    if (first >= 0)
        add_reach(text, &plan->placement, first, last);
    text_trim(text);
    text_add(text, "\n");
}

static void add_layers(struct text *text, const struct plan *plan)
{
    int layers = plan->recipe.model.num_hidden_layers;
    for (int first = 0, last; first < layers; first = last + 1) {
        for (last = first; last + 1 < layers && same_adapters(&plan->placement, first, last + 1); last++)
            ;
        char *label = first == last ? format_text("%d", first) : format_text("%d-%d", first, last);
        add_row(text, plan, label, first, last);
        free(label);
    }
}

char *placement_table(const struct plan *plan)
{
    const struct placement *p = &plan->placement;
    struct text text = {0};
    add_row(&text, plan, "layer", -1, -1);
    add_layers(&text, plan);
    if (p->head.r > 0)
        text_add(&text, "lm_head r=%d\n", p->head.r);
    if (p->train_head)
        text_add(&text, "lm_head is trained as a whole\n");
    if (p->train_embedding)
        text_add(&text, "model.embed_tokens is trained as a whole\n");
    text_add(&text, "trained ");
    text_add_number(&text, p->trained);
    text_add(&text, " parameters beside ");
    text_add_number(&text, p->frozen);
    text_add(&text, " frozen (%.2f%%)\n", p->frozen > 0 ? 100.0 * (double)p->trained / (double)p->frozen : 100);
    return text_take(&text);
}

void placement_dump(const struct plan *plan, FILE *out)
{
    char *table = placement_table(plan);
    fputs(table, out);
    free(table);
}
