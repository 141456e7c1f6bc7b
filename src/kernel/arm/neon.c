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

KERNEL_INLINE V(f32) V(load_f16)(const uint16_t *p)
{
    NEON_EACH(f32, vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p + 4 * i))));
}

KERNEL_INLINE V(f32) V(load_bf16)(const void *p, const size_t half)
{
    const uint32_t *pairs = p, high = 0xFFFF0000u;
    NEON_EACH(f32,
              vreinterpretq_f32_u32(half ? vandq_u32(vld1q_u32(pairs + 4 * i), vdupq_n_u32(high))
                                         : vshlq_n_u32(vld1q_u32(pairs + 4 * i), 16)));
}

KERNEL_INLINE V(f32) V(load_int8)(const void *p, const size_t byte)
{
    const int32_t *quads = p;
    int32x4_t up = vdupq_n_s32((int32_t)(24 - 8 * byte));
    NEON_EACH(f32, vcvtq_f32_s32(vshrq_n_s32(vshlq_s32(vld1q_s32(quads + 4 * i), up), 24)));
}

typedef struct V(bytes) {
    uint8x16_t q[4];
} V(bytes);

KERNEL_INLINE V(bytes) V(load_quads)(const void *p)
{
    NEON_EACH(bytes, vld1q_u8((const uint8_t *)p + 16 * i));
}

KERNEL_INLINE void V(store_quads)(void *p, V(bytes) a)
{
    KERNEL_UNROLL
    for (size_t i = 0; i < 4; i++)
        vst1q_u8((uint8_t *)p + 16 * i, a.q[i]);
}

KERNEL_INLINE V(bytes) V(nibbles)(V(bytes) a, const size_t high)
{
    NEON_EACH(bytes, high ? vshrq_n_u8(a.q[i], 4) : vandq_u8(a.q[i], vdupq_n_u8(15)));
}

KERNEL_INLINE V(bytes) V(spread)(const uint8_t *p)
{
    uint8x16_t all = vld1q_u8(p);
    uint8x16_t first = vreinterpretq_u8_u32(vmulq_n_u32(
        vreinterpretq_u32_u8((uint8x16_t){0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0}),
        0x01010101));
    NEON_EACH(bytes, vqtbl1q_u8(all, vaddq_u8(first, vdupq_n_u8((uint8_t)(4 * i)))));
}

KERNEL_INLINE V(bytes) V(times)(V(bytes) nibbles, V(bytes) multiplier)
{
    uint8x16_t eight = vdupq_n_u8(8); /* modulo 256 the sign does not matter */
    NEON_EACH(bytes, vmulq_u8(vsubq_u8(veorq_u8(nibbles.q[i], eight), eight), multiplier.q[i]));
}

KERNEL_INLINE V(bytes) V(load_palettes)(const int8_t *p)
{
    NEON_EACH(bytes, vreinterpretq_u8_s8(vld1q_s8(p + i / 2 * 16)));
}

KERNEL_INLINE V(bytes) V(look_up)(V(bytes) palettes, V(bytes) nibbles)
{
    NEON_EACH(bytes, vqtbl1q_u8(palettes.q[i], nibbles.q[i]));
}

/* The order matters: a template uses functions of those before it. */
// clang-format off
#include "kernel/template_lanes.h"
#include "kernel/template_math.h"
#include "kernel/template_rows.h"
#include "kernel/template_softmax.h"
#include "kernel/template_epilogue.h"
#include "kernel/template_gemm.h"
#include "kernel/template_quantize.h"
#include "kernel/template_int8.h"
#include "kernel/template_int8_tile.h"
#include "kernel/template_unpack.h"
// clang-format on

static const memo_kernels V(table) = {
    .cpu = MEMO_CPU_NEON,
    .gemm = {KERNEL_FLOAT_TILES(neon, TILE_ROWS, TILE_PANELS), [MEMO_GEMM_INT8] =
                                                                   {INT8_ROWS, INT8_PANELS,
                                                                    V(memo_gemm_int8_tile)}},
    .unpack_4bit = memo_unpack_4bit_neon,
    KERNEL_BYTE_ENTRIES(neon),
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
