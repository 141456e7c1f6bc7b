// SPDX-License-Identifier: Apache-2.0
/* check_gemm.c -- the GEMM tile against the chain of FMAs that its contract fixes, and the driver
 * against double, row by row and with every epilogue. */
#include "check.h"

#include <math.h>
#include <string.h>

#define GEMM_TILE_ROUNDS 6
#define GEMM_CASES       250

/* c = fma(a_k, w_k, c) for k = 0, 1, ... from the bias. */
static float gemm_chain(size_t k, const float *a, const float *w, float bias)
{
    float acc = bias;
    for (size_t i = 0; i < k; i++)
        acc = fmaf(a[i], w[i * MEMO_PANEL], acc);
    return acc;
}

static void gemm_check_tile(check *c, size_t rows, size_t n_panels, size_t k, check_values values)
{
    size_t cols = n_panels * MEMO_PANEL;
    size_t lda = k + memo_rng_below(&c->rng, 4), ldc = cols + memo_rng_below(&c->rng, 4);
    size_t stride = (k + memo_rng_below(&c->rng, 3)) * MEMO_PANEL;
    check_begin(c);
    float *a = check_new_values(c, (rows - 1) * lda + k, values);
    float *w = check_new_panels(c, (n_panels - 1) * stride + k * MEMO_PANEL);
    float *w_values = check_new_values(c, (n_panels - 1) * stride + k * MEMO_PANEL, values);
    memcpy(w, w_values, ((n_panels - 1) * stride + k * MEMO_PANEL) * sizeof *w);
    float *bias = memo_rng_below(&c->rng, 4) ? check_new_values(c, cols, values) : NULL;
    float *out = check_new(c, (rows - 1) * ldc + cols);
    memo_gemm_tile tile = {.k = k,
                           .a = a,
                           .lda = lda * sizeof *a,
                           .w = w,
                           .panel_stride = stride * sizeof *w,
                           .w_next = memo_rng_below(&c->rng, 2) ? w : NULL,
                           .bias = bias,
                           .c = out,
                           .ldc = ldc};
    c->kernels->gemm[MEMO_GEMM_F32].run(rows, n_panels, &tile);
    for (size_t r = 0; r < rows && !c->failed; r++) {
        for (size_t j = 0; j < (r + 1 < rows ? ldc : cols); j++) {
            float got = out[r * ldc + j];
            if (j >= cols) {
                if (!check_is_untouched(got))
                    check_fail(c, "tile %zu x %zu, k %zu wrote beyond its columns", rows, cols, k);
                continue;
            }
            const float *channel = w + j / MEMO_PANEL * stride + j % MEMO_PANEL;
            float want = gemm_chain(k, a + r * lda, channel, bias ? bias[j] : 0.0f);
            if (!check_same_bits(got, want))
                check_fail(c, "tile %zu x %zu, k %zu: [%zu, %zu] is %a, must have the bits of %a",
                           rows, cols, k, r, j, (double)got, (double)want);
        }
    }
    check_outside(c, "gemm_f32_tile");
}

void check_gemm_f32_tile(check *c)
{
    static const size_t ks[] = {0, 1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 32, 33, 64, 101, 384};
    for (int round = 0; round < GEMM_TILE_ROUNDS; round++) {
        for (size_t rows = 1; rows <= c->kernels->gemm[MEMO_GEMM_F32].rows; rows++) {
            for (size_t panels = 1; panels <= c->kernels->gemm[MEMO_GEMM_F32].panels && !c->failed;
                 panels++) {
                size_t k = ks[memo_rng_below(&c->rng, sizeof ks / sizeof *ks)];
                gemm_check_tile(c, rows, panels, k, (check_values)(round % CHECK_N_VALUES));
                gemm_check_tile(c, rows, panels, check_size(c, 200), CHECK_NORMAL);
            }
        }
    }
}

static memo_gemm gemm_random(check *c, check_values values)
{
    memo_gemm g = {
        .m = check_size(c, 90),
        .n = check_size(c, 130),
        .k = check_size(c, 160),
        .epilogue = (memo_epilogue)memo_rng_below(&c->rng, 4),
    };
    size_t lda = g.k + memo_rng_below(&c->rng, 4);
    g.ldc = g.n + memo_rng_below(&c->rng, 4);
    g.ld_residual = g.n + memo_rng_below(&c->rng, 4);
    size_t stride = (g.k + memo_rng_below(&c->rng, 3)) * MEMO_PANEL;
    g.lda = lda * sizeof(float);
    g.panel_stride = stride * sizeof(float);
    size_t n_panels = (g.n + MEMO_PANEL - 1) / MEMO_PANEL;
    size_t w_floats = n_panels ? (n_panels - 1) * stride + g.k * MEMO_PANEL : 0;
    g.a = check_new_values(c, g.m ? (g.m - 1) * lda + g.k : 0, values);
    float *from = check_new_values(c, w_floats, values);
    float *w = check_new_panels(c, w_floats);
    for (size_t i = 0; i < w_floats; i++) /* missing channels are zero */
        w[i] = i / stride * MEMO_PANEL + i % MEMO_PANEL < g.n ? from[i] : 0.0f;
    g.w = w;
    g.bias = memo_rng_below(&c->rng, 4) ? check_new_values(c, g.n, values) : NULL;
    g.c = check_new(c, g.m ? (g.m - 1) * g.ldc + g.n : 0);
    if (g.epilogue == MEMO_EPILOGUE_ADD)
        g.residual = check_new_values(c, g.m ? (g.m - 1) * g.ld_residual + g.n : 0, values);
    return g;
}

/* |error| of acc <= (k + 1) u (|bias| + sum |a w|); both GELUs have slopes within -0.13 .. 1.13 and
 * 2.5 ULP (5 u) of |x| of their own; adding the residual is one rounding. */
static void gemm_compare(check *c, const memo_gemm *g, size_t row, size_t col)
{
    const double u = CHECK_UNIT_ROUNDOFF;
    const float *a = (const float *)g->a + row * (g->lda / sizeof *a);
    const float *w =
        (const float *)g->w + col / MEMO_PANEL * (g->panel_stride / sizeof *w) + col % MEMO_PANEL;
    double want = g->bias ? (double)g->bias[col] : 0.0, magnitude = fabs(want);
    for (size_t i = 0; i < g->k; i++) {
        double product = (double)a[i] * (double)w[i * MEMO_PANEL];
        want += product;
        magnitude += fabs(product);
    }
    double bound = (double)(g->k + 1) * u * magnitude + 0x1p-120;
    if (g->epilogue == MEMO_EPILOGUE_ADD) {
        want += (double)g->residual[row * g->ld_residual + col];
        bound += u * (fabs(want) + bound);
    } else if (g->epilogue != MEMO_EPILOGUE_NONE) {
        bound = 1.13 * bound + 5.0 * u * (fabs(want) + bound);
        want = g->epilogue == MEMO_EPILOGUE_GELU_ERF
                   ? 0.5 * want * erfc(-want * 0.70710678118654752440)
                   : want / (1.0 +
                             exp(-1.59576912160573071176 * (want + 0.044715 * want * want * want)));
    }
    double got = (double)g->c[row * g->ldc + col];
    if (!(fabs(got - want) <= bound))
        check_fail(c, "gemm %zu x %zu x %zu, epilogue %d: [%zu, %zu] is %.9g, exact %.9g, bound %g",
                   g->m, g->n, g->k, (int)g->epilogue, row, col, got, want, bound);
}

/* The same product in other pieces: single rows, and columns up to an earlier edge. */
static void gemm_check_pieces(check *c, const memo_gemm *g)
{
    memo_gemm piece = *g;
    size_t floats = g->m ? (g->m - 1) * g->ldc + g->n : 0;
    float *other = check_new(c, floats);
    piece.m = 1;
    for (size_t row = 0; row < g->m; row++) {
        piece.a = (const char *)g->a + row * g->lda;
        piece.c = other + row * g->ldc;
        piece.residual = g->residual ? g->residual + row * g->ld_residual : NULL;
        memo_gemm_run(c->kernels, &piece);
    }
    check_bits(c, "row by row", other, g->c, floats);

    piece = *g;
    piece.n = memo_rng_below(&c->rng, g->n + 1);
    for (size_t i = 0; i < floats; i++)
        other[i] = g->c[i];
    for (size_t row = 0; row < g->m; row++)
        memset(other + row * g->ldc, 0, piece.n * sizeof *other);
    piece.c = other;
    memo_gemm_run(c->kernels, &piece);
    check_bits(c, "fewer columns", other, g->c, floats);
}

static void gemm_check_residual_in_place(check *c, const memo_gemm *g)
{
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

void check_gemm_f32(check *c)
{
    for (int i = 0; i < GEMM_CASES && !c->failed; i++) {
        check_begin(c);
        check_values values = (check_values)(i % CHECK_N_VALUES);
        memo_gemm g = gemm_random(c, values);
        memo_gemm_run(c->kernels, &g);
        for (size_t row = 0; row < g.m && !c->failed; row++) {
            for (size_t col = 0; values != CHECK_AWKWARD && col < g.n; col++)
                gemm_compare(c, &g, row, col);
            for (size_t col = g.n; row + 1 < g.m && col < g.ldc; col++) {
                if (!check_is_untouched(g.c[row * g.ldc + col]))
                    check_fail(c, "gemm %zu x %zu x %zu wrote beyond its columns", g.m, g.n, g.k);
            }
        }
        gemm_check_pieces(c, &g);
        if (g.epilogue == MEMO_EPILOGUE_ADD)
            gemm_check_residual_in_place(c, &g);
        check_outside(c, "gemm_f32");
    }
}
