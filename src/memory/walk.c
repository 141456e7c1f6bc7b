// SPDX-License-Identifier: Apache-2.0
#include "memory/walk.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"

#define WALK_MAX_DEPTH 64

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

static int walk_is_store(const memo_walk *walk, const char *path)
{
    static const char *const side[] = {"", "-wal", "-shm", "-lock"};
    const char *name = strrchr(path, '/');
    size_t n = strlen(walk->store);

    name = name ? name + 1 : path;
    if (walk_has_suffix(name, ".memo") || strstr(name, ".memo-"))
        return 1;
    for (size_t i = 0; i < sizeof side / sizeof *side; i++) {
        char *own = memo_arena_alloc(walk->arena, n + strlen(side[i]) + 1);
        if (!own)
            return 1; /* out of memory: refuse rather than risk the locks */
        memcpy(own, walk->store, n);
        strcpy(own + n, side[i]);
        if (memo_same_file(own, path))
            return 1;
    }
    return 0;
}

static memo_status walk_push(memo_walk *walk, const char *path, const struct stat *st, int is_named,
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
        .path = path,
        .n_bytes = (uint64_t)st->st_size,
        .is_lines = walk_has_suffix(path, ".ndjson") || walk_has_suffix(path, ".jsonl"),
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
        if (entry->d_name[0] == '.')
            walk->n_skipped++;
        else
            status = walk_keep_name(walk, list, entry->d_name, err);
    }
    if (status == MEMO_OK && errno)
        status = memo_fail_errno(err, errno, path, "read the folder");
    closedir(dir);
    if (list->n > 1)
        qsort(list->names, list->n, sizeof *list->names, walk_by_name);
    return status;
}

static memo_status walk_folder(memo_walk *walk, const char *path, int depth, memo_err *err);

/* One entry of a folder; a file that went away since is skipped. */
static memo_status walk_entry(memo_walk *walk, const char *path, int depth, memo_err *err)
{
    struct stat st;

    if (lstat(path, &st) == 0) {
        if (S_ISDIR(st.st_mode))
            return walk_folder(walk, path, depth + 1, err);
        if (S_ISREG(st.st_mode) && !walk_is_store(walk, path))
            return walk_push(walk, path, &st, 0, err);
    }
    walk->n_skipped++;
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

static memo_status walk_folder(memo_walk *walk, const char *path, int depth, memo_err *err)
{
    walk_names list = {0};
    memo_status status;

    if (depth > WALK_MAX_DEPTH)
        return memo_fail(err, MEMO_ERR_LIMIT, "%s: folders nest deeper than %d levels", path,
                         WALK_MAX_DEPTH);
    status = walk_read_names(walk, path, &list, err);
    for (size_t i = 0; i < list.n && status == MEMO_OK; i++) {
        const char *child = walk_join(walk->arena, path, list.names[i]);
        status =
            child ? walk_entry(walk, child, depth, err) : memo_fail_nomem(err, "path of a file", 0);
    }
    memo_free(list.names);
    return status;
}

memo_status memo_walk_add(memo_walk *walk, const char *path, memo_err *err)
{
    struct stat st;
    const char *own;

    if (!path || !*path)
        return memo_fail(err, MEMO_ERR_USAGE, "an empty path to import");
    if (stat(path, &st))
        return errno == ENOENT || errno == ENOTDIR
                   ? memo_fail(err, MEMO_ERR_NOTFOUND, "%s: no such file or folder", path)
                   : memo_fail_errno(err, errno, path, "import it");
    if (S_ISDIR(st.st_mode))
        return walk_folder(walk, path, 0, err);
    if (!S_ISREG(st.st_mode))
        return memo_fail(err, MEMO_ERR_IO, "%s: neither a file nor a folder", path);
    if (walk_is_store(walk, path))
        return memo_fail(err, MEMO_ERR_VALUE, "%s: a store cannot be imported as text", path);
    own = memo_arena_strdup(walk->arena, path);
    if (!own)
        return memo_fail_nomem(err, "path of a file", strlen(path));
    while (strncmp(own, "./", 2) == 0 && own[2])
        own += 2;
    return walk_push(walk, own, &st, 1, err);
}
