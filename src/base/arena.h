// SPDX-License-Identifier: Apache-2.0
/* base/arena.h -- many small blocks that live and die together.
 *
 * Results (hits, records, token lists) are built in one and freed in one. Blocks are 16-byte
 * aligned. Not for scratch of kernels: that is planned and allocated once. */
#ifndef MEMO_BASE_ARENA_H
#define MEMO_BASE_ARENA_H

#include <stddef.h>

typedef struct memo_arena_block memo_arena_block;

typedef struct memo_arena {
    memo_arena_block *blocks;
    size_t used, cap; /* of the newest block */
} memo_arena;

void memo_arena_fini(memo_arena *arena);                   /* a zeroed arena is an empty one */
void *memo_arena_alloc(memo_arena *arena, size_t n_bytes); /* zeroed; NULL when out of memory */
void *memo_arena_array(memo_arena *arena, size_t n, size_t item_bytes); /* zeroed, checked */
char *memo_arena_strdup(memo_arena *arena, const char *s);
char *memo_arena_strndup(memo_arena *arena, const char *s, size_t n_bytes);

#endif
