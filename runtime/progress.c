#define _POSIX_C_SOURCE 200809L
#include "progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BAR_WIDTH = 30 };

double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void progress_begin(struct progress *progress, long long done, long long all)
{
    *progress = (struct progress){
        .terminal = isatty(STDERR_FILENO),
        .done = done,
        .all = all,
        .first = done,
        .began = seconds_now(),
    };
}

static void clear_bar(struct progress *progress)
{
    if (progress->drawn)
        fputs("\r\033[K", stderr);
    progress->drawn = false;
}

void progress_time_left(const struct progress *progress, char text[32])
{
    long long steps = progress->done - progress->first;
    if (steps <= 0) {
        strcpy(text, "?");
        return;
    }
    double pace = (seconds_now() - progress->began) / (double)steps;
    double left = pace * (double)(progress->all - progress->done);
    long seconds = left < 3.6e6 ? (long)left : 3600000;
    if (seconds < 3600)
        snprintf(text, 32, "%ld:%02ld", seconds / 60, seconds % 60);
    else
        snprintf(text, 32, "%ld:%02ld:%02ld", seconds / 3600, seconds / 60 % 60, seconds % 60);
}

void progress_step(struct progress *progress, long long done, double loss, double tokens_per_second)
{
    progress->done = done;
    double now = seconds_now();
    if (!progress->terminal || (done < progress->all && now - progress->drawn_at < 0.1))
        return;
    char bar[BAR_WIDTH + 1], left[32];
    int filled = progress->all > 0 ? (int)(BAR_WIDTH * done / progress->all) : 0;
    memset(bar, '.', BAR_WIDTH);
    memset(bar, '#', (size_t)filled);
    bar[BAR_WIDTH] = '\0';
    progress_time_left(progress, left);
    fprintf(stderr, "\r\033[K%lld/%lld [%s] loss %.4f  %.0f tokens/s  %s left", done, progress->all, bar, loss,
            tokens_per_second, left);
    fflush(stderr);
    progress->drawn = true;
    progress->drawn_at = now;
}

void progress_line(struct progress *progress, const char *format, ...)
{
    clear_bar(progress);
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

void progress_end(struct progress *progress)
{
    clear_bar(progress);
    fflush(stderr);
}
