/* What templates see: the plan as tables that do not let a misspelt field pass, and the functions that write C. */
#ifndef LORAC_TEMPLATE_VALUES_H
#define LORAC_TEMPLATE_VALUES_H

#include "text.h"

#include <cjson/cJSON.h>
#include <lua.h>

/* Pushes a table to be a template's globals: Lua's libraries, the functions named in template.h, and every member of `globals`
 * (NULL: none). To read a name that is not there, or to set one, is an error. */
void template_push_globals(lua_State *L, const cJSON *globals);

/* Appends the value at `index` to *out as text; where that cannot be, raises an error that names it `expression`. */
void template_add_value(lua_State *L, int index, const char *expression, struct text *out);

#endif
