// SPDX-License-Identifier: Apache-2.0
/* Sources: Blackman and Vigna, "Scrambled linear pseudorandom number generators" (2021), for
 * xoshiro256**; Steele, Lea and Flood (2014) for splitmix64; Lemire (2019) for the unbiased range;
 * Marsaglia's polar method for the normal. */
#include "base/rng.h"

#include <errno.h>
#include <math.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/error.h"

static uint64_t splitmix64_next(uint64_t *state)
{
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static uint64_t rng_rotl(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

void memo_rng_init(memo_rng *rng, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        rng->s[i] = splitmix64_next(&seed);
}

uint64_t memo_rng_u64(memo_rng *rng)
{
    uint64_t *s = rng->s;
    uint64_t result = rng_rotl(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rng_rotl(s[3], 45);
    return result;
}

uint64_t memo_rng_below(memo_rng *rng, uint64_t n)
{
    /* Numbers below 2^64 mod n would make the small remainders more likely: draw again. */
    uint64_t floor = (0 - n) % n, x;
    do
        x = memo_rng_u64(rng);
    while (x < floor);
    return x % n;
}

double memo_rng_unit(memo_rng *rng)
{
    return (double)(memo_rng_u64(rng) >> 11) * 0x1p-53;
}

/* ln(x) for normal x in (0, 1], about 2 ulp: libm's log differs between systems and the sequence
 * must not. x = m 2^e with m in [1/sqrt 2, sqrt 2); ln m = 2 atanh(z), z = (m - 1) / (m + 1), so
 * z^2 < 0.0295 and the terms after z^21 are below 2^-56. */
static double rng_log(double x)
{
    int e;
    double m = frexp(x, &e);
    if (m < 0x1.6a09e667f3bcdp-1) {
        m *= 2;
        e--;
    }
    double z = (m - 1) / (m + 1), z2 = z * z, sum = 0;
    for (int k = 21; k >= 1; k -= 2)
        sum = sum * z2 + 1.0 / k;
    return 2 * z * sum + e * 0x1.62e42fefa39efp-1;
}

double memo_rng_normal(memo_rng *rng)
{
    double u, v, s;
    do {
        u = 2 * memo_rng_unit(rng) - 1;
        v = 2 * memo_rng_unit(rng) - 1;
        s = u * u + v * v;
    } while (s >= 1 || s < 0x1p-100);
    return u * sqrt(-2 * rng_log(s) / s);
}

memo_status memo_random_bytes(void *out, size_t n_bytes, memo_err *err)
{
    unsigned char *at = out;
    while (n_bytes > 0) {
        size_t n = n_bytes < 256 ? n_bytes : 256; /* the most getentropy() gives at once */
        if (getentropy(at, n) != 0)
            return memo_fail_errno(err, errno, "random generator", "read");
        at += n;
        n_bytes -= n;
    }
    return MEMO_OK;
}
