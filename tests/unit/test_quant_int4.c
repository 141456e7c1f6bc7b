// SPDX-License-Identifier: Apache-2.0
#include "quant_util.h"

#include "quant/int4.h"
#include "quant/int8.h"

#define LONGEST 400

typedef struct int4_result {
    uint8_t codes[LONGEST], multipliers[16];
    int8_t q[LONGEST];
    float scale;
} int4_result;

static int quantize(size_t n, size_t block, const float *x, const float *importance,
                    int4_result *out)
{
    memo_int4_row row = {.codes = out->codes, .multipliers = out->multipliers};
    int ok = memo_int4_quantize_row(n, block, x, importance, &row);

    out->scale = row.scale;
    if (ok)
        memo_int4_expand_row(n, block, out->codes, out->multipliers, out->q);
    return ok;
}

static void test_int4_expands_by_definition(void **state)
{
    uint8_t codes[128], multipliers[4] = {1, 15, 7, 2};
    int8_t q[128];

    (void)state;
    for (int i = 0; i < 128; i++)
        codes[i] = (uint8_t)(i % 16);
    memo_int4_expand_row(128, 32, codes, multipliers, q);
    for (int i = 0; i < 128; i++)
        assert_int_equal(q[i], (i % 16 < 8 ? i % 16 : i % 16 - 16) * multipliers[i / 32]);
    assert_int_equal(q[32 + 8], -120);
    assert_int_equal(q[32 + 7], 105);
}

static void test_int4_counts_blocks(void **state)
{
    (void)state;
    assert_int_equal(memo_int4_n_blocks(1, 32), 2); /* 64 padded inputs */
    assert_int_equal(memo_int4_n_blocks(64, 32), 2);
    assert_int_equal(memo_int4_n_blocks(65, 64), 2);
    assert_int_equal(memo_int4_n_blocks(384, 32), 12);
    assert_int_equal(memo_int4_n_blocks(160, 128), 2); /* 192 */
}

/* Codes and multipliers in their ranges, padding defined, nothing beyond. */
static void test_int4_fills_every_field(void **state)
{
    static const size_t ns[] = {1, 20, 32, 33, 64, 100, 384};
    float x[LONGEST];
    memo_rng rng;

    (void)state;
    memo_rng_init(&rng, 1);
    for (size_t c = 0; c < sizeof ns / sizeof *ns; c++)
        for (size_t block = 32; block <= 128; block *= 2) {
            int4_result r;
            size_t n = ns[c], n_blocks = memo_int4_n_blocks(n, block);
            memset(&r, 0xEE, sizeof r);
            quant_fill(&rng, (int)(c % 3), n, x);
            assert_int_equal(quantize(n, block, x, NULL, &r), 1);
            assert_true(r.scale > 0);
            for (size_t b = 0; b < n_blocks; b++)
                assert_in_range(r.multipliers[b], 1, b * block < n ? 15 : 1);
            assert_int_equal(r.multipliers[n_blocks], 0xEE);
            for (size_t i = 0; i < n; i++)
                assert_in_range(r.codes[i], 0, 15);
            assert_int_equal(r.codes[n], 0xEE);
        }
}

/* The least cost over very many scales, all multipliers each, nibbles rounded. */
static double least_cost(size_t n, size_t block, const float *x, const float *importance)
{
    double least = HUGE_VAL, largest = 0;

    for (size_t i = 0; i < n; i++)
        largest = fmax(largest, fabs((double)x[i]));
    for (int k = 0; k < 1500; k++) {
        double scale = largest / 50 * pow(0.25, k / 1500.0), cost = 0;
        for (size_t b = 0; b < n; b += block) {
            double best = HUGE_VAL;
            for (int m = 1; m <= 15; m++) {
                double sum = 0;
                for (size_t i = b; i < n && i < b + block; i++) {
                    double step = scale * m, q = fmax(-8, fmin(7, rint((double)x[i] / step)));
                    double error = (double)x[i] - step * q;
                    sum += (importance ? (double)importance[i] : 1) * error * error;
                }
                best = fmin(best, sum);
            }
            cost += best;
        }
        least = fmin(least, cost);
    }
    return least;
}

/* Within 3 % of the best of 1,500 scales with all their multipliers. */
static void test_int4_search_is_near_the_best(void **state)
{
    float x[256], importance[256];
    memo_rng rng;

    (void)state;
    memo_rng_init(&rng, 2);
    for (int c = 0; c < 18; c++) {
        size_t block = (size_t)32 << c % 3, n = 256 - (size_t)c;
        const float *weights = c % 2 ? importance : NULL;
        int4_result r;
        quant_fill(&rng, c / 3 % 3, n, x);
        quant_fill_importance(&rng, n, importance);
        assert_int_equal(quantize(n, block, x, weights, &r), 1);
        double cost = quant_cost(n, x, weights, r.q, (double)r.scale);
        double least = least_cost(n, block, x, weights);
        if (cost > 1.03 * least)
            fail_msg("block %zu, kind %d, weights %d: cost %g, the best %g", block, c / 3 % 3,
                     weights != NULL, cost, least);
    }
}

/* Rows that the class holds exactly, with a code and a multiplier at each end, come back. */
static void test_int4_keeps_what_it_can_hold(void **state)
{
    memo_rng rng;

    (void)state;
    memo_rng_init(&rng, 3);
    for (int c = 0; c < 50; c++) {
        uint8_t codes[128], multipliers[4] = {15, 11, 13, 12};
        int8_t q[128];
        float x[128];
        int4_result r;
        for (int i = 0; i < 128; i++)
            codes[i] = (uint8_t)(i % 32 ? memo_rng_below(&rng, 16) : 8);
        memo_int4_expand_row(128, 32, codes, multipliers, q);
        memo_int8_dequantize_row(128, q, 0.001f, x);
        assert_int_equal(quantize(128, 32, x, NULL, &r), 1);
        assert_memory_equal(r.codes, codes, sizeof codes);
        assert_memory_equal(r.multipliers, multipliers, sizeof multipliers);
        assert_true(fabs((double)r.scale - 0.001) < 1e-9);
    }
}

/* Inputs that do not matter do not stretch the steps of those that do. */
static void test_int4_heeds_importance(void **state)
{
    float x[128], importance[128];
    int4_result plain, heeded;
    memo_rng rng;

    (void)state;
    memo_rng_init(&rng, 4);
    quant_fill(&rng, 0, 128, x);
    for (int i = 0; i < 128; i++)
        importance[i] = i % 32 ? 1 : 0;
    for (int i = 0; i < 128; i += 32)
        x[i] = 0.3f;
    assert_int_equal(quantize(128, 32, x, NULL, &plain), 1);
    assert_int_equal(quantize(128, 32, x, importance, &heeded), 1);
    assert_true(quant_cost(128, x, importance, heeded.q, (double)heeded.scale) <
                quant_cost(128, x, importance, plain.q, (double)plain.scale) / 1.5);
}

static int quantize_64(size_t n, const float *x)
{
    int4_result r;
    return quantize(n, 32, x, NULL, &r);
}

static void test_int4_refuses_what_has_no_scale(void **state)
{
    float zeros[64] = {0};
    int4_result r;

    (void)state;
    quant_check_refusals(quantize_64);
    assert_int_equal(quantize(64, 32, zeros, NULL, &r), 1);
    assert_true(r.scale == 0 && r.q[0] == 0 && r.q[63] == 0 && r.multipliers[1] == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_int4_expands_by_definition),
        cmocka_unit_test(test_int4_counts_blocks),
        cmocka_unit_test(test_int4_fills_every_field),
        cmocka_unit_test(test_int4_search_is_near_the_best),
        cmocka_unit_test(test_int4_keeps_what_it_can_hold),
        cmocka_unit_test(test_int4_heeds_importance),
        cmocka_unit_test(test_int4_refuses_what_has_no_scale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
