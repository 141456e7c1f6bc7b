// SPDX-License-Identifier: Apache-2.0
/* What a file made to mislead, or another program at the wrong moment, may not do to a store. */
#include "db_util.h"

#include "memory/db.h"
#include "store/disk/vfs.h"
#include "store/events/event_rows.h"
#include "store/facts/fact_rows.h"
#include "store/rows/cells.h"
#include "store/rows/rows.h"
#include "store/rows/vectors.h"
#include "store/store_inner.h"
#include "store/switches.h"

static void edges_exec(db_env *e, const char *text)
{
    assert_memo_ok(memo_store_begin_write(e->db->store, &e->err), e->err);
    assert_memo_ok(memo_sql_exec(&e->db->store->sql, text, "change it", &e->err), e->err);
    assert_memo_ok(memo_store_commit(e->db->store, &e->err), e->err);
}

static int64_t edges_int(db_env *e, const char *query)
{
    int64_t n = -1;
    assert_memo_ok(memo_sql_int(&e->db->store->sql, query, &n, &e->err), e->err);
    return n;
}

/* ---- rows that prove nothing --------------------------------------------------------------- */

/* A row of chunks that is not whole lies beside the whole ones of a good record: it is not compared with
 * what stands behind the caller's list. */
static void test_edges_more_chunks_than_are_whole(void **state)
{
    db_env *e = *state;
    memo_store *store = e->db->store;
    float vectors[2][32];
    memo_store_chunk chunks[2] = {{0, 5, 1, vectors[0]}, {0, 5, 1, vectors[1]}};
    memo_store_put put = {.key = "k",
                          .text = {"apple", 5},
                          .own_vectors = 1,
                          .space = 1,
                          .chunks = chunks,
                          .n_chunks = 1};
    memo_add_result result = {.size = sizeof result};
    memo_stmt st;
    db_add(e, "first", "makes the space");
    for (int i = 0; i < 32; i++)
        vectors[0][i] = vectors[1][i] = (float)(i + 1);
    for (int turn = 0; turn < 2; turn++) {
        assert_memo_ok(memo_store_begin_write(store, &e->err), e->err);
        assert_memo_ok(memo_store_put_record(store, 1, &put, &result, &e->err), e->err);
        assert_memo_ok(memo_store_commit(store, &e->err), e->err);
        assert_int_equal(result.outcome, turn ? MEMO_OUTCOME_CHANGED : MEMO_OUTCOME_NEW);
        if (turn)
            break;
        edges_exec(e, "INSERT INTO chunks SELECT 1000, rid, 1, 0, 5, 1, 0 FROM records"
                      " WHERE key = 'k'");
        assert_memo_ok(memo_store_begin_write(store, &e->err), e->err);
        st = memo_stmt_once(&store->sql,
                            "INSERT INTO vectors SELECT 1000, 1000, 1, 1, rid, 0, ?1 FROM records"
                            " WHERE key = 'k'",
                            "add a vector");
        memo_stmt_blob(&st, vectors[1], sizeof vectors[1]);
        assert_memo_ok(memo_stmt_run(&st, &e->err), e->err);
        assert_memo_ok(memo_store_commit(store, &e->err), e->err);
    }
    /* and one whose vector is longer than the caller's */
    put.n_chunks = 1;
    edges_exec(e, "UPDATE chunks SET position = 1 WHERE rid = (SELECT rid FROM records WHERE"
                  " key = 'k')");
    edges_exec(e,
               "INSERT INTO chunks SELECT 2000, rid, 0, 0, 5, 1, 0 FROM records WHERE key = 'k'");
    assert_memo_ok(memo_store_begin_write(store, &e->err), e->err);
    st = memo_stmt_once(&store->sql,
                        "INSERT INTO vectors SELECT 2000, 2000, 1, 1, rid, 0, CAST(?1 ||"
                        " zeroblob(65536) AS BLOB) FROM records WHERE key = 'k'",
                        "add a vector");
    memo_stmt_blob(&st, vectors[1], sizeof vectors[1]);
    assert_memo_ok(memo_stmt_run(&st, &e->err), e->err);
    assert_memo_ok(memo_store_put_record(store, 1, &put, &result, &e->err), e->err);
    memo_store_rollback(store);
}

/* Tags and metadata that are no JSON, under a checksum that fits, or fails. */
static void edges_spoil(db_env *e, const char *key, const char *tags, const char *metadata,
                        int fits)
{
    memo_store *store = e->db->store;
    memo_arena arena = {0};
    memo_row row;
    memo_stmt st;
    assert_memo_ok(memo_store_begin_write(store, &e->err), e->err);
    assert_memo_ok(memo_row_find_key(&store->sql, 1, key, &arena, &row, &e->err), e->err);
    row.tags = (memo_text){tags, strlen(tags)};
    row.metadata = (memo_text){metadata, strlen(metadata)};
    st = memo_stmt_once(&store->sql,
                        "UPDATE records SET tags = ?, metadata = ?, checksum = ? WHERE rid = ?",
                        "spoil a row");
    memo_stmt_text(&st, tags, row.tags.n_bytes);
    memo_stmt_text(&st, metadata, row.metadata.n_bytes);
    memo_stmt_int(&st, fits ? memo_row_sum(&row) : row.checksum);
    memo_stmt_int(&st, row.rid);
    assert_memo_ok(memo_stmt_run(&st, &e->err), e->err);
    assert_memo_ok(memo_store_commit(store, &e->err), e->err);
    memo_arena_fini(&arena);
}

static void edges_expect_list(db_env *e, const char *where, int64_t as_of_ms, size_t n)
{
    const memo_list_options o = {.size = sizeof o, .where = where, .as_of_ms = as_of_ms};
    memo_records *r = NULL;
    assert_memo_ok(memo_db_list(e->db, &o, &r, &e->err), e->err);
    assert_int_equal(r->n, n);
    memo_records_free(r);
}

static void test_limits_114_what_is_no_json_hides_nothing(void **state)
{
    db_env *e = *state;
    static const char *const tags[] = {"t"};
    for (int fits = 0; fits < 2; fits++) {
        memo_record_in in = db_record("good", "a good one");
        const char *const ids[] = {"bad"};
        const memo_forget_options o = {.size = sizeof o, .ids = ids, .n_ids = 1};
        uint64_t n_forgotten = 0;
        in.metadata_json = "{\"x\":1}";
        in.tags = tags;
        in.n_tags = 1;
        db_put(e, in);
        in.key = "bad";
        db_put(e, in);
        edges_spoil(e, "bad", "[\"t", "{\"x\":", fits);
        edges_expect_list(e, "meta.x = 1", 0, 1);
        edges_expect_list(e, "meta.x exists", 0, 1);
        edges_expect_list(e, "tags = 't'", DB_NOW + 1, 1);
        assert_memo_ok(memo_db_forget(e->db, &o, &n_forgotten, NULL, &e->err), e->err);
        assert_int_equal(n_forgotten, 1);
        assert_int_equal(edges_int(e, "SELECT count(*) FROM tags"), 1);
    }
}

/* A table of tags that leads elsewhere does not make a filter forget records of another namespace. */
static void test_edges_forgetting_stays_in_its_namespace(void **state)
{
    db_env *e = *state;
    const memo_forget_options o = {.size = sizeof o, .where = "tags = 't'"};
    uint64_t n = 0;
    memo_record_in in = db_record("theirs", "of another namespace");
    const memo_write_options other = {.size = sizeof other, .ns = "other"};
    db_add(e, "mine", "of this one");
    assert_memo_ok(memo_db_add(e->db, &other, &in, 1, NULL, &e->err), e->err);
    edges_exec(e, "INSERT INTO tags SELECT 1, 't', rid FROM records WHERE key = 'theirs'");
    (void)memo_db_forget(e->db, &o, &n, NULL, &e->err);
    assert_int_equal(n, 0);
    assert_int_equal(edges_int(e, "SELECT count(*) FROM records"), 2);
}

/* A vector of another space is none of the space that is searched. */
static void test_edges_audit_looks_at_the_current_space(void **state)
{
    db_env *e = *state;
    memo_findings *f = NULL;
    int told = 0;
    db_add(e, "a", "a text");
    edges_exec(e, "INSERT INTO spaces SELECT 7, 'print', 'x', '', dim, 1, 0 FROM spaces");
    edges_exec(e, "UPDATE namespaces SET space = 7");
    assert_memo_ok(memo_db_doctor(e->db, &f, &e->err), e->err);
    for (size_t i = 0; i < f->n; i++)
        told |= strstr(f->findings[i].message, "1 chunks without a vector") != NULL;
    memo_findings_free(f);
    assert_true(told);
}

/* A namespace whose space is not known gets back the one it had, not the one before it. */
static void test_edges_repair_finds_the_current_space(void **state)
{
    db_env *e = *state;
    memo_store *store = e->db->store;
    const memo_store_space other = {
        .fingerprint = "other", .name = "other", .dim = 32, .kind = MEMO_SPACE_MODEL};
    const memo_repair_options o = {.size = sizeof o};
    memo_repair_report *report = NULL;
    memo_store_ns ns;
    int64_t space;
    float vector[32];
    db_add(e, "a", "a text");
    db_embed(e, MEMO_ROLE_DOCUMENT, "b", 1, vector);
    assert_memo_ok(memo_store_begin_write(store, &e->err), e->err);
    assert_memo_ok(memo_store_find_ns(store, "default", &ns, &e->err), e->err);
    assert_memo_ok(memo_store_make_space(store, &other, &space, &e->err), e->err);
    assert_memo_ok(memo_vector_put(store, 1, space, ns.id, 1, vector, 32, &e->err), e->err);
    assert_memo_ok(memo_store_finish_switch(store, &ns, space, 1, &e->err), e->err);
    assert_memo_ok(
        memo_sql_exec(&store->sql, "UPDATE namespaces SET space = NULL", "lose it", &e->err),
        e->err);
    assert_memo_ok(memo_store_commit(store, &e->err), e->err);
    memo_db_close(e->db);
    e->db = NULL;
    assert_memo_ok(memo_db_repair(e->ctx, e->path, &o, &report, &e->err), e->err);
    memo_repair_report_free(report);
    e->db = db_open_mode(e, NULL, MEMO_OPEN_EXISTING);
    assert_int_equal(edges_int(e, "SELECT space FROM namespaces"), space);
}

/* ---- an old search ------------------------------------------------------------------------- */

/* One search was logged while the clock was wrong: it alone is old. */
static void test_edges_one_old_search(void **state)
{
    db_env *e = *state;
    memo_store *store = e->db->store;
    db_add(e, "a", "a text");
    edges_exec(e, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)"
                  " INSERT INTO searches SELECT i, 1, 'id' || i,"
                  " CASE i WHEN 91 THEN 5 ELSE 1000 + i END, 0, 0, 0, 0, '', '', '', '' FROM n");
    assert_memo_ok(memo_store_begin_write(store, &e->err), e->err);
    assert_memo_ok(memo_store_trim_searches(store, 1000, 100, &e->err), e->err);
    assert_int_equal(edges_int(e, "SELECT count(*) FROM searches"), 99);
    assert_memo_ok(memo_store_trim_searches(store, 10, 100, &e->err), e->err);
    assert_int_equal(edges_int(e, "SELECT min(sid) FROM searches"), 92);
    memo_store_rollback(store);
}

/* ---- statements ---------------------------------------------------------------------------- */

/* Equal constants are one in some programs: used within itself, a kept statement is prepared once
 * more. */
static void test_edges_statement_within_itself(void **state)
{
    static const char query[] = "SELECT value FROM json_each('[1,2,3]')";
    db_env *e = *state;
    memo_sql *sql = &e->db->store->sql;
    memo_stmt outer = memo_stmt_keep(sql, query, "count");
    int row, inner_row, n = 0, n_inner = 0;
    while (memo_stmt_step(&outer, &row, &e->err) == MEMO_OK && row) {
        memo_stmt inner = memo_stmt_keep(sql, query, "count");
        n++;
        while (memo_stmt_step(&inner, &inner_row, &e->err) == MEMO_OK && inner_row)
            n_inner++;
        memo_stmt_done(&inner);
        assert_true(n <= 3);
    }
    memo_stmt_done(&outer);
    assert_int_equal(n, 3);
    assert_int_equal(n_inner, 9);
}

/* ---- another program ----------------------------------------------------------------------- */

static void test_edges_another_raises_the_schema(void **state)
{
    db_env *e = *state;
    memo_record_in in = db_record("b", "after");
    memo_db *other;
    db_add(e, "a", "before");
    other = db_open_mode(e, e->model, MEMO_OPEN_EXISTING);
    assert_memo_ok(
        memo_sql_exec(&other->store->sql, "PRAGMA user_version = 99", "raise it", &e->err), e->err);
    assert_memo_status(memo_db_add(e->db, NULL, &in, 1, NULL, &e->err), MEMO_ERR_BUSY, e->err);
    assert_contains(e->err.message, "schema 99");
    memo_db_close(other);
}

/* Two programs go back to the previous model at the same moment: the second finds it done. */
static void test_edges_switch_to_where_it_is(void **state)
{
    db_env *e = *state;
    memo_store *store = e->db->store;
    const memo_store_space other = {
        .fingerprint = "other", .name = "other", .dim = 32, .kind = MEMO_SPACE_MODEL};
    memo_store_ns ns;
    memo_store_switch s;
    int64_t space;
    db_add(e, "a", "a text");
    assert_memo_ok(memo_store_begin_write(store, &e->err), e->err);
    assert_memo_ok(memo_store_find_ns(store, "default", &ns, &e->err), e->err);
    assert_memo_ok(memo_store_make_space(store, &other, &space, &e->err), e->err);
    assert_memo_ok(memo_store_begin_switch(store, &ns, space, &e->err), e->err);
    assert_memo_ok(memo_store_finish_switch(store, &ns, space, 1, &e->err), e->err);
    assert_memo_ok(memo_store_find_ns(store, "default", &ns, &e->err), e->err);
    for (int i = 0; i < 2; i++) {
        assert_memo_ok(memo_store_finish_switch(store, &ns, 1, 1, &e->err), e->err);
        assert_memo_ok(memo_store_find_ns(store, "default", &ns, &e->err), e->err);
        assert_memo_ok(memo_store_get_switch(store, ns.id, &s, &e->err), e->err);
        assert_int_equal(ns.space, 1);
        assert_int_equal(s.previous, space);
    }
    assert_memo_ok(memo_store_commit(store, &e->err), e->err);
    assert_int_equal(edges_int(e, "SELECT count(*) FROM vectors WHERE space = 1"), 1);
}

/* A previous space that is the current one, as another program may have left it. */
static void test_edges_current_space_is_never_dropped(void **state)
{
    db_env *e = *state;
    memo_store *store = e->db->store;
    memo_store_ns ns;
    memo_cell cells[] = {memo_cell_int(1),
                         memo_cell_int(0),
                         {.kind = MEMO_CELL_NULL},
                         memo_cell_int(1),
                         memo_cell_int(0)};
    db_add(e, "a", "a text");
    assert_memo_ok(memo_store_begin_write(store, &e->err), e->err);
    assert_memo_ok(memo_store_find_ns(store, "default", &ns, &e->err), e->err);
    assert_int_equal(ns.space, 1);
    assert_memo_ok(memo_table_put(&store->sql, &memo_table_switches, cells, &e->err), e->err);
    assert_memo_ok(memo_store_drop_previous(store, &ns, &e->err), e->err);
    assert_memo_ok(memo_store_commit(store, &e->err), e->err);
    assert_int_equal(edges_int(e, "SELECT count(*) FROM vectors WHERE space = 1"), 1);
}

/* ---- a commit that fails ------------------------------------------------------------------- */

static int edges_log_writes; /* until one fails */

static int edges_fail_write(void *user, memo_vfs_op op, const char *path, int64_t offset,
                            int amount, int *n_bytes)
{
    (void)user, (void)offset, (void)amount;
    if (op != MEMO_VFS_WRITE || !path || !strstr(path, "-wal") || --edges_log_writes != 0)
        return SQLITE_OK;
    *n_bytes = 0;
    return SQLITE_IOERR_WRITE;
}

/* What a failed commit has gathered is not written over what another has committed since. */
static void test_edges_failed_commit_writes_nothing_later(void **state)
{
    db_env *e = *state;
    memo_record_in in = db_record("mine", "the flower pot");
    for (int at = 2; at < 9; at++) {
        memo_db *other;
        memo_records *r = NULL;
        memo_findings *f = NULL;
        char key[8];
        snprintf(key, sizeof key, "k%d", at);
        db_add(e, "first", "makes the store");
        other = db_open_mode(e, e->model, MEMO_OPEN_EXISTING);
        edges_log_writes = at;
        memo_vfs_set_hook(edges_fail_write, NULL);
        assert_memo_status(memo_db_add(e->db, NULL, &in, 1, NULL, &e->err), MEMO_ERR_IO, e->err);
        memo_vfs_set_hook(NULL, NULL);
        memo_err err = {0};
        memo_record_in theirs = db_record(key, "the boiler, and what it needs");
        assert_memo_ok(memo_db_add(other, NULL, &theirs, 1, NULL, &err), err);
        (void)memo_db_get(e->db, NULL, "mine", &r, NULL); /* reads, and wrote what it had */
        memo_records_free(r);
        memo_db_close(e->db);
        assert_memo_ok(memo_db_doctor(other, &f, &err), err);
        assert_int_equal(f->worst, MEMO_FINDING_OK);
        memo_findings_free(f);
        memo_db_close(other);
        e->db = db_open_mode(e, e->model, MEMO_OPEN_EXISTING);
        assert_memo_ok(memo_db_get(e->db, NULL, key, &r, &err), err);
        memo_records_free(r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        db_test(test_edges_more_chunks_than_are_whole),
        db_test(test_limits_114_what_is_no_json_hides_nothing),
        db_test(test_edges_forgetting_stays_in_its_namespace),
        db_test(test_edges_audit_looks_at_the_current_space),
        db_test(test_edges_repair_finds_the_current_space),
        db_test(test_edges_one_old_search),
        db_test(test_edges_statement_within_itself),
        db_test(test_edges_another_raises_the_schema),
        db_test(test_edges_switch_to_where_it_is),
        db_test(test_edges_current_space_is_never_dropped),
        db_test(test_edges_failed_commit_writes_nothing_later),
    };
    return cmocka_run_group_tests(tests, db_setup_group, db_teardown_group);
}
