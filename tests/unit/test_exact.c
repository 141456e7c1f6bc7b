// SPDX-License-Identifier: Apache-2.0
/* The exact scan against a full sort, written another way: qsort over all pairs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "index/exact.h"

static int by_score_then_id(const void *a, const void *b)
{
    const memo_scored *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static void assert_same_hits(const memo_scored *got, const memo_scored *want, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(got[i].id, want[i].id);
        assert_true(got[i].score == want[i].score);
    }
}

/* Few distinct scores, so that most ranks are decided by the id. */
static void test_topk_equals_full_sort(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 2, 3, 7, 100, 999, 1000, 1001, 3000};
    static const size_t ks[] = {1, 2, 3, 10, 999, MEMO_TOPK_MAX};
    static memo_scored all[3000], hits[MEMO_TOPK_MAX];
    memo_rng rng;
    memo_rng_init(&rng, 11);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        for (size_t j = 0; j < sizeof ks / sizeof *ks; j++) {
            size_t n = sizes[s], k = ks[j], want = n < k ? n : k;
            memo_topk topk;
            assert_int_equal(memo_topk_init(&topk, hits, k, NULL), MEMO_OK);
            for (size_t i = 0; i < n; i++) {
                all[i].score = (float)memo_rng_below(&rng, 20) - 10.0f;
                all[i].id = memo_rng_u64(&rng);
                assert_int_equal(memo_topk_add(&topk, all[i].id, all[i].score, NULL), MEMO_OK);
            }
            qsort(all, n, sizeof *all, by_score_then_id);
            assert_int_equal(memo_topk_finish(&topk), want);
            assert_same_hits(hits, all, want);
        }
    }
}

static void test_topk_orders_infinities_and_zeros(void **state)
{
    (void)state;
    memo_scored hits[5];
    memo_topk topk;
    assert_int_equal(memo_topk_init(&topk, hits, 5, NULL), MEMO_OK);
    memo_topk_add(&topk, 5, -INFINITY, NULL);
    memo_topk_add(&topk, 4, 0.0f, NULL);
    memo_topk_add(&topk, 3, -0.0f, NULL); /* equal to 0: the lower id is first */
    memo_topk_add(&topk, 2, INFINITY, NULL);
    memo_topk_add(&topk, 1, -1.0f, NULL);
    assert_int_equal(memo_topk_finish(&topk), 5);
    static const uint64_t want[] = {2, 3, 4, 1, 5};
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(hits[i].id, want[i]);
}

static void test_topk_refuses_nan_and_bad_k(void **state)
{
    (void)state;
    memo_scored hits[2];
    memo_topk topk;
    memo_err err = {0};
    assert_int_equal(memo_topk_init(&topk, hits, 0, &err), MEMO_ERR_VALUE);
    assert_int_equal(memo_topk_init(&topk, hits, MEMO_TOPK_MAX + 1, &err), MEMO_ERR_VALUE);
    assert_non_null(strstr(err.message, "1001"));
    assert_int_equal(memo_topk_init(&topk, hits, 2, &err), MEMO_OK);
    assert_int_equal(memo_topk_add(&topk, 77, NAN, &err), MEMO_ERR_VALUE);
    assert_non_null(strstr(err.message, "77"));
    assert_int_equal(memo_topk_finish(&topk), 0);
}

/* Rows with duplicates, in several blocks and orders and with a gap between rows. */
static void test_exact_scan_equals_sort_of_dots(void **state)
{
    (void)state;
    enum { DIM = 37, STRIDE = 41, ROWS = 700, K = 50 };
    static float rows[ROWS * STRIDE];
    static uint64_t ids[ROWS];
    static memo_scored all[ROWS], hits[K];
    float query[DIM];
    memo_rng rng;
    memo_rng_init(&rng, 12);
    for (size_t i = 0; i < DIM; i++)
        query[i] = (float)memo_rng_normal(&rng);
    for (size_t i = 0; i < ROWS; i++) {
        ids[i] = i * 7919 % 1009;
        for (size_t j = 0; j < STRIDE; j++)
            rows[i * STRIDE + j] =
                i % 3 == 2 ? rows[(i - 1) * STRIDE + j] : (float)memo_rng_normal(&rng);
    }
    for (memo_cpu cpu = MEMO_CPU_REF; cpu <= MEMO_CPU_AVX512; cpu++) {
        const memo_kernels *kernels = memo_kernels_for(cpu);
        if (!kernels)
            continue;
        for (size_t i = 0; i < ROWS; i++)
            all[i] = (memo_scored){ids[i], kernels->dot_f32(DIM, query, rows + i * STRIDE)};
        qsort(all, ROWS, sizeof *all, by_score_then_id);
        for (size_t block = 1; block <= ROWS; block = block * 3 + 1) {
            memo_exact_scan scan;
            assert_int_equal(memo_exact_scan_init(&scan, kernels, query, DIM, hits, K, NULL), 0);
            for (size_t end = ROWS; end;) { /* from the last block to the first */
                size_t n = end % block ? end % block : block;
                end -= n;
                assert_int_equal(
                    memo_exact_scan_rows(&scan, rows + end * STRIDE, STRIDE, ids + end, n, NULL),
                    MEMO_OK);
            }
            assert_int_equal(memo_topk_finish(&scan.topk), K);
            assert_same_hits(hits, all, K);
        }
    }
}

static void test_exact_scan_names_the_row_with_nan(void **state)
{
    (void)state;
    float rows[3][2] = {{1.0f, 0.0f}, {NAN, 0.0f}, {2.0f, 0.0f}}, query[2] = {1.0f, 1.0f};
    uint64_t ids[3] = {10, 4242, 12};
    memo_scored hits[3];
    memo_exact_scan scan;
    memo_err err = {0};
    const memo_kernels *kernels = memo_kernels_for(MEMO_CPU_AUTO);
    assert_int_equal(memo_exact_scan_init(&scan, kernels, query, 2, hits, 3, &err), MEMO_OK);
    assert_int_equal(memo_exact_scan_rows(&scan, rows[0], 2, ids, 3, &err), MEMO_ERR_VALUE);
    assert_non_null(strstr(err.message, "4242"));
    assert_int_equal(memo_exact_scan_rows(&scan, rows[2], 2, ids + 2, 1, &err), MEMO_OK);
    assert_int_equal(memo_topk_finish(&scan.topk), 2);
    assert_int_equal(hits[0].id, 12);
    assert_int_equal(hits[1].id, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_topk_equals_full_sort),
        cmocka_unit_test(test_topk_orders_infinities_and_zeros),
        cmocka_unit_test(test_topk_refuses_nan_and_bad_k),
        cmocka_unit_test(test_exact_scan_equals_sort_of_dots),
        cmocka_unit_test(test_exact_scan_names_the_row_with_nan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
