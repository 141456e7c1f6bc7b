// SPDX-License-Identifier: Apache-2.0
/* One pointer says which allocator is in force. It starts NULL and is set exactly once, by
 * memo_set_allocator() or by the first allocation, whichever comes first: from then on no block can
 * be freed by another allocator than the one that made it. */
#include "base/alloc.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/poison.h"

static void *libc_malloc(void *user, size_t n_bytes)
{
    (void)user;
    return malloc(n_bytes);
}

static void *libc_realloc(void *user, void *p, size_t n_bytes)
{
    (void)user;
    return realloc(p, n_bytes);
}

static void libc_free(void *user, void *p)
{
    (void)user;
    free(p);
}

static const memo_allocator libc_allocator = {libc_malloc, libc_realloc, libc_free, NULL};
static memo_allocator caller_allocator;
static atomic_int caller_allocator_claimed;
static _Atomic(const memo_allocator *) allocator_in_force;

static atomic_uint_fast64_t alloc_seen;
static atomic_uint_fast64_t alloc_fail_number;
static atomic_int alloc_fail_sticky;
static atomic_int_fast64_t alloc_live_blocks;

static const memo_allocator *allocator_now(void)
{
    const memo_allocator *now = atomic_load_explicit(&allocator_in_force, memory_order_acquire);
    if (now)
        return now;
    /* On failure another thread was first and `now` holds its choice. */
    if (atomic_compare_exchange_strong(&allocator_in_force, &now, &libc_allocator))
        return &libc_allocator;
    return now;
}

memo_status memo_set_allocator(const memo_allocator *allocator, memo_err *err)
{
    if (!allocator || !allocator->malloc || !allocator->realloc || !allocator->free)
        return memo_fail(err, MEMO_ERR_USAGE,
                         "the allocator needs all of malloc, realloc and free");
    const memo_allocator *none = NULL;
    if (!atomic_exchange(&caller_allocator_claimed, 1)) {
        caller_allocator = *allocator;
        if (atomic_compare_exchange_strong(&allocator_in_force, &none, &caller_allocator))
            return MEMO_OK;
    }
    return memo_fail(err, MEMO_ERR_USAGE,
                     "an allocator is already in use; set it once, before any other call");
}

/* Counts one allocation and says whether it is one that has to fail. */
static int alloc_must_fail(void)
{
    uint64_t number = atomic_fetch_add_explicit(&alloc_seen, 1, memory_order_relaxed) + 1;
    uint64_t fail = atomic_load_explicit(&alloc_fail_number, memory_order_relaxed);
    return fail && (number == fail || (number > fail && atomic_load(&alloc_fail_sticky)));
}

static void *alloc_count_block(void *p)
{
    if (p)
        atomic_fetch_add_explicit(&alloc_live_blocks, 1, memory_order_relaxed);
    return p;
}

void *memo_malloc(size_t n_bytes)
{
    /* In a larger block the difference of two pointers would overflow. */
    if (alloc_must_fail() || n_bytes > PTRDIFF_MAX)
        return NULL;
    const memo_allocator *a = allocator_now();
    return alloc_count_block(a->malloc(a->user, n_bytes ? n_bytes : 1));
}

void *memo_calloc(size_t n, size_t item_bytes)
{
    size_t n_bytes = 0;
    if (!memo_mul_size(n, item_bytes, &n_bytes))
        return NULL;
    if (allocator_now() == &libc_allocator) { /* calloc need not touch fresh pages */
        if (alloc_must_fail() || n_bytes > PTRDIFF_MAX)
            return NULL;
        return alloc_count_block(calloc(1, n_bytes ? n_bytes : 1));
    }
    void *p = memo_malloc(n_bytes);
    if (p)
        memset(p, 0, n_bytes);
    return p;
}

void *memo_realloc(void *p, size_t n_bytes)
{
    if (!p)
        return memo_malloc(n_bytes);
    if (alloc_must_fail() || n_bytes > PTRDIFF_MAX)
        return NULL;
    const memo_allocator *a = allocator_now();
    return a->realloc(a->user, p, n_bytes ? n_bytes : 1);
}

void *memo_reallocarray(void *p, size_t n, size_t item_bytes)
{
    size_t n_bytes = 0;
    if (!memo_mul_size(n, item_bytes, &n_bytes))
        return NULL;
    return memo_realloc(p, n_bytes);
}

void memo_free(void *p)
{
    if (!p)
        return;
    const memo_allocator *a = allocator_now();
    atomic_fetch_sub_explicit(&alloc_live_blocks, 1, memory_order_relaxed);
    a->free(a->user, p);
}

char *memo_strdup(const char *s)
{
    return memo_strndup(s, strlen(s));
}

char *memo_strndup(const char *s, size_t n_bytes)
{
    size_t with_nul = 0;
    char *copy = memo_add_size(n_bytes, 1, &with_nul) ? memo_malloc(with_nul) : NULL;
    if (!copy)
        return NULL;
    if (n_bytes)
        memcpy(copy, s, n_bytes);
    copy[n_bytes] = '\0';
    return copy;
}

/* Lies directly before an aligned block, so it is inside the block that the allocator gave. */
typedef struct aligned_head {
    void *raw;
    size_t raw_bytes;
} aligned_head;

enum { ALIGNED_TO = 64, ALIGNED_EXTRA = ALIGNED_TO + sizeof(aligned_head) };

void *memo_aligned_alloc(size_t n_bytes)
{
    size_t raw_bytes = 0;
    unsigned char *raw =
        memo_add_size(n_bytes, ALIGNED_EXTRA, &raw_bytes) ? memo_malloc(raw_bytes) : NULL;
    if (!raw)
        return NULL;
    uintptr_t first = (uintptr_t)raw + sizeof(aligned_head);
    unsigned char *p = raw + sizeof(aligned_head) + (ALIGNED_TO - first % ALIGNED_TO) % ALIGNED_TO;
    memcpy(p - sizeof(aligned_head), &(aligned_head){raw, raw_bytes}, sizeof(aligned_head));
    MEMO_POISON(p + n_bytes, (size_t)(raw + raw_bytes - (p + n_bytes)));
    return p;
}

void memo_aligned_free(void *p)
{
    if (!p)
        return;
    aligned_head head;
    memcpy(&head, (unsigned char *)p - sizeof head, sizeof head);
    MEMO_UNPOISON(head.raw, head.raw_bytes);
    memo_free(head.raw);
}

void memo_alloc_fail_at(uint64_t n, int sticky)
{
    atomic_store(&alloc_fail_sticky, sticky);
    atomic_store(&alloc_seen, 0);
    atomic_store(&alloc_fail_number, n);
}

uint64_t memo_alloc_count(void)
{
    return atomic_load(&alloc_seen);
}

int64_t memo_alloc_live(void)
{
    return atomic_load(&alloc_live_blocks);
}
