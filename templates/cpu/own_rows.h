/* Generation: a norm or an activation function of a few rows takes less time than threads take to meet. So each thread computes them for
 * itself, into rows of its own, and goes on at once.
 */
#ifndef LORAC_OWN_ROWS_H
#define LORAC_OWN_ROWS_H

#include "isa.h"
#include "shapes.h"

#include <omp.h>

/* Are T rows computed by each thread for itself? Not where a value of PROMPT_ROWS rows has too few for all threads. */
ALWAYS_INLINE bool rows_are_own(int T)
{
    return T <= DECODE_ROWS && (int64_t)T * omp_get_num_threads() <= PROMPT_ROWS;
}

/* The first of this thread's. */
ALWAYS_INLINE size_t own_rows(int T)
{
    return (size_t)T * (size_t)omp_get_thread_num();
}

#endif
