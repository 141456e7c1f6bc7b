// SPDX-License-Identifier: Apache-2.0
/* quant/palette.h -- the 16 bytes that stand best for many numbers: weighted k-means on a line.
 *
 * Values y = x / scale are wanted as one of 16 integers in -127..127. For squared error the best 16
 * are found exactly: a value between two neighbours of the palette goes to the nearer, so the border
 * is a multiple of 1/2, and sums over half-integer bins give the exact cost of any palette. Dynamic
 * programming over the 255 candidates then needs the bins only, however many values there were. */
#ifndef MEMO_QUANT_PALETTE_H
#define MEMO_QUANT_PALETTE_H

#include <stddef.h>
#include <stdint.h>

#define MEMO_PALETTE_SIZE 16
#define MEMO_PALETTE_BINS 508 /* from -127 to 127, each half a step wide */

/* What is known about the values: clear it, add rows in any number of calls, fit. 12 KiB. */
typedef struct memo_palette_sums {
    double w[MEMO_PALETTE_BINS];   /* sum of weights */
    double wy[MEMO_PALETTE_BINS];  /* sum of weight * y */
    double wyy[MEMO_PALETTE_BINS]; /* sum of weight * y^2 */
} memo_palette_sums;

/* The bin of a value: floor((y + 127) * 2), held within 0..507. */
size_t memo_palette_bin(double y);

void memo_palette_clear(memo_palette_sums *sums);

/* Add the values x[i] / scale with weight scale^2 * importance[i], so that the cost is the squared
 * error of x. Finite values; a value beyond +-127 counts at the border as what it is. scale 0 adds
 * nothing. importance as in int8.h. */
void memo_palette_add(memo_palette_sums *sums, size_t n, const float *x, const float *importance,
                      float scale);

/* The palette of least cost, strictly ascending. Of equal ones the same on every machine. Returns
 * its cost: the sum of weight * (y - nearest)^2. */
double memo_palette_fit(const memo_palette_sums *sums, int8_t palette[MEMO_PALETTE_SIZE]);

/* The code of every bin in an ascending palette: the nearest entry, ties to the higher. */
typedef struct memo_palette_table {
    uint8_t code[MEMO_PALETTE_BINS];
} memo_palette_table;
void memo_palette_tabulate(const int8_t palette[MEMO_PALETTE_SIZE], memo_palette_table *table);

/* 16 equally spaced bytes, -127, -110, ... 127: (2 i - 15) * 127 / 15 to the nearest integer. */
void memo_palette_uniform(int8_t palette[MEMO_PALETTE_SIZE]);

#endif
