// SPDX-License-Identifier: Apache-2.0
/* kernel/template_int8.h -- the formula behind an int8 sum, once for all vector levels; V() and the
 * primitives are those of vec.h, template_epilogue.h and these. No guard on purpose.
 *
 *   V(i32)       16 lanes of int32, the channels of a panel
 *   zero_i32
 *   load_i32(p)  16 of them, any alignment
 *   to_f32(a)    V(f32), rounded to the nearest */

/* What the formula wants of 16 channels. */
typedef struct V(channels) {
    V(f32) scale, total, bias; /* total: scale * w_sum */
} V(channels);

KERNEL_INLINE V(channels) V(load_channels)(const memo_gemm_tile *t, size_t panel)
{
    V(channels) w;
    w.scale = V(load)(t->scale + panel * MEMO_PANEL);
    w.total = V(mul)(w.scale, V(to_f32)(V(load_i32)(t->w_sum + panel * MEMO_PANEL)));
    w.bias = t->bias ? V(load)(t->bias + panel * MEMO_PANEL) : V(set1)(0.0f);
    return w;
}

/* Row r of panel p from its sums. */
KERNEL_INLINE V(f32)
    V(dequantize)(V(i32) sum, const memo_gemm_tile *t, size_t r, size_t p, V(channels) w)
{
    memo_int8_row row = t->a_row[r];
    V(f32) base = t->accumulate ? V(load)(t->c + r * t->ldc + p * MEMO_PANEL) : w.bias;
    V(f32) shifted = V(fma)(V(set1)(row.offset), w.total, base);
    return V(fma)(V(to_f32)(sum), V(mul)(V(set1)(row.scale), w.scale), shifted);
}
