// SPDX-License-Identifier: Apache-2.0
/* The tables whose rows are lists of cells, and their checksum. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/utf8.h"
#include "store/rows/cells.h"

/* ---- tables -------------------------------------------------------------------------------- */

#define TABLES_COUNT(a) (sizeof(a) / sizeof *(a))

static const char *const tables_forgotten_names[] = {"seq",      "ns",       "rid", "deleted_ms",
                                                     "shredded", "checksum", "id",  "key"};
static const char *const tables_links_names[] = {"rid",     "other", "kind",
                                                 "made_ms", "score", "checksum"};
static const char *const tables_switches_names[] = {"ns", "since_seq", "next", "previous",
                                                    "checksum"};
static const char *const tables_probes_names[] = {"space", "position", "checksum", "text",
                                                  "vector"};
static const char *const tables_calibrations_names[] = {"space",   "slope",   "offset",   "error",
                                                        "n_pairs", "made_ms", "checksum", "origin"};
static const char *const tables_settings_names[] = {"name", "value", "checksum"};
static const char *const tables_entities_names[] = {
    "eid", "ns", "id", "seq", "created_ms", "updated_ms", "checksum", "kind", "name", "metadata"};
static const char *const tables_aliases_names[] = {"ns", "folded", "eid", "checksum", "alias"};
static const char *const tables_facts_names[] = {
    "fid",           "ns",          "id",          "seq",       "subject",      "object",
    "valid_from_ms", "valid_to_ms", "recorded_ms", "closed_ms", "retracted_ms", "confidence",
    "checksum",      "relation",    "value",       "reason"};
static const char *const tables_evidence_names[] = {"fid",      "rid",     "span_begin",
                                                    "span_end", "version", "checksum"};
static const char *const tables_searches_names[] = {"sid",   "ns",      "id",     "at_ms",
                                                    "mode",  "class",   "space",  "checksum",
                                                    "actor", "surface", "filter", "query"};
static const char *const tables_shown_names[] = {"sid", "position", "rid",
                                                 "cid", "checksum", "features"};
static const char *const tables_actions_names[] = {
    "aid",     "ns",        "id",    "sid",       "kind",     "rid",   "other",
    "version", "before_ms", "at_ms", "undone_ms", "checksum", "actor", "detail"};

#define TABLES_SUMMED(what, table, text, list, sum_column, row_id)                                 \
    {                                                                                              \
        .area = (what), .name = (table), .columns = (text), .names = (list),                       \
        .n_columns = TABLES_COUNT(list), .checksum = (sum_column), .has_rowid = (row_id)           \
    }

const memo_table memo_table_forgotten =
    TABLES_SUMMED("tombstone", "forgotten", "seq, ns, rid, deleted_ms, shredded, checksum, id, key",
                  tables_forgotten_names, 5, 1);
const memo_table memo_table_links = TABLES_SUMMED(
    "link", "links", "rid, other, kind, made_ms, score, checksum", tables_links_names, 5, 0);
const memo_table memo_table_switches = TABLES_SUMMED(
    "switch", "switches", "ns, since_seq, next, previous, checksum", tables_switches_names, 4, 1);
const memo_table memo_table_probes = TABLES_SUMMED(
    "probe", "probes", "space, position, checksum, text, vector", tables_probes_names, 2, 0);
const memo_table memo_table_calibrations =
    TABLES_SUMMED("calibration", "calibrations",
                  "space, slope, offset, error, n_pairs, made_ms, checksum, origin",
                  tables_calibrations_names, 6, 1);
const memo_table memo_table_settings =
    TABLES_SUMMED("setting", "settings", "name, value, checksum", tables_settings_names, 2, 0);
const memo_table memo_table_entities =
    TABLES_SUMMED("entity", "entities",
                  "eid, ns, id, seq, created_ms, updated_ms, checksum, kind, name, metadata",
                  tables_entities_names, 6, 1);
const memo_table memo_table_aliases = TABLES_SUMMED(
    "alias", "aliases", "ns, folded, eid, checksum, alias", tables_aliases_names, 3, 0);
const memo_table memo_table_facts = TABLES_SUMMED(
    "fact", "facts",
    "fid, ns, id, seq, subject, object, valid_from_ms, valid_to_ms, recorded_ms, closed_ms,"
    " retracted_ms, confidence, checksum, relation, value, reason",
    tables_facts_names, 12, 1);
const memo_table memo_table_evidence =
    TABLES_SUMMED("evidence", "evidence", "fid, rid, span_begin, span_end, version, checksum",
                  tables_evidence_names, 5, 0);
const memo_table memo_table_searches =
    TABLES_SUMMED("search", "searches",
                  "sid, ns, id, at_ms, mode, class, space, checksum, actor, surface, filter, query",
                  tables_searches_names, 7, 1);
const memo_table memo_table_shown = TABLES_SUMMED(
    "shown", "shown", "sid, position, rid, cid, checksum, features", tables_shown_names, 4, 0);
const memo_table memo_table_actions = TABLES_SUMMED(
    "action", "actions",
    "aid, ns, id, sid, kind, rid, other, version, before_ms, at_ms, undone_ms, checksum,"
    " actor, detail",
    tables_actions_names, 11, 1);

const memo_table *const memo_summed_tables[] = {
    &memo_table_forgotten, &memo_table_links,        &memo_table_switches, &memo_table_probes,
    &memo_table_settings,  &memo_table_calibrations, &memo_table_entities, &memo_table_aliases,
    &memo_table_facts,     &memo_table_evidence,     &memo_table_searches, &memo_table_shown,
    &memo_table_actions,
};
const size_t memo_n_summed_tables = TABLES_COUNT(memo_summed_tables);

/* ---- cells --------------------------------------------------------------------------------- */

memo_cell memo_cell_int(int64_t v)
{
    return (memo_cell){.kind = MEMO_CELL_INT, .integer = v};
}

memo_cell memo_cell_real(double v)
{
    return (memo_cell){.kind = MEMO_CELL_REAL, .real = v};
}

memo_cell memo_cell_text(const char *bytes, size_t n_bytes)
{
    return (memo_cell){.kind = bytes ? MEMO_CELL_TEXT : MEMO_CELL_NULL, .bytes = {bytes, n_bytes}};
}

memo_cell memo_cell_str(const char *s)
{
    return memo_cell_text(s, s ? strlen(s) : 0);
}

memo_cell memo_cell_blob(const void *bytes, size_t n_bytes)
{
    return (memo_cell){.kind = MEMO_CELL_BLOB, .bytes = {bytes, n_bytes}};
}

char *memo_cell_strdup(memo_arena *arena, const memo_cell *cell)
{
    return memo_arena_strndup(arena, cell->bytes.bytes ? cell->bytes.bytes : "",
                              cell->bytes.bytes ? cell->bytes.n_bytes : 0);
}

int memo_cell_is(const memo_cell *cell, const char *s)
{
    return cell->kind == MEMO_CELL_TEXT && cell->bytes.n_bytes == strlen(s) &&
           memcmp(cell->bytes.bytes, s, cell->bytes.n_bytes) == 0;
}

void memo_damage_add_row(memo_store_damage *damage, const char *what, const memo_cell *id,
                         const memo_cell *number)
{
    char name[96];
    size_t n = id->kind == MEMO_CELL_TEXT ? id->bytes.n_bytes : 0;
    if (n > 0 && n < sizeof name / 2 && memo_utf8_check(id->bytes.bytes, n) == n)
        snprintf(name, sizeof name, "%s %.*s", what, (int)n, id->bytes.bytes);
    else
        snprintf(name, sizeof name, "%s row %" PRId64, what,
                 number->kind == MEMO_CELL_INT ? number->integer : 0);
    memo_damage_add(damage, name);
}

static uint64_t tables_sum_cell(uint64_t h, const memo_cell *cell)
{
    int64_t number = -1;
    if (cell->kind == MEMO_CELL_INT)
        number = cell->integer;
    else if (cell->kind == MEMO_CELL_REAL)
        memcpy(&number, &cell->real, sizeof number);
    else if (cell->kind != MEMO_CELL_NULL)
        number = (int64_t)cell->bytes.n_bytes;
    h = memo_xxh64(&number, sizeof number, h);
    return cell->kind == MEMO_CELL_TEXT || cell->kind == MEMO_CELL_BLOB
               ? memo_xxh64(cell->bytes.bytes, cell->bytes.n_bytes, h)
               : h;
}

int64_t memo_table_sum(const memo_table *table, const memo_cell *cells)
{
    uint64_t h = memo_xxh64(table->name, strlen(table->name), 0);
    for (size_t i = 0; i < table->n_columns; i++)
        if (i != table->checksum)
            h = tables_sum_cell(h, &cells[i]);
    return (int64_t)h;
}

int memo_table_good(const memo_table *table, const memo_cell *cells)
{
    const memo_cell *sum = &cells[table->checksum];
    return sum->kind == MEMO_CELL_INT && sum->integer == memo_table_sum(table, cells);
}

/* ---- writing ------------------------------------------------------------------------------- */

memo_status memo_table_put(memo_sql *sql, const memo_table *table, memo_cell *cells, memo_err *err)
{
    memo_buf text = {0};
    memo_stmt st;
    memo_buf_printf(&text, "INSERT OR REPLACE INTO %s(%s) VALUES(", table->name, table->columns);
    for (size_t i = 0; i < table->n_columns; i++)
        memo_buf_puts(&text, i ? ",?" : "?");
    memo_buf_putc(&text, ')');
    cells[table->checksum] = memo_cell_int(memo_table_sum(table, cells));
    st = memo_stmt_built(sql, &text, "write a row");
    memo_cells_bind(&st, cells, table->n_columns);
    memo_buf_fini(&text);
    return memo_stmt_run(&st, err);
}

memo_status memo_tombstone_put(memo_sql *sql, const memo_row *row, int64_t seq, int64_t now_ms,
                               memo_err *err)
{
    memo_cell cells[] = {memo_cell_int(seq),
                         memo_cell_int(row->ns),
                         memo_cell_int(row->rid),
                         memo_cell_int(now_ms),
                         memo_cell_int(0),
                         memo_cell_int(0),
                         memo_cell_text(row->id.bytes, row->id.n_bytes),
                         memo_cell_text(row->key.bytes, row->key.n_bytes)};
    return memo_table_put(sql, &memo_table_forgotten, cells, err);
}

memo_status memo_tombstone_mark(memo_sql *sql, int64_t seq, memo_tombstone_state state,
                                memo_err *err)
{
    memo_cell cells[8];
    int more;
    memo_status status;
    memo_stmt st = memo_stmt_keep(sql,
                                  "SELECT seq, ns, rid, deleted_ms, shredded, checksum, id, key"
                                  " FROM forgotten WHERE seq = ?",
                                  "read a tombstone");
    memo_stmt_int(&st, seq);
    status = memo_stmt_step(&st, &more, err);
    if (!status && more) {
        memo_cells_take(&st, cells, 8);
        if (memo_table_good(&memo_table_forgotten, cells)) {
            cells[4] = memo_cell_int(state);
            cells[7] = memo_cell_str(NULL);
            status = memo_table_put(sql, &memo_table_forgotten, cells, err);
        }
    }
    memo_stmt_done(&st);
    return status;
}

memo_status memo_store_next_id(memo_sql *sql, const char *table, int64_t *id, memo_err *err)
{
    int row;
    int64_t last;
    memo_status status;
    memo_stmt st =
        memo_stmt_keep(sql, "SELECT seq FROM sqlite_sequence WHERE name = ?", "number a row");
    memo_stmt_str(&st, table);
    status = memo_stmt_step(&st, &row, err);
    last = !status && row ? memo_stmt_col_int(&st, 0) : 0;
    memo_stmt_done(&st);
    if (!status && (last < 0 || last == INT64_MAX))
        status = memo_fail(err, MEMO_ERR_CORRUPT, "%s: row id %" PRId64 " in table %s", sql->path,
                           last, table);
    if (!status)
        *id = last + 1;
    return status;
}
