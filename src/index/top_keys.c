// SPDX-License-Identifier: Apache-2.0
#include "index/top_keys.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

memo_status memo_top_keys_init(memo_top_keys *top, size_t k, memo_err *err)
{
    *top = (memo_top_keys){.k = k,
                           .keys = memo_reallocarray(NULL, k, sizeof *top->keys),
                           .values = memo_reallocarray(NULL, k, sizeof *top->values)};
    if (top->keys && top->values)
        return MEMO_OK;
    memo_top_keys_fini(top);
    return memo_fail_nomem(err, "the best of a search", k * sizeof *top->keys);
}

void memo_top_keys_fini(memo_top_keys *top)
{
    memo_free(top->keys);
    memo_free(top->values);
    memset(top, 0, sizeof *top);
}

double memo_top_keys_floor(const memo_top_keys *top)
{
    return top->n < top->k || !top->k ? -INFINITY : top->values[0];
}

static void top_keys_put(memo_top_keys *top, size_t at, int64_t key, double value)
{
    top->keys[at] = key;
    top->values[at] = value;
}

static void top_keys_sift_up(memo_top_keys *top, size_t at, int64_t key, double value)
{
    while (at > 0 && top->values[(at - 1) / 2] > value) {
        top_keys_put(top, at, top->keys[(at - 1) / 2], top->values[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    top_keys_put(top, at, key, value);
}

static void top_keys_sift_down(memo_top_keys *top, size_t at, int64_t key, double value)
{
    for (size_t child; (child = 2 * at + 1) < top->n; at = child) {
        if (child + 1 < top->n && top->values[child + 1] < top->values[child])
            child++;
        if (top->values[child] >= value)
            break;
        top_keys_put(top, at, top->keys[child], top->values[child]);
    }
    top_keys_put(top, at, key, value);
}

/* Where the key is, or n. */
static size_t top_keys_find(const memo_top_keys *top, int64_t key)
{
    size_t at = 0;
    while (at < top->n && top->keys[at] != key)
        at++;
    return at;
}

void memo_top_keys_offer(memo_top_keys *top, int64_t key, double value)
{
    size_t at;

    if (!(value > memo_top_keys_floor(top)))
        return;
    at = top_keys_find(top, key);
    if (at < top->n) {
        if (value > top->values[at])
            top_keys_sift_down(top, at, key, value);
    } else if (top->n < top->k) {
        top_keys_sift_up(top, top->n++, key, value);
    } else {
        top_keys_sift_down(top, 0, key, value);
    }
}
