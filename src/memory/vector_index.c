// SPDX-License-Identifier: Apache-2.0
#include "memory/vector_index.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "memory/db.h"
#include "memory/rid_set.h"

enum {
    /* Reading this many rows from the store costs less than 1 ms. */
    INDEX_MIN_ROWS = 1024,
    /* Scoring them costs a few per cent of scoring 20,000 slots; making the index anew costs 3 us a
     * vector, so with a twentieth in the tail each added vector pays for it with 60 us. */
    INDEX_MAX_TAIL = 512,
    INDEX_TAIL_SHARE = 20,
    /* Making it in memory costs as much as four searches without it. */
    INDEX_PLAIN_SEARCHES = 4,
    INDEX_MAX_DOUBLINGS = 10,
};

void memo_vector_index_init(memo_vector_index *index)
{
    *index = (memo_vector_index){.min_rows = INDEX_MIN_ROWS, .max_tail = INDEX_MAX_TAIL};
}

static void index_close_view(memo_vector_view *view)
{
    memo_free(view->live);
    memo_free(view->tail.chunks);
    memo_free(view->tail.records);
    memo_free(view->tail.ns);
    memo_free(view->tail.sums);
    memo_aligned_free(view->tail.vectors);
    memset(view, 0, sizeof *view);
}

void memo_vector_index_drop(memo_vector_index *index)
{
    index_close_view(&index->view);
    memo_idx_close(&index->file);
    memo_idx_set_fini(&index->set);
}

void memo_vector_index_fini(memo_vector_index *index)
{
    memo_vector_index_drop(index);
}

/* ---- tail ---------------------------------------------------------------------------------- */

static int index_grow(void **array, size_t cap, size_t item_bytes)
{
    void *grown = memo_reallocarray(*array, cap, item_bytes);
    if (grown)
        *array = grown;
    return grown != NULL;
}

static memo_status index_reserve_tail(memo_vector_tail *tail, size_t dim, memo_err *err)
{
    size_t cap = tail->cap ? 2 * tail->cap : 64;
    float *vectors;
    void *chunks = tail->chunks, *records = tail->records, *ns = tail->ns, *sums = tail->sums;
    int grown = index_grow(&chunks, cap, sizeof *tail->chunks) &&
                index_grow(&records, cap, sizeof *tail->records) &&
                index_grow(&ns, cap, sizeof *tail->ns) &&
                index_grow(&sums, cap, sizeof *tail->sums);
    tail->chunks = chunks;
    tail->records = records;
    tail->ns = ns;
    tail->sums = sums;
    vectors = grown ? memo_aligned_alloc(cap * dim * sizeof *vectors) : NULL;
    if (!vectors)
        return memo_fail_nomem(err, "new vectors", cap * dim * sizeof *vectors);
    if (tail->n)
        memcpy(vectors, tail->vectors, tail->n * dim * sizeof *vectors);
    memo_aligned_free(tail->vectors);
    tail->vectors = vectors;
    tail->cap = cap;
    return MEMO_OK;
}

typedef struct index_append {
    memo_vector_view *view;
    memo_status status;
    memo_err *err;
} index_append;

static int index_take_later(void *user, const memo_store_space_block *block)
{
    index_append *a = user;
    memo_vector_tail *tail = &a->view->tail;
    size_t dim = a->view->base->blocks.dim;
    for (size_t i = 0; i < block->n && !a->status; i++) {
        if (tail->n == tail->cap && (a->status = index_reserve_tail(tail, dim, a->err)))
            return 1;
        tail->chunks[tail->n] = block->chunks[i];
        tail->records[tail->n] = block->records[i];
        tail->ns[tail->n] = block->ns[i];
        tail->sums[tail->n] = block->sums[i];
        memcpy(tail->vectors + tail->n * dim, block->vectors + i * dim, dim * sizeof(float));
        tail->n++;
        a->view->at.n++;
        a->view->at.sum += block->sums[i];
    }
    return a->status != MEMO_OK;
}

/* ---- catching up --------------------------------------------------------------------------- */

static void index_kill(memo_vector_view *view, const memo_rid_set *changed)
{
    const memo_idx_space *base = view->base;
    for (size_t slot = 0; slot < base->blocks.n; slot++) {
        uint64_t bit = UINT64_C(1) << (slot % 64);
        if ((view->live[slot / 64] & bit) && memo_rid_set_has(changed, base->records[slot])) {
            view->live[slot / 64] &= ~bit;
            view->at.n--;
            view->at.sum -= base->sums[slot];
        }
    }
    for (size_t i = 0; i < view->tail.n; i++)
        if (view->tail.chunks[i] && memo_rid_set_has(changed, view->tail.records[i])) {
            view->tail.chunks[i] = 0;
            view->at.n--;
            view->at.sum -= view->tail.sums[i];
        }
}

static memo_status index_take_record(memo_db *db, index_append *append, int64_t rid, memo_err *err)
{
    if (rid <= 0)
        return memo_fail(err, MEMO_ERR_CORRUPT, "a change of no record");
    return memo_store_scan_space(db->store, append->view->base->id, rid, index_take_later, append,
                                 err);
}

/* Bring the view to what the store says now. MEMO_ERR_NOTFOUND: too much has changed;
 * MEMO_ERR_CORRUPT: it is not the store's. */
static memo_status index_catch_up(memo_db *db, memo_vector_index *index, const memo_store_set *now,
                                  size_t max_changes, memo_err *err)
{
    memo_vector_view *view = &index->view;
    memo_rid_set changed = {0};
    index_append append = {.view = view, .err = err};
    memo_status status;

    if (view->at.n_commits == now->n_commits && view->at.n == now->n && view->at.sum == now->sum)
        return MEMO_OK;
    status = memo_store_each_changed(db->store, view->at.seq, memo_rid_set_add, &changed, err);
    if (!status)
        status = memo_rid_set_seal(&changed, err);
    if (!status && changed.n > max_changes)
        status = memo_fail(err, MEMO_ERR_NOTFOUND, "%zu changes", changed.n);
    if (!status && changed.n)
        index_kill(view, &changed);
    for (size_t i = 0; i < changed.n && !status; i++) {
        status = index_take_record(db, &append, changed.rids[i], err);
        status = status ? status : append.status;
    }
    memo_rid_set_fini(&changed);
    if (status)
        return status;
    if (view->at.n != now->n || view->at.sum != now->sum)
        return memo_fail(err, MEMO_ERR_CORRUPT, "the index is not of this store");
    view->at = *now;
    return MEMO_OK;
}

static size_t index_tail_limit(const memo_vector_index *index)
{
    size_t share = index->view.base->blocks.n / INDEX_TAIL_SHARE;
    return share > index->max_tail ? share : index->max_tail;
}

/* ---- opening and making -------------------------------------------------------------------- */

/* A view of `base` as it was at `seq`. */
static memo_status index_begin_view(memo_vector_index *index, memo_idx_space *base, int64_t seq,
                                    memo_err *err)
{
    size_t n_words = (base->blocks.n + 63) / 64;
    memo_vector_view *view = &index->view;

    index_close_view(view);
    view->live = memo_calloc(n_words, sizeof *view->live);
    if (!view->live)
        return memo_fail_nomem(err, "an index", n_words * sizeof *view->live);
    memset(view->live, 0xff, n_words * sizeof *view->live);
    if (base->blocks.n % 64)
        view->live[n_words - 1] = (UINT64_C(1) << (base->blocks.n % 64)) - 1;
    view->base = base;
    view->made_seq = seq;
    view->file = base->vectors_at ? &index->file : NULL;
    view->at =
        (memo_store_set){.seq = seq, .n_commits = -1, .n = base->blocks.n, .sum = base->set_sum};
    return MEMO_OK;
}

/* Open the file that lies beside the store. */
static memo_status index_open_file(memo_db *db, memo_vector_index *index, int64_t space,
                                   const memo_store_set *now, memo_err *err)
{
    char *path = memo_vector_index_path(memo_store_path(db->store));
    memo_idx_space *base = NULL;
    memo_status status;

    memo_vector_index_drop(index);
    if (!path)
        return memo_fail_nomem(err, "a file name", 0);
    status = memo_idx_open(path, &index->file, err);
    memo_free(path);
    if (status)
        return status;
    base = memo_idx_find(&index->file, space);
    if (!base || base->blocks.n == 0 || index->file.seq > now->seq ||
        strcmp(index->file.uuid, memo_store_uuid(db->store)) != 0)
        status = memo_fail(err, MEMO_ERR_CORRUPT, "the index is not of this store or space");
    if (!status)
        status = memo_idx_check_codes(&index->file, base, err);
    if (!status)
        status = index_begin_view(index, base, index->file.seq, err);
    if (!status)
        status = index_catch_up(db, index, now, index_tail_limit(index), err);
    if (status)
        memo_vector_index_drop(index);
    return status;
}

static memo_status index_make_in_memory(memo_db *db, memo_vector_index *index, int64_t space,
                                        const memo_store_set *now, memo_err *err)
{
    memo_status status;

    memo_vector_index_drop(index);
    status = memo_vector_make_set(db, space, now, &index->set, err);
    if (!status)
        status = index_begin_view(index, &index->set.space, now->seq, err);
    if (!status)
        status = index_catch_up(db, index, now, 0, err);
    if (status)
        memo_vector_index_drop(index);
    return status;
}

/* A failure, whatever it is, costs the next searches their index and no more than that. */
static void index_note_failure(memo_db *db, memo_vector_index *index, const memo_err *why)
{
    unsigned n = index->n_failures < INDEX_MAX_DOUBLINGS ? index->n_failures : INDEX_MAX_DOUBLINGS;
    index->n_failures++;
    index->n_waits = 1u << n;
    memo_log(db->ctx, MEMO_LOG_DEBUG, "no index of the vectors: %s", why->message);
}

static memo_status index_make(memo_db *db, memo_vector_index *index, int64_t space,
                              const memo_store_set *now, memo_err *why)
{
    memo_status status = MEMO_ERR_IO;

    if (!memo_store_read_only(db->store)) {
        status = memo_vector_make_file(db, index, why);
        if (!status)
            status = index_open_file(db, index, space, now, why);
    }
    if (status && status != MEMO_ERR_NOMEM && status != MEMO_ERR_BUSY &&
        index->n_plain >= INDEX_PLAIN_SEARCHES)
        status = index_make_in_memory(db, index, space, now, why);
    return status;
}

/* There is no view: open the file, or make it. */
static memo_status index_begin(memo_db *db, memo_vector_index *index, int64_t space, int may_make,
                               const memo_store_set *now, memo_err *err)
{
    memo_err why = {0};
    memo_status status;

    index->n_plain = index->n_commits == now->n_commits ? index->n_plain + 1 : 0;
    index->n_commits = now->n_commits;
    if (index->n_waits) {
        index->n_waits--;
        return MEMO_OK;
    }
    status = index_open_file(db, index, space, now, &why);
    if (status && status != MEMO_ERR_NOMEM && may_make)
        status = index_make(db, index, space, now, &why);
    if (status == MEMO_ERR_NOMEM) {
        if (err)
            *err = why;
        return status;
    }
    if (status && may_make)
        index_note_failure(db, index, &why);
    else if (!status)
        index->n_failures = index->n_plain = 0;
    return MEMO_OK;
}

memo_status memo_vector_index_get(memo_db *db, int64_t space, int may_make,
                                  const memo_vector_view **out, memo_err *err)
{
    memo_vector_index *index = &db->index;
    memo_store_set now;
    memo_err why = {0};
    memo_status status = memo_store_get_set(db->store, space, &now, &why);

    *out = NULL;
    if (!status && now.n < index->min_rows) {
        memo_vector_index_drop(index);
        return MEMO_OK;
    }
    if (!status && index->view.base) {
        if (index->view.base->id == space)
            status = index_catch_up(db, index, &now, index_tail_limit(index), &why);
        /* One that only grew too long is of use until there is another. */
        if (status || index->view.base->id != space ||
            (index->view.tail.n > index_tail_limit(index) && may_make && !index->n_waits))
            memo_vector_index_drop(index);
        status = status == MEMO_ERR_NOMEM ? status : MEMO_OK;
    }
    if (status == MEMO_OK && !index->view.base)
        status = index_begin(db, index, space, may_make, &now, &why);
    if (status == MEMO_ERR_NOMEM) {
        memo_vector_index_drop(index);
        if (err)
            *err = why;
        return status;
    }
    *out = index->view.base ? &index->view : NULL;
    return MEMO_OK;
}

memo_status memo_vector_view_read(memo_db *db, const memo_vector_view *view, size_t slot,
                                  float *vector, memo_err *err)
{
    const memo_idx_space *base = view->base;
    memo_status status;

    if (!view->file)
        return memo_store_get_vector(db->store, base->id, base->chunks[slot], vector,
                                     base->blocks.dim, err);
    status = memo_idx_read_vector(view->file, base, slot, vector, err);
    if (!status &&
        memo_store_vector_sum(base->chunks[slot], base->id, base->ns[slot], base->records[slot],
                              vector, base->blocks.dim) != base->sums[slot])
        status = memo_fail(err, MEMO_ERR_CORRUPT, "a vector of the index is damaged");
    return status;
}
