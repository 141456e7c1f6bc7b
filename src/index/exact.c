// SPDX-License-Identifier: Apache-2.0
/* index/exact.c -- a bounded heap with the worst kept hit at its root, fed by blocks of scores. */
#include "index/exact.h"

#include <inttypes.h>

#include "base/error.h"

/* Scores computed at once; they stay in the first-level cache until they are compared. */
#define EXACT_BLOCK 256

/* Strictly worse in the order of hits: lower score, or the same score and a higher id. */
static int topk_worse(memo_scored a, memo_scored b)
{
    return a.score != b.score ? a.score < b.score : a.id > b.id;
}

static void topk_swap(memo_scored *a, memo_scored *b)
{
    memo_scored t = *a;
    *a = *b;
    *b = t;
}

/* Children are never worse than their parent; restore that below entry i of n. */
static void topk_sift_down(memo_scored *heap, size_t n, size_t i)
{
    for (;;) {
        size_t worst = i, left = 2 * i + 1, right = left + 1;
        if (left < n && topk_worse(heap[left], heap[worst]))
            worst = left;
        if (right < n && topk_worse(heap[right], heap[worst]))
            worst = right;
        if (worst == i)
            return;
        topk_swap(&heap[i], &heap[worst]);
        i = worst;
    }
}

static void topk_sift_up(memo_scored *heap, size_t i)
{
    while (i && topk_worse(heap[i], heap[(i - 1) / 2])) {
        topk_swap(&heap[i], &heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
}

memo_status memo_topk_init(memo_topk *topk, memo_scored *hits, size_t k, memo_err *err)
{
    if (k < 1 || k > MEMO_TOPK_MAX)
        return memo_fail(err, MEMO_ERR_VALUE, "k is %zu, allowed are 1 to %d", k, MEMO_TOPK_MAX);
    *topk = (memo_topk){.hits = hits, .k = k};
    return MEMO_OK;
}

memo_status memo_topk_add(memo_topk *topk, uint64_t id, float score, memo_err *err)
{
    memo_scored hit = {id, score};
    if (score != score)
        return memo_fail(err, MEMO_ERR_VALUE,
                         "the score of id %" PRIu64 " is not a number: its vector or the query "
                         "holds NaN, infinity or values too large",
                         id);
    if (topk->n < topk->k) {
        topk->hits[topk->n] = hit;
        topk_sift_up(topk->hits, topk->n++);
    } else if (topk_worse(topk->hits[0], hit)) {
        topk->hits[0] = hit;
        topk_sift_down(topk->hits, topk->n, 0);
    }
    return MEMO_OK;
}

size_t memo_topk_finish(memo_topk *topk)
{
    /* Heap sort: the worst of what is left goes to the end. */
    for (size_t n = topk->n; n > 1; n--) {
        topk_swap(&topk->hits[0], &topk->hits[n - 1]);
        topk_sift_down(topk->hits, n - 1, 0);
    }
    return topk->n;
}

memo_status memo_exact_scan_init(memo_exact_scan *scan, const memo_kernels *kernels,
                                 const float *query, size_t dim, memo_scored *hits, size_t k,
                                 memo_err *err)
{
    memo_topk topk;
    memo_status status = memo_topk_init(&topk, hits, k, err);
    if (status == MEMO_OK)
        *scan = (memo_exact_scan){topk, kernels, query, dim};
    return status;
}

memo_status memo_exact_scan_rows(memo_exact_scan *scan, const float *rows, size_t stride,
                                 const uint64_t *ids, size_t n_rows, memo_err *err)
{
    float scores[EXACT_BLOCK];
    for (size_t row = 0; row < n_rows; row += EXACT_BLOCK) {
        size_t n = n_rows - row < EXACT_BLOCK ? n_rows - row : EXACT_BLOCK;
        scan->kernels->dot_rows_f32(scan->dim, scan->query, rows + row * stride, stride, n, scores);
        for (size_t i = 0; i < n; i++) {
            memo_status status = memo_topk_add(&scan->topk, ids[row + i], scores[i], err);
            if (status != MEMO_OK)
                return status;
        }
    }
    return MEMO_OK;
}
