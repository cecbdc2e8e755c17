/* The plan's parts as JSON, each for plan_to_json alone; what a template calls plan.NAME is made by NAME_json. */
#ifndef LORAC_PLAN_JSON_PARTS_H
#define LORAC_PLAN_JSON_PARTS_H

#include "graph.h"

#include <cjson/cJSON.h>

/* plan_json_recipe.c: what the recipe said, defaults filled in. lora_config_json is plan.lora. */
cJSON *model_json(const struct model_config *model);
cJSON *train_json(const struct recipe_train *train);
cJSON *lora_config_json(const struct recipe_lora *lora);

/* plan_json_kernels.c: what kernels are specialized for. An adapter whose dx some layers need and the lowest does not has two
 * entries in loras, the second named ..._lowest. gradient_kernels_json (plan.gradients) lists the backward kernels that compute
 * some of several gradients: attention {symbol, q, k, v}, attention_keys {symbol, k, v}, rope and head_norm {symbol, q, k},
 * swiglu {symbol, gate, up}. */
cJSON *products_json(const struct plan *plan);
cJSON *loras_json(const struct plan *plan);
cJSON *gradient_kernels_json(const struct plan *plan);

/* {name, value}: the constants that loras and adapter sets refer to by r_name and scaling_name. */
cJSON *ranks_json(const struct plan *plan);
cJSON *scalings_json(const struct plan *plan);

/* plan_json_layers.c: adapter sets, kinds of layers, which layer is of which kind, the head. */
cJSON *sets_json(const struct plan *plan);
cJSON *kinds_json(const struct plan *plan);
cJSON *extends_json(const struct plan *plan);
cJSON *runs_json(const struct plan *plan);
cJSON *head_json(const struct plan *plan);

/* flops_share and time_share: what is computed again, as parts of all other operations of a micro-batch and of their time, to four
 * digits. */
void add_recompute_shares(cJSON *json, const struct graph_plan *graph, double flops, double seconds);

/* The largest scratch of all kinds and the head: {rows = "MAX_TOKENS", columns = "ADAPTED_COLUMNS"}. */
cJSON *scratch_json(const struct plan *plan);

#endif
