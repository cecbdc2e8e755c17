/* A recipe's text taken through the generator's first passes. */
#ifndef LORAC_PLANNED_H
#define LORAC_PLANNED_H

#include "plan.h"

struct planned {
    struct plan plan;
    struct messages messages; /* paths of the text's temporary file replaced by "recipe.lua" */
    bool whole;               /* there were no mistakes */
};

/* Runs recipe, architecture and placement on `text`; `overrides` are as after --set, up to a NULL (or NULL: none). */
void planned_open(struct planned *planned, const char *text, const char *const *overrides);

/* The same for a file. */
void planned_open_file(struct planned *planned, const char *path, const struct string_list *overrides);
void planned_close(struct planned *planned);

/* Everything that messages_print prints (free() it). */
char *planned_messages(struct planned *planned);

/* A recipe for the shape of stories260K whose `lora` is as given: "{ r = 4 }" (free() it). */
char *recipe_with_lora(const char *lora);

#endif
