// SPDX-License-Identifier: Apache-2.0
/* base/file.h -- read, map and durably replace regular files.
 *
 * Every system call goes through one table (memo_sys), so that a test can make call number N fail
 * or be short. EINTR is retried; short reads and writes are continued. Never blocks on a FIFO or a
 * device: what is not a regular file is MEMO_ERR_IO. */
#ifndef MEMO_BASE_FILE_H
#define MEMO_BASE_FILE_H

#include <stdio.h>
#include <sys/types.h>

#include <memolith/status.h>

/* The seam for fault injection; memo_sys_set(NULL) restores the operating system's. */
typedef struct memo_sys {
    int (*open)(const char *path, int flags, int mode);
    int (*close)(int fd);
    ssize_t (*pread)(int fd, void *buf, size_t n, off_t offset);
    ssize_t (*pwrite)(int fd, const void *buf, size_t n, off_t offset);
    int (*fsync)(int fd);
    int (*ftruncate)(int fd, off_t n);
    int (*rename)(const char *from, const char *to);
    int (*rename_new)(const char *from, const char *to); /* EEXIST when `to` is there */
    int (*unlink)(const char *path);
    void *(*mmap)(void *addr, size_t n, int prot, int flags, int fd, off_t offset);
    int (*munmap)(void *addr, size_t n);
    int (*flock)(int fd, int operation);
    int (*mkdir)(const char *path, mode_t mode);
} memo_sys;

const memo_sys *memo_sys_get(void);
void memo_sys_set(const memo_sys *sys);
/* Through the table, close-on-exec, EINTR retried. */
int memo_sys_open(const char *path, int flags, int mode);
int memo_sys_fsync(int fd);

/* A regular file open for reading by offset. */
typedef struct memo_file {
    int fd; /* open while path is not NULL */
    uint64_t n_bytes;
    char *path;
} memo_file;

memo_status memo_file_open(memo_file *file, const char *path, memo_err *err);
void memo_file_close(memo_file *file); /* a zeroed memo_file is closed */
/* Exactly n_bytes at offset, or MEMO_ERR_FORMAT "needs N, has M". */
memo_status memo_file_read(const memo_file *file, uint64_t offset, void *out, size_t n_bytes,
                           memo_err *err);
/* The whole of a file of at most max_bytes (else MEMO_ERR_LIMIT), NUL-terminated; memo_free(). */
memo_status memo_file_slurp(const char *path, size_t max_bytes, char **out, size_t *n_bytes,
                            memo_err *err);

typedef struct memo_map {
    const unsigned char *data; /* page-aligned */
    size_t n_bytes;
} memo_map;

/* Map a whole file read-only; an empty file gives n_bytes 0. The bytes are the file's: what another
 * process writes shows, and touching a page behind a cut is a SIGBUS. So a mapped file is replaced
 * by rename, as memo_replace does, and never changed in place. */
memo_status memo_map_open(memo_map *map, const char *path, memo_err *err);
memo_status memo_map_file(memo_map *map, const memo_file *file,
                          memo_err *err); /* one that is open */
void memo_map_close(memo_map *map);
/* Give back the pages that lie whole in [begin, end), offsets in the file, until they are touched again:
 * memory does not grow with a file that is walked through. Advice; any thread. */
void memo_map_release(const memo_map *map, uint64_t begin, uint64_t end);

/* memo_replace -- write a file so that a reader sees the old one or the new one, never a part.
 * The temporary lies in the target's folder as ".NAME.PID-N.tmp" (NAME cut to 200 bytes); commit
 * syncs it, renames it and syncs the folder; without a commit memo_replace_fini() removes it. A
 * commit that fails after the rename (the folder could not be synced) leaves the new file. Without
 * `overwrite` an existing target is MEMO_ERR_USAGE, at begin and again, without a race, at commit.
 * The new file takes the permissions of the one it replaces, and when root makes it the owner, too.
 * A symbolic link stays: what it leads to is replaced, and one that leads nowhere is MEMO_ERR_IO.
 * What a killed process has left of the same NAME is removed by a later begin (leftovers.c). */
typedef struct memo_replace {
    int fd;
    int overwrite;
    int disposable;   /* set after begin: losing it costs time alone, so commit does not sync */
    uint64_t n_bytes; /* end of what was appended */
    char *tmp_path;   /* NULL: not open */
    char *path;       /* with its links followed */
} memo_replace;

memo_status memo_replace_begin(memo_replace *out, const char *path, int overwrite, memo_err *err);
/* For a copy: where nothing is replaced, the new file takes what it would from `like`. */
memo_status memo_replace_begin_like(memo_replace *out, const char *path, const char *like,
                                    int overwrite, memo_err *err);
memo_status memo_replace_append(memo_replace *out, const void *bytes, size_t n_bytes,
                                memo_err *err);
memo_status memo_replace_write_at(memo_replace *out, uint64_t offset, const void *bytes,
                                  size_t n_bytes, memo_err *err);
memo_status memo_replace_commit(memo_replace *out, memo_err *err);
void memo_replace_fini(memo_replace *out);
/* Hold a temporary, or find out that nobody does: 0 when another does, or nobody can. (leftovers.c) */
int memo_replace_lock(int fd);
/* Remove what was left of temporaries of a target, path [n_folder + n_name] (its folder ends in '/' or
 * is empty), with the files beside them: those whose process is gone and which nobody holds or has
 * written to for an hour. `next` is the number of this process's next one. (leftovers.c) */
void memo_replace_sweep(const char *path, size_t n_folder, size_t n_name, unsigned next);

/* The same by the target's path alone; its links are not followed. */
void memo_replace_clear(const char *path);

char *memo_path_join(const char *folder, const char *name); /* memo_free(); NULL: out of memory */
/* 0: surely nothing is there. What cannot be looked at (no permission, name too long) counts as there:
 * opening it will say why it cannot be had. */
int memo_path_exists(const char *path);
/* Everything before the last name: "a/b" -> "a", "b" -> ".", "/b" -> "/". memo_free(). */
char *memo_path_folder(const char *path);
/* Make a folder and its parents (mode 0700 for those made), durably. */
memo_status memo_mkdirs(const char *path, memo_err *err);
/* Make what was created, renamed or removed in a folder durable. */
memo_status memo_sync_folder(const char *path, memo_err *err);
/* Non-zero when both names are one existing file (device and inode). */
int memo_same_file(const char *a, const char *b);

#endif
