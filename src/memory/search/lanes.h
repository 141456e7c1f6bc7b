// SPDX-License-Identifier: Apache-2.0
/* memory/search/lanes.h -- the ways to find a chunk. Each lane fills one list of memory/search/fusion.h.
 *
 * What is ranked (the key) is the record, shown by its best chunk, or with `by_chunk` the chunk. */
#ifndef MEMO_MEMORY_LANES_H
#define MEMO_MEMORY_LANES_H

#include "memory/db.h"
#include "memory/search/fusion.h"
#include "memory/search/query.h"

/* A search under way. */
typedef struct memo_lanes {
    memo_db *db;
    memo_store_scope scope;
    int64_t space; /* of the vectors */
    int by_chunk;
    size_t depth; /* things kept of each lane */
    int weigh;    /* words and vectors say what their hits lack */
    memo_query query;
    memo_text text;      /* of the query */
    size_t dim;          /* of the space */
    const float *vector; /* [dim] of the query; the dense lane needs it */
    memo_deadline deadline;
    memo_arena *arena;

    memo_lane_list lists[MEMO_N_LANES];
    memo_store_damage damage;
    size_t n_scanned;        /* vectors the dense lane has seen */
    memo_search_plan plan;   /* what the dense lane knows of it */
    int partial;             /* the deadline passed within a lane */
    memo_lane_list promoted; /* keys that must rank high; score: MEMO_PROMOTE_... */
} memo_lanes;

void memo_lanes_fini(memo_lanes *lanes);
memo_lane_hit memo_lanes_hit(const memo_lanes *lanes, int64_t record, int64_t chunk, double score);

memo_status memo_lanes_dense(memo_lanes *lanes, memo_err *err); /* dense.c */
memo_status memo_lanes_lexical(memo_lanes *lanes, memo_err *err);
memo_status memo_lanes_exact(memo_lanes *lanes, memo_err *err);
memo_status memo_lanes_facts(memo_lanes *lanes, memo_err *err);

#endif
