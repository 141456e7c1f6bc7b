// SPDX-License-Identifier: Apache-2.0
/* What somebody did with a result, and how it is taken back.
 *
 * Hiding a record is a new version of it that has expired; its text, chunks and vectors stay, so that
 * undoing it brings back all there was. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/utf8.h"
#include "memory/feedback/search_log.h"
#include "store/events/event_rows.h"
#include "store/facts/fact_rows.h"

#define ACTIONS_ACTOR_BYTES  128
#define ACTIONS_DETAIL_BYTES 4096
#define ACTIONS_LIST         100
#define ACTIONS_MAX_LIST     1000

/* Results with the arena that holds them. */
typedef struct actions_owner {
    memo_actions actions; /* first: this is what the caller sees */
    memo_arena arena;
} actions_owner;

static const struct {
    const char *name;
    int on_two;
} action_kinds[] = {
#define ACTIONS_KIND(id, name, pair) {name, pair},
    MEMO_ACTION_MAP(ACTIONS_KIND)
#undef ACTIONS_KIND
};

const char *memo_action_name(memo_action_kind kind)
{
    return (unsigned)kind < MEMO_N_ACTIONS ? action_kinds[kind].name : "unknown";
}

void memo_actions_free(memo_actions *actions)
{
    actions_owner *owner = (actions_owner *)actions;

    if (!owner)
        return;
    memo_arena_fini(&owner->arena);
    memo_free(owner);
}

/* ---- checking ------------------------------------------------------------------------------ */

static memo_status actions_check_text(const char *what, const char *text, size_t max, memo_err *err)
{
    size_t n = text ? strlen(text) : 0;

    if (n > max)
        return memo_fail(err, MEMO_ERR_LIMIT, "the %s has %zu bytes; at most %zu are allowed", what,
                         n, max);
    if (n && memo_utf8_check(text, n) < n)
        return memo_fail(err, MEMO_ERR_VALUE, "the %s is not UTF-8", what);
    return MEMO_OK;
}

static memo_status actions_check(const memo_action_in *in, memo_err *err)
{
    int on_two = (unsigned)in->kind < MEMO_N_ACTIONS && action_kinds[in->kind].on_two;
    memo_status status;

    if ((unsigned)in->kind >= MEMO_N_ACTIONS)
        return memo_fail(err, MEMO_ERR_VALUE, "unknown action %d", (int)in->kind);
    if (!on_two != !in->other)
        return memo_fail(err, MEMO_ERR_VALUE, "%s is done with %s", memo_action_name(in->kind),
                         on_two ? "two records: the other one is missing"
                                : "one record: there is no other");
    status = memo_db_check_id(in->id, "memo_db_feedback", err);
    if (status == MEMO_OK && in->other)
        status = memo_db_check_id(in->other, "memo_db_feedback", err);
    if (status == MEMO_OK && in->search_id)
        status = memo_db_check_id(in->search_id, "memo_db_feedback", err);
    if (status == MEMO_OK)
        status = actions_check_text("actor", in->actor, ACTIONS_ACTOR_BYTES, err);
    return status ? status : actions_check_text("detail", in->detail, ACTIONS_DETAIL_BYTES, err);
}

/* ---- hiding -------------------------------------------------------------------------------- */

/* What takes the place of another must be seen itself: merges that go round would hide all. And what is
 * hidden twice could not be shown again, for the first undo makes a version that the second does not
 * know. */
static memo_status actions_check_shown(memo_db *db, const memo_record *record, int64_t rid,
                                       int stays, const memo_action_row *row, memo_arena *arena,
                                       memo_err *err)
{
    const char *name = memo_action_name((memo_action_kind)row->kind), *by = NULL;
    memo_status status;

    if (record->pinned || !record->expires_ms || record->expires_ms > row->at_ms)
        return MEMO_OK;
    status = memo_store_find_hiding(db->store, rid, (int64_t)record->version, arena, &by, err);
    if (status || (!by && !stays))
        return status;
    if (by) {
        memo_fail(err, MEMO_ERR_VALUE, "%s: record %s is hidden already, by action %s", name,
                  record->id, by);
        return memo_hint(err, MEMO_ERR_VALUE, "take that back first: memolith feedback --undo %s",
                         by);
    }
    memo_fail(err, MEMO_ERR_VALUE,
              "%s: record %s has expired: the other would be hidden and this one not shown", name,
              record->id);
    return memo_hint(err, MEMO_ERR_VALUE,
                     "memolith edit %s --expires never   or merge the other way round", record->id);
}

static memo_status actions_hide(memo_db *db, int64_t ns, const memo_record *record,
                                memo_arena *arena, memo_action_row *row, memo_err *err)
{
    int64_t rid = row->kind == MEMO_ACTION_MERGE ? row->other : row->rid;
    memo_status status = actions_check_shown(db, record, rid, 0, row, arena, err);

    if (status)
        return status;
    if (record->pinned) {
        memo_fail(err, MEMO_ERR_VALUE, "record %s is pinned: it does not expire and is not hidden",
                  record->id);
        return memo_hint(err, MEMO_ERR_VALUE, "unpin it first: memolith edit %s --pin no",
                         record->id);
    }
    row->before_ms = record->expires_ms;
    return memo_store_set_expiry(db->store, ns, record, row->at_ms, &row->version, err);
}

/* ---- do ------------------------------------------------------------------------------------ */

/* The row id of the record; its fields when `record` is not NULL. */
static memo_status actions_find_record(memo_db *db, int64_t ns, const char *id, memo_arena *arena,
                                       int64_t *rid, memo_record *record, memo_err *err)
{
    memo_evidence_text text = {0};
    memo_status status = memo_store_find_evidence_text(db->store, ns, id, arena, rid, &text, err);

    return status ? status : memo_store_get(db->store, ns, text.id, arena, record, err);
}

/* The number of a search that is kept, else MEMO_ERR_NOTFOUND; an id of NULL leaves it as it is. */
static memo_status actions_find_search(memo_db *db, int64_t ns, const char *id, int64_t *sid,
                                       memo_err *err)
{
    memo_status status = id ? memo_store_find_search(db->store, ns, id, sid, err) : MEMO_OK;

    if (status == MEMO_OK && id && !*sid) {
        memo_fail(err, MEMO_ERR_NOTFOUND, "no search \"%s\" is kept", id);
        return memo_hint(err, MEMO_ERR_NOTFOUND,
                         "searches are kept by handles that may write; leave it out to record the "
                         "action alone");
    }
    return status;
}

static memo_status actions_do(memo_db *db, const memo_action_in *in, memo_arena *arena,
                              memo_action_row *row, memo_err *err)
{
    memo_store_ns ns = {0};
    memo_record record = {0}, other = {0};
    memo_status status = memo_search_log_write(db, err);

    if (status == MEMO_OK)
        status = memo_store_find_ns(db->store, memo_db_ns_name(in->ns), &ns, err);
    row->ns = ns.id;
    if (status == MEMO_OK)
        status = actions_find_search(db, ns.id, in->search_id, &row->sid, err);
    if (status == MEMO_OK)
        status = actions_find_record(db, ns.id, in->id, arena, &row->rid, &record, err);
    if (status == MEMO_OK && in->other)
        status = actions_find_record(db, ns.id, in->other, arena, &row->other, &other, err);
    if (status == MEMO_OK && in->other && row->other == row->rid)
        status = memo_fail(err, MEMO_ERR_VALUE, "%s: \"%s\" and \"%s\" are the same record",
                           memo_action_name(in->kind), in->id, in->other);
    row->version = (int64_t)record.version;
    if (status == MEMO_OK && in->kind == MEMO_ACTION_DELETE)
        status = actions_hide(db, ns.id, &record, arena, row, err);
    if (status == MEMO_OK && in->kind == MEMO_ACTION_MERGE)
        status = actions_check_shown(db, &record, row->rid, 1, row, arena, err);
    if (status == MEMO_OK && in->kind == MEMO_ACTION_MERGE)
        status = actions_hide(db, ns.id, &other, arena, row, err);
    return status ? status : memo_store_put_action(db->store, row, arena, err);
}

memo_status memo_db_feedback(memo_db *db, const memo_action_in *feedback,
                             char action_id[MEMO_ID_BYTES], memo_err *err)
{
    memo_action_in in;
    memo_arena arena = {0};
    memo_action_row row;
    memo_status status = memo_options_copy(&in, sizeof in, feedback, "memo_action_in", err);

    if (status == MEMO_OK)
        status = memo_db_check_call(db, feedback, "memo_db_feedback", err);
    if (status == MEMO_OK)
        status = actions_check(&in, err);
    if (status == MEMO_OK)
        status = memo_store_begin_write(db->store, err);
    if (status)
        return status;
    row = (memo_action_row){.kind = (int64_t)in.kind,
                            .at_ms = memo_now_ms(db->ctx),
                            .actor = in.actor ? in.actor : "",
                            .detail = in.detail ? in.detail : ""};
    status = memo_search_log_end(db, actions_do(db, &in, &arena, &row, err), err);
    if (status == MEMO_OK && action_id)
        memcpy(action_id, row.id, MEMO_ID_BYTES);
    memo_arena_fini(&arena);
    return status;
}

/* ---- undo ---------------------------------------------------------------------------------- */

static memo_status actions_find(memo_db *db, const char *id, memo_arena *arena,
                                memo_action_row *row, memo_err *err)
{
    memo_store_damage damage = {.arena = arena};
    const memo_action_scope scope = {.id = id};
    memo_action_page page = {.arena = arena, .damage = &damage, .limit = 1};
    memo_status status = memo_store_list_actions(db->store, &scope, &page, err);

    if (status == MEMO_OK && page.n == 0 && damage.n) {
        memo_fail(err, MEMO_ERR_CORRUPT, "action %s: its checksum does not match", id);
        return memo_hint(err, MEMO_ERR_CORRUPT, "memolith doctor --repair");
    }
    if (status == MEMO_OK && page.n == 0)
        status = memo_fail(err, MEMO_ERR_NOTFOUND,
                           "no action \"%s\": actions on a record that was forgotten are gone with "
                           "it, and so is its text",
                           id);
    if (status == MEMO_OK && page.rows[0].undone_ms)
        status = memo_fail(err, MEMO_ERR_VALUE, "action %s is undone already", id);
    if (status == MEMO_OK)
        *row = page.rows[0];
    return status;
}

static memo_status actions_check_version(const memo_action_row *row, uint64_t version,
                                         const char *id, memo_err *err)
{
    if (version == (uint64_t)row->version)
        return MEMO_OK;
    memo_fail(err, MEMO_ERR_VALUE,
              "record %s was changed since: it has version %llu, the action left version %lld", id,
              (unsigned long long)version, (long long)row->version);
    return memo_hint(err, MEMO_ERR_VALUE,
                     "memolith history %s   and   memolith restore %s "
                     "--version N",
                     id, id);
}

/* Show again what delete and merge have hidden. */
static memo_status actions_unhide(memo_db *db, const memo_action_row *row, memo_arena *arena,
                                  memo_err *err)
{
    const char *id = row->kind == MEMO_ACTION_DELETE ? row->record_id : row->other_id;
    memo_record record = {0};
    int64_t version = 0;
    memo_status status = memo_store_get(db->store, row->ns, id, arena, &record, err);

    if (status == MEMO_OK)
        status = actions_check_version(row, record.version, id, err);
    return status
               ? status
               : memo_store_set_expiry(db->store, row->ns, &record, row->before_ms, &version, err);
}

/* An action that is being undone, in a transaction. */
typedef struct actions_undoing {
    memo_db *db;
    const char *id;
    memo_arena *arena;
    int marked;
} actions_undoing;

/* Say so, unless another process was faster. */
static memo_status actions_mark_undone(void *user, memo_err *err)
{
    actions_undoing *u = user;
    memo_action_row row = {0};
    memo_status status = actions_find(u->db, u->id, u->arena, &row, err);

    if (status == MEMO_OK && (row.kind == MEMO_ACTION_DELETE || row.kind == MEMO_ACTION_MERGE))
        status = actions_unhide(u->db, &row, u->arena, err);
    row.undone_ms = memo_now_ms(u->db->ctx);
    if (status == MEMO_OK)
        status = memo_store_put_action(u->db->store, &row, u->arena, err);
    u->marked = status == MEMO_OK;
    return status;
}

/* The record as it was before the version that the edit left: a change of its own, for which its
 * text may have to be embedded; the action is marked with it. */
static memo_status actions_unedit(actions_undoing *u, const memo_action_row *row, memo_err *err)
{
    memo_record record = {0};
    const memo_ingest_also also = {actions_mark_undone, u};
    memo_status status =
        memo_store_get(u->db->store, row->ns, row->record_id, u->arena, &record, err);

    if (status == MEMO_OK)
        status = actions_check_version(row, record.version, record.id, err);
    if (status == MEMO_OK && row->version < 2)
        status =
            memo_fail(err, MEMO_ERR_VALUE, "record %s had no version before the edit", record.id);
    return status ? status
                  : memo_db_restore_also(u->db, record.ns, record.id, (uint64_t)row->version, &also,
                                         err);
}

static memo_status actions_undo(actions_undoing *u, memo_err *err)
{
    memo_action_row row = {0};
    memo_status status = actions_find(u->db, u->id, u->arena, &row, err);

    if (status == MEMO_OK && row.kind == MEMO_ACTION_EDIT)
        status = actions_unedit(u, &row, err);
    if (status || u->marked) /* not when the record had nothing to be changed */
        return status;
    status = memo_store_begin_write(u->db->store, err);
    if (status)
        return status;
    status = memo_search_log_write(u->db, err);
    if (status == MEMO_OK)
        status = actions_mark_undone(u, err);
    return memo_search_log_end(u->db, status, err);
}

memo_status memo_db_undo(memo_db *db, const char *action_id, memo_err *err)
{
    memo_arena arena = {0};
    actions_undoing undoing = {.db = db, .id = action_id, .arena = &arena};
    memo_status status = memo_db_check_call(db, action_id, "memo_db_undo", err);

    if (status == MEMO_OK)
        status = memo_db_check_id(action_id, "memo_db_undo", err);
    if (status == MEMO_OK)
        status = actions_undo(&undoing, err);
    memo_arena_fini(&arena);
    return status;
}

/* ---- list ---------------------------------------------------------------------------------- */

static memo_status actions_publish(const memo_action_page *page, const char *ns,
                                   actions_owner *owner, memo_err *err)
{
    memo_action *actions = memo_arena_array(&owner->arena, page->n + 1, sizeof *actions);
    memo_actions *out = &owner->actions;

    if (!actions)
        return memo_fail_nomem(err, "actions", page->n * sizeof *actions);
    for (size_t i = 0; i < page->n; i++) {
        const memo_action_row *row = &page->rows[i];
        actions[i] = (memo_action){.id = row->id,
                                   .ns = ns,
                                   .search_id = row->search_id,
                                   .kind = (memo_action_kind)row->kind,
                                   .record = row->record_id,
                                   .other = row->other_id,
                                   .version = (uint64_t)row->version,
                                   .at_ms = row->at_ms,
                                   .undone_ms = row->undone_ms,
                                   .actor = row->actor,
                                   .detail = row->detail};
    }
    out->actions = actions;
    out->n = page->n;
    if (page->more)
        return memo_db_put_cursor(&owner->arena, page->rows[page->n - 1].aid, &out->next, err);
    return MEMO_OK;
}

memo_status memo_event_find(memo_db *db, const memo_event_query *query, memo_event_scope *scope,
                            memo_err *err)
{
    memo_arena arena = {0};
    memo_evidence_text text;
    memo_status status;

    *scope = (memo_event_scope){0};
    status = memo_db_read_cursor(query->after, &scope->before, err);
    if (status == MEMO_OK)
        status = memo_db_find_ns(db, query->ns, &scope->ns, err);
    if (status == MEMO_OK && query->search_id)
        status = memo_db_check_id(query->search_id, query->call, err);
    if (status == MEMO_OK)
        status = actions_find_search(db, scope->ns, query->search_id, &scope->sid, err);
    if (status == MEMO_OK && query->id)
        status = memo_db_check_id(query->id, query->call, err);
    if (status == MEMO_OK && query->id)
        status = memo_store_find_evidence_text(db->store, scope->ns, query->id, &arena, &scope->rid,
                                               &text, err);
    memo_arena_fini(&arena);
    return status;
}

static memo_status actions_list(memo_db *db, const memo_action_scope *scope, const char *ns_name,
                                size_t limit, actions_owner *owner, memo_err *err)
{
    memo_arena *arena = &owner->arena;
    memo_actions *out = &owner->actions;
    memo_store_damage damage = {.arena = arena};
    memo_action_page page = {.arena = arena, .damage = &damage, .limit = limit};
    const char *ns = memo_arena_strdup(arena, memo_db_ns_name(ns_name));
    memo_status status = ns ? MEMO_OK : memo_fail_nomem(err, "a namespace", 0);

    if (status == MEMO_OK)
        status = memo_store_list_actions(db->store, scope, &page, err);
    if (status == MEMO_OK)
        status = actions_publish(&page, ns, owner, err);
    return status ? status
                  : memo_db_name_damage(&damage, arena, &out->n_damaged, &out->damaged,
                                        &out->n_damaged_ids, err);
}

memo_status memo_actions_of_search(memo_db *db, const char *ns_name, int64_t ns, int64_t sid,
                                   memo_actions **actions, memo_err *err)
{
    const memo_action_scope scope = {.ns = ns, .sid = sid};
    actions_owner *owner = memo_calloc(1, sizeof *owner);
    memo_status status = owner ? actions_list(db, &scope, ns_name, ACTIONS_MAX_LIST, owner, err)
                               : memo_fail_nomem(err, "actions", sizeof *owner);

    if (status)
        memo_actions_free(owner ? &owner->actions : NULL);
    else
        *actions = &owner->actions;
    return status;
}

memo_status memo_db_actions(memo_db *db, const memo_action_query *query, memo_actions **actions,
                            memo_err *err)
{
    memo_action_query q;
    memo_event_scope found;
    memo_action_scope scope;
    actions_owner *owner;
    memo_status status = memo_options_copy(&q, sizeof q, query, "memo_action_query", err);

    if (status == MEMO_OK)
        status = memo_db_check_call(db, actions, "memo_db_actions", err);
    if (status == MEMO_OK && q.limit > ACTIONS_MAX_LIST)
        status = memo_fail(err, MEMO_ERR_LIMIT, "a list of %zu actions: at most %d a call", q.limit,
                           ACTIONS_MAX_LIST);
    if (status == MEMO_OK)
        status = memo_event_find(
            db, &(memo_event_query){"memo_db_actions", q.ns, q.search_id, q.id, q.after}, &found,
            err);
    if (status)
        return status;
    owner = memo_calloc(1, sizeof *owner);
    if (!owner)
        return memo_fail_nomem(err, "actions", sizeof *owner);
    scope = (memo_action_scope){.ns = found.ns,
                                .before = found.before,
                                .sid = found.sid,
                                .rid = found.rid,
                                .since_ms = q.since_ms,
                                .until_ms = q.until_ms};
    if (scope.ns)
        status = actions_list(db, &scope, q.ns, q.limit ? q.limit : ACTIONS_LIST, owner, err);
    if (status)
        memo_actions_free(&owner->actions);
    else
        *actions = &owner->actions;
    return status;
}
