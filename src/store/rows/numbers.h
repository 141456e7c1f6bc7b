// SPDX-License-Identifier: Apache-2.0
/* store/rows/numbers.h -- row ids of new records and chunks, which are never given twice.
 *
 * Their tables are AUTOINCREMENT: SQLite writes the largest id down with each insert, in a page of its
 * own. So its counter is set ahead, MEMO_NUMBERS_AHEAD at a time, and what has been given is in row -1 of
 * table `tallies`, a page that each add writes anyway: n of records, sum of chunks. Where that row is
 * missing (an older store, a mended one) all that the counter says has been given; a repair that takes
 * the row away has the counter say at least what the row did. */
#ifndef MEMO_STORE_ROWS_NUMBERS_H
#define MEMO_STORE_ROWS_NUMBERS_H

#include "store/store_inner.h"

#define MEMO_NUMBERS_AHEAD 1024

/* Counts what is wrong: less is given than there is, or more than SQLite's counter says. */
#define MEMO_NUMBERS_WRONG                                                                         \
    "SELECT count(*) FROM tallies WHERE what = -1 AND (n < (SELECT coalesce(max(rid), 0) FROM"     \
    " records) OR n > (SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'records')"  \
    " OR sum < (SELECT coalesce(max(cid), 0) FROM chunks)"                                         \
    " OR sum > (SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'chunks'))"

/* Write: *id is the first of `n` row ids that nobody had before. */
memo_status memo_numbers_take(memo_store *store, memo_numbered what, size_t n, int64_t *id,
                              memo_err *err);

/* Before a commit: write down what was given. */
memo_status memo_numbers_write(memo_store *store, memo_err *err);

#endif
