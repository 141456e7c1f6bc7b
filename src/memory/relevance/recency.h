// SPDX-License-Identifier: Apache-2.0
/* memory/relevance/recency.h -- the recency lane: how new what the others have found is. */
#ifndef MEMO_MEMORY_RECENCY_H
#define MEMO_MEMORY_RECENCY_H

#include "memory/db.h"
#include "memory/search/fusion.h"

typedef struct memo_recency {
    double weight;
    double half_life_days; /* 0: 30 */
    int64_t now_ms;
    memo_arena *arena;
} memo_recency;

/* Add the lane to fused hits [n], n >= 1, and order them again. */
memo_status memo_recency_add(memo_db *db, memo_fused *fused, size_t n, const memo_recency *r,
                             memo_err *err);

#endif
