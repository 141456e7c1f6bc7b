// SPDX-License-Identifier: Apache-2.0
/* Reading searches back: each proved by its checksum, with what is left of what it showed. */
#include <string.h>

#include "base/error.h"
#include "store/events/event_rows.h"
#include "store/rows/cells.h"
#include "store/rows/rows.h"

enum { SEARCH_LIST_COLUMNS = 12, SEARCH_LIST_SHOWN = 6 };

static void search_list_sql(memo_buf *sql, const memo_search_scope *scope)
{
    memo_buf_puts(sql, "SELECT q.sid, q.ns, q.id, q.at_ms, q.mode, q.class, q.space, q.checksum,"
                       " q.actor, q.surface, q.filter, q.query FROM searches q WHERE q.ns = ?1");
    if (scope->before)
        memo_buf_puts(sql, " AND q.sid < ?2");
    if (scope->sid)
        memo_buf_puts(sql, " AND q.sid = ?3");
    if (scope->rid)
        memo_buf_puts(sql, " AND q.sid IN (SELECT s.sid FROM shown s WHERE s.rid = ?4)");
    if (scope->since_ms)
        memo_buf_puts(sql, " AND q.at_ms >= ?5");
    if (scope->until_ms)
        memo_buf_puts(sql, " AND q.at_ms < ?6");
    memo_buf_puts(sql, " ORDER BY q.sid DESC LIMIT ?7");
}

static void search_list_bind(memo_stmt *st, const memo_search_scope *scope, size_t limit)
{
    memo_stmt_int(st, scope->ns);
    memo_stmt_int(st, scope->before);
    memo_stmt_int(st, scope->sid);
    memo_stmt_int(st, scope->rid);
    memo_stmt_int(st, scope->since_ms);
    memo_stmt_int(st, scope->until_ms);
    memo_stmt_int(st, (int64_t)limit + 1);
}

/* The row is whole, and one that was asked for: an index may lead to another. */
static int search_list_is_proven(const memo_search_scope *scope, const memo_cell *cells)
{
    return memo_table_good(&memo_table_searches, cells) && cells[1].integer == scope->ns &&
           (!scope->sid || cells[0].integer == scope->sid);
}

static int search_list_text(memo_arena *arena, const memo_cell *cell, memo_text *out)
{
    out->bytes = memo_cell_strdup(arena, cell);
    out->n_bytes = out->bytes ? strlen(out->bytes) : 0;
    return out->bytes != NULL;
}

/* A whole row's strings, copied; zero on lack of memory. */
static int search_list_take(memo_arena *arena, const memo_cell *cells, memo_seen_search *out)
{
    *out = (memo_seen_search){.sid = cells[0].integer,
                              .search = {.ns = cells[1].integer,
                                         .id = memo_cell_strdup(arena, &cells[2]),
                                         .at_ms = cells[3].integer,
                                         .mode = cells[4].integer,
                                         .cls = cells[5].integer,
                                         .space = cells[6].integer}};
    return out->search.id && search_list_text(arena, &cells[8], &out->search.actor) &&
           search_list_text(arena, &cells[9], &out->search.surface) &&
           search_list_text(arena, &cells[10], &out->search.filter) &&
           search_list_text(arena, &cells[11], &out->search.query);
}

/* ---- what it showed ------------------------------------------------------------------------ */

static memo_status search_list_shown_row(memo_sql *sql, const memo_cell *cells,
                                         memo_search_page *page, memo_seen_shown *out,
                                         memo_err *err)
{
    memo_chunk_row chunk;
    int found = 0;
    memo_status status;
    *out = (memo_seen_shown){.position = cells[1].integer, .n_bytes = cells[5].bytes.n_bytes};
    out->features = (const unsigned char *)memo_arena_strndup(page->arena, cells[5].bytes.bytes,
                                                              cells[5].bytes.n_bytes);
    if (!out->features)
        return memo_fail_nomem(err, "what was shown", cells[5].bytes.n_bytes);
    status = memo_event_record_id(sql, cells[2].integer, page->arena, page->damage, &out->record_id,
                                  err);
    if (!status)
        status = memo_chunk_find(sql, cells[3].integer, &chunk, &found, err);
    out->chunk = !status && found && memo_chunk_sum(&chunk) == chunk.checksum ? chunk.position : -1;
    return status;
}

static memo_status search_list_shown(memo_sql *sql, memo_search_page *page, memo_seen_search *seen,
                                     memo_err *err)
{
    memo_cell cells[SEARCH_LIST_SHOWN];
    size_t cap = 0;
    int more;
    memo_status status;
    memo_stmt st = memo_stmt_keep(sql,
                                  "SELECT sid, position, rid, cid, checksum, features FROM shown"
                                  " WHERE sid = ? ORDER BY position",
                                  "read what was shown");
    memo_stmt_int(&st, seen->sid);
    while (!(status = memo_stmt_step(&st, &more, err)) && more) {
        memo_cells_take(&st, cells, SEARCH_LIST_SHOWN);
        if (!memo_table_good(&memo_table_shown, cells) || cells[0].integer != seen->sid) {
            memo_damage_add_row(page->damage, "what was shown by search", &cells[0], &cells[0]);
            continue;
        }
        if (seen->n_shown == cap) {
            memo_seen_shown *grown =
                memo_arena_array(page->arena, cap ? cap * 2 : 16, sizeof *grown);
            if (!grown) {
                status = memo_fail_nomem(err, "what was shown", cap * sizeof *grown);
                break;
            }
            if (cap)
                memcpy(grown, seen->shown, cap * sizeof *grown);
            seen->shown = grown;
            cap = cap ? cap * 2 : 16;
        }
        status = search_list_shown_row(sql, cells, page, &seen->shown[seen->n_shown++], err);
        if (status)
            break;
    }
    memo_stmt_done(&st);
    return status;
}

/* ---- a page of them ------------------------------------------------------------------------ */

typedef struct search_list_args {
    const memo_search_scope *scope;
    memo_search_page *page;
} search_list_args;

static memo_status search_list_run(memo_store *store, memo_sql *sql, void *user, memo_err *err)
{
    const search_list_args *a = user;
    memo_search_page *page = a->page;
    memo_cell cells[SEARCH_LIST_COLUMNS];
    memo_buf text = {0};
    int more;
    memo_status status;
    memo_stmt st;
    (void)store;
    page->n = 0;
    page->more = 0;
    page->rows = memo_arena_array(page->arena, page->limit, sizeof *page->rows);
    if (!page->rows)
        return memo_fail_nomem(err, "searches", page->limit * sizeof *page->rows);
    search_list_sql(&text, a->scope);
    st = memo_stmt_built(sql, &text, "read searches");
    search_list_bind(&st, a->scope, page->limit);
    while (!(status = memo_stmt_step(&st, &more, err)) && more) {
        memo_cells_take(&st, cells, SEARCH_LIST_COLUMNS);
        if (!search_list_is_proven(a->scope, cells))
            memo_damage_add_row(page->damage, "search", &cells[2], &cells[0]);
        else if ((page->more = page->n == page->limit))
            break;
        else if (!search_list_take(page->arena, cells, &page->rows[page->n++]))
            status = memo_fail_nomem(err, "a search", sizeof *page->rows);
        if (status)
            break;
    }
    memo_stmt_done(&st);
    memo_buf_fini(&text);
    for (size_t i = 0; i < page->n && !status; i++)
        status = search_list_shown(sql, page, &page->rows[i], err);
    return status;
}

memo_status memo_store_list_searches(memo_store *store, const memo_search_scope *scope,
                                     memo_search_page *page, memo_err *err)
{
    search_list_args args = {scope, page};
    return memo_store_read(store, search_list_run, &args, page->damage, err);
}
