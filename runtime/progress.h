/* How far a run is, for a person: on a terminal a bar that is redrawn, elsewhere only what is logged, a line each. To stderr. */
#ifndef LORAC_PROGRESS_H
#define LORAC_PROGRESS_H

#include <stdbool.h>

struct progress {
    bool terminal;
    bool drawn;          /* a bar stands on the cursor's line */
    long long done, all; /* optimizer steps */
    long long first;     /* done when this process began */
    double began;        /* seconds_now() then */
    double drawn_at;
};

/* Seconds of a clock that only runs forward. */
double seconds_now(void);

void progress_begin(struct progress *progress, long long done, long long all);

/* After each step: redraws the bar, at most ten times a second. */
void progress_step(struct progress *progress, long long done, double loss, double tokens_per_second);

/* A line of text (printf format, no newline), above the bar. */
void progress_line(struct progress *progress, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "1:23" or "2:03:45" that the rest of the run will take at this pace; "?" before the first step. */
void progress_time_left(const struct progress *progress, char text[32]);

/* Clears the bar. */
void progress_end(struct progress *progress);

#endif
