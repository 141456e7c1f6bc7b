// SPDX-License-Identifier: Apache-2.0
/* Namespaces and vector spaces. */
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/utf8.h"
#include "store/rows/cells.h"
#include "store/store_inner.h"

static memo_status spaces_check_name(const char *what, const char *name, size_t max, memo_err *err)
{
    size_t n = name ? strlen(name) : 0, bad = n ? memo_utf8_check(name, n) : 0;
    if (n == 0)
        return memo_fail(err, MEMO_ERR_VALUE, "the %s is empty", what);
    if (n > max)
        return memo_fail(err, MEMO_ERR_LIMIT, "the %s has %zu bytes; at most %zu are allowed", what,
                         n, max);
    if (bad != n)
        return memo_fail(err, MEMO_ERR_VALUE, "the %s is not UTF-8 (byte %zu)", what, bad);
    return MEMO_OK;
}

/* ---- namespaces ---------------------------------------------------------------------------- */

typedef struct find_ns_args {
    const char *name;
    memo_store_ns *ns;
} find_ns_args;

static memo_status spaces_find_ns(memo_store *store, memo_sql *sql, void *user, memo_err *err)
{
    const find_ns_args *a = user;
    int row;
    memo_status status;
    memo_stmt st = memo_stmt_keep(
        sql, "SELECT id, coalesce(space, 0) FROM namespaces WHERE name = ?", "find a namespace");
    (void)store;
    memo_stmt_str(&st, a->name);
    status = memo_stmt_step(&st, &row, err);
    if (!status && row) {
        a->ns->id = memo_stmt_col_int(&st, 0);
        a->ns->space = memo_stmt_col_int(&st, 1);
    } else if (!status) {
        status = memo_fail(err, MEMO_ERR_NOTFOUND, "%s: no namespace \"%s\"", sql->path, a->name);
    }
    memo_stmt_done(&st);
    return status;
}

memo_status memo_store_find_ns(memo_store *store, const char *name, memo_store_ns *ns,
                               memo_err *err)
{
    memo_store_ns found = {0, 0};
    find_ns_args args = {name, &found};
    memo_status status = spaces_check_name("namespace", name, MEMO_STORE_MAX_NS_BYTES, err);
    if (!status)
        status = memo_store_read(store, spaces_find_ns, &args, NULL, err);
    if (!status)
        *ns = found;
    return status;
}

memo_status memo_store_make_ns(memo_store *store, const char *name, memo_store_ns *ns,
                               memo_err *err)
{
    memo_stmt st;
    memo_status status = memo_store_check_write(store, err);
    if (!status)
        status = spaces_check_name("namespace", name, MEMO_STORE_MAX_NS_BYTES, err);
    if (status)
        return status;
    st = memo_stmt_keep(&store->sql,
                        "INSERT INTO namespaces(name, created_ms) VALUES(?, ?)"
                        " ON CONFLICT DO NOTHING",
                        "make a namespace");
    memo_stmt_str(&st, name);
    memo_stmt_int(&st, memo_now_ms(store->ctx));
    status = memo_stmt_run(&st, err);
    return status ? status : memo_store_find_ns(store, name, ns, err);
}

memo_status memo_store_set_ns_space(memo_store *store, int64_t ns, int64_t space, memo_err *err)
{
    memo_stmt st;
    memo_status status = memo_store_check_write(store, err);
    if (status)
        return status;
    st = memo_stmt_keep(&store->sql, "UPDATE namespaces SET space = ? WHERE id = ?",
                        "set the space of a namespace");
    memo_stmt_int(&st, space);
    memo_stmt_int(&st, ns);
    return memo_stmt_run(&st, err);
}

memo_status memo_store_each_ns(memo_store *store, memo_store_ns_fn fn, void *user, memo_err *err)
{
    int row;
    memo_stmt st;
    memo_status status = memo_store_check_use(store, err);
    if (status)
        return status;
    st = memo_stmt_keep(&store->sql,
                        "SELECT n.id, coalesce(n.space, 0), n.name,"
                        " (SELECT count(*) FROM records r WHERE r.ns = n.id)"
                        " FROM namespaces n ORDER BY n.id",
                        "list its namespaces");
    while (!(status = memo_stmt_step(&st, &row, err)) && row) {
        memo_store_ns ns = {memo_stmt_col_int(&st, 0), memo_stmt_col_int(&st, 1)};
        const char *name = memo_stmt_col_text(&st, 2).bytes;
        if (fn(user, name ? name : "", &ns, (uint64_t)memo_stmt_col_int(&st, 3)))
            break;
    }
    memo_stmt_done(&st);
    return status;
}

/* ---- spaces -------------------------------------------------------------------------------- */

#define SPACES_COLUMNS "id, fingerprint, name, model_path, dim, kind"

static void spaces_read(const memo_stmt *st, memo_store_space *space)
{
    space->id = memo_stmt_col_int(st, 0);
    space->fingerprint = memo_stmt_col_text(st, 1).bytes;
    space->name = memo_stmt_col_text(st, 2).bytes;
    space->model_path = memo_stmt_col_text(st, 3).bytes;
    space->dim = (size_t)memo_stmt_col_int(st, 4);
    space->kind = (memo_space_kind)memo_stmt_col_int(st, 5);
}

static memo_status spaces_copy(memo_arena *arena, memo_store_space *space, memo_err *err)
{
    space->fingerprint = memo_arena_strdup(arena, space->fingerprint ? space->fingerprint : "");
    space->name = memo_arena_strdup(arena, space->name ? space->name : "");
    space->model_path = memo_arena_strdup(arena, space->model_path ? space->model_path : "");
    if (!space->fingerprint || !space->name || !space->model_path)
        return memo_fail_nomem(err, "a vector space", 0);
    return MEMO_OK;
}

memo_status memo_store_get_space(memo_store *store, int64_t id, memo_arena *arena,
                                 memo_store_space *space, memo_err *err)
{
    int row;
    memo_stmt st;
    memo_store_space found;
    memo_status status = memo_store_check_use(store, err);
    if (status)
        return status;
    st = memo_stmt_keep(&store->sql, "SELECT " SPACES_COLUMNS " FROM spaces WHERE id = ?",
                        "read a vector space");
    memo_stmt_int(&st, id);
    status = memo_stmt_step(&st, &row, err);
    if (!status && !row)
        status = memo_fail(err, MEMO_ERR_NOTFOUND, "%s: no vector space %" PRId64, store->path, id);
    if (!status) {
        spaces_read(&st, &found);
        status = spaces_copy(arena, &found, err);
    }
    memo_stmt_done(&st);
    if (!status)
        *space = found;
    return status;
}

static memo_status spaces_check(const memo_store_space *space, memo_err *err)
{
    memo_status status = spaces_check_name("fingerprint", space->fingerprint, 128, err);
    if (!status && space->dim == 0)
        status = memo_fail(err, MEMO_ERR_MISMATCH, "a space of dimension 0");
    if (!status && space->dim > MEMO_STORE_MAX_DIM)
        status = memo_fail(err, MEMO_ERR_LIMIT, "dimension %zu; at most %d are allowed", space->dim,
                           MEMO_STORE_MAX_DIM);
    return status;
}

/* The space with this fingerprint: *id stays 0 when there is none. */
static memo_status spaces_find(memo_store *store, const memo_store_space *space, int64_t *id,
                               memo_err *err)
{
    int row;
    memo_status status;
    memo_stmt st = memo_stmt_keep(&store->sql, "SELECT id, dim FROM spaces WHERE fingerprint = ?",
                                  "find a vector space");
    memo_stmt_str(&st, space->fingerprint);
    status = memo_stmt_step(&st, &row, err);
    if (!status && row) {
        if (memo_stmt_col_int(&st, 1) == (int64_t)space->dim)
            *id = memo_stmt_col_int(&st, 0);
        else
            status =
                memo_fail(err, MEMO_ERR_MISMATCH,
                          "%s: the space of model %s has dimension %" PRId64 ", not %zu",
                          store->path, space->fingerprint, memo_stmt_col_int(&st, 1), space->dim);
    }
    memo_stmt_done(&st);
    return status;
}

memo_status memo_store_make_space(memo_store *store, const memo_store_space *space, int64_t *id,
                                  memo_err *err)
{
    int64_t found = 0;
    memo_stmt st;
    memo_status status = memo_store_check_write(store, err);
    if (!status)
        status = spaces_check(space, err);
    if (!status)
        status = spaces_find(store, space, &found, err);
    if (status)
        return status;
    st = memo_stmt_keep(&store->sql,
                        "INSERT INTO spaces(fingerprint, name, model_path, dim, kind, created_ms)"
                        " VALUES(?, ?, ?, ?, ?, ?) ON CONFLICT(fingerprint)"
                        " DO UPDATE SET name = excluded.name, model_path = excluded.model_path",
                        "make a vector space");
    memo_stmt_str(&st, space->fingerprint);
    memo_stmt_str(&st, space->name ? space->name : "");
    memo_stmt_str(&st, space->model_path ? space->model_path : "");
    memo_stmt_int(&st, (int64_t)space->dim);
    memo_stmt_int(&st, space->kind);
    memo_stmt_int(&st, memo_now_ms(store->ctx));
    status = memo_stmt_run(&st, err);
    if (!status && !found)
        found = sqlite3_last_insert_rowid(store->sql.db);
    if (!status)
        *id = found;
    return status;
}

memo_status memo_store_find_space(memo_store *store, const char *fingerprint, int64_t *id,
                                  memo_err *err)
{
    int row;
    memo_stmt st;
    memo_status status = memo_store_check_use(store, err);
    if (status)
        return status;
    st = memo_stmt_keep(&store->sql, "SELECT id FROM spaces WHERE fingerprint = ?",
                        "find a vector space");
    memo_stmt_str(&st, fingerprint);
    status = memo_stmt_step(&st, &row, err);
    if (!status)
        *id = row ? memo_stmt_col_int(&st, 0) : 0;
    memo_stmt_done(&st);
    return status;
}

/* ---- probes -------------------------------------------------------------------------------- */

enum { SPACES_MAX_PROBES = 16, SPACES_PROBE_COLUMNS = 5 };

/* The row at which the statement stands, when it is whole. */
static memo_status spaces_take_probe(const memo_stmt *st, size_t dim, memo_arena *arena,
                                     memo_text *texts, float *vectors, size_t *n, memo_err *err)
{
    memo_cell cells[SPACES_PROBE_COLUMNS];
    memo_text text, vector;

    memo_cells_take(st, cells, SPACES_PROBE_COLUMNS);
    text = cells[3].bytes;
    vector = cells[4].bytes;
    if (!memo_table_good(&memo_table_probes, cells) || vector.n_bytes != dim * sizeof(float) ||
        text.n_bytes == 0)
        return MEMO_OK;
    texts[*n] = (memo_text){memo_arena_strndup(arena, text.bytes, text.n_bytes), text.n_bytes};
    if (!texts[*n].bytes)
        return memo_fail_nomem(err, "a probe text", text.n_bytes);
    memcpy(vectors + *n * dim, vector.bytes, vector.n_bytes);
    ++*n;
    return MEMO_OK;
}

memo_status memo_store_get_probes(memo_store *store, int64_t space, size_t dim, memo_arena *arena,
                                  memo_store_probes *probes, memo_err *err)
{
    memo_text *texts = memo_arena_array(arena, SPACES_MAX_PROBES, sizeof *texts);
    float *vectors = memo_arena_array(arena, SPACES_MAX_PROBES * dim, sizeof *vectors);
    size_t n = 0;
    int row;
    memo_stmt st;
    memo_status status = memo_store_check_use(store, err);
    if (status)
        return status;
    if (!texts || !vectors)
        return memo_fail_nomem(err, "probe vectors", SPACES_MAX_PROBES * dim * sizeof *vectors);
    st = memo_stmt_keep(&store->sql,
                        "SELECT space, position, checksum, text, vector FROM probes"
                        " WHERE space = ? ORDER BY position",
                        "read the probes of a space");
    memo_stmt_int(&st, space);
    while (n < SPACES_MAX_PROBES && !(status = memo_stmt_step(&st, &row, err)) && row &&
           !(status = spaces_take_probe(&st, dim, arena, texts, vectors, &n, err)))
        continue;
    memo_stmt_done(&st);
    if (!status)
        *probes = (memo_store_probes){n, texts, vectors};
    return status;
}

memo_status memo_store_put_probe(memo_store *store, int64_t space, size_t position,
                                 const char *text, const float *vector, size_t dim, memo_err *err)
{
    memo_cell cells[SPACES_PROBE_COLUMNS] = {memo_cell_int(space), memo_cell_int((int64_t)position),
                                             memo_cell_int(0), memo_cell_str(text),
                                             memo_cell_blob(vector, dim * sizeof *vector)};
    memo_status status = memo_store_check_write(store, err);
    return status ? status : memo_table_put(&store->sql, &memo_table_probes, cells, err);
}
