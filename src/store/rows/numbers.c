// SPDX-License-Identifier: Apache-2.0
#include "store/rows/numbers.h"

#include <inttypes.h>

#include "base/error.h"
#include "store/rows/cells.h"

static const char *const numbers_tables[] = {
    [MEMO_NUMBERED_RECORDS] = "records", [MEMO_NUMBERED_CHUNKS] = "chunks"};

static memo_status numbers_check(const memo_store *store, memo_numbered what, int64_t last,
                                 int64_t ahead, memo_err *err)
{
    if (last >= 0 && last <= ahead)
        return MEMO_OK;
    memo_fail(err, MEMO_ERR_CORRUPT,
              "%s: row id %" PRId64 " in table %s, whose counter is at %" PRId64, store->path, last,
              numbers_tables[what], ahead);
    return memo_hint(err, MEMO_ERR_CORRUPT, "%s", MEMO_SQL_FIX);
}

/* What was given before this transaction. */
static memo_status numbers_read(memo_store *store, memo_err *err)
{
    int row;
    int64_t last[2] = {0, 0}, next = 0;
    memo_stmt st =
        memo_stmt_keep(&store->sql, "SELECT n, sum FROM tallies WHERE what = -1", "number a row");
    memo_status status = memo_stmt_step(&st, &row, err);
    for (int i = 0; !status && row && i < 2; i++)
        last[i] = memo_stmt_col_int(&st, i);
    memo_stmt_done(&st);
    for (int i = 0; !status && i < 2; i++) {
        status = memo_store_next_id(&store->sql, numbers_tables[i], &next, err);
        if (!status)
            status =
                numbers_check(store, (memo_numbered)i, row ? last[i] : next - 1, next - 1, err);
        store->numbers[i] = (memo_numbers){.last = row ? last[i] : next - 1, .ahead = next - 1};
    }
    store->numbered = !status;
    return status;
}

/* SQLite's counter gets ahead; it has no row for a table that never had one. */
static memo_status numbers_reserve(memo_store *store, memo_numbered what, int64_t ahead,
                                   memo_err *err)
{
    memo_stmt st = memo_stmt_keep(&store->sql, "UPDATE sqlite_sequence SET seq = ? WHERE name = ?",
                                  "number a row");
    memo_status status;
    memo_stmt_int(&st, ahead);
    memo_stmt_str(&st, numbers_tables[what]);
    status = memo_stmt_run(&st, err);
    if (!status && sqlite3_changes(store->sql.db) == 0) {
        st = memo_stmt_keep(&store->sql, "INSERT INTO sqlite_sequence(seq, name) VALUES(?, ?)",
                            "number a row");
        memo_stmt_int(&st, ahead);
        memo_stmt_str(&st, numbers_tables[what]);
        status = memo_stmt_run(&st, err);
    }
    if (!status)
        store->numbers[what].ahead = ahead;
    return status;
}

memo_status memo_numbers_take(memo_store *store, memo_numbered what, size_t n, int64_t *id,
                              memo_err *err)
{
    memo_numbers *numbers = &store->numbers[what];
    memo_status status = store->numbered ? MEMO_OK : numbers_read(store, err);
    if (!status && (n > MEMO_STORE_MAX_SEQ || numbers->last > MEMO_STORE_MAX_SEQ - (int64_t)n))
        status = memo_fail(err, MEMO_ERR_CORRUPT, "%s: row id %" PRId64 " in table %s", store->path,
                           numbers->last, numbers_tables[what]);
    if (!status && numbers->last + (int64_t)n > numbers->ahead)
        status =
            numbers_reserve(store, what, numbers->last + (int64_t)n + MEMO_NUMBERS_AHEAD - 1, err);
    if (!status) {
        *id = numbers->last + 1;
        numbers->last += (int64_t)n;
    }
    return status;
}

memo_status memo_numbers_write(memo_store *store, memo_err *err)
{
    memo_stmt st;
    if (!store->numbered)
        return MEMO_OK;
    st =
        memo_stmt_keep(&store->sql, "INSERT OR REPLACE INTO tallies(what, n, sum) VALUES(-1, ?, ?)",
                       "number its rows");
    memo_stmt_int(&st, store->numbers[MEMO_NUMBERED_RECORDS].last);
    memo_stmt_int(&st, store->numbers[MEMO_NUMBERED_CHUNKS].last);
    return memo_stmt_run(&st, err);
}
