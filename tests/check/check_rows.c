// SPDX-License-Identifier: Apache-2.0
/* check_rows.c -- kernels that reduce or rearrange rows, under bounds from the length of the sums.
 *
 * u is the unit roundoff. A sum of n terms in 16 lanes has a chain of n / 16 + 4 additions, so its
 * error is at most (n / 16 + 5) u times the sum of magnitudes, to first order in u. */
#include "check.h"

#include <math.h>
#include <string.h>

#define ROWS_CASES 300
#define ROWS_MOST  400

static double rows_chain(size_t n)
{
    return ((double)n / 16.0 + 5.0) * CHECK_UNIT_ROUNDOFF;
}

/* x = offset + spread * Gaussian, with spreads from tame to wild. */
static float *rows_spread(check *c, size_t n, double offset)
{
    double spread = pow(10.0, (double)memo_rng_below(&c->rng, 5) - 2.0);
    float *x = check_new(c, n);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(offset + spread * memo_rng_normal(&c->rng));
    return x;
}

typedef struct rows_norm {
    size_t n;
    const float *x, *gain, *bias;
    float eps;
} rows_norm;

/* The mean is off by dm; a deviation d by dm + u |d|; the variance, about a shifted mean, by dm^2
 * and its chain; what follows is one rounding per operation. */
static void rows_compare_norm(check *c, const rows_norm *l, const float *y)
{
    const double u = CHECK_UNIT_ROUNDOFF;
    double n = (double)l->n, mean = 0.0, magnitude = 0.0, var = 0.0;
    for (size_t i = 0; i < l->n; i++) {
        mean += (double)l->x[i] / n;
        magnitude += fabs((double)l->x[i]) / n;
    }
    for (size_t i = 0; i < l->n; i++)
        var += ((double)l->x[i] - mean) * ((double)l->x[i] - mean) / n;
    double dm = rows_chain(l->n) * magnitude + u * fabs(mean);
    double scaled = var + (double)l->eps, inverse = 1.0 / sqrt(scaled);
    double dvar = dm * dm + 2.0 * dm * sqrt(var) * u + var * (rows_chain(l->n) + 3.0 * u);
    double relative = dvar / scaled + 4.0 * u;
    for (size_t i = 0; i < l->n; i++) {
        double d = (double)l->x[i] - mean, g = (double)l->gain[i], b = (double)l->bias[i];
        double want = d * inverse * g + b;
        double dd = dm + u * fabs(d);
        double bound = fabs(g) * inverse * (dd * (1.0 + relative) + fabs(d) * relative) +
                       u * (fabs(d * inverse * g) + fabs(want)) + 0x1p-140;
        if (!(fabs((double)y[i] - want) <= bound)) {
            check_fail(c, "layer norm of %zu: element %zu is %.9g, exact %.9g, bound %.3g", l->n, i,
                       (double)y[i], want, bound);
            return;
        }
    }
}

void check_layer_norm_f32(check *c)
{
    for (int i = 0; i < ROWS_CASES && !c->failed; i++) {
        check_begin(c);
        size_t n = 1 + check_size(c, ROWS_MOST);
        float *x = rows_spread(c, n, i % 3 == 1 ? 100.0 : 0.0);
        for (size_t j = 0; i % 7 == 2 && j < n; j++)
            x[j] = x[0]; /* no variance: eps alone is under the root */
        if (i % 29 == 3)
            x[memo_rng_below(&c->rng, n)] = NAN;
        float *gain = check_new_values(c, n, CHECK_NORMAL);
        float *bias = check_new_values(c, n, CHECK_NORMAL);
        float *y = check_new(c, n);
        const float eps = i % 2 ? 1e-12f : 1e-5f;
        c->kernels->layer_norm_f32(n, x, gain, bias, eps, y);
        if (i % 29 == 3) {
            for (size_t j = 0; j < n; j++) {
                if (!isnan(y[j]))
                    check_fail(c, "layer norm of %zu with a NaN: element %zu is %g", n, j,
                               (double)y[j]);
            }
        } else {
            rows_compare_norm(c, &(rows_norm){n, x, gain, bias, eps}, y);
        }
        if (c->peer) {
            float *other = check_new(c, n);
            c->peer->layer_norm_f32(n, x, gain, bias, eps, other);
            check_bits(c, "against the other vector level", y, other, n);
        }
        c->kernels->layer_norm_f32(n, x, gain, bias, eps, x);
        check_bits(c, "in place", x, y, n);
        check_outside(c, "layer_norm_f32");
    }
}

/* The sum the contract describes: 16 chains of FMAs, then halves added. */
static float rows_contract_dot(size_t n, const float *a, const float *b)
{
    float lane[16] = {0};
    for (size_t i = 0; i < n; i++)
        lane[i % 16] = fmaf(a[i], b[i], lane[i % 16]);
    for (int half = 8; half; half /= 2) {
        for (int i = 0; i < half; i++)
            lane[i] += lane[i + half];
    }
    return lane[0];
}

static void rows_compare_dot(check *c, size_t n, const float *a, const float *b, float got)
{
    double want = 0.0, magnitude = 0.0;
    for (size_t i = 0; i < n; i++) {
        want += (double)a[i] * (double)b[i];
        magnitude += fabs((double)a[i] * (double)b[i]);
    }
    double bound = rows_chain(n) * magnitude + 0x1p-120;
    if (!(fabs((double)got - want) <= bound))
        check_fail(c, "dot of %zu is %.9g, exact %.9g, bound %.3g", n, (double)got, want, bound);
}

void check_dot_f32(check *c)
{
    for (int i = 0; i < 3 * ROWS_CASES && !c->failed; i++) {
        check_begin(c);
        check_values values = (check_values)(i % CHECK_N_VALUES);
        size_t n = check_size(c, ROWS_MOST);
        float *a = check_new_values(c, n, values);
        float *b = check_new_values(c, n, values);
        float got = c->kernels->dot_f32(n, a, b), want = rows_contract_dot(n, a, b);
        check_bits(c, "dot", &got, &want, 1);
        if (values != CHECK_AWKWARD)
            rows_compare_dot(c, n, a, b, got);
        check_outside(c, "dot_f32");
    }
}

void check_dot_rows_f32(check *c)
{
    for (int i = 0; i < ROWS_CASES && !c->failed; i++) {
        check_begin(c);
        check_values values = (check_values)(i % CHECK_N_VALUES);
        size_t n = check_size(c, ROWS_MOST), n_rows = check_size(c, 40);
        size_t stride = n + memo_rng_below(&c->rng, 5);
        float *q = check_new_values(c, n, values);
        float *rows = check_new_values(c, n_rows ? (n_rows - 1) * stride + n : 0, values);
        float *out = check_new(c, n_rows);
        c->kernels->dot_rows_f32(n, q, rows, stride, n_rows, out);
        for (size_t r = 0; r < n_rows; r++) {
            float want = rows_contract_dot(n, q, rows + r * stride);
            check_bits(c, "row", &out[r], &want, 1);
            if (values != CHECK_AWKWARD)
                rows_compare_dot(c, n, q, rows + r * stride, out[r]);
        }
        check_outside(c, "dot_rows_f32");
    }
}

void check_pack_panels_f32(check *c)
{
    for (int i = 0; i < ROWS_CASES && !c->failed; i++) {
        check_begin(c);
        size_t n_rows = check_size(c, 70), n_cols = check_size(c, 70);
        size_t lds = n_cols + memo_rng_below(&c->rng, 5);
        size_t gap = memo_rng_below(&c->rng, 3) * MEMO_PANEL;
        size_t panel = n_cols * MEMO_PANEL, stride = panel + gap;
        size_t n_panels = (n_rows + MEMO_PANEL - 1) / MEMO_PANEL;
        float *src = check_new_values(c, n_rows ? (n_rows - 1) * lds + n_cols : 0, CHECK_NORMAL);
        float *dst = check_new_panels(c, n_panels ? (n_panels - 1) * stride + panel : 0);
        c->kernels->pack_panels_f32(n_rows, n_cols, src, lds, dst, stride);
        for (size_t p = 0; p < n_panels; p++) {
            for (size_t j = 0; j < (p + 1 < n_panels ? stride : panel); j++) {
                size_t row = p * MEMO_PANEL + j % MEMO_PANEL, col = j / MEMO_PANEL;
                float got = dst[p * stride + j];
                if (col >= n_cols && !check_is_untouched(got))
                    check_fail(c, "pack %zu x %zu wrote between panels", n_rows, n_cols);
                float want = row < n_rows && col < n_cols ? src[row * lds + col] : 0.0f;
                if (col < n_cols)
                    check_bits(c, "packed", &got, &want, 1);
            }
        }
        check_outside(c, "pack_panels_f32");
    }
}

/* All 2^16 halves, from their definition. */
void check_f16_to_f32(check *c)
{
    check_begin(c);
    size_t n = 65536 + memo_rng_below(&c->rng, 16);
    uint16_t *h = (uint16_t *)(void *)check_new_bytes(c, n * sizeof *h);
    float *y = check_new(c, n), *want = check_new(c, n);
    for (size_t i = 0; i < n; i++) {
        unsigned exponent = i >> 10 & 31, fraction = i & 1023;
        double value = exponent == 31 ? (fraction ? NAN : INFINITY)
                       : exponent     ? ldexp(1024 + fraction, (int)exponent - 25)
                                      : ldexp(fraction, -24);
        h[i] = (uint16_t)i;
        want[i] = (float)(i >> 15 & 1 ? -value : value);
    }
    c->kernels->f16_to_f32(n, h, y);
    check_bits(c, "f16_to_f32", y, want, n);
    check_outside(c, "f16_to_f32");
}
