// SPDX-License-Identifier: Apache-2.0
/* quant/feedback.h -- rounding that makes up for its own errors.
 *
 * What counts is not how far stored weights v are from w but how far their products with activations
 * are: (w - v)' M (w - v), with M the second moments of the inputs on texts like those to come. With
 * M = F' F, F lower triangular, that is the squared length of F (w - v). Inputs are rounded one after
 * the other, and input t is first moved so that row t of F (w - v) would be zero without its own
 * rounding: its error is made up for by those that follow. The most important inputs come first, when
 * most are left to make up for them.
 *
 * Source: GPTQ (Frantar et al., 2022), in the form that needs no inverse, which is Babai's nearest
 * plane; the order by importance is that of its authors' program. */
#ifndef MEMO_QUANT_FEEDBACK_H
#define MEMO_QUANT_FEEDBACK_H

#include <stddef.h>
#include <stdint.h>

#include "kernel/kernels.h"

/* The factor of one M, for all rows that have these inputs; order and factor are the caller's. */
typedef struct memo_feedback {
    size_t n;
    uint32_t *order;      /* [n] inputs, the first to be rounded first */
    float *factor;        /* [n, n]: row t holds F[t][u] / F[t][t] for u < t */
    const float *moments; /* [n, n] of memo_feedback_factor(), borrowed */
    float damping;        /* what they have more on the diagonal */
} memo_feedback;

/* memo_feedback_factor() -- prepare from second moments.
 *
 *   moments   [n, n] symmetric: sums or means of x[i] * x[j]; they stay borrowed
 *   feedback  n and the storage are set; the rest is filled
 *
 * M gets 0.03 of its mean diagonal added on the diagonal: a few thousand rows of activations
 * are never all there is. Returns 0 when a moment is not finite or the diagonal is all zero. Cost:
 * n^3 / 6 multiplications. */
int memo_feedback_factor(memo_feedback *feedback, const float *moments);

/* memo_feedback_add() -- add the inputs of some tokens to the moments: moments += x' x.
 *
 *   n_rows   tokens in x, at most MEMO_FEEDBACK_ROWS
 *   x        [n_rows, ld]
 *   moments  [n, n]
 *   scratch  memo_feedback_scratch(n) floats, 64-byte aligned */
#define MEMO_FEEDBACK_ROWS 256
size_t memo_feedback_scratch(size_t n);
void memo_feedback_add(const memo_kernels *kernels, size_t n_rows, size_t n, const float *x,
                       size_t ld, float *moments, float *scratch);

/* What values a row may take: the code nearest to y for input i, and the value it stands for. */
typedef struct memo_feedback_grid {
    uint8_t (*nearest)(const void *row, size_t i, float y, float *value);
    const void *row;
} memo_feedback_grid;

/* memo_feedback_row() -- the codes of one row. x [n], codes [n] and the values they stand for [n]
 * out; errors [n] is room. Cost: n^2 / 2. */
void memo_feedback_row(const memo_feedback *feedback, memo_feedback_grid grid, const float *x,
                       uint8_t *codes, float *values, float *errors);

#endif
