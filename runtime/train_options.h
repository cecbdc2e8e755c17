/* How train's flags override the recipe's training settings. Every field of struct train_config that is no compiled
 * type has a flag of its own name (learning_rate: --learning-rate); per_device_train_batch_size and max_length may be
 * lowered below what was compiled, never raised.
 */
#ifndef LORAC_TRAIN_OPTIONS_H
#define LORAC_TRAIN_OPTIONS_H

#include "options.h"

/* *config: the recipe's settings (options_program(options)->train) with the user's flags over them. False on a value
 * that this program cannot do (usage). Options that the command does not declare are left as the recipe has them. */
bool train_config_from_options(struct train_config *config, const struct options *options, struct error *err);

/* The recipe's own value of a flag as text for --help, "" when it has none or `name` is no such flag. */
void train_option_default(char *text, size_t size, const struct train_config *recipe, const char *name);

#endif
