/* What a recipe can call beside Lua's own: hf_config and require. */
#ifndef LORAC_RECIPE_MODULES_H
#define LORAC_RECIPE_MODULES_H

#include "sandbox.h"

/* Where a recipe's files are looked for. */
struct recipe_places {
    const char *directory; /* of the recipe */
    const char *library;   /* lorac's own recipes/ */
};

/* Defines, for the chunks of this sandbox:
 * - hf_config "path": the fields of a config.json as a table; relative paths start at the recipe's own file. Its path stands in
 *   the field "#file".
 * - require "models.qwen2": what the Lua file models/qwen2.lua returns, run once. It is looked for beside the recipe, then among
 *   lorac's own. A dot is a slash; if there is no such file, only the first one is ("models.qwen2.5-0.5b-instruct").
 * *places must outlive the sandbox. */
void recipe_modules_open(struct sandbox *sandbox, const struct recipe_places *places);

#endif
