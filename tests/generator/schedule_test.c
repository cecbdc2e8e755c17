/* What layers keep and compute again: every policy computes what keeping all computes, and of the policies the best are found. */
#include "cost.h"
#include "frontier.h"
#include "memory.h"
#include "planned.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Recipes with every kind of operation that a layer may have: DoRA, dropout, norms of heads, windows, biases; all modules or some. */
static const char *const recipes[] = {
    "tests/data/cases/llama_dora/llama_dora.lua",
    "tests/data/cases/llama_gqa/llama_gqa.lua",
    "tests/data/cases/mistral_window_yarn/mistral_window_yarn.lua",
    "tests/data/cases/qwen2_all_linear/qwen2_all_linear.lua",
    "tests/data/cases/qwen2_mixed_layers/qwen2_mixed_layers.lua",
    "tests/data/cases/qwen3_qknorm/qwen3_qknorm.lua",
    "tests/data/partial/gradient_of_up.lua",
};

enum { RECIPES = sizeof recipes / sizeof *recipes };

/* Up to the backward pass. */
static void open_graphs(struct planned *planned, const char *path, const char *override)
{
    struct string_list overrides = {0};
    if (override)
        string_list_add(&overrides, override);
    planned_open_file(planned, path, &overrides);
    string_list_free(&overrides);
    assert_true(planned->whole);
    assert_true(graph_pass(&planned->plan, &planned->messages));
    assert_true(backward_pass(&planned->plan, &planned->messages));
    memory_rows(&planned->plan);
    place_scratch(&planned->plan.graph->head);
    cost_operations(&planned->plan);
}

/* ---- what a graph computes, as hashes instead of numbers ---- */

struct run {
    uint64_t values[MAX_VALUES];
    bool there[MAX_VALUES];           /* of scratch: nothing else was written in its place since */
    uint64_t results[MAX_OPERATIONS]; /* of the backward operations that do not run again */
    int count;
};

static uint64_t mix_bytes(uint64_t hash, const void *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ ((const unsigned char *)data)[i]) * 1099511628211ULL;
    return hash;
}

static long end_of(const struct value *value)
{
    return value->column + (value_bytes(value) + 3) / 4;
}

static void write_value(struct run *run, const struct graph *graph, int value, uint64_t hash)
{
    const struct value *v = &graph->values[value];
    run->values[value] = hash;
    for (int i = 0; v->storage == STORE_SCRATCH && i < graph->value_count; i++) {
        const struct value *other = &graph->values[i];
        if (other->storage == STORE_SCRATCH && other->column < end_of(v) && v->column < end_of(other))
            run->there[i] = false;
    }
    run->there[value] = true;
}

static void check_inputs(const struct run *run, const struct graph *graph, const struct operation *op)
{
    for (int i = 0; i < op->count; i++)
        if (op->operands[i].value >= 0 && op->operands[i].access != ACCESS_WRITE &&
            graph->values[op->operands[i].value].storage == STORE_SCRATCH)
            assert_true(run->there[op->operands[i].value]);
}

static uint64_t inputs_hash(const struct run *run, const struct operation *op)
{
    uint64_t hash = mix_bytes(14695981039346656037ULL, op->kernel, strlen(op->kernel));
    for (int i = 0; i < op->count; i++) {
        const struct operand *operand = &op->operands[i];
        if (operand->value >= 0 && operand->access != ACCESS_WRITE)
            hash = mix_bytes(hash, &run->values[operand->value], sizeof(uint64_t));
        else if (operand->value < 0 &&
                 strcmp(operand->text, "NULL")) /* NULL stands for a statistic that nobody reads */
            hash = mix_bytes(hash, operand->text, strlen(operand->text));
    }
    return hash;
}

static void run_operation(struct run *run, const struct graph *graph, const struct operation *op)
{
    check_inputs(run, graph, op);
    uint64_t hash = inputs_hash(run, op);
    for (int i = 0; i < op->count; i++) {
        int value = op->operands[i].value;
        if (value < 0 || op->operands[i].access == ACCESS_READ)
            continue;
        write_value(run, graph, value, mix_bytes(hash, &i, sizeof i));
    }
    check_inputs(run, graph, op); /* no result lies on what it is made of */
    if (op >= graph->operations + graph->forward_count && !op->again)
        run->results[run->count++] = hash;
}

static struct run *run_graph(const struct graph *graph)
{
    struct run *run = calloc(1, sizeof *run);
    assert_non_null(run);
    for (int i = 0; i < graph->count; i++) {
        if (i == 0 || i == graph->forward_count) /* other layers come between */
            memset(run->there, 0, sizeof run->there);
        run_operation(run, graph, &graph->operations[i]);
    }
    return run;
}

static struct graph *with_units(const struct graph *graph, unsigned units)
{
    struct graph *own = malloc(sizeof *own);
    assert_non_null(own);
    *own = *graph;
    policy_apply(own, units);
    return own;
}

static void test_every_policy_computes_the_same(void **state)
{
    (void)state;
    for (int r = 0; r < RECIPES; r++) {
        struct planned planned;
        open_graphs(&planned, recipes[r], "lora.lora_dropout=0.1");
        const struct graph_plan *plan = planned.plan.graph;
        for (int k = 0; k < plan->kind_count; k++) {
            const struct graph *graph = &plan->kinds[k].graph;
            unsigned all = policy_uniform(graph, true).units;
            struct graph *kept = with_units(graph, 0);
            struct run *expected = run_graph(kept);
            assert_int_equal(expected->count, graph->count - graph->forward_count);
            for (unsigned units = 0; units < 2 * all + 2; units++) {
                struct graph *own = with_units(graph, units);
                struct run *run = run_graph(own);
                assert_int_equal(run->count, expected->count);
                assert_memory_equal(run->results, expected->results, (size_t)run->count * sizeof *run->results);
                free(run);
                free(own);
            }
            free(expected);
            free(kept);
        }
        planned_close(&planned);
    }
}

/* The hashes do tell: an operation left out of what runs again, or in another order, gives other results. */
static void test_the_comparison_sees_a_wrong_graph(void **state)
{
    (void)state;
    struct planned planned;
    open_graphs(&planned, recipes[3], NULL);
    const struct graph *graph = &planned.plan.graph->kinds[planned.plan.graph->kind_count - 1].graph;
    struct graph *again = with_units(graph, policy_uniform(graph, true).units);
    struct run *expected = run_graph(again);
    int first = again->forward_count;
    while (!again->operations[first].again || strncmp(again->operations[first].kernel, "lora_", 5))
        first++;
    again->operations[first].kernel[5] = 'x';
    struct run *run = run_graph(again);
    assert_memory_not_equal(run->results, expected->results, (size_t)run->count * sizeof *run->results);
    free(run);
    free(expected);
    free(again);
    planned_close(&planned);
}

/* ---- which policies there are, and which are chosen ---- */

static double seconds_again(const struct graph *graph)
{
    double sum = 0;
    for (int i = 0; i < graph->count; i++)
        sum += graph->operations[i].again ? graph->operations[i].seconds : 0;
    return sum;
}

static bool as_good(const struct policy *policy, const struct graph *graph)
{
    return policy->kept_bytes <= graph->saved_bytes && policy->scratch_columns <= graph->scratch_columns &&
           policy->seconds <= seconds_again(graph) * (1 + 1e-12);
}

static void test_no_set_of_units_beats_the_policies(void **state)
{
    (void)state;
    for (int r = 0; r < RECIPES; r++) {
        struct planned planned;
        open_graphs(&planned, recipes[r], "lora.lora_dropout=0.1");
        const struct graph_plan *plan = planned.plan.graph;
        for (int k = 0; k < plan->kind_count; k++) {
            if (!plan->kinds[k].trains)
                continue;
            int count;
            const struct graph *graph = &plan->kinds[k].graph;
            struct policy *policies = policies_of(graph, &count);
            assert_true(policies[count - 1].seconds == 0);
            unsigned all = policy_uniform(graph, true).units;
            for (unsigned units = 0; units < 2 * all + 2; units++) {
                struct graph *own = with_units(graph, units);
                int i = 0;
                while (i < count && !as_good(&policies[i], own))
                    i++;
                assert_true(i < count);
                free(own);
            }
            free(policies);
        }
        planned_close(&planned);
    }
}

struct choices {
    struct policy *policies;
    int count;
};

/* All ways of giving each layer a policy of its kind, one by one. */
static void compare_with_all_ways(const struct plan *plan, const struct choices *choices,
                                  const struct frontier *frontier, int layer, struct policy sum)
{
    const struct graph_plan *graph = plan->graph;
    if (layer < plan->recipe.model.num_hidden_layers) {
        const struct choices *own = &choices[graph->kind_of[layer]];
        for (int i = 0; i < own->count; i++) {
            const struct policy *p = &own->policies[i];
            long columns = p->scratch_columns > sum.scratch_columns ? p->scratch_columns : sum.scratch_columns;
            compare_with_all_ways(plan, choices, frontier, layer + 1,
                                  (struct policy){.kept_bytes = sum.kept_bytes + p->kept_bytes,
                                                  .scratch_columns = columns,
                                                  .seconds = sum.seconds + p->seconds});
        }
        return;
    }
    long long peak = memory_train_peak(plan, graph->max_tokens, sum.kept_bytes, sum.scratch_columns);
    int i = frontier->count - 1;
    while (i > 0 && frontier->items[i].peak > peak)
        i--;
    assert_true(frontier->items[i].peak <= peak);
    assert_true(frontier->items[i].seconds <= sum.seconds * (1 + 1e-12));
}

/* In recipes of at most two layers of a kind. */
static void test_the_frontier_has_the_best_of_all_ways(void **state)
{
    (void)state;
    static const char *const small[] = {
        "tests/data/cases/llama_dora/llama_dora.lua", "tests/data/cases/mistral_window_yarn/mistral_window_yarn.lua",
        "tests/data/cases/qwen2_all_linear/qwen2_all_linear.lua", "tests/data/cases/qwen3_qknorm/qwen3_qknorm.lua"};
    for (size_t r = 0; r < sizeof small / sizeof *small; r++) {
        struct planned planned;
        open_graphs(&planned, small[r], NULL);
        struct frontier frontier = frontier_find(&planned.plan);
        for (int i = 1; i < frontier.count; i++)
            assert_true(frontier.items[i].peak > frontier.items[i - 1].peak &&
                        frontier.items[i].seconds < frontier.items[i - 1].seconds);
        assert_true(frontier.items[frontier.count - 1].seconds == 0);
        const struct graph_plan *graph = planned.plan.graph;
        struct choices choices[4];
        for (int i = 0; i < graph->kind_count; i++)
            choices[i].policies = policies_of(&graph->kinds[i].graph, &choices[i].count);
        compare_with_all_ways(&planned.plan, choices, &frontier, 0, (struct policy){.units = 0});
        for (int i = 0; i < graph->kind_count; i++)
            free(choices[i].policies);
        frontier_free(&frontier);
        planned_close(&planned);
    }
}

/* ---- settings ---- */

static const char whole[] = "tests/data/cases/qwen2_all_linear/qwen2_all_linear.lua";

/* Up to the schedule pass, with as many overrides as are given before a NULL; whether it passed. */
static bool schedule(struct planned *planned, const char *const *overrides)
{
    struct string_list list = {0};
    for (int i = 0; overrides[i]; i++)
        string_list_add(&list, overrides[i]);
    planned_open_file(planned, whole, &list);
    string_list_free(&list);
    assert_true(planned->whole);
    return graph_pass(&planned->plan, &planned->messages) && backward_pass(&planned->plan, &planned->messages) &&
           schedule_pass(&planned->plan, &planned->messages) && cost_pass(&planned->plan, &planned->messages);
}

static struct graph_plan schedule_with(const char *setting, double budget)
{
    struct planned planned;
    char checkpointing[64], bytes[64];
    snprintf(checkpointing, sizeof checkpointing, "train.gradient_checkpointing=%s", setting);
    snprintf(bytes, sizeof bytes, "train.memory_budget=%.0f", budget);
    assert_true(schedule(&planned, (const char *const[]){checkpointing, budget > 0 ? bytes : NULL, NULL}));
    struct graph_plan graph = *planned.plan.graph; /* for its totals */
    assert_true(budget <= 0 || (double)(graph.memory.train_peak + memory_beside_plan(&planned.plan)) <= budget);
    planned_close(&planned);
    return graph;
}

static void test_budgets_are_used_and_kept(void **state)
{
    (void)state;
    struct graph_plan off = schedule_with("false", 0), on = schedule_with("true", 0), last = on;
    assert_true(off.cost.recompute_flops == 0 && off.memory.saved > 0);
    assert_true(on.memory.saved == 0 && on.cost.recompute_flops > 0.3 * on.cost.forward_flops);
    struct planned planned;
    assert_true(schedule(&planned, (const char *const[]){NULL}));
    double beside = (double)memory_beside_plan(&planned.plan);
    planned_close(&planned);
    int different = 0;
    for (int i = 0; i <= 16; i++) {
        double budget =
            beside + (double)on.memory.train_peak + i * (double)(off.memory.train_peak - on.memory.train_peak) / 16;
        struct graph_plan plan = schedule_with("auto", budget);
        assert_true(plan.cost.recompute_seconds <= last.cost.recompute_seconds);
        different += plan.memory.train_peak != last.memory.train_peak;
        last = plan;
    }
    assert_true(different >= 12);
    assert_true(last.memory.train_peak == off.memory.train_peak && last.cost.recompute_seconds == 0);
    struct graph_plan usual = schedule_with("auto", 0);
    assert_true(usual.cost.recompute_seconds > 0 && usual.cost.recompute_seconds <= 0.03 * usual.cost.seconds);
    assert_true(usual.memory.train_peak < off.memory.train_peak);
}

/* The alternatives that are shown: what is said to cost so much is got with the setting that is said. */
static void test_alternatives_are_what_they_say(void **state)
{
    (void)state;
    struct graph_plan plan = schedule_with("false", 0);
    int chosen = 0;
    assert_true(plan.choice_count >= 5);
    for (int i = 0; i < plan.choice_count; i++) {
        const struct memory_choice *choice = &plan.choices[i];
        struct graph_plan own = schedule_with(choice->setting, choice->budget);
        assert_true(own.memory.train_peak == choice->peak);
        assert_true(own.cost.recompute_flops == choice->flops);
        assert_true(i == 0 || choice->peak > plan.choices[i - 1].peak);
        chosen += choice->chosen;
    }
    assert_int_equal(chosen, 1);
}

static void test_what_is_said_to_fit_fits(void **state)
{
    (void)state;
    struct planned planned;
    const char *budget = "train.memory_budget=21.5MiB";
    assert_false(schedule(&planned, (const char *const[]){budget, NULL}));
    char *text = planned_messages(&planned);
    double needed = 0;
    int samples = 0, length = 0;
    const char *found = strstr(text, "but the smallest plan needs ");
    assert_non_null(found);
    assert_int_equal(
        sscanf(found,
               "but the smallest plan needs %lf MiB; per_device_train_batch_size = %d or max_length = %d would fit",
               &needed, &samples, &length),
        3);
    assert_true(needed > 21.5 && needed < 22.5);
    planned_close(&planned);
    free(text);
    const struct {
        const char *field;
        int fits, too_many;
    } hints[] = {{"train.per_device_train_batch_size", samples, samples + 1}, {"train.max_length", length, length + 1}};
    for (size_t i = 0; i < sizeof hints / sizeof *hints; i++) {
        char field[64];
        snprintf(field, sizeof field, "%s=%d", hints[i].field, hints[i].fits);
        assert_true(schedule(&planned, (const char *const[]){budget, field, NULL}));
        planned_close(&planned);
        snprintf(field, sizeof field, "%s=%d", hints[i].field, hints[i].too_many);
        assert_false(schedule(&planned, (const char *const[]){budget, field, NULL}));
        planned_close(&planned);
    }
}

static void test_refusals(void **state)
{
    (void)state;
    struct planned planned;
    const struct {
        const char *overrides[3], *said;
    } cases[] = {
        {{"train.memory_budget=1MiB"}, "; one sample of one token would need "},
        {{"train.memory_budget=22.5MiB", "train.gradient_checkpointing=false"},
         "MiB with gradient_checkpointing = false, and "},
        {{"train.memory_budget=22.5MiB", "train.gradient_checkpointing=false"},
         "MiB with the smallest plan; gradient_checkpointing = \"auto\" would fit"},
        {{"train.memory_budget=21.5MiB", "train.gradient_checkpointing=true"},
         "MiB with gradient_checkpointing = true, and "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_false(schedule(&planned, cases[i].overrides));
        char *text = planned_messages(&planned);
        if (!strstr(text, cases[i].said))
            fail_msg("'%s' is not in: %s", cases[i].said, text);
        free(text);
        planned_close(&planned);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_policy_computes_the_same),
        cmocka_unit_test(test_the_comparison_sees_a_wrong_graph),
        cmocka_unit_test(test_no_set_of_units_beats_the_policies),
        cmocka_unit_test(test_the_frontier_has_the_best_of_all_ways),
        cmocka_unit_test(test_budgets_are_used_and_kept),
        cmocka_unit_test(test_alternatives_are_what_they_say),
        cmocka_unit_test(test_what_is_said_to_fit_fits),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
