//@ if plan.dropout then
/* Dropout on the way into lora_A: y = x * mask / keep, the mask computed anew wherever it is needed.
 *
 * Elements k of a token's row are dropped where their 16 random bits are below round(p * 65536); the rest is scaled by
 * 1 / keep, keep = 1 - round(p * 65536) / 65536. The bits are Philox4x32-10 keyed by the seed. A row is cut into groups of
 * 128 elements, a group into 16 blocks (one counter value each) that are interleaved so that vectors need no shuffling:
 * element k is half (k / 16) % 2 (the low one first) of word (k / 32) % 4 of block (k / 128) * 16 + k % 16. The counter is
 * { position << 14 | block, module, sample, step }. So a mask belongs to a token of a sample and to nothing else: not to the
 * batch or the thread that it meets.
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

/* An element is dropped where its 16 bits are below the threshold: round(lora_dropout * 65536), and 65535 at most. */
enum { DROPOUT_GROUP = 128, DROPOUT_LANES = 16, DROPOUT_THRESHOLD = $(math.min(math.floor(plan.lora.lora_dropout * 65536 + 0.5), 65535)) };

/* 1 / keep where masks are drawn, 1 where nothing is dropped. */
ALWAYS_INLINE float dropout_scale(const struct dropout *d)
{
    return d->active ? 65536.0f / (65536.0f - (float)DROPOUT_THRESHOLD) : 1.0f;
}

/* The lower and the upper half of lanes' 32 x 32 bit products. */
ALWAYS_INLINE void vec_multiply(ivec *low, ivec *high, ivec a, uint32_t b)
{
#if VL == 16
    const __m512i factor = _mm512_set1_epi32((int)b);
    const __m512i even = _mm512_mul_epu32((__m512i)a, factor);
    const __m512i odd = _mm512_mul_epu32(_mm512_srli_epi64((__m512i)a, 32), factor);
    *low = (ivec)_mm512_mask_shuffle_epi32(even, 0xaaaa, odd, _MM_PERM_CCAA);
    *high = (ivec)_mm512_mask_shuffle_epi32(odd, 0x5555, even, _MM_PERM_DDBB);
#elif VL == 8
    const __m256i factor = _mm256_set1_epi32((int)b);
    const __m256i even = _mm256_mul_epu32((__m256i)a, factor);
    const __m256i odd = _mm256_mul_epu32(_mm256_srli_epi64((__m256i)a, 32), factor);
    *low = (ivec)_mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xaa);
    *high = (ivec)_mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xaa);
#else
    typedef uint64_t long_vec __attribute__((vector_size(VL * sizeof(uint32_t))));
    const long_vec mask = (long_vec){0} + 0xffffffffu;
    long_vec even = ((long_vec)a & mask) * b, odd = ((long_vec)a >> 32) * b;
    *low = (ivec)((even & mask) | odd << 32);
    *high = (ivec)(even >> 32 | (odd & ~mask));
#endif
}

/* Bit i: x[i] >= threshold. */
ALWAYS_INLINE uint32_t vec_not_below(ivec x, uint32_t threshold)
{
#if VL == 16
    return _mm512_cmpge_epu32_mask((__m512i)x, _mm512_set1_epi32((int)threshold));
#elif VL == 8
    const __m256i least = _mm256_set1_epi32((int)threshold), larger = _mm256_max_epu32((__m256i)x, least);
    return (uint32_t)_mm256_movemask_ps((__m256)_mm256_cmpeq_epi32((__m256i)x, larger));
#else
    uint32_t bits = 0;
    for (int i = 0; i < VL; i++)
        bits |= (uint32_t)(x[i] >= threshold) << i;
    return bits;
#endif
}

/* keeps [8] of one group of a row: bit i of keeps[w] is set where element w * 16 + i of the group is kept. */
ALWAYS_INLINE void dropout_group(uint16_t *keeps, const struct dropout *d, int t, int group)
{
    uint32_t bits[DROPOUT_GROUP / DROPOUT_LANES] = {0};
    ivec lane;
    for (int i = 0; i < VL; i++)
        lane[i] = (uint32_t)i;
#pragma GCC unroll 4
    for (int first = 0; first < DROPOUT_LANES; first += VL) {
        uint32_t k0 = (uint32_t)d->seed, k1 = (uint32_t)(d->seed >> 32);
        ivec c[4], low0, high0, low1, high1;
        c[0] = lane + ((uint32_t)d->position[t] << 14 | (uint32_t)(group * DROPOUT_LANES + first));
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
#pragma GCC unroll 4
        for (int word = 0; word < 4; word++) { /* its lower half is moved up, so that both are compared alike */
            bits[2 * word] |= vec_not_below(c[word] << 16, (uint32_t)DROPOUT_THRESHOLD << 16) << first;
            bits[2 * word + 1] |= vec_not_below(c[word], (uint32_t)DROPOUT_THRESHOLD << 16) << first;
        }
    }
    for (int i = 0; i < DROPOUT_GROUP / DROPOUT_LANES; i++)
        keeps[i] = (uint16_t)bits[i];
}

/* x where `keeps` has a bit, from bit `from` on, and 0 elsewhere. */
ALWAYS_INLINE vec vec_keep(uint16_t keeps, int from, vec x)
{
#if VL == 16
    (void)from;
    return (vec)_mm512_maskz_mov_ps(keeps, (__m512)x);
#else
    ivec bit;
    for (int i = 0; i < VL; i++)
        bit[i] = 1u << i;
    return (vec)((ivec)x & (ivec)((((ivec){0} + ((uint32_t)keeps >> from)) & bit) == bit));
#endif
}

/* keeps [(width + 15) / 16] of row t: bit i of keeps[w] is set where element w * 16 + i is kept; all are where nothing is dropped. */
ALWAYS_INLINE void dropout_row(uint16_t *keeps, const struct dropout *d, int t, int width)
{
    const int words = (width + DROPOUT_LANES - 1) / DROPOUT_LANES, whole = words / 8 * 8;
    if (!d->active) {
        memset(keeps, 0xff, words * sizeof *keeps);
        return;
    }
    for (int word = 0; word < whole; word += 8)
        dropout_group(keeps + word, d, t, word / 8);
    if (whole < words) {
        uint16_t last[8];
        dropout_group(last, d, t, whole / 8);
        memcpy(keeps + whole, last, (words - whole) * sizeof *keeps);
    }
}

//@ local load = { float = "vec_load", bfloat16_t = "vec_load_weights" }
//@ local store = { float = "vec_store", bfloat16_t = "vec_store_bfloat16" }
//@ local forms = { { name = "dropout_rows", type = plan.x_type }, { name = "dropout_add_floats", type = "float", add = true } }
//@ if plan.narrow then forms[3] = { name = "dropout_add_bfloat16s", type = plan.x_type, add = true } end
//@ for _, form in ipairs(forms) do
/* y [T][width] $(form.add and "+=" or "=") x * mask / keep. */
$(wrap("ALWAYS_INLINE void " .. form.name .. "(" .. form.type .. " *y, const " .. plan.x_type .. " *x, const struct dropout *d, int width, int T)"))
{
    const float scale = dropout_scale(d);
#pragma omp for schedule(static)
    for (int t = 0; t < T; t++)
        for (int first = 0; first < width; first += DROPOUT_GROUP) {
            int count = width - first < DROPOUT_GROUP ? width - first : DROPOUT_GROUP, k = 0;
            $(form.type) *to = y + (size_t)t * width + first;
            const $(plan.x_type) *from = x + (size_t)t * width + first;
            uint16_t keeps[DROPOUT_GROUP / DROPOUT_LANES];
            dropout_group(keeps, d, t, first / DROPOUT_GROUP);
            for (; k + VL <= count; k += VL) {
                vec kept = vec_keep(keeps[k / DROPOUT_LANES], k % DROPOUT_LANES, $(load[plan.x_type])(from + k)) * scale;
//@   if form.add then
                $(store[form.type])(to + k, $(load[form.type])(to + k) + kept);
//@   else
                $(store[form.type])(to + k, kept);
//@   end
            }
            for (; k < count; k++) {
                bool keep = keeps[k / DROPOUT_LANES] >> k % DROPOUT_LANES & 1;
                float kept = keep ? $(load_as(plan.x_type, "from[k]")) * scale : 0;
//@   if form.add then
                to[k] = $(store_as(form.type, load_as(form.type, "to[k]") .. " + kept"));
//@   else
                to[k] = $(store_as(form.type, "kept"));
//@   end
            }
        }
}

//@ end
#endif
//@ end
