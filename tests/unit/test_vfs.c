// SPDX-License-Identifier: Apache-2.0
/* Page checksums: in the file, in the write-ahead log, through checkpoint and VACUUM; and the seam
 * for fault injection. Works on plain SQLite databases through the layer. */
#include "store_util.h"

#include <sqlite3.h>

#include "store/disk/vfs.h"

static sqlite3 *open_db(const char *path)
{
    sqlite3 *db = NULL;
    int reserve = MEMO_PAGE_SUM;
    util_ok(memo_vfs_register(err));
    assert_int_equal(
        sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, MEMO_VFS_NAME),
        SQLITE_OK);
    sqlite3_extended_result_codes(db, 1);
    sqlite3_file_control(db, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserve);
    sqlite3_exec(db,
                 "PRAGMA page_size=8192; PRAGMA cache_spill=OFF; PRAGMA wal_autocheckpoint=0;"
                 "PRAGMA synchronous=FULL",
                 NULL, NULL, NULL);
    return db;
}

static void run(sqlite3 *db, const char *sql)
{
    char *message = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", sql, message);
}

static int try(sqlite3 *db, const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

/* 200 rows of 1,000 bytes. */
static const char fill[] = "CREATE TABLE t(a INTEGER PRIMARY KEY, b);"
                           "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n LIMIT 200)"
                           " INSERT INTO t SELECT i, randomblob(1000) FROM n";

/* Every page of the file has its checksum; returns how many there are. */
static size_t check_pages(const char *path)
{
    size_t n;
    unsigned char *bytes = util_slurp(path, &n);
    assert_int_equal(n % MEMO_PAGE_BYTES, 0);
    for (size_t i = 0; i < n / MEMO_PAGE_BYTES; i++) {
        const unsigned char *page = bytes + i * MEMO_PAGE_BYTES;
        uint64_t sum = memo_vfs_page_sum(page, (uint32_t)i + 1);
        for (int k = 0; k < 8; k++)
            assert_int_equal(page[MEMO_PAGE_BYTES - 8 + k], (sum >> (8 * k)) & 0xff);
    }
    free(bytes);
    return n / MEMO_PAGE_BYTES;
}

static void flip(const char *path, size_t at, unsigned char mask)
{
    FILE *f = fopen(path, "r+b");
    int byte;
    assert_non_null(f);
    fseek(f, (long)at, SEEK_SET);
    byte = fgetc(f);
    fseek(f, (long)at, SEEK_SET);
    fputc(byte ^ mask, f);
    assert_int_equal(fclose(f), 0);
}

static void test_vfs_every_page_written_is_summed(void **state)
{
    util_env *env = *state;
    sqlite3 *db = open_db(env->path);
    size_t n;
    run(db, "PRAGMA journal_mode=DELETE");
    run(db, fill);
    n = check_pages(env->path);
    assert_true(n > 25);
    run(db, "PRAGMA journal_mode=WAL");
    run(db, "UPDATE t SET b = randomblob(1100)");
    run(db, "PRAGMA wal_checkpoint(TRUNCATE)");
    check_pages(env->path);
    run(db, "DELETE FROM t WHERE a % 2");
    run(db, "VACUUM");
    run(db, "PRAGMA wal_checkpoint(TRUNCATE)");
    assert_true(check_pages(env->path) < n);
    run(db, "BEGIN; UPDATE t SET b = 1; ROLLBACK");
    sqlite3_close(db);
    db = open_db(env->path);
    run(db, "SELECT sum(length(b)) FROM t");
    run(db, "PRAGMA integrity_check");
    sqlite3_close(db);
    check_pages(env->path);
}

static void test_vfs_changed_page_is_not_read(void **state)
{
    util_env *env = *state;
    sqlite3 *db = open_db(env->path);
    size_t n_pages;
    run(db, fill);
    sqlite3_close(db);
    n_pages = check_pages(env->path);
    for (uint32_t page = 2; page <= n_pages; page += 5) {
        memo_vfs_faults faults;
        size_t at = (size_t)(page - 1) * MEMO_PAGE_BYTES + page * 131 % MEMO_PAGE_BYTES;
        flip(env->path, at, 0x10);
        db = open_db(env->path);
        assert_int_equal(try(db, "SELECT sum(length(b)), max(b) FROM t"), SQLITE_IOERR_DATA);
        memo_vfs_take_faults(db, &faults);
        assert_int_equal(faults.n_pages, 1);
        assert_int_equal(faults.pages[0], page);
        memo_vfs_take_faults(db, &faults);
        assert_int_equal(faults.n_pages, 0);
        memo_vfs_set_lenient(db);
        assert_int_not_equal(try(db, "SELECT sum(length(b)), max(b) FROM t"), SQLITE_IOERR_DATA);
        memo_vfs_take_faults(db, &faults);
        assert_int_equal(faults.pages[0], page);
        sqlite3_close(db);
        flip(env->path, at, 0x10);
    }
}

/* Two whole, good pages that change places are noticed: the page number is in the sum. */
static void test_vfs_swapped_pages_are_noticed(void **state)
{
    util_env *env = *state;
    sqlite3 *db = open_db(env->path);
    size_t n;
    unsigned char *bytes, page[MEMO_PAGE_BYTES];
    run(db, fill);
    sqlite3_close(db);
    bytes = util_slurp(env->path, &n);
    memcpy(page, bytes + 5 * MEMO_PAGE_BYTES, sizeof page);
    memcpy(bytes + 5 * MEMO_PAGE_BYTES, bytes + 6 * MEMO_PAGE_BYTES, sizeof page);
    memcpy(bytes + 6 * MEMO_PAGE_BYTES, page, sizeof page);
    util_spill(env->path, bytes, n);
    free(bytes);
    db = open_db(env->path);
    assert_int_equal(try(db, "SELECT max(b) FROM t"), SQLITE_IOERR_DATA);
    sqlite3_close(db);
}

/* A bit that changes in a frame of the log while it is in use: not read, and above all not copied
 * into the file by a checkpoint, which would give it a good checksum. */
static void test_vfs_changed_frame_is_not_read_or_checkpointed(void **state)
{
    util_env *env = *state;
    char wal[128];
    size_t n_wal;
    sqlite3 *db = open_db(env->path), *reader;
    memo_vfs_faults faults;
    snprintf(wal, sizeof wal, "%s-wal", env->path);
    run(db, "PRAGMA journal_mode=WAL");
    run(db, fill);
    free(util_slurp(wal, &n_wal));
    for (size_t frame = 3; frame < 20; frame += 4) {
        size_t at = 32 + frame * (24 + MEMO_PAGE_BYTES) + 24 + 4000;
        assert_true(at < n_wal);
        flip(wal, at, 0x01);
        reader = open_db(env->path);
        assert_int_equal(try(reader, "SELECT max(b) FROM t"), SQLITE_IOERR_DATA);
        memo_vfs_take_faults(reader, &faults);
        assert_int_equal(faults.n_pages, 1);
        assert_int_equal(try(reader, "PRAGMA wal_checkpoint(PASSIVE)"), SQLITE_IOERR_DATA);
        flip(wal, at, 0x01);
        assert_int_equal(try(reader, "SELECT max(b) FROM t"), SQLITE_OK);
        sqlite3_close(reader);
    }
    run(db, "PRAGMA wal_checkpoint(TRUNCATE)");
    sqlite3_close(db);
    check_pages(env->path);
}

/* ---- the seam ------------------------------------------------------------------------------ */

typedef struct hook_plan {
    memo_vfs_op op;
    uint64_t fail_at; /* the n-th call of this operation, from 1 */
    int rc, partial;
    uint64_t counts[MEMO_VFS_N_OPS];
} hook_plan;

static int hook(void *user, memo_vfs_op op, const char *path, int64_t offset, int amount,
                int *n_bytes)
{
    hook_plan *plan = user;
    (void)path;
    (void)offset;
    if (++plan->counts[op] != plan->fail_at || op != plan->op)
        return SQLITE_OK;
    *n_bytes = plan->partial ? amount / 2 : 0;
    return plan->rc;
}

static void test_vfs_hook_counts_and_fails(void **state)
{
    util_env *env = *state;
    hook_plan plan = {.fail_at = 0};
    sqlite3 *db;
    memo_vfs_faults faults;
    memo_vfs_set_hook(hook, &plan);
    db = open_db(env->path);
    run(db, "PRAGMA journal_mode=WAL");
    run(db, fill);
    assert_true(plan.counts[MEMO_VFS_OPEN] >= 2);
    assert_true(plan.counts[MEMO_VFS_WRITE] > 25);
    assert_true(plan.counts[MEMO_VFS_SYNC] >= 1);
    plan = (hook_plan){.op = MEMO_VFS_SYNC, .fail_at = 1, .rc = SQLITE_IOERR_FSYNC};
    assert_int_equal(try(db, "INSERT INTO t VALUES(1000, 1)"), SQLITE_IOERR_FSYNC);
    memo_vfs_take_faults(db, &faults);
    assert_int_equal(faults.sync_failed, 1);
    plan = (hook_plan){.op = MEMO_VFS_WRITE, .fail_at = 2, .rc = SQLITE_FULL, .partial = 1};
    assert_int_equal(try(db, "INSERT INTO t VALUES(1001, 1)"), SQLITE_FULL);
    memo_vfs_set_hook(NULL, NULL);
    run(db, "INSERT INTO t VALUES(1002, 1)");
    sqlite3_close(db);
    db = open_db(env->path);
    run(db, "PRAGMA integrity_check");
    sqlite3_close(db);
}

typedef struct after_log {
    uint64_t counts[MEMO_VFS_N_OPS], n_bytes, n_failed;
} after_log;

static void after_hook(void *user, memo_vfs_op op, const char *path, int64_t offset,
                       const void *bytes, int amount, int rc)
{
    after_log *log = user;
    unsigned char sum[8];
    log->counts[op]++;
    log->n_failed += rc != SQLITE_OK && rc != SQLITE_IOERR_SHORT_READ;
    assert_true((bytes != NULL) == (op == MEMO_VFS_WRITE));
    if (op != MEMO_VFS_WRITE)
        return;
    log->n_bytes += (uint64_t)amount;
    if (!path || strstr(path, "-wal") || strstr(path, "-journal"))
        return;
    /* What is reported is what went to the disk: with the page's checksum. */
    for (int i = 0; i < 8; i++)
        sum[i] =
            (unsigned char)(memo_vfs_page_sum(bytes, (uint32_t)(offset / amount) + 1) >> (8 * i));
    assert_memory_equal(sum, (const char *)bytes + amount - 8, 8);
}

static void test_vfs_after_hook_sees_what_took_place(void **state)
{
    util_env *env = *state;
    hook_plan plan = {.fail_at = 0};
    after_log log = {.n_bytes = 0};
    sqlite3 *db;
    memo_vfs_set_hook(hook, &plan);
    memo_vfs_set_after_hook(after_hook, &log);
    db = open_db(env->path);
    run(db, "PRAGMA journal_mode=WAL");
    run(db, fill);
    run(db, "PRAGMA wal_checkpoint(TRUNCATE)");
    for (int op = 0; op < MEMO_VFS_N_OPS; op++)
        assert_int_equal(log.counts[op], plan.counts[op]);
    assert_true(log.counts[MEMO_VFS_SHM_MAP] >= 1 && log.counts[MEMO_VFS_SHM_LOCK] >= 2);
    assert_true(log.counts[MEMO_VFS_LOCK] >= 1 && log.n_bytes > 25 * MEMO_PAGE_BYTES);
    assert_int_equal(log.n_failed, 0);
    plan = (hook_plan){.op = MEMO_VFS_SYNC, .fail_at = 1, .rc = SQLITE_IOERR_FSYNC};
    log = (after_log){.n_bytes = 0};
    assert_int_equal(try(db, "INSERT INTO t VALUES(1000, 1)"), SQLITE_IOERR_FSYNC);
    assert_int_equal(log.counts[MEMO_VFS_SYNC] + 1, plan.counts[MEMO_VFS_SYNC]);
    memo_vfs_set_after_hook(NULL, NULL);
    memo_vfs_set_hook(NULL, NULL);
    sqlite3_close(db);
}

/* A disk that says it has written and has not: what is gone shows. */
static void test_vfs_swallowed_write_is_reported_as_done(void **state)
{
    util_env *env = *state;
    char wal[128];
    hook_plan plan = {.op = MEMO_VFS_SYNC, .fail_at = 1, .rc = MEMO_VFS_SWALLOW};
    sqlite3 *db = open_db(env->path);
    size_t before, after;
    memo_vfs_faults faults;
    snprintf(wal, sizeof wal, "%s-wal", env->path);
    run(db, "PRAGMA journal_mode=WAL");
    run(db, fill);
    free(util_slurp(wal, &before));
    memo_vfs_set_hook(hook, &plan);
    assert_int_equal(try(db, "INSERT INTO t VALUES(1000, 1)"), SQLITE_OK);
    memo_vfs_take_faults(db, &faults);
    assert_int_equal(faults.sync_failed, 0);
    free(util_slurp(wal, &after));
    assert_true(after > before);
    plan = (hook_plan){.op = MEMO_VFS_WRITE, .fail_at = 1, .rc = MEMO_VFS_SWALLOW};
    assert_int_equal(try(db, "INSERT INTO t VALUES(1001, 1)"), SQLITE_OK);
    memo_vfs_set_hook(NULL, NULL);
    sqlite3_close(db);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, util_setup, util_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_vfs_every_page_written_is_summed),
        CASE(test_vfs_changed_page_is_not_read),
        CASE(test_vfs_swapped_pages_are_noticed),
        CASE(test_vfs_changed_frame_is_not_read_or_checkpointed),
        CASE(test_vfs_hook_counts_and_fails),
        CASE(test_vfs_after_hook_sees_what_took_place),
        CASE(test_vfs_swallowed_write_is_reported_as_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
