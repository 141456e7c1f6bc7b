// SPDX-License-Identifier: Apache-2.0
/* kernel/arm/neon_i8mm.c -- level neon_i8mm: smmla, the product of 2 x 8 by 8 x 2 signed bytes.
 *
 * Its second operand holds eight inputs of two channels. Two rows of a panel hold four inputs each,
 * so zipping them by 32 bits gives it: no packing of its own. A pair of rows of A is the first
 * operand, and a register of sums is then [row, channel], [row, channel + 1], [row + 1, channel],
 * [row + 1, channel + 1].
 *
 * The instruction stands in assembly: clang 14 hides the intrinsic from files that are not compiled
 * for it as a whole. */
#include "kernel/levels.h"
#include "kernel/vec.h"

#if defined(__aarch64__)

#include <arm_neon.h>
#include <string.h>

#define V(name)   name##_neon_i8mm
#define I8MM_ROWS 4 /* 2 x 8 accumulators, 2 of A, 2 of W and the zipped 2 leave 10 registers */

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("i8mm"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("arch=armv8.2-a+i8mm")
#endif

#include "kernel/arm/vec_neon.h"

/* The order matters: a template uses functions of those before it. */
// clang-format off
#include "kernel/template_lanes.h"
#include "kernel/template_epilogue.h"
#include "kernel/template_int8.h"
// clang-format on

KERNEL_INLINE int32x4_t i8mm_multiply(int32x4_t acc, int8x16_t a, int8x16_t w)
{
    __asm__("smmla %0.4s, %1.16b, %2.16b" : "+w"(acc) : "w"(a), "w"(w));
    return acc;
}

/* Sums of one row, 16 channels, from the eight registers of its pair. */
KERNEL_INLINE V(i32) i8mm_row(const int32x4_t *sum, const size_t second)
{
    V(i32) y;
    KERNEL_UNROLL
    for (size_t i = 0; i < 4; i++) {
        int64x2_t a = vreinterpretq_s64_s32(sum[2 * i]);
        int64x2_t b = vreinterpretq_s64_s32(sum[2 * i + 1]);
        y.q[i] = vreinterpretq_s32_s64(second ? vzip2q_s64(a, b) : vzip1q_s64(a, b));
    }
    return y;
}

KERNEL_INLINE void i8mm_finish(const size_t rows, int32x4_t (*sum)[8], const memo_gemm_tile *t)
{
    V(channels) channels = V(load_channels)(t, 0);
    V(f32) c[I8MM_ROWS];
    KERNEL_UNROLL
    for (size_t r = 0; r < rows; r++)
        c[r] = V(dequantize)(i8mm_row(sum[r / 2], r % 2), t, r, 0, channels);
    V(tile_store)(rows, 0, c, t);
}

/* An odd last row is paired with itself, whose second sums are left. */
KERNEL_INLINE void i8mm_tile(const size_t rows, const memo_gemm_tile *t)
{
    const size_t pairs = (rows + 1) / 2;
    const int8_t *w = t->w, *next = t->w_next;
    const uint8_t *first[I8MM_ROWS / 2], *second[I8MM_ROWS / 2];
    int32x4_t sum[I8MM_ROWS / 2][8];
    const size_t ahead = next ? (size_t)(next - w) : 0;
    KERNEL_UNROLL
    for (size_t p = 0; p < pairs; p++) {
        first[p] = (const uint8_t *)t->a + 2 * p * t->lda;
        second[p] = 2 * p + 1 < rows ? first[p] + t->lda : first[p];
        KERNEL_UNROLL
        for (size_t i = 0; i < 8; i++)
            sum[p][i] = vdupq_n_s32(0);
    }
    for (size_t at = 0; at < t->k; at += 8, w += 8 * MEMO_PANEL) {
        int8x16_t a[I8MM_ROWS / 2];
        KERNEL_UNROLL
        for (size_t p = 0; p < pairs; p++)
            a[p] =
                vreinterpretq_s8_u8(vcombine_u8(vld1_u8(first[p] + at), vld1_u8(second[p] + at)));
        __builtin_prefetch(w + ahead, 0, 2);
        __builtin_prefetch(w + ahead + 64, 0, 2);
        KERNEL_UNROLL
        for (size_t i = 0; i < 4; i++) {
            int32x4_t low = vreinterpretq_s32_s8(vld1q_s8(w + 16 * i));
            int32x4_t high = vreinterpretq_s32_s8(vld1q_s8(w + 64 + 16 * i));
            int8x16_t w01 = vreinterpretq_s8_s32(vzip1q_s32(low, high));
            int8x16_t w23 = vreinterpretq_s8_s32(vzip2q_s32(low, high));
            KERNEL_UNROLL
            for (size_t p = 0; p < pairs; p++) {
                sum[p][2 * i] = i8mm_multiply(sum[p][2 * i], a[p], w01);
                sum[p][2 * i + 1] = i8mm_multiply(sum[p][2 * i + 1], a[p], w23);
            }
        }
    }
    i8mm_finish(rows, sum, t);
}

static void V(gemm_int8_tile)(size_t rows, size_t n_panels, const memo_gemm_tile *tile)
{
    (void)n_panels; /* one */
    switch (rows) {
    case 1:
        i8mm_tile(1, tile);
        break;
    case 2:
        i8mm_tile(2, tile);
        break;
    case 3:
        i8mm_tile(3, tile);
        break;
    default:
        i8mm_tile(4, tile);
        break;
    }
}

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

static const memo_kernels V(table) = {
    .cpu = MEMO_CPU_NEON_I8MM,
    .gemm = {KERNEL_FLOAT_TILES(neon, MEMO_NEON_TILE_ROWS, MEMO_NEON_TILE_PANELS),
             [MEMO_GEMM_INT8] = {I8MM_ROWS, 1, V(gemm_int8_tile)}},
    .unpack_4bit = memo_unpack_4bit_neon,
    KERNEL_BYTE_ENTRIES(neon),
    KERNEL_F32_ENTRIES(neon),
};

const memo_kernels *const memo_kernels_neon_i8mm = &V(table);

#undef V
#undef I8MM_ROWS
#undef NEON_EACH

#else

const memo_kernels *const memo_kernels_neon_i8mm = NULL;

#endif
