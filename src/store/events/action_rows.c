// SPDX-License-Identifier: Apache-2.0
#include <memolith/feedback.h>

#include "base/error.h"
#include "store/events/event_rows.h"
#include "store/rows/page.h"

enum { ACTION_AID, ACTION_NS, ACTION_ID, ACTION_SID, ACTION_KIND, ACTION_RID, ACTION_OTHER };
enum { ACTION_VERSION = 7, ACTION_BEFORE, ACTION_AT, ACTION_UNDONE, ACTION_CHECKSUM };
enum { ACTION_ACTOR = 12, ACTION_DETAIL, ACTION_N_COLUMNS };

/* As in memo_table_actions, for constant statements. */
#define ACTION_COLUMNS                                                                             \
    "aid, ns, id, sid, kind, rid, other, version, before_ms, at_ms, undone_ms, checksum, actor,"   \
    " detail"

static void action_scope_sql(memo_buf *sql, const void *user)
{
    const memo_action_scope *scope = user;
    memo_buf_puts(sql, "SELECT ");
    memo_buf_puts(sql, memo_table_actions.columns);
    memo_buf_puts(sql, " FROM actions a WHERE ");
    memo_buf_puts(sql, scope->before ? "a.aid < ?" : "a.aid > ?");
    if (scope->ns)
        memo_buf_puts(sql, " AND a.ns = ?");
    if (scope->sid)
        memo_buf_puts(sql, " AND a.sid = ?");
    if (scope->rid)
        memo_buf_puts(sql, " AND (a.rid = ? OR a.other = ?)");
    if (scope->id)
        memo_buf_puts(sql, " AND a.id = ?");
    if (scope->since_ms)
        memo_buf_puts(sql, " AND a.at_ms >= ?");
    if (scope->until_ms)
        memo_buf_puts(sql, " AND a.at_ms < ?");
    memo_buf_puts(sql, " ORDER BY a.aid DESC LIMIT ?");
}

static void action_scope_bind(memo_stmt *st, const void *user, size_t limit)
{
    const memo_action_scope *scope = user;
    memo_stmt_int(st, scope->before);
    if (scope->ns)
        memo_stmt_int(st, scope->ns);
    if (scope->sid)
        memo_stmt_int(st, scope->sid);
    for (int i = 0; i < 2 && scope->rid; i++)
        memo_stmt_int(st, scope->rid);
    if (scope->id)
        memo_stmt_str(st, scope->id);
    if (scope->since_ms)
        memo_stmt_int(st, scope->since_ms);
    if (scope->until_ms)
        memo_stmt_int(st, scope->until_ms);
    memo_stmt_int(st, (int64_t)limit + 1);
}

memo_status memo_event_record_id(memo_sql *sql, int64_t rid, memo_arena *arena,
                                 memo_store_damage *damage, const char **id, memo_err *err)
{
    memo_row row;
    memo_status status;
    int found = 0;
    memo_stmt st = memo_stmt_keep(sql, "SELECT " MEMO_ROW_COLUMNS " FROM records WHERE rid = ?",
                                  "read a record");
    *id = "";
    memo_stmt_int(&st, rid);
    status = memo_stmt_step(&st, &found, err);
    if (!status && found) {
        memo_row_read(&st, &row);
        if (!memo_row_good(&row) || row.rid != rid)
            memo_damage_add(damage, row.id.bytes ? row.id.bytes : "a record");
        else if (!(*id = memo_arena_strndup(arena, row.id.bytes, row.id.n_bytes)))
            status = memo_fail_nomem(err, "an id", row.id.n_bytes);
    }
    memo_stmt_done(&st);
    return status;
}

/* The id of a search, likewise. */
static memo_status action_search_id(memo_sql *sql, int64_t sid, const memo_page *page,
                                    const char **id, memo_err *err)
{
    memo_cell cells[MEMO_SEARCH_N_COLUMNS];
    memo_status status;
    int found = 0;
    memo_stmt st = memo_stmt_keep(sql, "SELECT " MEMO_SEARCH_COLUMNS " FROM searches WHERE sid = ?",
                                  "read a search");
    *id = "";
    memo_stmt_int(&st, sid);
    status = memo_stmt_step(&st, &found, err);
    if (!status && found) {
        memo_cells_take(&st, cells, MEMO_SEARCH_N_COLUMNS);
        if (!memo_table_good(&memo_table_searches, cells) || cells[MEMO_SEARCH_SID].integer != sid)
            memo_damage_add_row(page->damage, "search", &cells[MEMO_SEARCH_ID],
                                &cells[MEMO_SEARCH_SID]);
        else if (!(*id = memo_cell_strdup(page->arena, &cells[MEMO_SEARCH_ID])))
            status = memo_fail_nomem(err, "an id", cells[MEMO_SEARCH_ID].bytes.n_bytes);
    }
    memo_stmt_done(&st);
    return status;
}

/* A whole row's strings, copied; zero on lack of memory. */
static int action_from_cells(const memo_cell *cells, memo_arena *arena, void *out)
{
    memo_action_row *row = out;
    *row = (memo_action_row){
        .aid = cells[ACTION_AID].integer,
        .ns = cells[ACTION_NS].integer,
        .id = memo_cell_strdup(arena, &cells[ACTION_ID]),
        .sid = cells[ACTION_SID].integer,
        .kind = cells[ACTION_KIND].integer,
        .rid = cells[ACTION_RID].integer,
        .other = cells[ACTION_OTHER].integer,
        .version = cells[ACTION_VERSION].integer,
        .before_ms = cells[ACTION_BEFORE].integer,
        .at_ms = cells[ACTION_AT].integer,
        .undone_ms = cells[ACTION_UNDONE].integer,
        .actor = memo_cell_strdup(arena, &cells[ACTION_ACTOR]),
        .detail = memo_cell_strdup(arena, &cells[ACTION_DETAIL]),
    };
    return row->id && row->actor && row->detail;
}

/* The ids that a row knows by number. */
static memo_status action_read_ids(memo_sql *sql, const memo_page *page, void *out, memo_err *err)
{
    memo_action_row *row = out;
    memo_status status =
        memo_event_record_id(sql, row->rid, page->arena, page->damage, &row->record_id, err);
    if (!status)
        status =
            memo_event_record_id(sql, row->other, page->arena, page->damage, &row->other_id, err);
    return status ? status : action_search_id(sql, row->sid, page, &row->search_id, err);
}

static int action_is_asked(const void *user, const memo_cell *cells)
{
    const memo_action_scope *scope = user;
    return (!scope->ns || cells[ACTION_NS].integer == scope->ns) &&
           (!scope->sid || cells[ACTION_SID].integer == scope->sid) &&
           (!scope->rid || cells[ACTION_RID].integer == scope->rid ||
            cells[ACTION_OTHER].integer == scope->rid) &&
           (!scope->id || memo_cell_is(&cells[ACTION_ID], scope->id));
}

static const memo_page_kind action_pages = {
    .table = &memo_table_actions,
    .doing = "read actions",
    .row_bytes = sizeof(memo_action_row),
    .sql = action_scope_sql,
    .bind = action_scope_bind,
    .is_asked = action_is_asked,
    .take = action_from_cells,
    .complete = action_read_ids,
};

memo_status memo_store_list_actions(memo_store *store, const memo_action_scope *scope,
                                    memo_action_page *page, memo_err *err)
{
    memo_page read = {.arena = page->arena, .damage = page->damage, .limit = page->limit};
    memo_status status = memo_page_read(store, &action_pages, scope, &read, err);
    if (!status) {
        page->n = read.n;
        page->rows = read.rows;
        page->more = read.more;
    }
    return status;
}

static memo_cell action_optional(int64_t id)
{
    return id ? memo_cell_int(id) : memo_cell_str(NULL);
}

memo_status memo_store_put_action(memo_store *store, memo_action_row *row, memo_arena *arena,
                                  memo_err *err)
{
    memo_status status = memo_store_check_write(store, err);
    if (status)
        return status;
    if (!row->aid) {
        char *id = memo_arena_alloc(arena, MEMO_ID_BYTES);
        if (!id)
            return memo_fail_nomem(err, "an id", MEMO_ID_BYTES);
        row->id = id;
        status = memo_ulid_make(store, row->at_ms, id, err);
        if (!status)
            status = memo_store_next_id(&store->sql, "actions", &row->aid, err);
    }
    memo_cell cells[ACTION_N_COLUMNS] = {
        memo_cell_int(row->aid),     memo_cell_int(row->ns),        memo_cell_str(row->id),
        action_optional(row->sid),   memo_cell_int(row->kind),      memo_cell_int(row->rid),
        action_optional(row->other), memo_cell_int(row->version),   memo_cell_int(row->before_ms),
        memo_cell_int(row->at_ms),   memo_cell_int(row->undone_ms), memo_cell_int(0),
        memo_cell_str(row->actor),   memo_cell_str(row->detail)};
    return status ? status : memo_table_put(&store->sql, &memo_table_actions, cells, err);
}

/* ---- what hides ------------------------------------------------------------------------------ */

/* The next whole row; *found 0: there is none. */
static memo_status action_step(memo_stmt *st, memo_arena *arena, memo_action_row *row, int *found,
                               memo_err *err)
{
    memo_cell cells[ACTION_N_COLUMNS];
    memo_status status;
    while (!(status = memo_stmt_step(st, found, err)) && *found) {
        memo_cells_take(st, cells, ACTION_N_COLUMNS);
        if (!memo_table_good(&memo_table_actions, cells))
            continue;
        return action_from_cells(cells, arena, row) ? MEMO_OK
                                                    : memo_fail_nomem(err, "an action", 0);
    }
    return status;
}

memo_status memo_store_find_hiding(memo_store *store, int64_t rid, int64_t version,
                                   memo_arena *arena, const char **action, memo_err *err)
{
    memo_action_row row = {0};
    memo_status status;
    int found = 0;
    memo_stmt st = memo_stmt_keep(&store->sql,
                                  "SELECT " ACTION_COLUMNS " FROM actions WHERE undone_ms = 0"
                                  " AND version = ?1 AND ((kind = ?2 AND rid = ?3)"
                                  " OR (kind = ?4 AND other = ?3)) ORDER BY aid DESC",
                                  "find what hides a record");
    memo_stmt_int(&st, version);
    memo_stmt_int(&st, MEMO_ACTION_DELETE);
    memo_stmt_int(&st, rid);
    memo_stmt_int(&st, MEMO_ACTION_MERGE);
    status = action_step(&st, arena, &row, &found, err);
    memo_stmt_done(&st);
    *action = !status && found ? row.id : NULL;
    return status;
}

memo_status memo_store_set_expiry(memo_store *store, int64_t ns, const memo_record *old,
                                  int64_t expires_ms, int64_t *version, memo_err *err)
{
    memo_store_put put = {.id = old->id,
                          .expect_version = old->version,
                          .text = old->text,
                          .title = old->title,
                          .metadata = old->metadata_json,
                          .tags = old->tags,
                          .n_tags = old->n_tags,
                          .created_ms = old->created_ms,
                          .expires_ms = expires_ms,
                          .source = old->source,
                          .keep_chunks = 1};
    memo_add_result result = {.outcome = MEMO_OUTCOME_UNCHANGED};
    memo_status status = memo_store_get_chunking(store, ns, old->id, &put.chunking,
                                                 &put.chunk_tokens, &put.chunk_overlap, err);
    if (!status)
        status = memo_store_put_record(store, ns, &put, &result, err);
    *version = (int64_t)result.version;
    return status;
}

/* The merge after *aid that stands and has hidden another record in the place of this one. */
static memo_status action_next_merge(memo_store *store, int64_t rid, int64_t aid, memo_arena *arena,
                                     memo_action_row *row, int *found, memo_err *err)
{
    memo_status status;
    memo_stmt st = memo_stmt_keep(&store->sql,
                                  "SELECT " ACTION_COLUMNS " FROM actions WHERE rid = ?"
                                  " AND aid > ? AND kind = ? AND undone_ms = 0 ORDER BY aid",
                                  "find what it took the place of");
    memo_stmt_int(&st, rid);
    memo_stmt_int(&st, aid);
    memo_stmt_int(&st, MEMO_ACTION_MERGE);
    status = action_step(&st, arena, row, found, err);
    memo_stmt_done(&st);
    return status;
}

static memo_status action_show_other(memo_store *store, const memo_action_row *row,
                                     memo_arena *arena, memo_err *err)
{
    memo_store_damage damage = {.arena = arena};
    memo_record record = {0};
    const char *id;
    int64_t version;
    memo_status status = memo_event_record_id(&store->sql, row->other, arena, &damage, &id, err);
    if (status || !*id)
        return status;
    status = memo_store_get(store, row->ns, id, arena, &record, err);
    return status || (int64_t)record.version != row->version
               ? status
               : memo_store_set_expiry(store, row->ns, &record, row->before_ms, &version, err);
}

memo_status memo_actions_release(memo_store *store, int64_t rid, memo_err *err)
{
    memo_action_row row = {0};
    memo_status status = memo_store_check_write(store, err);
    for (int found = 1; !status && found;) {
        memo_arena arena = {0};
        status = action_next_merge(store, rid, row.aid, &arena, &row, &found, err);
        if (!status && found)
            status = action_show_other(store, &row, &arena, err);
        memo_arena_fini(&arena);
    }
    return status;
}
