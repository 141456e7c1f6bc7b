// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"
#include "store/events/event_rows.h"
#include "store/rows/cells.h"

static memo_cell search_row_text(memo_text text)
{
    return memo_cell_text(text.bytes ? text.bytes : "", text.bytes ? text.n_bytes : 0);
}

/* Statements of their own, kept: many rows are written at a time, and while somebody searches. */
static memo_status search_row_put_shown(memo_store *store, int64_t sid, int64_t position,
                                        const memo_shown_row *shown, memo_err *err)
{
    memo_cell cells[MEMO_SHOWN_N_COLUMNS] = {
        memo_cell_int(sid),        memo_cell_int(position),
        memo_cell_int(shown->rid), memo_cell_int(shown->cid),
        memo_cell_int(0),          memo_cell_blob(shown->features, shown->n_bytes)};
    memo_stmt st = memo_stmt_keep(
        &store->sql, "INSERT INTO shown(" MEMO_SHOWN_COLUMNS ") VALUES(?, ?, ?, ?, ?, ?)",
        "keep what a search showed");
    cells[memo_table_shown.checksum] = memo_cell_int(memo_table_sum(&memo_table_shown, cells));
    memo_cells_bind(&st, cells, MEMO_SHOWN_N_COLUMNS);
    return memo_stmt_run(&st, err);
}

memo_status memo_store_has_record(memo_store *store, int64_t rid, int *has, memo_err *err)
{
    memo_stmt st =
        memo_stmt_keep(&store->sql, "SELECT 1 FROM records WHERE rid = ?", "find a record");
    memo_status status;
    memo_stmt_int(&st, rid);
    status = memo_stmt_step(&st, has, err);
    memo_stmt_done(&st);
    return status;
}

memo_status memo_store_put_shown(memo_store *store, int64_t sid, int64_t position,
                                 const memo_shown_row *shown, size_t n, memo_err *err)
{
    memo_status status = memo_store_check_write(store, err);
    for (size_t i = 0; i < n && !status; i++)
        status = search_row_put_shown(store, sid, position + (int64_t)i, &shown[i], err);
    return status;
}

memo_status memo_store_put_search(memo_store *store, const memo_search_row *row, int64_t *sid,
                                  memo_err *err)
{
    memo_stmt st;
    memo_status status = memo_store_check_write(store, err);
    if (!status)
        status = memo_store_next_id(&store->sql, "searches", sid, err);
    if (status)
        return status;
    memo_cell cells[MEMO_SEARCH_N_COLUMNS] = {
        memo_cell_int(*sid),          memo_cell_int(row->ns),
        memo_cell_str(row->id),       memo_cell_int(row->at_ms),
        memo_cell_int(row->mode),     memo_cell_int(row->cls),
        memo_cell_int(row->space),    memo_cell_int(0),
        search_row_text(row->actor),  search_row_text(row->surface),
        search_row_text(row->filter), search_row_text(row->query)};
    cells[memo_table_searches.checksum] =
        memo_cell_int(memo_table_sum(&memo_table_searches, cells));
    st = memo_stmt_keep(&store->sql,
                        "INSERT INTO searches(" MEMO_SEARCH_COLUMNS
                        ") VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                        "keep a search");
    memo_cells_bind(&st, cells, MEMO_SEARCH_N_COLUMNS);
    return memo_stmt_run(&st, err);
}

typedef struct search_row_args {
    int64_t ns;
    const char *id;
    int64_t sid;
} search_row_args;

static memo_status search_row_find(memo_store *store, memo_sql *sql, void *user, memo_err *err)
{
    search_row_args *a = user;
    memo_cell cells[MEMO_SEARCH_N_COLUMNS];
    int found = 0;
    memo_status status;
    memo_stmt st = memo_stmt_keep(sql, "SELECT " MEMO_SEARCH_COLUMNS " FROM searches WHERE id = ?",
                                  "find a search");
    a->sid = 0;
    memo_stmt_str(&st, a->id);
    status = memo_stmt_step(&st, &found, err);
    if (!status && found) {
        memo_cells_take(&st, cells, MEMO_SEARCH_N_COLUMNS);
        if (!memo_table_good(&memo_table_searches, cells) ||
            !memo_cell_is(&cells[MEMO_SEARCH_ID], a->id)) {
            status =
                memo_fail(err, MEMO_ERR_CORRUPT, "search %s: its checksum does not match", a->id);
            memo_hint(err, status, "%s", MEMO_SQL_FIX);
        } else if (cells[MEMO_SEARCH_NS].integer == a->ns) {
            a->sid = cells[MEMO_SEARCH_SID].integer;
        }
    }
    memo_stmt_done(&st);
    if (!status && !found &&
        sql == &store->salvage) /* past a damaged page nothing is proved absent */
        status = memo_fail(err, MEMO_ERR_CORRUPT, "search %s: a page is damaged", a->id);
    return status;
}

memo_status memo_store_find_search(memo_store *store, int64_t ns, const char *id, int64_t *sid,
                                   memo_err *err)
{
    search_row_args args = {.ns = ns, .id = id};
    memo_status status = memo_store_read(store, search_row_find, &args, NULL, err);
    if (!status)
        *sid = args.sid;
    return status;
}

/* ---- what was shown lately ----------------------------------------------------------------- */

typedef struct search_row_recent {
    const memo_recent_scope *scope;
    memo_recent_fn fn;
    void *user;
} search_row_recent;

static memo_status search_row_each_shown(memo_sql *sql, const search_row_recent *a,
                                         const memo_cell *search, int *stop, memo_err *err)
{
    const memo_text actor = search[MEMO_SEARCH_ACTOR].bytes;
    memo_cell cells[MEMO_SHOWN_N_COLUMNS];
    int more;
    memo_status status;
    memo_stmt st = memo_stmt_keep(sql, MEMO_SHOWN_OF_SEARCH, "read what was shown");
    memo_stmt_int(&st, search[MEMO_SEARCH_SID].integer);
    while (!(status = memo_stmt_step(&st, &more, err)) && more && !*stop) {
        memo_cells_take(&st, cells, MEMO_SHOWN_N_COLUMNS);
        if (memo_table_good(&memo_table_shown, cells))
            *stop = a->fn(a->user, actor.bytes, actor.n_bytes, cells[MEMO_SHOWN_CID].integer);
    }
    memo_stmt_done(&st);
    return status;
}

static memo_status search_row_each(memo_store *store, memo_sql *sql, void *user, memo_err *err)
{
    const search_row_recent *a = user;
    memo_cell cells[MEMO_SEARCH_N_COLUMNS];
    size_t n = 0;
    int more, stop = 0;
    memo_status status;
    memo_stmt st =
        memo_stmt_keep(sql, "SELECT " MEMO_SEARCH_COLUMNS " FROM searches ORDER BY sid DESC",
                       "read the last searches");
    (void)store;
    while (!(status = memo_stmt_step(&st, &more, err)) && more && !stop) {
        memo_cells_take(&st, cells, MEMO_SEARCH_N_COLUMNS);
        if (!memo_table_good(&memo_table_searches, cells))
            continue;
        if (cells[MEMO_SEARCH_AT].integer < a->scope->since_ms)
            break;
        if (cells[MEMO_SEARCH_NS].integer != a->scope->ns)
            continue;
        if (n++ == a->scope->n_searches)
            break;
        status = search_row_each_shown(sql, a, cells, &stop, err);
        if (status)
            break;
    }
    memo_stmt_done(&st);
    return status;
}

memo_status memo_store_each_recent(memo_store *store, const memo_recent_scope *scope,
                                   memo_recent_fn fn, void *user, memo_err *err)
{
    search_row_recent args = {scope, fn, user};
    return memo_store_read(store, search_row_each, &args, NULL, err);
}

/* ---- removing ------------------------------------------------------------------------------ */

static memo_status search_row_run(memo_store *store, const char *constant, int64_t value,
                                  memo_err *err)
{
    memo_stmt st = memo_stmt_keep(&store->sql, constant, "remove searches");
    memo_stmt_int(&st, value);
    return memo_stmt_run(&st, err);
}

/* Each by itself: of a clock that was wrong for a while the search logged then is old, not those before
 * it. */
#define SEARCH_ROW_OLD                                                                             \
    "SELECT sid FROM (SELECT sid, at_ms FROM searches ORDER BY sid LIMIT 1024)"                    \
    " WHERE sid < ?1 OR at_ms < ?2"

memo_status memo_store_trim_searches(memo_store *store, uint64_t keep, int64_t oldest_ms,
                                     memo_err *err)
{
    static const char *const trims[] = {"DELETE FROM shown WHERE sid IN (" SEARCH_ROW_OLD ")",
                                        "DELETE FROM searches WHERE sid IN (" SEARCH_ROW_OLD ")"};
    int64_t next = 0, first, n = 0;
    int row;
    memo_stmt st;
    memo_status status = memo_store_check_write(store, err);
    if (!status)
        status = memo_store_next_id(&store->sql, "searches", &next, err);
    if (status)
        return status;
    first = keep < (uint64_t)next ? next - (int64_t)keep : 0;
    st = memo_stmt_keep(&store->sql, "SELECT count(*) FROM (" SEARCH_ROW_OLD ")",
                        "find old searches");
    memo_stmt_int(&st, first);
    memo_stmt_int(&st, oldest_ms);
    status = memo_stmt_step(&st, &row, err);
    n = !status && row ? memo_stmt_col_int(&st, 0) : 0;
    memo_stmt_done(&st);
    for (size_t i = 0; !status && n && i < 2; i++) {
        st = memo_stmt_keep(&store->sql, trims[i], "remove old searches");
        memo_stmt_int(&st, first);
        memo_stmt_int(&st, oldest_ms);
        status = memo_stmt_run(&st, err);
    }
    return status;
}

memo_status memo_events_forget_record(memo_store *store, int64_t rid, int shred, memo_err *err)
{
    static const char *const gone[] = {
        "DELETE FROM actions WHERE rid = ?",
        "DELETE FROM actions WHERE other = ?",
        "DELETE FROM shown WHERE rid = ?",
    };
    memo_status status = memo_store_check_write(store, err);
    for (int more = 1; !status && more;) {
        memo_stmt st = memo_stmt_keep(&store->sql,
                                      "SELECT s.sid FROM shown s WHERE s.rid = ?1 AND (?2 OR NOT"
                                      " EXISTS (SELECT 1 FROM shown o WHERE o.sid = s.sid"
                                      " AND o.rid <> ?1)) LIMIT 1",
                                      "find what showed a record");
        int64_t sid = 0;
        memo_stmt_int(&st, rid);
        memo_stmt_int(&st, shred);
        status = memo_stmt_step(&st, &more, err);
        sid = !status && more ? memo_stmt_col_int(&st, 0) : 0;
        memo_stmt_done(&st);
        if (!status && more)
            status = search_row_run(store, "DELETE FROM shown WHERE sid = ?", sid, err);
        if (!status && more)
            status = search_row_run(store, "DELETE FROM searches WHERE sid = ?", sid, err);
    }
    for (size_t i = 0; i < sizeof gone / sizeof gone[0] && !status; i++)
        status = search_row_run(store, gone[i], rid, err);
    return status;
}
