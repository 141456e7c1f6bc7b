// SPDX-License-Identifier: Apache-2.0
#include "memo_test.h"

#include <float.h>
#include <math.h>

#include "base/cpu.h"
#include "base/rng.h"
#include "nn/attention.h"

#define CASE_SEQS 6
#define CASE_GAP  5 /* floats between rows that belong to nobody */
#define CASE_REST -77.0f

typedef struct attention_case {
    size_t n_heads, n_kv_heads, head_dim;
    int causal;
    size_t window;
    float scale;
    size_t lengths[CASE_SEQS]; /* 0 behind the last */
} attention_case;

/* A packed batch with views of its own for q, k, v and out. */
typedef struct attention_batch {
    const attention_case *c;
    size_t cu_seqlens[CASE_SEQS + 1], n_seqs, longest;
    memo_rows q, k, v, out;
} attention_batch;

static memo_rows new_rows(memo_rng *rng, size_t n_rows, size_t width, double spread)
{
    memo_rows rows = {NULL, width + CASE_GAP};
    rows.data = calloc(n_rows * rows.ld + 1, sizeof *rows.data);
    assert_non_null(rows.data);
    for (size_t i = 0; i < n_rows * rows.ld; i++)
        rows.data[i] = rng ? (float)(spread * memo_rng_normal(rng)) : CASE_REST;
    return rows;
}

static attention_batch new_batch(const attention_case *c, uint64_t seed)
{
    attention_batch b = {.c = c};
    memo_rng rng;
    while (b.n_seqs < CASE_SEQS && c->lengths[b.n_seqs]) {
        size_t n = c->lengths[b.n_seqs];
        b.cu_seqlens[b.n_seqs + 1] = b.cu_seqlens[b.n_seqs] + n;
        b.longest = n > b.longest ? n : b.longest;
        b.n_seqs++;
    }
    size_t n = b.cu_seqlens[b.n_seqs];
    memo_rng_init(&rng, seed);
    b.q = new_rows(&rng, n, c->n_heads * c->head_dim, 1.0);
    b.k = new_rows(&rng, n, c->n_kv_heads * c->head_dim, 1.0);
    b.v = new_rows(&rng, n, c->n_kv_heads * c->head_dim, 1.0);
    b.out = new_rows(NULL, n, c->n_heads * c->head_dim, 1.0);
    return b;
}

static void free_batch(attention_batch *b)
{
    free(b->q.data);
    free(b->k.data);
    free(b->v.data);
    free(b->out.data);
}

/* Scratch for `planned` tokens, at least those of the longest sequence; what it holds before, and
 * what lies behind it, must not matter. */
static void run_batch(const memo_kernels *kernels, const attention_batch *b,
                      memo_precision precision, size_t planned)
{
    const attention_case *c = b->c;
    size_t n = memo_attention_scratch(planned, c->head_dim);
    float *scratch = memo_aligned_alloc((n + MEMO_PANEL) * sizeof *scratch);
    assert_true(n > 0);
    assert_non_null(scratch);
    for (size_t i = 0; i < n + MEMO_PANEL; i++)
        scratch[i] = NAN;
    memo_attention a = {b->n_seqs, b->cu_seqlens, c->n_heads, c->n_kv_heads, c->head_dim,
                        c->scale,  c->causal,     c->window,  precision,     b->q,
                        b->k,      b->v,          b->out};
    memo_attention_run(kernels, &a, scratch);
    for (size_t i = 0; i < MEMO_PANEL; i++)
        assert_true(isnan(scratch[n + i]));
    memo_aligned_free(scratch);
}

/* ---- the mathematics, in double ---- */

static int is_seen(const attention_case *c, size_t i, size_t j)
{
    size_t apart = i > j ? i - j : j - i;
    return (!c->causal || j <= i) && (!c->window || apart <= c->window);
}

/* softmax(scale q k') v for one head of row `row` of a sequence, and how far an element of the result
 * may be off when q, k, v and the weights are rounded to `unit` and sums are of floats.
 *
 * A score is off by 2 unit for the operands and (d + 1) u for the sum, each relative to scale
 * sum |q k|; one bound `e` serves all keys of the row, and makes each weight e + unit + 2^-12 (bf16:
 * its cheaper exp) or e + 2 ULP wrong, relative to the weight. The sum of weights has the same bound
 * and each of V's products another `unit`. An average of v that way is off by twice that times the
 * average of |v|. With blocks of 512 keys every one adds a few roundings of its own. */
static double reference_row(const attention_batch *b, size_t seq, size_t row, size_t head,
                            double unit, double *out)
{
    const attention_case *c = b->c;
    size_t d = c->head_dim, begin = b->cu_seqlens[seq], n = b->cu_seqlens[seq + 1] - begin;
    size_t kv = head / (c->n_heads / c->n_kv_heads);
    double scale = c->scale > 0 ? (double)c->scale : 1.0 / sqrt((double)d);
    const double u = (double)FLT_EPSILON;
    const float *q = b->q.data + (begin + row) * b->q.ld + head * d;
    double *score = calloc(n, sizeof *score), largest = -INFINITY, sum = 0, worst = 0;
    double magnitude[256] = {0};

    for (size_t t = 0; t < n; t++) {
        const float *k = b->k.data + (begin + t) * b->k.ld + kv * d;
        double size = 0;
        for (size_t i = 0; i < d; i++) {
            score[t] += scale * (double)q[i] * (double)k[i];
            size += scale * fabs((double)q[i] * (double)k[i]);
        }
        if (!is_seen(c, row, t))
            score[t] = -INFINITY;
        else
            worst = fmax(worst, size);
        largest = fmax(largest, score[t]);
    }
    memset(out, 0, d * sizeof *out);
    for (size_t t = 0; t < n; t++) {
        const float *v = b->v.data + (begin + t) * b->v.ld + kv * d;
        double p = exp(score[t] - largest);
        sum += p;
        for (size_t i = 0; i < d; i++) {
            out[i] += p * (double)v[i];
            magnitude[i] += p * fabs((double)v[i]);
        }
    }
    double blocks = (double)(n / 512 + 1), most = 0;
    double weight = worst * (2 * unit + ((double)d + 4) * u) + unit + (unit > u ? 0x1p-12 : 4 * u) +
                    blocks * 4 * u;
    double relative = 2 * expm1(weight) + unit + ((double)n + 8) * u;
    for (size_t i = 0; i < d; i++) {
        out[i] /= sum;
        most = fmax(most, magnitude[i] / sum);
    }
    free(score);
    return relative * most;
}

/* Compares every `step`-th row; returns how many elements were outside of the bound. */
static size_t count_wrong(const attention_batch *b, double unit, size_t step)
{
    const attention_case *c = b->c;
    size_t n_wrong = 0, width = c->n_heads * c->head_dim;
    double want[256];
    for (size_t seq = 0; seq < b->n_seqs; seq++) {
        size_t n = b->cu_seqlens[seq + 1] - b->cu_seqlens[seq];
        for (size_t t = 0; t < n; t += step) {
            const float *got = b->out.data + (b->cu_seqlens[seq] + t) * b->out.ld;
            for (size_t h = 0; h < c->n_heads; h++) {
                double bound = reference_row(b, seq, t, h, unit, want);
                for (size_t i = 0; i < c->head_dim; i++)
                    n_wrong += !(fabs((double)got[h * c->head_dim + i] - want[i]) <= bound);
            }
            for (size_t i = width; i < b->out.ld; i++)
                n_wrong += got[i] != CASE_REST;
        }
    }
    return n_wrong;
}

static double unit_of(const memo_kernels *kernels, memo_precision precision)
{
    return precision == MEMO_PRECISION_BF16 && kernels->bf16_inputs ? 0x1p-8 : (double)FLT_EPSILON;
}

static void check_case(const memo_kernels *kernels, const attention_case *c,
                       memo_precision precision)
{
    attention_batch b = new_batch(c, c->lengths[0] * 31 + c->head_dim);
    size_t n = b.cu_seqlens[b.n_seqs];
    run_batch(kernels, &b, precision, b.longest);
    size_t n_wrong = count_wrong(&b, unit_of(kernels, precision), n > 2000 ? 97 : n > 700 ? 13 : 1);
    if (n_wrong)
        fail_msg("%s, precision %d, %zu/%zu heads of %zu, causal %d, window %zu, first length %zu: "
                 "%zu elements beyond the bound",
                 memo_cpu_name(kernels->cpu), (int)precision, c->n_heads, c->n_kv_heads,
                 c->head_dim, c->causal, c->window, c->lengths[0], n_wrong);
    free_batch(&b);
}

/* On every level of this machine and in both precisions. */
static void check_everywhere(const attention_case *c)
{
    for (memo_cpu cpu = MEMO_CPU_REF; cpu < MEMO_CPU_COUNT; cpu++) {
        const memo_kernels *kernels = memo_kernels_for(cpu);
        if (!kernels)
            continue;
        check_case(kernels, c, MEMO_PRECISION_F32);
        if (kernels->bf16_inputs)
            check_case(kernels, c, MEMO_PRECISION_BF16);
    }
}

/* ---- tests ---- */

/* Around panels of 16, tiles of 4 to 32 rows, blocks of 96 rows and of 512 keys. */
static void test_attention_equals_double_reference(void **state)
{
    static const attention_case cases[] = {
        {1, 1, 8, 0, 0, 0, {1}},
        {3, 3, 24, 0, 0, 0, {2, 1, 3}},
        {12, 12, 32, 0, 0, 0, {8, 31, 5, 32}},
        {2, 2, 32, 0, 0, 0, {15, 16, 17, 33, 11, 13}},
        {1, 1, 1, 0, 0, 0, {47}},
        {2, 2, 64, 0, 0, 0, {95, 96, 97}},
        {1, 1, 128, 0, 0, 0, {100, 7}},
        {1, 1, 256, 0, 0, 0, {50, 193}},
        {1, 1, 40, 0, 0, 0.3f, {181}},
        {2, 1, 32, 0, 0, 0, {511, 512, 513}},
        {1, 1, 16, 0, 0, 0, {1300}},
        {1, 1, 7, 0, 0, 2.0f, {257}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_everywhere(&cases[i]);
}

static void test_attention_every_length(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 300; n++) {
        attention_case c = {1, 1, n % 2 ? 32 : 48, n % 3 == 0, 0, 0, {n}};
        const memo_kernels *kernels = memo_kernels_for(MEMO_CPU_AUTO);
        check_case(kernels, &c, MEMO_PRECISION_F32);
        check_case(kernels, &c, MEMO_PRECISION_BF16);
    }
}

static void test_attention_causal(void **state)
{
    static const attention_case cases[] = {
        {2, 2, 32, 1, 0, 0, {1, 2, 12, 13, 97}},
        {4, 2, 64, 1, 0, 0, {300, 31}},
        {1, 1, 16, 1, 0, 0, {1100}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_everywhere(&cases[i]);
}

/* A key exactly `window` away is seen, the next one is not; both ways and causal; windows around the
 * length, around tiles, and wide enough for several blocks of keys. */
static void test_attention_window(void **state)
{
    static const size_t windows[] = {1, 2, 15, 16, 17, 63, 64, 65, 127, 128, 129, SIZE_MAX};
    (void)state;
    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++) {
        for (int causal = 0; causal < 2; causal++) {
            attention_case c = {2, 1, 32, causal, windows[i], 0, {128, 1, 17, 210}};
            check_everywhere(&c);
        }
    }
    check_everywhere(&(attention_case){1, 1, 16, 0, 300, 0, {1500}});
    check_everywhere(&(attention_case){1, 1, 16, 1, 600, 0, {1500}});
}

static void test_attention_grouped_heads(void **state)
{
    static const attention_case cases[] = {
        {16, 8, 128, 1, 0, 0, {20, 3}},
        {3, 1, 256, 0, 4, 0, {30}},
        {6, 2, 40, 0, 0, 0, {70, 12}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_everywhere(&cases[i]);
}

/* Negative control: against the reference of another mask every comparison must fail. */
static void test_attention_reference_notices_a_wrong_mask(void **state)
{
    static const attention_case right = {2, 1, 32, 0, 64, 0, {150, 131}};
    (void)state;
    for (int i = 0; i < 5; i++) {
        attention_case wrong = right;
        if (i < 2)
            wrong.window = i ? 65 : 63;
        wrong.causal = i == 2;
        wrong.n_kv_heads = i == 3 ? 2 : 1;
        wrong.scale = i == 4 ? 0.2f : 0.0f;
        for (int precision = 0; precision < 2; precision++) {
            const memo_kernels *kernels = memo_kernels_for(MEMO_CPU_AUTO);
            attention_batch b = new_batch(&wrong, 5);
            run_batch(kernels, &b, (memo_precision)precision, b.longest);
            b.c = &right;
            /* One key in 129 more or less is below the bound of bf16 for most elements. */
            if (!count_wrong(&b, unit_of(kernels, (memo_precision)precision), 1))
                fail_msg("precision %d: difference %d was not noticed", precision, i);
            free_batch(&b);
        }
    }
}

/* The same sequences in another order, and each on its own: the same bits. */
static void check_order(const memo_kernels *kernels, const attention_case *c,
                        memo_precision precision)
{
    attention_batch b = new_batch(c, 77), one = b;
    size_t width = c->n_heads * c->head_dim * sizeof(float), n = b.cu_seqlens[b.n_seqs];
    run_batch(kernels, &b, precision, b.longest);
    one.n_seqs = 1;
    one.out = new_rows(NULL, n, c->n_heads * c->head_dim, 1.0);
    for (size_t seq = b.n_seqs; seq-- > 0;) {
        size_t begin = b.cu_seqlens[seq], length = b.cu_seqlens[seq + 1] - begin;
        memo_rows *views[] = {&one.q, &one.k, &one.v}, *all[] = {&b.q, &b.k, &b.v};
        for (size_t i = 0; i < 3; i++)
            views[i]->data = all[i]->data + begin * all[i]->ld;
        one.cu_seqlens[1] = length;
        run_batch(kernels, &one, precision, b.longest + seq);
        for (size_t t = 0; t < length; t++)
            assert_memory_equal(one.out.data + t * one.out.ld, b.out.data + (begin + t) * b.out.ld,
                                width);
    }
    free(one.out.data);
    free_batch(&b);
}

static void test_attention_bits_do_not_depend_on_the_batch(void **state)
{
    static const attention_case cases[] = {
        {2, 1, 32, 0, 0, 0, {8, 128, 1, 33, 97, 600}},
        {2, 2, 24, 1, 20, 0, {50, 3, 200, 90}},
    };
    (void)state;
    for (memo_cpu cpu = MEMO_CPU_REF; cpu < MEMO_CPU_COUNT; cpu++) {
        const memo_kernels *kernels = memo_kernels_for(cpu);
        for (size_t i = 0; kernels && i < sizeof cases / sizeof *cases; i++) {
            check_order(kernels, &cases[i], MEMO_PRECISION_F32);
            check_order(kernels, &cases[i], MEMO_PRECISION_BF16);
        }
    }
}

/* What is not a number stays in its sequence. */
static void test_attention_nan_stays_in_its_sequence(void **state)
{
    static const attention_case c = {1, 1, 32, 0, 0, 0, {20, 30, 20}};
    (void)state;
    for (int precision = 0; precision < 2; precision++) {
        attention_batch b = new_batch(&c, 3);
        b.v.data[35 * b.v.ld + 4] = NAN;
        b.k.data[22 * b.k.ld] = INFINITY;
        run_batch(memo_kernels_for(MEMO_CPU_AUTO), &b, (memo_precision)precision, b.longest);
        for (size_t t = 0; t < 70; t++)
            assert_int_equal(isnan(b.out.data[t * b.out.ld + 4]), t >= 20 && t < 50);
        free_batch(&b);
    }
}

/* Scores far apart and far from zero: the greatest is taken off before exp, block by block. */
static void test_attention_large_scores(void **state)
{
    static const attention_case c = {1, 1, 16, 0, 0, 30.0f, {700}};
    (void)state;
    for (memo_cpu cpu = MEMO_CPU_REF; cpu < MEMO_CPU_COUNT; cpu++) {
        const memo_kernels *kernels = memo_kernels_for(cpu);
        if (!kernels)
            continue;
        attention_batch b = new_batch(&c, 9);
        run_batch(kernels, &b, MEMO_PRECISION_F32, b.longest);
        assert_int_equal(count_wrong(&b, (double)FLT_EPSILON, 7), 0);
        run_batch(kernels, &b, MEMO_PRECISION_BF16, b.longest);
        for (size_t t = 0; t < 700; t++)
            assert_true(isfinite(b.out.data[t * b.out.ld]));
        free_batch(&b);
    }
}

/* Scratch grows with the length, not with its square, and never falls. */
static void test_attention_scratch(void **state)
{
    (void)state;
    size_t at_8k = memo_attention_scratch(8192, 64), at_64k = memo_attention_scratch(65536, 64);
    assert_true(at_8k > 0 && at_64k < 9 * at_8k);
    assert_int_equal(memo_attention_scratch(SIZE_MAX, 64), 0);
    assert_int_equal(memo_attention_scratch(64, SIZE_MAX), 0);
    assert_int_equal(memo_attention_scratch(SIZE_MAX / 128, SIZE_MAX / 128), 0);
    for (size_t n = 1; n < 6000; n++)
        assert_true(memo_attention_scratch(n, 32) <= memo_attention_scratch(n + 1, 32));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attention_equals_double_reference),
        cmocka_unit_test(test_attention_every_length),
        cmocka_unit_test(test_attention_causal),
        cmocka_unit_test(test_attention_window),
        cmocka_unit_test(test_attention_grouped_heads),
        cmocka_unit_test(test_attention_reference_notices_a_wrong_mask),
        cmocka_unit_test(test_attention_bits_do_not_depend_on_the_batch),
        cmocka_unit_test(test_attention_nan_stays_in_its_sequence),
        cmocka_unit_test(test_attention_large_scores),
        cmocka_unit_test(test_attention_scratch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
