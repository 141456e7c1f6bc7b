// SPDX-License-Identifier: Apache-2.0
/* quant/figures.h -- how far stored weights are from their source, for reports. */
#ifndef MEMO_QUANT_FIGURES_H
#define MEMO_QUANT_FIGURES_H

#include <stddef.h>

/* Start with zeros; rows add up. Plain sums, in double. */
typedef struct memo_quant_figures {
    double signal;  /* sum of x^2 */
    double noise;   /* sum of (x - y)^2 */
    double worst;   /* largest |x - y|; NaN when one is */
    double largest; /* |x| */
} memo_quant_figures;

/* Add a row: x [n] as it was, y [n] as dequantized. */
void memo_quant_figures_add(memo_quant_figures *figures, size_t n, const float *x, const float *y);

/* 10 log10(signal / noise); INFINITY without noise. */
double memo_quant_figures_snr_db(const memo_quant_figures *figures);

#endif
