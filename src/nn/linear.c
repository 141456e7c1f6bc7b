// SPDX-License-Identifier: Apache-2.0
#include "nn/linear.h"

#include "base/checked.h"

/* One cache line more than the values, as for rows of floats: strides of a power of two would put
 * the rows of a tile into the same few sets of the first-level cache. */
#define LINEAR_ROW_GAP ((size_t)64)

size_t memo_linear_row_bytes(size_t n_in)
{
    return memo_round_up(n_in, MEMO_INT8_INPUTS) + LINEAR_ROW_GAP;
}

static void linear_run_f32(const memo_kernels *kernels, const memo_linear *linear, size_t n_rows,
                           memo_rows x, memo_epilogue epilogue, memo_rows y)
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

static void linear_run_int8(const memo_kernels *kernels, const memo_linear *linear, size_t n_rows,
                            memo_rows x, memo_epilogue epilogue, memo_rows y, memo_linear_room room)
{
    size_t k = memo_round_up(linear->n_in, MEMO_INT8_INPUTS);
    size_t row_bytes = memo_linear_row_bytes(linear->n_in);
    memo_gemm_int8 gemm = {
        .m = n_rows,
        .n = linear->n_out,
        .k = k,
        .a = room.bytes,
        .lda = row_bytes,
        .a_row = room.rows,
        .w = linear->panels,
        .panel_stride = linear->panel_stride,
        .w_scale = linear->scale,
        .w_sum = linear->sum,
        .bias = linear->bias,
        .c = y.data,
        .ldc = y.ld,
        .epilogue = epilogue,
        .residual = y.data,
        .ld_residual = y.ld,
    };

    for (size_t r = 0; r < n_rows; r++)
        kernels->quantize_row_int8(linear->n_in, k, x.data + r * x.ld, room.bytes + r * row_bytes,
                                   &room.rows[r]);
    memo_gemm_int8_run(kernels, &gemm);
}

void memo_linear_run(const memo_kernels *kernels, const memo_linear *linear, size_t n_rows,
                     memo_rows x, memo_epilogue epilogue, memo_rows y, memo_linear_room room)
{
    if (linear->cls == MEMO_CLASS_INT8)
        linear_run_int8(kernels, linear, n_rows, x, epilogue, y, room);
    else
        linear_run_f32(kernels, linear, n_rows, x, epilogue, y);
}
