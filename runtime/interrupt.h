/* SIGINT and SIGTERM as a wish that loops look at: training then writes its checkpoint, chat ends its reply. */
#ifndef LORAC_INTERRUPT_H
#define LORAC_INTERRUPT_H

#include <stdbool.h>

/* From now on the signals are noted instead of ending the process. */
void interrupt_watch(void);

/* The same for work that takes a while to end well. The first signal writes `message` to stderr, as a line of its own (a constant text
 * with a newline at its end; it is kept). A later one ends the process at once, if it comes at least INTERRUPT_GRACE_MS after
 * the first: what `timeout` and terminals send twice within a moment is one wish. */
enum { INTERRUPT_GRACE_MS = 1000 };
void interrupt_watch_once(const char *message);

/* Whether one came since the watch began or interrupt_clear. */
bool interrupt_seen(void);
void interrupt_clear(void);

/* Gives both signals their default meaning back. */
void interrupt_unwatch(void);

#endif
