// SPDX-License-Identifier: Apache-2.0
/* Rows of an open store, put in order inside one write transaction. The order of the steps matters:
 * what a row refers to is settled before the row is looked at, so that in the end every row is whole
 * and refers to whole rows. */
#include "store/repair/repair.h"
#include "store/rows/numbers.h"
#include "store/rows/parts.h"
#include "store/rows/sketches.h"
#include "store/rows/vectors.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/grow.h"

#define REPAIR_MAX_ROW "4611686018427387904" /* 2^62: no counting gets there */

/* Row ids of what a pass found; the table is changed after the pass. */
typedef struct repair_list {
    int64_t *rows; /* [cap] */
    size_t n, cap;
} repair_list;

typedef struct repair_work {
    memo_store *store;
    memo_sql *sql;
    const memo_repair *repair;
    repair_list list;
    int changed, words_changed;
} repair_work;

void memo_repair_say(const memo_repair *repair, memo_finding_level level, const char *area,
                     const char *hint, const char *fmt, ...)
{
    char message[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    repair->fn(repair->user, level, area, message, hint);
}

/* ---- moving rows --------------------------------------------------------------------------- */

/* Move all rows of a table that a condition on ?1 picks. */
static memo_status repair_move(repair_work *w, const memo_table *table, const char *condition,
                               int64_t value, const char *id, const char *reason, memo_err *err)
{
    memo_buf text = {0};
    memo_cell cells[MEMO_CELLS_MAX];
    memo_stmt st;
    int row;
    memo_status status;
    memo_buf_printf(&text, "SELECT %s FROM %s WHERE %s", table->columns, table->name, condition);
    st = memo_stmt_built(w->sql, &text, "read damaged rows");
    memo_stmt_int(&st, value);
    while (!(status = memo_stmt_step(&st, &row, err)) && row) {
        memo_cells_take(&st, cells, table->n_columns);
        status =
            memo_quarantine_put(w->sql, w->repair, table, cells[0].integer, id, reason, cells, err);
        w->changed = 1;
        w->words_changed |= table == &memo_table_records || table == &memo_table_chunks;
        if (status)
            break;
    }
    memo_stmt_done(&st);
    memo_buf_clear(&text);
    memo_buf_printf(&text, "DELETE FROM %s WHERE %s", table->name, condition);
    if (!status) {
        st = memo_stmt_built(w->sql, &text, "remove damaged rows");
        memo_stmt_int(&st, value);
        status = memo_stmt_run(&st, err);
    }
    memo_buf_fini(&text);
    return status;
}

static memo_status repair_remember(repair_work *w, int64_t row, memo_err *err)
{
    repair_list *list = &w->list;
    int64_t *grown = memo_grow(list->rows, list->n, &list->cap, sizeof *grown);
    if (!grown)
        return memo_fail_nomem(err, "damaged rows", (list->n + 1) * sizeof *grown);
    list->rows = grown;
    list->rows[list->n++] = row;
    return MEMO_OK;
}

/* The id of a record that a query on one value finds, right or not; "" when there is none. */
static memo_status repair_name(repair_work *w, const char *constant, int64_t value, char id[40],
                               memo_err *err)
{
    int row;
    memo_status status;
    memo_stmt st = memo_stmt_keep(w->sql, constant, "read an id");
    memo_stmt_int(&st, value);
    status = memo_stmt_step(&st, &row, err);
    snprintf(id, 40, "%s",
             !status && row && memo_stmt_col_text(&st, 0).bytes ? memo_stmt_col_text(&st, 0).bytes
                                                                : "");
    memo_stmt_done(&st);
    return status;
}

/* ---- records ------------------------------------------------------------------------------- */

/* A record with all that belongs to it. */
static memo_status repair_take_record(repair_work *w, int64_t rid, memo_err *err)
{
    static const char its[] = "its record is in quarantine";
    char id[40];
    memo_status status = repair_name(w, "SELECT id FROM records WHERE rid = ?", rid, id, err);
    if (!status)
        status = repair_move(w, &memo_table_vectors,
                             "cid IN (SELECT cid FROM chunks WHERE rid = ?1)", rid, id, its, err);
    if (!status)
        status = repair_move(w, &memo_table_chunks, "rid = ?1", rid, id, its, err);
    if (!status)
        status = repair_move(w, &memo_table_versions, "rid = ?1", rid, id, its, err);
    if (!status)
        status = repair_move(w, &memo_table_records, "rid = ?1", rid, id,
                             "its checksum does not match", err);
    if (!status)
        memo_repair_say(w->repair, MEMO_FINDING_WARN, "records",
                        "memolith doctor --quarantine   shows what is left of it",
                        "record %s: its checksum does not match; it goes to quarantine",
                        *id ? id : "without an id");
    return status;
}

static memo_status repair_scan_records(repair_work *w, const char *text, int of_versions,
                                       memo_err *err)
{
    int more;
    memo_status status;
    memo_stmt st = memo_stmt_once(w->sql, text, "read its records");
    w->list.n = 0;
    while (!(status = memo_stmt_step(&st, &more, err)) && more) {
        memo_row row;
        memo_row_read(&st, &row);
        if (!memo_row_good(&row))
            status = repair_remember(
                w, of_versions ? memo_stmt_col_int(&st, MEMO_ROW_N_COLUMNS) : row.rid, err);
        if (status)
            break;
    }
    memo_stmt_done(&st);
    return status;
}

static memo_status repair_records(repair_work *w, memo_err *err)
{
    memo_status status = repair_scan_records(w, "SELECT " MEMO_ROW_COLUMNS " FROM records", 0, err);
    for (size_t i = 0; !status && i < w->list.n; i++)
        status = repair_take_record(w, w->list.rows[i], err);
    return status;
}

static memo_status repair_take_version(repair_work *w, int64_t row, memo_err *err)
{
    char id[40];
    memo_status status = repair_name(w, "SELECT id FROM versions WHERE rowid = ?", row, id, err);
    return status ? status
                  : repair_move(w, &memo_table_versions, "rowid = ?1", row, id,
                                "its checksum does not match, or its record is lost", err);
}

static memo_status repair_versions(repair_work *w, memo_err *err)
{
    int more;
    memo_stmt st;
    memo_status status =
        repair_scan_records(w, "SELECT " MEMO_ROW_COLUMNS ", rowid FROM versions", 1, err);
    st = memo_stmt_once(w->sql,
                        "SELECT rowid FROM versions WHERE rid NOT IN (SELECT rid FROM records)",
                        "read its versions");
    while (!status && !(status = memo_stmt_step(&st, &more, err)) && more)
        status = repair_remember(w, memo_stmt_col_int(&st, 0), err);
    memo_stmt_done(&st);
    for (size_t i = 0; !status && i < w->list.n; i++)
        status = repair_take_version(w, w->list.rows[i], err);
    return status;
}

/* ---- chunks and vectors -------------------------------------------------------------------- */

static memo_status repair_take_chunk(repair_work *w, int64_t cid, memo_err *err)
{
    char id[40];
    memo_status status = repair_name(w,
                                     "SELECT r.id FROM chunks c JOIN records r ON r.rid = c.rid"
                                     " WHERE c.cid = ?",
                                     cid, id, err);
    if (!status)
        status = repair_move(w, &memo_table_vectors, "cid = ?1", cid, id,
                             "its chunk is in quarantine", err);
    if (!status)
        status = repair_move(w, &memo_table_chunks, "cid = ?1", cid, id,
                             "its checksum does not match, or its record is lost", err);
    if (!status && *id)
        memo_repair_say(w->repair, MEMO_FINDING_WARN, "records", "",
                        "record %s: text kept, a chunk of it goes to quarantine", id);
    return status;
}

static memo_status repair_chunks(repair_work *w, memo_err *err)
{
    int more;
    memo_status status;
    memo_stmt st = memo_stmt_once(w->sql,
                                  "SELECT c.cid, c.rid, c.position, c.span_begin, c.span_end,"
                                  " c.n_tokens, c.checksum, c.position < r.n_chunks,"
                                  " length(CAST(r.text AS BLOB)) FROM chunks c"
                                  " LEFT JOIN records r ON r.rid = c.rid",
                                  "read its chunks");
    w->list.n = 0;
    while (!(status = memo_stmt_step(&st, &more, err)) && more) {
        memo_chunk_row chunk;
        memo_row row = {.rid = 0};
        memo_chunk_read(&st, &chunk);
        row.rid = chunk.rid;
        row.text.n_bytes = (size_t)memo_stmt_col_int(&st, 8);
        if (!memo_stmt_col_int(&st, 7) || !memo_chunk_good(&chunk, &row))
            status = repair_remember(w, chunk.cid, err);
        if (status)
            break;
    }
    memo_stmt_done(&st);
    for (size_t i = 0; !status && i < w->list.n; i++)
        status = repair_take_chunk(w, w->list.rows[i], err);
    return status;
}

static int repair_vector_good(const memo_stmt *st)
{
    int64_t v[6], n_bytes = sqlite3_column_bytes(st->s, 6);
    const void *bytes = sqlite3_column_blob(st->s, 6);
    for (int i = 0; i < 6; i++)
        v[i] = memo_stmt_col_int(st, i);
    return bytes && memo_stmt_col_int(st, 7) && n_bytes == memo_stmt_col_int(st, 8) * 4 &&
           memo_vector_sum(v[1], v[2], v[3], v[4], bytes, (size_t)n_bytes) == v[5];
}

static memo_status repair_take_vector(repair_work *w, int64_t vid, memo_err *err)
{
    char id[40];
    memo_status status = repair_name(w,
                                     "SELECT r.id FROM vectors v JOIN chunks c ON c.cid = v.cid"
                                     " JOIN records r ON r.rid = c.rid WHERE v.vid = ?",
                                     vid, id, err);
    if (!status)
        status =
            repair_move(w, &memo_table_vectors, "vid = ?1", vid, id,
                        "its checksum does not match, or its chunk or model is not known", err);
    if (!status && *id)
        memo_repair_say(w->repair, MEMO_FINDING_WARN, "vectors", "",
                        "record %s: text kept, a vector of it goes to quarantine", id);
    return status;
}

static memo_status repair_vectors(repair_work *w, memo_err *err)
{
    int more;
    memo_status status;
    memo_stmt st = memo_stmt_once(
        w->sql,
        "SELECT v.vid, v.cid, v.space, v.ns, v.rid, v.checksum, v.vector,"
        " c.rid IS NOT NULL AND c.rid = v.rid AND r.ns = v.ns, coalesce(s.dim, -1)"
        " FROM vectors v LEFT JOIN chunks c ON c.cid = v.cid LEFT JOIN records r ON r.rid = v.rid"
        " LEFT JOIN spaces s ON s.id = v.space",
        "read its vectors");
    w->list.n = 0;
    while (!(status = memo_stmt_step(&st, &more, err)) && more) {
        if (!repair_vector_good(&st))
            status = repair_remember(w, memo_stmt_col_int(&st, 0), err);
        if (status)
            break;
    }
    memo_stmt_done(&st);
    for (size_t i = 0; !status && i < w->list.n; i++)
        status = repair_take_vector(w, w->list.rows[i], err);
    return status;
}

static memo_status repair_sets(repair_work *w, memo_err *err)
{
    int same = 1;
    memo_status status = memo_vector_sets_check(w->sql, &same, err);
    if (status || same)
        return status;
    w->store->recount_vectors = 1; /* done at the commit */
    w->changed = 1;
    memo_repair_say(w->repair, MEMO_FINDING_OK, "vectors", "",
                    "the vectors of each space are counted again");
    return MEMO_OK;
}

/* ---- what ties them together --------------------------------------------------------------- */

typedef struct repair_fix {
    const char *query;  /* counts what is wrong */
    const char *change; /* mends it */
    const char *what;   /* "%lld ..." in words, after the count; NULL: of no interest */
} repair_fix;

/* Namespaces that rows are in and that have no row. */
#define REPAIR_NAMELESS                                                                            \
    "SELECT ns FROM (SELECT ns FROM records UNION SELECT ns FROM entities"                         \
    " UNION SELECT ns FROM facts UNION SELECT ns FROM searches UNION SELECT ns FROM actions"       \
    " UNION SELECT ns FROM switches) WHERE ns NOT IN (SELECT id FROM namespaces)"

#define REPAIR_COUNTER(table, id)                                                                  \
    {                                                                                              \
        "SELECT count(*) FROM sqlite_sequence WHERE name = '" table "'"                            \
        " AND (seq < (SELECT max(" id ") FROM " table ") OR seq NOT BETWEEN 0 AND " REPAIR_MAX_ROW \
        ")",                                                                                       \
            "UPDATE sqlite_sequence SET seq = (SELECT coalesce(max(" id "), 0) FROM " table        \
            ") WHERE name = '" table "'",                                                          \
            "counter of row ids did not fit (" table ")"                                           \
    }

/* Without the row of what was given all that SQLite's counter says has been: where that is less, it
 * learns it first. Records that are forgotten have given ids, too, and actions and tombstones name them. */
#define REPAIR_GIVEN(table, given)                                                                 \
    "INSERT INTO sqlite_sequence(name, seq) SELECT '" table "', 0"                                 \
    " WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = '" table "');"                  \
    "UPDATE sqlite_sequence SET seq = (SELECT " given " FROM tallies WHERE what = -1)"             \
    " WHERE name = '" table "' AND seq < (SELECT " given " FROM tallies WHERE what = -1"           \
    " AND " given " <= " REPAIR_MAX_ROW ");"

/* A namespace whose name is lost gets one made of its number; the space of its vectors is that of
 * most of the vectors it has, but not the one before the last switch or the next one. */
static const repair_fix repair_fixes[] = {
    {"SELECT count(*) FROM (" REPAIR_NAMELESS ")",
     "INSERT INTO namespaces(id, name, space, created_ms)"
     " SELECT ns, 'recovered-' || ns, NULL, 0 FROM (" REPAIR_NAMELESS ")",
     "namespaces had lost their names and are called recovered-N now"},
    {"SELECT count(*) FROM namespaces WHERE space IS NOT NULL AND space NOT IN"
     " (SELECT id FROM spaces)",
     "UPDATE namespaces SET space = NULL WHERE space NOT IN (SELECT id FROM spaces)",
     "namespaces referred to a model that is not known any more"},
    {"SELECT count(*) FROM namespaces WHERE space IS NULL AND id IN (SELECT ns FROM vectors)",
     "UPDATE namespaces SET space = (SELECT c.space FROM (SELECT v.ns, v.space, count(*) AS n,"
     " EXISTS (SELECT 1 FROM switches s WHERE s.ns = v.ns AND v.space IN (s.previous, s.next))"
     " AS other FROM vectors v GROUP BY v.ns, v.space) c WHERE c.ns = namespaces.id"
     " ORDER BY c.other, c.n DESC, c.space DESC LIMIT 1)"
     " WHERE space IS NULL AND id IN (SELECT ns FROM vectors)",
     "namespaces get back the model of their vectors"},
    REPAIR_COUNTER("records", "rid"),
    REPAIR_COUNTER("chunks", "cid"),
    REPAIR_COUNTER("entities", "eid"),
    REPAIR_COUNTER("facts", "fid"),
    REPAIR_COUNTER("searches", "sid"),
    REPAIR_COUNTER("actions", "aid"),
    {MEMO_NUMBERS_WRONG,
     REPAIR_GIVEN("records", "n")
         REPAIR_GIVEN("chunks", "sum") "DELETE FROM tallies WHERE what = -1",
     "counter of row ids did not fit (tallies)"},
};

static memo_status repair_tables(repair_work *w, memo_err *err)
{
    return memo_repair_tables(w->sql, w->repair, &w->changed, err);
}

static memo_status repair_relations(repair_work *w, memo_err *err)
{
    memo_status status = MEMO_OK;
    for (size_t i = 0; !status && i < sizeof repair_fixes / sizeof *repair_fixes; i++) {
        const repair_fix *fix = &repair_fixes[i];
        int64_t n = 0;
        status = memo_sql_int(w->sql, fix->query, &n, err);
        if (status || !n)
            continue;
        status = memo_sql_exec(w->sql, fix->change, "mend what ties its rows together", err);
        w->changed = 1;
        if (!status)
            memo_repair_say(w->repair, MEMO_FINDING_WARN, "records", "", "%" PRId64 " %s", n,
                            fix->what);
    }
    return status;
}

static memo_status repair_tags(repair_work *w, memo_err *err)
{
    int64_t n = 0;
    memo_status status = memo_tags_audit(w->sql, &n, err);
    if (status || !n)
        return status;
    w->changed = 1;
    memo_repair_say(w->repair, MEMO_FINDING_OK, "tables", "",
                    "%" PRId64 " tags were not those of their records: they are taken from them "
                    "again",
                    n);
    return memo_rows_derive_all(w->sql, err);
}

/* How they are made is not known here: who lacks one is to be compared again. */
static memo_status repair_sketches(repair_work *w, memo_err *err)
{
    int64_t n = 0;
    memo_status status = memo_sketches_audit(w->sql, &n, err);
    if (status || !n)
        return status;
    w->changed = 1;
    memo_repair_say(w->repair, MEMO_FINDING_OK, "sketches", "memolith audit --link",
                    "%" PRId64 " sketches of records were missing or of no record; duplicates of "
                    "the former are looked for again",
                    n);
    return memo_sketches_mend(w->sql, err);
}

static const char repair_words_differ[] =
    "SELECT (SELECT count(*) FROM chunks WHERE cid NOT IN (SELECT id FROM fts_docsize))"
    " + (SELECT count(*) FROM fts_docsize WHERE id NOT IN (SELECT cid FROM chunks))";

/* Damage in the index's own tables is a finding here, whatever SQLite calls it. */
static memo_status repair_words(repair_work *w, memo_err *err)
{
    int64_t n = 0, n_parts = 0;
    memo_err why = {0};
    memo_status status = memo_sql_int(w->sql, repair_words_differ, &n, err);
    if (!status)
        status = memo_parts_audit(w->sql, &n_parts, err);
    if (status || w->words_changed || n || n_parts)
        goto rebuild;
    status = memo_sql_exec(w->sql,
                           "INSERT INTO fts(fts) VALUES('integrity-check');"
                           "INSERT INTO fts_parts(fts_parts) VALUES('integrity-check')",
                           "check the full-text index", &why);
    if (status == MEMO_OK)
        return MEMO_OK;
    if (status != MEMO_ERR_CORRUPT) {
        if (err)
            *err = why;
        return status;
    }
    status = MEMO_OK;
rebuild:
    if (!status) {
        w->store->rebuild_derived = 1; /* done at the commit */
        w->changed = 1;
        memo_repair_say(w->repair, MEMO_FINDING_OK, "fulltext", "",
                        "the full-text index is made again from the texts");
    }
    return status;
}

static const char repair_seq_differs[] = "SELECT change_seq <> " MEMO_STORE_LAST_SEQ " FROM meta";

/* A repair is a change and has a number. No record carries it, so a tombstone of no namespace
 * does: whoever follows changes sees that there was one, and nothing is deleted by it elsewhere. */
static memo_status repair_number(repair_work *w, memo_err *err)
{
    int64_t n = 0, last = 0;
    memo_status status = memo_sql_int(w->sql, repair_seq_differs, &n, err);
    if (!status && n) {
        w->changed = 1;
        memo_repair_say(w->repair, MEMO_FINDING_WARN, "records", "",
                        "the change counter did not fit the rows: they may be of two moments (a "
                        "copy made while the store was written?)");
    }
    if (status || !w->changed)
        return status;
    status = memo_sql_int(w->sql, "SELECT " MEMO_STORE_LAST_SEQ, &last, err);
    if (!status && last > MEMO_STORE_MAX_SEQ)
        status = memo_fail(err, MEMO_ERR_CORRUPT, "%s: a row has the change number %" PRId64,
                           w->sql->path, last);
    if (status)
        return status;
    if (w->store->seq < last || w->store->seq > MEMO_STORE_MAX_SEQ)
        w->store->seq = last;
    w->store->seq++;
    return memo_tombstone_put(w->sql, &(memo_row){.id = {"repair", 6}}, w->store->seq,
                              w->repair->now_ms, err);
}

/* ---- all of it ----------------------------------------------------------------------------- */

static memo_status repair_count(repair_work *w, memo_err *err)
{
    memo_repair_report *r = w->repair->report;
    int64_t kept = 0, unembedded = 0;
    memo_status status = memo_sql_int(w->sql, "SELECT count(*) FROM records", &kept, err);
    if (!status)
        status = memo_sql_int(w->sql,
                              "SELECT count(*) FROM records r WHERE r.n_chunks <>"
                              " (SELECT count(*) FROM chunks c JOIN vectors v ON v.cid = c.cid"
                              " JOIN namespaces n ON n.id = r.ns AND n.space = v.space"
                              " WHERE c.rid = r.rid)",
                              &unembedded, err);
    r->n_kept = (uint64_t)kept;
    r->n_unembedded = (uint64_t)unembedded;
    return status;
}

memo_status memo_repair_rows(memo_store *store, const memo_repair *repair, int *changed,
                             memo_err *err)
{
    static memo_status (*const steps[])(repair_work *, memo_err *) = {
        repair_records,  repair_versions, repair_chunks, repair_vectors,
        repair_sets,     repair_tables,   repair_tags,   repair_relations,
        repair_sketches, repair_words,    repair_number, repair_count};
    repair_work w = {.store = store, .sql = &store->sql, .repair = repair};
    uint64_t n_moved;
    memo_status status = memo_store_check_write(store, err);
    w.changed = w.words_changed = *changed;
    for (size_t i = 0; !status && i < sizeof steps / sizeof *steps; i++)
        status = steps[i](&w, err);
    memo_free(w.list.rows);
    n_moved = repair->report->n_quarantined; /* those of a rescue before it too */
    if (!status && n_moved)
        memo_repair_say(repair, MEMO_FINDING_WARN, "quarantine",
                        "memolith doctor --quarantine   shows them",
                        "%" PRIu64 " row%s to quarantine", n_moved, n_moved == 1 ? "" : "s");
    *changed = w.changed;
    return status;
}

/* ---- what is left to embed ------------------------------------------------------------------ */

memo_status memo_store_each_unembedded(memo_store *store, memo_store_id_fn fn, void *user,
                                       memo_err *err)
{
    int row;
    memo_stmt st;
    memo_status status = memo_store_check_use(store, err);
    if (status)
        return status;
    st = memo_stmt_keep(&store->sql,
                        "SELECT n.name, r.id FROM records r JOIN namespaces n ON n.id = r.ns"
                        " WHERE r.n_chunks <> (SELECT count(*) FROM chunks c"
                        " JOIN vectors v ON v.cid = c.cid AND v.space = n.space"
                        " WHERE c.rid = r.rid) ORDER BY r.rid",
                        "find texts without vectors");
    while (!(status = memo_stmt_step(&st, &row, err)) && row)
        if (fn(user, memo_stmt_col_text(&st, 0).bytes, memo_stmt_col_text(&st, 1).bytes))
            break;
    memo_stmt_done(&st);
    return status;
}
