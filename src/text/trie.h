// SPDX-License-Identifier: Apache-2.0
/* text/trie.h -- a set of byte strings with numbers, walked a byte at a time.
 *
 * A double array (Aoe, 1989): the child of node s by byte c is t = base(s) + c, and it exists when
 * nodes[t].check == s. Eight bytes a node, no pointers, so it is stored and mapped as it lies:
 *
 *     nodes   [n_nodes] {base, check}; bit 31 of base: a string ends here
 *     values  [n_nodes] the string's number where one ends
 *
 * Node 0 is the root. memo_trie_check() proves that no walk can leave the arrays, whatever is in
 * them; what a damaged trie finds is then wrong, but in bounds. */
#ifndef MEMO_TEXT_TRIE_H
#define MEMO_TEXT_TRIE_H

#include <stddef.h>
#include <stdint.h>

#include <memolith/status.h>

typedef struct memo_trie_node {
    uint32_t base, check;
} memo_trie_node;

typedef struct memo_trie {
    const memo_trie_node *nodes;
    const uint32_t *values;
    size_t n_nodes; /* 0: the empty set, which must not be walked */
} memo_trie;

#define MEMO_TRIE_NONE 0xFFFFFFFFu /* no such node */
#define MEMO_TRIE_END  0x80000000u /* in base: a string ends here */

static inline uint32_t memo_trie_step(const memo_trie *trie, uint32_t node, unsigned char c)
{
    uint32_t child = (trie->nodes[node].base & ~MEMO_TRIE_END) + c;
    return trie->nodes[child].check == node ? child : MEMO_TRIE_NONE;
}

static inline int memo_trie_ends(const memo_trie *trie, uint32_t node)
{
    return (trie->nodes[node].base & MEMO_TRIE_END) != 0;
}

typedef struct memo_trie_key {
    const char *bytes; /* borrowed */
    size_t n;
    uint32_t value;
} memo_trie_key;

/* Sorts `keys` by their bytes; the index of the first that is the same as the one before it, or n
 * when all differ. */
size_t memo_trie_sort(memo_trie_key *keys, size_t n);
/* Build from keys that memo_trie_sort() found to differ, fewer than 2^31 bytes of them together.
 * The arrays are the caller's to memo_free(). */
memo_status memo_trie_build(const memo_trie_key *keys, size_t n, memo_trie_node **nodes,
                            uint32_t **values, size_t *n_nodes, memo_err *err);
/* Non-zero when every walk stays inside and every value is below n_values. */
int memo_trie_check(const memo_trie *trie, size_t n_values);

#endif
