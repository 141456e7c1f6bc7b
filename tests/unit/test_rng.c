// SPDX-License-Identifier: Apache-2.0
/* Statistical bounds are five standard errors of the statistic, so they hold for nearly every seed
 * and the seeds here are fixed. */
#include "memo_test.h"

#include <math.h>

#include "base/rng.h"

/* The sequence of the authors' C code for the state {1, 2, 3, 4}. */
static void test_rng_follows_xoshiro256starstar(void **state)
{
    (void)state;
    const uint64_t expected[] = {11520,
                                 0,
                                 1509978240,
                                 1215971899390074240u,
                                 1216172134540287360u,
                                 607988272756665600u,
                                 16172922978634559625u,
                                 8476171486693032832u,
                                 10595114339597558777u,
                                 2904607092377533576u};
    memo_rng rng = {{1, 2, 3, 4}};
    for (size_t i = 0; i < 10; i++)
        assert_true(memo_rng_u64(&rng) == expected[i]);
}

static void test_rng_is_seeded_by_splitmix64(void **state)
{
    (void)state;
    memo_rng rng;
    memo_rng_init(&rng, 1477776061723855037u);
    assert_true(rng.s[0] == 1985237415132408290u);
    assert_true(rng.s[1] == 2979275885539914483u);
    assert_true(rng.s[2] == 13511426838097143398u);
    assert_true(rng.s[3] == 8488337342461049707u);
}

static void test_rng_below_is_in_range_and_even(void **state)
{
    (void)state;
    enum { DRAWS = 70000, CELLS = 7 };
    size_t count[CELLS] = {0};
    memo_rng rng;
    memo_rng_init(&rng, 11);
    for (int i = 0; i < DRAWS; i++) {
        uint64_t x = memo_rng_below(&rng, CELLS);
        assert_true(x < CELLS);
        count[x]++;
    }
    const double p = 1.0 / CELLS, sd = sqrt(DRAWS * p * (1 - p));
    for (int i = 0; i < CELLS; i++)
        assert_true(fabs((double)count[i] - DRAWS * p) < 5 * sd);
    assert_true(memo_rng_below(&rng, 1) == 0);
}

/* With n = 3 * 2^62 a plain remainder would give the lowest quarter of the range twice as often. */
static void test_rng_below_is_unbiased_for_large_n(void **state)
{
    (void)state;
    enum { DRAWS = 30000 };
    const uint64_t n = (uint64_t)3 << 62;
    size_t low = 0;
    memo_rng rng;
    memo_rng_init(&rng, 12);
    for (int i = 0; i < DRAWS; i++)
        low += memo_rng_below(&rng, n) < n / 3;
    assert_true(fabs((double)low - DRAWS / 3.0) < 5 * sqrt(DRAWS * (2.0 / 9)));
}

static void test_rng_unit_is_uniform_below_one(void **state)
{
    (void)state;
    enum { DRAWS = 100000 };
    double sum = 0, sum2 = 0;
    memo_rng rng;
    memo_rng_init(&rng, 13);
    for (int i = 0; i < DRAWS; i++) {
        double x = memo_rng_unit(&rng);
        assert_true(x >= 0 && x < 1);
        sum += x;
        sum2 += x * x;
    }
    assert_true(fabs(sum / DRAWS - 0.5) < 5 * sqrt(1.0 / 12 / DRAWS));
    assert_true(fabs(sum2 / DRAWS - 1.0 / 3) < 5 * sqrt(4.0 / 45 / DRAWS));
}

/* The polar method with libm's log on a second generator in the same state. */
static void test_rng_normal_agrees_with_libm(void **state)
{
    (void)state;
    memo_rng rng, twin;
    memo_rng_init(&rng, 14);
    twin = rng;
    for (int i = 0; i < 100000; i++) {
        double u, v, s;
        do {
            u = 2 * memo_rng_unit(&twin) - 1;
            v = 2 * memo_rng_unit(&twin) - 1;
            s = u * u + v * v;
        } while (s >= 1 || s == 0);
        double expected = u * sqrt(-2 * log(s) / s), x = memo_rng_normal(&rng);
        if (fabs(x - expected) > 8 * 0x1p-52 * fabs(expected))
            fail_msg("draw %d: %.17g, libm gives %.17g", i, x, expected);
    }
}

static void test_rng_normal_has_the_moments_of_a_normal(void **state)
{
    (void)state;
    enum { DRAWS = 200000 };
    double m1 = 0, m2 = 0, m4 = 0;
    memo_rng rng;
    memo_rng_init(&rng, 15);
    for (int i = 0; i < DRAWS; i++) {
        double x = memo_rng_normal(&rng);
        m1 += x;
        m2 += x * x;
        m4 += x * x * x * x;
    }
    /* Variances of x, x^2 and x^4: 1, 2 and 96. */
    assert_true(fabs(m1 / DRAWS) < 5 * sqrt(1.0 / DRAWS));
    assert_true(fabs(m2 / DRAWS - 1) < 5 * sqrt(2.0 / DRAWS));
    assert_true(fabs(m4 / DRAWS - 3) < 5 * sqrt(96.0 / DRAWS));
}

static void test_rng_random_bytes_fill_every_length(void **state)
{
    (void)state;
    memo_err err = {0};
    for (size_t n = 0; n < 1030; n += 41) {
        unsigned char bytes[1100] = {0};
        size_t zeros = 0;
        assert_memo_ok(memo_random_bytes(bytes, n, &err), err);
        for (size_t i = 0; i < n; i++)
            zeros += bytes[i] == 0;
        assert_true(zeros <= n / 8); /* for n = 41 already below 2^-25 by chance */
        for (size_t i = n; i < sizeof bytes; i++)
            assert_int_equal(bytes[i], 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rng_follows_xoshiro256starstar),
        cmocka_unit_test(test_rng_is_seeded_by_splitmix64),
        cmocka_unit_test(test_rng_below_is_in_range_and_even),
        cmocka_unit_test(test_rng_below_is_unbiased_for_large_n),
        cmocka_unit_test(test_rng_unit_is_uniform_below_one),
        cmocka_unit_test(test_rng_normal_agrees_with_libm),
        cmocka_unit_test(test_rng_normal_has_the_moments_of_a_normal),
        cmocka_unit_test(test_rng_random_bytes_fill_every_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
