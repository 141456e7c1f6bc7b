// SPDX-License-Identifier: Apache-2.0
/* The check of a whole store. Each area collects what it finds and reports at its end, because a
 * read that meets a bad page is run twice (see store_inner.h). */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/error.h"
#include "store/disk/pages.h"
#include "store/disk/vfs.h"
#include "store/repair/walfile.h"
#include "store/rows/cells.h"
#include "store/rows/numbers.h"
#include "store/rows/parts.h"
#include "store/rows/rows.h"
#include "store/rows/sketches.h"
#include "store/rows/vectors.h"
#include "store/schema.h"
#include "store/store_inner.h"

enum { AUDIT_MAX_LINES = 20, AUDIT_NAMED_PAGES = 40 }; /* of one area; the rest is counted */

typedef struct audit_run {
    memo_store *store;
    memo_store_finding_fn fn;
    void *user;
    memo_arena arena;
    memo_store_damage damage; /* of the area that runs */
    uint64_t n;               /* rows looked at */
} audit_run;

static const char audit_restore[] =
    "the other rows are served; memolith doctor --repair   moves these to quarantine";

static void audit_say(audit_run *a, memo_finding_level level, const char *area, const char *hint,
                      const char *fmt, ...) MEMO_PRINTF(5, 6);

static void audit_say(audit_run *a, memo_finding_level level, const char *area, const char *hint,
                      const char *fmt, ...)
{
    char message[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    a->fn(a->user, level, area, message, hint);
}

/* A call that failed for a reason of the data becomes a finding; others end the check. */
static memo_status audit_absorb(audit_run *a, memo_status status, const char *area, memo_err *inner,
                                memo_err *err)
{
    if (status == MEMO_ERR_CORRUPT) {
        a->fn(a->user, MEMO_FINDING_BAD, area, inner->message, inner->hint);
        return MEMO_OK;
    }
    if (status && err)
        *err = *inner;
    return status;
}

static void audit_begin(audit_run *a)
{
    a->damage.n = a->damage.n_ids = 0;
    a->n = 0;
}

static void audit_report_rows(audit_run *a, const char *area, const char *what)
{
    for (size_t i = 0; i < a->damage.n_ids && i < AUDIT_MAX_LINES; i++)
        audit_say(a, MEMO_FINDING_BAD, area, audit_restore, "%s: checksum does not match",
                  a->damage.ids[i]);
    if (a->damage.n > AUDIT_MAX_LINES)
        audit_say(a, MEMO_FINDING_BAD, area, audit_restore, "and %zu more",
                  a->damage.n - AUDIT_MAX_LINES);
    if (!a->damage.n)
        audit_say(a, MEMO_FINDING_OK, area, "", "%" PRIu64 " %s, all checksums match", a->n, what);
}

/* ---- pages --------------------------------------------------------------------------------- */

static memo_status audit_note_logged(void *user, uint32_t number, const unsigned char *page,
                                     memo_err *err)
{
    (void)page, (void)err;
    memo_pages_add(user, number);
    return MEMO_OK;
}

/* A checkpoint that was cut short leaves pages torn that the log holds whole: nobody reads them
 * before the next checkpoint has written them anew. The file is looked at again after the log, which
 * may have been folded into it meanwhile. */
static memo_status audit_excuse_logged(audit_run *a, memo_pages *bad, memo_err *err)
{
    memo_pages logged = {.n_pages = bad->n_pages};
    memo_buf log = {0};
    memo_wal_info info;
    memo_status status = MEMO_OK;
    logged.bits = memo_calloc(logged.n_pages / 8 + 1, 1);
    memo_buf_printf(&log, "%s-wal", a->store->sql.path);
    if (!logged.bits || log.failed)
        status = memo_fail_nomem(err, "a list of pages", logged.n_pages / 8 + 1);
    if (!status && /* a log that cannot be read excuses nothing */
        memo_wal_read(log.data, &info, audit_note_logged, &logged, NULL) == MEMO_ERR_NOMEM)
        status = memo_fail_nomem(err, "a page of the log", MEMO_PAGE_BYTES);
    if (!status && logged.n) {
        memo_pages_fini(bad);
        status = memo_pages_check(&a->store->sql, bad, err);
        for (uint32_t i = 1; !status && i <= bad->n_pages; i++)
            if (memo_pages_has(&logged, i))
                memo_pages_remove(bad, i);
    }
    memo_buf_fini(&log);
    memo_pages_fini(&logged);
    return status;
}

/* Every page as it lies on the disk; *bad: those that do not fit their checksums and are read. */
static memo_status audit_sums(audit_run *a, memo_pages *bad, memo_err *err)
{
    memo_buf text = {0};
    memo_status status = memo_pages_check(&a->store->sql, bad, err);
    if (!status && bad->n && !a->store->immutable)
        status = audit_excuse_logged(a, bad, err);
    if (status || bad->n == 0)
        return status;
    memo_pages_put(&text, bad, AUDIT_NAMED_PAGES);
    if (text.failed)
        status = memo_fail_nomem(err, "a list of pages", text.n);
    else
        audit_say(a, MEMO_FINDING_BAD, "pages", MEMO_SQL_FIX,
                  "%.400s of %" PRIu32 ": checksum does not match", text.data, bad->n_pages);
    memo_buf_fini(&text);
    return status;
}

/* SQLite's check puts a page that it had no memory for among the lines of damage: "Page 39: unable to get
 * the page. error code=7". */
static int audit_lacks_memory(const char *line)
{
    static const char mark[] = "error code=";
    while ((line = strstr(line, mark))) {
        long code = strtol(line += sizeof mark - 1, NULL, 10);
        if (code == SQLITE_NOMEM || code == SQLITE_IOERR_NOMEM)
            return 1;
    }
    return 0;
}

/* One run of SQLite's check, told or only counted; pages of `told` are known. */
static memo_status audit_structure(audit_run *a, const memo_pages *told, int tell, size_t *n_lines,
                                   memo_err *err)
{
    memo_store *store = a->store;
    memo_vfs_faults faults;
    int row;
    memo_status status;
    memo_stmt st;
    *n_lines = 0;
    (void)sqlite3_db_release_memory(store->sql.db); /* look at the disk, not at the cache */
    st = memo_stmt_once(&store->sql, "PRAGMA integrity_check(100)", "check its structure");
    while (!(status = memo_stmt_step(&st, &row, err)) && row) {
        memo_text line = memo_stmt_col_text(&st, 0);
        if (line.bytes && audit_lacks_memory(line.bytes)) {
            status = memo_fail_nomem(err, "a page", MEMO_PAGE_BYTES);
            break;
        }
        if (line.bytes && strcmp(line.bytes, "ok") != 0 && (*n_lines)++ < AUDIT_MAX_LINES && tell)
            audit_say(a, MEMO_FINDING_BAD, "pages", MEMO_SQL_FIX, "%.400s", line.bytes);
    }
    memo_stmt_done(&st);
    memo_vfs_take_faults(store->sql.db, &faults);
    for (size_t i = 0; i < faults.n_pages && i < MEMO_VFS_N_PAGES; i++, (*n_lines)++)
        if (tell && !memo_pages_has(told, faults.pages[i]))
            audit_say(a, MEMO_FINDING_BAD, "pages", MEMO_SQL_FIX,
                      "page %" PRIu32 ": checksum does not match in the log", faults.pages[i]);
    return status;
}

/* SQLite's check speaks of a page that it had no memory for as of a damaged one: what is told is
 * what a second run finds as well. */
static memo_status audit_pages(audit_run *a, memo_err *err)
{
    memo_err inner = {0};
    memo_pages bad = {0};
    size_t n_lines = 0;
    memo_status status = audit_sums(a, &bad, &inner);
    if (!status)
        status = audit_structure(a, &bad, 0, &n_lines, &inner);
    if (status == MEMO_ERR_CORRUPT || n_lines)
        status = audit_structure(a, &bad, 1, &n_lines, &inner);
    if (!status && !n_lines && !bad.n)
        audit_say(a, MEMO_FINDING_OK, "pages", "",
                  "%" PRId64 " pages of %d bytes: structure and checksums are right",
                  memo_vfs_file_bytes(a->store->sql.db) / MEMO_PAGE_BYTES, MEMO_PAGE_BYTES);
    memo_pages_fini(&bad);
    return status ? audit_absorb(a, status, "pages", &inner, err) : MEMO_OK;
}

memo_status memo_store_check_pages(const char *path, memo_store_finding_fn fn, void *user,
                                   memo_err *err)
{
    memo_store store = {.ctx = NULL};
    audit_run a = {.store = &store, .fn = fn, .user = user};
    memo_pages bad = {0};
    memo_status status = memo_sql_open(&store.sql, path, MEMO_SQL_READ, 0, 0, err);
    int64_t n_bytes = status ? 0 : memo_vfs_file_bytes(store.sql.db);
    if (n_bytes % MEMO_PAGE_BYTES)
        audit_say(&a, MEMO_FINDING_BAD, "pages", MEMO_SQL_FIX,
                  "%" PRId64 " bytes are not whole pages of %d", n_bytes, MEMO_PAGE_BYTES);
    if (!status)
        status = audit_sums(&a, &bad, err);
    if (!status && !bad.n)
        audit_say(&a, MEMO_FINDING_OK, "pages", "", "%" PRIu32 " pages: all checksums match",
                  bad.n_pages);
    memo_pages_fini(&bad);
    memo_sql_close(&store.sql, 1);
    return status;
}

static memo_status audit_schema(audit_run *a, memo_err *err)
{
    memo_err inner = {0};
    memo_status status =
        memo_schema_check(&a->store->sql, memo_schema_steps, MEMO_STORE_SCHEMA_VERSION, &inner);
    if (status)
        return audit_absorb(a, status, "schema", &inner, err);
    audit_say(a, MEMO_FINDING_OK, "schema", "", "version %d, nothing foreign in it",
              MEMO_STORE_SCHEMA_VERSION);
    return MEMO_OK;
}

/* ---- rows ---------------------------------------------------------------------------------- */

static memo_status audit_record_rows(audit_run *a, memo_sql *sql, const char *text, memo_err *err)
{
    int more;
    memo_status status;
    memo_stmt st = memo_stmt_once(sql, text, "read its records");
    while (!(status = memo_stmt_step(&st, &more, err)) && more) {
        memo_row row;
        char name[40];
        memo_row_read(&st, &row);
        a->n++;
        snprintf(name, sizeof name, "record row %" PRId64, row.rid);
        if (!memo_row_good(&row))
            memo_damage_add(&a->damage, row.id.bytes ? row.id.bytes : name);
    }
    memo_stmt_done(&st);
    return status;
}

/* Bytes of a record's text, 0 when there is no such record. */
static memo_status audit_text_bytes(memo_sql *sql, int64_t rid, size_t *n_bytes, memo_err *err)
{
    int more;
    memo_status status;
    memo_stmt st = memo_stmt_keep(
        sql, "SELECT length(CAST(text AS BLOB)) FROM records WHERE rid = ?", "read a text");
    memo_stmt_int(&st, rid);
    status = memo_stmt_step(&st, &more, err);
    *n_bytes = !status && more ? memo_size_from_column(memo_stmt_col_int(&st, 0)) : 0;
    memo_stmt_done(&st);
    return status;
}

/* Telling the length of a text reads all of it: once for the chunks of a record, which follow one
 * another. */
static memo_status audit_chunk_rows(audit_run *a, memo_sql *sql, memo_err *err)
{
    int more;
    memo_status status;
    memo_row record = {.rid = 0};
    memo_stmt st =
        memo_stmt_once(sql, "SELECT " MEMO_CHUNK_COLUMNS " FROM chunks", "read its chunks");
    while (!(status = memo_stmt_step(&st, &more, err)) && more) {
        memo_chunk_row chunk;
        char name[40];
        memo_chunk_read(&st, &chunk);
        if (chunk.rid != record.rid)
            status = audit_text_bytes(sql, chunk.rid, &record.text.n_bytes, err);
        if (status)
            break;
        record.rid = chunk.rid;
        snprintf(name, sizeof name, "chunk %" PRId64, chunk.cid);
        if (!memo_chunk_good(&chunk, &record))
            memo_damage_add(&a->damage, name);
    }
    memo_stmt_done(&st);
    return status;
}

static memo_status audit_read_records(memo_store *store, memo_sql *sql, void *user, memo_err *err)
{
    audit_run *a = user;
    memo_status status;
    (void)store;
    audit_begin(a);
    status = audit_record_rows(a, sql, "SELECT " MEMO_ROW_COLUMNS " FROM records", err);
    if (!status)
        status = audit_record_rows(a, sql, "SELECT " MEMO_ROW_COLUMNS " FROM versions", err);
    return status ? status : audit_chunk_rows(a, sql, err);
}

static memo_status audit_read_vectors(memo_store *store, memo_sql *sql, void *user, memo_err *err)
{
    audit_run *a = user;
    int more;
    memo_status status;
    memo_stmt st = memo_stmt_once(sql,
                                  "SELECT v.cid, v.space, v.ns, v.rid, v.checksum, v.vector,"
                                  " coalesce(s.dim, 0) FROM vectors v"
                                  " LEFT JOIN spaces s ON s.id = v.space",
                                  "read its vectors");
    (void)store;
    audit_begin(a);
    while (!(status = memo_stmt_step(&st, &more, err)) && more) {
        int64_t v[5], dim = memo_stmt_col_int(&st, 6);
        const void *bytes = sqlite3_column_blob(st.s, 5);
        int n_bytes = sqlite3_column_bytes(st.s, 5);
        char name[48];
        for (int i = 0; i < 5; i++)
            v[i] = memo_stmt_col_int(&st, i);
        a->n++;
        snprintf(name, sizeof name, "vector of chunk %" PRId64, v[0]);
        if (!bytes || n_bytes % (int)sizeof(float) || n_bytes / (int)sizeof(float) != dim ||
            memo_vector_sum(v[0], v[1], v[2], v[3], bytes, (size_t)n_bytes) != v[4])
            memo_damage_add(&a->damage, name);
    }
    memo_stmt_done(&st);
    return status;
}

/* "fact 12", "setting name": enough to find it in the quarantine after a repair. */
static void audit_note_cells(audit_run *a, const memo_table *table, const memo_cell *cells)
{
    char name[96];
    if (cells[0].kind == MEMO_CELL_TEXT)
        snprintf(name, sizeof name, "%s %.*s", table->area,
                 cells[0].bytes.n_bytes < 60 ? (int)cells[0].bytes.n_bytes : 60,
                 cells[0].bytes.bytes);
    else
        snprintf(name, sizeof name, "%s %" PRId64, table->area, cells[0].integer);
    memo_damage_add(&a->damage, name);
}

static memo_status audit_table(audit_run *a, memo_sql *sql, const memo_table *table, memo_err *err)
{
    memo_buf text = {0};
    memo_cell cells[MEMO_CELLS_MAX];
    memo_stmt st;
    int more;
    memo_status status;
    memo_buf_printf(&text, "SELECT %s FROM %s", table->columns, table->name);
    st = memo_stmt_built(sql, &text, "read its rows");
    while (!(status = memo_stmt_step(&st, &more, err)) && more) {
        memo_cells_take(&st, cells, table->n_columns);
        a->n++;
        if (!memo_table_good(table, cells))
            audit_note_cells(a, table, cells);
    }
    memo_stmt_done(&st);
    memo_buf_fini(&text);
    return status;
}

static memo_status audit_read_tables(memo_store *store, memo_sql *sql, void *user, memo_err *err)
{
    memo_status status = MEMO_OK;
    (void)store;
    audit_begin(user);
    for (size_t i = 0; !status && i < memo_n_summed_tables; i++)
        status = audit_table(user, sql, memo_summed_tables[i], err);
    return status;
}

static memo_status audit_rows(audit_run *a, memo_store_read_fn fn, const char *area,
                              const char *what, memo_err *err)
{
    memo_err inner = {0};
    memo_status status = memo_store_read(a->store, fn, a, &a->damage, &inner);
    if (status)
        return audit_absorb(a, status, area, &inner, err);
    audit_report_rows(a, area, what);
    return MEMO_OK;
}

/* ---- one table against another ------------------------------------------------------------- */

typedef struct audit_count {
    const char *area, *query, *what; /* the query counts what is wrong */
    int mild;                        /* nothing is lost: what is missing is made from the text */
    const char *hint;                /* NULL: what befits its mildness */
} audit_count;

static const char audit_remake[] = "memolith doctor --repair --model FILE   makes them again";

static const audit_count audit_counts[] = {
    {"records", "SELECT count(*) FROM pragma_foreign_key_check", "rows that refer to missing ones",
     0, NULL},
    {"records",
     "SELECT count(*) FROM records r WHERE r.n_chunks <>"
     " (SELECT count(*) FROM chunks c WHERE c.rid = r.rid)",
     "records with too few or too many chunks", 1, NULL},
    {"records", "SELECT change_seq <> " MEMO_STORE_LAST_SEQ " FROM meta",
     "change sequence that does not fit the rows (a copy made while the store was written?)", 0,
     NULL},
    {"records", MEMO_NUMBERS_WRONG, "counter of row ids that does not fit the rows", 0, NULL},
    {"vectors",
     "SELECT count(*) FROM chunks c WHERE NOT EXISTS (SELECT 1 FROM vectors v"
     " JOIN namespaces n ON n.id = v.ns AND coalesce(n.space, v.space) = v.space"
     " WHERE v.cid = c.cid)",
     "chunks without a vector", 1, NULL},
    {"tables", "SELECT count(*) FROM evidence WHERE rid NOT IN (SELECT rid FROM records)",
     "pieces of evidence in records that are not there", 0, NULL},
    {"tables",
     "SELECT count(*) FROM links WHERE rid NOT IN (SELECT rid FROM records)"
     " OR (other NOT IN (SELECT rid FROM records) AND NOT (other = 0 AND kind = 2))",
     "links of records that are not there", 0, NULL},
    {"tables", "SELECT count(*) FROM shown WHERE rid NOT IN (SELECT rid FROM records)",
     "shown records that are not there", 0, NULL},
    {"tables", "SELECT count(*) FROM forgotten WHERE shredded = 1",
     "forgotten records whose shredding was interrupted: bytes of them may be left", 1,
     "memolith forget --shred   finishes it"},
    {"fulltext", "SELECT count(*) FROM chunks WHERE cid NOT IN (SELECT id FROM fts_docsize)",
     "chunks that the full-text index does not know", 0, NULL},
    {"fulltext", "SELECT count(*) FROM fts_docsize WHERE id NOT IN (SELECT cid FROM chunks)",
     "full-text rows without a chunk", 0, NULL},
};

static memo_status audit_relations(audit_run *a, const char *area, memo_err *err)
{
    for (size_t i = 0; i < sizeof audit_counts / sizeof *audit_counts; i++) {
        const audit_count *c = &audit_counts[i];
        int64_t n = 0;
        memo_err inner = {0};
        memo_status status;
        if (strcmp(c->area, area) != 0)
            continue;
        status = memo_sql_int(&a->store->sql, c->query, &n, &inner);
        if (status)
            status = audit_absorb(a, status, c->area, &inner, err);
        else if (n)
            audit_say(a, c->mild ? MEMO_FINDING_WARN : MEMO_FINDING_BAD, c->area,
                      c->hint   ? c->hint
                      : c->mild ? audit_remake
                                : MEMO_SQL_FIX,
                      "%" PRId64 " %s", n, c->what);
        if (status)
            return status;
    }
    return MEMO_OK;
}

typedef memo_status (*audit_compare_fn)(memo_sql *sql, int64_t *n, memo_err *err);

/* What is compared by more than one read: all of them see the same moment, whoever writes beside. */
static memo_status audit_compare(audit_run *a, audit_compare_fn fn, int64_t *n, memo_err *err)
{
    memo_status status = memo_store_begin_read(a->store, err);
    if (status)
        return status;
    status = fn(&a->store->sql, n, err);
    memo_store_end_read(a->store);
    return status;
}

static memo_status audit_compare_sets(memo_sql *sql, int64_t *n, memo_err *err)
{
    int same = 1;
    memo_status status = memo_vector_sets_check(sql, &same, err);
    *n = !same;
    return status;
}

/* A wrong count costs speed: copies of the vectors are not believed. */
static memo_status audit_vector_sets(audit_run *a, memo_err *err)
{
    memo_err inner = {0};
    int64_t n = 0;
    memo_status status = audit_compare(a, audit_compare_sets, &n, &inner);
    if (status)
        return audit_absorb(a, status, "vectors", &inner, err);
    if (n)
        audit_say(a, MEMO_FINDING_WARN, "vectors", MEMO_SQL_FIX,
                  "the number or sum of the vectors of a space is wrong: searches read them all");
    return MEMO_OK;
}

/* Rows of parts are due for some chunks only: their texts are looked through. */
static memo_status audit_parts(audit_run *a, memo_err *err)
{
    int64_t n = 0;
    memo_err inner = {0};
    memo_status status = audit_compare(a, memo_parts_audit, &n, &inner);
    if (status)
        return audit_absorb(a, status, "fulltext", &inner, err);
    if (n)
        audit_say(a, MEMO_FINDING_BAD, "fulltext", MEMO_SQL_FIX,
                  "%" PRId64 " rows of scripts without spaces are missing or belong to no chunk",
                  n);
    return MEMO_OK;
}

static memo_status audit_tags(audit_run *a, memo_err *err)
{
    memo_err inner = {0};
    int64_t n = 0;
    memo_status status = memo_tags_audit(&a->store->sql, &n, &inner);
    if (status)
        return audit_absorb(a, status, "tables", &inner, err);
    if (n)
        audit_say(a, MEMO_FINDING_BAD, "tables", MEMO_SQL_FIX,
                  "%" PRId64 " tags, by which filters look, are not those of their records", n);
    return MEMO_OK;
}

/* What is missing costs a link, no answer. */
static memo_status audit_sketches(audit_run *a, memo_err *err)
{
    memo_err inner = {0};
    int64_t n = 0;
    memo_status status = audit_compare(a, memo_sketches_audit, &n, &inner);
    if (status)
        return audit_absorb(a, status, "tables", &inner, err);
    if (n)
        audit_say(
            a, MEMO_FINDING_WARN, "tables", MEMO_SQL_FIX,
            "%" PRId64 " sketches, by which duplicates are found, are missing or of no record", n);
    return MEMO_OK;
}

/* FTS5 checks its own structure by a command that has the form of an insert, so it needs the writer
 * lock; nothing is changed. */
static memo_status audit_fulltext(audit_run *a, memo_err *err)
{
    memo_store *store = a->store;
    memo_err inner = {0};
    int64_t n = 0;
    memo_status status;
    if (memo_store_read_only(store)) {
        audit_say(a, MEMO_FINDING_OK, "fulltext", "",
                  "rows compared; FTS5's own check needs a store opened for writing");
        return audit_relations(a, "fulltext", err);
    }
    status = memo_store_begin_write(store, &inner);
    if (!status) {
        status = memo_sql_exec(&store->sql,
                               "INSERT INTO fts(fts) VALUES('integrity-check');"
                               "INSERT INTO fts_parts(fts_parts) VALUES('integrity-check')",
                               "check the full-text index", &inner);
        memo_store_rollback(store);
    }
    if (!status)
        status = memo_sql_int(&store->sql, "SELECT count(*) FROM fts_docsize", &n, &inner);
    if (status)
        return audit_absorb(a, status, "fulltext", &inner, err);
    audit_say(a, MEMO_FINDING_OK, "fulltext", "", "%" PRId64 " rows, index structure is right", n);
    return audit_relations(a, "fulltext", err);
}

/* Said only when there is something to say; what cannot be read is found by what comes after. */
static memo_status audit_mark(audit_run *a, memo_err *err)
{
    int64_t change = 0;
    memo_err inner = {0};
    memo_status status;
    if (!a->store->mark_ahead)
        return MEMO_OK;
    status = memo_sql_int(&a->store->sql, "SELECT change_seq FROM meta", &change, &inner);
    if (status == MEMO_ERR_NOMEM)
        return audit_absorb(a, status, "file", &inner, err);
    if (!status)
        audit_say(a, MEMO_FINDING_WARN, "file",
                  "put the log back beside it, or take the changes from a backup; the next change "
                  "forgets this",
                  MEMO_MARK_AHEAD, a->store->mark.change, change);
    return MEMO_OK;
}

memo_status memo_store_check(memo_store *store, memo_store_finding_fn fn, void *user, memo_err *err)
{
    audit_run a = {.store = store, .fn = fn, .user = user};
    memo_status status = memo_store_check_use(store, err);
    if (status)
        return status;
    if (store->in_write || store->in_read)
        return memo_fail(err, MEMO_ERR_USAGE, "%s: a transaction is open", store->path);
    a.damage.arena = &a.arena;
    status = audit_mark(&a, err);
    if (!status)
        status = audit_pages(&a, err);
    if (!status)
        status = audit_schema(&a, err);
    if (!status)
        status = audit_rows(&a, audit_read_records, "records", "records and versions", err);
    if (!status)
        status = audit_relations(&a, "records", err);
    if (!status)
        status = audit_rows(&a, audit_read_tables, "tables", "rows of other tables", err);
    if (!status)
        status = audit_relations(&a, "tables", err);
    if (!status)
        status = audit_tags(&a, err);
    if (!status)
        status = audit_sketches(&a, err);
    if (!status)
        status = audit_rows(&a, audit_read_vectors, "vectors", "vectors", err);
    if (!status)
        status = audit_relations(&a, "vectors", err);
    if (!status)
        status = audit_vector_sets(&a, err);
    if (!status)
        status = audit_fulltext(&a, err);
    if (!status)
        status = audit_parts(&a, err);
    memo_arena_fini(&a.arena);
    return status;
}
