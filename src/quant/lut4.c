// SPDX-License-Identifier: Apache-2.0
#include "quant/lut4.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "quant/fit.h"
#include "quant/int8.h"

#define LUT4_START  28.0 /* levels to a standard deviation */
#define LUT4_REFITS 4
#define LUT4_ROUNDS 6

/* The code of every bin of a palette: borders between neighbours are multiples of half a step. */
typedef struct lut4_table {
    uint8_t code[MEMO_PALETTE_BINS];
} lut4_table;

static void lut4_tabulate(const int8_t palette[MEMO_PALETTE_SIZE], lut4_table *table)
{
    uint8_t code = 0;

    for (int bin = 0; bin < MEMO_PALETTE_BINS; bin++) {
        /* From bin / 2 - 127 on, which is half way when twice that is the sum of the two. */
        while (code + 1 < MEMO_PALETTE_SIZE &&
               bin - 2 * MEMO_INT8_LARGEST >= palette[code] + palette[code + 1])
            code++;
        table->code[bin] = code;
    }
}

int memo_lut4_start_scale(size_t n, const float *x, const float *importance, float *scale)
{
    double square = 0, weight = 0;
    float largest;

    if (!memo_fit_can_store(n, x, &largest))
        return 0;
    for (size_t i = 0; i < n; i++) {
        double w = importance ? (double)importance[i] : 1;
        square += w * (double)x[i] * (double)x[i];
        weight += w;
    }
    double spread = weight > 0 ? sqrt(square / weight) : 0;
    *scale = (float)(spread / LUT4_START);
    if (*scale < FLT_MIN)
        *scale = (float)((double)largest / MEMO_INT8_LARGEST);
    return 1;
}

/* Nearest entries at a scale; returns the scale of least error for them. */
static double lut4_assign(size_t n, const float *x, const float *importance,
                          const int8_t palette[MEMO_PALETTE_SIZE], const lut4_table *table,
                          float scale, uint8_t *codes)
{
    double inverse = 1 / (double)scale, xq = 0, qq = 0;

    for (size_t i = 0; i < n; i++) {
        codes[i] = table->code[memo_palette_bin((double)x[i] * inverse)];
        double weight = importance ? (double)importance[i] : 1, q = palette[codes[i]];
        xq += weight * (double)x[i] * q;
        qq += weight * q * q;
    }
    return qq > 0 ? xq / qq : (double)scale;
}

int memo_lut4_quantize_row_at(size_t n, const float *x, const int8_t palette[MEMO_PALETTE_SIZE],
                              float scale, uint8_t *codes)
{
    lut4_table table;
    float largest;

    if (!memo_fit_can_store(n, x, &largest))
        return 0;
    lut4_tabulate(palette, &table);
    lut4_assign(n, x, NULL, palette, &table, scale > 0 ? scale : 1, codes);
    return 1;
}

int memo_lut4_quantize_row(size_t n, const float *x, const float *importance,
                           const int8_t palette[MEMO_PALETTE_SIZE], float *scale, uint8_t *codes)
{
    lut4_table table;
    float largest;

    if (!memo_fit_can_store(n, x, &largest))
        return 0;
    if (largest == 0)
        *scale = 0;
    lut4_tabulate(palette, &table);
    for (int refit = 0; refit < LUT4_REFITS; refit++) {
        double next =
            lut4_assign(n, x, importance, palette, &table, *scale > 0 ? *scale : 1, codes);
        if (largest == 0 || !(next >= (double)FLT_MIN))
            break;
        *scale = (float)next;
    }
    return 1;
}

size_t memo_lut4_quantize_group(memo_lut4_group *group)
{
    const size_t n = group->n_in;
    memo_palette_sums sums;

    if (!group->keep_scales)
        for (size_t r = 0; r < group->n_rows; r++)
            if (!memo_lut4_start_scale(n, group->x + r * n, group->importance, &group->scales[r]))
                return r;
    if (group->uniform)
        memo_palette_uniform(group->palette);
    for (int round = 0; round < LUT4_ROUNDS; round++) {
        if (!group->uniform) {
            memo_palette_clear(&sums);
            for (size_t r = 0; r < group->n_rows; r++)
                memo_palette_add(&sums, n, group->x + r * n, group->importance, group->scales[r]);
            memo_palette_fit(&sums, group->palette);
        }
        for (size_t r = 0; r < group->n_rows; r++) {
            const float *x = group->x + r * n;
            uint8_t *codes = group->codes + r * n;
            if (group->keep_scales
                    ? !memo_lut4_quantize_row_at(n, x, group->palette, group->scales[r], codes)
                    : !memo_lut4_quantize_row(n, x, group->importance, group->palette,
                                              &group->scales[r], codes))
                return r;
        }
        if (group->keep_scales || group->uniform)
            break;
    }
    return group->n_rows;
}

void memo_lut4_expand_row(size_t n, const uint8_t *codes, const int8_t palette[MEMO_PALETTE_SIZE],
                          int8_t *q)
{
    for (size_t i = 0; i < n; i++)
        q[i] = palette[codes[i]];
}
