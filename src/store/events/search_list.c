// SPDX-License-Identifier: Apache-2.0
/* Reading searches back: each proved by its checksum, with what is left of what it showed. */
#include <string.h>

#include "base/error.h"
#include "base/grow.h"
#include "store/events/event_rows.h"
#include "store/rows/page.h"

static void search_list_sql(memo_buf *sql, const void *user)
{
    const memo_search_scope *scope = user;
    memo_buf_puts(sql, "SELECT " MEMO_SEARCH_COLUMNS " FROM searches q WHERE q.ns = ?1");
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

static void search_list_bind(memo_stmt *st, const void *user, size_t limit)
{
    const memo_search_scope *scope = user;
    memo_stmt_int(st, scope->ns);
    memo_stmt_int(st, scope->before);
    memo_stmt_int(st, scope->sid);
    memo_stmt_int(st, scope->rid);
    memo_stmt_int(st, scope->since_ms);
    memo_stmt_int(st, scope->until_ms);
    memo_stmt_int(st, (int64_t)limit + 1);
}

static int search_list_is_asked(const void *user, const memo_cell *cells)
{
    const memo_search_scope *scope = user;
    return cells[MEMO_SEARCH_NS].integer == scope->ns &&
           (!scope->sid || cells[MEMO_SEARCH_SID].integer == scope->sid);
}

static int search_list_text(memo_arena *arena, const memo_cell *cell, memo_text *out)
{
    out->bytes = memo_cell_strdup(arena, cell);
    out->n_bytes = out->bytes ? strlen(out->bytes) : 0;
    return out->bytes != NULL;
}

/* A whole row's strings, copied; zero on lack of memory. */
static int search_list_take(const memo_cell *cells, memo_arena *arena, void *row)
{
    memo_seen_search *out = row;
    *out = (memo_seen_search){.sid = cells[MEMO_SEARCH_SID].integer,
                              .search = {.ns = cells[MEMO_SEARCH_NS].integer,
                                         .id = memo_cell_strdup(arena, &cells[MEMO_SEARCH_ID]),
                                         .at_ms = cells[MEMO_SEARCH_AT].integer,
                                         .mode = cells[MEMO_SEARCH_MODE].integer,
                                         .cls = cells[MEMO_SEARCH_CLASS].integer,
                                         .space = cells[MEMO_SEARCH_SPACE].integer}};
    return out->search.id &&
           search_list_text(arena, &cells[MEMO_SEARCH_ACTOR], &out->search.actor) &&
           search_list_text(arena, &cells[MEMO_SEARCH_SURFACE], &out->search.surface) &&
           search_list_text(arena, &cells[MEMO_SEARCH_FILTER], &out->search.filter) &&
           search_list_text(arena, &cells[MEMO_SEARCH_QUERY], &out->search.query);
}

/* ---- what it showed ------------------------------------------------------------------------ */

static memo_status search_list_shown_row(memo_sql *sql, const memo_cell *cells,
                                         const memo_page *page, memo_seen_shown *out, memo_err *err)
{
    memo_chunk_row chunk;
    int found = 0;
    memo_status status;
    *out = (memo_seen_shown){.position = cells[MEMO_SHOWN_POSITION].integer,
                             .n_bytes = cells[MEMO_SHOWN_FEATURES].bytes.n_bytes};
    out->features = (const unsigned char *)memo_arena_strndup(
        page->arena, cells[MEMO_SHOWN_FEATURES].bytes.bytes,
        cells[MEMO_SHOWN_FEATURES].bytes.n_bytes);
    if (!out->features)
        return memo_fail_nomem(err, "what was shown", cells[MEMO_SHOWN_FEATURES].bytes.n_bytes);
    status = memo_event_record_id(sql, cells[MEMO_SHOWN_RID].integer, page->arena, page->damage,
                                  &out->record_id, err);
    if (!status)
        status = memo_chunk_find(sql, cells[MEMO_SHOWN_CID].integer, &chunk, &found, err);
    out->chunk = !status && found && memo_chunk_sum(&chunk) == chunk.checksum ? chunk.position : -1;
    return status;
}

static memo_status search_list_shown(memo_sql *sql, const memo_page *page, void *row, memo_err *err)
{
    memo_seen_search *seen = row;
    memo_seen_shown *grown;
    memo_cell cells[MEMO_SHOWN_N_COLUMNS];
    size_t cap = 0;
    int more;
    memo_status status;
    memo_stmt st = memo_stmt_keep(sql, MEMO_SHOWN_OF_SEARCH, "read what was shown");
    memo_stmt_int(&st, seen->sid);
    while (!(status = memo_stmt_step(&st, &more, err)) && more) {
        memo_cells_take(&st, cells, MEMO_SHOWN_N_COLUMNS);
        if (!memo_table_good(&memo_table_shown, cells) ||
            cells[MEMO_SHOWN_SID].integer != seen->sid) {
            memo_damage_add_row(page->damage, "what was shown by search", &cells[MEMO_SHOWN_SID],
                                &cells[MEMO_SHOWN_SID]);
            continue;
        }
        grown = memo_arena_grow(page->arena, seen->shown, seen->n_shown, &cap, sizeof *grown);
        if (!grown) {
            status = memo_fail_nomem(err, "what was shown", (seen->n_shown + 1) * sizeof *grown);
            break;
        }
        seen->shown = grown;
        status = search_list_shown_row(sql, cells, page, &seen->shown[seen->n_shown++], err);
        if (status)
            break;
    }
    memo_stmt_done(&st);
    return status;
}

/* ---- a page of them ------------------------------------------------------------------------ */

static const memo_page_kind search_pages = {
    .table = &memo_table_searches,
    .doing = "read searches",
    .row_bytes = sizeof(memo_seen_search),
    .sql = search_list_sql,
    .bind = search_list_bind,
    .is_asked = search_list_is_asked,
    .take = search_list_take,
    .complete = search_list_shown,
};

memo_status memo_store_list_searches(memo_store *store, const memo_search_scope *scope,
                                     memo_search_page *page, memo_err *err)
{
    memo_page read = {.arena = page->arena, .damage = page->damage, .limit = page->limit};
    memo_status status = memo_page_read(store, &search_pages, scope, &read, err);
    if (!status) {
        page->n = read.n;
        page->rows = read.rows;
        page->more = read.more;
    }
    return status;
}
