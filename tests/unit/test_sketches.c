// SPDX-License-Identifier: Apache-2.0
/* By which records the like are found: whatever is written, replaced, forgotten or rolled back, and
 * wherever a row lies, the answer is that of a list of all of them. */
#include "store_util.h"

#include <sqlite3.h>

#include "base/rng.h"
#include "store/rows/sketches.h"
#include "store/store_inner.h"

enum { N_RECORDS = 700, N_HASHES = MEMO_STORE_SKETCH, MOST = 64, COMMON = 16 };

/* What was written, by row id; used[r] 0: none. */
typedef struct sketch_model {
    unsigned char used[N_RECORDS + 1];
    int64_t hashes[N_RECORDS + 1][N_HASHES];
} sketch_model;

/* Some hashes are in one record or two, some in more than count. */
static void make_sketch(memo_rng *rng, int64_t out[N_HASHES])
{
    for (size_t i = 0; i < N_HASHES;) {
        size_t k = 0;
        int64_t hash = (int64_t)(memo_rng_below(rng, 2) ? 1000 + memo_rng_below(rng, 2000)
                                                        : memo_rng_below(rng, 8));
        while (k < i && out[k] != hash)
            k++;
        if (k == i)
            out[i++] = hash;
    }
}

static int model_has(const sketch_model *m, int64_t rid, int64_t hash)
{
    for (size_t i = 0; m->used[rid] && i < N_HASHES; i++)
        if (m->hashes[rid][i] == hash)
            return 1;
    return 0;
}

/* Of each hash the oldest 64 count; a hash of fewer than 16 is rare. */
static size_t model_find(const sketch_model *m, const int64_t *sketch, int64_t self,
                         memo_store_alike out[MEMO_STORE_ALIKE])
{
    static memo_store_alike all[N_RECORDS + 1];
    size_t n = 0;
    memset(all, 0, sizeof all);
    for (size_t h = 0; h < N_HASHES; h++) {
        int64_t with[MOST];
        size_t n_with = 0;
        for (int64_t rid = 1; rid <= N_RECORDS && n_with < MOST; rid++)
            if (model_has(m, rid, sketch[h]))
                with[n_with++] = rid;
        for (size_t i = 0; i < n_with; i++) {
            all[with[i]].n_common++;
            all[with[i]].rare |= n_with < COMMON;
        }
    }
    for (size_t common = N_HASHES; common > 0; common--)
        for (int64_t rid = 1; rid <= N_RECORDS && n < MEMO_STORE_ALIKE; rid++)
            if (rid != self && all[rid].n_common == common && (common > 1 || all[rid].rare))
                out[n++] = (memo_store_alike){rid, common, all[rid].rare};
    return n;
}

static void check_find(memo_store *store, const sketch_model *m, memo_rng *rng)
{
    memo_store_alike got[MEMO_STORE_ALIKE], want[MEMO_STORE_ALIKE];
    int64_t sketch[N_HASHES], self = 1 + (int64_t)memo_rng_below(rng, N_RECORDS);
    size_t n_got, n_want;
    if (m->used[self])
        memcpy(sketch, m->hashes[self], sizeof sketch);
    else
        make_sketch(rng, sketch);
    util_ok(memo_store_find_alike(store, sketch, N_HASHES, self, got, &n_got, err));
    n_want = model_find(m, sketch, self, want);
    assert_int_equal(n_got, n_want);
    for (size_t i = 0; i < n_got; i++) {
        assert_int_equal(got[i].rid, want[i].rid);
        assert_int_equal(got[i].n_common, want[i].n_common);
        assert_int_equal(got[i].rare, want[i].rare);
    }
}

static void change_one(memo_store *store, sketch_model *m, memo_rng *rng, int64_t rid)
{
    int64_t n = 0;
    if (m->used[rid])
        util_ok(memo_sketch_forget(&store->sql, rid, err));
    m->used[rid] = memo_rng_below(rng, 5) != 0;
    if (m->used[rid]) {
        make_sketch(rng, m->hashes[rid]);
        util_ok(memo_sketch_put(&store->sql, rid, m->hashes[rid], N_HASHES, err));
    }
    util_ok(memo_sketches_of(&store->sql, rid, &n, err));
    assert_int_equal(n, m->used[rid] ? N_HASHES : 0);
}

static int64_t count(memo_store *store, const char *query)
{
    int64_t n = 0;
    util_ok(memo_sql_int(&store->sql, query, &n, err));
    return n;
}

static void test_sketches_find_what_a_list_finds(void **state)
{
    util_env *env = *state;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    static sketch_model m, before;
    memo_rng rng;
    memset(&m, 0, sizeof m);
    memo_rng_init(&rng, 17);
    for (int round = 0; round < 150; round++) {
        before = m;
        util_ok(memo_store_begin_write(store, err));
        for (size_t i = 0; i < 1 + memo_rng_below(&rng, 12); i++)
            change_one(store, &m, &rng, 1 + (int64_t)memo_rng_below(&rng, N_RECORDS));
        check_find(store, &m, &rng);
        if (memo_rng_below(&rng, 5) == 0) {
            memo_store_rollback(store);
            m = before;
        } else {
            util_ok(memo_store_commit(store, err));
        }
        if (memo_rng_below(&rng, 9) == 0) {
            memo_store_close(store);
            store = util_open(env, MEMO_OPEN_EXISTING);
        }
        for (int i = 0; i < 10; i++)
            check_find(store, &m, &rng);
    }
    /* Rows are in both places, or the test has not tested it. */
    assert_true(count(store, "SELECT count(*) FROM sketches") > 0);
    assert_true(count(store, "SELECT n FROM tallies WHERE what = 0") > 0);
    memo_store_close(store);
}

static int64_t n_wrong(memo_store *store)
{
    int64_t n = -1;
    util_ok(memo_sketches_audit(&store->sql, &n, err));
    return n;
}

static const char *const harms[] = {
    "UPDATE tallies SET n = n + 1 WHERE what = 0",
    "UPDATE tallies SET list = substr(list, 2) WHERE what = 0",
    "UPDATE tallies SET list = zeroblob(65536), n = 4096 WHERE what = 0",
    "UPDATE tallies SET list = NULL, n = 1 WHERE what = 0"};
enum { N_HARMS = sizeof harms / sizeof *harms };

/* A list that is none is told where it is read, found by the audit, and made again. */
static void test_sketches_damaged_list(void **state)
{
    util_env *env = *state;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    const int64_t sketch[N_HASHES] = {1, 2, 3, 4};
    memo_store_alike alike[MEMO_STORE_ALIKE];
    size_t n;
    util_add(store, "a", "a text", 1);
    for (size_t i = 0; i < N_HARMS; i++) {
        util_ok(memo_store_begin_write(store, err));
        util_ok(memo_store_settle_sketch(store, 1, sketch, N_HASHES, err));
        assert_int_equal(n_wrong(store), 0);
        util_ok(memo_sql_exec(&store->sql, harms[i], "harm it", err));
        util_fails(MEMO_ERR_CORRUPT, "list of its newest sketches",
                   memo_store_find_alike(store, sketch, N_HASHES, 0, alike, &n, err));
        assert_int_equal(n_wrong(store), 2); /* the list, and record 1, whose rows it had */
        util_ok(memo_sketches_mend(&store->sql, err));
        assert_int_equal(n_wrong(store), 0);
        assert_int_equal(count(store, "SELECT count(*) FROM unlinked WHERE rid = 1"), 1);
        util_ok(memo_store_commit(store, err));
    }
    memo_store_close(store);
}

/* A change drops such a list: the records whose rows it had lack them, all others have theirs. */
static void test_sketches_change_beside_a_damaged_list(void **state)
{
    util_env *env = *state;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    const int64_t sketch[N_HASHES] = {1, 2, 3, 4};
    memo_store_alike alike[MEMO_STORE_ALIKE];
    util_add(store, "a", "a text", 1);
    util_add(store, "b", "b text", 2);
    for (size_t i = 0; i < N_HARMS; i++) {
        size_t n = 0;
        int64_t n_rows = -1;
        util_ok(memo_store_begin_write(store, err));
        util_ok(memo_store_settle_sketch(store, 1, sketch, N_HASHES, err));
        util_ok(memo_store_settle_sketch(store, 2, sketch, N_HASHES, err));
        util_ok(memo_sql_exec(&store->sql, harms[i], "harm it", err));
        util_ok(memo_sketch_forget(&store->sql, 2, err)); /* of which it knows nothing */
        util_ok(memo_sketches_of(&store->sql, 2, &n_rows, err));
        assert_int_equal(n_rows, 0);
        assert_int_equal(n_wrong(store), 2); /* both lack theirs; the list is one */
        util_ok(memo_sql_exec(&store->sql, harms[i], "harm it", err));
        util_ok(memo_sketch_put(&store->sql, 2, sketch, N_HASHES, err));
        util_ok(memo_store_find_alike(store, sketch, N_HASHES, 0, alike, &n, err));
        assert_int_equal(n, 1);
        assert_int_equal(alike[0].rid, 2);
        assert_int_equal(n_wrong(store), 1);
        util_ok(memo_sketches_mend(&store->sql, err));
        assert_int_equal(n_wrong(store), 0);
        util_ok(memo_store_commit(store, err));
    }
    memo_store_close(store);
}

/* ---- beside a writer ----------------------------------------------------------------------- */

/* Before which read of the check another handle writes, and how often it did. */
typedef struct beside {
    memo_store *writer;
    const char *before;
    unsigned n;
} beside;

/* A record with a sketch, a vector, and a run of a script without spaces. */
static int beside_write(unsigned what, void *user, void *stmt, void *text)
{
    beside *b = user;
    const int64_t sketch[N_HASHES] = {1, 2, 3, 4};
    float vector[UTIL_DIM];
    memo_store_chunk chunk = {.end = 12, .n_tokens = 3, .vector = vector};
    memo_store_put put = {.text = {"\xe6\x9d\xb1\xe4\xba\xac\xe9\x83\xbd\xe5\xba\x9c", 12},
                          .space = 1,
                          .chunks = &chunk,
                          .n_chunks = 1,
                          .sketch = sketch,
                          .n_sketch = N_HASHES};
    memo_add_result result = {.size = sizeof result};
    (void)what;
    (void)stmt;
    if (strncmp(text, b->before, strlen(b->before)) != 0)
        return 0;
    b->n++;
    util_vector(b->n, UTIL_DIM, vector);
    util_ok(memo_store_begin_write(b->writer, err));
    util_ok(memo_store_put_record(b->writer, 1, &put, &result, err));
    util_ok(memo_store_commit(b->writer, err));
    return 0;
}

/* What is compared by two reads is compared at one moment: nothing is wrong in such a store. */
static void test_sketches_audit_beside_a_writer(void **state)
{
    static const char *const second_reads[] = {
        "SELECT count(*) FROM (SELECT rid FROM records EXCEPT", /* after the list of sketches */
        "SELECT what, n, sum FROM tallies WHERE what > 0",      /* after the vectors */
        "SELECT count(*) FROM fts_parts_docsize",               /* after the chunks */
    };
    util_env *env = *state;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    util_add(store, "a", "a text", 1);
    for (size_t i = 0; i < sizeof second_reads / sizeof *second_reads; i++) {
        beside b = {.writer = util_open(env, MEMO_OPEN_EXISTING), .before = second_reads[i]};
        util_findings findings = {0};
        char warned[16];
        sqlite3_trace_v2(store->sql.db, SQLITE_TRACE_STMT, beside_write, &b);
        util_ok(memo_store_check(store, util_finding, &findings, err));
        sqlite3_trace_v2(store->sql.db, 0, NULL, NULL);
        memo_store_close(b.writer);
        assert_true(b.n > 0);
        snprintf(warned, sizeof warned, "%d ", MEMO_FINDING_WARN);
        if (findings.n_bad || strstr(findings.text, warned) == findings.text)
            fail_msg("%s: %s", second_reads[i], findings.text);
        snprintf(warned, sizeof warned, "\n%d ", MEMO_FINDING_WARN);
        if (strstr(findings.text, warned))
            fail_msg("%s: %s", second_reads[i], findings.text);
    }
    memo_store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sketches_find_what_a_list_finds, util_setup,
                                        util_teardown),
        cmocka_unit_test_setup_teardown(test_sketches_damaged_list, util_setup, util_teardown),
        cmocka_unit_test_setup_teardown(test_sketches_change_beside_a_damaged_list, util_setup,
                                        util_teardown),
        cmocka_unit_test_setup_teardown(test_sketches_audit_beside_a_writer, util_setup,
                                        util_teardown),
    };
    return cmocka_run_group_tests_name("sketches", tests, NULL, NULL);
}
