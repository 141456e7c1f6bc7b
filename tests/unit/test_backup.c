// SPDX-License-Identifier: Apache-2.0
/* A backup is one moment of the store, whole, or it is not there. */
#include "store_util.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "base/ctx.h"
#include "base/file.h"
#include "memo_test.h"
#include "store/disk/vfs.h"

static const char *beside(util_env *env, const char *name, char out[160])
{
    snprintf(out, 160, "%s/%s", env->folder, name);
    return out;
}

static memo_status backup(memo_store *store, const char *path, int overwrite,
                          memo_backup_report *report, memo_err *err)
{
    const memo_backup_options options = {.size = sizeof options, .overwrite = overwrite};
    return memo_store_backup(store, path, &options, report, err);
}

/* Files of the folder whose name ends in ".tmp": what a failed backup may not leave. */
static int count_temporaries(util_env *env)
{
    DIR *dir = opendir(env->folder);
    struct dirent *entry;
    int n = 0;
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL)
        n += strstr(entry->d_name, ".tmp") != NULL;
    closedir(dir);
    return n;
}

static void open_and_check(util_env *env, const char *path, uint64_t n_records)
{
    util_env copy = *env;
    memo_store *store;
    assert_true(strlen(path) < sizeof copy.path);
    memcpy(copy.path, path, strlen(path) + 1);
    store = util_open(&copy, MEMO_OPEN_EXISTING);
    assert_int_equal(util_count(store), n_records);
    util_check_clean(store);
    memo_store_close(store);
}

/* ---- what it is ---------------------------------------------------------------------------- */

static void test_backup_is_a_store_of_its_own(void **state)
{
    util_env *env = *state;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE), *copy;
    memo_backup_report report = {.size = sizeof report};
    memo_arena arena = {0};
    memo_record record;
    util_env other = *env;
    char path[160];
    util_add(store, "a", "the text of a", 1);
    util_add(store, "b", "the text of b", 2);
    util_ok(backup(store, beside(env, "b.memo", path), 0, &report, err));
    assert_int_equal(report.n_records, 2);
    assert_int_equal(report.n_chunks, 2);
    assert_int_equal(report.n_vectors, 2);
    assert_int_equal(report.n_pages * MEMO_PAGE_BYTES, report.n_bytes);
    util_add(store, "c", "after the backup", 3);
    memo_store_close(store);

    /* Restoring is using it: it reads, writes, and knows nothing of what came later. */
    assert_true(strlen(path) < sizeof other.path);
    memcpy(other.path, path, strlen(path) + 1);
    copy = util_open(&other, MEMO_OPEN_EXISTING);
    assert_int_equal(util_count(copy), 2);
    util_ok(memo_store_get(copy, 1, "a", &arena, &record, err));
    assert_string_equal(record.text.bytes, "the text of a");
    assert_int_equal(memo_store_get(copy, 1, "c", &arena, &record, NULL), MEMO_ERR_NOTFOUND);
    util_add(copy, "d", "written to the backup", 4);
    util_check_clean(copy);
    memo_store_close(copy);

    /* And moved to the store's name, it is the store. */
    assert_int_equal(rename(path, env->path), 0);
    open_and_check(env, env->path, 3);
    memo_arena_fini(&arena);
}

static void test_backup_of_a_store_open_for_reading(void **state)
{
    util_env *env = *state;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    char path[160];
    util_add(store, "a", "in the log only", 1);
    {
        memo_store *reader = util_open(env, MEMO_OPEN_READ_ONLY);
        util_ok(backup(reader, beside(env, "b.memo", path), 0, NULL, err));
        memo_store_close(reader);
    }
    open_and_check(env, path, 1);
    util_ok(memo_store_begin_write(store, err));
    util_fails(MEMO_ERR_USAGE, "transaction", backup(store, path, 1, NULL, err));
    memo_store_rollback(store);
    memo_store_close(store);
}

/* ---- targets ------------------------------------------------------------------------------- */

static void test_backup_refuses_the_store_itself(void **state)
{
    util_env *env = *state;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    char path[160], name[180];
    util_add(store, "a", "x", 1);
    util_fails(MEMO_ERR_USAGE, "own backup", backup(store, env->path, 1, NULL, err));
    for (int i = 0; i < 3; i++) {
        static const char *const suffixes[] = {"-wal", "-shm", "-lock"};
        snprintf(name, sizeof name, "%s%s", env->path, suffixes[i]);
        util_fails(MEMO_ERR_USAGE, "own backup", backup(store, name, 1, NULL, err));
    }
    assert_int_equal(symlink(env->path, beside(env, "link", path)), 0);
    util_fails(MEMO_ERR_USAGE, "own backup", backup(store, path, 1, NULL, err));
    assert_int_equal(link(env->path, beside(env, "hard", path)), 0);
    util_fails(MEMO_ERR_USAGE, "own backup", backup(store, path, 1, NULL, err));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(util_count(store), 1);
    assert_int_equal(count_temporaries(env), 0);
    memo_store_close(store);
}

static void test_backup_replaces_only_when_told(void **state)
{
    util_env *env = *state;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    char path[160], folder[160];
    util_add(store, "a", "x", 1);
    util_spill(beside(env, "old", path), "old", 3);
    util_fails(MEMO_ERR_USAGE, "exists already", backup(store, path, 0, NULL, err));
    {
        size_t n;
        unsigned char *bytes = util_slurp(path, &n);
        assert_int_equal(n, 3);
        free(bytes);
    }
    util_ok(backup(store, path, 1, NULL, err));
    open_and_check(env, path, 1);
    assert_int_equal(mkdir(beside(env, "folder", folder), 0700), 0);
    util_fails(MEMO_ERR_IO, "folder", backup(store, folder, 1, NULL, err));
    util_fails(MEMO_ERR_IO, "nowhere", backup(store, "/nowhere/at/all", 0, NULL, err));
    assert_int_equal(count_temporaries(env), 0);
    memo_store_close(store);
}

/* Replacing a store that is in use would leave its users with the new one's log. */
static void test_backup_leaves_a_store_in_use_alone(void **state)
{
    util_env *env = *state;
    memo_store_options options = {.mode = MEMO_OPEN_EXISTING, .busy_timeout_ms = 50};
    memo_store *store = util_open(env, MEMO_OPEN_CREATE), *used = NULL;
    char path[160], log[180];
    util_add(store, "a", "x", 1);
    util_ok(backup(store, beside(env, "b.memo", path), 0, NULL, err));
    memo_store_close(store);
    util_ok(memo_store_open(env->ctx, env->path, &options, &store, err));
    util_ok(memo_store_open(env->ctx, path, &options, &used, err));
    util_fails(MEMO_ERR_BUSY, "is open in", backup(store, path, 1, NULL, err));
    util_add(used, "b", "y", 2);
    memo_store_close(used);
    open_and_check(env, path, 2);
    /* A log that was never folded in is not thrown away. */
    snprintf(log, sizeof log, "%s-wal", path);
    util_spill(log, "something", 9);
    util_fails(MEMO_ERR_USAGE, "holds changes", backup(store, path, 1, NULL, err));
    /* Nor does a new file get the log of one that is gone. */
    assert_int_equal(unlink(path), 0);
    util_fails(MEMO_ERR_USAGE, "holds changes", backup(store, path, 0, NULL, err));
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(unlink(log), 0);
    util_ok(backup(store, path, 1, NULL, err));
    open_and_check(env, path, 1);
    memo_store_close(store);
}

/* ---- order of what reaches the disk -------------------------------------------------------- */

static int n_folder_syncs, n_folder_syncs_at_rename;

static int count_fsync(int fd)
{
    struct stat st;
    n_folder_syncs += fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
    return fsync(fd);
}

static int note_rename(const char *from, const char *to)
{
    n_folder_syncs_at_rename = n_folder_syncs;
    return rename(from, to);
}

/* The log of the old file must be gone on the disk before the new file is there. */
static void test_backup_clears_the_place_durably(void **state)
{
    util_env *env = *state;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    memo_sys sys = *memo_sys_get();
    char path[160];
    util_add(store, "a", "x", 1);
    util_ok(backup(store, beside(env, "b.memo", path), 0, NULL, err));
    sys.fsync = count_fsync;
    sys.rename = note_rename;
    memo_sys_set(&sys);
    util_ok(backup(store, path, 1, NULL, err));
    memo_sys_set(NULL);
    assert_int_equal(n_folder_syncs_at_rename, 1);
    assert_int_equal(n_folder_syncs, 2);
    memo_store_close(store);
}

/* ---- damage -------------------------------------------------------------------------------- */

static void flip_page(const char *path, unsigned page)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    unsigned char byte;
    off_t at = (off_t)(page - 1) * MEMO_PAGE_BYTES + 4000;
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 4;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    assert_int_equal(close(fd), 0);
}

static void test_backup_of_a_damaged_store_is_refused(void **state)
{
    util_env *env = *state;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    char path[160];
    util_add(store, "a", "the text of a", 1);
    util_add(store, "b", "the text of b", 2);
    memo_store_close(store);
    store = util_open(env, MEMO_OPEN_READ_ONLY);
    flip_page(env->path, 3);
    flip_page(env->path, 7);
    util_fails(MEMO_ERR_CORRUPT, "pages 3, 7", backup(store, beside(env, "c", path), 0, NULL, err));
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(count_temporaries(env), 0);
    memo_store_close(store);
}

/* The message of a page in the log stands as it is; nothing is kept of the search for others. */
static void test_backup_of_a_damaged_log_is_refused(void **state)
{
    util_env *env = *state;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE), *reader;
    int64_t live;
    char path[160], log[160];
    struct stat st;
    unsigned char byte;
    int fd;
    util_add(store, "a", "in the log only", 1);
    reader = util_open(env, MEMO_OPEN_READ_ONLY);
    snprintf(log, sizeof log, "%s-wal", env->path);
    fd = open(log, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0 && fstat(fd, &st) == 0);
    assert_int_equal(pread(fd, &byte, 1, st.st_size - 1000), 1);
    byte ^= 4;
    assert_int_equal(pwrite(fd, &byte, 1, st.st_size - 1000), 1);
    assert_int_equal(close(fd), 0);
    live = memo_alloc_live();
    util_fails(MEMO_ERR_CORRUPT, "checksum of page",
               backup(reader, beside(env, "c", path), 0, NULL, err));
    assert_int_equal(memo_alloc_live(), live);
    assert_int_equal(access(path, F_OK), -1);
    memo_store_close(reader);
    memo_store_close(store);
}

/* Hundreds of bad pages are named about as fast as one: each of them may be a page that is just
 * being written, but they are waited for together. */
static void test_backup_names_many_pages_in_no_time(void **state)
{
    enum { TEXT_BYTES = 4 << 20, FIRST = 20 };
    util_env *env = *state;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    char *text = malloc(TEXT_BYTES + 1), path[160];
    struct stat st;
    double started;
    assert_non_null(text);
    memset(text, 'x', TEXT_BYTES);
    text[TEXT_BYTES] = '\0';
    util_add(store, "a", text, 1);
    memo_store_close(store);
    store = util_open(env, MEMO_OPEN_READ_ONLY);
    assert_int_equal(stat(env->path, &st), 0);
    unsigned n_pages = (unsigned)(st.st_size / MEMO_PAGE_BYTES);
    assert_true(n_pages > 500);
    for (unsigned page = FIRST; page <= n_pages; page++)
        flip_page(env->path, page);
    started = memo_monotonic_ms();
    util_fails(MEMO_ERR_CORRUPT, "pages 20-", backup(store, beside(env, "c", path), 0, NULL, err));
    assert_true(memo_monotonic_ms() - started < 5000);
    memo_store_close(store);
    free(text);
}

/* A copy in which a byte went wrong on its way to the disk is found out and not named. */
static int hook_twist(void *user, memo_vfs_op op, const char *path, int64_t offset, int amount,
                      int *n_bytes)
{
    (void)amount;
    (void)n_bytes;
    if (op == MEMO_VFS_READ && path && strstr(path, ".tmp") && offset == 0 && !*(int *)user) {
        int fd = open(path, O_RDWR | O_CLOEXEC);
        struct stat st;
        if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 5 * MEMO_PAGE_BYTES) {
            *(int *)user = pwrite(fd, "!", 1, 4 * MEMO_PAGE_BYTES + 8000) == 1;
        }
        if (fd >= 0)
            close(fd);
    }
    return SQLITE_OK;
}

static void test_backup_reads_back_what_it_wrote(void **state)
{
    util_env *env = *state;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    int twisted = 0;
    char path[160];
    util_add(store, "a", "the text of a", 1);
    memo_vfs_set_hook(hook_twist, &twisted);
    util_fails(MEMO_ERR_CORRUPT, "", backup(store, beside(env, "c", path), 0, NULL, err));
    memo_vfs_set_hook(NULL, NULL);
    assert_true(twisted);
    assert_int_equal(access(path, F_OK), -1);
    memo_store_close(store);
}

/* ---- failures ------------------------------------------------------------------------------ */

typedef struct fail_plan {
    memo_vfs_op op;
    int rc;
    uint64_t fail_at, seen;
} fail_plan;

static int hook_fail(void *user, memo_vfs_op op, const char *path, int64_t offset, int amount,
                     int *n_bytes)
{
    fail_plan *plan = user;
    (void)offset;
    (void)amount;
    (void)n_bytes;
    if (op != plan->op || !path || !strstr(path, ".tmp"))
        return SQLITE_OK;
    return ++plan->seen == plan->fail_at ? plan->rc : SQLITE_OK;
}

/* Every write of the copy fails once, with a full disk and with an error. */
static void test_backup_every_failed_write_leaves_the_old_one(void **state)
{
    static const struct {
        memo_vfs_op op;
        int rc;
        const char *part;
    } kinds[] = {{MEMO_VFS_WRITE, SQLITE_FULL, "disk is full"},
                 {MEMO_VFS_WRITE, SQLITE_IOERR_WRITE, ""},
                 {MEMO_VFS_OPEN, SQLITE_CANTOPEN, ""}};
    util_env *env = *state;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    size_t n_points = 0, n_old;
    unsigned char *old;
    char path[160];
    util_add(store, "a", "the text of a", 1);
    util_ok(backup(store, beside(env, "b.memo", path), 0, NULL, err));
    old = util_slurp(path, &n_old);
    util_add(store, "b", "later", 2);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        util_spill(path, old, n_old);
        for (uint64_t n = 1;; n++) {
            fail_plan plan = {.op = kinds[i].op, .rc = kinds[i].rc, .fail_at = n};
            memo_err failed = {0};
            memo_status status;
            memo_vfs_set_hook(hook_fail, &plan);
            status = backup(store, path, 1, NULL, &failed);
            memo_vfs_set_hook(NULL, NULL);
            assert_int_equal(count_temporaries(env), 0);
            open_and_check(env, path, status ? 1 : 2);
            if (plan.seen < n) {
                assert_int_equal(status, MEMO_OK);
                break;
            }
            assert_int_equal(status, MEMO_ERR_IO);
            assert_non_null(strstr(failed.message, kinds[i].part));
            n_points++;
        }
    }
    print_message("%zu points\n", n_points);
    assert_true(n_points > 20);
    free(old);
    memo_store_close(store);
}

static int refuse_fsync(int fd)
{
    (void)fd;
    errno = EIO;
    return -1;
}

static int refuse_rename(const char *from, const char *to)
{
    (void)from;
    (void)to;
    errno = ENOSPC;
    return -1;
}

static void test_backup_that_cannot_be_synced_or_named_is_none(void **state)
{
    util_env *env = *state;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    memo_sys sys = *memo_sys_get();
    char path[160];
    util_add(store, "a", "x", 1);
    beside(env, "b.memo", path);
    sys.fsync = refuse_fsync;
    memo_sys_set(&sys);
    util_fails(MEMO_ERR_IO, "sync", backup(store, path, 0, NULL, err));
    memo_sys_set(NULL);
    sys = *memo_sys_get();
    sys.rename = sys.rename_new = refuse_rename;
    memo_sys_set(&sys);
    util_fails(MEMO_ERR_IO, "rename", backup(store, path, 0, NULL, err));
    memo_sys_set(NULL);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(count_temporaries(env), 0);
    memo_store_close(store);
}

typedef struct sweep_args {
    memo_store *store;
    const char *path;
} sweep_args;

static memo_status sweep_backup(void *user, memo_err *err)
{
    const sweep_args *a = user;
    return backup(a->store, a->path, 1, NULL, err);
}

static void test_backup_every_allocation(void **state)
{
    util_env *env = *state;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    char path[160];
    sweep_args args = {store, beside(env, "b.memo", path)};
    size_t n;
    util_add(store, "a", "the text of a", 1);
    util_ok(backup(store, path, 0, NULL, err));
    n = memo_test_alloc_sweep(sweep_backup, &args);
    print_message("%zu points\n", n);
    assert_true(n > 20);
    assert_int_equal(count_temporaries(env), 0);
    open_and_check(env, path, 1);
    memo_store_close(store);
}

static int stop_at_once(void *user, const memo_progress *at)
{
    (void)at;
    ++*(int *)user;
    return 1;
}

static void test_backup_can_be_cancelled(void **state)
{
    util_env *env = *state;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    int n_calls = 0;
    memo_backup_options options = {
        .size = sizeof options, .progress = stop_at_once, .progress_user = &n_calls};
    char path[160], text[8000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    for (unsigned i = 0; i < 600; i++) /* more pages than one step copies */
        util_add(store, NULL, text, i);
    util_fails(MEMO_ERR_CANCELLED, "",
               memo_store_backup(store, beside(env, "b", path), &options, NULL, err));
    assert_int_equal(n_calls, 1);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(count_temporaries(env), 0);
    memo_store_close(store);
}

/* ---- while others write -------------------------------------------------------------------- */

enum { WRITERS = 4, BATCH = 3, MIN_BACKUPS = 6 };

/* Batches of BATCH records until told to stop; each acknowledged one is counted where the parent
 * sees it. */
static void run_writer(util_env *env, unsigned writer, volatile unsigned *n_done,
                       volatile int *stop)
{
    memo_store_options options = {.mode = MEMO_OPEN_EXISTING, .busy_timeout_ms = 60000};
    memo_store *store = NULL;
    if (memo_store_open(env->ctx, env->path, &options, &store, NULL))
        _exit(1);
    while (!*stop) {
        memo_add_result result = {.size = sizeof result};
        memo_err err = {0};
        memo_status status = memo_store_begin_write(store, &err);
        for (unsigned i = 0; !status && i < BATCH; i++) {
            char key[40];
            snprintf(key, sizeof key, "w%u-%u-%u", writer, *n_done, i);
            status = util_put(store, 1, key, key, i, &result, &err);
        }
        if (!status)
            status = memo_store_commit(store, &err);
        if (status) {
            fprintf(stderr, "writer: %s\n", err.message);
            _exit(1);
        }
        ++*n_done;
    }
    memo_store_close(store);
    _exit(0);
}

/* All batches acknowledged before the backup began are in it, and none in part. */
static void check_batches(util_env *env, const char *path, const unsigned *acknowledged)
{
    util_env copy = *env;
    memo_store *store;
    memo_arena arena = {0};
    assert_true(strlen(path) < sizeof copy.path);
    memcpy(copy.path, path, strlen(path) + 1);
    store = util_open(&copy, MEMO_OPEN_READ_ONLY);
    for (unsigned w = 0; w < WRITERS; w++)
        for (unsigned b = 0;; b++) {
            unsigned n = 0;
            for (unsigned i = 0; i < BATCH; i++) {
                char key[40];
                memo_record record;
                snprintf(key, sizeof key, "w%u-%u-%u", w, b, i);
                n += memo_store_get(store, 1, key, &arena, &record, NULL) == MEMO_OK;
            }
            assert_true(n == 0 || n == BATCH);
            if (n == 0) {
                assert_true(b >= acknowledged[w]);
                break;
            }
        }
    memo_arena_fini(&arena);
    memo_store_close(store);
}

static void test_backup_while_four_write(void **state)
{
    util_env *env = *state;
    struct shared {
        unsigned n_done[WRITERS];
        int stop;
    } *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pids[WRITERS];
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    char path[160];
    unsigned n_backups = 0, n_first, n_total = 0;
    assert_true(shared != MAP_FAILED);
    util_add(store, "first", "first", 1);
    memo_store_close(store);
    for (unsigned w = 0; w < WRITERS; w++)
        if ((pids[w] = fork()) == 0)
            run_writer(env, w, &shared->n_done[w], &shared->stop);
    n_first = shared->n_done[0];
    while (n_backups < MIN_BACKUPS || shared->n_done[0] < n_first + 10) {
        unsigned before[WRITERS];
        memcpy(before, shared->n_done, sizeof before);
        store = util_open(env, MEMO_OPEN_READ_ONLY);
        util_ok(backup(store, beside(env, "b.memo", path), 1, NULL, err));
        memo_store_close(store);
        check_batches(env, path, before);
        n_backups++;
    }
    shared->stop = 1;
    for (unsigned w = 0; w < WRITERS; w++) {
        int status;
        assert_int_equal(waitpid(pids[w], &status, 0), pids[w]);
        assert_int_equal(status, 0);
        n_total += shared->n_done[w];
    }
    print_message("%u backups beside %u commits\n", n_backups, n_total);
    open_and_check(env, env->path, 1 + (uint64_t)n_total * BATCH);
    munmap(shared, sizeof *shared);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, util_setup, util_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_backup_is_a_store_of_its_own),
        CASE(test_backup_of_a_store_open_for_reading),
        CASE(test_backup_refuses_the_store_itself),
        CASE(test_backup_replaces_only_when_told),
        CASE(test_backup_leaves_a_store_in_use_alone),
        CASE(test_backup_clears_the_place_durably),
        CASE(test_backup_of_a_damaged_store_is_refused),
        CASE(test_backup_of_a_damaged_log_is_refused),
        CASE(test_backup_names_many_pages_in_no_time),
        CASE(test_backup_reads_back_what_it_wrote),
        CASE(test_backup_every_failed_write_leaves_the_old_one),
        CASE(test_backup_that_cannot_be_synced_or_named_is_none),
        CASE(test_backup_every_allocation),
        CASE(test_backup_can_be_cancelled),
        CASE(test_backup_while_four_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
