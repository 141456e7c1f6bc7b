// SPDX-License-Identifier: Apache-2.0
/* base/floats.h -- what can be told of floats by their bits, two at a time. */
#ifndef MEMO_BASE_FLOATS_H
#define MEMO_BASE_FLOATS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Whether all of v [n] are finite and one of them is not 0: a vector with a direction.
 *
 * Without their signs, infinity and what is beyond it are 0x7f800000 and more: adding 0x00800000 sets
 * the top bit of those alone, and carries into no neighbour. */
static inline int memo_floats_have_direction(const float *v, size_t n)
{
    const uint64_t unsign = UINT64_C(0x7fffffff7fffffff), lift = UINT64_C(0x0080000000800000);
    uint64_t lifted = 0, any = 0, two;
    for (size_t i = 0; i + 2 <= n; i += 2) {
        memcpy(&two, v + i, sizeof two);
        any |= two & unsign;
        lifted |= (two & unsign) + lift;
    }
    if (n % 2) {
        two = 0;
        memcpy(&two, v + n - 1, sizeof *v);
        any |= two & unsign;
        lifted |= (two & unsign) + lift;
    }
    return any != 0 && (lifted & ~unsign) == 0;
}

#endif
