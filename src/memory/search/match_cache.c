// SPDX-License-Identifier: Apache-2.0
#include "memory/search/match_cache.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

static void match_drop(memo_match_cache *cache, size_t i)
{
    memo_free(cache->items[i].key);
    memo_rid_set_fini(&cache->items[i].rids);
    memset(&cache->items[i], 0, sizeof cache->items[i]);
}

void memo_match_cache_fini(memo_match_cache *cache)
{
    for (size_t i = 0; i < MEMO_MATCH_CACHE_ITEMS; i++)
        match_drop(cache, i);
    memset(cache, 0, sizeof *cache);
}

/* All that decides which records pass, each part with its length. */
static void match_write_key(memo_buf *key, const memo_store_scope *scope)
{
    size_t n = 0;
    const memo_filter_param *params = memo_filter_params(scope->filter, &n);

    memo_buf_append(key, &scope->ns, sizeof scope->ns);
    memo_buf_puts(key, memo_filter_sql(scope->filter));
    memo_buf_putc(key, '\0');
    for (size_t i = 0; i < n; i++) {
        uint64_t n_text =
            params[i].kind == MEMO_FILTER_PARAM_INT ? UINT64_MAX : params[i].text.n_bytes;
        memo_buf_append(key, &n_text, sizeof n_text);
        if (params[i].kind == MEMO_FILTER_PARAM_INT)
            memo_buf_append(key, &params[i].integer, sizeof params[i].integer);
        else
            memo_buf_append(key, params[i].text.bytes, params[i].text.n_bytes);
    }
}

/* The item with this key, else the one that was used least lately, emptied. */
static size_t match_find(memo_match_cache *cache, const memo_buf *key)
{
    size_t oldest = 0;

    for (size_t i = 0; i < MEMO_MATCH_CACHE_ITEMS; i++) {
        if (cache->items[i].key && cache->items[i].n_key == key->n &&
            memcmp(cache->items[i].key, key->data, key->n) == 0)
            return i;
        if (cache->items[i].used < cache->items[oldest].used)
            oldest = i;
    }
    match_drop(cache, oldest);
    return oldest;
}

static memo_status match_fill(memo_match_cache *cache, size_t i, memo_store *store,
                              const memo_store_scope *scope, memo_buf *key, memo_err *err)
{
    const memo_store_scope always = {.ns = scope->ns, .filter = scope->filter};
    memo_rid_set *rids = &cache->items[i].rids;
    memo_status status = memo_store_each_match(store, &always, memo_rid_set_add, rids, err);

    if (!status)
        status = memo_rid_set_seal(rids, err);
    if (status) {
        match_drop(cache, i);
        return status;
    }
    cache->items[i].n_key = key->n;
    cache->items[i].key = memo_buf_take(key);
    return MEMO_OK;
}

memo_status memo_match_cache_get(memo_match_cache *cache, memo_store *store,
                                 const memo_store_scope *scope, int64_t n_commits,
                                 const memo_rid_set **rids, memo_err *err)
{
    memo_buf key = {0};
    memo_status status = MEMO_OK;
    size_t i;

    if (cache->n_commits != n_commits)
        memo_match_cache_fini(cache);
    cache->n_commits = n_commits;
    match_write_key(&key, scope);
    if (key.failed) {
        memo_buf_fini(&key);
        return memo_fail_nomem(err, "a filter", key.n);
    }
    i = match_find(cache, &key);
    if (!cache->items[i].key)
        status = match_fill(cache, i, store, scope, &key, err);
    memo_buf_fini(&key);
    if (status)
        return status;
    cache->items[i].used = ++cache->n_uses;
    *rids = &cache->items[i].rids;
    return MEMO_OK;
}
