// SPDX-License-Identifier: Apache-2.0
/* memory/search/search_work.h -- a search under way, for the files that run it (search.c) and make its
 * result (search_hits.c). */
#ifndef MEMO_MEMORY_SEARCH_WORK_H
#define MEMO_MEMORY_SEARCH_WORK_H

#include "memory/search/lanes.h"

/* Hits with the arena that holds them. */
typedef struct search_owner {
    memo_hits hits; /* first: this is what the caller sees */
    memo_arena arena;
    /* For memo_search_log_chosen(). */
    int64_t ns, space, cls;
    const int64_t (*keys)[2]; /* [hits.n], arena */
} search_owner;

typedef struct search_work {
    memo_db *db;      /* that is searched: of the present, or a past of it */
    memo_db *present; /* whose embedder is asked */
    memo_search_options options;
    memo_text query;
    search_owner *owner;
    memo_lanes lanes;
    float *vector;
    memo_filter *filter;
    memo_fused *fused;
    size_t n_fused;
    int64_t (*keys)[2]; /* [hits.n] record and chunk of each, arena */
    size_t n_lanes_run, n_lanes_failed;
    memo_err first_failure;
} search_work;

size_t memo_search_shown(const search_work *w); /* hits wanted */
size_t memo_search_pool(const search_work *w);  /* hits that are chosen from */

/* Damage keeps a lane from answering: log it and put it into the result, once. */
memo_status memo_search_note_failure(search_work *w, memo_lane lane, const memo_err *why,
                                     memo_err *err);

/* Of a search that was made with no_log: keep it as one that showed the hits `chosen` [n] alone, in
 * this order. hits->search_id is "" when it is not kept, for want of memory too. */
void memo_search_log_chosen(memo_db *db, const memo_search_options *options, memo_text query,
                            memo_hits *hits, const size_t *chosen, size_t n);

/* Fetch the best of w->fused, choose and judge them, and put them into the result. */
memo_status memo_search_fill(search_work *w, memo_err *err);

#endif
