// SPDX-License-Identifier: Apache-2.0
/* store/repair/carve.h -- rows straight from the pages of a store, past its schema and its b-trees.
 *
 * Each page says by itself whether it is a leaf of a table or holds entries of an index, so its rows
 * can be had whatever became of the pages that lead to it; what a row is and whether it is right, its
 * columns and its checksum tell. Nothing is followed but chains of overflow pages. Format: "Database
 * File Format" at sqlite.org, sections 1.6 and 2.1. */
#ifndef MEMO_STORE_CARVE_H
#define MEMO_STORE_CARVE_H

#include "store/disk/pages.h"
#include "store/rows/cells.h"

typedef struct memo_carved {
    uint32_t page;
    int page_good; /* the page's checksum fits, and those of its overflow pages */
    int is_index;  /* an entry of an index, without a row id */
    int64_t rowid;
    memo_cell *cells; /* [n_cells], borrowed for the call */
    size_t n_cells;
} memo_carved;

typedef memo_status (*memo_carve_fn)(void *user, const memo_carved *row, memo_err *err);

/* memo_carve() -- give every row and every index entry of every page, those of good pages first.
 *
 *   sql  a connection for raw reads
 *   bad  pages that are not to be trusted
 *   fn   any other status than MEMO_OK ends the walk with it
 *
 * Rows with more than MEMO_CELLS_MAX values, and those that do not follow the format, are left out;
 * so are, in a file made to be tedious, the cells of a page beyond four times its size, and the rows
 * that need overflow pages when 64 for each page of the file have been read.
 * Cost: reads every page once, and the overflow pages of each row. */
memo_status memo_carve(memo_sql *sql, const memo_pages *bad, memo_carve_fn fn, void *user,
                       memo_err *err);

#endif
