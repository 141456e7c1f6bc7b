// SPDX-License-Identifier: Apache-2.0
/* What may be opened, what is refused and how it is said; migrations; forks; media that can only be
 * read. */
#include "store_util.h"

#include <errno.h>
#include <sqlite3.h>
#include <sys/wait.h>

#include "base/file.h"
#include "store/disk/vfs.h"
#include "store/schema.h"
#include "store/store_inner.h"

static memo_status open_mode(util_env *env, memo_open_mode mode, memo_err *err)
{
    memo_store_options options = {.mode = mode, .busy_timeout_ms = 200};
    memo_store *store = NULL;
    memo_status status = memo_store_open(env->ctx, env->path, &options, &store, err);
    if (status)
        assert_null(store);
    memo_store_close(store);
    return status;
}

static const memo_open_mode all_modes[] = {MEMO_OPEN_CREATE, MEMO_OPEN_EXISTING,
                                           MEMO_OPEN_READ_ONLY};

static void refused_in_all_modes(util_env *env, memo_status status, const char *message)
{
    for (size_t i = 0; i < 3; i++)
        util_fails(status, message, open_mode(env, all_modes[i], err));
}

/* Run SQL on the store file as another program would, with good page checksums. */
static void meddle(util_env *env, const char *sql)
{
    sqlite3 *db = NULL;
    char *message = NULL;
    assert_int_equal(
        sqlite3_open_v2(env->path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, MEMO_VFS_NAME),
        SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", sql, message);
    sqlite3_close(db);
}

static void make_store(util_env *env)
{
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    util_add(store, "a", "one record", 1);
    memo_store_close(store);
}

static void side_path(const util_env *env, const char *suffix, char out[160])
{
    snprintf(out, 160, "%s%s", env->path, suffix);
}

static void make_foreign(const util_env *env)
{
    sqlite3 *db;
    sqlite3_open(env->path, &db);
    sqlite3_exec(db, "CREATE TABLE t(a); INSERT INTO t VALUES(1)", NULL, NULL, NULL);
    sqlite3_close(db);
}

/* ---- what is not a store ------------------------------------------------------------------- */

static void test_open_missing_and_empty(void **state)
{
    util_env *env = *state;
    util_fails(MEMO_ERR_NOTFOUND, "no such store", open_mode(env, MEMO_OPEN_EXISTING, err));
    util_fails(MEMO_ERR_NOTFOUND, "no such store", open_mode(env, MEMO_OPEN_READ_ONLY, err));
    util_spill(env->path, "", 0);
    util_fails(MEMO_ERR_CORRUPT, "is empty", open_mode(env, MEMO_OPEN_EXISTING, err));
    util_fails(MEMO_ERR_CORRUPT, "is empty", open_mode(env, MEMO_OPEN_READ_ONLY, err));
    util_ok(open_mode(env, MEMO_OPEN_CREATE, err));
    util_ok(open_mode(env, MEMO_OPEN_READ_ONLY, err));
}

static void test_open_refuses_other_files(void **state)
{
    util_env *env = *state;
    unsigned char *bytes, noise[9000];
    size_t n;
    char wal[160];
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (unsigned char)(i * 7 + i / 251);
    util_spill(env->path, noise, sizeof noise);
    refused_in_all_modes(env, MEMO_ERR_CORRUPT, "no SQLite header");
    util_spill(env->path, "hello", 5);
    refused_in_all_modes(env, MEMO_ERR_CORRUPT, "no SQLite header");
    unlink(env->path);
    make_foreign(env);
    bytes = util_slurp(env->path, &n);
    refused_in_all_modes(env, MEMO_ERR_CORRUPT, "application id 0x00000000");
    {
        size_t n_after;
        unsigned char *after = util_slurp(env->path, &n_after);
        assert_int_equal(n, n_after); /* left as it was */
        assert_memory_equal(bytes, after, n);
        free(after);
    }
    free(bytes);
    unlink(env->path);
    make_store(env);
    side_path(env, "-wal", wal);
    assert_int_equal(truncate(env->path, 0), 0);
    util_spill(wal, "some log", 8);
    util_fails(MEMO_ERR_CORRUPT, "was cut", open_mode(env, MEMO_OPEN_CREATE, err));
}

/* A file that is no store is left without a lock beside it; one that has a lock is looked at under it. */
static void test_open_leaves_no_lock_beside_other_files(void **state)
{
    static const memo_open_mode modes[] = {MEMO_OPEN_CREATE, MEMO_OPEN_EXISTING};
    util_env *env = *state;
    char lock[160];
    struct stat st;
    side_path(env, "-lock", lock);
    for (size_t i = 0; i < 2; i++) {
        util_spill(env->path, "hello, this is a text", 21);
        util_fails(MEMO_ERR_CORRUPT, "no SQLite header", open_mode(env, modes[i], err));
        assert_int_equal(lstat(lock, &st), -1);
        unlink(env->path);
        make_foreign(env);
        util_fails(MEMO_ERR_CORRUPT, "application id 0x00000000", open_mode(env, modes[i], err));
        assert_int_equal(lstat(lock, &st), -1);
        unlink(env->path);
    }
    util_spill(env->path, "", 0); /* may become one */
    make_store(env);
    assert_int_equal(lstat(lock, &st), 0);
    util_spill(env->path, "hello", 5);
    refused_in_all_modes(env, MEMO_ERR_CORRUPT, "no SQLite header");
    unlink(env->path);
    make_store(env);
    unlink(lock); /* a copy that came without it */
    memo_store_close(util_open(env, MEMO_OPEN_EXISTING));
    assert_int_equal(lstat(lock, &st), 0);
}

static void test_open_refuses_damaged_headers_and_cut_files(void **state)
{
    util_env *env = *state;
    unsigned char *good, *bad;
    size_t n;
    make_store(env);
    good = util_slurp(env->path, &n);
    bad = malloc(n);
    static const struct {
        size_t at;
        unsigned char value[2];
        const char *message;
    } cases[] = {
        {16, {0, 0}, "pages of 0 bytes"},          {16, {0x20, 1}, "pages of 8193"},
        {16, {0x10, 0}, "pages of 4096"},          {20, {0, 64}, "0 reserved"},
        {62, {0, 0}, "schema version 0"},          {68, {0, 0}, "application id"},
        {40, {0xff, 0xff}, "checksum of page 1 "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        memcpy(bad, good, n);
        memcpy(bad + cases[i].at, cases[i].value, 2);
        util_spill(env->path, bad, n);
        refused_in_all_modes(env, MEMO_ERR_CORRUPT, cases[i].message);
    }
    memset(bad, 0, MEMO_PAGE_BYTES);
    util_spill(env->path, bad, n);
    refused_in_all_modes(env, MEMO_ERR_CORRUPT, "no SQLite header");
    for (size_t cut = 1; cut < n; cut += 3001) {
        util_spill(env->path, good, cut);
        refused_in_all_modes(env, MEMO_ERR_CORRUPT, "");
    }
    util_spill(env->path, good, n / 2);
    refused_in_all_modes(env, MEMO_ERR_CORRUPT, "");
    util_spill(env->path, good, n);
    util_ok(open_mode(env, MEMO_OPEN_READ_ONLY, err));
    free(good);
    free(bad);
}

static void test_open_refuses_newer_schema(void **state)
{
    util_env *env = *state;
    make_store(env);
    meddle(env, "PRAGMA user_version = 7");
    refused_in_all_modes(env, MEMO_ERR_UNSUPPORTED, "schema version 7; this library");
    refused_in_all_modes(env, MEMO_ERR_UNSUPPORTED, "up to 2");
}

/* ---- planted schema objects ---------------------------------------------------------------- */

static void test_open_refuses_foreign_schema_objects(void **state)
{
    util_env *env = *state;
    unsigned char *good;
    size_t n;
    static const char *const plants[][2] = {
        {"CREATE TRIGGER evil AFTER INSERT ON records BEGIN DELETE FROM records; END", "trigger"},
        {"CREATE TRIGGER evil AFTER UPDATE ON meta BEGIN DELETE FROM records; END", "trigger"},
        {"CREATE VIEW evil AS SELECT * FROM records", "view"},
        {"CREATE TABLE evil(a)", "table \"evil\""},
        {"CREATE VIRTUAL TABLE evil USING fts5(a)", "table \"evil"},
        {"CREATE INDEX evil ON records(title)", "index \"evil\""},
        {"CREATE INDEX evil ON records(upper(title))", "index \"evil\""},
        {"ALTER TABLE forgotten ADD COLUMN evil TEXT DEFAULT 'x'", "table \"forgotten\""},
        {"DROP INDEX records_by_age", "instead of the"},
        {"DROP TABLE quarantine", "instead of the"},
        {"DROP TABLE meta; CREATE VIEW meta AS SELECT 1 AS one, 'x' AS uuid", "view \"meta\""},
    };
    make_store(env);
    good = util_slurp(env->path, &n);
    for (size_t i = 0; i < sizeof plants / sizeof *plants; i++) {
        util_spill(env->path, good, n);
        meddle(env, plants[i][0]);
        refused_in_all_modes(env, MEMO_ERR_CORRUPT, plants[i][1]);
        if (strncmp(plants[i][0], "DROP", 4) != 0)
            refused_in_all_modes(env, MEMO_ERR_CORRUPT, "unexpected schema object");
    }
    free(good);
}

/* ---- upgrades ------------------------------------------------------------------------------ */

/* The upgrade to a version 3 that does not exist outside this test. */
static const char *const next_create[] = {
    "CREATE TABLE added(a INTEGER PRIMARY KEY, b TEXT NOT NULL) STRICT"};
static const char *const broken_create[] = {"CREATE TABLE added(a)", "CREATE TABLE added(a)"};

static memo_status fill_next(memo_sql *sql, memo_err *e)
{
    return memo_sql_exec(sql, "INSERT INTO added SELECT rid, id FROM records", "fill", e);
}

static void make_steps(memo_schema_step out[3], const char *const *create, size_t n_create,
                       memo_status (*fill)(memo_sql *, memo_err *))
{
    out[0] = memo_schema_steps[0];
    out[1] = memo_schema_steps[1];
    out[2] = (memo_schema_step){.create = create, .n_create = n_create, .fill = fill};
}

static int fail_fsync(int fd)
{
    (void)fd;
    errno = EIO;
    return -1;
}

static void test_open_upgrade_copies_then_changes_all_or_nothing(void **state)
{
    util_env *env = *state;
    memo_schema_step steps[3];
    char backup[160], part[160];
    memo_sql sql;
    int64_t version = 0, rows = -1;
    make_store(env);
    side_path(env, ".v2.bak", backup);
    side_path(env, ".v2.bak.part", part);
    util_ok(memo_sql_open(&sql, env->path, MEMO_SQL_WRITE, 0, 100, err));
    util_ok(memo_sql_setup(&sql, err));

    make_steps(steps, broken_create, 2, NULL);
    assert_int_not_equal(memo_schema_upgrade(&sql, steps, 3, 2, NULL), MEMO_OK);
    util_ok(memo_sql_int(&sql, "PRAGMA user_version", &version, err));
    assert_int_equal(version, 2);
    util_ok(memo_schema_check(&sql, steps, 2, err));

    { /* a backup whose name may not last is none: nothing is upgraded */
        memo_sys sys = *memo_sys_get();
        sys.fsync = fail_fsync;
        memo_sys_set(&sys);
        make_steps(steps, next_create, 1, NULL);
        assert_int_equal(memo_schema_upgrade(&sql, steps, 3, 2, NULL), MEMO_ERR_IO);
        memo_sys_set(NULL);
        util_ok(memo_sql_int(&sql, "PRAGMA user_version", &version, err));
        assert_int_equal(version, 2);
    }

    make_steps(steps, next_create, 1, fill_next);
    util_ok(memo_schema_upgrade(&sql, steps, 3, 2, err));
    util_ok(memo_sql_int(&sql, "PRAGMA user_version", &version, err));
    util_ok(memo_sql_int(&sql, "SELECT count(*) FROM added", &rows, err));
    assert_int_equal(version, 3);
    assert_int_equal(rows, 1);
    util_ok(memo_schema_check(&sql, steps, 3, err));
    util_fails(MEMO_ERR_CORRUPT, "\"added\"", memo_schema_check(&sql, steps, 2, err));
    memo_sql_close(&sql, 0);
    refused_in_all_modes(env, MEMO_ERR_UNSUPPORTED, "schema version 3");

    /* The copy is a whole store of the old version. */
    assert_int_equal(access(part, F_OK), -1);
    assert_int_equal(rename(backup, env->path), 0);
    {
        memo_store *store = util_open(env, MEMO_OPEN_EXISTING);
        assert_int_equal(util_count(store), 1);
        util_check_clean(store);
        memo_store_close(store);
    }
}

/* ---- logs ---------------------------------------------------------------------------------- */

static void copy_file(const char *from, const char *to)
{
    size_t n;
    unsigned char *bytes = util_slurp(from, &n);
    util_spill(to, bytes, n);
    free(bytes);
}

static void test_open_refuses_the_log_of_another_store(void **state)
{
    util_env *env = *state;
    char wal[160], stolen[160];
    memo_store *store;
    side_path(env, "-wal", wal);
    side_path(env, ".stolen", stolen);
    store = util_open(env, MEMO_OPEN_CREATE);
    util_add(store, "theirs", "a record of the other store", 1);
    copy_file(wal, stolen);
    memo_store_close(store);
    unlink(env->path);
    make_store(env);
    copy_file(stolen, wal);
    refused_in_all_modes(env, MEMO_ERR_CORRUPT, "belongs to another store");
    unlink(wal);
    store = util_open(env, MEMO_OPEN_READ_ONLY);
    assert_int_equal(util_count(store), 1);
    memo_store_close(store);
}

/* A writer that dies leaves its log; the next one, and a reader, see every commit. */
static void test_open_after_a_crash_finds_every_commit(void **state)
{
    util_env *env = *state;
    memo_db_stats stats = {.size = sizeof stats};
    memo_store *store;
    int exit_status;
    pid_t pid = fork();
    if (pid == 0) {
        memo_store *dying = util_open(env, MEMO_OPEN_CREATE);
        for (unsigned i = 0; i < 10; i++) {
            char key[8];
            snprintf(key, sizeof key, "%u", i);
            util_add(dying, key, "a record", i);
        }
        _exit(7);
    }
    waitpid(pid, &exit_status, 0);
    assert_int_equal(WEXITSTATUS(exit_status), 7);
    store = util_open(env, MEMO_OPEN_READ_ONLY);
    assert_int_equal(util_count(store), 10);
    util_ok(memo_store_get_stats(store, &stats, err));
    assert_true(stats.wal_bytes > 0);
    memo_store_close(store);
    store = util_open(env, MEMO_OPEN_EXISTING);
    assert_int_equal(util_count(store), 10);
    util_check_clean(store);
    memo_store_close(store);
    {
        char wal[160];
        side_path(env, "-wal", wal);
        assert_int_equal(access(wal, F_OK), -1);
    }
}

/* The log is folded into the file when it grows past 8 MiB, not only at the end. */
static void test_open_log_stays_bounded(void **state)
{
    util_env *env = *state;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    memo_db_stats stats = {.size = sizeof stats};
    char *text = malloc(200001);
    uint64_t most = 0;
    memset(text, 'x', 200000);
    text[200000] = '\0';
    for (unsigned i = 0; i < 100; i++) {
        char key[8];
        snprintf(key, sizeof key, "%u", i);
        util_add(store, key, text, i);
        util_ok(memo_store_get_stats(store, &stats, err));
        if (stats.wal_bytes > most)
            most = stats.wal_bytes;
    }
    free(text);
    assert_true(stats.file_bytes > (15 << 20));
    assert_true(most > (4 << 20) && most < (12 << 20));
    memo_store_close(store);
}

/* ---- places -------------------------------------------------------------------------------- */

static void test_open_refuses_what_is_no_regular_file(void **state)
{
    util_env *env = *state;
    assert_int_equal(mkdir(env->path, 0700), 0);
    refused_in_all_modes(env, MEMO_ERR_IO, "this is a folder");
    rmdir(env->path);
    assert_int_equal(mkfifo(env->path, 0600), 0);
    refused_in_all_modes(env, MEMO_ERR_IO, "this is a pipe");
}

static void test_open_through_a_link_is_the_same_store(void **state)
{
    util_env *env = *state;
    memo_store_options options = {.mode = MEMO_OPEN_EXISTING, .busy_timeout_ms = -1};
    memo_store *store = util_open(env, MEMO_OPEN_CREATE), *other = NULL;
    char link[160];
    side_path(env, ".link", link);
    assert_int_equal(symlink(env->path, link), 0);
    util_ok(memo_store_begin_write(store, err));
    util_fails(MEMO_ERR_BUSY, "held by process",
               memo_store_open(env->ctx, link, &options, &other, err));
    memo_store_rollback(store);
    util_ok(memo_store_open(env->ctx, link, &options, &other, err));
    assert_string_equal(memo_store_path(other), memo_store_path(store));
    assert_string_equal(memo_store_path(other), memo_store_path(store));
    memo_store_close(other);
    memo_store_close(store);
}

/* Run in a child without the rights of root. */
static void as_nobody(util_env *env, void (*body)(util_env *))
{
    int exit_status;
    pid_t pid = fork();
    if (pid == 0) {
        if (geteuid() == 0 && (setgid(65534) || setuid(65534)))
            _exit(1);
        body(env);
        fflush(NULL);
        _exit(0);
    }
    waitpid(pid, &exit_status, 0);
    assert_true(WIFEXITED(exit_status));
    assert_int_equal(WEXITSTATUS(exit_status), 0);
}

/* In a child a failed check has to end the child with an error. */
#define child_check(condition)                                                                     \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "line %d: %s: %s\n", __LINE__, #condition, why.message);               \
            _exit(2);                                                                              \
        }                                                                                          \
    } while (0)

static void read_without_rights(util_env *env)
{
    memo_store_options options = {.mode = MEMO_OPEN_READ_ONLY};
    memo_store_scope scope = {.ns = 1};
    memo_store *store = NULL;
    uint64_t n_records = 0, n_chunks;
    memo_err why = {0};
    child_check(memo_store_open(env->ctx, env->path, &options, &store, &why) == MEMO_OK);
    child_check(memo_store_count(store, &scope, &n_records, &n_chunks, &why) == MEMO_OK);
    child_check(n_records == 1);
    child_check(memo_store_begin_write(store, &why) == MEMO_ERR_IO);
    memo_store_close(store);
    options.mode = MEMO_OPEN_EXISTING;
    child_check(memo_store_open(env->ctx, env->path, &options, &store, &why) == MEMO_ERR_IO);
}

static void refuse_log_without_rights(util_env *env)
{
    memo_store_options options = {.mode = MEMO_OPEN_READ_ONLY};
    memo_store *store = NULL;
    memo_err why = {0};
    child_check(memo_store_open(env->ctx, env->path, &options, &store, &why) == MEMO_ERR_IO);
    child_check(strstr(why.message, "write-ahead log lies beside it") != NULL);
}

static void test_open_on_read_only_media(void **state)
{
    util_env *env = *state;
    char wal[160], shm[160], lock[160];
    make_store(env);
    side_path(env, "-wal", wal);
    side_path(env, "-shm", shm);
    side_path(env, "-lock", lock);
    chmod(env->path, 0444);
    chmod(lock, 0444);
    chmod(env->folder, 0555);
    as_nobody(env, read_without_rights);
    chmod(env->folder, 0755);
    util_spill(wal, "a log", 5);
    chmod(wal, 0444);
    chmod(env->folder, 0555);
    as_nobody(env, refuse_log_without_rights);
    chmod(env->folder, 0755);
}

/* ---- forks --------------------------------------------------------------------------------- */

static int holds_lock_file(const util_env *env)
{
    struct stat lock, st;
    char path[160];
    snprintf(path, sizeof path, "%s-lock", env->path);
    if (stat(path, &lock) != 0)
        return 1;
    for (int fd = 3; fd < 256; fd++)
        if (fstat(fd, &st) == 0 && st.st_ino == lock.st_ino && st.st_dev == lock.st_dev)
            return 1;
    return 0;
}

static void test_open_handle_is_refused_after_fork(void **state)
{
    util_env *env = *state;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    int exit_status;
    pid_t pid;
    util_add(store, "a", "one", 1);
    util_ok(memo_store_begin_write(store, err));
    pid = fork();
    if (pid == 0) {
        memo_err why = {0};
        memo_store_scope scope = {.ns = 1};
        memo_db_stats stats = {.size = sizeof stats};
        memo_arena arena = {0};
        memo_record record;
        uint64_t n;
        child_check(memo_store_begin_read(store, &why) == MEMO_ERR_USAGE);
        child_check(strstr(why.message, "after fork()") != NULL);
        child_check(memo_store_begin_write(store, &why) == MEMO_ERR_USAGE);
        child_check(memo_store_commit(store, &why) == MEMO_ERR_USAGE);
        child_check(memo_store_get(store, 1, "a", &arena, &record, &why) == MEMO_ERR_USAGE);
        child_check(memo_store_count(store, &scope, &n, &n, &why) == MEMO_ERR_USAGE);
        child_check(memo_store_get_stats(store, &stats, &why) == MEMO_ERR_USAGE);
        memo_store_rollback(store);
        memo_store_close(store);            /* must not take the parent's lock or transaction */
        child_check(!holds_lock_file(env)); /* nor keep the lock when the parent dies */
        _exit(0);
    }
    waitpid(pid, &exit_status, 0);
    assert_int_equal(exit_status, 0);
    {
        memo_add_result result = {.size = sizeof result};
        util_ok(util_put(store, 1, "b", "two", 2, &result, err));
    }
    util_fails(MEMO_ERR_BUSY, "held", open_mode(env, MEMO_OPEN_EXISTING, err));
    util_ok(memo_store_commit(store, err));
    assert_int_equal(util_count(store), 2);
    util_check_clean(store);
    memo_store_close(store);
    memo_store_close(NULL);
}

/* ---- clock --------------------------------------------------------------------------------- */

static void test_open_order_is_the_sequence_not_the_clock(void **state)
{
    util_env *env = *state;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    memo_db_stats before = {.size = sizeof before}, after = {.size = sizeof after};
    util_add(store, "a", "one", 1);
    util_ok(memo_store_get_stats(store, &before, err));
    env->now_ms = 0;
    util_add(store, "b", "two", 2);
    env->now_ms = -5;
    util_add(store, "a", "three", 3);
    util_ok(memo_store_get_stats(store, &after, err));
    assert_int_equal(after.change_seq, before.change_seq + 2);
    util_check_clean(store);
    memo_store_close(store);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, util_setup, util_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_open_missing_and_empty),
        CASE(test_open_refuses_other_files),
        CASE(test_open_leaves_no_lock_beside_other_files),
        CASE(test_open_refuses_damaged_headers_and_cut_files),
        CASE(test_open_refuses_newer_schema),
        CASE(test_open_refuses_foreign_schema_objects),
        CASE(test_open_upgrade_copies_then_changes_all_or_nothing),
        CASE(test_open_refuses_the_log_of_another_store),
        CASE(test_open_after_a_crash_finds_every_commit),
        CASE(test_open_log_stays_bounded),
        CASE(test_open_refuses_what_is_no_regular_file),
        CASE(test_open_through_a_link_is_the_same_store),
        CASE(test_open_on_read_only_media),
        CASE(test_open_handle_is_refused_after_fork),
        CASE(test_open_order_is_the_sequence_not_the_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
