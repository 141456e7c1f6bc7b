// SPDX-License-Identifier: Apache-2.0
/* check_attention.c -- the weights of attention against exp in double, in both forms. */
#include "check.h"

#include <math.h>
#include <string.h>

#define ATTENTION_CASES 400
#define ATTENTION_ROWS  32
#define ATTENTION_KEYS  200

/* A tile, and the state of its rows before the call. */
typedef struct attention_tile {
    memo_softmax_tile tile;
    const float *scores; /* a copy of x before */
    float largest_before[ATTENTION_ROWS], sum_before[ATTENTION_ROWS];
    int bf16;
} attention_tile;

static int attention_sees(const memo_softmax_tile *t, size_t r, size_t j)
{
    ptrdiff_t key = (ptrdiff_t)j - (ptrdiff_t)r;
    return j < t->n_keys && key >= t->from && key < t->to;
}

static double attention_weight(const attention_tile *a, size_t r, size_t j)
{
    const float *x = a->tile.x + r * a->tile.ld;
    uint16_t bits;
    if (!a->bf16)
        return (double)x[j];
    memcpy(&bits, (const uint16_t *)(const void *)x + j, sizeof bits);
    return (double)check_of_bf16(bits);
}

/* What exp may be off, relative, where its argument scale (x - largest) is t: the scaled scores are
 * rounded, t itself too, and exp has an error of its own. */
static double attention_exp_bound(const attention_tile *a, double shift, double t)
{
    double own = a->bf16 ? 0x1p-18 : 2.0 * CHECK_UNIT_ROUNDOFF;
    return (3.0 * fabs(shift) + 2.0 * fmin(fabs(t), 200.0)) * CHECK_UNIT_ROUNDOFF + own;
}

/* The rescaled sum and the weights of row r. */
static void attention_check_row(check *c, const attention_tile *a, size_t r)
{
    const memo_softmax_tile *t = &a->tile;
    const float *x = a->scores + r * t->ld;
    size_t pad = (t->n_keys + 31) / 32 * 32;
    double before = t->first ? -INFINITY : (double)a->largest_before[r], largest = before;
    double sum = 0.0, bound = 0.0, rescale = 1.0, slack = 0.0;
    int n_seen = 0;
    for (size_t j = 0; j < pad; j++) {
        if (attention_sees(t, r, j)) {
            largest = fmax(largest, (double)x[j]);
            n_seen++;
        }
    }
    double shift = (double)t->scale * largest;
    for (size_t j = 0; j < pad && !c->failed; j++) {
        double got = attention_weight(a, r, j);
        if (!attention_sees(t, r, j)) {
            if (got != 0.0)
                check_fail(c, "row %zu of %zu, key %zu of %zu is not seen, but has weight %g", r,
                           t->n_rows, j, t->n_keys, got);
            continue;
        }
        double at = (double)t->scale * ((double)x[j] - largest), want = exp(at);
        double relative = attention_exp_bound(a, shift, at), rounded = a->bf16 ? 0x1p-8 : 0.0;
        sum += want;
        bound += want * relative;
        if (!(fabs(got - want) <= want * (relative + rounded) + 0x1p-126))
            check_fail(c, "row %zu, key %zu: weight %.9g, exact %.9g", r, j, got, want);
    }
    bound += sum * ((double)t->n_keys / 16.0 + 6.0) * CHECK_UNIT_ROUNDOFF;
    if (!t->first && n_seen && before < largest) {
        double change = (double)t->scale * (before - largest);
        rescale = exp(change);
        slack = isinf(before) ? 0.0 : attention_exp_bound(a, fabs(shift) + fabs(change), change);
    }
    if (!t->first) {
        sum += rescale * (double)a->sum_before[r];
        bound += (slack + 2.0 * CHECK_UNIT_ROUNDOFF) * sum;
    }
    if (n_seen && (double)t->largest[r] != largest)
        check_fail(c, "row %zu: largest %g, not %g", r, (double)t->largest[r], largest);
    if (!(fabs((double)t->sum[r] - sum) <= bound + 0x1p-120))
        check_fail(c, "row %zu: sum %.9g, exact %.9g, bound %g", r, (double)t->sum[r], sum, bound);
    if (rescale == 1.0 ? t->rescale[r] != 1.0f
                       : !(fabs((double)t->rescale[r] - rescale) <= rescale * slack + 0x1p-126))
        check_fail(c, "row %zu: rescaled by %.9g, not %.9g", r, (double)t->rescale[r], rescale);
}

static attention_tile attention_random(check *c, int bf16)
{
    attention_tile a = {.bf16 = bf16};
    memo_softmax_tile *t = &a.tile;
    t->n_rows = 1 + memo_rng_below(&c->rng, ATTENTION_ROWS);
    t->n_keys = 1 + memo_rng_below(&c->rng, ATTENTION_KEYS);
    t->ld = (t->n_keys + 31) / 32 * 32 + memo_rng_below(&c->rng, 3) * 16;
    t->scale = memo_rng_below(&c->rng, 2) ? 0.17677669f : 3.0f;
    t->first = (int)memo_rng_below(&c->rng, 2);
    t->from = -(ptrdiff_t)t->n_keys;
    t->to = (ptrdiff_t)t->n_keys;
    if (memo_rng_below(&c->rng, 2)) { /* a band, perhaps off the block for some rows or all */
        t->from = (ptrdiff_t)memo_rng_below(&c->rng, 2 * t->n_keys) - (ptrdiff_t)t->n_keys;
        t->to = t->from + (ptrdiff_t)memo_rng_below(&c->rng, t->n_keys + 40);
    }
    t->x = check_new(c, t->n_rows * t->ld);
    t->largest = check_new(c, t->n_rows);
    t->sum = check_new(c, t->n_rows);
    t->rescale = check_new(c, t->n_rows);
    double spread = pow(10.0, (double)memo_rng_below(&c->rng, 4) - 2.0);
    double offset = (double)memo_rng_below(&c->rng, 60) - 30.0;
    for (size_t r = 0; r < t->n_rows; r++) {
        for (size_t j = 0; j < t->n_keys; j++)
            t->x[r * t->ld + j] = (float)(offset + spread * memo_rng_normal(&c->rng));
        a.largest_before[r] = (float)(offset + spread * memo_rng_normal(&c->rng));
        a.sum_before[r] = (float)(1.0 + 5.0 * memo_rng_unit(&c->rng));
        if (!t->first && memo_rng_below(&c->rng, 8) == 0) /* none seen so far */
            a.largest_before[r] = -INFINITY, a.sum_before[r] = 0.0f;
        t->largest[r] = a.largest_before[r];
        t->sum[r] = a.sum_before[r];
    }
    a.scores = check_new_copy(c, t->x, t->n_rows * t->ld);
    return a;
}

/* The same tile on another vector level: the same bits. */
static void attention_check_peer(check *c, const attention_tile *a)
{
    memo_softmax_tile t = a->tile;
    t.x = check_new_copy(c, a->scores, t.n_rows * t.ld);
    t.largest = check_new_copy(c, a->largest_before, t.n_rows);
    t.sum = check_new_copy(c, a->sum_before, t.n_rows);
    t.rescale = check_new(c, t.n_rows);
    c->peer->softmax_tile_f32(&t);
    check_bits(c, "weights on the other vector level", a->tile.x, t.x, t.n_rows * t.ld);
    check_bits(c, "sums", a->tile.sum, t.sum, t.n_rows);
    check_bits(c, "factors", a->tile.rescale, t.rescale, t.n_rows);
}

static void attention_check_softmax(check *c, int bf16)
{
    void (*run)(const memo_softmax_tile *) =
        bf16 ? c->kernels->softmax_tile_bf16 : c->kernels->softmax_tile_f32;
    for (int i = 0; i < ATTENTION_CASES && !c->failed; i++) {
        check_begin(c);
        attention_tile a = attention_random(c, bf16);
        memo_softmax_tile *t = &a.tile;
        size_t pad = (t->n_keys + 31) / 32 * 32, odd = memo_rng_below(&c->rng, t->n_rows);
        int with_nan = i % 8 == 0 && attention_sees(t, odd, t->n_keys / 2);
        if (with_nan)
            t->x[odd * t->ld + t->n_keys / 2] = NAN;
        run(t);
        for (size_t r = 0; r < t->n_rows; r++) {
            if (!with_nan || r != odd)
                attention_check_row(c, &a, r);
            else if (!isnan(t->sum[r]))
                check_fail(c, "a NaN was lost: the sum is %g", (double)t->sum[r]);
            for (size_t j = pad; j < t->ld; j++) {
                if (!check_is_untouched(t->x[r * t->ld + j]))
                    check_fail(c, "softmax of %zu keys wrote beyond its columns", t->n_keys);
            }
        }
        if (c->peer && !bf16 && !with_nan)
            attention_check_peer(c, &a);
        check_outside(c, "softmax_tile");
    }
}

void check_softmax_tile_f32(check *c)
{
    attention_check_softmax(c, 0);
}

void check_softmax_tile_bf16(check *c)
{
    attention_check_softmax(c, 1);
}
