// SPDX-License-Identifier: Apache-2.0
#include "memory/relevance/logistic.h"

#include <math.h>

enum { LOGISTIC_STEPS = 100, LOGISTIC_BINS = 10 };

double memo_logistic_value(memo_logistic f, double x)
{
    return 1 / (1 + exp(-(f.slope * x + f.offset)));
}

/* Gradient g and Hessian h of the loss: sum of -t log p - (1 - t) log(1 - p). */
typedef struct logistic_sums {
    double g_slope, g_offset, h_slope, h_mixed, h_offset, loss;
} logistic_sums;

static logistic_sums logistic_sum(memo_logistic f, const double *x, const unsigned char *y,
                                  size_t n, const double target[2])
{
    logistic_sums s = {.h_slope = 1e-9, .h_offset = 1e-9}; /* never singular */
    for (size_t i = 0; i < n; i++) {
        double z = f.slope * x[i] + f.offset, t = target[y[i] != 0];
        double p = 1 / (1 + exp(-z)), weight = p * (1 - p);
        s.g_slope += (p - t) * x[i];
        s.g_offset += p - t;
        s.h_slope += weight * x[i] * x[i];
        s.h_mixed += weight * x[i];
        s.h_offset += weight;
        s.loss += (z > 0 ? log1p(exp(-z)) + (1 - t) * z : log1p(exp(z)) - t * z);
    }
    return s;
}

memo_logistic memo_logistic_fit(const double *x, const unsigned char *y, size_t n)
{
    memo_logistic f = {0, 0};
    double n_match = 0, target[2];
    logistic_sums s;
    for (size_t i = 0; i < n; i++)
        n_match += y[i] != 0;
    target[0] = 1 / ((double)n - n_match + 2);
    target[1] = (n_match + 1) / (n_match + 2);
    s = logistic_sum(f, x, y, n, target);
    for (int step = 0; step < LOGISTIC_STEPS; step++) {
        double det = s.h_slope * s.h_offset - s.h_mixed * s.h_mixed, length = 1;
        double d_slope = (s.h_offset * s.g_slope - s.h_mixed * s.g_offset) / det;
        double d_offset = (s.h_slope * s.g_offset - s.h_mixed * s.g_slope) / det;
        memo_logistic next = f;
        logistic_sums now = s;
        for (int halving = 0; halving < 34; halving++) {
            next = (memo_logistic){f.slope - length * d_slope, f.offset - length * d_offset};
            now = logistic_sum(next, x, y, n, target);
            if (now.loss <= s.loss)
                break;
            length /= 2;
        }
        if (!(now.loss < s.loss)) /* at the bottom */
            break;
        f = next;
        s = now;
    }
    return f;
}

double memo_logistic_error(memo_logistic f, const double *x, const unsigned char *y, size_t n)
{
    double sum_p[LOGISTIC_BINS] = {0}, sum_y[LOGISTIC_BINS] = {0}, error = 0;
    for (size_t i = 0; i < n; i++) {
        double p = memo_logistic_value(f, x[i]);
        int bin = (int)(p * LOGISTIC_BINS);
        bin = bin < LOGISTIC_BINS ? bin : LOGISTIC_BINS - 1;
        sum_p[bin] += p;
        sum_y[bin] += y[i] != 0;
    }
    for (int bin = 0; bin < LOGISTIC_BINS; bin++)
        error += fabs(sum_p[bin] - sum_y[bin]);
    return error / (double)n;
}
