// SPDX-License-Identifier: Apache-2.0
/* Blocks grow from 4 KiB by doubling up to 1 MiB; what is larger gets a block of its own size.
 *
 *   block: | next, cap | item | slack | item | slack | ... unused ... |
 *
 * Slack (up to 16 bytes, at least 16 under AddressSanitizer) and the unused rest are poisoned. */
#include "base/arena.h"

#include <stdint.h>
#include <string.h>

#include "base/alloc.h"
#include "base/checked.h"
#include "base/poison.h"

enum { ARENA_ALIGN = 16, ARENA_FIRST_BYTES = 4096, ARENA_MAX_BYTES = 1 << 20 };

struct memo_arena_block {
    _Alignas(ARENA_ALIGN) memo_arena_block *next;
    size_t cap; /* bytes after this head */
};

void memo_arena_fini(memo_arena *arena)
{
    for (memo_arena_block *block = arena->blocks; block;) {
        memo_arena_block *next = block->next;
        MEMO_UNPOISON(block + 1, block->cap);
        memo_free(block);
        block = next;
    }
    *arena = (memo_arena){0};
}

static int arena_add_block(memo_arena *arena, size_t need)
{
    size_t cap = arena->cap ? arena->cap * 2 : ARENA_FIRST_BYTES - sizeof(memo_arena_block);
    if (cap > ARENA_MAX_BYTES)
        cap = ARENA_MAX_BYTES;
    if (cap < need)
        cap = need;
    size_t n_bytes = 0;
    memo_arena_block *block =
        memo_add_size(sizeof *block, cap, &n_bytes) ? memo_malloc(n_bytes) : NULL;
    if (!block)
        return 0;
    *block = (memo_arena_block){.next = arena->blocks, .cap = cap};
    MEMO_POISON(block + 1, cap);
    arena->blocks = block;
    arena->used = 0;
    arena->cap = cap;
    return 1;
}

void *memo_arena_alloc(memo_arena *arena, size_t n_bytes)
{
    if (n_bytes > SIZE_MAX - ARENA_ALIGN - MEMO_RED_ZONE)
        return NULL;
    size_t step = memo_round_up((n_bytes ? n_bytes : 1) + MEMO_RED_ZONE, ARENA_ALIGN);
    if (step > arena->cap - arena->used && !arena_add_block(arena, step))
        return NULL;
    void *p = (char *)(arena->blocks + 1) + arena->used;
    arena->used += step;
    MEMO_UNPOISON(p, n_bytes);
    return n_bytes ? memset(p, 0, n_bytes) : p;
}

void *memo_arena_array(memo_arena *arena, size_t n, size_t item_bytes)
{
    size_t n_bytes = 0;
    return memo_mul_size(n, item_bytes, &n_bytes) ? memo_arena_alloc(arena, n_bytes) : NULL;
}

char *memo_arena_strdup(memo_arena *arena, const char *s)
{
    return memo_arena_strndup(arena, s, strlen(s));
}

char *memo_arena_strndup(memo_arena *arena, const char *s, size_t n_bytes)
{
    char *copy = n_bytes < SIZE_MAX ? memo_arena_alloc(arena, n_bytes + 1) : NULL;
    if (copy && n_bytes)
        memcpy(copy, s, n_bytes);
    return copy;
}
