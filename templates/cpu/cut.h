/* How a product is cut into blocks, where it may be cut in several ways with the same bits: the variants between which tuning
 * chooses (runtime/tuning.h). Blocks along k are none of them, since sums are made block by block.
 */
#ifndef LORAC_CUT_H
#define LORAC_CUT_H

#include <stdbool.h>

/* Sizes in halves of what tile_fma.h or tile_amx.h has by itself. What is behind the block is for AMX alone. */
struct cut {
    int block;  /* of B, which is to stay in the second-level cache */
    int strip;  /* of k, as much of A as stays in the first-level cache */
    bool early; /* tiles are loaded when a register is free for them, not when they are needed: bfloat16 alone */
};

#if defined(__AMX_BF16__) || defined(AMX_EMULATED)
//@ if plan.narrow then
static const struct cut CUTS[] = {{2, 2, false}, {1, 2, false}, {2, 4, false},
                                  {2, 1, false}, {2, 2, true},  {1, 2, true}};
static const char *const CUT_NAMES[] = {"block",      "half block",  "double strip",
                                        "half strip", "early loads", "half block, early loads"};
//@ else
static const struct cut CUTS[] = {{2, 2, false}, {1, 2, false}, {2, 4, false}, {2, 1, false}};
static const char *const CUT_NAMES[] = {"block", "half block", "double strip", "half strip"};
//@ end
#else
static const struct cut CUTS[] = {{2, 2, false}, {1, 2, false}, {4, 2, false}};
static const char *const CUT_NAMES[] = {"block", "half block", "double block"};
#endif

enum { CUT_COUNT = sizeof CUTS / sizeof *CUTS };

#endif
