// SPDX-License-Identifier: Apache-2.0
/* store/rows/parts.h -- full text of scripts without spaces, in runs of three characters.
 *
 * Han, kana, Thai, Lao, Khmer and Myanmar are written without spaces; to unicode61 a whole sentence is
 * one word, of which only the beginning could be found. Table fts_parts has for each character of
 * such a run a word of its own: the run of three that begins there, near the end of two and one. "abcd"
 * gives abc bcd cd d. Then
 *
 *   a run of three or more is in a text where its threes stand one after another (a phrase)
 *   one or two characters are in it where a word begins with them
 *
 * The tokenizer is `ascii`: every character beyond ASCII belongs to a word, whatever SQLite's Unicode
 * tables say; what is a run is decided by memo_utf8_is_unspaced() alone. Most chunks have no such run
 * and no row. */
#ifndef MEMO_STORE_PARTS_H
#define MEMO_STORE_PARTS_H

#include "store/rows/rows.h"

/* Add the row of a good chunk of `row`, or take it away; a chunk without such letters has none. */
memo_status memo_parts_add(memo_sql *sql, const memo_chunk_row *chunk, const memo_row *row,
                           memo_err *err);
memo_status memo_parts_delete(memo_sql *sql, const memo_chunk_row *chunk, const memo_row *row,
                              memo_err *err);

/* Throw all rows away and make them again from the records whose checksums are right. */
memo_status memo_parts_rebuild(memo_sql *sql, memo_err *err);

/* How many rows are missing or too many. */
memo_status memo_parts_audit(memo_sql *sql, int64_t *n_wrong, memo_err *err);

#endif
