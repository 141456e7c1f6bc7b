// SPDX-License-Identifier: Apache-2.0
#include "memory/ingest/walk.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"

#define WALK_MAX_DEPTH  64
#define WALK_PATH_BYTES 4200 /* PATH_MAX and what stands behind a store's name */

/* A path as it was given, and without links from the root of all folders. */
typedef struct walk_place {
    const char *path, *real;
} walk_place;

void memo_walk_fini(memo_walk *walk)
{
    memo_free(walk->files);
    walk->files = NULL;
    walk->n = walk->cap = 0;
}

static int walk_has_suffix(const char *s, const char *suffix)
{
    size_t n = strlen(s), m = strlen(suffix);
    return n > m && strcasecmp(s + n - m, suffix) == 0;
}

static const char *walk_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* The store that imports, or a file beside it. */
static int walk_is_own(const memo_walk *walk, const char *path)
{
    static const char *const side[] = {"", "-wal", "-shm", "-lock", "-idx"};
    size_t n = strlen(walk->store);

    for (size_t i = 0; i < sizeof side / sizeof *side; i++) {
        char own[WALK_PATH_BYTES];
        if (n + strlen(side[i]) >= sizeof own)
            return 1; /* refuse rather than risk the locks */
        memcpy(own, walk->store, n);
        strcpy(own + n, side[i]);
        if (memo_same_file(own, path))
            return 1;
    }
    return 0;
}

static int walk_is_store(const memo_walk *walk, const char *path)
{
    const char *name = walk_name(path);
    return walk_has_suffix(name, ".memo") || strstr(name, ".memo-") || walk_is_own(walk, path);
}

static int64_t walk_modified_ns(const struct stat *st)
{
#ifdef __APPLE__
    const struct timespec *at = &st->st_mtimespec;
#else
    const struct timespec *at = &st->st_mtim;
#endif
    return (int64_t)at->tv_sec * 1000000000 + at->tv_nsec;
}

memo_status memo_walk_real(memo_arena *arena, const char *path, const char **real, memo_err *err)
{
    char *resolved = realpath(path, NULL);

    if (!resolved)
        return memo_fail_errno(err, errno, path, "find out where it lies");
    *real = memo_arena_strdup(arena, resolved);
    free(resolved); /* not of our allocator */
    return *real ? MEMO_OK : memo_fail_nomem(err, "path of a file", strlen(path));
}

/* `at` is where it lies: as given, and really. */
static memo_status walk_push(memo_walk *walk, walk_place at, const struct stat *st, int is_named,
                             memo_err *err)
{
    if (walk->n == walk->cap) {
        size_t cap = walk->cap ? walk->cap * 2 : 64;
        memo_walk_file *grown = memo_reallocarray(walk->files, cap, sizeof *grown);
        if (!grown)
            return memo_fail_nomem(err, "list of files", cap * sizeof *grown);
        walk->files = grown;
        walk->cap = cap;
    }
    walk->files[walk->n++] = (memo_walk_file){
        .path = at.path,
        .real = at.real,
        .n_bytes = (uint64_t)st->st_size,
        .inode = (uint64_t)st->st_ino,
        .modified_ns = walk_modified_ns(st),
        .is_named = is_named,
    };
    return MEMO_OK;
}

/* ---- folders ------------------------------------------------------------------------------- */

typedef struct walk_names {
    size_t n, cap;
    const char **names;
} walk_names;

static int walk_by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static memo_status walk_keep_name(memo_walk *walk, walk_names *list, const char *name,
                                  memo_err *err)
{
    if (list->n == list->cap) {
        size_t cap = list->cap ? list->cap * 2 : 64;
        const char **grown = memo_reallocarray(list->names, cap, sizeof *grown);
        if (!grown)
            return memo_fail_nomem(err, "names in a folder", cap * sizeof *grown);
        list->names = grown;
        list->cap = cap;
    }
    list->names[list->n] = memo_arena_strdup(walk->arena, name);
    return list->names[list->n++] ? MEMO_OK : memo_fail_nomem(err, "names in a folder", 0);
}

static memo_status walk_read_names(memo_walk *walk, const char *path, walk_names *list,
                                   memo_err *err)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    memo_status status = MEMO_OK;

    if (!dir)
        return memo_fail_errno(err, errno, path, "open the folder");
    while (status == MEMO_OK && (errno = 0, entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        status = walk_keep_name(walk, list, entry->d_name, err);
    }
    if (status == MEMO_OK && errno)
        status = memo_fail_errno(err, errno, path, "read the folder");
    closedir(dir);
    if (list->n > 1)
        qsort(list->names, list->n, sizeof *list->names, walk_by_name);
    return status;
}

static memo_status walk_folder(memo_walk *walk, walk_place at, int depth, memo_err *err);

static void walk_skip(memo_walk *walk, const char *path, const char *why)
{
    walk->n_skipped++;
    if (walk->on_skipped)
        walk->on_skipped(walk->user, path, why);
}

/* One entry of a folder; a file that went away since is skipped. */
static memo_status walk_entry(memo_walk *walk, walk_place at, int depth, memo_err *err)
{
    const char *why = "it went away";
    struct stat st;

    if (walk_name(at.path)[0] == '.') {
        why = "its name begins with a dot";
    } else if (lstat(at.path, &st) == 0) {
        if (S_ISDIR(st.st_mode))
            return walk_folder(walk, at, depth + 1, err);
        if (S_ISREG(st.st_mode) && !walk_is_store(walk, at.path))
            return walk_push(walk, at, &st, 0, err);
        why = S_ISREG(st.st_mode)   ? "it is a store, or goes with one"
              : S_ISLNK(st.st_mode) ? "it is a link"
                                    : "it is neither a file nor a folder";
    }
    walk_skip(walk, at.path, why);
    return MEMO_OK;
}

static char *walk_join(memo_arena *arena, const char *folder, const char *name)
{
    size_t n = strlen(folder);
    char *path = memo_arena_alloc(arena, n + strlen(name) + 2);

    while (n > 1 && folder[n - 1] == '/')
        n--;
    if (!path)
        return NULL;
    memcpy(path, folder, n);
    if (path[n - 1] != '/')
        path[n++] = '/';
    strcpy(path + n, name);
    return strncmp(path, "./", 2) == 0 ? path + 2 : path;
}

static memo_status walk_folder(memo_walk *walk, walk_place at, int depth, memo_err *err)
{
    walk_names list = {0};
    memo_status status;

    if (depth > WALK_MAX_DEPTH)
        return memo_fail(err, MEMO_ERR_LIMIT, "%s: folders nest deeper than %d levels", at.path,
                         WALK_MAX_DEPTH);
    status = walk_read_names(walk, at.path, &list, err);
    for (size_t i = 0; i < list.n && status == MEMO_OK; i++) {
        const walk_place child = {walk_join(walk->arena, at.path, list.names[i]),
                                  walk_join(walk->arena, at.real, list.names[i])};
        status = child.path && child.real ? walk_entry(walk, child, depth, err)
                                          : memo_fail_nomem(err, "path of a file", 0);
    }
    memo_free(list.names);
    return status;
}

memo_status memo_walk_add(memo_walk *walk, const char *path, memo_err *err)
{
    struct stat st;
    walk_place at = {path, NULL};
    memo_status status;

    if (!path || !*path)
        return memo_fail(err, MEMO_ERR_USAGE, "an empty path to import");
    if (stat(path, &st))
        return errno == ENOENT || errno == ENOTDIR
                   ? memo_fail(err, MEMO_ERR_NOTFOUND, "%s: no such file or folder", path)
                   : memo_fail_errno(err, errno, path, "import it");
    status = memo_walk_real(walk->arena, path, &at.real, err);
    if (status)
        return status;
    if (S_ISDIR(st.st_mode))
        return walk_folder(walk, at, 0, err);
    if (!S_ISREG(st.st_mode))
        return memo_fail(err, MEMO_ERR_IO, "%s: neither a file nor a folder", path);
    if (walk_is_own(walk, path))
        return memo_fail(err, MEMO_ERR_VALUE, "%s: a store cannot be imported into itself", path);
    if (strstr(walk_name(path), ".memo-"))
        return memo_fail(err, MEMO_ERR_VALUE, "%s: this file goes with a store: import that", path);
    at.path = memo_arena_strdup(walk->arena, path);
    if (!at.path)
        return memo_fail_nomem(err, "path of a file", strlen(path));
    while (strncmp(at.path, "./", 2) == 0 && at.path[2])
        at.path += 2;
    status = walk_push(walk, at, &st, 1, err);
    if (status == MEMO_OK && walk_has_suffix(walk_name(path), ".memo"))
        walk->files[walk->n - 1].format = MEMO_IMPORT_STORE;
    return status;
}
