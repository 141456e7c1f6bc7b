// SPDX-License-Identifier: Apache-2.0
/* Row ids of records and chunks: one after the other, and never given twice, whatever was forgotten,
 * rolled back, closed or lost. */
#include "store_util.h"

#include "store/rows/numbers.h"

static int64_t number_of(memo_store *store, const char *query)
{
    int64_t n = -1;
    util_ok(memo_sql_int(&store->sql, query, &n, err));
    return n;
}

static int64_t last_rid(memo_store *store)
{
    return number_of(store, "SELECT max(rid) FROM records");
}

static void forget_key(memo_store *store, const char *key)
{
    int found;
    util_ok(memo_store_begin_write(store, err));
    util_ok(memo_store_forget(store, 1, key, &found, err));
    util_ok(memo_store_commit(store, err));
}

static void run_sql(memo_store *store, const char *sql)
{
    util_ok(memo_store_begin_write(store, err));
    util_ok(memo_sql_exec(&store->sql, sql, "change it", err));
    util_ok(memo_store_commit(store, err));
}

static void test_numbers_are_never_given_twice(void **state)
{
    util_env *env = *state;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    memo_add_result result = {.size = sizeof result};
    util_add(store, "a", "a text", 1);
    util_add(store, "b", "b text", 2);
    assert_int_equal(last_rid(store), 2);
    forget_key(store, "b");
    memo_store_close(store);
    store = util_open(env, MEMO_OPEN_EXISTING);
    util_add(store, "c", "c text", 3);
    assert_int_equal(last_rid(store), 3);
    /* What was rolled back never was. */
    util_ok(memo_store_begin_write(store, err));
    util_ok(util_put(store, 1, "d", "d text", 4, &result, err));
    memo_store_rollback(store);
    util_add(store, "e", "e text", 5);
    assert_int_equal(last_rid(store), 4);
    /* A new text has new chunks and the old row id. */
    util_add(store, "e", "another text", 6);
    assert_int_equal(last_rid(store), 4);
    assert_int_equal(number_of(store, "SELECT cid FROM chunks WHERE rid = 4"), 5);
    util_check_clean(store);
    memo_store_close(store);
}

/* Over the end of what SQLite's counter has been set to, in one transaction and between two. */
static void test_numbers_past_what_was_reserved(void **state)
{
    util_env *env = *state;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    memo_add_result result = {.size = sizeof result};
    int n = 0;
    util_add(store, "first", "a text", 1);
    for (int part = 0; part < 3; part++) {
        util_ok(memo_store_begin_write(store, err));
        for (int end = n + MEMO_NUMBERS_AHEAD / 2 + 7; n < end; n++) {
            char key[16];
            snprintf(key, sizeof key, "k%d", n);
            util_ok(util_put(store, 1, key, "a text", 1, &result, err));
        }
        util_ok(memo_store_commit(store, err));
        assert_int_equal(last_rid(store), n + 1);
        assert_int_equal(number_of(store, "SELECT max(cid) FROM chunks"), n + 1);
        assert_true(number_of(store, "SELECT seq FROM sqlite_sequence WHERE name = 'records'") > n);
    }
    util_check_clean(store);
    memo_store_close(store);
}

/* Without its row, as in a store that was just upgraded, SQLite's counter says what was given. */
static void test_numbers_without_their_row(void **state)
{
    util_env *env = *state;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    int64_t reserved;
    util_add(store, "a", "a text", 1);
    reserved = number_of(store, "SELECT seq FROM sqlite_sequence WHERE name = 'records'");
    assert_int_equal(reserved, MEMO_NUMBERS_AHEAD);
    run_sql(store, "DELETE FROM tallies WHERE what = -1");
    util_add(store, "b", "b text", 2);
    assert_int_equal(last_rid(store), reserved + 1);
    run_sql(store, "DELETE FROM tallies WHERE what = -1; UPDATE sqlite_sequence SET seq = 5000");
    util_add(store, "c", "c text", 3);
    assert_int_equal(last_rid(store), 5001);
    util_add(store, "d", "d text", 4);
    assert_int_equal(last_rid(store), 5002);
    util_check_clean(store);
    memo_store_close(store);
}

/* Both counters are damaged, SQLite's and ours: whichever knows more is believed. */
static void test_numbers_after_a_repair(void **state)
{
    static const struct {
        const char *harm;
        int64_t rid; /* of the next record: 1 is there, 2 and 3 were forgotten */
    } cases[] = {
        {"UPDATE sqlite_sequence SET seq = 0", 4},
        {"UPDATE sqlite_sequence SET seq = 2", 4},
        {"UPDATE sqlite_sequence SET seq = -5", 4},
        {"UPDATE sqlite_sequence SET seq = 9000000000000000000", 4},
        {"DELETE FROM sqlite_sequence", 4},
        {"UPDATE tallies SET n = 0, sum = 0 WHERE what = -1", MEMO_NUMBERS_AHEAD + 1},
        {"UPDATE tallies SET n = 9000000000000000000 WHERE what = -1", MEMO_NUMBERS_AHEAD + 1},
    };
    util_env *env = *state;
    char command[192];
    snprintf(command, sizeof command, "rm -f '%s'/* '%s'/.a.memo*", env->folder, env->folder);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const memo_repair_options options = {.size = sizeof options, .busy_timeout_ms = -1};
        memo_repair_report report = {0};
        util_findings findings = {0};
        memo_arena arena = {0};
        memo_store_sink sink = {util_finding, &findings, &arena};
        memo_store *store = util_open(env, MEMO_OPEN_CREATE);
        util_add(store, "a", "a text", 1);
        util_add(store, "b", "b text", 2);
        util_add(store, "c", "c text", 3);
        forget_key(store, "b");
        forget_key(store, "c");
        run_sql(store, cases[i].harm);
        memo_store_close(store);
        util_ok(memo_store_repair(env->ctx, env->path, &options, &sink, &report, err));
        if (report.way != MEMO_REPAIR_ROWS || !strstr(findings.text, "counter of row ids"))
            fail_msg("%s: %s", cases[i].harm, findings.text);
        memo_arena_fini(&arena);
        store = util_open(env, MEMO_OPEN_EXISTING);
        util_check_clean(store);
        util_add(store, "d", "d text", 4);
        if (last_rid(store) != cases[i].rid)
            fail_msg("%s: row id %d instead of %d", cases[i].harm, (int)last_rid(store),
                     (int)cases[i].rid);
        if (cases[i].rid == 4) /* its counter of chunks is harmed, too */
            assert_int_equal(number_of(store, "SELECT max(cid) FROM chunks"), 4);
        util_check_clean(store);
        memo_store_close(store);
        if (system(command) != 0)
            fail_msg("%s", command);
    }
}

int main(void)
{
#define NUMBERS(f) cmocka_unit_test_setup_teardown(f, util_setup, util_teardown)
    const struct CMUnitTest tests[] = {
        NUMBERS(test_numbers_are_never_given_twice),
        NUMBERS(test_numbers_past_what_was_reserved),
        NUMBERS(test_numbers_without_their_row),
        NUMBERS(test_numbers_after_a_repair),
    };
    return cmocka_run_group_tests_name("numbers", tests, NULL, NULL);
}
