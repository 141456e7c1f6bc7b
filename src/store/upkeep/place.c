// SPDX-License-Identifier: Apache-2.0
/* What a store stands on: file system, room, log, lock, SQLite. Nothing of it is in the file. */
#include <inttypes.h>
#include <stdio.h>
#include <sys/statvfs.h>

#include "base/error.h"
#include "base/file.h"
#include "store/disk/vfs.h"
#include "store/store_inner.h"

#define PLACE_LEAST_FREE ((uint64_t)64 << 20) /* a log of some batches and a checkpoint */
#define PLACE_LOG_LONG   ((int64_t)64 << 20)  /* eight times what a writer lets stand */
#define PLACE_RACE_ENDS  3051003              /* first SQLite without the race of two writers */

static void place_disk(const memo_store *store, memo_store_finding_fn fn, void *user)
{
    char type[32], message[160];
    const char *network = memo_lock_network_fs(store->path, type);
    struct statvfs st;
    uint64_t n_free;
    if (statvfs(store->path, &st) != 0)
        return;
    n_free = (uint64_t)st.f_bavail * st.f_frsize;
    snprintf(message, sizeof message, "on a %s file system, %" PRIu64 " MB free",
             network ? network : "local", n_free / 1000000);
    if (network)
        fn(user, MEMO_FINDING_WARN, "place", message,
           "locks across machines are not to be relied on");
    else if (n_free < PLACE_LEAST_FREE)
        fn(user, MEMO_FINDING_WARN, "place", message, "make room: writing will soon fail");
    else
        fn(user, MEMO_FINDING_OK, "place", message, "");
}

static void place_log(const memo_store *store, memo_store_finding_fn fn, void *user)
{
    char message[120];
    int64_t n_bytes = memo_vfs_wal_bytes(store->sql.db);
    if (n_bytes < 0)
        n_bytes = 0;
    snprintf(message, sizeof message, "the write-ahead log has %" PRId64 " bytes", n_bytes);
    fn(user, n_bytes > PLACE_LOG_LONG ? MEMO_FINDING_WARN : MEMO_FINDING_OK, "log", message,
       n_bytes > PLACE_LOG_LONG ? "a reader that stays open keeps it from being folded in" : "");
}

/* A try of its own, given back at once. Where it cannot be tried (read-only media) nobody writes. */
static memo_status place_lock(const memo_store *store, memo_store_finding_fn fn, void *user,
                              memo_err *err)
{
    memo_lock lock;
    memo_err why = {0};
    memo_status status;
    if (!memo_path_exists(store->lock.path))
        return MEMO_OK;
    status = memo_lock_init(&lock, store->path, err);
    if (status)
        return status;
    status = memo_lock_take(&lock, -1, &why);
    memo_lock_fini(&lock);
    if (status == MEMO_OK)
        fn(user, MEMO_FINDING_OK, "lock", "nobody is writing", "");
    else if (status == MEMO_ERR_BUSY)
        fn(user, MEMO_FINDING_OK, "lock", why.message, why.hint);
    return MEMO_OK;
}

static void place_sqlite(memo_store_finding_fn fn, void *user)
{
    char message[200];
    snprintf(message, sizeof message, "SQLite %s%s, %d KiB of page cache", sqlite3_libversion(),
             sqlite3_libversion_number() < PLACE_RACE_ENDS
                 ? " has the race of two connections that write and checkpoint at once: the writer "
                   "lock keeps them apart"
                 : "",
             MEMO_SQL_CACHE_KIB);
    fn(user, MEMO_FINDING_OK, "sqlite", message, "");
}

memo_status memo_store_check_place(memo_store *store, memo_store_finding_fn fn, void *user,
                                   memo_err *err)
{
    memo_status status = memo_store_check_use(store, err);
    if (status)
        return status;
    place_disk(store, fn, user);
    place_log(store, fn, user);
    place_sqlite(fn, user);
    return place_lock(store, fn, user, err);
}
