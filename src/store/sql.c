// SPDX-License-Identifier: Apache-2.0
#include "store/sql.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/error.h"
#include "store/disk/vfs.h"
#include "store/is_json.h"

#define SQL_WORD(x)  #x
#define SQL_WORDS(x) SQL_WORD(x)

/* Settings of the connection, not of the file.
 *   trusted_schema  functions and virtual tables named in the schema must be harmless ones
 *   cell_size_check a damaged page is noticed before it is walked
 *   cache_spill     pages reach the log at commit only, each once (see vfs.c)
 *   temp_store      sorting never writes parts of texts to temporary files
 *   secure_delete   what is deleted is overwritten with zeros */
static const char sql_settings[] = "PRAGMA trusted_schema = OFF;"
                                   "PRAGMA cell_size_check = ON;"
                                   "PRAGMA foreign_keys = ON;"
                                   "PRAGMA synchronous = FULL;"
                                   "PRAGMA mmap_size = 0;"
                                   "PRAGMA wal_autocheckpoint = 0;"
                                   "PRAGMA cache_spill = OFF;"
                                   "PRAGMA temp_store = MEMORY;"
                                   "PRAGMA secure_delete = ON;"
                                   "PRAGMA cache_size = -" SQL_WORDS(MEMO_SQL_CACHE_KIB) ";";

static void sql_harden(sqlite3 *db, memo_sql_mode mode)
{
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    if (mode >= MEMO_SQL_READ)
        (void)sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    (void)sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
}

memo_status memo_sql_setup(memo_sql *sql, memo_err *err)
{
    int rc = sqlite3_exec(sql->db, sql_settings, NULL, NULL, NULL);
    if (rc == SQLITE_ERROR) /* not of these statements: of a header that SQLite makes no sense of */
        rc = SQLITE_CORRUPT;
    if (rc != SQLITE_OK)
        return memo_sql_fail(sql, rc, "open it", err);
    if (sql->rollback)
        return MEMO_OK;
    rc = sqlite3_prepare_v3(sql->db, "ROLLBACK", -1, SQLITE_PREPARE_PERSISTENT, &sql->rollback,
                            NULL);
    return rc == SQLITE_OK ? MEMO_OK : memo_sql_fail(sql, rc, "open it", err);
}

memo_status memo_sql_renew(memo_sql *sql, memo_err *err)
{
    sqlite3_stmt *fresh = NULL;
    int rc = sqlite3_prepare_v3(sql->db, "ROLLBACK", -1, SQLITE_PREPARE_PERSISTENT, &fresh, NULL);
    if (rc != SQLITE_OK)
        return memo_sql_fail(sql, rc, "go on with it", err);
    (void)sqlite3_finalize(sql->rollback);
    sql->rollback = fresh;
    return MEMO_OK;
}

void memo_sql_rollback(memo_sql *sql)
{
    (void)sqlite3_step(sql->rollback);
    (void)sqlite3_reset(sql->rollback);
}

/* "file:" and the path with everything but plain characters as %XX. */
static char *sql_immutable_uri(const char *path)
{
    memo_buf uri = {0};
    memo_buf_puts(&uri, "file:");
    for (const unsigned char *p = (const unsigned char *)path; *p; p++) {
        if ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
            strchr("/-_.", *p))
            memo_buf_putc(&uri, (char)*p);
        else
            memo_buf_printf(&uri, "%%%02X", *p);
    }
    memo_buf_puts(&uri, "?immutable=1");
    return memo_buf_take(&uri);
}

memo_status memo_sql_open(memo_sql *sql, const char *path, memo_sql_mode mode, int lenient,
                          int busy_ms, memo_err *err)
{
    static const int modes[] = {
        [MEMO_SQL_CREATE] = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
        [MEMO_SQL_WRITE] = SQLITE_OPEN_READWRITE,
        [MEMO_SQL_READ] = SQLITE_OPEN_READONLY,
        [MEMO_SQL_IMMUTABLE] = SQLITE_OPEN_READONLY | SQLITE_OPEN_URI,
    };
    int flags = modes[mode] | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
    char *uri = NULL;
    memo_status status = memo_vfs_register(err);
    int rc;
    memset(sql, 0, sizeof *sql);
    sql->path = path;
    if (status)
        return status;
    if (mode == MEMO_SQL_IMMUTABLE && !(uri = sql_immutable_uri(path)))
        return memo_fail_nomem(err, "the path of the store", strlen(path));
    sql->numbers = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
    rc = sql->numbers ? sqlite3_open_v2(uri ? uri : path, &sql->db, flags, MEMO_VFS_NAME)
                      : SQLITE_NOMEM;
    memo_free(uri);
    if (rc == SQLITE_OK)
        rc = memo_is_json_add(sql->db);
    if (rc != SQLITE_OK) {
        status = memo_sql_fail(sql, rc, "open it", err);
        memo_sql_close(sql, 1);
        return status;
    }
    (void)sqlite3_extended_result_codes(sql->db, 1);
    (void)sqlite3_busy_timeout(sql->db, busy_ms);
    sql_harden(sql->db, mode);
    if (lenient)
        memo_vfs_set_lenient(sql->db);
    return MEMO_OK;
}

void memo_sql_close(memo_sql *sql, int keep_log)
{
    if (sql->numbers)
        freelocale(sql->numbers);
    sql->numbers = (locale_t)0;
    if (!sql->db)
        return;
    for (size_t i = 0; i < sql->n_kept; i++)
        (void)sqlite3_finalize(sql->kept[i].stmt);
    sql->n_kept = 0;
    (void)sqlite3_finalize(sql->rollback);
    sql->rollback = NULL;
    if (keep_log)
        (void)sqlite3_db_config(sql->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    (void)sqlite3_close_v2(sql->db);
    sql->db = NULL;
}

/* ---- errors -------------------------------------------------------------------------------- */

static void sql_list_pages(const memo_vfs_faults *faults, char *out, size_t n_bytes)
{
    size_t at = 0;
    for (size_t i = 0; i < faults->n_pages && i < 8 && at < n_bytes; i++)
        at +=
            (size_t)snprintf(out + at, n_bytes - at, "%s%" PRIu32, i ? ", " : "", faults->pages[i]);
    if (faults->n_pages > 8 && at < n_bytes)
        snprintf(out + at, n_bytes - at, " ...");
}

static memo_status sql_fail_damage(memo_sql *sql, const memo_vfs_faults *faults, const char *doing,
                                   memo_err *err)
{
    char pages[128] = "";
    if (faults->n_pages) {
        sql_list_pages(faults, pages, sizeof pages);
        memo_fail(err, MEMO_ERR_CORRUPT, "%s: cannot %s: checksum of page %s does not match",
                  sql->path, doing, pages);
    } else {
        memo_fail(err, MEMO_ERR_CORRUPT, "%s: cannot %s: %s", sql->path, doing,
                  sql->db ? sqlite3_errmsg(sql->db) : "damaged");
    }
    return memo_hint(err, MEMO_ERR_CORRUPT, "%s", MEMO_SQL_FIX);
}

static memo_status sql_fail_write(memo_sql *sql, int e, const char *doing, memo_err *err)
{
    if (e != ENOSPC)
        return memo_fail_errno(err, e, sql->path, doing);
    memo_fail(err, MEMO_ERR_IO, "%s: cannot %s: the disk is full", sql->path, doing);
    return memo_hint(err, MEMO_ERR_IO, "free some space and try again; nothing was changed");
}

memo_status memo_sql_fail(memo_sql *sql, int rc, const char *doing, memo_err *err)
{
    memo_vfs_faults faults = {0};
    const char *why = sql->db ? sqlite3_errmsg(sql->db) : sqlite3_errstr(rc);
    if (sql->db)
        memo_vfs_take_faults(sql->db, &faults);
    sql->n_bad_pages += faults.n_pages;
    sql->sync_failed |= faults.sync_failed;
    switch (rc & 0xff) {
    case SQLITE_NOMEM:
        return memo_fail_nomem(err, doing, 0);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return memo_fail(err, MEMO_ERR_BUSY,
                         "%s: cannot %s: another program holds a lock of SQLite on it", sql->path,
                         doing);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return sql_fail_damage(sql, &faults, doing, err);
    case SQLITE_READONLY:
        return memo_fail(err, MEMO_ERR_IO, "%s: cannot %s: it can only be read (%s)", sql->path,
                         doing, why);
    case SQLITE_FULL:
        return sql_fail_write(sql, ENOSPC, doing, err);
    case SQLITE_TOOBIG:
        return memo_fail(err, MEMO_ERR_LIMIT, "%s: cannot %s: a value is too large", sql->path,
                         doing);
    case SQLITE_CANTOPEN:
        if (sql->db && sqlite3_system_errno(sql->db))
            return memo_fail_errno(err, sqlite3_system_errno(sql->db), sql->path, doing);
        break;
    case SQLITE_INTERRUPT:
        return memo_fail(err, MEMO_ERR_CANCELLED, "%s: cannot %s: interrupted", sql->path, doing);
    case SQLITE_IOERR:
        if (rc == SQLITE_IOERR_DATA)
            return sql_fail_damage(sql, &faults, doing, err);
        if (rc == SQLITE_IOERR_NOMEM)
            return memo_fail_nomem(err, doing, 0);
        if ((rc == SQLITE_IOERR_WRITE || rc == SQLITE_IOERR_SHMSIZE) && faults.write_errno)
            return sql_fail_write(sql, faults.write_errno, doing, err);
        break;
    default:
        break;
    }
    return memo_fail(err, MEMO_ERR_IO, "%s: cannot %s: %s (SQLite code %d)", sql->path, doing, why,
                     rc);
}

memo_status memo_sql_exec(memo_sql *sql, const char *text, const char *doing, memo_err *err)
{
    int rc = sqlite3_exec(sql->db, text, NULL, NULL, NULL);
    return rc == SQLITE_OK ? MEMO_OK : memo_sql_fail(sql, rc, doing, err);
}

memo_status memo_sql_int(memo_sql *sql, const char *text, int64_t *out, memo_err *err)
{
    memo_stmt st = memo_stmt_once(sql, text, "read it");
    int row = 0;
    memo_status status = memo_stmt_step(&st, &row, err);
    if (!status && row)
        *out = memo_stmt_col_int(&st, 0);
    memo_stmt_done(&st);
    return status;
}

/* ---- statements ---------------------------------------------------------------------------- */

memo_stmt memo_stmt_keep(memo_sql *sql, const char *constant, const char *doing)
{
    memo_stmt st = {.sql = sql, .doing = doing, .next = 1, .kept = 1};
    for (size_t i = 0; i < sql->n_kept; i++) {
        if (sql->kept[i].sql == constant) {
            if (sqlite3_stmt_busy(sql->kept[i].stmt))
                return memo_stmt_once(sql, constant, doing);
            st.s = sql->kept[i].stmt;
            return st;
        }
    }
    if (sql->n_kept == MEMO_SQL_MAX_KEPT)
        return memo_stmt_once(sql, constant, doing);
    st.rc = sqlite3_prepare_v3(sql->db, constant, -1, SQLITE_PREPARE_PERSISTENT, &st.s, NULL);
    if (st.rc == SQLITE_OK) {
        sql->kept[sql->n_kept].sql = constant;
        sql->kept[sql->n_kept].stmt = st.s;
        sql->n_kept++;
    }
    return st;
}

memo_stmt memo_stmt_once(memo_sql *sql, const char *text, const char *doing)
{
    memo_stmt st = {.sql = sql, .doing = doing, .next = 1};
    st.rc = sqlite3_prepare_v2(sql->db, text, -1, &st.s, NULL);
    return st;
}

void memo_stmt_int(memo_stmt *st, int64_t v)
{
    if (st->rc == SQLITE_OK)
        st->rc = sqlite3_bind_int64(st->s, st->next++, v);
}

void memo_stmt_double(memo_stmt *st, double v)
{
    if (st->rc == SQLITE_OK)
        st->rc = sqlite3_bind_double(st->s, st->next++, v);
}

void memo_stmt_text(memo_stmt *st, const char *s, size_t n)
{
    if (st->rc == SQLITE_OK)
        st->rc = s ? sqlite3_bind_text64(st->s, st->next++, s, n, SQLITE_STATIC, SQLITE_UTF8)
                   : sqlite3_bind_null(st->s, st->next++);
}

void memo_stmt_str(memo_stmt *st, const char *s)
{
    memo_stmt_text(st, s, s ? strlen(s) : 0);
}

void memo_stmt_blob(memo_stmt *st, const void *p, size_t n)
{
    if (st->rc == SQLITE_OK)
        st->rc = sqlite3_bind_blob64(st->s, st->next++, p, n, SQLITE_STATIC);
}

memo_status memo_stmt_step(memo_stmt *st, int *row, memo_err *err)
{
    *row = 0;
    if (st->rc == SQLITE_OK) {
        /* A SQLite that was not built from its amalgamation reads the numbers of JSON by strtod():
         * where the host has set a locale with a decimal comma, 0.5 would be 0 in every filter. */
        locale_t host = uselocale(st->sql->numbers);
        st->rc = sqlite3_step(st->s);
        (void)uselocale(host);
    }
    if (st->rc == SQLITE_ROW || st->rc == SQLITE_DONE) {
        *row = st->rc == SQLITE_ROW;
        st->rc = SQLITE_OK;
        return MEMO_OK;
    }
    return memo_sql_fail(st->sql, st->rc, st->doing, err);
}

memo_status memo_stmt_run(memo_stmt *st, memo_err *err)
{
    int row;
    memo_status status;
    do
        status = memo_stmt_step(st, &row, err);
    while (!status && row);
    memo_stmt_done(st);
    return status;
}

void memo_stmt_again(memo_stmt *st)
{
    if (st->s)
        (void)sqlite3_reset(st->s);
    st->next = 1;
}

void memo_stmt_done(memo_stmt *st)
{
    if (!st->s)
        return;
    if (st->kept) {
        (void)sqlite3_reset(st->s);
        (void)sqlite3_clear_bindings(st->s);
    } else {
        (void)sqlite3_finalize(st->s);
    }
    st->s = NULL;
}

int64_t memo_stmt_col_int(const memo_stmt *st, int column)
{
    return sqlite3_column_int64(st->s, column);
}

memo_text memo_stmt_col_text(const memo_stmt *st, int column)
{
    memo_text t = {(const char *)sqlite3_column_text(st->s, column), 0};
    if (t.bytes)
        t.n_bytes = (size_t)sqlite3_column_bytes(st->s, column);
    return t;
}
