/* The whole plan as JSON: what templates see as the table `plan`, and what generated/NAME/plan.json holds. */
#ifndef LORAC_PLAN_JSON_H
#define LORAC_PLAN_JSON_H

#include "graph.h"

/* cJSON_Delete the result. The same plan gives the same text. */
cJSON *plan_to_json(const struct plan *plan);

#endif
