// SPDX-License-Identifier: Apache-2.0
#include "text/near.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/rng.h"

enum { NEAR_ROWS = MEMO_NEAR_HANDS / MEMO_NEAR_BANDS, NEAR_WALK = 64 };
#define NEAR_MOST ((size_t)1 << 27)

memo_status memo_near_init(memo_near *near, size_t cap, memo_err *err)
{
    size_t n_chains = 1024;

    *near = (memo_near){0};
    if (cap >= NEAR_MOST)
        return memo_fail(err, MEMO_ERR_LIMIT, "%zu texts to compare: at most %zu", cap, NEAR_MOST);
    while (n_chains < cap * 4)
        n_chains *= 2;
    near->marks = memo_reallocarray(NULL, cap + 1, sizeof *near->marks);
    near->keys = memo_reallocarray(NULL, cap + 1, sizeof *near->keys);
    near->older = memo_reallocarray(NULL, cap + 1, MEMO_NEAR_BANDS * sizeof *near->older);
    near->chains = memo_calloc(n_chains, sizeof *near->chains);
    if (!near->marks || !near->keys || !near->older || !near->chains) {
        memo_near_fini(near);
        return memo_fail_nomem(err, "signatures of texts", cap * sizeof *near->marks);
    }
    near->cap = cap;
    near->n_chains = n_chains;
    return MEMO_OK;
}

void memo_near_fini(memo_near *near)
{
    memo_free(near->marks);
    memo_free(near->keys);
    memo_free(near->older);
    memo_free(near->chains);
    *near = (memo_near){0};
}

/* Order i is by the upper half of hash * odd number i: the shingles are well mixed already. */
void memo_near_sign(const memo_shingles *shingles, memo_near_mark *mark)
{
    uint64_t odd[MEMO_NEAR_HANDS];
    memo_rng rng;

    memo_rng_init(&rng, 3);
    for (size_t i = 0; i < MEMO_NEAR_HANDS; i++)
        odd[i] = memo_rng_u64(&rng) | 1;
    memset(mark->first, 0xFF, sizeof mark->first);
    for (size_t s = 0; s < shingles->n; s++)
        for (size_t i = 0; i < MEMO_NEAR_HANDS; i++) {
            uint32_t place = (uint32_t)(shingles->hashes[s] * odd[i] >> 32);
            mark->first[i] = place < mark->first[i] ? place : mark->first[i];
        }
}

static size_t near_chain(const memo_near *near, const memo_near_mark *mark, size_t band)
{
    uint64_t hash = memo_xxh64(mark->first + band * NEAR_ROWS, NEAR_ROWS * sizeof(uint32_t), band);
    return (size_t)(hash & (near->n_chains - 1));
}

static size_t near_common(const memo_near_mark *a, const memo_near_mark *b)
{
    size_t n = 0;
    for (size_t i = 0; i < MEMO_NEAR_HANDS; i++)
        n += a->first[i] == b->first[i];
    return n;
}

int memo_near_find(const memo_near *near, const memo_near_mark *mark, uint32_t *key)
{
    size_t best = 0, most = 0;

    for (size_t band = 0; near->n && band < MEMO_NEAR_BANDS; band++) {
        uint32_t at = near->chains[near_chain(near, mark, band)];
        for (size_t step = 0; at && step < NEAR_WALK; step++) {
            size_t i = at - 1, n = near_common(mark, &near->marks[i]);
            if (n > most || (n == most && most && i < best)) {
                most = n;
                best = i;
            }
            at = near->older[i * MEMO_NEAR_BANDS + band];
        }
    }
    /* Chains are shared by bands that differ: less than a band in common is no candidate. */
    if (most < NEAR_ROWS)
        return 0;
    *key = near->keys[best];
    return 1;
}

void memo_near_add(memo_near *near, const memo_near_mark *mark, uint32_t key)
{
    size_t at = near->n;

    if (at == near->cap)
        return;
    near->marks[at] = *mark;
    near->keys[at] = key;
    near->n++;
    for (size_t band = 0; band < MEMO_NEAR_BANDS; band++) {
        uint32_t *chain = &near->chains[near_chain(near, mark, band)];
        near->older[at * MEMO_NEAR_BANDS + band] = *chain;
        *chain = (uint32_t)at + 1;
    }
}
