// SPDX-License-Identifier: Apache-2.0
#include "memo_test.h"

#include "base/rng.h"
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

/* Elements of 16 bits, by the formulas of pack.h: two rows of 16, and pairs side by side. */
static void test_pack_places_every_half(void **state)
{
    static const size_t n_ins[] = {1, 2, 3, 63, 64, 65, 100};
    memo_rng rng;

    (void)state;
    memo_rng_init(&rng, 3);
    for (size_t c = 0; c < sizeof n_ins / sizeof *n_ins; c++)
        for (size_t n_rows = 1; n_rows <= 16; n_rows++) {
            size_t n_in = n_ins[c], n = memo_pack_panel_values(n_in);
            uint16_t rows[16 * 100], f16[16 * 128], bf16[16 * 128], back[16 * 100];
            for (size_t i = 0; i < n_rows * n_in; i++)
                rows[i] = (uint16_t)memo_rng_below(&rng, 65536);
            memset(f16, 0x55, sizeof f16);
            memset(bf16, 0x55, sizeof bf16);
            memo_pack_f16(n_rows, n_in, rows, f16);
            memo_pack_bf16(n_rows, n_in, rows, bf16);
            for (size_t in = 0; in < n / 16; in++)
                for (size_t out = 0; out < 16; out++) {
                    uint16_t want = in < n_in && out < n_rows ? rows[out * n_in + in] : 0;
                    assert_int_equal(f16[in / 2 * 32 + in % 2 * 16 + out], want);
                    assert_int_equal(bf16[in / 2 * 32 + out * 2 + in % 2], want);
                }
            memo_unpack_f16(n_rows, n_in, f16, back);
            assert_memory_equal(back, rows, n_rows * n_in * sizeof *rows);
            memset(back, 0, sizeof back);
            memo_unpack_bf16(n_rows, n_in, bf16, back);
            assert_memory_equal(back, rows, n_rows * n_in * sizeof *rows);
        }
}

/* Byte b of row i of the 4-bit panel holds byte b of rows 2i and 2i + 1 of the int8 panel of the same
 * values. */
static void test_pack_places_every_code(void **state)
{
    static const size_t n_ins[] = {1, 4, 5, 8, 63, 64, 65, 100};
    memo_rng rng;

    (void)state;
    memo_rng_init(&rng, 4);
    for (size_t c = 0; c < sizeof n_ins / sizeof *n_ins; c++)
        for (size_t n_rows = 1; n_rows <= 16; n_rows++) {
            size_t n_in = n_ins[c], n = memo_pack_panel_values(n_in);
            uint8_t rows[16 * 100], panel[16 * 64], back[16 * 100];
            int8_t bytes[16 * 128];
            for (size_t i = 0; i < n_rows * n_in; i++)
                rows[i] = (uint8_t)memo_rng_below(&rng, 16);
            memset(panel, 0xFF, sizeof panel);
            memo_pack_codes(n_rows, n_in, rows, panel);
            memo_pack_int8(n_rows, n_in, (const int8_t *)rows, bytes);
            for (size_t i = 0; i < n / 128; i++)
                for (size_t b = 0; b < 64; b++)
                    assert_int_equal(panel[i * 64 + b],
                                     bytes[2 * i * 64 + b] | bytes[(2 * i + 1) * 64 + b] << 4);
            memo_unpack_codes(n_rows, n_in, panel, back);
            assert_memory_equal(back, rows, n_rows * n_in);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pack_places_every_element),
        cmocka_unit_test(test_pack_places_every_byte),
        cmocka_unit_test(test_pack_places_every_half),
        cmocka_unit_test(test_pack_places_every_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
