/* The operations that are tuned, and how a call takes its turn: it is computed with the variant that is known to be the fastest or,
 * while that is being found out, with the next one, and timed (runtime/tuning.h). All operations have the same variants, CUTS.
 *
 * What is timed is the first thread's processor time, as other programs take the processor away for longer than variants differ.
 * The other threads have as much to do, and waiting for them counts only where threads spin.
 */
#ifndef LORAC_TUNED_H
#define LORAC_TUNED_H

#include "cut.h"
#include "isa.h"
#include "shapes.h"
#include "tuning.h"

#include <omp.h>
#include <time.h>

enum tuned_operation {
//@ for _, p in ipairs(plan.products) do
    $(p.name:upper())_FWD,
//@   if p.backward then
    $(p.name:upper())_BWD,
//@   end
//@ end
    TUNED_OPERATIONS
};

//@ local most = math.max(plan.max_tokens, plan.prompt_rows)
//@ local classes = most > 128 and { 128, most } or { most }
//@ if #classes > 1 then
/* Few rows have an entry of their own: bringing W into its layout takes much of the time then. */
//@ end
enum { ROW_CLASSES = $(#classes), FEW_ROWS = $(classes[1]), MANY_ROWS = $(most) };

/* The place of an operation's entry for T rows in `tunables`. */
ALWAYS_INLINE int tuned_place(enum tuned_operation operation, int T)
{
    return (int)operation * ROW_CLASSES + (T > FEW_ROWS);
}

/* A call that has begun. */
struct turn {
    struct tuned *tuned; /* to be told how long it takes; NULL: nothing */
    int variant;
    double rows, began;
};

ALWAYS_INLINE double thread_seconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* Called by all threads; tuned [TUNED_OPERATIONS * ROW_CLASSES] may be NULL. Threads meet at least once, within other operations,
 * between the ends of a call and the beginnings of the same operation's next one, so that all see what the first has written. */
ALWAYS_INLINE struct turn turn_begin(struct tuned *tuned, enum tuned_operation operation, int T)
{
    struct turn turn = {NULL, 0, T, 0};
    if (!tuned)
        return turn;
    tuned += tuned_place(operation, T);
    turn.variant = tuned_variant(tuned, CUT_COUNT);
    if (tuned->watched && omp_get_thread_num() == 0) {
        turn.tuned = tuned;
        turn.began = thread_seconds();
    }
    return turn;
}

ALWAYS_INLINE void turn_end(struct turn turn)
{
    if (turn.tuned)
        tuned_add(turn.tuned, CUT_COUNT, turn.variant, (thread_seconds() - turn.began) / turn.rows);
}

/* In the order of tuned_place. */
static const struct tunable tunables[] = {
//@ for _, p in ipairs(plan.products) do
//@   for _, direction in ipairs { "fwd", p.backward and "bwd" or nil } do
//@     for i = 1, #classes do
    {"matmul_$(p.name)_$(direction)", $(i < #classes and "FEW_ROWS" or "MANY_ROWS"), CUT_NAMES, CUT_COUNT, $(math.floor(p.flops))},
//@     end
//@   end
//@ end
};

_Static_assert(sizeof tunables / sizeof *tunables == TUNED_OPERATIONS * ROW_CLASSES,
               "an entry for every operation and class");

#endif
