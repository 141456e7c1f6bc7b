// SPDX-License-Identifier: Apache-2.0
/* kernel/arm/neon.c -- level neon: what every 64-bit ARM has; the 16 lanes of the templates are four
 * registers. */
#include "kernel/levels.h"
#include "kernel/vec.h"

#if defined(__aarch64__)

#include <arm_neon.h>
#include <float.h>
#include <math.h>
#include <string.h>

#define V(name)     name##_neon
#define TILE_ROWS   MEMO_NEON_TILE_ROWS /* 6 x 4 accumulators + 4 of W leave 4 for broadcasts */
#define TILE_PANELS MEMO_NEON_TILE_PANELS
#define DOT_ROWS    4
#define INT8_ROWS   4 /* 4 x 4 accumulators, 4 of W and temporaries */
#define INT8_PANELS 1
#define INT8_ZERO   0

#include "kernel/arm/vec_neon.h"

typedef struct V(weights) {
    int8x16_t q[4]; /* four channels each */
} V(weights);

KERNEL_INLINE V(weights) V(load_weights)(const int8_t *p)
{
    NEON_EACH(weights, vld1q_s8(p + 16 * i));
}

/* A pair of products is at most 2 * 127 * 127 = 32258, so the 16-bit sums hold it. */
KERNEL_INLINE int32x4_t V(dot4_quarter)(int32x4_t acc, int8x16_t w, int8x16_t a)
{
    int16x8_t low = vmull_s8(vget_low_s8(w), vget_low_s8(a));
    return vpadalq_s16(acc, vpaddq_s16(low, vmull_high_s8(w, a)));
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
#include "kernel/template_math.h"
#include "kernel/template_rows.h"
#include "kernel/template_gemm.h"
#include "kernel/template_quantize.h"
#include "kernel/template_int8.h"
#include "kernel/template_int8_tile.h"
// clang-format on

static const memo_kernels V(table) = {
    .cpu = MEMO_CPU_NEON,
    .gemm_f32_rows = TILE_ROWS,
    .gemm_f32_panels = TILE_PANELS,
    .gemm_f32_tile = V(memo_gemm_f32_tile),
    .quantize_row_int8 = V(memo_quantize_row_int8),
    .gemm_int8_rows = INT8_ROWS,
    .gemm_int8_panels = INT8_PANELS,
    .gemm_int8_tile = V(memo_gemm_int8_tile),
    KERNEL_F32_ENTRIES(neon),
};

const memo_kernels *const memo_kernels_neon = &V(table);

#undef V
#undef TILE_ROWS
#undef TILE_PANELS
#undef DOT_ROWS
#undef INT8_ROWS
#undef INT8_PANELS
#undef INT8_ZERO
#undef NEON_EACH

#else

const memo_kernels *const memo_kernels_neon = NULL;

#endif
