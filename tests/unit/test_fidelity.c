// SPDX-License-Identifier: Apache-2.0
/* What a class costs, measured: figures against a second computation from the source's weights and
 * from the definitions, a poor model that must show where it is poor, golden folders good and bad. */
#include "memo_test.h"

#include <math.h>
#include <memolith/model.h>

#include "bert_source.h"
#include "model/verify/fidelity.h"

#define HIDDEN  20
#define LAYERS  2
#define POISON  "encoder.layer.1.output.dense.weight"
#define N_TEXTS 12

static const memo_text texts[N_TEXTS] = {
    MEMO_TEXT("the cat sat"),
    MEMO_TEXT("on the mat"),
    MEMO_TEXT("tea"),
    MEMO_TEXT("the river"),
    MEMO_TEXT("key , door"),
    MEMO_TEXT("a b c d e f g"),
    MEMO_TEXT("door . door . door !"),
    MEMO_TEXT("zz"),
    MEMO_TEXT("the tea on the mat"),
    MEMO_TEXT("cat cat cat"),
    MEMO_TEXT("seating"),
    MEMO_TEXT("river river key"),
};

typedef struct fidelity_env {
    memo_ctx *ctx;
    char dir[256], source[300];
    memo_model *f32, *int8;
} fidelity_env;

/* Write a source named `name`, compile it, open it. */
static memo_model *make_model(fidelity_env *e, const char *name, bert_spec spec, memo_class cls)
{
    memo_compile_options o = {.size = sizeof o, .cls = cls, .overwrite = 1};
    memo_model *model = NULL;
    memo_err err = {0};
    char source[400], path[500];

    snprintf(source, sizeof source, "%s/%s", e->dir, name);
    snprintf(path, sizeof path, "%s.%s.safetensors", source, memo_class_name(cls));
    mkdir(source, 0700);
    bert_write_model(source, spec);
    assert_memo_ok(memo_model_compile(e->ctx, source, path, &o, NULL, &err), err);
    assert_memo_ok(memo_model_open(e->ctx, path, NULL, &model, &err), err);
    return model;
}

static const bert_spec good = {
    .n_layers = LAYERS, .hidden = HIDDEN, .n_heads = 4, .intermediate = 24};

static int setup(void **state)
{
    fidelity_env *e = calloc(1, sizeof *e);
    memo_ctx_options o = {.size = sizeof o, .n_threads = 1};
    memo_err err = {0};

    memo_test_temp_dir(e->dir);
    assert_memo_ok(memo_ctx_new(&o, &e->ctx, &err), err);
    e->f32 = make_model(e, "good", good, MEMO_CLASS_F32);
    e->int8 = make_model(e, "good", good, MEMO_CLASS_INT8);
    snprintf(e->source, sizeof e->source, "%.255s/good", e->dir);
    *state = e;
    return 0;
}

static int teardown(void **state)
{
    fidelity_env *e = *state;
    memo_model_close(e->f32);
    memo_model_close(e->int8);
    memo_ctx_free(e->ctx);
    memo_test_remove_tree(e->dir);
    free(e);
    return 0;
}

static memo_fidelity_report *measure(memo_model *model, memo_model *against, const char *golden)
{
    memo_fidelity_options o = {.size = sizeof o, .against = against, .golden = golden};
    memo_fidelity_report *report = NULL;
    memo_err err = {0};

    assert_memo_ok(memo_model_fidelity(model, &o, &report, &err), err);
    return report;
}

static const memo_tensor_fidelity *find_tensor(const memo_fidelity_report *r, const char *name)
{
    for (size_t i = 0; i < r->n_tensors; i++)
        if (!strcmp(r->tensors[i].name, name))
            return &r->tensors[i];
    return NULL;
}

/* ---- tensors ------------------------------------------------------------------------------- */

/* Quantize one tensor of the source as quant/int8.h says, in double, and compare the figures. */
static void check_tensor(const fidelity_env *e, const memo_fidelity_report *r,
                         const char *in_source, const char *name)
{
    char path[512], *bytes = NULL;
    size_t n_bytes = 0;
    memo_safetensors *st = NULL;
    memo_err err = {0};
    double signal = 0, noise = 0, worst = 0;

    memo_test_path(path, e->source, "model.safetensors");
    assert_memo_ok(memo_file_slurp(path, 1 << 24, &bytes, &n_bytes, &err), err);
    assert_memo_ok(memo_safetensors_parse(bytes, n_bytes, path, &st, &err), err);
    const memo_st_tensor *t = memo_safetensors_find(st, in_source);
    assert_non_null(t);
    size_t n_rows = (size_t)t->shape[0], n_cols = (size_t)t->shape[1];
    for (size_t row = 0; row < n_rows; row++) {
        float w[64];
        double largest = 0;
        assert_true(n_cols <= 64);
        memcpy(w, bytes + t->begin + row * n_cols * sizeof *w, n_cols * sizeof *w);
        for (size_t i = 0; i < n_cols; i++)
            largest = fmax(largest, fabs((double)w[i]));
        for (size_t i = 0; i < n_cols; i++) {
            double step = largest / 127, error = fabs(w[i] - rint(w[i] / step) * step);
            signal += (double)w[i] * w[i];
            noise += error * error;
            worst = fmax(worst, error);
        }
    }
    const memo_tensor_fidelity *found = find_tensor(r, name);
    assert_non_null(found);
    assert_int_equal(found->cls, MEMO_CLASS_INT8);
    assert_int_equal(found->n_rows, n_rows);
    assert_int_equal(found->n_cols, n_cols);
    /* scales are rounded to float: 2^-24 of each value, far below a step */
    assert_true(fabs(found->snr_db - 10 * log10(signal / noise)) < 1e-3);
    assert_true(fabs(found->max_abs_error - worst) < 1e-6);
    memo_safetensors_free(st);
    memo_free(bytes);
}

static void test_fidelity_tensors_equal_second_computation(void **state)
{
    fidelity_env *e = *state;
    memo_fidelity_report *r = measure(e->int8, e->f32, NULL);

    assert_int_equal(r->n_tensors, 1 + 4 * LAYERS);
    assert_int_equal(r->n_equal, 4 + 8 * LAYERS);
    check_tensor(e, r, "embeddings.word_embeddings.weight", "embeddings.word");
    check_tensor(e, r, "encoder.layer.0.attention.output.dense.weight",
                 "layer.000.attention.out.weight");
    check_tensor(e, r, "encoder.layer.1.intermediate.dense.weight", "layer.001.ffn.up.weight");
    check_tensor(e, r, POISON, "layer.001.ffn.down.weight");
    memo_fidelity_free(r);
}

/* ---- whole models -------------------------------------------------------------------------- */

static void test_fidelity_of_a_model_to_itself(void **state)
{
    fidelity_env *e = *state;
    memo_fidelity_report *r = measure(e->f32, e->f32, NULL);
    memo_err err = {0};
    double found;

    assert_int_equal(r->n_tensors, 0);
    assert_int_equal(r->n_layers, LAYERS + 1);
    for (size_t i = 0; i < r->n_layers; i++) {
        assert_true(fabs(r->layers[i].cosine_min - 1) < 1e-12);
        assert_true(r->layers[i].relative_error == 0);
    }
    assert_int_equal(r->against.n_texts, MEMO_OWN_TEXTS);
    assert_true(fabs(r->against.cosine_min - 1) < 1e-12);
    assert_true(r->against.top10_overlap == 1 && fabs(r->against.spearman - 1) < 1e-12);
    assert_int_equal(r->golden.n_texts, 0);
    assert_memo_ok(memo_fidelity_gate(r, "snr", 1000, &found, &err), err);
    assert_true(isinf(found));
    memo_fidelity_free(r);
    memo_fidelity_free(NULL);
}

/* int8 is near, not equal, and further from f32 with every layer's own error added. */
static void test_fidelity_of_int8(void **state)
{
    fidelity_env *e = *state;
    memo_fidelity_report *r = measure(e->int8, e->f32, NULL);

    for (size_t i = 0; i < r->n_layers; i++) {
        const memo_layer_fidelity *l = &r->layers[i];
        assert_true(l->cosine_min > 0.99 && l->cosine_min < 1 && l->cosine_mean >= l->cosine_min);
        assert_true(l->relative_error > 0 && l->relative_error < 0.1);
    }
    assert_true(r->against.cosine_min > 0.99 && r->against.cosine_mean < 1);
    assert_true(r->against.cosine_p01 >= r->against.cosine_min);
    assert_true(r->against.worst < MEMO_OWN_TEXTS);
    memo_text worst = memo_own_texts[r->against.worst];
    assert_memory_equal(r->against.worst_text, worst.bytes, strlen(r->against.worst_text));
    memo_fidelity_free(r);
}

/* One weight of layer 1 is wrong: tensors and layers say where, and every gate that a good int8
 * model passes fails. */
static void test_fidelity_gates_fail_for_a_poor_model(void **state)
{
    static const struct {
        const char *figure;
        double least;
    } gates[] = {{"cos", 0.995},  {"cos-p01", 0.99}, {"cos-min", 0.99}, {"spearman", 0.98},
                 {"layer", 0.99}, {"snr", 30},       {"top10", 0.8}};
    fidelity_env *e = *state;
    bert_spec spec = good;
    memo_err err = {0};

    spec.poisoned = POISON;
    spec.poison_at = 3 * 24 + 5;
    spec.poison = 400;
    memo_model *poor = make_model(e, "poor", spec, MEMO_CLASS_INT8);
    memo_fidelity_report *bad = measure(poor, e->f32, NULL);
    memo_fidelity_report *r = measure(e->int8, e->f32, NULL);
    for (size_t i = 0; i < r->n_tensors; i++) {
        int poisoned = !strcmp(r->tensors[i].name, "layer.001.ffn.down.weight");
        assert_true(poisoned ? bad->tensors[i].snr_db < 0 && bad->tensors[i].max_abs_error > 390
                             : bad->tensors[i].snr_db == r->tensors[i].snr_db);
    }
    for (size_t i = 0; i < LAYERS; i++) /* embeddings and layer 0 */
        assert_memory_equal(&bad->layers[i], &r->layers[i], sizeof r->layers[i]);
    assert_true(bad->layers[LAYERS].cosine_mean < 0.9);
    for (size_t i = 0; i < sizeof gates / sizeof *gates; i++) {
        double found = -1;
        assert_memo_ok(memo_fidelity_gate(r, gates[i].figure, gates[i].least, NULL, &err), err);
        assert_memo_status(memo_fidelity_gate(bad, gates[i].figure, gates[i].least, &found, &err),
                           MEMO_ERR_VERIFY, err);
        assert_contains(err.message, gates[i].figure);
        assert_true(found < gates[i].least);
    }
    memo_fidelity_free(bad);
    memo_fidelity_free(r);
    memo_model_close(poor);
}

static void test_fidelity_gate_names(void **state)
{
    memo_layer_fidelity layer = {.cosine_mean = NAN};
    memo_fidelity_report r = {.golden = {.n_texts = 2, .cosine_mean = 0.5}};
    memo_err err = {0};
    double found = 0;

    (void)state;
    assert_memo_status(memo_fidelity_gate(&r, "cosine", 0, NULL, &err), MEMO_ERR_USAGE, err);
    assert_contains(err.message, "cos-p01");
    assert_memo_status(memo_fidelity_gate(&r, "layer", 0, NULL, &err), MEMO_ERR_USAGE, err);
    assert_memo_status(memo_fidelity_gate(&r, "snr", 0, NULL, &err), MEMO_ERR_USAGE, err);
    assert_memo_ok(memo_fidelity_gate(&r, "cos", 0.5, &found, &err), err);
    assert_true(found == 0.5);
    r.against = (memo_texts_fidelity){.n_texts = 2, .cosine_mean = 0.25}; /* the lesser counts */
    assert_memo_status(memo_fidelity_gate(&r, "cos", 0.5, &found, &err), MEMO_ERR_VERIFY, err);
    assert_true(found == 0.25);
    r.layers = &layer;
    r.n_layers = 1;
    assert_memo_status(memo_fidelity_gate(&r, "layer", -1, NULL, &err), MEMO_ERR_VERIFY, err);
}

static void test_fidelity_refuses_another_network(void **state)
{
    fidelity_env *e = *state;
    memo_fidelity_options o = {.size = sizeof o};
    memo_fidelity_report *r = NULL;
    bert_spec wide = good, deep = good;
    memo_err err = {0};
    char vocab[512];

    assert_memo_status(memo_model_fidelity(e->int8, NULL, &r, &err), MEMO_ERR_USAGE, err);
    wide.intermediate = 28;
    deep.n_layers = LAYERS + 1;
    memo_model *others[] = {make_model(e, "wide", wide, MEMO_CLASS_F32),
                            make_model(e, "deep", deep, MEMO_CLASS_F32), NULL};
    /* the same sizes, two words of the vocabulary in each other's place */
    memo_test_path(vocab, e->source, "vocab.txt");
    char *text = NULL;
    size_t n = 0;
    assert_memo_ok(memo_file_slurp(vocab, 1 << 16, &text, &n, &err), err);
    memcpy(strstr(text, "\ncat\nsat\n"), "\nsat\ncat\n", 9);
    memo_test_write_file(vocab, text, n);
    memo_free(text);
    memo_compile_options compile = {.size = sizeof compile};
    char path[512];
    memo_test_path(path, e->dir, "swapped.safetensors");
    assert_memo_ok(memo_model_compile(e->ctx, e->source, path, &compile, NULL, &err), err);
    assert_memo_ok(memo_model_open(e->ctx, path, NULL, &others[2], &err), err);
    static const char *const messages[] = {"another network", "another network",
                                           "another tokenizer"};
    for (size_t i = 0; i < 3; i++) {
        o.against = others[i];
        assert_memo_status(memo_model_fidelity(e->int8, &o, &r, &err), MEMO_ERR_MISMATCH, err);
        assert_contains(err.message, messages[i]);
        memo_model_close(others[i]);
    }
    assert_null(r);
}

/* The good model of class f32 with the first `dims` dimensions. */
static memo_model *make_shorter(const fidelity_env *e, size_t dims)
{
    memo_compile_options o = {.size = sizeof o, .dims = dims, .overwrite = 1};
    memo_model *model = NULL;
    memo_err err = {0};
    char path[400];

    snprintf(path, sizeof path, "%s/dims.%zu.safetensors", e->dir, dims);
    assert_memo_ok(memo_model_compile(e->ctx, e->source, path, &o, NULL, &err), err);
    assert_memo_ok(memo_model_open(e->ctx, path, NULL, &model, &err), err);
    return model;
}

/* The first dimensions of the reference are what a model of fewer dimensions keeps: same weights,
 * same vectors. The other way round there is nothing to compare the rest with. */
static void test_fidelity_of_fewer_dimensions(void **state)
{
    fidelity_env *e = *state;
    memo_model *shorter = make_shorter(e, 8);
    memo_fidelity_options o = {.size = sizeof o, .against = shorter};
    memo_fidelity_report *r = measure(shorter, e->f32, NULL);
    memo_err err = {0};

    assert_true(fabs(r->against.cosine_min - 1) < 1e-6);
    assert_true(r->against.top10_overlap == 1 && r->against.spearman > 1 - 1e-6);
    memo_fidelity_free(r);
    r = NULL;
    assert_memo_status(memo_model_fidelity(e->f32, &o, &r, &err), MEMO_ERR_MISMATCH, err);
    assert_contains(err.message, "reference's vectors have 8 dimensions, the model's have 20");
    assert_null(r);
    memo_model_close(shorter);
}

/* ---- vectors ------------------------------------------------------------------------------- */

static double naive_cosine(const float *a, const float *b, size_t n)
{
    double ab = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < n; i++)
        ab += (double)a[i] * b[i], aa += (double)a[i] * a[i], bb += (double)b[i] * b[i];
    return ab / (sqrt(aa) * sqrt(bb));
}

/* Rank of value i among n, from 1, by counting. */
static double naive_rank(const double *v, size_t n, size_t i)
{
    size_t less = 0, equal = 0;
    for (size_t j = 0; j < n; j++)
        less += v[j] < v[i], equal += v[j] == v[i];
    return (double)less + (double)(equal + 1) / 2;
}

enum { VN = 30, VDIM = 4, VPAIRS = VN * (VN - 1) / 2 };

static void test_fidelity_vectors_equal_definitions(void **state)
{
    float a[VN * VDIM], b[VN * VDIM];
    double cosines[VN], sim_a[VPAIRS], sim_b[VPAIRS], mean = 0, d2 = 0, kept = 0;
    memo_texts_fidelity out;
    memo_err err = {0};
    memo_rng rng;
    size_t n = 0, worst = 0;

    (void)state;
    memo_rng_init(&rng, 7);
    for (size_t i = 0; i < VN * VDIM; i++) {
        a[i] = (float)memo_rng_normal(&rng);
        b[i] = a[i] + 0.3f * (float)memo_rng_normal(&rng);
    }
    for (size_t i = 0; i < VN; i++) {
        cosines[i] = naive_cosine(a + i * VDIM, b + i * VDIM, VDIM);
        mean += cosines[i] / VN;
        worst = cosines[i] < cosines[worst] ? i : worst;
        for (size_t j = i + 1; j < VN; j++, n++) {
            sim_a[n] = naive_cosine(a + i * VDIM, a + j * VDIM, VDIM);
            sim_b[n] = naive_cosine(b + i * VDIM, b + j * VDIM, VDIM);
        }
        for (size_t j = 0; j < VN; j++) { /* j is a neighbour when fewer than 10 are nearer */
            size_t nearer_a = 0, nearer_b = 0;
            for (size_t k = 0; k < VN; k++) {
                if (k == i || k == j)
                    continue;
                nearer_a += naive_cosine(a + i * VDIM, a + k * VDIM, VDIM) >
                            naive_cosine(a + i * VDIM, a + j * VDIM, VDIM);
                nearer_b += naive_cosine(b + i * VDIM, b + k * VDIM, VDIM) >
                            naive_cosine(b + i * VDIM, b + j * VDIM, VDIM);
            }
            kept += j != i && nearer_a < 10 && nearer_b < 10;
        }
    }
    for (size_t p = 0; p < VPAIRS; p++) {
        double d = naive_rank(sim_a, VPAIRS, p) - naive_rank(sim_b, VPAIRS, p);
        d2 += d * d;
    }
    assert_memo_ok(memo_fidelity_vectors(a, b, VN, VDIM, &out, &err), err);
    assert_int_equal(out.n_texts, VN);
    assert_int_equal(out.worst, worst);
    assert_true(fabs(out.cosine_mean - mean) < 1e-12);
    assert_true(fabs(out.cosine_min - cosines[worst]) < 1e-12);
    assert_true(fabs(out.top10_overlap - kept / (VN * 10)) < 1e-12);
    /* without ties, which random vectors do not have */
    assert_true(fabs(out.spearman - (1 - 6 * d2 / ((double)VPAIRS * VPAIRS * VPAIRS - VPAIRS))) <
                1e-9);
}

/* Of 250 texts the 1st percentile leaves two below it. */
static void test_fidelity_first_percentile(void **state)
{
    static float a[250 * 2], b[250 * 2];
    memo_texts_fidelity out;
    memo_err err = {0};

    (void)state;
    for (size_t i = 0; i < 250; i++) {
        double angle = 0.001 * (double)((i * 77) % 250); /* 77 and 250 have no common factor */
        a[2 * i] = 1;
        b[2 * i] = (float)cos(angle);
        b[2 * i + 1] = (float)sin(angle);
    }
    assert_memo_ok(memo_fidelity_vectors(a, b, 250, 2, &out, &err), err);
    assert_true(fabs(out.cosine_min - cos(0.249)) < 1e-6);
    assert_true(fabs(out.cosine_p01 - cos(0.247)) < 1e-6);
    b[0] = b[1] = 0; /* no length: the worst there is */
    assert_memo_ok(memo_fidelity_vectors(a, b, 250, 2, &out, &err), err);
    assert_true(out.cosine_min == -1 && out.worst == 0);
}

/* ---- golden folders ------------------------------------------------------------------------ */

/* `n_rows` rows of doubles under the header that NumPy writes. */
static void write_npy(const char *folder, const char *name, const float *v, size_t n_rows,
                      size_t dim)
{
    static unsigned char file[65536];
    char path[512], literal[128];
    int n =
        snprintf(literal, sizeof literal,
                 "{'descr': '<f8', 'fortran_order': False, 'shape': (%zu, %zu), }\n", n_rows, dim);
    memcpy(file, "\x93NUMPY\x01\x00", 8);
    file[8] = (unsigned char)n;
    file[9] = 0;
    memcpy(file + 10, literal, (size_t)n);
    for (size_t i = 0; i < n_rows * dim; i++) {
        double d = (double)v[i];
        memcpy(file + 10 + (size_t)n + 8 * i, &d, 8);
    }
    memo_test_path(path, folder, name);
    memo_test_write_file(path, file, 10 + (size_t)n + 8 * n_rows * dim);
}

/* texts.jsonl and the vectors of f32. */
static void write_golden(const fidelity_env *e, const char *folder, float *v)
{
    memo_embed_options o = {.size = sizeof o, .role = MEMO_ROLE_NONE};
    memo_err err = {0};
    char lines[4096], path[512];
    size_t n = 0;

    assert_memo_ok(memo_model_embed(e->f32, &o, texts, N_TEXTS, v, NULL, &err), err);
    for (size_t i = 0; i < N_TEXTS; i++) /* the first four bytes are given as a prefix at times */
        n += (size_t)(i % 3 || texts[i].n_bytes < 5
                          ? snprintf(lines + n, sizeof lines - n, "{\"text\": \"%s\"}\n",
                                     texts[i].bytes)
                          : snprintf(lines + n, sizeof lines - n,
                                     "{\"prefix\": \"%.4s\", \"text\": \"%s\"}\n", texts[i].bytes,
                                     texts[i].bytes + 4));
    mkdir(folder, 0700);
    memo_test_path(path, folder, "texts.jsonl");
    memo_test_write_file(path, lines, n);
    write_npy(folder, "emb_f64.npy", v, N_TEXTS, HIDDEN);
}

static void test_fidelity_golden(void **state)
{
    fidelity_env *e = *state;
    float v[N_TEXTS * HIDDEN], ours[N_TEXTS * HIDDEN];
    memo_embed_options o = {.size = sizeof o, .role = MEMO_ROLE_NONE};
    memo_err err = {0};
    char folder[300], above[512], path[512], lines[1024], index[1024];
    double mean = 0;

    snprintf(folder, sizeof folder, "%.255s/golden", e->dir);
    write_golden(e, folder, v);
    memo_fidelity_report *r = measure(e->f32, NULL, folder);
    assert_int_equal(r->golden.n_texts, N_TEXTS);
    assert_true(fabs(r->golden.cosine_min - 1) < 1e-12);
    assert_int_equal(r->n_layers, 0);
    assert_int_equal(r->against.n_texts, 0);
    memo_fidelity_free(r);

    assert_memo_ok(memo_model_embed(e->int8, &o, texts, N_TEXTS, ours, NULL, &err), err);
    for (size_t i = 0; i < N_TEXTS; i++)
        mean += naive_cosine(ours + i * HIDDEN, v + i * HIDDEN, HIDDEN) / N_TEXTS;
    r = measure(e->int8, e->f32, folder);
    assert_true(fabs(r->golden.cosine_mean - mean) < 1e-12);
    assert_true(fabs(r->against.cosine_mean - mean) < 1e-12);
    assert_int_equal(r->n_layer_texts, N_TEXTS);
    memo_fidelity_free(r);

    /* The same through an index: bare texts above, and backwards. */
    memo_test_path(above, folder, "texts.jsonl");
    unlink(above);
    size_t n = 0, n_index = 0;
    for (size_t i = 0; i < N_TEXTS; i++) {
        size_t from = N_TEXTS - 1 - i; /* line `from` without its first letter, which is a prefix */
        n += (size_t)snprintf(lines + n, sizeof lines - n, "{\"text\": \"%s\"}\n",
                              texts[i].bytes + 1);
        n_index +=
            (size_t)snprintf(index + n_index, sizeof index - n_index,
                             "{\"i\": %zu, \"prefix\": \"%.1s\"}\n", from, texts[from].bytes);
    }
    memo_test_write_file(memo_test_path(path, e->dir, "texts.jsonl"), lines, n);
    memo_test_write_file(memo_test_path(path, folder, "tokens.jsonl"), index, n_index);
    r = measure(e->f32, NULL, folder);
    assert_true(r->golden.cosine_min < 0.99); /* the vectors stand the other way round */
    memo_fidelity_free(r);
    for (size_t i = 0; i < N_TEXTS; i++)
        memcpy(ours + i * HIDDEN, v + (N_TEXTS - 1 - i) * HIDDEN, HIDDEN * sizeof *v);
    write_npy(folder, "emb_f64.npy", ours, N_TEXTS, HIDDEN);
    r = measure(e->f32, NULL, folder);
    assert_true(fabs(r->golden.cosine_min - 1) < 1e-12);
    memo_fidelity_free(r);
}

static void test_fidelity_golden_refuses(void **state)
{
    fidelity_env *e = *state;
    float v[N_TEXTS * HIDDEN], bad[N_TEXTS * HIDDEN];
    memo_fidelity_report *r = NULL;
    memo_err err = {0};
    char folder[300], lines[512], tokens[512], table[512];
    memo_fidelity_options o = {.size = sizeof o, .golden = folder};
#define REFUSED(status, part)                                                                      \
    do {                                                                                           \
        assert_memo_status(memo_model_fidelity(e->f32, &o, &r, &err), status, err);                \
        assert_contains(err.message, part);                                                        \
    } while (0)
#define PUT(path, text) memo_test_write_file(path, text, strlen(text))

    snprintf(folder, sizeof folder, "%.255s/golden", e->dir);
    REFUSED(MEMO_ERR_IO, "texts.jsonl");
    write_golden(e, folder, v);
    memo_test_path(lines, folder, "texts.jsonl");
    memo_test_path(tokens, folder, "tokens.jsonl");
    memo_test_path(table, folder, "emb_f64.npy");
    write_npy(folder, "emb_f64.npy", v, N_TEXTS - 1, HIDDEN);
    REFUSED(MEMO_ERR_VALUE, "11 rows for 12 texts");
    write_npy(folder, "emb_f64.npy", v, N_TEXTS, HIDDEN - 1);
    REFUSED(MEMO_ERR_MISMATCH, "vectors of 19 dimensions; the model's have 20");
    memcpy(bad, v, sizeof v);
    memset(bad + 4 * HIDDEN, 0, HIDDEN * sizeof *bad);
    write_npy(folder, "emb_f64.npy", bad, N_TEXTS, HIDDEN);
    REFUSED(MEMO_ERR_VALUE, "row 4");
    memcpy(bad, v, sizeof v);
    bad[5 * HIDDEN + 1] = NAN;
    write_npy(folder, "emb_f64.npy", bad, N_TEXTS, HIDDEN);
    REFUSED(MEMO_ERR_VALUE, "row 5");
    PUT(table, "not a table");
    REFUSED(MEMO_ERR_FORMAT, "emb_f64.npy");
    unlink(table);
    REFUSED(MEMO_ERR_IO, "emb_f32.npy");
    PUT(lines, "{\"text\": \"a\"}\n");
    REFUSED(MEMO_ERR_VALUE, "1 texts");
    PUT(lines, "");
    REFUSED(MEMO_ERR_VALUE, "0 texts");
    PUT(lines, "{\"text\": \"a\"}\n{\"text\": 7}\n");
    REFUSED(MEMO_ERR_FORMAT, "line 2");
    PUT(lines, "{\"text\": \"a\"}\n[]\n");
    REFUSED(MEMO_ERR_FORMAT, "line 2: not an object");
    PUT(lines, "{\"text\": \"a\"}\n{\n");
    REFUSED(MEMO_ERR_FORMAT, "line 2");
    PUT(lines, "{\"text\": \"a\", \"prefix\": 1}\n{\"text\": \"a\"}\n");
    REFUSED(MEMO_ERR_VALUE, "prefix");
    PUT(tokens, "{\"i\": 0}\n{\"i\": 1}\n");
    REFUSED(MEMO_ERR_IO, "texts.jsonl"); /* it belongs in the folder above now */
    memo_test_path(lines, e->dir, "texts.jsonl");
    PUT(lines, "{\"text\": \"a\"}\n");
    REFUSED(MEMO_ERR_VALUE, "line 2 is named, and there are 1");
    PUT(tokens, "{\"i\": 0}\n{\"i\": -1}\n");
    REFUSED(MEMO_ERR_VALUE, "i");
    PUT(tokens, "{\"i\": 0}\n{}\n");
    REFUSED(MEMO_ERR_FORMAT, "i");
    assert_null(r);
}

/* ---- damage, cancelling, memory ------------------------------------------------------------ */

static void test_fidelity_finds_damage(void **state)
{
    fidelity_env *e = *state;
    char path[512], *bytes = NULL;
    size_t n = 0;
    memo_model *damaged = NULL;
    memo_fidelity_report *r = NULL;
    memo_err err = {0};

    snprintf(path, sizeof path, "%.255s/good.f32.safetensors", e->dir);
    assert_memo_ok(memo_file_slurp(path, 1 << 24, &bytes, &n, &err), err);
    bytes[20000] ^= 1; /* in the embeddings, which opening does not read */
    memo_test_path(path, e->dir, "damaged.safetensors");
    memo_test_write_file(path, bytes, n);
    memo_free(bytes);
    assert_memo_ok(memo_model_open(e->ctx, path, NULL, &damaged, &err), err);
    memo_fidelity_options o = {.size = sizeof o, .against = damaged};
    assert_memo_status(memo_model_fidelity(e->int8, &o, &r, &err), MEMO_ERR_CORRUPT, err);
    o.against = e->int8;
    assert_memo_status(memo_model_fidelity(damaged, &o, &r, &err), MEMO_ERR_CORRUPT, err);
    memo_model_close(damaged);
}

static int stop_at_once(void *user, const memo_progress *at)
{
    (void)user, (void)at;
    return 1;
}

static void test_fidelity_can_be_cancelled(void **state)
{
    fidelity_env *e = *state;
    memo_fidelity_options o = {.size = sizeof o, .against = e->f32, .progress = stop_at_once};
    memo_fidelity_report *r = NULL;
    memo_err err = {0};

    assert_memo_status(memo_model_fidelity(e->int8, &o, &r, &err), MEMO_ERR_CANCELLED, err);
    assert_null(r);
}

typedef struct sweep_env {
    const fidelity_env *e;
    const char *golden;
} sweep_env;

static memo_status measure_once(void *user, memo_err *err)
{
    const sweep_env *s = user;
    memo_fidelity_options o = {.size = sizeof o, .against = s->e->f32, .golden = s->golden};
    memo_fidelity_report *r = NULL;
    memo_status status = memo_model_fidelity(s->e->int8, &o, &r, err);
    memo_fidelity_free(r);
    return status;
}

static void test_fidelity_without_memory(void **state)
{
    float v[N_TEXTS * HIDDEN];
    char folder[300];
    sweep_env s = {*state, folder};

    snprintf(folder, sizeof folder, "%.255s/golden", s.e->dir);
    write_golden(s.e, folder, v);
    assert_true(memo_test_alloc_sweep(measure_once, &s) > 40);
}

#define IN_ENV(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_ENV(test_fidelity_tensors_equal_second_computation),
        IN_ENV(test_fidelity_of_a_model_to_itself),
        IN_ENV(test_fidelity_of_int8),
        IN_ENV(test_fidelity_gates_fail_for_a_poor_model),
        cmocka_unit_test(test_fidelity_gate_names),
        IN_ENV(test_fidelity_refuses_another_network),
        IN_ENV(test_fidelity_of_fewer_dimensions),
        cmocka_unit_test(test_fidelity_vectors_equal_definitions),
        cmocka_unit_test(test_fidelity_first_percentile),
        IN_ENV(test_fidelity_golden),
        IN_ENV(test_fidelity_golden_refuses),
        IN_ENV(test_fidelity_finds_damage),
        IN_ENV(test_fidelity_can_be_cancelled),
        IN_ENV(test_fidelity_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
