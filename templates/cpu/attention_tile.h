/* What attention.h is built from: products of small blocks that lie in the cache, and the packing of heads into such blocks. Here is
 * what its two bodies, attention_fma.h on vectors of floats and attention_amx.h on tiles, have in common. A body is
 *
 *   HEAD_LANES                 a head's width in blocks, zeros behind HEAD_DIM
 *   KEY_BLOCK                  vectors of a right factor: keys, or (query, head) pairs where keys are rows
 *   ROW_TILE, ROW_STEP         rows come in multiples of ROW_TILE and are worked on ROW_STEP at a time
 *   ROW_BLOCK, KEY_ROWS        rows that pass by keys together, and keys that pass by rows
 *   packed_t, HEAD_ELEMENTS    what left factors are made of, and how many of it a row takes
 *   struct attention_block     a right factor: STRAIGHT [KEY_BLOCK][HEAD_LANES], TURNED its transposed
 *   attention_query_scale()    by what q is scaled as it is packed, and
 *   attention_score_scale()    by what scores are then: the product of both is 1 / sqrt(HEAD_DIM)
 *   attention_width(keys)      columns of scores [ROW_STEP][KEY_BLOCK] that are computed for so many keys
 *   attention_open, _close     around products
 *   attention_pack_rows        fills a left factor
 *   attention_pack_block       fills a right factor, of which it makes the forms asked for
 *   attention_scores           rows times a turned block
 *   attention_weighted_sum     adds weights times a straight block
 */
#ifndef LORAC_ATTENTION_TILE_H
#define LORAC_ATTENTION_TILE_H

#include "isa.h"
#include "shapes.h"

#include <stdbool.h>

enum { GROUP = HEADS / KV_HEADS };

/* Forms of a right factor, to be added up. */
enum { STRAIGHT = 1, TURNED = 2 };

/* Vectors of HEAD_DIM: `group` heads that lie side by side at one token, then those of the next token. */
struct attention_heads {
    const $(plan.x_type) *from; /* the first head of the first token */
    size_t stride;$(plan.x_type == "float" and "     " or "          ")/* elements from token to token */
    int group;
};

/* to [padded][lanes] = scale times vectors [first, first + count); zeros behind HEAD_DIM and below them. */
ALWAYS_INLINE void attention_gather(float *to, int lanes, struct attention_heads heads, int first, int count,
                                    int padded, float scale)
{
    const $(plan.x_type) *token = heads.from + (size_t)(first / heads.group) * heads.stride;
    int head = first % heads.group;
    for (int r = 0; r < count; r++, to += lanes) {
        const $(plan.x_type) *from = token + head * HEAD_DIM;
        for (int i = 0; i < HEAD_DIM; i++)
            to[i] = $(load_as(plan.x_type, "from[i]")) * scale;
        for (int i = HEAD_DIM; i < lanes; i++)
            to[i] = 0.0f;
        if (++head == heads.group) {
            head = 0;
            token += heads.stride;
        }
    }
    memset(to, 0, (size_t)(padded - count) * lanes * sizeof *to);
}

#endif
