/* The passes behind placement, in the order in which main runs them (plan.h says what each is for). Each reads the parts of
 * *plan before its own and fills plan->graph; a dump prints what the pass of the same name knows.
 */
#ifndef LORAC_PASSES_H
#define LORAC_PASSES_H

#include "plan.h"

bool graph_pass(struct plan *plan, struct messages *messages);
bool backward_pass(struct plan *plan, struct messages *messages);
bool schedule_pass(struct plan *plan, struct messages *messages);
bool memory_pass(struct plan *plan, struct messages *messages);
bool cost_pass(struct plan *plan, struct messages *messages);

void graph_dump(const struct plan *plan, FILE *out);
void backward_dump(const struct plan *plan, FILE *out);
void schedule_dump(const struct plan *plan, FILE *out);
void memory_dump(const struct plan *plan, FILE *out);
void cost_dump(const struct plan *plan, FILE *out);

/* Frees plan->graph (NULL is fine). */
void graph_plan_free(struct graph_plan *graph);

/* Writes the program's text to output_dir, which it makes; either the whole of it or nothing. */
bool emit_program(const struct plan *plan, const char *output_dir, struct messages *messages);

/* The directory that holds templates/ and recipes/: the one above the executable's, or where lorac was built (free() it). */
char *lorac_home(void);

/* A file's path as generated text tells it, which must not depend on where things lie: from lorac_home on, or the base name of
 * what lies elsewhere (free() it). */
char *path_shown(const char *path);

#endif
