/* How a product is cut into blocks, where it may be cut in several ways with the same bits: the variants between which tuning
 * chooses (runtime/tuning.h). Blocks along k are none of them, since sums are made block by block.
 */
#ifndef LORAC_CUT_H
#define LORAC_CUT_H

/* Halves of what tile_fma.h or tile_amx.h has by itself. */
struct cut {
    int block; /* of B, which is to stay in the second-level cache */
    int strip; /* of k, as much of A as stays in the first-level cache: AMX alone */
};

#if defined(__AMX_BF16__) || defined(AMX_EMULATED)
static const struct cut CUTS[] = {{2, 2}, {1, 2}, {2, 4}, {2, 1}};
static const char *const CUT_NAMES[] = {"block", "half block", "double strip", "half strip"};
#else
static const struct cut CUTS[] = {{2, 2}, {1, 2}, {4, 2}};
static const char *const CUT_NAMES[] = {"block", "half block", "double block"};
#endif

enum { CUT_COUNT = sizeof CUTS / sizeof *CUTS };

#endif
