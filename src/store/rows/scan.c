// SPDX-License-Identifier: Apache-2.0
/* The exact scan: every vector of a space, checked and laid side by side for a kernel. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "store/rows/rows.h"
#include "store/store_inner.h"

/* Big enough that calls do not show, small enough for a second-level cache. */
enum { SCAN_BLOCK_BYTES = 512 << 10, SCAN_BLOCK_ROWS = 1024, SCAN_RECORD_ROWS = 16 };

typedef struct scan_args {
    const memo_store_scope *scope;
    int64_t space;
    size_t dim;
    memo_store_block_fn fn;
    void *user;
    memo_store_damage *damage;
    size_t cap; /* rows of a block */
    size_t n;
    int64_t *chunks, *records; /* [cap] */
    float *vectors;            /* [cap, dim] */
    int stopped;
    int64_t done; /* the last chunk given to fn: a second run continues after it */
} scan_args;

static void scan_flush(scan_args *a)
{
    memo_store_block block = {a->n, a->chunks, a->records, a->vectors};
    if (!a->n)
        return;
    a->done = a->chunks[a->n - 1];
    a->n = 0;
    a->stopped = a->fn(a->user, &block) != 0;
}

static void scan_note_damage(const scan_args *a, memo_sql *sql, int64_t rid, int64_t cid)
{
    char name[40];
    int row = 0;
    memo_status status;
    memo_stmt st = memo_stmt_keep(sql, "SELECT id FROM records WHERE rid = ?", "read an id");
    memo_stmt_int(&st, rid);
    status = memo_stmt_step(&st, &row, NULL);
    if (a->damage && status == MEMO_ERR_NOMEM)
        a->damage->no_memory = 1;
    if (status == MEMO_OK && row && memo_stmt_col_text(&st, 0).bytes) {
        memo_damage_add(a->damage, memo_stmt_col_text(&st, 0).bytes);
    } else {
        snprintf(name, sizeof name, "chunk %" PRId64, cid);
        memo_damage_add(a->damage, name);
    }
    memo_stmt_done(&st);
}

/* A chunk that comes once more, or out of order, is what a damaged index or page leads to. */
static void scan_take_row(scan_args *a, memo_sql *sql, const memo_stmt *st)
{
    int64_t cid = memo_stmt_col_int(st, 0), rid = memo_stmt_col_int(st, 1);
    int64_t last = a->n ? a->chunks[a->n - 1] : a->done;
    const void *bytes = sqlite3_column_blob(st->s, 3);
    size_t n_bytes = (size_t)sqlite3_column_bytes(st->s, 3);
    if (cid <= last || !bytes || n_bytes != a->dim * sizeof(float) ||
        memo_vector_sum(cid, a->space, a->scope->ns, rid, bytes, n_bytes) !=
            memo_stmt_col_int(st, 2)) {
        scan_note_damage(a, sql, rid, cid);
        return;
    }
    a->chunks[a->n] = cid;
    a->records[a->n] = rid;
    memcpy(a->vectors + a->n * a->dim, bytes, n_bytes);
    if (++a->n == a->cap)
        scan_flush(a);
}

/* Without a filter only the few expired records are looked up; with one, the records that pass it
 * are found first. Either set is made once. Past a bad page the rows are read as they lie: an entry
 * of the index may lead to the row of another one. */
static memo_stmt scan_prepare(memo_store *store, memo_sql *sql, const scan_args *a)
{
    memo_buf text = {0};
    memo_stmt st;
    int by_row = sql == &store->salvage;
    memo_buf_puts(&text, "SELECT v.cid, v.rid, v.checksum, v.vector FROM vectors v");
    memo_buf_puts(&text, by_row ? " NOT INDEXED" : "");
    memo_buf_puts(&text, " WHERE v.space = ?3 AND v.ns = ?1 AND v.cid > ?4 AND v.cid <= ?5"
                         " AND v.rid ");
    if (a->scope->filter) {
        memo_buf_puts(&text, "IN (");
        memo_scope_rids_sql(&text, a->scope, by_row);
    } else {
        memo_buf_printf(&text,
                        "NOT IN (SELECT r.rid FROM records r%s WHERE r.ns = ?1"
                        " AND " MEMO_SCOPE_EXPIRED,
                        by_row ? " NOT INDEXED" : "");
    }
    memo_buf_puts(&text, ") ORDER BY v.cid");
    st = memo_stmt_built(sql, &text, "read its vectors");
    memo_scope_bind(&st, a->scope);
    st.next = 3;
    memo_stmt_int(&st, a->space);
    memo_stmt_int(&st, a->done ? a->done : a->scope->first_chunk - 1);
    memo_stmt_int(&st, a->scope->last_chunk ? a->scope->last_chunk : INT64_MAX);
    memo_buf_fini(&text);
    return st;
}

static memo_status scan_run(memo_store *store, memo_sql *sql, void *user, memo_err *err)
{
    scan_args *a = user;
    int row;
    memo_status status;
    memo_stmt st = scan_prepare(store, sql, a);
    a->n = 0;
    while (!(status = memo_stmt_step(&st, &row, err)) && row && !a->stopped)
        scan_take_row(a, sql, &st);
    memo_stmt_done(&st);
    if (!status && !a->stopped)
        scan_flush(a);
    return status;
}

static memo_status scan_find_dim(memo_store *store, int64_t id, size_t *dim, memo_err *err)
{
    memo_arena arena = {0};
    memo_store_space space;
    memo_status status = memo_store_get_space(store, id, &arena, &space, err);
    if (!status)
        *dim = space.dim;
    memo_arena_fini(&arena);
    if (!status && (*dim == 0 || *dim > MEMO_STORE_MAX_DIM))
        status = memo_fail(err, MEMO_ERR_CORRUPT, "%s: space %" PRId64 " has dimension %zu",
                           store->path, id, *dim);
    return status;
}

/* ---- of a whole space ---------------------------------------------------------------------- */

typedef struct scan_space {
    int64_t space;
    size_t dim, cap, n;
    memo_store_space_block_fn fn;
    void *user;
    int64_t *chunks, *records, *ns; /* [cap] */
    uint64_t *sums;
    float *vectors; /* [cap, dim] */
    int stopped;
} scan_space;

static void scan_space_flush(scan_space *a)
{
    memo_store_space_block block = {a->n, a->chunks, a->records, a->ns, a->sums, a->vectors};
    if (a->n && !a->stopped)
        a->stopped = a->fn(a->user, &block) != 0;
    a->n = 0;
}

static memo_status scan_space_take(scan_space *a, const memo_store *store, const memo_stmt *st,
                                   memo_err *err)
{
    const void *bytes = sqlite3_column_blob(st->s, 4);
    size_t n_bytes = (size_t)sqlite3_column_bytes(st->s, 4), i = a->n;
    a->chunks[i] = memo_stmt_col_int(st, 0);
    a->records[i] = memo_stmt_col_int(st, 1);
    a->ns[i] = memo_stmt_col_int(st, 2);
    a->sums[i] = (uint64_t)memo_stmt_col_int(st, 3);
    if (!bytes || n_bytes != a->dim * sizeof(float) ||
        (uint64_t)memo_vector_sum(a->chunks[i], a->space, a->ns[i], a->records[i], bytes,
                                  n_bytes) != a->sums[i])
        return memo_fail(err, MEMO_ERR_CORRUPT,
                         "%s: the checksum of the vector of chunk %" PRId64 " does not match",
                         store->path, a->chunks[i]);
    memcpy(a->vectors + i * a->dim, bytes, n_bytes);
    if (++a->n == a->cap)
        scan_space_flush(a);
    return MEMO_OK;
}

static memo_stmt scan_space_prepare(memo_store *store, int64_t space, int64_t record)
{
    memo_stmt st =
        record ? memo_stmt_keep(&store->sql,
                                "SELECT v.cid, v.rid, v.ns, v.checksum, v.vector FROM chunks c"
                                " JOIN vectors v ON v.cid = c.cid AND v.space = ?1"
                                " WHERE c.rid = ?2 ORDER BY v.cid",
                                "read vectors")
               : memo_stmt_keep(&store->sql,
                                "SELECT cid, rid, ns, checksum, vector FROM vectors"
                                " WHERE space = ?1 ORDER BY ns, cid",
                                "read its vectors");
    memo_stmt_int(&st, space);
    if (record)
        memo_stmt_int(&st, record);
    return st;
}

static memo_status scan_space_run(memo_store *store, scan_space *a, int64_t record, memo_err *err)
{
    int row;
    memo_stmt st = scan_space_prepare(store, a->space, record);
    memo_status status;
    while (!(status = memo_stmt_step(&st, &row, err)) && row && !a->stopped)
        if ((status = scan_space_take(a, store, &st, err)))
            break;
    memo_stmt_done(&st);
    if (!status)
        scan_space_flush(a);
    return status;
}

static size_t scan_block_rows(size_t dim)
{
    size_t rows = SCAN_BLOCK_BYTES / (dim * sizeof(float));
    return rows == 0 ? 1 : rows > SCAN_BLOCK_ROWS ? SCAN_BLOCK_ROWS : rows;
}

memo_status memo_store_scan_space(memo_store *store, int64_t space, int64_t record,
                                  memo_store_space_block_fn fn, void *user, memo_err *err)
{
    scan_space a = {.space = space, .fn = fn, .user = user};
    memo_status status = memo_store_check_use(store, err);
    if (!status)
        status = scan_find_dim(store, space, &a.dim, err);
    if (status)
        return status;
    a.cap = scan_block_rows(a.dim);
    if (record && a.cap > SCAN_RECORD_ROWS)
        a.cap = SCAN_RECORD_ROWS;
    a.chunks = memo_reallocarray(NULL, a.cap, 4 * sizeof *a.chunks);
    a.vectors = memo_aligned_alloc(a.cap * a.dim * sizeof(float));
    if (a.chunks && a.vectors) {
        a.records = a.chunks + a.cap;
        a.ns = a.records + a.cap;
        a.sums = (uint64_t *)(a.ns + a.cap);
        status = scan_space_run(store, &a, record, err);
    } else {
        status = memo_fail_nomem(err, "a block of vectors", a.cap * a.dim * sizeof(float));
    }
    memo_free(a.chunks);
    memo_aligned_free(a.vectors);
    return status;
}

memo_status memo_store_get_vector(memo_store *store, int64_t space, int64_t chunk, float *vector,
                                  size_t dim, memo_err *err)
{
    int row;
    memo_stmt st;
    memo_status status = memo_store_check_use(store, err);
    if (status)
        return status;
    st = memo_stmt_keep(&store->sql,
                        "SELECT ns, rid, checksum, vector FROM vectors"
                        " WHERE cid = ? AND space = ?",
                        "read a vector");
    memo_stmt_int(&st, chunk);
    memo_stmt_int(&st, space);
    status = memo_stmt_step(&st, &row, err);
    if (!status) {
        const void *bytes = row ? sqlite3_column_blob(st.s, 3) : NULL;
        size_t n_bytes = bytes ? (size_t)sqlite3_column_bytes(st.s, 3) : 0;
        if (bytes && n_bytes == dim * sizeof(float) &&
            memo_vector_sum(chunk, space, memo_stmt_col_int(&st, 0), memo_stmt_col_int(&st, 1),
                            bytes, n_bytes) == memo_stmt_col_int(&st, 2))
            memcpy(vector, bytes, n_bytes);
        else
            status = memo_fail(err, MEMO_ERR_CORRUPT,
                               "%s: the vector of chunk %" PRId64 " is gone or damaged",
                               store->path, chunk);
    }
    memo_stmt_done(&st);
    return status;
}

/* ---- of a scope ---------------------------------------------------------------------------- */

memo_status memo_store_scan(memo_store *store, const memo_store_scope *scope, int64_t space,
                            memo_store_block_fn fn, void *user, memo_store_damage *damage,
                            memo_err *err)
{
    scan_args args = {.scope = scope, .space = space, .fn = fn, .user = user, .damage = damage};
    memo_status status = memo_store_check_use(store, err);
    if (!status)
        status = scan_find_dim(store, space, &args.dim, err);
    if (status)
        return status;
    args.cap = scan_block_rows(args.dim);
    args.chunks = memo_reallocarray(NULL, args.cap, sizeof *args.chunks);
    args.records = memo_reallocarray(NULL, args.cap, sizeof *args.records);
    args.vectors = memo_aligned_alloc(args.cap * args.dim * sizeof(float));
    if (args.chunks && args.records && args.vectors)
        status = memo_store_read(store, scan_run, &args, damage, err);
    else
        status = memo_fail_nomem(err, "a block of vectors", args.cap * args.dim * sizeof(float));
    memo_free(args.chunks);
    memo_free(args.records);
    memo_aligned_free(args.vectors);
    return status;
}
