// SPDX-License-Identifier: Apache-2.0
#include "memo_test.h"

#include "base/arena.h"
#include "base/poison.h"
#include "base/rng.h"

/* Sizes up to beyond the largest shared block; each item holds its own pattern to the end. */
static void test_arena_items_are_zeroed_aligned_and_apart(void **state)
{
    (void)state;
    enum { N = 400 };
    static unsigned char *items[N];
    static size_t sizes[N];
    memo_arena arena = {0};
    memo_rng rng;
    memo_rng_init(&rng, 7);
    for (size_t i = 0; i < N; i++) {
        sizes[i] = memo_rng_below(&rng, i % 100 == 99 ? 3 << 20 : 3000);
        items[i] = memo_arena_alloc(&arena, sizes[i]);
        assert_non_null(items[i]);
        assert_int_equal((uintptr_t)items[i] % 16, 0);
        for (size_t b = 0; b < sizes[i]; b++)
            assert_int_equal(items[i][b], 0);
        memset(items[i], (int)(i % 251 + 1), sizes[i]);
    }
    for (size_t i = 0; i < N; i++)
        for (size_t b = 0; b < sizes[i]; b++)
            if (items[i][b] != i % 251 + 1)
                fail_msg("item %zu is overwritten at byte %zu", i, b);
    memo_arena_fini(&arena);
    assert_null(arena.blocks);
    assert_int_equal(memo_alloc_live(), 0);
}

static void test_arena_small_items_share_blocks(void **state)
{
    (void)state;
    memo_arena arena = {0};
    memo_alloc_fail_at(0, 0);
    for (int i = 0; i < 10000; i++)
        assert_non_null(memo_arena_alloc(&arena, 16));
    assert_true(memo_alloc_count() < 12); /* doubling from 4 KiB */
    memo_arena_fini(&arena);
}

static void test_arena_strings_and_arrays(void **state)
{
    (void)state;
    memo_arena arena = {0};
    assert_string_equal(memo_arena_strdup(&arena, "abc"), "abc");
    assert_memory_equal(memo_arena_strndup(&arena, "a\0bc", 3), "a\0b", 4);
    assert_string_equal(memo_arena_strndup(&arena, NULL, 0), "");
    assert_non_null(memo_arena_array(&arena, 3, 8));
    assert_non_null(memo_arena_alloc(&arena, 0));
    assert_null(memo_arena_array(&arena, SIZE_MAX / 4, 8));
    assert_null(memo_arena_alloc(&arena, SIZE_MAX));
    assert_null(memo_arena_alloc(&arena, SIZE_MAX - 64));
    assert_null(memo_arena_strndup(&arena, "", SIZE_MAX));
    memo_arena_fini(&arena);
    memo_arena_fini(&arena);
}

static void test_arena_unused_bytes_are_poisoned(void **state)
{
    (void)state;
#ifdef MEMO_ASAN
    memo_arena arena = {0};
    for (size_t n = 0; n < 70; n++) {
        char *p = memo_arena_alloc(&arena, n);
        assert_int_equal(n && __asan_region_is_poisoned(p, n), 0);
        memo_arena_alloc(&arena, 1); /* a neighbour: poison must remain between the two */
        assert_int_equal(__asan_address_is_poisoned(p + n), 1);
        assert_int_equal(__asan_address_is_poisoned(p + n + 15), 1);
    }
    memo_arena_fini(&arena);
#else
    memo_test_skip("built without AddressSanitizer");
#endif
}

static memo_status sweep_arena(void *user, memo_err *err)
{
    (void)user;
    memo_arena arena = {0};
    memo_status status = MEMO_OK;
    for (int i = 0; i < 100 && status == MEMO_OK; i++)
        if (!memo_arena_alloc(&arena, 1000))
            status = memo_fail_nomem(err, "an item", 1000);
    memo_arena_fini(&arena);
    return status;
}

static void test_arena_survives_allocation_failures(void **state)
{
    (void)state;
    assert_true(memo_test_alloc_sweep(sweep_arena, NULL) > 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arena_items_are_zeroed_aligned_and_apart),
        cmocka_unit_test(test_arena_small_items_share_blocks),
        cmocka_unit_test(test_arena_strings_and_arrays),
        cmocka_unit_test(test_arena_unused_bytes_are_poisoned),
        cmocka_unit_test(test_arena_survives_allocation_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
