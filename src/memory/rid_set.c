// SPDX-License-Identifier: Apache-2.0
#include "memory/rid_set.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

void memo_rid_set_fini(memo_rid_set *set)
{
    memo_free(set->rids);
    memo_free(set->bits);
    memset(set, 0, sizeof *set);
}

int memo_rid_set_add(void *user, int64_t rid)
{
    memo_rid_set *set = user;
    if (set->n == set->cap) {
        size_t cap = set->cap ? 2 * set->cap : 64;
        int64_t *grown = memo_reallocarray(set->rids, cap, sizeof *grown);
        if (!grown) {
            set->failed = 1;
            return 1;
        }
        set->rids = grown;
        set->cap = cap;
    }
    set->least = set->n == 0 || rid < set->least ? rid : set->least;
    set->greatest = set->n == 0 || rid > set->greatest ? rid : set->greatest;
    set->rids[set->n++] = rid;
    return 0;
}

static int rid_compare(const void *pa, const void *pb)
{
    int64_t a = *(const int64_t *)pa, b = *(const int64_t *)pb;
    return (a > b) - (a < b);
}

static void rid_set_sort(memo_rid_set *set)
{
    size_t n = 0;
    qsort(set->rids, set->n, sizeof *set->rids, rid_compare);
    for (size_t i = 0; i < set->n; i++)
        if (n == 0 || set->rids[i] != set->rids[n - 1])
            set->rids[n++] = set->rids[i];
    set->n = n;
}

memo_status memo_rid_set_seal(memo_rid_set *set, memo_err *err)
{
    uint64_t span = (uint64_t)set->greatest - (uint64_t)set->least;

    if (set->failed)
        return memo_fail_nomem(err, "a set of records", set->cap * sizeof *set->rids);
    if (set->n == 0)
        return MEMO_OK;
    if (span / 64 > 4 * (uint64_t)set->n + 1024) { /* at most four words an id */
        rid_set_sort(set);
        return MEMO_OK;
    }
    set->bits = memo_calloc((size_t)(span / 64 + 1), sizeof *set->bits);
    if (!set->bits)
        return memo_fail_nomem(err, "a set of records", span / 8);
    for (size_t i = 0; i < set->n; i++) {
        uint64_t at = (uint64_t)set->rids[i] - (uint64_t)set->least;
        set->bits[at / 64] |= UINT64_C(1) << (at % 64);
    }
    return MEMO_OK;
}

int memo_rid_set_search(const memo_rid_set *set, int64_t rid)
{
    return bsearch(&rid, set->rids, set->n, sizeof *set->rids, rid_compare) != NULL;
}
