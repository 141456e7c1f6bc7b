// SPDX-License-Identifier: Apache-2.0
/* quant/lut4.h -- rows of weights as 4-bit indices into a palette of 16 bytes (class lut4).
 *
 *     w[i] = scale * q[i],  q[i] = palette[code[i]]
 *
 * The palette, ascending values in -127..127, is shared by 8, 16 or 32 rows or by the whole matrix;
 * the scale is the row's own, or one for the matrix repeated.
 *
 * A group of rows is fitted at once with memo_lut4_quantize_group(). A whole matrix is fitted strip
 * by strip: memo_lut4_start_scale() and memo_palette_add() for all rows, memo_palette_fit(), then
 * memo_lut4_quantize_row() for all rows. Without a scale per row, the scale is memo_int8_scale() of
 * the matrix's memo_int8_largest(). */
#ifndef MEMO_QUANT_LUT4_H
#define MEMO_QUANT_LUT4_H

#include <stddef.h>
#include <stdint.h>

#include "quant/feedback.h"
#include "quant/palette.h"

/* memo_lut4_start_scale() -- the scale that makes a row comparable with others: its values / scale
 * have the same spread as those of any other row, and few are beyond +-127. Scale 0 for a row of
 * zeros. Returns 0 for a row that memo_int8_quantize_row() refuses. */
int memo_lut4_start_scale(size_t n, const float *x, const float *importance, float *scale);

/* memo_lut4_quantize_row() -- the codes of one row in a given palette.
 *
 *   palette  ascending
 *   scale    in: where to start; scales from 1.2 to 0.37 times that are tried
 *            out: the least squares for the codes
 *   codes    [n] out, 0..15: nearest entries at the best scale found
 *
 * Returns 0 for a row that memo_int8_quantize_row() refuses. */
int memo_lut4_quantize_row(size_t n, const float *x, const float *importance,
                           const int8_t palette[MEMO_PALETTE_SIZE], float *scale, uint8_t *codes);

/* The nearest entries at a scale that stays as it is, ties to the higher; 0 only for zeros. */
int memo_lut4_quantize_row_at(size_t n, const float *x, const int8_t palette[MEMO_PALETTE_SIZE],
                              float scale, uint8_t *codes);

typedef struct memo_lut4_group {
    size_t n_rows, n_in;               /* at least one row */
    const float *x;                    /* [n_rows, n_in] */
    const float *importance;           /* [n_in] or NULL, see int8.h */
    int uniform;                       /* the palette is memo_palette_uniform(), else fitted */
    int keep_scales;                   /* scales are given (one for the matrix), else found */
    float *scales;                     /* [n_rows] out, or in */
    uint8_t *codes;                    /* [n_rows, n_in] out */
    int8_t palette[MEMO_PALETTE_SIZE]; /* out */
} memo_lut4_group;

/* memo_lut4_quantize_group() -- palette, scales and codes of the rows that share a palette.
 *
 * Returns n_rows, or the index of the first row that memo_int8_quantize_row() refuses. */
size_t memo_lut4_quantize_group(memo_lut4_group *group);

/* memo_lut4_feedback_row() -- other codes for the same palette and, unless `keep_scale`, another scale,
 * by refine.h. The row is one of feedback->n inputs from one of the functions above, best with the
 * diagonal of the moments as importance; room is memo_refine_room(n) floats. */
typedef struct memo_lut4_row {
    const int8_t *palette; /* [MEMO_PALETTE_SIZE] */
    float *scale;
    int keep_scale;
    uint8_t *codes; /* [n] out */
} memo_lut4_row;
void memo_lut4_feedback_row(const memo_feedback *feedback, const float *x, const memo_lut4_row *row,
                            float *room);

/* q = palette[code], for memo_int8_dequantize_row() and memo_int8_sum_row(). */
void memo_lut4_expand_row(size_t n, const uint8_t *codes, const int8_t palette[MEMO_PALETTE_SIZE],
                          int8_t *q);

#endif
