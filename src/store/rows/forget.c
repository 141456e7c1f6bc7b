// SPDX-License-Identifier: Apache-2.0
/* Taking records away: chunks alone when a record changes, or all of it, with a tombstone. */
#include <string.h>

#include <memolith/feedback.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/grow.h"
#include "store/events/event_rows.h"
#include "store/repair/repair.h"
#include "store/rows/fulltext.h"
#include "store/rows/rows.h"
#include "store/rows/vectors.h"
#include "store/store_inner.h"

/* ---- finding ------------------------------------------------------------------------------- */

/* The row of a SELECT of MEMO_ROW_COLUMNS, if there is one; its texts are in the arena. */
static memo_status forget_take_row(memo_stmt *st, memo_arena *arena, memo_row *row, memo_err *err)
{
    int more;
    memo_status status = memo_stmt_step(st, &more, err);
    if (!status && more) {
        memo_row_read(st, row);
        if (!memo_row_copy(arena, row))
            status = memo_fail_nomem(err, "a record", row->text.n_bytes);
    }
    memo_stmt_done(st);
    return status;
}

memo_status memo_row_find_id(memo_sql *sql, int64_t ns, const char *id, memo_arena *arena,
                             memo_row *row, memo_err *err)
{
    memo_stmt st = memo_stmt_keep(
        sql, "SELECT " MEMO_ROW_COLUMNS " FROM records WHERE ns = ? AND id = ?", "read a record");
    memset(row, 0, sizeof *row);
    memo_stmt_int(&st, ns);
    memo_stmt_str(&st, id);
    return forget_take_row(&st, arena, row, err);
}

memo_status memo_row_find_key(memo_sql *sql, int64_t ns, const char *key, memo_arena *arena,
                              memo_row *row, memo_err *err)
{
    memo_stmt st = memo_stmt_keep(
        sql, "SELECT " MEMO_ROW_COLUMNS " FROM records WHERE ns = ? AND key = ?", "read a record");
    memset(row, 0, sizeof *row);
    memo_stmt_int(&st, ns);
    memo_stmt_str(&st, key);
    return forget_take_row(&st, arena, row, err);
}

memo_status memo_row_find(memo_sql *sql, int64_t ns, const char *id_or_key, memo_arena *arena,
                          memo_row *row, memo_err *err)
{
    memo_status status = memo_row_find_id(sql, ns, id_or_key, arena, row, err);
    return status || row->rid ? status : memo_row_find_key(sql, ns, id_or_key, arena, row, err);
}

/* ---- taking away --------------------------------------------------------------------------- */

static memo_status forget_delete_by(memo_store *store, const char *constant, int64_t rid,
                                    memo_err *err)
{
    memo_stmt st = memo_stmt_keep(&store->sql, constant, "remove a record");
    memo_stmt_int(&st, rid);
    return memo_stmt_run(&st, err);
}

/* Chunks, vectors and full-text rows of a record. When the words of a row are not known for sure
 * the whole index is made anew at the commit. */
memo_status memo_row_delete_chunks(memo_store *store, const memo_row *row, memo_err *err)
{
    int more, good = memo_row_good(row);
    memo_status status;
    memo_stmt st = memo_stmt_keep(
        &store->sql, "SELECT " MEMO_CHUNK_COLUMNS " FROM chunks WHERE rid = ?", "read its chunks");
    memo_stmt_int(&st, row->rid);
    while (!(status = memo_stmt_step(&st, &more, err)) && more) {
        memo_chunk_row chunk;
        memo_chunk_read(&st, &chunk);
        if (good && memo_chunk_good(&chunk, row))
            status = memo_fulltext_delete(store, &chunk, row, err);
        else
            store->rebuild_derived = 1;
        if (status)
            break;
    }
    memo_stmt_done(&st);
    if (!status)
        status = memo_vectors_delete(store, row->rid, err);
    if (!status)
        status = forget_delete_by(store, "DELETE FROM chunks WHERE rid = ?", row->rid, err);
    return status;
}

memo_status memo_row_forget(memo_store *store, const memo_row *row, int shred, memo_err *err)
{
    memo_status status = memo_row_delete_chunks(store, row, err);
    if (!status)
        status = forget_delete_by(store, "DELETE FROM versions WHERE rid = ?", row->rid, err);
    if (!status)
        status = forget_delete_by(store, "DELETE FROM records WHERE rid = ?", row->rid, err);
    if (!status)
        status = memo_row_underive(&store->sql, row, err);
    if (!status)
        status = memo_related_forget(store, row, shred, err);
    return status
               ? status
               : memo_tombstone_put(&store->sql, row, ++store->seq, memo_now_ms(store->ctx), err);
}

memo_status memo_store_forget(memo_store *store, int64_t ns, const char *id, int *found,
                              memo_err *err)
{
    memo_arena arena = {0};
    memo_row row;
    memo_status status = memo_store_check_write(store, err);
    if (status)
        return status;
    status = memo_row_find(&store->sql, ns, id, &arena, &row, err);
    if (!status && row.rid)
        status = memo_actions_release(store, row.rid, err);
    if (!status && row.rid)
        status = memo_row_forget(store, &row, 0, err);
    if (!status)
        *found = row.rid != 0;
    if (!status) /* what is there of it in quarantine is its text as well */
        status = memo_quarantine_forget(&store->sql, row.rid ? row.id.bytes : id, found, err);
    memo_arena_fini(&arena);
    return status;
}

/* What an action has hidden (feedback/actions.c) and could show again is not expired, unless it would
 * be by now without the action, too. */
static void forget_spare_hidden_sql(memo_buf *text)
{
    static const struct {
        const char *column;
        int kind;
    } hiding[] = {{"rid", MEMO_ACTION_DELETE}, {"other", MEMO_ACTION_MERGE}};
    for (size_t i = 0; i < 2; i++)
        memo_buf_printf(text,
                        " AND (r.rid, r.version) NOT IN (SELECT %s, version FROM actions"
                        " WHERE kind = %d AND %s IS NOT NULL AND undone_ms = 0"
                        " AND (before_ms = 0 OR before_ms > ?3))",
                        hiding[i].column, hiding[i].kind, hiding[i].column);
}

/* Those that pass the filter are found once, before the first goes: in order of row id. */
static void forget_sweep_sql(memo_buf *text, const memo_store_sweep *sweep,
                             const memo_store_scope *scope)
{
    memo_buf_puts(text, "SELECT r.rid FROM records r WHERE r.rid IN (");
    memo_scope_rids_sql(text, scope, 0);
    memo_buf_puts(text, ")");
    memo_buf_puts(text, sweep->pinned ? "" : " AND r.pinned = 0");
    if (sweep->expired_ms) {
        memo_buf_puts(text, " AND r.expires_ms > 0 AND r.expires_ms <= ?3");
        forget_spare_hidden_sql(text);
    }
    memo_buf_puts(text, " ORDER BY r.rid");
}

typedef struct forget_list {
    size_t n, cap;
    int64_t *rids; /* [n] */
} forget_list;

static memo_status forget_list_add(forget_list *list, int64_t rid, memo_err *err)
{
    int64_t *grown = memo_grow(list->rids, list->n, &list->cap, sizeof *grown);
    if (!grown)
        return memo_fail_nomem(err, "what to forget", (list->n + 1) * sizeof *grown);
    list->rids = grown;
    list->rids[list->n++] = rid;
    return MEMO_OK;
}

static memo_status forget_find_matches(memo_store *store, const memo_store_sweep *sweep,
                                       forget_list *list, memo_err *err)
{
    memo_store_scope scope = {.ns = sweep->ns, .filter = sweep->filter};
    memo_buf text = {0};
    memo_status status;
    int more;
    memo_stmt st;
    forget_sweep_sql(&text, sweep, &scope);
    st = memo_stmt_built(&store->sql, &text, "find what to forget");
    memo_scope_bind(&st, &scope);
    st.next = 3;
    if (sweep->expired_ms)
        memo_stmt_int(&st, sweep->expired_ms);
    while (!(status = memo_stmt_step(&st, &more, err)) && more) {
        status = forget_list_add(list, memo_stmt_col_int(&st, 0), err);
        if (status)
            break;
    }
    memo_stmt_done(&st);
    memo_buf_fini(&text);
    return status;
}

static memo_status forget_find_rid(memo_store *store, int64_t rid, memo_arena *arena, memo_row *row,
                                   memo_err *err)
{
    memo_stmt st =
        memo_stmt_keep(&store->sql, "SELECT " MEMO_ROW_COLUMNS " FROM records WHERE rid = ?",
                       "find what to forget");
    memset(row, 0, sizeof *row);
    memo_stmt_int(&st, rid);
    return forget_take_row(&st, arena, row, err);
}

/* Whether a damaged row really passes the filter cannot be known; a table of tags that is not right may
 * have led to a row of another namespace. */
static memo_status forget_fail_unproven(const memo_row *row, memo_err *err)
{
    memo_fail(err, MEMO_ERR_CORRUPT,
              "record %s passes the filter, but its checksum or its namespace does not match; "
              "nothing was "
              "forgotten",
              row->id.bytes ? row->id.bytes : "?");
    return memo_hint(err, MEMO_ERR_CORRUPT,
                     "memolith doctor --repair takes it out of service; memolith forget ID deletes "
                     "it");
}

memo_status memo_store_forget_where(memo_store *store, const memo_store_sweep *sweep,
                                    uint64_t *n_forgotten, memo_err *err)
{
    forget_list list = {0};
    memo_status status = memo_store_check_write(store, err);
    if (status)
        return status;
    if (!sweep->filter && !sweep->expired_ms)
        return memo_fail(err, MEMO_ERR_USAGE, "forgetting everything needs a filter that says so");
    status = forget_find_matches(store, sweep, &list, err);
    for (size_t i = 0; i < list.n && !status; i++) {
        memo_arena arena = {0};
        memo_row row;
        status = forget_find_rid(store, list.rids[i], &arena, &row, err);
        if (!status && (!memo_row_good(&row) || row.ns != sweep->ns))
            status = forget_fail_unproven(&row, err);
        if (!status)
            status = memo_actions_release(store, row.rid, err);
        if (!status)
            status = memo_row_forget(store, &row, 0, err);
        memo_arena_fini(&arena);
    }
    if (!status)
        *n_forgotten = list.n;
    memo_free(list.rids);
    return status;
}
