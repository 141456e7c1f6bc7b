// SPDX-License-Identifier: Apache-2.0
/* store/repair/repair.h -- inside the repair of a store.
 *
 *   repair.c       files: the copy that is worked on, the original that is kept, the swap
 *   quarantine.c   the table of rows taken out of service
 *   repair_rows.c  an open store of sound structure: bad rows to quarantine, relations and words
 *   repair_tables.c  the same for rows of the tables of rows/cells.h
 *   rescue.c       a new store from the rows that can still be read of a damaged one
 *
 * Nothing is deleted: a row that cannot be served lies in table `quarantine` with the reason and its
 * bytes as JSON, or has been counted and named as lost. */
#ifndef MEMO_STORE_REPAIR_H
#define MEMO_STORE_REPAIR_H

#include "store/repair/carve.h"

/* A repair under way. */
typedef struct memo_repair {
    memo_store_finding_fn fn; /* what was found and done */
    void *user;
    int64_t now_ms;
    memo_repair_report *report; /* counts grow */
} memo_repair;

void memo_repair_say(const memo_repair *repair, memo_finding_level level, const char *area,
                     const char *hint, const char *fmt, ...) MEMO_PRINTF(5, 6);

/* ---- quarantine (quarantine.c) ------------------------------------------------------------- */

/* Put one row there. `id` names the record that it is or belongs to, NULL: not known. */
memo_status memo_quarantine_put(memo_sql *sql, const memo_repair *repair, const memo_table *table,
                                int64_t row, const char *id, const char *reason,
                                const memo_cell *cells, memo_err *err);

/* Delete what is there of a record; *found is set when there was something. */
memo_status memo_quarantine_forget(memo_sql *sql, const char *id, int *found, memo_err *err);

/* ---- rows (repair_rows.c) ------------------------------------------------------------------ */

/* memo_repair_rows() -- inside a write transaction: move to quarantine every row whose checksum
 * fails or that refers to something missing; then make the words, the counters and the namespaces
 * fit what is left. Nothing is written when nothing was wrong; *changed says which. A second run
 * finds nothing. */
memo_status memo_repair_rows(memo_store *store, const memo_repair *repair, int *changed,
                             memo_err *err);

/* The part of it that is about links, facts, searches and the other tables of rows/cells.h.
 * (repair_tables.c) */
memo_status memo_repair_tables(memo_sql *sql, const memo_repair *repair, int *changed,
                               memo_err *err);

/* ---- a new store (rescue.c) ---------------------------------------------------------------- */

/* memo_rescue() -- make `to` (an empty file) a store of all rows that can be read in `from`. Rows
 * whose checksum fails go to quarantine there, records that are known to be lost are named. Relations
 * are left to memo_repair_rows(). */
memo_status memo_rescue(const memo_repair *repair, memo_sql *from, const memo_pages *bad,
                        const char *to, memo_err *err);

/* Say which rows without a checksum lie on bad pages: names that somebody should look at. */
memo_status memo_rescue_name_unproven(const memo_repair *repair, memo_sql *from,
                                      const memo_pages *bad, memo_err *err);

#endif
