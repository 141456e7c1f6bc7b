// SPDX-License-Identifier: Apache-2.0
/* check_bf16.c -- what a level with products of bf16 has: conversion and packing bit for bit against
 * the definition of the format, the GEMM tile against double. */
#include "check.h"

#include <math.h>
#include <string.h>

#define BF16_CASES 400

float check_of_bf16(uint16_t bits)
{
    uint32_t word = (uint32_t)bits << 16;
    float x;
    memcpy(&x, &word, sizeof x);
    return x;
}

/* x to bf16: of the two neighbours the nearer one, of two as near the even one. */
static uint16_t bf16_to_bf16(float x)
{
    uint32_t word;
    memcpy(&word, &x, sizeof word);
    if (isnan(x))
        return (uint16_t)(word >> 16 | 0x40);
    uint16_t down = (uint16_t)(word >> 16);
    uint32_t rest = word & 0xFFFF;
    return (uint16_t)(down + (rest > 0x8000 || (rest == 0x8000 && down % 2)));
}

/* What became of x: all NaN are the same, and of a subnormal the zero of its sign is as good. */
static int bf16_is(uint16_t got, float x)
{
    uint16_t want = bf16_to_bf16(x);
    if (isnan(x))
        return isnan(check_of_bf16(got));
    return got == want || (fabsf(x) < 0x1p-126f && got == (signbit(x) ? 0x8000 : 0));
}

static uint16_t *bf16_new_halves(check *c, size_t n)
{
    return (uint16_t *)(void *)check_new(c, (n + 1) / 2);
}

/* One row whose array ends with it, or some that are apart. */
void check_rows_to_bf16(check *c)
{
    for (int i = 0; i < BF16_CASES && !c->failed; i++) {
        check_begin(c);
        size_t n = check_size(c, 200), pad = n + memo_rng_below(&c->rng, 70);
        size_t n_rows = i % 3 ? 1 : check_size(c, 5);
        pad += pad % 2; /* flush against the guard page */
        size_t ldx = n + memo_rng_below(&c->rng, 9), ldy = pad + 2 * memo_rng_below(&c->rng, 9);
        size_t n_x = n_rows ? (n_rows - 1) * ldx + n : 0;
        size_t n_y = n_rows ? (n_rows - 1) * ldy + pad : 0;
        float *x = check_new_values(c, n_x, (check_values)(i % CHECK_N_VALUES));
        for (size_t j = 0; j < n_x && i % 4 == 0; j++) { /* ties, and what is beside them */
            uint32_t word = (uint32_t)memo_rng_u64(&c->rng) & 0xFFFF0000;
            word |= 0x7FFF + (uint32_t)memo_rng_below(&c->rng, 3);
            memcpy(&x[j], &word, sizeof word);
        }
        uint16_t *y = bf16_new_halves(c, n_y), *before = bf16_new_halves(c, n_y);
        c->kernels->rows_to_bf16(n_rows, n, pad, x, ldx, y, ldy);
        for (size_t at = 0; at < n_y; at++) {
            size_t row = at / ldy, j = at % ldy;
            float from = j < n ? x[row * ldx + j] : 0.0f;
            if (j < n ? !bf16_is(y[at], from) : y[at] != (j < pad ? 0 : before[at]))
                check_fail(c, "%zu of %zu, row %zu: %a became %04x", j, n, row, (double)from,
                           y[at]);
        }
        check_outside(c, "rows_to_bf16");
    }
}

/* Both ways: `across`, rows of src are output channels. */
static void bf16_check_pack(check *c, int across)
{
    for (int i = 0; i < BF16_CASES / 2 && !c->failed; i++) {
        check_begin(c);
        size_t n_rows = 1 + check_size(c, 80), n_cols = 1 + check_size(c, 80);
        size_t channels = across ? n_rows : n_cols, inputs = across ? n_cols : n_rows;
        size_t lds = n_cols + memo_rng_below(&c->rng, 5);
        size_t pad = (inputs + 31) / 32 * 32, n_panels = (channels + 15) / 16;
        size_t stride = pad * MEMO_PANEL + memo_rng_below(&c->rng, 3) * 32;
        float *src = check_new_values(c, (n_rows - 1) * lds + n_cols, CHECK_NORMAL);
        float *room = check_new_panels(c, ((n_panels - 1) * stride + pad * MEMO_PANEL) / 2);
        uint16_t *dst = (uint16_t *)(void *)room;
        if (across)
            c->kernels->pack_panels_bf16(n_rows, n_cols, src, lds, dst, stride);
        else
            c->kernels->pack_inputs_bf16(n_rows, n_cols, src, lds, dst, stride);
        for (size_t channel = 0; channel < n_panels * MEMO_PANEL; channel++) {
            const uint16_t *panel = dst + channel / MEMO_PANEL * stride;
            for (size_t k = 0; k < pad; k++) {
                uint16_t got = panel[(k / 2 * MEMO_PANEL + channel % MEMO_PANEL) * 2 + k % 2];
                size_t row = across ? channel : k, col = across ? k : channel;
                uint16_t want =
                    channel < channels && k < inputs ? bf16_to_bf16(src[row * lds + col]) : 0;
                if (got != want)
                    check_fail(c, "pack %zu x %zu: channel %zu, input %zu is %04x, not %04x",
                               n_rows, n_cols, channel, k, got, want);
            }
        }
        for (size_t p = 0; p + 1 < n_panels; p++) {
            for (size_t j = pad * MEMO_PANEL / 2; j < stride / 2; j++) {
                if (!check_is_untouched(room[p * stride / 2 + j]))
                    check_fail(c, "pack %zu x %zu wrote between panels", n_rows, n_cols);
            }
        }
        check_outside(c, across ? "pack_panels_bf16" : "pack_inputs_bf16");
    }
}

void check_pack_panels_bf16(check *c)
{
    bf16_check_pack(c, 1);
}

void check_pack_inputs_bf16(check *c)
{
    bf16_check_pack(c, 0);
}

/* ---- GEMM ---- */

/* Panels [k_pad / 2][16][2] and rows of A of k values, zeros behind; stride and lda in elements. */
typedef struct bf16_product {
    size_t rows, n_panels, k, pad, lda, stride;
    uint16_t *a, *w;
} bf16_product;

static uint16_t *bf16_new_values(check *c, size_t n, size_t k, size_t pad, int awkward)
{
    uint16_t *values = bf16_new_halves(c, n);
    for (size_t i = 0; i < n; i++) {
        double x = memo_rng_normal(&c->rng);
        if (awkward) /* far apart, and products that are subnormal */
            x = ldexp(x, (int)memo_rng_below(&c->rng, 100) - 90);
        values[i] = i % pad < k ? bf16_to_bf16((float)x) : 0;
    }
    return values;
}

static bf16_product bf16_new_product(check *c, size_t rows, size_t n_panels, int awkward)
{
    bf16_product p = {.rows = rows, .n_panels = n_panels, .k = check_size(c, 150)};
    p.pad = (p.k + 31) / 32 * 32;
    p.lda = p.pad + memo_rng_below(&c->rng, 3) * 2;
    p.stride = p.pad * MEMO_PANEL + memo_rng_below(&c->rng, 3) * 32;
    size_t a_size = p.pad ? (rows - 1) * p.lda + p.pad : 0;
    size_t w_size = p.pad ? (n_panels - 1) * p.stride + p.pad * MEMO_PANEL : 0;
    p.a = bf16_new_values(c, a_size, p.k, p.lda ? p.lda : 1, awkward);
    p.w = (uint16_t *)(void *)check_new_panels(c, w_size / 2);
    for (size_t i = 0; i < w_size; i++) {
        size_t input = i % p.stride / 32 * 2 + i % 2;
        p.w[i] = input < p.k ? bf16_to_bf16((float)memo_rng_normal(&c->rng)) : 0;
    }
    return p;
}

/* Each product is exact and each of k + 2 additions at most one rounding; a subnormal that counts as
 * zero, among the inputs, is less than 2^-126 times the other factor, elsewhere less than 2^-126. */
static void bf16_compare(check *c, const bf16_product *p, size_t r, size_t j, double base,
                         float got)
{
    const uint16_t *panel = p->w + j / MEMO_PANEL * p->stride;
    double want = base, magnitude = fabs(base), flushed = 2.0;
    for (size_t i = 0; i < p->k; i++) {
        double a = (double)check_of_bf16(p->a[r * p->lda + i]);
        double w = (double)check_of_bf16(panel[(i / 2 * MEMO_PANEL + j % MEMO_PANEL) * 2 + i % 2]);
        want += a * w;
        magnitude += fabs(a * w);
        flushed += 2.0 + fabs(w) + fabs(a);
    }
    double bound = (double)(p->k + 2) * CHECK_UNIT_ROUNDOFF * magnitude + flushed * 0x1p-126;
    if (!(fabs((double)got - want) <= bound))
        check_fail(c,
                   "tile of %zu rows, %zu panels, k %zu: [%zu, %zu] is %.9g, exact %.9g, bound %g",
                   p->rows, p->n_panels, p->k, r, j, (double)got, want, bound);
}

/* With each epilogue, and row by row: what the sums alone give, then the function on floats. */
static void bf16_check_pieces(check *c, const memo_gemm_tile *sums, size_t rows, size_t n_panels,
                              float *room)
{
    const memo_kernels *kernels = c->kernels;
    size_t n = n_panels * MEMO_PANEL, row = memo_rng_below(&c->rng, rows);
    const float *from = sums->c + row * sums->ldc;
    float *want = check_new(c, n), *residual = check_new_values(c, rows * n, CHECK_NORMAL);
    memo_gemm_tile tile = *sums;
    tile.c = room;
    tile.ldc = n;
    tile.residual = residual;
    tile.ld_residual = n;
    for (int epilogue = MEMO_EPILOGUE_NONE + 1; epilogue < MEMO_EPILOGUES; epilogue++) {
        tile.epilogue = (memo_epilogue)epilogue;
        kernels->gemm[MEMO_GEMM_BF16].run(rows, n_panels, &tile);
        if (epilogue == MEMO_EPILOGUE_GELU_ERF)
            kernels->gelu_erf_f32(n, from, want);
        else if (epilogue == MEMO_EPILOGUE_GELU_TANH)
            kernels->gelu_tanh_f32(n, from, want);
        else if (epilogue == MEMO_EPILOGUE_GELU_ERF_FAST)
            kernels->gelu_erf_fast_f32(n, from, want);
        else
            kernels->add_f32(n, from, residual + row * n, want);
        check_bits(c, "epilogue", room + row * n, want, n);
    }
    tile.epilogue = MEMO_EPILOGUE_NONE;
    tile.a = (const char *)sums->a + row * sums->lda;
    tile.w = (const char *)sums->w + (n_panels - 1) * sums->panel_stride;
    tile.bias = sums->bias ? sums->bias + n - MEMO_PANEL : NULL;
    kernels->gemm[MEMO_GEMM_BF16].run(1, 1, &tile);
    check_bits(c, "a row and a panel alone", room, from + n - MEMO_PANEL, MEMO_PANEL);
}

static void bf16_check_tile(check *c, size_t rows, size_t n_panels, int awkward)
{
    size_t n = n_panels * MEMO_PANEL, ldc = n + memo_rng_below(&c->rng, 4);
    check_begin(c);
    bf16_product p = bf16_new_product(c, rows, n_panels, awkward);
    float *bias = memo_rng_below(&c->rng, 3) ? check_new_values(c, n, CHECK_NORMAL) : NULL;
    float *out = check_new(c, (rows - 1) * ldc + n), *room = check_new(c, rows * n);
    memo_gemm_tile tile = {
        .k = p.k,
        .a = p.a,
        .lda = p.lda * sizeof *p.a,
        .w = p.w,
        .panel_stride = p.stride * sizeof *p.w,
        .w_next = memo_rng_below(&c->rng, 2) ? p.w : NULL,
        .bias = bias,
        .c = out,
        .ldc = ldc,
    };
    c->kernels->gemm[MEMO_GEMM_BF16].run(rows, n_panels, &tile);
    for (size_t r = 0; r < rows && !c->failed; r++) {
        for (size_t j = 0; j < n; j++)
            bf16_compare(c, &p, r, j, bias ? (double)bias[j] : 0.0, out[r * ldc + j]);
        for (size_t j = n; r + 1 < rows && j < ldc; j++) {
            if (!check_is_untouched(out[r * ldc + j]))
                check_fail(c, "tile of %zu rows wrote beyond its columns", rows);
        }
    }
    bf16_check_pieces(c, &tile, rows, n_panels, room);
    float *before = check_new_copy(c, out, (rows - 1) * ldc + n);
    tile.accumulate = 1;
    c->kernels->gemm[MEMO_GEMM_BF16].run(rows, n_panels, &tile);
    for (size_t r = 0; r < rows && !c->failed; r++) {
        for (size_t j = 0; j < n; j++)
            bf16_compare(c, &p, r, j, (double)before[r * ldc + j], out[r * ldc + j]);
    }
    check_outside(c, "gemm_bf16_tile");
}

void check_gemm_bf16_dot(check *c)
{
    const memo_gemm_kernel *kernel = &c->kernels->gemm[MEMO_GEMM_BF16];
    for (int round = 0; round < 8; round++) {
        for (size_t panels = 1; panels <= kernel->panels; panels++) {
            for (size_t rows = 1; rows <= kernel->rows && rows <= 35 && !c->failed; rows++)
                bf16_check_tile(c, rows, panels, round % 2);
            if (!c->failed)
                bf16_check_tile(c, 1 + memo_rng_below(&c->rng, kernel->rows), panels, round % 2);
        }
    }
}
