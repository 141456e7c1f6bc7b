// SPDX-License-Identifier: Apache-2.0
/* The tests of memo_set_allocator() come first: it works only before the first allocation, so all
 * later tests of this program run on the counting allocator. */
#include "memo_test.h"

#include <sys/wait.h>

#include "base/poison.h"

static size_t n_mallocs, n_reallocs, n_frees;

static void *counting_malloc(void *user, size_t n_bytes)
{
    ++*(size_t *)user;
    return malloc(n_bytes);
}

static void *counting_realloc(void *user, void *p, size_t n_bytes)
{
    (void)user;
    n_reallocs++;
    return realloc(p, n_bytes);
}

static void counting_free(void *user, void *p)
{
    (void)user;
    n_frees++;
    free(p);
}

static const memo_allocator counting = {counting_malloc, counting_realloc, counting_free,
                                        &n_mallocs};

static void test_alloc_refuses_an_incomplete_allocator(void **state)
{
    (void)state;
    memo_err err = {0};
    memo_allocator without = counting;
    without.free = NULL;
    assert_memo_status(memo_set_allocator(NULL, &err), MEMO_ERR_USAGE, err);
    assert_memo_status(memo_set_allocator(&without, &err), MEMO_ERR_USAGE, err);
    assert_contains(err.message, "free");
}

/* In a child process, so that this one has made no allocation yet. */
static void test_alloc_refuses_an_allocator_after_the_first_block(void **state)
{
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        memo_free(memo_malloc(1));
        _exit(memo_set_allocator(&counting, NULL) == MEMO_ERR_USAGE ? 0 : 1);
    }
    int wait_status = -1;
    assert_int_equal(waitpid(child, &wait_status, 0), child);
    assert_int_equal(wait_status, 0);
}

static void test_alloc_uses_the_callers_allocator(void **state)
{
    (void)state;
    memo_err err = {0};
    assert_memo_ok(memo_set_allocator(&counting, &err), err);
    assert_memo_status(memo_set_allocator(&counting, &err), MEMO_ERR_USAGE, err);
    char *p = memo_malloc(10);
    p = memo_realloc(p, 20);
    memo_free(p);
    assert_int_equal(n_mallocs, 1);
    assert_int_equal(n_reallocs, 1);
    assert_int_equal(n_frees, 1);
}

static void test_alloc_calloc_zeroes_and_checks_the_product(void **state)
{
    (void)state;
    unsigned char zeros[333] = {0};
    unsigned char *p = memo_calloc(111, 3);
    assert_memory_equal(p, zeros, sizeof zeros);
    memo_free(p);
    assert_null(memo_calloc(SIZE_MAX / 2, 3));
    p = memo_malloc(0);
    assert_non_null(p);
    assert_null(memo_reallocarray(p, SIZE_MAX / 2, 3));
    memo_free(p);
}

static void test_alloc_copies_strings(void **state)
{
    (void)state;
    char *s = memo_strdup("caf\xC3\xA9");
    assert_string_equal(s, "caf\xC3\xA9");
    memo_free(s);
    s = memo_strndup("ab\0cd", 4);
    assert_memory_equal(s, "ab\0c", 5);
    memo_free(s);
    assert_null(memo_strndup("", SIZE_MAX));
}

static void test_alloc_aligned_blocks_are_aligned_and_exact(void **state)
{
    (void)state;
    int64_t live = memo_alloc_live();
    for (size_t n = 0; n < 300; n++) {
        unsigned char *p = memo_aligned_alloc(n);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 64, 0);
        memset(p, 0xA5, n);
#ifdef MEMO_ASAN
        assert_int_equal(__asan_address_is_poisoned(p + n), 1);
#endif
        memo_aligned_free(p);
    }
    memo_aligned_free(NULL);
    assert_null(memo_aligned_alloc(SIZE_MAX - 8));
    assert_int_equal(memo_alloc_live(), live);
}

static void test_alloc_fails_once_or_for_good(void **state)
{
    (void)state;
    for (int sticky = 0; sticky <= 1; sticky++) {
        memo_alloc_fail_at(3, sticky);
        for (int i = 1; i <= 5; i++) {
            void *p = memo_malloc(8);
            assert_int_equal(p != NULL, i < 3 || (i > 3 && !sticky));
            memo_free(p);
        }
        assert_int_equal(memo_alloc_count(), 5);
        memo_alloc_fail_at(0, 0);
    }
    /* A failed realloc leaves the block alone. */
    char *p = memo_strdup("kept");
    memo_alloc_fail_at(1, 0);
    assert_null(memo_realloc(p, 100));
    memo_alloc_fail_at(0, 0);
    assert_string_equal(p, "kept");
    memo_free(p);
}

static void test_alloc_counts_live_blocks(void **state)
{
    (void)state;
    int64_t live = memo_alloc_live();
    void *a = memo_malloc(1), *b = memo_realloc(NULL, 1), *c = memo_calloc(1, 1);
    assert_int_equal(memo_alloc_live(), live + 3);
    b = memo_realloc(b, 1000);
    assert_int_equal(memo_alloc_live(), live + 3);
    memo_free(a);
    memo_free(b);
    memo_free(c);
    memo_free(NULL);
    assert_int_equal(memo_alloc_live(), live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alloc_refuses_an_incomplete_allocator),
        cmocka_unit_test(test_alloc_refuses_an_allocator_after_the_first_block),
        cmocka_unit_test(test_alloc_uses_the_callers_allocator),
        cmocka_unit_test(test_alloc_calloc_zeroes_and_checks_the_product),
        cmocka_unit_test(test_alloc_copies_strings),
        cmocka_unit_test(test_alloc_aligned_blocks_are_aligned_and_exact),
        cmocka_unit_test(test_alloc_fails_once_or_for_good),
        cmocka_unit_test(test_alloc_counts_live_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
