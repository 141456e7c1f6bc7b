// SPDX-License-Identifier: Apache-2.0
/* Damage costs only what it touches: a search whose full-text pages are bad goes on by meaning, one
 * whose vectors are bad names them. And calls without a handle are refused. */
#include "db_util.h"

#include <fcntl.h>
#include <sqlite3.h>

#include "store/disk/vfs.h"

static char logged[1024];

/* First page of a table of the closed store. */
static int64_t root_of(db_env *e, const char *table)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *st = NULL;
    int64_t page;
    assert_int_equal(sqlite3_open_v2(e->path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(db, "SELECT rootpage FROM sqlite_schema WHERE name = ?", -1, &st, NULL),
        SQLITE_OK);
    sqlite3_bind_text(st, 1, table, -1, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    page = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    sqlite3_close(db);
    return page;
}

/* Write over part of a page of the closed store. */
static void spoil(db_env *e, int64_t page, int offset, int n)
{
    int fd = open(e->path, O_RDWR | O_CLOEXEC);
    char junk[64];
    memset(junk, 0x5a, sizeof junk);
    assert_true(fd >= 0 && n <= (int)sizeof junk);
    assert_int_equal(pwrite(fd, junk, (size_t)n, (page - 1) * MEMO_PAGE_BYTES + offset), n);
    assert_int_equal(close(fd), 0);
}

static void make(db_env *e)
{
    db_add(e, "a", "anna is allergic to peanuts");
    db_add(e, "b", "the boiler was serviced");
    db_add(e, "c", "the spare key is under the pot");
    memo_db_close(e->db);
    e->db = NULL;
}

static memo_status search(db_env *e, memo_search_mode mode, memo_hits **hits)
{
    const memo_search_options options = {.size = sizeof options, .mode = mode};
    memset(&e->err, 0, sizeof e->err);
    return memo_db_search(e->db, MEMO_STR("boiler peanuts"), &options, hits, &e->err);
}

static void test_degrade_damaged_fulltext_leaves_the_dense_lane(void **state)
{
    db_env *e = *state;
    memo_hits *hits = NULL;
    make(e);
    spoil(e, root_of(e, "fts_data"), 8000, 64);
    e->db = db_open_mode(e, e->model, MEMO_OPEN_EXISTING);
    logged[0] = '\0';
    assert_memo_ok(search(e, MEMO_SEARCH_HYBRID, &hits), e->err);
    assert_int_equal(hits->n, 3);
    assert_int_equal(hits->mode, MEMO_SEARCH_HYBRID);
    assert_null(hits->lane_failed[MEMO_LANE_DENSE]);
    assert_non_null(hits->lane_failed[MEMO_LANE_LEXICAL]);
    assert_non_null(hits->lane_failed[MEMO_LANE_EXACT]);
    assert_contains(hits->lane_failed[MEMO_LANE_LEXICAL], "page");
    for (size_t i = 0; i < hits->n; i++) {
        assert_int_equal(hits->hits[i].lanes[MEMO_LANE_LEXICAL].rank, 0);
        assert_string_equal(hits->hits[i].terms, "");
    }
    assert_contains(logged, "without the lexical lane");
    assert_contains(logged, "doctor --repair");
    memo_hits_free(hits);
    assert_memo_status(search(e, MEMO_SEARCH_LEXICAL, &hits), MEMO_ERR_CORRUPT, e->err);
    assert_contains(e->err.hint, "memolith doctor --repair");
    hits = NULL;
    assert_memo_ok(search(e, MEMO_SEARCH_DENSE, &hits), e->err);
    assert_int_equal(hits->n, 3);
    memo_hits_free(hits);
}

/* One row of the page is spoilt: the others answer. A page that is no page any more: words answer. */
static void test_degrade_damaged_vectors_are_named(void **state)
{
    db_env *e = *state;
    memo_hits *hits = NULL;
    int64_t page;
    make(e);
    page = root_of(e, "vectors");
    spoil(e, page, 8150, 16); /* within the row that was written first */
    e->db = db_open_mode(e, e->model, MEMO_OPEN_EXISTING);
    assert_memo_ok(search(e, MEMO_SEARCH_DENSE, &hits), e->err);
    assert_int_equal(hits->n, 2);
    assert_true(hits->n_damaged >= 1);
    assert_int_equal(hits->n_damaged, hits->n_damaged_ids);
    assert_null(hits->lane_failed[MEMO_LANE_DENSE]);
    assert_int_equal(strlen(hits->damaged_ids[0]), MEMO_ID_BYTES - 1);
    memo_hits_free(hits);
    memo_db_close(e->db);
    e->db = NULL;

    spoil(e, page, 0, 64);
    e->db = db_open_mode(e, e->model, MEMO_OPEN_EXISTING);
    hits = NULL;
    assert_memo_ok(search(e, MEMO_SEARCH_HYBRID, &hits), e->err);
    assert_int_equal(hits->n, 2); /* the two that hold a word of the query */
    assert_non_null(hits->lane_failed[MEMO_LANE_DENSE]);
    assert_null(hits->lane_failed[MEMO_LANE_LEXICAL]);
    memo_hits_free(hits);
    assert_memo_status(search(e, MEMO_SEARCH_DENSE, &hits), MEMO_ERR_CORRUPT, e->err);
}

static void test_degrade_all_lanes_damaged_is_corrupt(void **state)
{
    db_env *e = *state;
    memo_hits *hits = NULL;
    make(e);
    spoil(e, root_of(e, "vectors"), 0, 64);
    spoil(e, root_of(e, "fts_data"), 0, 64);
    e->db = db_open_mode(e, e->model, MEMO_OPEN_EXISTING);
    assert_memo_status(search(e, MEMO_SEARCH_HYBRID, &hits), MEMO_ERR_CORRUPT, e->err);
    assert_true(e->err.message[0] && e->err.hint[0]);
}

static int refuse_log(void *user, memo_vfs_op op, const char *path, int64_t offset, int amount,
                      int *n_bytes)
{
    const char *name = strrchr(path ? path : "", '/');
    (void)user, (void)offset, (void)amount, (void)n_bytes;
    return op == MEMO_VFS_WRITE && name && strcmp(name, "/test.memo-wal") == 0 ? SQLITE_FULL
                                                                               : SQLITE_OK;
}

/* The disk is full when the store has been repaired: what was done is told all the same. */
static void test_degrade_repair_tells_of_a_failed_embedding(void **state)
{
    db_env *e = *state;
    const memo_repair_options options = {.size = sizeof options, .model = e->model};
    memo_repair_report *report = NULL;
    make(e);
    spoil(e, root_of(e, "vectors"), 8150, 16);
    memo_vfs_set_hook(refuse_log, NULL);
    assert_memo_ok(memo_db_repair(e->ctx, e->path, &options, &report, &e->err), e->err);
    memo_vfs_set_hook(NULL, NULL);
    assert_non_null(report->original);
    assert_int_equal(report->n_kept, 3);
    assert_int_equal(report->n_reembedded, 0);
    assert_int_equal(report->n_unembedded, 1);
    assert_int_equal(report->findings->worst, MEMO_FINDING_BAD);
    int told = 0;
    for (size_t i = 0; i < report->findings->n; i++)
        told +=
            strstr(report->findings->findings[i].message, "texts are not embedded again: ") != NULL;
    assert_int_equal(told, 1);
    memo_repair_report_free(report);
    assert_memo_ok(memo_db_repair(e->ctx, e->path, &options, &report, &e->err), e->err);
    assert_int_equal(report->n_reembedded, 1);
    memo_repair_report_free(report);
    e->db = db_open_mode(e, e->model, MEMO_OPEN_EXISTING);
}

static memo_status sweep_search(void *user, memo_err *err)
{
    db_env *e = user;
    memo_hits *hits = NULL;
    memo_status status = memo_db_search(e->db, MEMO_STR("boiler peanuts"), NULL, &hits, err);
    memo_hits_free(hits);
    return status;
}

static void test_degrade_every_allocation(void **state)
{
    db_env *e = *state;
    make(e);
    spoil(e, root_of(e, "fts_data"), 8000, 64);
    e->db = db_open_mode(e, e->model, MEMO_OPEN_EXISTING);
    (void)sweep_search(e, NULL); /* what is made once */
    assert_true(memo_test_alloc_sweep(sweep_search, e) > 20);
}

/* ---- limits 203 ------------------------------------------------------------------------------ */

static void test_limits_203_null_handles_and_results(void **state)
{
    db_env *e = *state;
    memo_err err = {0};
    memo_db_stats stats = {.size = sizeof stats};
    memo_records *records = NULL;
    memo_hits *hits = NULL;
    memo_findings *findings = NULL;
    memo_import_report report = {.size = sizeof report};
    memo_record_in in = db_record("k", "tea");
    memo_record_edit edit = {.size = sizeof edit};
    memo_forget_options forget = {.size = sizeof forget, .where = "key = 'k'"};
    const char *path = "x";
#define USAGE(call) assert_memo_status(call, MEMO_ERR_USAGE, err)
    USAGE(memo_db_get_stats(NULL, &stats, &err));
    USAGE(memo_db_add(NULL, NULL, &in, 1, NULL, &err));
    USAGE(memo_db_edit(NULL, NULL, "k", &edit, NULL, &err));
    USAGE(memo_db_forget(NULL, &forget, NULL, NULL, &err));
    USAGE(memo_db_import(NULL, &path, 1, NULL, &report, &err));
    USAGE(memo_db_get(NULL, NULL, "k", &records, &err));
    USAGE(memo_db_list(NULL, NULL, &records, &err));
    USAGE(memo_db_search(NULL, MEMO_STR("q"), NULL, &hits, &err));
    USAGE(memo_db_doctor(NULL, &findings, &err));
    USAGE(memo_db_backup(NULL, "x", NULL, NULL, &err));
    memo_db_close(NULL);
    memo_records_free(NULL);
    memo_hits_free(NULL);
    memo_findings_free(NULL);

    USAGE(memo_db_get_stats(e->db, NULL, &err));
    USAGE(memo_db_add(e->db, NULL, NULL, 1, NULL, &err));
    USAGE(memo_db_edit(e->db, NULL, NULL, &edit, NULL, &err));
    USAGE(memo_db_edit(e->db, NULL, "k", NULL, NULL, &err));
    USAGE(memo_db_import(e->db, NULL, 1, NULL, &report, &err));
    USAGE(memo_db_get(e->db, NULL, NULL, &records, &err));
    USAGE(memo_db_get(e->db, NULL, "k", NULL, &err));
    USAGE(memo_db_list(e->db, NULL, NULL, &err));
    USAGE(memo_db_search(e->db, MEMO_STR("q"), NULL, NULL, &err));
    USAGE(memo_db_doctor(e->db, NULL, &err));
    USAGE(memo_db_backup(e->db, NULL, NULL, NULL, &err));
    USAGE(memo_db_open(NULL, "x", NULL, &e->db, &err));
    USAGE(memo_db_open(e->ctx, NULL, NULL, &e->db, &err));
    USAGE(memo_db_open(e->ctx, "x", NULL, NULL, &err));
    /* A text that is NULL with a length, and one that is empty. */
    in.text = (memo_text){NULL, 5};
    assert_memo_status(memo_db_add(e->db, NULL, &in, 1, NULL, &err), MEMO_ERR_USAGE, err);
    USAGE(memo_db_search(e->db, (memo_text){NULL, 5}, NULL, &hits, &err));
    assert_memo_status(memo_db_search(e->db, (memo_text){"", 0}, NULL, &hits, &err), MEMO_ERR_VALUE,
                       err);
#undef USAGE
}

static void keep_log(void *user, memo_log_level level, const char *message)
{
    size_t n = strlen(logged);
    (void)user;
    if (level <= MEMO_LOG_WARN)
        snprintf(logged + n, sizeof logged - n, "%s\n", message);
}

static int setup(void **state)
{
    int failed = db_setup_group(state);
    db_env *e = *state;
    memo_ctx_options options = {.size = sizeof options,
                                .n_threads = 1,
                                .log = keep_log,
                                .clock_ms = db_clock,
                                .clock_user = e};
    memo_model_close(e->model);
    memo_ctx_free(e->ctx);
    assert_memo_ok(memo_ctx_new(&options, &e->ctx, &e->err), e->err);
    e->model = tiny_model_open(e->ctx, e->dir, 1, &e->err);
    return failed;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        db_test(test_degrade_damaged_fulltext_leaves_the_dense_lane),
        db_test(test_degrade_damaged_vectors_are_named),
        db_test(test_degrade_all_lanes_damaged_is_corrupt),
        db_test(test_degrade_repair_tells_of_a_failed_embedding),
        db_test(test_degrade_every_allocation),
        db_test(test_limits_203_null_handles_and_results),
    };
    return cmocka_run_group_tests(tests, setup, db_teardown_group);
}
