// SPDX-License-Identifier: Apache-2.0
/* memory/search.c -- query -> lanes -> fusion -> hits.
 *
 * dense mode is the dense lane alone, its score the cosine. lexical mode fuses words (BM25) and
 * letters (exact), hybrid all three; their score is the sum of the lanes' shares. Hybrid without a
 * model has no dense lane: it is lexical, and memo_hits.mode says so.
 *
 *   weights       dense  lexical  exact
 *   natural        1.0     1.0     0.3    words find names and numbers, meaning finds the rest
 *   identifier     0.4     1.0     2.0    who types ERR-4512 means those letters
 *
 * nDCG@10 (tools/eval_retrieval.py) of dense, lexical and hybrid: Cranfield 0.395, 0.386, 0.437;
 * ADI 0.498, 0.498, 0.520. Lexical weights from 0.1 to 0.9 gave less hybrid on both together. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/utf8.h"
#include "memory/lanes.h"
#include "text/words.h"

#define SEARCH_K     10
#define SEARCH_MAX_K 1000
#define SEARCH_DEPTH 200 /* of each lane at least: what is deeper adds too little to matter */

static const double search_weights[][MEMO_N_LANES] = {
    [MEMO_QUERY_NATURAL] = {1.0, 1.0, 0.3},
    [MEMO_QUERY_IDENTIFIER] = {0.4, 1.0, 2.0},
};

/* Hits with the arena that holds them. */
typedef struct search_owner {
    memo_hits hits; /* first: this is what the caller sees */
    memo_arena arena;
} search_owner;

typedef struct search_work {
    memo_db *db;
    memo_search_options options;
    memo_text query;
    search_owner *owner;
    memo_lanes lanes;
    float *vector;
    memo_filter *filter;
    memo_fused *fused;
    size_t n_fused;
    size_t n_lanes_run, n_lanes_failed;
    memo_err first_failure;
} search_work;

const char *memo_lane_name(memo_lane lane)
{
    static const char *const names[MEMO_N_LANES] = {"dense", "lexical", "exact"};
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
    if (w->query.n_bytes == 0)
        return memo_fail(err, MEMO_ERR_VALUE, "the query is empty");
    bad = memo_utf8_check(w->query.bytes, w->query.n_bytes);
    if (bad < w->query.n_bytes)
        return memo_fail(err, MEMO_ERR_VALUE, "the query is not UTF-8 at byte %zu", bad);
    if (memo_text_is_blank(w->query.bytes, w->query.n_bytes))
        return memo_fail(err, MEMO_ERR_VALUE, "the query holds nothing but white space");
    if (w->options.k > SEARCH_MAX_K)
        return memo_fail(err, MEMO_ERR_LIMIT, "%zu hits wanted, at most %d a search", w->options.k,
                         SEARCH_MAX_K);
    if ((unsigned)w->options.mode > MEMO_SEARCH_LEXICAL)
        return memo_fail(err, MEMO_ERR_VALUE, "unknown search mode %d", (int)w->options.mode);
    return MEMO_OK;
}

static memo_status search_fail_empty(const char *ns, memo_err *err)
{
    memo_fail(err, MEMO_ERR_NOTFOUND, "namespace \"%s\" is empty: there is nothing to search", ns);
    return memo_hint(err, MEMO_ERR_NOTFOUND, "memolith add \"TEXT\"   or   memolith import FOLDER");
}

/* Find the namespace, check that its vectors fit, compile the filter. */
static memo_status search_open(search_work *w, memo_err *err)
{
    const char *name = memo_db_ns_name(w->options.ns);
    memo_store_ns ns = {0};
    memo_status status;

    if (w->options.mode == MEMO_SEARCH_DENSE &&
        (status = memo_db_need_model(w->db, "dense search", err)))
        return status;
    status = memo_store_find_ns(w->db->store, name, &ns, err);
    if (status == MEMO_ERR_NOTFOUND)
        return search_fail_empty(name, err);
    if (status == MEMO_OK && w->options.mode != MEMO_SEARCH_LEXICAL)
        status = memo_db_check_space(w->db, name, &ns, "nothing was searched", err);
    if (status == MEMO_OK && w->options.where)
        status = memo_filter_new(w->options.where, memo_now_ms(w->db->ctx), &w->filter, err);
    w->lanes.space = ns.space;
    w->lanes.scope = (memo_store_scope){ns.id, memo_now_ms(w->db->ctx), w->filter};
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
    w->vector = memo_calloc(w->db->info.dim, sizeof *w->vector);
    if (!w->vector)
        return memo_fail_nomem(err, "query vector", w->db->info.dim * sizeof *w->vector);
    status = memo_model_embed(w->db->model, &options, &w->query, 1, w->vector, &result, &embed_err);
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
    w->owner->hits.model = memo_arena_strdup(&w->owner->arena, w->db->info.name);
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
    return search_fail_empty(memo_db_ns_name(w->options.ns), err);
}

static memo_status search_note_failure(search_work *w, memo_lane lane, const memo_err *why,
                                       memo_err *err)
{
    const char **failed = &w->owner->hits.lane_failed[lane];

    if (*failed)
        return MEMO_OK;
    memo_log(w->db->ctx, MEMO_LOG_WARN, "searched without the %s lane: %s; fix: %s",
             memo_lane_name(lane), why->message, why->hint);
    *failed = memo_arena_strdup(&w->owner->arena, why->message);
    return *failed ? MEMO_OK : memo_fail_nomem(err, "a message", strlen(why->message));
}

/* Run one lane. With several, damage that stops this one does not stop the search. */
static memo_status search_run_lane(search_work *w, memo_lane lane,
                                   memo_status (*run)(memo_lanes *lanes, memo_err *err),
                                   double *lap_ms, double *since, memo_err *err)
{
    memo_err why = {0};
    memo_status status;

    if (search_out_of_time(w))
        return MEMO_OK;
    w->n_lanes_run++;
    status = run(&w->lanes, &why);
    *lap_ms = search_lap(since);
    if (status == MEMO_ERR_CORRUPT && w->options.mode == MEMO_SEARCH_HYBRID) {
        w->lanes.lists[lane].n = 0;
        if (lane == MEMO_LANE_EXACT)
            w->lanes.promoted.n = 0;
        if (++w->n_lanes_failed == 1)
            w->first_failure = why;
        return search_note_failure(w, lane, &why, err);
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

    if (w->lanes.vector)
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

static memo_status search_fuse(search_work *w, memo_err *err)
{
    const memo_lane_list *promoted = &w->lanes.promoted;
    unsigned char *needs;
    memo_status status = memo_fusion_run(w->lanes.lists, search_weights[w->lanes.query.cls],
                                         &w->fused, &w->n_fused, err);

    if (status)
        return status;
    if (w->options.mode == MEMO_SEARCH_DENSE)
        search_score_dense(w);
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

/* ---- hits ---------------------------------------------------------------------------------- */

/* A fused hit with its row. */
typedef struct search_row {
    const memo_fused *fused;
    const memo_store_chunk_row *row;
} search_row;

static int search_compare_rows(const void *pa, const void *pb)
{
    const search_row *a = pa, *b = pb;
    int order = memo_fused_compare(a->fused, b->fused);

    if (order == 0)
        order = strcmp(a->row->record_info.id, b->row->record_info.id);
    return order ? order
                 : (a->row->position > b->row->position) - (a->row->position < b->row->position);
}

/* Rows of fused[from, to) that are whole, appended to rows. */
static memo_status search_fetch(search_work *w, size_t from, size_t to, search_row *rows, size_t *n,
                                memo_err *err)
{
    memo_arena *arena = &w->owner->arena;
    memo_store_chunk_row *fetched = NULL;
    int64_t *chunks = memo_arena_array(arena, to - from, sizeof *chunks);
    memo_status status;

    if (!chunks)
        return memo_fail_nomem(err, "hits", (to - from) * sizeof *chunks);
    for (size_t i = from; i < to; i++)
        chunks[i - from] = w->fused[i].chunk;
    status =
        memo_store_fetch(w->db->store, chunks, to - from, arena, &fetched, &w->lanes.damage, err);
    for (size_t i = from; i < to && status == MEMO_OK; i++)
        if (!fetched[i - from].damaged)
            rows[(*n)++] = (search_row){&w->fused[i], &fetched[i - from]};
    return status;
}

/* The k best whole rows in their final order. Ties are fetched as a whole, for ids decide them;
 * damaged rows are made up for by those that follow. */
static memo_status search_select(search_work *w, search_row **out, size_t *n_out, memo_err *err)
{
    size_t k = w->options.k ? w->options.k : SEARCH_K;
    size_t at = 0, n = 0;
    search_row *rows = memo_arena_array(&w->owner->arena, w->n_fused + 1, sizeof *rows);

    if (!rows)
        return memo_fail_nomem(err, "hits", w->n_fused * sizeof *rows);
    while (n < k && at < w->n_fused) {
        size_t end = w->n_fused - at > k - n ? at + k - n : w->n_fused;
        memo_status status;
        while (end < w->n_fused && memo_fused_compare(&w->fused[end - 1], &w->fused[end]) == 0)
            end++;
        status = search_fetch(w, at, end, rows, &n, err);
        if (status)
            return status;
        at = end;
    }
    if (n > 1)
        qsort(rows, n, sizeof *rows, search_compare_rows);
    *out = rows;
    *n_out = n < k ? n : k;
    return MEMO_OK;
}

static void search_fill_hit(const search_row *from, memo_hit *hit)
{
    const memo_store_chunk_row *row = from->row;
    const memo_record *record = &row->record_info;

    *hit = (memo_hit){.id = record->id,
                      .key = record->key,
                      .title = record->title,
                      .text = row->text.bytes,
                      .text_bytes = row->text.n_bytes,
                      .begin = row->begin,
                      .end = row->end,
                      .chunk = row->position,
                      .score = from->fused->score,
                      .terms = "",
                      .tags = record->tags,
                      .n_tags = record->n_tags,
                      .metadata_json = record->metadata_json,
                      .source = record->source,
                      .created_ms = record->created_ms};
    memcpy(hit->lanes, from->fused->lanes, sizeof hit->lanes);
}

/* Damage in the full-text index costs the words, not the hits, where another lane found those. */
static memo_status search_match_word(search_work *w, size_t word, const int64_t *chunks, size_t n,
                                     unsigned char *found, memo_err *err)
{
    memo_err why = {0};
    memo_status status = memo_store_match_chunks(w->db->store, w->lanes.query.word_matches[word],
                                                 chunks, n, found, &why);

    if (status == MEMO_ERR_CORRUPT && w->options.mode != MEMO_SEARCH_LEXICAL) {
        memset(found, 0, n);
        return search_note_failure(w, MEMO_LANE_LEXICAL, &why, err);
    }
    if (status && err)
        *err = why;
    return status;
}

/* Which words of the query each hit holds, by asking the full-text index itself: only it knows what
 * its stemmer makes of them. */
static memo_status search_fill_terms(search_work *w, const search_row *rows, memo_hit *hits,
                                     size_t n, memo_err *err)
{
    memo_arena *arena = &w->owner->arena;
    const memo_query *query = &w->lanes.query;
    int64_t *chunks = memo_arena_array(arena, n, sizeof *chunks);
    unsigned char *found = memo_arena_alloc(arena, n);
    memo_buf *terms = memo_arena_array(arena, n, sizeof *terms);
    memo_status status = MEMO_OK;

    if (!chunks || !found || !terms)
        return memo_fail_nomem(err, "matched words", n * sizeof *terms);
    for (size_t i = 0; i < n; i++)
        chunks[i] = rows[i].row->chunk;
    for (size_t word = 0; word < query->n_words && status == MEMO_OK; word++) {
        if (w->owner->hits.lane_failed[MEMO_LANE_LEXICAL])
            break;
        status = search_match_word(w, word, chunks, n, found, err);
        for (size_t i = 0; i < n && status == MEMO_OK; i++)
            if (found[i])
                memo_buf_printf(&terms[i], "%s%s", terms[i].n ? " " : "", query->words[word]);
    }
    for (size_t i = 0; i < n; i++) {
        if ((terms[i].n || terms[i].failed) && status == MEMO_OK) {
            hits[i].terms = terms[i].failed ? NULL : memo_arena_strdup(arena, terms[i].data);
            if (!hits[i].terms)
                status = memo_fail_nomem(err, "matched words", terms[i].n);
        }
        memo_buf_fini(&terms[i]);
    }
    return status;
}

static memo_status search_fill(search_work *w, memo_err *err)
{
    search_row *rows = NULL;
    memo_hit *hits;
    size_t n = 0;
    memo_status status = search_select(w, &rows, &n, err);

    if (status || n == 0)
        return status;
    hits = memo_arena_array(&w->owner->arena, n, sizeof *hits);
    if (!hits)
        return memo_fail_nomem(err, "hits", n * sizeof *hits);
    for (size_t i = 0; i < n; i++)
        search_fill_hit(&rows[i], &hits[i]);
    w->owner->hits.hits = hits;
    w->owner->hits.n = n;
    return search_fill_terms(w, rows, hits, n, err);
}

/* ---- all of it ----------------------------------------------------------------------------- */

static memo_status search_in_snapshot(search_work *w, memo_err *err)
{
    memo_search_timings *t = &w->owner->hits.timings;
    double since;
    memo_status status = search_run_lanes(w, err);

    since = memo_monotonic_ms();
    if (status == MEMO_OK)
        status = search_fuse(w, err);
    t->fuse_ms = search_lap(&since);
    if (status == MEMO_OK)
        status = search_fill(w, err);
    t->fetch_ms = search_lap(&since);
    return status;
}

static memo_status search_run(search_work *w, memo_err *err)
{
    memo_search_timings *t = &w->owner->hits.timings;
    double since;
    memo_status status = search_open(w, err);

    if (status == MEMO_OK)
        status = memo_query_parse(w->query, &w->owner->arena, &w->lanes.query, err);
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
    status = search_in_snapshot(w, err);
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

memo_status memo_db_search(memo_db *db, memo_text query, const memo_search_options *options,
                           memo_hits **hits, memo_err *err)
{
    search_work w = {.db = db, .query = query};
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
    if (w.options.mode == MEMO_SEARCH_HYBRID && !db->model)
        w.options.mode = MEMO_SEARCH_LEXICAL;
    w.owner->hits.mode = w.options.mode;
    w.owner->hits.model = "";
    w.lanes.db = db;
    w.lanes.by_chunk = w.options.chunks;
    w.lanes.depth = w.options.k > SEARCH_DEPTH ? w.options.k : SEARCH_DEPTH;
    w.lanes.deadline = memo_deadline_in(w.options.deadline_ms);
    w.lanes.arena = w.lanes.damage.arena = &w.owner->arena;
    status = search_run(&w, err);
    if (status == MEMO_OK)
        status = search_name_damage(&w, err);
    w.owner->hits.partial = w.lanes.partial;
    w.owner->hits.timings.total_ms = memo_monotonic_ms() - started;
    search_fini(&w);
    if (status)
        memo_hits_free(&w.owner->hits);
    else
        *hits = &w.owner->hits;
    return status;
}
