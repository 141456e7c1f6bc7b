// SPDX-License-Identifier: Apache-2.0
/* memory/ingest/import_prune.c -- records whose file is gone from an imported folder.
 *
 * They are found by their source, which begins with the real path of a folder that was given and read,
 * and looked for on the disk. A record is forgotten only when it is sure that its file was removed, and is
 * not on a disk that is away: the nearest folder that is still there must hold something and be on the
 * same file system as the folder that was given. Whatever else seems gone is kept and counted. Let alone
 * is a source that no import has written, a word, an address or a relative path: of a text the key is the
 * source, and what came from a file of many records has that file's name as its source. All ids are
 * gathered before the first is forgotten, so that no page of the list moves under the walk. */
#include "memory/ingest/import.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/error.h"
#include "memory/ingest/lines.h"

#define PRUNE_PAGE 500
#define PRUNE_HASH 32 /* digits of memo_lines_hash_key() */

typedef struct prune_list {
    memo_arena arena;
    size_t n, cap;
    const char **ids;
    uint64_t n_kept;
} prune_list;

/* A folder that was given. */
typedef struct prune_root {
    const char *real;   /* absolute, without links */
    const char *prefix; /* the same with a slash at its end: so begin the sources below it */
    dev_t device;
} prune_root;

/* What is known of a file. */
typedef enum prune_fate {
    PRUNE_IS_THERE, /* or cannot be looked at */
    PRUNE_MAY_BE_AWAY,
    PRUNE_IS_GONE,
} prune_fate;

static memo_status prune_keep(prune_list *list, const char *id, memo_err *err)
{
    if (list->n == list->cap) {
        size_t cap = list->cap ? list->cap * 2 : 64;
        const char **grown = memo_reallocarray(list->ids, cap, sizeof *grown);
        if (!grown)
            return memo_fail_nomem(err, "records to forget", cap * sizeof *grown);
        list->ids = grown;
        list->cap = cap;
    }
    list->ids[list->n] = memo_arena_strdup(&list->arena, id);
    return list->ids[list->n++] ? MEMO_OK : memo_fail_nomem(err, "records to forget", 0);
}

static int prune_is_missing(const char *path, struct stat *st)
{
    return lstat(path, st) != 0 && (errno == ENOENT || errno == ENOTDIR);
}

/* Or it cannot be read. */
static int prune_is_empty(const char *folder)
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    int is_empty = 1;

    while (dir && is_empty && (entry = readdir(dir)) != NULL)
        is_empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
    if (dir)
        closedir(dir);
    return is_empty;
}

/* `path`, below the root, is cut down to the nearest that is there. */
static prune_fate prune_look(const prune_root *root, char *path)
{
    struct stat st;
    char *slash;

    if (!prune_is_missing(path, &st))
        return PRUNE_IS_THERE;
    do {
        slash = strrchr(path, '/');
        slash[slash == path] = 0; /* the root of all folders keeps its slash */
    } while (strlen(path) > strlen(root->real) && prune_is_missing(path, &st));
    if (lstat(path, &st) || st.st_dev != root->device)
        return PRUNE_MAY_BE_AWAY;
    if (S_ISREG(st.st_mode)) /* where a folder was */
        return PRUNE_IS_GONE;
    return !S_ISDIR(st.st_mode) || prune_is_empty(path) ? PRUNE_MAY_BE_AWAY : PRUNE_IS_GONE;
}

/* A key that import makes of what has none. */
static int prune_is_hash(const char *key)
{
    return key && strlen(key) == PRUNE_HASH && strspn(key, "0123456789abcdef") == PRUNE_HASH;
}

/* The source is a file that was imported. A .json file is often something else that a record is about, so one
 * that goes takes only records along whose key says where they are from. */
static int prune_was_imported(const memo_record *record)
{
    static const char *const many[] = {".ndjson", ".jsonl", ".csv", ".tsv", ".mbox", ".eml"};
    size_t n = memo_lines_name_bytes(record->source);

    if (strstr(record->source, "://") || strstr(record->source, "/../") ||
        strstr(record->source, "/./"))
        return 0;
    if (record->key && strcmp(record->key, record->source) == 0)
        return 1;
    for (size_t i = 0; i < sizeof many / sizeof *many; i++) {
        size_t m = strlen(many[i]);
        if (n > m && strncasecmp(record->source + n - m, many[i], m) == 0)
            return 1;
    }
    return prune_is_hash(record->key) && n > 5 &&
           strncasecmp(record->source + n - 5, ".json", 5) == 0;
}

static memo_status prune_judge(memo_import_work *w, const prune_root *root,
                               const memo_record *record, prune_list *list, memo_err *err)
{
    prune_fate fate;
    char *path;

    if (record->pinned || !prune_was_imported(record))
        return MEMO_OK;
    path = memo_strdup(record->source);
    if (!path)
        return memo_fail_nomem(err, "path of a file", strlen(record->source));
    fate = prune_look(root, path);
    memo_free(path);
    if (fate == PRUNE_IS_GONE && !w->is_unread)
        return prune_keep(list, record->id, err);
    list->n_kept += fate != PRUNE_IS_THERE;
    return MEMO_OK;
}

void memo_import_put_quoted(memo_buf *out, const char *text)
{
    memo_buf_putc(out, '\'');
    for (const char *s = text; *s; s++)
        memo_buf_puts(out, *s == '\'' ? "''" : (char[]){*s, 0});
    memo_buf_putc(out, '\'');
}

/* Records whose source lies below the root and is gone. */
static memo_status prune_find(memo_import_work *w, const prune_root *root, prune_list *list,
                              memo_err *err)
{
    memo_list_options options = {
        .size = sizeof options, .ns = w->options.ns, .limit = PRUNE_PAGE, .oldest_first = 1};
    memo_records *page = NULL;
    memo_buf where = {0};
    memo_status status = MEMO_OK;

    memo_buf_puts(&where, "source prefix ");
    memo_import_put_quoted(&where, root->prefix);
    if (where.failed)
        return memo_fail_nomem(err, "filter", strlen(root->prefix));
    options.where = where.data;
    do {
        memo_records *next = NULL;
        options.after = page ? page->next : NULL;
        status = memo_db_list(w->db, &options, &next, err);
        memo_records_free(page);
        page = next;
        for (size_t i = 0; status == MEMO_OK && i < page->n; i++)
            status = prune_judge(w, root, &page->records[i], list, err);
    } while (status == MEMO_OK && page->next);
    memo_records_free(page);
    memo_buf_fini(&where);
    return status;
}

/* A folder in which the walk found any file. */
static int prune_has_files(const memo_import_work *w, const char *prefix)
{
    for (size_t i = 0; i < w->walk.n; i++)
        if (!w->walk.files[i].is_named &&
            strncmp(w->walk.files[i].real, prefix, strlen(prefix)) == 0)
            return 1;
    return 0;
}

/* All below one of the paths, when it is a folder. */
static memo_status prune_below(memo_import_work *w, const char *path, prune_list *list,
                               memo_err *err)
{
    prune_root root = {0};
    struct stat st;
    char *prefix;
    size_t n;
    memo_status status;

    if (stat(path, &st) || !S_ISDIR(st.st_mode))
        return MEMO_OK;
    status = memo_walk_real(&list->arena, path, &root.real, err);
    if (status)
        return status;
    n = strlen(root.real);
    prefix = memo_arena_alloc(&list->arena, n + 2);
    if (!prefix)
        return memo_fail_nomem(err, "path of a folder", n);
    memcpy(prefix, root.real, n);
    if (prefix[n - 1] != '/')
        prefix[n] = '/';
    root.prefix = prefix;
    root.device = st.st_dev;
    return prune_has_files(w, prefix) ? prune_find(w, &root, list, err) : MEMO_OK;
}

memo_status memo_import_prune(memo_import_work *w, const char *const *paths, size_t n_paths,
                              memo_err *err)
{
    prune_list list = {0};
    memo_forget_options options = {
        .size = sizeof options, .ns = w->options.ns, .dry_run = w->options.dry_run};
    uint64_t n_forgotten = 0;
    memo_status status = MEMO_OK;

    for (size_t i = 0; i < n_paths && status == MEMO_OK; i++)
        status = prune_below(w, paths[i], &list, err);
    options.ids = list.ids;
    options.n_ids = list.n;
    if (status == MEMO_OK && list.n)
        status = memo_db_forget(w->db, &options, &n_forgotten, NULL, err);
    w->report->n_removed += n_forgotten;
    w->report->n_kept = list.n_kept;
    memo_free(list.ids);
    memo_arena_fini(&list.arena);
    return status;
}
