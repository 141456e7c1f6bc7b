// SPDX-License-Identifier: Apache-2.0
/* kernel/x86/template_amx.h -- the GEMM tiles on tile registers, of int8 and of bf16, compiled twice: by
 * amx.c with the instructions, and by the check program with an emulation of them that runs anywhere.
 * No guard on purpose. V() and the primitives are those of vec.h and template_int8.h, and these
 * macros, which take the number of a tile as a literal:
 *
 *   TILE_CONFIG(p)             ldtilecfg: the shapes of all tiles, which become zero
 *   TILE_RELEASE()             tilerelease: no tile is in use, nothing is saved at a task switch
 *   TILE_ZERO(t)               tilezero
 *   TILE_LOAD(t, p, stride)    tileloadd: the tile's rows from p, `stride` bytes apart
 *   TILE_STORE(t, p, stride)   tilestored
 *   TILE_DPBSSD(c, a, b)       tdpbssd: c += a * b, sums of four signed products into int32
 *   TILE_DPBF16PS(c, a, b)     tdpbf16ps: c += a * b, sums of two products of bf16 into float
 *   TILE_BELOW(rows, n_panels, tile)   the int8 tile of a level below, at most AMX_FINISH rows
 *
 * A pass of the loop over k holds 2 x 2 tiles of sums (0 to 3), two of A (4, 5: 16 rows of 64
 * bytes) and two of W (6, 7: sixteen rows of a packed panel, as they lie). The rows of a tile are
 * in its configuration, so fewer rows than 16 are a configuration of their own and nothing outside
 * A is read. Loading one costs some 200 cycles, half of what a pass over 384 inputs takes: one call
 * covers up to AMX_ROWS rows, that is eight passes, and the first configuration serves all of them
 * but the last. Only sums of whole calls are in tiles, so the state is given back at the end of
 * each: a thread that leaves the GEMM owns no tile. */

#define AMX_TILE   16  /* rows of a tile */
#define AMX_PASS   32  /* rows of a pass: two tiles */
#define AMX_ROWS   256 /* of a call */
#define AMX_PANELS 2
#define AMX_FINISH 8 /* rows whose sums become floats at once */

_Static_assert(AMX_ROWS *AMX_PANELS *MEMO_PANEL <= MEMO_TILE_FLOATS, "see MEMO_TILE_FLOATS");

/* The operand of ldtilecfg (Intel SDM volume 1, chapter 18). */
typedef struct V(tile_config) {
    uint8_t palette, start_row;
    uint8_t reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} V(tile_config);

/* Shapes for a pass of `rows`: those beyond the sixteenth are in the second tiles. */
KERNEL_INLINE void V(tile_configure)(size_t rows)
{
    size_t first = rows < AMX_TILE ? rows : AMX_TILE, second = rows - first;
    uint8_t of[8] = {(uint8_t)first, (uint8_t)first,  (uint8_t)second, (uint8_t)second,
                     (uint8_t)first, (uint8_t)second, AMX_TILE,        AMX_TILE};
    V(tile_config) config = {.palette = 1};
    for (size_t t = 0; t < 8; t++) {
        config.rows[t] = of[t];
        config.row_bytes[t] = of[t] ? 64 : 0; /* a tile without rows must have no bytes either */
    }
    TILE_CONFIG(&config);
}

/* The products of a pass into sum [rows, n_panels * 16], of bytes or of pairs of bf16: to tiles both
 * are rows of 64 bytes, `k_bytes` of them. Prefetches `ahead` bytes behind W. */
#define AMX_DOT(c, a, b)                                                                           \
    do {                                                                                           \
        if (bf16)                                                                                  \
            TILE_DPBF16PS(c, a, b);                                                                \
        else                                                                                       \
            TILE_DPBSSD(c, a, b);                                                                  \
    } while (0)

KERNEL_INLINE void V(tile_sums)(const int bf16, const int two_rows, const int two_panels,
                                const memo_gemm_tile *t, const uint8_t *a, size_t k_bytes,
                                size_t ahead, int32_t (*sum)[AMX_PANELS * MEMO_PANEL])
{
    const size_t lda = t->lda, row = 64, sum_row = sizeof *sum;
    const uint8_t *a1 = two_rows ? a + AMX_TILE * lda : a;
    const int8_t *w = t->w, *w1 = two_panels ? w + t->panel_stride : w;
    TILE_ZERO(0);
    if (two_panels)
        TILE_ZERO(1);
    if (two_rows)
        TILE_ZERO(2);
    if (two_rows && two_panels)
        TILE_ZERO(3);
    for (size_t i = 0; i < k_bytes; i += 64) {
        TILE_LOAD(6, w + i * MEMO_PANEL, row);
        TILE_LOAD(4, a + i, lda);
        AMX_DOT(0, 4, 6);
        if (two_panels) {
            TILE_LOAD(7, w1 + i * MEMO_PANEL, row);
            AMX_DOT(1, 4, 7);
        }
        if (two_rows) {
            TILE_LOAD(5, a1 + i, lda);
            AMX_DOT(2, 5, 6);
        }
        if (two_rows && two_panels)
            AMX_DOT(3, 5, 7);
        for (size_t line = 0; ahead && line < AMX_TILE; line++) {
            __builtin_prefetch(w + ahead + i * MEMO_PANEL + line * row, 0, 2);
            if (two_panels)
                __builtin_prefetch(w1 + ahead + i * MEMO_PANEL + line * row, 0, 2);
        }
    }
    TILE_STORE(0, sum[0], sum_row);
    if (two_panels)
        TILE_STORE(1, sum[0] + MEMO_PANEL, sum_row);
    if (two_rows)
        TILE_STORE(2, sum[AMX_TILE], sum_row);
    if (two_rows && two_panels)
        TILE_STORE(3, sum[AMX_TILE] + MEMO_PANEL, sum_row);
}
#undef AMX_DOT

/* Sums of rows row .. row + rows of the tile, in panel p, to C. */
KERNEL_INLINE void V(tile_finish)(const size_t rows, size_t row, size_t p,
                                  int32_t (*sum)[AMX_PANELS * MEMO_PANEL], const memo_gemm_tile *t,
                                  V(channels) channels)
{
    memo_gemm_tile part = *t;
    V(f32) c[AMX_FINISH];
    part.c += row * t->ldc;
    part.a_row += row;
    if (t->epilogue == MEMO_EPILOGUE_ADD)
        part.residual += row * t->ld_residual;
    KERNEL_UNROLL
    for (size_t r = 0; r < rows; r++)
        c[r] = V(dequantize)(V(load_i32)(sum[r] + p * MEMO_PANEL), &part, r, p, channels);
    V(tile_store)(rows, p, c, &part);
}

/* The same for bf16, whose sums are floats already. */
KERNEL_INLINE void V(tile_finish_bf16)(const size_t rows, size_t row, size_t p,
                                       int32_t (*sum)[AMX_PANELS * MEMO_PANEL],
                                       const memo_gemm_tile *t)
{
    memo_gemm_tile part = *t;
    V(f32) c[AMX_FINISH];
    part.c += row * t->ldc;
    if (t->epilogue == MEMO_EPILOGUE_ADD)
        part.residual += row * t->ld_residual;
    KERNEL_UNROLL
    for (size_t r = 0; r < rows; r++) {
        c[r] = V(load)((const float *)(const void *)(sum[r] + p * MEMO_PANEL));
        if (t->accumulate)
            c[r] = V(add)(c[r], V(load)(part.c + r * t->ldc + p * MEMO_PANEL));
        else if (t->bias)
            c[r] = V(add)(c[r], V(load)(t->bias + p * MEMO_PANEL));
    }
    V(tile_store)(rows, p, c, &part);
}

/* Rows row .. row + rows of the tile, with the configuration of `rows` in place. */
KERNEL_INLINE void V(tile_pass)(const int bf16, size_t row, size_t rows, size_t n_panels,
                                const memo_gemm_tile *t)
{
    _Alignas(64) int32_t sum[AMX_PASS][AMX_PANELS * MEMO_PANEL];
    const uint8_t *a = (const uint8_t *)t->a + row * t->lda;
    const int8_t *w = t->w, *next = row ? NULL : t->w_next;
    size_t ahead = next ? (size_t)(next - w) : 0, k_bytes = bf16 ? (t->k + 31) / 32 * 64 : t->k;
    if (rows > AMX_TILE && n_panels == 2)
        V(tile_sums)(bf16, 1, 1, t, a, k_bytes, ahead, sum);
    else if (rows > AMX_TILE)
        V(tile_sums)(bf16, 1, 0, t, a, k_bytes, ahead, sum);
    else if (n_panels == 2)
        V(tile_sums)(bf16, 0, 1, t, a, k_bytes, ahead, sum);
    else
        V(tile_sums)(bf16, 0, 0, t, a, k_bytes, ahead, sum);
    for (size_t p = 0; bf16 && p < n_panels; p++) {
        size_t r = 0;
        for (; r + AMX_FINISH <= rows; r += AMX_FINISH)
            V(tile_finish_bf16)(AMX_FINISH, row + r, p, sum + r, t);
        for (; r < rows; r++)
            V(tile_finish_bf16)(1, row + r, p, sum + r, t);
    }
    for (size_t p = 0; !bf16 && p < n_panels; p++) {
        V(channels) channels = V(load_channels)(t, p);
        size_t r = 0;
        for (; r + AMX_FINISH <= rows; r += AMX_FINISH)
            V(tile_finish)(AMX_FINISH, row + r, p, sum + r, t, channels);
        for (; r < rows; r++)
            V(tile_finish)(1, row + r, p, sum + r, t, channels);
    }
}

/* Half a tile's inputs are left where scales change every 32: those are for the level below, whose
 * bytes and bits are the same. */
static void V(gemm_int8_half)(size_t rows, size_t n_panels, const memo_gemm_tile *tile)
{
    for (size_t row = 0; row < rows; row += AMX_FINISH) {
        size_t n = rows - row < AMX_FINISH ? rows - row : AMX_FINISH;
        memo_gemm_tile part = *tile;
        part.a = (const uint8_t *)tile->a + row * tile->lda;
        part.a_row += row;
        part.c += row * tile->ldc;
        if (tile->epilogue == MEMO_EPILOGUE_ADD)
            part.residual += row * tile->ld_residual;
        TILE_BELOW(n, n_panels, &part);
    }
}

KERNEL_INLINE void V(tile_passes)(const int bf16, size_t rows, size_t n_panels,
                                  const memo_gemm_tile *tile)
{
    size_t configured = 0;
    for (size_t row = 0; row < rows; row += AMX_PASS) {
        size_t n = rows - row < AMX_PASS ? rows - row : AMX_PASS;
        if (n != configured)
            V(tile_configure)(n);
        configured = n;
        V(tile_pass)(bf16, row, n, n_panels, tile);
    }
    TILE_RELEASE();
}

static void V(gemm_int8_tile)(size_t rows, size_t n_panels, const memo_gemm_tile *tile)
{
    if (tile->k % 64)
        V(gemm_int8_half)(rows, n_panels, tile);
    else
        V(tile_passes)(0, rows, n_panels, tile);
}

/* The zeros behind A and W fill the last tile. Even and odd inputs are summed apart, each as if by
 * an FMA that rounds to nearest even and takes and makes zeros of subnormals, from 0 for each tile
 * of 32 inputs, which is then added (Intel SDM volume 2, tdpbf16ps). */
static void V(gemm_bf16_tile)(size_t rows, size_t n_panels, const memo_gemm_tile *tile)
{
    V(tile_passes)(1, rows, n_panels, tile);
}
