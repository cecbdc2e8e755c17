/* --set field=value: changes the table that a recipe returned, before it is checked. */
#ifndef LORAC_OVERRIDES_H
#define LORAC_OVERRIDES_H

#include "plan.h"

/* Applies recipe->overrides in order. A value is true, false, a number or else a string; where the field is a list, items with
 * commas between; tables on the way to the field are made. Checking the result is the schema's part. */
void overrides_apply(cJSON *table, const struct recipe *recipe, struct messages *messages);

/* The override that sets the field or a table around it, or NULL. */
const char *overrides_find(const struct string_list *overrides, const char *field);

#endif
