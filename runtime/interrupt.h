/* SIGINT and SIGTERM as a wish that loops look at: training then writes its checkpoint, chat ends its reply. */
#ifndef LORAC_INTERRUPT_H
#define LORAC_INTERRUPT_H

#include <stdbool.h>

/* From now on the signals are noted instead of ending the process. With `once`, a second one ends it at once. */
void interrupt_watch(bool once);

/* Whether one came since the watch began or interrupt_clear. */
bool interrupt_seen(void);
void interrupt_clear(void);

/* Gives both signals their default meaning back. */
void interrupt_unwatch(void);

#endif
