// SPDX-License-Identifier: Apache-2.0
/* Number and sum of the vectors of a space, which whoever keeps copies of them believes: after any
 * series of puts, edits, forgets, rollbacks and reopenings they are what reading all rows gives. */
#include "store_util.h"

#include "base/rng.h"
#include "store/rows/vectors.h"
#include "store/store_inner.h"

typedef struct set_seen {
    uint64_t n, sum;
    int64_t last_ns, last_chunk;
} set_seen;

static int set_take(void *user, const memo_store_space_block *block)
{
    set_seen *seen = user;
    for (size_t i = 0; i < block->n; i++) {
        assert_true(block->ns[i] > seen->last_ns ||
                    (block->ns[i] == seen->last_ns && block->chunks[i] > seen->last_chunk));
        seen->last_ns = block->ns[i];
        seen->last_chunk = block->chunks[i];
        seen->n++;
        seen->sum += block->sums[i];
    }
    return 0;
}

static void check_set(memo_store *store, int64_t space)
{
    set_seen seen = {0};
    memo_store_set set;
    int same = 0;
    util_ok(memo_store_scan_space(store, space, 0, set_take, &seen, err));
    util_ok(memo_store_get_set(store, space, &set, err));
    assert_int_equal(set.n, seen.n);
    assert_true(set.sum == seen.sum);
    util_ok(memo_vector_sets_check(&store->sql, &same, err));
    assert_true(same);
}

static void put_some(memo_store *store, memo_rng *rng, const int64_t *spaces, size_t n_spaces)
{
    float vectors[3][UTIL_DIM];
    memo_store_chunk chunks[3];
    char key[16];
    memo_add_result result = {.size = sizeof result};
    size_t n_chunks = 1 + memo_rng_below(rng, 3);
    for (size_t i = 0; i < n_chunks; i++) {
        util_vector((unsigned)memo_rng_below(rng, 1000), UTIL_DIM, vectors[i]);
        chunks[i] = (memo_store_chunk){i, i + 1, 1, vectors[i]};
    }
    snprintf(key, sizeof key, "k%d", (int)memo_rng_below(rng, 20));
    memo_store_put put = {.key = key,
                          .text = {"three words here", 16},
                          .source = memo_rng_below(rng, 2) ? "a" : "b",
                          .space = spaces[memo_rng_below(rng, n_spaces)],
                          .chunks = chunks,
                          .n_chunks = n_chunks};
    util_ok(memo_store_put_record(store, 1 + (int64_t)memo_rng_below(rng, 2), &put, &result, err));
}

static void test_vector_sets_follow_every_change(void **state)
{
    util_env *env = *state;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    int64_t spaces[6];
    memo_store_ns ns;
    memo_rng rng;
    memo_rng_init(&rng, 11);
    util_ok(memo_store_begin_write(store, err));
    util_ok(memo_store_make_ns(store, "default", &ns, err));
    util_ok(memo_store_make_ns(store, "other", &ns, err));
    for (size_t i = 0; i < 6; i++) {
        char print[16];
        memo_store_space space = {
            .fingerprint = print, .name = "x", .dim = UTIL_DIM, .kind = MEMO_SPACE_MODEL};
        snprintf(print, sizeof print, "print-%zu", i);
        util_ok(memo_store_make_space(store, &space, &spaces[i], err));
    }
    util_ok(memo_store_commit(store, err));
    for (int round = 0; round < 60; round++) {
        size_t n_spaces = round % 10 == 9 ? 6 : 2; /* six are more than one transaction notes */
        util_ok(memo_store_begin_write(store, err));
        for (size_t i = 0; i < 1 + memo_rng_below(&rng, n_spaces == 6 ? 40 : 5); i++) {
            char key[16];
            int found;
            snprintf(key, sizeof key, "k%d", (int)memo_rng_below(&rng, 20));
            if (memo_rng_below(&rng, 3))
                put_some(store, &rng, spaces, n_spaces);
            else
                util_ok(memo_store_forget(store, 1, key, &found, err));
        }
        if (memo_rng_below(&rng, 4) == 0)
            memo_store_rollback(store);
        else
            util_ok(memo_store_commit(store, err));
        if (memo_rng_below(&rng, 6) == 0) {
            memo_store_close(store);
            store = util_open(env, MEMO_OPEN_EXISTING);
        }
        for (size_t i = 0; i < 6; i++)
            check_set(store, spaces[i]);
    }
    util_ok(memo_store_begin_write(store, err));
    util_ok(memo_vectors_delete_space(store, 1, spaces[0], err));
    util_ok(memo_store_commit(store, err));
    check_set(store, spaces[0]);
    memo_store_close(store);
}

/* Rows written around the calls above are found out by the audit, and counted again by a repair. */
static void test_vector_sets_are_audited(void **state)
{
    util_env *env = *state;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    util_findings findings = {0};
    util_add(store, "a", "a text", 1);
    util_check_clean(store);
    util_ok(memo_store_begin_write(store, err));
    util_ok(memo_sql_exec(&store->sql, "UPDATE tallies SET sum = sum - 1 WHERE what > 0",
                          "break it", err));
    util_ok(memo_store_commit(store, err));
    util_ok(memo_store_check(store, util_finding, &findings, err));
    if (!strstr(findings.text, "number or sum of the vectors"))
        fail_msg("not found: %s", findings.text);
    util_ok(memo_store_begin_write(store, err));
    store->recount_vectors = 1;
    util_ok(memo_store_commit(store, err));
    check_set(store, 1);
    memo_store_close(store);
}

static int rid_take(void *user, int64_t record)
{
    int64_t *seen = user;
    seen[++seen[0]] = record;
    return 0;
}

static void test_vector_sets_changes_since(void **state)
{
    util_env *env = *state;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    int64_t seen[8] = {0};
    memo_store_set set;
    memo_store_scope scope = {.ns = 1};
    float vector[UTIL_DIM], want[UTIL_DIM];
    int found;
    util_add(store, "a", "a text", 1);
    util_add(store, "b", "b text", 2);
    util_ok(memo_store_get_set(store, 1, &set, err));
    util_ok(memo_store_each_changed(store, set.seq, rid_take, seen, err));
    assert_int_equal(seen[0], 0);
    util_add(store, "c", "c text", 3);
    util_ok(memo_store_begin_write(store, err));
    util_ok(memo_store_forget(store, 1, "a", &found, err));
    util_ok(memo_store_commit(store, err));
    util_ok(memo_store_each_changed(store, set.seq, rid_take, seen, err));
    assert_int_equal(seen[0], 2);
    assert_int_equal(seen[1], 3);
    assert_int_equal(seen[2], 1);
    seen[0] = 0;
    util_ok(memo_store_each_match(store, &scope, rid_take, seen, err));
    assert_int_equal(seen[0], 2);
    util_vector(3, UTIL_DIM, want);
    util_ok(memo_store_get_vector(store, 1, 3, vector, UTIL_DIM, err));
    assert_memory_equal(vector, want, sizeof want);
    util_fails(MEMO_ERR_CORRUPT, "gone or damaged",
               memo_store_get_vector(store, 1, 1, vector, UTIL_DIM, err));
    memo_store_close(store);
}

int main(void)
{
#define SETS(f) cmocka_unit_test_setup_teardown(f, util_setup, util_teardown)
    const struct CMUnitTest tests[] = {
        SETS(test_vector_sets_follow_every_change),
        SETS(test_vector_sets_are_audited),
        SETS(test_vector_sets_changes_since),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
