// SPDX-License-Identifier: Apache-2.0
/* kernel/template_int8.h -- the formula behind an int8 sum, once for all vector levels; V() and the
 * primitives are those of vec.h and these. No guard on purpose.
 *
 *   V(i32)       16 lanes of int32, the channels of a panel
 *   zero_i32
 *   load_i32(p)  16 of them, any alignment
 *   to_f32(a)    V(f32), rounded to the nearest */

/* The element of C whose sum this is, in 16 channels. */
KERNEL_INLINE V(f32) V(dequantize)(V(i32) sum, float a_scale, V(f32) w_scale, V(f32) bias)
{
    return V(fma)(V(to_f32)(sum), V(mul)(V(set1)(a_scale), w_scale), bias);
}

KERNEL_INLINE V(f32) V(load_bias)(const float *bias, size_t panel)
{
    return bias ? V(load)(bias + panel * MEMO_PANEL) : V(set1)(0.0f);
}
