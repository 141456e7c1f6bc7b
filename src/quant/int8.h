// SPDX-License-Identifier: Apache-2.0
/* quant/int8.h -- rows of weights as signed bytes with a scale of their own (class int8).
 *
 *     w[i] = scale * q[i],  q[i] in -127..127
 *
 * Symmetric: zero stays zero, and there is no zero point to carry. -128 is never used, so that a
 * byte can be negated. A row is an output channel of a matrix, a group of 32, 64 or 128 inputs of
 * one, or the embedding of one token. The 4-bit classes stand for such bytes too (int4.h, lut4.h),
 * so what is below about bytes holds for them.
 *
 * A row of zeros has scale 0 and bytes 0, and that is the only row with scale 0 that a function here
 * gives. `importance` in all searches: [n] what a squared error of each input costs (the mean square
 * of its activation), finite, not negative, or NULL when all cost the same. */
#ifndef MEMO_QUANT_INT8_H
#define MEMO_QUANT_INT8_H

#include <stddef.h>
#include <stdint.h>

#define MEMO_INT8_LARGEST 127

/* memo_int8_quantize_row() -- the bytes and the scale of one row.
 *
 *   x      [n] any values
 *   q      [n] out
 *   scale  out: the largest |x| / 127 rounded to float; then q = x / scale to the nearest integer,
 *          ties to even
 *
 * Returns 0 when the row cannot be stored, and writes nothing of use: a value is NaN or infinite,
 * or the scale of values that are not all zero would be below the smallest normal float, where it
 * has lost its precision. */
int memo_int8_quantize_row(size_t n, const float *x, int8_t *q, float *scale);

/* memo_int8_search_row() -- the same with the scale of least squared error.
 *
 * Tries scales that clip the largest values, refits each to the bytes that it gives, and keeps the
 * best by sum(importance * (x - scale * q)^2); never worse than memo_int8_quantize_row() by that
 * measure. About ten times its time. Refuses the same rows. */
int memo_int8_search_row(size_t n, const float *x, const float *importance, int8_t *q,
                         float *scale);

/* One scale for rows that share it (granularity tensor): the largest |x| of all rows, the scale from
 * it, then the bytes of each row; values beyond 127 scales become +-127. All three return 0 for what
 * memo_int8_quantize_row() refuses; *largest starts at 0 and grows. */
int memo_int8_largest(size_t n, const float *x, float *largest);
int memo_int8_scale(float largest, float *scale);
int memo_int8_quantize_row_at(size_t n, const float *x, float scale, int8_t *q);

/* x = scale * q, one rounding each. */
void memo_int8_dequantize_row(size_t n, const int8_t *q, float scale, float *x);

/* Sum of the bytes of a row; exact for n up to 2^24. */
int32_t memo_int8_sum_row(size_t n, const int8_t *q);

#endif
