// SPDX-License-Identifier: Apache-2.0
#include "kill_seam.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "store/disk/vfs.h"

enum { SEAM_INTERRUPTS = 3 };

static seam_plan *seam;
static int seam_kill_after;
static seam_call seam_last_call; /* that something happened to */

const char *seam_call_name(seam_call call)
{
    static const char *const names[] = {
#define SEAM_NAME(name, text) text,
        SEAM_CALLS(SEAM_NAME)
#undef SEAM_NAME
    };
    return names[call];
}

static void seam_die(void)
{
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

/* The call that was interrupted, at once again. */
static int seam_retried(seam_call call)
{
    return seam->action == SEAM_RETRY && call == seam_last_call && seam->n_hit < SEAM_INTERRUPTS &&
           seam->n_seen == seam->at + seam->n_hit;
}

/* Is this the call that it happens to? */
static int seam_due(seam_call call, size_t amount)
{
    if (!seam || !(seam->mask >> call & 1))
        return 0;
    seam->n_seen++;
    if (seam->trace && seam->trace->n < sizeof seam->trace->calls / sizeof *seam->trace->calls) {
        struct seam_record *r = &seam->trace->calls[seam->trace->n++];
        r->call = (uint8_t)call;
        r->amount = (uint32_t)amount;
    }
    if (seam->at == 0 || seam->action == SEAM_PASS || seam->n_seen < seam->at)
        return 0;
    if (seam->n_seen > seam->at && !(seam->sticky >> call & 1) && !seam_retried(call))
        return 0;
    seam_last_call = call;
    seam->n_hit++;
    if (seam->sticky) /* what a dead disk does to a write: nothing */
        seam->part = 0;
    if (seam->action == SEAM_KILL_BEFORE)
        seam_die();
    return 1;
}

/* The lock rule: a store, its log and its journal are changed under the writer lock only. A lock that
 * can be had here is nobody's. */
static void seam_watch_lock(memo_vfs_op op, const char *path)
{
    static const char store[] = "/s.memo";
    const char *at = path ? strstr(path, store) : NULL;
    char lock[400];
    int fd;
    if (!at || (op != MEMO_VFS_WRITE && op != MEMO_VFS_TRUNCATE && op != MEMO_VFS_DELETE))
        return;
    snprintf(lock, sizeof lock, "%.*s%s-lock", (int)(at - path), path, store);
    fd = open(lock, O_RDWR | O_CLOEXEC);
    seam->n_unlocked += fd < 0 || flock(fd, LOCK_EX | LOCK_NB) == 0;
    if (fd >= 0)
        close(fd);
}

/* ---- the file layer ------------------------------------------------------------------------ */

static int seam_sqlite_code(memo_vfs_op op, int error)
{
    static const int codes[MEMO_VFS_N_OPS] = {
        [MEMO_VFS_OPEN] = SQLITE_CANTOPEN,        [MEMO_VFS_READ] = SQLITE_IOERR_READ,
        [MEMO_VFS_WRITE] = SQLITE_IOERR_WRITE,    [MEMO_VFS_TRUNCATE] = SQLITE_IOERR_TRUNCATE,
        [MEMO_VFS_SYNC] = SQLITE_IOERR_FSYNC,     [MEMO_VFS_DELETE] = SQLITE_IOERR_DELETE,
        [MEMO_VFS_LOCK] = SQLITE_IOERR_LOCK,      [MEMO_VFS_UNLOCK] = SQLITE_IOERR_UNLOCK,
        [MEMO_VFS_SHM_MAP] = SQLITE_IOERR_SHMMAP, [MEMO_VFS_SHM_LOCK] = SQLITE_IOERR_SHMLOCK,
        [MEMO_VFS_SHM_UNMAP] = SQLITE_IOERR,
    };
    return error == ENOSPC && op == MEMO_VFS_WRITE ? SQLITE_FULL : codes[op];
}

static int seam_vfs_before(void *user, memo_vfs_op op, const char *path, int64_t offset, int amount,
                           int *n_bytes)
{
    (void)user, (void)offset;
    if (seam->watch_lock)
        seam_watch_lock(op, path);
    if (op == MEMO_VFS_UNLOCK || (op == MEMO_VFS_SHM_LOCK && amount < 0))
        return SQLITE_OK; /* giving back does not fail */
    if (!seam_due((seam_call)op, (size_t)amount))
        return SQLITE_OK;
    switch (seam->action) {
    case SEAM_KILL_PART:
        *n_bytes = (int)seam->part;
        seam_kill_after = 1;
        return SQLITE_IOERR;
    case SEAM_KILL_AFTER:
        seam_kill_after = 1;
        return SQLITE_OK;
    case SEAM_SWALLOW:
        return MEMO_VFS_SWALLOW;
    default:
        *n_bytes = (int)seam->part;
        return seam_sqlite_code(op, seam->error);
    }
}

static void seam_vfs_after(void *user, memo_vfs_op op, const char *path, int64_t offset,
                           const void *bytes, int amount, int rc)
{
    (void)user, (void)op, (void)path, (void)offset, (void)bytes, (void)amount, (void)rc;
    if (seam_kill_after)
        seam_die();
}

/* ---- the table of base/file.h, and SQLite's own -------------------------------------------- */

/* The result of a call that this happens to: to fail (-1) or 0 for "done". `after` says that the
 * call takes place first. */
static int seam_told(int *takes_place)
{
    *takes_place = seam->action == SEAM_KILL_AFTER;
    if (seam->action == SEAM_SWALLOW)
        return 0;
    errno = seam->action == SEAM_RETRY ? EINTR : seam->error;
    return -1;
}

/* A call whose result is 0 or -1. */
#define SEAM_SIMPLE(call_, real_)                                                                  \
    do {                                                                                           \
        int seam_place = 1, seam_rc;                                                               \
        if (!seam_due((call_), 0))                                                                 \
            return (real_);                                                                        \
        seam_rc = seam_told(&seam_place);                                                          \
        if (!seam_place)                                                                           \
            return seam_rc;                                                                        \
        (void)!(real_);                                                                            \
        seam_die();                                                                                \
        return -1;                                                                                 \
    } while (0)

static int seam_open(const char *path, int flags, int mode)
{
    SEAM_SIMPLE(SEAM_SYS_OPEN, open(path, flags, mode));
}

static ssize_t seam_read_with(seam_call call, int fd, void *buf, size_t n, off_t offset)
{
    if (!seam_due(call, n))
        return pread(fd, buf, n, offset);
    if (seam->action == SEAM_SHORT)
        return pread(fd, buf, seam->part < n ? seam->part : n, offset);
    errno = seam->action == SEAM_RETRY ? EINTR : seam->error;
    return -1;
}

static ssize_t seam_write_with(seam_call call, int fd, const void *buf, size_t n, off_t offset)
{
    size_t part;
    ssize_t done = 0;
    if (!seam_due(call, n))
        return pwrite(fd, buf, n, offset);
    part = seam->action == SEAM_KILL_AFTER ? n : seam->part < n ? seam->part : n;
    if (part && seam->action != SEAM_SWALLOW && seam->action != SEAM_RETRY)
        done = pwrite(fd, buf, part, offset);
    switch (seam->action) {
    case SEAM_KILL_PART:
    case SEAM_KILL_AFTER:
        seam_die();
        return -1;
    case SEAM_SHORT:
        return done;
    case SEAM_SWALLOW:
        return (ssize_t)n;
    default:
        errno = seam->action == SEAM_RETRY ? EINTR : seam->error;
        return -1;
    }
}

static ssize_t seam_pread(int fd, void *buf, size_t n, off_t offset)
{
    return seam_read_with(SEAM_SYS_PREAD, fd, buf, n, offset);
}

static ssize_t seam_pwrite(int fd, const void *buf, size_t n, off_t offset)
{
    return seam_write_with(SEAM_SYS_PWRITE, fd, buf, n, offset);
}

static int seam_fsync(int fd)
{
    SEAM_SIMPLE(SEAM_SYS_FSYNC, fsync(fd));
}

static int seam_ftruncate(int fd, off_t n)
{
    SEAM_SIMPLE(SEAM_SYS_FTRUNCATE, ftruncate(fd, n));
}

static int seam_rename(const char *from, const char *to)
{
    SEAM_SIMPLE(SEAM_SYS_RENAME, rename(from, to));
}

static int seam_link_new(const char *from, const char *to)
{
    if (access(to, F_OK) == 0) {
        errno = EEXIST;
        return -1;
    }
    return rename(from, to);
}

static int seam_rename_new(const char *from, const char *to)
{
    SEAM_SIMPLE(SEAM_SYS_RENAME, seam_link_new(from, to));
}

static int seam_unlink(const char *path)
{
    SEAM_SIMPLE(SEAM_SYS_UNLINK, unlink(path));
}

static void *seam_mmap(void *addr, size_t n, int prot, int flags, int fd, off_t offset)
{
    if (!seam_due(SEAM_SYS_MMAP, 0))
        return mmap(addr, n, prot, flags, fd, offset);
    errno = seam->error;
    return MAP_FAILED;
}

static int seam_flock(int fd, int operation)
{
    SEAM_SIMPLE(SEAM_SYS_FLOCK, flock(fd, operation));
}

static int seam_mkdir(const char *path, mode_t mode)
{
    SEAM_SIMPLE(SEAM_SYS_MKDIR, mkdir(path, mode));
}

static const memo_sys seam_sys = {
    .open = seam_open,
    .close = close,
    .pread = seam_pread,
    .pwrite = seam_pwrite,
    .fsync = seam_fsync,
    .ftruncate = seam_ftruncate,
    .rename = seam_rename,
    .rename_new = seam_rename_new,
    .unlink = seam_unlink,
    .mmap = seam_mmap,
    .munmap = munmap,
    .flock = seam_flock,
    .mkdir = seam_mkdir,
};

static int os_open(const char *path, int flags, int mode)
{
    SEAM_SIMPLE(SEAM_OS_OPEN, open(path, flags, mode));
}

static ssize_t os_pread(int fd, void *buf, size_t n, off_t offset)
{
    return seam_read_with(SEAM_OS_PREAD, fd, buf, n, offset);
}

static ssize_t os_pwrite(int fd, const void *buf, size_t n, off_t offset)
{
    return seam_write_with(SEAM_OS_PWRITE, fd, buf, n, offset);
}

static int os_ftruncate(int fd, off_t n)
{
    SEAM_SIMPLE(SEAM_OS_FTRUNCATE, ftruncate(fd, n));
}

static int os_fcntl(int fd, int command, ...)
{
    va_list args;
    void *argument;
    va_start(args, command);
    argument = va_arg(args, void *);
    va_end(args);
    if (command == F_SETLK && ((const struct flock *)argument)->l_type == F_UNLCK)
        return fcntl(fd, command, argument);
    SEAM_SIMPLE(SEAM_OS_FCNTL, fcntl(fd, command, argument));
}

static int os_fstat(int fd, struct stat *st)
{
    SEAM_SIMPLE(SEAM_OS_FSTAT, fstat(fd, st));
}

static void *os_mmap(void *addr, size_t n, int prot, int flags, int fd, off_t offset)
{
    if (!seam_due(SEAM_OS_MMAP, 0))
        return mmap(addr, n, prot, flags, fd, offset);
    errno = seam->error;
    return MAP_FAILED;
}

static int os_unlink(const char *path)
{
    SEAM_SIMPLE(SEAM_OS_UNLINK, unlink(path));
}

/* Names that this build of SQLite does not have are refused and stay unwatched. */
static void seam_set_os(int on)
{
    static const struct {
        const char *name;
        sqlite3_syscall_ptr fn;
    } calls[] = {
        {"open", (sqlite3_syscall_ptr)os_open},
        {"pread", (sqlite3_syscall_ptr)os_pread},
        {"pread64", (sqlite3_syscall_ptr)os_pread},
        {"pwrite", (sqlite3_syscall_ptr)os_pwrite},
        {"pwrite64", (sqlite3_syscall_ptr)os_pwrite},
        {"ftruncate", (sqlite3_syscall_ptr)os_ftruncate},
        {"fcntl", (sqlite3_syscall_ptr)os_fcntl},
        {"fstat", (sqlite3_syscall_ptr)os_fstat},
        {"mmap", (sqlite3_syscall_ptr)os_mmap},
        {"unlink", (sqlite3_syscall_ptr)os_unlink},
    };
    sqlite3_vfs *vfs;
    if (sqlite3_initialize() != SQLITE_OK || !(vfs = sqlite3_vfs_find("unix")))
        return;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        if (vfs->xGetSystemCall(vfs, calls[i].name))
            (void)vfs->xSetSystemCall(vfs, calls[i].name, on ? calls[i].fn : NULL);
}

void seam_set(seam_plan *plan)
{
    seam = plan;
    seam_kill_after = 0;
    if (plan)
        plan->n_seen = plan->n_hit = plan->n_unlocked = 0;
    memo_vfs_set_hook(plan ? seam_vfs_before : NULL, NULL);
    memo_vfs_set_after_hook(plan ? seam_vfs_after : NULL, NULL);
    memo_sys_set(plan ? &seam_sys : NULL);
    seam_set_os(plan != NULL);
}
