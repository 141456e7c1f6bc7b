// SPDX-License-Identifier: Apache-2.0
/* Number N of the writes, syncs and truncations fails, for every N; and number N of the
 * allocations, ours and SQLite's. Afterwards: what was acknowledged is there, the store is whole,
 * nothing leaks. */
#include "store_util.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>

#include "base/file.h"
#include "store/disk/vfs.h"
#include "store/store_inner.h"

/* ---- disk ---------------------------------------------------------------------------------- */

typedef struct disk_plan {
    memo_vfs_op op;
    uint64_t fail_at, seen;
    int rc, partial, sticky;
    int failed;
} disk_plan;

static int disk_hook(void *user, memo_vfs_op op, const char *path, int64_t offset, int amount,
                     int *n_bytes)
{
    disk_plan *plan = user;
    (void)path;
    (void)offset;
    if (op != plan->op || !plan->fail_at)
        return SQLITE_OK;
    plan->seen++;
    if (plan->seen < plan->fail_at || (plan->seen > plan->fail_at && !plan->sticky))
        return SQLITE_OK;
    plan->failed = 1;
    *n_bytes = plan->partial ? amount / 3 : 0;
    return plan->rc;
}

/* Up to five adds on a store that may or may not exist; returns how many were acknowledged. */
static unsigned add_some(util_env *env)
{
    memo_store_options options = {.mode = MEMO_OPEN_CREATE};
    memo_store *store = NULL;
    unsigned n_done = 0;
    memo_err err = {0};
    if (memo_store_open(env->ctx, env->path, &options, &store, &err)) {
        assert_true(err.status == MEMO_ERR_IO || err.status == MEMO_ERR_NOMEM ||
                    err.status == MEMO_ERR_CORRUPT);
        return 0;
    }
    for (unsigned i = 0; i < 5; i++) {
        char key[8], text[64];
        memo_store_ns ns;
        memo_add_result result = {.size = sizeof result};
        memo_store_space space = {.fingerprint = "f", .dim = UTIL_DIM, .kind = MEMO_SPACE_MODEL};
        int64_t id;
        memo_status status = memo_store_begin_write(store, &err);
        snprintf(key, sizeof key, "%u", i);
        snprintf(text, sizeof text, "the text of record %u", i);
        if (!status)
            status = memo_store_make_ns(store, "default", &ns, &err);
        if (!status)
            status = memo_store_make_space(store, &space, &id, &err);
        if (!status)
            status = util_put(store, ns.id, key, text, i, &result, &err);
        if (!status)
            status = memo_store_commit(store, &err);
        else
            memo_store_rollback(store);
        if (status) {
            memo_store_begin_write(store, NULL); /* refused or not: nothing may break */
            break;
        }
        n_done++;
    }
    memo_store_close(store);
    return n_done;
}

/* At least `n_done` records, numbered from 0, each whole; and nothing damaged. */
static void check_acknowledged(util_env *env, unsigned n_done)
{
    memo_store *store;
    memo_arena arena = {0};
    memo_store_ns ns;
    unsigned n = 0;
    if (access(env->path, F_OK) != 0) {
        assert_int_equal(n_done, 0);
        return;
    }
    store = util_open(env, MEMO_OPEN_CREATE);
    if (memo_store_find_ns(store, "default", &ns, NULL) == MEMO_OK) {
        for (char key[8] = "0"; n < 6; n++) {
            memo_record record;
            char text[64];
            snprintf(key, sizeof key, "%u", n);
            snprintf(text, sizeof text, "the text of record %u", n);
            if (memo_store_get(store, ns.id, key, &arena, &record, NULL))
                break;
            assert_string_equal(record.text.bytes, text);
        }
        assert_int_equal(util_count(store), n);
    }
    assert_true(n >= n_done && n <= n_done + 1);
    util_check_clean(store);
    memo_arena_fini(&arena);
    memo_store_close(store);
}

static void start_afresh(util_env *env, const void *bytes, size_t n)
{
    static const char *const suffixes[] = {"-wal", "-shm", "-journal", ""};
    for (int i = 0; i < 4; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s%s", env->path, suffixes[i]);
        unlink(path);
    }
    if (bytes)
        util_spill(env->path, bytes, n);
}

/* Every N, on a new store and on one that is there. */
static void sweep_disk(util_env *env, disk_plan plan)
{
    unsigned char *made;
    size_t n_made, n_points = 0;
    assert_int_equal(add_some(env), 5);
    start_afresh(env, NULL, 0);
    memo_store_close(util_open(env, MEMO_OPEN_CREATE));
    made = util_slurp(env->path, &n_made);
    for (int exists = 0; exists < 2; exists++) {
        for (uint64_t n = 1;; n++) {
            unsigned n_done;
            disk_plan now = plan;
            now.fail_at = n;
            start_afresh(env, exists ? made : NULL, n_made);
            memo_vfs_set_hook(disk_hook, &now);
            n_done = add_some(env);
            memo_vfs_set_hook(NULL, NULL);
            check_acknowledged(env, n_done);
            if (!now.failed)
                break;
            n_points++;
        }
    }
    print_message("%zu points\n", n_points);
    assert_true(n_points > 4);
    free(made);
}

static void test_faults_every_write(void **state)
{
    sweep_disk(*state, (disk_plan){.op = MEMO_VFS_WRITE, .rc = SQLITE_IOERR_WRITE});
    sweep_disk(*state, (disk_plan){.op = MEMO_VFS_WRITE, .rc = SQLITE_IOERR_WRITE, .partial = 1});
    sweep_disk(*state, (disk_plan){.op = MEMO_VFS_WRITE, .rc = SQLITE_FULL, .sticky = 1});
    sweep_disk(*state,
               (disk_plan){.op = MEMO_VFS_WRITE, .rc = SQLITE_FULL, .sticky = 1, .partial = 1});
}

static void test_faults_every_sync(void **state)
{
    sweep_disk(*state, (disk_plan){.op = MEMO_VFS_SYNC, .rc = SQLITE_IOERR_FSYNC});
    sweep_disk(*state, (disk_plan){.op = MEMO_VFS_SYNC, .rc = SQLITE_IOERR_FSYNC, .sticky = 1});
}

static void test_faults_every_other_call(void **state)
{
    sweep_disk(*state, (disk_plan){.op = MEMO_VFS_OPEN, .rc = SQLITE_CANTOPEN});
    sweep_disk(*state, (disk_plan){.op = MEMO_VFS_READ, .rc = SQLITE_IOERR_READ});
}

/* One failed sync turns the handle read-only; the store opens again with what was acknowledged. */
static void test_faults_failed_sync_poisons_the_handle(void **state)
{
    util_env *env = *state;
    disk_plan plan = {.op = MEMO_VFS_SYNC, .fail_at = 1, .rc = SQLITE_IOERR_FSYNC};
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    memo_add_result result = {.size = sizeof result};
    util_add(store, "0", "the text of record 0", 0);
    util_ok(memo_store_begin_write(store, err));
    util_ok(util_put(store, 1, "1", "the text of record 1", 1, &result, err));
    memo_vfs_set_hook(disk_hook, &plan);
    util_fails(MEMO_ERR_IO, "cannot commit", memo_store_commit(store, err));
    memo_vfs_set_hook(NULL, NULL);
    assert_true(memo_store_read_only(store));
    util_fails(MEMO_ERR_IO, "earlier write failed", memo_store_begin_write(store, err));
    assert_int_equal(util_count(store), 1);
    memo_store_close(store);
    check_acknowledged(env, 1);
    store = util_open(env, MEMO_OPEN_EXISTING);
    util_add(store, "2", "another", 2);
    memo_store_close(store);
}

/* A checkpoint that fails at close leaves the log: a second try that seems to work proves nothing. */
static void test_faults_failed_sync_at_close_keeps_the_log(void **state)
{
    util_env *env = *state;
    disk_plan plan = {.op = MEMO_VFS_SYNC, .fail_at = 1, .rc = SQLITE_IOERR_FSYNC};
    char log[128];
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    util_add(store, "0", "the text of record 0", 0);
    memo_vfs_set_hook(disk_hook, &plan);
    memo_store_close(store);
    memo_vfs_set_hook(NULL, NULL);
    assert_true(plan.failed);
    snprintf(log, sizeof log, "%s-wal", env->path);
    assert_int_equal(access(log, F_OK), 0);
    check_acknowledged(env, 1);
}

/* A full disk is no reason to give up the handle: it works again when there is room. */
static void test_faults_full_disk_recovers(void **state)
{
    util_env *env = *state;
    disk_plan plan = {.op = MEMO_VFS_WRITE, .fail_at = 1, .rc = SQLITE_FULL, .sticky = 1};
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    memo_add_result result = {.size = sizeof result};
    util_add(store, "0", "the text of record 0", 0);
    util_ok(memo_store_begin_write(store, err));
    util_ok(util_put(store, 1, "1", "the text of record 1", 1, &result, err));
    memo_vfs_set_hook(disk_hook, &plan);
    util_fails(MEMO_ERR_IO, "disk is full", memo_store_commit(store, err));
    assert_int_equal(util_count(store), 1);
    memo_vfs_set_hook(NULL, NULL);
    util_add(store, "1", "the text of record 1", 1);
    assert_int_equal(util_count(store), 2);
    util_check_clean(store);
    memo_store_close(store);
    check_acknowledged(env, 2);
}

/* ---- calls of the operating system under SQLite -------------------------------------------- */

static int os_left, os_errno; /* calls until one fails, 0: none; with this */

static int os_fails(void)
{
    if (os_left == 0 || --os_left > 0)
        return 0;
    errno = os_errno;
    return 1;
}

static int os_open(const char *path, int flags, int mode)
{
    return os_fails() ? -1 : open(path, flags, mode);
}

static ssize_t os_pread(int fd, void *buf, size_t n, off_t offset)
{
    return os_fails() ? -1 : pread(fd, buf, n, offset);
}

static int os_fstat(int fd, struct stat *st)
{
    return os_fails() ? -1 : fstat(fd, st);
}

/* Open, and begin a change of nothing, while call number n fails. */
static memo_status open_and_begin(util_env *env, memo_store **store, memo_err *err)
{
    memo_store_options options = {.mode = MEMO_OPEN_CREATE};
    memo_status status = memo_store_open(env->ctx, env->path, &options, store, err);
    if (status)
        return status;
    status = memo_store_begin_write(*store, err);
    memo_store_rollback(*store);
    return status;
}

/* Call number N fails once, for every N: the store opens and begins a change, or says MEMO_ERR_IO;
 * the next time it takes a record. `names`: SQLite's for the call. Returns how many failed. */
static int sweep_os_once(util_env *env, const char *const names[2], sqlite3_syscall_ptr fn,
                         int is_new)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    int n_failed = 0;
    for (int n = 1;; n++) {
        memo_store *store = NULL;
        memo_err err = {0};
        memo_status status;
        if (is_new)
            start_afresh(env, NULL, 0);
        for (int i = 0; i < 2; i++)
            (void)vfs->xSetSystemCall(vfs, names[i], fn);
        os_left = n;
        status = open_and_begin(env, &store, &err);
        for (int i = 0; i < 2; i++)
            (void)vfs->xSetSystemCall(vfs, names[i], NULL);
        if (status && status != MEMO_ERR_IO)
            fail_msg("%s number %d: %s: %s", names[0], n, memo_status_name(status), err.message);
        n_failed += status != MEMO_OK;
        if (!store)
            store = util_open(env, MEMO_OPEN_CREATE);
        util_add(store, "again", "with another text each time", (unsigned)n);
        memo_store_close(store);
        if (os_left > 0)
            return n_failed;
    }
}

/* On a store that is there, with a reader that keeps its log from being removed; and on a new one. */
static void sweep_os(util_env *env, const char *const names[2], sqlite3_syscall_ptr fn, int error)
{
    memo_store *reader;
    os_errno = error;
    assert_true(sweep_os_once(env, names, fn, 1) > 0);
    reader = util_open(env, MEMO_OPEN_READ_ONLY);
    (void)util_count(reader);
    assert_true(sweep_os_once(env, names, fn, 0) > 0);
    os_left = 0;
    memo_store_close(reader);
}

/* Out of descriptors SQLite opens the store, its log or its shared memory for reading only. */
static void test_faults_no_descriptor_is_not_read_only(void **state)
{
    static const char *const names[] = {"open", "open"};
    sweep_os(*state, names, (sqlite3_syscall_ptr)os_open, EMFILE);
}

/* A device that cannot be read is no damage. */
static void test_faults_unreadable_is_not_damaged(void **state)
{
    static const char *const names[] = {"pread", "pread64"};
    sweep_os(*state, names, (sqlite3_syscall_ptr)os_pread, EIO);
}

static void test_faults_unknown_size_is_not_a_cut(void **state)
{
    static const char *const names[] = {"fstat", "fstat"};
    sweep_os(*state, names, (sqlite3_syscall_ptr)os_fstat, EIO);
}

/* ---- memory -------------------------------------------------------------------------------- */

/* SQLite's allocator with a fuse. */
static sqlite3_mem_methods real_memory;
static uint64_t fuse, fuse_blown;
static int fuse_sticky;

static int fuse_burns(void)
{
    if (!fuse)
        return 0;
    if (fuse == 1) {
        fuse_blown++;
        fuse = fuse_sticky ? 1 : 0;
        return 1;
    }
    fuse--;
    return 0;
}

static void *fused_malloc(int n)
{
    return fuse_burns() ? NULL : real_memory.xMalloc(n);
}

static void *fused_realloc(void *p, int n)
{
    return fuse_burns() ? NULL : real_memory.xRealloc(p, n);
}

static int memory_block(void *user, const memo_store_block *block)
{
    *(size_t *)user += block->n;
    return 0;
}

/* Every call of the store once; the first failure ends it. */
static memo_status use_everything(util_env *env, memo_store *store, memo_arena *arena,
                                  memo_filter **filter, memo_err *err)
{
    memo_store_scope scope = {.ns = 1};
    memo_store_list_options list = {.limit = 5};
    memo_store_damage damage = {.arena = arena};
    memo_store_put same = {.key = "0", .text = {"the text of record 0", 20}, .space = 1};
    memo_store_hit *hits;
    memo_store_chunk_row *rows;
    memo_records page;
    memo_record record;
    memo_add_result result = {.size = sizeof result};
    memo_db_stats stats = {.size = sizeof stats};
    uint64_t n_records, n_chunks;
    int64_t chunk = 1;
    size_t n = 0;
    int found;
    memo_status status = memo_filter_new("key = '0' or meta.x = 1", env->now_ms, filter, err);
    scope.filter = *filter;
    if (status || (status = memo_store_begin_read(store, err)))
        return status;
    status = memo_store_get(store, 1, "0", arena, &record, err);
    if (!status)
        status = memo_store_list(store, &scope, &list, arena, &page, err);
    if (!status)
        status = memo_store_count(store, &scope, &n_records, &n_chunks, err);
    if (!status)
        status = memo_store_get_stats(store, &stats, err);
    if (!status)
        status = memo_store_scan(store, &scope, 1, memory_block, &n, &damage, err);
    if (!status)
        status = util_search(store, &scope, "text", 1, 5, arena, &hits, &n, err);
    if (!status)
        status = util_exact(store, &scope, (memo_text){"record 0", 8}, 5, arena, &hits, &n, err);
    if (!status)
        status = memo_store_fetch(store, &chunk, 1, arena, &rows, &damage, err);
    if (!status)
        status = memo_store_compare(store, 1, &same, &result, err);
    memo_store_end_read(store);
    if (status || (status = memo_store_begin_write(store, err)))
        return status;
    status = util_put(store, 1, "0", "new text", 9, &result, err);
    if (!status)
        status = memo_store_forget(store, 1, "1", &found, err);
    if (!status)
        status = memo_store_forget_where(store, &(memo_store_sweep){.ns = 1, .filter = *filter},
                                         &n_records, err);
    if (!status)
        status = memo_store_commit(store, err);
    memo_store_rollback(store);
    return status;
}

/* Which allocations fail: ours (memo_alloc_fail_at) or SQLite's (the fuse). */
static void sweep_memory(util_env *env, int sqlite, int sticky, uint64_t growth)
{
    unsigned char *made;
    size_t n_made, n_points = 0;
    int64_t live;
    assert_int_equal(add_some(env), 5);
    made = util_slurp(env->path, &n_made);
    live = memo_alloc_live();
    for (uint64_t n = 1, done = 0; !done; n += 1 + (growth ? n / growth : 0)) {
        memo_store_options options = {.mode = MEMO_OPEN_EXISTING};
        memo_store *store = NULL;
        memo_arena arena = {0};
        memo_filter *filter = NULL;
        memo_err err = {0};
        memo_status status;
        start_afresh(env, made, n_made);
        if (sqlite) {
            fuse = n;
            fuse_blown = 0;
            fuse_sticky = sticky;
        } else {
            memo_alloc_fail_at(n, sticky);
        }
        status = memo_store_open(env->ctx, env->path, &options, &store, &err);
        if (!status)
            status = use_everything(env, store, &arena, &filter, &err);
        done = sqlite ? !fuse_blown : memo_alloc_count() < n;
        memo_store_close(store);
        fuse = 0;
        memo_alloc_fail_at(0, 0);
        memo_filter_free(filter);
        memo_arena_fini(&arena);
        if (status && status != MEMO_ERR_NOMEM)
            fail_msg("allocation %llu: %s: %s", (unsigned long long)n, memo_status_name(status),
                     err.message);
        assert_int_equal(memo_alloc_live(), live);
        assert_int_equal(err.status, status);
        store = util_open(env, MEMO_OPEN_EXISTING);
        util_check_clean(store);
        assert_int_equal(util_count(store), status ? 5 : 3);
        memo_store_close(store);
        n_points++;
    }
    print_message("%zu points\n", n_points);
    assert_true(n_points > 20);
    free(made);
    start_afresh(env, NULL, 0);
}

static void test_faults_every_allocation(void **state)
{
    sweep_memory(*state, 0, 0, 0);
    sweep_memory(*state, 0, 1, 0);
}

static void test_faults_allocations_of_sqlite(void **state)
{
    sweep_memory(*state, 1, 0, 40);
    sweep_memory(*state, 1, 1, 40);
}

/* Giving up a change needs no memory: else it would stay open and hold SQLite's lock. */
static void test_faults_rollback_without_memory(void **state)
{
    util_env *env = *state;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    memo_add_result result = {.size = sizeof result};
    util_add(store, "0", "the text of record 0", 0);
    util_ok(memo_store_begin_write(store, err));
    util_ok(util_put(store, 1, "1", "the text of record 1", 1, &result, err));
    fuse = fuse_sticky = 1;
    memo_store_rollback(store);
    fuse = 0;
    assert_true(sqlite3_get_autocommit(store->sql.db));
    util_ok(memo_store_begin_read(store, err));
    fuse = 1;
    memo_store_end_read(store);
    fuse = 0;
    assert_true(sqlite3_get_autocommit(store->sql.db));
    assert_int_equal(util_count(store), 1);
    util_add(store, "2", "the text of record 2", 2);
    memo_store_close(store);
}

/* A change that fails within FTS5 must leave the scores of the same handle as they were. */
static void test_faults_scores_after_lack_of_memory(void **state)
{
    util_env *env = *state;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    memo_store_scope scope = {.ns = 1};
    memo_arena arena = {0};
    memo_store_hit *wanted = NULL, *hits = NULL;
    size_t n_wanted = 0, n = 0, n_points = 0;
    int found;
    for (unsigned i = 0; i < 5; i++)
        util_add(store, (char[2]){(char)('0' + i)}, i ? "the text of a record" : "text", i);
    util_ok(util_search(store, &scope, "text", 1, 9, &arena, &wanted, &n_wanted, err));
    assert_int_equal(n_wanted, 5);
    for (uint64_t at = 1, done = 0; !done; at++, n_points++) {
        memo_err failed = {0};
        memo_status status;
        memo_store_close(store);
        store = util_open(env, MEMO_OPEN_EXISTING); /* with nothing in its page cache */
        status = memo_store_begin_write(store, &failed);
        fuse = at;
        fuse_blown = fuse_sticky = 0;
        if (!status)
            status = memo_store_forget(store, 1, "0", &found, &failed);
        done = !fuse_blown;
        fuse = 0;
        memo_store_rollback(store);
        if (status && status != MEMO_ERR_NOMEM)
            fail_msg("allocation %d: %s", (int)at, failed.message);
        util_ok(util_search(store, &scope, "text", 1, 9, &arena, &hits, &n, err));
        assert_int_equal(n, n_wanted);
        for (size_t i = 0; i < n; i++)
            if (hits[i].chunk != wanted[i].chunk || hits[i].score != wanted[i].score)
                fail_msg("allocation %d: hit %d has score %g, not %g", (int)at, (int)i,
                         hits[i].score, wanted[i].score);
    }
    assert_true(n_points > 50);
    memo_arena_fini(&arena);
    memo_store_close(store);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, util_setup, util_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_faults_every_write),
        CASE(test_faults_every_sync),
        CASE(test_faults_every_other_call),
        CASE(test_faults_failed_sync_poisons_the_handle),
        CASE(test_faults_failed_sync_at_close_keeps_the_log),
        CASE(test_faults_full_disk_recovers),
        CASE(test_faults_no_descriptor_is_not_read_only),
        CASE(test_faults_unreadable_is_not_damaged),
        CASE(test_faults_unknown_size_is_not_a_cut),
        CASE(test_faults_every_allocation),
        CASE(test_faults_allocations_of_sqlite),
        CASE(test_faults_rollback_without_memory),
        CASE(test_faults_scores_after_lack_of_memory),
    };
    sqlite3_mem_methods fused;
    sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real_memory);
    fused = real_memory;
    fused.xMalloc = fused_malloc;
    fused.xRealloc = fused_realloc;
    sqlite3_config(SQLITE_CONFIG_MALLOC, &fused);
    sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0); /* else small blocks could not fail */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
