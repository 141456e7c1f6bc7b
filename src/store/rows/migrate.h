// SPDX-License-Identifier: Apache-2.0
/* store/rows/migrate.h -- what moves the rows of an older schema into the tables of the next one. */
#ifndef MEMO_STORE_ROWS_MIGRATE_H
#define MEMO_STORE_ROWS_MIGRATE_H

#include "store/sql.h"

/* Version 1 to 2, in the transaction of the upgrade: tombstones become `forgotten`, and every table
 * that is derived from records is filled. Rows that fail their checksum stay as they are and give
 * nothing. */
memo_status memo_migrate_2(memo_sql *sql, memo_err *err);

#endif
