/* The command tune: operations computed on made-up numbers until what is watched is measured. Products have fewer columns and are
 * less deep than the model's where those are many, so that a call takes some hundredths of a second; blocks are what they would be.
 */
#ifndef LORAC_MEASURE_H
#define LORAC_MEASURE_H

#include "matmul.h"

/* Sums are so deep at most: some of the deepest blocks. */
enum { MEASURED_DEPTH = 12288 };

/* Room for the largest of them; its bytes are 0x3c, a small number in every type. */
struct measured {
    void *from, *to, *w;
    int columns; /* of a result, at most */
};

static void *measured_memory(size_t elements)
{
    void *memory = allocate(elements * sizeof(float), "measuring");
    memset(memory, 0x3c, elements * sizeof(float));
    return memory;
}

ALWAYS_INLINE int measured_depth(int depth)
{
    return depth < MEASURED_DEPTH ? depth : MEASURED_DEPTH;
}

ALWAYS_INLINE int measured_columns(const struct measured *m, int columns)
{
    return columns < m->columns ? columns : m->columns;
}

/* A part of W [N][K] counts as if all of it were multiplied with fewer rows. */
ALWAYS_INLINE void measured_part(struct turn *turn, int rows, int columns, double all)
{
    turn->rows *= (double)rows * columns / all;
}

/* One call, by all threads. */
static void measured_call(const struct measured *m, struct tuned *tuned, enum tuned_operation operation, int T)
{
    struct turn turn = turn_begin(tuned, operation, T);
    const struct cut cut = CUTS[turn.variant];
    switch (operation) {
//@ for _, p in ipairs(plan.products) do
//@   local w = (p.weight_gradient and "floats" or "stored") .. "(m->w, K)"
    case $(p.name:upper())_FWD: {
        const int N = measured_columns(m, $(p.N_name)), K = measured_depth($(p.K_name));
        measured_part(&turn, N, K, $(p.flops) / 2);
$(wrap("        matmul_nt_cut(" .. result_of(p.y_type) .. "(m->to, N), " .. operand_of(plan.x_type) .. "(m->from, K), " .. w .. ", T, N, K, 1, false, NULL, NULL, cut);"))
        break;
    }
//@   if p.backward then
    case $(p.name:upper())_BWD: {
        const int N = measured_depth($(p.N_name)), K = measured_columns(m, $(p.K_name));
        measured_part(&turn, N, K, $(p.flops) / 2);
$(wrap("        matmul_nn_cut(" .. result_of(p.dx_type) .. "(m->to, K), " .. operand_of(p.y_type) .. "(m->from, N), " .. w .. ", T, K, N, 1, false, cut);"))
        break;
    }
//@   end
//@ end
    case TUNED_OPERATIONS:
        break;
    }
    turn_end(turn);
}

static void measure_operation(const struct measured *m, struct tuned *tuned, int threads,
                              enum tuned_operation operation, int T)
{
    const struct tuned *of_rows = &tuned[tuned_place(operation, T)];
    while (of_rows->watched) {
#pragma omp parallel num_threads(threads)
        measured_call(m, tuned, operation, T);
    }
}

//@ local deepest = 0
//@ for _, p in ipairs(plan.products) do deepest = math.max(deepest, p.N, p.K) end
static void measure(struct tuned *tuned, int threads)
{
    enum { ROWS = $(math.min(512, math.max(plan.max_tokens, plan.prompt_rows))) };
    struct measured m = {.columns = threads < 8 ? threads * 1024 : 8192};
    const size_t depth = measured_depth($(deepest)), wide = depth > (size_t)m.columns ? depth : (size_t)m.columns;
    m.from = measured_memory(wide * ROWS);
    m.to = measured_memory(wide * ROWS);
    m.w = measured_memory(depth * m.columns);
    for (int operation = 0; operation < TUNED_OPERATIONS; operation++) {
        if (ROW_CLASSES > 1)
            measure_operation(&m, tuned, threads, operation, FEW_ROWS);
        measure_operation(&m, tuned, threads, operation, ROWS);
    }
    free(m.from);
    free(m.to);
    free(m.w);
}

#endif
