// SPDX-License-Identifier: Apache-2.0
#include "index/screen.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "index/top_keys.h"

enum {
    SCREEN_QUERIES =
        16, /* in one pass: 32 rows of bytes, where arithmetic costs as much as memory */
    SCREEN_SLOTS = 1024, /* scored at once: the scores of one query stay in the first-level cache */
    SCREEN_PART = 2048,  /* slots a worker takes, and slots between two looks at the clock */
    SCREEN_SHARED = 8192, /* slots from which a second worker gains more than waking it costs */
    SCREEN_GAP = 2,       /* blocks without an allowed slot that cost less than to begin again */
};

/* What one worker found. Which parts it took changes nothing of what all found together. */
typedef struct screen_worker {
    memo_top_keys top[SCREEN_QUERIES]; /* of estimate minus bound */
    memo_candidates found[SCREEN_QUERIES];
    float *estimates; /* [2 * n_queries, SCREEN_SLOTS] */
    size_t n_screened;
    memo_status status;
    memo_err err;
} screen_worker;

typedef struct screen_work {
    const memo_screen *screen;
    size_t n_queries;
    memo_block_query queries[SCREEN_QUERIES];
    memo_candidates *out[SCREEN_QUERIES];
    uint8_t *bytes;      /* [2 * n_queries, n_in] */
    memo_int8_row *rows; /* [2 * n_queries] */
    float slack;
    unsigned n_workers;
    screen_worker *workers; /* [n_workers] */
    atomic_int ended;       /* by stop(), or by a worker that failed */
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

static memo_status screen_block(const screen_work *w, screen_worker *worker, size_t q, size_t block,
                                const float *a, const float *b)
{
    const memo_screen *screen = w->screen;
    const memo_block_query *query = &w->queries[q];
    const float *error = screen->blocks->error + block * MEMO_BLOCK;
    memo_top_keys *top = &worker->top[q];
    double floor = memo_top_keys_floor(top);
    float constant = query->error + w->slack;
    memo_status status = MEMO_OK;

    /* One more slack for the rounding of this sum, which is not that of memo_block_bound(). */
    if (!screen_any(a, b, error, 1 + query->error, (float)(floor - constant) - w->slack))
        return MEMO_OK;
    for (unsigned left = screen_mask(screen, block); left && status == MEMO_OK; left &= left - 1) {
        size_t i = (size_t)__builtin_ctz(left), slot = block * MEMO_BLOCK + i;
        float estimate = a[i] + b[i], bound = memo_block_bound(error[i], query, w->slack);
        if (estimate + bound < floor)
            continue;
        memo_top_keys_offer(top, screen->keys[slot], estimate - bound);
        floor = memo_top_keys_floor(top);
        status = screen_push(&worker->found[q], slot, estimate + bound, &worker->err);
    }
    return status;
}

/* ---- runs of blocks ------------------------------------------------------------------------ */

static void screen_score(const screen_work *w, const screen_worker *worker, size_t first,
                         size_t n_blocks)
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
                            .c = worker->estimates,
                            .ldc = SCREEN_SLOTS};
    memo_gemm_run(w->screen->kernels, &gemm);
}

static memo_status screen_blocks(const screen_work *w, screen_worker *worker, size_t first,
                                 size_t n_blocks)
{
    memo_status status = MEMO_OK;

    screen_score(w, worker, first, n_blocks);
    for (size_t q = 0; q < w->n_queries; q++) {
        const float *a = worker->estimates + 2 * q * SCREEN_SLOTS, *b = a + SCREEN_SLOTS;
        for (size_t i = 0; i < n_blocks && status == MEMO_OK; i++)
            status = screen_block(w, worker, q, first + i, a + i * MEMO_BLOCK, b + i * MEMO_BLOCK);
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

/* One part of the slots, on the worker that took it. */
static void screen_part(void *user, size_t part, unsigned who)
{
    screen_work *w = user;
    const memo_screen *screen = w->screen;
    screen_worker *worker = &w->workers[who];
    const size_t n_blocks = memo_block_count(screen->blocks->n);
    size_t at = part * (SCREEN_PART / MEMO_BLOCK), end = at + SCREEN_PART / MEMO_BLOCK, n_run;

    if (atomic_load_explicit(&w->ended, memory_order_relaxed))
        return;
    if (part > 0 && screen->stop && screen->stop(screen->user)) {
        atomic_store(&w->ended, 1);
        return;
    }
    if (end > n_blocks)
        end = n_blocks;
    for (; worker->status == MEMO_OK; at += n_run) {
        n_run = screen_run_length(screen, end, &at);
        if (n_run == 0)
            break;
        worker->status = screen_blocks(w, worker, at, n_run);
        worker->n_screened += screen_count(screen, at, n_run);
    }
    if (worker->status)
        atomic_store(&w->ended, 1);
}

static void screen_parts(screen_work *w)
{
    const size_t n_parts = (w->screen->blocks->n + SCREEN_PART - 1) / SCREEN_PART;

    if (w->n_workers > 1)
        memo_pool_run(w->screen->pool, w->n_workers, n_parts, screen_part, w);
    else
        for (size_t part = 0; part < n_parts; part++)
            screen_part(w, part, 0);
}

/* ---- all of it ----------------------------------------------------------------------------- */

static int screen_compare(const void *pa, const void *pb)
{
    const memo_candidate *a = pa, *b = pb;
    if (a->most != b->most)
        return a->most > b->most ? -1 : 1;
    return (a->slot > b->slot) - (a->slot < b->slot);
}

/* What the workers found of one query: drop what the floor of all leaves behind, order the rest. */
static memo_status screen_join(screen_work *w, size_t q, memo_err *err)
{
    memo_candidates *out = w->out[q];
    memo_top_keys *top = &w->workers[0].top[q];
    memo_status status = MEMO_OK;

    for (unsigned i = 1; i < w->n_workers; i++)
        for (size_t at = 0; at < w->workers[i].top[q].n; at++)
            memo_top_keys_offer(top, w->workers[i].top[q].keys[at],
                                w->workers[i].top[q].values[at]);
    out->floor = memo_top_keys_floor(top);
    for (unsigned i = 0; i < w->n_workers; i++) {
        const memo_candidates *found = &w->workers[i].found[q];
        for (size_t at = 0; at < found->n && status == MEMO_OK; at++)
            if (!(found->items[at].most < out->floor))
                status = screen_push(out, found->items[at].slot, found->items[at].most, err);
    }
    if (out->n > 1)
        qsort(out->items, out->n, sizeof *out->items, screen_compare);
    return status;
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

/* More workers than parts would find nothing to do. */
static unsigned screen_n_workers(const memo_screen *screen)
{
    const size_t n = screen->blocks->n;
    unsigned most = screen->pool && n >= SCREEN_SHARED ? memo_pool_n_workers(screen->pool) : 1;

    return most > n / SCREEN_PART + 1 ? (unsigned)(n / SCREEN_PART + 1) : most;
}

static memo_status screen_alloc(screen_work *w, size_t n_queries, memo_err *err)
{
    const size_t n_in = memo_block_inputs(w->screen->blocks->dim);
    const size_t n_bytes = 2 * n_queries * SCREEN_SLOTS * sizeof(float);
    unsigned most = screen_n_workers(w->screen);

    w->slack = memo_block_slack(w->screen->blocks->dim);
    w->bytes = memo_aligned_alloc(2 * n_queries * n_in);
    w->rows = memo_calloc(2 * n_queries, sizeof *w->rows);
    w->workers = memo_calloc(most, sizeof *w->workers);
    if (!w->bytes || !w->rows || !w->workers)
        return memo_fail_nomem(err, "the queries of a search", 2 * n_queries * n_in);
    for (; w->n_workers < most; w->n_workers++) {
        float **estimates = &w->workers[w->n_workers].estimates;
        *estimates = memo_aligned_alloc(n_bytes);
        if (!*estimates)
            return memo_fail_nomem(err, "scores of a search", n_bytes);
    }
    return MEMO_OK;
}

static void screen_fini(screen_work *w)
{
    for (unsigned i = 0; i < w->n_workers; i++) {
        for (size_t q = 0; q < SCREEN_QUERIES; q++) {
            memo_top_keys_fini(&w->workers[i].top[q]);
            memo_candidates_fini(&w->workers[i].found[q]);
        }
        memo_aligned_free(w->workers[i].estimates);
    }
    memo_free(w->workers);
    memo_aligned_free(w->bytes);
    memo_free(w->rows);
}

/* Take as many of the queries as one pass has room for; those without a direction are answered. */
static memo_status screen_begin(screen_work *w, const float *const *queries, size_t n_queries,
                                memo_candidates *candidates, memo_err *err)
{
    const memo_screen *screen = w->screen;
    const size_t dim = screen->blocks->dim, row_bytes = 2 * memo_block_inputs(dim);
    memo_status status = screen_alloc(w, n_queries, err);

    for (size_t i = 0; i < n_queries && status == MEMO_OK; i++) {
        memo_block_query *query = &w->queries[w->n_queries];
        query->bytes = w->bytes + w->n_queries * row_bytes;
        if (!memo_block_query_encode(screen->kernels, dim, queries[i], query)) {
            status = screen_take_all(screen, &candidates[i], err);
            continue;
        }
        memcpy(w->rows + 2 * w->n_queries, query->rows, sizeof query->rows);
        for (unsigned k = 0; k < w->n_workers && status == MEMO_OK; k++)
            status = memo_top_keys_init(&w->workers[k].top[w->n_queries], screen->k, err);
        w->out[w->n_queries++] = &candidates[i];
    }
    return status;
}

/* All slots, by all workers. */
static memo_status screen_pass(screen_work *w, size_t *n_screened, memo_err *err)
{
    memo_status status = MEMO_OK;

    screen_parts(w);
    *n_screened = 0;
    for (unsigned i = 0; i < w->n_workers; i++) {
        *n_screened += w->workers[i].n_screened;
        if (w->workers[i].status && status == MEMO_OK) {
            status = w->workers[i].status;
            if (err)
                *err = w->workers[i].err;
        }
    }
    for (size_t q = 0; q < w->n_queries && status == MEMO_OK; q++)
        status = screen_join(w, q, err);
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
    screen_fini(&w);
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
