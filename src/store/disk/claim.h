// SPDX-License-Identifier: Apache-2.0
/* store/disk/claim.h -- put a finished file in a store's place while nobody has that store open.
 *
 * A rename leaves those who have the old file open with a file that has no name, but with the log
 * and the shared memory of the new one: SQLite names both by path. So the file is claimed first: an
 * exclusive lock on all of it, which SQLite grants only when no other connection, here or in another
 * process, has read from it and is still open. Who opens it in the meantime waits, and then finds
 * out that the file has moved (memo_vfs_has_moved()) and opens the new one.
 *
 * A log beside the name must be gone on the disk, too, before the new file is there: SQLite cuts and
 * removes it at a close but syncs neither, and after a power loss the new file would get the old
 * log. */
#ifndef MEMO_STORE_CLAIM_H
#define MEMO_STORE_CLAIM_H

#include "base/file.h"
#include "store/sql.h"

typedef struct memo_claim {
    memo_sql sql; /* holds the lock; its db is for raw reads only */
} memo_claim;

/* memo_claim_take() -- MEMO_ERR_BUSY when somebody has the file open for longer than busy_ms.
 *   path  a regular file, outlives the claim; need not be a store */
memo_status memo_claim_take(memo_claim *claim, const char *path, int64_t busy_ms, memo_err *err);
void memo_claim_drop(memo_claim *claim); /* a zeroed claim is fine */

/* memo_claim_replace() -- commit `out` in the place of the claimed file, or (claim NULL) of none.
 *
 * What lies beside the name is taken away first and durably: shared memory and an empty log.
 * MEMO_ERR_USAGE when a log there is not empty: it would be taken for the new file's. */
memo_status memo_claim_replace(const memo_claim *claim, memo_replace *out, memo_err *err);

#endif
