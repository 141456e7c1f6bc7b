// SPDX-License-Identifier: Apache-2.0
/* kernel/gemm.c -- the loops around a level's GEMM tile.
 *
 *   for a block of rows           its A stays in the second-level cache
 *     for a group of panels       its weights come from memory once a block
 *       for a tile of rows        tile and epilogue, in registers
 *
 * Every element is one chain in the tile (or one after the other, where the scale of a channel
 * changes along k), so neither the blocks nor the height of a tile can change a bit of it. Nothing
 * here knows an instruction set. */
#include "kernel/kernels.h"

#include <string.h>

/* Bytes of A that one block may hold: with one group of panels (128 bytes an input) and the tile of
 * C less than a second-level cache of 1 MiB. Where that is the cache the size hardly matters (AMD
 * EPYC, `memo_check --bench --kernel gemm_f32`, 256 rows): from 32 KiB to 2 MiB the shapes ran at
 * 90 to 97 % of peak, with GELU at 82 to 88 %, and no size was ahead by more than the noise. */
#define GEMM_BLOCK_BYTES (320u * 1024u)

/* A group of panels on its way through the rows of a block. */
typedef struct gemm_group {
    size_t col, n_cols, n_panels;
    int whole;        /* no ragged panel */
    const void *w;    /* the panels as the tile wants them */
    size_t stride;    /* bytes */
    const void *next; /* panels after them, in the same array, or NULL */
    /* Side data of a ragged last panel, which the tile reads whole. */
    float bias[MEMO_TILE_COLS], scale[MEMO_TILE_COLS];
    int32_t w_sum[MEMO_TILE_COLS];
} gemm_group;

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

/* Bytes from one group of W's inputs to the next in a panel of int8. */
static size_t gemm_group_bytes(size_t inputs)
{
    return inputs * MEMO_PANEL;
}

/* acc [n_rows, ld_acc] -> rows row .. of the columns of `group` in c. */
static void gemm_edge(const memo_kernels *kernels, const memo_gemm *g, const gemm_group *group,
                      size_t row, size_t n_rows, const float *acc, size_t ld_acc)
{
    size_t n = group->n_cols;
    for (size_t r = 0; r < n_rows; r++) {
        const float *x = acc + r * ld_acc;
        float *c = g->c + (row + r) * g->ldc + group->col;
        switch (g->epilogue) {
        case MEMO_EPILOGUE_GELU_ERF:
            kernels->gelu_erf_f32(n, x, c);
            break;
        case MEMO_EPILOGUE_GELU_TANH:
            kernels->gelu_tanh_f32(n, x, c);
            break;
        case MEMO_EPILOGUE_GELU_ERF_FAST:
            kernels->gelu_erf_fast_f32(n, x, c);
            break;
        case MEMO_EPILOGUE_ADD:
            kernels->add_f32(n, x, g->residual + (row + r) * g->ld_residual + group->col, c);
            break;
        case MEMO_EPILOGUE_NONE:
            memcpy(c, x, n * sizeof *c);
            break;
        }
    }
}

/* `data` of a column each, or NULL; at a ragged edge a copy with zeros behind, in `edge`. */
static const void *gemm_whole_panels(const void *data, const gemm_group *group, void *edge)
{
    _Static_assert(sizeof(float) == 4 && sizeof(int32_t) == 4, "side data is four bytes a column");
    if (!data)
        return NULL;
    const char *from = (const char *)data + group->col * sizeof(float);
    if (group->whole)
        return from;
    memset(edge, 0, MEMO_TILE_COLS * sizeof(float));
    return memcpy(edge, from, group->n_cols * sizeof(float));
}

/* One tile: all groups of k in turn, the epilogue with the last. */
static void gemm_groups(const memo_gemm_kernel *kernel, const memo_gemm *g, gemm_group *group,
                        memo_gemm_tile *tile, size_t n_rows)
{
    size_t a_bytes = g->kind == MEMO_GEMM_INT8 ? 1 : sizeof(float);
    memo_epilogue epilogue = tile->epilogue;
    const char *a = tile->a, *w = tile->w, *next = tile->w_next;

    for (size_t at = 0, i = 0; at < g->k; at += g->group, i++) {
        tile->k = gemm_min(g->group, g->k - at);
        tile->a = a + at * a_bytes;
        tile->w = w + gemm_group_bytes(at);
        tile->w_next = next ? next + gemm_group_bytes(at) : NULL;
        tile->scale = gemm_whole_panels(g->scale + i * g->n, group, group->scale);
        tile->w_sum = gemm_whole_panels(g->w_sum ? g->w_sum + i * g->n : NULL, group, group->w_sum);
        tile->accumulate = i > 0;
        tile->epilogue = at + g->group < g->k ? MEMO_EPILOGUE_NONE : epilogue;
        kernel->run(n_rows, group->n_panels, tile);
    }
    tile->w = w;
}

/* Is the scale of a channel the same along all of k? */
static int gemm_one_scale(const memo_gemm *g)
{
    return !g->group || g->group >= g->k;
}

/* Do 4-bit weights stay as they are? */
static int gemm_keeps_packed(const memo_kernels *kernels, const memo_gemm *g)
{
    return g->unpack && g->kind == MEMO_GEMM_INT8 && g->m <= kernels->gemm_4bit.rows &&
           g->k <= g->unpack->n_in && gemm_one_scale(g);
}

static const memo_gemm_kernel *gemm_kernel(const memo_kernels *kernels, const memo_gemm *g)
{
    return gemm_keeps_packed(kernels, g) ? &kernels->gemm_4bit : &kernels->gemm[g->kind];
}

/* One group of panels for rows row .. row + n_rows. */
static void gemm_panel_group(const memo_kernels *kernels, const memo_gemm *g, gemm_group *group,
                             size_t row, size_t n_rows)
{
    float edge[MEMO_TILE_FLOATS];
    /* Groups of k are gathered in c, which then must not be the residual. */
    int direct = group->whole && (g->epilogue != MEMO_EPILOGUE_ADD || !g->group);
    memo_gemm_tile tile = {
        .k = g->k,
        .lda = g->lda,
        .w = group->w,
        .panel_stride = group->stride,
        .w_next = group->next,
        .scale = gemm_whole_panels(g->scale, group, group->scale),
        .w_sum = gemm_whole_panels(g->w_sum, group, group->w_sum),
        .bias = gemm_whole_panels(g->bias, group, group->bias),
        .epilogue = direct ? g->epilogue : MEMO_EPILOGUE_NONE,
        .ld_residual = g->ld_residual,
        .unpack = g->unpack,
        .panel = group->col / MEMO_PANEL,
    };
    const memo_gemm_kernel *kernel = gemm_kernel(kernels, g);
    size_t step = gemm_even_part(n_rows, kernel->rows);

    for (size_t r = 0; r < n_rows; r += step) {
        size_t n = gemm_min(step, n_rows - r), at = row + r;
        tile.a = (const char *)g->a + at * g->lda;
        tile.a_row = g->a_row ? g->a_row + at : NULL;
        tile.c = direct ? g->c + at * g->ldc + group->col : edge;
        tile.ldc = direct ? g->ldc : group->n_panels * MEMO_PANEL;
        if (g->residual)
            tile.residual = g->residual + at * g->ld_residual + group->col;
        if (gemm_one_scale(g))
            kernel->run(n, group->n_panels, &tile);
        else
            gemm_groups(kernel, g, group, &tile, n);
        tile.w_next = NULL; /* the first tile has fetched them */
        if (!direct)
            gemm_edge(kernels, g, group, at, n, edge, tile.ldc);
    }
}

/* Columns col .. of C, at most `most`, and where their panels lie or are unpacked to. */
static gemm_group gemm_begin_group(const memo_kernels *kernels, const memo_gemm *g, size_t col,
                                   size_t most)
{
    size_t panel = col / MEMO_PANEL, n_cols = gemm_min(most, g->n - col);
    gemm_group group = {
        .col = col,
        .n_cols = n_cols,
        .n_panels = (n_cols + MEMO_PANEL - 1) / MEMO_PANEL,
        .whole = n_cols % MEMO_PANEL == 0,
        .w = (const char *)g->w + panel * g->panel_stride,
        .stride = g->panel_stride,
    };
    const char *next = (const char *)group.w + group.n_panels * g->panel_stride;

    if (!g->unpack || gemm_keeps_packed(kernels, g)) {
        group.next = col + n_cols < g->n ? next : NULL;
        return group;
    }
    group.stride = gemm_group_bytes((g->k + 63) / 64 * 64);
    for (size_t p = 0; p < group.n_panels; p++)
        kernels->unpack_4bit(g->unpack, panel + p, g->unpack->n_in,
                             (const uint8_t *)group.w + p * g->panel_stride,
                             (int8_t *)g->unpacked + p * group.stride);
    group.w = g->unpacked;
    return group;
}

void memo_gemm_run(const memo_kernels *kernels, const memo_gemm *g)
{
    if (!g->m || !g->n)
        return;
    const memo_gemm_kernel *kernel = gemm_kernel(kernels, g);
    size_t rows = kernel->rows, cols = kernel->panels * MEMO_PANEL;
    size_t most = GEMM_BLOCK_BYTES / (g->lda + 1) / rows * rows;
    size_t block = gemm_even_part(g->m, most > rows ? most : rows);
    block = (block + rows - 1) / rows * rows;
    for (size_t row = 0; row < g->m; row += block) {
        for (size_t col = 0; col < g->n; col += cols) {
            gemm_group group = gemm_begin_group(kernels, g, col, cols);
            gemm_panel_group(kernels, g, &group, row, gemm_min(block, g->m - row));
        }
    }
}
