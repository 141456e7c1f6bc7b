// SPDX-License-Identifier: Apache-2.0
/* Shingles against a naive count; signatures against the shingles of random texts. */
#include "memo_test.h"

#include "base/rng.h"
#include "text/near.h"

static void near_make(memo_shingles *shingles, const char *text)
{
    memo_err err = {0};
    assert_memo_ok(memo_shingles_make(shingles, (memo_text){text, strlen(text)}, &err), err);
}

static double near_alike(const char *a, const char *b)
{
    memo_shingles x = {0}, y = {0};
    double alike;
    near_make(&x, a);
    near_make(&y, b);
    alike = memo_shingles_alike(&x, &y);
    assert_true(alike == memo_shingles_alike(&y, &x));
    memo_shingles_fini(&x);
    memo_shingles_fini(&y);
    return alike;
}

static void test_shingles_are_sets_of_word_triples(void **state)
{
    memo_shingles s = {0};
    (void)state;
    near_make(&s, "a b c a b c a b c"); /* abc, bca, cab */
    assert_int_equal(s.n, 3);
    near_make(&s, "");
    assert_int_equal(s.n, 0);
    near_make(&s, "one two");
    assert_int_equal(s.n, 1);
    near_make(&s, "\xe6\x98\xa5\xe5\xa4\x8f\xe7\xa7\x8b\xe5\x86\xac"); /* four ideographs */
    assert_int_equal(s.n, 2);
    memo_shingles_fini(&s);
    assert_true(near_alike("One, two: three!", "one two THREE") == 1);
    assert_true(near_alike("one two three", "three two one") == 0);
    assert_true(near_alike("one two", "one") == 0);
    assert_true(near_alike("", "") == 0);
    /* 123 234 against 123 235: one of three */
    assert_true(near_alike("1 2 3 4", "1 2 3 5") == 1.0 / 3);
    /* the words must not run together */
    assert_true(near_alike("ab c d", "a bc d") == 0);
}

static void near_make_passage(memo_shingles *shingles, const char *text)
{
    memo_err err = {0};
    assert_memo_ok(memo_shingles_make_passage(shingles, (memo_text){text, strlen(text)}, &err),
                   err);
}

static void test_shingles_of_passages_count_as_often_as_they_stand(void **state)
{
    memo_shingles a = {0}, b = {0};
    (void)state;
    near_make_passage(&a, "1 2 3 4 1 2 3 4"); /* 1234 2341 3412 4123 1234 */
    assert_int_equal(a.n, 5);
    near_make_passage(&b, "1 2 3 4 9");            /* 1234 2349 */
    assert_true(memo_shingles_repeat(&b, &a, 50)); /* one of two */
    assert_false(memo_shingles_repeat(&b, &a, 51));
    assert_true(memo_shingles_repeat(&a, &b, 20)); /* 1234 stands once in b: one of five */
    assert_false(memo_shingles_repeat(&a, &b, 21));
    near_make_passage(&a,
                      "\xe6\x98\xa5\xe5\xa4\x8f\xe7\xa7\x8b\xe5\x86\xac\xe6\x98\xa5"); /* one run */
    assert_int_equal(a.n, 1);
    near_make_passage(&a, "One, TWO");
    near_make_passage(&b, "one two");
    assert_true(memo_shingles_repeat(&a, &b, 100));
    near_make_passage(&a, "...");
    assert_int_equal(a.n, 0);
    memo_shingles_fini(&a);
    memo_shingles_fini(&b);
}

/* A longer sketch begins with the shorter one; the longest has all, in order. */
static void test_shingles_least_are_the_first_of_one_order(void **state)
{
    memo_shingles s = {0};
    int64_t all[8], some[8];
    (void)state;
    near_make(&s, "a b c d e f g h"); /* six triples */
    for (uint64_t seed = 0; seed < 100; seed++) {
        assert_int_equal(memo_shingles_least(&s, seed, all, 8), 6);
        for (size_t i = 1; i < 6; i++)
            assert_true(0 <= all[i - 1] && all[i - 1] < all[i]);
        for (size_t cap = 1; cap <= 6; cap++) {
            assert_int_equal(memo_shingles_least(&s, seed, some, cap), cap);
            assert_memory_equal(some, all, cap * sizeof *all);
        }
    }
    memo_shingles_fini(&s);
}

/* Random texts of 60 words, each with a copy in which the last `n` are others. */
static void near_text(memo_rng *rng, char *text, size_t n_words)
{
    size_t at = 0;
    for (size_t i = 0; i < n_words; i++)
        at += (size_t)sprintf(text + at, "w%u ", (unsigned)memo_rng_below(rng, 100000));
}

static void near_change_end(memo_rng *rng, char *text, size_t n_words)
{
    char *p = text + strlen(text) - 1;
    for (size_t i = 0; i < n_words; i++)
        while (p > text && *--p != ' ')
            ;
    near_text(rng, p + 1, n_words);
}

/* 500 pairs at 90 % (58 triples, 3 differ): all are found, each with its own original. */
static void test_near_finds_what_is_alike(void **state)
{
    enum { N = 500 };
    memo_near near;
    memo_near_mark mark;
    memo_err err = {0};
    memo_shingles s = {0};
    memo_rng rng;
    size_t n_found = 0;
    (void)state;
    memo_rng_init(&rng, 11);
    assert_memo_ok(memo_near_init(&near, N, &err), err);
    for (uint32_t i = 0; i < N; i++) {
        char text[1024];
        uint32_t key = UINT32_MAX;
        near_text(&rng, text, 60);
        near_make(&s, text);
        memo_near_sign(&s, &mark);
        assert_false(memo_near_find(&near, &mark, &key)); /* no two random ones are alike */
        memo_near_add(&near, &mark, i * 2);
        near_change_end(&rng, text, 3);
        near_make(&s, text);
        memo_near_sign(&s, &mark);
        n_found += memo_near_find(&near, &mark, &key) && key == i * 2;
    }
    assert_int_equal(n_found, N);
    memo_near_add(&near, &mark, 1); /* no room: nothing happens */
    assert_int_equal(near.n, N);
    memo_near_fini(&near);
    memo_shingles_fini(&s);
}

static void test_near_refuses_too_many(void **state)
{
    memo_near near;
    memo_err err = {0};
    (void)state;
    assert_memo_status(memo_near_init(&near, (size_t)1 << 27, &err), MEMO_ERR_LIMIT, err);
}

static memo_status near_sweep(void *user, memo_err *err)
{
    memo_near near = {0};
    memo_shingles s = {0};
    memo_status status = memo_near_init(&near, 10, err);
    if (status == MEMO_OK)
        status = memo_shingles_make(&s, (memo_text){user, strlen(user)}, err);
    memo_near_fini(&near);
    memo_shingles_fini(&s);
    return status;
}

static void test_near_survives_want_of_memory(void **state)
{
    char text[8192];
    memo_rng rng;
    (void)state;
    memo_rng_init(&rng, 1);
    near_text(&rng, text, 900);
    assert_true(memo_test_alloc_sweep(near_sweep, text) >= 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shingles_are_sets_of_word_triples),
        cmocka_unit_test(test_shingles_of_passages_count_as_often_as_they_stand),
        cmocka_unit_test(test_shingles_least_are_the_first_of_one_order),
        cmocka_unit_test(test_near_finds_what_is_alike),
        cmocka_unit_test(test_near_refuses_too_many),
        cmocka_unit_test(test_near_survives_want_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
