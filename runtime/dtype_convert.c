#include "dtype_convert.h"

#include <math.h>
#include <string.h>

static float as_float(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint32_t as_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

float bf16_to_float(uint16_t bits)
{
    return as_float((uint32_t)bits << 16);
}

uint16_t float_to_bf16(float value)
{
    uint32_t bits = as_bits(value);
    uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    uint32_t nan = bits >> 16 | 0x40; /* quiet: cutting the fraction off could make it infinite */
    return (uint16_t)((bits & 0x7fffffff) > 0x7f800000 ? nan : rounded);
}

/* F16 is 1 sign, 5 exponent (bias 15) and 10 fraction bits. A subnormal's fraction is made the low bits of 2^-14, which
 * is then taken away again: the processor normalizes it. */
float f16_to_float(uint16_t bits)
{
    uint32_t magnitude = (uint32_t)(bits & 0x7fff) << 13, sign = (uint32_t)(bits & 0x8000) << 16;
    uint32_t normal = magnitude + (112u << 23);
    uint32_t special = magnitude + (224u << 23);
    uint32_t subnormal = as_bits(as_float(magnitude + (113u << 23)) - as_float(113u << 23));
    uint32_t exponent = bits & 0x7c00;
    return as_float(sign | (exponent == 0 ? subnormal : exponent == 0x7c00 ? special : normal));
}

/* Adding 0.5 to a value below 2^-14 leaves its F16 subnormal fraction, rounded to even by the processor, in the low
 * bits. */
uint16_t float_to_f16(float value)
{
    uint32_t bits = as_bits(value), magnitude = bits & 0x7fffffff;
    uint32_t normal = (magnitude - (112u << 23) + 0xfff + (magnitude >> 13 & 1)) >> 13;
    uint32_t subnormal = as_bits(as_float(magnitude < 113u << 23 ? magnitude : 0) + 0.5f) - as_bits(0.5f);
    uint32_t half = magnitude < 113u << 23 ? subnormal : normal;
    half = magnitude >= 143u << 23 ? 0x7c00
                                   : half; /* 65536 and more; what rounds up to it carries into 0x7c00 by itself */
    half = magnitude > 0x7f800000 ? 0x7e00 : half;
    return (uint16_t)(half | (bits >> 16 & 0x8000));
}

void convert_to_float(float *restrict to, const void *restrict from, enum dtype dtype, size_t n)
{
    const uint16_t *bits = from;
    switch (dtype) {
    case DTYPE_F32:
        memcpy(to, from, n * sizeof *to);
        return;
    case DTYPE_BF16:
#pragma omp simd
        for (size_t i = 0; i < n; i++)
            to[i] = bf16_to_float(bits[i]);
        return;
    case DTYPE_F16:
#pragma omp simd
        for (size_t i = 0; i < n; i++)
            to[i] = f16_to_float(bits[i]);
        return;
    }
}

void convert_from_float(void *restrict to, enum dtype dtype, const float *restrict from, size_t n)
{
    uint16_t *bits = to;
    switch (dtype) {
    case DTYPE_F32:
        memcpy(to, from, n * sizeof *from);
        return;
    case DTYPE_BF16:
#pragma omp simd
        for (size_t i = 0; i < n; i++)
            bits[i] = float_to_bf16(from[i]);
        return;
    case DTYPE_F16:
#pragma omp simd
        for (size_t i = 0; i < n; i++)
            bits[i] = float_to_f16(from[i]);
        return;
    }
}

enum { PIECE = 2048 }; /* floats on the stack while going from one 16-bit type to the other */

void convert_elements(void *to, enum dtype to_dtype, const void *from, enum dtype from_dtype, size_t n)
{
    if (to_dtype == from_dtype) {
        memcpy(to, from, n * dtype_size(to_dtype));
    } else if (from_dtype == DTYPE_F32) {
        convert_from_float(to, to_dtype, from, n);
    } else if (to_dtype == DTYPE_F32) {
        convert_to_float(to, from, from_dtype, n);
    } else {
        float piece[PIECE];
        const uint16_t *in = from;
        uint16_t *out = to;
        for (size_t i = 0; i < n; i += PIECE) {
            size_t count = n - i < PIECE ? n - i : PIECE;
            convert_to_float(piece, in + i, from_dtype, count);
            convert_from_float(out + i, to_dtype, piece, count);
        }
    }
}

static bool has_infinity(const uint16_t *bits, uint16_t infinity, size_t n)
{
    int found = 0;
#pragma omp simd reduction(| : found)
    for (size_t i = 0; i < n; i++)
        found |= (bits[i] & 0x7fff) == infinity;
    return found;
}

bool conversion_overflowed(float *value, const void *to, enum dtype to_dtype, const void *from, enum dtype from_dtype,
                           size_t n)
{
    if (to_dtype == DTYPE_F32 || to_dtype == from_dtype ||
        !has_infinity(to, to_dtype == DTYPE_F16 ? 0x7c00 : 0x7f80, n))
        return false;
    size_t from_size = dtype_size(from_dtype);
    for (size_t i = 0; i < n; i++) {
        float after;
        convert_to_float(value, (const char *)from + i * from_size, from_dtype, 1);
        convert_to_float(&after, (const char *)to + 2 * i, to_dtype, 1);
        if (isinf(after) && !isinf(*value))
            return true;
    }
    return false;
}

bool conversion_rounded(float *value, const void *to, enum dtype to_dtype, const void *from, enum dtype from_dtype,
                        size_t n)
{
    float before[PIECE], after[PIECE];
    if (to_dtype == DTYPE_F32 || to_dtype == from_dtype)
        return false;
    for (size_t i = 0; i < n; i += PIECE) {
        const size_t count = n - i < PIECE ? n - i : PIECE;
        convert_to_float(before, (const char *)from + i * dtype_size(from_dtype), from_dtype, count);
        convert_to_float(after, (const char *)to + i * dtype_size(to_dtype), to_dtype, count);
        for (size_t j = 0; j < count; j++)
            if (before[j] != after[j] && before[j] == before[j]) {
                *value = before[j];
                return true;
            }
    }
    return false;
}
