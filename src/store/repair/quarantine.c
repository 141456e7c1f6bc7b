// SPDX-License-Identifier: Apache-2.0
/* The table of rows that were taken out of service: put there, shown, forgotten. */
#include "store/repair/repair.h"

#include "base/error.h"

memo_status memo_quarantine_put(memo_sql *sql, const memo_repair *repair, const memo_table *table,
                                int64_t row, const char *id, const char *reason,
                                const memo_cell *cells, memo_err *err)
{
    memo_buf content = {0};
    memo_status status;
    memo_stmt st = memo_stmt_keep(sql,
                                  "INSERT INTO quarantine(area, row, id, reason, moved_ms, content)"
                                  " VALUES(?, ?, ?, ?, ?, ?)",
                                  "move a row to quarantine");
    memo_cells_put_json(&content, table, cells);
    memo_stmt_str(&st, table->area);
    memo_stmt_int(&st, row);
    memo_stmt_str(&st, id ? id : "");
    memo_stmt_str(&st, reason);
    memo_stmt_int(&st, repair->now_ms);
    memo_stmt_blob(&st, content.data, content.n);
    if (content.failed) {
        memo_stmt_done(&st);
        status = memo_fail_nomem(err, "a row", content.n);
    } else {
        status = memo_stmt_run(&st, err);
    }
    memo_buf_fini(&content);
    repair->report->n_quarantined += !status;
    repair->report->n_quarantined_records += !status && table == &memo_table_records;
    return status;
}

memo_status memo_quarantine_forget(memo_sql *sql, const char *id, int *found, memo_err *err)
{
    memo_status status;
    memo_stmt st = memo_stmt_keep(sql, "DELETE FROM quarantine WHERE id = ?", "forget a row");
    memo_stmt_str(&st, id);
    status = memo_stmt_run(&st, err);
    if (!status && sqlite3_changes(sql->db) > 0)
        *found = 1;
    return status;
}

memo_status memo_store_each_quarantined(memo_store *store,
                                        int (*fn)(void *user, const memo_quarantined *row),
                                        void *user, memo_err *err)
{
    int more;
    memo_stmt st;
    memo_status status = memo_store_check_use(store, err);
    if (status)
        return status;
    st = memo_stmt_keep(&store->sql,
                        /* a file of a hostile hand has NULLs against the schema */
                        "SELECT qid, coalesce(area, ''), row, coalesce(id, ''),"
                        " coalesce(reason, ''), moved_ms, coalesce(content, '{}')"
                        " FROM quarantine ORDER BY qid",
                        "read the quarantine");
    while (!(status = memo_stmt_step(&st, &more, err)) && more) {
        const memo_quarantined row = {.number = memo_stmt_col_int(&st, 0),
                                      .area = memo_stmt_col_text(&st, 1).bytes,
                                      .row = memo_stmt_col_int(&st, 2),
                                      .id = memo_stmt_col_text(&st, 3).bytes,
                                      .reason = memo_stmt_col_text(&st, 4).bytes,
                                      .moved_ms = memo_stmt_col_int(&st, 5),
                                      .content = memo_stmt_col_text(&st, 6).bytes};
        if (fn(user, &row))
            break;
    }
    memo_stmt_done(&st);
    return status;
}
