/* Schedule pass: what each layer keeps from its forward to its backward pass, and what it computes again.
 *
 * gradient_checkpointing says how to choose: false keeps all, true nothing but the layers' inputs, "auto" what is fastest within
 * memory_budget, or, where there is none, what needs least memory at AUTO_TIME of a step's time at most.
 */
#include "cost.h"
#include "frontier.h"
#include "memory.h"

#include <stdlib.h>
#include <string.h>

static const double AUTO_TIME = 0.03;

/* ---- choosing ---- */

/* The fastest of those that fit, NULL: none does. */
static const struct assignment *fastest_within(const struct frontier *frontier, double bytes)
{
    const struct assignment *best = NULL;
    for (int i = 0; i < frontier->count; i++)
        if ((double)frontier->items[i].peak <= bytes)
            best = &frontier->items[i];
    return best;
}

/* What "auto" chooses without a budget. */
static const struct assignment *usual(const struct plan *plan, const struct frontier *frontier)
{
    int best = frontier->count - 1;
    while (best > 0 && frontier->items[best - 1].seconds <= AUTO_TIME * cost_totals(plan).seconds)
        best--;
    return &frontier->items[best];
}

/* The largest n for which micro-batches of so many samples, or samples of so many tokens, fit; 0: none does. */
static int largest_that_fits(const struct plan *plan, const struct assignment *least, bool samples)
{
    const struct recipe_train *train = &plan->recipe.train;
    const double room = train->memory_budget - (double)memory_beside_plan(plan);
    int fits = 0, high = (samples ? train->per_device_train_batch_size : train->max_length) - 1;
    for (int low = 1; low <= high;) {
        int n = low + (high - low) / 2;
        int tokens =
            samples ? memory_tokens(n, train->max_length) : memory_tokens(train->per_device_train_batch_size, n);
        if ((double)memory_train_peak(plan, tokens, least->kept_bytes, least->scratch_columns) <= room) {
            fits = n;
            low = n + 1;
        } else {
            high = n - 1;
        }
    }
    return fits;
}

/* What would fit: "per_device_train_batch_size = 1 or max_length = 208 would fit" (free() it). */
static char *what_would_fit(const struct plan *plan, const struct assignment *least)
{
    int samples = largest_that_fits(plan, least, true), length = largest_that_fits(plan, least, false);
    const long long beside = memory_beside_plan(plan);
    const char *bits = plan->recipe.compute_dtype != DTYPE_F32 ? "" : "; bf16 = true would need less";
    if (length == 0)
        return format_text(
            "one sample of one token would need %.1f MiB, most of it for weights, adapters and the program itself%s",
            (double)(memory_train_peak(plan, memory_tokens(1, 1), least->kept_bytes, least->scratch_columns) + beside) /
                0x1p20,
            bits);
    if (samples == 0)
        return format_text("max_length = %d would fit%s", length, bits);
    return format_text("per_device_train_batch_size = %d or max_length = %d would fit%s", samples, length, bits);
}

static void refuse(const struct plan *plan, const struct assignment *chosen, const struct frontier *frontier,
                   struct messages *messages)
{
    const struct recipe_train *train = &plan->recipe.train;
    const struct assignment *least = &frontier->items[0];
    long long beside = memory_beside_plan(plan);
    char *hint;
    if ((double)(least->peak + beside) <= train->memory_budget)
        hint = format_text("gradient_checkpointing = \"auto\" would fit");
    else
        hint = what_would_fit(plan, least);
    if (chosen->peak > least->peak)
        recipe_mistake(messages, &plan->recipe, "train.memory_budget",
                       "%.1f MiB wanted at most, but training needs %.1f MiB with gradient_checkpointing = %s, "
                       "and %.1f MiB with the smallest plan; %s",
                       train->memory_budget / 0x1p20, (double)(chosen->peak + beside) / 0x1p20,
                       train->gradient_checkpointing == CHECKPOINTING_ON ? "true" : "false",
                       (double)(least->peak + beside) / 0x1p20, hint);
    else
        recipe_mistake(messages, &plan->recipe, "train.memory_budget",
                       "%.1f MiB wanted at most, but the smallest plan needs %.1f MiB; %s",
                       train->memory_budget / 0x1p20, (double)(least->peak + beside) / 0x1p20, hint);
    free(hint);
}

/* The assignment that the recipe asks for: of the frontier, or one of the two uniform ones. */
static const struct assignment *choose(const struct plan *plan, const struct frontier *frontier,
                                       const struct assignment *all_kept, const struct assignment *all_again,
                                       struct messages *messages)
{
    const struct recipe_train *train = &plan->recipe.train;
    const struct assignment *chosen = train->gradient_checkpointing == CHECKPOINTING_ON ? all_again : all_kept;
    double room = train->memory_budget - (double)memory_beside_plan(plan);
    if (train->gradient_checkpointing == CHECKPOINTING_AUTO)
        chosen = train->memory_budget > 0 ? fastest_within(frontier, room) : usual(plan, frontier);
    if (!chosen)
        chosen = &frontier->items[0];
    CHECK(chosen);
    if (train->memory_budget <= 0 || (double)chosen->peak <= room)
        return chosen;
    refuse(plan, chosen, frontier, messages);
    return NULL;
}

/* ---- the alternatives that are shown ---- */

static bool same(const struct assignment *a, const struct assignment *b)
{
    return a->peak == b->peak && a->seconds == b->seconds;
}

/* Adds one, unless it is there already, among the others in order of memory. */
static void add_choice(struct graph_plan *graph, const char *setting, double budget, const struct assignment *added,
                       const struct assignment *chosen)
{
    CHECK(graph->choice_count < MAX_CHOICES);
    int at = graph->choice_count;
    for (int i = 0; i < at; i++)
        if (graph->choices[i].peak == added->peak && graph->choices[i].seconds == added->seconds)
            return;
    graph->choice_count++;
    for (; at > 0 && graph->choices[at - 1].peak > added->peak; at--)
        graph->choices[at] = graph->choices[at - 1];
    graph->choices[at] = (struct memory_choice){.setting = setting,
                                                .budget = budget,
                                                .peak = added->peak,
                                                .flops = added->flops,
                                                .seconds = added->seconds,
                                                .chosen = same(added, chosen)};
}

/* What the three settings choose, what the recipe has chosen, and the fastest at equal steps of memory. */
static void list_choices(struct plan *plan, const struct frontier *frontier, const struct assignment *all_kept,
                         const struct assignment *all_again, const struct assignment *chosen)
{
    enum { STEPS = MAX_CHOICES - 4 };
    struct graph_plan *graph = plan->graph;
    const long long beside = memory_beside_plan(plan);
    add_choice(graph, "false", 0, all_kept, chosen);
    add_choice(graph, "true", 0, all_again, chosen);
    add_choice(graph, "auto", 0, usual(plan, frontier), chosen);
    add_choice(graph, "auto", plan->recipe.train.memory_budget, chosen, chosen);
    double least = (double)frontier->items[0].peak, most = (double)frontier->items[frontier->count - 1].peak;
    for (int i = 0; i < STEPS; i++) {
        const struct assignment *item = fastest_within(frontier, least + (most - least) * i / STEPS);
        add_choice(graph, "auto", (double)(item->peak + beside), item, chosen);
    }
}

/* ---- applying ---- */

/* A copy of `kind` for `count` of its layers, from `first` on, under a policy. */
static struct layer_kind with_policy(const struct layer_kind *kind, int first, int count, unsigned units, bool lean)
{
    struct layer_kind own = *kind;
    size_t length = strlen(own.name);
    if (lean)
        snprintf(own.name + length, sizeof own.name - length, "_lean");
    own.layers = allocate((size_t)count * sizeof(int), "the layers of a kind");
    memcpy(own.layers, kind->layers + first, (size_t)count * sizeof(int));
    own.count = count;
    policy_apply(&own.graph, units);
    own.recompute = units != 0;
    return own;
}

/* Kinds whose layers have different policies become two. */
static void apply(struct graph_plan *graph, const struct mix *mixes, int layers)
{
    struct layer_kind *kinds = allocate((size_t)layers * sizeof *kinds, "layer kinds");
    int count = 0;
    for (int i = 0; i < graph->kind_count; i++) {
        struct layer_kind *kind = &graph->kinds[i];
        int lean = mixes[i].lean_count;
        if (lean > 0)
            kinds[count++] = with_policy(kind, 0, lean, mixes[i].lean, true);
        kinds[count++] = with_policy(kind, lean, kind->count - lean, mixes[i].rich, false);
        free(kind->layers);
    }
    free(graph->kinds);
    graph->kinds = kinds;
    graph->kind_count = count;
    for (int i = 0; i < count; i++)
        for (int j = 0; j < kinds[i].count; j++)
            graph->kind_of[kinds[i].layers[j]] = i;
}

bool schedule_pass(struct plan *plan, struct messages *messages)
{
    struct graph_plan *graph = plan->graph;
    memory_rows(plan);
    drop_unread_statistics(&graph->head);
    place_scratch(&graph->head);
    cost_operations(plan);
    struct frontier frontier = frontier_find(plan);
    struct assignment all_kept = assignment_uniform(plan, false), all_again = assignment_uniform(plan, true);
    const struct assignment *chosen = choose(plan, &frontier, &all_kept, &all_again, messages);
    if (chosen) {
        list_choices(plan, &frontier, &all_kept, &all_again, chosen);
        apply(graph, chosen->mixes, plan->recipe.model.num_hidden_layers);
        memory_plan(plan);
        CHECK(graph->memory.train_peak == chosen->peak);
    }
    assignment_free(&all_kept);
    assignment_free(&all_again);
    frontier_free(&frontier);
    return chosen;
}
