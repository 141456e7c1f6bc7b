// SPDX-License-Identifier: Apache-2.0
/* nn/linear.h -- y = x W' + bias on packed weights, with what follows it fused into the GEMM.
 *
 *   f32, f16            the input is float
 *   bf16                float or bf16, as the level likes it
 *   int8, int4, lut4    activations dynamic: each row becomes bytes with a scale and an offset of
 *                       its own, which depend on that row alone; static: with those of the layer;
 *                       none: the input is float
 *
 * int4 and lut4 become int8 panel by panel and run as that. */
#ifndef MEMO_NN_LINEAR_H
#define MEMO_NN_LINEAR_H

#include <memolith/model.h>

#include "kernel/kernels.h"

/* A view: weights belong to the model (quant/pack.h). Classes int8, int4 and lut4 have what they need of
 * the side data. */
typedef struct memo_linear {
    memo_class cls;
    memo_activations activations; /* int8, int4, lut4 */
    size_t n_in, n_out;
    const void *panels;  /* 64-byte aligned */
    size_t panel_stride; /* bytes from one panel to the next */
    size_t group;        /* int8: inputs with one scale, 0: all */
    const float *scale;  /* [n_groups, n_out] */
    const int32_t *sum;  /* [n_groups, n_out] of each channel's bytes; not with activations none */
    size_t block;        /* int4: inputs with one multiplier */
    const uint8_t *multiplier; /* int4: [n_panels, n_blocks, 16] */
    const int8_t *palette;     /* lut4: [n_panels, 2, 16] */
    const float *input;        /* activations static: scale and offset of the input's bytes */
    const float *bias;         /* [n_out] or NULL */
} memo_linear;

/* Rows of activations with a stride; `ld` in floats. */
typedef struct memo_rows {
    float *data; /* [n_rows, ld] */
    size_t ld;
} memo_rows;

/* Scratch of linear layers: the input in the form that a class wants, and unpacked weights. */
typedef struct memo_linear_room {
    uint8_t *input;      /* [n_rows * memo_linear_room_row(n_in)], 64-byte aligned */
    memo_int8_row *rows; /* [n_rows] */
    int8_t *unpacked;    /* [memo_linear_room_unpacked(n_in)], 64-byte aligned */
} memo_linear_room;

/* Bytes for layers of at most n_in inputs, of every class; n_in at most SIZE_MAX / 64. */
size_t memo_linear_room_row(size_t n_in);
size_t memo_linear_room_unpacked(size_t n_in);

/* Whether the layer's input becomes bytes, in which small errors vanish. */
int memo_linear_takes_bytes(const memo_linear *linear);

/* memo_linear_prepare() -- one row of x [n_in] into the room as row number `row`, in the form that
 * the layer wants: bytes or bf16; layers on floats read x itself, and nothing is done. */
void memo_linear_prepare(const memo_kernels *kernels, const memo_linear *linear, const float *x,
                         size_t row, memo_linear_room room);

/* memo_linear_run() -- y [n_rows, n_out] = epilogue(x [n_rows, n_in] W' + bias) of rows that were
 * prepared. MEMO_EPILOGUE_ADD adds what y holds. Allocates nothing. */
void memo_linear_run(const memo_kernels *kernels, const memo_linear *linear, size_t n_rows,
                     memo_rows x, memo_epilogue epilogue, memo_rows y, memo_linear_room room);

#endif
