// SPDX-License-Identifier: Apache-2.0
#include "quant/fit.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define FIT_LANES 8
#define FIT_BLOCK 64 /* values between two additions to the doubles */

/* 1.5 * 2^23: adding and taking it off rounds a float below 2^22 to the nearest integer, ties to
 * even, and unlike rintf() is vectorized at the baseline instruction set. */
#define FIT_ROUNDER 12582912.0f

typedef struct fit_lanes {
    float noise[FIT_LANES], cross[FIT_LANES], power[FIT_LANES];
} fit_lanes;

/* The bound is a constant in every call, so that the loops are unrolled into vectors. */
static inline void fit_add_lanes(fit_lanes *sums, const float *x, const float *importance,
                                 float inverse, float low, float high)
{
    for (int j = 0; j < FIT_LANES; j++) {
        float y = x[j] * inverse;
        float held = y < low ? low : y;
        held = held > high ? high : held;
        float q = (held + FIT_ROUNDER) - FIT_ROUNDER, r = y - q;
        float weighted = importance ? importance[j] * r : r;
        float level = importance ? importance[j] * q : q;
        sums->noise[j] += weighted * r;
        sums->cross[j] += weighted * q;
        sums->power[j] += level * q;
    }
}

static double fit_sum_lanes(const float lanes[FIT_LANES])
{
    double sum = 0;
    for (int j = 0; j < FIT_LANES; j++)
        sum += (double)lanes[j];
    return sum;
}

memo_fit memo_fit_step(size_t n, const float *x, const float *importance, float step, float low,
                       float high)
{
    memo_fit fit = {0};
    float inverse = 1.0f / step, rest[FIT_LANES] = {0}, rest_importance[FIT_LANES] = {0};

    for (size_t done = 0; done < n;) {
        fit_lanes sums = {0};
        size_t end = n - done < FIT_BLOCK ? n : done + FIT_BLOCK;
        if (importance)
            for (; end - done >= FIT_LANES; done += FIT_LANES)
                fit_add_lanes(&sums, x + done, importance + done, inverse, low, high);
        else
            for (; end - done >= FIT_LANES; done += FIT_LANES)
                fit_add_lanes(&sums, x + done, NULL, inverse, low, high);
        if (done < end) { /* zeros add nothing */
            memcpy(rest, x + done, (end - done) * sizeof *x);
            if (importance)
                memcpy(rest_importance, importance + done, (end - done) * sizeof *x);
            fit_add_lanes(&sums, rest, importance ? rest_importance : NULL, inverse, low, high);
            done = end;
        }
        fit.noise += fit_sum_lanes(sums.noise);
        fit.cross += fit_sum_lanes(sums.cross);
        fit.power += fit_sum_lanes(sums.power);
    }
    return fit;
}

/* x = step * (q + r): the least squares of x on q is step * (1 + <r, q> / <q, q>). */
double memo_fit_best_step(const memo_fit *fit, double step)
{
    return fit->power > 0 ? step * (1 + fit->cross / fit->power) : step;
}

double memo_fit_best_noise(const memo_fit *fit)
{
    return fit->power > 0 ? fit->noise - fit->cross * fit->cross / fit->power : fit->noise;
}

int memo_fit_can_store(size_t n, const float *x, float *largest)
{
    float most = 0;

    for (size_t i = 0; i < n; i++) {
        if (!isfinite(x[i]))
            return 0;
        most = fabsf(x[i]) > most ? fabsf(x[i]) : most;
    }
    *largest = most;
    return most == 0 || (float)((double)most / 127) >= FLT_MIN;
}
