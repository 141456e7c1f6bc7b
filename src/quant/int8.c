// SPDX-License-Identifier: Apache-2.0
#include "quant/int8.h"

#include <float.h>
#include <math.h>
#include <string.h>

int memo_int8_quantize_row(size_t n, const float *x, int8_t *q, float *scale)
{
    float largest = 0;

    for (size_t i = 0; i < n; i++) {
        if (!isfinite(x[i]))
            return 0;
        largest = fmaxf(largest, fabsf(x[i]));
    }
    *scale = (float)((double)largest / MEMO_INT8_LARGEST);
    if (largest == 0) {
        memset(q, 0, n);
        return 1;
    }
    if (*scale < FLT_MIN)
        return 0;
    /* The rounded scale may be a little small: the quotient is at most 127 + 127 * 2^-24, and that
     * rounds to 127. */
    for (size_t i = 0; i < n; i++)
        q[i] = (int8_t)rint((double)x[i] / (double)*scale);
    return 1;
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
