// SPDX-License-Identifier: Apache-2.0
/* External spaces: ready vectors, and an embedder that the caller brings. */
#include "db_util.h"

#include <float.h>
#include <math.h>

#include "memory/db.h"
#include "memory/vector_index.h"

enum { DIM = 4 };

static memo_db *open_space(db_env *e, const memo_external_space *space, memo_open_mode mode)
{
    const memo_db_options options = {.size = sizeof options, .mode = mode, .external = space};
    memo_db *db = NULL;
    assert_memo_ok(memo_db_open(e->ctx, e->path, &options, &db, &e->err), e->err);
    return db;
}

/* The test's store, as one of the external space "ada". */
static void use_ada(db_env *e)
{
    const memo_external_space ada = {.size = sizeof ada, .name = "ada", .dim = DIM};
    memo_db_close(e->db);
    e->db = open_space(e, &ada, MEMO_OPEN_CREATE);
}

static memo_vector floats(const float *values, size_t dim)
{
    return (memo_vector){.f32 = values, .dim = dim};
}

static memo_status add_vector(db_env *e, const char *key, const char *text,
                              const memo_vector *vector, memo_add_result *result)
{
    memo_record_in in = db_record(key, text);
    in.vectors = vector;
    in.n_vectors = 1;
    return memo_db_add(e->db, NULL, &in, 1, result, &e->err);
}

static memo_hits *search_vector(db_env *e, const char *query, const memo_vector *vector,
                                memo_search_mode mode)
{
    const memo_search_options o = {.size = sizeof o, .mode = mode, .vector = vector};
    memo_hits *hits = NULL;
    assert_memo_ok(memo_db_search(e->db, (memo_text){query, strlen(query)}, &o, &hits, &e->err),
                   e->err);
    return hits;
}

/* ---- ready vectors ------------------------------------------------------------------------- */

static void test_external_scores_are_cosines(void **state)
{
    static const float a[DIM] = {3, 0, 0, 0}, b[DIM] = {1, 1, 0, 0}, c[DIM] = {-1, 0, 0, 2};
    static const float query[DIM] = {10, 0, 0, 0};
    static const double cosines[] = {1, 0.70710678118654752, -0.44721359549995794};
    db_env *e = *state;
    const memo_vector in[] = {floats(a, DIM), floats(b, DIM), floats(c, DIM)};
    const memo_vector wanted = floats(query, DIM);
    memo_add_result result = {.size = sizeof result};
    memo_hits *hits;
    use_ada(e);
    assert_memo_ok(add_vector(e, "a", "the spare key", &in[0], &result), e->err);
    assert_int_equal(result.n_chunks, 1);
    assert_int_equal(result.n_tokens, 0);
    assert_memo_ok(add_vector(e, "b", "the boiler", &in[1], NULL), e->err);
    assert_memo_ok(add_vector(e, "c", "a garden", &in[2], NULL), e->err);
    for (int query_given = 0; query_given < 2; query_given++) {
        hits = search_vector(e, query_given ? "garden" : "", &wanted, MEMO_SEARCH_DENSE);
        assert_int_equal(hits->n, 3);
        assert_int_equal(hits->mode, MEMO_SEARCH_DENSE);
        for (int i = 0; i < 3; i++) {
            const char key[2] = {(char)('a' + i), 0};
            assert_string_equal(hits->hits[i].key, key);
            assert_true(fabs(hits->hits[i].score - cosines[i]) < 1e-6);
        }
        memo_hits_free(hits);
    }
    hits = search_vector(e, "garden", &wanted, MEMO_SEARCH_HYBRID); /* words and the vector */
    assert_int_equal(hits->n, 3);
    for (size_t i = 0; i < hits->n; i++) {
        const memo_hit *h = &hits->hits[i];
        assert_true(h->lanes[MEMO_LANE_DENSE].rank > 0);
        assert_int_equal(h->lanes[MEMO_LANE_LEXICAL].rank > 0, *h->key == 'c');
    }
    memo_hits_free(hits);
    hits = search_vector(e, "garden", NULL, MEMO_SEARCH_HYBRID); /* nothing embeds the query */
    assert_int_equal(hits->mode, MEMO_SEARCH_LEXICAL);
    assert_int_equal(hits->n, 1);
    memo_hits_free(hits);
}

static void test_external_needs_no_space_to_search(void **state)
{
    static const float a[DIM] = {0, 2, 0, 0};
    db_env *e = *state;
    const memo_vector in = floats(a, DIM), shorter = floats(a, DIM - 1);
    const memo_search_options o = {.size = sizeof o, .vector = &shorter};
    memo_hits *hits = NULL;
    use_ada(e);
    assert_memo_ok(add_vector(e, "a", "the spare key", &in, NULL), e->err);
    db_reopen(e, NULL);
    hits = search_vector(e, "", &in, MEMO_SEARCH_HYBRID);
    assert_int_equal(hits->n, 1);
    memo_hits_free(hits);
    assert_memo_status(memo_db_search(e->db, (memo_text){NULL, 0}, &o, &hits, &e->err),
                       MEMO_ERR_MISMATCH, e->err);
    assert_contains(e->err.message, "3 dimensions");
    assert_contains(e->err.message, "have 4");
}

static void test_external_dimension_of_the_first_vector(void **state)
{
    static const float a[DIM] = {0, 2, 0, 0};
    const memo_external_space any = {.size = sizeof any, .name = "ada"};
    db_env *e = *state;
    const memo_vector in = floats(a, DIM), shorter = floats(a, 2);
    memo_db_close(e->db);
    e->db = open_space(e, &any, MEMO_OPEN_CREATE);
    assert_memo_ok(add_vector(e, "a", "the spare key", &in, NULL), e->err);
    assert_memo_status(add_vector(e, "b", "the boiler", &shorter, NULL), MEMO_ERR_MISMATCH, e->err);
    assert_contains(e->err.message, "2 dimensions");
    assert_contains(e->err.message, "have 4");
    memo_db_close(e->db); /* "ada" of 2 dimensions is another space than "ada" of 4 */
    e->db = open_space(e, &any, MEMO_OPEN_CREATE);
    assert_memo_status(add_vector(e, "b", "the boiler", &shorter, NULL), MEMO_ERR_MISMATCH, e->err);
    assert_contains(e->err.message, "4 and 2 dimensions");
}

static void test_external_int8_has_its_scale(void **state)
{
    static const int8_t a[DIM] = {127, 0, 0, -128}, b[DIM] = {0, 50, 0, 0};
    static const float query[DIM] = {1, 0, 0, -1};
    db_env *e = *state;
    const memo_vector in[] = {{.i8 = a, .scale = 0.25F, .dim = DIM},
                              {.i8 = b, .scale = 1e30F, .dim = DIM}};
    const memo_vector wanted = floats(query, DIM);
    memo_hits *hits;
    use_ada(e);
    assert_memo_ok(add_vector(e, "a", "the spare key", &in[0], NULL), e->err);
    assert_memo_ok(add_vector(e, "b", "the boiler", &in[1], NULL), e->err);
    hits = search_vector(e, "", &wanted, MEMO_SEARCH_DENSE);
    assert_string_equal(hits->hits[0].key, "a");
    assert_true(fabs(hits->hits[0].score - 255 / (sqrt(2) * sqrt(127 * 127 + 128 * 128))) < 1e-6);
    assert_true(fabs(hits->hits[1].score) < 1e-6);
    memo_hits_free(hits);
    hits = search_vector(e, "", &in[1], MEMO_SEARCH_DENSE);
    assert_string_equal(hits->hits[0].key, "b");
    memo_hits_free(hits);
}

static void test_external_several_chunks_have_spans(void **state)
{
    static const char text[] = "the key. under the pot, f\xc3\xbcr Anna";
    static const float a[DIM] = {1, 0, 0, 0}, b[DIM] = {0, 1, 0, 0};
    static const size_t good[][2] = {{0, 8}, {9, 33}}, inside[][2] = {{0, 8}, {9, 26}},
                        unordered[][2] = {{9, 33}, {0, 8}}, beyond[][2] = {{0, 8}, {9, 34}};
    db_env *e = *state;
    const memo_vector vectors[] = {floats(a, DIM), floats(b, DIM)};
    memo_record_in in = db_record("a", text);
    memo_hits *hits;
    use_ada(e);
    in.vectors = vectors;
    in.n_vectors = 2;
    assert_memo_status(memo_db_add(e->db, NULL, &in, 1, NULL, &e->err), MEMO_ERR_USAGE, e->err);
    in.spans = inside; /* in the middle of the u with dots */
    assert_memo_status(memo_db_add(e->db, NULL, &in, 1, NULL, &e->err), MEMO_ERR_VALUE, e->err);
    in.spans = unordered;
    assert_memo_status(memo_db_add(e->db, NULL, &in, 1, NULL, &e->err), MEMO_ERR_VALUE, e->err);
    in.spans = beyond;
    assert_memo_status(memo_db_add(e->db, NULL, &in, 1, NULL, &e->err), MEMO_ERR_VALUE, e->err);
    assert_contains(e->err.message, "span 1");
    in.spans = good;
    assert_memo_ok(memo_db_add(e->db, NULL, &in, 1, NULL, &e->err), e->err);
    hits = search_vector(e, "", &vectors[1], MEMO_SEARCH_DENSE);
    assert_int_equal(hits->n, 1);
    assert_int_equal(hits->hits[0].chunk, 1);
    assert_int_equal(hits->hits[0].begin, 9);
    assert_string_equal(hits->hits[0].text, text + 9);
    memo_hits_free(hits);
}

static void test_external_same_key_with_another_vector_is_a_change(void **state)
{
    static const float a[DIM] = {1, 0, 0, 0}, b[DIM] = {1, 0, 0, 1e-6F};
    static const size_t part[][2] = {{0, 3}};
    db_env *e = *state;
    const memo_vector first = floats(a, DIM), second = floats(b, DIM);
    memo_record_in in = db_record("k", "the spare key");
    memo_add_result result = {.size = sizeof result};
    use_ada(e);
    assert_memo_ok(add_vector(e, "k", "the spare key", &first, &result), e->err);
    assert_memo_ok(add_vector(e, "k", "the spare key", &first, &result), e->err);
    assert_int_equal(result.outcome, MEMO_OUTCOME_UNCHANGED);
    assert_memo_ok(add_vector(e, "k", "the spare key", &second, &result), e->err);
    assert_int_equal(result.outcome, MEMO_OUTCOME_CHANGED);
    assert_int_equal(result.version, 2);
    in.vectors = &second;
    in.n_vectors = 1;
    in.spans = part;
    assert_memo_ok(memo_db_add(e->db, NULL, &in, 1, &result, &e->err), e->err);
    assert_int_equal(result.outcome, MEMO_OUTCOME_CHANGED);
}

/* An edit brings the vector of what it makes of the text; nothing is written without it. */
static void test_external_edit_brings_its_vectors(void **state)
{
    static const float a[DIM] = {1, 0, 0, 0}, b[DIM] = {0, 1, 0, 0}, c[DIM] = {0, 0, 1, 0};
    static const size_t halves[][2] = {{0, 4}, {4, 8}}, beyond[][2] = {{0, 4}, {4, 9}};
    const memo_text text = MEMO_TEXT("tea milk"), again = MEMO_TEXT("tea bag.");
    const memo_vector first = floats(a, DIM), second = floats(b, DIM),
                      both[] = {second, floats(c, DIM)};
    const memo_vector three = floats(a, 3);
    db_env *e = *state;
    memo_record_edit edit = {.size = sizeof edit, .text = &text};
    memo_add_result result = {.size = sizeof result};
    memo_hits *hits;
    use_ada(e);
    assert_memo_ok(add_vector(e, "k", "the spare key", &first, NULL), e->err);
    assert_memo_status(memo_db_edit(e->db, NULL, "k", &edit, NULL, &e->err), MEMO_ERR_USAGE,
                       e->err);
    assert_contains(e->err.message, "needs a ready vector");
    edit.vectors = both;
    edit.n_vectors = 2;
    assert_memo_status(memo_db_edit(e->db, NULL, "k", &edit, NULL, &e->err), MEMO_ERR_USAGE,
                       e->err);
    assert_contains(e->err.message, "without spans");
    edit.spans = beyond;
    assert_memo_status(memo_db_edit(e->db, NULL, "k", &edit, NULL, &e->err), MEMO_ERR_VALUE,
                       e->err);
    edit.spans = halves;
    assert_memo_ok(memo_db_edit(e->db, NULL, "k", &edit, &result, &e->err), e->err);
    assert_int_equal(result.version, 2);
    assert_int_equal(result.n_chunks, 2);
    hits = search_vector(e, "", &both[1], MEMO_SEARCH_DENSE);
    assert_int_equal(hits->n, 1);
    assert_string_equal(hits->hits[0].text, "milk");
    assert_true(fabs(hits->hits[0].score - 1) < 1e-6);
    memo_hits_free(hits);
    edit = (memo_record_edit){.size = sizeof edit, .vectors = &first, .n_vectors = 1}; /* alone */
    assert_memo_ok(memo_db_edit(e->db, NULL, "k", &edit, &result, &e->err), e->err);
    assert_int_equal(result.version, 3);
    assert_int_equal(result.n_chunks, 1);
    assert_memo_ok(memo_db_edit(e->db, NULL, "k", &edit, &result, &e->err), e->err);
    assert_int_equal(result.outcome, MEMO_OUTCOME_UNCHANGED);
    hits = search_vector(e, "", &first, MEMO_SEARCH_DENSE);
    assert_string_equal(hits->hits[0].text, "tea milk");
    assert_true(fabs(hits->hits[0].score - 1) < 1e-6);
    memo_hits_free(hits);
    edit =
        (memo_record_edit){.size = sizeof edit, .text = &again, .vectors = &three, .n_vectors = 1};
    assert_memo_status(memo_db_edit(e->db, NULL, "k", &edit, NULL, &e->err), MEMO_ERR_MISMATCH,
                       e->err);
    edit =
        (memo_record_edit){.size = sizeof edit, .title = "t", .vectors = &second, .n_vectors = 1};
    assert_memo_ok(memo_db_edit(e->db, NULL, "k", &edit, &result, &e->err), e->err);
    assert_int_equal(result.version, 4);
    edit = (memo_record_edit){.size = sizeof edit,
                              .source = "s"}; /* the vector is none of its matter */
    assert_memo_ok(memo_db_edit(e->db, NULL, "k", &edit, &result, &e->err), e->err);
    hits = search_vector(e, "", &second, MEMO_SEARCH_DENSE);
    assert_true(fabs(hits->hits[0].score - 1) < 1e-6);
    memo_hits_free(hits);
}

/* A model's store makes its own. */
static void test_external_edit_of_a_models_record(void **state)
{
    static const float a[DIM] = {1, 0, 0, 0};
    const memo_vector vector = floats(a, DIM);
    const memo_record_edit edit = {.size = sizeof edit, .vectors = &vector, .n_vectors = 1};
    db_env *e = *state;
    db_add(e, "k", "the spare key");
    assert_memo_status(memo_db_edit(e->db, NULL, "k", &edit, NULL, &e->err), MEMO_ERR_USAGE,
                       e->err);
    assert_contains(e->err.message, "it brings a vector");
}

/* ## limits 180, 181, 183, 184 of a vector that is brought */
static void test_limits_180_vectors_that_cannot_be(void **state)
{
    float good[DIM] = {1, 0, 0, 0}, bad[DIM] = {1, 2, 3, 4};
    static const float zero[DIM] = {0, -0.0F, 0, 0};
    static const int8_t i8[DIM] = {1, 2, 3, 4};
    static const double values[] = {NAN, INFINITY, -INFINITY};
    static const float scales[] = {0, -1, NAN, INFINITY, FLT_MAX};
    float *wide = calloc(65537, sizeof *wide);
    db_env *e = *state;
    memo_vector v[2] = {floats(good, DIM), floats(bad, DIM)};
    memo_record_in in[2] = {db_record("a", "the spare key"), db_record("b", "the boiler")};
    memo_db_stats stats = {.size = sizeof stats};
    use_ada(e);
    for (int i = 0; i < 2; i++) {
        in[i].vectors = &v[i];
        in[i].n_vectors = 1;
    }
    for (int i = 0; i < 3; i++) {
        bad[2] = (float)values[i];
        assert_memo_status(memo_db_add(e->db, NULL, in, 2, NULL, &e->err), MEMO_ERR_VALUE, e->err);
        assert_contains(e->err.message, "record 1: vector 0: component 2");
    }
    v[1] = floats(zero, DIM);
    assert_memo_status(memo_db_add(e->db, NULL, in, 2, NULL, &e->err), MEMO_ERR_VALUE, e->err);
    assert_contains(e->err.message, "record 1: vector 0");
    for (int i = 0; i < 5; i++) {
        v[1] = (memo_vector){.i8 = i8, .scale = scales[i], .dim = DIM};
        assert_memo_status(memo_db_add(e->db, NULL, in, 2, NULL, &e->err), MEMO_ERR_VALUE, e->err);
    }
    v[1] = floats(good, 0);
    assert_memo_status(memo_db_add(e->db, NULL, in, 2, NULL, &e->err), MEMO_ERR_MISMATCH, e->err);
    v[1] = floats(good, 3);
    assert_memo_status(memo_db_add(e->db, NULL, in, 2, NULL, &e->err), MEMO_ERR_MISMATCH, e->err);
    assert_contains(e->err.message, "record 1");
    v[1] = floats(wide, 65537);
    assert_memo_status(memo_db_add(e->db, NULL, in, 2, NULL, &e->err), MEMO_ERR_LIMIT, e->err);
    v[1] = (memo_vector){.dim = DIM};
    assert_memo_status(memo_db_add(e->db, NULL, in, 2, NULL, &e->err), MEMO_ERR_USAGE, e->err);
    in[1].n_vectors = 0;
    assert_memo_status(memo_db_add(e->db, NULL, in, 2, NULL, &e->err), MEMO_ERR_USAGE, e->err);
    assert_contains(e->err.message, "record 1");
    assert_memo_ok(memo_db_get_stats(e->db, &stats, &e->err), e->err);
    assert_int_equal(stats.n_records, 0); /* the whole batch was refused, each time */
    free(wide);
}

/* ## limits 182, 188: lengths beyond floats, and negative zero */
static void test_limits_182_lengths_beyond_floats(void **state)
{
    static const float huge[DIM] = {3e38F, 3e38F, 0, 0}, tiny[DIM] = {1e-44F, 0, 0, 0},
                       minus[DIM] = {-0.0F, 1, -0.0F, 0}, plus[DIM] = {0, 1, 0, 0};
    db_env *e = *state;
    const memo_vector h = floats(huge, DIM), t = floats(tiny, DIM), m = floats(minus, DIM),
                      p = floats(plus, DIM);
    memo_hits *a, *b;
    use_ada(e);
    assert_memo_ok(add_vector(e, "huge", "the spare key", &h, NULL), e->err);
    assert_memo_ok(add_vector(e, "tiny", "the boiler", &t, NULL), e->err);
    a = search_vector(e, "", &t, MEMO_SEARCH_DENSE);
    assert_string_equal(a->hits[0].key, "tiny");
    assert_true(fabs(a->hits[0].score - 1) < 1e-6);
    assert_true(fabs(a->hits[1].score - sqrt(0.5)) < 1e-6);
    memo_hits_free(a);
    a = search_vector(e, "", &m, MEMO_SEARCH_DENSE);
    b = search_vector(e, "", &p, MEMO_SEARCH_DENSE);
    assert_int_equal(a->n, b->n);
    for (size_t i = 0; i < a->n; i++)
        assert_true(a->hits[i].score == b->hits[i].score);
    memo_hits_free(a);
    memo_hits_free(b);
}

/* Records n0, n1, ... whose vectors all have one direction, in lengths that differ. */
static void add_collinear(db_env *e, size_t n)
{
    static const float lengths[] = {1, 0.5F, 4,
                                    256}; /* exact: the directions are equal to the bit */
    memo_record_in *in = calloc(n, sizeof *in);
    memo_vector *v = calloc(n, sizeof *v);
    float *values = calloc(n, DIM * sizeof *values);
    char(*keys)[16] = calloc(n, sizeof *keys);
    for (size_t i = 0; i < n; i++) {
        for (size_t d = 0; d < DIM; d++)
            values[i * DIM + d] = (float)(d + 1) * lengths[i % 4];
        v[i] = floats(values + i * DIM, DIM);
        sprintf(keys[i], "n%zu", i);
        in[i] = db_record(keys[i], keys[i]);
        in[i].vectors = &v[i];
        in[i].n_vectors = 1;
    }
    assert_memo_ok(memo_db_add(e->db, NULL, in, n, NULL, &e->err), e->err);
    free(keys);
    free(values);
    free(v);
    free(in);
}

/* All are equally near: the first ids are the hits, by the index and without it. */
static void test_limits_186_a_hundred_thousand_equal_vectors(void **state)
{
    enum { N = 100000, K = 12 };
    static const float query[DIM] = {2, 4, 6, 8};
    db_env *e = *state;
    const memo_vector wanted = floats(query, DIM);
    const memo_search_options o = {
        .size = sizeof o, .mode = MEMO_SEARCH_DENSE, .vector = &wanted, .k = K};
    use_ada(e);
    add_collinear(e, N);
    for (int indexed = 0; indexed < 2; indexed++) {
        memo_hits *hits = NULL;
        e->db->index.min_rows = indexed ? 1 : SIZE_MAX;
        memo_vector_index_drop(&e->db->index);
        assert_memo_ok(memo_db_search(e->db, (memo_text){NULL, 0}, &o, &hits, &e->err), e->err);
        assert_int_equal(e->db->index.view.base != NULL, indexed);
        assert_int_equal(hits->n, K);
        assert_int_equal(hits->n_searched, N);
        for (int i = 0; i < K; i++) {
            char key[16];
            sprintf(key, "n%d", i);
            assert_string_equal(hits->hits[i].key, key);
            assert_true(fabs(hits->hits[i].score - 1) < 1e-6);
        }
        memo_hits_free(hits);
    }
}

static void test_external_and_model_do_not_mix(void **state)
{
    static const float a[TINY_HIDDEN] = {1};
    db_env *e = *state;
    const memo_external_space ada = {.size = sizeof ada, .name = "ada", .dim = TINY_HIDDEN};
    const memo_db_options both = {.size = sizeof both, .model = e->model, .external = &ada};
    const memo_vector in = floats(a, TINY_HIDDEN);
    memo_db *db = NULL;
    assert_memo_status(memo_db_open(e->ctx, e->path, &both, &db, &e->err), MEMO_ERR_USAGE, e->err);
    assert_memo_status(add_vector(e, "a", "the key", &in, NULL), MEMO_ERR_USAGE, e->err);
    db_add(e, "a", "the key");
    memo_db_close(e->db);
    e->db = open_space(e, &ada, MEMO_OPEN_CREATE);
    assert_memo_status(add_vector(e, "b", "the boiler", &in, NULL), MEMO_ERR_MISMATCH, e->err);
    assert_contains(e->err.message, "tiny.f32");
    assert_contains(e->err.message, "ada");
}

static void test_external_names(void **state)
{
    static const char *const bad[] = {"", "a b", "ab\n", "\xc3\xa9"};
    char name[66];
    db_env *e = *state;
    memo_external_space space = {.size = sizeof space, .dim = DIM};
    const memo_db_options options = {.size = sizeof options, .external = &space};
    memo_db *db = NULL;
    assert_memo_status(memo_db_open(e->ctx, e->path, &options, &db, &e->err), MEMO_ERR_VALUE,
                       e->err);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        space.name = bad[i];
        assert_memo_status(memo_db_open(e->ctx, e->path, &options, &db, &e->err), MEMO_ERR_VALUE,
                           e->err);
    }
    memset(name, 'x', 65);
    name[65] = 0;
    space.name = name;
    assert_memo_status(memo_db_open(e->ctx, e->path, &options, &db, &e->err), MEMO_ERR_LIMIT,
                       e->err);
    space.name = "openai/text-embedding-3-small:1536";
    db = open_space(e, &space, MEMO_OPEN_CREATE);
    memo_db_close(db);
}

/* ---- an embedder --------------------------------------------------------------------------- */

/* Counts letters by four classes; another `turn` is another model. */
typedef struct fake {
    memo_db *db; /* whose handle a naughty embedder uses; or NULL */
    unsigned turn;
    unsigned n_calls;
    int broken; /* gives a NaN */
    memo_status fails;
    memo_db *beside; /* another handle, which adds a record during the second call; or NULL */
} fake;

static memo_status fake_embed(void *user, const memo_text *texts, size_t n, memo_role role,
                              float *out, memo_err *err)
{
    fake *f = user;
    memo_db_stats stats = {.size = sizeof stats};
    (void)role;
    f->n_calls++;
    if (f->db)
        assert_memo_status(memo_db_get_stats(f->db, &stats, err), MEMO_ERR_BUSY, *err);
    if (f->beside && f->n_calls == 2) {
        memo_record_in in = db_record("beside", "the first record");
        assert_memo_ok(memo_db_add(f->beside, NULL, &in, 1, NULL, err), *err);
    }
    if (f->fails)
        return memo_fail(err, f->fails, "the service says no");
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < DIM; j++)
            out[i * DIM + j] = 0.001F;
        for (size_t b = 0; b < texts[i].n_bytes; b++)
            out[i * DIM + ((unsigned char)texts[i].bytes[b] + f->turn) % DIM] +=
                f->turn && b % 2 ? 3 : 1;
        if (f->broken)
            out[i * DIM + 1] = NAN;
    }
    return MEMO_OK;
}

static void use_fake(db_env *e, fake *f)
{
    const memo_external_space space = {
        .size = sizeof space, .name = "fake", .dim = DIM, .embed = fake_embed, .embed_user = f};
    memo_db_close(e->db);
    e->db = open_space(e, &space, MEMO_OPEN_CREATE);
}

static void test_external_embedder_makes_vectors(void **state)
{
    db_env *e = *state;
    fake f = {0};
    memo_hits *hits;
    float wanted[DIM];
    const memo_text text = {"aaaaa", 5};
    const memo_vector v = floats(wanted, DIM);
    use_fake(e, &f);
    db_add(e, "a", "aaaa");
    db_add(e, "b", "bbbbb");
    fake_embed(&f, &text, 1, MEMO_ROLE_QUERY, wanted, &e->err);
    f.db = e->db;
    for (int by_vector = 0; by_vector < 2; by_vector++) {
        hits = search_vector(e, "aaaaa", by_vector ? &v : NULL, MEMO_SEARCH_DENSE);
        assert_int_equal(hits->n, 2);
        assert_string_equal(hits->hits[0].key, "a");
        assert_true(hits->hits[0].score > 0.999);
        memo_hits_free(hits);
    }
    hits = search_vector(e, "aaaaa", NULL, MEMO_SEARCH_HYBRID);
    assert_int_equal(hits->mode, MEMO_SEARCH_HYBRID);
    assert_string_equal(hits->model, "fake");
    memo_hits_free(hits);
}

static void test_external_embedder_that_fails(void **state)
{
    db_env *e = *state;
    fake f = {0};
    memo_record_in in = db_record("a", "the spare key");
    memo_db_stats stats = {.size = sizeof stats};
    use_fake(e, &f);
    f.fails = MEMO_ERR_OFFLINE;
    assert_memo_status(memo_db_add(e->db, NULL, &in, 1, NULL, &e->err), MEMO_ERR_OFFLINE, e->err);
    assert_contains(e->err.message, "the service says no");
    f = (fake){.broken = 1};
    assert_memo_status(memo_db_add(e->db, NULL, &in, 1, NULL, &e->err), MEMO_ERR_VALUE, e->err);
    assert_contains(e->err.message, "component 1 is not finite");
    assert_memo_ok(memo_db_get_stats(e->db, &stats, &e->err), e->err);
    assert_int_equal(stats.n_records, 0);
    f = (fake){0};
    db_add(e, "a", "the spare key");
    f.broken = 1; /* proved already, and still watched */
    in.key = "b";
    assert_memo_status(memo_db_add(e->db, NULL, &in, 1, NULL, &e->err), MEMO_ERR_VALUE, e->err);
}

static void test_external_another_embedder_is_noticed(void **state)
{
    db_env *e = *state;
    fake f = {0}, other = {.turn = 1};
    memo_record_in in = db_record("b", "the boiler");
    const memo_search_options o = {.size = sizeof o};
    memo_hits *hits = NULL;
    memo_db_stats before = {.size = sizeof before}, after = {.size = sizeof after};
    use_fake(e, &f);
    db_add(e, "a", "the spare key");
    assert_memo_ok(memo_db_get_stats(e->db, &before, &e->err), e->err);
    use_fake(e, &other);
    assert_memo_status(memo_db_add(e->db, NULL, &in, 1, NULL, &e->err), MEMO_ERR_MISMATCH, e->err);
    assert_contains(e->err.message, "another one than that of space fake");
    assert_memo_status(memo_db_search(e->db, MEMO_STR("key"), &o, &hits, &e->err),
                       MEMO_ERR_MISMATCH, e->err);
    assert_memo_ok(memo_db_get_stats(e->db, &after, &e->err), e->err);
    assert_int_equal(before.change_seq, after.change_seq);
    f.n_calls = 0;
    use_fake(e, &f);
    db_add(e, "b", "the boiler");
    db_add(e, "c", "the garden");
    assert_int_equal(f.n_calls, 3); /* compared once */
}

/* Two handles begin at once: the second, which has compared with nothing, meets what the first has
 * written meanwhile. */
static void test_external_two_first_embedders(void **state)
{
    db_env *e = *state;
    fake f = {0}, other = {.turn = 1};
    const memo_external_space space = {.size = sizeof space,
                                       .name = "fake",
                                       .dim = DIM,
                                       .embed = fake_embed,
                                       .embed_user = &other};
    memo_record_in in = db_record("b", "the boiler");
    memo_db_stats stats = {.size = sizeof stats};
    memo_db *second;
    use_fake(e, &f);
    second = open_space(e, &space, MEMO_OPEN_CREATE);
    other.beside = e->db;
    assert_memo_status(memo_db_add(second, NULL, &in, 1, NULL, &e->err), MEMO_ERR_MISMATCH, e->err);
    assert_contains(e->err.message, "another one than that of space fake");
    assert_memo_ok(memo_db_get_stats(e->db, &stats, &e->err), e->err);
    assert_int_equal(stats.n_records, 1);
    memo_db_close(second);
}

/* ---- lack of memory ------------------------------------------------------------------------ */

static void test_external_survives_lack_of_memory(void **state)
{
    static const int8_t values[DIM] = {1, 2, 3, 4};
    db_env *e = *state;
    fake f = {0};
    const memo_vector v = {.i8 = values, .scale = 1, .dim = DIM};
    const memo_external_space space = {
        .size = sizeof space, .name = "fake", .dim = DIM, .embed = fake_embed, .embed_user = &f};
    const memo_db_options options = {.size = sizeof options, .external = &space};
    const memo_search_options o = {.size = sizeof o};
    memo_record_in in[2] = {db_record("a", "the spare key"), db_record(NULL, "the boiler")};
    int done = 0;
    in[0].vectors = &v;
    in[0].n_vectors = 1;
    memo_db_close(e->db); /* each round makes a store of its own */
    e->db = NULL;
    for (uint64_t at = 1; !done; at++) {
        memo_err err = {0};
        memo_db *db = NULL;
        memo_hits *hits = NULL;
        int64_t live;
        memo_status status;
        db_setup(state);
        memo_db_close(e->db);
        e->db = NULL;
        live = memo_alloc_live();
        memo_alloc_fail_at(at, 0);
        status = memo_db_open(e->ctx, e->path, &options, &db, &err);
        if (status == MEMO_OK)
            status = memo_db_add(db, NULL, in, 2, NULL, &err);
        if (status == MEMO_OK)
            status = memo_db_search(db, MEMO_STR("boiler"), &o, &hits, &err);
        memo_hits_free(hits);
        memo_db_close(db);
        done = memo_alloc_count() < at;
        memo_alloc_fail_at(0, 0);
        if (memo_alloc_live() > live)
            fail_msg("allocation %d: %d blocks leaked", (int)at, (int)(memo_alloc_live() - live));
        if (done ? status != MEMO_OK : status != MEMO_OK && status != MEMO_ERR_NOMEM)
            fail_msg("allocation %d: %s: %s", (int)at, memo_status_name(status), err.message);
        assert_true(at < 3000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        db_test(test_external_scores_are_cosines),
        db_test(test_external_needs_no_space_to_search),
        db_test(test_external_dimension_of_the_first_vector),
        db_test(test_external_int8_has_its_scale),
        db_test(test_external_several_chunks_have_spans),
        db_test(test_external_same_key_with_another_vector_is_a_change),
        db_test(test_external_edit_brings_its_vectors),
        db_test(test_external_edit_of_a_models_record),
        db_test(test_limits_180_vectors_that_cannot_be),
        db_test(test_limits_182_lengths_beyond_floats),
        db_test(test_limits_186_a_hundred_thousand_equal_vectors),
        db_test(test_external_and_model_do_not_mix),
        db_test(test_external_names),
        db_test(test_external_embedder_makes_vectors),
        db_test(test_external_embedder_that_fails),
        db_test(test_external_another_embedder_is_noticed),
        db_test(test_external_two_first_embedders),
        db_test(test_external_survives_lack_of_memory),
    };
    return cmocka_run_group_tests_name("external", tests, db_setup_group, db_teardown_group);
}
