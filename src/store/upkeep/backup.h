// SPDX-License-Identifier: Apache-2.0
/* store/upkeep/backup.h -- copy a database page by page, through SQLite, so that every page of the copy
 * gets its checksum. For the backup of a store and the copy before an upgrade. */
#ifndef MEMO_STORE_BACKUP_H
#define MEMO_STORE_BACKUP_H

#include "store/sql.h"

typedef struct memo_copy_progress {
    memo_progress_fn fn; /* NULL: none */
    void *user;
} memo_copy_progress;

/* memo_copy_pages() -- make `to` (a name, the file may be there and empty) a copy of what `from`
 * sees.
 *
 * A transaction open on `from` makes the copy of that snapshot; writers are not held up. Nothing is
 * synced and a failed copy is left for the caller to remove. A page of `from` that fails its check
 * is MEMO_ERR_CORRUPT, a full disk MEMO_ERR_IO. */
memo_status memo_copy_pages(memo_sql *from, const char *to, const memo_copy_progress *progress,
                            memo_err *err);
/* The same into an open connection that has pages of that size and holds nothing yet. */
memo_status memo_copy_into(memo_sql *from, memo_sql *copy, const memo_copy_progress *progress,
                           memo_err *err);

#endif
