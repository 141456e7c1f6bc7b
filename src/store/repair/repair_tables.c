// SPDX-License-Identifier: Apache-2.0
/* The tables whose rows are lists of cells (rows/cells.h), put in order: first rows whose checksum
 * fails go to quarantine, then rows that refer to what is not there (any more). */
#include <stdio.h>

#include "base/error.h"
#include "store/repair/repair.h"
#include "store/rows/cells.h"

/* A row that was found, with its values in the arena; the table is changed after the pass. */
typedef struct tables_row {
    struct tables_row *next;
    memo_cell cells[MEMO_CELLS_MAX];
} tables_row;

typedef struct tables_work {
    memo_sql *sql;
    const memo_repair *repair;
    memo_arena arena; /* of one pass */
    tables_row *rows;
    size_t n;
    uint64_t n_moved;
} tables_work;

static memo_status tables_remember(tables_work *w, const memo_table *table, const memo_cell *cells,
                                   memo_err *err)
{
    tables_row *row = memo_arena_alloc(&w->arena, sizeof *row);
    if (!row)
        return memo_fail_nomem(err, "damaged rows", sizeof *row);
    for (size_t i = 0; i < table->n_columns; i++) {
        row->cells[i] = cells[i];
        if (!cells[i].bytes.bytes)
            continue;
        row->cells[i].bytes.bytes =
            memo_arena_strndup(&w->arena, cells[i].bytes.bytes, cells[i].bytes.n_bytes);
        if (!row->cells[i].bytes.bytes)
            return memo_fail_nomem(err, "a damaged row", cells[i].bytes.n_bytes);
    }
    row->next = w->rows;
    w->rows = row;
    w->n++;
    return MEMO_OK;
}

/* The row is known by all its values: not every table has row ids. */
static memo_status tables_delete(tables_work *w, const memo_table *table, const memo_cell *cells,
                                 memo_err *err)
{
    memo_buf text = {0};
    memo_stmt st;
    memo_status status;
    memo_buf_printf(&text, "DELETE FROM %s WHERE ", table->name);
    for (size_t i = 0; i < table->n_columns; i++)
        memo_buf_printf(&text, "%s%s IS ?%zu", i ? " AND " : "", table->names[i], i + 1);
    st = memo_stmt_built(w->sql, &text, "remove a damaged row");
    memo_cells_bind(&st, cells, table->n_columns);
    status = memo_stmt_run(&st, err);
    memo_buf_fini(&text);
    return status;
}

/* The record that a row is about, by one of its columns; of a fact or a search the only one. */
static const struct {
    const memo_table *table;
    size_t column;
    const char *query;
} tables_about[] = {
    {&memo_table_links, 0, "SELECT id FROM records WHERE rid = ?"},
    {&memo_table_evidence, 1, "SELECT id FROM records WHERE rid = ?"},
    {&memo_table_shown, 2, "SELECT id FROM records WHERE rid = ?"},
    {&memo_table_actions, 5, "SELECT id FROM records WHERE rid = ?"},
    {&memo_table_facts, 0,
     "SELECT max(r.id) FROM evidence e JOIN records r ON r.rid = e.rid WHERE e.fid = ?"
     " HAVING count(DISTINCT r.rid) = 1"},
    {&memo_table_searches, 0,
     "SELECT max(r.id) FROM shown s JOIN records r ON r.rid = s.rid WHERE s.sid = ?"
     " HAVING count(DISTINCT r.rid) = 1"},
};

/* Its id, by which the row is found in quarantine when the record is forgotten; "" when there is none. */
static memo_status tables_name_record(tables_work *w, const memo_table *table,
                                      const memo_cell *cells, char id[40], memo_err *err)
{
    memo_status status = MEMO_OK;
    id[0] = '\0';
    for (size_t i = 0; !status && i < sizeof tables_about / sizeof *tables_about; i++) {
        int more;
        memo_stmt st;
        if (tables_about[i].table != table)
            continue;
        st = memo_stmt_keep(w->sql, tables_about[i].query, "read an id");
        memo_stmt_int(&st, cells[tables_about[i].column].integer);
        status = memo_stmt_step(&st, &more, err);
        if (!status && more && memo_stmt_col_text(&st, 0).bytes)
            snprintf(id, 40, "%.39s", memo_stmt_col_text(&st, 0).bytes);
        memo_stmt_done(&st);
    }
    return status;
}

static memo_status tables_move(tables_work *w, const memo_table *table, const char *reason,
                               memo_err *err)
{
    memo_status status = MEMO_OK;
    if (w->n)
        memo_repair_say(w->repair, MEMO_FINDING_WARN, "tables", "",
                        "%zu row%s of table %s: %s; to quarantine", w->n, w->n == 1 ? "" : "s",
                        table->name, reason);
    for (tables_row *row = w->rows; !status && row; row = row->next) {
        char id[40];
        int64_t number = row->cells[0].kind == MEMO_CELL_INT ? row->cells[0].integer : 0;
        status = tables_name_record(w, table, row->cells, id, err);
        if (!status)
            status =
                memo_quarantine_put(w->sql, w->repair, table, number, id, reason, row->cells, err);
        if (!status)
            status = tables_delete(w, table, row->cells, err);
        w->n_moved += !status;
    }
    memo_arena_fini(&w->arena);
    w->rows = NULL;
    w->n = 0;
    return status;
}

/* Rows that a condition picks; all of them, where it is NULL, whose checksum fails. */
static memo_status tables_pass(tables_work *w, const memo_table *table, const char *condition,
                               const char *reason, memo_err *err)
{
    memo_buf text = {0};
    memo_cell cells[MEMO_CELLS_MAX];
    memo_stmt st;
    int more;
    memo_status status;
    memo_buf_printf(&text, "SELECT %s FROM %s%s%s", table->columns, table->name,
                    condition ? " WHERE " : "", condition ? condition : "");
    st = memo_stmt_built(w->sql, &text, "read its rows");
    while (!(status = memo_stmt_step(&st, &more, err)) && more) {
        memo_cells_take(&st, cells, table->n_columns);
        if (condition || !memo_table_good(table, cells))
            status = tables_remember(w, table, cells, err);
        if (status)
            break;
    }
    memo_stmt_done(&st);
    memo_buf_fini(&text);
    if (!status)
        return tables_move(w, table, reason, err);
    memo_arena_fini(&w->arena);
    w->rows = NULL;
    return status;
}

/* In this order: what a row refers to has been settled before it. */
static const struct {
    const memo_table *table;
    const char *condition, *reason;
} tables_dangling[] = {
    {&memo_table_switches,
     "next NOT IN (SELECT id FROM spaces) OR previous NOT IN (SELECT id FROM spaces)",
     "its space is lost"},
    {&memo_table_probes, "space NOT IN (SELECT id FROM spaces)", "its space is lost"},
    {&memo_table_calibrations, "space NOT IN (SELECT id FROM spaces)", "its space is lost"},
    {&memo_table_aliases, "eid NOT IN (SELECT eid FROM entities)", "its entity is lost"},
    {&memo_table_facts,
     "subject NOT IN (SELECT eid FROM entities) OR object NOT IN (SELECT eid FROM entities)",
     "an entity of it is lost"},
    {&memo_table_evidence, "fid NOT IN (SELECT fid FROM facts)", "its fact is lost"},
    {&memo_table_evidence, "rid NOT IN (SELECT rid FROM records)", "its record is lost"},
    {&memo_table_links,
     "rid NOT IN (SELECT rid FROM records)"
     " OR (other NOT IN (SELECT rid FROM records) AND NOT (other = 0 AND kind = 2))",
     "a record of it is lost"},
    {&memo_table_shown, "sid NOT IN (SELECT sid FROM searches)", "its search is lost"},
    {&memo_table_shown, "rid NOT IN (SELECT rid FROM records)", "its record is lost"},
};

/* References are proved at the commit: in between an entity may be gone before its aliases. */
memo_status memo_repair_tables(memo_sql *sql, const memo_repair *repair, int *changed,
                               memo_err *err)
{
    tables_work w = {.sql = sql, .repair = repair};
    memo_status status =
        memo_sql_exec(sql, "PRAGMA defer_foreign_keys = ON", "put its rows in order", err);
    for (size_t i = 0; !status && i < memo_n_summed_tables; i++)
        status = tables_pass(&w, memo_summed_tables[i], NULL, "its checksum does not match", err);
    for (size_t i = 0; !status && i < sizeof tables_dangling / sizeof *tables_dangling; i++)
        status = tables_pass(&w, tables_dangling[i].table, tables_dangling[i].condition,
                             tables_dangling[i].reason, err);
    *changed |= w.n_moved != 0;
    return status;
}
