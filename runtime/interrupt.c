#define _POSIX_C_SOURCE 200809L
#include "interrupt.h"

#include <signal.h>
#include <stddef.h>

/* A handler can reach nothing but a static object (C11 7.14.1.1). */
static volatile sig_atomic_t seen;

static void note(int signal_number)
{
    (void)signal_number;
    seen = 1;
}

static void set_action(void (*handler)(int), int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

void interrupt_watch(bool once)
{
    seen = 0;
    /* No SA_RESTART: a read that waits for the user ends with EINTR. */
    set_action(note, once ? (int)SA_RESETHAND : 0);
}

bool interrupt_seen(void)
{
    return seen != 0;
}

void interrupt_clear(void)
{
    seen = 0;
}

void interrupt_unwatch(void)
{
    set_action(SIG_DFL, 0);
}
