// SPDX-License-Identifier: Apache-2.0
/* The repair of a store, on files of its own:
 *
 *   1. under the writer lock and a claim on the file (claim.h), the store is copied, its log folded
 *      in, and every page of the copy given a checksum that fits
 *   2. when SQLite finds the copy's structure right, its rows are put in order (repair_rows.c)
 *   3. else a second file is made of all the rows that can be read in the copy (rescue.c)
 *   4. the store and its log are kept under another name, byte for byte
 *   5. what the log holds is folded into the store, so that no log is left which could be taken for
 *      the new file's, and the new file takes the name
 *
 * Until the rename in 5 the store is what it was: the fold changes nothing that a reader of it sees.
 * A damaged page is not told from one that another SQLite program wrote without our checksum: 2
 * takes both as long as all else is right, and names what nothing but the checksum could prove. */
#include "store/repair/repair.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "store/disk/claim.h"
#include "store/disk/vfs.h"
#include "store/repair/walfile.h"
#include "store/schema.h"

enum { REPAIR_NAMED_PAGES = 40, REPAIR_MAX_COPIES = 10000, REPAIR_BUSY_MS = 5000 };

typedef struct repair_job {
    memo_ctx *ctx;
    memo_arena *arena; /* of the report */
    memo_repair repair;
    int dry_run;
    int64_t busy_ms;
    char *path;     /* resolved */
    char *log;      /* of its write-ahead log */
    memo_mark mark; /* what was acknowledged */
    uint64_t n_log_bytes;
    memo_claim claim;    /* on it */
    memo_replace out[2]; /* the copy; the store made of its rows */
    memo_sql image;      /* raw access to the copy */
    memo_pages bad;      /* of the copy, before they get fresh checksums */
    int has_broken_end;  /* bytes that are no whole page: no store is opened with them */
} repair_job;

/* ---- copies -------------------------------------------------------------------------------- */

static memo_status repair_copy_store(memo_sql *from, memo_replace *to, memo_err *err)
{
    int64_t n_bytes = memo_vfs_file_bytes(from->db), at = 0;
    unsigned char *page = memo_malloc(MEMO_PAGE_BYTES);
    memo_status status = page ? MEMO_OK : memo_fail_nomem(err, "a page", MEMO_PAGE_BYTES);
    if (!status && n_bytes < 0)
        status = memo_fail(err, MEMO_ERR_IO, "%s: its size cannot be read", from->path);
    while (!status && at < n_bytes) {
        int n = n_bytes - at < MEMO_PAGE_BYTES ? (int)(n_bytes - at) : MEMO_PAGE_BYTES, n_read = 0;
        status = memo_vfs_raw_read(from->db, at, page, n, &n_read, err);
        if (!status && n_read != n)
            status = memo_fail(err, MEMO_ERR_IO, "%s: cut while it was read", from->path);
        if (!status)
            status = memo_replace_append(to, page, (size_t)n, err);
        at += n;
    }
    memo_free(page);
    return status;
}

static memo_status repair_copy_log(const char *from, memo_replace *to, memo_err *err)
{
    enum { BLOCK = 64 << 10 };
    memo_file file = {0};
    unsigned char *block = memo_malloc(BLOCK);
    memo_status status =
        block ? memo_file_open(&file, from, err) : memo_fail_nomem(err, "a block", BLOCK);
    for (uint64_t at = 0; !status && at < file.n_bytes; at += BLOCK) {
        size_t n = file.n_bytes - at < BLOCK ? (size_t)(file.n_bytes - at) : BLOCK;
        status = memo_file_read(&file, at, block, n, err);
        if (!status)
            status = memo_replace_append(to, block, n, err);
    }
    memo_file_close(&file);
    memo_free(block);
    return status;
}

/* PATH.before-repair-N and its log's name, neither of them taken. */
static memo_status repair_find_name(const repair_job *job, memo_buf *name, memo_buf *log,
                                    memo_err *err)
{
    for (int i = 1; i <= REPAIR_MAX_COPIES; i++) {
        memo_buf_clear(name);
        memo_buf_clear(log);
        memo_buf_printf(name, "%s.before-repair-%d", job->path, i);
        memo_buf_printf(log, "%s.before-repair-%d-wal", job->path, i);
        if (name->failed || log->failed)
            return memo_fail_nomem(err, "a file name", strlen(job->path));
        if (!memo_path_exists(name->data) && !memo_path_exists(log->data))
            return MEMO_OK;
    }
    return memo_fail(err, MEMO_ERR_LIMIT, "%s.before-repair-1 to -%d exist already", job->path,
                     REPAIR_MAX_COPIES);
}

/* Damage and all; opened as a store it is what was there. The log comes first: alone it is nothing. */
static memo_status repair_keep_original(repair_job *job, memo_err *err)
{
    memo_replace out = {.fd = -1}, out_log = {.fd = -1};
    memo_buf name = {0}, log = {0};
    memo_status status = repair_find_name(job, &name, &log, err);
    if (!status && memo_path_exists(job->log)) {
        status = memo_replace_begin_like(&out_log, log.data, job->path, 0, err);
        if (!status)
            status = repair_copy_log(job->log, &out_log, err);
        if (!status)
            status = memo_replace_commit(&out_log, err);
    }
    if (!status)
        status = memo_replace_begin_like(&out, name.data, job->path, 0, err);
    if (!status)
        status = repair_copy_store(&job->claim.sql, &out, err);
    if (!status && !(job->repair.report->original = memo_arena_strdup(job->arena, name.data)))
        status = memo_fail_nomem(err, "a file name", name.n);
    if (!status)
        status = memo_replace_commit(&out, err);
    memo_replace_fini(&out);
    memo_replace_fini(&out_log);
    memo_buf_fini(&name);
    memo_buf_fini(&log);
    return status;
}

/* ---- the log ------------------------------------------------------------------------------- */

/* Where the store's identity lies, for a log must be of the same store. */
typedef struct repair_fold {
    repair_job *job;
    memo_sql *to;
    uint32_t meta_page;
    char uuid[MEMO_STORE_UUID_CHARS + 1];
} repair_fold;

/* The row of `meta` is the only one of its shape. */
static memo_status repair_find_meta(void *user, const memo_carved *row, memo_err *err)
{
    repair_fold *fold = user;
    const memo_cell *c = row->cells;
    if (row->is_index || row->n_cells != 5 || c[0].kind != MEMO_CELL_NULL ||
        c[1].kind != MEMO_CELL_TEXT || c[1].bytes.n_bytes != MEMO_STORE_UUID_CHARS ||
        c[2].kind != MEMO_CELL_INT)
        return MEMO_OK;
    fold->meta_page = row->page;
    memcpy(fold->uuid, c[1].bytes.bytes, MEMO_STORE_UUID_CHARS);
    return memo_fail(err, MEMO_ERR_CANCELLED, "found"); /* ends the walk */
}

static memo_status repair_fold_page(void *user, uint32_t number, const unsigned char *page,
                                    memo_err *err)
{
    repair_fold *fold = user;
    if (number != fold->meta_page ||
        memmem(page, MEMO_PAGE_BYTES, fold->uuid, MEMO_STORE_UUID_CHARS))
        return memo_vfs_raw_write(fold->to->db, number, page, err);
    memo_fail(err, MEMO_ERR_CORRUPT, "%s belongs to another store; nothing was changed",
              fold->job->log);
    return memo_hint(err, MEMO_ERR_CORRUPT,
                     "put back the log that belongs to this file, or move this one away");
}

/* Write what the log has committed into `to`, the store or a copy of it. */
static memo_status repair_fold_log(repair_job *job, memo_sql *to, memo_wal_info *info,
                                   memo_err *err)
{
    repair_fold fold = {.job = job, .to = to};
    memo_pages all = {.n_pages = (uint32_t)(memo_vfs_file_bytes(to->db) / MEMO_PAGE_BYTES)};
    memo_err why = {0};
    memo_status status;
    all.bits = memo_calloc(all.n_pages / 8 + 1, 1);
    status = all.bits ? memo_carve(to, &all, repair_find_meta, &fold, &why)
                      : memo_fail_nomem(&why, "a list of pages", all.n_pages / 8 + 1);
    memo_pages_fini(&all);
    if (!status || status == MEMO_ERR_CANCELLED)
        return memo_wal_read(job->log, info, repair_fold_page, &fold, err);
    if (err)
        *err = why;
    return status;
}

/* What a checkpoint does: the store is the same as before, without a log. */
static memo_status repair_settle_old(repair_job *job, memo_err *err)
{
    memo_wal_info info;
    int fd;
    memo_status status = repair_fold_log(job, &job->claim.sql, &info, err);
    if (!status && info.n_frames)
        status = memo_vfs_raw_sync(job->claim.sql.db, err);
    if (status)
        return status;
    fd = memo_sys_open(job->log, O_RDWR | O_NOFOLLOW, 0);
    if (fd < 0)
        return errno == ENOENT ? MEMO_OK : memo_fail_errno(err, errno, job->log, "open");
    if (memo_sys_get()->ftruncate(fd, 0) != 0 || memo_sys_fsync(fd) != 0)
        status = memo_fail_errno(err, errno, job->log, "empty");
    memo_sys_get()->close(fd);
    return status;
}

/* ---- the copy ------------------------------------------------------------------------------ */

static memo_status repair_say_pages(const repair_job *job, memo_err *err)
{
    memo_buf text = {0};
    memo_status status = MEMO_OK;
    memo_pages_put(&text, &job->bad, REPAIR_NAMED_PAGES);
    if (text.failed)
        status = memo_fail_nomem(err, "a list of pages", text.n);
    else
        memo_repair_say(&job->repair, MEMO_FINDING_BAD, "pages", "",
                        "%.400s of %" PRIu32 ": checksum does not match", text.data,
                        job->bad.n_pages);
    memo_buf_fini(&text);
    return status;
}

/* So that SQLite looks at what is in them. */
static memo_status repair_fresh_sums(repair_job *job, memo_err *err)
{
    unsigned char *page = memo_malloc(MEMO_PAGE_BYTES);
    memo_status status = page ? MEMO_OK : memo_fail_nomem(err, "a page", MEMO_PAGE_BYTES);
    for (uint32_t i = 1; !status && i <= job->bad.n_pages; i++) {
        int n_read = 0;
        if (!memo_pages_has(&job->bad, i))
            continue;
        status = memo_vfs_raw_read(job->image.db, (int64_t)(i - 1) * MEMO_PAGE_BYTES, page,
                                   MEMO_PAGE_BYTES, &n_read, err);
        if (!status)
            status = memo_vfs_raw_write(job->image.db, i, page, err);
    }
    memo_free(page);
    return status;
}

/* Pages behind the end of the store are of no use, a broken last one is none. */
static memo_status repair_cut_copy(repair_job *job, const memo_wal_info *info, memo_err *err)
{
    int64_t n_bytes = memo_vfs_file_bytes(job->image.db);
    int64_t n_whole = info->n_pages ? info->n_pages : n_bytes / MEMO_PAGE_BYTES;
    job->has_broken_end = n_bytes % MEMO_PAGE_BYTES && !info->n_pages;
    if (job->has_broken_end)
        memo_repair_say(&job->repair, MEMO_FINDING_BAD, "file", "",
                        "it was cut: %" PRId64 " bytes are not whole pages of %d", n_bytes,
                        MEMO_PAGE_BYTES);
    if (n_bytes <= n_whole * MEMO_PAGE_BYTES ||
        memo_sys_get()->ftruncate(job->out[0].fd, (off_t)(n_whole * MEMO_PAGE_BYTES)) == 0)
        return MEMO_OK;
    return memo_fail_errno(err, errno, job->out[0].tmp_path, "cut");
}

static memo_status repair_make_copy(repair_job *job, memo_err *err)
{
    memo_wal_info info = {0};
    memo_status status = memo_replace_begin(&job->out[0], job->path, 1, err);
    if (!status)
        status = repair_copy_store(&job->claim.sql, &job->out[0], err);
    if (!status)
        status = memo_sql_open(&job->image, job->out[0].tmp_path, MEMO_SQL_WRITE, 0, 0, err);
    if (!status)
        status = repair_fold_log(job, &job->image, &info, err);
    job->n_log_bytes = info.n_bytes;
    if (!status)
        status = repair_cut_copy(job, &info, err);
    if (!status)
        status = memo_pages_check_still(&job->image, &job->bad, err);
    if (status)
        return status;
    job->repair.report->n_pages = job->bad.n_pages;
    job->repair.report->n_bad_pages = job->bad.n;
    if (job->bad.n)
        status = repair_say_pages(job, err);
    return status ? status : repair_fresh_sums(job, err);
}

/* ---- rows ---------------------------------------------------------------------------------- */

/* Whether SQLite finds the structure right: b-trees, indexes against tables, free pages. */
static memo_status repair_structure(memo_sql *sql, memo_err *err)
{
    int row;
    memo_text line;
    memo_stmt st = memo_stmt_once(sql, "PRAGMA integrity_check(1)", "check its structure");
    memo_status status = memo_stmt_step(&st, &row, err);
    line = !status && row ? memo_stmt_col_text(&st, 0) : (memo_text){NULL, 0};
    if (!status && (!line.bytes || strcmp(line.bytes, "ok") != 0))
        status = memo_fail(err, MEMO_ERR_CORRUPT, "its structure: %.300s",
                           line.bytes ? line.bytes : "not known");
    memo_stmt_done(&st);
    return status;
}

/* A log that gives less than was acknowledged: what it lost is lost, and said. Without a log that is
 * no damage (mark.h), and said too, of the file itself: what a new one lacks is named row by row. */
static memo_status repair_look_at_mark(const repair_job *job, memo_store *store, int *changed,
                                       memo_err *err)
{
    int64_t change = 0;
    memo_status status = MEMO_OK;
    if (strcmp(job->mark.uuid, store->uuid) != 0 || (!job->n_log_bytes && job->out[1].path))
        return MEMO_OK;
    status = memo_sql_int(&store->sql, "SELECT change_seq FROM meta", &change, err);
    if (status || change >= job->mark.change)
        return status;
    job->repair.report->n_lost_changes = (uint64_t)(job->mark.change - change);
    if (!job->n_log_bytes) {
        memo_repair_say(&job->repair, MEMO_FINDING_WARN, "file", "take them from a backup",
                        MEMO_MARK_AHEAD, job->mark.change, change);
        return MEMO_OK;
    }
    memo_repair_say(&job->repair, MEMO_FINDING_BAD, "file", "take them from a backup",
                    "the write-ahead log is damaged: changes %" PRId64 " to %" PRId64
                    " were acknowledged and are lost",
                    change + 1, job->mark.change);
    *changed = 1;
    return MEMO_OK;
}

/* What was committed must be in the file itself: its log is not kept. */
static memo_status repair_fold_own_log(memo_store *store, memo_err *err)
{
    int rc =
        sqlite3_wal_checkpoint_v2(store->sql.db, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    return rc == SQLITE_OK ? MEMO_OK : memo_sql_fail(&store->sql, rc, "finish the new file", err);
}

/* Open a new file as a store and put its rows in order. MEMO_ERR_CORRUPT: its structure is not
 * right. Come with *changed 1 when its words are to be made again in any case. */
static memo_status repair_mend(repair_job *job, const char *tmp_path, int *changed, memo_err *err)
{
    const memo_store_options options = {.mode = MEMO_OPEN_EXISTING, .repairing = 1};
    memo_store *store = NULL;
    memo_status status = memo_store_open(job->ctx, tmp_path, &options, &store, err);
    if (!status)
        status = repair_structure(&store->sql, err);
    if (!status)
        status = repair_look_at_mark(job, store, changed, err);
    if (!status)
        status = memo_store_begin_write(store, err);
    if (!status)
        status = memo_repair_rows(store, &job->repair, changed, err);
    if (!status && *changed) {
        status = memo_store_commit(store, err);
        if (!status)
            status = repair_fold_own_log(store, err);
    }
    memo_store_close(store);
    return status;
}

static memo_status repair_rebuild(repair_job *job, memo_err *err)
{
    int changed = 1;
    memo_status status = memo_replace_begin(&job->out[1], job->path, 1, err);
    if (!status)
        status = memo_rescue(&job->repair, &job->image, &job->bad, job->out[1].tmp_path, err);
    if (!status)
        status = repair_mend(job, job->out[1].tmp_path, &changed, err);
    job->repair.report->way = MEMO_REPAIR_REBUILT;
    return status;
}

/* Make the new file; *which is the one of out[]. */
static memo_status repair_make_new(repair_job *job, int *which, memo_err *err)
{
    memo_repair_report *report = job->repair.report, before = *report;
    memo_err why = {0};
    int changed = job->bad.n != 0 || job->has_broken_end;
    memo_status status = repair_mend(job, job->out[0].tmp_path, &changed, &why);
    *which = 0;
    /* What a damaged header says of its version is damage. */
    if (status == MEMO_ERR_CORRUPT ||
        (status == MEMO_ERR_UNSUPPORTED && memo_pages_has(&job->bad, 1))) {
        size_t n_name = strlen(job->out[0].tmp_path);
        int named = strncmp(why.message, job->out[0].tmp_path, n_name) == 0;
        memo_repair_say(&job->repair, MEMO_FINDING_BAD, "file", "",
                        "%s; a new store is made of all rows that can be read",
                        why.message + (named ? n_name + 2 : 0));
        *report = before;
        *which = 1;
        return repair_rebuild(job, err);
    }
    if (status) {
        if (err)
            *err = why;
        return status;
    }
    report->way = job->bad.n ? MEMO_REPAIR_PAGES : changed ? MEMO_REPAIR_ROWS : MEMO_REPAIR_NOTHING;
    if (!job->bad.n)
        return MEMO_OK;
    if (!report->n_quarantined)
        memo_repair_say(
            &job->repair, MEMO_FINDING_WARN, "pages",
            "look into a store with other SQLite programs read-only",
            "what is in these pages passes every other check: they get fresh checksums");
    return memo_rescue_name_unproven(&job->repair, &job->image, &job->bad, err);
}

/* ---- all of it ----------------------------------------------------------------------------- */

/* A file with the header of another program's database, or of a newer store, is left alone. */
static memo_status repair_check_kind(repair_job *job, memo_err *err)
{
    int64_t version = 0, n_bytes = memo_vfs_file_bytes(job->claim.sql.db);
    unsigned char head[100] = {0};
    memo_status status = MEMO_OK;
    int n_read = 0;
    if (n_bytes < MEMO_PAGE_BYTES)
        return memo_fail(err, MEMO_ERR_CORRUPT, "%s: %" PRId64 " bytes are not one page of a store",
                         job->path, n_bytes);
    status = memo_vfs_raw_read(job->claim.sql.db, 0, head, sizeof head, &n_read, err);
    if (status || memcmp(head, "SQLite format 3", 16) != 0)
        return status;
    status = memo_schema_check_header(&job->claim.sql, memo_schema_n_steps, &version, err);
    /* Damage in the header is what this is for; another program's number is not damage. */
    if (status == MEMO_ERR_CORRUPT && memcmp(head + 68, "MEMO", 4) == 0)
        status = MEMO_OK;
    return status;
}

/* Take away what an open of a temporary file left beside it; needs no memory. */
static void repair_clear_beside(const char *tmp_path)
{
    static const char *const sides[] = {"-lock", "-wal", "-shm", "-journal"};
    char name[PATH_MAX + 16];
    for (size_t i = 0; tmp_path && i < sizeof sides / sizeof *sides; i++) {
        snprintf(name, sizeof name, "%s%s", tmp_path, sides[i]);
        (void)memo_sys_get()->unlink(name);
    }
    for (size_t v = 1; tmp_path && v < memo_schema_n_steps; v++) { /* of an older schema */
        snprintf(name, sizeof name, "%s.v%zu.bak", tmp_path, v);
        (void)memo_sys_get()->unlink(name);
    }
}

/* An index of the vectors as they were. It would be found out, and is of no use. */
static void repair_remove_index(const char *path)
{
    char name[PATH_MAX + 16];
    snprintf(name, sizeof name, "%s-idx", path);
    (void)memo_sys_get()->unlink(name);
}

static memo_status repair_claimed(repair_job *job, const memo_lock *lock, memo_err *err)
{
    int which = 0;
    memo_status status = repair_check_kind(job, err);
    if (!status)
        status = repair_make_copy(job, err);
    if (!status)
        status = repair_make_new(job, &which, err);
    memo_sql_close(&job->image, 1);
    repair_clear_beside(job->out[0].tmp_path);
    repair_clear_beside(job->out[1].tmp_path);
    memo_replace_fini(&job->out[!which]); /* its room is wanted for the original */
    if (status || job->dry_run || job->repair.report->way == MEMO_REPAIR_NOTHING)
        return status;
    status = repair_keep_original(job, err);
    if (!status)
        status = repair_settle_old(job, err);
    if (!status)
        status = memo_claim_replace(&job->claim, &job->out[which], err);
    if (!status)
        repair_remove_index(job->path);
    if (!status && job->mark.change) { /* what is lost has been said; a folded log is no loss */
        job->mark.change = 0;
        memo_mark_write(lock, &job->mark, 1);
    }
    return status;
}

static memo_status repair_locked(repair_job *job, memo_err *err)
{
    memo_lock lock = {.fd = -1};
    memo_status status = memo_lock_init(&lock, job->path, err);
    if (!status)
        status = memo_lock_take(&lock, job->busy_ms, err);
    if (!status) {
        memo_mark_read(lock.path, &job->mark);
        status = memo_claim_take(&job->claim, job->path, job->busy_ms, err);
    }
    if (!status && memo_vfs_has_moved(job->claim.sql.db))
        status = memo_fail(err, MEMO_ERR_BUSY, "%s was replaced at this moment", job->path);
    if (!status)
        status = repair_claimed(job, &lock, err);
    memo_claim_drop(&job->claim);
    memo_lock_fini(&lock);
    return status;
}

memo_status memo_store_repair(memo_ctx *ctx, const char *path, const memo_repair_options *options,
                              const memo_store_sink *sink, memo_repair_report *report,
                              memo_err *err)
{
    repair_job job = {.ctx = ctx,
                      .arena = sink->arena,
                      .repair = {sink->fn, sink->user, memo_now_ms(ctx), report},
                      .dry_run = options->dry_run,
                      .busy_ms =
                          options->busy_timeout_ms ? options->busy_timeout_ms : REPAIR_BUSY_MS,
                      .out = {{.fd = -1}, {.fd = -1}}};
    memo_buf log = {0};
    int exists = 0;
    memo_status status = memo_lock_resolve(path, &job.path, &exists, err);
    if (!status && !exists)
        status = memo_fail(err, MEMO_ERR_NOTFOUND, "%s: no such store", path);
    memo_buf_printf(&log, "%s-wal", job.path ? job.path : "");
    job.log = memo_buf_take(&log);
    if (!status && !job.log)
        status = memo_fail_nomem(err, "a file name", strlen(job.path));
    if (!status)
        status = repair_locked(&job, err);
    memo_replace_fini(&job.out[0]);
    memo_replace_fini(&job.out[1]);
    memo_pages_fini(&job.bad);
    memo_free(job.path);
    memo_free(job.log);
    return status;
}
