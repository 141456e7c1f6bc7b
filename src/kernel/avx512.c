// SPDX-License-Identifier: Apache-2.0
/* kernel/avx512.c -- level avx512: one register is the 16 lanes of the templates. */
#include "kernel/levels.h"

#if defined(__x86_64__)

#include <float.h>
#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "kernel/vec.h"

#define V(name)     name##_avx512
#define TILE_ROWS   12 /* 12 x 2 accumulators + 2 of W leave 6 registers for broadcasts of A */
#define TILE_PANELS 2
#define DOT_ROWS    4
#define INT8_ROWS   8
#define INT8_PANELS 2

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512cd,"  \
                                                   "fma,avx2,bmi2,f16c"))),                        \
                             apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512cd,fma,avx2,bmi2,f16c")
#endif

typedef __m512 V(f32);

KERNEL_INLINE V(f32) V(load)(const float *p)
{
    return _mm512_loadu_ps(p);
}

KERNEL_INLINE V(f32) V(load_part)(const float *p, size_t n)
{
    return _mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
}

KERNEL_INLINE void V(store)(float *p, V(f32) a)
{
    _mm512_storeu_ps(p, a);
}

KERNEL_INLINE void V(store_part)(float *p, V(f32) a, size_t n)
{
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), a);
}

KERNEL_INLINE V(f32) V(set1)(float a)
{
    return _mm512_set1_ps(a);
}

KERNEL_INLINE V(f32) V(add)(V(f32) a, V(f32) b)
{
    return _mm512_add_ps(a, b);
}

KERNEL_INLINE V(f32) V(sub)(V(f32) a, V(f32) b)
{
    return _mm512_sub_ps(a, b);
}

KERNEL_INLINE V(f32) V(mul)(V(f32) a, V(f32) b)
{
    return _mm512_mul_ps(a, b);
}

KERNEL_INLINE V(f32) V(div)(V(f32) a, V(f32) b)
{
    return _mm512_div_ps(a, b);
}

KERNEL_INLINE V(f32) V(fma)(V(f32) a, V(f32) b, V(f32) c)
{
    return _mm512_fmadd_ps(a, b, c);
}

KERNEL_INLINE V(f32) V(min)(V(f32) a, V(f32) b)
{
    return _mm512_min_ps(a, b);
}

KERNEL_INLINE V(f32) V(max)(V(f32) a, V(f32) b)
{
    return _mm512_max_ps(a, b);
}

KERNEL_INLINE V(f32) V(round)(V(f32) a)
{
    return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

KERNEL_INLINE V(f32) V(scale2)(V(f32) a, V(f32) n)
{
    return _mm512_scalef_ps(a, n);
}

KERNEL_INLINE V(f32) V(abs)(V(f32) a)
{
    return _mm512_abs_ps(a);
}

KERNEL_INLINE V(f32) V(copysign)(V(f32) a, V(f32) b)
{
    __m512 sign = _mm512_set1_ps(-0.0f);
    return _mm512_or_ps(_mm512_andnot_ps(sign, a), _mm512_and_ps(sign, b));
}

KERNEL_INLINE V(f32) V(select_lt)(V(f32) a, V(f32) b, V(f32) x, V(f32) y)
{
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), y, x);
}

KERNEL_INLINE float V(sum)(V(f32) a)
{
    __m256 s8 = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    __m128 s4 = _mm_add_ps(_mm256_castps256_ps128(s8), _mm256_extractf128_ps(s8, 1));
    __m128 s2 = _mm_add_ps(s4, _mm_movehl_ps(s4, s4));
    return _mm_cvtss_f32(_mm_add_ss(s2, _mm_movehdup_ps(s2)));
}

KERNEL_INLINE float V(max_lane)(V(f32) a)
{
    return _mm512_reduce_max_ps(a);
}

KERNEL_INLINE void V(transpose4)(const float *src, size_t lds, float *dst, size_t ldd)
{
    vec_transpose4_x86(src, lds, dst, ldd);
}

typedef __m512i V(i32);

/* w = sign * magnitude: the unsigned side of the products is |w|, the sign goes to the inputs. */
typedef struct V(weights) {
    __m512i abs;
    __mmask64 negative;
} V(weights);

KERNEL_INLINE V(i32) V(zero_i32)(void)
{
    return _mm512_setzero_si512();
}

KERNEL_INLINE V(f32) V(to_f32)(V(i32) a)
{
    return _mm512_cvtepi32_ps(a);
}

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
    return _mm512_add_epi32(acc, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)));
}

KERNEL_INLINE void V(store_bytes)(uint8_t *q, V(f32) x, const uint8_t zero)
{
    __m128i bytes = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(x));
    bytes = _mm_xor_si128(bytes, _mm_set1_epi8((char)zero));
    _mm_storeu_si128((__m128i *)(void *)q, bytes);
}

/* The order matters: rows use functions of math. */
// clang-format off
#include "kernel/template_math.h"
#include "kernel/template_rows.h"
#include "kernel/template_gemm.h"
#include "kernel/template_int8.h"
// clang-format on

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

static const memo_kernels V(table) = {
    .cpu = MEMO_CPU_AVX512,
    .gemm_f32_rows = TILE_ROWS,
    .gemm_f32_panels = TILE_PANELS,
    .gemm_f32_tile = V(gemm_f32_tile),
    .quantize_row_int8 = V(quantize_row_int8),
    .gemm_int8_rows = INT8_ROWS,
    .gemm_int8_panels = INT8_PANELS,
    .gemm_int8_tile = V(gemm_int8_tile),
    .exp_f32 = V(exp_f32),
    .erf_f32 = V(erf_f32),
    .tanh_f32 = V(tanh_f32),
    .gelu_erf_f32 = V(gelu_erf_f32),
    .gelu_tanh_f32 = V(gelu_tanh_f32),
    .add_f32 = V(add_f32),
    .scale_f32 = V(scale_f32),
    .softmax_f32 = V(softmax_f32),
    .layer_norm_f32 = V(layer_norm_f32),
    .dot_f32 = V(dot_f32),
    .dot_rows_f32 = V(dot_rows_f32),
    .pack_panels_f32 = V(pack_panels_f32),
};

const memo_kernels *const memo_kernels_avx512 = &V(table);

#undef V
#undef TILE_ROWS
#undef TILE_PANELS
#undef DOT_ROWS
#undef INT8_ROWS
#undef INT8_PANELS

#else

const memo_kernels *const memo_kernels_avx512 = NULL;

#endif
