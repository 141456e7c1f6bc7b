// SPDX-License-Identifier: Apache-2.0
/* quant/int4.h -- rows of weights as 4-bit integers with a multiplier per block (class int4).
 *
 *     w[i] = scale * q[i],  q[i] = nibble[i] * multiplier[i / block]
 *
 * nibble in -8..7, kept as a code of 4 bits in two's complement; multiplier an integer in 1..15 for
 * each block of 32, 64 or 128 inputs; scale per row. q is in -120..105, so that a panel unpacks to
 * bytes and runs through the int8 kernel: inside the sum there is no rescaling. */
#ifndef MEMO_QUANT_INT4_H
#define MEMO_QUANT_INT4_H

#include <stddef.h>
#include <stdint.h>

#include "quant/feedback.h"

#define MEMO_INT4_MAX_MULTIPLIER 15

typedef struct memo_int4_row {
    uint8_t *codes;       /* [n] 0..15 */
    uint8_t *multipliers; /* [memo_int4_n_blocks(n, block)] 1..15 */
    float scale;          /* 0: a row of zeros */
} memo_int4_row;

/* Blocks of a row, those of the padding included: n rounded up to 64, divided by block, rounded up.
 * A block without inputs has multiplier 1. */
size_t memo_int4_n_blocks(size_t n, size_t block);

/* memo_int4_quantize_row() -- find nibbles, multipliers and scale of one row by search.
 *
 *   block       32, 64 or 128
 *   x           [n] any values
 *   importance  [n] or NULL, see int8.h
 *   row         codes and multipliers are the caller's and filled, scale is set
 *
 * Returns 0 when memo_int8_quantize_row() would refuse the row. Deterministic; the least
 * sum(importance * (x - scale * q)^2) that alternating between multipliers and scale finds. */
int memo_int4_quantize_row(size_t n, size_t block, const float *x, const float *importance,
                           memo_int4_row *row);

/* memo_int4_feedback_row() -- other codes and scale for the same multipliers, by refine.h. The row is
 * one of feedback->n inputs from memo_int4_quantize_row(), best with the diagonal of the moments as
 * importance; room is memo_refine_room(n) floats. */
void memo_int4_feedback_row(const memo_feedback *feedback, size_t block, const float *x,
                            memo_int4_row *row, float *room);

/* q = nibble * multiplier, for memo_int8_dequantize_row() and memo_int8_sum_row(). */
void memo_int4_expand_row(size_t n, size_t block, const uint8_t *codes, const uint8_t *multipliers,
                          int8_t *q);

#endif
