// SPDX-License-Identifier: Apache-2.0
/* store/rows/page.h -- a page of rows: those that a query finds, that have their checksum and are what
 * was asked for, up to a limit. A row that fails is named as damaged, and the page goes on after it.
 *
 * For tables with a checksum of memo_table_sum() whose first columns are a number, a namespace and an
 * id. */
#ifndef MEMO_STORE_ROWS_PAGE_H
#define MEMO_STORE_ROWS_PAGE_H

#include "store/rows/cells.h"

enum { MEMO_PAGE_NUMBER, MEMO_PAGE_NS, MEMO_PAGE_ID };

/* The caller sets the first three. */
typedef struct memo_page {
    memo_arena *arena;
    memo_store_damage *damage;
    size_t limit; /* >= 1 */
    size_t n;
    void *rows; /* [n] as memo_page_kind.take() makes them, in the order of the query */
    int more;
} memo_page;

/* What is read; `scope` is the caller's. */
typedef struct memo_page_kind {
    const memo_table *table;
    const char *doing; /* as in "cannot read facts" */
    size_t row_bytes;
    /* Append the query; its columns begin with the table's, and are MEMO_CELLS_MAX at most. It finds
     * limit + 1 rows or more when there are. */
    void (*sql)(memo_buf *sql, const void *scope);
    void (*bind)(memo_stmt *st, const void *scope, size_t limit);
    /* A row with its checksum is one that was asked for: an index may lead to another. */
    int (*is_asked)(const void *scope, const memo_cell *cells);
    /* What the query does not test; the cells become what is to be shown. NULL: nothing. */
    int (*fits)(const void *scope, memo_cell *cells);
    /* Copy a row, strings into the arena; zero on lack of memory. */
    int (*take)(const memo_cell *cells, memo_arena *arena, void *row);
    /* Read what belongs to a row from other tables, when all rows are there; NULL: nothing does. */
    memo_status (*complete)(memo_sql *sql, const memo_page *page, void *row, memo_err *err);
} memo_page_kind;

/* Past a damaged page, too: memo_store_read(). After an error the page is as it was. */
memo_status memo_page_read(memo_store *store, const memo_page_kind *kind, const void *scope,
                           memo_page *page, memo_err *err);

#endif
