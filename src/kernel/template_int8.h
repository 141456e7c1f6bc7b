// SPDX-License-Identifier: Apache-2.0
/* kernel/template_int8.h -- the int8 kernels, once for all vector levels; V() and the primitives are
 * those of vec.h and these. No guard on purpose.
 *
 *   V(i32)                       16 lanes of int32, the channels of a panel
 *   zero_i32
 *   to_f32(a)                    V(f32), rounded to the nearest
 *   V(weights)                   a 64-byte row of a panel, in the form that dot4 wants
 *   load_weights(p)
 *   dot4(acc, w, a)              acc + the products of four signed bytes at a with each channel's
 *   store_bytes(q, x, zero)      16 integral floats in -127..127 as bytes, each XOR `zero`
 *
 *   INT8_ROWS INT8_PANELS        the tile
 *
 * A level with an unsigned dot product takes the bytes with 128 added: XOR 0x80 is that addition,
 * and its tile is its own. */

/* Two chains each for the maximum and for what spots a NaN or an infinity: x * 0 is then NaN. */
KERNEL_INLINE void V(quantize_row)(size_t n, size_t n_pad, const float *x, uint8_t *q, float *scale,
                                   const uint8_t zero)
{
    size_t tail = n % VEC_LANES, whole = n - tail, i = 0;
    V(f32) none = V(set1)(0.0f);
    V(f32) max0 = none, max1 = none, odd0 = none, odd1 = none;
    for (; i + 2 * VEC_LANES <= whole; i += 2 * VEC_LANES) {
        V(f32) x0 = V(load)(x + i), x1 = V(load)(x + i + VEC_LANES);
        max0 = V(max)(V(abs)(x0), max0);
        max1 = V(max)(V(abs)(x1), max1);
        odd0 = V(fma)(x0, none, odd0);
        odd1 = V(fma)(x1, none, odd1);
    }
    for (; i < n; i += VEC_LANES) {
        V(f32) x0 = i < whole ? V(load)(x + i) : V(load_part)(x + i, tail);
        max0 = V(max)(V(abs)(x0), max0);
        odd0 = V(fma)(x0, none, odd0);
    }
    float absmax = V(max_lane)(V(max)(max0, max1));
    float odd = V(sum)(V(add)(odd0, odd1));
    float factor = 127.0f / absmax;
    if (odd != 0.0f || factor > FLT_MAX) {
        memset(q, zero, n_pad);
        *scale = odd != 0.0f ? NAN : 0.0f;
        return;
    }
    *scale = absmax / 127.0f;
    V(f32) factors = V(set1)(factor);
    for (i = 0; i < whole; i += VEC_LANES)
        V(store_bytes)(q + i, V(round)(V(mul)(V(load)(x + i), factors)), zero);
    if (tail) {
        V(store_bytes)(q + i, V(round)(V(mul)(V(load_part)(x + i, tail), factors)), zero);
        i += VEC_LANES;
    }
    memset(q + i, zero, n_pad - i);
}

static void V(quantize_row_int8)(size_t n, size_t n_pad, const float *x, uint8_t *q, float *scale)
{
    V(quantize_row)(n, n_pad, x, q, scale, 0);
}

/* The end of every tile whose sums are in registers. */
KERNEL_INLINE void V(dequantize)(const size_t rows, const size_t n_panels,
                                 V(i32) (*sum)[INT8_PANELS], const memo_gemm_int8_tile *t)
{
    KERNEL_UNROLL
    for (size_t p = 0; p < n_panels; p++) {
        V(f32) w_scale = V(load)(t->w_scale + p * MEMO_PANEL);
        V(f32) bias = t->bias ? V(load)(t->bias + p * MEMO_PANEL) : V(set1)(0.0f);
        KERNEL_UNROLL
        for (size_t r = 0; r < rows; r++) {
            V(f32) factor = V(mul)(V(set1)(t->a_scale[r]), w_scale);
            V(store)
            (t->c + r * t->ldc + p * MEMO_PANEL, V(fma)(V(to_f32)(sum[r][p]), factor, bias));
        }
    }
}

KERNEL_INLINE void V(int8_tile)(const size_t rows, const size_t n_panels,
                                const memo_gemm_int8_tile *t)
{
    const size_t lda = t->lda, panel_stride = t->panel_stride;
    const uint8_t *a = t->a;
    const int8_t *w = t->w;
    const size_t ahead = t->w_next ? (size_t)(t->w_next - t->w) : 0;
    V(i32) sum[INT8_ROWS][INT8_PANELS];
    KERNEL_UNROLL
    for (size_t r = 0; r < rows; r++) {
        KERNEL_UNROLL
        for (size_t p = 0; p < n_panels; p++)
            sum[r][p] = V(zero_i32)();
    }
    for (size_t left = t->k / 4; left; left--) {
        V(weights) row_w[INT8_PANELS];
        KERNEL_UNROLL
        for (size_t p = 0; p < n_panels; p++) {
            row_w[p] = V(load_weights)(w + p * panel_stride);
            __builtin_prefetch(w + p * panel_stride + ahead, 0, 2);
        }
        KERNEL_UNROLL
        for (size_t r = 0; r < rows; r++) {
            KERNEL_UNROLL
            for (size_t p = 0; p < n_panels; p++)
                sum[r][p] = V(dot4)(sum[r][p], row_w[p], a + r * lda);
        }
        a += 4;
        w += 4 * MEMO_PANEL;
    }
    V(dequantize)(rows, n_panels, sum, t);
}

#define INT8_ROWS_CASE(rows)                                                                       \
    case rows:                                                                                     \
        if (n_panels == INT8_PANELS)                                                               \
            V(int8_tile)(rows, INT8_PANELS, tile);                                                 \
        else                                                                                       \
            V(int8_tile)(rows, 1, tile);                                                           \
        break;

static void V(gemm_int8_tile)(size_t rows, size_t n_panels, const memo_gemm_int8_tile *tile)
{
    switch (rows) {
        INT8_ROWS_CASE(1)
        INT8_ROWS_CASE(2)
        INT8_ROWS_CASE(3)
        INT8_ROWS_CASE(4)
#if INT8_ROWS > 4
        INT8_ROWS_CASE(5)
        INT8_ROWS_CASE(6)
        INT8_ROWS_CASE(7)
        INT8_ROWS_CASE(8)
#endif
    }
}
#undef INT8_ROWS_CASE
