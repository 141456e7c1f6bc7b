// SPDX-License-Identifier: Apache-2.0
/* Building goes breadth first, so that the nodes near the root, which every word visits, lie
 * together. A node's children are placed on the first free places that fit them; after some tries
 * that failed they go to the end, which keeps building linear and leaves holes for the many nodes
 * with one child. */
#include "text/trie.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

enum { TRIE_TRIES = 64 };

typedef struct trie_builder {
    const memo_trie_key *keys;
    memo_trie_node *nodes;
    uint32_t *values;
    uint32_t *next, *prev; /* ring of free places through place 0, in rising order */
    size_t n, cap;         /* places in the ring; allocated */
    size_t used;           /* highest place taken + 1 */
} trie_builder;

/* One node whose children are to be placed: keys [low, high) share its first `depth` bytes. */
typedef struct trie_task {
    uint32_t node, depth, low, high;
} trie_task;

static int trie_compare(const void *a, const void *b)
{
    const memo_trie_key *x = a, *y = b;
    size_t n = x->n < y->n ? x->n : y->n;
    int order = n ? memcmp(x->bytes, y->bytes, n) : 0;

    return order ? order : (x->n > y->n) - (x->n < y->n);
}

size_t memo_trie_sort(memo_trie_key *keys, size_t n)
{
    if (n)
        qsort(keys, n, sizeof *keys, trie_compare);
    for (size_t i = 1; i < n; i++)
        if (trie_compare(&keys[i - 1], &keys[i]) == 0)
            return i;
    return n;
}

/* Make at least `wanted` places. Returns 0, or -1 when out of memory. */
static int trie_grow(trie_builder *b, size_t wanted)
{
    size_t cap = b->cap ? b->cap : 1024;

    if (wanted <= b->n)
        return 0;
    while (cap < wanted)
        cap *= 2;
    if (cap >= MEMO_TRIE_END)
        return -1;
    void *nodes = memo_reallocarray(b->nodes, cap, sizeof *b->nodes);
    if (nodes)
        b->nodes = nodes;
    void *values = memo_reallocarray(b->values, cap, sizeof *b->values);
    if (values)
        b->values = values;
    void *next = memo_reallocarray(b->next, cap, sizeof *b->next);
    if (next)
        b->next = next;
    void *prev = memo_reallocarray(b->prev, cap, sizeof *b->prev);
    if (prev)
        b->prev = prev;
    if (!nodes || !values || !next || !prev)
        return -1;
    if (b->n == 0) { /* place 0 is the root and the head of the ring */
        b->next[0] = b->prev[0] = 0;
        b->n = 1;
    }
    for (size_t i = b->n; i < cap; i++) {
        b->prev[i] = b->prev[0];
        b->next[b->prev[0]] = (uint32_t)i;
        b->prev[0] = (uint32_t)i;
        b->next[i] = 0;
    }
    for (size_t i = b->cap; i < cap; i++) {
        b->nodes[i] = (memo_trie_node){0, MEMO_TRIE_NONE};
        b->values[i] = 0;
    }
    b->n = b->cap = cap;
    return 0;
}

/* A base from which all labels are free. 0 when out of memory. */
static uint32_t trie_find_base(trie_builder *b, const unsigned char *labels, size_t n_labels)
{
    uint32_t place = b->next[0];

    for (int i = 0; i < TRIE_TRIES && place; i++, place = b->next[place]) {
        if (place <= labels[0])
            continue;
        uint32_t base = place - labels[0];
        if (trie_grow(b, (size_t)base + 256))
            return 0;
        size_t k = 1;
        while (k < n_labels && b->nodes[base + labels[k]].check == MEMO_TRIE_NONE)
            k++;
        if (k == n_labels)
            return base;
    }
    if (trie_grow(b, b->used + 256))
        return 0;
    return (uint32_t)b->used;
}

static void trie_claim(trie_builder *b, uint32_t place, uint32_t parent)
{
    b->nodes[place].check = parent;
    b->next[b->prev[place]] = b->next[place];
    b->prev[b->next[place]] = b->prev[place];
    if (place >= b->used)
        b->used = (size_t)place + 1;
}

/* Place the children of one node; appends a task for each to tasks[*n_tasks]. */
static int trie_expand(trie_builder *b, trie_task task, trie_task *tasks, size_t *n_tasks)
{
    unsigned char labels[256];
    size_t n_labels = 0, first = *n_tasks, low = task.low;

    if (low < task.high && b->keys[low].n == task.depth) {
        b->values[task.node] = b->keys[low++].value;
        b->nodes[task.node].base = MEMO_TRIE_END;
    }
    for (size_t i = low; i < task.high; i++) {
        unsigned char c = (unsigned char)b->keys[i].bytes[task.depth];
        if (n_labels == 0 || labels[n_labels - 1] != c) {
            labels[n_labels++] = c;
            tasks[(*n_tasks)++] = (trie_task){0, task.depth + 1, (uint32_t)i, 0};
        }
        tasks[*n_tasks - 1].high = (uint32_t)i + 1;
    }
    if (n_labels == 0)
        return 0;
    uint32_t base = trie_find_base(b, labels, n_labels);
    if (base == 0)
        return -1;
    b->nodes[task.node].base |= base;
    for (size_t i = 0; i < n_labels; i++) {
        trie_claim(b, base + labels[i], task.node);
        tasks[first + i].node = base + labels[i];
    }
    return 0;
}

static int trie_run(trie_builder *b, size_t n_keys)
{
    size_t n_bytes = 1, n_tasks = 1;

    for (size_t i = 0; i < n_keys; i++)
        n_bytes += b->keys[i].n;
    trie_task *tasks = memo_reallocarray(NULL, n_bytes, sizeof *tasks); /* a node a byte at most */
    if (!tasks || trie_grow(b, 512)) {
        memo_free(tasks);
        return -1;
    }
    b->used = 1;
    tasks[0] = (trie_task){0, 0, 0, (uint32_t)n_keys};
    int failed = 0;
    for (size_t i = 0; i < n_tasks && !failed; i++)
        failed = trie_expand(b, tasks[i], tasks, &n_tasks);
    memo_free(tasks);
    return failed;
}

memo_status memo_trie_build(const memo_trie_key *keys, size_t n, memo_trie_node **nodes,
                            uint32_t **values, size_t *n_nodes, memo_err *err)
{
    trie_builder b = {.keys = keys};
    int failed = trie_run(&b, n);

    /* 256 more places, so that any byte can be added to any base. */
    if (!failed)
        failed = trie_grow(&b, b.used + 256);
    memo_free(b.next);
    memo_free(b.prev);
    if (failed) {
        memo_free(b.nodes);
        memo_free(b.values);
        return memo_fail_nomem(err, "tokenizer trie", b.cap * sizeof(memo_trie_node));
    }
    *nodes = b.nodes;
    *values = b.values;
    *n_nodes = b.used + 256;
    return MEMO_OK;
}

/* Without a branch: this runs over every node at every open. A number above its bound leaves bit 31
 * set in `bad`, by borrowing, or because it had it. */
int memo_trie_check(const memo_trie *trie, size_t n_values)
{
    const uint32_t high = MEMO_TRIE_END;
    uint32_t bad = 0;

    if (trie->n_nodes == 0)
        return 1;
    if (trie->n_nodes < 256 || trie->n_nodes >= MEMO_TRIE_END)
        return 0;
    uint32_t last_base = (uint32_t)trie->n_nodes - 256;
    uint32_t last_value = (uint32_t)(n_values < high ? n_values : high) - 1; /* 0: none is good */
    for (size_t i = 0; i < trie->n_nodes; i++) {
        uint32_t base = trie->nodes[i].base, value = trie->values[i];
        bad |= last_base - (base & ~high);
        bad |= base & ((last_value - value) | value);
    }
    return !(bad & high);
}
