/* The data that a command's options name. */
#ifndef LORAC_DATASET_COMMAND_H
#define LORAC_DATASET_COMMAND_H

#include "dataset.h"
#include "session.h"

/* The files of the option `name`, as config says; dataset_free it. */
bool dataset_from_options(struct dataset *data, const struct session *session, const struct options *options,
                          const char *name, const struct train_config *config, struct error *err);

/* Tells on stderr what the files hold, and what was cut or dropped. Commands do so when nothing is left that can be wrong with
 * their arguments, so that a mistake is told in one line. */
void dataset_tell(const struct dataset *data, const struct train_config *config);

#endif
