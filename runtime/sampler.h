/* In which order an epoch visits the samples.
 *
 * The shuffle is Fisher and Yates' (Knuth, TAOCP 2, algorithm P) with numbers from Philox, keyed by seed and epoch and counted
 * by place: it depends on nothing that ran before, so that a resumed run finds the same order.
 */
#ifndef LORAC_SAMPLER_H
#define LORAC_SAMPLER_H

#include <stdbool.h>
#include <stdint.h>

/* The epoch number of the draw that --max-samples takes its samples from; epochs of training count from 0. */
enum { SAMPLER_SELECTION = -1 };

/* Fills order[count] with 0..count-1: as they are, or shuffled. */
void sampler_order(uint32_t *order, uint32_t count, bool shuffle, uint64_t seed, int epoch);

#endif
