// SPDX-License-Identifier: Apache-2.0
/* kernel/template_gemm.h -- the f32 GEMM tile, once for all vector levels; V() and the primitives
 * are those of vec.h. No guard on purpose.
 *
 * The level chooses TILE_ROWS x TILE_PANELS so that the accumulators, one row of each panel and a
 * broadcast of A fill its registers without a spill. Tiles of fewer rows or panels are the same
 * loop with other constants, so an element's chain of FMAs does not depend on its tile. */

KERNEL_INLINE void V(gemm_tile)(const size_t rows, const size_t n_panels, const memo_gemm_tile *t)
{
    const size_t lda = t->lda, panel_stride = t->panel_stride, ldc = t->ldc;
    const float *w = t->w;
    const float *a[(TILE_ROWS + 2) / 3]; /* every third row: the other two are one index away */
    KERNEL_UNROLL
    for (size_t r = 0; r < rows; r += 3) {
        a[r / 3] = t->a + r * lda;
        KERNEL_OPAQUE(a[r / 3]);
    }
    /* Without a next tile the line just read is prefetched, which costs less than a branch. */
    const size_t ahead = t->w_next ? (size_t)(t->w_next - t->w) : 0;
    V(f32) acc[TILE_ROWS][TILE_PANELS];
    KERNEL_UNROLL
    for (size_t r = 0; r < rows; r++) {
        KERNEL_UNROLL
        for (size_t p = 0; p < n_panels; p++)
            acc[r][p] = t->bias ? V(load)(t->bias + p * MEMO_PANEL) : V(set1)(0.0f);
    }
    for (size_t left = t->k; left; left--) {
        V(f32) row_w[TILE_PANELS];
        KERNEL_UNROLL
        for (size_t p = 0; p < n_panels; p++) {
            row_w[p] = V(load)(w + p * panel_stride);
            __builtin_prefetch(w + p * panel_stride + ahead, 0, 2);
        }
        KERNEL_UNROLL
        for (size_t r = 0; r < rows; r++) {
            V(f32) x = V(set1)(a[r / 3][r % 3 * lda]);
            KERNEL_UNROLL
            for (size_t p = 0; p < n_panels; p++)
                acc[r][p] = V(fma)(x, row_w[p], acc[r][p]);
        }
        KERNEL_UNROLL
        for (size_t r = 0; r < rows; r += 3)
            a[r / 3]++;
        w += MEMO_PANEL;
    }
    KERNEL_UNROLL
    for (size_t r = 0; r < rows; r++) {
        KERNEL_UNROLL
        for (size_t p = 0; p < n_panels; p++)
            V(store)(t->c + r * ldc + p * MEMO_PANEL, acc[r][p]);
    }
}

#define GEMM_ROWS_CASE(rows)                                                                       \
    case rows:                                                                                     \
        if (n_panels == TILE_PANELS)                                                               \
            V(gemm_tile)(rows, TILE_PANELS, tile);                                                 \
        else                                                                                       \
            V(gemm_tile)(rows, 1, tile);                                                           \
        break;

void V(memo_gemm_f32_tile)(size_t rows, size_t n_panels, const memo_gemm_tile *tile)
{
    switch (rows) {
        GEMM_ROWS_CASE(1)
        GEMM_ROWS_CASE(2)
        GEMM_ROWS_CASE(3)
        GEMM_ROWS_CASE(4)
        GEMM_ROWS_CASE(5)
        GEMM_ROWS_CASE(6)
#if TILE_ROWS > 6
        GEMM_ROWS_CASE(7)
        GEMM_ROWS_CASE(8)
        GEMM_ROWS_CASE(9)
        GEMM_ROWS_CASE(10)
        GEMM_ROWS_CASE(11)
        GEMM_ROWS_CASE(12)
#endif
    }
}
#undef GEMM_ROWS_CASE
