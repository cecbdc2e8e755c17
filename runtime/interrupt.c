#define _POSIX_C_SOURCE 200809L
#include "interrupt.h"

#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A handler can reach nothing but static objects (C11 7.14.1.1). */
static volatile sig_atomic_t seen;
static atomic_llong first_at; /* milliseconds of the monotonic clock; 0: none came yet */
static const char *volatile first_message;

static void note(int signal_number)
{
    (void)signal_number;
    seen = 1;
}

static long long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000 + 1; /* never 0 */
}

static void note_once(int signal_number)
{
    long long now = now_ms(), first = 0;
    seen = 1;
    if (atomic_compare_exchange_strong(&first_at, &first, now)) {
        ssize_t ignored = write(STDERR_FILENO, first_message, strlen(first_message));
        (void)ignored; /* it is only a courtesy */
    } else if (now - first >= INTERRUPT_GRACE_MS) {
        signal(signal_number, SIG_DFL);
        raise(signal_number); /* delivered when this handler returns */
    }
}

static void set_action(void (*handler)(int), int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

void interrupt_watch(void)
{
    seen = 0;
    set_action(note, 0); /* no SA_RESTART: a read that waits for the user ends with EINTR */
}

void interrupt_watch_once(const char *message)
{
    seen = 0;
    atomic_store(&first_at, 0);
    first_message = message;
    set_action(note_once, SA_RESTART); /* the work goes on to its end, and what it writes with it */
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
