// SPDX-License-Identifier: Apache-2.0
/* What the store keeps about a record in other tables: read with it, and gone with it. */
#include <stdio.h>

#include "base/error.h"
#include "base/grow.h"
#include "store/events/event_rows.h"
#include "store/facts/fact_rows.h"
#include "store/rows/cells.h"
#include "store/rows/rows.h"
#include "store/rows/sketches.h"

memo_status memo_store_link(memo_store *store, int64_t rid, int64_t other, memo_link_kind kind,
                            double score, memo_err *err)
{
    memo_cell cells[] = {memo_cell_int(rid),    memo_cell_int(other),
                         memo_cell_int(kind),   memo_cell_int(memo_now_ms(store->ctx)),
                         memo_cell_real(score), memo_cell_int(0)};
    memo_status status = memo_store_check_write(store, err);
    return status ? status : memo_table_put(&store->sql, &memo_table_links, cells, err);
}

static memo_status related_run(memo_store *store, const char *constant, int64_t rid, memo_err *err)
{
    memo_stmt st = memo_stmt_keep(&store->sql, constant, "forget what was kept of it");
    memo_stmt_int(&st, rid);
    return memo_stmt_run(&st, err);
}

static memo_status related_run_all(memo_store *store, const char *const *constants, size_t n,
                                   int64_t rid, memo_err *err)
{
    memo_status status = MEMO_OK;
    for (size_t i = 0; !status && i < n; i++)
        status = related_run(store, constants[i], rid, err);
    return status;
}

#define RELATED_COUNT(a) (sizeof(a) / sizeof *(a))
/* Who was like this one may be like another. */
#define RELATED_ASK_AGAIN                                                                          \
    "INSERT OR IGNORE INTO unlinked(rid) SELECT rid FROM links WHERE other = ? AND kind IN (1, 4)"

memo_status memo_related_unlike(memo_store *store, int64_t rid, memo_err *err)
{
    static const char *const changes[] = {RELATED_ASK_AGAIN,
                                          "DELETE FROM links WHERE other = ? AND kind IN (1, 4)",
                                          "DELETE FROM links WHERE rid = ? AND kind IN (1, 2, 4)"};
    memo_status status = related_run_all(store, changes, RELATED_COUNT(changes), rid, err);
    return status ? status : memo_sketch_forget(&store->sql, rid, err);
}

/* An echo stays one when what it repeats is forgotten: it is then an echo of record 0. */
static memo_status related_keep_echoes(memo_store *store, int64_t rid, memo_err *err)
{
    memo_sql *sql = &store->sql;
    memo_status status = MEMO_OK;
    for (int more = 1; !status && more;) {
        memo_cell cells[6];
        memo_stmt st = memo_stmt_keep(sql,
                                      "SELECT rid, other, kind, made_ms, score, checksum FROM links"
                                      " WHERE other = ? AND kind = 2 LIMIT 1",
                                      "read its links");
        memo_stmt_int(&st, rid);
        status = memo_stmt_step(&st, &more, err);
        if (!status && more)
            memo_cells_take(&st, cells, 6); /* numbers: they outlive the statement */
        memo_stmt_done(&st);
        if (status || !more)
            break;
        int good = memo_table_good(&memo_table_links, cells);
        st = memo_stmt_keep(sql, "DELETE FROM links WHERE rid = ? AND other = ? AND kind = 2",
                            "remove a link");
        memo_cells_bind(&st, cells, 2);
        status = memo_stmt_run(&st, err);
        cells[1] = memo_cell_int(0);
        if (!status && good)
            status = memo_table_put(sql, &memo_table_links, cells, err);
    }
    return status;
}

/* Row ids are never reused, so the parent that a part of the record names leads nowhere from now on. */
memo_status memo_related_forget(memo_store *store, const memo_row *row, int shred, memo_err *err)
{
    const int64_t rid = row->rid;
    static const char *const changes[] = {RELATED_ASK_AGAIN, "DELETE FROM links WHERE rid = ?",
                                          "DELETE FROM links WHERE other = ?"};
    memo_status status = memo_facts_forget_record(store, rid, row->id.bytes, shred, err);
    if (!status)
        status = memo_events_forget_record(store, rid, shred, err);
    if (!status)
        status = related_keep_echoes(store, rid, err);
    if (!status)
        status = related_run_all(store, changes, RELATED_COUNT(changes), rid, err);
    return status ? status : memo_sketch_forget(&store->sql, rid, err);
}

/* A record as it is read. */
typedef struct related_read {
    memo_sql *sql;
    int64_t rid;
    const char *id;
    memo_arena *arena;
    memo_store_damage *damage;
} related_read;

static related_read related_begin(memo_sql *sql, const memo_row *row, memo_arena *arena,
                                  memo_store_damage *damage)
{
    return (related_read){sql, row->rid, row->id.bytes ? row->id.bytes : "?", arena, damage};
}

static void related_damaged(const related_read *r)
{
    char name[MEMO_ID_BYTES + 16];
    snprintf(name, sizeof name, "links of %.30s", r->id);
    memo_damage_add(r->damage, name);
}

/* The id of record `rid`, NULL when it is not there (any more). */
static memo_status related_id(const related_read *r, int64_t rid, const char **id, memo_err *err)
{
    int more;
    memo_row other;
    memo_status status;
    memo_stmt st = memo_stmt_keep(r->sql, "SELECT " MEMO_ROW_COLUMNS " FROM records WHERE rid = ?",
                                  "read an id");
    memo_stmt_int(&st, rid);
    *id = NULL;
    status = memo_stmt_step(&st, &more, err);
    if (!status && more) {
        memo_row_read(&st, &other);
        if (!memo_row_good(&other))
            related_damaged(r);
        else if (!(*id = memo_arena_strdup(r->arena, other.id.bytes)))
            status = memo_fail_nomem(err, "an id", MEMO_ID_BYTES);
    }
    memo_stmt_done(&st);
    return status;
}

/* Where the newest good links of each kind lead to; 0: there is none. */
typedef struct related_ends {
    int64_t like, supersedes;
    int echo;
} related_ends;

/* Links that a query with the columns of `links` finds. */
static memo_status related_walk(const related_read *r, const char *constant, int column,
                                related_ends *ends, memo_err *err)
{
    int more;
    memo_cell cells[6];
    memo_status status;
    memo_stmt st = memo_stmt_keep(r->sql, constant, "read its links");
    memo_stmt_int(&st, r->rid);
    *ends = (related_ends){0};
    while (!(status = memo_stmt_step(&st, &more, err)) && more) {
        memo_cells_take(&st, cells, 6);
        if (!memo_table_good(&memo_table_links, cells)) {
            related_damaged(r);
            continue;
        }
        int64_t kind = cells[2].integer, end = cells[column].integer;
        if (kind == MEMO_LINK_ECHO)
            ends->echo = 1;
        else if (kind == MEMO_LINK_SUPERSEDES)
            ends->supersedes = ends->supersedes ? ends->supersedes : end;
        else
            ends->like = ends->like ? ends->like : end;
    }
    memo_stmt_done(&st);
    return status;
}

/* One that is not there or damaged is asked for again: each of its parts names that. */
memo_status memo_related_parent(memo_sql *sql, const memo_row *row, memo_arena *arena,
                                memo_related_parents *parents, memo_record *out,
                                memo_store_damage *damage, memo_err *err)
{
    enum { PLACES = sizeof parents->met / sizeof *parents->met };
    const related_read r = related_begin(sql, row, arena, damage);
    const size_t place = (uint64_t)row->parent % PLACES;
    memo_status status;
    if (!row->parent)
        return MEMO_OK;
    if (parents && parents->met[place].rid == row->parent) {
        out->parent = parents->met[place].id;
        return MEMO_OK;
    }
    status = related_id(&r, row->parent, &out->parent, err);
    if (!status && parents && out->parent) {
        parents->met[place].rid = row->parent;
        parents->met[place].id = out->parent;
    }
    return status;
}

memo_status memo_related_read(memo_sql *sql, const memo_row *row, memo_arena *arena,
                              memo_related_parents *parents, memo_record *out,
                              memo_store_damage *damage, memo_err *err)
{
    const related_read r = related_begin(sql, row, arena, damage);
    related_ends from, to;
    memo_status status = memo_related_parent(sql, row, arena, parents, out, damage, err);
    if (!status)
        status = related_walk(&r,
                              "SELECT rid, other, kind, made_ms, score, checksum FROM links"
                              " WHERE rid = ? ORDER BY made_ms DESC, other DESC",
                              1, &from, err);
    if (!status)
        status = related_walk(&r,
                              "SELECT rid, other, kind, made_ms, score, checksum FROM links"
                              " WHERE other = ? AND kind = 3 ORDER BY made_ms DESC, rid DESC",
                              0, &to, err);
    if (status)
        return status;
    out->echo = from.echo;
    if (from.supersedes)
        status = related_id(&r, from.supersedes, &out->supersedes, err);
    if (!status && from.like)
        status = related_id(&r, from.like, &out->duplicate_of, err);
    if (!status && to.supersedes)
        status = related_id(&r, to.supersedes, &out->superseded_by, err);
    return status;
}

/* ---- all of them ----------------------------------------------------------------------------- */

typedef struct related_args {
    int64_t ns;
    const char *id;
    memo_arena *arena;
    memo_links *out;
} related_args;

static memo_status related_take(const related_read *r, const memo_cell *cells, memo_link *link,
                                memo_err *err)
{
    int incoming = cells[0].integer != r->rid;
    const char *id = NULL;
    memo_status status = related_id(r, cells[incoming ? 0 : 1].integer, &id, err);
    *link = (memo_link){.kind = (memo_link_kind)cells[2].integer,
                        .incoming = incoming,
                        .id = id ? id : "",
                        .score = cells[4].real,
                        .made_ms = cells[3].integer};
    return status;
}

/* Each direction by its own index. */
static memo_status related_list(memo_sql *sql, const related_args *a, int64_t rid, memo_err *err)
{
    int more;
    size_t cap = 0;
    memo_store_damage damage = {.arena = a->arena};
    const related_read read = {sql, rid, a->id, a->arena, &damage};
    memo_link *links = NULL, *grown;
    memo_status status;
    memo_stmt st = memo_stmt_keep(sql,
                                  "SELECT * FROM (SELECT rid, other, kind, made_ms, score, checksum"
                                  " FROM links WHERE rid = ?1 UNION ALL"
                                  " SELECT rid, other, kind, made_ms, score, checksum"
                                  " FROM links WHERE other = ?1)"
                                  " ORDER BY made_ms DESC, rid DESC, other DESC",
                                  "read its links");
    memo_stmt_int(&st, rid);
    while (!(status = memo_stmt_step(&st, &more, err)) && more) {
        memo_cell cells[6];
        memo_cells_take(&st, cells, 6);
        if (!memo_table_good(&memo_table_links, cells) ||
            (cells[0].integer != rid &&
             cells[1].integer != rid)) { /* where an index leads astray */
            a->out->n_damaged++;
            continue;
        }
        grown = memo_arena_grow(a->arena, links, a->out->n, &cap, sizeof *links);
        if (!grown) {
            status = memo_fail_nomem(err, "links", (a->out->n + 1) * sizeof *links);
            break;
        }
        links = grown;
        status = related_take(&read, cells, &links[a->out->n++], err);
        if (status)
            break;
    }
    memo_stmt_done(&st);
    a->out->n_damaged += damage.n;
    a->out->links = links;
    return status;
}

static memo_status related_links(memo_store *store, memo_sql *sql, void *user, memo_err *err)
{
    const related_args *a = user;
    memo_arena arena = {0};
    memo_row row;
    memo_status status = memo_row_find(sql, a->ns, a->id, &arena, &row, err);
    a->out->n = 0;
    a->out->n_damaged = sql == &store->salvage; /* past a damaged page one may be missing */
    if (!status && !row.rid)
        status = memo_fail(err, MEMO_ERR_NOTFOUND, "no record \"%.520s\"", a->id);
    if (!status)
        status = related_list(sql, a, row.rid, err);
    memo_arena_fini(&arena);
    return status;
}

memo_status memo_store_links(memo_store *store, int64_t ns, const char *id, memo_arena *arena,
                             memo_links *out, memo_err *err)
{
    related_args args = {ns, id, arena, out};
    return memo_store_read(store, related_links, &args, NULL, err);
}
