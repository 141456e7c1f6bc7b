// SPDX-License-Identifier: Apache-2.0
/* Small look-ups that a search needs of the chunks that it has found. */
#include <string.h>

#include "base/error.h"
#include "store/rows/rows.h"
#include "store/store_inner.h"

#define LOOKUP_NARROW_CHUNKS "1000" /* a search among so many costs more than to count them */

/* Is it one namespace of several, and of so few records that its chunks can be counted? Both are told
 * by indexes alone, which every search can afford. */
static memo_status lookup_is_small(memo_store *store, int64_t ns, int *small, memo_err *err)
{
    int row = 0;
    memo_stmt st = memo_stmt_keep(
        &store->sql,
        "SELECT CASE WHEN EXISTS(SELECT 1 FROM namespaces WHERE id <> ?1) THEN (SELECT count(*)"
        " FROM (SELECT 1 FROM records WHERE ns = ?1 LIMIT " LOOKUP_NARROW_CHUNKS " + 1))"
        " <= " LOOKUP_NARROW_CHUNKS " ELSE 0 END",
        "find out how large a namespace is");
    memo_status status;
    memo_stmt_int(&st, ns);
    status = memo_stmt_step(&st, &row, err);
    *small = !status && row && memo_stmt_col_int(&st, 0);
    memo_stmt_done(&st);
    return status;
}

memo_status memo_store_narrow(memo_store *store, memo_store_scope *scope, memo_err *err)
{
    int row = 0, small = 0;
    memo_stmt st;
    memo_status status = memo_store_check_use(store, err);
    if (!status)
        status = lookup_is_small(store, scope->ns, &small, err);
    if (status || !small)
        return status;
    st = memo_stmt_keep(&store->sql,
                        "SELECT min(cid), max(cid), count(*) <= " LOOKUP_NARROW_CHUNKS
                        " FROM (SELECT c.cid FROM records r CROSS JOIN chunks c"
                        " WHERE r.ns = ?1 AND c.rid = r.rid LIMIT " LOOKUP_NARROW_CHUNKS " + 1)",
                        "find where its chunks lie");
    memo_stmt_int(&st, scope->ns);
    status = memo_stmt_step(&st, &row, err);
    if (!status && row && memo_stmt_col_int(&st, 2)) {
        scope->first_chunk = memo_stmt_col_int(&st, 0);
        scope->last_chunk = memo_stmt_col_int(&st, 1);
    }
    memo_stmt_done(&st);
    return status;
}

memo_status memo_store_chunk_at(memo_store *store, const memo_store_scope *scope, int64_t record,
                                int64_t at, int64_t *chunk, memo_err *err)
{
    memo_buf text = {0};
    memo_stmt st;
    int row = 0;
    memo_status status = memo_store_check_use(store, err);
    if (status)
        return status;
    memo_buf_puts(&text, "SELECT c.cid FROM records r JOIN chunks c ON c.rid = r.rid"
                         " WHERE r.rid = ?3 AND c.span_begin <= ?4 AND ");
    memo_scope_sql(&text, scope);
    memo_buf_puts(&text, " ORDER BY c.span_begin DESC LIMIT 1");
    st = memo_stmt_built(&store->sql, &text, "find a chunk");
    memo_scope_bind(&st, scope);
    st.next = 3;
    memo_stmt_int(&st, record);
    memo_stmt_int(&st, at);
    status = memo_stmt_step(&st, &row, err);
    *chunk = !status && row ? memo_stmt_col_int(&st, 0) : 0;
    memo_stmt_done(&st);
    memo_buf_fini(&text);
    return status;
}

memo_status memo_store_created(memo_store *store, const int64_t *chunks, size_t n,
                               int64_t *created_ms, memo_err *err)
{
    memo_stmt st;
    memo_status status = memo_store_check_use(store, err);
    if (status)
        return status;
    st = memo_stmt_keep(&store->sql,
                        "SELECT r.created_ms FROM chunks c JOIN records r ON r.rid = c.rid"
                        " WHERE c.cid = ?",
                        "read when it was created");
    for (size_t i = 0; !status && i < n; i++) {
        int row = 0;
        memo_stmt_again(&st);
        memo_stmt_int(&st, chunks[i]);
        status = memo_stmt_step(&st, &row, err);
        created_ms[i] = !status && row ? memo_stmt_col_int(&st, 0) : 0;
    }
    memo_stmt_done(&st);
    return status;
}

memo_status memo_store_vectors_of(memo_store *store, int64_t space, const int64_t *chunks, size_t n,
                                  size_t dim, float *vectors, unsigned char *found, memo_err *err)
{
    memo_stmt st;
    memo_status status = memo_store_check_use(store, err);
    if (status)
        return status;
    st = memo_stmt_keep(&store->sql,
                        "SELECT ns, rid, checksum, vector FROM vectors WHERE cid = ? AND space = ?",
                        "read a vector");
    for (size_t i = 0; !status && i < n; i++) {
        int row = 0;
        found[i] = 0;
        memo_stmt_again(&st);
        memo_stmt_int(&st, chunks[i]);
        memo_stmt_int(&st, space);
        status = memo_stmt_step(&st, &row, err);
        if (status || !row)
            continue;
        const void *bytes = sqlite3_column_blob(st.s, 3);
        size_t n_bytes = (size_t)sqlite3_column_bytes(st.s, 3);
        found[i] =
            bytes && n_bytes == dim * sizeof *vectors &&
            memo_vector_sum(chunks[i], space, memo_stmt_col_int(&st, 0), memo_stmt_col_int(&st, 1),
                            bytes, n_bytes) == memo_stmt_col_int(&st, 2);
        if (found[i])
            memcpy(vectors + i * dim, bytes, n_bytes);
    }
    memo_stmt_done(&st);
    return status;
}
