// SPDX-License-Identifier: Apache-2.0
/* kernel/x86/avx2.c -- level avx2: the 16 lanes of the templates are a pair of registers. */
#include "kernel/levels.h"
#include "kernel/vec.h"

#if defined(__x86_64__)

#include <float.h>
#include <immintrin.h>
#include <math.h>
#include <string.h>

#define V(name)     name##_avx2
#define TILE_ROWS   6 /* 6 pairs of accumulators + 1 of W leave 2 registers for broadcasts */
#define TILE_PANELS 1
#define DOT_ROWS    4
#define INT8_ROWS   4 /* 4 pairs of accumulators, W, |W| and 4 temporaries */
#define INT8_ZERO   0
#define INT8_PANELS 1

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,bmi2,f16c"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,bmi2,f16c")
#endif

#include "kernel/entries.h"

typedef struct V(f32) {
    __m256 lo, hi;
} V(f32);

KERNEL_INLINE V(f32) V(pair)(__m256 lo, __m256 hi)
{
    return (V(f32)){lo, hi};
}

/* All ones in the lanes first .. first + 7 that are below n. */
KERNEL_INLINE __m256i V(below)(size_t n, int first)
{
    __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n - first), lane);
}

KERNEL_INLINE V(f32) V(load)(const float *p)
{
    return V(pair)(_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8));
}

KERNEL_INLINE V(f32) V(load_part)(const float *p, size_t n)
{
    return V(pair)(_mm256_maskload_ps(p, V(below)(n, 0)),
                   _mm256_maskload_ps(p + 8, V(below)(n, 8)));
}

KERNEL_INLINE void V(store)(float *p, V(f32) a)
{
    _mm256_storeu_ps(p, a.lo);
    _mm256_storeu_ps(p + 8, a.hi);
}

KERNEL_INLINE void V(store_part)(float *p, V(f32) a, size_t n)
{
    _mm256_maskstore_ps(p, V(below)(n, 0), a.lo);
    _mm256_maskstore_ps(p + 8, V(below)(n, 8), a.hi);
}

KERNEL_INLINE V(f32) V(set1)(float a)
{
    return V(pair)(_mm256_set1_ps(a), _mm256_set1_ps(a));
}

KERNEL_INLINE V(f32) V(add)(V(f32) a, V(f32) b)
{
    return V(pair)(_mm256_add_ps(a.lo, b.lo), _mm256_add_ps(a.hi, b.hi));
}

KERNEL_INLINE V(f32) V(sub)(V(f32) a, V(f32) b)
{
    return V(pair)(_mm256_sub_ps(a.lo, b.lo), _mm256_sub_ps(a.hi, b.hi));
}

KERNEL_INLINE V(f32) V(mul)(V(f32) a, V(f32) b)
{
    return V(pair)(_mm256_mul_ps(a.lo, b.lo), _mm256_mul_ps(a.hi, b.hi));
}

KERNEL_INLINE V(f32) V(div)(V(f32) a, V(f32) b)
{
    return V(pair)(_mm256_div_ps(a.lo, b.lo), _mm256_div_ps(a.hi, b.hi));
}

KERNEL_INLINE V(f32) V(fma)(V(f32) a, V(f32) b, V(f32) c)
{
    return V(pair)(_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi));
}

KERNEL_INLINE V(f32) V(min)(V(f32) a, V(f32) b)
{
    return V(pair)(_mm256_min_ps(a.lo, b.lo), _mm256_min_ps(a.hi, b.hi));
}

KERNEL_INLINE V(f32) V(max)(V(f32) a, V(f32) b)
{
    return V(pair)(_mm256_max_ps(a.lo, b.lo), _mm256_max_ps(a.hi, b.hi));
}

KERNEL_INLINE V(f32) V(round)(V(f32) a)
{
    return V(pair)(_mm256_round_ps(a.lo, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC),
                   _mm256_round_ps(a.hi, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

/* 2^n in two factors, each a normal number for |n| <= 252; the first product is exact, so a
 * subnormal result is rounded once. */
KERNEL_INLINE __m256 V(scale2_half)(__m256 a, __m256 n)
{
    __m256i whole = _mm256_cvtps_epi32(n);
    __m256i half = _mm256_srai_epi32(whole, 1);
    __m256i bias = _mm256_set1_epi32(127);
    __m256i first = _mm256_slli_epi32(_mm256_add_epi32(half, bias), 23);
    __m256i rest = _mm256_slli_epi32(_mm256_add_epi32(_mm256_sub_epi32(whole, half), bias), 23);
    a = _mm256_mul_ps(a, _mm256_castsi256_ps(first));
    return _mm256_mul_ps(a, _mm256_castsi256_ps(rest));
}

KERNEL_INLINE V(f32) V(scale2)(V(f32) a, V(f32) n)
{
    return V(pair)(V(scale2_half)(a.lo, n.lo), V(scale2_half)(a.hi, n.hi));
}

KERNEL_INLINE V(f32) V(abs)(V(f32) a)
{
    __m256 sign = _mm256_set1_ps(-0.0f);
    return V(pair)(_mm256_andnot_ps(sign, a.lo), _mm256_andnot_ps(sign, a.hi));
}

KERNEL_INLINE V(f32) V(copysign)(V(f32) a, V(f32) b)
{
    __m256 sign = _mm256_set1_ps(-0.0f);
    a = V(abs)(a);
    return V(pair)(_mm256_or_ps(a.lo, _mm256_and_ps(sign, b.lo)),
                   _mm256_or_ps(a.hi, _mm256_and_ps(sign, b.hi)));
}

KERNEL_INLINE V(f32) V(select_lt)(V(f32) a, V(f32) b, V(f32) x, V(f32) y)
{
    return V(pair)(_mm256_blendv_ps(y.lo, x.lo, _mm256_cmp_ps(a.lo, b.lo, _CMP_LT_OQ)),
                   _mm256_blendv_ps(y.hi, x.hi, _mm256_cmp_ps(a.hi, b.hi, _CMP_LT_OQ)));
}

KERNEL_INLINE float V(sum)(V(f32) a)
{
    __m256 s8 = _mm256_add_ps(a.lo, a.hi);
    __m128 s4 = _mm_add_ps(_mm256_castps256_ps128(s8), _mm256_extractf128_ps(s8, 1));
    __m128 s2 = _mm_add_ps(s4, _mm_movehl_ps(s4, s4));
    return _mm_cvtss_f32(_mm_add_ss(s2, _mm_movehdup_ps(s2)));
}

KERNEL_INLINE float V(max_lane)(V(f32) a)
{
    __m256 m8 = _mm256_max_ps(a.lo, a.hi);
    __m128 m4 = _mm_max_ps(_mm256_castps256_ps128(m8), _mm256_extractf128_ps(m8, 1));
    __m128 m2 = _mm_max_ps(m4, _mm_movehl_ps(m4, m4));
    return _mm_cvtss_f32(_mm_max_ss(m2, _mm_movehdup_ps(m2)));
}

KERNEL_INLINE void V(transpose4)(const float *src, size_t lds, float *dst, size_t ldd)
{
    vec_transpose4_x86(src, lds, dst, ldd);
}

typedef struct V(i32) {
    __m256i lo, hi;
} V(i32);

/* The unsigned side of the products is |w|; its sign goes to the inputs. */
typedef struct V(weights) {
    __m256i lo, hi, abs_lo, abs_hi;
} V(weights);

KERNEL_INLINE V(i32) V(zero_i32)(void)
{
    return (V(i32)){_mm256_setzero_si256(), _mm256_setzero_si256()};
}

KERNEL_INLINE V(i32) V(load_i32)(const int32_t *p)
{
    const __m256i *at = (const __m256i *)(const void *)p;
    return (V(i32)){_mm256_loadu_si256(at), _mm256_loadu_si256(at + 1)};
}

KERNEL_INLINE V(f32) V(to_f32)(V(i32) a)
{
    return V(pair)(_mm256_cvtepi32_ps(a.lo), _mm256_cvtepi32_ps(a.hi));
}

KERNEL_INLINE V(weights) V(load_weights)(const int8_t *p)
{
    __m256i lo = _mm256_loadu_si256((const __m256i *)(const void *)p);
    __m256i hi = _mm256_loadu_si256((const __m256i *)(const void *)(p + 32));
    return (V(weights)){lo, hi, _mm256_abs_epi8(lo), _mm256_abs_epi8(hi)};
}

/* A pair of products is at most 2 * 127 * 127 = 32258, so the 16-bit sum never saturates. */
KERNEL_INLINE __m256i V(dot4_half)(__m256i acc, __m256i w, __m256i abs_w, __m256i a)
{
    __m256i pairs = _mm256_maddubs_epi16(abs_w, _mm256_sign_epi8(a, w));
    VEC_ADD_I32(acc, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
    return acc;
}

KERNEL_INLINE V(i32) V(dot4)(V(i32) acc, V(weights) w, const uint8_t *a)
{
    int32_t four;
    memcpy(&four, a, sizeof four);
    __m256i x = _mm256_set1_epi32(four);
    return (V(i32)){V(dot4_half)(acc.lo, w.lo, w.abs_lo, x),
                    V(dot4_half)(acc.hi, w.hi, w.abs_hi, x)};
}

KERNEL_INLINE void V(store_bytes)(uint8_t *q, V(f32) x)
{
    x = V(round)(x);
    __m256i words = _mm256_packs_epi32(_mm256_cvtps_epi32(x.lo), _mm256_cvtps_epi32(x.hi));
    words = _mm256_permute4x64_epi64(words, 0xD8); /* packing works in halves: 0 2 1 3 */
    __m128i bytes =
        _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    _mm_storeu_si128((__m128i *)(void *)q, bytes);
}

KERNEL_INLINE V(f32) V(load_f16)(const uint16_t *p)
{
    return V(pair)(_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)p)),
                   _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)(p + 8))));
}

KERNEL_INLINE __m256 V(bf16_half)(__m256i pairs, const size_t i)
{
    return _mm256_castsi256_ps(i ? _mm256_and_si256(pairs, _mm256_set1_epi32((int)0xFFFF0000))
                                 : _mm256_slli_epi32(pairs, 16));
}

KERNEL_INLINE V(f32) V(load_bf16)(const void *p, const size_t i)
{
    const __m256i *at = p;
    return V(pair)(V(bf16_half)(_mm256_loadu_si256(at), i),
                   V(bf16_half)(_mm256_loadu_si256(at + 1), i));
}

KERNEL_INLINE __m256 V(int8_half)(__m256i quads, const size_t i)
{
    quads = _mm256_slli_epi32(quads, (int)(24 - 8 * i));
    return _mm256_cvtepi32_ps(_mm256_srai_epi32(quads, 24));
}

KERNEL_INLINE V(f32) V(load_int8)(const void *p, const size_t i)
{
    const __m256i *at = p;
    return V(pair)(V(int8_half)(_mm256_loadu_si256(at), i),
                   V(int8_half)(_mm256_loadu_si256(at + 1), i));
}

typedef struct V(bytes) {
    __m256i lo, hi;
} V(bytes);

KERNEL_INLINE V(bytes) V(load_quads)(const void *p)
{
    const __m256i *at = p;
    return (V(bytes)){_mm256_loadu_si256(at), _mm256_loadu_si256(at + 1)};
}

KERNEL_INLINE void V(store_quads)(void *p, V(bytes) a)
{
    __m256i *at = p;
    _mm256_storeu_si256(at, a.lo);
    _mm256_storeu_si256(at + 1, a.hi);
}

KERNEL_INLINE V(bytes) V(nibbles)(V(bytes) a, const size_t i)
{
    __m256i low = _mm256_set1_epi8(15);
    if (i)
        a = (V(bytes)){_mm256_srli_epi16(a.lo, 4), _mm256_srli_epi16(a.hi, 4)};
    return (V(bytes)){_mm256_and_si256(a.lo, low), _mm256_and_si256(a.hi, low)};
}

KERNEL_INLINE V(bytes) V(spread)(const uint8_t *p)
{
    __m128i all = _mm_loadu_si128((const __m128i *)(const void *)p);
    __m256i each = _mm256_set1_epi32(0x01010101);
    return (V(bytes)){_mm256_mullo_epi32(_mm256_cvtepu8_epi32(all), each),
                      _mm256_mullo_epi32(_mm256_cvtepu8_epi32(_mm_srli_si128(all, 8)), each)};
}

/* (n + 8) * m is below 256, so the two products in a word do not meet; then 8 * m off each. */
KERNEL_INLINE __m256i V(times_half)(__m256i nibbles, __m256i multiplier)
{
    __m256i up = _mm256_xor_si256(nibbles, _mm256_set1_epi8(8));
    __m256i products = _mm256_mullo_epi16(up, _mm256_and_si256(multiplier, _mm256_set1_epi16(255)));
    return _mm256_sub_epi8(products, _mm256_slli_epi16(multiplier, 3));
}

KERNEL_INLINE V(bytes) V(times)(V(bytes) nibbles, V(bytes) multiplier)
{
    return (V(bytes)){V(times_half)(nibbles.lo, multiplier.lo),
                      V(times_half)(nibbles.hi, multiplier.hi)};
}

KERNEL_INLINE V(bytes) V(load_palettes)(const int8_t *p)
{
    const __m128i *at = (const __m128i *)(const void *)p;
    return (V(bytes)){_mm256_broadcastsi128_si256(_mm_loadu_si128(at)),
                      _mm256_broadcastsi128_si256(_mm_loadu_si128(at + 1))};
}

KERNEL_INLINE V(bytes) V(look_up)(V(bytes) palettes, V(bytes) nibbles)
{
    return (V(bytes)){_mm256_shuffle_epi8(palettes.lo, nibbles.lo),
                      _mm256_shuffle_epi8(palettes.hi, nibbles.hi)};
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
    .cpu = MEMO_CPU_AVX2,
    .gemm = {KERNEL_FLOAT_TILES(avx2, TILE_ROWS, TILE_PANELS), [MEMO_GEMM_INT8] =
                                                                   {INT8_ROWS, INT8_PANELS,
                                                                    V(memo_gemm_int8_tile)}},
    .unpack_4bit = memo_unpack_4bit_avx2,
    KERNEL_BYTE_ENTRIES(avx2),
    KERNEL_F32_ENTRIES(avx2),
};

const memo_kernels *const memo_kernels_avx2 = &V(table);

#undef V
#undef TILE_ROWS
#undef TILE_PANELS
#undef DOT_ROWS
#undef INT8_ROWS
#undef INT8_PANELS
#undef INT8_ZERO

#else

const memo_kernels *const memo_kernels_avx2 = NULL;

#endif
