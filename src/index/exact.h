// SPDX-License-Identifier: Apache-2.0
/* index/exact.h -- the k best of many vectors by dot product, found by looking at all of them.
 *
 * The order is total: score descending, then id ascending; so the result does not depend on the
 * order or the blocks in which rows are fed. A score that is not a number never enters. Nothing is
 * allocated: the hits lie in the caller's array, a heap until memo_topk_finish() sorts it.
 *
 *   memo_exact_scan scan;
 *   status = memo_exact_scan_init(&scan, kernels, query, dim, hits, k, err);
 *   while (more rows and status is MEMO_OK)
 *       status = memo_exact_scan_rows(&scan, rows, dim, ids, n_rows, err);
 *   n_hits = memo_topk_finish(&scan.topk);
 */
#ifndef MEMO_INDEX_EXACT_H
#define MEMO_INDEX_EXACT_H

#include <memolith/status.h>

#include "kernel/kernels.h"

#define MEMO_TOPK_MAX 1000 /* largest k */

typedef struct memo_scored {
    uint64_t id;
    float score;
} memo_scored;

/* The k best of what was added. One thread at a time. */
typedef struct memo_topk {
    memo_scored *hits; /* [k], the caller's; the worst first while adding */
    size_t n, k;
} memo_topk;

/* k in 1..MEMO_TOPK_MAX, else MEMO_ERR_VALUE. hits: [k], borrowed until the end. */
memo_status memo_topk_init(memo_topk *topk, memo_scored *hits, size_t k, memo_err *err);

/* MEMO_ERR_VALUE and nothing kept when the score is NaN; infinities are ordered like numbers.
 * Ids need not be unique: each added pair is a hit of its own. O(log k), O(1) when not kept. */
memo_status memo_topk_add(memo_topk *topk, uint64_t id, float score, memo_err *err);

/* Sort hits best first and return their number, at most k. Nothing may be added afterwards. */
size_t memo_topk_finish(memo_topk *topk);

/* Dot products of the query with n_rows rows of dim floats, `stride` floats apart: for callers that
 * keep their own order. The same bits as a scan gives. */
static inline void memo_exact_scores(const memo_kernels *kernels, const float *query, size_t dim,
                                     const float *rows, size_t stride, size_t n_rows, float *scores)
{
    kernels->dot_rows_f32(dim, query, rows, stride, n_rows, scores);
}

typedef struct memo_exact_scan {
    memo_topk topk;
    const memo_kernels *kernels;
    const float *query; /* [dim], borrowed */
    size_t dim;
} memo_exact_scan;

memo_status memo_exact_scan_init(memo_exact_scan *scan, const memo_kernels *kernels,
                                 const float *query, size_t dim, memo_scored *hits, size_t k,
                                 memo_err *err);

/* Score rows [n_rows] of dim floats, `stride` floats apart, and keep the best; ids [n_rows]. Fails
 * with MEMO_ERR_VALUE at the first row whose score is NaN and names its id: the rows before it
 * have been added, and the scan may go on after it. Cost: one pass over the rows. */
memo_status memo_exact_scan_rows(memo_exact_scan *scan, const float *rows, size_t stride,
                                 const uint64_t *ids, size_t n_rows, memo_err *err);

#endif
