// SPDX-License-Identifier: Apache-2.0
/* kernel/x86/avx512.c -- level avx512: one register is the 16 lanes of the templates. */
#include "kernel/levels.h"
#include "kernel/vec.h"

#if defined(__x86_64__)

#include <float.h>
#include <immintrin.h>
#include <math.h>
#include <string.h>

#define V(name) name##_avx512
#define TILE_ROWS                                                                                  \
    MEMO_AVX512_TILE_ROWS /* 12 x 2 accumulators + 2 of W leave 6 registers for broadcasts of A */
#define TILE_PANELS MEMO_AVX512_TILE_PANELS
#define DOT_ROWS    4
#define INT8_ROWS   8 /* 8 x 2 accumulators, and no more than 8 temporaries beside |W| */
#define INT8_ZERO   0
#define INT8_PANELS 2

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512cd,"  \
                                                   "fma,avx2,bmi2,f16c"))),                        \
                             apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512cd,fma,avx2,bmi2,f16c")
#endif

#include "kernel/x86/vec_avx512.h"

/* The unsigned side of the products is |w|; its sign goes to the inputs. */
typedef struct V(weights) {
    __m512i abs;
    __mmask64 negative;
} V(weights);

KERNEL_INLINE V(weights) V(load_weights)(const int8_t *p)
{
    __m512i w = _mm512_loadu_si512(p);
    return (V(weights)){_mm512_abs_epi8(w), _mm512_movepi8_mask(w)};
}

/* A pair of products is at most 2 * 127 * 127 = 32258, so the 16-bit sum never saturates. */
KERNEL_INLINE V(i32) V(dot4)(V(i32) acc, V(weights) w, const uint8_t *a)
{
    int32_t four;
    memcpy(&four, a, sizeof four);
    __m512i x = _mm512_set1_epi32(four);
    x = _mm512_mask_sub_epi8(x, w.negative, _mm512_setzero_si512(), x);
    __m512i pairs = _mm512_maddubs_epi16(w.abs, x);
    VEC_ADD_I32(acc, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)));
    return acc;
}

typedef __m512i V(bytes);

KERNEL_INLINE V(bytes) V(load_quads)(const void *p)
{
    return _mm512_loadu_si512(p);
}

KERNEL_INLINE void V(store_quads)(void *p, V(bytes) a)
{
    _mm512_storeu_si512(p, a);
}

KERNEL_INLINE V(bytes) V(nibbles)(V(bytes) a, const size_t i)
{
    return _mm512_and_si512(i ? _mm512_srli_epi16(a, 4) : a, _mm512_set1_epi8(15));
}

KERNEL_INLINE V(bytes) V(spread)(const uint8_t *p)
{
    __m512i each = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)p));
    return _mm512_mullo_epi32(each, _mm512_set1_epi32(0x01010101));
}

/* (n + 8) * m is below 256, so the two products in a word do not meet; then 8 * m off each. */
KERNEL_INLINE V(bytes) V(times)(V(bytes) nibbles, V(bytes) multiplier)
{
    __m512i up = _mm512_xor_si512(nibbles, _mm512_set1_epi8(8));
    __m512i products = _mm512_mullo_epi16(up, _mm512_and_si512(multiplier, _mm512_set1_epi16(255)));
    return _mm512_sub_epi8(products, _mm512_slli_epi16(multiplier, 3));
}

KERNEL_INLINE V(bytes) V(load_palettes)(const int8_t *p)
{
    __m256i both = _mm256_loadu_si256((const __m256i *)(const void *)p);
    return _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 1, 0, 1, 2, 3, 2, 3),
                                    _mm512_castsi256_si512(both));
}

KERNEL_INLINE V(bytes) V(look_up)(V(bytes) palettes, V(bytes) nibbles)
{
    return _mm512_shuffle_epi8(palettes, nibbles);
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

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

static const memo_kernels V(table) = {
    .cpu = MEMO_CPU_AVX512,
    .gemm = {KERNEL_FLOAT_TILES(avx512, TILE_ROWS, TILE_PANELS), [MEMO_GEMM_INT8] =
                                                                     {INT8_ROWS, INT8_PANELS,
                                                                      V(memo_gemm_int8_tile)}},
    .unpack_4bit = memo_unpack_4bit_avx512,
    KERNEL_BYTE_ENTRIES(avx512),
    KERNEL_F32_ENTRIES(avx512),
};

const memo_kernels *const memo_kernels_avx512 = &V(table);

#undef V
#undef TILE_ROWS
#undef TILE_PANELS
#undef DOT_ROWS
#undef INT8_ROWS
#undef INT8_PANELS
#undef INT8_ZERO

#else

const memo_kernels *const memo_kernels_avx512 = NULL;

#endif
