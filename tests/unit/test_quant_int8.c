// SPDX-License-Identifier: Apache-2.0
#include "quant_util.h"

#include "quant/figures.h"
#include "quant/fit.h"
#include "quant/int8.h"

static void test_int8_rounds_to_nearest(void **state)
{
    memo_rng rng;
    float x[100], back[100], scale;
    int8_t q[100];

    (void)state;
    memo_rng_init(&rng, 1);
    for (int kind = 0; kind < QUANT_KINDS; kind++) {
        quant_fill(&rng, kind, 100, x);
        assert_int_equal(memo_int8_quantize_row(100, x, q, &scale), 1);
        memo_int8_dequantize_row(100, q, scale, back);
        int32_t sum = 0;
        for (int i = 0; i < 100; i++) {
            assert_in_range(q[i] + 127, 0, 254);
            assert_true(fabs((double)x[i] - (double)scale * q[i]) <= (double)scale / 2 * 1.000001);
            assert_true(back[i] == scale * (float)q[i]);
            sum += q[i];
        }
        assert_int_equal(memo_int8_sum_row(100, q), sum);
    }
}

/* The least cost that any of very many scales gives, each with its bytes' own best scale. */
static double least_cost(size_t n, const float *x, const float *importance, float absmax)
{
    double least = HUGE_VAL;

    for (int k = 0; k < 8000; k++) {
        double scale = (double)absmax * (1.01 - 0.8 * k / 8000), xq = 0, qq = 0;
        int8_t q[384];
        for (size_t i = 0; i < n; i++) {
            double level = rint((double)x[i] / scale);
            q[i] = (int8_t)fmax(-127, fmin(127, level));
            double weight = importance ? (double)importance[i] : 1;
            xq += weight * (double)x[i] * q[i];
            qq += weight * q[i] * q[i];
        }
        least = fmin(least, quant_cost(n, x, importance, q, xq / qq));
    }
    return least;
}

/* Never worse than the absmax scale, and within 2 % of the best of 8,000 scales. */
static void test_int8_search_is_near_the_best(void **state)
{
    static const size_t ns[] = {64, 128, 384};
    float x[384], importance[384], scale, plain_scale;
    int8_t q[384], plain[384];
    memo_rng rng;

    (void)state;
    memo_rng_init(&rng, 2);
    for (int c = 0; c < 3 * 3 * 2; c++) {
        size_t n = ns[c % 3];
        const float *weights = c >= 9 ? importance : NULL;
        quant_fill(&rng, c / 3 % 3, n, x);
        quant_fill_importance(&rng, n, importance);
        assert_int_equal(memo_int8_quantize_row(n, x, plain, &plain_scale), 1);
        assert_int_equal(memo_int8_search_row(n, x, weights, q, &scale), 1);
        double cost = quant_cost(n, x, weights, q, (double)scale);
        double absmax = quant_cost(n, x, weights, plain, (double)plain_scale);
        double least = least_cost(n, x, weights, plain_scale);
        assert_true(cost <= absmax * (1 + 1e-6));
        if (cost > 1.02 * least)
            fail_msg("n %zu, kind %d, weights %d: cost %g, the best scale %g, absmax %g", n,
                     c / 3 % 3, weights != NULL, cost, least, absmax);
    }
}

/* Short rows, where every scale is a special case: at least no worse than absmax. */
static void test_int8_search_is_never_worse(void **state)
{
    float x[40], importance[40], scale, plain_scale;
    int8_t q[40], plain[40];
    memo_rng rng;

    (void)state;
    memo_rng_init(&rng, 3);
    for (int c = 0; c < 4000; c++) {
        size_t n = 1 + memo_rng_below(&rng, 40);
        const float *weights = c % 2 ? importance : NULL;
        quant_fill(&rng, c / 2 % QUANT_KINDS, n, x);
        quant_fill_importance(&rng, n, importance);
        importance[0] = 0;
        memo_int8_quantize_row(n, x, plain, &plain_scale);
        assert_int_equal(memo_int8_search_row(n, x, weights, q, &scale), 1);
        assert_true(quant_cost(n, x, weights, q, (double)scale) <=
                    quant_cost(n, x, weights, plain, (double)plain_scale) * (1 + 1e-6));
    }
}

/* A value that does not matter does not stretch the steps of those that do. */
static void test_int8_search_clips_what_does_not_matter(void **state)
{
    float x[128], importance[128], scale, plain_scale;
    int8_t q[128];
    memo_rng rng;

    (void)state;
    memo_rng_init(&rng, 4);
    quant_fill(&rng, 0, 128, x);
    quant_fill_importance(&rng, 128, importance);
    x[7] = 0.3f; /* about twice the largest of the others */
    importance[7] = 0;
    memo_int8_quantize_row(128, x, q, &plain_scale);
    double absmax = quant_cost(128, x, importance, q, (double)plain_scale);
    assert_int_equal(memo_int8_search_row(128, x, importance, q, &scale), 1);
    assert_true(quant_cost(128, x, importance, q, (double)scale) < absmax / 2);
}

static int quantize_absmax(size_t n, const float *x)
{
    int8_t q[64];
    float scale;
    return memo_int8_quantize_row(n, x, q, &scale);
}

static int quantize_search(size_t n, const float *x)
{
    int8_t q[64];
    float scale;
    return memo_int8_search_row(n, x, NULL, q, &scale);
}

static int quantize_shared(size_t n, const float *x)
{
    int8_t q[64];
    float scale, largest = 0;
    return memo_int8_largest(n, x, &largest) && memo_int8_scale(largest, &scale) &&
           memo_int8_quantize_row_at(n, x, scale, q);
}

static void test_int8_refuses_what_has_no_scale(void **state)
{
    (void)state;
    quant_check_refusals(quantize_absmax);
    quant_check_refusals(quantize_search);
    quant_check_refusals(quantize_shared);
}

static void test_int8_rows_share_a_scale(void **state)
{
    float x[3] = {1, -2, 0.5f}, y[3] = {4, 0.01f, -8}, zeros[3] = {0}, largest = 0, scale;
    int8_t q[3];

    (void)state;
    assert_int_equal(memo_int8_largest(3, x, &largest), 1);
    assert_int_equal(memo_int8_scale(largest, &scale), 1);
    assert_int_equal(memo_int8_quantize_row_at(3, x, scale, q), 1);
    assert_int_equal(q[1], -127);
    assert_int_equal(memo_int8_quantize_row_at(3, y, scale, q), 1);
    assert_true(q[0] == 127 && q[1] == 1 && q[2] == -127); /* held */
    assert_int_equal(memo_int8_quantize_row_at(3, zeros, 0, q), 1);
    assert_true(q[0] == 0 && q[1] == 0 && q[2] == 0);
    assert_int_equal(memo_int8_quantize_row_at(3, x, 0, q), 0);
}

/* The sums of single precision against the same in double. */
static void test_int8_fit_sums(void **state)
{
    float x[200], importance[200];
    memo_rng rng;

    (void)state;
    memo_rng_init(&rng, 5);
    for (size_t n = 0; n <= 200; n++) {
        quant_fill(&rng, (int)(n % 3), 200, x);
        quant_fill_importance(&rng, 200, importance);
        const float *weights = n % 2 ? importance : NULL;
        float step = 0.0078125f; /* a power of two: quotients are exact */
        double noise = 0, cross = 0, power = 0, size = 0;
        for (size_t i = 0; i < n; i++) {
            double y = (double)x[i] / (double)step, w = weights ? (double)weights[i] : 1;
            double q = fmax(-8, fmin(7, rint(y)));
            noise += w * (y - q) * (y - q);
            cross += w * (y - q) * q;
            power += w * q * q;
            size += w * fabs(y - q) * fabs(q);
        }
        memo_fit fit = memo_fit_step(n, x, weights, step, -8, 7);
        double eps = 32 * (double)FLT_EPSILON; /* 8 additions to a lane, 3 roundings each */
        assert_true(fabs(fit.noise - noise) <= eps * noise);
        assert_true(fabs(fit.cross - cross) <= eps * size);
        assert_true(fabs(fit.power - power) <= eps * power);
    }
}

static void test_figures_add_up(void **state)
{
    float x[3] = {3, -4, 0}, y[3] = {3, -3.5f, 0.25f};
    memo_quant_figures figures = {0};

    (void)state;
    memo_quant_figures_add(&figures, 3, x, x);
    assert_true(isinf(memo_quant_figures_snr_db(&figures)));
    memo_quant_figures_add(&figures, 3, x, y);
    assert_true(figures.signal == 50 && figures.noise == 0.3125);
    assert_true(figures.worst == 0.5 && figures.largest == 4);
    assert_true(fabs(memo_quant_figures_snr_db(&figures) - 22.0412) < 1e-4); /* 10 log10(160) */
    y[1] = NAN;
    memo_quant_figures_add(&figures, 3, x, y);
    assert_true(isnan(figures.worst));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_int8_rounds_to_nearest),
        cmocka_unit_test(test_int8_search_is_near_the_best),
        cmocka_unit_test(test_int8_search_is_never_worse),
        cmocka_unit_test(test_int8_search_clips_what_does_not_matter),
        cmocka_unit_test(test_int8_refuses_what_has_no_scale),
        cmocka_unit_test(test_int8_rows_share_a_scale),
        cmocka_unit_test(test_int8_fit_sums),
        cmocka_unit_test(test_figures_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
