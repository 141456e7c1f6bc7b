// SPDX-License-Identifier: Apache-2.0
#include "memo_test.h"

#include <float.h>
#include <math.h>

#include "base/cpu.h"
#include "base/rng.h"
#include "nn/attention.h"

typedef struct attention_case {
    size_t n_tokens, n_heads, head_dim;
} attention_case;

/* Around panels of 16, tiles of rows, and blocks of query rows: a block holds 32,768 scores. */
static const attention_case cases[] = {
    {1, 1, 8},    {2, 3, 20},  {15, 2, 32}, {16, 2, 32},  {17, 5, 8},   {47, 1, 1},
    {180, 2, 32}, {181, 2, 3}, {257, 1, 7}, {700, 1, 16}, {2731, 1, 4},
};

/* softmax(q k' / sqrt(d)) v for one head of one row, in double. */
static void reference_row(const attention_case *c, const float *qkv, size_t ld, size_t row,
                          size_t head, double *out)
{
    size_t width = c->n_heads * c->head_dim;
    const float *q = qkv + row * ld + head * c->head_dim;
    double *score = calloc(c->n_tokens, sizeof *score), largest = -INFINITY, sum = 0;

    for (size_t t = 0; t < c->n_tokens; t++) {
        const float *k = qkv + t * ld + width + head * c->head_dim;
        for (size_t d = 0; d < c->head_dim; d++)
            score[t] += (double)q[d] * (double)k[d];
        score[t] /= sqrt((double)c->head_dim);
        largest = fmax(largest, score[t]);
    }
    memset(out, 0, c->head_dim * sizeof *out);
    for (size_t t = 0; t < c->n_tokens; t++) {
        const float *v = qkv + t * ld + 2 * width + head * c->head_dim;
        double p = exp(score[t] - largest);
        sum += p;
        for (size_t d = 0; d < c->head_dim; d++)
            out[d] += p * (double)v[d];
    }
    for (size_t d = 0; d < c->head_dim; d++)
        out[d] /= sum;
    free(score);
}

/* A score is a chain of head_dim products, P V one of n_tokens; exp turns an absolute error of a
 * score into a relative one of a weight. Values are normal, |score| < 6 * sqrt(d). */
static double attention_bound(const attention_case *c)
{
    double d = (double)c->head_dim, n = (double)c->n_tokens;
    double score = (d + 2) * (double)FLT_EPSILON * 8 * sqrt(d);
    return 6 * (2 * score + (n + 8) * (double)FLT_EPSILON);
}

/* `planned`: the length that the scratch is for, at least c->n_tokens. */
static void check_attention(const memo_kernels *kernels, const attention_case *c, size_t planned)
{
    size_t width = c->n_heads * c->head_dim, ld = 3 * width + 5, ld_out = width + 3;
    size_t n_scratch = memo_attention_scratch(planned, c->head_dim);
    float *qkv = calloc(c->n_tokens * ld, sizeof *qkv);
    float *out = calloc(c->n_tokens * ld_out, sizeof *out);
    float *scratch = memo_aligned_alloc((n_scratch + 16) * sizeof *scratch);
    double want[64];
    memo_rng rng;

    assert_true(n_scratch > 0);
    memo_rng_init(&rng, c->n_tokens);
    for (size_t i = 0; i < c->n_tokens * ld; i++)
        qkv[i] = (float)memo_rng_normal(&rng);
    for (size_t i = 0; i < n_scratch + 16; i++)
        scratch[i] = NAN; /* nothing may be used before it is written */
    for (size_t i = 0; i < c->n_tokens * ld_out; i++)
        out[i] = -77;
    memo_attention a = {c->n_tokens, c->n_heads, c->head_dim, {qkv, ld}, {out, ld_out}};
    memo_attention_run(kernels, &a, scratch);
    for (size_t i = 0; i < 16; i++)
        assert_true(isnan(scratch[n_scratch + i]));
    size_t step = c->n_tokens > 500 ? 37 : 1;
    for (size_t t = 0; t < c->n_tokens; t += step) {
        for (size_t h = 0; h < c->n_heads; h++) {
            reference_row(c, qkv, ld, t, h, want);
            for (size_t d = 0; d < c->head_dim; d++) {
                double got = (double)out[t * ld_out + h * c->head_dim + d];
                if (!(fabs(got - want[d]) <= attention_bound(c)))
                    fail_msg("%s: %zu tokens, row %zu, head %zu: %g, not %g",
                             memo_cpu_name(kernels->cpu), c->n_tokens, t, h, got, want[d]);
            }
        }
        for (size_t d = width; d < ld_out; d++)
            assert_true(out[t * ld_out + d] == -77);
    }
    memo_aligned_free(scratch);
    free(out);
    free(qkv);
}

static void test_attention_equals_double_reference(void **state)
{
    (void)state;
    for (memo_cpu cpu = MEMO_CPU_REF; cpu < MEMO_CPU_COUNT; cpu++) {
        const memo_kernels *kernels = memo_kernels_for(cpu);
        if (!kernels) {
            printf("SKIPPED level %s: not on this machine\n", memo_cpu_name(cpu));
            continue;
        }
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
            check_attention(kernels, &cases[i], cases[i].n_tokens);
    }
}

/* Scratch grows with the length, not with its square. */
static void test_attention_scratch_is_linear(void **state)
{
    (void)state;
    size_t at_8k = memo_attention_scratch(8192, 64), at_64k = memo_attention_scratch(65536, 64);
    assert_true(at_8k > 0 && at_64k < 9 * at_8k);
    assert_int_equal(memo_attention_scratch(SIZE_MAX, 64), 0);
    assert_int_equal(memo_attention_scratch(SIZE_MAX / 128, SIZE_MAX / 128), 0);
}

/* Blocks of a shorter sequence may have more rows: what is planned for the longest must hold. */
static void test_attention_scratch_of_the_longest_is_enough_for_all(void **state)
{
    static const size_t dims[] = {1, 8, 32, 64};
    (void)state;
    for (size_t d = 0; d < sizeof dims / sizeof *dims; d++)
        for (size_t n = 1; n < 6000; n++)
            if (memo_attention_scratch(n, dims[d]) > memo_attention_scratch(n + 1, dims[d]))
                fail_msg("dim %zu: %zu tokens need more than %zu", dims[d], n, n + 1);
    const memo_kernels *kernels = memo_kernels_for(MEMO_CPU_AUTO);
    check_attention(kernels, &(attention_case){448, 1, 32}, 464);
    check_attention(kernels, &(attention_case){1360, 1, 8}, 1376);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attention_equals_double_reference),
        cmocka_unit_test(test_attention_scratch_is_linear),
        cmocka_unit_test(test_attention_scratch_of_the_longest_is_enough_for_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
