// SPDX-License-Identifier: Apache-2.0
/* kernel/arm/vec_neon.h -- the primitives of vec.h on four registers of NEON, for the levels of
 * this folder; V() is theirs. No guard on purpose. */

typedef struct V(f32) {
    float32x4_t q[4];
} V(f32);

typedef struct V(i32) {
    int32x4_t q[4];
} V(i32);

/* Each register on its own: `i` counts them in the expression. */
#define NEON_EACH(type, expression)                                                                \
    V(type) y;                                                                                     \
    KERNEL_UNROLL                                                                                  \
    for (size_t i = 0; i < 4; i++)                                                                 \
        y.q[i] = (expression);                                                                     \
    return y

KERNEL_INLINE V(f32) V(load)(const float *p)
{
    NEON_EACH(f32, vld1q_f32(p + 4 * i));
}

KERNEL_INLINE void V(store)(float *p, V(f32) a)
{
    KERNEL_UNROLL
    for (size_t i = 0; i < 4; i++)
        vst1q_f32(p + 4 * i, a.q[i]);
}

/* There is no masked load: over a buffer of whole registers. */
KERNEL_INLINE V(f32) V(load_part)(const float *p, size_t n)
{
    float whole[VEC_LANES] = {0};
    memcpy(whole, p, n * sizeof *p);
    return V(load)(whole);
}

KERNEL_INLINE void V(store_part)(float *p, V(f32) a, size_t n)
{
    float whole[VEC_LANES];
    V(store)(whole, a);
    memcpy(p, whole, n * sizeof *p);
}

KERNEL_INLINE V(f32) V(set1)(float a)
{
    NEON_EACH(f32, vdupq_n_f32(a));
}

KERNEL_INLINE V(f32) V(add)(V(f32) a, V(f32) b)
{
    NEON_EACH(f32, vaddq_f32(a.q[i], b.q[i]));
}

KERNEL_INLINE V(f32) V(sub)(V(f32) a, V(f32) b)
{
    NEON_EACH(f32, vsubq_f32(a.q[i], b.q[i]));
}

KERNEL_INLINE V(f32) V(mul)(V(f32) a, V(f32) b)
{
    NEON_EACH(f32, vmulq_f32(a.q[i], b.q[i]));
}

KERNEL_INLINE V(f32) V(div)(V(f32) a, V(f32) b)
{
    NEON_EACH(f32, vdivq_f32(a.q[i], b.q[i]));
}

KERNEL_INLINE V(f32) V(fma)(V(f32) a, V(f32) b, V(f32) c)
{
    NEON_EACH(f32, vfmaq_f32(c.q[i], a.q[i], b.q[i]));
}

/* fmin and fmax would give a NaN where the contract says b. */
KERNEL_INLINE V(f32) V(min)(V(f32) a, V(f32) b)
{
    NEON_EACH(f32, vbslq_f32(vcltq_f32(a.q[i], b.q[i]), a.q[i], b.q[i]));
}

KERNEL_INLINE V(f32) V(max)(V(f32) a, V(f32) b)
{
    NEON_EACH(f32, vbslq_f32(vcgtq_f32(a.q[i], b.q[i]), a.q[i], b.q[i]));
}

KERNEL_INLINE V(f32) V(round)(V(f32) a)
{
    NEON_EACH(f32, vrndnq_f32(a.q[i]));
}

/* 2^n in two factors, each a normal number for |n| <= 252; the first product is exact, so a
 * subnormal result is rounded once. */
KERNEL_INLINE float32x4_t V(scale2_quarter)(float32x4_t a, float32x4_t n)
{
    int32x4_t whole = vcvtnq_s32_f32(n);
    int32x4_t half = vshrq_n_s32(whole, 1);
    int32x4_t bias = vdupq_n_s32(127);
    int32x4_t first = vshlq_n_s32(vaddq_s32(half, bias), 23);
    int32x4_t rest = vshlq_n_s32(vaddq_s32(vsubq_s32(whole, half), bias), 23);
    a = vmulq_f32(a, vreinterpretq_f32_s32(first));
    return vmulq_f32(a, vreinterpretq_f32_s32(rest));
}

KERNEL_INLINE V(f32) V(scale2)(V(f32) a, V(f32) n)
{
    NEON_EACH(f32, V(scale2_quarter)(a.q[i], n.q[i]));
}

KERNEL_INLINE V(f32) V(abs)(V(f32) a)
{
    NEON_EACH(f32, vabsq_f32(a.q[i]));
}

KERNEL_INLINE V(f32) V(copysign)(V(f32) a, V(f32) b)
{
    NEON_EACH(f32, vbslq_f32(vdupq_n_u32(0x80000000u), b.q[i], a.q[i]));
}

KERNEL_INLINE V(f32) V(select_lt)(V(f32) a, V(f32) b, V(f32) x, V(f32) y_)
{
    NEON_EACH(f32, vbslq_f32(vcltq_f32(a.q[i], b.q[i]), x.q[i], y_.q[i]));
}

KERNEL_INLINE float V(sum)(V(f32) a)
{
    float32x4_t s4 = vaddq_f32(vaddq_f32(a.q[0], a.q[2]), vaddq_f32(a.q[1], a.q[3]));
    float32x2_t s2 = vadd_f32(vget_low_f32(s4), vget_high_f32(s4));
    return vget_lane_f32(s2, 0) + vget_lane_f32(s2, 1);
}

KERNEL_INLINE float V(max_lane)(V(f32) a)
{
    return vmaxvq_f32(vmaxq_f32(vmaxq_f32(a.q[0], a.q[2]), vmaxq_f32(a.q[1], a.q[3])));
}

KERNEL_INLINE void V(transpose4)(const float *src, size_t lds, float *dst, size_t ldd)
{
    float32x4_t r0 = vld1q_f32(src), r1 = vld1q_f32(src + lds);
    float32x4_t r2 = vld1q_f32(src + 2 * lds), r3 = vld1q_f32(src + 3 * lds);
    float32x4_t even01 = vtrn1q_f32(r0, r1), odd01 = vtrn2q_f32(r0, r1);
    float32x4_t even23 = vtrn1q_f32(r2, r3), odd23 = vtrn2q_f32(r2, r3);
    vst1q_f32(dst, vcombine_f32(vget_low_f32(even01), vget_low_f32(even23)));
    vst1q_f32(dst + ldd, vcombine_f32(vget_low_f32(odd01), vget_low_f32(odd23)));
    vst1q_f32(dst + 2 * ldd, vcombine_f32(vget_high_f32(even01), vget_high_f32(even23)));
    vst1q_f32(dst + 3 * ldd, vcombine_f32(vget_high_f32(odd01), vget_high_f32(odd23)));
}

KERNEL_INLINE V(i32) V(zero_i32)(void)
{
    NEON_EACH(i32, vdupq_n_s32(0));
}

KERNEL_INLINE V(i32) V(load_i32)(const int32_t *p)
{
    NEON_EACH(i32, vld1q_s32(p + 4 * i));
}

KERNEL_INLINE V(f32) V(to_f32)(V(i32) a)
{
    NEON_EACH(f32, vcvtq_f32_s32(a.q[i]));
}

KERNEL_INLINE void V(store_bytes)(uint8_t *q, V(f32) x)
{
    int16x4_t words[4];
    KERNEL_UNROLL
    for (size_t i = 0; i < 4; i++)
        words[i] = vmovn_s32(vcvtnq_s32_f32(x.q[i]));
    int8x8_t low = vmovn_s16(vcombine_s16(words[0], words[1]));
    int8x8_t high = vmovn_s16(vcombine_s16(words[2], words[3]));
    vst1q_u8(q, vreinterpretq_u8_s8(vcombine_s8(low, high)));
}
