// SPDX-License-Identifier: Apache-2.0
#include "memo_test.h"

#include "base/grow.h"

/* 1,000 numbers, each where it was put, in fewer than log2(1000) + 1 allocations. */
static void test_grow_keeps_what_is_there(void **state)
{
    memo_arena arena = {0};
    uint64_t *heap = NULL, *in_arena = NULL;
    size_t cap = 0, arena_cap = 0;
    (void)state;
    memo_alloc_fail_at(0, 0);
    for (size_t n = 0; n < 1000; n++) {
        heap = memo_grow(heap, n, &cap, sizeof *heap);
        assert_true(heap && n < cap);
        heap[n] = n * n;
    }
    assert_true(memo_alloc_count() <= 10);
    for (size_t n = 0; n < 1000; n++) {
        in_arena = memo_arena_grow(&arena, in_arena, n, &arena_cap, sizeof *in_arena);
        assert_true(in_arena && n < arena_cap);
        in_arena[n] = n * n;
    }
    for (size_t n = 0; n < 1000; n++)
        assert_true(heap[n] == n * n && in_arena[n] == n * n);
    memo_free(heap);
    memo_arena_fini(&arena);
    assert_int_equal(memo_alloc_live(), 0);
}

static void test_grow_without_memory_leaves_the_array(void **state)
{
    memo_arena arena = {0};
    size_t cap = 0;
    int *items = memo_grow(NULL, 0, &cap, sizeof *items);
    size_t n = cap;
    (void)state;
    assert_non_null(items);
    for (size_t i = 0; i < n; i++)
        items[i] = (int)i;
    memo_alloc_fail_at(1, 1);
    assert_null(memo_grow(items, n, &cap, sizeof *items));
    assert_ptr_equal(memo_grow(items, n - 1, &cap, sizeof *items), items); /* there is room */
    memo_alloc_fail_at(0, 0);
    assert_int_equal(cap, n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(items[i], i);
    memo_free(items);
    /* sizes that no array can have */
    cap = SIZE_MAX / 2 + 1;
    assert_null(memo_grow(NULL, cap, &cap, 1));
    assert_null(memo_arena_grow(&arena, NULL, cap, &cap, 1));
    cap = SIZE_MAX / 4;
    assert_null(memo_grow(NULL, cap, &cap, 8));
    assert_null(memo_arena_grow(&arena, NULL, cap, &cap, 8));
    assert_int_equal(cap, SIZE_MAX / 4);
    memo_arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grow_keeps_what_is_there),
        cmocka_unit_test(test_grow_without_memory_leaves_the_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
