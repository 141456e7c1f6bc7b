// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "base/error.h"
#include "store/facts/fact_rows.h"
#include "store/rows/page.h"

enum { ENTITY_EID, ENTITY_NS, ENTITY_ID, ENTITY_SEQ, ENTITY_CREATED, ENTITY_UPDATED };
enum { ENTITY_KIND = 7, ENTITY_NAME, ENTITY_METADATA, ENTITY_N_COLUMNS };
enum { ALIAS_NS, ALIAS_FOLDED, ALIAS_EID, ALIAS_TEXT = 4, ALIAS_N_COLUMNS };

#define ENTITY_COLUMNS                                                                             \
    "n.eid, n.ns, n.id, n.seq, n.created_ms, n.updated_ms, n.checksum, n.kind, n.name, n.metadata"

/* ---- reading ------------------------------------------------------------------------------- */

/* A whole row's strings, copied; zero on lack of memory. */
static int entity_from_cells(const memo_cell *cells, memo_arena *arena, void *out)
{
    memo_entity_row *row = out;
    *row = (memo_entity_row){
        .eid = cells[ENTITY_EID].integer,
        .ns = cells[ENTITY_NS].integer,
        .id = memo_cell_strdup(arena, &cells[ENTITY_ID]),
        .seq = cells[ENTITY_SEQ].integer,
        .created_ms = cells[ENTITY_CREATED].integer,
        .updated_ms = cells[ENTITY_UPDATED].integer,
        .kind = memo_cell_strdup(arena, &cells[ENTITY_KIND]),
        .name = memo_cell_strdup(arena, &cells[ENTITY_NAME]),
        .metadata = memo_cell_strdup(arena, &cells[ENTITY_METADATA]),
    };
    return row->id && row->kind && row->name && row->metadata;
}

static void entity_scope_sql(memo_buf *sql, const void *user)
{
    const memo_entity_scope *scope = user;
    memo_buf_puts(sql, "SELECT " ENTITY_COLUMNS);
    memo_buf_puts(sql,
                  scope->folded ? ", a.ns, a.folded, a.eid, a.checksum, a.alias FROM " : " FROM ");
    if (scope->folded)
        memo_buf_puts(sql, "aliases a CROSS JOIN entities n ON n.eid = a.eid"
                           " WHERE a.ns = ? AND a.folded = ?");
    else
        memo_buf_puts(sql, "entities n WHERE n.ns = ?");
    memo_buf_puts(sql, " AND n.eid > ?");
    if (scope->eid)
        memo_buf_puts(sql, " AND n.eid = ?");
    if (scope->id)
        memo_buf_puts(sql, " AND n.id = ?");
    if (scope->kind)
        memo_buf_puts(sql, " AND n.kind = ?");
    memo_buf_puts(sql, " ORDER BY n.eid LIMIT ?");
}

static void entity_scope_bind(memo_stmt *st, const void *user, size_t limit)
{
    const memo_entity_scope *scope = user;
    memo_stmt_int(st, scope->ns);
    if (scope->folded)
        memo_stmt_str(st, scope->folded);
    memo_stmt_int(st, scope->after);
    if (scope->eid)
        memo_stmt_int(st, scope->eid);
    if (scope->id)
        memo_stmt_str(st, scope->id);
    if (scope->kind)
        memo_stmt_str(st, scope->kind);
    memo_stmt_int(st, (int64_t)limit + 1);
}

/* An alias may lead to another, too. */
static int entity_is_asked(const void *user, const memo_cell *cells)
{
    const memo_entity_scope *scope = user;
    const memo_cell *alias = cells + ENTITY_N_COLUMNS;
    if (scope->folded && (!memo_table_good(&memo_table_aliases, alias) ||
                          !memo_cell_is(&alias[ALIAS_FOLDED], scope->folded)))
        return 0;
    return cells[ENTITY_NS].integer == scope->ns &&
           (!scope->id || memo_cell_is(&cells[ENTITY_ID], scope->id));
}

static const memo_page_kind entity_pages = {
    .table = &memo_table_entities,
    .doing = "read entities",
    .row_bytes = sizeof(memo_entity_row),
    .sql = entity_scope_sql,
    .bind = entity_scope_bind,
    .is_asked = entity_is_asked,
    .take = entity_from_cells,
};

memo_status memo_store_list_entities(memo_store *store, const memo_entity_scope *scope,
                                     memo_entity_page *page, memo_err *err)
{
    memo_page read = {.arena = page->arena, .damage = page->damage, .limit = page->limit};
    memo_status status = memo_page_read(store, &entity_pages, scope, &read, err);
    if (!status) {
        page->n = read.n;
        page->rows = read.rows;
        page->more = read.more;
    }
    return status;
}

typedef struct alias_args {
    int64_t ns, eid;
    memo_arena *arena;
    memo_store_damage *damage;
    memo_alias_row *rows;
    size_t n;
} alias_args;

static memo_status alias_count(memo_sql *sql, const alias_args *a, int64_t *n, memo_err *err)
{
    int row;
    memo_stmt st =
        memo_stmt_keep(sql, "SELECT count(*) FROM aliases WHERE eid = ?", "count aliases");
    memo_status status;
    memo_stmt_int(&st, a->eid);
    status = memo_stmt_step(&st, &row, err);
    *n = !status && row ? memo_stmt_col_int(&st, 0) : 0;
    memo_stmt_done(&st);
    return status;
}

static int alias_from_cells(const memo_cell *cells, memo_arena *arena, memo_alias_row *row)
{
    row->folded = memo_cell_strdup(arena, &cells[ALIAS_FOLDED]);
    row->alias = memo_cell_strdup(arena, &cells[ALIAS_TEXT]);
    return row->folded && row->alias;
}

/* In order, each once: past a damaged page rows may come twice, or where they do not belong. */
static int alias_follows(const alias_args *a, const memo_cell *cells)
{
    return a->n == 0 || strcmp(cells[ALIAS_FOLDED].bytes.bytes, a->rows[a->n - 1].folded) > 0;
}

static memo_status alias_read_all(memo_store *store, memo_sql *sql, void *user, memo_err *err)
{
    alias_args *a = user;
    memo_cell cells[ALIAS_N_COLUMNS];
    int64_t n_rows = 0;
    int more;
    memo_stmt st;
    memo_status status = alias_count(sql, a, &n_rows, err);
    (void)store;
    if (status)
        return status;
    a->n = 0;
    a->rows = memo_arena_array(a->arena, (size_t)n_rows + 1, sizeof *a->rows);
    if (!a->rows)
        return memo_fail_nomem(err, "aliases", (size_t)n_rows * sizeof *a->rows);
    st = memo_stmt_keep(sql,
                        "SELECT ns, folded, eid, checksum, alias FROM aliases WHERE eid = ?"
                        " ORDER BY folded LIMIT ?",
                        "read aliases");
    memo_stmt_int(&st, a->eid);
    memo_stmt_int(&st, n_rows);
    while (!(status = memo_stmt_step(&st, &more, err)) && more) {
        memo_cells_take(&st, cells, ALIAS_N_COLUMNS);
        if (!memo_table_good(&memo_table_aliases, cells) || cells[ALIAS_NS].integer != a->ns ||
            cells[ALIAS_EID].integer != a->eid || !alias_follows(a, cells))
            memo_damage_add_row(a->damage, "alias", &cells[ALIAS_TEXT], &cells[ALIAS_EID]);
        else if (!alias_from_cells(cells, a->arena, &a->rows[a->n++]))
            status = memo_fail_nomem(err, "an alias", sizeof *a->rows);
        if (status)
            break;
    }
    memo_stmt_done(&st);
    return status;
}

memo_status memo_store_list_aliases(memo_store *store, int64_t ns, int64_t eid, memo_arena *arena,
                                    memo_store_damage *damage, memo_alias_row **rows, size_t *n,
                                    memo_err *err)
{
    alias_args args = {.ns = ns, .eid = eid, .arena = arena, .damage = damage};
    memo_status status = memo_store_read(store, alias_read_all, &args, damage, err);
    if (!status) {
        *rows = args.rows;
        *n = args.n;
    }
    return status;
}

typedef struct alias_any {
    int64_t ns;
    int any;
} alias_any;

static memo_status alias_read_any(memo_store *store, memo_sql *sql, void *user, memo_err *err)
{
    alias_any *a = user;
    memo_status status;
    memo_stmt st =
        memo_stmt_keep(sql, "SELECT 1 FROM aliases WHERE ns = ? LIMIT 1", "read aliases");
    memo_stmt_int(&st, a->ns);
    status = memo_stmt_step(&st, &a->any, err);
    a->any |= sql == &store->salvage; /* past a bad page: nothing proves that there are none */
    memo_stmt_done(&st);
    return status;
}

memo_status memo_store_has_aliases(memo_store *store, int64_t ns, int *any, memo_err *err)
{
    alias_any args = {.ns = ns};
    memo_status status = memo_store_read(store, alias_read_any, &args, NULL, err);
    if (!status)
        *any = args.any;
    return status;
}

/* ---- writing ------------------------------------------------------------------------------- */

memo_status memo_store_put_entity(memo_store *store, memo_entity_row *row, memo_arena *arena,
                                  memo_err *err)
{
    memo_status status = memo_store_check_write(store, err);
    if (status)
        return status;
    if (row->eid || !row->id) /* else it brings its times */
        row->updated_ms = memo_now_ms(store->ctx);
    row->seq = ++store->seq;
    if (!row->eid) {
        if (!row->id)
            row->created_ms = row->updated_ms;
        status = memo_store_new_id(store, "entities", &row->id, &row->eid, arena, err);
    }
    memo_cell cells[ENTITY_N_COLUMNS] = {memo_cell_int(row->eid),
                                         memo_cell_int(row->ns),
                                         memo_cell_str(row->id),
                                         memo_cell_int(row->seq),
                                         memo_cell_int(row->created_ms),
                                         memo_cell_int(row->updated_ms),
                                         memo_cell_int(0),
                                         memo_cell_str(row->kind),
                                         memo_cell_str(row->name),
                                         memo_cell_str(row->metadata)};
    return status ? status : memo_table_put(&store->sql, &memo_table_entities, cells, err);
}

memo_status memo_store_put_alias(memo_store *store, int64_t ns, int64_t eid,
                                 const memo_alias_row *alias, memo_err *err)
{
    memo_cell cells[ALIAS_N_COLUMNS] = {memo_cell_int(ns), memo_cell_str(alias->folded),
                                        memo_cell_int(eid), memo_cell_int(0),
                                        memo_cell_str(alias->alias)};
    memo_status status = memo_store_check_write(store, err);
    return status ? status : memo_table_put(&store->sql, &memo_table_aliases, cells, err);
}

memo_status memo_store_delete_alias(memo_store *store, int64_t ns, int64_t eid, const char *folded,
                                    memo_err *err)
{
    memo_status status = memo_store_check_write(store, err);
    memo_stmt st;
    if (status)
        return status;
    st = memo_stmt_keep(&store->sql, "DELETE FROM aliases WHERE ns = ? AND folded = ? AND eid = ?",
                        "remove an alias");
    memo_stmt_int(&st, ns);
    memo_stmt_str(&st, folded);
    memo_stmt_int(&st, eid);
    return memo_stmt_run(&st, err);
}

static memo_status entity_delete_by(memo_store *store, const char *constant, int64_t eid,
                                    memo_err *err)
{
    memo_stmt st = memo_stmt_keep(&store->sql, constant, "remove an entity");
    memo_stmt_int(&st, eid);
    return memo_stmt_run(&st, err);
}

memo_status memo_store_delete_entity(memo_store *store, const memo_entity_row *row, memo_err *err)
{
    const memo_row gone = {.ns = row->ns, .id = {row->id, strlen(row->id)}};
    memo_status status = memo_store_check_write(store, err);
    if (!status)
        status = entity_delete_by(store, "DELETE FROM aliases WHERE eid = ?", row->eid, err);
    if (!status)
        status = entity_delete_by(store, "DELETE FROM entities WHERE eid = ?", row->eid, err);
    return status
               ? status
               : memo_tombstone_put(&store->sql, &gone, ++store->seq, memo_now_ms(store->ctx), err);
}
