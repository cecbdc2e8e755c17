#define _POSIX_C_SOURCE 200809L /* timer_create */
#include "sandbox_watch.h"
#include "../runtime/error.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct sandbox_watch {
    timer_t timer;
    int seconds;
    char message[1024];
};

/* Lua cannot be left from within its library, so the process ends here. Nothing has been written yet: templates and recipes are
 * run before the first file is made. */
static void end_process(int signal, siginfo_t *info, void *context)
{
    const struct sandbox_watch *watch = info->si_value.sival_ptr;
    (void)signal;
    (void)context;
    if (write(STDERR_FILENO, watch->message, strlen(watch->message)) < 0)
        _exit(EXIT_FAILED);
    _exit(EXIT_FAILED);
}

struct sandbox_watch *sandbox_watch_open(int seconds)
{
    struct sandbox_watch *watch = allocate(sizeof *watch, "a watch");
    struct sigaction action = {.sa_sigaction = end_process, .sa_flags = SA_SIGINFO};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGVTALRM, .sigev_value.sival_ptr = watch};
    const struct itimerspec limit = {.it_value.tv_sec = seconds};
    watch->seconds = seconds;
    sandbox_watch_place(watch, "lorac", 0);
    sigemptyset(&action.sa_mask);
    CHECK(sigaction(SIGVTALRM, &action, NULL) == 0);
    CHECK(timer_create(CLOCK_PROCESS_CPUTIME_ID, &event, &watch->timer) == 0);
    CHECK(timer_settime(watch->timer, 0, &limit, NULL) == 0);
    return watch;
}

void sandbox_watch_close(struct sandbox_watch *watch)
{
    if (!watch)
        return;
    timer_delete(watch->timer);
    free(watch);
}

void sandbox_watch_place(struct sandbox_watch *watch, const char *name, int line)
{
    char place[512];
    snprintf(place, sizeof place, line > 0 ? "%s:%d" : "%s", name, line);
    snprintf(
        watch->message, sizeof watch->message,
        "%s: still running after %d s of processor time: does it loop forever?\nlorac: 1 mistake, nothing written\n",
        place, watch->seconds);
}
