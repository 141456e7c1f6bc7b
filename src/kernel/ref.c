// SPDX-License-Identifier: Apache-2.0
/* kernel/ref.c -- the reference level: what each kernel means, in plain C.
 *
 * Written to be read and to be right, not to be fast: no code is shared with the other levels, so
 * that a mistake in their template cannot hide. Sums of products keep the order that the contract
 * fixes (fmaf), so GEMM, dot and pack give the same bits as every other level; everything else is
 * computed in double and rounded once. */
#include "kernel/levels.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define REF_LANES     16
#define REF_TILE_ROWS 4

static const double ref_sqrt_half = 0.70710678118654752440;
static const double ref_sqrt_2_over_pi = 0.79788456080286535588;

static void ref_gemm_f32_tile(size_t rows, size_t n_panels, const memo_gemm_tile *t)
{
    for (size_t r = 0; r < rows; r++) {
        for (size_t j = 0; j < n_panels * MEMO_PANEL; j++) {
            const float *w = t->w + j / MEMO_PANEL * t->panel_stride + j % MEMO_PANEL;
            float acc = t->bias ? t->bias[j] : 0.0f;
            for (size_t i = 0; i < t->k; i++)
                acc = fmaf(t->a[r * t->lda + i], w[i * MEMO_PANEL], acc);
            t->c[r * t->ldc + j] = acc;
        }
    }
}

static void ref_quantize_row_int8(size_t n, size_t n_pad, const float *x, uint8_t *q,
                                  memo_int8_row *row)
{
    float high = 0.0f, low = 0.0f;
    memset(q, 0, n_pad);
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(x[i])) {
            *row = (memo_int8_row){NAN, 0.0f};
            return;
        }
        high = x[i] > high ? x[i] : high;
        low = -x[i] > low ? -x[i] : low;
    }
    float half = high / 2 + low / 2;
    float factor = 127.0f / half;
    row->scale = factor <= FLT_MAX ? half / 127.0f : 0.0f;
    row->offset = high / 2 - low / 2;
    for (size_t i = 0; i < n && factor <= FLT_MAX; i++)
        q[i] = (uint8_t)(int8_t)nearbyintf((x[i] - row->offset) * factor);
}

static void ref_gemm_int8_tile(size_t rows, size_t n_panels, const memo_gemm_int8_tile *t)
{
    for (size_t r = 0; r < rows; r++) {
        for (size_t j = 0; j < n_panels * MEMO_PANEL; j++) {
            const int8_t *w = t->w + j / MEMO_PANEL * t->panel_stride + j % MEMO_PANEL * 4;
            int32_t sum = 0;
            for (size_t i = 0; i < t->k; i++)
                sum += (int8_t)t->a[r * t->lda + i] * w[i / 4 * (MEMO_PANEL * 4) + i % 4];
            float total = t->w_scale[j] * (float)t->w_sum[j];
            float shifted = fmaf(t->a_row[r].offset, total, t->bias ? t->bias[j] : 0.0f);
            t->c[r * t->ldc + j] = fmaf((float)sum, t->a_row[r].scale * t->w_scale[j], shifted);
        }
    }
}

static void ref_exp_f32(size_t n, const float *x, float *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = (float)exp((double)x[i]);
}

static void ref_erf_f32(size_t n, const float *x, float *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = (float)erf((double)x[i]);
}

static void ref_tanh_f32(size_t n, const float *x, float *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = (float)tanh((double)x[i]);
}

static void ref_gelu_erf_f32(size_t n, const float *x, float *y)
{
    for (size_t i = 0; i < n; i++) {
        double v = x[i];
        y[i] = (float)(0.5 * v * erfc(-v * ref_sqrt_half));
    }
}

/* 0.5 (1 + tanh u) = 1 / (1 + exp(-2u)): the same value without cancellation. */
static void ref_gelu_tanh_f32(size_t n, const float *x, float *y)
{
    for (size_t i = 0; i < n; i++) {
        double v = x[i];
        double u = ref_sqrt_2_over_pi * (v + 0.044715 * v * v * v);
        y[i] = (float)(v / (1.0 + exp(-2.0 * u)));
    }
}

static void ref_add_f32(size_t n, const float *a, const float *b, float *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = a[i] + b[i];
}

static void ref_scale_f32(size_t n, float s, const float *x, float *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = s * x[i];
}

static void ref_softmax_f32(size_t n, float scale, float *x)
{
    double max = -INFINITY, sum = 0.0;
    for (size_t i = 0; i < n; i++)
        max = fmax(max, (double)scale * x[i]);
    for (size_t i = 0; i < n; i++)
        sum += exp((double)scale * x[i] - max);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(exp((double)scale * x[i] - max) / sum);
}

static void ref_layer_norm_f32(size_t n, const float *x, const float *gain, const float *bias,
                               float eps, float *y)
{
    double mean = 0.0, var = 0.0;
    for (size_t i = 0; i < n; i++)
        mean += x[i];
    mean /= (double)n;
    for (size_t i = 0; i < n; i++)
        var += (x[i] - mean) * (x[i] - mean);
    var /= (double)n;
    double scale = 1.0 / sqrt(var + (double)eps);
    for (size_t i = 0; i < n; i++)
        y[i] = (float)((x[i] - mean) * scale * gain[i] + bias[i]);
}

static float ref_dot_f32(size_t n, const float *a, const float *b)
{
    float lane[REF_LANES] = {0};
    for (size_t i = 0; i < n; i++)
        lane[i % REF_LANES] = fmaf(a[i], b[i], lane[i % REF_LANES]);
    for (size_t half = REF_LANES / 2; half; half /= 2) {
        for (size_t i = 0; i < half; i++)
            lane[i] += lane[i + half];
    }
    return lane[0];
}

static void ref_dot_rows_f32(size_t n, const float *q, const float *rows, size_t stride,
                             size_t n_rows, float *out)
{
    for (size_t i = 0; i < n_rows; i++)
        out[i] = ref_dot_f32(n, q, rows + i * stride);
}

static void ref_pack_panels_f32(size_t n_rows, size_t n_cols, const float *src, size_t lds,
                                float *dst, size_t panel_stride)
{
    size_t n_panels = (n_rows + MEMO_PANEL - 1) / MEMO_PANEL;
    for (size_t row = 0; row < n_panels * MEMO_PANEL; row++) {
        float *channel = dst + row / MEMO_PANEL * panel_stride + row % MEMO_PANEL;
        for (size_t i = 0; i < n_cols; i++)
            channel[i * MEMO_PANEL] = row < n_rows ? src[row * lds + i] : 0.0f;
    }
}

static const memo_kernels ref_table = {
    .cpu = MEMO_CPU_REF,
    .gemm_f32_rows = REF_TILE_ROWS,
    .gemm_f32_panels = 1,
    .gemm_f32_tile = ref_gemm_f32_tile,
    .quantize_row_int8 = ref_quantize_row_int8,
    .gemm_int8_rows = REF_TILE_ROWS,
    .gemm_int8_panels = 1,
    .gemm_int8_tile = ref_gemm_int8_tile,
    .exp_f32 = ref_exp_f32,
    .erf_f32 = ref_erf_f32,
    .tanh_f32 = ref_tanh_f32,
    .gelu_erf_f32 = ref_gelu_erf_f32,
    .gelu_tanh_f32 = ref_gelu_tanh_f32,
    .add_f32 = ref_add_f32,
    .scale_f32 = ref_scale_f32,
    .softmax_f32 = ref_softmax_f32,
    .layer_norm_f32 = ref_layer_norm_f32,
    .dot_f32 = ref_dot_f32,
    .dot_rows_f32 = ref_dot_rows_f32,
    .pack_panels_f32 = ref_pack_panels_f32,
};

const memo_kernels *const memo_kernels_ref = &ref_table;
