// SPDX-License-Identifier: Apache-2.0
/* kernel/template_int8.h -- the formula behind an int8 sum, once for all vector levels; V() and the
 * primitives are those of vec.h and these. No guard on purpose.
 *
 *   V(i32)       16 lanes of int32, the channels of a panel
 *   zero_i32
 *   load_i32(p)  16 of them, any alignment
 *   to_f32(a)    V(f32), rounded to the nearest */

/* What the formula wants of 16 channels. */
typedef struct V(channels) {
    V(f32) scale, total, bias; /* total: scale * w_sum */
} V(channels);

KERNEL_INLINE V(channels) V(load_channels)(const memo_gemm_int8_tile *t, size_t panel)
{
    V(channels) w;
    w.scale = V(load)(t->w_scale + panel * MEMO_PANEL);
    w.total = V(mul)(w.scale, V(to_f32)(V(load_i32)(t->w_sum + panel * MEMO_PANEL)));
    w.bias = t->bias ? V(load)(t->bias + panel * MEMO_PANEL) : V(set1)(0.0f);
    return w;
}

/* The element of C whose sum this is, in 16 channels. */
KERNEL_INLINE V(f32) V(dequantize)(V(i32) sum, memo_int8_row row, V(channels) w)
{
    V(f32) shifted = V(fma)(V(set1)(row.offset), w.total, w.bias);
    return V(fma)(V(to_f32)(sum), V(mul)(V(set1)(row.scale), w.scale), shifted);
}
