// SPDX-License-Identifier: Apache-2.0
/* kernel/template_int8_tile.h -- the int8 GEMM tile on registers of signed bytes, for the levels
 * that have no tile of their own; V() and the primitives are those of vec.h, template_int8.h and
 * these. No guard on purpose.
 *
 *   V(weights)       a 64-byte row of a panel, in the form that dot4 wants
 *   load_weights(p)
 *   dot4(acc, w, a)  acc + the products of the four signed bytes at a with those of each channel
 *
 *   INT8_ROWS INT8_PANELS  the tile */

KERNEL_INLINE void V(int8_tile)(const size_t rows, const size_t n_panels, const memo_gemm_tile *t)
{
    const size_t lda = t->lda, panel_stride = t->panel_stride;
    const uint8_t *a = t->a;
    const int8_t *w = t->w, *next = t->w_next;
    const size_t ahead = next ? (size_t)(next - w) : 0;
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
    KERNEL_UNROLL
    for (size_t p = 0; p < n_panels; p++) {
        V(channels) channels = V(load_channels)(t, p);
        V(f32) c[INT8_ROWS];
        KERNEL_UNROLL
        for (size_t r = 0; r < rows; r++)
            c[r] = V(dequantize)(sum[r][p], t, r, p, channels);
        V(tile_store)(rows, p, c, t);
    }
}

#define INT8_ROWS_CASE(rows)                                                                       \
    case rows:                                                                                     \
        if (n_panels == INT8_PANELS)                                                               \
            V(int8_tile)(rows, INT8_PANELS, tile);                                                 \
        else                                                                                       \
            V(int8_tile)(rows, 1, tile);                                                           \
        break;

void V(memo_gemm_int8_tile)(size_t rows, size_t n_panels, const memo_gemm_tile *tile)
{
    switch (rows) {
        INT8_ROWS_CASE(1)
        INT8_ROWS_CASE(2)
        INT8_ROWS_CASE(3)
        INT8_ROWS_CASE(4)
#if INT8_ROWS > 4
        INT8_ROWS_CASE(5)
        INT8_ROWS_CASE(6)
#endif
#if INT8_ROWS > 6
        INT8_ROWS_CASE(7)
        INT8_ROWS_CASE(8)
#endif
    }
}
#undef INT8_ROWS_CASE
