// SPDX-License-Identifier: Apache-2.0
/* kernel/template_gemm.h -- the GEMM tiles on float, once for all vector levels; V() and the
 * primitives are those of vec.h, template_epilogue.h and these. No guard on purpose.
 *
 *   load_f16(p)         16 halves as floats
 *   load_bf16(p, i)     16 pairs of bf16: the i-th (0, 1) of each as floats
 *   load_int8(p, i)     16 quads of signed bytes: the i-th (0..3) of each as floats
 *
 * The level chooses TILE_ROWS x TILE_PANELS so that the accumulators, one row of each panel and a
 * broadcast of A fill its registers without a spill. Tiles of fewer rows or panels are the same
 * loop with other constants, so an element's chain of FMAs does not depend on its tile. */

/* Inputs in a 64-byte row of a panel. */
KERNEL_INLINE size_t V(tile_inputs)(const memo_gemm_kind kind)
{
    return kind == MEMO_GEMM_F32 ? 1 : kind == MEMO_GEMM_W8 ? 4 : 2;
}

/* Input i of the row at w, 16 channels. */
KERNEL_INLINE V(f32) V(tile_weights)(const memo_gemm_kind kind, const char *w, const size_t i)
{
    const void *at = w;
    switch (kind) {
    case MEMO_GEMM_F16:
        return V(load_f16)((const uint16_t *)at + i * MEMO_PANEL);
    case MEMO_GEMM_BF16:
        return V(load_bf16)(at, i);
    case MEMO_GEMM_W8:
        return V(load_int8)(at, i);
    default:
        return V(load)(at);
    }
}

/* The first n inputs of the row at w, for all rows of the tile; every third row of A has a pointer,
 * the other two are one index away. */
KERNEL_INLINE void V(tile_step)(const memo_gemm_kind kind, const size_t rows, const size_t n_panels,
                                const size_t n, const float *const *a, size_t lda, const char *w,
                                size_t panel_stride, V(f32) (*acc)[TILE_PANELS])
{
    KERNEL_UNROLL
    for (size_t i = 0; i < n; i++) {
        V(f32) row_w[TILE_PANELS];
        KERNEL_UNROLL
        for (size_t p = 0; p < n_panels; p++)
            row_w[p] = V(tile_weights)(kind, w + p * panel_stride, i);
        KERNEL_UNROLL
        for (size_t r = 0; r < rows; r++) {
            V(f32) x = V(set1)(a[r / 3][r % 3 * lda + i]);
            KERNEL_UNROLL
            for (size_t p = 0; p < n_panels; p++)
                acc[r][p] = V(fma)(x, row_w[p], acc[r][p]);
        }
    }
}

/* What the chains start from, and their end. */
KERNEL_INLINE V(f32) V(tile_base)(const memo_gemm_tile *t, size_t r, size_t p)
{
    if (t->accumulate)
        return V(load)(t->c + r * t->ldc + p * MEMO_PANEL);
    return t->bias ? V(load)(t->bias + p * MEMO_PANEL) : V(set1)(0.0f);
}

KERNEL_INLINE void V(gemm_tile)(const memo_gemm_kind kind, const size_t rows, const size_t n_panels,
                                const memo_gemm_tile *t)
{
    const size_t lda = t->lda / sizeof(float), panel_stride = t->panel_stride;
    const size_t inputs = V(tile_inputs)(kind);
    const char *w = t->w, *next = t->w_next;
    const float *a[(TILE_ROWS + 2) / 3];
    KERNEL_UNROLL
    for (size_t r = 0; r < rows; r += 3) {
        a[r / 3] = (const float *)t->a + r * lda;
        KERNEL_OPAQUE(a[r / 3]);
    }
    /* Without a next tile the line just read is prefetched, which costs less than a branch. */
    const size_t ahead = next ? (size_t)(next - w) : 0;
    V(f32) acc[TILE_ROWS][TILE_PANELS];
    KERNEL_UNROLL
    for (size_t r = 0; r < rows; r++) {
        KERNEL_UNROLL
        for (size_t p = 0; p < n_panels; p++)
            acc[r][p] = kind == MEMO_GEMM_W8 ? V(set1)(0.0f) : V(tile_base)(t, r, p);
    }
    for (size_t left = t->k / inputs; left; left--) {
        KERNEL_UNROLL
        for (size_t p = 0; p < n_panels; p++)
            __builtin_prefetch(w + p * panel_stride + ahead, 0, 2);
        V(tile_step)(kind, rows, n_panels, inputs, a, lda, w, panel_stride, acc);
        KERNEL_UNROLL
        for (size_t r = 0; r < rows; r += 3)
            a[r / 3] += inputs;
        w += 64;
    }
    for (size_t i = 0; i < t->k % inputs; i++) {
        V(f32) row_w[TILE_PANELS];
        KERNEL_UNROLL
        for (size_t p = 0; p < n_panels; p++)
            row_w[p] = V(tile_weights)(kind, w + p * panel_stride, i);
        KERNEL_UNROLL
        for (size_t r = 0; r < rows; r++) {
            KERNEL_UNROLL
            for (size_t p = 0; p < n_panels; p++)
                acc[r][p] = V(fma)(V(set1)(a[r / 3][r % 3 * lda + i]), row_w[p], acc[r][p]);
        }
    }
    KERNEL_UNROLL
    for (size_t p = 0; p < n_panels; p++) {
        V(f32) c[TILE_ROWS];
        KERNEL_UNROLL
        for (size_t r = 0; r < rows; r++)
            c[r] = kind == MEMO_GEMM_W8 ? V(fma)(acc[r][p], V(load)(t->scale + p * MEMO_PANEL),
                                                 V(tile_base)(t, r, p))
                                        : acc[r][p];
        V(tile_store)(rows, p, c, t);
    }
}

#define GEMM_ROWS_CASE(rows)                                                                       \
    case rows:                                                                                     \
        if (n_panels == TILE_PANELS)                                                               \
            V(gemm_tile)(kind, rows, TILE_PANELS, tile);                                           \
        else                                                                                       \
            V(gemm_tile)(kind, rows, 1, tile);                                                     \
        break;

KERNEL_INLINE void V(gemm_tiles)(const memo_gemm_kind kind, size_t rows, size_t n_panels,
                                 const memo_gemm_tile *tile)
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

void V(memo_gemm_f32_tile)(size_t rows, size_t n_panels, const memo_gemm_tile *tile)
{
    V(gemm_tiles)(MEMO_GEMM_F32, rows, n_panels, tile);
}

void V(memo_gemm_f16_tile)(size_t rows, size_t n_panels, const memo_gemm_tile *tile)
{
    V(gemm_tiles)(MEMO_GEMM_F16, rows, n_panels, tile);
}

void V(memo_gemm_bf16_tile)(size_t rows, size_t n_panels, const memo_gemm_tile *tile)
{
    V(gemm_tiles)(MEMO_GEMM_BF16, rows, n_panels, tile);
}

void V(memo_gemm_w8_tile)(size_t rows, size_t n_panels, const memo_gemm_tile *tile)
{
    V(gemm_tiles)(MEMO_GEMM_W8, rows, n_panels, tile);
}
