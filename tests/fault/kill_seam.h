// SPDX-License-Identifier: Apache-2.0
/* fault/kill_seam.h -- every call that the library makes of the operating system, numbered, and one
 * of them killed, cut short, failed or reported as done.
 *
 * Three layers are watched: the file layer under SQLite (store/disk/vfs.h), the table of base/file.h,
 * and, for failures, the table of system calls that SQLite's own unix layer goes through. */
#ifndef MEMO_TESTS_KILL_SEAM_H
#define MEMO_TESTS_KILL_SEAM_H

#include <stddef.h>
#include <stdint.h>

/* X(NAME, "name for people"); the first are in the order of memo_vfs_op. */
#define SEAM_CALLS(X)                                                                              \
    X(OPEN, "open")                                                                                \
    X(READ, "read")                                                                                \
    X(WRITE, "write")                                                                              \
    X(TRUNCATE, "truncate")                                                                        \
    X(SYNC, "sync")                                                                                \
    X(DELETE, "delete")                                                                            \
    X(LOCK, "lock")                                                                                \
    X(UNLOCK, "unlock") /* never counted */                                                        \
    X(SHM_MAP, "shm-map")                                                                          \
    X(SHM_LOCK, "shm-lock")                                                                        \
    X(SHM_UNMAP, "shm-unmap")                                                                      \
    X(SYS_OPEN, "sys-open")                                                                        \
    X(SYS_PREAD, "sys-pread")                                                                      \
    X(SYS_PWRITE, "sys-pwrite")                                                                    \
    X(SYS_FSYNC, "sys-fsync")                                                                      \
    X(SYS_FTRUNCATE, "sys-ftruncate")                                                              \
    X(SYS_RENAME, "sys-rename")                                                                    \
    X(SYS_UNLINK, "sys-unlink")                                                                    \
    X(SYS_MMAP, "sys-mmap")                                                                        \
    X(SYS_FLOCK, "sys-flock")                                                                      \
    X(SYS_MKDIR, "sys-mkdir")                                                                      \
    X(OS_OPEN, "os-open")                                                                          \
    X(OS_PREAD, "os-pread")                                                                        \
    X(OS_PWRITE, "os-pwrite")                                                                      \
    X(OS_FTRUNCATE, "os-ftruncate")                                                                \
    X(OS_FCNTL, "os-fcntl")                                                                        \
    X(OS_FSTAT, "os-fstat")                                                                        \
    X(OS_MMAP, "os-mmap")                                                                          \
    X(OS_UNLINK, "os-unlink")

typedef enum seam_call {
#define SEAM_ENUM(name, text) SEAM_##name,
    SEAM_CALLS(SEAM_ENUM)
#undef SEAM_ENUM
        SEAM_N_CALLS
} seam_call;

const char *seam_call_name(seam_call call);

#define SEAM_BIT(name) (UINT64_C(1) << SEAM_##name)
#define SEAM_ALL       ((UINT64_C(1) << SEAM_N_CALLS) - 1)
/* What changes files: between any two of these a process may die. */
#define SEAM_CHANGES                                                                               \
    (SEAM_BIT(OPEN) | SEAM_BIT(WRITE) | SEAM_BIT(TRUNCATE) | SEAM_BIT(SYNC) | SEAM_BIT(DELETE) |   \
     SEAM_BIT(SHM_MAP) | SEAM_BIT(SHM_UNMAP) | SEAM_BIT(SYS_OPEN) | SEAM_BIT(SYS_PWRITE) |         \
     SEAM_BIT(SYS_FSYNC) | SEAM_BIT(SYS_FTRUNCATE) | SEAM_BIT(SYS_RENAME) | SEAM_BIT(SYS_UNLINK) | \
     SEAM_BIT(SYS_MKDIR))

typedef enum seam_action {
    SEAM_PASS, /* only count */
    SEAM_KILL_BEFORE,
    SEAM_KILL_PART, /* after the first `part` bytes of a write */
    SEAM_KILL_AFTER,
    SEAM_FAIL,    /* with `error`, after `part` bytes */
    SEAM_SHORT,   /* do `part` bytes and say so; SQLite's layer: its rest comes as another call */
    SEAM_SWALLOW, /* do nothing, say that it is done */
    SEAM_RETRY,   /* EINTR, three times in a row */
} seam_action;

/* What was called, in order. */
typedef struct seam_trace {
    size_t n;
    struct seam_record {
        uint8_t call;
        uint32_t amount; /* of a read or write */
    } calls[1 << 15];
} seam_trace;

typedef struct seam_plan {
    uint64_t mask; /* the calls that are counted */
    size_t at;     /* of those, from 1; 0: none */
    seam_action action;
    size_t part;
    int error;            /* errno; for the file layer its SQLite code is found */
    int sticky;           /* all counted calls from there on */
    seam_trace *trace;    /* or NULL; counted calls only */
    int watch_lock;       /* count changes of the store while nobody holds its writer lock */
    size_t n_seen, n_hit; /* out */
    size_t n_unlocked;    /* out */
} seam_plan;

/* Process-wide; NULL takes it away. The plan must stay. Set it while no store is open. */
void seam_set(seam_plan *plan);

#endif
