// SPDX-License-Identifier: Apache-2.0
#include "quant_util.h"

#include "base/cpu.h"
#include "quant/feedback.h"
#include "quant/int4.h"
#include "quant/int8.h"
#include "quant/lut4.h"
#include "quant/refine.h"

#define MOST 96

typedef struct feedback_case {
    size_t n;
    float x[MOST], moments[MOST * MOST], importance[MOST];
    uint32_t order[MOST];
    float factor[MOST * MOST], room[3 * MOST];
    memo_feedback feedback;
} feedback_case;

/* Moments of inputs that go together: n_samples random mixtures of a few directions and a mean. */
static void fill_case(feedback_case *c, memo_rng *rng, size_t n, size_t n_samples)
{
    float directions[4][MOST];
    double sums[MOST * MOST] = {0};

    c->n = n;
    c->feedback = (memo_feedback){.n = n, .order = c->order, .factor = c->factor};
    quant_fill(rng, 0, n, c->x);
    for (int d = 0; d < 4; d++)
        quant_fill(rng, 0, n, directions[d]);
    for (size_t s = 0; s < n_samples; s++) {
        float sample[MOST];
        quant_fill(rng, 0, n, sample);
        for (int d = 0; d < 4; d++) {
            double share = d ? 2 * memo_rng_normal(rng) : 1;
            for (size_t i = 0; i < n; i++)
                sample[i] += (float)share * directions[d][i];
        }
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < n; j++)
                sums[i * n + j] += (double)sample[i] * (double)sample[j];
    }
    for (size_t i = 0; i < n * n; i++)
        c->moments[i] = (float)(sums[i] / (double)n_samples);
    for (size_t i = 0; i < n; i++)
        c->importance[i] = c->moments[i * n + i];
}

/* The moments with the damping of the header, in the order of rounding. */
static double ordered_moment(const feedback_case *c, size_t t, size_t u)
{
    double trace = 0;

    for (size_t i = 0; i < c->n; i++)
        trace += (double)c->moments[i * c->n + i];
    return (double)c->moments[c->order[t] * c->n + c->order[u]] +
           (t == u ? trace / (double)c->n * 0.03 : 0);
}

/* error' M error */
static double moment_cost(const feedback_case *c, const int8_t *q, double scale)
{
    double cost = 0;

    for (size_t i = 0; i < c->n; i++)
        for (size_t j = 0; j < c->n; j++)
            cost += ((double)c->x[i] - scale * q[i]) * (double)c->moments[i * c->n + j] *
                    ((double)c->x[j] - scale * q[j]);
    return cost;
}

/* Inputs by falling moment, each once; and for any errors of earlier inputs the factor names the error
 * of the next that costs least, which is where the derivative of the cost over the first t + 1 and all
 * later inputs, those free to follow, vanishes. Later inputs left free: the Schur complement. */
static void test_feedback_factor_is_the_best_answer(void **state)
{
    static feedback_case c;
    static const size_t ns[] = {1, 2, 7, 33, 64};
    memo_rng rng;

    (void)state;
    memo_rng_init(&rng, 1);
    for (size_t k = 0; k < sizeof ns / sizeof *ns; k++) {
        size_t n = ns[k];
        double rest[64][64], worst = 0;
        int seen[64] = {0};
        fill_case(&c, &rng, n, 500);
        assert_int_equal(memo_feedback_factor(&c.feedback, c.moments), 1);
        for (size_t t = 0; t < n; t++) {
            assert_true(c.order[t] < n && !seen[c.order[t]]++);
            if (t)
                assert_true(c.importance[c.order[t]] <= c.importance[c.order[t - 1]]);
            for (size_t u = 0; u < n; u++)
                rest[t][u] = ordered_moment(&c, t, u);
        }
        for (size_t t = n; t-- > 0;) { /* eliminate the last input, in double */
            for (size_t u = 0; u < t; u++)
                worst = fmax(worst, fabs(rest[t][u] / rest[t][t] - (double)c.factor[t * n + u]));
            for (size_t a = 0; a < t; a++)
                for (size_t b = 0; b < t; b++)
                    rest[a][b] -= rest[a][t] * rest[t][b] / rest[t][t];
        }
        /* Backward error of Cholesky, n eps, times a condition that the damping keeps below 100 n. */
        assert_true(worst <= (double)(n * n) * 100 * (double)FLT_EPSILON);
    }
}

static void fill_grid_row(feedback_case *c, memo_int4_row *row)
{
    assert_int_equal(memo_int4_quantize_row(c->n, 32, c->x, c->importance, row), 1);
}

/* Products with activations come out better than from rounding alone, in every case by a third. */
static void test_feedback_lowers_the_error_of_products(void **state)
{
    static feedback_case c;
    uint8_t codes[MOST], multipliers[4];
    int8_t q[MOST], palette[16];
    memo_rng rng;

    (void)state;
    memo_rng_init(&rng, 2);
    for (int k = 0; k < 20; k++) {
        memo_int4_row row = {.codes = codes, .multipliers = multipliers};
        fill_case(&c, &rng, 80 + (size_t)k % 17, 2000);
        assert_int_equal(memo_feedback_factor(&c.feedback, c.moments), 1);
        fill_grid_row(&c, &row);
        memo_int4_expand_row(c.n, 32, codes, multipliers, q);
        double rounded = moment_cost(&c, q, (double)row.scale);
        memo_int4_feedback_row(&c.feedback, 32, c.x, &row, c.room);
        memo_int4_expand_row(c.n, 32, codes, multipliers, q);
        double fed = moment_cost(&c, q, (double)row.scale);
        if (fed > rounded * 2 / 3)
            fail_msg("case %d, int4: %g becomes %g", k, rounded, fed);

        float scale;
        memo_palette_uniform(palette);
        memo_lut4_start_scale(c.n, c.x, c.importance, &scale);
        memo_lut4_quantize_row(c.n, c.x, c.importance, palette, &scale, codes);
        memo_lut4_expand_row(c.n, codes, palette, q);
        rounded = moment_cost(&c, q, (double)scale);
        memo_lut4_row in_palette = {palette, &scale, 0, codes};
        memo_lut4_feedback_row(&c.feedback, c.x, &in_palette, c.room);
        memo_lut4_expand_row(c.n, codes, palette, q);
        fed = moment_cost(&c, q, (double)scale);
        if (fed > rounded * 2 / 3)
            fail_msg("case %d, lut4: %g becomes %g", k, rounded, fed);
    }
}

/* One row in both classes: the cost after feedback alone, and after refining. */
typedef struct refine_costs {
    double fed, refined;
} refine_costs;

static uint8_t whole_step(const void *scale, size_t i, float y, float *value)
{
    float q = rintf(y / *(const float *)scale);

    (void)i;
    q = q < -8 ? -8 : q > 7 ? 7 : q;
    *value = *(const float *)scale * q;
    return (uint8_t)((int)q & 15);
}

/* By the damped moments. */
static double coded_cost(const feedback_case *c, const uint8_t *codes, double scale)
{
    double squares = 0;
    int8_t q[MOST];

    for (size_t i = 0; i < c->n; i++) {
        q[i] = (int8_t)((codes[i] ^ 8) - 8);
        squares += ((double)c->x[i] - scale * q[i]) * ((double)c->x[i] - scale * q[i]);
    }
    return moment_cost(c, q, scale) + (double)c->feedback.damping * squares;
}

static refine_costs refine_case(feedback_case *c, int keep_scale, float *scale, uint8_t *codes)
{
    refine_costs costs;
    memo_refine_job job = {
        .feedback = &c->feedback,
        .grid = {whole_step, scale},
        .scale = scale,
        .keep_scale = keep_scale,
        .room = c->room,
    };

    assert_true(memo_refine_room(c->n) <= sizeof c->room / sizeof *c->room);
    memo_feedback_row(&c->feedback, job.grid, c->x, codes, c->room, c->room + c->n);
    costs.fed = coded_cost(c, codes, (double)*scale);
    memo_refine_row(&job, c->x, codes);
    costs.refined = coded_cost(c, codes, (double)*scale);
    return costs;
}

/* Refining is never worse than feedback alone, over all cases a twentieth better, and the scale is the least
 * squares for the codes. */
static void test_refine_lowers_the_error_of_feedback(void **state)
{
    static feedback_case c;
    double fed = 0, refined = 0;
    uint8_t codes[MOST];
    memo_rng rng;

    (void)state;
    memo_rng_init(&rng, 7);
    for (int k = 0; k < 40; k++) {
        float scale = 0.25f;
        fill_case(&c, &rng, 60 + (size_t)k % 37, 2000);
        assert_int_equal(memo_feedback_factor(&c.feedback, c.moments), 1);
        refine_costs costs = refine_case(&c, k & 1, &scale, codes);
        assert_true(!(k & 1) || scale == 0.25f);
        assert_true(costs.refined <= costs.fed * 1.0001); /* floats */
        fed += costs.fed;
        refined += costs.refined;
        if (k & 1)
            continue;
        assert_true(coded_cost(&c, codes, (double)scale) <=
                    coded_cost(&c, codes, (double)scale * 1.01));
        assert_true(coded_cost(&c, codes, (double)scale) <=
                    coded_cost(&c, codes, (double)scale * 0.99));
    }
    if (refined > fed * 0.95)
        fail_msg("feedback alone %g, refined %g", fed, refined);
}

/* Inputs that have nothing to do with each other leave nothing to make up for: plain rounding. */
static void test_feedback_of_independent_inputs_is_rounding(void **state)
{
    static feedback_case c;
    uint8_t codes[64], fed[64], multipliers[4];
    int8_t palette[16];
    float scale;
    memo_rng rng;

    (void)state;
    memo_rng_init(&rng, 3);
    fill_case(&c, &rng, 64, 10);
    for (size_t i = 0; i < 64 * 64; i++)
        c.moments[i] = i / 64 == i % 64 ? (float)(1 + i % 5) : 0;
    assert_int_equal(memo_feedback_factor(&c.feedback, c.moments), 1);
    memo_palette_uniform(palette);
    assert_int_equal(memo_lut4_start_scale(64, c.x, NULL, &scale), 1);
    assert_int_equal(memo_lut4_quantize_row_at(64, c.x, palette, scale, codes), 1);
    memo_lut4_row in_palette = {palette, &scale, 1, fed};
    memo_lut4_feedback_row(&c.feedback, c.x, &in_palette, c.room);
    assert_memory_equal(fed, codes, 64);

    memo_int4_row row = {.codes = fed, .multipliers = multipliers};
    fill_grid_row(&c, &row);
    memo_int4_feedback_row(&c.feedback, 32, c.x, &row, c.room);
    for (size_t i = 0; i < 64; i++) {
        double step = (double)row.scale * multipliers[i / 32];
        double nibble = fmax(-8, fmin(7, rint((double)c.x[i] / step)));
        assert_int_equal((fed[i] ^ 8) - 8, (int)nibble);
    }
}

/* Every level: sums over tokens, in as many calls as one likes, beside the sums in double. */
static void test_feedback_adds_products_of_inputs(void **state)
{
    static float x[300 * 41], moments[40 * 40];
    static const size_t ns[] = {1, 16, 40};
    memo_rng rng;

    (void)state;
    memo_rng_init(&rng, 6);
    quant_fill(&rng, 0, 300 * 41, x);
    for (int cpu = MEMO_CPU_REF; cpu < MEMO_CPU_COUNT; cpu++) {
        const memo_kernels *kernels = memo_kernels_for((memo_cpu)cpu);
        for (size_t k = 0; kernels && k < sizeof ns / sizeof *ns; k++) {
            size_t n = ns[k];
            float *scratch = memo_aligned_alloc(memo_feedback_scratch(n) * sizeof *scratch);
            assert_non_null(scratch);
            memset(moments, 0, sizeof moments);
            memo_feedback_add(kernels, 256, n, x, 41, moments, scratch);
            memo_feedback_add(kernels, 44, n, x + (size_t)256 * 41, 41, moments, scratch);
            memo_aligned_free(scratch);
            for (size_t i = 0; i < n; i++)
                for (size_t j = 0; j < n; j++) {
                    double sum = 0, size = 0;
                    for (size_t r = 0; r < 300; r++) {
                        double product = (double)x[r * 41 + i] * (double)x[r * 41 + j];
                        sum += product;
                        size += fabs(product);
                    }
                    assert_true(fabs((double)moments[i * n + j] - sum) <=
                                301 * (double)FLT_EPSILON / 2 * size);
                }
        }
    }
}

static void test_feedback_refuses_moments_that_are_none(void **state)
{
    static feedback_case c;
    memo_rng rng;

    (void)state;
    memo_rng_init(&rng, 4);
    fill_case(&c, &rng, 16, 100);
    c.moments[15 * 16 + 2] = NAN;
    assert_int_equal(memo_feedback_factor(&c.feedback, c.moments), 0);
    c.moments[15 * 16 + 2] = INFINITY;
    assert_int_equal(memo_feedback_factor(&c.feedback, c.moments), 0);
    memset(c.moments, 0, sizeof c.moments);
    assert_int_equal(memo_feedback_factor(&c.feedback, c.moments), 0);
    c.moments[0] = 1; /* one input that is used */
    assert_int_equal(memo_feedback_factor(&c.feedback, c.moments), 1);
    assert_int_equal(c.order[0], 0);
}

/* A row of zeros has no scale to round at: its codes stay. */
static void test_feedback_leaves_zero_rows(void **state)
{
    static feedback_case c;
    uint8_t codes[64], multipliers[4];
    memo_rng rng;

    (void)state;
    memo_rng_init(&rng, 5);
    fill_case(&c, &rng, 64, 100);
    assert_int_equal(memo_feedback_factor(&c.feedback, c.moments), 1);
    memset(c.x, 0, sizeof c.x);
    memo_int4_row row = {.codes = codes, .multipliers = multipliers};
    fill_grid_row(&c, &row);
    memo_int4_feedback_row(&c.feedback, 32, c.x, &row, c.room);
    for (int i = 0; i < 64; i++)
        assert_int_equal(codes[i], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_feedback_factor_is_the_best_answer),
        cmocka_unit_test(test_feedback_lowers_the_error_of_products),
        cmocka_unit_test(test_refine_lowers_the_error_of_feedback),
        cmocka_unit_test(test_feedback_of_independent_inputs_is_rounding),
        cmocka_unit_test(test_feedback_adds_products_of_inputs),
        cmocka_unit_test(test_feedback_refuses_moments_that_are_none),
        cmocka_unit_test(test_feedback_leaves_zero_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
