// SPDX-License-Identifier: Apache-2.0
#include "store/upkeep/shred.h"

#include <stdio.h>

#include "base/error.h"
#include "store/disk/vfs.h"
#include "store/events/event_rows.h"
#include "store/facts/fact_rows.h"
#include "store/repair/repair.h"
#include "store/rows/cells.h"
#include "store/store_inner.h"

/* ---- rows ---------------------------------------------------------------------------------- */

/* What a row of a table holds as text. A tag, a title and the names in metadata are text as well. */
static memo_status shred_remember_cells(memo_stmt *st, size_t n, memo_traces *traces, memo_err *err)
{
    memo_cell cells[MEMO_CELLS_MAX];
    memo_status status;
    int more;
    while (!(status = memo_stmt_step(st, &more, err)) && more && !status) {
        memo_cells_take(st, cells, n);
        for (size_t i = 0; !status && i < n; i++)
            if (cells[i].kind == MEMO_CELL_TEXT || cells[i].kind == MEMO_CELL_BLOB)
                status = memo_traces_add(traces, cells[i].bytes, err);
        if (status)
            break;
    }
    memo_stmt_done(st);
    return status;
}

/* Damaged or not: all that lies under its number, and in quarantine under its id. */
static memo_status shred_remember(memo_store *store, const memo_row *row, memo_traces *traces,
                                  memo_err *err)
{
    memo_stmt st = memo_stmt_keep(&store->sql,
                                  "SELECT key, source, title, tags, metadata, text FROM records"
                                  " WHERE rid = ?1 UNION ALL SELECT key, source, title, tags,"
                                  " metadata, text FROM versions WHERE rid = ?1",
                                  "read what is to be gone");
    memo_status status;
    memo_stmt_int(&st, row->rid);
    return (status = shred_remember_cells(&st, 6, traces, err));
}

static memo_status shred_remember_quarantine(memo_store *store, const char *id, memo_traces *traces,
                                             memo_err *err)
{
    memo_stmt st = memo_stmt_keep(&store->sql, "SELECT content FROM quarantine WHERE id = ?",
                                  "read what is to be gone");
    memo_stmt_str(&st, id);
    return shred_remember_cells(&st, 1, traces, err);
}

/* The newest tombstone of an id or key; *seq 0: none. */
static memo_status shred_find_tombstone(memo_store *store, int64_t ns, const char *id, int64_t *seq,
                                        int64_t *state, char of[40], memo_err *err)
{
    int more;
    memo_status status;
    memo_stmt st = memo_stmt_keep(&store->sql,
                                  "SELECT seq, shredded, id FROM forgotten WHERE ns = ?1"
                                  " AND (id = ?2 OR key = ?2) ORDER BY seq DESC LIMIT 1",
                                  "read its tombstones");
    memo_stmt_int(&st, ns);
    memo_stmt_str(&st, id);
    status = memo_stmt_step(&st, &more, err);
    *seq = !status && more ? memo_stmt_col_int(&st, 0) : 0;
    *state = *seq ? memo_stmt_col_int(&st, 1) : 0;
    if (*seq)
        snprintf(of, 40, "%.39s", memo_stmt_col_text(&st, 2).bytes);
    memo_stmt_done(&st);
    return status;
}

/* A record that was forgotten before: what was concluded from it alone goes now. */
static memo_status shred_forgotten(memo_store *store, int64_t ns, const char *id, int *tombstone,
                                   memo_err *err)
{
    char of[40];
    uint64_t n_facts = 0;
    int64_t seq = 0, state = 0;
    memo_status status = shred_find_tombstone(store, ns, id, &seq, &state, of, err);
    *tombstone = seq != 0;
    if (!status && seq)
        status = memo_facts_shred_orphans(store, of, &n_facts, err);
    return status || !seq || (state == MEMO_TOMBSTONE_SHREDDED && n_facts == 0)
               ? status
               : memo_tombstone_mark(&store->sql, seq, MEMO_TOMBSTONE_SHREDDING, err);
}

memo_status memo_shred_rows(memo_store *store, int64_t ns, const char *id, memo_traces *traces,
                            int *forgotten, int *tombstone, memo_err *err)
{
    memo_arena arena = {0};
    memo_row row;
    int in_quarantine = 0;
    memo_status status = memo_store_check_write(store, err);
    if (status)
        return status;
    *tombstone = 0;
    status = memo_row_find(&store->sql, ns, id, &arena, &row, err);
    if (!status && row.rid)
        status = shred_remember(store, &row, traces, err);
    if (!status)
        status = shred_remember_quarantine(store, row.rid ? row.id.bytes : id, traces, err);
    if (!status && row.rid)
        status = memo_actions_release(store, row.rid, err);
    if (!status && row.rid)
        status = memo_row_forget(store, &row, 1, err);
    if (!status && row.rid)
        status = memo_tombstone_mark(&store->sql, store->seq, MEMO_TOMBSTONE_SHREDDING, err);
    if (!status)
        status =
            memo_quarantine_forget(&store->sql, row.rid ? row.id.bytes : id, &in_quarantine, err);
    if (!status && !row.rid)
        status = shred_forgotten(store, ns, id, tombstone, err);
    *forgotten = row.rid != 0 || (in_quarantine && !*tombstone);
    memo_arena_fini(&arena);
    return status;
}

memo_status memo_shred_forgotten(memo_store *store, memo_err *err)
{
    int more = 1;
    int64_t seq = 0;
    uint64_t n_facts;
    memo_status status = memo_facts_shred_orphans(store, "%", &n_facts, err);
    while (!status && more) {
        memo_stmt st = memo_stmt_keep(&store->sql,
                                      "SELECT seq FROM forgotten WHERE shredded = 0 AND seq > ?"
                                      " ORDER BY seq LIMIT 1",
                                      "read its tombstones");
        memo_stmt_int(&st, seq);
        status = memo_stmt_step(&st, &more, err);
        seq = !status && more ? memo_stmt_col_int(&st, 0) : 0;
        memo_stmt_done(&st);
        if (!status && more)
            status = memo_tombstone_mark(&store->sql, seq, MEMO_TOMBSTONE_SHREDDING, err);
    }
    return status;
}

memo_status memo_shred_count(memo_store *store, uint64_t *n, memo_err *err)
{
    int64_t count = 0;
    memo_status status = memo_store_check_use(store, err);
    if (!status)
        status = memo_sql_int(&store->sql, "SELECT count(*) FROM forgotten WHERE shredded = 1",
                              &count, err);
    *n = (uint64_t)count;
    return status;
}

memo_status memo_shred_done(memo_store *store, const memo_shred_pass *pass, memo_err *err)
{
    memo_status status = memo_store_check_write(store, err);
    for (size_t i = 0; !status && i < pass->n; i++)
        status = memo_tombstone_mark(&store->sql, pass->seqs[i], MEMO_TOMBSTONE_SHREDDED, err);
    return status;
}

/* ---- the file ------------------------------------------------------------------------------ */

/* What is deleted from a full-text index is only noted in it until its parts are merged. */
static memo_status shred_merge(memo_store *store, memo_err *err)
{
    memo_status status = memo_store_begin_write(store, err);
    if (status)
        return status;
    status = memo_sql_exec(&store->sql,
                           "INSERT INTO fts(fts) VALUES('optimize');"
                           "INSERT INTO fts_parts(fts_parts) VALUES('optimize')",
                           "merge the full-text index", err);
    return memo_store_end_write(store, status, err);
}

/* VACUUM copies by way of a database that it attaches. */
static memo_status shred_vacuum(memo_store *store, memo_err *err)
{
    memo_status status;
    (void)sqlite3_limit(store->sql.db, SQLITE_LIMIT_ATTACHED, 1);
    status = memo_sql_exec(&store->sql, "VACUUM", "write it anew", err);
    (void)sqlite3_limit(store->sql.db, SQLITE_LIMIT_ATTACHED, 0);
    return status ? status : memo_sql_renew(&store->sql, err);
}

/* The checkpoint writes every page of the new file over the old one and cuts off the rest; with
 * TRUNCATE it also waits for the readers of the log and empties it. */
static memo_status shred_empty_log(memo_store *store, memo_err *err)
{
    int rc =
        sqlite3_wal_checkpoint_v2(store->sql.db, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    if (rc == SQLITE_OK)
        return MEMO_OK;
    if ((rc & 0xff) != SQLITE_BUSY)
        return memo_sql_fail(&store->sql, rc, "empty its log", err);
    memo_fail(
        err, MEMO_ERR_BUSY,
        "%s: another program reads it, so its log cannot be emptied; the records are deleted, "
        "their bytes are there still",
        store->path);
    return memo_hint(err, MEMO_ERR_BUSY, "close the other program, then memolith forget --shred");
}

/* The lock is held: none begins before the file is written anew. */
static memo_status shred_list_begun(memo_store *store, memo_shred_pass *pass, memo_err *err)
{
    uint64_t n = 0;
    int more;
    memo_stmt st;
    memo_status status = memo_shred_count(store, &n, err);
    pass->n = 0;
    if (status)
        return status;
    pass->seqs = memo_arena_array(pass->arena, (size_t)n + 1, sizeof *pass->seqs);
    if (!pass->seqs)
        return memo_fail_nomem(err, "a list of tombstones", (size_t)n * sizeof *pass->seqs);
    st = memo_stmt_keep(&store->sql, "SELECT seq FROM forgotten WHERE shredded = 1",
                        "read its tombstones");
    while (pass->n < n && !(status = memo_stmt_step(&st, &more, err)) && more)
        pass->seqs[pass->n++] = memo_stmt_col_int(&st, 0);
    memo_stmt_done(&st);
    return status;
}

memo_status memo_shred_file(memo_store *store, memo_shred_pass *pass, memo_err *err)
{
    memo_status status = shred_merge(store, err);
    if (status)
        return status;
    memo_sql_close(&store->salvage, 1); /* it may read as well */
    status = memo_lock_take(&store->lock, store->busy_ms, err);
    if (status)
        return status;
    status = shred_list_begun(store, pass, err);
    if (!status)
        status = shred_vacuum(store, err);
    if (!status)
        status = shred_empty_log(store, err);
    memo_vfs_drop_gathered(store->sql.db);     /* of a VACUUM that failed */
    store->poisoned |= store->sql.sync_failed; /* while nobody else writes */
    memo_lock_drop(&store->lock);
    (void)sqlite3_db_release_memory(store->sql.db);
    return status;
}
