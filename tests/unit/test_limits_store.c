// SPDX-License-Identifier: Apache-2.0
/* Store files in every bad state, by number. One test a case; the same ground is worked over at
 * random or call by call where the second column says.
 *
 *   112  what is no store               test_store_open.c
 *   113  damaged header, cut file       test_store_open.c, test_repair.c
 *   114  one row                        test_store_damage.c, test_store_reads.c
 *   115  the log                        test_store_damage.c, test_mark.c, test_repair_faults.c
 *   116  side files                     test_store_open.c
 *   117  planted schema objects         test_store_open.c
 *   118  vectors of a wrong length      test_store_reads.c
 *   119  a model that is not known
 *   120  another model                  test_db_records.c, test_search.c (test_limits_120_...)
 *   121  newer schema                   test_store_open.c
 *   123  a full disk                    test_store_faults.c
 *   124  a sync that fails              test_store_faults.c
 *   125  read-only                      test_store_open.c
 *   126  a second writer                test_lock.c, test_store_processes.c
 *   127  killed with the lock held      test_lock.c, test_store_processes.c
 *   128  a clock that jumps             test_store_open.c
 *   129  a torn copy                    test_store_damage.c */
#include "repair_util.h"

#include <signal.h>
#include <sys/wait.h>

#include "base/ctx.h"

static memo_status limits_open(util_env *env, memo_open_mode mode, memo_err *err)
{
    const memo_store_options options = {.mode = mode, .busy_timeout_ms = -1};
    memo_store *store = NULL;
    memo_status status = memo_store_open(env->ctx, env->path, &options, &store, err);
    memo_store_close(store);
    return status;
}

/* Neither for reading nor for writing. */
static void limits_refused(util_env *env, memo_status status, const char *part)
{
    util_fails(status, part, limits_open(env, MEMO_OPEN_EXISTING, err));
    util_fails(status, part, limits_open(env, MEMO_OPEN_READ_ONLY, err));
    util_fails(status, part, limits_open(env, MEMO_OPEN_CREATE, err));
}

static unsigned char *limits_filled(util_env *env, size_t *n)
{
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    oracle_fill(store);
    memo_store_close(store);
    return util_slurp(env->path, n);
}

static void limits_all_is_there(util_env *env)
{
    memo_store *store = util_open(env, MEMO_OPEN_READ_ONLY);
    oracle_served served;
    oracle_look(store, &served);
    assert_int_equal(served.n_records, oracle_n_live());
    assert_int_equal(served.n_vectors, 2 * oracle_n_live());
    memo_store_close(store);
}

/* ---- the file ------------------------------------------------------------------------------ */

static void test_limits_112_what_is_no_store(void **state)
{
    util_env *env = *state;
    util_spill(env->path, "this is a text, not a database", 30);
    limits_refused(env, MEMO_ERR_CORRUPT, "not a memolith store");
    util_spill(env->path, "", 0);
    util_fails(MEMO_ERR_CORRUPT, "is empty", limits_open(env, MEMO_OPEN_EXISTING, err));
    util_fails(MEMO_ERR_CORRUPT, "is empty", limits_open(env, MEMO_OPEN_READ_ONLY, err));
    util_ok(limits_open(env, MEMO_OPEN_CREATE, err)); /* made when asked for */
    repair_place(env, "", 0, NULL, 0);
    unlink(env->path);
    assert_int_equal(mkdir(env->path, 0700), 0);
    limits_refused(env, MEMO_ERR_IO, "this is a folder");
    assert_int_equal(rmdir(env->path), 0);
}

static void test_limits_113_header_and_length(void **state)
{
    util_env *env = *state;
    util_findings findings = {0};
    size_t n;
    unsigned char *good = limits_filled(env, &n), *bad = malloc(n);
    static const unsigned char sizes[][2] = {{0, 0}, {0x20, 1}, {0x10, 0}};
    for (size_t i = 0; i < 3; i++) {
        memcpy(bad, good, n);
        memcpy(bad + 16, sizes[i], 2);
        util_spill(env->path, bad, n);
        limits_refused(env, MEMO_ERR_CORRUPT, "pages of");
    }
    memcpy(bad, good, n);
    memset(bad, 0, MEMO_PAGE_BYTES);
    bad[6 * MEMO_PAGE_BYTES + 100] ^= 1;
    util_spill(env->path, bad, n);
    limits_refused(env, MEMO_ERR_CORRUPT, "no SQLite header");
    util_ok(memo_store_check_pages(env->path, util_finding, &findings, err));
    assert_int_equal(findings.n_bad, 1);
    assert_non_null(strstr(findings.text, "pages 1, 7 of"));
    for (size_t odd = 0; odd < 2; odd++) {
        util_spill(env->path, good, n / 2 / MEMO_PAGE_BYTES * MEMO_PAGE_BYTES + odd * 100);
        if (odd) {
            limits_refused(env, MEMO_ERR_CORRUPT, "");
            continue;
        }
        /* Whole pages: the header knows how many there were. */
        if (limits_open(env, MEMO_OPEN_EXISTING, NULL) == MEMO_OK) {
            memo_store *store = util_open(env, MEMO_OPEN_EXISTING);
            memset(&findings, 0, sizeof findings);
            util_ok(memo_store_check(store, util_finding, &findings, err));
            assert_true(findings.n_bad > 0);
            memo_store_close(store);
        }
    }
    free(good);
    free(bad);
}

/* ---- rows ---------------------------------------------------------------------------------- */

/* A bit in the text, the metadata and a vector: what the file of an unlucky disk holds. */
static void test_limits_114_bit_of_one_row(void **state)
{
    util_env *env = *state;
    float vector[UTIL_DIM];
    size_t n;
    unsigned char *good = limits_filled(env, &n), *bad = malloc(n);
    util_vector(2 * 4, UTIL_DIM, vector);
    for (int what = 0; what < 3; what++) {
        oracle_served served;
        memo_store *store;
        unsigned char *at;
        size_t n_rows = 0;
        memcpy(bad, good, n);
        at = what == 0   ? memmem(bad, n, "record004.version1.piece0003", 28)
             : what == 1 ? memmem(bad, n, "Title 4[]{}", 11)
                         : memmem(bad, n, vector, sizeof vector);
        assert_non_null(at);
        at[what == 1 ? 9 : 3] ^= 4; /* of the title's row: its metadata */
        util_spill(env->path, bad, n);
        store = util_open(env, MEMO_OPEN_EXISTING);
        oracle_look(store, &served);
        if (what < 2) {
            memo_arena arena = {0};
            memo_record r;
            util_fails(MEMO_ERR_CORRUPT, "", memo_store_get(store, 1, "key-4", &arena, &r, err));
            memo_arena_fini(&arena);
            n_rows = 1;
        }
        assert_int_equal(served.n_records, oracle_n_live() - n_rows);
        assert_int_equal(served.n_vectors, 2 * oracle_n_live() - (what == 2));
        memo_store_close(store);
        repair_place(env, good, n, NULL, 0);
    }
    free(good);
    free(bad);
}

static void test_limits_118_vectors_of_a_wrong_length(void **state)
{
    static const char *const changes[] = {"x''", "zeroblob(31)", "zeroblob(4)", "zeroblob(4096)"};
    util_env *env = *state;
    size_t n;
    unsigned char *good = limits_filled(env, &n);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        char sql[160];
        util_findings findings = {0};
        oracle_served served;
        memo_store *store;
        int found = 0;
        repair_place(env, good, n, NULL, 0);
        snprintf(sql, sizeof sql,
                 "UPDATE vectors SET vector = %s WHERE rid ="
                 " (SELECT rid FROM records WHERE key = 'key-4')",
                 changes[i]);
        repair_meddle(env, MEMO_VFS_NAME, sql);
        store = util_open(env, MEMO_OPEN_EXISTING);
        oracle_look(store, &served);
        assert_int_equal(served.n_records, oracle_n_live());
        assert_int_equal(served.n_vectors, 2 * oracle_n_live() - 2);
        util_ok(memo_store_check(store, util_finding, &findings, err));
        assert_int_equal(findings.n_bad, 2);
        util_ok(memo_store_begin_write(store, err));
        util_ok(memo_store_forget(store, 1, "key-4", &found, err));
        util_ok(memo_store_commit(store, err));
        assert_int_equal(found, 1);
        util_check_clean(store);
        memo_store_close(store);
    }
    free(good);
}

/* NULL cannot get into the table by SQL: its column says NOT NULL, and SQLite's check names it. */
static void test_limits_118_vector_that_is_null(void **state)
{
    util_env *env = *state;
    util_findings findings = {0};
    oracle_served served;
    memo_store *store;
    sqlite3 *db = NULL;
    size_t n;
    free(limits_filled(env, &n));
    assert_int_equal(sqlite3_open_v2(env->path, &db, SQLITE_OPEN_READWRITE, MEMO_VFS_NAME), 0);
    assert_int_equal(sqlite3_exec(db, "UPDATE vectors SET vector = NULL WHERE cid = 9", 0, 0, 0),
                     SQLITE_CONSTRAINT);
    sqlite3_close(db);
    /* The way around it: take the rule out of the schema and put it back. */
    repair_meddle(env, MEMO_VFS_NAME,
                  "PRAGMA writable_schema = ON;"
                  "UPDATE sqlite_schema SET sql = replace(sql, 'vector BLOB NOT NULL',"
                  " 'vector BLOB') WHERE name = 'vectors'");
    repair_meddle(env, MEMO_VFS_NAME, "UPDATE vectors SET vector = NULL WHERE cid = 9");
    repair_meddle(env, MEMO_VFS_NAME,
                  "PRAGMA writable_schema = ON;"
                  "UPDATE sqlite_schema SET sql = replace(sql, 'vector BLOB',"
                  " 'vector BLOB NOT NULL') WHERE name = 'vectors'");
    store = util_open(env, MEMO_OPEN_EXISTING);
    oracle_look(store, &served);
    assert_int_equal(served.n_records, oracle_n_live());
    assert_int_equal(served.n_vectors, 2 * oracle_n_live() - 1);
    util_ok(memo_store_check(store, util_finding, &findings, err));
    assert_true(findings.n_bad > 0);
    assert_non_null(strstr(findings.text, "vector of chunk 9"));
    memo_store_close(store);
}

static void test_limits_119_model_that_is_not_known(void **state)
{
    util_env *env = *state;
    util_findings findings = {0};
    oracle_served served;
    memo_store *store;
    size_t n;
    free(limits_filled(env, &n));
    repair_meddle(env, MEMO_VFS_NAME,
                  "UPDATE vectors SET space = 77 WHERE rid ="
                  " (SELECT rid FROM records WHERE key = 'key-4')");
    store = util_open(env, MEMO_OPEN_EXISTING);
    oracle_look(store, &served);
    assert_int_equal(served.n_records, oracle_n_live());         /* its text as well */
    assert_int_equal(served.n_vectors, 2 * oracle_n_live() - 2); /* but not its vectors */
    util_ok(memo_store_check(store, util_finding, &findings, err));
    assert_non_null(strstr(findings.text, "rows that refer to missing ones"));
    assert_non_null(strstr(findings.text, "vector of chunk"));
    memo_store_close(store);
}

/* ---- schema -------------------------------------------------------------------------------- */

static void test_limits_117_planted_schema_objects(void **state)
{
    static const char *const plants[] = {
        "CREATE TRIGGER evil AFTER INSERT ON records BEGIN DELETE FROM records; END",
        "CREATE VIEW evil AS SELECT * FROM records",
        "CREATE VIRTUAL TABLE evil USING fts5(a)",
    };
    util_env *env = *state;
    size_t n;
    unsigned char *good = limits_filled(env, &n);
    for (size_t i = 0; i < 3; i++) {
        repair_outcome out = {.findings = {0}};
        repair_place(env, good, n, NULL, 0);
        repair_meddle(env, MEMO_VFS_NAME, plants[i]);
        limits_refused(env, MEMO_ERR_CORRUPT, "unexpected schema object");
        /* Nothing of it runs in a repair either: the rows go into a store without it. */
        util_ok(repair_run(env, 0, &out, err));
        assert_int_equal(out.report.way, MEMO_REPAIR_REBUILT);
        memo_arena_fini(&out.arena);
        limits_all_is_there(env);
    }
    free(good);
}

static void test_limits_121_newer_schema(void **state)
{
    util_env *env = *state;
    repair_outcome out = {.findings = {0}};
    size_t n;
    free(limits_filled(env, &n));
    repair_meddle(env, MEMO_VFS_NAME, "PRAGMA user_version = 7");
    limits_refused(env, MEMO_ERR_UNSUPPORTED, "schema version 7");
    util_fails(MEMO_ERR_UNSUPPORTED, "schema version 7", repair_run(env, 0, &out, err));
}

/* ---- side files ---------------------------------------------------------------------------- */

/* Three commits in the log, the state after each known by its count. */
static void test_limits_115_log_cut_foreign_or_flipped(void **state)
{
    util_env *env = *state;
    size_t n, n_log, n_file, seen[4] = {0};
    unsigned char *good = limits_filled(env, &n), *log, *file;
    char path[160];
    memo_store *store = util_open(env, MEMO_OPEN_EXISTING);
    free(good);
    for (unsigned i = 0; i < 3; i++)
        util_add(store, i == 0 ? "x" : i == 1 ? "y" : "z", "a later text", 500 + i);
    snprintf(path, sizeof path, "%s-wal", env->path);
    file = util_slurp(env->path, &n_file);
    log = util_slurp(path, &n_log);
    memo_store_close(store);
    for (size_t k = 0; k < 80; k++) {
        size_t at = n_log * k / 80, count;
        log[at] ^= k % 2 ? 0x20 : 0;
        repair_place(env, file, n_file, log, k % 2 ? n_log : at);
        store = util_open(env, MEMO_OPEN_EXISTING);
        count = (size_t)util_count(store) - oracle_n_live();
        assert_true(count <= 3);
        seen[count]++;
        util_check_clean(store);
        memo_store_close(store);
        log[at] ^= k % 2 ? 0x20 : 0;
    }
    assert_true(seen[0] && seen[1] && seen[2]);
    repair_place(env, "", 0, NULL, 0);
    unlink(env->path);
    free(limits_filled(env, &n));
    util_spill(path, log, n_log);
    limits_refused(env, MEMO_ERR_CORRUPT, "belongs to another store");
    free(log);
    free(file);
}

static void test_limits_116_side_files_missing_or_in_the_way(void **state)
{
    util_env *env = *state;
    size_t n;
    char path[160];
    free(limits_filled(env, &n));
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s%s", env->path, i ? "-wal" : "-shm");
        unlink(path);
        limits_all_is_there(env); /* missing */
        unlink(path);
        assert_int_equal(mkdir(path, 0700), 0);
        {
            memo_err why = {0};
            memo_status status = limits_open(env, MEMO_OPEN_EXISTING, &why);
            if (status != MEMO_OK && (status != MEMO_ERR_IO || !why.message[0]))
                fail_msg("%s is a folder: %s: %s", path, memo_status_name(status), why.message);
        }
        assert_int_equal(rmdir(path), 0);
        limits_all_is_there(env);
    }
}

/* ---- disk ---------------------------------------------------------------------------------- */

typedef struct limits_disk {
    memo_vfs_op op;
    const char *suffix; /* of the file */
    int rc, once;
} limits_disk;

static int limits_hook(void *user, memo_vfs_op op, const char *path, int64_t offset, int amount,
                       int *n_bytes)
{
    limits_disk *disk = user;
    size_t n = strlen(disk->suffix), length = path ? strlen(path) : 0;
    int rc = disk->rc;
    (void)offset;
    (void)amount;
    (void)n_bytes;
    if (op != disk->op || length < n || strcmp(path + length - n, disk->suffix) != 0)
        return SQLITE_OK;
    if (disk->once)
        disk->rc = SQLITE_OK;
    return rc;
}

static void test_limits_123_full_disk(void **state)
{
    util_env *env = *state;
    limits_disk full = {MEMO_VFS_WRITE, "-wal", SQLITE_FULL, 0};
    memo_add_result result = {.size = sizeof result};
    size_t n;
    memo_store *store;
    free(limits_filled(env, &n));
    store = util_open(env, MEMO_OPEN_EXISTING);
    util_ok(memo_store_begin_write(store, err)); /* on insert */
    util_ok(util_put(store, 1, "x", "one more", 500, &result, err));
    memo_vfs_set_hook(limits_hook, &full);
    util_fails(MEMO_ERR_IO, "disk is full", memo_store_commit(store, err));
    assert_int_equal(util_count(store), oracle_n_live());
    memo_vfs_set_hook(NULL, NULL);
    util_add(store, "x", "one more", 500); /* space is back */
    full.suffix = ".memo";                 /* on checkpoint */
    memo_vfs_set_hook(limits_hook, &full);
    memo_store_close(store);
    memo_vfs_set_hook(NULL, NULL);
    store = util_open(env, MEMO_OPEN_EXISTING);
    assert_int_equal(util_count(store), oracle_n_live() + 1);
    util_check_clean(store);
    memo_store_close(store);
}

static void test_limits_124_sync_that_fails_once(void **state)
{
    util_env *env = *state;
    limits_disk disk = {MEMO_VFS_SYNC, "-wal", SQLITE_IOERR_FSYNC, 1};
    memo_add_result result = {.size = sizeof result};
    memo_store *store;
    size_t n;
    free(limits_filled(env, &n));
    store = util_open(env, MEMO_OPEN_EXISTING);
    util_add(store, "x", "acknowledged", 500);
    util_ok(memo_store_begin_write(store, err));
    util_ok(util_put(store, 1, "y", "not acknowledged", 501, &result, err));
    memo_vfs_set_hook(limits_hook, &disk);
    util_fails(MEMO_ERR_IO, "commit", memo_store_commit(store, err));
    memo_vfs_set_hook(NULL, NULL);
    assert_int_equal(disk.rc, SQLITE_OK);
    assert_true(memo_store_read_only(store));
    util_fails(MEMO_ERR_IO, "earlier write failed", memo_store_begin_write(store, err));
    memo_store_close(store);
    store = util_open(env, MEMO_OPEN_EXISTING);
    assert_true(util_count(store) >= oracle_n_live() + 1);
    util_check_clean(store);
    memo_store_close(store);
}

static void test_limits_125_read_only_file(void **state)
{
    util_env *env = *state;
    memo_store *store;
    size_t n;
    free(limits_filled(env, &n));
    limits_all_is_there(env);
    store = util_open(env, MEMO_OPEN_READ_ONLY);
    util_fails(MEMO_ERR_IO, "", memo_store_begin_write(store, err));
    memo_store_close(store);
    if (geteuid() == 0) /* rights do not bind root; see test_open_on_read_only_media */
        return;
    assert_int_equal(chmod(env->path, 0444), 0);
    limits_all_is_there(env);
    util_fails(MEMO_ERR_IO, "", limits_open(env, MEMO_OPEN_EXISTING, err));
}

/* ---- processes ----------------------------------------------------------------------------- */

/* A child that has begun to write and waits; its pid. */
static pid_t limits_writer(util_env *env)
{
    int ready[2];
    char byte;
    pid_t pid;
    assert_int_equal(pipe(ready), 0);
    pid = fork();
    if (pid == 0) {
        memo_store *store = util_open(env, MEMO_OPEN_EXISTING);
        memo_add_result result = {.size = sizeof result};
        if (memo_store_begin_write(store, NULL) ||
            util_put(store, 1, "half", "never committed", 500, &result, NULL))
            _exit(1);
        (void)!write(ready[1], "x", 1);
        for (;;)
            pause();
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return pid;
}

static void limits_kill(pid_t pid)
{
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_limits_126_second_writer(void **state)
{
    util_env *env = *state;
    const memo_store_options options = {.mode = MEMO_OPEN_EXISTING, .busy_timeout_ms = 300};
    memo_store *store = NULL;
    char want[64];
    double started;
    size_t n;
    pid_t pid;
    free(limits_filled(env, &n));
    pid = limits_writer(env);
    snprintf(want, sizeof want, "held by process %ld", (long)pid);
    started = memo_monotonic_ms();
    util_fails(MEMO_ERR_BUSY, want, memo_store_open(env->ctx, env->path, &options, &store, err));
    assert_true(memo_monotonic_ms() - started >= 290); /* it waited for its turn */
    limits_all_is_there(env);                          /* readers do not */
    limits_kill(pid);
}

static void test_limits_127_killed_with_the_lock_held(void **state)
{
    util_env *env = *state;
    memo_store *store;
    size_t n;
    free(limits_filled(env, &n));
    limits_kill(limits_writer(env));
    store = util_open(env, MEMO_OPEN_EXISTING); /* does not wait */
    assert_int_equal(util_count(store), oracle_n_live());
    util_add(store, "x", "one more", 500);
    util_check_clean(store);
    memo_store_close(store);
}

static void test_limits_128_clock_that_jumps(void **state)
{
    static const int64_t clock[] = {INT64_C(1750000000000), 0, -1, INT64_C(1600000000000), 1};
    util_env *env = *state;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    memo_db_stats stats = {.size = sizeof stats};
    for (unsigned i = 0; i < 5; i++) {
        char key[8];
        env->now_ms = clock[i];
        snprintf(key, sizeof key, "k%u", i);
        util_add(store, key, "a text", i);
        util_ok(memo_store_get_stats(store, &stats, err));
        assert_int_equal(stats.change_seq, i + 1);
    }
    util_check_clean(store);
    memo_store_close(store);
}

/* Whether a copy is found out: on open, by a count, by the check. Else it must be of one moment. */
static int limits_notices(util_env *env)
{
    const memo_store_options options = {.mode = MEMO_OPEN_READ_ONLY};
    const memo_store_scope scope = {.ns = 1};
    util_findings findings = {0};
    uint64_t n_records = 0, n_chunks = 0;
    memo_store *store = NULL;
    memo_status status = memo_store_open(env->ctx, env->path, &options, &store, NULL);
    if (!status)
        status = memo_store_count(store, &scope, &n_records, &n_chunks, NULL);
    if (!status)
        util_ok(memo_store_check(store, util_finding, &findings, err));
    memo_store_close(store);
    assert_true(status == MEMO_OK || status == MEMO_ERR_CORRUPT);
    if (status || findings.n_bad)
        return 1;
    if (n_records != oracle_n_live() && n_records != oracle_n_live() + 40)
        fail_msg("a torn copy of %d records, which no moment had", (int)n_records);
    return 0;
}

/* A copy of the first pages at one moment and of the rest at another. */
static void test_limits_129_torn_copy(void **state)
{
    util_env *env = *state;
    size_t n_old, n_new, n_noticed = 0, n_pages;
    unsigned char *old = limits_filled(env, &n_old), *now, *torn;
    memo_store *store = util_open(env, MEMO_OPEN_EXISTING);
    for (unsigned i = 0; i < 40; i++)
        util_add(store, NULL, "a text of the second moment", 500 + i);
    memo_store_close(store);
    now = util_slurp(env->path, &n_new);
    n_pages = n_old / MEMO_PAGE_BYTES;
    torn = malloc(n_new);
    for (size_t p = 1; p < n_pages; p++) {
        int first_old = p % 2 == 0;
        size_t n = first_old ? n_new : n_old; /* both moments have the first n_pages */
        memcpy(torn, first_old ? now : old, n);
        memcpy(torn, first_old ? old : now, p * MEMO_PAGE_BYTES);
        repair_place(env, torn, n, NULL, 0);
        n_noticed += limits_notices(env);
        if (p % 9 == 0) {
            repair_outcome out = {.findings = {0}};
            oracle_served served;
            util_ok(repair_run(env, 0, &out, err));
            memo_arena_fini(&out.arena);
            store = util_open(env, MEMO_OPEN_READ_ONLY);
            oracle_look(store, &served); /* all of the first moment: none was touched since */
            assert_int_equal(served.n_records, oracle_n_live());
            memo_store_close(store);
        }
    }
    print_message("%zu of %zu torn copies are damaged, the others are of one moment\n", n_noticed,
                  n_pages - 1);
    assert_true(n_noticed > n_pages / 2);
    free(old);
    free(now);
    free(torn);
}

int main(void)
{
#define IN_ENV(f) cmocka_unit_test_setup_teardown(f, util_setup, util_teardown)
    const struct CMUnitTest tests[] = {
        IN_ENV(test_limits_112_what_is_no_store),
        IN_ENV(test_limits_113_header_and_length),
        IN_ENV(test_limits_114_bit_of_one_row),
        IN_ENV(test_limits_115_log_cut_foreign_or_flipped),
        IN_ENV(test_limits_116_side_files_missing_or_in_the_way),
        IN_ENV(test_limits_117_planted_schema_objects),
        IN_ENV(test_limits_118_vectors_of_a_wrong_length),
        IN_ENV(test_limits_118_vector_that_is_null),
        IN_ENV(test_limits_119_model_that_is_not_known),
        IN_ENV(test_limits_121_newer_schema),
        IN_ENV(test_limits_123_full_disk),
        IN_ENV(test_limits_124_sync_that_fails_once),
        IN_ENV(test_limits_125_read_only_file),
        IN_ENV(test_limits_126_second_writer),
        IN_ENV(test_limits_127_killed_with_the_lock_held),
        IN_ENV(test_limits_128_clock_that_jumps),
        IN_ENV(test_limits_129_torn_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
