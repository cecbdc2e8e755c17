/* Schedule pass: what each kind of layer keeps from its forward to its backward pass, and what it computes again. */
#include "graph.h"
#include "memory.h"

#include <string.h>

/* Statistics (rstd, log-sum-exp) that nobody reads are not written: their kernels take NULL. */
static bool is_statistic(const struct value *value)
{
    return !strcmp(value->name, "lse") ||
           (strlen(value->name) >= 4 && !strcmp(value->name + strlen(value->name) - 4, "rstd"));
}

static void drop_unread_statistics(struct graph *graph)
{
    for (int i = 0; i < graph->count; i++)
        for (int j = 0; j < graph->operations[i].count; j++) {
            struct operand *operand = &graph->operations[i].operands[j];
            if (operand->value < 0)
                continue;
            struct value *value = &graph->values[operand->value];
            if (!is_statistic(value) || value->last > value->first)
                continue;
            value->first = value->last = -1;
            *operand = (struct operand){.text = "NULL", .value = -1};
        }
}

static bool writes(const struct operand *operand)
{
    return operand->value >= 0 && operand->access != ACCESS_READ;
}

/* The forward operations that the backward pass depends on come first: after the last of them, recomputing stops. */
static void find_recompute_count(struct graph *graph)
{
    graph->recompute_count = 0;
    for (int i = 0; i < graph->forward_count; i++)
        for (int j = 0; j < graph->operations[i].count; j++) {
            const struct operand *operand = &graph->operations[i].operands[j];
            if (writes(operand) && graph->values[operand->value].last >= graph->forward_count)
                graph->recompute_count = i + 1;
        }
}

static void place_values(struct layer_kind *kind)
{
    struct graph *graph = &kind->graph;
    drop_unread_statistics(graph);
    find_recompute_count(graph);
    graph->saved_columns = 0;
    for (int i = 0; i < graph->value_count; i++) {
        struct value *value = &graph->values[i];
        if (value->storage == STORE_PARAMETER || value->first < 0)
            continue;
        bool crosses = value->first < graph->forward_count && value->last >= graph->forward_count;
        value->storage = crosses && !kind->recompute ? STORE_SAVED : STORE_SCRATCH;
        if (value->storage == STORE_SAVED)
            graph->saved_columns += value->width;
    }
}

static void set_policy(struct plan *plan, bool recompute)
{
    for (int i = 0; i < plan->graph->kind_count; i++) {
        struct layer_kind *kind = &plan->graph->kinds[i];
        kind->recompute = recompute && kind->trains;
        place_values(kind);
    }
    drop_unread_statistics(&plan->graph->head);
    memory_plan(plan);
}

bool schedule_pass(struct plan *plan, struct messages *messages)
{
    const struct recipe_train *train = &plan->recipe.train;
    set_policy(plan, train->gradient_checkpointing == CHECKPOINTING_ON);
    const struct memory_totals *memory = &plan->graph->memory;
    if (train->memory_budget <= 0 || (double)memory->train_peak <= train->memory_budget)
        return true;
    long long kept = memory->train_peak;
    if (train->gradient_checkpointing == CHECKPOINTING_AUTO) {
        set_policy(plan, true);
        if ((double)memory->train_peak <= train->memory_budget)
            return true;
    }
    bool tried = memory->train_peak < kept || train->gradient_checkpointing != CHECKPOINTING_OFF;
    recipe_mistake(messages, &plan->recipe, "train.memory_budget",
                   "%.1f MiB wanted at most, but training needs %.1f MiB%s; a smaller per_device_train_batch_size or "
                   "max_length%s would need less",
                   train->memory_budget / 0x1p20, (double)memory->train_peak / 0x1p20,
                   tried ? " with every layer recomputed" : " (gradient_checkpointing = \"auto\" may save some)",
                   train->bf16 || train->fp16 ? "" : ", or a 16-bit base (bf16 or fp16),");
    return false;
}

static const char *storage_name(const struct value *value)
{
    static const char *const names[] = {
        [STORE_PARAMETER] = "parameter", [STORE_SAVED] = "saved", [STORE_SCRATCH] = "scratch"};
    return names[value->storage];
}

void schedule_dump(const struct plan *plan, FILE *out)
{
    for (int i = 0; i < plan->graph->kind_count; i++) {
        const struct layer_kind *kind = &plan->graph->kinds[i];
        const struct graph *graph = &kind->graph;
        const char *policy = !kind->trains     ? "nothing kept, no backward pass"
                             : kind->recompute ? "only the input kept; the forward pass runs again"
                                               : "kept from forward to backward";
        fprintf(out, "%s (%d layer%s): %s\n", kind->name, kind->count, kind->count == 1 ? "" : "s", policy);
        for (int j = 0; j < graph->value_count; j++) {
            const struct value *value = &graph->values[j];
            if (value->first >= 0)
                fprintf(out, "    %-16s [T][%s]  %s, operations %d to %d\n", value->name, value->width_name,
                        storage_name(value), value->first, value->last);
        }
    }
}
