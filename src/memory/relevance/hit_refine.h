// SPDX-License-Identifier: Apache-2.0
/* memory/relevance/hit_refine.h -- from the best hits to those that are shown: repetitions out, variety in,
 * weak ones hidden; and how likely each is a match. */
#ifndef MEMO_MEMORY_REFINE_H
#define MEMO_MEMORY_REFINE_H

#include "memory/db.h"

/* A hit with its row ids. */
typedef struct memo_found {
    memo_hit hit;
    int64_t record, chunk;
} memo_found;

typedef struct memo_refine {
    memo_db *db;
    const memo_search_options *options;
    int64_t space; /* 0: none */
    size_t k;      /* hits wanted */
    memo_arena *arena;
} memo_refine;

/* How many of the best hits memo_refine_hits() should be given. */
size_t memo_refine_pool(const memo_search_options *options, size_t k);

/* memo_refine_hits() -- choose and order, at most k of found [*n]; what was hidden is counted in `out`.
 *
 * Diversity is maximal marginal relevance (Carbonell and Goldstein, 1998): each next hit is the one
 * with the most of (1 - d) * score / best score - d * largest cosine to those before it. */
memo_status memo_refine_hits(const memo_refine *r, memo_found *found, size_t *n, memo_hits *out,
                             memo_err *err);

/* memo_refine_judge() -- the probability of each hit of which the dense lane knows the cosine, and what
 * that says of all of them; `named`: one of them holds a name of the query. */
memo_status memo_refine_judge(const memo_refine *r, memo_found *found, size_t n, int named,
                              memo_hits *out, memo_err *err);

#endif
