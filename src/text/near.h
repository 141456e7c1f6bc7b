// SPDX-License-Identifier: Apache-2.0
/* text/near.h -- among many texts, find one that is nearly the same, without comparing all.
 *
 * A text's signature is, for each of 64 orders of all shingles, the first of its own. Two texts with
 * Jaccard similarity J have equal first ones with probability J in each order. Signatures are cut into
 * 16 bands of 4; texts with an equal band are candidates: at J = 0.8 all but 1 of 4,600 pairs are, at
 * 0.3 one of 8, at 0.1 one of 600. Whoever asks then compares the candidate's shingles. Cost of a
 * question: 16 chains, each walked 64 steps at most, so many equal texts cost no more than few.
 *
 * Sources: Broder, "On the resemblance and containment of documents", 1997; the bands: Indyk and
 * Motwani, "Approximate nearest neighbors", 1998. */
#ifndef MEMO_TEXT_NEAR_H
#define MEMO_TEXT_NEAR_H

#include "text/shingles.h"

#define MEMO_NEAR_BANDS 16
#define MEMO_NEAR_HANDS 64 /* orders; 4 a band */

typedef struct memo_near_mark {
    uint32_t first[MEMO_NEAR_HANDS];
} memo_near_mark;

/* Zeroed: nothing can be added. */
typedef struct memo_near {
    size_t n, cap, n_chains; /* n_chains: a power of two */
    memo_near_mark *marks;   /* [cap] */
    uint32_t *keys;          /* [cap] what the caller calls each */
    uint32_t *chains;        /* [n_chains] newest of each, plus 1; 0: empty */
    uint32_t *older;         /* [cap, bands] next of the chain, plus 1 */
} memo_near;

/* Room for `cap` texts: 324 bytes and some for each. MEMO_ERR_LIMIT: 2^27 and more. */
memo_status memo_near_init(memo_near *near, size_t cap, memo_err *err);
void memo_near_fini(memo_near *near);

/* Of shingles that are not empty. */
void memo_near_sign(const memo_shingles *shingles, memo_near_mark *mark);

/* The key of the most similar one by estimate, the older of equals; 0 when there is no candidate. */
int memo_near_find(const memo_near *near, const memo_near_mark *mark, uint32_t *key);
/* Nothing happens when there is no room. */
void memo_near_add(memo_near *near, const memo_near_mark *mark, uint32_t key);

#endif
