// SPDX-License-Identifier: Apache-2.0
/* The search: E(s) is the row's squared error at scale s with the best multiplier for each block. E
 * has many small minima, so it is looked at in many places: at scales that give the widest block
 * multipliers from 7 to 20 (20 clips it at 15), with the multipliers near what each block would like
 * alone. The best place is then refitted, alternating between scale and the rest like k-means. */
#include "quant/int4.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "quant/fit.h"
#include "quant/refine.h"

#define INT4_LOW    (-8.0f)
#define INT4_HIGH   7.0f
#define INT4_STEPS  14    /* steps tried for a block alone: 0.94^k of the one that clips nothing */
#define INT4_SHRINK 0.94f /* 0.94^13 = 0.45 */
#define INT4_SCALES 32
#define INT4_WIDEST 7.0f   /* multiplier of the widest block at the first scale tried */
#define INT4_GROWTH 1.0345 /* from one scale to the next: 7 * 1.0345^31 = 20 */
#define INT4_NEAR   2      /* multipliers looked at on either side */
#define INT4_REFITS 6

/* A row at work. */
typedef struct int4_search {
    size_t n, block, n_blocks; /* n_blocks without those of the padding */
    const float *x, *importance;
} int4_search;

size_t memo_int4_n_blocks(size_t n, size_t block)
{
    return (memo_round_up(n, 64) + block - 1) / block;
}

static memo_fit int4_fit_block(const int4_search *s, size_t b, float step)
{
    size_t begin = b * s->block, left = s->n - begin;

    return memo_fit_step(left < s->block ? left : s->block, s->x + begin,
                         s->importance ? s->importance + begin : NULL, step, INT4_LOW, INT4_HIGH);
}

/* The step that clips no value of a block; 0 for a block of zeros. */
static float int4_whole_step(const int4_search *s, size_t b)
{
    size_t begin = b * s->block, end = begin + s->block < s->n ? begin + s->block : s->n;
    float least = 0, most = 0;

    for (size_t i = begin; i < end; i++) {
        least = s->x[i] < least ? s->x[i] : least;
        most = s->x[i] > most ? s->x[i] : most;
    }
    return most / INT4_HIGH > least / INT4_LOW ? most / INT4_HIGH : least / INT4_LOW;
}

/* The step that a block would take if it had a scale of its own. */
static double int4_block_step(const int4_search *s, size_t b)
{
    float step = int4_whole_step(s, b);
    double least = HUGE_VAL, best = 0;

    for (int k = 0; k < INT4_STEPS && step >= FLT_MIN; k++) {
        memo_fit fit = int4_fit_block(s, b, step);
        double cost = memo_fit_best_noise(&fit) * (double)step * (double)step;
        if (cost < least) {
            least = cost;
            best = memo_fit_best_step(&fit, (double)step);
        }
        step *= INT4_SHRINK;
    }
    return best;
}

/* A block at a scale: its best multiplier among the whole numbers near `wanted`. */
typedef struct int4_choice {
    int multiplier;
    memo_fit fit;
    double cost;
} int4_choice;

static int4_choice int4_choose(const int4_search *s, size_t b, float scale, double wanted)
{
    int4_choice best = {.multiplier = 1, .cost = HUGE_VAL};
    double held = wanted < MEMO_INT4_MAX_MULTIPLIER ? wanted : MEMO_INT4_MAX_MULTIPLIER;
    int middle = (int)lrint(held > 1 ? held : 1);

    for (int m = middle - INT4_NEAR; m <= middle + INT4_NEAR; m++) {
        if (m < 1 || m > MEMO_INT4_MAX_MULTIPLIER)
            continue;
        float step = scale * (float)m;
        memo_fit fit = int4_fit_block(s, b, step);
        double cost = fit.noise * (double)step * (double)step;
        if (cost < best.cost)
            best = (int4_choice){m, fit, cost};
    }
    return best;
}

/* Sums over the blocks of a row at one scale: x = scale * m * (q + r), see memo_fit. */
typedef struct int4_total {
    double cost, cross, power;
} int4_total;

static void int4_total_add(int4_total *total, const int4_choice *choice)
{
    double square = (double)choice->multiplier * choice->multiplier;

    total->cost += choice->cost;
    total->cross += square * choice->fit.cross;
    total->power += square * choice->fit.power;
}

/* The scale of least squared error for the same codes and multipliers, and its cost. */
static double int4_best_scale(const int4_total *total, float scale)
{
    return total->power > 0 ? (double)scale * (1 + total->cross / total->power) : (double)scale;
}

static double int4_best_cost(const int4_total *total, float scale)
{
    double gain = total->power > 0 ? total->cross * total->cross / total->power : 0;

    return total->cost - gain * (double)scale * (double)scale;
}

/* The first look at E: the best of INT4_SCALES scales, and multipliers near the best at it. */
static float int4_first_scale(const int4_search *s, uint8_t *multipliers)
{
    int4_total totals[INT4_SCALES] = {{0}};
    float scale[INT4_SCALES], widest = 0;
    int best = 0;

    for (size_t b = 0; b < s->n_blocks; b++)
        widest = fmaxf(widest, int4_whole_step(s, b));
    for (int k = 0; k < INT4_SCALES; k++) {
        double wanted = k ? (double)scale[k - 1] / INT4_GROWTH : (double)(widest / INT4_WIDEST);
        scale[k] = wanted >= (double)FLT_MIN ? (float)wanted : FLT_MIN;
    }
    for (size_t b = 0; b < s->n_blocks; b++) {
        double step = int4_block_step(s, b);
        for (int k = 0; k < INT4_SCALES; k++) {
            int4_choice choice = int4_choose(s, b, scale[k], step / (double)scale[k]);
            int4_total_add(&totals[k], &choice);
        }
    }
    for (int k = 1; k < INT4_SCALES; k++)
        if (int4_best_cost(&totals[k], scale[k]) < int4_best_cost(&totals[best], scale[best]))
            best = k;
    for (size_t b = 0; b < s->n_blocks; b++) {
        double wanted = int4_block_step(s, b) / (double)scale[best];
        multipliers[b] = (uint8_t)int4_choose(s, b, scale[best], wanted).multiplier;
    }
    return scale[best];
}

/* Multipliers for the scale, the scale for what they give, and again while it gets better. */
static float int4_refit(const int4_search *s, uint8_t *multipliers, float scale)
{
    double least = HUGE_VAL;

    for (int refit = 0; refit < INT4_REFITS; refit++) {
        int4_total total = {0};
        for (size_t b = 0; b < s->n_blocks; b++) {
            int4_choice choice = int4_choose(s, b, scale, multipliers[b]);
            multipliers[b] = (uint8_t)choice.multiplier;
            int4_total_add(&total, &choice);
        }
        double next = int4_best_scale(&total, scale);
        if (!(total.cost < least) || !(next >= (double)FLT_MIN))
            break;
        least = total.cost;
        scale = (float)next;
    }
    return scale;
}

static int int4_nearest(float x, double step)
{
    double nibble = rint((double)x / step);

    nibble = nibble < (double)INT4_LOW ? (double)INT4_LOW : nibble;
    return (int)(nibble > (double)INT4_HIGH ? (double)INT4_HIGH : nibble);
}

/* Codes at the scale, then the scale of least error for them. */
static float int4_assign(const int4_search *s, const uint8_t *multipliers, float scale,
                         uint8_t *codes)
{
    double xq = 0, qq = 0;

    for (size_t i = 0; i < s->n; i++) {
        int multiplier = multipliers[i / s->block];
        int nibble = int4_nearest(s->x[i], (double)scale * multiplier);
        double weight = s->importance ? (double)s->importance[i] : 1, q = nibble * multiplier;
        codes[i] = (uint8_t)(nibble & 15);
        xq += weight * (double)s->x[i] * q;
        qq += weight * q * q;
    }
    float best = qq > 0 ? (float)(xq / qq) : scale;
    return best >= FLT_MIN ? best : scale;
}

int memo_int4_quantize_row(size_t n, size_t block, const float *x, const float *importance,
                           memo_int4_row *row)
{
    int4_search s = {n, block, (n + block - 1) / block, x, importance};
    float largest;

    if (!memo_fit_can_store(n, x, &largest))
        return 0;
    memset(row->multipliers, 1, memo_int4_n_blocks(n, block));
    memset(row->codes, 0, n);
    row->scale = 0;
    if (largest == 0)
        return 1;
    float scale = int4_first_scale(&s, row->multipliers);
    scale = int4_refit(&s, row->multipliers, scale);
    row->scale = int4_assign(&s, row->multipliers, scale, row->codes);
    return 1;
}

/* A row of fixed multipliers and scale as a grid. */
typedef struct int4_grid {
    const memo_int4_row *row;
    size_t block;
} int4_grid;

static uint8_t int4_grid_nearest(const void *grid, size_t i, float y, float *value)
{
    const int4_grid *g = grid;
    size_t b = i / g->block;
    float step = g->row->scale * (float)g->row->multipliers[b];
    int nibble = int4_nearest(y, (double)step);

    *value = step * (float)nibble;
    return (uint8_t)(nibble & 15);
}

void memo_int4_feedback_row(const memo_feedback *feedback, size_t block, const float *x,
                            memo_int4_row *row, float *room)
{
    const int4_grid grid = {row, block};
    const memo_refine_job job = {
        .feedback = feedback,
        .grid = {int4_grid_nearest, &grid},
        .scale = &row->scale,
        .room = room,
    };

    if (row->scale > 0)
        memo_refine_row(&job, x, row->codes);
}

void memo_int4_expand_row(size_t n, size_t block, const uint8_t *codes, const uint8_t *multipliers,
                          int8_t *q)
{
    for (size_t i = 0; i < n; i++) /* two's complement of four bits */
        q[i] = (int8_t)(((codes[i] ^ 8) - 8) * multipliers[i / block]);
}
