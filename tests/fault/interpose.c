// SPDX-License-Identifier: Apache-2.0
/* fault/interpose.c -- faults in a whole process, put before it with LD_PRELOAD.
 *
 * Counts the calls that change files below one folder, or lock, map or read them, whoever makes
 * them (SQLite and the C library's callers alike), and stdout's. At a chosen number the process is
 * killed or the call goes wrong. Set by the environment:
 *
 *   MEMO_INTERPOSE_FOLDER    absolute, links resolved; paths below it count. Not set: nothing does
 *   MEMO_INTERPOSE_AT        number of the call, from 1, or "r" and the number of a read(): they are
 *                            counted apart, as caches make them vary. 0 or not set: only count
 *   MEMO_INTERPOSE_DO        kill     SIGKILL before the call
 *                            middle   half of a write, then SIGKILL
 *                            after    the call, then SIGKILL
 *                            short    half of a read or write, and its count as the result
 *                            lose     success is reported, nothing is done
 *                            SIGINT   or SIGTERM: the signal comes just before the call
 *                            ENOSPC   or another name of error_names: the call fails with it
 *                            full     ENOSPC, and for every later call that takes room on the disk
 *   MEMO_INTERPOSE_REPORT    file that is appended to: "calls N" at exit, and with
 *   MEMO_INTERPOSE_TRACE     (anything) one line "N call file bytes" for each call, N as for AT
 *   MEMO_INTERPOSE_NO_FLOCK  (anything) flock() does nothing and reports success
 *
 * A call on a file descriptor counts when the file was opened below the folder. What the C library
 * does inside itself (fopen) is not seen; nothing in the product writes that way. Needs glibc where
 * a long has 64 bits: there each call and its 64-bit form are one. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#if defined __GLIBC__ && defined __LP64__

enum {
    MAX_FD = 4096,
    NAME_BYTES = 64,
    REPORT_FD = 3000, /* out of the way of the numbers that the process gets */
};

typedef enum action {
    ACT_NOTHING,
    ACT_KILL,
    ACT_MIDDLE,
    ACT_AFTER,
    ACT_SHORT,
    ACT_LOSE,
    ACT_SIGNAL,
    ACT_ERROR,
    ACT_FULL,
} action;

static struct {
    char folder[1024];
    size_t n_folder;
    unsigned long at;
    int at_read; /* `at` counts reads */
    action act;
    int error;  /* of ACT_ERROR */
    int signal; /* of ACT_SIGNAL */
    int trace, no_flock;
    int report; /* descriptor, -1: none */
} settings = {.report = -1};

static atomic_ulong n_calls[2]; /* [1]: reads */
/* The file behind a descriptor, relative to the folder; "" for one that does not count. */
static char names[MAX_FD][NAME_BYTES];

/* The next library's function of the same name, found at the first call. */
#define REAL(name)                                                                                 \
    static __typeof__(&name) real;                                                                 \
    if (!real)                                                                                     \
    find_real(#name, &real)

static void find_real(const char *name, void *function)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (!found)
        abort();
    memcpy(function, &found, sizeof found);
}

/* ---- settings ------------------------------------------------------------------------------ */

static const struct {
    const char *name;
    int number;
} error_names[] = {
    {"EIO", EIO},       {"ENOSPC", ENOSPC}, {"EINTR", EINTR},   {"EMFILE", EMFILE},
    {"EACCES", EACCES}, {"EDQUOT", EDQUOT}, {"ENOMEM", ENOMEM}, {"ENOLCK", ENOLCK},
};

static void settings_read_action(const char *word)
{
    static const char *const words[] = {
        [ACT_KILL] = "kill",   [ACT_MIDDLE] = "middle", [ACT_AFTER] = "after",
        [ACT_SHORT] = "short", [ACT_LOSE] = "lose",     [ACT_FULL] = "full"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (words[i] && strcmp(words[i], word) == 0)
            settings.act = (action)i;
    for (size_t i = 0; i < sizeof error_names / sizeof *error_names; i++)
        if (strcmp(error_names[i].name, word) == 0) {
            settings.act = ACT_ERROR;
            settings.error = error_names[i].number;
        }
    if (strcmp(word, "SIGINT") == 0 || strcmp(word, "SIGTERM") == 0) {
        settings.act = ACT_SIGNAL;
        settings.signal = word[3] == 'I' ? SIGINT : SIGTERM;
    }
    if (settings.act == ACT_NOTHING) /* a slip in a test must not look like a passed one */
        abort();
}

static void settings_open_report(const char *path)
{
    REAL(open);
    int fd = real(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd < 0)
        abort();
    settings.report = dup3(fd, REPORT_FD, O_CLOEXEC) < 0 ? fd : REPORT_FD;
    if (settings.report == REPORT_FD) {
        static int (*real_close)(int);
        find_real("close", &real_close);
        real_close(fd);
    }
}

__attribute__((constructor)) static void settings_read(void)
{
    const char *folder = getenv("MEMO_INTERPOSE_FOLDER"), *at = getenv("MEMO_INTERPOSE_AT");
    const char *act = getenv("MEMO_INTERPOSE_DO"), *report = getenv("MEMO_INTERPOSE_REPORT");
    settings.no_flock = getenv("MEMO_INTERPOSE_NO_FLOCK") != NULL;
    settings.trace = getenv("MEMO_INTERPOSE_TRACE") != NULL;
    if (!folder)
        return;
    settings.n_folder = strlen(folder);
    if (settings.n_folder >= sizeof settings.folder)
        abort();
    memcpy(settings.folder, folder, settings.n_folder + 1);
    settings.at_read = at && at[0] == 'r';
    settings.at = at ? strtoul(at + settings.at_read, NULL, 10) : 0;
    if (settings.at)
        settings_read_action(act ? act : "");
    if (report)
        settings_open_report(report);
    memcpy(names[STDOUT_FILENO], "stdout", sizeof "stdout");
}

static void report_line(const char *line, int n)
{
    static ssize_t (*real_write)(int, const void *, size_t);
    if (!real_write)
        find_real("write", &real_write);
    if (settings.report >= 0 && n > 0 && real_write(settings.report, line, (size_t)n) != n)
        abort();
}

__attribute__((destructor)) static void report_count(void)
{
    char line[64];
    unsigned long n = atomic_load(&n_calls[0]) + atomic_load(&n_calls[1]);
    report_line(line, snprintf(line, sizeof line, "calls %lu\n", n));
}

/* ---- what counts --------------------------------------------------------------------------- */

/* Name below the folder, or NULL. */
static const char *name_of_path(const char *path)
{
    static char at[2][2048]; /* rename() has two; nothing counted runs in two threads at once */
    static int turn;
    char *full = at[turn = !turn];
    if (!settings.n_folder || !path)
        return NULL;
    if (path[0] == '/')
        snprintf(full, sizeof at[0], "%s", path);
    else if (getcwd(full, sizeof at[0]) && strlen(full) + strlen(path) + 2 < sizeof at[0])
        strcat(strcat(full, "/"), path);
    else
        return NULL;
    if (strncmp(full, settings.folder, settings.n_folder) != 0)
        return NULL;
    full += settings.n_folder;
    return *full == '/' && full[1] ? full + 1 : *full ? NULL : ".";
}

static const char *name_of_fd(int fd)
{
    return fd >= 0 && fd < MAX_FD && names[fd][0] ? names[fd] : NULL;
}

static void name_fd(int fd, const char *name)
{
    if (fd >= 0 && fd < MAX_FD)
        snprintf(names[fd], sizeof names[fd], "%s", name ? name : "");
}

/* ---- what happens -------------------------------------------------------------------------- */

/* How one call goes on. */
typedef struct plan {
    int fails; /* errno is set */
    int lost;
    int kills; /* after it */
    size_t n;  /* bytes to move */
} plan;

static void die(void)
{
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

/* Count a call on `name` (NULL: it does not count) and decide. `room`: it takes room on the disk. */
static plan plan_call(const char *call, const char *name, size_t n, int room)
{
    plan p = {.n = n};
    if (!name)
        return p;
    int reads = strstr(call, "read") != NULL;
    unsigned long number = atomic_fetch_add(&n_calls[reads], 1) + 1;
    if (settings.trace) {
        char line[256];
        report_line(line, snprintf(line, sizeof line, "%s%lu %s %s %zu\n", reads ? "r" : "", number,
                                   call, name, n));
    }
    if (!settings.at || reads != settings.at_read)
        return p;
    if (settings.act == ACT_FULL && number >= settings.at && room) {
        errno = ENOSPC;
        p.fails = 1;
    }
    if (number != settings.at)
        return p;
    if (settings.act == ACT_KILL)
        die();
    if (settings.act == ACT_SIGNAL)
        kill(getpid(), settings.signal);
    p.kills = settings.act == ACT_MIDDLE || settings.act == ACT_AFTER;
    p.lost = settings.act == ACT_LOSE;
    if (settings.act == ACT_MIDDLE || settings.act == ACT_SHORT)
        p.n = n / 2;
    if (settings.act == ACT_ERROR) {
        errno = settings.error;
        p.fails = 1;
    }
    return p;
}

static long end_call(const plan *p, long result)
{
    if (p->kills)
        die();
    return result;
}

/* ---- bytes --------------------------------------------------------------------------------- */

ssize_t write(int fd, const void *bytes, size_t n)
{
    REAL(write);
    plan p = plan_call("write", name_of_fd(fd), n, fd != STDOUT_FILENO);
    if (p.fails || p.lost)
        return p.fails ? -1 : (ssize_t)n;
    return end_call(&p, real(fd, bytes, p.n));
}

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t at)
{
    REAL(pwrite);
    plan p = plan_call("pwrite", name_of_fd(fd), n, 1);
    if (p.fails || p.lost)
        return p.fails ? -1 : (ssize_t)n;
    return end_call(&p, real(fd, bytes, p.n, at));
}

ssize_t writev(int fd, const struct iovec *parts, int n_parts)
{
    REAL(writev);
    size_t n = 0;
    for (int i = 0; i < n_parts; i++)
        n += parts[i].iov_len;
    plan p = plan_call("writev", name_of_fd(fd), n, 1);
    if (p.fails || p.lost)
        return p.fails ? -1 : (ssize_t)n;
    return end_call(&p, real(fd, parts, p.n < n ? (n_parts + 1) / 2 : n_parts));
}

ssize_t read(int fd, void *bytes, size_t n)
{
    REAL(read);
    plan p = plan_call("read", name_of_fd(fd), n, 0);
    return p.fails ? -1 : end_call(&p, real(fd, bytes, p.n));
}

ssize_t pread(int fd, void *bytes, size_t n, off_t at)
{
    REAL(pread);
    plan p = plan_call("pread", name_of_fd(fd), n, 0);
    return p.fails ? -1 : end_call(&p, real(fd, bytes, p.n, at));
}

int ftruncate(int fd, off_t n)
{
    REAL(ftruncate);
    plan p = plan_call("ftruncate", name_of_fd(fd), 0, 0);
    if (p.fails || p.lost)
        return p.fails ? -1 : 0;
    return (int)end_call(&p, real(fd, n));
}

int fallocate(int fd, int mode, off_t at, off_t n)
{
    REAL(fallocate);
    plan p = plan_call("fallocate", name_of_fd(fd), 0, 1);
    if (p.fails || p.lost)
        return p.fails ? -1 : 0;
    return (int)end_call(&p, real(fd, mode, at, n));
}

/* Gives the error as its result. */
int posix_fallocate(int fd, off_t at, off_t n)
{
    REAL(posix_fallocate);
    plan p = plan_call("posix_fallocate", name_of_fd(fd), 0, 1);
    if (p.fails || p.lost)
        return p.fails ? errno : 0;
    return (int)end_call(&p, real(fd, at, n));
}

int fsync(int fd)
{
    REAL(fsync);
    plan p = plan_call("fsync", name_of_fd(fd), 0, 0);
    if (p.fails || p.lost)
        return p.fails ? -1 : 0;
    return (int)end_call(&p, real(fd));
}

int fdatasync(int fd)
{
    REAL(fdatasync);
    plan p = plan_call("fdatasync", name_of_fd(fd), 0, 0);
    if (p.fails || p.lost)
        return p.fails ? -1 : 0;
    return (int)end_call(&p, real(fd));
}

void *mmap(void *where, size_t n, int access, int flags, int fd, off_t at)
{
    REAL(mmap);
    plan p = plan_call("mmap", name_of_fd(fd), n, 0);
    if (p.fails)
        return MAP_FAILED;
    void *map = real(where, n, access, flags, fd, at);
    (void)end_call(&p, 0);
    return map;
}

/* ---- files --------------------------------------------------------------------------------- */

int open(const char *path, int flags, ...)
{
    REAL(open);
    const char *name = name_of_path(path);
    va_list args;
    va_start(args, flags);
    unsigned mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(args, unsigned) : 0;
    va_end(args);
    plan p =
        plan_call(flags & (O_CREAT | O_TRUNC) ? "create" : "open", name, 0, (flags & O_CREAT) != 0);
    if (p.fails)
        return -1;
    int fd = real(path, flags, mode);
    name_fd(fd, name);
    return (int)end_call(&p, fd);
}

/* The number is free afterwards in any case, as on Linux. */
int close(int fd)
{
    REAL(close);
    plan p = plan_call("close", name_of_fd(fd), 0, 0);
    int error = errno;
    name_fd(fd, NULL);
    int result = real(fd);
    if (p.fails) {
        errno = error;
        return -1;
    }
    return (int)end_call(&p, result);
}

int rename(const char *from, const char *to)
{
    REAL(rename);
    plan p = plan_call("rename", name_of_path(to), 0, 0);
    if (p.fails || p.lost)
        return p.fails ? -1 : 0;
    return (int)end_call(&p, real(from, to));
}

int renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
    REAL(renameat2);
    plan p = plan_call("rename", name_of_path(to), 0, 0);
    if (p.fails || p.lost)
        return p.fails ? -1 : 0;
    return (int)end_call(&p, real(from_fd, from, to_fd, to, flags));
}

int link(const char *from, const char *to)
{
    REAL(link);
    plan p = plan_call("link", name_of_path(to), 0, 1);
    if (p.fails || p.lost)
        return p.fails ? -1 : 0;
    return (int)end_call(&p, real(from, to));
}

int unlink(const char *path)
{
    REAL(unlink);
    plan p = plan_call("unlink", name_of_path(path), 0, 0);
    if (p.fails || p.lost)
        return p.fails ? -1 : 0;
    return (int)end_call(&p, real(path));
}

int mkdir(const char *path, mode_t mode)
{
    REAL(mkdir);
    plan p = plan_call("mkdir", name_of_path(path), 0, 1);
    if (p.fails || p.lost)
        return p.fails ? -1 : 0;
    return (int)end_call(&p, real(path, mode));
}

/* ---- locks --------------------------------------------------------------------------------- */

int flock(int fd, int operation)
{
    REAL(flock);
    plan p = plan_call("flock", name_of_fd(fd), 0, 0);
    if (p.fails || p.lost || settings.no_flock)
        return p.fails ? -1 : 0;
    return (int)end_call(&p, real(fd, operation));
}

/* Every command takes at most one argument, which fits a pointer. */
int fcntl(int fd, int command, ...)
{
    REAL(fcntl);
    va_list args;
    va_start(args, command);
    void *argument = va_arg(args, void *);
    va_end(args);
    int locks = command == F_SETLK || command == F_SETLKW || command == F_OFD_SETLK ||
                command == F_OFD_SETLKW;
    plan p = plan_call("lock", locks ? name_of_fd(fd) : NULL, 0, 0);
    if (p.fails || p.lost)
        return p.fails ? -1 : 0;
    return (int)end_call(&p, real(fd, command, argument));
}

/* ---- the same under their 64-bit names ------------------------------------------------------ */

#define SAME_AS(name) __attribute__((alias(#name)))

ssize_t pwrite64(int fd, const void *bytes, size_t n, off64_t at) SAME_AS(pwrite);
ssize_t pread64(int fd, void *bytes, size_t n, off64_t at) SAME_AS(pread);
int ftruncate64(int fd, off64_t n) SAME_AS(ftruncate);
int fallocate64(int fd, int mode, off64_t at, off64_t n) SAME_AS(fallocate);
int posix_fallocate64(int fd, off64_t at, off64_t n) SAME_AS(posix_fallocate);
void *mmap64(void *where, size_t n, int access, int flags, int fd, off64_t at) SAME_AS(mmap);
int open64(const char *path, int flags, ...) SAME_AS(open);
int fcntl64(int fd, int command, ...) SAME_AS(fcntl);

#endif
