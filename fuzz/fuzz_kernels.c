// SPDX-License-Identifier: Apache-2.0
/* fuzz_kernels.c -- blocks of any bits through every kind of GEMM of every level that this CPU has,
 * against level ref.
 *
 *   m, n, k        a byte each: the shape
 *   flags          bit 0 a bias, bit 1 wider strides, bits 2-3 the group of inputs with scales of its
 *                  own (none, 32, 64, 128), bits 4-5 the epilogue
 *   the rest       floats of A, then weights, scales and bias, taken round and round
 *
 * All must have the same bits; only of dot products it is asked that they lie within n eps sum|ab| of
 * each other. Every block is as long as the contract says and not a byte longer, so that a sanitizer
 * sees what reads beyond. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cpu.h"
#include "kernel/kernels.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* How one product is made of the block. */
typedef struct fuzz_product {
    memo_gemm_kind kind;
    int bits; /* of a weight */
    int lut4;
} fuzz_product;

static const fuzz_product fuzz_products[] = {
    {MEMO_GEMM_F32, 32, 0}, {MEMO_GEMM_F16, 16, 0}, {MEMO_GEMM_BF16, 16, 0}, {MEMO_GEMM_W8, 8, 0},
    {MEMO_GEMM_INT8, 8, 0}, {MEMO_GEMM_INT8, 4, 0}, {MEMO_GEMM_INT8, 4, 1},  {MEMO_GEMM_W8, 4, 1},
};
#define FUZZ_PRODUCTS (sizeof fuzz_products / sizeof *fuzz_products)
#define FUZZ_BLOCK    64 /* inputs with one multiplier */

typedef struct fuzz_block {
    size_t m, n, k, k_pad, n_panels, lda, ldc, group, n_groups;
    memo_epilogue epilogue;
    const float *bias; /* [n] or NULL */
    float *a;          /* [m, lda] */
    float *residual;   /* [m, n] */
    uint8_t *w[33];    /* by bits: panels of n_panels * k_pad * 16 weights */
    uint8_t *unpacked; /* two panels of bytes */
    uint8_t *multiplier;
    int8_t *palette;
    float *w_scale; /* [n_groups, n] */
} fuzz_block;

static const uint8_t *fuzz_bytes;
static size_t fuzz_n_bytes, fuzz_at;

static uint8_t fuzz_byte(void)
{
    return fuzz_bytes[fuzz_at++ % fuzz_n_bytes];
}

/* Any bits as they are, NaN and infinities among them. */
static float fuzz_float(void)
{
    uint8_t b[4] = {fuzz_byte(), fuzz_byte(), fuzz_byte(), fuzz_byte()};
    float f;
    memcpy(&f, b, 4);
    return f;
}

static void *fuzz_new(size_t n_bytes)
{
    void *p = malloc(n_bytes ? n_bytes : 1);
    if (!p)
        abort();
    return p;
}

/* NaNs are equal, whatever their bits. */
static int fuzz_same(float a, float b)
{
    return (isnan(a) && isnan(b)) || memcmp(&a, &b, 4) == 0;
}

/* Channels from n on and inputs from k on are zero; so are those of 4 bits as far as n_in says. */
static int fuzz_missing(const fuzz_block *b, int bits, size_t byte)
{
    size_t panel = b->k_pad * MEMO_PANEL * (size_t)bits / 8, at = byte % panel;
    size_t row = at / 64, in_row = at % 64, channel, input;
    if (bits == 32)
        channel = in_row / 4, input = row;
    else if (bits == 16) /* both orders of two inputs: the last row of an odd k is cleared whole */
        return byte / panel * MEMO_PANEL + MEMO_PANEL > b->n || (row + 1) * 2 > b->k;
    else
        channel = in_row / 4, input = row * 4 + in_row % 4;
    return byte / panel * MEMO_PANEL + channel >= b->n || input >= b->k;
}

static void fuzz_fill(fuzz_block *b)
{
    for (size_t i = 0; i < b->m * b->lda; i++)
        b->a[i] = fuzz_float();
    for (size_t i = 0; i < b->m * b->n; i++)
        b->residual[i] = fuzz_float();
    for (int bits = 4; bits <= 32; bits *= 2) {
        for (size_t i = 0; i < b->n_panels * b->k_pad * MEMO_PANEL * (size_t)bits / 8; i++) {
            uint8_t byte = fuzz_byte();
            if (bits == 8) /* -127..127 */
                byte = (uint8_t)(int8_t)((int)byte % 255 - 127);
            b->w[bits][i] = bits > 4 && fuzz_missing(b, bits, i) ? 0 : byte;
        }
    }
    for (size_t i = 0; i < b->n_panels * ((b->k_pad + FUZZ_BLOCK - 1) / FUZZ_BLOCK) * MEMO_PANEL;
         i++)
        b->multiplier[i] = fuzz_byte() % 15 + 1;
    for (size_t i = 0; i < b->n_panels * 2 * MEMO_PANEL; i++)
        b->palette[i] = (int8_t)((int)fuzz_byte() % 255 - 127);
    for (size_t i = 0; i < b->n_groups * b->n; i++)
        b->w_scale[i] = fuzz_float();
}

/* Of the bytes of each group. */
static int32_t *fuzz_sums(const fuzz_block *b, const memo_kernels *ref, const memo_gemm *g)
{
    int32_t *sums = fuzz_new(b->n_groups * b->n * sizeof *sums);
    const int8_t *panels = (const int8_t *)g->w;
    memset(sums, 0, b->n_groups * b->n * sizeof *sums);
    for (size_t p = 0; p < b->n_panels; p++) {
        const int8_t *panel = panels + p * g->panel_stride;
        if (g->unpack) {
            ref->unpack_4bit(g->unpack, p, b->k, (const uint8_t *)panel, (int8_t *)b->unpacked);
            panel = (const int8_t *)b->unpacked;
        }
        for (size_t i = 0; i < g->k * MEMO_PANEL; i++) {
            size_t channel = p * MEMO_PANEL + i % 64 / 4, input = i / 64 * 4 + i % 4;
            if (channel < b->n)
                sums[(b->group ? input / b->group : 0) * b->n + channel] += panel[i];
        }
    }
    return sums;
}

static void fuzz_gemm(const memo_kernels *kernels, const fuzz_block *b, const fuzz_product *product,
                      float *c)
{
    int int8 = product->kind == MEMO_GEMM_INT8;
    size_t k32 = (b->k + MEMO_INT8_INPUTS - 1) / MEMO_INT8_INPUTS * MEMO_INT8_INPUTS;
    uint8_t *q = fuzz_new(b->m * b->k_pad);
    memo_int8_row *rows = fuzz_new(b->m * sizeof *rows);
    for (size_t i = 0; int8 && i < b->m; i++)
        kernels->quantize_row_int8(b->k, b->k_pad, b->a + i * b->lda, q + i * b->k_pad, &rows[i]);
    const memo_unpack unpack = {.multiplier = b->multiplier,
                                .block = FUZZ_BLOCK,
                                .palette = product->lut4 ? b->palette : NULL,
                                .n_in = b->k};
    memo_gemm gemm = {.kind = product->kind,
                      .m = b->m,
                      .n = b->n,
                      .k = int8 ? k32 : b->k,
                      .a = int8 ? (const void *)q : b->a,
                      .lda = int8 ? b->k_pad : b->lda * sizeof *b->a,
                      .a_row = rows,
                      .w = b->w[product->bits],
                      .panel_stride = b->k_pad * MEMO_PANEL * (size_t)product->bits / 8,
                      .unpack = product->bits == 4 ? &unpack : NULL,
                      .unpacked = b->unpacked,
                      .group = product->bits <= 8 ? b->group : 0,
                      .scale = b->w_scale,
                      .bias = b->bias,
                      .c = c,
                      .ldc = b->ldc,
                      .epilogue = b->epilogue,
                      .residual = b->residual,
                      .ld_residual = b->n};
    int32_t *sums = int8 ? fuzz_sums(b, memo_kernels_for(MEMO_CPU_REF), &gemm) : NULL;
    gemm.w_sum = sums;
    memo_gemm_run(kernels, &gemm);
    free(sums);
    free(q);
    free(rows);
}

static void fuzz_compare(const fuzz_block *b, const float *ref, const float *c)
{
    for (size_t i = 0; i < b->m * b->ldc; i++) {
        if (i % b->ldc >= b->n ? c[i] != 7 : !fuzz_same(ref[i], c[i]))
            abort(); /* also where something beside the columns was written */
    }
}

static void fuzz_rows(const memo_kernels *ref, const memo_kernels *kernels, const fuzz_block *b)
{
    const float *x = b->a;
    size_t n = b->k;
    float *rows = fuzz_new(b->m * sizeof *rows);
    kernels->dot_rows_f32(n, x, b->a, b->lda, b->m, rows);
    for (size_t i = 0; i < b->m; i++) {
        double sum = 0;
        const float *y = b->a + i * b->lda;
        float one = kernels->dot_f32(n, x, y), theirs = ref->dot_f32(n, x, y);
        if (!fuzz_same(one, rows[i]))
            abort();
        for (size_t k = 0; k < n; k++)
            sum += fabs((double)x[k] * y[k]);
        if (sum < 3e38 && !(fabs((double)one - theirs) <= 2.4e-7 * (double)(n + 2) * sum + 1e-44))
            abort();
    }
    free(rows);
}

static void fuzz_levels(const fuzz_block *b)
{
    const memo_kernels *ref = memo_kernels_for(MEMO_CPU_REF);
    float *want = fuzz_new(b->m * b->ldc * sizeof *want), *c = fuzz_new(b->m * b->ldc * sizeof *c);
    for (size_t p = 0; p < FUZZ_PRODUCTS; p++) {
        fuzz_gemm(ref, b, &fuzz_products[p], want);
        for (memo_cpu cpu = MEMO_CPU_REF + 1; cpu < MEMO_CPU_COUNT; cpu++) {
            const memo_kernels *kernels = memo_cpu_has(cpu) ? memo_kernels_for(cpu) : NULL;
            if (!kernels || (fuzz_products[p].kind == MEMO_GEMM_BF16 && kernels->bf16_inputs))
                continue; /* sums of bf16 inputs are the level's own */
            for (size_t i = 0; i < b->m * b->ldc; i++)
                c[i] = 7;
            fuzz_gemm(kernels, b, &fuzz_products[p], c);
            fuzz_compare(b, want, c);
            if (p == 0)
                fuzz_rows(ref, kernels, b);
        }
    }
    free(want);
    free(c);
}

static void *fuzz_new_aligned(size_t n_bytes)
{
    void *p = memo_aligned_alloc(n_bytes);
    if (!p)
        abort();
    return p;
}

static void fuzz_free(fuzz_block *b)
{
    for (int bits = 4; bits <= 32; bits *= 2)
        memo_aligned_free(b->w[bits]);
    memo_aligned_free(b->unpacked);
    free(b->a);
    free(b->residual);
    free(b->multiplier);
    free(b->palette);
    free(b->w_scale);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t groups[] = {0, 32, 64, 128};
    static const memo_epilogue epilogues[] = {MEMO_EPILOGUE_NONE, MEMO_EPILOGUE_ADD,
                                              MEMO_EPILOGUE_GELU_ERF_FAST, MEMO_EPILOGUE_NONE};
    if (size < 8)
        return 0;
    size_t extra = data[3] & 2 ? 3 : 0;
    fuzz_block b = {.m = data[0] % 20 + 1u, .n = data[1] % 70 + 1u, .k = data[2] % 150 + 1u};
    b.k_pad = (b.k + 63) / 64 * 64;
    b.n_panels = (b.n + MEMO_PANEL - 1) / MEMO_PANEL;
    b.lda = b.k + extra;
    b.ldc = b.n + extra;
    b.group = groups[data[3] >> 2 & 3];
    b.n_groups = b.group ? (b.k_pad + b.group - 1) / b.group : 1;
    b.epilogue = epilogues[data[3] >> 4 & 3];
    for (int bits = 4; bits <= 32; bits *= 2)
        b.w[bits] = fuzz_new_aligned(b.n_panels * b.k_pad * MEMO_PANEL * (size_t)bits / 8);
    b.unpacked = fuzz_new_aligned(2 * b.k_pad * MEMO_PANEL);
    b.a = fuzz_new(b.m * b.lda * sizeof *b.a);
    b.residual = fuzz_new(b.m * b.n * sizeof *b.residual);
    b.multiplier = fuzz_new(b.n_panels * ((b.k_pad + FUZZ_BLOCK - 1) / FUZZ_BLOCK) * MEMO_PANEL);
    b.palette = fuzz_new(b.n_panels * 2 * MEMO_PANEL);
    b.w_scale = fuzz_new(b.n_groups * b.n * sizeof *b.w_scale);
    float *bias = fuzz_new(b.n * sizeof *bias);
    fuzz_bytes = data + 4;
    fuzz_n_bytes = size - 4;
    fuzz_at = 0;
    fuzz_fill(&b);
    for (size_t i = 0; i < b.n; i++)
        bias[i] = fuzz_float();
    b.bias = data[3] & 1 ? bias : NULL;
    fuzz_levels(&b);
    free(bias);
    fuzz_free(&b);
    return 0;
}
