// SPDX-License-Identifier: Apache-2.0
/* Finding records that may say the same. The rows are few and hold no text; what they lead to is
 * always compared word by word, so a wrong row costs a comparison, and a lost one a link. */
#include "store/rows/sketches.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "store/rows/rows.h"

/* Of a hash that this many records have not more are looked at: it is of words that are said often,
 * and who shares no other hash says something else. */
#define SKETCH_WALK   64
#define SKETCH_COMMON 16
enum { SKETCH_ROOM = MEMO_STORE_SKETCH * SKETCH_WALK };

/* ---- the newest rows ----------------------------------------------------------------------- */

/* Rows of `sketches` lie by their hash: the four of a record are four pages of the log. So the newest
 * wait in a list, in the row of `tallies` that is no space's, and go into the table when it is full:
 * hundreds of rows at once, sorted, touch each page once. A row is in one of the two.
 *
 *   tallies.list  of row 0: n times hash and row id, 8 bytes each, copied as they lie in memory: they
 *                 are little-endian, as rows.c does not compile for a machine of another order
 *
 * The list fits into a page beside the rows of a few spaces. */
enum { SKETCH_NEWEST = 480 };

typedef struct sketch_row {
    int64_t hash, rid;
} sketch_row;

typedef struct sketch_list {
    size_t n;
    int whole; /* 0: what is stored is no such list, and this one is empty */
    sketch_row rows[SKETCH_NEWEST];
} sketch_list;

static memo_status sketch_read_list(memo_sql *sql, sketch_list *list, memo_err *err)
{
    int more;
    memo_stmt st = memo_stmt_keep(sql, "SELECT n, list FROM tallies WHERE what = 0",
                                  "read the newest sketches");
    memo_status status = memo_stmt_step(&st, &more, err);
    list->n = 0;
    list->whole = 1;
    if (!status && more) {
        const void *bytes = sqlite3_column_blob(st.s, 1);
        size_t n_bytes = bytes ? (size_t)sqlite3_column_bytes(st.s, 1) : 0;
        list->whole = n_bytes <= sizeof list->rows && n_bytes % sizeof *list->rows == 0 &&
                      memo_stmt_col_int(&st, 0) == (int64_t)(n_bytes / sizeof *list->rows);
        if (list->whole && n_bytes) {
            list->n = n_bytes / sizeof *list->rows;
            memcpy(list->rows, bytes, n_bytes);
        }
    }
    memo_stmt_done(&st);
    return status;
}

/* For a read. A change goes on without a list that is none, as it is derived: the records whose rows it
 * had have no sketch then, which the audit tells, and wait for one after a mend. */
static memo_status sketch_need_list(memo_sql *sql, sketch_list *list, memo_err *err)
{
    memo_status status = sketch_read_list(sql, list, err);
    if (status || list->whole)
        return status;
    memo_fail(err, MEMO_ERR_CORRUPT, "%s: the list of its newest sketches is damaged", sql->path);
    return memo_hint(err, MEMO_ERR_CORRUPT, "%s", MEMO_SQL_FIX);
}

static memo_status sketch_write_list(memo_sql *sql, const sketch_list *list, memo_err *err)
{
    memo_stmt st =
        memo_stmt_keep(sql, "INSERT OR REPLACE INTO tallies(what, n, sum, list) VALUES(0, ?, 0, ?)",
                       "keep the newest sketches");
    memo_stmt_int(&st, (int64_t)list->n);
    memo_stmt_blob(&st, list->rows, list->n * sizeof *list->rows);
    return memo_stmt_run(&st, err);
}

static int sketch_by_hash(const void *a, const void *b)
{
    const sketch_row *x = a, *y = b;
    return x->hash != y->hash ? (x->hash < y->hash ? -1 : 1)
                              : (x->rid > y->rid) - (x->rid < y->rid);
}

/* The rows of the list go into the table; it is empty then, and not written yet. */
static memo_status sketch_file_list(memo_sql *sql, sketch_list *list, memo_err *err)
{
    memo_status status = MEMO_OK;
    qsort(list->rows, list->n, sizeof *list->rows, sketch_by_hash);
    for (size_t i = 0; i < list->n && !status; i++) {
        memo_stmt st = memo_stmt_keep(sql, "INSERT OR IGNORE INTO sketches(hash, rid) VALUES(?, ?)",
                                      "keep a sketch");
        memo_stmt_int(&st, list->rows[i].hash);
        memo_stmt_int(&st, list->rows[i].rid);
        status = memo_stmt_run(&st, err);
    }
    list->n = 0;
    return status;
}

/* The row ids of the list as JSON, for a query. */
static void sketch_list_rids(const sketch_list *list, memo_buf *out)
{
    memo_buf_putc(out, '[');
    for (size_t i = 0; i < list->n; i++)
        memo_buf_printf(out, "%s%" PRId64, i ? "," : "", list->rows[i].rid);
    memo_buf_putc(out, ']');
}

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
    sketch_list list;
    memo_status status;
    if (!sketch)
        return sketch_run(sql, "INSERT OR IGNORE INTO unlinked(rid) VALUES(?)", rid, err);
    if (n_sketch > MEMO_STORE_SKETCH)
        return memo_fail(err, MEMO_ERR_USAGE, "a sketch of %zu hashes; at most %d are kept",
                         n_sketch, MEMO_STORE_SKETCH);
    status = sketch_read_list(sql, &list, err);
    if (!status && list.n + n_sketch > SKETCH_NEWEST)
        status = sketch_file_list(sql, &list, err);
    for (size_t i = 0; i < n_sketch && !status; i++)
        list.rows[list.n++] = (sketch_row){sketch[i], rid};
    return status ? status : sketch_write_list(sql, &list, err);
}

static memo_status sketch_forget_newest(memo_sql *sql, int64_t rid, memo_err *err)
{
    sketch_list list;
    size_t n_left = 0;
    memo_status status = sketch_read_list(sql, &list, err);
    if (status)
        return status;
    for (size_t i = 0; i < list.n; i++)
        if (list.rows[i].rid != rid)
            list.rows[n_left++] = list.rows[i];
    if (n_left == list.n && list.whole)
        return MEMO_OK;
    list.n = n_left;
    return sketch_write_list(sql, &list, err);
}

memo_status memo_sketch_forget(memo_sql *sql, int64_t rid, memo_err *err)
{
    memo_status status = sketch_run(sql, "DELETE FROM sketches WHERE rid = ?", rid, err);
    if (!status)
        status = sketch_forget_newest(sql, rid, err);
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

/* Of a list that is none nothing is kept: its records wait. */
memo_status memo_sketches_mend(memo_sql *sql, memo_err *err)
{
    sketch_list list;
    memo_status status = sketch_read_list(sql, &list, err);
    if (!status)
        status = sketch_file_list(sql, &list, err);
    if (!status)
        status = sketch_write_list(sql, &list, err);
    if (status)
        return status;
    return memo_sql_exec(sql,
                         "DELETE FROM sketches WHERE rid NOT IN (SELECT rid FROM records);"
                         "DELETE FROM unlinked WHERE rid NOT IN (SELECT rid FROM records);"
                         "INSERT INTO unlinked(rid) SELECT rid FROM records EXCEPT"
                         " SELECT rid FROM sketches EXCEPT SELECT rid FROM unlinked",
                         "let its records be compared", err);
}

static memo_status sketch_count(memo_sql *sql, const char *constant, const memo_buf *newest,
                                int64_t *n, memo_err *err)
{
    int more;
    memo_status status;
    memo_stmt st = memo_stmt_once(sql, constant, "compare its sketches with its records");
    memo_stmt_text(&st, newest->data, newest->n);
    status = memo_stmt_step(&st, &more, err);
    if (!status && more)
        *n += memo_stmt_col_int(&st, 0);
    memo_stmt_done(&st);
    return status;
}

memo_status memo_sketches_audit(memo_sql *sql, int64_t *n, memo_err *err)
{
    sketch_list list;
    memo_buf newest = {0};
    memo_status status = sketch_read_list(sql, &list, err);
    *n = 0;
    if (status)
        return status;
    *n = !list.whole;
    sketch_list_rids(&list, &newest);
    if (newest.failed)
        status = memo_fail_nomem(err, "the newest sketches", list.n);
    if (!status)
        status = sketch_count(sql,
                              "SELECT count(*) FROM (SELECT rid FROM records EXCEPT"
                              " SELECT rid FROM sketches EXCEPT SELECT rid FROM unlinked EXCEPT"
                              " SELECT value FROM json_each(?1))",
                              &newest, n, err);
    if (!status)
        status = sketch_count(sql,
                              "SELECT count(*) FROM (SELECT rid FROM sketches UNION"
                              " SELECT rid FROM unlinked UNION SELECT value FROM json_each(?1)"
                              " EXCEPT SELECT rid FROM records)",
                              &newest, n, err);
    memo_buf_fini(&newest);
    return status;
}

memo_status memo_sketches_of(memo_sql *sql, int64_t rid, int64_t *n, memo_err *err)
{
    sketch_list list;
    int more;
    memo_stmt st;
    memo_status status = sketch_need_list(sql, &list, err);
    *n = 0;
    if (status)
        return status;
    for (size_t i = 0; i < list.n; i++)
        *n += list.rows[i].rid == rid;
    st = memo_stmt_keep(sql, "SELECT count(*) FROM sketches WHERE rid = ?", "look for sketches");
    memo_stmt_int(&st, rid);
    status = memo_stmt_step(&st, &more, err);
    if (!status && more)
        *n += memo_stmt_col_int(&st, 0);
    memo_stmt_done(&st);
    return status;
}

/* ---- reading ------------------------------------------------------------------------------- */

/* Whether `a` is to be compared before `b`. */
static int sketch_before(const memo_store_alike *a, const memo_store_alike *b)
{
    return a->n_common != b->n_common ? a->n_common > b->n_common : a->rid < b->rid;
}

/* One more among the oldest that have a hash, in their order. */
static void sketch_insert(int64_t rids[SKETCH_WALK], size_t *n, int64_t rid)
{
    size_t at = *n;
    while (at > 0 && rids[at - 1] > rid)
        at--;
    if (at == SKETCH_WALK || (at > 0 && rids[at - 1] == rid))
        return;
    *n += *n < SKETCH_WALK;
    for (size_t i = *n - 1; i > at; i--)
        rids[i] = rids[i - 1];
    rids[at] = rid;
}

/* The oldest records that have a hash, in order. */
static memo_status sketch_find(memo_sql *sql, const sketch_list *list, int64_t hash,
                               int64_t rids[SKETCH_WALK], size_t *n, memo_err *err)
{
    int more;
    memo_status status = MEMO_OK;
    memo_stmt st = memo_stmt_keep(
        sql, "SELECT rid FROM sketches WHERE hash = ? ORDER BY rid LIMIT ?", "look for the like");
    memo_stmt_int(&st, hash);
    memo_stmt_int(&st, SKETCH_WALK);
    *n = 0;
    while (*n < SKETCH_WALK && !(status = memo_stmt_step(&st, &more, err)) && more)
        rids[(*n)++] = memo_stmt_col_int(&st, 0);
    memo_stmt_done(&st);
    for (size_t i = 0; i < list->n && !status; i++)
        if (list->rows[i].hash == hash)
            sketch_insert(rids, n, list->rows[i].rid);
    return status;
}

/* The oldest records that have a hash, counted in `seen`. */
static memo_status sketch_walk(memo_sql *sql, const sketch_list *list, int64_t hash, int64_t self,
                               memo_store_alike seen[SKETCH_ROOM], size_t *n_seen, memo_err *err)
{
    int64_t rids[SKETCH_WALK];
    size_t n;
    memo_status status = sketch_find(sql, list, hash, rids, &n, err);
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
    sketch_list list;
    size_t n_seen = 0;
    memo_status status = memo_store_check_use(store, err);
    *n = 0;
    if (!status)
        status = sketch_need_list(&store->sql, &list, err);
    for (size_t i = 0; i < n_sketch && i < MEMO_STORE_SKETCH && !status; i++)
        status = sketch_walk(&store->sql, &list, sketch[i], self, seen, &n_seen, err);
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
