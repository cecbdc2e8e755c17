//@ if plan.dropout then
/* Dropout on the way into lora_A: y = x * mask / keep, the mask computed anew wherever it is needed.
 *
 * Elements k of a token's row are dropped where their 16 random bits are below round(p * 65536); the rest is scaled by
 * 1 / keep, keep = 1 - round(p * 65536) / 65536. The bits are Philox4x32-10 keyed by the seed. A row is cut into groups of
 * 128 elements, a group into 16 blocks (one counter value each) that are interleaved so that vectors need no shuffling:
 * element k is half (k / 16) % 2 (the low one first) of word (k / 32) % 4 of block (k / 128) * 16 + k % 16. The counter is
 * { position << 14 | block, module, sample, step }. So a mask belongs to a token of a sample and to nothing else: not to the
 * micro-batch or the thread that it meets.
 */
#ifndef LORAC_DROPOUT_H
#define LORAC_DROPOUT_H

#include "isa.h"
#include "philox.h"
#include "shapes.h"

#include <stdbool.h>

/* Where masks come from; the same for all modules of a pass but for `module`. */
struct dropout {
    bool active; /* false: evaluation, x is used as it is */
    uint64_t seed;
    uint32_t step;
    uint32_t module;         /* layer * 16 + slot */
    const uint32_t *sample;  /* [T] */
    const int32_t *position; /* [T] below 2^18, within its sample */
};

/* An element is dropped where its 16 bits are below the threshold: round(lora_dropout * 65536). */
enum { DROPOUT_GROUP = 128, DROPOUT_LANES = 16, DROPOUT_THRESHOLD = $(math.floor(plan.lora.lora_dropout * 65536 + 0.5)) };

/* The lower and the upper half of lanes' 32 x 32 bit products. */
ALWAYS_INLINE void vec_multiply(ivec *low, ivec *high, ivec a, uint32_t b)
{
    typedef uint64_t long_vec __attribute__((vector_size(VL * sizeof(uint32_t))));
    const long_vec mask = (long_vec){0} + 0xffffffffu;
    long_vec even = ((long_vec)a & mask) * b, odd = ((long_vec)a >> 32) * b;
    *low = (ivec)((even & mask) | odd << 32);
    *high = (ivec)(even >> 32 | (odd & ~mask));
}

/* bits [128] of one group of a row: 16 random bits an element. */
ALWAYS_INLINE void dropout_bits(uint16_t *bits, const struct dropout *d, int t, int group)
{
    uint32_t lane[DROPOUT_LANES];
    for (int i = 0; i < DROPOUT_LANES; i++)
        lane[i] = (uint32_t)d->position[t] << 14 | (uint32_t)(group * DROPOUT_LANES + i);
    for (int first = 0; first < DROPOUT_LANES; first += VL) {
        uint32_t k0 = (uint32_t)d->seed, k1 = (uint32_t)(d->seed >> 32);
        ivec c[4], low0, high0, low1, high1;
        memcpy(&c[0], lane + first, sizeof c[0]);
        c[1] = (ivec){0} + d->module;
        c[2] = (ivec){0} + d->sample[t];
        c[3] = (ivec){0} + d->step;
#pragma GCC unroll 10
        for (int round = 0; round < PHILOX_ROUNDS; round++) {
            vec_multiply(&low0, &high0, c[0], PHILOX_M0);
            vec_multiply(&low1, &high1, c[2], PHILOX_M1);
            c[0] = high1 ^ c[1] ^ k0;
            c[1] = low1;
            c[2] = high0 ^ c[3] ^ k1;
            c[3] = low0;
            k0 += PHILOX_W0;
            k1 += PHILOX_W1;
        }
        for (int half = 0; half < 8; half++) {
            half_vec narrow = __builtin_convertvector(half % 2 ? c[half / 2] >> 16 : c[half / 2] & 0xffff, half_vec);
            memcpy(bits + half * DROPOUT_LANES + first, &narrow, sizeof narrow);
        }
    }
}

//@ local narrow = plan.compute_dtype == "bf16"
//@ local x_type = narrow and "bfloat16_t" or "float"
//@ local function load(element, type) return type == "float" and element or "bfloat16_to_float(" .. element .. ")" end
//@ local function store(value, type) return type == "float" and value or "float_to_bfloat16(" .. value .. ")" end
//@ local forms = { { name = "dropout_rows", type = x_type }, { name = "dropout_add_floats", type = "float", add = true } }
//@ if narrow then forms[3] = { name = "dropout_add_bfloat16s", type = x_type, add = true } end
//@ for _, form in ipairs(forms) do
/* y [T][width] $(form.add and "+=" or "=") x * mask / keep. threshold: round(p * 65536). */
$(wrap("ALWAYS_INLINE void " .. form.name .. "(" .. form.type .. " *y, const " .. x_type .. " *x, const struct dropout *d, int width, uint32_t threshold, int T)"))
{
    const float scale = 65536.0f / (65536.0f - (float)threshold);
#pragma omp for schedule(static)
    for (int t = 0; t < T; t++)
        for (int first = 0; first < width; first += DROPOUT_GROUP) {
            int count = width - first < DROPOUT_GROUP ? width - first : DROPOUT_GROUP;
            $(form.type) *to = y + (size_t)t * width + first;
            const $(x_type) *from = x + (size_t)t * width + first;
            uint16_t bits[DROPOUT_GROUP];
            dropout_bits(bits, d, t, first / DROPOUT_GROUP);
            for (int k = 0; k < count; k++) {
                float kept = bits[k] >= threshold ? $(load("from[k]", x_type)) * scale : 0;
//@   if form.add then
                to[k] = $(store(load("to[k]", form.type) .. " + kept", form.type));
//@   else
                to[k] = $(store("kept", form.type));
//@   end
            }
        }
}

//@ end
#endif
//@ end
