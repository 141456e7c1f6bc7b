// SPDX-License-Identifier: Apache-2.0
#include "index/screen.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "index/top_keys.h"

enum {
    SCREEN_QUERIES =
        16, /* in one pass: 32 rows of bytes, where arithmetic costs as much as memory */
    SCREEN_SLOTS = 1024, /* scored at once: the scores of one query stay in the first-level cache */
    SCREEN_STOP = 4096,  /* slots between two looks at the clock */
    SCREEN_GAP = 2,      /* blocks without an allowed slot that cost less than to begin again */
};

/* One query on its way. */
typedef struct screen_query {
    memo_block_query encoded;
    memo_top_keys top; /* of estimate minus bound */
    memo_candidates *out;
} screen_query;

typedef struct screen_work {
    const memo_screen *screen;
    size_t n_queries;
    screen_query queries[SCREEN_QUERIES];
    uint8_t *bytes;      /* [2 * n_queries, n_in] */
    memo_int8_row *rows; /* [2 * n_queries] */
    float *estimates;    /* [2 * n_queries, SCREEN_SLOTS] */
    float slack;
} screen_work;

void memo_candidates_fini(memo_candidates *candidates)
{
    memo_free(candidates->items);
    memset(candidates, 0, sizeof *candidates);
}

static memo_status screen_push(memo_candidates *out, size_t slot, float most, memo_err *err)
{
    if (out->n == out->cap) {
        size_t cap = out->cap ? out->cap * 2 : 256;
        memo_candidate *grown = memo_reallocarray(out->items, cap, sizeof *grown);
        if (!grown)
            return memo_fail_nomem(err, "candidates of a search", cap * sizeof *grown);
        out->items = grown;
        out->cap = cap;
    }
    out->items[out->n++] = (memo_candidate){slot, most};
    return MEMO_OK;
}

/* ---- one block ----------------------------------------------------------------------------- */

static unsigned screen_mask(const memo_screen *screen, size_t block)
{
    return (unsigned)(screen->allowed[block / 4] >> (block % 4 * MEMO_BLOCK)) & 0xffffu;
}

/* Does any estimate of the block reach the floor? Mostly none does, and this is all that is asked. */
static int screen_any(const float *a, const float *b, const float *error, float factor, float least)
{
    int any = 0;
    for (size_t i = 0; i < MEMO_BLOCK; i++)
        any |= !(a[i] + b[i] + error[i] * factor < least);
    return any;
}

static memo_status screen_block(const screen_work *w, screen_query *query, size_t block,
                                const float *a, const float *b, memo_err *err)
{
    const memo_screen *screen = w->screen;
    const float *error = screen->blocks->error + block * MEMO_BLOCK;
    double floor = memo_top_keys_floor(&query->top);
    float constant = query->encoded.error + w->slack;
    memo_status status = MEMO_OK;

    /* One more slack for the rounding of this sum, which is not that of memo_block_bound(). */
    if (!screen_any(a, b, error, 1 + query->encoded.error, (float)(floor - constant) - w->slack))
        return MEMO_OK;
    for (unsigned left = screen_mask(screen, block); left && status == MEMO_OK; left &= left - 1) {
        size_t i = (size_t)__builtin_ctz(left), slot = block * MEMO_BLOCK + i;
        float estimate = a[i] + b[i], bound = memo_block_bound(error[i], &query->encoded, w->slack);
        if (estimate + bound < floor)
            continue;
        memo_top_keys_offer(&query->top, screen->keys[slot], estimate - bound);
        floor = memo_top_keys_floor(&query->top);
        status = screen_push(query->out, slot, estimate + bound, err);
    }
    return status;
}

/* ---- runs of blocks ------------------------------------------------------------------------ */

static void screen_score(const screen_work *w, size_t first, size_t n_blocks)
{
    const memo_blocks *blocks = w->screen->blocks;
    const size_t n_in = memo_block_inputs(blocks->dim), slot = first * MEMO_BLOCK;
    const memo_gemm gemm = {.kind = MEMO_GEMM_INT8,
                            .m = 2 * w->n_queries,
                            .n = n_blocks * MEMO_BLOCK,
                            .k = n_in,
                            .a = w->bytes,
                            .lda = n_in,
                            .a_row = w->rows,
                            .w = blocks->codes + first * memo_block_bytes(blocks->dim),
                            .panel_stride = memo_block_bytes(blocks->dim),
                            .scale = blocks->scale + slot,
                            .w_sum = blocks->w_sum + slot,
                            .c = w->estimates,
                            .ldc = SCREEN_SLOTS};
    memo_gemm_run(w->screen->kernels, &gemm);
}

static memo_status screen_blocks(screen_work *w, size_t first, size_t n_blocks, memo_err *err)
{
    memo_status status = MEMO_OK;

    screen_score(w, first, n_blocks);
    for (size_t q = 0; q < w->n_queries; q++) {
        const float *a = w->estimates + 2 * q * SCREEN_SLOTS, *b = a + SCREEN_SLOTS;
        for (size_t i = 0; i < n_blocks && status == MEMO_OK; i++)
            status = screen_block(w, &w->queries[q], first + i, a + i * MEMO_BLOCK,
                                  b + i * MEMO_BLOCK, err);
    }
    return status;
}

/* Blocks from `at` on, at most SCREEN_SLOTS slots, up to the last with an allowed slot before a gap;
 * *at moves past those before in which none is. */
static size_t screen_run_length(const memo_screen *screen, size_t n_blocks, size_t *at)
{
    size_t n = 0;
    while (*at < n_blocks && !screen_mask(screen, *at))
        ++*at;
    for (size_t i = 0; i < SCREEN_SLOTS / MEMO_BLOCK && *at + i < n_blocks && i - n <= SCREEN_GAP;
         i++)
        if (screen_mask(screen, *at + i))
            n = i + 1;
    return n;
}

static size_t screen_count(const memo_screen *screen, size_t first, size_t n_blocks)
{
    size_t n = 0;
    for (size_t i = first; i < first + n_blocks; i++)
        n += (size_t)__builtin_popcount(screen_mask(screen, i));
    return n;
}

static memo_status screen_pass(screen_work *w, size_t *n_screened, memo_err *err)
{
    const memo_screen *screen = w->screen;
    const size_t n_blocks = memo_block_count(screen->blocks->n);
    size_t n_done = 0, n_run, next_stop = SCREEN_STOP;
    memo_status status = MEMO_OK;

    for (size_t at = 0; status == MEMO_OK; at += n_run) {
        n_run = screen_run_length(screen, n_blocks, &at);
        if (n_run == 0)
            break;
        if (n_done >= next_stop) {
            if (screen->stop && screen->stop(screen->user))
                break;
            next_stop = n_done + SCREEN_STOP;
        }
        status = screen_blocks(w, at, n_run, err);
        n_done += screen_count(screen, at, n_run);
    }
    *n_screened = n_done;
    return status;
}

/* ---- all of it ----------------------------------------------------------------------------- */

static int screen_compare(const void *pa, const void *pb)
{
    const memo_candidate *a = pa, *b = pb;
    if (a->most != b->most)
        return a->most > b->most ? -1 : 1;
    return (a->slot > b->slot) - (a->slot < b->slot);
}

/* Drop what the floor of the end leaves behind, and order the rest. */
static void screen_finish(screen_query *query)
{
    memo_candidates *out = query->out;
    size_t n = 0;

    out->floor = memo_top_keys_floor(&query->top);
    for (size_t i = 0; i < out->n; i++)
        if (!(out->items[i].most < out->floor))
            out->items[n++] = out->items[i];
    out->n = n;
    if (n > 1)
        qsort(out->items, n, sizeof *out->items, screen_compare);
}

/* A query without a direction: all that is allowed. */
static memo_status screen_take_all(const memo_screen *screen, memo_candidates *out, memo_err *err)
{
    memo_status status = MEMO_OK;

    out->direct = 1;
    out->floor = -INFINITY;
    for (size_t slot = 0; slot < screen->blocks->n && status == MEMO_OK; slot++)
        if (screen->allowed[slot / 64] >> (slot % 64) & 1)
            status = screen_push(out, slot, INFINITY, err);
    return status;
}

static memo_status screen_alloc(screen_work *w, size_t n_queries, memo_err *err)
{
    const size_t n_in = memo_block_inputs(w->screen->blocks->dim);

    w->bytes = memo_aligned_alloc(2 * n_queries * n_in);
    w->rows = memo_calloc(2 * n_queries, sizeof *w->rows);
    w->estimates = memo_aligned_alloc(2 * n_queries * SCREEN_SLOTS * sizeof *w->estimates);
    w->slack = memo_block_slack(w->screen->blocks->dim);
    return w->bytes && w->rows && w->estimates
               ? MEMO_OK
               : memo_fail_nomem(err, "scores of a search", 2 * n_queries * SCREEN_SLOTS * 4);
}

/* Take as many of the queries as one pass has room for; those without a direction are answered. */
static memo_status screen_begin(screen_work *w, const float *const *queries, size_t n_queries,
                                memo_candidates *candidates, memo_err *err)
{
    const memo_screen *screen = w->screen;
    const size_t dim = screen->blocks->dim, row_bytes = 2 * memo_block_inputs(dim);
    memo_status status = screen_alloc(w, n_queries, err);

    for (size_t i = 0; i < n_queries && status == MEMO_OK; i++) {
        screen_query *query = &w->queries[w->n_queries];
        query->encoded.bytes = w->bytes + w->n_queries * row_bytes;
        query->out = &candidates[i];
        if (!memo_block_query_encode(screen->kernels, dim, queries[i], &query->encoded)) {
            status = screen_take_all(screen, &candidates[i], err);
            continue;
        }
        memcpy(w->rows + 2 * w->n_queries, query->encoded.rows, sizeof query->encoded.rows);
        status = memo_top_keys_init(&query->top, screen->k, err);
        w->n_queries++;
    }
    return status;
}

static memo_status screen_group(const memo_screen *screen, const float *const *queries,
                                size_t n_queries, memo_candidates *candidates, size_t *n_screened,
                                memo_err *err)
{
    screen_work w = {.screen = screen};
    memo_status status = screen_begin(&w, queries, n_queries, candidates, err);

    if (status == MEMO_OK && w.n_queries)
        status = screen_pass(&w, n_screened, err);
    else
        *n_screened = screen_count(screen, 0, memo_block_count(screen->blocks->n));
    for (size_t q = 0; q < w.n_queries; q++) {
        if (status == MEMO_OK)
            screen_finish(&w.queries[q]);
        memo_top_keys_fini(&w.queries[q].top);
    }
    memo_aligned_free(w.bytes);
    memo_free(w.rows);
    memo_aligned_free(w.estimates);
    return status;
}

memo_status memo_screen_run(const memo_screen *screen, const float *const *queries,
                            size_t n_queries, memo_candidates *candidates, size_t *n_screened,
                            memo_err *err)
{
    size_t n_least = SIZE_MAX;

    for (size_t at = 0; at < n_queries; at += SCREEN_QUERIES) {
        size_t n = n_queries - at < SCREEN_QUERIES ? n_queries - at : SCREEN_QUERIES, n_group = 0;
        memo_status status = screen_group(screen, queries + at, n, candidates + at, &n_group, err);
        if (status)
            return status;
        n_least = n_group < n_least ? n_group : n_least;
    }
    *n_screened = n_queries ? n_least : 0;
    return MEMO_OK;
}
