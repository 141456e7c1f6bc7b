// SPDX-License-Identifier: Apache-2.0
/* store/repair/walfile.h -- a write-ahead log read without SQLite: which of its pages are committed.
 *
 * The rules are those by which SQLite itself recovers a log (see vfs.c for its layout): frames count
 * up to the first whose salts or running checksum do not fit, and of those the ones up to the last
 * commit. What lies behind is of an unfinished commit, of an earlier round of the log, or damaged. */
#ifndef MEMO_STORE_WALFILE_H
#define MEMO_STORE_WALFILE_H

#include <stdint.h>

#include <memolith/status.h>

typedef struct memo_wal_info {
    uint64_t n_bytes;  /* of the file; 0: there is none */
    uint64_t n_frames; /* that can be read back, up to the last commit */
    uint64_t n_commits;
    uint32_t n_pages; /* of the store after the last commit; 0 without a commit */
} memo_wal_info;

/* Give each committed page of the store as the last commit left it, in order: a later one replaces an
 * earlier one of the same number. */
typedef memo_status (*memo_wal_page_fn)(void *user, uint32_t number, const unsigned char *page,
                                        memo_err *err);

/* memo_wal_read() -- `path` is the log's own; one that does not exist is an empty one. `fn` may be
 * NULL. The caller keeps writers away (or takes what is there at the moment). */
memo_status memo_wal_read(const char *path, memo_wal_info *info, memo_wal_page_fn fn, void *user,
                          memo_err *err);

#endif
