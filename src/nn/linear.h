// SPDX-License-Identifier: Apache-2.0
/* nn/linear.h -- y = x W' + bias on packed weights, with what follows it fused into the GEMM. */
#ifndef MEMO_NN_LINEAR_H
#define MEMO_NN_LINEAR_H

#include "kernel/kernels.h"

/* A view: weights belong to the model, class f32 (quant/pack.h). */
typedef struct memo_linear {
    size_t n_in, n_out;
    const float *panels; /* 64-byte aligned */
    size_t panel_stride; /* floats from one panel to the next */
    const float *bias;   /* [n_out] or NULL */
} memo_linear;

/* Rows of activations with a stride; `ld` in floats. */
typedef struct memo_rows {
    float *data; /* [n_rows, ld] */
    size_t ld;
} memo_rows;

/* y [n_rows, n_out] = epilogue(x [n_rows, n_in] W' + bias). MEMO_EPILOGUE_ADD adds what y holds. */
static inline void memo_linear_run(const memo_kernels *kernels, const memo_linear *linear,
                                   size_t n_rows, memo_rows x, memo_epilogue epilogue, memo_rows y)
{
    memo_gemm_f32 gemm = {
        .m = n_rows,
        .n = linear->n_out,
        .k = linear->n_in,
        .a = x.data,
        .lda = x.ld,
        .w = linear->panels,
        .panel_stride = linear->panel_stride,
        .bias = linear->bias,
        .c = y.data,
        .ldc = y.ld,
        .epilogue = epilogue,
        .residual = y.data,
        .ld_residual = y.ld,
    };
    memo_gemm_f32_run(kernels, &gemm);
}

#endif
