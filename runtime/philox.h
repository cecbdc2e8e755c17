/* Philox4x32-10, the counter-based random generator (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): 128
 * random bits that are a function of a key and a counter and of nothing else, so whoever needs a number can compute it at
 * any time, in any order, on any thread. The same bits as Random123's philox4x32 and cuRAND's.
 */
#ifndef LORAC_PHILOX_H
#define LORAC_PHILOX_H

#include <stdint.h>

/* Multipliers of words 0 and 2, and what the two key words grow by from round to round. */
#define PHILOX_M0 0xd2511f53u
#define PHILOX_M1 0xcd9e8d57u
#define PHILOX_W0 0x9e3779b9u
#define PHILOX_W1 0xbb67ae85u

enum { PHILOX_ROUNDS = 10 };

/* Four random words of the 64-bit key (low half first) and the counter. */
void philox(uint32_t out[4], uint64_t key, const uint32_t counter[4]);

#endif
