// SPDX-License-Identifier: Apache-2.0
/* fault/power_log.h -- a record of everything that a program asks the operating system to do to the
 * files of one folder.
 *
 * The program is linked with functions of the C library's names (open, pwrite, fsync, rename ...)
 * that stand in front of the real ones, so calls of SQLite are seen like our own, and a sync of a
 * folder is seen as that. Files ending in "-shm" are left out: their content never has to survive.
 * Of those ending in "-lock" the two lines that name processes are (they read as zeros), the mark
 * after them is not. One folder without subfolders, one thread, no memory-mapped writes.
 *
 * While recording random bytes come from the seed, so that the same program records the same log. */
#ifndef MEMO_TESTS_POWER_LOG_H
#define MEMO_TESTS_POWER_LOG_H

#include <stddef.h>
#include <stdint.h>

#define POWER_NAME_BYTES 96

typedef struct power_file {
    char name[POWER_NAME_BYTES]; /* in the folder */
    unsigned char *bytes;
    size_t n_bytes;
} power_file;

/* The content of a folder, sorted by name. Owns everything. */
typedef struct power_files {
    power_file *at;
    size_t n;
} power_files;

void power_files_read(power_files *out, const char *folder);
/* The folder then holds these files, and of others only those that are left out of a record. */
void power_files_write(const power_files *files, const char *folder);
void power_files_copy(power_files *out, const power_files *from);
uint64_t power_files_hash(const power_files *files);
const power_file *power_files_find(const power_files *files, const char *name);
void power_files_add(power_files *files, const char *name, unsigned char *bytes, size_t n_bytes);
void power_files_fini(power_files *files);

typedef enum power_kind {
    POWER_CREATE,      /* name */
    POWER_WRITE,       /* file, offset, bytes */
    POWER_TRUNCATE,    /* file, offset: the new size */
    POWER_SYNC,        /* file */
    POWER_SYNC_FOLDER, /* all names */
    POWER_RENAME,      /* file from name to to */
    POWER_UNLINK,      /* name */
    POWER_BEGIN,       /* of change number `offset`, from 1 */
    POWER_DONE,        /* it is acknowledged */
} power_kind;

typedef struct power_event {
    power_kind kind;
    int file; /* number of the file, which it keeps under any name; -1: none */
    int64_t offset;
    unsigned char *bytes; /* [n_bytes] */
    size_t n_bytes;
    int is_mark; /* a write to the mark in a lock file, which is not meant to be synced */
    char name[POWER_NAME_BYTES], to[POWER_NAME_BYTES];
} power_event;

typedef struct power_log {
    power_files start; /* on the disk when recording began; their file numbers are their indexes */
    int n_files;       /* numbers given */
    power_event *events;
    size_t n, room;
} power_log;

/* Syncs that the record shall not contain, as if the drive had not done them: negative controls. */
typedef enum power_lie {
    POWER_HONEST = 0,
    POWER_NO_SYNC = 1,        /* of files */
    POWER_NO_FOLDER_SYNC = 2, /* of folders */
    POWER_NO_WAL_SYNC = 4,    /* of write-ahead logs */
} power_lie;

/* Record until power_log_end(); the folder's files now are log->start. *log is zeroed before. */
void power_log_begin(power_log *log, const char *folder, uint64_t seed, unsigned lies);
void power_log_mark(power_kind kind, int64_t number); /* POWER_BEGIN or POWER_DONE */
void power_log_end(void);
void power_log_fini(power_log *log);
/* Over all events but the names (a temporary file has the process number in it): is it the same
 * record again? */
uint64_t power_log_hash(const power_log *log);
/* One line about an event, for people. */
void power_event_print(const power_event *event, char out[160]);

/* calloc() and the like, ending the program when there is no memory. */
void *power_alloc(size_t n_bytes);
void *power_realloc(void *old, size_t n_bytes);
/* Print and end the program with status 2: the test itself cannot go on. */
void power_die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif
