// SPDX-License-Identifier: Apache-2.0
/* fuzz_kernels.c -- blocks of any bits through every level that this CPU has, against level ref.
 *
 *   m, n, k, flags   a byte each: the shape, bit 0 a bias, bit 1 wider strides
 *   the rest         floats of A, then of W and bias, taken round and round
 *
 * Integer GEMMs must have the same bits; float sums must lie within n eps sum|ab| of each other.
 * Every block is as long as the contract says and not a byte longer, so that a sanitizer sees what
 * reads beyond. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cpu.h"
#include "kernel/kernels.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct fuzz_block {
    size_t m, n, k, k_pad, n_panels, lda, ldc;
    const float *bias; /* [n] or NULL */
    float *a;          /* [m, lda] */
    float *w;          /* [n_panels, k, 16] */
    int8_t *w8;        /* [n_panels, k_pad / 4, 16, 4] */
    float *w_scale;    /* [n] */
    int32_t *w_sum;    /* [n] */
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

static void fuzz_fill(fuzz_block *b)
{
    for (size_t i = 0; i < b->m * b->lda; i++)
        b->a[i] = fuzz_float();
    for (size_t i = 0; i < b->n_panels * b->k * MEMO_PANEL; i++)
        b->w[i] = i % MEMO_PANEL + i / (b->k * MEMO_PANEL) * MEMO_PANEL < b->n ? fuzz_float() : 0;
    memset(b->w8, 0, b->n_panels * b->k_pad * MEMO_PANEL);
    for (size_t c = 0; c < b->n; c++) {
        b->w_scale[c] = fuzz_float();
        b->w_sum[c] = 0;
        for (size_t i = 0; i < b->k; i++) {
            int8_t q = (int8_t)((int)fuzz_byte() % 255 - 127);
            b->w8[((c / MEMO_PANEL * (b->k_pad / 4) + i / 4) * MEMO_PANEL + c % MEMO_PANEL) * 4 +
                  i % 4] = q;
            b->w_sum[c] += q;
        }
    }
}

static void fuzz_gemm(const memo_kernels *kernels, const fuzz_block *b, float *c)
{
    const memo_gemm gemm = {.m = b->m,
                            .n = b->n,
                            .k = b->k,
                            .a = b->a,
                            .lda = b->lda * sizeof *b->a,
                            .w = b->w,
                            .panel_stride = b->k * MEMO_PANEL * sizeof(float),
                            .bias = b->bias,
                            .c = c,
                            .ldc = b->ldc};
    memo_gemm_run(kernels, &gemm);
}

static void fuzz_gemm_int8(const memo_kernels *kernels, const fuzz_block *b, float *c)
{
    uint8_t *q = fuzz_new(b->m * b->k_pad);
    memo_int8_row *rows = fuzz_new(b->m * sizeof *rows);
    for (size_t i = 0; i < b->m; i++)
        kernels->quantize_row_int8(b->k, b->k_pad, b->a + i * b->lda, q + i * b->k_pad, &rows[i]);
    const memo_gemm gemm = {.kind = MEMO_GEMM_INT8,
                            .m = b->m,
                            .n = b->n,
                            .k = b->k_pad,
                            .a = q,
                            .lda = b->k_pad,
                            .a_row = rows,
                            .w = b->w8,
                            .panel_stride = b->k_pad * MEMO_PANEL,
                            .scale = b->w_scale,
                            .w_sum = b->w_sum,
                            .bias = b->bias,
                            .c = c,
                            .ldc = b->ldc};
    memo_gemm_run(kernels, &gemm);
    free(q);
    free(rows);
}

static void fuzz_compare(const fuzz_block *b, const float *ref, const float *c, int exact)
{
    for (size_t i = 0; i < b->m * b->ldc; i++) {
        size_t row = i / b->ldc, column = i % b->ldc;
        if (column >= b->n) {
            if (c[i] != 7) /* nothing beside the columns is written */
                abort();
            continue;
        }
        if (fuzz_same(ref[i], c[i]))
            continue;
        if (exact)
            abort();
        double sum = b->bias ? fabs((double)b->bias[column]) : 0;
        for (size_t k = 0; k < b->k; k++)
            sum += fabs((double)b->a[row * b->lda + k] *
                        b->w[(column / MEMO_PANEL * b->k + k) * MEMO_PANEL + column % MEMO_PANEL]);
        /* A sum that may overflow on the way in one order and not in another proves nothing. */
        if (sum < 3e38 &&
            !(fabs((double)ref[i] - c[i]) <= 2.4e-7 * (double)(b->k + 2) * sum + 1e-44))
            abort();
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

/* By class: what level ref makes of the block, and room for another level's. */
typedef struct fuzz_results {
    float *ref[2], *c[2];
} fuzz_results;

static void fuzz_run(const memo_kernels *kernels, const fuzz_block *b, float *c[2])
{
    for (size_t i = 0; i < b->m * b->ldc; i++)
        c[0][i] = c[1][i] = 7;
    fuzz_gemm(kernels, b, c[0]);
    fuzz_gemm_int8(kernels, b, c[1]);
}

static void fuzz_levels(const fuzz_block *b)
{
    const memo_kernels *ref = memo_kernels_for(MEMO_CPU_REF);
    fuzz_results r;

    for (int i = 0; i < 2; i++) {
        r.ref[i] = fuzz_new(b->m * b->ldc * sizeof(float));
        r.c[i] = fuzz_new(b->m * b->ldc * sizeof(float));
    }
    fuzz_run(ref, b, r.ref);
    for (memo_cpu cpu = MEMO_CPU_REF + 1; cpu < MEMO_CPU_COUNT; cpu++) {
        const memo_kernels *kernels = memo_cpu_has(cpu) ? memo_kernels_for(cpu) : NULL;
        if (!kernels)
            continue;
        fuzz_run(kernels, b, r.c);
        for (int int8 = 0; int8 < 2; int8++)
            fuzz_compare(b, r.ref[int8], r.c[int8], int8);
        fuzz_rows(ref, kernels, b);
    }
    for (int i = 0; i < 2; i++) {
        free(r.ref[i]);
        free(r.c[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 8)
        return 0;
    size_t extra = data[3] & 2 ? 3 : 0;
    fuzz_block b = {.m = data[0] % 20 + 1u, .n = data[1] % 70 + 1u, .k = data[2] % 150 + 1u};
    b.k_pad = (b.k + MEMO_INT8_INPUTS - 1) / MEMO_INT8_INPUTS * MEMO_INT8_INPUTS;
    b.n_panels = (b.n + MEMO_PANEL - 1) / MEMO_PANEL;
    b.lda = b.k + extra;
    b.ldc = b.n + extra;
    b.a = fuzz_new(b.m * b.lda * sizeof *b.a);
    b.w = memo_aligned_alloc(b.n_panels * b.k * MEMO_PANEL * sizeof *b.w);
    b.w8 = memo_aligned_alloc(b.n_panels * b.k_pad * MEMO_PANEL);
    b.w_scale = fuzz_new(b.n * sizeof *b.w_scale);
    b.w_sum = fuzz_new(b.n * sizeof *b.w_sum);
    float *bias = fuzz_new(b.n * sizeof *bias);
    fuzz_bytes = data + 4;
    fuzz_n_bytes = size - 4;
    fuzz_at = 0;
    fuzz_fill(&b);
    for (size_t i = 0; i < b.n; i++)
        bias[i] = fuzz_float();
    b.bias = data[3] & 1 ? bias : NULL;
    fuzz_levels(&b);
    free(b.a);
    memo_aligned_free(b.w);
    memo_aligned_free(b.w8);
    free(b.w_scale);
    free(b.w_sum);
    free(bias);
    return 0;
}
