// SPDX-License-Identifier: Apache-2.0
#include "base/grow.h"

#include <stdint.h>
#include <string.h>

#include "base/alloc.h"

enum { GROW_FIRST = 16 };

/* Zero: no such array can be. */
static size_t grow_to(size_t cap)
{
    if (cap == 0)
        return GROW_FIRST;
    return cap <= SIZE_MAX / 2 ? cap * 2 : 0;
}

void *memo_grow(void *items, size_t n, size_t *cap, size_t item_bytes)
{
    size_t wanted;
    void *grown;
    if (n < *cap)
        return items;
    wanted = grow_to(*cap);
    grown = wanted ? memo_reallocarray(items, wanted, item_bytes) : NULL;
    if (grown)
        *cap = wanted;
    return grown;
}

void *memo_arena_grow(memo_arena *arena, void *items, size_t n, size_t *cap, size_t item_bytes)
{
    size_t wanted;
    void *grown;
    if (n < *cap)
        return items;
    wanted = grow_to(*cap);
    grown = wanted ? memo_arena_array(arena, wanted, item_bytes) : NULL;
    if (grown && n)
        memcpy(grown, items, n * item_bytes);
    if (grown)
        *cap = wanted;
    return grown;
}
