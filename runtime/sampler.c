#include "sampler.h"

#include "philox.h"

/* The counter's last word, so that these numbers are no dropout mask's. */
enum { SHUFFLE_DOMAIN = 0x73687566 };

/* Uniform in 0..bound - 1: Lemire 2019, "Fast random integer generation in an interval", which rejects what would be biased;
 * `try` counts the draws for one place. */
static uint32_t bounded(uint32_t bound, uint64_t seed, int epoch, uint32_t place)
{
    uint32_t threshold = (0u - bound) % bound;
    for (uint32_t attempt = 0;; attempt++) {
        uint32_t words[4];
        philox(words, seed, (uint32_t[4]){place, attempt, (uint32_t)epoch, SHUFFLE_DOMAIN});
        for (int i = 0; i < 4; i++) {
            uint64_t product = (uint64_t)words[i] * bound;
            if ((uint32_t)product >= threshold)
                return (uint32_t)(product >> 32);
        }
    }
}

void sampler_order(uint32_t *order, uint32_t count, bool shuffle, uint64_t seed, int epoch)
{
    for (uint32_t i = 0; i < count; i++)
        order[i] = i;
    for (uint32_t i = count; shuffle && i > 1; i--) {
        uint32_t other = bounded(i, seed, epoch, i - 1);
        uint32_t moved = order[i - 1];
        order[i - 1] = order[other];
        order[other] = moved;
    }
}
