// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/checked.h"
#include "base/error.h"

/* Linux moves at most 0x7ffff000 bytes a call and macOS refuses more than INT_MAX. */
enum { IO_MAX_BYTES = 1 << 30 };

static int sys_open(const char *path, int flags, int mode)
{
    return open(path, flags, mode);
}

static int sys_fsync(int fd)
{
#ifdef F_FULLFSYNC /* on macOS fsync() leaves the data in the drive's cache */
    if (fcntl(fd, F_FULLFSYNC) == 0)
        return 0;
#endif
    return fsync(fd);
}

static int sys_rename_new(const char *from, const char *to)
{
#ifdef RENAME_NOREPLACE
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != ENOSYS && errno != EINVAL)
        return -1;
#elif defined(RENAME_EXCL)
    if (renamex_np(from, to, RENAME_EXCL) == 0)
        return 0;
    if (errno != ENOTSUP)
        return -1;
#endif
    /* A file system without the atomic form: link() refuses an existing name too, but needs hard
     * links, which such file systems rarely have. Check, then rename. */
    struct stat st;
    if (lstat(to, &st) == 0) {
        errno = EEXIST;
        return -1;
    }
    return rename(from, to);
}

static const memo_sys sys_real = {
    .open = sys_open,
    .close = close,
    .pread = pread,
    .pwrite = pwrite,
    .fsync = sys_fsync,
    .ftruncate = ftruncate,
    .rename = rename,
    .rename_new = sys_rename_new,
    .unlink = unlink,
    .mmap = mmap,
    .munmap = munmap,
    .flock = flock,
    .mkdir = mkdir,
};

static _Atomic(const memo_sys *) sys_now = &sys_real;

const memo_sys *memo_sys_get(void)
{
    return atomic_load_explicit(&sys_now, memory_order_acquire);
}

void memo_sys_set(const memo_sys *sys)
{
    atomic_store_explicit(&sys_now, sys ? sys : &sys_real, memory_order_release);
}

int memo_sys_open(const char *path, int flags, int mode)
{
    int fd;
    do
        fd = memo_sys_get()->open(path, flags | O_CLOEXEC, mode);
    while (fd < 0 && errno == EINTR);
    return fd;
}

int memo_sys_fsync(int fd)
{
    int rc;
    do
        rc = memo_sys_get()->fsync(fd);
    while (rc != 0 && errno == EINTR);
    return rc;
}

/* As read() of all n bytes: the count got, less only at the end of the file; -1 on error. */
static ssize_t read_fully(int fd, void *out, size_t n, uint64_t offset)
{
    size_t got = 0;
    while (got < n) {
        size_t want = n - got < IO_MAX_BYTES ? n - got : IO_MAX_BYTES;
        ssize_t r = memo_sys_get()->pread(fd, (char *)out + got, want, (off_t)(offset + got));
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return -1;
        if (r == 0)
            break;
        got += (size_t)r;
    }
    return (ssize_t)got;
}

static int write_fully(int fd, const void *bytes, size_t n, uint64_t offset)
{
    size_t done = 0;
    while (done < n) {
        size_t want = n - done < IO_MAX_BYTES ? n - done : IO_MAX_BYTES;
        ssize_t w =
            memo_sys_get()->pwrite(fd, (const char *)bytes + done, want, (off_t)(offset + done));
        if (w < 0 && errno == EINTR)
            continue;
        if (w == 0)
            errno = ENOSPC;
        if (w <= 0)
            return -1;
        done += (size_t)w;
    }
    return 0;
}

static const char *file_kind(mode_t mode)
{
    return S_ISDIR(mode)                    ? "a folder"
           : S_ISFIFO(mode)                 ? "a FIFO"
           : S_ISCHR(mode) || S_ISBLK(mode) ? "a device"
           : S_ISSOCK(mode)                 ? "a socket"
                                            : "something else";
}

static memo_status fail_not_regular(const char *path, mode_t mode, memo_err *err)
{
    return memo_fail(err, MEMO_ERR_IO, "%s: not a regular file but %s", path, file_kind(mode));
}

memo_status memo_file_open(memo_file *file, const char *path, memo_err *err)
{
    *file = (memo_file){0};
    if (!path || !*path)
        return memo_fail(err, MEMO_ERR_USAGE, "the name of the file to read is empty");
    /* O_NONBLOCK: opening a FIFO that nobody writes to must not hang. */
    int fd = memo_sys_open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
    struct stat st;
    if (fd < 0) {
        int e = errno;
        if (e == ENXIO && stat(path, &st) == 0 && S_ISSOCK(st.st_mode))
            return fail_not_regular(path, st.st_mode, err);
        return memo_fail_errno(err, e, path, "open");
    }
    memo_status status = MEMO_OK;
    if (fstat(fd, &st) != 0)
        status = memo_fail_errno(err, errno, path, "stat");
    else if (!S_ISREG(st.st_mode))
        status = fail_not_regular(path, st.st_mode, err);
    else if (!(file->path = memo_strdup(path)))
        status = memo_fail_nomem(err, "a file name", strlen(path) + 1);
    if (status != MEMO_OK) {
        memo_sys_get()->close(fd);
        return status;
    }
    file->fd = fd;
    file->n_bytes = (uint64_t)st.st_size;
    return MEMO_OK;
}

void memo_file_close(memo_file *file)
{
    if (file->path)
        memo_sys_get()->close(file->fd);
    memo_free(file->path);
    *file = (memo_file){0};
}

memo_status memo_file_read(const memo_file *file, uint64_t offset, void *out, size_t n_bytes,
                           memo_err *err)
{
    uint64_t has = offset < file->n_bytes ? file->n_bytes - offset : 0;
    if (n_bytes > has)
        return memo_fail(err, MEMO_ERR_FORMAT,
                         "%s: needs %zu bytes at offset %" PRIu64 ", has %" PRIu64, file->path,
                         n_bytes, offset, has);
    ssize_t got = read_fully(file->fd, out, n_bytes, offset);
    if (got < 0)
        return memo_fail_errno(err, errno, file->path, "read");
    if ((size_t)got < n_bytes)
        return memo_fail(err, MEMO_ERR_FORMAT,
                         "%s: needs %zu bytes at offset %" PRIu64
                         ", has %zd; it was cut while it was read",
                         file->path, n_bytes, offset, got);
    return MEMO_OK;
}

memo_status memo_file_slurp(const char *path, size_t max_bytes, char **out, size_t *n_bytes,
                            memo_err *err)
{
    memo_file file;
    char *text = NULL;
    memo_status status = memo_file_open(&file, path, err);
    if (status != MEMO_OK)
        return status;
    if (file.n_bytes > max_bytes) {
        status = memo_fail(err, MEMO_ERR_LIMIT, "%s: %" PRIu64 " bytes; at most %zu are allowed",
                           path, file.n_bytes, max_bytes);
        goto done;
    }
    size_t n = (size_t)file.n_bytes;
    text = n < SIZE_MAX ? memo_malloc(n + 1) : NULL;
    if (!text) {
        status = memo_fail_nomem(err, path, file.n_bytes + 1);
        goto done;
    }
    status = memo_file_read(&file, 0, text, n, err);
    if (status != MEMO_OK)
        goto done;
    text[n] = '\0';
    *out = text;
    *n_bytes = n;
    text = NULL;
done:
    memo_free(text);
    memo_file_close(&file);
    return status;
}

memo_status memo_map_file(memo_map *map, const memo_file *file, memo_err *err)
{
    size_t n = (size_t)file->n_bytes;
    void *data;
    *map = (memo_map){0};
    if (file->n_bytes > SIZE_MAX / 2)
        return memo_fail(err, MEMO_ERR_LIMIT, "%s: %" PRIu64 " bytes do not fit in memory",
                         file->path, file->n_bytes);
    if (n == 0)
        return MEMO_OK;
    data = memo_sys_get()->mmap(NULL, n, PROT_READ, MAP_SHARED, file->fd, 0);
    if (data == MAP_FAILED)
        return memo_fail_errno(err, errno, file->path, "map");
    *map = (memo_map){data, n};
    return MEMO_OK;
}

memo_status memo_map_open(memo_map *map, const char *path, memo_err *err)
{
    memo_file file;
    *map = (memo_map){0};
    memo_status status = memo_file_open(&file, path, err);
    if (status == MEMO_OK)
        status = memo_map_file(map, &file, err);
    memo_file_close(&file);
    return status;
}

void memo_map_close(memo_map *map)
{
    if (map->data)
        memo_sys_get()->munmap((void *)(uintptr_t)map->data, map->n_bytes);
    *map = (memo_map){0};
}

void memo_map_release(const memo_map *map, uint64_t begin, uint64_t end)
{
#ifdef MADV_DONTNEED /* a clean mapping of a file is read again when it is touched */
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    begin = (begin + page - 1) / page * page;
    end = end / page * page;
    if (begin < end)
        madvise((void *)(uintptr_t)(map->data + begin), (size_t)(end - begin), MADV_DONTNEED);
#else
    (void)map, (void)begin, (void)end;
#endif
}

/* Refuses a target that is there without `overwrite`, or is no file. *real is the name to write to:
 * `path`, or what the link `path` leads to; *like is what is there, left alone when nothing is. */
static memo_status replace_check_target(const char *path, int overwrite, char **real,
                                        struct stat *like, memo_err *err)
{
    struct stat link, st;
    char *resolved = NULL;
    if (!path || !*path)
        return memo_fail(err, MEMO_ERR_USAGE, "the name of the file to write is empty");
    if (lstat(path, &link) != 0) {
        if (errno != ENOENT)
            return memo_fail_errno(err, errno, path, "stat");
        goto done;
    }
    int there = stat(path, &st) == 0; /* else a link that leads nowhere */
    if (!there && !S_ISLNK(link.st_mode))
        goto done; /* somebody has removed it since */
    if (there && !S_ISREG(st.st_mode))
        return fail_not_regular(path, st.st_mode, err);
    if (!overwrite)
        return memo_fail(err, MEMO_ERR_USAGE, "%s: exists already", path);
    if (!there)
        return memo_hint(
            err, memo_fail(err, MEMO_ERR_IO, "%s: a link to a file that does not exist", path),
            "remove the link, or make the file that it names first");
    *like = st;
    if (S_ISLNK(link.st_mode) && !(resolved = realpath(path, NULL)))
        return memo_fail_errno(err, errno, path, "follow the link");
done:
    *real = memo_strdup(resolved ? resolved : path);
    free(resolved);
    return *real ? MEMO_OK : memo_fail_nomem(err, "a file name", strlen(path) + 1);
}

enum { REPLACE_NAME_KEPT = 200 }; /* bytes of the target's name in that of a temporary */

static atomic_uint replace_number; /* of this process's next temporary */

/* The target's name in `path`. */
static const char *replace_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* ".NAME.PID-N.tmp" in the folder of `path`, N a new number at each call. */
static char *replace_tmp_path(const char *path)
{
    enum { TAIL = 48 };
    size_t folder = (size_t)(replace_name(path) - path);
    size_t name = strnlen(path + folder, REPLACE_NAME_KEPT);
    char *tmp = memo_malloc(folder + 1 + name + TAIL);
    if (!tmp)
        return NULL;
    memcpy(tmp, path, folder);
    tmp[folder] = '.';
    memcpy(tmp + folder + 1, path + folder, name);
    snprintf(tmp + folder + 1 + name, TAIL, ".%ld-%u.tmp", (long)getpid(),
             atomic_fetch_add(&replace_number, 1));
    return tmp;
}

void memo_replace_clear(const char *path)
{
    const char *name = replace_name(path);
    memo_replace_sweep(path, (size_t)(name - path), strnlen(name, REPLACE_NAME_KEPT),
                       atomic_load(&replace_number));
}

/* Say that the new temporary is somebody's; 0: a sweep took it for a leftover before that. */
static int replace_hold(int fd)
{
    struct stat st;
    (void)memo_replace_lock(fd); /* else it rests on its time */
    return fstat(fd, &st) != 0 || st.st_nlink > 0;
}

/* Create the temporary for out->path. `like` gives permissions and, to root, the owner; with no
 * mode in it the file is a new one, and the umask says. */
static memo_status replace_create(memo_replace *out, const struct stat *like, memo_err *err)
{
    memo_replace_clear(out->path);
    /* A name may be taken by what a dead process with our number left behind. */
    enum { TRIES = 1000 };
    int e = EEXIST, mode = like->st_mode ? (int)(like->st_mode & 0777) : 0666;
    memo_status status;
    for (int i = 0; i < TRIES && out->fd < 0 && e == EEXIST; i++) {
        memo_free(out->tmp_path);
        out->tmp_path = replace_tmp_path(out->path);
        if (!out->tmp_path)
            return memo_fail_nomem(err, "a file name", strlen(out->path) + 1);
        out->fd = memo_sys_open(out->tmp_path, O_RDWR | O_CREAT | O_EXCL, mode);
        e = errno;
        if (out->fd >= 0 && !replace_hold(out->fd)) {
            memo_sys_get()->close(out->fd);
            out->fd = -1;
            e = EEXIST;
        }
    }
    if (out->fd >= 0) {
        /* A file system without owners or modes refuses; the data counts for more. */
        if (like->st_mode && geteuid() == 0 && fchown(out->fd, like->st_uid, like->st_gid) != 0)
            errno = 0;
        if (like->st_mode && fchmod(out->fd, (mode_t)mode) != 0)
            errno = 0;
        return MEMO_OK;
    }
    status = memo_fail_errno(err, e, out->path, "create a temporary file beside it");
    if (e == ENOENT)
        memo_hint(err, status, "make the folder first, or name another");
    memo_free(out->tmp_path);
    out->tmp_path = NULL;
    return status;
}

memo_status memo_replace_begin_like(memo_replace *out, const char *path, const char *like,
                                    int overwrite, memo_err *err)
{
    struct stat as = {.st_mode = 0};
    *out = (memo_replace){.fd = -1, .overwrite = overwrite};
    memo_status status = replace_check_target(path, overwrite, &out->path, &as, err);
    if (status == MEMO_OK && like && !as.st_mode && stat(like, &as) != 0)
        status = memo_fail_errno(err, errno, like, "stat");
    if (status == MEMO_OK)
        status = replace_create(out, &as, err);
    if (status)
        memo_replace_fini(out);
    return status;
}

memo_status memo_replace_begin(memo_replace *out, const char *path, int overwrite, memo_err *err)
{
    return memo_replace_begin_like(out, path, NULL, overwrite, err);
}

memo_status memo_replace_append(memo_replace *out, const void *bytes, size_t n_bytes, memo_err *err)
{
    return memo_replace_write_at(out, out->n_bytes, bytes, n_bytes, err);
}

memo_status memo_replace_write_at(memo_replace *out, uint64_t offset, const void *bytes,
                                  size_t n_bytes, memo_err *err)
{
    uint64_t end = 0;
    if (!memo_add_u64(offset, n_bytes, &end) || end > INT64_MAX)
        return memo_fail(err, MEMO_ERR_LIMIT, "%s: %zu bytes at offset %" PRIu64 " are too many",
                         out->path, n_bytes, offset);
    if (write_fully(out->fd, bytes, n_bytes, offset) != 0)
        return memo_fail_errno(err, errno, out->path, "write");
    if (end > out->n_bytes)
        out->n_bytes = end;
    return MEMO_OK;
}

/* All that needs memory comes before the rename. */
memo_status memo_replace_commit(memo_replace *out, memo_err *err)
{
    const memo_sys *sys = memo_sys_get();
    int (*move)(const char *, const char *) = out->overwrite ? sys->rename : sys->rename_new;
    memo_status status;
    int fd = out->fd;
    char *folder = memo_path_folder(out->path);
    if (!folder)
        return memo_fail_nomem(err, "a file name", strlen(out->path) + 1);
    if (!out->disposable && memo_sys_fsync(fd) != 0) {
        status = memo_fail_errno(err, errno, out->path, "sync");
        goto done;
    }
    out->fd = -1;
    if (sys->close(fd) != 0 && errno != EINTR) { /* closed all the same, and synced before */
        status = memo_fail_errno(err, errno, out->path, "close");
        goto done;
    }
    if (move(out->tmp_path, out->path) != 0) {
        status = errno == EEXIST && !out->overwrite
                     ? memo_fail(err, MEMO_ERR_USAGE, "%s: exists already", out->path)
                     : memo_fail_errno(err, errno, out->path, "rename the finished file");
        goto done;
    }
    memo_free(out->tmp_path);
    out->tmp_path = NULL;
    status = out->disposable ? MEMO_OK : memo_sync_folder(folder, err);
done:
    memo_free(folder);
    return status;
}

void memo_replace_fini(memo_replace *out)
{
    if (out->tmp_path) {
        if (out->fd >= 0)
            memo_sys_get()->close(out->fd);
        memo_sys_get()->unlink(out->tmp_path);
    }
    memo_free(out->tmp_path);
    memo_free(out->path);
    *out = (memo_replace){.fd = -1};
}
