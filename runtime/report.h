/* report.html: a run at a glance, in one file that needs nothing else: the loss curve, what came out, the settings. */
#ifndef LORAC_REPORT_H
#define LORAC_REPORT_H

#include "dataset.h"
#include "trainer_state.h"

/* Draws state->log_history into directory/report.html. `seconds` is how long this process trained. */
bool report_write(const char *directory, const struct program *program, const struct train_config *config,
                  const struct trainer_state *state, const struct dataset *data, double seconds, struct error *err);

#endif
