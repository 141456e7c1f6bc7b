// SPDX-License-Identifier: Apache-2.0
/* memory/ingest/walk.h -- which files an import reads, in which order.
 *
 * Paths come in the order given, the files of a folder by name (bytes), folders among them where
 * their names stand: the same tree gives the same list everywhere. Left out of folders and counted
 * as skipped: names that begin with a dot, links, what is neither file nor folder, and stores with
 * their side files (*.memo, *.memo-*). Opening and closing a store file here would drop SQLite's
 * locks on it, so the own store is refused even when it is named; another *.memo that is named is a
 * store to import.
 *
 * A file is known by where it really lies, whatever the working directory and the links on the way to what
 * was given: two folders named "notes" are two, one that is given in two ways is one. */
#ifndef MEMO_MEMORY_WALK_H
#define MEMO_MEMORY_WALK_H

#include <memolith/memory.h>

#include "base/arena.h"

typedef struct memo_walk_file {
    const char *path; /* as it was given, with "/name" appended by folder; "./" in front removed */
    const char *real; /* absolute, without links: the file's key and source */
    uint64_t n_bytes, inode;
    int64_t modified_ns;
    int is_unwanted;           /* by the caller: not to be read */
    int is_named;              /* given by the caller, not found in a folder */
    memo_import_format format; /* for who reads it; the walk sets MEMO_IMPORT_STORE alone */
} memo_walk_file;

typedef struct memo_walk {
    memo_arena *arena; /* holds the paths */
    const char *store; /* path of the store that imports; it and its side files are left out */
    size_t n, cap;
    memo_walk_file *files; /* [n] */
    uint64_t n_skipped;
    void (*on_skipped)(void *user, const char *path, const char *why); /* or NULL */
    void *user;
} memo_walk;

void memo_walk_fini(memo_walk *walk);

/* Append a file, or the files of a folder. MEMO_ERR_NOTFOUND when there is no such path,
 * MEMO_ERR_VALUE for a store, MEMO_ERR_IO for a device or a folder that cannot be read,
 * MEMO_ERR_LIMIT beyond 64 levels. */
memo_status memo_walk_add(memo_walk *walk, const char *path, memo_err *err);

/* The path from the root of all folders, without links; in the arena. */
memo_status memo_walk_real(memo_arena *arena, const char *path, const char **real, memo_err *err);

#endif
