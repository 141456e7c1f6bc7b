// SPDX-License-Identifier: Apache-2.0
/* store/disk/vfs.h -- a layer between SQLite and the operating system that checks every page it reads.
 *
 * Each page of the store file ends in 8 reserved bytes: XXH64 (little-endian) of the page before
 * them, seeded with the page number, so a page moved to another place fails too. Pages in the
 * write-ahead log are checked with the frame checksum that SQLite wrote there (and itself looks at
 * in recovery only). A page that fails is SQLITE_IOERR_DATA; its number is kept for the message.
 *
 * The layer is also the seam for fault injection: one hook sees every call that touches a file
 * before it happens, another what came of it. */
#ifndef MEMO_STORE_VFS_H
#define MEMO_STORE_VFS_H

#include <sqlite3.h>
#include <stdint.h>

#include <memolith/status.h>

#define MEMO_VFS_NAME    "memolith"
#define MEMO_PAGE_BYTES  8192
#define MEMO_PAGE_SUM    8 /* reserved bytes at the end of a page */
#define MEMO_VFS_N_PAGES 32

/* Register with SQLite; any thread, any number of times. */
memo_status memo_vfs_register(memo_err *err);

/* What went wrong on one connection's files since it was last asked. */
typedef struct memo_vfs_faults {
    uint64_t n_pages; /* failed reads, repeats of a page already listed not counted */
    uint32_t pages[MEMO_VFS_N_PAGES]; /* the first of them */
    int sync_failed;
    int write_errno; /* of the last write that the system refused, but for a full disk; 0: none */
} memo_vfs_faults;

/* Copy the faults of an open connection and forget them. */
void memo_vfs_take_faults(sqlite3 *db, memo_vfs_faults *faults);

/* Commits of this connection sync (0, as at first) or do not: what follows `PRAGMA synchronous`. */
void memo_vfs_set_unsynced(sqlite3 *db, int unsynced);

/* Forget the pages of the log that a failed commit has gathered and no sync has written: written later
 * they would lie over what others have committed since. Call it while nobody else can commit. */
void memo_vfs_drop_gathered(sqlite3 *db);

/* From now on let bad pages pass on this connection (they are still listed). Only for a read-only
 * one: a page written back would get a fresh checksum. */
void memo_vfs_set_lenient(sqlite3 *db);

/* XXH64 of a page [MEMO_PAGE_BYTES], as its last bytes have it. */
uint64_t memo_vfs_page_sum(const void *page, uint32_t number);
/* Whether it is what stands there. */
int memo_vfs_page_good(const void *page, uint32_t number);

/* The running checksum of a write-ahead log, continued over n bytes (a multiple of 8). */
void memo_vfs_wal_sum(const unsigned char *p, size_t n, int big_endian, uint32_t sum[2]);

/* Raw access to the store file through SQLite's own descriptor (the process must never open and
 * close another: that would drop SQLite's locks). Page sums are not looked at. *n_read is n_bytes,
 * or 0 when the file ends before. */
memo_status memo_vfs_raw_read(sqlite3 *db, int64_t offset, void *out, int n_bytes, int *n_read,
                              memo_err *err);
/* Write a page with its checksum, past SQLite, and make what was written durable. For a file that
 * no other connection has open (store/disk/claim.h). */
memo_status memo_vfs_raw_write(sqlite3 *db, uint32_t number, const void *page, memo_err *err);
memo_status memo_vfs_raw_sync(sqlite3 *db, memo_err *err);
int64_t memo_vfs_file_bytes(sqlite3 *db); /* -1: cannot be told */
int64_t memo_vfs_wal_bytes(sqlite3 *db);

/* Whether the file is no longer the one that others find under its name (replaced, removed). */
int memo_vfs_has_moved(sqlite3 *db);

/* Take SQLite's exclusive lock on the file of a connection that has not read yet, and from then on
 * only closes. SQLITE_BUSY when any other connection that has read from it is open. */
int memo_vfs_lock_exclusive(sqlite3 *db);

/* ---- fault injection ----------------------------------------------------------------------- */

typedef enum memo_vfs_op {
    MEMO_VFS_OPEN,
    MEMO_VFS_READ,
    MEMO_VFS_WRITE,
    MEMO_VFS_TRUNCATE,
    MEMO_VFS_SYNC,
    MEMO_VFS_DELETE,
    MEMO_VFS_LOCK, /* of the file: `amount` is the level */
    MEMO_VFS_UNLOCK,
    MEMO_VFS_SHM_MAP, /* shared memory of the log: `offset` is the region, the first one makes it */
    MEMO_VFS_SHM_LOCK, /* `offset` and `amount` are the slots, -`amount` when given back */
    MEMO_VFS_SHM_UNMAP,
    MEMO_VFS_N_OPS,
} memo_vfs_op;

/* Called before the operation. Returns SQLITE_OK to let it happen, else the SQLite code it shall
 * fail with; *n_bytes is then how much of a read or write still takes place (it arrives as 0).
 * MEMO_VFS_SWALLOW: the same, but the caller is told that all went well. */
#define MEMO_VFS_SWALLOW (-1)
typedef int (*memo_vfs_hook_fn)(void *user, memo_vfs_op op, const char *path, int64_t offset,
                                int amount, int *n_bytes);

/* Process-wide, for tests; fn NULL: none. Set it while no store is in use. */
void memo_vfs_set_hook(memo_vfs_hook_fn fn, void *user);

/* Called after an operation that the first hook let happen, with its SQLite code. `bytes` [amount]
 * is what a write wrote, checksum included, else NULL; of a write that the first hook cut short it
 * is that part, with the hook's code. Process-wide as well. */
typedef void (*memo_vfs_after_fn)(void *user, memo_vfs_op op, const char *path, int64_t offset,
                                  const void *bytes, int amount, int rc);
void memo_vfs_set_after_hook(memo_vfs_after_fn fn, void *user);

#endif
