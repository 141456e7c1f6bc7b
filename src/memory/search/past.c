// SPDX-License-Identifier: Apache-2.0
#include "memory/search/past.h"

#include <stdint.h>

#include "base/alloc.h"
#include "base/error.h"

struct memo_past {
    memo_db db; /* as the one it belongs to, but for its store and what it knows of that */
    int64_t ns, n_commits;
    int with_vectors, partial;
    memo_arena arena;
    memo_store_damage damage;
};

/* Cutting and embedding while the copy is made. */
typedef struct past_work {
    memo_db *db; /* the present one: its embedder is asked */
    const memo_past_ask *ask;
    int64_t space; /* of the namespace; 0: no vectors are made */
    struct memo_past *past;
} past_work;

void memo_past_drop(memo_db *db)
{
    struct memo_past *past = db->past;

    if (!past)
        return;
    memo_vector_index_fini(&past->db.index);
    memo_match_cache_fini(&past->db.matches);
    memo_store_close(past->db.store);
    memo_arena_fini(&past->arena);
    memo_free(past);
    db->past = NULL;
}

/* ---- making it ----------------------------------------------------------------------------- */

static memo_status past_embed(past_work *w, const memo_document *document, memo_arena *arena,
                              memo_store_chunk *chunks, memo_err *err)
{
    memo_embed_options options = {.size = sizeof options, .role = MEMO_ROLE_DOCUMENT};
    size_t dim = w->db->space.dim;
    float *vectors = memo_arena_array(arena, document->n, dim * sizeof *vectors);
    memo_embed_result *results = memo_arena_array(arena, document->n, sizeof *results);
    double left = w->ask->deadline.at_ms - memo_monotonic_ms();
    memo_err why = {0};
    memo_status status;

    if (!vectors || !results)
        return memo_fail_nomem(err, "vectors of an earlier text", document->n * dim);
    if (w->ask->deadline.at_ms)
        options.deadline_ms = left > 1 ? (int64_t)left : 1;
    status = memo_db_embed(w->db, &options, document->inputs, document->n, vectors, results, &why);
    if (status == MEMO_ERR_DEADLINE) {
        w->past->partial = 1;
        return MEMO_OK;
    }
    if (status && err)
        *err = why;
    for (size_t i = 0; i < document->n && status == MEMO_OK; i++) {
        chunks[i].vector = vectors + i * dim;
        chunks[i].n_tokens = results[i].n_tokens_seen;
    }
    return status;
}

static memo_status past_cut(void *user, const memo_record *record, const memo_store_cut *cut,
                            memo_arena *arena, memo_store_put *put, memo_err *err)
{
    past_work *w = user;
    const memo_record_in in = {.size = sizeof in,
                               .text = record->text,
                               .title = record->title,
                               .source = record->source,
                               .chunking = cut->chunking,
                               .chunk_tokens = cut->chunk_tokens,
                               .chunk_overlap = cut->chunk_overlap};
    memo_document document = {0};
    memo_store_chunk *chunks;
    memo_status status = memo_document_cut(w->db, &in, arena, &document, err);

    if (status)
        return status;
    chunks = memo_arena_array(arena, document.n, sizeof *chunks);
    if (!chunks)
        return memo_fail_nomem(err, "chunks of an earlier text", document.n * sizeof *chunks);
    for (size_t i = 0; i < document.n; i++)
        chunks[i] = (memo_store_chunk){.begin = document.spans[i][0], .end = document.spans[i][1]};
    put->chunks = chunks;
    put->n_chunks = document.n;
    put->space = w->space;
    w->past->partial |= w->space && memo_deadline_passed(w->ask->deadline);
    return w->space && !w->past->partial ? past_embed(w, &document, arena, chunks, err) : MEMO_OK;
}

/* The space in which earlier texts are embedded: the namespace's, if something here can do it. */
static memo_status past_find_space(memo_db *db, const memo_past_ask *ask, int64_t space,
                                   int64_t *out, memo_err *err)
{
    int64_t own = 0;
    memo_status status = MEMO_OK;

    if (ask->with_vectors && memo_db_can_embed(db) && space && db->space.fingerprint)
        status = memo_store_find_space(db->store, db->space.fingerprint, &own, err);
    *out = own == space ? space : 0;
    return status;
}

static memo_status past_make(memo_db *db, const memo_past_ask *ask, const memo_store_ns *ns,
                             int64_t n_commits, memo_err *err)
{
    struct memo_past *past = memo_calloc(1, sizeof *past);
    past_work w = {.db = db, .ask = ask, .past = past};
    memo_store_past make = {.ns = ns->id,
                            .as_of_ms = ask->as_of_ms,
                            .cut = past_cut,
                            .user = &w,
                            .deadline = ask->deadline};
    memo_status status;

    if (!past)
        return memo_fail_nomem(err, "the past of a store", sizeof *past);
    past->damage.arena = &past->arena;
    past->ns = ns->id;
    past->n_commits = n_commits;
    past->with_vectors = ask->with_vectors;
    make.damage = &past->damage;
    status = past_find_space(db, ask, ns->space, &w.space, err);
    if (status == MEMO_OK)
        status = memo_store_open_past(db->store, &make, &past->db.store, err);
    if (status) {
        memo_arena_fini(&past->arena);
        memo_free(past);
        return status;
    }
    db->past = past;
    return MEMO_OK;
}

/* What the handle knows by now: an embedder may have been proved meanwhile. */
static void past_refresh(memo_db *db, int64_t as_of_ms)
{
    memo_db *past = &db->past->db;
    memo_store *store = past->store;
    const memo_match_cache matches = past->matches;

    *past = *db;
    past->store = store;
    past->matches = matches;
    past->past = NULL;
    past->searches = NULL; /* shown from the past is not shown from the store */
    past->as_of_ms = as_of_ms;
    memo_vector_index_init(&past->index);
    past->index.min_rows = SIZE_MAX; /* the copy has no name that an index could lie beside */
}

/* ---- getting it ---------------------------------------------------------------------------- */

static int past_serves(const struct memo_past *past, const memo_past_ask *ask, int64_t ns,
                       int64_t n_commits)
{
    return past && past->ns == ns && past->db.as_of_ms == ask->as_of_ms &&
           past->n_commits == n_commits && !past->partial &&
           past->with_vectors >= ask->with_vectors;
}

memo_status memo_past_get(memo_db *db, const memo_past_ask *ask, memo_db **out, int *partial,
                          memo_store_damage *damage, memo_err *err)
{
    memo_store_ns ns = {0};
    memo_store_set set;
    memo_status status = memo_store_begin_read(db->store, err);

    if (status)
        return status;
    status = memo_store_find_ns(db->store, ask->ns, &ns, err);
    if (status == MEMO_OK)
        status = memo_store_get_set(db->store, ns.space, &set, err);
    if (status == MEMO_OK && !past_serves(db->past, ask, ns.id, set.n_commits)) {
        memo_past_drop(db);
        status = past_make(db, ask, &ns, set.n_commits, err);
    }
    memo_store_end_read(db->store);
    if (status)
        return status;
    past_refresh(db, ask->as_of_ms);
    for (size_t i = 0; i < db->past->damage.n_ids; i++)
        memo_damage_add(damage, db->past->damage.ids[i]);
    *partial = db->past->partial;
    *out = &db->past->db;
    return MEMO_OK;
}
