// SPDX-License-Identifier: Apache-2.0
#include "store/rows/vectors.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

/* ---- what a transaction changes ------------------------------------------------------------ */

/* A row of a space below 1 is damage: it is of no space, and counted nowhere. */
static memo_status vectors_write_change(memo_sql *sql, const memo_set_change *change, memo_err *err)
{
    int64_t n = 0, sum = 0;
    int row;
    memo_status status;
    memo_stmt st;
    if (change->space < 1)
        return MEMO_OK;
    st = memo_stmt_keep(sql, "SELECT n, sum FROM tallies WHERE what = ?", "count its vectors");
    memo_stmt_int(&st, change->space);
    status = memo_stmt_step(&st, &row, err);
    if (!status && row) {
        n = memo_stmt_col_int(&st, 0);
        sum = memo_stmt_col_int(&st, 1);
    }
    memo_stmt_done(&st);
    if (status)
        return status;
    st = memo_stmt_keep(sql, "INSERT OR REPLACE INTO tallies(what, n, sum) VALUES(?, ?, ?)",
                        "count its vectors");
    memo_stmt_int(&st, change->space);
    memo_stmt_int(&st, (int64_t)((uint64_t)n + change->n));
    memo_stmt_int(&st, (int64_t)((uint64_t)sum + change->sum));
    return memo_stmt_run(&st, err);
}

memo_status memo_vector_sets_write(memo_store *store, memo_err *err)
{
    memo_status status = MEMO_OK;
    if (store->recount_vectors)
        status = memo_vector_sets_make(&store->sql, err);
    for (size_t i = 0; i < store->n_set_changes && !store->recount_vectors && !status; i++)
        status = vectors_write_change(&store->sql, &store->set_changes[i], err);
    store->n_set_changes = 0;
    return status;
}

/* One vector more or less. A transaction that touches more spaces than there is room for is rare, and
 * counts them all. */
static void vectors_note(memo_store *store, int64_t space, int64_t sum, int is_there)
{
    size_t i = 0;
    while (i < store->n_set_changes && store->set_changes[i].space != space)
        i++;
    if (i == MEMO_STORE_SET_CHANGES) {
        store->recount_vectors = 1;
        return;
    }
    if (i == store->n_set_changes)
        store->set_changes[store->n_set_changes++] = (memo_set_change){.space = space};
    store->set_changes[i].n += is_there ? 1 : UINT64_MAX;
    store->set_changes[i].sum += is_there ? (uint64_t)sum : 0 - (uint64_t)sum;
}

memo_status memo_vector_put(memo_store *store, int64_t cid, int64_t space, int64_t ns, int64_t rid,
                            const float *vector, size_t dim, memo_err *err)
{
    size_t n_bytes = dim * sizeof *vector;
    int64_t sum = memo_vector_sum(cid, space, ns, rid, vector, n_bytes);
    memo_stmt st = memo_stmt_keep(&store->sql,
                                  "INSERT INTO vectors(cid, space, ns, rid, checksum, vector)"
                                  " VALUES(?, ?, ?, ?, ?, ?)",
                                  "write a vector");
    memo_stmt_int(&st, cid);
    memo_stmt_int(&st, space);
    memo_stmt_int(&st, ns);
    memo_stmt_int(&st, rid);
    memo_stmt_int(&st, sum);
    memo_stmt_blob(&st, vector, n_bytes);
    vectors_note(store, space, sum, 1);
    return memo_stmt_run(&st, err);
}

/* Run a DELETE that returns space and checksum of each row; `space` 0: it has one parameter. */
static memo_status vectors_delete(memo_store *store, const char *constant, int64_t id,
                                  int64_t space, memo_err *err)
{
    int row;
    memo_status status;
    memo_stmt st = memo_stmt_keep(&store->sql, constant, "remove vectors");
    memo_stmt_int(&st, id);
    if (space)
        memo_stmt_int(&st, space);
    while (!(status = memo_stmt_step(&st, &row, err)) && row)
        vectors_note(store, memo_stmt_col_int(&st, 0), memo_stmt_col_int(&st, 1), 0);
    memo_stmt_done(&st);
    return status;
}

memo_status memo_vectors_delete(memo_store *store, int64_t rid, memo_err *err)
{
    return vectors_delete(store,
                          "DELETE FROM vectors WHERE cid IN (SELECT cid FROM chunks WHERE rid = ?)"
                          " RETURNING space, checksum",
                          rid, 0, err);
}

memo_status memo_vectors_delete_space(memo_store *store, int64_t ns, int64_t space, memo_err *err)
{
    return vectors_delete(store,
                          "DELETE FROM vectors WHERE ns = ? AND space = ?"
                          " RETURNING space, checksum",
                          ns, space, err);
}

/* ---- all of them --------------------------------------------------------------------------- */

typedef struct vectors_sets {
    size_t n, cap;
    memo_set_change *sets; /* [n] */
} vectors_sets;

static memo_status vectors_count_one(vectors_sets *all, int64_t space, int64_t sum, memo_err *err)
{
    size_t i = 0;
    while (i < all->n && all->sets[i].space != space)
        i++;
    if (i == all->cap) {
        size_t cap = all->cap ? 2 * all->cap : 8;
        memo_set_change *grown = memo_reallocarray(all->sets, cap, sizeof *grown);
        if (!grown)
            return memo_fail_nomem(err, "a list of spaces", cap * sizeof *grown);
        all->sets = grown;
        all->cap = cap;
    }
    if (i == all->n)
        all->sets[all->n++] = (memo_set_change){.space = space};
    all->sets[i].n++;
    all->sets[i].sum += (uint64_t)sum;
    return MEMO_OK;
}

static memo_status vectors_count(memo_sql *sql, vectors_sets *all, memo_err *err)
{
    int row;
    memo_stmt st = memo_stmt_once(sql, "SELECT space, checksum FROM vectors WHERE space > 0",
                                  "count its vectors");
    memo_status status;
    while (!(status = memo_stmt_step(&st, &row, err)) && row)
        if ((status =
                 vectors_count_one(all, memo_stmt_col_int(&st, 0), memo_stmt_col_int(&st, 1), err)))
            break;
    memo_stmt_done(&st);
    return status;
}

memo_status memo_vector_sets_make(memo_sql *sql, memo_err *err)
{
    vectors_sets all = {0};
    memo_status status = vectors_count(sql, &all, err);
    if (!status)
        status = memo_sql_exec(sql, "DELETE FROM tallies WHERE what > 0", "count its vectors", err);
    for (size_t i = 0; i < all.n && !status; i++)
        status = vectors_write_change(sql, &all.sets[i], err);
    memo_free(all.sets);
    return status;
}

/* A space that has lost its last vector may have a row or none. */
memo_status memo_vector_sets_check(memo_sql *sql, int *same, memo_err *err)
{
    vectors_sets all = {0};
    size_t n_found = 0;
    int row, fits = 1;
    memo_stmt st;
    memo_status status = vectors_count(sql, &all, err);
    if (status)
        goto done;
    st = memo_stmt_once(sql,
                        "SELECT what, n, sum FROM tallies WHERE what > 0 AND (n <> 0 OR sum <> 0)",
                        "count its vectors");
    while (!(status = memo_stmt_step(&st, &row, err)) && row) {
        size_t i = 0;
        while (i < all.n && all.sets[i].space != memo_stmt_col_int(&st, 0))
            i++;
        fits &= i < all.n && all.sets[i].n == (uint64_t)memo_stmt_col_int(&st, 1) &&
                all.sets[i].sum == (uint64_t)memo_stmt_col_int(&st, 2);
        n_found++;
    }
    memo_stmt_done(&st);
    if (!status)
        *same = fits && n_found == all.n;
done:
    memo_free(all.sets);
    return status;
}

/* ---- for those who keep copies ------------------------------------------------------------- */

const char *memo_store_uuid(const memo_store *store)
{
    return store->uuid;
}

uint64_t memo_store_vector_sum(int64_t chunk, int64_t space, int64_t ns, int64_t record,
                               const float *vector, size_t dim)
{
    return (uint64_t)memo_vector_sum(chunk, space, ns, record, vector, dim * sizeof *vector);
}

memo_status memo_store_get_set(memo_store *store, int64_t space, memo_store_set *set, memo_err *err)
{
    int row;
    memo_stmt st;
    memo_status status = memo_store_check_use(store, err);
    if (status)
        return status;
    st = memo_stmt_keep(&store->sql,
                        "SELECT m.change_seq, m.n_commits, coalesce(v.n, 0), coalesce(v.sum, 0)"
                        " FROM meta m LEFT JOIN tallies v ON v.what = ?",
                        "count its vectors");
    memo_stmt_int(&st, space);
    status = memo_stmt_step(&st, &row, err);
    if (!status && !row)
        status = memo_fail(err, MEMO_ERR_CORRUPT, "%s: it has lost its counters", store->path);
    if (!status)
        *set = (memo_store_set){.seq = memo_stmt_col_int(&st, 0),
                                .n_commits = memo_stmt_col_int(&st, 1),
                                .n = (uint64_t)memo_stmt_col_int(&st, 2),
                                .sum = (uint64_t)memo_stmt_col_int(&st, 3)};
    memo_stmt_done(&st);
    return status;
}

/* Each integer of the first column to fn; a non-zero return stops. */
static memo_status vectors_each_rid(memo_stmt *st, memo_store_rid_fn fn, void *user, memo_err *err)
{
    int row;
    memo_status status;
    while (!(status = memo_stmt_step(st, &row, err)) && row)
        if (fn(user, memo_stmt_col_int(st, 0)))
            break;
    memo_stmt_done(st);
    return status;
}

memo_status memo_store_each_changed(memo_store *store, int64_t since, memo_store_rid_fn fn,
                                    void *user, memo_err *err)
{
    memo_stmt st;
    memo_status status = memo_store_check_use(store, err);
    if (status)
        return status;
    st = memo_stmt_keep(&store->sql,
                        "SELECT rid FROM records WHERE seq > ?1 UNION ALL"
                        " SELECT rid FROM forgotten WHERE seq > ?1",
                        "read what changed");
    memo_stmt_int(&st, since);
    return vectors_each_rid(&st, fn, user, err);
}

static void vectors_match_sql(memo_buf *text, const memo_store_scope *scope)
{
    if (scope->filter && memo_filter_rids_sql(scope->filter)) {
        memo_buf_puts(text, memo_filter_rids_sql(scope->filter));
        return;
    }
    memo_buf_puts(text, "SELECT r.rid FROM records r WHERE ");
    memo_scope_sql(text, scope);
}

memo_status memo_store_each_match(memo_store *store, const memo_store_scope *scope,
                                  memo_store_rid_fn fn, void *user, memo_err *err)
{
    memo_buf text = {0};
    memo_stmt st;
    memo_status status = memo_store_check_use(store, err);
    if (status)
        return status;
    vectors_match_sql(&text, scope);
    st = memo_stmt_built(&store->sql, &text, "apply a filter");
    memo_scope_bind(&st, scope);
    status = vectors_each_rid(&st, fn, user, err);
    memo_buf_fini(&text);
    return status;
}

memo_status memo_store_explain_match(memo_store *store, const memo_store_scope *scope,
                                     memo_arena *arena, const char **out, memo_err *err)
{
    enum { DETAIL = 3 };
    memo_buf text = {0}, steps = {0};
    memo_stmt st;
    int row;
    memo_status status = memo_store_check_use(store, err);
    if (status)
        return status;
    memo_buf_puts(&text, "EXPLAIN QUERY PLAN ");
    vectors_match_sql(&text, scope);
    st = memo_stmt_built(&store->sql, &text, "explain a filter");
    while (!(status = memo_stmt_step(&st, &row, err)) && row)
        memo_buf_printf(&steps, "%s%s", steps.n ? "; " : "", memo_stmt_col_text(&st, DETAIL).bytes);
    memo_stmt_done(&st);
    if (!status && !(*out = memo_arena_strdup(arena, steps.data ? steps.data : "")))
        status = memo_fail_nomem(err, "the plan of a filter", steps.n);
    if (!status && steps.failed)
        status = memo_fail_nomem(err, "the plan of a filter", steps.n);
    memo_buf_fini(&text);
    memo_buf_fini(&steps);
    return status;
}

memo_status memo_store_each_expired(memo_store *store, const memo_store_scope *scope,
                                    memo_store_rid_fn fn, void *user, memo_err *err)
{
    memo_stmt st;
    memo_status status = memo_store_check_use(store, err);
    if (status)
        return status;
    st = memo_stmt_keep(&store->sql,
                        "SELECT rid FROM records WHERE ns = ? AND expires_ms > 0"
                        " AND expires_ms <= ? AND pinned = 0",
                        "find what has expired");
    memo_stmt_int(&st, scope->ns);
    memo_stmt_int(&st, scope->now_ms);
    return vectors_each_rid(&st, fn, user, err);
}

memo_status memo_store_each_set(memo_store *store, memo_store_set_fn fn, void *user, memo_err *err)
{
    int row;
    memo_stmt st;
    memo_status status = memo_store_check_use(store, err);
    if (status)
        return status;
    st = memo_stmt_keep(&store->sql,
                        "SELECT v.what, s.dim, v.n FROM tallies v"
                        " JOIN spaces s ON s.id = v.what WHERE v.n > 0 ORDER BY v.what",
                        "count its vectors");
    while (!(status = memo_stmt_step(&st, &row, err)) && row)
        if (fn(user, memo_stmt_col_int(&st, 0), memo_stmt_col_int(&st, 1),
               (uint64_t)memo_stmt_col_int(&st, 2)))
            break;
    memo_stmt_done(&st);
    return status;
}

/* ---- of one record ------------------------------------------------------------------------- */

/* The chunk and vector that the statement stands at; the vector is copied. */
static memo_status vectors_take_chunk(const memo_stmt *st, const memo_row *row, int64_t space,
                                      memo_arena *arena, memo_store_chunk *out, memo_err *err)
{
    memo_chunk_row chunk;
    const void *bytes = sqlite3_column_blob(st->s, 8);
    size_t n_bytes = bytes ? (size_t)sqlite3_column_bytes(st->s, 8) : 0;
    void *copy;

    memo_chunk_read(st, &chunk);
    if (!memo_chunk_good(&chunk, row) || n_bytes == 0 || n_bytes % sizeof(float) ||
        memo_vector_sum(chunk.cid, space, row->ns, row->rid, bytes, n_bytes) !=
            memo_stmt_col_int(st, 7))
        return memo_fail(err, MEMO_ERR_CORRUPT,
                         "record %s: the checksum of chunk %lld or its vector does not match",
                         row->id.bytes, (long long)chunk.position);
    copy = memo_arena_alloc(arena, n_bytes);
    if (!copy)
        return memo_fail_nomem(err, "a vector", n_bytes);
    memcpy(copy, bytes, n_bytes);
    *out = (memo_store_chunk){.begin = (size_t)chunk.begin,
                              .end = (size_t)chunk.end,
                              .n_tokens = (size_t)chunk.n_tokens,
                              .vector = copy};
    return MEMO_OK;
}

memo_status memo_store_read_chunks(memo_store *store, int64_t ns, const char *id, int64_t space,
                                   memo_arena *arena, memo_store_chunk **chunks, size_t *n,
                                   memo_err *err)
{
    memo_row row;
    memo_stmt st;
    int more = 1;
    memo_status status = memo_store_check_use(store, err);

    *n = 0;
    if (!status)
        status = memo_row_find_id(&store->sql, ns, id, arena, &row, err);
    if (!status && (!row.rid || !memo_row_good(&row) || row.n_chunks < 0))
        status =
            memo_fail(err, row.rid ? MEMO_ERR_CORRUPT : MEMO_ERR_NOTFOUND,
                      row.rid ? "record %s: its checksum does not match" : "no record \"%s\"", id);
    if (!status && !(*chunks = memo_arena_array(arena, (size_t)row.n_chunks + 1, sizeof **chunks)))
        status = memo_fail_nomem(err, "chunks of a record", (uint64_t)row.n_chunks);
    if (status)
        return status;
    st = memo_stmt_keep(&store->sql,
                        "SELECT c.cid, c.rid, c.position, c.span_begin, c.span_end, c.n_tokens,"
                        " c.checksum, v.checksum, v.vector FROM chunks c JOIN vectors v"
                        " ON v.cid = c.cid AND v.space = ?2 WHERE c.rid = ?1 ORDER BY c.position",
                        "read its vectors");
    memo_stmt_int(&st, row.rid);
    memo_stmt_int(&st, space);
    while (!(status = memo_stmt_step(&st, &more, err)) && more && *n < (size_t)row.n_chunks &&
           !(status = vectors_take_chunk(&st, &row, space, arena, *chunks + *n, err)))
        ++*n;
    memo_stmt_done(&st);
    return status;
}
