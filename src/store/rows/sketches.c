// SPDX-License-Identifier: Apache-2.0
/* Finding records that may say the same. The rows are few and hold no text; what they lead to is
 * always compared word by word, so a wrong row costs a comparison, and a lost one a link. */
#include "store/rows/sketches.h"

#include <string.h>

#include "base/error.h"
#include "store/rows/rows.h"

/* Of a hash that this many records have not more are looked at: it is of words that are said often,
 * and who shares no other hash says something else. */
#define SKETCH_WALK   64
#define SKETCH_COMMON 16
enum { SKETCH_ROOM = MEMO_STORE_SKETCH * SKETCH_WALK };

/* ---- writing ------------------------------------------------------------------------------- */

static memo_status sketch_run(memo_sql *sql, const char *constant, int64_t rid, memo_err *err)
{
    memo_stmt st = memo_stmt_keep(sql, constant, "keep what a record is compared by");
    memo_stmt_int(&st, rid);
    return memo_stmt_run(&st, err);
}

memo_status memo_sketch_put(memo_sql *sql, int64_t rid, const int64_t *sketch, size_t n_sketch,
                            memo_err *err)
{
    memo_status status = MEMO_OK;
    if (!sketch)
        return sketch_run(sql, "INSERT OR IGNORE INTO unlinked(rid) VALUES(?)", rid, err);
    for (size_t i = 0; i < n_sketch && !status; i++) {
        memo_stmt st = memo_stmt_keep(sql, "INSERT OR IGNORE INTO sketches(hash, rid) VALUES(?, ?)",
                                      "keep a sketch");
        memo_stmt_int(&st, sketch[i]);
        memo_stmt_int(&st, rid);
        status = memo_stmt_run(&st, err);
    }
    return status;
}

memo_status memo_sketch_forget(memo_sql *sql, int64_t rid, memo_err *err)
{
    memo_status status = sketch_run(sql, "DELETE FROM sketches WHERE rid = ?", rid, err);
    return status ? status : sketch_run(sql, "DELETE FROM unlinked WHERE rid = ?", rid, err);
}

memo_status memo_store_settle_sketch(memo_store *store, int64_t rid, const int64_t *sketch,
                                     size_t n_sketch, memo_err *err)
{
    memo_status status = memo_store_check_write(store, err);
    if (!status)
        status = memo_sketch_forget(&store->sql, rid, err);
    return status ? status : memo_sketch_put(&store->sql, rid, sketch, n_sketch, err);
}

memo_status memo_sketches_mend(memo_sql *sql, memo_err *err)
{
    return memo_sql_exec(sql,
                         "DELETE FROM sketches WHERE rid NOT IN (SELECT rid FROM records);"
                         "DELETE FROM unlinked WHERE rid NOT IN (SELECT rid FROM records);"
                         "INSERT INTO unlinked(rid) SELECT rid FROM records EXCEPT"
                         " SELECT rid FROM sketches EXCEPT SELECT rid FROM unlinked",
                         "let its records be compared", err);
}

memo_status memo_sketches_audit(memo_sql *sql, int64_t *n, memo_err *err)
{
    int64_t missing = 0, too_many = 0;
    memo_status status = memo_sql_int(sql,
                                      "SELECT count(*) FROM (SELECT rid FROM records EXCEPT"
                                      " SELECT rid FROM sketches EXCEPT SELECT rid FROM unlinked)",
                                      &missing, err);
    if (!status)
        status = memo_sql_int(sql,
                              "SELECT count(*) FROM (SELECT rid FROM sketches UNION"
                              " SELECT rid FROM unlinked EXCEPT SELECT rid FROM records)",
                              &too_many, err);
    *n = missing + too_many;
    return status;
}

/* ---- reading ------------------------------------------------------------------------------- */

/* Whether `a` is to be compared before `b`. */
static int sketch_before(const memo_store_alike *a, const memo_store_alike *b)
{
    return a->n_common != b->n_common ? a->n_common > b->n_common : a->rid < b->rid;
}

/* The oldest records that have a hash, counted in `seen`. */
static memo_status sketch_walk(memo_sql *sql, int64_t hash, int64_t self,
                               memo_store_alike seen[SKETCH_ROOM], size_t *n_seen, memo_err *err)
{
    int64_t rids[SKETCH_WALK];
    size_t n = 0;
    int more;
    memo_status status;
    memo_stmt st = memo_stmt_keep(
        sql, "SELECT rid FROM sketches WHERE hash = ? ORDER BY rid LIMIT ?", "look for the like");
    memo_stmt_int(&st, hash);
    memo_stmt_int(&st, SKETCH_WALK);
    while (n < SKETCH_WALK && !(status = memo_stmt_step(&st, &more, err)) && more)
        rids[n++] = memo_stmt_col_int(&st, 0);
    memo_stmt_done(&st);
    for (size_t i = 0; i < n && !status; i++) {
        size_t at = 0;
        if (rids[i] == self)
            continue;
        while (at < *n_seen && seen[at].rid != rids[i])
            at++;
        if (at == *n_seen)
            seen[(*n_seen)++] = (memo_store_alike){.rid = rids[i]};
        seen[at].n_common++;
        seen[at].rare |= n < SKETCH_COMMON;
    }
    return status;
}

memo_status memo_store_find_alike(memo_store *store, const int64_t *sketch, size_t n_sketch,
                                  int64_t self, memo_store_alike out[MEMO_STORE_ALIKE], size_t *n,
                                  memo_err *err)
{
    memo_store_alike seen[SKETCH_ROOM];
    size_t n_seen = 0;
    memo_status status = memo_store_check_use(store, err);
    *n = 0;
    for (size_t i = 0; i < n_sketch && i < MEMO_STORE_SKETCH && !status; i++)
        status = sketch_walk(&store->sql, sketch[i], self, seen, &n_seen, err);
    for (size_t i = 0; i < n_seen && !status; i++) {
        size_t at = *n;
        if (seen[i].n_common < 2 && !seen[i].rare && n_sketch > 1)
            continue;
        while (at > 0 && sketch_before(&seen[i], &out[at - 1])) {
            if (at < MEMO_STORE_ALIKE)
                out[at] = out[at - 1];
            at--;
        }
        if (at < MEMO_STORE_ALIKE)
            out[at] = seen[i];
        *n += *n < MEMO_STORE_ALIKE;
    }
    return status;
}

memo_status memo_store_text_of(memo_store *store, int64_t rid, memo_arena *arena,
                               memo_store_text *out, memo_err *err)
{
    memo_row row;
    int64_t ns = 0;
    int more;
    memo_stmt st;
    memo_status status = memo_store_check_use(store, err);
    *out = (memo_store_text){0};
    if (status)
        return status;
    st = memo_stmt_keep(&store->sql, "SELECT " MEMO_ROW_COLUMNS " FROM records WHERE rid = ?",
                        "read a text");
    memo_stmt_int(&st, rid);
    status = memo_stmt_step(&st, &more, err);
    if (!status && more) {
        memo_row_read(&st, &row);
        if (memo_row_good(&row)) {
            ns = row.ns;
            out->text.n_bytes = row.text.n_bytes;
            out->text.bytes = memo_arena_strndup(arena, row.text.bytes, row.text.n_bytes);
            if (!out->text.bytes)
                status = memo_fail_nomem(err, "a text", row.text.n_bytes);
        }
    }
    memo_stmt_done(&st);
    if (!status && ns) {
        out->found = 1;
        status = memo_ns_name(&store->sql, ns, arena, &out->ns, err);
    }
    return status;
}

memo_status memo_store_next_unlinked(memo_store *store, int64_t *rid, memo_err *err)
{
    int more;
    memo_stmt st;
    memo_status status = memo_store_check_use(store, err);
    if (status)
        return status;
    st = memo_stmt_keep(&store->sql, "SELECT rid FROM unlinked WHERE rid > ? ORDER BY rid LIMIT 1",
                        "find what is to be compared");
    memo_stmt_int(&st, *rid);
    status = memo_stmt_step(&st, &more, err);
    if (!status)
        *rid = more ? memo_stmt_col_int(&st, 0) : 0;
    memo_stmt_done(&st);
    return status;
}

memo_status memo_store_count_unlinked(memo_store *store, uint64_t *n, memo_err *err)
{
    int64_t count = 0;
    memo_status status = memo_store_check_use(store, err);
    if (!status)
        status = memo_sql_int(&store->sql, "SELECT count(*) FROM unlinked", &count, err);
    *n = (uint64_t)count;
    return status;
}
