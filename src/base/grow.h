// SPDX-License-Identifier: Apache-2.0
/* base/grow.h -- arrays of which it is not known how long they will be: they double. */
#ifndef MEMO_BASE_GROW_H
#define MEMO_BASE_GROW_H

#include "base/arena.h"

/* memo_grow() -- room for one more.
 *
 *   items  [n], from memo_reallocarray() or this; NULL with n 0
 *   cap    in and out: items there is room for
 *
 * Returns the array, here or elsewhere; NULL when memory is out, and `items` and *cap are as before. */
void *memo_grow(void *items, size_t n, size_t *cap, size_t item_bytes);

/* The same in an arena, where a smaller array before it stays until the arena goes. */
void *memo_arena_grow(memo_arena *arena, void *items, size_t n, size_t *cap, size_t item_bytes);

#endif
