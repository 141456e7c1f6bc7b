// SPDX-License-Identifier: Apache-2.0
/* base/rng.h -- seeded random numbers (xoshiro256**, seeded by splitmix64): the same sequence on
 * every machine. Not for secrets; memo_random_bytes() is. */
#ifndef MEMO_BASE_RNG_H
#define MEMO_BASE_RNG_H

#include <memolith/status.h>

typedef struct memo_rng {
    uint64_t s[4];
} memo_rng;

void memo_rng_init(memo_rng *rng, uint64_t seed);
uint64_t memo_rng_u64(memo_rng *rng);
uint64_t memo_rng_below(memo_rng *rng, uint64_t n); /* unbiased, n >= 1 */
double memo_rng_unit(memo_rng *rng);                /* [0, 1), 53 bits */
double memo_rng_normal(memo_rng *rng);              /* mean 0, variance 1 */

/* From the operating system's generator. */
memo_status memo_random_bytes(void *out, size_t n_bytes, memo_err *err);

#endif
