// SPDX-License-Identifier: Apache-2.0
/* memory/search/match_cache.h -- what filters let through, while the store stays as it is.
 *
 * A program asks many queries under few filters. What a filter lets through changes with the store
 * alone: `now` in it is a number by then, and what has expired is looked up at each search. So the
 * row ids of the last filters are kept until the store's next commit. */
#ifndef MEMO_MEMORY_MATCH_CACHE_H
#define MEMO_MEMORY_MATCH_CACHE_H

#include "memory/rid_set.h"
#include "store/store.h"

#define MEMO_MATCH_CACHE_ITEMS                                                                     \
    32 /* filters; a bit a record each, where row ids lie close together */

typedef struct memo_match_cache {
    int64_t n_commits; /* of the store they are true for */
    uint64_t n_uses;
    struct {
        char *key; /* namespace, text and values of a filter; NULL: free */
        size_t n_key;
        memo_rid_set rids;
        uint64_t used; /* n_uses at its last use */
    } items[MEMO_MATCH_CACHE_ITEMS];
} memo_match_cache;

void memo_match_cache_fini(memo_match_cache *cache); /* a zeroed one is empty; it is afterwards */

/* memo_match_cache_get() -- the records that the scope's filter lets through, expired ones perhaps too.
 *
 *   n_commits  of the store in the open snapshot
 *   rids       out, the cache's until the next call */
memo_status memo_match_cache_get(memo_match_cache *cache, memo_store *store,
                                 const memo_store_scope *scope, int64_t n_commits,
                                 const memo_rid_set **rids, memo_err *err);

#endif
