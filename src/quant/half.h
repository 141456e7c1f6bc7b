// SPDX-License-Identifier: Apache-2.0
/* quant/half.h -- the 16-bit float formats (classes f16 and bf16) to and from single precision. */
#ifndef MEMO_QUANT_HALF_H
#define MEMO_QUANT_HALF_H

#include <stddef.h>
#include <stdint.h>

/* Exact. */
float memo_f16_to_f32(uint16_t bits);  /* IEEE binary16, subnormals included */
float memo_bf16_to_f32(uint16_t bits); /* the upper half of a float */

/* To nearest, ties to even, subnormal results included. A finite value too large becomes infinity;
 * a NaN stays one, quiet, with its sign and the upper bits of its payload. Not affected by, and
 * never touching, the modes and flags of the floating-point unit. */
uint16_t memo_f16_from_f32(float x);
uint16_t memo_bf16_from_f32(float x);

/* memo_f16_from_row(), memo_bf16_from_row() -- convert n values.
 *
 * Returns n, or the index of the first value that would not be finite afterwards: a NaN, an
 * infinity, or a finite value too large for the format (the largest f16 is 65504). All n are
 * converted either way. */
size_t memo_f16_from_row(size_t n, const float *x, uint16_t *bits);
size_t memo_bf16_from_row(size_t n, const float *x, uint16_t *bits);

void memo_f16_to_row(size_t n, const uint16_t *bits, float *x);
void memo_bf16_to_row(size_t n, const uint16_t *bits, float *x);

#endif
