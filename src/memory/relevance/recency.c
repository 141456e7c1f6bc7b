// SPDX-License-Identifier: Apache-2.0
#include "memory/relevance/recency.h"

#include <math.h>
#include <stdlib.h>

#include "base/error.h"

static int recency_compare(const void *pa, const void *pb)
{
    double a = (*(const memo_fused *const *)pa)->lanes[MEMO_LANE_RECENCY].score;
    double b = (*(const memo_fused *const *)pb)->lanes[MEMO_LANE_RECENCY].score;
    return (a < b) - (a > b);
}

/* Ranks are for show: the share falls with the age itself. */
memo_status memo_recency_add(memo_db *db, memo_fused *fused, size_t n, const memo_recency *r,
                             memo_err *err)
{
    double half_ms = (r->half_life_days > 0 ? r->half_life_days : 30) * 86400000.0;
    int64_t *chunks = memo_arena_array(r->arena, n + 1, sizeof *chunks);
    int64_t *created = memo_arena_array(r->arena, n + 1, sizeof *created);
    memo_fused **order = memo_arena_array(r->arena, n + 1, sizeof *order);
    memo_status status;

    if (!chunks || !created || !order)
        return memo_fail_nomem(err, "ages of hits", n * sizeof *chunks);
    for (size_t i = 0; i < n; i++)
        chunks[i] = fused[i].chunk;
    status = memo_store_created(db->store, chunks, n, created, err);
    if (status)
        return status;
    for (size_t i = 0; i < n; i++) {
        memo_lane_score *lane = &fused[i].lanes[MEMO_LANE_RECENCY];
        double age_ms = (double)r->now_ms - (double)created[i];
        lane->score = exp2(-fmax(age_ms, 0) / half_ms);
        lane->share = r->weight * lane->score / (MEMO_FUSION_K + 1);
        fused[i].score += lane->share;
        order[i] = &fused[i];
    }
    qsort(order, n, sizeof *order, recency_compare);
    for (size_t i = 0; i < n; i++) {
        memo_lane_score *lane = &order[i]->lanes[MEMO_LANE_RECENCY];
        const memo_lane_score *before = i ? &order[i - 1]->lanes[MEMO_LANE_RECENCY] : NULL;
        lane->rank = before && before->score == lane->score ? before->rank : i + 1;
    }
    memo_fusion_order(fused, n);
    return MEMO_OK;
}
