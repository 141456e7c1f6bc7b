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
 * Packed weights: a matrix W [n_out, n_in] is stored as panels of 16 output channels; panel p holds
 * rows p*16 .. p*16+15, missing channels and inputs zero, n_in_pad inputs (n_in rounded up to 64) in
 * rows of 64 bytes:
 *
 *   f32    [n_in_pad][16] floats
 *   f16    [n_in_pad / 2][2][16] IEEE binary16: two inputs, one after the other
 *   bf16   [n_in_pad / 2][16][2] the upper halves of floats: two inputs side by side
 *   int8   [n_in_pad / 4][16][4] signed bytes in -127..127: four inputs side by side
 *   4-bit  [n_in_pad / 8][16][4] pairs of nibbles: the low ones are one row of int8, the high ones the
 *          next; what they stand for is in memo_unpack
 *
 * Sixteen rows of int8 are one AMX tile, one row is one zmm, two ymm, four NEON registers.
 */
#ifndef MEMO_KERNEL_KERNELS_H
#define MEMO_KERNEL_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include <memolith/status.h>

#define MEMO_PANEL       16               /* output channels in a panel */
#define MEMO_TILE_COLS   64               /* no tile of a level has more columns */
#define MEMO_TILE_FLOATS 8192             /* nor more elements: buffers for edges have this size */
#define MEMO_INT8_INPUTS 32               /* k of the int8 kernels is a multiple of this */
#define MEMO_INT8_MAX_K  ((size_t)131072) /* so that no sum of k products leaves an int32 */

typedef enum memo_epilogue {
    MEMO_EPILOGUE_NONE,
    MEMO_EPILOGUE_GELU_ERF,  /* c = gelu(acc + bias), erf form */
    MEMO_EPILOGUE_GELU_TANH, /* c = gelu(acc + bias), tanh form */
    MEMO_EPILOGUE_ADD,       /* c = acc + bias + residual */
    /* c = gelu_erf_fast_f32(acc + bias), for outputs that quantize_row_int8 takes: its error is far
     * below a step of bytes, with half the operations. */
    MEMO_EPILOGUE_GELU_ERF_FAST,
} memo_epilogue;
#define MEMO_EPILOGUES (MEMO_EPILOGUE_GELU_ERF_FAST + 1)

/* What the bytes q of a row of activations stand for: x = scale * q + offset. The offset is the
 * middle of the row's range, so that an outlier on one side of zero does not cost the other side
 * half of its steps. */
typedef struct memo_int8_row {
    float scale, offset;
} memo_int8_row;

/* The kinds of GEMM: what A and W are, and what an element is before the epilogue. */
typedef enum memo_gemm_kind {
    /* A float, W f32: a chain of one FMA for each of k = 0, 1, ... that starts at the bias. */
    MEMO_GEMM_F32,
    /* A float, W f16: the same chain on W as float. */
    MEMO_GEMM_F16,
    /* A bf16 or float as memo_kernels.bf16_inputs says, W bf16. Float: the same chain. bf16: sums of
     * pairs of products on top of the bias, in the order and with the roundings of the level's
     * instruction; subnormals, among inputs, products and sums, may count as zeros, and the rounding
     * of a step is to nearest. |error| <= (k + 1) 2^-23 (|bias| + sum |a w|) + (k + 1) 2^-125. */
    MEMO_GEMM_BF16,
    /* A float, W int8: chain = FMAs over the bytes as floats, from 0; then fma(chain, scale, bias). */
    MEMO_GEMM_W8,
    /* A bytes of quantize_row_int8, W int8: the sum over k is exact; the element is
     *     fma((float)sum, a.scale * scale, fma(a.offset, scale * (float)w_sum, bias))
     * with one rounding for each operation, so that all levels give the same bits. */
    MEMO_GEMM_INT8,
    MEMO_GEMM_KINDS
} memo_gemm_kind;

/* W as 4-bit values: int8 rows come out of it panel by panel.
 *
 *   int4   q = nibble (-8..7) * multiplier [n_panels][n_blocks][16], 1..15; n_blocks counts padding:
 *          ceil(k_pad / block)
 *   lut4   q = palette [n_panels][2][16], for channels 0-7 and 8-15 of each panel
 *
 * Inputs from n_in on become zero: the code 0 of a palette stands for something. */
typedef struct memo_unpack {
    const uint8_t *multiplier;
    size_t block;          /* inputs with one multiplier: a multiple of 32 */
    const int8_t *palette; /* lut4; NULL: int4 */
    size_t n_in;           /* of the weights; k of the GEMM may count padding */
} memo_unpack;

/* C [m, n] = A [m, k] W' + bias, then the epilogue.
 *
 * The scale of a channel may change along k (W8 and INT8): every `group` inputs, a multiple of
 * MEMO_INT8_INPUTS. Then the element is the formula of each group in turn, on top of that before. */
typedef struct memo_gemm {
    memo_gemm_kind kind;
    size_t m, n, k; /* INT8: k is a multiple of MEMO_INT8_INPUTS, at most MEMO_INT8_MAX_K */
    const void *a;  /* [m] rows of float, of bf16 with zeros up to a multiple of 32, or of bytes */
    size_t lda;     /* bytes from one row to the next */
    const memo_int8_row *a_row; /* [m] INT8 only */
    const void *w;              /* packed panels, 64-byte aligned */
    size_t panel_stride;        /* bytes from one panel to the next */
    const memo_unpack *unpack;  /* NULL: the panels are as the kind wants them */
    void *unpacked;       /* 4-bit only: 64-byte aligned room for MEMO_TILE_COLS * k_pad bytes */
    size_t group;         /* 0: all of k */
    const float *scale;   /* [k / group rounded up, n] W8 and INT8 */
    const int32_t *w_sum; /* [k / group rounded up, n] INT8: sums of the bytes of each group */
    const float *bias;    /* [n] or NULL */
    float *c;             /* [m, ldc]; columns n.. are not written */
    size_t ldc;           /* floats */
    memo_epilogue epilogue;
    const float *residual; /* [m, ld_residual], may be c itself; MEMO_EPILOGUE_ADD only */
    size_t ld_residual;
} memo_gemm;

/* One tile of it: c [rows, n_panels * 16]. All columns are written, so at ragged edges the driver
 * gives a buffer. */
typedef struct memo_gemm_tile {
    size_t k;
    const void *a;
    size_t lda; /* bytes */
    const memo_int8_row *a_row;
    const void *w; /* n_panels panels, panel_stride bytes apart */
    size_t panel_stride;
    const void *w_next;   /* panels of a later tile, to be prefetched; in the array of w; or NULL */
    const float *scale;   /* [n_panels * 16] */
    const int32_t *w_sum; /* [n_panels * 16] */
    const float *bias;    /* [n_panels * 16] or NULL */
    int accumulate;       /* c is added to, in place of the bias: the groups after the first */
    float *c;             /* [rows, ldc] */
    size_t ldc;
    memo_epilogue epilogue;
    const float *residual; /* MEMO_EPILOGUE_ADD; may be c */
    size_t ld_residual;
    const memo_unpack *unpack; /* gemm_4bit only: what w, which is packed, stands for */
    size_t panel;              /* and the number of its first panel in the matrix */
} memo_gemm_tile;

/* How a level computes a kind: tiles of at most rows x panels; the value of an element depends on
 * neither. Every level has all kinds. */
typedef struct memo_gemm_kernel {
    size_t rows, panels;
    void (*run)(size_t rows, size_t n_panels, const memo_gemm_tile *tile);
} memo_gemm_kernel;

/* Scores of a tile of rows against a block of keys become weights, not yet divided by their sum:
 *
 *     weight = exp(scale * (x - largest))     largest: of the row, in this block and those before
 *
 * Row r has the keys from + r <= j < to + r, of those in 0 .. n_keys - 1; the weights of all others,
 * up to a multiple of 32, are zero. A row without any keeps its state, or has largest -infinity and
 * sum 0. The logarithm of all it would be divided by is scale * largest + log(sum). */
typedef struct memo_softmax_tile {
    size_t n_rows, n_keys;
    float *x;  /* [n_rows, ld] scores in, up to a multiple of 16; weights out, floats or, from the
                * start of each row, bf16 */
    size_t ld; /* floats, at least n_keys rounded up to 32 */
    ptrdiff_t from, to;
    float scale;    /* > 0 */
    int first;      /* no block before: largest and sum are written only */
    float *largest; /* [n_rows] of x */
    float *sum;     /* [n_rows] of weights, relative to largest */
    float *rescale; /* [n_rows] out: what all before must be multiplied by; 1 for the first */
} memo_softmax_tile;

typedef struct memo_kernels {
    memo_cpu cpu;

    memo_gemm_kernel gemm[MEMO_GEMM_KINDS];
    /* MEMO_GEMM_INT8 on 4-bit weights as they lie, with the bits that unpacked ones give: for a GEMM
     * of at most `rows` rows, to which unpacked panels are written for a single use. The weights have
     * all k inputs and one scale along them. rows 0: the level has none. */
    memo_gemm_kernel gemm_4bit;
    int bf16_inputs; /* A of MEMO_GEMM_BF16 is bf16, else float */

    /* One panel of 4-bit values to int8: panel number `panel` of the matrix, from `from`, k inputs;
     * writes [k_pad / 4][16][4] bytes, k_pad = k rounded up to 64. */
    void (*unpack_4bit)(const memo_unpack *unpack, size_t panel, size_t k, const uint8_t *from,
                        int8_t *to);

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
    /* The same with the scale and the offset of `row`, which are given: q = (x - offset) / scale to
     * the nearest integer, ties to even, and no less than -127 and no more than 127. A row with a NaN
     * or an infinity has scale NaN afterwards, and any bytes. */
    void (*quantize_static_int8)(size_t n, size_t n_pad, const float *x, uint8_t *q,
                                 memo_int8_row *row);
    /* y = the halves h as floats, exactly. */
    void (*f16_to_f32)(size_t n, const uint16_t *h, float *y);

    /* Element-wise, in place is allowed (y == x). Errors against the exact function over all
     * finite floats, checked in tests/check. Infinities give the limit, but gelu(-inf) is NaN:
     * an overflow before it must not vanish. */
    void (*exp_f32)(size_t n, const float *x, float *y);       /* <= 1 ULP; subnormal results too */
    void (*erf_f32)(size_t n, const float *x, float *y);       /* <= 2 ULP */
    void (*tanh_f32)(size_t n, const float *x, float *y);      /* <= 2 ULP */
    void (*gelu_erf_f32)(size_t n, const float *x, float *y);  /* <= 2.5 ULP of |x| */
    void (*gelu_tanh_f32)(size_t n, const float *x, float *y); /* <= 2 ULP of |x| */
    /* The erf form with an error of at most 2^-13.8 |x|; all levels give the same bits. */
    void (*gelu_erf_fast_f32)(size_t n, const float *x, float *y);
    void (*add_f32)(size_t n, const float *a, const float *b, float *y);
    /* y[r] = factors[r] x[r] of rows ldx and ldy floats apart; y == x with ldy == ldx is allowed. */
    void (*scale_rows_f32)(size_t n_rows, size_t n, const float *factors, const float *x,
                           size_t ldx, float *y, size_t ldy);

    /* Weights of a tile of attention, see memo_softmax_tile; exp with 1 ULP. */
    void (*softmax_tile_f32)(const memo_softmax_tile *tile);

    /* What attention and MEMO_GEMM_BF16 need where bf16_inputs is set; may be NULL elsewhere.
     *
     * The same weights as bf16: exp with 2^-18 (and what rounding its argument costs), then 2^-8, or
     * zero below 2^-126; the sum is that of the values before they are rounded to bf16. */
    void (*softmax_tile_bf16)(const memo_softmax_tile *tile);
    /* Rows of n values to nearest, ties to even; subnormals may become zeros. n .. n_pad - 1 of each
     * row of y are zero. ldx and ldy: elements from one row to the next. */
    void (*rows_to_bf16)(size_t n_rows, size_t n, size_t n_pad, const float *x, size_t ldx,
                         uint16_t *y, size_t ldy);
    /* As pack_panels_f32, to bf16, with zeros for the inputs up to a multiple of 32:
     * [n_cols_pad / 2][16][2]. panel_stride in elements. */
    void (*pack_panels_bf16)(size_t n_rows, size_t n_cols, const float *src, size_t lds,
                             uint16_t *dst, size_t panel_stride);
    /* The other way round: columns of src become output channels and rows inputs, with zeros for
     * the rows up to a multiple of 32: ceil(n_cols / 16) panels of [n_rows_pad / 2][16][2]. */
    void (*pack_inputs_bf16)(size_t n_rows, size_t n_cols, const float *src, size_t lds,
                             uint16_t *dst, size_t panel_stride);

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
void memo_gemm_run(const memo_kernels *kernels, const memo_gemm *gemm);

#endif
