// SPDX-License-Identifier: Apache-2.0
#include "quant/lut4.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "quant/fit.h"
#include "quant/int8.h"
#include "quant/refine.h"

#define LUT4_START  28.0 /* levels to a standard deviation: a palette reaches 4.5 of them */
#define LUT4_TRIES  24   /* scales looked at for a row: the start times 1.2 * 0.95^k, to 0.37 */
#define LUT4_SPREAD 1.2
#define LUT4_SHRINK 0.95
#define LUT4_REFITS 4
#define LUT4_ROUNDS 8    /* of palette and scales; most of the gain is in the first */
#define LUT4_ENOUGH 2e-4 /* a round that gains less is the last */

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

/* A row at work. */
typedef struct lut4_row {
    size_t n;
    const float *x, *importance;
    const int8_t *palette;
    memo_palette_table table;
} lut4_row;

/* Nearest entries at a scale; returns the scale that is best for them, and *saved, what they save
 * with it: sum(weight * x^2) less their cost. */
static double lut4_assign(const lut4_row *row, float scale, uint8_t *codes, double *saved)
{
    double inverse = 1 / (double)scale, xq = 0, qq = 0;

    for (size_t i = 0; i < row->n; i++) {
        double x = (double)row->x[i];
        codes[i] = row->table.code[memo_palette_bin(x * inverse)];
        double weight = row->importance ? (double)row->importance[i] : 1;
        double q = row->palette[codes[i]];
        xq += weight * x * q;
        qq += weight * q * q;
    }
    *saved = qq > 0 ? xq * xq / qq : 0;
    return qq > 0 ? xq / qq : (double)scale;
}

/* Nearest entries, the best scale for them, and again. */
static void lut4_refit(const lut4_row *row, float *scale, uint8_t *codes)
{
    for (int refit = 0; refit < LUT4_REFITS; refit++) {
        double ignored, next = lut4_assign(row, *scale, codes, &ignored);
        if (!(next >= (double)FLT_MIN && next <= (double)FLT_MAX))
            break;
        *scale = (float)next;
    }
}

/* Of several scales around the start, the one whose codes cost least. */
static float lut4_try(const lut4_row *row, float start, uint8_t *codes)
{
    double most = 0, factor = LUT4_SPREAD, saved;
    float best = start;

    for (int k = 0; k < LUT4_TRIES; k++) {
        float scale = (float)((double)start * factor);
        factor *= LUT4_SHRINK;
        if (!(scale >= FLT_MIN) || !isfinite(scale))
            continue;
        lut4_assign(row, scale, codes, &saved);
        if (saved > most) {
            most = saved;
            best = scale;
        }
    }
    return best;
}

int memo_lut4_quantize_row_at(size_t n, const float *x, const int8_t palette[MEMO_PALETTE_SIZE],
                              float scale, uint8_t *codes)
{
    lut4_row row = {.n = n, .x = x, .palette = palette};
    double ignored;
    float largest;

    if (!memo_fit_can_store(n, x, &largest) || (largest > 0 && !(scale >= FLT_MIN)))
        return 0;
    memo_palette_tabulate(palette, &row.table);
    lut4_assign(&row, scale > 0 ? scale : 1, codes, &ignored);
    return 1;
}

int memo_lut4_quantize_row(size_t n, const float *x, const float *importance,
                           const int8_t palette[MEMO_PALETTE_SIZE], float *scale, uint8_t *codes)
{
    lut4_row row = {.n = n, .x = x, .importance = importance, .palette = palette};
    float largest;

    if (!memo_fit_can_store(n, x, &largest) || (largest > 0 && !(*scale >= FLT_MIN)))
        return 0;
    if (largest == 0) {
        *scale = 0;
        return memo_lut4_quantize_row_at(n, x, palette, 0, codes);
    }
    memo_palette_tabulate(palette, &row.table);
    *scale = lut4_try(&row, *scale, codes);
    lut4_refit(&row, scale, codes);
    return 1;
}

/* The best palette for the scales of the group; returns its cost. */
static double lut4_fit_palette(memo_lut4_group *group)
{
    memo_palette_sums sums;

    memo_palette_clear(&sums);
    for (size_t r = 0; r < group->n_rows; r++)
        memo_palette_add(&sums, group->n_in, group->x + r * group->n_in, group->importance,
                         group->scales[r]);
    return memo_palette_fit(&sums, group->palette);
}

/* Alternate between the palette for the scales and the scales for the palette. */
static void lut4_fit_group(memo_lut4_group *group)
{
    double cost = lut4_fit_palette(group), before = HUGE_VAL;

    if (group->keep_scales)
        return;
    lut4_row row = {.n = group->n_in, .importance = group->importance, .palette = group->palette};
    for (int round = 1; round < LUT4_ROUNDS && cost < before * (1 - LUT4_ENOUGH); round++) {
        memo_palette_tabulate(group->palette, &row.table);
        for (size_t r = 0; r < group->n_rows; r++) {
            row.x = group->x + r * group->n_in;
            if (group->scales[r] > 0)
                lut4_refit(&row, &group->scales[r], group->codes + r * group->n_in);
        }
        before = cost;
        cost = lut4_fit_palette(group);
    }
}

size_t memo_lut4_quantize_group(memo_lut4_group *group)
{
    const size_t n = group->n_in;

    for (size_t r = 0; r < group->n_rows; r++) {
        float scale;
        if (!memo_lut4_start_scale(n, group->x + r * n, group->importance, &scale))
            return r;
        if (!group->keep_scales)
            group->scales[r] = scale;
    }
    if (group->uniform)
        memo_palette_uniform(group->palette);
    else
        lut4_fit_group(group);
    for (size_t r = 0; r < group->n_rows; r++) {
        const float *x = group->x + r * n;
        uint8_t *codes = group->codes + r * n;
        if (group->keep_scales
                ? !memo_lut4_quantize_row_at(n, x, group->palette, group->scales[r], codes)
                : !memo_lut4_quantize_row(n, x, group->importance, group->palette,
                                          &group->scales[r], codes))
            return r;
    }
    return group->n_rows;
}

/* A row of fixed palette as a grid. */
typedef struct lut4_grid {
    const memo_lut4_row *row;
    memo_palette_table table;
} lut4_grid;

static uint8_t lut4_grid_nearest(const void *grid, size_t i, float y, float *value)
{
    const lut4_grid *g = grid;
    float scale = *g->row->scale;
    uint8_t code = g->table.code[memo_palette_bin((double)y / (double)scale)];

    (void)i;
    *value = scale * (float)g->row->palette[code];
    return code;
}

void memo_lut4_feedback_row(const memo_feedback *feedback, const float *x, const memo_lut4_row *row,
                            float *room)
{
    lut4_grid grid = {.row = row};
    const memo_refine_job job = {
        .feedback = feedback,
        .grid = {lut4_grid_nearest, &grid},
        .scale = row->scale,
        .keep_scale = row->keep_scale,
        .room = room,
    };

    memo_palette_tabulate(row->palette, &grid.table);
    if (*row->scale > 0)
        memo_refine_row(&job, x, row->codes);
}

void memo_lut4_expand_row(size_t n, const uint8_t *codes, const int8_t palette[MEMO_PALETTE_SIZE],
                          int8_t *q)
{
    for (size_t i = 0; i < n; i++)
        q[i] = palette[codes[i]];
}
