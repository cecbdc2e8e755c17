/* How a product is cut into blocks, where it may be cut in several ways with the same bits: the variants between which tuning
 * chooses (runtime/tuning.h). Blocks along k are none of them, since sums are made block by block.
 */
#ifndef LORAC_CUT_H
#define LORAC_CUT_H

//@ if plan.amx then
/* How tiles of B, each of which is used once while a strip of A stays, come from the second-level cache. */
enum way_of_b {
    PASSING,   /* past the first-level cache, which is left to A */
    PLAIN,     /* as all that is read comes */
    ASKED_FOR, /* so, and asked for beforehand */
//@   if plan.narrow then
    EARLY,     /* past it, and as soon as a register is free for them, not when they are needed; so A's, too */
//@   end
};

/* Sizes in halves of what tile_fma.h or tile_amx.h has by itself. What is behind the block is for AMX alone. */
//@ else
/* Sizes in halves of what tile_fma.h has by itself. */
//@ end
struct cut {
    int block; /* of B, which is to stay in the second-level cache */
//@ if plan.amx then
    int strip; /* of k, as much of A as stays in the first-level cache */
    enum way_of_b b;
//@ end
};

//@ if plan.amx then
#if defined(__AMX_BF16__) || defined(AMX_EMULATED)
//@   if plan.narrow then
static const struct cut CUTS[] = {{2, 2, PASSING},   {2, 2, PLAIN}, {1, 2, PASSING},
                                  {2, 2, ASKED_FOR}, {2, 2, EARLY}, {2, 4, PASSING}};
static const char *const CUT_NAMES[] = {"block",     "plain loads", "half block",
                                        "asked for", "early loads", "double strip"};
//@   else
static const struct cut CUTS[] = {{2, 2, PASSING}, {2, 2, PLAIN}, {1, 2, PASSING}, {2, 2, ASKED_FOR}, {2, 4, PASSING}};
static const char *const CUT_NAMES[] = {"block", "plain loads", "half block", "asked for", "double strip"};
//@   end
#else
//@ end
static const struct cut CUTS[] = {{.block = 2}, {.block = 1}, {.block = 4}};
static const char *const CUT_NAMES[] = {"block", "half block", "double block"};
//@ if plan.amx then
#endif
//@ end

enum { CUT_COUNT = sizeof CUTS / sizeof *CUTS };

#endif
