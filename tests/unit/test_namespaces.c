// SPDX-License-Identifier: Apache-2.0
/* Many small namespaces in one space: a search of one does the work of one. */
#include "db_util.h"

#include "memory/db.h"
#include "store/store_inner.h"

/* What the full-text index takes for having more parts: a hundred and more when all rows are looked at. */
enum { N_RECORDS = 3, MORE_STEPS = 40 };

/* Namespaces first .. end - 1, each with its records, which share most of their words. */
static void add_namespaces(db_env *e, int first, int end)
{
    for (int i = first; i < end; i++) {
        char name[16], keys[N_RECORDS][24], texts[N_RECORDS][64];
        memo_record_in in[N_RECORDS];
        const memo_write_options o = {.size = sizeof o, .ns = name};
        sprintf(name, "ns%d", i);
        for (int j = 0; j < N_RECORDS; j++) {
            sprintf(keys[j], "ns%d-%d", i, j);
            sprintf(texts[j], "the key %d of garden %d", j, i);
            in[j] = db_record(keys[j], texts[j]);
        }
        assert_memo_ok(memo_db_add(e->db, &o, in, N_RECORDS, NULL, &e->err), e->err);
    }
}

static void expect_own(db_env *e, int i, memo_search_mode mode)
{
    char name[16], own[20];
    memo_search_options o = {.size = sizeof o, .ns = name, .mode = mode, .no_log = 1};
    memo_hits *hits = NULL;
    sprintf(name, "ns%d", i);
    sprintf(own, "%s-", name);
    assert_memo_ok(memo_db_search(e->db, MEMO_STR("the key of the garden"), &o, &hits, &e->err),
                   e->err);
    assert_int_equal(hits->n, N_RECORDS);
    assert_int_equal(hits->n_searched, N_RECORDS);
    for (size_t j = 0; j < hits->n; j++)
        assert_memory_equal(hits->hits[j].key, own, strlen(own));
    memo_hits_free(hits);
}

static int count_steps(void *user)
{
    ++*(uint64_t *)user;
    return 0;
}

/* Steps of SQLite's machine, in hundreds, that a search takes. */
static uint64_t steps(db_env *e, int i, memo_search_mode mode)
{
    sqlite3 *db = e->db->store->sql.db;
    uint64_t n = 0;
    expect_own(e, i, mode); /* statements and index are made */
    sqlite3_progress_handler(db, 100, count_steps, &n);
    expect_own(e, i, mode);
    sqlite3_progress_handler(db, 0, NULL, NULL);
    return n;
}

static void test_namespaces_are_searched_alone(void **state)
{
    db_env *e = *state;
    uint64_t few[3];
    add_namespaces(e, 0, 20);
    for (int mode = 0; mode < 3; mode++)
        few[mode] = steps(e, 10, (memo_search_mode)mode);
    add_namespaces(e, 20, 600);
    for (int mode = 0; mode < 3; mode++) {
        uint64_t many = steps(e, 10, (memo_search_mode)mode);
        if (many > few[mode] + MORE_STEPS)
            fail_msg("mode %d: %d00 steps among 600 namespaces, %d00 among 20", mode, (int)many,
                     (int)few[mode]);
    }
    for (int i = 0; i < 600; i += 7)
        expect_own(e, i, MEMO_SEARCH_HYBRID);
    e->db->index.min_rows = SIZE_MAX; /* read from the store */
    for (int i = 0; i < 600; i += 7)
        expect_own(e, i, MEMO_SEARCH_DENSE);
}

/* Hits of words, with and without knowing where the namespace lies; it is spread over all of the store
 * by what was written anew. */
static void test_namespaces_narrowed_find_the_same(void **state)
{
    db_env *e = *state;
    memo_arena arena = {0};
    memo_store_ns ns;
    memo_store_hits all = {.arena = &arena, .limit = 50}, narrow = {.arena = &arena, .limit = 50};
    memo_store_scope scope = {0};
    const memo_write_options o = {.size = sizeof o, .ns = "ns5"};
    memo_record_in again = db_record("ns5-0", "another key of a garden");
    add_namespaces(e, 0, 40);
    assert_memo_ok(memo_db_add(e->db, &o, &again, 1, NULL, &e->err), e->err);
    assert_memo_ok(memo_store_find_ns(e->db->store, "ns5", &ns, &e->err), e->err);
    scope.ns = ns.id;
    assert_memo_ok(memo_store_fulltext(e->db->store, &scope, MEMO_STORE_WORDS,
                                       "\"key\" OR \"garden\"", 2, &all, &e->err),
                   e->err);
    assert_memo_ok(memo_store_narrow(e->db->store, &scope, &e->err), e->err);
    assert_true(scope.first_chunk > 5 * N_RECORDS && scope.last_chunk > 40 * N_RECORDS);
    assert_memo_ok(memo_store_fulltext(e->db->store, &scope, MEMO_STORE_WORDS,
                                       "\"key\" OR \"garden\"", 2, &narrow, &e->err),
                   e->err);
    assert_int_equal(all.n, N_RECORDS);
    assert_int_equal(narrow.n, all.n);
    for (size_t i = 0; i < all.n; i++) {
        assert_int_equal(narrow.hits[i].chunk, all.hits[i].chunk);
        assert_true(narrow.hits[i].score == all.hits[i].score);
    }
    memo_arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        db_test(test_namespaces_are_searched_alone),
        db_test(test_namespaces_narrowed_find_the_same),
    };
    return cmocka_run_group_tests(tests, db_setup_group, db_teardown_group);
}
