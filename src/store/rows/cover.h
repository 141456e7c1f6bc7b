// SPDX-License-Identifier: Apache-2.0
/* store/rows/cover.h -- how much of what a full-text expression asks for a row holds. */
#ifndef MEMO_STORE_ROWS_COVER_H
#define MEMO_STORE_ROWS_COVER_H

#include "store/sql.h"

/* memo_cover_add() -- add memo_cover(TABLE) to the functions of FTS5 on a connection, once.
 *
 * Its value is 0 to 1: the sum of the weights of the phrases that the row holds over that of all of the
 * expression. A phrase weighs ln(1 + (N - n + 0.5) / (n + 0.5)), n of N rows having it: a rare word is
 * most of what is asked, one that stands everywhere is nothing. */
memo_status memo_cover_add(memo_sql *sql, memo_err *err);

#endif
