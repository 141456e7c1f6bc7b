// SPDX-License-Identifier: Apache-2.0
/* A repair is cut short at each call that changes a file, or that call fails, or an allocation does:
 * under the store's name lies the old store or the repaired one, the original is kept with its log
 * as soon as it is the repaired one, and the next repair ends as the first would have. */
#include "memo_test.h"
#include "repair_util.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>

#include "base/file.h"

/* ---- the seam ------------------------------------------------------------------------------ */

typedef struct fault_seam {
    uint64_t seen, at; /* calls so far; the one that it strikes, 0: none */
    int kill;          /* else it fails */
    memo_sys real;
} fault_seam;

static fault_seam seam;

/* Non-zero: this call shall fail. */
static int seam_strikes(void)
{
    if (++seam.seen != seam.at)
        return 0;
    if (seam.kill)
        _exit(9);
    errno = seam.at % 2 ? EIO : ENOSPC;
    return 1;
}

static int seam_open(const char *path, int flags, int mode)
{
    return (flags & O_CREAT) && seam_strikes() ? -1 : seam.real.open(path, flags, mode);
}
static ssize_t seam_pwrite(int fd, const void *buf, size_t n, off_t offset)
{
    return seam_strikes() ? -1 : seam.real.pwrite(fd, buf, n, offset);
}
static int seam_fsync(int fd)
{
    return seam_strikes() ? -1 : seam.real.fsync(fd);
}
static int seam_ftruncate(int fd, off_t n)
{
    return seam_strikes() ? -1 : seam.real.ftruncate(fd, n);
}
static int seam_rename(const char *from, const char *to)
{
    return seam_strikes() ? -1 : seam.real.rename(from, to);
}
static int seam_rename_new(const char *from, const char *to)
{
    return seam_strikes() ? -1 : seam.real.rename_new(from, to);
}
static int seam_unlink(const char *path)
{
    return seam_strikes() ? -1 : seam.real.unlink(path);
}

static int seam_vfs(void *user, memo_vfs_op op, const char *path, int64_t offset, int amount,
                    int *n_bytes)
{
    (void)user;
    (void)path;
    (void)offset;
    (void)n_bytes;
    (void)amount;
    switch (op) {
    case MEMO_VFS_WRITE:
        return seam_strikes() ? SQLITE_FULL : SQLITE_OK;
    case MEMO_VFS_TRUNCATE:
        return seam_strikes() ? SQLITE_IOERR_TRUNCATE : SQLITE_OK;
    case MEMO_VFS_SYNC:
        return seam_strikes() ? SQLITE_IOERR_FSYNC : SQLITE_OK;
    case MEMO_VFS_DELETE:
        return seam_strikes() ? SQLITE_IOERR_DELETE : SQLITE_OK;
    case MEMO_VFS_OPEN:
        return seam_strikes() ? SQLITE_CANTOPEN : SQLITE_OK;
    default:
        return SQLITE_OK;
    }
}

static void seam_set(uint64_t at, int kill)
{
    static memo_sys sys;
    seam = (fault_seam){.at = at, .kill = kill, .real = *memo_sys_get()};
    sys = seam.real;
    sys.open = seam_open;
    sys.pwrite = seam_pwrite;
    sys.fsync = seam_fsync;
    sys.ftruncate = seam_ftruncate;
    sys.rename = seam_rename;
    sys.rename_new = seam_rename_new;
    sys.unlink = seam_unlink;
    memo_sys_set(&sys);
    memo_vfs_set_hook(seam_vfs, NULL);
}

static void seam_clear(void)
{
    memo_sys_set(NULL);
    memo_vfs_set_hook(NULL, NULL);
}

/* ---- a damaged store with a log ------------------------------------------------------------ */

enum { PATIENT_N = 12 };

typedef struct patient {
    unsigned char *bytes, *log;
    size_t n, n_log;
} patient;

/* Eight records in the file, four in the log. `way` MEMO_REPAIR_ROWS: a row is changed behind a right
 * page checksum; MEMO_REPAIR_REBUILT: the header page is lost. */
static void patient_make(util_env *env, memo_repair_way way, patient *p)
{
    char path[128];
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    memo_store_ns ns;
    snprintf(path, sizeof path, "%s-wal", env->path);
    for (unsigned i = 0; i < PATIENT_N; i++) {
        char key[8], text[64];
        if (i == 8) {
            memo_store_close(store);
            if (way == MEMO_REPAIR_ROWS)
                repair_meddle(env, MEMO_VFS_NAME, "UPDATE records SET tier = 1 WHERE key = 'k3'");
            store = util_open(env, MEMO_OPEN_EXISTING);
        }
        snprintf(key, sizeof key, "k%u", i);
        snprintf(text, sizeof text, "the text of patient %u", i);
        util_add(store, key, text, i);
        if (i == 0) {
            util_ok(memo_store_begin_write(store, err));
            util_ok(memo_store_find_ns(store, "default", &ns, err));
            util_ok(memo_store_set_ns_space(store, ns.id, 1, err));
            util_ok(memo_store_commit(store, err));
        }
    }
    p->bytes = util_slurp(env->path, &p->n);
    p->log = util_slurp(path, &p->n_log);
    assert_true(p->n_log > 0);
    memo_store_close(store);
    if (way == MEMO_REPAIR_REBUILT)
        memset(p->bytes, 0x55, MEMO_PAGE_BYTES);
}

static void patient_free(patient *p)
{
    free(p->bytes);
    free(p->log);
}

static void patient_place(util_env *env, const patient *p)
{
    repair_place(env, p->bytes, p->n, p->log, p->n_log);
}

/* All records that the repaired store must hold, each whole, and nothing else. */
static int patient_is_whole(util_env *env, memo_repair_way way, int *opened)
{
    memo_store_options options = {.mode = MEMO_OPEN_EXISTING, .busy_timeout_ms = -1};
    memo_store *store = NULL;
    memo_arena arena = {0};
    util_findings findings = {0};
    int whole = 1;
    *opened = memo_store_open(env->ctx, env->path, &options, &store, NULL) == MEMO_OK;
    if (!*opened)
        return 0;
    for (unsigned i = 0; whole && i < PATIENT_N; i++) {
        memo_record r;
        char key[8], text[64];
        int want = !(way == MEMO_REPAIR_ROWS && i == 3);
        memo_status status;
        snprintf(key, sizeof key, "k%u", i);
        snprintf(text, sizeof text, "the text of patient %u", i);
        status = memo_store_get(store, 1, key, &arena, &r, NULL);
        whole = want ? status == MEMO_OK && strcmp(r.text.bytes, text) == 0
                     : status == MEMO_ERR_NOTFOUND;
    }
    if (whole)
        util_ok(memo_store_check(store, util_finding, &findings, err));
    memo_arena_fini(&arena);
    memo_store_close(store);
    return whole && !findings.n_bad;
}

/* After a repair that was cut short: old with everything to go on from, or new with the old kept. */
static void check_old_or_new(util_env *env, memo_repair_way way, const patient *p, uint64_t point)
{
    repair_outcome out = {.findings = {0}};
    memo_err failed = {0};
    int opened;
    struct stat st;
    if (stat(env->path, &st) != 0)
        fail_msg("call %d: no store is left", (int)point);
    if (patient_is_whole(env, way, &opened)) {
        if (!repair_is_kept(env, ".before-repair-1", p->bytes, p->n) ||
            !repair_is_kept(env, ".before-repair-1-wal", p->log, p->n_log))
            fail_msg("call %d: the store is new and the original is gone", (int)point);
        return;
    }
    if (repair_run(env, 0, &out, &failed))
        fail_msg("call %d: repaired again: %s", (int)point, failed.message);
    if (!patient_is_whole(env, way, &opened))
        fail_msg("call %d: repaired again, it is not whole:\n%s", (int)point, out.findings.text);
    memo_arena_fini(&out.arena);
}

/* Under a sanitizer a fork is slow, and MEMO_QUICK is in a hurry: every 9th point then. */
static unsigned point_stride(void)
{
    return MEMO_TEST_SANITIZED || getenv("MEMO_QUICK") ? 9 : 1;
}

/* ---- kills --------------------------------------------------------------------------------- */

static int killed_at(util_env *env, uint64_t point)
{
    int how = 0;
    pid_t pid = fork();
    if (pid == 0) {
        repair_outcome out = {.findings = {0}};
        seam_set(point, 1);
        _exit(repair_run(env, 0, &out, NULL) == MEMO_OK ? 0 : 1);
    }
    assert_true(pid > 0 && waitpid(pid, &how, 0) == pid && WIFEXITED(how));
    assert_int_not_equal(WEXITSTATUS(how), 1);
    return WEXITSTATUS(how) == 9;
}

static void test_repair_killed_at_each_call(void **state)
{
    static const memo_repair_way ways[] = {MEMO_REPAIR_ROWS, MEMO_REPAIR_REBUILT};
    util_env *env = *state;
    size_t n_points = 0;
    for (size_t w = 0; w < 2; w++) {
        patient p;
        patient_make(env, ways[w], &p);
        for (uint64_t point = 1;; point += point_stride()) {
            int more;
            patient_place(env, &p);
            more = killed_at(env, point);
            check_old_or_new(env, ways[w], &p, point);
            if (!more)
                break;
            n_points++;
        }
        patient_free(&p);
        repair_place(env, "", 0, NULL, 0);
        unlink(env->path);
    }
    print_message("%zu kill points\n", n_points);
    assert_true(n_points * point_stride() > 100);
}

/* ---- failing calls ------------------------------------------------------------------------- */

static void test_repair_with_each_call_failing(void **state)
{
    static const memo_repair_way ways[] = {MEMO_REPAIR_ROWS, MEMO_REPAIR_REBUILT};
    util_env *env = *state;
    size_t n_points = 0, n_refused = 0;
    for (size_t w = 0; w < 2; w++) {
        patient p;
        patient_make(env, ways[w], &p);
        for (uint64_t point = 1;; point += point_stride()) {
            repair_outcome out = {.findings = {0}};
            memo_err failed = {0};
            memo_status status;
            uint64_t seen;
            patient_place(env, &p);
            seam_set(point, 0);
            status = repair_run(env, 0, &out, &failed);
            seen = seam.seen;
            seam_clear();
            memo_arena_fini(&out.arena);
            if (status != MEMO_OK && status != MEMO_ERR_IO)
                fail_msg("call %d: %s: %s", (int)point, memo_status_name(status), failed.message);
            check_old_or_new(env, ways[w], &p, point);
            n_refused += status != MEMO_OK;
            if (seen < point)
                break;
            n_points++;
        }
        patient_free(&p);
        repair_place(env, "", 0, NULL, 0);
        unlink(env->path);
    }
    print_message("%zu calls failed, %zu repairs gave up\n", n_points, n_refused);
    assert_true(n_points * point_stride() > 100 && n_refused > n_points / 2);
}

/* ---- memory -------------------------------------------------------------------------------- */

/* Each allocation fails, once or from then on. A repair that ends in MEMO_OK all the same was done. */
static size_t sweep_memory(util_env *env, memo_repair_way way, const patient *p, int sticky)
{
    size_t n_refused = 0;
    for (uint64_t n = 1;; n += point_stride()) {
        repair_outcome out = {.findings = {0}};
        memo_err failed = {0};
        int64_t live;
        memo_status status;
        int reached;
        patient_place(env, p);
        live = memo_alloc_live();
        memo_alloc_fail_at(n, sticky);
        status = repair_run(env, 0, &out, &failed);
        reached = memo_alloc_count() >= n;
        memo_alloc_fail_at(0, 0);
        memo_arena_fini(&out.arena);
        if (memo_alloc_live() != live)
            fail_msg("allocation %d (sticky %d) leaks", (int)n, sticky);
        if (status != MEMO_ERR_NOMEM && status != MEMO_OK)
            fail_msg("allocation %d (sticky %d): %s: %s", (int)n, sticky, memo_status_name(status),
                     failed.message);
        if (repair_count_temporaries(env))
            fail_msg("allocation %d (sticky %d) leaves files", (int)n, sticky);
        if (status && !repair_is_kept(env, ".before-repair-1", p->bytes, p->n) &&
            !repair_is_kept(env, "", p->bytes, p->n))
            fail_msg("allocation %d (sticky %d): neither the store nor a copy", (int)n, sticky);
        check_old_or_new(env, way, p, n);
        if (!reached)
            return n_refused;
        n_refused += status != MEMO_OK;
    }
}

static void test_repair_every_allocation(void **state)
{
    static const memo_repair_way ways[] = {MEMO_REPAIR_ROWS, MEMO_REPAIR_REBUILT};
    util_env *env = *state;
    for (size_t w = 0; w < 2; w++) {
        patient p;
        size_t n = 0;
        patient_make(env, ways[w], &p);
        for (int sticky = 0; sticky <= 1; sticky++)
            n += sweep_memory(env, ways[w], &p, sticky);
        print_message("%zu points\n", n);
        assert_true(n * point_stride() > 100);
        patient_free(&p);
        repair_place(env, "", 0, NULL, 0);
        unlink(env->path);
    }
}

/* ---- damaged logs -------------------------------------------------------------------------- */

/* A prefix of the commits is served, all of the file's; what was acknowledged beyond is said. */
static void test_repair_of_damaged_logs(void **state)
{
    util_env *env = *state;
    patient p;
    size_t n_told = 0;
    patient_make(env, MEMO_REPAIR_NOTHING, &p);
    for (size_t k = 1; k < 60; k++) {
        repair_outcome out = {.findings = {0}};
        memo_store *store;
        memo_arena arena = {0};
        unsigned n = 0;
        size_t at = p.n_log * k / 60, n_left = k % 3 ? p.n_log : at;
        char path[128];
        p.log[at] ^= k % 3 ? 0x10 : 0;
        patient_place(env, &p);
        if (n_left != p.n_log) {
            snprintf(path, sizeof path, "%s-wal", env->path);
            assert_int_equal(truncate(path, (off_t)n_left), 0);
        }
        util_ok(repair_run(env, 0, &out, err));
        store = util_open(env, MEMO_OPEN_EXISTING);
        util_check_clean(store);
        for (char key[8] = "k0"; n < PATIENT_N; n++) {
            memo_record r;
            snprintf(key, sizeof key, "k%u", n);
            if (memo_store_get(store, 1, key, &arena, &r, NULL))
                break;
        }
        assert_true(n >= 8);
        assert_int_equal(util_count(store), n);
        n_told += n < PATIENT_N;
        memo_store_close(store);
        memo_arena_fini(&arena);
        memo_arena_fini(&out.arena);
        p.log[at] ^= k % 3 ? 0x10 : 0;
    }
    assert_true(n_told > 20);
    patient_free(&p);
}

static void test_repair_refuses_the_log_of_another_store(void **state)
{
    util_env *env = *state;
    repair_outcome out = {.findings = {0}};
    patient one, other;
    patient_make(env, MEMO_REPAIR_NOTHING, &one);
    repair_place(env, "", 0, NULL, 0);
    unlink(env->path);
    patient_make(env, MEMO_REPAIR_NOTHING, &other);
    repair_place(env, one.bytes, one.n, other.log, other.n_log);
    util_fails(MEMO_ERR_CORRUPT, "belongs to another store", repair_run(env, 0, &out, err));
    assert_true(repair_is_kept(env, "", one.bytes, one.n));
    assert_true(repair_is_kept(env, "-wal", other.log, other.n_log));
    assert_int_equal(repair_count_temporaries(env), 0);
    memo_arena_fini(&out.arena);
    patient_free(&one);
    patient_free(&other);
}

int main(void)
{
#define IN_ENV(f) cmocka_unit_test_setup_teardown(f, util_setup, util_teardown)
    const struct CMUnitTest tests[] = {
        IN_ENV(test_repair_killed_at_each_call),
        IN_ENV(test_repair_with_each_call_failing),
        IN_ENV(test_repair_every_allocation),
        IN_ENV(test_repair_of_damaged_logs),
        IN_ENV(test_repair_refuses_the_log_of_another_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
