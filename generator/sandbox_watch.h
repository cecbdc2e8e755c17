/* Ends the process when a sandbox takes too long within one call of a library function, where no instruction is counted. */
#ifndef LORAC_SANDBOX_WATCH_H
#define LORAC_SANDBOX_WATCH_H

struct sandbox_watch;

/* From now on the process may take `seconds` of processor time before it is ended with exit code 1 and the message that
 * sandbox_watch_place has set last. Watches may be nested. */
struct sandbox_watch *sandbox_watch_open(int seconds);

/* Stops the clock. */
void sandbox_watch_close(struct sandbox_watch *watch);

/* What is being done, for the message: "recipes/x.lua:3". */
void sandbox_watch_place(struct sandbox_watch *watch, const char *name, int line);

#endif
