/* Which of the program's backends runs here. */
#ifndef LORAC_MACHINE_H
#define LORAC_MACHINE_H

#include "options.h"

/* The first usable backend, or the one that --isa names. NULL and *err when there is none, or --device asks for one
 * that this build has not. */
const struct backend *backend_choose(const struct options *options, struct error *err);

#endif
