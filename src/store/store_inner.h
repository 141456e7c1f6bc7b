// SPDX-License-Identifier: Apache-2.0
/* store/store_inner.h -- what the files of this room share: the open store, and the query text that
 * says what a read may see. */
#ifndef MEMO_STORE_STORE_INNER_H
#define MEMO_STORE_STORE_INNER_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/ctx.h"
#include "store/disk/lock.h"
#include "store/disk/mark.h"
#include "store/sql.h"
#include "store/store.h"

#define MEMO_STORE_UUID_CHARS 32
/* No store gets there by counting; what is left is more than one transaction adds. */
#define MEMO_STORE_MAX_SEQ    (INT64_MAX / 2)
#define MEMO_STORE_LOG_FRAMES 1024 /* pages of log, 8 MiB, then a checkpoint */

/* What a transaction adds to the vectors of a space, modulo 2^64 (rows/vectors.h). */
typedef struct memo_set_change {
    int64_t space;
    uint64_t n, sum;
} memo_set_change;
#define MEMO_STORE_SET_CHANGES 4 /* spaces of one transaction; of more, all are counted */

/* Row ids of a table, inside a write transaction (rows/numbers.h). */
typedef enum memo_numbered { MEMO_NUMBERED_RECORDS, MEMO_NUMBERED_CHUNKS } memo_numbered;
typedef struct memo_numbers {
    int64_t last;  /* given */
    int64_t ahead; /* what SQLite's own counter says */
} memo_numbers;

struct memo_store {
    memo_ctx *ctx;
    char *path;
    char uuid[MEMO_STORE_UUID_CHARS + 1];
    pid_t pid; /* that opened it: SQLite and its locks do not survive fork() */
    memo_lock lock;
    memo_mark mark; /* as it stood before the store was opened */
    int had_log;    /* so did a write-ahead log */
    int mark_ahead; /* of the file, and there was no log: memo_store_settle_mark() */
    int64_t busy_ms;
    memo_sql sql;
    memo_sql salvage; /* lenient and read-only, opened at the first bad page */
    int read_only;
    int immutable;
    int poisoned;           /* a commit or a sync failed: no more writes */
    memo_fulltext fulltext; /* if it is to be made */
    int repairing;          /* its counters may not fit */
    int in_write, in_read;
    int relaxed;   /* commits are not synced, see memo_store_begin_relaxed() */
    int unsettled; /* the full-text module's memory is not to be trusted: memo_store_check_use() */
    int wrote;     /* something was committed through this handle */
    int64_t seq;   /* change sequence, inside a write transaction */
    /* Known from here to the end of a write transaction; 0: ask. */
    int64_t dim_space;
    size_t dim;   /* of space dim_space */
    int numbered; /* the row ids given before are known */
    memo_numbers numbers[2];
    int rebuild_derived; /* rows were removed whose words or tags are not known any more */
    memo_set_change set_changes[MEMO_STORE_SET_CHANGES];
    size_t n_set_changes;
    int recount_vectors; /* rows of vectors were moved some other way */
    int n_log_frames;    /* in the write-ahead log after the last commit */
    int max_log_frames;  /* MEMO_STORE_LOG_FRAMES; tests set fewer */
    int64_t ulid_ms;     /* time and random part of the last id made */
    unsigned char ulid_tail[10];
};

/* Open a file that nobody else has, for reading, past the lock and the log: a copy just written. */
memo_status memo_store_open_image(memo_ctx *ctx, const char *path, memo_store **store,
                                  memo_err *err);

/* The largest change number that a row carries; the counter of `meta` equals it. */
#define MEMO_STORE_LAST_SEQ                                                                        \
    "max(coalesce((SELECT max(seq) FROM records), 0),"                                             \
    " coalesce((SELECT max(seq) FROM forgotten), 0),"                                              \
    " coalesce((SELECT max(seq) FROM entities), 0),"                                               \
    " coalesce((SELECT max(seq) FROM facts), 0),"                                                  \
    " coalesce((SELECT max(since_seq) FROM switches), 0))"

/* MEMO_ERR_USAGE in a forked child or for NULL. After a change that SQLite undid by itself, the
 * full-text module is started afresh first; MEMO_ERR_NOMEM when that cannot be. */
memo_status memo_store_check_use(memo_store *store, memo_err *err);
/* And outside a write transaction. The first change of a handle settles the mark. */
memo_status memo_store_check_write(memo_store *store, memo_err *err);

/* MEMO_ERR_BUSY when the file was replaced between finding it and locking it, or since it was
 * opened. (store.c) */
memo_status memo_store_check_name(memo_store *store, memo_err *err);

/* MEMO_ERR_CORRUPT when the log gives less than was acknowledged (mark.h). */
memo_status memo_store_check_mark(memo_store *store, memo_err *err);
/* Set back a mark that is ahead of a file without a log; the lock is held, nothing changed yet. */
memo_status memo_store_settle_mark(memo_store *store, memo_err *err);

/* Run a read; when it meets a bad page, run it once more on the lenient connection. `fn` starts
 * its results afresh each time. What the second run cannot prove ("not found") stays the first
 * one's error. A second run that succeeds adds the bad pages to `damage` (may be NULL). */
typedef memo_status (*memo_store_read_fn)(memo_store *store, memo_sql *sql, void *args,
                                          memo_err *err);
memo_status memo_store_read(memo_store *store, memo_store_read_fn fn, void *args,
                            memo_store_damage *damage, memo_err *err);

/* Records `r` that are hidden at the moment ?2: what is pinned does not expire. */
#define MEMO_SCOPE_EXPIRED "(r.expires_ms > 0 AND r.expires_ms <= ?2 AND r.pinned = 0)"

/* Append what stands before the SELECT of a query on `past r`, the records of a scope as they were at
 * its moment; nothing for the present. (history_rows.c) */
void memo_scope_with(memo_buf *sql, const memo_store_scope *scope);

/* Append the condition on records `r`, and bind its values: parameters 1, 2 and those of the
 * filter. The rest of the query uses ?3 ... */
void memo_scope_sql(memo_buf *sql, const memo_store_scope *scope);
void memo_scope_bind(memo_stmt *st, const memo_store_scope *scope);
/* Append a SELECT of the row ids of those records, by the shortest way; the same parameters.
 *   by_row  past a damaged page: by the rows as they lie, no index proves that one is missing */
void memo_scope_rids_sql(memo_buf *sql, const memo_store_scope *scope, int by_row);
/* Prepare a built text, once; a failed buffer is MEMO_ERR_NOMEM at the first step. */
memo_stmt memo_stmt_built(memo_sql *sql, const memo_buf *text, const char *doing);

/* An id that was made in another store: may a new row of `table` ("records") have it? *free 0: it is
 * taken, or none. (put.c) */
memo_status memo_store_id_is_free(memo_store *store, const char *table, const char *id,
                                  int *is_free, memo_err *err);

#endif
