// SPDX-License-Identifier: Apache-2.0
/* The double array against a plain search, on random sets with long common prefixes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "text/trie.h"

enum { N_KEYS = 2000, KEY_BYTES = 12 };

static char key_bytes[N_KEYS][KEY_BYTES];

static int is_key(const memo_trie_key *keys, size_t n, const char *bytes, size_t length,
                  uint32_t *value)
{
    for (size_t i = 0; i < n; i++) {
        if (keys[i].n == length && memcmp(keys[i].bytes, bytes, length) == 0) {
            *value = keys[i].value;
            return 1;
        }
    }
    return 0;
}

/* Walks bytes[0..n) and compares what ends at each byte with a plain search. */
static void check_walk(const memo_trie *trie, const memo_trie_key *keys, size_t n_keys,
                       const char *bytes, size_t n)
{
    uint32_t node = 0;

    for (size_t i = 0; i <= n; i++) {
        uint32_t value = 0;
        int ends = node != MEMO_TRIE_NONE && memo_trie_ends(trie, node);
        assert_int_equal(ends, is_key(keys, n_keys, bytes, i, &value));
        if (ends)
            assert_int_equal(trie->values[node], value);
        if (i < n && node != MEMO_TRIE_NONE)
            node = memo_trie_step(trie, node, (unsigned char)bytes[i]);
    }
}

static void check_random_set(memo_rng *rng, unsigned alphabet)
{
    static memo_trie_key keys[N_KEYS];
    memo_trie_node *nodes;
    uint32_t *values;
    size_t n = 0, n_nodes, twice;

    for (size_t i = 0; i < N_KEYS; i++) {
        size_t length = memo_rng_below(rng, KEY_BYTES + 1);
        for (size_t k = 0; k < KEY_BYTES; k++)
            key_bytes[i][k] = (char)memo_rng_below(rng, alphabet);
        keys[n++] = (memo_trie_key){key_bytes[i], length, (uint32_t)i};
    }
    while ((twice = memo_trie_sort(keys, n)) < n) /* leave one of each */
        keys[twice] = keys[--n];
    assert_int_equal(memo_trie_build(keys, n, &nodes, &values, &n_nodes, NULL), MEMO_OK);
    memo_trie trie = {nodes, values, n_nodes};
    assert_true(memo_trie_check(&trie, N_KEYS));
    for (size_t i = 0; i < n; i++)
        check_walk(&trie, keys, n, keys[i].bytes, KEY_BYTES);
    memo_free(nodes);
    memo_free(values);
}

static void test_trie_finds_what_a_plain_search_finds(void **state)
{
    memo_rng rng;

    (void)state;
    memo_rng_init(&rng, 1);
    check_random_set(&rng, 2);
    check_random_set(&rng, 5);
    check_random_set(&rng, 256);
}

static void test_trie_of_nothing(void **state)
{
    memo_trie_node *nodes;
    uint32_t *values;
    size_t n_nodes;

    (void)state;
    assert_int_equal(memo_trie_build(NULL, 0, &nodes, &values, &n_nodes, NULL), MEMO_OK);
    memo_trie trie = {nodes, values, n_nodes};
    assert_true(memo_trie_check(&trie, 0));
    for (unsigned c = 0; c < 256; c++)
        assert_int_equal(memo_trie_step(&trie, 0, (unsigned char)c), MEMO_TRIE_NONE);
    memo_free(nodes);
    memo_free(values);
}

static void test_trie_check_refuses_what_leads_outside(void **state)
{
    memo_trie_key keys[] = {{"ab", 2, 0}, {"abc", 3, 1}};
    memo_trie_node *nodes;
    uint32_t *values;
    size_t n_nodes;

    (void)state;
    assert_int_equal(memo_trie_build(keys, 2, &nodes, &values, &n_nodes, NULL), MEMO_OK);
    memo_trie trie = {nodes, values, n_nodes};
    assert_true(memo_trie_check(&trie, 2));
    assert_false(memo_trie_check(&trie, 1)); /* the value of "abc" is out of range */
    for (size_t i = 0; i < n_nodes; i++) {
        memo_trie_node good = nodes[i];
        nodes[i].base = (uint32_t)n_nodes - 255;
        assert_false(memo_trie_check(&trie, 2));
        nodes[i] = good;
    }
    assert_false(memo_trie_check(&trie, 0));
    for (size_t i = 0; i < n_nodes; i++) {
        static const uint32_t beyond[] = {2, 0x7FFFFFFF, 0x80000000, 0x80000001, 0xFFFFFFFF};
        uint32_t good = values[i];
        for (size_t k = 0; k < sizeof beyond / sizeof *beyond; k++) {
            values[i] = beyond[k]; /* matters only where a string ends */
            assert_int_equal(memo_trie_check(&trie, 2), !memo_trie_ends(&trie, (uint32_t)i));
        }
        values[i] = good;
    }
    trie.n_nodes = 255;
    assert_false(memo_trie_check(&trie, 2));
    memo_free(nodes);
    memo_free(values);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trie_finds_what_a_plain_search_finds),
        cmocka_unit_test(test_trie_of_nothing),
        cmocka_unit_test(test_trie_check_refuses_what_leads_outside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
