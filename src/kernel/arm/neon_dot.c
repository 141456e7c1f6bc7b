// SPDX-License-Identifier: Apache-2.0
/* kernel/arm/neon_dot.c -- level neon_dot: sdot, four signed products and their sum in each lane.
 *
 * The instruction stands in assembly: clang 14 hides the intrinsic from files that are not compiled
 * for it as a whole. */
#include "kernel/levels.h"
#include "kernel/vec.h"

#if defined(__aarch64__)

#include <arm_neon.h>
#include <string.h>

#define V(name)     name##_neon_dot
#define INT8_ROWS   6 /* 6 x 4 accumulators + 4 of W leave 4 registers for broadcasts of A */
#define INT8_PANELS 1

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("arch=armv8.2-a+dotprod")
#endif

#include "kernel/entries.h"

#include "kernel/arm/vec_neon.h"

typedef struct V(weights) {
    int8x16_t q[4]; /* four channels each */
} V(weights);

KERNEL_INLINE V(weights) V(load_weights)(const int8_t *p)
{
    NEON_EACH(weights, vld1q_s8(p + 16 * i));
}

KERNEL_INLINE int32x4_t V(dot4_quarter)(int32x4_t acc, int8x16_t w, int8x16_t a)
{
    __asm__("sdot %0.4s, %1.16b, %2.16b" : "+w"(acc) : "w"(w), "w"(a));
    return acc;
}

KERNEL_INLINE V(i32) V(dot4)(V(i32) acc, V(weights) w, const uint8_t *a)
{
    int32_t four;
    memcpy(&four, a, sizeof four);
    int8x16_t x = vreinterpretq_s8_s32(vdupq_n_s32(four));
    NEON_EACH(i32, V(dot4_quarter)(acc.q[i], w.q[i], x));
}

/* The order matters: a template uses functions of those before it. */
// clang-format off
#include "kernel/template_lanes.h"
#include "kernel/template_epilogue.h"
#include "kernel/template_int8.h"
#include "kernel/template_int8_tile.h"
// clang-format on

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

static const memo_kernels V(table) = {
    .cpu = MEMO_CPU_NEON_DOT,
    .gemm = {KERNEL_FLOAT_TILES(neon, MEMO_NEON_TILE_ROWS, MEMO_NEON_TILE_PANELS),
             [MEMO_GEMM_INT8] = {INT8_ROWS, INT8_PANELS, V(memo_gemm_int8_tile)}},
    .unpack_4bit = memo_unpack_4bit_neon,
    KERNEL_BYTE_ENTRIES(neon),
    KERNEL_F32_ENTRIES(neon),
};

const memo_kernels *const memo_kernels_neon_dot = &V(table);

#undef V
#undef INT8_ROWS
#undef INT8_PANELS
#undef NEON_EACH

#else

const memo_kernels *const memo_kernels_neon_dot = NULL;

#endif
