/* Vectors of floats as wide as the instruction set that this file is compiled for: 16 with AVX-512, 8 with AVX2 and FMA, 4
 * anywhere else. What kernels need beyond GCC's vector operators is here: loads and stores, fused multiply-add, lane sums,
 * transposition, and the widening of stored weights.
 *
 * Where there is FMA, vec_fma rounds once; elsewhere it is a product and a sum. Results are the same on every machine that
 * runs the same instruction set, and differ in the last bits from one set to another.
 */
#ifndef LORAC_ISA_H
#define LORAC_ISA_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__) || defined(__AVX2__)
#    include <immintrin.h>
#endif

/* VL: lanes. */
#if defined(__AVX512F__)
#    define VL 16
#elif defined(__AVX2__) && defined(__FMA__)
#    define VL 8
#else
#    define VL 4
#endif

#define ALWAYS_INLINE static inline __attribute__((always_inline))
#define NOINLINE static __attribute__((noinline))

typedef float vec __attribute__((vector_size(VL * sizeof(float))));
typedef uint32_t ivec __attribute__((vector_size(VL * sizeof(float))));
typedef uint16_t half_vec __attribute__((vector_size(VL * sizeof(uint16_t))));

/* From and to any address. */
ALWAYS_INLINE vec vec_load(const float *p)
{
    vec v;
    memcpy(&v, p, sizeof v);
    return v;
}

ALWAYS_INLINE void vec_store(float *p, vec v)
{
    memcpy(p, &v, sizeof v);
}

/* The first `count` of VL floats, zeros beyond; nothing beyond is read. */
ALWAYS_INLINE vec vec_load_part(const float *p, int count)
{
#if VL == 16
    return (vec)_mm512_maskz_loadu_ps((__mmask16)((1u << count) - 1), p);
#else
    vec v = {0};
    for (int i = 0; i < count; i++)
        v[i] = p[i];
    return v;
#endif
}

ALWAYS_INLINE vec vec_splat(float x)
{
    return x - (vec){0};
}

/* a * b + c. */
ALWAYS_INLINE vec vec_fma(vec a, vec b, vec c)
{
#if VL == 16
    return (vec)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif VL == 8
    return (vec)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#else
    return a * b + c;
#endif
}

/* *a * b + c, without a register for *a. */
ALWAYS_INLINE vec vec_fma_element(const float *a, vec b, vec c)
{
#if VL == 16
    __asm__("vfmadd231ps %2%{1to16%}, %1, %0" : "+v"(c) : "v"(b), "m"(*a));
    return c;
#else
    return vec_fma(vec_splat(*a), b, c);
#endif
}

/* The sum of all lanes, halves first. */
ALWAYS_INLINE float vec_sum(vec v)
{
    float lanes[VL];
    vec_store(lanes, v);
    for (int half = VL / 2; half; half /= 2)
        for (int i = 0; i < half; i++)
            lanes[i] += lanes[i + half];
    return lanes[0];
}

/* The lower lanes of a and b in turns, VL / 2 of each, and the upper ones. */
ALWAYS_INLINE void vec_interleave(vec *lower, vec *upper, vec a, vec b)
{
#if VL == 16
    const ivec low = {0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23};
#elif VL == 8
    const ivec low = {0, 8, 1, 9, 2, 10, 3, 11};
#else
    const ivec low = {0, 4, 1, 5};
#endif
    *lower = __builtin_shuffle(a, b, low);
    *upper = __builtin_shuffle(a, b, low + VL / 2);
}

/* Transposes VL rows of VL columns in registers: log2(VL) rounds, each interleaving row i with row i + VL / 2. */
ALWAYS_INLINE void vec_transpose(vec rows[VL])
{
#pragma GCC unroll 4
    for (int round = 1; round < VL; round *= 2) {
        vec mixed[VL];
#pragma GCC unroll 8
        for (int i = 0; i < VL / 2; i++)
            vec_interleave(&mixed[2 * i], &mixed[2 * i + 1], rows[i], rows[i + VL / 2]);
#pragma GCC unroll 16
        for (int i = 0; i < VL; i++)
            rows[i] = mixed[i];
    }
}

//@ if plan.amx then
/* Floats rounded to what bfloat16 holds, to nearest; what is no number stays none. */
ALWAYS_INLINE vec to_bfloat16(vec x)
{
    const ivec bits = (ivec)x, number = (ivec)(x == x);
    const ivec rounded = bits + 0x7fff + (bits >> 16 & 1);
    return (vec)(((rounded & number) | ((bits | 0x400000) & ~number)) & 0xffff0000u);
}

#if VL == 16
/* 32 floats as bfloat16, to nearest. */
ALWAYS_INLINE ivec vec_narrow(vec first, vec second)
{
#    if defined(__AVX512BF16__)
    return (ivec)_mm512_cvtne2ps_pbh((__m512)second, (__m512)first);
#    else
    const __m512i low = _mm512_srli_epi32((__m512i)to_bfloat16(first), 16);
    const __m512i high = _mm512_srli_epi32((__m512i)to_bfloat16(second), 16);
    return (ivec)_mm512_inserti64x4(_mm512_castsi256_si512(_mm512_cvtepi32_epi16(low)), _mm512_cvtepi32_epi16(high), 1);
#    endif
}
#endif

//@ end
//@ if plan.weight_dtype == "f32" then
/* Frozen matrices are stored as float. */
ALWAYS_INLINE float weight_to_float(float stored)
{
    return stored;
}

ALWAYS_INLINE vec vec_load_weights(const float *p)
{
    return vec_load(p);
}
//@ elseif plan.weight_dtype == "bf16" then
/* bfloat16 is the upper half of a float. */
ALWAYS_INLINE float bfloat16_to_float(uint16_t stored)
{
    uint32_t bits = (uint32_t)stored << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

//@   if plan.narrow then
/* To nearest, ties to even; what is no number stays none. */
ALWAYS_INLINE uint16_t float_to_bfloat16(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    const uint32_t rounded = bits + 0x7fff + (bits >> 16 & 1), none = bits | 0x400000;
    return (uint16_t)((x == x ? rounded : none) >> 16);
}

/* VL of them, rounded the same way (but that the processor's own instruction takes numbers below FLT_MIN for 0). */
ALWAYS_INLINE void vec_store_bfloat16(uint16_t *p, vec x)
{
#if defined(__AVX512BF16__)
    const half_vec upper = (half_vec)_mm512_cvtneps_pbh((__m512)x);
#else
    const half_vec upper = __builtin_convertvector((ivec)to_bfloat16(x) >> 16, half_vec);
#endif
    memcpy(p, &upper, sizeof upper);
}

/* Two vectors side by side, with VL 16 a line of the cache by one store. */
ALWAYS_INLINE void vec_store_bfloat16_pair(uint16_t *p, vec first, vec second)
{
#if VL == 16
    const ivec line = vec_narrow(first, second);
    memcpy(p, &line, sizeof line);
#else
    vec_store_bfloat16(p, first);
    vec_store_bfloat16(p + VL, second);
#endif
}

//@   end
/* Frozen matrices are stored so. */
ALWAYS_INLINE float weight_to_float(uint16_t stored)
{
    return bfloat16_to_float(stored);
}

ALWAYS_INLINE vec vec_load_weights(const uint16_t *p)
{
    half_vec stored;
    memcpy(&stored, p, sizeof stored);
    return (vec)(__builtin_convertvector(stored, ivec) << 16);
}
//@ else
/* Frozen matrices are stored as IEEE 754 half precision. Shifted into a float's place, the exponent is too small by 112 and a
 * subnormal half is a subnormal float: one product by 2^112 mends both. Infinities and NaN get the largest exponent. */
ALWAYS_INLINE float weight_to_float(uint16_t stored)
{
    uint32_t bits = (uint32_t)(stored & 0x7fff) << 13;
    float value;
    memcpy(&value, &bits, sizeof value);
    value *= 0x1p112f;
    memcpy(&bits, &value, sizeof bits);
    bits |= (uint32_t)(stored & 0x8000) << 16 | ((stored & 0x7c00) == 0x7c00 ? 0x7f800000u : 0);
    memcpy(&value, &bits, sizeof value);
    return value;
}

ALWAYS_INLINE vec vec_load_weights(const uint16_t *p)
{
#if VL == 16
    return (vec)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
#elif VL == 8 && defined(__F16C__)
    return (vec)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
#else
    half_vec stored;
    memcpy(&stored, p, sizeof stored);
    ivec wide = __builtin_convertvector(stored, ivec);
    ivec magnitude = (ivec)((vec)((wide & 0x7fff) << 13) * 0x1p112f);
    ivec largest = (ivec)((wide & 0x7c00) == 0x7c00) & 0x7f800000u;
    return (vec)(magnitude | largest | (wide & 0x8000) << 16);
#endif
}
//@ end

/* The first `count` of VL weights, zeros beyond; nothing beyond is read. */
//@ if plan.weight_dtype == "f32" then
ALWAYS_INLINE vec vec_load_weights_part(const float *p, int count)
{
    return vec_load_part(p, count);
}
//@ else
ALWAYS_INLINE vec vec_load_weights_part(const uint16_t *p, int count)
{
    uint16_t stored[VL] = {0};
    for (int i = 0; i < count; i++)
        stored[i] = p[i];
    return vec_load_weights(stored);
}
//@ end

#endif
