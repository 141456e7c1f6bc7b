// SPDX-License-Identifier: Apache-2.0
#include "quant/palette.h"

#include <math.h>
#include <string.h>

#include "quant/int8.h"

#define PALETTE_LEVELS (2 * MEMO_INT8_LARGEST + 1) /* candidates: level l is the byte l - 127 */

/* Sums over the bins before bin j. */
typedef struct palette_prefix {
    double w[MEMO_PALETTE_BINS + 1];
    double wy[MEMO_PALETTE_BINS + 1];
    double wyy[MEMO_PALETTE_BINS + 1];
} palette_prefix;

/* Dynamic programming: cost[l] is the least cost of all values below level l when l is the last of
 * k + 1 entries, and before[k][l] the entry before it then. */
typedef struct palette_search {
    palette_prefix prefix;
    double cost[PALETTE_LEVELS], next[PALETTE_LEVELS];
    uint8_t before[MEMO_PALETTE_SIZE][PALETTE_LEVELS];
} palette_search;

size_t memo_palette_bin(double y)
{
    double at = (y + MEMO_INT8_LARGEST) * 2;

    if (!(at > 0))
        return 0;
    return at < MEMO_PALETTE_BINS ? (size_t)at : MEMO_PALETTE_BINS - 1;
}

void memo_palette_clear(memo_palette_sums *sums)
{
    memset(sums, 0, sizeof *sums);
}

void memo_palette_add(memo_palette_sums *sums, size_t n, const float *x, const float *importance,
                      float scale)
{
    if (scale == 0)
        return;
    double inverse = 1 / (double)scale, square = (double)scale * (double)scale;
    for (size_t i = 0; i < n; i++) {
        double y = (double)x[i] * inverse;
        double weight = importance ? square * (double)importance[i] : square;
        size_t bin = memo_palette_bin(y);
        sums->w[bin] += weight;
        sums->wy[bin] += weight * y;
        sums->wyy[bin] += weight * y * y;
    }
}

static void palette_accumulate(const memo_palette_sums *sums, palette_prefix *prefix)
{
    prefix->w[0] = prefix->wy[0] = prefix->wyy[0] = 0;
    for (size_t j = 0; j < MEMO_PALETTE_BINS; j++) {
        prefix->w[j + 1] = prefix->w[j] + sums->w[j];
        prefix->wy[j + 1] = prefix->wy[j] + sums->wy[j];
        prefix->wyy[j + 1] = prefix->wyy[j] + sums->wyy[j];
    }
}

/* Cost of the values in bins begin..end - 1 at a level. */
static double palette_cost(const palette_prefix *p, size_t begin, size_t end, size_t level)
{
    double v = (double)level - MEMO_INT8_LARGEST;

    return (p->wyy[end] - p->wyy[begin]) - 2 * v * (p->wy[end] - p->wy[begin]) +
           v * v * (p->w[end] - p->w[begin]);
}

/* Cost of the values between neighbours a < b: level l begins at bin 2 l, so the half way is at bin
 * a + b. */
static double palette_between(const palette_prefix *p, size_t a, size_t b)
{
    return palette_cost(p, 2 * a, a + b, a) + palette_cost(p, a + b, 2 * b, b);
}

/* next[l] for l in low..high, whose entry before lies in from..to. The cost between neighbours obeys
 * the quadrangle inequality, so that entry never moves down as l goes up, and halving the range
 * finds all of them in n log n steps. */
static void palette_extend(palette_search *s, size_t k, size_t low, size_t high, size_t from,
                           size_t to)
{
    size_t middle = (low + high) / 2, best = from;
    double least = INFINITY;

    for (size_t a = from; a <= to && a < middle; a++) {
        double cost = s->cost[a] + palette_between(&s->prefix, a, middle);
        if (cost < least) {
            least = cost;
            best = a;
        }
    }
    s->next[middle] = least;
    s->before[k][middle] = (uint8_t)best;
    if (low < middle)
        palette_extend(s, k, low, middle - 1, from, best);
    if (middle < high)
        palette_extend(s, k, middle + 1, high, best, to);
}

double memo_palette_fit(const memo_palette_sums *sums, int8_t palette[MEMO_PALETTE_SIZE])
{
    palette_search s;
    size_t last = MEMO_PALETTE_SIZE - 1;
    double least = INFINITY;

    palette_accumulate(sums, &s.prefix);
    for (size_t l = 0; l < PALETTE_LEVELS; l++)
        s.cost[l] = palette_cost(&s.prefix, 0, 2 * l, l);
    for (size_t k = 1; k < MEMO_PALETTE_SIZE; k++) { /* k entries lie below level k at least */
        palette_extend(&s, k, k, PALETTE_LEVELS - 1, k - 1, PALETTE_LEVELS - 2);
        memcpy(s.cost + k, s.next + k, (PALETTE_LEVELS - k) * sizeof *s.cost);
    }
    for (size_t l = MEMO_PALETTE_SIZE - 1; l < PALETTE_LEVELS; l++) {
        double cost = s.cost[l] + palette_cost(&s.prefix, 2 * l, MEMO_PALETTE_BINS, l);
        if (cost < least) {
            least = cost;
            last = l;
        }
    }
    for (size_t k = MEMO_PALETTE_SIZE - 1; k > 0; last = s.before[k--][last])
        palette[k] = (int8_t)((int)last - MEMO_INT8_LARGEST);
    palette[0] = (int8_t)((int)last - MEMO_INT8_LARGEST);
    return least;
}

void memo_palette_tabulate(const int8_t palette[MEMO_PALETTE_SIZE], memo_palette_table *table)
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

void memo_palette_uniform(int8_t palette[MEMO_PALETTE_SIZE])
{
    for (int i = 0; i < MEMO_PALETTE_SIZE; i++)
        palette[i] = (int8_t)rint((2 * i - 15) * 127.0 / 15);
}
