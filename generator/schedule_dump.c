/* --dump=schedule: what each kind of layer keeps and computes again, what else could have been chosen, and every value's life. */
#include "cost.h"
#include "recompute.h"

#include <math.h>
#include <stdlib.h>

static const char *storage_name(const struct value *value)
{
    static const char *const names[] = {
        [STORE_PARAMETER] = "parameter", [STORE_SAVED] = "saved", [STORE_SCRATCH] = "scratch"};
    return names[value->storage];
}

/* "kept from forward to backward", or how much is and what is computed again (free() it). */
static char *policy_text(const struct layer_kind *kind)
{
    if (!kind->trains)
        return format_text("nothing kept, no backward pass");
    if (!kind->recompute)
        return format_text("kept from forward to backward, %ld bytes a token", kind->graph.saved_bytes);
    char *names = recomputed_names(&kind->graph, -1), *text;
    if (kind->graph.saved_bytes == 0)
        text = format_text("only the input kept; computed again: %s", names);
    else
        text = format_text("%ld bytes a token kept; computed again: %s", kind->graph.saved_bytes, names);
    free(names);
    return text;
}

static void dump_values(const struct graph *graph, FILE *out)
{
    for (int i = 0; i < graph->value_count; i++) {
        const struct value *value = &graph->values[i];
        if (value->first >= 0)
            fprintf(out, "    %-16s [T][%s]  %s%s, operations %d to %d\n", value->name, value->width_name,
                    value->again ? "again, " : "", storage_name(value), value->first, value->last);
    }
}

static double percent(double part, double whole)
{
    return whole > 0 ? 100 * part / whole : 0;
}

static void dump_choices(const struct graph_plan *graph, const struct cost_totals *cost, FILE *out)
{
    const double flops = cost->forward_flops + cost->backward_flops;
    fprintf(out, "gradient_checkpointing   memory_budget      train peak   again: FLOP      time\n");
    for (int i = 0; i < graph->choice_count; i++) {
        const struct memory_choice *choice = &graph->choices[i];
        char budget[32] = "";
        if (choice->budget > 0)
            snprintf(budget, sizeof budget, "%.1fMiB", ceil(choice->budget / 0x1p20 * 10) / 10);
        fprintf(out, "%c %-20s %15s %11.1f MiB %11.1f %% %7.1f %%\n", choice->chosen ? '*' : ' ', choice->setting,
                budget, (double)choice->peak / 0x1p20, percent(choice->flops, flops),
                percent(choice->seconds, cost->seconds));
    }
}

void schedule_dump(const struct plan *plan, FILE *out)
{
    const struct graph_plan *graph = plan->graph;
    for (int i = 0; i < graph->kind_count; i++) {
        const struct layer_kind *kind = &graph->kinds[i];
        char *policy = policy_text(kind);
        fprintf(out, "%s (%d layer%s): %s\n", kind->name, kind->count, kind->count == 1 ? "" : "s", policy);
        free(policy);
        dump_values(&kind->graph, out);
    }
    struct cost_totals cost = cost_totals(plan);
    dump_choices(graph, &cost, out);
}
