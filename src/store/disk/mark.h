// SPDX-License-Identifier: Apache-2.0
/* store/disk/mark.h -- the last acknowledged change, noted outside the write-ahead log.
 *
 * SQLite reads a log up to the first frame whose checksum fails and forgets the rest without a
 * word. That is right for a commit which a power failure cut, and wrong for an acknowledged one in
 * which a bit has flipped; the log alone cannot tell them apart. So when a commit has been synced,
 * its change number is written into the lock file, and a store whose log gives less is damaged:
 *
 *   offset 32   "acknowledged " CHANGE (16 hex) " " UUID (32 hex) " " XXH64 of these (16 hex) "\n"
 *
 * The mark is not synced. It is written after the log was, so no state of the disk holds a mark
 * ahead of the log. After a power failure it may be behind: a flip in what was committed since (some
 * seconds, until the kernel writes files back) then passes for a cut. A mark that is damaged itself,
 * or of another store, says nothing.
 *
 * A mark ahead of a file without any log: an older copy was put in its place, which is allowed, or
 * the log was removed. The store opens, the check of a store names it, and the first change (not the
 * open) sets the mark back with a warning and goes on from what the file has. */
#ifndef MEMO_STORE_MARK_H
#define MEMO_STORE_MARK_H

#include <inttypes.h>

#include <memolith/status.h>

#include "store/disk/lock.h"

enum { MEMO_MARK_OFFSET = 32, MEMO_MARK_UUID_CHARS = 32 };

typedef struct memo_mark {
    int64_t change; /* 0: nothing is known */
    char uuid[MEMO_MARK_UUID_CHARS + 1];
} memo_mark;

/* Read the mark, under the lock or not; what cannot be read is no mark. Read it before the store is
 * looked at: it only grows. */
void memo_mark_read(const char *lock_path, memo_mark *mark);

/* What is said of a mark ahead of a file without a log: the mark's change, the file's. */
#define MEMO_MARK_AHEAD                                                                            \
    "change %" PRId64 " was acknowledged here, the file gives %" PRId64                            \
    ": an older copy was put in its place, or its log was removed"

/* Write it, with the lock held; best effort. `sync` for a mark that goes back. */
void memo_mark_write(const memo_lock *lock, const memo_mark *mark, int sync);

#endif
