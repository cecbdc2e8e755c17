/* The exponential function without libm, written so that gcc vectorizes the loops it stands in. The library's would be scalar
 * there, and would give other bits on other machines. (Not called math.h: that would hide the system's.)
 */
#ifndef LORAC_EXP_H
#define LORAC_EXP_H

#include "isa.h"

#include <math.h>

/* a * b + c, rounded once where the instruction set has it. */
ALWAYS_INLINE float multiply_add(float a, float b, float c)
{
#ifdef __FMA__
    return __builtin_fmaf(a, b, c);
#else
    return a * b + c;
#endif
}

/* e^x, within 1.1 ulp where the result is a normal float; below that (x < -87.34) 0, from 88.73 on infinity, NaN for
 * NaN.
 *
 * Cody and Waite 1980: x = n ln2 + f with |f| <= ln2 / 2, ln2 in two parts so that n times the first is exact. e^f is
 * its Taylor polynomial shortened to degree 6 by minimax coefficients; n goes into the exponent bits. Adding 1.5 * 2^23
 * rounds to the nearest integer, which is then in the low bits of the sum.
 */
ALWAYS_INLINE float exp_float(float x)
{
    const float magic = 0x1.8p23f;
    union {
        float value;
        uint32_t bits;
    } rounded, result, offset = {.value = magic};
    rounded.value = multiply_add(x, 0x1.715476p+0f, magic);
    float n = rounded.value - magic;
    float f = multiply_add(n, -0x1.62e400p-1f, x);
    f = multiply_add(n, -0x1.7f7d1cp-20f, f);
    float p = multiply_add(0x1.6850e4p-10f, f, 0x1.123bccp-7f);
    p = multiply_add(p, f, 0x1.555b98p-5f);
    p = multiply_add(p, f, 0x1.55548ep-3f);
    p = multiply_add(p, f, 0x1.fffff8p-2f);
    result.value = multiply_add(p * f, f, f) + 1.0f;
    result.bits += (rounded.bits - offset.bits) << 23;
    float y = x < -0x1.5d589ep+6f ? 0.0f : result.value;
    y = x > 0x1.62e42ep+6f ? INFINITY : y;
    return x == x ? y : x;
}

#endif
