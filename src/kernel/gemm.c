// SPDX-License-Identifier: Apache-2.0
/* kernel/gemm.c -- the loops around a level's GEMM tile, and the epilogue.
 *
 *   for a block of rows           its A stays in the second-level cache
 *     for a group of panels       its weights come from memory once a block
 *       for a tile of rows        tile, then the epilogue on what is still in the first level
 *
 * Every element is one sum in the tile (a chain over k = 0, 1, ... in f32, exact in int8), so
 * neither the blocks nor the height of a tile can change a bit of it. Nothing here knows an
 * instruction set; what a class of weights adds to the loops is a gemm_class. */
#include "kernel/kernels.h"

#include <string.h>

/* Bytes of A that one block may hold: with one group of panels (128 bytes an input) and the tile of
 * C less than a second-level cache of 1 MiB. Where that is the cache the size hardly matters (AMD
 * EPYC, `memo_check --bench --kernel gemm_f32`, 256 rows): from 32 KiB to 2 MiB the shapes ran at
 * 90 to 97 % of peak, with GELU at 82 to 88 %, and no size was ahead by more than the noise. */
#define GEMM_BLOCK_BYTES (320u * 1024u)

/* Rows and columns of C. */
typedef struct gemm_part {
    size_t row, n_rows, col, n_cols;
} gemm_part;

/* A group of panels on its way through the rows of a block, as the tile of the class. */
typedef struct gemm_group {
    size_t n_panels;
    union {
        memo_gemm_tile f32;
        memo_gemm_int8_tile int8;
    } tile;
    /* Side data of a ragged last panel, which the tile reads whole. */
    float bias[MEMO_TILE_COLS], w_scale[MEMO_TILE_COLS];
    int32_t w_sum[MEMO_TILE_COLS];
} gemm_group;

typedef struct gemm_job gemm_job;

typedef struct gemm_class {
    /* Point the group's tile at the panels of `part`, n_cols of which are real columns. */
    void (*begin)(const gemm_job *job, const gemm_part *part, gemm_group *group);
    /* Compute the rows of `part` into c. */
    void (*tile)(const gemm_job *job, const gemm_part *part, gemm_group *group, float *c,
                 size_t ldc);
} gemm_class;

/* A GEMM of any class. */
struct gemm_job {
    const memo_kernels *kernels;
    const gemm_class *class;
    const void *gemm; /* memo_gemm_f32 or memo_gemm_int8, for the class */
    size_t m, n, a_row_bytes, tile_rows, tile_panels;
    float *c;
    size_t ldc;
    memo_epilogue epilogue;
    const float *residual;
    size_t ld_residual;
};

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

/* acc [n_rows, ld_acc] -> the part of c; acc may be that part itself. */
static void gemm_epilogue(const gemm_job *job, const gemm_part *part, const float *acc,
                          size_t ld_acc)
{
    const memo_kernels *kernels = job->kernels;
    size_t n = part->n_cols;
    for (size_t r = 0; r < part->n_rows; r++) {
        const float *x = acc + r * ld_acc;
        float *c = job->c + (part->row + r) * job->ldc + part->col;
        switch (job->epilogue) {
        case MEMO_EPILOGUE_GELU_ERF:
            kernels->gelu_erf_f32(n, x, c);
            break;
        case MEMO_EPILOGUE_GELU_TANH:
            kernels->gelu_tanh_f32(n, x, c);
            break;
        case MEMO_EPILOGUE_ADD:
            kernels->add_f32(n, x, job->residual + (part->row + r) * job->ld_residual + part->col,
                             c);
            break;
        case MEMO_EPILOGUE_NONE:
            if (x != c)
                memcpy(c, x, n * sizeof *c);
            break;
        }
    }
}

/* One group of panels, the columns of `block`, for all its rows. */
static void gemm_panel_group(const gemm_job *job, const gemm_part *block)
{
    /* The tile writes whole panels and before the residual is read: then not into c itself. */
    int direct = block->n_cols % MEMO_PANEL == 0 && job->epilogue != MEMO_EPILOGUE_ADD;
    float edge[MEMO_TILE_FLOATS];
    gemm_group group;

    group.n_panels = (block->n_cols + MEMO_PANEL - 1) / MEMO_PANEL;
    job->class->begin(job, block, &group);
    size_t step = gemm_even_part(block->n_rows, job->tile_rows);
    for (size_t r = 0; r < block->n_rows; r += step) {
        gemm_part part = *block;
        part.row += r;
        part.n_rows = gemm_min(step, block->n_rows - r);
        float *c = direct ? job->c + part.row * job->ldc + part.col : edge;
        size_t ldc = direct ? job->ldc : group.n_panels * MEMO_PANEL;
        job->class->tile(job, &part, &group, c, ldc);
        if (!direct || job->epilogue != MEMO_EPILOGUE_NONE)
            gemm_epilogue(job, &part, c, ldc);
    }
}

static void gemm_run(const gemm_job *job)
{
    if (!job->m || !job->n)
        return;
    size_t rows = job->tile_rows, cols = job->tile_panels * MEMO_PANEL;
    size_t most = GEMM_BLOCK_BYTES / (job->a_row_bytes + 1) / rows * rows;
    size_t block = gemm_even_part(job->m, most > rows ? most : rows);
    block = (block + rows - 1) / rows * rows;
    for (size_t row = 0; row < job->m; row += block) {
        for (size_t col = 0; col < job->n; col += cols) {
            gemm_part part = {row, gemm_min(block, job->m - row), col,
                              gemm_min(cols, job->n - col)};
            gemm_panel_group(job, &part);
        }
    }
}

/* `data` of a column each, or NULL; at a ragged edge a copy with zeros behind, in `edge`. */
static const void *gemm_whole_panels(const void *data, const gemm_part *part, void *edge)
{
    _Static_assert(sizeof(float) == 4 && sizeof(int32_t) == 4, "side data is four bytes a column");
    if (!data || part->n_cols % MEMO_PANEL == 0)
        return data;
    memset(edge, 0, MEMO_TILE_COLS * sizeof(float));
    return memcpy(edge, data, part->n_cols * sizeof(float));
}

static void gemm_f32_begin(const gemm_job *job, const gemm_part *part, gemm_group *group)
{
    const memo_gemm_f32 *g = job->gemm;
    const float *w = g->w + part->col / MEMO_PANEL * g->panel_stride;
    const float *bias = g->bias ? g->bias + part->col : NULL;
    group->tile.f32 = (memo_gemm_tile){
        .k = g->k,
        .lda = g->lda,
        .w = w,
        .panel_stride = g->panel_stride,
        .w_next = part->col + part->n_cols < g->n ? w + group->n_panels * g->panel_stride : NULL,
        .bias = gemm_whole_panels(bias, part, group->bias),
    };
}

static void gemm_f32_tile(const gemm_job *job, const gemm_part *part, gemm_group *group, float *c,
                          size_t ldc)
{
    const memo_gemm_f32 *g = job->gemm;
    memo_gemm_tile *tile = &group->tile.f32;
    tile->a = g->a + part->row * g->lda;
    tile->c = c;
    tile->ldc = ldc;
    job->kernels->gemm_f32_tile(part->n_rows, group->n_panels, tile);
    tile->w_next = NULL; /* the first tile has fetched them */
}

void memo_gemm_f32_run(const memo_kernels *kernels, const memo_gemm_f32 *gemm)
{
    static const gemm_class f32 = {gemm_f32_begin, gemm_f32_tile};
    gemm_job job = {
        .kernels = kernels,
        .class = &f32,
        .gemm = gemm,
        .m = gemm->m,
        .n = gemm->n,
        .a_row_bytes = gemm->k * sizeof *gemm->a,
        .tile_rows = kernels->gemm_f32_rows,
        .tile_panels = kernels->gemm_f32_panels,
        .c = gemm->c,
        .ldc = gemm->ldc,
        .epilogue = gemm->epilogue,
        .residual = gemm->residual,
        .ld_residual = gemm->ld_residual,
    };
    gemm_run(&job);
}

static void gemm_int8_begin(const gemm_job *job, const gemm_part *part, gemm_group *group)
{
    const memo_gemm_int8 *g = job->gemm;
    const int8_t *w = g->w + part->col / MEMO_PANEL * g->panel_stride;
    const float *bias = g->bias ? g->bias + part->col : NULL;
    group->tile.int8 = (memo_gemm_int8_tile){
        .k = g->k,
        .lda = g->lda,
        .w = w,
        .panel_stride = g->panel_stride,
        .w_next = part->col + part->n_cols < g->n ? w + group->n_panels * g->panel_stride : NULL,
        .w_scale = gemm_whole_panels(g->w_scale + part->col, part, group->w_scale),
        .w_sum = gemm_whole_panels(g->w_sum + part->col, part, group->w_sum),
        .bias = gemm_whole_panels(bias, part, group->bias),
    };
}

static void gemm_int8_tile(const gemm_job *job, const gemm_part *part, gemm_group *group, float *c,
                           size_t ldc)
{
    const memo_gemm_int8 *g = job->gemm;
    memo_gemm_int8_tile *tile = &group->tile.int8;
    tile->a = g->a + part->row * g->lda;
    tile->a_row = g->a_row + part->row;
    tile->c = c;
    tile->ldc = ldc;
    job->kernels->gemm_int8_tile(part->n_rows, group->n_panels, tile);
    tile->w_next = NULL;
}

void memo_gemm_int8_run(const memo_kernels *kernels, const memo_gemm_int8 *gemm)
{
    static const gemm_class int8 = {gemm_int8_begin, gemm_int8_tile};
    gemm_job job = {
        .kernels = kernels,
        .class = &int8,
        .gemm = gemm,
        .m = gemm->m,
        .n = gemm->n,
        .a_row_bytes = gemm->k,
        .tile_rows = kernels->gemm_int8_rows,
        .tile_panels = kernels->gemm_int8_panels,
        .c = gemm->c,
        .ldc = gemm->ldc,
        .epilogue = gemm->epilogue,
        .residual = gemm->residual,
        .ld_residual = gemm->ld_residual,
    };
    gemm_run(&job);
}
