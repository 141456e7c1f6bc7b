// SPDX-License-Identifier: Apache-2.0
/* Bad vectors, by number. No call takes a vector from its caller: they come out of a model and lie in
 * the store, so that is where the bad ones are put.
 *
 *   180  test_limits_180_not_finite_out_of_a_model, test_limits_180_not_finite_into_the_store
 *   181  test_limits_181_no_length_out_of_a_model, test_limits_181_no_length_into_the_store
 *   182  test_limits_182_huge_and_tiny_components (in the file: test_search_leaves_out_vectors_...)
 *   183  test_limits_183_another_dimension, test_limits_183_dimension_out_of_range
 *   184  test_limits_184_one_bad_vector_refuses_the_batch
 *   187  test_limits_187_number_of_hits
 *   188  test_limits_188_negative_zero_is_zero
 *
 * 185 (arrays of Python) belongs to what is not built yet; 186 is in test_external.c, and other ties by
 * id in test_search_orders_ties_by_id. */
#include <float.h>
#include <math.h>

#include "base/cpu.h"
#include "bert_source.h"
#include "db_util.h"
#include "index/exact.h"
#include "limits_gauge.h"
#include "store_util.h"

/* ---- models that make bad vectors ------------------------------------------------------------ */

enum { CAT = 5 + 26 + 26 + 1 }; /* the token "cat" of bert_source.h */

#define LAST_NORM "encoder.layer.1.output.LayerNorm"

/* Compile a bent source in a folder of its own and open it. */
static memo_model *bent_model(db_env *e, const char *name, bert_spec spec, int normalized)
{
    const memo_compile_options options = {
        .size = sizeof options, .name = name, .allow_nonfinite = 1, .overwrite = 1};
    memo_model *model = NULL;
    char source[300], pooling[512], out[512];
    snprintf(source, sizeof source, "%s/%s", e->dir, name);
    mkdir(source, 0700);
    bert_write_model(source, spec);
    if (!normalized) {
        mkdir(memo_test_path(pooling, source, "1_Pooling"), 0700);
        bert_write_text(source, "1_Pooling/config.json", "{\"pooling_mode_mean_tokens\":true}");
        bert_write_text(source, "modules.json",
                        "[{\"idx\":0,\"name\":\"0\",\"path\":\"\","
                        "\"type\":\"sentence_transformers.models.Transformer\"},"
                        "{\"idx\":1,\"name\":\"1\",\"path\":\"1_Pooling\","
                        "\"type\":\"sentence_transformers.models.Pooling\"}]");
    }
    snprintf(out, sizeof out, "%s/%s.safetensors", e->dir, name);
    assert_memo_ok(memo_model_compile(e->ctx, source, out, &options, NULL, &e->err), e->err);
    assert_memo_ok(memo_model_open(e->ctx, out, NULL, &model, &e->err), e->err);
    return model;
}

/* The store of the test belongs to this model from here on. */
static memo_model *bent_store(db_env *e, const char *name, bert_spec spec, int normalized)
{
    memo_model *model = bent_model(e, name, spec, normalized);
    db_reopen(e, model);
    return model;
}

static void bent_close(db_env *e, memo_model *model)
{
    memo_db_close(e->db);
    e->db = NULL;
    memo_model_close(model);
}

static uint64_t n_records(db_env *e)
{
    memo_db_stats stats = {.size = sizeof stats};
    assert_memo_ok(memo_db_get_stats(e->db, &stats, &e->err), e->err);
    return stats.n_records;
}

static memo_status embed_one(db_env *e, memo_model *model, const char *text, float *out)
{
    const memo_text t = {text, strlen(text)};
    return memo_model_embed(model, NULL, &t, 1, out, NULL, &e->err);
}

static memo_status add_one(db_env *e, const char *text)
{
    const memo_record_in in = db_record("k", text);
    return memo_db_add(e->db, NULL, &in, 1, NULL, &e->err);
}

static memo_status search_one(db_env *e, const char *text, memo_search_mode mode, memo_hits **hits)
{
    const memo_search_options o = {.size = sizeof o, .mode = mode};
    return memo_db_search(e->db, (memo_text){text, strlen(text)}, &o, hits, &e->err);
}

/* ---- 180 and 184: what is not finite --------------------------------------------------------- */

/* One word of the model is poisoned: texts with it have no vector, all others are as ever. */
static void test_limits_180_not_finite_out_of_a_model(void **state)
{
    static const float poisons[] = {NAN, -NAN, INFINITY, -INFINITY};
    static const char *const names[] = {"nan", "minus-nan", "inf", "minus-inf"};
    db_env *e = *state;
    for (size_t i = 0; i < 4; i++) {
        const bert_spec spec = {.poisoned = "embeddings.word_embeddings.weight",
                                .poison_at = CAT * 40 + 7,
                                .poison = poisons[i]};
        memo_model *model = bent_store(e, names[i], spec, 1);
        memo_hits *hits = NULL;
        float v[40];
        assert_memo_ok(embed_one(e, model, "the mat", v), e->err);
        limits_gauge g = limits_begin();
        assert_memo_status(embed_one(e, model, "the cat sat", v), MEMO_ERR_VALUE, e->err);
        assert_contains(e->err.message, "text 0: its vector is not finite");
        assert_memo_status(add_one(e, "the cat sat"), MEMO_ERR_VALUE, e->err);
        assert_contains(e->err.message, "its vector is not finite");
        limits_end(g, "a vector that is not finite");
        assert_int_equal(n_records(e), 0);

        assert_memo_ok(add_one(e, "the mat"), e->err);
        assert_memo_status(search_one(e, "cat", MEMO_SEARCH_DENSE, &hits), MEMO_ERR_VALUE, e->err);
        assert_memo_status(search_one(e, "cat", MEMO_SEARCH_HYBRID, &hits), MEMO_ERR_VALUE, e->err);
        assert_null(hits);
        assert_memo_ok(search_one(e, "mat", MEMO_SEARCH_DENSE, &hits), e->err);
        assert_int_equal(hits->n, 1);
        memo_hits_free(hits);
        bent_close(e, model);
        db_setup(state); /* the next model starts with an empty store */
    }
}

/* The record is named by its place in the call, not by that of its chunk in a batch of the model. */
static void test_limits_184_one_bad_vector_refuses_the_batch(void **state)
{
    enum { N = 3, LONG = 300 };
    db_env *e = *state;
    const bert_spec spec = {
        .poisoned = "embeddings.word_embeddings.weight", .poison_at = CAT * 40, .poison = NAN};
    memo_model *model = bent_store(e, "one-bad", spec, 1);
    const memo_text texts[N] = {MEMO_TEXT("the mat"), MEMO_TEXT("a cat"), MEMO_TEXT("tea")};
    float vectors[N * 40], alone[40];
    char text[LONG * 4 + 1] = "";
    memo_record_in in[N] = {db_record("a", "the mat"), db_record("b", text), db_record("c", "tea")};

    for (size_t i = 0; i < N * 40; i++)
        vectors[i] = 7;
    assert_memo_status(memo_model_embed(model, NULL, texts, N, vectors, NULL, &e->err),
                       MEMO_ERR_VALUE, e->err);
    assert_contains(e->err.message, "text 1");
    for (size_t i = 0; i < N * 40; i++)
        assert_true(vectors[i] == 7); /* nothing was written */

    /* Beside a text whose states are NaN the others come out with the same bits. */
    const memo_text good[2] = {texts[0], texts[2]};
    assert_memo_ok(memo_model_embed(model, NULL, good, 2, vectors, NULL, &e->err), e->err);
    assert_memo_ok(embed_one(e, model, "tea", alone), e->err);
    assert_memory_equal(vectors + 40, alone, sizeof alone);

    for (int i = 0; i < LONG; i++)
        strcat(text, i == LONG - 5 ? "cat " : "tea ");
    in[1].text.n_bytes = strlen(text);
    limits_gauge g = limits_begin();
    assert_memo_status(memo_db_add(e->db, NULL, in, N, NULL, &e->err), MEMO_ERR_VALUE, e->err);
    limits_end(g, "a batch with one bad vector");
    assert_contains(e->err.message, "record 1 (key \"b\"), chunk ");
    assert_contains(e->err.message, "its vector is not finite");
    assert_int_equal(n_records(e), 0);
    in[1] = db_record("b", "the sat");
    assert_memo_ok(memo_db_add(e->db, NULL, in, N, NULL, &e->err), e->err);
    assert_int_equal(n_records(e), N);
    bent_close(e, model);
}

/* The store itself takes no such vector, whoever made it: chunk and component are named. */
static void refuse_in_store(memo_store *store, size_t at, float value, const char *says)
{
    float vectors[2][UTIL_DIM];
    const memo_store_chunk chunks[2] = {
        {.end = 2, .n_tokens = 1, .vector = vectors[0]},
        {.begin = 2, .end = 4, .n_tokens = 1, .vector = vectors[1]}};
    const memo_store_put put = {
        .key = "bad", .text = {"text", 4}, .space = 1, .chunks = chunks, .n_chunks = 2};
    memo_add_result result = {.size = sizeof result};
    util_vector(1, UTIL_DIM, vectors[0]);
    util_vector(2, UTIL_DIM, vectors[1]);
    for (size_t i = 0; i < UTIL_DIM; i++)
        if (i == at || at == UTIL_DIM)
            vectors[1][i] = value;
    util_ok(memo_store_begin_write(store, err));
    util_fails(MEMO_ERR_VALUE, says, memo_store_put_record(store, 1, &put, &result, err));
    memo_store_rollback(store);
    assert_int_equal(util_count(store), 1);
}

static void test_limits_180_not_finite_into_the_store(void **state)
{
    util_env *env = *state;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    util_add(store, "good", "text", 1);
    refuse_in_store(store, 3, NAN, "chunk 1: component 3 of its vector is not finite");
    refuse_in_store(store, 0, -NAN, "chunk 1: component 0 of its vector is not finite");
    refuse_in_store(store, 7, INFINITY, "chunk 1: component 7 of its vector is not finite");
    refuse_in_store(store, 7, -INFINITY, "chunk 1: component 7 of its vector is not finite");
    memo_store_close(store);
}

/* ---- 181: no length -------------------------------------------------------------------------- */

static void test_limits_181_no_length_into_the_store(void **state)
{
    util_env *env = *state;
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    util_add(store, "good", "text", 1);
    refuse_in_store(store, UTIL_DIM, 0.0f, "chunk 1: its vector has no length");
    refuse_in_store(store, UTIL_DIM, -0.0f, "chunk 1: its vector has no length");
    memo_store_close(store);
}

static void test_limits_181_no_length_out_of_a_model(void **state)
{
    db_env *e = *state;
    for (int normalized = 0; normalized <= 1; normalized++) {
        const bert_spec spec = {.scaled = LAST_NORM, .scale = 0};
        memo_model *model = bent_store(e, normalized ? "zero" : "zero-raw", spec, normalized);
        float v[40];
        assert_memo_status(embed_one(e, model, "the mat", v), MEMO_ERR_VALUE, e->err);
        assert_contains(e->err.message, "has no length");
        assert_memo_status(add_one(e, "the mat"), MEMO_ERR_VALUE, e->err);
        assert_int_equal(n_records(e), 0);
        bent_close(e, model);
        db_setup(state);
    }
}

/* ---- 182: huge and tiny ---------------------------------------------------------------------- */

static double exact_cosine(const float *a, const float *b, size_t dim)
{
    double dot = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < dim; i++) {
        dot += (double)a[i] * b[i];
        aa += (double)a[i] * a[i];
        bb += (double)b[i] * b[i];
    }
    return dot / sqrt(aa) / sqrt(bb);
}

/* A model that does not normalize, with components around `scale`: the squares of such vectors leave
 * the range of float in one direction or the other, their cosines must not. */
static void check_scale(void **state, const char *name, double scale)
{
    static const char *const texts[] = {"the cat sat", "tea, river and door", "key!"};
    db_env *e = *state;
    const bert_spec spec = {.scaled = LAST_NORM, .scale = scale};
    memo_model *model = bent_store(e, name, spec, 0);
    memo_hits *hits = NULL;
    float query[40], v[40];
    for (int i = 0; i < 3; i++)
        db_add(e, (char[]){(char)('a' + i), 0}, texts[i]);
    assert_memo_ok(embed_one(e, model, "a cat on the mat", query), e->err);
    assert_true(fabs((double)query[0]) < 100 * scale);
    assert_memo_ok(search_one(e, "a cat on the mat", MEMO_SEARCH_DENSE, &hits), e->err);
    assert_int_equal(hits->n, 3);
    assert_int_equal(hits->n_damaged, 0);
    for (size_t i = 0; i < hits->n; i++) {
        double score = hits->hits[i].score, wanted;
        assert_memo_ok(embed_one(e, model, texts[hits->hits[i].key[0] - 'a'], v), e->err);
        wanted = exact_cosine(query, v, 40);
        if (!(fabs(score - wanted) < 1e-5))
            fail_msg("scale %g: the score is %g, the cosine %g", scale, score, wanted);
        assert_true(i == 0 || hits->hits[i - 1].score >= score);
    }
    memo_hits_free(hits);
    bent_close(e, model);
    db_setup(state);
}

static void test_limits_182_huge_and_tiny_components(void **state)
{
    db_env *e = *state;
    const bert_spec overflow = {.scaled = LAST_NORM, .scale = 3e38};
    const bert_spec huge = {.scaled = LAST_NORM, .scale = 1e37};
    memo_model *model;
    double length = 0;
    float v[40];
    check_scale(state, "one", 1);
    check_scale(state, "large", 1e18); /* the square of the length is near the end of float */
    check_scale(state, "huge-raw", 1e37);
    check_scale(state, "small", 1e-20);
    check_scale(state, "denormal", 1e-40);

    /* A model that normalizes divides in double. */
    model = bent_model(e, "huge", huge, 1);
    assert_memo_ok(embed_one(e, model, "the cat", v), e->err);
    for (size_t i = 0; i < 40; i++)
        length += (double)v[i] * v[i];
    assert_true(fabs(length - 1) < 1e-6);
    memo_model_close(model);

    /* Beyond the range of float there is nothing left to divide. */
    model = bent_model(e, "overflow", overflow, 1);
    assert_memo_status(embed_one(e, model, "the cat", v), MEMO_ERR_VALUE, e->err);
    assert_contains(e->err.message, "is not finite");
    memo_model_close(model);
}

/* ---- 183: dimensions ------------------------------------------------------------------------- */

static void test_limits_183_another_dimension(void **state)
{
    db_env *e = *state;
    memo_model *narrow = bent_store(e, "narrow", (bert_spec){0}, 1), *wide;
    memo_hits *hits = NULL;
    db_add(e, "a", "the mat");
    wide = bent_model(e, "wide", (bert_spec){.hidden = 80}, 1);
    db_reopen(e, wide);
    limits_gauge g = limits_begin();
    assert_memo_status(add_one(e, "the door"), MEMO_ERR_MISMATCH, e->err);
    assert_contains(e->err.message, "40 and 80 dimensions");
    assert_contains(e->err.message, "narrow.f32@");
    assert_contains(e->err.message, "wide.f32@");
    assert_memo_status(search_one(e, "mat", MEMO_SEARCH_DENSE, &hits), MEMO_ERR_MISMATCH, e->err);
    assert_memo_status(search_one(e, "mat", MEMO_SEARCH_HYBRID, &hits), MEMO_ERR_MISMATCH, e->err);
    limits_end(g, "a model of another dimension");
    assert_int_equal(n_records(e), 1);
    memo_model_close(narrow);
    bent_close(e, wide);
}

static void test_limits_183_dimension_out_of_range(void **state)
{
    static const struct {
        const char *dim;
        memo_status status;
    } cases[] = {
        {"0", MEMO_ERR_VALUE}, {"65537", MEMO_ERR_VALUE}, {"9223372036854775807", MEMO_ERR_VALUE}};
    util_env *env = *state;
    char config[512], source[128], out[256];
    memo_store *store = util_open(env, MEMO_OPEN_CREATE);
    memo_store_space space = {.fingerprint = "x", .name = "x", .kind = MEMO_SPACE_MODEL};
    int64_t id;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const memo_compile_options options = {.size = sizeof options};
        memo_err err = {0};
        snprintf(config, sizeof config,
                 "{\"model_type\":\"bert\",\"num_hidden_layers\":1,\"hidden_size\":%s,"
                 "\"num_attention_heads\":1,\"intermediate_size\":8,\"vocab_size\":71,"
                 "\"max_position_embeddings\":48,\"type_vocab_size\":2,\"hidden_act\":\"gelu\"}",
                 cases[i].dim);
        snprintf(source, sizeof source, "%s/source%zu", env->folder, i);
        snprintf(out, sizeof out, "%s/out.safetensors", env->folder);
        mkdir(source, 0700);
        bert_write_model(source, (bert_spec){.n_layers = 1, .config = config});
        limits_gauge g = limits_begin();
        assert_memo_status(memo_model_compile(env->ctx, source, out, &options, NULL, &err),
                           cases[i].status, err);
        limits_end(g, config);
        assert_contains(err.message, "hidden_size");
        assert_int_not_equal(access(out, F_OK), 0);
    }

    util_ok(memo_store_begin_write(store, err));
    util_fails(MEMO_ERR_MISMATCH, "dimension 0", memo_store_make_space(store, &space, &id, err));
    space.dim = 65537;
    util_fails(MEMO_ERR_LIMIT, "65537; at most 65536",
               memo_store_make_space(store, &space, &id, err));
    space.dim = 3;
    util_ok(memo_store_make_space(store, &space, &id, err));
    space.dim = 4;
    util_fails(MEMO_ERR_MISMATCH, "dimension 3, not 4",
               memo_store_make_space(store, &space, &id, err));
    memo_store_rollback(store);
    memo_store_close(store);
}

/* ---- 187: top_k ------------------------------------------------------------------------------ */

/* 0 is the documented default in C; the command refuses it (limits 4 in tests/cli/limits.t). */
static void test_limits_187_number_of_hits(void **state)
{
    static const struct {
        size_t k, n;
        memo_status status;
    } cases[] = {
        {0, 10, MEMO_OK},
        {1, 1, MEMO_OK},
        {12, 12, MEMO_OK},
        {13, 12, MEMO_OK},
        {1000, 12, MEMO_OK},
        {1001, 0, MEMO_ERR_LIMIT},
        {(size_t)-1, 0, MEMO_ERR_LIMIT},
    };
    db_env *e = *state;
    for (int i = 0; i < 12; i++)
        db_add(e, NULL, i % 2 ? "the key" : "the pot");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        memo_search_options o = {.size = sizeof o, .k = cases[i].k, .mode = MEMO_SEARCH_DENSE};
        memo_hits *hits = NULL;
        limits_gauge g = limits_begin();
        assert_memo_status(memo_db_search(e->db, MEMO_STR("key"), &o, &hits, &e->err),
                           cases[i].status, e->err);
        assert_int_equal(hits ? hits->n : 0, cases[i].n);
        memo_hits_free(hits);
        limits_end(g, "a number of hits");
    }
    for (size_t i = 0; i < 2; i++) {
        const memo_list_options o = {.size = sizeof o, .limit = i ? SIZE_MAX : 1001};
        memo_records *records = NULL;
        assert_memo_status(memo_db_list(e->db, &o, &records, &e->err), MEMO_ERR_LIMIT, e->err);
    }
}

/* ---- 188: negative zero ---------------------------------------------------------------------- */

static void test_limits_188_negative_zero_is_zero(void **state)
{
    enum { DIM = 67 }; /* whole registers and a rest */
    float query[DIM], minus_query[DIM], rows[2 * DIM];
    double scores[2], other[2];
    memo_exact exact;
    (void)state;
    for (size_t i = 0; i < DIM; i++) {
        int zero = i % 3 == 0;
        query[i] = zero ? 0.0f : (float)i / DIM - 0.5f;
        minus_query[i] = zero ? -0.0f : query[i];
        rows[i] = i % 2 ? 0.25f * (float)i : 0.0f;
        rows[DIM + i] = i % 2 ? rows[i] : -0.0f;
    }
    for (memo_cpu cpu = MEMO_CPU_REF; cpu < MEMO_CPU_COUNT; cpu++) {
        const memo_kernels *kernels = memo_kernels_for(cpu);
        if (!kernels || !memo_cpu_has(cpu))
            continue;
        memo_exact_init(&exact, kernels, DIM, query);
        memo_exact_scores(&exact, rows, 2, scores);
        memo_exact_init(&exact, kernels, DIM, minus_query);
        memo_exact_scores(&exact, rows, 2, other);
        assert_true(scores[0] != 0);
        for (int i = 0; i < 2; i++)
            if (scores[i] != scores[0] || other[i] != scores[0])
                fail_msg("%s: %.9g and %.9g, %.9g expected", memo_cpu_name(cpu), scores[i],
                         other[i], scores[0]);
    }
}

int main(void)
{
#define IN_STORE(f) cmocka_unit_test_setup_teardown(f, util_setup, util_teardown)
    const struct CMUnitTest stores[] = {
        IN_STORE(test_limits_180_not_finite_into_the_store),
        IN_STORE(test_limits_181_no_length_into_the_store),
        IN_STORE(test_limits_183_dimension_out_of_range),
        cmocka_unit_test(test_limits_188_negative_zero_is_zero),
    };
    const struct CMUnitTest models[] = {
        db_test(test_limits_180_not_finite_out_of_a_model),
        db_test(test_limits_181_no_length_out_of_a_model),
        db_test(test_limits_182_huge_and_tiny_components),
        db_test(test_limits_183_another_dimension),
        db_test(test_limits_184_one_bad_vector_refuses_the_batch),
        db_test(test_limits_187_number_of_hits),
    };
    limits_count_memory();
    int failed = cmocka_run_group_tests_name("store", stores, NULL, NULL);
    return failed + cmocka_run_group_tests_name("model", models, db_setup_group, db_teardown_group);
}
