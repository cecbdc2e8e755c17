#include "frontier.h"
#include "memory.h"

#include <stdlib.h>

enum { MOST_STATES = 256, MOST_LIMITS = 32 };

/* The policies of one kind of layer. */
struct choices {
    struct policy *items;
    int count;
};

/* The first kinds' layers have policies. */
struct state {
    struct mix mix; /* of the last of these kinds */
    int previous;   /* the state of the kinds before it */
    long long kept_bytes;
    double flops, seconds;
};

struct states {
    struct state *items;
    int count;
};

static int by_memory(const void *a, const void *b)
{
    const struct state *p = a, *q = b;
    if (p->kept_bytes != q->kept_bytes)
        return p->kept_bytes < q->kept_bytes ? -1 : 1;
    if (p->seconds != q->seconds)
        return p->seconds < q->seconds ? -1 : 1;
    if (p->previous != q->previous)
        return p->previous < q->previous ? -1 : 1;
    if (p->mix.lean_count != q->mix.lean_count)
        return p->mix.lean_count < q->mix.lean_count ? -1 : 1;
    return p->mix.lean != q->mix.lean ? (p->mix.lean < q->mix.lean ? -1 : 1)
                                      : (p->mix.rich > q->mix.rich) - (p->mix.rich < q->mix.rich);
}

/* Of very many states the fastest in each of MOST_STATES equal parts of memory, and the smallest. */
static void thin(struct states *states)
{
    if (states->count <= MOST_STATES)
        return;
    long long least = states->items[0].kept_bytes;
    double part = (double)(states->items[states->count - 1].kept_bytes - least) / (MOST_STATES - 1);
    int left = 1;
    for (int i = 1; i < states->count; i++) {
        bool last = i + 1 == states->count;
        double here = (double)(states->items[i].kept_bytes - least) / part;
        double next = last ? 0 : (double)(states->items[i + 1].kept_bytes - least) / part;
        if (last || (long long)here != (long long)next)
            states->items[left++] = states->items[i];
    }
    states->count = left;
}

/* Sorts by memory; states that are no faster than a smaller one go. */
static void prune(struct states *states)
{
    int left = 0;
    qsort(states->items, (size_t)states->count, sizeof *states->items, by_memory);
    for (int i = 0; i < states->count; i++)
        if (left == 0 || states->items[i].seconds < states->items[left - 1].seconds)
            states->items[left++] = states->items[i];
    states->count = left;
    thin(states);
}

static struct state mixed(const struct policy *lean, const struct policy *rich, int lean_count, int count)
{
    int rich_count = count - lean_count;
    return (struct state){
        .mix = {.lean = lean->units, .rich = rich->units, .lean_count = lean_count},
        .kept_bytes = (long long)lean_count * lean->kept_bytes + (long long)rich_count * rich->kept_bytes,
        .flops = lean_count * lean->flops + rich_count * rich->flops,
        .seconds = lean_count * lean->seconds + rich_count * rich->seconds,
    };
}

/* What the layers of one kind may have, none needing more scratch than `columns`. */
static struct states mixes_of(const struct choices *choices, int count, long columns)
{
    size_t pairs = (size_t)choices->count * (size_t)choices->count / 2 * (size_t)count + (size_t)choices->count;
    struct states states = {.items = allocate(pairs * sizeof *states.items, "mixes of policies")};
    for (int rich = 0; rich < choices->count; rich++) {
        const struct policy *more = &choices->items[rich];
        if (more->scratch_columns > columns)
            continue;
        states.items[states.count++] = mixed(more, more, 0, count);
        for (int lean = 0; lean < rich; lean++)
            for (int n = 1; n < count && choices->items[lean].scratch_columns <= columns; n++)
                states.items[states.count++] = mixed(&choices->items[lean], more, n, count);
    }
    prune(&states);
    return states;
}

static struct states combine(const struct states *before, const struct states *mixes)
{
    size_t most = (size_t)before->count * (size_t)mixes->count;
    struct states states = {.items = allocate((most + 1) * sizeof *states.items, "assignments")};
    for (int i = 0; i < before->count; i++)
        for (int j = 0; j < mixes->count; j++) {
            struct state *state = &states.items[states.count++];
            *state = mixes->items[j];
            state->previous = i;
            state->kept_bytes += before->items[i].kept_bytes;
            state->flops += before->items[i].flops;
            state->seconds += before->items[i].seconds;
        }
    prune(&states);
    return states;
}

/* ---- all kinds together, under a limit on scratch ---- */

struct search {
    const struct plan *plan;
    struct choices *choices; /* [kind_count] */
    struct states *stages;   /* [kind_count]: after this kind */
    struct frontier found;
    int room;
};

/* Scratch of the layers that have no choice. */
static long least_columns(const struct graph_plan *graph)
{
    long most = 0;
    for (int i = 0; i < graph->kind_count; i++) {
        if (graph->kinds[i].trains)
            continue;
        struct graph *own = allocate(sizeof *own, "a layer's graph");
        *own = graph->kinds[i].graph;
        policy_apply(own, 0);
        most = own->scratch_columns > most ? own->scratch_columns : most;
        free(own);
    }
    return most;
}

static void add_assignment(struct search *search, int at, long columns)
{
    const struct graph_plan *graph = search->plan->graph;
    struct frontier *found = &search->found;
    if (found->count == search->room) {
        search->room = 2 * search->room + 64;
        found->items = reallocate(found->items, (size_t)search->room * sizeof *found->items, "assignments");
    }
    const struct state *state = &search->stages[graph->kind_count - 1].items[at];
    struct assignment *assignment = &found->items[found->count++];
    *assignment = (struct assignment){
        .mixes = allocate((size_t)graph->kind_count * sizeof *assignment->mixes, "an assignment"),
        .kept_bytes = state->kept_bytes,
        .scratch_columns = columns,
        .peak = memory_train_peak(search->plan, graph->max_tokens, state->kept_bytes, columns),
        .flops = state->flops,
        .seconds = state->seconds,
    };
    for (int i = graph->kind_count - 1; i >= 0; i--) {
        assignment->mixes[i] = search->stages[i].items[at].mix;
        at = search->stages[i].items[at].previous;
    }
}

static void search_under(struct search *search, long columns)
{
    const struct graph_plan *graph = search->plan->graph;
    struct state nothing = {.previous = 0};
    struct states before = {.items = &nothing, .count = 1};
    for (int i = 0; i < graph->kind_count; i++) {
        const struct layer_kind *kind = &graph->kinds[i];
        struct states mixes = {.items = &nothing, .count = 1};
        if (kind->trains)
            mixes = mixes_of(&search->choices[i], kind->count, columns);
        search->stages[i] = combine(&before, &mixes);
        before = search->stages[i];
        if (kind->trains)
            free(mixes.items);
    }
    for (int i = 0; i < before.count; i++)
        add_assignment(search, i, columns);
    for (int i = 0; i < graph->kind_count; i++)
        free(search->stages[i].items);
}

static int by_columns(const void *a, const void *b)
{
    const long *p = a, *q = b;
    return (*p > *q) - (*p < *q);
}

/* The amounts of scratch that policies need, ascending, each once (free() them). */
static long *scratch_limits(const struct search *search, int *count)
{
    const struct graph_plan *graph = search->plan->graph;
    int all = 1, left = 1;
    for (int i = 0; i < graph->kind_count; i++)
        all += search->choices[i].count;
    long *limits = allocate((size_t)all * sizeof *limits, "limits");
    limits[0] = least_columns(graph);
    *count = 1;
    for (int i = 0; i < graph->kind_count; i++)
        for (int j = 0; j < search->choices[i].count; j++)
            if (search->choices[i].items[j].scratch_columns > limits[0])
                limits[(*count)++] = search->choices[i].items[j].scratch_columns;
    qsort(limits, (size_t)*count, sizeof *limits, by_columns);
    for (int i = 1; i < *count; i++)
        if (limits[i] != limits[left - 1])
            limits[left++] = limits[i];
    *count = left;
    return limits;
}

/* What some policy needs of scratch is tried as the limit for all: what fits below needs no more. Of very many such limits, some. */
static void search_all(struct search *search)
{
    int count;
    long *limits = scratch_limits(search, &count);
    for (int i = 0, step = count / MOST_LIMITS + 1; i < count; i++)
        if (i % step == 0 || i + 1 == count)
            search_under(search, limits[i]);
    free(limits);
}

static int by_peak(const void *a, const void *b)
{
    const struct assignment *p = a, *q = b;
    if (p->peak != q->peak)
        return p->peak < q->peak ? -1 : 1;
    if (p->seconds != q->seconds)
        return p->seconds < q->seconds ? -1 : 1;
    return by_columns(&p->scratch_columns, &q->scratch_columns);
}

static void prune_assignments(struct frontier *found)
{
    int left = 0;
    CHECK(found->items);
    qsort(found->items, (size_t)found->count, sizeof *found->items, by_peak);
    for (int i = 0; i < found->count; i++) {
        if (left > 0 && found->items[i].seconds >= found->items[left - 1].seconds)
            assignment_free(&found->items[i]);
        else
            found->items[left++] = found->items[i];
    }
    found->count = left;
}

struct frontier frontier_find(const struct plan *plan)
{
    const struct graph_plan *graph = plan->graph;
    size_t kinds = (size_t)graph->kind_count;
    struct search search = {.plan = plan,
                            .choices = allocate(kinds * sizeof *search.choices, "policies"),
                            .stages = allocate(kinds * sizeof *search.stages, "assignments")};
    for (int i = 0; i < graph->kind_count; i++)
        if (graph->kinds[i].trains)
            search.choices[i].items = policies_of(&graph->kinds[i].graph, &search.choices[i].count);
    search_all(&search);
    prune_assignments(&search.found);
    for (int i = 0; i < graph->kind_count; i++)
        free(search.choices[i].items);
    free(search.choices);
    free(search.stages);
    return search.found;
}

void frontier_free(struct frontier *frontier)
{
    for (int i = 0; i < frontier->count; i++)
        assignment_free(&frontier->items[i]);
    free(frontier->items);
}

struct assignment assignment_uniform(const struct plan *plan, bool again)
{
    const struct graph_plan *graph = plan->graph;
    struct assignment all = {.mixes = allocate((size_t)graph->kind_count * sizeof *all.mixes, "an assignment"),
                             .scratch_columns = least_columns(graph)};
    for (int i = 0; i < graph->kind_count; i++) {
        const struct layer_kind *kind = &graph->kinds[i];
        if (!kind->trains)
            continue;
        struct policy policy = policy_uniform(&kind->graph, again);
        all.mixes[i] = (struct mix){.lean = policy.units, .rich = policy.units};
        all.kept_bytes += (long long)kind->count * policy.kept_bytes;
        all.flops += kind->count * policy.flops;
        all.seconds += kind->count * policy.seconds;
        if (policy.scratch_columns > all.scratch_columns)
            all.scratch_columns = policy.scratch_columns;
    }
    all.peak = memory_train_peak(plan, graph->max_tokens, all.kept_bytes, all.scratch_columns);
    return all;
}

void assignment_free(struct assignment *assignment)
{
    free(assignment->mixes);
}
