/* Which fields a config.json may have. A field that nobody here knows may change the computation, so it is a mistake. */
#ifndef LORAC_MODEL_CONFIG_FIELDS_H
#define LORAC_MODEL_CONFIG_FIELDS_H

#include <stdbool.h>

/* A field of the file itself: read here, or known to change nothing. */
bool model_config_knows(const char *name);

/* A field of rope_parameters or rope_scaling. */
bool model_config_knows_rope(const char *name);

#endif
