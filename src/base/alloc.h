// SPDX-License-Identifier: Apache-2.0
/* base/alloc.h -- the only way to memory: the hook of memo_set_allocator(), with failure injection.
 *
 * Every block in memolith comes from here, so that one counter can make allocation number N fail.
 * No function of this header sets an error; the caller says what could not be allocated. */
#ifndef MEMO_BASE_ALLOC_H
#define MEMO_BASE_ALLOC_H

#include <stddef.h>
#include <stdint.h>

void *memo_malloc(size_t n_bytes);              /* n_bytes 0 gives a unique pointer */
void *memo_calloc(size_t n, size_t item_bytes); /* NULL when the product overflows */
void *memo_realloc(void *p, size_t n_bytes);
void *memo_reallocarray(void *p, size_t n, size_t item_bytes); /* overflow: NULL, p untouched */
void memo_free(void *p);
char *memo_strdup(const char *s);
char *memo_strndup(const char *s, size_t n_bytes); /* exactly n_bytes and a NUL */

/* Storage aligned to 64 bytes; free with memo_aligned_free() only. */
void *memo_aligned_alloc(size_t n_bytes);
void memo_aligned_free(void *p);

/* Failure injection for tests. The n-th allocation from now (from 1) fails; with `sticky` all later
 * ones too. n 0 turns it off. memo_alloc_count() is the number of allocations since the last call
 * of memo_alloc_fail_at(); memo_alloc_live() the blocks not freed. Any thread. */
void memo_alloc_fail_at(uint64_t n, int sticky);
uint64_t memo_alloc_count(void);
int64_t memo_alloc_live(void);

#endif
