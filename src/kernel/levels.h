// SPDX-License-Identifier: Apache-2.0
/* kernel/levels.h -- the tables of the levels, for the dispatcher, and the entries that a level
 * lends to those above it.
 *
 * One file per level defines one pointer; it is NULL where the level is not of the target
 * architecture or the compiler cannot build it. A new level is a file, a line here and a line in
 * dispatch.c. */
#ifndef MEMO_KERNEL_LEVELS_H
#define MEMO_KERNEL_LEVELS_H

#include "kernel/kernels.h"

extern const memo_kernels *const memo_kernels_ref;
extern const memo_kernels *const memo_kernels_avx2;                 /* avx2 fma bmi2 f16c */
extern const memo_kernels *const memo_kernels_avx512;               /* + avx512 f bw dq vl cd */
extern const memo_kernels *const memo_kernels_avx512vnni;           /* + avx512_vnni */
extern const memo_kernels *const memo_kernels_avx512bf16;           /* + avx512_bf16 */
extern const memo_kernels *const memo_kernels_avx512bf16_on_floats; /* where it is slow */
extern const memo_kernels *const memo_kernels_amx;                  /* + amx tile int8 bf16 */
extern const memo_kernels *const memo_kernels_neon;                 /* every 64-bit ARM */
extern const memo_kernels *const memo_kernels_neon_dot;             /* + dotprod */
extern const memo_kernels *const memo_kernels_neon_i8mm;            /* + i8mm */

/* Entries of a level in a table: its own or of a level above it. First the GEMM tiles on floats; of a
 * level with bf16_inputs, that of bf16 is another. */
#define KERNEL_FLOAT_TILES_BUT_BF16(level, rows, panels)                                           \
    [MEMO_GEMM_F32] = {rows, panels, memo_gemm_f32_tile_##level},                                  \
    [MEMO_GEMM_F16] = {rows, panels, memo_gemm_f16_tile_##level},                                  \
    [MEMO_GEMM_W8] = {rows, panels, memo_gemm_w8_tile_##level}
#define KERNEL_FLOAT_TILES(level, rows, panels)                                                    \
    KERNEL_FLOAT_TILES_BUT_BF16(level, rows, panels), [MEMO_GEMM_BF16] = {                         \
                                                          rows, panels,                            \
                                                          memo_gemm_bf16_tile_##level}

/* ... and all else on floats. */
#define KERNEL_F32_ENTRIES(level)                                                                  \
    .f16_to_f32 = memo_f16_to_f32_##level, .exp_f32 = memo_exp_f32_##level,                        \
    .erf_f32 = memo_erf_f32_##level, .tanh_f32 = memo_tanh_f32_##level,                            \
    .gelu_erf_f32 = memo_gelu_erf_f32_##level, .gelu_tanh_f32 = memo_gelu_tanh_f32_##level,        \
    .gelu_erf_fast_f32 = memo_gelu_erf_fast_f32_##level, .add_f32 = memo_add_f32_##level,          \
    .scale_rows_f32 = memo_scale_rows_f32_##level,                                                 \
    .softmax_tile_f32 = memo_softmax_tile_f32_##level,                                             \
    .layer_norm_f32 = memo_layer_norm_f32_##level, .dot_f32 = memo_dot_f32_##level,                \
    .dot_rows_f32 = memo_dot_rows_f32_##level, .pack_panels_f32 = memo_pack_panels_f32_##level

/* ... what makes bytes: of a level whose tile takes them in the same form. */
#define KERNEL_BYTE_ENTRIES(level)                                                                 \
    .quantize_row_int8 = memo_quantize_row_int8_##level,                                           \
    .quantize_static_int8 = memo_quantize_static_int8_##level

/* ... and what a level with bf16_inputs has beside its tile. */
#define KERNEL_BF16_ENTRIES(level)                                                                 \
    .bf16_inputs = 1, .softmax_tile_bf16 = memo_softmax_tile_bf16_##level,                         \
    .rows_to_bf16 = memo_rows_to_bf16_##level, .pack_panels_bf16 = memo_pack_panels_bf16_##level,  \
    .pack_inputs_bf16 = memo_pack_inputs_bf16_##level

#if defined(__x86_64__)
#define MEMO_AVX512_TILE_ROWS   12 /* of the float tiles */
#define MEMO_AVX512_TILE_PANELS 2
#define MEMO_VNNI_TILE_ROWS     8   /* of the int8 tile */
#define MEMO_VNNI_CALL_ROWS     256 /* of a call: several tiles */
#define MEMO_VNNI_4BIT_ROWS     16  /* of a GEMM whose weights stay as they are */
#define MEMO_VNNI_TILE_PANELS   2
#define V(name)                 name##_avx512
#include "kernel/entries.h"
#undef V
#define V(name) name##_avx512vnni
#include "kernel/entries.h"
#undef V
void memo_gemm_4bit_tile_avx512vnni(size_t rows, size_t n_panels, const memo_gemm_tile *tile);
#define MEMO_BF16_TILE_ROWS   12 /* of the tile on bf16 */
#define MEMO_BF16_TILE_PANELS 2
void memo_gemm_bf16_tile_avx512bf16(size_t rows, size_t n_panels, const memo_gemm_tile *tile);
void memo_softmax_tile_bf16_avx512bf16(const memo_softmax_tile *tile);
void memo_rows_to_bf16_avx512bf16(size_t n_rows, size_t n, size_t n_pad, const float *x, size_t ldx,
                                  uint16_t *y, size_t ldy);
void memo_pack_panels_bf16_avx512bf16(size_t n_rows, size_t n_cols, const float *src, size_t lds,
                                      uint16_t *dst, size_t panel_stride);
void memo_pack_inputs_bf16_avx512bf16(size_t n_rows, size_t n_cols, const float *src, size_t lds,
                                      uint16_t *dst, size_t panel_stride);
#endif

#if defined(__aarch64__)
#define MEMO_NEON_TILE_ROWS   6 /* of the float tiles */
#define MEMO_NEON_TILE_PANELS 1
#define V(name)               name##_neon
#include "kernel/entries.h"
#undef V
#endif

#endif
