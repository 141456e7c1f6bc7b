// SPDX-License-Identifier: Apache-2.0
/* store/store_inner.h -- what the files of this room share: the open store, and the query text that
 * says what a read may see. */
#ifndef MEMO_STORE_STORE_INNER_H
#define MEMO_STORE_STORE_INNER_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/ctx.h"
#include "store/lock.h"
#include "store/mark.h"
#include "store/sql.h"
#include "store/store.h"

#define MEMO_STORE_UUID_CHARS 32
/* No store gets there by counting; what is left is more than one transaction adds. */
#define MEMO_STORE_MAX_SEQ    (INT64_MAX / 2)
#define MEMO_STORE_LOG_FRAMES 1024 /* pages of log, 8 MiB, then a checkpoint */

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
    int poisoned;  /* a commit or a sync failed: no more writes */
    int repairing; /* its counters may not fit */
    int in_write, in_read;
    int unsettled; /* the full-text module's memory is not to be trusted: memo_store_check_use() */
    int wrote;     /* something was committed through this handle */
    int64_t seq;   /* change sequence, inside a write transaction */
    int rebuild_fulltext; /* rows were removed whose words are not known any more */
    int n_log_frames;     /* in the write-ahead log after the last commit */
    int max_log_frames;   /* MEMO_STORE_LOG_FRAMES; tests set fewer */
    int64_t ulid_ms;      /* time and random part of the last id made */
    unsigned char ulid_tail[10];
};

/* Open a file that nobody else has, for reading, past the lock and the log: a copy just written. */
memo_status memo_store_open_image(memo_ctx *ctx, const char *path, memo_store **store,
                                  memo_err *err);

/* MEMO_ERR_USAGE in a forked child or for NULL. After a change that SQLite undid by itself, the
 * full-text module is started afresh first; MEMO_ERR_NOMEM when that cannot be. */
memo_status memo_store_check_use(memo_store *store, memo_err *err);
/* And outside a write transaction. The first change of a handle settles the mark. */
memo_status memo_store_check_write(memo_store *store, memo_err *err);

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

/* Append the condition on records `r`, and bind its values: parameters 1, 2 and those of the
 * filter. The rest of the query uses ?3 ... */
void memo_scope_sql(memo_buf *sql, const memo_store_scope *scope);
void memo_scope_bind(memo_stmt *st, const memo_store_scope *scope);
/* Prepare a built text, once; a failed buffer is MEMO_ERR_NOMEM at the first step. */
memo_stmt memo_stmt_built(memo_sql *sql, const memo_buf *text, const char *doing);

#endif
