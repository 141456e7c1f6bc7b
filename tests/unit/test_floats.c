// SPDX-License-Identifier: Apache-2.0
/* What is told of floats by their bits agrees with what arithmetic says, for every exponent. */
#include "memo_test.h"

#include <math.h>

#include "base/floats.h"

enum { LONGEST = 5 };

static float float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* Each pattern of sign, exponent and leading bits, with and without low bits, at each place of vectors
 * of each length, among zeros and among ones. */
static void test_floats_have_direction(void **state)
{
    static const uint32_t lows[] = {0, 1, 0xffff};
    size_t n_checked = 0;
    (void)state;
    for (uint32_t high = 0; high < 0x10000; high++)
        for (size_t k = 0; k < 3 * LONGEST * LONGEST * 2; k++) {
            float v[LONGEST];
            float x = float_of(high << 16 | lows[k % 3]), other = (float)(k / 3 % 2);
            size_t n = 1 + k / 6 % LONGEST, at = k / 6 / LONGEST;
            int any = 0, finite = 1;
            for (size_t i = 0; i < n; i++)
                v[i] = i == at ? x : other;
            for (size_t i = 0; i < n; i++) {
                any |= v[i] != 0;
                finite &= isfinite(v[i]) != 0;
            }
            if (memo_floats_have_direction(v, n) != (any && finite))
                fail_msg("0x%08x at %zu of %zu", high << 16 | lows[k % 3], at, n);
            n_checked++;
        }
    assert_int_equal(n_checked, 0x10000 * 3 * LONGEST * LONGEST * 2);
    assert_false(memo_floats_have_direction(NULL, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_floats_have_direction)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
