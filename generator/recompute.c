#include "recompute.h"
#include "memory.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_UNITS = 12 };

struct units {
    int count;
    int of_operation[MAX_OPERATIONS]; /* of the forward pass */
    int of_value[MAX_VALUES]; /* the unit that makes it; -1: parameters and what the forward pass does not make */
};

static bool writes(const struct operand *operand)
{
    return operand->value >= 0 && operand->access != ACCESS_READ;
}

/* Does `later` change something that `earlier` has made or read? */
static bool changes(const struct operation *later, const struct operation *earlier)
{
    for (int i = 0; i < later->count; i++)
        for (int j = 0; writes(&later->operands[i]) && j < earlier->count; j++)
            if (earlier->operands[j].value == later->operands[i].value)
                return true;
    return false;
}

/* A set of joined operations is labelled with the first of them. */
static void join(struct units *units, int count, int a, int b)
{
    int one = units->of_operation[a], other = units->of_operation[b];
    int from = one > other ? one : other, to = one > other ? other : one;
    for (int i = 0; i < count; i++)
        if (units->of_operation[i] == from)
            units->of_operation[i] = to;
}

/* Labels, which are operations, become units in the order of the forward pass. */
static void number_units(struct units *units, int count)
{
    int number[MAX_OPERATIONS];
    for (int i = 0; i < count; i++) {
        int label = units->of_operation[i];
        if (label == i)
            number[i] = units->count++;
        units->of_operation[i] = number[label];
    }
    CHECK(units->count <= MAX_UNITS);
}

static struct units find_units(const struct graph *graph)
{
    struct units units = {.count = 0};
    for (int i = 0; i < graph->forward_count; i++)
        units.of_operation[i] = i;
    for (int i = 0; i < graph->forward_count; i++)
        for (int j = i + 1; j < graph->forward_count; j++)
            if (changes(&graph->operations[j], &graph->operations[i]))
                join(&units, graph->forward_count, i, j);
    number_units(&units, graph->forward_count);
    for (int i = 0; i < graph->value_count; i++)
        units.of_value[i] = -1;
    for (int i = 0; i < graph->forward_count; i++)
        for (int j = 0; j < graph->operations[i].count; j++) {
            const struct operand *operand = &graph->operations[i].operands[j];
            if (writes(operand) && graph->values[operand->value].storage != STORE_PARAMETER)
                units.of_value[operand->value] = units.of_operation[i];
        }
    return units;
}

/* Marks in needed[] the values of the forward pass that an operation touches; those of unit `own` it makes itself. */
static void mark_needed(const struct units *units, const struct operation *op, int own, bool *needed)
{
    for (int i = 0; i < op->count; i++) {
        int value = op->operands[i].value;
        if (value >= 0 && units->of_value[value] >= 0 && units->of_value[value] != own)
            needed[value] = true;
    }
}

static bool makes_needed(const struct graph *graph, const struct units *units, int unit, const bool *needed)
{
    for (int i = 0; i < graph->value_count; i++)
        if (units->of_value[i] == unit && needed[i])
            return true;
    return false;
}

/* Which of the units `again` make something that is needed; needed[] is then every value that backward operations and these units
 * read of others. */
static unsigned needed_units(const struct graph *graph, const struct units *units, unsigned again, bool *needed)
{
    unsigned runs = 0;
    memset(needed, 0, MAX_VALUES * sizeof *needed);
    for (int i = graph->forward_count; i < graph->count; i++)
        mark_needed(units, &graph->operations[i], -1, needed);
    for (int unit = units->count - 1; unit >= 0; unit--) {
        if (!(again & 1U << unit) || runs & 1U << unit || !makes_needed(graph, units, unit, needed))
            continue;
        runs |= 1U << unit;
        for (int i = 0; i < graph->forward_count; i++)
            if (units->of_operation[i] == unit)
                mark_needed(units, &graph->operations[i], unit, needed);
        unit = units->count; /* what it reads may be of any unit */
    }
    return runs;
}

/* ---- the graph of a policy ---- */

struct rewriting {
    const struct graph *source;
    const struct units *units;
    unsigned runs, done;  /* units that run again, and those that do so above the operation at hand */
    int copy[MAX_VALUES]; /* where a value's second life is, or -1 */
    struct graph *graph;
};

static void append(struct rewriting *r, const struct operation *op, bool again)
{
    CHECK(r->graph->count < MAX_OPERATIONS);
    struct operation *added = &r->graph->operations[r->graph->count++];
    *added = *op;
    added->again = again;
    for (int i = 0; i < added->count; i++) {
        int value = added->operands[i].value;
        if (value < 0 || r->units->of_value[value] < 0 || !(r->runs & 1U << r->units->of_value[value]))
            continue;
        CHECK(r->copy[value] >= 0);
        added->operands[i].value = r->copy[value];
    }
}

static void copy_values(struct rewriting *r, int unit)
{
    for (int i = 0; i < r->source->value_count; i++) {
        if (r->units->of_value[i] != unit)
            continue;
        CHECK(r->graph->value_count < MAX_VALUES);
        r->copy[i] = r->graph->value_count++;
        r->graph->values[r->copy[i]] = r->source->values[i];
        r->graph->values[r->copy[i]].again = true;
    }
}

static void run_sources_again(struct rewriting *r, const struct operation *op);

static void run_again(struct rewriting *r, int unit)
{
    r->done |= 1U << unit;
    for (int i = 0; i < r->source->forward_count; i++)
        if (r->units->of_operation[i] == unit)
            run_sources_again(r, &r->source->operations[i]);
    copy_values(r, unit);
    for (int i = 0; i < r->source->forward_count; i++)
        if (r->units->of_operation[i] == unit)
            append(r, &r->source->operations[i], true);
}

/* Has what the operation reads computed again, where that is to be done and was not. Units read units before them: this ends. */
static void run_sources_again(struct rewriting *r, const struct operation *op)
{
    for (int i = 0; i < op->count; i++) {
        int unit = op->operands[i].value < 0 ? -1 : r->units->of_value[op->operands[i].value];
        if (unit >= 0 && r->runs & 1U << unit && !(r->done & 1U << unit))
            run_again(r, unit);
    }
}

static void find_lifetimes(struct graph *graph)
{
    for (int i = 0; i < graph->value_count; i++)
        graph->values[i].first = graph->values[i].last = -1;
    for (int i = 0; i < graph->count; i++)
        for (int j = 0; j < graph->operations[i].count; j++) {
            int value = graph->operations[i].operands[j].value;
            if (value < 0)
                continue;
            if (graph->values[value].first < 0)
                graph->values[value].first = i;
            graph->values[value].last = i;
        }
}

static void rewrite(struct graph *graph, const struct units *units, unsigned runs)
{
    struct graph *source = allocate(sizeof *source, "a layer's graph");
    *source = *graph;
    struct rewriting r = {.source = source, .units = units, .runs = runs, .graph = graph};
    for (int i = 0; i < MAX_VALUES; i++)
        r.copy[i] = -1;
    graph->count = graph->forward_count;
    for (int i = source->forward_count; i < source->count; i++) {
        run_sources_again(&r, &source->operations[i]);
        append(&r, &source->operations[i], false);
    }
    free(source);
    find_lifetimes(graph);
}

static bool is_statistic(const struct value *value)
{
    return !strcmp(value->name, "lse") ||
           (strlen(value->name) >= 4 && !strcmp(value->name + strlen(value->name) - 4, "rstd"));
}

void drop_unread_statistics(struct graph *graph)
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

static void place_values(struct graph *graph)
{
    drop_unread_statistics(graph);
    graph->saved_bytes = 0;
    for (int i = 0; i < graph->value_count; i++) {
        struct value *value = &graph->values[i];
        if (value->storage == STORE_PARAMETER || value->first < 0)
            continue;
        bool crosses = value->first < graph->forward_count && value->last >= graph->forward_count;
        value->storage = crosses ? STORE_SAVED : STORE_SCRATCH;
        graph->saved_bytes += crosses ? value_bytes(value) : 0;
    }
}

void policy_apply(struct graph *graph, unsigned again)
{
    struct units units = find_units(graph);
    bool needed[MAX_VALUES];
    rewrite(graph, &units, needed_units(graph, &units, again, needed));
    place_values(graph);
    place_scratch(graph);
}

/* ---- the policies that there are ---- */

static struct policy describe(const struct graph *graph, unsigned units)
{
    struct graph *own = allocate(sizeof *own, "a layer's graph");
    *own = *graph;
    policy_apply(own, units);
    struct policy policy = {.units = units, .kept_bytes = own->saved_bytes, .scratch_columns = own->scratch_columns};
    for (int i = own->forward_count; i < own->count; i++)
        if (own->operations[i].again) {
            policy.flops += own->operations[i].flops;
            policy.seconds += own->operations[i].seconds;
        }
    free(own);
    return policy;
}

struct policy policy_uniform(const struct graph *graph, bool again)
{
    struct units units = find_units(graph);
    bool needed[MAX_VALUES];
    return describe(graph, again ? needed_units(graph, &units, (1U << units.count) - 1, needed) : 0);
}

/* Is `a` at least as good as `b` in everything? */
static bool dominates(const struct policy *a, const struct policy *b)
{
    return a->kept_bytes <= b->kept_bytes && a->scratch_columns <= b->scratch_columns && a->seconds <= b->seconds;
}

static int add_undominated(struct policy *policies, int count, const struct policy *policy)
{
    int left = 0;
    for (int i = 0; i < count; i++)
        if (dominates(&policies[i], policy))
            return count;
    for (int i = 0; i < count; i++)
        if (!dominates(policy, &policies[i]))
            policies[left++] = policies[i];
    policies[left++] = *policy;
    return left;
}

static int by_kept_bytes(const void *a, const void *b)
{
    const struct policy *p = a, *q = b;
    if (p->kept_bytes != q->kept_bytes)
        return p->kept_bytes < q->kept_bytes ? -1 : 1;
    return (p->seconds < q->seconds) - (p->seconds > q->seconds);
}

struct policy *policies_of(const struct graph *graph, int *count)
{
    struct units units = find_units(graph);
    bool needed[MAX_VALUES];
    unsigned sets = 1U << units.count;
    struct policy *policies = allocate(sets * sizeof *policies, "policies");
    *count = 0;
    for (unsigned set = 0; set < sets; set++) {
        if (needed_units(graph, &units, set, needed) != set)
            continue; /* another set without the units that nobody needs is the same */
        struct policy policy = describe(graph, set);
        *count = add_undominated(policies, *count, &policy);
    }
    qsort(policies, (size_t)*count, sizeof *policies, by_kept_bytes);
    return policies;
}

/* The value that an operation is there for: the first that it writes. */
static int made_by(const struct operation *op)
{
    for (int i = 0; i < op->count; i++)
        if (writes(&op->operands[i]))
            return op->operands[i].value;
    return -1;
}

char *recomputed_names(const struct graph *graph, int first)
{
    char *names = format_text("%s", "");
    bool named[MAX_VALUES] = {false};
    for (int i = first < 0 ? graph->forward_count : first; i < graph->count; i++) {
        if (first >= 0 && !graph->operations[i].again)
            break;
        int value = graph->operations[i].again ? made_by(&graph->operations[i]) : -1;
        if (value < 0 || named[value])
            continue;
        named[value] = true;
        char *longer = format_text("%s%s%s", names, *names ? ", " : "", graph->values[value].name);
        free(names);
        names = longer;
    }
    return names;
}
