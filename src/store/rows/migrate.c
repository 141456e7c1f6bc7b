// SPDX-License-Identifier: Apache-2.0
#include "store/rows/migrate.h"

#include "store/rows/cells.h"
#include "store/rows/parts.h"
#include "store/rows/sketches.h"
#include "store/rows/vectors.h"

/* Tombstones of version 1 knew no row id and had no checksum. */
static memo_status migrate_tombstones(memo_sql *sql, memo_err *err)
{
    int more;
    memo_status status;
    memo_stmt st = memo_stmt_once(
        sql, "SELECT seq, ns, 0, deleted_ms, 0, 0, id, key FROM tombstones", "read its tombstones");
    while (!(status = memo_stmt_step(&st, &more, err)) && more) {
        memo_cell cells[8];
        memo_cells_take(&st, cells, 8);
        status = memo_table_put(sql, &memo_table_forgotten, cells, err);
        if (status)
            break;
    }
    memo_stmt_done(&st);
    return status;
}

memo_status memo_migrate_2(memo_sql *sql, memo_err *err)
{
    /* Words of 16 MB are gathered before a segment is written: many chunks at once then make one
     * segment instead of a dozen that are merged again and again. */
    memo_status status =
        memo_sql_exec(sql, "INSERT INTO fts(fts, rank) VALUES('hashsize', 16777216)",
                      "set up the full text", err);
    if (!status)
        status = migrate_tombstones(sql, err);
    if (!status)
        status = memo_vector_sets_make(sql, err);
    if (!status)
        status = memo_parts_rebuild(sql, err);
    if (!status)
        status = memo_sketches_mend(sql, err);
    return status ? status : memo_rows_derive_all(sql, err);
}
