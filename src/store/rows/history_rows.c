// SPDX-License-Identifier: Apache-2.0
/* Records as they were: the versions of one, and a whole namespace at a moment. What is forgotten is
 * in no past. */
#include <inttypes.h>
#include <stdio.h>

#include "base/dates.h"
#include "base/error.h"
#include "store/rows/rows.h"
#include "store/store_inner.h"

/* ---- one record ---------------------------------------------------------------------------- */

typedef struct past_args {
    int64_t ns;
    const char *id;
    uint64_t before; /* of a history */
    size_t limit;
    uint64_t version; /* of one version */
    int64_t as_of_ms; /* of one moment; 0: not asked */
    memo_arena *arena;
    memo_records *out;
    memo_store_damage *damage;
    memo_record *record;
    memo_store_cut *cut;
    const char *ns_name;
} past_args;

/* When a record was forgotten, in words for the message; "" when it never was there. */
static memo_status past_look_for_tombstone(memo_sql *sql, const past_args *a, char out[64],
                                           memo_err *err)
{
    int more;
    memo_status status;
    memo_stmt st = memo_stmt_keep(sql,
                                  "SELECT deleted_ms FROM forgotten WHERE ns = ?1"
                                  " AND (id = ?2 OR key = ?2) ORDER BY seq DESC LIMIT 1",
                                  "read its tombstones");
    char date[MEMO_DATE_BYTES];
    memo_stmt_int(&st, a->ns);
    memo_stmt_str(&st, a->id);
    status = memo_stmt_step(&st, &more, err);
    out[0] = '\0';
    if (!status && more) {
        memo_date_format(memo_stmt_col_int(&st, 0), 1, date);
        snprintf(out, 64, "was forgotten at %.30s", date);
    }
    memo_stmt_done(&st);
    return status;
}

static memo_status past_fail_missing(memo_sql *sql, const past_args *a, memo_err *err)
{
    char when[64];
    memo_status status = past_look_for_tombstone(sql, a, when, err);
    if (status)
        return status;
    return when[0]
               ? memo_fail(err, MEMO_ERR_NOTFOUND,
                           "record \"%.520s\" %s: its text and its versions are gone", a->id, when)
               : memo_fail(err, MEMO_ERR_NOTFOUND, "no record \"%.520s\" in namespace \"%s\"",
                           a->id, a->ns_name);
}

/* The record as it is now, damaged or not. Texts are in the arena. */
static memo_status past_find(memo_sql *sql, past_args *a, memo_row *now, memo_err *err)
{
    memo_status status = memo_ns_name(sql, a->ns, a->arena, &a->ns_name, err);
    if (!status)
        status = memo_row_find(sql, a->ns, a->id, a->arena, now, err);
    return !status && !now->rid ? past_fail_missing(sql, a, err) : status;
}

/* A row is of the record that it was looked for under. */
static int past_good(const memo_row *row, const memo_row *now)
{
    return memo_row_good(row) && row->rid == now->rid && row->ns == now->ns;
}

static memo_status past_take(memo_sql *sql, const past_args *a, const memo_row *row,
                             memo_record *out, memo_err *err)
{
    memo_status status = memo_row_publish(row, a->ns_name, 1, a->arena, out, err);
    return status ? status : memo_related_parent(sql, row, a->arena, NULL, out, a->damage, err);
}

static void past_note(const past_args *a, const memo_row *now, int64_t version)
{
    char name[96];
    snprintf(name, sizeof name, "%.40s version %" PRId64, now->id.bytes ? now->id.bytes : "?",
             version);
    memo_damage_add(a->damage, name);
}

static memo_status past_run_history(memo_store *store, memo_sql *sql, void *user, memo_err *err)
{
    past_args *a = user;
    memo_record *records = memo_arena_array(a->arena, a->limit, sizeof *records);
    memo_row now;
    memo_stmt st;
    int more;
    memo_status status = records ? past_find(sql, a, &now, err)
                                 : memo_fail_nomem(err, "versions", a->limit * sizeof *records);
    (void)store;
    if (status)
        return status;
    *a->out = (memo_records){.records = records};
    a->damage->n = a->damage->n_ids = 0;
    st = memo_stmt_keep(sql,
                        "SELECT " MEMO_ROW_COLUMNS " FROM records WHERE rid = ?1 AND version < ?2"
                        " UNION ALL SELECT " MEMO_ROW_COLUMNS " FROM versions WHERE rid = ?1"
                        " AND version < ?2 ORDER BY version DESC LIMIT ?3",
                        "read its versions");
    memo_stmt_int(&st, now.rid);
    memo_stmt_int(&st, a->before && a->before < INT64_MAX ? (int64_t)a->before : INT64_MAX);
    memo_stmt_int(&st, (int64_t)a->limit);
    while (!(status = memo_stmt_step(&st, &more, err)) && more) {
        memo_row row;
        memo_row_read(&st, &row);
        if (past_good(&row, &now))
            status = past_take(sql, a, &row, &records[a->out->n++], err);
        else
            past_note(a, &now, row.version);
        if (status)
            break;
    }
    memo_stmt_done(&st);
    return status;
}

memo_status memo_store_history(memo_store *store, int64_t ns, const char *id, uint64_t before,
                               size_t limit, memo_arena *arena, memo_records *out, memo_err *err)
{
    memo_store_damage damage = {.arena = arena};
    memo_records found = {0};
    past_args args = {.ns = ns,
                      .id = id,
                      .before = before,
                      .limit = limit,
                      .arena = arena,
                      .out = &found,
                      .damage = &damage};
    memo_status status = memo_store_read(store, past_run_history, &args, &damage, err);
    if (!status)
        status = memo_damage_list(&damage, &found, err);
    if (!status)
        *out = found;
    return status;
}

/* The last version that a condition lets through, proven; *found 0: none. */
static memo_status past_one(memo_sql *sql, const past_args *a, const memo_row *now, memo_stmt *st,
                            int *found, memo_err *err)
{
    memo_row row;
    memo_status status = memo_stmt_step(st, found, err);
    if (!status && *found) {
        memo_row_read(st, &row);
        if (!past_good(&row, now)) {
            memo_fail(err, MEMO_ERR_CORRUPT,
                      "record %s, version %" PRId64 ": its checksum does "
                      "not match",
                      a->id, row.version);
            status = memo_hint(err, MEMO_ERR_CORRUPT, "%s", MEMO_SQL_FIX);
        }
    }
    if (!status && *found)
        status = past_take(sql, a, &row, a->record, err);
    if (!status && *found && a->cut)
        *a->cut =
            (memo_store_cut){(memo_chunking)row.chunking, memo_size_from_column(row.chunk_tokens),
                             memo_size_from_column(row.chunk_overlap)};
    memo_stmt_done(st);
    return status;
}

static memo_status past_run_version(memo_store *store, memo_sql *sql, void *user, memo_err *err)
{
    past_args *a = user;
    memo_row now;
    memo_stmt st;
    int found = 0;
    memo_status status = past_find(sql, a, &now, err);
    (void)store;
    if (status)
        return status;
    st = memo_stmt_keep(sql,
                        "SELECT " MEMO_ROW_COLUMNS " FROM records WHERE rid = ?1 AND version = ?2"
                        " UNION ALL SELECT " MEMO_ROW_COLUMNS " FROM versions WHERE rid = ?1"
                        " AND version = ?2 LIMIT 1",
                        "read a version");
    memo_stmt_int(&st, now.rid);
    memo_stmt_int(&st, a->version < INT64_MAX ? (int64_t)a->version : INT64_MAX);
    status = past_one(sql, a, &now, &st, &found, err);
    if (!status && !found)
        status = memo_fail(err, MEMO_ERR_NOTFOUND,
                           "record \"%.520s\" has no version %" PRIu64 "; its newest is %" PRId64,
                           a->id, a->version, now.version);
    return status;
}

memo_status memo_store_get_version(memo_store *store, int64_t ns, const char *id, uint64_t version,
                                   memo_arena *arena, memo_record *record, memo_store_cut *cut,
                                   memo_err *err)
{
    past_args args = {
        .ns = ns, .id = id, .version = version, .arena = arena, .record = record, .cut = cut};
    return memo_store_read(store, past_run_version, &args, NULL, err);
}

static memo_status past_run_as_of(memo_store *store, memo_sql *sql, void *user, memo_err *err)
{
    past_args *a = user;
    memo_row now;
    memo_stmt st;
    int found = 0;
    memo_status status = past_find(sql, a, &now, err);
    (void)store;
    if (status)
        return status;
    st = memo_stmt_keep(sql,
                        "SELECT " MEMO_ROW_COLUMNS
                        " FROM records WHERE rid = ?1 AND updated_ms <= ?2"
                        " UNION ALL SELECT " MEMO_ROW_COLUMNS " FROM versions WHERE rid = ?1"
                        " AND updated_ms <= ?2 ORDER BY version DESC LIMIT 1",
                        "read a version");
    memo_stmt_int(&st, now.rid);
    memo_stmt_int(&st, a->as_of_ms);
    status = past_one(sql, a, &now, &st, &found, err);
    if (!status && !found)
        status = memo_fail(err, MEMO_ERR_NOTFOUND, "record \"%.520s\" was not there at that time",
                           a->id);
    return status;
}

memo_status memo_store_get_as_of(memo_store *store, int64_t ns, const char *id, int64_t as_of_ms,
                                 memo_arena *arena, memo_record *record, memo_err *err)
{
    past_args args = {.ns = ns, .id = id, .as_of_ms = as_of_ms, .arena = arena, .record = record};
    return memo_store_read(store, past_run_as_of, &args, NULL, err);
}

static memo_status past_run_first(memo_store *store, memo_sql *sql, void *user, memo_err *err)
{
    past_args *a = user;
    int more;
    memo_status status;
    (void)store;
    memo_stmt st = memo_stmt_once(sql,
                                  "SELECT min(at) FROM (SELECT min(updated_ms) at FROM records"
                                  " WHERE ns = ?1 UNION ALL SELECT min(updated_ms) FROM versions"
                                  " WHERE ns = ?1)",
                                  "look for its first version");
    memo_stmt_int(&st, a->ns);
    status = memo_stmt_step(&st, &more, err);
    a->as_of_ms = !status && more ? memo_stmt_col_int(&st, 0) : 0;
    memo_stmt_done(&st);
    return status;
}

memo_status memo_store_first_ms(memo_store *store, int64_t ns, int64_t *ms, memo_err *err)
{
    past_args args = {.ns = ns};
    memo_status status = memo_store_read(store, past_run_first, &args, NULL, err);
    *ms = args.as_of_ms;
    return status;
}

/* ---- all of a scope ------------------------------------------------------------------------ */

/* Table `past`: the newest version that had been written by then, of every record that is still
 * there. Table `tags`, by which filters find tags, is theirs in this query. */
void memo_scope_with(memo_buf *sql, const memo_store_scope *scope)
{
    if (scope->as_of)
        memo_buf_puts(sql,
                      "WITH past AS (SELECT " MEMO_ROW_COLUMNS
                      " FROM records WHERE ns = ?1 AND updated_ms <= ?2"
                      " UNION ALL SELECT " MEMO_ROW_COLUMNS
                      " FROM versions v WHERE v.ns = ?1 AND v.updated_ms <= ?2"
                      " AND EXISTS (SELECT 1 FROM records n WHERE n.rid = v.rid"
                      " AND n.updated_ms > ?2)"
                      " AND NOT EXISTS (SELECT 1 FROM versions n WHERE n.rid = v.rid"
                      " AND n.version > v.version AND n.updated_ms <= ?2)),"
                      " tags(ns, tag, rid) AS (SELECT p.ns, j.value, p.rid FROM past p,"
                      " json_each(CASE WHEN memo_is_json(p.tags) THEN p.tags ELSE '[]' END) j) ");
}
