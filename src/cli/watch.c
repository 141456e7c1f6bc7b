// SPDX-License-Identifier: Apache-2.0
#include "cli/watch.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/inotify.h>
#endif

#include "base/alloc.h"
#include "base/arena.h"
#include "base/ctx.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "cli/output.h"
#include "cli/progress.h"

#define WATCH_QUIET_MS  200  /* a save is several events: wait until there are no more */
#define WATCH_MOST_MS   2000 /* but not longer for somebody who never stops writing */
#define WATCH_POLL_MS   2000 /* where something cannot be watched */
#define WATCH_LOOK_MS   250  /* how often a wait looks for a signal */
#define WATCH_FRESH_NS  INT64_C(100000000) /* so new that another write may leave the same time */
#define WATCH_MAX_DEPTH 64

typedef struct watch_file {
    char *path; /* NULL: an empty place of the table */
    uint64_t n_bytes, inode, round;
    int64_t modified_ns; /* 0: read it again */
} watch_file;

struct cli_watch {
    const char *const *paths; /* [n_paths] */
    size_t n_paths, n_there;
    const char **there; /* [n_there] of paths: they exist */
    int64_t poll_ms;
    int fd;        /* of inotify; -1: none */
    int is_partly; /* something cannot be watched: poll, too */
    uint64_t round;
    size_t n, cap; /* cap a power of two */
    watch_file *files;
};

/* ---- what was seen ------------------------------------------------------------------------- */

static watch_file *watch_place(watch_file *files, size_t cap, const char *path)
{
    size_t at = (size_t)memo_xxh64(path, strlen(path), 0) & (cap - 1);
    while (files[at].path && strcmp(files[at].path, path) != 0)
        at = (at + 1) & (cap - 1);
    return &files[at];
}

/* Make room for one more; what is of an earlier round than `since` is dropped. Zero: no memory. */
static int watch_rebuild(cli_watch *w, size_t cap, uint64_t since)
{
    watch_file *files = memo_calloc(cap, sizeof *files);
    if (!files)
        return 0;
    w->n = 0;
    for (size_t i = 0; i < w->cap; i++) {
        watch_file *old = &w->files[i];
        if (old->path && old->round < since) {
            memo_free(old->path);
        } else if (old->path) {
            *watch_place(files, cap, old->path) = *old;
            w->n++;
        }
    }
    memo_free(w->files);
    w->files = files;
    w->cap = cap;
    return 1;
}

int cli_watch_wanted(void *watch, const memo_import_file *file)
{
    cli_watch *w = watch;
    struct timespec now = {0};
    watch_file *known;
    int same;
    if (w->n * 2 >= w->cap && !watch_rebuild(w, w->cap * 2, 0))
        return 1; /* read it, and do not remember */
    known = watch_place(w->files, w->cap, file->path);
    if (!known->path) {
        known->path = memo_strdup(file->path);
        if (!known->path)
            return 1;
        w->n++;
    }
    same = known->modified_ns == file->modified_ns && known->n_bytes == file->n_bytes &&
           known->inode == file->inode;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    known->n_bytes = file->n_bytes;
    known->inode = file->inode;
    known->round = w->round;
    known->modified_ns =
        (int64_t)now.tv_sec * 1000000000 + now.tv_nsec - file->modified_ns < WATCH_FRESH_NS
            ? 0
            : file->modified_ns;
    return !same;
}

int cli_watch_wants_none(void *watch, const memo_import_file *file)
{
    (void)watch, (void)file;
    return 0;
}

/* It lies at or below a path that is not there at all. */
static int watch_is_away(const cli_watch *w, const char *path)
{
    for (size_t i = 0; i < w->n_paths; i++) {
        const char *root = w->paths[i];
        size_t n;
        while (strncmp(root, "./", 2) == 0 && root[2])
            root += 2;
        n = strlen(root);
        while (n > 1 && root[n - 1] == '/')
            n--;
        if (strncmp(path, root, n) == 0 && (path[n] == '/' || !path[n]) &&
            !memo_path_exists(w->paths[i]))
            return 1;
    }
    return 0;
}

uint64_t cli_watch_end(cli_watch *w)
{
    uint64_t n_gone = 0;
    for (size_t i = 0; i < w->cap; i++) {
        watch_file *file = &w->files[i];
        if (!file->path || file->round == w->round)
            continue;
        if (watch_is_away(w, file->path))
            file->round = w->round;
        else
            n_gone++;
    }
    if (n_gone)
        (void)watch_rebuild(w, w->cap, w->round); /* without memory they are counted again */
    return n_gone;
}

void cli_watch_undo(cli_watch *w)
{
    for (size_t i = 0; i < w->cap; i++) {
        if (w->files[i].round == w->round)
            w->files[i].modified_ns = 0;
        w->files[i].round = w->round;
    }
}

/* ---- events -------------------------------------------------------------------------------- */

#ifdef __linux__

#define WATCH_EVENTS                                                                               \
    (IN_CLOSE_WRITE | IN_MODIFY | IN_ATTRIB | IN_CREATE | IN_DELETE | IN_MOVED_FROM |              \
     IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF)

static void watch_add(cli_watch *w, const char *path, int depth)
{
    DIR *dir;
    struct dirent *entry;
    if (inotify_add_watch(w->fd, path, WATCH_EVENTS) < 0)
        w->is_partly = 1;
    dir = depth < WATCH_MAX_DEPTH ? opendir(path) : NULL;
    while (dir && (entry = readdir(dir)) != NULL) {
        struct stat st;
        char *child = entry->d_name[0] == '.' ? NULL : memo_path_join(path, entry->d_name);
        if (child && lstat(child, &st) == 0 && S_ISDIR(st.st_mode))
            watch_add(w, child, depth + 1);
        memo_free(child);
    }
    if (dir)
        closedir(dir);
}

/* A folder with all below it, and what holds the path, where it may come to be again. */
static void watch_add_path(cli_watch *w, const char *path)
{
    struct stat st;
    char *folder = memo_path_folder(path);
    if (!folder || inotify_add_watch(w->fd, folder, WATCH_EVENTS) < 0)
        w->is_partly = 1;
    memo_free(folder);
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        watch_add(w, path, 0);
}

/* Hidden files and stores are not imported, and our own store is written to by every round. */
static int watch_counts(const struct inotify_event *event)
{
    return event->len == 0 || (event->name[0] != '.' && !strstr(event->name, ".memo"));
}

/* Take what events there are. Non-zero: one of them counts. */
static int watch_drain(cli_watch *w)
{
    union {
        struct inotify_event align;
        char bytes[16384];
    } buffer;
    int counts = 0;
    ssize_t n;
    while ((n = read(w->fd, buffer.bytes, sizeof buffer.bytes)) > 0)
        for (ssize_t at = 0; at < n;) {
            struct inotify_event event;
            const char *next = buffer.bytes + at;
            memcpy(&event, next, sizeof event);
            counts |= watch_counts((const struct inotify_event *)(const void *)next);
            at += (ssize_t)(sizeof event + event.len);
        }
    return counts;
}

static void watch_init(cli_watch *w)
{
    w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
}

#else

static void watch_add_path(cli_watch *w, const char *path)
{
    (void)w, (void)path;
}

static int watch_drain(cli_watch *w)
{
    (void)w;
    return 0;
}

static void watch_init(cli_watch *w)
{
    w->fd = -1;
}

#endif

/* ---- rounds -------------------------------------------------------------------------------- */

memo_status cli_watch_open(cli_watch **watch, const char *const *paths, size_t n, int64_t poll_ms,
                           memo_err *err)
{
    cli_watch *w = memo_calloc(1, sizeof *w);
    if (!w)
        return memo_fail_nomem(err, "watching", sizeof *w);
    w->paths = paths;
    w->n_paths = n;
    w->poll_ms = poll_ms;
    w->fd = -1;
    w->there = memo_calloc(n + 1, sizeof *w->there);
    if (!w->there || !watch_rebuild(w, 1024, 0)) {
        cli_watch_close(w);
        return memo_fail_nomem(err, "watching", n * sizeof *w->there);
    }
    if (!poll_ms)
        watch_init(w);
    w->is_partly = w->fd < 0;
    *watch = w;
    return MEMO_OK;
}

void cli_watch_close(cli_watch *w)
{
    if (!w)
        return;
    if (w->fd >= 0)
        close(w->fd);
    for (size_t i = 0; i < w->cap; i++)
        memo_free(w->files[i].path);
    memo_free(w->files);
    memo_free(w->there);
    memo_free(w);
}

void cli_watch_begin(cli_watch *w, const char *const **paths, size_t *n_paths)
{
    w->round++;
    w->n_there = 0;
    w->is_partly = w->fd < 0;
    for (size_t i = 0; i < w->n_paths; i++) {
        if (w->fd >= 0)
            watch_add_path(w, w->paths[i]);
        if (memo_path_exists(w->paths[i]))
            w->there[w->n_there++] = w->paths[i];
        else
            w->is_partly = 1; /* its folder may be gone, too */
    }
    *paths = w->there;
    *n_paths = w->n_there;
}

/* Sleep up to `ms` or an event. Non-zero: there was one that counts. */
static int watch_sleep(cli_watch *w, int ms)
{
    struct pollfd event = {.fd = w->fd, .events = POLLIN};
    return poll(&event, w->fd >= 0, ms) > 0 && watch_drain(w);
}

int cli_watch_wait(cli_watch *w)
{
    double began = memo_monotonic_ms(), first = 0, last = 0;
    int64_t poll_ms = w->poll_ms ? w->poll_ms : WATCH_POLL_MS;
    while (!cli_cancelled()) {
        int ms = last > 0 ? WATCH_QUIET_MS / 2 : WATCH_LOOK_MS;
        int happened = watch_sleep(w, ms);
        double now = memo_monotonic_ms();
        if (happened && last == 0)
            first = now;
        if (happened)
            last = now;
        if (last > 0 && (now - last >= WATCH_QUIET_MS || now - first >= WATCH_MOST_MS))
            return 1;
        if (w->is_partly && now - began >= (double)poll_ms)
            return 1;
    }
    return 0;
}
