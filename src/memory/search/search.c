// SPDX-License-Identifier: Apache-2.0
/* memory/search/search.c -- query -> lanes -> fusion -> hits.
 *
 * dense mode is the dense lane alone, its score the cosine. lexical mode fuses words (BM25) and
 * letters (exact), hybrid all three; their score is the sum of the lanes' shares. Hybrid without a
 * model has no dense lane: it is lexical, and memo_hits.mode says so.
 *
 *   weights       dense  lexical  exact  facts
 *   natural        1.0     1.0     0.3    0.5    words find names and numbers, meaning the rest
 *   identifier     0.4     1.0     2.0    0.5    who types ERR-4512 means those letters
 *
 * The recency lane finds nothing by itself: it adds weight * 2^(-age / half-life) / (k + 1) to what the
 * others have found, so that what is new enough gains as much as from a first rank.
 *
 * A rank does not say by how much: in hybrid mode, of a natural question of up to 8 words, a share is
 * multiplied by what part its cosine is of the best one, and by what part of the question its words are,
 * rare ones counting more (store/rows/cover.h). Else any note with a weak word of the question beats the
 * one that answers it in others: of 12 such questions 2 found their note first, 9 do with it. In longer
 * ones ranks say it themselves: with them Cranfield's 0.435 would be 0.432.
 *
 * nDCG@10 (tools/eval_retrieval.py) of dense, lexical and hybrid: Cranfield 0.395, 0.386, 0.437;
 * ADI 0.498, 0.498, 0.537. Lexical weights from 0.1 to 0.9 gave less hybrid on both together. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/dates.h"
#include "base/error.h"
#include "base/utf8.h"
#include "memory/feedback/search_log.h"
#include "memory/relevance/recency.h"
#include "memory/search/past.h"
#include "memory/search/search_work.h"
#include "text/words.h"

#define SEARCH_RECENCY       0.5 /* weight of the recency lane when the query asks for what is new */
#define SEARCH_MAX_K         1000
#define SEARCH_DEPTH         200 /* of each lane at least: what is deeper adds too little to matter */
#define SEARCH_WEIGHED_WORDS 8
#define SEARCH_SPARE         8 /* beyond k in dense mode, where nothing is fused */

static const double search_weights[][MEMO_N_LANES] = {
    [MEMO_QUERY_NATURAL] = {1.0, 1.0, 0.3, 0.5, 0},
    [MEMO_QUERY_IDENTIFIER] = {0.4, 1.0, 2.0, 0.5, 0},
};

const char *memo_lane_name(memo_lane lane)
{
    static const char *const names[MEMO_N_LANES] = {"dense", "lexical", "exact", "facts",
                                                    "recency"};
    return (unsigned)lane < MEMO_N_LANES ? names[lane] : "unknown";
}

void memo_hits_free(memo_hits *hits)
{
    search_owner *owner = (search_owner *)hits;

    if (!owner)
        return;
    memo_arena_fini(&owner->arena);
    memo_free(owner);
}

static size_t search_full_depth(const search_work *w)
{
    size_t k = memo_search_pool(w) + SEARCH_SPARE;
    return k > SEARCH_DEPTH ? k : SEARCH_DEPTH;
}

/* ---- before the lanes ---------------------------------------------------------------------- */

static memo_status search_check(const search_work *w, memo_err *err)
{
    size_t bad;

    if (!w->query.bytes && w->query.n_bytes)
        return memo_fail(err, MEMO_ERR_USAGE, "the query is NULL and has %zu bytes",
                         w->query.n_bytes);
    if (w->query.n_bytes > MEMO_DB_TEXT_BYTES)
        return memo_fail(err, MEMO_ERR_LIMIT, "a query of %zu bytes, at most %zu are allowed",
                         w->query.n_bytes, MEMO_DB_TEXT_BYTES);
    if (w->query.n_bytes == 0 && !w->options.vector)
        return memo_fail(err, MEMO_ERR_VALUE, "the query is empty");
    bad = memo_utf8_check(w->query.bytes, w->query.n_bytes);
    if (bad < w->query.n_bytes)
        return memo_fail(err, MEMO_ERR_VALUE, "the query is not UTF-8 at byte %zu", bad);
    if (w->query.n_bytes && memo_text_is_blank(w->query.bytes, w->query.n_bytes))
        return memo_fail(err, MEMO_ERR_VALUE, "the query holds nothing but white space");
    if (w->options.k > SEARCH_MAX_K)
        return memo_fail(err, MEMO_ERR_LIMIT, "%zu hits wanted, at most %d a search", w->options.k,
                         SEARCH_MAX_K);
    if (!isfinite(w->options.min_score) || !isfinite(w->options.recency) ||
        !isfinite(w->options.half_life_days) || w->options.half_life_days < 0 ||
        !(w->options.diversity >= 0 && w->options.diversity <= 1))
        return memo_fail(err, MEMO_ERR_VALUE,
                         "search options: diversity is 0 to 1, half_life_days not negative, all of "
                         "them finite");
    if (w->options.as_of_ms < 0)
        return memo_fail(err, MEMO_ERR_VALUE, "as_of_ms is %lld: give Unix milliseconds above 0",
                         (long long)w->options.as_of_ms);
    if ((unsigned)w->options.mode > MEMO_SEARCH_LEXICAL)
        return memo_fail(err, MEMO_ERR_VALUE, "unknown search mode %d", (int)w->options.mode);
    return MEMO_OK;
}

static memo_status search_fail_empty(const char *ns, memo_err *err)
{
    memo_fail(err, MEMO_ERR_NOTFOUND, "namespace \"%s\" is empty: there is nothing to search", ns);
    return memo_hint(err, MEMO_ERR_NOTFOUND, "memolith add \"TEXT\"   or   memolith import FOLDER");
}

/* Of a search in the past: when the namespace had its first record, if it has any. */
static memo_status search_fail_before(search_work *w, const char *ns, memo_err *err)
{
    char asked[MEMO_DATE_BYTES], first[MEMO_DATE_BYTES];
    int64_t first_ms = 0;
    memo_status status = memo_store_first_ms(w->present->store, w->lanes.scope.ns, &first_ms, err);

    if (status)
        return status;
    if (!first_ms)
        return search_fail_empty(ns, err);
    memo_date_format(w->options.as_of_ms, 1, asked);
    memo_date_format(first_ms, 1, first);
    memo_fail(err, MEMO_ERR_NOTFOUND,
              "nothing was in namespace \"%s\" at %s: the first record it still has was written at "
              "%s",
              ns, asked, first);
    return memo_hint(err, MEMO_ERR_NOTFOUND, "ask for a later moment, or leave it out for now");
}

/* A ready vector needs no model: it must have the dimension of the namespace's vectors. */
static memo_status search_take_vector(search_work *w, const char *name, const memo_store_ns *ns,
                                      memo_err *err)
{
    const memo_vector *vector = w->options.vector;
    memo_arena arena = {0};
    memo_store_space space = {.dim = vector->dim};
    memo_status status = memo_vector_check(vector, err);

    if (status)
        return memo_err_prefix(err, status, "the query's vector");
    if (ns->space)
        status = memo_store_get_space(w->db->store, ns->space, &arena, &space, err);
    if (status == MEMO_OK && space.dim != vector->dim)
        status = memo_fail(err, MEMO_ERR_MISMATCH,
                           "the query's vector has %zu dimensions; those of namespace \"%s\" have "
                           "%zu (%s)",
                           vector->dim, name, space.dim, space.name);
    memo_arena_fini(&arena);
    if (status == MEMO_OK && w->present->space.kind == MEMO_SPACE_EXTERNAL) {
        status = memo_external_take_dim(w->present, vector->dim, err);
        w->db->space = w->present->space;
    }
    return status;
}

/* Find the namespace, check that its vectors fit, compile the filter. */
static memo_status search_open(search_work *w, memo_err *err)
{
    const char *name = memo_db_ns_name(w->options.ns);
    int64_t now_ms = w->db->as_of_ms ? w->db->as_of_ms : memo_now_ms(w->db->ctx);
    memo_store_ns ns = {0};
    memo_status status;

    if (w->options.mode == MEMO_SEARCH_DENSE && !w->options.vector &&
        (status = memo_db_need_embedder(w->db, "dense search", err)))
        return status;
    status = memo_store_find_ns(w->db->store, name, &ns, err);
    if (status == MEMO_ERR_NOTFOUND)
        return search_fail_empty(name, err);
    if (status == MEMO_OK && w->options.vector)
        status = search_take_vector(w, name, &ns, err);
    if (status == MEMO_OK && w->options.mode != MEMO_SEARCH_LEXICAL)
        status = memo_db_check_space(w->db, name, &ns, "nothing was searched", err);
    if (status == MEMO_OK && w->options.where)
        status = memo_filter_new(w->options.where, now_ms, &w->filter, err);
    w->lanes.space = ns.space;
    w->lanes.scope = (memo_store_scope){.ns = ns.id, .now_ms = now_ms, .filter = w->filter};
    return status;
}

/* The deadline within the model is not a failure of the search: it goes on without this lane. */
static memo_status search_embed(search_work *w, memo_err *err)
{
    memo_embed_options options = {.size = sizeof options, .role = MEMO_ROLE_QUERY};
    memo_embed_result result = {0};
    memo_err embed_err = {0};
    memo_status status;
    double left = w->lanes.deadline.at_ms - memo_monotonic_ms();

    if (w->lanes.deadline.at_ms)
        options.deadline_ms = left > 1 ? (int64_t)left : 1;
    w->lanes.dim = w->options.vector ? w->options.vector->dim : w->db->space.dim;
    w->vector = memo_calloc(w->lanes.dim, sizeof *w->vector);
    if (!w->vector)
        return memo_fail_nomem(err, "query vector", w->lanes.dim * sizeof *w->vector);
    if (w->options.vector) {
        w->lanes.vector = memo_vector_floats(w->options.vector, w->vector);
        return MEMO_OK;
    }
    status = memo_db_embed(w->present, &options, &w->query, 1, w->vector, &result, &embed_err);
    if (status == MEMO_ERR_DEADLINE) {
        w->lanes.partial = 1;
        return MEMO_OK;
    }
    if (status) {
        if (err)
            *err = embed_err;
        return status;
    }
    w->lanes.vector = w->vector;
    w->owner->hits.query_truncated = result.truncated;
    w->owner->hits.model =
        memo_arena_strdup(&w->owner->arena, w->db->model ? w->db->info.name : w->db->space.name);
    return w->owner->hits.model ? MEMO_OK : memo_fail_nomem(err, "name of the model", 0);
}

/* ---- lanes --------------------------------------------------------------------------------- */

static double search_lap(double *since)
{
    double now = memo_monotonic_ms(), lap = now - *since;
    *since = now;
    return lap;
}

static int search_out_of_time(search_work *w)
{
    w->lanes.partial |= memo_deadline_passed(w->lanes.deadline);
    return w->lanes.partial;
}

/* Tell an empty namespace from a strict filter, and count what is searched where the dense lane has
 * not done so: counting costs a walk over the chunks. */
static memo_status search_count(search_work *w, memo_err *err)
{
    memo_store_scope all = {.ns = w->lanes.scope.ns};
    uint64_t n_records = 0, n_chunks = 0;
    memo_status status;

    w->owner->hits.n_searched = w->lanes.n_scanned;
    if (w->lanes.n_scanned)
        return MEMO_OK;
    status = memo_store_count(w->db->store, &w->lanes.scope, &n_records, &n_chunks, err);
    if (status)
        return status;
    w->owner->hits.n_searched = (size_t)n_chunks;
    if (n_records)
        return MEMO_OK;
    status = memo_store_count(w->db->store, &all, &n_records, &n_chunks, err);
    if (status || n_records)
        return status;
    return w->options.as_of_ms ? search_fail_before(w, memo_db_ns_name(w->options.ns), err)
                               : search_fail_empty(memo_db_ns_name(w->options.ns), err);
}

/* Run one lane. With several, damage that stops this one does not stop the search. */
static memo_status search_run_lane(search_work *w, memo_lane lane,
                                   memo_status (*run)(memo_lanes *lanes, memo_err *err),
                                   double *lap_ms, double *since, memo_err *err)
{
    const size_t own = lane != MEMO_LANE_FACTS; /* it knows few records: no answer by itself */
    memo_err why = {0};
    memo_status status;

    if (search_out_of_time(w))
        return MEMO_OK;
    w->n_lanes_run += own;
    status = run(&w->lanes, &why);
    *lap_ms = search_lap(since);
    if (status == MEMO_ERR_CORRUPT && w->options.mode == MEMO_SEARCH_HYBRID) {
        w->lanes.lists[lane].n = 0;
        if (lane == MEMO_LANE_EXACT)
            w->lanes.promoted.n = 0;
        w->n_lanes_failed += own;
        if (w->n_lanes_failed == 1 && own)
            w->first_failure = why;
        return memo_search_note_failure(w, lane, &why, err);
    }
    if (status && err)
        *err = why;
    return status;
}

static memo_status search_run_lanes(search_work *w, memo_err *err)
{
    memo_search_timings *t = &w->owner->hits.timings;
    double since = memo_monotonic_ms();
    memo_status status = MEMO_OK;

    if (w->lanes.vector && w->lanes.space)
        status = search_run_lane(w, MEMO_LANE_DENSE, memo_lanes_dense, &t->dense_ms, &since, err);
    if (status == MEMO_OK) {
        status = search_count(w, err);
        t->filter_ms = search_lap(&since);
    }
    if (w->options.mode == MEMO_SEARCH_DENSE)
        return status;
    if (status == MEMO_OK)
        status =
            search_run_lane(w, MEMO_LANE_LEXICAL, memo_lanes_lexical, &t->lexical_ms, &since, err);
    if (status == MEMO_OK)
        status = search_run_lane(w, MEMO_LANE_EXACT, memo_lanes_exact, &t->exact_ms, &since, err);
    if (status == MEMO_OK)
        status = search_run_lane(w, MEMO_LANE_FACTS, memo_lanes_facts, &t->facts_ms, &since, err);
    if (status || w->n_lanes_failed == 0 || w->n_lanes_failed < w->n_lanes_run)
        return status;
    if (err)
        *err = w->first_failure;
    return MEMO_ERR_CORRUPT;
}

/* ---- fusion -------------------------------------------------------------------------------- */

/* The dense lane alone: its score is the hit's. */
static void search_score_dense(search_work *w)
{
    for (size_t i = 0; i < w->n_fused; i++) {
        memo_lane_score *dense = &w->fused[i].lanes[MEMO_LANE_DENSE];
        dense->share = dense->score;
        w->fused[i].score = dense->score;
    }
}

static double search_recency(const search_work *w)
{
    if (w->options.recency != 0 || w->options.mode == MEMO_SEARCH_DENSE)
        return w->options.mode == MEMO_SEARCH_DENSE ? 0 : fmax(w->options.recency, 0);
    return w->lanes.query.wants_recent ? SEARCH_RECENCY : 0;
}

static memo_status search_fuse(search_work *w, memo_err *err)
{
    double recency = search_recency(w);
    const memo_lane_list *promoted = &w->lanes.promoted;
    unsigned char *needs;
    memo_status status = memo_fusion_run(w->lanes.lists, search_weights[w->lanes.query.cls],
                                         &w->fused, &w->n_fused, err);

    if (status)
        return status;
    if (w->options.mode == MEMO_SEARCH_DENSE)
        search_score_dense(w);
    if (recency > 0 && w->n_fused &&
        (status = memo_recency_add(w->db, w->fused, w->n_fused,
                                   &(memo_recency){recency, w->options.half_life_days,
                                                   w->lanes.scope.now_ms, &w->owner->arena},
                                   err)))
        return status;
    if (w->lanes.promoted.n == 0)
        return MEMO_OK;
    needs = memo_calloc(w->n_fused, 1);
    if (!needs)
        return memo_fail_nomem(err, "fused hits", w->n_fused);
    for (size_t i = 0; i < w->n_fused; i++)
        for (size_t j = 0; j < promoted->n; j++)
            if (w->fused[i].key == promoted->hits[j].key && needs[i] < promoted->hits[j].score)
                needs[i] = (unsigned char)promoted->hits[j].score;
    memo_fusion_promote(w->fused, needs, w->n_fused);
    memo_free(needs);
    return MEMO_OK;
}

/* ---- all of it ----------------------------------------------------------------------------- */

/* In the snapshot: the namespace may have got another space since the query was embedded, and the old
 * one's vectors may be gone. */
static memo_status search_check_again(search_work *w, memo_err *err)
{
    const char *name = memo_db_ns_name(w->options.ns);
    memo_store_ns ns = {0};
    memo_status status;

    if (w->options.mode == MEMO_SEARCH_LEXICAL)
        return MEMO_OK;
    status = memo_store_find_ns(w->db->store, name, &ns, err);
    if (status || ns.space == w->lanes.space)
        return status;
    if (w->options.vector)
        status = search_take_vector(w, name, &ns, err);
    if (status == MEMO_OK)
        status = memo_db_check_space(w->db, name, &ns, "nothing was searched", err);
    w->lanes.space = ns.space;
    return status;
}

/* With `explain`: what the lanes, the filter and the index were. */
static memo_status search_explain(search_work *w, memo_err *err)
{
    memo_search_plan *plan = memo_arena_alloc(&w->owner->arena, sizeof *plan);
    memo_store_set now = {0};
    memo_status status;

    if (!plan)
        return memo_fail_nomem(err, "the plan of a search", sizeof *plan);
    *plan = w->lanes.plan;
    for (int lane = 0; lane < MEMO_N_LANES; lane++) {
        plan->n_found[lane] = w->lanes.lists[lane].n;
        plan->weights[lane] = search_weights[w->lanes.query.cls][lane];
    }
    for (int lane = 0; lane < MEMO_N_LANES && w->options.mode != MEMO_SEARCH_HYBRID; lane++)
        if ((lane == MEMO_LANE_DENSE) != (w->options.mode == MEMO_SEARCH_DENSE))
            plan->weights[lane] = 0;
    plan->weights[MEMO_LANE_RECENCY] = search_recency(w);
    plan->weighed = w->lanes.weigh;
    plan->narrowed = w->lanes.scope.last_chunk != 0;
    plan->filter = "";
    status = memo_store_get_set(w->db->store, w->lanes.space, &now, err);
    plan->store_seq = (uint64_t)now.seq;
    if (status == MEMO_OK && w->filter)
        status = memo_store_explain_match(w->db->store, &w->lanes.scope, &w->owner->arena,
                                          &plan->filter, err);
    w->owner->hits.plan = plan;
    return status;
}

static memo_status search_at_depth(search_work *w, memo_err *err)
{
    memo_search_timings *t = &w->owner->hits.timings;
    double since;
    memo_status status = search_run_lanes(w, err);

    since = memo_monotonic_ms();
    if (status == MEMO_OK)
        status = search_fuse(w, err);
    t->fuse_ms = search_lap(&since);
    if (status == MEMO_OK)
        status = memo_search_fill(w, err);
    t->fetch_ms = search_lap(&since);
    return status;
}

/* In dense mode few more than k are looked for. They do not do when damaged rows are among them, or
 * when the last is as good as the k-th: ids decide between all that are. */
static int search_is_too_shallow(const search_work *w)
{
    const memo_lane_list *list = &w->lanes.lists[MEMO_LANE_DENSE];
    size_t k = memo_search_pool(w);

    if (w->lanes.depth >= search_full_depth(w) || list->n < w->lanes.depth)
        return 0;
    return w->owner->hits.n < memo_search_shown(w) || k > list->n ||
           list->hits[k - 1].score == list->hits[list->n - 1].score;
}

/* It only makes lanes faster, so what keeps it from being known is theirs to meet. */
static void search_narrow(search_work *w)
{
    w->lanes.scope.first_chunk = w->lanes.scope.last_chunk = 0;
    (void)memo_store_narrow(w->db->store, &w->lanes.scope, NULL);
}

static memo_status search_in_snapshot(search_work *w, memo_err *err)
{
    memo_lane_list *list = &w->lanes.lists[MEMO_LANE_DENSE];
    memo_status status = search_at_depth(w, err);

    if (status || w->lanes.partial || !search_is_too_shallow(w))
        return status;
    list->n = w->lanes.n_scanned = w->lanes.plan.n_scored = w->n_fused = 0;
    list->full = 0;
    memo_free(w->fused);
    w->fused = NULL;
    w->lanes.depth = search_full_depth(w);
    return search_at_depth(w, err);
}

/* Of a past that could not be made in time, and of the versions that are damaged, the search says so. */
static memo_status search_go_back(search_work *w, memo_err *err)
{
    const char *name = memo_db_ns_name(w->options.ns);
    const memo_past_ask ask = {.ns = name,
                               .as_of_ms = w->options.as_of_ms,
                               .with_vectors = w->options.mode != MEMO_SEARCH_LEXICAL,
                               .deadline = w->lanes.deadline};
    memo_status status;

    if (!ask.as_of_ms) {
        memo_past_drop(w->db);
        return MEMO_OK;
    }
    status = memo_past_get(w->db, &ask, &w->lanes.db, &w->lanes.partial, &w->lanes.damage, err);
    if (status == MEMO_ERR_NOTFOUND)
        return search_fail_empty(name, err);
    if (status == MEMO_OK)
        w->db = w->lanes.db;
    return status;
}

static memo_status search_run(search_work *w, memo_err *err)
{
    memo_search_timings *t = &w->owner->hits.timings;
    double since;
    memo_status status = search_go_back(w, err);

    if (status == MEMO_OK)
        status = search_open(w, err);

    if (status == MEMO_OK)
        status = memo_query_parse(w->query, &w->owner->arena, &w->lanes.query, err);
    w->lanes.weigh = w->options.mode == MEMO_SEARCH_HYBRID &&
                     w->lanes.query.cls == MEMO_QUERY_NATURAL &&
                     w->lanes.query.n_words <= SEARCH_WEIGHED_WORDS;
    w->owner->hits.query_class =
        w->lanes.query.cls == MEMO_QUERY_IDENTIFIER ? "identifier" : "natural";
    since = memo_monotonic_ms();
    if (status == MEMO_OK && w->options.mode != MEMO_SEARCH_LEXICAL) {
        status = search_embed(w, err);
        t->embed_ms = search_lap(&since);
    }
    if (status)
        return status;
    status = memo_store_begin_read(w->db->store, err);
    if (status)
        return status;
    status = search_check_again(w, err);
    if (status == MEMO_OK)
        search_narrow(w);
    if (status == MEMO_OK)
        status = search_in_snapshot(w, err);
    if (status == MEMO_OK && w->options.explain)
        status = search_explain(w, err);
    memo_store_end_read(w->db->store);
    return status;
}

static void search_fini(search_work *w)
{
    memo_lanes_fini(&w->lanes);
    memo_filter_free(w->filter);
    memo_free(w->fused);
    memo_free(w->vector);
}

static memo_status search_name_damage(search_work *w, memo_err *err)
{
    const memo_store_damage *damage = &w->lanes.damage;
    memo_hits *hits = &w->owner->hits;
    const char **ids;

    hits->n_damaged = damage->n;
    if (damage->n_ids == 0)
        return MEMO_OK;
    ids = memo_arena_array(&w->owner->arena, damage->n_ids, sizeof *ids);
    if (!ids)
        return memo_fail_nomem(err, "a list of ids", damage->n_ids * sizeof *ids);
    memcpy(ids, damage->ids, damage->n_ids * sizeof *ids);
    hits->damaged_ids = ids;
    hits->n_damaged_ids = damage->n_ids;
    return MEMO_OK;
}

void memo_search_log_chosen(memo_db *db, const memo_search_options *options, memo_text query,
                            memo_hits *hits, const size_t *chosen, size_t n)
{
    const search_owner *owner = (const search_owner *)hits;
    memo_hit *list = memo_reallocarray(NULL, n + 1, sizeof *list);
    int64_t(*keys)[2] = memo_reallocarray(NULL, n + 1, sizeof *keys);
    memo_hits some = *hits;
    const memo_search_note note = {.ns = owner->ns,
                                   .space = owner->space,
                                   .cls = owner->cls,
                                   .options = options,
                                   .query = query,
                                   .hits = &some,
                                   .keys = (const int64_t(*)[2])keys};

    for (size_t i = 0; list && keys && i < n; i++) {
        list[i] = hits->hits[chosen[i]];
        memcpy(keys[i], owner->keys[chosen[i]], sizeof keys[i]);
    }
    some.hits = list;
    some.n = n;
    if (list && keys && !options->as_of_ms) /* what was shown from the past is not of the store */
        memo_search_log_add(db, &note, hits->search_id);
    memo_free(list);
    memo_free(keys);
}

/* What became of it goes into the store's history of searches and to who asked how long it took. */
static void search_note(search_work *w)
{
    memo_hits *hits = &w->owner->hits;
    const memo_search_note note = {.ns = w->lanes.scope.ns,
                                   .space = w->lanes.vector ? w->lanes.space : 0,
                                   .cls = w->lanes.query.cls,
                                   .options = &w->options,
                                   .query = w->query,
                                   .hits = hits,
                                   .keys = (const int64_t(*)[2])w->keys};

    w->owner->ns = note.ns;
    w->owner->space = note.space;
    w->owner->cls = note.cls;
    w->owner->keys = note.keys;
    memo_search_log_add(w->db, &note, hits->search_id);
    memo_latency_tell(w->present, w->db, &note);
}

memo_status memo_db_search(memo_db *db, memo_text query, const memo_search_options *options,
                           memo_hits **hits, memo_err *err)
{
    search_work w = {.db = db, .present = db, .query = query};
    double started = memo_monotonic_ms();
    memo_status status =
        memo_options_copy(&w.options, sizeof w.options, options, "memo_search_options", err);

    if (status == MEMO_OK)
        status = memo_db_check_call(db, hits, "memo_db_search", err);
    if (status == MEMO_OK)
        status = search_check(&w, err);
    if (status)
        return status;
    w.owner = memo_calloc(1, sizeof *w.owner);
    if (!w.owner)
        return memo_fail_nomem(err, "hits", sizeof *w.owner);
    if (w.options.mode == MEMO_SEARCH_HYBRID && !w.options.vector && !memo_db_can_embed(db))
        w.options.mode = MEMO_SEARCH_LEXICAL;
    if (w.options.vector && w.query.n_bytes == 0)
        w.options.mode = MEMO_SEARCH_DENSE;
    w.owner->hits.mode = w.options.mode;
    w.owner->hits.model = w.owner->hits.calibration = "";
    w.lanes.db = db;
    w.lanes.text = query;
    w.lanes.by_chunk = w.options.chunks;
    w.lanes.depth = w.options.mode == MEMO_SEARCH_DENSE ? memo_search_pool(&w) + SEARCH_SPARE
                                                        : search_full_depth(&w);
    w.lanes.deadline = memo_deadline_in(w.options.deadline_ms);
    w.lanes.arena = w.lanes.damage.arena = &w.owner->arena;
    status = search_run(&w, err);
    if (status == MEMO_OK)
        status = search_name_damage(&w, err);
    w.owner->hits.partial = w.lanes.partial;
    w.owner->hits.timings.total_ms = memo_monotonic_ms() - started;
    if (status == MEMO_OK)
        search_note(&w);
    search_fini(&w);
    if (status)
        memo_hits_free(&w.owner->hits);
    else
        *hits = &w.owner->hits;
    return status;
}
