// SPDX-License-Identifier: Apache-2.0
/* memory/lanes.h -- the three ways to find a chunk. Each lane fills one list of memory/fusion.h.
 *
 * What is ranked (the key) is the record, shown by its best chunk, or with `by_chunk` the chunk. */
#ifndef MEMO_MEMORY_LANES_H
#define MEMO_MEMORY_LANES_H

#include "memory/db.h"
#include "memory/fusion.h"
#include "memory/query.h"

/* A search under way. */
typedef struct memo_lanes {
    memo_db *db;
    memo_store_scope scope;
    int64_t space; /* of the vectors */
    int by_chunk;
    size_t depth; /* things kept of each lane */
    memo_query query;
    const float *vector; /* [dim] of the query; the dense lane needs it */
    memo_deadline deadline;
    memo_arena *arena;

    memo_lane_list lists[MEMO_N_LANES];
    memo_store_damage damage;
    size_t n_scanned;        /* vectors the dense lane has seen */
    int partial;             /* the deadline passed within a lane */
    memo_lane_list promoted; /* keys that must rank high; score: MEMO_PROMOTE_... */
} memo_lanes;

void memo_lanes_fini(memo_lanes *lanes);

memo_status memo_lanes_dense(memo_lanes *lanes, memo_err *err);
memo_status memo_lanes_lexical(memo_lanes *lanes, memo_err *err);
memo_status memo_lanes_exact(memo_lanes *lanes, memo_err *err);

#endif
