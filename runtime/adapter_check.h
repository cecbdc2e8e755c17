/* Whether an adapter's adapter_config.json fits the program; adapter.c looks at its tensors.
 *
 * What counts is what each module got: r by rank_pattern or r, and the scaling by alpha_pattern or lora_alpha, over r or, with
 * use_rslora, its root; so other words for the same placement are fine. Fields that are left out take PEFT's defaults.
 */
#ifndef LORAC_ADAPTER_CHECK_H
#define LORAC_ADAPTER_CHECK_H

#include "program.h"

/* False and *err, naming the field, where `directory` has no such file or it says otherwise than what was compiled. */
bool adapter_check_config(const struct program *program, const char *directory, struct error *err);

#endif
