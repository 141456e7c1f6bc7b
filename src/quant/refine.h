// SPDX-License-Identifier: Apache-2.0
/* quant/refine.h -- codes and scales of a row that was rounded with feedback, made better.
 *
 * Feedback (feedback.h) decides on one input after the other and never comes back to one. Here every
 * code is looked at again with all others as they are. With e = x - v and H the damped moments, the
 * error of the products is e' H e; when input i of v moves by d it changes by
 * d^2 H[i][i] - 2 d (H e)[i], so the best value is v[i] + (H e)[i] / H[i][i], and the code nearest to
 * it never costs more than the old one. H e is kept up to date, with a row of H for each code that
 * changes. In between the scale takes its least squares in the same measure. Multipliers and palettes
 * stay: refitted likewise they made no difference that could be measured.
 *
 * Source: coordinate descent as in QuantEase (Behdin et al., 2023). */
#ifndef MEMO_QUANT_REFINE_H
#define MEMO_QUANT_REFINE_H

#include "quant/feedback.h"

/* Floats of room for memo_refine_row(). */
size_t memo_refine_room(size_t n);

/* memo_refine_row() -- the codes of one row by feedback, and made better.
 *
 *   grid   its values are multiples of *scale, which is read by nearest()
 *   x      [n]
 *   scale  in, and out unless `keep_scale`; stays where the best would be no positive normal float
 *   codes  [n] out
 *
 * Cost: 3 n^2, and n for each code that changes. */
typedef struct memo_refine_job {
    const memo_feedback *feedback;
    memo_feedback_grid grid;
    float *scale;
    int keep_scale;
    float *room;
} memo_refine_job;
void memo_refine_row(const memo_refine_job *job, const float *x, uint8_t *codes);

#endif
