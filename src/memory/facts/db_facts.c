// SPDX-License-Identifier: Apache-2.0
/* Facts: add, retract, replace.
 *
 * No fact is overwritten. One that ends because another begins keeps its row, which notes when that
 * was learned (closed_ms); this tells all that the row said before only when its end was open. Any
 * other change is a retraction and a new fact that takes the evidence along. */
#include <string.h>

#include "base/dates.h"
#include "base/error.h"
#include "base/utf8.h"
#include "memory/facts/db_facts.h"

#define FACTS_VALUE_BYTES  ((size_t)64 << 10)
#define FACTS_REASON_BYTES ((size_t)4 << 10)
#define FACTS_PAGE         64 /* facts looked through at a time */

/* A fact on its way in. */
typedef struct facts_work {
    memo_db *db;
    const memo_fact_in *in;
    memo_arena *arena;
    memo_fact_row row;           /* as it will be written */
    memo_evidence_row *evidence; /* [n_evidence], fid not set */
    size_t n_evidence;
    memo_fact_result result;
} facts_work;

/* ---- checking ------------------------------------------------------------------------------ */

static memo_status facts_check_object(const memo_fact_in *in, memo_err *err)
{
    if (!in->object == !in->value)
        return memo_fail(err, MEMO_ERR_VALUE, "a fact has an object or a value: this one has %s",
                         in->object ? "both" : "neither");
    return in->object ? memo_facts_check_text("object", in->object, FACTS_NAME_BYTES, err)
                      : memo_facts_check_text("value", in->value, FACTS_VALUE_BYTES, err);
}

static memo_status facts_check(const memo_fact_in *in, memo_err *err)
{
    memo_status status = memo_facts_check_text("subject", in->subject, FACTS_NAME_BYTES, err);

    if (status == MEMO_OK)
        status = memo_facts_check_text("relation", in->relation, FACTS_RELATION_BYTES, err);
    if (status == MEMO_OK)
        status = facts_check_object(in, err);
    if (status)
        return status;
    if (!(in->confidence >= 0 && in->confidence <= 1))
        return memo_fail(err, MEMO_ERR_VALUE, "a confidence of %g: it is above 0 and at most 1",
                         in->confidence);
    if (in->valid_to_ms && in->valid_from_ms && in->valid_to_ms <= in->valid_from_ms) {
        char to[MEMO_DATE_BYTES], from[MEMO_DATE_BYTES];
        memo_date_format(in->valid_to_ms, 1, to);
        memo_date_format(in->valid_from_ms, 1, from);
        return memo_fail(err, MEMO_ERR_VALUE,
                         "the fact ends at %s, and begins at %s: it must end after that", to, from);
    }
    if ((in->clear_from && in->valid_from_ms) || (in->clear_to && in->valid_to_ms))
        return memo_fail(err, MEMO_ERR_VALUE,
                         "a fact that has a %s and is to have none: clear_%s is set with it",
                         in->clear_from && in->valid_from_ms ? "beginning" : "end",
                         in->clear_from && in->valid_from_ms ? "from" : "to");
    if (in->n_evidence && !in->evidence)
        return memo_fail(err, MEMO_ERR_USAGE, "%zu pieces of evidence and their array is NULL",
                         in->n_evidence);
    return MEMO_OK;
}

static memo_status facts_check_span(const memo_evidence_in *in, memo_text text, memo_err *err)
{
    if (in->begin >= in->end || in->end > text.n_bytes)
        return memo_fail(err, MEMO_ERR_VALUE,
                         "evidence in record %s: bytes %zu to %zu of a text of %zu", in->record,
                         in->begin, in->end, text.n_bytes);
    if (memo_utf8_floor(text.bytes, text.n_bytes, in->begin) != in->begin ||
        memo_utf8_floor(text.bytes, text.n_bytes, in->end) != in->end)
        return memo_fail(err, MEMO_ERR_VALUE,
                         "evidence in record %s: bytes %zu to %zu cut a character", in->record,
                         in->begin, in->end);
    return MEMO_OK;
}

static memo_status facts_read_evidence(facts_work *w, memo_err *err)
{
    const memo_fact_in *in = w->in;
    memo_status status = MEMO_OK;

    w->evidence = memo_arena_array(w->arena, in->n_evidence + 1, sizeof *w->evidence);
    if (!w->evidence)
        return memo_fail_nomem(err, "evidence", in->n_evidence * sizeof *w->evidence);
    w->n_evidence = in->n_evidence;
    for (size_t i = 0; i < in->n_evidence && status == MEMO_OK; i++) {
        memo_evidence_in item = in->evidence[i];
        memo_evidence_text found = {0};
        int64_t rid = 0;
        status = memo_db_check_id(item.record, "memo_db_fact_add", err);
        if (status == MEMO_OK)
            status = memo_store_find_evidence_text(w->db->store, w->row.ns, item.record, w->arena,
                                                   &rid, &found, err);
        if (item.begin == 0 && item.end == 0)
            item.end = found.text.n_bytes;
        if (status == MEMO_OK)
            status = facts_check_span(&item, found.text, err);
        w->evidence[i] =
            (memo_evidence_row){0, rid, (int64_t)item.begin, (int64_t)item.end, found.version};
    }
    return status;
}

/* ---- who it is about ----------------------------------------------------------------------- */

static memo_status facts_resolve(facts_work *w, const char *name, const char *kind, int64_t *eid,
                                 int *made, memo_err *err)
{
    memo_entity_row row = {0};
    int found = 0;
    memo_status status =
        memo_facts_find_entity(w->db, w->row.ns, name, NULL, w->arena, &row, &found, err);

    if (status == MEMO_OK && !found && w->in->no_new_entities) {
        memo_fail(err, MEMO_ERR_NOTFOUND, "no entity is called \"%s\"", name);
        return memo_hint(err, MEMO_ERR_NOTFOUND, "memolith entity add NAME");
    }
    if (status == MEMO_OK && !found) {
        status = memo_facts_make_entity(w->db, w->row.ns, name, kind, w->arena, &row, err);
        *made = 1;
    }
    *eid = row.eid;
    return status;
}

static memo_status facts_make_row(facts_work *w, memo_err *err)
{
    const memo_fact_in *in = w->in;
    memo_fact_row *row = &w->row;
    memo_status status = facts_resolve(w, in->subject, in->subject_kind, &row->subject,
                                       &w->result.made_subject, err);

    if (status == MEMO_OK && in->object)
        status = facts_resolve(w, in->object, in->object_kind, &row->object, &w->result.made_object,
                               err);
    row->relation = in->relation;
    row->value = in->value ? in->value : "";
    row->reason = "";
    row->valid_from_ms = in->valid_from_ms;
    row->valid_to_ms = in->valid_to_ms;
    row->confidence = in->confidence > 0 ? in->confidence : 1;
    row->recorded_ms = memo_now_ms(w->db->ctx);
    return status;
}

/* ---- other facts --------------------------------------------------------------------------- */

/* The next page of believed facts of this subject and relation, after page->rows of the one before;
 * of any object when object and value are not set. A damaged one may be any of them: then nothing is
 * changed. */
static memo_status facts_list_beside(facts_work *w, int64_t object, const char *value,
                                     memo_fact_page *page, memo_err *err)
{
    memo_store_damage damage = {.arena = w->arena};
    const memo_fact_scope scope = {.ns = w->row.ns,
                                   .after = page->n ? page->rows[page->n - 1].fid : 0,
                                   .subject = w->row.subject,
                                   .relation = w->row.relation,
                                   .object = object,
                                   .value = value};
    memo_status status;

    *page = (memo_fact_page){.arena = w->arena, .damage = &damage, .limit = FACTS_PAGE};
    status = memo_store_list_facts(w->db->store, &scope, page, err);
    page->damage = NULL;
    if (status == MEMO_OK && damage.n) {
        memo_fail(err, MEMO_ERR_CORRUPT, "%s: its checksum does not match; nothing was changed",
                  damage.n_ids ? damage.ids[0] : "a fact");
        return memo_hint(err, MEMO_ERR_CORRUPT, "memolith doctor --repair");
    }
    return status;
}

static memo_status facts_retract_row(facts_work *w, memo_fact_row *row, const char *reason,
                                     memo_err *err)
{
    row->retracted_ms = memo_now_ms(w->db->ctx);
    row->reason = reason;
    return memo_store_put_fact(w->db->store, row, w->arena, err);
}

/* `row` in the place of `old`, whose evidence it takes along. */
static memo_status facts_supersede(facts_work *w, memo_fact_row *old, memo_fact_row *row,
                                   const char *reason, memo_err *err)
{
    memo_store_damage damage = {.arena = w->arena};
    memo_evidence_row *evidence = NULL;
    size_t n = 0;
    memo_status status =
        memo_store_list_evidence(w->db->store, old->fid, w->arena, &damage, &evidence, &n, err);

    if (status == MEMO_OK)
        status = facts_retract_row(w, old, reason, err);
    row->fid = 0;
    row->id = NULL;
    row->retracted_ms = row->closed_ms = 0;
    row->reason = "";
    row->recorded_ms = memo_now_ms(w->db->ctx);
    if (status == MEMO_OK)
        status = memo_store_put_fact(w->db->store, row, w->arena, err);
    for (size_t i = 0; i < n && status == MEMO_OK; i++) {
        int added;
        evidence[i].fid = row->fid;
        status = memo_store_put_evidence(w->db->store, &evidence[i], &added, err);
    }
    return status;
}

/* The fact ends at `end_ms`. */
static memo_status facts_close(facts_work *w, memo_fact_row *row, int64_t end_ms, memo_err *err)
{
    memo_fact_row shorter = *row;

    w->result.n_closed++;
    if (row->valid_from_ms && row->valid_from_ms >= end_ms)
        return facts_retract_row(w, row, "another one holds from the same moment on", err);
    if (row->valid_to_ms) {
        shorter.valid_to_ms = end_ms;
        return facts_supersede(w, row, &shorter, "it ends earlier", err);
    }
    row->valid_to_ms = end_ms;
    row->closed_ms = memo_now_ms(w->db->ctx);
    return memo_store_put_fact(w->db->store, row, w->arena, err);
}

/* It has ended, and nobody says when it began: where the last of those ended that were over by then. One
 * that holds at its end would be a second object, and where that one is wrong nothing here can tell. */
static memo_status facts_make_room_before(facts_work *w, memo_err *err)
{
    memo_fact_row *row = &w->row;
    memo_fact_page page = {.more = 1};
    memo_status status = MEMO_OK;

    while (page.more && status == MEMO_OK) {
        status = facts_list_beside(w, 0, NULL, &page, err);
        for (size_t i = 0; i < page.n && status == MEMO_OK; i++) {
            const memo_fact_row *other = &page.rows[i];
            if (other->valid_from_ms && other->valid_from_ms >= row->valid_to_ms)
                continue;
            if (!other->valid_to_ms || other->valid_to_ms >= row->valid_to_ms) {
                char to[MEMO_DATE_BYTES];
                memo_date_format(row->valid_to_ms, 1, to);
                memo_fail(err, MEMO_ERR_VALUE,
                          "the fact ends at %s and has no beginning, and fact %s holds then: one "
                          "at a time",
                          to, other->id);
                return memo_hint(err, MEMO_ERR_VALUE, "say since when it held: --from DATE");
            }
            if (!row->valid_from_ms || other->valid_to_ms > row->valid_from_ms)
                row->valid_from_ms = other->valid_to_ms;
        }
    }
    return status;
}

/* One object at a time: what holds when this fact begins ends there, and this one ends where a known
 * later one begins. Without a beginning of its own it begins now, if another one held before. */
static memo_status facts_make_room(facts_work *w, memo_err *err)
{
    int64_t start = w->row.valid_from_ms ? w->row.valid_from_ms : memo_now_ms(w->db->ctx);
    memo_fact_page page = {.more = 1};
    memo_status status = MEMO_OK;
    int held = 0;

    if (!w->row.valid_from_ms && w->row.valid_to_ms && w->row.valid_to_ms <= start)
        return facts_make_room_before(w, err);
    while (page.more && status == MEMO_OK) {
        status = facts_list_beside(w, 0, NULL, &page, err);
        for (size_t i = 0; i < page.n && status == MEMO_OK; i++) {
            memo_fact_row other = page.rows[i]; /* the page's own still says where it ends */
            if (other.valid_from_ms && other.valid_from_ms > start) {
                if (!w->row.valid_to_ms || w->row.valid_to_ms > other.valid_from_ms)
                    w->row.valid_to_ms = other.valid_from_ms;
                continue;
            }
            held = 1;
            if (!other.valid_to_ms || other.valid_to_ms > start)
                status = facts_close(w, &other, start, err);
        }
    }
    if (held && (!w->row.valid_to_ms || start < w->row.valid_to_ms))
        w->row.valid_from_ms = start;
    return status;
}

/* ---- add ----------------------------------------------------------------------------------- */

/* Whether both hold in the same time. A functional one that names none holds now, like that one; one that
 * names its end alone has got a beginning since. */
static int facts_same_time(const facts_work *w, const memo_fact_row *other)
{
    const memo_fact_row *row = &w->row;
    int64_t now = memo_now_ms(w->db->ctx);

    if (w->in->functional && !row->valid_from_ms && !row->valid_to_ms)
        return other->valid_from_ms <= now && (!other->valid_to_ms || other->valid_to_ms > now);
    if (w->in->functional && !row->valid_from_ms)
        return other->valid_to_ms == row->valid_to_ms;
    return other->valid_from_ms == row->valid_from_ms && other->valid_to_ms == row->valid_to_ms;
}

/* The same statement that is believed already: same->fid 0: there is none. */
static memo_status facts_find_same(facts_work *w, memo_fact_row *same, memo_err *err)
{
    const memo_fact_row *row = &w->row;
    memo_fact_page page = {.more = 1};
    memo_status status = MEMO_OK;

    same->fid = 0;
    while (page.more && status == MEMO_OK) {
        status = facts_list_beside(w, row->object, row->object ? NULL : row->value, &page, err);
        for (size_t i = 0; i < page.n && status == MEMO_OK; i++)
            if (page.rows[i].object == row->object && facts_same_time(w, &page.rows[i]))
                *same = page.rows[i];
    }
    return status;
}

static memo_status facts_write(facts_work *w, memo_err *err)
{
    memo_fact_row same = {0};
    int added = 0, changed = 0;
    memo_status status = facts_find_same(w, &same, err);

    if (status)
        return status;
    w->result.outcome = same.fid ? MEMO_OUTCOME_UNCHANGED : MEMO_OUTCOME_NEW;
    if (!same.fid && w->in->functional)
        status = facts_make_room(w, err);
    if (!same.fid && status == MEMO_OK) {
        status = memo_store_put_fact(w->db->store, &w->row, w->arena, err);
    } else if (same.fid && w->in->confidence > 0 && w->in->confidence != same.confidence) {
        w->row.valid_from_ms = same.valid_from_ms;
        w->row.valid_to_ms = same.valid_to_ms;
        status = facts_supersede(w, &same, &w->row, "its confidence has changed", err);
        changed = 1;
    } else if (same.fid) {
        w->row = same;
    }
    for (size_t i = 0; i < w->n_evidence && status == MEMO_OK; i++) {
        w->evidence[i].fid = w->row.fid;
        status = memo_store_put_evidence(w->db->store, &w->evidence[i], &added, err);
        changed |= added;
    }
    if (status)
        return status;
    if (same.fid && changed)
        w->result.outcome = MEMO_OUTCOME_CHANGED;
    /* New evidence is a change of the fact. */
    if (same.fid == w->row.fid && changed)
        status = memo_store_put_fact(w->db->store, &w->row, w->arena, err);
    memcpy(w->result.id, w->row.id, MEMO_ID_BYTES);
    return status;
}

static memo_status facts_add(facts_work *w, memo_err *err)
{
    memo_status status = facts_make_row(w, err);

    if (status == MEMO_OK)
        status = facts_read_evidence(w, err);
    return status ? status : facts_write(w, err);
}

memo_status memo_db_fact_add(memo_db *db, const char *ns, const memo_fact_in *fact,
                             memo_fact_result *result, memo_err *err)
{
    memo_fact_in in;
    memo_arena arena = {0};
    facts_work w = {.db = db, .in = &in, .arena = &arena};
    memo_status status = memo_options_copy(&in, sizeof in, fact, "memo_fact_in", err);

    if (status == MEMO_OK)
        status = memo_db_check_call(db, fact, "memo_db_fact_add", err);
    if (status == MEMO_OK)
        status = memo_result_check(result, "memo_fact_result", err);
    if (status == MEMO_OK)
        status = facts_check(&in, err);
    if (status == MEMO_OK)
        status = memo_facts_begin(db, ns, 1, &w.row.ns, err);
    if (status)
        return status;
    status = memo_facts_end(db, facts_add(&w, err), err);
    memo_arena_fini(&arena);
    if (status == MEMO_OK)
        memo_result_write(result, &w.result, sizeof w.result);
    return status;
}

/* ---- retract and replace ------------------------------------------------------------------- */

static memo_status facts_find(memo_db *db, int64_t ns, const char *id, memo_arena *arena,
                              memo_fact_row *row, memo_err *err)
{
    memo_store_damage damage = {.arena = arena};
    const memo_fact_scope scope = {.ns = ns, .id = id, .retracted = 1};
    memo_fact_page page = {.arena = arena, .damage = &damage, .limit = 1};
    memo_status status = memo_store_list_facts(db->store, &scope, &page, err);

    if (status == MEMO_OK && page.n == 0 && damage.n) {
        memo_fail(err, MEMO_ERR_CORRUPT, "fact %s: its checksum does not match", id);
        return memo_hint(err, MEMO_ERR_CORRUPT, "memolith doctor --repair");
    }
    if (status == MEMO_OK && page.n == 0)
        status = memo_fail(err, MEMO_ERR_NOTFOUND, "no fact \"%s\"", id);
    if (status == MEMO_OK)
        *row = page.rows[0];
    return status;
}

static memo_status facts_check_reason(const char *reason, memo_err *err)
{
    return reason && *reason ? memo_facts_check_text("reason", reason, FACTS_REASON_BYTES, err)
                             : MEMO_OK;
}

memo_status memo_db_fact_retract(memo_db *db, const char *ns, const char *id, const char *reason,
                                 memo_outcome *outcome, memo_err *err)
{
    memo_arena arena = {0};
    facts_work w = {.db = db, .arena = &arena};
    memo_status status = memo_db_check_call(db, id, "memo_db_fact_retract", err);
    int changed = 0;

    if (status == MEMO_OK)
        status = memo_db_check_id(id, "memo_db_fact_retract", err);
    if (status == MEMO_OK)
        status = facts_check_reason(reason, err);
    if (status == MEMO_OK)
        status = memo_facts_begin(db, ns, 0, &w.row.ns, err);
    if (status)
        return status;
    status = facts_find(db, w.row.ns, id, &arena, &w.row, err);
    changed = status == MEMO_OK && !w.row.retracted_ms;
    if (changed)
        status = facts_retract_row(&w, &w.row, reason ? reason : "", err);
    status = memo_facts_end(db, status, err);
    memo_arena_fini(&arena);
    if (status == MEMO_OK && outcome)
        *outcome = changed ? MEMO_OUTCOME_CHANGED : MEMO_OUTCOME_UNCHANGED;
    return status;
}

/* The id of an entity by its number, in the arena. */
static memo_status facts_entity_id(facts_work *w, int64_t eid, const char **id, memo_err *err)
{
    memo_store_damage damage = {.arena = w->arena};
    const memo_entity_scope scope = {.ns = w->row.ns, .eid = eid};
    memo_entity_page page = {.arena = w->arena, .damage = &damage, .limit = 1};
    memo_status status = memo_store_list_entities(w->db->store, &scope, &page, err);

    if (status == MEMO_OK && page.n == 0)
        return memo_fail(err, MEMO_ERR_CORRUPT, "an entity of the fact cannot be read");
    if (status == MEMO_OK)
        *id = page.rows[0].id;
    return status;
}

/* What the new one leaves open is taken from the old one. */
static memo_status facts_inherit(facts_work *w, const memo_fact_row *old, memo_fact_in *in,
                                 memo_err *err)
{
    memo_status status = MEMO_OK;

    if (!in->subject)
        status = facts_entity_id(w, old->subject, &in->subject, err);
    if (!in->relation)
        in->relation = old->relation;
    if (!in->object && !in->value && old->object)
        status = status ? status : facts_entity_id(w, old->object, &in->object, err);
    else if (!in->object && !in->value)
        in->value = old->value;
    if (!in->valid_from_ms && !in->clear_from)
        in->valid_from_ms = old->valid_from_ms;
    if (!in->valid_to_ms && !in->clear_to)
        in->valid_to_ms = old->valid_to_ms;
    if (in->confidence == 0)
        in->confidence = old->confidence;
    return status;
}

/* Evidence as it is given, or that of the old one. */
static memo_status facts_add_for(facts_work *w, int64_t old, memo_err *err)
{
    memo_store_damage damage = {.arena = w->arena};
    memo_status status = facts_make_row(w, err);

    if (status == MEMO_OK && w->in->n_evidence)
        status = facts_read_evidence(w, err);
    else if (status == MEMO_OK)
        status = memo_store_list_evidence(w->db->store, old, w->arena, &damage, &w->evidence,
                                          &w->n_evidence, err);
    return status ? status : facts_write(w, err);
}

/* Retract the old one and add the other. */
static memo_status facts_replace(facts_work *w, const char *id, memo_fact_in *in,
                                 const char *reason, memo_err *err)
{
    memo_fact_row old = {0};
    memo_status status = facts_find(w->db, w->row.ns, id, w->arena, &old, err);

    if (status == MEMO_OK && old.retracted_ms)
        status = memo_fail(err, MEMO_ERR_VALUE, "fact %s is retracted already", id);
    if (status == MEMO_OK)
        status = facts_inherit(w, &old, in, err);
    if (status == MEMO_OK)
        status = facts_check(in, err);
    if (status == MEMO_OK)
        status = facts_retract_row(w, &old, reason ? reason : "", err);
    return status ? status : facts_add_for(w, old.fid, err);
}

memo_status memo_db_fact_replace(memo_db *db, const char *ns, const char *id,
                                 const memo_fact_in *fact, const char *reason,
                                 memo_fact_result *result, memo_err *err)
{
    memo_fact_in in;
    memo_arena arena = {0};
    facts_work w = {.db = db, .in = &in, .arena = &arena};
    memo_status status = memo_options_copy(&in, sizeof in, fact, "memo_fact_in", err);

    if (status == MEMO_OK)
        status = memo_db_check_call(db, fact, "memo_db_fact_replace", err);
    if (status == MEMO_OK)
        status = memo_result_check(result, "memo_fact_result", err);
    if (status == MEMO_OK)
        status = memo_db_check_id(id, "memo_db_fact_replace", err);
    if (status == MEMO_OK)
        status = facts_check_reason(reason, err);
    if (status == MEMO_OK)
        status = memo_facts_begin(db, ns, 0, &w.row.ns, err);
    if (status)
        return status;
    status = memo_facts_end(db, facts_replace(&w, id, &in, reason, err), err);
    memo_arena_fini(&arena);
    if (status == MEMO_OK)
        memo_result_write(result, &w.result, sizeof w.result);
    return status;
}
