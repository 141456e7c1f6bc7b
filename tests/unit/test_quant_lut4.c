// SPDX-License-Identifier: Apache-2.0
#include "quant_util.h"

#include "quant/int8.h"
#include "quant/lut4.h"

/* What a palette costs, from the values one by one. */
static double palette_cost_of(size_t n, const float *x, const float *importance, double scale,
                              const int8_t *palette)
{
    double cost = 0;

    for (size_t i = 0; i < n; i++) {
        double least = HUGE_VAL;
        for (int k = 0; k < 16; k++) {
            double error = (double)x[i] - scale * palette[k];
            least = fmin(least, error * error);
        }
        cost += (importance ? (double)importance[i] : 1) * least;
    }
    return cost;
}

/* The least cost of any 16 bytes: dynamic programming over all pairs of neighbours, each costed from
 * the values themselves. */
static double least_palette_cost(size_t n, const float *x, const float *importance, double scale)
{
    enum { LEVELS = 255 };
    double(*between)[LEVELS + 1] = calloc(LEVELS + 1, sizeof *between);
    double least[LEVELS + 1], next[LEVELS + 1];

    assert_non_null(between);
    for (int a = -1; a < LEVELS; a++) /* -1 and LEVELS: no neighbour on that side */
        for (int b = a + 1; b <= LEVELS; b++)
            for (size_t i = 0; i < n; i++) {
                double y = (double)x[i] / scale + 127, w = importance ? (double)importance[i] : 1;
                if ((a >= 0 && y < a) || (b < LEVELS && y >= b) || (a < 0 && b == LEVELS))
                    continue;
                double to_a = a < 0 ? HUGE_VAL : fabs(y - a);
                double nearest = b == LEVELS ? to_a : fmin(to_a, fabs(y - b));
                between[a + 1][b] += w * nearest * nearest * scale * scale;
            }
    for (int b = 0; b < LEVELS; b++)
        least[b] = between[0][b];
    for (int k = 1; k <= 16; k++) {
        for (int b = 0; b <= LEVELS; b++) {
            next[b] = HUGE_VAL;
            if (k == 16 || b < LEVELS)
                for (int a = 0; a < b; a++)
                    next[b] = fmin(next[b], least[a] + between[a + 1][b]);
        }
        memcpy(least, next, sizeof least);
    }
    free(between);
    return least[LEVELS];
}

static void check_ascending(const int8_t *palette)
{
    assert_true(palette[0] >= -127);
    for (int k = 1; k < 16; k++)
        assert_true(palette[k] > palette[k - 1]);
}

static void test_palette_is_the_best(void **state)
{
    float x[120], importance[120];
    memo_rng rng;

    (void)state;
    memo_rng_init(&rng, 1);
    for (int c = 0; c < 12; c++) {
        size_t n = c < 4 ? 10 + (size_t)c * 3 : 120;
        const float *weights = c % 2 ? importance : NULL;
        memo_palette_sums sums;
        int8_t palette[16];
        quant_fill(&rng, c % QUANT_KINDS, n, x);
        quant_fill_importance(&rng, n, importance);
        float scale = c % 3 ? 0.0013f : 0.0006f; /* the second puts values beyond 127 */
        memo_palette_clear(&sums);
        memo_palette_add(&sums, n / 2, x, weights, scale); /* in two calls */
        memo_palette_add(&sums, n - n / 2, x + n / 2, weights ? weights + n / 2 : NULL, scale);
        double claimed = memo_palette_fit(&sums, palette), energy = 0;
        for (size_t i = 0; i < n; i++)
            energy += (weights ? (double)weights[i] : 1) * (double)x[i] * (double)x[i];
        check_ascending(palette);
        double cost = palette_cost_of(n, x, weights, (double)scale, palette);
        double least = least_palette_cost(n, x, weights, (double)scale);
        /* Differences of prefix sums, 508 additions of at most (2 * 127)^2 steps. */
        double eps = 508 * DBL_EPSILON * 4 *
                     (energy + 127 * 127 * (double)scale * (double)scale * (double)n * 100);
        if (fabs(claimed - cost) > eps || fabs(cost - least) > eps)
            fail_msg("case %d: claims %g, costs %g, the best costs %g", c, claimed, cost, least);
    }
}

/* Fewer values than entries: all are hit. No values at all: still 16 different bytes. */
static void test_palette_of_few_values(void **state)
{
    float x[5] = {-127, -3, 0, 8, 127};
    memo_palette_sums sums;
    int8_t palette[16];

    (void)state;
    memo_palette_clear(&sums);
    memo_palette_fit(&sums, palette);
    check_ascending(palette);
    memo_palette_add(&sums, 5, x, NULL, 1);
    assert_true(memo_palette_fit(&sums, palette) == 0);
    check_ascending(palette);
    assert_true(palette_cost_of(5, x, NULL, 1, palette) == 0);
    memo_palette_add(&sums, 5, x, NULL, 0); /* adds nothing */
    assert_true(memo_palette_fit(&sums, palette) == 0);
}

static void test_palette_uniform_is_equally_spaced(void **state)
{
    int8_t palette[16];

    (void)state;
    memo_palette_uniform(palette);
    check_ascending(palette);
    assert_int_equal(palette[0], -127);
    for (int k = 0; k < 16; k++) {
        assert_int_equal(palette[k], -palette[15 - k]);
        assert_true(fabs(palette[k] - (-127 + k * 254.0 / 15)) <= 0.5);
    }
}

/* Codes at a given scale are the nearest entries. */
static void test_lut4_takes_the_nearest(void **state)
{
    static const int8_t palette[16] = {-127, -90, -60, -41, -30, -20, -11, -4,
                                       1,    6,   17,  18,  40,  77,  100, 126};
    float x[500];
    uint8_t codes[500];
    int8_t q[500];
    memo_rng rng;

    (void)state;
    memo_rng_init(&rng, 2);
    for (int i = 0; i < 500; i++) /* halves are among them */
        x[i] = (float)((double)memo_rng_below(&rng, 1200) / 4 - 150);
    assert_int_equal(memo_lut4_quantize_row_at(500, x, palette, 1, codes), 1);
    memo_lut4_expand_row(500, codes, palette, q);
    for (int i = 0; i < 500; i++) {
        int best = 0;
        for (int k = 1; k < 16; k++)
            if (fabs((double)x[i] - palette[k]) <= fabs((double)x[i] - palette[best]))
                best = k;
        assert_int_equal(codes[i], best);
        assert_int_equal(q[i], palette[best]);
    }
    assert_int_equal(memo_lut4_quantize_row_at(500, x, palette, 0, codes), 0);
}

/* The scale of a row in a given palette is within 2 % in cost of the best of very many. */
static void test_lut4_scale_is_near_the_best(void **state)
{
    float x[384], importance[384];
    uint8_t codes[384];
    int8_t palette[16], q[384];
    memo_rng rng;

    (void)state;
    memo_rng_init(&rng, 3);
    memo_palette_uniform(palette);
    for (int c = 0; c < 12; c++) {
        const float *weights = c % 2 ? importance : NULL;
        float scale;
        quant_fill(&rng, c % 3, 384, x);
        quant_fill_importance(&rng, 384, importance);
        assert_int_equal(memo_lut4_start_scale(384, x, weights, &scale), 1);
        double start = (double)scale, least = HUGE_VAL;
        assert_int_equal(memo_lut4_quantize_row(384, x, weights, palette, &scale, codes), 1);
        memo_lut4_expand_row(384, codes, palette, q);
        double cost = quant_cost(384, x, weights, q, (double)scale);
        for (int k = 0; k < 2000; k++)
            least =
                fmin(least, palette_cost_of(384, x, weights, start * (0.3 + k * 0.0006), palette));
        if (cost > 1.02 * least)
            fail_msg("case %d: cost %g, the best %g", c, cost, least);
    }
}

/* One case of the groups: rows of very different size. */
typedef struct lut4_case {
    float x[32 * 200], scales[32];
    uint8_t codes[32 * 200];
    memo_lut4_group group;
} lut4_case;

static void fill_case(lut4_case *c, memo_rng *rng, size_t n_rows, int kind)
{
    c->group = (memo_lut4_group){
        .n_rows = n_rows, .n_in = 200, .x = c->x, .scales = c->scales, .codes = c->codes};
    for (size_t r = 0; r < n_rows; r++) {
        quant_fill(rng, kind, 200, c->x + r * 200);
        for (size_t i = 0; i < 200; i++)
            c->x[r * 200 + i] *= (float)(1 + r);
    }
}

static double case_cost(const lut4_case *c)
{
    double cost = 0;
    int8_t q[200];

    for (size_t r = 0; r < c->group.n_rows; r++) {
        memo_lut4_expand_row(200, c->codes + r * 200, c->group.palette, q);
        cost += quant_cost(200, c->x + r * 200, c->group.importance, q, (double)c->scales[r]);
    }
    return cost;
}

/* Fitted palettes beat uniform ones, scales of rows beat one scale, and 20 dB are reached. */
static void test_lut4_groups_order_as_they_must(void **state)
{
    static lut4_case c;
    memo_rng rng;

    (void)state;
    memo_rng_init(&rng, 4);
    for (size_t n_rows = 8; n_rows <= 32; n_rows *= 2) {
        float largest = 0, shared;
        double energy = 0;
        fill_case(&c, &rng, n_rows, 0);
        for (size_t i = 0; i < n_rows * 200; i++)
            energy += (double)c.x[i] * (double)c.x[i];
        assert_int_equal(memo_lut4_quantize_group(&c.group), n_rows);
        check_ascending(c.group.palette);
        double fitted = case_cost(&c);
        c.group.uniform = 1;
        assert_int_equal(memo_lut4_quantize_group(&c.group), n_rows);
        double uniform = case_cost(&c);
        assert_int_equal(memo_int8_largest(n_rows * 200, c.x, &largest), 1);
        assert_int_equal(memo_int8_scale(largest, &shared), 1);
        for (size_t r = 0; r < n_rows; r++)
            c.scales[r] = shared;
        c.group.uniform = 0;
        c.group.keep_scales = 1;
        assert_int_equal(memo_lut4_quantize_group(&c.group), n_rows);
        for (size_t r = 0; r < n_rows; r++)
            assert_true(c.scales[r] == shared);
        double kept = case_cost(&c);
        assert_true(fitted < uniform && fitted < kept);
        /* Max (1960): 16 levels on a normal variable leave 0.009497 of its variance, equally spaced
         * ones 0.01154; a fit to few values does better. */
        assert_true(fitted < 0.0097 * energy);
        assert_true(uniform < 0.0118 * energy);
    }
}

/* Strip by strip gives what the steps of the header give, and zeros stay zeros. */
static void test_lut4_group_holds_zero_rows(void **state)
{
    static lut4_case c;
    memo_rng rng;

    (void)state;
    memo_rng_init(&rng, 5);
    for (int uniform = 0; uniform <= 1; uniform++) {
        fill_case(&c, &rng, 8, 0);
        c.group.uniform = uniform;
        memset(c.x + 3 * 200, 0, 200 * sizeof *c.x);
        assert_int_equal(memo_lut4_quantize_group(&c.group), 8);
        assert_true(c.scales[3] == 0 && c.scales[2] > 0);
        for (int i = 0; i < 200; i++)
            assert_in_range(c.codes[3 * 200 + i], 0, 15);
        c.x[5 * 200 + 7] = NAN;
        assert_int_equal(memo_lut4_quantize_group(&c.group), 5);
    }
}

/* A matrix as one group, fitted in strips of 16 rows. */
static void test_lut4_fits_a_matrix_in_strips(void **state)
{
    static lut4_case c;
    memo_palette_sums sums;
    memo_rng rng;

    (void)state;
    memo_rng_init(&rng, 6);
    fill_case(&c, &rng, 32, 0);
    memo_palette_clear(&sums);
    for (size_t r = 0; r < 32; r++) {
        assert_int_equal(memo_lut4_start_scale(200, c.x + r * 200, NULL, &c.scales[r]), 1);
        memo_palette_add(&sums, 200, c.x + r * 200, NULL, c.scales[r]);
    }
    memo_palette_fit(&sums, c.group.palette);
    for (size_t r = 0; r < 32; r++)
        assert_int_equal(memo_lut4_quantize_row(200, c.x + r * 200, NULL, c.group.palette,
                                                &c.scales[r], c.codes + r * 200),
                         1);
    double strips = case_cost(&c);
    assert_int_equal(memo_lut4_quantize_group(&c.group), 32);
    assert_true(case_cost(&c) < strips); /* the group alternates on */
    assert_true(strips < 1.05 * case_cost(&c));
}

static int quantize_row(size_t n, const float *x)
{
    int8_t palette[16];
    uint8_t codes[64];
    float scale;

    memo_palette_uniform(palette);
    return memo_lut4_start_scale(n, x, NULL, &scale) &&
           memo_lut4_quantize_row(n, x, NULL, palette, &scale, codes);
}

static int quantize_group(size_t n, const float *x)
{
    uint8_t codes[64];
    float scale;
    memo_lut4_group group = {.n_rows = 1, .n_in = n, .x = x, .scales = &scale, .codes = codes};
    return memo_lut4_quantize_group(&group) == 1;
}

static void test_lut4_refuses_what_has_no_scale(void **state)
{
    (void)state;
    quant_check_refusals(quantize_row);
    quant_check_refusals(quantize_group);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_palette_is_the_best),
        cmocka_unit_test(test_palette_of_few_values),
        cmocka_unit_test(test_palette_uniform_is_equally_spaced),
        cmocka_unit_test(test_lut4_takes_the_nearest),
        cmocka_unit_test(test_lut4_scale_is_near_the_best),
        cmocka_unit_test(test_lut4_groups_order_as_they_must),
        cmocka_unit_test(test_lut4_group_holds_zero_rows),
        cmocka_unit_test(test_lut4_fits_a_matrix_in_strips),
        cmocka_unit_test(test_lut4_refuses_what_has_no_scale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
