// SPDX-License-Identifier: Apache-2.0
/* The writer lock: who waits, who is named, what survives a kill; and where a store may lie. */
#include "store_util.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <time.h>

#include "base/ctx.h"
#include "base/file.h"
#include "store/disk/lock.h"

static void test_lock_excludes_and_names_the_holder(void **state)
{
    util_env *env = *state;
    memo_lock a, b;
    char want[64];
    double before;
    util_ok(memo_lock_init(&a, env->path, err));
    util_ok(memo_lock_init(&b, env->path, err));
    util_ok(memo_lock_take(&a, 0, err));
    util_ok(memo_lock_take(&a, 0, err));
    snprintf(want, sizeof want, "process %ld", (long)getpid());
    util_fails(MEMO_ERR_BUSY, want, memo_lock_take(&b, -1, err));
    before = memo_monotonic_ms();
    util_fails(MEMO_ERR_BUSY, "waited 60 ms", memo_lock_take(&b, 60, err));
    assert_true(memo_monotonic_ms() - before >= 59);
    memo_lock_drop(&a);
    util_ok(memo_lock_take(&b, -1, err));
    memo_lock_fini(&b); /* drops it */
    util_ok(memo_lock_take(&a, -1, err));
    memo_lock_fini(&a);
    memo_lock_fini(&a);
    assert_int_equal(access(env->path, F_OK), -1);
    {
        char lock_path[128];
        snprintf(lock_path, sizeof lock_path, "%s-lock", env->path);
        assert_int_equal(access(lock_path, F_OK), 0); /* never removed */
    }
}

/* A handle whose lock file was removed meets the others again at its next turn. */
static void test_lock_follows_a_file_made_anew(void **state)
{
    util_env *env = *state;
    memo_lock a, b;
    char path[128];
    util_ok(memo_lock_init(&a, env->path, err));
    util_ok(memo_lock_init(&b, env->path, err));
    util_ok(memo_lock_take(&a, 0, err));
    memo_lock_drop(&a);
    snprintf(path, sizeof path, "%s-lock", env->path);
    assert_int_equal(unlink(path), 0);
    util_ok(memo_lock_take(&b, 0, err));
    util_fails(MEMO_ERR_BUSY, "held", memo_lock_take(&a, -1, err));
    memo_lock_drop(&b);
    util_ok(memo_lock_take(&a, -1, err));
    memo_lock_fini(&a);
    memo_lock_fini(&b);
}

static void test_lock_of_a_killed_process_is_free(void **state)
{
    util_env *env = *state;
    int ready[2];
    char byte, want[64];
    memo_lock lock;
    pid_t pid;
    assert_int_equal(pipe(ready), 0);
    pid = fork();
    if (pid == 0) {
        memo_lock held;
        if (memo_lock_init(&held, env->path, NULL) || memo_lock_take(&held, 0, NULL))
            _exit(1);
        (void)!write(ready[1], "x", 1);
        for (;;)
            pause();
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    util_ok(memo_lock_init(&lock, env->path, err));
    snprintf(want, sizeof want, "process %ld", (long)pid);
    util_fails(MEMO_ERR_BUSY, want, memo_lock_take(&lock, -1, err));
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    util_ok(memo_lock_take(&lock, 0, err));
    memo_lock_fini(&lock);
    close(ready[0]);
    close(ready[1]);
}

static int n_interrupts;

static int interrupted_open(const char *path, int flags, int mode)
{
    if (n_interrupts-- > 0) {
        errno = EINTR;
        return -1;
    }
    return open(path, flags, mode);
}

static int interrupted_flock(int fd, int operation)
{
    if (n_interrupts-- > 0) {
        errno = EINTR;
        return -1;
    }
    return flock(fd, operation);
}

static void test_lock_goes_on_after_an_interrupt(void **state)
{
    util_env *env = *state;
    memo_sys sys = *memo_sys_get();
    memo_lock lock;
    sys.open = interrupted_open;
    sys.flock = interrupted_flock;
    for (n_interrupts = 0; n_interrupts < 3;) {
        int n = n_interrupts;
        util_ok(memo_lock_init(&lock, env->path, err));
        memo_sys_set(&sys);
        util_ok(memo_lock_take(&lock, -1, err));
        memo_sys_set(NULL);
        memo_lock_fini(&lock);
        n_interrupts = n + 1;
    }
}

/* One that takes the lock again as soon as it has dropped it leaves room for one that waits: five
 * milliseconds a turn are usual, and polling alone would wait seconds for each. */
static void test_lock_is_left_to_those_who_wait(void **state)
{
    enum { TURNS = 30 };
    util_env *env = *state;
    memo_lock lock;
    struct timespec hold = {0, 2000000};
    int exit_status;
    util_ok(memo_lock_init(&lock, env->path, err));
    pid_t hog = fork();
    assert_true(hog >= 0);
    if (hog == 0)
        for (;;) {
            if (memo_lock_take(&lock, 20000, NULL))
                _exit(1);
            (void)nanosleep(&hold, NULL);
            memo_lock_drop(&lock);
        }
    for (int i = 0; i < TURNS; i++) {
        (void)nanosleep(&hold, NULL); /* the other one has it by now */
        util_ok(memo_lock_take(&lock, 1000, err));
        memo_lock_drop(&lock);
    }
    assert_int_equal(kill(hog, SIGKILL), 0);
    assert_int_equal(waitpid(hog, &exit_status, 0), hog);
    assert_true(WIFSIGNALED(exit_status));
    memo_lock_fini(&lock);
}

static void test_lock_resolves_paths(void **state)
{
    util_env *env = *state;
    char link[128], *out, dots[160];
    int exists;
    util_ok(memo_lock_resolve(env->path, &out, &exists, err));
    assert_int_equal(exists, 0);
    assert_string_equal(out, env->path);
    memo_free(out);
    util_spill(env->path, "x", 1);
    snprintf(link, sizeof link, "%s/link", env->folder);
    assert_int_equal(symlink("a.memo", link), 0);
    util_ok(memo_lock_resolve(link, &out, &exists, err));
    assert_int_equal(exists, 1);
    assert_string_equal(out, env->path);
    memo_free(out);
    snprintf(dots, sizeof dots, "%s/./../%s/new.memo", env->folder, strrchr(env->folder, '/') + 1);
    util_ok(memo_lock_resolve(dots, &out, &exists, err));
    snprintf(link, sizeof link, "%s/new.memo", env->folder);
    assert_string_equal(out, link);
    memo_free(out);
    unlink(env->path);
    snprintf(link, sizeof link, "%s/link", env->folder);
    util_fails(MEMO_ERR_IO, "does not exist", memo_lock_resolve(link, &out, &exists, err));
    util_fails(MEMO_ERR_IO, "folder", memo_lock_resolve(env->folder, &out, &exists, err));
    util_fails(MEMO_ERR_USAGE, "empty", memo_lock_resolve("", &out, &exists, err));
    util_fails(MEMO_ERR_IO, "device", memo_lock_resolve("/dev/null", &out, &exists, err));
    snprintf(link, sizeof link, "%s/pipe", env->folder);
    assert_int_equal(mkfifo(link, 0600), 0);
    util_fails(MEMO_ERR_IO, "pipe", memo_lock_resolve(link, &out, &exists, err));
    snprintf(link, sizeof link, "%s/none/a.memo", env->folder);
    util_fails(MEMO_ERR_IO, "folder", memo_lock_resolve(link, &out, &exists, err));
}

static void test_lock_knows_network_file_systems(void **state)
{
    util_env *env = *state;
    char type[32];
    static const char *const remote[] = {"nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "ceph"};
    static const char *const local[] = {"ext4", "xfs",    "btrfs",       "tmpfs", "overlay",
                                        "zfs",  "fuse",   "fuseblk",     "apfs",  "",
                                        "nf",   "nfsall", "fuse.ntfs-3g"};
    for (size_t i = 0; i < sizeof remote / sizeof *remote; i++)
        assert_true(memo_lock_is_network_type(remote[i]));
    for (size_t i = 0; i < sizeof local / sizeof *local; i++)
        assert_false(memo_lock_is_network_type(local[i]));
    assert_null(memo_lock_network_fs(env->folder, type));
    assert_null(memo_lock_network_fs("/nonexistent", type));
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, util_setup, util_teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_lock_excludes_and_names_the_holder), CASE(test_lock_follows_a_file_made_anew),
        CASE(test_lock_of_a_killed_process_is_free),   CASE(test_lock_is_left_to_those_who_wait),
        CASE(test_lock_goes_on_after_an_interrupt),    CASE(test_lock_resolves_paths),
        CASE(test_lock_knows_network_file_systems),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
