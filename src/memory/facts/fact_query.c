// SPDX-License-Identifier: Apache-2.0
/* Facts with names and evidence, as a caller sees them. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "memory/facts/db_facts.h"

#define FACTS_LIST 100

/* Results with the arena that holds them. */
typedef struct facts_owner {
    memo_facts facts; /* first: this is what the caller sees */
    memo_arena arena;
} facts_owner;

typedef struct facts_read {
    memo_db *db;
    facts_owner *owner;
    memo_store_damage damage;
} facts_read;

void memo_facts_free(memo_facts *facts)
{
    facts_owner *owner = (facts_owner *)facts;

    if (!owner)
        return;
    memo_arena_fini(&owner->arena);
    memo_free(owner);
}

/* ---- one fact ------------------------------------------------------------------------------ */

/* Id and name of an entity; empty when it cannot be read, which `damage` then says. */
static memo_status facts_name(facts_read *r, int64_t ns, int64_t eid, const char **id,
                              const char **name, memo_err *err)
{
    const memo_entity_scope scope = {.ns = ns, .eid = eid};
    memo_entity_page page = {.arena = &r->owner->arena, .damage = &r->damage, .limit = 1};
    memo_status status = memo_store_list_entities(r->db->store, &scope, &page, err);

    *id = page.n ? page.rows[0].id : "";
    *name = page.n ? page.rows[0].name : "";
    return status;
}

static int facts_same_text(memo_text a, memo_text b)
{
    return a.n_bytes == b.n_bytes && memcmp(a.bytes, b.bytes, a.n_bytes) == 0;
}

/* What a piece of evidence quotes is read from the version that it was given for. *whole 0: that, or
 * the record, cannot be read. */
static memo_status facts_publish_evidence(facts_read *r, const memo_evidence_row *row,
                                          memo_evidence *out, int *whole, memo_err *err)
{
    memo_arena texts = {0}, *arena = &r->owner->arena;
    memo_evidence_text then = {0}, now = {0};
    size_t begin = (size_t)row->begin, end = (size_t)row->end;
    int had = 0, has = 0;
    memo_status status = memo_store_get_evidence_text(r->db->store, row->rid, row->version, &texts,
                                                      &then, &had, err);

    if (status == MEMO_OK)
        status = memo_store_get_evidence_text(r->db->store, row->rid, 0, &texts, &now, &has, err);
    *whole = status == MEMO_OK && had && has && begin < end && end <= then.text.n_bytes;
    if (*whole) {
        *out = (memo_evidence){.record = memo_arena_strdup(arena, now.id),
                               .begin = begin,
                               .end = end,
                               .version = (uint64_t)row->version,
                               .excerpt =
                                   memo_arena_strndup(arena, then.text.bytes + begin, end - begin),
                               .outdated = !facts_same_text(then.text, now.text)};
        if (!out->record || !out->excerpt)
            status = memo_fail_nomem(err, "a text", end - begin);
    }
    memo_arena_fini(&texts);
    return status;
}

static memo_status facts_publish_all_evidence(facts_read *r, const memo_fact_row *row,
                                              memo_fact *out, memo_err *err)
{
    memo_arena *arena = &r->owner->arena;
    memo_evidence_row *rows = NULL;
    memo_evidence *evidence;
    size_t n = 0;
    memo_status status =
        memo_store_list_evidence(r->db->store, row->fid, arena, &r->damage, &rows, &n, err);

    if (status)
        return status;
    evidence = memo_arena_array(arena, n + 1, sizeof *evidence);
    if (!evidence)
        return memo_fail_nomem(err, "evidence", n * sizeof *evidence);
    for (size_t i = 0; i < n && status == MEMO_OK; i++) {
        char name[MEMO_ID_BYTES + 32];
        int whole = 0;
        status = facts_publish_evidence(r, &rows[i], &evidence[out->n_evidence], &whole, err);
        snprintf(name, sizeof name, "evidence of fact %.26s", row->id);
        if (!whole)
            memo_damage_add(&r->damage, name);
        out->n_evidence += whole != 0;
    }
    out->evidence = evidence;
    return status;
}

static memo_status facts_publish(facts_read *r, const memo_fact_row *row, memo_fact *out,
                                 memo_err *err)
{
    memo_status status;

    *out = (memo_fact){.id = row->id,
                       .relation = row->relation,
                       .value = row->object ? NULL : row->value,
                       .valid_from_ms = row->valid_from_ms,
                       .valid_to_ms = row->valid_to_ms,
                       .recorded_ms = row->recorded_ms,
                       .closed_ms = row->closed_ms,
                       .retracted_ms = row->retracted_ms,
                       .reason = row->reason,
                       .confidence = row->confidence};
    status = facts_name(r, row->ns, row->subject, &out->subject, &out->subject_name, err);
    if (status == MEMO_OK && row->object)
        status = facts_name(r, row->ns, row->object, &out->object, &out->object_name, err);
    return status ? status : facts_publish_all_evidence(r, row, out, err);
}

/* ---- a page -------------------------------------------------------------------------------- */

static memo_status facts_read_page(facts_read *r, const memo_fact_scope *scope, size_t limit,
                                   memo_err *err)
{
    memo_arena *arena = &r->owner->arena;
    memo_facts *out = &r->owner->facts;
    memo_fact_page page = {.arena = arena, .damage = &r->damage, .limit = limit};
    memo_fact *facts;
    memo_status status = memo_store_list_facts(r->db->store, scope, &page, err);

    if (status)
        return status;
    facts = memo_arena_array(arena, page.n + 1, sizeof *facts);
    if (!facts)
        return memo_fail_nomem(err, "facts", page.n * sizeof *facts);
    for (size_t i = 0; i < page.n && status == MEMO_OK; i++)
        status = facts_publish(r, &page.rows[i], &facts[i], err);
    if (status == MEMO_OK && page.more)
        status = memo_db_put_cursor(arena, page.rows[page.n - 1].fid, &out->next, err);
    if (status)
        return status;
    out->facts = facts;
    out->n = page.n;
    return memo_db_name_damage(&r->damage, arena, &out->n_damaged, &out->damaged,
                               &out->n_damaged_ids, err);
}

static memo_status facts_resolve_name(facts_read *r, int64_t ns, const char *name, int64_t *eid,
                                      memo_err *err)
{
    memo_entity_row row = {0};
    memo_status status =
        name ? memo_facts_need_entity(r->db, ns, name, &r->owner->arena, &row, err) : MEMO_OK;

    *eid = row.eid;
    return status;
}

static memo_status facts_resolve_record(facts_read *r, int64_t ns, const char *id, int64_t *rid,
                                        memo_err *err)
{
    memo_arena texts = {0};
    memo_evidence_text text = {0};
    memo_status status = MEMO_OK;

    if (id)
        status = memo_db_check_id(id, "memo_db_fact_query", err);
    if (id && status == MEMO_OK)
        status = memo_store_find_evidence_text(r->db->store, ns, id, &texts, rid, &text, err);
    memo_arena_fini(&texts);
    return status;
}

static memo_status facts_query(facts_read *r, const memo_fact_query *q, memo_err *err)
{
    memo_fact_scope scope = {.relation = q->relation,
                             .value = q->value,
                             .as_of_ms = q->as_of_ms,
                             .retracted = q->retracted,
                             .min_confidence = q->min_confidence};
    memo_status status = memo_db_read_cursor(q->after, &scope.after, err);

    if (status == MEMO_OK)
        status = memo_db_find_ns(r->db, q->ns, &scope.ns, err);
    if (status == MEMO_OK)
        status = facts_resolve_name(r, scope.ns, q->subject, &scope.subject, err);
    if (status == MEMO_OK)
        status = facts_resolve_name(r, scope.ns, q->object, &scope.object, err);
    if (status == MEMO_OK)
        status = facts_resolve_name(r, scope.ns, q->about, &scope.about, err);
    if (status == MEMO_OK)
        status = facts_resolve_record(r, scope.ns, q->record, &scope.record, err);
    if (status)
        return status;
    if (!q->any_time)
        scope.valid_at_ms = q->valid_at_ms ? q->valid_at_ms
                            : q->as_of_ms  ? q->as_of_ms
                                           : memo_now_ms(r->db->ctx);
    return scope.ns ? facts_read_page(r, &scope, q->limit ? q->limit : FACTS_LIST, err) : MEMO_OK;
}

/* Make the owner and read into it, all in one moment of the store. */
static memo_status facts_run(memo_db *db,
                             memo_status (*read)(facts_read *r, const void *args, memo_err *err),
                             const void *args, memo_facts **facts, memo_err *err)
{
    facts_read r = {.db = db, .owner = memo_calloc(1, sizeof *r.owner)};
    memo_status status;

    if (!r.owner)
        return memo_fail_nomem(err, "facts", sizeof *r.owner);
    r.damage.arena = &r.owner->arena;
    status = memo_store_begin_read(db->store, err);
    if (status == MEMO_OK)
        status = read(&r, args, err);
    memo_store_end_read(db->store);
    if (status)
        memo_facts_free(&r.owner->facts);
    else
        *facts = &r.owner->facts;
    return status;
}

static memo_status facts_check_limit(size_t limit, memo_err *err)
{
    return limit <= FACTS_MAX_PAGE
               ? MEMO_OK
               : memo_fail(err, MEMO_ERR_LIMIT, "a list of %zu facts: at most %d a call", limit,
                           FACTS_MAX_PAGE);
}

static memo_status facts_run_query(facts_read *r, const void *args, memo_err *err)
{
    return facts_query(r, args, err);
}

memo_status memo_db_fact_query(memo_db *db, const memo_fact_query *query, memo_facts **facts,
                               memo_err *err)
{
    memo_fact_query q;
    memo_status status = memo_options_copy(&q, sizeof q, query, "memo_fact_query", err);

    if (status == MEMO_OK)
        status = memo_db_check_call(db, facts, "memo_db_fact_query", err);
    if (status == MEMO_OK)
        status = facts_check_limit(q.limit, err);
    return status ? status : facts_run(db, facts_run_query, &q, facts, err);
}

/* ---- history ------------------------------------------------------------------------------- */

typedef struct facts_history {
    memo_fact_history_options options;
    const char *id;
} facts_history;

static memo_status facts_run_history(facts_read *r, const void *args, memo_err *err)
{
    const facts_history *h = args;
    memo_fact_scope scope = {.id = h->id, .retracted = 1};
    memo_fact_page page = {.arena = &r->owner->arena, .damage = &r->damage, .limit = 1};
    memo_store_ns ns = {0};
    memo_status status = memo_store_find_ns(r->db->store, memo_db_ns_name(h->options.ns), &ns, err);

    scope.ns = ns.id;
    if (status == MEMO_OK)
        status = memo_store_list_facts(r->db->store, &scope, &page, err);
    if (status == MEMO_OK && page.n == 0 && r->damage.n)
        status = memo_fail(err, MEMO_ERR_CORRUPT, "fact %s: its checksum does not match", h->id);
    else if (status == MEMO_OK && page.n == 0)
        status = memo_fail(err, MEMO_ERR_NOTFOUND, "no fact \"%s\"", h->id);
    if (status)
        return status;
    scope = (memo_fact_scope){.ns = ns.id,
                              .subject = page.rows[0].subject,
                              .relation = page.rows[0].relation,
                              .retracted = 1};
    status = memo_db_read_cursor(h->options.after, &scope.after, err);
    if (status)
        return status;
    return facts_read_page(r, &scope, h->options.limit ? h->options.limit : FACTS_LIST, err);
}

memo_status memo_db_fact_history(memo_db *db, const memo_fact_history_options *options,
                                 const char *id, memo_facts **facts, memo_err *err)
{
    facts_history history = {.id = id};
    memo_status status = memo_options_copy(&history.options, sizeof history.options, options,
                                           "memo_fact_history_options", err);

    if (status == MEMO_OK)
        status = memo_db_check_call(db, facts, "memo_db_fact_history", err);
    if (status == MEMO_OK)
        status = memo_db_check_id(id, "memo_db_fact_history", err);
    if (status == MEMO_OK)
        status = facts_check_limit(history.options.limit, err);
    return status ? status : facts_run(db, facts_run_history, &history, facts, err);
}
