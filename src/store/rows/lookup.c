// SPDX-License-Identifier: Apache-2.0
/* Reading records: one, a page of them, chunks of them, and how many there are. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "store/disk/vfs.h"
#include "store/rows/rows.h"
#include "store/store_inner.h"

/* ---- one ----------------------------------------------------------------------------------- */

memo_status memo_ns_name(memo_sql *sql, int64_t ns, memo_arena *arena, const char **name,
                         memo_err *err)
{
    int row;
    memo_stmt st =
        memo_stmt_keep(sql, "SELECT name FROM namespaces WHERE id = ?", "read a namespace");
    memo_status status;
    memo_stmt_int(&st, ns);
    status = memo_stmt_step(&st, &row, err);
    if (!status && !row)
        status = memo_fail(err, MEMO_ERR_NOTFOUND, "%s: no namespace %" PRId64, sql->path, ns);
    if (!status && !memo_stmt_col_text(&st, 0).bytes)
        status = memo_fail(err, MEMO_ERR_CORRUPT, "namespace %" PRId64 " has no name", ns);
    if (!status && !(*name = memo_arena_strdup(arena, memo_stmt_col_text(&st, 0).bytes)))
        status = memo_fail_nomem(err, "a namespace", 0);
    memo_stmt_done(&st);
    return status;
}

static int lookup_is(memo_text name, const char *id)
{
    return name.bytes && name.n_bytes == strlen(id) && memcmp(name.bytes, id, name.n_bytes) == 0;
}

/* The row is whole, and the one that was asked for: an index may lead to another. (Where SQLite
 * takes the id from the index, the checksum notices that; where from the row, the comparison.) */
static memo_status lookup_prove(const memo_row *row, int64_t ns, const char *id, memo_err *err)
{
    if (!memo_row_good(row))
        memo_fail(err, MEMO_ERR_CORRUPT, "record %s: its checksum does not match", id);
    else if (row->ns != ns || (!lookup_is(row->id, id) && !lookup_is(row->key, id)))
        memo_fail(err, MEMO_ERR_CORRUPT, "record %s: an index leads to another record", id);
    else
        return MEMO_OK;
    return memo_hint(err, MEMO_ERR_CORRUPT, "%s", MEMO_SQL_FIX);
}

typedef struct get_args {
    int64_t ns;
    const char *id;
    memo_arena *arena;
    memo_record *out;
    memo_store_damage *damage;
} get_args;

static memo_status lookup_record_by(memo_sql *sql, const char *constant, const get_args *a,
                                    const char *ns, int *found, memo_err *err)
{
    memo_row row;
    memo_status status;
    memo_stmt st = memo_stmt_keep(sql, constant, "read a record");
    memo_stmt_int(&st, a->ns);
    memo_stmt_str(&st, a->id);
    status = memo_stmt_step(&st, found, err);
    if (!status && *found) {
        memo_row_read(&st, &row);
        status = lookup_prove(&row, a->ns, a->id, err);
    }
    if (!status && *found)
        status = memo_row_publish(&row, ns, 1, a->arena, a->out, err);
    if (!status && *found)
        status = memo_related_read(sql, &row, a->arena, NULL, a->out, a->damage, err);
    memo_stmt_done(&st);
    return status;
}

static memo_status lookup_record(memo_store *store, memo_sql *sql, void *user, memo_err *err)
{
    const get_args *a = user;
    const char *ns;
    int found = 0;
    memo_status status = memo_ns_name(sql, a->ns, a->arena, &ns, err);
    (void)store;
    if (!status)
        status = lookup_record_by(
            sql, "SELECT " MEMO_ROW_COLUMNS " FROM records WHERE ns = ? AND id = ?", a, ns, &found,
            err);
    if (!status && !found)
        status = lookup_record_by(
            sql, "SELECT " MEMO_ROW_COLUMNS " FROM records WHERE ns = ? AND key = ?", a, ns, &found,
            err);
    if (!status && !found)
        status =
            memo_fail(err, MEMO_ERR_NOTFOUND, "no record \"%s\" in namespace \"%s\"", a->id, ns);
    return status;
}

memo_status memo_store_get(memo_store *store, int64_t ns, const char *id, memo_arena *arena,
                           memo_record *record, memo_err *err)
{
    memo_record found;
    get_args args = {ns, id, arena, &found, NULL};
    memo_status status = memo_store_read(store, lookup_record, &args, NULL, err);
    if (!status)
        *record = found;
    return status;
}

memo_status memo_store_get_told(memo_store *store, int64_t ns, const char *id, memo_arena *arena,
                                memo_records *records, memo_err *err)
{
    memo_store_damage damage = {.arena = arena};
    memo_record *found = memo_arena_alloc(arena, sizeof *found);
    get_args args = {ns, id, arena, found, &damage};
    memo_status status = found ? memo_store_read(store, lookup_record, &args, &damage, err)
                               : memo_fail_nomem(err, "record", sizeof *found);
    if (!status)
        status = memo_damage_list(&damage, records, err);
    records->n = !status;
    records->records = found;
    return status;
}

static memo_status lookup_chunking(memo_sql *sql, const char *constant, int64_t ns, const char *id,
                                   memo_row *row, int *found, memo_err *err)
{
    memo_status status;
    memo_stmt st = memo_stmt_keep(sql, constant, "read a record");
    memo_stmt_int(&st, ns);
    memo_stmt_str(&st, id);
    status = memo_stmt_step(&st, found, err);
    if (!status && *found) {
        memo_row_read(&st, row);
        status = lookup_prove(row, ns, id, err);
    }
    memo_stmt_done(&st); /* from here on only the numbers of *row hold */
    return status;
}

memo_status memo_store_get_chunking(memo_store *store, int64_t ns, const char *id,
                                    memo_chunking *chunking, size_t *chunk_tokens,
                                    size_t *chunk_overlap, memo_err *err)
{
    memo_row row;
    int found = 0;
    memo_status status = memo_store_check_use(store, err);
    if (!status)
        status = lookup_chunking(&store->sql,
                                 "SELECT " MEMO_ROW_COLUMNS " FROM records WHERE ns = ? AND id = ?",
                                 ns, id, &row, &found, err);
    if (!status && !found)
        status = lookup_chunking(
            &store->sql, "SELECT " MEMO_ROW_COLUMNS " FROM records WHERE ns = ? AND key = ?", ns,
            id, &row, &found, err);
    if (!status && !found)
        status = memo_fail(err, MEMO_ERR_NOTFOUND, "no record \"%s\"", id);
    if (status)
        return status;
    *chunking = (memo_chunking)row.chunking;
    *chunk_tokens = memo_size_from_column(row.chunk_tokens);
    *chunk_overlap = memo_size_from_column(row.chunk_overlap);
    return MEMO_OK;
}

/* ---- a page of them ------------------------------------------------------------------------ */

/* A page ends after so many damaged records, so that each can be named: what is left of the places
 * for names is for bad pages. */
enum { LIST_MAX_DAMAGED = MEMO_STORE_MAX_DAMAGED - MEMO_VFS_N_PAGES };

/* A cursor names the last record seen: "<created_ms>.<row id>". */
typedef struct list_cursor {
    int given;
    int64_t created_ms, rid;
} list_cursor;

static memo_status list_read_cursor(const char *text, list_cursor *cursor, memo_err *err)
{
    char *end;
    long long ms, rid = 0;
    if (!text)
        return MEMO_OK;
    errno = 0;
    ms = strtoll(text, &end, 10);
    if (!errno && end != text && *end == '.')
        rid = strtoll(end + 1, &end, 10);
    if (errno || rid <= 0 || *end)
        return memo_fail(err, MEMO_ERR_VALUE, "\"%.60s\" is not a cursor of an earlier list", text);
    *cursor = (list_cursor){1, ms, rid};
    return MEMO_OK;
}

typedef struct list_args {
    const memo_store_scope *scope;
    const memo_store_list_options *options;
    list_cursor cursor;
    memo_arena *arena;
    memo_records *out;
    memo_store_damage *damage;
    memo_related_parents parents;
} list_args;

/* Past a bad page the rows are read as they lie: an entry of an index may lead to another's row. */
static memo_stmt list_prepare(memo_store *store, memo_sql *sql, const list_args *a)
{
    memo_buf text = {0};
    memo_stmt st;
    const char *than = a->options->oldest_first ? ">" : "<";
    const char *order = a->options->oldest_first ? "ASC" : "DESC";
    const char *from = a->scope->as_of          ? "past r"
                       : sql == &store->salvage ? "records r NOT INDEXED"
                                                : "records r";
    memo_scope_with(&text, a->scope);
    memo_buf_printf(&text, "SELECT " MEMO_ROW_COLUMNS " FROM %s WHERE ", from);
    memo_scope_sql(&text, a->scope);
    if (a->cursor.given)
        memo_buf_printf(&text, " AND (r.created_ms, r.rid) %s (?4, ?5)", than);
    memo_buf_printf(&text, " ORDER BY r.created_ms %s, r.rid %s LIMIT ?3", order, order);
    st = memo_stmt_built(sql, &text, "list its records");
    memo_scope_bind(&st, a->scope);
    st.next = 3;
    memo_stmt_int(&st, (int64_t)a->options->limit + 1);
    if (a->cursor.given) {
        memo_stmt_int(&st, a->cursor.created_ms);
        memo_stmt_int(&st, a->cursor.rid);
    }
    memo_buf_fini(&text);
    return st;
}

static memo_status list_set_next(const list_args *a, const memo_row *last, memo_err *err)
{
    char text[64];
    snprintf(text, sizeof text, "%" PRId64 ".%" PRId64, last->created_ms, last->rid);
    a->out->next = memo_arena_strdup(a->arena, text);
    return a->out->next ? MEMO_OK : memo_fail_nomem(err, "a cursor", sizeof text);
}

/* A page of the table that is read twice gives its rows twice, one after the other in this order. */
static int list_repeats(const list_args *a, const memo_row *row)
{
    return a->out->n && row->id.bytes &&
           strcmp(a->out->records[a->out->n - 1].id, row->id.bytes) == 0;
}

static memo_status list_take(memo_sql *sql, list_args *a, const memo_row *row, const char *ns,
                             memo_record *out, memo_err *err)
{
    memo_status status = memo_row_publish(row, ns, 1, a->arena, out, err);
    if (status)
        return status;
    return a->scope->as_of
               ? memo_related_parent(sql, row, a->arena, &a->parents, out, a->damage, err)
               : memo_related_read(sql, row, a->arena, &a->parents, out, a->damage, err);
}

static memo_status list_run(memo_store *store, memo_sql *sql, void *user, memo_err *err)
{
    list_args *a = user;
    memo_record *records;
    const char *ns;
    size_t n_seen = 0;
    memo_row row;
    memo_stmt st;
    int more, ends = 0;
    memo_status status = memo_ns_name(sql, a->scope->ns, a->arena, &ns, err);
    if (status)
        return status;
    memset(a->out, 0, sizeof *a->out);
    memset(&a->parents, 0, sizeof a->parents);
    a->damage->n = a->damage->n_ids = 0;
    records = memo_arena_array(a->arena, a->options->limit, sizeof *records);
    if (!records)
        return memo_fail_nomem(err, "a list of records", a->options->limit * sizeof *records);
    a->out->records = records;
    st = list_prepare(store, sql, a);
    while (!(status = memo_stmt_step(&st, &more, err)) && more) {
        memo_row_read(&st, &row);
        if (++n_seen > a->options->limit)
            break; /* only to know that there is more */
        if (!memo_row_good(&row))
            memo_damage_add(a->damage, row.id.bytes ? row.id.bytes : "?");
        else if (!list_repeats(a, &row))
            status = list_take(sql, a, &row, ns, &records[a->out->n++], err);
        ends = a->damage->n_ids == LIST_MAX_DAMAGED;
        if (!status && (ends || n_seen == a->options->limit))
            status = list_set_next(a, &row, err);
        if (status || ends)
            break;
    }
    memo_stmt_done(&st);
    if (!ends && n_seen <= a->options->limit)
        a->out->next = NULL;
    return status;
}

memo_status memo_damage_list(const memo_store_damage *damage, memo_records *out, memo_err *err)
{
    const char **ids;
    out->n_damaged = damage->n_ids;
    if (damage->no_memory)
        return memo_fail_nomem(err, "the name of what is damaged", 0);
    if (damage->n_ids == 0)
        return MEMO_OK;
    ids = memo_arena_array(damage->arena, damage->n_ids, sizeof *ids);
    if (!ids)
        return memo_fail_nomem(err, "a list of ids", damage->n_ids * sizeof *ids);
    memcpy(ids, damage->ids, damage->n_ids * sizeof *ids);
    out->damaged = ids;
    return MEMO_OK;
}

memo_status memo_store_list(memo_store *store, const memo_store_scope *scope,
                            const memo_store_list_options *options, memo_arena *arena,
                            memo_records *out, memo_err *err)
{
    memo_store_damage damage = {.arena = arena};
    memo_records found;
    list_args args = {
        .scope = scope, .options = options, .arena = arena, .out = &found, .damage = &damage};
    memo_status status = list_read_cursor(options->after, &args.cursor, err);
    if (!status && (options->limit == 0 || options->limit > 1000000))
        status = memo_fail(err, MEMO_ERR_LIMIT, "a page of %zu records", options->limit);
    if (!status)
        status = memo_store_read(store, list_run, &args, &damage, err);
    if (status)
        return status;
    status = memo_damage_list(&damage, &found, err);
    if (!status)
        *out = found;
    return status;
}

/* ---- how many ------------------------------------------------------------------------------ */

memo_status memo_store_count(memo_store *store, const memo_store_scope *scope, uint64_t *n_records,
                             uint64_t *n_chunks, memo_err *err)
{
    memo_buf text = {0};
    memo_stmt st;
    int row;
    memo_status status = memo_store_check_use(store, err);
    if (status)
        return status;
    memo_buf_puts(&text, "SELECT count(*), coalesce(sum(r.n_chunks), 0) FROM records r WHERE ");
    memo_scope_sql(&text, scope);
    st = memo_stmt_built(&store->sql, &text, "count its records");
    memo_scope_bind(&st, scope);
    status = memo_stmt_step(&st, &row, err);
    if (!status && row) {
        *n_records = (uint64_t)memo_stmt_col_int(&st, 0);
        *n_chunks = (uint64_t)memo_stmt_col_int(&st, 1);
    }
    memo_stmt_done(&st);
    memo_buf_fini(&text);
    return status;
}

memo_status memo_store_get_stats(memo_store *store, memo_db_stats *stats, memo_err *err)
{
    static const char query[] =
        "SELECT (SELECT count(*) FROM records), (SELECT count(*) FROM chunks),"
        " (SELECT count(*) FROM vectors), (SELECT count(*) FROM forgotten),"
        " (SELECT count(*) FROM versions), (SELECT count(*) FROM namespaces),"
        " (SELECT change_seq FROM meta)";
    memo_stmt st;
    int row;
    int64_t file, wal;
    memo_status status = memo_store_check_use(store, err);
    if (status)
        return status;
    st = memo_stmt_keep(&store->sql, query, "count what is in it");
    status = memo_stmt_step(&st, &row, err);
    if (!status && row) {
        uint64_t *const out[] = {&stats->n_records,    &stats->n_chunks,   &stats->n_vectors,
                                 &stats->n_tombstones, &stats->n_versions, &stats->n_namespaces,
                                 &stats->change_seq};
        for (int i = 0; i < 7; i++)
            *out[i] = (uint64_t)memo_stmt_col_int(&st, i);
        file = memo_vfs_file_bytes(store->sql.db);
        wal = memo_vfs_wal_bytes(store->sql.db);
        stats->file_bytes = file > 0 ? (uint64_t)file : 0;
        stats->wal_bytes = wal > 0 ? (uint64_t)wal : 0;
        stats->schema_version = MEMO_STORE_SCHEMA_VERSION;
    }
    memo_stmt_done(&st);
    return status;
}

/* ---- chunks -------------------------------------------------------------------------------- */

typedef struct fetch_args {
    const int64_t *chunks;
    size_t n;
    memo_arena *arena;
    memo_store_chunk_row *rows;
    memo_store_damage *damage;
    size_t n_before, n_ids_before; /* damage that others found */
    int64_t ns;                    /* of the chunk before */
    const char *ns_name;           /* or NULL */
} fetch_args;

memo_status memo_chunk_find(memo_sql *sql, int64_t cid, memo_chunk_row *chunk, int *found,
                            memo_err *err)
{
    memo_status status;
    memo_stmt st = memo_stmt_keep(sql, "SELECT " MEMO_CHUNK_COLUMNS " FROM chunks WHERE cid = ?",
                                  "read a chunk");
    memo_stmt_int(&st, cid);
    status = memo_stmt_step(&st, found, err);
    if (!status && *found)
        memo_chunk_read(&st, chunk);
    memo_stmt_done(&st);
    return status;
}

static memo_status fetch_fill(memo_sql *sql, const memo_chunk_row *chunk, const memo_row *row,
                              fetch_args *a, memo_store_chunk_row *out, memo_err *err)
{
    const char *text;
    size_t n = (size_t)(chunk->end - chunk->begin);
    memo_status status = MEMO_OK;
    if (!a->ns_name || a->ns != row->ns) {
        a->ns = row->ns;
        status = memo_ns_name(sql, row->ns, a->arena, &a->ns_name, err);
    }
    if (!status)
        status = memo_row_publish(row, a->ns_name, 0, a->arena, &out->record_info, err);
    if (status)
        return status;
    text = memo_arena_strndup(a->arena, row->text.bytes + chunk->begin, n);
    if (!text)
        return memo_fail_nomem(err, "a chunk", n);
    out->record = chunk->rid;
    out->damaged = 0;
    out->position = (size_t)chunk->position;
    out->begin = (size_t)chunk->begin;
    out->end = (size_t)chunk->end;
    out->n_tokens = (size_t)chunk->n_tokens;
    out->text = (memo_text){text, n};
    return MEMO_OK;
}

static memo_status fetch_one(memo_sql *sql, int64_t cid, fetch_args *a, memo_store_chunk_row *out,
                             memo_err *err)
{
    memo_chunk_row chunk;
    memo_row row;
    memo_stmt st;
    char name[40];
    int found;
    memo_status status = memo_chunk_find(sql, cid, &chunk, &found, err);
    *out = (memo_store_chunk_row){.chunk = cid, .damaged = 1};
    if (status)
        return status;
    snprintf(name, sizeof name, "chunk %" PRId64, cid);
    if (!found) {
        memo_damage_add(a->damage, name);
        return MEMO_OK;
    }
    st = memo_stmt_keep(sql, "SELECT " MEMO_ROW_COLUMNS " FROM records WHERE rid = ?",
                        "read a record");
    memo_stmt_int(&st, chunk.rid);
    status = memo_stmt_step(&st, &found, err);
    if (!status && found) {
        memo_row_read(&st, &row);
        if (memo_row_good(&row) && memo_chunk_good(&chunk, &row))
            status = fetch_fill(sql, &chunk, &row, a, out, err);
        else
            memo_damage_add(a->damage, row.id.bytes ? row.id.bytes : name);
    } else if (!status) {
        memo_damage_add(a->damage, name);
    }
    memo_stmt_done(&st);
    return status;
}

static memo_status fetch_run(memo_store *store, memo_sql *sql, void *user, memo_err *err)
{
    fetch_args *a = user;
    memo_status status = MEMO_OK;
    (void)store;
    a->ns_name = NULL; /* of another snapshot */
    if (a->damage) {
        a->damage->n = a->n_before;
        a->damage->n_ids = a->n_ids_before;
    }
    for (size_t i = 0; !status && i < a->n; i++)
        status = fetch_one(sql, a->chunks[i], a, &a->rows[i], err);
    return status;
}

memo_status memo_store_fetch(memo_store *store, const int64_t *chunks, size_t n, memo_arena *arena,
                             memo_store_chunk_row **rows, memo_store_damage *damage, memo_err *err)
{
    fetch_args args = {.chunks = chunks, .n = n, .arena = arena, .damage = damage};
    memo_status status;
    if (damage) {
        args.n_before = damage->n;
        args.n_ids_before = damage->n_ids;
    }
    args.rows = memo_arena_array(arena, n ? n : 1, sizeof *args.rows);
    if (!args.rows)
        return memo_fail_nomem(err, "chunks", n * sizeof *args.rows);
    status = memo_store_read(store, fetch_run, &args, damage, err);
    if (!status)
        *rows = args.rows;
    return status;
}
