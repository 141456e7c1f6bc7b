// SPDX-License-Identifier: Apache-2.0
/* The executor against a naive forward pass in double, written here from the papers. In class int8
 * the pass has the weights that the bytes stand for, and quantizes the input of every linear layer
 * as kernels.h says. */
#include "memo_test.h"

#include <math.h>

#include "base/cpu.h"
#include "base/rng.h"
#include "nn/transformer.h"
#include "quant/int8.h"
#include "quant/pack.h"

/* A random network: logical weights for the reference, packed ones for the executor. */
typedef struct net {
    memo_transformer t;
    memo_layer_weights *layers;
    float *logical; /* every tensor one after the other, in the order of net_take() */
    size_t n_logical, taken;
    const float *words; /* in logical */
    void *packed[64];
    size_t n_packed;
    memo_rng rng;
} net;

static float *net_take(net *n, size_t n_values, double base, double spread)
{
    float *at = n->logical + n->taken;
    n->taken += n_values;
    assert_true(n->taken <= n->n_logical);
    for (size_t i = 0; i < n_values; i++)
        at[i] = (float)(base + spread * memo_rng_normal(&n->rng));
    return at;
}

static void *net_alloc(net *n, size_t n_bytes)
{
    assert_true(n->n_packed < sizeof n->packed / sizeof *n->packed);
    return n->packed[n->n_packed++] = memo_aligned_alloc(n_bytes);
}

/* Bytes and scales of logical rows, which then become what the bytes stand for. */
static int8_t *net_quantize(net *n, float *rows, size_t n_rows, size_t n_cols, float **scale)
{
    int8_t *bytes = net_alloc(n, n_rows * n_cols);

    *scale = net_alloc(n, n_rows * sizeof **scale);
    for (size_t r = 0; r < n_rows; r++) {
        assert_true(
            memo_int8_quantize_row(n_cols, rows + r * n_cols, bytes + r * n_cols, &(*scale)[r]));
        memo_int8_dequantize_row(n_cols, bytes + r * n_cols, (*scale)[r], rows + r * n_cols);
    }
    return bytes;
}

static memo_linear net_linear(net *n, size_t n_out, size_t n_in)
{
    float *w = net_take(n, n_out * n_in, 0, 0.25);
    size_t panel = memo_pack_panel_values(n_in), n_panels = memo_pack_n_panels(n_out);
    int int8 = n->t.config.word_cls == MEMO_CLASS_INT8;
    memo_linear linear = {.cls = n->t.config.word_cls,
                          .n_in = n_in,
                          .n_out = n_out,
                          .panel_stride = int8 ? panel : panel * sizeof(float)};
    float *panels = net_alloc(n, n_panels * panel * sizeof *panels);
    int8_t *bytes = NULL;

    linear.panels = panels;
    if (int8) {
        float *scale;
        int32_t *sum = net_alloc(n, n_out * sizeof *sum);
        bytes = net_quantize(n, w, n_out, n_in, &scale);
        for (size_t r = 0; r < n_out; r++)
            sum[r] = memo_int8_sum_row(n_in, bytes + r * n_in);
        linear.scale = scale;
        linear.sum = sum;
    }
    for (size_t p = 0; p < n_panels; p++) {
        size_t rows = n_out - p * 16 < 16 ? n_out - p * 16 : 16;
        if (int8)
            memo_pack_int8(rows, n_in, bytes + p * 16 * n_in, (int8_t *)panels + p * panel);
        else
            memo_pack_f32(rows, n_in, w + p * 16 * n_in, panels + p * panel);
    }
    linear.bias = net_take(n, n_out, 0, 0.1);
    return linear;
}

static memo_word_table net_words(net *n, size_t n_rows, size_t dim)
{
    float *rows = net_take(n, n_rows * dim, 0, 1), *scale = NULL;

    n->words = rows;
    if (n->t.config.word_cls != MEMO_CLASS_INT8)
        return (memo_word_table){rows, NULL};
    int8_t *bytes = net_quantize(n, rows, n_rows, dim, &scale);
    return (memo_word_table){bytes, scale};
}

static memo_norm_weights net_norm(net *n, size_t dim)
{
    const float *gain = net_take(n, dim, 1, 0.2);
    return (memo_norm_weights){gain, net_take(n, dim, 0, 0.1)};
}

static void net_init(net *n, memo_transformer_config config, uint64_t seed)
{
    size_t dim = config.hidden_size, wide = config.intermediate_size;

    memset(n, 0, sizeof *n);
    memo_rng_init(&n->rng, seed);
    n->n_logical = (config.vocab_size + config.n_positions + config.n_token_types + 2) * dim +
                   config.n_layers * (4 * dim * dim + 2 * dim * wide + 9 * dim + wide);
    n->logical = calloc(n->n_logical, sizeof *n->logical);
    n->layers = calloc(config.n_layers, sizeof *n->layers);
    n->t.config = config;
    n->t.word = net_words(n, config.vocab_size, dim);
    n->t.position = net_take(n, config.n_positions * dim, 0, 1);
    if (config.n_token_types)
        n->t.token_type = net_take(n, config.n_token_types * dim, 0, 1);
    n->t.embedding_norm = net_norm(n, dim);
    for (size_t l = 0; l < config.n_layers; l++) {
        n->layers[l].qkv = net_linear(n, 3 * dim, dim);
        n->layers[l].out = net_linear(n, dim, dim);
        n->layers[l].up = net_linear(n, wide, dim);
        n->layers[l].down = net_linear(n, dim, wide);
        n->layers[l].attention_norm = net_norm(n, dim);
        n->layers[l].ffn_norm = net_norm(n, dim);
    }
    n->t.layers = n->layers;
}

static void net_fini(net *n)
{
    for (size_t i = 0; i < n->n_packed; i++)
        memo_aligned_free(n->packed[i]);
    free(n->layers);
    free(n->logical);
}

/* ---- reference ----------------------------------------------------------------------------- */

/* What the bytes of a row of activations stand for, with the roundings that kernels.h names. */
static void ref_quantize(const double *x, size_t n, double *out)
{
    float high = 0, low = 0;
    for (size_t i = 0; i < n; i++) {
        high = fmaxf(high, (float)x[i]);
        low = fmaxf(low, -(float)x[i]);
    }
    float half = high / 2 + low / 2, offset = high / 2 - low / 2;
    for (size_t i = 0; i < n; i++)
        out[i] = (double)offset +
                 (double)(half / 127) * (double)rintf(((float)x[i] - offset) * (127 / half));
}

/* The logical matrix of a linear lies right before its bias. */
static void ref_linear(const memo_linear *l, const double *x, double *y)
{
    const float *w = l->bias - l->n_out * l->n_in;
    double *bytes = calloc(l->n_in, sizeof *bytes);

    if (l->cls == MEMO_CLASS_INT8) {
        ref_quantize(x, l->n_in, bytes);
        x = bytes;
    }
    for (size_t o = 0; o < l->n_out; o++) {
        y[o] = (double)l->bias[o];
        for (size_t i = 0; i < l->n_in; i++)
            y[o] += (double)w[o * l->n_in + i] * x[i];
    }
    free(bytes);
}

static void ref_norm(memo_norm_weights w, double eps, size_t n, double *x)
{
    double mean = 0, var = 0;
    for (size_t i = 0; i < n; i++)
        mean += x[i] / (double)n;
    for (size_t i = 0; i < n; i++)
        var += (x[i] - mean) * (x[i] - mean) / (double)n;
    for (size_t i = 0; i < n; i++)
        x[i] = (x[i] - mean) / sqrt(var + eps) * (double)w.gain[i] + (double)w.bias[i];
}

/* Where bytes follow, the executor takes a GELU that errs by 2^-13, which memo_check holds against the
 * exact one; here its own value, so that few values fall on the other side between two bytes. */
static double ref_gelu(const memo_transformer_config *c, double x)
{
    if (c->activation == MEMO_ACTIVATION_GELU_TANH)
        return x / 2 * (1 + tanh(sqrt(2 / acos(-1)) * (x + 0.044715 * x * x * x)));
    if (c->word_cls == MEMO_CLASS_INT8) {
        float y = (float)x;
        memo_kernels_for(MEMO_CPU_REF)->gelu_erf_fast_f32(1, &y, &y);
        return (double)y;
    }
    return x / 2 * (1 + erf(x / sqrt(2)));
}

/* Attention of one token over all; qkv is [n, 3 * dim]. */
static void ref_attend(const memo_transformer_config *c, const double *qkv, size_t n, size_t row,
                       double *out)
{
    size_t dim = c->hidden_size, d = dim / c->n_heads;
    double *p = calloc(n, sizeof *p);

    memset(out, 0, dim * sizeof *out);
    for (size_t h = 0; h < c->n_heads; h++) {
        double sum = 0;
        for (size_t t = 0; t < n; t++) {
            double s = 0;
            for (size_t i = 0; i < d; i++)
                s += qkv[row * 3 * dim + h * d + i] * qkv[t * 3 * dim + dim + h * d + i];
            p[t] = exp(s / sqrt((double)d));
            sum += p[t];
        }
        for (size_t t = 0; t < n; t++)
            for (size_t i = 0; i < d; i++)
                out[h * d + i] += p[t] / sum * qkv[t * 3 * dim + 2 * dim + h * d + i];
    }
    free(p);
}

static void ref_layer(const memo_transformer_config *c, const memo_layer_weights *l, size_t n,
                      double *x)
{
    size_t dim = c->hidden_size;
    double *qkv = calloc(n * 3 * dim, sizeof *qkv);
    double *mix = calloc(dim, sizeof *mix), *y = calloc(dim, sizeof *y);
    double *wide = calloc(c->intermediate_size, sizeof *wide);

    for (size_t t = 0; t < n; t++)
        ref_linear(&l->qkv, x + t * dim, qkv + t * 3 * dim);
    for (size_t t = 0; t < n; t++) {
        ref_attend(c, qkv, n, t, mix);
        ref_linear(&l->out, mix, y);
        for (size_t i = 0; i < dim; i++)
            x[t * dim + i] += y[i];
        ref_norm(l->attention_norm, (double)c->norm_eps, dim, x + t * dim);
        ref_linear(&l->up, x + t * dim, wide);
        for (size_t i = 0; i < c->intermediate_size; i++)
            wide[i] = ref_gelu(c, wide[i]);
        ref_linear(&l->down, wide, y);
        for (size_t i = 0; i < dim; i++)
            x[t * dim + i] += y[i];
        ref_norm(l->ffn_norm, (double)c->norm_eps, dim, x + t * dim);
    }
    free(wide);
    free(y);
    free(mix);
    free(qkv);
}

static void ref_forward(const net *model, const uint32_t *ids, size_t n, double *vector)
{
    const memo_transformer_config *c = &model->t.config;
    size_t dim = c->hidden_size;
    double *x = calloc(n * dim, sizeof *x), length = 0;

    for (size_t t = 0; t < n; t++) {
        for (size_t i = 0; i < dim; i++)
            x[t * dim + i] = (double)model->words[ids[t] * dim + i] +
                             (double)model->t.position[t * dim + i] +
                             (model->t.token_type ? (double)model->t.token_type[i] : 0);
        ref_norm(model->t.embedding_norm, (double)c->norm_eps, dim, x + t * dim);
    }
    for (size_t l = 0; l < c->n_layers; l++)
        ref_layer(c, &model->layers[l], n, x);
    for (size_t i = 0; i < dim; i++) {
        vector[i] = c->pooling == MEMO_POOLING_LAST ? x[(n - 1) * dim + i] : x[i];
        for (size_t t = 1; t < n && c->pooling == MEMO_POOLING_MEAN; t++)
            vector[i] += x[t * dim + i];
        if (c->pooling == MEMO_POOLING_MEAN)
            vector[i] /= (double)n;
        length += vector[i] * vector[i];
    }
    for (size_t i = 0; i < dim && c->normalize; i++)
        vector[i] /= sqrt(length);
    free(x);
}

/* ---- tests --------------------------------------------------------------------------------- */

#define N_SEQS 6
static const size_t lengths[N_SEQS] = {5, 1, 17, 40, 2, 33};

static memo_transformer_config config_of(size_t dim, size_t heads, size_t wide)
{
    return (memo_transformer_config){
        .n_layers = 2,
        .hidden_size = dim,
        .n_heads = heads,
        .intermediate_size = wide,
        .vocab_size = 31,
        .n_positions = 40,
        .n_token_types = 2,
        .norm_eps = 1e-12f,
        .pooling = MEMO_POOLING_MEAN,
        .normalize = 1,
    };
}

/* Run some sequences of a batch with guarded scratch. */
static void run_some(const net *n, const uint32_t *ids, const size_t *cu, size_t first,
                     size_t count, float *vectors)
{
    memo_transformer_plan plan;
    size_t starts[N_SEQS + 1], longest = 0;
    unsigned char ok[N_SEQS];
    memo_err err = {0};

    for (size_t i = 0; i <= count; i++)
        starts[i] = cu[first + i] - cu[first];
    for (size_t i = 0; i < count; i++)
        longest = starts[i + 1] - starts[i] > longest ? starts[i + 1] - starts[i] : longest;
    assert_memo_ok(memo_transformer_plan_run(&n->t.config, starts[count], longest, &plan, &err),
                   err);
    unsigned char *scratch = memo_aligned_alloc(plan.scratch_bytes + 64);
    memset(scratch, 0xFF, plan.scratch_bytes + 64); /* NaN: nothing is read before it is written */
    memo_batch batch = {count, ids + cu[first], starts};
    memo_transformer_run(&n->t, &plan, &batch, (memo_workspace){.scratch = scratch}, (memo_tap){0},
                         vectors, ok);
    for (size_t i = 0; i < 64; i++)
        assert_int_equal(scratch[plan.scratch_bytes + i], 0xFF);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(ok[i], 1);
    memo_aligned_free(scratch);
}

/* Largest difference of a vector from the reference. */
static double ref_distance(const net *n, const uint32_t *ids, size_t n_ids, const float *vector)
{
    size_t dim = n->t.config.hidden_size;
    double *want = calloc(dim, sizeof *want), worst = 0;

    ref_forward(n, ids, n_ids, want);
    for (size_t i = 0; i < dim; i++) {
        double diff = fabs((double)vector[i] - want[i]);
        if (!(diff <= worst))
            worst = diff;
    }
    free(want);
    return worst;
}

static void check_net(memo_transformer_config config, uint64_t seed)
{
    /* Some 30 dependent sums of up to 200 products on values near 1, each norm taking the state back
     * to that size: 30 * 200 eps / 2 if all went one way. An activation that close to the middle
     * between two bytes may fall on either side in class int8: one step of 1/127 of the largest in
     * one product. About one value in 100,000 does; a wrong scale or sum moves every value. */
    double bound = 1e-5 * (config.normalize ? 1 : 4), stepped = 1500 * bound;
    uint32_t ids[256];
    size_t cu[N_SEQS + 1] = {0}, dim = config.hidden_size, n_levels = 0, n_stepped = 0;
    float *batch = calloc(N_SEQS, dim * sizeof *batch), *alone = calloc(dim, sizeof *alone);
    net n;

    net_init(&n, config, seed);
    for (size_t s = 0; s < N_SEQS; s++)
        cu[s + 1] = cu[s] + lengths[s];
    for (size_t i = 0; i < cu[N_SEQS]; i++)
        ids[i] = (uint32_t)memo_rng_below(&n.rng, config.vocab_size);
    for (memo_cpu cpu = MEMO_CPU_REF; cpu < MEMO_CPU_COUNT; cpu++) {
        n.t.kernels = memo_kernels_for(cpu);
        if (!n.t.kernels)
            continue;
        n_levels++;
        run_some(&n, ids, cu, 0, N_SEQS, batch);
        for (size_t s = 0; s < N_SEQS; s++) {
            run_some(&n, ids, cu, s, 1, alone);
            assert_memory_equal(alone, batch + s * dim, dim * sizeof *alone);
            double diff = ref_distance(&n, ids + cu[s], lengths[s], alone);
            n_stepped += !(diff <= bound);
            if (!(diff <= (config.word_cls == MEMO_CLASS_INT8 ? stepped : bound)))
                fail_msg("%s: sequence %zu is off by %g", memo_cpu_name(cpu), s, diff);
        }
    }
    if (n_stepped > n_levels * N_SEQS / 3)
        fail_msg("%zu of %zu sequences are off by more than %g", n_stepped, n_levels * N_SEQS,
                 bound);
    net_fini(&n);
    free(alone);
    free(batch);
}

static void check_nets(memo_class cls)
{
    memo_transformer_config c = config_of(48, 4, 100), d = config_of(40, 5, 72),
                            e = config_of(21, 3, 33);

    c.word_cls = d.word_cls = e.word_cls = cls;
    check_net(c, 1);
    check_net(d, 2); /* heads of 8, ragged panels */
    check_net(e, 3); /* nothing is a multiple of anything */
    c.pooling = MEMO_POOLING_CLS;
    c.activation = MEMO_ACTIVATION_GELU_TANH;
    check_net(c, 4);
    c.pooling = MEMO_POOLING_LAST;
    c.n_token_types = 0;
    c.normalize = 0;
    check_net(c, 5);
}

static void test_transformer_equals_double_reference(void **state)
{
    (void)state;
    check_nets(MEMO_CLASS_F32);
}

static void test_transformer_int8_equals_double_reference(void **state)
{
    (void)state;
    check_nets(MEMO_CLASS_INT8);
}

static void test_transformer_plan_refuses_sizes(void **state)
{
    memo_transformer_config c = config_of(48, 4, 100);
    memo_transformer_plan plan;
    memo_err err = {0};

    (void)state;
    c.n_heads = 5;
    assert_memo_status(memo_transformer_plan_run(&c, 10, 10, &plan, &err), MEMO_ERR_VALUE, err);
    c.n_heads = 4;
    assert_memo_status(memo_transformer_plan_run(&c, 10, 11, &plan, &err), MEMO_ERR_VALUE, err);
    assert_memo_status(memo_transformer_plan_run(&c, 0, 0, &plan, &err), MEMO_ERR_VALUE, err);
    assert_memo_status(memo_transformer_plan_run(&c, SIZE_MAX / 1000, 10, &plan, &err),
                       MEMO_ERR_VALUE, err);
    c.hidden_size = SIZE_MAX / 3 + 1;
    assert_memo_status(memo_transformer_plan_run(&c, 10, 10, &plan, &err), MEMO_ERR_VALUE, err);
}

/* A vector that is not finite or has no length is reported and not given out. */
static void test_transformer_refuses_bad_vectors(void **state)
{
    uint32_t ids[3] = {1, 2, 3};
    size_t cu[2] = {0, 3};
    memo_transformer_plan plan;
    unsigned char ok = 9;
    float vector[48];
    net n;

    (void)state;
    net_init(&n, config_of(48, 4, 100), 6);
    n.t.kernels = memo_kernels_for(MEMO_CPU_AUTO);
    assert_int_equal(memo_transformer_plan_run(&n.t.config, 3, 3, &plan, NULL), MEMO_OK);
    void *scratch = memo_aligned_alloc(plan.scratch_bytes);
    memo_batch batch = {1, ids, cu};
    float *gain = (float *)(uintptr_t)n.layers[1].ffn_norm.gain;
    float *bias = (float *)(uintptr_t)n.layers[1].ffn_norm.bias;
    gain[7] = NAN;
    memo_transformer_run(&n.t, &plan, &batch, (memo_workspace){.scratch = scratch}, (memo_tap){0},
                         vector, &ok);
    assert_int_equal(ok, 0);
    memset(gain, 0, 48 * sizeof *gain);
    memset(bias, 0, 48 * sizeof *bias);
    ok = 9;
    memo_transformer_run(&n.t, &plan, &batch, (memo_workspace){.scratch = scratch}, (memo_tap){0},
                         vector, &ok);
    assert_int_equal(ok, 0);
    memo_aligned_free(scratch);
    net_fini(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transformer_equals_double_reference),
        cmocka_unit_test(test_transformer_int8_equals_double_reference),
        cmocka_unit_test(test_transformer_plan_refuses_sizes),
        cmocka_unit_test(test_transformer_refuses_bad_vectors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
