// SPDX-License-Identifier: Apache-2.0
/* Searches as they are kept, with what they showed and what was done with it. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "memory/feedback/search_log.h"
#include "memory/search/query.h"

#define SEARCHES_LIST     20
#define SEARCHES_MAX_LIST 1000

/* Results with the arena that holds them, and the lists of actions. */
typedef struct searches_owner {
    memo_searches searches; /* first: this is what the caller sees */
    memo_arena arena;
    memo_actions **actions; /* [n_actions] */
    size_t n_actions;
} searches_owner;

void memo_searches_free(memo_searches *searches)
{
    searches_owner *owner = (searches_owner *)searches;

    if (!owner)
        return;
    for (size_t i = 0; i < owner->n_actions; i++)
        memo_actions_free(owner->actions[i]);
    memo_arena_fini(&owner->arena);
    memo_free(owner);
}

static double searches_float(const unsigned char *p)
{
    uint32_t bits = 0;
    float single;

    for (int i = 0; i < 4; i++)
        bits |= (uint32_t)p[i] << (8 * i);
    memcpy(&single, &bits, sizeof single);
    return (double)single;
}

/* An older program knew fewer lanes: the score of the hit stands after those. */
static void searches_take_shown(const memo_seen_shown *from, memo_shown *out)
{
    size_t n_lanes = from->n_bytes >= 4 ? (from->n_bytes / 4 - 1) / 2 : 0;

    *out = (memo_shown){
        .position = (size_t)from->position, .id = from->record_id, .chunk = from->chunk};
    if (from->n_bytes < 4)
        return;
    out->score = searches_float(from->features + 8 * n_lanes);
    for (size_t lane = 0; lane < n_lanes && lane < MEMO_N_LANES; lane++) {
        double rank = searches_float(from->features + 8 * lane);
        out->lanes[lane].rank = rank > 0 && rank < 1e9 ? (size_t)rank : 0;
        out->lanes[lane].score = searches_float(from->features + 8 * lane + 4);
    }
}

static memo_status searches_take(const memo_seen_search *from, memo_arena *arena,
                                 memo_search_event *out, memo_err *err)
{
    const memo_search_row *row = &from->search;
    memo_shown *shown = memo_arena_array(arena, from->n_shown + 1, sizeof *shown);

    if (!shown)
        return memo_fail_nomem(err, "what was shown", from->n_shown * sizeof *shown);
    for (size_t i = 0; i < from->n_shown; i++)
        searches_take_shown(&from->shown[i], &shown[i]);
    *out = (memo_search_event){.id = row->id,
                               .at_ms = row->at_ms,
                               .mode = (memo_search_mode)row->mode,
                               .query_class =
                                   row->cls == MEMO_QUERY_IDENTIFIER ? "identifier" : "natural",
                               .actor = row->actor.bytes,
                               .surface = row->surface.bytes,
                               .where = row->filter.bytes,
                               .query = row->query.bytes,
                               .n_shown = from->n_shown,
                               .shown = shown};
    return MEMO_OK;
}

/* What was done with its results. */
static memo_status searches_take_actions(memo_db *db, const char *ns, const memo_seen_search *seen,
                                         searches_owner *owner, memo_search_event *event,
                                         memo_err *err)
{
    memo_actions *actions = NULL;
    memo_status status = memo_actions_of_search(db, ns, seen->search.ns, seen->sid, &actions, err);

    if (status)
        return status;
    owner->actions[owner->n_actions++] = actions;
    owner->searches.n_damaged += actions->n_damaged;
    event->actions = actions->actions;
    event->n_actions = actions->n;
    return MEMO_OK;
}

static memo_status searches_publish(memo_db *db, const char *ns, const memo_search_page *page,
                                    searches_owner *owner, memo_err *err)
{
    memo_search_event *events = memo_arena_array(&owner->arena, page->n + 1, sizeof *events);
    memo_status status = MEMO_OK;

    owner->actions = memo_arena_array(&owner->arena, page->n + 1, sizeof(memo_actions *));
    if (!events || !owner->actions)
        return memo_fail_nomem(err, "searches", page->n * sizeof *events);
    for (size_t i = 0; i < page->n && status == MEMO_OK; i++) {
        status = searches_take(&page->rows[i], &owner->arena, &events[i], err);
        if (status == MEMO_OK)
            status = searches_take_actions(db, ns, &page->rows[i], owner, &events[i], err);
    }
    owner->searches.searches = events;
    owner->searches.n = page->n;
    if (status == MEMO_OK && page->more)
        status = memo_db_put_cursor(&owner->arena, page->rows[page->n - 1].sid,
                                    &owner->searches.next, err);
    return status;
}

static memo_status searches_list(memo_db *db, const memo_searches_query *q, searches_owner *owner,
                                 memo_err *err)
{
    memo_arena *arena = &owner->arena;
    memo_searches *out = &owner->searches;
    memo_store_damage damage = {.arena = arena};
    memo_search_page page = {
        .arena = arena, .damage = &damage, .limit = q->limit ? q->limit : SEARCHES_LIST};
    const memo_event_query query = {"memo_db_searches", q->ns, q->search_id, q->id, q->after};
    memo_event_scope found;
    memo_search_scope scope;
    memo_status status = memo_event_find(db, &query, &found, err);

    if (status || !found.ns)
        return status;
    scope =
        (memo_search_scope){found.ns, found.before, found.sid, found.rid, q->since_ms, q->until_ms};
    status = memo_store_list_searches(db->store, &scope, &page, err);
    if (status == MEMO_OK)
        status = memo_db_name_damage(&damage, arena, &out->n_damaged, &out->damaged,
                                     &out->n_damaged_ids, err);
    return status ? status : searches_publish(db, q->ns, &page, owner, err);
}

memo_status memo_db_searches(memo_db *db, const memo_searches_query *query,
                             memo_searches **searches, memo_err *err)
{
    memo_searches_query q;
    searches_owner *owner;
    memo_status status = memo_options_copy(&q, sizeof q, query, "memo_searches_query", err);

    if (status == MEMO_OK)
        status = memo_db_check_call(db, searches, "memo_db_searches", err);
    if (status == MEMO_OK && q.limit > SEARCHES_MAX_LIST)
        status = memo_fail(err, MEMO_ERR_LIMIT, "a list of %zu searches: at most %d a call",
                           q.limit, SEARCHES_MAX_LIST);
    if (status)
        return status;
    owner = memo_calloc(1, sizeof *owner);
    if (!owner)
        return memo_fail_nomem(err, "searches", sizeof *owner);
    status = memo_store_begin_read(db->store, err); /* lists of one moment */
    if (status == MEMO_OK) {
        status = searches_list(db, &q, owner, err);
        memo_store_end_read(db->store);
    }
    if (status)
        memo_searches_free(&owner->searches);
    else
        *searches = &owner->searches;
    return status;
}
