// SPDX-License-Identifier: Apache-2.0
/* quant/fit.h -- how well values fit the multiples of a step: what every search for a scale asks. */
#ifndef MEMO_QUANT_FIT_H
#define MEMO_QUANT_FIT_H

#include <stddef.h>

/* For q = x / step to the nearest integer, held within low..high, and r = x / step - q: */
typedef struct memo_fit {
    double noise; /* sum of importance * r^2: in units of step^2 */
    double cross; /* sum of importance * r * q */
    double power; /* sum of importance * q^2 */
} memo_fit;

/* memo_fit_step() -- fit n values to a step.
 *
 *   importance  [n] or NULL, see int8.h
 *   step        a normal float; low, high: -127 and 127, or less
 *
 * In single precision, sums of 8 lanes over 64 values and doubles beyond: good to order steps by
 * what they cost, not to state it. */
memo_fit memo_fit_step(size_t n, const float *x, const float *importance, float step, float low,
                       float high);

/* The step of least error for the same q; its noise in units of the squared old step. */
double memo_fit_best_step(const memo_fit *fit, double step);
double memo_fit_best_noise(const memo_fit *fit);

/* Whether a row can be stored in an integer class: all values finite and, unless all are zero, the
 * largest / 127 at least the smallest normal float. Sets the largest |x|. */
int memo_fit_can_store(size_t n, const float *x, float *largest);

#endif
