// SPDX-License-Identifier: Apache-2.0
/* store/disk/lock.h -- where a store lies, and the lock that lets one writer at a time work on it.
 *
 * SQLite 3.7.0 to 3.51.2 can lose a commit when two connections write and checkpoint at once. So
 * every write transaction and every checkpoint, in every process, runs under one flock() on
 * `<resolved path>-lock`: a writer's open, its transactions and its close. The file is never
 * removed (a second one would be a second lock) and holds the holder's pid while it is held. The
 * kernel drops the lock of a process that dies.
 *
 * flock() is not fair: who drops it and takes it again wins against all who wait. So one that waits
 * says so in the file, a line after the pid; one that drops the lock and finds that line leaves it
 * to the others for a moment before it takes it again. After the two lines comes mark.h's. */
#ifndef MEMO_STORE_LOCK_H
#define MEMO_STORE_LOCK_H

#include <stdint.h>

#include <memolith/status.h>

typedef struct memo_lock {
    char *path; /* of the lock file */
    int fd;     /* -1: not opened yet */
    int held;
    double others_until_ms; /* on memo_monotonic_ms(); somebody waited at the last drop */
} memo_lock;

memo_status memo_lock_init(memo_lock *lock, const char *store_path, memo_err *err);
void memo_lock_fini(memo_lock *lock); /* a zeroed memo_lock is fine */

/* Wait at most timeout_ms (negative: not at all), else MEMO_ERR_BUSY with the holder's pid. Taking
 * it twice is fine. */
memo_status memo_lock_take(memo_lock *lock, int64_t timeout_ms, memo_err *err);
void memo_lock_drop(memo_lock *lock);

/* Absolute path with links resolved; *exists says whether a file is there. What is there must be a
 * regular file (MEMO_ERR_IO). The caller frees *out with memo_free(). */
memo_status memo_lock_resolve(const char *path, char **out, int *exists, memo_err *err);

/* Name of the network file system the folder or file lies on ("nfs"), or NULL for a local one or
 * one that is not known. `buf` has 32 bytes. */
const char *memo_lock_network_fs(const char *path, char buf[32]);
#ifdef __linux__
extern const char *memo_lock_mounts; /* the list of mounts that it reads; tests give another */
#endif

/* Whether a mount type as in /proc/self/mountinfo is a network file system. */
int memo_lock_is_network_type(const char *type);

#endif
