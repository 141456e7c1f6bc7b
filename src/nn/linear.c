// SPDX-License-Identifier: Apache-2.0
#include "nn/linear.h"

#include "base/checked.h"

/* One cache line more than the values, as for rows of floats: strides of a power of two would put
 * the rows of a tile into the same few sets of the first-level cache. */
#define LINEAR_ROW_GAP ((size_t)64)

/* Inputs of packed weights are padded to a multiple of this. */
#define LINEAR_INPUTS ((size_t)64)

size_t memo_linear_room_row(size_t n_in)
{
    return sizeof(uint16_t) * memo_round_up(n_in, LINEAR_INPUTS) + LINEAR_ROW_GAP;
}

size_t memo_linear_room_unpacked(size_t n_in)
{
    return MEMO_TILE_COLS * memo_round_up(n_in, LINEAR_INPUTS);
}

/* The kind of GEMM that a layer runs. */
static memo_gemm_kind linear_kind(const memo_linear *linear)
{
    switch (linear->cls) {
    case MEMO_CLASS_F16:
        return MEMO_GEMM_F16;
    case MEMO_CLASS_BF16:
        return MEMO_GEMM_BF16;
    case MEMO_CLASS_INT8:
    case MEMO_CLASS_INT4:
    case MEMO_CLASS_LUT4:
        return linear->activations == MEMO_ACTIVATIONS_NONE ? MEMO_GEMM_W8 : MEMO_GEMM_INT8;
    case MEMO_CLASS_F32:
        break;
    }
    return MEMO_GEMM_F32;
}

int memo_linear_takes_bytes(const memo_linear *linear)
{
    return linear_kind(linear) == MEMO_GEMM_INT8;
}

/* Bytes from one prepared row to the next. */
static size_t linear_ld(const memo_linear *linear, memo_gemm_kind kind)
{
    size_t width = kind == MEMO_GEMM_BF16 ? sizeof(uint16_t) : 1;
    return width * memo_round_up(linear->n_in, LINEAR_INPUTS) + LINEAR_ROW_GAP;
}

void memo_linear_prepare(const memo_kernels *kernels, const memo_linear *linear, const float *x,
                         size_t row, memo_linear_room room)
{
    memo_gemm_kind kind = linear_kind(linear);
    size_t n_pad = memo_round_up(linear->n_in, LINEAR_INPUTS);

    uint8_t *to = room.input + row * linear_ld(linear, kind);
    if (kind == MEMO_GEMM_BF16 && kernels->bf16_inputs)
        kernels->rows_to_bf16(1, linear->n_in, n_pad, x, 0, (uint16_t *)(void *)to, 0);
    if (kind != MEMO_GEMM_INT8)
        return;
    if (linear->activations == MEMO_ACTIVATIONS_STATIC) {
        room.rows[row] = (memo_int8_row){linear->input[0], linear->input[1]};
        kernels->quantize_static_int8(linear->n_in, n_pad, x, to, &room.rows[row]);
    } else {
        kernels->quantize_row_int8(linear->n_in, n_pad, x, to, &room.rows[row]);
    }
}

void memo_linear_run(const memo_kernels *kernels, const memo_linear *linear, size_t n_rows,
                     memo_rows x, memo_epilogue epilogue, memo_rows y, memo_linear_room room)
{
    memo_gemm_kind kind = linear_kind(linear);
    memo_unpack unpack = {linear->multiplier, linear->block, linear->palette, linear->n_in};
    memo_gemm gemm = {
        .kind = kind,
        .m = n_rows,
        .n = linear->n_out,
        .k = linear->n_in,
        .a = x.data,
        .lda = x.ld * sizeof *x.data,
        .w = linear->panels,
        .panel_stride = linear->panel_stride,
        .group = linear->group,
        .scale = linear->scale,
        .w_sum = linear->sum,
        .bias = linear->bias,
        .c = y.data,
        .ldc = y.ld,
        .epilogue = epilogue,
        .residual = y.data,
        .ld_residual = y.ld,
    };

    if (kind == MEMO_GEMM_INT8 || (kind == MEMO_GEMM_BF16 && kernels->bf16_inputs)) {
        gemm.k = memo_round_up(linear->n_in, LINEAR_INPUTS);
        gemm.a = room.input;
        gemm.lda = linear_ld(linear, kind);
        gemm.a_row = room.rows;
    }
    if (linear->cls == MEMO_CLASS_INT4 || linear->cls == MEMO_CLASS_LUT4) {
        gemm.unpack = &unpack;
        gemm.unpacked = room.unpacked;
    }
    memo_gemm_run(kernels, &gemm);
}
