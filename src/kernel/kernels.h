// SPDX-License-Identifier: Apache-2.0
/* kernel/kernels.h -- every routine that has a variant per instruction set, as one table per level.
 *
 * A plan or model picks its table once (memo_kernels_for) and carries it; nothing asks the CPU
 * again. Kernels are single-threaded and pure: no allocation, no global state, no error.
 *
 * Contract of all kernels
 *   - Pointers need the alignment of their element type only, unless a comment asks for 64 bytes.
 *   - Nothing outside the stated extents is read or written (the check program has guard pages).
 *   - The value of an output element depends on its own inputs and the level only: never on the
 *     number of rows in the call, the position of its row, or what lies beside it.
 *   - NaN in, NaN out; rounding and other modes of the floating-point unit stay as they are.
 *
 * Packed weights (class f32): a matrix W [n_out, n_in] is stored as panels of 16 output channels;
 * panel p holds rows p*16 .. p*16+15 as [n_in_pad][16] floats (one 64-byte row per input), missing
 * channels and inputs zero. n_in_pad is n_in rounded up to 64 in files; kernels read n_in rows only.
 *
 * Packed weights (class int8): panel p holds the same channels as [n_in_pad / 4][16][4] signed
 * bytes in -127..127 (one 64-byte row per four inputs), missing channels and inputs zero: sixteen
 * rows are one AMX tile, one row is one zmm, two ymm, four NEON registers. Kernels read k rows / 4
 * for a k that is n_in_pad, a multiple of 64.
 */
#ifndef MEMO_KERNEL_KERNELS_H
#define MEMO_KERNEL_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include <memolith/status.h>

#define MEMO_PANEL       16               /* output channels in a panel */
#define MEMO_TILE_COLS   64               /* no tile of a level has more columns */
#define MEMO_TILE_FLOATS 8192             /* nor more elements: buffers for edges have this size */
#define MEMO_INT8_INPUTS 64               /* k of the int8 kernels is a multiple of this */
#define MEMO_INT8_MAX_K  ((size_t)131072) /* so that no sum of k products leaves an int32 */

typedef enum memo_epilogue {
    MEMO_EPILOGUE_NONE,
    MEMO_EPILOGUE_GELU_ERF,  /* c = gelu(acc + bias), erf form */
    MEMO_EPILOGUE_GELU_TANH, /* c = gelu(acc + bias), tanh form */
    MEMO_EPILOGUE_ADD,       /* c = acc + bias + residual */
} memo_epilogue;

/* C [m, n] = A [m, k] * W' + bias, then the epilogue. */
typedef struct memo_gemm_f32 {
    size_t m, n, k;
    const float *a; /* [m, lda] */
    size_t lda;
    const float *w;      /* packed panels, 64-byte aligned */
    size_t panel_stride; /* floats from one panel to the next: at least k * 16 */
    const float *bias;   /* [n] or NULL */
    float *c;            /* [m, ldc]; columns n.. are not written */
    size_t ldc;
    memo_epilogue epilogue;
    const float *residual; /* [m, ld_residual], may be c itself; MEMO_EPILOGUE_ADD only */
    size_t ld_residual;
} memo_gemm_f32;

/* One tile of the GEMM: c [rows, n_panels * 16] = bias + the sum over k of a [rows, k] times w. */
typedef struct memo_gemm_tile {
    size_t k;
    const float *a; /* [rows, lda] */
    size_t lda;
    const float *w; /* n_panels panels, panel_stride floats apart */
    size_t panel_stride;
    const float *w_next; /* panels of a later tile, to be prefetched; in the array of w; or NULL */
    const float *bias;   /* [n_panels * 16] or NULL */
    float *c;            /* [rows, ldc], whole panels: the driver gives a buffer at ragged edges */
    size_t ldc;
} memo_gemm_tile;

/* What the bytes q of a row of activations stand for: x = scale * q + offset. The offset is the
 * middle of the row's range, so that an outlier on one side of zero does not cost the other side
 * half of its steps. */
typedef struct memo_int8_row {
    float scale, offset;
} memo_int8_row;

/* C [m, n] = (a_scale * A [m, k] + a_offset) * (w_scale * W)' + bias, then the epilogue.
 *
 * The sum over k is exact. Before the epilogue every element is
 *     fma((float)sum, a_scale * w_scale, fma(a_offset, w_scale * (float)w_sum, bias))
 * with one rounding for each operation, so all levels give the same bits; those of a GELU behind it
 * are the level's own. */
typedef struct memo_gemm_int8 {
    size_t m, n, k;             /* k: a multiple of MEMO_INT8_INPUTS, at most MEMO_INT8_MAX_K */
    const uint8_t *a;           /* [m, lda] from quantize_row_int8 of the same table */
    size_t lda;                 /* bytes */
    const memo_int8_row *a_row; /* [m] */
    const int8_t *w;            /* packed panels, 64-byte aligned */
    size_t panel_stride;        /* bytes from one panel to the next: at least k * 16 */
    const float *w_scale;       /* [n] */
    const int32_t *w_sum;       /* [n] sum of the channel's bytes */
    const float *bias;          /* [n] or NULL */
    float *c;                   /* [m, ldc]; columns n.. are not written */
    size_t ldc;
    memo_epilogue epilogue;
    const float *residual; /* as in memo_gemm_f32 */
    size_t ld_residual;
} memo_gemm_int8;

/* One tile of it: c [rows, n_panels * 16] = what the formula gives, without the epilogue. */
typedef struct memo_gemm_int8_tile {
    size_t k;
    const uint8_t *a;
    size_t lda;
    const memo_int8_row *a_row; /* [rows] */
    const int8_t *w;            /* n_panels panels, panel_stride bytes apart */
    size_t panel_stride;
    const int8_t *w_next; /* as in memo_gemm_tile */
    const float *w_scale; /* [n_panels * 16] */
    const int32_t *w_sum; /* [n_panels * 16] */
    const float *bias;    /* [n_panels * 16] or NULL */
    float *c;             /* [rows, ldc] */
    size_t ldc;
} memo_gemm_int8_tile;

typedef struct memo_kernels {
    memo_cpu cpu;

    /* rows in 1..gemm_f32_rows, n_panels in 1..gemm_f32_panels. Each element starts from its bias
     * (0 when NULL) and takes k = 0, 1, ... in order with one FMA each. */
    size_t gemm_f32_rows, gemm_f32_panels;
    void (*gemm_f32_tile)(size_t rows, size_t n_panels, const memo_gemm_tile *tile);

    /* One row of activations to bytes, in the form that this table's tile wants (signed, or plus
     * 128 for unsigned dot products), with n..n_pad the form's zero; n_pad is a multiple of 64.
     *     high, low = the greatest of x and 0, the greatest of -x and 0
     *     half = high / 2 + low / 2,  row->scale = half / 127,  row->offset = high / 2 - low / 2
     *     q = (x - offset) * (127 / half) to the nearest integer, ties to even
     * with one rounding for each operation, so that all levels agree in every bit. A row whose
     * 127 / half is infinite has scale 0 and zeros beside its offset; one with a NaN or an infinity
     * has scale NaN, offset 0 and zeros, so that it comes out of the GEMM as NaN. */
    void (*quantize_row_int8)(size_t n, size_t n_pad, const float *x, uint8_t *q,
                              memo_int8_row *row);
    size_t gemm_int8_rows, gemm_int8_panels;
    void (*gemm_int8_tile)(size_t rows, size_t n_panels, const memo_gemm_int8_tile *tile);

    /* Element-wise, in place is allowed (y == x). Errors against the exact function over all
     * finite floats, checked in tests/check. Infinities give the limit, but gelu(-inf) is NaN:
     * an overflow before it must not vanish. */
    void (*exp_f32)(size_t n, const float *x, float *y);       /* <= 1 ULP; subnormal results too */
    void (*erf_f32)(size_t n, const float *x, float *y);       /* <= 2 ULP */
    void (*tanh_f32)(size_t n, const float *x, float *y);      /* <= 2 ULP */
    void (*gelu_erf_f32)(size_t n, const float *x, float *y);  /* <= 2.5 ULP of |x| */
    void (*gelu_tanh_f32)(size_t n, const float *x, float *y); /* <= 2 ULP of |x| */
    void (*add_f32)(size_t n, const float *a, const float *b, float *y);
    void (*scale_f32)(size_t n, float s, const float *x, float *y);

    /* y = softmax(scale * x) over n >= 1 values; -inf is allowed, not in all places. In place. */
    void (*softmax_f32)(size_t n, float scale, float *x);

    /* y = (x - mean) / sqrt(var + eps) * gain + bias, population variance. y == x is allowed. */
    void (*layer_norm_f32)(size_t n, const float *x, const float *gain, const float *bias,
                           float eps, float *y);

    /* Sum of products in a fixed tree of 16 lanes. */
    float (*dot_f32)(size_t n, const float *a, const float *b);
    /* out[i] = dot(q, rows + i * stride), the same bits as dot_f32 for each row. */
    void (*dot_rows_f32)(size_t n, const float *q, const float *rows, size_t stride, size_t n_rows,
                         float *out);

    /* Transpose a block into panels: dst panel rows for keys: src [n_rows, lds] of which n_cols
     * columns become the inputs and rows become output channels (missing rows are zero).
     * dst: ceil(n_rows / 16) panels of [n_cols][16], panel_stride floats apart. */
    void (*pack_panels_f32)(size_t n_rows, size_t n_cols, const float *src, size_t lds, float *dst,
                            size_t panel_stride);
} memo_kernels;

/* The table of a level, or NULL when this build or CPU lacks it. MEMO_CPU_AUTO: the best. */
const memo_kernels *memo_kernels_for(memo_cpu cpu);

/* The GEMM driver: knows tiles and epilogues, no instruction set. Threads split rows outside. */
void memo_gemm_f32_run(const memo_kernels *kernels, const memo_gemm_f32 *gemm);
void memo_gemm_int8_run(const memo_kernels *kernels, const memo_gemm_int8 *gemm);

#endif
