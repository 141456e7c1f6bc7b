// SPDX-License-Identifier: Apache-2.0
/* index/screen.h -- find the few vectors that can be among the best, from bytes alone.
 *
 * Every allowed slot is estimated. One whose estimate plus its bound reaches the k-th best estimate
 * minus bound, of distinct keys, may be among the k best; all others are not, whatever rounding did
 * (blocks.h). A fixed number of candidates would not be exact among near-duplicates. The caller
 * computes the exact scores of the candidates.
 *
 * Queries of one call share each pass over the blocks. */
#ifndef MEMO_INDEX_SCREEN_H
#define MEMO_INDEX_SCREEN_H

#include "base/pool.h"
#include "index/blocks.h"

typedef struct memo_screen {
    const memo_kernels *kernels;
    const memo_blocks *blocks;
    const int64_t *keys;     /* [n] what is ranked; slots with one key are one thing */
    const uint64_t *allowed; /* [n / 64 rounded up] a bit a slot; those behind n are zero */
    size_t k;                /* keys wanted, at least 1 */
    int (*stop)(
        void *user); /* asked every few thousand slots by any worker; non-zero ends; or NULL */
    void *user;
    memo_pool *pool; /* shares many slots among its workers; NULL: the calling thread alone */
} memo_screen;

typedef struct memo_candidate {
    size_t slot;
    float most; /* no less than its exact score */
} memo_candidate;

typedef struct memo_candidates {
    size_t n, cap;
    memo_candidate *items; /* [n] */
    double floor; /* no more than the exact score of the k-th best key; -INFINITY: fewer than k */
    int direct;   /* the query has no direction in floats: nothing was estimated */
} memo_candidates;

void memo_candidates_fini(memo_candidates *candidates); /* a zeroed one is fine */

/* memo_screen_run() -- candidates of each query.
 *
 *   queries     [n_queries] of dim floats
 *   candidates  [n_queries] zeroed; out, by `most`, greatest first, then by slot
 *   n_screened  out: slots looked at; fewer than are allowed when stop() ended the pass
 *
 * The candidates hold every slot whose exact score is among those of the k best keys, ties included,
 * of the slots looked at. With `direct` they are all allowed slots. A full pass gives the same for
 * every number of workers. MEMO_ERR_NOMEM only. */
memo_status memo_screen_run(const memo_screen *screen, const float *const *queries,
                            size_t n_queries, memo_candidates *candidates, size_t *n_screened,
                            memo_err *err);

#endif
