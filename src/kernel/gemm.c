// SPDX-License-Identifier: Apache-2.0
/* kernel/gemm.c -- the loops around a level's GEMM tile, and the epilogue.
 *
 *   for a block of rows           its A stays in the second-level cache
 *     for a group of panels       its weights come from memory once a block
 *       for a tile of rows        tile, then the epilogue on what is still in the first level
 *
 * Every element is one chain over k = 0, 1, ... in the tile, so neither the blocks nor the height
 * of a tile can change a bit of it. Nothing here knows an instruction set. */
#include "kernel/kernels.h"

#include <string.h>

/* Bytes of A that one block may hold: with one group of panels (128 bytes an input) and the tile of
 * C less than a second-level cache of 1 MiB. Where that is the cache the size hardly matters (AMD
 * EPYC, `memo_check --bench --kernel gemm_f32`, 256 rows): from 32 KiB to 2 MiB the shapes ran at
 * 90 to 97 % of peak, with GELU at 82 to 88 %, and no size was ahead by more than the noise. */
#define GEMM_BLOCK_BYTES (320u * 1024u)

/* Columns and rows of the largest tile of any level: the size of the buffer for edges. */
#define GEMM_MAX_ROWS 16
#define GEMM_MAX_COLS 64

static size_t gemm_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* n split into the fewest parts of at most `most`, all as equal as can be: 13 rows in tiles of at
 * most 12 are 7 + 6, which wastes less than 12 + 1. */
static size_t gemm_even_part(size_t n, size_t most)
{
    size_t n_parts = (n + most - 1) / most;
    return (n + n_parts - 1) / n_parts;
}

/* acc [rows, ld_acc] -> c [rows, n_cols]; acc may be c. */
static void gemm_epilogue(const memo_kernels *kernels, const memo_gemm_f32 *g, size_t row,
                          size_t rows, size_t col, size_t n_cols, const float *acc, size_t ld_acc)
{
    for (size_t r = 0; r < rows; r++) {
        const float *x = acc + r * ld_acc;
        float *c = g->c + (row + r) * g->ldc + col;
        switch (g->epilogue) {
        case MEMO_EPILOGUE_GELU_ERF:
            kernels->gelu_erf_f32(n_cols, x, c);
            break;
        case MEMO_EPILOGUE_GELU_TANH:
            kernels->gelu_tanh_f32(n_cols, x, c);
            break;
        case MEMO_EPILOGUE_ADD:
            kernels->add_f32(n_cols, x, g->residual + (row + r) * g->ld_residual + col, c);
            break;
        case MEMO_EPILOGUE_NONE:
            if (x != c)
                memcpy(c, x, n_cols * sizeof *c);
            break;
        }
    }
}

/* One group of panels, columns col .. col + n_cols, for rows row .. row + n_rows. */
static void gemm_panel_group(const memo_kernels *kernels, const memo_gemm_f32 *g, size_t row,
                             size_t n_rows, size_t col, size_t n_cols)
{
    size_t n_panels = (n_cols + MEMO_PANEL - 1) / MEMO_PANEL;
    const float *w = g->w + col / MEMO_PANEL * g->panel_stride;
    const float *bias = g->bias ? g->bias + col : NULL;
    /* The tile writes whole panels and before the residual is read: then not into c itself. */
    int ragged = n_cols % MEMO_PANEL != 0;
    int direct = !ragged && g->epilogue != MEMO_EPILOGUE_ADD;
    float edge_bias[GEMM_MAX_COLS];
    float edge[GEMM_MAX_ROWS * GEMM_MAX_COLS];

    if (ragged && bias) {
        memset(edge_bias, 0, sizeof edge_bias);
        memcpy(edge_bias, bias, n_cols * sizeof *bias);
        bias = edge_bias;
    }
    memo_gemm_tile tile = {
        .k = g->k,
        .lda = g->lda,
        .w = w,
        .panel_stride = g->panel_stride,
        .w_next = col + n_cols < g->n ? w + n_panels * g->panel_stride : NULL,
        .bias = bias,
        .ldc = direct ? g->ldc : n_panels * MEMO_PANEL,
    };
    size_t step = gemm_even_part(n_rows, kernels->gemm_f32_rows);
    for (size_t r = 0; r < n_rows; r += step) {
        size_t rows = gemm_min(step, n_rows - r);
        tile.a = g->a + (row + r) * g->lda;
        tile.c = direct ? g->c + (row + r) * g->ldc + col : edge;
        kernels->gemm_f32_tile(rows, n_panels, &tile);
        if (!direct || g->epilogue != MEMO_EPILOGUE_NONE)
            gemm_epilogue(kernels, g, row + r, rows, col, n_cols, tile.c, tile.ldc);
        tile.w_next = NULL; /* the first tile has fetched them */
    }
}

void memo_gemm_f32_run(const memo_kernels *kernels, const memo_gemm_f32 *gemm)
{
    if (!gemm->m || !gemm->n)
        return;
    size_t tile_rows = kernels->gemm_f32_rows;
    size_t group = kernels->gemm_f32_panels * MEMO_PANEL;
    size_t most = GEMM_BLOCK_BYTES / sizeof(float) / (gemm->k + 1) / tile_rows * tile_rows;
    size_t block = gemm_even_part(gemm->m, most > tile_rows ? most : tile_rows);
    block = (block + tile_rows - 1) / tile_rows * tile_rows;
    for (size_t row = 0; row < gemm->m; row += block) {
        size_t n_rows = gemm_min(block, gemm->m - row);
        for (size_t col = 0; col < gemm->n; col += group)
            gemm_panel_group(kernels, gemm, row, n_rows, col, gemm_min(group, gemm->n - col));
    }
}
