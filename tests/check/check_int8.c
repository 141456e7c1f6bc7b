// SPDX-License-Identifier: Apache-2.0
/* check_int8.c -- the int8 kernels against exact arithmetic: quantized rows against double, sums
 * against int64, and whatever comes before a GELU bit for bit against the formula of the contract
 * and against the reference level. */
#include "check.h"

#include <math.h>
#include <string.h>

#define INT8_ROW_CASES    400
#define INT8_ROW_MOST     700
#define INT8_TILE_ROUNDS  6
#define INT8_DRIVER_CASES 200

/* What a table's tile takes for a zero: 0, or 128 where its dot product is of unsigned bytes. */
static uint8_t int8_zero(check *c)
{
    uint8_t q[MEMO_INT8_INPUTS];
    float none = 0.0f;
    memo_int8_row row;
    c->kernels->quantize_row_int8(1, sizeof q, &none, q, &row);
    if (q[0] != 0 && q[0] != 128)
        check_fail(c, "the zero of the bytes is %u", q[0]);
    return q[0];
}

/* ---- rows ---- */

/* The nearest integer, ties to even, without the rounding mode. */
static double int8_nearest_even(double x)
{
    double below = floor(x), rest = x - below;
    if (rest != 0.5)
        return rest < 0.5 ? below : below + 1.0;
    return fmod(below, 2.0) == 0.0 ? below : below + 1.0;
}

/* A row that is special in the way `kind` says. */
static void int8_special_row(check *c, int kind, float *x, size_t n)
{
    static const float most[] = {0x1p-149f, 0x1p-126f, 3.7e-37f, 3.8e-37f, 1e30f, 3.4028235e38f};
    size_t at = memo_rng_below(&c->rng, n);
    for (size_t i = 0; i < n; i++) {
        if (kind == 0) /* both ends among them: the factor is 1, half of the values are ties */
            x[i] = 0.5f * (float)((int)memo_rng_below(&c->rng, 509) - 254);
        else if (kind == 1)
            x[i] = i % 2 ? 0.0f : -0.0f;
        else if (kind == 2) /* one side of zero only */
            x[i] = -fabsf(x[i]);
        else /* up to a largest value of the list, at the ends of the range of floats */
            x[i] *= most[kind - 3] / 8.0f;
    }
    if (kind == 0) {
        x[at] = 127.0f;
        x[(at + 1) % n] = n > 1 ? -127.0f : 127.0f;
    } else if (kind > 2) {
        x[at] = memo_rng_below(&c->rng, 2) ? most[kind - 3] : -most[kind - 3];
    }
}

static void int8_compare_row(check *c, size_t n, size_t n_pad, const float *x, const uint8_t *q,
                             memo_int8_row row)
{
    uint8_t zero = int8_zero(c);
    double high = 0.0, low = 0.0;
    int finite = 1;
    for (size_t i = 0; i < n; i++) {
        high = (double)x[i] > high ? (double)x[i] : high; /* fmax() may answer -0 */
        low = -(double)x[i] > low ? -(double)x[i] : low;
        finite &= isfinite(x[i]) != 0;
    }
    /* One operation on floats, taken in double and rounded once more, is that of floats. */
    double half_high = (double)(float)(high / 2), half_low = (double)(float)(low / 2);
    double half = (double)(float)(half_high + half_low);
    float factor = half > 0.0 ? (float)(127.0 / half) : INFINITY;
    memo_int8_row want = {isinf(factor) ? 0.0f : (float)(half / 127.0),
                          (float)(half_high - half_low)};
    if (!finite)
        want = (memo_int8_row){NAN, 0.0f};
    check_bits(c, "scale", &row.scale, &want.scale, 1);
    check_bits(c, "offset", &row.offset, &want.offset, 1);
    for (size_t i = 0; i < n_pad && !c->failed; i++) {
        double byte = 0.0;
        if (i < n && finite && !isinf(factor)) {
            double shifted = (double)(float)((double)x[i] - (double)want.offset);
            byte = int8_nearest_even((double)(float)(shifted * (double)factor));
        }
        int got = (int8_t)(q[i] ^ zero);
        if (got != (int)byte || got < -127)
            check_fail(c, "row of %zu (%zu): byte %zu is %d, must be %d for %a, scale %a", n, n_pad,
                       i, got, (int)byte, i < n ? (double)x[i] : 0.0, (double)row.scale);
    }
}

void check_quantize_row_int8(check *c)
{
    for (int i = 0; i < INT8_ROW_CASES && !c->failed; i++) {
        check_begin(c);
        size_t n = check_size(c, INT8_ROW_MOST);
        size_t n_pad = (n + MEMO_INT8_INPUTS - 1) / MEMO_INT8_INPUTS * MEMO_INT8_INPUTS;
        n_pad += memo_rng_below(&c->rng, 3) * MEMO_INT8_INPUTS;
        float *x = check_new_values(c, n, (check_values)(i % CHECK_N_VALUES));
        if (n && i % CHECK_N_VALUES == CHECK_NORMAL && memo_rng_below(&c->rng, 2))
            int8_special_row(c, (int)memo_rng_below(&c->rng, 9), x, n);
        if (n && i % CHECK_N_VALUES == CHECK_WIDE && memo_rng_below(&c->rng, 4) == 0)
            x[memo_rng_below(&c->rng, n)] = memo_rng_below(&c->rng, 2) ? NAN : -INFINITY;
        uint8_t *q = check_new_bytes(c, n_pad);
        memo_int8_row *row = (memo_int8_row *)(void *)check_new(c, 2);
        c->kernels->quantize_row_int8(n, n_pad, x, q, row);
        int8_compare_row(c, n, n_pad, x, q, *row);
        check_outside(c, "quantize_row_int8");
    }
}

/* The scale and the offset are given: what is beyond their range goes to its ends, but no row with a
 * NaN or an infinity may look sound. */
void check_quantize_static_int8(check *c)
{
    for (int i = 0; i < INT8_ROW_CASES && !c->failed; i++) {
        check_begin(c);
        size_t n = check_size(c, INT8_ROW_MOST);
        size_t n_pad = (n + MEMO_INT8_INPUTS - 1) / MEMO_INT8_INPUTS * MEMO_INT8_INPUTS;
        float *x = check_new_values(c, n, (check_values)(i % CHECK_N_VALUES));
        if (n && memo_rng_below(&c->rng, 4) == 0)
            x[memo_rng_below(&c->rng, n)] = memo_rng_below(&c->rng, 2) ? NAN : -INFINITY;
        memo_int8_row row = {ldexpf(1.0f + (float)memo_rng_unit(&c->rng), -(int)(i % 12)),
                             (float)memo_rng_unit(&c->rng) - 0.5f};
        memo_int8_row given = row;
        uint8_t *q = check_new_bytes(c, n_pad), zero = int8_zero(c);
        c->kernels->quantize_static_int8(n, n_pad, x, q, &row);
        int odd = 0;
        for (size_t j = 0; j < n; j++)
            odd |= !isfinite(x[j]);
        if (odd ? !isnan(row.scale) : memcmp(&row, &given, sizeof row) != 0)
            check_fail(c, "%zu values, %s: the scale became %a", n,
                       odd ? "not all finite" : "finite", (double)row.scale);
        if (odd)
            continue;
        for (size_t j = 0; j < n_pad && !c->failed; j++) {
            float quotient = j < n ? (x[j] - row.offset) / row.scale : 0.0f;
            double nearest = int8_nearest_even((double)quotient);
            int want = nearest >= 127.0 ? 127 : nearest > -127.0 ? (int)nearest : -127;
            if ((int8_t)(q[j] ^ zero) != want)
                check_fail(c, "byte %zu of %zu is %d, must be %d for %a", j, n,
                           (int8_t)(q[j] ^ zero), want, j < n ? (double)x[j] : 0.0);
        }
        check_outside(c, "quantize_static_int8");
    }
}

/* ---- products ---- */

typedef enum int8_values {
    INT8_ANY,     /* -127..127 */
    INT8_SMALL,   /* -1..1 */
    INT8_ENDS,    /* -127 or 127 */
    INT8_HIGHEST, /* 127 everywhere: with k at its limit the sum is the largest there is */
    INT8_LOWEST,  /* -127 everywhere */
    INT8_N_VALUES
} int8_values;

static int8_t int8_value(memo_rng *rng, int8_values values)
{
    switch (values) {
    case INT8_SMALL:
        return (int8_t)((int)memo_rng_below(rng, 3) - 1);
    case INT8_ENDS:
        return memo_rng_below(rng, 2) ? 127 : -127;
    case INT8_HIGHEST:
        return 127;
    case INT8_LOWEST:
        return -127;
    default:
        return (int8_t)((int)memo_rng_below(rng, 255) - 127);
    }
}

/* Bytes in the form of the table, with what lies between the rows set to a byte that hurts. */
static uint8_t *int8_new_inputs(check *c, size_t m, size_t k, size_t lda, int8_values values)
{
    size_t n = m ? (m - 1) * lda + k : 0;
    uint8_t *a = check_new_bytes(c, n), zero = int8_zero(c);
    for (size_t i = 0; i < n; i++)
        a[i] = (uint8_t)(i % lda < k ? int8_value(&c->rng, values) : 77) ^ zero;
    return a;
}

/* Panels of n channels; missing channels are zero, gaps between panels hold bytes that hurt. */
static int8_t *int8_new_panels(check *c, size_t n, size_t k, size_t stride, int8_values values)
{
    size_t n_panels = (n + MEMO_PANEL - 1) / MEMO_PANEL;
    size_t bytes = n_panels ? (n_panels - 1) * stride + k * MEMO_PANEL : 0;
    int8_t *w = (int8_t *)check_new_panels(c, bytes / sizeof(float));
    for (size_t i = 0; i < bytes; i++) {
        size_t channel = i / stride * MEMO_PANEL + i % 64 / 4;
        int gap = i % stride >= k * MEMO_PANEL;
        w[i] = gap || channel < n ? int8_value(&c->rng, values) : 0;
    }
    return w;
}

static const int8_t *int8_weight(const int8_t *w, size_t stride, size_t channel, size_t input)
{
    return w + channel / MEMO_PANEL * stride + input / 4 * 64 + channel % MEMO_PANEL * 4 +
           input % 4;
}

/* Of each group of inputs. */
static int32_t *int8_new_sums(check *c, const memo_gemm *g, size_t n_groups)
{
    int32_t *sums = (int32_t *)(void *)check_new(c, n_groups * g->n);
    memset(sums, 0, n_groups * g->n * sizeof *sums);
    for (size_t j = 0; j < g->n; j++) {
        for (size_t i = 0; i < g->k; i++)
            sums[(g->group ? i / g->group : 0) * g->n + j] +=
                *int8_weight(g->w, g->panel_stride, j, i);
    }
    return sums;
}

/* Element [row, col] on top of `base`, before the epilogue: sums in int64, one rounding for each
 * operation. */
static float int8_exact(check *c, const memo_gemm *g, uint8_t zero, size_t row, size_t col,
                        float base)
{
    const uint8_t *a = (const uint8_t *)g->a + row * g->lda;
    size_t group = g->group ? g->group : g->k;
    for (size_t at = 0, side = col; at < g->k; at += group, side += g->n) {
        int64_t sum = 0;
        for (size_t i = at; i < g->k && i < at + group; i++)
            sum += (int64_t)(int8_t)(a[i] ^ zero) * *int8_weight(g->w, g->panel_stride, col, i);
        if (sum > INT32_MAX || sum < INT32_MIN)
            check_fail(c, "the case itself leaves an int32");
        float total = g->scale[side] * (float)g->w_sum[side];
        float shifted = fmaf(g->a_row[row].offset, total, base);
        base = fmaf((float)sum, g->a_row[row].scale * g->scale[side], shifted);
    }
    return base;
}

/* Rows far apart make the driver cut m into blocks. */
static memo_gemm int8_random(check *c, size_t m, size_t n, size_t k, int8_values values)
{
    memo_gemm g = {.kind = MEMO_GEMM_INT8, .m = m, .n = n, .k = k};
    check_values floats = (check_values)memo_rng_below(&c->rng, CHECK_N_VALUES);
    g.lda = k + memo_rng_below(&c->rng, memo_rng_below(&c->rng, 8) ? 70 : 7000);
    g.ldc = n + memo_rng_below(&c->rng, 4);
    g.panel_stride = k * MEMO_PANEL + memo_rng_below(&c->rng, 3) * 64;
    g.a = int8_new_inputs(c, m, k, g.lda, values);
    g.a_row = (const memo_int8_row *)(void *)check_new_values(c, 2 * m, floats);
    if (values == INT8_HIGHEST && memo_rng_below(&c->rng, 2))
        values = INT8_LOWEST;
    g.w = int8_new_panels(c, n, k, g.panel_stride, values);
    size_t n_groups = check_gemm_groups(c, &g);
    g.scale = check_new_values(c, n_groups * n, floats);
    g.w_sum = int8_new_sums(c, &g, n_groups);
    g.bias = memo_rng_below(&c->rng, 4) ? check_new_values(c, n, floats) : NULL;
    g.c = check_new(c, m ? (m - 1) * g.ldc + n : 0);
    check_gemm_epilogue(c, &g, floats);
    return g;
}

/* One tile; also on top of what C holds. */
static void int8_check_tile(check *c, size_t rows, size_t n_panels, size_t k, int8_values values)
{
    size_t n = n_panels * MEMO_PANEL;
    int accumulate = memo_rng_below(&c->rng, 3) == 0;
    uint8_t zero = int8_zero(c);
    check_begin(c);
    memo_gemm g = int8_random(c, rows, n, k, values);
    g.group = 0;
    g.w_sum = int8_new_sums(c, &g, 1);
    float *line = check_new(c, n), *before = check_new_values(c, rows * n, CHECK_WIDE);
    for (size_t r = 0; accumulate && r < rows; r++)
        memcpy(g.c + r * g.ldc, before + r * n, n * sizeof *before);
    check_gemm_run_tile(c, &g, accumulate);
    for (size_t r = 0; r < rows && !c->failed; r++) {
        for (size_t j = 0; j < n; j++)
            line[j] = int8_exact(c, &g, zero, r, j,
                                 accumulate ? before[r * n + j]
                                 : g.bias   ? g.bias[j]
                                            : 0.0f);
        check_gemm_row(c, accumulate ? "tile on top" : "tile", &g, r, line,
                       g.residual ? g.residual + r * g.ld_residual : NULL);
    }
    check_outside(c, "gemm_int8_tile");
}

void check_gemm_int8_tile(check *c)
{
    static const size_t ks[] = {32, 64, 96, 128, 192, 320, 384, 1536};
    size_t most = c->kernels->gemm[MEMO_GEMM_INT8].rows,
           panels = c->kernels->gemm[MEMO_GEMM_INT8].panels;
    for (int round = 0; round < INT8_TILE_ROUNDS; round++) {
        for (size_t i = 1; i <= (most < 40 ? most : 40) && !c->failed; i++) {
            size_t rows = i <= 33 ? i : 1 + memo_rng_below(&c->rng, most);
            size_t k = ks[memo_rng_below(&c->rng, sizeof ks / sizeof *ks)];
            int8_check_tile(c, rows, 1 + memo_rng_below(&c->rng, panels), k,
                            (int8_values)memo_rng_below(&c->rng, INT8_N_VALUES));
        }
    }
    /* The longest sums: of the unsigned form they pass through the ends of an int32. */
    for (int values = INT8_ENDS; values < INT8_N_VALUES && !c->failed; values++)
        int8_check_tile(c, most < 3 ? most : 3, panels, MEMO_INT8_MAX_K, (int8_values)values);
}

/* A product of no inputs is the bias. */
static void int8_check_no_inputs(check *c)
{
    enum { M = 9, N = 40 };
    static const int32_t sums[N];
    check_begin(c);
    memo_gemm g = {.kind = MEMO_GEMM_INT8, .m = M, .n = N, .ldc = N, .w_sum = sums};
    g.a = check_new_bytes(c, 0);
    g.a_row = (const memo_int8_row *)(void *)check_new_values(c, (size_t)2 * M, CHECK_NORMAL);
    g.w = check_new_panels(c, 0);
    g.scale = check_new_values(c, N, CHECK_NORMAL);
    g.bias = check_new_values(c, N, CHECK_NORMAL);
    g.c = check_new(c, (size_t)M * N);
    memo_gemm_run(c->kernels, &g);
    for (size_t r = 0; r < M; r++)
        check_bits(c, "no inputs", g.c + r * N, g.bias, N);
}

void check_gemm_int8(check *c)
{
    uint8_t zero = int8_zero(c);
    int8_check_no_inputs(c);
    for (int i = 0; i < INT8_DRIVER_CASES && !c->failed; i++) {
        check_begin(c);
        size_t m = check_size(c, i % 20 ? 90 : 600), n = check_size(c, 130);
        size_t k = MEMO_INT8_INPUTS * (1 + memo_rng_below(&c->rng, 9));
        memo_gemm g = int8_random(c, m, n, k, (int8_values)memo_rng_below(&c->rng, INT8_N_VALUES));
        float *line = check_new(c, n);
        memo_gemm_run(c->kernels, &g);
        for (size_t row = 0; row < m && !c->failed; row++) {
            for (size_t col = 0; col < n; col++)
                line[col] = int8_exact(c, &g, zero, row, col, g.bias ? g.bias[col] : 0.0f);
            check_gemm_row(c, "gemm", &g, row, line,
                           g.residual ? g.residual + row * g.ld_residual : NULL);
        }
        check_gemm_pieces(c, &g);
        check_gemm_residual_in_place(c, &g);
        check_outside(c, "gemm_int8");
    }
}

/* From floats to C, each level with the bytes of its own rows: the bits of the reference. Nothing
 * here knows the formula. */
void check_gemm_int8_levels(check *c)
{
    const memo_kernels *ref = memo_kernels_for(MEMO_CPU_REF);
    for (int i = 0; i < INT8_DRIVER_CASES && !c->failed; i++) {
        check_begin(c);
        size_t m = check_size(c, 70), n = check_size(c, 130);
        size_t k = MEMO_INT8_INPUTS * (1 + memo_rng_below(&c->rng, 9));
        memo_gemm g = int8_random(c, m, n, k, INT8_ANY);
        size_t inputs = k - memo_rng_below(&c->rng, MEMO_INT8_INPUTS),
               floats = m ? (m - 1) * g.ldc + n : 0;
        float *x = check_new_values(c, m * inputs, (check_values)(i % CHECK_N_VALUES));
        float *other = check_new(c, floats);
        memo_int8_row *rows = (memo_int8_row *)(void *)check_new(c, 2 * m);
        uint8_t *a = check_new_bytes(c, m * k);
        const float *want = NULL;
        g.a = a;
        g.lda = k;
        g.a_row = rows;
        g.epilogue = i % 2 ? MEMO_EPILOGUE_NONE : MEMO_EPILOGUE_ADD;
        g.ld_residual = n;
        g.residual = check_new_values(c, m * n, CHECK_NORMAL);
        for (int level = 0; level < 2; level++) {
            const memo_kernels *kernels = level ? c->kernels : ref;
            for (size_t row = 0; row < m; row++)
                kernels->quantize_row_int8(inputs, k, x + row * inputs, a + row * k, rows + row);
            g.c = level ? other : g.c;
            memo_gemm_run(kernels, &g);
            want = level ? want : g.c;
        }
        check_bits(c, "against level ref", other, want, floats);
        check_outside(c, "gemm_int8");
    }
}
