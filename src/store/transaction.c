// SPDX-License-Identifier: Apache-2.0
/* Transactions: who may do what is said in store.c. */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "store/disk/vfs.h"
#include "store/rows/fulltext.h"
#include "store/rows/numbers.h"
#include "store/rows/rows.h"
#include "store/rows/vectors.h"
#include "store/schema.h"
#include "store/store_inner.h"

/* How hard a commit is. SQLite does not let it change inside a transaction. */
static memo_status transaction_set_sync(memo_store *store, int relaxed, memo_err *err)
{
    memo_status status;
    if (store->relaxed == relaxed)
        return MEMO_OK;
    status = memo_sql_exec(&store->sql,
                           relaxed ? "PRAGMA synchronous = NORMAL" : "PRAGMA synchronous = FULL",
                           "set how it syncs", err);
    /* When it is not sure it counts as relaxed: the next change sets it again, or fails. */
    store->relaxed = status ? 1 : relaxed;
    memo_vfs_set_unsynced(store->sql.db, store->relaxed);
    return status;
}

/* Run `constant`, one of BEGIN and its like: parsed once, not with every transaction. */
static memo_status transaction_run(memo_store *store, const char *constant, const char *doing,
                                   memo_err *err)
{
    memo_stmt st = memo_stmt_keep(&store->sql, constant, doing);
    return memo_stmt_run(&st, err);
}

static memo_status transaction_read_seq(memo_store *store, int64_t *seq, memo_err *err)
{
    int row;
    memo_stmt st =
        memo_stmt_keep(&store->sql, "SELECT change_seq FROM meta", "read its change sequence");
    memo_status status = memo_stmt_step(&st, &row, err);
    if (!status && row)
        *seq = memo_stmt_col_int(&st, 0);
    memo_stmt_done(&st);
    return status;
}

/* Another program may have brought the file to a schema that this one would write wrongly. */
static memo_status transaction_check_version(memo_store *store, memo_err *err)
{
    int64_t version = 0;
    int row;
    memo_stmt st = memo_stmt_keep(&store->sql, "PRAGMA user_version", "read its schema version");
    memo_status status = memo_stmt_step(&st, &row, err);
    if (!status && row)
        version = memo_stmt_col_int(&st, 0);
    memo_stmt_done(&st);
    if (status || version == (int64_t)memo_schema_n_steps)
        return status;
    memo_fail(err, MEMO_ERR_BUSY, "%s: another program has brought the store to schema %" PRId64,
              store->path, version);
    return memo_hint(err, MEMO_ERR_BUSY, "close the store and open it again");
}

static memo_status transaction_begin(memo_store *store, int relaxed, int64_t wait_ms, memo_err *err)
{
    memo_status status = memo_store_check_use(store, err);
    if (status)
        return status;
    if (store->in_write || store->in_read)
        return memo_fail(err, MEMO_ERR_USAGE, "%s: a transaction is open already", store->path);
    if (store->read_only)
        return memo_fail(err, MEMO_ERR_IO, "%s was opened for reading only", store->path);
    if (store->poisoned) {
        memo_fail(err, MEMO_ERR_IO, "%s: an earlier write failed, so the store can only be read",
                  store->path);
        return memo_hint(err, MEMO_ERR_IO, "close the store and open it again");
    }
    status = memo_lock_take(&store->lock, wait_ms, err);
    if (status)
        return status;
    status = memo_store_check_name(store, err); /* a commit there would be lost to everybody else */
    if (!status)
        status = transaction_set_sync(store, relaxed, err);
    if (!status)
        status = transaction_run(store, "BEGIN IMMEDIATE", "begin a change", err);
    if (!status) {
        store->in_write = 1;
        store->rebuild_derived = store->recount_vectors = 0, store->n_set_changes = 0;
        store->numbered = 0, store->dim_space = 0;
        status = transaction_read_seq(store, &store->seq, err);
    }
    if (!status && !store->repairing)
        status = transaction_check_version(store, err);
    if (!status && !store->repairing && (store->seq < 0 || store->seq > MEMO_STORE_MAX_SEQ))
        status = memo_fail(err, MEMO_ERR_CORRUPT, "%s: %" PRId64 " is no change sequence",
                           store->path, store->seq);
    if (status) {
        memo_store_rollback(store);
        memo_lock_drop(&store->lock);
    }
    return status;
}

memo_status memo_store_begin_write(memo_store *store, memo_err *err)
{
    return transaction_begin(store, 0, store->busy_ms, err);
}

memo_status memo_store_begin_relaxed(memo_store *store, int64_t wait_ms, memo_err *err)
{
    return transaction_begin(store, 1, wait_ms, err);
}

void memo_store_rollback(memo_store *store)
{
    if (!store || !store->in_write || store->pid != getpid())
        return;
    store->unsettled |= sqlite3_get_autocommit(store->sql.db);
    memo_vfs_drop_gathered(store->sql.db);
    memo_sql_rollback(&store->sql);
    store->in_write = 0;
    memo_lock_drop(&store->lock);
}

/* The commit stands whatever happens here; a failed checkpoint leaves the log as it is. */
static void transaction_checkpoint(memo_store *store)
{
    memo_err err = {0};
    int rc;
    if (store->n_log_frames <= store->max_log_frames * (store->relaxed ? 4 : 1))
        return;
    rc = sqlite3_wal_checkpoint_v2(store->sql.db, "main", SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    if (rc == SQLITE_OK || rc == SQLITE_BUSY)
        return;
    memo_sql_fail(&store->sql, rc, "fold its write-ahead log into it", &err);
    if (store->sql.sync_failed)
        store->poisoned = 1;
    memo_log(store->ctx, MEMO_LOG_WARN, "%s", err.message);
}

static memo_status transaction_write_meta(memo_store *store, memo_err *err)
{
    memo_stmt st =
        memo_stmt_keep(&store->sql, "UPDATE meta SET n_commits = n_commits + 1, change_seq = ?",
                       "count the change");
    memo_stmt_int(&st, store->seq);
    return memo_stmt_run(&st, err);
}

memo_status memo_store_commit(memo_store *store, memo_err *err)
{
    memo_status status = memo_store_check_write(store, err);
    if (status)
        return status;
    if (store->rebuild_derived)
        status = memo_fulltext_rebuild(store, err);
    if (!status && store->rebuild_derived)
        status = memo_rows_derive_all(&store->sql, err);
    if (!status)
        status = memo_vector_sets_write(store, err);
    if (!status)
        status = memo_numbers_write(store, err);
    if (!status)
        status = transaction_write_meta(store, err);
    if (!status) {
        memo_stmt st = memo_stmt_keep(&store->sql, "COMMIT", "commit");
        status = memo_stmt_run(&st, err);
        if (status)
            store->poisoned = (st.rc & 0xff) == SQLITE_IOERR || store->sql.sync_failed;
    }
    if (status) {
        memo_store_rollback(store);
        return status;
    }
    store->in_write = 0;
    store->wrote |= !store->relaxed; /* what may be lost is not waited for at the end */
    store->mark.change = store->seq;
    memcpy(store->mark.uuid, store->uuid, sizeof store->mark.uuid);
    memo_mark_write(&store->lock, &store->mark, 0);
    transaction_checkpoint(store);
    memo_lock_drop(&store->lock);
    return MEMO_OK;
}

memo_status memo_store_end_write(memo_store *store, memo_status status, memo_err *err)
{
    if (status == MEMO_OK)
        return memo_store_commit(store, err);
    memo_store_rollback(store);
    return status;
}

memo_status memo_store_begin_read(memo_store *store, memo_err *err)
{
    int64_t seq = 0;
    memo_status status = memo_store_check_use(store, err);
    if (status)
        return status;
    if (store->in_write || store->in_read)
        return memo_fail(err, MEMO_ERR_USAGE, "%s: a transaction is open already", store->path);
    status = transaction_run(store, "BEGIN", "begin to read", err);
    if (!status) /* the snapshot is taken by the first read */
        status = transaction_read_seq(store, &seq, err);
    store->in_read = 1;
    if (status)
        memo_store_end_read(store);
    return status;
}

void memo_store_end_read(memo_store *store)
{
    if (!store || !store->in_read || store->pid != getpid())
        return;
    memo_sql_rollback(&store->sql);
    store->in_read = 0;
}
