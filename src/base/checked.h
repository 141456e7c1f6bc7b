// SPDX-License-Identifier: Apache-2.0
/* base/checked.h -- arithmetic that says when it overflows. Each returns 1 and writes *out when the
 * result fits, else returns 0 and leaves *out. For every size that comes from a file or a caller. */
#ifndef MEMO_BASE_CHECKED_H
#define MEMO_BASE_CHECKED_H

#include <stddef.h>
#include <stdint.h>

static inline int memo_add_size(size_t a, size_t b, size_t *out)
{
    if (a > SIZE_MAX - b)
        return 0;
    *out = a + b;
    return 1;
}

static inline int memo_mul_size(size_t a, size_t b, size_t *out)
{
    if (b && a > SIZE_MAX / b)
        return 0;
    *out = a * b;
    return 1;
}

static inline int memo_add_u64(uint64_t a, uint64_t b, uint64_t *out)
{
    if (a > UINT64_MAX - b)
        return 0;
    *out = a + b;
    return 1;
}

static inline int memo_mul_u64(uint64_t a, uint64_t b, uint64_t *out)
{
    if (b && a > UINT64_MAX / b)
        return 0;
    *out = a * b;
    return 1;
}

/* n rounded up to a multiple of a power of two; n must leave room (n <= SIZE_MAX - align). */
static inline size_t memo_round_up(size_t n, size_t align)
{
    return (n + align - 1) & ~(align - 1);
}

#endif
