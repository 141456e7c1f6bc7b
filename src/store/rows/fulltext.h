// SPDX-License-Identifier: Apache-2.0
/* store/rows/fulltext.h -- the full-text rows of chunks: add, take away, make anew. */
#ifndef MEMO_STORE_FULLTEXT_H
#define MEMO_STORE_FULLTEXT_H

#include "store/rows/rows.h"

/* Add the row of a good chunk of `row`, or take it away: FTS5 keeps no copy of a contentless
 * table's words and must be given exactly those it was given before. */
memo_status memo_fulltext_add(memo_store *store, const memo_chunk_row *chunk, const memo_row *row,
                              memo_err *err);
memo_status memo_fulltext_delete(memo_store *store, const memo_chunk_row *chunk,
                                 const memo_row *row, memo_err *err);

/* Throw all rows away and make them again from the records whose checksums are right. */
memo_status memo_fulltext_rebuild(memo_store *store, memo_err *err);

#endif
