// SPDX-License-Identifier: Apache-2.0
#include "power_log.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/hash.h"
#include "base/rng.h"
#include "store/disk/mark.h"

enum { LOG_MAX_FD = 4096, LOG_MAX_NAMES = 64, LOG_NO_FILE = -1, LOG_FOLDER = -2 };

/* ---- small things -------------------------------------------------------------------------- */

void power_die(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fputs("power_loss: ", stderr);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
    exit(2);
}

void *power_alloc(size_t n_bytes)
{
    void *p = calloc(1, n_bytes ? n_bytes : 1);
    if (!p)
        power_die("no memory for %zu bytes", n_bytes);
    return p;
}

void *power_realloc(void *old, size_t n_bytes)
{
    void *p = realloc(old, n_bytes ? n_bytes : 1);
    if (!p)
        power_die("no memory for %zu bytes", n_bytes);
    return p;
}

static int log_ends_with(const char *name, const char *end)
{
    size_t n = strlen(name), m = strlen(end);
    return n >= m && strcmp(name + n - m, end) == 0;
}

static int log_leaves_out(const char *name)
{
    return log_ends_with(name, "-shm");
}

/* ---- the content of a folder --------------------------------------------------------------- */

static int log_compare_files(const void *a, const void *b)
{
    return strcmp(((const power_file *)a)->name, ((const power_file *)b)->name);
}

void power_files_add(power_files *files, const char *name, unsigned char *bytes, size_t n_bytes)
{
    files->at = power_realloc(files->at, (files->n + 1) * sizeof *files->at);
    power_file *f = &files->at[files->n++];
    *f = (power_file){.bytes = bytes, .n_bytes = n_bytes};
    snprintf(f->name, sizeof f->name, "%s", name);
    qsort(files->at, files->n, sizeof *files->at, log_compare_files);
}

static void log_read_file(power_files *out, const char *folder, const char *name)
{
    char path[512];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_RDONLY);
    if (fd < 0 || fstat(fd, &st) != 0)
        power_die("cannot read %s: %s", path, strerror(errno));
    unsigned char *bytes = power_alloc((size_t)st.st_size);
    if (pread(fd, bytes, (size_t)st.st_size, 0) != st.st_size)
        power_die("cannot read %s: %s", path, strerror(errno));
    close(fd);
    size_t n = (size_t)st.st_size, n_lines = 0;
    if (log_ends_with(name, "-lock")) { /* lines alone are written nowhere in a record */
        n = n > MEMO_MARK_OFFSET ? n : 0;
        n_lines = n ? MEMO_MARK_OFFSET : 0;
    }
    memset(bytes, 0, n_lines);
    power_files_add(out, name, bytes, n);
}

void power_files_read(power_files *out, const char *folder)
{
    DIR *dir = opendir(folder);
    *out = (power_files){0};
    if (!dir)
        power_die("cannot read %s: %s", folder, strerror(errno));
    for (struct dirent *e; (e = readdir(dir));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
            !log_leaves_out(e->d_name))
            log_read_file(out, folder, e->d_name);
    closedir(dir);
}

static void log_clear_folder(const power_files *keep, const char *folder)
{
    char path[512];
    DIR *dir = opendir(folder);
    if (!dir)
        power_die("cannot read %s: %s", folder, strerror(errno));
    for (struct dirent *e; (e = readdir(dir));) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
            power_files_find(keep, e->d_name))
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (unlink(path) != 0)
            power_die("cannot remove %s: %s", path, strerror(errno));
    }
    closedir(dir);
}

void power_files_write(const power_files *files, const char *folder)
{
    char path[512];
    log_clear_folder(files, folder);
    for (size_t i = 0; i < files->n; i++) {
        const power_file *f = &files->at[i];
        snprintf(path, sizeof path, "%s/%s", folder, f->name);
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        if (fd < 0 || pwrite(fd, f->bytes, f->n_bytes, 0) != (ssize_t)f->n_bytes || close(fd) != 0)
            power_die("cannot write %s: %s", path, strerror(errno));
    }
}

void power_files_copy(power_files *out, const power_files *from)
{
    *out = (power_files){0};
    for (size_t i = 0; i < from->n; i++) {
        unsigned char *bytes = power_alloc(from->at[i].n_bytes);
        memcpy(bytes, from->at[i].bytes, from->at[i].n_bytes);
        power_files_add(out, from->at[i].name, bytes, from->at[i].n_bytes);
    }
}

uint64_t power_files_hash(const power_files *files)
{
    uint64_t hash = files->n;
    for (size_t i = 0; i < files->n; i++) {
        const power_file *f = &files->at[i];
        hash = memo_xxh64(f->name, strlen(f->name) + 1, hash);
        hash = memo_xxh64(f->bytes, f->n_bytes, hash ^ f->n_bytes);
    }
    return hash;
}

const power_file *power_files_find(const power_files *files, const char *name)
{
    for (size_t i = 0; i < files->n; i++)
        if (strcmp(files->at[i].name, name) == 0)
            return &files->at[i];
    return NULL;
}

void power_files_fini(power_files *files)
{
    for (size_t i = 0; i < files->n; i++)
        free(files->at[i].bytes);
    free(files->at);
    *files = (power_files){0};
}

/* ---- the record ---------------------------------------------------------------------------- */

/* What is recorded now; log NULL: nothing. */
static struct {
    power_log *log;
    char folder[256];
    unsigned lies;
    memo_rng rng;
    int fds[LOG_MAX_FD]; /* file number, LOG_FOLDER or LOG_NO_FILE */
    struct {
        char name[POWER_NAME_BYTES];
        int file;
    } names[LOG_MAX_NAMES];
    int n_names;
} recorder;

static power_event *log_add(power_kind kind, int file)
{
    power_log *log = recorder.log;
    if (log->n == log->room) {
        log->room = log->room ? 2 * log->room : 256;
        log->events = power_realloc(log->events, log->room * sizeof *log->events);
    }
    power_event *e = &log->events[log->n++];
    memset(e, 0, sizeof *e);
    e->kind = kind;
    e->file = file;
    return e;
}

/* The name within the folder, or NULL for a path elsewhere or one that is left out. */
static const char *log_name_of(const char *path)
{
    size_t n = strlen(recorder.folder);
    if (!recorder.log || strncmp(path, recorder.folder, n) != 0 || path[n] != '/')
        return NULL;
    path += n + 1;
    if (!*path || strchr(path, '/') || log_leaves_out(path))
        return NULL;
    if (strlen(path) >= POWER_NAME_BYTES)
        power_die("the name %s is too long to record", path);
    return path;
}

static int log_find_name(const char *name)
{
    for (int i = 0; i < recorder.n_names; i++)
        if (strcmp(recorder.names[i].name, name) == 0)
            return i;
    return -1;
}

static void log_drop_name(const char *name)
{
    int i = log_find_name(name);
    if (i >= 0)
        recorder.names[i] = recorder.names[--recorder.n_names];
}

static void log_set_name(const char *name, int file)
{
    log_drop_name(name);
    if (recorder.n_names == LOG_MAX_NAMES)
        power_die("more than %d files in the folder", LOG_MAX_NAMES);
    snprintf(recorder.names[recorder.n_names].name, POWER_NAME_BYTES, "%s", name);
    recorder.names[recorder.n_names++].file = file;
}

/* After a successful open. */
static void log_note_open(const char *path, int flags, int fd)
{
    if (!recorder.log || fd < 0)
        return;
    if (fd >= LOG_MAX_FD)
        power_die("file descriptor %d is too large to record", fd);
    recorder.fds[fd] = strcmp(path, recorder.folder) == 0 ? LOG_FOLDER : LOG_NO_FILE;
    const char *name = log_name_of(path);
    if (!name)
        return;
    int i = log_find_name(name);
    if (i < 0) {
        int file = recorder.log->n_files++;
        snprintf(log_add(POWER_CREATE, file)->name, POWER_NAME_BYTES, "%s", name);
        log_set_name(name, file);
        i = log_find_name(name);
    } else if (flags & O_TRUNC) {
        log_add(POWER_TRUNCATE, recorder.names[i].file);
    }
    recorder.fds[fd] = recorder.names[i].file;
}

static int log_file_of(int fd)
{
    return recorder.log && fd >= 0 && fd < LOG_MAX_FD ? recorder.fds[fd] : LOG_NO_FILE;
}

static int log_name_ends_with(int file, const char *end)
{
    for (int i = 0; i < recorder.n_names; i++)
        if (recorder.names[i].file == file)
            return log_ends_with(recorder.names[i].name, end);
    return 0;
}

static void log_note_write(int fd, const void *bytes, ssize_t n, int64_t offset)
{
    int file = log_file_of(fd), is_lock = file >= 0 && log_name_ends_with(file, "-lock");
    if (file < 0 || n <= 0 || (is_lock && offset < MEMO_MARK_OFFSET))
        return;
    power_event *e = log_add(POWER_WRITE, file);
    e->is_mark = is_lock;
    e->offset = offset;
    e->n_bytes = (size_t)n;
    e->bytes = power_alloc((size_t)n);
    memcpy(e->bytes, bytes, (size_t)n);
}

static void log_note_sync(int fd)
{
    int file = log_file_of(fd);
    if (file == LOG_FOLDER && !(recorder.lies & POWER_NO_FOLDER_SYNC))
        log_add(POWER_SYNC_FOLDER, LOG_NO_FILE);
    if (file >= 0 && !(recorder.lies & POWER_NO_SYNC) &&
        !((recorder.lies & POWER_NO_WAL_SYNC) && log_name_ends_with(file, "-wal")))
        log_add(POWER_SYNC, file);
}

static void log_note_rename(const char *from, const char *to)
{
    const char *name = log_name_of(from), *new_name = log_name_of(to);
    if (!name && !new_name)
        return;
    int i = name ? log_find_name(name) : -1;
    if (i < 0 || !new_name)
        power_die("a rename that cannot be recorded: %s to %s", from, to);
    power_event *e = log_add(POWER_RENAME, recorder.names[i].file);
    snprintf(e->name, sizeof e->name, "%s", name);
    snprintf(e->to, sizeof e->to, "%s", new_name);
    log_drop_name(e->name);
    log_set_name(e->to, e->file);
}

static void log_note_unlink(const char *path)
{
    const char *name = log_name_of(path);
    int i = name ? log_find_name(name) : -1;
    if (i < 0)
        return;
    snprintf(log_add(POWER_UNLINK, recorder.names[i].file)->name, POWER_NAME_BYTES, "%s", name);
    log_drop_name(name);
}

void power_log_begin(power_log *log, const char *folder, uint64_t seed, unsigned lies)
{
    power_files_read(&log->start, folder);
    memset(&recorder, 0, sizeof recorder);
    snprintf(recorder.folder, sizeof recorder.folder, "%s", folder);
    recorder.lies = lies;
    memo_rng_init(&recorder.rng, seed);
    for (int i = 0; i < LOG_MAX_FD; i++)
        recorder.fds[i] = LOG_NO_FILE;
    for (size_t i = 0; i < log->start.n; i++)
        log_set_name(log->start.at[i].name, (int)i);
    log->n_files = (int)log->start.n;
    (void)sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, (int)(seed % 1000000) + 1, NULL);
    recorder.log = log;
}

void power_log_mark(power_kind kind, int64_t number)
{
    if (recorder.log)
        log_add(kind, LOG_NO_FILE)->offset = number;
}

void power_log_end(void)
{
    recorder.log = NULL;
}

void power_log_fini(power_log *log)
{
    for (size_t i = 0; i < log->n; i++)
        free(log->events[i].bytes);
    free(log->events);
    power_files_fini(&log->start);
    *log = (power_log){0};
}

uint64_t power_log_hash(const power_log *log)
{
    uint64_t hash = power_files_hash(&log->start);
    for (size_t i = 0; i < log->n; i++) {
        const power_event *e = &log->events[i];
        int64_t head[4] = {(int64_t)e->kind, e->file, e->offset, (int64_t)e->n_bytes};
        hash = memo_xxh64(head, sizeof head, hash);
        hash = memo_xxh64(e->bytes ? (const void *)e->bytes : "", e->n_bytes, hash);
    }
    return hash;
}

void power_event_print(const power_event *e, char out[160])
{
    static const char *const kinds[] = {"create", "write",  "truncate", "sync", "sync folder",
                                        "rename", "unlink", "begin",    "done"};
    int n = snprintf(out, 160, "%s", kinds[e->kind]);
    if (e->file >= 0)
        n += snprintf(out + n, 160 - (size_t)n, " file %d", e->file);
    if (e->name[0])
        n += snprintf(out + n, 160 - (size_t)n, " %.48s%s%.48s", e->name, e->to[0] ? " to " : "",
                      e->to);
    if (e->kind == POWER_WRITE)
        n += snprintf(out + n, 160 - (size_t)n, " %zu bytes at", e->n_bytes);
    if (e->kind == POWER_WRITE || e->kind == POWER_TRUNCATE || e->kind >= POWER_BEGIN)
        (void)snprintf(out + n, 160 - (size_t)n, " %" PRId64, e->offset);
}

/* ---- in front of the C library ------------------------------------------------------------- */

/* The next definition of a name after ours. */
#define LOG_REAL(type, name)                                                                       \
    static type real;                                                                              \
    if (!real)                                                                                     \
    *(void **)(void *)&real = dlsym(RTLD_NEXT, name)

typedef int (*log_open_fn)(const char *, int, ...);
typedef int (*log_fd_fn)(int);
typedef ssize_t (*log_pwrite_fn)(int, const void *, size_t, off_t);
typedef ssize_t (*log_write_fn)(int, const void *, size_t);
typedef int (*log_ftruncate_fn)(int, off_t);
typedef int (*log_path_fn)(const char *);
typedef int (*log_rename_fn)(const char *, const char *);
typedef int (*log_renameat2_fn)(int, const char *, int, const char *, unsigned);
typedef int (*log_getentropy_fn)(void *, size_t);

/* Our own library is compiled with hidden names; these must be seen by SQLite's. */
#pragma GCC visibility push(default)

/* The prototypes of the 64-bit names are hidden without _LARGEFILE64_SOURCE. */
int open64(const char *path, int flags, ...);
ssize_t pwrite64(int fd, const void *bytes, size_t n, off_t offset);
int ftruncate64(int fd, off_t size);

static int log_open(const char *path, int flags, int mode)
{
    LOG_REAL(log_open_fn, "open");
    int fd = real(path, flags, mode);
    log_note_open(path, flags, fd);
    return fd;
}

#define LOG_MODE_ARGUMENT(mode, flags)                                                             \
    int mode = 0;                                                                                  \
    if ((flags)&O_CREAT) {                                                                         \
        va_list args;                                                                              \
        va_start(args, flags);                                                                     \
        mode = va_arg(args, int);                                                                  \
        va_end(args);                                                                              \
    }

int open(const char *path, int flags, ...)
{
    LOG_MODE_ARGUMENT(mode, flags)
    return log_open(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    LOG_MODE_ARGUMENT(mode, flags)
    return log_open(path, flags, mode);
}

int close(int fd)
{
    LOG_REAL(log_fd_fn, "close");
    if (recorder.log && fd >= 0 && fd < LOG_MAX_FD)
        recorder.fds[fd] = LOG_NO_FILE;
    return real(fd);
}

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t offset)
{
    LOG_REAL(log_pwrite_fn, "pwrite");
    ssize_t done = real(fd, bytes, n, offset);
    log_note_write(fd, bytes, done, offset);
    return done;
}

ssize_t pwrite64(int fd, const void *bytes, size_t n, off_t offset)
{
    return pwrite(fd, bytes, n, offset);
}

ssize_t write(int fd, const void *bytes, size_t n)
{
    LOG_REAL(log_write_fn, "write");
    off_t offset = log_file_of(fd) >= 0 ? lseek(fd, 0, SEEK_CUR) : 0;
    ssize_t done = real(fd, bytes, n);
    log_note_write(fd, bytes, done, offset);
    return done;
}

int ftruncate(int fd, off_t size)
{
    LOG_REAL(log_ftruncate_fn, "ftruncate");
    int rc = real(fd, size), file = log_file_of(fd);
    if (rc == 0 && file >= 0)
        log_add(POWER_TRUNCATE, file)->offset = size;
    return rc;
}

int ftruncate64(int fd, off_t size)
{
    return ftruncate(fd, size);
}

int fsync(int fd)
{
    LOG_REAL(log_fd_fn, "fsync");
    int rc = real(fd);
    if (rc == 0)
        log_note_sync(fd);
    return rc;
}

int fdatasync(int fd)
{
    LOG_REAL(log_fd_fn, "fdatasync");
    int rc = real(fd);
    if (rc == 0)
        log_note_sync(fd);
    return rc;
}

int rename(const char *from, const char *to)
{
    LOG_REAL(log_rename_fn, "rename");
    int rc = real(from, to);
    if (rc == 0)
        log_note_rename(from, to);
    return rc;
}

int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags)
{
    LOG_REAL(log_renameat2_fn, "renameat2");
    int rc = real(from_folder, from, to_folder, to, flags);
    if (rc == 0)
        log_note_rename(from, to);
    return rc;
}

int unlink(const char *path)
{
    LOG_REAL(log_path_fn, "unlink");
    int rc = real(path);
    if (rc == 0)
        log_note_unlink(path);
    return rc;
}

int getentropy(void *out, size_t n)
{
    LOG_REAL(log_getentropy_fn, "getentropy");
    if (!recorder.log)
        return real(out, n);
    for (size_t i = 0; i < n; i++)
        ((unsigned char *)out)[i] = (unsigned char)memo_rng_u64(&recorder.rng);
    return 0;
}

#pragma GCC visibility pop
