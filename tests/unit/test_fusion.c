// SPDX-License-Identifier: Apache-2.0
#include "memo_test.h"

#include <math.h>

#include "base/rng.h"
#include "memory/search/fusion.h"

static void push(memo_lane_list *list, int64_t key, int64_t chunk, double score)
{
    memo_err err = {0};
    assert_memo_ok(memo_lane_list_push(list, (memo_lane_hit){key, chunk, score, 0}, &err), err);
}

static void test_fusion_ranks_the_best_of_each_key(void **state)
{
    memo_lane_list list = {0};
    (void)state;
    push(&list, 1, 10, 0.5);
    push(&list, 2, 20, 0.9);
    push(&list, 1, 11, 0.7);
    push(&list, 3, 30, 0.7);
    push(&list, 4, 40, 0.1);
    memo_lane_list_rank(&list, 3);
    assert_int_equal(list.n, 3);
    assert_int_equal(list.hits[0].key, 2);
    assert_int_equal(list.hits[1].key, 1);
    assert_int_equal(list.hits[1].chunk, 11);
    assert_int_equal(list.hits[2].key, 3);
    memo_lane_list_fini(&list);
}

static void test_fusion_sums_scores_of_a_key(void **state)
{
    memo_lane_list list = {0};
    (void)state;
    push(&list, 7, 1, 1);
    push(&list, 5, 2, 1);
    push(&list, 7, 3, 1000);
    memo_lane_list_sum(&list);
    assert_int_equal(list.n, 2);
    assert_int_equal(list.hits[1].key, 7);
    assert_int_equal(list.hits[1].chunk, 3);
    assert_true(list.hits[1].score == 1001);
    memo_lane_list_fini(&list);
}

/* What a hit lacks is missing from its share: the second of a lane that is far behind its first does not
 * make up for it by being first in another that knows little of it. */
static void test_fusion_gives_less_to_what_lacks(void **state)
{
    memo_lane_list lanes[MEMO_N_LANES] = {0};
    const double weights[MEMO_N_LANES] = {1, 1};
    memo_fused *fused = NULL;
    size_t n = 0;
    memo_err err = {0};
    (void)state;
    push(&lanes[0], 1, 1, 0.8);
    push(&lanes[0], 2, 2, 0.2);
    push(&lanes[1], 2, 2, 5);
    lanes[0].hits[1].lacks = 0.75;
    lanes[1].hits[0].lacks = 0.5;
    assert_memo_ok(memo_fusion_run(lanes, weights, &fused, &n, &err), err);
    assert_int_equal(n, 2);
    assert_int_equal(fused[0].key, 1);
    assert_true(fused[0].score == 1 / 61.0);
    assert_true(fused[1].lanes[0].share == 0.25 / 62 && fused[1].lanes[1].share == 0.5 / 61);
    memo_free(fused);
    lanes[0].hits[1].lacks = lanes[1].hits[0].lacks = 0;
    assert_memo_ok(memo_fusion_run(lanes, weights, &fused, &n, &err), err);
    assert_int_equal(fused[0].key, 2);
    memo_free(fused);
    memo_lane_list_fini(&lanes[0]);
    memo_lane_list_fini(&lanes[1]);
}

/* Offering keeps what pushing everything and ranking once would keep. */
static void test_fusion_offers_like_it_pushes(void **state)
{
    memo_rng rng;
    memo_err err = {0};
    (void)state;
    memo_rng_init(&rng, 11);
    for (int round = 0; round < 20; round++) {
        memo_lane_list all = {0}, some = {0};
        size_t depth = 1 + memo_rng_below(&rng, 300);
        for (size_t i = 0; i < 20000; i++) {
            memo_lane_hit hit = {(int64_t)memo_rng_below(&rng, 4000), (int64_t)i,
                                 (double)memo_rng_below(&rng, 5000), 0};
            push(&all, hit.key, hit.chunk, hit.score);
            assert_memo_ok(memo_lane_list_offer(&some, hit, depth, &err), err);
        }
        assert_true(some.cap < 20000);
        memo_lane_list_rank(&all, depth);
        memo_lane_list_rank(&some, depth);
        assert_int_equal(all.n, some.n);
        for (size_t i = 0; i < all.n; i++) {
            assert_int_equal(all.hits[i].key, some.hits[i].key);
            assert_int_equal(all.hits[i].chunk, some.hits[i].chunk);
        }
        memo_lane_list_fini(&all);
        memo_lane_list_fini(&some);
    }
}

static void test_fusion_adds_reciprocal_ranks(void **state)
{
    memo_lane_list lanes[MEMO_N_LANES] = {0};
    const double weights[MEMO_N_LANES] = {1, 0.5, 2};
    memo_fused *fused = NULL;
    size_t n = 0;
    memo_err err = {0};
    (void)state;
    push(&lanes[0], 1, 1, 0.9); /* ranks 1, 2, 2 (a tie), 4 */
    push(&lanes[0], 2, 2, 0.8);
    push(&lanes[0], 3, 3, 0.8);
    push(&lanes[0], 4, 4, 0.7);
    push(&lanes[1], 3, 33, 12);
    push(&lanes[2], 4, 44, 1);
    assert_memo_ok(memo_fusion_run(lanes, weights, &fused, &n, &err), err);
    assert_int_equal(n, 4);
    assert_int_equal(fused[0].key, 4);
    assert_true(fabs(fused[0].score - (1 / 64.0 + 2 / 61.0)) < 1e-15);
    assert_int_equal(fused[0].chunk, 44);
    assert_int_equal(fused[0].best_rank, 1);
    assert_int_equal(fused[1].key, 3);
    assert_true(fabs(fused[1].score - (1 / 62.0 + 0.5 / 61.0)) < 1e-15);
    assert_int_equal(fused[1].chunk, 3);
    assert_int_equal(fused[1].lanes[0].rank, 2);
    assert_int_equal(fused[1].lanes[1].rank, 1);
    assert_int_equal(fused[1].lanes[2].rank, 0);
    assert_int_equal(fused[2].key, 1);
    assert_int_equal(fused[3].key, 2);
    memo_free(fused);
    for (int i = 0; i < MEMO_N_LANES; i++)
        memo_lane_list_fini(&lanes[i]);
}

/* Against a naive sum over random lists; the order is total and the shares add up. */
static void test_fusion_equals_a_naive_sum(void **state)
{
    enum { KEYS = 60 };
    memo_rng rng;
    memo_err err = {0};
    (void)state;
    memo_rng_init(&rng, 5);
    for (int round = 0; round < 200; round++) {
        memo_lane_list lanes[MEMO_N_LANES] = {0};
        double weights[MEMO_N_LANES];
        double naive[KEYS] = {0};
        memo_fused *fused = NULL;
        size_t n = 0;
        for (int lane = 0; lane < MEMO_N_LANES; lane++) {
            weights[lane] = memo_rng_unit(&rng);
            for (int i = 0; i < 40; i++)
                push(&lanes[lane], (int64_t)memo_rng_below(&rng, KEYS), 0,
                     (double)memo_rng_below(&rng, 10));
            memo_lane_list_rank(&lanes[lane], 30);
            for (size_t i = 0; i < lanes[lane].n; i++) {
                size_t better = 0;
                for (size_t j = 0; j < lanes[lane].n; j++)
                    better += lanes[lane].hits[j].score > lanes[lane].hits[i].score;
                naive[lanes[lane].hits[i].key] += weights[lane] / (60.0 + (double)better + 1);
            }
        }
        assert_memo_ok(memo_fusion_run(lanes, weights, &fused, &n, &err), err);
        for (size_t i = 0; i < n; i++) {
            double sum = 0;
            for (int lane = 0; lane < MEMO_N_LANES; lane++)
                sum += fused[i].lanes[lane].share;
            assert_true(fused[i].score == sum);
            assert_true(fabs(fused[i].score - naive[fused[i].key]) < 1e-12);
            if (i > 0)
                assert_true(memo_fused_compare(&fused[i - 1], &fused[i]) < 0 ||
                            (memo_fused_compare(&fused[i - 1], &fused[i]) == 0 &&
                             fused[i - 1].key < fused[i].key));
        }
        memo_free(fused);
        for (int i = 0; i < MEMO_N_LANES; i++)
            memo_lane_list_fini(&lanes[i]);
    }
}

static void test_fusion_promotes_the_only_exact_match(void **state)
{
    memo_lane_list lanes[MEMO_N_LANES] = {0};
    const double weights[MEMO_N_LANES] = {1, 1, 0.001};
    unsigned char needs[4] = {0};
    memo_fused *fused = NULL;
    size_t n = 0;
    memo_err err = {0};
    double sum = 0;
    (void)state;
    for (int64_t key = 1; key <= 4; key++)
        push(&lanes[0], key, key, 1.0 - 0.1 * (double)key);
    push(&lanes[2], 4, 4, 1);
    assert_memo_ok(memo_fusion_run(lanes, weights, &fused, &n, &err), err);
    assert_int_equal(fused[3].key, 4);
    needs[3] = MEMO_PROMOTE_NAME;
    memo_fusion_promote(fused, needs, n);
    assert_int_equal(fused[0].key, 4);
    assert_int_equal(fused[1].key, 1);
    assert_true(fused[0].score > fused[1].score);
    for (int lane = 0; lane < MEMO_N_LANES; lane++)
        sum += fused[0].lanes[lane].share;
    assert_true(fabs(sum - fused[0].score) < 1e-15);
    memo_free(fused);
    for (int i = 0; i < MEMO_N_LANES; i++)
        memo_lane_list_fini(&lanes[i]);
}

static void test_fusion_reports_out_of_memory(void **state)
{
    memo_err err = {0};
    (void)state;
    for (uint64_t at = 1;; at++) {
        memo_lane_list lanes[MEMO_N_LANES] = {0};
        const double weights[MEMO_N_LANES] = {1, 1, 1};
        memo_fused *fused = NULL;
        size_t n = 0;
        memo_status status;
        int64_t live = memo_alloc_live();
        memo_alloc_fail_at(at, 0);
        status = memo_lane_list_push(&lanes[0], (memo_lane_hit){1, 1, 1, 0}, &err);
        if (status == MEMO_OK)
            status = memo_fusion_run(lanes, weights, &fused, &n, &err);
        memo_alloc_fail_at(0, 0);
        memo_free(fused);
        memo_lane_list_fini(&lanes[0]);
        assert_int_equal(memo_alloc_live(), live);
        if (status == MEMO_OK)
            break;
        assert_int_equal(status, MEMO_ERR_NOMEM);
        assert_true(at < 10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fusion_ranks_the_best_of_each_key),
        cmocka_unit_test(test_fusion_sums_scores_of_a_key),
        cmocka_unit_test(test_fusion_gives_less_to_what_lacks),
        cmocka_unit_test(test_fusion_offers_like_it_pushes),
        cmocka_unit_test(test_fusion_adds_reciprocal_ranks),
        cmocka_unit_test(test_fusion_equals_a_naive_sum),
        cmocka_unit_test(test_fusion_promotes_the_only_exact_match),
        cmocka_unit_test(test_fusion_reports_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
