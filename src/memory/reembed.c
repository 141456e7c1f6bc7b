// SPDX-License-Identifier: Apache-2.0
/* memory/reembed.c -- another model for a namespace, while others search and write it.
 *
 *   1  name the next space (store/switches.h)
 *   2  group by group: read chunks without a vector there, embed them (no lock), write them
 *   3  under the lock: embed what came in since, switch
 *   4  cut records with chunks that are too long for the new model, one by one
 *
 * Each step is a transaction, and none repeats what an earlier one has committed. In step 2 and 3 the
 * chunks are met in one pass upwards over their ids. What step 4 has to do is told by the number of
 * tokens that step 2 has written into the chunks, so it, too, can be interrupted. */
#include "memory/db.h"

#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "store/switches.h"

#define REEMBED_GROUP                                                                              \
    128                /* chunks a transaction: a second or so of embedding is what a kill costs */
#define REEMBED_CUT 64 /* ids read at once */

typedef struct reembed {
    memo_db *db;
    memo_set_model_options o; /* progress wrapped */
    memo_set_model_report *report;
    const char *name; /* of the namespace */
    memo_store_ns ns;
    int64_t space; /* to be set */
    uint64_t done, total;
    memo_arena arena; /* of a group */
    memo_store_lackings found;
    float *vectors; /* [REEMBED_GROUP, dim] */
    memo_embed_result results[REEMBED_GROUP];
} reembed;

static int reembed_tell(void *user, const memo_progress *p)
{
    const reembed *w = user;
    const memo_progress told = {p->stage, w->done + p->done, w->total, w->name};

    return w->o.progress ? w->o.progress(w->o.progress_user, &told) : 0;
}

static memo_status reembed_tell_now(reembed *w, const char *stage, memo_err *err)
{
    return memo_progress_call(w->o.progress, w->o.progress_user, stage, w->done, w->total, w->name,
                              err);
}

/* ---- one group ----------------------------------------------------------------------------- */

/* Also within a write transaction, where it sees what that has changed. */
static memo_status reembed_find(reembed *w, memo_err *err)
{
    memo_status status;

    memo_arena_fini(&w->arena);
    w->found.arena = &w->arena;
    w->found.limit = REEMBED_GROUP;
    status = memo_store_find_lacking(w->db->store, w->ns.id, w->space, &w->found, err);
    if (status == MEMO_OK) {
        w->report->n_damaged += w->found.n_damaged;
        w->found.n_damaged = 0;
    }
    return status;
}

/* The model refuses one of the texts: each by itself, and those that it refuses stay without. */
static memo_status reembed_one_by_one(reembed *w, const memo_embed_options *options,
                                      const memo_text *inputs, memo_err *err)
{
    memo_status status = MEMO_OK;

    for (size_t i = 0; i < w->found.n && status == MEMO_OK; i++) {
        memo_err why = {0};
        status = memo_db_embed(w->db, options, &inputs[i], 1, w->vectors + i * w->db->space.dim,
                               &w->results[i], &why);
        if (status == MEMO_ERR_VALUE) {
            memo_log(w->db->ctx, MEMO_LOG_WARN, "record %s: a chunk gets no vector: %s",
                     w->found.list[i].id, why.message);
            w->found.list[i].vector = NULL;
            w->report->n_refused++;
            status = MEMO_OK;
        } else if (status && err) {
            *err = why;
        }
    }
    return status;
}

static memo_status reembed_embed(reembed *w, memo_err *err)
{
    const memo_embed_options options = {.size = sizeof options,
                                        .role = MEMO_ROLE_DOCUMENT,
                                        .progress = w->o.progress ? reembed_tell : NULL,
                                        .progress_user = w};
    memo_text *inputs = memo_arena_array(&w->arena, REEMBED_GROUP, sizeof *inputs);
    memo_err why = {0};
    memo_status status = MEMO_OK;

    if (!inputs)
        return memo_fail_nomem(err, "texts", REEMBED_GROUP * sizeof *inputs);
    for (size_t i = 0; i < w->found.n && status == MEMO_OK; i++) {
        status = memo_document_input(w->db, w->found.list[i].title, w->found.list[i].text,
                                     &w->arena, &inputs[i], err);
        w->found.list[i].vector = w->vectors + i * w->db->space.dim;
    }
    if (status || w->found.n == 0)
        return status;
    status = memo_db_embed(w->db, &options, inputs, w->found.n, w->vectors, w->results, &why);
    if (status == MEMO_ERR_VALUE)
        status = reembed_one_by_one(w, &options, inputs, err);
    else if (status && err)
        *err = why;
    for (size_t i = 0; i < w->found.n && status == MEMO_OK; i++)
        w->found.list[i].n_tokens = w->results[i].n_tokens_total;
    return status;
}

/* Within a write transaction: is the namespace still on its way to our space, or there? */
static memo_status reembed_check_way(reembed *w, memo_err *err)
{
    memo_store_switch s = {0};
    memo_status status = memo_store_find_ns(w->db->store, w->name, &w->ns, err);

    if (status == MEMO_OK)
        status = memo_store_get_switch(w->db->store, w->ns.id, &s, err);
    if (status || w->ns.space == w->space || s.next == w->space)
        return status;
    return memo_fail(err, MEMO_ERR_BUSY,
                     "namespace \"%s\": somebody else sets another model than %s by now", w->name,
                     w->db->space.name);
}

static memo_status reembed_fill(reembed *w, memo_err *err)
{
    memo_status status = memo_external_keep_probes(w->db, w->space, err);

    for (size_t i = 0; i < w->found.n && status == MEMO_OK; i++) {
        int written;
        if (!w->found.list[i].vector)
            continue;
        status = memo_store_fill_lacking(w->db->store, w->ns.id, w->space, &w->found.list[i],
                                         w->db->space.dim, &written, err);
        w->report->n_embedded += status == MEMO_OK && written;
    }
    w->done += w->found.n;
    return status;
}

/* End the transaction that is open: commit it, or undo it after a failure. */
static memo_status reembed_end(reembed *w, memo_status status, uint64_t n_before, memo_err *err)
{
    status = memo_store_end_write(w->db->store, status, err);
    if (status)
        w->report->n_embedded = n_before;
    return status;
}

static memo_status reembed_group(reembed *w, memo_err *err)
{
    uint64_t n_before = w->report->n_embedded;
    memo_status status = reembed_find(w, err);

    if (status == MEMO_OK)
        status = reembed_embed(w, err);
    if (status || w->found.n == 0)
        return status;
    status = memo_store_begin_write(w->db->store, err);
    if (status)
        return status;
    status = reembed_check_way(w, err);
    if (status == MEMO_OK)
        status = reembed_fill(w, err);
    status = reembed_end(w, status, n_before, err);
    return status ? status : reembed_tell_now(w, "embed", err);
}

/* ---- one namespace ------------------------------------------------------------------------- */

static memo_status reembed_begin(reembed *w, memo_err *err)
{
    uint64_t n_chunks = 0, n_vectors = 0;
    memo_status status = memo_store_begin_write(w->db->store, err);

    if (status)
        return status;
    status = memo_store_find_ns(w->db->store, w->name, &w->ns, err);
    if (status == MEMO_OK)
        status = memo_store_make_space(w->db->store, &w->db->space, &w->space, err);
    if (status == MEMO_OK)
        status = memo_store_begin_switch(w->db->store, &w->ns, w->space, err);
    if (status == MEMO_OK)
        status =
            memo_store_count_space(w->db->store, w->ns.id, w->space, &n_chunks, &n_vectors, err);
    w->done = n_vectors;
    w->total = n_chunks;
    status = reembed_end(w, status, w->report->n_embedded, err);
    return status ? status : reembed_tell_now(w, "embed", err);
}

/* Step 3: nobody else writes now, so nothing is lacking when the namespace is switched. */
static memo_status reembed_finish_locked(reembed *w, memo_err *err)
{
    memo_status status = reembed_check_way(w, err);

    while (status == MEMO_OK) {
        status = reembed_find(w, err);
        if (status == MEMO_OK)
            status = reembed_embed(w, err);
        if (status || w->found.n == 0)
            break;
        status = reembed_fill(w, err);
    }
    if (status)
        return status;
    if (w->ns.space != w->space)
        return memo_store_finish_switch(w->db->store, &w->ns, w->space, !w->o.drop_previous, err);
    return w->o.drop_previous ? memo_store_drop_previous(w->db->store, &w->ns, err) : MEMO_OK;
}

static memo_status reembed_finish(reembed *w, memo_err *err)
{
    uint64_t n_before = w->report->n_embedded;
    memo_status status = memo_store_begin_write(w->db->store, err);

    if (status)
        return status;
    status = reembed_end(w, reembed_finish_locked(w, err), n_before, err);
    w->report->n_switched += status == MEMO_OK && w->ns.space != w->space;
    return status;
}

/* One record, cut anew. Who changed it meanwhile has cut it himself; one forgotten needs nothing. */
static memo_status reembed_cut_one(reembed *w, const char *id, memo_err *err)
{
    memo_err why = {0};
    memo_status status = memo_db_embed_again(w->db, w->name, id, &why);

    if (status == MEMO_ERR_BUSY)
        status = memo_db_embed_again(w->db, w->name, id, &why);
    w->report->n_recut += status == MEMO_OK;
    if (status == MEMO_ERR_VALUE) {
        memo_log(w->db->ctx, MEMO_LOG_WARN, "record %s keeps its chunks: %s", id, why.message);
        return MEMO_OK;
    }
    if (status == MEMO_OK || status == MEMO_ERR_NOTFOUND)
        return MEMO_OK;
    if (err)
        *err = why;
    return status;
}

static memo_status reembed_cut(reembed *w, memo_err *err)
{
    memo_arena arena = {0};
    memo_store_overlong found = {.arena = &arena, .limit = REEMBED_CUT};
    memo_status status = MEMO_OK;

    if (!w->db->model) /* an embedder cuts nothing */
        return MEMO_OK;
    w->done = w->total = 0;
    do {
        memo_arena_fini(&arena);
        status =
            memo_store_find_overlong(w->db->store, w->ns.id, w->db->info.max_tokens, &found, err);
        w->total += found.n;
        for (size_t i = 0; i < found.n && status == MEMO_OK; i++) {
            status = reembed_cut_one(w, found.ids[i], err);
            w->done++;
            if (status == MEMO_OK)
                status = reembed_tell_now(w, "cut", err);
        }
    } while (status == MEMO_OK && found.n == found.limit);
    memo_arena_fini(&arena);
    return status;
}

static memo_status reembed_ns(reembed *w, const char *name, memo_err *err)
{
    memo_status status;

    w->name = name;
    w->found = (memo_store_lackings){.after = 0};
    w->report->n_namespaces++;
    status = reembed_begin(w, err);
    while (status == MEMO_OK && !w->found.at_end)
        status = reembed_group(w, err);
    if (status == MEMO_OK)
        status = reembed_finish(w, err);
    if (status == MEMO_OK)
        status = reembed_cut(w, err);
    memo_arena_fini(&w->arena);
    return status;
}

/* ---- back ---------------------------------------------------------------------------------- */

static memo_status reembed_fail_old(const reembed *w, const memo_store_space *old, uint64_t n,
                                    memo_err *err)
{
    memo_fail(err, MEMO_ERR_MISMATCH,
              "namespace \"%s\": %" PRIu64 " chunks written since the switch have no vectors of "
              "%s@%.8s; nothing was changed",
              w->name, n, old->name, old->fingerprint);
    return memo_hint(err, MEMO_ERR_MISMATCH,
                     "memolith model rollback --ns %s --model FILE   of %s@%.8s, which makes them",
                     w->name, old->name, old->fingerprint);
}

/* Within a write transaction: is the space to go back to still the previous one? *there: somebody else
 * has gone back to it. */
static memo_status reembed_check_back(reembed *w, int *there, memo_err *err)
{
    memo_store_switch s = {0};
    memo_status status = memo_store_find_ns(w->db->store, w->name, &w->ns, err);

    if (status == MEMO_OK)
        status = memo_store_get_switch(w->db->store, w->ns.id, &s, err);
    *there = status == MEMO_OK && w->ns.space == w->space;
    if (status || *there || s.previous == w->space)
        return status;
    return memo_fail(err, MEMO_ERR_BUSY,
                     "namespace \"%s\": somebody else sets another model by now", w->name);
}

/* Without the old model: only when nothing lacks its old vector. */
static memo_status reembed_back_at_once(reembed *w, const memo_store_space *old, memo_err *err)
{
    uint64_t n_chunks = 0, n_vectors = 0;
    int there = 0;
    memo_status status = memo_store_begin_write(w->db->store, err);

    if (status)
        return status;
    w->space = old->id;
    w->found = (memo_store_lackings){.after = 0};
    status = reembed_check_back(w, &there, err);
    if (status == MEMO_OK && !there)
        status = reembed_find(w, err);
    if (status == MEMO_OK && w->found.n)
        status =
            memo_store_count_space(w->db->store, w->ns.id, old->id, &n_chunks, &n_vectors, err);
    if (status == MEMO_OK && w->found.n)
        status = reembed_fail_old(w, old, n_chunks - n_vectors, err);
    if (status == MEMO_OK && !there)
        status = memo_store_finish_switch(w->db->store, &w->ns, old->id, !w->o.drop_previous, err);
    status = reembed_end(w, status, w->report->n_embedded, err);
    w->report->n_switched += status == MEMO_OK && !there;
    memo_arena_fini(&w->arena);
    return status;
}

static memo_status reembed_back(reembed *w, const char *name, memo_err *err)
{
    memo_arena arena = {0};
    memo_store_switch s = {0};
    memo_store_space old = {0};
    memo_status status = memo_store_find_ns(w->db->store, name, &w->ns, err);

    w->name = name;
    if (status == MEMO_OK)
        status = memo_store_get_switch(w->db->store, w->ns.id, &s, err);
    if (status || (s.previous == 0 && w->o.all))
        return status;
    if (s.previous == 0) {
        memo_fail(err, MEMO_ERR_NOTFOUND, "namespace \"%s\" has no previous model to go back to",
                  name);
        return memo_hint(err, MEMO_ERR_NOTFOUND, "memolith model set FILE --ns %s", name);
    }
    status = memo_store_get_space(w->db->store, s.previous, &arena, &old, err);
    if (status == MEMO_OK && memo_db_can_embed(w->db) &&
        strcmp(old.fingerprint, w->db->space.fingerprint) == 0 && old.dim == w->db->space.dim) {
        status = reembed_ns(w, name, err);
    } else if (status == MEMO_OK) {
        w->report->n_namespaces++;
        status = reembed_back_at_once(w, &old, err);
    }
    memo_arena_fini(&arena);
    return status;
}

/* ---- all of them --------------------------------------------------------------------------- */

typedef struct reembed_names {
    memo_arena arena;
    size_t n, cap;
    const char **names;
    int out_of_memory;
} reembed_names;

static int reembed_keep_name(void *user, const char *name, const memo_store_ns *ns,
                             uint64_t n_records)
{
    reembed_names *all = user;

    (void)ns, (void)n_records;
    if (all->n == all->cap) {
        size_t cap = all->cap ? 2 * all->cap : 16;
        const char **grown = memo_reallocarray(all->names, cap, sizeof *grown);
        if (!grown) {
            all->out_of_memory = 1;
            return 1;
        }
        all->names = grown;
        all->cap = cap;
    }
    all->names[all->n] = memo_arena_strdup(&all->arena, name);
    all->out_of_memory |= !all->names[all->n++];
    return all->out_of_memory;
}

typedef memo_status (*reembed_fn)(reembed *w, const char *name, memo_err *err);

static memo_status reembed_each(reembed *w, reembed_fn fn, memo_err *err)
{
    reembed_names all = {.n = 0};
    memo_status status;

    if (!w->o.all)
        return fn(w, memo_db_ns_name(w->o.ns), err);
    status = memo_store_each_ns(w->db->store, reembed_keep_name, &all, err);
    if (status == MEMO_OK && all.out_of_memory)
        status = memo_fail_nomem(err, "a list of namespaces", all.n);
    for (size_t i = 0; i < all.n && status == MEMO_OK; i++)
        status = fn(w, all.names[i], err);
    memo_free(all.names);
    memo_arena_fini(&all.arena);
    return status;
}

static memo_status reembed_run(memo_db *db, const memo_set_model_options *options,
                               memo_set_model_report *report, reembed_fn fn, memo_err *err)
{
    memo_db_progress progress;
    double started = memo_monotonic_ms();
    size_t dim = db->space.dim ? db->space.dim : 1;
    reembed *w = memo_calloc(1, sizeof *w);
    memo_status status = MEMO_OK;

    if (!w || !(w->vectors = memo_reallocarray(NULL, REEMBED_GROUP, dim * sizeof(float))))
        status = memo_fail_nomem(err, "vectors of a group", REEMBED_GROUP * dim * sizeof(float));
    if (status == MEMO_OK)
        status = memo_options_copy(&w->o, sizeof w->o, options, "memo_set_model_options", err);
    if (status == MEMO_OK) {
        w->db = db;
        w->report = report;
        memo_db_wrap_progress(&progress, db, &w->o.progress, &w->o.progress_user);
        status = reembed_each(w, fn, err);
        w->report->elapsed_ms = (int64_t)(memo_monotonic_ms() - started);
    }
    if (w)
        memo_free(w->vectors);
    memo_free(w);
    return status;
}

memo_status memo_db_set_model(memo_db *db, const memo_set_model_options *options,
                              memo_set_model_report *report, memo_err *err)
{
    memo_set_model_report done = {0};
    memo_status status = memo_db_check_call(db, db, "memo_db_set_model", err);

    if (status == MEMO_OK)
        status = memo_result_check(report, "memo_set_model_report", err);
    if (status == MEMO_OK)
        status = memo_db_need_embedder(db, "setting a model", err);
    if (status)
        return status;
    status = reembed_run(db, options, &done, reembed_ns, err);
    memo_result_write(report, &done, sizeof done);
    return status;
}

memo_status memo_db_rollback_model(memo_db *db, const memo_set_model_options *options,
                                   memo_set_model_report *report, memo_err *err)
{
    memo_set_model_report done = {0};
    memo_status status = memo_db_check_call(db, db, "memo_db_rollback_model", err);

    if (status == MEMO_OK)
        status = memo_result_check(report, "memo_set_model_report", err);
    if (status)
        return status;
    status = reembed_run(db, options, &done, reembed_back, err);
    memo_result_write(report, &done, sizeof done);
    if (status == MEMO_OK && done.n_namespaces == 0)
        status =
            memo_fail(err, MEMO_ERR_NOTFOUND, "no namespace has a previous model to go back to");
    return status;
}
