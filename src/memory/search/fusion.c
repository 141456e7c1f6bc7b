// SPDX-License-Identifier: Apache-2.0
#include "memory/search/fusion.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/grow.h"

void memo_lane_list_fini(memo_lane_list *list)
{
    memo_free(list->hits);
    memset(list, 0, sizeof *list);
}

memo_status memo_lane_list_push(memo_lane_list *list, memo_lane_hit hit, memo_err *err)
{
    memo_lane_hit *grown = memo_grow(list->hits, list->n, &list->cap, sizeof *grown);
    if (!grown)
        return memo_fail_nomem(err, "candidates of a search", (list->n + 1) * sizeof *grown);
    list->hits = grown;
    list->hits[list->n++] = hit;
    return MEMO_OK;
}

memo_status memo_lane_list_offer(memo_lane_list *list, memo_lane_hit hit, size_t depth,
                                 memo_err *err)
{
    if (list->full && hit.score < list->worst)
        return MEMO_OK;
    if (list->n >= 4 * depth + 1024) {
        memo_lane_list_rank(list, depth);
        list->full = list->n == depth;
        list->worst = list->n ? list->hits[list->n - 1].score : 0;
    }
    return memo_lane_list_push(list, hit, err);
}

static int fusion_by_key(const void *pa, const void *pb)
{
    const memo_lane_hit *a = pa, *b = pb;

    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    if (a->score != b->score)
        return a->score > b->score ? -1 : 1;
    return (a->chunk > b->chunk) - (a->chunk < b->chunk);
}

static int fusion_by_score(const void *pa, const void *pb)
{
    const memo_lane_hit *a = pa, *b = pb;

    if (a->score != b->score)
        return a->score > b->score ? -1 : 1;
    return (a->key > b->key) - (a->key < b->key);
}

void memo_lane_list_rank(memo_lane_list *list, size_t depth)
{
    size_t n = 0;

    if (list->n > 1)
        qsort(list->hits, list->n, sizeof *list->hits, fusion_by_key);
    for (size_t i = 0; i < list->n; i++)
        if (n == 0 || list->hits[i].key != list->hits[n - 1].key)
            list->hits[n++] = list->hits[i];
    if (n > 1)
        qsort(list->hits, n, sizeof *list->hits, fusion_by_score);
    list->n = n < depth ? n : depth;
}

void memo_lane_list_sum(memo_lane_list *list)
{
    size_t n = 0;

    if (list->n > 1)
        qsort(list->hits, list->n, sizeof *list->hits, fusion_by_key);
    for (size_t i = 0; i < list->n; i++) {
        if (n && list->hits[i].key == list->hits[n - 1].key)
            list->hits[n - 1].score += list->hits[i].score;
        else
            list->hits[n++] = list->hits[i];
    }
    list->n = n;
}

/* ---- fusing -------------------------------------------------------------------------------- */

static int fusion_compare_full(const void *pa, const void *pb)
{
    const memo_fused *a = pa, *b = pb;
    int order = memo_fused_compare(a, b);

    return order ? order : (a->key > b->key) - (a->key < b->key);
}

static int fusion_compare_key(const void *pa, const void *pb)
{
    const memo_fused *a = pa, *b = pb;

    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    return (a->chunk > b->chunk) - (a->chunk < b->chunk);
}

int memo_fused_compare(const memo_fused *a, const memo_fused *b)
{
    if (a->score != b->score)
        return a->score > b->score ? -1 : 1;
    return (a->best_rank > b->best_rank) - (a->best_rank < b->best_rank);
}

/* One entry for each hit of each lane; entries of one key are merged afterwards. */
static size_t fusion_spread(const memo_lane_list *lanes, const double *weights, memo_fused *out)
{
    size_t n = 0;

    for (int lane = 0; lane < MEMO_N_LANES; lane++) {
        size_t rank = 0;
        for (size_t i = 0; i < lanes[lane].n; i++) {
            const memo_lane_hit *hit = &lanes[lane].hits[i];
            memo_fused *f = &out[n++];
            if (i == 0 || hit->score != hit[-1].score)
                rank = i + 1;
            memset(f, 0, sizeof *f);
            f->key = hit->key;
            f->chunk = hit->chunk;
            f->best_rank = rank;
            f->lanes[lane].rank = rank;
            f->lanes[lane].score = hit->score;
            f->lanes[lane].share =
                weights[lane] * (1 - hit->lacks) / (MEMO_FUSION_K + (double)rank);
        }
    }
    return n;
}

static double fusion_largest_share(const memo_fused *f)
{
    double largest = -1;
    for (int lane = 0; lane < MEMO_N_LANES; lane++)
        if (f->lanes[lane].rank && f->lanes[lane].share > largest)
            largest = f->lanes[lane].share;
    return largest;
}

static void fusion_merge(memo_fused *to, const memo_fused *from)
{
    if (fusion_largest_share(from) > fusion_largest_share(to))
        to->chunk = from->chunk;
    if (from->best_rank < to->best_rank)
        to->best_rank = from->best_rank;
    for (int lane = 0; lane < MEMO_N_LANES; lane++)
        if (from->lanes[lane].rank)
            to->lanes[lane] = from->lanes[lane];
}

static void fusion_sum(memo_fused *f)
{
    f->score = 0;
    for (int lane = 0; lane < MEMO_N_LANES; lane++)
        f->score += f->lanes[lane].share;
}

memo_status memo_fusion_run(const memo_lane_list *lanes, const double *weights, memo_fused **fused,
                            size_t *n_fused, memo_err *err)
{
    size_t total = 0, n = 0;
    memo_fused *all;

    for (int lane = 0; lane < MEMO_N_LANES; lane++)
        total += lanes[lane].n;
    all = memo_calloc(total ? total : 1, sizeof *all);
    if (!all)
        return memo_fail_nomem(err, "fused hits", total * sizeof *all);
    total = fusion_spread(lanes, weights, all);
    if (total > 1)
        qsort(all, total, sizeof *all, fusion_compare_key);
    for (size_t i = 0; i < total; i++) {
        if (n && all[n - 1].key == all[i].key)
            fusion_merge(&all[n - 1], &all[i]);
        else
            all[n++] = all[i];
    }
    for (size_t i = 0; i < n; i++)
        fusion_sum(&all[i]);
    if (n > 1)
        qsort(all, n, sizeof *all, fusion_compare_full);
    *fused = all;
    *n_fused = n;
    return MEMO_OK;
}

void memo_fusion_order(memo_fused *fused, size_t n)
{
    if (n > 1)
        qsort(fused, n, sizeof *fused, fusion_compare_full);
}

static void fusion_raise(memo_fused *f, double above)
{
    if (f->score >= above)
        return;
    f->lanes[MEMO_LANE_EXACT].share += above - f->score;
    f->score = above;
}

void memo_fusion_promote(memo_fused *fused, const unsigned char *needs, size_t n)
{
    double above = -INFINITY;

    for (size_t i = 0; i < n; i++)
        if (!fused[i].lanes[MEMO_LANE_EXACT].rank)
            above = fmax(above, nextafter(fused[i].score, INFINITY));
    for (size_t i = 0; i < n; i++)
        if (needs[i])
            fusion_raise(&fused[i], above);
    for (size_t i = 0; i < n; i++)
        if (needs[i] != MEMO_PROMOTE_KEY)
            above = fmax(above, nextafter(fused[i].score, INFINITY));
    for (size_t i = 0; i < n; i++)
        if (needs[i] == MEMO_PROMOTE_KEY)
            fusion_raise(&fused[i], above);
    if (n > 1)
        qsort(fused, n, sizeof *fused, fusion_compare_full);
}
