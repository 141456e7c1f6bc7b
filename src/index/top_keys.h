// SPDX-License-Identifier: Apache-2.0
/* index/top_keys.h -- the k best values of distinct keys, and the least of them.
 *
 * A search ranks keys (records), while values come for slots (chunks): several good slots of one key
 * must not raise the bar for others. So a key counts once, with its best value. */
#ifndef MEMO_INDEX_TOP_KEYS_H
#define MEMO_INDEX_TOP_KEYS_H

#include <stddef.h>
#include <stdint.h>

#include <memolith/status.h>

typedef struct memo_top_keys {
    size_t k, n;
    int64_t *keys;  /* [k] */
    double *values; /* [k] a heap: the least is first */
} memo_top_keys;

memo_status memo_top_keys_init(memo_top_keys *top, size_t k, memo_err *err);
void memo_top_keys_fini(memo_top_keys *top); /* a zeroed one is fine */
/* A value that is NaN is left out. Cost: a comparison when it is below the floor, else O(k). */
void memo_top_keys_offer(memo_top_keys *top, int64_t key, double value);
/* Whatever is below it is not among the k best: minus infinity until there are k keys. */
double memo_top_keys_floor(const memo_top_keys *top);

#endif
