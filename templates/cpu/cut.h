/* How a product is cut into blocks, where it may be cut in several ways with the same bits: the variants between which tuning
 * chooses (runtime/tuning.h). Blocks along k are none of them, since sums are made block by block.
 */
#ifndef LORAC_CUT_H
#define LORAC_CUT_H

#include <stdbool.h>

/* Sizes in halves of what tile_fma.h or tile_amx.h has by itself. What is behind the block is for AMX alone. */
struct cut {
    int block;    /* of B, which is to stay in the second-level cache */
    int strip;    /* of k, as much of A as stays in the first-level cache */
    bool unasked; /* B's next tiles are not asked for: what fetches them in time by itself is spared the instructions */
    bool early;   /* tiles are loaded when a register is free for them, not when they are needed: bfloat16 alone */
};

#if defined(__AMX_BF16__) || defined(AMX_EMULATED)
//@ if plan.narrow then
static const struct cut CUTS[] = {{2, 2, false, false}, {2, 2, true, false}, {1, 2, false, false},
                                  {2, 4, false, false}, {2, 2, false, true}, {2, 2, true, true}};
static const char *const CUT_NAMES[] = {"block",        "unasked",     "half block",
                                        "double strip", "early loads", "early loads, unasked"};
//@ else
static const struct cut CUTS[] = {
    {2, 2, false, false}, {2, 2, true, false}, {1, 2, false, false}, {2, 4, false, false}};
static const char *const CUT_NAMES[] = {"block", "unasked", "half block", "double strip"};
//@ end
#else
static const struct cut CUTS[] = {{2, 2, false, false}, {1, 2, false, false}, {4, 2, false, false}};
static const char *const CUT_NAMES[] = {"block", "half block", "double block"};
#endif

enum { CUT_COUNT = sizeof CUTS / sizeof *CUTS };

#endif
