/* Conversions between the storage types of checkpoints. To BF16 and F16 they round to nearest, ties to even, as PyTorch
 * does; what is too large for F16 becomes infinite, NaN stays NaN. */
#ifndef LORAC_DTYPE_CONVERT_H
#define LORAC_DTYPE_CONVERT_H

#include "model_config.h"

#include <stddef.h>
#include <stdint.h>

float bf16_to_float(uint16_t bits);
float f16_to_float(uint16_t bits);
uint16_t float_to_bf16(float value);
uint16_t float_to_f16(float value);

/* n elements. `to` and `from` must not overlap. */
void convert_to_float(float *to, const void *from, enum dtype dtype, size_t n);
void convert_from_float(void *to, enum dtype dtype, const float *from, size_t n);

/* Any to any; equal types are copied bit for bit. */
void convert_elements(void *to, enum dtype to_dtype, const void *from, enum dtype from_dtype, size_t n);

/* Whether a number became infinite on its way; *value is then the first such one. */
bool conversion_overflowed(float *value, const void *to, enum dtype to_dtype, const void *from, enum dtype from_dtype,
                           size_t n);

/* Whether a number changed on its way; *value is then what the first such one was. */
bool conversion_rounded(float *value, const void *to, enum dtype to_dtype, const void *from, enum dtype from_dtype,
                        size_t n);

#endif
