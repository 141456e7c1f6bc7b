// SPDX-License-Identifier: Apache-2.0
#include "quant/figures.h"

#include <math.h>

void memo_quant_figures_add(memo_quant_figures *figures, size_t n, const float *x, const float *y)
{
    for (size_t i = 0; i < n; i++) {
        double value = x[i], error = fabs(value - (double)y[i]);
        figures->signal += value * value;
        figures->noise += error * error;
        if (error > figures->worst || isnan(error)) /* then it stays NaN */
            figures->worst = error;
        if (fabs(value) > figures->largest)
            figures->largest = fabs(value);
    }
}

double memo_quant_figures_snr_db(const memo_quant_figures *figures)
{
    return figures->noise == 0 ? HUGE_VAL : 10 * log10(figures->signal / figures->noise);
}
