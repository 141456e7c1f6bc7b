// SPDX-License-Identifier: Apache-2.0
/* kernel/x86/vec_avx512.h -- the primitives of vec.h and of the int8 templates on one register of 16
 * lanes, for every level with AVX-512. Included inside a target region: no guard on purpose. */

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

KERNEL_INLINE V(i32) V(zero_i32)(void)
{
    return _mm512_setzero_si512();
}

KERNEL_INLINE V(i32) V(load_i32)(const int32_t *p)
{
    return _mm512_loadu_si512(p);
}

KERNEL_INLINE V(f32) V(to_f32)(V(i32) a)
{
    return _mm512_cvtepi32_ps(a);
}

KERNEL_INLINE void V(store_bytes)(uint8_t *q, V(f32) x)
{
    __m128i bytes = _mm512_cvtepi32_epi8(
        _mm512_cvt_roundps_epi32(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
    bytes = _mm_xor_si128(bytes, _mm_set1_epi8((char)INT8_ZERO));
    _mm_storeu_si128((__m128i *)(void *)q, bytes);
}

KERNEL_INLINE V(f32) V(load_f16)(const uint16_t *p)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)p));
}

KERNEL_INLINE V(f32) V(load_bf16)(const void *p, const size_t i)
{
    __m512i pairs = _mm512_loadu_si512(p);
    return _mm512_castsi512_ps(i ? _mm512_and_si512(pairs, _mm512_set1_epi32((int)0xFFFF0000))
                                 : _mm512_slli_epi32(pairs, 16));
}

KERNEL_INLINE V(f32) V(load_int8)(const void *p, const size_t i)
{
    __m512i quads = _mm512_slli_epi32(_mm512_loadu_si512(p), (unsigned)(24 - 8 * i));
    return _mm512_cvtepi32_ps(_mm512_srai_epi32(quads, 24));
}
