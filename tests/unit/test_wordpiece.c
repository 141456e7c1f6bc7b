// SPDX-License-Identifier: Apache-2.0
/* How far WordPiece and the search for added tokens walk a trie that no builder made. */
#include "memo_test.h"

#include "text/added_tokens.h"
#include "text/wordpiece.h"

enum { TEXT_BYTES = 20000 };

static char text_of_a[TEXT_BYTES];

/* The trie of the one token "aaa...", of n bytes. */
static memo_trie one_token(size_t n)
{
    memo_trie_key key = {text_of_a, n, 0};
    memo_trie_node *nodes;
    uint32_t *values;
    size_t n_nodes;

    memset(text_of_a, 'a', sizeof text_of_a);
    assert_int_equal(memo_trie_build(&key, 1, &nodes, &values, &n_nodes, NULL), MEMO_OK);
    return (memo_trie){nodes, values, n_nodes};
}

static void free_trie(memo_trie trie)
{
    memo_free((void *)(uintptr_t)trie.nodes);
    memo_free((void *)(uintptr_t)trie.values);
}

static size_t split_one_token(size_t n)
{
    static uint32_t ids[TEXT_BYTES], ends[TEXT_BYTES];
    unsigned char map[256];
    memo_wordpiece wordpiece = {one_token(n), MEMO_TRIE_NONE, 0, TEXT_BYTES};

    for (unsigned c = 0; c < 256; c++)
        map[c] = (unsigned char)c;
    size_t n_pieces = memo_wordpiece_split(&wordpiece, text_of_a, n, map, ids, ends);
    free_trie(wordpiece.vocab);
    return n_pieces;
}

static void test_wordpiece_walks_no_further_than_the_longest_token(void **state)
{
    (void)state;
    assert_int_equal(split_one_token(1), 1);
    assert_int_equal(split_one_token(MEMO_TOKENIZER_MAX_TOKEN_BYTES), 1);
    assert_int_equal(split_one_token(MEMO_TOKENIZER_MAX_TOKEN_BYTES + 1), 0);
}

static int find_one_token(size_t n)
{
    const memo_added_token token = {7, 0};
    const memo_tables tables = {.added = &token, .n_added = 1};
    memo_trie trie = one_token(n);
    memo_added_set set;
    memo_added_match match;
    memo_added_scan scan = {.text = text_of_a, .n = n};

    memo_added_init(&set, &trie, &tables);
    int found = memo_added_next(&set, &scan, &match);
    free_trie(trie);
    return found && match.id == 7 && match.begin == 0 && match.end == n;
}

static void test_added_tokens_are_sought_no_further_than_the_longest(void **state)
{
    (void)state;
    assert_true(find_one_token(1));
    assert_true(find_one_token((size_t)3 * MEMO_TOKENIZER_MAX_TOKEN_BYTES));
    assert_false(find_one_token((size_t)3 * MEMO_TOKENIZER_MAX_TOKEN_BYTES + 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wordpiece_walks_no_further_than_the_longest_token),
        cmocka_unit_test(test_added_tokens_are_sought_no_further_than_the_longest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
