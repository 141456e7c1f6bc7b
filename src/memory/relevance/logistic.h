// SPDX-License-Identifier: Apache-2.0
/* memory/relevance/logistic.h -- from a score to a probability: 1 / (1 + exp(-(slope x + offset))).
 *
 * Source: Platt, Probabilistic Outputs for Support Vector Machines (1999), with his smoothed targets,
 * which keep the fit finite where a score divides the classes cleanly. */
#ifndef MEMO_MEMORY_LOGISTIC_H
#define MEMO_MEMORY_LOGISTIC_H

#include <stddef.h>

typedef struct memo_logistic {
    double slope, offset;
} memo_logistic;

double memo_logistic_value(memo_logistic f, double x);

/* Fit by Newton's method: scores x [n], labels y [n] 0 or 1; both labels must occur. */
memo_logistic memo_logistic_fit(const double *x, const unsigned char *y, size_t n);

/* Expected calibration error: in ten equal bins of the probability, how far its mean is from the share
 * of matches, weighted by the bins' counts. n >= 1. */
double memo_logistic_error(memo_logistic f, const double *x, const unsigned char *y, size_t n);

#endif
