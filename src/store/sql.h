// SPDX-License-Identifier: Apache-2.0
/* store/sql.h -- a hardened SQLite connection: settings, kept statements, errors in our words. */
#ifndef MEMO_STORE_SQL_H
#define MEMO_STORE_SQL_H

#include <locale.h>
#include <sqlite3.h>
#include <stdint.h>
#ifdef __APPLE__
#include <xlocale.h>
#endif

#include <memolith/model.h>
#include <memolith/status.h>

/* What to do about damage, for hints. */
#define MEMO_SQL_FIX "memolith doctor --repair   (keeps a copy of the file), or restore a backup"

#define MEMO_SQL_CACHE_KIB 16384 /* pages that a connection keeps */
#define MEMO_SQL_MAX_KEPT  192   /* more distinct fixed statements than the room has */

/* One connection. Statements given as string constants are prepared once and kept. */
typedef struct memo_sql {
    sqlite3 *db;
    const char *path;       /* for messages, borrowed */
    uint64_t n_bad_pages;   /* failed page checks seen so far */
    int sync_failed;        /* a sync has failed on this connection */
    sqlite3_stmt *rollback; /* made by memo_sql_setup(), for when there is no memory */
    int has_cover;          /* memo_cover() is there (rows/cover.h) */
    locale_t numbers;       /* in which statements run, see memo_stmt_step() */
    size_t n_kept;
    struct {
        const char *sql; /* identity is the pointer */
        sqlite3_stmt *stmt;
    } kept[MEMO_SQL_MAX_KEPT];
} memo_sql;

typedef enum memo_sql_mode {
    MEMO_SQL_CREATE,    /* read and write, the file may be missing */
    MEMO_SQL_WRITE,     /* read and write */
    MEMO_SQL_READ,      /* read only, never checkpoints */
    MEMO_SQL_IMMUTABLE, /* read only, no locks, no log: read-only media */
} memo_sql_mode;

/* Open without reading anything; `path` is absolute and outlives the connection. `lenient` lets bad
 * pages pass, on a read-only connection. */
memo_status memo_sql_open(memo_sql *sql, const char *path, memo_sql_mode mode, int lenient,
                          int busy_ms, memo_err *err);
/* Make every setting of the connection; reads the schema. */
memo_status memo_sql_setup(memo_sql *sql, memo_err *err);
/* Close. keep_log: leave the write-ahead log to the next writer. */
void memo_sql_close(memo_sql *sql, int keep_log);

/* Turn a SQLite result code into a status; `doing` as in "cannot <doing>: ...". A failed page check
 * names its page. */
memo_status memo_sql_fail(memo_sql *sql, int rc, const char *doing, memo_err *err);

/* Run statements that give no rows, or whose rows do not matter. */
memo_status memo_sql_exec(memo_sql *sql, const char *text, const char *doing, memo_err *err);
/* After a statement that has changed the schema, VACUUM too: statements are parsed anew when they are used
 * next, and the one that undoes a transaction must not have to be. */
memo_status memo_sql_renew(memo_sql *sql, memo_err *err);
/* Undo the open transaction; allocates nothing, so it works where memory has run out. */
void memo_sql_rollback(memo_sql *sql);
/* The first column of the first row of a query; *out is untouched when there is no row. */
memo_status memo_sql_int(memo_sql *sql, const char *text, int64_t *out, memo_err *err);

/* ---- statements ---------------------------------------------------------------------------- */

/* A statement in use: prepare, bind in order, step, done. After a failed prepare or bind the later
 * calls do nothing and memo_stmt_step() reports it. */
typedef struct memo_stmt {
    memo_sql *sql;
    sqlite3_stmt *s;
    const char *doing;
    int next; /* parameter to bind, from 1 */
    int rc;
    int kept;
} memo_stmt;

/* A constant that is running already, further up, is prepared once more for this use: equal constants
 * may be one in the program. */
memo_stmt memo_stmt_keep(memo_sql *sql, const char *constant, const char *doing);
memo_stmt memo_stmt_once(memo_sql *sql, const char *text, const char *doing);

void memo_stmt_int(memo_stmt *st, int64_t v);
void memo_stmt_double(memo_stmt *st, double v);
void memo_stmt_text(memo_stmt *st, const char *s, size_t n); /* borrowed until done; NULL: null */
void memo_stmt_str(memo_stmt *st, const char *s);
void memo_stmt_blob(memo_stmt *st, const void *p, size_t n);

/* *row 1: a row is there; 0: the end. */
memo_status memo_stmt_step(memo_stmt *st, int *row, memo_err *err);
/* Step to the end, then done. */
memo_status memo_stmt_run(memo_stmt *st, memo_err *err);
/* Free for the next use: always call it, also after errors. */
void memo_stmt_done(memo_stmt *st);
/* Back to the first parameter, for another run. */
void memo_stmt_again(memo_stmt *st);

int64_t memo_stmt_col_int(const memo_stmt *st, int column);
/* Borrowed until the next step; {NULL, 0} for null. NUL-terminated. */
memo_text memo_stmt_col_text(const memo_stmt *st, int column);

#endif
