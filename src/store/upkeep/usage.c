// SPDX-License-Identifier: Apache-2.0
#include "store/upkeep/usage.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "store/rows/cells.h"

enum { USAGE_SHOWN_COLUMNS = 6, USAGE_SEARCH_COLUMNS = 12, USAGE_LINK_COLUMNS = 6 };

#define USAGE_SEARCHES                                                                             \
    "q.sid, q.ns, q.id, q.at_ms, q.mode, q.class, q.space, q.checksum, q.actor, q.surface,"        \
    " q.filter, q.query"

typedef struct usage_args {
    int64_t ns, kind;
    memo_store_usage_fn usage;
    memo_store_link_fn link;
    void *user;
    int64_t at_ms;
} usage_args;

/* Add a row that showed `id` to what is known of the record before it, or hand that on. */
static int usage_count(const usage_args *a, memo_store_usage *now, char name[MEMO_ID_BYTES],
                       const char *id, int64_t at_ms)
{
    int stop = 0;
    if (now->n_shown && strcmp(name, id) != 0) {
        stop = a->usage(a->user, now);
        now->n_shown = 0;
    }
    if (!now->n_shown) {
        snprintf(name, MEMO_ID_BYTES, "%s", id);
        *now = (memo_store_usage){name, 0, at_ms, at_ms};
    }
    now->n_shown++;
    now->first_ms = at_ms < now->first_ms ? at_ms : now->first_ms;
    now->last_ms = at_ms > now->last_ms ? at_ms : now->last_ms;
    return stop;
}

static memo_status usage_read(memo_store *store, memo_sql *sql, void *args, memo_err *err)
{
    const usage_args *a = args;
    memo_cell cells[USAGE_SHOWN_COLUMNS + USAGE_SEARCH_COLUMNS];
    memo_store_usage now = {0};
    char name[MEMO_ID_BYTES] = "";
    int more, stop = 0;
    memo_status status;
    memo_stmt st = memo_stmt_keep(
        sql,
        "SELECT s.sid, s.position, s.rid, s.cid, s.checksum, s.features, " USAGE_SEARCHES ", r.id"
        " FROM records r JOIN shown s ON s.rid = r.rid JOIN searches q ON q.sid = s.sid"
        " WHERE r.ns = ? ORDER BY r.rid",
        "read what was shown");

    (void)store;
    memo_stmt_int(&st, a->ns);
    while (!(status = memo_stmt_step(&st, &more, err)) && more && !stop) {
        memo_text id = memo_stmt_col_text(&st, USAGE_SHOWN_COLUMNS + USAGE_SEARCH_COLUMNS);
        const memo_cell *search = cells + USAGE_SHOWN_COLUMNS;
        memo_cells_take(&st, cells, USAGE_SHOWN_COLUMNS + USAGE_SEARCH_COLUMNS);
        if (id.bytes && memo_table_good(&memo_table_shown, cells) &&
            memo_table_good(&memo_table_searches, search))
            stop = usage_count(a, &now, name, id.bytes, search[3].integer);
    }
    memo_stmt_done(&st);
    if (!status && !stop && now.n_shown)
        a->usage(a->user, &now);
    return status;
}

memo_status memo_store_each_usage(memo_store *store, int64_t ns, memo_store_usage_fn fn, void *user,
                                  memo_err *err)
{
    usage_args args = {.ns = ns, .usage = fn, .user = user};
    return memo_store_read(store, usage_read, &args, NULL, err);
}

static memo_status usage_oldest(memo_store *store, memo_sql *sql, void *args, memo_err *err)
{
    usage_args *a = args;
    memo_cell cells[USAGE_SEARCH_COLUMNS];
    int more;
    memo_status status;
    memo_stmt st = memo_stmt_keep(
        sql, "SELECT " USAGE_SEARCHES " FROM searches q WHERE q.ns = ? ORDER BY q.sid",
        "find the oldest search");

    (void)store;
    a->at_ms = 0;
    memo_stmt_int(&st, a->ns);
    while (!(status = memo_stmt_step(&st, &more, err)) && more && !a->at_ms) {
        memo_cells_take(&st, cells, USAGE_SEARCH_COLUMNS);
        if (memo_table_good(&memo_table_searches, cells))
            a->at_ms = cells[3].integer;
    }
    memo_stmt_done(&st);
    return status;
}

memo_status memo_store_oldest_search(memo_store *store, int64_t ns, int64_t *at_ms, memo_err *err)
{
    usage_args args = {.ns = ns};
    memo_status status = memo_store_read(store, usage_oldest, &args, NULL, err);
    if (!status)
        *at_ms = args.at_ms;
    return status;
}

static memo_status usage_links(memo_store *store, memo_sql *sql, void *args, memo_err *err)
{
    const usage_args *a = args;
    memo_cell cells[USAGE_LINK_COLUMNS];
    int more, stop = 0;
    memo_status status;
    memo_stmt st = memo_stmt_keep(
        sql,
        "SELECT l.rid, l.other, l.kind, l.made_ms, l.score, l.checksum, r.id, o.id FROM links l"
        " JOIN records r ON r.rid = l.rid LEFT JOIN records o ON o.rid = l.other"
        " WHERE r.ns = ? AND l.kind = ? ORDER BY l.rid, l.other",
        "read its links");

    (void)store;
    memo_stmt_int(&st, a->ns);
    memo_stmt_int(&st, a->kind);
    while (!(status = memo_stmt_step(&st, &more, err)) && more && !stop) {
        memo_text id = memo_stmt_col_text(&st, USAGE_LINK_COLUMNS);
        memo_text other = memo_stmt_col_text(&st, USAGE_LINK_COLUMNS + 1);
        memo_cells_take(&st, cells, USAGE_LINK_COLUMNS);
        if (id.bytes && memo_table_good(&memo_table_links, cells))
            stop = a->link(a->user, id.bytes, other.bytes ? other.bytes : "", cells[4].real);
    }
    memo_stmt_done(&st);
    return status;
}

memo_status memo_store_each_link(memo_store *store, int64_t ns, memo_link_kind kind,
                                 memo_store_link_fn fn, void *user, memo_err *err)
{
    usage_args args = {.ns = ns, .kind = kind, .link = fn, .user = user};
    return memo_store_read(store, usage_links, &args, NULL, err);
}
