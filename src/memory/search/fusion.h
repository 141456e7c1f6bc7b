// SPDX-License-Identifier: Apache-2.0
/* memory/search/fusion.h -- put the lists of several lanes into one order.
 *
 * Weighted reciprocal rank: a lane of weight w that has a thing at rank r adds w / (60 + r) to its
 * score. Scores of lanes have nothing in common, so ranks are added; but a rank alone cannot say that the
 * first is much better than the second, so a lane may say what a hit lacks, of the best there is or of
 * what was asked, and its share is less by as much. Things of equal score within a lane share a rank:
 * which of two equals came first must not decide anything.
 *
 * Source: Reciprocal Rank Fusion (Cormack, Clarke and Buettcher, 2009), which found k = 60. */
#ifndef MEMO_MEMORY_FUSION_H
#define MEMO_MEMORY_FUSION_H

#include <memolith/memory.h>

#define MEMO_FUSION_K 60.0

/* What a lane found: `key` is what is ranked (a record or a chunk), `chunk` what is shown of it. */
typedef struct memo_lane_hit {
    int64_t key;
    int64_t chunk;
    double score; /* higher is better, finite */
    double lacks; /* 0..1: what part of the share of its rank it does not get */
} memo_lane_hit;

typedef struct memo_lane_list {
    size_t n, cap;
    memo_lane_hit *hits;
    double worst; /* of memo_lane_list_offer(): what is lower cannot enter; valid when `full` */
    int full;
} memo_lane_list;

void memo_lane_list_fini(memo_lane_list *list); /* a zeroed list is an empty one */
memo_status memo_lane_list_push(memo_lane_list *list, memo_lane_hit hit, memo_err *err);
/* Push when the hit may still be among the `depth` best; memory stays O(depth) however many hits
 * are offered. Ends with memo_lane_list_rank() of the same depth. */
memo_status memo_lane_list_offer(memo_lane_list *list, memo_lane_hit hit, size_t depth,
                                 memo_err *err);
/* Keep each key's best hit, order by score (then key), keep the first `depth`. */
void memo_lane_list_rank(memo_lane_list *list, size_t depth);
/* Replace each key's hits by one with the sum of their scores, and the chunk of the best; it lacks what the
 * one that lacks least does. */
void memo_lane_list_sum(memo_lane_list *list);

typedef struct memo_fused {
    int64_t key;
    int64_t chunk; /* of the lane that added most */
    double score;  /* sum of the shares */
    size_t best_rank;
    memo_lane_score lanes[MEMO_N_LANES];
} memo_fused;

/* memo_fusion_run() -- fuse ranked lists.
 *
 *   lanes    [MEMO_N_LANES] as memo_lane_list_rank() leaves them
 *   weights  [MEMO_N_LANES] >= 0; a lane of weight 0 shows its ranks and adds nothing
 *   fused    out, memo_free(); by score, then best single rank, then key */
memo_status memo_fusion_run(const memo_lane_list *lanes, const double *weights, memo_fused **fused,
                            size_t *n_fused, memo_err *err);

/* Order of two fused hits as above, without the key: < 0 when a comes first, 0 for a tie. */
int memo_fused_compare(const memo_fused *a, const memo_fused *b);

/* Put them in order again, after scores have changed. */
void memo_fusion_order(memo_fused *fused, size_t n);

/* What must not stand below what. */
enum {
    MEMO_PROMOTE_NAME = 1, /* alone matches a name: above every hit without an exact rank */
    MEMO_PROMOTE_KEY = 2,  /* the query names its key: above every hit that is not such a one */
};

/* memo_fusion_promote() -- an exact match of a rare name stays above what does not match at all.
 *
 *   needs  [n] 0 or one of the above; left in its old order
 *
 * The score of a promoted hit is raised to just above the best one that must stand below it, in its
 * exact share, and the order is restored. */
void memo_fusion_promote(memo_fused *fused, const unsigned char *needs, size_t n);

#endif
