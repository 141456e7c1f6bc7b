// SPDX-License-Identifier: Apache-2.0
/* unit/quant_util.h -- rows to quantize and what they cost, for the tests of the quantizers. */
#ifndef MEMO_TEST_QUANT_UTIL_H
#define MEMO_TEST_QUANT_UTIL_H

#include <float.h>
#include <math.h>

#include "base/rng.h"
#include "memo_test.h"

/* Kinds of rows: normal; normal with one value far out; heavy tails; few distinct values. */
#define QUANT_KINDS 4

static inline void quant_fill(memo_rng *rng, int kind, size_t n, float *x)
{
    for (size_t i = 0; i < n; i++) {
        double v = memo_rng_normal(rng);
        if (kind == 2)
            v *= v * v;
        if (kind == 3)
            v = (double)memo_rng_below(rng, 5) - 1;
        x[i] = (float)(v * 0.04);
    }
    if (kind == 1)
        x[memo_rng_below(rng, n)] *= 30;
}

static inline void quant_fill_importance(memo_rng *rng, size_t n, float *importance)
{
    for (size_t i = 0; i < n; i++)
        importance[i] = (float)exp(memo_rng_normal(rng));
}

/* sum(importance * (x - scale * q)^2) */
static inline double quant_cost(size_t n, const float *x, const float *importance, const int8_t *q,
                                double scale)
{
    double cost = 0;
    for (size_t i = 0; i < n; i++) {
        double error = (double)x[i] - scale * q[i];
        cost += (importance ? (double)importance[i] : 1) * error * error;
    }
    return cost;
}

/* The rows that no integer class stores; quantize returns 0 for each of them. */
static inline void quant_check_refusals(int (*quantize)(size_t n, const float *x))
{
    float x[64] = {0};

    x[40] = 1;
    assert_int_equal(quantize(64, x), 1);
    x[63] = NAN;
    assert_int_equal(quantize(64, x), 0);
    x[63] = -INFINITY;
    assert_int_equal(quantize(64, x), 0);
    x[63] = -3e38f;
    assert_int_equal(quantize(64, x), 1);
    memset(x, 0, sizeof x);
    assert_int_equal(quantize(64, x), 1);
    x[5] = -126 * FLT_MIN; /* the scale would be below the smallest normal float */
    assert_int_equal(quantize(64, x), 0);
    x[5] = -128 * FLT_MIN;
    assert_int_equal(quantize(64, x), 1);
}

#endif
