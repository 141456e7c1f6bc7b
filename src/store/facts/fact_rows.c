// SPDX-License-Identifier: Apache-2.0
/* Reading facts and evidence. A fact is read as it was at a moment: what was retracted or closed
 * since then was not yet. */
#include <string.h>

#include "base/error.h"
#include "base/grow.h"
#include "store/facts/fact_rows.h"
#include "store/rows/page.h"

enum { FACT_FID, FACT_NS, FACT_ID, FACT_SEQ, FACT_SUBJECT, FACT_OBJECT, FACT_FROM, FACT_TO };
enum { FACT_RECORDED = 8, FACT_CLOSED, FACT_RETRACTED, FACT_CONFIDENCE, FACT_CHECKSUM };
enum { FACT_RELATION = 13, FACT_VALUE, FACT_REASON, FACT_N_COLUMNS };
enum { EVIDENCE_N_COLUMNS = 6 };

/* ---- the query ----------------------------------------------------------------------------- */

/* What is asked for by equality is looked up, what remains is a test of the row in fact_fits(). */
static void fact_scope_sql(memo_buf *sql, const void *user)
{
    const memo_fact_scope *scope = user;
    memo_buf_puts(sql, "SELECT ");
    memo_buf_puts(sql, memo_table_facts.columns);
    memo_buf_puts(sql, " FROM facts f WHERE f.ns = ? AND f.fid > ?");
    if (scope->id)
        memo_buf_puts(sql, " AND f.id = ?");
    if (scope->subject)
        memo_buf_puts(sql, " AND f.subject = ?");
    if (scope->object)
        memo_buf_puts(sql, " AND f.object = ?");
    if (scope->relation)
        memo_buf_puts(sql, " AND f.relation = ?");
    if (scope->about)
        memo_buf_puts(sql, " AND f.fid IN (SELECT fid FROM facts WHERE subject = ? UNION ALL"
                           " SELECT fid FROM facts WHERE object = ?)");
    if (scope->record)
        memo_buf_puts(sql, " AND f.fid IN (SELECT fid FROM evidence WHERE rid = ?)");
    memo_buf_puts(sql, " ORDER BY f.fid");
}

static void fact_scope_bind(memo_stmt *st, const void *user, size_t limit)
{
    const memo_fact_scope *scope = user;
    (void)limit; /* how many rows it takes is not known before fact_fits() */
    memo_stmt_int(st, scope->ns);
    memo_stmt_int(st, scope->after);
    if (scope->id)
        memo_stmt_str(st, scope->id);
    if (scope->subject)
        memo_stmt_int(st, scope->subject);
    if (scope->object)
        memo_stmt_int(st, scope->object);
    if (scope->relation)
        memo_stmt_str(st, scope->relation);
    if (scope->about) {
        memo_stmt_int(st, scope->about);
        memo_stmt_int(st, scope->about);
    }
    if (scope->record)
        memo_stmt_int(st, scope->record);
}

static int fact_is_asked(const void *user, const memo_cell *cells)
{
    const memo_fact_scope *scope = user;
    int64_t subject = cells[FACT_SUBJECT].integer, object = cells[FACT_OBJECT].integer;
    return cells[FACT_NS].integer == scope->ns &&
           (!scope->id || memo_cell_is(&cells[FACT_ID], scope->id)) &&
           (!scope->subject || subject == scope->subject) &&
           (!scope->object || object == scope->object) &&
           (!scope->about || subject == scope->about || object == scope->about);
}

/* What the row said at the moment: later changes of it taken back. Zero: it said nothing yet. */
static int fact_as_of(const memo_fact_scope *scope, memo_cell *cells)
{
    int64_t as_of = scope->as_of_ms;
    if (as_of && cells[FACT_RECORDED].integer > as_of)
        return 0;
    if (as_of && cells[FACT_CLOSED].integer > as_of)
        cells[FACT_CLOSED].integer = cells[FACT_TO].integer = 0;
    if (as_of && cells[FACT_RETRACTED].integer > as_of) {
        cells[FACT_RETRACTED].integer = 0;
        cells[FACT_REASON] = memo_cell_str("");
    }
    return 1;
}

static int fact_fits(const void *user, memo_cell *cells)
{
    const memo_fact_scope *scope = user;
    int64_t from, to, at = scope->valid_at_ms;
    if (!fact_as_of(scope, cells))
        return 0;
    from = cells[FACT_FROM].integer;
    to = cells[FACT_TO].integer;
    return (scope->retracted || !cells[FACT_RETRACTED].integer) &&
           (!at || ((!from || from <= at) && (!to || to > at))) &&
           (!scope->value || memo_cell_is(&cells[FACT_VALUE], scope->value)) &&
           cells[FACT_CONFIDENCE].real >= scope->min_confidence;
}

/* A whole row's strings, copied; zero on lack of memory. */
static int fact_from_cells(const memo_cell *cells, memo_arena *arena, void *out)
{
    memo_fact_row *row = out;
    *row = (memo_fact_row){
        .fid = cells[FACT_FID].integer,
        .ns = cells[FACT_NS].integer,
        .id = memo_cell_strdup(arena, &cells[FACT_ID]),
        .seq = cells[FACT_SEQ].integer,
        .subject = cells[FACT_SUBJECT].integer,
        .object = cells[FACT_OBJECT].integer,
        .valid_from_ms = cells[FACT_FROM].integer,
        .valid_to_ms = cells[FACT_TO].integer,
        .recorded_ms = cells[FACT_RECORDED].integer,
        .closed_ms = cells[FACT_CLOSED].integer,
        .retracted_ms = cells[FACT_RETRACTED].integer,
        .confidence = cells[FACT_CONFIDENCE].real,
        .relation = memo_cell_strdup(arena, &cells[FACT_RELATION]),
        .value = memo_cell_strdup(arena, &cells[FACT_VALUE]),
        .reason = memo_cell_strdup(arena, &cells[FACT_REASON]),
    };
    return row->id && row->relation && row->value && row->reason;
}

static const memo_page_kind fact_pages = {
    .table = &memo_table_facts,
    .doing = "read facts",
    .row_bytes = sizeof(memo_fact_row),
    .sql = fact_scope_sql,
    .bind = fact_scope_bind,
    .is_asked = fact_is_asked,
    .fits = fact_fits,
    .take = fact_from_cells,
};

memo_status memo_store_list_facts(memo_store *store, const memo_fact_scope *scope,
                                  memo_fact_page *page, memo_err *err)
{
    memo_page read = {.arena = page->arena, .damage = page->damage, .limit = page->limit};
    memo_status status = memo_page_read(store, &fact_pages, scope, &read, err);
    if (!status) {
        page->n = read.n;
        page->rows = read.rows;
        page->more = read.more;
    }
    return status;
}

/* ---- evidence ------------------------------------------------------------------------------ */

typedef struct evidence_args {
    int64_t fid;
    memo_arena *arena;
    memo_store_damage *damage;
    memo_evidence_row *rows;
    size_t n, cap;
} evidence_args;

static memo_status evidence_add(evidence_args *a, const memo_cell *cells, memo_err *err)
{
    memo_evidence_row *grown = memo_arena_grow(a->arena, a->rows, a->n, &a->cap, sizeof *grown);
    if (!grown)
        return memo_fail_nomem(err, "evidence", (a->n + 1) * sizeof *grown);
    a->rows = grown;
    a->rows[a->n++] = (memo_evidence_row){cells[0].integer, cells[1].integer, cells[2].integer,
                                          cells[3].integer, cells[4].integer};
    return MEMO_OK;
}

/* In order, each once: past a damaged page rows may come twice, or where they do not belong. */
static int evidence_follows(const evidence_args *a, const memo_cell *cells)
{
    const memo_evidence_row *last = a->n ? &a->rows[a->n - 1] : NULL;
    if (!last || cells[1].integer != last->rid)
        return !last || cells[1].integer > last->rid;
    if (cells[2].integer != last->begin)
        return cells[2].integer > last->begin;
    return cells[3].integer > last->end;
}

static memo_status evidence_read_all(memo_store *store, memo_sql *sql, void *user, memo_err *err)
{
    evidence_args *a = user;
    memo_cell cells[EVIDENCE_N_COLUMNS], none = {0};
    int more;
    memo_status status;
    memo_stmt st = memo_stmt_keep(sql,
                                  "SELECT fid, rid, span_begin, span_end, version, checksum"
                                  " FROM evidence WHERE fid = ? ORDER BY rid, span_begin, span_end",
                                  "read evidence");
    (void)store;
    a->n = 0;
    memo_stmt_int(&st, a->fid);
    while (!(status = memo_stmt_step(&st, &more, err)) && more) {
        memo_cells_take(&st, cells, EVIDENCE_N_COLUMNS);
        if (!memo_table_good(&memo_table_evidence, cells) || cells[0].integer != a->fid ||
            !evidence_follows(a, cells))
            memo_damage_add_row(a->damage, "evidence of fact", &none, &cells[0]);
        else
            status = evidence_add(a, cells, err);
        if (status)
            break;
    }
    memo_stmt_done(&st);
    return status;
}

memo_status memo_store_list_evidence(memo_store *store, int64_t fid, memo_arena *arena,
                                     memo_store_damage *damage, memo_evidence_row **rows, size_t *n,
                                     memo_err *err)
{
    evidence_args args = {.fid = fid, .arena = arena, .damage = damage};
    memo_status status = memo_store_read(store, evidence_read_all, &args, damage, err);
    if (!status) {
        *rows = args.rows;
        *n = args.n;
    }
    return status;
}

/* ---- what evidence points to --------------------------------------------------------------- */

typedef struct evidence_text_args {
    int64_t rid, ns, version;
    const char *name; /* NULL: by rid and version */
    memo_arena *arena;
    memo_evidence_text *out;
    int found, damaged;
} evidence_text_args;

static memo_stmt evidence_select(memo_sql *sql, const evidence_text_args *a)
{
    memo_stmt st = a->name
                       ? memo_stmt_keep(sql,
                                        "SELECT " MEMO_ROW_COLUMNS " FROM records WHERE ns = ?1"
                                        " AND (id = ?2 OR key = ?2) ORDER BY id = ?2 DESC LIMIT 1",
                                        "read a record")
                       : memo_stmt_keep(sql,
                                        "SELECT " MEMO_ROW_COLUMNS " FROM records WHERE rid = ?1"
                                        " AND ?2 IN (0, version) UNION ALL"
                                        " SELECT " MEMO_ROW_COLUMNS " FROM versions WHERE rid = ?1"
                                        " AND version = ?2 LIMIT 1",
                                        "read a record");
    memo_stmt_int(&st, a->name ? a->ns : a->rid);
    if (a->name)
        memo_stmt_str(&st, a->name);
    else
        memo_stmt_int(&st, a->version);
    return st;
}

/* An index may lead to another record. */
static int evidence_is_it(const evidence_text_args *a, const memo_row *row)
{
    const memo_text *ids[] = {&row->id, &row->key};
    if (!a->name)
        return row->rid == a->rid && (!a->version || row->version == a->version);
    for (int i = 0; i < 2; i++)
        if (ids[i]->bytes && ids[i]->n_bytes == strlen(a->name) &&
            memcmp(ids[i]->bytes, a->name, ids[i]->n_bytes) == 0)
            return row->ns == a->ns;
    return 0;
}

static memo_status evidence_read_text(memo_store *store, memo_sql *sql, void *user, memo_err *err)
{
    evidence_text_args *a = user;
    memo_stmt st = evidence_select(sql, a);
    memo_row row = {0};
    memo_status status = memo_stmt_step(&st, &a->found, err);
    (void)store;
    a->damaged = 0;
    if (!status && a->found) {
        memo_row_read(&st, &row);
        a->damaged = !memo_row_good(&row) || !evidence_is_it(a, &row);
    }
    if (!status && a->found && !a->damaged) {
        a->rid = row.rid;
        a->out->id = memo_arena_strndup(a->arena, row.id.bytes, row.id.n_bytes);
        a->out->version = row.version;
        a->out->text.bytes = memo_arena_strndup(a->arena, row.text.bytes, row.text.n_bytes);
        a->out->text.n_bytes = row.text.n_bytes;
        if (!a->out->id || !a->out->text.bytes)
            status = memo_fail_nomem(err, "a text", row.text.n_bytes);
    }
    memo_stmt_done(&st);
    return status;
}

memo_status memo_store_get_evidence_text(memo_store *store, int64_t rid, int64_t version,
                                         memo_arena *arena, memo_evidence_text *out, int *found,
                                         memo_err *err)
{
    memo_evidence_text text = {0};
    evidence_text_args args = {.rid = rid, .version = version, .arena = arena, .out = &text};
    memo_status status = memo_store_read(store, evidence_read_text, &args, NULL, err);
    if (status)
        return status;
    *out = text;
    *found = args.found && !args.damaged;
    return MEMO_OK;
}

memo_status memo_store_find_evidence_text(memo_store *store, int64_t ns, const char *id,
                                          memo_arena *arena, int64_t *rid, memo_evidence_text *out,
                                          memo_err *err)
{
    memo_evidence_text text = {0};
    evidence_text_args args = {.ns = ns, .name = id, .arena = arena, .out = &text};
    memo_status status = memo_store_read(store, evidence_read_text, &args, NULL, err);
    if (!status && !args.found)
        status = memo_fail(err, MEMO_ERR_NOTFOUND, "no record \"%s\"", id);
    if (!status && args.damaged) {
        memo_fail(err, MEMO_ERR_CORRUPT, "record %s: its checksum does not match", id);
        return memo_hint(err, MEMO_ERR_CORRUPT, "%s", MEMO_SQL_FIX);
    }
    if (!status) {
        *out = text;
        *rid = args.rid;
    }
    return status;
}
