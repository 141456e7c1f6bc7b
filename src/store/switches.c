// SPDX-License-Identifier: Apache-2.0
#include "store/switches.h"

#include <inttypes.h>

#include "base/error.h"
#include "store/rows/cells.h"
#include "store/rows/vectors.h"
#include "store/store_inner.h"

enum { SWITCHES_COLUMNS = 5 };

/* ---- the row ------------------------------------------------------------------------------- */

static memo_cell switches_reference(int64_t id)
{
    return id ? memo_cell_int(id) : (memo_cell){.kind = MEMO_CELL_NULL};
}

memo_status memo_store_get_switch(memo_store *store, int64_t ns, memo_store_switch *out,
                                  memo_err *err)
{
    memo_cell cells[SWITCHES_COLUMNS];
    int row;
    memo_stmt st;
    memo_status status = memo_store_check_use(store, err);
    if (status)
        return status;
    *out = (memo_store_switch){0};
    st = memo_stmt_keep(&store->sql,
                        "SELECT ns, since_seq, next, previous, checksum FROM switches WHERE ns = ?",
                        "read a switch");
    memo_stmt_int(&st, ns);
    status = memo_stmt_step(&st, &row, err);
    if (!status && row) {
        memo_cells_take(&st, cells, SWITCHES_COLUMNS);
        if (memo_table_good(&memo_table_switches, cells))
            *out = (memo_store_switch){cells[1].integer, cells[2].integer, cells[3].integer};
        else
            status =
                memo_fail(err, MEMO_ERR_CORRUPT,
                          "%s: the switch of namespace %" PRId64 ": its checksum does not match",
                          store->path, ns);
    }
    memo_stmt_done(&st);
    return status;
}

static memo_status switches_put(memo_store *store, int64_t ns, const memo_store_switch *s,
                                memo_err *err)
{
    memo_cell cells[SWITCHES_COLUMNS] = {memo_cell_int(ns), memo_cell_int(s->since_seq),
                                         switches_reference(s->next),
                                         switches_reference(s->previous), memo_cell_int(0)};
    return memo_table_put(&store->sql, &memo_table_switches, cells, err);
}

/* The row of a namespace that is to be changed. */
static memo_status switches_open(memo_store *store, int64_t ns, memo_store_switch *s, memo_err *err)
{
    memo_status status = memo_store_check_write(store, err);
    *s = (memo_store_switch){0};
    return status ? status : memo_store_get_switch(store, ns, s, err);
}

memo_status memo_store_begin_switch(memo_store *store, const memo_store_ns *ns, int64_t space,
                                    memo_err *err)
{
    memo_store_switch s;
    int64_t next = space == ns->space ? 0 : space;
    memo_status status = switches_open(store, ns->id, &s, err);
    if (status || s.next == next)
        return status;
    if (s.next && s.next != s.previous && s.next != ns->space)
        status = memo_vectors_delete_space(store, ns->id, s.next, err);
    s.next = next;
    return status ? status : switches_put(store, ns->id, &s, err);
}

memo_status memo_store_finish_switch(memo_store *store, const memo_store_ns *ns, int64_t space,
                                     int keep, memo_err *err)
{
    memo_store_switch s;
    int64_t previous = keep ? ns->space : 0;
    memo_status status = switches_open(store, ns->id, &s, err);
    const int64_t others[] = {s.previous, s.next, ns->space};
    if (status || space == ns->space)
        return status;
    for (size_t i = 0; i < sizeof others / sizeof *others && !status; i++)
        if (others[i] && others[i] != space && others[i] != previous)
            status = memo_vectors_delete_space(store, ns->id, others[i], err);
    if (!status)
        status = memo_store_set_ns_space(store, ns->id, space, err);
    if (status)
        return status;
    s = (memo_store_switch){.since_seq = ++store->seq, .previous = previous};
    return switches_put(store, ns->id, &s, err);
}

memo_status memo_store_drop_previous(memo_store *store, const memo_store_ns *ns, memo_err *err)
{
    memo_store_switch s;
    memo_status status = switches_open(store, ns->id, &s, err);
    if (status || !s.previous)
        return status;
    if (s.previous != s.next && s.previous != ns->space)
        status = memo_vectors_delete_space(store, ns->id, s.previous, err);
    s.previous = 0;
    return status ? status : switches_put(store, ns->id, &s, err);
}

/* ---- chunks without a vector --------------------------------------------------------------- */

/* The record whose chunks are looked at: read once for all of them. */
typedef struct lacking_record {
    memo_stmt st; /* stands at its row */
    int64_t rid;
    int good;
    memo_row row; /* borrowed from the statement */
} lacking_record;

static memo_status lacking_open(memo_sql *sql, lacking_record *record, int64_t rid, memo_err *err)
{
    int row;
    memo_status status;
    if (record->rid == rid)
        return MEMO_OK;
    if (record->rid)
        memo_stmt_done(&record->st);
    record->st = memo_stmt_keep(sql, "SELECT " MEMO_ROW_COLUMNS " FROM records WHERE rid = ?",
                                "read a record");
    record->rid = rid;
    memo_stmt_int(&record->st, rid);
    status = memo_stmt_step(&record->st, &row, err);
    record->good = 0;
    if (!status && row) {
        memo_row_read(&record->st, &record->row);
        record->good = memo_row_good(&record->row);
    }
    return status;
}

static memo_status lacking_add(memo_store_lackings *out, const memo_chunk_row *chunk,
                               const memo_row *row, memo_err *err)
{
    size_t n = (size_t)(chunk->end - chunk->begin);
    memo_store_lacking *in = &out->list[out->n];
    const char *text = memo_arena_strndup(out->arena, row->text.bytes + chunk->begin, n);
    *in = (memo_store_lacking){.chunk = chunk->cid, .record = row->rid, .text = {text, n}};
    in->id = memo_arena_strdup(out->arena, row->id.bytes);
    if (chunk->position == 0)
        in->title = memo_arena_strdup(out->arena, row->title.bytes);
    if (!text || !in->id || (chunk->position == 0 && !in->title))
        return memo_fail_nomem(err, "a chunk's text", n);
    out->n++;
    return MEMO_OK;
}

static memo_status lacking_read(memo_store *store, memo_stmt *st, memo_store_lackings *out,
                                memo_err *err)
{
    lacking_record record = {.rid = 0};
    size_t n_bytes = 0;
    int more = 1;
    memo_status status = MEMO_OK;
    while (out->n < out->limit && n_bytes < MEMO_LACKING_BYTES &&
           !(status = memo_stmt_step(st, &more, err)) && more) {
        memo_chunk_row chunk;
        memo_chunk_read(st, &chunk);
        status = lacking_open(&store->sql, &record, chunk.rid, err);
        if (status)
            break;
        out->after = chunk.cid;
        if (!record.good || !memo_chunk_good(&chunk, &record.row)) {
            out->n_damaged++;
            continue;
        }
        n_bytes += (size_t)(chunk.end - chunk.begin);
        status = lacking_add(out, &chunk, &record.row, err);
        if (status)
            break;
    }
    if (record.rid)
        memo_stmt_done(&record.st);
    out->at_end = !more;
    return status;
}

memo_status memo_store_find_lacking(memo_store *store, int64_t ns, int64_t space,
                                    memo_store_lackings *out, memo_err *err)
{
    memo_stmt st;
    memo_status status = memo_store_check_use(store, err);
    if (status)
        return status;
    out->n = 0;
    out->list = memo_arena_array(out->arena, out->limit, sizeof *out->list);
    if (!out->list)
        return memo_fail_nomem(err, "a list of chunks", out->limit * sizeof *out->list);
    st = memo_stmt_keep(&store->sql,
                        "SELECT " MEMO_CHUNK_COLUMNS " FROM chunks c WHERE cid > ?3"
                        " AND (SELECT r.ns FROM records r WHERE r.rid = c.rid) = ?1"
                        " AND NOT EXISTS (SELECT 1 FROM vectors v WHERE v.cid = c.cid"
                        " AND v.space = ?2) ORDER BY cid",
                        "find chunks without a vector");
    memo_stmt_int(&st, ns);
    memo_stmt_int(&st, space);
    memo_stmt_int(&st, out->after);
    status = lacking_read(store, &st, out, err);
    memo_stmt_done(&st);
    return status;
}

memo_status memo_store_count_space(memo_store *store, int64_t ns, int64_t space, uint64_t *n_chunks,
                                   uint64_t *n_vectors, memo_err *err)
{
    int row;
    memo_stmt st;
    memo_status status = memo_store_check_use(store, err);
    if (status)
        return status;
    st = memo_stmt_keep(&store->sql,
                        "SELECT (SELECT count(*) FROM chunks c JOIN records r ON r.rid = c.rid"
                        " WHERE r.ns = ?1),"
                        " (SELECT count(*) FROM vectors WHERE space = ?2 AND ns = ?1)",
                        "count its vectors");
    memo_stmt_int(&st, ns);
    memo_stmt_int(&st, space);
    status = memo_stmt_step(&st, &row, err);
    if (!status && row) {
        *n_chunks = (uint64_t)memo_stmt_col_int(&st, 0);
        *n_vectors = (uint64_t)memo_stmt_col_int(&st, 1);
    }
    memo_stmt_done(&st);
    return status;
}

static memo_status lacking_keep_tokens(memo_store *store, memo_chunk_row *chunk, size_t n_tokens,
                                       memo_err *err)
{
    memo_stmt st;
    if (n_tokens == 0 || chunk->n_tokens == (int64_t)n_tokens)
        return MEMO_OK;
    chunk->n_tokens = (int64_t)n_tokens;
    st = memo_stmt_keep(&store->sql, "UPDATE chunks SET n_tokens = ?, checksum = ? WHERE cid = ?",
                        "write a chunk");
    memo_stmt_int(&st, chunk->n_tokens);
    memo_stmt_int(&st, memo_chunk_sum(chunk));
    memo_stmt_int(&st, chunk->cid);
    return memo_stmt_run(&st, err);
}

memo_status memo_store_fill_lacking(memo_store *store, int64_t ns, int64_t space,
                                    const memo_store_lacking *chunk, size_t dim, int *written,
                                    memo_err *err)
{
    memo_chunk_row now;
    memo_stmt st;
    int found = 0, has_one = 0;
    memo_status status = memo_store_check_write(store, err);
    if (!status)
        status = memo_chunk_find(&store->sql, chunk->chunk, &now, &found, err);
    *written = 0;
    if (status || !found || now.rid != chunk->record || now.checksum != memo_chunk_sum(&now))
        return status;
    st = memo_stmt_keep(&store->sql, "SELECT 1 FROM vectors WHERE cid = ? AND space = ?",
                        "find a vector");
    memo_stmt_int(&st, chunk->chunk);
    memo_stmt_int(&st, space);
    status = memo_stmt_step(&st, &has_one, err);
    memo_stmt_done(&st);
    if (status || has_one)
        return status;
    status = memo_vector_put(store, now.cid, space, ns, now.rid, chunk->vector, dim, err);
    if (!status)
        status = lacking_keep_tokens(store, &now, chunk->n_tokens, err);
    *written = !status;
    return status;
}

memo_status memo_store_find_overlong(memo_store *store, int64_t ns, size_t most,
                                     memo_store_overlong *out, memo_err *err)
{
    int row;
    memo_stmt st;
    memo_status status = memo_store_check_use(store, err);
    if (status)
        return status;
    out->n = 0;
    out->ids = memo_arena_array(out->arena, out->limit, sizeof *out->ids);
    if (!out->ids)
        return memo_fail_nomem(err, "a list of ids", out->limit * sizeof *out->ids);
    st = memo_stmt_keep(&store->sql,
                        "SELECT r.rid, r.id FROM records r WHERE r.ns = ?1 AND r.rid > ?2"
                        " AND r.chunking <> ?4 AND EXISTS (SELECT 1 FROM chunks c"
                        " WHERE c.rid = r.rid AND c.n_tokens > ?3) ORDER BY r.rid",
                        "find chunks that are too long");
    memo_stmt_int(&st, ns);
    memo_stmt_int(&st, out->after);
    memo_stmt_int(&st, (int64_t)most);
    memo_stmt_int(&st, MEMO_CHUNK_NONE);
    while (out->n < out->limit && !(status = memo_stmt_step(&st, &row, err)) && row) {
        memo_text text = memo_stmt_col_text(&st, 1);
        const char *id = memo_arena_strdup(out->arena, text.bytes ? text.bytes : "?");
        if (!id) {
            status = memo_fail_nomem(err, "an id", 0);
            break;
        }
        out->after = memo_stmt_col_int(&st, 0);
        out->ids[out->n++] = id;
    }
    memo_stmt_done(&st);
    return status;
}

/* ---- all spaces ---------------------------------------------------------------------------- */

memo_status memo_store_each_space(memo_store *store, memo_store_space_fn fn, void *user,
                                  memo_err *err)
{
    int row;
    memo_stmt st;
    memo_status status = memo_store_check_use(store, err);
    if (status)
        return status;
    st = memo_stmt_keep(&store->sql,
                        "SELECT id, fingerprint, name, model_path, dim, kind,"
                        " (SELECT count(*) FROM vectors v WHERE v.space = s.id)"
                        " FROM spaces s ORDER BY id",
                        "list its vector spaces");
    while (!(status = memo_stmt_step(&st, &row, err)) && row) {
        const memo_store_space space = {.id = memo_stmt_col_int(&st, 0),
                                        .fingerprint = memo_stmt_col_text(&st, 1).bytes,
                                        .name = memo_stmt_col_text(&st, 2).bytes,
                                        .model_path = memo_stmt_col_text(&st, 3).bytes,
                                        .dim = (size_t)memo_stmt_col_int(&st, 4),
                                        .kind = (memo_space_kind)memo_stmt_col_int(&st, 5)};
        if (!space.fingerprint || !space.name) { /* a page that was made to look right */
            status =
                memo_fail(err, MEMO_ERR_CORRUPT, "%s: a vector space without a name", store->path);
            memo_hint(err, status, "%s", MEMO_SQL_FIX);
            break;
        }
        if (fn(user, &space, (uint64_t)memo_stmt_col_int(&st, 6)))
            break;
    }
    memo_stmt_done(&st);
    return status;
}
