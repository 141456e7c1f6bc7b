// SPDX-License-Identifier: Apache-2.0
/* The dense lane: the chunks whose vectors are nearest to the query's.
 *
 * Exact, by either way: the index screens all vectors by their bytes and the few that can be among the
 * best are scored from the floats that the store vouches for; without an index every vector is read
 * from the store. Scores, order and hits are the same. */
#include "memory/search/lanes.h"

#include <inttypes.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/error.h"
#include "index/exact.h"
#include "index/screen.h"
#include "index/top_keys.h"
#include "memory/rid_set.h"

#define DENSE_SCORES 256 /* scored at once: stays in the first-level cache */

typedef struct dense_scan {
    memo_lanes *lanes;
    memo_exact exact;
    memo_status status;
    memo_err *err;
} dense_scan;

static void dense_note_chunk(memo_lanes *lanes, int64_t chunk)
{
    char name[40];

    snprintf(name, sizeof name, "chunk %" PRId64, chunk);
    memo_damage_add(&lanes->damage, name);
}

/* A score that is not finite is of no vector of ours: its checksum was made to fit. */
static memo_status dense_offer(memo_lanes *lanes, int64_t record, int64_t chunk, double score,
                               memo_err *err)
{
    if (!isfinite(score)) {
        dense_note_chunk(lanes, chunk);
        return MEMO_OK;
    }
    return memo_lane_list_offer(&lanes->lists[MEMO_LANE_DENSE],
                                memo_lanes_hit(lanes, record, chunk, score), lanes->depth, err);
}

static int dense_scan_block(void *user, const memo_store_block *block)
{
    dense_scan *scan = user;
    memo_lanes *lanes = scan->lanes;
    double scores[DENSE_SCORES];

    for (size_t at = 0; at < block->n; at += DENSE_SCORES) {
        size_t n = block->n - at < DENSE_SCORES ? block->n - at : DENSE_SCORES;
        memo_exact_scores(&scan->exact, block->vectors + at * scan->exact.dim, n, scores);
        for (size_t i = 0; i < n && !scan->status; i++)
            scan->status = dense_offer(lanes, block->records[at + i], block->chunks[at + i],
                                       scores[i], scan->err);
        if (scan->status)
            return 1;
    }
    lanes->n_scanned += block->n;
    lanes->plan.n_scored += block->n;
    lanes->partial |= memo_deadline_passed(lanes->deadline);
    return lanes->partial;
}

/* Every vector of the scope, out of the store. */
static memo_status dense_plain(memo_lanes *lanes, memo_err *err)
{
    dense_scan scan = {.lanes = lanes, .err = err};
    memo_status status;

    memo_exact_init(&scan.exact, memo_kernels_for(memo_ctx_cpu(lanes->db->ctx)), lanes->dim,
                    lanes->vector);
    status = memo_store_scan(lanes->db->store, &lanes->scope, lanes->space, dense_scan_block, &scan,
                             &lanes->damage, err);
    return status ? status : scan.status;
}

/* ---- by the index -------------------------------------------------------------------------- */

typedef struct dense_view {
    memo_lanes *lanes;
    const memo_vector_view *view;
    memo_exact exact;
    memo_top_keys top;           /* of exact scores */
    uint64_t *allowed;           /* a bit a slot of the base */
    const memo_rid_set *matches; /* of the filter; NULL: there is none */
    memo_rid_set expired;
    float *vector; /* [dim] */
} dense_view;

static inline int dense_may_see(const dense_view *d, int64_t record)
{
    return (!d->matches || memo_rid_set_has(d->matches, record)) &&
           !memo_rid_set_has(&d->expired, record);
}

/* The same of records[0 .. n - 1] as bits; n at most 64. A branch that no one can foresee would cost
 * more than both sets. */
static uint64_t dense_may_see_each(const dense_view *d, const int64_t *records, size_t n)
{
    const memo_rid_set *matches = d->matches;
    uint64_t seen = 0;

    if (!matches || !matches->bits || d->expired.n) {
        for (size_t i = 0; i < n; i++)
            seen |= (uint64_t)dense_may_see(d, records[i]) << i;
        return seen;
    }
    const uint64_t least = (uint64_t)matches->least, range = (uint64_t)matches->greatest - least;
    for (size_t i = 0; i < n; i++) {
        uint64_t at = (uint64_t)records[i] - least, within = at <= range, place = within ? at : 0;
        seen |= (matches->bits[place / 64] >> (place % 64) & within) << i;
    }
    return seen;
}

/* The first slot of a namespace, or of what comes behind it. */
static size_t dense_first_slot(const memo_idx_space *base, int64_t ns)
{
    size_t low = 0, high = base->blocks.n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (base->ns[middle] < ns)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Slots first .. end - 1 that are still the store's and in sight; most searches look at whole words. */
static void dense_mark(dense_view *d, size_t first, size_t end)
{
    const int64_t *records = d->view->base->records;
    int all = !d->matches && d->expired.n == 0;

    for (size_t word = first / 64; word * 64 < end; word++) {
        size_t from = word * 64 < first ? first % 64 : 0;
        size_t to = end - word * 64 < 64 ? end - word * 64 : 64;
        uint64_t bits = UINT64_MAX >> (64 - to) & UINT64_MAX << from;
        if (!all)
            bits &= dense_may_see_each(d, records + word * 64 + from, to - from) << from;
        d->allowed[word] = bits & d->view->live[word];
    }
}

/* Find what the scope lets through: one query, then a bit for each slot. */
static memo_status dense_allow(dense_view *d, memo_err *err)
{
    const memo_store_scope *scope = &d->lanes->scope;
    const memo_idx_space *base = d->view->base;
    memo_store *store = d->lanes->db->store;
    size_t n_words = (base->blocks.n + 63) / 64, end;
    memo_status status = memo_store_each_expired(store, scope, memo_rid_set_add, &d->expired, err);
    if (!status)
        status = memo_rid_set_seal(&d->expired, err);
    if (!status && scope->filter)
        status = memo_match_cache_get(&d->lanes->db->matches, store, scope, d->view->at.n_commits,
                                      &d->matches, err);
    if (status)
        return status;
    d->allowed = memo_calloc(n_words, sizeof *d->allowed);
    if (!d->allowed)
        return memo_fail_nomem(err, "what a filter lets through", n_words * sizeof *d->allowed);
    end = scope->ns == INT64_MAX ? base->blocks.n : dense_first_slot(base, scope->ns + 1);
    dense_mark(d, dense_first_slot(base, scope->ns), end);
    return MEMO_OK;
}

/* Asked by several workers. */
typedef struct dense_clock {
    memo_deadline deadline;
    atomic_int passed;
} dense_clock;

static int dense_stop(void *user)
{
    dense_clock *clock = user;
    if (memo_deadline_passed(clock->deadline))
        atomic_store(&clock->passed, 1);
    return atomic_load(&clock->passed);
}

static memo_status dense_score(dense_view *d, int64_t record, int64_t chunk, const float *vector,
                               memo_err *err)
{
    double score;
    memo_exact_scores(&d->exact, vector, 1, &score);
    d->lanes->plan.n_scored++;
    memo_top_keys_offer(&d->top, d->lanes->by_chunk ? chunk : record, score);
    return dense_offer(d->lanes, record, chunk, score, err);
}

/* What came after the index. Scored first: it raises the bar. */
static memo_status dense_tail(dense_view *d, memo_err *err)
{
    const memo_vector_tail *tail = &d->view->tail;
    size_t dim = d->view->base->blocks.dim;
    memo_status status = MEMO_OK;

    for (size_t i = 0; i < tail->n && !status; i++) {
        if (!tail->chunks[i] || tail->ns[i] != d->lanes->scope.ns ||
            !dense_may_see(d, tail->records[i]))
            continue;
        status = dense_score(d, tail->records[i], tail->chunks[i], tail->vectors + i * dim, err);
        d->lanes->n_scanned++;
    }
    return status;
}

/* Exact scores of the candidates, the most promising first: behind the first that cannot reach the
 * depth-th best none can. */
static memo_status dense_finish(dense_view *d, const memo_candidates *candidates, memo_err *err)
{
    const memo_idx_space *base = d->view->base;
    memo_status status = MEMO_OK;

    for (size_t i = 0; i < candidates->n && !status; i++) {
        size_t slot = candidates->items[i].slot;
        if ((double)candidates->items[i].most < memo_top_keys_floor(&d->top))
            break;
        status = memo_vector_view_read(d->lanes->db, d->view, slot, d->vector, err);
        if (!status)
            status = dense_score(d, base->records[slot], base->chunks[slot], d->vector, err);
    }
    return status;
}

static memo_status dense_screen(dense_view *d, memo_err *err)
{
    const memo_idx_space *base = d->view->base;
    memo_lanes *lanes = d->lanes;
    dense_clock clock = {.deadline = lanes->deadline};
    const memo_screen screen = {.kernels = d->exact.kernels,
                                .blocks = &base->blocks,
                                .keys = lanes->by_chunk ? base->chunks : base->records,
                                .allowed = d->allowed,
                                .k = lanes->depth,
                                .stop = dense_stop,
                                .user = &clock,
                                .pool = lanes->db->ctx->pool};
    memo_candidates candidates = {0};
    size_t n_screened = 0;
    memo_status status = memo_screen_run(&screen, &lanes->vector, 1, &candidates, &n_screened, err);

    if (!status)
        status = dense_finish(d, &candidates, err);
    lanes->n_scanned += n_screened;
    lanes->partial |= atomic_load(&clock.passed);
    memo_candidates_fini(&candidates);
    return status;
}

static memo_status dense_by_index(memo_lanes *lanes, const memo_vector_view *view, memo_err *err)
{
    dense_view d = {.lanes = lanes, .view = view};
    size_t dim = view->base->blocks.dim;
    memo_status status = memo_top_keys_init(&d.top, lanes->depth, err);

    lanes->plan = (memo_search_plan){.n_indexed = view->base->blocks.n,
                                     .n_later = view->tail.n,
                                     .index_seq = (uint64_t)view->made_seq};
    memo_exact_init(&d.exact, memo_kernels_for(memo_ctx_cpu(lanes->db->ctx)), dim, lanes->vector);
    d.vector = memo_aligned_alloc(dim * sizeof *d.vector);
    if (!status && !d.vector)
        status = memo_fail_nomem(err, "a vector", dim * sizeof *d.vector);
    if (!status)
        status = dense_allow(&d, err);
    if (!status)
        status = dense_tail(&d, err);
    if (!status)
        status = dense_screen(&d, err);
    memo_top_keys_fini(&d.top);
    memo_rid_set_fini(&d.expired);
    memo_free(d.allowed);
    memo_aligned_free(d.vector);
    return status;
}

/* What a vector's cosine lacks of the best one. */
static void dense_weigh(memo_lane_list *list)
{
    double best = list->n ? list->hits[0].score : 0;
    for (size_t i = 0; i < list->n && best > 0; i++)
        list->hits[i].lacks = 1 - fmax(list->hits[i].score, 0) / best;
}

/* ---- both ---------------------------------------------------------------------------------- */

memo_status memo_lanes_dense(memo_lanes *lanes, memo_err *err)
{
    const memo_vector_view *view = NULL;
    memo_lane_list *list = &lanes->lists[MEMO_LANE_DENSE];
    int may_make = lanes->deadline.at_ms == 0;
    memo_err why = {0};
    memo_status status = memo_vector_index_get(lanes->db, lanes->space, may_make, &view, err);

    if (status)
        return status;
    if (view && view->base->blocks.dim == lanes->dim) {
        status = dense_by_index(lanes, view, &why);
        if (status == MEMO_ERR_NOMEM && err)
            *err = why;
        if (status && status != MEMO_ERR_NOMEM) { /* whatever it was, the store itself decides */
            memo_log(lanes->db->ctx, MEMO_LOG_WARN, "searched without the index: %s", why.message);
            memo_vector_index_drop(&lanes->db->index);
            list->n = lanes->n_scanned = 0;
            list->full = lanes->partial = 0;
            lanes->plan = (memo_search_plan){0};
            view = NULL;
        }
    } else {
        view = NULL;
    }
    if (!view)
        status = dense_plain(lanes, err);
    memo_lane_list_rank(list, lanes->depth);
    if (lanes->weigh)
        dense_weigh(list);
    return status;
}
