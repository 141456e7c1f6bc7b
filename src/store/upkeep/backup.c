// SPDX-License-Identifier: Apache-2.0
/* Backups. The copy is written under a temporary name in the target's folder, read back (every page
 * and every row), synced and renamed, so the name never shows anything but a whole store. What is
 * copied is one snapshot: SQLite's log lets writers go on while it is read.
 *
 * A damaged store is refused: a backup that is not whole would be found out on the day it is
 * needed. `doctor --repair` keeps a byte-for-byte copy of a damaged file before it changes it. */
#include "store/upkeep/backup.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/file.h"
#include "store/disk/claim.h"
#include "store/disk/pages.h"
#include "store/disk/vfs.h"
#include "store/store_inner.h"

enum { BACKUP_STEP_PAGES = 512, BACKUP_NAMED_PAGES = 24 };

/* ---- copying ------------------------------------------------------------------------------- */

/* What cannot be read is an error here; what cannot be written sqlite3_backup_finish() names. */
static memo_status copy_step(sqlite3_backup *backup, memo_sql *from,
                             const memo_copy_progress *progress, memo_err *err)
{
    for (;;) {
        int rc = sqlite3_backup_step(backup, BACKUP_STEP_PAGES);
        uint64_t total = (uint64_t)sqlite3_backup_pagecount(backup);
        uint64_t left = (uint64_t)sqlite3_backup_remaining(backup);
        memo_status status;
        /* What is read belongs to one file, what is written to the other. */
        if (rc == SQLITE_CORRUPT || rc == SQLITE_NOTADB || rc == SQLITE_IOERR_DATA ||
            rc == SQLITE_IOERR_READ || rc == SQLITE_IOERR_SHORT_READ)
            return memo_sql_fail(from, rc, "copy it", err);
        if (rc != SQLITE_OK && rc != SQLITE_DONE)
            return MEMO_OK;
        status = progress && progress->fn ? memo_progress_call(progress->fn, progress->user, "copy",
                                                               total - left, total, NULL, err)
                                          : MEMO_OK;
        if (status || rc == SQLITE_DONE)
            return status;
    }
}

memo_status memo_copy_into(memo_sql *from, memo_sql *copy, const memo_copy_progress *progress,
                           memo_err *err)
{
    sqlite3_backup *backup = sqlite3_backup_init(copy->db, "main", from->db, "main");
    memo_status status;
    int rc;
    if (!backup)
        return memo_sql_fail(copy, sqlite3_extended_errcode(copy->db), "write a copy", err);
    status = copy_step(backup, from, progress, err);
    rc = sqlite3_backup_finish(backup);
    return status || rc == SQLITE_OK ? status : memo_sql_fail(copy, rc, "write a copy", err);
}

memo_status memo_copy_pages(memo_sql *from, const char *to, const memo_copy_progress *progress,
                            memo_err *err)
{
    memo_sql copy = {0};
    memo_status status = memo_sql_open(&copy, to, MEMO_SQL_CREATE, 0, 0, err);
    if (status)
        return status;
    /* A copy cut short is thrown away: it needs no journal, and the caller syncs it. */
    status = memo_sql_exec(&copy, "PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF",
                           "write a copy", err);
    if (!status)
        status = memo_copy_into(from, &copy, progress, err);
    memo_sql_close(&copy, 0);
    return status;
}

/* ---- checking ------------------------------------------------------------------------------ */

/* The first bad finding of a check; the rest is for doctor. */
typedef struct backup_verdict {
    int bad;
    char message[512], hint[256];
} backup_verdict;

static void backup_take_finding(void *user, memo_finding_level level, const char *area,
                                const char *message, const char *hint)
{
    backup_verdict *v = user;
    (void)area;
    if (level != MEMO_FINDING_BAD || v->bad)
        return;
    v->bad = 1;
    snprintf(v->message, sizeof v->message, "%s", message);
    snprintf(v->hint, sizeof v->hint, "%s", hint);
}

static memo_status backup_fail_damaged(const memo_store *store, const char *what, memo_err *err)
{
    memo_fail(err, MEMO_ERR_CORRUPT, "%s is damaged (%s); no backup was written", store->path,
              what);
    return memo_hint(err, MEMO_ERR_CORRUPT,
                     "memolith doctor --repair   (keeps a copy of the damaged file), then again");
}

/* The copy failed at a damaged page: name all of them. */
static memo_status backup_name_pages(memo_store *store, memo_err *err)
{
    memo_pages bad;
    memo_buf text = {0};
    memo_status status = memo_pages_check(&store->sql, &bad, NULL);
    if (!status && bad.n > 0) { /* else the log's: the message says it already */
        memo_pages_put(&text, &bad, BACKUP_NAMED_PAGES);
        backup_fail_damaged(store, text.data ? text.data : "pages", err);
        memo_buf_fini(&text);
    }
    memo_pages_fini(&bad);
    return MEMO_ERR_CORRUPT;
}

/* Open what was written as a store that nobody else has, read all of it, and count. */
static memo_status backup_verify(memo_store *store, const char *copy, memo_backup_report *report,
                                 memo_err *err)
{
    memo_store *image = NULL;
    backup_verdict verdict = {0};
    memo_db_stats stats;
    memo_status status = memo_store_open_image(store->ctx, copy, &image, err);
    if (!status)
        status = memo_store_check(image, backup_take_finding, &verdict, err);
    if (!status && verdict.bad)
        status = backup_fail_damaged(store, verdict.message, err);
    if (!status)
        status = memo_store_get_stats(image, &stats, err);
    memo_store_close(image);
    if (!status)
        *report = (memo_backup_report){.n_records = stats.n_records,
                                       .n_chunks = stats.n_chunks,
                                       .n_vectors = stats.n_vectors,
                                       .change_seq = stats.change_seq,
                                       .n_bytes = stats.file_bytes,
                                       .n_pages = stats.file_bytes / MEMO_PAGE_BYTES};
    return status;
}

/* ---- the target ---------------------------------------------------------------------------- */

/* A target that is the store itself, under whatever name, or one of its side files. */
static memo_status backup_check_target(const memo_store *store, const char *path, memo_err *err)
{
    static const char *const ours[] = {"", "-wal", "-shm", "-lock", "-journal", "-idx"};
    memo_status status = MEMO_OK;
    memo_buf name = {0};
    for (size_t i = 0; !status && i < sizeof ours / sizeof *ours; i++) {
        memo_buf_clear(&name);
        memo_buf_printf(&name, "%s%s", store->path, ours[i]);
        if (name.failed)
            status = memo_fail_nomem(err, "a file name", strlen(path));
        else if (memo_same_file(path, name.data) || strcmp(path, name.data) == 0)
            status = memo_fail(err, MEMO_ERR_USAGE, "%s: a store cannot be its own backup", path);
    }
    memo_buf_fini(&name);
    return status;
}

/* What its owner lets nobody else read is not for everybody in a copy. */
static memo_status backup_begin(memo_replace *out, const memo_store *store, const char *path,
                                int overwrite, memo_err *err)
{
    memo_status status = memo_replace_begin_like(out, path, store->path, overwrite, err);
    if (status == MEMO_ERR_USAGE)
        memo_hint(err, status, "--force to replace it, or another name");
    return status;
}

/* The name may belong to a store that is in use. */
static memo_status backup_commit(memo_store *store, memo_replace *out, memo_err *err)
{
    memo_claim claim = {0};
    struct stat st;
    memo_status status;
    if (!out->overwrite || lstat(out->path, &st) != 0 || !S_ISREG(st.st_mode))
        return memo_claim_replace(NULL, out, err);
    status = memo_claim_take(&claim, out->path, store->busy_ms, err);
    if (!status)
        status = memo_claim_replace(&claim, out, err);
    memo_claim_drop(&claim);
    return status;
}

/* ---- all of it ----------------------------------------------------------------------------- */

static memo_status backup_copy(memo_store *store, const char *tmp,
                               const memo_backup_options *options, memo_err *err)
{
    const memo_copy_progress progress = {options->progress, options->progress_user};
    uint64_t n_before;
    memo_status status = memo_store_begin_read(store, err);
    if (status)
        return status;
    n_before = store->sql.n_bad_pages;
    status = memo_copy_pages(&store->sql, tmp, &progress, err);
    memo_store_end_read(store);
    if (status == MEMO_ERR_CORRUPT && store->sql.n_bad_pages > n_before)
        status = backup_name_pages(store, err);
    return status;
}

memo_status memo_store_backup(memo_store *store, const char *path,
                              const memo_backup_options *options, memo_backup_report *report,
                              memo_err *err)
{
    memo_replace out = {.fd = -1};
    memo_backup_report made;
    double started = memo_monotonic_ms();
    memo_status status = memo_store_check_use(store, err);
    if (!status && store->in_write)
        status = memo_fail(err, MEMO_ERR_USAGE, "%s: a transaction is open", store->path);
    if (!status)
        status = backup_check_target(store, path, err);
    if (!status)
        status = backup_begin(&out, store, path, options->overwrite, err);
    if (!status)
        status = backup_copy(store, out.tmp_path, options, err);
    if (!status)
        status = backup_verify(store, out.tmp_path, &made, err);
    if (!status)
        status = backup_commit(store, &out, err);
    memo_replace_fini(&out);
    if (!status && report) {
        made.elapsed_ms = (int64_t)(memo_monotonic_ms() - started);
        *report = made;
    }
    return status;
}
