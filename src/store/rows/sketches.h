// SPDX-License-Identifier: Apache-2.0
/* store/rows/sketches.h -- the sketches of records, and which records wait for one. Each record has
 * rows in `sketches` or in the list of the newest, or one in `unlinked`; in both is one that has lost
 * what it was linked to and is to be compared once more. All of it is derived: a change drops a list
 * that is damaged, a read refuses it. */
#ifndef MEMO_STORE_ROWS_SKETCHES_H
#define MEMO_STORE_ROWS_SKETCHES_H

#include "store/sql.h"

/* Write: the sketch of a record that has none; NULL: it waits for one. */
memo_status memo_sketch_put(memo_sql *sql, int64_t rid, const int64_t *sketch, size_t n_sketch,
                            memo_err *err);

/* Write: a record's sketch goes, and it does not wait. */
memo_status memo_sketch_forget(memo_sql *sql, int64_t rid, memo_err *err);

/* *n: rows of the sketch of a record. */
memo_status memo_sketches_of(memo_sql *sql, int64_t rid, int64_t *n, memo_err *err);

/* How many records have neither, and rows are of no record. */
memo_status memo_sketches_audit(memo_sql *sql, int64_t *n, memo_err *err);

/* Write: rows of no record go, records that have neither wait. */
memo_status memo_sketches_mend(memo_sql *sql, memo_err *err);

#endif
