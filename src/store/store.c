// SPDX-License-Identifier: Apache-2.0
/* Opening and closing (transactions are in transaction.c).
 *
 * Who may do what, so that SQLite's race between two checkpointing writers cannot happen (lock.h):
 *
 *   writer open    lock, open, create or upgrade, checkpoint what a crash left, unlock
 *   transaction    lock, BEGIN IMMEDIATE ... COMMIT, checkpoint when the log is long, unlock
 *   writer close   lock, checkpoint and truncate the log, close, unlock; without the lock: close
 *                  and leave the log
 *   reader         never locks, never checkpoints, not at close either
 *
 * The checkpoint at a writer's open is more than housekeeping: a log that survived a failed sync
 * may be whole in the page cache and torn on the disk. Copying it into the file and syncing that
 * settles it before anything is appended. */
#include "store/store.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "store/disk/vfs.h"
#include "store/filter/filter.h"
#include "store/rows/rows.h"
#include "store/schema.h"
#include "store/store_inner.h"

enum { STORE_BUSY_MS = 5000 };

/* ---- use ----------------------------------------------------------------------------------- */

/* When memory runs out inside FTS5, SQLite may undo the change while FTS5 still works on it, and
 * FTS5 then keeps the number of rows and words of a moment that never was: scores would be wrong,
 * and the next change would write those numbers down. Reading the schema anew makes it forget. */
static memo_status store_settle(memo_store *store, memo_err *err)
{
    memo_status status = memo_sql_exec(&store->sql, "PRAGMA writable_schema = RESET",
                                       "recover from a failed change", err);
    if (!status)
        store->unsettled = 0;
    return status;
}

memo_status memo_store_check_use(memo_store *store, memo_err *err)
{
    if (!store)
        return memo_fail(err, MEMO_ERR_USAGE, "the store is not open");
    if (store->pid == getpid())
        return store->unsettled ? store_settle(store, err) : MEMO_OK;
    memo_fail(err, MEMO_ERR_USAGE,
              "%s was opened by process %ld and cannot be used in process %ld after fork()",
              store->path, (long)store->pid, (long)getpid());
    return memo_hint(err, MEMO_ERR_USAGE, "open the store again in the child");
}

memo_status memo_store_check_write(memo_store *store, memo_err *err)
{
    memo_status status = memo_store_check_use(store, err);
    if (!status && !store->in_write)
        status =
            memo_fail(err, MEMO_ERR_USAGE, "%s: a change outside a write transaction", store->path);
    /* SQLite rolls back by itself after some failures: what comes then would be a commit of its own
     * for each statement. */
    if (!status && sqlite3_get_autocommit(store->sql.db))
        status = memo_fail(err, MEMO_ERR_IO,
                           "%s: an earlier failure has undone this change; roll back and begin it "
                           "again",
                           store->path);
    return !status && store->mark_ahead ? memo_store_settle_mark(store, err) : status;
}

const char *memo_store_path(const memo_store *store)
{
    return store->path;
}

int memo_store_read_only(const memo_store *store)
{
    return store->read_only || store->poisoned;
}

void memo_damage_add(memo_store_damage *damage, const char *id)
{
    if (!damage)
        return;
    for (size_t i = 0; i < damage->n_ids; i++)
        if (strcmp(damage->ids[i], id) == 0)
            return;
    damage->n++;
    if (damage->n_ids < MEMO_STORE_MAX_DAMAGED && damage->arena) {
        const char *copy = memo_arena_strdup(damage->arena, id);
        if (copy)
            damage->ids[damage->n_ids++] = copy;
        else
            damage->no_memory = 1;
    }
}

/* ---- reading past damage ------------------------------------------------------------------- */

static memo_status store_open_salvage(memo_store *store, memo_err *err)
{
    memo_status status;
    if (store->salvage.db)
        return MEMO_OK;
    status = memo_sql_open(&store->salvage, store->path,
                           store->immutable ? MEMO_SQL_IMMUTABLE : MEMO_SQL_READ, 1,
                           (int)store->busy_ms, err);
    if (!status)
        status = memo_sql_setup(&store->salvage, err);
    if (status)
        memo_sql_close(&store->salvage, 1);
    return status;
}

static void store_note_pages(memo_sql *sql, memo_store_damage *damage)
{
    memo_vfs_faults faults;
    char name[32];
    memo_vfs_take_faults(sql->db, &faults);
    sql->n_bad_pages += faults.n_pages;
    for (size_t i = 0; i < faults.n_pages && i < MEMO_VFS_N_PAGES; i++) {
        snprintf(name, sizeof name, "page %" PRIu32, faults.pages[i]);
        memo_damage_add(damage, name);
    }
}

/* A read that has met a bad page, once more; when that fails as well, for the first reason, which *err
 * has. */
static memo_status store_read_past(memo_store *store, memo_store_read_fn fn, void *args,
                                   memo_store_damage *damage, memo_err *err)
{
    memo_err why = {0};
    memo_status status = store_open_salvage(store, &why);
    if (status == MEMO_OK) {
        status = fn(store, &store->salvage, args, &why);
        store_note_pages(&store->salvage, damage);
        (void)sqlite3_db_release_memory(store->salvage.db); /* no bad page stays in its cache */
    }
    if (status && status != MEMO_ERR_NOMEM)
        return MEMO_ERR_CORRUPT;
    if (err)
        *err = why;
    return status;
}

memo_status memo_store_read(memo_store *store, memo_store_read_fn fn, void *args,
                            memo_store_damage *damage, memo_err *err)
{
    uint64_t n_before;
    memo_status status = memo_store_check_use(store, err);
    if (status)
        return status;
    n_before = store->sql.n_bad_pages;
    status = fn(store, &store->sql, args, err);
    if (status == MEMO_ERR_CORRUPT && store->sql.n_bad_pages != n_before && !store->in_write)
        status = store_read_past(store, fn, args, damage, err);
    if (status == MEMO_OK && damage && damage->no_memory)
        return memo_fail_nomem(err, "the name of what is damaged", 0);
    return status;
}

/* ---- queries ------------------------------------------------------------------------------- */

void memo_scope_sql(memo_buf *sql, const memo_store_scope *scope)
{
    memo_buf_puts(sql, "r.ns = ?1 AND (?2 = 0 OR NOT " MEMO_SCOPE_EXPIRED ")");
    if (scope->filter) {
        memo_buf_puts(sql, " AND ");
        memo_buf_puts(sql, memo_filter_sql(scope->filter));
    }
}

void memo_scope_rids_sql(memo_buf *sql, const memo_store_scope *scope, int by_row)
{
    const char *indexed = by_row ? " NOT INDEXED" : "";
    const char *rids = scope->filter ? memo_filter_rids_sql(scope->filter) : NULL;
    if (!rids) {
        memo_buf_printf(sql, "SELECT r.rid FROM records r%s WHERE ", indexed);
        memo_scope_sql(sql, scope);
        return;
    }
    memo_buf_puts(sql, rids);
    if (scope->now_ms)
        memo_buf_printf(sql,
                        " EXCEPT SELECT x.rid FROM records x%s WHERE x.ns = ?1 AND"
                        " x.expires_ms > 0 AND x.expires_ms <= ?2 AND x.pinned = 0",
                        indexed);
}

void memo_scope_bind(memo_stmt *st, const memo_store_scope *scope)
{
    size_t n = 0;
    const memo_filter_param *params;
    st->next = 1;
    memo_stmt_int(st, scope->ns);
    memo_stmt_int(st, scope->now_ms);
    if (!scope->filter)
        return;
    params = memo_filter_params(scope->filter, &n);
    st->next = MEMO_FILTER_FIRST_PARAM;
    for (size_t i = 0; i < n; i++) {
        if (params[i].kind == MEMO_FILTER_PARAM_INT)
            memo_stmt_int(st, params[i].integer);
        else
            memo_stmt_text(st, params[i].text.bytes, params[i].text.n_bytes);
    }
    st->next = 3;
}

memo_stmt memo_stmt_built(memo_sql *sql, const memo_buf *text, const char *doing)
{
    if (text->failed)
        return (memo_stmt){.sql = sql, .doing = doing, .next = 1, .rc = SQLITE_NOMEM};
    return memo_stmt_once(sql, text->data, doing);
}

/* ---- opening ------------------------------------------------------------------------------- */

/* Size of `<path><suffix>`, 0 when there is none. Without memory of its own, so that a want of it is
 * not taken for the want of a file; a path that does not fit could not have been opened. */
static int64_t store_side_bytes(const memo_store *store, const char *suffix)
{
    struct stat st;
    char name[PATH_MAX + 16];
    int n = snprintf(name, sizeof name, "%s%s", store->path, suffix);
    return n < (int)sizeof name && stat(name, &st) == 0 ? (int64_t)st.st_size : 0;
}

static memo_status store_check_place(memo_store *store, int exists, int allow_network_fs,
                                     memo_err *err)
{
    char type[32];
    const char *network = NULL;
    char *slash = strrchr(store->path, '/');
    if (allow_network_fs)
        return MEMO_OK;
    if (exists) {
        network = memo_lock_network_fs(store->path, type);
    } else if (slash && slash > store->path) {
        *slash = '\0';
        network = memo_lock_network_fs(store->path, type);
        *slash = '/';
    }
    if (!network)
        return MEMO_OK;
    memo_fail(
        err, MEMO_ERR_UNSUPPORTED,
        "%s lies on a network file system (%s), where locks and shared memory of two machines "
        "do not meet and commits can be lost",
        store->path, network);
    return memo_hint(err, MEMO_ERR_UNSUPPORTED,
                     "keep the store on a local disk, or allow network file systems at your own "
                     "risk (one machine at a time)");
}

/* Every change is numbered and leaves its number in a row, so the counter equals the largest of
 * them. A file copied while it was written can hold a counter of one moment and rows of another. A
 * query that meets a bad page proves nothing and is left to whoever reads that page. */
static memo_status store_check_whole(memo_store *store, memo_err *err)
{
    int64_t differs = 0;
    (void)memo_sql_int(&store->sql, "SELECT change_seq <> " MEMO_STORE_LAST_SEQ " FROM meta",
                       &differs, NULL);
    if (!differs)
        return MEMO_OK;
    memo_fail(err, MEMO_ERR_CORRUPT, "%s: its change counter does not fit its rows", store->path);
    return memo_hint(err, MEMO_ERR_CORRUPT,
                     "a file copied while the store was written looks like this; copy it again "
                     "while nothing writes");
}

/* After the connection is set up: version as SQLite sees it (the log may be ahead of the file),
 * whitelist, identity. */
static memo_status store_check_content(memo_store *store, int64_t *version, memo_err *err)
{
    memo_stmt st;
    int row;
    int64_t application = 0;
    memo_text uuid;
    memo_status status = memo_sql_int(&store->sql, "PRAGMA application_id", &application, err);
    if (!status)
        status = memo_sql_int(&store->sql, "PRAGMA user_version", version, err);
    if (status)
        return status;
    if (application != MEMO_SCHEMA_APPLICATION_ID || *version < 1)
        return memo_fail(err, MEMO_ERR_CORRUPT,
                         "%s: not a memolith store (application id %" PRId64 ", version %" PRId64
                         "); the write-ahead log beside it may belong to another file",
                         store->path, application, *version);
    if (*version > (int64_t)memo_schema_n_steps)
        return memo_schema_fail_version(store->path, *version, memo_schema_n_steps, err);
    status = memo_schema_check(&store->sql, memo_schema_steps, *version, err);
    if (status)
        return status;
    st = memo_stmt_once(&store->sql, "SELECT uuid FROM meta WHERE one = 1", "read its identity");
    status = memo_stmt_step(&st, &row, err);
    if (!status) {
        uuid = row ? memo_stmt_col_text(&st, 0) : (memo_text){NULL, 0};
        if (uuid.n_bytes == MEMO_STORE_UUID_CHARS)
            memcpy(store->uuid, uuid.bytes, MEMO_STORE_UUID_CHARS);
        else
            status = memo_fail(err, MEMO_ERR_CORRUPT, "%s: it has lost its identity", store->path);
    }
    memo_stmt_done(&st);
    if (!status && !store->repairing)
        status = memo_store_check_mark(store, err);
    return status || store->repairing ? status : store_check_whole(store, err);
}

static memo_status store_fail_size(const memo_store *store, const char *suffix, memo_err *err)
{
    return memo_fail(err, MEMO_ERR_IO, "%s%s: its size cannot be told", store->path, suffix);
}

/* A log copied beside this file from another store would be replayed by SQLite without question.
 * Every commit rewrites the page of `meta`, so such a log carries the other store's identity, while
 * the file itself still has its own. */
static memo_status store_check_log_owner(memo_store *store, memo_err *err)
{
    enum { TRIES = 5 }; /* another process may be writing that very page */
    unsigned char page[MEMO_PAGE_BYTES];
    struct timespec nap = {0, 2000000};
    int64_t root = 0;
    int64_t n_bytes = store->immutable ? 0 : memo_vfs_wal_bytes(store->sql.db);
    memo_status status;
    if (n_bytes <= 0)
        return n_bytes ? store_fail_size(store, "-wal", err) : MEMO_OK;
    status = memo_sql_int(
        &store->sql, "SELECT rootpage FROM sqlite_schema WHERE type = 'table' AND name = 'meta'",
        &root, err);
    for (int i = 0; !status && i < TRIES; i++) {
        int n_read = 0;
        status = memo_vfs_raw_read(store->sql.db, (root - 1) * MEMO_PAGE_BYTES, page, sizeof page,
                                   &n_read, err);
        if (!status && n_read &&
            memmem(page, sizeof page, store->uuid, MEMO_STORE_UUID_CHARS) != NULL)
            return MEMO_OK;
        (void)nanosleep(&nap, NULL);
    }
    if (status)
        return status;
    memo_fail(err, MEMO_ERR_CORRUPT, "%s-wal belongs to another store", store->path);
    return memo_hint(err, MEMO_ERR_CORRUPT,
                     "put back the log that belongs to this file, or move this one away");
}

static memo_status store_enter_wal_mode(memo_store *store, memo_err *err)
{
    int row;
    memo_stmt st = memo_stmt_once(&store->sql, "PRAGMA journal_mode = WAL", "turn on its log");
    memo_status status = memo_stmt_step(&st, &row, err);
    memo_text mode = {NULL, 0};
    if (!status && row)
        mode = memo_stmt_col_text(&st, 0);
    if (!status && (!mode.bytes || strcmp(mode.bytes, "wal") != 0))
        status = memo_fail(err, MEMO_ERR_UNSUPPORTED,
                           "%s: its file system has no shared memory for a write-ahead log "
                           "(journal mode is %s)",
                           store->path, mode.bytes ? mode.bytes : "unknown");
    memo_stmt_done(&st);
    return status;
}

static int store_count_frames(void *user, sqlite3 *db, const char *name, int n_frames)
{
    (void)db;
    (void)name;
    ((memo_store *)user)->n_log_frames = n_frames;
    return SQLITE_OK;
}

static memo_status store_make_if_empty(memo_store *store, int may_create, int64_t version,
                                       memo_err *err)
{
    if (version != 0)
        return MEMO_OK;
    if (store_side_bytes(store, "-wal") > 0) {
        memo_fail(err, MEMO_ERR_CORRUPT,
                  "%s is empty, but a write-ahead log lies beside it: the file was cut",
                  store->path);
        return memo_hint(err, MEMO_ERR_CORRUPT, MEMO_SQL_FIX);
    }
    if (store_side_bytes(store, "") > 0) /* SQLite takes a file of one byte for an empty one */
        return memo_fail(err, MEMO_ERR_CORRUPT, "%s: not a memolith store: no SQLite header",
                         store->path);
    if (!may_create)
        return memo_fail(err, MEMO_ERR_CORRUPT, "%s: not a memolith store: the file is empty",
                         store->path);
    return memo_schema_create(&store->sql, memo_now_ms(store->ctx), store->fulltext, err);
}

/* SQLite rounds a broken last page up. A checkpoint cut short can leave one, but then the log that
 * mends it is there. */
static memo_status store_check_size(memo_store *store, memo_err *err)
{
    int64_t n_bytes = memo_vfs_file_bytes(store->sql.db);
    if (n_bytes < 0)
        return store_fail_size(store, "", err);
    if (n_bytes % MEMO_PAGE_BYTES == 0 || store_side_bytes(store, "-wal") > 0)
        return MEMO_OK;
    memo_fail(err, MEMO_ERR_CORRUPT, "%s was cut: %" PRId64 " bytes are not whole pages of %d",
              store->path, n_bytes, MEMO_PAGE_BYTES);
    return memo_hint(err, MEMO_ERR_CORRUPT, MEMO_SQL_FIX);
}

/* Fold what a crash left into the file. SQLite makes do with reading where it cannot open the file,
 * its log or its shared memory for writing, even for want of a descriptor at that moment; so a change
 * of nothing says whether this handle can write. */
static memo_status store_settle_log(memo_store *store, memo_err *err)
{
    int64_t n_bytes = memo_vfs_wal_bytes(store->sql.db);
    int rc;
    if (n_bytes < 0)
        return store_fail_size(store, "-wal", err);
    if (n_bytes > 0) {
        rc =
            sqlite3_wal_checkpoint_v2(store->sql.db, "main", SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
        if (rc != SQLITE_OK && rc != SQLITE_BUSY)
            return memo_sql_fail(&store->sql, rc, "fold its write-ahead log into it", err);
    }
    if (sqlite3_db_readonly(store->sql.db, "main"))
        return memo_fail(err, MEMO_ERR_IO, "%s: cannot open it for writing: it can only be read",
                         store->path);
    return memo_sql_exec(&store->sql, "BEGIN IMMEDIATE; ROLLBACK", "open it for writing", err);
}

/* Everything a writer does under the lock to open. */
static memo_status store_open_locked(memo_store *store, int may_create, memo_err *err)
{
    int64_t version = 0;
    memo_status status =
        memo_sql_open(&store->sql, store->path, may_create ? MEMO_SQL_CREATE : MEMO_SQL_WRITE, 0,
                      (int)store->busy_ms, err);
    if (status)
        return status;
    if (store_side_bytes(store, "-journal") > 0) /* a crash while it was made: roll back first */
        (void)sqlite3_exec(store->sql.db, "SELECT 1 FROM sqlite_schema", NULL, NULL, NULL);
    status = memo_schema_check_header(&store->sql, memo_schema_n_steps, &version, err);
    if (!status)
        status = store_check_size(store, err);
    if (!status)
        status = store_make_if_empty(store, may_create, version, err);
    if (!status)
        status = memo_sql_setup(&store->sql, err);
    if (!status)
        status = store_check_content(store, &version, err);
    if (!status)
        status = store_check_log_owner(store, err);
    if (!status)
        status = store_enter_wal_mode(store, err);
    if (!status && version < (int64_t)memo_schema_n_steps && store->mark_ahead)
        status = memo_store_settle_mark(store, err);
    if (!status && version < (int64_t)memo_schema_n_steps)
        status =
            memo_schema_upgrade(&store->sql, memo_schema_steps, memo_schema_n_steps, version, err);
    if (status)
        return status;
    (void)sqlite3_wal_hook(store->sql.db, store_count_frames, store);
    return store_settle_log(store, err);
}

memo_status memo_store_check_name(memo_store *store, memo_err *err)
{
    if (!memo_vfs_has_moved(store->sql.db))
        return MEMO_OK;
    memo_fail(err, MEMO_ERR_BUSY, "%s was replaced or removed since it was opened here",
              store->path);
    return memo_hint(err, MEMO_ERR_BUSY, "close the store and open it again");
}

static memo_status store_open_writer(memo_store *store, int may_create, memo_err *err)
{
    memo_status status = memo_lock_take(&store->lock, store->busy_ms, err);
    if (status)
        return status;
    status = store_open_locked(store, may_create, err);
    if (!status)
        status = memo_store_check_name(store, err);
    if (status) /* an unknown file is left exactly as it is */
        memo_sql_close(&store->sql, 1);
    memo_lock_drop(&store->lock);
    return status;
}

/* Set up a reader; *no_side_files when the folder does not let SQLite make its shared memory. */
static memo_status store_try_reader(memo_store *store, memo_sql_mode mode, int *no_side_files,
                                    memo_err *err)
{
    int64_t version = 0;
    memo_status status = memo_sql_open(&store->sql, store->path, mode, 0, (int)store->busy_ms, err);
    *no_side_files = 0;
    if (status)
        return status;
    status = memo_schema_check_header(&store->sql, memo_schema_n_steps, &version, err);
    if (!status && version == 0)
        status = memo_fail(err, MEMO_ERR_CORRUPT, "%s: not a memolith store: the file is empty",
                           store->path);
    if (!status)
        status = store_check_size(store, err);
    if (status)
        return status;
    status = memo_sql_setup(&store->sql, err);
    if (status) {
        int rc = sqlite3_errcode(store->sql.db) & 0xff;
        *no_side_files = rc == SQLITE_CANTOPEN || rc == SQLITE_READONLY;
        return status;
    }
    status = store_check_content(store, &version, err);
    if (!status && version < (int64_t)memo_schema_n_steps)
        status = memo_fail(err, MEMO_ERR_UNSUPPORTED,
                           "%s: schema version %" PRId64 ", this library reads %zu; open it once "
                           "for writing to upgrade it",
                           store->path, version, memo_schema_n_steps);
    if (!status)
        status = store_check_log_owner(store, err);
    return status ? status : memo_store_check_name(store, err);
}

static memo_status store_open_reader(memo_store *store, memo_err *err)
{
    int no_side_files;
    memo_status status = store_try_reader(store, MEMO_SQL_READ, &no_side_files, err);
    if (!status || !no_side_files)
        return status;
    memo_sql_close(&store->sql, 1);
    if (store_side_bytes(store, "-wal") > 0) {
        memo_fail(err, MEMO_ERR_IO,
                  "%s: a write-ahead log lies beside it and the folder is read-only: its newest "
                  "commits cannot be read there",
                  store->path);
        return memo_hint(err, MEMO_ERR_IO,
                         "copy the file and its -wal to a writable folder and open it there");
    }
    if (err)
        memset(err, 0, sizeof *err);
    store->immutable = 1;
    return store_try_reader(store, MEMO_SQL_IMMUTABLE, &no_side_files, err);
}

/* Log, shared memory and lock are found by name: a second name would be a second set of them. */
static memo_status store_check_links(const memo_store *store, memo_err *err)
{
    struct stat st;
    if (stat(store->path, &st) != 0 || st.st_nlink <= 1)
        return MEMO_OK;
    memo_fail(err, MEMO_ERR_UNSUPPORTED,
              "%s has %ju names (hard links); through another name its log and its lock would not "
              "be found, and commits would be lost",
              store->path, (uintmax_t)st.st_nlink);
    return memo_hint(err, MEMO_ERR_UNSUPPORTED,
                     "remove the other names (find / -samefile ...), or copy the file and use the "
                     "copy");
}

static int store_has_lock(const memo_store *store)
{
    struct stat st;
    return lstat(store->lock.path, &st) == 0;
}

/* A file that is no store gets no lock beside it. Whoever writes to a store makes the lock first: while there
 * is none, before and after the look, nobody was changing what is looked at. In any other case, and when the
 * look fails, the check under the lock decides. The file is read by SQLite's own descriptor (lock.h). */
static memo_status store_refuse_foreign(memo_store *store, memo_err *err)
{
    int64_t version = 0;
    memo_err why = {0};
    memo_status status;
    if (store_has_lock(store) || store_side_bytes(store, "-wal") > 0 ||
        store_side_bytes(store, "-journal") > 0)
        return MEMO_OK;
    status = memo_sql_open(&store->sql, store->path, MEMO_SQL_READ, 0, (int)store->busy_ms, &why);
    if (!status)
        status = memo_schema_check_header(&store->sql, memo_schema_n_steps, &version, &why);
    memo_sql_close(&store->sql, 1);
    if (status != MEMO_ERR_CORRUPT || store_has_lock(store))
        return MEMO_OK;
    if (err)
        *err = why;
    return status;
}

static memo_status store_fail_missing(const char *path, memo_err *err)
{
    memo_fail(err, MEMO_ERR_NOTFOUND, "%s: no such store", path);
    return memo_hint(err, MEMO_ERR_NOTFOUND, "add something first: that makes the file");
}

static memo_status store_open_at(memo_store *store, const char *path,
                                 const memo_store_options *options, memo_err *err)
{
    int exists = 0;
    memo_status status = memo_lock_resolve(path, &store->path, &exists, err);
    if (status)
        return status;
    if (!exists && options->mode != MEMO_OPEN_CREATE)
        return store_fail_missing(path, err);
    status = store_check_place(store, exists, options->allow_network_fs, err);
    if (!status)
        status = memo_lock_init(&store->lock, store->path, err);
    if (status)
        return status;
    if (exists && (status = store_check_links(store, err)))
        return status;
    memo_mark_read(store->lock.path, &store->mark);
    store->had_log = store_side_bytes(store, "-wal") > 0;
    if (exists && options->mode != MEMO_OPEN_READ_ONLY &&
        (status = store_refuse_foreign(store, err)))
        return status;
    if (options->mode != MEMO_OPEN_READ_ONLY)
        return store_open_writer(store, options->mode == MEMO_OPEN_CREATE, err);
    store->read_only = 1;
    return store_open_reader(store, err);
}

memo_status memo_store_open(memo_ctx *ctx, const char *path, const memo_store_options *options,
                            memo_store **out, memo_err *err)
{
    memo_status status;
    memo_store *store = memo_calloc(1, sizeof *store);
    if (!store)
        return memo_fail_nomem(err, "the store", sizeof *store);
    store->ctx = ctx;
    store->pid = getpid();
    store->lock.fd = -1;
    store->repairing = options->repairing;
    store->fulltext = options->fulltext;
    store->max_log_frames = MEMO_STORE_LOG_FRAMES;
    store->busy_ms = options->busy_timeout_ms == 0        ? STORE_BUSY_MS
                     : options->busy_timeout_ms < 0       ? 0
                     : options->busy_timeout_ms > INT_MAX ? INT_MAX
                                                          : options->busy_timeout_ms;
    status = store_open_at(store, path, options, err);
    if (status) {
        memo_sql_close(&store->sql, 1);
        memo_store_close(store);
        return status;
    }
    *out = store;
    return MEMO_OK;
}

memo_status memo_store_open_image(memo_ctx *ctx, const char *path, memo_store **out, memo_err *err)
{
    memo_status status;
    int no_side_files;
    memo_store *store = memo_calloc(1, sizeof *store);
    if (!store)
        return memo_fail_nomem(err, "the store", sizeof *store);
    store->ctx = ctx;
    store->pid = getpid();
    store->lock.fd = -1;
    store->read_only = store->immutable = 1;
    store->path = memo_strdup(path);
    status = store->path ? store_try_reader(store, MEMO_SQL_IMMUTABLE, &no_side_files, err)
                         : memo_fail_nomem(err, "a file name", strlen(path));
    if (status) {
        memo_store_close(store);
        return status;
    }
    *out = store;
    return MEMO_OK;
}

/* ---- closing ------------------------------------------------------------------------------- */

static void store_close_writer(memo_store *store)
{
    /* One that wrote nothing does not wait for one that does: that one will do the checkpoint. */
    int64_t wait_ms = store->wrote ? store->busy_ms : -1;
    int rc;
    if (store->poisoned || memo_vfs_has_moved(store->sql.db) ||
        memo_lock_take(&store->lock, wait_ms, NULL)) {
        memo_sql_close(&store->sql, 1);
        return;
    }
    (void)sqlite3_busy_timeout(store->sql.db, 0); /* readers are not waited for */
    rc = sqlite3_wal_checkpoint_v2(store->sql.db, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    /* After a failure SQLite would try once more, and throw the log away if that seems to work. */
    memo_sql_close(&store->sql, rc != SQLITE_OK && rc != SQLITE_BUSY);
    memo_lock_drop(&store->lock);
}

void memo_store_close(memo_store *store)
{
    if (!store)
        return;
    if (store->pid == getpid()) {
        memo_store_rollback(store);
        memo_store_end_read(store);
        memo_sql_close(&store->salvage, 1);
        if (store->read_only)
            memo_sql_close(&store->sql, 1);
        else if (store->sql.db)
            store_close_writer(store);
        memo_lock_fini(&store->lock);
    } else {
        /* In a forked child SQLite's connection is the parent's: it is left alone, and so is the
         * lock, which unlocking here would take from the parent. Closing its descriptor does not,
         * and lets the lock go when the parent dies. */
        if (store->lock.fd >= 0)
            memo_sys_get()->close(store->lock.fd);
        memo_free(store->lock.path);
    }
    memo_free(store->path);
    memo_free(store);
}
