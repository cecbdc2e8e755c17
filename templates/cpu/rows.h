/* The rows of a [T][HIDDEN] tensor that the output head needs (those whose label is trained), and back. Memory-bound. */
#ifndef LORAC_ROWS_H
#define LORAC_ROWS_H

#include "isa.h"
#include "shapes.h"

/* y[r] = x[rows[r]]; y [R][HIDDEN]. */
static void gather_rows(float *y, const float *x, const int32_t *rows, int R)
{
#pragma omp for schedule(static)
    for (int r = 0; r < R; r++)
        memcpy(y + (size_t)r * HIDDEN, x + (size_t)rows[r] * HIDDEN, HIDDEN * sizeof(float));
}

/* dx[rows[r]] = dy[r]; the rows differ from each other, and the caller sets those that are not named to 0. */
static void scatter_rows(float *dx, const float *dy, const int32_t *rows, int R)
{
#pragma omp for schedule(static)
    for (int r = 0; r < R; r++)
        memcpy(dx + (size_t)rows[r] * HIDDEN, dy + (size_t)r * HIDDEN, HIDDEN * sizeof(float));
}

#endif
