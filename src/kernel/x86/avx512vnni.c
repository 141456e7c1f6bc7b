// SPDX-License-Identifier: Apache-2.0
/* kernel/x86/avx512vnni.c -- level avx512vnni: four products and their sum in one instruction.
 *
 * vpdpbusd multiplies unsigned by signed bytes. The unsigned side is the activations, stored with
 * 128 added, so a sum is 128 * w_sum too large, which the end of the tile takes back. In between it
 * may leave an int32; arithmetic modulo 2^32 does not mind, the true sum fits.
 *
 * The loop is one block of assembly: 16 sums, two rows of W and a broadcast in fixed places. From
 * intrinsics gcc 12 makes the same instructions and copies every sum twice in a turn. */
#include "kernel/levels.h"
#include "kernel/vec.h"

#if defined(__x86_64__)

#include <float.h>
#include <immintrin.h>
#include <math.h>
#include <string.h>

#define V(name)     name##_avx512vnni
#define INT8_ZERO   0x80
#define INT8_ROWS   MEMO_VNNI_TILE_ROWS
#define INT8_PANELS MEMO_VNNI_TILE_PANELS

#if defined(__clang__)
#pragma clang attribute push(                                                                      \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512cd,avx512vnni,"                \
                          "fma,avx2,bmi2,f16c"))),                                                 \
    apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512cd,avx512vnni,fma,avx2,bmi2,f16c")
#endif

#include "kernel/x86/vec_avx512.h"

/* The order matters: a template uses functions of those before it. */
// clang-format off
#include "kernel/template_lanes.h"
#include "kernel/template_epilogue.h"
#include "kernel/template_quantize.h"
#include "kernel/template_int8.h"
// clang-format on

/* Four inputs of row r: broadcast, then into its sums of both panels, whose weights are in w0 and w1.
 * at: byte offset in A. */
#define VNNI_ROW(r, at, w0, w1, address)                                                           \
    "vpbroadcastd " at "(" address "), %%zmm31\n\t"                                                \
    "vpdpbusd %%" w0 ", %%zmm31, %[s" #r "0]\n\t"                                                  \
    "vpdpbusd %%" w1 ", %%zmm31, %[s" #r "1]\n\t"

/* Addresses of rows 0..7 from a, its fifth row and one or three times lda. */
// clang-format off
#define VNNI_ROWS_1(at, w0, w1) VNNI_ROW(0, at, w0, w1, "%[a]")
#define VNNI_ROWS_2(at, w0, w1) VNNI_ROWS_1(at, w0, w1) VNNI_ROW(1, at, w0, w1, "%[a],%[lda]")
#define VNNI_ROWS_3(at, w0, w1) VNNI_ROWS_2(at, w0, w1) VNNI_ROW(2, at, w0, w1, "%[a],%[lda],2")
#define VNNI_ROWS_4(at, w0, w1) VNNI_ROWS_3(at, w0, w1) VNNI_ROW(3, at, w0, w1, "%[a],%[lda3]")
#define VNNI_ROWS_5(at, w0, w1) VNNI_ROWS_4(at, w0, w1) VNNI_ROW(4, at, w0, w1, "%[a],%[lda],4")
#define VNNI_ROWS_6(at, w0, w1) VNNI_ROWS_5(at, w0, w1) VNNI_ROW(5, at, w0, w1, "%[a5]")
#define VNNI_ROWS_7(at, w0, w1) VNNI_ROWS_6(at, w0, w1) VNNI_ROW(6, at, w0, w1, "%[a],%[lda3],2")
#define VNNI_ROWS_8(at, w0, w1) VNNI_ROWS_7(at, w0, w1) VNNI_ROW(7, at, w0, w1, "%[a5],%[lda],2")
// clang-format on

/* Four inputs of all rows; those of a later tile are prefetched. w_at: byte offset in a panel. */
#define VNNI_STEP(rows, at, w_at)                                                                  \
    "vmovdqu64 " w_at "(%[w]), %%zmm29\n\t"                                                        \
    "vmovdqu64 " w_at "(%[w],%[stride]), %%zmm30\n\t"                                              \
    "prefetcht1 " w_at "(%[w],%[ahead0])\n\t"                                                      \
    "prefetcht1 " w_at "(%[w],%[ahead1])\n\t" VNNI_ROWS_##rows(at, "zmm29", "zmm30")

#define VNNI_ZERO(r)                                                                               \
    "vpxord %[s" #r "0], %[s" #r "0], %[s" #r "0]\n\t"                                             \
    "vpxord %[s" #r "1], %[s" #r "1], %[s" #r "1]\n\t"

#define VNNI_SUM(r) [s##r##0] "=&v"(sum[r][0]), [s##r##1] "=&v"(sum[r][1])

/* The sums of panel p to floats. One panel runs as a pair of the same, whose second sums are left. */
KERNEL_INLINE void vnni_finish(const size_t rows, const size_t p, __m512i (*sum)[INT8_PANELS],
                               const memo_gemm_tile *t)
{
    V(channels) channels = V(load_channels)(t, p);
    __m512i excess = _mm512_slli_epi32(_mm512_loadu_si512(t->w_sum + p * MEMO_PANEL), 7);
    __m512 c[INT8_ROWS];
    KERNEL_UNROLL
    for (size_t r = 0; r < rows; r++)
        c[r] = V(dequantize)(_mm512_sub_epi32(sum[r][p], excess), t, r, p, channels);
    V(tile_store)(rows, p, c, t);
}

// clang-format off
/* k is a multiple of 32, so two steps of four inputs a turn come out even. */
#define VNNI_TILE(rows)                                                                            \
    static void vnni_tile_##rows(size_t n_panels, const memo_gemm_tile *t)                    \
    {                                                                                              \
        __m512i sum[INT8_ROWS][INT8_PANELS];                                                       \
        const uint8_t *a = t->a, *a5 = rows > 5 ? a + 5 * t->lda : a;                              \
        const int8_t *w = t->w, *next = t->w_next;                                                 \
        size_t stride = n_panels == INT8_PANELS ? t->panel_stride : 0, left = t->k / 8;            \
        size_t ahead = next ? (size_t)(next - w) : 0;                                              \
        __asm__ volatile(                                                                          \
            VNNI_ZERO(0) VNNI_ZERO(1) VNNI_ZERO(2) VNNI_ZERO(3)                                    \
            VNNI_ZERO(4) VNNI_ZERO(5) VNNI_ZERO(6) VNNI_ZERO(7)                                    \
            "testq %[left], %[left]\n\t"                                                           \
            "jz 2f\n"                                                                              \
            ".p2align 4\n"                                                                         \
            "1:\n\t"                                                                               \
            VNNI_STEP(rows, "0", "0")                                                              \
            VNNI_STEP(rows, "4", "64")                                                             \
            "addq $8, %[a]\n\t"                                                                    \
            "addq $8, %[a5]\n\t"                                                                   \
            "addq $128, %[w]\n\t"                                                                  \
            "decq %[left]\n\t"                                                                     \
            "jnz 1b\n"                                                                             \
            "2:"                                                                                   \
            : VNNI_SUM(0), VNNI_SUM(1), VNNI_SUM(2), VNNI_SUM(3), VNNI_SUM(4), VNNI_SUM(5),        \
              VNNI_SUM(6), VNNI_SUM(7), [a] "+r"(a), [a5] "+r"(a5), [w] "+r"(w), [left] "+r"(left) \
            : [lda] "r"(t->lda), [lda3] "r"(3 * t->lda), [stride] "r"(stride),                     \
              [ahead0] "r"(ahead), [ahead1] "r"(ahead + stride)                                    \
            : "memory", "cc", "xmm29", "xmm30", "xmm31");                                          \
        vnni_finish(rows, 0, sum, t);                                                              \
        if (n_panels == INT8_PANELS)                                                               \
            vnni_finish(rows, 1, sum, t);                                                          \
    }

VNNI_TILE(1) VNNI_TILE(2) VNNI_TILE(3) VNNI_TILE(4)
VNNI_TILE(5) VNNI_TILE(6) VNNI_TILE(7) VNNI_TILE(8)

static void (*const vnni_tiles[INT8_ROWS])(size_t, const memo_gemm_tile *) = {
    vnni_tile_1, vnni_tile_2, vnni_tile_3, vnni_tile_4,
    vnni_tile_5, vnni_tile_6, vnni_tile_7, vnni_tile_8,
};
// clang-format on

/* Many rows at once, as equal as can be: what stands around a tile then costs little beside it. */
KERNEL_INLINE void vnni_run_tiles(void (*const *tiles)(size_t, const memo_gemm_tile *), size_t rows,
                                  size_t n_panels, const memo_gemm_tile *tile)
{
    size_t n_tiles = (rows + INT8_ROWS - 1) / INT8_ROWS, step = (rows + n_tiles - 1) / n_tiles;
    memo_gemm_tile t = *tile;
    for (size_t row = 0; row < rows; row += step) {
        size_t n = rows - row < step ? rows - row : step;
        tiles[n - 1](n_panels, &t);
        t.a = (const uint8_t *)t.a + n * t.lda;
        t.a_row += n;
        t.c += n * t.ldc;
        if (t.residual)
            t.residual += n * t.ld_residual;
        t.w_next = NULL; /* the first tile has fetched them */
    }
}

void V(memo_gemm_int8_tile)(size_t rows, size_t n_panels, const memo_gemm_tile *tile)
{
    vnni_run_tiles(vnni_tiles, rows, n_panels, tile);
}

#include "kernel/x86/template_vnni_4bit.h"

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

static const memo_kernels avx512vnni_table = {
    .cpu = MEMO_CPU_AVX512VNNI,
    .gemm = {KERNEL_FLOAT_TILES(avx512, MEMO_AVX512_TILE_ROWS, MEMO_AVX512_TILE_PANELS),
             [MEMO_GEMM_INT8] = {MEMO_VNNI_CALL_ROWS, INT8_PANELS, V(memo_gemm_int8_tile)}},
    .gemm_4bit = {MEMO_VNNI_4BIT_ROWS, INT8_PANELS, V(memo_gemm_4bit_tile)},
    .unpack_4bit = memo_unpack_4bit_avx512,
    KERNEL_BYTE_ENTRIES(avx512vnni),
    KERNEL_F32_ENTRIES(avx512),
};

const memo_kernels *const memo_kernels_avx512vnni = &avx512vnni_table;

#undef V
#undef INT8_ZERO
#undef INT8_ROWS
#undef INT8_PANELS

#else

const memo_kernels *const memo_kernels_avx512vnni = NULL;

#endif
