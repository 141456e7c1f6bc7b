// SPDX-License-Identifier: Apache-2.0
/* The 16-bit formats against their definition in double arithmetic. MEMO_EVERY_FLOAT=1 in the
 * environment runs all 2^32 floats, about five minutes. */
#include "memo_test.h"

#include <math.h>

#include "base/rng.h"
#include "quant/half.h"

static float float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* A format of the given fraction bits and exponents: x to the nearest multiple of its step, ties to
 * even, then infinity from the first value that has no room. All steps are exact in double. */
static double nearest_in_format(double x, int fraction_bits, int least_exponent, int most_exponent)
{
    if (x == 0 || !isfinite(x))
        return x;
    int exponent = ilogb(x) > least_exponent ? ilogb(x) : least_exponent;
    double rounded = ldexp(rint(ldexp(x, fraction_bits - exponent)), exponent - fraction_bits);
    return fabs(rounded) >= ldexp(1, most_exponent + 1) ? copysign(INFINITY, x) : rounded;
}

/* Both formats for one float. */
static void check_float(uint32_t bits)
{
    float x = float_of(bits);
    uint16_t f16 = memo_f16_from_f32(x), bf16 = memo_bf16_from_f32(x);

    if (isnan(x)) { /* quiet, the sign and the upper payload kept */
        uint32_t payload = bits & 0x7FFFFF;
        if (f16 != ((bits >> 31) << 15 | 0x7E00 | payload >> 13) ||
            bf16 != ((bits >> 31) << 15 | 0x7FC0 | payload >> 16))
            fail_msg("NaN %08x becomes %04x and %04x", bits, f16, bf16);
        return;
    }
    double f16_wanted = nearest_in_format((double)x, 10, -14, 15);
    double bf16_wanted = nearest_in_format((double)x, 7, -126, 127);
    if ((double)memo_f16_to_f32(f16) != f16_wanted || f16 >> 15 != bits >> 31)
        fail_msg("%08x becomes f16 %04x, not %a", bits, f16, f16_wanted);
    if ((double)memo_bf16_to_f32(bf16) != bf16_wanted || bf16 >> 15 != bits >> 31)
        fail_msg("%08x becomes bf16 %04x, not %a", bits, bf16, bf16_wanted);
}

/* Every exponent, both signs, with fractions around every border: all runs of ones and zeros, their
 * neighbours and halves, and many random ones. */
static void test_half_rounds_to_nearest_even(void **state)
{
    memo_rng rng;

    (void)state;
    memo_rng_init(&rng, 5);
    for (uint32_t top = 0; top < 512; top++) { /* sign and exponent */
        uint32_t base = top << 23;
        for (uint32_t low = 0; low < 24; low++)
            for (uint32_t high = low; high < 24; high++)
                for (int near = -1; near <= 1; near++)
                    check_float(base | (((1u << high) - (1u << low) + (uint32_t)near) & 0x7FFFFF));
        for (int i = 0; i < 2000; i++)
            check_float(base | (uint32_t)memo_rng_below(&rng, 1u << 23));
    }
}

static void test_half_rounds_every_float(void **state)
{
    (void)state;
    if (!getenv("MEMO_EVERY_FLOAT"))
        memo_test_skip("all 2^32 floats take minutes; MEMO_EVERY_FLOAT=1 runs them");
    for (uint32_t bits = 0;; bits++) {
        check_float(bits);
        if (bits == UINT32_MAX)
            break;
    }
}

/* All 65,536 patterns against the definition of binary16, and back. */
static void test_half_converts_every_f16(void **state)
{
    (void)state;
    for (uint32_t bits = 0; bits < 65536; bits++) {
        int exponent = (int)(bits >> 10 & 31), negative = bits >> 15 != 0;
        double fraction = bits & 1023, want;
        if (exponent == 31)
            want = fraction != 0 ? NAN : INFINITY;
        else if (exponent == 0)
            want = ldexp(fraction, -24);
        else
            want = ldexp(1024 + fraction, exponent - 25);
        float got = memo_f16_to_f32((uint16_t)bits);
        if (isnan(want))
            assert_true(isnan(got));
        else
            assert_true((double)got == (negative ? -want : want));
        assert_int_equal(signbit(got) != 0, negative);
        if (!isnan(got))
            assert_int_equal(memo_f16_from_f32(got), bits);
    }
}

static void test_half_converts_bf16(void **state)
{
    (void)state;
    assert_true(memo_bf16_to_f32(0x3F80) == 1.0f);
    assert_true(memo_bf16_to_f32(0xC049) == -3.140625f);
    assert_true(memo_bf16_to_f32(0x0001) == 0x1p-133f);
    assert_true(isinf(memo_bf16_to_f32(0x7F80)));
    assert_true(isnan(memo_bf16_to_f32(0x7FC0)));
}

/* The index of the first value without a finite counterpart; the others are converted all the same. */
static void test_half_rows_name_what_does_not_fit(void **state)
{
    float x[5] = {1, -65504, 65519.996f, 0x1.fep127f, 3}, y[5];
    uint16_t bits[5];

    (void)state;
    assert_int_equal(memo_f16_from_row(3, x, bits), 3);
    assert_int_equal(memo_f16_from_row(5, x, bits), 3);
    assert_int_equal(bits[4], 0x4200);
    assert_int_equal(memo_bf16_from_row(5, x, bits), 5);
    memo_bf16_to_row(5, bits, y);
    assert_true(y[3] == x[3] && y[1] == -65536.0f);
    x[3] = 0x1.ffp127f; /* a tie that goes up, out of the format */
    assert_int_equal(memo_bf16_from_row(5, x, bits), 3);
    x[3] = 0x1.fefffep127f;
    assert_int_equal(memo_bf16_from_row(5, x, bits), 5);
    x[1] = -65520;
    assert_int_equal(memo_f16_from_row(5, x, bits), 1);
    x[1] = NAN;
    x[4] = INFINITY;
    assert_int_equal(memo_f16_from_row(5, x, bits), 1);
    assert_int_equal(memo_bf16_from_row(5, x, bits), 1);
    assert_int_equal(memo_bf16_from_row(3, x + 2, bits), 2);
    memo_f16_from_row(1, x, bits);
    memo_f16_to_row(1, bits, y);
    assert_true(y[0] == 1.0f);
    assert_int_equal(memo_f16_from_row(0, x, bits), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_half_rounds_to_nearest_even),
        cmocka_unit_test(test_half_rounds_every_float),
        cmocka_unit_test(test_half_converts_every_f16),
        cmocka_unit_test(test_half_converts_bf16),
        cmocka_unit_test(test_half_rows_name_what_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
