/* Weak stand-ins that the passes' own files replace when linked. */
#include "passes.h"

#define WEAK __attribute__((weak))

WEAK bool graph_pass(struct plan *plan, struct messages *messages)
{
    (void)plan;
    (void)messages;
    return true;
}
WEAK bool backward_pass(struct plan *plan, struct messages *messages)
{
    (void)plan;
    (void)messages;
    return true;
}
WEAK bool schedule_pass(struct plan *plan, struct messages *messages)
{
    (void)plan;
    (void)messages;
    return true;
}
WEAK bool memory_pass(struct plan *plan, struct messages *messages)
{
    (void)plan;
    (void)messages;
    return true;
}
WEAK bool cost_pass(struct plan *plan, struct messages *messages)
{
    (void)plan;
    (void)messages;
    return true;
}
WEAK void graph_dump(const struct plan *plan, FILE *out)
{
    (void)plan;
    (void)out;
}
WEAK void backward_dump(const struct plan *plan, FILE *out)
{
    (void)plan;
    (void)out;
}
WEAK void schedule_dump(const struct plan *plan, FILE *out)
{
    (void)plan;
    (void)out;
}
WEAK void memory_dump(const struct plan *plan, FILE *out)
{
    (void)plan;
    (void)out;
}
WEAK void cost_dump(const struct plan *plan, FILE *out)
{
    (void)plan;
    (void)out;
}
WEAK void graph_plan_free(struct graph_plan *graph)
{
    (void)graph;
}
WEAK bool emit_program(const struct plan *plan, const char *output_dir, struct messages *messages)
{
    (void)plan;
    (void)messages;
    (void)output_dir;
    return true;
}
