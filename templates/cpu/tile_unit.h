//@ if plan.amx then
/* AMX's registers and instructions: eight tiles of 16 lines of 64 bytes, named by their number. With AMX_EMULATED they are an array and
 * plain C, so that all that is built of them can be checked on machines without AMX.
 *
 *   TILE_LOAD(tile, from, stride)      16 lines, `stride` bytes apart
 *   TILE_LOAD_PAST(tile, from, stride) the same, with the hint that the first-level cache need not keep them
 *   TILE_STORE(to, stride, tile)
 *   TILE_ZERO(tile)
 *   TILE_MULTIPLY_ADD(c, a, b)         floats c [16][16] += a [16][32] times b [32][16], bfloat16; a line of b is a pair of k, a word
 *                                      in it a column
 */
#ifndef LORAC_TILE_UNIT_H
#define LORAC_TILE_UNIT_H

#include "isa.h"

#include <stdbool.h>

enum { TILE_LINES = 16, TILE_WORDS = 256 };

#define TMM(tile) "%%tmm" #tile

#if defined(__AMX_BF16__)
/* The compiler's own functions for tiles do not say that they touch memory, so stores before them may be lost. */
#    define TILE_LOAD(tile, from, stride)                                                                              \
        __asm__ volatile("tileloadd (%0,%1,1), " TMM(tile)::"r"(from), "r"((size_t)(stride)) : "memory")
#    define TILE_LOAD_PAST(tile, from, stride)                                                                         \
        __asm__ volatile("tileloaddt1 (%0,%1,1), " TMM(tile)::"r"(from), "r"((size_t)(stride)) : "memory")
#    define TILE_STORE(to, stride, tile)                                                                               \
        __asm__ volatile("tilestored " TMM(tile) ", (%0,%1,1)" ::"r"(to), "r"((size_t)(stride)) : "memory")
#    define TILE_ZERO(tile) __asm__ volatile("tilezero " TMM(tile)::)
#    define TILE_MULTIPLY_ADD(c, a, b) __asm__ volatile("tdpbf16ps " TMM(b) ", " TMM(a) ", " TMM(c)::)

/* To be called by every thread before it multiplies. */
ALWAYS_INLINE void tiles_open(void)
{
    static const struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t line_bytes[16];
        uint8_t lines[16];
    } config = {1, 0, {0}, {64, 64, 64, 64, 64, 64, 64, 64}, {16, 16, 16, 16, 16, 16, 16, 16}};
    __asm__ volatile("ldtilecfg %0" ::"m"(config));
}

ALWAYS_INLINE void tiles_close(void)
{
    __asm__ volatile("tilerelease" ::);
}
#else
static _Thread_local ivec tile_registers[8][TILE_LINES];
static _Thread_local bool tiles_are_open;

#    define TILE_LOAD(tile, from, stride) tile_load(tile_register(tile), (const char *)(from), stride)
#    define TILE_LOAD_PAST(tile, from, stride) TILE_LOAD(tile, from, stride)
#    define TILE_STORE(to, stride, tile) tile_store((char *)(to), stride, tile_register(tile))
#    define TILE_ZERO(tile) memset(tile_register(tile), 0, sizeof tile_registers[tile])
#    define TILE_MULTIPLY_ADD(c, a, b) tile_multiply_add(tile_register(c), tile_register(a), tile_register(b))

ALWAYS_INLINE void tiles_open(void)
{
    tiles_are_open = true;
}

ALWAYS_INLINE void tiles_close(void)
{
    tiles_are_open = false;
}

/* Without tiles_open the processor refuses the instruction, too. */
ALWAYS_INLINE ivec *tile_register(int tile)
{
    if (!tiles_are_open)
        __builtin_trap();
    return tile_registers[tile];
}

ALWAYS_INLINE void tile_load(ivec *tile, const char *from, size_t stride)
{
    for (int i = 0; i < TILE_LINES; i++)
        memcpy(&tile[i], from + i * stride, sizeof *tile);
}

ALWAYS_INLINE void tile_store(char *to, size_t stride, const ivec *tile)
{
    for (int i = 0; i < TILE_LINES; i++)
        memcpy(to + i * stride, &tile[i], sizeof *tile);
}

static void tile_multiply_add(ivec *c, const ivec *a, const ivec *b)
{
    for (int i = 0; i < TILE_LINES; i++) {
        vec sum = (vec)c[i];
        for (int k = 0; k < TILE_LINES; k++) {
            const ivec pair = (ivec){0} + a[i][k];
            sum += (vec)(pair << 16) * (vec)(b[k] << 16);
            sum += (vec)(pair & 0xffff0000u) * (vec)(b[k] & 0xffff0000u);
        }
        c[i] = (ivec)sum;
    }
}
#endif

#endif
//@ end
