// SPDX-License-Identifier: Apache-2.0
/* check_gemm.c -- the GEMM tiles on float inputs, and the driver with them, against the chains of
 * FMAs that the contract fixes, bit for bit. The weights are decoded here by formulas of this file's
 * own, in double. */
#include "check.h"

#include <math.h>
#include <string.h>

#define GEMM_TILE_ROUNDS 6
#define GEMM_CASES       80

/* ---- packed weights ---- */

static size_t gemm_inputs_in_row(memo_gemm_kind kind)
{
    return kind == MEMO_GEMM_F32 ? 1 : kind == MEMO_GEMM_W8 ? 4 : 2;
}

static size_t gemm_panel_bytes(memo_gemm_kind kind, size_t k)
{
    size_t inputs = gemm_inputs_in_row(kind);
    return (k + inputs - 1) / inputs * 64;
}

/* sign * fraction * 2^exponent of a float of 16 bits with `bits` of fraction. */
static float gemm_decode(uint16_t value, int bits)
{
    int exponents = 1 << (15 - bits), exponent = value >> bits & (exponents - 1);
    int fraction = value & ((1 << bits) - 1), bias = exponents / 2 - 1;
    double magnitude = exponent == exponents - 1 ? (fraction ? NAN : INFINITY)
                       : exponent ? ldexp((1 << bits) + fraction, exponent - bias - bits)
                                  : ldexp(fraction, 1 - bias - bits);
    return (float)(value >> 15 ? -magnitude : magnitude);
}

/* Where input `input` of channel `channel` lies. */
static const char *gemm_weight_at(const memo_gemm *g, size_t input, size_t channel)
{
    const char *panel = (const char *)g->w + channel / MEMO_PANEL * g->panel_stride;
    size_t j = channel % MEMO_PANEL;
    switch (g->kind) {
    case MEMO_GEMM_F16:
        return panel + 2 * (input * MEMO_PANEL + j);
    case MEMO_GEMM_BF16:
        return panel + input / 2 * 64 + 4 * j + 2 * (input % 2);
    case MEMO_GEMM_W8:
        return panel + input / 4 * 64 + 4 * j + input % 4;
    default:
        return panel + 4 * (input * MEMO_PANEL + j);
    }
}

static float gemm_weight(const memo_gemm *g, size_t input, size_t channel)
{
    const char *at = gemm_weight_at(g, input, channel);
    uint16_t half;
    float whole;
    switch (g->kind) {
    case MEMO_GEMM_F16:
    case MEMO_GEMM_BF16:
        memcpy(&half, at, sizeof half);
        return gemm_decode(half, g->kind == MEMO_GEMM_F16 ? 10 : 7);
    case MEMO_GEMM_W8:
        return (float)*(const signed char *)at;
    default:
        memcpy(&whole, at, sizeof whole);
        return whole;
    }
}

/* 16 bits of a float whose exponent has 15 - `bits` of them. */
static uint16_t gemm_random_half(memo_rng *rng, int bits, check_values values)
{
    int exponents = 1 << (15 - bits), span = exponents / 2 - 1 < 40 ? exponents / 2 - 1 : 40;
    uint64_t fraction = memo_rng_below(rng, 1u << bits), sign = memo_rng_below(rng, 2);
    uint64_t exponent = (uint64_t)exponents / 2 - 5 + memo_rng_below(rng, 6);
    if (values == CHECK_AWKWARD && memo_rng_below(rng, 8) == 0) /* any, NaN and subnormals too */
        return (uint16_t)memo_rng_below(rng, 1u << 16);
    if (values == CHECK_WIDE)
        exponent = (uint64_t)(exponents / 2 - 1 - span) + memo_rng_below(rng, 2 * (uint64_t)span);
    return (uint16_t)(sign << 15 | exponent << bits | fraction);
}

static void gemm_random_weight(check *c, memo_gemm_kind kind, check_values values, char *at)
{
    uint16_t half = gemm_random_half(&c->rng, kind == MEMO_GEMM_F16 ? 10 : 7, values);
    if (kind == MEMO_GEMM_W8)
        *(signed char *)at = (signed char)((int)memo_rng_below(&c->rng, 255) - 127);
    else
        memcpy(at, &half, sizeof half);
}

/* Missing channels are zero, and missing inputs of the last row; what lies between panels hurts. */
static void gemm_new_weights(check *c, memo_gemm *g, check_values values)
{
    size_t n_panels = (g->n + MEMO_PANEL - 1) / MEMO_PANEL, bytes = gemm_panel_bytes(g->kind, g->k);
    size_t all = n_panels ? (n_panels - 1) * g->panel_stride + bytes : 0;
    int f32 = g->kind == MEMO_GEMM_F32;
    const float *from = f32 ? check_new_values(c, g->n * g->k, values) : NULL;
    char *w = (char *)check_new_panels(c, all / sizeof(float));
    g->w = w;
    for (size_t p = 0; p < n_panels; p++)
        memset(w + p * g->panel_stride, 0, bytes);
    for (size_t j = 0; j < g->n; j++) {
        for (size_t i = 0; i < g->k; i++) {
            char *at = w + (gemm_weight_at(g, i, j) - (const char *)w);
            if (f32)
                memcpy(at, from + j * g->k + i, sizeof *from);
            else
                gemm_random_weight(c, g->kind, values, at);
        }
    }
}

/* ---- what must come out ---- */

/* W [n, k] as floats. */
static const float *gemm_decoded(check *c, const memo_gemm *g)
{
    float *w = check_new(c, g->n * g->k);
    for (size_t i = 0; i < g->n * g->k; i++)
        w[i] = gemm_weight(g, i % g->k, i / g->k);
    return w;
}

/* The sum of element [row, col] on top of `base`. */
static float gemm_sum(const memo_gemm *g, const float *w, size_t row, size_t col, float base)
{
    const float *a = (const float *)g->a + row * (g->lda / sizeof *a);
    size_t group = g->group ? g->group : g->k;
    float acc = base;
    for (size_t at = 0, i = 0; i == 0 || at < g->k; at += group, i++) {
        float chain = g->kind == MEMO_GEMM_W8 ? 0.0f : acc;
        for (size_t x = at; x < g->k && x < at + group; x++)
            chain = fmaf(a[x], w[col * g->k + x], chain);
        acc = g->kind == MEMO_GEMM_W8 ? fmaf(chain, g->scale[i * g->n + col], acc) : chain;
    }
    return acc;
}

void check_gemm_row(check *c, const char *what, const memo_gemm *g, size_t row, float *line,
                    const float *residual)
{
    const float *got = g->c + row * g->ldc;
    if (g->epilogue == MEMO_EPILOGUE_GELU_ERF)
        c->kernels->gelu_erf_f32(g->n, line, line);
    else if (g->epilogue == MEMO_EPILOGUE_GELU_TANH)
        c->kernels->gelu_tanh_f32(g->n, line, line);
    else if (g->epilogue == MEMO_EPILOGUE_GELU_ERF_FAST)
        c->kernels->gelu_erf_fast_f32(g->n, line, line);
    for (size_t j = 0; g->epilogue == MEMO_EPILOGUE_ADD && j < g->n; j++)
        line[j] += residual[j];
    for (size_t j = 0; j < g->n; j++) {
        if (!check_same_bits(got[j], line[j])) {
            check_fail(c,
                       "%s %zu x %zu x %zu, groups of %zu, epilogue %d: [%zu, %zu] is %a, must "
                       "have the bits of %a",
                       what, g->m, g->n, g->k, g->group, (int)g->epilogue, row, j, (double)got[j],
                       (double)line[j]);
            return;
        }
    }
    for (size_t j = g->n; row + 1 < g->m && j < g->ldc; j++) {
        if (!check_is_untouched(got[j]))
            check_fail(c, "%s %zu x %zu x %zu wrote beyond its columns", what, g->m, g->n, g->k);
    }
}

/* The same product in other pieces: single rows, and columns up to an earlier edge. */
void check_gemm_pieces(check *c, const memo_gemm *g)
{
    memo_gemm piece = *g;
    size_t floats = g->m ? (g->m - 1) * g->ldc + g->n : 0;
    float *other = check_new(c, floats);
    piece.m = 1;
    for (size_t row = 0; row < g->m; row++) {
        piece.a = (const char *)g->a + row * g->lda;
        piece.a_row = g->a_row ? g->a_row + row : NULL;
        piece.c = other + row * g->ldc;
        piece.residual = g->residual ? g->residual + row * g->ld_residual : NULL;
        memo_gemm_run(c->kernels, &piece);
    }
    check_bits(c, "row by row", other, g->c, floats);

    /* Groups of scales are as wide as C: only one of them can be cut. */
    piece = *g;
    piece.n = g->group && g->group < g->k ? g->n : memo_rng_below(&c->rng, g->n + 1);
    memcpy(other, g->c, floats * sizeof *other);
    for (size_t row = 0; row < g->m; row++)
        memset(other + row * g->ldc, 0, piece.n * sizeof *other);
    piece.c = other;
    memo_gemm_run(c->kernels, &piece);
    check_bits(c, "fewer columns", other, g->c, floats);
}

void check_gemm_residual_in_place(check *c, const memo_gemm *g)
{
    if (g->epilogue != MEMO_EPILOGUE_ADD)
        return;
    memo_gemm in_place = *g;
    float *both = check_new(c, g->m ? (g->m - 1) * g->ldc + g->n : 0);
    for (size_t row = 0; row < g->m; row++)
        memcpy(both + row * g->ldc, g->residual + row * g->ld_residual, g->n * sizeof *both);
    in_place.c = both;
    in_place.residual = both;
    in_place.ld_residual = g->ldc;
    memo_gemm_run(c->kernels, &in_place);
    for (size_t row = 0; row < g->m; row++)
        check_bits(c, "residual in place", both + row * g->ldc, g->c + row * g->ldc, g->n);
}

/* Scales along k of `kind`, with the last group shorter where k says so. */
size_t check_gemm_groups(check *c, memo_gemm *g)
{
    static const size_t groups[] = {0, 32, 64, 128};
    g->group = groups[memo_rng_below(&c->rng, sizeof groups / sizeof *groups)];
    return g->group && g->k ? (g->k + g->group - 1) / g->group : 1;
}

/* An epilogue with what it needs. */
void check_gemm_epilogue(check *c, memo_gemm *g, check_values values)
{
    g->epilogue = (memo_epilogue)memo_rng_below(&c->rng, MEMO_EPILOGUES);
    g->ld_residual = g->n + memo_rng_below(&c->rng, 4);
    if (g->epilogue == MEMO_EPILOGUE_ADD)
        g->residual = check_new_values(c, g->m ? (g->m - 1) * g->ld_residual + g->n : 0, values);
}

/* ---- cases ---- */

/* The values between the rows of A are NaN. */
static memo_gemm gemm_random(check *c, memo_gemm_kind kind, size_t m, size_t n, size_t k,
                             check_values values)
{
    memo_gemm g = {.kind = kind, .m = m, .n = n, .k = k};
    size_t lda = k + memo_rng_below(&c->rng, 4), n_groups = 1;
    g.lda = lda * sizeof(float);
    g.ldc = n + memo_rng_below(&c->rng, 4);
    g.panel_stride = gemm_panel_bytes(kind, k) + memo_rng_below(&c->rng, 3) * 64;
    float *a = check_new_values(c, m ? (m - 1) * lda + k : 0, values);
    for (size_t i = 0; lda && m && i < (m - 1) * lda; i++)
        a[i] = i % lda < k ? a[i] : NAN;
    g.a = a;
    gemm_new_weights(c, &g, values);
    if (kind == MEMO_GEMM_W8)
        n_groups = check_gemm_groups(c, &g);
    g.scale = kind == MEMO_GEMM_W8 ? check_new_values(c, n_groups * n, values) : NULL;
    g.bias = memo_rng_below(&c->rng, 4) ? check_new_values(c, n, values) : NULL;
    g.c = check_new(c, m ? (m - 1) * g.ldc + n : 0);
    check_gemm_epilogue(c, &g, values);
    return g;
}

void check_gemm_run_tile(check *c, const memo_gemm *g, int accumulate)
{
    memo_gemm_tile tile = {
        .k = g->k,
        .a = g->a,
        .lda = g->lda,
        .a_row = g->a_row,
        .w = g->w,
        .panel_stride = g->panel_stride,
        .w_next = memo_rng_below(&c->rng, 2) ? g->w : NULL,
        .scale = g->scale,
        .w_sum = g->w_sum,
        .bias = g->bias,
        .accumulate = accumulate,
        .c = g->c,
        .ldc = g->ldc,
        .epilogue = g->epilogue,
        .residual = g->residual,
        .ld_residual = g->ld_residual,
    };
    c->kernels->gemm[g->kind].run(g->m, g->n / MEMO_PANEL, &tile);
}

/* One tile; also on top of what C holds. */
static void gemm_check_tile(check *c, memo_gemm_kind kind, size_t rows, size_t n_panels, size_t k,
                            check_values values)
{
    size_t n = n_panels * MEMO_PANEL;
    int accumulate = memo_rng_below(&c->rng, 3) == 0;
    check_begin(c);
    memo_gemm g = gemm_random(c, kind, rows, n, k, values);
    g.group = 0;
    const float *w = gemm_decoded(c, &g);
    float *line = check_new(c, n), *before = check_new_values(c, rows * n, values);
    for (size_t r = 0; accumulate && r < rows; r++)
        memcpy(g.c + r * g.ldc, before + r * n, n * sizeof *before);
    check_gemm_run_tile(c, &g, accumulate);
    for (size_t r = 0; r < rows && !c->failed; r++) {
        for (size_t j = 0; j < n; j++)
            line[j] = gemm_sum(&g, w, r, j,
                               accumulate ? before[r * n + j]
                               : g.bias   ? g.bias[j]
                                          : 0.0f);
        check_gemm_row(c, accumulate ? "tile on top" : "tile", &g, r, line,
                       g.residual ? g.residual + r * g.ld_residual : NULL);
    }
    check_outside(c, "tile");
}

static void gemm_check_tiles(check *c, memo_gemm_kind kind)
{
    static const size_t ks[] = {0, 1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 32, 33, 64, 101, 384};
    const memo_gemm_kernel *kernel = &c->kernels->gemm[kind];
    for (int round = 0; round < GEMM_TILE_ROUNDS; round++) {
        for (size_t rows = 1; rows <= kernel->rows; rows++) {
            for (size_t panels = 1; panels <= kernel->panels && !c->failed; panels++) {
                size_t k = ks[memo_rng_below(&c->rng, sizeof ks / sizeof *ks)];
                gemm_check_tile(c, kind, rows, panels, k, (check_values)(round % CHECK_N_VALUES));
                gemm_check_tile(c, kind, rows, panels, check_size(c, 200), CHECK_NORMAL);
            }
        }
    }
}

static void gemm_check_driver(check *c, memo_gemm_kind kind)
{
    for (int i = 0; i < GEMM_CASES && !c->failed; i++) {
        check_begin(c);
        size_t m = check_size(c, 90), n = check_size(c, 130), k = check_size(c, 200);
        memo_gemm g = gemm_random(c, kind, m, n, k, (check_values)(i % CHECK_N_VALUES));
        const float *w = gemm_decoded(c, &g);
        float *line = check_new(c, n);
        memo_gemm_run(c->kernels, &g);
        for (size_t row = 0; row < m && !c->failed; row++) {
            for (size_t col = 0; col < n; col++)
                line[col] = gemm_sum(&g, w, row, col, g.bias ? g.bias[col] : 0.0f);
            check_gemm_row(c, "gemm", &g, row, line,
                           g.residual ? g.residual + row * g.ld_residual : NULL);
        }
        check_gemm_pieces(c, &g);
        check_gemm_residual_in_place(c, &g);
        check_outside(c, "gemm");
    }
}

void check_gemm_f32_tile(check *c)
{
    gemm_check_tiles(c, MEMO_GEMM_F32);
}

void check_gemm_f32(check *c)
{
    gemm_check_driver(c, MEMO_GEMM_F32);
}

void check_gemm_f16_tile(check *c)
{
    gemm_check_tiles(c, MEMO_GEMM_F16);
}

void check_gemm_f16(check *c)
{
    gemm_check_driver(c, MEMO_GEMM_F16);
}

void check_gemm_bf16_f32_tile(check *c)
{
    gemm_check_tiles(c, MEMO_GEMM_BF16);
}

void check_gemm_bf16_f32(check *c)
{
    gemm_check_driver(c, MEMO_GEMM_BF16);
}

void check_gemm_w8_tile(check *c)
{
    gemm_check_tiles(c, MEMO_GEMM_W8);
}

void check_gemm_w8(check *c)
{
    gemm_check_driver(c, MEMO_GEMM_W8);
}
