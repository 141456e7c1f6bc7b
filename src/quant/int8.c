// SPDX-License-Identifier: Apache-2.0
#include "quant/int8.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "quant/fit.h"

/* Scales tried: the absmax scale times 0.97^k, down to 0.3 of it, then finer around the best. */
#define INT8_CANDIDATES 40
#define INT8_SHRINK     0.97f
#define INT8_FINE       16
#define INT8_FINE_STEP  0.004f /* 16 of them span what lies between two neighbours of the best */
#define INT8_REFITS     4

int memo_int8_largest(size_t n, const float *x, float *largest)
{
    float most = *largest;

    for (size_t i = 0; i < n; i++) {
        if (!isfinite(x[i]))
            return 0;
        most = fmaxf(most, fabsf(x[i]));
    }
    *largest = most;
    return 1;
}

int memo_int8_scale(float largest, float *scale)
{
    *scale = (float)((double)largest / MEMO_INT8_LARGEST);
    return largest == 0 || *scale >= FLT_MIN;
}

/* x / scale to the nearest integer, ties to even. The rounded scale of a row may be a little small:
 * then the quotient of its largest is at most 127 + 127 * 2^-24, and that rounds to 127. */
static int int8_nearest(float x, float scale)
{
    double q = rint((double)x / (double)scale);

    if (q > MEMO_INT8_LARGEST)
        return MEMO_INT8_LARGEST;
    return q < -MEMO_INT8_LARGEST ? -MEMO_INT8_LARGEST : (int)q;
}

int memo_int8_quantize_row_at(size_t n, const float *x, float scale, int8_t *q)
{
    float largest = 0;

    if (!memo_int8_largest(n, x, &largest) || (largest > 0 && !(scale >= FLT_MIN)))
        return 0;
    if (largest == 0) {
        memset(q, 0, n);
        return 1;
    }
    for (size_t i = 0; i < n; i++)
        q[i] = (int8_t)int8_nearest(x[i], scale);
    return 1;
}

int memo_int8_quantize_row(size_t n, const float *x, int8_t *q, float *scale)
{
    float largest = 0;

    return memo_int8_largest(n, x, &largest) && memo_int8_scale(largest, scale) &&
           memo_int8_quantize_row_at(n, x, *scale, q);
}

/* What the row costs at a scale, and the scale that is best for the same bytes. */
static double int8_cost(size_t n, const float *x, const float *importance, float scale,
                        double *better)
{
    double cost = 0, xq = 0, qq = 0;

    for (size_t i = 0; i < n; i++) {
        int q = int8_nearest(x[i], scale);
        double weight = importance ? (double)importance[i] : 1;
        double error = (double)x[i] - (double)(scale * (float)q);
        cost += weight * error * error;
        xq += weight * (double)x[i] * q;
        qq += weight * q * q;
    }
    *better = qq > 0 ? xq / qq : (double)scale;
    return cost;
}

/* A scale with the cost of its bytes at their own best scale, `refitted`. */
typedef struct int8_candidate {
    float scale;
    double cost, refitted;
} int8_candidate;

static void int8_try(size_t n, const float *x, const float *importance, float scale,
                     int8_candidate *best)
{
    if (!(scale >= FLT_MIN))
        return;
    memo_fit fit = memo_fit_step(n, x, importance, scale, -MEMO_INT8_LARGEST, MEMO_INT8_LARGEST);
    double cost = memo_fit_best_noise(&fit) * (double)scale * (double)scale;
    if (cost < best->cost)
        *best = (int8_candidate){scale, cost, memo_fit_best_step(&fit, (double)scale)};
}

/* The best scale of the candidates. */
static double int8_best_candidate(size_t n, const float *x, const float *importance, float absmax)
{
    int8_candidate best = {absmax, HUGE_VAL, (double)absmax};
    float scale = absmax;

    for (int k = 0; k < INT8_CANDIDATES; k++) {
        int8_try(n, x, importance, scale, &best);
        scale *= INT8_SHRINK;
    }
    float middle = best.scale;
    for (int k = -INT8_FINE / 2; k <= INT8_FINE / 2; k++)
        if (k)
            int8_try(n, x, importance, middle * (1 + (float)k * INT8_FINE_STEP), &best);
    return best.refitted;
}

int memo_int8_search_row(size_t n, const float *x, const float *importance, int8_t *q, float *scale)
{
    float largest = 0;

    if (!memo_int8_largest(n, x, &largest) || !memo_int8_scale(largest, scale))
        return 0;
    if (largest > 0) {
        double next, ignored;
        double least = int8_cost(n, x, importance, *scale, &ignored);
        next = int8_best_candidate(n, x, importance, *scale);
        /* Nearest bytes for the best scale of the bytes before: the cost never grows. */
        for (int refit = 0; refit < INT8_REFITS && next >= (double)FLT_MIN; refit++) {
            float tried = (float)next;
            double cost = int8_cost(n, x, importance, tried, &next);
            if (!(cost < least))
                break;
            least = cost;
            *scale = tried;
        }
    }
    return memo_int8_quantize_row_at(n, x, *scale, q);
}

void memo_int8_dequantize_row(size_t n, const int8_t *q, float scale, float *x)
{
    for (size_t i = 0; i < n; i++)
        x[i] = scale * (float)q[i];
}

int32_t memo_int8_sum_row(size_t n, const int8_t *q)
{
    int32_t sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += q[i];
    return sum;
}
