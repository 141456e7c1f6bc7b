// SPDX-License-Identifier: Apache-2.0
#include "store/rows/page.h"

#include "base/error.h"

typedef struct page_args {
    const memo_page_kind *kind;
    const void *scope;
    memo_page page;
} page_args;

static void *page_row(const page_args *a, size_t i)
{
    return (char *)a->page.rows + i * a->kind->row_bytes;
}

static memo_status page_take(page_args *a, memo_cell *cells, memo_err *err)
{
    const memo_page_kind *kind = a->kind;
    memo_page *page = &a->page;
    if (!memo_table_good(kind->table, cells) || !kind->is_asked(a->scope, cells)) {
        memo_damage_add_row(page->damage, kind->table->area, &cells[MEMO_PAGE_ID],
                            &cells[MEMO_PAGE_NUMBER]);
        return MEMO_OK;
    }
    if (kind->fits && !kind->fits(a->scope, cells))
        return MEMO_OK;
    page->more = page->n == page->limit;
    if (!page->more && !kind->take(cells, page->arena, page_row(a, page->n++)))
        return memo_fail_nomem(err, kind->table->area, kind->row_bytes);
    return MEMO_OK;
}

static memo_status page_read(memo_store *store, memo_sql *sql, void *user, memo_err *err)
{
    page_args *a = user;
    memo_page *page = &a->page;
    memo_cell cells[MEMO_CELLS_MAX];
    memo_buf text = {0};
    int row;
    memo_status status = MEMO_OK;
    memo_stmt st;
    (void)store;
    page->n = 0;
    page->more = 0;
    page->rows = memo_arena_array(page->arena, page->limit, a->kind->row_bytes);
    if (!page->rows)
        return memo_fail_nomem(err, a->kind->table->name, page->limit * a->kind->row_bytes);
    a->kind->sql(&text, a->scope);
    st = memo_stmt_built(sql, &text, a->kind->doing);
    a->kind->bind(&st, a->scope, page->limit);
    while (!page->more && !(status = memo_stmt_step(&st, &row, err)) && row) {
        memo_cells_take(&st, cells, (size_t)sqlite3_column_count(st.s));
        status = page_take(a, cells, err);
        if (status)
            break;
    }
    memo_stmt_done(&st);
    memo_buf_fini(&text);
    for (size_t i = 0; a->kind->complete && i < page->n && !status; i++)
        status = a->kind->complete(sql, page, page_row(a, i), err);
    return status;
}

memo_status memo_page_read(memo_store *store, const memo_page_kind *kind, const void *scope,
                           memo_page *page, memo_err *err)
{
    page_args args = {kind, scope, *page};
    memo_status status = memo_store_read(store, page_read, &args, page->damage, err);
    if (!status)
        *page = args.page;
    return status;
}
