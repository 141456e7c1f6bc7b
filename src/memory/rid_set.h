// SPDX-License-Identifier: Apache-2.0
/* memory/rid_set.h -- a set of row ids of records: filled once, then asked for each of many slots.
 *
 * Row ids are counted up, so those of a store lie close together: the set is a bitmap from the least to
 * the greatest, and where that would be far larger than the ids themselves, a sorted list. */
#ifndef MEMO_MEMORY_RID_SET_H
#define MEMO_MEMORY_RID_SET_H

#include <stddef.h>
#include <stdint.h>

#include <memolith/status.h>

typedef struct memo_rid_set {
    size_t n, cap;
    int64_t *rids; /* [n] as they came; sorted and distinct when there is no bitmap */
    int64_t least, greatest;
    uint64_t *bits; /* from `least` on; NULL: look in the list */
    int failed;     /* no memory */
} memo_rid_set;

void memo_rid_set_fini(memo_rid_set *set); /* a zeroed set is an empty one */
/* Non-zero when memory ran out: as a memo_store_rid_fn it ends the reading. */
int memo_rid_set_add(void *set, int64_t rid);
/* After the last one. */
memo_status memo_rid_set_seal(memo_rid_set *set, memo_err *err);

int memo_rid_set_search(const memo_rid_set *set, int64_t rid);

static inline int memo_rid_set_has(const memo_rid_set *set, int64_t rid)
{
    uint64_t at;
    if (set->n == 0 || rid < set->least || rid > set->greatest)
        return 0;
    if (!set->bits)
        return memo_rid_set_search(set, rid);
    at = (uint64_t)rid - (uint64_t)set->least;
    return (int)(set->bits[at / 64] >> (at % 64) & 1);
}

#endif
