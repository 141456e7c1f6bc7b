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

static float ref_f16(uint16_t h)
{
    int exponent = h >> 10 & 31, fraction = h & 1023;
    double magnitude = exponent == 31 ? (fraction ? NAN : INFINITY)
                       : exponent     ? ldexp(1024 + fraction, exponent - 25)
                                      : ldexp(fraction, -24);
    return (float)(h >> 15 ? -magnitude : magnitude);
}

static float ref_bf16(uint16_t h)
{
    uint32_t bits = (uint32_t)h << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Input i of channel j in a packed panel. */
static float ref_weight(memo_gemm_kind kind, const void *panel, size_t i, size_t j)
{
    size_t of_quad = (i / 4 * MEMO_PANEL + j) * 4 + i % 4;

    switch (kind) {
    case MEMO_GEMM_F16:
        return ref_f16(((const uint16_t *)panel)[i * MEMO_PANEL + j]);
    case MEMO_GEMM_BF16:
        return ref_bf16(((const uint16_t *)panel)[(i / 2 * MEMO_PANEL + j) * 2 + i % 2]);
    case MEMO_GEMM_W8:
        return ((const int8_t *)panel)[of_quad];
    default:
        return ((const float *)panel)[i * MEMO_PANEL + j];
    }
}

static float ref_epilogue(const memo_gemm_tile *t, size_t r, size_t j, float x);

static float ref_base(const memo_gemm_tile *t, size_t r, size_t j)
{
    return t->accumulate ? t->c[r * t->ldc + j] : t->bias ? t->bias[j] : 0.0f;
}

static void ref_float_tile(memo_gemm_kind kind, size_t rows, size_t n_panels,
                           const memo_gemm_tile *t)
{
    for (size_t r = 0; r < rows; r++) {
        const float *a = (const float *)t->a + r * (t->lda / sizeof *a);
        for (size_t j = 0; j < n_panels * MEMO_PANEL; j++) {
            const char *w = (const char *)t->w + j / MEMO_PANEL * t->panel_stride;
            float base = ref_base(t, r, j), acc = kind == MEMO_GEMM_W8 ? 0.0f : base;
            for (size_t i = 0; i < t->k; i++)
                acc = fmaf(a[i], ref_weight(kind, w, i, j % MEMO_PANEL), acc);
            if (kind == MEMO_GEMM_W8)
                acc = fmaf(acc, t->scale[j], base);
            t->c[r * t->ldc + j] = ref_epilogue(t, r, j, acc);
        }
    }
}

static void ref_gemm_f32_tile(size_t rows, size_t n_panels, const memo_gemm_tile *tile)
{
    ref_float_tile(MEMO_GEMM_F32, rows, n_panels, tile);
}

static void ref_gemm_f16_tile(size_t rows, size_t n_panels, const memo_gemm_tile *tile)
{
    ref_float_tile(MEMO_GEMM_F16, rows, n_panels, tile);
}

static void ref_gemm_bf16_tile(size_t rows, size_t n_panels, const memo_gemm_tile *tile)
{
    ref_float_tile(MEMO_GEMM_BF16, rows, n_panels, tile);
}

static void ref_gemm_w8_tile(size_t rows, size_t n_panels, const memo_gemm_tile *tile)
{
    ref_float_tile(MEMO_GEMM_W8, rows, n_panels, tile);
}

static void ref_unpack_4bit(const memo_unpack *unpack, size_t panel, size_t k, const uint8_t *from,
                            int8_t *to)
{
    size_t n_blocks =
        unpack->palette ? 0 : ((k + 63) / 64 * 64 + unpack->block - 1) / unpack->block;
    for (size_t i = 0; i < (k + 63) / 64 * 64; i++) {
        for (size_t j = 0; j < MEMO_PANEL; j++) {
            int nibble = from[i / 8 * 64 + j * 4 + i % 4] >> (i % 8 < 4 ? 0 : 4) & 15;
            int8_t *q = &to[(i / 4 * MEMO_PANEL + j) * 4 + i % 4];
            *q = 0;
            if (i < k && unpack->palette)
                *q = unpack->palette[panel * 32 + j / 8 * 16 + (size_t)nibble];
            else if (i < k)
                *q = (int8_t)((nibble < 8 ? nibble : nibble - 16) *
                              unpack
                                  ->multiplier[(panel * n_blocks + i / unpack->block) * MEMO_PANEL +
                                               j]);
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

static void ref_quantize_static_int8(size_t n, size_t n_pad, const float *x, uint8_t *q,
                                     memo_int8_row *row)
{
    memset(q, 0, n_pad);
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(x[i])) {
            row->scale = NAN;
            return;
        }
        float v = nearbyintf((x[i] - row->offset) / row->scale);
        q[i] = (uint8_t)(int8_t)(v >= 127.0f ? 127 : v > -127.0f ? (int)v : -127);
    }
}

static void ref_f16_to_f32(size_t n, const uint16_t *h, float *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = ref_f16(h[i]);
}

static void ref_gemm_int8_tile(size_t rows, size_t n_panels, const memo_gemm_tile *t)
{
    for (size_t r = 0; r < rows; r++) {
        const int8_t *a = (const int8_t *)t->a + r * t->lda;
        for (size_t j = 0; j < n_panels * MEMO_PANEL; j++) {
            const int8_t *w = (const int8_t *)t->w + j / MEMO_PANEL * t->panel_stride;
            int32_t sum = 0;
            for (size_t i = 0; i < t->k; i++)
                sum += a[i] * w[(i / 4 * MEMO_PANEL + j % MEMO_PANEL) * 4 + i % 4];
            float total = t->scale[j] * (float)t->w_sum[j];
            float shifted = fmaf(t->a_row[r].offset, total, ref_base(t, r, j));
            float c = fmaf((float)sum, t->a_row[r].scale * t->scale[j], shifted);
            t->c[r * t->ldc + j] = ref_epilogue(t, r, j, c);
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

/* In the roundings of the contract, which promises the bits: template_lanes.h has the formula. */
static void ref_gelu_erf_fast_f32(size_t n, const float *x, float *y)
{
    for (size_t i = 0; i < n; i++) {
        float s = x[i] * x[i], p = 0x1.32d464p-25f;
        p = fmaf(p, s, -0x1.2b9b6ap-19f);
        p = fmaf(p, s, 0x1.f78de8p-15f);
        p = fmaf(p, s, -0x1.e5bc56p-11f);
        p = fmaf(p, s, 0x1.30abbep-7f);
        p = fmaf(p, s, -0x1.0d117cp-4f);
        p = fmaf(p, s, 0x1.983b64p-2f);
        p = fmaf(x[i], p, 0.5f);
        p = p < 0.0f ? 0.0f : p < 1.0f ? p : 1.0f;
        y[i] = x[i] * p;
    }
}

static float ref_epilogue(const memo_gemm_tile *t, size_t r, size_t j, float x)
{
    if (t->epilogue == MEMO_EPILOGUE_GELU_ERF)
        ref_gelu_erf_f32(1, &x, &x);
    else if (t->epilogue == MEMO_EPILOGUE_GELU_TANH)
        ref_gelu_tanh_f32(1, &x, &x);
    else if (t->epilogue == MEMO_EPILOGUE_GELU_ERF_FAST)
        ref_gelu_erf_fast_f32(1, &x, &x);
    else if (t->epilogue == MEMO_EPILOGUE_ADD)
        x += t->residual[r * t->ld_residual + j];
    return x;
}

static void ref_add_f32(size_t n, const float *a, const float *b, float *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = a[i] + b[i];
}

static void ref_scale_rows_f32(size_t n_rows, size_t n, const float *factors, const float *x,
                               size_t ldx, float *y, size_t ldy)
{
    for (size_t r = 0; r < n_rows; r++) {
        for (size_t i = 0; i < n; i++)
            y[r * ldy + i] = factors[r] * x[r * ldx + i];
    }
}

static void ref_softmax_row(const memo_softmax_tile *t, size_t r, float *x)
{
    size_t n_pad = (t->n_keys + 31) / 32 * 32;
    float before = t->first ? -INFINITY : t->largest[r], largest = before;
    int has_any = 0;
    for (size_t j = 0; j < n_pad; j++) {
        ptrdiff_t key = (ptrdiff_t)j - (ptrdiff_t)r;
        if (j >= t->n_keys || key < t->from || key >= t->to)
            x[j] = -INFINITY;
        else
            has_any = 1;
        largest = x[j] > largest ? x[j] : largest;
    }
    double sum = 0.0, rescale = 1.0;
    for (size_t j = 0; j < n_pad; j++) {
        double weight = has_any ? exp((double)t->scale * ((double)x[j] - (double)largest)) : 0.0;
        sum += weight;
        x[j] = (float)weight;
    }
    if (!t->first && has_any)
        rescale = exp((double)t->scale * ((double)before - (double)largest));
    t->sum[r] = (float)((t->first ? 0.0 : t->sum[r] * rescale) + sum);
    t->largest[r] = largest;
    t->rescale[r] = (float)rescale;
}

static void ref_softmax_tile_f32(const memo_softmax_tile *tile)
{
    for (size_t r = 0; r < tile->n_rows; r++)
        ref_softmax_row(tile, r, tile->x + r * tile->ld);
}

/* Nearest, ties to even: half of the step is added, a bit less where the lower neighbour is even. */
static uint16_t ref_to_half(float x)
{
    uint32_t word;
    memcpy(&word, &x, sizeof word);
    if (isnan(x))
        return (uint16_t)(word >> 16 | 0x40);
    return (uint16_t)((word + 0x7FFF + (word >> 16 & 1)) >> 16);
}

static void ref_softmax_tile_bf16(const memo_softmax_tile *tile)
{
    ref_softmax_tile_f32(tile);
    for (size_t r = 0; r < tile->n_rows; r++) {
        char *row = (char *)(tile->x + r * tile->ld);
        for (size_t j = 0; j < (tile->n_keys + 31) / 32 * 32; j++) {
            float weight;
            memcpy(&weight, row + j * sizeof weight, sizeof weight);
            uint16_t bits = ref_to_half(weight);
            memcpy(row + j * sizeof bits, &bits, sizeof bits);
        }
    }
}

static void ref_rows_to_bf16(size_t n_rows, size_t n, size_t n_pad, const float *x, size_t ldx,
                             uint16_t *y, size_t ldy)
{
    for (size_t r = 0; r < n_rows; r++) {
        for (size_t i = 0; i < n_pad; i++)
            y[r * ldy + i] = i < n ? ref_to_half(x[r * ldx + i]) : 0;
    }
}

static uint16_t *ref_pair(uint16_t *dst, size_t panel_stride, size_t channel, size_t input)
{
    return dst + channel / MEMO_PANEL * panel_stride +
           (input / 2 * MEMO_PANEL + channel % MEMO_PANEL) * 2 + input % 2;
}

static void ref_pack_panels_bf16(size_t n_rows, size_t n_cols, const float *src, size_t lds,
                                 uint16_t *dst, size_t panel_stride)
{
    for (size_t row = 0; row < (n_rows + MEMO_PANEL - 1) / MEMO_PANEL * MEMO_PANEL; row++) {
        for (size_t i = 0; i < (n_cols + 31) / 32 * 32; i++)
            *ref_pair(dst, panel_stride, row, i) =
                row < n_rows && i < n_cols ? ref_to_half(src[row * lds + i]) : 0;
    }
}

static void ref_pack_inputs_bf16(size_t n_rows, size_t n_cols, const float *src, size_t lds,
                                 uint16_t *dst, size_t panel_stride)
{
    for (size_t col = 0; col < (n_cols + MEMO_PANEL - 1) / MEMO_PANEL * MEMO_PANEL; col++) {
        for (size_t i = 0; i < (n_rows + 31) / 32 * 32; i++)
            *ref_pair(dst, panel_stride, col, i) =
                i < n_rows && col < n_cols ? ref_to_half(src[i * lds + col]) : 0;
    }
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
    .gemm = {[MEMO_GEMM_F32] = {REF_TILE_ROWS, 1, ref_gemm_f32_tile},
             [MEMO_GEMM_F16] = {REF_TILE_ROWS, 1, ref_gemm_f16_tile},
             [MEMO_GEMM_BF16] = {REF_TILE_ROWS, 1, ref_gemm_bf16_tile},
             [MEMO_GEMM_W8] = {REF_TILE_ROWS, 1, ref_gemm_w8_tile},
             [MEMO_GEMM_INT8] = {REF_TILE_ROWS, 1, ref_gemm_int8_tile}},
    .unpack_4bit = ref_unpack_4bit,
    .quantize_row_int8 = ref_quantize_row_int8,
    .quantize_static_int8 = ref_quantize_static_int8,
    .f16_to_f32 = ref_f16_to_f32,
    .exp_f32 = ref_exp_f32,
    .erf_f32 = ref_erf_f32,
    .tanh_f32 = ref_tanh_f32,
    .gelu_erf_f32 = ref_gelu_erf_f32,
    .gelu_tanh_f32 = ref_gelu_tanh_f32,
    .gelu_erf_fast_f32 = ref_gelu_erf_fast_f32,
    .add_f32 = ref_add_f32,
    .scale_rows_f32 = ref_scale_rows_f32,
    .softmax_tile_f32 = ref_softmax_tile_f32,
    .softmax_tile_bf16 = ref_softmax_tile_bf16,
    .rows_to_bf16 = ref_rows_to_bf16,
    .pack_panels_bf16 = ref_pack_panels_bf16,
    .pack_inputs_bf16 = ref_pack_inputs_bf16,
    .layer_norm_f32 = ref_layer_norm_f32,
    .dot_f32 = ref_dot_f32,
    .dot_rows_f32 = ref_dot_rows_f32,
    .pack_panels_f32 = ref_pack_panels_f32,
};

const memo_kernels *const memo_kernels_ref = &ref_table;
