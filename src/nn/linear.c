// SPDX-License-Identifier: Apache-2.0
#include "nn/linear.h"

#include "base/checked.h"

/* One cache line more than the values, as for rows of floats: strides of a power of two would put
 * the rows of a tile into the same few sets of the first-level cache. */
#define LINEAR_ROW_GAP ((size_t)64)

/* Inputs of packed weights are padded to a multiple of this. */
#define LINEAR_INPUTS ((size_t)64)

size_t memo_linear_row_bytes(size_t n_in)
{
    return memo_round_up(n_in, LINEAR_INPUTS) + LINEAR_ROW_GAP;
}

/* What all classes have in common. */
static memo_gemm linear_gemm(const memo_linear *linear, memo_gemm_kind kind, size_t n_rows,
                             memo_epilogue epilogue, memo_rows y)
{
    return (memo_gemm){
        .kind = kind,
        .m = n_rows,
        .n = linear->n_out,
        .k = linear->n_in,
        .w = linear->panels,
        .panel_stride = linear->panel_stride,
        .bias = linear->bias,
        .c = y.data,
        .ldc = y.ld,
        .epilogue = epilogue,
        .residual = y.data,
        .ld_residual = y.ld,
    };
}

static void linear_run_f32(const memo_kernels *kernels, const memo_linear *linear, size_t n_rows,
                           memo_rows x, memo_epilogue epilogue, memo_rows y)
{
    memo_gemm gemm = linear_gemm(linear, MEMO_GEMM_F32, n_rows, epilogue, y);

    gemm.a = x.data;
    gemm.lda = x.ld * sizeof *x.data;
    memo_gemm_run(kernels, &gemm);
}

static void linear_run_int8(const memo_kernels *kernels, const memo_linear *linear, size_t n_rows,
                            memo_rows x, memo_epilogue epilogue, memo_rows y, memo_linear_room room)
{
    memo_gemm gemm = linear_gemm(linear, MEMO_GEMM_INT8, n_rows, epilogue, y);

    gemm.k = memo_round_up(linear->n_in, LINEAR_INPUTS);
    gemm.a = room.bytes;
    gemm.lda = memo_linear_row_bytes(linear->n_in);
    gemm.a_row = room.rows;
    gemm.scale = linear->scale;
    gemm.w_sum = linear->sum;
    for (size_t r = 0; r < n_rows; r++)
        kernels->quantize_row_int8(linear->n_in, gemm.k, x.data + r * x.ld,
                                   room.bytes + r * gemm.lda, &room.rows[r]);
    memo_gemm_run(kernels, &gemm);
}

void memo_linear_run(const memo_kernels *kernels, const memo_linear *linear, size_t n_rows,
                     memo_rows x, memo_epilogue epilogue, memo_rows y, memo_linear_room room)
{
    if (linear->cls == MEMO_CLASS_INT8)
        linear_run_int8(kernels, linear, n_rows, x, epilogue, y, room);
    else
        linear_run_f32(kernels, linear, n_rows, x, epilogue, y);
}
