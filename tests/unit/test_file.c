// SPDX-License-Identifier: Apache-2.0
/* Files: what is read, what is refused, and every failure of every system call of a replace. */
#include "memo_test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#include "base/file.h"

/* A table of system calls that counts them, keeps their names, and makes call number `fail_at` fail
 * with `fail_errno`, or move half of the bytes when that is 0. */
static struct {
    int n_calls;
    int fail_at;
    int fail_errno;
    char log[512];
} faulty;

static int fault_due(const char *name)
{
    strncat(faulty.log, name, sizeof faulty.log - strlen(faulty.log) - 1);
    strncat(faulty.log, " ", sizeof faulty.log - strlen(faulty.log) - 1);
    if (++faulty.n_calls != faulty.fail_at)
        return 0;
    errno = faulty.fail_errno;
    return 1;
}

static int fault_open(const char *path, int flags, int mode)
{
    return fault_due("open") && faulty.fail_errno ? -1 : open(path, flags, mode);
}

static int fault_close(int fd)
{
    int fail = fault_due("close") && faulty.fail_errno, e = errno;
    int rc = close(fd);
    errno = e;
    return fail ? -1 : rc;
}

static ssize_t fault_pread(int fd, void *buf, size_t n, off_t offset)
{
    int fail = fault_due("pread");
    if (fail && faulty.fail_errno)
        return -1;
    return pread(fd, buf, fail ? (n + 1) / 2 : n, offset);
}

static ssize_t fault_pwrite(int fd, const void *buf, size_t n, off_t offset)
{
    int fail = fault_due("pwrite");
    if (fail && faulty.fail_errno)
        return -1;
    return pwrite(fd, buf, fail ? (n + 1) / 2 : n, offset);
}

static int fault_fsync(int fd)
{
    return fault_due("fsync") && faulty.fail_errno ? -1 : fsync(fd);
}

static int fault_ftruncate(int fd, off_t n)
{
    return fault_due("ftruncate") && faulty.fail_errno ? -1 : ftruncate(fd, n);
}

static int fault_rename(const char *from, const char *to)
{
    return fault_due("rename") && faulty.fail_errno ? -1 : rename(from, to);
}

static int fault_rename_new(const char *from, const char *to)
{
    return fault_due("rename_new") && faulty.fail_errno ? -1 : rename(from, to);
}

static int fault_unlink(const char *path)
{
    return fault_due("unlink") && faulty.fail_errno ? -1 : unlink(path);
}

static void *fault_mmap(void *addr, size_t n, int prot, int flags, int fd, off_t offset)
{
    return fault_due("mmap") && faulty.fail_errno ? MAP_FAILED
                                                  : mmap(addr, n, prot, flags, fd, offset);
}

static const memo_sys faulty_sys = {fault_open,   fault_close,     fault_pread,  fault_pwrite,
                                    fault_fsync,  fault_ftruncate, fault_rename, fault_rename_new,
                                    fault_unlink, fault_mmap,      munmap,       flock,
                                    mkdir};

static void faults_on(int fail_at, int fail_errno)
{
    memset(&faulty, 0, sizeof faulty);
    faulty.fail_at = fail_at;
    faulty.fail_errno = fail_errno;
    memo_sys_set(&faulty_sys);
}

static int faults_off(void)
{
    memo_sys_set(NULL);
    return faulty.n_calls >= faulty.fail_at;
}

/* The next descriptor number: equal before and after means that none leaked. */
static int next_fd(void)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    close(fd);
    return fd;
}

static size_t n_entries(const char *folder)
{
    size_t n = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir));)
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(dir);
    return n;
}

static void assert_content(const char *path, const char *expected, size_t n)
{
    char *text = NULL;
    size_t n_bytes = 0;
    memo_err err = {0};
    assert_memo_ok(memo_file_slurp(path, 1 << 20, &text, &n_bytes, &err), err);
    assert_int_equal(n_bytes, n);
    assert_memory_equal(text, expected, n);
    memo_free(text);
}

static void test_file_reads_by_offset(void **state)
{
    char path[512], got[8] = {0};
    memo_err err = {0};
    memo_file file;
    memo_test_write_file(memo_test_path(path, *state, "f"), "0123456789", 10);
    assert_memo_ok(memo_file_open(&file, path, &err), err);
    assert_int_equal(file.n_bytes, 10);
    assert_memo_ok(memo_file_read(&file, 3, got, 4, &err), err);
    assert_string_equal(got, "3456");
    assert_memo_ok(memo_file_read(&file, 10, got, 0, &err), err);
    assert_memo_status(memo_file_read(&file, 8, got, 3, &err), MEMO_ERR_FORMAT, err);
    assert_contains(err.message, "needs 3 bytes at offset 8, has 2");
    assert_contains(err.message, path);
    assert_memo_status(memo_file_read(&file, UINT64_MAX, got, 2, &err), MEMO_ERR_FORMAT, err);
    assert_int_equal(truncate(path, 5), 0);
    assert_memo_status(memo_file_read(&file, 3, got, 4, &err), MEMO_ERR_FORMAT, err);
    assert_contains(err.message, "has 2");
    memo_file_close(&file);
    memo_file_close(&file);
}

static void test_file_slurp_has_a_limit(void **state)
{
    char path[512], *text = NULL;
    size_t n = 0;
    memo_err err = {0};
    memo_test_write_file(memo_test_path(path, *state, "f"), "ab\0de", 5);
    assert_memo_ok(memo_file_slurp(path, 5, &text, &n, &err), err);
    assert_int_equal(n, 5);
    assert_memory_equal(text, "ab\0de", 6);
    memo_free(text);
    assert_memo_status(memo_file_slurp(path, 4, &text, &n, &err), MEMO_ERR_LIMIT, err);
    assert_contains(err.message, "5 bytes; at most 4");
    memo_test_write_file(path, "", 0);
    assert_memo_ok(memo_file_slurp(path, 0, &text, &n, &err), err);
    assert_string_equal(text, "");
    memo_free(text);
}

static void test_file_map_shows_the_whole_file(void **state)
{
    char path[512];
    memo_err err = {0};
    memo_map map;
    int fd = next_fd();
    memo_test_write_file(memo_test_path(path, *state, "f"), "mapped", 6);
    assert_memo_ok(memo_map_open(&map, path, &err), err);
    assert_int_equal(map.n_bytes, 6);
    assert_int_equal((uintptr_t)map.data % 64, 0);
    assert_memory_equal(map.data, "mapped", 6);
    assert_int_equal(next_fd(), fd);
    memo_map_close(&map);
    memo_map_close(&map);
    memo_test_write_file(path, "", 0);
    assert_memo_ok(memo_map_open(&map, path, &err), err);
    assert_int_equal(map.n_bytes, 0);
    memo_map_close(&map);
}

/* Each must be refused at once: the alarm ends the program if an open waits. */
static void test_file_refuses_what_is_not_a_regular_file(void **state)
{
    char path[512];
    memo_err err = {0};
    memo_file file;
    memo_map map;
    memo_replace out;
    int fd = next_fd();
    alarm(20);
    assert_memo_status(memo_file_open(&file, *state, &err), MEMO_ERR_IO, err);
    assert_contains(err.message, "not a regular file but a folder");
    assert_memo_status(memo_file_open(&file, "/dev/null", &err), MEMO_ERR_IO, err);
    assert_contains(err.message, "a device");
    assert_int_equal(mkfifo(memo_test_path(path, *state, "fifo"), 0600), 0);
    assert_memo_status(memo_file_open(&file, path, &err), MEMO_ERR_IO, err);
    assert_contains(err.message, "a FIFO");
    assert_memo_status(memo_map_open(&map, path, &err), MEMO_ERR_IO, err);
    assert_memo_status(memo_replace_begin(&out, path, 1, &err), MEMO_ERR_IO, err);
    memo_replace_fini(&out);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int sock = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s/s", (char *)*state);
    assert_int_equal(bind(sock, (struct sockaddr *)&address, sizeof address), 0);
    assert_memo_status(memo_file_open(&file, address.sun_path, &err), MEMO_ERR_IO, err);
    close(sock);
    assert_memo_status(memo_file_open(&file, "", &err), MEMO_ERR_USAGE, err);
    assert_memo_status(memo_file_open(&file, memo_test_path(path, *state, "none"), &err),
                       MEMO_ERR_IO, err);
    assert_contains(err.message, "none: cannot open: No such file or directory");
    assert_null(file.path);
    assert_int_equal(next_fd(), fd);
    alarm(0);
}

static void test_file_replace_appends_and_patches(void **state)
{
    char path[512];
    memo_err err = {0};
    memo_replace out;
    memo_test_path(path, *state, "f");
    assert_memo_ok(memo_replace_begin(&out, path, 0, &err), err);
    assert_memo_ok(memo_replace_append(&out, "....", 4, &err), err);
    assert_memo_ok(memo_replace_append(&out, "data", 4, &err), err);
    assert_memo_ok(memo_replace_write_at(&out, 0, "head", 4, &err), err);
    assert_int_equal(out.n_bytes, 8);
    assert_int_equal(memo_path_exists(path), 0);
    assert_memo_ok(memo_replace_commit(&out, &err), err);
    memo_replace_fini(&out);
    memo_replace_fini(&out);
    assert_content(path, "headdata", 8);
    assert_int_equal(n_entries(*state), 1);
    assert_memo_ok(memo_replace_begin(&out, path, 1, &err), err);
    assert_memo_status(memo_replace_write_at(&out, UINT64_MAX, "xy", 2, &err), MEMO_ERR_LIMIT, err);
    assert_memo_ok(memo_replace_append(&out, "lost", 4, &err), err);
    memo_replace_fini(&out); /* without a commit */
    assert_content(path, "headdata", 8);
    assert_int_equal(n_entries(*state), 1);
}

/* What fails for want of memory must not have put the new file in place. */
static void test_file_replace_without_memory(void **state)
{
    char path[512];
    memo_err err = {0};
    memo_replace out;
    memo_test_path(path, *state, "f");
    assert_memo_ok(memo_replace_begin(&out, path, 0, &err), err);
    memo_alloc_fail_at(1, 1);
    assert_memo_status(memo_replace_commit(&out, &err), MEMO_ERR_NOMEM, err);
    memo_alloc_fail_at(0, 0);
    assert_int_equal(memo_path_exists(path), 0);
    memo_replace_fini(&out);
    assert_int_equal(n_entries(*state), 0);
}

static void test_file_replace_refuses_an_existing_target(void **state)
{
    char path[512];
    memo_err err = {0};
    memo_replace out;
    memo_test_path(path, *state, "f");
    /* The target appears while the new file is written. */
    assert_memo_ok(memo_replace_begin(&out, path, 0, &err), err);
    memo_test_write_file(path, "theirs", 6);
    assert_memo_status(memo_replace_commit(&out, &err), MEMO_ERR_USAGE, err);
    assert_contains(err.message, "exists already");
    memo_replace_fini(&out);
    assert_content(path, "theirs", 6);
    assert_memo_status(memo_replace_begin(&out, path, 0, &err), MEMO_ERR_USAGE, err);
    memo_replace_fini(&out);
    assert_memo_status(memo_replace_begin(&out, "", 0, &err), MEMO_ERR_USAGE, err);
    memo_replace_fini(&out);
    assert_memo_status(memo_replace_begin(&out, *state, 1, &err), MEMO_ERR_IO, err);
    memo_replace_fini(&out);
    assert_int_equal(n_entries(*state), 1);
}

static void test_file_replace_keeps_permissions(void **state)
{
    char path[512];
    memo_err err = {0};
    memo_replace out;
    struct stat st;
    memo_test_write_file(memo_test_path(path, *state, "f"), "old", 3);
    assert_int_equal(chmod(path, 0640), 0);
    assert_memo_ok(memo_replace_begin(&out, path, 1, &err), err);
    assert_memo_ok(memo_replace_commit(&out, &err), err);
    memo_replace_fini(&out);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    assert_int_equal(st.st_size, 0);
}

/* Copies of private data are private, whatever the umask. */
static void test_file_replace_like_another(void **state)
{
    char path[512], model[512];
    memo_err err = {0};
    memo_replace out;
    struct stat st;
    const mode_t modes[] = {0600, 0664};
    mode_t mask = umask(022);
    memo_test_write_file(memo_test_path(model, *state, "model"), "x", 1);
    if (geteuid() == 0)
        assert_int_equal(chown(model, 4242, 4343), 0);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(chmod(model, modes[i]), 0);
        assert_memo_ok(
            memo_replace_begin_like(&out, memo_test_path(path, *state, "copy"), model, 1, &err),
            err);
        assert_int_equal(fstat(out.fd, &st), 0);
        assert_int_equal(st.st_mode & 0777, i ? 0600 : modes[i]); /* the first copy's, later */
        assert_memo_ok(memo_replace_commit(&out, &err), err);
        memo_replace_fini(&out);
    }
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_uid, geteuid() ? geteuid() : 4242);
    assert_int_equal(st.st_gid, geteuid() ? getegid() : 4343);
    assert_int_equal(chmod(path, 0664), 0);
    assert_memo_ok(memo_replace_begin(&out, path, 1, &err), err);
    assert_memo_ok(memo_replace_commit(&out, &err), err);
    memo_replace_fini(&out);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0664);
    umask(mask);
    assert_memo_status(memo_replace_begin_like(&out, "new", "/no/such/file", 0, &err), MEMO_ERR_IO,
                       err);
}

/* Or a backup to a link would not be where its owner looks for it, and /dev/stdout no link. */
static void test_file_replace_follows_a_link(void **state)
{
    char path[512], target[512], got[8] = "";
    memo_err err = {0};
    memo_replace out;
    struct stat st;
    memo_test_write_file(memo_test_path(target, *state, "target"), "old", 3);
    assert_int_equal(chmod(target, 0640), 0);
    assert_int_equal(symlink("target", memo_test_path(path, *state, "f")), 0);
    assert_memo_status(memo_replace_begin(&out, path, 0, &err), MEMO_ERR_USAGE, err);
    memo_replace_fini(&out);
    assert_memo_ok(memo_replace_begin(&out, path, 1, &err), err);
    assert_memo_ok(memo_replace_append(&out, "new", 3, &err), err);
    assert_memo_ok(memo_replace_commit(&out, &err), err);
    memo_replace_fini(&out);
    assert_int_equal(readlink(path, got, sizeof got - 1), 6);
    assert_string_equal(got, "target");
    assert_int_equal(lstat(target, &st), 0);
    assert_true(S_ISREG(st.st_mode));
    assert_int_equal(st.st_mode & 0777, 0640);
    assert_int_equal(memo_same_file(path, target), 1);
    assert_int_equal(st.st_size, 3);
}

static void test_file_replace_of_a_dangling_link(void **state)
{
    char path[512];
    memo_err err = {0};
    memo_replace out;
    struct stat st;
    assert_int_equal(symlink("nowhere", memo_test_path(path, *state, "f")), 0);
    assert_memo_status(memo_replace_begin(&out, path, 0, &err), MEMO_ERR_USAGE, err);
    memo_replace_fini(&out);
    assert_memo_status(memo_replace_begin(&out, path, 1, &err), MEMO_ERR_IO, err);
    memo_replace_fini(&out);
    assert_int_equal(lstat(path, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
}

static void test_file_replace_takes_the_longest_name(void **state)
{
    char name[256], path[600];
    memo_err err = {0};
    memo_replace out;
    memset(name, 'n', 255);
    name[255] = '\0';
    snprintf(path, sizeof path, "%s/%s", (char *)*state, name);
    assert_memo_ok(memo_replace_begin(&out, path, 0, &err), err);
    assert_memo_ok(memo_replace_commit(&out, &err), err);
    memo_replace_fini(&out);
    assert_int_equal(memo_path_exists(path), 1);
}

/* A name without a folder: the temporary and the sync go to the current one. */
static void test_file_replace_in_the_current_folder(void **state)
{
    memo_err err = {0};
    memo_replace out;
    char back[512];
    assert_non_null(getcwd(back, sizeof back));
    assert_int_equal(chdir(*state), 0);
    assert_memo_ok(memo_replace_begin(&out, "plain", 0, &err), err);
    assert_memo_ok(memo_replace_commit(&out, &err), err);
    memo_replace_fini(&out);
    assert_int_equal(memo_path_exists("plain"), 1);
    assert_int_equal(chdir(back), 0);
}

#ifdef F_OFD_SETLK
#define WITH_LOCKS 1
#else
#define WITH_LOCKS 0
#endif
#define HELD ".target.%ld-3.tmp"

/* What killed processes left: only what is surely nobody's goes. */
static void test_file_replace_removes_what_was_left(void **state)
{
    enum { HOUR = 3600, DAY = 24 * HOUR };
    pid_t gone = fork();
    if (gone == 0)
        _exit(0);
    assert_int_equal(waitpid(gone, NULL, 0), gone);
    const struct {
        const char *format;
        long pid;
        int age, goes;
    } cases[] = {
        {".target.%ld-0.tmp", (long)gone, DAY, 1},
        {".target.%ld-0.tmp-wal", (long)gone, DAY, 1},
        {".target.%ld-7.tmp-lock", (long)gone, DAY, 1},
        {".target.%ld-999999999.tmp", (long)getpid(), DAY, 1},   /* of one before us */
        {".target.%ld-1.tmp", (long)gone, HOUR / 2, WITH_LOCKS}, /* nobody holds it */
        {".target.%ld-1.tmp-wal", (long)gone, HOUR / 2, 0},
        {HELD, (long)gone, HOUR / 2, 0}, /* of a process that has another number here */
        {".target.%ld-0.tmp", (long)getpid(), DAY, 0}, /* of another thread of ours */
        {".target.%ld-2.tmp", (long)getppid(), DAY, 0},
        {".target.%ld-2.tmp.txt", (long)gone, DAY, 0},
        {".target.%ld.tmp", (long)gone, DAY, 0},
        {".target.x.%ld-2.tmp", (long)gone, DAY, 0}, /* of target.x */
        {"target.%ld-2.tmp", (long)gone, DAY, 0},
        {".target.0%ld-99999999999.tmp", (long)gone, DAY, 0},
    };
    for (int in_folder = 0; in_folder < 2; in_folder++) {
        char path[512], name[64], back[512];
        memo_err err = {0};
        memo_replace out;
        int held = -1;
        assert_non_null(getcwd(back, sizeof back));
        assert_int_equal(chdir(*state), 0);
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            struct timespec when[2] = {{.tv_sec = time(NULL) - cases[i].age}};
            when[1] = when[0];
            snprintf(name, sizeof name, cases[i].format, cases[i].pid);
            int fd = open(name, O_CREAT | O_WRONLY, 0600);
            assert_int_equal(futimens(fd, when), 0);
            if (strcmp(cases[i].format, HELD) == 0) {
                assert_int_equal(memo_replace_lock(fd), WITH_LOCKS);
                held = fd;
            } else {
                close(fd);
            }
        }
        assert_memo_ok(
            memo_replace_begin(&out, in_folder ? memo_test_path(path, *state, "target") : "target",
                               0, &err),
            err);
        memo_replace_fini(&out);
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            snprintf(name, sizeof name, cases[i].format, cases[i].pid);
            if (memo_path_exists(name) == cases[i].goes)
                fail_msg("%s: %s", name, cases[i].goes ? "stays" : "is removed");
        }
        close(held);
        assert_int_equal(chdir(back), 0);
    }
}

static char replace_new_content[3000];

static memo_status replace_run(const char *path, int overwrite, memo_err *err)
{
    memo_replace out;
    memo_status status = memo_replace_begin(&out, path, overwrite, err);
    for (size_t at = 0; status == MEMO_OK && at < sizeof replace_new_content; at += 1000)
        status = memo_replace_append(&out, replace_new_content + at, 1000, err);
    if (status == MEMO_OK)
        status = memo_replace_write_at(&out, 0, replace_new_content, 10, err);
    if (status == MEMO_OK)
        status = memo_replace_commit(&out, err);
    memo_replace_fini(&out);
    return status;
}

static int content_is(const char *path, const char *bytes, size_t n)
{
    char got[4096];
    FILE *f = fopen(path, "rbe");
    if (!f)
        return 0;
    size_t n_got = fread(got, 1, sizeof got, f);
    fclose(f);
    return n_got == n && memcmp(got, bytes, n) == 0;
}

/* After success the new content; after a failure the old one, or the new one when only the sync of
 * the folder failed. Never another, never a temporary, never an open descriptor. */
static void check_replace_with_fault(const char *folder, int overwrite, int fail_at, int e)
{
    char path[512];
    memo_err err = {0};
    int fd = next_fd();
    memo_test_path(path, folder, "f");
    unlink(path);
    if (overwrite)
        memo_test_write_file(path, "old", 3);
    faults_on(fail_at, e);
    memo_status status = replace_run(path, overwrite, &err);
    faults_off();
    int is_new = content_is(path, replace_new_content, sizeof replace_new_content);
    int is_old = overwrite ? content_is(path, "old", 3) : !memo_path_exists(path);
    if (status == MEMO_OK ? !is_new : !(is_old || is_new))
        fail_msg("call %d, errno %d: %s, content is neither", fail_at, e, memo_status_name(status));
    if (status != MEMO_OK)
        assert_contains(err.message, folder);
    /* Interrupted and short calls are continued; for a rename EINTR is an error as any other. */
    if ((e == 0 || e == EINTR) && !strstr(faulty.log, "rename unlink") &&
        !strstr(faulty.log, "rename_new unlink"))
        assert_memo_ok(status, err);
    assert_int_equal(n_entries(folder), memo_path_exists(path));
    assert_int_equal(next_fd(), fd);
}

static void test_file_replace_survives_each_failing_call(void **state)
{
    static const int errors[] = {EIO, ENOSPC, EINTR, 0};
    for (size_t i = 0; i < sizeof replace_new_content; i++)
        replace_new_content[i] = (char)(i * 7 % 256);
    for (int overwrite = 0; overwrite <= 1; overwrite++) {
        for (size_t e = 0; e < 4; e++) {
            int fail_at = 1;
            do
                check_replace_with_fault(*state, overwrite, fail_at, errors[e]);
            while (faulty.n_calls >= fail_at++);
            /* open, 4 writes, sync, close, rename, open, sync, close: all were tried. */
            assert_true(fail_at > 11);
        }
    }
}

/* Power-loss safety is an order: data synced, then the name, then the folder synced. */
static void test_file_replace_syncs_before_and_after_the_rename(void **state)
{
    char path[512];
    memo_err err = {0};
    memo_test_path(path, *state, "f");
    faults_on(0, 0);
    assert_memo_ok(replace_run(path, 0, &err), err);
    faults_off();
    assert_string_equal(faulty.log, "open pwrite pwrite pwrite pwrite fsync close rename_new "
                                    "open fsync close ");
    faults_on(0, 0);
    assert_memo_ok(replace_run(path, 1, &err), err);
    faults_off();
    assert_contains(faulty.log, "fsync close rename open fsync close ");
}

static void test_file_reading_survives_each_failing_call(void **state)
{
    static const int errors[] = {EIO, EMFILE, EINTR, 0};
    char path[512];
    memo_err err = {0};
    memo_test_write_file(memo_test_path(path, *state, "f"), replace_new_content, 3000);
    for (size_t e = 0; e < 4; e++) {
        int reached = 1;
        for (int fail_at = 1; reached; fail_at++) {
            char *text = NULL;
            size_t n = 0;
            int64_t live = memo_alloc_live();
            int fd = next_fd();
            faults_on(fail_at, errors[e]);
            memo_status status = memo_file_slurp(path, 3000, &text, &n, &err);
            reached = faults_off();
            if (status == MEMO_OK)
                assert_memory_equal(text, replace_new_content, 3000);
            else
                assert_contains(err.message, path);
            /* Only a failed close of a file that was read may pass unseen. */
            int harmless = !errors[e] || errors[e] == EINTR || !reached || fail_at == 3;
            assert_int_equal(status == MEMO_OK, harmless);
            memo_free(text);
            assert_int_equal(memo_alloc_live(), live);
            assert_int_equal(next_fd(), fd);
        }
    }
    memo_map map;
    faults_on(2, ENOMEM);
    assert_memo_status(memo_map_open(&map, path, &err), MEMO_ERR_NOMEM, err);
    faults_off();
    assert_contains(faulty.log, "mmap");
    memo_map_close(&map);
}

static void test_file_mkdirs_makes_parents_once(void **state)
{
    char path[512], file[512];
    memo_err err = {0};
    struct stat st;
    memo_test_path(path, *state, "a/b//c/");
    assert_memo_ok(memo_mkdirs(path, &err), err);
    assert_memo_ok(memo_mkdirs(path, &err), err);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    memo_test_write_file(memo_test_path(file, *state, "file"), "", 0);
    assert_memo_status(memo_mkdirs(file, &err), MEMO_ERR_IO, err);
    assert_contains(err.message, "not a folder");
    assert_memo_status(memo_mkdirs(memo_test_path(file, *state, "file/x"), &err), MEMO_ERR_IO, err);
    assert_memo_status(memo_mkdirs("", &err), MEMO_ERR_USAGE, err);
}

/* A folder that could not be made durable is an error that names its parent. */
static void test_file_mkdirs_syncs_the_parent(void **state)
{
    char path[512];
    memo_err err = {0};
    int fd = next_fd();
    memo_test_path(path, *state, "a");
    faults_on(0, 0);
    assert_memo_ok(memo_mkdirs(path, &err), err);
    faults_off();
    assert_string_equal(faulty.log, "open fsync close ");
    for (int fail_at = 1; fail_at <= 2; fail_at++) {
        rmdir(path);
        faults_on(fail_at, EIO);
        assert_memo_status(memo_mkdirs(path, &err), MEMO_ERR_IO, err);
        faults_off();
        assert_contains(err.message, *state);
        assert_int_equal(next_fd(), fd);
    }
}

static void check_folder_of(const char *path, const char *expected)
{
    char *folder = memo_path_folder(path);
    assert_string_equal(folder, expected);
    memo_free(folder);
}

static void check_join(const char *folder, const char *name, const char *expected)
{
    char *path = memo_path_join(folder, name);
    assert_string_equal(path, expected);
    memo_free(path);
}

static void test_file_paths_are_split_and_joined(void **state)
{
    (void)state;
    check_folder_of("a/b", "a");
    check_folder_of("a/b/c//", "a/b");
    check_folder_of("a//b", "a");
    check_folder_of("b", ".");
    check_folder_of("b/", ".");
    check_folder_of("", ".");
    check_folder_of("/b", "/");
    check_folder_of("/", "/");
    check_join("a", "b", "a/b");
    check_join("a/", "b", "a/b");
    check_join("/", "b", "/b");
    check_join("", "b", "b");
}

static void test_file_same_file_sees_hard_links(void **state)
{
    char a[512], b[512], c[512];
    memo_test_write_file(memo_test_path(a, *state, "a"), "x", 1);
    memo_test_write_file(memo_test_path(c, *state, "c"), "x", 1);
    assert_int_equal(link(a, memo_test_path(b, *state, "b")), 0);
    assert_int_equal(memo_same_file(a, b), 1);
    assert_int_equal(memo_same_file(a, c), 0);
    assert_int_equal(memo_same_file(a, "/nowhere"), 0);
}

static memo_status sweep_file(void *user, memo_err *err)
{
    char path[512], *text = NULL;
    size_t n = 0;
    memo_test_path(path, user, "f");
    memo_status status = replace_run(path, 1, err);
    if (status == MEMO_OK)
        status = memo_file_slurp(path, 3000, &text, &n, err);
    memo_free(text);
    memo_map map = {0};
    if (status == MEMO_OK)
        status = memo_map_open(&map, path, err);
    memo_map_close(&map);
    if (status == MEMO_OK)
        status = memo_mkdirs(memo_test_path(path, user, "x/y"), err);
    return status;
}

static void test_file_survives_allocation_failures(void **state)
{
    int fd = next_fd();
    assert_true(memo_test_alloc_sweep(sweep_file, *state) >= 14);
    assert_int_equal(next_fd(), fd);
    assert_int_equal(n_entries(*state), 2); /* f and x: no temporary */
}

int main(void)
{
#define FILE_TEST(name)                                                                            \
    cmocka_unit_test_setup_teardown(name, memo_test_setup_dir, memo_test_teardown_dir)
    const struct CMUnitTest tests[] = {
        FILE_TEST(test_file_reads_by_offset),
        FILE_TEST(test_file_slurp_has_a_limit),
        FILE_TEST(test_file_map_shows_the_whole_file),
        FILE_TEST(test_file_refuses_what_is_not_a_regular_file),
        FILE_TEST(test_file_replace_appends_and_patches),
        FILE_TEST(test_file_replace_without_memory),
        FILE_TEST(test_file_replace_refuses_an_existing_target),
        FILE_TEST(test_file_replace_keeps_permissions),
        FILE_TEST(test_file_replace_like_another),
        FILE_TEST(test_file_replace_follows_a_link),
        FILE_TEST(test_file_replace_of_a_dangling_link),
        FILE_TEST(test_file_replace_takes_the_longest_name),
        FILE_TEST(test_file_replace_in_the_current_folder),
        FILE_TEST(test_file_replace_removes_what_was_left),
        FILE_TEST(test_file_replace_survives_each_failing_call),
        FILE_TEST(test_file_replace_syncs_before_and_after_the_rename),
        FILE_TEST(test_file_reading_survives_each_failing_call),
        FILE_TEST(test_file_mkdirs_makes_parents_once),
        FILE_TEST(test_file_mkdirs_syncs_the_parent),
        FILE_TEST(test_file_paths_are_split_and_joined),
        FILE_TEST(test_file_same_file_sees_hard_links),
        FILE_TEST(test_file_survives_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
