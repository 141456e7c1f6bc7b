// SPDX-License-Identifier: Apache-2.0
#include "memo_test.h"

#include <math.h>

#include "base/rng.h"
#include "quant/half.h"
#include "quant/pack.h"

/* The layout as kernels.h states it, element by element. */
static void test_pack_places_every_element(void **state)
{
    static const size_t n_ins[] = {1, 15, 63, 64, 65, 100};
    memo_rng rng;

    (void)state;
    memo_rng_init(&rng, 1);
    for (size_t c = 0; c < sizeof n_ins / sizeof *n_ins; c++)
        for (size_t n_rows = 1; n_rows <= 16; n_rows++) {
            size_t n_in = n_ins[c], n = memo_pack_panel_values(n_in);
            float rows[16 * 100], panel[16 * 128], back[16 * 100];
            assert_int_equal(n, (n_in + 63) / 64 * 64 * 16);
            for (size_t i = 0; i < n_rows * n_in; i++)
                rows[i] = (float)memo_rng_normal(&rng);
            rows[0] = -0.0f;
            memset(panel, 0xFF, sizeof panel);
            memo_pack_f32(n_rows, n_in, rows, panel);
            for (size_t i = 0; i < n; i++) {
                size_t in = i / 16, out = i % 16;
                float want = in < n_in && out < n_rows ? rows[out * n_in + in] : 0;
                assert_memory_equal(&panel[i], &want, sizeof want);
            }
            memo_unpack_f32(n_rows, n_in, panel, back);
            assert_memory_equal(back, rows, n_rows * n_in * sizeof *rows);
        }
    assert_int_equal(memo_pack_n_panels(1), 1);
    assert_int_equal(memo_pack_n_panels(16), 1);
    assert_int_equal(memo_pack_n_panels(17), 2);
}

static void test_pack_places_every_byte(void **state)
{
    static const size_t n_ins[] = {1, 3, 4, 63, 64, 65, 100};
    memo_rng rng;

    (void)state;
    memo_rng_init(&rng, 2);
    for (size_t c = 0; c < sizeof n_ins / sizeof *n_ins; c++)
        for (size_t n_rows = 1; n_rows <= 16; n_rows++) {
            size_t n_in = n_ins[c], n = memo_pack_panel_values(n_in);
            int8_t rows[16 * 100], panel[16 * 128], back[16 * 100];
            for (size_t i = 0; i < n_rows * n_in; i++)
                rows[i] = (int8_t)((int)memo_rng_below(&rng, 255) - 127);
            memset(panel, 0x55, sizeof panel);
            memo_pack_int8(n_rows, n_in, rows, panel);
            for (size_t i = 0; i < n; i++) { /* [n_in_pad / 4][16][4] */
                size_t in = i / 64 * 4 + i % 4, out = i / 4 % 16;
                assert_int_equal(panel[i], in < n_in && out < n_rows ? rows[out * n_in + in] : 0);
            }
            memo_unpack_int8(n_rows, n_in, panel, back);
            assert_memory_equal(back, rows, n_rows * n_in);
        }
}

/* All 65,536 patterns against the definition of binary16. */
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pack_places_every_element),
        cmocka_unit_test(test_pack_places_every_byte),
        cmocka_unit_test(test_half_converts_every_f16),
        cmocka_unit_test(test_half_converts_bf16),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
