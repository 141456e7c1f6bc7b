// SPDX-License-Identifier: Apache-2.0
#include "store/disk/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/sysmacros.h>
#else
#include <sys/mount.h>
#include <sys/param.h>
#endif

#include "base/alloc.h"
#include "base/ctx.h"
#include "base/error.h"
#include "base/file.h"

enum {
    LOCK_NAP_US = 500, /* and up to twice as much more, by chance: a commit takes a few ms */
    LOCK_YIELD_MS = 3, /* longer than any nap */
    LOCK_LINE_BYTES = 16,
};

/* What a waiting process writes after the holder's line. */
static const char lock_waiting[] = "waiting\n";

/* ---- the lock ------------------------------------------------------------------------------ */

memo_status memo_lock_init(memo_lock *lock, const char *store_path, memo_err *err)
{
    size_t n = strlen(store_path);
    *lock = (memo_lock){.fd = -1, .path = memo_malloc(n + sizeof "-lock")};
    if (!lock->path)
        return memo_fail_nomem(err, "the lock's name", n);
    memcpy(lock->path, store_path, n);
    memcpy(lock->path + n, "-lock", sizeof "-lock");
    return MEMO_OK;
}

void memo_lock_fini(memo_lock *lock)
{
    if (!lock->path)
        return;
    memo_lock_drop(lock);
    if (lock->fd >= 0)
        memo_sys_get()->close(lock->fd);
    memo_free(lock->path);
    *lock = (memo_lock){.fd = -1};
}

static void lock_nap(long us)
{
    struct timespec t = {0, us * 1000};
    (void)nanosleep(&t, NULL);
}

/* Those who wait ask at different moments, so that none has always just missed it. */
static void lock_nap_between_tries(void)
{
    struct timespec now = {0, 0};
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    lock_nap(LOCK_NAP_US + now.tv_nsec / 1000 % (2 * LOCK_NAP_US));
}

/* The pid in the lock file, 0 when none can be read. */
static long lock_holder(const memo_lock *lock)
{
    char text[24];
    long pid = 0;
    ssize_t n = memo_sys_get()->pread(lock->fd, text, sizeof text, 0);
    for (ssize_t i = 0; i < n && text[i] >= '0' && text[i] <= '9' && pid < 1000000000; i++)
        pid = pid * 10 + (text[i] - '0');
    return pid;
}

static memo_status lock_fail_busy(const memo_lock *lock, int64_t timeout_ms, memo_err *err)
{
    long pid = lock_holder(lock);
    char who[48];
    if (pid)
        snprintf(who, sizeof who, "process %ld", pid);
    else
        snprintf(who, sizeof who, "another process");
    memo_fail(err, MEMO_ERR_BUSY, "%s is held by %s; waited %" PRId64 " ms", lock->path, who,
              timeout_ms > 0 ? timeout_ms : 0);
    return memo_hint(err, MEMO_ERR_BUSY, "wait for %s to finish, or allow a longer wait", who);
}

/* Both lines at once: who holds the lock (0: nobody), and nobody waiting. Best effort: the lock is
 * the flock, not the text. */
static void lock_write_lines(const memo_lock *lock, long pid)
{
    char text[2 * LOCK_LINE_BYTES + 1];
    int n = pid ? snprintf(text, sizeof text, "%-15ld\n%15s\n", pid, "")
                : snprintf(text, sizeof text, "%15s\n%15s\n", "", "");
    if (memo_sys_get()->pwrite(lock->fd, text, (size_t)n, 0) != n) {
        /* a message will not name us */
    }
}

/* Tell the holder that somebody waits; as best effort. */
static void lock_write_waiting(const memo_lock *lock)
{
    ssize_t n = sizeof lock_waiting - 1;
    if (memo_sys_get()->pwrite(lock->fd, lock_waiting, (size_t)n, LOCK_LINE_BYTES) != n) {
        /* it will have to win by chance */
    }
}

static int lock_is_waited_for(const memo_lock *lock)
{
    char text[sizeof lock_waiting];
    ssize_t n = memo_sys_get()->pread(lock->fd, text, sizeof text, LOCK_LINE_BYTES);
    return n >= 1 && text[0] == lock_waiting[0];
}

/* Whether the file that is open is still the one that others find under the name: a lock on one that
 * somebody removed keeps nobody out. */
static int lock_is_current(const memo_lock *lock)
{
    struct stat ours, named;
    return fstat(lock->fd, &ours) == 0 && stat(lock->path, &named) == 0 &&
           ours.st_dev == named.st_dev && ours.st_ino == named.st_ino;
}

static memo_status lock_open(memo_lock *lock, memo_err *err)
{
    if (lock->fd < 0)
        lock->fd = memo_sys_open(lock->path, O_RDWR | O_CREAT | O_NOFOLLOW, 0666);
    return lock->fd < 0 ? memo_fail_errno(err, errno, lock->path, "open the writer lock") : MEMO_OK;
}

memo_status memo_lock_take(memo_lock *lock, int64_t timeout_ms, memo_err *err)
{
    double begun = memo_monotonic_ms(), until = begun + (double)timeout_ms;
    memo_status status;
    if (lock->held)
        return MEMO_OK;
    if (timeout_ms > 0 && begun < lock->others_until_ms)
        lock_nap((long)((lock->others_until_ms - begun) * 1000));
    for (;;) {
        if ((status = lock_open(lock, err)))
            return status;
        if (memo_sys_get()->flock(lock->fd, LOCK_EX | LOCK_NB) == 0) {
            if (lock_is_current(lock))
                break;
            memo_sys_get()->close(lock->fd);
            lock->fd = -1;
            continue;
        }
        if (errno == EINTR)
            continue;
        if (errno != EWOULDBLOCK)
            return memo_fail_errno(err, errno, lock->path, "lock");
        if (timeout_ms < 0 || memo_monotonic_ms() >= until)
            return lock_fail_busy(lock, timeout_ms, err);
        lock_write_waiting(lock);
        lock_nap_between_tries();
    }
    lock->held = 1;
    lock_write_lines(lock, (long)getpid());
    return MEMO_OK;
}

void memo_lock_drop(memo_lock *lock)
{
    if (!lock->held)
        return;
    lock->others_until_ms = lock_is_waited_for(lock) ? memo_monotonic_ms() + LOCK_YIELD_MS : 0;
    lock_write_lines(lock, 0);
    while (memo_sys_get()->flock(lock->fd, LOCK_UN) != 0 && errno == EINTR) {
    }
    lock->held = 0;
}

/* ---- the place ----------------------------------------------------------------------------- */

/* The folder of a path, resolved, joined with its last part. */
static char *lock_resolve_new(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    char *folder =
        slash ? memo_strndup(path, slash == path ? 1 : (size_t)(slash - path)) : memo_strdup(".");
    char *real = NULL, *out = NULL;
    if (!*name)
        errno = EISDIR;
    else if (!folder)
        errno = ENOMEM;
    else
        real = realpath(folder, NULL);
    if (real) {
        out = memo_path_join(real, name);
        if (!out)
            errno = ENOMEM;
    }
    free(real);
    memo_free(folder);
    return out;
}

memo_status memo_lock_resolve(const char *path, char **out, int *exists, memo_err *err)
{
    struct stat st;
    char *real;
    if (!path || !*path)
        return memo_fail(err, MEMO_ERR_USAGE, "the path of the store is empty");
    while (stat(path, &st) != 0) {
        if (errno != ENOENT)
            return memo_fail_errno(err, errno, path, "look at the store");
        if (lstat(path, &st) == 0) {
            if (!S_ISLNK(st.st_mode))
                continue; /* somebody has made it since */
            return memo_fail(err, MEMO_ERR_IO, "%s: a link to a file that does not exist", path);
        }
        *exists = 0;
        *out = lock_resolve_new(path);
        return *out ? MEMO_OK : memo_fail_errno(err, errno, path, "find the folder of the store");
    }
    if (!S_ISREG(st.st_mode))
        return memo_fail(err, MEMO_ERR_IO, "%s: a store is a regular file, this is a %s", path,
                         S_ISDIR(st.st_mode)    ? "folder"
                         : S_ISFIFO(st.st_mode) ? "pipe"
                         : S_ISSOCK(st.st_mode) ? "socket"
                                                : "device");
    real = realpath(path, NULL);
    if (!real)
        return memo_fail_errno(err, errno, path, "resolve the path of the store");
    *exists = 1;
    *out = memo_strdup(real);
    free(real);
    return *out ? MEMO_OK : memo_fail_nomem(err, "the path of the store", strlen(path));
}

/* Locks and shared memory of one machine are not those of another: SQLite's log cannot work where
 * two machines see one file. */
int memo_lock_is_network_type(const char *type)
{
    static const char *const types[] = {
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "smb2",
        "9p",
        "afs",
        "coda",
        "ncpfs",
        "ceph",
        "lustre",
        "gfs2",
        "ocfs2",
        "glusterfs",
        "beegfs",
        "gpfs",
        "afpfs",
        "webdav",
        "davfs",
        "orangefs",
        "pvfs2",
        "vboxsf",
        "fuse.sshfs",
        "fuse.glusterfs",
        "fuse.rclone",
        "fuse.s3fs",
        "fuse.gcsfuse",
        "fuse.davfs2",
        "fuse.davfs",
        "fuse.juicefs",
        "fuse.ceph",
        "fuse.curlftpfs",
        "fuse.smbnetfs",
        "fuse.mfs",
        "fuse.goofys",
        "fuse.cephfs",
        "fuse.moosefs",
        "fuse.lizardfs",
        "fuse.seaweedfs",
        "fuse.vmhgfs-fuse",
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(type, types[i]) == 0)
            return 1;
    return 0;
}

#ifdef __linux__
const char *memo_lock_mounts = "/proc/self/mountinfo";

/* The mount type of a device number: the magic of statfs() cannot tell sshfs from a local FUSE file
 * system. A line of mountinfo: "36 35 98:0 /root /mnt options - type source options". */
static int lock_mount_type(dev_t device, char type[32])
{
    char line[4096], want[32];
    int found = 0;
    FILE *f = fopen(memo_lock_mounts, "re");
    if (!f)
        return 0;
    snprintf(want, sizeof want, "%u:%u", major(device), minor(device));
    while (!found && fgets(line, sizeof line, f)) {
        char *at = strchr(line, ' '), *end;
        at = at ? strchr(at + 1, ' ') : NULL;
        if (!at || strncmp(at + 1, want, strlen(want)) != 0 || at[1 + strlen(want)] != ' ')
            continue;
        at = strstr(at, " - ");
        end = at ? strchr(at + 3, ' ') : NULL;
        if (end && end - (at + 3) < 32) {
            memcpy(type, at + 3, (size_t)(end - (at + 3)));
            type[end - (at + 3)] = '\0';
            found = 1;
        }
    }
    fclose(f);
    return found;
}

const char *memo_lock_network_fs(const char *path, char buf[32])
{
    struct stat st;
    if (stat(path, &st) != 0 || !lock_mount_type(st.st_dev, buf))
        return NULL;
    return memo_lock_is_network_type(buf) ? buf : NULL;
}
#else
const char *memo_lock_network_fs(const char *path, char buf[32])
{
    struct statfs fs;
    if (statfs(path, &fs) != 0)
        return NULL;
    snprintf(buf, 32, "%s", fs.f_fstypename);
    return memo_lock_is_network_type(buf) ? buf : NULL;
}
#endif
